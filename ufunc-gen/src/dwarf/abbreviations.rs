// SPDX-License-Identifier: MIT OR Apache-2.0
//! The abbreviations of a unit.
//!
//! GCC and clang give each unit a table of its own, of which those who look for one entry need a
//! few lines. So it is noted where each abbreviation begins, and no more is read than is asked for.

use std::sync::{Arc, LazyLock};

use anyhow::Result;
use gimli::{AttributeSpecification, DwAt, DwForm, DwTag, Reader as _, Section as _, UnitHeader};

use super::Reader;
use super::limits::is_elsewhere;

/// What entries with one abbreviation have in common.
#[derive(Debug)]
pub(super) struct Abbreviation {
    pub(super) tag: DwTag,
    pub(super) has_children: bool,
    pub(super) attributes: Vec<AttributeSpecification>,
}

/// The abbreviations of a unit.
#[derive(Clone, Debug)]
pub(super) enum Abbreviations<'a> {
    /// In a table as compilers write it, with the codes 1, 2, 3 …
    Numbered {
        table: Reader<'a>,
        /// Where each is in it, behind its code.
        spans: Arc<[Span]>,
    },
    /// In any other table, and in one that several units share.
    Read(Arc<gimli::Abbreviations>),
}

/// Where an abbreviation begins in its table, and where it ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    start: u32,
    end: u32,
}

/// No abbreviations, for those of gimli's functions that want some and do not use them.
pub(super) static NONE: LazyLock<gimli::Abbreviations> = LazyLock::new(Default::default);

impl<'a> Abbreviations<'a> {
    /// Those of the unit that `header` begins, which are at the `spans` of its table if that is known.
    pub(super) fn new(
        dwarf: &gimli::Dwarf<Reader<'a>>,
        header: &UnitHeader<Reader<'a>>,
        spans: Option<&Arc<[Span]>>,
    ) -> Result<Self> {
        let mut table = *dwarf.debug_abbrev.reader();
        match (spans, table.skip(header.debug_abbrev_offset().0)) {
            (Some(spans), Ok(())) => {
                Ok(Abbreviations::Numbered { table, spans: Arc::clone(spans) })
            }
            _ => Ok(Abbreviations::Read(dwarf.abbreviations(header)?)),
        }
    }

    /// How many there are whose codes are without gaps from 1, up to `max`.
    pub(super) fn count(&self, max: usize) -> usize {
        match self {
            Abbreviations::Numbered { spans, .. } => spans.len().min(max),
            Abbreviations::Read(read) => {
                (1..=max as u64).take_while(|&code| read.get(code).is_some()).count()
            }
        }
    }

    /// The one with the code `code`.
    pub(super) fn get(&self, code: u64) -> Option<Abbreviation> {
        match self {
            // It was gone over before.
            Abbreviations::Numbered { .. } => read(self.text(code)?).ok(),
            Abbreviations::Read(read) => {
                let abbreviation = read.get(code)?;
                Some(Abbreviation {
                    tag: abbreviation.tag(),
                    has_children: abbreviation.has_children(),
                    attributes: abbreviation.attributes().to_vec(),
                })
            }
        }
    }

    /// What the table says of the one with the code `code`; `None` if it is not known where that is.
    pub(super) fn text(&self, code: u64) -> Option<Reader<'a>> {
        let Abbreviations::Numbered { table, spans } = self else { return None };
        let span = spans.get(usize::try_from(code).ok()?.checked_sub(1)?)?;
        let text = table.slice().get(span.start as usize..span.end as usize)?;
        Some(Reader::new(text, table.endian()))
    }
}

/// What is seen of a table of abbreviations at a glance.
pub(super) struct Glance {
    /// Where its abbreviations are, behind their codes.
    pub(super) spans: Arc<[Span]>,
    /// Length in bytes.
    pub(super) len: usize,
    /// Whether some entry may refer to one of another unit.
    pub(super) refers_elsewhere: bool,
}

