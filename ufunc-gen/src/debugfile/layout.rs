// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where the sections of a relocatable object are taken to be.
//!
//! All of them begin at address 0, so addresses alone could not tell `.text.a` from `.text.b`. As
//! debuggers do, they are laid out one after the other. Debug sections that come in several pieces
//! (each type unit may have a `.debug_info` of its own, in a section group) are read as one section,
//! and a piece's base is its offset in the whole.

use std::collections::HashMap;

use object::{Object as _, ObjectSection as _, SectionFlags, SectionIndex};

use crate::elf::is_relocatable;

/// Address of the first section: not 0, which stands for code that was removed.
const FIRST: u64 = 0x1_0000;
/// No section needs a coarser alignment.
const MAX_ALIGN: u64 = 1 << 24;

/// What is added to the symbols of each section: 0 for everything that is linked already.
#[derive(Debug, Default)]
pub(crate) struct Layout {
    /// By section number.
    bases: Vec<u64>,
}

impl Layout {
    /// Lays out the sections of `elf`.
    pub(crate) fn new(elf: &object::File<'_>) -> Layout {
        let mut layout = Layout::default();
        if !is_relocatable(elf) {
            return layout;
        }
        let mut next = FIRST;
        let mut pieces = HashMap::<&[u8], u64>::new();
        for section in elf.sections() {
            let SectionFlags::Elf { sh_flags, .. } = section.flags() else { continue };
            if sh_flags.0 & object::elf::SHF_ALLOC.0 != 0 {
                let align = section.align();
                if align.is_power_of_two() && align <= MAX_ALIGN {
                    // Sizes are the file's and may be anything; what wraps around is garbage, but
                    // no more so than the sizes.
                    next = next.wrapping_add(align - 1) & !(align - 1);
                }
                layout.set(section.index(), next);
                next = next.wrapping_add(section.size());
                continue;
            }
            let Ok(name) = section.name_bytes() else { continue };
            if !name.starts_with(b".debug_") && !name.starts_with(b".zdebug_") {
                continue;
            }
            let base = pieces.entry(name).or_default();
            if *base > 0 {
                layout.set(section.index(), *base);
            }
            let size = section.compressed_file_range().map_or(0, |range| range.uncompressed_size);
            *base = base.wrapping_add(size);
        }
        layout
    }

    fn set(&mut self, section: SectionIndex, base: u64) {
        if self.bases.len() <= section.0 {
            self.bases.resize(section.0 + 1, 0);
        }
        self.bases[section.0] = base;
    }

    /// What is added to addresses and offsets in `section`.
    pub(crate) fn base(&self, section: SectionIndex) -> u64 {
        self.bases.get(section.0).copied().unwrap_or(0)
    }
}
