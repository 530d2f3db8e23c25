// SPDX-License-Identifier: MIT OR Apache-2.0
//! Return hooks: the original return addresses, and the trampoline that is put in their place.
//!
//! Each thread has a block of [cells](ufunc_shared::thread::cell), a shadow of its stack. A stub
//! takes the next one at the function's entry and the trampoline finds it on top at the return.
//! What makes that sound when calls do not end in the order in which they began:
//!
//! - **A cell is known by its slot**, the place on the stack where the return address was. Live
//!   slots are unique in the process, so a call finds its own cell among any others: of calls that
//!   `longjmp` or an exception ended, of coroutines, even in the block of another thread.
//! - **Exceptions and backtraces get through** a replaced return address: the trampoline is a
//!   function of this object, with unwinding information like any other, which every unwinder
//!   finds by `dl_iterate_phdr`. It is an expression that looks for the slot among the cells.
//! - **Tail calls** from one hooked function to another leave two cells with one slot, the upper of
//!   which returns to the trampoline, and so to the lower.
//! - **Cells that were left behind** are dropped when that is certain: when their slot lies below
//!   the present one on the thread's own stack. Others stay, and do no harm but take room. When
//!   there is no room left a call is not hooked but counted.
//!
//! A signal's handler may come in anywhere, and may leave by `longjmp`: see
//! `ufunc_hook::stub` for the order in which a cell is claimed and written.

use std::arch::{asm, global_asm};
use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicU64, AtomicUsize, Ordering};

use ufunc_shared::thread::{Agent, cell, words};

use crate::sys;

/// How deep return hooks may nest in one thread; the kernel allows 64.
const CELLS: usize = 1021;
/// How far down the main thread's stack may grow: the kernel keeps that much free below it.
const MAIN_STACK: usize = 100 << 20;

/// The last bytes of the line of that stack in `/proc/self/maps`, as a number.
const MAIN_STACK_NAME: u64 = u64::from_be_bytes(*b" [stack]");

/// The cells of a thread. Never unmapped, for an unwinder of any thread may be reading it.
#[repr(C, align(64))]
struct Block {
    /// The next in the list of all. Where the unwinding information expects it.
    next: AtomicPtr<Self>,
    process: AtomicI32,
    /// Whose it is; 0 if nobody's.
    thread: AtomicI32,
    /// The thread's own stack, if it is known.
    lowest: AtomicUsize,
    highest: AtomicUsize,
    unused: [AtomicUsize; 4],
    /// Before the first cell: its slot is above every stack.
    guard: Cell,
    cells: [Cell; CELLS],
    /// Behind the last: never used, so that the unwinder ends there.
    end: Cell,
}

/// See [`ufunc_shared::thread::cell`].
#[repr(C, align(64))]
struct Cell {
    slot: AtomicUsize,
    back: AtomicUsize,
    stub: AtomicUsize,
    wanted: AtomicUsize,
    cookies: [AtomicUsize; cell::SESSIONS],
}

const _: () = assert!(size_of::<Cell>() == cell::SIZE as usize);
const _: () = assert!(std::mem::offset_of!(Block, cells) == 128);

/// All that stubs touch is touched in the thread itself, by signals' handlers at most.
const ORDER: Ordering = Ordering::Relaxed;

/// All blocks.
static BLOCKS: AtomicPtr<Block> = AtomicPtr::new(std::ptr::null_mut());
/// Hits that no program saw.
static MISSED: AtomicU64 = AtomicU64::new(0);

// The words of each thread. They are in the block of thread-local storage that is there from a
// thread's beginning ("initial exec"), so that nothing is ever allocated at the first use.
global_asm!(
    ".pushsection .tbss.ufunc_agent_words,\"awT\",@nobits",
    ".p2align 3",
    ".globl ufunc_agent_words",
    ".hidden ufunc_agent_words",
    ".type ufunc_agent_words, @object",
    "ufunc_agent_words: .zero {size}",
    ".size ufunc_agent_words, {size}",
    ".popsection",
    size = const words::SIZE,
);

