// SPDX-License-Identifier: MIT OR Apache-2.0
//! Types for property tests.

use proptest::prelude::*;

use super::{Composite, Linkage, Member, Name, Param, Type, TypeId};

/// Up to `most` types, the first with the id 1, that refer to each other in any way at all, and of
/// which many look alike.
pub(super) fn any_types(most: usize) -> impl Strategy<Value = Vec<Type<'static>>> {
    prop::collection::vec((0u32..9, any::<u32>(), any::<u32>(), 0u32..3), 1..most).prop_map(
        |seeds| {
            let count = seeds.len() as u32;
            let ty = |&(kind, a, b, n): &(u32, u32, u32, u32)| {
                let (a, b) = (TypeId(a % (count + 1)), TypeId(b % (count + 1)));
                some_type(kind, a, b, n)
            };
            seeds.iter().map(ty).collect()
        },
    )
}

fn some_type(kind: u32, a: TypeId, b: TypeId, n: u32) -> Type<'static> {
    let name = || Name::from(["a", "b", ""][n as usize]);
    let member = |ty, bit_offset| Member { name: "m".into(), ty, bit_offset, bitfield_size: 0 };
    match kind {
        0 => Type::Float { name: name(), size: 8 },
        1 | 2 => Type::Ptr(a),
        3 => Type::Const(a),
        4 => Type::Typedef { name: name(), target: a },
        5 => Type::Array { element: a, index: b, count: n },
        6 => {
            let params = [a, b].map(|ty| Param { name: name(), ty });
            Type::FuncProto { ret: a, params: params[..n as usize].to_vec() }
        }
        7 => Type::Func { name: name(), proto: a, linkage: Linkage::Global },
        _ => {
            let members = vec![member(a, 0), member(b, 64)];
            Type::Struct(Composite { name: name(), size: 16, members })
        }
    }
}
