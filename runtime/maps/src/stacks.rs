// SPDX-License-Identifier: MIT OR Apache-2.0
//! Stack traces, each once, under a number.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::bytes;
use crate::errno::Errno;

/// `BPF_F_FAST_STACK_CMP`
const FAST_COMPARE: u64 = 1 << 9;
/// `BPF_F_REUSE_STACKID`
const REUSE: u64 = 1 << 10;

/// A map of stacks, in this process. A place is a word, hash and number of frames, and the frames.
#[derive(Debug)]
pub(crate) struct Stacks {
    pub(crate) base: *mut u8,
    pub(crate) stride: usize,
    /// How many places there are, less one; all ones.
    pub(crate) mask: u32,
    /// How many frames fit.
    pub(crate) frames: usize,
    pub(crate) seed: u64,
}

impl Stacks {
    fn word(&self, number: u32) -> Option<&AtomicU64> {
        if number > self.mask {
            return None;
        }
        // SAFETY: the layout has room for that many, and a word at the beginning of each.
        Some(unsafe { &*self.base.add(number as usize * self.stride).cast::<AtomicU64>() })
    }

    fn trace(&self, word: &AtomicU64) -> *mut u8 {
        // SAFETY: the frames follow the word.
        unsafe { (&raw const *word).cast::<u8>().cast_mut().add(8) }
    }

    /// What `bpf_get_stackid` does once it has the frames: their number.
    pub(crate) fn put(&self, frames: &[u64], flags: u64) -> Result<u32, Errno> {
        let frames = frames.get(..self.frames.min(frames.len())).unwrap_or_default();
        let length = size_of_val(frames);
        // SAFETY: the frames are that long.
        let hash = unsafe { bytes::hash(frames.as_ptr().cast(), length, self.seed) };
        let number = hash & self.mask;
        let Some(word) = self.word(number) else { return Err(Errno::INVALID) };
        let new = u64::from(hash) << 32 | frames.len() as u64;
        let old = word.load(Ordering::Acquire);
        // SAFETY: both are that long.
        let same = || unsafe { bytes::equal(self.trace(word), frames.as_ptr().cast(), length) };
        let same_hash = old != 0 && old >> 32 == u64::from(hash);
        if same_hash && (flags & FAST_COMPARE != 0 || (old == new && same())) {
            return Ok(number);
        }
        if old != 0 && flags & REUSE == 0 {
            return Err(Errno::EXIST);
        }
        // Without a lock, as in the kernel: who comes at the same time may leave a mixture. But the
        // word says nothing until the frames are there.
        word.store(0, Ordering::Release);
        // SAFETY: there is room for as many frames.
        unsafe { bytes::copy(self.trace(word), frames.as_ptr().cast(), length) };
        word.store(new, Ordering::Release);
        Ok(number)
    }

    /// The frames under a number.
    pub(crate) fn get(&self, number: u32) -> Option<Vec<u64>> {
        let word = self.word(number)?;
        let there = word.load(Ordering::Acquire);
        if there == 0 {
            return None;
        }
        let count = (there as u32 as usize).min(self.frames);
        let mut frames = vec![0; count];
        // SAFETY: the place has room for so many.
        unsafe { bytes::copy(frames.as_mut_ptr().cast(), self.trace(word), count * 8) };
        Some(frames)
    }

    /// Forgets what is under a number.
    pub(crate) fn remove(&self, number: u32) -> Result<(), Errno> {
        let word = self.word(number).ok_or(Errno::FULL)?;
        if word.swap(0, Ordering::AcqRel) == 0 { Err(Errno::NO_ENTRY) } else { Ok(()) }
    }

    pub(crate) fn places(&self) -> u32 {
        self.mask + 1
    }
}
