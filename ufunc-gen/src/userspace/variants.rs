// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which struct a name means.
//!
//! A record refers to structs and unions by their names. Mostly there is one of each name in the
//! whole application, and a record is a type. But files are free to use one name for different
//! things. Then the definition that most files have is what the name usually means; and in a file
//! with another one, every record from which references lead to that name is a type of its own.
//!
//! Where a file only declares a name, the usual definition is meant.

use hashbrown::{HashMap, HashSet};

use super::names::NameId;
use super::scan::{ENUM_DECLARED, UnitTypes};
use super::store::{Key, RecordId, Ref, Store};
use crate::btf::kind;

/// What a reference leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The type with that place in the list of [`Types`]; 0 is `void`.
    Type(usize),
    /// A struct or union of which there is no definition.
    Declared(Key),
}

/// All types of an application: its records, by their numbers, and after them those records again
/// that have an unusual meaning in some files.
pub(super) struct Types<'s, 'a> {
    store: &'s Store<'a>,
    usual: Usual,
    /// Definitions of enumerations that are only declared elsewhere.
    enums: HashMap<RecordId, RecordId>,
    /// What stands at the places in [`Store::exact`]: a reference, or a type where that has an
    /// unusual meaning in its file.
    places: Vec<Option<(Ref, Option<usize>)>>,
    unusual: Vec<Unusual>,
    /// Definitions that have an unusual meaning in every file that has them, with the first one.
    only_unusual: HashMap<RecordId, usize>,
    /// Those that can be asked for by name, and functions; each maybe several times.
    pub(super) roots: Vec<usize>,
    /// Names with several definitions, with all of them.
    pub(super) ambiguous: Vec<(Key, Vec<RecordId>)>,
}

/// A record that has an unusual meaning.
struct Unusual {
    record: RecordId,
    /// What it refers to in its file, in the order of [`Store::refs`]; `None` for what other files
    /// have.
    refs: Vec<Option<usize>>,
}

impl Types<'_, '_> {
    /// Number of places that are referred to and where no type is.
    pub(super) fn missing(&self) -> usize {
        self.places.iter().filter(|place| place.is_none()).count()
    }

    /// Number of types, with `void`.
    pub(super) fn len(&self) -> usize {
        self.store.len() + self.unusual.len()
    }

    /// The record that the type is.
    pub(super) fn record(&self, ty: usize) -> RecordId {
        match ty.checked_sub(self.store.len()) {
            None => ty as RecordId,
            Some(index) => self.unusual[index].record,
        }
    }

    /// The types that are a record with an unusual meaning, behind that.
    pub(super) fn unusual(&self) -> impl Iterator<Item = (RecordId, usize)> {
        let records = self.unusual.iter().map(|unusual| unusual.record);
        records.zip(self.store.len()..)
    }

    /// What the type refers to, in the order of [`Store::refs`].
    pub(super) fn refs(&self, ty: usize, refs: &mut Vec<Meaning>) {
        refs.clear();
        match ty.checked_sub(self.store.len()) {
            None => {
                let record = ty as RecordId;
                refs.extend(self.store.refs(record).map(|reference| self.meaning(reference)));
            }
            Some(index) => {
                let unusual = &self.unusual[index];
                // What is left to other files is known when all were read.
                let found = unusual.refs.iter().zip(self.store.refs(unusual.record));
                refs.extend(found.map(|(found, reference)| match found {
                    Some(ty) => Meaning::Type(*ty),
                    None => self.meaning(reference),
                }));
            }
        }
        for meaning in refs.iter_mut().filter(|_| !self.enums.is_empty()) {
            if let Meaning::Type(ty) = *meaning
                && let Some(&definition) = self.enums.get(&self.record(ty))
            {
                *meaning = Meaning::Type(definition as usize);
            }
        }
    }

    /// What a reference usually leads to.
    fn meaning(&self, reference: Ref) -> Meaning {
        match reference {
            Ref::Record(id) => Meaning::Type(id as usize),
            Ref::Named(key) => match self.usual.get(key) {
                Some(id) if self.only_unusual.is_empty() => Meaning::Type(id as usize),
                Some(id) => {
                    Meaning::Type(self.only_unusual.get(&id).copied().unwrap_or(id as usize))
                }
                None => Meaning::Declared(key),
            },
            Ref::Exact(place) => self.at(place),
        }
    }

