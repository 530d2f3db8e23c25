// SPDX-License-Identifier: MIT OR Apache-2.0
//! The module comes and goes: alone, under a program that uses it, and many times.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use libtest_mimic::Trial;

use crate::guest::{KernelLog, Module, built, checkout, run, text, trial};

const CYCLES: u32 = 200;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("lifecycle::says_what_it_registered", says_what_it_registered),
        trial("lifecycle::has_btf_without_pahole", has_btf),
        trial("lifecycle::stays_while_a_program_uses_it", stays_while_in_use),
        trial("lifecycle::two_hundred_cycles", cycles),
    ]
}

fn example() -> Result<Module> {
    Module::load(&built("modules/btf-base-complete"))
}

fn says_what_it_registered() -> Result<()> {
    let log = KernelLog::from_now()?;
    let module = example()?;
    let log = log.text()?;
    for expected in
        ["btf-base-complete", "my_alloc_data: KF_ACQUIRE | KF_RET_NULL", "my_free_data: KF_RELEASE"]
    {
        ensure!(log.contains(expected), "dmesg does not say {expected:?}:\n{log}");
    }
    module.unload()
}

fn has_btf() -> Result<()> {
    let module = example()?;
    let dump = run(Command::new("bpftool").args(["btf", "dump", "file", "/sys/kernel/btf/ufunc"]))?;
    let dump = text(&dump.stdout);
    for expected in [
        "FUNC 'my_alloc_data'",
        "STRUCT 'data' size=24 vlen=5",
        "STRUCT 'deep_memory_block' size=16 vlen=2",
        "DECL_TAG 'bpf_kfunc'",
    ] {
        ensure!(dump.contains(expected), "the module's BTF has no {expected:?}:\n{dump}");
    }
    module.unload()?;
    ensure!(!Path::new("/sys/kernel/btf/ufunc").exists(), "its BTF outlives the module");
    Ok(())
}

fn stays_while_in_use() -> Result<()> {
    let pin = "/sys/fs/bpf/ufunc_in_use";
    let module = example()?;
    let object = checkout().join("bpf/alloc_free.bpf.o");
    let load = run(Command::new("bpftool").args(["prog", "load"]).arg(object).arg(pin))?;
    ensure!(load.status.success(), "bpftool could not load: {}", text(&load.stderr));
    let refused = run(Command::new("rmmod").arg("ufunc"))?;
    fs::remove_file(pin).context("failed to remove the pin")?;
    ensure!(!refused.status.success(), "rmmod took the module from under a loaded program");
    // The kernel frees the program a moment later.
    let deadline = Instant::now() + Duration::from_secs(20);
    while !run(Command::new("rmmod").arg("ufunc"))?.status.success() {
        ensure!(Instant::now() < deadline, "the module stays busy after its program is gone");
        std::thread::sleep(Duration::from_millis(50));
    }
    std::mem::forget(module);
    Ok(())
}

fn cycles() -> Result<()> {
    for cycle in 0..CYCLES {
        example().and_then(Module::unload).with_context(|| format!("in cycle {cycle}"))?;
    }
    Ok(())
}
