// SPDX-License-Identifier: MIT OR Apache-2.0
//! The types of one unit.

use std::cell::Cell;
use std::mem;
use std::sync::Arc;

use anyhow::Result;
use gimli::DwTag;
use gimli::constants as dw;
use hashbrown::DefaultHashBuilder;

use super::Options;
use super::derived::Derived;
use super::elsewhere::{is_passed, without_clone};
use super::names::NameId;
use super::offsets::Offsets;
use super::seen::Seen;
use super::store::{Draft, Head, Key, Packed, Part, RecordId, Ref, Store, Translation};
use super::variables::UnitVariables;
use crate::btf::kind;
use crate::dwarf::entry::{DieRef, Entry, RawName};
use crate::dwarf::raw::{Kind, RawType, Rules, brief_kind, is_type};
use crate::dwarf::scope::{Scopes, is_namespace, is_scope};
use crate::dwarf::{Brief, DebugInfo, MAX_CHAIN, Said, Unit, UnitIndex, UnitPlace, Walk, opens};

/// Bits of the detail of an enum.
pub(super) const ENUM_SIGNED: u8 = 1;
pub(super) const ENUM_WIDE: u8 = 2;
pub(super) const ENUM_DECLARED: u8 = 4;
/// Kind of a record that is no type, but says what was left out.
pub(super) const NOTE: u8 = 0;
/// Detail of a struct that stands for a type of another kind.
pub(super) const STRUCT_BYTES: u8 = 1;
/// Bits of the detail of an integer.
pub(super) const INT_SIGNED: u8 = 1;
pub(super) const INT_BOOL: u8 = 2;

/// A detail with the lower bit `low` and the higher one `high`.
fn flags(low: bool, high: bool) -> u8 {
    u8::from(low) + 2 * u8::from(high)
}

/// What a unit contributes.
pub(super) struct UnitTypes {
    pub(super) unit: UnitIndex,
    /// Types that somebody can ask for by name, functions and variables.
    pub(super) roots: Vec<RecordId>,
    /// What stands at places that are referred to as such.
    pub(super) places: Vec<(DieRef, Ref)>,
    /// Functions that have their code here, and their declaration elsewhere.
    pub(super) coded_elsewhere: Vec<DieRef>,
    /// How many variables it has outside of functions.
    pub(super) variables: u32,
    /// What is to be known of those, if they are wanted.
    pub(super) found: UnitVariables,
}

impl UnitTypes {
    /// Puts the numbers of another store in place of those of the one that it was read into.
    pub(super) fn translate(&mut self, translation: &Translation) {
        self.roots.iter_mut().for_each(|id| *id = translation.record(*id));
        self.places.iter_mut().for_each(|(_, found)| *found = translation.reference(*found));
        self.found.translate(translation);
    }
}

/// A type in a unit.
#[derive(Clone, Copy)]
struct Local {
    at: DieRef,
    kind: Kind,
    detail: u8,
    /// With what is around it.
    name: NameId,
    size: u32,
    target: Target,
    /// The end of its parts, which begin where those of the one before end.
    parts: (u32, u32),
    rules: Rules,
    /// The record of another unit that says the same, but for what it refers to; 0 if there is none.
    known: RecordId,
}

/// How far a type got on its way into the store.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    /// What it refers to is on its way.
    Open,
    Done,
}

#[derive(Clone, Copy)]
struct LocalPart {
    name: NameId,
    ty: Target,
    values: [u32; 2],
}

/// What a type refers to.
#[derive(Clone, Copy)]
pub(super) enum Target {
    Void,
    /// The type that begins so many bytes behind the beginning of the unit.
    Inside(u32),
    /// The type with that place in the list.
    Local(u32),
    /// A type of another unit.
    Elsewhere(DieRef),
}

/// A parameter of a function.
#[derive(Clone, Copy)]
struct LocalParam<'a> {
    name: RawName<'a>,
    ty: Target,
}

/// A function, or one of several entries that speak of it. Most are only declared: nobody wants their
/// names.
#[derive(Clone, Copy)]
struct LocalFunction<'a> {
    at: DieRef,
    name: RawName<'a>,
    linkage_name: RawName<'a>,
    /// What is around it, if that is what tells it apart from others.
    scope: NameId,
    external: bool,
    has_code: bool,
    ret: Target,
    /// The entry that this one completes.
    origin: Option<DieRef>,
    /// Whether that one has the parameters as they were written.
    is_copy: bool,
    /// The end of its parameters, which begin where those of the one before end.
    params: (u32, u32),
    variadic: bool,
}

