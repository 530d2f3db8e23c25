// SPDX-License-Identifier: MIT OR Apache-2.0
//! Maps: made by one process, opened by others.

use std::ops::Deref;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use anyhow::{Context as _, Result, ensure};

use crate::array::Array;
use crate::bloom::{self, Bloom};
use crate::definition::{Definition, MapKind};
use crate::hash::Hash;
use crate::layout::{Facts, Header, Layout, RING_STATE, STATE, check_size, seed};
use crate::queue::Queue;
use crate::ring::Ring;
use crate::segment::{self, PAGE, Segment};
use crate::stacks::Stacks;
use crate::table::{Body, Table};
use crate::value::Shape;
use crate::{identity, processor, registry};

/// A map, in this process. While it is there its [`handle`](Map::handle) is what programs take for
/// the map.
#[derive(Debug)]
pub struct Map(Box<Table>);

impl Map {
    /// A new map, and the descriptor by which others open it.
    pub fn create(definition: &Definition) -> Result<(Self, OwnedFd)> {
        let make = || -> Result<_> {
            definition.check()?;
            let facts = Facts {
                definition: definition.clone(),
                cpus: processor::possible(),
                seed: seed(definition),
                number: registry::number(),
            };
            let layout = Layout::of(&facts)?;
            let (segment, fd) = Segment::create(&definition.name, layout.size)?;
            // SAFETY: the segment has at least a page, aligned to pages, and is nobody else's yet.
            unsafe { segment.base().cast::<Header>().write(Header::new(&facts)) };
            let map = Self::new(segment, fd.as_fd(), facts, layout)?;
            Ok((map, fd))
        };
        make().with_context(|| format!("failed to make the map {}", definition.name))
    }

    /// Opens somebody else's map. Whatever the descriptor is: what makes no sense is an error.
    pub fn open(fd: BorrowedFd<'_>) -> Result<Self> {
        let open = || -> Result<_> {
            let segment = Segment::open(fd)?;
            // SAFETY: the segment has at least a page; any bytes are a header. This is a copy, so
            // nobody changes it after it was looked at.
            let header = unsafe { segment.base().cast::<Header>().read_volatile() };
            let facts = header.facts()?;
            let layout = Layout::of(&facts)?;
            check_size(&layout, segment.size())?;
            Self::new(segment, fd, facts, layout)
        };
        open().context("failed to open a map")
    }

    fn new(mut segment: Segment, fd: BorrowedFd<'_>, facts: Facts, layout: Layout) -> Result<Self> {
        identity::prepare();
        processor::prepare();
        let fixed = matches!(facts.definition.kind, MapKind::Array | MapKind::PerCpuArray);
        ensure!(
            segment.is_writable() || fixed,
            "a map of type {} has to be writable",
            facts.definition.kind.name()
        );
        let body = body(&mut segment, fd, &facts, &layout)?;
        let table = Box::new(Table { facts, body, segment });
        registry::put(table.facts.number, table.handle());
        Ok(Self(table))
    }

    /// Has nobody who opens the map from now on change it: for `.rodata`, once it is filled. Who
    /// has opened it before goes on.
    pub fn freeze(fd: BorrowedFd<'_>) -> Result<()> {
        segment::freeze(fd)
    }
}

impl Deref for Map {
    type Target = Table;

    fn deref(&self) -> &Table {
        &self.0
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        registry::remove(self.0.facts.number, self.0.handle());
    }
}

/// What a map of this kind consists of.
fn body(segment: &mut Segment, fd: BorrowedFd<'_>, facts: &Facts, layout: &Layout) -> Result<Body> {
    let definition = &facts.definition;
    let base = segment.base();
    // SAFETY: the layout was made for the size of the segment, or the other way round.
    let (data, nodes, state) =
        unsafe { (base.add(layout.data), base.add(layout.nodes), base.add(STATE)) };
    let names =
        matches!(definition.kind, MapKind::ProgArray | MapKind::ArrayOfMaps | MapKind::HashOfMaps);
    let shape = Shape {
        size: if names { 8 } else { definition.value_size as usize },
        lock: definition.spin_lock.map(|offset| offset as usize),
    };
    let per_cpu = definition.kind.is_per_cpu();
    let cpus = if per_cpu { facts.cpus } else { 1 };
    Ok(match definition.kind {
        MapKind::Array | MapKind::PerCpuArray | MapKind::ProgArray | MapKind::ArrayOfMaps => {
            Body::Array(Array {
                base: data,
                max: definition.max_entries,
                stride: layout.stride,
                shape,
                cpus,
                region: layout.region,
            })
        }
        MapKind::Hash
        | MapKind::PerCpuHash
        | MapKind::LruHash
        | MapKind::LruPerCpuHash
        | MapKind::HashOfMaps => Body::Hash(Hash {
            state: state.cast(),
            buckets: data.cast(),
            mask: layout.buckets - 1,
            nodes,
            stride: layout.stride,
            total: layout.count,
            key_size: definition.key_size as usize,
            shape,
            cpus,
            per_cpu,
            max: definition.max_entries,
            seed: facts.seed,
            lru: matches!(definition.kind, MapKind::LruHash | MapKind::LruPerCpuHash),
        }),
        MapKind::Queue | MapKind::Stack => Body::Queue(Queue {
            state: state.cast(),
            base: data,
            stride: layout.stride,
            value_size: shape.size,
            places: layout.count,
            is_stack: definition.kind == MapKind::Stack,
        }),
        MapKind::Bloom => Body::Bloom(Bloom {
            bits: data.cast(),
            mask: layout.count - 1,
            value_size: shape.size,
            hashes: bloom::hashes(definition.extra),
            seed: facts.seed,
        }),
        MapKind::RingBuffer => {
            let size = definition.max_entries as usize;
            let records = segment.ring(fd, layout.data, size)?;
            Body::Ring(Ring { state: state.cast(), base: records, size: size as u64 })
        }
        MapKind::PerfEventArray => {
            let mut rings = Vec::new();
            for cpu in 0..facts.cpus as usize {
                let size = layout.region;
                let records = segment.ring(fd, layout.data + cpu * size, size)?;
                // SAFETY: the states lie before the rings.
                let state = unsafe { base.add(PAGE + cpu * RING_STATE) };
                rings.push(Ring { state: state.cast(), base: records, size: size as u64 });
            }
            Body::Perf(rings)
        }
        MapKind::StackTrace => Body::Stacks(Stacks {
            base: data,
            stride: layout.stride,
            mask: layout.buckets - 1,
            frames: shape.size / 8,
            seed: facts.seed,
        }),
    })
}
