// SPDX-License-Identifier: MIT OR Apache-2.0
//! What programs are bound to: helpers, kfuncs, maps.

use std::os::fd::OwnedFd;

use anyhow::{Result, bail};
use ufunc_shared::protocol::{Faulting, Helper, Kfunc, MapAddress};

/// The helpers that programs may call.
pub(crate) fn helpers() -> Vec<Helper> {
    Vec::new()
}

/// The kernel's kfuncs that programs may call.
pub(crate) fn kfuncs() -> Vec<Kfunc> {
    Vec::new()
}

/// Maps a map.
pub(crate) fn add_map(_descriptor: OwnedFd) -> Result<MapAddress> {
    bail!("this agent knows no maps")
}

/// Puts a program into an array of programs.
pub(crate) fn set_program(_map: u64, _index: u32, _address: u64) -> Result<()> {
    bail!("this agent knows no arrays of programs")
}

/// Remembers which instructions of a program may fault.
pub(crate) fn add_faulting(address: u64, faulting: &[Faulting]) -> Result<()> {
    if !faulting.is_empty() {
        bail!("this agent handles no faults, as the code at {address:#x} needs");
    }
    Ok(())
}
