// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a program does once `loader run` runs it inside the host.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::attached::{Attached, PATIENCE, resolve};
use crate::program::Case;
use crate::{Program, Setup};

/// How often the host does its work, in milliseconds.
const INTERVAL: &str = "50";

/// Fails unless `program` does what its header comment says of an attached one, put into a host that
/// runs already, and into one that is started with it.
pub fn check(setup: &Setup, program: &Program) -> Result<()> {
    // Files of its own: what the kernel's probes do meanwhile to the hosts of other tests is done to
    // every process that runs those files.
    let folder = tempfile::tempdir()?;
    let setup = &setup.with_hosts_in(folder.path())?;
    for case in program.cases.iter().filter(|case| !case.signs.is_empty()) {
        check_injected(setup, program, case).with_context(|| format!("in {}", case.host))?;
        check_started(setup, program, case).with_context(|| format!("with {}", case.host))?;
    }
    Ok(())
}

fn command(setup: &Setup, program: &Program, case: &Case) -> Result<Command> {
    let mut command = Command::new(&setup.loader);
    command.arg("run").arg(setup.object(program)).arg("--app").arg(setup.host(&case.host));
    for option in &case.options {
        command.arg(resolve(option, setup, case)?);
    }
    Ok(command)
}

fn check_injected(setup: &Setup, program: &Program, case: &Case) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let printed = folder.path().join("printed");
    let host = Host::start(&setup.host(&case.host), &printed)?;
    let mut command = command(setup, program, case)?;
    let mut running = Attached::start(command.arg("--pid").arg(host.pid().to_string()))?;
    running.wait_for(|output| output.contains("attached"))?;
    let said = || std::fs::read_to_string(&printed);
    watch(&mut running, case, said)?;
    let output = running.stop()?;
    let host_output = said()?;
    for sign in &case.signs {
        ensure!(
            sign.is_shown(&output, &host_output),
            "{sign:?} is not to be seen in {output}\nThe host printed: {host_output}"
        );
    }
    host.goes_on(&printed)
}

fn check_started(setup: &Setup, program: &Program, case: &Case) -> Result<()> {
    let mut command = command(setup, program, case)?;
    let mut running = Attached::start(command.args(["--", "0", INTERVAL]))?;
    running.wait_for(|output| output.contains("attached"))?;
    // What the host prints comes along.
    let shown = |output: &str| case.signs.iter().all(|sign| sign.is_shown(output, output));
    let only_at_the_end = case.signs.iter().all(crate::program::Sign::is_for_the_end);
    if only_at_the_end {
        running.read_for(Duration::from_secs(1))?;
    } else {
        running.wait_for(shown)?;
    }
    let output = running.interrupt()?;
    ensure!(shown(&output), "{:?} are not to be seen in {output}", case.signs);
    Ok(())
}

fn watch(
    running: &mut Attached,
    case: &Case,
    said: impl Fn() -> std::io::Result<String>,
) -> Result<()> {
    let begin = Instant::now();
    let only_at_the_end = case.signs.iter().all(crate::program::Sign::is_for_the_end);
    loop {
        running.read_for(Duration::from_millis(500))?;
        let host_output = said()?;
        let shown = case.signs.iter().all(|sign| sign.is_shown(&running.output, &host_output));
        if shown || only_at_the_end || begin.elapsed() > PATIENCE {
            return Ok(());
        }
    }
}

/// A host that does its work again and again, until this goes.
pub struct Host(Child);

impl Host {
    /// Starts `host`, which prints into the file `printed`.
    pub fn start(host: &Path, printed: &Path) -> Result<Self> {
        let mut command = Command::new(host);
        command.args(["0", INTERVAL]).stdout(File::create(printed)?);
        let child = command.stdin(Stdio::null()).spawn();
        let host = child.map(Host).with_context(|| format!("failed to run {}", host.display()))?;
        let begin = Instant::now();
        while std::fs::metadata(printed)?.len() == 0 {
            ensure!(begin.elapsed() < PATIENCE, "the host does nothing");
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(host)
    }

    /// Its number.
    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Fails unless it goes on with its work.
    pub fn goes_on(mut self, printed: &Path) -> Result<()> {
        let length = || std::fs::metadata(printed).map(|file| file.len());
        let (before, begin) = (length()?, Instant::now());
        while length()? <= before {
            if let Some(status) = self.0.try_wait()? {
                anyhow::bail!("the host ended with {status}");
            }
            ensure!(begin.elapsed() < PATIENCE, "the host does not go on");
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // It ends in no other way.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
