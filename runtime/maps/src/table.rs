// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a handle leads to: the operations of maps, as programs call them, and as the loader does.

use anyhow::Result as Outcome;
use anyhow::{Context as _, ensure};

use crate::array::Array;
use crate::bloom::Bloom;
use crate::bytes;
use crate::definition::{Definition, MapKind, update};
use crate::errno::Errno;
use crate::hash::{Hash, Source};
use crate::layout::Facts;
use crate::map::Map;
use crate::processor;
use crate::queue::Queue;
use crate::registry;
use crate::ring::Ring;
use crate::segment::Segment;
use crate::stacks::Stacks;

/// A map, as a handle leads to it.
#[derive(Debug)]
pub struct Table {
    pub(crate) facts: Facts,
    pub(crate) body: Body,
    pub(crate) segment: Segment,
}

/// What a map consists of.
#[derive(Debug)]
pub(crate) enum Body {
    /// Arrays of all kinds.
    Array(Array),
    /// Hashes of all kinds.
    Hash(Hash),
    /// Queues and stacks.
    Queue(Queue),
    /// Bloom filters.
    Bloom(Bloom),
    /// A ring buffer.
    Ring(Ring),
    /// A ring for each processor.
    Perf(Vec<Ring>),
    /// Stack traces.
    Stacks(Stacks),
}

// SAFETY: what the pointers lead to is shared with other processes anyway: it is atomics, and bytes
// that are only copied, by accesses that allow for others who write.
unsafe impl Send for Table {}
// SAFETY: as above.
unsafe impl Sync for Table {}

impl Table {
    /// What programs take for the map, in this process.
    #[must_use]
    pub fn handle(&self) -> u64 {
        (&raw const *self).addr() as u64
    }

    /// The map that a handle stands for.
    ///
    /// # Safety
    ///
    /// The handle is one, and its map is still there, for as long as the reference is used.
    #[inline]
    #[must_use]
    pub unsafe fn of<'a>(handle: u64) -> &'a Self {
        // SAFETY: as the caller vouches.
        unsafe { &*(handle as usize as *const Self) }
    }

    /// What the map is.
    #[must_use]
    pub fn definition(&self) -> &Definition {
        &self.facts.definition
    }

    /// The map's number, by which maps of maps name it.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.facts.number
    }

    /// For how many processors it has values, if each has its own.
    #[must_use]
    pub fn cpus(&self) -> u32 {
        if self.facts.definition.kind.is_per_cpu() { self.facts.cpus } else { 1 }
    }

    /// The address of the first value of an array: that of global data.
    #[must_use]
    pub fn value(&self) -> Option<u64> {
        match &self.body {
            Body::Array(array) if self.kind() == MapKind::Array => Some(array.base.addr() as u64),
            _ => None,
        }
    }

    fn kind(&self) -> MapKind {
        self.facts.definition.kind
    }

    fn writable(&self) -> Result<(), Errno> {
        if self.segment.is_writable() { Ok(()) } else { Err(Errno::NOT_PERMITTED) }
    }
}

/// What programs do. Nothing here allocates, calls the C library or waits for ever.
impl Table {
    /// `bpf_map_lookup_elem`, or with a processor `bpf_map_lookup_percpu_elem`: where the value is. In
    /// a map of maps it is the handle of the inner one.
    ///
    /// # Safety
    ///
    /// There is a key to read.
    #[inline]
    #[must_use]
    pub unsafe fn lookup(&self, key: *const u8, cpu: Option<u32>) -> u64 {
        let place = match &self.body {
            // SAFETY: as the caller vouches.
            Body::Hash(hash) => unsafe { hash.lookup(key, cpu) },
            Body::Array(array) => {
                // SAFETY: as the caller vouches; the keys of arrays have four bytes.
                let index = unsafe { key.cast::<u32>().read_unaligned() };
                match cpu {
                    Some(cpu) => array.place(index, cpu),
                    None => array.lookup(index),
                }
            }
            _ => None,
        };
        let Some(place) = place else { return 0 };
        match self.kind() {
            MapKind::ArrayOfMaps | MapKind::HashOfMaps => {
                // SAFETY: such values are words, aligned.
                registry::find(unsafe { place.cast::<u64>().read_volatile() })
            }
            MapKind::ProgArray => 0,
            _ => place.addr() as u64,
        }
    }