/// Reads units, one after the other, into a store.
pub(super) struct Scanner<'d, 'a> {
    pub(super) debug: &'d DebugInfo<'a>,
    options: &'d Options,
    pub(super) store: Store<'a>,
    raw: RawType<'a>,
    locals: Vec<Local>,
    parts: Vec<LocalPart>,
    functions: Vec<LocalFunction<'a>>,
    /// Parameters of the functions.
    params: Vec<LocalParam<'a>>,
    /// The functions in the order of their places, once that was needed.
    functions_by_place: Vec<(DieRef, u32)>,
    /// Types by their offsets in the unit.
    by_offset: Offsets,
    states: Vec<State>,
    /// How others refer to each type, once that is known.
    outer: Vec<Packed>,
    /// The record that each type became.
    kept: Vec<Ref>,
    /// Types that something refers to by their places.
    exact: Vec<u32>,
    /// Where the unit is.
    pub(super) place: UnitPlace,
    /// The first struct of the unit with each name, behind the number of the unit.
    structs: Vec<(u32, u32)>,
    /// The same for unions.
    unions: Vec<(u32, u32)>,
    /// Pointers and the like that are in the store.
    derived: Derived,
    /// The number of records before the unit.
    known: usize,
    /// Types that wait for what they refer to.
    stack: Vec<u32>,
    /// Types that come last.
    last: Vec<u32>,
    pub(super) draft: Draft,
    /// Variables of the unit, outside of functions.
    variables: u32,
    /// The unit, counted from 1, that had each record last as one of its roots.
    rooted: Vec<u32>,
    /// How many units were read.
    units: u32,
    /// The scope of the last type, whose name was looked up.
    scope: Option<(Arc<str>, NameId)>,
    /// Structs, unions and enums of the units before.
    seen: Seen,
}

impl<'d, 'a> Scanner<'d, 'a> {
    /// One whose store has the hasher `hasher`. It will read `len` bytes or so.
    pub(super) fn new(
        debug: &'d DebugInfo<'a>,
        options: &'d Options,
        hasher: DefaultHashBuilder,
        len: u64,
    ) -> Self {
        Scanner {
            debug,
            options,
            store: Store::new(hasher, len),
            raw: RawType::default(),
            locals: Vec::new(),
            parts: Vec::new(),
            functions: Vec::new(),
            params: Vec::new(),
            functions_by_place: Vec::new(),
            by_offset: Offsets::default(),
            states: Vec::new(),
            outer: Vec::new(),
            kept: Vec::new(),
            exact: Vec::new(),
            place: UnitPlace::default(),
            structs: Vec::new(),
            unions: Vec::new(),
            derived: Derived::default(),
            known: 0,
            stack: Vec::new(),
            last: Vec::new(),
            draft: Draft::default(),
            variables: 0,
            rooted: Vec::new(),
            units: 0,
            scope: None,
            seen: Seen::default(),
        }
    }

    /// Reads the types of `unit`.
    pub(super) fn read(&mut self, unit: &Unit<'a>) -> Result<UnitTypes> {
        self.locals.clear();
        self.parts.clear();
        self.functions.clear();
        self.params.clear();
        self.functions_by_place.clear();
        self.by_offset.clear();
        self.exact.clear();
        self.place = unit.place();
        self.units += 1;
        self.known = self.store.len();
        self.seen.begin();
        self.collect(unit)?;
        self.by_offset.finish();
        self.find_outer();
        let types = self.intern_all(unit)?;
        self.remember();
        Ok(types)
    }

    // ── reading ──

    /// Reads all entries that are types, functions or variables.
    fn collect(&mut self, unit: &Unit<'a>) -> Result<()> {
        let mut walk = Walk::new(self.debug, unit)?;
        walk.next()?;
        // Scopes whose types were left out at first: where they begin, and what they are called.
        let mut inner = Vec::new();
        self.collect_below(unit, &mut walk, Scopes::new(), &mut inner)?;
        while let Some((place, scope)) = inner.pop() {
            let mut walk = Walk::at(self.debug, unit, place)?;
            walk.next()?;
            self.collect_below(unit, &mut walk, Scopes::inside(scope), &mut inner)?;
        }
        Ok(())
    }

