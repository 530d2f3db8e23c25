// SPDX-License-Identifier: MIT OR Apache-2.0
//! How a map's memory is divided: the header, and what follows it, computed from what the header says
//! by everybody who opens it. No offset is ever read from the memory.

use anyhow::{Context as _, Result, bail, ensure};

use crate::bloom;
use crate::definition::{Definition, MapKind, flags};
use crate::hash;
use crate::segment::PAGE;

/// Where in the header's page what changes begins.
pub(crate) const STATE: usize = 1024;
/// From the state of one processor's ring to the next.
pub(crate) const RING_STATE: usize = 256;
/// Bytes of each processor's ring of a perf event array.
pub(crate) const PERF_RING: usize = 64 * PAGE;
/// What begins a map.
const MAGIC: [u8; 8] = *b"ufmap\x01\r\n";
/// Bytes of a name, with the zero at its end.
const NAME: usize = 64;
/// No processor has a higher number.
const MOST_CPUS: u32 = 8192;
/// No map is larger.
const LARGEST: usize = 1 << 44;

/// The beginning of a map's memory. It is written once, before anybody else sees it.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Header {
    magic: [u8; 8],
    kind: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    flags: u32,
    cpus: u32,
    extra: u64,
    seed: u64,
    number: u64,
    /// One more than where the lock is; 0 without one.
    spin_lock: u32,
    name: [u8; NAME],
}

const _: () = assert!(size_of::<Header>() <= STATE);

/// What a header says, when it makes sense.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub(crate) definition: Definition,
    pub(crate) cpus: u32,
    pub(crate) seed: u64,
    /// The map's number; see [`crate::registry`].
    pub(crate) number: u64,
}

impl Header {
    pub(crate) fn new(facts: &Facts) -> Self {
        let definition = &facts.definition;
        let mut name = [0; NAME];
        for (to, from) in name.iter_mut().take(NAME - 1).zip(definition.name.bytes()) {
            *to = from;
        }
        Self {
            magic: MAGIC,
            kind: definition.kind.number(),
            key_size: definition.key_size,
            value_size: definition.value_size,
            max_entries: definition.max_entries,
            flags: definition.flags,
            cpus: facts.cpus,
            extra: definition.extra,
            seed: facts.seed,
            number: facts.number,
            spin_lock: definition.spin_lock.map_or(0, |offset| offset.saturating_add(1)),
            name,
        }
    }

    /// What it says; whatever it is.
    pub(crate) fn facts(&self) -> Result<Facts> {
        ensure!(self.magic == MAGIC, "it is no map, or one of another version");
        let end = self.name.iter().position(|byte| *byte == 0).unwrap_or(NAME);
        let name = self.name.get(..end).unwrap_or_default();
        let definition = Definition {
            kind: MapKind::of(self.kind)?,
            name: String::from_utf8_lossy(name).into_owned(),
            key_size: self.key_size,
            value_size: self.value_size,
            max_entries: self.max_entries,
            flags: self.flags,
            extra: self.extra,
            spin_lock: self.spin_lock.checked_sub(1),
            inner: None,
        };
        definition.check()?;
        ensure!((1..=MOST_CPUS).contains(&self.cpus), "it is for {} processors", self.cpus);
        ensure!(self.number != 0, "it has no number");
        Ok(Facts { definition, cpus: self.cpus, seed: self.seed, number: self.number })
    }
}

/// How what follows the header is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Bytes of all, whole pages.
    pub(crate) size: usize,
    /// Where elements, buckets, bits or rings begin.
    pub(crate) data: usize,
    /// Where a hash's nodes begin.
    pub(crate) nodes: usize,
    /// From an element or node to the next.
    pub(crate) stride: usize,
    /// From the elements of a processor to those of the next.
    pub(crate) region: usize,
    /// How many elements, nodes or bits there are.
    pub(crate) count: u32,
    /// How many buckets there are.
    pub(crate) buckets: u32,
}

