// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the verifier's messages mean, said in the words of the application: one table.

use ufunc_gen::metadata::Role;

use crate::missing::Missing;
use crate::modules::LoadedModule;
use crate::report::{Stage, list};
use crate::verifier_log::Diagnosis;

/// A rejection, as far as its explanation depends on it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Case<'a> {
    /// The verifier's message.
    pub reason: &'a str,
    /// The function that the failing instruction calls.
    pub callee: Option<&'a str>,
    /// The function that returned what is not released.
    pub acquired_by: Option<&'a str>,
    /// The ufunc called last, before the failing instruction, that releases something.
    pub released_by: Option<&'a str>,
    /// Whether the pointer that the message is about is the number 0.
    pub passes_null: bool,
    /// What the application has instead of the type or member that the message is about.
    pub missing: Option<&'a Missing>,
    /// The application's file.
    pub app: &'a str,
    /// The module that lends the ufuncs.
    pub module: Option<&'a LoadedModule>,
    /// How the kernel itself explains it.
    pub diagnosis: Option<&'a Diagnosis>,
}

/// What a rejection means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// What rejected the program: the verifier, or a step whose failure the verifier only met.
    pub stage: Stage,
    /// What the program does wrong, at the line that the message is about.
    pub meaning: Option<String>,
    /// What to do.
    pub help: Option<String>,
}

