// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the agent keeps for each thread, as far as stubs touch it.

/// What a planner has to know of the agent in the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agent {
    /// Where the thread's [words] are, counted from the thread pointer (`%fs`).
    pub words: i32,
    /// What a return hook puts in the place of a return address.
    pub trampoline: u64,
    /// What finds a thread a cell when it is not as easy as taking the next one.
    /// In: the slot in `rcx`. Out: the cell in `rax`, or 0. Every other register is kept.
    pub enter: u64,
    /// A `u64` that counts the hits that no program saw.
    pub missed: u64,
}

/// The thread's words, each of 8 bytes, and where they are.
pub mod words {
    /// The first free [cell](super::cell); 0 in a thread that has none yet.
    pub const TOP: i32 = 0;
    /// Where the thread's cells end.
    pub const END: i32 = 8;
    /// The stack pointer of the outermost stub whose programs may call into the application; 0
    /// when there is none. Who is below it was called by an extension.
    pub const GUARD: i32 = 16;
    /// The thread's block of cells.
    pub const BLOCK: i32 = 24;
    /// Bytes of all.
    pub const SIZE: usize = 32;
}

/// A call whose return address was replaced: 8 words.
pub mod cell {
    /// Where the return address was, on the stack. 0 in a cell that is free.
    pub const SLOT: i32 = 0;
    /// The return address. 0 in a cell that was never used.
    pub const RETURN: i32 = 8;
    /// The code that runs the programs when the function returns.
    pub const STUB: i32 = 16;
    /// A bit for each program that wants to see the return.
    pub const WANTED: i32 = 24;
    /// A word for each session's program, to remember something until the return.
    pub const COOKIES: i32 = 32;
    /// How many sessions one cell serves.
    pub const SESSIONS: usize = 4;
    /// Bytes of all.
    pub const SIZE: i32 = 64;
}
