// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which type begins at an offset of a unit.

/// Bytes of a unit for which one [`Block`] says where types begin.
const BLOCK: u32 = 64;

/// Numbers by offsets.
#[derive(Debug, Default)]
pub(super) struct Offsets {
    entries: Vec<(u32, u32)>,
    blocks: Vec<Block>,
    /// The numbers, in the order of their offsets.
    numbers: Vec<u32>,
}

/// Which of some bytes types begin at.
#[derive(Clone, Copy, Debug, Default)]
struct Block {
    /// A bit for each.
    begins: u64,
    /// How many types begin before the block.
    before: u32,
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
        self.blocks.clear();
        self.numbers.clear();
        for &(offset, number) in &self.entries {
            let (block, begins) = place(offset);
            let before = self.numbers.len() as u32;
            if block >= self.blocks.len() {
                self.blocks.resize(block + 1, Block { begins: 0, before });
            }
            self.blocks[block].begins |= begins;
            self.numbers.push(number);
        }
    }

    /// The number at `offset`.
    #[inline]
    pub(super) fn get(&self, offset: u32) -> Option<u32> {
        let (block, begins) = place(offset);
        let block = self.blocks.get(block)?;
        if block.begins & begins == 0 {
            return None;
        }
        let before = block.before + (block.begins & (begins - 1)).count_ones();
        self.numbers.get(before as usize).copied()
    }
}

/// The block that `offset` is in, and its bit there.
fn place(offset: u32) -> (usize, u64) {
    ((offset / BLOCK) as usize, 1 << (offset % BLOCK))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_offset_has_the_number_that_was_added_last() {
        let mut offsets = Offsets::default();
        for added in [
            &[(11, 0), (12, 1), (63, 5), (64, 6), (300, 2)][..],
            &[(90, 0), (300, 1), (3, 2), (90, 3)],
        ] {
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
