// SPDX-License-Identifier: MIT OR Apache-2.0
//! Names that mean several things: to kernel and application, to several applications, to the files
//! of one. And where types come from. These load BPF programs, as those in `verdicts.rs` do.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::common::{
    Run, Workspace, judge_for, judge_with, offsets_in, path_text, program, text, verify_command,
    verify_for,
};

const RUNNING_KERNEL: &str = "/sys/kernel/btf/vmlinux";

/// Of the first time that the program was loaded.
#[track_caller]
fn offsets(object: &Path, options: &[&str], name: &str, count: usize) -> Vec<u32> {
    let run = Run::from(verify_command(object, &[options, &["-v"]].concat()).output().unwrap());
    let mut offsets = offsets_in(&run, name);
    assert!(offsets.len() >= count, "{run:?}");
    offsets.truncate(count);
    offsets
}

fn collisions(work: &Workspace) -> (PathBuf, PathBuf) {
    (work.compile_app("collisions", &["-g"]), work.compile("collisions"))
}

fn layouts(work: &Workspace) -> (PathBuf, PathBuf) {
    let sources = ["layouts", "layouts_large", "layouts_small"];
    (work.compile_host("layouts", &sources, &["-g"]), work.compile("layouts"))
}

#[test]
fn names_of_the_kernel_mean_the_applications_types() {
    let work = Workspace::new();
    let (app, object) = collisions(&work);
    let (status, document) = judge_for(&object, &app, &[]);
    assert_eq!(status, 0, "{document}");
    let options = ["--app", path_text(&app)];
    assert_eq!(offsets(&object, &options, "user", 4), [2000, 3000, 4000, 5000]);
    // The probe's context is the kernel's all the same, and hooks of the kernel see nothing else.
    assert!(offsets(&object, &options, "context", 1)[0] < 200);
    let of_kernel = offsets(&object, &options, "of_kernel", 2);
    assert!(of_kernel[0] != 2000 && of_kernel[1] != 3000, "{of_kernel:?}");
    let both = offsets(&object, &options, "both", 2);
    assert!(both[0] != both[1] && both[1] == 2000, "{both:?}");
    let verbose = verify_for(&object, &app, &["-v"]).stderr;
    for hidden in ["struct request", "struct file"] {
        let types = verbose.lines().find(|line| line.starts_with("types: ")).unwrap();
        let (taken, not_taken) = types.split_once(", not to the kernel's").unwrap();
        assert!(taken.contains(hidden) && not_taken.contains(hidden), "{types}");
    }
}

#[test]
fn the_kernels_types_can_be_preferred() {
    let work = Workspace::new();
    let (app, object) = collisions(&work);
    let options = ["--app", path_text(&app), "--prefer", "kernel"];
    let found = offsets(&object, &options, "user", 4);
    assert!(found[0] != 2000 && found[1] != 3000, "{found:?}");
    // The kernel has no struct of that name.
    assert_eq!(found[3], 5000);
}

/// Only the whole of the kernel's BTF has the numbers of its types.
#[test]
fn types_of_the_kernel_keep_their_numbers() {
    let work = Workspace::new();
    let (app, object) = collisions(&work);
    let found = offsets(&object, &["--app", path_text(&app)], "ids", 2);
    let output =
        Command::new("bpftool").args(["btf", "dump", "file", RUNNING_KERNEL]).output().unwrap();
    let dump = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = dump.lines().find(|line| line.contains("] STRUCT 'task_struct' ")).unwrap();
    let id = line.trim_start_matches('[').split(']').next().unwrap();
    assert_eq!(found, [id.parse().unwrap(), 2000]);
}