    /// Reads what is below the entry at which `walk` is.
    fn collect_below(
        &mut self,
        unit: &Unit<'a>,
        walk: &mut Walk<'_, 'a>,
        mut scopes: Scopes<'a>,
        inner: &mut Vec<(DieRef, Arc<str>)>,
    ) -> Result<()> {
        let floor = walk.entry().depth;
        // The function that the walk is in, if its parameters are of interest; and several of them
        // that the source has as one.
        let (mut function, mut pack) = (isize::MIN, isize::MIN);
        // The file or namespace that the walk is in, and how many variables it has seen there.
        let (mut space, variables) = (floor, Cell::new(0));
        loop {
            let wanted = |tag: DwTag, depth: isize| match tag {
                dw::DW_TAG_formal_parameter => depth == function + 1 || depth == pack + 1,
                dw::DW_TAG_unspecified_parameters | dw::DW_TAG_GNU_formal_parameter_pack => {
                    depth == function + 1
                }
                dw::DW_TAG_variable => {
                    // One that is less deep stands behind the namespace.
                    variables.set(variables.get() + u32::from(depth <= space + 1));
                    false
                }
                _ => is_type(tag) || tag == dw::DW_TAG_subprogram || is_namespace(tag),
            };
            let Some(said) = walk.next_opened(floor, wanted)? else { break };
            let depth = match &said {
                Said::Little(entry) => entry.depth,
                Said::Much(entry) => entry.depth,
            };
            if depth <= function {
                function = isize::MIN;
            }
            if depth <= pack {
                pack = isize::MIN;
            }
            if depth <= space {
                // What is left may be in another one, which is not above.
                space = depth - 1;
            }
            scopes.leave(depth);
            let entry = match said {
                Said::Little(entry) if opens(entry.tag) => {
                    if self.add_known_type(walk, &entry, &mut scopes) {
                        continue;
                    }
                    *walk.read_opened()?
                }
                Said::Little(entry) => {
                    match brief_kind(entry.tag) {
                        Some(kind) => self.add_brief_type(&entry, kind, &mut scopes),
                        None => self.add_parameter(entry.name, self.place.target_at(entry.ty)),
                    }
                    continue;
                }
                Said::Much(&entry) => entry,
            };
            match entry.tag {
                tag if is_namespace(tag) => {
                    space = entry.depth;
                    scopes.enter(self.debug, &entry);
                }
                dw::DW_TAG_GNU_formal_parameter_pack => pack = entry.depth,
                dw::DW_TAG_subprogram => {
                    self.begin_function(unit, &entry, &mut scopes);
                    // A copy has the parameters of what it is a copy of.
                    function = match entry.abstract_origin {
                        None => entry.depth,
                        Some(_) => isize::MIN,
                    };
                    scopes.enter_later(&entry);
                }
                dw::DW_TAG_formal_parameter => {
                    self.add_parameter(entry.name, self.place.target(entry.ty));
                }
                dw::DW_TAG_unspecified_parameters => {
                    if let Some(function) = self.functions.last_mut() {
                        function.variadic = true;
                    }
                }
                _ => {
                    self.raw.read(self.debug, unit, walk, &entry)?;
                    let nested = self.raw.nested;
                    self.add_type(unit, &entry, &mut scopes)?;
                    for place in mem::take(&mut self.raw.variant_parts) {
                        let mut walk = Walk::at(self.debug, unit, place)?;
                        let Some(&part) = walk.next()? else { continue };
                        self.raw.read(self.debug, unit, &mut walk, &part)?;
                        self.add_type(unit, &part, &mut scopes)?;
                    }
                    if nested && is_scope(entry.tag) {
                        scopes.resolve(self.debug);
                        scopes.enter(self.debug, &entry);
                        inner.push((entry.at, Arc::clone(scopes.current())));
                        scopes.leave(entry.depth);
                    }
                }
            }
        }
        self.variables += variables.get();
        Ok(())
    }

    /// Keeps the type `entry`, of which there is no more to know.
    fn add_brief_type(&mut self, entry: &Brief<'a>, kind: Kind, scopes: &mut Scopes<'a>) {
        let name = match kind.is_nameless() || entry.name.is_missing() {
            // Some compilers name even these; BTF does not.
            true => 0,
            false => self.scoped_name(entry.name, scopes),
        };
        let parts = self.parts.len() as u32;
        self.add_local(Local {
            at: entry.at,
            kind,
            detail: 0,
            name,
            size: 0,
            target: self.place.target_at(entry.ty),
            parts: (parts, parts),
            rules: Rules::default(),
            known: 0,
        });
    }

