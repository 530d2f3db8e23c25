// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the planner of hooks (in the loader) and the agent (in the application) agree on.
//!
//! The one decides which bytes go where and the other puts them there, so both have to know the
//! [context] that a program sees, the [plan] that is handed over, [where](placement) a stub may
//! lie, and the [words](thread) that the agent keeps for each thread. What they say to each other
//! are the messages of [protocol], over a [channel].

pub mod channel;
pub mod context;
pub mod helpers;
pub mod placement;
pub mod plan;
pub mod protocol;
pub mod thread;
pub mod wire;
