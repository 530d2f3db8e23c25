// SPDX-License-Identifier: MIT OR Apache-2.0
//! Going over the entries of a unit, leaving out what is not wanted.

use anyhow::{Context as _, Result};
use gimli::{DwTag, EntriesRaw, UnitOffset};

use super::entry::{DieRef, Entry};
use super::unit::Unit;
use super::{DebugInfo, Reader};

/// Entries that are read between two looks at the budget.
const STRIDE: usize = 1024;

/// Entries of a unit, each before its children.
pub(crate) struct Walk<'u, 'a> {
    debug: &'u DebugInfo<'a>,
    unit: &'u Unit<'a>,
    raw: EntriesRaw<'u, Reader<'a>>,
    /// Depth of `raw`'s first entry: it begins anew whenever siblings are jumped to.
    base_depth: isize,
    started: bool,
    /// Entries deeper than this are passed over.
    max_depth: isize,
    /// Entries read that the budget does not know of.
    unpaid: usize,
    /// Whether entries are to say where they were declared.
    with_source: bool,
    entry: Entry<'a>,
}

impl<'u, 'a> Walk<'u, 'a> {
    /// Begins at the root entry of `unit`.
    pub(crate) fn new(debug: &'u DebugInfo<'a>, unit: &'u Unit<'a>) -> Result<Self> {
        Self::from(debug, unit, None)
    }

    /// Begins at the entry at `place`, which is in `unit`.
    pub(crate) fn at(debug: &'u DebugInfo<'a>, unit: &'u Unit<'a>, place: DieRef) -> Result<Self> {
        let bad = || format!("there is no entry at {}", debug.place(place));
        let offset = place.offset().checked_sub(unit.start).with_context(bad)?;
        Self::from(debug, unit, Some(UnitOffset(offset)))
    }

    fn from(debug: &'u DebugInfo<'a>, unit: &'u Unit<'a>, at: Option<UnitOffset>) -> Result<Self> {
        let raw = unit.header.entries_raw(&unit.abbreviations, at)?;
        let entry = Entry::empty(DieRef::new(unit.section, unit.start));
        Ok(Walk {
            debug,
            unit,
            raw,
            base_depth: 0,
            started: false,
            max_depth: isize::MAX,
            unpaid: 0,
            with_source: true,
            entry,
        })
    }

    /// The same walk, on which entries do not say where they were declared.
    pub(crate) fn without_source(mut self) -> Self {
        self.with_source = false;
        self
    }

    /// Goes on to the next entry. Its depth is relative to where the walk began; the walk ends
    /// with the descendants of the entry that it began with.
    pub(crate) fn next(&mut self) -> Result<Option<&Entry<'a>>> {
        self.next_among(0, |_, _| true)
    }

    /// Goes on to the next child of the entry at `depth` that the walk gave before. Their children
    /// are passed over.
    pub(crate) fn next_child(&mut self, depth: isize) -> Result<Option<&Entry<'a>>> {
        self.max_depth = depth + 1;
        self.next_among(depth, |_, _| true)
    }

    /// Goes on to the next entry below `floor` whose tag and depth are `wanted`. The attributes of
    /// others are not even read.
    pub(crate) fn next_among(
        &mut self,
        floor: isize,
        wanted: impl Fn(DwTag, isize) -> bool,
    ) -> Result<Option<&Entry<'a>>> {
        while !self.raw.is_empty() {
            let depth = self.base_depth + self.raw.next_depth();
            if self.started && depth <= floor {
                return Ok(None);
            }
            self.started = true;
            self.unpaid += 1;
            if self.unpaid >= STRIDE {
                self.pay()?;
            }
            let offset = self.raw.next_offset().0;
            let found = self.read(depth, offset, &wanted).with_context(|| {
                let place = DieRef::new(self.unit.section, self.unit.start + offset);
                format!("failed to read the entry at {}", self.debug.place(place))
            })?;
            if found {
                return Ok(Some(&self.entry));
            }
        }
        Ok(None)
    }

    /// Reads the entry at `offset`; says whether it is one that is wanted.
    fn read(
        &mut self,
        depth: isize,
        offset: usize,
        wanted: impl Fn(DwTag, isize) -> bool,
    ) -> Result<bool> {
        let Some(abbreviation) = self.raw.read_abbreviation()? else { return Ok(false) };
        if depth > self.max_depth || !wanted(abbreviation.tag(), depth) {
            self.raw.skip_attributes(abbreviation.attributes())?;
            return Ok(false);
        }
        self.max_depth = isize::MAX;
        let place = DieRef::new(self.unit.section, self.unit.start.saturating_add(offset));
        self.entry = Entry::empty(place);
        self.entry.depth = depth;
        self.entry.read(self.debug, self.unit, &mut self.raw, abbreviation, self.with_source)?;
        Ok(true)
    }

    /// Passes over the children of the entry that the walk gave last.
    pub(crate) fn skip_children(&mut self) -> Result<()> {
        if !self.entry.has_children {
            return Ok(());
        }
        // Not every compiler says where the next sibling is. Only forward: an offset that leads
        // back would make the walk endless.
        match self.entry.sibling {
            Some(sibling) if sibling > self.raw.next_offset().0 => {
                let at = Some(UnitOffset(sibling));
                self.raw = self.unit.header.entries_raw(&self.unit.abbreviations, at)?;
                self.base_depth = self.entry.depth;
            }
            _ => self.max_depth = self.entry.depth,
        }
        Ok(())
    }

    /// The entry that the walk gave last.
    pub(crate) fn entry(&self) -> &Entry<'a> {
        &self.entry
    }

    fn pay(&mut self) -> Result<()> {
        self.debug.budget.spend(std::mem::take(&mut self.unpaid), ".debug_info")
    }
}

impl Drop for Walk<'_, '_> {
    fn drop(&mut self) {
        // Who is over the budget notices it at the next stride.
        let _ = self.pay();
    }
}
