// SPDX-License-Identifier: MIT OR Apache-2.0
//! What bytes mean, by their type: the events, keys and values of a program, decoded by its BTF.

use std::cell::Cell;
use std::fmt::{self, Write as _};

use serde::ser::{Serialize, SerializeMap as _, SerializeSeq as _, Serializer};
use ufunc_gen::btf::decode::Btf;
use ufunc_gen::btf::{Composite, Type, TypeId};

use anyhow::Result;

/// How deep types may be nested; deeper ones are shown as their bytes.
const DEPTH_MAX: u32 = 32;
/// How many values one event or map entry may have: members of unions may double with each level.
const VALUES_MAX: u32 = 1 << 20;

/// Decoded bytes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Unsigned(u128),
    Signed(i128),
    Float(f64),
    Bool(bool),
    Pointer(u64),
    /// A string in an array of `char`.
    Text(String),
    /// The name of an enum's value, or its number if it has none.
    Enum(Result<String, i128>),
    List(Vec<Value>),
    /// Members in their order; those of anonymous structs are among them.
    Fields(Vec<(String, Value)>),
    /// What has no type here, or is cut off.
    Bytes(Vec<u8>),
}

/// How many bytes are shown of a member whose type does not say its size.
const UNKNOWN_MAX: usize = 64;

/// How much more may be decoded.
#[derive(Clone, Copy)]
struct Limit<'a> {
    depth: u32,
    left: &'a Cell<u32>,
}

impl Limit<'_> {
    /// What is left for a value within this one.
    fn deeper(self) -> Option<Self> {
        self.left.set(self.left.get().checked_sub(1)?);
        Some(Limit { depth: self.depth.checked_sub(1)?, ..self })
    }
}

/// The types of an object.
#[derive(Debug)]
pub(crate) struct Types {
    types: Vec<Type<'static>>,
}

impl Types {
    /// Reads the BTF `bytes`.
    pub(crate) fn read(bytes: &[u8]) -> Result<Types> {
        // Number 0 is `void`, which nothing is decoded as.
        let mut types = vec![Type::Fwd { name: "void".into(), union: false }];
        for item in Btf::parse(bytes)?.types() {
            types.push(owned(item?.1));
        }
        Ok(Types { types })
    }

