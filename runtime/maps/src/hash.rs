// SPDX-License-Identifier: MIT OR Apache-2.0
//! Hashes, with eviction of what was not used for long or without.
//!
//! ```text
//!  buckets                             nodes
//!  ┌────────────────────────────┐      ┌──────────────────────────────────────┐
//!  │ lock, head, spare, version │─────▶│ next, free, hash, used │ key │ value │──▶ next … ──▶ 0
//!  └────────────────────────────┘      └──────────────────────────────────────┘
//! ```
//!
//! Who changes a bucket holds its lock, and whoever reads holds nothing. An update of a key that is
//! there fills a node that is not and puts it in the place of the old one by one store: a reader finds
//! the old value or the new one. A node that is taken out keeps its `next`, so that whoever stands on
//! it finds his way, until it is used again. Then he may miss something, or come into another bucket;
//! but the version has changed by then, and who did not find what he looked for begins anew.
//!
//! A thread can be killed between any two steps. Each is one store, after which the chain is whole;
//! at worst a node is in no chain and on no list, or counted and not there. That is found when the map
//! seems full, by going through all of it.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

use crate::bytes;
use crate::definition::update;
use crate::errno::Errno;
use crate::lock::{Held, Lock, Taken};
use crate::processor;
use crate::value::Shape;

/// `used`: the node is in a chain.
const LINKED: u32 = 1;
/// `used`: somebody looked it up since the hand came by.
const RECENT: u32 = 2;
/// How often a reader begins anew before he takes the lock.
const TRIES: u32 = 100;

/// A bucket. All zero, it is empty.
#[repr(C, align(32))]
pub(crate) struct Bucket {
    lock: Lock,
    /// The link to the first node.
    head: AtomicU32,
    /// A node that is in no chain, for the next one who needs one here.
    spare: AtomicU32,
    /// Counts what was taken out.
    version: AtomicU32,
}

/// What a node begins with. The key follows, and the value or values. A link to a node is its number,
/// from 1 on; 0 ends a chain.
#[repr(C)]
pub(crate) struct Node {
    next: AtomicU32,
    /// The next one on the list of free nodes.
    free: AtomicU32,
    hash: AtomicU32,
    used: AtomicU32,
}

/// What changes, beside buckets and nodes.
#[repr(C, align(64))]
pub(crate) struct State {
    /// The list of free nodes: a count of changes, so that none goes unnoticed, and the first.
    free: AtomicU64,
    /// How many nodes were ever taken.
    fresh: AtomicU32,
    /// How many elements there are.
    count: AtomicU32,
    /// How many updates found no room.
    full: AtomicU32,
    /// Where the hand is that looks for what was not used.
    hand: AtomicU32,
    /// How often locks were taken over from the dead.
    deaths: AtomicU32,
    /// For how many of these what they left was looked for.
    swept: AtomicU32,
}

/// A hash, in this process.
#[derive(Debug)]
pub(crate) struct Hash {
    pub(crate) state: *const State,
    pub(crate) buckets: *const Bucket,
    pub(crate) mask: u32,
    pub(crate) nodes: *mut u8,
    /// From a node to the next.
    pub(crate) stride: usize,
    /// How many nodes there is room for.
    pub(crate) total: u32,
    pub(crate) key_size: usize,
    pub(crate) shape: Shape,
    /// How many processors have values of their own; 1 if they share them.
    pub(crate) cpus: u32,
    pub(crate) per_cpu: bool,
    pub(crate) max: u32,
    pub(crate) seed: u64,
    pub(crate) lru: bool,
}

/// Where the values of an update come from.
#[derive(Clone, Copy)]
pub(crate) enum Source {
    /// One value: this processor's, where each has its own.
    One(*const u8),
    /// The values of all processors, one behind the other.
    All(*const u8),
}

/// A place in a chain.
#[derive(Clone, Copy)]
struct Found<'a> {
    link: u32,
    node: &'a Node,
    /// The node before; none for the first.
    before: Option<&'a Node>,
}

