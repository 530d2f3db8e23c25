// SPDX-License-Identifier: MIT OR Apache-2.0
//! Verdicts of the running kernel. These load BPF programs, so they need root (or CAP_BPF and
//! CAP_PERFMON); without, they fail rather than say nothing.

use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::common::{LOADER, Run, Workspace, app, judge_for, path_text, program, text, verify};
use serde_json::Value;

#[track_caller]
fn judge(object: &Path, options: &[&str]) -> (i32, Value) {
    judge_for(object, app(), options)
}

#[test]
fn accepted_programs_are_status_0() {
    let work = Workspace::new();
    let (status, document) = judge(&work.compile("accepted"), &[]);
    assert_eq!(status, 0, "{document}");
    assert_eq!(document["verdict"], "accepted");
    assert_eq!(document["module"], Value::Null);
    for (name, section) in [("first", "uprobe"), ("second", "uprobe/./app:work")] {
        let program = program(&document, name);
        assert_eq!(program["verdict"], "accepted", "{program}");
        assert_eq!(program["section"], section);
        assert!(program["insns"].as_u64().is_some_and(|insns| insns > 0), "{program}");
        for field in ["stage", "errno", "reason", "source", "acquired_at", "meaning", "help"] {
            assert_eq!(program[field], Value::Null, "{field} of {program}");
        }
    }
}

#[test]
fn one_rejection_does_not_hide_the_rest() {
    let work = Workspace::new();
    let (status, document) = judge(&work.compile("rejected"), &[]);
    assert_eq!(status, 1, "{document}");
    assert_eq!(document["verdict"], "rejected");
    assert_eq!(program(&document, "fine")["verdict"], "accepted");
    let rejected = [
        ("leak", "Unreleased reference", "}"),
        ("no_null_check", "invalid mem access 'map_value_or_null'", "return *counter;"),
        ("stack_read", "invalid read from stack", "r10 + 68"),
        ("in_subprogram", "invalid mem access 'scalar'", "*(volatile int *)address"),
        ("unreachable", "unreachable insn", "goto +1"),
    ];
    for (name, reason, line) in rejected {
        let program = program(&document, name);
        assert_eq!(program["verdict"], "rejected", "{program}");
        assert_eq!(program["stage"], "verification", "{program}");
        assert!(text(&program["reason"]).contains(reason), "{program}");
        assert!(text(&program["source"]["file"]).ends_with("rejected.bpf.c"), "{program}");
        assert!(text(&program["source"]["text"]).contains(line), "{program}");
        assert!(text(&program["log"]).contains(reason), "{program}");
        assert!(program["errno"].as_i64().is_some_and(|errno| errno > 0), "{program}");
    }
    let leak = program(&document, "leak");
    assert_eq!(leak["acquired_by"], "bpf_ringbuf_reserve");
    assert!(text(&leak["acquired_at"]["text"]).contains("bpf_ringbuf_reserve("), "{leak}");
    assert!(text(&leak["help"]).contains("bpf_ringbuf_submit or bpf_ringbuf_discard"), "{leak}");
    let [fork] = leak["path"].as_array().unwrap().as_slice() else { panic!("{leak}") };
    assert_eq!((&fork["source"]["text"], &fork["holds"]), (&"\tif (!event)".into(), &false.into()));
}

#[test]
fn a_failed_relocation_is_a_rejection() {
    let work = Workspace::new();
    let (status, document) = judge(&work.compile("core"), &[]);
    assert_eq!(status, 1, "{document}");
    let missing = program(&document, "missing_member");
    assert_eq!(missing["stage"], "relocation", "{missing}");
    assert!(text(&missing["meaning"]).contains("struct host_data_nobody_has.e"), "{missing}");
    assert!(text(&missing["source"]["text"]).contains("&data->e"), "{missing}");
    assert_eq!(program(&document, "without")["verdict"], "accepted");
}

#[test]
fn a_weak_kfunc_may_be_missing_where_it_is_guarded() {
    let work = Workspace::new();
    let (status, document) = judge(&work.compile("weak"), &[]);
    assert_eq!(status, 1, "{document}");
    assert_eq!(program(&document, "guarded")["verdict"], "accepted");
    let unguarded = program(&document, "unguarded");
    assert_eq!(unguarded["stage"], "kfunc", "{unguarded}");
    assert!(text(&unguarded["help"]).contains("bpf_ksym_exists(test_touch_data)"), "{unguarded}");
}

#[test]
fn another_signature_of_a_kfunc_is_explained() {
    let work = Workspace::new();
    let (status, document) = judge(&work.compile("signature"), &[]);
    assert_eq!(status, 2, "{document}");
    let program = program(&document, "other_signature");
    assert_eq!(program["stage"], "kfunc", "{program}");
    let meaning = "the declaration of bpf_rcu_read_lock in the extension does not match";
    assert!(text(&program["meaning"]).contains(meaning), "{program}");
    assert!(text(&program["help"]).contains("with a body"), "{program}");
}

