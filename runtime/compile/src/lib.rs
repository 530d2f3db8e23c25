// SPDX-License-Identifier: MIT OR Apache-2.0
//! Compiles eBPF instructions that the kernel's verifier accepted to native code, in one process,
//! for another one to run.
//!
//! 1. [`Program::parse`] decodes and checks the instructions that libbpf gives after load, and
//!    [`Program::targets`] lists what they refer to: helpers, kfuncs, maps, data.
//! 2. The caller says in [`Bindings`] what each of these is, and [`compile()`] makes [`Code`].
//! 3. [`Code::link`] fills in the addresses that hold where the code is to run;
//!    [`execute::Executable`] does all that in this process.
//!
//! ```text
//!                              Bindings                    addresses
//!                                 │                            │
//! instructions ─▶ Program ─▶ compile ─▶ Code ─────────────▶ link ─▶ bytes for the host
//!                                        ├─ faulting_loads: for the host's SIGSEGV
//!                                        ├─ context: what the hook has to store
//!                                        └─ changes: what it has to save
//! ```
//!
//! The checks make sure that nothing in the instructions leads the compiler astray, whoever wrote
//! them. What the code does when it runs is the verifier's to vouch for.

pub mod execute;
pub mod opcode;

mod arity;
mod changes;
mod code;
mod compile;
mod context;
mod fault;
mod instruction;
mod isa;
mod job;
mod operation;
mod program;
mod target;
mod translate;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use changes::Changes;
pub use code::{Code, CodeRange, Relocation, RelocationKind, Symbol};
pub use compile::compile;
pub use context::{Access, ContextUse};
pub use fault::FaultingLoad;
pub use instruction::Instruction;
pub use job::Job;
pub use program::{Program, Shape};
pub use target::{Binding, Bindings, Element, Map, Reach, Signature, Target, Value};

/// A machine that code is generated for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Architecture {
    /// 64-bit x86 without any extension.
    X86_64,
    /// 64-bit ARM.
    Aarch64,
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Architecture::X86_64 => "x86-64",
            Architecture::Aarch64 => "AArch64",
        })
    }
}

/// How code is generated.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Options {
    /// For which machine.
    pub architecture: Architecture,
    /// How many arguments the program takes: one, its context, unless it is no ordinary program.
    pub arguments: u8,
    /// Whether [`Code::faulting_loads`] is to be made.
    pub fault_table: bool,
    /// The function that the program calls before anything else, a [`Target::Runtime`].
    pub begin: Option<u32>,
}

impl Default for Options {
    fn default() -> Self {
        Options { architecture: Architecture::X86_64, arguments: 1, fault_table: true, begin: None }
    }
}