    /// What stands at the place with the number `place`.
    fn at(&self, place: u32) -> Meaning {
        let mut at = place;
        // A place may stand for another one. No such chain is longer than there are places.
        for _ in 0..=self.places.len() {
            match self.places[at as usize] {
                Some((Ref::Exact(next), None)) => at = next,
                Some((_, Some(unusual))) => return Meaning::Type(unusual),
                Some((reference, None)) => return self.meaning(reference),
                None => break,
            }
        }
        Meaning::Type(0)
    }
}

/// The usual definition of each name, if there is one.
struct Usual {
    /// By the numbers of names; 0 is none.
    structs: Vec<RecordId>,
    unions: Vec<RecordId>,
}

impl Usual {
    fn get(&self, key: Key) -> Option<RecordId> {
        let known = if key.union { &self.unions } else { &self.structs };
        Some(known[key.name as usize]).filter(|&id| id != 0)
    }

    fn place(&mut self, key: Key) -> &mut RecordId {
        let known = if key.union { &mut self.unions } else { &mut self.structs };
        &mut known[key.name as usize]
    }
}

/// The types that the records in `store` stand for in `units`.
pub(super) fn resolve<'s, 'a>(store: &'s Store<'a>, units: &[UnitTypes]) -> Types<'s, 'a> {
    let (usual, ambiguous) = usual(store, units);
    let mut ambiguous: Vec<_> = ambiguous.into_iter().collect();
    ambiguous.sort_by_key(|(key, _)| (store.names.text(key.name).to_vec(), key.union));
    let mut places = vec![None; store.exact.len()];
    for &(place, reference) in units.iter().flat_map(|unit| &unit.places) {
        if let Some(number) = store.place(place) {
            places[number as usize] = Some((reference, None));
        }
    }
    let (unusual, roots) = (Vec::new(), Vec::new());
    let only_unusual = HashMap::new();
    let enums = enums(store);
    let types = Types { store, usual, enums, places, unusual, only_unusual, roots, ambiguous };
    let tainted = tainted(store, &types);
    let is_odd = |id: RecordId| {
        let is_usual = |key| types.usual.get(key) == Some(id);
        store.key(id).is_some_and(|key| tainted[id as usize] || !is_usual(key))
    };
    let odd = std::iter::once(false).chain(store.ids().map(is_odd)).collect();
    let mut resolver = Resolver {
        types,
        tainted,
        odd,
        meanings: HashMap::new(),
        found: HashMap::new(),
        is_plain: vec![false; store.len()],
    };
    for unit in units {
        resolver.read_unit(unit);
    }
    resolver.find_only_unusual();
    resolver.types
}

/// The definition of each enumeration that is only declared: the first of that name and size.
fn enums(store: &Store<'_>) -> HashMap<RecordId, RecordId> {
    let is_enum = |id: &RecordId| matches!(store.head(*id).kind.into(), kind::ENUM | kind::ENUM64);
    let is_declared = |id: &RecordId| store.head(*id).detail & ENUM_DECLARED != 0;
    let key = |id: RecordId| (store.head(id).name, store.head(id).size);
    let (declared, defined): (Vec<_>, Vec<_>) = store.ids().filter(is_enum).partition(is_declared);
    if declared.is_empty() {
        return HashMap::new();
    }
    let mut first = HashMap::<(NameId, u32), RecordId>::new();
    for id in defined {
        let found = first.entry(key(id)).or_insert(id);
        if store.first(id) < store.first(*found) {
            *found = id;
        }
    }
    let definition = |id: RecordId| Some((id, *first.get(&key(id))?));
    declared.into_iter().filter_map(definition).collect()
}

