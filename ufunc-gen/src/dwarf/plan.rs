// SPDX-License-Identifier: MIT OR Apache-2.0
//! How the attributes of entries are read.
//!
//! A file has millions of entries and a few hundred abbreviations. So what has to be done for an
//! abbreviation is worked out once: which bytes are passed over in one go, and which attributes
//! come in a form that takes no more than copying a number. Other forms are left to gimli.
//!
//! Most abbreviations of a unit are those of other units as well, letter by letter. So are their
//! plans.

use std::ops::Deref;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use anyhow::{Context as _, Result, bail};
use gimli::constants as dw;
use gimli::{
    AttributeSpecification, DebugStrOffsetsIndex, DwForm, DwTag, Encoding, EntriesRaw,
    RunTimeEndian, UnitHeader, UnitOffset,
};
use hashbrown::HashMap;

use super::abbreviations::{Abbreviation, Abbreviations, NONE};
use super::entry::{Attributes, Entry, Field, RawName, Reference};
use super::unit::Unit;
use super::{DebugInfo, DieRef, Reader};

/// Most abbreviations for which plans are kept; compilers number them from 1, without gaps.
const MAX_KEPT: usize = 1 << 14;

/// How entries with one abbreviation are read.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) tag: DwTag,
    pub(super) has_children: bool,
    /// Whether nothing below can be of interest: of a call, what was passed.
    pub(super) is_closed: bool,
    /// Whether it says where the next sibling is.
    pub(super) has_sibling: bool,
    /// Where that is among the attributes, and its width, if it is the same place in each.
    sibling: Option<(u32, u8)>,
    /// Bytes of all attributes, if they are always as many.
    pub(super) len: Option<u32>,
    brief: Option<BriefPlan>,
    steps: Box<[Step]>,
}

/// Where in entries with an abbreviation name and type are, if it is the same place in each. Most of
/// a unit's entries say no more: members, parameters, pointers and the like.
#[derive(Clone, Copy, Debug, Default)]
struct BriefPlan {
    /// Of the name's offset in `.debug_str`, of four bytes.
    name: Option<u8>,
    /// Of the type's offset in the unit, of four bytes.
    ty: Option<u8>,
    /// Of a number.
    number: u8,
    /// The bits that the number has there; none if it is the same for all.
    mask: u32,
    /// The number itself, if it is the same for all.
    constant: u32,
    /// Of a number of no interest in as many bytes as it needs, mostly one: LLVM's alignments.
    leb: Option<u8>,
    /// Bytes of all attributes, if that one has one byte.
    len: Option<u8>,
    /// Whether there is no more to know of them.
    is_whole: bool,
    /// Whether they are but declarations.
    declares: bool,
}