impl Hash {
    fn state(&self) -> &State {
        // SAFETY: the layout has one there, for as long as the map lives; it is all atomics.
        unsafe { &*self.state }
    }

    #[inline]
    fn bucket(&self, hash: u32) -> &Bucket {
        // SAFETY: the layout has a bucket for each value of the mask; they are all atomics.
        unsafe { &*self.buckets.add((hash & self.mask) as usize) }
    }

    /// The node that a link leads to, unless it ends the chain; whatever the link is.
    #[inline]
    fn node(&self, link: u32) -> Option<&Node> {
        let index = link.wrapping_sub(1);
        if index >= self.total {
            return None;
        }
        // SAFETY: the layout has room for that many; what a node begins with is all atomics.
        Some(unsafe { &*self.nodes.add(index as usize * self.stride).cast::<Node>() })
    }

    #[inline]
    fn key(&self, node: &Node) -> *mut u8 {
        // SAFETY: the key follows, within the stride.
        unsafe { (&raw const *node).cast::<u8>().cast_mut().add(size_of::<Node>()) }
    }

    #[inline]
    fn values(&self, node: &Node) -> *mut u8 {
        // SAFETY: the values follow the key, within the stride.
        unsafe { self.key(node).add(self.key_size.next_multiple_of(8)) }
    }

    /// Where a processor's value is.
    #[inline]
    fn value(&self, node: &Node, cpu: u32) -> *mut u8 {
        // SAFETY: a node has values for `cpus` processors.
        unsafe { self.values(node).add(cpu.min(self.cpus - 1) as usize * self.shape.room()) }
    }

    #[inline]
    fn here(&self) -> u32 {
        if self.per_cpu { processor::current() } else { 0 }
    }

    /// # Safety
    ///
    /// There is a key to read.
    #[inline]
    unsafe fn hash(&self, key: *const u8) -> u32 {
        // SAFETY: as the caller vouches.
        unsafe { bytes::hash(key, self.key_size, self.seed) }
    }

    /// Where the value of `key` is, of this processor, or of the one that is asked for.
    ///
    /// # Safety
    ///
    /// There is a key to read.
    #[inline]
    pub(crate) unsafe fn lookup(&self, key: *const u8, cpu: Option<u32>) -> Option<*mut u8> {
        // SAFETY: as the caller vouches.
        let node = unsafe { self.find(key) }?;
        if self.lru && node.used.load(Ordering::Relaxed) & RECENT == 0 {
            node.used.fetch_or(RECENT, Ordering::Relaxed);
        }
        match cpu {
            Some(cpu) if cpu >= self.cpus => None,
            Some(cpu) => Some(self.value(node, cpu)),
            None => Some(self.value(node, self.here())),
        }
    }

    /// # Safety
    ///
    /// There is a key to read.
    #[inline]
    unsafe fn find(&self, key: *const u8) -> Option<&Node> {
        // SAFETY: as the caller vouches.
        let hash = unsafe { self.hash(key) };
        let bucket = self.bucket(hash);
        for _ in 0..TRIES {
            let version = bucket.version.load(Ordering::Acquire);
            // SAFETY: as the caller vouches.
            let found = unsafe { self.walk(bucket, hash, key) };
            if let Some(found) = found {
                return Some(found.node);
            }
            // What the walk saw was written before the version is read.
            fence(Ordering::Acquire);
            if bucket.version.load(Ordering::Relaxed) == version {
                return None;
            }
        }
        // Never so far; but then nobody changes anything meanwhile.
        let _held = bucket.lock.take().ok()?;
        // SAFETY: as the caller vouches.
        unsafe { self.walk(bucket, hash, key) }.map(|found| found.node)
    }

