// SPDX-License-Identifier: MIT OR Apache-2.0
//! The debug sections of one file, decompressed and relocated.

use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, Result, ensure};
use gimli::{RunTimeEndian, SectionId};
use object::{CompressionFormat, Object as _, ObjectSection as _, SectionIndex};

use super::layout::Layout;
use super::relocate::Relocator;
use super::{Reader, decompress, parallel};
use crate::elf::{HostFile, is_relocatable, parse_elf};

/// A file in memory.
#[derive(Debug)]
pub(super) enum Bytes<'a> {
    Borrowed(&'a [u8]),
    Mapped(HostFile),
}

impl Bytes<'_> {
    pub(super) fn as_slice(&self) -> &[u8] {
        match self {
            Bytes::Borrowed(bytes) => bytes,
            Bytes::Mapped(file) => file.bytes(),
        }
    }
}

/// How the sections are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Naming {
    /// `.debug_info`, `.debug_str` …
    Whole,
    /// `.debug_info.dwo`, `.debug_str.dwo` …: a `.dwo` file, or a package of them.
    Split,
}

impl Naming {
    fn name(self, id: SectionId) -> Option<&'static str> {
        match self {
            Naming::Whole => Some(id.name()),
            Naming::Split => id.dwo_name(),
        }
    }
}

/// The sections that every reader needs.
pub(super) const ESSENTIAL: [SectionId; 9] = [
    SectionId::DebugInfo,
    SectionId::DebugTypes,
    SectionId::DebugStr,
    SectionId::DebugAbbrev,
    SectionId::DebugLineStr,
    SectionId::DebugStrOffsets,
    SectionId::DebugAddr,
    SectionId::DebugRngLists,
    SectionId::DebugRanges,
];

/// Sections that are read when they are asked for.
const OTHERS: [SectionId; 9] = [
    SectionId::DebugLine,
    SectionId::DebugLoc,
    SectionId::DebugLocLists,
    SectionId::DebugAranges,
    SectionId::DebugMacinfo,
    SectionId::DebugMacro,
    SectionId::DebugNames,
    SectionId::DebugCuIndex,
    SectionId::DebugTuIndex,
];

/// Contents of a section.
#[derive(Debug)]
enum Contents {
    /// As they are in the file.
    InFile(Range<usize>),
    Made(Vec<u8>),
}

/// The debug sections of one file.
#[derive(Debug)]
pub(super) struct Image<'a> {
    file: Bytes<'a>,
    shown: String,
    naming: Naming,
    endian: RunTimeEndian,
    is_linked: bool,
    /// Bytes in sections that are not as they are in the file, or were to be.
    made: AtomicU64,
    /// Those of [`ESSENTIAL`], then [`OTHERS`].
    sections: [OnceLock<Contents>; ESSENTIAL.len() + OTHERS.len()],
}

/// A section of the file that is to be loaded.
struct Job {
    id: SectionId,
    /// More than one only in objects that are not linked yet.
    pieces: Vec<SectionIndex>,
    /// Bytes in the file.
    size: u64,
    /// Whether a piece is compressed.
    is_compressed: bool,
}

impl<'a> Image<'a> {
    /// The sections of `file`, none of which is loaded yet; `shown` names it in messages.
    pub(super) fn new(file: Bytes<'a>, shown: String, naming: Naming) -> Result<Self> {
        let elf = parse_elf(&shown, file.as_slice())?;
        let endian = match elf.is_little_endian() {
            true => RunTimeEndian::Little,
            false => RunTimeEndian::Big,
        };
        let is_linked = !is_relocatable(&elf);
        let (made, sections) = (AtomicU64::new(0), Default::default());
        Ok(Image { file, shown, naming, endian, is_linked, made, sections })
    }

    /// Whether a linker made the file.
    pub(super) fn is_linked(&self) -> bool {
        self.is_linked
    }

    /// Where the file is, for messages.
    pub(super) fn shown(&self) -> &str {
        &self.shown
    }

    /// Loads the sections that every reader needs, several at a time if `parallel` is set.
    pub(super) fn load_essential(&self, parallel: bool) -> Result<()> {
        self.load(&ESSENTIAL, parallel)
    }

    /// Loads the sections `ids`. Those that the file does not have are empty.
    pub(super) fn load(&self, ids: &[SectionId], parallel: bool) -> Result<()> {
        let context = || format!("failed to read the debug information of {}", self.shown);
        let elf = parse_elf(&self.shown, self.file.as_slice())?;
        let mut jobs = self.jobs(&elf, ids);
        // What takes longest is begun first.
        jobs.sort_by_key(|job| std::cmp::Reverse(job.size));
        let relocator = is_relocatable(&elf).then(|| {
            let layout = Layout::new(&elf);
            Relocator::new(&elf, self.endian, &layout)
        });
        let work = |job: &Job| {
            let made = self.contents(&elf, job, relocator.as_ref());
            made.with_context(|| format!("failed to read section {}", self.name(job.id)))
        };
        // To find sections in the file takes less than to begin a thread.
        let takes_long = relocator.is_some() || jobs.iter().any(|job| job.is_compressed);
        let made = match parallel && takes_long {
            true => parallel::map(&jobs, work),
            false => jobs.iter().map(work).collect(),
        };
        for (job, contents) in jobs.iter().zip(made) {
            let contents = contents.with_context(context)?;
            if let Some(place) = self.place(job.id) {
                // Somebody else may have loaded the same meanwhile.
                let _ = place.set(contents);
            }
        }
        Ok(())
    }