impl BriefPlan {
    /// That of entries with the tag `tag` whose attributes are read by `steps`; `None` if name and type
    /// are elsewhere.
    fn new(tag: DwTag, has_children: bool, steps: &[Step]) -> Option<Self> {
        let (number, is_simple) = match tag {
            dw::DW_TAG_member => (Some(Field::Location), true),
            dw::DW_TAG_enumerator => (Some(Field::ConstValue), true),
            // Nobody looks at the size of these.
            dw::DW_TAG_pointer_type
            | dw::DW_TAG_const_type
            | dw::DW_TAG_volatile_type
            | dw::DW_TAG_restrict_type => (Some(Field::ByteSize), true),
            dw::DW_TAG_formal_parameter | dw::DW_TAG_typedef => (None, true),
            dw::DW_TAG_structure_type
            | dw::DW_TAG_class_type
            | dw::DW_TAG_union_type
            | dw::DW_TAG_enumeration_type => (Some(Field::ByteSize), false),
            _ => (None, false),
        };
        let mut plan = BriefPlan { is_whole: is_simple && !has_children, ..BriefPlan::default() };
        // `None` behind what is not always of one length.
        let mut at = Some(0_u8);
        for step in steps {
            let width = match *step {
                Step::Skip(count) => u8::try_from(count).ok(),
                Step::SkipAttribute(spec)
                    if spec.form() == dw::DW_FORM_udata && plan.leb.is_none() && at.is_some() =>
                {
                    plan.leb = at;
                    Some(1)
                }
                Step::SkipAttribute(_) => None,
                Step::Name { linkage: false, width: 4 } => {
                    plan.name = Some(at?);
                    Some(4)
                }
                Step::Reference(Reference::Type, 4) => {
                    plan.ty = Some(at?);
                    Some(4)
                }
                Step::Reference(Reference::Sibling, width) => Some(width),
                Step::Number(field, width @ 1..=4) if Some(field) == number => {
                    plan.number = at?;
                    plan.mask = u32::MAX >> (32 - 8 * u32::from(width));
                    Some(width)
                }
                Step::Constant(field, value) if Some(field) == number => {
                    plan.constant = value;
                    Some(0)
                }
                // A size that is somewhere else.
                Step::Number(field, _) if Some(field) == number && !is_simple => return None,
                // It may be but a declaration.
                Step::Number(Field::Declaration, _) => return None,
                Step::Number(field, width) => {
                    plan.is_whole &= field.is_of_source();
                    Some(width)
                }
                Step::Constant(field, value) => {
                    plan.is_whole &= field.is_of_source();
                    plan.declares |= field == Field::Declaration && value != 0;
                    Some(0)
                }
                Step::Leb(field) => {
                    plan.is_whole &= field.is_of_source();
                    None
                }
                _ => return None,
            };
            at = at.zip(width).and_then(|(at, width)| at.checked_add(width));
        }
        plan.len = at;
        Some(plan)
    }
}

/// What an entry says that says little.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Brief<'a> {
    pub(crate) at: DieRef,
    pub(crate) tag: DwTag,
    pub(crate) depth: isize,
    pub(crate) name: RawName<'a>,
    /// Offset of its type in the unit.
    pub(crate) ty: Option<u32>,
    /// Of a member its place, of an enumerator its value, of a struct, union or enum its size.
    pub(crate) number: u32,
    /// Bytes of its attributes, if that is known.
    pub(super) len: Option<u8>,
    /// Whether it says no more.
    pub(super) is_whole: bool,
    /// Whether it is but a declaration.
    pub(crate) declares: bool,
}

impl Brief<'_> {
    /// Whether it says no more.
    pub(crate) fn is_all(&self) -> bool {
        self.is_whole
    }
}

/// What is done for one or several attributes. Widths are in bytes.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Pass over so many bytes.
    Skip(u32),
    /// An attribute of a form that takes more.
    SkipAttribute(AttributeSpecification),
    /// The string at an offset in `.debug_str`.
    Name { linkage: bool, width: u8 },
    /// The string with an index.
    IndexedName { linkage: bool, width: u8 },
    /// The string that stands here.
    NameHere { linkage: bool },
    /// An offset in the unit.
    Reference(Reference, u8),
    /// A number.
    Number(Field, u8),
    /// A number that the abbreviation has.
    Constant(Field, u32),
    /// A number of as many bytes as it needs.
    Leb(Field),
    /// Whatever else.
    Attribute(AttributeSpecification),
}

