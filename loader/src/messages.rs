// SPDX-License-Identifier: MIT OR Apache-2.0
//! What libbpf says while it works.
//!
//! `libbpf_rs::set_print` is not used: it panics on text that is not UTF-8, within a callback that
//! cannot unwind, and libbpf quotes names from the object, which may be any bytes.

use std::ffi::{c_char, c_int, c_void};
use std::mem;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use libbpf_rs::libbpf_sys;

/// How much of what libbpf says is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
pub(crate) enum Level {
    /// What went wrong.
    Warn = libbpf_sys::LIBBPF_WARN,
    /// Also what may be of interest.
    Info = libbpf_sys::LIBBPF_INFO,
    /// Also every step.
    Debug = libbpf_sys::LIBBPF_DEBUG,
}

/// What libbpf printed at once: mostly a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) level: Level,
    pub(crate) text: String,
}

/// All that libbpf has said since the current [`capture`] began.
static SAID: Mutex<Vec<Message>> = Mutex::new(Vec::new());
/// Down to which level it is kept.
static WANTED: AtomicU32 = AtomicU32::new(Level::Warn as u32);
/// Held by the one [`capture`] that may run: libbpf has one print function for the whole process.
static CAPTURE: Mutex<()> = Mutex::new(());

/// Runs `work` and returns the lines that libbpf printed meanwhile, down to `level`.
pub(crate) fn capture<T>(level: Level, work: impl FnOnce() -> T) -> (T, Vec<Message>) {
    type Print =
        unsafe extern "C" fn(libbpf_sys::libbpf_print_level, *const c_char, *mut c_void) -> c_int;
    let _only_one = lock(&CAPTURE);
    WANTED.store(level as u32, Ordering::Relaxed);
    lock(&SAID).clear();
    // SAFETY: both are the type of libbpf's callback. What Rust calls the C type `va_list` differs
    // between architectures; as an argument it is a pointer on all of them.
    let print: libbpf_sys::libbpf_print_fn_t = unsafe { mem::transmute(keep as Print) };
    // SAFETY: the function stays valid, and no other thread is within libbpf: all calls that print
    // are made in here, one at a time.
    let before = unsafe { libbpf_sys::libbpf_set_print(print) };
    let result = work();
    // SAFETY: as above.
    unsafe { libbpf_sys::libbpf_set_print(before) };
    (result, mem::take(&mut *lock(&SAID)))
}

/// libbpf's print callback. The return value is ignored.
unsafe extern "C" fn keep(
    level: libbpf_sys::libbpf_print_level,
    format: *const c_char,
    arguments: *mut c_void,
) -> c_int {
    if level > WANTED.load(Ordering::Relaxed) {
        return 0;
    }
    // SAFETY: libbpf passes a format and the arguments that belong to it.
    let Ok(bytes) = (unsafe { vsprintf::vsprintf_raw(format, arguments) }) else { return 0 };
    let level = match level {
        libbpf_sys::LIBBPF_WARN => Level::Warn,
        libbpf_sys::LIBBPF_INFO => Level::Info,
        _ => Level::Debug,
    };
    let text = String::from_utf8_lossy(&bytes);
    let text = text.trim_end().trim_start_matches("libbpf: ").to_owned();
    lock(&SAID).push(Message { level, text });
    0
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Both hold data that is valid whatever happened.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Text of warnings that only repeat that something failed, or are about nothing that matters.
const UNINFORMATIVE: [&str; 9] = [
    "-- BEGIN ",
    "BTF loading error: ",
    "failed to load object ",
    ": failed to load: ",
    ": BPF program load failed: ",
    "failed to perform CO-RE relocations",
    ", ignoring",
    "Ignored and continue",
    ": failed to initialize slot [",
];

/// What of libbpf's messages tells why it gave up.
pub(crate) fn reasons(messages: &[Message]) -> Option<String> {
    let warnings = messages.iter().filter(|message| message.level == Level::Warn);
    let tells = |text: &&str| !UNINFORMATIVE.iter().any(|repeated| text.contains(repeated));
    let mut told: Vec<&str> = warnings.map(|message| message.text.as_str()).filter(tells).collect();
    told.dedup();
    if told.is_empty() {
        told.extend(messages.last().map(|message| message.text.as_str()));
    }
    (!told.is_empty()).then(|| told.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warnings(texts: &[&str]) -> Vec<Message> {
        let message = |text: &&str| Message { level: Level::Warn, text: text.to_string() };
        texts.iter().map(message).collect()
    }

    #[test]
    fn the_reason_is_not_the_repetition() {
        let mut messages =
            warnings(&["map 'm': failed to create: -E2BIG", "failed to load object 'a'"]);
        messages.push(Message { level: Level::Debug, text: "freed all".to_owned() });
        assert_eq!(reasons(&messages).as_deref(), Some("map 'm': failed to create: -E2BIG"));
        let messages = warnings(&["failed to load object 'a'"]);
        assert_eq!(reasons(&messages).as_deref(), Some("failed to load object 'a'"));
        assert_eq!(reasons(&[]), None);
    }

    #[test]
    fn text_of_any_bytes_is_kept() {
        let object = b"\x7fELF";
        let ((), messages) = capture(Level::Debug, || {
            let opened = libbpf_rs::ObjectBuilder::default().open_memory(object);
            assert!(opened.is_err());
        });
        assert!(!messages.is_empty());
    }
}
