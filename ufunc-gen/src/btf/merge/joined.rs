// SPDX-License-Identifier: MIT OR Apache-2.0
//! All inputs as one list of types: BASE's with their ids, the others' behind them.

use anyhow::{Context as _, Result, ensure};

use super::super::form::{Form, HEAD, Slot, kind_of};
use super::super::kind;
use super::super::raw::for_each_slot;
use super::strings::{Strings, until_nul};
use super::{Before, Input, relocate};

/// A list of types in words, whose names are offsets in a string section of the caller's. The first
/// one has the id 1.
#[derive(Debug, Default)]
pub(super) struct Types {
    pub(super) words: Vec<u32>,
    /// The place of each type's first word, and the end.
    pub(super) starts: Vec<u32>,
}

impl Types {
    /// The number of types.
    pub(super) fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// The type at `index`.
    pub(super) fn get(&self, index: usize) -> Words<'_> {
        Words(&self.words[self.starts[index] as usize..self.starts[index + 1] as usize])
    }

    /// The type with the id `id`; `None` for `void`.
    pub(super) fn by_id(&self, id: u32) -> Option<Words<'_>> {
        let index = (id as usize).checked_sub(1)?;
        (index < self.len()).then(|| self.get(index))
    }

    /// Adds a type.
    pub(super) fn push(&mut self, words: &[u32]) -> Result<()> {
        self.words.extend_from_slice(words);
        self.starts.push(u32::try_from(self.words.len()).context("the types are too many")?);
        Ok(())
    }
}

/// The words of one type.
#[derive(Clone, Copy, Debug)]
pub(super) struct Words<'t>(pub(super) &'t [u32]);

impl<'t> Words<'t> {
    pub(super) fn name(self) -> u32 {
        self.0[0]
    }

    pub(super) fn info(self) -> u32 {
        self.0[1]
    }

    pub(super) fn kind(self) -> u32 {
        kind_of(self.info())
    }

    /// Size or type.
    pub(super) fn third(self) -> u32 {
        self.0[2]
    }

    /// What follows the head.
    pub(super) fn tail(self) -> &'t [u32] {
        &self.0[HEAD..]
    }

    /// What a typedef, qualifier or tag says something of; `None` for every other kind.
    pub(super) fn modified(self) -> Option<u32> {
        const MODIFIERS: [u32; 5] =
            [kind::TYPEDEF, kind::VOLATILE, kind::CONST, kind::RESTRICT, kind::TYPE_TAG];
        MODIFIERS.contains(&self.kind()).then(|| self.third())
    }
}

/// All inputs' types with ids and names of one kind.
#[derive(Debug)]
pub(super) struct Joined {
    pub(super) types: Types,
    pub(super) strings: Strings,
    /// Place of each input's first type, and the end.
    pub(super) firsts: Vec<usize>,
}

impl Joined {
    /// Joins `base` and `more`. Of a part that cannot be joined the error names the input, the type
    /// and its offset.
    pub(super) fn new(base: Input<'_>, more: Vec<Input<'_>>) -> Result<Self> {
        let label = base.label;
        ensure!(
            !base.btf.continues_another() && matches!(base.before, Before::Nothing),
            "{label} continues another BTF; name that one first, and this one behind it, or say with --base what it continues"
        );
        let base_strings = base.btf.strings;
        let strings = Strings::new(&base_strings);
        let base_len = base.btf.starts.len() - 1;
        let mut joined = Joined {
            types: Types { words: base.btf.words, starts: base.btf.starts },
            strings,
            firsts: vec![0, base_len],
        };
        joined.adopt_base().with_context(|| format!("failed to merge {label}"))?;
        let rest = more.iter().map(|input| input.btf.words.len()).sum();
        joined.types.words.reserve_exact(rest);
        for input in more {
            let label = input.label;
            joined
                .add(&input, &base_strings, base_len)
                .with_context(|| format!("failed to merge {label}"))?;
            joined.firsts.push(joined.types.len());
        }
        Ok(joined)
    }

    /// Checks BASE's names and references. Both stay as they are, unless the names are such that
    /// equal ones cannot be told by their offsets.
    fn adopt_base(&mut self) -> Result<()> {
        let Joined { types, strings, .. } = self;
        let count = types.len() as u32;
        let is_clean = !strings.has_duplicates();
        let mut letters = Letters::new(strings.bytes().len() + 4 * types.words.len());
        for index in 0..types.len() {
            let range = types.starts[index] as usize..types.starts[index + 1] as usize;
            let is_name = |offset| is_clean && strings.is_start(offset);
            if is_sound(&types.words[range.clone()], count, is_name) {
                continue;
            }
            let at = range.start * 4;
            let visit = |slot, word: &mut u32| {
                match slot {
                    Slot::Name if is_clean && strings.is_start(*word) => {}
                    Slot::Name => {
                        let tail = strings.bytes().get(*word as usize..);
                        let string = until_nul(tail.ok_or(Bad::Name(*word))?).to_vec();
                        letters.spend(&string)?;
                        *word = strings.add(&string).map_err(Bad::Other)?;
                    }
                    Slot::Type if *word > count => return Err(Bad::Type(*word)),
                    Slot::Type | Slot::Number => {}
                }
                Ok(())
            };
            for_each_slot(&mut types.words[range], visit)
                .map_err(|bad: Bad| bad.error(index + 1, at))?;
        }
        Ok(())
    }

