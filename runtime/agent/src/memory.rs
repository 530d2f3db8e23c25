// SPDX-License-Identifier: MIT OR Apache-2.0
//! Memory that may not be there: a program's loads through the application's pointers, and helpers'
//! copies.
//!
//! They are plain instructions, and when one faults, the handler of SIGSEGV and SIGBUS knows where it
//! goes on: behind the load, with 0 in the register, or at the end of the copy. All other faults are
//! the application's: its own handler is entered as if the kernel had done it, with nothing of ours on
//! the stack.
//!
//! Which handler that is the application may change at any time. It does so by functions that are
//! [taken over](crate::interpose) here; what gets past these is found by [`recheck`].
//!
//! The kernel ends a process that faults while it blocks the signal. So there may be no thread that
//! does ([`install`]); while the application's own handler of SIGSEGV runs with SIGSEGV blocked, hooks
//! in what it calls must not come upon bad addresses.

use std::arch::global_asm;
use std::hint::spin_loop;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, Ordering};

use anyhow::{Result, ensure};
use ufunc_maps::sys;

use crate::{threads, trap};

/// The signals of bad addresses.
pub(crate) const SIGNALS: [libc::c_int; 2] = [libc::SIGSEGV, libc::SIGBUS];

/// `SA_RESTORER`, which says that there is code to return to from a handler.
const RESTORER: u64 = 0x0400_0000;
/// Bytes of the kernel's sets of signals.
const MASK: usize = 8;
/// `SIG_DFL` and `SIG_IGN`, as numbers.
const DEFAULT: u64 = libc::SIG_DFL as u64;
const IGNORE: u64 = libc::SIG_IGN as u64;

/// What is done with a signal, as the kernel has it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Action {
    pub(crate) handler: u64,
    pub(crate) flags: u64,
    pub(crate) restorer: u64,
    pub(crate) mask: u64,
}

/// Asks the kernel to handle a signal so, and what it did before.
pub(crate) fn kernel_action(signal: libc::c_int, new: Option<Action>) -> Result<Action, i32> {
    let mut old = Action::default();
    let new = new.map(|new| Action {
        flags: new.flags | RESTORER,
        restorer: (ufunc_agent_restore as *const ()).addr() as u64,
        ..new
    });
    let from = new.as_ref().map_or(0, |new| (&raw const *new).addr());
    let arguments = [signal as usize, from, (&raw mut old).addr(), MASK, 0, 0];
    // SAFETY: both are such structs, or missing; that the handler is one is the care of who sets it.
    let answer = unsafe { sys::call(libc::SYS_rt_sigaction, arguments) };
    if answer == 0 { Ok(old) } else { Err(-answer as i32) }
}

/// How often a reader looks again.
const PATIENCE: u32 = 1 << 20;

/// What the application wants done with a signal. Read by handlers at any time, so written in turns:
/// while the count is odd somebody is writing.
struct Wanted {
    count: AtomicU32,
    words: [AtomicU64; 4],
}

static WANTED: [Wanted; 2] = [const { Wanted::new() }; 2];

/// Whether our handlers are in place.
static INSTALLED: AtomicBool = AtomicBool::new(false);

impl Wanted {
    const fn new() -> Self {
        Self { count: AtomicU32::new(0), words: [const { AtomicU64::new(0) }; 4] }
    }

    fn get(&self) -> Action {
        let mut patience = PATIENCE;
        loop {
            let before = self.count.load(Ordering::Acquire);
            let [handler, flags, restorer, mask] =
                std::array::from_fn(|word: usize| self.words[word].load(Ordering::Acquire));
            let whole = before.is_multiple_of(2) && self.count.load(Ordering::Acquire) == before;
            // Should it be this very thread that was interrupted while writing.
            patience -= 1;
            if whole || patience == 0 {
                return Action { handler, flags, restorer, mask };
            }
            spin_loop();
        }
    }