    pub(crate) fn get(&self, id: TypeId) -> Option<&Type<'static>> {
        self.types.get(id.0 as usize)
    }

    /// All types with their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (TypeId, &Type<'static>)> {
        self.types.iter().enumerate().map(|(id, ty)| (TypeId(id as u32), ty))
    }

    /// What `id` is below its typedefs and qualifiers.
    pub(crate) fn unwrapped(&self, mut id: TypeId) -> TypeId {
        // A chain of distinct types is no longer than there are types.
        for _ in 0..self.types.len() {
            match self.get(id).and_then(Type::modified) {
                Some(target) => id = target,
                None => break,
            }
        }
        id
    }

    /// Size in bytes; `None` for what has none, or for types that nest without end.
    pub(crate) fn size(&self, id: TypeId) -> Option<usize> {
        let (mut id, mut count) = (id, 1_usize);
        for _ in 0..self.types.len() {
            id = self.unwrapped(id);
            let size = match self.get(id)? {
                Type::Int { size, .. }
                | Type::Enum { size, .. }
                | Type::Enum64 { size, .. }
                | Type::Float { size, .. }
                | Type::Datasec { size, .. } => *size as usize,
                Type::Struct(composite) | Type::Union(composite) => composite.size as usize,
                Type::Ptr(_) => 8,
                Type::Array { element, count: elements, .. } => {
                    count = count.checked_mul(*elements as usize)?;
                    id = *element;
                    continue;
                }
                Type::Var { target, .. } => {
                    id = *target;
                    continue;
                }
                _ => return None,
            };
            return count.checked_mul(size);
        }
        None
    }

    /// `bytes` as a value of the type `id`.
    pub(crate) fn decode(&self, id: TypeId, bytes: &[u8]) -> Value {
        if self.size(id).is_none_or(|size| size > bytes.len()) {
            return Value::Bytes(bytes.to_owned());
        }
        let left = Cell::new(VALUES_MAX);
        self.decode_nested(id, bytes, Limit { depth: DEPTH_MAX, left: &left })
    }

    fn decode_nested(&self, id: TypeId, bytes: &[u8], limit: Limit<'_>) -> Value {
        let whole = || Value::Bytes(bytes[..bytes.len().min(UNKNOWN_MAX)].to_owned());
        let id = self.unwrapped(id);
        let Some(limit) = limit.deeper() else { return whole() };
        let bytes = match self.size(id) {
            Some(size) if size <= bytes.len() => &bytes[..size],
            _ => return whole(),
        };
        match self.get(id) {
            Some(Type::Int { encoding, bits, bit_offset, .. }) => {
                let raw = little_endian(bytes) >> (*bit_offset).min(127);
                integer(raw, u32::from(*bits), encoding.signed, encoding.bool)
            }
            Some(Type::Float { size, .. }) => match size {
                4 => Value::Float(f32::from_bits(little_endian(bytes) as u32).into()),
                8 => Value::Float(f64::from_bits(little_endian(bytes) as u64)),
                _ => whole(),
            },
            Some(Type::Ptr(_)) => Value::Pointer(little_endian(bytes) as u64),
            Some(Type::Enum { signed, values, .. }) => {
                let raw = little_endian(bytes);
                let named = values.iter().find(|(_, value)| u128::from(*value) == raw);
                enumerator(named.map(|(name, _)| name), raw, bytes.len(), *signed)
            }
            Some(Type::Enum64 { signed, values, .. }) => {
                let raw = little_endian(bytes);
                let named = values.iter().find(|(_, value)| u128::from(*value) == raw);
                enumerator(named.map(|(name, _)| name), raw, bytes.len(), *signed)
            }
            Some(Type::Array { element, count, .. }) => {
                self.array(*element, *count as usize, bytes, limit)
            }
            Some(Type::Struct(composite) | Type::Union(composite)) => {
                let mut fields = Vec::new();
                self.members(composite, bytes, limit, &mut fields);
                Value::Fields(fields)
            }
            Some(Type::Datasec { vars, .. }) => {
                let field = |(id, offset, size): &(TypeId, u32, u32)| {
                    let Some(Type::Var { name, target, .. }) = self.get(*id) else { return None };
                    let start = *offset as usize;
                    let value = bytes.get(start..start.checked_add(*size as usize)?)?;
                    Some((name.to_string(), self.decode_nested(*target, value, limit)))
                };
                Value::Fields(vars.iter().filter_map(field).collect())
            }
            _ => whole(),
        }
    }

    fn array(&self, element: TypeId, count: usize, bytes: &[u8], limit: Limit<'_>) -> Value {
        if self.is_char(element)
            && let Some(text) = text(bytes)
        {
            return Value::Text(text);
        }
        match self.size(element) {
            Some(size) if size > 0 => {
                let elements = bytes.chunks_exact(size).take(count);
                Value::List(
                    elements.map(|bytes| self.decode_nested(element, bytes, limit)).collect(),
                )
            }
            _ => Value::List(Vec::new()),
        }
    }

    fn is_char(&self, id: TypeId) -> bool {
        match self.get(self.unwrapped(id)) {
            Some(Type::Int { name, size: 1, encoding, .. }) => encoding.char || name == "char",
            _ => false,
        }
    }

    fn members(
        &self,
        composite: &Composite<'_>,
        bytes: &[u8],
        limit: Limit<'_>,
        fields: &mut Vec<(String, Value)>,
    ) {
        for member in &composite.members {
            let start = member.bit_offset as usize / 8;
            let Some(rest) = bytes.get(start..) else { continue };
            if member.bitfield_size > 0 {
                let bits = u32::from(member.bitfield_size);
                let raw = little_endian(rest) >> (member.bit_offset % 8);
                fields.push((member.name.to_string(), self.bitfield(member.ty, raw, bits)));
                continue;
            }
            match self.get(self.unwrapped(member.ty)) {
                Some(Type::Struct(inner) | Type::Union(inner)) if member.name.is_empty() => {
                    match limit.deeper() {
                        Some(limit) => self.members(inner, rest, limit, fields),
                        None => return,
                    }
                }
                _ => fields
                    .push((member.name.to_string(), self.decode_nested(member.ty, rest, limit))),
            }
        }
    }

    fn bitfield(&self, ty: TypeId, raw: u128, bits: u32) -> Value {
        let (signed, bool) = match self.get(self.unwrapped(ty)) {
            Some(Type::Int { encoding, .. }) => (encoding.signed, encoding.bool),
            _ => (false, false),
        };
        integer(raw, bits, signed, bool)
    }

    /// What C calls the type, for messages.
    pub(crate) fn name(&self, id: TypeId) -> String {
        match self.get(id) {
            Some(Type::Struct(composite)) => format!("struct {}", composite.name),
            Some(Type::Union(composite)) => format!("union {}", composite.name),
            Some(ty) if !ty.name().is_empty() => ty.name().to_string(),
            Some(ty) => ty.kind_name().to_lowercase(),
            None => "void".to_owned(),
        }
    }
}