    /// Keeps the struct, union or enum `entry`, at which `walk` is, if it says what one in the store
    /// does, but for what its members refer to. Says whether it does.
    fn add_known_type(
        &mut self,
        walk: &mut Walk<'_, 'a>,
        entry: &Brief<'a>,
        scopes: &mut Scopes<'a>,
    ) -> bool {
        let (kind, stored, child_tag) = match entry.tag {
            dw::DW_TAG_structure_type | dw::DW_TAG_class_type => {
                (Kind::Struct, kind::STRUCT, dw::DW_TAG_member)
            }
            dw::DW_TAG_union_type => (Kind::Union, kind::UNION, dw::DW_TAG_member),
            dw::DW_TAG_enumeration_type => (Kind::Enum, kind::ENUM, dw::DW_TAG_enumerator),
            _ => return false,
        };
        let size = entry.number;
        if kind == Kind::Enum && size == 0 {
            // It has that of the type of its values.
            return false;
        }
        // `void` is no such record.
        let head = |id: RecordId| (id != 0).then(|| self.store.head(id));
        let is_like =
            |head: &Head| (u32::from(head.kind), head.detail, head.size) == (stored, 0, size);
        let next = self.seen.next();
        let (name, known) = match head(next).filter(is_like) {
            // It is called so where nothing is around it.
            Some(head) if scopes.are_none() && self.store.names.is_at(head.name, entry.name) => {
                self.store.names.came(head.name);
                (head.name, Some(next))
            }
            _ => {
                let name = match entry.name.is_missing() {
                    true => 0,
                    false => self.scoped_name(entry.name, scopes),
                };
                let guessed = [next, self.seen.called(name)];
                let head = |id: RecordId| (id != 0).then(|| self.store.head(id));
                let is_likely = |id: &RecordId| {
                    head(*id).is_some_and(|head| is_like(&head) && head.name == name)
                };
                (name, guessed.into_iter().find(is_likely))
            }
        };
        let Some(known) = known else {
            self.seen.came(0);
            return false;
        };
        let (start, place) = (self.parts.len(), self.place);
        let is_same = {
            let (names, own) = (&self.store.names, &mut self.parts);
            let mut parts = self.store.parts(known);
            walk.take_children(parts.len(), |child| {
                let Some(part) = parts.next() else { return false };
                if child.tag != child_tag || !names.is_at(part.name, child.name) {
                    return false;
                }
                if kind == Kind::Enum {
                    return part.values == [child.number, 0];
                }
                let (name, ty, values) = (part.name, place.target_at(child.ty), part.values);
                own.push(LocalPart { name, ty, values });
                let [bit_offset, bits] = values;
                bits == 0 && u64::from(child.number) * 8 == bit_offset.into()
            })
        };
        if !is_same {
            self.parts.truncate(start);
            self.seen.came(0);
            return false;
        }
        self.seen.came(known);
        self.add_local(Local {
            at: entry.at,
            kind,
            detail: 0,
            name,
            size,
            target: Target::Void,
            parts: (start as u32, self.parts.len() as u32),
            rules: Rules::default(),
            known,
        });
        true
    }

    /// Takes note of the structs, unions and enums of the unit, for those that come after it.
    fn remember(&mut self) {
        let all = self.locals.iter().zip(&self.kept).zip(&self.states);
        self.seen.note(all.filter_map(|((local, kept), state)| match (local.kind, kept, state) {
            (Kind::Struct | Kind::Union | Kind::Enum, Ref::Record(id), State::Done) => {
                Some((local.name, *id))
            }
            _ => None,
        }));
    }

    /// The number of `name` with what is around it.
    fn scoped_name(&mut self, name: RawName<'a>, scopes: &mut Scopes<'a>) -> NameId {
        let name = self.store.names.id(name);
        if scopes.are_none() {
            return name;
        }
        let scope = self.scope_id(scopes);
        self.store.names.join(scope, name)
    }

    /// The number of the innermost scope's name.
    fn scope_id(&mut self, scopes: &mut Scopes<'a>) -> NameId {
        let scope = scopes.resolve(self.debug);
        match &self.scope {
            Some((last, id)) if Arc::ptr_eq(last, scope) => *id,
            _ => {
                let id = self.store.names.add(scope.as_bytes().to_vec().into());
                self.scope = Some((Arc::clone(scope), id));
                id
            }
        }
    }

    /// Keeps the type that was just read.
    fn add_type(
        &mut self,
        unit: &Unit<'a>,
        entry: &Entry<'a>,
        scopes: &mut Scopes<'a>,
    ) -> Result<()> {
        let raw = &self.raw;
        let detail = match raw.kind {
            Kind::Int(encoding) => flags(encoding.signed, encoding.bool),
            Kind::Enum => {
                let (signed, wide) = raw.enum_range();
                flags(signed, wide)
            }
            Kind::DeclaredEnum => ENUM_DECLARED,
            Kind::Bytes => STRUCT_BYTES,
            Kind::FuncProto | Kind::FuncPtr => u8::from(raw.variadic),
            _ => 0,
        };
        let name = match entry.tag {
            // Some compilers name even these; BTF does not.
            _ if raw.kind.is_nameless() => 0,
            dw::DW_TAG_base_type => self.store.names.id(raw.name),
            // It has the place of its declaration, not its own.
            _ if entry.specification.is_some() => {
                let name =
                    self.debug.qualified_name(unit, entry).ok().flatten().unwrap_or_default();
                self.store.names.add(name.into_owned().into_bytes().into())
            }
            _ if raw.name.is_missing() => 0,
            _ => self.scoped_name(raw.name, scopes),
        };
        let start = self.parts.len() as u32;
        let raw = &self.raw;
        for part in &raw.parts {
            let values = match raw.kind {
                Kind::Enum | Kind::Array => [part.value as u32, (part.value >> 32) as u32],
                _ => [part.bit_offset as u32, part.bits as u32],
            };
            let name = self.store.names.id(part.name);
            self.parts.push(LocalPart { name, ty: self.place.target(part.ty), values });
        }
        let mut local = Local {
            at: entry.at,
            kind: raw.kind,
            detail,
            name,
            size: raw.size as u32,
            target: self.place.target(raw.target),
            parts: (start, self.parts.len() as u32),
            rules: raw.rules,
            known: 0,
        };
        // A stand-in for the type of a type unit; not all of them are declarations (GCC's enums).
        if entry.signature.is_some() {
            local.kind = Kind::Same;
            local.target = self.place.target(entry.signature);
        }
        self.add_local(local);
        Ok(())
    }

