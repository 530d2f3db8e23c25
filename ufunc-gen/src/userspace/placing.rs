// SPDX-License-Identifier: MIT OR Apache-2.0
//! Variables as BTF: a VAR each, and a DATASEC for each section that says where they are in it.
//!
//! The kernel wants a DATASEC's variables in order, without any overlap, all of them within the
//! section, and none without a size. So of those at one place one is left: the one that the symbol
//! there is called like, else the one that is visible to other files, else the first.

use super::store::First;
use crate::btf::check::sizes;
use crate::btf::{Linkage, MAX_VLEN, Name, Type, TypeId};
use crate::debugfile::sections::Sections;
use crate::dwarf::raw::Rule;
use crate::dwarf::variables::Place;
use crate::ident::section_name;

/// Linkers put up to this address in place of that of what they leave out. Nothing but a kernel has
/// variables there.
const LAST_DEAD: u64 = 1;

/// A variable on its way into BTF.
pub(super) struct Variable<'s> {
    pub(super) name: Name<'s>,
    /// What its symbol may be called: by its linkage name, or by its own.
    pub(super) symbol: &'s [u8],
    pub(super) linkage: Linkage,
    pub(super) place: Place,
    /// Where it was found first.
    pub(super) first: First,
    pub(super) ty: TypeId,
}

/// Where a variable is in its section.
struct Placed<'s> {
    variable: Variable<'s>,
    section: usize,
    offset: u32,
    size: u32,
    /// Whether a symbol says so too.
    has_symbol: bool,
}

/// Adds `variables` to `types`, the first of which has the id 1, and what sections they are in.
/// Pointers have `pointer` bytes. Gives what was left out, and how much of it.
pub(super) fn place<'s>(
    types: &mut Vec<Type<'s>>,
    variables: Vec<Variable<'s>>,
    sections: &Sections<'_>,
    pointer: u64,
) -> Vec<(Rule, usize)> {
    let mut counts = [(Rule::RemovedVariable, 0), (Rule::UnfitVariable, 0), (Rule::SharedVariable, 0)];
    let sizes = sizes(types, pointer);
    let mut placed = Vec::with_capacity(variables.len());
    for variable in variables {
        let size = sizes.get((variable.ty.0 as usize).wrapping_sub(1)).copied().flatten();
        match locate(variable, size, sections) {
            Ok(found) => placed.push(found),
            Err(Rule::RemovedVariable) => counts[0].1 += 1,
            Err(_) => counts[1].1 += 1,
        }
    }
    placed.sort_by(|a, b| {
        let key = |placed: &Placed<'_>| (placed.section, placed.offset);
        let rank = |placed: &Placed<'_>| {
            let is_local = placed.variable.linkage != Linkage::Global;
            (!placed.has_symbol, is_local, placed.variable.first)
        };
        key(a).cmp(&key(b)).then_with(|| rank(a).cmp(&rank(b)))
    });
    // Several units may say of one variable what it is, in different words.
    placed.dedup_by(|later, first| {
        (later.section, later.offset) == (first.section, first.offset)
            && later.variable.name == first.variable.name
    });
    let before = placed.len();
    let mut end = (0, 0);
    placed.retain(|placed| {
        let is_free = (placed.section, placed.offset) >= end;
        if is_free {
            end = (placed.section, placed.offset + placed.size);
        }
        is_free
    });
    counts[2].1 = before - placed.len();
    write(types, placed, sections);
    counts.into_iter().filter(|(_, count)| *count > 0).collect()
}

/// Where `variable`, whose type has `size` bytes, is. Fails with what it is left out for.
fn locate<'s>(
    variable: Variable<'s>,
    size: Option<u64>,
    sections: &Sections<'_>,
) -> Result<Placed<'s>, Rule> {
    let Place { thread_local, address } = variable.place;
    let spot = sections.locate(thread_local, address).ok_or(Rule::RemovedVariable)?;
    let section = sections.get(spot.section).ok_or(Rule::RemovedVariable)?;
    let symbols = sections.symbols_at(thread_local, spot.address);
    let symbol = symbols.and_then(|symbols| symbols.size_of(variable.symbol));
    if symbol.is_none() && !thread_local && address <= LAST_DEAD {
        return Err(Rule::RemovedVariable);
    }
    let size = size.ok_or(Rule::UnfitVariable)?;
    // What follows the elements that a type says: `struct { int count; int values[]; }`.
    let whole = symbol.unwrap_or(0).max(size).min(section.size - spot.offset);
    if whole == 0 || whole < size {
        return Err(Rule::UnfitVariable);
    }
    // A section that is larger than BTF can say has no DATASEC.
    let fit = |number: u64| u32::try_from(number).map_err(|_| Rule::UnfitVariable);
    fit(section.size)?;
    Ok(Placed {
        variable,
        section: spot.section,
        offset: fit(spot.offset)?,
        size: fit(whole)?,
        has_symbol: symbol.is_some(),
    })
}

/// Adds `placed`, which is in order, to `types`.
fn write<'s>(types: &mut Vec<Type<'s>>, placed: Vec<Placed<'s>>, sections: &Sections<'_>) {
    let mut datasecs = Vec::<(usize, Vec<(TypeId, u32, u32)>)>::new();
    for Placed { variable, section, offset, size, .. } in placed {
        let Variable { name, linkage, ty: target, .. } = variable;
        types.push(Type::Var { name, target, linkage });
        let entry = (TypeId(types.len() as u32), offset, size);
        match datasecs.last_mut() {
            // More than a DATASEC can have are in several.
            Some((last, vars)) if *last == section && vars.len() < MAX_VLEN => vars.push(entry),
            _ => datasecs.push((section, vec![entry])),
        }
    }
    for (number, vars) in datasecs {
        let Some(section) = sections.get(number) else { continue };
        let name = section_name(&section.name);
        types.push(Type::Datasec { name: name.into(), size: section.size as u32, vars });
    }
}
