// SPDX-License-Identifier: MIT OR Apache-2.0
//! What an entry says, as far as this crate wants to know.
//!
//! The same attribute comes in many forms: a string may stand in the entry, in `.debug_str`, in a
//! supplementary file or behind an index, a number in a dozen encodings. Here, and nowhere else,
//! they all become one.

use std::borrow::Cow;
use std::num::NonZeroU64;

use anyhow::{Result, bail};
use gimli::constants as dw;
use gimli::{Attribute, AttributeValue, DwAt, DwTag};

use super::unit::Unit;
use super::{DebugInfo, Reader};

/// Longest name that is read, in bytes. Mangled names can be long; this is far beyond what can be
/// lent, and keeps a file whose every entry has a huge name from filling the memory.
const MAX_NAME: usize = 1 << 13;

/// Where an entry is: a section of one of the files that make up the debug information, and an
/// offset in it. Ordered as the sections are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DieRef(NonZeroU64);

impl Default for DieRef {
    /// The beginning of the first section, where no entry is.
    fn default() -> Self {
        DieRef::new(0, 0)
    }
}

impl DieRef {
    const SECTION_SHIFT: u32 = 48;
    /// Behind all others.
    pub(crate) const MAX: Self = DieRef(NonZeroU64::MAX);
    /// Most sections that entries can be in.
    pub(super) const MAX_SECTIONS: usize = (1 << 16) - 2;
    /// Largest offset in a section.
    pub(super) const MAX_OFFSET: usize = (1 << Self::SECTION_SHIFT) - 1;

    /// The place `offset` in the section with the number `section`.
    pub(super) fn new(section: u16, offset: usize) -> Self {
        // The section's number plus one keeps it from being zero; an offset that large points
        // nowhere, as does the largest one.
        let offset = offset.min(Self::MAX_OFFSET) as u64;
        let packed = (u64::from(section) + 1) << Self::SECTION_SHIFT | offset;
        DieRef(NonZeroU64::new(packed).unwrap_or(NonZeroU64::MAX))
    }

    pub(super) fn section(self) -> u16 {
        ((self.0.get() >> Self::SECTION_SHIFT) - 1) as u16
    }

    /// Offset in the section, in bytes.
    pub fn offset(self) -> usize {
        (self.0.get() & Self::MAX_OFFSET as u64) as usize
    }
}

/// A string in a section, not read yet: bytes that a NUL ends, or the section's end.
#[derive(Clone, Copy, Debug, Default)]
pub struct RawName<'a>(&'a [u8]);

impl<'a> RawName<'a> {
    /// A string that ends with a NUL.
    pub(super) fn of(bytes: &'static [u8]) -> Self {
        RawName(bytes)
    }

    /// The string that `section` begins with.
    pub(super) fn at(section: &'a [u8]) -> Self {
        RawName(section)
    }

    /// The string's bytes.
    pub fn bytes(self) -> &'a [u8] {
        let limited = &self.0[..self.0.len().min(MAX_NAME)];
        match memchr::memchr(0, limited) {
            Some(end) => &limited[..end],
            None => limited,
        }
    }

    /// The string, with what is no UTF-8 replaced; `None` if there is none.
    pub fn text(self) -> Option<Cow<'a, str>> {
        if self.is_missing() {
            return None;
        }
        let bytes = self.bytes();
        // Nearly all is, which the plain test is quicker to see.
        Some(match str::from_utf8(bytes) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => String::from_utf8_lossy(bytes),
        })
    }

    /// The string as gimli has them; `None` if there is none.
    pub(super) fn reader(self, endian: gimli::RunTimeEndian) -> Option<Reader<'a>> {
        (!self.is_missing()).then(|| Reader::new(self.bytes(), endian))
    }

    /// Whether the entry has no such attribute.
    pub fn is_missing(self) -> bool {
        // Strings in sections have a NUL at least.
        self.0.is_empty()
    }

    /// Whether there are no letters.
    pub fn is_empty(self) -> bool {
        matches!(self.0.first(), None | Some(0))
    }

    /// Where the string begins: what is at one place is one string.
    pub fn address(self) -> usize {
        self.0.as_ptr().addr()
    }
}

