// SPDX-License-Identifier: MIT OR Apache-2.0
//! The command as its users meet it, up to where the kernel would judge.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use crate::common::{LOADER, Run, Workspace, app, verify, verify_for};

fn loader(arguments: &[&str]) -> Run {
    Run::from(Command::new(LOADER).args(arguments).output().unwrap())
}

/// Status 2, one error on stderr that contains each of `parts`, nothing on stdout; and with
/// `--json` a document that says the same.
#[track_caller]
fn assert_unjudged(object: &Path, app: &Path, parts: &[&str]) {
    let run = verify_for(object, app, &[]);
    assert_eq!(run.status, Some(2), "{run:?}");
    assert!(run.stderr.starts_with("error: "), "{run:?}");
    assert_eq!(run.stderr.lines().count(), 1, "{run:?}");
    assert_eq!(run.stdout, "", "{run:?}");
    for part in parts {
        assert!(run.stderr.contains(part), "{part:?} is not in {run:?}");
    }
    let json = verify_for(object, app, &["--json"]);
    assert_eq!(json.status, Some(2), "{json:?}");
    let document: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(document["verdict"], "unjudged");
    assert_eq!(document["programs"], serde_json::json!([]));
    let error = document["error"].as_str().unwrap();
    assert_eq!(run.stderr.trim_end(), format!("error: {error}"));
}

#[test]
fn help_teaches() {
    let help = loader(&["verify", "--help"]);
    assert_eq!(help.status, Some(0));
    for part in ["Exit status:", "  1  at least one program is rejected", "Examples:", "--log"] {
        assert!(help.stdout.contains(part), "{part:?} is not in {}", help.stdout);
    }
    assert_eq!(loader(&["--version"]).status, Some(0));
}

#[test]
fn wrong_usage_is_status_2() {
    let wrong: [&[&str]; 5] = [
        &[],
        &["verify"],
        &["verify", "a.o"],
        &["verify", "a.o", "--app", "b", "--log", "some"],
        &["judge"],
    ];
    for arguments in wrong {
        let run = loader(arguments);
        assert_eq!(run.status, Some(2), "{arguments:?}: {run:?}");
        assert_eq!(run.stdout, "");
    }
}

#[test]
fn an_object_that_is_none_is_named_for_what_it_is() {
    let work = Workspace::new();
    let refused = |object: &Path, parts: &[&str]| {
        let path = object.display().to_string();
        assert_unjudged(object, app(), &[parts, &[path.as_str()]].concat());
    };
    refused(&work.path("missing.bpf.o"), &["No such file"]);
    refused(Path::new("/dev/null"), &["not a regular file"]);
    refused(Path::new("/tmp"), &["not a regular file"]);
    refused(&work.write("empty.o", b""), &["empty"]);
    refused(&work.write("script.o", b"#!/bin/sh\nexit 0\n"), &["not an ELF file"]);
    refused(&work.write("header.o", b"\x7fELF\x02\x01\x01"), &["cut off"]);
    refused(app(), &["an ELF file for ", "not a BPF object", "clang"]);
    let big_endian = work.compile_with("accepted", &["-target", "bpfeb", "-g"]);
    refused(&big_endian, &["big-endian"]);
    let no_btf = work.compile_with("accepted", &["-target", "bpf"]);
    refused(&no_btf, &["no section .BTF", "-g"]);
    refused(&work.compile("no_programs"), &["has no programs"]);
}

#[test]
fn a_fifo_is_not_waited_for() {
    let work = Workspace::new();
    let fifo = work.path("fifo");
    let made = Command::new("mkfifo").arg(&fifo).status().unwrap();
    assert!(made.success());
    assert_unjudged(&fifo, app(), &["not a regular file"]);
}

#[test]
fn a_huge_file_is_not_read() {
    let work = Workspace::new();
    let object = work.compile("accepted");
    fs::OpenOptions::new().write(true).open(&object).unwrap().set_len(1 << 40).unwrap();
    assert_unjudged(&object, app(), &["larger than any BPF object"]);
}

#[test]
fn an_application_that_is_none_is_refused() {
    let work = Workspace::new();
    let object = work.compile("accepted");
    assert_unjudged(&object, &work.path("missing"), &["No such file"]);
    assert_unjudged(&object, Path::new("/tmp"), &["not a regular file"]);
    assert_unjudged(&object, &work.write("text", b"hello"), &["not an ELF file"]);
    assert_unjudged(&object, &object, &["relocatable object"]);
}

#[test]
fn an_object_that_is_cut_off_is_refused() {
    let work = Workspace::new();
    let bytes = fs::read(work.compile("rejected")).unwrap();
    for part in 1..40 {
        let object = work.write("cut.bpf.o", &bytes[..bytes.len() * part / 40]);
        assert_unjudged(&object, app(), &["cut.bpf.o"]);
    }
}

/// libbpf-rs's own print callback panics on a name that is not UTF-8.
#[test]
fn names_of_any_bytes_do_no_harm() {
    let work = Workspace::new();
    let mut bytes = fs::read(work.compile("accepted")).unwrap();
    for (name, byte) in
        [(b".debug_str\0".as_slice(), 0xff), (b"first\0", 0xfe), (b"license\0", b'\n')]
    {
        let places = memchr::memmem::find_iter(&bytes.clone(), name).collect::<Vec<_>>();
        assert!(!places.is_empty());
        for place in places {
            bytes[place + 3] = byte;
        }
        let run = verify(&work.write("bytes.bpf.o", &bytes), &[]);
        assert!(matches!(run.status, Some(0..=2)), "{run:?}");
    }
}

#[test]
fn undeclared_ufuncs_are_to_be_loaded_first() {
    let work = Workspace::new();
    let object = work.compile("undeclared");
    let declared = "test_alloc_data and test_free_data are declared by no loaded module";
    assert_unjudged(&object, app(), &[declared]);
    let modules = fs::read_dir("/sys/kernel/btf").unwrap();
    if !modules.flatten().any(|module| module.file_name() == "ufunc") {
        let path = app().display();
        let commands =
            format!("ufunc-gen {path} > kmod/gen.rs && make && sudo insmod kmod/ufunc.ko");
        assert_unjudged(&object, app(), &[&commands]);
    }
}

/// Runs the command as a user without any capability.
#[test]
fn missing_capabilities_are_named() {
    let work = Workspace::new();
    let object = work.compile("accepted");
    // The test's own folder may be closed to other users.
    let copy = work.path("loader");
    fs::copy(LOADER, &copy).unwrap();
    for path in [copy.parent().unwrap(), &copy] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut command = Command::new(&copy);
    command.arg("verify").arg(&object).arg("--app").arg(&copy);
    const ROOT: u32 = 0;
    const NOBODY: u32 = 65534;
    if fs::metadata("/proc/self").unwrap().uid() == ROOT {
        command.uid(NOBODY);
    }
    let run = Run::from(command.output().unwrap());
    assert_eq!(run.status, Some(2), "{run:?}");
    assert!(run.stderr.contains("needs CAP_BPF and CAP_PERFMON"), "{run:?}");
}
