// SPDX-License-Identifier: MIT OR Apache-2.0
//! What CO-RE relocations of an extension are resolved against: those types that it names, of the
//! kernel and of the applications.
//!
//! ```text
//! debug information ──of_application──▶ BTF ──┐
//! BTF of an application ──────────────────────┼──of_btf──▶ Defined … ──combine──▶ BTF
//! BTF of the kernel ──────────────────────────┘
//! ```

use std::collections::{BTreeMap, BTreeSet, HashSet};

use anyhow::{Context as _, Result};

use crate::btf::decode::{Btf, Index};
use crate::btf::encode::Encoded;
use crate::btf::extract::Extract;
use crate::btf::merge::{self, CONTEXTS, essential};
use crate::btf::view::View;
use crate::btf::{Type, TypeId, kind};
use crate::dwarf::definitions::TagClass;
use crate::dwarf::types::TypeReader;
use crate::dwarf::{DebugInfo, DieRef, UnitIndex};

/// A type that an extension names, without its flavour.
pub type TypeName = (TagClass, String);

/// How many names are given that come near one that is not there.
const NEAREST: usize = 3;

/// The types that the extension with the BTF `program` names and could have relocations for: all
/// structs, unions and enums, and typedefs of those. The context of a probe is not among them.
pub fn named_types(program: &Btf<'_>) -> Result<BTreeSet<TypeName>> {
    let types = program.types().collect::<Result<Vec<_>>>().context("bad BTF in the object")?;
    let types: Vec<Type<'_>> = types.into_iter().map(|(_, ty)| ty).collect();
    let mut names = BTreeSet::new();
    for ty in &types {
        let Some(class) = class_of(ty.kind()) else { continue };
        let is_wanted = match ty {
            Type::Typedef { target, .. } => is_aggregate(View::new(&types, 1), *target),
            _ => true,
        };
        let name = essential(ty.name());
        if is_wanted && !name.is_empty() && !is_context(name) {
            names.insert((class, name.to_owned()));
        }
    }
    Ok(names)
}

/// The class of types with the kind `BTF_KIND_*`, if relocations go by the names of those.
pub fn class_of(kind: u32) -> Option<TagClass> {
    match kind {
        kind::STRUCT => Some(TagClass::Struct),
        kind::UNION => Some(TagClass::Union),
        kind::ENUM | kind::ENUM64 => Some(TagClass::Enum),
        kind::TYPEDEF => Some(TagClass::Typedef),
        _ => None,
    }
}

/// Whether `name` is that of a probe's context, which is the kernel's, whatever the application
/// calls its own types.
pub fn is_context(name: &str) -> bool {
    CONTEXTS.contains(&name)
}

/// Whether `id` is a struct, union or enum, through typedefs and qualifiers.
fn is_aggregate(types: View<'_, '_>, id: TypeId) -> bool {
    const AGGREGATES: [u32; 4] = [kind::STRUCT, kind::UNION, kind::ENUM, kind::ENUM64];
    types.get(types.bare(id)).is_some_and(|ty| AGGREGATES.contains(&ty.kind()))
}

/// What one BTF has of the types that an extension names.
#[derive(Debug)]
pub struct Defined<'a> {
    types: Index<'a>,
    /// The types that each name stands for.
    ids: BTreeMap<TypeName, Vec<TypeId>>,
}

/// What an application has of the types that an extension names.
#[derive(Debug)]
pub struct Application {
    /// Those types, each name once.
    pub btf: Vec<u8>,
    /// Names for which one of several definitions was chosen.
    pub choices: Vec<Choice>,
}

/// One of several definitions of a name, and why it was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The name.
    pub name: TypeName,
    /// How many definitions there are that are not the same.
    pub variants: usize,
    /// Where the chosen one is.
    pub source: Option<String>,
    /// Why it was chosen.
    pub reason: Reason,
}

/// Why one of several definitions was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The file that has the probed function has it.
    Function,
    /// More files have it than any other one, or as many, and it comes first.
    Common {
        /// How many have it.
        files: usize,
        /// How many have any.
        of: usize,
    },
    /// It is the last in the BTF: what was added to a base is behind it.
    Last,
}

