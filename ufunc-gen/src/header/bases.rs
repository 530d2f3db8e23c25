// SPDX-License-Identifier: MIT OR Apache-2.0
//! Members that have a type with a name and none of their own: the base classes of C++, and the
//! structs that Plan 9's C and D embed.
//!
//! In C such a member declares nothing. What it means is a struct without a name that has the same
//! members: they are then the outer struct's, for C as for libbpf.

use std::collections::HashSet;

use crate::btf::{Composite, Name, Type, TypeId};
use crate::dwarf::MAX_CHAIN;

/// Gives `types`, the first of which has the number 1, structs without a name where C wants them.
pub(super) fn embed(types: &mut Vec<Type<'_>>) {
    for index in 0..types.len() {
        embed_in(types, index, 0);
    }
}

/// Changes the members of the type at `index`, after those of the types that it embeds.
fn embed_in(types: &mut Vec<Type<'_>>, index: usize, depth: usize) {
    let (Type::Struct(composite) | Type::Union(composite)) = &types[index] else { return };
    let has_bases =
        composite.members.iter().any(|member| base(types, &member.name, member.ty).is_some());
    if !has_bases || depth > MAX_CHAIN {
        return;
    }
    let mut members = composite.members.clone();
    let mut taken: HashSet<String> = HashSet::new();
    let named = members.iter().filter(|member| !member.name.is_empty());
    taken.extend(named.map(|member| member.name.to_string()));
    for member in &mut members {
        let Some(at) = base(types, &member.name, member.ty) else {
            continue;
        };
        embed_in(types, at, depth + 1);
        let mut inner = HashSet::new();
        let fits = flat_names(types, at, &mut inner, 0) && taken.is_disjoint(&inner);
        if !fits {
            // Both have a member of one name, which C does not allow: it gets a name of its own.
            member.name = format!("{}_base", types[at].name()).into();
            continue;
        }
        taken.extend(inner);
        let mut copy = types[at].clone();
        if let Type::Struct(composite) | Type::Union(composite) = &mut copy {
            composite.name = Name::default();
        }
        types.push(copy);
        member.ty = TypeId(types.len() as u32);
    }
    if let Type::Struct(composite) | Type::Union(composite) = &mut types[index] {
        composite.members = members;
    }
}

/// The place of the struct with a name that a member without one has as its type.
fn base(types: &[Type<'_>], name: &str, ty: TypeId) -> Option<usize> {
    let place = composite(types, ty).filter(|_| name.is_empty())?;
    (!types[place].name().is_empty()).then_some(place)
}

/// The place of the struct or union that `id` is, qualifiers and typedefs aside.
fn composite(types: &[Type<'_>], id: TypeId) -> Option<usize> {
    let mut place = (id.0 as usize).checked_sub(1)?;
    for _ in 0..MAX_CHAIN {
        match types.get(place)? {
            Type::Struct(_) | Type::Union(_) => return Some(place),
            ty => place = (ty.modified()?.0 as usize).checked_sub(1)?,
        }
    }
    None
}

/// Adds to `names` those by which C knows the members of the type at `place`, within members
/// without a name too. `false` if one of them comes twice.
fn flat_names(types: &[Type<'_>], place: usize, names: &mut HashSet<String>, depth: usize) -> bool {
    let (Type::Struct(Composite { members, .. }) | Type::Union(Composite { members, .. })) =
        &types[place]
    else {
        return false;
    };
    depth <= MAX_CHAIN
        && members.iter().all(|member| match composite(types, member.ty) {
            Some(inner) if member.name.is_empty() => flat_names(types, inner, names, depth + 1),
            // A bit-field without a name is padding.
            _ => member.name.is_empty() || names.insert(member.name.to_string()),
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::btf::{IntEncoding, Member};

    fn structure<'a>(name: &'a str, members: &[(&'a str, u32)]) -> Type<'a> {
        let member = |(index, (name, ty)): (usize, &(&'a str, u32))| Member {
            name: (*name).into(),
            ty: TypeId(*ty),
            bit_offset: index as u32 * 32,
            bitfield_size: 0,
        };
        let members: Vec<_> = members.iter().enumerate().map(member).collect();
        Type::Struct(Composite { name: name.into(), size: 4 * members.len() as u32, members })
    }

    fn names<'t>(types: &'t [Type<'_>], id: u32) -> Vec<&'t str> {
        let Type::Struct(composite) = &types[id as usize - 1] else { panic!("{types:?}") };
        composite.members.iter().map(|member| member.name.as_ref()).collect()
    }

    #[test]
    fn a_base_becomes_a_struct_without_a_name() {
        let encoding = IntEncoding::default();
        let int = Type::Int { name: "int".into(), size: 4, encoding, bit_offset: 0, bits: 32 };
        let mut types = vec![
            int,
            structure("base", &[("a", 1)]),
            structure("middle", &[("", 2), ("b", 1)]),
            structure("derived", &[("", 3), ("c", 1)]),
            structure("hiding", &[("", 2), ("a", 1)]),
            structure("twice", &[("", 2), ("", 2)]),
        ];
        embed(&mut types);
        let Type::Struct(derived) = &types[3] else { panic!("{types:?}") };
        let inner = derived.members[0].ty;
        assert!(inner.0 > 6 && types[inner.0 as usize - 1].name().is_empty(), "{types:?}");
        assert_eq!(names(&types, inner.0), ["", "b"]);
        assert_eq!(names(&types, 5), ["base_base", "a"]);
        assert_eq!(names(&types, 6), ["", "base_base"]);
    }
}