/// Looks through the table at the beginning of `table`; `None` if the codes are not 1, 2, 3 … or it is
/// not as it should be.
pub(super) fn glance(table: &[u8]) -> Option<Glance> {
    let (mut spans, mut at, mut refers_elsewhere) = (Vec::with_capacity(256), 0, false);
    // A table may end without a zero where the section ends.
    while at < table.len() {
        match small_number(table, &mut at)? {
            0 => break,
            code if code != spans.len() as u64 + 1 => return None,
            _ => {}
        }
        let start = u32::try_from(at).ok()?;
        let (tag, has_children) = (small_number(table, &mut at)?, *table.get(at)?);
        at += 1;
        if !is_word(tag) || tag == 0 || has_children > 1 {
            return None;
        }
        pass_attributes(table, &mut at, &mut refers_elsewhere)?;
        spans.push(Span { start, end: u32::try_from(at).ok()? });
    }
    Some(Glance { spans: spans.into(), len: at, refers_elsewhere })
}

/// Goes over the attributes of an abbreviation; `None` if they are not as they should be.
fn pass_attributes(table: &[u8], at: &mut usize, refers_elsewhere: &mut bool) -> Option<()> {
    loop {
        match (small_number(table, at)?, small_number(table, at)?) {
            (0, 0) => return Some(()),
            (0, _) | (_, 0) => return None,
            (name, form) if !is_word(name) || !is_word(form) => return None,
            (_, form) => {
                let form = DwForm(form as u16);
                if form == gimli::DW_FORM_implicit_const {
                    small_number(table, at)?;
                }
                *refers_elsewhere |= is_elsewhere(form);
            }
        }
    }
}

/// The number at `at`, signed or not, whose end that is afterwards; `None` if it has more bytes than
/// any has that there can be, or is cut off.
#[inline]
fn small_number(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let byte = *bytes.get(*at)?;
    *at += 1;
    if byte < 0x80 {
        return Some(byte.into());
    }
    let mut number = u64::from(byte & 0x7f);
    for place in 1..9 {
        let byte = *bytes.get(*at)?;
        *at += 1;
        number |= u64::from(byte & 0x7f) << (7 * place);
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

/// Whether `number`, a tag or the like, is one that there can be.
fn is_word(number: u64) -> bool {
    u16::try_from(number).is_ok()
}

/// Reads the abbreviation `input`, without its code.
fn read(mut input: Reader<'_>) -> gimli::Result<Abbreviation> {
    let (tag, has_children) = (DwTag(input.read_uleb128_u16()?), input.read_u8()? != 0);
    // Few have more.
    let mut attributes = Vec::with_capacity(12);
    loop {
        let (name, form) = (input.read_uleb128_u16()?, DwForm(input.read_uleb128_u16()?));
        if name == 0 {
            return Ok(Abbreviation { tag, has_children, attributes });
        }
        let value = match form {
            gimli::DW_FORM_implicit_const => Some(input.read_sleb128()?),
            _ => None,
        };
        attributes.push(AttributeSpecification::new(DwAt(name), form, value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gimli::RunTimeEndian;

    fn table(bytes: &[u8]) -> Reader<'_> {
        Reader::new(bytes, RunTimeEndian::Little)
    }

    #[test]
    fn numbered_abbreviations_are_found_and_read() {
        // The third attribute has its value, -1, in the table.
        let bytes = [1, 0x11, 1, 3, 8, 0, 0, 2, 0x34, 0, 3, 8, 0x3a, 0x21, 0x7f, 0, 0, 0, 9];
        let Glance { spans, len, refers_elsewhere } = glance(&bytes).unwrap();
        assert_eq!((len, refers_elsewhere), (18, false));
        let all = Abbreviations::Numbered { table: table(&bytes), spans };
        assert_eq!(all.count(9), 2);
        let second = all.get(2).unwrap();
        assert_eq!((second.tag, second.has_children), (gimli::DW_TAG_variable, false));
        assert_eq!(second.attributes.len(), 2);
        assert_eq!(second.attributes[1].implicit_const_value(), Some(-1));
        assert_eq!(all.text(2).unwrap().slice(), &bytes[8..17]);
        assert!(all.get(1).unwrap().has_children && all.get(3).is_none());
    }

    #[test]
    fn odd_tables_are_left_to_gimli() {
        for bytes in [
            &[2, 0x11, 0, 0, 0, 0][..],
            &[1, 0, 0, 0, 0, 0],
            &[1, 0x11, 2, 0, 0, 0],
            &[1, 0x11, 0, 3, 0, 0, 0, 0],
            &[1, 0x11, 0, 3],
            &[1, 0x11, 0, 0, 0, 1, 0x11, 0, 0, 0, 0],
        ] {
            assert!(glance(bytes).is_none(), "{bytes:?}");
        }
    }
}
