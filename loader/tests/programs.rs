// SPDX-License-Identifier: MIT OR Apache-2.0
//! The programs in `bpf/` on this machine's own kernel: each gets the verdict that its header
//! comment expects, and does, attached, what that says.
//!
//! They load BPF programs, so they need root (or CAP_BPF and CAP_PERFMON). What cannot run here is
//! counted and named as ignored, with what it needs.

#![expect(clippy::expect_used, reason = "a test that panics has failed, as it should")]

use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use libtest_mimic::{Arguments, Trial};
use ufunc_tests::{Program, Setup, attached, pinned, running, verdict};

/// What is in the source of a program that calls ufuncs.
const CALLS_UFUNCS: [&str; 5] =
    ["my_alloc_data(", "my_free_data(", "\"annotated.h\"", "\"granted.h\"", "\"guestbook.h\""];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let trials = match trials(folder.path(), arguments.list) {
        Ok(trials) => trials,
        Err(error) => vec![Trial::test("setup", move || Err(format!("{error:#}").into()))],
    };
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trials(folder: &Path, only_list: bool) -> Result<Vec<Trial>> {
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let setup = Arc::new(Setup {
        loader: std::env::var_os("UFUNC_LOADER")
            .unwrap_or(env!("CARGO_BIN_EXE_loader").into())
            .into(),
        host_sources: checkout.join("examples"),
        hosts: folder.join("examples"),
        objects: folder.join("bpf"),
    });
    if !only_list {
        make(&setup.host_sources, &setup.hosts)?;
        make(&checkout.join("bpf"), &setup.objects)?;
    }
    let mut trials = Vec::new();
    for program in Program::all(&checkout.join("bpf"))? {
        let obstacle = obstacle(&checkout, &program)?;
        let is_attached = program.cases.iter().any(|case| !case.signs.is_empty());
        let judge = |setup: &Setup, program: &Program| verdict::check(setup, program).map(drop);
        let check = check(&setup, &program, judge);
        trials.push(trial("verdict", &program, obstacle.filter(|it| it.is_for_verdicts), check));
        if is_attached {
            let check = self::check(&setup, &program, attached::check);
            trials.push(trial("attached", &program, obstacle, check));
            if is_for_applications(&checkout, &program)? {
                let check = self::check(&setup, &program, running::check);
                trials.push(trial("running", &program, obstacle, check));
            }
        }
    }
    let name = "attached::mmapable, pinned and mapped";
    let check: Check = Box::new(move || pinned::check(&setup));
    trials.push(Trial::test(name, move || check().map_err(|error| format!("{error:#}").into())));
    Ok(trials)
}

/// Whether all programs of the object go into applications.
fn is_for_applications(checkout: &Path, program: &Program) -> Result<bool> {
    let source = checkout.join("bpf").join(format!("{}.bpf.c", program.name));
    let source = std::fs::read_to_string(source)?;
    let sections = source.lines().filter_map(|line| line.trim().strip_prefix("SEC(\""));
    let mut programs =
        sections.filter(|section| !section.starts_with("license") && !section.starts_with('.'));
    Ok(programs.all(|section| section.starts_with("uprobe") || section.starts_with("uretprobe")))
}

/// Why a program cannot be tested here.
#[derive(Clone, Copy)]
struct Obstacle {
    needs: &'static str,
    is_for_verdicts: bool,
}

fn obstacle(checkout: &Path, program: &Program) -> Result<Option<Obstacle>> {
    let source = checkout.join("bpf").join(format!("{}.bpf.c", program.name));
    let source = std::fs::read_to_string(source)?;
    let calls_ufuncs = CALLS_UFUNCS.iter().any(|text| source.contains(text));
    if calls_ufuncs {
        return Ok(Some(Obstacle { needs: "the module", is_for_verdicts: true }));
    }
    let is_kprobe = ["SEC(\"kprobe", "SEC(\"kretprobe"].iter().any(|sec| source.contains(sec));
    let has_kprobes = Path::new("/sys/bus/event_source/devices/kprobe").exists();
    if is_kprobe && !has_kprobes {
        return Ok(Some(Obstacle { needs: "a kernel with kprobes", is_for_verdicts: false }));
    }
    let injects =
        std::fs::read_to_string("/proc/kallsyms")?.contains("within_error_injection_list");
    if source.contains("SEC(\"fmod_ret") && !injects {
        let needs = "a kernel with CONFIG_FUNCTION_ERROR_INJECTION";
        return Ok(Some(Obstacle { needs, is_for_verdicts: true }));
    }
    Ok(None)
}

type Check = Box<dyn FnOnce() -> Result<()> + Send>;

fn check(
    setup: &Arc<Setup>,
    program: &Program,
    check: fn(&Setup, &Program) -> Result<()>,
) -> Check {
    let (setup, program) = (Arc::clone(setup), program.clone());
    Box::new(move || check(&setup, &program))
}

fn trial(kind: &str, program: &Program, obstacle: Option<Obstacle>, check: Check) -> Trial {
    let name = match obstacle {
        Some(obstacle) => {
            format!("{kind}::{} (needs {}: scripts/test kernel)", program.name, obstacle.needs)
        }
        None => format!("{kind}::{}", program.name),
    };
    Trial::test(name, move || check().map_err(|error| format!("{error:#}").into()))
        .with_ignored_flag(obstacle.is_some())
}

fn make(source: &Path, out: &Path) -> Result<()> {
    let mut make = Command::new("make");
    make.args(["-s", "-C"]).arg(source).arg(format!("OUT={}", out.display()));
    let output = make.output().context("make must be installed")?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "failed to build {}: {errors}", source.display());
    Ok(())
}
