// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where the application's named types are defined, whatever file asks.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::hash::BuildHasher as _;
use std::sync::{Mutex, OnceLock};

use anyhow::Result;
use gimli::DwTag;
use hashbrown::{DefaultHashBuilder, HashMap, HashSet};

use super::entry::{Attributes, DieRef, Entry, RawName};
use super::raw::RawType;
use super::scope::{Scopes, is_namespace, is_scope};
use super::{Brief, DebugInfo, Unit, Walk};
use crate::debugfile::parallel;
use crate::ident::btf_name;

/// How many lists the definitions are shared out among, by hashes of their names: looking through
/// one of them is a matter of a microsecond.
const LISTS: usize = 1 << 9;

/// Definitions that are compared by one thread; fewer are not worth another one.
const COPIES: usize = 1 << 7;

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

impl fmt::Display for TagClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TagClass::Struct => "struct",
            TagClass::Union => "union",
            TagClass::Enum => "enum",
            TagClass::Typedef => "typedef",
        })
    }
}

/// What identifies a type across files: its name in BTF.
type Key<'a> = (TagClass, Cow<'a, str>);

/// Where named types are defined.
#[derive(Default)]
pub(super) struct Definitions<'a> {
    /// Structs, unions and enums.
    tagged: OnceLock<Places>,
    /// Typedefs, which are most of all types, and which hardly anybody asks for.
    typedefs: OnceLock<Places>,
    /// What was decided already: many files declare the same types.
    decided: Mutex<HashMap<Key<'a>, Option<DieRef>>>,
    hasher: DefaultHashBuilder,
}

impl<'a> Definitions<'a> {
    fn hash(&self, (class, name): &Key<'a>) -> u64 {
        self.hasher.hash_one((class, &**name))
    }
}

/// Places of definitions that somebody found.
///
/// There may be a million of them, of which few are ever asked for. So nothing is kept but a hash
/// of each name.
#[derive(Debug, Default)]
pub(super) struct Found {
    places: Vec<(u64, DieRef)>,
    /// From a declaration to the definition that says it completes it (GCC has these for types in
    /// namespaces, even in one file).
    completed: HashMap<DieRef, DieRef>,
}

/// Places of all definitions.
#[derive(Debug)]
pub(super) struct Places {
    /// One list after the other, by [`list_of`] their hashes.
    places: Vec<(u32, DieRef)>,
    /// Where in those each list ends.
    ends: Vec<usize>,
    completed: HashMap<DieRef, DieRef>,
}

impl Places {
    /// What several workers have found.
    fn of_all(workers: impl Iterator<Item = Found>) -> Self {
        let mut all = Found::default();
        for mut found in workers {
            all.places.append(&mut found.places);
            all.completed.extend(found.completed);
        }
        let mut ends = vec![0; LISTS];
        all.places.iter().for_each(|(hash, _)| ends[list_of(*hash)] += 1);
        let mut end = 0;
        for list in &mut ends {
            end += std::mem::replace(list, end);
        }
        // Each list's beginning goes on to its end.
        let mut places = vec![(0, DieRef::default()); end];
        for (hash, place) in all.places {
            let at = &mut ends[list_of(hash)];
            places[*at] = (hash as u32, place);
            *at += 1;
        }
        Places { places, ends, completed: all.completed }
    }

    /// The places of the types whose names have the hash `hash`, in order.
    fn with_hash(&self, hash: u64) -> Vec<DieRef> {
        let list = list_of(hash);
        let start = list.checked_sub(1).map_or(0, |before| self.ends[before]);
        let list = self.places[start..self.ends[list]].iter();
        let found = list.filter(|(other, _)| *other == hash as u32).map(|(_, place)| *place);
        let mut found: Vec<_> = found.collect();
        found.sort_unstable();
        found
    }
}

/// Whether entries with that tag are structs, unions or enums.
pub(super) fn is_tagged(tag: DwTag) -> bool {
    TagClass::of(tag).is_some_and(|class| class != TagClass::Typedef)
}

/// The list that a name with the hash `hash` is in. Its lower half is what tells names apart there.
fn list_of(hash: u64) -> usize {
    (hash >> 32) as usize % LISTS
}

impl<'a> DebugInfo<'a> {
    /// All definitions of the type that BTF knows as `name`. Those in one list define the same; the
    /// longest list comes first, and of equally long ones that of the first file.
    pub fn find_variants(&self, class: TagClass, name: &str) -> Result<Vec<Vec<DieRef>>> {
        let mut rest = self.places(&(class, Cow::Owned(name.to_owned())))?;
        let mut variants = Vec::new();
        while !rest.is_empty() {
            let alike = self.alike(&rest)?;
            let (variant, others) = rest.into_iter().partition(|place| alike.contains(place));
            variants.push(variant);
            rest = others;
        }
        variants.sort_by_key(|places: &Vec<_>| std::cmp::Reverse(places.len()));
        Ok(variants)
    }