// The trampoline. Its unwinding information is an expression for the caller's address. The frame
// counts as a signal's, so that its address is looked up as it is, and so that it is told apart
// from the caller, whose stack pointer is the same. The caller then counts as interrupted, so that
// its address too is looked up as it is: the expression gives the last byte of its call.
//
// In words, where the CFA is on the expression's stack at the beginning:
//
//   S = CFA - 8; T = *S                    the slot, and the trampoline's address in it
//   block = BLOCKS; found = 0
//   while block:
//     for cell in block.cells, until one was never used:
//       if cell.back != T and cell.slot == S: found = cell.back
//     if found: break
//     block = block.next
//   found ? found - 1 : 0
global_asm!(
    ".pushsection .text.ufunc_agent_returns,\"ax\",@progbits",
    ".p2align 4",
    ".globl ufunc_agent_return",
    ".hidden ufunc_agent_return",
    ".type ufunc_agent_return, @function",
    ".cfi_startproc simple",
    ".cfi_signal_frame",
    ".cfi_def_cfa rsp, 0",
    ".cfi_escape 0x16, 16, 89",
    // The CFA stays below: libgcc cannot pick what is lowest.
    ".cfi_escape 0x12, 0x38, 0x1c, 0x12, 0x6", // S = CFA - 8; T = *S
    ".cfi_escape 0x12, 0x35, 0x1c, 0x12, 0x94, 0x4, 0x8, 0x20, 0x24, 0x8, 0x20, 0x26, 0x22, 0x6, 0x30", // block = *(T - 5 + (i32)*(T - 5)); found = 0
    // block:
    ".cfi_escape 0x14, 0x30, 0x29", // over lit0 eq
    ".cfi_escape 0x28, 0x37, 0x0", // bra end
    ".cfi_escape 0x14, 0x23, 0x80, 0x1, 0x16", // cell = block + 128
    // cell:
    ".cfi_escape 0x14, 0x23, 0x8, 0x6", // back = cell.back
    ".cfi_escape 0x12, 0x30, 0x29", // dup lit0 eq
    ".cfi_escape 0x28, 0x19, 0x0", // bra next
    ".cfi_escape 0x12, 0x15, 0x5, 0x29", // back == T
    ".cfi_escape 0x28, 0xa, 0x0", // bra skip
    ".cfi_escape 0x15, 0x2, 0x6, 0x15, 0x6, 0x2e", // cell.slot != S
    ".cfi_escape 0x28, 0x1, 0x0", // bra skip
    ".cfi_escape 0x16", // found = back
    // skip:
    ".cfi_escape 0x13, 0x16, 0x23, 0x40, 0x16", // cell += 64
    ".cfi_escape 0x2f, 0xdd, 0xff", // skip cell
    // next:
    ".cfi_escape 0x13, 0x16, 0x13, 0x12, 0x30, 0x2e", // drop the cell; found?
    ".cfi_escape 0x28, 0x6, 0x0", // bra end
    ".cfi_escape 0x16, 0x6, 0x16", // block = block.next
    ".cfi_escape 0x2f, 0xc3, 0xff", // skip block
    // end:
    ".cfi_escape 0x12, 0x30, 0x29", // dup lit0 eq
    ".cfi_escape 0x28, 0x2, 0x0", // bra done
    ".cfi_escape 0x31, 0x1c", // lit1 minus
    // done:
    ".long {blocks} - .",
    // Unwinders that take no notice of signals' frames look up the byte before.
    "nop",
    "ufunc_agent_return:",
    "lea rsp, [rsp - 8]",
    ".cfi_def_cfa_offset 8",
    "push rax",
    ".cfi_def_cfa_offset 16",
    "push rcx",
    ".cfi_def_cfa_offset 24",
    "push rdx",
    ".cfi_def_cfa_offset 32",
    "mov rax, qword ptr [rip + ufunc_agent_words@GOTTPOFF]",
    "mov rax, qword ptr fs:[rax + {top}]",
    "lea rcx, [rsp + 24]",
    "test rax, rax",
    "je 2f",
    "cmp qword ptr [rax - {cell} + {slot}], rcx",
    "jne 2f",
    "3:",
    "mov rdx, qword ptr [rax - {cell} + {back}]",
    "mov qword ptr [rcx], rdx",
    // From here on the caller's address is where it belongs: S = CFA - 8; *S - 1.
    ".cfi_remember_state",
    ".cfi_escape 0x16, 16, 5, 0x38, 0x1c, 0x06, 0x31, 0x1c",
    "mov rdx, qword ptr [rax - {cell} + {stub}]",
    "lea rax, [rax - {cell}]",
    "notrack jmp rdx",
    "2:",
    ".cfi_restore_state",
    "lea rax, [rip + {find}]",
    "call ufunc_agent_call",
    "jmp 3b",
    ".cfi_endproc",
    ".size ufunc_agent_return, . - ufunc_agent_return",
    // What stubs call for a cell.
    ".p2align 4",
    ".globl ufunc_agent_enter",
    ".hidden ufunc_agent_enter",
    ".type ufunc_agent_enter, @function",
    "ufunc_agent_enter:",
    "lea rax, [rip + {enter}]",
    // Calls rax with rcx as its argument and keeps all registers but rax. What is called is
    // code for the oldest x86-64 and calls nothing else.
    "ufunc_agent_call:",
    ".cfi_startproc",
    "push rbp",
    ".cfi_def_cfa_offset 16",
    ".cfi_offset rbp, -16",
    "mov rbp, rsp",
    ".cfi_def_cfa_register rbp",
    "push rcx",
    "push rdx",
    "push rsi",
    "push rdi",
    "push r8",
    "push r9",
    "push r10",
    "push r11",
    "sub rsp, 256",
    "and rsp, -16",
    "movaps [rsp], xmm0",
    "movaps [rsp + 16], xmm1",
    "movaps [rsp + 32], xmm2",
    "movaps [rsp + 48], xmm3",
    "movaps [rsp + 64], xmm4",
    "movaps [rsp + 80], xmm5",
    "movaps [rsp + 96], xmm6",
    "movaps [rsp + 112], xmm7",
    "movaps [rsp + 128], xmm8",
    "movaps [rsp + 144], xmm9",
    "movaps [rsp + 160], xmm10",
    "movaps [rsp + 176], xmm11",
    "movaps [rsp + 192], xmm12",
    "movaps [rsp + 208], xmm13",
    "movaps [rsp + 224], xmm14",
    "movaps [rsp + 240], xmm15",
    "mov rdi, rcx",
    "call rax",
    "movaps xmm0, [rsp]",
    "movaps xmm1, [rsp + 16]",
    "movaps xmm2, [rsp + 32]",
    "movaps xmm3, [rsp + 48]",
    "movaps xmm4, [rsp + 64]",
    "movaps xmm5, [rsp + 80]",
    "movaps xmm6, [rsp + 96]",
    "movaps xmm7, [rsp + 112]",
    "movaps xmm8, [rsp + 128]",
    "movaps xmm9, [rsp + 144]",
    "movaps xmm10, [rsp + 160]",
    "movaps xmm11, [rsp + 176]",
    "movaps xmm12, [rsp + 192]",
    "movaps xmm13, [rsp + 208]",
    "movaps xmm14, [rsp + 224]",
    "movaps xmm15, [rsp + 240]",
    "lea rsp, [rbp - 64]",
    "pop r11",
    "pop r10",
    "pop r9",
    "pop r8",
    "pop rdi",
    "pop rsi",
    "pop rdx",
    "pop rcx",
    "pop rbp",
    ".cfi_def_cfa rsp, 8",
    "ret",
    ".cfi_endproc",
    ".size ufunc_agent_enter, . - ufunc_agent_enter",
    ".popsection",
    blocks = sym BLOCKS,
    find = sym find,
    enter = sym enter,
    top = const words::TOP,
    cell = const cell::SIZE,
    slot = const cell::SLOT,
    back = const cell::RETURN,
    stub = const cell::STUB,
);

