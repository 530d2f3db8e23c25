// SPDX-License-Identifier: MIT OR Apache-2.0
//! Going over the entries of a unit, leaving out what is not wanted.

use std::ops::Deref;
use std::sync::Arc;

use anyhow::{Context as _, Error, Result, ensure};
use gimli::DwTag;

use super::DebugInfo;
use super::entry::{DieRef, Entry};
use super::plan::{Brief, Cursor, Plan};
use super::unit::Unit;

/// Entries that are read between two looks at the budget.
const STRIDE: usize = 1024;

/// What an entry says.
pub(crate) enum Said<'w, 'a> {
    Little(Brief<'a>),
    Much(&'w Entry<'a>),
}

/// An entry whose attributes come next.
struct Found<'u> {
    plan: PlanOf<'u>,
    offset: usize,
    depth: isize,
}

/// A plan, and who keeps it.
enum PlanOf<'u> {
    Unit(&'u Plan),
    Shared(Arc<Plan>),
}

impl Deref for PlanOf<'_> {
    type Target = Plan;

    fn deref(&self) -> &Plan {
        match self {
            PlanOf::Unit(plan) => plan,
            PlanOf::Shared(plan) => plan,
        }
    }
}

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

    /// The entry at `place`, which is in `unit`, alone; `None` if there is none.
    pub(crate) fn only(
        debug: &'u DebugInfo<'a>,
        unit: &'u Unit<'a>,
        place: DieRef,
    ) -> Result<Option<Entry<'a>>> {
        let mut walk = Self::at(debug, unit, place)?;
        Ok(match walk.advance(0, |_, _| true)? {
            Some(found) => {
                walk.read(&found)?;
                Some(walk.entry)
            }
            None => None,
        })
    }

    /// Tag, name and type of the entry at `place`, which is in `unit`, if they are easily seen.
    pub(crate) fn name_and_type(
        debug: &'u DebugInfo<'a>,
        unit: &'u Unit<'a>,
        place: DieRef,
    ) -> Option<Brief<'a>> {
        let offset = place.offset().checked_sub(unit.start)?;
        let mut cursor = Cursor::new(unit.bytes, offset, unit.endian());
        let (code, behind) = cursor.code(offset)?;
        cursor.at = behind;
        let brief = cursor.name_and_type(unit, unit.plans.made(code)?, place, 0)?;
        debug.budget.spend(1, ".debug_info").ok()?;
        Some(brief)
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
        Ok(match self.advance(floor, wanted)? {
            Some(found) => Some(self.read(&found)?),
            None => None,
        })
    }

    /// The same for those who can do with little of most entries.
    pub(crate) fn next_briefly(
        &mut self,
        floor: isize,
        wanted: impl Fn(DwTag, isize) -> bool,
    ) -> Result<Option<Said<'_, 'a>>> {
        let Some(found) = self.advance(floor, wanted)? else { return Ok(None) };
        let at = self.place(found.offset);
        Ok(Some(match self.cursor.read_brief(self.unit, &found.plan, at, found.depth) {
            Some(brief) => Said::Little(brief),
            None => Said::Much(self.read(&found)?),
        }))
    }

    /// [`Walk::next_child_among`] for those who can do with little of most entries.
    pub(crate) fn next_child_briefly(
        &mut self,
        depth: isize,
        wanted: impl Fn(DwTag) -> bool,
    ) -> Result<Option<Said<'_, 'a>>> {
        self.max_depth = depth + 1;
        self.next_briefly(depth, |tag, _| wanted(tag))
    }

    /// Goes on to the attributes of the next entry that is wanted.
    fn advance(
        &mut self,
        floor: isize,
        wanted: impl Fn(DwTag, isize) -> bool,
    ) -> Result<Option<Found<'u>>> {
        while !self.cursor.is_at_end() {
            if self.started && self.depth <= floor {
                return Ok(None);
            }
            if self.unpaid >= STRIDE {
                self.pay()?;
            }
            let found = match self.pass_over(floor, &wanted) {
                Some(found) => Some(found),
                None if self.started && self.depth <= floor => return Ok(None),
                None if self.cursor.is_at_end() => return Ok(None),
                None if self.unpaid >= STRIDE => continue,
                None => {
                    let offset = self.cursor.at;
                    self.step(offset, &wanted).map_err(|error| self.failed(error, offset))?
                }
            };
            if let Some(found) = found {
                self.max_depth = isize::MAX;
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Passes over entries as long as that is simple, and none of them wanted. Gives the one that is.
    #[inline]
    fn pass_over(
        &mut self,
        floor: isize,
        wanted: &impl Fn(DwTag, isize) -> bool,
    ) -> Option<Found<'u>> {
        let (unit, max_depth) = (self.unit, self.max_depth);
        let (mut at, mut depth) = (self.cursor.at, self.depth);
        let mut found = None;
        // The first one is looked at whatever its depth.
        let mut is_first = !self.started;
        while (is_first || depth > floor) && self.unpaid < STRIDE {
            let Some((code, mut behind)) = self.cursor.code(at) else { break };
            if code == 0 {
                depth -= 1;
            } else {
                let Some(plan) = unit.plans.made(code) else { break };
                // What says where its sibling is may take its children along.
                if plan.has_sibling && (depth >= max_depth || plan.is_closed) {
                    break;
                }
                let Some(len) = plan.len else { break };
                if depth <= max_depth && wanted(plan.tag, depth) {
                    found = Some(Found { plan: PlanOf::Unit(plan), offset: at, depth });
                } else {
                    behind = behind.saturating_add(len as usize);
                    if behind > self.cursor.len() {
                        break;
                    }
                }
                depth += isize::from(plan.has_children);
            }
            at = behind;
            self.unpaid += 1;
            is_first = false;
            if found.is_some() {
                break;
            }
        }
        self.started |= !is_first;
        (self.cursor.at, self.depth) = (at, depth);
        found
    }

    /// Passes over the entry at `offset`, or gives it if it is wanted.
    fn step(
        &mut self,
        offset: usize,
        wanted: &impl Fn(DwTag, isize) -> bool,
    ) -> Result<Option<Found<'u>>> {
        let depth = self.depth;
        self.started = true;
        self.unpaid += 1;
        let code = self.cursor.leb()?;
        if code == 0 {
            self.depth -= 1;
            return Ok(None);
        }
        let unit = self.unit;
        let plan = match unit.plans.made(code) {
            Some(plan) => PlanOf::Unit(plan),
            None => PlanOf::Shared(unit.plans.make(&self.debug.plans, unit, code)?),
        };
        if depth > self.max_depth || !wanted(plan.tag, depth) {
            let is_passed = match depth >= self.max_depth || plan.is_closed {
                true => self.cursor.skip_with_children(unit, &plan)?,
                false => {
                    self.cursor.skip_attributes(unit, &plan)?;
                    false
                }
            };
            self.depth += isize::from(plan.has_children && !is_passed);
            return Ok(None);
        }
        self.depth += isize::from(plan.has_children);
        Ok(Some(Found { plan, offset, depth }))
    }

    /// Reads the attributes of `found`, at which the walk is.
    fn read(&mut self, found: &Found<'u>) -> Result<&Entry<'a>> {
        self.entry = Entry::empty(self.place(found.offset));
        self.entry.depth = found.depth;
        let (debug, unit, entry) = (self.debug, self.unit, &mut self.entry);
        match self.cursor.read_attributes(debug, unit, &found.plan, entry) {
            Ok(()) => Ok(&self.entry),
            Err(error) => Err(self.failed(error, found.offset)),
        }
    }

    #[cold]
    fn failed(&self, error: Error, offset: usize) -> Error {
        let place = self.debug.place(self.place(offset));
        error.context(format!("failed to read the entry at {place}"))
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
