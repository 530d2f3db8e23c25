// SPDX-License-Identifier: MIT OR Apache-2.0
//! Has other kernels judge, each in a virtual machine that is thrown away afterwards.
//!
//! `scripts/vm` boots them. Inside runs the same command with [`IN_GUEST`] set, and sees the same
//! files; what it prints is the report.

use std::env;
use std::ffi::OsString;
use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use serde::Serialize;
use serde_json::Value;

use crate::report::Verdict;
use crate::report::human::printable;
use crate::report::json::VERSION;
use crate::reproduce::without;

/// Environment variable that tells the command that it runs on the kernel that is to judge.
pub const IN_GUEST: &str = "UFUNC_IN_GUEST";
/// Environment variable that names the command which boots kernels.
pub const VM_COMMAND: &str = "UFUNC_VM_COMMAND";
/// The option that this is about.
const OPTION: &str = "--kernels";
/// Where the command is in a checkout, and beside an installed loader.
const IN_CHECKOUT: &str = "scripts/vm";
const INSTALLED: &str = "../share/ufunc/scripts/vm";

/// What one kernel said.
#[derive(Debug, Serialize)]
struct Judged {
    /// As it was asked for.
    spec: String,
    /// `uname -r`
    release: Option<String>,
    verdict: Verdict,
    /// Why it did not come to a report.
    error: Option<String>,
    /// What `loader verify --json` prints there.
    report: Option<Value>,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Document {
    version: u32,
    verdict: Verdict,
    kernels: Vec<Judged>,
}

/// Has each of `kernels` carry out the command with these `arguments`, the first of which is the
/// command itself, and writes what they say to `out`: the verdict on all.
///
/// Fails if nothing boots kernels here.
pub fn judge(
    kernels: &[String],
    arguments: &[OsString],
    json: bool,
    out: &mut dyn Write,
) -> Result<Verdict> {
    let vm = vm_command()?;
    let mut all = Vec::new();
    for (place, spec) in kernels.iter().enumerate() {
        let (release, error) = match release(&vm, spec) {
            Ok(release) => (Some(release), None),
            Err(error) => (None, Some(format!("{error:#}"))),
        };
        if !json {
            let separator = if place > 0 { "\n" } else { "" };
            writeln!(out, "{separator}kernel {}", release.as_deref().unwrap_or(spec))?;
            out.flush()?;
        }
        let mut judged =
            Judged { spec: spec.clone(), release, verdict: Verdict::Unjudged, error, report: None };
        if judged.error.is_none()
            && let Err(error) = run(&vm, &mut judged, arguments, json)
        {
            judged.error = Some(format!("{error:#}"));
        }
        if let Some(error) = judged.error.as_ref().filter(|_| !json) {
            writeln!(out, "not judged: {}", printable(error))?;
        }
        all.push(judged);
    }
    let verdict = worst(all.iter().map(|judged| judged.verdict));
    if json {
        let document = Document { version: VERSION, verdict, kernels: all };
        serde_json::to_writer_pretty(&mut *out, &document)?;
        writeln!(out)?;
    } else {
        writeln!(out)?;
        for judged in &all {
            let release = judged.release.as_ref().unwrap_or(&judged.spec);
            writeln!(out, "{:<9} by {}", judged.verdict.name(), printable(release))?;
        }
    }
    out.flush()?;
    Ok(verdict)
}

/// A program that one kernel rejects is not accepted, and neither is what one could not judge.
fn worst(verdicts: impl Iterator<Item = Verdict>) -> Verdict {
    let rank = |verdict: &Verdict| match verdict {
        Verdict::Accepted => 0,
        Verdict::Unjudged => 1,
        Verdict::Rejected => 2,
    };
    verdicts.max_by_key(rank).unwrap_or(Verdict::Unjudged)
}

/// The command that boots kernels.
fn vm_command() -> Result<PathBuf> {
    if let Some(command) = env::var_os(VM_COMMAND).map(PathBuf::from) {
        if !command.is_file() {
            bail!("{VM_COMMAND}={}: there is no such file", command.display());
        }
        return Ok(command);
    }
    let exe = env::current_exe().ok();
    let folders: Vec<&Path> = exe.iter().flat_map(|exe| exe.ancestors().skip(1)).collect();
    let here = env::current_dir().ok();
    let here = here.iter().flat_map(|here| here.ancestors());
    let places = folders.iter().copied().chain(here).map(|folder| folder.join(IN_CHECKOUT));
    let installed = folders.first().map(|folder| folder.join(INSTALLED));
    let found = installed.into_iter().chain(places).find(|command| is_ours(command));
    found.with_context(|| {
        format!(
            "{OPTION} boots kernels in virtual machines with ufunc's {IN_CHECKOUT}, which is neither in a folder above this loader or the current folder, nor at {INSTALLED} beside the loader; say with {VM_COMMAND} where it is"
        )
    })
}

/// Whether it is the command, and not another of that name.
fn is_ours(command: &Path) -> bool {
    command.is_file() && command.with_file_name("vm.d").join("build-kernel").is_file()
}

/// Which release `spec` stands for; it is fetched if it is not there.
fn release(vm: &Path, spec: &str) -> Result<String> {
    let mut command = Command::new(vm);
    command.args(["path", "release", "--kernel", spec]).stdin(Stdio::null());
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("failed to run {}", vm.display()))?;
    if !output.status.success() {
        bail!("{} could not prepare kernel {spec} ({})", vm.display(), output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Carries out the command on the kernel of `judged`.
fn run(vm: &Path, judged: &mut Judged, arguments: &[OsString], json: bool) -> Result<()> {
    // Bash gives the command the name that it has here, which its reports name.
    const AS_HERE: &str = "name=$1 exe=$2; shift 2; exec -a \"$name\" \"$exe\" \"$@\"";
    let exe = env::current_exe().context("failed to find this command's own file")?;
    let mut command = Command::new(vm);
    command.args(["run", "--kernel", &judged.spec, "--env", &format!("{IN_GUEST}=1")]);
    // The report says how to see it again, as root if it has to be.
    command.args(["--env", "SUDO_COMMAND"]);
    if !json && io::stdout().is_terminal() {
        command.args(["--env", "CLICOLOR_FORCE=1"]);
    }
    command.args(["--", "bash", "-c", AS_HERE, "bash"]);
    let own = guest_arguments(arguments, &judged.spec);
    command.arg(own.first().map_or_else(|| exe.clone().into_os_string(), Clone::clone));
    command.arg(exe).args(own.iter().skip(1)).stdin(Stdio::null());
    let context = || format!("failed to run {}", vm.display());
    let (status, report) = match json {
        true => {
            let output = command.stderr(Stdio::inherit()).output().with_context(context)?;
            (output.status, serde_json::from_slice(&output.stdout).ok())
        }
        false => (command.status().with_context(context)?, None),
    };
    judged.report = report;
    judged.verdict = match status.code() {
        Some(0) => Verdict::Accepted,
        Some(1) => Verdict::Rejected,
        Some(2) => Verdict::Unjudged,
        _ => bail!("its virtual machine did not come to a verdict ({status})"),
    };
    Ok(())
}

/// The command for one kernel.
fn guest_arguments(arguments: &[OsString], spec: &str) -> Vec<OsString> {
    let mut own = without(arguments.iter().cloned(), &[(OPTION, true)]);
    own.push(format!("{OPTION}={spec}").into());
    own
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_is_told_of_its_own_kernel_alone() {
        let arguments = ["loader", "verify", "a.o", "--kernels", "6.12,7.2", "--app", "x"];
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        let own = guest_arguments(&arguments, "7.2");
        assert_eq!(own, ["loader", "verify", "a.o", "--app", "x", "--kernels=7.2"]);
    }

    #[test]
    fn all_kernels_have_to_accept() {
        use Verdict::{Accepted, Rejected, Unjudged};
        assert_eq!(worst([Accepted, Accepted].into_iter()), Accepted);
        assert_eq!(worst([Unjudged, Rejected, Accepted].into_iter()), Rejected);
        assert_eq!(worst([Accepted, Unjudged].into_iter()), Unjudged);
    }
}
