// SPDX-License-Identifier: MIT OR Apache-2.0
//! Several BTFs as one: a kernel's and those of applications or modules, so that CO-RE relocations
//! find the types of all of them.
//!
//! ```text
//! BASE, MORE … ──joined──▶ one list of types ──equal──▶ each type once ──names──▶ each name once
//! ```

mod append;
mod equal;
mod joined;
mod layout;
mod names;
mod relocate;
mod strings;

use anyhow::Result;

pub use append::append;
pub use names::{Ambiguous, Class, Conflict, Side, essential};

use super::raw::{Assembled, Raw};
use joined::Joined;
use names::Whole;

/// Types that BASE always keeps its names for: the context of a uprobe is the kernel's, whatever an
/// application calls its own types. libbpf's `bpf_tracing.h` reads it through these, by
/// architecture.
pub const CONTEXTS: [&str; 3] = ["pt_regs", "user_pt_regs", "user_regs_struct"];

/// A BTF that is to be merged.
#[derive(Debug)]
pub struct Input<'a> {
    /// What it is called in errors.
    pub label: &'a str,
    /// What its types' names get behind them if they have to give way.
    pub stem: String,
    /// Its types.
    pub btf: Raw<'a>,
    /// What they continue.
    pub before: Before<'a>,
}

/// What the types of a BTF continue.
#[derive(Debug)]
pub enum Before<'a> {
    /// Nothing: they stand alone.
    Nothing,
    /// The types of BASE, as those of `/sys/kernel/btf/MODULE` do.
    Base,
    /// The types of a distilled base (`.BTF.base`), which stand for BASE's of these names.
    Distilled(Raw<'a>),
}

/// Who keeps a name that stands for different layouts in several inputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Prefer {
    /// The last input that has it.
    #[default]
    More,
    /// The first input that has it.
    Base,
    /// All of them: what relocations of that name mean is then left open.
    None,
    /// Nobody: the caller looks at the conflicts, and does without the result.
    Error,
}

/// How inputs are merged.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether equal types become one.
    pub dedup: bool,
    /// Who keeps a name that stands for different layouts.
    pub prefer: Prefer,
    /// Names that are BASE's, if it has them, whatever `prefer` says; [`CONTEXTS`] always are.
    pub keep_base: Vec<String>,
    /// For how many conflicts [`Conflict::difference`] is found.
    pub details: usize,
    /// Whether [`Merged::ambiguous`] is found.
    pub ambiguous: bool,
}

/// The result of a merge.
#[derive(Debug)]
pub struct Merged {
    /// BTF that stands alone.
    pub btf: Assembled,
    /// Number of types in it.
    pub types: usize,
    /// The names that stood for different layouts, by class and name.
    pub conflicts: Vec<Conflict>,
    /// The names that stand for different layouts within one input; none unless
    /// [`Options::ambiguous`] asks for them.
    pub ambiguous: Vec<Ambiguous>,
}

/// Merges `base` and `more`.
///
/// The types of `base` keep their ids; behind them come those of `more`, in order. Where the
/// layouts that a name stands for are the same, the first input's types keep it; where they differ,
/// [`Options::prefer`] says who does. A type that does not is called after its input:
/// `file__vmlinux`.
///
/// Fails for types that cannot be merged; the error names the input, the type and its place.
pub fn merge(base: Input<'_>, more: Vec<Input<'_>>, options: &Options) -> Result<Merged> {
    let stems = unique_stems([&base].into_iter().chain(&more));
    let joined = Joined::new(base, more)?;
    let firsts = joined.firsts.clone();
    let (mut types, mut strings, ids);
    match options.dedup {
        true => {
            let merged = equal::dedup(&joined)?;
            (types, strings, ids) = (merged.types, joined.strings, merged.ids);
        }
        false => {
            ids = (1..=joined.types.len() as u32).collect();
            (types, strings) = (joined.types, joined.strings);
        }
    }
    let ids = firsts.windows(2).map(|range| ids[range[0]..range[1]].to_vec()).collect();
    let mut whole = Whole { types: &mut types, strings: &mut strings, ids };
    let ambiguous = if options.ambiguous { whole.ambiguous() } else { Vec::new() };
    let conflicts = whole.settle(&stems, options)?;
    let count = types.len();
    let btf = Assembled::new(types.words, strings.into_bytes())?;
    Ok(Merged { btf, types: count, conflicts, ambiguous })
}

