// SPDX-License-Identifier: MIT OR Apache-2.0
//! A bar for what takes long.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// What takes less needs no bar.
const PATIENCE: Duration = Duration::from_secs(1);
/// Between two looks at how far it is.
const STEP: Duration = Duration::from_millis(100);

/// Does `work`, which counts the bytes that it has done of `total`. If it takes long, and standard
/// error is a terminal, a bar there shows how far it is.
pub(crate) fn show<T>(what: &str, total: u64, work: impl FnOnce(&AtomicU64) -> T) -> T {
    let done = AtomicU64::new(0);
    thread::scope(|scope| {
        let (end, ended) = mpsc::channel::<()>();
        scope.spawn(|| {
            let ended = ended;
            if ended.recv_timeout(PATIENCE) != Err(RecvTimeoutError::Timeout) {
                return;
            }
            // Hidden by itself where standard error is no terminal.
            let bar = ProgressBar::new(total).with_style(style()).with_message(what.to_owned());
            while ended.recv_timeout(STEP) == Err(RecvTimeoutError::Timeout) {
                bar.set_position(done.load(Ordering::Relaxed));
            }
            bar.finish_and_clear();
        });
        let result = work(&done);
        drop(end);
        result
    })
}

fn style() -> ProgressStyle {
    let style = ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes} {eta}");
    style.unwrap_or_else(|_| ProgressStyle::default_bar())
}
