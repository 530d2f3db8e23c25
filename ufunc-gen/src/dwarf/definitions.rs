// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where the application's named types are defined, whatever file asks.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use anyhow::Result;
use gimli::DwTag;

use super::scope::{Scopes, is_scope};
use super::types::member_location;
use super::walk::Walk;
use super::{DebugInfo, Die, DieRef, UnitIndex, flag, number};

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

/// What C identifies a type with, across files.
type Key<'a> = (TagClass, Cow<'a, str>);

/// Where named types are defined.
#[derive(Default)]
pub(super) struct Definitions<'a> {
    places: HashMap<Key<'a>, Vec<DieRef>>,
    /// Names, with their namespaces, of the types that are in one.
    scoped: HashMap<DieRef, Cow<'a, str>>,
    /// Declarations in a file's scope.
    global: HashSet<DieRef>,
    /// From a declaration to the definition that says it completes it (GCC has these for types in
    /// namespaces, even in one file).
    completed: HashMap<DieRef, DieRef>,
    /// What was decided already: many files declare the same types.
    decided: RefCell<HashMap<Key<'a>, Option<DieRef>>>,
}

impl<'a> DebugInfo<'a> {
    /// The one definition of the type called `name`; `None` if there is none, or if files define
    /// it differently.
    pub fn find_type(&self, class: TagClass, name: &str) -> Result<Option<DieRef>> {
        self.decide((class, Cow::Owned(name.to_owned())))
    }

    /// Whether some file defines a type called `name`, in whatever way.
    pub fn defines(&self, class: TagClass, name: &str) -> Result<bool> {
        Ok(self.definitions()?.places.contains_key(&(class, Cow::Borrowed(name))))
    }

    /// The one definition of a type that `entry` only declares; `None` if `entry` is none such,
    /// or the definition is missing or not certain.
    pub(super) fn definition(&self, unit: UnitIndex, entry: &Die<'a>) -> Result<Option<DieRef>> {
        let Some(class) = TagClass::of(entry.tag) else { return Ok(None) };
        if !flag(entry, gimli::DW_AT_declaration) {
            return Ok(None);
        }
        let place = self.offset_of(unit, entry);
        let definitions = self.definitions()?;
        if let Some(&definition) = definitions.completed.get(&place) {
            return Ok(Some(definition));
        }
        if let Some(name) = definitions.scoped.get(&place) {
            return self.decide((class, name.clone()));
        }
        // One within a class is another type than one of that name outside; C has no such types.
        if !definitions.global.contains(&place) && !self.compiler(unit)?.c {
            return Ok(None);
        }
        match self.string(unit, entry, gimli::DW_AT_name) {
            Some(name) => self.decide((class, name)),
            None => Ok(None),
        }
    }

    fn decide(&self, key: Key<'a>) -> Result<Option<DieRef>> {
        let definitions = self.definitions()?;
        if let Some(decided) = definitions.decided.borrow().get(&key) {
            return Ok(*decided);
        }
        let places = definitions.places.get(&key).map(Vec::as_slice).unwrap_or_default();
        let decided = self.common(places)?;
        definitions.decided.borrow_mut().insert(key, decided);
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

    /// All definitions of named types that stand in a file's or a namespace's scope.
    fn definitions(&self) -> Result<&Definitions<'a>> {
        if let Some(definitions) = self.definitions.get() {
            return Ok(definitions);
        }
        let mut found = Definitions::default();
        for unit in self.units() {
            let mut scopes = Scopes::new();
            let mut walk = Walk::new(self, unit, None)?;
            while let Some(entry) = walk.next()? {
                if entry.depth == 0 {
                    continue;
                }
                scopes.leave(entry.depth);
                if is_scope(entry) {
                    let name = self.string(unit, entry, gimli::DW_AT_name);
                    scopes.enter(self, unit, entry, name.as_deref())?;
                    continue;
                }
                if let Some(class) = TagClass::of(entry.tag) {
                    self.add_type(&mut found, class, unit, entry, scopes.current())?;
                }
                walk.skip_children()?;
            }
        }
        Ok(self.definitions.get_or_init(|| found))
    }

    /// Takes note of `entry`, a type in the scope `scope`.
    fn add_type(
        &self,
        found: &mut Definitions<'a>,
        class: TagClass,
        unit: UnitIndex,
        entry: &Die<'a>,
        scope: &str,
    ) -> Result<()> {
        let place = self.offset_of(unit, entry);
        let is_definition = !flag(entry, gimli::DW_AT_declaration);
        let declaration = self.reference(unit, entry, gimli::DW_AT_specification)?;
        if let Some(declaration) = declaration.filter(|_| is_definition) {
            found.completed.insert(declaration, place);
            // One in a class has no name by which another file could mean it.
            if let Some(name) = found.scoped.get(&declaration) {
                let key = (class, name.clone());
                found.places.entry(key).or_default().push(place);
            }
            return Ok(());
        }
        let Some(name) = self.string(unit, entry, gimli::DW_AT_name) else { return Ok(()) };
        let name = match scope {
            "" => {
                if !is_definition {
                    found.global.insert(place);
                }
                name
            }
            scope => {
                let name = Cow::Owned(format!("{scope}{name}"));
                found.scoped.insert(place, Cow::clone(&name));
                name
            }
        };
        if is_definition {
            found.places.entry((class, name)).or_default().push(place);
        }
        Ok(())
    }

    fn layout(&self, die: DieRef) -> Result<Layout<'a>> {
        let (unit, entry) = self.die(die)?;
        let mut members = Vec::new();
        let mut walk = Walk::new(self, unit, Some(entry.offset))?;
        walk.next()?;
        while let Some(child) = walk.next()? {
            if child.tag == gimli::DW_TAG_member {
                let name = self.string(unit, child, gimli::DW_AT_name);
                let ty = self.reference(unit, child, gimli::DW_AT_type)?;
                members.push((name, member_location(self, unit, child)?, self.c_name(ty)?));
            }
            walk.skip_children()?;
        }
        let target = self.reference(unit, &entry, gimli::DW_AT_type)?;
        let target = self.c_name(target)?;
        Ok(Layout { size: number(&entry, gimli::DW_AT_byte_size), target, members })
    }
}

/// What two definitions of one type must have in common.
#[derive(PartialEq)]
struct Layout<'a> {
    size: Option<u64>,
    /// What a typedef stands for.
    target: String,
    /// Names, offsets and types.
    members: Vec<(Option<Cow<'a, str>>, u64, String)>,
}