    /// `bpf_map_update_elem`.
    ///
    /// # Safety
    ///
    /// There are a key and a value to read.
    #[inline]
    pub unsafe fn update(&self, key: *const u8, value: *const u8, flags: u64) -> Result<(), Errno> {
        self.writable()?;
        match &self.body {
            _ if self.kind().holds_maps() || self.kind() == MapKind::ProgArray => {
                Err(Errno::NOT_SUPPORTED)
            }
            // SAFETY: as the caller vouches.
            Body::Hash(hash) => unsafe { hash.update(key, Source::One(value), flags) },
            Body::Array(array) => {
                // SAFETY: as the caller vouches; the keys of arrays have four bytes.
                unsafe { array.update(key.cast::<u32>().read_unaligned(), value, flags) }
            }
            _ => Err(Errno::INVALID),
        }
    }

    /// `bpf_map_delete_elem`.
    ///
    /// # Safety
    ///
    /// There is a key to read.
    pub unsafe fn delete(&self, key: *const u8) -> Result<(), Errno> {
        self.writable()?;
        match &self.body {
            // SAFETY: as the caller vouches.
            Body::Hash(hash) => unsafe { hash.delete(key) },
            Body::Bloom(_) => Err(Errno::NOT_SUPPORTED),
            _ => Err(Errno::INVALID),
        }
    }

    /// `bpf_map_push_elem`.
    ///
    /// # Safety
    ///
    /// There is a value to read.
    pub unsafe fn push(&self, value: *const u8, flags: u64) -> Result<(), Errno> {
        match &self.body {
            // SAFETY: as the caller vouches.
            Body::Queue(queue) => unsafe { queue.push(value, flags) },
            // SAFETY: as the caller vouches.
            Body::Bloom(bloom) => unsafe { bloom.push(value, flags) },
            _ => Err(Errno::NOT_SUPPORTED_HERE),
        }
    }

    /// `bpf_map_pop_elem`.
    ///
    /// # Safety
    ///
    /// There is room for a value.
    pub unsafe fn pop(&self, value: *mut u8) -> Result<(), Errno> {
        match &self.body {
            // SAFETY: as the caller vouches.
            Body::Queue(queue) => unsafe { queue.take(value, true) },
            Body::Bloom(_) => Err(Errno::NOT_SUPPORTED),
            _ => Err(Errno::NOT_SUPPORTED_HERE),
        }
    }

    /// `bpf_map_peek_elem`.
    ///
    /// # Safety
    ///
    /// There is room for a value, which for a Bloom filter is read.
    pub unsafe fn peek(&self, value: *mut u8) -> Result<(), Errno> {
        match &self.body {
            // SAFETY: as the caller vouches.
            Body::Queue(queue) => unsafe { queue.take(value, false) },
            // SAFETY: as the caller vouches.
            Body::Bloom(bloom) => unsafe { bloom.peek(value) },
            _ => Err(Errno::NOT_SUPPORTED_HERE),
        }
    }

    /// `bpf_for_each_map_elem`: `each` gets key and value, and says whether to stop. How many it
    /// saw.
    pub fn each(&self, mut each: impl FnMut(*mut u8, *mut u8) -> bool) -> Result<u64, Errno> {
        match &self.body {
            Body::Hash(hash) if !self.kind().holds_maps() => Ok(hash.each(each)),
            Body::Array(array) if matches!(self.kind(), MapKind::Array | MapKind::PerCpuArray) => {
                for index in 0..array.max {
                    let Some(place) = array.lookup(index) else { break };
                    let mut key = index;
                    if each((&raw mut key).cast(), place) {
                        return Ok(u64::from(index) + 1);
                    }
                }
                Ok(array.max.into())
            }
            _ => Err(Errno::INVALID),
        }
    }