/// libbpf fills program arrays only after it has loaded all programs, which are never all loaded.
#[test]
fn a_program_array_does_not_matter_to_the_verdict() {
    let work = Workspace::new();
    let (status, document) = judge(&work.compile("tail_call"), &[]);
    assert_eq!(status, 1, "{document}");
    for name in ["caller", "target"] {
        assert_eq!(program(&document, name)["verdict"], "accepted", "{document}");
    }
    assert_eq!(program(&document, "broken_target")["verdict"], "rejected", "{document}");
}

#[test]
fn judging_pins_nothing() {
    let work = Workspace::new();
    let (status, document) = judge(&work.compile("pinned"), &[]);
    assert_eq!(status, 0, "{document}");
    assert!(!Path::new("/sys/fs/bpf/ufunc_test_pinned").exists());
}

#[test]
fn what_never_came_to_the_verifier_is_not_rejected() {
    let work = Workspace::new();
    let (status, document) = judge(&work.compile("huge_map"), &[]);
    assert_eq!((status, &document["verdict"]), (2, &Value::from("unjudged")), "{document}");
    let uses_it = program(&document, "uses_it");
    assert_eq!(uses_it["stage"], "map", "{uses_it}");
    assert!(text(&uses_it["reason"]).contains("map 'huge'"), "{uses_it}");
    let (status, document) = judge(&work.compile("unknown_section"), &[]);
    assert_eq!(status, 2, "{document}");
    let what = program(&document, "what");
    assert_eq!((&what["verdict"], &what["stage"]), (&"unjudged".into(), &"open".into()));
    assert!(text(&what["reason"]).contains("section name 'nonsense'"), "{what}");
    assert_eq!(program(&document, "fine")["verdict"], "accepted");
}

#[test]
fn the_text_shows_the_lines() {
    let work = Workspace::new();
    let object = work.compile("rejected");
    let run = verify(&object, &[]);
    assert_eq!(run.status, Some(1), "{run:?}");
    assert_eq!(run.stderr, "");
    assert!(!run.stdout.contains('\x1b'), "colours where there is no terminal: {run:?}");
    for part in [
        "\nrejected  leak  (uprobe)\n  verification: Unreleased reference ",
        "rejected.bpf.c:20:",
        "long *event = bpf_ringbuf_reserve(",
        "acquired here by bpf_ringbuf_reserve",
        "when this is false",
        "= help: release it with bpf_ringbuf_submit or bpf_ringbuf_discard on every path",
        "\naccepted  fine  (uprobe)\n",
        "\n6 programs: 1 accepted, 5 rejected\n",
    ] {
        assert!(run.stdout.contains(part), "{part:?} is not in {}", run.stdout);
    }
    let forced = Command::new(LOADER)
        .args(["verify".as_ref(), object.as_os_str(), "--app".as_ref(), app().as_os_str()])
        .env("CLICOLOR_FORCE", "1")
        .output()
        .unwrap();
    assert!(Run::from(forced).stdout.contains("\x1b["));
}

#[test]
fn the_log_is_shown_as_asked_for() {
    let work = Workspace::new();
    let object = work.compile("rejected");
    let lines = |options: &[&str]| verify(&object, options).stdout.lines().count();
    let (none, short, full) = (lines(&[]), lines(&["--log", "short"]), lines(&["--log", "full"]));
    assert!(none < short && short <= full, "{none}, {short}, {full}");
    let (_, document) = judge(&object, &["--log", "none"]);
    assert_eq!(program(&document, "leak")["log"], Value::Null);
    let verbose = verify(&object, &["-v"]);
    assert!(verbose.stderr.contains("libbpf: loading object 'rejected'"), "{verbose:?}");
    assert!(verbose.stdout.contains("func#0 @0"), "{verbose:?}");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let work = Workspace::new();
    let mut child = Command::new(LOADER)
        .args(["verify".as_ref(), work.compile("rejected").as_os_str()])
        .arg("--app")
        .arg(app())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!((child.wait().unwrap().code(), stderr.as_str()), (Some(1), ""));
}

#[test]
fn a_report_that_cannot_be_written_is_an_error() {
    let work = Workspace::new();
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = Command::new(LOADER)
        .args(["verify".as_ref(), work.compile("accepted").as_os_str()])
        .arg("--app")
        .arg(app())
        .stdout(full)
        .output()
        .unwrap();
    let run = Run::from(output);
    assert_eq!(run.status, Some(2), "{run:?}");
    assert!(run.stderr.contains("failed to write the report"), "{run:?}");
}

/// Runs the command that a result names, and returns what it prints.
#[track_caller]
fn reproduced(command: &str, folder: &Path) -> Run {
    let output = Command::new("sh").args(["-c", command]).current_dir(folder).output();
    Run::from(output.unwrap())
}

