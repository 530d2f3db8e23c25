// SPDX-License-Identifier: MIT OR Apache-2.0
//! The slots of the procedure linkage table (PLT), through which a file calls the functions of
//! other files.
//!
//! A slot is a jump to the address that the dynamic linker stored for the function. Which function
//! that is, the relocation of the stored address says.

use std::collections::HashMap;

use anyhow::{Context as _, Result};
use object::{
    Architecture, Object as _, ObjectSection as _, ObjectSymbol as _, ObjectSymbolTable as _,
    RelocationTarget,
};

/// Sections with slots; the first is the one that is called where there are two.
const SECTIONS: [&str; 3] = [".plt.sec", ".plt.got", ".plt"];
/// `jmp *offset(%rip)` on x86-64: these bytes, and 32 bits of offset.
const JUMP: [u8; 2] = [0xff, 0x25];
/// Bytes of that instruction.
const JUMP_LEN: usize = 6;
/// Bytes of a slot where the section does not say it.
const SLOT_LEN: u64 = 16;

/// The address of `elf`'s slot for `function`; `None` if it has none, or if the architecture's
/// slots are not known here.
pub(crate) fn slot(elf: &object::File<'_>, function: &str) -> Result<Option<u64>> {
    let slots = slots(elf)?;
    Ok(slots.into_iter().find(|(_, name)| *name == function).map(|(address, _)| address))
}

/// The function that the slot at `address` is for.
pub(crate) fn name_at<'a>(elf: &object::File<'a>, address: u64) -> Option<&'a str> {
    slots(elf).ok()?.into_iter().find(|(slot, _)| *slot == address).map(|(_, name)| name)
}

/// Address and function of each slot.
fn slots<'a>(elf: &object::File<'a>) -> Result<Vec<(u64, &'a str)>> {
    let mut found = Vec::new();
    if elf.architecture() != Architecture::X86_64 {
        return Ok(found);
    }
    let stored = stored_addresses(elf);
    for name in SECTIONS {
        let Some(section) = elf.section_by_name(name) else { continue };
        let code = section.data().with_context(|| format!("failed to read section {name}"))?;
        let start = section.address();
        for at in memchr::memmem::find_iter(code, &JUMP) {
            let Some(offset) = code.get(at + JUMP.len()..at + JUMP_LEN) else { continue };
            let offset = offset.try_into().map(i32::from_le_bytes).unwrap_or_default();
            let next = start.wrapping_add((at + JUMP_LEN) as u64);
            let target = next.wrapping_add_signed(offset.into());
            if let Some(function) = stored.get(&target) {
                found.push((start.wrapping_add(slot_start(&section, code, at)), *function));
            }
        }
    }
    Ok(found)
}

/// Where the slot begins whose jump is `at` bytes into the section: there, or where the mark of a
/// target of indirect jumps (`endbr64`) or a prefix comes before it.
fn slot_start(section: &object::Section<'_, '_>, code: &[u8], at: usize) -> u64 {
    let entry_size = match section.flags() {
        object::SectionFlags::Elf { .. } if section.name().is_ok_and(|name| name == ".plt.got") => {
            // 8 bytes each, or 16 where they have the mark.
            if code.starts_with(&[0xf3, 0x0f, 0x1e, 0xfa]) { SLOT_LEN } else { SLOT_LEN / 2 }
        }
        _ => SLOT_LEN,
    };
    at as u64 / entry_size * entry_size
}

/// The functions of other files, by the address where the dynamic linker stores theirs.
fn stored_addresses<'a>(elf: &object::File<'a>) -> HashMap<u64, &'a str> {
    let mut stored = HashMap::new();
    let (Some(relocations), Some(symbols)) =
        (elf.dynamic_relocations(), elf.dynamic_symbol_table())
    else {
        return stored;
    };
    for (address, relocation) in relocations {
        let RelocationTarget::Symbol(index) = relocation.target() else { continue };
        let Ok(symbol) = symbols.symbol_by_index(index) else { continue };
        if let Ok(name) = symbol.name() {
            stored.insert(address, name);
        }
    }
    stored
}