/// A message of the verifier, and what to say about it.
struct Entry {
    /// The message; `*` stands for what changes.
    pattern: &'static str,
    stage: Stage,
    /// What it means, and what to do; `matched` is what the stars stood for.
    explain: fn(case: &Case<'_>, matched: &[&str]) -> (String, String),
}

/// Patterns of [`unreleased`] and of its explanation.
const UNRELEASED: &str = "Unreleased reference id=* alloc_insn=*";

/// Patterns of [`null_argument`] and of its explanation.
const NULL_ARGUMENT: &str = "Possibly NULL pointer passed to *";

/// What libbpf puts into the log for a relocation that failed, here and in [`unresolved`].
const UNRESOLVED: &str = "failed to resolve CO-RE relocation <*> [*] *";

/// What libbpf says of a kfunc that the program declares in another way than the kernel.
const OTHER_SIGNATURE: &str = "*extern (func ksym) '*': func_proto [*] incompatible with *";

/// Members of a type that are named where one is missing; a struct may have hundreds.
const MEMBERS_SHOWN: usize = 16;

/// The messages of kernels 6.11 to 7.2. The first entry that matches is taken.
const TABLE: &[Entry] = &[
    Entry {
        pattern: UNRELEASED,
        stage: Stage::Verification,
        explain: |case, _| {
            let object = match case.acquired_by {
                Some(acquire) => format!("what {acquire} returned"),
                None => "what it acquired".into(),
            };
            (
                format!("after this the program can end with {object} unreleased"),
                match case.releases(case.acquired_by).as_slice() {
                    [] => "release it on every path".into(),
                    releases => {
                        format!("release it with {} on every path", list(releases, "or"))
                    }
                },
            )
        },
    },
    Entry {
        pattern: NULL_ARGUMENT,
        stage: Stage::Verification,
        explain: |case, _| {
            let callee = case.callee.unwrap_or("the function");
            if case.passes_null {
                return (
                    format!("{callee} takes no NULL here, and is given NULL"),
                    match case.acquires(case.callee).as_slice() {
                        [] => "pass a valid pointer, or leave the call out".into(),
                        acquires => format!(
                            "pass what {} returned, or leave the call out",
                            list(acquires, "or")
                        ),
                    },
                );
            }
            let object = match case.acquires(case.callee).as_slice() {
                [] => "this pointer".into(),
                acquires => format!("what {} returned", list(acquires, "or")),
            };
            (
                format!("{object} may be NULL, and {callee} takes no NULL"),
                format!("compare it with NULL before the call of {callee}, and return if it is"),
            )
        },
    },
    Entry {
        pattern: "R* invalid mem access '*_or_null*'",
        stage: Stage::Verification,
        explain: |_, _| {
            (
                "this pointer may be NULL".into(),
                "compare it with NULL before reading through it".into(),
            )
        },
    },
    Entry {
        pattern: "R* invalid mem access 'scalar'",
        stage: Stage::Verification,
        explain: |case, _| match case.released_by {
            Some(release) => (
                format!(
                    "this is no pointer any more: {release} may have released the object before"
                ),
                "read the object before it is released".into(),
            ),
            None => (
                "to the verifier this is a number, not a pointer that may be read".into(),
                "read memory of the application with bpf_probe_read_user or BPF_CORE_READ_USER"
                    .into(),
            ),
        },
    },
    Entry {
        pattern: "only read is supported",
        stage: Stage::Verification,
        explain: |_, _| {
            (
                "objects of the application may be read through this pointer, not written".into(),
                "have the application lend a function that sets the field".into(),
            )
        },
    },
    Entry {
        pattern: "release k* expects ref*",
        stage: Stage::Verification,
        explain: |case, _| {
            let release = case.callee.unwrap_or("this function");
            (
                format!(
                    "{release} takes only an object that is still to be released; this is none, or no longer one"
                ),
                match case.acquires(case.callee).as_slice() {
                    [] => "release each acquired object once, and nothing else".into(),
                    acquires => {
                        format!("pass what {} returned, once on every path", list(acquires, "or"))
                    }
                },
            )
        },
    },
    Entry {
        pattern: "* expected pointer to * but R* has a pointer to *",
        stage: Stage::Verification,
        explain: |case, matched| {
            let callee = case.callee.unwrap_or("the function");
            let [_, expected, _, given] = matched else { return unknown() };
            (
                format!("{callee} takes a {}, this is a {}", c_type(expected), c_type(given)),
                match case.acquires(case.callee).as_slice() {
                    [] => format!("pass a {}", c_type(expected)),
                    acquires => format!("{callee} releases what {} returned", list(acquires, "or")),
                },
            )
        },
    },
    Entry {
        pattern: "* pointer type * must point to *scalar, or struct with scalar*",
        stage: Stage::Verification,
        explain: |case, matched| {
            let callee = case.callee.unwrap_or("the function");
            let wanted = matched.get(1).map(|name| c_type(name)).unwrap_or_default();
            (
                format!("{callee} takes a {wanted} that the verifier can vouch for; this is a plain number or an object already released"),
                match case.acquires(case.callee).as_slice() {
                    [] => "a probe's argument is no such pointer: read it with bpf_probe_read_user or BPF_CORE_READ_USER, or have the application lend a function that borrows the object".into(),
                    acquires => format!("pass what {} returned, before it is released; a probe's argument is only a number", list(acquires, "or")),
                },
            )
        },
    },
    Entry {
        pattern: "R* must be referenced*",
        stage: Stage::Verification,
        explain: |case, _| {
            let callee = case.callee.unwrap_or("the function");
            (
                format!(
                    "{callee} takes only objects that a ufunc returned, not pointers found in them"
                ),
                match case.acquires(case.callee).as_slice() {
                    [] => "pass what a ufunc returned".into(),
                    acquires => format!("pass what {} returned", list(acquires, "or")),
                },
            )
        },
    },
    Entry {
        pattern: "access beyond struct * at off * size *",
        stage: Stage::Verification,
        explain: |_, matched| {
            let [name, offset, size] = matched else { return unknown() };
            (
                format!(
                    "reads {size} byte(s) at offset {offset}, which is not within struct {name}"
                ),
                "stay within the struct; an array in it ends at its declared length".into(),
            )
        },
    },
    Entry {
        pattern: "access beyond the end of member * in struct *",
        stage: Stage::Verification,
        explain: |_, matched| {
            let member =
                matched.first().and_then(|text| text.split(' ').next()).unwrap_or_default();
            (
                format!("reads past the end of member {member}"),
                "stay within the member; an array ends at its declared length".into(),
            )
        },
    },
    Entry {
        pattern: "*invalid variable offset*",
        stage: Stage::Verification,
        explain: |_, _| {
            (
                "an object of the application is read at an offset that is known only at run time"
                    .into(),
                "use a constant index, or copy the array with bpf_probe_read_kernel first".into(),
            )
        },
    },
    Entry {
        pattern: "calling kernel function * is not allowed",
        stage: Stage::Kfunc,
        explain: |case, matched| {
            let name = matched.first().copied().unwrap_or_default();
            let lends = case.module.is_some_and(|module| module.ufunc(name).is_some());
            (
                format!("programs of this type may not call {name}"),
                match lends {
                    true => "ufuncs are for uprobes: check the SEC() of the program; if it is one, look into dmesg for why the module could not register its functions".into(),
                    false => "check the SEC() of the program: each kfunc is for some program types only".into(),
                },
            )
        },
    },
    Entry {
        pattern: "kfunc '*' is referenced but wasn't resolved",
        stage: Stage::Kfunc,
        explain: |_, matched| {
            let name = matched.first().copied().unwrap_or_default();
            (
                format!("{name} is __weak and declared by no loaded module"),
                format!("load its module, or call it only within if (bpf_ksym_exists({name}))"),
            )
        },
    },
    Entry {
        pattern: UNRESOLVED,
        stage: Stage::Relocation,
        explain: |case, _| {
            let Some(what) = unresolved(case.reason) else { return unknown() };
            let app = case.app;
            let neither = format!("neither the kernel nor a loaded module has {what}");
            match case.missing {
                Some(Missing::Member { owner, name, others }) => (
                    format!("{owner} has no member '{name}' in {app}{}", instead(others)),
                    "name a member that this application has; guard what may be missing with bpf_core_field_exists".into(),
                ),
                Some(Missing::Value { owner, name, others }) => (
                    format!("{owner} has no value {name} in {app}{}", instead(others)),
                    "name a value that this application has; guard what may be missing with bpf_core_enum_value_exists".into(),
                ),
                Some(Missing::Type { name, nearest }) => (
                    format!("{name} is not defined in {app}{}, and {neither}", like(nearest)),
                    "the type must exist, by that name, in the application that this program is for; guard what may be missing with bpf_core_type_exists".into(),
                ),
                Some(Missing::Kind) => (
                    format!("{app} has {what}, but not of the kind that the program declares"),
                    "declare it as the application does".into(),
                ),
                Some(Missing::Unknown(error)) => (
                    format!("{neither}, and the types of {app} are not known"),
                    error.clone(),
                ),
                None => (
                    neither,
                    "the type or member must exist, by that name, in the kernel that this program is for; guard what may be missing with bpf_core_field_exists".into(),
                ),
            }
        },
    },
    Entry {
        pattern: "BPF map '*' is referenced but wasn't created",
        stage: Stage::Map,
        explain: |_, matched| {
            let name = matched.first().copied().unwrap_or_default();
            (
                format!("map {name} does not exist on this kernel"),
                "use a map type that it has".into(),
            )
        },
    },
    Entry {
        pattern: "*memory, len pair leads to invalid memory access",
        stage: Stage::Verification,
        explain: |case, _| {
            let callee = case.callee.unwrap_or("the function");
            (
                format!("{callee} is given a length that goes beyond the memory it is given"),
                "pass the size of the buffer, sizeof(buffer)".into(),
            )
        },
    },
    Entry {
        pattern: "invalid *from stack*",
        stage: Stage::Verification,
        explain: |_, _| {
            (
                "reads the stack where nothing was written, or outside of it".into(),
                "initialise the whole variable, and stay within its size".into(),
            )
        },
    },
    Entry {
        pattern: "invalid *to stack*",
        stage: Stage::Verification,
        explain: |_, _| {
            (
                "writes outside of the stack".into(),
                "stay within the variable's size (the stack has 512 bytes)".into(),
            )
        },
    },
    Entry {
        pattern: "invalid access to map value, value_size=* off=* size=*",
        stage: Stage::Verification,
        explain: |_, matched| {
            let [value, offset, size] = matched else { return unknown() };
            (
                format!(
                    "{size} byte(s) at offset {offset} are not within the map's value of {value} bytes"
                ),
                "bound the index with a comparison just before the access".into(),
            )
        },
    },
    Entry {
        pattern: "R* unbounded memory access*",
        stage: Stage::Verification,
        explain: |_, _| {
            (
                "nothing bounds the index of this access".into(),
                "compare the index with the size just before the access".into(),
            )
        },
    },
    Entry {
        pattern: "R* !read_ok",
        stage: Stage::Verification,
        explain: |_, _| {
            (
                "a value is used here that nothing has set".into(),
                "initialise the variable on every path; a program must return a value".into(),
            )
        },
    },
    Entry {
        pattern: LICENSE,
        stage: Stage::Verification,
        explain: |case, _| {
            (
                format!(
                    "{} is for programs under the GPL only",
                    case.callee.unwrap_or("this function")
                ),
                "say char LICENSE[] SEC(\"license\") = \"GPL\"; (or \"Dual BSD/GPL\")".into(),
            )
        },
    },
    Entry {
        pattern: "program of this type cannot use helper *",
        stage: Stage::Verification,
        explain: |_, matched| {
            let helper =
                matched.first().and_then(|text| text.split('#').next()).unwrap_or_default();
            (
                format!("programs of this type may not call {helper}"),
                "check the SEC() of the program: each helper is for some program types only".into(),
            )
        },
    },
    Entry {
        pattern: "infinite loop detected at insn *",
        stage: Stage::Verification,
        explain: |_, _| {
            ("this loop may never end".into(), "give it a bound, or use bpf_loop or bpf_for".into())
        },
    },
    Entry {
        pattern: "BPF program is too large. Processed * insn",
        stage: Stage::Verification,
        explain: |_, matched| {
            let count = matched.first().copied().unwrap_or_default();
            (
                format!("the verifier gave up after {count} instructions on all paths"),
                "bound loops more tightly, use bpf_loop, or move code into global functions".into(),
            )
        },
    },
];

/// Functions of the kernel itself, and what releases what they return.
const KERNEL_RELEASES: [(&str, &[&str]); 5] = [
    ("bpf_ringbuf_reserve", &["bpf_ringbuf_submit", "bpf_ringbuf_discard"]),
    ("bpf_sk_lookup", &["bpf_sk_release"]),
    ("bpf_task_", &["bpf_task_release"]),
    ("bpf_cgroup_", &["bpf_cgroup_release"]),
    ("bpf_cpumask_", &["bpf_cpumask_release"]),
];

impl<'a> Case<'a> {
    /// What releases the result of `acquire`.
    fn releases(&self, acquire: Option<&'a str>) -> Vec<&'a str> {
        let Some(acquire) = acquire else { return Vec::new() };
        let lent = self.relatives(acquire, Role::Release);
        let own = KERNEL_RELEASES.iter().find(|(start, _)| acquire.starts_with(start));
        match own {
            Some((_, own)) if lent.is_empty() => own.to_vec(),
            _ => lent,
        }
    }

    /// What returns the objects that `release` takes; empty if it releases nothing.
    fn acquires(&self, release: Option<&'a str>) -> Vec<&'a str> {
        release.map(|release| self.relatives(release, Role::Acquire)).unwrap_or_default()
    }

    fn relatives(&self, kfunc: &str, role: Role) -> Vec<&'a str> {
        let Some(module) = self.module else { return Vec::new() };
        module.relatives(kfunc, role).iter().map(|ufunc| ufunc.kfunc.as_str()).collect()
    }
}

/// Explains a rejection. A message that is not in the table is explained as the kernel explains
/// it, or stands for itself.
pub fn explain(case: &Case<'_>) -> Explanation {
    let matching =
        |entry: &Entry| Some((entry.stage, entry.explain, captures(entry.pattern, case.reason)?));
    let (stage, (meaning, help)) = match TABLE.iter().find_map(matching) {
        Some((stage, explain, matched)) => (stage, explain(case, &matched)),
        None => (Stage::Verification, unknown()),
    };
    let or_kernel = |own: String, kernel: fn(&Diagnosis) -> &String| {
        let text = if own.is_empty() { case.diagnosis.map(kernel).cloned() } else { Some(own) };
        text.filter(|text| !text.is_empty())
    };
    Explanation {
        stage,
        meaning: or_kernel(meaning, |diagnosis| &diagnosis.reason),
        help: or_kernel(help, |diagnosis| &diagnosis.suggestion),
    }
}

/// Index of the instruction that acquired what `reason` says is not released.
pub fn unreleased(reason: &str) -> Option<u32> {
    captures(UNRELEASED, reason)?.get(1)?.parse().ok()
}

/// The register that holds NULL according to `reason`.
pub fn null_argument(reason: &str) -> Option<u8> {
    let parameter = captures(NULL_ARGUMENT, reason)?.pop()?;
    let (kind, place) = parameter.rsplit_once(' ')?;
    match (place.strip_prefix('R'), place.strip_prefix("arg")) {
        (Some(register), _) => register.parse().ok(),
        // Arguments of helpers are counted like registers, those of kfuncs from 0.
        (_, Some(register)) if kind == "helper" => register.parse().ok(),
        (_, Some(index)) => index.parse::<u8>().ok()?.checked_add(1),
        (None, None) => None,
    }
}

/// What could not be relocated according to `reason`: `struct data.a`, `enum mode::ON = 1`.
pub fn unresolved(reason: &str) -> Option<&str> {
    let what = captures(UNRESOLVED, reason)?.pop()?;
    what.split(" (").next()
}

/// The member whose relocation failed according to `reason`.
pub fn missing_member(reason: &str) -> Option<&str> {
    let (_, member) = unresolved(reason)?.rsplit_once('.')?;
    member.split('[').next()
}

/// What it means, and what to do, if libbpf's `reason` is a kfunc that the program declares in
/// another way than the kernel or `module`, which is of `app`.
pub(crate) fn other_signature(
    reason: &str,
    module: Option<&LoadedModule>,
    app: &str,
) -> Option<(String, String)> {
    let matched = captures(OTHER_SIGNATURE, reason)?;
    let name = matched.get(1)?;
    Some(match module.and_then(|module| module.ufunc(name)) {
        Some(_) => (
            format!("the declaration of {name} in the extension does not match the application's"),
            format!(
                "declare the structs in it with a body, not struct x; alone, and compare the arguments with: ufunc-gen list {app}"
            ),
        ),
        None => (
            format!("the declaration of {name} in the extension does not match the kernel's"),
            "declare it as vmlinux.h does, its structs with a body".into(),
        ),
    })
}

/// What to do where the kernel answered `errno` without a verdict.
pub(crate) fn refused(errno: i32) -> Option<String> {
    const EPERM: i32 = 1;
    const E2BIG: i32 = 7;
    const ENOMEM: i32 = 12;
    let help = match errno {
        EPERM => {
            "the capabilities are there, so something else forbids it: a container's seccomp profile or user namespace, kernel lockdown, or a program type that needs CAP_NET_ADMIN or CAP_SYS_ADMIN too"
        }
        E2BIG => "the program or a map is larger than the kernel takes",
        ENOMEM => "the kernel had no memory for it; are the maps larger than they need to be?",
        _ => return None,
    };
    Some(help.to_owned())
}

/// ` (it has a, b)`, for those who look for what is not there.
fn instead(names: &[String]) -> String {
    let shown = names[..names.len().min(MEMBERS_SHOWN)].join(", ");
    match names.len().saturating_sub(MEMBERS_SHOWN) {
        _ if names.is_empty() => String::new(),
        0 => format!(" (it has {shown})"),
        more => format!(" (it has {shown} and {more} more)"),
    }
}

/// The verifier's words for a call that the program's license does not allow.
const LICENSE: &str = "cannot call GPL-restricted function from non-GPL compatible program";

/// Whether the reason is the program's license.
pub(crate) fn is_about_license(reason: &str) -> bool {
    reason.contains(LICENSE)
}

/// ` (but struct data is)`, for those who may have mistyped a name.
fn like(names: &[String]) -> String {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    match names.as_slice() {
        [] => String::new(),
        [name] => format!(" (but {name} is)"),
        names => format!(" (but {} are)", list(names, "and")),
    }
}

/// For an entry whose pattern matched and whose parts are not as expected: say nothing.
fn unknown() -> (String, String) {
    (String::new(), String::new())
}

/// `STRUCT data`, as the verifier says it, as in C.
fn c_type(name: &str) -> String {
    let name = name.trim();
    match name.split_once(' ') {
        Some(("STRUCT", tag)) => format!("struct {tag} *"),
        Some(("UNION", tag)) => format!("union {tag} *"),
        _ => name.to_owned(),
    }
}

/// Matches `text` with `pattern` and returns what each `*` stands for.
fn captures<'a>(pattern: &str, text: &'a str) -> Option<Vec<&'a str>> {
    let mut parts = pattern.split('*');
    let mut rest = text.strip_prefix(parts.next()?)?;
    let mut matched = Vec::new();
    let mut parts = parts.peekable();
    while let Some(part) = parts.next() {
        let (before, after) = match parts.peek() {
            // The last part ends the text.
            None => (rest.strip_suffix(part)?, ""),
            Some(_) => rest.split_once(part)?,
        };
        matched.push(before);
        rest = after;
    }
    rest.is_empty().then_some(matched)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ufunc_gen::metadata::{BuildId, ModuleMetadata, UfuncMetadata};

