// SPDX-License-Identifier: MIT OR Apache-2.0
//! The sections of an application that are in memory when it runs, and what its symbols say of the
//! variables in them.

use hashbrown::HashMap;
use object::{Object as _, ObjectSection as _, ObjectSymbol as _, SectionFlags, SymbolKind, elf};

use super::layout::Layout;

/// Most names of one place that are looked at; only a damaged file has more.
const MAX_NAMES: usize = 64;

/// A section that has memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Its name.
    pub name: String,
    /// Where it begins; in an object that is not linked yet, by the [`Layout`] that its debug
    /// information is read with. Of what each thread has: by its offset in that.
    pub address: u64,
    /// In bytes.
    pub size: u64,
}

/// A place in a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spot {
    /// Number of the section; those of threads have the higher numbers.
    pub section: usize,
    /// How far behind its beginning.
    pub offset: u64,
    /// The address, or the offset in what each thread has.
    pub address: u64,
}

/// Where `address` is among `sections`, which are in order.
fn spot(sections: &[Section], address: u64) -> Option<Spot> {
    let after = sections.partition_point(|section| section.address <= address);
    let section = after.checked_sub(1)?;
    let offset = address - sections[section].address;
    (offset < sections[section].size).then_some(Spot { section, offset, address })
}

/// What symbols say of one place.
#[derive(Clone, Debug, Default)]
pub struct Symbols<'a>(Vec<(&'a [u8], u64)>);

impl<'a> Symbols<'a> {
    /// The size that the symbol of the variable `name` says; `None` if there is none.
    pub fn size_of(&self, name: &[u8]) -> Option<u64> {
        let found = self.0.iter().find(|(symbol, _)| is_called(symbol, name));
        found.map(|(_, size)| *size)
    }
}

/// Whether the symbol `symbol` may be that of the variable `name`: static ones of functions have a
/// number that tells them apart.
fn is_called(symbol: &[u8], name: &[u8]) -> bool {
    symbol.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"."))
}

/// The sections of an application where variables can be.
#[derive(Debug, Default)]
pub struct Sections<'a> {
    /// By address.
    shared: Vec<Section>,
    /// Those of which each thread has its own, by offset.
    thread_local: Vec<Section>,
    /// Address of what those are copied from.
    thread_start: u64,
    symbols: HashMap<(bool, u64), Symbols<'a>>,
}

impl<'a> Sections<'a> {
    /// Those of `files`: the application, and its separate debug file if it has one. A file that has
    /// none is passed over for the next one; symbols are those of all.
    pub(super) fn of(files: &[&object::File<'a>]) -> Self {
        let mut sections = Sections::default();
        for elf in files {
            if sections.shared.is_empty() {
                sections.add_sections(elf);
            }
            sections.add_symbols(elf);
        }
        sections
    }

    /// Some sections, in order, and symbols of variables: addresses, names and sizes.
    #[cfg(test)]
    pub(crate) fn with(shared: Vec<Section>, symbols: &[(u64, &'a [u8], u64)]) -> Self {
        let symbol = |&(address, name, size)| ((false, address), Symbols(vec![(name, size)]));
        let symbols = symbols.iter().map(symbol).collect();
        Sections { shared, symbols, ..Sections::default() }
    }

    fn add_sections(&mut self, elf: &object::File<'a>) {
        let layout = Layout::new(elf);
        for section in elf.sections() {
            let SectionFlags::Elf { sh_flags, .. } = section.flags() else { continue };
            let has = |flag: elf::SectionFlags| sh_flags.0 & flag.0 != 0;
            if !has(elf::SHF_ALLOC) || section.size() == 0 {
                continue;
            }
            let name = String::from_utf8_lossy(section.name_bytes().unwrap_or_default());
            let address = section.address().wrapping_add(layout.base(section.index()));
            let found = Section { name: name.into_owned(), address, size: section.size() };
            match has(elf::SHF_TLS) {
                true => self.thread_local.push(found),
                false => self.shared.push(found),
            }
        }
        self.shared.sort_by_key(|section| section.address);
        self.thread_local.sort_by_key(|section| section.address);
        // What a linker has placed counts from the beginning of what each thread has.
        if !crate::elf::is_relocatable(elf)
            && let Some(start) = self.thread_local.first().map(|first| first.address)
        {
            self.thread_local.iter_mut().for_each(|section| section.address -= start);
            self.thread_start = start;
        }
    }

    fn add_symbols(&mut self, elf: &object::File<'a>) {
        let layout = Layout::new(elf);
        for symbol in elf.symbols().chain(elf.dynamic_symbols()) {
            let is_variable = matches!(symbol.kind(), SymbolKind::Data | SymbolKind::Tls);
            if !is_variable || symbol.is_undefined() {
                continue;
            }
            let Ok(name) = symbol.name_bytes() else { continue };
            let base = symbol.section_index().map_or(0, |section| layout.base(section));
            let place = (symbol.kind() == SymbolKind::Tls, symbol.address().wrapping_add(base));
            let Symbols(known) = self.symbols.entry(place).or_default();
            if known.len() < MAX_NAMES && !known.iter().any(|(other, _)| *other == name) {
                known.push((name, symbol.size()));
            }
        }
    }

    /// Where the address, or the offset in what each thread has, is; `None` if no section has it.
    pub fn locate(&self, thread_local: bool, address: u64) -> Option<Spot> {
        if !thread_local {
            return spot(&self.shared, address);
        }
        // GCC puts the address of what threads' own are copied from into split debug information.
        let copied = || address.checked_sub(self.thread_start);
        let found = spot(&self.thread_local, address);
        let found = found.or_else(|| spot(&self.thread_local, copied()?))?;
        Some(Spot { section: found.section + self.shared.len(), ..found })
    }

    /// The section with that number.
    pub fn get(&self, number: usize) -> Option<&Section> {
        self.shared.iter().chain(&self.thread_local).nth(number)
    }

    /// What symbols say of `address`.
    pub fn symbols_at(&self, thread_local: bool, address: u64) -> Option<&Symbols<'a>> {
        self.symbols.get(&(thread_local, address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_in_the_section_around_it() {
        let section = |name: &str, address, size| Section { name: name.into(), address, size };
        let sections = Sections {
            shared: vec![section(".data", 0x1000, 16), section(".bss", 0x1010, 8)],
            thread_local: vec![section(".tdata", 0, 4)],
            thread_start: 0x800,
            symbols: HashMap::new(),
        };
        let found = |thread_local, address| {
            let spot = sections.locate(thread_local, address)?;
            Some((sections.get(spot.section)?.name.as_str(), spot.offset, spot.address))
        };
        assert_eq!(found(false, 0x100f), Some((".data", 15, 0x100f)));
        assert_eq!(found(false, 0x1010), Some((".bss", 0, 0x1010)));
        assert_eq!(found(true, 3), Some((".tdata", 3, 3)));
        assert_eq!(found(true, 0x802), Some((".tdata", 2, 2)));
        for (thread_local, address) in [(false, 0xfff), (false, 0x1018), (true, 4)] {
            assert_eq!(found(thread_local, address), None);
        }
    }

    #[test]
    fn a_symbol_may_have_a_number() {
        let symbols = Symbols(vec![(b"counter.0", 8), (b"other", 4)]);
        assert_eq!(symbols.size_of(b"counter"), Some(8));
        assert_eq!(symbols.size_of(b"othe"), None);
    }
}