/// What a planner has to know.
pub(crate) fn agent() -> Agent {
    let words: i64;
    // SAFETY: reads where the words are, which the linker or the loader of this object wrote.
    unsafe {
        asm!(
            "mov {}, qword ptr [rip + ufunc_agent_words@GOTTPOFF]",
            out(reg) words,
            options(nostack, readonly, preserves_flags),
        );
    }
    let enter: u64;
    // SAFETY: only takes an address.
    unsafe {
        asm!(
            "lea {}, [rip + ufunc_agent_enter]",
            out(reg) enter,
            options(nostack, nomem, preserves_flags),
        );
    }
    Agent {
        // Thread-local storage of an executable or of this kind of object is far smaller than that.
        words: words as i32,
        trampoline: trampoline() as u64,
        enter,
        missed: (&raw const MISSED).addr() as u64,
    }
}

/// How many hits no program saw: those that an extension caused itself, and returns for which a
/// thread had no cell left.
pub(crate) fn missed() -> u64 {
    MISSED.load(ORDER)
}

/// Where the trampoline is.
fn trampoline() -> usize {
    let address;
    // SAFETY: only takes an address.
    unsafe {
        asm!(
            "lea {}, [rip + ufunc_agent_return]",
            out(reg) address,
            options(nostack, nomem, preserves_flags),
        );
    }
    address
}

