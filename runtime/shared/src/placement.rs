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

/// How far 32 bits reach, less what a stub may be long.
const REACH: u64 = (1 << 31) - (1 << 16);

/// Where a stub may lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement {
    anchor: u64,
    /// For each byte of the distance, lowest first, whether it has to trap.
    traps: [bool; 4],
    lowest: u64,
    highest: u64,
}

impl Placement {
    /// Within reach of `anchor`, the end of the jump, which distances are counted from.
    #[must_use]
    pub fn near(anchor: u64) -> Self {
        let unbound = Self { anchor, traps: [false; 4], lowest: 0, highest: u64::MAX };
        unbound.reaching(anchor)
    }

    /// Where this byte of the distance, lowest first, traps too.
    #[must_use]
    pub fn trapping(mut self, byte: usize) -> Self {
        if let Some(traps) = self.traps.get_mut(byte) {
            *traps = true;
        }
        self
    }

    /// Within reach of `target` too.
    #[must_use]
    pub fn reaching(self, target: u64) -> Self {
        let lowest = self.lowest.max(target.saturating_sub(REACH));
        let highest = self.highest.min(target.saturating_add(REACH));
        Self { lowest, highest, ..self }
    }

    /// As numbers, to hand over.
    #[must_use]
    pub fn to_numbers(&self) -> [u64; 4] {
        let traps = self.traps.iter().rev().fold(0, |bits, traps| bits << 1 | u64::from(*traps));
        [self.anchor, traps, self.lowest, self.highest]
    }

    /// What these numbers say; any say something.
    #[must_use]
    pub fn from_numbers([anchor, traps, lowest, highest]: [u64; 4]) -> Self {
        let traps = [0, 1, 2, 3].map(|byte| traps >> byte & 1 != 0);
        Self { anchor, traps, lowest, highest }
    }

    /// What distances are counted from.
    #[must_use]
    pub fn anchor(&self) -> u64 {
        self.anchor
    }

    /// The lowest address from `from` on.
    #[must_use]
    pub fn next(&self, from: u64) -> Option<u64> {
        // Within reach, so it fits.
        let from = from.max(self.lowest);
        let distance = i32::try_from(from.wrapping_sub(self.anchor).cast_signed()).ok()?;
        // With the sign's bit turned over the numbers are in order.
        let digits = (distance.cast_unsigned() ^ 1 << 31).to_be_bytes();
        let found = self.lowest_from(digits)?;
        let distance = (u32::from_be_bytes(found) ^ 1 << 31).cast_signed();
        let address = self.anchor.checked_add_signed(distance.into())?;
        (address <= self.highest).then_some(address)
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
            let bytes = (0..4).filter(|byte| bits >> byte & 1 != 0);
            let placement = bytes.fold(Placement::near(anchor), Placement::trapping);
            let mut from = anchor - (1 << 31);
            let mut found = 0;
            while let Some(address) = placement.next(from) {
                assert!(address >= from && placement.allows(address));
                assert_eq!(Placement::from_numbers(placement.to_numbers()), placement);
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
        let placement = Placement::near(0x40_0000).trapping(0).trapping(1);
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
        let placement = Placement::near(0x1000);
        assert_eq!(placement.next(u64::MAX), None);
        assert_eq!(placement.next(1 << 31), None);
        assert_eq!(placement.next(0x2000), Some(0x2000));
        let placement = Placement::near(1 << 40).reaching((1 << 40) + (1 << 30));
        let lowest = placement.next(0).unwrap();
        assert_eq!(lowest, (1 << 40) + (1 << 30) - REACH);
        assert!(placement.allows(lowest) && !placement.allows(lowest - 1));
        assert!(placement.allows((1 << 40) + REACH) && !placement.allows((1 << 40) + REACH + 1));
    }
}