    /// Changes it, if it is what `change` takes it for; what it was before.
    fn change(&self, change: impl Fn(Action) -> Option<Action>) -> Action {
        loop {
            let count = self.count.load(Ordering::Acquire);
            let free = count.is_multiple_of(2)
                && self
                    .count
                    .compare_exchange(count, count + 1, Ordering::AcqRel, Ordering::Relaxed)
                    .is_ok();
            if !free {
                spin_loop();
                continue;
            }
            let [handler, flags, restorer, mask] =
                std::array::from_fn(|word: usize| self.words[word].load(Ordering::Relaxed));
            let old = Action { handler, flags, restorer, mask };
            if let Some(new) = change(old) {
                let new = [new.handler, new.flags, new.restorer, new.mask];
                for (word, value) in self.words.iter().zip(new) {
                    word.store(value, Ordering::Release);
                }
            }
            self.count.store(count.wrapping_add(2), Ordering::Release);
            return old;
        }
    }
}

fn wanted(signal: libc::c_int) -> Option<&'static Wanted> {
    let index = SIGNALS.iter().position(|ours| *ours == signal)?;
    WANTED.get(index)
}

/// What [`crate::interpose`] does for the signals that are handled here: what the application wants
/// is remembered rather than done. None if the kernel is to do it.
pub(crate) fn application_wants(signal: libc::c_int, new: Option<Action>) -> Option<Action> {
    let wanted = wanted(signal).filter(|_| INSTALLED.load(Ordering::Acquire))?;
    Some(wanted.change(|_| new))
}

/// Handles faults, before or instead of the application. Nothing is changed if a thread of it could
/// not take one.
pub fn install() -> Result<()> {
    threads::take_traps(&SIGNALS)?;
    for signal in SIGNALS {
        take(signal)?;
    }
    INSTALLED.store(true, Ordering::Release);
    Ok(())
}

/// Sees to it that faults are still handled here, once they were: should the application have set a
/// handler past us, that is entered from ours from now on. To be called now and then, by a thread of
/// the agent's own.
pub fn recheck() -> Result<()> {
    if INSTALLED.load(Ordering::Acquire) {
        for signal in SIGNALS {
            take(signal)?;
        }
    }
    Ok(())
}

fn take(signal: libc::c_int) -> Result<()> {
    let failed = |error: i32| {
        let error = io::Error::from_raw_os_error(error);
        anyhow::anyhow!("failed to handle signal {signal}: {error}")
    };
    let ours = Action {
        handler: (ufunc_agent_fault as *const ()).addr() as u64,
        // Not deferred: while our handler runs nothing is blocked but what was, so that the one of the
        // application finds everything as the kernel would have left it.
        flags: (libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER | libc::SA_RESTART) as u64,
        restorer: 0,
        mask: 0,
    };
    let now = kernel_action(signal, None).map_err(failed)?;
    if now.handler == ours.handler {
        return Ok(());
    }
    if let Some(wanted) = wanted(signal) {
        wanted.change(|_| Some(now));
    }
    kernel_action(signal, Some(ours)).map_err(failed)?;
    Ok(())
}

/// Code whose loads may fault.
struct Guarded {
    next: *const Guarded,
    start: u64,
    end: u64,
    /// Offsets, in order, with the instruction's length and the register that it loads.
    loads: Vec<(u32, u8, u8)>,
}

/// All such code. Never freed: a handler may be looking at it, and code stays for good.
static GUARDED: AtomicPtr<Guarded> = AtomicPtr::new(std::ptr::null_mut());

/// Says of the code at `start` which of its loads may fault: at which offset, how long the instruction
/// is, and which register it loads, as the machine numbers them. Code that was there before is
/// forgotten.
pub fn guard(start: u64, size: u64, loads: &[(u32, u8, u8)]) -> Result<()> {
    let fits = |load: &(u32, u8, u8)| {
        u64::from(load.0) + u64::from(load.1) <= size && usize::from(load.2) < REGISTERS.len()
    };
    ensure!(loads.iter().all(fits), "a load lies beyond the {size} bytes of code at {start:#x}");
    let end = start.checked_add(size);
    ensure!(end.is_some(), "{size} bytes of code at {start:#x} wrap around");
    let mut loads = loads.to_vec();
    loads.sort_unstable();
    let guarded = Guarded { next: std::ptr::null(), start, end: start + size, loads };
    let guarded = Box::leak(Box::new(guarded));
    let mut first = GUARDED.load(Ordering::Acquire);
    loop {
        guarded.next = first;
        let new = &raw mut *guarded;
        match GUARDED.compare_exchange(first, new, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => return Ok(()),
            Err(other) => first = other,
        }
    }
}

