// SPDX-License-Identifier: MIT OR Apache-2.0
//! Writing BTF.

use std::hash::BuildHasher as _;
use std::ptr;

use hashbrown::hash_table::Entry;
use hashbrown::{DefaultHashBuilder, HashTable};

use super::{
    Composite, HEADER_LEN, IntEncoding, Linkage, MAGIC, MAX_BITFIELD_OFFSET, MAX_VLEN, Type,
    VERSION,
};
use anyhow::{Result, bail, ensure};

/// A string section under construction: each string once, offset 0 is the empty one.
#[derive(Debug)]
pub struct Strings {
    /// Length of the base's string section, where this one's offsets begin; 0 without a base.
    start: u32,
    bytes: Vec<u8>,
    /// Where the strings begin in `bytes`.
    known: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl Strings {
    /// An empty section. `base_len` is the length of the base's string section, 0 without a base.
    pub fn new(base_len: u32) -> Self {
        // The kernel wants a section without a base to begin with the empty string.
        let bytes = if base_len == 0 { vec![0] } else { Vec::new() };
        let (known, hasher) = (HashTable::new(), DefaultHashBuilder::default());
        Strings { start: base_len, bytes, known, hasher }
    }

    /// Offset of `string`, which is added if it is new.
    ///
    /// A NUL would end the string early for every reader, so one is an error, as is a section that
    /// outgrows 32 bits.
    pub fn add(&mut self, string: &str) -> Result<u32> {
        if string.is_empty() {
            return Ok(0);
        }
        let (bytes, hasher) = (&mut self.bytes, &self.hasher);
        let hash = hasher.hash_one(string.as_bytes());
        let is_same = |&at: &u32| {
            let rest = &bytes[at as usize..];
            rest.starts_with(string.as_bytes()) && rest.get(string.len()) == Some(&0)
        };
        let rehash = |&at: &u32| hasher.hash_one(string_at(bytes, at));
        match self.known.entry(hash, is_same, rehash) {
            Entry::Occupied(found) => Ok(self.start + found.get()),
            Entry::Vacant(place) => {
                ensure!(!string.contains('\0'), "name {string:?} contains a NUL byte");
                let end = bytes.len() + string.len() + 1;
                let end = u32::try_from(end).ok().and_then(|end| end.checked_add(self.start));
                ensure!(end.is_some(), "the names need more than 4 GiB");
                let at = bytes.len() as u32;
                place.insert(at);
                bytes.extend_from_slice(string.as_bytes());
                bytes.push(0);
                Ok(self.start + at)
            }
        }
    }

    /// The section's bytes, filled up with NULs to whole words: what holds it may be aligned, and
    /// the kernel accepts no bytes that belong to no section.
    pub fn into_bytes(mut self) -> Vec<u8> {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        self.bytes
    }
}

/// The names of types as they are added to a string section. The same one is mostly in the same place
/// of memory each time, where it is found without a look at its letters.
struct Names<'a> {
    all: Strings,
    /// Some of those that were added last, with their offsets.
    recent: Vec<(&'a str, u32)>,
}

impl<'a> Names<'a> {
    const RECENT: usize = 1 << 12;

    fn new(base_len: u32) -> Self {
        Names { all: Strings::new(base_len), recent: vec![("", 0); Self::RECENT] }
    }

    /// Offset of `name`, which is added if it is new.
    fn add(&mut self, name: &'a str) -> Result<u32> {
        let address = name.as_ptr().addr();
        let place = (address ^ address >> 12) % Self::RECENT;
        let (known, offset) = self.recent[place];
        if ptr::eq(known, name) {
            return Ok(offset);
        }
        let offset = self.all.add(name)?;
        self.recent[place] = (name, offset);
        Ok(offset)
    }
}

/// The string that begins at `at`.
fn string_at(bytes: &[u8], at: u32) -> &[u8] {
    let rest = &bytes[at as usize..];
    &rest[..memchr::memchr(0, rest).unwrap_or(rest.len())]
}

/// BTF in its parts, so that the caller may write it as bytes or as source text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    words: Vec<u32>,
    /// Where in `words` each type ends.
    ends: Vec<usize>,
    /// The string section.
    pub strings: Vec<u8>,
}

