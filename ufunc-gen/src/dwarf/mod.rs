// SPDX-License-Identifier: MIT OR Apache-2.0
//! Debug information: the application's functions and types as its compiler described them.
//!
//! ```text
//! debugfile ──▶ units ──walk──▶ entries ──▶ functions             (functions.rs)
//!                                      └──▶ types, as BTF has them (raw.rs, types.rs)
//!                                      └──▶ what a signature needs of a type (shape.rs)
//! ```
//!
//! Every offset and count in here is the input's and is not trusted: nothing recurses, references
//! are followed a bounded number of steps, and a bad offset is an error that names it.

mod abbreviations;
mod alike;
pub mod definitions;
pub mod entry;
pub mod functions;
mod limits;
mod parallel;
mod plan;
pub mod raw;
pub(crate) mod scope;
pub mod shape;
mod split;
pub mod types;
mod unit;
pub mod variables;
mod walk;

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use anyhow::{Context as _, Result, ensure};
use gimli::{AttributeValue, DebugTypeSignature, DwTag, DwoId, UnitHeader};

pub use crate::debugfile::Reader;
use crate::debugfile::{DebugSections, MissingDwo};
pub(crate) use entry::Attributes;
use entry::{Code, Entry, RawName};
use limits::{Budget, Spans};
pub(crate) use plan::Brief;
use plan::SharedPlans;
pub(crate) use unit::{Unit, UnitPlace};
use unit::{UnitHead, start_of};
pub(crate) use walk::{Said, Walk, opens};

pub use entry::DieRef;
pub use split::SplitFiles;
pub use unit::UnitIndex;

/// How far a chain of references (typedef of typedef …) is followed before it counts as endless.
pub(crate) const MAX_CHAIN: usize = 64;

/// One of the files that make up the debug information of an application.
pub struct Part<'a> {
    dwarf: gimli::Dwarf<Reader<'a>>,
    /// For messages.
    shown: String,
    /// Number of its `.debug_info`.
    info_section: u16,
    /// Where the abbreviations are that one of its units has alone, in order.
    spans: Spans,
    /// Place in the list of parts of the file that this one and others share (`dwz -m`).
    supplementary: Option<usize>,
    lines: Lines,
}

/// Where the line tables of a part are.
#[derive(Clone, Copy)]
enum Lines {
    /// With the application's sections, which load them when they are needed.
    Main,
    /// With those of the supplementary file.
    Supplementary,
    /// In the part itself.
    Own,
}

/// A section with entries.
struct Section {
    part: usize,
    name: &'static str,
}

/// The debug information of an application.
pub struct DebugInfo<'a> {
    parts: Vec<Part<'a>>,
    sections: Vec<Section>,
    /// In the order of their places.
    units: Vec<UnitHead<'a>>,
    /// Where each of them begins. They are looked for often, and so are close together here.
    starts: Vec<DieRef>,
    /// The one that was looked for last: mostly it is the next one, too.
    looked_for: AtomicUsize,
    /// Those that were needed one at a time.
    opened: Vec<OnceLock<Unit<'a>>>,
    plans: Arc<SharedPlans<'a>>,
    /// Types that have a unit of their own.
    type_units: HashMap<u64, DieRef>,
    /// Further ones with the same signature, by the part that has them.
    repeated_type_units: HashMap<(usize, u64), DieRef>,
    alike: alike::Alike,
    /// Found when the first declaration has to be followed.
    definitions: OnceLock<definitions::Definitions<'a>>,
    /// How many entries may still be read.
    budget: Budget,
    /// How many units are read at a time; by default as many as there are processors.
    jobs: Option<NonZeroUsize>,
    /// Whether entries may refer to other units' entries.
    refers_elsewhere: bool,
    /// Has the line tables.
    lines: &'a DebugSections<'a>,
    /// Whether a linker has given everything its address.
    is_linked: bool,
    /// What skeleton units say of their contents that are elsewhere, by their ids.
    skeletons: HashMap<u64, unit::Bases>,
    missing: &'a [MissingDwo],
}

