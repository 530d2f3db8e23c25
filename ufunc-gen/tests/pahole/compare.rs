// SPDX-License-Identifier: MIT OR Apache-2.0
//! Comparing what the command wrote with the debug information, and with what pahole wrote.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use super::catalog::{Catalog, Shape, Sort, is_as_expected, member_is_as_expected};
use super::dwarf::{Expected, Gap, Gaps};
use super::entries::Info;

/// What a comparison found.
#[derive(Debug, Default)]
pub struct Tally {
    /// Named types and functions that both have, alike in everything but what `gaps` counts.
    pub types: usize,
    /// Members, values and parameters that are the same in both.
    pub members: usize,
    /// Differences that are pahole's, by what in the debug information they come from.
    pub gaps: BTreeMap<Gap, usize>,
    /// Differences that nothing accounts for.
    pub unexplained: Vec<String>,
}

impl Tally {
    fn excuse(&mut self, gap: Gap) {
        *self.gaps.entry(gap).or_default() += 1;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} types and functions, {} members the same", self.types, self.members)?;
        for (gap, count) in &self.gaps {
            write!(f, "; {gap:?} {count}")?;
        }
        write!(f, "; unexplained {}", self.unexplained.len())
    }
}

/// Where the BTF of the command says something else than the debug information.
pub fn against_dwarf(ours: &Catalog, expected: &[Expected], info: &Info) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut known: BTreeMap<(Sort, &str), BTreeSet<&Shape>> = BTreeMap::new();
    for one in expected {
        known.entry((one.sort, &one.name)).or_default().insert(&one.shape);
        if !ours.get(one.sort, &one.name).any(|shape| is_as_expected(&one.shape, shape)) {
            let nearest = nearest(&one.shape, ours.get(one.sort, &one.name));
            wrong.push(format!("{} {}", title(one), difference(&one.shape, nearest)));
        }
    }
    for ((sort, name), shapes) in &ours.entries {
        let known = known.get(&(*sort, name.as_str()));
        for shape in shapes {
            let is_known =
                |known: &BTreeSet<&Shape>| known.iter().any(|known| is_as_expected(known, shape));
            if !known.is_some_and(is_known)
                && !is_index_type(*sort, name)
                && !stands_in(shape, name, info)
            {
                wrong.push(format!(
                    "{}{name}: is not in the debug information: {shape:?}",
                    sort.keyword()
                ));
            }
        }
    }
    wrong.sort();
    wrong.dedup();
    wrong
}

/// The integer that BTF wants arrays to be indexed by, which debug information does not speak of.
fn is_index_type(sort: Sort, name: &str) -> bool {
    sort == Sort::Int && name == "__ARRAY_SIZE_TYPE__"
}

/// Whether `shape` is what the command puts in the place of something that the kernel would refuse,
/// or that is declared only: bytes, an integer, or an enum without values, by the name of that.
fn stands_in(shape: &Shape, name: &str, info: &Info) -> bool {
    let is_plain = match shape {
        Shape::Composite { members, .. } => members.is_empty(),
        // One that is only declared: BTF has no other way to name it.
        Shape::Enum { values, .. } => values.is_empty(),
        shape => matches!(shape, Shape::Base { .. }),
    };
    // One that is not aligned is called after what it is instead of.
    let name = name.strip_prefix("unaligned_").unwrap_or(name);
    let is_made = ["long long", "long long unsigned int"].contains(&name);
    is_plain && (info.has_type(name) || is_made)
}

