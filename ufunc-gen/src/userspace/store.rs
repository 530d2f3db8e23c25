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
    pub(super) fn pack(self) -> Packed {
        Packed(match self {
            Ref::Record(id) => id * Self::KINDS,
            Ref::Named(Key { name, union: false }) => name * Self::KINDS + 1,
            Ref::Named(Key { name, union: true }) => name * Self::KINDS + 2,
            Ref::Exact(place) => place * Self::KINDS + 3,
        })
    }
}

/// A [`Ref`] as a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Packed(u32);

impl Packed {
    pub(super) const VOID: Packed = Packed(0);
    /// No reference: there are fewer places than would give this one.
    pub(super) const UNKNOWN: Packed = Packed(u32::MAX);

    pub(super) fn unpack(self) -> Ref {
        let value = self.0 / Ref::KINDS;
        match self.0 % Ref::KINDS {
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
    pub(super) target: Packed,
}

/// A member, an enumerator or a parameter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub(super) name: NameId,
    pub(super) ty: Packed,
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
        [kind, self.name, self.size, self.target.0]
    }
}

impl Part {
    fn words(self) -> [u32; PART] {
        let [low, high] = self.values;
        [self.name, self.ty.0, low, high]
    }
}

/// Where a type was found first, in the order of the debug information. One entry can stand for
/// several types, which the number tells apart.
pub(super) type First = (DieRef, u8);

/// Behind all others.
const NOWHERE: First = (DieRef::MAX, u8::MAX);

/// What is known of a record beside its words. Who looks at one of these looks at most of them.
#[derive(Clone, Copy, Default)]
struct Record {
    first: First,
    rules: Rules,
    /// Where in the words of all records its own are.
    start: u32,
    end: u32,
    /// The record that was asked for after it the last time. Files have their headers, and these their
    /// types, in the same order mostly.
    next: RecordId,
}

impl Record {
    fn words(self, words: &[u32]) -> &[u32] {
        &words[self.start as usize..self.end as usize]
    }
}

/// Most records for which there is room from the beginning.
const MAX_ROOM: u64 = 1 << 16;

/// All records of a debug information.
pub(super) struct Store<'a> {
    pub(super) names: Names<'a>,
    words: Vec<u32>,
    records: Vec<Record>,
    /// The record that was asked for last.
    last: RecordId,
    by_words: HashTable<RecordId>,
    hasher: DefaultHashBuilder,
    /// Entries that are referred to by their places.
    pub(super) exact: Vec<DieRef>,
    by_place: HashMap<DieRef, u32>,
}

impl<'a> Store<'a> {
    /// An empty one, with room for what `len` bytes of units mostly have. Only those that have the same
    /// `hasher` can be put together.
    pub(super) fn new(hasher: DefaultHashBuilder, len: u64) -> Self {
        // To grow costs more than to have room, of which the kernel gives only what is used.
        let count = (len / 512).min(MAX_ROOM) as usize;
        let mut records = Vec::with_capacity(2 * count + 1);
        // `void`
        records.push(Record::default());
        Store {
            names: Names::new(hasher.clone(), count),
            words: Vec::with_capacity(32 * count),
            records,
            last: 0,
            by_words: HashTable::with_capacity(count),
            hasher,
            exact: Vec::new(),
            by_place: HashMap::new(),
        }
    }

    /// Number of records, with `void`.
    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// All records, in order, without `void`.
    pub(super) fn ids(&self) -> impl Iterator<Item = RecordId> + use<> {
        1..self.records.len() as RecordId
    }

    /// All records, in the order of the debug information.
    pub(super) fn in_order(&self) -> Vec<RecordId> {
        let mut order: Vec<_> = self.ids().collect();
        order.sort_unstable_by_key(|&id| (self.first(id), id));
        order
    }