    /// The first of `places` and all others that define the same.
    fn alike(&self, places: &[DieRef]) -> Result<HashSet<DieRef>> {
        let Some((&first, rest)) = places.split_first() else { return Ok(HashSet::new()) };
        let layout = self.layout(self.anonymous_target(first)?)?;
        let (mut raw, mut alike) = (RawType::default(), HashSet::new());
        let mut found = HashSet::from_iter([first]);
        for &other in rest {
            self.read_type(self.anonymous_target(other)?, &mut raw)?;
            if self.is_laid_out(&raw, &layout, &mut alike)? {
                found.insert(other);
            }
        }
        Ok(found)
    }

    /// The struct, union or enum without a name that the typedef at `die` gives one; else `die`.
    fn anonymous_target(&self, die: DieRef) -> Result<DieRef> {
        let (_, typedef) = self.die(die)?;
        let Some(target) = typedef.ty.filter(|_| typedef.tag == gimli::DW_TAG_typedef) else {
            return Ok(die);
        };
        let (_, entry) = self.die(target)?;
        let is_anonymous = is_tagged(entry.tag) && entry.name.is_missing();
        Ok(if is_anonymous && entry.specification.is_none() { target } else { die })
    }

    /// The names in BTF of all types of the class `class` that files define.
    pub fn type_names(&self, class: TagClass) -> Result<BTreeSet<String>> {
        let workers = self.for_units_with(Attributes::Types, BTreeSet::new, |names, unit| {
            let is_wanted = |tag| TagClass::of(tag) == Some(class);
            self.for_each_type(unit, is_wanted, |entry, scope| {
                if !entry.declaration
                    && let Some(name) = self.name_in(unit, entry, scope)?
                {
                    names.insert(btf_name(name).into_owned());
                }
                Ok(())
            })
        })?;
        Ok(workers.into_iter().flat_map(|(names, _)| names).collect())
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
        if let Some(&definition) = self.definitions_of(class)?.completed.get(&entry.at) {
            return Ok(Some(definition));
        }
        match self.qualified_name(unit, entry)? {
            Some(name) => self.decide((class, btf_name(name))),
            None => Ok(None),
        }
    }

    fn decide(&self, key: Key<'a>) -> Result<Option<DieRef>> {
        let definitions = self.definitions.get_or_init(Definitions::default);
        let decided = |key: &Key<'a>| definitions.decided.lock().ok()?.get(key).copied();
        if let Some(decided) = decided(&key) {
            return Ok(decided);
        }
        let decided = self.common(&self.places(&key)?)?;
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
        if rest.is_empty() {
            return Ok(Some(first));
        }
        let layout = self.layout(first)?;
        let are_laid_out = |others: &&[DieRef]| -> Result<bool> {
            let (mut raw, mut alike) = (RawType::default(), HashSet::new());
            for &other in *others {
                self.read_type(other, &mut raw)?;
                if !self.is_laid_out(&raw, &layout, &mut alike)? {
                    return Ok(false);
                }
            }
            Ok(true)
        };
        // What the first ones say counts, whoever is done with his first.
        let some: Vec<&[DieRef]> = rest.chunks(COPIES).collect();
        for are_laid_out in parallel::map(&some, are_laid_out) {
            if !are_laid_out? {
                return Ok(None);
            }
        }
        Ok(Some(first))
    }

    /// Places of all definitions of the type `key`, in order.
    fn places(&self, key: &Key<'a>) -> Result<Vec<DieRef>> {
        let definitions = self.definitions_of(key.0)?;
        let hash = self.definitions.get_or_init(Definitions::default).hash(key);
        let mut places = Vec::new();
        for place in definitions.with_hash(hash) {
            let (unit, entry) = self.die(place)?;
            // In C whatever was found stands in the file's scope.
            let name = match unit.compiler.c && entry.specification.is_none() {
                true => entry.name.text(),
                false => self.qualified_name(unit, &entry)?,
            };
            if TagClass::of(entry.tag) == Some(key.0)
                && name.is_some_and(|name| btf_name(name) == key.1)
            {
                places.push(place);
            }
        }
        Ok(places)
    }