/// Where the BTF of the command, in `ours`, and pahole's differ, with types called by their own
/// names alone. `expected` tells what the debug information has to do with it.
pub fn beside_pahole(
    ours: &Catalog,
    pahole: &Catalog,
    expected: &[Expected],
    info: &Info,
) -> Tally {
    let mut tally = Tally::default();
    let mut by_name: HashMap<(Sort, &str), Vec<&Expected>> = HashMap::new();
    for one in expected {
        by_name.entry((one.sort, &one.bare)).or_default().push(one);
    }
    // What pahole has in whatever form need not be looked for once more.
    let mut met: BTreeSet<(Sort, &str)> = BTreeSet::new();
    for ((sort, name), shapes) in &pahole.entries {
        let candidates =
            by_name.get(&(*sort, name.as_str())).map(Vec::as_slice).unwrap_or_default();
        for shape in shapes {
            if ours.get(*sort, name).any(|own| own == shape) {
                tally.types += 1;
                tally.members += shape.len();
                met.insert((*sort, name));
            } else if let Some(one) =
                candidates.iter().min_by_key(|one| distance(&one.shape, shape))
            {
                met.insert((*sort, name));
                explain(one, shape, ours, &mut tally);
            } else {
                explain_extra(*sort, name, shape, expected, info, &mut tally);
            }
        }
    }
    for (key, all) in &by_name {
        if !met.contains(key) {
            let gaps: Gaps = all.iter().flat_map(|one| &one.gaps).copied().collect();
            match gap_of_missing(key.0, &gaps) {
                Some(gap) => tally.excuse(gap),
                None => {
                    let one = all[0];
                    tally.unexplained.push(format!("{}: pahole does not have it", title(one)));
                }
            }
        }
    }
    tally.unexplained.sort();
    tally.unexplained.dedup();
    tally
}

/// Compares one type, whose debug information is known, with what pahole made of it.
fn explain(one: &Expected, found: &Shape, ours: &Catalog, tally: &mut Tally) {
    if !ours.get(one.sort, &one.bare).any(|own| is_as_expected(&one.shape, own)) {
        // The command's own is wrong: the comparison with the debug information says so.
        tally.unexplained.push(format!("{}: only pahole has it: {found:?}", title(one)));
        return;
    }
    let differing = differing_parts(&one.shape, found);
    tally.types += 1;
    tally.members += one.shape.len().saturating_sub(differing.len());
    let whole = whole_gap(one, found);
    for part in differing {
        let gaps = one.part_gaps.get(part).into_iter().flatten().copied();
        match gaps.min().or(whole) {
            Some(gap) => tally.excuse(gap),
            None => tally.unexplained.push(format!(
                "{} {}",
                title(one),
                difference(&one.shape, Some(found))
            )),
        }
    }
    if !frames_agree(&one.shape, found) {
        match whole.or_else(|| one.part_gaps.iter().flatten().copied().min()) {
            Some(gap) => tally.excuse(gap),
            None => tally.unexplained.push(format!(
                "{} {}",
                title(one),
                difference(&one.shape, Some(found))
            )),
        }
    }
}

/// What about the whole type accounts for differences anywhere in it.
fn whole_gap(one: &Expected, found: &Shape) -> Option<Gap> {
    let excuses = [
        Gap::Variants,
        Gap::BaseClass,
        Gap::StaticMember,
        Gap::OddBase,
        Gap::Encoding,
        Gap::EnumValue,
        Gap::Optimized,
        Gap::SameName,
    ];
    if let (Shape::Func { ret, params, .. }, Shape::Func { ret: their_ret, params: theirs, .. }) =
        (&one.shape, found)
        && ret == their_ret
        && params == theirs
    {
        return Some(Gap::Linkage);
    }
    excuses.into_iter().find(|gap| one.gaps.contains(gap))
}

/// What pahole has and the debug information does not define.
fn explain_extra(
    sort: Sort,
    name: &str,
    shape: &Shape,
    expected: &[Expected],
    info: &Info,
    tally: &mut Tally,
) {
    let same_name = || expected.iter().filter(|one| one.bare == name);
    let gap = match (sort, shape) {
        // Declared and called, or inlined everywhere.
        (Sort::Func, _) if info.functions(name) != (0, 0) => Some(Gap::NoCode),
        (Sort::Enum, Shape::Enum { values, .. }) if values.is_empty() && info.has_type(name) => {
            Some(Gap::DeclaredEnum)
        }
        // What arrays are indexed by, and what stands for integers that pahole does not understand.
        (Sort::Int, _) if ["int", "__SANITIZED_FAKE_INT__"].contains(&name) => Some(Gap::Added),
        // What clang needs for itself.
        (Sort::Int, _) if is_index_type(sort, name) || name.starts_with("DW_ATE_") => {
            Some(Gap::Added)
        }
        // The other keyword, or an integer for what is none.
        _ => same_name()
            .flat_map(|one| &one.gaps)
            .copied()
            .find(|gap| [Gap::Variants, Gap::OddBase, Gap::Float, Gap::Encoding].contains(gap)),
    };
    match gap {
        Some(gap) => tally.excuse(gap),
        None => tally
            .unexplained
            .push(format!("{}{name}: only pahole has it: {shape:?}", sort.keyword())),
    }
}

