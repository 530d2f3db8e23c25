// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which struct, union or enum is likely the one that comes next.
//!
//! A header has the same types for every file that includes it, mostly in the same order. So what is
//! read next is guessed, and compared with what it is guessed to be: that takes much less than to read
//! it as if it were new.

use super::names::NameId;
use super::store::RecordId;

/// Structs, unions and enums that were read before.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The last one of each name; 0 is none.
    by_name: Vec<RecordId>,
    /// The one that came after each the last time; 0 is none.
    next: Vec<RecordId>,
    /// The last one; 0 is none, or not known yet.
    last: RecordId,
}

impl Seen {
    /// Begins a unit.
    pub(super) fn begin(&mut self) {
        self.last = 0;
    }

    /// What may come after the last one; 0 if nothing is known of that.
    pub(super) fn next(&self) -> RecordId {
        self.next.get(self.last as usize).copied().unwrap_or(0)
    }

    /// The last one that was called `name`; 0 if there was none.
    pub(super) fn called(&self, name: NameId) -> RecordId {
        self.by_name.get(name as usize).copied().unwrap_or(0)
    }

    /// `id` is the next one of the unit; 0 if it is one that is not known.
    pub(super) fn came(&mut self, id: RecordId) {
        self.last = id;
    }

    /// Takes note of all of a unit, in their order, by their names.
    pub(super) fn note(&mut self, unit: impl Iterator<Item = (NameId, RecordId)>) {
        let mut last = 0;
        for (name, id) in unit {
            set(&mut self.next, last, id);
            if name != 0 {
                set(&mut self.by_name, name, id);
            }
            last = id;
        }
    }
}

fn set(list: &mut Vec<RecordId>, place: u32, id: RecordId) {
    let place = place as usize;
    if place >= list.len() {
        list.resize(place + 1, 0);
    }
    list[place] = id;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_next_is_likely_to_come_next() {
        let mut seen = Seen::default();
        assert_eq!((seen.next(), seen.called(1)), (0, 0));
        seen.note([(1, 10), (0, 11), (2, 12)].into_iter());
        assert_eq!((seen.next(), seen.called(1)), (10, 10));
        seen.came(10);
        assert_eq!((seen.next(), seen.called(0)), (11, 0));
        seen.came(0);
        assert_eq!((seen.next(), seen.called(2)), (10, 12));
        seen.begin();
        seen.note([(2, 13)].into_iter());
        assert_eq!((seen.next(), seen.called(2)), (13, 13));
    }
}
