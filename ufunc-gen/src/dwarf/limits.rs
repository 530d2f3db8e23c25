// SPDX-License-Identifier: MIT OR Apache-2.0
//! How much work and memory debug information may cost.
//!
//! Nothing in DWARF keeps units from sharing one huge table, or a reference from leading into the
//! middle of what another one has read already: a file of a megabyte could keep a reader busy for
//! days. What compilers write costs about as much as it is long, so limits that are several times
//! that are never met but on purpose.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Result, bail};
use gimli::Section as _;

use super::Reader;
use super::abbreviations::{Span, glance};
use crate::debugfile::parallel;

/// Times that a section may be read over.
const READINGS: usize = 16;
/// What is always allowed, in bytes or entries.
const ALLOWANCE: usize = 1 << 20;

/// What is left of an amount of work that is known beforehand. Shared by threads.
#[derive(Debug)]
pub(super) struct Budget(AtomicUsize);

impl Budget {
    /// Enough to read `len` bytes several times.
    pub(super) fn new(len: usize) -> Self {
        Budget(AtomicUsize::new(len.saturating_mul(READINGS).saturating_add(ALLOWANCE)))
    }

    /// Adds enough to read another `len` bytes several times.
    pub(super) fn allow(&mut self, len: usize) {
        let left = self.0.get_mut();
        *left = left.saturating_add(len.saturating_mul(READINGS));
    }

    /// Takes `amount` away.
    ///
    /// Fails if there is not enough left, which is the case when `section` is a trap.
    pub(super) fn spend(&self, amount: usize, section: &str) -> Result<()> {
        let take = |left: usize| left.checked_sub(amount);
        if self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_err() {
            self.0.store(0, Ordering::Relaxed);
            bail!(
                "reading {section} would take many times as much work as it is long: it is damaged, or was made to keep its readers busy"
            )
        }
        Ok(())
    }
}

/// Tables that are looked through by one thread; fewer are not worth another one.
const TABLES: usize = 128;

/// Where abbreviations are, by the places of their tables.
pub(super) type Spans = Vec<(usize, Arc<[Span]>)>;

/// Looks through the `tables` of abbreviations, which are in order. Fails if they overlap so much that
/// reading them would take forever, and keeping them would take all the memory.
///
/// Gives what is known of those that one unit has alone, and says whether some entry may refer to one of
/// another unit.
pub(super) fn check_abbreviations(
    dwarf: &gimli::Dwarf<Reader<'_>>,
    tables: &[usize],
) -> Result<(Spans, bool)> {
    let section = dwarf.debug_abbrev.reader().slice();
    let budget = Budget::new(section.len());
    let tables: Vec<&[usize]> = tables.chunk_by(|a, b| a == b).collect();
    let some: Vec<&[&[usize]]> = tables.chunks(TABLES).collect();
    let checked: Vec<Result<_>> = parallel::map(&some, |tables| {
        let (mut spans, mut refers_elsewhere) = (Spans::new(), false);
        for of_units in *tables {
            let table = of_units[0];
            // What is wrong with an offset or a table is said by whoever reads it.
            let bytes = section.get(table..).unwrap_or_default();
            let len = match glance(bytes) {
                Some(glance) => {
                    refers_elsewhere |= glance.refers_elsewhere;
                    if of_units.len() == 1 {
                        spans.push((table, glance.spans));
                    }
                    glance.len
                }
                None => {
                    let mut at = 0;
                    let _ = skip_table(bytes, &mut at, &mut refers_elsewhere);
                    at.min(bytes.len())
                }
            };
            budget.spend(len, ".debug_abbrev")?;
        }
        Ok((spans, refers_elsewhere))
    });
    let mut all = (Spans::new(), false);
    for found in checked {
        let (mut spans, refers_elsewhere) = found?;
        all.0.append(&mut spans);
        all.1 |= refers_elsewhere;
    }
    Ok(all)
}

/// Goes over the table at the beginning of `bytes`, to the zero that ends it: `at` is how far it got.
/// `None` if there is none.
fn skip_table(bytes: &[u8], at: &mut usize, refers_elsewhere: &mut bool) -> Option<()> {
    while number(bytes, at)? != 0 {
        number(bytes, at)?; // tag
        *at += 1; // whether it has children
        loop {
            let (name, form) = (number(bytes, at)?, number(bytes, at)?);
            if (name, form) == (0, 0) {
                break;
            }
            let form = gimli::DwForm(form as u16);
            if form == gimli::DW_FORM_implicit_const {
                number(bytes, at)?;
            }
            *refers_elsewhere |= is_elsewhere(form);
        }
    }
    Some(())
}

/// The number at `at`, whose end that is afterwards. Of one that has more than 64 bits the lower
/// ones: it is nothing that there can be.
#[inline]
fn number(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let byte = *bytes.get(*at)?;
    *at += 1;
    if byte < 0x80 {
        return Some(byte.into());
    }
    let (mut number, mut shift) = (u64::from(byte & 0x7f), 7);
    loop {
        let byte = *bytes.get(*at)?;
        *at += 1;
        number |= u64::from(byte & 0x7f).wrapping_shl(shift);
        if byte < 0x80 {
            return Some(number);
        }
        shift += 7;
    }
}

/// Whether references of the form `form` can leave their unit.
pub(super) fn is_elsewhere(form: gimli::DwForm) -> bool {
    matches!(
        form,
        gimli::DW_FORM_ref_addr
            | gimli::DW_FORM_ref_sig8
            | gimli::DW_FORM_ref_sup4
            | gimli::DW_FORM_ref_sup8
            | gimli::DW_FORM_GNU_ref_alt
            // Any form, even one of these.
            | gimli::DW_FORM_indirect
            | gimli::DW_FORM_null
    )
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
