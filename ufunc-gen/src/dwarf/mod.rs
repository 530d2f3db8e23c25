// SPDX-License-Identifier: MIT OR Apache-2.0
//! Debug information: the application's functions and types as its compiler described them.
//!
//! ```text
//! .debug_* ──sections──▶ units ──walk──▶ functions           (functions.rs)
//!                                  └───▶ types as BTF        (types.rs)
//!                                  └───▶ what a signature needs of a type (shape.rs)
//! ```
//!
//! Every offset and count in here is the input's and is not trusted: nothing recurses, references
//! are followed a bounded number of steps, and a bad offset is an error that names it.

pub mod definitions;
pub mod functions;
mod limits;
mod scope;
pub mod shape;
pub mod types;
mod walk;

use std::borrow::Cow;
use std::cell::OnceCell;
use std::fmt;

use anyhow::{Context as _, Result, bail, ensure};
use gimli::{
    AbbreviationsCacheStrategy, AttributeValue, DebugInfoOffset, DwarfSections, EndianSlice,
    LittleEndian, Section as _, SectionId, UnitRef,
};
use object::{Object as _, ObjectSection as _};

use crate::elf::Host;
use limits::Budget;

/// Debug information in memory.
pub type Reader<'a> = EndianSlice<'a, LittleEndian>;
/// One debugging information entry, read.
pub type Die<'a> = gimli::DebuggingInformationEntry<Reader<'a>>;
/// Where an entry is in `.debug_info`.
pub type DieRef = DebugInfoOffset<usize>;
/// The value of an entry's attribute.
type Value<'a> = AttributeValue<Reader<'a>>;

/// How far a chain of references (typedef of typedef …) is followed before it counts as endless.
const MAX_CHAIN: usize = 64;
/// Longest name that is read, in bytes. Mangled names can be long; this is far beyond what can be
/// lent, and keeps a file whose every entry has a huge name from filling the memory.
const MAX_NAME: usize = 1 << 13;
/// A compressed section that claims to grow by more than this is damaged or a trap.
const MAX_EXPANSION: u64 = 1024;

/// The debug sections of a file, decompressed where needed.
pub struct Sections<'a> {
    sections: DwarfSections<Cow<'a, [u8]>>,
    shown: String,
}

impl<'a> Sections<'a> {
    /// Finds the debug sections of `host`.
    ///
    /// Fails if there are none or if one cannot be decompressed.
    pub fn load(host: &Host<'a>) -> Result<Self> {
        let shown = host.path().display().to_string();
        let sections = DwarfSections::load(|id| section(host, id))
            .with_context(|| format!("failed to read the debug information of {shown}"))?;
        ensure!(
            has_section(host, SectionId::DebugInfo),
            "{shown} has no debug information (section .debug_info); build it with -g and do not strip it"
        );
        Ok(Sections { sections, shown })
    }
}

fn has_section(host: &Host<'_>, id: SectionId) -> bool {
    host.elf().section_by_name(id.name()).is_some_and(|section| section.size() > 0)
}

fn section<'a>(host: &Host<'a>, id: SectionId) -> Result<Cow<'a, [u8]>> {
    let Some(section) = host.elf().section_by_name(id.name()) else { return Ok(Cow::default()) };
    let context = || format!("failed to read section {}", id.name());
    let data = section.compressed_data().with_context(context)?;
    ensure!(
        data.uncompressed_size / MAX_EXPANSION <= host.len() as u64,
        "section {} claims {} bytes once decompressed, which is not credible",
        id.name(),
        data.uncompressed_size
    );
    data.decompress().with_context(context)
}

/// The debug information of an application.
pub struct DebugInfo<'a> {
    dwarf: gimli::Dwarf<Reader<'a>>,
    /// In order of their offsets.
    units: Vec<gimli::Unit<Reader<'a>>>,
    shown: &'a str,
    /// Found when the first declaration has to be followed.
    definitions: OnceCell<definitions::Definitions<'a>>,
    /// How many entries may still be read.
    budget: Budget,
}

/// Place of a unit in [`DebugInfo`]'s list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnitIndex(usize);

impl<'a> DebugInfo<'a> {
    /// Reads the headers of all units.
    pub fn new(sections: &'a Sections<'_>) -> Result<Self> {
        let mut dwarf = sections.sections.borrow(|section| Reader::new(section, LittleEndian));
        // Units may share their abbreviations.
        dwarf.populate_abbreviations_cache(AbbreviationsCacheStrategy::Duplicates);
        let shown = sections.shown.as_str();
        let context = || format!("failed to read the debug information of {shown}");
        limits::check_abbreviations(&dwarf).with_context(context)?;
        let line_budget = Budget::new(dwarf.debug_line.reader().len());
        let mut units = Vec::<gimli::Unit<_>>::new();
        let mut headers = dwarf.units();
        while let Some(header) = headers.next().with_context(|| {
            format!("failed to read the header of unit {} in .debug_info of {shown}", units.len())
        })? {
            let offset = header.offset().0;
            let unit = dwarf.unit(header).with_context(|| {
                format!("failed to read the unit at offset {offset:#x} of .debug_info of {shown}")
            })?;
            // Its table of files has been read, and is kept.
            if let Some(program) = &unit.line_program {
                let length = program.header().header_length();
                line_budget.spend(length, ".debug_line").with_context(context)?;
            }
            units.push(unit);
        }
        let budget = Budget::new(dwarf.debug_info.reader().len());
        Ok(DebugInfo { dwarf, units, shown, definitions: OnceCell::new(), budget })
    }

