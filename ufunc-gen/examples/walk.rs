// SPDX-License-Identifier: MIT OR Apache-2.0
//! `walk FILE`: goes over every entry of a file's debug information with two threads and does
//! nothing with them. What reads DWARF with gimli on two threads can hardly be faster, so this is
//! the floor that `scripts/bench` compares with.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use anyhow::{Context as _, Result, anyhow};
use gimli::{DebugAbbrev, DebugInfo, EndianSlice, LittleEndian, UnitHeader};
use object::{Object as _, ObjectSection as _};

const THREADS: usize = 2;

type Slice<'a> = EndianSlice<'a, LittleEndian>;

fn main() -> Result<()> {
    let path = std::env::args_os().nth(1).map(PathBuf::from).context("usage: walk FILE")?;
    let file =
        std::fs::File::open(&path).with_context(|| format!("failed to open {}", path.display()))?;
    // SAFETY: nobody writes to the file while it is measured; what is read is taken for bytes only.
    let bytes = unsafe { memmap2::Mmap::map(&file)? };
    let object = object::File::parse(&*bytes)?;
    let (info, abbrev) = (section(&object, ".debug_info")?, section(&object, ".debug_abbrev")?);
    let abbrev = DebugAbbrev::new(&abbrev, LittleEndian);
    let mut headers = Vec::new();
    let mut units = DebugInfo::new(&info, LittleEndian).units();
    while let Some(header) = units.next()? {
        headers.push(header);
    }
    println!("{} units, {} entries", headers.len(), walk(&headers, &abbrev)?);
    Ok(())
}

fn section<'a>(object: &object::File<'a>, name: &str) -> Result<Cow<'a, [u8]>> {
    let section = object.section_by_name(name).with_context(|| format!("no section {name}"))?;
    Ok(section.uncompressed_data()?)
}

/// Goes over all units, each thread taking the next one that is left.
fn walk(headers: &[UnitHeader<Slice<'_>>], abbrev: &DebugAbbrev<Slice<'_>>) -> Result<u64> {
    let (next, total) = (AtomicUsize::new(0), AtomicU64::new(0));
    let work = || -> Result<()> {
        while let Some(header) = headers.get(next.fetch_add(1, Ordering::Relaxed)) {
            total.fetch_add(entries(header, abbrev)?, Ordering::Relaxed);
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        threads.into_iter().try_for_each(|thread| {
            thread.join().map_err(|_| anyhow!("a thread panicked")).and_then(|done| done)
        })
    })?;
    Ok(total.into_inner())
}

fn entries(header: &UnitHeader<Slice<'_>>, abbrev: &DebugAbbrev<Slice<'_>>) -> Result<u64> {
    let abbreviations = header.abbreviations(abbrev)?;
    let mut entries = header.entries_raw(&abbreviations, None)?;
    let mut count = 0;
    while !entries.is_empty() {
        if let Some(abbreviation) = entries.read_abbreviation()? {
            entries.skip_attributes(abbreviation.attributes())?;
            count += 1;
        }
    }
    Ok(count)
}
