// SPDX-License-Identifier: MIT OR Apache-2.0
//! The words that helpers keep for each thread.
//!
//! They are in the block of thread-local storage that is there from a thread's beginning ("initial
//! exec"), so that nothing is ever allocated at the first use.

use std::arch::{asm, global_asm};

use ufunc_maps::sys;

global_asm!(
    ".pushsection .tbss.ufunc_agent_helpers,\"awT\",@nobits",
    ".p2align 3",
    ".globl ufunc_agent_tail_calls",
    ".hidden ufunc_agent_tail_calls",
    ".type ufunc_agent_tail_calls, @object",
    "ufunc_agent_tail_calls: .zero 8",
    ".size ufunc_agent_tail_calls, 8",
    ".globl ufunc_agent_random",
    ".hidden ufunc_agent_random",
    ".type ufunc_agent_random, @object",
    "ufunc_agent_random: .zero 8",
    ".size ufunc_agent_random, 8",
    ".popsection",
);

/// Where the word is that counts a program's tail calls, counted from the thread pointer; see
/// [`ufunc_shared::helpers::tail_entry`].
#[must_use]
pub fn tail_word() -> i32 {
    let offset: i64;
    // SAFETY: reads where the word is, which the linker or the loader of this object wrote.
    unsafe {
        asm!(
            "mov {}, qword ptr [rip + ufunc_agent_tail_calls@GOTTPOFF]",
            out(reg) offset,
            options(nostack, readonly, preserves_flags),
        );
    }
    // Thread-local storage of an executable or of this kind of object is far smaller than that.
    offset as i32
}

/// How many tail calls the program has made.
pub(super) fn tail_calls() -> u64 {
    let value;
    // SAFETY: reads this thread's own word.
    unsafe {
        asm!(
            "mov {value}, qword ptr [rip + ufunc_agent_tail_calls@GOTTPOFF]",
            "mov {value}, qword ptr fs:[{value}]",
            value = out(reg) value,
            options(nostack, readonly, preserves_flags),
        );
    }
    value
}

pub(super) fn set_tail_calls(value: u64) {
    // SAFETY: writes this thread's own word.
    unsafe {
        asm!(
            "mov {place}, qword ptr [rip + ufunc_agent_tail_calls@GOTTPOFF]",
            "mov qword ptr fs:[{place}], {value}",
            place = out(reg) _,
            value = in(reg) value,
            options(nostack, preserves_flags),
        );
    }
}

/// `bpf_get_prandom_u32`
pub(super) extern "C" fn random() -> u64 {
    let mut state: u64;
    // SAFETY: reads this thread's own word.
    unsafe {
        asm!(
            "mov {value}, qword ptr [rip + ufunc_agent_random@GOTTPOFF]",
            "mov {value}, qword ptr fs:[{value}]",
            value = out(reg) state,
            options(nostack, readonly, preserves_flags),
        );
    }
    if state == 0 {
        // SAFETY: only reads a counter.
        let ticks = unsafe { std::arch::x86_64::_rdtsc() };
        state = ticks ^ u64::from(sys::thread()) << 40;
    }
    // SplitMix64. A signal's handler in between draws the same number, which does no harm.
    state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    // SAFETY: writes this thread's own word.
    unsafe {
        asm!(
            "mov {place}, qword ptr [rip + ufunc_agent_random@GOTTPOFF]",
            "mov qword ptr fs:[{place}], {value}",
            place = out(reg) _,
            value = in(reg) state,
            options(nostack, preserves_flags),
        );
    }
    let mixed = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ mixed >> 31) >> 32
}
