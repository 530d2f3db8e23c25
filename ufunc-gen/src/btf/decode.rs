// SPDX-License-Identifier: MIT OR Apache-2.0
//! Reading BTF: the kernel's, a module's, an object's. The input is not trusted.

use std::cell::Cell;

use super::{
    Composite, IntEncoding, Linkage, MAGIC, MAX_BITFIELD_OFFSET, Member, Name, Param, Type, TypeId,
    VERSION, kind,
};
use anyhow::{Context as _, Result, bail, ensure};

/// BTF in memory, its sections found and its header checked.
///
/// Little-endian only: the kernels this project runs on are.
#[derive(Clone, Copy, Debug)]
pub struct Btf<'a> {
    types: &'a [u8],
    strings: &'a [u8],
    base: Base<'a>,
}

/// Letters of names that are read: times the length of all sections, and what is always allowed.
const NAME_READINGS: usize = 16;
const NAME_ALLOWANCE: usize = 1 << 16;

/// What a split BTF (a module's) continues.
#[derive(Clone, Copy, Debug, Default)]
struct Base<'a> {
    strings: &'a [u8],
    /// Id of the first type after the base's.
    end: u32,
}

impl<'a> Btf<'a> {
    /// Finds the sections in `bytes`, which stand alone (the kernel's BTF does).
    pub fn parse(bytes: &'a [u8]) -> Result<Self> {
        Self::parse_with(bytes, Base { strings: &[], end: 1 })
    }

    /// Finds the sections in `bytes`, which continue `base` (a module's BTF does the kernel's).
    pub fn parse_split(bytes: &'a [u8], base: &Btf<'a>) -> Result<Self> {
        Self::parse_with(bytes, base.as_base()?)
    }

