// SPDX-License-Identifier: MIT OR Apache-2.0
//! Faults: the agent's own go on, and the application's are the application's, however it handles them.
//!
//! Each case is a process of its own, for what is done with a signal is the whole process' affair.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![allow(clippy::missing_transmute_annotations, reason = "the types stand beside it")]

use std::arch::asm;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicI32, AtomicU64, AtomicUsize, Ordering};

use ufunc_agent::{helpers, memory};
use ufunc_shared::helpers::{HELPERS, KFUNCS};

const BAD: u64 = 0x10;
const EFAULT: u64 = (-14i64).cast_unsigned();
const PAGE: usize = 4096;

/// Runs `case` in a child, and gives the status that it ends with.
fn child(case: impl FnOnce()) -> i32 {
    // SAFETY: the child runs the case and ends.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let done = catch_unwind(AssertUnwindSafe(case));
        // SAFETY: only ends.
        unsafe { libc::_exit(if done.is_ok() { 0 } else { 1 }) };
    }
    let mut status = 0;
    // SAFETY: it is a child of this process.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    status
}

fn succeeds(case: impl FnOnce()) {
    assert_eq!(child(case), 0);
}

fn dies_of(signal: i32, case: impl FnOnce()) {
    let status = child(case);
    assert!(libc::WIFSIGNALED(status), "it did not die: {status:x}");
    assert_eq!(libc::WTERMSIG(status), signal);
}

/// A load of the application's: what is there, or what a handler makes of it.
fn load(address: u64) -> u8 {
    let value: u8;
    // SAFETY: there is a handler, or the process is to die. The instruction has two bytes.
    unsafe { asm!("mov al, byte ptr [rdi]", in("rdi") address, out("al") value, options(nostack)) };
    value
}

const MADE_UP: u8 = 0x77;

/// What the last handler saw.
static SEEN: AtomicUsize = AtomicUsize::new(0);
static SIGNAL: AtomicI32 = AtomicI32::new(0);
static CODE: AtomicI32 = AtomicI32::new(0);
static ADDRESS: AtomicU64 = AtomicU64::new(0);
static BLOCKED: AtomicU64 = AtomicU64::new(0);
static STACK: AtomicUsize = AtomicUsize::new(0);

fn see(signal: i32) {
    SEEN.fetch_add(1, Ordering::Relaxed);
    SIGNAL.store(signal, Ordering::Relaxed);
    // SAFETY: only asks.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigprocmask(libc::SIG_BLOCK, std::ptr::null(), &raw mut set);
        BLOCKED.store((&raw const set).cast::<u64>().read(), Ordering::Relaxed);
    }
    STACK.store((&raw const signal).addr(), Ordering::Relaxed);
}

/// Goes on behind the load, with a value that it made up.
extern "C" fn handler(signal: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    see(signal);
    // SAFETY: the kernel gives both to a handler of this kind.
    unsafe {
        CODE.store((*info).si_code, Ordering::Relaxed);
        ADDRESS.store((*info).si_addr() as u64, Ordering::Relaxed);
        if (*info).si_code > 0 {
            let registers = &mut (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs;
            registers[libc::REG_RIP as usize] += 2;
            registers[libc::REG_RAX as usize] = MADE_UP.into();
        }
    }
}

static REPAIRED: AtomicUsize = AtomicUsize::new(0);

/// Makes the page good that is known to be bad.
extern "C" fn repairing(signal: i32) {
    see(signal);
    // SAFETY: the page is the test's.
    unsafe {
        let page = REPAIRED.load(Ordering::Relaxed) as *mut libc::c_void;
        libc::mprotect(page, PAGE, libc::PROT_READ | libc::PROT_WRITE);
    }
}

fn set(signal: i32, handler: usize, flags: i32, masked: &[i32]) -> libc::sigaction {
    // SAFETY: numbers; the handler is one of the above.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        let mut old: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler;
        action.sa_flags = flags;
        for signal in masked {
            libc::sigaddset(&raw mut action.sa_mask, *signal);
        }
        assert_eq!(libc::sigaction(signal, &raw const action, &raw mut old), 0);
        old
    }
}

fn handler_address() -> usize {
    handler as *const () as usize
}

