// SPDX-License-Identifier: MIT OR Apache-2.0
//! Units: which there are, and what their entries need to be read.

use std::sync::{Arc, OnceLock};

use anyhow::{Context as _, Result};
use gimli::{
    AttributeValue, DebugAddrBase, DebugLineOffset, DebugRngListsBase, DebugStrOffsetsBase,
    DebugStrOffsetsIndex, DwLang, DwarfFileType, DwoId, LineProgramHeader, RunTimeEndian,
    Section as _, UnitHeader, UnitSectionOffset, UnitType,
};

use super::abbreviations::{Abbreviations, Span, glance};
use super::entry::{self, Attributes, DieRef, RawName};
use super::plan::{Cursor, Plans, SharedPlans};
use super::{DebugInfo, Reader};

/// Place of a unit in the debug information's list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnitIndex(pub(super) usize);

/// Where a unit is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct UnitPlace {
    section: u16,
    start: usize,
    len: usize,
}

impl UnitPlace {
    /// How many bytes behind the unit's beginning `die` is; `None` if it is in another unit, or so
    /// far behind that the number is too large.
    pub(crate) fn offset_of(self, die: DieRef) -> Option<u32> {
        let offset = die.offset().checked_sub(self.start)?;
        let is_inside = die.section() == self.section && offset < self.len;
        if is_inside { u32::try_from(offset).ok() } else { None }
    }

    /// Whether the place `offset` bytes behind its beginning is in the unit.
    #[inline]
    pub(crate) fn has(self, offset: u32) -> bool {
        (offset as usize) < self.len
    }

    /// The place `offset` bytes behind the unit's beginning.
    pub(crate) fn die(self, offset: u32) -> DieRef {
        DieRef::new(self.section, self.start.saturating_add(offset as usize))
    }
}

/// What a unit's header says.
#[derive(Clone, Debug)]
pub(super) struct UnitHead<'a> {
    /// Place of its file in the debug information's list.
    pub(super) part: usize,
    /// The section that it is in.
    pub(super) section: u16,
    /// Where it begins there.
    pub(super) start: usize,
    pub(super) header: UnitHeader<Reader<'a>>,
}

impl UnitHead<'_> {
    /// Length in bytes, with its header.
    pub(super) fn len(&self) -> usize {
        self.header.length_including_self()
    }

    /// Signature and place of the type, if the unit has just one.
    pub(super) fn type_signature(&self) -> Option<(u64, usize)> {
        match self.header.type_() {
            UnitType::Type { type_signature, type_offset }
            | UnitType::SplitType { type_signature, type_offset } => {
                Some((type_signature.0, self.start.checked_add(type_offset.0)?))
            }
            _ => None,
        }
    }
}

/// Where a header begins in its section.
pub(super) fn start_of(header: &UnitHeader<Reader<'_>>) -> usize {
    let UnitSectionOffset(offset) = header.offset();
    offset
}

/// The string sections that a unit's entries refer to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Strings<'a> {
    pub(super) str: &'a [u8],
    pub(super) line_str: &'a [u8],
    /// `.debug_str` of the supplementary file.
    pub(super) supplementary: &'a [u8],
    offsets: gimli::DebugStrOffsets<Reader<'a>>,
    base: DebugStrOffsetsBase<usize>,
    format: gimli::Format,
}

impl<'a> Strings<'a> {
    /// What begins at `offset` of `.debug_str`.
    #[inline]
    pub(super) fn at(&self, offset: usize) -> &'a [u8] {
        self.str.get(offset..).unwrap_or_default()
    }

    /// Place in `.debug_str` of the string with that index.
    pub(super) fn offset(&self, index: DebugStrOffsetsIndex<usize>) -> Option<usize> {
        let offset = self.offsets.get_str_offset(self.format, self.base, index);
        offset.ok().map(|offset| offset.0)
    }
}

