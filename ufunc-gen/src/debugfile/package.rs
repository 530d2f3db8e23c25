// SPDX-License-Identifier: MIT OR Apache-2.0
//! Packages of `.dwo` files (`.dwp`): the format of DWARF 5 (7.3.5), and the one that GNU and LLVM
//! had before.
//!
//! An index says which part of each section was a unit's. Units that were in the same `.dwo` file
//! have the same abbreviations and strings, and are put together again here, types included: so a
//! package becomes as many parts as there were files, and not as many as there are types.

use std::collections::HashMap;
use std::ops::Range;

use anyhow::{Context as _, Result, ensure};
use gimli::{DebugCuIndex, DebugTuIndex, DwoId, Reader as _, SectionId, UnitIndex};

use super::Reader;
use super::dwo::{DwoPart, IdReader};
use super::image::{Bytes, ESSENTIAL, Image, Naming};
use crate::elf::HostFile;

/// Times that contributions may cover a section: older ones of LLVM have types twice.
const MAX_COVER: usize = 2;

/// The units of a package that are wanted, and all types in it.
#[derive(Debug)]
pub(super) struct Package {
    image: Image<'static>,
    members: Vec<Member>,
}

/// What was one `.dwo` file.
#[derive(Debug, Default)]
struct Member {
    /// Its part of each section, but for those below.
    ranges: HashMap<SectionId, Range<usize>>,
    /// Its units in `.debug_info.dwo` and `.debug_types.dwo`.
    info: Units,
    types: Units,
    skeletons: Vec<usize>,
}

/// Units of one section.
#[derive(Debug, Default)]
struct Units {
    ranges: Vec<Range<usize>>,
    /// One after the other, if they are not so in the section.
    joined: Option<Vec<u8>>,
}

/// What the index says of one unit.
type Row = HashMap<SectionId, Range<usize>>;

impl Package {
    /// Reads the package in `file`, and takes the ids of the units that it has away from `wanted`.
    ///
    /// `wanted` has the places of skeletons by their ids.
    pub(super) fn new(file: HostFile, wanted: &mut HashMap<u64, Vec<usize>>) -> Result<Package> {
        let shown = file.path().display().to_string();
        let image = Image::new(Bytes::Mapped(file), shown, Naming::Split)?;
        image.load_essential(true)?;
        let others = [SectionId::DebugLine, SectionId::DebugCuIndex, SectionId::DebugTuIndex];
        image.load(&others, true)?;
        let members = members(&image, wanted)
            .with_context(|| format!("failed to read the package {}", image.shown()))?;
        Ok(Package { image, members })
    }

    /// What were `.dwo` files.
    pub(super) fn parts<'s>(
        &'s self,
        parent: &gimli::Dwarf<Reader<'s>>,
    ) -> impl Iterator<Item = DwoPart<'s>> {
        self.members.iter().map(|member| {
            let mut dwarf = dwarf(|id| match id {
                SectionId::DebugInfo => member.info.reader(self.image.loaded(id)),
                SectionId::DebugTypes => member.types.reader(self.image.loaded(id)),
                _ => part(&self.image, id, &member.ranges),
            });
            dwarf.make_dwo(parent);
            let skeletons = member.skeletons.clone();
            DwoPart { dwarf, shown: self.image.shown(), skeletons }
        })
    }
}

/// `id` as far as `row` has it.
fn part<'s>(image: &'s Image<'_>, id: SectionId, row: &Row) -> Reader<'s> {
    let whole = image.loaded(id);
    match (id, row.get(&id)) {
        // Strings are shared by all units.
        (SectionId::DebugStr, _) => whole,
        (_, Some(range)) => whole.range(range.clone()),
        (_, None) => whole.range(0..0),
    }
}

fn dwarf<'s>(section: impl Fn(SectionId) -> Reader<'s>) -> gimli::Dwarf<Reader<'s>> {
    let load = |id| Ok::<_, std::convert::Infallible>(section(id));
    let mut dwarf = match gimli::Dwarf::load(load) {
        Ok(dwarf) => dwarf,
        Err(never) => match never {},
    };
    dwarf.file_type = gimli::DwarfFileType::Dwo;
    dwarf
}

