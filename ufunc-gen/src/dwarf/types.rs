// SPDX-License-Identifier: MIT OR Apache-2.0
//! The application's types as BTF, those that somebody asks for.

use std::collections::VecDeque;

use anyhow::{Context as _, Result, bail};
use gimli::DwTag;
use gimli::constants as dw;
use hashbrown::HashMap;

use super::definitions::is_layer;
use super::entry::{DieRef, Entry};
use super::raw::{Kind, RawPart, RawType};
use super::{DebugInfo, MAX_CHAIN, Unit, Walk};
use crate::btf::fit::fit;
use crate::btf::{Composite, IntEncoding, Member, Name, Param, Type, TypeId};
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
    /// The first struct and the first union of each name; `None` if others may be different.
    records: HashMap<(DwTag, &'a [u8]), Option<DieRef>>,
    /// Entries that have an id, and wait for their type.
    queue: VecDeque<(DieRef, TypeId)>,
    array_index: Option<TypeId>,
    raw: RawType<'a>,
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
            records: HashMap::new(),
            queue: VecDeque::new(),
            array_index: None,
            raw: RawType::default(),
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
            // Of those it is plain that nothing else stands for them.
            let (tag, ..) = self.debug.spelled(die)?;
            if is_layer(tag) && tag != dw::DW_TAG_atomic_type {
                return Ok(self.push_later(die));
            }
            let (unit, entry) = self.debug.die(die)?;
            match entry.tag {
                dw::DW_TAG_atomic_type
                | dw::DW_TAG_packed_type
                | dw::DW_TAG_immutable_type
                | dw::DW_TAG_shared_type => at = entry.ty,
                dw::DW_TAG_subrange_type if entry.ty.is_some() => at = entry.ty,
                dw::DW_TAG_base_type if self.is_base_int(&entry) => {
                    // Checked by `is_base_int`.
                    return Ok(self.base_int.unwrap_or_default());
                }
                _ => match self.debug.definition(unit, &entry)? {
                    Some(definition) => at = Some(definition),
                    None => {
                        return Ok(match self.known_copy(unit, &entry)? {
                            Some(id) => {
                                self.ids.insert(die, id);
                                id
                            }
                            None => self.push_later(die),
                        });
                    }
                },
            }
        }
        match die {
            Some(die) => bail!("the type at {} refers to itself", self.debug.place(die)),
            None => Ok(TypeId::VOID),
        }
    }

    /// The type that was asked for before of which `entry`, of `unit`, is certainly a copy: what another
    /// file says of the same header.
    fn known_copy(&mut self, unit: &Unit<'a>, entry: &Entry<'a>) -> Result<Option<TypeId>> {
        let is_record =
            matches!(entry.tag, dw::DW_TAG_structure_type | dw::DW_TAG_union_type) && unit.is_c();
        if !is_record || entry.name.is_missing() || entry.declaration {
            return Ok(None);
        }
        let first = self.records.entry((entry.tag, entry.name.bytes())).or_insert(Some(entry.at));
        let Some(known) = *first else { return Ok(None) };
        if known == entry.at {
            return Ok(None);
        }
        if !self.debug.are_alike(known, entry.at)? {
            *first = None;
            return Ok(None);
        }
        Ok(self.ids.get(&known).copied())
    }

    /// Reads all types that were asked for and that they lead to; the first has the id that
    /// [`TypeReader::new`] was given.
    pub fn finish(mut self) -> Result<Vec<Type<'a>>> {
        while let Some((die, id)) = self.queue.pop_front() {
            let unit = self.debug.unit(self.debug.unit_of(die)?)?;
            let mut walk = Walk::at(self.debug, unit, die)?;
            let entry = walk.next()?.copied().context("a type is no entry")?;
            let ty = self.read(unit, walk, &entry).with_context(|| {
                let source = self.debug.source(unit, entry.decl_file, entry.decl_line);
                let source = source.map(|source| format!(" ({source})")).unwrap_or_default();
                format!("failed to read the type at {}{source}", self.debug.place(die))
            })?;
            self.types[(id.0 - self.first) as usize] = ty;
        }
        fit(&mut self.types, self.first);
        Ok(self.types)
    }

    /// Id of the type at `die`, which is read later.
    fn push_later(&mut self, die: DieRef) -> TypeId {
        let id = self.push(Type::Ptr(TypeId::VOID));
        self.ids.insert(die, id);
        self.queue.push_back((die, id));
        id
    }

    fn push(&mut self, ty: Type<'a>) -> TypeId {
        let id = TypeId(self.first + self.types.len() as u32);
        self.types.push(ty);
        id
    }

    fn is_base_int(&self, entry: &Entry<'a>) -> bool {
        self.base_int.is_some()
            && entry.byte_size == Some(4)
            && entry.encoding == Some(dw::DW_ATE_signed)
            && entry.name.bytes() == b"int"
    }

    /// The type `entry` of `unit`, which `walk` has come to.
    fn read(
        &mut self,
        unit: &Unit<'a>,
        mut walk: Walk<'_, 'a>,
        entry: &Entry<'a>,
    ) -> Result<Type<'a>> {
        let mut raw = std::mem::take(&mut self.raw);
        raw.read(self.debug, unit, &mut walk, entry)?;
        let name = match entry.tag {
            dw::DW_TAG_base_type => base_type_name(entry.name.text().unwrap_or_default()),
            _ => btf_name(self.debug.qualified_name(unit, entry)?.unwrap_or_default()),
        };
        let ty = self.convert(&raw, name);
        self.raw = raw;
        ty
    }

    fn convert(&mut self, raw: &RawType<'a>, name: Name<'a>) -> Result<Type<'a>> {
        let size = raw.size as u32;
        Ok(match raw.kind {
            Kind::Int(encoding) => Type::Int {
                name: named(name),
                size,
                encoding,
                bit_offset: 0,
                bits: (size * 8) as u8,
            },
            Kind::Float => Type::Float { name: named(name), size },
            Kind::Ptr => Type::Ptr(self.id(raw.target)?),
            Kind::Const => Type::Const(self.id(raw.target)?),
            Kind::Volatile => Type::Volatile(self.id(raw.target)?),
            Kind::Restrict => Type::Restrict(self.id(raw.target)?),
            Kind::Typedef => Type::Typedef { name: named(name), target: self.id(raw.target)? },
            Kind::Struct => Type::Struct(self.composite(raw, name, size)?),
            Kind::Union => Type::Union(self.composite(raw, name, size)?),
            Kind::Enum => enumeration(raw, name, size),
            Kind::DeclaredEnum => Type::Enum { name, size, signed: false, values: Vec::new() },
            Kind::Declared { union } => Type::Fwd { name: named(name), union },
            Kind::Array => self.array(raw)?,
            Kind::FuncProto => self.function(raw)?,
            Kind::FuncPtr => {
                let function = self.function(raw)?;
                Type::Ptr(self.push(function))
            }
            // Left out by `id` already.
            Kind::Same => Type::Const(self.id(raw.target)?),
            Kind::Bytes => {
                // The name of a base type may have blanks.
                let name = btf_name(name);
                Type::Struct(Composite { name, size, members: Vec::new() })
            }
        })
    }

    fn composite(&mut self, raw: &RawType<'a>, name: Name<'a>, size: u32) -> Result<Composite<'a>> {
        let members = raw.parts.iter().map(|part| {
            Ok(Member {
                name: part_name(part),
                ty: self.id(part.ty)?,
                bit_offset: part.bit_offset as u32,
                bitfield_size: part.bits as u8,
            })
        });
        Ok(Composite { name, size, members: members.collect::<Result<_>>()? })
    }

    fn array(&mut self, raw: &RawType<'a>) -> Result<Type<'a>> {
        let index = match self.array_index {
            Some(index) => index,
            None => {
                let index = self.push(array_index());
                self.array_index = Some(index);
                index
            }
        };
        let mut element = self.id(raw.target)?;
        let mut counts = raw.parts.iter().map(|part| part.value as u32);
        let outer = counts.next().unwrap_or(0);
        for count in counts.rev() {
            element = self.push(Type::Array { element, index, count });
        }
        Ok(Type::Array { element, index, count: outer })
    }

    fn function(&mut self, raw: &RawType<'a>) -> Result<Type<'a>> {
        let ret = self.id(raw.target)?;
        let params = raw.parts.iter().map(|part| {
            let name = part_name(part);
            Ok(Param { name, ty: self.id(part.ty)? })
        });
        let mut params = params.collect::<Result<Vec<_>>>()?;
        if raw.variadic {
            params.push(Param { name: Name::default(), ty: TypeId::VOID });
        }
        Ok(Type::FuncProto { ret, params })
    }
}

/// The type of arrays' indices, under the name that clang gives it. BTF wants one, and nothing
/// looks at it.
pub(crate) fn array_index() -> Type<'static> {
    let (name, encoding) = (Name::Borrowed("__ARRAY_SIZE_TYPE__"), IntEncoding::default());
    Type::Int { name, size: 4, encoding, bit_offset: 0, bits: 32 }
}

/// `name`, or another one for kinds that the kernel does not accept without any.
pub(crate) fn named(name: Name<'_>) -> Name<'_> {
    if name.is_empty() { Name::Borrowed("_") } else { name }
}

fn part_name<'a>(part: &RawPart<'a>) -> Name<'a> {
    btf_name(part.name.text().unwrap_or_default())
}

fn enumeration<'a>(raw: &RawType<'a>, name: Name<'a>, size: u32) -> Type<'a> {
    let (signed, wide) = raw.enum_range();
    let values = raw.parts.iter().map(|part| (named(part_name(part)), part.value));
    match wide {
        false => {
            let values = values.map(|(name, value)| (name, value as u32)).collect();
            Type::Enum { name, size, signed, values }
        }
        true => {
            let values = values.map(|(name, value)| (name, value as u64)).collect();
            Type::Enum64 { name, size, signed, values }
        }
    }
}
