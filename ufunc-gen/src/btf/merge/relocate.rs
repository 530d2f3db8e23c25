// SPDX-License-Identifier: MIT OR Apache-2.0
//! Finding in BASE what a distilled base (a module's `.BTF.base`) stands for.
//!
//! The rules are those of `btf_relocate()` in the kernel's `tools/lib/bpf/btf_relocate.c`.

use std::collections::HashMap;

use anyhow::{Result, bail, ensure};

use super::super::form::flag;
use super::super::kind;
use super::super::raw::Raw;
use super::joined::{Types, Words};
use super::strings::{Strings, until_nul};

/// The ids in BASE, which is the first `base_len` of `types`, of all types of `distilled`, which
/// `split` continues.
///
/// Fails for one that BASE does not have, or has several times.
pub(super) fn ids(
    distilled: &Raw<'_>,
    split: &Raw<'_>,
    types: &Types,
    strings: &Strings,
    base_len: usize,
) -> Result<Vec<u32>> {
    let name = |index: usize| {
        let name = distilled.strings.get(Words(distilled.ty(index)).name() as usize..);
        until_nul(name.unwrap_or_default())
    };
    let mut namesakes: HashMap<&[u8], Vec<u32>> =
        (0..distilled.len()).map(|index| (name(index), Vec::new())).collect();
    for index in 0..base_len {
        let ty = types.get(index);
        if is_distilled(ty.kind())
            && let Some(namesakes) = namesakes.get_mut(strings.get(ty.name()))
        {
            namesakes.push(index as u32 + 1);
        }
    }
    let embedded = embedded(distilled.len(), split);
    // A name has a few types at most, unless somebody wants them all compared with each other.
    const MAX_NAMESAKES: usize = 16;
    let mut left = 1000 + MAX_NAMESAKES * (base_len + distilled.len());
    let find = |index: usize| -> Result<u32> {
        let ty = Words(distilled.ty(index));
        let shown = String::from_utf8_lossy(name(index));
        let what = format!("type {} of its distilled base, '{}',", index + 1, shown.escape_debug());
        ensure!(is_distilled(ty.kind()) && !shown.is_empty(), "{what} cannot be looked for");
        let named = namesakes.get(name(index)).map(Vec::as_slice).unwrap_or_default();
        match left.checked_sub(named.len()) {
            Some(less) => left = less,
            None => bail!("{what} has a name that too many types of the base have"),
        }
        let named = named.iter().copied();
        let by_id = |id: &u32| types.by_id(*id);
        let mut fitting: Vec<u32> =
            named.filter(|id| by_id(id).is_some_and(|base| can_stand_for(base, ty))).collect();
        let size = |id: &u32| by_id(id).map(Words::third);
        match ty.kind() {
            // What is defined is not only declared.
            kind::FWD if fitting.len() > 1 => {
                fitting.retain(|id| by_id(id).is_some_and(|base| base.kind() != kind::FWD));
            }
            kind::STRUCT | kind::UNION if embedded[index] || fitting.len() > 1 => {
                fitting.retain(|id| size(id) == Some(ty.third()));
            }
            _ => {}
        }
        match fitting[..] {
            [id] => Ok(id),
            [] => bail!("{what} is not in the base; was it built for another kernel?"),
            [first, second, ..] => {
                bail!("{what} could be type {first} or type {second} of the base")
            }
        }
    };
    (0..distilled.len()).map(find).collect()
}

/// Whether the kind can be in a distilled base.
fn is_distilled(kind: u32) -> bool {
    const KINDS: [u32; 7] =
        [kind::INT, kind::FLOAT, kind::FWD, kind::STRUCT, kind::UNION, kind::ENUM, kind::ENUM64];
    KINDS.contains(&kind)
}

/// Whether `distilled` can mean `base`, which has the same name.
fn can_stand_for(base: Words<'_>, distilled: Words<'_>) -> bool {
    let same_size = base.third() == distilled.third();
    let same_kind = base.kind() == distilled.kind();
    match distilled.kind() {
        kind::FWD => match base.kind() {
            kind::FWD => flag(base.info()) == flag(distilled.info()),
            kind::STRUCT => !flag(distilled.info()),
            kind::UNION => flag(distilled.info()),
            _ => false,
        },
        // The encoding is in the highest byte.
        kind::INT => same_kind && same_size && base.tail()[0] >> 24 == distilled.tail()[0] >> 24,
        kind::FLOAT => same_kind && same_size,
        // An ENUM64 is distilled to an ENUM of its size.
        kind::ENUM | kind::ENUM64 => same_size && [kind::ENUM, kind::ENUM64].contains(&base.kind()),
        _ => same_kind,
    }
}

/// Which of the first `base_len` types are within structs or unions of `split`, which continues
/// them, and so must have the size that they had.
fn embedded(base_len: usize, split: &Raw<'_>) -> Vec<bool> {
    let mut embedded = vec![false; base_len];
    let mut seen = vec![false; split.len()];
    let mut open = Vec::new();
    for index in 0..split.len() {
        let ty = Words(split.ty(index));
        if [kind::STRUCT, kind::UNION].contains(&ty.kind()) {
            open.extend(ty.tail().iter().skip(1).step_by(3));
        }
        while let Some(id) = open.pop() {
            let Some(place) = (id as usize).checked_sub(1) else { continue };
            if let Some(embedded) = embedded.get_mut(place) {
                *embedded = true;
                continue;
            }
            let Some(seen) = seen.get_mut(place - base_len).filter(|seen| !**seen) else {
                continue;
            };
            *seen = true;
            let ty = Words(split.ty(place - base_len));
            match ty.kind() {
                kind::ARRAY => open.push(ty.tail()[0]),
                _ => open.extend(ty.modified()),
            }
        }
    }
    embedded
}
