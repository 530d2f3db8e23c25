// SPDX-License-Identifier: MIT OR Apache-2.0
//! What extensions have acquired of the application and not released yet.
//!
//! The verifier sees to it that a program which comes to its end has released everything. But a
//! program may not come to its end: a function of the application that it calls may leave by
//! `longjmp` or end the thread. What it holds then would be nobody's. So each thread has a list of
//! what its programs hold, with where on the stack the program is and the function that releases the
//! object. When the next such program of the thread begins, what belongs to one whose place on the
//! stack has been left is released, and all that is left is when the thread ends.
//!
//! That a place was left is certain on the thread's own stack only: a coroutine, or a signal's
//! handler on a stack of its own, may run amid a program that goes on later. What was acquired there
//! waits for the thread's end.
//!
//! The list has room for few objects, for programs hold few at a time. One for which there is no
//! room is released at once, and the program is told that there is none: it has to check that
//! anyway.

use std::arch::{asm, global_asm};
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::{returns, sys};

/// How many objects a thread's programs may hold at a time.
const ROOM: usize = 16;

// The list of each thread. It is there from the thread's beginning ("initial exec"), so that nothing
// is ever allocated at the first use.
global_asm!(
    ".pushsection .tbss.ufunc_agent_obligations,\"awT\",@nobits",
    ".p2align 3",
    ".globl ufunc_agent_obligations",
    ".hidden ufunc_agent_obligations",
    ".type ufunc_agent_obligations, @object",
    "ufunc_agent_obligations: .zero {size}",
    ".size ufunc_agent_obligations, {size}",
    ".popsection",
    size = const size_of::<List>(),
);

/// What a thread's programs hold. All zero in the beginning.
#[repr(C)]
struct List {
    count: usize,
    held: [Held; ROOM],
    /// The thread's own stack.
    lowest: u64,
    highest: u64,
    /// Whether that is known, and the thread's end is seen to.
    prepared: bool,
}

/// An object that a program holds.
#[repr(C)]
#[derive(Clone, Copy)]
struct Held {
    object: u64,
    /// The function that releases it.
    release: u64,
    /// The stack pointer of the stub that ran the program.
    stack: u64,
}

/// This thread's list.
fn list() -> *mut List {
    let list: *mut List;
    // SAFETY: only computes the address of a thread-local object, which is there as long as the
    // thread.
    unsafe {
        asm!(
            "mov {list}, qword ptr fs:[0]",
            "add {list}, qword ptr [rip + ufunc_agent_obligations@GOTTPOFF]",
            list = out(reg) list,
            options(nostack, pure, readonly),
        );
    }
    list
}

/// Calls the function of the application that releases an object.
///
/// # Safety
///
/// The object was acquired and not released, and this is the function of its family.
unsafe fn release(held: Held) {
    type Release = unsafe extern "C" fn(u64);
    // SAFETY: it is the address of a function that takes a pointer, as the caller vouches.
    let release = unsafe { std::mem::transmute::<usize, Release>(held.release as usize) };
    // SAFETY: as the caller vouches.
    unsafe { release(held.object) };
}

/// Releases what programs held that were at these places of the stack, and are there no more.
///
/// # Safety
///
/// `list` is this thread's.
unsafe fn settle(list: *mut List, left: Range<u64>) {
    // One at a time: what is called may come here again.
    // SAFETY: the list is this thread's, and no reference to it is kept over a call.
    while let Some(held) = unsafe { (*list).take(|held| left.contains(&held.stack)) } {
        // SAFETY: it was acquired by a program that never came to release it.
        unsafe { release(held) };
    }
}

impl List {
    /// Takes out the last one that fits.
    fn take(&mut self, fits: impl Fn(&Held) -> bool) -> Option<Held> {
        let count = self.count.min(ROOM);
        let at = self.held.get(..count)?.iter().rposition(fits)?;
        let held = self.held.get(at).copied();
        self.held.copy_within(at + 1..count, at);
        self.count = count - 1;
        held
    }
}

/// A program begins that may acquire something.
pub(crate) extern "C" fn begin() -> u64 {
    begin_at(returns::guard())
}

/// The same, run by a stub with this stack pointer: whoever was there or further down is no more.
fn begin_at(stack: u64) -> u64 {
    let list = list();
    // SAFETY: the list is this thread's, and the reference is gone before anything is called.
    let left = unsafe {
        let list = &mut *list;
        list.prepare();
        // Elsewhere than on its own stack nothing is certain.
        let is_own = (list.lowest..list.highest).contains(&stack);
        if is_own && list.count > 0 { list.lowest..stack + 1 } else { return 0 }
    };
    // SAFETY: the list is this thread's.
    unsafe { settle(list, left) };
    0
}

/// A program on this thread has acquired `object`, which `free` releases. What the program is given:
/// the object, or 0 if there is no room for it.
///
/// # Safety
///
/// Called by compiled programs only, with what they have just acquired.
pub(crate) unsafe extern "C" fn acquired(object: u64, free: u64) -> u64 {
    // SAFETY: as the caller vouches.
    unsafe { acquired_at(object, free, returns::guard()) }
}

