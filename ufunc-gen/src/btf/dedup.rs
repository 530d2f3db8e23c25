// SPDX-License-Identifier: MIT OR Apache-2.0
//! Merging equal types.
//!
//! Every compile unit brings its own copy of a shared header's types. Two types are equal when
//! nothing that BTF can say tells them apart: same kind, names, sizes and offsets, and equal types
//! wherever they refer to others, however far one follows. `partition.rs` finds them.

use hashbrown::HashTable;

use super::hash::Hasher;
use super::partition::Graph;
use super::{Composite, Type, TypeId};

/// Merges equal types in `types`, the first of which has the id `first`. References to ids below
/// `first` (a base's types, `void`) are left as they are.
///
/// Of equal types the first one stays, so the order is kept. Returns the merged types and the new
/// id of each old one.
pub fn dedup<'a>(types: Vec<Type<'a>>, first: u32) -> (Vec<Type<'a>>, Vec<TypeId>) {
    let classes = Shapes::new(&types, first).classes();
    // Classes are numbered by first appearance, so a class's number is its type's new place.
    let new_ids: Vec<TypeId> = classes.iter().map(|&class| TypeId(first + class)).collect();
    let mut merged = Vec::new();
    for (mut ty, &class) in types.into_iter().zip(&classes) {
        if class as usize == merged.len() {
            ty.for_each_ref_mut(|id| {
                if let Some(new) = index(*id, first).and_then(|index| new_ids.get(index)) {
                    *id = *new;
                }
            });
            merged.push(ty);
        }
    }
    (merged, new_ids)
}

/// Makes a graph of types: each type's shape is what it says but for the types it refers to.
struct Shapes<'t> {
    graph: Graph,
    hasher: Hasher,
    /// Finds the number of a name.
    names: HashTable<(u64, &'t str, u32)>,
    /// Id of the first type.
    first: u32,
    /// The number of types.
    count: usize,
}

impl<'t> Shapes<'t> {
    fn new(types: &'t [Type<'_>], first: u32) -> Self {
        let mut shapes = Shapes {
            graph: Graph::with_capacity(types.len()),
            hasher: Hasher::new(),
            names: HashTable::new(),
            first,
            count: types.len(),
        };
        types.iter().for_each(|ty| shapes.add(ty));
        shapes
    }

    fn classes(self) -> Vec<u32> {
        self.graph.classes()
    }

    fn add(&mut self, ty: &'t Type<'_>) {
        self.graph.word(ty.kind());
        self.name(ty.name());
        match ty {
            Type::Int { size, encoding, bit_offset, bits, .. } => {
                let flags = [encoding.signed, encoding.char, encoding.bool];
                self.graph.words(&flags.map(u32::from));
                self.graph.words(&[*size, u32::from(*bit_offset), u32::from(*bits)]);
            }
            Type::Ptr(target)
            | Type::Volatile(target)
            | Type::Const(target)
            | Type::Restrict(target)
            | Type::Typedef { target, .. }
            | Type::TypeTag { target, .. } => self.reference(*target),
            Type::Array { element, index, count } => {
                self.graph.word(*count);
                self.reference(*element);
                self.reference(*index);
            }
            Type::Struct(composite) | Type::Union(composite) => self.composite(composite),
            Type::Enum { size, signed, values, .. } => {
                self.graph.words(&[*size, u32::from(*signed), values.len() as u32]);
                for (name, value) in values {
                    self.name(name);
                    self.graph.word(*value);
                }
            }
            Type::Enum64 { size, signed, values, .. } => {
                self.graph.words(&[*size, u32::from(*signed), values.len() as u32]);
                for (name, value) in values {
                    self.name(name);
                    self.graph.words(&[*value as u32, (*value >> 32) as u32]);
                }
            }
            Type::Fwd { union, .. } => self.graph.word((*union).into()),
            Type::Func { proto: target, linkage, .. } | Type::Var { target, linkage, .. } => {
                self.graph.word(*linkage as u32);
                self.reference(*target);
            }
            Type::FuncProto { ret, params } => {
                self.graph.word(params.len() as u32);
                self.reference(*ret);
                for param in params {
                    self.name(&param.name);
                    self.reference(param.ty);
                }
            }
            Type::Datasec { size, vars, .. } => {
                self.graph.words(&[*size, vars.len() as u32]);
                for (id, offset, size) in vars {
                    self.reference(*id);
                    self.graph.words(&[*offset, *size]);
                }
            }
            Type::Float { size, .. } => self.graph.word(*size),
            Type::DeclTag { target, component, .. } => {
                self.graph.word(*component as u32);
                self.reference(*target);
            }
        }
        self.graph.end_node();
    }

    fn composite(&mut self, composite: &'t Composite<'_>) {
        self.graph.words(&[composite.size, composite.members.len() as u32]);
        for member in &composite.members {
            self.name(&member.name);
            self.graph.words(&[member.bit_offset, member.bitfield_size.into()]);
            self.reference(member.ty);
        }
    }

    fn reference(&mut self, id: TypeId) {
        match index(id, self.first).filter(|&index| index < self.count) {
            Some(index) => {
                self.graph.word(1);
                self.graph.reference(index as u32);
            }
            // One of the base's: it tells types apart by itself.
            None => self.graph.words(&[0, id.0]),
        }
    }

    fn name(&mut self, name: &'t str) {
        if name.is_empty() {
            return self.graph.word(0);
        }
        let hash = self.hasher.bytes(name.as_bytes());
        let next = self.names.len() as u32 + 1;
        let is_equal = |known: &(u64, &str, u32)| known.0 == hash && known.1 == name;
        let entry = self.names.entry(hash, is_equal, |known| known.0);
        let number = entry.or_insert((hash, name, next)).get().2;
        self.graph.word(number);
    }
}

/// Place of `id` in the list of types that begins with `first`.
fn index(id: TypeId, first: u32) -> Option<usize> {
    id.0.checked_sub(first).map(|index| index as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::btf::Member;
    use crate::btf::testing::any_types;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn merging_again_changes_nothing(types in any_types(40)) {
            let (merged, _) = dedup(types, 1);
            let (again, ids) = dedup(merged.clone(), 1);
            prop_assert!(ids.iter().map(|id| id.0).eq(1..=merged.len() as u32));
            prop_assert_eq!(again, merged);
        }

        #[test]
        fn every_type_stays_what_it_was(types in any_types(40)) {
            let (merged, ids) = dedup(types.clone(), 1);
            for (ty, id) in types.iter().zip(&ids) {
                let mut expected = ty.clone();
                expected.for_each_ref_mut(|id| {
                    if *id != TypeId::VOID {
                        *id = ids[id.0 as usize - 1];
                    }
                });
                prop_assert_eq!(&merged[id.0 as usize - 1], &expected);
            }
        }
    }

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
