// SPDX-License-Identifier: MIT OR Apache-2.0
//! System calls made without the C library, whose functions may be hooked, and which sets `errno`.

use std::arch::asm;

/// Makes a system call; what it returns is the kernel's answer, a negative error among them.
///
/// # Safety
///
/// As the system call demands.
pub(crate) unsafe fn call(number: i64, arguments: [usize; 6]) -> isize {
    let mut answer = number as isize;
    let [a, b, c, d, e, f] = arguments;
    // SAFETY: the kernel changes no register but these; memory is as the caller vouches.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") answer,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e, in("r9") f,
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    answer
}

/// The process' number.
pub(crate) fn process() -> i32 {
    // SAFETY: it takes nothing.
    unsafe { call(libc::SYS_getpid, [0; 6]) as i32 }
}

/// The thread's number.
pub(crate) fn thread() -> i32 {
    // SAFETY: it takes nothing.
    unsafe { call(libc::SYS_gettid, [0; 6]) as i32 }
}

/// Whether the process has such a thread.
pub(crate) fn lives(process: i32, thread: i32) -> bool {
    // SAFETY: signal 0 is none; only whether the thread is there is asked.
    let answer = unsafe { call(libc::SYS_tgkill, [process as usize, thread as usize, 0, 0, 0, 0]) };
    answer != -(libc::ESRCH as isize)
}

/// Memory to read and write, all zero.
pub(crate) fn memory(size: usize) -> Option<usize> {
    let protection = (libc::PROT_READ | libc::PROT_WRITE) as usize;
    let flags = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as usize;
    // SAFETY: the kernel chooses where, so nothing that is there is touched.
    let answer = unsafe { call(libc::SYS_mmap, [0, size, protection, flags, usize::MAX, 0]) };
    usize::try_from(answer).ok()
}

/// Says why on standard error and ends the process: to go on would be to return to nowhere.
pub(crate) fn die(message: &[u8]) -> ! {
    loop {
        // SAFETY: `message` is memory that can be read; the signal ends this process only.
        unsafe {
            call(libc::SYS_write, [2, message.as_ptr().addr(), message.len(), 0, 0, 0]);
            let (process, thread) = (process() as usize, thread() as usize);
            call(libc::SYS_tgkill, [process, thread, libc::SIGABRT as usize, 0, 0, 0]);
            call(libc::SYS_exit_group, [134, 0, 0, 0, 0, 0]);
        }
    }
}
