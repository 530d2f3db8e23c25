// SPDX-License-Identifier: MIT OR Apache-2.0
//! Names, each once, as numbers.

use std::borrow::Cow;
use std::hash::BuildHasher as _;

use hashbrown::{DefaultHashBuilder, HashMap, HashTable};

use crate::dwarf::entry::RawName;
use crate::ident::{btf_name, shortened};
use crate::kernel::NAME_MAX;

/// Number of a name; 0 is none.
pub(super) type NameId = u32;

/// All names of a debug information.
///
/// The same header is read in every unit, and its names are at the same places of `.debug_str` each
/// time: so a name is looked up by its place first, and its letters are read but once.
pub(super) struct Names<'a> {
    texts: Vec<Cow<'a, [u8]>>,
    by_address: HashMap<usize, NameId>,
    /// Where each name was last, and what was asked for after it. Headers have their names in the
    /// same order each time.
    order: Vec<(usize, NameId)>,
    /// The name that was asked for last.
    last: NameId,
    by_text: HashTable<NameId>,
    /// Names with what is around them.
    joined: HashMap<(NameId, NameId), NameId>,
    hasher: DefaultHashBuilder,
}

impl<'a> Names<'a> {
    pub(super) fn new() -> Self {
        Names {
            texts: vec![Cow::Borrowed(b"")],
            by_address: HashMap::new(),
            order: Vec::new(),
            last: 0,
            by_text: HashTable::new(),
            joined: HashMap::new(),
            hasher: DefaultHashBuilder::default(),
        }
    }

    /// Number of `name`.
    pub(super) fn id(&mut self, name: RawName<'a>) -> NameId {
        if name.is_missing() {
            return 0;
        }
        let address = name.address();
        let likely = self.order.get(self.last as usize).map_or(0, |&(_, next)| next);
        let id = match self.order.get(likely as usize) {
            Some(&(place, _)) if place == address => likely,
            _ => self.at(address, name),
        };
        self.last = id;
        id
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
        if self.order.len() < self.texts.len() {
            self.order.resize(self.texts.len(), (0, 0));
        }
        self.order[id as usize].0 = address;
        self.order[self.last as usize].1 = id;
        id
    }

    /// Number of the text `text`.
    pub(super) fn add(&mut self, text: Cow<'a, [u8]>) -> NameId {
        if text.is_empty() {
            return 0;
        }
        let (texts, hasher) = (&mut self.texts, &self.hasher);
        let hash = hasher.hash_one(&*text);
        let found = self.by_text.entry(
            hash,
            |&id| texts[id as usize] == text,
            |&id| hasher.hash_one(&*texts[id as usize]),
        );
        match found {
            hashbrown::hash_table::Entry::Occupied(found) => *found.get(),
            hashbrown::hash_table::Entry::Vacant(place) => {
                let id = texts.len() as NameId;
                place.insert(id);
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
        String::from_utf8_lossy(self.text(id))
    }

    /// All names as BTF can have them, by number.
    pub(super) fn fit(&self) -> Vec<Cow<'a, str>> {
        let fit = |text: &Cow<'a, [u8]>| match text {
            Cow::Borrowed(bytes) => btf_name(String::from_utf8_lossy(bytes)),
            Cow::Owned(bytes) => Cow::Owned(btf_name(String::from_utf8_lossy(bytes)).into_owned()),
        };
        self.texts.iter().map(fit).collect()
    }

    /// All names, by number.
    pub(super) fn into_texts(self) -> Vec<Cow<'a, [u8]>> {
        self.texts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_known_by_its_letters_wherever_they_are() {
        let mut names = Names::new();
        let first = names.add(b"data"[..].into());
        assert_eq!(names.add(b"data".to_vec().into()), first);
        assert_eq!(names.text(first), b"data");
        assert_eq!(names.add(b""[..].into()), 0);
        assert_eq!(names.id(RawName::default()), 0);
    }

    #[test]
    fn scopes_become_part_of_a_name() {
        let mut names = Names::new();
        let (scope, name) = (names.add(b"n1::"[..].into()), names.add(b"data"[..].into()));
        let joined = names.join(scope, name);
        assert_eq!(names.text(joined), b"n1::data");
        assert_eq!(names.join(scope, name), joined);
        assert_eq!((names.join(0, name), names.join(scope, 0)), (name, 0));
        assert_eq!(names.fit()[joined as usize], "n1__data");
    }
}
