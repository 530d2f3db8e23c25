// SPDX-License-Identifier: MIT OR Apache-2.0
//! From a type's declaration in one file to its definition in another.

use std::borrow::Cow;
use std::collections::HashMap;

use anyhow::Result;
use gimli::DwTag;

use super::types::member_location;
use super::walk::Walk;
use super::{DebugInfo, Die, DieRef, UnitIndex, flag, number};

/// Where types are defined, by what C identifies them with.
pub(super) type Definitions<'a> = HashMap<(TagClass, Cow<'a, str>), Vec<DieRef>>;

/// Namespaces of tags: a struct and an enum of one name have nothing to do with each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum TagClass {
    Struct,
    Union,
    Enum,
}

impl TagClass {
    fn of(tag: DwTag) -> Option<TagClass> {
        match tag {
            gimli::DW_TAG_structure_type | gimli::DW_TAG_class_type => Some(TagClass::Struct),
            gimli::DW_TAG_union_type => Some(TagClass::Union),
            gimli::DW_TAG_enumeration_type => Some(TagClass::Enum),
            _ => None,
        }
    }
}

impl<'a> DebugInfo<'a> {
    /// The one definition of a type that `entry` only declares; `None` if `entry` is none such,
    /// or the definition is missing or not certain.
    pub(super) fn definition(&self, unit: UnitIndex, entry: &Die<'a>) -> Result<Option<DieRef>> {
        let Some(class) = TagClass::of(entry.tag) else { return Ok(None) };
        if !flag(entry, gimli::DW_AT_declaration) {
            return Ok(None);
        }
        let Some(name) = self.string(unit, entry, gimli::DW_AT_name) else { return Ok(None) };
        let candidates = self.definitions()?.get(&(class, name));
        let Some([first, rest @ ..]) = candidates.map(Vec::as_slice) else { return Ok(None) };
        // Files may use one name for different structs. Which one is meant cannot be known then,
        // and the wrong layout would let an extension read what is not there.
        let layout = self.layout(*first)?;
        for other in rest {
            if self.layout(*other)? != layout {
                return Ok(None);
            }
        }
        Ok(Some(*first))
    }

    /// All definitions of named types that stand in a file's scope.
    fn definitions(&self) -> Result<&Definitions<'a>> {
        if let Some(definitions) = self.definitions.get() {
            return Ok(definitions);
        }
        let mut definitions = Definitions::new();
        for unit in self.units() {
            let mut walk = Walk::new(self, unit, None)?;
            while let Some(entry) = walk.next()? {
                if entry.depth == 0 {
                    continue;
                }
                if let Some(class) = TagClass::of(entry.tag)
                    && !flag(entry, gimli::DW_AT_declaration)
                    && let Some(name) = self.string(unit, entry, gimli::DW_AT_name)
                {
                    let place = self.offset_of(unit, entry);
                    definitions.entry((class, name)).or_default().push(place);
                }
                walk.skip_children()?;
            }
        }
        Ok(self.definitions.get_or_init(|| definitions))
    }

    fn layout(&self, die: DieRef) -> Result<Layout<'a>> {
        let (unit, entry) = self.die(die)?;
        let mut members = Vec::new();
        let mut walk = Walk::new(self, unit, Some(entry.offset))?;
        walk.next()?;
        while let Some(child) = walk.next()? {
            if child.tag == gimli::DW_TAG_member {
                let name = self.string(unit, child, gimli::DW_AT_name);
                members.push((name, member_location(self, unit, child)?));
            }
            walk.skip_children()?;
        }
        Ok(Layout { size: number(&entry, gimli::DW_AT_byte_size), members })
    }
}

/// What two definitions of one type must have in common.
#[derive(PartialEq)]
struct Layout<'a> {
    size: Option<u64>,
    members: Vec<(Option<Cow<'a, str>>, u64)>,
}