/// Where code begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code<'a> {
    /// There is none.
    None,
    /// At an address.
    At(u64),
    /// At the address with that index in `.debug_addr`.
    Indexed(gimli::DebugAddrIndex<usize>),
    /// In several pieces; the value is that of `DW_AT_ranges`.
    Ranges(AttributeValue<Reader<'a>>),
}

/// Where a member is in its struct.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Location {
    /// At the beginning, or wherever the bits' offset says.
    Unsaid,
    /// So many bytes behind the beginning.
    Bytes(u64),
    /// It depends on the object: a virtual base class.
    Computed,
}

/// An entry's attributes.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "each field is the attribute of that name")]
pub struct Entry<'a> {
    /// Where it is.
    pub at: DieRef,
    pub tag: DwTag,
    /// Levels below where the walk began.
    pub depth: isize,
    pub has_children: bool,
    pub name: RawName<'a>,
    pub linkage_name: RawName<'a>,
    pub ty: Option<DieRef>,
    pub specification: Option<DieRef>,
    pub abstract_origin: Option<DieRef>,
    /// The type unit's type, of which this entry is a stand-in.
    pub signature: Option<DieRef>,
    /// `DW_AT_discr` of a variant part.
    pub discriminant: Option<DieRef>,
    /// Offset in the unit.
    pub sibling: Option<usize>,
    pub byte_size: Option<u64>,
    pub bit_size: Option<u64>,
    /// Of DWARF 2 and 3: counts from the most significant bit of the storage unit.
    pub bit_offset: Option<u64>,
    pub data_bit_offset: Option<u64>,
    pub location: Location,
    pub encoding: Option<gimli::DwAte>,
    /// Number of elements of an array's dimension, where it is known.
    pub count: Option<u64>,
    pub lower_bound: Option<i64>,
    /// One more than the upper bound.
    pub end: Option<i64>,
    pub const_value: Option<i128>,
    pub code: Code<'a>,
    pub decl_file: u64,
    pub decl_line: u64,
    pub declaration: bool,
    pub external: bool,
    pub prototyped: bool,
    pub artificial: bool,
    /// Whether it is a method that has an object.
    pub object_pointer: bool,
    /// Whether it is a virtual function or base class.
    pub is_virtual: bool,
    /// `DW_CC_nocall`
    pub altered: bool,
}

impl<'a> Entry<'a> {
    pub(super) fn empty(at: DieRef) -> Self {
        Entry {
            at,
            tag: dw::DW_TAG_null,
            depth: 0,
            has_children: false,
            name: RawName(&[]),
            linkage_name: RawName(&[]),
            ty: None,
            specification: None,
            abstract_origin: None,
            signature: None,
            discriminant: None,
            sibling: None,
            byte_size: None,
            bit_size: None,
            bit_offset: None,
            data_bit_offset: None,
            location: Location::Unsaid,
            encoding: None,
            count: None,
            lower_bound: None,
            end: None,
            const_value: None,
            code: Code::None,
            decl_file: 0,
            decl_line: 0,
            declaration: false,
            external: false,
            prototyped: false,
            artificial: false,
            object_pointer: false,
            is_virtual: false,
            altered: false,
        }
    }

    /// What is left to do when all attributes are read.
    pub(super) fn finish(&mut self, unit: &Unit<'_>) {
        if let (Some(end), None) = (self.end, self.count) {
            let first = self.lower_bound.unwrap_or(unit.compiler.lower_bound);
            self.count = Some(end.saturating_sub(first).max(0) as u64);
        }
    }

    #[inline]
    pub(super) fn set_name(&mut self, linkage: bool, string: &'a [u8]) {
        match linkage {
            true => self.linkage_name = RawName(string),
            false => self.name = RawName(string),
        }
    }

    /// Sets a reference to `place`, which is `offset` bytes behind the unit's beginning.
    #[inline]
    pub(super) fn set_reference(&mut self, reference: Reference, place: DieRef, offset: usize) {
        match reference {
            Reference::Type => self.ty = Some(place),
            Reference::Specification => self.specification = Some(place),
            Reference::AbstractOrigin => self.abstract_origin = Some(place),
            Reference::Discriminant => self.discriminant = Some(place),
            Reference::Sibling => self.sibling = Some(offset),
        }
    }

