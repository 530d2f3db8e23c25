// SPDX-License-Identifier: MIT OR Apache-2.0
//! Helpers that call, or lead to, the program's own functions and other programs.

use super::{E2BIG, EINVAL, map, thread, word};

/// How often `bpf_loop` may call.
const MAX_LOOPS: u32 = 1 << 23;
/// How many tail calls a program may make, one after the other.
const MAX_TAIL_CALLS: u64 = 33;

/// A function of a program, as it is compiled: it takes as many of these as it uses.
type Callback = unsafe extern "C" fn(u64, u64, u64, u64, u64) -> u64;

/// # Safety
///
/// The address is that of a function of a program, as the verifier has judged.
unsafe fn callback(address: u64) -> Callback {
    // SAFETY: as the caller vouches; words in registers that it does not take do no harm.
    unsafe { std::mem::transmute::<*const (), Callback>(address as usize as *const ()) }
}

/// `bpf_loop`
pub(super) unsafe extern "C" fn repeat(count: u64, function: u64, context: u64, flags: u64) -> u64 {
    let count = count as u32;
    if flags != 0 {
        return EINVAL;
    }
    if count > MAX_LOOPS {
        return E2BIG;
    }
    // SAFETY: the verifier has judged it.
    let function = unsafe { callback(function) };
    for index in 0..u64::from(count) {
        // SAFETY: as above.
        if unsafe { function(index, context, 0, 0, 0) } != 0 {
            return index + 1;
        }
    }
    count.into()
}

/// `bpf_for_each_map_elem`
pub(super) unsafe extern "C" fn for_each_map_elem(
    handle: u64,
    function: u64,
    context: u64,
    flags: u64,
) -> u64 {
    if flags != 0 {
        return EINVAL;
    }
    // SAFETY: the verifier has judged both.
    let (table, function) = unsafe { (map(handle), callback(function)) };
    let seen = table.each(|key, value| {
        let (key, value) = (key.addr() as u64, value.addr() as u64);
        // SAFETY: as above.
        unsafe { function(handle, key, value, context, 0) != 0 }
    });
    seen.unwrap_or_else(|error| word(Err(error)))
}

/// `bpf_tail_call`: the native code to go on with, or 0.
pub(super) unsafe extern "C" fn tail_call(_context: u64, handle: u64, index: u64) -> u64 {
    let made = thread::tail_calls();
    if made >= MAX_TAIL_CALLS {
        return 0;
    }
    // SAFETY: the verifier has judged it.
    let program = unsafe { map(handle) }.program(index as u32);
    if program != 0 {
        thread::set_tail_calls(made + 1);
    }
    program
}