    /// What a BTF that continues this one has to know of it.
    fn as_base(&self) -> Result<Base<'a>> {
        Ok(Base { strings: self.strings, end: self.end()? })
    }

    fn parse_with(bytes: &'a [u8], base: Base<'a>) -> Result<Self> {
        let mut header = Words { bytes, offset: 0 };
        let first = header.next().context("BTF header is cut off")?;
        let magic = first as u16;
        ensure!(magic != MAGIC.swap_bytes(), "BTF is big-endian, which is not supported here");
        ensure!(magic == MAGIC, "BTF magic is {magic:#06x} instead of {MAGIC:#06x}");
        let version = (first >> 16) as u8;
        ensure!(version == VERSION, "BTF version is {version}, known is {VERSION}");
        let mut next = || header.next().context("BTF header is cut off");
        let header_len = next()? as usize;
        let (types_off, types_len) = (next()? as usize, next()? as usize);
        let (strings_off, strings_len) = (next()? as usize, next()? as usize);
        let section = |what: &str, off: usize, len: usize| {
            let start = header_len.checked_add(off);
            let end = start.and_then(|start| start.checked_add(len));
            start.zip(end).and_then(|(start, end)| bytes.get(start..end)).with_context(|| {
                format!("BTF {what} section (offset {off}, {len} bytes) is cut off")
            })
        };
        Ok(Btf {
            types: section("type", types_off, types_len)?,
            strings: section("string", strings_off, strings_len)?,
            base,
        })
    }

    /// All types with their ids, in order. Ends after the first error.
    pub fn types(&self) -> impl Iterator<Item = Result<(TypeId, Type<'a>)>> + use<'a> {
        let btf = *self;
        let mut words = Words { bytes: btf.types, offset: 0 };
        let mut next_id = btf.base.end;
        let len = btf.types.len() + btf.strings.len() + btf.base.strings.len();
        let mut letters = NAME_READINGS.saturating_mul(len).saturating_add(NAME_ALLOWANCE);
        std::iter::from_fn(move || {
            if words.is_at_end() {
                return None;
            }
            let (id, offset) = (TypeId(next_id), words.offset);
            let ty = btf.read_type(&mut words, &mut letters).with_context(|| {
                format!("failed to read BTF type {next_id} at offset {offset:#x} of the types")
            });
            match ty {
                Ok(_) => next_id = next_id.saturating_add(1),
                Err(_) => words.offset = words.bytes.len(),
            }
            Some(ty.map(|ty| (id, ty)))
        })
    }

    /// The heads of all types, in order. Ends after the first error.
    pub(super) fn heads(&self) -> impl Iterator<Item = Result<Head>> + use<'a> {
        Heads { types: self.types, offset: 0 }
    }

    /// Where each type is, for reading some of them by their ids.
    pub fn index(&self) -> Result<Index<'a>> {
        let len = self.types.len() + self.strings.len() + self.base.strings.len();
        let letters = Cell::new(NAME_READINGS.saturating_mul(len).saturating_add(NAME_ALLOWANCE));
        // No type is smaller than its head.
        let mut offsets = Vec::with_capacity(self.types.len() / HEAD_LEN);
        for head in self.heads() {
            offsets.push(head?.offset as u32);
        }
        Ok(Index { btf: *self, offsets, letters })
    }

    /// The names of all functions, in order. Ends after the first error.
    pub fn functions(&self) -> impl Iterator<Item = Result<&'a [u8]>> + use<'a> {
        let btf = *self;
        btf.heads().filter_map(move |head| match head {
            Ok(head) if head.kind != kind::FUNC => None,
            Ok(head) => Some(btf.name_bytes(head.name)),
            Err(error) => Some(Err(error)),
        })
    }

    /// The types that have one of these kinds and names, with their ids, in order; and the id of the
    /// first type after the last.
    pub fn select(&self, wanted: &[(u32, &str)]) -> Result<(Vec<(TypeId, Type<'a>)>, u32)> {
        let (mut found, mut id) = (Vec::new(), self.base.end);
        let mut letters = usize::MAX;
        for head in self.heads() {
            let head = head?;
            for (kind, name) in wanted {
                if *kind == head.kind && self.is_name(head.name, name.as_bytes())? {
                    let mut words = Words { bytes: self.types, offset: head.offset };
                    found.push((TypeId(id), self.read_type(&mut words, &mut letters)?));
                }
            }
            id = id.checked_add(1).context("there are too many types")?;
        }
        Ok((found, id))
    }

    /// Length of the string section.
    pub fn strings_len(&self) -> u32 {
        // The header says it in 32 bits.
        self.strings.len() as u32
    }

    /// Id of the first type after the last.
    pub fn end(&self) -> Result<u32> {
        let mut end = self.base.end;
        for head in self.heads() {
            head?;
            end += 1;
        }
        Ok(end)
    }

    /// The type section.
    pub(super) fn type_bytes(&self) -> &'a [u8] {
        self.types
    }

    /// The string section.
    pub(super) fn string_bytes(&self) -> &'a [u8] {
        self.strings
    }

    /// The string at `offset`.
    pub(super) fn name(&self, offset: u32) -> Result<Name<'a>> {
        self.name_bytes(offset).map(String::from_utf8_lossy)
    }

    /// Whether the string at `offset` is `name`, without looking for its end.
    fn is_name(&self, offset: u32, name: &[u8]) -> Result<bool> {
        let rest = self.name_and_more(offset)?.strip_prefix(name);
        Ok(rest.is_some_and(|rest| rest.first().is_none_or(|&byte| byte == 0)))
    }

    /// The bytes of the string at `offset`.
    pub(super) fn name_bytes(&self, offset: u32) -> Result<&'a [u8]> {
        let tail = self.name_and_more(offset)?;
        Ok(&tail[..memchr::memchr(0, tail).unwrap_or(tail.len())])
    }

    /// The string at `offset`, and those behind it.
    fn name_and_more(&self, offset: u32) -> Result<&'a [u8]> {
        let offset = offset as usize;
        let base_len = self.base.strings.len();
        let tail = match offset.checked_sub(base_len) {
            None => self.base.strings.get(offset..),
            Some(own) => self.strings.get(own..),
        };
        match tail {
            Some(tail) => Ok(tail),
            None => bail!("name offset {offset:#x} is outside the string section"),
        }
    }

    /// Reads the type at which `words` are. Of names it may have as many letters as are `left`: they
    /// can end in each other, and nobody would come to the end of them all.
    fn read_type(&self, words: &mut Words<'a>, left: &mut usize) -> Result<Type<'a>> {
        let mut name_at = |offset: u32| {
            let name = self.name_bytes(offset)?;
            *left = left.checked_sub(name.len()).context("the names overlap too much")?;
            Ok::<_, anyhow::Error>(String::from_utf8_lossy(name))
        };
        let mut next = || words.next().context("the type section is cut off");
        let (name, info, size_or_type) = (name_at(next()?)?, next()?, next()?);
        let (flag, vlen) = (info >> 31 != 0, info & 0xffff);
        let target = TypeId(size_or_type);
        Ok(match info >> 24 & 0x1f {
            kind::INT => {
                let detail = next()?;
                let encoding = detail >> 24;
                let encoding = IntEncoding {
                    signed: encoding & 1 != 0,
                    char: encoding & 2 != 0,
                    bool: encoding & 4 != 0,
                };
                Type::Int {
                    name,
                    size: size_or_type,
                    encoding,
                    bit_offset: (detail >> 16) as u8,
                    bits: detail as u8,
                }
            }
            kind::PTR => Type::Ptr(target),
            kind::ARRAY => {
                Type::Array { element: TypeId(next()?), index: TypeId(next()?), count: next()? }
            }
            found @ (kind::STRUCT | kind::UNION) => {
                let mut members = Vec::new();
                for _ in 0..vlen {
                    let (name, ty, offset) = (name_at(next()?)?, TypeId(next()?), next()?);
                    let (bit_offset, bitfield_size) = match flag {
                        true => (offset & MAX_BITFIELD_OFFSET, (offset >> 24) as u8),
                        false => (offset, 0),
                    };
                    members.push(Member { name, ty, bit_offset, bitfield_size });
                }
                let composite = Composite { name, size: size_or_type, members };
                match found {
                    kind::STRUCT => Type::Struct(composite),
                    _ => Type::Union(composite),
                }
            }
            kind::ENUM => {
                let mut values = Vec::new();
                for _ in 0..vlen {
                    values.push((name_at(next()?)?, next()?));
                }
                Type::Enum { name, size: size_or_type, signed: flag, values }
            }
            kind::ENUM64 => {
                let mut values = Vec::new();
                for _ in 0..vlen {
                    let (name, low, high) = (name_at(next()?)?, next()?, next()?);
                    values.push((name, u64::from(high) << 32 | u64::from(low)));
                }
                Type::Enum64 { name, size: size_or_type, signed: flag, values }
            }
            kind::FWD => Type::Fwd { name, union: flag },
            kind::TYPEDEF => Type::Typedef { name, target },
            kind::VOLATILE => Type::Volatile(target),
            kind::CONST => Type::Const(target),
            kind::RESTRICT => Type::Restrict(target),
            kind::FUNC => Type::Func { name, proto: target, linkage: linkage(vlen)? },
            kind::FUNC_PROTO => {
                let mut params = Vec::new();
                for _ in 0..vlen {
                    params.push(Param { name: name_at(next()?)?, ty: TypeId(next()?) });
                }
                Type::FuncProto { ret: target, params }
            }
            kind::VAR => Type::Var { name, target, linkage: linkage(next()?)? },
            kind::DATASEC => {
                let mut vars = Vec::new();
                for _ in 0..vlen {
                    vars.push((TypeId(next()?), next()?, next()?));
                }
                Type::Datasec { name, size: size_or_type, vars }
            }
            kind::FLOAT => Type::Float { name, size: size_or_type },
            kind::DECL_TAG => Type::DeclTag { value: name, target, component: next()? as i32 },
            kind::TYPE_TAG => Type::TypeTag { value: name, target },
            unknown => bail!("kind {unknown} is not known"),
        })
    }
}

