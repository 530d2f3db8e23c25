// SPDX-License-Identifier: MIT OR Apache-2.0
//! The executables and libraries in another process, as they are in its memory: their files may be
//! in another namespace, or gone.

use std::ops::Range;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail, ensure};

use super::memory::{Mapping, Memory};

/// Bytes of an ELF file's header, of a program header, of a symbol.
const HEADER: usize = 64;
const SEGMENT: usize = 56;
const SYMBOL: usize = 24;
/// Types of program headers.
const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;
const PT_GNU_EH_FRAME: u32 = 0x6474_e550;
/// Tags in the dynamic section.
const DT_STRTAB: u64 = 5;
const DT_SYMTAB: u64 = 6;
const DT_STRSZ: u64 = 10;
const DT_SONAME: u64 = 14;
const DT_GNU_HASH: u64 = 0x6fff_fef5;
/// Types of symbols that are functions.
const STT_FUNC: u8 = 2;
const STT_GNU_IFUNC: u8 = 10;
/// Nothing has more.
const MOST: usize = 1 << 20;

/// An executable or library.
#[derive(Clone, Debug)]
pub(super) struct Image {
    pub(super) path: PathBuf,
    pub(super) range: Range<u64>,
    /// What is added to addresses in the file.
    bias: u64,
    /// The parts of the file that are in memory.
    segments: Vec<Range<u64>>,
    dynamic: Option<Range<u64>>,
    /// The index of information for unwinding.
    pub(super) unwinding: Option<Range<u64>>,
}

/// A function that others may call.
#[derive(Clone, Debug)]
pub(super) struct Function {
    pub(super) name: String,
    pub(super) range: Range<u64>,
}

/// All images in a process. What makes no sense is none.
pub(super) fn images(memory: &Memory, mappings: &[Mapping]) -> Vec<Image> {
    let begins = |mapping: &&Mapping| mapping.offset == 0 && mapping.readable;
    let vdso = |mapping: &Mapping| mapping.path.as_os_str() == "[vdso]";
    let file = |mapping: &Mapping| !mapping.file.ends_with(" 0") || vdso(mapping);
    let all = mappings.iter().filter(begins).filter(|mapping| file(mapping));
    all.filter_map(|mapping| image(memory, mapping).ok()).collect()
}

fn image(memory: &Memory, first: &Mapping) -> Result<Image> {
    let base = first.range.start;
    let header = memory.read(base, HEADER)?;
    ensure!(header.starts_with(b"\x7fELF\x02\x01"), "this is no ELF file");
    let (offset, size, count) = (long(&header, 32)?, half(&header, 54)?, half(&header, 56)?);
    ensure!(usize::from(size) == SEGMENT, "its program headers are of another kind");
    let place = base.checked_add(offset).context("its program headers are nowhere")?;
    let headers = memory.read(place, usize::from(count) * SEGMENT)?;
    let parts = |wanted: u32| {
        let all = headers.chunks_exact(SEGMENT);
        all.filter(move |part| word(part, 0).is_ok_and(|kind| kind == wanted)).map(|part| {
            let (address, size) = (long(part, 16)?, long(part, 40)?);
            Ok(address..address.checked_add(size).context("a segment wraps around")?)
        })
    };
    let loaded: Vec<Range<u64>> = parts(PT_LOAD).collect::<Result<_>>()?;
    let lowest = loaded.iter().map(|part| part.start).min().context("nothing of it is loaded")?;
    let bias = base.wrapping_sub(lowest & !0xfff);
    let moved = |part: Range<u64>| part.start.wrapping_add(bias)..part.end.wrapping_add(bias);
    let segments: Vec<_> = loaded.into_iter().map(moved).collect();
    let end = segments.iter().map(|part| part.end).max().unwrap_or(base);
    Ok(Image {
        path: first.path.clone(),
        range: base..end,
        bias,
        segments,
        dynamic: parts(PT_DYNAMIC).next().transpose()?.map(moved),
        unwinding: parts(PT_GNU_EH_FRAME).next().transpose()?.map(moved),
    })
}

impl Image {
    /// The name by which others depend on it.
    pub(super) fn name(&self, memory: &Memory) -> Option<String> {
        let dynamic = self.dynamic(memory).ok()?;
        let place = dynamic.strings.checked_add(dynamic.name?)?;
        memory.text(place).ok()
    }

    /// The parts of the file that are in memory.
    pub(super) fn parts(&self) -> Vec<(u64, u64)> {
        self.segments.iter().map(|part| (part.start, part.end)).collect()
    }

