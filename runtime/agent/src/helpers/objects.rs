// SPDX-License-Identifier: MIT OR Apache-2.0
//! What extensions do to the application's objects themselves: views of them, and granted writes.
//!
//! The verifier has judged which fields these are. Whether anything is where they are said to be,
//! nobody knows before.

use ufunc_shared::helpers::WRITE_BOOL;

use super::{EFAULT, pointer};
use crate::memory;

/// Nothing smaller is ever mapped or not.
const PAGE: u64 = 4096;

/// A view of the `size` bytes at `address`: the address itself, or 0 if some of them are not there.
pub(super) extern "C" fn borrow(address: u64, size: u64) -> u64 {
    let Some(last) = address.checked_add(size.saturating_sub(1)) else { return 0 };
    let mut at = address;
    // Nobody maps the first page: what is null is found without a fault.
    while at >= PAGE {
        // SAFETY: any byte is a number; where nothing is mapped the handler sees to it.
        if unsafe { memory::read::<u8>(at) }.is_none() {
            return 0;
        }
        match (at | (PAGE - 1)).checked_add(1) {
            Some(next) if next <= last => at = next,
            _ => return address,
        }
    }
    0
}

/// Stores `value` in `object`: at the bit that the lower half of `place` is the number of, as many bits
/// as the byte above says.
///
/// Whole bytes are stored by one instruction if they are 1, 2, 4 or 8. Of others just the bytes that they
/// are in are loaded and stored again: what another thread changes in these meanwhile is lost.
pub(super) unsafe extern "C" fn write(object: u64, value: u64, place: u64) -> u64 {
    let (offset, size) = (place as u32, u32::from((place >> 32) as u8));
    let value = if place & WRITE_BOOL != 0 { u64::from(value & 0xff != 0) } else { value };
    let address = object.wrapping_add(u64::from(offset / 8));
    let shift = offset % 8;
    let bytes = (shift + size).div_ceil(8) as usize;
    let mut whole = u128::from(value).to_le_bytes();
    // Nine, if 64 bits do not begin where a byte does.
    if bytes > 9 {
        return EFAULT;
    }
    if shift != 0 || !size.is_multiple_of(8) {
        let mut before = [0; 16];
        // SAFETY: there is room for nine bytes; that any of the application's are read does no harm.
        if !unsafe { memory::copy(before.as_mut_ptr(), pointer(address), bytes) } {
            return EFAULT;
        }
        let mask = ((1_u128 << size) - 1) << shift;
        let kept = u128::from_le_bytes(before) & !mask;
        whole = (kept | (u128::from(value) << shift & mask)).to_le_bytes();
    }
    // SAFETY: there are nine bytes to read; that they are written there is what the owner of the
    // application has granted.
    if unsafe { memory::copy(pointer(address), whole.as_ptr(), bytes) } { 0 } else { EFAULT }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(offset: u32, size: u8) -> u64 {
        u64::from(offset) | u64::from(size) << 32
    }

    /// What the bytes are after `value` was stored at this place.
    fn stored(before: [u8; 10], offset: u32, size: u8, value: u64) -> [u8; 10] {
        let mut bytes = before;
        let address = (&raw mut bytes).expose_provenance() as u64;
        // SAFETY: the place is within the bytes.
        assert_eq!(unsafe { write(address, value, place(offset, size)) }, 0);
        bytes
    }

    #[test]
    fn just_the_bits_of_a_field_change() {
        for before in [[0; 10], [0xff; 10], [0xa5; 10]] {
            for (offset, size) in
                [(0, 8), (8, 16), (16, 32), (16, 64), (3, 1), (5, 3), (7, 20), (9, 64), (15, 9)]
            {
                for value in [0, u64::MAX, 0x1234_5678_9abc_def0] {
                    let after = stored(before, offset, size, value);
                    for bit in 0..80 {
                        let of = |bytes: &[u8; 10]| bytes[bit / 8] >> (bit % 8) & 1 != 0;
                        let at = (bit as u32).checked_sub(offset).filter(|at| *at < size.into());
                        let expected = at.map_or(of(&before), |at| value >> at & 1 != 0);
                        assert_eq!(of(&after), expected, "{size} bits at {offset}: bit {bit}");
                    }
                }
            }
        }
    }

    #[test]
    fn whatever_is_not_zero_is_true() {
        for (value, expected) in [(0, 0), (1, 1), (0x80, 1), (0x100, 0)] {
            let mut byte = 7_u8;
            let address = (&raw mut byte).expose_provenance() as u64;
            // SAFETY: the place is the byte.
            assert_eq!(unsafe { write(address, value, place(0, 8) | WRITE_BOOL) }, 0);
            assert_eq!(byte, expected);
        }
    }
}