impl<'a> DebugInfo<'a> {
    /// Reads the headers of all units in `sections`, and in `split`, which has the contents of
    /// those that only say where theirs are.
    pub fn new(sections: &'a DebugSections<'_>, split: &'a SplitFiles) -> Result<Self> {
        let mut debug = DebugInfo {
            parts: Vec::new(),
            sections: Vec::new(),
            units: Vec::new(),
            starts: Vec::new(),
            looked_for: AtomicUsize::new(0),
            opened: Vec::new(),
            plans: Arc::default(),
            type_units: HashMap::new(),
            repeated_type_units: HashMap::new(),
            alike: alike::Alike::default(),
            definitions: OnceLock::new(),
            budget: Budget::new(0),
            jobs: None,
            refers_elsewhere: false,
            lines: sections,
            is_linked: sections.is_linked(),
            skeletons: HashMap::new(),
            missing: split.missing(),
        };
        let main = debug.add_part(sections.main(), sections.shown(), Lines::Main)?;
        if let Some(dwarf) = sections.supplementary() {
            let shown = sections.supplementary_shown().unwrap_or_default();
            let part = debug.add_part(dwarf, shown, Lines::Supplementary)?;
            debug.parts[main].supplementary = Some(part);
        }
        if !split.is_empty() {
            for (DwoId(id), bases) in split.bases() {
                debug.skeletons.insert(*id, *bases);
            }
            for part in split.parts(&sections.main()) {
                let number = debug.add_part(part.dwarf, part.shown, Lines::Own)?;
                debug.parts[number].supplementary = debug.parts[main].supplementary;
            }
        }
        Ok(debug)
    }

    /// How many units are read at a time; without it as many as there are processors.
    pub fn set_jobs(&mut self, jobs: NonZeroUsize) {
        self.jobs = Some(jobs);
    }

