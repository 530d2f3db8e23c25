// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the verifier's messages mean, said in the words of the application: one table.

mod libbpf;
mod pattern;
mod table;

use ufunc_gen::metadata::{ArgumentKind, Role};

use crate::layout::Layout;
use crate::missing::Missing;
use crate::modules::LoadedModule;
use crate::report::Stage;
use crate::verifier_log::Diagnosis;

pub(crate) use libbpf::{Failure, Unjudged, unjudged};
use pattern::captures;
use table::TABLE;

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
    /// The program's section, as in `SEC("…")`.
    pub section: &'a str,
    /// What the struct looks like that the message says is read beyond.
    pub layout: Option<&'a Layout>,
    /// The loaded module, without types that the kernel knows, that has the function which the
    /// message says does not exist.
    pub without_types: Option<&'a str>,
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
    say: Say,
}

/// What a message means, and what to do.
enum Say {
    /// The same in every case.
    Always(&'static str, &'static str),
    /// What depends on the case, and on what the stars stood for.
    Depending(fn(case: &Case<'_>, matched: &[&str]) -> (String, String)),
}

/// Patterns of [`unreleased`] and of its explanation.
const UNRELEASED: &str = "Unreleased reference id=* alloc_insn=*";

/// Patterns of [`null_argument`] and of its explanation.
const NULL_ARGUMENT: &str = "Possibly NULL pointer passed to *";

/// What libbpf puts into the log for a relocation that failed, here and in [`unresolved`].
const UNRESOLVED: &str = "failed to resolve CO-RE relocation <*> [*] *";

/// What the verifier says of a read beyond a struct, here and in [`overread`].
const OVERREAD: &str = "access beyond struct * at off * size *";

/// What libbpf puts into the log for a weak kfunc that nothing declares.
const UNDECLARED: &str = "kfunc '*' is referenced but wasn't resolved";

/// The verifier's words for a call that the program's license does not allow.
const LICENSE: &str = "cannot call GPL-restricted function from non-GPL compatible program";

/// Members of a type that are named where one is missing; a struct may have hundreds.
const MEMBERS_SHOWN: usize = 16;

/// Functions of the kernel itself, and what releases what they return.
///
/// A name stands for all that begin with it; the first one counts.
const KERNEL_RELEASES: [(&str, &[&str]); 10] = [
    ("bpf_ringbuf_reserve_dynptr", &["bpf_ringbuf_submit_dynptr", "bpf_ringbuf_discard_dynptr"]),
    ("bpf_iter_num_new", &["bpf_iter_num_destroy"]),
    ("bpf_iter_task_new", &["bpf_iter_task_destroy"]),
    ("bpf_iter_task_vma_new", &["bpf_iter_task_vma_destroy"]),
    ("bpf_obj_new", &["bpf_obj_drop"]),
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

    /// What the function that is called calls its argument of that kind.
    fn argument(&self, kind: ArgumentKind) -> Option<&'a str> {
        let arguments = &self.module?.ufunc(self.callee?)?.arguments;
        let found = arguments.iter().find(|argument| argument.kind == Some(kind));
        found.map(|argument| argument.name.as_str())
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
    let (stage, (meaning, help)) = match find(case.reason) {
        Some((entry, matched)) => (entry.stage, entry.explain(case, &matched)),
        None => (Stage::Verification, Default::default()),
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

/// The entry for a message, and what its stars stand for.
fn find(reason: &str) -> Option<(&'static Entry, Vec<&str>)> {
    TABLE.iter().find_map(|entry| Some((entry, captures(entry.pattern, reason)?)))
}

impl Entry {
    fn explain(&self, case: &Case<'_>, matched: &[&str]) -> (String, String) {
        match self.say {
            Say::Always(meaning, help) => (meaning.to_owned(), help.to_owned()),
            Say::Depending(explain) => explain(case, matched),
        }
    }
}

/// Whether the reason is the program's license.
pub(crate) fn is_about_license(reason: &str) -> bool {
    reason.contains(LICENSE)
}

/// The struct that `reason` says is read beyond, and at which offset.
pub fn overread(reason: &str) -> Option<(&str, u64)> {
    let matched = captures(OVERREAD, reason)?;
    let [name, offset, _] = matched.as_slice() else { return None };
    Some((name, offset.parse().ok()?))
}

/// The weak kfunc that `reason` says nothing declares.
pub fn undeclared(reason: &str) -> Option<&str> {
    captures(UNDECLARED, reason)?.pop()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::Place;
    use crate::verifier_log::VerifierLog;
    use std::fs;
    use std::path::Path;
    use ufunc_gen::metadata::{BuildId, ModuleMetadata, Target, UfuncMetadata};

    fn module() -> LoadedModule {
        let ufunc = |kfunc: &str, role| UfuncMetadata {
            kfunc: kfunc.to_owned(),
            role,
            target: Target::Function { symbol: kfunc.to_owned(), address: 0 },
            family: Some("data".to_owned()),
            source: None,
            arguments: Vec::new(),
        };
        let ufuncs =
            vec![ufunc("my_alloc_data", Role::Acquire), ufunc("my_free_data", Role::Release)];
        let metadata = ModuleMetadata { host: "app".into(), build_id: BuildId(vec![1]), ufuncs };
        LoadedModule { name: "ufunc".into(), metadata, prefix: String::new() }
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
            ("calling kernel function my_alloc_data is not allowed", "for programs on probes"),
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
            ("access beyond struct deep_memory_block at off 104 size 1", "1 byte at offset 104"),
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
    fn a_read_beyond_names_the_member_that_was_meant() {
        let reason = "access beyond struct deep_memory_block at off 104 size 1";
        let said = |member: Option<Place>| {
            let layout = Layout { size: 16, member };
            let case = Case { reason, layout: Some(&layout), ..Case::default() };
            explain(&case).meaning.unwrap()
        };
        let begin = "reads 1 byte at offset 104 of struct deep_memory_block, which has 16 bytes";
        let place = |path: &str, end, element| Some(Place { path: path.into(), end, element });
        assert_eq!(
            said(place("b", 14, Some((100, 10)))),
            format!("{begin}: that would be b[100], and b has 10 elements")
        );
        assert_eq!(said(place("inner", 16, None)), format!("{begin} and ends with inner"));
        assert_eq!(
            said(place("inner", 106, None)),
            format!("{begin}: it begins in inner and goes beyond the end")
        );
        assert_eq!(said(None), begin);
        assert_eq!(overread(reason), Some(("deep_memory_block", 104)));
    }

    #[test]
    fn reasons_why_a_kfunc_may_not_be_called_are_told_apart() {
        let module = module();
        let reason = "calling kernel function my_alloc_data is not allowed";
        let said = |section: &str, module: Option<&LoadedModule>| {
            let explanation = explain(&Case { reason, section, module, ..Case::default() });
            assert_eq!(explanation.stage, Stage::Kfunc);
            format!("{}; {}", explanation.meaning.unwrap(), explanation.help.unwrap())
        };
        assert!(said("xdp", Some(&module)).contains("this one is in SEC(\"xdp\")"));
        assert!(said("uprobe/a:b", Some(&module)).contains("did not register it"));
        assert!(said("xdp", None).contains("not for programs in SEC(\"xdp\")"));
        let reason = "kfunc 'my_alloc_data' is referenced but wasn't resolved";
        let said = |without_types: Option<&str>| {
            explain(&Case { reason, without_types, ..Case::default() }).meaning.unwrap()
        };
        assert!(said(None).contains("declared by no loaded module"));
        assert!(said(Some("ufunc")).contains("knows no types of that module"));
    }

    #[test]
    fn every_entry_is_tried_on_a_log_of_a_real_kernel() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/logs");
        let mut left: Vec<&str> = TABLE.iter().map(|entry| entry.pattern).collect();
        for file in fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "log") {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let log = VerifierLog::parse(&text);
            let reason = log.reason.unwrap();
            let (entry, _) = find(reason)
                .unwrap_or_else(|| panic!("{}: {reason} is not in the table", path.display()));
            left.retain(|pattern| *pattern != entry.pattern);
            let callee = log.failed_at.and_then(|at| at.callee());
            let explanation = explain(&Case { reason, callee, ..Case::default() });
            assert!(explanation.meaning.is_some() && explanation.help.is_some(), "{reason}");
        }
        assert!(left.is_empty(), "without a log: {left:?}");
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
}