    fn module() -> LoadedModule {
        let ufunc = |kfunc: &str, role| UfuncMetadata {
            kfunc: kfunc.to_owned(),
            role,
            symbol: kfunc.to_owned(),
            address: 0,
            family: Some("data".to_owned()),
            source: None,
        };
        let ufuncs =
            vec![ufunc("my_alloc_data", Role::Acquire), ufunc("my_free_data", Role::Release)];
        let metadata = ModuleMetadata { host: "app".into(), build_id: BuildId(vec![1]), ufuncs };
        LoadedModule { name: "ufunc".into(), metadata }
    }

    fn explained(reason: &str, callee: Option<&str>) -> (String, String) {
        let module = module();
        let acquired_by = Some("my_alloc_data");
        let case = Case { reason, callee, acquired_by, module: Some(&module), ..Case::default() };
        let explanation = explain(&case);
        (explanation.meaning.unwrap_or_default(), explanation.help.unwrap_or_default())
    }

    /// What kernels 6.12 to 7.3 print for misuse of a ufunc, and the ufunc to be named.
    #[test]
    fn the_ufunc_to_use_is_named() {
        let messages = [
            ("Unreleased reference id=2 alloc_insn=0", "my_free_data"),
            ("Possibly NULL pointer passed to trusted arg0", "my_alloc_data"),
            ("Possibly NULL pointer passed to trusted R1", "my_alloc_data"),
            (
                "release kfunc my_free_data expects referenced PTR_TO_BTF_ID passed to R1",
                "my_alloc_data",
            ),
            (
                "release kernel function my_free_data expects refcounted PTR_TO_BTF_ID",
                "my_alloc_data",
            ),
            (
                "R1 pointer type STRUCT data must point to scalar, or struct with scalar",
                "struct data *",
            ),
            (
                "arg#0 pointer type STRUCT data must point to scalar, or struct with scalar",
                "struct data *",
            ),
            (
                "kernel function my_free_data args#0 expected pointer to STRUCT data but R1 has a pointer to STRUCT data___borrowed",
                "a struct data *, this is a struct data___borrowed *",
            ),
            ("R1 must be referenced or trusted", "my_alloc_data"),
            ("calling kernel function my_alloc_data is not allowed", "dmesg"),
        ];
        for (message, part) in messages {
            let (meaning, help) = explained(message, Some("my_free_data"));
            assert!(!help.is_empty(), "{message}");
            assert!(format!("{meaning}; {help}").contains(part), "{message}: {meaning}; {help}");
        }
    }