/// The thread's words.
struct Words(usize);

impl Words {
    fn own() -> Self {
        let address;
        // SAFETY: the first word at the thread pointer is the thread pointer, by the ABI.
        unsafe {
            asm!(
                "mov {0}, qword ptr [rip + ufunc_agent_words@GOTTPOFF]",
                "add {0}, qword ptr fs:[0]",
                out(reg) address,
                options(nostack, readonly),
            );
        }
        Self(address)
    }

    fn word(&self, at: i32) -> &AtomicUsize {
        let address = self.0.wrapping_add_signed(at as isize);
        // SAFETY: the words are the thread's own, aligned, and there as long as it lives; all who
        // touch them are in this thread.
        unsafe { &*(address as *const AtomicUsize) }
    }

    fn block(&self) -> Option<&'static Block> {
        let block = self.word(words::BLOCK).load(ORDER) as *const Block;
        // SAFETY: it is null or was put there by `acquire`, and blocks are never unmapped.
        unsafe { block.as_ref() }
    }
}

impl Block {
    /// How many cells are claimed.
    fn depth(&self, words: &Words) -> usize {
        let first = self.cells.as_ptr().addr();
        let top = words.word(words::TOP).load(ORDER);
        (top.saturating_sub(first) / size_of::<Cell>()).min(CELLS)
    }

    fn set_depth(&self, words: &Words, depth: usize) -> usize {
        let top = self.cells.as_ptr().addr() + depth * size_of::<Cell>();
        words.word(words::TOP).store(top, ORDER);
        top
    }

    /// Whether `slot` is on the thread's own stack.
    fn holds(&self, slot: usize) -> bool {
        (self.lowest.load(ORDER)..self.highest.load(ORDER)).contains(&slot)
    }

    /// Whether the call with `cell` is over for certain, while one with `slot` begins or ends.
    fn left_behind(&self, cell: &Cell, slot: usize) -> bool {
        let old = cell.slot.load(ORDER);
        if old == 0 {
            return true;
        }
        if !(self.holds(old) && self.holds(slot) && old < slot) {
            return false;
        }
        // SAFETY: the slot is on the thread's stack, which was in use that far down.
        let there = unsafe { (old as *const usize).read_volatile() };
        // Below what runs now on the same stack nothing lives, unless that is really two stacks.
        there != trampoline() || !self.holds_signal_stack()
    }

    /// Whether signals' handlers run on a part of the thread's own stack.
    fn holds_signal_stack(&self) -> bool {
        let mut stack = libc::stack_t { ss_sp: std::ptr::null_mut(), ss_flags: 0, ss_size: 0 };
        let arguments = [0, (&raw mut stack).addr(), 0, 0, 0, 0];
        // SAFETY: the kernel writes to `stack`.
        let answer = unsafe { sys::call(libc::SYS_sigaltstack, arguments) };
        answer != 0 || stack.ss_flags & libc::SS_DISABLE == 0 && self.holds(stack.ss_sp.addr())
    }

    /// Says whose it is, in a child after a `fork` too.
    fn claim(&self, process: i32, thread: i32) {
        self.process.store(process, ORDER);
        self.thread.store(thread, ORDER);
    }

    /// Drops the calls that were on the stack of the thread, which is no more. Whether none is
    /// left: a coroutine may go on elsewhere.
    fn vacate(&self) -> bool {
        let mut empty = true;
        for cell in &self.cells {
            let slot = cell.slot.load(ORDER);
            if self.holds(slot) {
                cell.slot.store(0, ORDER);
            } else if slot != 0 {
                empty = false;
            }
        }
        empty
    }
}

/// Finds a call that begins a cell when it is not as easy as taking the next one: 0 if there is
/// none.
extern "C" fn enter(slot: usize) -> usize {
    let words = Words::own();
    let Some(block) = words.block().or_else(|| acquire(&words)) else {
        MISSED.fetch_add(1, ORDER);
        return 0;
    };
    let process = sys::process();
    if block.process.load(ORDER) != process {
        block.claim(process, sys::thread());
    }
    let mut depth = block.depth(&words);
    while let Some(cell) = depth.checked_sub(1).and_then(|last| block.cells.get(last)) {
        let same = cell.slot.load(ORDER) == slot;
        // SAFETY: the slot holds the return address of the call that begins.
        let chained = same && unsafe { *(slot as *const usize) } == trampoline();
        if chained || !(same || block.left_behind(cell, slot)) {
            break;
        }
        cell.slot.store(0, ORDER);
        depth -= 1;
    }
    let Some(cell) = block.cells.get(depth) else {
        MISSED.fetch_add(1, ORDER);
        return 0;
    };
    block.set_depth(&words, depth + 1);
    (&raw const *cell).addr()
}