impl Plan {
    fn new(
        abbreviation: &Abbreviation,
        header: &UnitHeader<Reader<'_>>,
        wanted: Attributes,
    ) -> Self {
        let specs = &abbreviation.attributes;
        let mut steps = Vec::<Step>::with_capacity(specs.len());
        let mut len = Some(0u32);
        for &spec in specs {
            let size = spec.size(header).and_then(|size| u32::try_from(size).ok());
            len = len.zip(size).and_then(|(len, size)| len.checked_add(size));
            let step = Step::of(spec, size, header, wanted);
            match (steps.last_mut(), step) {
                (Some(Step::Skip(before)), Step::Skip(more)) => {
                    *before = before.saturating_add(more);
                }
                _ => steps.push(step),
            }
        }
        let (tag, has_children) = (abbreviation.tag, abbreviation.has_children);
        let is_closed = matches!(tag, dw::DW_TAG_call_site | dw::DW_TAG_GNU_call_site);
        let is_sibling = |step: &Step| matches!(step, Step::Reference(Reference::Sibling, _));
        let has_sibling = has_children && steps.iter().any(is_sibling);
        let sibling = has_sibling.then(|| sibling_place(&steps)).flatten();
        let brief = BriefPlan::new(tag, has_children, &steps);
        let steps = steps.into_boxed_slice();
        Plan { tag, has_children, is_closed, has_sibling, sibling, len, brief, steps }
    }
}

/// Where among the attributes that `steps` read the place of the sibling is, and its width; `None` if
/// that is not the same for all.
fn sibling_place(steps: &[Step]) -> Option<(u32, u8)> {
    let mut at = 0_u32;
    for step in steps {
        let width = match *step {
            Step::Reference(Reference::Sibling, width) => return Some((at, width)),
            Step::Skip(count) => count,
            Step::Name { width, .. }
            | Step::IndexedName { width, .. }
            | Step::Reference(_, width)
            | Step::Number(_, width) => width.into(),
            Step::Constant(..) => 0,
            Step::SkipAttribute(_) | Step::NameHere { .. } | Step::Leb(_) | Step::Attribute(_) => {
                return None;
            }
        };
        at = at.checked_add(width)?;
    }
    None
}

impl Step {
    fn of(
        spec: AttributeSpecification,
        size: Option<u32>,
        header: &UnitHeader<Reader<'_>>,
        wanted: Attributes,
    ) -> Step {
        let name = spec.name();
        let by_form = match name {
            _ if !wanted.has(name) => {
                return size.map_or(Step::SkipAttribute(spec), Step::Skip);
            }
            dw::DW_AT_name => Self::name(spec.form(), header, false),
            dw::DW_AT_linkage_name => Self::name(spec.form(), header, true),
            _ => match (Reference::of(name), Field::of(name)) {
                (Some(reference), _) => Self::reference(reference, spec.form()),
                (None, Some(field)) => Self::number(field, spec),
                (None, None) => None,
            },
        };
        by_form.unwrap_or(Step::Attribute(spec))
    }

    fn name(form: DwForm, header: &UnitHeader<Reader<'_>>, linkage: bool) -> Option<Step> {
        Some(match form {
            dw::DW_FORM_strp => Step::Name { linkage, width: header.format().word_size() },
            dw::DW_FORM_string => Step::NameHere { linkage },
            dw::DW_FORM_strx1 => Step::IndexedName { linkage, width: 1 },
            dw::DW_FORM_strx2 => Step::IndexedName { linkage, width: 2 },
            dw::DW_FORM_strx4 => Step::IndexedName { linkage, width: 4 },
            _ => return None,
        })
    }

    fn reference(reference: Reference, form: DwForm) -> Option<Step> {
        let width = match form {
            dw::DW_FORM_ref1 => 1,
            dw::DW_FORM_ref2 => 2,
            dw::DW_FORM_ref4 => 4,
            dw::DW_FORM_ref8 => 8,
            _ => return None,
        };
        Some(Step::Reference(reference, width))
    }

    fn number(field: Field, spec: AttributeSpecification) -> Option<Step> {
        Some(match spec.form() {
            dw::DW_FORM_data1 | dw::DW_FORM_flag => Step::Number(field, 1),
            dw::DW_FORM_data2 => Step::Number(field, 2),
            dw::DW_FORM_data4 => Step::Number(field, 4),
            dw::DW_FORM_data8 => Step::Number(field, 8),
            dw::DW_FORM_udata => Step::Leb(field),
            dw::DW_FORM_flag_present => Step::Constant(field, 1),
            dw::DW_FORM_implicit_const => {
                Step::Constant(field, u32::try_from(spec.implicit_const_value()?).ok()?)
            }
            _ => return None,
        })
    }
}