    /// All definitions of types of the class `class`, and maybe of others.
    fn definitions_of(&self, class: TagClass) -> Result<&Places> {
        let definitions = self.definitions.get_or_init(Definitions::default);
        let is_typedef = class == TagClass::Typedef;
        let places = if is_typedef { &definitions.typedefs } else { &definitions.tagged };
        if let Some(places) = places.get() {
            return Ok(places);
        }
        let is_wanted = |tag| match is_typedef {
            true => tag == gimli::DW_TAG_typedef,
            false => is_tagged(tag),
        };
        let workers = self.for_units_with(Attributes::Types, Found::default, |found, unit| {
            self.definitions_in(unit, is_wanted, found)
        })?;
        Ok(places.get_or_init(|| Places::of_all(workers.into_iter().map(|(found, _)| found))))
    }

    /// Whether nobody has looked for definitions of structs, unions and enums yet.
    pub(super) fn lacks_definitions(&self) -> bool {
        self.definitions.get().is_none_or(|definitions| definitions.tagged.get().is_none())
    }

    /// Keeps the definitions of structs, unions and enums that `workers` found while they looked
    /// for something else.
    pub(super) fn keep_definitions(&self, workers: impl Iterator<Item = Found>) {
        let definitions = self.definitions.get_or_init(Definitions::default);
        definitions.tagged.get_or_init(|| Places::of_all(workers));
    }

    /// Adds to `found` the structs, unions and enums that `unit` defines.
    pub(super) fn tagged_definitions_in(&self, unit: &Unit<'a>, found: &mut Found) -> Result<()> {
        self.definitions_in(unit, is_tagged, found)
    }

    /// Adds `entry` of `unit`, which stands in `scope`, to `found` if it defines a type.
    pub(super) fn note_definition(
        &self,
        unit: &Unit<'a>,
        entry: &Entry<'a>,
        scope: &str,
        found: &mut Found,
    ) -> Result<()> {
        if let Some(class) = TagClass::of(entry.tag)
            && !entry.declaration
            && let Some(name) = self.name_in(unit, entry, scope)?
        {
            let definitions = self.definitions.get_or_init(Definitions::default);
            found.places.push((definitions.hash(&(class, btf_name(name))), entry.at));
            if let Some(declaration) = entry.specification {
                found.completed.insert(declaration, entry.at);
            }
        }
        Ok(())
    }

    /// Adds `entry`, which stands in the file's scope and completes no declaration, to `found` if it
    /// defines a type.
    pub(super) fn note_plain_definition(&self, entry: &Brief<'a>, found: &mut Found) {
        if let Some(class) = TagClass::of(entry.tag)
            && !entry.declares
            && let Some(name) = entry.name.text()
        {
            let definitions = self.definitions.get_or_init(Definitions::default);
            found.places.push((definitions.hash(&(class, btf_name(name))), entry.at));
        }
    }

    /// Adds to `found` the definitions in one unit, outside of functions, whose tags are `wanted`.
    fn definitions_in(
        &self,
        unit: &Unit<'a>,
        wanted: impl Fn(DwTag) -> bool,
        found: &mut Found,
    ) -> Result<()> {
        self.for_each_type(unit, wanted, |entry, scope| {
            self.note_definition(unit, entry, scope, found)
        })
    }

