// SPDX-License-Identifier: MIT OR Apache-2.0
//! Minimal BTF: what some types lead to, and nothing else.

use std::collections::{BTreeSet, HashSet};

use anyhow::{Result, bail};

use crate::btf::merge::essential;
use crate::btf::{Type, TypeId};
use crate::dwarf::MAX_CHAIN;
use crate::dwarf::definitions::TagClass;
use crate::nearest;
use crate::relocation::TypeName;

/// Id of the first type.
const FIRST: u32 = 1;

/// Keeps of `types` those that are called like one of `names`, and what they lead to; and variables
/// that are, or point to, one of those. A name may say what it is: `struct data`.
///
/// Fails if nothing is called like one of the names, and says what is called nearly so.
pub fn keep_named<'a>(types: Vec<Type<'a>>, names: &[String]) -> Result<Vec<Type<'a>>> {
    let roots = named(&types, names)?;
    Ok(keep(types, roots))
}

/// Keeps of `types` the functions called like one of `functions`, those that are called like one of
/// `names`, or all but functions and variables if there are no names; and what they lead to.
///
/// Fails as [`keep_named`] does.
pub fn keep_declared<'a>(
    types: Vec<Type<'a>>,
    names: &[String],
    functions: &[&str],
) -> Result<Vec<Type<'a>>> {
    let mut roots = named(&types, names)?;
    let is_wanted = |ty: &Type<'_>| match ty {
        Type::Func { name, .. } => functions.contains(&name.as_ref()),
        Type::Var { .. } | Type::Datasec { .. } | Type::DeclTag { .. } => false,
        _ => names.is_empty(),
    };
    roots.extend((0..types.len()).filter(|index| is_wanted(&types[*index])));
    Ok(keep(types, roots))
}

