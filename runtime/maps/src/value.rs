// SPDX-License-Identifier: MIT OR Apache-2.0
//! Values: their size, and the lock that one may have inside.

use std::hint::spin_loop;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::bytes;
use crate::identity;
use crate::sys;

/// Bytes of a `bpf_spin_lock`.
const LOCK: usize = 4;

/// What a value is like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// Its bytes.
    pub(crate) size: usize,
    /// Where its lock is.
    pub(crate) lock: Option<usize>,
}

impl Shape {
    /// Bytes with padding, as the values of processors lie one behind the other.
    #[inline]
    pub(crate) fn room(&self) -> usize {
        self.size.next_multiple_of(8)
    }

    /// Copies a value, but for its lock, which is held meanwhile if `locked` says so.
    ///
    /// # Safety
    ///
    /// There is a value to read, and room for one to write.
    #[inline]
    pub(crate) unsafe fn write(&self, to: *mut u8, from: *const u8, locked: bool) {
        let Some(lock) = self.lock else {
            // SAFETY: as the caller vouches.
            unsafe { bytes::copy(to, from, self.size) };
            return;
        };
        // SAFETY: as the caller vouches; the lock lies within, and a value is aligned to eight bytes.
        unsafe {
            let word = to.add(lock).cast::<u32>();
            if locked {
                spin_lock(word);
            }
            bytes::copy(to, from, lock);
            let after = lock + LOCK;
            bytes::copy(to.add(after), from.add(after), self.size - after);
            if locked {
                spin_unlock(word);
            }
        }
    }

    /// Copies a value out, with 0 for its lock.
    ///
    /// # Safety
    ///
    /// There is a value to read at `from`, and room for one at `to`.
    pub(crate) unsafe fn read(&self, to: *mut u8, from: *const u8) {
        // SAFETY: as the caller vouches; the lock lies within.
        unsafe {
            bytes::copy(to, from, self.size);
            if let Some(lock) = self.lock {
                bytes::zero(to.add(lock), LOCK);
            }
        }
    }
}

/// How often to look before the holder may have lost its processor.
const SPINS: u32 = 1_000;
/// How often to give way before asking what became of the holder.
const YIELDS: u32 = 20;
/// How long to sleep then, in nanoseconds, and how often.
const NAP: i64 = 100_000;
const NAPS: u32 = 10_000;

/// `bpf_spin_lock`. Nothing can be answered here but that the lock is held: a program that finds it
/// held by itself (a signal came while it was) or by the dead goes on, and so does one that waited
/// for a second. In the kernel none of these can be.
///
/// # Safety
///
/// The lock is one, aligned, that nothing but these functions writes to.
pub unsafe fn spin_lock(lock: *mut u32) {
    // SAFETY: as the caller vouches.
    let lock = unsafe { AtomicU32::from_ptr(lock) };
    let me = identity::short();
    for round in 0..YIELDS + NAPS {
        for _ in 0..SPINS {
            let free = lock.load(Ordering::Relaxed) == 0;
            let (acquire, relaxed) = (Ordering::Acquire, Ordering::Relaxed);
            if free && lock.compare_exchange(0, me, acquire, relaxed).is_ok() {
                return;
            }
            spin_loop();
        }
        let holder = lock.load(Ordering::Relaxed);
        if holder == me {
            return;
        }
        if round < YIELDS {
            sys::give_way();
            continue;
        }
        let (acquire, relaxed) = (Ordering::Acquire, Ordering::Relaxed);
        if holder != 0
            && identity::is_gone_short(holder)
            && lock.compare_exchange(holder, me, acquire, relaxed).is_ok()
        {
            return;
        }
        sys::sleep(NAP);
    }
}

/// `bpf_spin_unlock`.
///
/// # Safety
///
/// As for [`spin_lock`].
pub unsafe fn spin_unlock(lock: *mut u32) {
    // SAFETY: as the caller vouches.
    unsafe { AtomicU32::from_ptr(lock) }.store(0, Ordering::Release);
}
