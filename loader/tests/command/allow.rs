// SPDX-License-Identifier: MIT OR Apache-2.0
//! What one extension may use: `--allow`, and `loader allow`. These load BPF programs, so they need
//! root.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::common::{LOADER, Run, Workspace, app, judge_for, path_text, program, text, verify};

/// Everything that `allow.bpf.c` needs.
const ALL: &str = r#"
functions = ["bpf_rcu_read_lock", "bpf_rcu_read_unlock"]
variables = ["bpf_prog_active"]
helpers = [
    "bpf_get_prandom_u32",
    "bpf_get_smp_processor_id",
    "bpf_ktime_get_ns",
    "bpf_loop",
    "bpf_map_lookup_elem",
]
maps = ["array", "hash", "hash_of_maps"]
probes = ["uprobe/app:*", "uretprobe/app:work"]
"#;

/// `loader COMMAND OBJECT OPTIONS`.
fn loader(command: &str, object: &Path, options: &[&str]) -> Run {
    Run::from(Command::new(LOADER).arg(command).arg(object).args(options).output().unwrap())
}

/// The verdicts on `allow.bpf.c` by the policy `policy`.
#[track_caller]
fn judge(work: &Workspace, object: &Path, policy: &str) -> (i32, Value) {
    let path = work.write("ext.toml", policy.as_bytes());
    judge_for(object, app(), &["--allow", path_text(&path)])
}

#[test]
fn what_is_named_is_allowed() {
    let work = Workspace::new();
    let (status, document) = judge(&work, &work.compile("allow"), ALL);
    assert_eq!(status, 0, "{document}");
    for program in document["programs"].as_array().unwrap() {
        assert_eq!(program["breaches"], Value::Array(Vec::new()));
    }
}

#[test]
fn each_breach_is_shown_at_its_line() {
    let work = Workspace::new();
    let object = work.compile("allow");
    for (left_out, name, what, line) in [
        ("\"bpf_ktime_get_ns\",", "helper", "helper", "hits += bpf_ktime_get_ns();"),
        ("\"bpf_get_smp_processor_id\",", "in_subprogram", "helper", "return bpf_get_smp"),
        ("\"bpf_get_prandom_u32\",", "in_callback", "helper", "hits += bpf_get_prandom"),
        ("\"bpf_loop\",", "in_callback", "helper", "bpf_loop(3, each"),
        ("\"hash\",", "map", "map", "bpf_map_lookup_elem(&counts"),
        (", \"bpf_rcu_read_unlock\"", "function", "function", "bpf_rcu_read_unlock();"),
        ("\"bpf_prog_active\"", "variable", "variable", "(long)&bpf_prog_active"),
        (", \"uretprobe/app:work\"", "elsewhere", "probe", "return 0;"),
    ] {
        assert!(ALL.contains(left_out), "{left_out}");
        let (status, document) = judge(&work, &object, &ALL.replace(left_out, ""));
        assert_eq!(status, 1, "{left_out}: {document}");
        for judged in document["programs"].as_array().unwrap() {
            if judged["name"] != name {
                assert_eq!(judged["verdict"], "accepted", "{left_out}: {judged}");
            }
        }
        let refused = program(&document, name);
        assert_eq!(
            (&refused["verdict"], &refused["stage"]),
            (&"rejected".into(), &"policy".into())
        );
        let [breach] = refused["breaches"].as_array().unwrap().as_slice() else {
            panic!("{refused}")
        };
        assert_eq!(breach["what"], what, "{refused}");
        assert!(text(&breach["source"]["text"]).contains(line), "{left_out}: {refused}");
        assert!(text(&breach["source"]["file"]).ends_with("allow.bpf.c"), "{refused}");
        assert!(breach["source"]["line"].as_u64().is_some_and(|line| line > 0), "{refused}");
        assert_eq!(refused["source"], breach["source"]);
        // Nothing was loaded.
        assert_eq!((&refused["log"], &refused["insns"]), (&Value::Null, &Value::Null));
        assert!(text(&refused["help"]).contains("ext.toml"), "{refused}");
    }
}

#[test]
fn maps_that_no_program_names_are_made_all_the_same() {
    let work = Workspace::new();
    let object = work.compile("allow");
    for (kind, policy) in [
        ("hash_of_maps", ALL.replace(", \"hash_of_maps\"", "")),
        ("array", ALL.replace("\"array\", ", "")),
    ] {
        let (status, document) = judge(&work, &object, &policy);
        assert_eq!(status, 1, "{document}");
        for program in document["programs"].as_array().unwrap() {
            let [breach] = program["breaches"].as_array().unwrap().as_slice() else {
                panic!("{program}")
            };
            assert_eq!((&breach["what"], &breach["name"]), (&"map".into(), &kind.into()));
            assert_eq!(breach["source"], Value::Null);
        }
    }
}