/// The places of those of `types` that are called like one of `names`.
fn named(types: &[Type<'_>], names: &[String]) -> Result<Vec<usize>> {
    let mut roots = Vec::new();
    for wanted in names {
        let (kind, name) = match wanted.trim().split_once(' ') {
            Some((kind @ ("struct" | "union" | "enum" | "class" | "typedef" | "var"), name)) => {
                (Some(kind), name.trim())
            }
            _ => (None, wanted.trim()),
        };
        let found = types.iter().enumerate().filter(|(_, ty)| {
            ty.name() == name
                && match kind {
                    Some("struct" | "class") => matches!(ty, Type::Struct(_)),
                    Some("union") => matches!(ty, Type::Union(_)),
                    Some("enum") => matches!(ty, Type::Enum { .. } | Type::Enum64 { .. }),
                    Some("var") => matches!(ty, Type::Var { .. }),
                    Some(_) => matches!(ty, Type::Typedef { .. }),
                    // What a section has is everything.
                    None => !name.is_empty() && !matches!(ty, Type::Datasec { .. }),
                }
        });
        let before = roots.len();
        roots.extend(found.map(|(index, _)| index));
        if roots.len() == before {
            let names = types.iter().map(|ty| ty.name().as_ref());
            bail!("there is no type {wanted:?}{}", nearest::hint(name, names));
        }
    }
    Ok(roots)
}

/// Keeps of `types` those that `wanted` names, as far as they are there, and what they lead to; and
/// variables that are, or point to, one of those. Gives also the names that are not there.
pub fn keep_wanted<'a, 'w>(
    types: Vec<Type<'a>>,
    wanted: &'w BTreeSet<TypeName>,
) -> (Vec<Type<'a>>, Vec<&'w str>) {
    let (mut roots, mut missing) = (Vec::new(), Vec::new());
    for (class, name) in wanted {
        let found = types.iter().enumerate().filter(|(_, ty)| {
            essential(ty.name()) == name
                && match class {
                    TagClass::Struct => matches!(ty, Type::Struct(_)),
                    TagClass::Union => matches!(ty, Type::Union(_)),
                    TagClass::Enum => matches!(ty, Type::Enum { .. } | Type::Enum64 { .. }),
                    TagClass::Typedef => matches!(ty, Type::Typedef { .. }),
                }
        });
        let before = roots.len();
        roots.extend(found.map(|(index, _)| index));
        if roots.len() == before {
            missing.push(name.as_str());
        }
    }
    (keep(types, roots), missing)
}

/// Keeps what `roots`, places in `types`, lead to, and variables of those.
fn keep(mut types: Vec<Type<'_>>, mut roots: Vec<usize>) -> Vec<Type<'_>> {
    let is_root: HashSet<usize> = roots.iter().copied().collect();
    let variables = types.iter().enumerate().filter(|(_, ty)| matches!(ty, Type::Var { .. }));
    let wanted = variables.filter(|(index, _)| leads_to(&types, *index, &is_root));
    roots.extend(wanted.map(|(index, _)| index).collect::<Vec<_>>());
    keep_places(&mut types, &mut roots);
    let mut kept = vec![false; types.len()];
    let mut stack = roots;
    while let Some(index) = stack.pop() {
        if !std::mem::replace(&mut kept[index], true) {
            types[index].for_each_ref(|id| stack.extend(index_of(id)));
        }
    }
    let mut ids = vec![TypeId::VOID; types.len()];
    let places = kept.iter().enumerate().filter(|(_, kept)| **kept);
    for (id, (index, _)) in (FIRST..).zip(places) {
        ids[index] = TypeId(id);
    }
    let kept = types.into_iter().enumerate().filter(|(index, _)| kept[*index]);
    let renumbered = kept.map(|(_, mut ty)| {
        ty.for_each_ref_mut(|id| *id = index_of(*id).map_or(TypeId::VOID, |index| ids[index]));
        ty
    });
    renumbered.collect()
}

/// Leaves to each section those of its variables that are at the places `kept`, and adds to those
/// what has some left.
fn keep_places(types: &mut [Type<'_>], kept: &mut Vec<usize>) {
    let is_kept: HashSet<usize> = kept.iter().copied().collect();
    for (index, ty) in types.iter_mut().enumerate() {
        let Type::Datasec { vars, .. } = ty else { continue };
        vars.retain(|(id, ..)| index_of(*id).is_some_and(|index| is_kept.contains(&index)));
        if !vars.is_empty() {
            kept.push(index);
        }
    }
}

/// Whether the variable at the place `index` is one of the types at the places `wanted`, or points to
/// one, or consists of such.
fn leads_to(types: &[Type<'_>], index: usize, wanted: &HashSet<usize>) -> bool {
    let mut at = index;
    // Only a damaged chain is longer.
    for _ in 0..MAX_CHAIN {
        let next = match &types[at] {
            Type::Var { target, .. } | Type::Ptr(target) => Some(*target),
            Type::Array { element, .. } => Some(*element),
            ty => ty.modified(),
        };
        match next.and_then(index_of) {
            Some(next) if wanted.contains(&next) => return true,
            Some(next) => at = next,
            None => return false,
        }
    }
    false
}

fn index_of(id: TypeId) -> Option<usize> {
    id.0.checked_sub(FIRST).map(|index| index as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::btf::{Composite, Linkage, Member};

    fn types() -> Vec<Type<'static>> {
        let member =
            |ty| Member { name: "m".into(), ty: TypeId(ty), bit_offset: 0, bitfield_size: 0 };
        let composite = |name: &'static str, to: u32| {
            Type::Struct(Composite { name: name.into(), size: 8, members: vec![member(to)] })
        };
        vec![composite("other", 2), Type::Ptr(TypeId(3)), composite("data", 2)]
    }

    #[test]
    fn what_a_type_leads_to_is_kept_under_new_ids() {
        let kept = keep_named(types(), &["struct data".to_owned()]).unwrap();
        assert_eq!(kept.len(), 2);
        assert_eq!(kept[0], Type::Ptr(TypeId(2)));
        assert_eq!(kept[1].name(), "data");
    }

    #[test]
    fn variables_of_what_is_kept_are_kept() {
        let mut types = types();
        let var = |name: &'static str, target: u32| Type::Var {
            name: name.into(),
            target: TypeId(target),
            linkage: Linkage::Static,
        };
        types.extend([var("one", 2), var("other", 1), var("three", 3)]);
        let vars = vec![(TypeId(4), 0, 8), (TypeId(5), 8, 8), (TypeId(6), 16, 8)];
        types.push(Type::Datasec { name: ".data".into(), size: 64, vars });
        types.push(Type::Datasec { name: ".bss".into(), size: 8, vars: vec![] });
        let kept = keep_named(types.clone(), &["struct data".to_owned()]).unwrap();
        assert_eq!(
            kept.iter().map(|ty| ty.name().as_ref()).collect::<Vec<_>>()[2..],
            ["one", "three", ".data"]
        );
        let vars = vec![(TypeId(3), 0, 8), (TypeId(4), 16, 8)];
        assert_eq!(kept[4], Type::Datasec { name: ".data".into(), size: 64, vars });
        let kept = keep_named(types, &["var other".to_owned()]).unwrap();
        assert_eq!(kept.iter().filter(|ty| matches!(ty, Type::Var { .. })).count(), 1);
    }

    #[test]
    fn a_name_that_is_not_there_is_an_error_that_names_the_nearest() {
        let error = keep_named(types(), &["dada".to_owned()]).unwrap_err().to_string();
        assert_eq!(error, "there is no type \"dada\"; the nearest name is 'data'");
        assert!(keep_named(types(), &["union data".to_owned()]).is_err());
    }

    #[test]
    fn what_a_program_names_is_kept_as_far_as_it_is_there() {
        let wanted = [(TagClass::Struct, "data".to_owned()), (TagClass::Struct, "file".to_owned())];
        let wanted = BTreeSet::from(wanted);
        let (kept, missing) = keep_wanted(types(), &wanted);
        assert_eq!((kept.len(), missing), (2, vec!["file"]));
    }
}