    fn add_local(&mut self, local: Local) -> u32 {
        let index = self.locals.len() as u32;
        // A type unit's, or a damaged file's, own types can be no other unit's.
        if let Target::Inside(offset) = self.place.target(Some(local.at)) {
            self.by_offset.push(offset, index);
        }
        self.locals.push(local);
        index
    }

    fn begin_function(&mut self, unit: &Unit<'a>, entry: &Entry<'a>, scopes: &mut Scopes<'a>) {
        let params = self.params.len() as u32;
        // GCC names no symbol of functions that no other file sees, those of C++ too.
        let has_symbol = unit.is_c() || entry.external || !entry.linkage_name.is_missing();
        let scope = match has_symbol || entry.name.is_missing() {
            true => 0,
            false => self.scope_id(scopes),
        };
        self.functions.push(LocalFunction {
            at: entry.at,
            name: entry.name,
            linkage_name: entry.linkage_name,
            scope,
            external: entry.external,
            has_code: self.debug.has_code(unit, entry),
            ret: self.place.target(entry.ty),
            origin: entry.origin(),
            is_copy: entry.abstract_origin.is_some(),
            params: (params, params),
            variadic: false,
        });
    }

    /// Takes note of a parameter of the function that was begun last.
    fn add_parameter(&mut self, name: RawName<'a>, ty: Target) {
        let Some(function) = self.functions.last_mut() else { return };
        self.params.push(LocalParam { name, ty });
        function.params.1 = self.params.len() as u32;
    }

    // ── keeping ──

    /// Finds how others refer to structs and unions that have a name: by that, unless another one
    /// of the unit has the same.
    fn find_outer(&mut self) {
        let count = self.locals.len();
        self.states.clear();
        self.states.resize(count, State::New);
        self.kept.clear();
        self.kept.resize(count, Ref::VOID);
        self.outer.clear();
        for index in 0..count {
            let local = &self.locals[index];
            let outer = match (local.key(), local.kind) {
                (Some(key), _) => Some(self.by_name(key, index as u32)),
                (None, Kind::Declared { union }) if local.name != 0 => {
                    Some(Ref::Named(Key { name: local.name, union }))
                }
                _ => None,
            };
            self.outer.push(outer.map_or(Packed::UNKNOWN, Ref::pack));
        }
    }

    /// How others refer to the type `index`, which is called `key`.
    fn by_name(&mut self, key: Key, index: u32) -> Ref {
        let names = self.store.names.len();
        let list = if key.union { &mut self.unions } else { &mut self.structs };
        if list.len() < names {
            list.resize(names, (0, 0));
        }
        let place = &mut list[key.name as usize];
        if place.0 != self.units {
            *place = (self.units, index);
            return Ref::Named(key);
        }
        let first = place.1;
        self.outer[first as usize] = self.exact(first).pack();
        self.exact(index)
    }

    /// A reference to the type `index` by its place.
    fn exact(&mut self, index: u32) -> Ref {
        self.exact.push(index);
        self.store.exact(self.locals[index as usize].at)
    }