/// Finds the cell of a call that ends when it is not on top, and puts it there: where it ends.
extern "C" fn find(slot: usize) -> usize {
    let words = Words::own();
    if let Some(block) = words.block() {
        let mut depth = block.depth(&words);
        while let Some(cell) = depth.checked_sub(1).and_then(|last| block.cells.get(last)) {
            if cell.slot.load(ORDER) == slot || !block.left_behind(cell, slot) {
                break;
            }
            cell.slot.store(0, ORDER);
            depth -= 1;
        }
        let top = block.set_depth(&words, depth);
        let mut claimed = block.cells.iter().take(depth).rev();
        match claimed.position(|cell| cell.slot.load(ORDER) == slot) {
            Some(0) => return top,
            Some(above) => {
                // Calls of other coroutines are above. It goes on top of them.
                if let Some(cell) = block.cells.get(depth - 1 - above) {
                    return on_top(&words, block, cell);
                }
            }
            None => {}
        }
    }
    // A coroutine that has moved here from another thread.
    let mut next = BLOCKS.load(Ordering::Acquire);
    // SAFETY: blocks are never unmapped, and are complete when they are in the list.
    while let Some(block) = unsafe { next.as_ref() } {
        let found = block.cells.iter().rfind(|cell| cell.slot.load(ORDER) == slot);
        if let (Some(cell), Some(own)) = (found, words.block().or_else(|| acquire(&words))) {
            return on_top(&words, own, cell);
        }
        next = block.next.load(Ordering::Acquire);
    }
    sys::die(b"ufunc: a hooked function returned on a stack that it was not called on\n")
}

/// Copies `cell` to the top of `block`, and empties it: where the copy ends.
fn on_top(words: &Words, block: &Block, cell: &Cell) -> usize {
    let depth = block.depth(words);
    let Some(copy) = block.cells.get(depth) else {
        sys::die(b"ufunc: a thread has too many hooked calls to find one again\n");
    };
    let top = block.set_depth(words, depth + 1);
    copy.back.store(cell.back.load(ORDER), ORDER);
    copy.stub.store(cell.stub.load(ORDER), ORDER);
    copy.wanted.store(cell.wanted.load(ORDER), ORDER);
    for (copy, cookie) in copy.cookies.iter().zip(&cell.cookies) {
        copy.store(cookie.load(ORDER), ORDER);
    }
    copy.slot.store(cell.slot.load(ORDER), ORDER);
    cell.slot.store(0, ORDER);
    top
}

/// Gives the thread a block.
fn acquire(words: &Words) -> Option<&'static Block> {
    let (process, thread) = (sys::process(), sys::thread());
    let block = reclaim(process, thread).or_else(|| create(process, thread))?;
    let (lowest, highest) = stack(process == thread);
    block.lowest.store(lowest, ORDER);
    block.highest.store(highest, ORDER);
    if let Some(other) = words.block() {
        // A signal's handler was faster.
        block.thread.store(0, Ordering::Release);
        return Some(other);
    }
    words.word(words::BLOCK).store((&raw const *block).addr(), ORDER);
    block.set_depth(words, 0);
    let end = (&raw const block.end).addr();
    words.word(words::END).store(end, ORDER);
    Some(block)
}

/// Takes over the block of a thread that is no more. All such are emptied of what was on their
/// stacks, for this thread's may be where one of them was.
fn reclaim(process: i32, thread: i32) -> Option<&'static Block> {
    let mut taken: Option<&'static Block> = None;
    let mut next = BLOCKS.load(Ordering::Acquire);
    // SAFETY: blocks are never unmapped, and are complete when they are in the list.
    while let Some(block) = unsafe { next.as_ref() } {
        next = block.next.load(Ordering::Acquire);
        let owner = block.thread.load(ORDER);
        let known = block.process.load(ORDER) == process;
        // This thread has none, so one with its number was another's.
        let free = owner == 0 || known && (owner == thread || !sys::lives(process, owner));
        // While it is emptied it belongs to this thread.
        if !free
            || taken.is_some() && owner == 0
            || block
                .thread
                .compare_exchange(owner, -thread, Ordering::AcqRel, Ordering::Relaxed)
                .is_err()
        {
            continue;
        }
        match (block.vacate(), taken) {
            (false, _) => block.thread.store(owner, Ordering::Release),
            (true, Some(_)) => block.thread.store(0, Ordering::Release),
            (true, None) => {
                block.claim(process, thread);
                taken = Some(block);
            }
        }
    }
    taken
}

