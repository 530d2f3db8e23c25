// SPDX-License-Identifier: MIT OR Apache-2.0
//! The contents of maps, decoded.

use anyhow::{Context as _, Result, bail};
use libbpf_rs::{Map, MapCore as _, MapFlags, MapType};
use ufunc_gen::btf::TypeId;

use super::load::Loaded;
use super::output::Output;
use super::value::{Types, Value};
use super::{WRITE_FAILED, raw};

/// An entry of a map.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) key: Value,
    /// One value, or one for each processor.
    pub(crate) value: EntryValue,
}

/// What a key stands for.
#[derive(Debug)]
pub(crate) enum EntryValue {
    One(Value),
    PerCpu(Vec<Value>),
}

/// Fails for names of maps that are not there or cannot be shown; else the same names.
pub(crate) fn check(loaded: &Loaded, names: &[String]) -> Result<Vec<String>> {
    for name in names {
        let map = loaded.map(name)?;
        let help = match map.map_type() {
            MapType::RingBuf | MapType::PerfEventArray => "its events are shown with --events",
            MapType::Queue | MapType::Stack | MapType::BloomFilter => {
                "it has no keys that could be listed"
            }
            MapType::SkStorage
            | MapType::InodeStorage
            | MapType::TaskStorage
            | MapType::CGrpStorage
            | MapType::CgroupStorage
            | MapType::PercpuCgroupStorage
            | MapType::UserRingBuf
            | MapType::StructOps => "its contents belong to objects of the kernel, or to memory",
            _ => continue,
        };
        bail!("--dump {name}: a map of type {:?} cannot be shown: {help}", map.map_type());
    }
    Ok(names.to_owned())
}

/// Shows the contents of the maps of these names.
pub(crate) fn write(loaded: &Loaded, names: &[String], output: &mut Output<'_>) -> Result<()> {
    for name in names {
        let map = loaded.map(name)?;
        let entries =
            entries(&map, &loaded.types).with_context(|| format!("failed to read map {name}"))?;
        output.map(name, &entries).context(WRITE_FAILED)?;
    }
    Ok(())
}

fn entries(map: &Map<'_>, types: &Types) -> Result<Vec<Entry>> {
    let (key_type, value_type) = raw::map_types(map);
    let mut entries = Vec::new();
    for key in map.keys() {
        let value = if map.map_type().is_percpu() {
            let values = map.lookup_percpu(&key, MapFlags::ANY)?;
            values.map(|values| {
                EntryValue::PerCpu(
                    values.iter().map(|value| decode(types, value_type, value)).collect(),
                )
            })
        } else {
            let value = map.lookup(&key, MapFlags::ANY)?;
            value.map(|value| EntryValue::One(decode(types, value_type, &value)))
        };
        // Programs of others may have removed it meanwhile; a program array may have a hole there.
        let Some(value) = value else { continue };
        entries.push(Entry { key: decode(types, key_type, &key), value });
    }
    Ok(entries)
}

/// The value as its type says, or else as a number if it has the size of one.
pub(crate) fn decode(types: &Types, ty: TypeId, bytes: &[u8]) -> Value {
    if types.get(ty).is_some_and(|_| ty != TypeId::VOID) {
        return types.decode(ty, bytes);
    }
    match bytes {
        [a, b, c, d] => Value::Unsigned(u32::from_ne_bytes([*a, *b, *c, *d]).into()),
        _ => Value::Bytes(bytes.to_owned()),
    }
}
