// SPDX-License-Identifier: MIT OR Apache-2.0
//! What libbpf says where a program never comes to the verifier, and what to do about it.

use super::pattern::captures;
use crate::modules::LoadedModule;
use crate::report::Stage;

/// Why a program was not judged.
#[derive(Clone, Debug, Default)]
pub(crate) struct Failure<'a> {
    /// libbpf's reason, or the kernel's; may be empty.
    pub(crate) reason: &'a str,
    /// The error number.
    pub(crate) errno: i32,
    /// The program's section, as in `SEC("…")`.
    pub(crate) section: &'a str,
    /// The application's file.
    pub(crate) app: &'a str,
    /// The module that lends the ufuncs.
    pub(crate) module: Option<&'a LoadedModule>,
}

/// Where a program failed, and what that means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unjudged {
    pub(crate) stage: Stage,
    pub(crate) meaning: Option<String>,
    pub(crate) help: Option<String>,
}

const EPERM: i32 = 1;
const E2BIG: i32 = 7;
const ENOMEM: i32 = 12;
const EINVAL: i32 = 22;

/// A message of libbpf, and what to say about it.
struct Entry {
    /// The message; `*` stands for what changes.
    pattern: &'static str,
    stage: Stage,
    explain: fn(failure: &Failure<'_>, matched: &[&str]) -> (String, String),
}

/// libbpf's messages. The first entry that matches is taken.
const TABLE: [Entry; 7] = [
    Entry {
        pattern: "*extern (func ksym) '*': func_proto [*] incompatible with *",
        stage: Stage::Kfunc,
        explain: |failure, matched| {
            let name = matched.get(1).copied().unwrap_or_default();
            match failure.module.and_then(|module| module.ufunc(name)) {
                Some(_) => (
                    format!(
                        "the declaration of {name} in the extension does not match the application's"
                    ),
                    format!(
                        "declare the structs in it with a body, not struct x; alone, and compare the arguments with: ufunc-gen list {}",
                        failure.app
                    ),
                ),
                None => (
                    format!(
                        "the declaration of {name} in the extension does not match the kernel's"
                    ),
                    "declare it as vmlinux.h does, its structs with a body".into(),
                ),
            }
        },
    },
    Entry {
        pattern: "*extern (* ksym) '*'*",
        stage: Stage::Kfunc,
        explain: |_, matched| {
            let name = matched.get(2).copied().unwrap_or_default();
            (
                format!("neither the kernel nor a loaded module has {name}"),
                "load what has it, or declare it __weak and look with bpf_ksym_exists whether it is there".into(),
            )
        },
    },
    Entry {
        pattern: "*missing BPF prog type, check ELF section name '*'*",
        stage: Stage::Open,
        explain: |_, matched| {
            let section = matched.get(1).copied().unwrap_or_default();
            (
                format!("libbpf knows no type of program for SEC(\"{section}\")"),
                "use a section that it knows, as SEC(\"uprobe/./app:function\")".into(),
            )
        },
    },
    Entry {
        pattern: "*failed to find kernel BTF type ID of '*'*",
        stage: Stage::Btf,
        explain: |_, matched| {
            let name = matched.get(1).copied().unwrap_or_default();
            (
                format!("the running kernel has no {name} that programs can be on"),
                "its functions come and go with versions and options: look into /proc/kallsyms for what it is called here".into(),
            )
        },
    },
    Entry {
        pattern: "*map '*': failed to create: *",
        stage: Stage::Map,
        explain: |failure, matched| {
            let name = matched.get(1).copied().unwrap_or_default();
            (
                format!("the kernel did not create map {name}"),
                match failure.errno {
                    E2BIG | ENOMEM => {
                        "it is larger than the kernel takes, or has memory for: lower its max_entries or the size of its values".into()
                    }
                    EINVAL => {
                        "this kernel lacks its type or one of its flags, or its sizes do not fit its type".into()
                    }
                    _ => "look into the log (-v) for what libbpf tried".to_owned(),
                },
            )
        },
    },
    Entry {
        pattern: "*map '*': *",
        stage: Stage::Map,
        explain: |_, matched| {
            let name = matched.get(1).copied().unwrap_or_default();
            (
                format!("map {name} is not what it should be"),
                "compare its definition with libbpf's documentation of SEC(\".maps\")".into(),
            )
        },
    },
    Entry {
        pattern: "*BTF is required, but is missing or corrupted*",
        stage: Stage::Btf,
        explain: |_, _| {
            (
                "the object's own BTF cannot be used".into(),
                "compile the object again with clang -g".into(),
            )
        },
    },
];

/// What libbpf was doing when it gave up, by words in its reason, where the table has none.
const STAGES: [(&str, Stage); 5] = [
    (": relo #", Stage::Relocation),
    ("relocat", Stage::Relocation),
    ("struct_ops", Stage::Map),
    ("BTF", Stage::Btf),
    ("ELF section", Stage::Open),
];

/// Explains why a program was not judged.
pub(crate) fn unjudged(failure: &Failure<'_>) -> Unjudged {
    let found = TABLE.iter().find_map(|entry| {
        let matched = captures(entry.pattern, failure.reason)?;
        Some((entry.stage, (entry.explain)(failure, &matched)))
    });
    if let Some((stage, (meaning, help))) = found {
        return Unjudged { stage, meaning: Some(meaning), help: Some(help) };
    }
    let stage = STAGES.iter().find(|(text, _)| failure.reason.contains(text));
    let stage = stage.map_or(Stage::Verification, |(_, stage)| *stage);
    let help = match failure.errno {
        EPERM => {
            "the capabilities are there, so something else forbids it: a container's seccomp profile or user namespace, kernel lockdown, or a program type that needs CAP_NET_ADMIN or CAP_SYS_ADMIN too"
        }
        E2BIG => "the program or a map is larger than the kernel takes",
        ENOMEM => "the kernel had no memory for it; are the maps larger than they need to be?",
        EINVAL if stage == Stage::Verification => {
            let kind = failure.section.split('/').next().unwrap_or_default();
            return Unjudged {
                stage,
                meaning: Some(
                    "the kernel refused the program before its verifier looked at it".into(),
                ),
                help: Some(format!(
                    "it may lack the type of program for SEC(\"{kind}\"): bpftool feature probe lists those that it has"
                )),
            };
        }
        _ => return Unjudged { stage, meaning: None, help: None },
    };
    Unjudged { stage, meaning: None, help: Some(help.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ufunc_gen::metadata::{BuildId, ModuleMetadata, Role, Target, UfuncMetadata};

    fn said(reason: &str, errno: i32) -> (Stage, String, String) {
        let ufunc = UfuncMetadata {
            kfunc: "my_free_data".into(),
            role: Role::Release,
            target: Target::Function { symbol: "my_free_data".into(), address: 0 },
            family: None,
            source: None,
            arguments: Vec::new(),
        };
        let metadata =
            ModuleMetadata { host: "app".into(), build_id: BuildId(vec![1]), ufuncs: vec![ufunc] };
        let module = LoadedModule { name: "ufunc".into(), metadata, prefix: String::new() };
        let failure =
            Failure { reason, errno, section: "uprobe/a:b", app: "./app", module: Some(&module) };
        let Unjudged { stage, meaning, help } = unjudged(&failure);
        (stage, meaning.unwrap_or_default(), help.unwrap_or_default())
    }

    #[test]
    fn another_signature_is_compared_with_its_owners() {
        let reason = |name: &str, owner: &str| {
            format!(
                "extern (func ksym) '{name}': func_proto [7] incompatible with {owner} [143236]"
            )
        };
        let (stage, meaning, help) = said(&reason("my_free_data", "ufunc"), EINVAL);
        assert_eq!(stage, Stage::Kfunc);
        assert!(meaning.contains("my_free_data in the extension does not match the application's"));
        assert!(help.contains("ufunc-gen list ./app"), "{help}");
        let (_, meaning, _) = said(&reason("bpf_rcu_read_lock", "vmlinux"), EINVAL);
        assert!(meaning.contains("the kernel's"), "{meaning}");
    }

    /// What libbpf 1.7 prints.
    #[test]
    fn stages_and_ways_out_are_named() {
        let cases = [
            ("map 'huge': failed to create: -E2BIG", E2BIG, Stage::Map, "max_entries"),
            ("map 'm': failed to create: -EINVAL", EINVAL, Stage::Map, "its type"),
            (
                "prog 'p': failed to find kernel BTF type ID of 'no_such': -ESRCH",
                3,
                Stage::Btf,
                "kallsyms",
            ),
            (
                "prog 'what': missing BPF prog type, check ELF section name 'nonsense'",
                EINVAL,
                Stage::Open,
                "SEC(",
            ),
            (
                "extern (var ksym) 'no_such_variable': not found in kernel BTF",
                3,
                Stage::Kfunc,
                "__weak",
            ),
            ("prog 'p': relo #0: something new", EINVAL, Stage::Relocation, ""),
            ("", EPERM, Stage::Verification, "lockdown"),
            ("", EINVAL, Stage::Verification, "SEC(\"uprobe\")"),
            ("", 5, Stage::Verification, ""),
        ];
        for (reason, errno, expected, part) in cases {
            let (stage, _, help) = said(reason, errno);
            assert_eq!(stage, expected, "{reason}");
            assert!(help.contains(part), "{reason}: {help}");
        }
    }
}
