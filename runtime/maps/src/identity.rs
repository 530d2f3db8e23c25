// SPDX-License-Identifier: MIT OR Apache-2.0
//! Who holds a lock: a thread, told so that any other process can see whether it still lives.
//!
//! Numbers of threads only mean something within a namespace of processes, so its number is part of
//! it: whoever is of another one is never taken for dead.

use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

use crate::sys;

/// Bits of a thread's number: the kernel has no larger ones.
const NUMBER_BITS: u32 = 22;
const NUMBER: u64 = (1 << NUMBER_BITS) - 1;
/// Bits of a namespace's number that are kept.
const SPACE_BITS: u32 = 20;
const SPACE: u64 = (1 << SPACE_BITS) - 1;
/// The namespace of those who do not know theirs.
const UNKNOWN: u64 = SPACE;
/// Bits of the namespace that fit into half a word, with a thread's number.
const SHORT_SPACE: u64 = (1 << (32 - NUMBER_BITS)) - 1;

/// This process, as in an identity's upper bits. In a page that the kernel wipes when the process
/// forks: so a child knows that what was remembered is its parent's.
static PROCESS: AtomicPtr<AtomicU64> = AtomicPtr::new(std::ptr::null_mut());

/// Gets what [`me`] needs to be quick. To be called once, from where memory may be mapped.
pub(crate) fn prepare() {
    if !PROCESS.load(Ordering::Acquire).is_null() {
        return;
    }
    const PAGE: usize = 4096;
    // SAFETY: new memory, of the kernel's choice.
    let page = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            PAGE,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    if page == libc::MAP_FAILED {
        return;
    }
    // SAFETY: the page is ours.
    let wiped = unsafe { libc::madvise(page, PAGE, libc::MADV_WIPEONFORK) } == 0;
    let null = std::ptr::null_mut();
    let (acquire, release) = (Ordering::Acquire, Ordering::AcqRel);
    if !wiped || PROCESS.compare_exchange(null, page.cast(), release, acquire).is_err() {
        // SAFETY: nobody else knows of it.
        unsafe { libc::munmap(page, PAGE) };
    }
}

/// The calling thread; never 0.
#[inline]
pub(crate) fn me() -> u64 {
    // SAFETY: it is null or the page of `prepare`, which stays.
    let process = unsafe { PROCESS.load(Ordering::Acquire).as_ref() };
    if let Some(process) = process {
        let known = cache::get();
        if known >> NUMBER_BITS == process.load(Ordering::Relaxed) && known != 0 {
            return known;
        }
    }
    look(process)
}

/// Asks the kernel who this is, and remembers it where there is a place for it.
#[cold]
fn look(process: Option<&AtomicU64>) -> u64 {
    let whole = space() << NUMBER_BITS | u64::from(sys::process()) & NUMBER;
    let me = whole << NUMBER_BITS | u64::from(sys::thread()) & NUMBER;
    if let Some(process) = process {
        process.store(whole, Ordering::Relaxed);
        cache::set(me);
    }
    me
}

/// The numbers of the calling process and thread.
#[must_use]
pub fn numbers() -> (u32, u32) {
    let me = me();
    ((me >> NUMBER_BITS & NUMBER) as u32, (me & NUMBER) as u32)
}

/// The calling thread, in half a word.
pub(crate) fn short() -> u32 {
    shorten(me())
}

fn shorten(identity: u64) -> u32 {
    let space = identity >> (2 * NUMBER_BITS) & SHORT_SPACE;
    (space << NUMBER_BITS | identity & NUMBER) as u32
}

/// Whether this thread is gone for certain.
#[cold]
pub(crate) fn is_gone(identity: u64) -> bool {
    let space = identity >> (2 * NUMBER_BITS);
    let own = me() >> (2 * NUMBER_BITS);
    space != UNKNOWN
        && space == own
        && gone((identity >> NUMBER_BITS & NUMBER) as usize, (identity & NUMBER) as usize)
}

/// The same for [`short`].
#[cold]
pub(crate) fn is_gone_short(identity: u32) -> bool {
    let own = me();
    let known = own >> (2 * NUMBER_BITS) != UNKNOWN;
    let same = identity >> NUMBER_BITS == shorten(own) >> NUMBER_BITS;
    let thread = (u64::from(identity) & NUMBER) as usize;
    // SAFETY: signal 0 is none; only whether the thread is there is asked.
    let answer = || unsafe { sys::call(libc::SYS_tkill, [thread, 0, 0, 0, 0, 0]) };
    known && same && (answer() == -(libc::ESRCH as isize) || is_zombie(thread))
}

fn gone(process: usize, thread: usize) -> bool {
    // SAFETY: signal 0 is none; only whether the thread is there is asked.
    let answer = unsafe { sys::call(libc::SYS_tgkill, [process, thread, 0, 0, 0, 0]) };
    answer == -(libc::ESRCH as isize) || is_zombie(thread)
}

/// Where the number is in the path of a thread's files; there are no longer ones.
const NUMBER_START: usize = 6;
const NUMBER_END: usize = 13;

