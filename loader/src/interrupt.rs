// SPDX-License-Identifier: MIT OR Apache-2.0
//! What has to be done before a signal ends the process: modules that it has in the kernel would
//! stay there.

use std::io::Read as _;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Once};
use std::{fs, thread};

use anyhow::{Context as _, Result};
use rustix::process::{Signal, getpid, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::{flag, low_level};

use crate::modules::lease;

/// Whether a signal ends the process just now.
static ENDING: AtomicBool = AtomicBool::new(false);

/// From now on a signal that ends the process takes out the modules first.
pub(crate) fn watch() -> Result<()> {
    static WATCHING: Once = Once::new();
    let mut result = Ok(());
    WATCHING.call_once(|| result = begin());
    result.context("failed to listen to signals")
}

fn begin() -> Result<()> {
    let (mut wakes, waker) = UnixStream::pair()?;
    let came = Arc::new(AtomicUsize::new(0));
    let ignored = ignored();
    for signal in [SIGINT, SIGTERM, SIGHUP, SIGQUIT] {
        // As nohup and shells ask for.
        if ignored >> (signal - 1) & 1 == 1 {
            continue;
        }
        flag::register_usize(signal, Arc::clone(&came), signal as usize)?;
        low_level::pipe::register(signal, waker.try_clone()?)?;
    }
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        // The other end is open as long as the process lives.
        if wakes.read_exact(&mut [0]).is_ok() {
            end(came.load(Ordering::SeqCst) as i32);
        }
    })?;
    Ok(())
}

/// Takes the modules out and ends the process as `signal` would have.
fn end(signal: i32) {
    ENDING.store(true, Ordering::SeqCst);
    // The verifier gives up when a signal comes in; more often than not it is asked again at once.
    lease::end_all(|| {
        if let Some(signal) = Signal::from_named_raw(signal) {
            // If it does not arrive, the verifier takes its time.
            let _ = kill_process(getpid(), signal);
        }
    });
    let _ = low_level::emulate_default_handler(signal);
}

/// Goes no further if the process is about to end: what comes next would be told with modules gone.
pub(crate) fn checkpoint() {
    while ENDING.load(Ordering::SeqCst) {
        thread::park();
    }
}

/// The signals that this process ignores, a bit for each.
fn ignored() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let bits = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    bits.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok()).unwrap_or_default()
}