/// What the inputs' names add to those of their types: identifiers, each one different.
fn unique_stems<'i>(inputs: impl Iterator<Item = &'i Input<'i>>) -> Vec<String> {
    /// Longer ones make names nobody can read.
    const MAX: usize = 32;
    let mut stems = Vec::<String>::new();
    for input in inputs {
        let mut stem = String::new();
        for letter in input.stem.chars().take(MAX) {
            let letter = if letter.is_ascii_alphanumeric() { letter } else { '_' };
            // Underscores in a row might make a flavour of it.
            if letter != '_' || !(stem.is_empty() || stem.ends_with('_')) {
                stem.push(letter);
            }
        }
        let stem = match stem.trim_matches('_') {
            "" => "input",
            stem => stem,
        };
        let numbered = (2..).map(|number| format!("{stem}_{number}"));
        let mut names = std::iter::once(stem.to_owned()).chain(numbered);
        stems.extend(names.find(|name| !stems.contains(name)));
    }
    stems
}

#[cfg(test)]
mod tests {
    use super::super::decode::Btf;
    use super::super::dedup::dedup;
    use super::super::encode::Encoded;
    use super::super::testing::any_types;
    use super::super::{Type, TypeId};
    use super::*;
    use proptest::prelude::*;

    fn encode(types: &[Type<'_>]) -> Vec<u8> {
        Encoded::new(types, 0).unwrap().to_bytes().unwrap()
    }

    fn decode(bytes: &[u8]) -> Vec<Type<'_>> {
        Btf::parse(bytes).unwrap().types().map(|item| item.unwrap().1).collect()
    }

    fn merge_two(base: &[Type<'_>], more: &[Type<'_>], dedup: bool, prefer: Prefer) -> Vec<u8> {
        let (base, more) = (encode(base), encode(more));
        let input = |bytes, stem: &str| Input {
            label: "test",
            stem: stem.to_owned(),
            btf: Raw::parse(bytes).unwrap(),
            before: Before::Nothing,
        };
        let options =
            Options { dedup, prefer, keep_base: Vec::new(), details: usize::MAX, ambiguous: true };
        merge(input(&base, "base"), vec![input(&more, "more")], &options).unwrap().btf.to_bytes()
    }

    /// `types` with the ids that they have behind `offset` others.
    fn behind<'a>(offset: usize, types: &[Type<'a>]) -> Vec<Type<'a>> {
        let mut types = types.to_vec();
        for ty in &mut types {
            ty.for_each_ref_mut(|id| {
                if *id != TypeId::VOID {
                    id.0 += offset as u32;
                }
            });
        }
        types
    }

    proptest! {
        #[test]
        fn the_result_has_both_and_nothing_else(base in any_types(20), more in any_types(20)) {
            let bytes = merge_two(&base, &more, true, Prefer::None);
            let merged = decode(&bytes);
            prop_assert_eq!(&merged[..base.len()], &base[..]);
            // All three together have no more different types than each two of them.
            let mut both = base.clone();
            both.extend(behind(both.len(), &more));
            let mut all = both.clone();
            all.extend(behind(all.len(), &merged));
            let count = |types| dedup(types, 1).0.len();
            prop_assert_eq!(count(both.clone()), count(merged.clone()));
            prop_assert_eq!(count(both.clone()), count(all));
            // What is added is no copy of anything.
            let copies_in_base = base.len() - count(base.clone());
            prop_assert_eq!(merged.len(), count(both) + copies_in_base);
        }

        #[test]
        fn without_dedup_they_are_one_behind_the_other(base in any_types(20), more in any_types(20)) {
            let bytes = merge_two(&base, &more, false, Prefer::None);
            let mut both = base.clone();
            both.extend(behind(base.len(), &more));
            prop_assert_eq!(decode(&bytes), both);
        }

        #[test]
        fn merging_the_same_again_changes_nothing(
            base in any_types(20),
            more in any_types(20),
            prefer in prop_oneof![Just(Prefer::More), Just(Prefer::Base), Just(Prefer::None)],
        ) {
            // Copies within BASE stay, and only one of them can be what the others become.
            let base = dedup(base, 1).0;
            let bytes = merge_two(&base, &more, true, prefer);
            let merged = decode(&bytes);
            let again = merge_two(&merged, &merged, true, prefer);
            prop_assert_eq!(&decode(&again), &merged);
        }
    }

    #[test]
    fn stems_are_identifiers_and_different() {
        let bytes = encode(&[]);
        let stems = ["my-app", "my.app", "", "a___b", "_x_", "é"];
        let inputs: Vec<_> = stems
            .iter()
            .map(|stem| Input {
                label: "test",
                stem: (*stem).to_owned(),
                btf: Raw::parse(&bytes).unwrap(),
                before: Before::Nothing,
            })
            .collect();
        let stems = unique_stems(inputs.iter());
        assert_eq!(stems, ["my_app", "my_app_2", "input", "a_b", "x", "input_2"]);
    }
}
