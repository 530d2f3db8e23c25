// SPDX-License-Identifier: MIT OR Apache-2.0
//! Merging equal types.
//!
//! Every compile unit brings its own copy of a shared header's types. Two types are equal when
//! nothing that BTF can say tells them apart: same kind, names, sizes and offsets, and equal types
//! wherever they refer to others, however far one follows. That is the coarsest partition that is
//! stable under references, found by refinement: begin with classes of types that look alike, then
//! split classes whose members refer to different classes until nothing splits. Cycles, which
//! every linked list has, need no special care.

use std::collections::HashMap;

use super::{Type, TypeId};

/// Merges equal types in `types`, the first of which has the id `first`. References to ids below
/// `first` (a base's types, `void`) are left as they are.
///
/// Of equal types the first one stays, so the order is kept. Returns the merged types and the new
/// id of each old one.
pub fn dedup<'a>(types: Vec<Type<'a>>, first: u32) -> (Vec<Type<'a>>, Vec<TypeId>) {
    let classes = classes(&types, first);
    // Classes are numbered by first appearance, so a class's number is its type's new place.
    let new_ids: Vec<TypeId> = classes.iter().map(|&class| TypeId(first + class)).collect();
    let mut merged = Vec::new();
    for (mut ty, &class) in types.into_iter().zip(&classes) {
        if class as usize == merged.len() {
            ty.for_each_ref_mut(|id| {
                if let Some(index) = index(*id, first) {
                    *id = new_ids[index];
                }
            });
            merged.push(ty);
        }
    }
    (merged, new_ids)
}

/// The class of each type; classes are numbered by their first member's place.
fn classes(types: &[Type<'_>], first: u32) -> Vec<u32> {
    // What is left of a type when every reference into `types` is blanked.
    let mut shapes = HashMap::new();
    let mut classes: Vec<u32> = types
        .iter()
        .map(|ty| {
            let mut shape = ty.clone();
            shape.for_each_ref_mut(|id| {
                if index(*id, first).is_some() {
                    *id = TypeId(u32::MAX);
                }
            });
            let next = shapes.len() as u32;
            *shapes.entry(shape).or_insert(next)
        })
        .collect();
    let mut count = shapes.len();
    let references: Vec<Vec<usize>> = types
        .iter()
        .map(|ty| {
            let mut references = Vec::new();
            ty.for_each_ref(|id| references.extend(index(id, first)));
            references
        })
        .collect();
    loop {
        let mut signatures = HashMap::new();
        let refined: Vec<u32> = classes
            .iter()
            .zip(&references)
            .map(|(&class, references)| {
                let targets: Vec<u32> = references.iter().map(|&index| classes[index]).collect();
                let next = signatures.len() as u32;
                *signatures.entry((class, targets)).or_insert(next)
            })
            .collect();
        let refined_count = signatures.len();
        classes = refined;
        if refined_count == count {
            return classes;
        }
        count = refined_count;
    }
}

/// Place of `id` in the list of types that begins with `first`.
fn index(id: TypeId, first: u32) -> Option<usize> {
    id.0.checked_sub(first).map(|index| index as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::btf::{Composite, Member};

    fn list(name: &'static str, next: u32) -> Type<'static> {
        let next =
            Member { name: "next".into(), ty: TypeId(next), bit_offset: 0, bitfield_size: 0 };
        Type::Struct(Composite { name: name.into(), size: 8, members: vec![next] })
    }

    #[test]
    fn two_copies_of_a_cycle_become_one() {
        // struct list { struct list *next; }, twice; the second copy's pointer leads to the first.
        let types =
            vec![list("list", 3), list("list", 4), Type::Ptr(TypeId(1)), Type::Ptr(TypeId(2))];
        let (merged, ids) = dedup(types, 1);
        assert_eq!(merged, [list("list", 2), Type::Ptr(TypeId(1))]);
        assert_eq!(ids, [1, 1, 2, 2].map(TypeId));
    }

    #[test]
    fn equal_shapes_that_lead_to_different_types_stay_apart() {
        let types =
            vec![list("node", 3), list("node", 4), Type::Ptr(TypeId(0)), Type::Const(TypeId(0))];
        let (merged, _) = dedup(types.clone(), 1);
        assert_eq!(merged, types);
    }

    #[test]
    fn references_to_the_base_are_kept() {
        let (merged, ids) = dedup(vec![Type::Ptr(TypeId(1)), Type::Ptr(TypeId(1))], 2);
        assert_eq!(merged, [Type::Ptr(TypeId(1))]);
        assert_eq!(ids, [2, 2].map(TypeId));
    }

    #[test]
    fn a_difference_far_down_a_chain_splits_all_that_lead_to_it() {
        // 1 -> 2 -> 3 -> int of 4 bytes; 5 -> 6 -> 7 -> int of 8 bytes.
        let int = |size| Type::Float { name: "x".into(), size };
        let types = vec![
            Type::Ptr(TypeId(2)),
            Type::Ptr(TypeId(3)),
            Type::Ptr(TypeId(4)),
            int(4),
            Type::Ptr(TypeId(6)),
            Type::Ptr(TypeId(7)),
            Type::Ptr(TypeId(8)),
            int(8),
        ];
        let (merged, _) = dedup(types.clone(), 1);
        assert_eq!(merged, types);
    }
}
