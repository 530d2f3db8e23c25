// SPDX-License-Identifier: MIT OR Apache-2.0
//! BTF that continues another one, made to stand alone.

use anyhow::{Result, bail, ensure};

use super::form::Slot;
use super::raw::{Raw, for_each_slot};

/// The types of `split`, which continues `base`, behind those of `base` that they lead to: both in
/// their order, under new ids.
///
/// Fails if `base` continues another one itself, or if a type refers to one that neither has: then
/// `base` is not the one that `split` was made with.
pub fn alone(base: &Raw<'_>, split: &Raw<'_>) -> Result<Raw<'static>> {
    ensure!(!base.continues_another(), "it continues another BTF itself");
    let (before, count) = (base.len(), base.len() + split.len());
    let words = |index: usize| match index.checked_sub(before) {
        Some(own) => split.ty(own),
        None => base.ty(index),
    };
    let mut reached = vec![false; count];
    let mut stack: Vec<usize> = (before..count).collect();
    while let Some(index) = stack.pop() {
        if std::mem::replace(&mut reached[index], true) {
            continue;
        }
        let mut ty = words(index).to_vec();
        for_each_slot(&mut ty, |slot, word| {
            match (slot, (*word as usize).checked_sub(1)) {
                (Slot::Type, Some(target)) if target >= count => bail!(
                    "type {} refers to type {word}, which neither it nor its base has: it continues another one",
                    index + 1
                ),
                (Slot::Type, Some(target)) if !reached[target] => stack.push(target),
                _ => {}
            }
            Ok(())
        })?;
    }
    let mut ids = vec![0; count + 1];
    let places = (0..count).filter(|&index| reached[index]);
    for (id, index) in (1..).zip(places.clone()) {
        ids[index + 1] = id;
    }
    let mut whole = Raw {
        words: Vec::new(),
        starts: vec![0],
        // Names are offsets in both, one behind the other.
        strings: [&*base.strings, &*split.strings].concat().into(),
    };
    for index in places {
        let start = whole.words.len();
        whole.words.extend_from_slice(words(index));
        let Ok(()) = for_each_slot(&mut whole.words[start..], |slot, word| {
            if slot == Slot::Type {
                // Every id was looked at above.
                *word = ids[*word as usize];
            }
            Ok::<_, std::convert::Infallible>(())
        });
        whole.starts.push(whole.words.len() as u32);
    }
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::btf::decode::Btf;
    use crate::btf::encode::Encoded;
    use crate::btf::raw::Assembled;
    use crate::btf::{Type, TypeId};

    fn float(name: &'static str, size: u32) -> Type<'static> {
        Type::Float { name: name.into(), size }
    }

    /// Types behind two others: `half` and `float`.
    fn split(types: &[Type<'_>]) -> Result<Vec<Type<'static>>> {
        let base = Encoded::new(&[float("half", 2), float("float", 4)], 0)?;
        let own = Encoded::new(types, base.strings.len() as u32)?;
        let (base, own) = (base.to_bytes()?, own.to_bytes()?);
        let whole = alone(&Raw::parse(&base)?, &Raw::parse(&own)?)?;
        let bytes = Assembled::new(whole.words, whole.strings.into_owned())?.to_bytes();
        let bytes: &'static [u8] = bytes.leak();
        Btf::parse(bytes)?.types().map(|item| Ok(item?.1)).collect()
    }

    #[test]
    fn what_it_leads_to_is_all_that_is_kept_of_its_base() {
        let own = [Type::Ptr(TypeId(2)), Type::Const(TypeId(3)), float("double", 8)];
        let kept = split(&own).unwrap();
        let expected =
            [float("float", 4), Type::Ptr(TypeId(1)), Type::Const(TypeId(2)), float("double", 8)];
        assert_eq!(kept, expected);
    }

    #[test]
    fn another_base_is_noticed_by_ids_that_are_too_high() {
        let error = split(&[Type::Ptr(TypeId(9))]).unwrap_err().to_string();
        assert!(error.starts_with("type 3 refers to type 9"), "{error}");
    }
}
