// SPDX-License-Identifier: MIT OR Apache-2.0
//! `Module.symvers`: the symbols that a kernel exports, with their versions. Each line has version,
//! symbol, module, kind of export and name space, between tabs.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use super::unpack::unpack;

/// What the file, which may be packed, says of `wanted`, as far as it has them.
pub(super) fn read(path: &Path, wanted: &[&str]) -> Result<BTreeMap<String, u32>> {
    let context = || format!("failed to read {}", path.display());
    let bytes = fs::read(path).with_context(context)?;
    let bytes = unpack(&bytes).with_context(context)?;
    let text = str::from_utf8(&bytes).with_context(context)?;
    let mut found = BTreeMap::new();
    let mut lines = 0;
    for line in text.lines() {
        lines += 1;
        let mut words = line.split('\t');
        let (Some(crc), Some(symbol), Some(_)) = (words.next(), words.next(), words.next()) else {
            bail!("{}:{lines}: {line:?} is no line of a Module.symvers", path.display());
        };
        if wanted.contains(&symbol) {
            let crc = crc.strip_prefix("0x").and_then(|hex| u32::from_str_radix(hex, 16).ok());
            let crc = crc
                .with_context(|| format!("{}:{lines}: {:?} is no version", path.display(), line))?;
            found.insert(symbol.to_owned(), crc);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<BTreeMap<String, u32>> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        read(file.path(), &["a", "b"])
    }

    #[test]
    fn what_is_wanted_is_found() {
        let text = "0x00000001\tx\tvmlinux\tEXPORT_SYMBOL\t\n0x8206d584\ta\tvmlinux\tEXPORT_SYMBOL_GPL\tNS\n";
        assert_eq!(parse(text).unwrap(), BTreeMap::from([("a".to_owned(), 0x8206_d584)]));
    }

    #[test]
    fn other_files_are_refused_with_the_line() {
        let error = format!("{:#}", parse("0x00000001\ta\tvmlinux\tE\nhello\n").unwrap_err());
        assert!(error.contains(":2: \"hello\""), "{error}");
        assert!(parse("zz\ta\tvmlinux\tE\n").is_err());
    }
}
