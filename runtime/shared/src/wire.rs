// SPDX-License-Identifier: MIT OR Apache-2.0
//! Numbers and bytes, as plans and messages travel.
//!
//! Whoever reads is told the most that a part may be long: nothing is allocated on a peer's word.

use anyhow::{Context as _, Result, ensure};

/// What is left of some bytes.
pub struct Reader<'a> {
    rest: &'a [u8],
    what: &'static str,
}

impl<'a> Reader<'a> {
    /// Reads `bytes`, which errors call `what`.
    #[must_use]
    pub fn new(bytes: &'a [u8], what: &'static str) -> Self {
        Self { rest: bytes, what }
    }

    /// The next number.
    pub fn number(&mut self) -> Result<u64> {
        let taken = self.rest.split_first_chunk();
        let (number, rest) = taken.with_context(|| format!("{} is cut off", self.what))?;
        self.rest = rest;
        Ok(u64::from_le_bytes(*number))
    }

    /// The next number, which has to fit.
    pub fn small<T: TryFrom<u64>>(&mut self) -> Result<T> {
        let number = self.number()?;
        let fits = T::try_from(number).ok();
        fits.with_context(|| format!("{} has {number} where that makes no sense", self.what))
    }

    /// The next bytes, at most `most`.
    pub fn bytes(&mut self, most: usize) -> Result<&'a [u8]> {
        let length = self.number()?;
        let fits = usize::try_from(length).ok().filter(|length| *length <= most);
        let length = fits.with_context(|| format!("a part of {} has {length} bytes", self.what))?;
        let taken = self.rest.split_at_checked(length);
        let (bytes, rest) = taken.with_context(|| format!("{} is cut off", self.what))?;
        self.rest = rest;
        Ok(bytes)
    }

    /// The next text, of at most `most` bytes.
    pub fn text(&mut self, most: usize) -> Result<String> {
        let bytes = self.bytes(most)?;
        let text = std::str::from_utf8(bytes);
        Ok(text.with_context(|| format!("a text of {} is not UTF-8", self.what))?.to_owned())
    }

    /// The next number, if there is one.
    pub fn maybe(&mut self) -> Result<Option<u64>> {
        let there = self.number()? != 0;
        let number = self.number()?;
        Ok(there.then_some(number))
    }

    /// The next things, at most `most`, each read by `one`.
    pub fn list<T>(
        &mut self,
        most: usize,
        mut one: impl FnMut(&mut Self) -> Result<T>,
    ) -> Result<Vec<T>> {
        let count: usize = self.small()?;
        ensure!(count <= most, "{} has a list of {count}", self.what);
        // Grown as it is read: a peer may promise more than there is.
        let mut list = Vec::new();
        for _ in 0..count {
            list.push(one(self)?);
        }
        Ok(list)
    }

    /// Makes sure that nothing is left.
    pub fn end(self) -> Result<()> {
        let left = self.rest.len();
        ensure!(left == 0, "{} has {left} bytes too many", self.what);
        Ok(())
    }
}

/// Bytes that a [`Reader`] reads.
#[derive(Default)]
pub struct Writer(Vec<u8>);

impl Writer {
    /// Goes on behind `beginning`.
    #[must_use]
    pub fn after(beginning: &[u8]) -> Self {
        Self(beginning.to_vec())
    }

    /// Adds a number.
    pub fn number(&mut self, number: u64) -> &mut Self {
        self.0.extend(number.to_le_bytes());
        self
    }

    /// Adds bytes, with their length.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.number(bytes.len() as u64);
        self.0.extend(bytes);
        self
    }

    /// Adds a number that may not be there.
    pub fn maybe(&mut self, number: Option<u64>) -> &mut Self {
        self.number(number.is_some().into()).number(number.unwrap_or(0))
    }

    /// Adds a list, each of it written by `one`.
    pub fn list<T>(&mut self, list: &[T], mut one: impl FnMut(&mut Self, &T)) -> &mut Self {
        self.number(list.len() as u64);
        for thing in list {
            one(self, thing);
        }
        self
    }

    /// What was written.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.0
    }
}
