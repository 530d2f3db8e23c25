// SPDX-License-Identifier: MIT OR Apache-2.0
//! Functions that have their code in one unit and their declaration in another, as link-time
//! optimisation leaves them.

use anyhow::Result;

use super::names::{NameId, Names};
use super::store::{Draft, Head, Packed, Part, RecordId, Ref, Store};
use crate::btf::kind;
use crate::dwarf::raw::Rules;
use crate::dwarf::{DebugInfo, DieRef, MAX_CHAIN};
use crate::ident;

/// The name of the function that `symbol` is a changed copy of, or `symbol` itself.
pub(super) fn without_clone(names: &mut Names<'_>, symbol: NameId) -> NameId {
    let text = names.text(symbol);
    let origin = ident::without_clone(text);
    match origin.len() == text.len() {
        true => symbol,
        false => names.add(origin.to_vec().into()),
    }
}

/// Whether the function `symbol` really has the parameter `name`. GCC lists what a constructor or
/// destructor needs to know of virtual base classes, and makes several functions of it that know:
/// those for objects that are a part of others are told where the virtual tables are.
pub(super) fn is_passed(names: &Names<'_>, name: NameId, symbol: NameId) -> bool {
    match names.text(name) {
        b"__in_chrg" => false,
        b"__vtt_parm" => {
            names.text(symbol).windows(2).any(|letters| matches!(letters, b"C2" | b"D2"))
        }
        _ => true,
    }
}

/// Puts the function that `place` has the code of into `store`; `None` if it has no name.
pub(super) fn function<'a>(
    debug: &DebugInfo<'a>,
    store: &mut Store<'a>,
    place: DieRef,
) -> Result<Option<RecordId>> {
    let (_, mut entry) = debug.die(place)?;
    let (mut name, mut linkage_name) = (entry.name, entry.linkage_name);
    let (mut external, mut ret, mut params) = (entry.external, entry.ty, None);
    for _ in 0..MAX_CHAIN {
        // A copy leaves the parameters to what it is a copy of.
        if params.is_none() && entry.abstract_origin.is_none() {
            params = Some(entry.at);
        }
        let Some(origin) = entry.origin() else { break };
        // What says no more is not there.
        let Ok((_, next)) = debug.die(origin) else { break };
        entry = next;
        name = if name.is_missing() { entry.name } else { name };
        linkage_name = if linkage_name.is_missing() { entry.linkage_name } else { linkage_name };
        external |= entry.external;
        ret = ret.or(entry.ty);
    }
    let symbol = if linkage_name.is_missing() { name } else { linkage_name };
    if symbol.is_missing() {
        return Ok(None);
    }
    let symbol = store.names.id(symbol);
    let symbol = without_clone(&mut store.names, symbol);
    let (mut parts, mut variadic) = (Vec::new(), false);
    if let Some(place) = params {
        let (unit, _) = debug.die(place)?;
        variadic = debug.for_each_parameter(unit, place, |parameter| {
            parts.push((parameter.name, parameter.ty));
        })?;
    }
    let reference = |store: &mut Store<'a>, ty: Option<DieRef>| match ty {
        Some(place) => store.exact(place).pack(),
        None => Packed::VOID,
    };
    let mut draft = Draft::default();
    let target = reference(store, ret);
    let kind = kind::FUNC_PROTO as u8;
    draft.begin(Head { kind, detail: u8::from(variadic), name: 0, size: 0, target });
    for (number, (name, ty)) in parts.into_iter().enumerate() {
        let name = store.names.id(name);
        if !is_passed(&store.names, name, symbol) {
            continue;
        }
        let name = match name {
            0 => store.names.parameter(number),
            name => name,
        };
        let ty = reference(store, ty);
        draft.push(Part { name, ty, values: [0; 2] });
    }
    let prototype = store.intern(&draft, (entry.at, 1), Rules::default());
    let (kind, target) = (kind::FUNC as u8, Ref::Record(prototype).pack());
    draft.begin(Head { kind, detail: u8::from(external), name: symbol, size: 0, target });
    Ok(Some(store.intern(&draft, (entry.at, 2), Rules::default())))
}
