// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a stub has to know of a compiled program.

use ufunc_shared::context::Fields;

/// When a program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Before the probed instruction.
    Entry,
    /// When the probed function has returned.
    Return,
    /// Both: what it returns at the entry, 0 or 1, says whether to leave the return out.
    Session,
}

/// Vector registers that running a program may change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Vectors {
    /// None.
    #[default]
    None,
    /// The low 16 bytes of `xmm0` to `xmm15`: code for the oldest x86-64, which cannot name more.
    Low,
    /// Everything that a function of the C ABI may change: it may well end in `vzeroupper`.
    All,
}

/// What running a program may change, beside what it writes into its context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clobbers {
    /// Integer registers. What the C ABI lets a called function change is all that counts.
    pub registers: Fields,
    /// Vector registers.
    pub vectors: Vectors,
    /// The registers of the x87, which are MMX' too.
    pub x87: bool,
}

impl Clobbers {
    /// What any function of the C ABI may change.
    pub const C_ABI: Self =
        Self { registers: Fields::CALLER_SAVED, vectors: Vectors::All, x87: true };
}

/// A program, compiled: a function of the C ABI that takes its context in `rdi`.
///
/// A session gets the address of its cookie in `rsi`, and in `rdx` 0 at the entry, 1 at the return.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// Where its code is.
    pub address: u64,
    /// When it runs.
    pub when: When,
    /// What it reads of its context.
    pub reads: Fields,
    /// What it writes of its context.
    pub writes: Fields,
    /// What it changes besides.
    pub clobbers: Clobbers,
    /// Whether it may call functions of the application or of its libraries, which may be hooked.
    pub calls_out: bool,
}

impl Program {
    pub(crate) fn at_entry(&self) -> bool {
        self.when != When::Return
    }

    pub(crate) fn at_return(&self) -> bool {
        self.when != When::Entry
    }
}
