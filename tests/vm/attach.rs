// SPDX-License-Identifier: MIT OR Apache-2.0
//! `loader attach` and `loader doctor` where it takes this kernel: hooks that other kernels lack,
//! and programs that call functions of an application.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use libtest_mimic::Trial;
use serde_json::Value;

use crate::guest::{Module, built, checkout, loader, loader_command, run, text, trial};

/// What `loader attach` says when all is attached.
const ATTACHED: &str = "note: attached; Ctrl-C detaches";

pub(crate) fn trials() -> Vec<Trial> {
    const HOOKS: [(&str, &[&str]); 8] = [
        ("kernel_function", &[]),
        ("kernel_return", &[]),
        ("kernel_functions", &[]),
        ("syscall", &[]),
        ("entry", &[]),
        ("exit_bare", &["--func", "__x64_sys_getpgid"]),
        ("tracepoint", &[]),
        ("typed", &[]),
    ];
    let mut trials: Vec<Trial> = HOOKS
        .into_iter()
        .map(|(program, arguments)| {
            trial(format!("attach::{program}"), move || counts(program, arguments))
        })
        .collect();
    trials.push(trial("attach::stubs_are_not_attached", stubs_are_not_attached));
    trials.push(trial("attach::stubs_may_be_studied", stubs_may_be_studied));
    trials.push(trial("attach::rejected_is_explained", rejected_is_explained));
    trials.push(trial("doctor::asks_for_what_is_registered", what_is_registered));
    trials
}

/// The object with a program of each kind, and the host that it is for.
fn object() -> PathBuf {
    built("attach/attach.bpf.o")
}

fn host() -> PathBuf {
    built("attach/attach_host")
}

/// A `loader attach` that runs.
struct Attached(Child);

impl Attached {
    fn start(arguments: &[&Path]) -> Result<Self> {
        let mut command = loader_command();
        command.arg("attach").args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().context("failed to run loader attach")?;
        let mut stderr = BufReader::new(child.stderr.take().context("no stderr")?);
        let mut said = String::new();
        while !said.trim_end().ends_with(ATTACHED) {
            let length = stderr.read_line(&mut said)?;
            ensure!(length > 0, "loader attach ended: {said}");
        }
        Ok(Attached(child))
    }

    /// Ends it as Ctrl-C does; what it wrote.
    fn interrupt(mut self) -> Result<String> {
        run(Command::new("kill").args(["-INT", &self.0.id().to_string()]))?;
        let mut text = String::new();
        self.0.stdout.take().context("no stdout")?.read_to_string(&mut text)?;
        let status = self.0.wait()?;
        ensure!(status.success(), "loader attach ended with {status}: {text}");
        Ok(text)
    }
}

/// The program counts the calls that are made while it is attached.
fn counts(program: &str, arguments: &[&str]) -> Result<()> {
    let (object, host) = (object(), host());
    let mut all: Vec<&Path> = vec![&object, Path::new("--app"), &host];
    all.extend(["--program", program, "--dump", ".bss", "--json"].map(Path::new));
    all.extend(arguments.iter().map(Path::new));
    let attached = Attached::start(&all)?;
    for _ in 0..3 {
        run(Command::new(&host).arg("1"))?;
        getpgid();
    }
    let text = attached.interrupt()?;
    let last = text.lines().find(|line| line.contains("\"type\":\"map\""));
    let map: Value = serde_json::from_str(last.with_context(|| format!("no map in {text}"))?)?;
    let counter = map["entries"][0]["value"]["counter"].as_u64().unwrap_or_default();
    ensure!(counter >= 3, "it ran {counter} times: {text}");
    Ok(())
}

/// Makes the system call that most of the programs are on.
fn getpgid() {
    // What it answers does not matter.
    let _ = rustix::process::getpgid(None);
}

fn example() -> (PathBuf, PathBuf) {
    let object = checkout().join("bpf/alloc_free.bpf.o");
    (object, checkout().join("examples/btf-base-complete"))
}

fn stubs_are_not_attached() -> Result<()> {
    let _module = Module::load(&built("modules/btf-base-complete"))?;
    let (object, app) = example();
    let output = loader([Path::new("attach"), &object, Path::new("--app"), &app])?;
    let error = text(&output.stderr);
    ensure!(output.status.code() == Some(2), "{:?}: {error}", output.status);
    for part in ["calls my_alloc_data and my_free_data", "loader run", "--allow-stubs"] {
        ensure!(error.contains(part), "the error does not say {part:?}: {error}");
    }
    Ok(())
}

fn stubs_may_be_studied() -> Result<()> {
    let _module = Module::load(&built("modules/btf-base-complete"))?;
    let (object, app) = example();
    let arguments: [&Path; 4] = [&object, Path::new("--app"), &app, Path::new("--allow-stubs")];
    let attached = Attached::start(&arguments)?;
    let host = run(&mut Command::new(&app))?;
    ensure!(host.status.success(), "the host fell over: {}", text(&host.stderr));
    let host = text(&host.stdout);
    ensure!(!host.contains("[extension]"), "the stub called the application: {host}");
    attached.interrupt()?;
    Ok(())
}

fn rejected_is_explained() -> Result<()> {
    let _module = Module::load(&built("modules/btf-base-complete"))?;
    let object = checkout().join("bpf/leak.bpf.o");
    let (_, app) = example();
    let output = loader([Path::new("attach"), &object, Path::new("--app"), &app])?;
    let error = text(&output.stderr);
    ensure!(output.status.code() == Some(1), "{:?}: {error}", output.status);
    ensure!(error.contains("acquired here by my_alloc_data"), "it is not explained: {error}");
    Ok(())
}

/// The module's line in what the doctor says.
fn module_check() -> Result<Value> {
    let output = loader(["doctor", "--json"])?;
    let document: Value = serde_json::from_slice(&output.stdout)
        .with_context(|| format!("no JSON: {}", text(&output.stderr)))?;
    let checks = document["checks"].as_array().context("no checks")?;
    let is_module =
        |check: &&Value| check["name"].as_str().is_some_and(|name| name.starts_with("module"));
    checks.iter().find(is_module).cloned().context("nothing is said of modules")
}

fn what_is_registered() -> Result<()> {
    let check = module_check()?;
    let found = check["found"].as_str().unwrap_or_default();
    ensure!(check["state"] == "ok" && found.contains("the loader makes one"), "{check}");
    let _module = Module::load(&built("modules/btf-base-complete"))?;
    let check = module_check()?;
    let found = check["found"].as_str().unwrap_or_default();
    ensure!(check["state"] == "ok", "{check}");
    for part in ["btf-base-complete", "my_alloc_data, my_free_data", "uprobe and kprobe"] {
        ensure!(found.contains(part), "{part:?} is not in {check}");
    }
    Ok(())
}