/// What programs do with bad addresses works.
fn ours_work() {
    let before = SEEN.load(Ordering::Relaxed);
    let read = helper(112);
    for bad in [0, BAD, 1 << 63, u64::MAX - 100] {
        let mut room = [0x55u8; 24];
        assert_eq!(read(room.as_mut_ptr() as u64, 20, bad), EFAULT);
        assert_eq!(room[..20], [0; 20]);
        assert_eq!(room[20..], [0x55; 4]);
        assert_eq!(guarded()(bad, 7), 0);
    }
    let good = 0x1122_3344_5566_7788u64;
    assert_eq!(guarded()((&raw const good).addr() as u64, 7), good);
    assert_eq!(SEEN.load(Ordering::Relaxed), before, "the application saw a fault of ours");
}

/// A helper of three words.
fn helper(id: u32) -> extern "C" fn(u64, u64, u64) -> u64 {
    let all = helpers::addresses();
    let (_, address) = HELPERS.iter().zip(all).find(|(helper, _)| helper.id == id).unwrap();
    // SAFETY: that is what the helper is.
    unsafe { std::mem::transmute(address as usize as *const ()) }
}

#[test]
fn what_can_be_written_is_and_the_rest_is_not() {
    succeeds(|| {
        memory::install().unwrap();
        // `bpf_probe_write_user`, which many kernels forbid, so they cannot be asked.
        let write = helper(36);
        let from = *b"0123456789abcdef";
        let from = from.as_ptr() as u64;
        let mut to = [0u8; 20];
        assert_eq!(write(to.as_mut_ptr() as u64 + 1, from, 13), 0);
        assert_eq!(&to, b"\x000123456789abc\0\0\0\0\0\0");
        assert_eq!(write(BAD, from, 8), EFAULT);
        // What is only for reading.
        assert_eq!(
            write(what_can_be_written_is_and_the_rest_is_not as fn() as usize as u64, from, 8),
            EFAULT
        );
    });
}

/// A function that compiled programs call, of three words.
fn kfunc(name: &str) -> extern "C" fn(u64, u64, u64) -> u64 {
    let all = helpers::kfunc_addresses();
    let (_, address) = KFUNCS.iter().zip(all).find(|(kfunc, _)| kfunc.name == name).unwrap();
    // SAFETY: that is what the function is; a word that it does not take does no harm.
    unsafe { std::mem::transmute(address as usize as *const ()) }
}

/// Two pages, of which only the first is there, as long as the process.
fn page_before_nothing() -> u64 {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: new memory, of the kernel's choice, half of which is given back.
    unsafe {
        let writable = libc::PROT_READ | libc::PROT_WRITE;
        let pages = libc::mmap(std::ptr::null_mut(), 2 * PAGE, writable, flags, -1, 0);
        assert_eq!(libc::munmap(pages.byte_add(PAGE), PAGE), 0);
        pages.addr() as u64
    }
}

#[test]
fn only_what_is_there_as_a_whole_is_borrowed() {
    succeeds(|| {
        memory::install().unwrap();
        let borrow = |address, size| kfunc("ufunc_borrow")(address, size, 0);
        let object = [0u64; 3];
        let address = (&raw const object).addr() as u64;
        assert_eq!(borrow(address, 24), address);
        for bad in [0, BAD, PAGE as u64 - 1, 1 << 63, u64::MAX, u64::MAX - 23, u64::MAX - 24] {
            assert_eq!(borrow(bad, 24), 0, "{bad:#x}");
        }
        let page = page_before_nothing();
        let end = page + PAGE as u64;
        for (address, size, there) in [
            (end - 24, 24, true),
            (end - 23, 24, false),
            (page, PAGE as u64, true),
            (page, PAGE as u64 + 1, false),
            (page + 1, PAGE as u64, false),
            (end, 1, false),
            (end - 1, 1, true),
            (page, u64::MAX, false),
        ] {
            let expected = if there { address } else { 0 };
            assert_eq!(borrow(address, size), expected, "{size} bytes at {address:#x}");
        }
    });
}