/// What the debug information `debug` defines of the `wanted` types. Where files define a name
/// differently, the file that has the probed `function` decides, or else the majority.
pub fn of_application(
    debug: &DebugInfo<'_>,
    wanted: &BTreeSet<TypeName>,
    function: Option<&str>,
) -> Result<Application> {
    const FIRST: u32 = 1;
    let mut reader = TypeReader::new(debug, FIRST, None);
    let (mut roots, mut choices) = (Vec::new(), Vec::new());
    let mut units = None;
    for name in wanted {
        let variants = debug.find_variants(name.0, &name.1)?;
        let Some(common) = variants.first() else { continue };
        let place = match variants.len() {
            1 => common[0],
            _ => {
                let units = match &units {
                    Some(units) => units,
                    None => units.insert(units_with(debug, function)?),
                };
                let (place, reason) = choose(debug, &variants, units)?;
                choices.push(Choice {
                    name: name.clone(),
                    variants: variants.len(),
                    source: debug.source_of(place)?.map(|source| source.short()),
                    reason,
                });
                place
            }
        };
        roots.push(reader.id(Some(place))?);
    }
    let types = reader.finish()?;
    let mut extract = Extract::new(FIRST);
    extract.add(&View::new(&types, FIRST), &roots)?;
    let btf = Encoded::new(&extract.finish(), 0)?.to_bytes()?;
    Ok(Application { btf, choices })
}

/// The units that have a function of that name.
fn units_with(debug: &DebugInfo<'_>, function: Option<&str>) -> Result<HashSet<UnitIndex>> {
    let Some(function) = function else { return Ok(HashSet::new()) };
    let found = debug.functions_among(|candidate| candidate.is_called(function))?;
    Ok(found.iter().map(|function| function.declared.0).collect())
}

/// The definition that is meant, of `variants` of which each has several.
fn choose(
    debug: &DebugInfo<'_>,
    variants: &[Vec<DieRef>],
    units: &HashSet<UnitIndex>,
) -> Result<(DieRef, Reason)> {
    for &place in variants.iter().flatten() {
        if units.contains(&debug.unit_of(place)?) {
            return Ok((place, Reason::Function));
        }
    }
    let of = variants.iter().map(Vec::len).sum();
    // Neither the list nor what is in it is empty.
    let common = &variants[0];
    Ok((common[0], Reason::Common { files: common.len(), of }))
}

/// What `btf` has of the `wanted` types.
pub fn of_btf<'a>(btf: &Btf<'a>, wanted: &BTreeSet<TypeName>) -> Result<Defined<'a>> {
    let index = btf.index()?;
    let names: HashSet<&str> = wanted.iter().map(|(_, name)| name.as_str()).collect();
    let found = index.find(|kind, name| {
        let name = std::str::from_utf8(name).map(essential);
        class_of(kind).is_some() && name.is_ok_and(|name| names.contains(name))
    })?;
    let mut ids = BTreeMap::<TypeName, Vec<TypeId>>::new();
    for id in found {
        let ty = index.get(id)?;
        let Some(class) = class_of(ty.kind()) else { continue };
        let name = (class, essential(ty.name()).to_owned());
        if wanted.contains(&name) {
            ids.entry(name).or_default().push(id);
        }
    }
    Ok(Defined { types: index, ids })
}

impl<'a> Defined<'a> {
    /// Whether it has a type of that name.
    pub fn has(&self, name: &TypeName) -> bool {
        self.ids.contains_key(name)
    }

    /// Leaves of each name the last type: what was added to a base is behind it.
    pub fn keep_last(&mut self) -> Vec<Choice> {
        let several = self.ids.iter_mut().filter(|(_, ids)| ids.len() > 1);
        let choices = several.map(|(name, ids)| {
            let variants = ids.len();
            ids.drain(..variants - 1);
            Choice { name: name.clone(), variants, source: None, reason: Reason::Last }
        });
        choices.collect()
    }

    fn extract(&self, name: &TypeName, into: &mut Extract<'a>) -> Result<()> {
        into.add(&self.types, self.ids.get(name).map(Vec::as_slice).unwrap_or_default())
    }
}

