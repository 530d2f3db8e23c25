// SPDX-License-Identifier: MIT OR Apache-2.0
//! Room for stubs, near enough to the functions that jump to them.
//!
//! Stubs are packed into small areas. An area is readable and executable from its beginning to its
//! end: stubs are written as code is ([`crate::text`]). Room is never given back, for a thread may
//! be in a stub for as long as it likes.

use std::io;
use std::ops::Range;

use anyhow::{Context as _, Result, ensure};
use ufunc_shared::placement::Placement;

use crate::maps;

/// Bytes of an area, if there is room.
const AREA: u64 = 1 << 16;
const PAGE: u64 = 4096;
/// The lowest address used: the kernel keeps what is below from everybody.
const LOWEST: u64 = 1 << 20;
/// Where the kernel's half begins.
const HIGHEST: u64 = 1 << 47;
/// How far apart places are tried: as far as those that differ in the highest byte of a distance.
const STEP: u64 = 1 << 24;
/// What is left to the heap to grow.
const HEAP: u64 = 1 << 30;

/// Areas of stubs.
#[derive(Debug, Default)]
pub(crate) struct Areas(Vec<Area>);

#[derive(Debug)]
struct Area {
    pages: Range<u64>,
    /// What is taken, by address.
    taken: Vec<Range<u64>>,
}

impl Areas {
    pub(crate) const fn new() -> Self {
        Self(Vec::new())
    }

    /// Takes `size` bytes where `placement` allows it.
    pub(crate) fn take(&mut self, placement: &Placement, size: u64) -> Result<u64> {
        for area in &mut self.0 {
            if let Some(address) = area.take(placement, size) {
                return Ok(address);
            }
        }
        let mut area = map(placement, size)?;
        let address = area.take(placement, size).context("a new area has no room")?;
        self.0.push(area);
        Ok(address)
    }

    /// Whether all of `range` was taken in one piece.
    pub(crate) fn is_taken(&self, range: &Range<u64>) -> bool {
        let mut taken = self.0.iter().flat_map(|area| &area.taken);
        taken.any(|taken| taken.start <= range.start && range.end <= taken.end)
    }
}

impl Area {
    fn take(&mut self, placement: &Placement, size: u64) -> Option<u64> {
        let mut from = self.pages.start;
        for (index, end) in
            self.taken.iter().map(|taken| taken.start).chain([self.pages.end]).enumerate()
        {
            let address = placement.next(from)?;
            if address.checked_add(size)? <= end {
                self.taken.insert(index, address..address + size);
                return Some(address);
            }
            from = self.taken.get(index).map_or(end, |taken| taken.end);
        }
        None
    }
}

/// Maps a new area that has a place, as near as can be.
fn map(placement: &Placement, size: u64) -> Result<Area> {
    let gaps = gaps(&maps::read()?);
    let mut places: Vec<(u64, Range<u64>)> = Vec::new();
    for gap in gaps {
        // The nearest in a gap is at one of its ends; below the function the last is unknown, so
        // the gap is tried in steps.
        let mut from = gap.start;
        while let Some(address) = placement.next(from).filter(|address| *address < gap.end) {
            let start = address & !(PAGE - 1);
            let least = (address + size).next_multiple_of(PAGE);
            let end = (start + AREA).max(least).min(gap.end);
            if least <= gap.end {
                places.push((address.abs_diff(placement.anchor()), start..end));
            }
            from = address.saturating_add(STEP);
        }
    }
    places.sort_by_key(|(distance, _)| *distance);
    let protection = libc::PROT_READ | libc::PROT_EXEC;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE;
    let mut refused = None;
    for (_, pages) in places {
        let length = (pages.end - pages.start) as usize;
        // SAFETY: replaces nothing: the kernel refuses where something is.
        let mapped = unsafe { libc::mmap(pages.start as *mut _, length, protection, flags, -1, 0) };
        if mapped as u64 == pages.start {
            return Ok(Area { pages, taken: Vec::new() });
        }
        refused = Some(io::Error::last_os_error());
        if mapped != libc::MAP_FAILED {
            // SAFETY: an old kernel took the address for a hint; the pages are nobody's.
            unsafe { libc::munmap(mapped, length) };
        }
    }
    let refused = refused.map_or(String::new(), |error| format!(": {error}"));
    ensure!(refused.is_empty(), "no stub can be put near {:#x}{refused}", placement.anchor());
    anyhow::bail!("there is no free memory near {:#x} for a stub", placement.anchor())
}

/// What is free, but for where the heap is about to grow.
fn gaps(mappings: &[maps::Mapping]) -> Vec<Range<u64>> {
    let mut gaps = Vec::new();
    let mut from = LOWEST;
    for mapping in mappings {
        if from < mapping.start {
            gaps.push(from..mapping.start.min(HIGHEST));
        }
        from = from.max(mapping.end + if mapping.heap { HEAP } else { 0 });
    }
    gaps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stubs_do_not_overlap_and_lie_where_they_may() {
        let mut areas = Areas::new();
        let anchor = stubs_do_not_overlap_and_lie_where_they_may as fn() as usize as u64;
        let mut all: Vec<Range<u64>> = Vec::new();
        for round in 0..200u64 {
            let bytes = (0..4).filter(|byte| round >> byte & 1 != 0);
            let placement = bytes.fold(Placement::near(anchor + round * 16), Placement::trapping);
            let address = areas.take(&placement, 200 + round).unwrap();
            assert!(placement.allows(address));
            let range = address..address + 200 + round;
            assert!(areas.is_taken(&range) && !areas.is_taken(&(range.start..range.end + 5_000)));
            assert!(all.iter().all(|other| other.end <= range.start || range.end <= other.start));
            all.push(range);
        }
        assert!(areas.0.len() < 100, "{}", areas.0.len());
    }

    #[test]
    fn the_heap_may_grow() {
        let mapping = |start, end, heap| maps::Mapping { start, end, protection: 0, heap };
        let all = [mapping(LOWEST, 2 * LOWEST, true), mapping(HEAP, HEAP + LOWEST, false)];
        assert!(gaps(&all).is_empty());
    }
}