/// Why pahole has nothing by the name of something that has `gaps`.
fn gap_of_missing(sort: Sort, gaps: &Gaps) -> Option<Gap> {
    let excuses: &[Gap] = match sort {
        Sort::Func => &[
            Gap::Mangled,
            Gap::Scope,
            Gap::NoSymbol,
            Gap::Optimized,
            Gap::SameName,
            Gap::Convention,
        ],
        Sort::Float => &[Gap::Float],
        _ => &[Gap::Local, Gap::Scope, Gap::OddBase, Gap::Variants],
    };
    excuses.iter().copied().find(|gap| gaps.contains(gap))
}

/// Which parts of `expected` are not in `found`; the last number stands for the target or result.
fn differing_parts(expected: &Shape, found: &Shape) -> Vec<usize> {
    fn missing<T: PartialEq>(expected: &[T], found: &[T]) -> Vec<usize> {
        (0..expected.len()).filter(|&part| !found.contains(&expected[part])).collect()
    }
    match (expected, found) {
        (Shape::Composite { members, .. }, Shape::Composite { members: theirs, .. }) => {
            let is_there = |member| theirs.iter().any(|found| member_is_as_expected(member, found));
            (0..members.len()).filter(|&part| !is_there(&members[part])).collect()
        }
        (Shape::Enum { values, .. }, Shape::Enum { values: theirs, .. }) => missing(values, theirs),
        (Shape::Func { params, ret, .. }, Shape::Func { params: theirs, ret: their_ret, .. }) => {
            let mut parts: Vec<_> =
                (0..params.len()).filter(|&part| theirs.get(part) != params.get(part)).collect();
            if ret != their_ret {
                parts.push(params.len());
            }
            parts
        }
        (Shape::Typedef(target), Shape::Typedef(theirs)) if target != theirs => vec![0],
        _ => Vec::new(),
    }
}

/// Whether two types agree in what is not one of their parts.
fn frames_agree(expected: &Shape, found: &Shape) -> bool {
    expected.len() == found.len()
        && match (expected, found) {
            (Shape::Composite { size, .. }, Shape::Composite { size: theirs, .. })
            | (Shape::Enum { size, .. }, Shape::Enum { size: theirs, .. }) => size == theirs,
            (Shape::Func { global, .. }, Shape::Func { global: theirs, .. }) => global == theirs,
            (Shape::Base { .. }, Shape::Base { .. }) => expected == found,
            (Shape::Typedef(_), Shape::Typedef(_)) => true,
            _ => false,
        }
}

fn distance(expected: &Shape, found: &Shape) -> usize {
    2 * differing_parts(expected, found).len() + usize::from(!frames_agree(expected, found))
}

fn nearest<'s>(expected: &Shape, found: impl Iterator<Item = &'s Shape>) -> Option<&'s Shape> {
    found.min_by_key(|shape| distance(expected, shape))
}

fn title(one: &Expected) -> String {
    format!("{}{} (DWARF {:#x})", one.sort.keyword(), one.name, one.place)
}

/// The first difference, in words.
fn difference(expected: &Shape, found: Option<&Shape>) -> String {
    let Some(found) = found else { return "is missing".to_owned() };
    let part = differing_parts(expected, found).first().copied();
    match (expected, found, part) {
        (
            Shape::Composite { members, .. },
            Shape::Composite { members: theirs, .. },
            Some(part),
        ) => {
            let name = &members[part].name;
            let theirs = theirs.iter().find(|member| member.name == *name).or(theirs.get(part));
            let theirs = theirs.map(ToString::to_string).unwrap_or_else(|| "nothing".to_owned());
            format!("has the member {}, found is {theirs}", members[part])
        }
        _ => format!("is {expected:?}, found is {found:?}"),
    }
}
