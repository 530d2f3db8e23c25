// SPDX-License-Identifier: MIT OR Apache-2.0
//! One type as DWARF says it, in the words of BTF.
//!
//! | DWARF | BTF |
//! | --- | --- |
//! | base type | INT; FLOAT for floating point of 2, 4, 8, 12 or 16 bytes; otherwise bytes (`_Complex`, `_BitInt(200)`, `()`) |
//! | pointer | PTR |
//! | reference, rvalue reference | PTR |
//! | const, volatile, restrict | the same |
//! | atomic, packed, immutable, shared, subrange | what they qualify |
//! | struct, class, union | STRUCT, UNION; a declaration becomes its definition, or FWD if there is none |
//! | base class | anonymous member, so that its fields are found through the derived class |
//! | virtual base class | left out: each object says where it is |
//! | static member | left out: it is a variable |
//! | member, bit-fields of DWARF 2 to 5 | member |
//! | member at a computed place (Ada) | left out: each object says where it is |
//! | variant part (an enum of Rust) | UNION of the variants, and of an anonymous STRUCT with the tag `__tag` |
//! | enumeration | ENUM; ENUM64 where a value needs more than 32 bits |
//! | array, vector | ARRAY, one for each dimension, Fortran's the other way round; of unknown length: 0 elements |
//! | typedef, template alias | TYPEDEF |
//! | subroutine type | FUNC_PROTO; one that has a size (Go's values of functions): PTR to it |
//! | pointer to member | bytes: one word for data, two for a method |
//! | unspecified type (`nullptr_t`) | PTR to `void` |
//! | whatever else | bytes |
//! | a reference to nothing, or to what is no type | `void`; a member of that is left out |
//! | function with code | FUNC by its symbol; one without a name is left out |
//! | variable | left out, unless it is asked for: then VAR, in the DATASEC of its section |
//! | variable that is only declared | left out: it is in another file |
//! | variable without a place | left out: the compiler, or the linker, has removed it |
//! | variable whose place changes | left out |
//! | variable without a name (a string), without a size, or in a section of 4 GiB | left out |
//! | variable at the place of another one | left out: a DATASEC tells of each byte once |
//!
//! "Bytes" are a STRUCT of that name and size without members. What a template was given is in the
//! name of what became of it.

use std::cell::Cell;

use anyhow::Result;
use gimli::DwTag;
use gimli::constants as dw;

use super::entry::{DieRef, Entry, Location, RawName};
use super::unit::Unit;
use super::walk::{Said, Walk};
use super::{DebugInfo, MAX_CHAIN};
use crate::btf::{IntEncoding, MAX_BITFIELD_OFFSET, MAX_VLEN};

/// Name of the member that tells an enum's variants apart.
const TAG: &[u8] = b"__tag\0";

/// What a type is, to BTF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the kind of that name")]
pub enum Kind {
    Int(IntEncoding),
    Float,
    Ptr,
    Const,
    Volatile,
    Restrict,
    Typedef,
    Struct,
    Union,
    Enum,
    /// The parts are the dimensions, the outermost first.
    Array,
    FuncProto,
    /// A pointer to such.
    FuncPtr,
    /// Its target.
    Same,
    /// A struct, or a union, that is only declared.
    Declared {
        union: bool,
    },
    DeclaredEnum,
    /// A struct without members.
    Bytes,
}

impl Kind {
    /// Whether types of the kind have neither name nor size in BTF.
    pub fn is_nameless(self) -> bool {
        use Kind::{Array, Const, FuncProto, FuncPtr, Ptr, Restrict, Volatile};
        matches!(self, Ptr | Const | Volatile | Restrict | Array | FuncProto | FuncPtr)
    }
}

/// Something of DWARF that has no counterpart in BTF, and is expressed in another way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "described by `Rule::text`")]
pub enum Rule {
    Reference,
    Qualifier,
    Subrange,
    BaseClass,
    VirtualBase,
    StaticMember,
    Variants,
    MemberPointer,
    Unspecified,
    OddBase,
    OddTag,
    ForeignName,
    Refused,
    ComputedMember,
    Variable,
    NamelessFunction,
    DeclaredVariable,
    RemovedVariable,
    MovingVariable,
    UnfitVariable,
    SharedVariable,
    FunctionValue,
    Missing,
}