#[test]
fn fields_that_are_not_there_are_not_written() {
    succeeds(|| {
        memory::install().unwrap();
        let write = kfunc("ufunc_write");
        let (int, bits) = (32 << 32 | 64, 5 << 32 | 67);
        let mut object = [0u64; 2];
        let address = (&raw mut object).expose_provenance() as u64;
        assert_eq!(write(address, u64::MAX, int), 0);
        assert_eq!(object, [0, u32::MAX.into()]);
        assert_eq!(write(address, 0, bits), 0);
        assert_eq!(object, [0, 0xffff_ff07]);
        for place in [int, bits] {
            for bad in [0, BAD, 1 << 63, u64::MAX - 20] {
                assert_eq!(write(bad, 7, place), EFAULT, "{bad:#x}");
            }
            // What is only for reading.
            let code = fields_that_are_not_there_are_not_written as fn() as usize as u64;
            assert_eq!(write(code, 7, place), EFAULT);
            let end = page_before_nothing() + PAGE as u64;
            assert_eq!(write(end - 8, 7, place), EFAULT);
        }
    });
}

/// A function with a load that may fault, as programs have them: `mov (%rdi), %r9; mov %r9, %rax; ret`.
fn guarded() -> extern "C" fn(u64, u64) -> u64 {
    static PLACE: AtomicUsize = AtomicUsize::new(0);
    const CODE: [u8; 7] = [0x4c, 0x8b, 0x0f, 0x4c, 0x89, 0xc8, 0xc3];
    let mut place = PLACE.load(Ordering::Relaxed);
    if place == 0 {
        // SAFETY: new memory, of the kernel's choice, made executable once the code is in it.
        unsafe {
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
            let writable = libc::PROT_READ | libc::PROT_WRITE;
            let page = libc::mmap(std::ptr::null_mut(), PAGE, writable, flags, -1, 0);
            std::ptr::copy_nonoverlapping(CODE.as_ptr(), page.cast(), CODE.len());
            libc::mprotect(page, PAGE, libc::PROT_READ | libc::PROT_EXEC);
            place = page.addr();
        }
        memory::guard(place as u64, CODE.len() as u64, &[(0, 3, 9)]).unwrap();
        PLACE.store(place, Ordering::Relaxed);
    }
    // SAFETY: the code is a function of the C ABI.
    unsafe { std::mem::transmute(place as *const ()) }
}

fn theirs_work(times: usize) {
    let before = SEEN.load(Ordering::Relaxed);
    for _ in 0..times {
        assert_eq!(load(BAD + 3), MADE_UP);
        assert_eq!(ADDRESS.load(Ordering::Relaxed), BAD + 3);
        assert_eq!(SIGNAL.load(Ordering::Relaxed), libc::SIGSEGV);
    }
    assert_eq!(SEEN.load(Ordering::Relaxed), before + times);
}

#[test]
fn a_handler_that_was_there_before_gets_its_own_faults() {
    succeeds(|| {
        set(libc::SIGSEGV, handler_address(), libc::SA_SIGINFO, &[]);
        memory::install().unwrap();
        ours_work();
        theirs_work(3);
        ours_work();
        memory::install().unwrap();
        memory::recheck().unwrap();
        theirs_work(3);
    });
}

#[test]
fn a_handler_that_comes_later_gets_its_own_faults() {
    succeeds(|| {
        memory::install().unwrap();
        ours_work();
        set(libc::SIGSEGV, handler_address(), libc::SA_SIGINFO, &[]);
        ours_work();
        theirs_work(2);
        // It is told what it set, not what is there.
        let old = set(libc::SIGSEGV, libc::SIG_DFL, 0, &[]);
        assert_eq!(old.sa_sigaction, handler_address());
        assert_ne!(old.sa_flags & libc::SA_SIGINFO, 0);
        let old = set(libc::SIGSEGV, handler_address(), libc::SA_SIGINFO, &[]);
        assert_eq!(old.sa_sigaction, libc::SIG_DFL);
        ours_work();
        theirs_work(2);
        // Other signals are none of ours.
        set(libc::SIGUSR1, handler_address(), libc::SA_SIGINFO, &[]);
        // SAFETY: the handler is there.
        unsafe { libc::raise(libc::SIGUSR1) };
        assert_eq!(SIGNAL.load(Ordering::Relaxed), libc::SIGUSR1);
    });
}

