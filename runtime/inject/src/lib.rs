// SPDX-License-Identifier: MIT OR Apache-2.0
//! Brings the agent into an application, and talks to it.
//!
//! 1. [`agent_path`] finds the agent's shared object.
//! 2. [`Session::start`] starts an application with it, [`Session::inject`] puts it into one that
//!    runs, [`Session::connect`] finds it where it is already.
//! 3. The [`Session`] asks the agent for what extensions need. It may end at any time: the
//!    application and its extensions go on, and another session finds them.
//!
//! ```text
//!  start ──▶ LD_PRELOAD ──▶ constructor ──┐
//!                                         ├──▶ the agent's thread ◀── abstract socket ── connect
//!  inject ─▶ ptrace, dlopen ─▶ begin ─────┘
//! ```
//!
//! Whatever speaks against it (a static application, one of another machine, one that may not be
//! traced) is found before anything is done to the application.

mod agent;
mod connect;
mod program;
mod session;
mod start;
mod trace;

pub use agent::{agent_path, companion};
pub use session::{End, Session};
