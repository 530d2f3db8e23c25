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
    /// By its type, but not nothing.
    size: u32,
    /// By its symbol, which knows what follows the elements that the type says.
    whole: u32,
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
    let mut counts =
        [(Rule::RemovedVariable, 0), (Rule::UnfitVariable, 0), (Rule::SharedVariable, 0)];
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
    let mut next = (usize::MAX, 0);
    for placed in placed.iter_mut().rev() {
        let room = if next.0 == placed.section { next.1 - placed.offset } else { u32::MAX };
        placed.size = placed.whole.min(room);
        next = (placed.section, placed.offset);
    }
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
        size: fit(size.max(1))?,
        whole: fit(whole)?,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::btf::IntEncoding;
    use crate::btf::check::check;
    use crate::debugfile::sections::Section;
    use crate::dwarf::DieRef;

    fn sections() -> Sections<'static> {
        let section = |name: &str, address, size| Section { name: name.into(), address, size };
        let data = section(".data", 0x1000, 64);
        let symbols = [(0x1008, &b"named"[..], 12)];
        Sections::with(vec![data, section(".bss", 0x1040, 16)], &symbols)
    }

    fn variable(name: &'static str, address: u64, linkage: Linkage) -> Variable<'static> {
        Variable {
            name: name.into(),
            symbol: name.as_bytes(),
            linkage,
            place: Place { thread_local: false, address },
            first: (DieRef::default(), 0),
            ty: TypeId(1),
        }
    }

    /// The names of the variables that are placed, with where and how large they are.
    fn placed(variables: Vec<Variable<'static>>) -> Vec<(String, String, u32, u32)> {
        let encoding = IntEncoding::default();
        let int = Type::Int { name: "int".into(), size: 4, encoding, bit_offset: 0, bits: 32 };
        let mut types = vec![int];
        let count = variables.len();
        let left_out: usize =
            place(&mut types, variables, &sections(), 8).iter().map(|(_, count)| count).sum();
        check(&types).unwrap();
        let mut found = Vec::new();
        for ty in &types {
            let Type::Datasec { name, vars, .. } = ty else { continue };
            found.extend(vars.iter().map(|(id, offset, size)| {
                let variable = types[id.0 as usize - 1].name().to_string();
                (name.to_string(), variable, *offset, *size)
            }));
        }
        assert_eq!(found.len() + left_out, count);
        found
    }

    #[test]
    fn each_is_in_its_section_in_order() {
        let global = Linkage::Global;
        let found = placed(vec![
            variable("zero", 0x1040, global),
            variable("second", 0x1014, global),
            variable("named", 0x1008, global),
            // Behind everything, and at what a linker puts for what it left out.
            variable("gone", 0x2000, global),
            variable("dead", 0, global),
            // It would end in the next section.
            variable("cut", 0x103e, global),
        ]);
        let is = |section: &str, name: &str, offset, size| {
            (section.to_owned(), name.to_owned(), offset, size)
        };
        assert_eq!(
            found,
            [is(".data", "named", 8, 12), is(".data", "second", 20, 4), is(".bss", "zero", 0, 4)]
        );
    }

    #[test]
    fn a_symbol_makes_a_variable_no_larger_than_there_is_room() {
        let found = placed(vec![
            variable("named", 0x1008, Linkage::Global),
            variable("next", 0x1010, Linkage::Global),
        ]);
        let sizes: Vec<_> = found.iter().map(|(.., size)| *size).collect();
        assert_eq!(sizes, [8, 4]);
    }

    #[test]
    fn of_those_at_one_place_the_one_that_others_see_stays() {
        let found = placed(vec![
            variable("local", 0x1020, Linkage::Static),
            variable("global", 0x1020, Linkage::Global),
            variable("within", 0x1022, Linkage::Global),
            variable("unnamed", 0x1008, Linkage::Global),
            variable("named", 0x1008, Linkage::Static),
        ]);
        let names: Vec<_> = found.iter().map(|(_, name, ..)| name.as_str()).collect();
        assert_eq!(names, ["named", "global"]);
    }
}
