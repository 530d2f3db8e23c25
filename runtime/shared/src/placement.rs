// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where a stub may lie.
//!
//! A jump to a stub takes five bytes, and these may replace several instructions. A thread can be
//! stopped between two of them, for as long as it likes: in a signal's handler, or waiting for a
//! processor. When it goes on it finds itself amid the jump. So each byte of the jump's distance
//! that lies where an instruction began has to be one that traps, all by itself: the handler knows
//! where the rest of the instructions went. Which distances have such bytes is what limits where a
//! stub may lie, besides the 2 GiB that a jump reaches.
//!
//! The kernel's own probes limit it, too. One on the same instruction puts a breakpoint over the
//! jump's first byte, and when it goes it puts there what the *file* has: the function then begins
//! with the first byte of its own instruction, and goes on with the jump's distance. So the
//! distance begins with what makes an instruction of it that traps, or the very one that was there:
//! a byte may have to be a certain one.

/// Bytes that raise SIGTRAP or SIGILL when they begin an instruction, in 64-bit mode, whatever
/// follows. In the order of signed bytes.
pub const TRAPS: [u8; 20] = [
    0x82, 0x9a, 0xcc, 0xce, 0xd4, 0xd6, 0xea, 0x06, 0x07, 0x0e, 0x16, 0x17, 0x1e, 0x1f, 0x27, 0x2f,
    0x37, 0x3f, 0x60, 0x61,
];

/// How far 32 bits reach, less what a stub may be long.
const REACH: u64 = (1 << 31) - (1 << 16);

/// What a byte of a distance may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Allowed {
    Any,
    /// One of [`TRAPS`].
    Trap,
    Only(u8),
}

impl Allowed {
    /// As the lowest 16 bits of a number.
    fn to_number(self) -> u64 {
        match self {
            Allowed::Any => 0,
            Allowed::Trap => 1,
            Allowed::Only(byte) => 1 << 8 | u64::from(byte),
        }
    }

    fn from_number(number: u64) -> Self {
        match number & 0xffff {
            0 => Allowed::Any,
            1 => Allowed::Trap,
            number => Allowed::Only(number as u8),
        }
    }
}

/// Where a stub may lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement {
    anchor: u64,
    /// What each byte of the distance may be, lowest first.
    bytes: [Allowed; 4],
    lowest: u64,
    highest: u64,
}

impl Placement {
    /// Within reach of `anchor`, the end of the jump, which distances are counted from.
    #[must_use]
    pub fn near(anchor: u64) -> Self {
        let unbound = Self { anchor, bytes: [Allowed::Any; 4], lowest: 0, highest: u64::MAX };
        unbound.reaching(anchor)
    }

    /// Where this byte of the distance, lowest first, traps too.
    #[must_use]
    pub fn trapping(self, byte: usize) -> Self {
        self.with(byte, Allowed::Trap)
    }

    /// Where this byte of the distance, lowest first, is `value`.
    #[must_use]
    pub fn having(self, byte: usize, value: u8) -> Self {
        self.with(byte, Allowed::Only(value))
    }

    fn with(mut self, byte: usize, allowed: Allowed) -> Self {
        if let Some(place) = self.bytes.get_mut(byte) {
            *place = allowed;
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
        let bytes = self.bytes.iter().rev().fold(0, |bits, byte| bits << 16 | byte.to_number());
        [self.anchor, bytes, self.lowest, self.highest]
    }

    /// What these numbers say; any say something.
    #[must_use]
    pub fn from_numbers([anchor, bytes, lowest, highest]: [u64; 4]) -> Self {
        let bytes = [0, 16, 32, 48].map(|shift| Allowed::from_number(bytes >> shift));
        Self { anchor, bytes, lowest, highest }
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
        let turn = if place == 0 { 0x80 } else { 0 };
        match self.bytes[3 - place] {
            Allowed::Any => Some(digit),
            Allowed::Trap => {
                TRAPS.iter().map(|trap| trap ^ turn).filter(|trap| *trap >= digit).min()
            }
            Allowed::Only(byte) => Some(byte ^ turn).filter(|byte| *byte >= digit),
        }
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
                for (byte, allowed) in distance.iter().zip(placement.bytes) {
                    let traps = allowed == Allowed::Trap;
                    assert!(!traps || TRAPS.contains(byte), "{distance:x?} {:?}", placement.bytes);
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
    fn bytes_can_be_certain_ones() {
        let placement = Placement::near(1 << 40).having(0, 0x47).having(1, 4).trapping(2);
        assert_eq!(Placement::from_numbers(placement.to_numbers()), placement);
        let (mut from, mut found) = (0, 0);
        while let Some(address) = placement.next(from) {
            let distance = (address.wrapping_sub(1 << 40) as u32).to_le_bytes();
            assert!(distance[..2] == [0x47, 4] && TRAPS.contains(&distance[2]), "{distance:x?}");
            (from, found) = (address + 1, found + 1);
        }
        assert!(found > 255 * TRAPS.len(), "{found}");
        let all = [1, 2, 3, 4].into_iter().enumerate();
        let only = all.fold(Placement::near(1 << 40), |all, (at, byte)| all.having(at, byte));
        assert_eq!(only.next(0), Some((1 << 40) + 0x0403_0201));
        assert_eq!(only.next((1 << 40) + 0x0403_0202), None);
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
