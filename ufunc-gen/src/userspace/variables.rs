// SPDX-License-Identifier: MIT OR Apache-2.0
//! Variables: which there are, and what each is, whatever entries share in saying so.
//!
//! A variable may be said by several entries: one with its place, and others, which it names, with
//! its name and type. With link-time optimisation those are in other units.

use std::mem;
use std::sync::Arc;

use anyhow::Result;
use gimli::DwTag;
use gimli::constants as dw;
use hashbrown::{HashMap, HashSet};

use super::names::{NameId, Names};
use super::scan::Scanner;
use super::store::{Draft, Head, Packed, Part, RecordId, Store, Translation};
use super::{UnitTypes, VAR_GLOBAL, VAR_THREAD_LOCAL};
use crate::btf::kind;
use crate::dwarf::entry::Entry;
use crate::dwarf::raw::{Rule, Rules};
use crate::dwarf::scope::{Scopes, is_namespace};
use crate::dwarf::variables::{Location, Locations, Place};
use crate::dwarf::{DieRef, MAX_CHAIN, Unit, Walk};

/// What a unit says of variables that only all units together can make sense of.
#[derive(Default)]
pub(super) struct UnitVariables {
    /// Variables that entries of other units may complete.
    known: Vec<Variable>,
    /// Those with a place whose names are in other units.
    incomplete: Vec<Variable>,
    /// Entries of other units that this one completes.
    completed: Vec<DieRef>,
    /// Variables without a place, each with its name.
    left_out: Vec<(DieRef, NameId, Rule)>,
    /// How many have no name at all.
    nameless: usize,
}

impl UnitVariables {
    /// Puts the numbers of another store in place of those of the one that it was read into.
    pub(super) fn translate(&mut self, translation: &Translation) {
        for variable in self.known.iter_mut().chain(&mut self.incomplete) {
            for name in [&mut variable.scope, &mut variable.name, &mut variable.linkage_name] {
                *name = translation.name(*name);
            }
        }
        for (_, name, _) in &mut self.left_out {
            *name = translation.name(*name);
        }
    }
}

/// What is around a variable.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Around {
    /// A file, or a namespace.
    File,
    Class,
    Function,
}

/// A variable as far as one entry says it.
#[derive(Clone, Copy)]
struct Variable {
    at: DieRef,
    /// What is around it, for its name.
    scope: NameId,
    name: NameId,
    linkage_name: NameId,
    external: bool,
    declaration: bool,
    ty: Option<DieRef>,
    /// The entry that this one completes.
    origin: Option<DieRef>,
    location: Location,
    around: Around,
}

impl Variable {
    /// With what the entries say that it completes; `None` if `find` does not have one of them.
    fn whole<'v>(self, find: impl Fn(DieRef) -> Option<&'v Variable>) -> Option<Variable> {
        let (mut whole, mut at) = (self, self.origin);
        for _ in 0..MAX_CHAIN {
            let Some(origin) = at else { break };
            let origin = find(origin)?;
            if origin.name != 0 {
                (whole.scope, whole.name) = (origin.scope, origin.name);
            }
            if whole.linkage_name == 0 {
                whole.linkage_name = origin.linkage_name;
            }
            whole.external |= origin.external;
            whole.ty = whole.ty.or(origin.ty);
            at = origin.origin;
        }
        Some(whole)
    }

    /// Its place; `None` if it has none.
    fn place(&self) -> Option<Place> {
        match self.location {
            Location::At(place) => Some(place),
            Location::Unsaid | Location::Changing => None,
        }
    }

    /// Why it is left out if no other entry gives it a place; `None` if it is nobody's concern: an
    /// ordinary variable of a function, or a part of a class.
    fn left_out(&self) -> Option<Rule> {
        match (self.around, self.location) {
            (Around::Class | Around::Function, _) | (_, Location::At(_)) => None,
            (Around::File, _) if self.declaration => Some(Rule::DeclaredVariable),
            (Around::File, Location::Unsaid) => Some(Rule::RemovedVariable),
            (Around::File, Location::Changing) => Some(Rule::MovingVariable),
        }
    }

    /// The record of it, at `place`, if its type is `target`.
    fn intern(self, store: &mut Store<'_>, place: Place, target: Packed) -> RecordId {
        let mut draft = Draft::default();
        let name = store.names.join(self.scope, self.name);
        let symbol = if self.linkage_name != 0 { self.linkage_name } else { self.name };
        let mut detail = if self.external { VAR_GLOBAL } else { 0 };
        detail |= if place.thread_local { VAR_THREAD_LOCAL } else { 0 };
        draft.begin(Head { kind: kind::VAR as u8, detail, name, size: 0, target });
        let values = [place.address as u32, (place.address >> 32) as u32];
        draft.push(Part { name: symbol, ty: Packed::VOID, values });
        store.intern(&draft, (self.at, 0), Rules::default())
    }
}

