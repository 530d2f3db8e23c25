// SPDX-License-Identifier: MIT OR Apache-2.0
//! Queues and stacks.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::bytes;
use crate::definition::update;
use crate::errno::Errno;
use crate::lock::Lock;

/// What changes, beside the values.
#[repr(C, align(64))]
pub(crate) struct State {
    lock: Lock,
    /// Where the next value goes.
    head: AtomicU32,
    /// Where the oldest value is; the same as `head` if there is none.
    tail: AtomicU32,
}

/// A queue or stack, in this process. There is one place more than there may be values.
#[derive(Debug)]
pub(crate) struct Queue {
    pub(crate) state: *const State,
    pub(crate) base: *mut u8,
    pub(crate) stride: usize,
    pub(crate) value_size: usize,
    /// How many places there are.
    pub(crate) places: u32,
    /// The newest value comes out first.
    pub(crate) is_stack: bool,
}

impl Queue {
    fn state(&self) -> &State {
        // SAFETY: the layout has one there, for as long as the map lives; it is all atomics.
        unsafe { &*self.state }
    }

    /// A place; any number is one.
    fn place(&self, number: u32) -> *mut u8 {
        // SAFETY: the layout has room for that many.
        unsafe { self.base.add((number % self.places) as usize * self.stride) }
    }

    fn after(&self, number: u32) -> u32 {
        let next = number % self.places + 1;
        if next == self.places { 0 } else { next }
    }

    fn before(&self, number: u32) -> u32 {
        number.checked_sub(1).unwrap_or(self.places - 1) % self.places
    }

    /// What `bpf_map_push_elem` does.
    ///
    /// # Safety
    ///
    /// There is a value to read.
    pub(crate) unsafe fn push(&self, value: *const u8, flags: u64) -> Result<(), Errno> {
        let replace = flags & update::EXIST != 0;
        if flags & update::NOEXIST != 0 || flags > update::EXIST {
            return Err(Errno::INVALID);
        }
        let state = self.state();
        // The two places are all there is, and each is changed by one store.
        let _held = state.lock.take()?;
        let head = state.head.load(Ordering::Relaxed);
        let tail = state.tail.load(Ordering::Relaxed);
        if self.after(head) == tail {
            if !replace {
                return Err(Errno::FULL);
            }
            state.tail.store(self.after(tail), Ordering::Relaxed);
        }
        // SAFETY: there is room at every place, and the caller vouches for the value.
        unsafe { bytes::copy(self.place(head), value, self.value_size) };
        state.head.store(self.after(head), Ordering::Release);
        Ok(())
    }

    /// What `bpf_map_pop_elem` and `bpf_map_peek_elem` do.
    ///
    /// # Safety
    ///
    /// There is room for a value.
    pub(crate) unsafe fn take(&self, value: *mut u8, remove: bool) -> Result<(), Errno> {
        let state = self.state();
        let held = state.lock.take();
        let head = state.head.load(Ordering::Relaxed);
        let tail = state.tail.load(Ordering::Relaxed);
        if held.is_err() || head == tail {
            // SAFETY: as the caller vouches.
            unsafe { bytes::zero(value, self.value_size) };
            return Err(held.err().unwrap_or(Errno::NO_ENTRY));
        }
        let from = if self.is_stack { self.before(head) } else { tail };
        // SAFETY: there is a value at every place, and the caller vouches for the other.
        unsafe { bytes::copy(value, self.place(from), self.value_size) };
        match (remove, self.is_stack) {
            (false, _) => {}
            (true, true) => state.head.store(from, Ordering::Release),
            (true, false) => state.tail.store(self.after(tail), Ordering::Release),
        }
        Ok(())
    }

    /// Has `each` look at all values, those first that come out first.
    pub(crate) fn each(&self, mut each: impl FnMut(*const u8)) {
        let state = self.state();
        let _held = state.lock.take();
        let head = state.head.load(Ordering::Relaxed) % self.places;
        let tail = state.tail.load(Ordering::Relaxed) % self.places;
        let count = (head + self.places - tail) % self.places;
        for step in 0..count {
            // Both are less than 2³¹.
            let number = if self.is_stack { head + self.places - 1 - step } else { tail + step };
            each(self.place(number));
        }
    }
}