#[test]
fn a_handler_set_past_us_is_found_by_looking_again() {
    succeeds(|| {
        memory::install().unwrap();
        let action = [handler_address() as u64, libc::SA_SIGINFO as u64 | 0x0400_0000, 0, 0];
        // What it returns to is found where the C library put its own.
        let mut old = [0u64; 4];
        // SAFETY: both are what the kernel takes; the handler comes with a place to return to.
        unsafe {
            let (signal, null) = (libc::SIGSEGV, std::ptr::null::<u64>());
            libc::syscall(libc::SYS_rt_sigaction, signal, null, old.as_mut_ptr(), 8);
            let action = [action[0], action[1], old[2], 0];
            libc::syscall(libc::SYS_rt_sigaction, signal, action.as_ptr(), null, 8);
        }
        assert_eq!(load(BAD + 3), MADE_UP);
        memory::recheck().unwrap();
        ours_work();
        theirs_work(2);
    });
}

#[test]
fn handlers_of_one_argument_and_of_the_other_functions() {
    succeeds(|| {
        set(libc::SIGSEGV, libc::SIG_DFL, 0, &[]);
        memory::install().unwrap();
        // SAFETY: new memory, of the kernel's choice.
        let page = unsafe {
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
            libc::mmap(std::ptr::null_mut(), PAGE, libc::PROT_NONE, flags, -1, 0)
        };
        REPAIRED.store(page.addr(), Ordering::Relaxed);
        let repairing = repairing as *const () as usize;
        // SAFETY: the handler is one.
        let old = unsafe { libc::signal(libc::SIGSEGV, repairing) };
        assert_eq!(old, libc::SIG_DFL);
        ours_work();
        assert_eq!(load(page as u64), 0);
        assert_eq!(SEEN.load(Ordering::Relaxed), 1);
        // SAFETY: the page is this test's.
        unsafe { libc::mprotect(page, PAGE, libc::PROT_NONE) };
        assert_eq!(load(page as u64), 0);
        assert_eq!(SEEN.load(Ordering::Relaxed), 2);
        // SAFETY: as above.
        assert_eq!(unsafe { libc::signal(libc::SIGSEGV, libc::SIG_DFL) }, repairing);
        ours_work();
    });
}

#[test]
fn what_a_handler_wants_blocked_is() {
    let bit = |signal: i32| 1u64 << (signal - 1);
    let masked = [libc::SIGUSR1, libc::SIGTERM];
    for (flags, own) in [(0, true), (libc::SA_NODEFER, false)] {
        succeeds(move || {
            set(libc::SIGSEGV, handler_address(), libc::SA_SIGINFO | flags, &masked);
            memory::install().unwrap();
            theirs_work(1);
            let blocked = BLOCKED.load(Ordering::Relaxed);
            assert_eq!(blocked & bit(libc::SIGSEGV) != 0, own);
            assert_ne!(blocked & bit(libc::SIGUSR1), 0);
            assert_ne!(blocked & bit(libc::SIGTERM), 0);
            assert_eq!(blocked & bit(libc::SIGUSR2), 0);
            // And no more when it is over.
            see(0);
            assert_eq!(BLOCKED.load(Ordering::Relaxed), 0);
            ours_work();
        });
    }
}

#[test]
fn a_handler_for_one_time_is_gone_after_it() {
    dies_of(libc::SIGSEGV, || {
        set(libc::SIGSEGV, handler_address(), libc::SA_SIGINFO | libc::SA_RESETHAND, &[]);
        memory::install().unwrap();
        ours_work();
        theirs_work(1);
        ours_work();
        load(BAD);
    });
}

#[test]
fn a_handler_runs_on_the_stack_that_was_set_for_it() {
    succeeds(|| {
        let mut stack = vec![0u8; 1 << 16];
        let range = stack.as_mut_ptr().addr()..stack.as_mut_ptr().addr() + stack.len();
        let other =
            libc::stack_t { ss_sp: stack.as_mut_ptr().cast(), ss_flags: 0, ss_size: stack.len() };
        // SAFETY: the stack stays as long as the process.
        assert_eq!(unsafe { libc::sigaltstack(&raw const other, std::ptr::null_mut()) }, 0);
        let flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        set(libc::SIGSEGV, handler_address(), flags, &[]);
        memory::install().unwrap();
        ours_work();
        theirs_work(2);
        assert!(range.contains(&STACK.load(Ordering::Relaxed)));
        std::mem::forget(stack);
    });
}

