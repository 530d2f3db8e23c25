// SPDX-License-Identifier: MIT OR Apache-2.0
//! From a path in a policy to a field in an object.

use anyhow::{Context as _, Result, bail, ensure};

use super::grant::{Path, Step};
use crate::btf::view::View;
use crate::btf::{Composite, IntEncoding, Type, TypeId};
use crate::nearest;

/// Structs without a name may be in each other; nobody looks deeper.
const MAX_DEPTH: usize = 32;
/// If there are no more members, all are named where one is missing.
const NAMES_SHOWN: usize = 8;

/// Types, and which of them is an `int` that a base has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Types<'t, 'a> {
    pub(crate) view: View<'t, 'a>,
    pub(crate) int: Option<TypeId>,
}

/// A field that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field {
    /// Where the pointers are that lead to its object, in bytes.
    pub(super) follow: Vec<u32>,
    /// Where it is in that one.
    pub(super) bit_offset: u32,
    /// How many bits it has, if it is a bit-field.
    pub(super) bits: Option<u8>,
    pub(super) ty: TypeId,
    /// Whether the application has promised not to change it.
    pub(super) is_const: bool,
}

/// A number, as memory holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Number {
    /// 1, 2, 4 or 8.
    pub(crate) bytes: u8,
    pub(crate) signed: bool,
    pub(crate) bool: bool,
}

