// SPDX-License-Identifier: MIT OR Apache-2.0
//! The result's string section: BASE's as it is, and behind it what the others add.

use anyhow::{Context as _, Result};
use hashbrown::HashTable;

use super::super::hash::Hasher;

/// A string section that grows, and finds a string that it has.
#[derive(Debug)]
pub(super) struct Strings {
    bytes: Vec<u8>,
    hasher: Hasher,
    /// Offsets of all strings but the empty one, each string once.
    table: HashTable<u32>,
    /// Whether the section had a string twice.
    has_duplicates: bool,
}

impl Strings {
    /// Begins with `bytes`: strings, each with its NUL, the first one empty.
    pub(super) fn new(bytes: &[u8]) -> Self {
        let mut strings = Strings {
            bytes: bytes.to_vec(),
            hasher: Hasher::new(),
            table: HashTable::with_capacity(memchr::memchr_iter(0, bytes).count() * 5 / 4),
            has_duplicates: false,
        };
        let mut start = 0;
        for end in memchr::memchr_iter(0, bytes) {
            let string = &bytes[start..end];
            if !string.is_empty() {
                let hash = strings.hasher.bytes(string);
                match strings.find(hash, string) {
                    Some(_) => strings.has_duplicates = true,
                    None => strings.insert(hash, start as u32),
                }
            }
            start = end + 1;
        }
        strings
    }

    /// The whole section.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The whole section, filled up with NULs to whole words.
    pub(super) fn into_bytes(mut self) -> Vec<u8> {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        self.bytes
    }

    /// Whether a string could be meant by another offset than the one that [`add`](Self::add)
    /// gives.
    pub(super) fn has_duplicates(&self) -> bool {
        self.has_duplicates
    }

    /// Whether `offset` is what [`add`](Self::add) gives for the string there, if none is there
    /// twice.
    pub(super) fn is_start(&self, offset: u32) -> bool {
        let offset = offset as usize;
        offset == 0
            || (self.bytes.get(offset - 1) == Some(&0)
                && self.bytes.get(offset).is_some_and(|&byte| byte != 0))
    }

    /// The string at `offset`, which is within the section.
    pub(super) fn get(&self, offset: u32) -> &[u8] {
        until_nul(&self.bytes[offset as usize..])
    }

    /// The string at `offset`, which is within the section; `None` if it has more than `max` bytes.
    pub(super) fn short(&self, offset: u32, max: usize) -> Option<&[u8]> {
        let tail = &self.bytes[offset as usize..];
        let tail = &tail[..tail.len().min(max + 1)];
        memchr::memchr(0, tail).map(|end| &tail[..end])
    }

    /// Offset of `string`, which has no NUL and is added if it is new.
    pub(super) fn add(&mut self, string: &[u8]) -> Result<u32> {
        if string.is_empty() {
            return Ok(0);
        }
        let hash = self.hasher.bytes(string);
        if let Some(offset) = self.find(hash, string) {
            return Ok(offset);
        }
        let end = self.bytes.len() + string.len() + 1;
        u32::try_from(end).context("the names need more than 4 GiB")?;
        let offset = self.bytes.len() as u32;
        self.bytes.extend_from_slice(string);
        self.bytes.push(0);
        self.insert(hash, offset);
        Ok(offset)
    }

    /// Whether the section has `string`.
    pub(super) fn has(&self, string: &[u8]) -> bool {
        self.find(self.hasher.bytes(string), string).is_some()
    }

    fn find(&self, hash: u64, string: &[u8]) -> Option<u32> {
        let is_equal = |&offset: &u32| {
            let tail = &self.bytes[offset as usize..];
            tail.starts_with(string) && tail.get(string.len()) == Some(&0)
        };
        self.table.find(hash, is_equal).copied()
    }

    fn insert(&mut self, hash: u64, offset: u32) {
        let Strings { bytes, hasher, table, .. } = self;
        let rehash = |&offset: &u32| hasher.bytes(until_nul(&bytes[offset as usize..]));
        table.insert_unique(hash, offset, rehash);
    }
}

/// What is before the first NUL in `bytes`.
pub(super) fn until_nul(bytes: &[u8]) -> &[u8] {
    &bytes[..memchr::memchr(0, bytes).unwrap_or(bytes.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_is_stored_once() {
        let mut strings = Strings::new(b"\0int\0file\0\0");
        assert_eq!(strings.add(b"file").unwrap(), 5);
        assert_eq!(strings.add(b"fil").unwrap(), 11);
        assert_eq!(strings.add(b"fil").unwrap(), 11);
        assert_eq!(strings.add(b"").unwrap(), 0);
        assert_eq!(strings.get(11), b"fil");
        assert_eq!(strings.bytes(), b"\0int\0file\0\0fil\0");
        assert!(!strings.has_duplicates() && strings.has(b"int") && !strings.has(b"nt"));
    }

    #[test]
    fn offsets_that_need_another_look_are_told_apart() {
        let strings = Strings::new(b"\0int\0file\0\0int\0");
        assert!(strings.has_duplicates());
        let starts: Vec<u32> = (0..20).filter(|&offset| strings.is_start(offset)).collect();
        assert_eq!(starts, [0, 1, 5, 11]);
    }
}