    /// The native code of the program at an index of a program array; 0 if there is none.
    #[inline]
    #[must_use]
    pub fn program(&self, index: u32) -> u64 {
        match &self.body {
            Body::Array(array) if self.kind() == MapKind::ProgArray => {
                let Some(place) = array.lookup(index) else { return 0 };
                // SAFETY: such values are words, aligned.
                registry::find(unsafe { place.cast::<u64>().read_volatile() })
            }
            _ => 0,
        }
    }

    /// The ring of a ring buffer.
    fn ring(&self) -> Option<&Ring> {
        match &self.body {
            Body::Ring(ring) => Some(ring),
            _ => None,
        }
    }

    /// `bpf_ringbuf_reserve`: the address of a record, 0 if there is no room.
    #[inline]
    #[must_use]
    pub fn reserve(&self, size: u64) -> u64 {
        let record = self.ring().and_then(|ring| ring.reserve(size));
        record.map_or(0, |record| record.addr() as u64)
    }

    /// `bpf_ringbuf_submit`, or `bpf_ringbuf_discard`.
    ///
    /// # Safety
    ///
    /// `record` is what [`reserve`](Self::reserve) of any map gave, and was not given back yet.
    #[inline]
    pub unsafe fn commit(record: u64, discard: bool) {
        // SAFETY: as the caller vouches.
        unsafe { Ring::commit(record as usize as *mut u8, discard) };
    }

    /// `bpf_ringbuf_output`, but for its flags.
    ///
    /// # Safety
    ///
    /// There are that many bytes to read.
    pub unsafe fn output(&self, data: *const u8, size: u64) -> Result<(), Errno> {
        let ring = self.ring().ok_or(Errno::INVALID)?;
        // SAFETY: as the caller vouches.
        unsafe { ring.output(data, size) }
    }

    /// `bpf_ringbuf_query`.
    #[must_use]
    pub fn query(&self, what: u64) -> u64 {
        self.ring().map_or(0, |ring| ring.query(what))
    }

    /// `bpf_perf_event_output`.
    ///
    /// # Safety
    ///
    /// There are that many bytes to read.
    pub unsafe fn perf_output(&self, flags: u64, data: *const u8, size: u64) -> Result<(), Errno> {
        const INDEX: u64 = 0xffff_ffff;
        const LONGEST: u64 = 0xffff;
        let Body::Perf(rings) = &self.body else { return Err(Errno::INVALID) };
        if flags & !INDEX != 0 {
            return Err(Errno::INVALID);
        }
        let here = u64::from(processor::current());
        let index = if flags == INDEX { here } else { flags };
        if index >= u64::from(self.facts.definition.max_entries) {
            return Err(Errno::FULL);
        }
        let ring = rings.get(index as usize).ok_or(Errno::NO_ENTRY)?;
        if index != here {
            return Err(Errno::NOT_SUPPORTED);
        }
        if size > LONGEST {
            return Err(Errno::FULL);
        }
        // SAFETY: as the caller vouches.
        unsafe { ring.output(data, size) }.map_err(|_| Errno::NO_SPACE)
    }

    /// `bpf_get_stackid`, once there are the frames.
    pub fn put_stack(&self, frames: &[u64], flags: u64) -> Result<u32, Errno> {
        match &self.body {
            Body::Stacks(stacks) => stacks.put(frames, flags),
            _ => Err(Errno::INVALID),
        }
    }

    /// How many frames a stack may have; 0 if this is no map of stacks.
    #[must_use]
    pub fn frames(&self) -> usize {
        match &self.body {
            Body::Stacks(stacks) => stacks.frames,
            _ => 0,
        }
    }
}

/// What the loader does: as the system call does it.
impl Table {
    /// Bytes of what [`read`](Self::read) gives and [`write`](Self::write) takes: a value, or those of
    /// all processors, each padded to eight bytes.
    #[must_use]
    pub fn whole_size(&self) -> usize {
        let value = self.facts.definition.value_size as usize;
        if self.facts.definition.kind.is_per_cpu() {
            value.next_multiple_of(8) * self.facts.cpus as usize
        } else {
            value
        }
    }