/// The types of a BTF by their ids.
#[derive(Clone, Debug)]
pub struct Index<'a> {
    btf: Btf<'a>,
    /// In the type section, by id.
    offsets: Vec<u32>,
    /// How many letters of names may still be read.
    letters: Cell<usize>,
}

impl<'a> Index<'a> {
    /// Reads the type `id`. There must be one: `void` and those of a base are none.
    pub fn get(&self, id: TypeId) -> Result<Type<'a>> {
        let index = id.0.checked_sub(self.btf.base.end).map(|index| index as usize);
        let offset = index.and_then(|index| self.offsets.get(index));
        let offset = *offset.with_context(|| format!("there is no BTF type {}", id.0))?;
        let mut words = Words { bytes: self.btf.types, offset: offset as usize };
        let mut letters = self.letters.get();
        let ty = self.btf.read_type(&mut words, &mut letters);
        self.letters.set(letters);
        ty.with_context(|| format!("failed to read BTF type {}", id.0))
    }

    /// Ids of the types of which `is_wanted` says so, told kind (`BTF_KIND_*`) and name, in order.
    pub fn find(&self, is_wanted: impl Fn(u32, &[u8]) -> bool) -> Result<Vec<TypeId>> {
        let mut found = Vec::new();
        for (id, head) in (self.btf.base.end..).zip(self.btf.heads()) {
            let head = head?;
            if head.name != 0 && is_wanted(head.kind, self.btf.name_bytes(head.name)?) {
                found.push(TypeId(id));
            }
        }
        Ok(found)
    }
}