    /// The section's name in this file, for messages.
    pub(super) fn name(&self, id: SectionId) -> &'static str {
        self.naming.name(id).unwrap_or(id.name())
    }

    fn place(&self, id: SectionId) -> Option<&OnceLock<Contents>> {
        let index = ESSENTIAL.iter().chain(&OTHERS).position(|known| *known == id)?;
        self.sections.get(index)
    }

    /// Finds the sections `ids` that are not loaded yet.
    fn jobs(&self, elf: &object::File<'_>, ids: &[SectionId]) -> Vec<Job> {
        let wanted = |id: &SectionId| self.place(*id).is_some_and(|place| place.get().is_none());
        let mut jobs = Vec::new();
        let mut names = Vec::new();
        for id in ids.iter().copied().filter(wanted) {
            if let Some(name) = self.naming.name(id) {
                jobs.push(Job { id, pieces: Vec::new(), size: 0, is_compressed: false });
                names.push(name);
            }
        }
        let is_linked = !is_relocatable(elf);
        for section in elf.sections() {
            let Ok(name) = section.name() else { continue };
            let Some(index) = names.iter().position(|wanted| is_called(name, wanted)) else {
                continue;
            };
            let job = &mut jobs[index];
            // A linked file has one of each; a second one is not what anybody else would read.
            if is_linked && !job.pieces.is_empty() {
                continue;
            }
            job.pieces.push(section.index());
            job.size = job.size.saturating_add(section.size());
            let range = section.compressed_file_range();
            job.is_compressed |= range.is_ok_and(|range| range.format != CompressionFormat::None);
        }
        jobs
    }

    fn contents(
        &self,
        elf: &object::File<'_>,
        job: &Job,
        relocator: Option<&Relocator>,
    ) -> Result<Contents> {
        let file = self.file.as_slice();
        let mut whole: Option<Vec<u8>> = None;
        for &index in &job.pieces {
            let section = elf.section_by_index(index)?;
            let data = section.compressed_data()?;
            let is_relocated = relocator.is_some() && section.relocations().next().is_some();
            let is_plain = data.format == CompressionFormat::None;
            if is_plain && !is_relocated && job.pieces.len() == 1 {
                let start = section.compressed_file_range()?.offset as usize;
                return Ok(Contents::InFile(start..start.saturating_add(data.data.len())));
            }
            let made = self.made.fetch_add(data.uncompressed_size, Ordering::Relaxed);
            decompress::check_size(&data, made, file.len())?;
            let mut bytes = match is_plain {
                true => data.data.to_vec(),
                false => decompress::decompress(&data)?,
            };
            if let Some(relocator) = relocator {
                relocator.apply(&section, &mut bytes)?;
            }
            match &mut whole {
                Some(whole) => {
                    whole.try_reserve(bytes.len())?;
                    whole.append(&mut bytes);
                }
                None => whole = Some(bytes),
            }
        }
        Ok(Contents::Made(whole.unwrap_or_default()))
    }

    /// The section `id` as far as it is loaded; else it is empty.
    pub(super) fn loaded(&self, id: SectionId) -> Reader<'_> {
        let bytes = match self.place(id).and_then(OnceLock::get) {
            Some(Contents::InFile(range)) => {
                self.file.as_slice().get(range.clone()).unwrap_or_default()
            }
            Some(Contents::Made(bytes)) => bytes,
            None => &[],
        };
        Reader::new(bytes, self.endian)
    }

    /// The section `id`, loaded now if need be.
    pub(super) fn section(&self, id: SectionId) -> Result<Reader<'_>> {
        self.load(&[id], false)?;
        Ok(self.loaded(id))
    }

    /// All sections that are loaded, for gimli.
    pub(super) fn dwarf(&self) -> gimli::Dwarf<Reader<'_>> {
        let load = |id| Ok::<_, std::convert::Infallible>(self.loaded(id));
        let mut dwarf = match gimli::Dwarf::load(load) {
            Ok(dwarf) => dwarf,
            Err(never) => match never {},
        };
        if self.naming == Naming::Split {
            dwarf.file_type = gimli::DwarfFileType::Dwo;
        }
        dwarf
    }

    /// Fails if the file has no entries at all.
    pub(super) fn require_entries(&self) -> Result<()> {
        let ids = [SectionId::DebugInfo, SectionId::DebugTypes];
        ensure!(
            ids.iter().any(|&id| !self.loaded(id).is_empty()),
            "{} has no debug information (section {})",
            self.shown,
            self.name(SectionId::DebugInfo)
        );
        Ok(())
    }
}

/// Whether a section called `name` is the one `wanted`, which may have been compressed the old way.
fn is_called(name: &str, wanted: &str) -> bool {
    name == wanted
        || name.strip_prefix(".z").is_some_and(|rest| wanted.strip_prefix('.') == Some(rest))
}

/// Whether `elf` has entries in sections called as `naming` says.
pub(super) fn has_entries(elf: &object::File<'_>, naming: Naming) -> bool {
    let names = [SectionId::DebugInfo, SectionId::DebugTypes].map(|id| naming.name(id));
    elf.sections().any(|section| {
        let Ok(name) = section.name() else { return false };
        // What has no bytes in the file is the hole that somebody left who took it out.
        names.iter().flatten().any(|wanted| is_called(name, wanted))
            && section.size() > 0
            && section.file_range().is_some()
    })
}