    /// Puts into the store what can be asked for by name, and what that leads to.
    fn intern_all(&mut self, unit: &Unit<'a>) -> Result<UnitTypes> {
        let mut roots = Vec::new();
        let everything = self.debug.refers_elsewhere();
        // What has a name that others refer to it by comes last: nothing has to wait for it, and most of
        // what it refers to is there then.
        let mut last = mem::take(&mut self.last);
        for index in 0..self.locals.len() as u32 {
            match self.locals[index as usize].key() {
                Some(_) => last.push(index),
                None => self.intern_root(index, everything, &mut roots),
            }
        }
        last.drain(..).for_each(|index| self.intern_root(index, everything, &mut roots));
        self.last = last;
        let mut coded_elsewhere = Vec::new();
        for index in 0..self.functions.len() {
            if !self.functions[index].has_code || !self.options.functions {
                continue;
            }
            match self.function(index) {
                Some(id) => self.add_root(&mut roots, id),
                None => coded_elsewhere.push(self.functions[index].at),
            }
        }
        let found = match self.options.variables {
            true => self.intern_variables(unit, &mut roots)?,
            false => UnitVariables::default(),
        };
        let all = 0..self.locals.len() as u32;
        let places = if everything { all.collect() } else { mem::take(&mut self.exact) };
        let is_done = |index: &u32| self.states[*index as usize] == State::Done;
        let places = places.into_iter().filter(is_done);
        let place = |index| (self.locals[index as usize].at, self.kept[index as usize]);
        let places = places.map(place).collect();
        let variables = mem::take(&mut self.variables);
        Ok(UnitTypes { unit: unit.index(), roots, places, coded_elsewhere, variables, found })
    }

    /// Puts the type `index` into the store if it can be asked for by name, or `everything` is to be
    /// there.
    fn intern_root(&mut self, index: u32, everything: bool, roots: &mut Vec<RecordId>) {
        let is_root = self.is_root(&self.locals[index as usize]);
        if is_root || everything {
            let reference = self.intern(index);
            if let (true, Ref::Record(id)) = (is_root, reference) {
                self.add_root(roots, id);
            }
        }
    }

    /// Adds `id` to `roots` of the unit, once.
    pub(super) fn add_root(&mut self, roots: &mut Vec<RecordId>, id: RecordId) {
        if self.rooted.len() < self.store.len() {
            self.rooted.resize(self.store.len(), 0);
        }
        if mem::replace(&mut self.rooted[id as usize], self.units) != self.units {
            roots.push(id);
        }
    }

    /// Whether `local` is of interest even if nothing refers to it: because it has a name, or has
    /// constants.
    fn is_root(&self, local: &Local) -> bool {
        match local.kind {
            Kind::Same | Kind::DeclaredEnum => false,
            Kind::Enum => true,
            // What clang needs for itself: types of values in expressions, and of arrays' indices.
            Kind::Int(_) => {
                let name = self.store.names.text(local.name);
                local.name != 0 && !name.starts_with(b"DW_ATE_") && name != b"__ARRAY_SIZE_TYPE__"
            }
            _ => local.name != 0,
        }
    }

    /// Puts the type `root` and what it leads to into the store.
    fn intern(&mut self, root: u32) -> Ref {
        self.stack.push(root);
        while let Some(&index) = self.stack.last() {
            let state = &mut self.states[index as usize];
            if *state == State::Done {
                self.stack.pop();
                continue;
            }
            *state = State::Open;
            let Some(reference) = self.keep(index) else { continue };
            let index = index as usize;
            (self.states[index], self.kept[index]) = (State::Done, reference);
            if self.outer[index] == Packed::UNKNOWN {
                self.outer[index] = reference.pack();
            }
            self.stack.pop();
        }
        self.kept[root as usize]
    }

    /// Puts `target` into the store, if it is of this unit. Gives the same target, looked up.
    pub(super) fn intern_target(&mut self, target: Target) -> Target {
        let target = self.look_up(target);
        if let Target::Local(index) = target
            && self.outer[index as usize] == Packed::UNKNOWN
        {
            self.intern(index);
        }
        target
    }

    fn look_up(&self, target: Target) -> Target {
        let Target::Inside(offset) = target else { return target };
        match self.by_offset.get(offset) {
            Some(index) => Target::Local(index),
            // Nothing but a damaged file refers to a place in its own unit where no type is. Nowhere
            // else is one at that place.
            None => Target::Elsewhere(self.place.die(offset)),
        }
    }

    /// How another type refers to `target`. If that is new, it goes on the stack: the other one has
    /// to wait, and what is given here means nothing.
    #[inline]
    pub(super) fn reference(&mut self, target: Target) -> Packed {
        match self.look_up(target) {
            Target::Void => Packed::VOID,
            Target::Local(index) => match self.outer[index as usize] {
                Packed::UNKNOWN if self.states[index as usize] == State::New => {
                    self.stack.push(index);
                    Packed::VOID
                }
                // It leads back to itself without any name on the way, which no language has.
                Packed::UNKNOWN => self.exact(index).pack(),
                reference => reference,
            },
            Target::Elsewhere(place) => self.store.exact(place).pack(),
            Target::Inside(_) => Packed::VOID,
        }
    }