impl Rule {
    /// All of them.
    pub const ALL: [Rule; 23] = [
        Rule::Reference,
        Rule::Qualifier,
        Rule::Subrange,
        Rule::BaseClass,
        Rule::VirtualBase,
        Rule::StaticMember,
        Rule::Variants,
        Rule::MemberPointer,
        Rule::Unspecified,
        Rule::OddBase,
        Rule::OddTag,
        Rule::ForeignName,
        Rule::Refused,
        Rule::ComputedMember,
        Rule::Variable,
        Rule::NamelessFunction,
        Rule::DeclaredVariable,
        Rule::RemovedVariable,
        Rule::MovingVariable,
        Rule::UnfitVariable,
        Rule::SharedVariable,
        Rule::FunctionValue,
        Rule::Missing,
    ];

    /// What becomes of what, for people.
    pub fn text(self) -> &'static str {
        match self {
            Rule::Reference => "references became pointers",
            Rule::Qualifier => "atomic and other qualifiers of no meaning to BTF were left out",
            Rule::Subrange => "subranges became the types that they are ranges of",
            Rule::BaseClass => "classes have their base classes as anonymous members",
            Rule::VirtualBase => "classes lost virtual base classes, whose place each object says",
            Rule::StaticMember => "classes lost static members, which are variables",
            Rule::Variants => "enums with variants became unions of those and of their tag",
            Rule::MemberPointer => "pointers to members became bytes",
            Rule::Unspecified => "unspecified types became pointers to void",
            Rule::OddBase => "base types that BTF has no kind for became bytes",
            Rule::OddTag => "types of other kinds became bytes",
            Rule::ForeignName => "names got other letters, for BTF allows those of C only",
            Rule::Refused => "types that BTF cannot express became bytes",
            Rule::ComputedMember => "structs lost members whose place each object says",
            Rule::Variable => "variables outside of functions were left out",
            Rule::NamelessFunction => "functions with code but without a name were left out",
            Rule::DeclaredVariable => "variables were left out which are only declared",
            Rule::RemovedVariable => "variables were left out which nothing is left of",
            Rule::MovingVariable => "variables were left out whose place changes",
            Rule::UnfitVariable => {
                "variables were left out that have no name or size, or are in a section of 4 GiB"
            }
            Rule::SharedVariable => "variables were left out that are at the place of another one",
            Rule::FunctionValue => "functions that have a size became pointers to functions",
            Rule::Missing => "types became void that are not where they should be",
        }
    }
}

/// A set of [`Rule`]s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rules(u32);

impl Rules {
    /// Adds `rule`.
    pub fn add(&mut self, rule: Rule) {
        self.0 |= 1 << rule as u16;
    }

    /// Whether `rule` is one of them.
    pub fn has(self, rule: Rule) -> bool {
        self.0 & 1 << rule as u16 != 0
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: Rules) {
        self.0 |= other.0;
    }
}

/// A member, an enumerator, a parameter, or a dimension.
#[derive(Clone, Copy, Debug, Default)]
pub struct RawPart<'a> {
    /// Its name.
    pub name: RawName<'a>,
    /// Its type; `None` for `void`.
    pub ty: Option<DieRef>,
    /// Of a member: bits from the beginning.
    pub bit_offset: u64,
    /// Of a bit-field.
    pub bits: u64,
    /// Of an enumerator its value, of a dimension its length.
    pub value: i128,
}

/// One type.
#[derive(Clone, Debug)]
pub struct RawType<'a> {
    /// What it is.
    pub kind: Kind,
    /// Its name, without what is around it.
    pub name: RawName<'a>,
    /// In bytes.
    pub size: u64,
    /// What it refers to: a pointer's target, an array's element, what a function returns; `None`
    /// for `void`.
    pub target: Option<DieRef>,
    /// Members and the like.
    pub parts: Vec<RawPart<'a>>,
    /// Whether a function has further parameters.
    pub variadic: bool,
    /// Whether there are entries below it that may define other types.
    pub nested: bool,
    /// Places of variant parts, which stand for structs with a tag.
    pub variant_parts: Vec<DieRef>,
    /// What was expressed in other ways.
    pub rules: Rules,
}

impl Default for RawType<'_> {
    fn default() -> Self {
        RawType {
            kind: Kind::Bytes,
            name: RawName::default(),
            size: 0,
            target: None,
            parts: Vec::new(),
            variadic: false,
            nested: false,
            variant_parts: Vec::new(),
            rules: Rules::default(),
        }
    }
}