    /// Units whose contents are in files that were not found.
    pub fn missing(&self) -> &'a [MissingDwo] {
        self.missing
    }

    /// Adds the units of another file.
    fn add_part(
        &mut self,
        mut dwarf: gimli::Dwarf<Reader<'a>>,
        shown: &str,
        lines: Lines,
    ) -> Result<usize> {
        let part = self.parts.len();
        let info = self.add_section(part, ".debug_info")?;
        self.budget.allow(gimli::Section::reader(&dwarf.debug_info).len());
        let mut headers = dwarf.units();
        while let Some(header) = headers.next().with_context(|| self.bad_header(shown, info))? {
            self.add_unit(part, info, header)?;
        }
        let types = gimli::Section::reader(&dwarf.debug_types).len();
        if types > 0 {
            let section = self.add_section(part, ".debug_types")?;
            self.budget.allow(types);
            let mut headers = dwarf.type_units();
            while let Some(header) =
                headers.next().with_context(|| self.bad_header(shown, section))?
            {
                self.add_unit(part, section, header)?;
            }
        }
        let own = self.units.iter().filter(|unit| unit.part == part);
        let mut tables: Vec<_> = own.map(|unit| unit.header.debug_abbrev_offset().0).collect();
        tables.sort_unstable();
        let (spans, refers_elsewhere) = limits::check_abbreviations(&dwarf, &tables)
            .with_context(|| format!("failed to read .debug_abbrev of {shown}"))?;
        self.refers_elsewhere |= refers_elsewhere;
        // Units may share their abbreviations.
        dwarf.populate_abbreviations_cache(gimli::AbbreviationsCacheStrategy::Duplicates);
        let shown = shown.to_owned();
        self.parts.push(Part {
            dwarf,
            shown,
            info_section: info,
            spans,
            supplementary: None,
            lines,
        });
        Ok(part)
    }

    fn add_section(&mut self, part: usize, name: &'static str) -> Result<u16> {
        ensure!(
            self.sections.len() < DieRef::MAX_SECTIONS,
            "the debug information is in more than {} files",
            DieRef::MAX_SECTIONS
        );
        self.sections.push(Section { part, name });
        Ok((self.sections.len() - 1) as u16)
    }

    fn add_unit(
        &mut self,
        part: usize,
        section: u16,
        header: UnitHeader<Reader<'a>>,
    ) -> Result<()> {
        let head = UnitHead { part, section, start: start_of(&header), header };
        if let Some((signature, place)) = head.type_signature() {
            let place = DieRef::new(section, place);
            let first = *self.type_units.entry(signature).or_insert(place);
            if first != place {
                self.repeated_type_units.entry((part, signature)).or_insert(place);
            }
        }
        self.starts.push(DieRef::new(section, head.start));
        self.units.push(head);
        self.opened.push(OnceLock::new());
        Ok(())
    }

    fn bad_header(&self, shown: &str, section: u16) -> String {
        let name = self.sections[usize::from(section)].name;
        let mut known = self.units.iter().filter(|unit| unit.section == section);
        let (number, last) = (known.clone().count(), known.next_back());
        let at = last.map_or(0, |unit| unit.start + unit.len());
        format!(
            "failed to read the header of unit {number}, at offset {at:#x} of {name} of {shown}"
        )
    }

    /// What people are told of [`DebugInfo::missing`]; `None` if there is none.
    pub fn missing_note(&self) -> Option<String> {
        let first = self.missing.first()?;
        Some(format!(
            "{} of its compile units keep their debug information in .dwo files that were not found, such as {}; put them where they were built, beside the application, or say where they are (--debug-dir)",
            self.missing.len(),
            first.name
        ))
    }

    /// All units, in order.
    pub fn units(&self) -> impl ExactSizeIterator<Item = UnitIndex> + use<> {
        (0..self.units.len()).map(UnitIndex)
    }

    /// The unit `index`, which is kept once it was read.
    pub(crate) fn unit(&self, index: UnitIndex) -> Result<&Unit<'a>> {
        self.unit_by(index, &self.plans)
    }

    /// The same, with plans that are `shared` if it was not read before.
    fn unit_by(&self, index: UnitIndex, shared: &Arc<SharedPlans<'a>>) -> Result<&Unit<'a>> {
        let place = &self.opened[index.0];
        if let Some(unit) = place.get() {
            return Ok(unit);
        }
        let unit = Unit::open(self, index, Attributes::All, shared)?;
        Ok(place.get_or_init(|| unit))
    }

    /// Whether entries may refer to entries of other units.
    pub(crate) fn refers_elsewhere(&self) -> bool {
        self.refers_elsewhere
    }

    /// Size of pointers in bytes: 4 if all units say so, for damage must not make room scarce.
    pub(crate) fn pointer_size(&self) -> u64 {
        let is_32_bit = |unit: &UnitHead<'_>| unit.header.address_size() == 4;
        if !self.units.is_empty() && self.units.iter().all(is_32_bit) { 4 } else { 8 }
    }

    /// Length of all units in bytes.
    pub fn len(&self) -> u64 {
        self.units.iter().map(|unit| unit.len() as u64).sum()
    }

    /// Whether there are no units.
    pub fn is_empty(&self) -> bool {
        self.units.is_empty()
    }

    /// The unit that contains `die`.
    pub(crate) fn unit_of(&self, die: DieRef) -> Result<UnitIndex> {
        let has = |unit: &UnitHead<'_>| {
            unit.section == die.section()
                && die.offset().checked_sub(unit.start).is_some_and(|offset| offset < unit.len())
        };
        let likely = self.looked_for.load(Ordering::Relaxed);
        if self.units.get(likely).is_some_and(has) {
            return Ok(UnitIndex(likely));
        }
        let after = self.starts.partition_point(|start| *start <= die);
        let index = after.checked_sub(1).with_context(|| self.bad_reference(die))?;
        ensure!(has(&self.units[index]), self.bad_reference(die));
        self.looked_for.store(index, Ordering::Relaxed);
        Ok(UnitIndex(index))
    }

    /// Reads the entry at `die`.
    pub(crate) fn die(&self, die: DieRef) -> Result<(&Unit<'a>, Entry<'a>)> {
        let unit = self.unit(self.unit_of(die)?)?;
        let entry = Walk::only(self, unit, die).with_context(|| self.bad_reference(die))?;
        Ok((unit, entry.with_context(|| self.bad_reference(die))?))
    }

    /// Tag, name and type of the entry at `die`, and whether it completes another one.
    pub(crate) fn spelled(
        &self,
        die: DieRef,
    ) -> Result<(DwTag, RawName<'a>, Option<DieRef>, bool)> {
        let unit = self.unit(self.unit_of(die)?)?;
        if let Some(Brief { tag, name, ty, .. }) = Walk::name_and_type(self, unit, die) {
            return Ok((tag, name, ty.map(|ty| unit.die(ty)), false));
        }
        let (_, entry) = self.die(die)?;
        Ok((entry.tag, entry.name, entry.ty, entry.specification.is_some()))
    }

    fn bad_reference(&self, die: DieRef) -> String {
        format!("bad entry at {}", self.place(die))
    }

    /// `die` for messages: `offset 0x2a of .debug_info of ./app`.
    pub(crate) fn place(&self, die: DieRef) -> String {
        match self.sections.get(usize::from(die.section())) {
            Some(section) => format!(
                "offset {:#x} of {} of {}",
                die.offset(),
                section.name,
                self.parts.get(section.part).map_or("", |part| &part.shown)
            ),
            None => "no section".to_owned(),
        }
    }

    /// Name of a section and its file, for messages.
    fn section_name(&self, section: u16) -> String {
        let section = &self.sections[usize::from(section)];
        format!("{} of {}", section.name, self.parts[section.part].shown)
    }

    /// The type with a unit of its own that has the signature `signature`. A signature says what a
    /// type is called, but not all that the type leads to: if several files have it, the part
    /// `part`, which asks, means its own.
    fn type_with(&self, part: usize, signature: DebugTypeSignature) -> Result<DieRef> {
        let own = self.repeated_type_units.get(&(part, signature.0));
        own.filter(|_| !self.is_first_type_unit(part, signature))
            .or_else(|| self.type_units.get(&signature.0))
            .copied()
            .with_context(|| format!("there is no type unit with the signature {:#x}", signature.0))
    }

    /// Whether the first type with the signature `signature` is in the part `part`.
    fn is_first_type_unit(&self, part: usize, signature: DebugTypeSignature) -> bool {
        let first = self.type_units.get(&signature.0);
        first.is_some_and(|first| self.sections[usize::from(first.section())].part == part)
    }

    /// The name of `entry`, which a definition may leave to the declaration that it completes.
    pub(crate) fn name(&self, entry: &Entry<'a>) -> Option<Cow<'a, str>> {
        if let Some(name) = entry.name.text() {
            return Some(name);
        }
        let (_, declaration) = self.die(entry.specification?).ok()?;
        declaration.name.text()
    }

    /// Whether `entry`, of `unit`, has code. What the linker left out is still described, with an
    /// address at which nothing can be.
    pub(crate) fn has_code(&self, unit: &Unit<'a>, entry: &Entry<'a>) -> bool {
        if entry.code == Code::None || entry.declaration {
            return false;
        }
        if !self.is_linked {
            return true;
        }
        match (entry.code, self.address(unit, entry)) {
            (_, Some(address)) => {
                let last = u64::MAX >> (64 - 8 * u32::from(unit.header.address_size().clamp(1, 8)));
                address > 1 && address < last - 1
            }
            // All of its pieces are empty.
            (Code::Ranges(_), None) => false,
            (_, None) => true,
        }
    }

    /// Where the code of `entry`, of `unit`, begins.
    fn address(&self, unit: &Unit<'a>, entry: &Entry<'a>) -> Option<u64> {
        let dwarf = &self.parts[unit.part].dwarf;
        match entry.code {
            Code::None => None,
            Code::At(address) => Some(address),
            // An index out of .debug_addr is no address; the function then counts as codeless.
            Code::Indexed(index) => dwarf
                .debug_addr
                .get_address(unit.header.address_size(), unit.bases.addresses, index)
                .ok(),
            // Code in pieces (hot and cold): the entry point's piece comes first.
            Code::Ranges(value) => {
                let encoding = unit.header.encoding();
                let offset = match value {
                    // Before DWARF 5 those of a .dwo count from where the skeleton says.
                    AttributeValue::RangeListsRef(offset)
                        if unit.in_dwo && encoding.version < 5 =>
                    {
                        offset.0.checked_add(unit.bases.ranges.0)?
                    }
                    AttributeValue::RangeListsRef(offset) => offset.0,
                    AttributeValue::DebugRngListsIndex(index) => {
                        let base = unit.bases.ranges;
                        dwarf.ranges.get_offset(encoding, base, index).ok()?.0
                    }
                    _ => return None,
                };
                let offset = gimli::RangeListsOffset(offset);
                let addresses = &dwarf.debug_addr;
                let (low_pc, base) = (unit.bases.low_pc, unit.bases.addresses);
                let ranges = dwarf.ranges.ranges(offset, encoding, low_pc, addresses, base);
                ranges.ok()?.next().ok()?.map(|range| range.begin)
            }
        }
    }

    /// Where the source has the entry `die`, if it says so.
    pub(crate) fn source_of(&self, die: DieRef) -> Result<Option<Source>> {
        let (unit, entry) = self.die(die)?;
        Ok(self.source(unit, entry.decl_file, entry.decl_line))
    }

    /// The line `line` of the file with the number `file` in the table of `unit`.
    fn source(&self, unit: &Unit<'a>, file: u64, line: u64) -> Option<Source> {
        if (file, line) == (0, 0) {
            return None;
        }
        let part = &self.parts[unit.part];
        let header = unit.line_header.get_or_init(|| {
            let offset = unit.line_table?;
            let lines = match part.lines {
                Lines::Main => self.lines.main_lines().ok()?,
                Lines::Supplementary => self.lines.supplementary_lines().ok()?,
                Lines::Own => part.dwarf.debug_line,
            };
            let (size, folder) = (unit.header.address_size(), unit.folder.reader(unit.endian()));
            let name = unit.name.reader(unit.endian());
            Some(lines.program(offset, size, folder, name).ok()?.header().clone())
        });
        let header = header.as_ref()?;
        let file = header.file(file)?;
        let text = |value: AttributeValue<Reader<'a>>| {
            let text = entry::string(unit, value).text()?;
            Some(text.into_owned())
        };
        let folder = file.directory(header).and_then(text).filter(|folder| !folder.is_empty());
        Some(Source { folder, file: text(file.path_name())?, line })
    }
}

