// SPDX-License-Identifier: MIT OR Apache-2.0
//! Modules that `ufunc-gen` makes by itself: kernels take them, again and again and whatever they
//! declare, and cannot tell them from those in Rust.

use std::ffi::CString;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use libtest_mimic::Trial;
use ufunc_gen::debugfile::{DebugFiles, Search};
use ufunc_gen::dwarf::{DebugInfo, SplitFiles};
use ufunc_gen::elf::HostFile;
use ufunc_gen::module;
use ufunc_gen::module::object::{self, Kernel};
use ufunc_gen::ufunc::{self, Choice};

use crate::guest::{KernelLog, Maker, built, checkout, run, setup, text, trial};
use crate::verdicts::{LENDERS, programs, verify};

const CYCLES: u32 = 500;

pub(crate) fn trials(maker: Maker) -> Result<Vec<Trial>> {
    let mut trials = vec![
        trial("ko::five_hundred_cycles_in_silence", cycles),
        trial("ko::several_at_once", several_at_once),
        trial("ko::types_that_continue_the_kernels", types_that_continue_the_kernels),
        trial("ko::a_kernel_of_another_release_refuses", another_release),
    ];
    let folder = built("random");
    let hosts = fs::read_dir(&folder).with_context(|| format!("no {}", folder.display()))?;
    let mut hosts = hosts.map(|host| Ok(host?.path())).collect::<Result<Vec<_>>>()?;
    ensure!(!hosts.is_empty(), "no applications with random functions were built");
    hosts.sort();
    trials.push(trial("ko::random_functions", move || {
        let load = |host: &std::path::PathBuf| {
            Loaded::new(&make(host, "random_ufuncs", |_| {})?, "random_ufuncs")
                .and_then(Loaded::unload)
                .with_context(|| format!("with {}", host.display()))
        };
        hosts.iter().try_for_each(load)
    }));
    if maker == Maker::Kbuild {
        trials.push(trial("ko::types_are_those_of_the_module_in_rust", same_types));
        trials.push(trial("ko::verdicts_are_those_of_the_module_in_rust", same_verdicts));
    }
    Ok(trials)
}

/// The module of the application at `app` for the running kernel, of which `change` may have
/// another idea.
fn make(app: &Path, name: &str, change: impl FnOnce(&mut Kernel)) -> Result<Vec<u8>> {
    let file = HostFile::open(app)?;
    let host = file.parse()?;
    let search = Search::default();
    let files = DebugFiles::find(&host, &search)?;
    let sections = files.load()?;
    let split = SplitFiles::find(&host, &files, &search, &sections)?;
    let debug = DebugInfo::new(&sections, &split)?;
    let choice = Choice { infer: true, ..Choice::default() };
    let chosen = ufunc::choose(&host, &files.functions(&host)?, &debug, &choice)?;
    let module = module::Module::new(&host, &debug, chosen.ufuncs, chosen.accessors)?;
    let (mut kernel, _) = Kernel::running()?;
    change(&mut kernel);
    object::build(&module, &kernel, name)
}

fn example() -> std::path::PathBuf {
    checkout().join("examples/btf-base-complete")
}

/// A module that was loaded without the help of a command, which would take most of the time.
struct Loaded {
    name: CString,
}

impl Loaded {
    fn new(bytes: &[u8], name: &str) -> Result<Self> {
        let log = KernelLog::from_now()?;
        if let Err(error) = rustix::system::init_module(bytes, c"") {
            anyhow::bail!("the kernel refuses the module: {error}\n{}", log.text()?);
        }
        let btf = Path::new("/sys/kernel/btf").join(name);
        ensure!(btf.exists(), "the kernel has no types of the module: {}", log.text()?);
        Ok(Loaded { name: CString::new(name)? })
    }

    fn unload(self) -> Result<()> {
        rustix::system::delete_module(&self.name, NON_BLOCKING).context("failed to unload")
    }
}

/// `O_NONBLOCK`, without which the kernel does not take a module out.
const NON_BLOCKING: i32 = rustix::fs::OFlags::NONBLOCK.bits() as i32;