/// Whether an entry with that tag is a type.
pub fn is_type(tag: DwTag) -> bool {
    matches!(
        tag,
        dw::DW_TAG_base_type
            | dw::DW_TAG_pointer_type
            | dw::DW_TAG_reference_type
            | dw::DW_TAG_rvalue_reference_type
            | dw::DW_TAG_const_type
            | dw::DW_TAG_volatile_type
            | dw::DW_TAG_restrict_type
            | dw::DW_TAG_atomic_type
            | dw::DW_TAG_packed_type
            | dw::DW_TAG_immutable_type
            | dw::DW_TAG_shared_type
            | dw::DW_TAG_structure_type
            | dw::DW_TAG_class_type
            | dw::DW_TAG_union_type
            | dw::DW_TAG_interface_type
            | dw::DW_TAG_enumeration_type
            | dw::DW_TAG_array_type
            | dw::DW_TAG_typedef
            | dw::DW_TAG_template_alias
            | dw::DW_TAG_subroutine_type
            | dw::DW_TAG_ptr_to_member_type
            | dw::DW_TAG_unspecified_type
            | dw::DW_TAG_subrange_type
            | dw::DW_TAG_string_type
            | dw::DW_TAG_set_type
            | dw::DW_TAG_file_type
            | dw::DW_TAG_coarray_type
            | dw::DW_TAG_dynamic_type
    )
}

impl<'a> RawType<'a> {
    /// Reads the type `entry`, at which `walk` is, and its children.
    ///
    /// Fails if the entries cannot be read. What BTF cannot express is no failure, it becomes
    /// bytes.
    pub(crate) fn read(
        &mut self,
        debug: &DebugInfo<'a>,
        unit: &Unit<'a>,
        walk: &mut Walk<'_, 'a>,
        entry: &Entry<'a>,
    ) -> Result<()> {
        self.parts.clear();
        self.variant_parts.clear();
        self.rules = Rules::default();
        (self.variadic, self.nested) = (false, false);
        self.name = entry.name;
        self.size = entry.byte_size.unwrap_or(0);
        self.target = entry.ty;
        self.kind = match entry.tag {
            dw::DW_TAG_base_type => self.base_type(entry),
            dw::DW_TAG_pointer_type => Kind::Ptr,
            dw::DW_TAG_reference_type | dw::DW_TAG_rvalue_reference_type => {
                self.by_rule(Rule::Reference, Kind::Ptr)
            }
            dw::DW_TAG_const_type => Kind::Const,
            dw::DW_TAG_volatile_type => Kind::Volatile,
            dw::DW_TAG_restrict_type => Kind::Restrict,
            dw::DW_TAG_atomic_type
            | dw::DW_TAG_packed_type
            | dw::DW_TAG_immutable_type
            | dw::DW_TAG_shared_type => self.by_rule(Rule::Qualifier, Kind::Same),
            dw::DW_TAG_subrange_type if entry.ty.is_some() => {
                self.by_rule(Rule::Subrange, Kind::Same)
            }
            dw::DW_TAG_typedef | dw::DW_TAG_template_alias => Kind::Typedef,
            dw::DW_TAG_structure_type | dw::DW_TAG_class_type | dw::DW_TAG_interface_type => {
                self.composite(debug, unit, walk, entry, Kind::Struct)?
            }
            dw::DW_TAG_union_type => self.composite(debug, unit, walk, entry, Kind::Union)?,
            dw::DW_TAG_variant_part => self.tag(debug, unit, walk, entry)?,
            dw::DW_TAG_enumeration_type => self.enumeration(debug, walk, entry)?,
            dw::DW_TAG_array_type => self.array(unit, walk, entry)?,
            dw::DW_TAG_subroutine_type => self.function(unit, walk, entry)?,
            dw::DW_TAG_unspecified_type => {
                self.target = None;
                self.by_rule(Rule::Unspecified, Kind::Ptr)
            }
            dw::DW_TAG_ptr_to_member_type => {
                self.size = self.member_pointer_size(debug, unit)?;
                self.by_rule(Rule::MemberPointer, Kind::Bytes)
            }
            _ => self.by_rule(Rule::OddTag, Kind::Bytes),
        };
        self.limit();
        Ok(())
    }

