// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which of the joined types are equal, and the types without the copies.
//!
//! BASE's types all stay, since their ids have to.

use std::collections::HashMap;

use anyhow::Result;

use super::super::form::{Form, Slot, flag, kind_of};
use super::super::kind;
use super::super::partition::Graph;
use super::super::raw::for_each_slot;
use super::joined::{Joined, Types};

/// No class, no id.
const NONE: u32 = u32::MAX;

/// Most times that equal types are looked for again because a declaration found its definition only
/// after others had become equal. Declarations nested deeper than that stay declarations.
const MAX_ROUNDS: usize = 16;

/// Types without copies.
pub(super) struct Merged {
    pub(super) types: Types,
    /// The id of each joined type.
    pub(super) ids: Vec<u32>,
}

/// Merges equal types: those of BASE stay, the others' give way to an equal one before them. A
/// declaration whose name has exactly one definition is taken for that definition.
pub(super) fn dedup(joined: &Joined) -> Result<Merged> {
    let types = &joined.types;
    let mut forwards = Forwards::new(types);
    let mut classes = classes(types, &forwards);
    for _ in 1..MAX_ROUNDS {
        if !forwards.resolve(&classes) {
            break;
        }
        classes = self::classes(types, &forwards);
    }
    let base_len = joined.firsts[1];
    // The type that stands for each class. A declaration does not, if its definition can.
    let count = classes.iter().max().map_or(0, |&class| class as usize + 1);
    let mut chosen = vec![NONE; count];
    let mut by_class = |places: &mut dyn Iterator<Item = usize>| -> Vec<usize> {
        let is_first = |place: &usize| {
            let chosen = &mut chosen[classes[*place] as usize];
            let is_first = *chosen == NONE;
            if is_first {
                *chosen = *place as u32;
            }
            is_first
        };
        places.filter(is_first).collect()
    };
    let is_definition = |place: &usize| forwards.definitions[*place] as usize == *place;
    by_class(&mut (0..base_len).filter(is_definition));
    let replaced = by_class(&mut (0..base_len).filter(|place| !is_definition(place)));
    let added = by_class(&mut (base_len..types.len()).filter(is_definition));

    let mut ids = vec![0; types.len()];
    for (index, &place) in added.iter().enumerate() {
        ids[place] = (base_len + index + 1) as u32;
    }
    for place in (0..types.len()).rev() {
        let stands_for_it = chosen[classes[place] as usize] as usize;
        ids[place] = match () {
            _ if place < base_len => place as u32 + 1,
            _ if stands_for_it < base_len => stands_for_it as u32 + 1,
            _ => ids[stands_for_it],
        };
    }
    let mut merged = Types::default();
    merged.words.reserve(types.words.len());
    merged.starts.reserve(base_len + added.len() + 1);
    let push = |merged: &mut Types, place: usize| {
        let start = merged.words.len();
        merged.push(types.get(place).0)?;
        let Ok(()) = for_each_slot(&mut merged.words[start..], |slot, word| {
            if slot == Slot::Type && *word != 0 {
                *word = ids[*word as usize - 1];
            }
            Ok::<(), std::convert::Infallible>(())
        });
        Ok::<(), anyhow::Error>(())
    };
    // BASE's own are copied whole, but for declarations that become the definitions of others.
    let mut copied = 0;
    merged.starts.push(0);
    for place in replaced {
        copy(types, copied..place, &mut merged)?;
        push(&mut merged, forwards.definitions[place] as usize)?;
        copied = place + 1;
    }
    copy(types, copied..base_len, &mut merged)?;
    for place in added {
        push(&mut merged, place)?;
    }
    Ok(Merged { types: merged, ids })
}

/// Adds the types at `places` as they are.
fn copy(types: &Types, places: std::ops::Range<usize>, to: &mut Types) -> Result<()> {
    let (start, end) = (types.starts[places.start], types.starts[places.end]);
    let offset = u32::try_from(to.words.len())?;
    to.words.extend_from_slice(&types.words[start as usize..end as usize]);
    let ends = types.starts[places.start + 1..=places.end].iter();
    to.starts.extend(ends.map(|end| end - start + offset));
    Ok(())
}

/// The class of each type, those that are equal having the same.
fn classes(types: &Types, forwards: &Forwards) -> Vec<u32> {
    let mut graph = Graph::with_capacity(types.len());
    for index in 0..types.len() {
        let words = types.get(index).0;
        graph.words(&words[..2]);
        let mut add = |slot, word: u32| match slot {
            Slot::Type if word != 0 => {
                graph.word(1);
                graph.reference(forwards.definitions[word as usize - 1]);
            }
            _ => graph.word(word),
        };
        let Some(form) = Form::of(kind_of(words[1])) else { continue };
        add(form.third, words[2]);
        for part in types.get(index).tail().chunks_exact(form.tail.len().max(1)) {
            form.tail.iter().zip(part).for_each(|(&slot, &word)| add(slot, word));
        }
        graph.end_node();
    }
    let mut classes = graph.classes();
    for place in 0..classes.len() {
        classes[place] = classes[forwards.definitions[place] as usize];
    }
    classes
}

/// What declarations (`struct file;`) declare.
struct Forwards {
    /// The place of what each type is taken for: itself, but for declarations of what is defined.
    definitions: Vec<u32>,
    /// Declarations of what has more than one definition so far.
    open: Vec<Open>,
}

/// A name with several definitions.
struct Open {
    declarations: Vec<u32>,
    definitions: Vec<u32>,
}

impl Forwards {
    fn new(types: &Types) -> Self {
        let mut names = HashMap::new();
        for index in 0..types.len() {
            let ty = types.get(index);
            if ty.kind() == kind::FWD && ty.name() != 0 {
                let open = names.entry((ty.name(), flag(ty.info())));
                let open = open
                    .or_insert_with(|| Open { declarations: Vec::new(), definitions: Vec::new() });
                open.declarations.push(index as u32);
            }
        }
        for index in 0..types.len() {
            let ty = types.get(index);
            let is_union = match ty.kind() {
                kind::STRUCT => false,
                kind::UNION => true,
                _ => continue,
            };
            if let Some(open) = names.get_mut(&(ty.name(), is_union)) {
                open.definitions.push(index as u32);
            }
        }
        let definitions = (0..types.len() as u32).collect();
        let open = names.into_values().filter(|open| !open.definitions.is_empty()).collect();
        let mut forwards = Forwards { definitions, open };
        forwards.resolve_if(|definitions| definitions.len() == 1);
        forwards
    }

    /// Takes declarations for their definitions, where those turned out to be equal. Gives whether
    /// there were any.
    fn resolve(&mut self, classes: &[u32]) -> bool {
        let class = |&place: &u32| classes[place as usize];
        self.resolve_if(|definitions| {
            definitions.iter().all(|place| class(place) == class(&definitions[0]))
        })
    }

    fn resolve_if(&mut self, is_one: impl Fn(&[u32]) -> bool) -> bool {
        let before = self.open.len();
        self.open.retain(|open| {
            let is_one = is_one(&open.definitions);
            if is_one {
                for &declaration in &open.declarations {
                    self.definitions[declaration as usize] = open.definitions[0];
                }
            }
            !is_one
        });
        self.open.len() != before
    }
}