/// The load at an address, if it is one that may fault.
fn load_at(address: u64) -> Option<(u8, u8)> {
    // SAFETY: it is null or was put there by `guard`, complete, and is never freed.
    let mut next = unsafe { GUARDED.load(Ordering::Acquire).as_ref() };
    while let Some(guarded) = next {
        // The first one is the latest.
        if (guarded.start..guarded.end).contains(&address) {
            let offset = (address - guarded.start) as u32;
            let index = guarded.loads.binary_search_by_key(&offset, |load| load.0).ok()?;
            return guarded.loads.get(index).map(|(_, length, register)| (*length, *register));
        }
        // SAFETY: as above.
        next = unsafe { guarded.next.as_ref() };
    }
    None
}

/// Where the saved context keeps the registers, in the machine's order.
const REGISTERS: [libc::c_int; 16] = [
    libc::REG_RAX,
    libc::REG_RCX,
    libc::REG_RDX,
    libc::REG_RBX,
    libc::REG_RSP,
    libc::REG_RBP,
    libc::REG_RSI,
    libc::REG_RDI,
    libc::REG_R8,
    libc::REG_R9,
    libc::REG_R10,
    libc::REG_R11,
    libc::REG_R12,
    libc::REG_R13,
    libc::REG_R14,
    libc::REG_R15,
];

/// What the handler does first: returns 0 if there is nothing more to do, or the application's
/// handler, which is to be entered in its place. It may run anywhere: it takes no lock that anybody
/// holds for long, and calls nothing but the kernel.
///
/// # Safety
///
/// The arguments are those that the kernel gave to a handler.
unsafe extern "C" fn decide(
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) -> u64 {
    // SAFETY: the kernel gives both to a handler of this kind, and nobody else has them.
    let (code, context) = unsafe { ((*info).si_code, &mut *context.cast::<libc::ucontext_t>()) };
    let registers = &mut context.uc_mcontext.gregs;
    let here = registers[libc::REG_RIP as usize].cast_unsigned();
    // Nobody sent it: the processor did.
    let raised = code > 0;
    if raised {
        let address = |label: unsafe extern "C" fn()| (label as *const ()).addr() as u64;
        if (address(ufunc_agent_copy)..address(ufunc_agent_copied)).contains(&here) {
            registers[libc::REG_RIP as usize] = address(ufunc_agent_copied).cast_signed();
            return 0;
        }
        if let Some((length, register)) = load_at(here) {
            registers[REGISTERS[usize::from(register)] as usize] = 0;
            registers[libc::REG_RIP as usize] += i64::from(length);
            return 0;
        }
        // To the application it is an instruction of its own that faults.
        if let Some(original) = trap::original(here) {
            registers[libc::REG_RIP as usize] = original.cast_signed();
        }
    }
    let Some(wanted) = wanted(signal) else { return 0 };
    let once = |action: Action| {
        let gone = action.flags & libc::SA_RESETHAND as u32 as u64 != 0 && action.handler > IGNORE;
        gone.then_some(Action { handler: DEFAULT, ..action })
    };
    let action = match wanted.get() {
        action if once(action).is_some() => wanted.change(once),
        action => action,
    };
    if action.handler == IGNORE && !raised {
        return 0;
    }
    // What the processor raises cannot be ignored.
    if action.handler <= IGNORE {
        // It faults again, and the kernel does what it would have done without us; what was sent has
        // to be sent again.
        let _ = kernel_action(signal, Some(Action::default()));
        if !raised {
            let (process, thread) = (sys::process() as usize, sys::thread() as usize);
            // SAFETY: the signal goes to this thread.
            unsafe { sys::call(libc::SYS_tgkill, [process, thread, signal as usize, 0, 0, 0]) };
        }
        return 0;
    }
    let own = if action.flags & libc::SA_NODEFER as u64 == 0 { 1 << (signal - 1) } else { 0 };
    let blocked = action.mask | own;
    let how = libc::SIG_BLOCK as usize;
    let arguments = [how, (&raw const blocked).addr(), 0, MASK, 0, 0];
    // SAFETY: a set of signals; the old one is put back when the handler returns.
    unsafe { sys::call(libc::SYS_rt_sigprocmask, arguments) };
    action.handler
}