    #[test]
    fn places_and_sizes_are_named() {
        let messages = [
            ("access beyond struct deep_memory_block at off 104 size 1", "1 byte(s) at offset 104"),
            (
                "access beyond the end of member b (mend:14) in struct inner with off 14 size 4",
                "member b",
            ),
            ("only read is supported", "not written"),
            ("R1 is ptr_data invalid variable offset: off=0, tnum_in", "only at run time"),
            ("invalid access to map value, value_size=8 off=8 size=4", "value of 8 bytes"),
            ("arg#0 arg#1 memory, len pair leads to invalid memory access", "length"),
            (
                "failed to resolve CO-RE relocation <byte_off> [17] struct data.e (0:1 @ offset 4)",
                "struct data.e",
            ),
            ("program of this type cannot use helper bpf_probe_read#4", "call bpf_probe_read"),
        ];
        for (message, part) in messages {
            let (meaning, help) = explained(message, None);
            assert!(meaning.contains(part) && !help.is_empty(), "{message}: {meaning}; {help}");
        }
    }

    #[test]
    fn every_entry_can_be_explained_without_context() {
        for entry in TABLE {
            let reason = entry.pattern.replace('*', "STRUCT x.y");
            let explanation = explain(&Case { reason: &reason, ..Case::default() });
            assert!(explanation.meaning.is_some() && explanation.help.is_some(), "{reason}");
        }
    }