#[test]
fn the_file_of_the_probed_function_decides_what_a_name_means() {
    let work = Workspace::new();
    let (app, object) = layouts(&work);
    let options = ["--app", path_text(&app)];
    let (_, document) = judge_for(&object, &app, &[]);
    for name in ["small", "large", "anywhere", "library"] {
        assert_eq!(program(&document, name)["verdict"], "accepted", "{document}");
    }
    assert_eq!(offsets(&object, &options, "small", 2), [4, 8]);
    assert_eq!(offsets(&object, &options, "large", 2), [64, 16]);
    // Two files of three.
    assert_eq!(offsets(&object, &options, "anywhere", 2), [64, 16]);
    let warnings = document["warnings"].as_array().unwrap();
    let warned = |part: &str| warnings.iter().any(|warning| text(warning).contains(part));
    assert!(warned("2 different definitions of struct conn"), "{document}");
    assert!(warned("as 2 of 3 files have it"), "{document}");
    assert!(warned("typedef state_t"), "{document}");
    let run = verify_for(&object, &app, &["-v"]);
    assert!(run.stderr.contains("warning: "), "{run:?}");
    assert!(run.stderr.contains("layouts_small.c:4, beside the function handle_small"), "{run:?}");
}

/// What a library and an application call the same.
#[test]
fn the_file_in_the_section_comes_before_the_order_of_the_options() {
    let work = Workspace::new();
    let (app, object) = layouts(&work);
    let library = work.compile_host(
        "liblayouts.so.1.2",
        &["layouts_library"],
        &["-g", "-shared", "-fPIC", "-Wl,-soname,liblayouts.so.1"],
    );
    let (app, library) = (path_text(&app), path_text(&library));
    for options in [["--app", app, "--app", library], ["--app", library, "--app", app]] {
        let (_, document) = judge_with(&object, &options);
        assert_eq!(document["verdict"], "accepted", "{document}");
        let hosts = document["hosts"].as_array().unwrap();
        assert_eq!((hosts.len(), &hosts[0]["path"]), (2, &Value::from(options[1])));
        assert_eq!(offsets(&object, &options, "small", 2), [4, 8]);
        assert_eq!(offsets(&object, &options, "library", 1), [256]);
        let first = if options[1] == app { 64 } else { 256 };
        assert_eq!(offsets(&object, &options, "anywhere", 2), [first, 16]);
    }
}

#[test]
fn each_version_of_an_application_has_its_verdict() {
    let work = Workspace::new();
    let (examples, object) = (work.examples(), work.compile("data"));
    let (old, new) = (examples.join("btf-base"), examples.join("btf-base-new"));
    let options = ["--app", path_text(&old), "--app", path_text(&new)];
    let (status, document) = judge_with(&object, &options);
    assert_eq!((status, &document["verdict"]), (1, &Value::from("rejected")));
    let combinations = document["combinations"].as_array().unwrap();
    for (combination, app) in combinations.iter().zip([&old, &new]) {
        assert_eq!(combination["app"], path_text(app));
        assert_eq!(program(combination, "add_test")["verdict"], "accepted", "{combination}");
        let missing = text(&program(combination, "missing_member")["meaning"]);
        assert!(missing.contains(path_text(app)), "{missing}");
    }
    assert_eq!(offsets(&object, &options, "add_test", 4), [0, 4, 0, 8]);
    let run = Run::from(verify_command(&object, &options).output().unwrap());
    for part in [
        "btf-base (build-id ",
        "btf-base-new (build-id ",
        "\n2 combinations: 0 accepted, 2 rejected\n",
    ] {
        assert!(run.stdout.contains(part), "{part:?} is not in {run:?}");
    }
}

#[test]
fn libraries_of_one_name_are_alternatives() {
    let work = Workspace::new();
    let object = work.compile("layouts");
    let (app, _) = layouts(&work);
    let library = |name: &str| {
        let options = ["-g", "-shared", "-fPIC", "-Wl,-soname,liblayouts.so.1"];
        work.compile_host(name, &["layouts_library"], &options)
    };
    let (one, two) = (library("one.so"), library("two.so"));
    let options = ["--app", path_text(&one), "--app", path_text(&app), "--app", path_text(&two)];
    let (status, document) = judge_with(&object, &options);
    assert_eq!(status, 0, "{document}");
    let combinations = document["combinations"].as_array().unwrap();
    let hosts = |at: usize| {
        let hosts = combinations[at]["hosts"].as_array().unwrap().iter();
        hosts.map(|host| text(&host["path"])).collect::<Vec<_>>()
    };
    assert_eq!(combinations.len(), 2);
    assert_eq!(hosts(0), [path_text(&one), path_text(&app)]);
    assert_eq!(hosts(1), [path_text(&app), path_text(&two)]);
}

