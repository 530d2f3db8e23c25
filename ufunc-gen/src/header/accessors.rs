// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a header says of accessors.

use anyhow::{Context as _, Result, ensure};

use crate::access::field::Types;
use crate::access::prototype::{Prototype, Value};
use crate::access::{Accessor, Action, at_place};
use crate::btf::view::View;
use crate::btf::{IntEncoding, Param, Type, TypeId};
use crate::metadata::Access;

/// Id of the first type.
const FIRST: u32 = 1;

/// An accessor whose object is one of a header's types.
pub(super) struct Known<'c> {
    pub(super) accessor: &'c Accessor,
    object: TypeId,
    prototype: Prototype,
}

/// Finds the objects of `accessors` among `types`, while these have the application's names.
pub(super) fn find<'c>(types: &[Type<'_>], accessors: &'c [Accessor]) -> Result<Vec<Known<'c>>> {
    let known = Types { view: View::new(types, FIRST), int: None };
    let find = |accessor: &'c Accessor| -> Result<Known<'c>> {
        let name = accessor.object.name.as_str();
        let called = |is_wanted: fn(&Type<'_>) -> bool| {
            let found = types.iter().zip(FIRST..);
            let found = found.filter(|(ty, _)| is_wanted(ty) && ty.name() == name);
            found.map(|(_, id)| TypeId(id)).collect::<Vec<_>>()
        };
        let mut found = called(|ty| matches!(ty, Type::Struct(_)));
        if found.is_empty() && !accessor.object.is_tag {
            found = called(|ty| matches!(ty, Type::Typedef { .. }));
        }
        ensure!(found.len() < 2, "there are {} different types called '{name}'", found.len());
        let object = found.first().copied();
        let object = object.with_context(|| format!("there is no '{}'", accessor.object))?;
        Ok(Known { accessor, object, prototype: Prototype::new(known, object, accessor)? })
    };
    accessors.iter().map(|accessor| at_place(&accessor.place, find(accessor))).collect()
}

/// Adds the prototypes of `accessors` to `types`: their names and ids.
pub(super) fn add<'c>(
    types: &mut Vec<Type<'_>>,
    accessors: &[Known<'c>],
) -> Vec<(&'c str, TypeId)> {
    let mut push = |ty: Type<'static>| {
        types.push(ty);
        TypeId(FIRST - 1 + types.len() as u32)
    };
    let mut added = Vec::new();
    for Known { accessor, object, prototype } in accessors {
        let mut number = |name: &'static str, size: u32, signed| {
            let encoding = IntEncoding { signed, ..IntEncoding::default() };
            let bits = size as u8 * 8;
            push(Type::Int { name: name.into(), size, encoding, bit_offset: 0, bits })
        };
        let mut value = |value: Value| match value {
            Value::Void => TypeId::VOID,
            Value::Address => number("unsigned long long", 8, false),
            Value::Index => number("unsigned int", 4, false),
            Value::Outcome => number("int", 4, true),
            Value::Field(ty, _) => ty,
            // Made below: a pointer.
            Value::Object => TypeId(u32::MAX),
        };
        let mut ret = value(prototype.returns);
        let params = prototype.params.iter();
        let mut params: Vec<_> =
            params.map(|(name, ty)| Param { name: (*name).into(), ty: value(*ty) }).collect();
        let pointer = push(Type::Ptr(*object));
        for ty in params.iter_mut().map(|param| &mut param.ty).chain([&mut ret]) {
            if *ty == TypeId(u32::MAX) {
                *ty = pointer;
            }
        }
        added.push((accessor.kfunc.as_str(), push(Type::FuncProto { ret, params })));
    }
    added
}

/// What an author has to know of `known`, one of `all`.
pub(super) fn comment(known: &Known<'_>, all: &[Known<'_>]) -> String {
    let Known { accessor, prototype, .. } = known;
    let of = accessor.subject();
    let partner = |action: &Action| {
        let of_object = |other: &&Known<'_>| {
            other.accessor.action == *action && other.accessor.family() == accessor.family()
        };
        all.iter()
            .find(of_object)
            .map_or_else(String::new, |known| format!("{}()", known.accessor.kfunc))
    };
    let terms = match (&accessor.action, &prototype.access) {
        (Action::Borrow, _) => format!(
            "Gives a view of the '{of}' at an address, as an argument of the probed function is\n * one, or NULL if there is no memory. Whether it is a '{of}' nobody knows but you.\n * Compare it with NULL, and put it back with {}, once, on every path",
            partner(&Action::Put)
        ),
        (Action::Put, _) => format!("Puts back what {} gave", partner(&Action::Borrow)),
        (Action::Write(_, kinds), _) => {
            let kinds = kinds.map(|kinds| format!(", for {kinds} objects"));
            format!(
                "Sets {of}{}: 0, or -EFAULT if it cannot be written to",
                kinds.unwrap_or_default()
            )
        }
        (Action::Read(_), Access::Read(elements)) => format!(
            "Reads {of}[index]; 0 for an index beyond the last, {}, and where there is no memory",
            elements.count.saturating_sub(1)
        ),
        (Action::Read(_), _) => format!("Reads {of}[index]"),
    };
    // Where the policy is, without its folder; the policy's name is the owner's own.
    let place = accessor.place.rsplit('/').next().unwrap_or_default().escape_debug().to_string();
    format!("/*\n * {terms}.\n *\n * {}\n */\n", place.replace("*/", "* /"))
}