/// What made a unit.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Compiler {
    /// Whether the source is in C, where a function may be declared without a prototype.
    pub(super) c: bool,
    /// Whether LLVM compiled it.
    pub(super) llvm: bool,
    /// Index of an array's first element, if nothing else is said of it.
    pub(super) lower_bound: i64,
    /// Whether an array's first index is the one that changes most from one element to the next.
    pub(super) column_major: bool,
}

/// A unit whose entries can be read.
#[derive(Clone, Debug)]
pub(crate) struct Unit<'a> {
    pub(super) index: UnitIndex,
    /// Place of its file in the debug information's list.
    pub(super) part: usize,
    pub(super) section: u16,
    /// `.debug_info` of its file, which may be another section than its own.
    pub(super) info_section: u16,
    /// `.debug_info` of the supplementary file.
    pub(super) supplementary: Option<u16>,
    pub(super) start: usize,
    pub(super) header: UnitHeader<Reader<'a>>,
    /// All of it, with its header.
    pub(super) bytes: &'a [u8],
    pub(super) abbreviations: Abbreviations<'a>,
    /// What is read of its entries.
    pub(super) wanted: Attributes,
    pub(super) plans: Plans,
    /// Those of other units, too.
    pub(super) shared: Arc<SharedPlans<'a>>,
    pub(super) strings: Strings<'a>,
    pub(super) compiler: Compiler,
    pub(super) name: RawName<'a>,
    /// The folder that it was compiled in.
    pub(super) folder: RawName<'a>,
    /// What contents and skeleton have in common, if it is one of those.
    pub(super) dwo_id: Option<DwoId>,
    /// Of a skeleton: the file with its contents.
    pub(super) dwo_name: RawName<'a>,
    /// Whether it is the contents of a skeleton.
    pub(super) in_dwo: bool,
    pub(super) bases: Bases,
    pub(super) line_table: Option<DebugLineOffset>,
    /// What the line table says of files, once that was needed.
    pub(super) line_header: OnceLock<Option<LineProgramHeader<Reader<'a>>>>,
    /// Places of the entries right below the root, once they were needed.
    pub(super) top: OnceLock<Vec<DieRef>>,
    /// Places of types that are within something that has a name, with that.
    pub(super) scoped: OnceLock<Vec<(DieRef, Arc<str>)>>,
}

/// Where the parts of other sections begin that belong to a unit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bases {
    pub(super) addresses: DebugAddrBase<usize>,
    pub(super) ranges: DebugRngListsBase<usize>,
    pub(super) low_pc: u64,
}

impl<'a> Unit<'a> {
    /// Reads the abbreviations and the root entry of the unit `index`, of whose entries `wanted` will
    /// be read by plans that are `shared`.
    pub(super) fn open(
        debug: &DebugInfo<'a>,
        index: UnitIndex,
        wanted: Attributes,
        shared: &Arc<SharedPlans<'a>>,
    ) -> Result<Self> {
        let head = &debug.units[index.0];
        let part = &debug.parts[head.part];
        let supplementary = part.supplementary.map(|sup| debug.parts[sup].info_section);
        let open = || -> Result<Self> {
            let table = head.header.debug_abbrev_offset().0;
            let spans = part.spans.binary_search_by_key(&table, |&(table, _)| table);
            let spans = spans.ok().map(|place| &part.spans[place].1);
            let mut unit = Self::new(&part.dwarf, &head.header, spans)?;
            unit.shared = Arc::clone(shared);
            unit.index = index;
            unit.wanted = wanted;
            unit.part = head.part;
            unit.section = head.section;
            unit.info_section = part.info_section;
            unit.supplementary = supplementary;
            unit.read_root(&part.dwarf)?;
            unit.in_dwo = part.dwarf.file_type == DwarfFileType::Dwo;
            // What is in a .dwo leaves these to its skeleton.
            if let Some(bases) = unit.dwo_id.and_then(|id| debug.skeletons.get(&id.0))
                && unit.in_dwo
            {
                let own = unit.bases.ranges;
                unit.bases = *bases;
                if unit.header.version() >= 5 {
                    unit.bases.ranges = own;
                }
            }
            Ok(unit)
        };
        open().with_context(|| {
            let section = debug.section_name(head.section);
            format!("failed to read the unit at offset {:#x} of {section}", head.start)
        })
    }