    /// Looks through a chain.
    ///
    /// # Safety
    ///
    /// There is a key to read.
    #[inline]
    unsafe fn walk<'a>(
        &'a self,
        bucket: &'a Bucket,
        hash: u32,
        key: *const u8,
    ) -> Option<Found<'a>> {
        let mut before = None;
        let mut link = bucket.head.load(Ordering::Acquire);
        // No chain is longer, unless somebody destroyed it.
        for _ in 0..=self.total {
            let node = self.node(link)?;
            if node.hash.load(Ordering::Relaxed) == hash
                // SAFETY: as the caller vouches, and a node has a key.
                && unsafe { bytes::equal(self.key(node), key, self.key_size) }
            {
                return Some(Found { link, node, before });
            }
            before = Some(node);
            link = node.next.load(Ordering::Acquire);
        }
        None
    }

    /// Takes a bucket's lock. Whatever the dead left there is whole; what they took is looked for when
    /// it is missed.
    #[inline]
    fn lock<'a>(&self, bucket: &'a Bucket) -> Result<Held<'a>, Errno> {
        let held = bucket.lock.take()?;
        if held.taken == Taken::FromTheDead {
            self.state().deaths.fetch_add(1, Ordering::Relaxed);
        }
        Ok(held)
    }

    /// What `bpf_map_update_elem` does.
    ///
    /// # Safety
    ///
    /// There are a key and a value, or all values, to read.
    pub(crate) unsafe fn update(
        &self,
        key: *const u8,
        source: Source,
        flags: u64,
    ) -> Result<(), Errno> {
        let locked = flags & update::LOCK != 0;
        if flags & !update::LOCK > update::EXIST
            || (locked && (self.shape.lock.is_none() || self.per_cpu || self.lru))
        {
            return Err(Errno::INVALID);
        }
        // SAFETY: as the caller vouches.
        let hash = unsafe { self.hash(key) };
        let bucket = self.bucket(hash);
        // Each round but the first comes after something was evicted, which others may have taken.
        for _ in 0..TRIES {
            let held = self.lock(bucket)?;
            // SAFETY: as the caller vouches.
            let found = unsafe { self.walk(bucket, hash, key) };
            match found {
                Some(_) if flags & update::NOEXIST != 0 => return Err(Errno::EXIST),
                None if flags & update::EXIST != 0 => return Err(Errno::NO_ENTRY),
                Some(found) if self.per_cpu || locked => {
                    // SAFETY: as the caller vouches.
                    unsafe { self.write(found.node, source, locked, false) };
                    self.touch(found.node);
                    return Ok(());
                }
                _ => {}
            }
            if found.is_none() && !self.count_one_more() {
                drop(held);
                self.make_room()?;
                continue;
            }
            let Some(link) = self.take_node(bucket) else {
                if found.is_none() {
                    self.count_one_less();
                }
                drop(held);
                self.make_room()?;
                continue;
            };
            let Some(node) = self.node(link) else { return Err(Errno::NO_MEMORY) };
            // SAFETY: as the caller vouches; nobody else has the node.
            unsafe {
                bytes::copy(self.key(node), key, self.key_size);
                self.write(node, source, false, true);
            }
            node.hash.store(hash, Ordering::Relaxed);
            let recent = found.map_or(0, |_| RECENT);
            node.used.store(LINKED | recent, Ordering::Relaxed);
            match found {
                Some(old) => self.replace(bucket, old, node, link),
                None => {
                    let head = bucket.head.load(Ordering::Relaxed);
                    node.next.store(head, Ordering::Relaxed);
                    bucket.head.store(link, Ordering::Release);
                }
            }
            return Ok(());
        }
        Err(if self.lru { Errno::NO_MEMORY } else { Errno::FULL })
    }

    /// # Safety
    ///
    /// There is something to read.
    #[inline]
    unsafe fn write(&self, node: &Node, source: Source, locked: bool, new: bool) {
        let room = self.shape.room();
        // SAFETY: as the caller vouches; a node has values for `cpus` processors.
        unsafe {
            match source {
                Source::One(value) => {
                    let here = self.here().min(self.cpus - 1);
                    if new && self.per_cpu {
                        for cpu in (0..self.cpus).filter(|cpu| *cpu != here) {
                            bytes::zero(self.value(node, cpu), self.shape.size);
                        }
                    }
                    if new && let Some(lock) = self.shape.lock {
                        bytes::zero(self.values(node).add(lock), 4);
                    }
                    self.shape.write(self.value(node, here), value, locked);
                }
                Source::All(values) => {
                    for cpu in 0..self.cpus {
                        let value = values.add(cpu as usize * room);
                        bytes::copy(self.value(node, cpu), value, self.shape.size);
                    }
                }
            }
        }
    }

    fn touch(&self, node: &Node) {
        if self.lru {
            node.used.store(LINKED | RECENT, Ordering::Relaxed);
        }
    }

    /// What `bpf_map_delete_elem` does.
    ///
    /// # Safety
    ///
    /// There is a key to read.
    pub(crate) unsafe fn delete(&self, key: *const u8) -> Result<(), Errno> {
        // SAFETY: as the caller vouches.
        unsafe { self.remove(key, |_| ()) }
    }

    /// Takes an element out, and has `seen` look at its values before they are gone.
    ///
    /// # Safety
    ///
    /// There is a key to read.
    pub(crate) unsafe fn remove(
        &self,
        key: *const u8,
        seen: impl FnOnce(*const u8),
    ) -> Result<(), Errno> {
        // SAFETY: as the caller vouches.
        let hash = unsafe { self.hash(key) };
        let bucket = self.bucket(hash);
        let _held = self.lock(bucket)?;
        // SAFETY: as the caller vouches.
        let found = unsafe { self.walk(bucket, hash, key) }.ok_or(Errno::NO_ENTRY)?;
        seen(self.values(found.node));
        self.take_out(bucket, found);
        self.count_one_less();
        Ok(())
    }

    /// Puts a node in the place of another. The lock is held.
    #[inline]
    fn replace(&self, bucket: &Bucket, old: Found<'_>, node: &Node, link: u32) {
        node.next.store(old.node.next.load(Ordering::Relaxed), Ordering::Relaxed);
        self.lead(bucket, old, link);
    }

    /// Takes a node out. The lock is held.
    #[inline]
    fn take_out(&self, bucket: &Bucket, found: Found<'_>) {
        self.lead(bucket, found, found.node.next.load(Ordering::Relaxed));
    }

    /// Has what led to a node lead somewhere else, and takes the node back. The lock is held.
    #[inline]
    fn lead(&self, bucket: &Bucket, old: Found<'_>, link: u32) {
        // Before anybody can miss it.
        let version = bucket.version.load(Ordering::Relaxed);
        bucket.version.store(version.wrapping_add(1), Ordering::Relaxed);
        let place = old.before.map_or(&bucket.head, |before| &before.next);
        place.store(link, Ordering::Release);
        self.give_back(bucket, old.node, old.link);
    }

    /// The lock is held, and the node in no chain.
    #[inline]
    fn give_back(&self, bucket: &Bucket, node: &Node, link: u32) {
        node.used.store(0, Ordering::Relaxed);
        if bucket.spare.load(Ordering::Relaxed) == 0 {
            bucket.spare.store(link, Ordering::Relaxed);
        } else {
            self.push_free(node, link);
        }
    }

    fn push_free(&self, node: &Node, link: u32) {
        let free = &self.state().free;
        let mut head = free.load(Ordering::Relaxed);
        loop {
            node.free.store(head as u32, Ordering::Relaxed);
            let new = changed(head) | u64::from(link);
            match free.compare_exchange_weak(head, new, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return,
                Err(other) => head = other,
            }
        }
    }

    /// A node that is in no chain. The lock of the bucket is held.
    #[inline]
    fn take_node(&self, bucket: &Bucket) -> Option<u32> {
        let spare = bucket.spare.load(Ordering::Relaxed);
        if spare != 0 && self.node(spare).is_some() {
            bucket.spare.store(0, Ordering::Relaxed);
            return Some(spare);
        }
        self.pop_free()
    }

    fn pop_free(&self) -> Option<u32> {
        let state = self.state();
        let mut head = state.free.load(Ordering::Acquire);
        while let Some(node) = self.node(head as u32) {
            let next = node.free.load(Ordering::Relaxed);
            let new = changed(head) | u64::from(next);
            match state.free.compare_exchange_weak(head, new, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Some(head as u32),
                Err(other) => head = other,
            }
        }
        let mut fresh = state.fresh.load(Ordering::Relaxed);
        while fresh < self.total {
            let (new, relaxed) = (fresh + 1, Ordering::Relaxed);
            match state.fresh.compare_exchange_weak(fresh, new, relaxed, relaxed) {
                Ok(_) => return Some(new),
                Err(other) => fresh = other,
            }
        }
        None
    }

    /// Makes sure that there are no more elements than there may be.
    #[inline]
    fn count_one_more(&self) -> bool {
        let count = &self.state().count;
        let fits = count.fetch_add(1, Ordering::Relaxed) < self.max;
        if !fits {
            self.count_one_less();
        }
        fits
    }

    fn count_one_less(&self) {
        self.state().count.fetch_sub(1, Ordering::Relaxed);
    }

    /// There is no room. Finds some, or an error.
    #[cold]
    fn make_room(&self) -> Result<(), Errno> {
        let state = self.state();
        let died = state.deaths.load(Ordering::Relaxed) != state.swept.load(Ordering::Relaxed);
        if self.lru && !died && self.evict() {
            return Ok(());
        }
        let times = state.full.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        let look = times.is_power_of_two() || times.is_multiple_of(4096);
        if look && self.has_left_locks() {
            state.deaths.fetch_add(1, Ordering::Relaxed);
        }
        let deaths = state.deaths.load(Ordering::Relaxed);
        if state.swept.swap(deaths, Ordering::Relaxed) != deaths && self.sweep() {
            return Ok(());
        }
        if self.lru && died && self.evict() {
            return Ok(());
        }
        Err(if self.lru { Errno::NO_MEMORY } else { Errno::FULL })
    }

    /// Takes out an element that was not used since the hand came by.
    fn evict(&self) -> bool {
        let state = self.state();
        let nodes = state.fresh.load(Ordering::Relaxed).min(self.total);
        if nodes == 0 {
            return false;
        }
        // Twice around, and a bit for those who come in between.
        for _ in 0..nodes.saturating_mul(2).saturating_add(16) {
            let hand = state.hand.fetch_add(1, Ordering::Relaxed) % nodes;
            let link = hand + 1;
            let Some(node) = self.node(link) else { continue };
            match node.used.load(Ordering::Relaxed) {
                LINKED => {}
                used if used & LINKED != 0 => {
                    node.used.fetch_and(!RECENT, Ordering::Relaxed);
                    continue;
                }
                _ => continue,
            }
            let hash = node.hash.load(Ordering::Relaxed);
            let bucket = self.bucket(hash);
            let Ok(_held) = self.lock(bucket) else { continue };
            if let Some(found) = self.find_link(bucket, link) {
                self.take_out(bucket, found);
                self.count_one_less();
                return true;
            }
        }
        false
    }

    /// Where in a bucket a node is. The lock is held.
    fn find_link<'a>(&'a self, bucket: &'a Bucket, wanted: u32) -> Option<Found<'a>> {
        self.chain(bucket).find(|found| found.link == wanted)
    }

    /// A bucket's nodes. The lock is held.
    fn chain<'a>(&'a self, bucket: &'a Bucket) -> impl Iterator<Item = Found<'a>> {
        let mut link = bucket.head.load(Ordering::Acquire);
        let mut before = None;
        let next = move || {
            let node = self.node(link)?;
            let found = Found { link, node, before };
            before = Some(node);
            link = node.next.load(Ordering::Acquire);
            Some(found)
        };
        std::iter::from_fn(next).take(self.total as usize)
    }

    fn has_left_locks(&self) -> bool {
        (0..=self.mask).any(|number| self.bucket(number).lock.is_left_behind())
    }

    /// Finds what the dead took and did not put anywhere, while nobody can change anything. Whether
    /// there is room now.
    #[cold]
    fn sweep(&self) -> bool {
        let state = self.state();
        let mut locked = 0;
        while locked <= self.mask {
            match self.lock(self.bucket(locked)) {
                // It is let go of below: there is no room here for that many.
                Ok(held) => std::mem::forget(held),
                Err(_) => break,
            }
            locked += 1;
        }
        let complete = locked > self.mask;
        if complete {
            self.recount();
        }
        for number in 0..locked {
            self.bucket(number).lock.release();
        }
        complete && state.count.load(Ordering::Relaxed) < self.max
    }

    /// All locks are held.
    fn recount(&self) {
        let state = self.state();
        let fresh = state.fresh.load(Ordering::Relaxed).min(self.total);
        let mut count = 0;
        // In a chain; what is a bucket's spare or on the list is marked below, by another bit.
        const SEEN: u32 = 4;
        let all = || (1..=fresh).filter_map(|link| Some((link, self.node(link)?)));
        for (_, node) in all() {
            node.used.fetch_and(!SEEN, Ordering::Relaxed);
        }
        for number in 0..=self.mask {
            let bucket = self.bucket(number);
            for found in self.chain(bucket) {
                found.node.used.fetch_or(SEEN | LINKED, Ordering::Relaxed);
                count += 1;
            }
            if let Some(node) = self.node(bucket.spare.load(Ordering::Relaxed)) {
                node.used.fetch_or(SEEN, Ordering::Relaxed);
            }
        }
        let mut link = state.free.load(Ordering::Relaxed) as u32;
        for _ in 0..self.total {
            let Some(node) = self.node(link) else { break };
            node.used.fetch_or(SEEN, Ordering::Relaxed);
            link = node.free.load(Ordering::Relaxed);
        }
        for (link, node) in all() {
            if node.used.fetch_and(!SEEN, Ordering::Relaxed) & SEEN == 0 {
                node.used.store(0, Ordering::Relaxed);
                self.push_free(node, link);
            }
        }
        state.count.store(count, Ordering::Relaxed);
    }

    /// How many elements there are.
    pub(crate) fn count(&self) -> u32 {
        self.state().count.load(Ordering::Relaxed)
    }

    /// Has `each` look at a bucket's keys and values, none of which changes meanwhile but by programs
    /// that write to a value directly. If the lock cannot be had they may change.
    pub(crate) fn each_of(&self, number: u32, mut each: impl FnMut(*const u8, *const u8)) {
        let bucket = self.bucket(number);
        let _held = self.lock(bucket);
        for found in self.chain(bucket) {
            each(self.key(found.node), self.values(found.node));
        }
    }

    /// Goes through all elements as a program does: without a lock, and deleting is allowed
    /// meanwhile. `each` says whether to stop; returned is how many it saw.
    pub(crate) fn each(&self, mut each: impl FnMut(*mut u8, *mut u8) -> bool) -> u64 {
        let mut seen = 0;
        for number in 0..=self.mask {
            let mut link = self.bucket(number).head.load(Ordering::Acquire);
            for _ in 0..=self.total {
                let Some(node) = self.node(link) else { break };
                link = node.next.load(Ordering::Acquire);
                seen += 1;
                if each(self.key(node), self.value(node, self.here())) {
                    return seen;
                }
            }
        }
        seen
    }

    /// Has `seen` look at the values of a key while nobody replaces or deletes it.
    ///
    /// # Safety
    ///
    /// There is a key to read.
    pub(crate) unsafe fn read(&self, key: *const u8, seen: impl FnOnce(*const u8)) -> bool {
        // SAFETY: as the caller vouches.
        let hash = unsafe { self.hash(key) };
        let bucket = self.bucket(hash);
        let _held = self.lock(bucket);
        // SAFETY: as the caller vouches.
        let found = unsafe { self.walk(bucket, hash, key) };
        if let Some(found) = found {
            seen(self.values(found.node));
        }
        found.is_some()
    }
}

/// The list's head, with its count one higher and without its first node.
fn changed(head: u64) -> u64 {
    (head >> 32).wrapping_add(1) << 32
}
