// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tests of the `loader` command as a whole.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that panics has failed, as it should"
)]

mod allow;
mod attach;
mod attached;
mod cache;
mod cli;
mod common;
mod host_types;
mod hosts;
mod verdicts;
