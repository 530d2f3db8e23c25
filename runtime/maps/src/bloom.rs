// SPDX-License-Identifier: MIT OR Apache-2.0
//! Bloom filters.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::bytes;
use crate::definition::update;
use crate::errno::Errno;

/// A Bloom filter, in this process.
#[derive(Debug)]
pub(crate) struct Bloom {
    pub(crate) bits: *const AtomicU64,
    /// How many bits there are, less one; all ones.
    pub(crate) mask: u32,
    pub(crate) value_size: usize,
    pub(crate) hashes: u32,
    pub(crate) seed: u64,
}

/// How many bits such a filter has: about 1.44 for each value and hash, as in the kernel.
pub(crate) fn bits(max: u32, hashes: u32) -> u32 {
    const NUMERATOR: u64 = 7;
    const DENOMINATOR: u64 = 5;
    let wanted = u64::from(max) * u64::from(hashes) * NUMERATOR / DENOMINATOR;
    // The lowest 32 bits of a power of two that is at least 64 and fits.
    (wanted.next_power_of_two().clamp(64, 1 << 31)) as u32
}

/// How many hashes a filter with this `map_extra` has.
pub(crate) fn hashes(extra: u64) -> u32 {
    match extra & 0xf {
        0 => 5,
        // At most 15.
        hashes => hashes as u32,
    }
}

impl Bloom {
    /// # Safety
    ///
    /// There is a value to read.
    unsafe fn places(&self, value: *const u8) -> impl Iterator<Item = (&AtomicU64, u64)> {
        (0..self.hashes).map(move |number| {
            let seed = self.seed.wrapping_add(number.into());
            // SAFETY: as the caller vouches.
            let bit = unsafe { bytes::hash(value, self.value_size, seed) } & self.mask;
            // SAFETY: the layout has a bit for each value of the mask.
            (unsafe { &*self.bits.add((bit / 64) as usize) }, 1 << (bit % 64))
        })
    }

    /// What `bpf_map_push_elem` does.
    ///
    /// # Safety
    ///
    /// There is a value to read.
    pub(crate) unsafe fn push(&self, value: *const u8, flags: u64) -> Result<(), Errno> {
        if flags != update::ANY {
            return Err(Errno::INVALID);
        }
        // SAFETY: as the caller vouches.
        for (word, bit) in unsafe { self.places(value) } {
            if word.load(Ordering::Relaxed) & bit == 0 {
                word.fetch_or(bit, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    /// What `bpf_map_peek_elem` does: whether the value may have been pushed.
    ///
    /// # Safety
    ///
    /// There is a value to read.
    pub(crate) unsafe fn peek(&self, value: *const u8) -> Result<(), Errno> {
        // SAFETY: as the caller vouches.
        let missing = unsafe { self.places(value) }
            .any(|(word, bit)| word.load(Ordering::Relaxed) & bit == 0);
        if missing { Err(Errno::NO_ENTRY) } else { Ok(()) }
    }
}
