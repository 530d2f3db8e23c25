// SPDX-License-Identifier: MIT OR Apache-2.0
//! Leaving out what the kernel refuses, so that all the rest can stay.
//!
//! One bad type among ten thousand, in a unit that nobody asked for, is no reason to have none of
//! them. What no compiler writes, and [`fit`](super::fit) has no other words for, is taken away:
//!
//! | what the kernel refuses | is |
//! | --- | --- |
//! | a member | left out |
//! | a typedef, a qualifier or a pointer | one of `void` |
//! | a function's prototype | one without parameters and result |
//! | any other type | an empty STRUCT of its size, and its name if it can have that |
//!
//! What the kernel refuses only because it comes to the outermost type first is put into another
//! order: it goes down no further than 32 types at a time.

use super::check::{Bad, innermost_first, refused, too_deep};
use super::{Composite, Name, Type, TypeId};
use crate::ident::is_identifier;

/// How often what is left is looked at again. Nothing takes more than a few times: what stands for a
/// bad type has the same size, or none.
const MAX_ROUNDS: usize = 16;

/// Leaves out what the kernel would refuse in `types`, the first of which has the id 1. Pointers
/// have `pointer` bytes. Ids in `used` are those of the same types afterwards. Gives how many types
/// were changed.
pub fn mend(types: &mut Vec<Type<'_>>, used: &mut [TypeId], pointer: u64) -> usize {
    let mut count = mend_in_place(types, pointer, refused);
    if too_deep(types).is_empty() {
        return count;
    }
    if let Some(order) = innermost_first(types) {
        *types = in_order(std::mem::take(types), used, &order);
    }
    count += mend_in_place(types, pointer, |types, pointer| match too_deep(types) {
        bad if bad.is_empty() => refused(types, pointer),
        bad => bad,
    });
    count
}