    /// Turns into bytes what has more, or larger, numbers than BTF has room for.
    fn limit(&mut self) {
        let fits = |part: &RawPart<'_>| {
            let is_value = self.kind != Kind::Array || u32::try_from(part.value).is_ok();
            is_value && part.bits <= 255 && part.bit_offset <= u32::MAX.into()
        };
        let has_bits = self.parts.iter().any(|part| part.bits > 0);
        let is_near = |part: &RawPart<'_>| part.bit_offset <= MAX_BITFIELD_OFFSET.into();
        let fits = u32::try_from(self.size).is_ok()
            && self.parts.len() < MAX_VLEN
            && self.parts.iter().all(fits)
            && (!has_bits || self.parts.iter().all(is_near));
        if !fits {
            self.size = u32::try_from(self.size).unwrap_or(0).into();
            self.parts.clear();
            self.target = None;
            self.kind = self.by_rule(Rule::Refused, Kind::Bytes);
        }
    }

    /// Of an enumeration: whether a value is negative, and whether one needs more than 32 bits.
    pub fn enum_range(&self) -> (bool, bool) {
        let signed = self.parts.iter().any(|part| part.value < 0);
        let fits = |value: i128| match signed {
            true => i32::try_from(value).is_ok(),
            false => u32::try_from(value).is_ok(),
        };
        (signed, !self.parts.iter().all(|part| fits(part.value)))
    }

    fn by_rule(&mut self, rule: Rule, kind: Kind) -> Kind {
        self.rules.add(rule);
        kind
    }

    fn base_type(&mut self, entry: &Entry<'a>) -> Kind {
        self.target = None;
        let encoding = entry.encoding.unwrap_or(dw::DW_ATE_unsigned);
        if encoding == dw::DW_ATE_float && [2, 4, 8, 12, 16].contains(&self.size) {
            return Kind::Float;
        }
        let is_int = self.size.is_power_of_two() && self.size <= 16;
        let is_odd = matches!(
            encoding,
            dw::DW_ATE_float
                | dw::DW_ATE_complex_float
                | dw::DW_ATE_imaginary_float
                | dw::DW_ATE_decimal_float
        );
        if !is_int || is_odd {
            return self.by_rule(Rule::OddBase, Kind::Bytes);
        }
        let signed = [dw::DW_ATE_signed, dw::DW_ATE_signed_char].contains(&encoding);
        Kind::Int(IntEncoding { signed, char: false, bool: encoding == dw::DW_ATE_boolean })
    }

    fn composite(
        &mut self,
        debug: &DebugInfo<'a>,
        unit: &Unit<'a>,
        walk: &mut Walk<'_, 'a>,
        entry: &Entry<'a>,
        kind: Kind,
    ) -> Result<Kind> {
        self.target = None;
        if entry.declaration {
            // Some compilers put methods, and types, into what is only declared.
            self.nested = entry.has_children;
            walk.skip_children()?;
            return Ok(Kind::Declared { union: kind == Kind::Union });
        }
        let mut variants = false;
        // What a template was given stands among the members, in large numbers.
        let nested = Cell::new(false);
        let wanted = |tag: DwTag| match tag {
            dw::DW_TAG_member
            | dw::DW_TAG_inheritance
            | dw::DW_TAG_variant_part
            | dw::DW_TAG_variable => true,
            tag => {
                nested.set(nested.get() || is_type(tag) || tag == dw::DW_TAG_subprogram);
                false
            }
        };
        while let Some(child) = walk.next_child_briefly(entry.depth, wanted)? {
            let child = match child {
                // No other one says little.
                Said::Little(member) => {
                    let bit_offset = u64::from(member.number).saturating_mul(8);
                    let (name, ty) = (member.name, member.ty.map(|ty| unit.die(ty)));
                    self.parts.push(RawPart { name, ty, bit_offset, bits: 0, value: 0 });
                    continue;
                }
                Said::Much(child) => child,
            };
            match child.tag {
                dw::DW_TAG_member if child.external || child.declaration => {
                    self.rules.add(Rule::StaticMember);
                }
                dw::DW_TAG_member => self.member(debug, unit, child)?,
                dw::DW_TAG_inheritance
                    if child.is_virtual || child.location == Location::Computed =>
                {
                    self.rules.add(Rule::VirtualBase);
                }
                dw::DW_TAG_inheritance => {
                    self.rules.add(Rule::BaseClass);
                    self.member(debug, unit, &Entry { name: RawName::default(), ..*child })?;
                }
                dw::DW_TAG_variant_part => {
                    variants = true;
                    self.rules.add(Rule::Variants);
                    let part = *child;
                    self.variants(debug, unit, walk, &part)?;
                }
                // A static member of DWARF 5.
                _ => self.rules.add(Rule::StaticMember),
            }
        }
        self.nested = nested.get();
        let at_start = self.parts.iter().all(|part| part.bit_offset == 0);
        // BTF wants them in order; compilers need not give them so (base classes, variants).
        if !self.parts.is_sorted_by_key(|part| part.bit_offset) {
            self.parts.sort_by_key(|part| part.bit_offset);
        }
        Ok(if variants && at_start { Kind::Union } else { kind })
    }

    /// The members of the variants in the variant part `part`, and the part itself, which stands
    /// for its tag.
    fn variants(
        &mut self,
        debug: &DebugInfo<'a>,
        unit: &Unit<'a>,
        walk: &mut Walk<'_, 'a>,
        part: &Entry<'a>,
    ) -> Result<()> {
        if part.discriminant.is_some() {
            self.variant_parts.push(part.at);
            self.parts.push(RawPart { ty: Some(part.at), ..RawPart::default() });
        }
        while let Some(&variant) = walk.next_child(part.depth)? {
            if variant.tag != dw::DW_TAG_variant {
                continue;
            }
            while let Some(&child) = walk.next_child(variant.depth)? {
                if child.tag == dw::DW_TAG_member {
                    self.member(debug, unit, &child)?;
                }
            }
        }
        Ok(())
    }

    /// The struct that stands for a variant part: with the tag alone.
    fn tag(
        &mut self,
        debug: &DebugInfo<'a>,
        unit: &Unit<'a>,
        walk: &mut Walk<'_, 'a>,
        part: &Entry<'a>,
    ) -> Result<Kind> {
        self.name = RawName::default();
        self.target = None;
        while let Some(&child) = walk.next_child(part.depth)? {
            if Some(child.at) == part.discriminant {
                let name = if child.name.is_missing() { RawName::of(TAG) } else { child.name };
                self.member(debug, unit, &Entry { name, ..child })?;
            }
        }
        if let Some(tag) = self.parts.last() {
            let size = debug.size_of(tag.ty)?.unwrap_or(0);
            self.size = (tag.bit_offset / 8).saturating_add(size);
        }
        Ok(Kind::Struct)
    }

    fn member(&mut self, debug: &DebugInfo<'a>, unit: &Unit<'a>, entry: &Entry<'a>) -> Result<()> {
        let bytes = match entry.location {
            Location::Unsaid => 0,
            Location::Bytes(bytes) => bytes,
            Location::Computed => {
                self.rules.add(Rule::ComputedMember);
                return Ok(());
            }
        };
        let bits = entry.bit_size.unwrap_or(0);
        let start = bytes.saturating_mul(8);
        let bit_offset = match (bits, entry.data_bit_offset, entry.bit_offset) {
            (0, ..) => start,
            (_, Some(offset), _) => start.saturating_add(offset),
            (_, None, Some(from_top)) => {
                let storage = match entry.byte_size {
                    Some(size) => Some(size),
                    None => debug.size_of(entry.ty)?,
                };
                let storage = storage.unwrap_or(0).saturating_mul(8);
                old_bit_offset(unit, start, storage, from_top, bits)
            }
            (_, None, None) => start,
        };
        let (name, ty) = (entry.name, entry.ty);
        self.parts.push(RawPart { name, ty, bit_offset, bits, value: 0 });
        Ok(())
    }

    /// A pointer to a data member is an offset; one to a method is an address and an offset
    /// (Itanium C++ ABI, 2.3).
    fn member_pointer_size(&mut self, debug: &DebugInfo<'a>, unit: &Unit<'a>) -> Result<u64> {
        let word = u64::from(unit.header.address_size());
        let Some(target) = self.target.take() else { return Ok(word) };
        let Ok((_, target)) = debug.die(target) else { return Ok(word) };
        Ok(if target.tag == dw::DW_TAG_subroutine_type { 2 * word } else { word })
    }

    fn enumeration(
        &mut self,
        debug: &DebugInfo<'a>,
        walk: &mut Walk<'_, 'a>,
        entry: &Entry<'a>,
    ) -> Result<Kind> {
        let underlying = self.target.take();
        if entry.byte_size.is_none() {
            self.size = debug.size_of(underlying)?.unwrap_or(4);
        }
        if entry.declaration {
            return Ok(Kind::DeclaredEnum);
        }
        let wanted = |tag| tag == dw::DW_TAG_enumerator;
        while let Some(child) = walk.next_child_briefly(entry.depth, wanted)? {
            let (name, value) = match child {
                Said::Little(child) => (child.name, child.number.into()),
                Said::Much(child) => (child.name, child.const_value.unwrap_or_default()),
            };
            self.parts.push(RawPart { name, value, ..RawPart::default() });
        }
        Ok(Kind::Enum)
    }

    fn array(
        &mut self,
        unit: &Unit<'a>,
        walk: &mut Walk<'_, 'a>,
        entry: &Entry<'a>,
    ) -> Result<Kind> {
        while let Some(child) = walk.next_child(entry.depth)? {
            let is_dimension =
                matches!(child.tag, dw::DW_TAG_subrange_type | dw::DW_TAG_generic_subrange);
            if is_dimension {
                let value = child.count.unwrap_or(0).into();
                self.parts.push(RawPart { value, ..RawPart::default() });
            }
        }
        if unit.compiler.column_major {
            self.parts.reverse();
        }
        Ok(Kind::Array)
    }

    fn function(
        &mut self,
        unit: &Unit<'a>,
        walk: &mut Walk<'_, 'a>,
        entry: &Entry<'a>,
    ) -> Result<Kind> {
        let wanted =
            |tag| matches!(tag, dw::DW_TAG_formal_parameter | dw::DW_TAG_unspecified_parameters);
        while let Some(child) = walk.next_child_briefly(entry.depth, wanted)? {
            let (tag, name, ty) = match child {
                Said::Little(child) => (child.tag, child.name, child.ty.map(|ty| unit.die(ty))),
                Said::Much(child) => (child.tag, child.name, child.ty),
            };
            match tag == dw::DW_TAG_formal_parameter {
                true => self.parts.push(RawPart { name, ty, ..RawPart::default() }),
                false => self.variadic = true,
            }
        }
        Ok(match self.size {
            0 => Kind::FuncProto,
            _ => self.by_rule(Rule::FunctionValue, Kind::FuncPtr),
        })
    }
}

