// SPDX-License-Identifier: MIT OR Apache-2.0
//! The abbreviations of a unit.
//!
//! GCC and clang give each unit a table of its own, of which those who look for one entry need a
//! few lines. So it is noted where each abbreviation begins, and no more is read than is asked for.

use std::sync::{Arc, LazyLock};

use anyhow::Result;
use gimli::{AttributeSpecification, DwAt, DwForm, DwTag, Reader as _, Section as _, UnitHeader};

use super::Reader;
use super::limits::uleb;

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
    /// Those of the unit that `header` begins; `is_shared` says whether others have the same.
    pub(super) fn new(
        dwarf: &gimli::Dwarf<Reader<'a>>,
        header: &UnitHeader<Reader<'a>>,
        is_shared: bool,
    ) -> Result<Self> {
        if !is_shared {
            let mut table = *dwarf.debug_abbrev.reader();
            let found = table.skip(header.debug_abbrev_offset().0).and_then(|()| spans(table));
            // What is wrong with a table is said by gimli.
            if let Ok(Some(spans)) = found {
                return Ok(Abbreviations::Numbered { table, spans: spans.into() });
            }
        }
        Ok(Abbreviations::Read(dwarf.abbreviations(header)?))
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

/// Where the abbreviations of the table `input` are, behind their codes; `None` if these are not
/// 1, 2, 3 … or the table is not as it should be.
fn spans(table: Reader<'_>) -> gimli::Result<Option<Vec<Span>>> {
    let (mut input, mut spans) = (table, Vec::new());
    let place = |input: &Reader<'_>| u32::try_from(table.len() - input.len()).ok();
    // A table may end without a zero where the section ends.
    while !input.is_empty() {
        match uleb(&mut input)? {
            0 => break,
            code if code != spans.len() as u64 + 1 => return Ok(None),
            _ => {}
        }
        let start = place(&input);
        let (tag, has_children) = (uleb(&mut input)?, input.read_u8()?);
        if !is_word(tag) || tag == 0 || has_children > 1 || !pass_attributes(&mut input)? {
            return Ok(None);
        }
        let (Some(start), Some(end)) = (start, place(&input)) else { return Ok(None) };
        spans.push(Span { start, end });
    }
    Ok(Some(spans))
}

/// Goes over the attributes of an abbreviation; says whether they are as they should be.
fn pass_attributes(input: &mut Reader<'_>) -> gimli::Result<bool> {
    loop {
        match (uleb(input)?, uleb(input)?) {
            (0, 0) => return Ok(true),
            (0, _) | (_, 0) => return Ok(false),
            (name, form) if !is_word(name) || !is_word(form) => return Ok(false),
            (_, form) if DwForm(form as u16) == gimli::DW_FORM_implicit_const => {
                input.read_sleb128()?;
            }
            _ => {}
        }
    }
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
        let spans = spans(table(&bytes)).unwrap().unwrap().into();
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
            assert!(spans(table(bytes)).ok().flatten().is_none(), "{bytes:?}");
        }
    }
}