#[test]
fn a_result_names_the_command_that_shows_it_again() {
    let work = Workspace::new();
    let folder = work.path("it's here");
    fs::create_dir(&folder).unwrap();
    fs::copy(work.compile("rejected"), folder.join("a b.o")).unwrap();
    let output = Command::new(LOADER)
        .args(["verify", "a b.o", "--app", LOADER, "--json", "--log=none"])
        .current_dir(&folder)
        .output()
        .unwrap();
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let whole = reproduced(text(&document["reproduce"]), &folder);
    assert_eq!(whole.status, Some(1), "{whole:?}");
    assert!(whole.stdout.contains("6 programs: 1 accepted, 5 rejected"), "{whole:?}");
    let leak = program(&document, "leak");
    let alone = reproduced(text(&leak["reproduce"]), &folder);
    assert_eq!(alone.status, Some(1), "{alone:?}");
    assert!(alone.stdout.contains(text(&leak["reason"])), "{alone:?}");
    assert!(alone.stdout.contains("1 program: 0 accepted, 1 rejected"), "{alone:?}");
    // The text names it too.
    assert!(alone.stdout.contains("= note: to reproduce: "), "{alone:?}");
}

#[test]
fn only_the_programs_that_are_asked_for_are_judged() {
    let work = Workspace::new();
    let object = work.compile("rejected");
    let (status, document) = judge(&object, &["--program", "fine"]);
    assert_eq!((status, document["programs"].as_array().unwrap().len()), (0, 1), "{document}");
    let run = verify(&object, &["--program", "absent"]);
    assert_eq!(run.status, Some(2), "{run:?}");
    assert!(run.stderr.contains("has no program absent; it has leak, "), "{run:?}");
}

#[test]
fn the_numbers_are_to_be_had_as_veristat_writes_them() {
    let work = Workspace::new();
    let run = verify(&work.compile("rejected"), &["--csv"]);
    assert_eq!((run.status, run.stderr.as_str()), (Some(1), ""), "{run:?}");
    let mut rows = run.stdout.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let header = rows.next().unwrap();
    assert_eq!(header[..4], ["file_name", "prog_name", "verdict", "duration"]);
    let rows: Vec<_> = rows.collect();
    assert_eq!(rows.len(), 6);
    for row in rows {
        assert_eq!(row.len(), header.len());
        let field = |name: &str| row[header.iter().position(|column| *column == name).unwrap()];
        assert_eq!((field("file_name"), field("prog_type")), ("rejected.bpf.o", "kprobe"));
        let is_accepted = field("prog_name") == "fine";
        assert_eq!(field("verdict"), if is_accepted { "success" } else { "failure" });
        let is_jited = field("prog_size_jited").parse::<u64>().unwrap() > 0;
        assert_eq!(is_jited, is_accepted, "{row:?}");
        assert!(field("prog_size").parse::<u64>().unwrap() > 0, "{row:?}");
        assert_eq!(field("mem_peak"), "-1");
    }
}

/// `docs/json.md` describes every field, and no other.
#[test]
fn the_document_is_as_described() {
    let work = Workspace::new();
    let object = work.compile("rejected");
    let (_, document) = judge(&object, &[]);
    let leak = program(&document, "leak");
    let nothing = work.write("nothing.toml", b"");
    let (_, refused) = judge(&object, &["--allow", path_text(&nothing)]);
    let breach = &program(&refused, "leak")["breaches"][0];
    let path = format!("{}/../docs/json.md", env!("CARGO_MANIFEST_DIR"));
    let description = fs::read_to_string(path).unwrap();
    let tables = description.split("\n## ").nth(1).unwrap().split("| --- | --- | --- |").skip(1);
    let described: Vec<Vec<(&str, &str)>> = tables
        .map(|table| {
            let rows =
                table.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
            rows.map(|(field, rest)| (field, rest.split(" | ").next().unwrap())).collect()
        })
        .collect();
    let objects = [&document, leak, breach, &leak["path"][0]];
    assert_eq!(described.len(), objects.len());
    for (object, fields) in objects.into_iter().zip(described) {
        let object = object.as_object().unwrap();
        let mut names: Vec<_> = fields.iter().map(|(name, _)| *name).collect();
        names.sort_unstable();
        let mut found: Vec<_> = object.keys().map(String::as_str).collect();
        found.sort_unstable();
        assert_eq!(found, names);
        for (name, kind) in fields {
            let is_as_described = match &object[name] {
                Value::Null => true,
                Value::Bool(_) => kind == "boolean",
                Value::Number(_) => kind == "number",
                Value::String(_) => kind == "string",
                Value::Array(_) => kind == "array",
                Value::Object(_) => kind == "object",
            };
            assert!(is_as_described, "{name} is no {kind}: {}", object[name]);
        }
    }
}
