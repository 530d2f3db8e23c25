// SPDX-License-Identifier: MIT OR Apache-2.0
//! Stack traces: by frame pointers, as the kernel follows those of applications.

use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicPtr, Ordering};

use ufunc_maps::bytes;
use ufunc_shared::context::Field;

use super::{EFAULT, EINVAL, error, map, pointer};
use crate::memory;

/// How many frames the kernel looks at (`perf_event_max_stack`).
const DEEPEST: usize = 127;
/// How many of the innermost frames to leave out.
const SKIP: u64 = 0xff;
/// `BPF_F_USER_STACK`
const USER: u64 = 1 << 8;
/// `BPF_F_FAST_STACK_CMP`
const FAST_COMPARE: u64 = 1 << 9;
/// `BPF_F_REUSE_STACKID`
const REUSE: u64 = 1 << 10;
/// `BPF_F_USER_BUILD_ID`
const BUILD_ID: u64 = 1 << 11;
/// Addresses of applications are below that.
const END: u64 = (1 << 47) - 4096;

const FRAME: usize = 8;

/// A probed entry of a function, where the caller's frame is still in place.
struct Entry {
    next: *const Entry,
    point: u64,
}

/// All of them. Never freed: a hook may be looking.
static ENTRIES: AtomicPtr<Entry> = AtomicPtr::new(std::ptr::null_mut());

/// Says that a hook comes to this point, where there are, or were, these bytes. As in the kernel, it is
/// a function's entry if it pushes the frame pointer or is a place that jumps may lead to.
pub fn remember_entry(point: u64, original: &[u8]) {
    const PUSH: u8 = 0x55;
    const ENDBR64: [u8; 4] = [0xf3, 0x0f, 0x1e, 0xfa];
    if !(original.starts_with(&[PUSH]) || original.starts_with(&ENDBR64)) || is_entry(point) {
        return;
    }
    let entry = Box::leak(Box::new(Entry { next: std::ptr::null(), point }));
    let mut first = ENTRIES.load(Ordering::Acquire);
    loop {
        entry.next = first;
        match ENTRIES.compare_exchange(first, entry, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => return,
            Err(other) => first = other,
        }
    }
}

fn is_entry(point: u64) -> bool {
    // SAFETY: it is null or was put there by `remember_entry`, complete, and is never freed.
    let mut next = unsafe { ENTRIES.load(Ordering::Acquire).as_ref() };
    while let Some(entry) = next {
        if entry.point == point {
            return true;
        }
        // SAFETY: as above.
        next = unsafe { entry.next.as_ref() };
    }
    false
}

/// Frames, the innermost first. They are not filled with zeros before they are there, for that would be
/// a call of the C library.
struct Frames<'a> {
    places: &'a mut MaybeUninit<[u64; DEEPEST]>,
    count: usize,
    most: usize,
}

impl<'a> Frames<'a> {
    fn new(places: &'a mut MaybeUninit<[u64; DEEPEST]>, most: usize) -> Self {
        Self { places, count: 0, most: most.min(DEEPEST) }
    }

    /// Adds one; whether there was room.
    fn push(&mut self, frame: u64) -> bool {
        if self.count >= self.most {
            return false;
        }
        // SAFETY: there is room for as many as there may be.
        unsafe { self.places.as_mut_ptr().cast::<u64>().add(self.count).write(frame) };
        self.count += 1;
        true
    }

    /// All but the first ones. None if there are fewer.
    fn from(&self, skip: usize) -> Option<&[u64]> {
        // SAFETY: so many were written.
        let all = unsafe { std::slice::from_raw_parts(self.places.as_ptr().cast(), self.count) };
        all.get(skip..)
    }

    /// Adds those of a context.
    ///
    /// # Safety
    ///
    /// The context is a `struct pt_regs` in which the hook stored what a stack is unwound from.
    unsafe fn unwind(&mut self, context: u64) {
        let field = |field: Field| {
            // SAFETY: as the caller vouches.
            unsafe { pointer::<u64>(context + field.offset() as u64).read() }
        };
        let point = field(Field::Ip);
        self.push(point);
        if is_entry(point)
            // SAFETY: any bytes are an address.
            && let Some(caller) = unsafe { memory::read::<u64>(field(Field::Sp)) }
        {
            self.push(caller);
        }
        let mut frame = field(Field::Bp);
        while frame <= END - 2 * FRAME as u64 {
            // SAFETY: any bytes are addresses.
            let Some([next, back]) = (unsafe { memory::read::<[u64; 2]>(frame) }) else { break };
            if !self.push(back) {
                break;
            }
            frame = next;
        }
    }
}

/// `bpf_get_stack`
pub(super) unsafe extern "C" fn get_stack(context: u64, to: u64, size: u64, flags: u64) -> u64 {
    let size = size as u32 as usize;
    let to = pointer::<u8>(to);
    // SAFETY: the verifier has judged that there is room for `size` bytes.
    let fail = |error: u64| unsafe {
        bytes::zero(to, size);
        error
    };
    if flags & !(SKIP | USER | BUILD_ID) != 0 || !size.is_multiple_of(FRAME) {
        return fail(EINVAL);
    }
    if flags & BUILD_ID != 0 {
        return fail(if flags & USER == 0 { EINVAL } else { error(libc::EOPNOTSUPP) });
    }
    // The kernel is not on the stack here.
    if flags & USER == 0 {
        return fail(EFAULT);
    }
    let skip = (flags & SKIP) as usize;
    let mut places = MaybeUninit::uninit();
    let mut frames = Frames::new(&mut places, size / FRAME + skip);
    // SAFETY: the verifier has judged the context, and the stub stores what this helper reads.
    unsafe { frames.unwind(context) };
    let Some(frames) = frames.from(skip) else { return fail(EFAULT) };
    let length = frames.len() * FRAME;
    // SAFETY: there are no more than fit, and the rest is within `size`.
    unsafe {
        bytes::copy(to, frames.as_ptr().cast(), length);
        bytes::zero(to.add(length), size - length);
    }
    length as u64
}

/// `bpf_get_stackid`
pub(super) unsafe extern "C" fn get_stackid(context: u64, handle: u64, flags: u64) -> u64 {
    if flags & !(SKIP | USER | FAST_COMPARE | REUSE) != 0 {
        return EINVAL;
    }
    if flags & USER == 0 {
        return EFAULT;
    }
    let skip = (flags & SKIP) as usize;
    // SAFETY: the verifier has judged it.
    let table = unsafe { map(handle) };
    let mut places = MaybeUninit::uninit();
    let mut frames = Frames::new(&mut places, table.frames() + skip);
    // SAFETY: the verifier has judged the context, and the stub stores what this helper reads.
    unsafe { frames.unwind(context) };
    match frames.from(skip) {
        // All were left out, or there were none.
        None | Some([]) => EFAULT,
        Some(frames) => {
            table.put_stack(frames, flags).map_or_else(|error| error.returned(), u64::from)
        }
    }
}