    /// Adds the types of `input`. BASE has `base_len` types and the names `base_strings`.
    fn add(&mut self, input: &Input<'_>, base_strings: &[u8], base_len: usize) -> Result<()> {
        let btf = &input.btf;
        let (before_strings, before_len, ids): (&[u8], usize, Vec<u32>) = match &input.before {
            Before::Nothing => (&[], 0, Vec::new()),
            Before::Base => (base_strings, base_len, (1..=base_len as u32).collect()),
            Before::Distilled(distilled) => (
                &distilled.strings,
                distilled.len(),
                relocate::ids(distilled, btf, &self.types, &self.strings, base_len)?,
            ),
        };
        let before_len = before_len as u32;
        let offset = self.types.len() as u32;
        let Joined { types, strings, .. } = self;
        let count = btf.len() as u32;
        // Names come up again and again; each one is looked up once.
        let mut known = vec![u32::MAX; before_strings.len() + btf.strings.len()];
        let mut letters = Letters::new(known.len());
        let mut name = |strings: &mut Strings, word: u32| -> Result<u32, Bad> {
            let place = known.get_mut(word as usize).ok_or(Bad::Name(word))?;
            if *place == u32::MAX {
                let string = match (word as usize).checked_sub(before_strings.len()) {
                    Some(own) => &btf.strings[own..],
                    None => &before_strings[word as usize..],
                };
                let string = until_nul(string);
                letters.spend(string)?;
                *place = strings.add(string).map_err(Bad::Other)?;
            }
            Ok(*place)
        };
        let id = |word: u32| match word.checked_sub(before_len + 1) {
            Some(own) if own < count => Ok(offset + own + 1),
            Some(_) => Err(Bad::Type(word)),
            None if word == 0 => Ok(0),
            None => Ok(ids[word as usize - 1]),
        };
        for index in 0..btf.len() {
            let start = types.words.len();
            types.push(btf.ty(index))?;
            let visit = |slot, word: &mut u32| {
                match slot {
                    Slot::Name => *word = name(strings, *word)?,
                    Slot::Type => *word = id(*word)?,
                    Slot::Number => {}
                }
                Ok(())
            };
            let at = btf.starts[index] as usize * 4;
            let number = before_len as usize + index + 1;
            for_each_slot(&mut types.words[start..], visit)
                .map_err(|bad: Bad| bad.error(number, at))?;
        }
        Ok(())
    }
}

/// Whether all names of a type are such as `is_name` says, and all ids up to `count`. Of a kernel's
/// hundred thousand types all are, and to visit each word would take many times as long.
fn is_sound(words: &[u32], count: u32, is_name: impl Fn(u32) -> bool) -> bool {
    use Slot::{Name, Number, Type};
    let Some(form) = Form::of(kind_of(words[1])) else { return false };
    let (head, tail) = words.split_at(HEAD);
    if !is_name(head[0]) || (form.third == Type && head[2] > count) {
        return false;
    }
    let pairs = || tail.as_chunks().0.iter();
    let triples = || tail.as_chunks().0.iter();
    match form.tail {
        [] | [Number] => true,
        [Name, Number] => pairs().all(|&[name, _]| is_name(name)),
        [Name, Type] => pairs().all(|&[name, ty]| is_name(name) && ty <= count),
        [Name, Number, Number] => triples().all(|&[name, _, _]| is_name(name)),
        [Name, Type, Number] => triples().all(|&[name, ty, _]| is_name(name) && ty <= count),
        [Type, Number, Number] => triples().all(|&[ty, _, _]| ty <= count),
        [Type, Type, Number] => triples().all(|&[one, other, _]| one.max(other) <= count),
        _ => false,
    }
}

/// How many letters of names may still be read. Names can end in each other, and as many as there
/// are letters would be more than anybody has room for.
struct Letters(usize);

impl Letters {
    /// Times that what names are in may be read, and what is always allowed.
    const READINGS: usize = 16;
    const ALLOWANCE: usize = 1 << 16;

    fn new(len: usize) -> Self {
        Letters(len.saturating_mul(Self::READINGS).saturating_add(Self::ALLOWANCE))
    }

    fn spend(&mut self, name: &[u8]) -> Result<(), Bad> {
        match self.0.checked_sub(name.len()) {
            Some(left) => self.0 = left,
            None => return Err(Bad::Other(anyhow::anyhow!("its names overlap too much"))),
        }
        Ok(())
    }
}

/// What is wrong with a type.
enum Bad {
    /// It has a name outside of the string section.
    Name(u32),
    /// It refers to a type that does not exist.
    Type(u32),
    Other(anyhow::Error),
}

impl Bad {
    /// The error for the type with the id `id` at `offset` in the type section.
    fn error(self, id: usize, offset: usize) -> anyhow::Error {
        let place = format!("BTF type {id} at offset {offset:#x} of the type section");
        match self {
            Bad::Name(name) => anyhow::anyhow!(
                "{place} has a name at offset {name:#x}, which is outside of the string section"
            ),
            Bad::Type(id) => {
                anyhow::anyhow!("{place} refers to type {id}, which does not exist")
            }
            Bad::Other(error) => error.context(place),
        }
    }
}
