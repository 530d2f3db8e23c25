// SPDX-License-Identifier: MIT OR Apache-2.0
//! Random numbers that a seed repeats.

/// xorshift64*.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() >> 16) as usize % end.max(1)
    }

    /// Whether something of this chance in a hundred happens.
    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// A number that is often at an edge.
    pub(crate) fn value(&mut self) -> u64 {
        let edges = [
            0,
            1,
            2,
            0x7f,
            0x80,
            0xff,
            0x7fff,
            0x8000,
            0xffff,
            0x7fff_ffff,
            0x8000_0000,
            0xffff_ffff,
            0x1_0000_0000,
            i64::MAX as u64,
            i64::MIN as u64,
            u64::MAX,
            u64::MAX - 1,
        ];
        match self.below(4) {
            0 => self.pick(&edges),
            1 => self.next() >> self.below(64),
            2 => (self.next() >> self.below(64)).wrapping_neg(),
            _ => self.next(),
        }
    }
}

/// What tests begin with that try what is random: `UFUNC_TEST_SEED`, or else 1.
pub(crate) fn seed() -> u64 {
    let seed = std::env::var("UFUNC_TEST_SEED").ok();
    let seed = seed.map_or(1, |seed| seed.parse().expect("UFUNC_TEST_SEED is a number"));
    println!("UFUNC_TEST_SEED={seed}");
    seed
}