    #[test]
    fn what_is_not_in_the_table_is_explained_by_the_kernel_or_not_at_all() {
        let diagnosis = Diagnosis {
            title: "Title".into(),
            reason: "The reason.".into(),
            suggestion: "A suggestion.".into(),
        };
        let mut case = Case {
            reason: "a message of a later kernel",
            diagnosis: Some(&diagnosis),
            ..Case::default()
        };
        let explanation = explain(&case);
        assert_eq!(explanation.meaning.as_deref(), Some("The reason."));
        assert_eq!(explanation.help.as_deref(), Some("A suggestion."));
        case.diagnosis = None;
        let explanation = explain(&case);
        assert_eq!((explanation.meaning, explanation.help), (None, None));
    }

    #[test]
    fn indexes_and_members_are_found_in_messages() {
        assert_eq!(unreleased("Unreleased reference id=2 alloc_insn=17"), Some(17));
        assert_eq!(unreleased("Unreleased reference id=2 alloc_insn=x"), None);
        let relocation = |what: &str| {
            format!("failed to resolve CO-RE relocation <byte_off> [17] {what} (0:1 @ offset 4)")
        };
        assert_eq!(missing_member(&relocation("struct data.inner.b[9]")), Some("b"));
        assert_eq!(missing_member(&relocation("struct data")), None);
        assert_eq!(unresolved(&relocation("struct data.b")), Some("struct data.b"));
        let value = "failed to resolve CO-RE relocation <enumval_value> [9] enum mode::ON = 1";
        assert_eq!(unresolved(value), Some("enum mode::ON = 1"));
        assert_eq!(null_argument("Possibly NULL pointer passed to trusted R1"), Some(1));
        assert_eq!(null_argument("Possibly NULL pointer passed to trusted arg0"), Some(1));
        assert_eq!(null_argument("Possibly NULL pointer passed to helper arg2"), Some(2));
        assert_eq!(null_argument("Possibly NULL pointer passed to the unknown"), None);
        assert_eq!(null_argument("Possibly NULL pointer passed to trusted arg255"), None);
    }

