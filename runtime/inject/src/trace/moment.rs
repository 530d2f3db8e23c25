// SPDX-License-Identifier: MIT OR Apache-2.0
//! Whether a thread can be borrowed to load a library where it has stopped.
//!
//! The dynamic loader and the allocator take locks, and must not be entered anew by a thread that is
//! within them. Other threads may be: they go on, and let go. So all the functions that the thread is
//! in are looked at:
//!
//! | where | good moment |
//! | --- | --- |
//! | anywhere within the dynamic loader, or a library that has `malloc` | never |
//! | within the C library | in a system call that waits for something outside; or what calls back |
//! | in the application, in other libraries | yes |
//! | in code that nobody has information on | yes: neither of them calls such code |

use anyhow::{Context as _, Result, bail};

use super::image::{Function, Image, images};
use super::memory::{Memory, mappings};
use super::unwind::{Frame, Registers, walk};

/// System calls that wait for something outside of the process and are made with no lock held that
/// loading a library would take.
const WAITING: [i64; 43] = [
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_readv,
    libc::SYS_writev,
    libc::SYS_pread64,
    libc::SYS_pwrite64,
    libc::SYS_poll,
    libc::SYS_ppoll,
    libc::SYS_select,
    libc::SYS_pselect6,
    libc::SYS_epoll_wait,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_connect,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_recvmmsg,
    libc::SYS_sendto,
    libc::SYS_sendmsg,
    libc::SYS_sendmmsg,
    libc::SYS_sendfile,
    libc::SYS_nanosleep,
    libc::SYS_clock_nanosleep,
    libc::SYS_pause,
    libc::SYS_rt_sigsuspend,
    libc::SYS_rt_sigtimedwait,
    libc::SYS_wait4,
    libc::SYS_waitid,
    libc::SYS_flock,
    libc::SYS_fcntl,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_io_getevents,
    libc::SYS_io_uring_enter,
    libc::SYS_msgrcv,
    libc::SYS_msgsnd,
    libc::SYS_semop,
    libc::SYS_semtimedop,
    libc::SYS_mq_timedreceive,
    libc::SYS_splice,
    libc::SYS_sched_yield,
];
/// Functions of the C library that wait for another thread by a futex and hold no lock of its own.
const FUTEX: [&str; 16] = [
    "pthread_cond_wait",
    "pthread_cond_timedwait",
    "pthread_cond_clockwait",
    "pthread_mutex_lock",
    "pthread_mutex_timedlock",
    "pthread_join",
    "pthread_timedjoin_np",
    "pthread_barrier_wait",
    "pthread_rwlock_rdlock",
    "pthread_rwlock_wrlock",
    "sem_wait",
    "sem_timedwait",
    "sem_clockwait",
    "cnd_wait",
    "mtx_lock",
    "syscall",
];
/// Functions of the C library that call the application's and hold no lock meanwhile.
const CALLING_BACK: [&str; 8] =
    ["__libc_start_main", "qsort", "qsort_r", "bsearch", "lfind", "lsearch", "tdelete", "twalk"];
/// Functions of the C library that hold locks whatever they wait for.
const LOCKING: [&str; 24] = [
    "malloc",
    "calloc",
    "realloc",
    "free",
    "memalign",
    "posix_memalign",
    "aligned_alloc",
    "valloc",
    "pvalloc",
    "malloc_trim",
    "mallopt",
    "fork",
    "vfork",
    "_Fork",
    "exit",
    "quick_exit",
    "pthread_create",
    "pthread_exit",
    "dlopen",
    "dlclose",
    "dlsym",
    "dlmopen",
    "dl_iterate_phdr",
    "posix_spawn",
];

/// What an image is to the question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Loader,
    C,
    Allocator,
    Other,
}

/// What is known of a process' code.
pub(super) struct Code {
    images: Vec<Image>,
    kinds: Vec<Kind>,
    /// Whether the executable itself has `malloc`, so that nobody knows what else belongs to that.
    own_allocator: bool,
    /// The C library, and its functions.
    pub(super) library: Image,
    pub(super) functions: Vec<Function>,
}