/// The same, run by a stub with this stack pointer.
///
/// # Safety
///
/// As for [`acquired`].
unsafe fn acquired_at(object: u64, free: u64, stack: u64) -> u64 {
    let list = list();
    let held = Held { object, release: free, stack };
    // SAFETY: the list is this thread's, and the reference is gone before anything is called.
    let has_room = unsafe {
        let list = &mut *list;
        let count = list.count;
        match list.held.get_mut(count) {
            Some(place) => {
                *place = held;
                list.count = count + 1;
                true
            }
            None => false,
        }
    };
    if !has_room {
        // SAFETY: it has just been acquired.
        unsafe { release(held) };
        return 0;
    }
    object
}

/// A program on this thread is about to release `object`.
pub(crate) extern "C" fn released(object: u64) -> u64 {
    // SAFETY: the list is this thread's.
    let _ = unsafe { (*list()).take(|held| held.object == object) };
    0
}

/// The key by which the C library calls us at a thread's end; 0 for none, else one more.
static KEY: AtomicU32 = AtomicU32::new(0);
/// Keys below need no memory in each thread that the C library would have to allocate.
const SIMPLE_KEYS: u32 = 32;

/// Has what threads hold be released when they end. To be called once, before any program runs.
pub(crate) fn prepare() {
    unsafe extern "C" fn at_end(list: *mut libc::c_void) {
        // SAFETY: the value of the key is the list of the thread that ends, which runs this.
        unsafe { settle(list.cast(), 0..u64::MAX) };
    }
    if KEY.load(Ordering::Acquire) != 0 {
        return;
    }
    let mut key = 0;
    // SAFETY: the key is written, and the function stays.
    let error = unsafe { libc::pthread_key_create(&raw mut key, Some(at_end)) };
    if error == 0 && key < SIMPLE_KEYS {
        KEY.store(key + 1, Ordering::Release);
    }
}

impl List {
    /// Finds out, in a thread's first program, where its stack is, and has its end seen to.
    fn prepare(&mut self) {
        if self.prepared {
            return;
        }
        self.prepared = true;
        let (lowest, highest) = returns::stack(sys::process() == sys::thread());
        (self.lowest, self.highest) = (lowest as u64, highest as u64);
        if let Some(key) = KEY.load(Ordering::Acquire).checked_sub(1) {
            // SAFETY: the key is one, and the list stays as long as the thread. It needs no memory.
            unsafe { libc::pthread_setspecific(key, (&raw const *self).cast()) };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::sync::Mutex;
    use std::thread;

    use super::*;

    thread_local! {
        static RELEASED: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
    }

    extern "C" fn free(object: u64) {
        RELEASED.with_borrow_mut(|released| released.push(object));
    }

    fn acquire(object: u64, stack: u64) -> u64 {
        // SAFETY: `free` may be called with any number.
        unsafe { acquired_at(object, free as *const () as u64, stack) }
    }

    /// The lowest place of this thread's stack.
    fn lowest() -> u64 {
        // SAFETY: the list is this thread's.
        let lowest = unsafe {
            (*list()).prepare();
            (*list()).lowest
        };
        assert_ne!(lowest, 0);
        lowest
    }

    #[test]
    fn what_is_released_in_time_is_released_by_nobody_else() {
        let stack = lowest() + 1000;
        begin_at(stack);
        assert_eq!(acquire(1, stack), 1);
        assert_eq!(acquire(2, stack), 2);
        released(1);
        released(2);
        begin_at(stack);
        assert!(RELEASED.take().is_empty());
    }

    #[test]
    fn what_a_program_left_behind_is_released_when_the_next_begins() {
        let stack = lowest() + 1000;
        acquire(1, stack);
        acquire(2, stack);
        // Further down: the first is still at work.
        begin_at(stack - 100);
        acquire(3, stack - 100);
        assert!(RELEASED.take().is_empty());
        begin_at(stack - 50);
        assert_eq!(RELEASED.take(), [3]);
        // The very same place again: a loop that is left by longjmp each time.
        begin_at(stack);
        assert_eq!(RELEASED.take(), [2, 1]);
    }

    #[test]
    fn another_stack_says_nothing_of_this_one() {
        let stack = lowest() + 1000;
        acquire(1, stack);
        // A coroutine's, or a handler's.
        for other in [u64::MAX - 1, 5] {
            begin_at(other);
            acquire(other, other);
        }
        assert!(RELEASED.take().is_empty());
        begin_at(stack + 1000);
        assert_eq!(RELEASED.take(), [1]);
        for object in [u64::MAX - 1, 5] {
            released(object);
        }
    }

    #[test]
    fn what_finds_no_room_is_released_and_not_given() {
        for object in 1..=ROOM as u64 {
            assert_eq!(acquire(object, 1000), object);
        }
        assert_eq!(acquire(77, 1000), 0);
        assert_eq!(RELEASED.take(), [77]);
        released(3);
        assert_eq!(acquire(78, 1000), 78);
        for object in (1..=ROOM as u64).chain([78]) {
            released(object);
        }
        assert!(RELEASED.take().is_empty());
    }

    #[test]
    fn what_a_thread_holds_is_released_when_it_ends() {
        static LEFT: Mutex<Vec<u64>> = Mutex::new(Vec::new());
        extern "C" fn leave(object: u64) {
            LEFT.lock().unwrap().push(object);
        }
        prepare();
        thread::spawn(|| {
            // SAFETY: `leave` may be called with any number.
            unsafe { acquired_at(5, leave as *const () as u64, lowest() + 1000) };
        })
        .join()
        .unwrap();
        assert_eq!(*LEFT.lock().unwrap(), [5]);
    }
}