fn cycles() -> Result<()> {
    let module = make(&example(), "cycled", |_| {})?;
    // That out-of-tree modules taint the kernel is said once.
    Loaded::new(&module, "cycled")?.unload()?;
    let log = KernelLog::from_now()?;
    for cycle in 0..CYCLES {
        rustix::system::init_module(&module, c"").with_context(|| format!("in cycle {cycle}"))?;
        let unload = || rustix::system::delete_module(c"cycled", NON_BLOCKING);
        unload().with_context(|| format!("in cycle {cycle}"))?;
    }
    let said = log.text()?;
    ensure!(said.is_empty(), "the kernel has something to say: {said}");
    Ok(())
}

/// Modules of different applications, under names of their own.
fn several_at_once() -> Result<()> {
    let mut loaded = Vec::new();
    for (index, host) in LENDERS.iter().enumerate() {
        let name = format!("ufunc_{index}");
        let module = make(&checkout().join("examples").join(host), &name, |_| {})?;
        loaded.push(Loaded::new(&module, &name)?);
    }
    loaded.into_iter().try_for_each(Loaded::unload)
}

/// What kernels before 6.11 get: ids and names relative to the running kernel's types. All later
/// ones understand it, too.
fn types_that_continue_the_kernels() -> Result<()> {
    let module = make(&example(), "ufunc", |kernel| kernel.distilled_base = false)?;
    let loaded = Loaded::new(&module, "ufunc")?;
    let verdict = |name: &str| verify(&checkout().join("bpf").join(name), &example());
    let (accepted, rejected) = (verdict("alloc_free.bpf.o")?, verdict("leak.bpf.o")?);
    loaded.unload()?;
    ensure!((accepted.status, rejected.status) == (0, 1), "{:?}", rejected.programs()?);
    Ok(())
}

/// The last line of defence, which is not ours.
fn another_release() -> Result<()> {
    let module = make(&example(), "ufunc", |kernel| {
        kernel.vermagic = kernel.vermagic.replacen(' ', "-other ", 1).replace("modversions ", "");
    })?;
    let Err(_) = Loaded::new(&module, "ufunc") else {
        anyhow::bail!("the kernel loaded a module of another release");
    };
    Ok(())
}

/// What `bpftool` shows of the loaded module's types.
fn dump() -> Result<String> {
    let output =
        run(Command::new("bpftool").args(["btf", "dump", "file", "/sys/kernel/btf/ufunc"]))?;
    ensure!(output.status.success(), "bpftool: {}", text(&output.stderr));
    Ok(text(&output.stdout))
}

fn same_types() -> Result<()> {
    for host in LENDERS {
        let mut dumps = Vec::new();
        for maker in [Maker::Kbuild, Maker::UfuncGen] {
            let module = maker.load(host)?;
            dumps.push(dump()?);
            module.unload()?;
        }
        ensure!(dumps[0] == dumps[1], "{host}:\n{}\n{}", dumps[0], dumps[1]);
    }
    Ok(())
}

fn same_verdicts() -> Result<()> {
    for host in LENDERS {
        let mut verdicts = Vec::new();
        for maker in [Maker::Kbuild, Maker::UfuncGen] {
            let module = maker.load(host)?;
            verdicts.push(all_verdicts(host)?);
            module.unload()?;
        }
        for (kbuild, ours) in verdicts[0].iter().zip(&verdicts[1]) {
            ensure!(kbuild == ours, "{host}: the verifier said\n{kbuild}\nand now\n{ours}");
        }
    }
    Ok(())
}

/// Verdict and log of each program for `host`.
fn all_verdicts(host: &str) -> Result<Vec<String>> {
    let app = checkout().join("examples").join(host);
    let mut verdicts = Vec::new();
    for program in programs()? {
        if program.cases.iter().any(|case| case.host == host) {
            let verdict = verify(&setup().object(&program), &app)?;
            let judged = &verdict.programs()?[0];
            // How long it took is in the log, and differs each time.
            let log = judged["log"].as_str().unwrap_or_default();
            let log = log.lines().filter(|line| !line.starts_with("verification time"));
            let log = log.collect::<Vec<_>>().join("\n");
            verdicts.push(format!("{}: {} {log}", program.name, verdict.status));
        }
    }
    Ok(verdicts)
}