fn members(image: &Image<'_>, wanted: &mut HashMap<u64, Vec<usize>>) -> Result<Vec<Member>> {
    let index = |id| image.loaded(id);
    let units = DebugCuIndex::from(index(SectionId::DebugCuIndex))
        .index()
        .context("bad section .debug_cu_index")?;
    let types = DebugTuIndex::from(index(SectionId::DebugTuIndex))
        .index()
        .context("bad section .debug_tu_index")?;
    let units = rows(image, &units).context("bad section .debug_cu_index")?;
    let types = rows(image, &types).context("bad section .debug_tu_index")?;
    check_cover(image, units.iter().chain(&types))?;

    let mut members = Members::default();
    let mut reader = IdReader::new(image.loaded(SectionId::DebugAbbrev).len());
    for row in units {
        let ids = reader.ids(&dwarf(|id| part(image, id, &row)))?;
        let skeletons: Vec<usize> =
            ids.iter().filter_map(|DwoId(id)| wanted.remove(id)).flatten().collect();
        if !skeletons.is_empty() {
            members.add(row).skeletons.extend(skeletons);
        }
    }
    for row in types {
        members.add(row);
    }
    let mut members = members.list;
    for member in &mut members {
        member.info.join(image.loaded(SectionId::DebugInfo).slice());
        member.types.join(image.loaded(SectionId::DebugTypes).slice());
    }
    Ok(members)
}

/// All rows of an index, each of which was found to be within its sections.
fn rows(image: &Image<'_>, index: &UnitIndex<Reader<'_>>) -> Result<Vec<Row>> {
    let rows = (1..=index.unit_count()).map(|number| {
        let mut row = Row::new();
        for section in index.sections(number)? {
            let id = section.section.section_id();
            let (start, size) = (section.offset as usize, section.size as usize);
            let is_read = ESSENTIAL.contains(&id) || id == SectionId::DebugLine;
            if size == 0 || !is_read {
                continue;
            }
            let whole = image.loaded(id).len();
            ensure!(
                start.checked_add(size).is_some_and(|end| end <= whole),
                "row {number} has {size:#x} bytes at offset {start:#x} of {}, which is {whole:#x} bytes long",
                image.name(id)
            );
            row.insert(id, start..start + size);
        }
        Ok(row)
    });
    rows.collect()
}

/// Fails if units overlap so much that reading them all would take forever.
fn check_cover<'r>(image: &Image<'_>, rows: impl Iterator<Item = &'r Row>) -> Result<()> {
    let mut covered = HashMap::<SectionId, usize>::new();
    for row in rows {
        for id in [SectionId::DebugInfo, SectionId::DebugTypes] {
            let Some(range) = row.get(&id) else { continue };
            let covered = covered.entry(id).or_default();
            *covered = covered.saturating_add(range.len());
            ensure!(
                *covered <= image.loaded(id).len().saturating_mul(MAX_COVER),
                "the units in {} overlap",
                image.name(id)
            );
        }
    }
    Ok(())
}

/// Members, by what they have in common.
#[derive(Default)]
struct Members {
    list: Vec<Member>,
    places: HashMap<[Option<(usize, usize)>; 2], usize>,
}

impl Members {
    /// Adds the unit in `row` to the member that it belongs to.
    fn add(&mut self, mut row: Row) -> &mut Member {
        let key = [SectionId::DebugAbbrev, SectionId::DebugStrOffsets]
            .map(|id| row.get(&id).map(|range| (range.start, range.end)));
        let place = *self.places.entry(key).or_insert_with(|| {
            self.list.push(Member::default());
            self.list.len() - 1
        });
        let member = &mut self.list[place];
        member.info.ranges.extend(row.remove(&SectionId::DebugInfo));
        member.types.ranges.extend(row.remove(&SectionId::DebugTypes));
        for (id, range) in row {
            member.ranges.entry(id).or_insert(range);
        }
        member
    }
}

impl Units {
    /// Puts all ranges of `section` together.
    fn join(&mut self, section: &[u8]) {
        self.ranges.sort_unstable_by_key(|range| (range.start, range.end));
        let mut merged = Vec::<Range<usize>>::new();
        for range in self.ranges.drain(..) {
            match merged.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                _ => merged.push(range),
            }
        }
        self.ranges = merged;
        if self.ranges.len() > 1 {
            let pieces: Vec<&[u8]> =
                self.ranges.iter().filter_map(|range| section.get(range.clone())).collect();
            self.joined = Some(pieces.concat());
        }
    }

    fn reader<'s>(&'s self, section: Reader<'s>) -> Reader<'s> {
        match (&self.joined, self.ranges.as_slice()) {
            (Some(joined), _) => Reader::new(joined, section.endian()),
            (None, [range]) => section.range(range.clone()),
            (None, _) => section.range(0..0),
        }
    }
}
