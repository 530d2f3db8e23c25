// SPDX-License-Identifier: MIT OR Apache-2.0
//! What files say of other files with their debug information.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use gimli::Reader as _;
use object::{Object as _, ObjectSection as _};

use super::Reader;

/// `.gnu_debuglink`: a file with the debug information that was stripped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DebugLink {
    /// Its name, without a folder.
    pub(super) name: PathBuf,
    /// CRC-32 of its contents.
    pub(super) crc: u32,
}

/// `.gnu_debugaltlink` or `.debug_sup` (DWARF 5, 7.3.6): a file with what several share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SupplementaryLink {
    pub(super) name: PathBuf,
    /// Build-id of that file, or what its own `.debug_sup` says.
    pub(super) id: Vec<u8>,
}

fn section<'a>(elf: &object::File<'a>, name: &str) -> Result<Option<Reader<'a>>> {
    let Some(section) = elf.section_by_name(name) else { return Ok(None) };
    let data = section.data().with_context(|| format!("failed to read section {name}"))?;
    let endian = match elf.is_little_endian() {
        true => gimli::RunTimeEndian::Little,
        false => gimli::RunTimeEndian::Big,
    };
    Ok(Some(Reader::new(data, endian)))
}

/// Reads `.gnu_debuglink`, if there is one.
///
/// Fails for a name with a folder: debuggers take no such name, and it could lead anywhere.
pub(super) fn debug_link(elf: &object::File<'_>) -> Result<Option<DebugLink>> {
    let Some(mut input) = section(elf, ".gnu_debuglink")? else { return Ok(None) };
    let read = |input: &mut Reader<'_>| -> Result<DebugLink> {
        let all = input.len();
        let name = input.read_null_terminated_slice()?;
        input.skip((all - input.len()).next_multiple_of(4) - (all - input.len()))?;
        let name = path(&name);
        let shown = name.display();
        ensure!(
            name.file_name() == Some(name.as_os_str()),
            "the name {shown:?} is not that of a file without a folder"
        );
        Ok(DebugLink { crc: input.read_u32()?, name })
    };
    read(&mut input).context("bad section .gnu_debuglink").map(Some)
}

/// Reads which file supplements this one, if there is one.
pub(super) fn supplementary_link(elf: &object::File<'_>) -> Result<Option<SupplementaryLink>> {
    if let Some(mut input) = section(elf, ".gnu_debugaltlink")? {
        let name = input.read_null_terminated_slice().context("bad section .gnu_debugaltlink")?;
        let name = path(&name);
        ensure!(!name.as_os_str().is_empty(), "bad section .gnu_debugaltlink: it names no file");
        return Ok(Some(SupplementaryLink { name, id: input.slice().to_vec() }));
    }
    let sup = debug_sup(elf)?;
    Ok(sup.filter(|sup| !sup.is_supplementary).map(|sup| sup.link))
}

/// What `.debug_sup` says of a supplementary file's own identity, if it is one.
pub(super) fn supplementary_id(elf: &object::File<'_>) -> Result<Option<Vec<u8>>> {
    let sup = debug_sup(elf)?;
    Ok(sup.filter(|sup| sup.is_supplementary).map(|sup| sup.link.id))
}

struct DebugSup {
    is_supplementary: bool,
    link: SupplementaryLink,
}

fn debug_sup(elf: &object::File<'_>) -> Result<Option<DebugSup>> {
    let Some(mut input) = section(elf, ".debug_sup")? else { return Ok(None) };
    let read = |input: &mut Reader<'_>| -> Result<DebugSup> {
        let version = input.read_u16()?;
        ensure!(version == 5, "version {version} is not known");
        let is_supplementary = input.read_u8()? != 0;
        let name = path(&input.read_null_terminated_slice()?);
        let len = usize::try_from(input.read_uleb128()?)?;
        let id = input.split(len)?.slice().to_vec();
        Ok(DebugSup { is_supplementary, link: SupplementaryLink { name, id } })
    };
    read(&mut input).context("bad section .debug_sup").map(Some)
}

fn path(name: &Reader<'_>) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(name.slice()))
}

/// Bytes as they are written in the names of files: `0a1b2c`.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
