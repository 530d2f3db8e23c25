// SPDX-License-Identifier: MIT OR Apache-2.0
//! Names, each once, as numbers.

use std::borrow::Cow;
use std::hash::BuildHasher as _;
use std::mem;

use hashbrown::{DefaultHashBuilder, HashMap, HashTable};

use crate::dwarf::entry::RawName;
use crate::ident::{btf_name, shortened};
use crate::kernel::NAME_MAX;

/// Number of a name; 0 is none.
pub(super) type NameId = u32;

/// The hash `hash` as tables want it: they look at its top and at its bottom.
fn spread(hash: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(hash)
}

/// What is known of a name's place. There are many, and they are looked at all the time: what is next
/// to each other here is in the processor's cache together.
#[derive(Clone, Copy, Default)]
struct Place {
    /// How far behind the base it was found last; 0 if that was elsewhere.
    distance: u32,
    /// The name that was asked for after it the last time. Headers have their names in the same order
    /// each time.
    next: NameId,
}

/// Names by their distances, which are not 0.
struct Distances {
    /// What hashes are made with, so that no file can be made for them.
    factor: u64,
    /// A power of two of them, half of which are taken at most; the others are 0.
    slots: Vec<(u32, NameId)>,
    taken: usize,
}

impl Distances {
    /// None, with room for `count`.
    fn new(hasher: &DefaultHashBuilder, count: usize) -> Self {
        let slots = vec![(0, 0); (2 * count).next_power_of_two()];
        Distances { factor: hasher.hash_one(0) | 1, slots, taken: 0 }
    }

    /// The slot of `distance`, or a free one for it.
    fn slot(&self, distance: u32) -> usize {
        let mask = self.slots.len() - 1;
        let hash = u64::from(distance).wrapping_mul(self.factor);
        let mut at = (hash >> 32) as usize & mask;
        while self.slots[at].0 != distance && self.slots[at].0 != 0 {
            at = (at + 1) & mask;
        }
        at
    }

    /// The name at `distance`; 0 if there is none yet.
    fn get(&self, distance: u32) -> NameId {
        self.slots[self.slot(distance)].1
    }

    /// Adds the name `id` at `distance`, where there is none yet.
    fn insert(&mut self, distance: u32, id: NameId) {
        if 2 * (self.taken + 1) > self.slots.len() {
            let slots = vec![(0, 0); 2 * self.slots.len()];
            let old = mem::replace(&mut self.slots, slots);
            for (distance, id) in old.into_iter().filter(|(distance, _)| *distance != 0) {
                let slot = self.slot(distance);
                self.slots[slot] = (distance, id);
            }
        }
        let slot = self.slot(distance);
        self.slots[slot] = (distance, id);
        self.taken += 1;
    }
}

/// All names of a debug information.
///
/// The same header is read in every unit, and its names are at the same places of `.debug_str` each
/// time: so a name is looked up by its place first, and its letters are read but once.
pub(super) struct Names<'a> {
    texts: Vec<Cow<'a, [u8]>>,
    /// Where distances begin that [`Place`]s are known by; 0 until the first name was asked for.
    base: usize,
    by_distance: Distances,
    /// Names that are further away, by their addresses.
    far: HashMap<usize, NameId>,
    /// What is known of each name's place.
    places: Vec<Place>,
    /// The name that was asked for last.
    last: NameId,
    /// With their hashes.
    by_text: HashTable<(u32, NameId)>,
    /// Names with what is around them.
    joined: HashMap<(NameId, NameId), NameId>,
    hasher: DefaultHashBuilder,
}

impl<'a> Names<'a> {
    /// None, with room for `count`. Only those that have the same `hasher` can be put together.
    pub(super) fn new(hasher: DefaultHashBuilder, count: usize) -> Self {
        let mut texts = Vec::with_capacity(2 * count + 1);
        texts.push(Cow::Borrowed(&b""[..]));
        let mut places = Vec::with_capacity(2 * count + 1);
        places.push(Place::default());
        Names {
            texts,
            base: 0,
            by_distance: Distances::new(&hasher, count),
            far: HashMap::new(),
            places,
            last: 0,
            by_text: HashTable::with_capacity(count),
            joined: HashMap::new(),
            hasher,
        }
    }

    /// Number of `name`.
    pub(super) fn id(&mut self, name: RawName<'a>) -> NameId {
        if name.is_missing() {
            return 0;
        }
        let address = name.address();
        if self.base == 0 {
            // All sections are near each other, in whatever order.
            self.base = address.saturating_sub(1 << 31).max(1);
        }
        if self.is_at(self.last, name) {
            // `typedef struct data data`
            return self.last;
        }
        let distance = address.wrapping_sub(self.base);
        let likely = self.places[self.last as usize].next;
        // What begins there is that name.
        self.last = match self.is_at(likely, name) {
            true => likely,
            false => self.at(address, distance, name),
        };
        self.last
    }

    /// Takes note that the name `id` came next, if it is one.
    #[inline]
    pub(super) fn came(&mut self, id: NameId) {
        if id != 0 {
            self.last = id;
        }
    }

    /// Whether `name` is at the place where the one with the number `id` was found last.
    #[inline]
    pub(super) fn is_at(&self, id: NameId, name: RawName<'a>) -> bool {
        if name.is_missing() {
            return id == 0;
        }
        let known = self.places.get(id as usize).map_or(0, |place| place.distance);
        known != 0 && known as usize == name.address().wrapping_sub(self.base)
    }

