// SPDX-License-Identifier: MIT OR Apache-2.0
//! Modules that the loader makes for one call: they are there while it lasts, and gone afterwards,
//! however it ends.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use libtest_mimic::Trial;
use serde_json::Value;

use crate::guest::{KernelLog, Maker, Module, built, checkout, loader_command, run, text, trial};

/// Calls one after the other, with nothing in the kernel's log.
const IN_A_ROW: usize = 10;
/// How long a module may take to come or go, on an emulated machine.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn trials(maker: Maker) -> Vec<Trial> {
    let mut trials = vec![
        trial("auto::accepts_and_rejects", accepts_and_rejects),
        trial("auto::two_builds_in_one_call", move || two_builds(maker)),
        trial("auto::a_loaded_module_is_taken_first", move || loaded_first(maker)),
    ];
    // What concerns no kernel in particular is tried where no other module is built.
    if maker == Maker::UfuncGen {
        trials.extend([
            trial("auto::many_in_a_row_in_silence", many_in_a_row),
            trial("auto::two_at_once", two_at_once),
            trial("auto::signals_take_it_out", signals),
            trial("auto::the_next_call_takes_out_what_was_killed", killed),
            trial("auto::attached_programs_keep_it", attached),
            trial("auto::policy_and_prefix", policy),
            trial("auto::what_is_not_lent_is_said", not_lent),
        ]);
    }
    trials
}

fn app() -> PathBuf {
    checkout().join("examples/btf-base-complete")
}

fn object(name: &str) -> PathBuf {
    checkout().join("bpf").join(format!("{name}.bpf.o"))
}

/// `loader verify` of the program `name`.
fn verify(name: &str, more: &[&str]) -> Command {
    let mut command = loader_command();
    command.arg("verify").arg(object(name)).arg("--app").arg(app()).args(more);
    command
}

/// The modules in the kernel that were made for a call.
fn made() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir("/sys/module")? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.starts_with("ufunc_") {
            names.push(name);
        }
    }
    Ok(names)
}

fn ensure_none_is_left() -> Result<()> {
    let left = made()?;
    ensure!(left.is_empty(), "there are still modules: {left:?}");
    Ok(())
}

/// Waits until there are so many of these modules.
fn wait_for(count: usize) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while made()?.len() != count {
        ensure!(
            Instant::now() < deadline,
            "waited for {count} modules, and there are {:?}",
            made()?
        );
        sleep(Duration::from_millis(2));
    }
    Ok(())
}

fn ensure_status(output: &Output, status: i32) -> Result<()> {
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    ensure!(output.status.code() == Some(status), "{}\n{out}\n{err}", output.status);
    Ok(())
}

fn json(output: &Output) -> Result<Value> {
    let context = || format!("no JSON: {}{}", text(&output.stdout), text(&output.stderr));
    serde_json::from_slice(&output.stdout).with_context(context)
}

fn accepts_and_rejects() -> Result<()> {
    let output = run(&mut verify("alloc_free", &[]))?;
    ensure_status(&output, 0)?;
    let expected = "module made for this call: my_alloc_data, my_free_data";
    ensure!(text(&output.stdout).contains(expected), "{}", text(&output.stdout));
    ensure_none_is_left()?;
    let output = run(&mut verify("leak", &["--json"]))?;
    ensure_status(&output, 1)?;
    let document = json(&output)?;
    ensure!(document["module_made"] == true, "{document}");
    // What makes its names its own is nowhere to be seen.
    let module = document["module"].as_str().context("no module")?;
    let reported = text(&output.stdout);
    ensure!(!reported.contains(&format!("{module}_")), "{reported}");
    ensure!(document["programs"][0]["acquired_by"] == "my_alloc_data", "{document}");
    ensure_none_is_left()
}

fn many_in_a_row() -> Result<()> {
    // That out-of-tree modules taint the kernel is said once.
    ensure_status(&run(&mut verify("alloc_free", &[]))?, 0)?;
    let log = KernelLog::from_now()?;
    for call in 0..IN_A_ROW {
        let (name, status) = if call % 2 == 0 { ("alloc_free", 0) } else { ("leak", 1) };
        ensure_status(&run(&mut verify(name, &[]))?, status)?;
        ensure_none_is_left()?;
    }
    let said = log.text()?;
    ensure!(said.is_empty(), "the kernel has something to say: {said}");
    Ok(())
}

/// Starts it without waiting for its end.
fn start(mut command: Command) -> Result<Child> {
    let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().with_context(|| format!("failed to run {command:?}"))
}

fn two_at_once() -> Result<()> {
    for _ in 0..3 {
        let (one, other) = (start(verify("alloc_free", &[]))?, start(verify("leak", &[]))?);
        ensure_status(&one.wait_with_output()?, 0)?;
        ensure_status(&other.wait_with_output()?, 1)?;
    }
    ensure_none_is_left()
}

/// The same names, and structs of the same names, in two modules.
fn two_builds(maker: Maker) -> Result<()> {
    let other = match maker {
        Maker::Kbuild => built("hosts-clang/btf-base-complete"),
        Maker::UfuncGen => checkout().join("examples/annotated"),
    };
    let other = other.to_str().context("a path is no text")?;
    let output = run(&mut verify("alloc_free", &["--app", other, "--json"]))?;
    let document = json(&output)?;
    let combinations = document["combinations"].as_array().context("no combinations")?;
    ensure!(combinations.len() == 2, "{document}");
    ensure!(combinations[0]["verdict"] == "accepted", "{document}");
    if maker == Maker::Kbuild {
        ensure_status(&output, 0)?;
        ensure!(combinations[0]["module"] != combinations[1]["module"], "{document}");
    }
    ensure_none_is_left()
}

