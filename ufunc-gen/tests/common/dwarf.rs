// SPDX-License-Identifier: MIT OR Apache-2.0
//! Debug information by the million entries, which no assembler would get through in time.

use super::image::elf_with;

/// Kinds of entries: code, tag, whether it has children, and attributes with their forms.
type Abbreviation = (u8, u16, bool, &'static [(u16, u8)]);

const NAME: (u16, u8) = (0x03, 0x08);
const TYPE: (u16, u8) = (0x49, 0x13);
const SIZE: (u16, u8) = (0x0b, 0x0f);
const PLACE: (u16, u8) = (0x38, 0x0f);

const ABBREVIATIONS: &[Abbreviation] = &[
    (1, 0x11, true, &[(0x13, 0x0b)]),
    (2, 0x24, false, &[NAME, SIZE, (0x3e, 0x0b)]),
    (3, 0x0f, false, &[TYPE]),
    (4, 0x13, true, &[NAME, SIZE]),
    (5, 0x0d, false, &[NAME, TYPE, PLACE]),
    (6, 0x16, false, &[NAME, TYPE]),
    (7, 0x01, true, &[TYPE]),
    (8, 0x21, false, &[(0x37, 0x0f)]),
    (9, 0x04, true, &[NAME, SIZE]),
    (10, 0x28, false, &[NAME, (0x1c, 0x0d)]),
    (11, 0x39, true, &[NAME]),
    (12, 0x26, false, &[TYPE]),
    (13, 0x0b, true, &[]),
    (14, 0x13, true, &[SIZE]),
    (15, 0x0d, false, &[TYPE, PLACE]),
    (16, 0x33, true, &[(0x15, 0x13)]),
    (17, 0x19, true, &[(0x16, 0x0d)]),
    (18, 0x0d, false, &[NAME, (0x49, 0x20)]),
    (19, 0x33, true, &[]),
    (20, 0x2e, true, &[NAME, (0x11, 0x01)]),
    (21, 0x0d, false, &[NAME, TYPE, (0x0d, 0x0f), (0x6b, 0x0f)]),
    (22, 0x17, true, &[NAME, SIZE]),
    (23, 0x0d, false, &[NAME, (0x49, 0x10), PLACE]),
    (24, 0x21, false, &[(0x2f, 0x0f)]),
    (25, 0x02, true, &[NAME, SIZE]),
    (26, 0x15, true, &[TYPE]),
    (27, 0x05, false, &[TYPE]),
    (28, 0x13, false, &[NAME, (0x3c, 0x19)]),
    (29, 0x15, true, &[SIZE, TYPE]),
];

/// `.debug_info` under construction: C++, DWARF 5, 64-bit.
#[derive(Default)]
pub struct Dwarf {
    info: Vec<u8>,
    /// Where the unit begins that is being written.
    unit: usize,
}

/// Where an entry is in its unit.
pub type Place = u32;

impl Dwarf {
    /// Begins a unit.
    pub fn unit(&mut self) -> &mut Self {
        self.unit = self.info.len();
        self.info.extend([0, 0, 0, 0, 5, 0, 1, 8, 0, 0, 0, 0]);
        self.open(1);
        // C++
        self.byte(0x1a)
    }

    /// Ends a unit.
    pub fn end(&mut self) {
        self.close(1);
        let length = (self.info.len() - self.unit - 4) as u32;
        self.info[self.unit..self.unit + 4].copy_from_slice(&length.to_le_bytes());
    }

    /// Where in its unit the next entry begins.
    pub fn here(&self) -> Place {
        (self.info.len() - self.unit) as u32
    }

    /// Where in its section the next entry begins.
    pub fn section_offset(&self) -> u32 {
        self.info.len() as u32
    }

    /// Begins an entry; its attributes follow.
    pub fn open(&mut self, abbreviation: u8) -> &mut Self {
        self.byte(abbreviation)
    }

    pub fn byte(&mut self, byte: u8) -> &mut Self {
        self.info.push(byte);
        self
    }

    pub fn name(&mut self, name: &str) -> &mut Self {
        self.info.extend(name.bytes());
        self.byte(0)
    }

    pub fn uleb(&mut self, mut value: u64) -> &mut Self {
        while value >= 0x80 {
            self.info.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.byte(value as u8)
    }

    pub fn word(&mut self, word: u32) -> &mut Self {
        self.info.extend(word.to_le_bytes());
        self
    }

    /// Ends the children of so many entries.
    pub fn close(&mut self, count: usize) -> &mut Self {
        self.info.resize(self.info.len() + count, 0);
        self
    }

    // ── entries ──

    pub fn int(&mut self) -> Place {
        let place = self.here();
        self.open(2).name("int").uleb(4).byte(5);
        place
    }

    pub fn pointer(&mut self, to: Place) -> Place {
        let place = self.here();
        self.open(3).word(to);
        place
    }

    pub fn typedef(&mut self, name: &str, to: Place) -> Place {
        let place = self.here();
        self.open(6).name(name).word(to);
        place
    }

    /// A struct, which [`Dwarf::close`] ends.
    pub fn structure(&mut self, name: &str, size: u64) -> Place {
        let place = self.here();
        self.open(4).name(name).uleb(size);
        place
    }

    pub fn member(&mut self, name: &str, ty: Place, at: u64) -> &mut Self {
        self.open(5).name(name).word(ty).uleb(at)
    }

    pub fn array(&mut self, of: Place, count: u64) -> Place {
        let place = self.here();
        self.open(7).word(of).open(8).uleb(count).close(1);
        place
    }

    /// The whole as an application.
    pub fn elf(&self) -> Vec<u8> {
        let mut abbrev = Vec::new();
        for (code, tag, children, attributes) in ABBREVIATIONS {
            abbrev.extend([*code, *tag as u8, u8::from(*children)]);
            for (name, form) in *attributes {
                abbrev.extend([*name as u8, *form]);
            }
            abbrev.extend([0, 0]);
        }
        abbrev.push(0);
        elf_with(&[(".debug_abbrev", &abbrev), (".debug_info", &self.info)])
    }
}
