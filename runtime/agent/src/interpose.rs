// SPDX-License-Identifier: MIT OR Apache-2.0
//! The C library's functions that set handlers of signals, for when the agent is loaded before it.
//!
//! An application may set its handler of SIGSEGV after ours. It is told that it did, and its handler
//! gets what is not ours.

use crate::memory::{Action, application_wants, kernel_action};

/// The C library keeps these to itself.
const INTERNAL: [libc::c_int; 2] = [32, 33];

/// Handles a signal so, and says what was done before, or why not.
fn act(signal: libc::c_int, new: Option<Action>) -> Result<Action, i32> {
    if INTERNAL.contains(&signal) {
        return Err(libc::EINVAL);
    }
    match application_wants(signal, new) {
        Some(old) => Ok(old),
        None => kernel_action(signal, new),
    }
}

fn failed(error: i32) -> libc::c_int {
    // SAFETY: the C library gives each thread such a place.
    unsafe { *libc::__errno_location() = error };
    -1
}

/// `sigaction`
///
/// # Safety
///
/// As the C library demands.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sigaction(
    signal: libc::c_int,
    new: *const libc::sigaction,
    old: *mut libc::sigaction,
) -> libc::c_int {
    // SAFETY: it is null, or one.
    let new = unsafe { new.as_ref() }.map(|new| Action {
        handler: new.sa_sigaction as u64,
        flags: u64::from(new.sa_flags as u32),
        restorer: 0,
        // SAFETY: the kernel's set is the first word of the C library's.
        mask: unsafe { (&raw const new.sa_mask).cast::<u64>().read() },
    });
    let before = match act(signal, new) {
        Ok(before) => before,
        Err(error) => return failed(error),
    };
    // SAFETY: it is null, or there is room for one.
    if let Some(old) = unsafe { old.as_mut() } {
        old.sa_sigaction = before.handler as usize;
        old.sa_flags = before.flags as libc::c_int;
        old.sa_restorer = None;
        // SAFETY: the set is numbers, and larger than a word.
        unsafe {
            old.sa_mask = std::mem::zeroed();
            (&raw mut old.sa_mask).cast::<u64>().write(before.mask);
        }
    }
    0
}

/// The name by which other parts of the C library's family call it.
///
/// # Safety
///
/// As for [`sigaction`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __sigaction(
    signal: libc::c_int,
    new: *const libc::sigaction,
    old: *mut libc::sigaction,
) -> libc::c_int {
    // SAFETY: as the caller vouches.
    unsafe { sigaction(signal, new, old) }
}

fn set(signal: libc::c_int, handler: usize, flags: libc::c_int, own: bool) -> usize {
    let bit = (1..=64).contains(&signal).then(|| 1u64 << (signal - 1));
    let Some(bit) = bit.filter(|_| handler != libc::SIG_ERR) else {
        failed(libc::EINVAL);
        return libc::SIG_ERR;
    };
    let flags = u64::from(flags as u32);
    let mask = if own { bit } else { 0 };
    let new = Action { handler: handler as u64, flags, restorer: 0, mask };
    match act(signal, Some(new)) {
        Ok(old) => old.handler as usize,
        Err(error) => {
            failed(error);
            libc::SIG_ERR
        }
    }
}

/// `signal`, as BSD has it, and so the C library unless it is told otherwise.
///
/// # Safety
///
/// As the C library demands.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn signal(signal: libc::c_int, handler: usize) -> usize {
    set(signal, handler, libc::SA_RESTART, true)
}

/// `bsd_signal`
///
/// # Safety
///
/// As the C library demands.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bsd_signal(signal: libc::c_int, handler: usize) -> usize {
    set(signal, handler, libc::SA_RESTART, true)
}

/// `sysv_signal`: a handler is entered once.
///
/// # Safety
///
/// As the C library demands.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sysv_signal(signal: libc::c_int, handler: usize) -> usize {
    set(signal, handler, libc::SA_RESETHAND | libc::SA_NODEFER, false)
}

/// What `signal` is for strictly conforming applications.
///
/// # Safety
///
/// As the C library demands.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __sysv_signal(signal: libc::c_int, handler: usize) -> usize {
    set(signal, handler, libc::SA_RESETHAND | libc::SA_NODEFER, false)
}