    /// Calls `visit` with the types in one unit, outside of functions, whose tags are `wanted`, and
    /// with what each stands in.
    fn for_each_type(
        &self,
        unit: &Unit<'a>,
        wanted: impl Fn(DwTag) -> bool,
        mut visit: impl FnMut(&Entry<'a>, &str) -> Result<()>,
    ) -> Result<()> {
        let mut scopes = Scopes::new();
        let mut walk = Walk::new(self, unit)?;
        walk.next()?;
        // C has no types within types.
        let is_interesting = |tag| TagClass::of(tag).is_some() || is_namespace(tag);
        while let Some(entry) =
            walk.next_among(0, |tag, depth| is_interesting(tag) || (unit.compiler.c && depth == 1))?
        {
            let tag = entry.tag;
            scopes.leave(entry.depth);
            if !is_interesting(tag) {
                walk.skip_children()?;
                continue;
            }
            if wanted(tag) {
                visit(entry, scopes.current())?;
            }
            let enters = is_scope(tag) && entry.has_children && !unit.compiler.c;
            match enters || is_namespace(tag) {
                true => scopes.enter(self, entry),
                false => walk.skip_children()?,
            }
        }
        Ok(())
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

    /// Reads the type at `die` into `raw`.
    pub(super) fn read_type(&self, die: DieRef, raw: &mut RawType<'a>) -> Result<()> {
        let unit = self.unit(self.unit_of(die)?)?;
        let mut walk = Walk::at(self, unit, die)?;
        let Some(&entry) = walk.next()? else { return Ok(()) };
        raw.read(self, unit, &mut walk, &entry)
    }

    fn layout(&self, die: DieRef) -> Result<Layout<'a>> {
        let mut raw = RawType::default();
        self.read_type(die, &mut raw)?;
        let target = self.spelling(raw.target)?;
        let types = raw.parts.iter().map(|part| self.spelling(part.ty));
        let types = types.collect::<Result<_>>()?;
        Ok(Layout { raw, target, types })
    }

    /// Whether `raw` has all in common with `layout` that definitions of one type must have.
    /// `alike` are types of parts that are known to be.
    fn is_laid_out(
        &self,
        raw: &RawType<'a>,
        layout: &Layout<'a>,
        alike: &mut HashSet<(Option<DieRef>, Option<DieRef>)>,
    ) -> Result<bool> {
        let Layout { raw: first, target, types } = layout;
        if raw.size != first.size || raw.parts.len() != first.parts.len() {
            return Ok(false);
        }
        if !self.is_spelled(raw.target, first.target, target)? {
            return Ok(false);
        }
        for ((part, other), ty) in raw.parts.iter().zip(&first.parts).zip(types) {
            let is_same = (part.bit_offset, part.bits) == (other.bit_offset, other.bits)
                && part.value == other.value
                && is_same_name(part.name, other.name);
            if !is_same {
                return Ok(false);
            }
            let types = (part.ty, other.ty);
            if !alike.contains(&types) {
                if !self.is_spelled(part.ty, other.ty, ty)? {
                    return Ok(false);
                }
                alike.insert(types);
            }
        }
        Ok(true)
    }

    /// What C makes of the type at `die`.
    fn spelling(&self, die: Option<DieRef>) -> Result<Spelling<'a>> {
        let (mut spelling, mut at) = (Vec::new(), die);
        while spelling.len() < MAX_SPELLING {
            let Some(die) = at else { break };
            let (tag, name, ty, completes) = self.spelled(die)?;
            if !is_layer(tag) {
                // A name that is that of a declaration is not compared here: no tag is like null.
                let is_borrowed = name.is_missing() && completes;
                let tag = if is_borrowed { gimli::DW_TAG_null } else { tag };
                spelling.push((tag, name));
                break;
            }
            spelling.push((tag, RawName::default()));
            at = ty;
        }
        Ok(spelling)
    }

    /// Whether C spells the type at `die` as the one at `other`, whose spelling is `spelling`.
    fn is_spelled(
        &self,
        die: Option<DieRef>,
        other: Option<DieRef>,
        spelling: &Spelling<'a>,
    ) -> Result<bool> {
        if die == other || self.is_like(die, spelling)? {
            return Ok(true);
        }
        // What is made up differently may still be spelled alike.
        Ok(self.c_name(die)? == self.c_name(other)?)
    }

    /// Whether the type at `die` consists of the same as the one with the spelling `spelling`.
    fn is_like(&self, die: Option<DieRef>, spelling: &Spelling<'a>) -> Result<bool> {
        let mut at = die;
        for (place, (tag, name)) in spelling.iter().enumerate() {
            let Some(die) = at else { return Ok(false) };
            let (other_tag, other_name, ty, completes) = self.spelled(die)?;
            let is_end = !is_layer(*tag);
            if other_tag != *tag || (is_end && !is_same_name(other_name, *name)) {
                return Ok(false);
            }
            if is_end {
                return Ok(!name.is_missing() || !completes);
            }
            if place + 1 == MAX_SPELLING {
                return Ok(false);
            }
            at = ty;
        }
        Ok(at.is_none())
    }
}

/// Parts of a type that are compared one by one; hardly one has as many.
const MAX_SPELLING: usize = 16;

/// Whether a type with that tag puts something around another one where C spells it.
pub(super) fn is_layer(tag: DwTag) -> bool {
    matches!(
        tag,
        gimli::DW_TAG_pointer_type
            | gimli::DW_TAG_reference_type
            | gimli::DW_TAG_rvalue_reference_type
            | gimli::DW_TAG_array_type
            | gimli::DW_TAG_const_type
            | gimli::DW_TAG_volatile_type
            | gimli::DW_TAG_restrict_type
            | gimli::DW_TAG_atomic_type
    )
}

/// Whether two names are the same. Where the linker has merged strings they are at one place.
pub(super) fn is_same_name(one: RawName<'_>, other: RawName<'_>) -> bool {
    let is_same_place = one.address() == other.address() && !one.is_missing();
    is_same_place || one.bytes() == other.bytes()
}

/// What a type consists of, the outermost first: tags, and the name of what ends it.
type Spelling<'a> = Vec<(DwTag, RawName<'a>)>;

/// What two definitions of one type must have in common.
struct Layout<'a> {
    raw: RawType<'a>,
    /// What a typedef stands for.
    target: Spelling<'a>,
    /// The types of the parts.
    types: Vec<Spelling<'a>>,
}
