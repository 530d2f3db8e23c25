// SPDX-License-Identifier: MIT OR Apache-2.0
//! Threads that cannot take a trap.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Result, ensure};

/// Threads that are just beginning block everything, and so may handlers of signals: they get time.
const TRIES: u32 = 50;
const PAUSE: Duration = Duration::from_millis(2);

/// The kernel ends a process whose thread traps while it blocks the signal of it.
pub(crate) fn take_traps(signals: &[libc::c_int]) -> Result<()> {
    for _ in 1..TRIES {
        if try_once(signals).is_ok() {
            return Ok(());
        }
        sleep(PAUSE);
    }
    try_once(signals)
}

fn try_once(signals: &[libc::c_int]) -> Result<()> {
    let wanted = signals.iter().fold(0u64, |mask, signal| mask | 1 << (signal - 1));
    let Ok(tasks) = fs::read_dir("/proc/self/task") else {
        anyhow::bail!("failed to read /proc/self/task: which threads block SIGTRAP is unknown");
    };
    for task in tasks.flatten() {
        // A thread that has ended by now takes no trap.
        let Ok(status) = fs::read_to_string(task.path().join("status")) else { continue };
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.map_or("", str::trim)
        };
        let blocked = u64::from_str_radix(field("SigBlk:"), 16).unwrap_or(0);
        ensure!(
            blocked & wanted == 0,
            "the thread {} ({}) blocks {}, and would be killed if it came upon a hook that is being \
             changed, or a program upon an address where nothing is: leave these out of its \
             pthread_sigmask",
            task.file_name().display(),
            field("Name:"),
            names(signals)
        );
    }
    Ok(())
}

fn names(signals: &[libc::c_int]) -> String {
    let name = |signal: &libc::c_int| match *signal {
        libc::SIGTRAP => "SIGTRAP".to_owned(),
        libc::SIGILL => "SIGILL".to_owned(),
        libc::SIGSEGV => "SIGSEGV".to_owned(),
        libc::SIGBUS => "SIGBUS".to_owned(),
        other => format!("signal {other}"),
    };
    signals.iter().map(name).collect::<Vec<_>>().join(" or ")
}