impl<'a> Scanner<'_, 'a> {
    /// Puts the variables of `unit` that have a place into the store, and adds them to `roots`.
    pub(super) fn intern_variables(
        &mut self,
        unit: &Unit<'a>,
        roots: &mut Vec<RecordId>,
    ) -> Result<UnitVariables> {
        let variables = self.read_variables(unit)?;
        let places = variables.iter().enumerate().map(|(index, variable)| (variable.at, index));
        let by_place: HashMap<DieRef, usize> = places.collect();
        let mut found = UnitVariables::default();
        let mut completed = HashSet::new();
        for variable in &variables {
            let origin = variable.origin.filter(|_| variable.around != Around::Function);
            completed.extend(origin.or(variable.place().and(variable.origin)));
            let Some(place) = variable.place() else { continue };
            let find = |at| by_place.get(&at).map(|&index: &usize| &variables[index]);
            match variable.whole(find) {
                None => found.incomplete.push(*variable),
                Some(whole) if whole.name == 0 => found.nameless += 1,
                Some(whole) => {
                    let target = self.intern_target(self.place.target(whole.ty));
                    let target = self.reference(target);
                    let id = whole.intern(&mut self.store, place, target);
                    self.add_root(roots, id);
                }
            }
        }
        for variable in variables.iter().filter(|variable| !completed.contains(&variable.at)) {
            if let Some(rule) = variable.left_out() {
                let name = self.store.names.join(variable.scope, variable.name);
                found.left_out.push((variable.at, name, rule));
            }
        }
        if self.debug.refers_elsewhere() {
            let is_elsewhere = |at: &DieRef| !by_place.contains_key(at);
            found.completed = completed.into_iter().filter(is_elsewhere).collect();
            found.known = variables;
        }
        Ok(found)
    }

    /// All variables of `unit`, those of functions among them.
    fn read_variables(&mut self, unit: &Unit<'a>) -> Result<Vec<Variable>> {
        let mut walk = Walk::new(self.debug, unit)?;
        walk.next()?;
        let is_c = unit.is_c();
        let wanted = |tag: DwTag, _| match tag {
            dw::DW_TAG_variable | dw::DW_TAG_subprogram => true,
            // C has no variables in there.
            dw::DW_TAG_member => !is_c,
            tag => is_namespace(tag) || (is_class(tag) && !is_c),
        };
        let (mut scopes, mut last) = (Scopes::new(), None::<(Arc<str>, NameId)>);
        let mut locations = Locations::new(self.debug, unit);
        let mut variables = Vec::new();
        let mut functions = Functions::default();
        // The outermost function and the innermost class that the walk is in.
        let (mut function, mut class) = (isize::MAX, isize::MAX);
        while let Some(&entry) = walk.next_among(0, wanted)? {
            scopes.leave(entry.depth);
            functions.leave(entry.depth);
            function = if entry.depth <= function { isize::MAX } else { function };
            class = if entry.depth <= class { isize::MAX } else { class };
            match entry.tag {
                dw::DW_TAG_subprogram => {
                    function = function.min(entry.depth);
                    if entry.has_children && !entry.declaration {
                        let outer = Arc::clone(scopes.resolve(self.debug));
                        functions.enter(&entry, outer);
                    }
                    scopes.enter_later(&entry);
                }
                dw::DW_TAG_variable | dw::DW_TAG_member => {
                    let is_static = entry.external || entry.declaration;
                    if entry.tag == dw::DW_TAG_member && !is_static {
                        continue;
                    }
                    let around = match () {
                        () if function != isize::MAX => Around::Function,
                        () if class != isize::MAX => Around::Class,
                        () => Around::File,
                    };
                    let location = match entry.declaration {
                        true => Location::Unsaid,
                        false => locations.of(entry.at)?,
                    };
                    // Those that come and go with a function's call are of no interest.
                    if around == Around::Function && location == Location::Changing {
                        continue;
                    }
                    let scope = match entry.name.is_missing() {
                        true => 0,
                        false => {
                            scope_name(&mut self.store.names, scopes.resolve(self.debug), &mut last)
                        }
                    };
                    if let (Around::Function, Some(original)) = (around, functions.original()) {
                        functions.copies.push((variables.len(), original));
                    }
                    variables.push(self.variable(&entry, scope, location, around));
                }
                tag => {
                    class = if is_class(tag) { entry.depth } else { class };
                    scopes.enter_later(&entry);
                }
            }
        }
        for (variable, original) in &functions.copies {
            let Some((outer, function)) = functions.all.get(original) else { continue };
            let mut scopes = Scopes::inside(Arc::clone(outer));
            scopes.enter(self.debug, function);
            let scope = scopes.current();
            variables[*variable].scope = scope_name(&mut self.store.names, scope, &mut last);
        }
        Ok(variables)
    }

    fn variable(
        &mut self,
        entry: &Entry<'a>,
        scope: NameId,
        location: Location,
        around: Around,
    ) -> Variable {
        Variable {
            at: entry.at,
            scope,
            name: self.store.names.id(entry.name),
            linkage_name: self.store.names.id(entry.linkage_name),
            external: entry.external,
            declaration: entry.declaration,
            ty: entry.ty,
            origin: entry.origin(),
            location,
            around,
        }
    }
}

