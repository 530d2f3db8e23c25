// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is mapped where in the process.

use std::fs;

use anyhow::{Context as _, Result};

/// A mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mapping {
    pub(crate) start: u64,
    pub(crate) end: u64,
    /// `PROT_…`
    pub(crate) protection: i32,
    /// Whether it is the memory that `brk` grows.
    pub(crate) heap: bool,
}

/// All mappings, by address.
pub(crate) fn read() -> Result<Vec<Mapping>> {
    let text = fs::read("/proc/self/maps")
        .context("failed to read /proc/self/maps: hooks need to know what is mapped")?;
    text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(parse).collect()
}

fn parse(line: &[u8]) -> Result<Mapping> {
    let line = String::from_utf8_lossy(line);
    let parse = || {
        let (start, rest) = line.split_once('-')?;
        let (end, rest) = rest.split_once(' ')?;
        let flags = rest.get(..3)?;
        let bit = |letter: char, bit| if flags.contains(letter) { bit } else { 0 };
        Some(Mapping {
            start: u64::from_str_radix(start, 16).ok()?,
            end: u64::from_str_radix(end, 16).ok()?,
            protection: bit('r', libc::PROT_READ)
                | bit('w', libc::PROT_WRITE)
                | bit('x', libc::PROT_EXEC),
            heap: rest.ends_with("[heap]"),
        })
    };
    parse().with_context(|| format!("a line of /proc/self/maps makes no sense: {line}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_function_is_in_an_executable_mapping() {
        let here = this_function_is_in_an_executable_mapping as fn() as usize as u64;
        let all = read().unwrap();
        let found =
            all.iter().find(|mapping| (mapping.start..mapping.end).contains(&here)).unwrap();
        assert_eq!(found.protection, libc::PROT_READ | libc::PROT_EXEC);
        assert!(all.is_sorted_by_key(|mapping| mapping.start));
    }

    #[test]
    fn nonsense_is_an_error() {
        assert!(parse(b"a-b").is_err());
        assert!(parse("7f-80 rw\u{e9}".as_bytes()).is_err());
        let heap = parse(b"1000-2000 rw-p 00000000 00:00 0    [heap]").unwrap();
        assert!(heap.heap && heap.protection == libc::PROT_READ | libc::PROT_WRITE);
    }
}
