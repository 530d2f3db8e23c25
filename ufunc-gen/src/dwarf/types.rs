// SPDX-License-Identifier: MIT OR Apache-2.0
//! The application's types, as BTF.
//!
//! | DWARF | BTF |
//! | --- | --- |
//! | base type | INT; FLOAT for floating point; an INT of the same size for every other encoding |
//! | pointer, reference, rvalue reference | PTR |
//! | const, volatile, restrict | the same |
//! | atomic, packed, immutable, shared | what they qualify |
//! | struct, class, union | STRUCT, UNION; a declaration becomes its definition, or FWD if there is none |
//! | base class | anonymous member, so that its fields are found through the derived class |
//! | virtual base class | left out: its offset is known at run time only |
//! | member, bit-fields of DWARF 2 to 5 | member |
//! | enumeration | ENUM, ENUM64 where a value needs more than 32 bits |
//! | array | ARRAY, one for each dimension; of unknown length: 0 elements |
//! | typedef, template alias | TYPEDEF |
//! | subroutine type | FUNC_PROTO |
//! | pointer to member, and whatever else has a size | a STRUCT of that size without members |
//! | unspecified type (`nullptr_t`) | PTR to `void` |

use std::collections::{HashMap, VecDeque};

use anyhow::{Context as _, Result, bail};
use gimli::AttributeValue;

use super::walk::Walk;
use super::{DebugInfo, Die, DieRef, MAX_CHAIN, UnitIndex, flag, number};
use crate::btf::fit::fit;
use crate::btf::{Composite, IntEncoding, MAX_VLEN, Member, Name, Param, Type, TypeId};
use crate::ident::{base_type_name, btf_name};

/// Turns entries into BTF types: those asked for, and all that they lead to.
pub struct TypeReader<'d, 'a> {
    debug: &'d DebugInfo<'a>,
    /// Id of the first type.
    first: u32,
    /// An `int` that need not be written, since a base has it.
    base_int: Option<TypeId>,
    types: Vec<Type<'a>>,
    ids: HashMap<DieRef, TypeId>,
    /// Entries that have an id, and wait for their type.
    queue: VecDeque<(DieRef, TypeId)>,
    array_index: Option<TypeId>,
}

impl<'d, 'a> TypeReader<'d, 'a> {
    /// A reader whose first type gets the id `first`; `base_int` is the id of the base's `int`.
    pub fn new(debug: &'d DebugInfo<'a>, first: u32, base_int: Option<TypeId>) -> Self {
        TypeReader {
            debug,
            first,
            base_int,
            types: Vec::new(),
            ids: HashMap::new(),
            queue: VecDeque::new(),
            array_index: None,
        }
    }

    /// Id of the type at `die`; `None` stands for `void`, as in DWARF.
    ///
    /// The type itself, and those that it leads to, are read by [`TypeReader::finish`].
    pub fn id(&mut self, die: Option<DieRef>) -> Result<TypeId> {
        let mut at = die;
        for _ in 0..MAX_CHAIN {
            let Some(die) = at else { return Ok(TypeId::VOID) };
            if let Some(&id) = self.ids.get(&die) {
                return Ok(id);
            }
            let (unit, entry) = self.debug.die(die)?;
            match entry.tag {
                gimli::DW_TAG_atomic_type
                | gimli::DW_TAG_packed_type
                | gimli::DW_TAG_immutable_type
                | gimli::DW_TAG_shared_type => {
                    at = self.debug.reference(unit, &entry, gimli::DW_AT_type)?;
                }
                gimli::DW_TAG_base_type if self.is_base_int(unit, &entry) => {
                    // Checked by `is_base_int`.
                    return Ok(self.base_int.unwrap_or_default());
                }
                _ => match self.debug.definition(unit, &entry)? {
                    Some(definition) => at = Some(definition),
                    None => {
                        let id = self.push(Type::Ptr(TypeId::VOID));
                        self.ids.insert(die, id);
                        self.queue.push_back((die, id));
                        return Ok(id);
                    }
                },
            }
        }
        bail!(
            "the type at offset {:#x} of .debug_info refers to itself",
            die.unwrap_or(gimli::DebugInfoOffset(0)).0
        )
    }