/// BTF in which each name has one meaning.
#[derive(Debug)]
pub struct Combined {
    /// It stands alone.
    pub bytes: Vec<u8>,
    /// Whose type each name means, by place in the list of what was combined.
    pub taken: BTreeMap<TypeName, usize>,
    /// Who else has a type of that name.
    pub hidden: BTreeMap<TypeName, Vec<usize>>,
    /// Names that nobody has.
    pub missing: BTreeSet<TypeName>,
}

/// Takes each of the `wanted` types from the first of `all` that has it, and leaves out all others.
///
/// With `kernel`, the place of the kernel in that list and its BTF, all of the kernel's types are
/// there, and have the ids by which the kernel knows them.
pub fn combine(
    all: &[&Defined<'_>],
    wanted: &BTreeSet<TypeName>,
    kernel: Option<(usize, &Btf<'_>)>,
) -> Result<Combined> {
    let first = match kernel {
        Some((_, btf)) => btf.end()?,
        None => 1,
    };
    let mut extract = Extract::new(first);
    let (mut taken, mut hidden) = (BTreeMap::new(), BTreeMap::new());
    let mut missing = BTreeSet::new();
    for name in wanted {
        let mut having = all.iter().enumerate().filter(|(_, defined)| defined.has(name));
        let Some((place, defined)) = having.next() else {
            missing.insert(name.clone());
            continue;
        };
        if kernel.is_none_or(|(kernel, _)| kernel != place) {
            defined.extract(name, &mut extract)?;
        }
        taken.insert(name.clone(), place);
        let others: Vec<_> = having.map(|(place, _)| place).collect();
        if !others.is_empty() {
            hidden.insert(name.clone(), others);
        }
    }
    let types = extract.finish();
    let bytes = match kernel {
        None => Encoded::new(&types, 0)?.to_bytes()?,
        Some((kernel, btf)) => merge::append(btf, types, |kind, name| {
            let name = class_of(kind).map(|class| (class, name.to_owned()));
            name.and_then(|name| taken.get(&name)).is_some_and(|&place| place != kernel)
        })?,
    };
    Ok(Combined { bytes, taken, hidden, missing })
}

/// The names of all types that an application has.
pub fn all_names(debug: &DebugInfo<'_>) -> Result<BTreeSet<TypeName>> {
    let mut names = BTreeSet::new();
    for class in [TagClass::Struct, TagClass::Union, TagClass::Enum, TagClass::Typedef] {
        names.extend(debug.type_names(class)?.into_iter().map(|name| (class, name)));
    }
    Ok(names)
}

/// The names of all types in `btf`.
pub fn all_names_in(btf: &Btf<'_>) -> Result<BTreeSet<TypeName>> {
    let mut names = BTreeSet::new();
    for item in btf.types() {
        let (_, ty) = item?;
        if let Some(class) = class_of(ty.kind()).filter(|_| !ty.name().is_empty()) {
            names.insert((class, essential(ty.name()).to_owned()));
        }
    }
    Ok(names)
}

/// Those of `names` that `wanted` may be a misspelling of, the most likely one first.
pub fn nearest<'n>(names: &'n BTreeSet<TypeName>, wanted: &TypeName) -> Vec<&'n TypeName> {
    let rated = names.iter().map(|name| (distance(&name.1, &wanted.1), name.0 != wanted.0, name));
    // Of a short name hardly a letter may be wrong.
    let most = (wanted.1.chars().count() / 3).max(1);
    let mut near: Vec<_> = rated.filter(|(distance, ..)| *distance <= most).collect();
    near.sort_unstable();
    near.into_iter().take(NEAREST).map(|(.., name)| name).collect()
}