    /// Number of `name`, which is at `address`, so far behind the base.
    fn at(&mut self, address: usize, distance: usize, name: RawName<'a>) -> NameId {
        let distance = u32::try_from(distance).unwrap_or(0);
        let known = match distance {
            0 => self.far.get(&address).copied().unwrap_or(0),
            distance => self.by_distance.get(distance),
        };
        let id = match known {
            0 => {
                let id = self.add(Cow::Borrowed(name.bytes()));
                match distance {
                    _ if id == 0 => {}
                    0 => drop(self.far.insert(address, id)),
                    distance => self.by_distance.insert(distance, id),
                }
                id
            }
            known => known,
        };
        self.places.resize(self.texts.len(), Place::default());
        self.places[self.last as usize].next = id;
        if id != 0 {
            self.places[id as usize].distance = distance;
        }
        id
    }

    /// Number of the text `text`.
    pub(super) fn add(&mut self, text: Cow<'a, [u8]>) -> NameId {
        if text.is_empty() {
            return 0;
        }
        let hash = self.hasher.hash_one(&*text) as u32;
        self.add_with(hash, text)
    }

    /// Number of the text `text`, whose hash is `hash`.
    fn add_with(&mut self, hash: u32, text: Cow<'a, [u8]>) -> NameId {
        let texts = &mut self.texts;
        let found = self.by_text.entry(
            spread(hash),
            |&(other, id)| other == hash && texts[id as usize] == text,
            |&(hash, _)| spread(hash),
        );
        match found {
            hashbrown::hash_table::Entry::Occupied(found) => found.get().1,
            hashbrown::hash_table::Entry::Vacant(place) => {
                let id = texts.len() as NameId;
                place.insert((hash, id));
                texts.push(text);
                id
            }
        }
    }

    /// Number of `name` within `scope`, which ends with `::`.
    pub(super) fn join(&mut self, scope: NameId, name: NameId) -> NameId {
        if scope == 0 || name == 0 {
            return name;
        }
        if let Some(&id) = self.joined.get(&(scope, name)) {
            return id;
        }
        let mut text = [self.text(scope), self.text(name)].concat();
        if text.len() > NAME_MAX {
            // As BTF will have it: a long scope would make much of everything in it.
            text = shortened(&String::from_utf8_lossy(&text), NAME_MAX).into_bytes();
        }
        let id = self.add(Cow::Owned(text));
        self.joined.insert((scope, name), id);
        id
    }

    /// Number of the name for the parameter `number`, which has none of its own: BTF wants those of
    /// functions to have one.
    pub(super) fn parameter(&mut self, number: usize) -> NameId {
        self.add(format!("_{number}").into_bytes().into())
    }

    /// Letters of the name `id`.
    pub(super) fn text(&self, id: NameId) -> &[u8] {
        &self.texts[id as usize]
    }

    /// The name `id`, with what is no UTF-8 replaced.
    pub(super) fn shared(&self, id: NameId) -> Cow<'_, str> {
        utf8(self.text(id))
    }

    /// Number of names, with that of none.
    pub(super) fn len(&self) -> usize {
        self.texts.len()
    }

    /// All names as BTF can have them, by number.
    pub(super) fn fit(&self) -> Vec<Cow<'a, str>> {
        let fit = |text: &Cow<'a, [u8]>| match text {
            Cow::Borrowed(bytes) => btf_name(utf8(bytes)),
            Cow::Owned(bytes) => Cow::Owned(btf_name(utf8(bytes)).into_owned()),
        };
        self.texts.iter().map(fit).collect()
    }

    /// Takes all names of `other`, which has the same hasher: none is hashed again. Gives the new number of each.
    pub(super) fn absorb(&mut self, other: &mut Names<'a>) -> Vec<NameId> {
        let texts = mem::take(&mut other.texts);
        let mut hashes = vec![0; texts.len()];
        other.by_text.iter().for_each(|&(hash, id)| hashes[id as usize] = hash);
        let named = texts.into_iter().zip(hashes);
        named
            .map(|(text, hash)| if text.is_empty() { 0 } else { self.add_with(hash, text) })
            .collect()
    }
}

/// `text`, with what is no UTF-8 replaced.
fn utf8(text: &[u8]) -> Cow<'_, str> {
    // Nearly all is, which the plain test is quicker to see.
    str::from_utf8(text).map_or_else(|_| String::from_utf8_lossy(text), Cow::Borrowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_known_by_its_letters_wherever_they_are() {
        let mut names = Names::new(DefaultHashBuilder::default(), 0);
        let first = names.add(b"data"[..].into());
        assert_eq!(names.add(b"data".to_vec().into()), first);
        assert_eq!(names.text(first), b"data");
        assert_eq!(names.add(b""[..].into()), 0);
        assert_eq!(names.id(RawName::default()), 0);
    }

    #[test]
    fn names_are_found_by_their_distances() {
        let mut distances = Distances::new(&DefaultHashBuilder::default(), 0);
        for id in 1..1000 {
            assert_eq!(distances.get(7 * id), 0);
            distances.insert(7 * id, id);
        }
        assert!((1..1000).all(|id| distances.get(7 * id) == id && distances.get(7 * id + 1) == 0));
    }

    #[test]
    fn scopes_become_part_of_a_name() {
        let mut names = Names::new(DefaultHashBuilder::default(), 0);
        let (scope, name) = (names.add(b"n1::"[..].into()), names.add(b"data"[..].into()));
        let joined = names.join(scope, name);
        assert_eq!(names.text(joined), b"n1::data");
        assert_eq!(names.join(scope, name), joined);
        assert_eq!((names.join(0, name), names.join(scope, 0)), (name, 0));
        assert_eq!(names.fit()[joined as usize], "n1__data");
    }
}