/// A place in the application's source.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Source {
    /// The file's folder as the compiler was told it.
    pub folder: Option<String>,
    /// The file, maybe with folders of its own.
    pub file: String,
    /// Line, from 1.
    pub line: u64,
}

impl Source {
    /// `file:line` without any folder, which does not depend on where the application was built.
    pub fn short(&self) -> String {
        let file = self.file.rsplit('/').next().unwrap_or(&self.file);
        format!("{file}:{}", self.line)
    }
}

impl Source {
    /// Whether `file` is the name of this file, with as many of its folders as one likes.
    pub fn is_in(&self, file: &str) -> bool {
        let folder = self.folder.as_deref().unwrap_or_default();
        let path = format!("{folder}/{}", self.file);
        path.strip_suffix(file).is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
    }
}

impl fmt::Display for Source {
    /// For messages, without anything that a terminal obeys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.escape_debug();
        match &self.folder {
            Some(folder) if !self.file.starts_with('/') => {
                write!(f, "{}/{file}:{}", folder.escape_debug(), self.line)
            }
            _ => write!(f, "{file}:{}", self.line),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_any_name_can_be_shown_on_a_terminal() {
        let folder = Some("/src\n".into());
        let source = Source { folder, file: "\u{1b}[2J.c".into(), line: 5 };
        assert_eq!(source.to_string(), "/src\\n/\\u{1b}[2J.c:5");
    }

    #[test]
    fn a_file_is_named_with_as_many_folders_as_one_likes() {
        let source = Source { folder: Some("/src/app".into()), file: "lib/dict.c".into(), line: 5 };
        for file in ["dict.c", "lib/dict.c", "app/lib/dict.c", "/src/app/lib/dict.c"] {
            assert!(source.is_in(file), "{file}");
        }
        for file in ["ict.c", "b/dict.c", "dict", "other/dict.c", "/dict.c"] {
            assert!(!source.is_in(file), "{file}");
        }
    }
}