impl Code {
    pub(super) fn read(process: i32, memory: &Memory) -> Result<Self> {
        let images = images(memory, &mappings(process)?);
        let named = |name: &str| {
            images.iter().find(|image| image.name(memory).as_deref() == Some(name)).cloned()
        };
        let library = named("libc.so.6");
        let library = library
            .context("it has no C library of glibc's (libc.so.6) loaded, which the agent needs")?;
        let functions = library.functions(memory);
        let functions = functions.context("failed to read the functions of its C library")?;
        let mut kinds = Vec::new();
        let mut own_allocator = false;
        let executable = std::fs::read_link(format!("/proc/{process}/exe")).unwrap_or_default();
        for image in &images {
            let name = image.name(memory).unwrap_or_default();
            let allocates = || {
                let functions = image.functions(memory).unwrap_or_default();
                functions.iter().any(|function| function.name == "malloc")
            };
            kinds.push(if name.starts_with("ld-linux") {
                Kind::Loader
            } else if image.range == library.range {
                Kind::C
            } else if !allocates() {
                Kind::Other
            } else if image.path == executable {
                own_allocator = true;
                Kind::Other
            } else {
                Kind::Allocator
            });
        }
        Ok(Self { images, kinds, own_allocator, library, functions })
    }

    /// Where a function of the C library is.
    pub(super) fn function(&self, name: &str) -> Option<u64> {
        let found = self.functions.iter().find(|function| function.name == name);
        found.map(|function| function.range.start)
    }

    /// The images.
    pub(super) fn images(&self) -> &[Image] {
        &self.images
    }

    /// Makes sure that this is a good moment for a thread with these registers, which is in a system
    /// call or not.
    pub(super) fn check(&self, memory: &Memory, registers: &libc::user_regs_struct) -> Result<()> {
        let frames = walk(memory, &self.images, Registers::of(registers));
        let waits = registers.orig_rax.cast_signed();
        let waits = (waits >= 0).then_some(waits);
        let kinds: Vec<Option<Kind>> = frames.iter().map(|frame| self.kind(frame)).collect();
        if kinds.contains(&Some(Kind::Loader)) {
            bail!("a thread is in the dynamic loader");
        }
        if kinds.contains(&Some(Kind::Allocator)) {
            bail!("a thread is in the library of malloc");
        }
        if self.own_allocator && !waits.is_some_and(|call| WAITING.contains(&call)) {
            bail!("a thread may be in malloc, which the executable has itself");
        }
        let mut at = 0;
        // What begins a thread comes last, and holds nothing.
        while at < frames.len() {
            // What a handler returns to holds nothing; what it interrupted counts.
            if kinds[at] != Some(Kind::C) || frames[at].signal {
                at += 1;
                continue;
            }
            let more = (at..frames.len())
                .take_while(|next| kinds[*next] == Some(Kind::C) && !frames[*next].signal);
            let past = at + more.count();
            let interrupted = at > 0 && frames[at - 1].signal;
            let frames = &frames[at..past];
            self.check_unlocked(frames)?;
            let calls_back = |frame| self.among(frame, &CALLING_BACK).is_some();
            if at == 0 {
                self.check_waiting(waits, frames)?;
            } else if interrupted {
                bail!("a thread handles a signal that came while it was in the C library");
            } else if past < kinds.len() && !frames.last().is_some_and(calls_back) {
                bail!("a thread was called by {} of the C library", self.entered(frames));
            }
            at = past;
        }
        Ok(())
    }

    /// Makes sure that none of these functions of the C library holds a lock.
    fn check_unlocked(&self, frames: &[Frame]) -> Result<()> {
        match frames.iter().find_map(|frame| self.among(frame, &LOCKING)) {
            Some(name) => bail!("a thread is in {name}"),
            None => Ok(()),
        }
    }

    /// Makes sure that the thread, which is in these functions of the C library, waits in them.
    fn check_waiting(&self, waits: Option<i64>, frames: &[Frame]) -> Result<()> {
        let joins = || frames.iter().any(|frame| self.among(frame, &FUTEX).is_some());
        match waits {
            Some(call) if WAITING.contains(&call) => Ok(()),
            Some(libc::SYS_futex) if joins() => Ok(()),
            Some(call) => bail!("a thread is in the C library, in the system call {call}"),
            None => bail!("a thread is in {} of the C library", self.entered(frames)),
        }
    }

    fn kind(&self, frame: &Frame) -> Option<Kind> {
        let holds = |image: &Image| image.range.contains(&frame.address);
        let index = self.images.iter().position(holds)?;
        self.kinds.get(index).copied()
    }

    /// Which of these functions of the C library it is. One may have several names.
    fn among(&self, frame: &Frame, names: &[&'static str]) -> Option<&'static str> {
        let holds = |function: &&Function| function.range.contains(&frame.address);
        let mut functions = self.functions.iter().filter(holds);
        functions.find_map(|function| names.iter().find(|name| **name == function.name).copied())
    }

    /// The name of the function that others called.
    fn entered(&self, frames: &[Frame]) -> &str {
        let holds = |function: &&Function| {
            frames.last().is_some_and(|frame| function.range.contains(&frame.address))
        };
        self.functions.iter().find(holds).map_or("a function", |function| &function.name)
    }
}