impl Encoded {
    /// Encodes `types`, whose first one follows the last of the base (or `void`).
    /// `base_strings_len` is the length of the base's string section, 0 without a base.
    ///
    /// Fails where a type exceeds what the format can say.
    pub fn new<'a>(
        types: impl IntoIterator<Item = &'a Type<'a>>,
        base_strings_len: u32,
    ) -> Result<Self> {
        let mut strings = Names::new(base_strings_len);
        let (mut words, mut ends) = (Vec::new(), Vec::new());
        for ty in types {
            add_words(&mut words, ty, &mut strings)?;
            ends.push(words.len());
        }
        Ok(Encoded { words, ends, strings: strings.all.into_bytes() })
    }

    /// The words of each type, in order.
    pub fn types(&self) -> impl Iterator<Item = &[u32]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        // As many as there are ends.
        self.ends.iter().zip(starts).map(|(&end, start)| &self.words[start..end])
    }

    /// The words of all types.
    pub fn words(&self) -> &[u32] {
        &self.words
    }

    /// The header, as the six words it consists of.
    pub fn header(&self) -> Result<[u32; 6]> {
        let types_len = self.words.len() * 4;
        let (Ok(types_len), Ok(strings_len)) =
            (u32::try_from(types_len), u32::try_from(self.strings.len()))
        else {
            bail!("the types need more than 4 GiB");
        };
        let magic_version_flags = u32::from(MAGIC) | u32::from(VERSION) << 16;
        Ok([magic_version_flags, HEADER_LEN, 0, types_len, types_len, strings_len])
    }

    /// The whole as bytes, little-endian.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let header = self.header()?;
        let len = (header.len() + self.words.len()) * 4 + self.strings.len();
        let mut bytes = Vec::with_capacity(len);
        for word in header.iter().chain(&self.words) {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        bytes.extend_from_slice(&self.strings);
        Ok(bytes)
    }
}

/// Adds the words of one type: `struct btf_type` and what follows it.
fn add_words<'a>(words: &mut Vec<u32>, ty: &'a Type<'_>, strings: &mut Names<'a>) -> Result<()> {
    let name = match ty {
        // Restrict, const and their like have no names; tags keep theirs in the same field.
        _ if ty.name().is_empty() => 0,
        _ => strings.add(ty.name())?,
    };
    let start = words.len();
    // The info and the size or type are known when the rest is.
    words.extend([name, 0, 0]);
    let tail = &mut *words;
    let (flag, vlen, size_or_type) = match ty {
        Type::Int { size, encoding, bit_offset, bits, .. } => {
            tail.push(
                int_encoding(*encoding) << 24 | u32::from(*bit_offset) << 16 | u32::from(*bits),
            );
            (false, 0, *size)
        }
        Type::Ptr(target)
        | Type::Volatile(target)
        | Type::Const(target)
        | Type::Restrict(target)
        | Type::Typedef { target, .. }
        | Type::TypeTag { target, .. } => (false, 0, target.0),
        Type::Array { element, index, count } => {
            tail.extend([element.0, index.0, *count]);
            (false, 0, 0)
        }
        Type::Struct(composite) | Type::Union(composite) => {
            let flag = members(composite, strings, tail)?;
            (flag, composite.members.len(), composite.size)
        }
        Type::Enum { size, signed, values, .. } => {
            for (name, value) in values {
                tail.extend([strings.add(name)?, *value]);
            }
            (*signed, values.len(), *size)
        }
        Type::Enum64 { size, signed, values, .. } => {
            for (name, value) in values {
                let (low, high) = (*value as u32, (*value >> 32) as u32);
                tail.extend([strings.add(name)?, low, high]);
            }
            (*signed, values.len(), *size)
        }
        Type::Fwd { union, .. } => (*union, 0, 0),
        Type::Func { proto, linkage, .. } => (false, linkage_number(*linkage) as usize, proto.0),
        Type::FuncProto { ret, params } => {
            for param in params {
                tail.extend([strings.add(&param.name)?, param.ty.0]);
            }
            (false, params.len(), ret.0)
        }
        Type::Var { target, linkage, .. } => {
            tail.push(linkage_number(*linkage));
            (false, 0, target.0)
        }
        Type::Datasec { size, vars, .. } => {
            tail.extend(vars.iter().flat_map(|(id, offset, size)| [id.0, *offset, *size]));
            (false, vars.len(), *size)
        }
        Type::Float { size, .. } => (false, 0, *size),
        Type::DeclTag { target, component, .. } => {
            tail.push(*component as u32);
            (false, 0, target.0)
        }
    };
    ensure!(
        vlen <= MAX_VLEN,
        "{} '{}' has {vlen} parts, BTF can express {MAX_VLEN}",
        ty.kind_name(),
        ty.name()
    );
    let info = u32::from(flag) << 31 | ty.kind() << 24 | vlen as u32;
    words[start + 1..start + 3].copy_from_slice(&[info, size_or_type]);
    Ok(())
}