/// What a plan follows from: the abbreviation as its table has it, the sizes of what a unit has, and
/// what is wanted.
type Origin<'a> = (&'a [u8], Encoding, Attributes);

/// The plans of many units. Threads that read units have some each: to share them would have the
/// processors wait for each other.
#[derive(Debug, Default)]
pub(super) struct SharedPlans<'a>(Mutex<Known<'a>>);

/// Plans that were made.
#[derive(Debug, Default)]
struct Known<'a> {
    all: Vec<KnownPlan<'a>>,
    by_origin: HashMap<Origin<'a>, usize>,
    /// The one that was asked for last.
    last: usize,
}

#[derive(Debug)]
struct KnownPlan<'a> {
    origin: Origin<'a>,
    plan: Arc<Plan>,
    /// The one that was asked for after it the last time: tables of abbreviations are much alike.
    next: usize,
}

impl Known<'_> {
    /// The plan that follows from `origin`, if it was made before.
    fn get(&mut self, origin: &Origin<'_>) -> Option<Arc<Plan>> {
        let likely = self.all.get(self.last)?.next;
        let found = match self.all.get(likely).filter(|known| known.origin == *origin) {
            Some(_) => likely,
            None => {
                let found = *self.by_origin.get(origin)?;
                self.came(found);
                found
            }
        };
        self.last = found;
        Some(Arc::clone(&self.all[found].plan))
    }

    /// Takes note that `number` comes after the last one.
    fn came(&mut self, number: usize) {
        if let Some(last) = self.all.get_mut(self.last) {
            last.next = number;
        }
        self.last = number;
    }
}

impl<'a> SharedPlans<'a> {
    /// The plan for the abbreviation `code` of `unit`.
    fn get(&self, unit: &Unit<'a>, code: u64) -> Result<Arc<Plan>> {
        let make = || {
            let abbreviation = unit.abbreviations.get(code);
            let abbreviation =
                abbreviation.with_context(|| format!("there is no abbreviation {code}"))?;
            Ok(Arc::new(Plan::new(&abbreviation, &unit.header, unit.wanted)))
        };
        let Some(text) = unit.abbreviations.text(code) else { return make() };
        let origin = (text.slice(), unit.header.encoding(), unit.wanted);
        // Whoever panicked with it left it whole.
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(plan) = known.get(&origin) {
            return Ok(plan);
        }
        let plan = make()?;
        let number = known.all.len();
        known.all.push(KnownPlan { origin, plan: Arc::clone(&plan), next: number });
        known.by_origin.insert(origin, number);
        known.came(number);
        Ok(plan)
    }
}

/// A plan, and who keeps it.
pub(super) enum PlanOf<'p> {
    Unit(&'p Plan),
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

/// The plans of a unit's abbreviations.
#[derive(Clone, Debug)]
pub(super) struct Plans(Box<[OnceLock<Arc<Plan>>]>);

impl Plans {
    /// None made yet, for `abbreviations`.
    pub(super) fn new(abbreviations: &Abbreviations<'_>) -> Self {
        Plans((0..abbreviations.count(MAX_KEPT)).map(|_| OnceLock::new()).collect())
    }

    /// The plan for the abbreviation `code`, if it was made before.
    #[inline]
    pub(super) fn made(&self, code: u64) -> Option<&Plan> {
        self.0.get((code as usize).wrapping_sub(1))?.get().map(|plan| &**plan)
    }

    /// The plan for the abbreviation `code` of `unit`, made before or now.
    pub(super) fn get<'p>(&'p self, unit: &Unit<'_>, code: u64) -> Result<PlanOf<'p>> {
        match self.made(code) {
            Some(plan) => Ok(PlanOf::Unit(plan)),
            None => self.make(unit, code).map(PlanOf::Shared),
        }
    }

    /// The plan for the abbreviation `code` of `unit`, found among those that it shares with others or
    /// made: kept, unless it is one of those whose numbers have gaps.
    #[cold]
    pub(super) fn make(&self, unit: &Unit<'_>, code: u64) -> Result<Arc<Plan>> {
        let plan = unit.shared.get(unit, code)?;
        if let Some(place) = self.0.get((code as usize).wrapping_sub(1)) {
            // Another thread may have been faster, with the same plan.
            drop(place.set(Arc::clone(&plan)));
        }
        Ok(plan)
    }
}

/// The bytes of a unit's entries, and a place in them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    /// Offset in the unit.
    pub(super) at: usize,
    endian: RunTimeEndian,
}

