// SPDX-License-Identifier: MIT OR Apache-2.0
//! System calls without the C library, whose functions may be hooked, and which sets `errno`.

/// Makes a system call; what it returns is the kernel's answer, a negative error among them.
///
/// # Safety
///
/// As the system call demands.
#[cfg(target_arch = "x86_64")]
pub unsafe fn call(number: i64, arguments: [usize; 6]) -> isize {
    let mut answer = number as isize;
    let [a, b, c, d, e, f] = arguments;
    // SAFETY: the kernel changes no register but these; memory is as the caller vouches.
    unsafe {
        std::arch::asm!(
            "syscall",
            inlateout("rax") answer,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e, in("r9") f,
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    answer
}

/// Makes a system call; what it returns is the kernel's answer, a negative error among them.
///
/// # Safety
///
/// As the system call demands.
#[cfg(not(target_arch = "x86_64"))]
pub unsafe fn call(number: i64, arguments: [usize; 6]) -> isize {
    let [a, b, c, d, e, f] = arguments;
    // SAFETY: as the caller vouches.
    let answer = unsafe { libc::syscall(number as libc::c_long, a, b, c, d, e, f) };
    if answer == -1 {
        // SAFETY: the C library gives each thread such a place.
        return -(unsafe { *libc::__errno_location() } as isize);
    }
    answer as isize
}

/// The process' number.
#[must_use]
pub fn process() -> u32 {
    // SAFETY: it takes nothing.
    unsafe { call(libc::SYS_getpid, [0; 6]) as u32 }
}

/// The thread's number.
#[must_use]
pub fn thread() -> u32 {
    // SAFETY: it takes nothing.
    unsafe { call(libc::SYS_gettid, [0; 6]) as u32 }
}

/// Lets others run.
pub(crate) fn give_way() {
    // SAFETY: it takes nothing.
    unsafe { call(libc::SYS_sched_yield, [0; 6]) };
}

/// Sleeps that long, less than a second, or until a signal comes.
pub(crate) fn sleep(nanoseconds: i64) {
    let time = libc::timespec { tv_sec: 0, tv_nsec: nanoseconds };
    // SAFETY: `time` is one; the second may be missing.
    unsafe { call(libc::SYS_nanosleep, [(&raw const time).addr(), 0, 0, 0, 0, 0]) };
}
