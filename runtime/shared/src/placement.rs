// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where a stub may lie.
//!
//! A jump to a stub takes five bytes, and these may replace several instructions. A thread can be
//! stopped between two of them, for as long as it likes: in a signal's handler, or waiting for a
//! processor. When it goes on it finds itself amid the jump. So each byte of the jump's distance
//! that lies where an instruction began has to be one that traps, all by itself: the handler knows
//! where the rest of the instructions went. Which distances have such bytes is what limits where a
//! stub may lie, besides the 2 GiB that a jump reaches.

/// Bytes that raise SIGTRAP or SIGILL when they begin an instruction, in 64-bit mode, whatever
/// follows. In the order of signed bytes.
pub const TRAPS: [u8; 20] = [
    0x82, 0x9a, 0xcc, 0xce, 0xd4, 0xd6, 0xea, 0x06, 0x07, 0x0e, 0x16, 0x17, 0x1e, 0x1f, 0x27, 0x2f,
    0x37, 0x3f, 0x60, 0x61,
];

/// How far from the ends of a jump's reach stubs are kept, so that what they refer to near the
/// function is in their reach too.
const MARGIN: i64 = 1 << 20;

/// Where a stub may lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement {
    /// What distances are counted from: the end of the jump.
    pub anchor: u64,
    /// For each byte of the distance, lowest first, whether it has to trap.
    pub traps: [bool; 4],
}

impl Placement {
    /// The lowest address from `from` on.
    #[must_use]
    pub fn next(&self, from: u64) -> Option<u64> {
        let distance = i128::from(from) - i128::from(self.anchor);
        let lowest = i64::from(i32::MIN) + MARGIN;
        let highest = i64::from(i32::MAX) - MARGIN;
        let distance = i64::try_from(distance).unwrap_or(i64::MAX).max(lowest);
        let distance = i32::try_from(distance).ok()?;
        // With the sign's bit turned over the numbers are in order.
        let digits = (distance.cast_unsigned() ^ 1 << 31).to_be_bytes();
        let found = self.lowest_from(digits)?;
        let distance = i64::from((u32::from_be_bytes(found) ^ 1 << 31).cast_signed());
        if distance > highest {
            return None;
        }
        self.anchor.checked_add_signed(distance)
    }

    /// Whether a stub may lie at `address`.
    #[must_use]
    pub fn allows(&self, address: u64) -> bool {
        self.next(address) == Some(address)
    }

    /// The lowest digits that are no less than `digits`, with the sign's bit turned over.
    fn lowest_from(&self, digits: [u8; 4]) -> Option<[u8; 4]> {
        for (place, digit) in digits.into_iter().enumerate() {
            let fits = self.digit_from(place, digit);
            if fits == Some(digit) {
                continue;
            }
            // The rightmost place up to here that can grow; what follows it is as low as can be.
            let grown = fits.map(|fit| (place, fit)).or_else(|| {
                (0..place).rev().find_map(|place| {
                    let more = digits[place].checked_add(1)?;
                    Some((place, self.digit_from(place, more)?))
                })
            });
            let (place, grown) = grown?;
            let mut lowest = digits;
            lowest[place] = grown;
            for (rest, digit) in lowest.iter_mut().enumerate().skip(place + 1) {
                *digit = self.digit_from(rest, 0)?;
            }
            return Some(lowest);
        }
        Some(digits)
    }

    /// The lowest digit from `digit` on that may stand at `place`, highest place first.
    fn digit_from(&self, place: usize, digit: u8) -> Option<u8> {
        if !self.traps[3 - place] {
            return Some(digit);
        }
        let turn = if place == 0 { 0x80 } else { 0 };
        TRAPS.iter().map(|trap| trap ^ turn).filter(|trap| *trap >= digit).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_found_traps_and_nothing_lower_does() {
        let anchor = 0x5555_0000_1005;
        for bits in 0..16u32 {
            let placement = Placement { anchor, traps: [0, 1, 2, 3].map(|bit| bits >> bit & 1 != 0) };
            let mut from = anchor - (1 << 31);
            let mut found = 0;
            while let Some(address) = placement.next(from) {
                assert!(address >= from && placement.allows(address));
                let distance = (address.wrapping_sub(anchor) as u32).to_le_bytes();
                for (byte, traps) in distance.iter().zip(placement.traps) {
                    assert!(!traps || TRAPS.contains(byte), "{distance:x?} {:?}", placement.traps);
                }
                // Between them there is none.
                if address > from {
                    assert!(!placement.allows(address - 1) || address - 1 < from);
                }
                from = address + 1 + 7_919 * 1_000;
                found += 1;
            }
            assert!(found > 10, "{bits}: {found}");
        }
    }

    #[test]
    fn brute_force_agrees() {
        let placement = Placement { anchor: 0x40_0000, traps: [true, true, false, false] };
        let fits = |address: u64| {
            let distance = (address.wrapping_sub(0x40_0000) as u32).to_le_bytes();
            TRAPS.contains(&distance[0]) && TRAPS.contains(&distance[1])
        };
        let mut expected = None;
        for from in (0x40_0000u64..0x41_2000).rev() {
            if fits(from) {
                expected = Some(from);
            }
            if expected.is_some() {
                assert_eq!(placement.next(from), expected, "{from:x}");
            }
        }
    }

    #[test]
    fn nothing_lies_out_of_reach() {
        let placement = Placement { anchor: 0x1000, traps: [false; 4] };
        assert_eq!(placement.next(u64::MAX), None);
        assert_eq!(placement.next(1 << 31), None);
        assert_eq!(placement.next(0x2000), Some(0x2000));
    }
}
