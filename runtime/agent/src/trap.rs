// SPDX-License-Identifier: MIT OR Apache-2.0
//! Threads that come upon a byte that traps: where they go on.
//!
//! That are hooks by `int3`; calls while a hook is being changed; and whatever comes to a place where
//! an instruction was displaced. What is not ours goes to the application's own handler.

use std::io;
use std::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering};

use anyhow::{Result, ensure};

/// The signals of bytes that trap.
pub(crate) const SIGNALS: [libc::c_int; 2] = [libc::SIGTRAP, libc::SIGILL];

/// The other signals that the processor raises.
const FAULTS: [libc::c_int; 3] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE];

/// Where to go on from a byte that traps. What was once put in stays: a thread may take a trap and
/// get to run much later, when the byte is long an instruction again.
static WAYS: Table = Table::new();
/// Where displaced instructions were.
static ORIGINALS: Table = Table::new();
/// What the application had installed.
static BEFORE: [AtomicPtr<libc::sigaction>; 2] =
    [AtomicPtr::new(std::ptr::null_mut()), AtomicPtr::new(std::ptr::null_mut())];

/// Handles the signals of traps, before or instead of the application. To be called under the lock
/// of hooks.
pub(crate) fn install() -> Result<()> {
    for (signal, before) in SIGNALS.into_iter().zip(&BEFORE) {
        let mut now = empty();
        // SAFETY: only asks.
        let asked = unsafe { libc::sigaction(signal, std::ptr::null(), &raw mut now) };
        ensure!(asked == 0, failed(signal));
        if now.sa_sigaction == handle as *const () as usize {
            continue;
        }
        // The application's, which may have come after ours. A copy in use is never freed.
        before.store(Box::into_raw(Box::new(now)), Ordering::Release);
        let mut ours = empty();
        ours.sa_sigaction = handle as *const () as usize;
        // Others wait, for the stack of handlers may be small. What the processor raises cannot.
        // SAFETY: sets of signals of this function's own.
        unsafe {
            libc::sigfillset(&raw mut ours.sa_mask);
            for fault in FAULTS.into_iter().chain(SIGNALS) {
                libc::sigdelset(&raw mut ours.sa_mask, fault);
            }
        }
        // Not deferred: should the handler come upon a hook itself, that works as anywhere.
        ours.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER | libc::SA_RESTART;
        // SAFETY: the handler is one, and lives as long as this object, which is never unloaded.
        let done = unsafe { libc::sigaction(signal, &raw const ours, std::ptr::null_mut()) };
        ensure!(done == 0, failed(signal));
    }
    Ok(())
}

fn failed(signal: libc::c_int) -> String {
    format!("failed to handle signal {signal}: {}", io::Error::last_os_error())
}

fn empty() -> libc::sigaction {
    // SAFETY: numbers, and a mask that is empty when it is 0.
    unsafe { std::mem::zeroed() }
}

/// Has threads that trap at `from` go on at `to`. To be called under the lock of hooks.
pub(crate) fn lead(from: u64, to: u64) {
    WAYS.put(from, to);
}

/// Remembers that what is at `to` was at `from`. To be called under the lock of hooks.
pub(crate) fn remember(from: u64, to: u64) {
    ORIGINALS.put(to, from);
}

/// Where the displaced instruction at `address` was: for handlers of faults, to whom an instruction
/// that faults in a stub is the application's. Safe in any of them.
#[must_use]
pub fn original(address: u64) -> Option<u64> {
    ORIGINALS.get(address)
}

/// The handler. It may run anywhere: it takes no lock, and calls nothing.
extern "C" fn handle(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the kernel gives both to a handler of this kind, and nobody else has them.
    let (code, registers) = unsafe {
        let context = &mut *context.cast::<libc::ucontext_t>();
        ((*info).si_code, &mut context.uc_mcontext.gregs)
    };
    let here = registers[libc::REG_RIP as usize].cast_unsigned();
    let at = if signal == libc::SIGTRAP { here.wrapping_sub(1) } else { here };
    // Nobody sent it: the processor did.
    if code > 0
        && let Some(way) = WAYS.get(at)
    {
        registers[libc::REG_RIP as usize] = way.cast_signed();
        return;
    }
    // SAFETY: the arguments are the kernel's.
    unsafe { pass_on(signal, info, context) };
}