/// Writes the members to `tail`; says whether their offsets carry bit-field sizes (`kind_flag`).
fn members<'a>(
    composite: &'a Composite<'_>,
    strings: &mut Names<'a>,
    tail: &mut Vec<u32>,
) -> Result<bool> {
    let flag = composite.members.iter().any(|member| member.bitfield_size != 0);
    for member in &composite.members {
        ensure!(
            !flag || member.bit_offset <= MAX_BITFIELD_OFFSET,
            "member '{}' of '{}' lies too far from its start for a struct with bit-fields",
            member.name,
            composite.name
        );
        let size = if flag { u32::from(member.bitfield_size) << 24 } else { 0 };
        tail.extend([strings.add(&member.name)?, member.ty.0, size | member.bit_offset]);
    }
    Ok(flag)
}

fn int_encoding(encoding: IntEncoding) -> u32 {
    u32::from(encoding.signed) | u32::from(encoding.char) << 1 | u32::from(encoding.bool) << 2
}

fn linkage_number(linkage: Linkage) -> u32 {
    match linkage {
        Linkage::Static => 0,
        Linkage::Global => 1,
        Linkage::Extern => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::btf::{Name, TypeId};

    #[test]
    fn strings_are_stored_once_and_offsets_continue_the_base() {
        let mut strings = Strings::new(10);
        let a = strings.add("a").unwrap();
        assert_eq!(a, 10);
        assert_eq!(strings.add("b").unwrap(), 12);
        assert_eq!(strings.add("a").unwrap(), a);
        assert_eq!(strings.add("").unwrap(), 0);
        assert_eq!(strings.into_bytes(), b"a\0b\0");
    }

    #[test]
    fn a_name_with_nul_is_refused() {
        assert!(Strings::new(0).add("a\0b").is_err());
    }

    #[test]
    fn more_members_than_vlen_can_say_are_refused() {
        let values = vec![(Name::from("x"), 0); MAX_VLEN + 1];
        let ty = Type::Enum { name: "e".into(), size: 4, signed: false, values };
        assert!(Encoded::new([&ty], 0).is_err());
    }

    #[test]
    fn pointer_to_void_is_three_words() {
        let encoded = Encoded::new([&Type::Ptr(TypeId::VOID)], 0).unwrap();
        assert_eq!(encoded.types().collect::<Vec<_>>(), [[0, 2 << 24, 0]]);
        assert_eq!(encoded.header().unwrap(), [0x0001_eb9f, 24, 0, 12, 12, 4]);
    }
}
