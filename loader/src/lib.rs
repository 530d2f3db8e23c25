// SPDX-License-Identifier: MIT OR Apache-2.0
//! Has the kernel's verifier judge extensions of an application, and explains the verdict.
//!
//! ```text
//! ./app ──────────▶ host ──debug information──▶ host_types ──types────────┐
//!                     └──────build-id──────┐                              │
//! /sys/kernel/btf ▶ modules ──metadata──┐  │                              │
//! prog.bpf.o ─────▶ object ──kfuncs──▶ which module lends them?           │
//!                     │                                                   ▼
//!                     └──────────────▶ attempt (libbpf, one program at a time) ──▶ log
//!                                                                                   │
//!                     report ◀── explain ◀── verifier_log ◀─────────────────────────┘
//! ```
//!
//! 1. [`host`] opens the applications and [`object`] the BPF object; no file is trusted. Which
//!    applications and libraries run together, `combination` says.
//! 2. [`modules`] looks up every kfunc that the object needs, so that a program is only judged
//!    against the module of the very build that it is meant for.
//! 3. `host_types` finds what the programs name among the applications' types and the kernel's, for
//!    programs on the applications' probes: with or without a module, those are what they are
//!    fitted to. `cache` keeps it.
//! 4. [`verify()`] has the kernel load each program on its own. The verdict is the kernel's; what
//!    fails for another reason is not judged.
//! 5. [`verifier_log`] finds the reason in what the verifier printed, [`explain`] says it in the
//!    words of the application, and [`report`] writes it down for people and for programs.
//!
//! [`allow`] says beside that what one extension may use, and refuses the rest before it is loaded.
//! [`attach`] puts programs where they are to run in the kernel and shows what they do, [`run`] those
//! that are to run inside the application; [`links`] shows what is attached; [`doctor`] says what a machine lacks for all this.

pub mod allow;
pub mod attach;
mod attempt;
mod bundle;
mod cache;
mod capability;
mod combination;
mod condition;
pub mod doctor;
pub mod explain;
mod helper_names;
pub mod host;
mod host_types;
mod interrupt;
pub mod kernels;
pub mod layout;
pub mod links;
mod map_memory;
mod messages;
pub mod missing;
pub mod modules;
pub mod object;
mod probe;
pub mod report;
pub mod reproduce;
pub mod run;
pub mod source;
pub mod verifier_log;
mod verify;
pub mod way;

pub use host_types::TypeOptions;
pub use verify::{Request, verify};