/// Does with a signal that is not ours what would be done without us.
///
/// # Safety
///
/// The arguments are those that the kernel gave to a handler.
unsafe fn pass_on(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let which = usize::from(signal != libc::SIGTRAP);
    let before = BEFORE[which].load(Ordering::Acquire);
    // SAFETY: it was put there before the handler was installed, and is never freed.
    let Some(before) = (unsafe { before.as_ref() }) else { return };
    // SAFETY: the arguments are the kernel's.
    let sent = unsafe { (*info).si_code } <= 0;
    match before.sa_sigaction {
        // What the processor raised cannot be ignored.
        libc::SIG_IGN if sent => return,
        libc::SIG_IGN | libc::SIG_DFL => {
            let default = empty();
            // SAFETY: the default action; the signal goes to this thread, and ends the process.
            unsafe {
                libc::sigaction(signal, &raw const default, std::ptr::null_mut());
                libc::raise(signal);
            }
            return;
        }
        _ => {}
    }
    // What the interrupted code blocks, and what the application wants blocked in its handler.
    // SAFETY: the context is the kernel's; the mask is put back when this handler ends.
    unsafe {
        libc::pthread_sigmask(
            libc::SIG_SETMASK,
            &raw const (*context.cast::<libc::ucontext_t>()).uc_sigmask,
            std::ptr::null_mut(),
        );
        let mut blocked = before.sa_mask;
        if before.sa_flags & libc::SA_NODEFER == 0 {
            libc::sigaddset(&raw mut blocked, signal);
        }
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const blocked, std::ptr::null_mut());
    }
    if before.sa_flags & libc::SA_RESETHAND != 0 {
        let default = Box::leak(Box::new(empty()));
        BEFORE[which].store(default, Ordering::Release);
    }
    // SAFETY: the application installed it as a handler of the kind that its flags say.
    unsafe {
        if before.sa_flags & libc::SA_SIGINFO != 0 {
            type Handler = extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void);
            let handler: Handler = std::mem::transmute(before.sa_sigaction);
            handler(signal, info, context);
        } else {
            let handler: extern "C" fn(libc::c_int) = std::mem::transmute(before.sa_sigaction);
            handler(signal);
        }
    }
}

/// A table from addresses to addresses that handlers of signals may read at any time. One thread at
/// a time may write.
struct Table {
    places: AtomicPtr<Vec<[AtomicU64; 2]>>,
    /// How many are in it; for who writes only.
    used: AtomicUsize,
}

/// How many places a table begins with.
const FIRST: usize = 256;

impl Table {
    const fn new() -> Self {
        Self { places: AtomicPtr::new(std::ptr::null_mut()), used: AtomicUsize::new(0) }
    }

    fn get(&self, from: u64) -> Option<u64> {
        // SAFETY: it is null or was put there by `put`, complete, and is never freed.
        let places = unsafe { self.places.load(Ordering::Acquire).as_ref() }?;
        let found = probe(places, from)?;
        (found[0].load(Ordering::Acquire) == from).then(|| found[1].load(Ordering::Acquire))
    }

    fn put(&self, from: u64, to: u64) {
        // SAFETY: as in `get`.
        let old = unsafe { self.places.load(Ordering::Acquire).as_ref() };
        let used = self.used.load(Ordering::Relaxed);
        let places = match old {
            Some(places) if used * 2 < places.len() => places,
            _ => {
                // The old one is left to whoever is reading it.
                let length = old.map_or(FIRST, |places| places.len() * 2);
                let new: Vec<_> =
                    (0..length).map(|_| [AtomicU64::new(0), AtomicU64::new(0)]).collect();
                for place in old.into_iter().flatten() {
                    let [from, to] = [0, 1].map(|half: usize| place[half].load(Ordering::Relaxed));
                    if from != 0 {
                        set(&new, from, to);
                    }
                }
                let new = Box::leak(Box::new(new));
                self.places.store(new, Ordering::Release);
                new
            }
        };
        if self.get(from).is_none() {
            self.used.store(used + 1, Ordering::Relaxed);
        }
        set(places, from, to);
    }
}

fn set(places: &[[AtomicU64; 2]], from: u64, to: u64) {
    if let Some(place) = probe(places, from) {
        place[1].store(to, Ordering::Release);
        place[0].store(from, Ordering::Release);
    }
}

/// The place of `from`, or the free one where it would be.
fn probe(places: &[[AtomicU64; 2]], from: u64) -> Option<&[AtomicU64; 2]> {
    let length = places.len();
    let start = (from.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize;
    let mut all = (0..length).filter_map(|step| places.get(start.wrapping_add(step) % length));
    all.find(|place| {
        let key = place[0].load(Ordering::Acquire);
        key == from || key == 0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_keeps_the_latest() {
        let table = Table::new();
        assert_eq!(table.get(1), None);
        for round in 0..3 {
            for from in 1..5_000u64 {
                table.put(from * 0x1000, from + round);
            }
        }
        for from in 1..5_000 {
            assert_eq!(table.get(from * 0x1000), Some(from + 2));
        }
        assert_eq!(table.get(0x1001), None);
    }
}
