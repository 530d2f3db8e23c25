// SPDX-License-Identifier: MIT OR Apache-2.0
//! Locks that a `fork` takes too: in the child nobody else is there to let go of them.

use std::cell::UnsafeCell;

/// Something under such a lock. [`with_forks`](ForkLock::with_forks) has to come before its use.
pub(crate) struct ForkLock<T> {
    lock: UnsafeCell<libc::pthread_mutex_t>,
    value: UnsafeCell<T>,
}

// SAFETY: the value is only touched by who has the lock.
unsafe impl<T: Send> Sync for ForkLock<T> {}

impl<T> ForkLock<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self {
            lock: UnsafeCell::new(libc::PTHREAD_MUTEX_INITIALIZER),
            value: UnsafeCell::new(value),
        }
    }

    /// Has every `fork` take it before and let go of it after, by functions that call
    /// [`acquire`](Self::acquire) and [`release`](Self::release).
    pub(crate) fn with_forks(acquire: unsafe extern "C" fn(), release: unsafe extern "C" fn()) {
        // SAFETY: the functions are this object's, which is never unloaded.
        unsafe { libc::pthread_atfork(Some(acquire), Some(release), Some(release)) };
    }

    pub(crate) fn acquire(&self) {
        // SAFETY: it is initialised, and being in a static never moved.
        unsafe { libc::pthread_mutex_lock(self.lock.get()) };
    }

    /// # Safety
    ///
    /// This thread has it, or is what is left after a `fork` of one that had it.
    pub(crate) unsafe fn release(&self) {
        // SAFETY: as the caller vouches.
        unsafe { libc::pthread_mutex_unlock(self.lock.get()) };
    }

    /// Runs `work` on the value while nobody else does. `work` does not come back here.
    pub(crate) fn locked<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        /// Lets go, whatever happens.
        struct Held<'a, T>(&'a ForkLock<T>);
        impl<T> Drop for Held<'_, T> {
            fn drop(&mut self) {
                // SAFETY: taken before this was made.
                unsafe { self.0.release() };
            }
        }
        self.acquire();
        let _held = Held(self);
        // SAFETY: the lock is held.
        work(unsafe { &mut *self.value.get() })
    }
}
