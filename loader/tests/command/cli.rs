// SPDX-License-Identifier: MIT OR Apache-2.0
//! The command as its users meet it, up to where the kernel would judge.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::{LOADER, Run, Workspace, app, judge_for, program, text, verify, verify_for};

fn loader(arguments: &[&str]) -> Run {
    Run::from(Command::new(LOADER).args(arguments).output().unwrap())
}

/// Status 2, one error on stderr that contains each of `parts`, nothing on stdout; and with
/// `--json` a document that says the same.
#[track_caller]
fn assert_unjudged(object: &Path, app: &Path, parts: &[&str]) {
    // On machines with modules none is to be made for a test.
    let verify_for = |object: &Path, app: &Path, options: &[&str]| {
        verify_for(object, app, &[&["--module", "none"], options].concat())
    };
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
    assert!(text(&document["reproduce"]).starts_with(LOADER), "{document}");
    let csv = verify_for(object, app, &["--csv"]);
    assert_eq!((csv.status, csv.stdout.lines().count()), (Some(2), 1), "{csv:?}");
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
    let wrong: [&[&str]; 6] = [
        &[],
        &["verify"],
        &["verify", "a.o"],
        &["verify", "a.o", "--app", "b", "--log", "some"],
        &["verify", "a.o", "--app", "b", "--json", "--csv"],
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
        let commands = format!("ufunc-gen ko {path} -o ufunc.ko && sudo insmod ufunc.ko");
        assert_unjudged(&object, app(), &[&commands]);
    }
    // What a module lends that is made is no matter where none is.
    let run = verify(&object, &["--module", "none", "--prefix", "app_"]);
    assert!(run.status == Some(2) && run.stderr.contains("with --module none none is"), "{run:?}");
    let run = verify(&object, &["--module", "elsewhere"]);
    assert!(run.status == Some(2) && run.stderr.contains("no module elsewhere is"), "{run:?}");
}

/// The command in a folder that every user can read, and the objects `accepted` and `data` and an
/// application beside it.
struct Public {
    work: Workspace,
    app: PathBuf,
}

impl Public {
    fn new() -> Self {
        let work = Workspace::new();
        let app = work.compile_app("types", &["-g"]);
        let command = work.path("loader");
        fs::copy(LOADER, &command).unwrap();
        for path in [command.parent().unwrap(), &command, &app] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        Public { work, app }
    }

    /// Judges `object` as an ordinary user with these capabilities and no others.
    fn verify(&self, object: &Path, capabilities: &[&str]) -> Run {
        fs::set_permissions(object, fs::Permissions::from_mode(0o644)).unwrap();
        let only = ["-all".to_owned()].into_iter();
        let only = only.chain(capabilities.iter().map(|name| format!("+{name}")));
        let only = only.collect::<Vec<_>>().join(",");
        let output = Command::new("setpriv")
            .args(["--reuid", "65534", "--regid", "65534", "--clear-groups"])
            .args(["--bounding-set", &only, "--inh-caps", &only, "--ambient-caps", &only])
            .arg(self.work.path("loader"))
            .arg("verify")
            .arg(object)
            .arg("--app")
            .arg(&self.app)
            .env("XDG_CACHE_HOME", self.work.path("cache"))
            .output();
        let run = Run::from(output.expect("setpriv (util-linux) must be installed"));
        assert!(
            !run.stderr.contains("setpriv:"),
            "these tests become other users: run them as root ({run:?})"
        );
        run
    }
}

#[test]
fn missing_capabilities_are_named() {
    let public = Public::new();
    let object = public.work.compile("accepted");
    for (capabilities, missing) in [
        (&[][..], "needs CAP_BPF and CAP_PERFMON, which"),
        (&["bpf"], "needs CAP_PERFMON, which"),
        (&["perfmon"], "needs CAP_BPF, which"),
    ] {
        let run = public.verify(&object, capabilities);
        assert_eq!(run.status, Some(2), "{run:?}");
        assert!(run.stderr.contains(missing), "{run:?}");
    }
}

/// Relocations against application and kernel, a map, a kfunc of the kernel.
#[test]
fn two_capabilities_are_enough() {
    let public = Public::new();
    let capabilities = ["bpf", "perfmon"];
    for (name, accepted) in [("accepted", 2), ("kernel_kfunc", 1), ("types", 3)] {
        let run = public.verify(&public.work.compile(name), &capabilities);
        assert_eq!(run.stdout.matches("\naccepted  ").count(), accepted, "{run:?}");
    }
    let run = public.verify(&public.work.compile("collisions"), &capabilities);
    let fitted = run.stdout.contains("rejected  user") && run.stdout.contains("accepted  context");
    assert!(fitted, "{run:?}");
}

/// With the file's size and machine changed, and nothing else.
#[test]
fn an_application_of_another_machine_is_refused() {
    let work = Workspace::new();
    let object = work.compile("accepted");
    let mut bytes = fs::read(app()).unwrap();
    const MACHINE: usize = 18;
    let (number, name) =
        if cfg!(target_arch = "aarch64") { (62, "x86-64") } else { (183, "arm64") };
    bytes[MACHINE] = number;
    let other = work.write("other", &bytes);
    assert_unjudged(&object, &other, &[&format!("an application for {name}"), "this machine"]);
    const CLASS: usize = 4;
    bytes[CLASS] = 1;
    assert_unjudged(&object, &work.write("narrow", &bytes), &["narrow"]);
}

/// What an object should have said is not what its programs are to blame for.
#[test]
fn a_missing_license_is_named() {
    let work = Workspace::new();
    let (status, document) = judge_for(&work.compile("no_license"), app(), &[]);
    assert_eq!(status, 2, "{document}");
    let needs_one = program(&document, "needs_one");
    assert_eq!(needs_one["verdict"], "unjudged", "{needs_one}");
    assert!(text(&needs_one["help"]).contains("SEC(\"license\")"), "{needs_one}");
    assert_eq!(program(&document, "needs_none")["verdict"], "accepted");
}
