// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is around an entry: namespaces, classes, functions. C++ and Rust tell types of one name
//! apart by it.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use anyhow::Result;
use gimli::DwTag;
use gimli::constants as dw;

use super::entry::{DieRef, Entry};
use super::raw::is_type;
use super::{DebugInfo, MAX_CHAIN, Unit, Walk};
use crate::ident::shortened;

/// Longest name of namespaces around each other, in bytes: everything in them carries it.
const MAX_SCOPE: usize = 1 << 11;
/// What stands for a namespace without a name.
const ANONYMOUS: &str = "_anonymous";

/// What leads to where a [`Walk`] is.
pub(crate) struct Scopes<'a> {
    /// With their depths; each with those around it, `outer::inner::`.
    open: Vec<(isize, Arc<str>)>,
    none: Arc<str>,
    /// The innermost ones, which were entered but whose names nobody wanted to know yet.
    later: Vec<Entry<'a>>,
}

impl<'a> Scopes<'a> {
    pub(crate) fn new() -> Self {
        Self::inside(Arc::from(""))
    }

    /// Begins inside of `outer`, with an entry at the depth 0.
    pub(crate) fn inside(outer: Arc<str>) -> Self {
        Scopes { open: Vec::new(), none: outer, later: Vec::new() }
    }

    /// Leaves what does not contain an entry at `depth`.
    pub(crate) fn leave(&mut self, depth: isize) {
        while self.open.last().is_some_and(|(scope, _)| *scope >= depth) {
            self.open.pop();
        }
        while self.later.last().is_some_and(|scope| scope.depth >= depth) {
            self.later.pop();
        }
    }

    /// Enters `entry`, whose name is looked up when [`Scopes::resolve`] has to know it.
    pub(crate) fn enter_later(&mut self, entry: &Entry<'a>) {
        if entry.has_children {
            self.later.push(*entry);
        }
    }

    /// Whether nothing with a name is around the walk.
    #[inline]
    pub(crate) fn are_none(&self) -> bool {
        self.open.is_empty() && self.later.is_empty() && self.none.is_empty()
    }

    /// The innermost scope, those that were entered by [`Scopes::enter_later`] among them.
    pub(crate) fn resolve(&mut self, debug: &DebugInfo<'a>) -> &Arc<str> {
        for entry in std::mem::take(&mut self.later) {
            self.enter(debug, &entry);
        }
        self.current()
    }

    /// Enters `entry`.
    pub(crate) fn enter(&mut self, debug: &DebugInfo<'a>, entry: &Entry<'a>) {
        let outer = self.current();
        // Deeper than anybody would write: a name says enough without the rest.
        let name = match debug.name(entry) {
            // What completes a declaration is found elsewhere than where it belongs.
            Some(name) if entry.specification.is_some() && is_type(entry.tag) => {
                let whole = debug.declared_name(entry).ok().flatten();
                [&whole.unwrap_or(name), "::"].concat()
            }
            Some(name) if self.open.len() < MAX_CHAIN => [&**outer, &name, "::"].concat(),
            None if entry.tag == dw::DW_TAG_namespace && self.open.len() < MAX_CHAIN => {
                [&**outer, ANONYMOUS, "::"].concat()
            }
            // What is in an anonymous struct belongs to what is around that.
            _ => {
                let outer = Arc::clone(outer);
                return self.open.push((entry.depth, outer));
            }
        };
        let name = if name.len() <= MAX_SCOPE { name } else { shortened(&name, MAX_SCOPE) };
        self.open.push((entry.depth, Arc::from(name)));
    }

    /// The innermost scope but for those entered later, `outer::inner::`; empty in the file's scope.
    pub(crate) fn current(&self) -> &Arc<str> {
        self.open.last().map_or(&self.none, |(_, name)| name)
    }
}

/// Whether an entry with that tag is a namespace, or what other languages have for one.
pub(crate) fn is_namespace(tag: DwTag) -> bool {
    matches!(tag, dw::DW_TAG_namespace | dw::DW_TAG_module)
}