    fn check_key(&self, key: &[u8]) -> Result<(), Errno> {
        let fits = key.len() == self.facts.definition.key_size as usize;
        if fits { Ok(()) } else { Err(Errno::INVALID) }
    }

    fn index(key: &[u8]) -> u32 {
        // Arrays have keys of four bytes; the length was checked.
        key.try_into().map_or(u32::MAX, u32::from_ne_bytes)
    }

    /// The value of a key, or those of all processors; the frames of a stack.
    pub fn read(&self, key: &[u8]) -> Result<Vec<u8>, Errno> {
        self.check_key(key)?;
        let mut whole = vec![0u8; self.whole_size()];
        let to = whole.as_mut_ptr();
        match &self.body {
            Body::Hash(hash) => {
                let copy = |from: *const u8| self.copy_whole(to, from, hash.shape.room());
                // SAFETY: the key has its size.
                if !unsafe { hash.read(key.as_ptr(), copy) } {
                    return Err(Errno::NO_ENTRY);
                }
            }
            Body::Array(array) => {
                let index = Self::index(key);
                let place = array.place(index, 0).ok_or(Errno::NO_ENTRY)?;
                self.copy_whole(to, place, array.region);
            }
            Body::Stacks(stacks) => {
                let frames = stacks.get(Self::index(key)).ok_or(Errno::NO_ENTRY)?;
                for (to, frame) in whole.chunks_exact_mut(8).zip(frames) {
                    to.copy_from_slice(&frame.to_ne_bytes());
                }
            }
            // SAFETY: there is room for a value.
            Body::Queue(queue) => unsafe { queue.take(to, false) }?,
            _ => return Err(Errno::NOT_SUPPORTED),
        }
        Ok(whole)
    }

    /// Copies a value, or those of all processors, `apart` from each other.
    fn copy_whole(&self, to: *mut u8, from: *const u8, apart: usize) {
        let names = self.kind().holds_maps() || self.kind() == MapKind::ProgArray;
        let size = self.facts.definition.value_size as usize;
        for cpu in 0..self.cpus() as usize {
            // SAFETY: `from` is a place in this map, with values for so many processors, and `to`
            // has room for them.
            unsafe {
                let to = to.add(cpu * size.next_multiple_of(8));
                let from = from.add(cpu * apart);
                match &self.body {
                    Body::Hash(hash) if !names => hash.shape.read(to, from),
                    Body::Array(array) if !names => array.shape.read(to, from),
                    // As the kernel: what names something is four bytes.
                    _ => bytes::copy(to, from, size),
                }
            }
        }
    }

    /// Sets the value of a key, or those of all processors; `flags` as in [`update`].
    pub fn write(&self, key: &[u8], value: &[u8], flags: u64) -> Result<(), Errno> {
        self.check_key(key)?;
        self.writable()?;
        // Before anything else, as the system call does; a program's update looks at it later.
        let locked = flags & update::LOCK != 0;
        if value.len() != self.whole_size() || (locked && self.definition().spin_lock.is_none()) {
            return Err(Errno::INVALID);
        }
        match &self.body {
            _ if self.kind().holds_maps() || self.kind() == MapKind::ProgArray => {
                Err(Errno::NOT_SUPPORTED)
            }
            Body::Hash(hash) if hash.per_cpu => {
                // SAFETY: key and values have their sizes.
                unsafe { hash.update(key.as_ptr(), Source::All(value.as_ptr()), flags) }
            }
            Body::Hash(hash) => {
                // SAFETY: key and value have their sizes.
                unsafe { hash.update(key.as_ptr(), Source::One(value.as_ptr()), flags) }
            }
            Body::Array(array) if array.cpus > 1 => {
                // SAFETY: the values have their size.
                unsafe { array.update_all(Self::index(key), value.as_ptr(), flags) }
            }
            Body::Array(array) => {
                // SAFETY: the value has its size.
                unsafe { array.update(Self::index(key), value.as_ptr(), flags) }
            }
            // SAFETY: the value has its size.
            Body::Queue(queue) => unsafe { queue.push(value.as_ptr(), flags) },
            // SAFETY: the value has its size.
            Body::Bloom(bloom) => unsafe { bloom.push(value.as_ptr(), flags) },
            _ => Err(Errno::INVALID),
        }
    }

