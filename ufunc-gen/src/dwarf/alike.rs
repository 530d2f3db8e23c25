// SPDX-License-Identifier: MIT OR Apache-2.0
//! Whether two files define the same type.
//!
//! A header's types are there once for each file that includes it, with all that they lead to. To read
//! every copy, and to merge what is equal, takes long. Mostly the entries themselves tell: two types
//! are the same if they say the same, and what they refer to is the same, and so on, until both lead
//! to one entry, or to two that were compared before.
//!
//! This is done for C alone, where a type is known by its name, whatever is around it.

use std::sync::{Mutex, PoisonError};

use anyhow::Result;
use gimli::constants as dw;
use hashbrown::HashMap;

use super::definitions::is_same_name;
use super::entry::{DieRef, Entry};
use super::raw::{Kind, RawType, brief_kind};
use super::{Brief, DebugInfo, Unit, Walk};

/// Types that are known to be the same, by their places.
#[derive(Debug, Default)]
pub(super) struct Alike(Mutex<Classes>);

/// Places in classes: each leads to another one of its class, but for one of them.
#[derive(Debug, Default)]
struct Classes {
    places: HashMap<DieRef, Node>,
    /// What was there before each change, since it was last certain that all of them were right.
    changes: Vec<(DieRef, Option<Node>)>,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    next: DieRef,
    /// How many steps at most others take to here.
    rank: u8,
}

impl Classes {
    fn node(&self, place: DieRef) -> Node {
        self.places.get(&place).copied().unwrap_or(Node { next: place, rank: 0 })
    }

    /// The place that all of a class lead to.
    fn root(&self, place: DieRef) -> (DieRef, u8) {
        let mut at = place;
        loop {
            let node = self.node(at);
            if node.next == at {
                return (at, node.rank);
            }
            at = node.next;
        }
    }

    /// Makes one class of those of `one` and `other`; says whether they were two.
    fn join(&mut self, one: DieRef, other: DieRef) -> bool {
        let ((one, rank), (other, other_rank)) = (self.root(one), self.root(other));
        if one == other {
            return false;
        }
        let (below, above) = if rank > other_rank { (other, one) } else { (one, other) };
        self.set(below, Node { next: above, rank: rank.min(other_rank) });
        if rank == other_rank {
            self.set(above, Node { next: above, rank: rank + 1 });
        }
        true
    }

    fn set(&mut self, place: DieRef, node: Node) {
        let before = self.places.insert(place, node);
        self.changes.push((place, before));
    }

    fn keep_changes(&mut self) {
        self.changes.clear();
    }

    fn undo_changes(&mut self) {
        while let Some((place, before)) = self.changes.pop() {
            match before {
                Some(node) => self.places.insert(place, node),
                None => self.places.remove(&place),
            };
        }
    }
}

impl<'a> DebugInfo<'a> {
    /// Whether the types at `one` and `other` are certainly the same to BTF, with all that they lead
    /// to. If not, they may still be.
    pub(crate) fn are_alike(&self, one: DieRef, other: DieRef) -> Result<bool> {
        if one == other || self.refers_elsewhere() {
            return Ok(one == other);
        }
        // Whoever panicked with it may have left what is not certain.
        let mut classes = self.alike.0.lock().unwrap_or_else(PoisonError::into_inner);
        classes.undo_changes();
        let mut pending = Vec::new();
        if classes.join(one, other) {
            pending.push((one, other));
        }
        let mut types = [RawType::default(), RawType::default()];
        while let Some((one, other)) = pending.pop() {
            let mut join = |one: Option<DieRef>, other: Option<DieRef>| match (one, other) {
                (Some(one), Some(other)) => {
                    if classes.join(one, other) {
                        pending.push((one, other));
                    }
                    true
                }
                (one, other) => one == other,
            };
            if !self.say_the_same([one, other], &mut types, &mut join)? {
                classes.undo_changes();
                return Ok(false);
            }
        }
        classes.keep_changes();
        Ok(true)
    }

