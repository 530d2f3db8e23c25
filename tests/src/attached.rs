// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a program does once `loader attach` has attached it.

use std::fs;
use std::io::{BufRead as _, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::program::{Case, Sign};
use crate::{Program, Setup};

/// How long anything may take: the virtual machine has no hardware to help it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// How long the command may take to end once it is told to.
const PATIENCE_AT_THE_END: Duration = Duration::from_secs(20);

/// Fails unless `program`, attached, does what its header comment says, with each host.
pub fn check(setup: &Setup, program: &Program) -> Result<()> {
    for case in program.cases.iter().filter(|case| !case.signs.is_empty()) {
        check_case(setup, program, case).with_context(|| format!("with {}", case.host))?;
    }
    Ok(())
}

fn check_case(setup: &Setup, program: &Program, case: &Case) -> Result<()> {
    let host = setup.host(&case.host);
    let mut command = Command::new(&setup.loader);
    command.arg("attach").arg(setup.object(program)).arg("--app").arg(&host);
    for option in &case.options {
        command.arg(resolve(option, setup, case)?);
    }
    // An iterator looks only at what is there already; other programs want to see a host begin.
    let _running = Running::start(&host)?;
    let mut attached = Attached::start(&mut command)?;
    attached.wait_for(|output| output.contains("attached"))?;
    let mut host_output = String::new();
    let begin = Instant::now();
    // What comes by way of the kernel's trace arrives when it likes.
    while !case.signs.iter().all(|sign| sign.is_shown(&attached.output, &host_output)) {
        host_output += &run_host(&host)?;
        attached.read_for(Duration::from_millis(300))?;
        let only_at_the_end = case.signs.iter().all(Sign::is_for_the_end);
        if only_at_the_end || begin.elapsed() > PATIENCE {
            break;
        }
    }
    let output = attached.stop()?;
    for sign in &case.signs {
        ensure!(
            sign.is_shown(&output, &host_output),
            "{sign:?} is not to be seen in {output}\nThe host printed: {host_output}"
        );
    }
    Ok(())
}

impl Sign {
    pub(crate) fn is_for_the_end(&self) -> bool {
        matches!(self, Sign::Outputs(_) | Sign::Counts(_))
    }

    pub(crate) fn is_shown(&self, output: &str, host_output: &str) -> bool {
        match self {
            Sign::Prints(text) | Sign::Outputs(text) => output.contains(text.as_str()),
            Sign::Counts(text) => output.lines().any(|line| {
                let count = line.trim_start().strip_prefix(text.as_str()).map(str::trim);
                count.is_some_and(|count| count.parse::<u64>().is_ok_and(|count| count > 0))
            }),
            Sign::Echoes(text) => host_output
                .lines()
                .filter_map(|line| line.find(text.as_str()).map(|at| &line[at..]))
                .any(|said| output.lines().any(|line| line.ends_with(said))),
        }
    }
}

/// A host that does its work again and again, until this goes.
struct Running(Child);

impl Running {
    fn start(host: &Path) -> Result<Self> {
        let mut command = Command::new(host);
        let child = command.args(["0", "100"]).stdout(Stdio::null()).spawn();
        child.map(Running).with_context(|| format!("failed to run {}", host.display()))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It ends in no other way.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Has the host do its work once.
pub(crate) fn run_host(host: &Path) -> Result<String> {
    let output = Command::new(host).arg("1").output();
    let output = output.with_context(|| format!("failed to run {}", host.display()))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A running `loader attach`, or `loader run`.
pub(crate) struct Attached {
    child: Child,
    lines: Receiver<String>,
    /// All that it printed so far.
    pub(crate) output: String,
}

impl Attached {
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let piped = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().with_context(|| format!("failed to run {command:?}"))?;
        let (sender, lines) = mpsc::channel();
        let stdout = child.stdout.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>);
        let stderr = child.stderr.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>);
        for pipe in [stdout, stderr].into_iter().flatten() {
            let sender = sender.clone();
            thread::spawn(move || {
                for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                    if sender.send(line).is_err() {
                        return;
                    }
                }
            });
        }
        Ok(Attached { child, lines, output: String::new() })
    }

    /// Takes what it prints within this time; true once it prints nothing any more.
    pub(crate) fn read_for(&mut self, time: Duration) -> Result<bool> {
        let end = Instant::now() + time;
        loop {
            match self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    self.output += &line;
                    self.output.push('\n');
                }
                Err(RecvTimeoutError::Timeout) => return Ok(false),
                Err(RecvTimeoutError::Disconnected) => return Ok(true),
            }
        }
    }

    pub(crate) fn wait_for(&mut self, is_there: impl Fn(&str) -> bool) -> Result<()> {
        let begin = Instant::now();
        while !is_there(&self.output) {
            let ended = self.read_for(Duration::from_millis(50))?;
            ensure!(!ended || is_there(&self.output), "it ended: {}", self.output);
            ensure!(begin.elapsed() < PATIENCE, "it never got ready: {}", self.output);
        }
        Ok(())
    }

    /// Ends it as Ctrl-C does, and returns all that it printed; it must have succeeded.
    pub(crate) fn stop(self) -> Result<String> {
        let (status, output) = self.interrupted()?;
        ensure!(status.success(), "it ended with {status}: {output}");
        Ok(output)
    }

    /// Ends it as Ctrl-C does, and the host that it has started with it, and returns all that it
    /// printed.
    pub(crate) fn interrupt(self) -> Result<String> {
        /// What a shell says of a process that SIGINT ended.
        const BY_SIGNAL: i32 = 128 + 2;
        let (status, output) = self.interrupted()?;
        ensure!(status.code() == Some(BY_SIGNAL), "it ended with {status}: {output}");
        Ok(output)
    }

    fn interrupted(mut self) -> Result<(ExitStatus, String)> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.context("a process without a number")?;
        if self.child.try_wait()?.is_none() {
            kill_process(pid, Signal::INT).context("failed to interrupt loader")?;
        }
        let ended = self.read_for(PATIENCE_AT_THE_END)?;
        ensure!(ended, "it does not end on Ctrl-C: {}", self.output);
        let status = self.child.wait()?;
        Ok((status, std::mem::take(&mut self.output)))
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        // A test that failed leaves nothing running; one that did not has waited for it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Puts an offset in place of `{offset of "TEXT"}`: that of the first instruction of the line of the
/// host's source that begins with the text, within the function named before.
pub(crate) fn resolve(option: &str, setup: &Setup, case: &Case) -> Result<String> {
    let Some((function, text)) = option.split_once("+{offset of \"") else {
        return Ok(option.to_owned());
    };
    let text = text.strip_suffix("\"}").with_context(|| format!("{option:?} has no end"))?;
    let source = fs::read_to_string(setup.host_source(&case.host))?;
    let line = source.lines().position(|line| line.trim_start().starts_with(text));
    let line = 1 + line.with_context(|| format!("no line begins with {text:?}"))?;
    let host = setup.host(&case.host);
    let start = function_address(&host, function)?;
    let address = line_address(&host, line, start)?;
    Ok(format!("{function}+{}", address - start))
}