    /// All units, in order.
    pub fn units(&self) -> impl Iterator<Item = UnitIndex> + use<> {
        (0..self.units.len()).map(UnitIndex)
    }

    /// Number of units whose contents are elsewhere, in `.dwo` files.
    pub fn split_units(&self) -> usize {
        self.units.iter().filter(|unit| unit.dwo_id.is_some()).count()
    }

    fn unit(&self, index: UnitIndex) -> UnitRef<'_, Reader<'a>> {
        self.units[index.0].unit_ref(&self.dwarf)
    }

    /// The unit that contains `die`.
    fn unit_of(&self, die: DieRef) -> Result<UnitIndex> {
        let after = self.units.partition_point(|unit| start(unit) <= die.0);
        let index = after.checked_sub(1).with_context(|| self.bad_reference(die))?;
        let unit = &self.units[index];
        let length = unit.header.length_including_self();
        ensure!(die.0 - start(unit) < length, self.bad_reference(die));
        Ok(UnitIndex(index))
    }

    /// Reads the entry at `die`.
    fn die(&self, die: DieRef) -> Result<(UnitIndex, Die<'a>)> {
        let index = self.unit_of(die)?;
        let unit = &self.units[index.0];
        let offset = gimli::UnitOffset(die.0 - start(unit));
        let entry = unit.entry(offset).with_context(|| self.bad_reference(die))?;
        Ok((index, entry))
    }

    fn bad_reference(&self, die: DieRef) -> String {
        format!("bad entry at offset {:#x} of .debug_info of {}", die.0, self.shown)
    }

    /// Where `entry` of `unit` is in `.debug_info`.
    fn offset_of(&self, unit: UnitIndex, entry: &Die<'_>) -> DieRef {
        DebugInfoOffset(start(&self.units[unit.0]) + entry.offset.0)
    }

    /// The entry that `value`, an attribute of an entry of `unit`, refers to.
    ///
    /// Fails for references out of `.debug_info`: type units and supplementary files.
    fn target(&self, unit: UnitIndex, value: Value<'a>) -> Result<DieRef> {
        match value {
            AttributeValue::UnitRef(offset) => {
                let target = start(&self.units[unit.0]).checked_add(offset.0);
                target.map(DebugInfoOffset).context("a reference overflows")
            }
            AttributeValue::DebugInfoRef(offset) => Ok(offset),
            AttributeValue::DebugTypesRef(_) => bail!(
                "{} uses type units (-fdebug-types-section), which are not supported yet",
                self.shown
            ),
            AttributeValue::DebugInfoRefSup(_) => bail!(
                "{} refers to a supplementary debug file (dwz -m), which is not supported yet",
                self.shown
            ),
            other => bail!("{other:?} is not a reference to an entry"),
        }
    }

    /// The entry that attribute `name` refers to.
    fn reference(
        &self,
        unit: UnitIndex,
        entry: &Die<'a>,
        name: gimli::DwAt,
    ) -> Result<Option<DieRef>> {
        entry.attr_value(name).map(|value| self.target(unit, value)).transpose()
    }

    /// The string in attribute `name`; `None` if it is missing or not readable as one.
    fn string(&self, unit: UnitIndex, entry: &Die<'a>, name: gimli::DwAt) -> Option<Cow<'a, str>> {
        let value = entry.attr_value(name)?;
        let string = self.unit(unit).attr_string(value).ok()?.slice();
        Some(String::from_utf8_lossy(&string[..string.len().min(MAX_NAME)]))
    }

    /// The name of `entry`, which a definition may leave to the declaration that it completes.
    fn name(&self, unit: UnitIndex, entry: &Die<'a>) -> Option<Cow<'a, str>> {
        if let Some(name) = self.string(unit, entry, gimli::DW_AT_name) {
            return Some(name);
        }
        let declaration = self.reference(unit, entry, gimli::DW_AT_specification).ok()??;
        let (unit, declaration) = self.die(declaration).ok()?;
        self.string(unit, &declaration, gimli::DW_AT_name)
    }

    /// Where `entry` was declared.
    fn source(&self, unit: UnitIndex, entry: &Die<'a>) -> Option<Source> {
        let file = match entry.attr_value(gimli::DW_AT_decl_file)? {
            AttributeValue::FileIndex(index) => index,
            other => other.udata_value()?,
        };
        let line = entry.attr_value(gimli::DW_AT_decl_line)?.udata_value()?;
        let unit = self.unit(unit);
        let header = unit.line_program.as_ref()?.header();
        let file = header.file(file)?;
        let text = |value| {
            let string = unit.attr_string(value).ok()?;
            Some(String::from_utf8_lossy(string.slice()).into_owned())
        };
        let folder = file.directory(header).and_then(text).filter(|folder| !folder.is_empty());
        Some(Source { folder, file: text(file.path_name())?, line })
    }
}

/// Offset of a unit in `.debug_info`.
fn start(unit: &gimli::Unit<Reader<'_>>) -> usize {
    // Only `.debug_info`'s units are read, whose offsets are those of their headers.
    unit.header.offset().0
}

fn flag(entry: &Die<'_>, name: gimli::DwAt) -> bool {
    matches!(entry.attr_value(name), Some(AttributeValue::Flag(true)))
}

fn number(entry: &Die<'_>, name: gimli::DwAt) -> Option<u64> {
    entry.attr_value(name)?.udata_value()
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
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.folder {
            Some(folder) if !self.file.starts_with('/') => {
                write!(f, "{folder}/{}:{}", self.file, self.line)
            }
            _ => write!(f, "{}:{}", self.file, self.line),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
