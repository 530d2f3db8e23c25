// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which processor this runs on, and how many there may be.

use std::fs;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::sys;

/// Where each thread has what the kernel keeps up to date ("rseq"), counted from its pointer; 0 if
/// the C library does not say.
static RSEQ: AtomicI64 = AtomicI64::new(0);

/// Finds out where [`current`] can look. To be called once, from where the C library may be called.
pub(crate) fn prepare() {
    // SAFETY: the names are C strings; what is found is a variable of the dynamic loader, of the type
    // that its header says.
    unsafe {
        let size = libc::dlsym(libc::RTLD_DEFAULT, c"__rseq_size".as_ptr()).cast::<u32>();
        let offset = libc::dlsym(libc::RTLD_DEFAULT, c"__rseq_offset".as_ptr()).cast::<isize>();
        if !size.is_null() && !offset.is_null() && *size != 0 {
            RSEQ.store(*offset as i64, Ordering::Relaxed);
        }
    }
}

/// The number of the processor that the thread runs on.
#[cfg(target_arch = "x86_64")]
#[inline]
#[must_use]
pub fn current() -> u32 {
    let offset = RSEQ.load(Ordering::Relaxed);
    if offset != 0 {
        let number: i32;
        // SAFETY: reads this thread's own memory, where the C library says that it is.
        unsafe {
            std::arch::asm!(
                "mov {number:e}, dword ptr fs:[{offset} + 4]",
                number = lateout(reg) number,
                offset = in(reg) offset,
                options(nostack, readonly, preserves_flags),
            );
        }
        // Negative in a thread that the C library does not know.
        if let Ok(number) = u32::try_from(number) {
            return number;
        }
    }
    ask()
}

/// As the kernel's own `getcpu` does without a system call: a segment's limit holds the number.
#[cfg(target_arch = "x86_64")]
#[cold]
fn ask() -> u32 {
    const SEGMENT: u32 = 15 * 8 + 3;
    const NUMBER: u32 = 0xfff;
    let limit: u32;
    let known: u8;
    // SAFETY: only asks for a segment's limit, which may fail.
    unsafe {
        std::arch::asm!(
            "xor {limit:e}, {limit:e}",
            "lsl {limit:e}, {segment:e}",
            "setz {known}",
            limit = out(reg) limit,
            segment = in(reg) SEGMENT,
            known = out(reg_byte) known,
            options(nostack, nomem),
        );
    }
    if known != 0 { limit & NUMBER } else { ask_kernel() }
}

/// The number of the processor that the thread runs on.
#[cfg(not(target_arch = "x86_64"))]
#[must_use]
pub fn current() -> u32 {
    ask_kernel()
}

fn ask_kernel() -> u32 {
    let mut number = 0u32;
    // SAFETY: the kernel writes a number; the others may be missing.
    unsafe { sys::call(libc::SYS_getcpu, [(&raw mut number).addr(), 0, 0, 0, 0, 0]) };
    number
}

/// How many processors there may be, at most.
pub(crate) fn possible() -> u32 {
    let text = fs::read_to_string("/sys/devices/system/cpu/possible").unwrap_or_default();
    let last = text.trim().rsplit([',', '-']).next().and_then(|last| last.parse::<u32>().ok());
    let counted = || {
        // SAFETY: only asks.
        let count = unsafe { libc::sysconf(libc::_SC_NPROCESSORS_CONF) };
        u32::try_from(count).unwrap_or(1).max(1)
    };
    last.and_then(|last| last.checked_add(1)).unwrap_or_else(counted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_ways_agree() {
        let pinned = |cpu: usize| {
            // SAFETY: a set of processors, for this thread.
            unsafe {
                let mut set: libc::cpu_set_t = std::mem::zeroed();
                libc::CPU_SET(cpu, &mut set);
                libc::sched_setaffinity(0, size_of_val(&set), &raw const set) == 0
            }
        };
        let mut tried = 0;
        for cpu in 0..possible() {
            if pinned(cpu as usize) {
                RSEQ.store(0, Ordering::Relaxed);
                assert_eq!((current(), ask_kernel()), (cpu, cpu));
                prepare();
                assert_eq!(current(), cpu);
                tried += 1;
            }
        }
        assert!(tried > 0);
    }
}