/// Nothing more can be read.
const CUT_OFF: &str = "it is cut off";

impl<'a> Cursor<'a> {
    /// Begins at `at` in `bytes`, a whole unit.
    pub(super) fn new(bytes: &'a [u8], at: usize, endian: RunTimeEndian) -> Self {
        Cursor { bytes, at, endian }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at >= self.bytes.len()
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    #[inline]
    pub(super) fn skip(&mut self, count: u32) -> Result<()> {
        self.at = self.at.saturating_add(count as usize);
        if self.at > self.bytes.len() {
            bail!(CUT_OFF)
        }
        Ok(())
    }

    #[inline]
    fn number(&mut self, width: u8) -> Result<u64> {
        let rest = self.rest();
        // Eight bytes are read whatever the width: which one it is then matters to nobody's guess.
        let word = match rest.first_chunk() {
            Some(word) => *word,
            None => Self::last_word(rest, width)?,
        };
        self.at += usize::from(width);
        // No form has another width than 1, 2, 4 or 8.
        let behind = 64_u32.wrapping_sub(8 * u32::from(width));
        Ok(match self.endian {
            RunTimeEndian::Little => {
                u64::from_le_bytes(word).wrapping_shl(behind).wrapping_shr(behind)
            }
            RunTimeEndian::Big => u64::from_be_bytes(word).wrapping_shr(behind),
        })
    }

    /// What is in `rest`, shorter than eight bytes, where `width` of them are needed.
    #[cold]
    fn last_word(rest: &[u8], width: u8) -> Result<[u8; 8]> {
        if rest.len() < usize::from(width) {
            bail!(CUT_OFF)
        }
        let mut word = [0; 8];
        word[..rest.len()].copy_from_slice(rest);
        Ok(word)
    }

    /// An unsigned number in as many bytes as it needs.
    #[inline]
    pub(super) fn leb(&mut self) -> Result<u64> {
        if let Some(&byte) = self.bytes.get(self.at)
            && byte < 0x80
        {
            self.at += 1;
            return Ok(byte.into());
        }
        let mut reader = Reader::new(self.rest(), self.endian);
        let number = gimli::Reader::read_uleb128(&mut reader)?;
        self.at = self.bytes.len() - reader.len();
        Ok(number)
    }

    /// gimli's reader of attributes at this place.
    pub(super) fn raw(&self, unit: &Unit<'a>) -> EntriesRaw<'static, Reader<'a>> {
        let input = Reader::new(self.rest(), self.endian);
        EntriesRaw::new(input, unit.header.encoding(), &NONE, UnitOffset(self.at))
    }

    /// Name and type of the entry of `unit` whose attributes begin here, if `plan` knows where they are.
    #[inline(always)]
    pub(super) fn name_and_type(
        &self,
        unit: &Unit<'a>,
        plan: &Plan,
        at: DieRef,
        depth: isize,
    ) -> Option<Brief<'a>> {
        let BriefPlan { name, ty, number, mask, constant, leb, len, is_whole, declares } =
            plan.brief?;
        // Whatever the places are, they are in there. The last entries of a unit are read otherwise.
        let bytes: &[u8; 0x100 + 4] = self.bytes.get(self.at..)?.first_chunk()?;
        if leb.is_some_and(|place| bytes[usize::from(place)] >= 0x80) {
            return None;
        }
        let word = |place: u8| {
            let place = usize::from(place);
            let word = [bytes[place], bytes[place + 1], bytes[place + 2], bytes[place + 3]];
            match self.endian {
                RunTimeEndian::Little => u32::from_le_bytes(word),
                RunTimeEndian::Big => u32::from_be_bytes(word),
            }
        };
        let name = match name {
            Some(place) => RawName::at(unit.strings.at(word(place) as usize)),
            None => RawName::default(),
        };
        let ty = ty.map(word);
        let number = match self.endian {
            _ if mask == 0 => constant,
            RunTimeEndian::Little => word(number) & mask,
            RunTimeEndian::Big => word(number) >> mask.leading_zeros(),
        };
        Some(Brief { at, tag: plan.tag, depth, name, ty, number, len, is_whole, declares })
    }