    /// A unit of `dwarf` whose root was not read yet.
    fn new(
        dwarf: &gimli::Dwarf<Reader<'a>>,
        header: &UnitHeader<Reader<'a>>,
        spans: Option<&Arc<[Span]>>,
    ) -> Result<Self> {
        let encoding = header.encoding();
        let strings = Strings {
            str: dwarf.debug_str.reader().slice(),
            line_str: dwarf.debug_line_str.reader().slice(),
            supplementary: dwarf.sup().map_or(&[], |sup| sup.debug_str.reader().slice()),
            offsets: dwarf.debug_str_offsets,
            base: DebugStrOffsetsBase::default_for_encoding_and_file(encoding, dwarf.file_type),
            format: encoding.format,
        };
        let section = match header.section() {
            gimli::SectionId::DebugTypes => dwarf.debug_types.reader(),
            _ => dwarf.debug_info.reader(),
        };
        let start = start_of(header);
        let end = start.saturating_add(header.length_including_self());
        let bytes = section.slice().get(start..end);
        let abbreviations = Abbreviations::new(dwarf, header, spans)?;
        Ok(Unit {
            index: UnitIndex::default(),
            part: 0,
            section: 0,
            info_section: 0,
            supplementary: None,
            start,
            header: *header,
            // Its length was checked when its header was read.
            bytes: bytes.unwrap_or_default(),
            wanted: Attributes::All,
            plans: Plans::new(&abbreviations),
            shared: Arc::default(),
            abbreviations,
            strings,
            compiler: Compiler::default(),
            name: RawName::default(),
            folder: RawName::default(),
            dwo_id: None,
            dwo_name: RawName::default(),
            in_dwo: false,
            bases: Bases {
                addresses: DebugAddrBase(0),
                ranges: DebugRngListsBase::default_for_encoding_and_file(encoding, dwarf.file_type),
                low_pc: 0,
            },
            line_table: None,
            line_header: OnceLock::new(),
            top: OnceLock::new(),
            scoped: OnceLock::new(),
        })
    }

    /// The skeleton at the unit that `header` begins, if it is one.
    pub(super) fn skeleton(
        dwarf: &gimli::Dwarf<Reader<'a>>,
        header: &UnitHeader<Reader<'a>>,
    ) -> Result<Option<Self>> {
        let table = dwarf.debug_abbrev.reader().slice().get(header.debug_abbrev_offset().0..);
        let spans = table.and_then(glance).map(|glance| glance.spans);
        let mut unit = Self::new(dwarf, header, spans.as_ref())?;
        unit.read_root(dwarf)?;
        Ok(unit.is_skeleton().then_some(unit))
    }

    /// Whether its contents are elsewhere.
    pub(super) fn is_skeleton(&self) -> bool {
        self.dwo_id.is_some() && !self.dwo_name.is_missing() && !self.in_dwo
    }

    /// Whether its source is in C.
    pub(crate) fn is_c(&self) -> bool {
        self.compiler.c
    }

    /// Which unit it is.
    pub(crate) fn index(&self) -> UnitIndex {
        self.index
    }

    /// Where it is.
    pub(crate) fn place(&self) -> UnitPlace {
        UnitPlace { section: self.section, start: self.start, len: self.len() }
    }

    /// The place `offset` bytes behind its beginning.
    #[inline]
    pub(crate) fn die(&self, offset: u32) -> DieRef {
        DieRef::new(self.section, self.start.saturating_add(offset as usize))
    }

    /// Length in bytes, with its header.
    pub(crate) fn len(&self) -> usize {
        self.header.length_including_self()
    }

    /// Byte order of the application.
    pub(super) fn endian(&self) -> RunTimeEndian {
        gimli::Reader::endian(self.strings.offsets.reader())
    }