#[test]
fn the_verifier_may_count_so_many_instructions() {
    let work = Workspace::new();
    let object = work.compile("allow");
    let (_, document) = judge(&work, &object, ALL);
    let counted = |name| program(&document, name)["insns"].as_u64().unwrap();
    let most = document["programs"].as_array().unwrap();
    let most = most.iter().map(|program| program["insns"].as_u64().unwrap()).max().unwrap();
    assert!(counted("in_callback") == most && counted("plain") < most, "{document}");
    let (status, _) = judge(&work, &object, &format!("{ALL}max-insns = {most}\n"));
    assert_eq!(status, 0);
    let (status, document) = judge(&work, &object, &format!("{ALL}max-insns = {}\n", most - 1));
    assert_eq!(status, 1, "{document}");
    let refused = program(&document, "in_callback");
    assert_eq!(refused["breaches"][0]["what"], "insns", "{refused}");
    assert_eq!(refused["breaches"][0]["name"], most.to_string());
    assert!(text(&refused["source"]["text"]).contains("bpf_loop("), "{refused}");
    assert_eq!(refused["insns"], most);
    assert_eq!(program(&document, "plain")["verdict"], "accepted");
}

#[test]
fn people_see_all_breaches_and_what_to_write() {
    let work = Workspace::new();
    let object = work.compile("allow");
    let policy = work.write("ext.toml", b"maps = [\"array\", \"hash_of_maps\"]\n");
    let run = verify(&object, &["--program", "map", "--allow", path_text(&policy)]);
    assert_eq!(run.status, Some(1), "{run:?}");
    for expected in [
        "does not allow helper bpf_map_lookup_elem, map counts of type hash, probe uprobe/app:work",
        "^^^^^^^^^^^^^^^^^^^ helper bpf_map_lookup_elem is not allowed",
        "map counts of type hash is not allowed",
        "probe uprobe/app:work is not allowed",
        "ext.toml: helpers = [\"bpf_map_lookup_elem\"], maps = [\"hash\"], probes = [\"uprobe/app:work\"]",
    ] {
        assert!(run.stdout.contains(expected), "{expected}: {}", run.stdout);
    }
    assert!(!run.stdout.contains("verifier's log"), "{}", run.stdout);
}

#[test]
fn mistakes_in_a_policy_are_no_verdict() {
    let work = Workspace::new();
    let object = work.compile("allow");
    for (policy, expected) in [
        ("helpers = [\n\"bpf_ktime_get_sn\",\n]\n", &["ext.toml:2", "'bpf_ktime_get_ns'"][..]),
        ("maps = [\"perf_event_aray\"]\n", &["ext.toml:1", "'perf_event_array'"]),
        ("\nhelpres = []\n", &["line 2", "helpres", "helpers"]),
        ("max-insns = \"many\"\n", &["line 1", "invalid type"]),
    ] {
        let path = work.write("ext.toml", policy.as_bytes());
        let options = ["--allow", path_text(&path)];
        for command in ["verify", "attach", "run", "bundle"] {
            let output = work.path("out.ufb");
            let mut options = [&options[..], &["--app", path_text(app())]].concat();
            if command == "bundle" {
                options.extend(["-o", path_text(&output)]);
            }
            if command != "verify" {
                options.extend(["--program", "anywhere", "--func", "main"]);
            }
            let run = loader(command, &object, &options);
            assert_eq!(run.status, Some(2), "{command} {policy:?}: {run:?}");
            for expected in expected {
                assert!(run.stderr.contains(expected), "{command} {policy:?}: {run:?}");
            }
        }
    }
    let run = verify(&object, &["--allow", "/nowhere/ext.toml"]);
    assert_eq!(run.status, Some(2));
    assert!(run.stderr.contains("failed to read the policy /nowhere/ext.toml"), "{run:?}");
}

/// Whoever attaches says where a bare `SEC("uprobe")` goes: it counts then.
#[test]
fn what_func_says_is_compared() {
    let work = Workspace::new();
    let object = work.compile("allow");
    let name = app().file_name().unwrap().to_str().unwrap();
    let maps = "maps = [\"array\", \"hash\", \"hash_of_maps\"]";
    let policy = format!("{maps}\nprobes = [\"uprobe/{name}:main\"]\n");
    let allowed = work.write("allowed.toml", policy.as_bytes());
    let policy = format!("{maps}\nprobes = [\"uprobe/{name}:other\"]\n");
    let refused = work.write("refused.toml", policy.as_bytes());
    let options = ["--program", "anywhere", "--app", path_text(app()), "--allow"];
    for policy in [&allowed, &refused] {
        let run = loader("verify", &object, &[&options[..], &[path_text(policy)]].concat());
        assert_eq!(run.status, Some(0), "{run:?}");
    }
    let attach = |policy: &Path| {
        let options = [&options[..], &[path_text(policy), "--func", "main", "--duration", "0"]];
        loader("attach", &object, &options.concat())
    };
    let run = attach(&allowed);
    assert_eq!(run.status, Some(0), "{run:?}");
    let run = attach(&refused);
    assert_eq!(run.status, Some(1), "{run:?}");
    let expected = format!("does not allow probe uprobe/{name}:main");
    assert!(run.stderr.contains(&expected), "{run:?}");
    assert!(!run.stdout.contains("attached"), "{run:?}");
    let bundle = work.path("out.ufb");
    let options =
        [&options[..], &[path_text(&refused), "--func", "main", "-o", path_text(&bundle)]];
    let run = loader("bundle", &object, &options.concat());
    assert_eq!(run.status, Some(1), "{run:?}");
    assert!(run.stderr.contains(&expected) && !bundle.exists(), "{run:?}");
}

