// SPDX-License-Identifier: MIT OR Apache-2.0
//! `loader run`: programs that call functions of the application, from the verdict of this kernel
//! into the application.

use std::path::Path;
use std::process::{Command, Output};

use anyhow::{Context as _, Result, ensure};
use libtest_mimic::Trial;
use ufunc_tests::running::Host;

use crate::guest::{Maker, Module, checkout, loader, run, setup, text, trial};

const HOST: &str = "btf-base-complete";
/// Lends functions that take more than numbers and objects.
const GUESTBOOK: &str = "guestbook";

pub(crate) fn trials(maker: Maker) -> Vec<Trial> {
    type Test = fn() -> Result<()>;
    let tests: [(&str, Test); 5] = [
        ("the extension's calls reach the application", calls_reach_the_application),
        ("what leaks never reaches the application", leaks_never_do),
        ("into an application that runs", into_a_running_one),
        ("a bundle needs no module", a_bundle_needs_no_module),
        ("another build is refused", another_build_is_refused),
    ];
    let with_module = |(name, test): (&str, Test)| {
        trial(format!("run::{name}"), move || {
            let module = maker.load(HOST)?;
            test()?;
            module.unload()
        })
    };
    let mut trials: Vec<Trial> = tests.map(with_module).into();
    trials
        .push(trial("run::what ends early leaves nothing behind", what_ends_early_leaves_nothing));
    trials.push(trial("run::arguments of every kind reach the application", move || {
        let module = maker.load(GUESTBOOK)?;
        arguments_of_every_kind()?;
        module.unload()
    }));
    trials.push(trial("run::granted fields are read and written", move || {
        let module = maker.load("granted")?;
        granted_fields_are_read_and_written()?;
        module.unload()
    }));
    trials
}

/// What `bpf/` does to the accounts of the host `granted`, and that a bundle of it needs no module.
fn granted_fields_are_read_and_written() -> Result<()> {
    const UNCHANGED: &str =
        "balance 1005 limit 50 level 1 frozen 0 kind 2 trend -3 visits 1048575 place 4,5";
    const WRITTEN: &str =
        "balance 1005 limit -7 level 1 frozen 1 kind 5 trend -16 visits 1048575 place 4,55";
    const BORROWED: &str =
        "balance 1005 limit 9 level 1 frozen 0 kind 2 trend -3 visits 1048575 place 4,5";
    let cases: [(&str, &[&str]); 4] = [
        (
            "borrow_read",
            &["balance 1000 limit 50 trend -3", "last amount 30 receipt 7 t", UNCHANGED],
        ),
        ("read_element", &["sum 20 text rt end 0", UNCHANGED]),
        ("write_granted", &["own balance 1099511627776 limit 70", WRITTEN]),
        ("borrow_nothing", &["there: 1 nowhere: 0 0 0 0", BORROWED]),
    ];
    let app = "examples/granted";
    for (program, expected) in cases {
        let object = format!("bpf/{program}.bpf.o");
        let bundle = std::env::temp_dir().join(format!("{program}.ufb"));
        let bundle = bundle.to_string_lossy();
        let output = loader(["bundle", &object, "--app", app, "-o", &bundle])?;
        ensure!(output.status.success(), "{}", text(&output.stderr));
        let judged = ["run", &object, "--app", app, "--", "1"];
        let bundled = ["run", "--bundle", &bundle, "--app", app, "--", "1"];
        for arguments in [&judged[..], &bundled] {
            let output = loader(arguments.iter())?;
            let (printed, errors) = (text(&output.stdout), text(&output.stderr));
            ensure!(output.status.success(), "{}: {printed}{errors}", output.status);
            for text in expected {
                ensure!(printed.contains(text), "{program}: {text:?} is not in: {printed}{errors}");
            }
        }
    }
    Ok(())
}

/// An extension calls a function of the host that leaves by longjmp, a hundred times, each time with
/// an object in its hands.
fn what_ends_early_leaves_nothing() -> Result<()> {
    let data = checkout().join("tests/vm/data");
    let folder = std::env::temp_dir();
    let (app, object) = (folder.join("leaves"), folder.join("leaves.bpf.o"));
    let include = format!("/usr/include/{}-linux-gnu", std::env::consts::ARCH);
    let succeed = |command: &mut Command| -> Result<()> {
        let output = run(command)?;
        ensure!(output.status.success(), "{command:?}: {}", text(&output.stderr));
        Ok(())
    };
    let mut cc = Command::new("cc");
    succeed(cc.args(["-g", "-O1", "-Wl,--build-id", "-o"]).arg(&app).arg(data.join("leaves.c")))?;
    let mut clang = Command::new("clang");
    clang.args(["--target=bpfel", "-g", "-O2", "-I", &include, "-c", "-o"]).arg(&object);
    succeed(clang.arg(data.join("leaves.bpf.c")))?;
    let module = folder.join("leaves.ko");
    let mut ko = Command::new(checkout().join("target/debug/ufunc-gen"));
    ko.arg("ko").arg(&app).arg("--policy").arg(data.join("leaves.toml"));
    succeed(ko.arg("-o").arg(&module))?;
    let module = Module::insmod(&module)?;
    let mut command = crate::guest::loader_command();
    let output = run(command.arg("run").arg(&object).arg("--app").arg(&app))?;
    let (printed, errors) = (text(&output.stdout), text(&output.stderr));
    ensure!(output.status.success(), "{}: {printed}{errors}", output.status);
    ensure!(printed.contains("held at most 1"), "{printed}");
    module.unload()
}

