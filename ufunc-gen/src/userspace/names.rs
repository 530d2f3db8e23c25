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

/// What is known of a name's place. Who looks at the one looks at the other.
#[derive(Clone, Copy, Default)]
struct Place {
    /// Where it was found last; 0 if it was found in no section.
    address: usize,
    /// The name that was asked for after it the last time. Headers have their names in the same order
    /// each time.
    next: NameId,
}

/// All names of a debug information.
///
/// The same header is read in every unit, and its names are at the same places of `.debug_str` each
/// time: so a name is looked up by its place first, and its letters are read but once.
pub(super) struct Names<'a> {
    texts: Vec<Cow<'a, [u8]>>,
    by_address: HashMap<usize, NameId>,
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
    /// None. Only those that have the same `hasher` can be put together.
    pub(super) fn new(hasher: DefaultHashBuilder) -> Self {
        Names {
            texts: vec![Cow::Borrowed(b"")],
            by_address: HashMap::new(),
            places: vec![Place::default()],
            last: 0,
            by_text: HashTable::new(),
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
        if self.places[self.last as usize].address == address {
            // `typedef struct data data`
            return self.last;
        }
        let likely = self.places[self.last as usize].next;
        // What begins there is that name.
        let is_likely = self.places[likely as usize].address == address;
        self.last = if is_likely { likely } else { self.at(address, name) };
        self.last
    }

    /// Whether `name` is at the place where the one with the number `id` was found last.
    #[inline]
    pub(super) fn is_at(&self, id: NameId, name: RawName<'a>) -> bool {
        match name.is_missing() {
            true => id == 0,
            false => self.places.get(id as usize).is_some_and(|place| place.address == name.address()),
        }
    }

    /// Number of `name`, which is at `address`.
    fn at(&mut self, address: usize, name: RawName<'a>) -> NameId {
        let id = match self.by_address.get(&address) {
            Some(&id) => id,
            None => {
                let id = self.add(Cow::Borrowed(name.bytes()));
                self.by_address.insert(address, id);
                id
            }
        };
        self.places.resize(self.texts.len(), Place::default());
        self.places[self.last as usize].next = id;
        self.places[id as usize].address = address;
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
        let mut names = Names::new(DefaultHashBuilder::default());
        let first = names.add(b"data"[..].into());
        assert_eq!(names.add(b"data".to_vec().into()), first);
        assert_eq!(names.text(first), b"data");
        assert_eq!(names.add(b""[..].into()), 0);
        assert_eq!(names.id(RawName::default()), 0);
    }

    #[test]
    fn scopes_become_part_of_a_name() {
        let mut names = Names::new(DefaultHashBuilder::default());
        let (scope, name) = (names.add(b"n1::"[..].into()), names.add(b"data"[..].into()));
        let joined = names.join(scope, name);
        assert_eq!(names.text(joined), b"n1::data");
        assert_eq!(names.join(scope, name), joined);
        assert_eq!((names.join(0, name), names.join(scope, 0)), (name, 0));
        assert_eq!(names.fit()[joined as usize], "n1__data");
    }
}
