// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the tests have in common.

#![allow(dead_code, reason = "not every test uses all of it")]

pub(crate) mod kernel;

/// Numbers that look random, and are the same for the same seed.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }
}

/// A seed: `UFUNC_TEST_SEED`, or another one each time. It is printed.
pub(crate) fn seed() -> u64 {
    let wanted = std::env::var("UFUNC_TEST_SEED").ok();
    let seed = wanted.map(|seed| seed.parse().expect("UFUNC_TEST_SEED is a number"));
    let seed = seed.unwrap_or_else(|| ufunc_maps::registry::number() >> 1);
    println!("UFUNC_TEST_SEED={seed}");
    seed
}