#[test]
fn a_type_that_is_missing_is_explained_by_what_comes_near_it() {
    let work = Workspace::new();
    let object = work.compile("misspelt");
    let app = work.compile_app("types", &["-g"]);
    let (status, document) = judge_for(&object, &app, &[]);
    assert_eq!(status, 1, "{document}");
    let near = |name: &str| text(&program(&document, name)["meaning"]).to_owned();
    let app = app.display();
    let expected = format!("struct flie is not defined in {app} (but struct file is), and");
    assert!(near("transposed").starts_with(&expected), "{document}");
    let expected = format!("struct mode is not defined in {app} (but enum mode is), and");
    assert!(near("other_kind").starts_with(&expected), "{document}");
}

#[test]
fn types_can_come_from_a_file() {
    let work = Workspace::new();
    let (app, object) = collisions(&work);
    let (alone, merged) = (work.path("app.btf"), work.path("merged.btf"));
    let pahole = |arguments: &[&str]| {
        let output = Command::new("pahole").args(arguments).output();
        let output = output.expect("pahole must be installed: it makes BTF of an application");
        assert!(output.status.success(), "{output:?}");
    };
    pahole(&["--btf_encode_detached", path_text(&alone), path_text(&app)]);
    merge(RUNNING_KERNEL, &alone, &merged);
    // In an ELF file, as pahole -J leaves it.
    let elf = work.path("with-btf");
    let section = format!(".BTF={}", alone.display());
    let output = Command::new("objcopy")
        .args(["--add-section", &section, path_text(&app), path_text(&elf)])
        .output();
    assert!(output.expect("objcopy must be installed").status.success());
    for file in [&alone, &merged, &elf] {
        let options = ["--btf", path_text(file)];
        let (status, document) = judge_with(&object, &options);
        assert_eq!((status, &document["app"]), (0, &Value::Null), "{document}");
        assert_eq!(document["btf"], path_text(file));
        assert_eq!(offsets(&object, &options, "user", 4), [2000, 3000, 4000, 5000]);
        assert!(offsets(&object, &options, "context", 1)[0] < 200);
    }
    let both = ["--btf", path_text(&merged), "--app", path_text(&app)];
    let (status, document) = judge_with(&object, &both);
    assert_eq!((status, text(&document["app"])), (0, path_text(&app)), "{document}");
    // Without the application's types there is nothing to fit to.
    let (status, document) = judge_with(&work.compile("data"), &["--btf", RUNNING_KERNEL]);
    assert_eq!(status, 1, "{document}");
    let meaning = text(&program(&document, "add_test")["meaning"]);
    assert!(
        meaning.starts_with("struct data is not defined in /sys/kernel/btf/vmlinux"),
        "{meaning}"
    );
}

/// One behind the other, as tools do that know nothing of applications.
fn merge(base: &str, more: &Path, out: &Path) {
    let (base, more) = (fs::read(base).unwrap(), fs::read(more).unwrap());
    let parse = |bytes| ufunc_gen::btf::raw::Raw::parse(bytes).unwrap();
    let input = |label, bytes, stem: &str| ufunc_gen::btf::merge::Input {
        label,
        stem: stem.to_owned(),
        btf: parse(bytes),
        before: ufunc_gen::btf::merge::Before::Nothing,
    };
    let options = ufunc_gen::btf::merge::Options {
        dedup: false,
        prefer: ufunc_gen::btf::merge::Prefer::None,
        keep_base: Vec::new(),
        details: 0,
        ambiguous: false,
    };
    let more = vec![input("more", &more, "more")];
    let merged = ufunc_gen::btf::merge::merge(input("base", &base, "base"), more, &options);
    fs::write(out, merged.unwrap().btf.to_bytes()).unwrap();
}