    /// Takes an element out.
    pub fn remove(&self, key: &[u8]) -> Result<(), Errno> {
        self.check_key(key)?;
        self.writable()?;
        match &self.body {
            // SAFETY: the key has its size.
            Body::Hash(hash) => unsafe { hash.delete(key.as_ptr()) },
            Body::Array(array) if self.kind() != MapKind::Array => {
                if array.cpus > 1 || self.kind() == MapKind::PerCpuArray {
                    return Err(Errno::INVALID);
                }
                self.name_at(array, Self::index(key), 0)
            }
            Body::Stacks(stacks) => stacks.remove(Self::index(key)),
            Body::Bloom(_) => Err(Errno::NOT_SUPPORTED),
            _ => Err(Errno::INVALID),
        }
    }

    /// Takes an element out and gives what it was; of a queue or stack the next one, with an empty
    /// key.
    pub fn take(&self, key: &[u8]) -> Result<Vec<u8>, Errno> {
        self.check_key(key)?;
        self.writable()?;
        let mut whole = vec![0u8; self.whole_size()];
        let to = whole.as_mut_ptr();
        match &self.body {
            Body::Hash(hash) if !self.kind().holds_maps() => {
                let copy = |from: *const u8| self.copy_whole(to, from, hash.shape.room());
                // SAFETY: the key has its size.
                unsafe { hash.remove(key.as_ptr(), copy) }?;
            }
            // SAFETY: there is room for a value.
            Body::Queue(queue) => unsafe { queue.take(to, true) }?,
            _ => return Err(Errno::NOT_SUPPORTED),
        }
        Ok(whole)
    }

    /// Whether a value was, perhaps, pushed to a Bloom filter.
    pub fn may_contain(&self, value: &[u8]) -> Result<bool, Errno> {
        match &self.body {
            Body::Bloom(bloom) if value.len() == bloom.value_size => {
                // SAFETY: the value has its size.
                Ok(unsafe { bloom.peek(value.as_ptr()) }.is_ok())
            }
            _ => Err(Errno::INVALID),
        }
    }

    /// All elements: keys, and what [`read`](Self::read) gives. Of a queue or stack the values, with
    /// empty keys, in the order in which they would come out; of maps that name something, the keys
    /// that name anything.
    #[must_use]
    pub fn entries(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut entries = Vec::new();
        match &self.body {
            Body::Hash(hash) => {
                for number in 0..=hash.mask {
                    hash.each_of(number, |key, values| {
                        let mut entry = (vec![0; hash.key_size], vec![0; self.whole_size()]);
                        // SAFETY: the key has its size.
                        unsafe { bytes::copy(entry.0.as_mut_ptr(), key, hash.key_size) };
                        self.copy_whole(entry.1.as_mut_ptr(), values, hash.shape.room());
                        entries.push(entry);
                    });
                }
            }
            Body::Array(array) => {
                for index in 0..array.max {
                    let key = index.to_ne_bytes().to_vec();
                    let Ok(value) = self.read(&key) else { continue };
                    let names = !matches!(self.kind(), MapKind::Array | MapKind::PerCpuArray);
                    if !names || value.iter().any(|byte| *byte != 0) {
                        entries.push((key, value));
                    }
                }
            }
            Body::Stacks(stacks) => {
                for number in 0..stacks.places() {
                    let key = number.to_ne_bytes().to_vec();
                    if let Ok(value) = self.read(&key) {
                        entries.push((key, value));
                    }
                }
            }
            Body::Queue(queue) => queue.each(|from| {
                let mut value = vec![0; queue.value_size];
                // SAFETY: the value has its size.
                unsafe { bytes::copy(value.as_mut_ptr(), from, queue.value_size) };
                entries.push((Vec::new(), value));
            }),
            Body::Bloom(_) | Body::Ring(_) | Body::Perf(_) => {}
        }
        entries
    }