    /// Passes over the attributes of an entry and, if it `takes_children` and can, over what is below;
    /// says whether it did.
    #[inline]
    pub(super) fn pass(
        &mut self,
        unit: &Unit<'a>,
        plan: &Plan,
        takes_children: bool,
    ) -> Result<bool> {
        match plan.len {
            _ if takes_children => self.skip_with_children(unit, plan),
            Some(len) => self.skip(len).map(|()| false),
            None => self.skip_each(unit, plan).map(|()| false),
        }
    }

    /// Passes over the attributes of an entry.
    #[inline]
    pub(super) fn skip_attributes(&mut self, unit: &Unit<'a>, plan: &Plan) -> Result<()> {
        match plan.len {
            Some(len) => self.skip(len),
            None => self.skip_each(unit, plan),
        }
    }

    fn skip_each(&mut self, unit: &Unit<'a>, plan: &Plan) -> Result<()> {
        plan.steps.iter().try_for_each(|step| self.skip_step(unit, step))
    }

    /// Passes over the attributes of an entry, and if it can over what is below; says whether it
    /// could.
    pub(super) fn skip_with_children(&mut self, unit: &Unit<'a>, plan: &Plan) -> Result<bool> {
        if !plan.has_sibling {
            self.skip_attributes(unit, plan)?;
            return Ok(false);
        }
        if let Some((place, width)) = plan.sibling {
            let mut behind = *self;
            behind.skip(place)?;
            let sibling = behind.number(width)? as usize;
            if sibling >= behind.at {
                self.at = sibling;
                return Ok(true);
            }
        }
        for step in &plan.steps {
            match *step {
                Step::Reference(Reference::Sibling, width) => {
                    let sibling = self.number(width)? as usize;
                    // Back, it would lead round in circles.
                    if sibling >= self.at {
                        self.at = sibling;
                        return Ok(true);
                    }
                }
                _ => self.skip_step(unit, step)?,
            }
        }
        Ok(false)
    }

    #[inline]
    fn skip_step(&mut self, unit: &Unit<'a>, step: &Step) -> Result<()> {
        match *step {
            Step::Skip(count) => self.skip(count),
            Step::Name { width, .. }
            | Step::IndexedName { width, .. }
            | Step::Reference(_, width)
            | Step::Number(_, width) => self.skip(width.into()),
            Step::NameHere { .. } => self.string().map(drop),
            Step::Constant(..) => Ok(()),
            Step::Leb(_) => self.leb().map(drop),
            Step::SkipAttribute(spec) | Step::Attribute(spec) => self.skip_attribute(unit, spec),
        }
    }

