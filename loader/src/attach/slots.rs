// SPDX-License-Identifier: MIT OR Apache-2.0
//! Program arrays that an object fills with its own programs, for tail calls.
//!
//! libbpf fills them when it has loaded all programs. Where an object is loaded in two parts, no
//! part has all of them: the array's contents are then taken out of the object before libbpf sees
//! it, and put into the array afterwards.

use anyhow::{Context as _, Result, bail, ensure};
use libbpf_rs::{MapCore, MapFlags};
use object::read::elf::ElfFile64;
use object::{
    LittleEndian, Object as _, ObjectSection as _, ObjectSymbol as _, RelocationTarget, SymbolKind,
};
use ufunc_gen::btf::Type;

use super::value::Types;

/// Section of the object's maps.
const MAPS: &str = ".maps";
/// The same section's relocations.
const MAPS_RELOCATIONS: &str = ".rel.maps";
/// Bytes of a relocation (`Elf64_Rel`), of a pointer in a map's declaration.
const RELOCATION_LEN: usize = 16;
const POINTER_LEN: u64 = 8;

/// A program in a program array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) map: String,
    pub(crate) index: u32,
    pub(crate) program: String,
}

/// The slots that the object `bytes` fills; `types` are its own.
pub(crate) fn slots(bytes: &[u8], types: &Types) -> Result<Vec<Slot>> {
    let file = ElfFile64::<LittleEndian>::parse(bytes).context("failed to read the ELF headers")?;
    let Some(section) = file.section_by_name(MAPS) else { return Ok(Vec::new()) };
    let mut slots = Vec::new();
    for (offset, relocation) in section.relocations() {
        let RelocationTarget::Symbol(index) = relocation.target() else { continue };
        let Ok(target) = file.symbol_by_index(index) else { continue };
        if target.kind() != SymbolKind::Text {
            continue;
        }
        let map = file.symbols().find(|map| {
            map.section_index() == Some(section.index())
                && map.kind() == SymbolKind::Data
                && offset.checked_sub(map.address()).is_some_and(|within| within < map.size())
        });
        let map = map.with_context(|| format!("section {MAPS} has a program outside of a map"))?;
        let name = map.name()?;
        let values = values_offset(types, name)
            .with_context(|| format!("map {name} declares no values that it could hold"))?;
        let index = (offset - map.address()).checked_sub(values).map(|within| within / POINTER_LEN);
        let index = index.and_then(|index| u32::try_from(index).ok());
        slots.push(Slot {
            map: name.to_owned(),
            index: index.with_context(|| format!("map {name} has a program before its values"))?,
            program: target.name()?.to_owned(),
        });
    }
    Ok(slots)
}

/// Where the declaration of the map `name` has its values.
fn values_offset(types: &Types, name: &str) -> Option<u64> {
    let members = declaration(types, name)?;
    let values = members.members.iter().find(|member| member.name == "values")?;
    Some(u64::from(values.bit_offset) / 8)
}

/// The struct by which the object declares the map `name`.
pub(crate) fn declaration<'a>(
    types: &'a Types,
    name: &str,
) -> Option<&'a ufunc_gen::btf::Composite<'static>> {
    let target = types.iter().find_map(|(_, ty)| match ty {
        Type::Var { name: found, target, .. } if found == name => Some(*target),
        _ => None,
    })?;
    match types.get(types.unwrapped(target)) {
        Some(Type::Struct(composite)) => Some(composite),
        _ => None,
    }
}

/// The object `bytes` without programs in its program arrays.
pub(crate) fn without_slots(bytes: &[u8]) -> Result<Vec<u8>> {
    /// Where an ELF header says where the section headers are, and how long each is.
    const SECTION_HEADERS: usize = 0x28;
    const SECTION_HEADER_LEN: usize = 0x3a;
    /// Where a section header says how long the section is.
    const SECTION_SIZE: usize = 0x20;
    let file = ElfFile64::<LittleEndian>::parse(bytes).context("failed to read the ELF headers")?;
    let mut changed = bytes.to_owned();
    let Some(section) = file.section_by_name(MAPS_RELOCATIONS) else { return Ok(changed) };
    let data = section.data().context("failed to read the relocations of maps")?;
    let Some((start, _)) = section.file_range() else { return Ok(changed) };
    let mut kept = Vec::new();
    for relocation in data.chunks_exact(RELOCATION_LEN) {
        let symbol =
            u32::from_le_bytes([relocation[12], relocation[13], relocation[14], relocation[15]]);
        let symbol = file.symbol_by_index(object::SymbolIndex(symbol as usize));
        if !symbol.is_ok_and(|symbol| symbol.kind() == SymbolKind::Text) {
            kept.extend_from_slice(relocation);
        }
    }
    let start = usize::try_from(start)?;
    let Some(place) = changed.get_mut(start..start + kept.len()) else {
        bail!("the relocations of maps are cut off")
    };
    place.copy_from_slice(&kept);
    let headers = u64::from_le_bytes(read(bytes, SECTION_HEADERS)?) as usize;
    let length = u16::from_le_bytes(read(bytes, SECTION_HEADER_LEN)?) as usize;
    let at = headers + length * section.index().0 + SECTION_SIZE;
    ensure!(at + 8 <= changed.len(), "the section headers are cut off");
    changed[at..at + 8].copy_from_slice(&(kept.len() as u64).to_le_bytes());
    Ok(changed)
}

fn read<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N]> {
    let found = bytes.get(at..at + N).and_then(|found| found.try_into().ok());
    found.context("the ELF header is cut off")
}

/// Puts the program of that descriptor into its slot.
pub(crate) fn fill(map: &impl MapCore, slot: &Slot, program: i32) -> Result<()> {
    let filled = map.update(&slot.index.to_ne_bytes(), &program.to_ne_bytes(), MapFlags::ANY);
    filled.with_context(|| {
        format!("failed to put program {} into slot {} of {}", slot.program, slot.index, slot.map)
    })
}