    /// The part of the file that an address is in, from there on.
    pub(super) fn rest(&self, address: u64) -> Option<Range<u64>> {
        let part = self.segments.iter().find(|part| part.contains(&address))?;
        Some(address..part.end)
    }

    /// All functions that it lends to others.
    pub(super) fn functions(&self, memory: &Memory) -> Result<Vec<Function>> {
        let dynamic = self.dynamic(memory)?;
        let count = self.count(memory, dynamic.hashes)?;
        let symbols = memory.read(dynamic.symbols, count * SYMBOL)?;
        let names = memory.read(dynamic.strings, dynamic.strings_size)?;
        let mut functions = Vec::new();
        for symbol in symbols.chunks_exact(SYMBOL) {
            let kind = symbol.get(4).map_or(0, |info| info & 0xf);
            let (section, value, size) = (half(symbol, 6)?, long(symbol, 8)?, long(symbol, 16)?);
            if section == 0 || !matches!(kind, STT_FUNC | STT_GNU_IFUNC) {
                continue;
            }
            let name = names.get(word(symbol, 0)? as usize..).unwrap_or_default();
            let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
            let start = value.wrapping_add(self.bias);
            let range = start..start.saturating_add(size.max(1));
            functions.push(Function { name: String::from_utf8_lossy(name).into_owned(), range });
        }
        Ok(functions)
    }

    /// How many symbols there are: the last of all chains of the table of hashes ends them.
    fn count(&self, memory: &Memory, hashes: u64) -> Result<usize> {
        let header = memory.read(hashes, 16)?;
        let (buckets, first, filter) = (word(&header, 0)?, word(&header, 4)?, word(&header, 8)?);
        ensure!((buckets.max(filter) as usize) < MOST, "it has too many symbols");
        let place = hashes + 16 + u64::from(filter) * 8;
        let chains = place + u64::from(buckets) * 4;
        let bytes = memory.read(place, buckets as usize * 4)?;
        let bucket = |bytes: &[u8]| word(bytes, 0);
        let starts: Vec<u32> = bytes.chunks_exact(4).map(bucket).collect::<Result<_>>()?;
        let Some(mut last) = starts.into_iter().max().filter(|last| *last >= first) else {
            return Ok(first as usize);
        };
        while (last as usize) < MOST {
            let hash = memory.read(chains + u64::from(last - first) * 4, 4)?;
            last += 1;
            if word(&hash, 0)? & 1 != 0 {
                return Ok(last as usize);
            }
        }
        bail!("it has too many symbols")
    }

    fn dynamic(&self, memory: &Memory) -> Result<Dynamic> {
        let range = self.dynamic.clone().context("it has no dynamic section")?;
        let size = (range.end - range.start) as usize;
        ensure!(size < MOST, "its dynamic section is too long");
        let bytes = memory.read(range.start, size)?;
        let entry = |wanted: u64| {
            let mut entries = bytes.chunks_exact(16).map(|entry| (long(entry, 0), long(entry, 8)));
            entries.find_map(|entry| match entry {
                (Ok(tag), Ok(value)) if tag == wanted => Some(value),
                _ => None,
            })
        };
        // The dynamic loader makes addresses of these, but not in an image of the kernel's.
        let address = |tag| {
            let value: u64 = entry(tag)?;
            Some(if self.range.contains(&value) { value } else { value.wrapping_add(self.bias) })
        };
        let strings_size = usize::try_from(entry(DT_STRSZ).context("it has no names")?)?;
        ensure!(strings_size < 64 * MOST, "its names are too long");
        Ok(Dynamic {
            symbols: address(DT_SYMTAB).context("it has no symbols")?,
            strings: address(DT_STRTAB).context("it has no names")?,
            strings_size,
            hashes: address(DT_GNU_HASH).context("its symbols have no hashes")?,
            name: entry(DT_SONAME),
        })
    }
}

/// What a dynamic section says.
struct Dynamic {
    symbols: u64,
    strings: u64,
    strings_size: usize,
    hashes: u64,
    name: Option<u64>,
}

fn half(bytes: &[u8], at: usize) -> Result<u16> {
    Ok(u16::from_le_bytes(array(bytes, at)?))
}

fn word(bytes: &[u8], at: usize) -> Result<u32> {
    Ok(u32::from_le_bytes(array(bytes, at)?))
}

fn long(bytes: &[u8], at: usize) -> Result<u64> {
    Ok(u64::from_le_bytes(array(bytes, at)?))
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N]> {
    let found = bytes.get(at..).and_then(|rest| rest.first_chunk());
    found.copied().context("it is cut off")
}
