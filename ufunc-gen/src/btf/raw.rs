// SPDX-License-Identifier: MIT OR Apache-2.0
//! BTF as the words that it consists of: for what handles all types of a kernel at once, and has no
//! time to look at each. The input is not trusted.

use std::borrow::Cow;
use std::io;

use anyhow::{Context as _, Result, bail, ensure};

use super::form::{Form, HEAD, Slot, kind_of};
use super::{HEADER_LEN, MAGIC, VERSION, kind};

/// The types of one BTF and their names.
///
/// Every type is whole and of a known kind. Names and references have not been checked.
#[derive(Clone, Debug)]
pub struct Raw<'a> {
    /// The type section, in the machine's byte order.
    pub(super) words: Vec<u32>,
    /// The place of each type's first word, and the end.
    pub(super) starts: Vec<u32>,
    /// The string section.
    pub(super) strings: Cow<'a, [u8]>,
}

/// Order of the bytes in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Little,
    Big,
}

impl Order {
    /// That of the BTF that begins with `magic`.
    fn of(magic: [u8; 2]) -> Result<Self> {
        match u16::from_le_bytes(magic) {
            MAGIC => Ok(Order::Little),
            magic if magic.swap_bytes() == MAGIC => Ok(Order::Big),
            magic => bail!("BTF magic is {magic:#06x} instead of {MAGIC:#06x}"),
        }
    }

    fn word(self, bytes: [u8; 4]) -> u32 {
        match self {
            Order::Little => u32::from_le_bytes(bytes),
            Order::Big => u32::from_be_bytes(bytes),
        }
    }
}

/// Whether `bytes` begin as BTF of either byte order does.
pub fn is_btf(bytes: &[u8]) -> bool {
    bytes.first_chunk().is_some_and(|magic| Order::of(*magic).is_ok())
}

impl<'a> Raw<'a> {
    /// Reads the BTF in `bytes`, of either byte order and with a header as long as it says.
    ///
    /// Errors name the section and the offset in it.
    pub fn parse(bytes: &'a [u8]) -> Result<Self> {
        let cut_off = || format!("BTF header is cut off after {} bytes", bytes.len());
        let order = Order::of(*bytes.first_chunk().with_context(cut_off)?)?;
        let version = *bytes.get(2).with_context(cut_off)?;
        ensure!(version == VERSION, "BTF version is {version}, known is {VERSION}");
        let word = |at: usize| {
            let word = bytes.get(at..).and_then(<[u8]>::first_chunk).with_context(cut_off)?;
            Ok::<_, anyhow::Error>(order.word(*word) as usize)
        };
        let header_len = word(4)?;
        ensure!(
            header_len >= HEADER_LEN as usize,
            "BTF header has {header_len} bytes, which is less than {HEADER_LEN}"
        );
        let section = |what: &str, offset: usize, len: usize| {
            let start = header_len.checked_add(offset);
            let end = start.and_then(|start| start.checked_add(len));
            start.zip(end).and_then(|(start, end)| bytes.get(start..end)).with_context(|| {
                format!(
                    "BTF {what} section (offset {offset}, {len} bytes) is cut off: there are {} bytes behind the header",
                    bytes.len().saturating_sub(header_len)
                )
            })
        };
        let types = section("type", word(8)?, word(12)?)?;
        let strings = section("string", word(16)?, word(20)?)?;
        // A name ends with a NUL, so a last one without it would run out of the section.
        ensure!(
            strings.last().is_none_or(|&last| last == 0),
            "BTF string section ({} bytes) does not end with a NUL",
            strings.len()
        );
        let (whole, rest) = types.as_chunks();
        ensure!(
            rest.is_empty(),
            "BTF type section has {} bytes, which are no whole words",
            types.len()
        );
        let words: Vec<u32> = whole.iter().map(|&word| order.word(word)).collect();
        Ok(Raw { starts: starts(&words)?, words, strings: strings.into() })
    }

    /// The number of types.
    pub fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// Whether there are no types.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether it seems to continue another BTF. Only then may the string section begin with
    /// anything but the empty string, or be empty (`btf_parse_str_sec()`).
    pub fn continues_another(&self) -> bool {
        self.strings.first() != Some(&0)
    }

    /// The words of the type at `index`.
    pub(super) fn ty(&self, index: usize) -> &[u32] {
        &self.words[self.starts[index] as usize..self.starts[index + 1] as usize]
    }
}

/// The place of each type's first word, and the end.
fn starts(words: &[u32]) -> Result<Vec<u32>> {
    // No type has fewer words.
    let mut starts = Vec::with_capacity(words.len() / HEAD + 1);
    let mut at = 0;
    while at < words.len() {
        starts.push(at as u32);
        let cut_off = || {
            format!(
                "BTF type {} at offset {:#x} of the type section is cut off",
                starts.len(),
                at * 4
            )
        };
        let info = *words.get(at + 1).with_context(cut_off)?;
        let form = Form::of(kind_of(info)).with_context(|| {
            format!(
                "BTF type {} at offset {:#x} of the type section has the kind {}, which is newer than all that are known here (up to ENUM64, {}); use a newer ufunc-gen, or have the BTF made without that kind",
                starts.len(),
                at * 4,
                kind_of(info),
                kind::ENUM64
            )
        })?;
        let end = at + HEAD + form.tail_len(info);
        ensure!(end <= words.len(), cut_off());
        at = end;
    }
    starts.push(at as u32);
    starts.shrink_to_fit();
    Ok(starts)
}

