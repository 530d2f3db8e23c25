// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a borrowed thread finds on its stack should its tracer be killed: all that it had before, as
//! if a handler of a signal were over.
//!
//! The kernel lets a thread go on where it is when its tracer ends. Whatever it does for us then
//! ends in `rt_sigreturn`, which takes back the registers, the vectors and the mask from here.

use std::arch::x86_64::__cpuid_count;

use super::thread::State;

/// Bytes below the stack pointer that belong to the function.
pub(super) const RED_ZONE: u64 = 128;
/// `UC_FP_XSTATE`, `UC_SIGCONTEXT_SS`, `UC_STRICT_RESTORE_SS`
const FLAGS: u64 = 0b111;
/// A state of the stack for signals that there is not: the thread's stays.
const NO_STACK: u32 = 0x7fff;
/// Bytes of what precedes the vectors: flags, link, stack, registers, mask.
const CONTEXT: usize = 304;
/// Where the registers are in it, and the mask.
const REGISTERS: usize = 40;
const MASK: usize = 296;
/// Where the registers have the address of the vectors.
const VECTORS: usize = REGISTERS + 23 * 8;
/// What the kernel looks for in the vectors, and where.
const BEGIN: u32 = 0x4650_5853;
const END: u32 = 0x4650_5845;
const SOFTWARE: usize = 464;
/// Where the vectors say which of them there are.
const PRESENT: usize = 512;
/// The least that vectors take.
const LEAST: usize = 576;
/// Those of the registers for matrices, which a thread has to ask the kernel for.
const MATRICES: u64 = 0b11 << 17;
/// The call that goes on with a sleep; and what the kernel keeps in `rax` of an interrupted call.
const SYS_RESTART: u64 = 219;
const ERESTARTSYS: i64 = -512;
const ERESTARTNOINTR: i64 = -513;
const ERESTARTNOHAND: i64 = -514;
const ERESTART_RESTARTBLOCK: i64 = -516;

/// Calls that end with EINTR when a thread is stopped, whatever is done about it.
const NEVER_RESTARTED: [i64; 9] = [
    libc::SYS_epoll_wait,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_semop,
    libc::SYS_semtimedop,
    libc::SYS_rt_sigtimedwait,
    libc::SYS_io_getevents,
    libc::SYS_msgrcv,
    libc::SYS_msgsnd,
];
/// Bytes of a `syscall`.
const SYSCALL: u64 = 2;

/// Has a call begin again that ended only because we stopped the thread. No handler has run; should
/// a signal come now, it is as if it had come just before the call.
pub(super) fn undo_interruption(registers: &mut libc::user_regs_struct) {
    let call = registers.orig_rax.cast_signed();
    let interrupted = registers.rax.cast_signed() == -i64::from(libc::EINTR);
    if interrupted && NEVER_RESTARTED.contains(&call) {
        registers.rax = registers.orig_rax;
        registers.rip = registers.rip.wrapping_sub(SYSCALL);
        registers.orig_rax = u64::MAX;
    }
}

/// What the kernel would do about an interrupted call when the thread goes on.
fn restarted(mut registers: libc::user_regs_struct) -> libc::user_regs_struct {
    undo_interruption(&mut registers);
    if registers.orig_rax.cast_signed() >= 0 {
        match registers.rax.cast_signed() {
            ERESTARTSYS | ERESTARTNOINTR | ERESTARTNOHAND => {
                registers.rax = registers.orig_rax;
                registers.rip = registers.rip.wrapping_sub(SYSCALL);
            }
            ERESTART_RESTARTBLOCK => {
                registers.rax = SYS_RESTART;
                registers.rip = registers.rip.wrapping_sub(SYSCALL);
            }
            _ => {}
        }
    }
    registers
}

/// What `rt_sigreturn` takes, and where the stack pointer has to be for it: below the thread's own.
pub(super) fn frame(state: &State) -> (u64, Vec<u8>) {
    let mut vectors = state.vectors.clone();
    let present = vectors.get(PRESENT..PRESENT + 8).and_then(|bits| bits.first_chunk());
    let all = u64::from_le_bytes(present.copied().unwrap_or_default());
    // Without matrices the kernel expects them left out.
    let keep = if all & MATRICES == 0 { !MATRICES } else { u64::MAX };
    let (size, features) = size_of_vectors(keep, vectors.len());
    vectors.truncate(size);
    let top = state.registers.rsp.wrapping_sub(RED_ZONE);
    let place = top.wrapping_sub((size + 4) as u64) & !63;
    // At the handler's return the stack pointer is at the context.
    let start = place.wrapping_sub(CONTEXT as u64) & !15;
    let mut bytes = vec![0; (top - start) as usize];
    let mut put = |at: usize, value: &[u8]| {
        if let Some(room) = bytes.get_mut(at..at + value.len()) {
            room.copy_from_slice(value);
        }
    };
    let r = restarted(state.registers);
    put(0, &FLAGS.to_le_bytes());
    put(24, &NO_STACK.to_le_bytes());
    let segments = (r.cs & 0xffff) | (r.ss & 0xffff) << 48;
    let words = [
        r.r8, r.r9, r.r10, r.r11, r.r12, r.r13, r.r14, r.r15, r.rdi, r.rsi, r.rbp, r.rbx, r.rdx,
        r.rax, r.rcx, r.rsp, r.rip, r.eflags, segments,
    ];
    for (index, word) in words.iter().enumerate() {
        put(REGISTERS + index * 8, &word.to_le_bytes());
    }
    put(VECTORS, &place.to_le_bytes());
    put(MASK, &state.mask.to_le_bytes());
    let at = (place - start) as usize;
    put(at, &vectors);
    put(at + SOFTWARE, &BEGIN.to_le_bytes());
    put(at + SOFTWARE + 4, &(size as u32 + 4).to_le_bytes());
    put(at + SOFTWARE + 8, &features.to_le_bytes());
    put(at + SOFTWARE + 16, &(size as u32).to_le_bytes());
    put(at + size, &END.to_le_bytes());
    (start, bytes)
}

/// How many bytes vectors take, and which there are, of those to `keep` that the processor has.
fn size_of_vectors(keep: u64, most: usize) -> (usize, u64) {
    const STATE: u32 = 0xd;
    #[allow(unused_unsafe, reason = "it is safe in later versions of Rust")]
    // SAFETY: every processor with x86-64 has the instruction, and this leaf if it has such vectors.
    let cpuid = |leaf| unsafe { __cpuid_count(STATE, leaf) };
    let leaf = cpuid(0);
    let features = (u64::from(leaf.edx) << 32 | u64::from(leaf.eax)) & keep;
    let mut size = LEAST;
    for feature in (2..63).filter(|feature| features >> feature & 1 != 0) {
        let leaf = cpuid(feature);
        size = size.max((leaf.eax + leaf.ebx) as usize);
    }
    (size.min(most), features)
}