#[test]
fn an_object_that_is_attached_counts_too() {
    let work = Workspace::new();
    let object = work.compile("allow");
    let name = app().file_name().unwrap().to_str().unwrap();
    let policy = format!(
        "maps = [\"array\", \"hash\", \"hash_of_maps\"]\nprobes = [\"uprobe/{name}:main\"]\nmax-insns = 1\n"
    );
    let policy = work.write("ext.toml", policy.as_bytes());
    let options = ["--program", "anywhere", "--app", path_text(app()), "--func", "main"];
    let run = loader(
        "attach",
        &object,
        &[&options[..], &["--duration", "0", "--allow", path_text(&policy)]].concat(),
    );
    assert_eq!(run.status, Some(1), "{run:?}");
    assert!(run.stderr.contains("does not allow 2 instructions, but 1 at most"), "{run:?}");
    assert!(!run.stdout.contains("attached"), "{run:?}");
}

/// The least policy is enough, and no entry of it is too much.
#[test]
fn the_least_policy_is_accepted_and_minimal() {
    let work = Workspace::new();
    for name in ["allow", "accepted", "tail_call_only"] {
        let object = match name {
            "tail_call_only" => work.compile_text(name, TAIL_CALL),
            name => work.compile(name),
        };
        let policy = work.path("least.toml");
        let options = ["--app", path_text(app()), "-o", path_text(&policy)];
        let run = loader("allow", &object, &options);
        assert_eq!((run.status, &*run.stdout), (Some(0), ""), "{name}: {run:?}");
        let written = std::fs::read_to_string(&policy).unwrap();
        let (status, document) = judge(&work, &object, &written);
        assert_eq!(status, 0, "{name}: {document}\n{written}");
        for entry in written.lines().filter(|line| line.starts_with("    \"")) {
            let (status, document) = judge(&work, &object, &written.replace(entry, ""));
            // A bare place is allowed by whatever allows its kind, until it is somewhere.
            let is_open = entry.contains("\"uprobe\"");
            assert!(status == 1 || is_open, "{name}: without {entry}: {document}");
        }
        let insns = written.lines().find_map(|line| line.strip_prefix("max-insns = ")).unwrap();
        let fewer = insns.parse::<u64>().unwrap() - 1;
        let less =
            written.replace(&format!("max-insns = {insns}"), &format!("max-insns = {fewer}"));
        assert_eq!(judge(&work, &object, &less).0, 1, "{name}");
        // Without an application nothing is loaded, and the rest is the same.
        let run = loader("allow", &object, &[]);
        let lists = |text: &str| {
            let lines = text.lines().filter(|line| !line.contains("max-insns"));
            lines.filter(|line| !line.starts_with("# As Linux")).collect::<Vec<_>>().join("\n")
        };
        assert_eq!((run.status, lists(&run.stdout)), (Some(0), lists(&written)), "{name}");
    }
}

const TAIL_CALL: &str = r#"
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
char LICENSE[] SEC("license") = "GPL";
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, int(void *));
} programs SEC(".maps");
SEC("uprobe/./app:work")
int first(void *ctx)
{
	bpf_tail_call(ctx, &programs, 0);
	return 0;
}
"#;

#[test]
fn nothing_is_proposed_for_what_is_rejected() {
    let work = Workspace::new();
    let object = work.compile("rejected");
    let policy = work.path("least.toml");
    let options = ["--app", path_text(app()), "-o", path_text(&policy)];
    let run = loader("allow", &object, &options);
    assert_eq!(run.status, Some(1), "{run:?}");
    assert!(!policy.exists() && run.stderr.contains("no policy was written"), "{run:?}");
}

/// By number, and not by name: a crafted object cannot get around the policy.
#[test]
fn what_has_no_name_is_refused() {
    let work = Workspace::new();
    let text = r#"
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
char LICENSE[] SEC("license") = "GPL";
SEC("uprobe/./app:work")
int by_number(void *ctx)
{
	asm volatile(".8byte 0x0000000700002085" ::: "r0", "r1", "r2", "r3", "r4", "r5");
	return 0;
}
SEC("uprobe/./app:work")
int unknown_helper(void *ctx)
{
	asm volatile("call 9999" ::: "r0", "r1", "r2", "r3", "r4", "r5");
	return 0;
}
"#;
    let object = work.compile_text("numbers", text);
    let (status, document) = judge(&work, &object, ALL);
    assert_eq!(status, 1, "{document}");
    for (name, what, number) in
        [("by_number", "function", "#7"), ("unknown_helper", "helper", "#9999")]
    {
        let breach = &program(&document, name)["breaches"][0];
        assert_eq!((&breach["what"], &breach["name"]), (&what.into(), &number.into()));
    }
}
