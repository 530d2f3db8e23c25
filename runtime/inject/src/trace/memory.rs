// SPDX-License-Identifier: MIT OR Apache-2.0
//! The memory of another process.

use std::fs::{self, File, OpenOptions};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result};

/// No text that is read is longer.
const LONGEST_TEXT: usize = 1 << 12;

/// The memory of a process.
pub(super) struct Memory(File);

impl Memory {
    pub(super) fn open(process: i32) -> Result<Self> {
        let path = format!("/proc/{process}/mem");
        let file = OpenOptions::new().read(true).write(true).open(&path);
        Ok(Self(file.with_context(|| format!("failed to open {path}"))?))
    }

    pub(super) fn read(&self, address: u64, length: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        let read = self.0.read_exact_at(&mut bytes, address);
        read.with_context(|| format!("failed to read {length} bytes at {address:#x}"))?;
        Ok(bytes)
    }

    pub(super) fn number(&self, address: u64) -> Result<u64> {
        let bytes = self.read(address, 8)?;
        Ok(u64::from_le_bytes(bytes.as_slice().try_into()?))
    }

    /// The text at an address, up to its 0.
    pub(super) fn text(&self, address: u64) -> Result<String> {
        let mut bytes = Vec::new();
        while bytes.len() < LONGEST_TEXT && !bytes.contains(&0) {
            // A page may be the last.
            let place = address + bytes.len() as u64;
            let rest = 64 - (place % 64) as usize;
            bytes.extend(self.read(place, rest)?);
        }
        let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
        Ok(String::from_utf8_lossy(text).into_owned())
    }

    /// Writes, even where the process itself could not.
    pub(super) fn write(&self, address: u64, bytes: &[u8]) -> Result<()> {
        let written = self.0.write_all_at(bytes, address);
        written.with_context(|| format!("failed to write {} bytes at {address:#x}", bytes.len()))
    }
}

/// A mapping.
#[derive(Clone, Debug)]
pub(super) struct Mapping {
    pub(super) range: Range<u64>,
    pub(super) readable: bool,
    pub(super) offset: u64,
    /// The file's device and number, as they are written there.
    pub(super) file: String,
    pub(super) path: PathBuf,
}

/// What is mapped in a process.
pub(super) fn mappings(process: i32) -> Result<Vec<Mapping>> {
    let path = format!("/proc/{process}/maps");
    let bytes = fs::read(&path).with_context(|| format!("failed to read {path}"))?;
    let text = String::from_utf8_lossy(&bytes);
    let mapping = |line| mapping(line).with_context(|| format!("a line of {path}: {line}"));
    text.lines().map(mapping).collect()
}

fn mapping(line: &str) -> Option<Mapping> {
    let mut fields = line.splitn(6, ' ');
    let (start, end) = fields.next()?.split_once('-')?;
    let flags = fields.next()?;
    let offset = fields.next()?;
    let file = format!("{} {}", fields.next()?, fields.next()?);
    let number = |digits| u64::from_str_radix(digits, 16).ok();
    Some(Mapping {
        range: number(start)?..number(end)?,
        readable: flags.starts_with('r'),
        offset: number(offset)?,
        file,
        path: fields.next().unwrap_or_default().trim_start().into(),
    })
}
