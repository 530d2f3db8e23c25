// SPDX-License-Identifier: MIT OR Apache-2.0
//! What an object's `.BTF.ext` says of its instructions; its form is in the kernel's
//! `Documentation/bpf/btf.rst`.

/// One of the tables in there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Table {
    /// Where the header has the table's offset and length.
    place: [usize; 2],
    /// Bytes of a record that are known; there may be more.
    record_len: usize,
}

/// The source lines of instructions: the instruction in bytes, the file, the line's text, line and
/// column.
pub(crate) const LINES: Table = Table { place: [16, 20], record_len: 16 };
/// What is to be fitted to types (CO-RE).
pub(crate) const RELOCATIONS: Table = Table { place: [24, 28], record_len: 16 };

/// Where the header of BTF has offset and length of its strings.
const STRINGS: [usize; 2] = [16, 20];

/// The records of `table` in `ext`, each with the section that it is about; `btf` has the names.
/// `None` if something is cut off.
pub(crate) fn records<'e>(
    ext: &'e [u8],
    btf: &[u8],
    table: &Table,
) -> Option<Vec<(String, &'e [u8])>> {
    let part = part(ext, table.place)?;
    let mut found = Vec::new();
    if part.is_empty() {
        return Some(found);
    }
    let record_len = word(part, 0)? as usize;
    let mut at = 4;
    while at < part.len() {
        let section = string(btf, word(part, at)?)?;
        let records_len = (word(part, at + 4)? as usize).checked_mul(record_len)?;
        at += 8;
        let records = part.get(at..at.checked_add(records_len)?)?;
        at += records_len;
        if record_len >= table.record_len {
            let records = records.chunks_exact(record_len);
            found.extend(records.map(|record| (section.clone(), record)));
        }
    }
    Some(found)
}

/// The string at `offset` of those that `btf` has.
pub(crate) fn string(btf: &[u8], offset: u32) -> Option<String> {
    let strings = part(btf, STRINGS)?;
    let text = strings.get(offset as usize..)?.split(|byte| *byte == 0).next()?;
    Some(String::from_utf8_lossy(text).into_owned())
}

/// The part of `bytes` whose offset and length the header, which BTF and `.BTF.ext` both begin
/// with, has at the offsets `place`.
fn part(bytes: &[u8], place: [usize; 2]) -> Option<&[u8]> {
    const HEADER_LEN: usize = 4;
    let header_len = word(bytes, HEADER_LEN)? as usize;
    let [offset, len] = place.map(|at| word(bytes, at));
    let start = header_len.checked_add(offset? as usize)?;
    bytes.get(start..start.checked_add(len? as usize)?)
}

/// The number at `at`.
pub(crate) fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}