/// The functions of a unit. What is within a copy of one, such as that for those who cannot have it
/// inlined, is called as if it were within the original.
#[derive(Default)]
struct Functions<'a> {
    /// With what is around them.
    all: HashMap<DieRef, (Arc<str>, Entry<'a>)>,
    /// Those that the walk is in: their depths, and what they are copies of.
    open: Vec<(isize, Option<DieRef>)>,
    /// Places of variables, and the functions that they are within the copies of.
    copies: Vec<(usize, DieRef)>,
}

impl<'a> Functions<'a> {
    fn enter(&mut self, entry: &Entry<'a>, outer: Arc<str>) {
        self.open.push((entry.depth, entry.abstract_origin));
        self.all.insert(entry.at, (outer, *entry));
    }

    fn leave(&mut self, depth: isize) {
        while self.open.last().is_some_and(|(function, _)| *function >= depth) {
            self.open.pop();
        }
    }

    /// What the innermost function is a copy of.
    fn original(&self) -> Option<DieRef> {
        self.open.last().and_then(|(_, original)| *original)
    }
}

/// The number of the scope `scope`; `last` is the one that was asked for before.
fn scope_name(
    names: &mut Names<'_>,
    scope: &Arc<str>,
    last: &mut Option<(Arc<str>, NameId)>,
) -> NameId {
    match last {
        Some((known, id)) if Arc::ptr_eq(known, scope) => *id,
        _ => {
            let id = names.add(scope.as_bytes().to_vec().into());
            *last = Some((Arc::clone(scope), id));
            id
        }
    }
}

/// Whether an entry with that tag may have static members.
fn is_class(tag: DwTag) -> bool {
    matches!(
        tag,
        dw::DW_TAG_structure_type
            | dw::DW_TAG_class_type
            | dw::DW_TAG_union_type
            | dw::DW_TAG_interface_type
    )
}

/// Puts the variables into `store` that several of `units` say together. Gives what is left out, and
/// how much of it.
pub(super) fn complete(store: &mut Store<'_>, units: &mut [UnitTypes]) -> Vec<(Rule, usize)> {
    let mut known = HashMap::new();
    for unit in &mut *units {
        let variables = mem::take(&mut unit.found.known);
        known.extend(variables.into_iter().map(|variable| (variable.at, variable)));
    }
    let mut counts = [
        (Rule::DeclaredVariable, 0),
        (Rule::RemovedVariable, 0),
        (Rule::MovingVariable, 0),
        (Rule::UnfitVariable, 0),
    ];
    let mut count = |rule: Rule, by: usize| {
        counts.iter_mut().filter(|(known, _)| *known == rule).for_each(|(_, count)| *count += by);
    };
    for unit in &mut *units {
        count(Rule::UnfitVariable, unit.found.nameless);
        for variable in mem::take(&mut unit.found.incomplete) {
            let whole = variable.whole(|at| known.get(&at)).unwrap_or(variable);
            match whole.place() {
                Some(place) if whole.name != 0 => {
                    let target = whole.ty.map_or(Packed::VOID, |ty| store.exact(ty).pack());
                    unit.roots.push(whole.intern(store, place, target));
                }
                _ => count(Rule::UnfitVariable, 1),
            }
        }
    }
    let completed: HashSet<DieRef> =
        units.iter().flat_map(|unit| &unit.found.completed).copied().collect();
    let variables = store.ids().map(|id| store.head(id));
    let variables = variables.filter(|head| u32::from(head.kind) == kind::VAR);
    // What is defined in one file is declared in many.
    let mut seen: HashSet<NameId> = variables.map(|head| head.name).collect();
    let left_out = units.iter().flat_map(|unit| &unit.found.left_out);
    let left_out: Vec<_> = left_out.filter(|(at, ..)| !completed.contains(at)).collect();
    for &&(_, name, rule) in &left_out {
        if rule != Rule::DeclaredVariable {
            seen.insert(name);
            count(rule, 1);
        }
    }
    for &&(_, name, rule) in &left_out {
        if rule == Rule::DeclaredVariable && seen.insert(name) {
            count(rule, 1);
        }
    }
    counts.into()
}