    #[inline]
    pub(super) fn set_number(&mut self, field: Field, number: u64) {
        match field {
            Field::ByteSize => self.byte_size = Some(number),
            Field::BitSize => self.bit_size = Some(number),
            Field::BitOffset => self.bit_offset = Some(number),
            Field::DataBitOffset => self.data_bit_offset = Some(number),
            Field::Location => self.location = Location::Bytes(number),
            Field::Encoding => self.encoding = Some(gimli::DwAte(number as u8)),
            Field::ConstValue => self.const_value = Some(number.into()),
            Field::DeclFile => self.decl_file = number,
            Field::DeclLine => self.decl_line = number,
            Field::Declaration => self.declaration = number != 0,
            Field::External => self.external = number != 0,
            Field::Prototyped => self.prototyped = number != 0,
            Field::Artificial => self.artificial = number != 0,
        }
    }

    /// Takes note of an attribute in whatever form.
    pub(super) fn take(
        &mut self,
        debug: &DebugInfo<'a>,
        unit: &Unit<'a>,
        attribute: &Attribute<Reader<'a>>,
    ) -> Result<()> {
        let value = attribute.raw_value();
        match attribute.name() {
            dw::DW_AT_name => self.name = string(unit, value),
            dw::DW_AT_linkage_name | dw::DW_AT_MIPS_linkage_name => {
                self.linkage_name = string(unit, value);
            }
            dw::DW_AT_type => self.ty = Some(reference(debug, unit, value)?),
            dw::DW_AT_specification => self.specification = Some(reference(debug, unit, value)?),
            dw::DW_AT_abstract_origin => {
                self.abstract_origin = Some(reference(debug, unit, value)?);
            }
            dw::DW_AT_signature => self.signature = Some(reference(debug, unit, value)?),
            dw::DW_AT_discr => self.discriminant = Some(reference(debug, unit, value)?),
            dw::DW_AT_sibling => {
                if let AttributeValue::UnitRef(offset) = value {
                    self.sibling = Some(offset.0);
                }
            }
            dw::DW_AT_byte_size => self.byte_size = number(value),
            dw::DW_AT_bit_size => self.bit_size = number(value),
            // Negative if the field begins before its storage unit, as in packed structs.
            dw::DW_AT_bit_offset => self.bit_offset = constant(value).map(|value| value as u64),
            dw::DW_AT_data_bit_offset => self.data_bit_offset = number(value),
            dw::DW_AT_data_member_location => self.location = location(unit, value)?,
            dw::DW_AT_encoding => {
                self.encoding = number(value).map(|value| gimli::DwAte(value as u8));
            }
            dw::DW_AT_count => self.count = number(value),
            dw::DW_AT_upper_bound => self.end = end(value),
            dw::DW_AT_lower_bound => {
                self.lower_bound = constant(value).map(|value| value as i64);
            }
            dw::DW_AT_const_value | dw::DW_AT_discr_value => self.const_value = constant(value),
            dw::DW_AT_low_pc => {
                self.code = match value {
                    AttributeValue::Addr(address) => Code::At(address),
                    AttributeValue::DebugAddrIndex(index) => Code::Indexed(index),
                    _ => self.code,
                }
            }
            dw::DW_AT_ranges if self.code == Code::None => {
                self.code = Code::Ranges(attribute.value());
            }
            dw::DW_AT_decl_file => self.decl_file = number(value).unwrap_or_default(),
            dw::DW_AT_decl_line => self.decl_line = number(value).unwrap_or_default(),
            dw::DW_AT_declaration => self.declaration = is_set(value),
            dw::DW_AT_external => self.external = is_set(value),
            dw::DW_AT_prototyped => self.prototyped = is_set(value),
            dw::DW_AT_artificial => self.artificial = is_set(value),
            dw::DW_AT_object_pointer => self.object_pointer = true,
            dw::DW_AT_virtuality => self.is_virtual = number(value).is_some_and(|kind| kind != 0),
            dw::DW_AT_calling_convention => {
                self.altered = number(value) == Some(dw::DW_CC_nocall.0.into());
            }
            _ => {}
        }
        Ok(())
    }

    /// The entry that this one completes: its abstract instance or its declaration.
    pub fn origin(&self) -> Option<DieRef> {
        self.abstract_origin.or(self.specification)
    }
}

/// A field of an [`Entry`] that is a reference.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reference {
    Type,
    Specification,
    AbstractOrigin,
    Discriminant,
    Sibling,
}