    /// Reads all types that were asked for and that they lead to; the first has the id that
    /// [`TypeReader::new`] was given.
    pub fn finish(mut self) -> Result<Vec<Type<'a>>> {
        while let Some((die, id)) = self.queue.pop_front() {
            let (unit, entry) = self.debug.die(die)?;
            let ty = self.read(unit, &entry).with_context(|| {
                let source = self.debug.source(unit, &entry);
                let source = source.map(|source| format!(" ({source})")).unwrap_or_default();
                format!("failed to read the type at offset {:#x} of .debug_info{source}", die.0)
            })?;
            self.types[(id.0 - self.first) as usize] = ty;
        }
        fit(&mut self.types, self.first);
        Ok(self.types)
    }

    fn push(&mut self, ty: Type<'a>) -> TypeId {
        let id = TypeId(self.first + self.types.len() as u32);
        self.types.push(ty);
        id
    }

    fn is_base_int(&self, unit: UnitIndex, entry: &Die<'a>) -> bool {
        self.base_int.is_some()
            && number(entry, gimli::DW_AT_byte_size) == Some(4)
            && encoding(entry) == Some(gimli::DW_ATE_signed)
            && self.debug.string(unit, entry, gimli::DW_AT_name).as_deref() == Some("int")
    }

    fn name(&self, unit: UnitIndex, entry: &Die<'a>) -> Name<'a> {
        btf_name(self.debug.name(unit, entry).unwrap_or_default())
    }

    /// A name for kinds that the kernel does not accept without one.
    fn required_name(&self, unit: UnitIndex, entry: &Die<'a>) -> Name<'a> {
        match self.name(unit, entry) {
            name if name.is_empty() => Name::Borrowed("_"),
            name => name,
        }
    }

    fn target(&mut self, unit: UnitIndex, entry: &Die<'a>) -> Result<TypeId> {
        let target = self.debug.reference(unit, entry, gimli::DW_AT_type)?;
        self.id(target)
    }

    fn read(&mut self, unit: UnitIndex, entry: &Die<'a>) -> Result<Type<'a>> {
        Ok(match entry.tag {
            gimli::DW_TAG_base_type => self.base_type(unit, entry)?,
            gimli::DW_TAG_pointer_type
            | gimli::DW_TAG_reference_type
            | gimli::DW_TAG_rvalue_reference_type => Type::Ptr(self.target(unit, entry)?),
            gimli::DW_TAG_const_type => Type::Const(self.target(unit, entry)?),
            gimli::DW_TAG_volatile_type => Type::Volatile(self.target(unit, entry)?),
            gimli::DW_TAG_restrict_type => Type::Restrict(self.target(unit, entry)?),
            gimli::DW_TAG_typedef | gimli::DW_TAG_template_alias => Type::Typedef {
                name: self.required_name(unit, entry),
                target: self.target(unit, entry)?,
            },
            tag @ (gimli::DW_TAG_structure_type
            | gimli::DW_TAG_class_type
            | gimli::DW_TAG_union_type) => {
                let union = tag == gimli::DW_TAG_union_type;
                if flag(entry, gimli::DW_AT_declaration) {
                    return Ok(Type::Fwd { name: self.required_name(unit, entry), union });
                }
                let composite = self.composite(unit, entry)?;
                if union { Type::Union(composite) } else { Type::Struct(composite) }
            }
            gimli::DW_TAG_enumeration_type => self.enumeration(unit, entry)?,
            gimli::DW_TAG_unspecified_type => Type::Ptr(TypeId::VOID),
            gimli::DW_TAG_array_type => self.array(unit, entry)?,
            gimli::DW_TAG_subroutine_type => self.function(unit, entry)?,
            tag => {
                // Something with a size that BTF has no kind for.
                let size = match tag {
                    gimli::DW_TAG_ptr_to_member_type => self.member_pointer_size(unit, entry)?,
                    _ => number(entry, gimli::DW_AT_byte_size),
                };
                let Some(size) = size else { bail!("{tag} has no size and is not known") };
                Type::Struct(Composite {
                    name: self.name(unit, entry),
                    size: to_u32(size, "size")?,
                    members: Vec::new(),
                })
            }
        })
    }

    fn base_type(&self, unit: UnitIndex, entry: &Die<'a>) -> Result<Type<'a>> {
        let name = match self.debug.string(unit, entry, gimli::DW_AT_name) {
            Some(name) => base_type_name(name),
            None => Name::Borrowed("_"),
        };
        let size = to_u32(number(entry, gimli::DW_AT_byte_size).unwrap_or(0), "size")?;
        let encoding = encoding(entry).unwrap_or(gimli::DW_ATE_unsigned);
        let is_float = encoding == gimli::DW_ATE_float && [2, 4, 8, 12, 16].contains(&size);
        if is_float {
            return Ok(Type::Float { name, size });
        }
        let is_int = size.is_power_of_two() && size <= 16;
        if !is_int || encoding == gimli::DW_ATE_complex_float {
            // `_Complex`, `_BitInt(200)`: bytes that the kernel need not understand.
            let name = btf_name(name);
            return Ok(Type::Struct(Composite { name, size, members: Vec::new() }));
        }
        let signed = [gimli::DW_ATE_signed, gimli::DW_ATE_signed_char].contains(&encoding);
        let encoding = IntEncoding { signed, char: false, bool: encoding == gimli::DW_ATE_boolean };
        Ok(Type::Int { name, size, encoding, bit_offset: 0, bits: (size * 8) as u8 })
    }

    fn composite(&mut self, unit: UnitIndex, entry: &Die<'a>) -> Result<Composite<'a>> {
        let name = self.name(unit, entry);
        let size = to_u32(number(entry, gimli::DW_AT_byte_size).unwrap_or(0), "size")?;
        let mut members = Vec::new();
        let mut walk = Walk::new(self.debug, unit, Some(entry.offset))?;
        walk.next()?;
        while let Some(child) = walk.next()? {
            let is_member = match child.tag {
                // A static member of a C++ class is a variable elsewhere.
                gimli::DW_TAG_member => {
                    !flag(child, gimli::DW_AT_external) && !flag(child, gimli::DW_AT_declaration)
                }
                gimli::DW_TAG_inheritance => !is_virtual(child),
                _ => false,
            };
            if is_member {
                let member = self.member(unit, child)?;
                members.push(member);
            }
            walk.skip_children()?;
        }
        if members.len() > MAX_VLEN {
            bail!("'{name}' has {} members, BTF can express {MAX_VLEN}", members.len());
        }
        // The kernel wants them in order; compilers need not give them so (base classes, unions
        // of bit-fields).
        members.sort_by_key(|member| member.bit_offset);
        Ok(Composite { name, size, members })
    }

    fn member(&mut self, unit: UnitIndex, entry: &Die<'a>) -> Result<Member<'a>> {
        let name = match entry.tag {
            gimli::DW_TAG_inheritance => Name::default(),
            _ => self.name(unit, entry),
        };
        let byte_offset = member_location(self.debug, unit, entry)?;
        let bits = number(entry, gimli::DW_AT_bit_size);
        let bit_offset = match bits {
            Some(bits) => match number(entry, gimli::DW_AT_data_bit_offset) {
                Some(offset) => Some(offset),
                None => self.old_bitfield_offset(unit, entry, byte_offset, bits)?,
            },
            None => byte_offset.checked_mul(8),
        };
        let bit_offset = bit_offset.with_context(|| format!("member '{name}' has no offset"))?;
        let bitfield_size = u8::try_from(bits.unwrap_or(0))
            .with_context(|| format!("bit-field '{name}' is too wide"))?;
        let bit_offset = to_u32(bit_offset, "member offset")?;
        Ok(Member { name, ty: self.target(unit, entry)?, bit_offset, bitfield_size })
    }

    /// Offset of a bit-field as DWARF 2 and 3 say it: `DW_AT_bit_offset` counts from the most
    /// significant bit of a storage unit of the declared type's size.
    fn old_bitfield_offset(
        &self,
        unit: UnitIndex,
        entry: &Die<'a>,
        byte_offset: u64,
        bits: u64,
    ) -> Result<Option<u64>> {
        let Some(from_top) = number(entry, gimli::DW_AT_bit_offset) else {
            return Ok(byte_offset.checked_mul(8));
        };
        let storage = match number(entry, gimli::DW_AT_byte_size) {
            Some(size) => Some(size),
            None => {
                let ty = self.debug.reference(unit, entry, gimli::DW_AT_type)?;
                self.size_of(ty)?
            }
        };
        let offset = || {
            let storage_bits = storage?.checked_mul(8)?;
            let from_bottom = storage_bits.checked_sub(from_top)?.checked_sub(bits)?;
            byte_offset.checked_mul(8)?.checked_add(from_bottom)
        };
        Ok(offset())
    }

    /// Size in bytes of the type at `die`, through typedefs and qualifiers.
    fn size_of(&self, die: Option<DieRef>) -> Result<Option<u64>> {
        let mut at = die;
        for _ in 0..MAX_CHAIN {
            let Some(die) = at else { return Ok(None) };
            let (unit, entry) = self.debug.die(die)?;
            if let Some(size) = number(&entry, gimli::DW_AT_byte_size) {
                return Ok(Some(size));
            }
            at = self.debug.reference(unit, &entry, gimli::DW_AT_type)?;
        }
        Ok(None)
    }

    /// A pointer to a data member is an offset; one to a method is an address and an offset
    /// (Itanium C++ ABI, 2.3).
    fn member_pointer_size(&self, unit: UnitIndex, entry: &Die<'a>) -> Result<Option<u64>> {
        let Some(target) = self.debug.reference(unit, entry, gimli::DW_AT_type)? else {
            return Ok(Some(8));
        };
        let (_, target) = self.debug.die(target)?;
        Ok(Some(if target.tag == gimli::DW_TAG_subroutine_type { 16 } else { 8 }))
    }

    fn enumeration(&self, unit: UnitIndex, entry: &Die<'a>) -> Result<Type<'a>> {
        let name = self.name(unit, entry);
        let size = number(entry, gimli::DW_AT_byte_size);
        let size = match size {
            Some(size) => size,
            None => {
                let ty = self.debug.reference(unit, entry, gimli::DW_AT_type)?;
                self.size_of(ty)?.unwrap_or(4)
            }
        };
        let size = to_u32(size, "size")?;
        let mut values = Vec::new();
        let mut walk = Walk::new(self.debug, unit, Some(entry.offset))?;
        walk.next()?;
        while let Some(child) = walk.next()? {
            if child.tag == gimli::DW_TAG_enumerator {
                let value = child.attr_value(gimli::DW_AT_const_value);
                let name = self.required_name(unit, child);
                values.push((name, value.map(enumerator_value).unwrap_or_default()));
            }
            walk.skip_children()?;
        }
        if values.len() > MAX_VLEN {
            bail!("enum '{name}' has {} values, BTF can express {MAX_VLEN}", values.len());
        }
        let signed = values.iter().any(|&(_, value)| value < 0);
        let fits = |value: i128| match signed {
            true => i32::try_from(value).is_ok(),
            false => u32::try_from(value).is_ok(),
        };
        Ok(match values.iter().all(|&(_, value)| fits(value)) {
            true => {
                let values = values.into_iter().map(|(name, value)| (name, value as u32)).collect();
                Type::Enum { name, size, signed, values }
            }
            false => {
                let values = values.into_iter().map(|(name, value)| (name, value as u64)).collect();
                Type::Enum64 { name, size, signed, values }
            }
        })
    }

    fn array(&mut self, unit: UnitIndex, entry: &Die<'a>) -> Result<Type<'a>> {
        let mut counts = Vec::new();
        let mut walk = Walk::new(self.debug, unit, Some(entry.offset))?;
        walk.next()?;
        while let Some(child) = walk.next()? {
            if child.tag == gimli::DW_TAG_subrange_type {
                counts.push(to_u32(element_count(child), "array length")?);
            }
            walk.skip_children()?;
        }
        let index = match self.array_index {
            Some(index) => index,
            None => {
                // What clang calls it; arrays need an index type, whose size says nothing.
                let name = Name::Borrowed("__ARRAY_SIZE_TYPE__");
                let encoding = IntEncoding::default();
                let int = Type::Int { name, size: 4, encoding, bit_offset: 0, bits: 32 };
                let index = self.push(int);
                self.array_index = Some(index);
                index
            }
        };
        let mut element = self.target(unit, entry)?;
        let outer = match counts.is_empty() {
            true => 0,
            false => counts.remove(0),
        };
        for &count in counts.iter().rev() {
            element = self.push(Type::Array { element, index, count });
        }
        Ok(Type::Array { element, index, count: outer })
    }

    fn function(&mut self, unit: UnitIndex, entry: &Die<'a>) -> Result<Type<'a>> {
        let ret = self.target(unit, entry)?;
        let mut params = Vec::new();
        let mut variadic = false;
        let mut walk = Walk::new(self.debug, unit, Some(entry.offset))?;
        walk.next()?;
        while let Some(child) = walk.next()? {
            match child.tag {
                gimli::DW_TAG_formal_parameter => {
                    let ty = self.target(unit, child)?;
                    params.push(Param { name: self.name(unit, child), ty });
                }
                gimli::DW_TAG_unspecified_parameters => variadic = true,
                _ => {}
            }
            walk.skip_children()?;
        }
        if variadic && !params.is_empty() {
            params.push(Param { name: Name::default(), ty: TypeId::VOID });
        }
        Ok(Type::FuncProto { ret, params })
    }
}

/// Whether `entry`, a base class, is a virtual one.
fn is_virtual(entry: &Die<'_>) -> bool {
    match entry.attr_value(gimli::DW_AT_virtuality) {
        None | Some(AttributeValue::Virtuality(gimli::DW_VIRTUALITY_none)) => false,
        Some(_) => true,
    }
}

pub(super) fn encoding(entry: &Die<'_>) -> Option<gimli::DwAte> {
    match entry.attr_value(gimli::DW_AT_encoding)? {
        AttributeValue::Encoding(encoding) => Some(encoding),
        _ => None,
    }
}

/// `DW_AT_data_member_location` in bytes: a number, or in DWARF 2 an expression that adds one.
pub(super) fn member_location(
    debug: &DebugInfo<'_>,
    unit: UnitIndex,
    entry: &Die<'_>,
) -> Result<u64> {
    match entry.attr_value(gimli::DW_AT_data_member_location) {
        None => Ok(0),
        Some(AttributeValue::Exprloc(expression)) => {
            let mut operations = expression.operations(debug.units[unit.0].encoding());
            match operations.next()? {
                Some(gimli::Operation::PlusConstant { value }) => Ok(value),
                operation => bail!("a member's location is computed at run time ({operation:?})"),
            }
        }
        Some(value) => value.udata_value().context("a member's location is not a number"),
    }
}

/// Number of elements of an array's dimension; 0 if it is not known (flexible, variable).
fn element_count(subrange: &Die<'_>) -> u64 {
    if let Some(count) = number(subrange, gimli::DW_AT_count) {
        return count;
    }
    // `char x[0]` has the upper bound -1 with some compilers, in whatever width.
    let bound = match subrange.attr_value(gimli::DW_AT_upper_bound) {
        Some(AttributeValue::Sdata(bound)) => bound as u64,
        Some(AttributeValue::Data4(u32::MAX)) => u64::MAX,
        Some(bound) => bound.udata_value().unwrap_or(u64::MAX),
        None => u64::MAX,
    };
    bound.wrapping_add(1)
}

fn enumerator_value(value: AttributeValue<super::Reader<'_>>) -> i128 {
    match value {
        AttributeValue::Sdata(value) => value.into(),
        AttributeValue::Udata(value) => value.into(),
        // DW_FORM_data*: DWARF leaves the sign to the reader; producers use them for both, and
        // choose the narrowest that holds an unsigned value.
        AttributeValue::Data1(value) => value.into(),
        AttributeValue::Data2(value) => value.into(),
        AttributeValue::Data4(value) => value.into(),
        AttributeValue::Data8(value) => value.into(),
        _ => 0,
    }
}

fn to_u32(value: u64, what: &str) -> Result<u32> {
    u32::try_from(value).with_context(|| format!("{what} {value} is more than BTF can express"))
}