/// Calls `visit` with every word of the type `words` but `info`, and what it says.
pub(super) fn for_each_slot<E>(
    words: &mut [u32],
    mut visit: impl FnMut(Slot, &mut u32) -> Result<(), E>,
) -> Result<(), E> {
    let Some(form) = Form::of(kind_of(words[1])) else { return Ok(()) };
    let (head, tail) = words.split_at_mut(HEAD);
    visit(Slot::Name, &mut head[0])?;
    visit(form.third, &mut head[2])?;
    for part in tail.chunks_exact_mut(form.tail.len().max(1)) {
        for (&slot, word) in form.tail.iter().zip(part) {
            visit(slot, word)?;
        }
    }
    Ok(())
}

/// BTF whose parts are put together where it is written: a kernel's are megabytes.
#[derive(Debug)]
pub struct Assembled {
    header: [u32; 6],
    types: Vec<u32>,
    strings: Vec<u8>,
}

impl Assembled {
    /// Words that are written at a time.
    const PIECE: usize = 1 << 14;

    /// That of the words of types, and the string section.
    pub(super) fn new(types: Vec<u32>, strings: Vec<u8>) -> Result<Self> {
        let len = |what: &str, len: usize| {
            u32::try_from(len).with_context(|| format!("the {what} need more than 4 GiB"))
        };
        let types_len = len("types", types.len() * 4)?;
        let strings_len = len("names", strings.len())?;
        let magic_version_flags = u32::from(MAGIC) | u32::from(VERSION) << 16;
        let header = [magic_version_flags, HEADER_LEN, 0, types_len, types_len, strings_len];
        Ok(Assembled { header, types, strings })
    }

    /// How many bytes there are.
    #[expect(clippy::len_without_is_empty, reason = "there is a header at least")]
    pub fn len(&self) -> usize {
        4 * (self.header.len() + self.types.len()) + self.strings.len()
    }

    /// Writes it, little-endian, to `out`.
    pub fn write(&self, out: &mut (impl io::Write + ?Sized)) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(4 * Self::PIECE);
        for words in std::iter::once(&self.header[..]).chain(self.types.chunks(Self::PIECE)) {
            bytes.clear();
            bytes.resize(4 * words.len(), 0);
            let (places, _) = bytes.as_chunks_mut();
            for (place, word) in places.iter_mut().zip(words) {
                *place = word.to_le_bytes();
            }
            out.write_all(&bytes)?;
        }
        out.write_all(&self.strings)
    }

    /// All of it.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.len());
        // Nothing but a lack of memory keeps a list from growing, and that ends the process.
        let _ = self.write(&mut bytes);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::btf::encode::Encoded;
    use crate::btf::{Type, TypeId};

    fn sample() -> Vec<u8> {
        let types = [
            Type::Float { name: "f".into(), size: 4 },
            Type::Enum64 {
                name: "e".into(),
                size: 8,
                signed: true,
                values: vec![("A".into(), 0x1_0000_0002)],
            },
            Type::Ptr(TypeId(2)),
        ];
        Encoded::new(&types, 0).unwrap().to_bytes().unwrap()
    }

    /// `bytes` in the other byte order.
    fn swapped(mut bytes: Vec<u8>) -> Vec<u8> {
        let types_end = 24 + u32::from_le_bytes(bytes[12..16].try_into().unwrap()) as usize;
        bytes[..2].reverse();
        bytes[4..types_end].chunks_exact_mut(4).for_each(<[u8]>::reverse);
        bytes
    }

    #[test]
    fn what_is_assembled_is_parsed() {
        let bytes = sample();
        let raw = Raw::parse(&bytes).unwrap();
        assert_eq!(raw.len(), 3);
        assert_eq!(raw.ty(2), [0, 2 << 24, 2]);
        let again = Assembled::new(raw.words, raw.strings.into_owned()).unwrap();
        assert_eq!((again.to_bytes(), again.len()), (bytes.clone(), bytes.len()));
    }

    #[test]
    fn both_byte_orders_and_longer_headers_are_read() {
        let bytes = sample();
        let raw = Raw::parse(&bytes).unwrap();
        let big = swapped(bytes.clone());
        assert_eq!(Raw::parse(&big).unwrap().words, raw.words);
        // As with the layout section of Linux 7: two more words.
        let mut longer = bytes.clone();
        longer[4] = 32;
        longer.splice(24..24, [0; 8]);
        let longer = Raw::parse(&longer).unwrap();
        assert_eq!((longer.words, longer.strings), (raw.words, raw.strings));
    }

    #[test]
    fn errors_name_the_place() {
        let bytes = sample();
        #[track_caller]
        fn refused(bytes: &[u8], part: &str) {
            let error = Raw::parse(bytes).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
        refused(&bytes[..1], "header is cut off after 1 bytes");
        refused(&bytes[..30], "type section (offset 0, 48 bytes) is cut off");
        refused(b"\x7fELF", "magic");
        let mut kind = bytes.clone();
        kind[24 + 7] = 31;
        refused(&kind, "type 1 at offset 0x0 of the type section has the kind 31");
        let mut vlen = bytes.clone();
        vlen[24 + 12 + 4] = 9;
        refused(&vlen, "type 2 at offset 0xc of the type section is cut off");
        let mut unended = bytes.clone();
        *unended.last_mut().unwrap() = b'x';
        refused(&unended, "does not end with a NUL");
        let mut header = bytes;
        header[4] = 8;
        refused(&header, "less than 24");
    }
}