    fn skip_attribute(&mut self, unit: &Unit<'a>, spec: AttributeSpecification) -> Result<()> {
        match spec.form() {
            dw::DW_FORM_exprloc | dw::DW_FORM_block => {
                let len = self.leb()?;
                self.skip(u32::try_from(len).unwrap_or(u32::MAX))
            }
            dw::DW_FORM_udata => self.leb().map(drop),
            _ => {
                let mut raw = self.raw(unit);
                raw.skip_attributes(&[spec])?;
                self.at = raw.next_offset().0;
                Ok(())
            }
        }
    }

    /// What begins here, after which there is a NUL.
    fn string(&mut self) -> Result<&'a [u8]> {
        let rest = self.rest();
        let Some(len) = memchr::memchr(0, rest) else { bail!(CUT_OFF) };
        self.at += len + 1;
        Ok(rest)
    }

    /// Reads the attributes of an entry into `entry`.
    pub(super) fn read_attributes(
        &mut self,
        debug: &DebugInfo<'a>,
        unit: &Unit<'a>,
        plan: &Plan,
        entry: &mut Entry<'a>,
    ) -> Result<()> {
        entry.tag = plan.tag;
        entry.has_children = plan.has_children;
        for step in &plan.steps {
            match *step {
                Step::Skip(count) => self.skip(count)?,
                Step::Name { linkage, width } => {
                    let offset = self.number(width)?;
                    entry.set_name(linkage, unit.strings.at(offset as usize));
                }
                Step::NameHere { linkage } => {
                    let string = self.string()?;
                    entry.set_name(linkage, string);
                }
                Step::IndexedName { linkage, width } => {
                    let index = DebugStrOffsetsIndex(self.number(width)? as usize);
                    let offset = unit.strings.offset(index);
                    entry.set_name(linkage, offset.map_or(&[], |offset| unit.strings.at(offset)));
                }
                Step::Reference(reference, width) => {
                    let offset = self.number(width)? as usize;
                    let place = DieRef::new(unit.section, unit.start.saturating_add(offset));
                    entry.set_reference(reference, place, offset);
                }
                Step::Number(field, width) => {
                    let number = self.number(width)?;
                    entry.set_number(field, number);
                }
                Step::Leb(field) => {
                    let number = self.leb()?;
                    entry.set_number(field, number);
                }
                Step::Constant(field, number) => entry.set_number(field, number.into()),
                Step::SkipAttribute(spec) => self.skip_attribute(unit, spec)?,
                Step::Attribute(spec) => {
                    let mut raw = self.raw(unit);
                    let attribute = raw.read_attribute(spec)?;
                    self.at = raw.next_offset().0;
                    entry.take(debug, unit, &attribute)?;
                }
            }
        }
        entry.finish(unit);
        Ok(())
    }
}

/// Whether `name` is in a plan by itself: not left to gimli where its form is simple.
#[cfg(test)]
fn is_planned(name: gimli::DwAt) -> bool {
    Reference::of(name).is_some() || Field::of(name).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_in_either_byte_order() {
        let bytes = [1, 2, 3, 4, 0x81, 0x01];
        let mut little = Cursor::new(&bytes, 0, RunTimeEndian::Little);
        assert_eq!(little.number(4).unwrap(), 0x0403_0201);
        assert_eq!(little.leb().unwrap(), 0x81);
        assert!(little.is_at_end() && little.number(1).is_err());
        let mut big = Cursor::new(&bytes, 0, RunTimeEndian::Big);
        assert_eq!(big.number(4).unwrap(), 0x0102_0304);
    }

    #[test]
    fn nothing_behind_the_end_is_read() {
        let mut cursor = Cursor::new(&[1, 2], 1, RunTimeEndian::Little);
        assert!(cursor.number(2).is_err());
        assert!(cursor.skip(9).is_err());
        assert!(cursor.leb().is_err());
    }

    #[test]
    fn what_is_most_frequent_is_planned() {
        for name in [dw::DW_AT_type, dw::DW_AT_byte_size, dw::DW_AT_data_member_location] {
            assert!(is_planned(name), "{name}");
        }
    }
}
