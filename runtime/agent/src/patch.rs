// SPDX-License-Identifier: MIT OR Apache-2.0
//! Changing instructions that other threads run.
//!
//! | step | first byte | where instructions began | the rest |
//! | --- | --- | --- | --- |
//! | before | old | old | old |
//! | 1 | `int3` | new, if it traps | old |
//! | 2 | `int3` | new, if it traps | new |
//! | 3 | `int3` | new | new |
//! | 4 | new | new | new |
//!
//! Between the steps every processor that runs the process' threads forgets what it fetched. A
//! single byte is old or new; the rest changes only while all ways to it trap. Taking a hook away,
//! or giving it another stub, is the same with other bytes.

use std::io;

use anyhow::{Result, bail};
use ufunc_shared::plan::{INT3, JUMP_OPCODE};

use crate::text::Text;

/// `MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE`
const SYNC: libc::c_int = 1 << 5;
/// `MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE`
const REGISTER: libc::c_int = 1 << 6;

/// Has the kernel prepare for [`change`].
pub(crate) fn prepare() -> Result<()> {
    membarrier(REGISTER)
}

/// Changes the bytes at `address` from `old` to `new`, of one length; `interior` are the places but
/// for the first where instructions begin before or after.
///
/// # Safety
///
/// Each of these places has to be known to the handlers of traps before, with something that does
/// what the old or the new bytes would.
pub(crate) unsafe fn change(
    text: &Text,
    address: u64,
    old: &[u8],
    new: &[u8],
    interior: &[usize],
) -> Result<()> {
    let (Some(first), length) = (new.first(), new.len().min(old.len())) else {
        return Ok(());
    };
    let at = |place: usize| address + place as u64;
    let write = |place: usize, byte: u8| {
        // SAFETY: one byte, at a moment that the table above allows.
        unsafe { text.write(at(place), &[byte]) }
    };
    // Only a jump has trapping bytes amid it.
    let jump = *first == JUMP_OPCODE;
    let places = || interior.iter().filter_map(|place| new.get(*place).map(|byte| (*place, *byte)));

    write(0, INT3)?;
    for (place, byte) in places().filter(|_| jump) {
        write(place, byte)?;
    }
    membarrier(SYNC)?;
    for place in (1..length).filter(|place| !interior.contains(place)) {
        write(place, new[place])?;
    }
    membarrier(SYNC)?;
    for (place, byte) in places().filter(|_| !jump) {
        write(place, byte)?;
    }
    membarrier(SYNC)?;
    write(0, *first)?;
    membarrier(SYNC)
}

fn membarrier(command: libc::c_int) -> Result<()> {
    // SAFETY: it takes numbers only.
    if unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) } != 0 {
        bail!(
            "code cannot be changed while threads run: the kernel, or the application's seccomp \
             filter, refuses membarrier: {}",
            io::Error::last_os_error()
        );
    }
    Ok(())
}