unsafe extern "C" {
    fn ufunc_agent_fault();
    fn ufunc_agent_restore();
    fn ufunc_agent_copy();
    fn ufunc_agent_copied();
}

global_asm!(
    ".pushsection .text.ufunc_agent_memory,\"ax\",@progbits",
    // The handler. The application's own is entered with everything as the kernel left it.
    ".p2align 4",
    ".globl ufunc_agent_fault",
    ".hidden ufunc_agent_fault",
    ".type ufunc_agent_fault, @function",
    "ufunc_agent_fault:",
    "endbr64",
    "push rdi",
    "push rsi",
    "push rdx",
    "call {decide}",
    "pop rdx",
    "pop rsi",
    "pop rdi",
    "test rax, rax",
    "je 2f",
    // A handler without SA_SIGINFO takes no notice of the other two.
    "jmp rax",
    "2: ret",
    ".size ufunc_agent_fault, . - ufunc_agent_fault",
    // What a handler returns to. Debuggers and unwinders know a signal's frame by these very bytes.
    ".p2align 4",
    "nop",
    ".globl ufunc_agent_restore",
    ".hidden ufunc_agent_restore",
    ".type ufunc_agent_restore, @function",
    "ufunc_agent_restore:",
    ".byte 0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05", // mov $15, %rax; syscall
    ".size ufunc_agent_restore, . - ufunc_agent_restore",
    // Copies rdx bytes from rsi to rdi; how many it did not is in rax. A fault anywhere before
    // `ufunc_agent_copied` leads there.
    ".p2align 4",
    ".globl ufunc_agent_copy",
    ".hidden ufunc_agent_copy",
    ".type ufunc_agent_copy, @function",
    "ufunc_agent_copy:",
    "mov rax, rdx",
    "cmp rax, 8",
    "jb 4f",
    "3:",
    "mov rcx, qword ptr [rsi]",
    "mov qword ptr [rdi], rcx",
    "add rsi, 8",
    "add rdi, 8",
    "sub rax, 8",
    "cmp rax, 8",
    "jae 3b",
    "4:",
    "cmp rax, 4",
    "jb 5f",
    "mov ecx, dword ptr [rsi]",
    "mov dword ptr [rdi], ecx",
    "add rsi, 4",
    "add rdi, 4",
    "sub rax, 4",
    "5:",
    "cmp rax, 2",
    "jb 7f",
    "movzx ecx, word ptr [rsi]",
    "mov word ptr [rdi], cx",
    "add rsi, 2",
    "add rdi, 2",
    "sub rax, 2",
    "7:",
    "test rax, rax",
    "je ufunc_agent_copied",
    "6:",
    "movzx ecx, byte ptr [rsi]",
    "mov byte ptr [rdi], cl",
    "add rsi, 1",
    "add rdi, 1",
    "sub rax, 1",
    "jne 6b",
    ".globl ufunc_agent_copied",
    ".hidden ufunc_agent_copied",
    "ufunc_agent_copied:",
    "ret",
    ".size ufunc_agent_copy, . - ufunc_agent_copy",
    ".popsection",
    decide = sym decide,
);

/// Copies `length` bytes, of which some may not be there; whether all were.
///
/// # Safety
///
/// There is nothing to say of where memory is not mapped. What is there may be read, and be written
/// to.
#[inline]
pub(crate) unsafe fn copy(to: *mut u8, from: *const u8, length: usize) -> bool {
    type Copy = unsafe extern "C" fn(*mut u8, *const u8, usize) -> usize;
    // SAFETY: the routine is a function of the C ABI that takes these and returns a number.
    let copy = unsafe { std::mem::transmute::<unsafe extern "C" fn(), Copy>(ufunc_agent_copy) };
    // SAFETY: as the caller vouches; where nothing is mapped the handler sees to it.
    unsafe { copy(to, from, length) == 0 }
}

/// Reads a value that may not be there.
///
/// # Safety
///
/// What is there may be read; any bytes are such a value.
#[inline]
pub(crate) unsafe fn read<T: Copy + Default>(from: u64) -> Option<T> {
    let mut value = T::default();
    let to = (&raw mut value).cast();
    // SAFETY: as the caller vouches, and there is room for a value.
    unsafe { copy(to, from as usize as *const u8, size_of::<T>()) }.then_some(value)
}
