// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where the application's named types are defined, whatever file asks.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Mutex;

use anyhow::Result;
use gimli::DwTag;

use super::entry::{DieRef, Entry};
use super::raw::RawType;
use super::scope::{Scopes, is_namespace, is_scope};
use super::{DebugInfo, Unit, Walk};
use crate::ident::btf_name;

/// Namespaces of type names: a struct and an enum of one name have nothing to do with each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TagClass {
    /// `struct`, `class`
    Struct,
    /// `union`
    Union,
    /// `enum`
    Enum,
    /// `typedef`
    Typedef,
}

impl TagClass {
    fn of(tag: DwTag) -> Option<TagClass> {
        match tag {
            gimli::DW_TAG_structure_type | gimli::DW_TAG_class_type => Some(TagClass::Struct),
            gimli::DW_TAG_union_type => Some(TagClass::Union),
            gimli::DW_TAG_enumeration_type => Some(TagClass::Enum),
            gimli::DW_TAG_typedef => Some(TagClass::Typedef),
            _ => None,
        }
    }
}

/// What identifies a type across files: its name in BTF.
type Key<'a> = (TagClass, Cow<'a, str>);

/// Where named types are defined.
#[derive(Default)]
pub(super) struct Definitions<'a> {
    places: HashMap<Key<'a>, Vec<DieRef>>,
    /// From a declaration to the definition that says it completes it (GCC has these for types in
    /// namespaces, even in one file).
    completed: HashMap<DieRef, DieRef>,
    /// What was decided already: many files declare the same types.
    decided: Mutex<HashMap<Key<'a>, Option<DieRef>>>,
}

/// A definition in one unit.
struct Found<'a> {
    key: Key<'a>,
    place: DieRef,
    /// The declaration that it completes.
    completes: Option<DieRef>,
}

impl<'a> DebugInfo<'a> {
    /// The one definition of the type that BTF knows as `name`; `None` if there is none, or if
    /// files define it differently.
    pub fn find_type(&self, class: TagClass, name: &str) -> Result<Option<DieRef>> {
        self.decide((class, Cow::Owned(name.to_owned())))
    }

    /// Whether some file defines a type that BTF knows as `name`, in whatever way.
    pub fn defines(&self, class: TagClass, name: &str) -> Result<bool> {
        Ok(self.definitions()?.places.contains_key(&(class, Cow::Borrowed(name))))
    }

    /// The one definition of a type that `entry` only declares; `None` if `entry` is none such,
    /// or the definition is missing or not certain.
    pub(super) fn definition(&self, unit: &Unit<'a>, entry: &Entry<'a>) -> Result<Option<DieRef>> {
        let Some(class) = TagClass::of(entry.tag) else { return Ok(None) };
        if let Some(definition) = entry.signature {
            return Ok(Some(definition));
        }
        if !entry.declaration {
            return Ok(None);
        }
        if let Some(&definition) = self.definitions()?.completed.get(&entry.at) {
            return Ok(Some(definition));
        }
        match self.qualified_name(unit, entry)? {
            Some(name) => self.decide((class, btf_name(name))),
            None => Ok(None),
        }
    }

    fn decide(&self, key: Key<'a>) -> Result<Option<DieRef>> {
        let definitions = self.definitions()?;
        let decided = |key: &Key<'a>| definitions.decided.lock().ok()?.get(key).copied();
        if let Some(decided) = decided(&key) {
            return Ok(decided);
        }
        let places = definitions.places.get(&key).map(Vec::as_slice).unwrap_or_default();
        let decided = self.common(places)?;
        if let Ok(mut memory) = definitions.decided.lock() {
            memory.insert(key, decided);
        }
        Ok(decided)
    }

    /// The first of `places` if all of them define the same. Files may use one name for different
    /// structs: which one is meant cannot be known then, and the wrong layout would let an
    /// extension read what is not there.
    fn common(&self, places: &[DieRef]) -> Result<Option<DieRef>> {
        let Some((&first, rest)) = places.split_first() else { return Ok(None) };
        let layout = self.layout(first)?;
        for &other in rest {
            if self.layout(other)? != layout {
                return Ok(None);
            }
        }
        Ok(Some(first))
    }

    /// All definitions of named types.
    fn definitions(&self) -> Result<&Definitions<'a>> {
        if let Some(definitions) = self.definitions.get() {
            return Ok(definitions);
        }
        let units = self.for_units(|unit| self.definitions_in(unit))?;
        let mut found = Definitions::default();
        for definition in units.into_iter().flatten() {
            if let Some(declaration) = definition.completes {
                found.completed.insert(declaration, definition.place);
            }
            found.places.entry(definition.key).or_default().push(definition.place);
        }
        Ok(self.definitions.get_or_init(|| found))
    }

    /// The definitions in one unit, outside of functions.
    fn definitions_in(&self, unit: &Unit<'a>) -> Result<Vec<Found<'a>>> {
        let mut found = Vec::new();
        let mut scopes = Scopes::new();
        let mut walk = Walk::new(self, unit)?;
        walk.next()?;
        // C has no types within types.
        let is_interesting = |tag| TagClass::of(tag).is_some() || is_namespace(tag);
        while let Some(&entry) =
            walk.next_among(0, |tag, depth| is_interesting(tag) || (unit.compiler.c && depth == 1))?
        {
            scopes.leave(entry.depth);
            if !is_interesting(entry.tag) {
                walk.skip_children()?;
                continue;
            }
            if let Some(class) = TagClass::of(entry.tag)
                && !entry.declaration
                && let Some(name) = self.name_in(unit, &entry, scopes.current())?
            {
                let key = (class, btf_name(name));
                found.push(Found { key, place: entry.at, completes: entry.specification });
            }
            let enters = is_scope(entry.tag) && entry.has_children && !unit.compiler.c;
            match enters || is_namespace(entry.tag) {
                true => scopes.enter(self, &entry),
                false => walk.skip_children()?,
            }
        }
        Ok(found)
    }

    /// The name of `entry`, which stands in `scope`.
    fn name_in(
        &self,
        unit: &Unit<'a>,
        entry: &Entry<'a>,
        scope: &str,
    ) -> Result<Option<Cow<'a, str>>> {
        if entry.specification.is_some() {
            return self.qualified_name(unit, entry);
        }
        let Some(name) = entry.name.text() else { return Ok(None) };
        Ok(Some(match scope {
            "" => name,
            scope => Cow::Owned(format!("{scope}{name}")),
        }))
    }

    fn layout(&self, die: DieRef) -> Result<Layout<'a>> {
        let (unit, entry) = self.die(die)?;
        let mut raw = RawType::default();
        let mut walk = Walk::at(self, unit, entry.at)?;
        walk.next()?;
        raw.read(self, unit, &mut walk, &entry)?;
        let mut parts = Vec::new();
        for part in &raw.parts {
            parts.push(LayoutPart {
                name: part.name.bytes(),
                place: (part.bit_offset, part.bits),
                value: part.value,
                ty: self.c_name(part.ty)?,
            });
        }
        Ok(Layout { size: raw.size, target: self.c_name(raw.target)?, parts })
    }
}

/// What two definitions of one type must have in common.
#[derive(PartialEq)]
struct Layout<'a> {
    size: u64,
    /// What a typedef stands for.
    target: String,
    parts: Vec<LayoutPart<'a>>,
}

#[derive(PartialEq)]
struct LayoutPart<'a> {
    name: &'a [u8],
    place: (u64, u64),
    value: i128,
    ty: String,
}