/// What each name usually means; and of those with several definitions all that they can mean, in
/// the order of the debug information.
fn usual(store: &Store<'_>, units: &[UnitTypes]) -> (Usual, HashMap<Key, Vec<RecordId>>) {
    let names = store.names.len();
    let mut usual = Usual { structs: vec![0; names], unions: vec![0; names] };
    let mut ambiguous = HashMap::<Key, Vec<RecordId>>::new();
    for id in store.ids() {
        let Some(key) = store.key(id) else { continue };
        match usual.place(key) {
            first if *first == 0 => *first = id,
            first => ambiguous.entry(key).or_insert_with(|| vec![*first]).push(id),
        }
    }
    if ambiguous.is_empty() {
        return (usual, ambiguous);
    }
    let mut counts = vec![0_u32; store.len()];
    units.iter().flat_map(|unit| &unit.roots).for_each(|&id| counts[id as usize] += 1);
    for (&key, records) in &mut ambiguous {
        records.sort_unstable_by_key(|&id| store.first(id));
        // Of equally common ones the first.
        let common = records.iter().rev().max_by_key(|id| counts[**id as usize]);
        *usual.place(key) = common.copied().unwrap_or(0);
    }
    (usual, ambiguous)
}

/// The records from which references lead to a name with several definitions.
fn tainted(store: &Store<'_>, types: &Types<'_, '_>) -> Vec<bool> {
    let mut tainted = vec![false; store.len()];
    if types.ambiguous.is_empty() {
        return tainted;
    }
    let ambiguous: HashSet<Key> = types.ambiguous.iter().map(|(key, _)| *key).collect();
    let target = |reference| match reference {
        Ref::Record(0) | Ref::Exact(_) => None,
        Ref::Record(target) => Some(target),
        Ref::Named(key) => types.usual.get(key).filter(|_| !ambiguous.contains(&key)),
    };
    let targets = |id| store.refs(id).filter_map(target);
    // Those who refer to a record, the one record's after the other's; each list is filled from its
    // end, so that its end becomes its beginning.
    let mut starts = vec![0_u32; store.len() + 1];
    store.ids().flat_map(targets).for_each(|target| starts[target as usize] += 1);
    let mut end = 0;
    for start in &mut starts {
        end += *start;
        *start = end;
    }
    let mut referrers = vec![0; end as usize];
    for id in store.ids() {
        for target in targets(id) {
            let start = &mut starts[target as usize];
            *start -= 1;
            referrers[*start as usize] = id;
        }
    }
    let is_ambiguous = |reference| matches!(reference, Ref::Named(key) if ambiguous.contains(&key));
    let mut queue: Vec<_> = store.ids().filter(|&id| store.refs(id).any(is_ambiguous)).collect();
    while let Some(id) = queue.pop() {
        if !std::mem::replace(&mut tainted[id as usize], true) {
            let (start, end) = (starts[id as usize], starts[id as usize + 1]);
            queue.extend(&referrers[start as usize..end as usize]);
        }
    }
    tainted
}

/// A name that has an unusual meaning in a unit, and which.
type Mark = (Key, RecordId);

/// What makes a meaning an unusual one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Word {
    /// It is that of this record.
    Record(RecordId),
    Mark(Mark),
    /// It leads to this record in this unusual meaning.
    Leads(RecordId, usize),
}

struct Resolver<'s, 'a> {
    types: Types<'s, 'a>,
    tainted: Vec<bool>,
    /// Whether the record has a name of which a unit has to be known to say what it means there.
    odd: Vec<bool>,
    /// Numbers of unusual meanings, which records that lead to each other have in common.
    meanings: HashMap<Vec<Word>, usize>,
    /// The type that a record is with an unusual meaning.
    found: HashMap<(RecordId, usize), usize>,
    /// Whether some file has the record in its usual meaning.
    is_plain: Vec<bool>,
}

