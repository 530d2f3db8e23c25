// SPDX-License-Identifier: MIT OR Apache-2.0
//! Ring buffers: many producers, one consumer.
//!
//! A record is a word, of which the lower half says how long it is and whether it is ready, and the
//! upper half who is writing it; then its bytes, padded to eight. The lock is held only while a
//! record's place is taken; its word is written before the producers' position goes past it, so what
//! lies before that position always makes sense. If its writer dies it counts as discarded.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::bytes;
use crate::errno::Errno;
use crate::identity;
use crate::lock::Lock;

/// The record is being written.
const BUSY: u32 = 1 << 31;
/// The record is to be skipped.
const DISCARD: u32 = 1 << 30;
/// Bytes of a record's word.
const HEADER: u64 = 8;
/// The longest record.
const LONGEST: u64 = (u32::MAX / 4) as u64;

/// What `bpf_ringbuf_query` takes.
pub mod query {
    /// `BPF_RB_AVAIL_DATA`
    pub const AVAIL_DATA: u64 = 0;
    /// `BPF_RB_RING_SIZE`
    pub const RING_SIZE: u64 = 1;
    /// `BPF_RB_CONS_POS`
    pub const CONS_POS: u64 = 2;
    /// `BPF_RB_PROD_POS`
    pub const PROD_POS: u64 = 3;
}

/// What changes, beside the records.
#[repr(C, align(64))]
pub(crate) struct State {
    /// For the consumer to write.
    consumer: Padded<AtomicU64>,
    lock: Lock,
    producer: AtomicU64,
    /// Records for which there was no room.
    lost: AtomicU64,
}

#[repr(C, align(64))]
struct Padded<T>(T);

/// A ring, in this process.
#[derive(Debug)]
pub(crate) struct Ring {
    pub(crate) state: *const State,
    /// The records, mapped twice one behind the other.
    pub(crate) base: *mut u8,
    /// Bytes, a power of two.
    pub(crate) size: u64,
}

#[repr(C)]
struct Word {
    length: AtomicU32,
    writer: AtomicU32,
}

impl Ring {
    fn state(&self) -> &State {
        // SAFETY: the layout has one there, for as long as the map lives; it is all atomics.
        unsafe { &*self.state }
    }

    /// The word of the record at a position, whatever it is.
    fn word(&self, position: u64) -> &Word {
        let offset = position & (self.size - 1) & !7;
        // SAFETY: within the ring, aligned, and there as long as the map lives.
        unsafe { &*self.base.add(offset as usize).cast::<Word>() }
    }

    /// What `bpf_ringbuf_reserve` does: room for a record of this size.
    pub(crate) fn reserve(&self, size: u64) -> Option<*mut u8> {
        if size > LONGEST {
            return None;
        }
        let length = (size + HEADER).next_multiple_of(8);
        if length > self.size {
            return None;
        }
        let state = self.state();
        let writer = identity::short();
        let Ok(held) = state.lock.take() else {
            state.lost.fetch_add(1, Ordering::Relaxed);
            return None;
        };
        let position = state.producer.load(Ordering::Relaxed);
        let consumed = state.consumer.0.load(Ordering::Acquire);
        let end = position.wrapping_add(length);
        if end.wrapping_sub(consumed) > self.size - 1 {
            drop(held);
            state.lost.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        let word = self.word(position);
        word.writer.store(writer, Ordering::Relaxed);
        // No longer than `LONGEST`.
        word.length.store(size as u32 | BUSY, Ordering::Relaxed);
        state.producer.store(end, Ordering::Release);
        drop(held);
        // SAFETY: the record's bytes follow its word, within the ring's two mappings.
        Some(unsafe { (&raw const *word).cast::<u8>().cast_mut().add(HEADER as usize) })
    }

    /// What `bpf_ringbuf_submit` and `bpf_ringbuf_discard` do.
    ///
    /// # Safety
    ///
    /// The record is one that `reserve` gave, of any ring, and that was not committed yet.
    pub(crate) unsafe fn commit(record: *mut u8, discard: bool) {
        // SAFETY: its word is before it.
        let word = unsafe { &*record.sub(HEADER as usize).cast::<Word>() };
        let length = word.length.load(Ordering::Relaxed) & !BUSY;
        let discard = if discard { DISCARD } else { 0 };
        word.length.store(length | discard, Ordering::Release);
    }

    /// What `bpf_ringbuf_output` does, but for its flags.
    ///
    /// # Safety
    ///
    /// There are that many bytes to read.
    pub(crate) unsafe fn output(&self, data: *const u8, size: u64) -> Result<(), Errno> {
        let record = self.reserve(size).ok_or(Errno::AGAIN)?;
        // SAFETY: there is room for `size` bytes; the caller vouches for the others.
        unsafe {
            bytes::copy(record, data, size as usize);
            Self::commit(record, false);
        }
        Ok(())
    }

    /// What `bpf_ringbuf_query` does.
    pub(crate) fn query(&self, what: u64) -> u64 {
        let state = self.state();
        let consumed = state.consumer.0.load(Ordering::Acquire);
        let produced = state.producer.load(Ordering::Acquire);
        match what {
            query::AVAIL_DATA => produced.wrapping_sub(consumed),
            query::RING_SIZE => self.size,
            query::CONS_POS => consumed,
            query::PROD_POS => produced,
            _ => 0,
        }
    }

    /// How many records there was no room for.
    pub(crate) fn lost(&self) -> u64 {
        self.state().lost.load(Ordering::Relaxed)
    }

    /// Has `each` look at every record that is ready; how many they were. There is one consumer.
    pub(crate) fn consume(&self, mut each: impl FnMut(&[u8])) -> usize {
        let state = self.state();
        let mut seen = 0;
        let mut buffer = Vec::new();
        let produced = state.producer.load(Ordering::Acquire);
        let mut position = state.consumer.0.load(Ordering::Relaxed);
        while position != produced {
            let word = self.word(position);
            let mut length = word.length.load(Ordering::Acquire);
            let size = length & !(BUSY | DISCARD);
            let left = produced.wrapping_sub(position);
            let whole = (u64::from(size) + HEADER).next_multiple_of(8);
            if whole > left || left > self.size {
                // Somebody destroyed it. There is no way to know where the next record is.
                position = produced;
                state.consumer.0.store(position, Ordering::Release);
                state.lost.fetch_add(1, Ordering::Relaxed);
                break;
            }
            if length & BUSY != 0 {
                if !identity::is_gone_short(word.writer.load(Ordering::Relaxed)) {
                    break;
                }
                // It may have been the last thing that the writer did.
                length = word.length.load(Ordering::Acquire);
                if length & BUSY != 0 {
                    length |= DISCARD;
                }
            }
            if length & DISCARD == 0 {
                buffer.resize(size as usize, 0);
                let data = (&raw const *word).cast::<u8>();
                // SAFETY: the record lies within the ring's two mappings: it is no longer than one.
                unsafe {
                    bytes::copy(buffer.as_mut_ptr(), data.add(HEADER as usize), size as usize)
                };
                each(&buffer);
                seen += 1;
            }
            position = position.wrapping_add(whole);
            state.consumer.0.store(position, Ordering::Release);
        }
        seen
    }
}