/// What the host prints is what the extension passed: strings, bytes of the stack and of a map, an
/// object and none.
fn arguments_of_every_kind() -> Result<()> {
    let cases: [(&str, &[&str]); 4] = [
        ("say_string", &["said at level 1: from a literal", "said at level 2: from a constant"]),
        ("write_buffer", &["4 bytes: 01 02 03 04", "2 bytes: 11 20", "2 bytes: 12 20"]),
        ("remark_nobody", &["remark 1 about nobody", "remark 2 about guest 7"]),
        ("settle_sleepable", &["settled"]),
    ];
    for (program, expected) in cases {
        let object = format!("bpf/{program}.bpf.o");
        let app = format!("examples/{GUESTBOOK}");
        let output = loader(["run", &object, "--app", &app, "--", "2"])?;
        let (printed, errors) = (text(&output.stdout), text(&output.stderr));
        ensure!(output.status.success(), "{program}: {}: {printed}{errors}", output.status);
        for line in expected {
            ensure!(printed.lines().any(|other| other == *line), "{line:?} is not in: {printed}");
        }
        ensure!(printed.contains("greeted Ada 2 times"), "{program}: {printed}");
    }
    Ok(())
}

fn run_object(program: &str, arguments: &[&str]) -> Result<Output> {
    let object = format!("bpf/{program}.bpf.o");
    let app = format!("examples/{HOST}");
    loader([&["run", &object, "--app", &app][..], arguments].concat())
}

/// Fails unless the host printed what it does with an extension that acquires and releases.
fn check_calls(printed: &str) -> Result<()> {
    for line in [
        "[main] my_alloc_data() = object #1",
        "[extension] my_alloc_data() = object #2",
        "[extension] my_free_data(object #2)",
        "add_test(d) = 4",
        "[main] my_free_data(object #1)",
    ] {
        ensure!(printed.lines().any(|other| other == line), "{line:?} is not in: {printed}");
    }
    Ok(())
}

fn calls_reach_the_application() -> Result<()> {
    let output = run_object("alloc_free", &["--", "1"])?;
    let (printed, errors) = (text(&output.stdout), text(&output.stderr));
    ensure!(output.status.success(), "{}: {printed}{errors}", output.status);
    check_calls(&printed)
}

fn leaks_never_do() -> Result<()> {
    let output = run_object("leak", &["--", "1"])?;
    let (printed, errors) = (text(&output.stdout), text(&output.stderr));
    ensure!(output.status.code() == Some(1), "{}: {printed}{errors}", output.status);
    ensure!(errors.contains("Unreleased reference"), "{errors}");
    ensure!(!printed.contains("my_alloc_data()"), "the host was started: {printed}");
    Ok(())
}

fn into_a_running_one() -> Result<()> {
    let folder = std::env::temp_dir();
    let printed = folder.join("run-host");
    let host = Host::start(&setup().host(HOST), &printed)?;
    let pid = host.pid().to_string();
    let output = run_object("alloc_free", &["--pid", &pid, "--duration", "1"])?;
    ensure!(output.status.success(), "{}", text(&output.stderr));
    let said = std::fs::read_to_string(&printed)?;
    ensure!(said.contains("[extension] my_alloc_data()"), "{said}");
    ensure!(said.contains("[extension] my_free_data("), "{said}");
    // What is taken out does nothing any more.
    let before = std::fs::read_to_string(&printed)?.len();
    host.goes_on(&printed)?;
    let after = std::fs::read_to_string(&printed)?;
    let after = after.get(before..).context("the host began anew")?;
    ensure!(!after.contains("[extension]"), "{after}");
    Ok(())
}

fn a_bundle_needs_no_module() -> Result<()> {
    let bundle = std::env::temp_dir().join("alloc_free.ufb");
    let bundle = bundle.to_string_lossy();
    let app = format!("examples/{HOST}");
    let arguments = ["bundle", "bpf/alloc_free.bpf.o", "--app", &app, "-o", &bundle];
    let output = loader(arguments)?;
    ensure!(output.status.success(), "{}", text(&output.stderr));
    // Gone, as on a machine that never had it.
    run(Command::new("rmmod").arg("ufunc"))?;
    let output = loader(["run", "--bundle", &bundle, "--app", &app, "--", "1"])?;
    let (printed, errors) = (text(&output.stdout), text(&output.stderr));
    ensure!(output.status.success(), "{}: {printed}{errors}", output.status);
    check_calls(&printed)?;
    Maker::of_this_run()?.load(HOST).map(std::mem::forget)
}

fn another_build_is_refused() -> Result<()> {
    let printed = std::env::temp_dir().join("run-other");
    let other = checkout().join("examples/btf-base");
    let host = Host::start(Path::new(&other), &printed)?;
    let pid = host.pid().to_string();
    let output = run_object("alloc_free", &["--pid", &pid])?;
    let errors = text(&output.stderr);
    ensure!(output.status.code() == Some(2), "{}: {errors}", output.status);
    ensure!(errors.contains("for which the programs were judged"), "{errors}");
    host.goes_on(&printed)
}