impl Reference {
    pub(super) fn of(name: DwAt) -> Option<Self> {
        Some(match name {
            dw::DW_AT_type => Reference::Type,
            dw::DW_AT_specification => Reference::Specification,
            dw::DW_AT_abstract_origin => Reference::AbstractOrigin,
            dw::DW_AT_discr => Reference::Discriminant,
            dw::DW_AT_sibling => Reference::Sibling,
            _ => return None,
        })
    }
}

/// A field of an [`Entry`] that is a number or a flag, and nothing else whatever its form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    ByteSize,
    BitSize,
    BitOffset,
    DataBitOffset,
    Location,
    Encoding,
    ConstValue,
    DeclFile,
    DeclLine,
    Declaration,
    External,
    Prototyped,
    Artificial,
}

impl Field {
    /// Whether it says nothing of a type, or of a function's parameter.
    pub(super) fn is_of_source(self) -> bool {
        matches!(self, Field::DeclFile | Field::DeclLine | Field::Prototyped | Field::Artificial)
    }

    pub(super) fn of(name: DwAt) -> Option<Self> {
        Some(match name {
            dw::DW_AT_byte_size => Field::ByteSize,
            dw::DW_AT_bit_size => Field::BitSize,
            dw::DW_AT_bit_offset => Field::BitOffset,
            dw::DW_AT_data_bit_offset => Field::DataBitOffset,
            dw::DW_AT_data_member_location => Field::Location,
            dw::DW_AT_encoding => Field::Encoding,
            dw::DW_AT_const_value | dw::DW_AT_discr_value => Field::ConstValue,
            dw::DW_AT_decl_file => Field::DeclFile,
            dw::DW_AT_decl_line => Field::DeclLine,
            dw::DW_AT_declaration => Field::Declaration,
            dw::DW_AT_external => Field::External,
            dw::DW_AT_prototyped => Field::Prototyped,
            dw::DW_AT_artificial => Field::Artificial,
            _ => return None,
        })
    }
}

/// Which of its attributes an [`Entry`] has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Attributes {
    /// Those that say what a type is, and what a function is called and takes.
    Types,
    /// And those that say where it stands in the source, and how it may be called.
    All,
}

impl Attributes {
    /// Whether the attribute `name` is one of them.
    pub(super) fn has(self, name: DwAt) -> bool {
        is_of_type(name) || self == Attributes::All && is_of_source(name)
    }
}

fn is_of_source(name: DwAt) -> bool {
    matches!(
        name,
        dw::DW_AT_decl_file
            | dw::DW_AT_decl_line
            | dw::DW_AT_prototyped
            | dw::DW_AT_artificial
            | dw::DW_AT_object_pointer
            | dw::DW_AT_calling_convention
    )
}

fn is_of_type(name: DwAt) -> bool {
    matches!(
        name,
        dw::DW_AT_name
            | dw::DW_AT_linkage_name
            | dw::DW_AT_MIPS_linkage_name
            | dw::DW_AT_type
            | dw::DW_AT_specification
            | dw::DW_AT_abstract_origin
            | dw::DW_AT_signature
            | dw::DW_AT_discr
            | dw::DW_AT_sibling
            | dw::DW_AT_byte_size
            | dw::DW_AT_bit_size
            | dw::DW_AT_bit_offset
            | dw::DW_AT_data_bit_offset
            | dw::DW_AT_data_member_location
            | dw::DW_AT_encoding
            | dw::DW_AT_count
            | dw::DW_AT_upper_bound
            | dw::DW_AT_lower_bound
            | dw::DW_AT_const_value
            | dw::DW_AT_discr_value
            | dw::DW_AT_low_pc
            | dw::DW_AT_ranges
            | dw::DW_AT_declaration
            | dw::DW_AT_external
            | dw::DW_AT_virtuality
    )
}

/// The string that `value` stands for; none if it leads out of its section.
pub(super) fn string<'a>(unit: &Unit<'a>, value: AttributeValue<Reader<'a>>) -> RawName<'a> {
    let strings = &unit.strings;
    let (section, offset) = match value {
        AttributeValue::String(string) => {
            // Without its NUL; an empty one must not look like none.
            return RawName(if string.slice().is_empty() { b"\0" } else { string.slice() });
        }
        AttributeValue::DebugStrRef(offset) => (strings.str, offset.0),
        AttributeValue::DebugLineStrRef(offset) => (strings.line_str, offset.0),
        AttributeValue::DebugStrRefSup(offset) => (strings.supplementary, offset.0),
        AttributeValue::DebugStrOffsetsIndex(index) => match strings.offset(index) {
            Some(offset) => (strings.str, offset),
            None => return RawName::default(),
        },
        _ => return RawName::default(),
    };
    RawName(section.get(offset..).unwrap_or_default())
}