/// Bytes that every type has at least.
const HEAD_LEN: usize = 12;

/// What all types begin with. The kernel has so many that decoding them whole takes its time.
pub(super) struct Head {
    /// In the type section.
    pub(super) offset: usize,
    /// `BTF_KIND_*`
    pub(super) kind: u32,
    /// Offset of the name.
    pub(super) name: u32,
}

/// The heads of all types of a type section.
struct Heads<'a> {
    types: &'a [u8],
    offset: usize,
}

impl Heads<'_> {
    fn read(&mut self) -> Result<Head> {
        let head = self.types.get(self.offset..).and_then(<[u8]>::first_chunk::<HEAD_LEN>);
        let head = head.context("the type section is cut off")?;
        let word =
            |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let (name, info) = (word(0), word(4));
        let (kind, vlen) = (info >> 24 & 0x1f, (info & 0xffff) as usize);
        let rest = match kind {
            kind::INT | kind::VAR | kind::DECL_TAG => 4,
            kind::ARRAY => 12,
            kind::STRUCT | kind::UNION | kind::ENUM64 | kind::DATASEC => 12 * vlen,
            kind::ENUM | kind::FUNC_PROTO => 8 * vlen,
            kind::PTR
            | kind::FWD
            | kind::TYPEDEF
            | kind::VOLATILE
            | kind::CONST
            | kind::RESTRICT
            | kind::FUNC
            | kind::FLOAT
            | kind::TYPE_TAG => 0,
            unknown => bail!("kind {unknown} is not known"),
        };
        let offset = self.offset;
        self.offset += HEAD_LEN + rest;
        ensure!(self.offset <= self.types.len(), "the type section is cut off");
        Ok(Head { offset, kind, name })
    }
}

impl Iterator for Heads<'_> {
    type Item = Result<Head>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.offset >= self.types.len() {
            return None;
        }
        let head = self.read();
        if head.is_err() {
            self.offset = self.types.len();
        }
        Some(head)
    }
}

fn linkage(number: u32) -> Result<Linkage> {
    Ok(match number {
        0 => Linkage::Static,
        1 => Linkage::Global,
        2 => Linkage::Extern,
        other => bail!("linkage {other} is not known"),
    })
}