    #[test]
    fn a_literal_null_is_not_what_a_function_returned() {
        let module = module();
        let case = Case {
            reason: "Possibly NULL pointer passed to trusted R1",
            callee: Some("my_free_data"),
            passes_null: true,
            module: Some(&module),
            ..Case::default()
        };
        let meaning = explain(&case).meaning.unwrap();
        assert_eq!(meaning, "my_free_data takes no NULL here, and is given NULL");
    }

    #[test]
    fn another_signature_is_compared_with_its_owners() {
        let module = module();
        let said = |name: &str, owner: &str| {
            let reason = format!(
                "extern (func ksym) '{name}': func_proto [7] incompatible with {owner} [143236]"
            );
            other_signature(&reason, Some(&module), "./app").unwrap()
        };
        let (meaning, help) = said("my_free_data", "ufunc");
        assert!(meaning.contains("my_free_data in the extension does not match the application's"));
        assert!(help.contains("ufunc-gen list ./app"), "{help}");
        assert!(said("bpf_rcu_read_lock", "vmlinux").0.contains("the kernel's"));
        assert_eq!(other_signature("map 'm': failed to create", None, "./app"), None);
    }

    #[test]
    fn what_is_missing_is_said_in_the_words_of_the_application() {
        let reason =
            "failed to resolve CO-RE relocation <byte_off> [17] struct data.e (0:1 @ offset 4)";
        let said = |missing: Missing| {
            let case = Case { reason, missing: Some(&missing), app: "./app", ..Case::default() };
            let explanation = explain(&case);
            (explanation.meaning.unwrap(), explanation.help.unwrap())
        };
        let member = |count: usize| Missing::Member {
            owner: "struct data".into(),
            name: "e".into(),
            others: (0..count).map(|index| format!("m{index}")).collect(),
        };
        let text = "struct data has no member 'e' in ./app";
        assert_eq!(said(member(0)).0, text);
        assert_eq!(said(member(2)).0, format!("{text} (it has m0, m1)"));
        assert!(said(member(20)).0.ends_with("m15 and 4 more)"));
        let missing = |nearest: &[&str]| Missing::Type {
            name: "struct dta".into(),
            nearest: nearest.iter().map(ToString::to_string).collect(),
        };
        let text = "struct dta is not defined in ./app";
        assert!(said(missing(&[])).0.starts_with(&format!("{text}, and neither")));
        let near = format!("{text} (but struct data and union date are), and neither");
        assert!(said(missing(&["struct data", "union date"])).0.starts_with(&near));
        assert!(
            said(Missing::Unknown("./app has no debug information".into())).1.contains("no debug")
        );
        assert!(said(Missing::Kind).0.contains("not of the kind"));
    }

    #[test]
    fn stars_match_what_changes() {
        assert_eq!(captures("a * c", "a b c"), Some(vec!["b"]));
        assert_eq!(captures("a*", "a"), Some(vec![""]));
        assert_eq!(captures("*b*", "abc"), Some(vec!["a", "c"]));
        assert_eq!(captures("a", "a"), Some(vec![]));
        assert_eq!(captures("a", "ab"), None);
        assert_eq!(captures("a*c", "ab"), None);
        assert_eq!(captures("a*a", "a"), None);
    }
}
