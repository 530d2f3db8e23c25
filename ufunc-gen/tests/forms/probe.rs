// SPDX-License-Identifier: MIT OR Apache-2.0
//! The compiler as a judge of sizes and places: a source that it only accepts if it agrees, with an
//! object of all ones for each bit-field.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use object::{Object as _, ObjectSection as _, ObjectSymbol as _};
use ufunc_gen::btf::{Composite, Type};

use crate::view::View;

/// What the types say, as source.
#[derive(Debug, Default)]
pub(crate) struct Probe {
    text: String,
    /// The number of assertions.
    pub(crate) count: usize,
    /// Names of objects, and the bits that are set in them: from which on, and how many.
    bits: Vec<(String, u32, u32)>,
    /// `_Static_assert` or `static_assert`.
    keyword: &'static str,
    /// Whether objects can be initialised by their members' names.
    has_designators: bool,
}

impl Probe {
    /// A source in C that begins with `text`.
    pub(crate) fn c(text: &str) -> Self {
        let keyword = "_Static_assert";
        Probe { text: format!("{text}\n"), keyword, has_designators: true, ..Probe::default() }
    }

    /// A source in C++ that begins with `text`. Bit-fields are left out.
    pub(crate) fn cpp(text: &str) -> Self {
        Probe { text: format!("{text}\n"), keyword: "static_assert", ..Probe::default() }
    }

    /// Adds what `view` says of the struct or union `name`, which the source calls `source`.
    #[track_caller]
    pub(crate) fn add(&mut self, view: &View<'_>, name: &str, source: &str) {
        let mut found = view.types.iter().filter_map(|ty| match ty {
            Type::Struct(composite) | Type::Union(composite) if composite.name == name => {
                Some(composite)
            }
            _ => None,
        });
        let composite = found.next().unwrap_or_else(|| panic!("there is no {name}"));
        assert!(found.next().is_none(), "there are several {name}");
        self.assert(&format!("sizeof({source}) == {}", composite.size));
        self.members(view, composite, source, 0);
    }

    fn assert(&mut self, condition: &str) {
        self.text += &format!("{}({condition}, \"{}\");\n", self.keyword, condition.escape_debug());
        self.count += 1;
    }

    fn members(&mut self, view: &View<'_>, composite: &Composite<'_>, source: &str, base: u32) {
        for member in &composite.members {
            let offset = base + member.bit_offset;
            if member.name.is_empty() {
                // An unnamed struct, union, or base class: its members are the outer one's.
                if let Some(Type::Struct(inner) | Type::Union(inner)) = view.get(member.ty) {
                    self.members(view, inner, source, offset);
                }
                continue;
            }
            // The compiler's own, which the source has no name for.
            if member.name.starts_with("_vptr") {
                continue;
            }
            if member.bitfield_size == 0 {
                let name = &member.name;
                self.assert(&format!("__builtin_offsetof({source}, {name}) == {}", offset / 8));
            } else if self.has_designators {
                let object = format!("probe_{}", self.bits.len());
                self.text += &format!("{source} {object} = {{ .{} = -1 }};\n", member.name);
                self.bits.push((object, offset, member.bitfield_size.into()));
            }
        }
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Asserts that in the object file that the compiler made of the source those bits are set that
    /// should be. They count from the least significant one of a byte, or from the most significant
    /// one if the target has its bytes that way round.
    #[track_caller]
    pub(crate) fn check_bits(&self, what: &str, object: &Path) {
        let bytes = fs::read(object).unwrap();
        let file = object::File::parse(&*bytes).unwrap();
        for (name, offset, bits) in &self.bits {
            let symbol = file.symbols().find(|symbol| symbol.name() == Ok(name)).unwrap();
            let section = file.section_by_index(symbol.section_index().unwrap()).unwrap();
            let data = &section.data().unwrap()[symbol.address() as usize..];
            let data = &data[..symbol.size() as usize];
            let is_set = |bit: &u32| {
                let place = if file.is_little_endian() { bit % 8 } else { 7 - bit % 8 };
                data[(bit / 8) as usize] >> place & 1 == 1
            };
            let found: BTreeSet<u32> = (0..8 * symbol.size() as u32).filter(is_set).collect();
            let expected = (*offset..offset + bits).collect();
            let line = self.text.lines().find(|line| line.contains(&format!(" {name} = ")));
            assert_eq!(found, expected, "{what}: {line:?}");
        }
    }
}