/// How many letters have to be changed, added, left out or swapped to make one name of the other.
pub fn distance(one: &str, other: &str) -> usize {
    strsim::osa_distance(one, other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::btf::{Composite, Member};

    fn structure(name: &'static str, size: u32) -> Type<'static> {
        Type::Struct(Composite { name: name.into(), size, members: Vec::new() })
    }

    fn encode(types: &[Type<'_>]) -> Vec<u8> {
        Encoded::new(types, 0).unwrap().to_bytes().unwrap()
    }

    fn decode(bytes: &[u8]) -> Vec<Type<'_>> {
        Btf::parse(bytes).unwrap().types().map(|item| item.unwrap().1).collect()
    }

    fn names(names: &[&str]) -> BTreeSet<TypeName> {
        names.iter().map(|name| (TagClass::Struct, (*name).to_owned())).collect()
    }

    #[test]
    fn names_of_relocatable_types_are_found() {
        let types = [
            structure("data___v2", 4),
            structure("pt_regs", 4),
            Type::Typedef { name: "robj".into(), target: TypeId(4) },
            structure("", 4),
            Type::Typedef { name: "u32".into(), target: TypeId(0) },
            Type::Typedef { name: "endless".into(), target: TypeId(6) },
        ];
        let names = named_types(&Btf::parse(&encode(&types)).unwrap()).unwrap();
        let expected =
            [(TagClass::Struct, "data".to_owned()), (TagClass::Typedef, "robj".to_owned())];
        assert_eq!(names, BTreeSet::from(expected));
    }

    #[test]
    fn each_name_means_the_first_that_has_it() {
        let kernel = encode(&[structure("file", 1), structure("pt_regs", 2), structure("page", 3)]);
        let host = encode(&[structure("file", 4), structure("file", 5), structure("conn", 6)]);
        let (kernel, host) = (Btf::parse(&kernel).unwrap(), Btf::parse(&host).unwrap());
        let wanted = names(&["file", "pt_regs", "conn", "nowhere"]);
        let (of_kernel, mut of_host) =
            (of_btf(&kernel, &wanted).unwrap(), of_btf(&host, &wanted).unwrap());
        let choices = of_host.keep_last();
        assert_eq!(choices.len(), 1);
        assert_eq!((choices[0].variants, choices[0].reason), (2, Reason::Last));
        let combined = combine(&[&of_host, &of_kernel], &wanted, None).unwrap();
        let expected = [structure("conn", 6), structure("file", 5), structure("pt_regs", 2)];
        assert_eq!(decode(&combined.bytes), expected);
        let file = (TagClass::Struct, "file".to_owned());
        assert_eq!((combined.taken[&file], &combined.hidden[&file]), (0, &vec![1]));
        assert_eq!(combined.missing, names(&["nowhere"]));
        let combined = combine(&[&of_kernel, &of_host], &wanted, None).unwrap();
        assert!(decode(&combined.bytes).contains(&structure("file", 1)));
        // With all of the kernel's types, where the kernel has them.
        let combined = combine(&[&of_host, &of_kernel], &wanted, Some((1, &kernel))).unwrap();
        let expected = [
            structure("", 1),
            structure("pt_regs", 2),
            structure("page", 3),
            structure("conn", 6),
            structure("file", 5),
        ];
        assert_eq!(decode(&combined.bytes), expected);
    }

    #[test]
    fn what_a_type_consists_of_comes_with_it() {
        let member = |name: &'static str, ty| Member {
            name: name.into(),
            ty: TypeId(ty),
            bit_offset: 0,
            bitfield_size: 0,
        };
        let conn = Composite { name: "conn".into(), size: 8, members: vec![member("in", 2)] };
        let types = [Type::Struct(conn), structure("inner", 8), structure("other", 8)];
        let bytes = encode(&types);
        let wanted = names(&["conn"]);
        let defined = of_btf(&Btf::parse(&bytes).unwrap(), &wanted).unwrap();
        let combined = combine(&[&defined], &wanted, None).unwrap();
        assert_eq!(decode(&combined.bytes), types[..2]);
    }

    #[test]
    fn misspelt_names_are_found_by_what_they_should_be() {
        let all = names(&["connection", "conection_pool", "config", "page"]);
        let nearest = |name: &str| {
            let found = nearest(&all, &(TagClass::Struct, name.to_owned()));
            found.into_iter().map(|(_, name)| name.as_str()).collect::<Vec<_>>()
        };
        assert_eq!(nearest("conecction"), ["connection"]);
        assert_eq!(nearest("pgae"), ["page"]);
        assert!(nearest("x").is_empty());
    }
}