/// The entry that `value`, an attribute of an entry of `unit`, refers to.
fn reference<'a>(
    debug: &DebugInfo<'a>,
    unit: &Unit<'a>,
    value: AttributeValue<Reader<'a>>,
) -> Result<DieRef> {
    match value {
        AttributeValue::UnitRef(offset) => {
            Ok(DieRef::new(unit.section, unit.start.saturating_add(offset.0)))
        }
        AttributeValue::DebugInfoRef(offset) => Ok(DieRef::new(unit.info_section, offset.0)),
        AttributeValue::DebugInfoRefSup(offset) => match unit.supplementary {
            Some(section) => Ok(DieRef::new(section, offset.0)),
            None => bail!("it refers to a supplementary debug file, which was not found"),
        },
        AttributeValue::DebugTypesRef(signature) => match debug.type_with(unit.part, signature) {
            // Who wants all types can do without one.
            Err(_) if unit.wanted == Attributes::Types => Ok(DieRef::MAX),
            found => found,
        },
        _ => bail!("a reference has a form of unknown meaning"),
    }
}

fn number(value: AttributeValue<Reader<'_>>) -> Option<u64> {
    value.udata_value()
}

fn is_set(value: AttributeValue<Reader<'_>>) -> bool {
    matches!(value, AttributeValue::Flag(true))
}

fn constant(value: AttributeValue<Reader<'_>>) -> Option<i128> {
    Some(match value {
        AttributeValue::Sdata(value) => value.into(),
        AttributeValue::Udata(value) => value.into(),
        // DW_FORM_data*: DWARF leaves the sign to the reader; producers use them for both, and
        // choose the narrowest that holds an unsigned value.
        AttributeValue::Data1(value) => value.into(),
        AttributeValue::Data2(value) => value.into(),
        AttributeValue::Data4(value) => value.into(),
        AttributeValue::Data8(value) => value.into(),
        AttributeValue::Data16(value) => value as i128,
        // rustc's discriminants of 128 bits.
        AttributeValue::Block(block) => {
            let mut bytes = [0; 16];
            let found = block.slice().get(..16).unwrap_or(block.slice());
            bytes.get_mut(..found.len())?.copy_from_slice(found);
            match gimli::Reader::endian(&block) {
                gimli::RunTimeEndian::Little => i128::from_le_bytes(bytes),
                gimli::RunTimeEndian::Big => i128::from_be_bytes(bytes) >> (8 * (16 - found.len())),
            }
        }
        _ => return None,
    })
}

/// The index after the last one, which is `value`; `None` if it is computed (an array of variable
/// length).
fn end(value: AttributeValue<Reader<'_>>) -> Option<i64> {
    // `char x[0]` has the upper bound -1 with some compilers, in whatever width.
    let bound = match value {
        AttributeValue::Sdata(bound) => bound,
        AttributeValue::Data4(u32::MAX) => -1,
        bound => bound.udata_value()? as i64,
    };
    Some(bound.wrapping_add(1))
}

/// `DW_AT_data_member_location`: a number, or in DWARF 2 an expression that adds one.
fn location<'a>(unit: &Unit<'a>, value: AttributeValue<Reader<'a>>) -> Result<Location> {
    let expression = match value {
        AttributeValue::Exprloc(expression) => expression,
        AttributeValue::Block(block) => gimli::Expression(block),
        value => {
            return Ok(value.udata_value().map_or(Location::Computed, Location::Bytes));
        }
    };
    let mut operations = expression.operations(unit.header.encoding());
    let first = operations.next()?;
    Ok(match (first, operations.next()?) {
        (Some(gimli::Operation::PlusConstant { value }), None) => Location::Bytes(value),
        (Some(gimli::Operation::UnsignedConstant { value }), None) => Location::Bytes(value),
        _ => Location::Computed,
    })
}