impl<'t> Types<'t, '_> {
    /// The struct that `id` is, typedefs aside.
    pub(super) fn object(&self, id: TypeId) -> Result<&'t Composite<'t>> {
        match self.view.get(self.view.bare(id)) {
            Some(Type::Struct(composite)) => Ok(composite),
            Some(Type::Union(_)) => bail!("it is a union; only structs have views and accessors"),
            _ => bail!("it is no struct"),
        }
    }

    /// The field that `path` leads to from the struct `object`.
    ///
    /// Fails for one that there is not, and says what is called nearly so.
    pub(super) fn field(&self, object: TypeId, path: &Path) -> Result<Field> {
        let mut field =
            Field { follow: Vec::new(), bit_offset: 0, bits: None, ty: object, is_const: false };
        let mut before = None;
        for step in &path.steps {
            self.step(&mut field, step, before)?;
            before = Some(step.member.as_str());
        }
        Ok(field)
    }

    /// Goes on from `field`, called `before`, to a member of it.
    fn step(&self, field: &mut Field, step: &Step, before: Option<&str>) -> Result<()> {
        let before = before.unwrap_or_default();
        let pointer = match self.view.get(self.view.bare(field.ty)) {
            Some(Type::Ptr(_)) => true,
            Some(Type::Struct(_) | Type::Union(_)) => false,
            _ => bail!("'{before}' has no members"),
        };
        if step.arrow != pointer {
            match pointer {
                true => bail!("'{before}' is a pointer: its member is '{before}->{}'", step.member),
                false => {
                    bail!("'{before}' is no pointer: its member is '{before}.{}'", step.member)
                }
            }
        }
        if pointer {
            let target = self.view.pointee(field.ty);
            let target = target
                .with_context(|| format!("'{before}' points to no struct with a known layout"))?;
            field.follow.push(field.bit_offset / 8);
            (field.ty, field.bit_offset, field.is_const) = (target, 0, false);
        }
        let at = self.view.bare(field.ty);
        let Some((offset, ty, bits)) = self.member(at, &step.member, 0) else {
            let mut names = Vec::new();
            self.names(at, &mut names, 0);
            let near = match nearest::hint(&step.member, names.iter().copied()) {
                hint if !hint.is_empty() => hint,
                _ if names.is_empty() || names.len() > NAMES_SHOWN => String::new(),
                _ => format!("; it has {}", names.join(", ")),
            };
            let name = self.view.get(at).map(|ty| ty.name().to_string()).unwrap_or_default();
            let name = if name.is_empty() { "the struct".to_owned() } else { format!("'{name}'") };
            bail!("{name} has no member '{}'{near}", step.member);
        };
        let sum = field.bit_offset.checked_add(offset);
        field.bit_offset = sum.context("the struct is too large")?;
        (field.ty, field.bits) = (ty, bits);
        field.is_const |= self.is_const(ty);
        Ok(())
    }

    /// Where the member `name` of the struct or union `at` is, in bits; its type, and how many bits it
    /// has if it is a bit-field. Members of members without a name are its own.
    fn member(&self, at: TypeId, name: &str, depth: usize) -> Option<(u32, TypeId, Option<u8>)> {
        let members = self.members(at, depth)?;
        members.iter().find_map(|member| {
            if member.name == name {
                let bits = Some(member.bitfield_size).filter(|bits| *bits > 0);
                return Some((member.bit_offset, member.ty, bits));
            }
            let inner = self.view.bare(member.ty);
            let inner = self.member(inner, name, depth + 1).filter(|_| member.name.is_empty())?;
            Some((member.bit_offset.checked_add(inner.0)?, inner.1, inner.2))
        })
    }

    /// The names of the members of `at`.
    fn names(&self, at: TypeId, names: &mut Vec<&'t str>, depth: usize) {
        for member in self.members(at, depth).unwrap_or_default() {
            match member.name.is_empty() {
                true => self.names(self.view.bare(member.ty), names, depth + 1),
                false => names.push(&member.name),
            }
        }
    }

    fn members(&self, at: TypeId, depth: usize) -> Option<&'t [crate::btf::Member<'t>]> {
        match self.view.get(at)? {
            Type::Struct(composite) | Type::Union(composite) if depth < MAX_DEPTH => {
                Some(&composite.members)
            }
            _ => None,
        }
    }

    /// Whether a qualifier around `id` says `const`; that of an array is on its elements.
    fn is_const(&self, id: TypeId) -> bool {
        let mut at = id;
        for _ in 0..MAX_DEPTH {
            at = match self.view.get(at) {
                Some(Type::Const(_)) => return true,
                Some(Type::Array { element, .. }) => *element,
                Some(ty) => match ty.modified() {
                    Some(target) => target,
                    None => return false,
                },
                None => return false,
            };
        }
        false
    }

    /// The number that `id` is; why it is none.
    pub(super) fn number(&self, id: TypeId) -> Result<Number> {
        let id = self.view.bare(id);
        if Some(id) == self.int {
            return Ok(Number { bytes: 4, signed: true, bool: false });
        }
        let (size, signed, bool) = match self.view.get(id) {
            Some(Type::Int { size, encoding: IntEncoding { signed, bool, .. }, .. }) => {
                (*size, *signed, *bool)
            }
            Some(Type::Enum { size, signed, .. } | Type::Enum64 { size, signed, .. }) => {
                (*size, *signed, false)
            }
            Some(Type::Ptr(_)) => bail!("a pointer, which an extension could make lead anywhere"),
            Some(Type::Float { .. }) => bail!("a floating-point number, which BPF has none of"),
            Some(Type::Struct(_) | Type::Union(_)) => {
                bail!("a whole struct: name one of its fields")
            }
            Some(Type::Array { .. }) => bail!("an array"),
            _ => bail!("no number"),
        };
        ensure!(matches!(size, 1 | 2 | 4 | 8), "a number of {size} bytes");
        // One of four values.
        Ok(Number { bytes: size as u8, signed: signed && !bool, bool })
    }

    /// The elements of the array `id`, those of arrays in it one after the other: their type, and how
    /// many there are. `None` if it is none.
    pub(super) fn elements(&self, id: TypeId) -> Option<(TypeId, u32)> {
        let (mut at, mut count) = (self.view.bare(id), None);
        for _ in 0..MAX_DEPTH {
            let Some(Type::Array { element, count: more, .. }) = self.view.get(at) else { break };
            count = Some(count.unwrap_or(1u32).checked_mul(*more)?);
            at = self.view.bare(*element);
        }
        count.map(|count| (at, count))
    }

    /// The number or struct `id` as C spells it.
    pub(super) fn spelled(&self, id: TypeId) -> String {
        let mut at = id;
        for _ in 0..MAX_DEPTH {
            at = match self.view.get(at) {
                Some(Type::Const(target) | Type::Volatile(target) | Type::Restrict(target)) => {
                    *target
                }
                Some(Type::Enum { name, .. } | Type::Enum64 { name, .. }) => {
                    return match name.is_empty() {
                        true => "int".to_owned(),
                        false => format!("enum {name}"),
                    };
                }
                Some(Type::Struct(composite)) => return format!("struct {}", composite.name),
                Some(ty) => return ty.name().to_string(),
                None => return "int".to_owned(),
            };
        }
        "int".to_owned()
    }
}