impl Resolver<'_, '_> {
    fn read_unit(&mut self, unit: &UnitTypes) {
        let store = self.types.store;
        let mut own = HashMap::new();
        let mut is_unusual = false;
        for &id in unit.roots.iter().filter(|id| self.odd[**id as usize]) {
            if let Some(key) = store.key(id) {
                is_unusual |= self.types.usual.get(key) != Some(id);
                own.insert(key, id);
            }
        }
        if !is_unusual {
            for &id in &unit.roots {
                // The others are there already.
                if !std::mem::replace(&mut self.is_plain[id as usize], true) {
                    self.types.roots.push(id as usize);
                }
            }
            return;
        }
        let is_tainted = |id: &RecordId| self.tainted[*id as usize];
        let at_places = unit.places.iter().filter_map(|&(place, reference)| match reference {
            Ref::Record(id) if is_tainted(&id) => Some((place, id)),
            _ => None,
        });
        let at_places: Vec<_> = at_places.collect();
        let roots = unit.roots.iter().copied().filter(is_tainted);
        let roots: Vec<_> = roots.chain(at_places.iter().map(|&(_, id)| id)).collect();
        let view = self.view(own, &roots);
        for &id in &unit.roots {
            let ty = self.add(id, &view);
            self.is_plain[id as usize] |= ty == id as usize;
            self.types.roots.push(ty);
        }
        for (place, id) in at_places {
            let ty = self.add(id, &view);
            if let Some(number) = store.place(place) {
                self.types.places[number as usize] = Some((Ref::Record(id), Some(ty)));
            }
        }
    }

    /// Finds the definitions that no file has in their usual meaning: who only declares them means
    /// one of the others.
    fn find_only_unusual(&mut self) {
        let store = self.types.store;
        for (index, unusual) in self.types.unusual.iter().enumerate() {
            let id = unusual.record;
            if store.key(id).is_some() && !self.is_plain[id as usize] {
                self.types.only_unusual.entry(id).or_insert(store.len() + index);
            }
        }
    }

    /// How a unit that defines the names in `own` understands the records that `roots` lead to.
    fn view(&mut self, own: HashMap<Key, RecordId>, roots: &[RecordId]) -> View {
        let store = self.types.store;
        // The records of interest, with their marks.
        let mut order = Vec::<RecordId>::new();
        let mut numbers = HashMap::<RecordId, usize>::new();
        let mut marks = Vec::<Vec<Mark>>::new();
        let mut targets = Vec::<Vec<usize>>::new();
        let mut stack: Vec<_> = roots.iter().map(|&id| (id, None)).collect();
        while let Some((id, referrer)) = stack.pop() {
            let known = numbers.len();
            let number = *numbers.entry(id).or_insert(known);
            if number == known {
                order.push(id);
                marks.push(Vec::new());
                targets.push(Vec::new());
                for reference in store.refs(id) {
                    let target = match reference {
                        Ref::Record(target) => target,
                        Ref::Exact(_) => continue,
                        Ref::Named(key) => {
                            let Some(&target) = own.get(&key) else { continue };
                            if self.types.usual.get(key) != Some(target) {
                                marks[number].push((key, target));
                            }
                            target
                        }
                    };
                    if self.tainted[target as usize] {
                        stack.push((target, Some(number)));
                    }
                }
            }
            if let Some(referrer) = referrer {
                let of_referrer: &mut Vec<usize> = &mut targets[referrer];
                of_referrer.push(number);
            }
        }
        // All marks that references lead to from a record would be too many. They follow from its
        // own, and from those of the records that it leads to, which come first.
        let mut meanings = HashMap::new();
        for group in components(&targets) {
            let mut marked = Vec::new();
            for &node in &group {
                marked.extend(marks[node].iter().map(|&mark| Word::Mark(mark)));
                for &target in &targets[node] {
                    let id = order[target];
                    let meaning: Option<&usize> = meanings.get(&id);
                    marked.extend(meaning.map(|&meaning| Word::Leads(id, meaning)));
                }
            }
            if marked.is_empty() {
                continue;
            }
            marked.extend(group.iter().map(|&node| Word::Record(order[node])));
            marked.sort_unstable();
            marked.dedup();
            let next = self.meanings.len();
            let meaning = *self.meanings.entry(marked).or_insert(next);
            meanings.extend(group.iter().map(|&node| (order[node], meaning)));
        }
        View { own, meanings }
    }

