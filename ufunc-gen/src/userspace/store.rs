// SPDX-License-Identifier: MIT OR Apache-2.0
//! Types, each once, whatever unit they were found in.
//!
//! A record is a type in a few words. What it refers to is another record, except for structs and
//! unions that have a name: those are referred to by that name, as the source does. So a record
//! means the same in every unit, the records of a unit form no cycles, and equal ones are found by
//! comparing their words.

use std::hash::BuildHasher as _;

use hashbrown::{DefaultHashBuilder, HashMap, HashTable};

use super::names::{NameId, Names};
use crate::btf::kind;
use crate::dwarf::DieRef;
use crate::dwarf::raw::Rules;

/// Number of a record; 0 is `void`.
pub(super) type RecordId = u32;

/// What a record refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Ref {
    /// A record; 0 is `void`.
    Record(RecordId),
    /// The struct or union of that name, in the unit that refers to it.
    Named(Key),
    /// The type at the place with that number in [`Store::exact`].
    Exact(u32),
}

/// The name of a struct or union, which live in different worlds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) name: NameId,
    pub(super) union: bool,
}

impl Ref {
    pub(super) const VOID: Ref = Ref::Record(0);
    const KINDS: u32 = 4;

    /// The reference as a word: two bits say what it is. There are fewer than 2^30 names and
    /// records in what fits into memory.
    fn pack(self) -> u32 {
        match self {
            Ref::Record(id) => id * Self::KINDS,
            Ref::Named(Key { name, union: false }) => name * Self::KINDS + 1,
            Ref::Named(Key { name, union: true }) => name * Self::KINDS + 2,
            Ref::Exact(place) => place * Self::KINDS + 3,
        }
    }

    fn unpack(word: u32) -> Self {
        let value = word / Self::KINDS;
        match word % Self::KINDS {
            0 => Ref::Record(value),
            1 => Ref::Named(Key { name: value, union: false }),
            2 => Ref::Named(Key { name: value, union: true }),
            _ => Ref::Exact(value),
        }
    }
}

/// The first words of a record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    /// `BTF_KIND_*`
    pub(super) kind: u8,
    /// What else the kind needs: encoding, linkage.
    pub(super) detail: u8,
    pub(super) name: NameId,
    /// In bytes; of an array its length.
    pub(super) size: u32,
    pub(super) target: Ref,
}

/// A member, an enumerator or a parameter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub(super) name: NameId,
    pub(super) ty: Ref,
    /// Of a member its offset and its bits, of an enumerator the halves of its value.
    pub(super) values: [u32; 2],
}

const HEAD: usize = 4;
const PART: usize = 4;

/// A record's words while it is put together.
#[derive(Debug, Default)]
pub(super) struct Draft(Vec<u32>);

impl Draft {
    /// Begins anew.
    pub(super) fn begin(&mut self, head: Head) {
        self.0.clear();
        self.0.extend(head.words());
    }

    /// Adds a part.
    pub(super) fn push(&mut self, part: Part) {
        self.0.extend(part.words());
    }
}

impl Head {
    fn words(self) -> [u32; HEAD] {
        let kind = u32::from(self.kind) | u32::from(self.detail) << 8;
        [kind, self.name, self.size, self.target.pack()]
    }
}

impl Part {
    fn words(self) -> [u32; PART] {
        let [low, high] = self.values;
        [self.name, self.ty.pack(), low, high]
    }
}

/// Where a type was found first, in the order of the debug information. One entry can stand for
/// several types, which the number tells apart.
pub(super) type First = (DieRef, u8);

/// All records of a debug information.
pub(super) struct Store<'a> {
    pub(super) names: Names<'a>,
    words: Vec<u32>,
    /// Where in `words` each record ends.
    ends: Vec<u32>,
    pub(super) firsts: Vec<First>,
    pub(super) rules: Vec<Rules>,
    by_words: HashTable<RecordId>,
    hasher: DefaultHashBuilder,
    /// Entries that are referred to by their places.
    pub(super) exact: Vec<DieRef>,
    by_place: HashMap<DieRef, u32>,
}