/// Takes out of `types` whatever `look` finds. Gives how many were changed.
fn mend_in_place(
    types: &mut [Type<'_>],
    pointer: u64,
    look: impl Fn(&[Type<'_>], u64) -> Vec<Bad>,
) -> usize {
    let mut mended = Vec::new();
    for _ in 0..MAX_ROUNDS {
        let bad = look(types, pointer);
        if bad.is_empty() {
            break;
        }
        for of_one in bad.chunk_by(|a, b| a.index == b.index) {
            let index = of_one[0].index;
            mend_one(&mut types[index], of_one);
            mended.push(index);
        }
    }
    mended.sort_unstable();
    mended.dedup();
    mended.len()
}

/// `types` in the order of the places `order`, of which `used` has some ids.
fn in_order<'a>(types: Vec<Type<'a>>, used: &mut [TypeId], order: &[usize]) -> Vec<Type<'a>> {
    let mut ids = vec![TypeId::VOID; types.len() + 1];
    for (place, &index) in order.iter().enumerate() {
        ids[index + 1] = TypeId(place as u32 + 1);
    }
    used.iter_mut().for_each(|id| *id = ids[id.0 as usize]);
    let mut types: Vec<_> = types.into_iter().map(Some).collect();
    let taken = order.iter().filter_map(|&index| types[index].take());
    let renumbered = taken.map(|mut ty| {
        ty.for_each_ref_mut(|id| *id = ids[id.0 as usize]);
        ty
    });
    renumbered.collect()
}

/// Takes what is `bad` out of `ty`.
fn mend_one(ty: &mut Type<'_>, bad: &[Bad]) {
    if bad.iter().all(|bad| bad.member.is_some())
        && let Type::Struct(composite) | Type::Union(composite) = ty
    {
        // Both are in order.
        let (mut place, mut bad) = (0, bad.iter().filter_map(|bad| bad.member).peekable());
        composite.members.retain(|_| {
            place += 1;
            bad.next_if_eq(&(place - 1)).is_none()
        });
        return;
    }
    let mended = match &mut *ty {
        Type::Ptr(_) => Type::Ptr(TypeId::VOID),
        Type::Const(_) => Type::Const(TypeId::VOID),
        Type::Volatile(_) => Type::Volatile(TypeId::VOID),
        Type::Restrict(_) => Type::Restrict(TypeId::VOID),
        Type::Typedef { name, .. } if is_identifier(name) => {
            Type::Typedef { name: std::mem::take(name), target: TypeId::VOID }
        }
        Type::FuncProto { .. } => Type::FuncProto { ret: TypeId::VOID, params: Vec::new() },
        Type::Union(composite) => Type::Union(bytes(&composite.name, composite.size)),
        Type::Struct(Composite { name, size, .. })
        | Type::Int { name, size, .. }
        | Type::Float { name, size }
        | Type::Enum { name, size, .. }
        | Type::Enum64 { name, size, .. } => Type::Struct(bytes(name, *size)),
        other => Type::Struct(bytes(other.name(), 0)),
    };
    *ty = mended;
}

fn bytes<'a>(name: &Name<'a>, size: u32) -> Composite<'a> {
    let name = if is_identifier(name) { name.clone() } else { Name::default() };
    Composite { name, size, members: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::super::check::{POINTER, check};
    use super::*;
    use crate::btf::{IntEncoding, Member};

    fn int() -> Type<'static> {
        let encoding = IntEncoding::default();
        Type::Int { name: "int".into(), size: 4, encoding, bit_offset: 0, bits: 32 }
    }

    fn composite(size: u32, members: &[(u32, u32)]) -> Type<'static> {
        let member = |&(ty, bit_offset): &(u32, u32)| Member {
            name: "m".into(),
            ty: TypeId(ty),
            bit_offset,
            bitfield_size: 0,
        };
        let members = members.iter().map(member).collect();
        Type::Struct(Composite { name: "s".into(), size, members })
    }

    #[track_caller]
    fn mended(mut types: Vec<Type<'static>>, count: usize) -> Vec<Type<'static>> {
        assert_eq!(mend(&mut types, &mut [], POINTER), count);
        check(&types).unwrap();
        types
    }

    #[test]
    fn what_is_sound_stays() {
        let types = vec![int(), composite(8, &[(1, 0), (1, 32)]), Type::Ptr(TypeId(2))];
        assert_eq!(mended(types.clone(), 0), types);
    }

    #[test]
    fn a_bad_member_is_left_out() {
        let types = mended(vec![int(), composite(8, &[(1, 0), (1, 48), (1, 64)])], 1);
        assert_eq!(types[1], composite(8, &[(1, 0)]));
        let types = mended(vec![int(), composite(8, &[(2, 0), (1, 0), (2, 0)])], 1);
        assert_eq!(types[1], composite(8, &[(1, 0)]));
    }

    #[test]
    fn what_leads_round_in_circles_ends() {
        let typedef = Type::Typedef { name: "t".into(), target: TypeId(1) };
        let types = mended(vec![typedef, int(), composite(8, &[(1, 0), (2, 32)])], 2);
        assert_eq!(types[2], composite(8, &[(2, 32)]));
        assert_eq!(mended(vec![Type::Ptr(TypeId(1))], 1), [Type::Ptr(TypeId::VOID)]);
        let array = Type::Array { element: TypeId(2), index: TypeId(1), count: 9 };
        assert!(
            matches!(&mended(vec![int(), array], 1)[1], Type::Struct(found) if found.size == 0)
        );
    }

    #[test]
    fn what_is_nested_deep_is_put_in_order() {
        // As with the base classes of a large std::tuple.
        let mut types: Vec<_> = (2..100).map(|next| composite(4, &[(next, 0)])).collect();
        types.extend([composite(4, &[(100, 0)]), int(), Type::Ptr(TypeId(1))]);
        let types = mended(types, 0);
        assert_eq!(types[0], int());
        assert_eq!(types[99], composite(4, &[(99, 0)]));
        assert_eq!(types[100], Type::Ptr(TypeId(100)));
    }

    #[test]
    fn pointers_without_end_end() {
        let mut types: Vec<_> = (2..1000).map(|next| Type::Ptr(TypeId(next))).collect();
        types.push(int());
        let mended = mended(types, 31);
        assert_eq!(mended.iter().filter(|ty| **ty == Type::Ptr(TypeId::VOID)).count(), 31);
    }
}