/// Attached programs are there until a signal comes; `verify` is over too soon to be sure.
fn endless() -> Command {
    let mut command = loader_command();
    command.arg("attach").arg(object("alloc_free")).arg("--app").arg(app()).arg("--allow-stubs");
    command
}

fn signals() -> Result<()> {
    for signal in ["-INT", "-TERM", "-HUP"] {
        // Over and over, each time a bit later, so that every part of a call is hit.
        for delay in [0, 5, 20, 60] {
            let child = start(verify("alloc_free", &["--log", "full"]))?;
            wait_for_module_or_end(&child)?;
            sleep(Duration::from_millis(delay));
            run(Command::new("kill").args([signal, &child.id().to_string()]))?;
            child.wait_with_output()?;
            ensure_none_is_left().with_context(|| format!("{signal} after {delay} ms"))?;
        }
    }
    Ok(())
}

/// Waits until the call has its module in the kernel, or is over.
fn wait_for_module_or_end(child: &Child) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while made()?.is_empty() {
        let stat = fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap_or_default();
        if stat.is_empty() || stat.contains(") Z ") {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "it neither ends nor loads a module");
        sleep(Duration::from_millis(2));
    }
    Ok(())
}

fn killed() -> Result<()> {
    let mut child = start(endless())?;
    wait_for(1)?;
    child.kill()?;
    child.wait()?;
    ensure!(made()?.len() == 1, "a killed process cannot have taken it out: {:?}", made()?);
    // Its programs go a moment after it.
    let deadline = Instant::now() + PATIENCE;
    loop {
        ensure_status(&run(&mut verify("alloc_free", &[]))?, 0)?;
        if made()?.is_empty() {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "nobody takes it out: {:?}", made()?);
    }
}

fn attached() -> Result<()> {
    let child = start(endless())?;
    wait_for(1)?;
    // Another one neither takes it out nor is disturbed by it.
    for _ in 0..3 {
        ensure_status(&run(&mut verify("alloc_free", &[]))?, 0)?;
        ensure!(made()?.len() == 1, "{:?}", made()?);
    }
    let host = run(&mut Command::new(app()))?;
    ensure!(host.status.success(), "the host fell over: {}", text(&host.stderr));
    run(Command::new("kill").args(["-INT", &child.id().to_string()]))?;
    ensure_status(&child.wait_with_output()?, 0)?;
    ensure_none_is_left()
}

fn loaded_first(maker: Maker) -> Result<()> {
    let module: Module = maker.load("btf-base-complete")?;
    let module_of = |more: &[&str]| -> Result<(Value, Value)> {
        let output =
            run(verify("alloc_free", &[&["--json"], more].concat()).stderr(Stdio::null()))?;
        ensure_status(&output, 0)?;
        let document = json(&output)?;
        Ok((document["module"].clone(), document["module_made"].clone()))
    };
    for more in [&[][..], &["--module", "ufunc"], &["--module", "none"]] {
        ensure!(
            module_of(more)? == ("ufunc".into(), false.into()),
            "{more:?}: {:?}",
            module_of(more)?
        );
    }
    ensure!(module_of(&["--module", "auto"])?.1 == true, "{:?}", module_of(&["--module", "auto"])?);
    module.unload()?;
    let output = run(&mut verify("alloc_free", &["--module", "none"]))?;
    ensure_status(&output, 2)?;
    let output = run(&mut verify("alloc_free", &["--module", "ufunc"]))?;
    ensure_status(&output, 2)?;
    ensure!(text(&output.stderr).contains("no module ufunc is loaded"), "{}", text(&output.stderr));
    ensure_none_is_left()
}

fn policy() -> Result<()> {
    let policy = std::env::temp_dir().join("auto-policy.toml");
    let write = |text: &str| fs::write(&policy, text).context("failed to write the policy");
    let shown = policy.to_string_lossy().into_owned();
    write("[[ufunc]]\nfunction = \"my_alloc_data\"\nrole = \"acquire\"\n")?;
    let output = run(&mut verify("alloc_free", &["--policy", &shown]))?;
    ensure_status(&output, 2)?;
    ensure!(text(&output.stderr).contains("lends my_alloc_data"), "{}", text(&output.stderr));
    // What is plain need not be released.
    write(
        "[[ufunc]]\nfunction = \"my_alloc_data\"\nrole = \"plain\"\n[[ufunc]]\nfunction = \"my_free_data\"\nrole = \"plain\"\n",
    )?;
    ensure_status(&run(&mut verify("leak", &["--policy", &shown]))?, 0)?;
    let output = run(&mut verify("alloc_free", &["--prefix", "app_"]))?;
    ensure_status(&output, 2)?;
    ensure!(text(&output.stderr).contains("lends app_my_alloc_data"), "{}", text(&output.stderr));
    ensure_none_is_left()
}

fn not_lent() -> Result<()> {
    let other = Path::new("/proc/self/exe");
    let output =
        run(loader_command().arg("verify").arg(object("alloc_free")).arg("--app").arg(other))?;
    ensure_status(&output, 2)?;
    let error = text(&output.stderr);
    ensure!(error.contains("my_alloc_data and my_free_data are declared by no loaded"), "{error}");
    ensure_none_is_left()
}
