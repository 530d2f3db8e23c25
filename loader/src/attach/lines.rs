// SPDX-License-Identifier: MIT OR Apache-2.0
//! The source lines of a binary's instructions, from its debug information.

use std::collections::BTreeMap;

use anyhow::Result;
use ufunc_gen::debugfile::{DebugFiles, Reader, Search};
use ufunc_gen::elf::HostFile;

/// `file:line`, by address.
pub(crate) type Lines = BTreeMap<u64, String>;

/// The lines at `addresses`, as far as the debug information of `file` says them.
pub(crate) fn source_lines(file: &HostFile, addresses: &[u64]) -> Lines {
    let mut lines = Lines::new();
    // Without debug information there are no lines, which is nothing to fail for.
    let _ = read(file, addresses, &mut lines);
    lines
}

fn read(file: &HostFile, addresses: &[u64], lines: &mut Lines) -> Result<()> {
    let host = file.parse()?;
    let files = DebugFiles::find(&host, &Search::default())?;
    let sections = files.load()?;
    let dwarf = sections.main_with_lines()?;
    let mut units = dwarf.units();
    while let Some(header) = units.next()? {
        // One damaged unit says nothing of the others.
        let Ok(unit) = dwarf.unit(header) else { continue };
        let wanted = wanted_of(&dwarf, &unit, addresses).unwrap_or_default();
        if !wanted.is_empty() {
            let _ = read_unit(&dwarf, &unit, &wanted, lines);
        }
        if lines.len() == addresses.len() {
            break;
        }
    }
    Ok(())
}

/// Those of `addresses` whose code is of `unit`.
fn wanted_of<'a>(
    dwarf: &gimli::Dwarf<Reader<'a>>,
    unit: &gimli::Unit<Reader<'a>>,
    addresses: &[u64],
) -> gimli::Result<Vec<u64>> {
    let mut wanted = Vec::new();
    let mut ranges = dwarf.unit_ranges(unit)?;
    while let Some(range) = ranges.next()? {
        let within = |address: &&u64| (range.begin..range.end).contains(*address);
        wanted.extend(addresses.iter().filter(within));
    }
    Ok(wanted)
}

fn read_unit<'a>(
    dwarf: &gimli::Dwarf<Reader<'a>>,
    unit: &gimli::Unit<Reader<'a>>,
    wanted: &[u64],
    lines: &mut Lines,
) -> gimli::Result<()> {
    let Some(program) = unit.line_program.clone() else { return Ok(()) };
    let mut rows = program.rows();
    // A row holds up to the next one of its sequence.
    let mut last = None;
    while let Some((header, row)) = rows.next_row()? {
        if let Some((start, line, file)) = last {
            for address in wanted.iter().filter(|at| (start..row.address()).contains(*at)) {
                if let Some(file) = header.file(file) {
                    let name = file_name(dwarf, unit, header, file)?;
                    lines.insert(*address, format!("{name}:{line}"));
                }
            }
        }
        last = match row.line() {
            Some(line) if !row.end_sequence() => Some((row.address(), line, row.file_index())),
            _ => None,
        };
    }
    Ok(())
}

/// The file's name below the folder that it was compiled in.
fn file_name<'a>(
    dwarf: &gimli::Dwarf<Reader<'a>>,
    unit: &gimli::Unit<Reader<'a>>,
    header: &gimli::LineProgramHeader<Reader<'a>>,
    file: &gimli::FileEntry<Reader<'a>>,
) -> gimli::Result<String> {
    let text = |value| {
        Ok::<_, gimli::Error>(
            String::from_utf8_lossy(dwarf.attr_string(unit, value)?.slice()).into_owned(),
        )
    };
    let name = text(file.path_name())?;
    match file.directory(header) {
        Some(folder) if file.directory_index() != 0 => Ok(format!("{}/{name}", text(folder)?)),
        _ => Ok(name),
    }
}
