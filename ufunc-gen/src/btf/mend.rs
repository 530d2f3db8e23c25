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

use super::check::{Bad, refused};
use super::{Composite, Name, Type, TypeId};
use crate::ident::is_identifier;

/// How often what is left is looked at again. Nothing takes more than a few times: what stands for a
/// bad type has the same size, or none.
const MAX_ROUNDS: usize = 16;

/// Leaves out what the kernel would refuse in `types`, the first of which has the id 1. Pointers
/// have `pointer` bytes. Gives the places of the types that were changed.
pub fn mend(types: &mut [Type<'_>], pointer: u64) -> Vec<usize> {
    let mut mended = Vec::new();
    for _ in 0..MAX_ROUNDS {
        let bad = refused(types, pointer);
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
    mended
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