impl<'a> Store<'a> {
    /// An empty one. Only those that have the same `hasher` can be put together.
    pub(super) fn new(hasher: DefaultHashBuilder) -> Self {
        let nowhere = (DieRef::default(), 0);
        Store {
            names: Names::new(hasher.clone()),
            words: Vec::new(),
            // `void`
            ends: vec![0],
            firsts: vec![nowhere],
            rules: vec![Rules::default()],
            by_words: HashTable::new(),
            hasher,
            exact: Vec::new(),
            by_place: HashMap::new(),
        }
    }

    /// Number of records, with `void`.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// All records, in order, without `void`.
    pub(super) fn ids(&self) -> impl Iterator<Item = RecordId> + use<> {
        1..self.ends.len() as RecordId
    }

    /// All records, in the order of the debug information.
    pub(super) fn in_order(&self) -> Vec<RecordId> {
        let mut order: Vec<_> = self.ids().collect();
        order.sort_unstable_by_key(|&id| (self.firsts[id as usize], id));
        order
    }

    /// The record with the words of `draft`, which was found at `first`.
    pub(super) fn intern(&mut self, draft: &Draft, first: First, rules: Rules) -> RecordId {
        let Store { words, ends, hasher, .. } = self;
        let content = |id: RecordId| &words[span(ends, id)];
        let hash = hasher.hash_one(&*draft.0);
        let found = self.by_words.entry(
            hash,
            |&id| content(id) == draft.0,
            |&id| hasher.hash_one(content(id)),
        );
        match found {
            hashbrown::hash_table::Entry::Occupied(found) => {
                let id = *found.get() as usize;
                self.firsts[id] = self.firsts[id].min(first);
                self.rules[id].merge(rules);
                id as RecordId
            }
            hashbrown::hash_table::Entry::Vacant(place) => {
                let id = ends.len() as RecordId;
                place.insert(id);
                words.extend_from_slice(&draft.0);
                ends.push(words.len() as u32);
                self.firsts.push(first);
                self.rules.push(rules);
                id
            }
        }
    }

    /// A reference to the entry at `place`.
    pub(super) fn exact(&mut self, place: DieRef) -> Ref {
        let next = self.exact.len() as u32;
        let id = *self.by_place.entry(place).or_insert(next);
        if id == next {
            self.exact.push(place);
        }
        Ref::Exact(id)
    }

    /// Number of `place` in [`Store::exact`], if it is there.
    pub(super) fn place(&self, place: DieRef) -> Option<u32> {
        self.by_place.get(&place).copied()
    }

    /// The head of the record `id`.
    pub(super) fn head(&self, id: RecordId) -> Head {
        let words = &self.words[span(&self.ends, id)];
        Head {
            kind: words[0] as u8,
            detail: (words[0] >> 8) as u8,
            name: words[1],
            size: words[2],
            target: Ref::unpack(words[3]),
        }
    }

    /// The parts of the record `id`.
    pub(super) fn parts(&self, id: RecordId) -> impl ExactSizeIterator<Item = Part> {
        let words = &self.words[span(&self.ends, id)][HEAD..];
        words.chunks_exact(PART).map(|part| Part {
            name: part[0],
            ty: Ref::unpack(part[1]),
            values: [part[2], part[3]],
        })
    }

    /// The name by which others refer to the record `id`, if that is how they do.
    pub(super) fn key(&self, id: RecordId) -> Option<Key> {
        let words = &self.words[span(&self.ends, id)];
        // With their detail: what stands for other types is not what anybody means by a name.
        let (kind, name) = (words[0], words[1]);
        match kind {
            kind::STRUCT if name != 0 => Some(Key { name, union: false }),
            kind::UNION if name != 0 => Some(Key { name, union: true }),
            _ => None,
        }
    }

