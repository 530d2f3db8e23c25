// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is kept of applications between runs. These load BPF programs, as those in `verdicts.rs` do.

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::{LOADER, Run, Workspace, cache_of, judge_for, path_text, verify_command};

/// Judges `object` with what is kept in `cache`, and gives the whole report.
fn report(object: &Path, app: &Path, cache: &Path, options: &[&str]) -> Run {
    let options = [&["--app", path_text(app)], options].concat();
    let output = verify_command(object, &options).env("XDG_CACHE_HOME", cache).output().unwrap();
    Run::from(output)
}

/// The files that are kept.
fn kept(cache: &Path) -> Vec<PathBuf> {
    let Ok(files) = fs::read_dir(cache.join("ufunc/types")) else { return Vec::new() };
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn the_same_is_said_with_and_without() {
    let work = Workspace::new();
    let sources = ["layouts", "layouts_large", "layouts_small"];
    let app = work.compile_host("layouts", &sources, &["-g"]);
    let cache = work.path("kept");
    for name in ["layouts", "types", "data"] {
        let object = work.compile(name);
        let fresh = report(&object, &app, &cache, &["-v", "--log", "none", "--no-cache"]);
        let before = kept(&cache);
        for _ in 0..2 {
            let again = report(&object, &app, &cache, &["-v", "--log", "none"]);
            assert_eq!((&again.stdout, &again.stderr), (&fresh.stdout, &fresh.stderr));
        }
        assert_eq!(kept(&cache).len(), before.len() + 1);
    }
}

#[test]
fn what_is_damaged_is_made_again() {
    let work = Workspace::new();
    let (app, object) = (work.compile_app("types", &["-g"]), work.compile("types"));
    let cache = cache_of(&object);
    // The log says how long it took.
    let judge = || judge_for(&object, &app, &["--log", "none"]);
    let expected = judge();
    let [file] = <[PathBuf; 1]>::try_from(kept(&cache)).unwrap();
    let whole = fs::read(&file).unwrap();
    let damaged = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        bytes
    };
    for bytes in
        [damaged(3), damaged(20), damaged(whole.len() - 9), whole[..99].to_vec(), Vec::new()]
    {
        fs::write(&file, bytes).unwrap();
        assert_eq!(judge(), expected);
        assert_eq!(fs::read(&file).unwrap(), whole);
    }
}

#[test]
fn another_build_in_the_same_place_is_read_again() {
    let work = Workspace::new();
    let (examples, object) = (work.examples(), work.compile("data"));
    let app = work.path("app");
    let cache = work.path("kept");
    let offset = |from: &str| {
        fs::copy(examples.join(from), &app).unwrap();
        report(&object, &app, &cache, &["-v"]).stderr
    };
    assert!(offset("btf-base").contains("imm 4 -> 4"));
    assert!(offset("btf-base-new").contains("imm 4 -> 8"));
    assert!(offset("btf-base").contains("imm 4 -> 4"));
    // Its build-id is as before, but it has no types any more.
    let stripped = Command::new("strip").arg(&app).status();
    assert!(stripped.expect("strip must be installed").success());
    assert!(report(&object, &app, &cache, &[]).stdout.contains("no debug information"));
}

#[test]
fn an_application_without_a_build_id_is_not_kept() {
    let work = Workspace::new();
    let object = work.compile("types");
    let app = work.compile_app("types", &["-g", "-Wl,--build-id=none"]);
    judge_for(&object, &app, &[]);
    assert!(kept(&cache_of(&object)).is_empty());
}

/// As `sudo` may be told to keep the user's HOME.
#[test]
fn nothing_of_roots_is_left_in_a_users_home() {
    const NOBODY: u32 = 65534;
    let work = Workspace::new();
    let (app, object) = (work.compile_app("types", &["-g"]), work.compile("types"));
    let home = work.path("home");
    fs::create_dir(&home).unwrap();
    chown(&home, Some(NOBODY), Some(NOBODY)).expect("these tests must run as root");
    let output = Command::new(LOADER)
        .args(["verify", path_text(&object), "--app", path_text(&app)])
        .env("HOME", &home)
        .env_remove("XDG_CACHE_HOME")
        .output();
    assert_eq!(Run::from(output.unwrap()).status, Some(1));
    assert_eq!(fs::read_dir(&home).unwrap().count(), 0);
}

#[test]
fn a_place_that_cannot_be_written_to_is_no_error() {
    let work = Workspace::new();
    let (app, object) = (work.compile_app("types", &["-g"]), work.compile("types"));
    let expected = report(&object, &app, &work.path("kept"), &[]);
    let file = work.write("file", b"in the way");
    for cache in [Path::new("/proc/self"), &file, Path::new("relative")] {
        let run = report(&object, &app, cache, &[]);
        assert_eq!((run.status, &run.stdout), (expected.status, &expected.stdout));
    }
    assert!(!Path::new("relative").exists());
}