    /// Puts the type `index` into the store, and gives the reference to it; `None` if it has to wait
    /// for others, which are on the stack then.
    fn keep(&mut self, index: u32) -> Option<Ref> {
        let local = self.locals[index as usize];
        let others = self.stack.len();
        if local.known != 0 {
            let is_same = self.refers_as_known(&local);
            if self.stack.len() > others {
                return None;
            }
            if is_same {
                // It was found before the unit.
                return Some(Ref::Record(local.known));
            }
        }
        let target = self.reference(local.target);
        let derived = local.derived_kind();
        if let Some(kind) = derived.filter(|_| self.stack.len() == others)
            && let Some(id) = self.derived.get(kind, local.name, target)
        {
            if id as usize >= self.known {
                self.store.found_again(id, (local.at, 0));
            }
            return Some(Ref::Record(id));
        }
        let kind = match local.kind {
            Kind::Same | Kind::Array if self.stack.len() > others => return None,
            Kind::Same => {
                if local.rules != Rules::default() {
                    // Nobody refers to the record: it is there to be counted.
                    self.keep_note(&local, target);
                }
                return Some(target.unpack());
            }
            Kind::Declared { union } => {
                // Nothing is known of one without a name.
                let named = Ref::Named(Key { name: local.name, union });
                return Some(if local.name != 0 { named } else { Ref::VOID });
            }
            Kind::Array => return Some(self.keep_array(&local, target)),
            Kind::Int(_) => kind::INT,
            Kind::Float => kind::FLOAT,
            Kind::Ptr => kind::PTR,
            Kind::Const => kind::CONST,
            Kind::Volatile => kind::VOLATILE,
            Kind::Restrict => kind::RESTRICT,
            Kind::Typedef => kind::TYPEDEF,
            Kind::Struct | Kind::Bytes => kind::STRUCT,
            Kind::Union => kind::UNION,
            Kind::Enum if local.detail & ENUM_WIDE != 0 => kind::ENUM64,
            Kind::Enum | Kind::DeclaredEnum => kind::ENUM,
            Kind::FuncProto | Kind::FuncPtr => kind::FUNC_PROTO,
        };
        let mut draft = mem::take(&mut self.draft);
        let head = Head {
            kind: kind as u8,
            detail: local.detail,
            name: local.name,
            // Not every compiler says how large a pointer is.
            size: if local.kind.is_nameless() { 0 } else { local.size },
            target,
        };
        draft.begin(head);
        for part in local.parts.0 as usize..local.parts.1 as usize {
            let LocalPart { name, ty, values } = self.parts[part];
            // Values of enumerations have no type.
            let ty = match ty {
                Target::Void => Packed::VOID,
                ty => self.reference(ty),
            };
            draft.push(Part { name, ty, values });
        }
        let id = match (self.stack.len() == others, local.kind) {
            (false, _) => None,
            (true, Kind::FuncPtr) => {
                let prototype = self.store.intern(&draft, (local.at, 1), local.rules);
                let target = Ref::Record(prototype).pack();
                draft.begin(Head { kind: kind::PTR as u8, detail: 0, name: 0, size: 0, target });
                Some(self.store.intern(&draft, (local.at, 0), Rules::default()))
            }
            (true, _) => Some(self.store.intern(&draft, (local.at, 0), local.rules)),
        };
        if let (Some(kind), Some(id)) = (derived, id) {
            self.derived.set(kind, local.name, target, id);
        }
        self.draft = draft;
        id.map(Ref::Record)
    }

    /// Whether the members of `local` refer to what those of the record do that is known to say the
    /// same otherwise. Members whose types are new put these on the stack.
    fn refers_as_known(&mut self, local: &Local) -> bool {
        let mut is_same = true;
        for (number, part) in (local.parts.0 as usize..local.parts.1 as usize).enumerate() {
            let reference = self.reference(self.parts[part].ty);
            is_same &= self.store.part_type(local.known, number) == reference;
        }
        is_same
    }

    /// Remembers that `local` was expressed as `target`.
    fn keep_note(&mut self, local: &Local, target: Packed) {
        let mut draft = mem::take(&mut self.draft);
        draft.begin(Head { kind: NOTE, detail: 0, name: 0, size: 0, target });
        self.store.intern(&draft, (local.at, 0), local.rules);
        self.draft = draft;
    }

    /// An array of arrays is as many types as it has dimensions.
    fn keep_array(&mut self, local: &Local, element: Packed) -> Ref {
        let mut target = element;
        let counts = (local.parts.0..local.parts.1).rev();
        let mut counts: Vec<u32> = counts.map(|part| self.parts[part as usize].values[0]).collect();
        if counts.is_empty() {
            counts.push(0);
        }
        let mut draft = mem::take(&mut self.draft);
        let outermost = counts.len() - 1;
        for (level, size) in counts.into_iter().enumerate() {
            let kind = kind::ARRAY as u8;
            draft.begin(Head { kind, detail: 0, name: 0, size, target });
            let number = (outermost - level).min(u8::MAX.into()) as u8;
            let id = self.store.intern(&draft, (local.at, number), local.rules);
            target = Ref::Record(id).pack();
        }
        self.draft = draft;
        target.unpack()
    }