/// Little-endian words, one after the other.
struct Words<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl Words<'_> {
    fn is_at_end(&self) -> bool {
        self.offset >= self.bytes.len()
    }

    fn next(&mut self) -> Option<u32> {
        let word = self.bytes.get(self.offset..)?.first_chunk()?;
        self.offset += 4;
        Some(u32::from_le_bytes(*word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::btf::encode::Encoded;
    use proptest::prelude::*;

    fn name() -> impl Strategy<Value = Name<'static>> {
        "[a-z_][a-z0-9_]{0,6}".prop_map(Name::from)
    }

    fn id() -> impl Strategy<Value = TypeId> {
        (0u32..40).prop_map(TypeId)
    }

    fn linkage() -> impl Strategy<Value = Linkage> {
        prop_oneof![Just(Linkage::Static), Just(Linkage::Global), Just(Linkage::Extern)]
    }

    fn composite() -> impl Strategy<Value = Composite<'static>> {
        let member = (name(), id(), 0u32..1000, 0u8..64).prop_map(
            |(name, ty, bit_offset, bitfield_size)| Member { name, ty, bit_offset, bitfield_size },
        );
        (name(), any::<u32>(), prop::collection::vec(member, 0..6))
            .prop_map(|(name, size, members)| Composite { name, size, members })
    }

    /// Any type of any kind, as far as the format can say it.
    fn any_type() -> impl Strategy<Value = Type<'static>> {
        let encoding = any::<(bool, bool, bool)>().prop_map(|(signed, char, bool)| IntEncoding {
            signed,
            char,
            bool,
        });
        let param = (name(), id()).prop_map(|(name, ty)| Param { name, ty });
        prop_oneof![
            (name(), any::<u32>(), encoding, any::<u8>(), any::<u8>()).prop_map(
                |(name, size, encoding, bit_offset, bits)| Type::Int {
                    name,
                    size,
                    encoding,
                    bit_offset,
                    bits
                }
            ),
            id().prop_map(Type::Ptr),
            (id(), id(), any::<u32>()).prop_map(|(element, index, count)| Type::Array {
                element,
                index,
                count
            }),
            composite().prop_map(Type::Struct),
            composite().prop_map(Type::Union),
            (
                name(),
                any::<u32>(),
                any::<bool>(),
                prop::collection::vec((name(), any::<u32>()), 0..6)
            )
                .prop_map(|(name, size, signed, values)| Type::Enum {
                    name,
                    size,
                    signed,
                    values
                }),
            (name(), any::<bool>()).prop_map(|(name, union)| Type::Fwd { name, union }),
            (name(), id()).prop_map(|(name, target)| Type::Typedef { name, target }),
            id().prop_map(Type::Volatile),
            id().prop_map(Type::Const),
            id().prop_map(Type::Restrict),
            (name(), id(), linkage()).prop_map(|(name, proto, linkage)| Type::Func {
                name,
                proto,
                linkage
            }),
            (id(), prop::collection::vec(param, 0..6))
                .prop_map(|(ret, params)| Type::FuncProto { ret, params }),
            (name(), id(), linkage()).prop_map(|(name, target, linkage)| Type::Var {
                name,
                target,
                linkage
            }),
            (name(), any::<u32>(), prop::collection::vec((id(), any::<u32>(), any::<u32>()), 0..6))
                .prop_map(|(name, size, vars)| Type::Datasec { name, size, vars }),
            (name(), any::<u32>()).prop_map(|(name, size)| Type::Float { name, size }),
            (name(), id(), any::<i32>()).prop_map(|(value, target, component)| Type::DeclTag {
                value,
                target,
                component
            }),
            (name(), id()).prop_map(|(value, target)| Type::TypeTag { value, target }),
            (
                name(),
                any::<u32>(),
                any::<bool>(),
                prop::collection::vec((name(), any::<u64>()), 0..6)
            )
                .prop_map(|(name, size, signed, values)| Type::Enum64 {
                    name,
                    size,
                    signed,
                    values
                }),
        ]
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(types in prop::collection::vec(any_type(), 0..20)) {
            let bytes = Encoded::new(&types, 0).unwrap().to_bytes().unwrap();
            let btf = Btf::parse(&bytes).unwrap();
            let functions = types.iter().filter(|ty| matches!(ty, Type::Func { .. }));
            let names = functions.map(|ty| ty.name().as_bytes());
            prop_assert!(btf.functions().map(Result::unwrap).eq(names));
            let read = btf.types().collect::<Result<Vec<_>>>().unwrap();
            prop_assert!(read.iter().map(|(id, _)| id.0).eq(1..=types.len() as u32));
            prop_assert!(read.into_iter().map(|(_, ty)| ty).eq(types));
        }

        #[test]
        fn what_continues_a_base_is_decoded(
            base in prop::collection::vec(any_type(), 1..8),
            types in prop::collection::vec(any_type(), 0..8),
        ) {
            let base_encoded = Encoded::new(&base, 0).unwrap();
            let split = Encoded::new(&types, base_encoded.strings.len() as u32).unwrap();
            let (base_bytes, bytes) = (base_encoded.to_bytes().unwrap(), split.to_bytes().unwrap());
            let read = Btf::parse_split(&bytes, &Btf::parse(&base_bytes).unwrap()).unwrap();
            let read = read.types().collect::<Result<Vec<_>>>().unwrap();
            let first = base.len() as u32 + 1;
            prop_assert!(read.iter().map(|(id, _)| id.0).eq(first..first + types.len() as u32));
            prop_assert!(read.into_iter().map(|(_, ty)| ty).eq(types));
        }

        #[test]
        fn no_bytes_make_the_reader_panic(
            types in prop::collection::vec(any_type(), 0..8),
            damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
            length in any::<prop::sample::Index>(),
        ) {
            let mut bytes = Encoded::new(&types, 0).unwrap().to_bytes().unwrap();
            for (index, byte) in damage {
                let index = index.index(bytes.len());
                bytes[index] = byte;
            }
            bytes.truncate(length.index(bytes.len() + 1));
            if let Ok(btf) = Btf::parse(&bytes) {
                let _ = btf.types().count();
            }
        }
    }

    #[test]
    fn errors_name_the_place() {
        let bytes = Encoded::new([&Type::Ptr(TypeId(1))], 0).unwrap().to_bytes().unwrap();
        let error = Btf::parse(&bytes[..30]).unwrap_err();
        assert!(error.to_string().contains("type section (offset 0, 12 bytes)"), "{error}");
        assert!(Btf::parse(b"\xeb\x9f\x01").is_err());
        let error = Btf::parse(b"\x7fELF").unwrap_err();
        assert!(error.to_string().contains("magic"), "{error}");
    }
}
