// SPDX-License-Identifier: MIT OR Apache-2.0
//! Names that several inputs give to different types, and who keeps them.
//!
//! libbpf finds what a relocation means by name, kind and nothing else
//! (`bpf_core_add_cands()` in `relo_core.c`), and gives up if what it finds leads to different
//! answers. So a name may stand for one layout only.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::Result;
use hashbrown::{HashMap, HashSet};

use super::super::kind;
use super::joined::{Types, Words};
use super::layout::{Layouts, MemberAt};
use super::strings::Strings;
use super::{CONTEXTS, Options, Prefer};
use crate::kernel::NAME_MAX;

/// The kinds that a relocation does not tell apart (`btf_kind_core_compat()`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// `struct`
    Struct,
    /// `union`
    Union,
    /// `enum`, of either width
    Enum,
    /// `typedef`
    Typedef,
}

impl Class {
    /// Of the types at which a program's relocation can begin; `None` for the others. A declaration
    /// has no layout that it could have wrong.
    fn of(kind: u32) -> Option<Class> {
        match kind {
            kind::STRUCT => Some(Class::Struct),
            kind::UNION => Some(Class::Union),
            kind::ENUM | kind::ENUM64 => Some(Class::Enum),
            kind::TYPEDEF => Some(Class::Typedef),
            _ => None,
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Class::Struct => "struct",
            Class::Union => "union",
            Class::Enum => "enum",
            Class::Typedef => "typedef",
        })
    }
}

/// A name that stood for different layouts in several inputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// Struct, union, enum or typedef.
    pub class: Class,
    /// The name, without its flavour.
    pub name: String,
    /// The input whose types keep the name; under [`Prefer::None`] the first of those that do.
    pub kept: Side,
    /// A type of another input with a layout that is not among the kept ones'.
    pub other: Side,
    /// What that type is called now, if it had to give its name away.
    pub renamed: Option<String>,
    /// The first thing that tells the two apart; empty beyond [`Options::details`].
    pub difference: String,
}

/// One of the types that a name stood for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Side {
    /// Place of the input, BASE having 0.
    pub input: usize,
    /// Size in bytes, if the type has one.
    pub size: Option<u64>,
}

/// A name that stands for different layouts within one input. Nothing is done about it: what such an
/// input means by the name only it can know, and relocations of it are ambiguous.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ambiguous {
    /// Place of the input, BASE having 0.
    pub input: usize,
    /// Struct, union, enum or typedef.
    pub class: Class,
    /// The name, without its flavour.
    pub name: String,
    /// How many layouts it stands for.
    pub layouts: usize,
}

/// The name without its flavour: to libbpf `data___v2` is a `data` too
/// (`bpf_core_essential_name_len()`).
pub fn essential(name: &str) -> &str {
    &name[..essential_len(name.as_bytes())]
}

/// Length of the name without its flavour, which begins with exactly three underscores between
/// other characters.
fn essential_len(name: &[u8]) -> usize {
    // Hardly a name has one, which would have an underscore among every third letter.
    if !name.iter().skip(2).step_by(3).any(|&letter| letter == b'_') {
        return name.len();
    }
    let is_separator = |at: &[u8]| at[0] != b'_' && at[1..4] == *b"___" && at[4] != b'_';
    name.windows(5).rposition(is_separator).map_or(name.len(), |at| at + 1)
}

/// A type that has a name which others may have too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Bearer {
    /// Number of the name.
    group: u32,
    input: u32,
    id: u32,
}

/// The types of all inputs, joined and perhaps with equal ones merged.
pub(super) struct Whole<'m> {
    pub(super) types: &'m mut Types,
    pub(super) strings: &'m mut Strings,
    /// For each input the ids of its types.
    pub(super) ids: Vec<Vec<u32>>,
}

/// The new names that were given to types of one name and input.
#[derive(Clone, Default)]
struct Given {
    /// Offsets of the names.
    names: Vec<u32>,
    /// How many of them tags and typedefs have.
    used: [usize; 2],
    /// What the last one was numbered.
    number: u32,
}

/// What becomes of a name.
struct Verdict {
    /// Ids of the types that get another one, and their input.
    renamed: Vec<(u32, u32)>,
    conflict: Option<(Bearer, Bearer)>,
}

