// SPDX-License-Identifier: MIT OR Apache-2.0
//! How much work and memory debug information may cost.
//!
//! Nothing in DWARF keeps units from sharing one huge table, or a reference from leading into the
//! middle of what another one has read already: a file of a megabyte could keep a reader busy for
//! days. What compilers write costs about as much as it is long, so limits that are several times
//! that are never met but on purpose.

use std::cell::Cell;
use std::collections::BTreeSet;

use anyhow::{Result, bail};
use gimli::{Reader as _, Section as _};

use super::Reader;

/// Times that a section may be read over.
const READINGS: usize = 16;
/// What is always allowed, in bytes or entries.
const ALLOWANCE: usize = 1 << 20;

/// What is left of an amount of work that is known beforehand.
#[derive(Debug)]
pub(super) struct Budget(Cell<usize>);

impl Budget {
    /// Enough to read `len` bytes several times.
    pub(super) fn new(len: usize) -> Self {
        Budget(Cell::new(len.saturating_mul(READINGS).saturating_add(ALLOWANCE)))
    }

    /// Takes `amount` away.
    ///
    /// Fails if there is not enough left, which is the case when `section` is a trap.
    pub(super) fn spend(&self, amount: usize, section: &str) -> Result<()> {
        let Some(left) = self.0.get().checked_sub(amount) else {
            bail!(
                "reading {section} would take many times as much work as it is long: it is damaged, or was made to keep its readers busy"
            )
        };
        self.0.set(left);
        Ok(())
    }
}

/// Fails if tables of abbreviations overlap so much that reading them would take forever, and
/// keeping them would take all the memory.
pub(super) fn check_abbreviations(dwarf: &gimli::Dwarf<Reader<'_>>) -> Result<()> {
    let section = dwarf.debug_abbrev.reader();
    let budget = Budget::new(section.len());
    let mut tables = BTreeSet::new();
    let mut headers = dwarf.units();
    // What is wrong with a header is said by whoever needs it.
    while let Ok(Some(header)) = headers.next() {
        tables.insert(header.debug_abbrev_offset().0);
    }
    for table in tables {
        let mut input = *section;
        if input.skip(table).is_err() {
            continue;
        }
        let before = input.len();
        // The same goes for a table that is cut off.
        let _ = skip_table(&mut input, budget.0.get());
        budget.spend(before - input.len(), ".debug_abbrev")?;
    }
    Ok(())
}

/// Goes over one table, to the zero that ends it, or to where it is longer than `limit`.
fn skip_table(input: &mut Reader<'_>, limit: usize) -> gimli::Result<()> {
    let start = input.len();
    while start - input.len() <= limit && input.read_uleb128()? != 0 {
        input.read_uleb128()?; // tag
        input.skip(1)?; // whether it has children
        loop {
            let (name, form) = (input.read_uleb128()?, input.read_uleb128()?);
            if form == u64::from(gimli::DW_FORM_implicit_const.0) {
                input.read_sleb128()?;
            }
            if (name, form) == (0, 0) {
                break;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_limited_by_length() {
        let budget = Budget::new(100);
        budget.spend(ALLOWANCE + 100 * READINGS, ".debug_info").unwrap();
        let error = budget.spend(1, ".debug_info").unwrap_err().to_string();
        assert!(error.contains("reading .debug_info would take"), "{error}");
    }
}