fn function_address(host: &Path, function: &str) -> Result<u64> {
    let symbols = tool("nm", &[], host)?;
    let symbol = symbols.lines().find_map(|line| {
        let (address, name) = line.split_once(" T ")?;
        (name == function).then(|| u64::from_str_radix(address, 16).ok()).flatten()
    });
    symbol.with_context(|| format!("{} has no function {function}", host.display()))
}

/// The first address from `start` on that belongs to the line.
fn line_address(host: &Path, line: usize, start: u64) -> Result<u64> {
    // FILE  LINE  0xADDRESS  …
    let rows = tool("objdump", &["--dwarf=decodedline"], host)?;
    let addresses = rows.lines().filter_map(|row| {
        let mut words = row.split_ascii_whitespace().skip(1);
        let number: usize = words.next()?.parse().ok()?;
        let address = words.next()?.strip_prefix("0x")?;
        (number == line).then(|| u64::from_str_radix(address, 16).ok()).flatten()
    });
    let address = addresses.filter(|address| *address >= start).min();
    address.with_context(|| format!("line {line} of {} has no instruction", host.display()))
}

fn tool(name: &str, options: &[&str], host: &Path) -> Result<String> {
    let output = Command::new(name).args(options).arg(host).output();
    let output = output.with_context(|| format!("failed to run {name}: is binutils installed?"))?;
    if !output.status.success() {
        bail!("{name} failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