/// Up to the first 16 of `bytes` as a number.
fn little_endian(bytes: &[u8]) -> u128 {
    let mut number = [0; 16];
    let length = bytes.len().min(number.len());
    number[..length].copy_from_slice(&bytes[..length]);
    u128::from_le_bytes(number)
}

fn integer(raw: u128, bits: u32, signed: bool, bool: bool) -> Value {
    let unused = 128_u32.saturating_sub(bits.max(1)).min(127);
    let raw = raw << unused;
    match (bool, signed) {
        (true, _) => Value::Bool(raw != 0),
        (false, true) => Value::Signed(raw as i128 >> unused),
        (false, false) => Value::Unsigned(raw >> unused),
    }
}

fn enumerator(name: Option<impl ToString>, raw: u128, size: usize, signed: bool) -> Value {
    let number = match integer(raw, size as u32 * 8, signed, false) {
        Value::Signed(number) => number,
        _ => raw as i128,
    };
    Value::Enum(name.map(|name| name.to_string()).ok_or(number))
}

/// The string that an array of `char` holds: all up to the NUL, or up to the end.
fn text(bytes: &[u8]) -> Option<String> {
    let end = memchr::memchr(0, bytes).unwrap_or(bytes.len());
    let text = std::str::from_utf8(&bytes[..end]).ok()?;
    Some(text.to_owned())
}

