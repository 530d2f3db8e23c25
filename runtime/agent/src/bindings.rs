// SPDX-License-Identifier: MIT OR Apache-2.0
//! What programs are bound to: helpers, kfuncs, maps.

use std::os::fd::{AsFd as _, OwnedFd};

use anyhow::{Result, ensure};
use ufunc_maps::{Map, registry};
use ufunc_shared::helpers::{HELPERS, HelperKind, KFUNCS};
use ufunc_shared::plan::Plan;
use ufunc_shared::protocol::{Faulting, Helper, Kfunc, MapAddress};

use crate::{helpers, memory};

/// The helpers that programs may call.
pub(crate) fn helpers() -> Vec<Helper> {
    let all = HELPERS.iter().zip(helpers::addresses());
    let helper = |(helper, address): (&ufunc_shared::helpers::Helper, u64)| Helper {
        id: helper.id,
        name: helper.name.to_owned(),
        parameters: helper.parameters,
        address,
        kind: match helper.kind {
            HelperKind::Function => 0,
            HelperKind::TailCall => 1,
            HelperKind::Printing => 2,
        },
        vectors: u8::from(helper.vectors),
        calls_out: helper.calls_out,
    };
    all.map(helper).collect()
}

/// The kernel's kfuncs that programs may call.
pub(crate) fn kfuncs() -> Vec<Kfunc> {
    let all = KFUNCS.iter().zip(helpers::kfunc_addresses());
    all.map(|(kfunc, address)| Kfunc { name: kfunc.name.to_owned(), address }).collect()
}

/// Maps a map. It stays for good: a thread may be in a program that uses it.
pub(crate) fn add_map(descriptor: OwnedFd) -> Result<MapAddress> {
    let map = Box::leak(Box::new(Map::open(descriptor.as_fd())?));
    Ok(MapAddress { handle: map.handle(), value: map.value() })
}

/// Says where the code of the program of this number is, that arrays of programs name.
pub(crate) fn set_program(number: u64, address: u64) -> Result<()> {
    ensure!(number != 0 && address != 0, "a program without a number or without code");
    registry::put(number, address);
    Ok(())
}

/// Sees to faults of the code at `address`, of this size: remembers which instructions may fault, and
/// that helpers may.
pub(crate) fn add_faulting(address: u64, size: usize, faulting: &[Faulting]) -> Result<()> {
    memory::install()?;
    let loads = faulting.iter().map(|load| (load.offset, load.length, load.register));
    let loads: Vec<(u32, u8, u8)> = loads.collect();
    memory::guard(address, size as u64, &loads)
}

/// Has stacks be unwound right that begin where a hook is about to be.
pub(crate) fn remember_entry(plan: &Plan) {
    // Where an `endbr64` stays, it is at the point, and the change behind it.
    let kept = plan.patch != plan.point;
    helpers::remember_entry(plan.point, if kept { &ENDBR64 } else { &plan.original });
}

/// The instruction that a jump to a function's beginning may lead to.
const ENDBR64: [u8; 4] = [0xf3, 0x0f, 0x1e, 0xfa];
