// SPDX-License-Identifier: MIT OR Apache-2.0
//! Going over the entries of a unit, leaving out what is not wanted.

use anyhow::{Context as _, Result, ensure};
use gimli::DwTag;

use super::DebugInfo;
use super::entry::{DieRef, Entry};
use super::plan::Cursor;
use super::unit::Unit;

/// Entries that are read between two looks at the budget.
const STRIDE: usize = 1024;

/// Entries of a unit, each before its children.
pub(crate) struct Walk<'u, 'a> {
    debug: &'u DebugInfo<'a>,
    unit: &'u Unit<'a>,
    cursor: Cursor<'a>,
    /// Depth of the next entry.
    depth: isize,
    started: bool,
    /// Entries deeper than this are passed over.
    max_depth: isize,
    /// Entries read that the budget does not know of.
    unpaid: usize,
    entry: Entry<'a>,
}

impl<'u, 'a> Walk<'u, 'a> {
    /// Begins at the root entry of `unit`.
    pub(crate) fn new(debug: &'u DebugInfo<'a>, unit: &'u Unit<'a>) -> Result<Self> {
        Ok(Self::from(debug, unit, unit.header.root_offset().0))
    }

    /// Begins at the entry at `place`, which is in `unit`.
    pub(crate) fn at(debug: &'u DebugInfo<'a>, unit: &'u Unit<'a>, place: DieRef) -> Result<Self> {
        let bad = || format!("there is no entry at {}", debug.place(place));
        let offset = place.offset().checked_sub(unit.start).with_context(bad)?;
        ensure!(offset >= unit.header.root_offset().0 && offset < unit.len(), bad());
        Ok(Self::from(debug, unit, offset))
    }

    fn from(debug: &'u DebugInfo<'a>, unit: &'u Unit<'a>, at: usize) -> Self {
        let cursor = Cursor::new(unit.bytes, at, unit.endian());
        let entry = Entry::empty(DieRef::new(unit.section, unit.start));
        Walk {
            debug,
            unit,
            cursor,
            depth: 0,
            started: false,
            max_depth: isize::MAX,
            unpaid: 0,
            entry,
        }
    }

    /// Goes on to the next entry. Its depth is relative to where the walk began; the walk ends
    /// with the descendants of the entry that it began with.
    pub(crate) fn next(&mut self) -> Result<Option<&Entry<'a>>> {
        self.next_among(0, |_, _| true)
    }

    /// Goes on to the next child of the entry at `depth` that the walk gave before. Their children
    /// are passed over.
    pub(crate) fn next_child(&mut self, depth: isize) -> Result<Option<&Entry<'a>>> {
        self.next_child_among(depth, |_| true)
    }

    /// The same for those children whose tag is `wanted`.
    pub(crate) fn next_child_among(
        &mut self,
        depth: isize,
        wanted: impl Fn(DwTag) -> bool,
    ) -> Result<Option<&Entry<'a>>> {
        self.max_depth = depth + 1;
        self.next_among(depth, |tag, _| wanted(tag))
    }

    /// Goes on to the next entry below `floor` whose tag and depth are `wanted`. The attributes of
    /// others are not even read.
    pub(crate) fn next_among(
        &mut self,
        floor: isize,
        wanted: impl Fn(DwTag, isize) -> bool,
    ) -> Result<Option<&Entry<'a>>> {
        while !self.cursor.is_at_end() {
            let depth = self.depth;
            if self.started && depth <= floor {
                return Ok(None);
            }
            self.started = true;
            self.unpaid += 1;
            if self.unpaid >= STRIDE {
                self.pay()?;
            }
            let offset = self.cursor.at;
            match self.read(depth, offset, &wanted) {
                Ok(true) => return Ok(Some(&self.entry)),
                Ok(false) => {}
                Err(error) => {
                    let place = self.place(offset);
                    let place = self.debug.place(place);
                    return Err(error.context(format!("failed to read the entry at {place}")));
                }
            }
        }
        Ok(None)
    }

    /// Reads the entry at `offset`; says whether it is one that is wanted.
    #[inline]
    fn read(
        &mut self,
        depth: isize,
        offset: usize,
        wanted: impl Fn(DwTag, isize) -> bool,
    ) -> Result<bool> {
        let code = self.cursor.leb()?;
        if code == 0 {
            self.depth -= 1;
            return Ok(false);
        }
        let plans = &self.unit.plans;
        let rare;
        let plan = match plans.made(code) {
            Some(plan) => plan,
            None => {
                rare = plans.make(&self.debug.plans, self.unit, code)?;
                &rare
            }
        };
        if depth > self.max_depth || !wanted(plan.tag, depth) {
            let is_passed = match depth >= self.max_depth || plan.is_closed {
                true => self.cursor.skip_with_children(self.unit, plan)?,
                false => {
                    self.cursor.skip_attributes(self.unit, plan)?;
                    false
                }
            };
            self.depth += isize::from(plan.has_children && !is_passed);
            return Ok(false);
        }
        self.depth += isize::from(plan.has_children);
        self.max_depth = isize::MAX;
        self.entry = Entry::empty(self.place(offset));
        self.entry.depth = depth;
        let (debug, unit, entry) = (self.debug, self.unit, &mut self.entry);
        self.cursor.read_attributes(debug, unit, plan, entry)?;
        Ok(true)
    }

    fn place(&self, offset: usize) -> DieRef {
        DieRef::new(self.unit.section, self.unit.start.saturating_add(offset))
    }

    /// Passes over the children of the entry that the walk gave last.
    pub(crate) fn skip_children(&mut self) -> Result<()> {
        if !self.entry.has_children {
            return Ok(());
        }
        // Not every compiler says where the next sibling is. Only forward: an offset that leads
        // back would make the walk endless.
        match self.entry.sibling {
            Some(sibling) if sibling >= self.cursor.at => {
                self.cursor.at = sibling;
                self.depth = self.entry.depth;
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
