// SPDX-License-Identifier: MIT OR Apache-2.0
//! Going over the entries of a unit, leaving out what is not wanted.

use anyhow::{Context as _, Result};
use gimli::{AttributeValue, EntriesRaw};

use super::{DebugInfo, Die, Reader, UnitIndex};

/// Entries of a unit, each before its children.
pub(super) struct Walk<'d, 'a> {
    debug: &'d DebugInfo<'a>,
    unit: UnitIndex,
    raw: EntriesRaw<'d, Reader<'a>>,
    /// Depth of `raw`'s first entry: it begins anew whenever siblings are jumped to.
    base_depth: isize,
    started: bool,
    /// Entries deeper than this are passed over.
    max_depth: isize,
    entry: Die<'a>,
}

impl<'d, 'a> Walk<'d, 'a> {
    /// Begins at the root entry of `unit`, or at the entry at `at`.
    pub(super) fn new(
        debug: &'d DebugInfo<'a>,
        unit: UnitIndex,
        at: Option<gimli::UnitOffset>,
    ) -> Result<Self> {
        let raw = debug.units[unit.0].entries_raw(at)?;
        let entry = Die::null();
        Ok(Walk { debug, unit, raw, base_depth: 0, started: false, max_depth: isize::MAX, entry })
    }

    /// Goes on to the next entry. Its depth is relative to where the walk began; the walk ends
    /// with the descendants of the entry that it began with.
    pub(super) fn next(&mut self) -> Result<Option<&Die<'a>>> {
        while !self.raw.is_empty() {
            if self.started && self.base_depth + self.raw.next_depth() <= 0 {
                return Ok(None);
            }
            self.started = true;
            self.debug.budget.spend(1, ".debug_info")?;
            let offset = self.raw.next_offset().0;
            let is_entry = self.raw.read_entry(&mut self.entry).with_context(|| {
                let start = super::start(&self.debug.units[self.unit.0]);
                format!(
                    "failed to read the entry at offset {:#x} of .debug_info of {}",
                    start.saturating_add(offset),
                    self.debug.shown
                )
            })?;
            self.entry.depth += self.base_depth;
            if is_entry && self.entry.depth <= self.max_depth {
                self.max_depth = isize::MAX;
                return Ok(Some(&self.entry));
            }
        }
        Ok(None)
    }

    /// Passes over the children of the entry that [`Walk::next`] gave last.
    pub(super) fn skip_children(&mut self) -> Result<()> {
        if !self.entry.has_children {
            return Ok(());
        }
        // Not every compiler says where the next sibling is. Only forward: an offset that leads
        // back would make the walk endless.
        match self.entry.attr_value(gimli::DW_AT_sibling) {
            Some(AttributeValue::UnitRef(sibling)) if sibling > self.raw.next_offset() => {
                let depth = self.entry.depth;
                self.raw = self.debug.units[self.unit.0].entries_raw(Some(sibling))?;
                self.base_depth = depth;
            }
            _ => self.max_depth = self.entry.depth,
        }
        Ok(())
    }
}