/// Whether types within an entry with that tag are named after it.
pub(crate) fn is_scope(tag: DwTag) -> bool {
    is_namespace(tag)
        || matches!(
            tag,
            dw::DW_TAG_structure_type
                | dw::DW_TAG_class_type
                | dw::DW_TAG_union_type
                | dw::DW_TAG_interface_type
                | dw::DW_TAG_enumeration_type
                | dw::DW_TAG_subprogram
        )
}

impl<'a> DebugInfo<'a> {
    /// The name of `entry`, a type of `unit`, with what is around it: `outer::inner::name`.
    pub(crate) fn qualified_name(
        &self,
        unit: &Unit<'a>,
        entry: &Entry<'a>,
    ) -> Result<Option<Cow<'a, str>>> {
        // A definition has the name, and the place, of its declaration.
        if entry.specification.is_some() {
            return self.declared_name(entry);
        }
        let Some(name) = entry.name.text() else { return Ok(None) };
        // Nearly all of C's types stand in the file's scope, which is quickly seen.
        if unit.compiler.c && self.is_at_top(unit, entry.at)? {
            return Ok(Some(name));
        }
        Ok(Some(match &*self.scope_of(unit, entry.at)? {
            "" => name,
            scope => Cow::Owned(format!("{scope}{name}")),
        }))
    }

    /// The name of the declaration that `entry` completes, with what is around that.
    fn declared_name(&self, entry: &Entry<'a>) -> Result<Option<Cow<'a, str>>> {
        let Some(declaration) = entry.specification else { return Ok(None) };
        let (unit, declaration) = self.die(declaration)?;
        // No declaration completes another one.
        match declaration.specification {
            None => self.qualified_name(unit, &declaration),
            Some(_) => Ok(declaration.name.text()),
        }
    }

    /// What is around the entry at `place`, a type of `unit`.
    fn scope_of(&self, unit: &Unit<'a>, place: DieRef) -> Result<Arc<str>> {
        let scoped = get_or_try_init(&unit.scoped, || self.scoped_types(unit))?;
        Ok(match scoped.binary_search_by_key(&place, |(at, _)| *at) {
            Ok(found) => Arc::clone(&scoped[found].1),
            Err(_) => Arc::from(""),
        })
    }

    /// Whether the entry at `place` stands right below the root of `unit`.
    pub(super) fn is_at_top(&self, unit: &Unit<'a>, place: DieRef) -> Result<bool> {
        let top = get_or_try_init(&unit.top, || self.top_entries(unit))?;
        Ok(top.binary_search(&place).is_ok())
    }

    /// Places of the entries right below the root of `unit`.
    fn top_entries(&self, unit: &Unit<'a>) -> Result<Vec<DieRef>> {
        let mut walk = Walk::new(self, unit)?;
        walk.next()?;
        walk.child_places(0)
    }

    /// The types of `unit` that stand in a scope, with that.
    fn scoped_types(&self, unit: &Unit<'a>) -> Result<Vec<(DieRef, Arc<str>)>> {
        let mut found = Vec::new();
        let mut scopes = Scopes::new();
        let mut walk = Walk::new(self, unit)?;
        walk.next()?;
        while let Some(&entry) = walk.next_among(0, |tag, _| is_scope(tag) || is_type(tag))? {
            scopes.leave(entry.depth);
            if is_type(entry.tag) {
                let scope = scopes.resolve(self);
                if !scope.is_empty() {
                    found.push((entry.at, Arc::clone(scope)));
                }
            }
            if is_scope(entry.tag) {
                scopes.enter_later(&entry);
            }
        }
        Ok(found)
    }
}

fn get_or_try_init<T>(cell: &OnceLock<T>, make: impl FnOnce() -> Result<T>) -> Result<&T> {
    match cell.get() {
        Some(found) => Ok(found),
        None => {
            let made = make()?;
            Ok(cell.get_or_init(|| made))
        }
    }
}