    /// Whether the types at `places` say the same but for what they refer to, for which `join` is
    /// called.
    fn say_the_same(
        &self,
        places: [DieRef; 2],
        [one, other]: &mut [RawType<'a>; 2],
        join: &mut impl FnMut(Option<DieRef>, Option<DieRef>) -> bool,
    ) -> Result<bool> {
        let [unit, other_unit] = self.c_units(places)?;
        let (Some(unit), Some(other_unit)) = (unit, other_unit) else { return Ok(false) };
        let brief = |unit, place| Walk::name_and_type(self, unit, place).filter(Brief::is_all);
        // Most say little.
        if let (Some(one), Some(other)) = (brief(unit, places[0]), brief(other_unit, places[1]))
            && brief_kind(one.tag).is_some()
        {
            let is_same = (one.tag, one.number) == (other.tag, other.number)
                && is_same_name(one.name, other.name)
                && (one.name.is_missing()
                    || (self.is_at_top(unit, one.at)? && self.is_at_top(other_unit, other.at)?));
            let target = |unit: &Unit<'a>, brief: &Brief<'a>| brief.ty.map(|ty| unit.die(ty));
            return Ok(is_same && join(target(unit, &one), target(other_unit, &other)));
        }
        let (Some((mut walk, entry)), Some((mut other_walk, other_entry))) =
            (self.plain_entry(unit, places[0])?, self.plain_entry(other_unit, places[1])?)
        else {
            return Ok(false);
        };
        if entry.tag != other_entry.tag || !is_same_name(entry.name, other_entry.name) {
            return Ok(false);
        }
        // What is called alike is the same only where nothing is around it.
        let has_name = !entry.name.is_missing() && entry.tag != dw::DW_TAG_base_type;
        if has_name
            && !(self.is_at_top(unit, entry.at)? && self.is_at_top(other_unit, other_entry.at)?)
        {
            return Ok(false);
        }
        match (entry.declaration, other_entry.declaration) {
            (false, false) => {}
            // Whatever it is, it is the same for both.
            (true, true) => return Ok(has_name && is_record(&entry)),
            (true, false) => {
                let definition = self.definition(unit, &entry)?;
                return Ok(definition.is_some() && join(definition, Some(other_entry.at)));
            }
            (false, true) => {
                let definition = self.definition(other_unit, &other_entry)?;
                return Ok(definition.is_some() && join(Some(entry.at), definition));
            }
        }
        one.read(self, unit, &mut walk, &entry)?;
        other.read(self, other_unit, &mut other_walk, &other_entry)?;
        let is_same = (one.kind, one.size, one.variadic)
            == (other.kind, other.size, other.variadic)
            && (one.rules == other.rules && one.parts.len() == other.parts.len())
            && (one.variant_parts.is_empty() && other.variant_parts.is_empty())
            && one.kind != Kind::DeclaredEnum;
        if !is_same || !join(one.target, other.target) {
            return Ok(false);
        }
        Ok(one.parts.iter().zip(&other.parts).all(|(one, other)| {
            (one.bit_offset, one.bits, one.value) == (other.bit_offset, other.bits, other.value)
                && is_same_name(one.name, other.name)
                && join(one.ty, other.ty)
        }))
    }

    /// The units that `places` are in; `None` for those that are not of C.
    fn c_units(&self, places: [DieRef; 2]) -> Result<[Option<&Unit<'a>>; 2]> {
        let [one, other] = places.map(|place| self.unit(self.unit_of(place)?));
        Ok([one?, other?].map(|unit| Some(unit).filter(|unit| unit.compiler.c)))
    }

    /// The entry at `place` of `unit`, and a walk that is there; `None` if that is not all of what it
    /// says.
    fn plain_entry<'u>(
        &'u self,
        unit: &'u Unit<'a>,
        place: DieRef,
    ) -> Result<Option<(Walk<'u, 'a>, Entry<'a>)>> {
        let mut walk = Walk::at(self, unit, place)?;
        let Some(&entry) = walk.next()? else { return Ok(None) };
        let is_plain = entry.origin().is_none() && entry.signature.is_none();
        Ok(is_plain.then_some((walk, entry)))
    }
}

/// Whether `entry` is a struct or a union.
fn is_record(entry: &Entry<'_>) -> bool {
    matches!(entry.tag, dw::DW_TAG_structure_type | dw::DW_TAG_union_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_joined_and_taken_apart_again() {
        let place = |offset| DieRef::new(0, offset);
        let mut classes = Classes::default();
        assert!(classes.join(place(1), place(2)));
        assert!(!classes.join(place(2), place(1)));
        classes.keep_changes();
        assert!(classes.join(place(3), place(4)) && classes.join(place(1), place(3)));
        assert_eq!(classes.root(place(4)).0, classes.root(place(2)).0);
        classes.undo_changes();
        assert_ne!(classes.root(place(4)).0, classes.root(place(3)).0);
        assert_ne!(classes.root(place(1)).0, classes.root(place(3)).0);
        assert_eq!(classes.root(place(1)).0, classes.root(place(2)).0);
    }
}
