// SPDX-License-Identifier: MIT OR Apache-2.0
//! What libbpf says while it works.
//!
//! `libbpf_rs::set_print` is not used: it panics on text that is not UTF-8, within a callback that
//! cannot unwind, and libbpf quotes names from the object, which may be any bytes.

use std::collections::BTreeSet;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use libbpf_rs::libbpf_sys;
use ufunc_gen::kernel::VMLINUX;

use crate::object::BpfObject;

/// How much libbpf makes of what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// Something went wrong.
    Warn,
    /// Something may be of interest.
    Info,
    /// A step of the work.
    Debug,
}

/// What libbpf printed at once: mostly a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) level: Level,
    pub(crate) text: String,
}

/// How much of what libbpf says is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detail {
    /// All of it. There are a hundred lines for each program, and putting them into words takes
    /// longer than what they are about.
    All,
    /// What something depends on.
    Needed,
}

/// Parts of the formats of steps that something depends on: [`modules_with_types`] and
/// [`modules_were_hidden`].
const NEEDED_STEPS: [&str; 2] = ["found target candidate", "skipping module BTFs loading"];

/// Whether steps are kept that nothing depends on.
static KEEPS_ALL: AtomicBool = AtomicBool::new(true);
/// All that libbpf has said since the current [`capture`] began.
static SAID: Mutex<Vec<Message>> = Mutex::new(Vec::new());
/// Held by the one [`capture`] that may run: libbpf has one print function for the whole process.
static CAPTURE: Mutex<()> = Mutex::new(());

/// The modules in whose BTF libbpf found a type that the program names (CO-RE).
///
/// libbpf tells nobody but the reader of its messages.
pub(crate) fn modules_with_types(messages: &[Message]) -> BTreeSet<&str> {
    fn module(message: &Message) -> Option<&str> {
        let (_, found) = message.text.split_once(": found target candidate [")?;
        let (_, place) = found.rsplit_once(" in [")?;
        place.strip_suffix(']')
    }
    messages.iter().filter_map(module).filter(|name| *name != VMLINUX).collect()
}

/// Whether libbpf looked for something in the modules' BTF and was not allowed to see it.
///
/// It then goes on as if no module were loaded.
pub(crate) fn modules_were_hidden(messages: &[Message]) -> bool {
    messages.iter().any(|message| message.text.starts_with("skipping module BTFs loading"))
}

/// Runs `work` and returns what libbpf printed meanwhile.
pub(crate) fn capture<T>(detail: Detail, work: impl FnOnce() -> T) -> (T, Vec<Message>) {
    type Print =
        unsafe extern "C" fn(libbpf_sys::libbpf_print_level, *const c_char, *mut c_void) -> c_int;
    let _only_one = lock(&CAPTURE);
    lock(&SAID).clear();
    KEEPS_ALL.store(detail == Detail::All, Ordering::Relaxed);
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
    // SAFETY: libbpf's formats are strings in its code, which end with a NUL.
    let words = unsafe { CStr::from_ptr(format) };
    if level == libbpf_sys::LIBBPF_DEBUG && !KEEPS_ALL.load(Ordering::Relaxed) && !is_needed(words)
    {
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

/// Whether something depends on a step with that format.
fn is_needed(format: &CStr) -> bool {
    let has = |words: &&str| memchr::memmem::find(format.to_bytes(), words.as_bytes()).is_some();
    NEEDED_STEPS.iter().any(has)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Both hold data that is valid whatever happened.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Has libbpf's messages call functions as `object` does.
pub(crate) fn in_own_names(messages: &mut [Message], object: &BpfObject) {
    for message in messages {
        message.text = object.in_own_names(mem::take(&mut message.text));
    }
}

/// Text of warnings that only repeat that something failed, or are about nothing that matters.
const UNINFORMATIVE: [&str; 10] = [
    "-- BEGIN ",
    "BTF loading error: ",
    "failed to load object ",
    ": failed to load: ",
    ": BPF program load failed: ",
    "failed to perform CO-RE relocations",
    ", ignoring",
    "Ignored and continue",
    ": failed to initialize slot [",
    ". Retrying without BTF",
];

/// What of libbpf's messages tells why it gave up.
pub(crate) fn reasons(messages: &[Message]) -> Option<String> {
    let warnings = messages.iter().filter(|message| message.level == Level::Warn);
    let tells = |text: &&str| !UNINFORMATIVE.iter().any(|repeated| text.contains(repeated));
    let mut told: Vec<&str> = warnings.map(|message| message.text.as_str()).filter(tells).collect();
    told.dedup();
    if told.is_empty() {
        let last = messages.iter().rev().find(|message| message.level < Level::Debug);
        told.extend(last.map(|message| message.text.as_str()));
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
    fn modules_that_types_came_from_are_found() {
        let messages = warnings(&[
            "CO-RE relocating [2] struct pt_regs: found target candidate [88] struct pt_regs in [vmlinux]",
            "CO-RE relocating [17] struct data: found target candidate [143229] struct data in [ufunc]",
            "CO-RE relocating [18] struct data: found target candidate [143230] struct data in [ufunc]",
            "map 'a' in [b]",
        ]);
        assert_eq!(modules_with_types(&messages), BTreeSet::from(["ufunc"]));
    }

    #[test]
    fn text_of_any_bytes_is_kept() {
        let object = b"\x7fELF";
        let ((), messages) = capture(Detail::All, || {
            let opened = libbpf_rs::ObjectBuilder::default().open_memory(object);
            assert!(opened.is_err());
        });
        assert!(!messages.is_empty());
    }
}