/// The type without borrowing from the bytes that it was read from.
fn owned(ty: Type<'_>) -> Type<'static> {
    fn name(name: ufunc_gen::btf::Name<'_>) -> ufunc_gen::btf::Name<'static> {
        name.into_owned().into()
    }
    fn composite(from: Composite<'_>) -> Composite<'static> {
        let member = |member: ufunc_gen::btf::Member<'_>| ufunc_gen::btf::Member {
            name: name(member.name),
            ty: member.ty,
            bit_offset: member.bit_offset,
            bitfield_size: member.bitfield_size,
        };
        Composite {
            name: name(from.name),
            size: from.size,
            members: from.members.into_iter().map(member).collect(),
        }
    }
    match ty {
        Type::Int { name: n, size, encoding, bit_offset, bits } => {
            Type::Int { name: name(n), size, encoding, bit_offset, bits }
        }
        Type::Ptr(target) => Type::Ptr(target),
        Type::Array { element, index, count } => Type::Array { element, index, count },
        Type::Struct(from) => Type::Struct(composite(from)),
        Type::Union(from) => Type::Union(composite(from)),
        Type::Enum { name: n, size, signed, values } => {
            let values = values.into_iter().map(|(n, value)| (name(n), value)).collect();
            Type::Enum { name: name(n), size, signed, values }
        }
        Type::Enum64 { name: n, size, signed, values } => {
            let values = values.into_iter().map(|(n, value)| (name(n), value)).collect();
            Type::Enum64 { name: name(n), size, signed, values }
        }
        Type::Typedef { name: n, target } => Type::Typedef { name: name(n), target },
        Type::Volatile(target) => Type::Volatile(target),
        Type::Const(target) => Type::Const(target),
        Type::Restrict(target) => Type::Restrict(target),
        Type::Var { name: n, target, linkage } => Type::Var { name: name(n), target, linkage },
        Type::Datasec { name: n, size, vars } => Type::Datasec { name: name(n), size, vars },
        Type::Float { name: n, size } => Type::Float { name: name(n), size },
        Type::TypeTag { value, target } => Type::TypeTag { value: name(value), target },
        // No bytes are decoded as one of the others: nothing but their place matters.
        Type::Fwd { name: n, union } => Type::Fwd { name: name(n), union },
        other => Type::Fwd { name: name(other.name().clone()), union: false },
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Unsigned(number) => write!(f, "{number}"),
            Value::Signed(number) => write!(f, "{number}"),
            Value::Float(number) => write!(f, "{number}"),
            Value::Bool(value) => write!(f, "{value}"),
            Value::Pointer(address) => write!(f, "{address:#x}"),
            Value::Text(text) => write!(f, "{text:?}"),
            Value::Enum(Ok(name)) => f.write_str(name),
            Value::Enum(Err(number)) => write!(f, "{number}"),
            Value::List(values) => {
                f.write_char('[')?;
                for (at, value) in values.iter().enumerate() {
                    write!(f, "{}{value}", if at == 0 { "" } else { ", " })?;
                }
                f.write_char(']')
            }
            Value::Fields(fields) => {
                f.write_char('{')?;
                for (at, (name, value)) in fields.iter().enumerate() {
                    write!(f, "{}{name} = {value}", if at == 0 { "" } else { ", " })?;
                }
                f.write_char('}')
            }
            Value::Bytes(bytes) => write!(f, "bytes {}", hexadecimal(bytes)),
        }
    }
}

/// As in JSON: pointers and bytes are strings of hexadecimal digits, and so is a number that a
/// reader would take for a rounded one.
impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Unsigned(number) => match u64::try_from(*number) {
                Ok(number) => serializer.serialize_u64(number),
                Err(_) => serializer.serialize_str(&number.to_string()),
            },
            Value::Signed(number) | Value::Enum(Err(number)) => match i64::try_from(*number) {
                Ok(number) => serializer.serialize_i64(number),
                Err(_) => serializer.serialize_str(&number.to_string()),
            },
            Value::Float(number) => serializer.serialize_f64(*number),
            Value::Bool(value) => serializer.serialize_bool(*value),
            Value::Pointer(address) => serializer.serialize_str(&format!("{address:#x}")),
            Value::Text(text) | Value::Enum(Ok(text)) => serializer.serialize_str(text),
            Value::List(values) => {
                let mut list = serializer.serialize_seq(Some(values.len()))?;
                values.iter().try_for_each(|value| list.serialize_element(value))?;
                list.end()
            }
            Value::Fields(fields) => {
                let mut map = serializer.serialize_map(Some(fields.len()))?;
                fields.iter().try_for_each(|(name, value)| map.serialize_entry(name, value))?;
                map.end()
            }
            Value::Bytes(bytes) => serializer.serialize_str(&hexadecimal(bytes)),
        }
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use ufunc_gen::btf::encode::Encoded;
    use ufunc_gen::btf::{IntEncoding, Member};

    fn types() -> Types {
        let int = |name: &'static str, size: u32, signed| Type::Int {
            name: name.into(),
            size,
            encoding: IntEncoding { signed, ..Default::default() },
            bit_offset: 0,
            bits: size as u8 * 8,
        };
        let member = |name: &'static str, ty, bit_offset, bitfield_size| Member {
            name: name.into(),
            ty: TypeId(ty),
            bit_offset,
            bitfield_size,
        };
        let list = [
            int("int", 4, true),
            int("char", 1, true),
            Type::Array { element: TypeId(2), index: TypeId(1), count: 8 },
            Type::Enum {
                name: "mode".into(),
                size: 4,
                signed: false,
                values: vec![("OFF".into(), 0), ("ON".into(), 1)],
            },
            Type::Struct(Composite {
                name: "".into(),
                size: 4,
                members: vec![member("low", 1, 0, 3), member("high", 1, 3, 5)],
            }),
            Type::Struct(Composite {
                name: "event".into(),
                size: 24,
                members: vec![
                    member("number", 1, 0, 0),
                    member("text", 3, 32, 0),
                    member("mode", 4, 96, 0),
                    member("", 5, 128, 0),
                ],
            }),
            Type::Struct(Composite {
                name: "endless".into(),
                size: 4,
                members: vec![member("again", 7, 0, 0)],
            }),
        ];
        Types::read(&Encoded::new(&list, 0).unwrap().to_bytes().unwrap()).unwrap()
    }

    #[test]
    fn a_struct_is_decoded_by_its_members() {
        let types = types();
        let mut bytes = vec![0xff, 0xff, 0xff, 0xff];
        bytes.extend(b"hello\0\0\0");
        bytes.extend([1, 0, 0, 0, 0b0000_1111, 0, 0, 0, 0, 0, 0, 0]);
        let value = types.decode(TypeId(6), &bytes);
        let expected = "{number = -1, text = \"hello\", mode = ON, low = -1, high = 1}";
        assert_eq!(value.to_string(), expected);
        let json = r#"{"number":-1,"text":"hello","mode":"ON","low":-1,"high":1}"#;
        assert_eq!(serde_json::to_string(&value).unwrap(), json);
    }

    #[test]
    fn what_is_cut_off_or_endless_is_shown_as_bytes() {
        let types = types();
        assert_eq!(types.decode(TypeId(6), &[1, 2]), Value::Bytes(vec![1, 2]));
        assert_eq!(types.decode(TypeId(99), &[1]), Value::Bytes(vec![1]));
        let endless = types.decode(TypeId(7), &[1, 0, 0, 0]).to_string();
        assert!(endless.contains("again = bytes 01000000"), "{endless}");
    }

    #[test]
    fn the_sizes_of_types_are_known() {
        let types = types();
        let sizes = [1, 3, 6, 99].map(|id| types.size(TypeId(id)));
        assert_eq!(sizes, [Some(4), Some(8), Some(24), None]);
    }
}