    /// The record with the words of `draft`, which was found at `first`.
    pub(super) fn intern(&mut self, draft: &Draft, first: First, rules: Rules) -> RecordId {
        let likely = self.records[self.last as usize].next;
        let id = match self.records[likely as usize].words(&self.words) == draft.0 && likely != 0 {
            true => likely,
            false => self.find(draft),
        };
        let record = &mut self.records[id as usize];
        record.first = record.first.min(first);
        record.rules.merge(rules);
        self.last = id;
        id
    }

    /// The record with the words of `draft`, looked up or added.
    fn find(&mut self, draft: &Draft) -> RecordId {
        let Store { words, records, hasher, .. } = self;
        let content = |id: RecordId| records[id as usize].words(words);
        let hash = hasher.hash_one(&*draft.0);
        let found = self.by_words.entry(
            hash,
            |&id| content(id) == draft.0,
            |&id| hasher.hash_one(content(id)),
        );
        let id = match found {
            hashbrown::hash_table::Entry::Occupied(found) => *found.get(),
            hashbrown::hash_table::Entry::Vacant(place) => {
                let id = records.len() as RecordId;
                place.insert(id);
                let start = words.len() as u32;
                words.extend_from_slice(&draft.0);
                let (first, end) = (NOWHERE, words.len() as u32);
                records.push(Record { first, start, end, ..Record::default() });
                id
            }
        };
        records[self.last as usize].next = id;
        id
    }

    /// Takes note that the record `id` was found at `first`, too.
    pub(super) fn found_again(&mut self, id: RecordId, first: First) {
        let record = &mut self.records[id as usize];
        record.first = record.first.min(first);
    }

    /// Where the record `id` was found first.
    pub(super) fn first(&self, id: RecordId) -> First {
        self.records[id as usize].first
    }

    /// What was expressed in other ways in the record `id`.
    pub(super) fn rules(&self, id: RecordId) -> Rules {
        self.records[id as usize].rules
    }

    fn words(&self, id: RecordId) -> &[u32] {
        self.records[id as usize].words(&self.words)
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
        let words = self.words(id);
        Head {
            kind: words[0] as u8,
            detail: (words[0] >> 8) as u8,
            name: words[1],
            size: words[2],
            target: Packed(words[3]),
        }
    }

    /// The parts of the record `id`.
    pub(super) fn parts(&self, id: RecordId) -> impl ExactSizeIterator<Item = Part> {
        let words = &self.words(id)[HEAD..];
        words.chunks_exact(PART).map(|part| Part {
            name: part[0],
            ty: Packed(part[1]),
            values: [part[2], part[3]],
        })
    }

    /// The type of the part `number` of the record `id`, which has so many.
    #[inline]
    pub(super) fn part_type(&self, id: RecordId, number: usize) -> Packed {
        Packed(self.words(id)[HEAD + number * PART + 1])
    }

    /// The name by which others refer to the record `id`, if that is how they do.
    pub(super) fn key(&self, id: RecordId) -> Option<Key> {
        let words = self.words(id);
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
        std::iter::once(target).chain(self.parts(id).map(|part| part.ty)).map(Packed::unpack)
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
                target: translation.packed(head.target),
                ..head
            });
            for part in other.parts(id) {
                let (name, ty) = (translation.name(part.name), translation.packed(part.ty));
                draft.push(Part { name, ty, ..part });
            }
            let id = self.intern(&draft, other.first(id), other.rules(id));
            translation.records.push(id);
        }
        translation
    }
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

    fn packed(&self, reference: Packed) -> Packed {
        self.reference(reference.unpack()).pack()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pointer(store: &mut Store<'_>, target: Ref) -> RecordId {
        let mut draft = Draft::default();
        let target = target.pack();
        draft.begin(Head { kind: kind::PTR as u8, detail: 0, name: 0, size: 0, target });
        store.intern(&draft, (DieRef::default(), 0), Rules::default())
    }

    fn new() -> Store<'static> {
        Store::new(DefaultHashBuilder::default(), 0)
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
            assert_eq!(reference.pack().unpack(), reference);
        }
    }

    #[test]
    fn another_store_is_taken_in_under_new_numbers() {
        let mut one = new();
        let mut other = Store::new(one.hasher.clone(), 0);
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
