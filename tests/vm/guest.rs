// SPDX-License-Identifier: MIT OR Apache-2.0
//! The machine under test: its modules, its log, and the commands under test.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context as _, Result, bail, ensure};
use libtest_mimic::{Failed, Trial};
use ufunc_tests::Setup;

/// The checkout.
pub(crate) fn checkout() -> PathBuf {
    // This crate's folder is one below; a path without a parent would be the root of the disk.
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_owned).unwrap_or_default()
}

/// A folder that `scripts/test` filled before it started the machine.
pub(crate) fn built(what: &str) -> PathBuf {
    let root = std::env::var_os("UFUNC_TEST_BUILD").map(PathBuf::from);
    root.unwrap_or_else(|| checkout().join("target/vm-tests")).join(what)
}

/// Fails unless this is the virtual machine: the tests would load modules into the reader's own
/// kernel otherwise.
pub(crate) fn require() -> Result<()> {
    let hostname = fs::read_to_string("/proc/sys/kernel/hostname")?;
    ensure!(
        hostname.trim() == "ufunc-vm",
        "these tests load kernel modules and run in the virtual machine only: scripts/test"
    );
    Ok(())
}

/// Where the modules of a run come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Maker {
    /// The kernel's build, out of the source in Rust.
    Kbuild,
    /// `ufunc-gen ko`.
    UfuncGen,
}

impl Maker {
    pub(crate) fn of_this_run() -> Result<Self> {
        match std::env::var("UFUNC_TEST_MODULES").ok().as_deref() {
            None | Some("") => Ok(Maker::Kbuild),
            Some("synthesised") => Ok(Maker::UfuncGen),
            Some(other) => bail!("UFUNC_TEST_MODULES={other}: it is nothing or 'synthesised'"),
        }
    }

    /// Loads the module of the example `host`.
    pub(crate) fn load(self, host: &str) -> Result<Module> {
        match self {
            Maker::Kbuild => Module::load(&built("modules").join(host)),
            Maker::UfuncGen => {
                let file = std::env::temp_dir().join(format!("{host}.ko"));
                let app = checkout().join("examples").join(host);
                let mut command = Command::new(checkout().join("target/debug/ufunc-gen"));
                command.arg("ko").arg(&app).arg("-o").arg(&file);
                // What it lends, where it says so itself.
                let policy = app.with_extension("toml");
                if policy.exists() {
                    command.arg("--policy").arg(policy);
                }
                let output = run(&mut command)?;
                ensure!(output.status.success(), "ufunc-gen ko: {}", text(&output.stderr));
                Module::insmod(&file)
            }
        }
    }
}

/// A test that also fails if the kernel warns of anything meanwhile.
pub(crate) fn trial(
    name: impl Into<String>,
    test: impl FnOnce() -> Result<()> + Send + 'static,
) -> Trial {
    Trial::test(name.into(), move || {
        let log = KernelLog::from_now()?;
        test().map_err(failed)?;
        log.expect_calm().map_err(failed)
    })
}

fn failed(error: anyhow::Error) -> Failed {
    format!("{error:#}").into()
}

/// A loaded module, which is taken out when this goes.
pub(crate) struct Module {
    name: &'static str,
}

impl Module {
    /// Loads `folder`'s `kmod/ufunc.ko`.
    pub(crate) fn load(folder: &Path) -> Result<Self> {
        Self::insmod(&folder.join("kmod/ufunc.ko"))
    }

    /// Loads `file`.
    pub(crate) fn insmod(file: &Path) -> Result<Self> {
        let log = KernelLog::from_now()?;
        let output = run(Command::new("insmod").arg(file))?;
        ensure!(
            output.status.success(),
            "insmod {} failed: {}\n{}",
            file.display(),
            text(&output.stderr),
            log.text()?
        );
        Ok(Module { name: "ufunc" })
    }

    /// Takes it out now, and says how that went.
    pub(crate) fn unload(self) -> Result<()> {
        let output = run(Command::new("rmmod").arg(self.name))?;
        ensure!(output.status.success(), "rmmod failed: {}", text(&output.stderr));
        std::mem::forget(self);
        Ok(())
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        // The test has failed already, or unloads by itself; a module that stays makes the next
        // test fail when it loads its own.
        let _ = run(Command::new("rmmod").arg(self.name));
    }
}

/// The kernel's log from a certain moment.
pub(crate) struct KernelLog {
    marker: String,
}

impl KernelLog {
    pub(crate) fn from_now() -> Result<Self> {
        use std::sync::atomic::{AtomicU32, Ordering};
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let marker = format!("ufunc-tests mark {}", COUNT.fetch_add(1, Ordering::Relaxed));
        let mut kmsg = fs::OpenOptions::new().write(true).open("/dev/kmsg")?;
        // Without the line end the kernel would wait for the rest of the line.
        kmsg.write_all(format!("{marker}\n").as_bytes()).context("failed to write to /dev/kmsg")?;
        Ok(KernelLog { marker })
    }

    /// What was logged since.
    pub(crate) fn text(&self) -> Result<String> {
        let output = run(&mut Command::new("dmesg"))?;
        let all = text(&output.stdout);
        let marker = format!("{}\n", self.marker);
        match all.rsplit_once(&marker) {
            Some((_, since)) => Ok(since.to_owned()),
            None => bail!("the kernel's log lost its mark {:?}", self.marker),
        }
    }

    /// Fails if the kernel warned of something.
    pub(crate) fn expect_calm(&self) -> Result<()> {
        const ALARMS: [&str; 8] = [
            "WARNING:",
            "BUG:",
            "Oops",
            "Call Trace",
            "refcount_t",
            "KASAN",
            "general protection",
            "RCU Stall",
        ];
        let log = self.text()?;
        let alarming = log.lines().find(|line| ALARMS.iter().any(|alarm| line.contains(alarm)));
        match alarming {
            Some(line) => bail!("the kernel warned: {line}\n{log}"),
            None => Ok(()),
        }
    }
}

/// The command under test.
fn loader_path() -> PathBuf {
    let loader = std::env::var_os("UFUNC_LOADER").map(PathBuf::from);
    loader.unwrap_or_else(|| checkout().join("target/debug/loader"))
}

/// What `scripts/test` built of the checkout.
pub(crate) fn setup() -> Setup {
    Setup {
        loader: loader_path(),
        host_sources: checkout().join("examples"),
        hosts: checkout().join("examples"),
        objects: checkout().join("bpf"),
    }
}

/// Runs `loader` with `arguments`, in the checkout.
pub(crate) fn loader<S: AsRef<std::ffi::OsStr>>(
    arguments: impl IntoIterator<Item = S>,
) -> Result<Output> {
    run(loader_command().args(arguments))
}

/// `loader`, in the checkout.
pub(crate) fn loader_command() -> Command {
    let mut command = Command::new(loader_path());
    command.current_dir(checkout());
    command
}

/// Runs `command` to its end.
pub(crate) fn run(command: &mut Command) -> Result<Output> {
    command.output().with_context(|| format!("failed to run {command:?}"))
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
