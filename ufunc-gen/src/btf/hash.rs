// SPDX-License-Identifier: MIT OR Apache-2.0
//! Hashing words and strings, fast enough for a kernel's hundred thousand types.

use std::hash::{BuildHasher as _, RandomState};

/// Hashes with a secret of its own, which an input made to collide cannot know.
///
/// Nothing that is written depends on the hashes: they only find what is then compared.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hasher {
    secret: u64,
}

/// Any odd number with about as many ones as zeros: the golden ratio's.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

impl Hasher {
    pub(super) fn new() -> Self {
        Hasher { secret: RandomState::new().hash_one(0) }
    }

    /// One to which the order of what is added makes no difference, for tests of collisions.
    #[cfg(test)]
    pub(super) fn weak() -> Self {
        Hasher { secret: 0 }
    }

    /// Hash of `words`.
    pub(super) fn words(self, words: &[u32]) -> u64 {
        let start = self.add(self.secret, words.len() as u64);
        let (pairs, last) = words.as_chunks::<2>();
        let pair = |&[low, high]: &[u32; 2]| u64::from(low) | u64::from(high) << 32;
        let last = last.iter().map(|&word| u64::from(word));
        fold(pairs.iter().map(pair).chain(last).fold(start, |hash, word| self.add(hash, word)))
    }

    /// Hash of `bytes`.
    pub(super) fn bytes(self, bytes: &[u8]) -> u64 {
        let start = self.add(self.secret, bytes.len() as u64);
        let (words, rest) = bytes.as_chunks::<8>();
        let hash = words.iter().fold(start, |hash, word| self.add(hash, u64::from_le_bytes(*word)));
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        fold(self.add(hash, u64::from_le_bytes(last)))
    }

    /// Adds `word` to what has been hashed so far.
    pub(super) fn add(self, hash: u64, word: u64) -> u64 {
        let product = u128::from(hash ^ word) * u128::from(self.secret | 1);
        product as u64 ^ (product >> 64) as u64
    }
}

/// Spreads what a hash says over all of its bits: tables look at the top and at the bottom.
fn fold(hash: u64) -> u64 {
    let product = u128::from(hash) * u128::from(FACTOR);
    product as u64 ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn lengths_and_order_matter() {
        let hasher = Hasher::new();
        let words: [&[u32]; 6] = [&[], &[0], &[0, 0], &[1, 0], &[0, 1], &[0, 0, 0]];
        let hashes: HashSet<_> = words.iter().map(|words| hasher.words(words)).collect();
        assert_eq!(hashes.len(), words.len());
        let strings =
            ["", "a", "b", "ab", "ba", "a\0", "12345678", "123456781", "1234567812345678"];
        let hashes: HashSet<_> = strings.iter().map(|s| hasher.bytes(s.as_bytes())).collect();
        assert_eq!(hashes.len(), strings.len());
    }
}