#[test]
fn a_file_without_types_is_refused() {
    let work = Workspace::new();
    let object = work.compile("collisions");
    let (text_file, app) = (work.write("text", b"hello"), work.compile_app("types", &[]));
    for (file, part) in [
        (&text_file, "neither BTF nor an ELF file"),
        (&app, "without BTF"),
        (&work.path("none"), "No such file"),
    ] {
        let (status, document) = judge_with(&object, &["--btf", path_text(file)]);
        assert_eq!(status, 2, "{document}");
        let error = text(&document["error"]);
        assert!(error.contains(part) && error.contains(path_text(file)), "{error}");
        let options = ["--app", path_text(&app), "--vmlinux", path_text(file)];
        assert_eq!(judge_with(&object, &options).1["error"], error);
    }
}

#[test]
fn ufuncs_need_an_application() {
    let work = Workspace::new();
    let object = work.compile("undeclared");
    let run = Run::from(verify_command(&object, &["--btf", RUNNING_KERNEL]).output().unwrap());
    assert_eq!(run.status, Some(2), "{run:?}");
    assert!(run.stderr.contains("name the application that lends them with --app"), "{run:?}");
}

#[test]
fn one_file_of_types_is_not_that_of_two_versions() {
    let work = Workspace::new();
    let (examples, object) = (work.examples(), work.compile("data"));
    let (old, new) = (examples.join("btf-base"), examples.join("btf-base-new"));
    let options = ["--app", path_text(&old), "--app", path_text(&new), "--btf", RUNNING_KERNEL];
    let (status, document) = judge_with(&object, &options);
    assert_eq!(status, 2, "{document}");
    assert!(text(&document["error"]).contains("judge one of them at a time"), "{document}");
}

#[test]
fn the_kernels_types_can_come_from_a_file() {
    let work = Workspace::new();
    let (app, object) = collisions(&work);
    // An application's will do, whose struct request is like no kernel's.
    let kernel = work.path("kernel.btf");
    let output = Command::new("pahole")
        .args(["--btf_encode_detached", path_text(&kernel), path_text(&app)])
        .output();
    assert!(output.expect("pahole must be installed").status.success());
    let options = ["--app", path_text(&app), "--vmlinux", path_text(&kernel)];
    assert_eq!(offsets(&object, &options, "of_kernel", 2), [2000, 3000]);
    assert_eq!(offsets(&object, &options, "context", 1), [6000]);
}

#[test]
fn separate_debug_files_are_found() {
    let work = Workspace::new();
    let (app, object) = collisions(&work);
    let (stripped, debug) = (work.path("stripped"), work.path("debug"));
    let run = Run::from(verify_for_build_id(&object, &app));
    let id = run.stdout.split_once("(build-id ").unwrap().1.split(')').next().unwrap().to_owned();
    let folder = debug.join(".build-id").join(&id[..2]);
    fs::create_dir_all(&folder).unwrap();
    let objcopy = |option: &str, to: &Path| {
        let status =
            Command::new("objcopy").arg(option).arg(&app).arg(to).status().expect("objcopy");
        assert!(status.success());
    };
    objcopy("--only-keep-debug", &folder.join(format!("{}.debug", &id[2..])));
    objcopy("--strip-all", &stripped);
    let (status, document) = judge_for(&object, &stripped, &[]);
    assert_eq!(status, 2, "{document}");
    let (status, document) = judge_for(&object, &stripped, &["--debug-dir", path_text(&debug)]);
    assert_eq!(status, 0, "{document}");
}

fn verify_for_build_id(object: &Path, app: &Path) -> std::process::Output {
    verify_command(object, &["--app", path_text(app)]).output().unwrap()
}
