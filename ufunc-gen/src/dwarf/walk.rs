// SPDX-License-Identifier: MIT OR Apache-2.0
//! Going over the entries of a unit, leaving out what is not wanted.

use anyhow::{Context as _, Error, Result, ensure};
use gimli::DwTag;
use gimli::constants as dw;

use super::DebugInfo;
use super::entry::{DieRef, Entry};
use super::plan::{Brief, Cursor};
use super::unit::Unit;

/// Entries that are read between two looks at the budget.
const STRIDE: usize = 1024;

/// What an entry says.
pub(crate) enum Said<'w, 'a> {
    Little(Brief<'a>),
    Much(&'w Entry<'a>),
}

/// An entry whose attributes come next.
#[derive(Clone, Copy, Default)]
struct Found {
    /// That of its abbreviation.
    code: u64,
    offset: usize,
    depth: isize,
}

/// Whether [`Walk::next_opened`] gives entries with that tag, which have children, without all that
/// they say.
pub(crate) fn opens(tag: DwTag) -> bool {
    matches!(
        tag,
        dw::DW_TAG_structure_type
            | dw::DW_TAG_class_type
            | dw::DW_TAG_union_type
            | dw::DW_TAG_enumeration_type
    )
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
    /// Where the attributes are of the entry that was opened last.
    opened: (Cursor<'a>, Found),
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
        Ok(match walk.advance(0, |_, _, _| true)? {
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
        if offset < unit.header.root_offset().0 {
            return None;
        }
        let mut cursor = Cursor::new(unit.bytes, offset, unit.endian());
        let code = cursor.leb().ok()?;
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
            opened: (cursor, Found::default()),
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
        Ok(match self.advance(floor, |tag, depth, _| wanted(tag, depth))? {
            Some(found) => Some(self.read(&found)?),
            None => None,
        })
    }

    /// The same for those who can do with little of most entries.
    #[inline]
    pub(crate) fn next_briefly(
        &mut self,
        floor: isize,
        wanted: impl Fn(DwTag, isize) -> bool,
    ) -> Result<Option<Said<'_, 'a>>> {
        self.next_named(floor, wanted, |_| false)
    }

    /// The same for those who can do with name and type of entries that are `enough`; what is below
    /// those is passed over if that is simple.
    #[inline]
    pub(crate) fn next_named(
        &mut self,
        floor: isize,
        wanted: impl Fn(DwTag, isize) -> bool,
        enough: impl Fn(&Brief<'a>) -> bool,
    ) -> Result<Option<Said<'_, 'a>>> {
        let Some(found) = self.advance(floor, |tag, depth, _| wanted(tag, depth))? else {
            return Ok(None);
        };
        let (unit, at) = (self.unit, self.place(found.offset));
        if let Some(plan) = unit.plans.made(found.code)
            && let Some(brief) = self.cursor.name_and_type(unit, plan, at, found.depth)
            && (brief.is_whole || enough(&brief))
        {
            let mut behind = self.cursor;
            let passed = match brief.len {
                Some(len) if !plan.has_sibling => behind.skip(len.into()).map(|()| false),
                _ => behind.pass(unit, plan, plan.has_sibling),
            };
            if let Ok(is_passed) = passed {
                self.cursor = behind;
                self.depth = if is_passed { found.depth } else { self.depth };
                return Ok(Some(Said::Little(brief)));
            }
        }
        Ok(Some(Said::Much(self.read(&found)?)))
    }

    /// [`Walk::next_briefly`] for those who may know structs, unions and enums by less than all that
    /// they say. Of these it gives the name and the size, in the same way; then the walk is at their
    /// children, and [`Walk::read_opened`] gives all of them.
    #[inline]
    pub(crate) fn next_opened(
        &mut self,
        floor: isize,
        wanted: impl Fn(DwTag, isize) -> bool,
    ) -> Result<Option<Said<'_, 'a>>> {
        let Some(found) = self.advance(floor, |tag, depth, _| wanted(tag, depth))? else {
            return Ok(None);
        };
        let (unit, at) = (self.unit, self.place(found.offset));
        if let Some(plan) = unit.plans.made(found.code)
            && let Some(brief) = self.cursor.name_and_type(unit, plan, at, found.depth)
            && (brief.is_whole || (plan.has_children && opens(brief.tag) && !brief.declares))
        {
            let mut behind = self.cursor;
            let passed = match brief.len {
                Some(len) => behind.skip(len.into()),
                None => behind.skip_attributes(unit, plan),
            };
            if passed.is_ok() {
                self.opened = (self.cursor, found);
                self.cursor = behind;
                return Ok(Some(Said::Little(brief)));
            }
        }
        Ok(Some(Said::Much(self.read(&found)?)))
    }

    /// Goes back to the attributes of the entry that the walk gave last, and reads them.
    pub(crate) fn read_opened(&mut self) -> Result<&Entry<'a>> {
        let (attributes, found) = self.opened;
        self.cursor = attributes;
        self.read(&found)
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

    /// [`Walk::next_named`] among the children of the entry at `depth`.
    pub(crate) fn next_named_child(
        &mut self,
        depth: isize,
        wanted: impl Fn(DwTag) -> bool,
        enough: impl Fn(&Brief<'a>) -> bool,
    ) -> Result<Option<Said<'_, 'a>>> {
        self.max_depth = depth + 1;
        self.next_named(depth, |tag, _| wanted(tag), enough)
    }

    /// Calls `take` with each child of the entry that the walk gave last, as long as they say little and
    /// `take` wants more; the entry has some. Says whether it had all of them, and `count`: if not, the walk stays where it
    /// was.
    #[inline]
    pub(crate) fn take_children(
        &mut self,
        count: usize,
        mut take: impl FnMut(&Brief<'a>) -> bool,
    ) -> bool {
        let (mut cursor, unit, depth) = (self.cursor, self.unit, self.depth);
        let mut taken = 0;
        loop {
            let at = self.place(cursor.at);
            let code = match cursor.leb() {
                Ok(0) => break,
                Ok(code) => code,
                Err(_) => return false,
            };
            let rare;
            let plan = match unit.plans.made(code) {
                Some(plan) => plan,
                None => match unit.plans.make(unit, code) {
                    Ok(plan) => {
                        rare = plan;
                        &*rare
                    }
                    Err(_) => return false,
                },
            };
            let Some(brief) = cursor.name_and_type(unit, plan, at, depth) else { return false };
            let Some(len) = brief.len.filter(|_| brief.is_whole) else { return false };
            if !take(&brief) || cursor.skip(len.into()).is_err() {
                return false;
            }
            taken += 1;
        }
        if taken != count {
            return false;
        }
        self.cursor = cursor;
        self.depth = depth - 1;
        self.unpaid += taken + 1;
        true
    }

    /// Where the children are of the entry at `depth`, from here on.
    pub(crate) fn child_places(&mut self, depth: isize) -> Result<Vec<DieRef>> {
        let (section, start) = (self.unit.section, self.unit.start);
        let mut places = Vec::new();
        self.max_depth = depth + 1;
        self.advance(depth, |_, _, offset| {
            places.push(DieRef::new(section, start.saturating_add(offset)));
            false
        })?;
        Ok(places)
    }

    /// Goes on to the attributes of the next entry below `floor` whose tag, depth and offset in the unit
    /// are wanted.
    #[inline]
    fn advance(
        &mut self,
        floor: isize,
        mut wanted: impl FnMut(DwTag, isize, usize) -> bool,
    ) -> Result<Option<Found>> {
        // Nearly all entries are passed over here: what is known of them stays in registers.
        let (mut cursor, mut depth, max_depth) = (self.cursor, self.depth, self.max_depth);
        let (mut started, mut unpaid) = (self.started, self.unpaid);
        let found = loop {
            if cursor.is_at_end() || (started && depth <= floor) {
                break Ok(None);
            }
            if unpaid >= STRIDE {
                if let Err(error) = self.debug.budget.spend(unpaid, ".debug_info") {
                    break Err(error);
                }
                unpaid = 0;
            }
            started = true;
            unpaid += 1;
            let offset = cursor.at;
            let code = match cursor.leb() {
                Ok(0) => {
                    depth -= 1;
                    continue;
                }
                Ok(code) => code,
                Err(error) => break Err(self.failed(error, offset)),
            };
            let rare;
            let plan = match self.unit.plans.made(code) {
                Some(plan) => plan,
                None => match self.unit.plans.make(self.unit, code) {
                    Ok(plan) => {
                        rare = plan;
                        &*rare
                    }
                    Err(error) => break Err(self.failed(error, offset)),
                },
            };
            let below = depth + isize::from(plan.has_children);
            if depth <= max_depth && wanted(plan.tag, depth, offset) {
                let found = Found { code, offset, depth };
                depth = below;
                break Ok(Some(found));
            }
            let takes_children = plan.has_sibling && (depth >= max_depth || plan.is_closed);
            depth = match cursor.pass(self.unit, plan, takes_children) {
                Ok(true) => depth,
                Ok(false) => below,
                Err(error) => break Err(self.failed(error, offset)),
            };
        };
        (self.cursor, self.depth, self.started, self.unpaid) = (cursor, depth, started, unpaid);
        if let Ok(Some(_)) = found {
            self.max_depth = isize::MAX;
        }
        found
    }

    /// Reads the attributes of `found`, at which the walk is.
    fn read(&mut self, found: &Found) -> Result<&Entry<'a>> {
        self.entry = Entry::empty(self.place(found.offset));
        self.entry.depth = found.depth;
        let (debug, unit) = (self.debug, self.unit);
        let plan = unit.plans.get(unit, found.code)?;
        match self.cursor.read_attributes(debug, unit, &plan, &mut self.entry) {
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
