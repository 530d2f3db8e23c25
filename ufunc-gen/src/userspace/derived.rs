// SPDX-License-Identifier: MIT OR Apache-2.0
//! The pointers, constants and typedefs of what is in the store.
//!
//! They are the most of all types, and each is known by one other type, and maybe a name: so they are
//! in lists, and nobody has to look for them among all records.

use super::names::NameId;
use super::store::{Key, Packed, RecordId, Ref};
use crate::btf::kind;

/// Records by what they refer to.
#[derive(Debug, Default)]
pub(super) struct Derived {
    /// The pointer to each record, and the constant of it; 0 is none.
    of_records: Vec<[RecordId; 2]>,
    /// The same for structs, by their names.
    of_structs: Vec<[RecordId; 2]>,
    /// The last typedef of each name, behind what it refers to.
    typedefs: Vec<Option<(Packed, RecordId)>>,
}

impl Derived {
    /// The record of the kind `kind` that is called `name` and refers to `target`, if that is known.
    pub(super) fn get(&self, kind: u32, name: NameId, target: Packed) -> Option<RecordId> {
        if kind == kind::TYPEDEF {
            let known = self.typedefs.get(name as usize).copied().flatten();
            return known.filter(|known| known.0 == target).map(|(_, id)| id);
        }
        let which = which(kind)?;
        let list = match target.unpack() {
            Ref::Record(id) => self.of_records.get(id as usize),
            Ref::Named(Key { name, union: false }) => self.of_structs.get(name as usize),
            Ref::Named(_) | Ref::Exact(_) => None,
        };
        list.map(|list| list[which]).filter(|&id| id != 0)
    }

    /// Takes note that `id` is that record.
    pub(super) fn set(&mut self, kind: u32, name: NameId, target: Packed, id: RecordId) {
        if kind == kind::TYPEDEF {
            *place(&mut self.typedefs, name) = Some((target, id));
        } else if let Some(which) = which(kind) {
            match target.unpack() {
                Ref::Record(of) => place(&mut self.of_records, of)[which] = id,
                Ref::Named(Key { name, union: false }) => {
                    place(&mut self.of_structs, name)[which] = id;
                }
                Ref::Named(_) | Ref::Exact(_) => {}
            }
        }
    }
}

/// Which of two records one of the kind `kind` is.
fn which(kind: u32) -> Option<usize> {
    match kind {
        kind::PTR => Some(0),
        kind::CONST => Some(1),
        _ => None,
    }
}

/// The place `number` in `list`, which is made long enough.
fn place<T: Clone + Default>(list: &mut Vec<T>, number: u32) -> &mut T {
    let number = number as usize;
    if number >= list.len() {
        list.resize(number + 1, T::default());
    }
    &mut list[number]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_known_by_its_kind_its_name_and_what_it_refers_to() {
        let mut derived = Derived::default();
        let named = |union| Ref::Named(Key { name: 7, union }).pack();
        let all = [
            (kind::PTR, 0, Packed::VOID, 1),
            (kind::CONST, 0, Packed::VOID, 2),
            (kind::PTR, 0, named(false), 3),
            (kind::TYPEDEF, 7, named(true), 4),
        ];
        for (kind, name, target, id) in all {
            assert_eq!(derived.get(kind, name, target), None);
            derived.set(kind, name, target, id);
        }
        for (kind, name, target, id) in all {
            assert_eq!(derived.get(kind, name, target), Some(id));
        }
        assert_eq!(derived.get(kind::TYPEDEF, 7, Packed::VOID), None);
        derived.set(kind::PTR, 0, named(true), 5);
        assert_eq!(derived.get(kind::PTR, 0, named(true)), None);
    }
}
