// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the command does instead of writing a module, one file each.

pub(crate) mod btf;
pub(crate) mod header;
pub(crate) mod ko;
pub(crate) mod merge;
mod progress;
