// SPDX-License-Identifier: MIT OR Apache-2.0
//! Locks in shared memory that say who holds them.
//!
//! They are held for some nanoseconds. But the holder may be killed meanwhile, or be interrupted by a
//! signal whose handler comes to the same lock. The first is found out by asking the kernel, and
//! whoever finds out takes the lock over; the second is an error, as is waiting for too long: the
//! kernel's own maps answer like that, too.

use std::hint::spin_loop;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::errno::Errno;
use crate::identity;
use crate::sys;

/// How often to look before the holder may have lost its processor.
const SPINS: u32 = 200;
/// How often to give way before sleeping.
const YIELDS: u32 = 20;
/// How long to sleep in between, in nanoseconds.
const NAP: i64 = 50_000;
/// How often to sleep: the kernel's maps give up after a quarter of a second.
const NAPS: u32 = 5_000;

/// A lock; 0 is free.
#[repr(transparent)]
pub(crate) struct Lock(AtomicU64);

/// How a lock was come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It was free.
    Free,
    /// Whoever held it is dead, and may have left anything half done.
    FromTheDead,
}

/// A lock that is held; dropped, it is free.
pub(crate) struct Held<'a> {
    lock: &'a Lock,
    pub(crate) taken: Taken,
}

impl Drop for Held<'_> {
    #[inline]
    fn drop(&mut self) {
        self.lock.0.store(0, Ordering::Release);
    }
}

impl Lock {
    /// Takes the lock.
    #[inline]
    pub(crate) fn take(&self) -> Result<Held<'_>, Errno> {
        let me = identity::me();
        let taken = match self.try_take(0, me) {
            Ok(_) => Taken::Free,
            Err(_) => self.wait(me)?,
        };
        Ok(Held { lock: self, taken })
    }

    /// Whether a dead thread holds it.
    pub(crate) fn is_left_behind(&self) -> bool {
        let holder = self.0.load(Ordering::Relaxed);
        holder != 0 && identity::is_gone(holder)
    }

    /// Lets go of a lock that this thread has taken, and whose [`Held`] was forgotten.
    pub(crate) fn release(&self) {
        self.0.store(0, Ordering::Release);
    }

    #[inline]
    fn try_take(&self, from: u64, me: u64) -> Result<u64, u64> {
        self.0.compare_exchange(from, me, Ordering::Acquire, Ordering::Relaxed)
    }

    #[cold]
    fn wait(&self, me: u64) -> Result<Taken, Errno> {
        for round in 0..YIELDS + NAPS {
            for _ in 0..SPINS {
                if self.0.load(Ordering::Relaxed) == 0 && self.try_take(0, me).is_ok() {
                    return Ok(Taken::Free);
                }
                spin_loop();
            }
            let holder = self.0.load(Ordering::Relaxed);
            if holder == me {
                return Err(Errno::DEADLOCK);
            }
            if round < YIELDS {
                sys::give_way();
                continue;
            }
            // Asking takes long, too: now and then.
            let ask = (round - YIELDS).is_multiple_of(16);
            if ask && holder != 0 && identity::is_gone(holder) && self.try_take(holder, me).is_ok()
            {
                return Ok(Taken::FromTheDead);
            }
            sys::sleep(NAP);
        }
        Err(Errno::TIMED_OUT)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn the_same_thread_is_told_and_the_dead_are_inherited() {
        identity::prepare();
        let lock = Arc::new(Lock(AtomicU64::new(0)));
        let held = lock.take().unwrap();
        assert_eq!(held.taken, Taken::Free);
        assert_eq!(lock.take().err(), Some(Errno::DEADLOCK));
        drop(held);
        let other = Arc::clone(&lock);
        // It ends without letting go.
        std::thread::spawn(move || std::mem::forget(other.take())).join().unwrap();
        assert_eq!(lock.take().unwrap().taken, Taken::FromTheDead);
        assert_eq!(lock.take().unwrap().taken, Taken::Free);
    }

    #[test]
    fn one_at_a_time() {
        identity::prepare();
        let lock = Lock(AtomicU64::new(0));
        let count = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..20_000 {
                        let held = lock.take().unwrap();
                        let before = count.load(Ordering::Relaxed);
                        count.store(before + 1, Ordering::Relaxed);
                        drop(held);
                    }
                });
            }
        });
        assert_eq!(count.load(Ordering::Relaxed), 80_000);
    }
}