    /// What the record `id` refers to.
    pub(super) fn refs(&self, id: RecordId) -> impl Iterator<Item = Ref> {
        let target = self.head(id).target;
        std::iter::once(target).chain(self.parts(id).map(|part| part.ty))
    }

    /// Adds all records of `other`, which has the same hasher. Gives the new reference for each old
    /// one.
    pub(super) fn absorb(&mut self, other: &mut Store<'a>) -> Translation {
        let names = self.names.absorb(&mut other.names);
        let places = other.exact.iter().map(|&place| self.exact(place)).collect();
        let mut translation = Translation { names, places, records: vec![0] };
        let mut draft = Draft::default();
        for id in other.ids() {
            // A record refers to those before it only.
            let head = other.head(id);
            draft.begin(Head {
                name: translation.name(head.name),
                target: translation.reference(head.target),
                ..head
            });
            for part in other.parts(id) {
                let (name, ty) = (translation.name(part.name), translation.reference(part.ty));
                draft.push(Part { name, ty, ..part });
            }
            let index = id as usize;
            let id = self.intern(&draft, other.firsts[index], other.rules[index]);
            translation.records.push(id);
        }
        translation
    }
}

/// Where in the words of all records those of the record `id` are.
fn span(ends: &[u32], id: RecordId) -> std::ops::Range<usize> {
    let id = id as usize;
    // `void` has none.
    let start = id.checked_sub(1).map_or(0, |before| ends[before]);
    start as usize..ends[id] as usize
}

/// What the numbers in one store are in another.
pub(super) struct Translation {
    names: Vec<NameId>,
    places: Vec<Ref>,
    records: Vec<RecordId>,
}

impl Translation {
    pub(super) fn name(&self, id: NameId) -> NameId {
        self.names[id as usize]
    }

    pub(super) fn record(&self, id: RecordId) -> RecordId {
        self.records[id as usize]
    }

    pub(super) fn reference(&self, reference: Ref) -> Ref {
        match reference {
            Ref::Record(id) => Ref::Record(self.record(id)),
            Ref::Named(key) => Ref::Named(Key { name: self.name(key.name), ..key }),
            Ref::Exact(place) => self.places[place as usize],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pointer(store: &mut Store<'_>, target: Ref) -> RecordId {
        let mut draft = Draft::default();
        draft.begin(Head { kind: kind::PTR as u8, detail: 0, name: 0, size: 0, target });
        store.intern(&draft, (DieRef::default(), 0), Rules::default())
    }

    fn new() -> Store<'static> {
        Store::new(DefaultHashBuilder::default())
    }

    #[test]
    fn equal_records_are_one() {
        let mut store = new();
        let first = pointer(&mut store, Ref::VOID);
        let second = pointer(&mut store, Ref::Record(first));
        assert_ne!(first, second);
        assert_eq!(pointer(&mut store, Ref::VOID), first);
        assert_eq!(store.refs(second).collect::<Vec<_>>(), [Ref::Record(first)]);
        assert_eq!(store.len(), 3);
    }

    #[test]
    fn references_survive_being_packed() {
        let named = |union| Ref::Named(Key { name: 7, union });
        for reference in [Ref::VOID, Ref::Record(5), named(false), named(true), Ref::Exact(9)] {
            assert_eq!(Ref::unpack(reference.pack()), reference);
        }
    }

    #[test]
    fn another_store_is_taken_in_under_new_numbers() {
        let mut one = new();
        let mut other = Store::new(one.hasher.clone());
        let known = one.names.add(b"data"[..].into());
        pointer(&mut one, Ref::Named(Key { name: known, union: false }));
        other.names.add(b"else"[..].into());
        let name = other.names.add(b"data"[..].into());
        assert_ne!(name, known);
        let void = pointer(&mut other, Ref::VOID);
        let data = pointer(&mut other, Ref::Named(Key { name, union: false }));
        let translation = one.absorb(&mut other);
        assert_eq!(translation.record(data), 1);
        assert_eq!(translation.record(void), 2);
        assert_eq!(one.len(), 3);
    }
}