    /// The type that the record `root` is in a unit. Adds it, and what it leads to, if it is a new
    /// one.
    fn add(&mut self, root: RecordId, view: &View) -> usize {
        let store = self.types.store;
        let mut waiting = Vec::new();
        let ty = self.find(root, view, &mut waiting);
        while let Some(ty) = waiting.pop() {
            let mut refs = Vec::new();
            for reference in store.refs(self.types.record(ty)) {
                let own = match reference {
                    Ref::Record(id) => Some(id),
                    Ref::Named(key) => view.own.get(&key).copied(),
                    Ref::Exact(_) => None,
                };
                // What another unit has has its meaning there.
                refs.push(own.map(|id| self.find(id, view, &mut waiting)));
            }
            let index = ty - store.len();
            self.types.unusual[index].refs = refs;
        }
        ty
    }

    fn find(&mut self, record: RecordId, view: &View, waiting: &mut Vec<usize>) -> usize {
        let Some(&meaning) = view.meanings.get(&record) else { return record as usize };
        let next = self.types.len();
        let ty = *self.found.entry((record, meaning)).or_insert(next);
        if ty == next {
            self.types.unusual.push(Unusual { record, refs: Vec::new() });
            waiting.push(ty);
        }
        ty
    }
}

/// How a unit understands names.
struct View {
    /// Its own definitions, as far as they are of interest.
    own: HashMap<Key, RecordId>,
    /// The unusual meaning of each record that has one.
    meanings: HashMap<RecordId, usize>,
}

/// Groups of nodes that lead to each other, each behind those that it leads to (Tarjan's algorithm,
/// without recursion).
fn components(targets: &[Vec<usize>]) -> Vec<Vec<usize>> {
    const NEW: usize = usize::MAX;
    let mut groups = Vec::new();
    // When each node was found, and the earliest one that it is known to lead back to; those whose
    // group is complete lead nowhere.
    let (mut found, mut low, mut count) = (vec![NEW; targets.len()], vec![NEW; targets.len()], 0);
    let (mut path, mut waiting) = (Vec::<(usize, usize)>::new(), Vec::new());
    for root in 0..targets.len() {
        if found[root] != NEW {
            continue;
        }
        path.push((root, 0));
        while let Some((node, next)) = path.pop() {
            if next == 0 {
                (found[node], low[node]) = (count, count);
                count += 1;
                waiting.push(node);
            }
            match targets[node].get(next) {
                Some(&target) => {
                    path.push((node, next + 1));
                    match found[target] {
                        NEW => path.push((target, 0)),
                        _ => low[node] = low[node].min(low[target]),
                    }
                }
                None if low[node] == found[node] => {
                    let start = waiting.iter().rposition(|&other| other == node).unwrap_or(0);
                    let group = waiting.split_off(start);
                    group.iter().for_each(|&node| low[node] = NEW);
                    groups.push(group);
                }
                None => {}
            }
            if let (None, Some(&(parent, _))) = (targets[node].get(next), path.last()) {
                low[parent] = low[parent].min(low[node]);
            }
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(targets: &[Vec<usize>]) -> Vec<Vec<usize>> {
        let mut groups = components(targets);
        groups.iter_mut().for_each(|group| group.sort_unstable());
        groups
    }

    #[test]
    fn groups_come_behind_what_they_lead_to() {
        assert_eq!(sorted(&[vec![1], vec![2], vec![]]), [[2], [1], [0]]);
        // 0 → 1 ⇄ 2 → 3 ⇄ 4, 1 → 4, 5 → 0
        let targets = [vec![1], vec![2, 4], vec![1, 3], vec![4], vec![3], vec![0]];
        assert_eq!(sorted(&targets), [vec![3, 4], vec![1, 2], vec![0], vec![5]]);
        assert_eq!(sorted(&[vec![0], vec![0, 1]]), [[0], [1]]);
        // Round through all of them, and a shorter way.
        assert_eq!(sorted(&[vec![1, 2], vec![2], vec![3], vec![0]]), [[0, 1, 2, 3]]);
    }

    #[test]
    fn a_long_way_takes_no_long_time() {
        let mut targets: Vec<_> = (1..300_000).map(|next| vec![next]).collect();
        targets.push(vec![]);
        assert_eq!(components(&targets).len(), 300_000);
        targets[299_999].push(0);
        assert_eq!(components(&targets).len(), 1);
    }
}
