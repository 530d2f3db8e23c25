// SPDX-License-Identifier: MIT OR Apache-2.0
//! What skeleton units leave to other files.

use anyhow::{Context as _, Result};
use gimli::{DwoId, Section as _, UnitHeader, UnitType};

use super::unit::{Bases, Unit};
use crate::debugfile::{
    DebugFiles, DebugSections, DwoFiles, DwoPart, MissingDwo, Reader, Search, Skeleton,
};
use crate::elf::Host;

/// The files with the contents of skeleton units (`-gsplit-dwarf`), in memory.
#[derive(Debug, Default)]
pub struct SplitFiles {
    files: DwoFiles,
    /// What the skeletons say of contents.
    bases: Vec<(DwoId, Bases)>,
}

impl SplitFiles {
    /// Finds and loads what the skeletons in `sections`, those of `files`, ask for.
    ///
    /// What is not found is in [`SplitFiles::missing`]. Fails if a file is damaged or stale.
    pub fn find(
        host: &Host<'_>,
        files: &DebugFiles<'_>,
        search: &Search,
        sections: &DebugSections<'_>,
    ) -> Result<Self> {
        let dwarf = sections.main();
        let read = || -> Result<Vec<Unit<'_>>> {
            let mut skeletons = Vec::new();
            let mut headers = dwarf.units();
            // The debug information's reader says what is wrong with a header.
            while let Ok(Some(header)) = headers.next() {
                if may_be_skeleton(&dwarf, &header) {
                    skeletons.extend(Unit::skeleton(&dwarf, &header)?);
                }
            }
            Ok(skeletons)
        };
        let context = || format!("failed to read the units of {}", sections.shown());
        let units = read().with_context(context)?;
        let named = units.iter().filter_map(|unit| Some((unit, unit.dwo_id?)));
        let skeletons: Vec<_> = named
            .clone()
            .map(|(unit, id)| Skeleton {
                name: unit.dwo_name.bytes(),
                folder: unit.folder.bytes(),
                id,
            })
            .collect();
        let bases = named.map(|(unit, id)| (id, unit.bases)).collect();
        Ok(SplitFiles { files: DwoFiles::find(host, files, search, &skeletons)?, bases })
    }

    /// Units whose contents were not found.
    pub fn missing(&self) -> &[MissingDwo] {
        self.files.missing()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bases.is_empty()
    }

    pub(super) fn bases(&self) -> &[(DwoId, Bases)] {
        &self.bases
    }

    /// The units that were found. `parent` has the skeletons.
    pub(super) fn parts<'s>(&'s self, parent: &gimli::Dwarf<Reader<'s>>) -> Vec<DwoPart<'s>> {
        self.files.parts(parent)
    }
}

/// Whether a unit may be a skeleton. Before DWARF 5 only its root entry tells, but what it has of
/// addresses is in a section of its own.
fn may_be_skeleton(dwarf: &gimli::Dwarf<Reader<'_>>, header: &UnitHeader<Reader<'_>>) -> bool {
    match header.type_() {
        UnitType::Skeleton(_) => true,
        UnitType::Compilation => header.version() < 5 && !dwarf.debug_addr.reader().is_empty(),
        _ => false,
    }
}