impl Whole<'_> {
    /// Sees to it that each name stands for one layout, as `options` say. `stems` are what the
    /// inputs' names add to those of their types. Gives the conflicts, by class and name.
    pub(super) fn settle(&mut self, stems: &[String], options: &Options) -> Result<Vec<Conflict>> {
        let (names, bearers) = self.shared_names();
        let (verdicts, mut conflicts) = self.judge(&names, &bearers, options);
        let mut new_names = HashMap::new();
        let mut given = vec![HashMap::new(); stems.len()];
        for verdict in verdicts {
            for (id, input) in verdict.renamed {
                let (stem, given) = (&stems[input as usize], &mut given[input as usize]);
                new_names.insert(id, self.rename(id, stem, given)?);
            }
        }
        for (conflict, id) in &mut conflicts {
            conflict.renamed = new_names.get(id).cloned();
        }
        Ok(conflicts.into_iter().map(|(conflict, _)| conflict).collect())
    }

    /// The names that stand for different layouts within one input, by input, class and name.
    pub(super) fn ambiguous(&self) -> Vec<Ambiguous> {
        let layouts = Layouts::new(self.types);
        let mut found = Vec::new();
        for (input, ids) in self.ids.iter().enumerate() {
            let mut by_name = HashMap::<_, Vec<u32>>::new();
            for &id in ids {
                if let Some(key) = self.class_and_name(id) {
                    by_name.entry(key).or_default().push(id);
                }
            }
            by_name.retain(|_, ids| ids.iter().any(|id| *id != ids[0]));
            let roots: Vec<u32> = by_name.values().flatten().copied().collect();
            let classes = layouts.classes(&roots);
            let layout: HashMap<u32, u32> = roots.into_iter().zip(classes).collect();
            for ((class, name), ids) in by_name {
                let different: HashSet<_> = ids.iter().map(|id| layout.get(id)).collect();
                let name = String::from_utf8_lossy(name).into_owned();
                if different.len() > 1 {
                    found.push(Ambiguous { input, class, name, layouts: different.len() });
                }
            }
        }
        found.sort_unstable();
        found
    }

    /// What relocations find the type `id` by, if they can begin at it.
    fn class_and_name(&self, id: u32) -> Option<(Class, &[u8])> {
        let ty = self.types.by_id(id)?;
        let class = Class::of(ty.kind())?;
        // The kernel takes no longer one, so no relocation is of that name.
        let name = self.strings.short(ty.name(), NAME_MAX)?;
        let name = &name[..essential_len(name)];
        (!name.is_empty()).then_some((class, name))
    }

    /// The names that several inputs have, and the types that have them, by name and input.
    fn shared_names(&self) -> (Vec<(Class, Vec<u8>)>, Vec<Bearer>) {
        let (mut numbers, mut names, mut bearers) = (HashMap::new(), Vec::new(), Vec::new());
        // BASE, by far the largest as a rule, comes last and adds no names of its own.
        for input in (0..self.ids.len()).rev() {
            for &id in &self.ids[input] {
                let Some(key) = self.class_and_name(id) else { continue };
                let group = match numbers.get(&key) {
                    Some(&group) => group,
                    None if input == 0 => continue,
                    None => {
                        let group = names.len() as u32;
                        names.push((key.0, key.1.to_vec()));
                        numbers.insert(key, group);
                        group
                    }
                };
                bearers.push(Bearer { group, input: input as u32, id });
            }
        }
        bearers.sort_unstable();
        bearers.dedup();
        (names, bearers)
    }

    /// Decides for each name who keeps it, in order of class and name. Gives with each conflict the
    /// id of the other type.
    fn judge(
        &self,
        names: &[(Class, Vec<u8>)],
        bearers: &[Bearer],
        options: &Options,
    ) -> (Vec<Verdict>, Vec<(Conflict, u32)>) {
        // Where all inputs mean the same type there is nothing to decide.
        let is_open = |group: &&[Bearer]| {
            let first = group[0];
            group.iter().any(|bearer| bearer.input != first.input)
                && group.iter().any(|bearer| bearer.id != first.id)
        };
        let groups = bearers.chunk_by(|a, b| a.group == b.group).filter(is_open);
        let mut groups: Vec<&[Bearer]> = groups.collect();
        groups.sort_by_key(|group| &names[group[0].group as usize]);
        if groups.is_empty() {
            return (Vec::new(), Vec::new());
        }
        let layouts = Layouts::new(self.types);
        let mut roots: Vec<u32> =
            groups.iter().copied().flatten().map(|bearer| bearer.id).collect();
        roots.sort_unstable();
        roots.dedup();
        let classes = layouts.classes(&roots);
        let layout: HashMap<u32, u32> = roots.into_iter().zip(classes).collect();
        let (mut verdicts, mut conflicts) = (Vec::new(), Vec::new());
        for group in groups {
            let (class, name) = &names[group[0].group as usize];
            let keep_base = options.keep_base.iter().map(String::as_bytes);
            let keep_base =
                keep_base.chain(CONTEXTS.map(str::as_bytes)).any(|kept| kept == name.as_slice());
            let verdict = judge_one(group, &layout, options.prefer, keep_base);
            if let Some((kept, other)) = verdict.conflict {
                let details = conflicts.len() < options.details;
                let side = |bearer: Bearer| Side {
                    input: bearer.input as usize,
                    size: layouts.size(bearer.id),
                };
                let conflict = Conflict {
                    class: *class,
                    name: String::from_utf8_lossy(name).into_owned(),
                    kept: side(kept),
                    other: side(other),
                    renamed: None,
                    difference: match details {
                        true => self.difference(&layouts, kept.id, other.id),
                        false => String::new(),
                    },
                };
                conflicts.push((conflict, other.id));
            }
            verdicts.push(verdict);
        }
        (verdicts, conflicts)
    }

    /// Gives the type `id` another name, which nothing of its kind has yet: its own with `stem`
    /// behind it.
    fn rename(&mut self, id: u32, stem: &str, given: &mut HashMap<u32, Given>) -> Result<String> {
        let index = id as usize - 1;
        let ty = self.types.get(index);
        // As in C, a typedef may be called like a tag.
        let is_typedef = usize::from(ty.kind() == kind::TYPEDEF);
        let given = given.entry(ty.name()).or_default();
        let place = given.used[is_typedef];
        given.used[is_typedef] += 1;
        if place == given.names.len() {
            let name = self.strings.get(ty.name());
            let (essential, flavour) = name.split_at(essential_len(name));
            let name = loop {
                given.number += 1;
                let suffix = match given.number {
                    1 => format!("__{stem}"),
                    number => format!("__{stem}_{number}"),
                };
                let room = NAME_MAX.saturating_sub(suffix.len() + flavour.len());
                let essential = &essential[..essential.len().min(room)];
                // Three underscores would make a flavour of it.
                let gap = if essential.ends_with(b"_") { &b"__"[..] } else { b"" };
                let name = [essential, gap, suffix.as_bytes(), flavour].concat();
                if !self.strings.has(&name) {
                    break name;
                }
            };
            given.names.push(self.strings.add(&name)?);
        }
        let name = given.names[place];
        let start = self.types.starts[index] as usize;
        self.types.words[start] = name;
        Ok(String::from_utf8_lossy(self.strings.get(name)).into_owned())
    }

    fn text(&self, name: u32) -> String {
        match String::from_utf8_lossy(self.strings.get(name)) {
            name if name.is_empty() => "a nameless member".to_owned(),
            name => format!("'{}'", name.escape_debug()),
        }
    }

    /// The first thing that tells the types `a` and `b` apart, in words.
    fn difference(&self, layouts: &Layouts<'_>, a: u32, b: u32) -> String {
        let (Some(first), Some(second)) = (layouts.bare(a), layouts.bare(b)) else {
            return "one of them is void".to_owned();
        };
        let names = [first, second].map(|ty| what(ty.kind()));
        if names[0] != names[1] {
            return format!("{} or {}", names[0], names[1]);
        }
        if [kind::ENUM, kind::ENUM64].contains(&first.kind()) {
            return self.value_difference(layouts, first, second);
        }
        let members = [first, second].map(|ty| layouts.members(ty).collect::<Vec<_>>());
        let roots: Vec<u32> = members.iter().flatten().map(|member| member.ty).collect();
        let classes = layouts.classes(&roots);
        let [ours, theirs] = &members;
        for (index, (a, b)) in ours.iter().zip(theirs).enumerate() {
            let at = |member: &MemberAt| match (member.bits, member.offset % 8) {
                (0, 0) => format!("byte {}", member.offset / 8),
                (0, _) => format!("bit {}", member.offset),
                (bits, _) => format!("bit {} ({bits} bits)", member.offset),
            };
            if a.name != b.name {
                return format!(
                    "member {} is {} or {}",
                    index + 1,
                    self.text(a.name),
                    self.text(b.name)
                );
            }
            if (a.offset, a.bits) != (b.offset, b.bits) {
                return format!("{} is at {} or {}", self.text(a.name), at(a), at(b));
            }
            if classes[index] != classes[ours.len() + index] {
                return match (layouts.size(a.ty), layouts.size(b.ty)) {
                    (Some(a_size), Some(b_size)) if a_size != b_size => {
                        format!("{} has {a_size} or {b_size} bytes", self.text(a.name))
                    }
                    _ => format!("{} is of different types", self.text(a.name)),
                };
            }
        }
        let longer = if ours.len() > theirs.len() { ours } else { theirs };
        match longer.get(ours.len().min(theirs.len())) {
            Some(member) => format!("only one has {}", self.text(member.name)),
            None => "their sizes".to_owned(),
        }
    }

    fn value_difference(&self, layouts: &Layouts<'_>, a: Words<'_>, b: Words<'_>) -> String {
        let (ours, theirs) = (layouts.values(a), layouts.values(b));
        for (a, b) in ours.iter().zip(&theirs) {
            if a.0 != b.0 {
                return format!("{} or {}", self.text(a.0), self.text(b.0));
            }
            if a.1 != b.1 {
                return format!("{} is {} or {}", self.text(a.0), a.1 as i64, b.1 as i64);
            }
        }
        let longer = if ours.len() > theirs.len() { &ours } else { &theirs };
        match longer.get(ours.len().min(theirs.len())) {
            Some(value) => format!("only one has {}", self.text(value.0)),
            None => "their sizes or signs".to_owned(),
        }
    }
}

