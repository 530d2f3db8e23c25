// SPDX-License-Identifier: MIT OR Apache-2.0
//! Programs on USDT probes that were compiled with headers older than libbpf 1.7.
//!
//! libbpf writes for each probe where its arguments are into a map, and code of `<bpf/usdt.bpf.h>`
//! in the program reads that. Version 1.7 changed the layout of these entries: a program with the
//! old code would find no arguments. So its map gets room for the new entries, and they are put
//! into the old form as soon as libbpf has written them. In the moment between, a probe that is hit
//! already has no arguments (`bpf_usdt_arg` fails, and they read 0).

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use libbpf_rs::{Link, MapCore, MapFlags, OpenObject, ProgramMut, UsdtOpts};
use ufunc_gen::btf::Type;

use super::load::Loaded;
use super::slots::declaration;
use super::value::Types;

/// The map with the entries.
const SPECS: &str = "__bpf_usdt_specs";
/// How many arguments an entry describes.
const ARGUMENTS: usize = 12;
/// Sizes of an argument's description, and of an entry with its cookie and number of arguments.
const OLD_ARGUMENT: usize = 16;
const OLD_ENTRY: usize = ARGUMENTS * OLD_ARGUMENT + 16;
const NEW_ARGUMENT: usize = 24;
const NEW_ENTRY: usize = ARGUMENTS * NEW_ARGUMENT + 16;
/// Largest kind of argument that the old code knows; later ones have an index register.
const OLD_KIND_MAX: u8 = 2;

/// Whether the object of these types was compiled with the old headers.
fn is_old(types: &Types) -> bool {
    let size = || {
        let value = declaration(types, SPECS)?.members.iter().find(|item| item.name == "value")?;
        let Some(Type::Ptr(target)) = types.get(value.ty) else { return None };
        types.size(*target)
    };
    size() == Some(OLD_ENTRY)
}

/// Makes room for the new entries in an object with the old headers.
pub(crate) fn make_room(opened: &mut OpenObject) -> Result<()> {
    for mut map in opened.maps_mut() {
        if map.name() == SPECS && map.value_size() as usize == OLD_ENTRY {
            map.set_value_size(NEW_ENTRY as u32).context("failed to make room for USDT probes")?;
        }
    }
    Ok(())
}

/// A USDT probe, and where.
pub(crate) struct Probe<'a> {
    pub(crate) file: &'a Path,
    pub(crate) provider: &'a str,
    pub(crate) name: &'a str,
    pub(crate) pid: i32,
    pub(crate) cookie: u64,
}

impl Probe<'_> {
    /// Attaches `program` of `loaded`.
    pub(crate) fn attach(&self, program: &ProgramMut<'_>, loaded: &Loaded) -> Result<Link> {
        let options = UsdtOpts { cookie: self.cookie, ..Default::default() };
        let link = program.attach_usdt_with_opts(
            self.pid,
            self.file,
            self.provider,
            self.name,
            options,
        )?;
        if is_old(&loaded.types) {
            translate(&loaded.map(SPECS)?)?;
        }
        Ok(link)
    }
}

/// Puts the entries into the old form that are in the new one.
fn translate(map: &impl MapCore) -> Result<()> {
    for key in map.keys() {
        let Some(entry) = map.lookup(&key, MapFlags::ANY).context("failed to read USDT probes")?
        else {
            continue;
        };
        if let Some(old) = old_entry(&entry)? {
            map.update(&key, &old, MapFlags::ANY).context("failed to write USDT probes")?;
        }
    }
    Ok(())
}

/// The entry in the old form; `None` if it is empty, or in the old form already.
fn old_entry(entry: &[u8]) -> Result<Option<Vec<u8>>> {
    let count_at = ARGUMENTS * NEW_ARGUMENT + 8;
    ensure!(entry.len() == NEW_ENTRY, "an entry of {SPECS} has the size {}", entry.len());
    if entry[count_at..count_at + 2] == [0, 0] {
        return Ok(None);
    }
    let mut old = vec![0; NEW_ENTRY];
    for at in 0..ARGUMENTS {
        let new = &entry[at * NEW_ARGUMENT..][..NEW_ARGUMENT];
        let kind = new[8];
        ensure!(
            kind <= OLD_KIND_MAX,
            "argument {} of the probe is found by two registers, which the program does not know of; compile it with the headers of libbpf 1.7 or later",
            at + 1
        );
        let place = &mut old[at * OLD_ARGUMENT..][..OLD_ARGUMENT];
        place[..9].copy_from_slice(&new[..9]);
        // The register, the sign and the width.
        place[12..16].copy_from_slice(&new[14..18]);
    }
    let rest = ARGUMENTS * OLD_ARGUMENT;
    old[rest..rest + 10].copy_from_slice(&entry[count_at - 8..count_at + 2]);
    Ok(Some(old))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_put_into_the_old_form() {
        let mut entry = vec![0; NEW_ENTRY];
        // A constant 5; then a register at 0x70, signed, of 32 bits.
        entry[0] = 5;
        let second = NEW_ARGUMENT;
        entry[second + 8] = 1;
        entry[second + 14] = 0x70;
        entry[second + 16] = 1;
        entry[second + 17] = 32;
        entry[ARGUMENTS * NEW_ARGUMENT] = 0x77;
        entry[ARGUMENTS * NEW_ARGUMENT + 8] = 2;
        let old = old_entry(&entry).unwrap().unwrap();
        assert_eq!(old[0], 5);
        assert_eq!((old[24], &old[28..32]), (1, [0x70, 0, 1, 32].as_slice()));
        assert_eq!((old[192], old[200]), (0x77, 2));
        assert_eq!(old_entry(&old).unwrap(), None);
        entry[second + 8] = 3;
        assert!(old_entry(&entry).is_err());
        assert!(old_entry(&[]).is_err());
    }
}