/// What a type with the tag `tag` is that says no more than its name and what it refers to; `None` for
/// tags of which there is more to say.
pub(crate) fn brief_kind(tag: DwTag) -> Option<Kind> {
    Some(match tag {
        dw::DW_TAG_pointer_type => Kind::Ptr,
        dw::DW_TAG_const_type => Kind::Const,
        dw::DW_TAG_volatile_type => Kind::Volatile,
        dw::DW_TAG_restrict_type => Kind::Restrict,
        dw::DW_TAG_typedef => Kind::Typedef,
        _ => return None,
    })
}

/// Offset of a bit-field as DWARF 2 and 3 say it: `DW_AT_bit_offset` counts from the most
/// significant bit of a storage unit that begins at the bit `start`.
fn old_bit_offset(unit: &Unit<'_>, start: u64, storage: u64, from_top: u64, bits: u64) -> u64 {
    // An offset beyond the storage unit is a negative one: the field begins in the unit before.
    let from_top = from_top as i64;
    let from_bottom = match unit.endian() {
        gimli::RunTimeEndian::Little => {
            (storage as i64).saturating_sub(from_top).saturating_sub(bits as i64)
        }
        gimli::RunTimeEndian::Big => from_top,
    };
    start.saturating_add_signed(from_bottom)
}

impl<'a> DebugInfo<'a> {
    /// Size in bytes of the type at `die`, through typedefs and qualifiers; `None` if it has none.
    pub(crate) fn size_of(&self, die: Option<DieRef>) -> Result<Option<u64>> {
        let mut at = die;
        for _ in 0..MAX_CHAIN {
            let Some(die) = at else { return Ok(None) };
            // Where nothing is there is nothing that has a size.
            let Ok((unit, entry)) = self.die(die) else { return Ok(None) };
            if let Some(size) = entry.byte_size {
                return Ok(Some(size));
            }
            at = match entry.tag {
                _ if entry.signature.is_some() => entry.signature,
                dw::DW_TAG_pointer_type
                | dw::DW_TAG_reference_type
                | dw::DW_TAG_rvalue_reference_type => {
                    return Ok(Some(unit.header.address_size().into()));
                }
                _ => entry.ty,
            };
        }
        // It refers to itself.
        Ok(None)
    }
}
