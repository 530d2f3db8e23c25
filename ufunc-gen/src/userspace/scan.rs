// SPDX-License-Identifier: MIT OR Apache-2.0
//! The types of one unit.

use std::mem;
use std::sync::Arc;

use anyhow::{Result, ensure};
use gimli::DwTag;
use gimli::constants as dw;
use hashbrown::HashMap;

use super::Options;
use super::names::NameId;
use super::store::{Draft, Head, Key, Part, RecordId, Ref, Store, Translation};
use crate::btf::kind;
use crate::dwarf::entry::{Code, DieRef, Entry};
use crate::dwarf::raw::{Kind, RawType, Rules, is_type};
use crate::dwarf::scope::{Scopes, is_namespace, is_scope};
use crate::dwarf::{DebugInfo, MAX_CHAIN, Unit, UnitIndex, Walk};

/// Bits of the detail of an enum.
pub(super) const ENUM_SIGNED: u8 = 1;
pub(super) const ENUM_WIDE: u8 = 2;
/// Bits of the detail of an integer.
pub(super) const INT_SIGNED: u8 = 1;
pub(super) const INT_BOOL: u8 = 2;

/// What a unit contributes.
pub(super) struct UnitTypes {
    pub(super) unit: UnitIndex,
    /// Types that somebody can ask for by name, functions and variables.
    pub(super) roots: Vec<RecordId>,
    /// What stands at places that are referred to as such.
    pub(super) places: Vec<(DieRef, Ref)>,
    /// Functions that have their code here, and their declaration elsewhere.
    pub(super) coded_elsewhere: Vec<DieRef>,
}

impl UnitTypes {
    /// Puts the numbers of another store in place of those of the one that it was read into.
    pub(super) fn translate(&mut self, translation: &Translation) {
        self.roots.iter_mut().for_each(|id| *id = translation.record(*id));
        self.places.iter_mut().for_each(|(_, found)| *found = translation.reference(*found));
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
    target: Option<DieRef>,
    /// The end of its parts, which begin where those of the one before end.
    parts: (u32, u32),
    rules: Rules,
    /// Another type of the unit has the same name.
    shares_name: bool,
    /// Something refers to it by its place.
    is_exact: bool,
    state: State,
}

/// How far a type got on its way into the store.
#[derive(Clone, Copy)]
enum State {
    New,
    /// What it refers to is on its way.
    Open,
    Done(Ref),
}

#[derive(Clone, Copy)]
struct LocalPart {
    name: NameId,
    ty: Option<DieRef>,
    values: [u32; 2],
}

/// A function, or one of several entries that speak of it.
#[derive(Clone, Copy)]
struct LocalFunction {
    at: DieRef,
    name: NameId,
    linkage_name: NameId,
    external: bool,
    has_code: bool,
    ret: Option<DieRef>,
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
    debug: &'d DebugInfo<'a>,
    options: &'d Options,
    pub(super) store: Store<'a>,
    raw: RawType<'a>,
    locals: Vec<Local>,
    parts: Vec<LocalPart>,
    functions: Vec<LocalFunction>,
    /// Parameters of the functions.
    params: Vec<LocalPart>,
    functions_by_place: HashMap<DieRef, u32>,
    by_place: HashMap<DieRef, u32>,
    unit: UnitIndex,
    by_name: HashMap<Key, u32>,
    /// Types that wait for what they refer to.
    stack: Vec<u32>,
    draft: Draft,
}

impl<'d, 'a> Scanner<'d, 'a> {
    pub(super) fn new(debug: &'d DebugInfo<'a>, options: &'d Options) -> Self {
        Scanner {
            debug,
            options,
            store: Store::new(),
            raw: RawType::default(),
            locals: Vec::new(),
            parts: Vec::new(),
            functions: Vec::new(),
            params: Vec::new(),
            functions_by_place: HashMap::new(),
            by_place: HashMap::new(),
            unit: UnitIndex::default(),
            by_name: HashMap::new(),
            stack: Vec::new(),
            draft: Draft::default(),
        }
    }

    /// Reads the types of `unit`.
    pub(super) fn read(&mut self, unit: &Unit<'a>) -> Result<UnitTypes> {
        self.locals.clear();
        self.parts.clear();
        self.functions.clear();
        self.params.clear();
        self.functions_by_place.clear();
        self.by_place.clear();
        self.unit = unit.index();
        self.by_name.clear();
        self.collect(unit)?;
        self.find_shared_names();
        self.intern_all(unit)
    }

    // ── reading ──

