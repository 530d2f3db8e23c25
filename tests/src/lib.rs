// SPDX-License-Identifier: MIT OR Apache-2.0
//! What every run of the programs in `bpf/` has in common, on the machine's own kernel and in the
//! virtual machine: what a program's header comment expects, and whether that is what happens.

pub mod attached;
pub mod pinned;
pub mod program;
pub mod running;
mod setup;
pub mod verdict;

pub use program::Program;
pub use setup::Setup;
