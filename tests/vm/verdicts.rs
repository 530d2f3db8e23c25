// SPDX-License-Identifier: MIT OR Apache-2.0
//! Every program in `bpf/` gets the verdict that its header comment expects, and does, attached,
//! what that says.

use std::fs;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result, ensure};
use libtest_mimic::Trial;
use object::{Object as _, ObjectSection as _, ObjectSymbol as _};
use serde_json::Value;
use ufunc_tests::verdict::Verdict;
use ufunc_tests::{Program, attached, pinned, verdict};

use crate::guest::{
    Maker, Module, built, checkout, loader_command, run, setup, synthesise, text, trial,
};

/// The examples that lend something, and so have a module.
pub(crate) const LENDERS: [&str; 4] = ["annotated", "btf-base-complete", "granted", "guestbook"];

/// What the verifier said of each program, to be compared with what others say.
static TABLE: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Prints what the verifier said of each program, in lines that `scripts/test` knows again.
pub(crate) fn print_table() {
    let table = TABLE.lock().unwrap_or_else(PoisonError::into_inner);
    table.iter().for_each(|line| println!("verdict\t{line}"));
}

/// All programs, in order.
pub(crate) fn programs() -> Result<Vec<Program>> {
    Program::all(&checkout().join("bpf"))
}

pub(crate) fn trials(maker: Maker) -> Result<Vec<Trial>> {
    let mut trials = Vec::new();
    for program in programs()? {
        let name = format!("verdict::{}", program.name);
        let is_attached = program.cases.iter().any(|case| !case.signs.is_empty());
        // How programs are attached has nothing to do with where modules come from.
        if is_attached && maker == Maker::Kbuild {
            let program = program.clone();
            let name = format!("attached::{}", program.name);
            trials.push(trial(name, move || attached::check(&setup(), &program)));
        }
        trials.push(trial(name, move || check(maker, &program)));
    }
    trials.push(trial("verdict::without_the_module", without_the_module));
    trials.push(trial("verdict::module_without_types", module_without_types));
    if maker == Maker::Kbuild {
        trials.push(trial("attached::pinned_and_mapped", || pinned::check(&setup())));
        trials.push(trial("verdict::module_of_another_build", module_of_another_build));
    }
    Ok(trials)
}

/// With the module of the program's host, if that lends something.
fn check(maker: Maker, program: &Program) -> Result<()> {
    let lender = program.cases.iter().find(|case| LENDERS.contains(&case.host.as_str()));
    let module = lender.map(|case| maker.load(&case.host)).transpose()?;
    let judged = verdict::check(&setup(), program)?;
    drop(module);
    let said = |field: &str| judged[field].as_str().unwrap_or_default().to_owned();
    let line = format!("{}\t{}\t{}", program.name, said("verdict"), said("reason"));
    TABLE.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    Ok(())
}

/// Has `object` judged for `host`.
pub(crate) fn verify(object: &Path, host: &Path) -> Result<Verdict> {
    Verdict::of(&setup(), object, host)
}

/// `loader verify` of `alloc_free` for `host` with the modules that are loaded, and no other.
fn with_loaded_modules(host: &Path) -> Result<(Option<i32>, Value)> {
    let mut command = loader_command();
    command.args(["verify", "bpf/alloc_free.bpf.o", "--json", "--module", "none", "--app"]);
    let output = run(command.arg(host))?;
    let json = serde_json::from_slice(&output.stdout)
        .with_context(|| format!("no JSON: {}", text(&output.stderr)))?;
    Ok((output.status.code(), json))
}

fn without_the_module() -> Result<()> {
    let (status, json) = with_loaded_modules(&checkout().join("examples/btf-base-complete"))?;
    let error = json["error"].as_str().unwrap_or_default();
    ensure!(status == Some(2), "exit status {status:?}: {json}");
    ensure!(error.contains("insmod"), "the error does not say to insmod: {error:?}");
    ensure!(error.contains("my_alloc_data"), "the error does not name the ufunc: {error:?}");
    Ok(())
}

/// A module has the functions, but its `.BTF` section was stripped. Registering them would fail
/// then, so it does not.
fn module_without_types() -> Result<()> {
    /// xor eax, eax; ret
    const RETURN_0: [u8; 3] = [0x31, 0xc0, 0xc3];
    let file = synthesise("btf-base-complete")?;
    let mut bytes = fs::read(&file)?;
    let is_name = |bytes: &[u8]| bytes == b"\0.BTF\0";
    let name = bytes.windows(6).position(is_name).context("the module has no .BTF")?;
    let elf = object::File::parse(&*bytes)?;
    let init = elf.symbol_by_name("init_module").context("the module has no init_module")?;
    let text = elf.section_by_name(".text").context("the module has no .text")?;
    let (text, _) = text.file_range().context(".text is not in the file")?;
    let init = (text + init.address()) as usize;
    bytes[name + 1] = b'_';
    bytes[init..init + RETURN_0.len()].copy_from_slice(&RETURN_0);
    fs::write(&file, bytes)?;
    let _module = Module::insmod(&file)?;
    let (status, json) = with_loaded_modules(&checkout().join("examples/btf-base-complete"))?;
    let error = json["error"].as_str().unwrap_or_default();
    ensure!(status == Some(2), "exit status {status:?}: {json}");
    ensure!(error.contains("knows no types of that module"), "{error}");
    Ok(())
}

fn module_of_another_build() -> Result<()> {
    let _module = Module::load(&built("modules/btf-base-complete"))?;
    let other = built("hosts-clang/btf-base-complete");
    let (status, json) = with_loaded_modules(&other)?;
    let error = json["error"].as_str().unwrap_or_default();
    ensure!(status == Some(2), "exit status {status:?}: {json}");
    ensure!(error.contains("build"), "the error does not speak of builds: {error:?}");
    // Left to itself, the loader makes the one of this build.
    let verdict = verify(&checkout().join("bpf/alloc_free.bpf.o"), &other)?;
    ensure!(verdict.status == 0 && verdict.json["module_made"] == true, "{}", verdict.json);
    Ok(())
}