    /// Reads all entries that are types, functions or variables.
    fn collect(&mut self, unit: &Unit<'a>) -> Result<()> {
        let mut walk = Walk::new(self.debug, unit)?.without_source();
        walk.next()?;
        // Scopes whose types were left out at first: where they begin, and what they are called.
        let mut inner = Vec::new();
        self.collect_below(unit, &mut walk, Scopes::new(), &mut inner)?;
        while let Some((place, scope)) = inner.pop() {
            let mut walk = Walk::at(self.debug, unit, place)?.without_source();
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
        // The function that the walk is in, if its parameters are of interest.
        let mut function = isize::MIN;
        loop {
            let wanted = |tag: DwTag, depth: isize| {
                is_type(tag)
                    || tag == dw::DW_TAG_subprogram
                    || is_namespace(tag)
                    || (depth == function + 1
                        && (tag == dw::DW_TAG_formal_parameter
                            || tag == dw::DW_TAG_unspecified_parameters))
            };
            let Some(&entry) = walk.next_among(floor, wanted)? else { return Ok(()) };
            if entry.depth <= function {
                function = isize::MIN;
            }
            scopes.leave(entry.depth);
            match entry.tag {
                tag if is_namespace(tag) => scopes.enter(self.debug, &entry),
                dw::DW_TAG_subprogram => {
                    let index = self.functions.len() as u32;
                    self.functions_by_place.insert(entry.at, index);
                    self.begin_function(&entry);
                    // A copy has the parameters of what it is a copy of.
                    function = match entry.abstract_origin {
                        None => entry.depth,
                        Some(_) => isize::MIN,
                    };
                    scopes.enter_later(&entry);
                }
                dw::DW_TAG_formal_parameter | dw::DW_TAG_unspecified_parameters => {
                    self.add_parameter(&entry);
                }
                _ => {
                    self.raw.read(self.debug, unit, walk, &entry)?;
                    let nested = self.raw.nested;
                    self.add_type(unit, &entry, &mut scopes)?;
                    for place in std::mem::take(&mut self.raw.variant_parts) {
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
            Kind::Int(encoding) => {
                u8::from(encoding.signed) * INT_SIGNED | u8::from(encoding.bool) * INT_BOOL
            }
            Kind::Enum => {
                let (signed, wide) = raw.enum_range();
                u8::from(signed) * ENUM_SIGNED | u8::from(wide) * ENUM_WIDE
            }
            Kind::FuncProto => u8::from(raw.variadic),
            _ => 0,
        };
        let name = match entry.tag {
            dw::DW_TAG_base_type => self.store.names.id(raw.name),
            _ if entry.specification.is_some() && raw.name.is_missing() => {
                let name = self.debug.qualified_name(unit, entry)?.unwrap_or_default();
                self.store.names.add(name.into_owned().into_bytes().into())
            }
            _ if raw.name.is_missing() => 0,
            _ => {
                let name = self.store.names.id(raw.name);
                let scope: &str = scopes.resolve(self.debug);
                let names = &mut self.store.names;
                let scope = names.add(scope.as_bytes().to_vec().into());
                names.join(scope, name)
            }
        };
        let start = self.parts.len() as u32;
        let raw = &self.raw;
        for part in &raw.parts {
            let values = match raw.kind {
                Kind::Enum | Kind::Array => [part.value as u32, (part.value >> 32) as u32],
                _ => [part.bit_offset as u32, part.bits as u32],
            };
            let name = self.store.names.id(part.name);
            self.parts.push(LocalPart { name, ty: part.ty, values });
        }
        let mut local = Local {
            at: entry.at,
            kind: raw.kind,
            detail,
            name,
            size: raw.size as u32,
            target: raw.target,
            parts: (start, self.parts.len() as u32),
            rules: raw.rules,
            shares_name: false,
            is_exact: false,
            state: State::New,
        };
        // A stand-in for the type of a type unit; not all of them are declarations (GCC's enums).
        if entry.signature.is_some() {
            (local.kind, local.target) = (Kind::Same, entry.signature);
        }
        self.add_local(local);
        Ok(())
    }

    fn add_local(&mut self, local: Local) -> u32 {
        let index = self.locals.len() as u32;
        self.by_place.insert(local.at, index);
        self.locals.push(local);
        index
    }

    fn begin_function(&mut self, entry: &Entry<'a>) {
        let params = self.params.len() as u32;
        self.functions.push(LocalFunction {
            at: entry.at,
            name: self.store.names.id(entry.name),
            linkage_name: self.store.names.id(entry.linkage_name),
            external: entry.external,
            has_code: entry.code != Code::None && !entry.declaration,
            ret: entry.ty,
            origin: entry.origin(),
            is_copy: entry.abstract_origin.is_some(),
            params: (params, params),
            variadic: false,
        });
    }

    /// Takes note of a parameter of the function that was begun last.
    fn add_parameter(&mut self, entry: &Entry<'a>) {
        let Some(function) = self.functions.last_mut() else { return };
        if entry.tag == dw::DW_TAG_unspecified_parameters {
            function.variadic = true;
            return;
        }
        let name = self.store.names.id(entry.name);
        self.params.push(LocalPart { name, ty: entry.ty, values: [0; 2] });
        function.params.1 = self.params.len() as u32;
    }

    // ── keeping ──

    /// Marks structs and unions that have a name in common with another one of the unit: who
    /// refers to one of them has to say which.
    fn find_shared_names(&mut self) {
        for index in 0..self.locals.len() {
            let Some(key) = self.locals[index].key() else { continue };
            let first = *self.by_name.entry(key).or_insert(index as u32) as usize;
            if first != index {
                self.locals[first].shares_name = true;
                self.locals[index].shares_name = true;
            }
        }
    }

    /// Puts into the store what can be asked for by name, and what that leads to.
    fn intern_all(&mut self, unit: &Unit<'a>) -> Result<UnitTypes> {
        let mut roots = Vec::new();
        let everything = self.debug.refers_elsewhere();
        for index in 0..self.locals.len() as u32 {
            let local = &self.locals[index as usize];
            let is_root = local.name != 0 && !matches!(local.kind, Kind::Same);
            if !is_root && !everything {
                continue;
            }
            let reference = self.intern(index)?;
            if let (true, Ref::Record(id)) = (is_root, reference) {
                roots.push(id);
            }
        }
        let mut coded_elsewhere = Vec::new();
        for index in 0..self.functions.len() {
            if !self.functions[index].has_code || !self.options.functions {
                continue;
            }
            match self.function(index)? {
                Some(id) => roots.push(id),
                None => coded_elsewhere.push(self.functions[index].at),
            }
        }
        roots.sort_unstable();
        roots.dedup();
        let mut places = Vec::new();
        for local in &self.locals {
            if let State::Done(reference) = local.state
                && (everything || local.is_exact)
            {
                places.push((local.at, reference));
            }
        }
        Ok(UnitTypes { unit: unit.index(), roots, places, coded_elsewhere })
    }

    /// Puts the type `root` and what it leads to into the store.
    fn intern(&mut self, root: u32) -> Result<Ref> {
        self.stack.push(root);
        while let Some(&index) = self.stack.last() {
            if let State::Done(_) = self.locals[index as usize].state {
                self.stack.pop();
                continue;
            }
            self.locals[index as usize].state = State::Open;
            if self.wait_for_targets(index)? {
                continue;
            }
            let reference = self.keep(index)?;
            self.locals[index as usize].state = State::Done(reference);
            self.stack.pop();
        }
        match self.locals[root as usize].state {
            State::Done(reference) => Ok(reference),
            // The stack is empty only when it is done.
            State::New | State::Open => Ok(Ref::VOID),
        }
    }

    /// Puts the type at `place` into the store, if it is in this unit.
    fn intern_at(&mut self, place: Option<DieRef>) -> Result<()> {
        if let Some(place) = place
            && let Some(index) = self.local(place)?
        {
            self.intern(index)?;
        }
        Ok(())
    }

    /// Puts what the type `index` refers to on the stack, as far as it is new; says whether there
    /// is any.
    fn wait_for_targets(&mut self, index: u32) -> Result<bool> {
        let before = self.stack.len();
        let local = self.locals[index as usize];
        let parts = local.parts.0 as usize..local.parts.1 as usize;
        self.wait_for(local.target)?;
        for part in parts {
            self.wait_for(self.parts[part].ty)?;
        }
        Ok(self.stack.len() > before)
    }

    fn wait_for(&mut self, place: Option<DieRef>) -> Result<()> {
        let Some(place) = place else { return Ok(()) };
        if let Some(index) = self.local(place)? {
            let local = &self.locals[index as usize];
            if local.key().is_none()
                && !matches!(local.kind, Kind::Declared { .. })
                && matches!(local.state, State::New)
            {
                self.stack.push(index);
            }
        }
        Ok(())
    }

    /// The type at `place`; `None` if that is in another unit.
    fn local(&self, place: DieRef) -> Result<Option<u32>> {
        if let Some(&index) = self.by_place.get(&place) {
            return Ok(Some(index));
        }
        // Nothing but a damaged file refers to a place in its own unit where no type is.
        let is_elsewhere = self.debug.unit_of(place)? != self.unit;
        ensure!(is_elsewhere, "there is no type at {}", self.debug.place(place));
        Ok(None)
    }

    /// How another type refers to the one at `place`, which waits for nothing.
    fn reference(&mut self, place: Option<DieRef>) -> Result<Ref> {
        let Some(place) = place else { return Ok(Ref::VOID) };
        let Some(index) = self.local(place)? else { return Ok(self.store.exact(place)) };
        let local = &mut self.locals[index as usize];
        Ok(match (local.key(), local.kind, local.state) {
            (Some(_), ..) if local.shares_name => {
                local.is_exact = true;
                self.store.exact(place)
            }
            (Some(key), ..) => Ref::Named(key),
            (None, Kind::Declared { union }, _) if local.name != 0 => {
                Ref::Named(Key { name: local.name, union })
            }
            (None, _, State::Done(reference)) => reference,
            // It leads back to itself without any name on the way, which no language has.
            (None, ..) => {
                local.is_exact = true;
                self.store.exact(place)
            }
        })
    }

    /// Puts the type `index` into the store, and gives the reference to it.
    fn keep(&mut self, index: u32) -> Result<Ref> {
        let local = self.locals[index as usize];
        let target = self.reference(local.target)?;
        let kind = match local.kind {
            Kind::Same => return Ok(target),
            Kind::Declared { union } => {
                if local.name != 0 {
                    return Ok(Ref::Named(Key { name: local.name, union }));
                }
                kind::STRUCT
            }
            Kind::Array => return self.keep_array(&local, target),
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
            Kind::FuncProto => kind::FUNC_PROTO,
        };
        let mut draft = mem::take(&mut self.draft);
        let head = Head {
            kind: kind as u8,
            detail: local.detail,
            name: local.name,
            size: local.size,
            target,
        };
        draft.begin(head);
        for part in local.parts.0..local.parts.1 {
            let LocalPart { name, ty, values } = self.parts[part as usize];
            let ty = self.reference(ty)?;
            draft.push(Part { name, ty, values });
        }
        let id = self.store.intern(&draft, (local.at, 0), local.rules);
        self.draft = draft;
        Ok(Ref::Record(id))
    }

    /// An array of arrays is as many types as it has dimensions.
    fn keep_array(&mut self, local: &Local, element: Ref) -> Result<Ref> {
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
            target = Ref::Record(self.store.intern(&draft, (local.at, number), local.rules));
        }
        self.draft = draft;
        Ok(target)
    }

    /// Puts the function `index`, which has code, into the store; `None` if another unit has what
    /// its source says.
    fn function(&mut self, index: usize) -> Result<Option<RecordId>> {
        let mut whole = self.functions[index];
        // A copy for one caller, or for all, leaves the words to the entry that it is a copy of;
        // and a definition those to its declaration that this has said.
        let mut at = whole;
        for _ in 0..MAX_CHAIN {
            let Some(origin) = at.origin else { break };
            let Some(&next) = self.functions_by_place.get(&origin) else { return Ok(None) };
            let next = self.functions[next as usize];
            whole.name = if whole.name == 0 { next.name } else { whole.name };
            if whole.linkage_name == 0 {
                whole.linkage_name = next.linkage_name;
            }
            whole.external |= next.external;
            whole.ret = whole.ret.or(next.ret);
            if at.is_copy {
                (whole.params, whole.variadic) = (next.params, next.variadic);
            }
            at = next;
        }
        let symbol = match whole.linkage_name {
            0 => whole.name,
            linkage_name => linkage_name,
        };
        if symbol == 0 {
            return Ok(None);
        }
        let params = whole.params.0 as usize..whole.params.1 as usize;
        self.intern_at(whole.ret)?;
        for param in params.clone() {
            self.intern_at(self.params[param].ty)?;
        }
        let target = self.reference(whole.ret)?;
        let mut draft = mem::take(&mut self.draft);
        let detail = u8::from(whole.variadic);
        let kind = kind::FUNC_PROTO as u8;
        draft.begin(Head { kind, detail, name: 0, size: 0, target });
        for (number, param) in params.enumerate() {
            let LocalPart { name, ty, values } = self.params[param];
            let ty = self.reference(ty)?;
            let name = match name {
                0 => self.store.names.parameter(number),
                name => name,
            };
            draft.push(Part { name, ty, values });
        }
        let prototype = self.store.intern(&draft, (at.at, 1), Rules::default());
        let detail = u8::from(whole.external);
        let (kind, target) = (kind::FUNC as u8, Ref::Record(prototype));
        draft.begin(Head { kind, detail, name: symbol, size: 0, target });
        let id = self.store.intern(&draft, (at.at, 2), Rules::default());
        self.draft = draft;
        Ok(Some(id))
    }
}

impl Local {
    /// The name by which other types refer to it, if that is how they do.
    fn key(&self) -> Option<Key> {
        match self.kind {
            Kind::Struct if self.name != 0 => Some(Key { name: self.name, union: false }),
            Kind::Union if self.name != 0 => Some(Key { name: self.name, union: true }),
            _ => None,
        }
    }
}