    /// The keys, in the order of [`entries`](Self::entries).
    #[must_use]
    pub fn keys(&self) -> Vec<Vec<u8>> {
        self.entries().into_iter().map(|(key, _)| key).collect()
    }

    /// How many elements a hash has.
    #[must_use]
    pub fn count(&self) -> Option<u32> {
        match &self.body {
            Body::Hash(hash) => Some(hash.count()),
            _ => None,
        }
    }

    /// The frames of a stack, the innermost first.
    #[must_use]
    pub fn stack(&self, number: u32) -> Option<Vec<u64>> {
        match &self.body {
            Body::Stacks(stacks) => stacks.get(number),
            _ => None,
        }
    }

    /// Has `each` look at all events that are ready, with the number of the processor that they are
    /// from (0 in a ring buffer); how many they were. A map has one consumer at a time.
    pub fn consume(&self, mut each: impl FnMut(u32, &[u8])) -> usize {
        let rings = match &self.body {
            Body::Ring(ring) => std::slice::from_ref(ring),
            Body::Perf(rings) => rings.as_slice(),
            _ => &[],
        };
        let all = (0..).zip(rings);
        all.map(|(cpu, ring)| ring.consume(|event| each(cpu, event))).sum()
    }

    /// How many events there was no room for.
    #[must_use]
    pub fn lost(&self) -> u64 {
        match &self.body {
            Body::Ring(ring) => ring.lost(),
            Body::Perf(rings) => rings.iter().map(Ring::lost).sum(),
            _ => 0,
        }
    }

    /// Has the key of a map of maps name `inner`, or nothing.
    pub fn set_inner(&self, key: &[u8], inner: Option<&Map>) -> Outcome<()> {
        ensure!(self.kind().holds_maps(), "it is no map of maps");
        if let (Some(wanted), Some(inner)) = (&self.facts.definition.inner, inner) {
            let is = inner.definition();
            let same = (is.kind, is.key_size, is.value_size, is.flags)
                == (wanted.kind, wanted.key_size, wanted.value_size, wanted.flags)
                && (is.kind != MapKind::Array || is.max_entries == wanted.max_entries);
            ensure!(same, "the map {} is not of the kind that is held here", is.name);
        }
        let name = inner.map(|inner| inner.number());
        self.set_name(key, name).context("failed to set an inner map")
    }

    /// Has an index of a program array name the program with this number, or none. Where its code is
    /// each process says by [`registry::put`].
    pub fn set_program(&self, index: u32, number: Option<u64>) -> Outcome<()> {
        ensure!(self.kind() == MapKind::ProgArray, "it is no program array");
        self.set_name(&index.to_ne_bytes(), number).context("failed to set a program")
    }

    fn set_name(&self, key: &[u8], name: Option<u64>) -> Result<(), Errno> {
        self.check_key(key)?;
        match (&self.body, name) {
            (Body::Array(array), name) => {
                self.name_at(array, Self::index(key), name.unwrap_or(0)).or_else(|error| {
                    // Taking away what is not there is no error here.
                    if name.is_none() && error == Errno::NO_ENTRY { Ok(()) } else { Err(error) }
                })
            }
            (Body::Hash(hash), Some(name)) => {
                let source = Source::One((&raw const name).cast());
                // SAFETY: key and value have their sizes.
                unsafe { hash.update(key.as_ptr(), source, update::ANY) }
            }
            // SAFETY: the key has its size.
            (Body::Hash(hash), None) => unsafe { hash.delete(key.as_ptr()) },
            _ => Err(Errno::INVALID),
        }
    }

    /// Puts a name, or takes it away if it is 0.
    fn name_at(&self, array: &Array, index: u32, name: u64) -> Result<(), Errno> {
        let place = array.place(index, 0).ok_or(Errno::FULL)?;
        // SAFETY: such values are words, aligned.
        let word = unsafe { std::sync::atomic::AtomicU64::from_ptr(place.cast()) };
        let before = word.swap(name, std::sync::atomic::Ordering::AcqRel);
        if name == 0 && before == 0 { Err(Errno::NO_ENTRY) } else { Ok(()) }
    }
}
