// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which type begins at an offset of a unit.

/// Bytes of a unit for which it is noted where in the list its types are.
const STRIDE: u32 = 32;

/// Numbers by offsets. What is near to each other in a unit is so here.
#[derive(Debug, Default)]
pub(super) struct Offsets {
    /// In the order of the offsets, once all are known.
    entries: Vec<(u32, u32)>,
    /// How many of them come before each stride of the unit.
    before: Vec<u32>,
}

impl Offsets {
    /// Begins anew.
    pub(super) fn clear(&mut self) {
        self.entries.clear();
    }

    /// Adds `number` at `offset`, where there may be one that it replaces.
    pub(super) fn push(&mut self, offset: u32, number: u32) {
        self.entries.push((offset, number));
    }

    /// Has to follow on the last [`Offsets::push`].
    pub(super) fn finish(&mut self) {
        if !self.entries.is_sorted_by(|a, b| a.0 < b.0) {
            self.entries.sort_by_key(|&(offset, _)| offset);
            // The last one of an offset comes first.
            self.entries.reverse();
            self.entries.dedup_by_key(|&mut (offset, _)| offset);
            self.entries.reverse();
        }
        self.before.clear();
        for (place, &(offset, _)) in self.entries.iter().enumerate() {
            let stride = (offset / STRIDE) as usize;
            if stride >= self.before.len() {
                self.before.resize(stride + 1, place as u32);
            }
        }
    }

    /// The number at `offset`.
    pub(super) fn get(&self, offset: u32) -> Option<u32> {
        let before = *self.before.get((offset / STRIDE) as usize)? as usize;
        let found = self.entries[before..].iter().find(|(other, _)| *other >= offset)?;
        (found.0 == offset).then_some(found.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_offset_has_the_number_that_was_added_last() {
        let mut offsets = Offsets::default();
        for added in [&[(11, 0), (12, 1), (300, 2)][..], &[(90, 0), (300, 1), (3, 2), (90, 3)]] {
            offsets.clear();
            added.iter().for_each(|&(offset, number)| offsets.push(offset, number));
            offsets.finish();
            for offset in 0..400 {
                let last = added.iter().rev().find(|(other, _)| *other == offset);
                assert_eq!(offsets.get(offset), last.map(|&(_, number)| number), "{offset}");
            }
        }
    }
}
