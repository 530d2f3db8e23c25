// SPDX-License-Identifier: MIT OR Apache-2.0
//! The half of hooks that is inside the application: it puts plans in place and takes them away,
//! while the application's threads run.
//!
//! ```text
//!  agent()  ──▶ ufunc_hook::stub::plan ──▶ Plan ──▶ attach ──▶ Hook ──▶ replace, detach
//!  reserve  ──▶                  (in the loader)      │
//!                                                     ├─ near: the stub's bytes
//!                                                     ├─ trap: who comes upon a changed byte
//!                                                     └─ patch: the function's bytes
//! ```
//!
//! As a shared object it is brought into an application by `ufunc-inject`, and serves loaders:
//!
//! ```text
//!  LD_PRELOAD ─▶ start::constructor ─┐
//!                                    ├─▶ serve: a thread of its own ─▶ extensions ─▶ hooks
//!  ptrace ─────▶ ufunc_agent_begin ──┘
//! ```
//!
//! Programs call what is in [`helpers`], and read the application's memory with what [`memory`] does
//! about addresses where nothing is.
//!
//! Code that runs in hooks (`returns`, `helpers`, the handlers in `trap` and `memory`) may be anywhere in the application: in
//! a signal's handler, or with a lock of the allocator held. It allocates nothing, takes no lock
//! and calls nothing of the C library, which may be hooked itself.

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
compile_error!("hooks are known for x86-64 Linux only");

mod bindings;
mod extensions;
pub mod helpers;
mod hooks;
pub mod interpose;
mod lock;
mod maps;
pub mod memory;
mod near;
mod obligations;
mod patch;
mod returns;
mod serve;
mod start;
mod sys;
mod text;
mod threads;
mod trap;

pub use hooks::{Hook, agent, attach, install_code, missed, reserve, reserve_code};
pub use trap::original;
