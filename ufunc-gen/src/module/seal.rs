// SPDX-License-Identifier: MIT OR Apache-2.0
//! Keeping an extension's own memory from passing for an object of the application.
//!
//! For a kfunc's pointer to a struct of mere numbers the verifier takes any memory of that size,
//! the extension's stack too (`get_kfunc_ptr_arg_type()`), which is meant for plain data. An
//! application's function expects an object that is its own. An array of no pointers at the
//! struct's end takes no room, moves nothing, and makes it one that is not of mere numbers.

use anyhow::{Context as _, Result};

use crate::btf::view::View;
use crate::btf::{Composite, Member, Name, Type, TypeId};

/// How deep the kernel looks into a struct (`__btf_type_is_scalar_struct()`).
const MAX_DEPTH: usize = 4;
/// Name of the added member.
const MEMBER: &str = "ufunc_sealed";

/// Seals those of `objects`, structs and unions among `types`, that need it. The first type has the
/// id `first`; `int` is an integer's id.
pub(super) fn seal<'a>(
    types: &mut Vec<Type<'a>>,
    first: u32,
    int: TypeId,
    objects: impl IntoIterator<Item = TypeId>,
) -> Result<()> {
    let mut array = None;
    for object in objects {
        if !is_plain_data(View::new(types, first), object, MAX_DEPTH) {
            continue;
        }
        let ty = *array.get_or_insert_with(|| {
            let next = first + types.len() as u32;
            types.push(Type::Ptr(TypeId::VOID));
            types.push(Type::Array { element: TypeId(next), index: int, count: 0 });
            TypeId(next + 1)
        });
        let index = (object.0 - first) as usize;
        let (composite, end) = match types.get_mut(index) {
            Some(Type::Struct(composite)) => {
                let end = composite.size.checked_mul(8).context("a struct is too large")?;
                (composite, end)
            }
            Some(Type::Union(composite)) => (composite, 0),
            _ => continue,
        };
        let name = Name::Borrowed(MEMBER);
        composite.members.push(Member { name, ty, bit_offset: end, bitfield_size: 0 });
    }
    Ok(())
}

/// Whether the struct or union `id` has nothing but numbers in it.
fn is_plain_data(types: View<'_, '_>, id: TypeId, depth: usize) -> bool {
    let (
        Some(Type::Struct(Composite { members, .. }) | Type::Union(Composite { members, .. })),
        1..,
    ) = (types.get(id), depth)
    else {
        return false;
    };
    members.iter().all(|member| {
        let ty = types.bare(member.ty);
        match types.get(ty) {
            Some(Type::Struct(_) | Type::Union(_)) => is_plain_data(types, ty, depth - 1),
            Some(Type::Array { element, count, .. }) => {
                *count > 0 && is_scalar(types, types.bare(*element))
            }
            _ => is_scalar(types, ty),
        }
    })
}

fn is_scalar(types: View<'_, '_>, id: TypeId) -> bool {
    match types.get(id) {
        Some(ty) => matches!(ty, Type::Int { .. } | Type::Enum { .. } | Type::Enum64 { .. }),
        // The base has nothing but `int`.
        None => id != TypeId::VOID,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::btf::IntEncoding;

    fn structure(members: &[u32]) -> Type<'static> {
        let member = |(place, &ty): (usize, &u32)| Member {
            name: Name::Borrowed("m"),
            ty: TypeId(ty),
            bit_offset: 64 * place as u32,
            bitfield_size: 0,
        };
        let members = members.iter().enumerate().map(member).collect();
        Type::Struct(Composite { name: Name::Borrowed("s"), size: 64, members })
    }

    fn types() -> Vec<Type<'static>> {
        let array = |count| Type::Array { element: TypeId(2), index: TypeId(1), count };
        let long = Type::Int {
            name: Name::Borrowed("long"),
            size: 8,
            encoding: IntEncoding::default(),
            bit_offset: 0,
            bits: 64,
        };
        vec![
            long,
            Type::Ptr(TypeId(1)),
            array(3),
            array(0),
            structure(&[2, 1, 4]),
            structure(&[3]),
            structure(&[6, 1]),
            structure(&[1, 7]),
            structure(&[1, 5]),
            structure(&[11]),
        ]
    }

    #[test]
    fn structs_of_mere_numbers_are_sealed() {
        for (id, sealed) in [(6, true), (7, false), (8, true), (9, false), (10, false), (11, false)]
        {
            let before = types();
            let mut after = before.clone();
            seal(&mut after, 2, TypeId(1), [TypeId(id)]).unwrap();
            let place = (id - 2) as usize;
            assert_eq!(after[place] != before[place], sealed, "{id}");
            assert_eq!(after.len(), before.len() + 2 * usize::from(sealed), "{id}");
        }
    }

    #[test]
    fn the_seal_is_an_array_of_no_pointers_at_the_end() {
        let mut types = types();
        seal(&mut types, 2, TypeId(1), [TypeId(6), TypeId(6)]).unwrap();
        let Type::Struct(composite) = &types[4] else { panic!("no struct any more") };
        let [.., seal] = composite.members.as_slice() else { panic!("no members") };
        assert_eq!((seal.bit_offset, composite.members.len()), (8 * 64, 4));
        let array = Type::Array { element: TypeId(12), index: TypeId(1), count: 0 };
        assert_eq!(types[(seal.ty.0 - 2) as usize], array);
        assert_eq!(types[10], Type::Ptr(TypeId::VOID));
    }
}
