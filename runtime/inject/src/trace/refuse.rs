// SPDX-License-Identifier: MIT OR Apache-2.0
//! What speaks against putting the agent into a process.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};

use crate::program;

/// Makes sure that nothing does that can be seen from outside.
pub(super) fn check(process: i32) -> Result<()> {
    ensure!(
        i64::from(process) != i64::from(std::process::id()),
        "that is this very process, which cannot trace itself"
    );
    let status = status(process)?;
    match state(process, process) {
        None => bail!("there is no process {process}"),
        Some('T') => {
            bail!("it is stopped by a signal, so that it can do nothing: let it go on (SIGCONT)")
        }
        // Of a process whose first thread has ended others may run.
        Some('Z' | 'X') if field(&status, "Threads:") == "1" => bail!("it has ended"),
        Some(_) => {}
    }
    let first: i32 = field(&status, "Tgid:").parse().unwrap_or(process);
    ensure!(first == process, "that is a thread of the process {first}");
    let link = format!("/proc/{process}/exe");
    match fs::read_link(&link) {
        Ok(path) => program::check(Path::new(&link), &path),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            bail!("it is a thread of the kernel, or has just ended")
        }
        Err(error) => Err(error).with_context(|| why_not(process)),
    }
}

/// Why a process may not be traced.
pub(super) fn why_not(process: i32) -> String {
    let Ok(status) = status(process) else { return format!("there is no process {process}") };
    let tracer = field(&status, "TracerPid:");
    if !matches!(tracer, "0" | "") {
        let name = fs::read_to_string(format!("/proc/{tracer}/comm")).unwrap_or_default();
        return format!(
            "it may not be traced: process {tracer} ({}) traces it already, as debuggers and strace do",
            name.trim()
        );
    }
    let scope = fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").unwrap_or_default();
    match scope.trim() {
        "3" => "it may not be traced: nobody may trace anything here \
                (kernel.yama.ptrace_scope is 3 until the next boot)"
            .to_owned(),
        "2" => "it may not be traced: only root may trace here (kernel.yama.ptrace_scope is 2)"
            .to_owned(),
        "1" => "it may not be traced: a process may only trace its own children here \
                (kernel.yama.ptrace_scope is 1): be root, or set it to 0 with sysctl"
            .to_owned(),
        _ => "it may not be traced: it belongs to another user, or keeps its memory to itself \
              (set-user-ID, or PR_SET_DUMPABLE): be root"
            .to_owned(),
    }
}

/// What a thread does, as one letter; none if it is gone.
pub(super) fn state(process: i32, thread: i32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{process}/task/{thread}/stat")).ok()?;
    // The name before it may have anything in it.
    stat.rsplit_once(") ")?.1.chars().next()
}

fn status(process: i32) -> Result<String> {
    let status = fs::read(format!("/proc/{process}/status"));
    let status = status.with_context(|| format!("there is no process {process}"))?;
    Ok(String::from_utf8_lossy(&status).into_owned())
}

fn field<'a>(status: &'a str, name: &str) -> &'a str {
    status.lines().find_map(|line| line.strip_prefix(name)).map_or("", str::trim)
}