    /// What the entry at `place` says of a function.
    fn function_at(&mut self, place: DieRef) -> Option<LocalFunction<'a>> {
        if self.functions_by_place.is_empty() {
            let places = self.functions.iter().map(|function| function.at).zip(0..);
            self.functions_by_place.extend(places);
            self.functions_by_place.sort_unstable();
        }
        let found = self.functions_by_place.binary_search_by_key(&place, |&(at, _)| at).ok()?;
        self.functions.get(self.functions_by_place[found].1 as usize).copied()
    }

    /// Puts the function `index`, which has code, into the store; `None` if another unit has what
    /// its source says.
    fn function(&mut self, index: usize) -> Option<RecordId> {
        let mut whole = self.functions[index];
        // A copy for one caller, or for all, leaves the words to the entry that it is a copy of;
        // and a definition those to its declaration that this has said.
        let mut at = whole;
        for _ in 0..MAX_CHAIN {
            let Some(origin) = at.origin else { break };
            let next = self.function_at(origin)?;
            if whole.name.is_empty() {
                (whole.scope, whole.name) = (next.scope, next.name);
            }
            if whole.linkage_name.is_empty() {
                whole.linkage_name = next.linkage_name;
            }
            whole.external |= next.external;
            whole.ret = if matches!(whole.ret, Target::Void) { next.ret } else { whole.ret };
            if at.is_copy {
                (whole.params, whole.variadic) = (next.params, next.variadic);
            }
            at = next;
        }
        let symbol = match whole.linkage_name.is_empty() {
            true => {
                let name = self.store.names.id(whole.name);
                self.store.names.join(whole.scope, name)
            }
            false => self.store.names.id(whole.linkage_name),
        };
        if symbol == 0 {
            return None;
        }
        let symbol = without_clone(&mut self.store.names, symbol);
        let params = whole.params.0 as usize..whole.params.1 as usize;
        whole.ret = self.intern_target(whole.ret);
        for param in params.clone() {
            self.params[param].ty = self.intern_target(self.params[param].ty);
        }
        let target = self.reference(whole.ret);
        let mut draft = mem::take(&mut self.draft);
        let detail = u8::from(whole.variadic);
        let kind = kind::FUNC_PROTO as u8;
        draft.begin(Head { kind, detail, name: 0, size: 0, target });
        for (number, param) in params.enumerate() {
            let LocalParam { name, ty } = self.params[param];
            let name = self.store.names.id(name);
            if !is_passed(&self.store.names, name, symbol) {
                continue;
            }
            let ty = self.reference(ty);
            let name = match name {
                0 => self.store.names.parameter(number),
                name => name,
            };
            draft.push(Part { name, ty, values: [0; 2] });
        }
        let prototype = self.store.intern(&draft, (at.at, 1), Rules::default());
        let detail = u8::from(whole.external);
        let (kind, target) = (kind::FUNC as u8, Ref::Record(prototype).pack());
        draft.begin(Head { kind, detail, name: symbol, size: 0, target });
        let id = self.store.intern(&draft, (at.at, 2), Rules::default());
        self.draft = draft;
        Some(id)
    }
}

impl UnitPlace {
    /// What the type so many bytes behind the unit's beginning is to types of the unit; `None` stands
    /// for `void`.
    #[inline]
    fn target_at(self, offset: Option<u32>) -> Target {
        match offset {
            None => Target::Void,
            Some(offset) if self.has(offset) => Target::Inside(offset),
            Some(offset) => Target::Elsewhere(self.die(offset)),
        }
    }

    /// What the type at `place` is to types of the unit; `None` stands for `void`.
    pub(super) fn target(self, place: Option<DieRef>) -> Target {
        match place {
            None => Target::Void,
            Some(place) => match self.offset_of(place) {
                Some(offset) => Target::Inside(offset),
                None => Target::Elsewhere(place),
            },
        }
    }
}

impl Local {
    /// The kind of its record, if there is no more to know of it than its name and what it refers to.
    fn derived_kind(&self) -> Option<u32> {
        let is_plain = self.size == 0 && self.detail == 0 && self.rules == Rules::default();
        match self.kind {
            _ if !is_plain => None,
            Kind::Ptr => Some(kind::PTR),
            Kind::Const => Some(kind::CONST),
            Kind::Typedef => Some(kind::TYPEDEF),
            _ => None,
        }
    }

    /// The name by which other types refer to it, if that is how they do.
    fn key(&self) -> Option<Key> {
        match self.kind {
            Kind::Struct if self.name != 0 => Some(Key { name: self.name, union: false }),
            Kind::Union if self.name != 0 => Some(Key { name: self.name, union: true }),
            _ => None,
        }
    }
}