/// Whether the thread has ended, and nobody has taken notice yet.
fn is_zombie(thread: usize) -> bool {
    // The number is written from its end, and what goes before it after that, so that nothing has to
    // be moved: that would be a call of the C library.
    let mut path = *b"/proc/0000000/stat\0";
    let mut start = NUMBER_END;
    let mut rest = thread;
    while rest > 0 && start > NUMBER_START {
        start -= 1;
        // Less than 10.
        path[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    start -= NUMBER_START;
    for (at, byte) in b"/proc/".iter().enumerate() {
        path[start + at] = *byte;
    }
    let path = &path[start..];
    let mut text = [0u8; 64];
    let flags = (libc::O_RDONLY | libc::O_CLOEXEC) as usize;
    // SAFETY: the path is a C string.
    let fd = unsafe {
        let directory = libc::AT_FDCWD as usize;
        sys::call(libc::SYS_openat, [directory, path.as_ptr().addr(), flags, 0, 0, 0])
    };
    let Ok(fd) = usize::try_from(fd) else { return false };
    // SAFETY: the buffer has that size, and the descriptor is this function's own.
    let read = unsafe {
        let buffer = text.as_mut_ptr().addr();
        let read = sys::call(libc::SYS_read, [fd, buffer, text.len(), 0, 0, 0]);
        sys::call(libc::SYS_close, [fd, 0, 0, 0, 0, 0]);
        read
    };
    let read = text.get(..usize::try_from(read).unwrap_or(0)).unwrap_or_default();
    // A name may have a parenthesis itself, but nothing after it has.
    let Some(end) = read.iter().rposition(|byte| *byte == b')') else { return false };
    matches!(read.get(end + 2), Some(b'Z' | b'X'))
}

/// The number of this process' namespace, cut.
fn space() -> u64 {
    let path = c"/proc/self/ns/pid";
    // SAFETY: a place for the kernel to write to; all zero is a value of it.
    let mut status: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: the path is a C string, and `status` what the kernel writes.
    let answer = unsafe {
        let arguments =
            [libc::AT_FDCWD as usize, path.as_ptr().addr(), (&raw mut status).addr(), 0, 0, 0];
        sys::call(libc::SYS_newfstatat, arguments)
    };
    if answer != 0 {
        return UNKNOWN;
    }
    let cut = status.st_ino & SPACE;
    if cut == UNKNOWN { UNKNOWN - 1 } else { cut }
}

/// The word of each thread that remembers who it is. In the block of thread-local storage that is
/// there from a thread's beginning ("initial exec"), so that nothing is ever allocated for it.
#[cfg(target_arch = "x86_64")]
mod cache {
    use std::arch::{asm, global_asm};

    global_asm!(
        ".pushsection .tbss.ufunc_maps_identity,\"awT\",@nobits",
        ".p2align 3",
        ".globl ufunc_maps_identity",
        ".hidden ufunc_maps_identity",
        ".type ufunc_maps_identity, @object",
        "ufunc_maps_identity: .zero 8",
        ".size ufunc_maps_identity, 8",
        ".popsection",
    );

    #[inline(always)]
    pub(super) fn get() -> u64 {
        let value;
        // SAFETY: reads this thread's own word.
        unsafe {
            asm!(
                "mov {value}, qword ptr [rip + ufunc_maps_identity@GOTTPOFF]",
                "mov {value}, qword ptr fs:[{value}]",
                value = out(reg) value,
                options(nostack, readonly, preserves_flags),
            );
        }
        value
    }

    pub(super) fn set(value: u64) {
        // SAFETY: writes this thread's own word.
        unsafe {
            asm!(
                "mov {place}, qword ptr [rip + ufunc_maps_identity@GOTTPOFF]",
                "mov qword ptr fs:[{place}], {value}",
                place = out(reg) _,
                value = in(reg) value,
                options(nostack, preserves_flags),
            );
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod cache {
    pub(super) fn get() -> u64 {
        0
    }

    pub(super) fn set(_: u64) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_differ_and_are_gone_when_they_are() {
        prepare();
        let mine = me();
        assert_eq!(mine, me());
        assert!(!is_gone(mine) && !is_gone_short(short()));
        let (other, short) = std::thread::spawn(|| (me(), short())).join().unwrap();
        assert_ne!(mine, other);
        // The kernel takes a moment after a thread was joined.
        let gone = |test: &dyn Fn() -> bool| {
            (0..1000).any(|_| {
                sys::sleep(1_000_000);
                test()
            })
        };
        assert!(gone(&|| is_gone(other)));
        assert!(gone(&|| is_gone_short(short)));
    }

    #[test]
    fn a_child_is_somebody_else_and_a_zombie_is_gone() {
        prepare();
        let mine = me();
        let mut pipe = [0; 2];
        // SAFETY: two descriptors fit.
        assert_eq!(unsafe { libc::pipe(pipe.as_mut_ptr()) }, 0);
        // SAFETY: the child only asks, writes and ends.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let bytes = me().to_le_bytes();
            // SAFETY: eight bytes are there.
            unsafe {
                libc::write(pipe[1], bytes.as_ptr().cast(), 8);
                libc::_exit(0);
            }
        }
        let mut bytes = [0; 8];
        // SAFETY: eight bytes fit.
        assert_eq!(unsafe { libc::read(pipe[0], bytes.as_mut_ptr().cast(), 8) }, 8);
        let child_is = u64::from_le_bytes(bytes);
        assert_eq!(child_is & NUMBER, child as u64);
        assert_ne!(child_is, mine);
        assert_eq!(child_is >> (2 * NUMBER_BITS), mine >> (2 * NUMBER_BITS));
        // Not waited for yet.
        assert!((0..1000).any(|_| {
            sys::sleep(1_000_000);
            is_gone(child_is)
        }));
        // SAFETY: only waits.
        unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) };
        assert!(is_gone(child_is));
    }
}