impl Layout {
    pub(crate) fn of(facts: &Facts) -> Result<Self> {
        let computed = Self::compute(facts).filter(|layout| layout.size <= LARGEST);
        let definition = &facts.definition;
        let Some(layout) = computed else {
            bail!(
                "{} elements of {} bytes are too much",
                definition.max_entries,
                definition.value_size
            );
        };
        Ok(layout)
    }

    fn compute(facts: &Facts) -> Option<Self> {
        let definition = &facts.definition;
        let max = definition.max_entries;
        let cpus = if definition.kind.is_per_cpu() { facts.cpus as usize } else { 1 };
        // What names something takes eight bytes here.
        let value = match definition.kind {
            MapKind::ProgArray | MapKind::ArrayOfMaps | MapKind::HashOfMaps => 8,
            _ => (definition.value_size as usize).next_multiple_of(8),
        };
        let mut layout = Self {
            size: 0,
            data: PAGE,
            nodes: 0,
            stride: value,
            region: 0,
            count: max,
            buckets: 0,
        };
        let entries = max as usize;
        let length = match definition.kind {
            MapKind::Array | MapKind::ProgArray | MapKind::ArrayOfMaps | MapKind::PerCpuArray => {
                // Nobody's values share a line, nor a pair of them, with another processor's.
                let region = value.checked_mul(entries)?.checked_next_multiple_of(128)?;
                layout.region = region;
                region.checked_mul(cpus)?
            }
            kind if kind.is_hash() => {
                layout.buckets = max.checked_next_power_of_two()?;
                // A bucket may keep a node that is not in use.
                layout.count = max.checked_add(layout.buckets)?;
                let key = (definition.key_size as usize).next_multiple_of(8);
                let values = value.checked_mul(cpus)?;
                layout.stride = key.checked_add(values)?.checked_add(size_of::<hash::Node>())?;
                let buckets = (layout.buckets as usize).checked_mul(size_of::<hash::Bucket>())?;
                layout.nodes = PAGE + buckets.next_multiple_of(64);
                let nodes = layout.stride.checked_mul(layout.count as usize)?;
                layout.nodes.checked_add(nodes)?.checked_sub(PAGE)?
            }
            MapKind::Queue | MapKind::Stack => {
                layout.count = max.checked_add(1)?;
                value.checked_mul(layout.count as usize)?
            }
            MapKind::Bloom => {
                layout.count = bloom::bits(max, bloom::hashes(definition.extra));
                (layout.count / 8) as usize
            }
            MapKind::RingBuffer => entries,
            MapKind::PerfEventArray => {
                // The states first, then the rings.
                layout.region = PERF_RING;
                let cpus = facts.cpus as usize;
                layout.data = PAGE + (cpus * RING_STATE).next_multiple_of(PAGE);
                (layout.data - PAGE).checked_add(cpus.checked_mul(PERF_RING)?)?
            }
            MapKind::StackTrace => {
                layout.buckets = max.checked_next_power_of_two()?;
                layout.stride = value.checked_add(8)?;
                layout.stride.checked_mul(layout.buckets as usize)?
            }
            _ => return None,
        };
        layout.size = PAGE.checked_add(length)?.checked_next_multiple_of(PAGE)?;
        Some(layout)
    }
}

/// The seed of a new map's hashes.
pub(crate) fn seed(definition: &Definition) -> u64 {
    if definition.flags & flags::ZERO_SEED != 0 { 0 } else { crate::registry::number() }
}

/// Checks that a file is as large as the header in it says.
pub(crate) fn check_size(layout: &Layout, size: usize) -> Result<()> {
    let wanted = Some(layout.size).filter(|wanted| *wanted == size);
    wanted.map(|_| ()).with_context(|| {
        format!("it has {size} bytes, and what it says of itself takes {}", layout.size)
    })
}
