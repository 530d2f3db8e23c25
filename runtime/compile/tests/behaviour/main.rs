// SPDX-License-Identifier: MIT OR Apache-2.0
//! What compiled programs do.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod asm;
mod calls;
mod common;
mod context;
mod faults;
mod flow;
mod hostile;
mod kernel;
mod opcodes;
mod plugin;
mod quality;
mod random;
mod refused;