/// Decides who of `group`, the types with one name, keeps it. `layout` has the layout of each.
fn judge_one(
    group: &[Bearer],
    layout: &HashMap<u32, u32>,
    prefer: Prefer,
    keep_base: bool,
) -> Verdict {
    let layout = |bearer: &Bearer| layout.get(&bearer.id);
    let is_one_layout = group.iter().all(|bearer| layout(bearer) == layout(&group[0]));
    // Types are in order of their inputs.
    let (first, last) = (group[0].input, group[group.len() - 1].input);
    let winner = match prefer {
        // Any of them gives the same answers; the first may be the kernel's, and have an id that
        // the kernel knows.
        _ if is_one_layout => first,
        _ if keep_base && first == 0 => first,
        Prefer::More => last,
        Prefer::Base | Prefer::None | Prefer::Error => first,
    };
    let kept: Vec<&Bearer> = group.iter().filter(|bearer| bearer.input == winner).collect();
    let kept_ids: HashSet<u32> = kept.iter().map(|kept| kept.id).collect();
    let kept_layouts: HashSet<Option<&u32>> = kept.iter().map(|kept| layout(kept)).collect();
    let other = group.iter().find(|bearer| !kept_layouts.contains(&layout(bearer)));
    let conflict = other.map(|other| (*kept[0], *other));
    let mut renamed: BTreeMap<u32, u32> = BTreeMap::new();
    if prefer != Prefer::None {
        for bearer in group.iter().filter(|bearer| !kept_ids.contains(&bearer.id)) {
            renamed.entry(bearer.id).or_insert(bearer.input);
        }
    }
    Verdict { renamed: renamed.into_iter().collect(), conflict }
}

/// What a type of this kind is, in words.
fn what(kind: u32) -> &'static str {
    match kind {
        kind::INT => "an integer",
        kind::FLOAT => "a floating-point number",
        kind::PTR => "a pointer",
        kind::ARRAY => "an array",
        kind::STRUCT => "a struct",
        kind::UNION => "a union",
        kind::ENUM | kind::ENUM64 => "an enumeration",
        kind::FWD => "a mere declaration",
        kind::FUNC_PROTO => "a function",
        _ => "something else",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flavours_are_no_part_of_a_name() {
        assert_eq!(essential("data___v2"), "data");
        assert_eq!(essential("data___v2___x"), "data___v2");
        assert_eq!(essential("data__v2"), "data__v2");
        assert_eq!(essential("___x"), "___x");
        assert_eq!(essential("data___"), "data___");
        assert_eq!(essential("data____v2"), "data____v2");
        assert_eq!(essential("a___b____c"), "a");
        assert_eq!(essential(""), "");
    }
}
