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
    let mut partition = Partition::by_shape(types, first);
    let mut references = vec![Vec::new(); types.len()];
    let mut referrers = vec![Vec::new(); types.len()];
    for (place, ty) in types.iter().enumerate() {
        ty.for_each_ref(|id| references[place].extend(index(id, first)));
        references[place].iter().for_each(|&target: &usize| referrers[target].push(place));
    }
    let mut suspects: Vec<usize> = (0..types.len()).collect();
    while !suspects.is_empty() {
        // Only who refers to what has just moved to another class can be told apart by it.
        let moved = partition.split(&suspects, &references);
        suspects = moved.into_iter().flat_map(|place| &referrers[place]).copied().collect();
        suspects.sort_unstable();
        suspects.dedup();
    }
    let mut numbers = HashMap::new();
    let number = |class| {
        let next = numbers.len() as u32;
        *numbers.entry(class).or_insert(next)
    };
    partition.classes.into_iter().map(number).collect()
}

/// Classes of types that nothing has told apart so far.
struct Partition {
    /// The class of each type.
    classes: Vec<u32>,
    /// Number of types in each class.
    sizes: Vec<usize>,
}

impl Partition {
    /// Classes of types that differ in nothing but what they refer to.
    fn by_shape(types: &[Type<'_>], first: u32) -> Self {
        let mut shapes = HashMap::new();
        let (mut classes, mut sizes) = (Vec::new(), Vec::new());
        for ty in types {
            let mut shape = ty.clone();
            shape.for_each_ref_mut(|id| {
                if index(*id, first).is_some() {
                    *id = TypeId(u32::MAX);
                }
            });
            let next = shapes.len() as u32;
            let class = *shapes.entry(shape).or_insert(next);
            if class == next {
                sizes.push(0);
            }
            sizes[class as usize] += 1;
            classes.push(class);
        }
        Partition { classes, sizes }
    }

    /// Splits the classes of `suspects` by the classes that they refer to. Gives the places of
    /// those that moved to a new class.
    ///
    /// In each class the types that are no suspects must refer to the same classes, and none of
    /// them to a class to which a suspect refers in their place: which is so if the suspects are
    /// all that refer to what moved last.
    fn split(&mut self, suspects: &[usize], references: &[Vec<usize>]) -> Vec<usize> {
        let mut parts = HashMap::<u32, HashMap<Vec<u32>, Vec<usize>>>::new();
        for &place in suspects {
            let targets = references[place].iter().map(|&target| self.classes[target]).collect();
            let parts = parts.entry(self.classes[place]).or_default();
            parts.entry(targets).or_default().push(place);
        }
        let mut moved = Vec::new();
        for (class, parts) in parts {
            let mut parts: Vec<_> = parts.into_values().collect();
            parts.sort_by_key(Vec::len);
            let suspected: usize = parts.iter().map(Vec::len).sum();
            if suspected == self.sizes[class as usize] {
                // The largest part stays, so that little moves.
                parts.pop();
            }
            for part in parts {
                let new = self.sizes.len() as u32;
                self.sizes[class as usize] -= part.len();
                self.sizes.push(part.len());
                part.iter().for_each(|&place| self.classes[place] = new);
                moved.extend(part);
            }
        }
        moved
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
    fn a_long_chain_takes_no_long_time() {
        // Each pointer differs from the next one by how far away the float at the end is.
        let mut types: Vec<_> = (2..=50_000).map(|next| Type::Ptr(TypeId(next))).collect();
        types.push(Type::Float { name: "x".into(), size: 4 });
        let begun = std::time::Instant::now();
        assert_eq!(dedup(types, 1).0.len(), 50_000);
        assert!(begun.elapsed().as_secs() < 10, "{:?}", begun.elapsed());
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