    fn read_root(&mut self, dwarf: &gimli::Dwarf<Reader<'a>>) -> Result<()> {
        let mut cursor = Cursor::new(self.bytes, self.header.root_offset().0, self.endian());
        let code = cursor.leb()?;
        if code == 0 {
            return Ok(());
        }
        let root = self.abbreviations.get(code);
        let root = root.with_context(|| format!("there is no abbreviation {code}"))?;
        let mut raw = cursor.raw(self);
        let (mut producer, mut language, mut low_pc) = (None, None, None);
        let (mut dwo_name, mut folder, mut name) = (None, None, None);
        self.dwo_id = match self.header.type_() {
            UnitType::Skeleton(id) | UnitType::SplitCompilation(id) => Some(id),
            _ => None,
        };
        for &spec in &root.attributes {
            let attribute = raw.read_attribute(spec)?;
            match (attribute.name(), attribute.value()) {
                (gimli::DW_AT_producer, value) => producer = Some(value),
                (gimli::DW_AT_comp_dir, value) => folder = Some(value),
                (gimli::DW_AT_name, value) => name = Some(value),
                (gimli::DW_AT_dwo_name | gimli::DW_AT_GNU_dwo_name, value) => {
                    dwo_name = Some(value);
                }
                (gimli::DW_AT_GNU_dwo_id, AttributeValue::DwoId(id)) => self.dwo_id = Some(id),
                (gimli::DW_AT_language, AttributeValue::Language(found)) => language = Some(found),
                (gimli::DW_AT_low_pc, value) => low_pc = Some(value),
                (gimli::DW_AT_str_offsets_base, AttributeValue::DebugStrOffsetsBase(base)) => {
                    self.strings.base = base;
                }
                (
                    gimli::DW_AT_addr_base | gimli::DW_AT_GNU_addr_base,
                    AttributeValue::DebugAddrBase(base),
                ) => self.bases.addresses = base,
                (
                    gimli::DW_AT_rnglists_base | gimli::DW_AT_GNU_ranges_base,
                    AttributeValue::DebugRngListsBase(base),
                ) => self.bases.ranges = base,
                (gimli::DW_AT_stmt_list, AttributeValue::DebugLineRef(offset)) => {
                    self.line_table = Some(offset);
                }
                _ => {}
            }
        }
        // Their forms may need what was among the others.
        let text = |value: Option<_>| value.map(|value| entry::string(self, value));
        let (dwo_name, folder, name) = (text(dwo_name), text(folder), text(name));
        let producer = text(producer).and_then(RawName::text).unwrap_or_default();
        self.compiler = Compiler {
            c: language.is_some_and(|language| C.contains(&language)),
            llvm: LLVM.iter().any(|name| producer.contains(name)),
            lower_bound: language.and_then(DwLang::default_lower_bound).unwrap_or(0) as i64,
            column_major: language.is_some_and(|language| FORTRAN.contains(&language)),
        };
        self.dwo_name = dwo_name.unwrap_or_default();
        self.folder = folder.unwrap_or_default();
        self.name = name.unwrap_or_default();
        self.bases.low_pc = match low_pc {
            Some(AttributeValue::Addr(address)) => address,
            Some(AttributeValue::DebugAddrIndex(index)) => {
                let (size, base) = (self.header.address_size(), self.bases.addresses);
                dwarf.debug_addr.get_address(size, base, index).unwrap_or(0)
            }
            _ => 0,
        };
        Ok(())
    }
}

/// C up to the standard that did away with declarations without a prototype.
const C: [DwLang; 5] = [
    gimli::DW_LANG_C,
    gimli::DW_LANG_C89,
    gimli::DW_LANG_C99,
    gimli::DW_LANG_C11,
    gimli::DW_LANG_C17,
];

const FORTRAN: [DwLang; 5] = [
    gimli::DW_LANG_Fortran77,
    gimli::DW_LANG_Fortran90,
    gimli::DW_LANG_Fortran95,
    gimli::DW_LANG_Fortran03,
    gimli::DW_LANG_Fortran08,
];

/// What compilers on top of LLVM call themselves.
const LLVM: [&str; 3] = ["clang", "LLVM", "rustc"];