#[test]
fn without_a_handler_a_fault_is_the_end_with_a_core() {
    let directory = tempfile::tempdir().unwrap();
    let status = child(|| {
        std::env::set_current_dir(directory.path()).unwrap();
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: only asks, and allows what is allowed.
        unsafe {
            libc::getrlimit(libc::RLIMIT_CORE, &raw mut limit);
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_CORE, &raw const limit);
        }
        set(libc::SIGSEGV, libc::SIG_DFL, 0, &[]);
        memory::install().unwrap();
        ours_work();
        load(BAD);
    });
    assert!(libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGSEGV, "{status:x}");
    // What a process without the agent leaves here.
    let usual = child(|| {
        std::env::set_current_dir(directory.path()).unwrap();
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: as above.
        unsafe {
            libc::getrlimit(libc::RLIMIT_CORE, &raw mut limit);
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_CORE, &raw const limit);
        }
        set(libc::SIGSEGV, libc::SIG_DFL, 0, &[]);
        load(BAD);
    });
    assert_eq!(libc::WCOREDUMP(status), libc::WCOREDUMP(usual));
    // Ignored, it is no different.
    dies_of(libc::SIGSEGV, || {
        memory::install().unwrap();
        set(libc::SIGSEGV, libc::SIG_IGN, 0, &[]);
        ours_work();
        load(BAD);
    });
}

#[test]
fn what_is_sent_does_as_without_us() {
    let send = || {
        // SAFETY: the signal goes to this process.
        unsafe { libc::kill(libc::getpid(), libc::SIGSEGV) };
    };
    succeeds(|| {
        memory::install().unwrap();
        set(libc::SIGSEGV, handler_address(), libc::SA_SIGINFO, &[]);
        send();
        assert_eq!(SEEN.load(Ordering::Relaxed), 1);
        assert_eq!(CODE.load(Ordering::Relaxed), libc::SI_USER);
        set(libc::SIGSEGV, libc::SIG_IGN, 0, &[]);
        send();
        assert_eq!(SEEN.load(Ordering::Relaxed), 1);
        ours_work();
    });
    dies_of(libc::SIGSEGV, || {
        set(libc::SIGSEGV, libc::SIG_DFL, 0, &[]);
        memory::install().unwrap();
        send();
    });
}

#[test]
fn files_that_became_shorter_fault_as_well() {
    succeeds(|| {
        set(libc::SIGBUS, handler_address(), libc::SA_SIGINFO, &[]);
        memory::install().unwrap();
        // SAFETY: new memory, of the kernel's choice, of a file that has no page there.
        let page = unsafe {
            let fd = libc::memfd_create(c"short".as_ptr(), 0);
            libc::mmap(std::ptr::null_mut(), PAGE, libc::PROT_READ, libc::MAP_SHARED, fd, 0)
        };
        assert_eq!(guarded()(page as u64, 7), 0);
        assert_eq!(SEEN.load(Ordering::Relaxed), 0);
        assert_eq!(load(page as u64), MADE_UP);
        assert_eq!(SIGNAL.load(Ordering::Relaxed), libc::SIGBUS);
        ours_work();
    });
}

#[test]
fn many_threads_fault_at_once() {
    succeeds(|| {
        set(libc::SIGSEGV, handler_address(), libc::SA_SIGINFO, &[]);
        memory::install().unwrap();
        let before = SEEN.load(Ordering::Relaxed);
        guarded();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..3_000 {
                        assert_eq!(guarded()(BAD, 7), 0);
                        assert_eq!(load(BAD + 1), MADE_UP);
                    }
                });
            }
        });
        assert_eq!(SEEN.load(Ordering::Relaxed), before + 12_000);
    });
}

#[test]
fn a_thread_that_cannot_take_a_fault_is_named() {
    succeeds(|| {
        let (ready, wait) = std::sync::mpsc::channel();
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::Builder::new().name("stubborn".to_owned()).spawn(move || {
            // SAFETY: a set of signals, for this thread.
            unsafe {
                let mut set: libc::sigset_t = std::mem::zeroed();
                libc::sigaddset(&raw mut set, libc::SIGSEGV);
                libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut());
            }
            ready.send(()).unwrap();
            let _ = stopped.recv();
        });
        wait.recv().unwrap();
        let error = memory::install().unwrap_err().to_string();
        assert!(error.contains("stubborn") && error.contains("SIGSEGV"), "{error}");
        drop(stop);
        thread.unwrap().join().unwrap();
        memory::install().unwrap();
    });
}