/// A new block, in the list.
fn create(process: i32, thread: i32) -> Option<&'static Block> {
    let block = sys::memory(size_of::<Block>())? as *mut Block;
    // SAFETY: it is new memory of that size, all zero, which is what an empty block is.
    let block = unsafe { &*block };
    block.guard.slot.store(usize::MAX, ORDER);
    block.claim(process, thread);
    let mut first = BLOCKS.load(Ordering::Acquire);
    loop {
        block.next.store(first, ORDER);
        let own = (&raw const *block).cast_mut();
        match BLOCKS.compare_exchange_weak(first, own, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => return Some(block),
            Err(now) => first = now,
        }
    }
}

/// The stack pointer of the outermost stub of this thread whose programs may call into the
/// application; 0 if there is none.
pub(crate) fn guard() -> u64 {
    let guard: u64;
    // SAFETY: reads a thread-local word, which is there as long as the thread.
    unsafe {
        asm!(
            "mov {guard}, qword ptr [rip + ufunc_agent_words@GOTTPOFF]",
            "mov {guard}, qword ptr fs:[{guard} + {at}]",
            guard = out(reg) guard,
            at = const words::GUARD,
            options(nostack, readonly),
        );
    }
    guard
}

/// The thread's own stack: up to the thread's control block, which lies on top of it, but for the
/// main thread's. Empty if it cannot be told.
pub(crate) fn stack(main: bool) -> (usize, usize) {
    let control: usize;
    // SAFETY: the first word at the thread pointer is the thread pointer, by the ABI.
    unsafe { asm!("mov {}, qword ptr fs:[0]", out(reg) control, options(nostack, readonly)) };
    let path = c"/proc/self/maps";
    let flags = (libc::O_RDONLY | libc::O_CLOEXEC) as usize;
    let arguments = [libc::AT_FDCWD as usize, path.as_ptr().addr(), flags, 0, 0, 0];
    // SAFETY: the path ends in 0.
    let Ok(file) = usize::try_from(unsafe { sys::call(libc::SYS_openat, arguments) }) else {
        return (0, 0);
    };
    let mut found = (0, 0);
    let mut line = Line::default();
    let mut buffer = [0u8; 128];
    loop {
        let arguments = [file, buffer.as_mut_ptr().addr(), buffer.len(), 0, 0, 0];
        // SAFETY: the kernel writes to `buffer`.
        let read = usize::try_from(unsafe { sys::call(libc::SYS_read, arguments) });
        let Some(bytes) = read.ok().filter(|read| *read > 0).and_then(|read| buffer.get(..read))
        else {
            break;
        };
        for byte in bytes {
            if line.add(*byte) {
                let [lowest, highest] = line.bounds;
                if main && line.last == MAIN_STACK_NAME {
                    found = (highest.saturating_sub(MAIN_STACK), highest);
                } else if !main && (lowest..highest).contains(&control) {
                    found = (lowest, control);
                }
                line = Line::default();
            }
        }
    }
    // SAFETY: the file is this function's own.
    unsafe { sys::call(libc::SYS_close, [file, 0, 0, 0, 0, 0]) };
    found
}

/// A line of `/proc/self/maps`, read byte by byte.
#[derive(Default)]
struct Line {
    bounds: [usize; 2],
    /// Which of the bounds is being read; 2 behind them.
    reading: usize,
    /// Its last bytes, the very last lowest.
    last: u64,
}

impl Line {
    /// Whether that was its end.
    fn add(&mut self, byte: u8) -> bool {
        if byte == b'\n' {
            return true;
        }
        match (self.bounds.get_mut(self.reading), (byte as char).to_digit(16)) {
            (Some(bound), Some(digit)) => *bound = *bound << 4 | digit as usize,
            (Some(_), None) => self.reading += 1,
            (None, _) => self.last = self.last << 8 | u64::from(byte),
        }
        false
    }
}
