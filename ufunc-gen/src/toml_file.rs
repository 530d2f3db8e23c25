// SPDX-License-Identifier: MIT OR Apache-2.0
//! Files in TOML that people write: what is wrong in them is said with file and line.

use std::fs;
use std::ops::Range;
use std::path::Path;

use anyhow::{Context as _, Result, anyhow};
use serde::de::DeserializeOwned;

/// Such a file, and what messages call it.
#[derive(Debug)]
pub struct TomlFile {
    path: String,
    text: String,
}

impl TomlFile {
    /// Reads the file at `path`; `what` it is goes into the message if that fails.
    pub fn read(what: &str, path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path)
            .with_context(|| format!("failed to read the {what} {}", path.display()))?;
        Ok(Self::new(&path.display().to_string(), &text))
    }

    /// The file `path` with this text.
    pub fn new(path: &str, text: &str) -> Self {
        TomlFile { path: path.to_owned(), text: text.to_owned() }
    }

    /// Where it is.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What it says.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T> {
        // The error's own text shows the line, with marks below what is wrong.
        toml::from_str(&self.text)
            .map_err(|error| anyhow!("bad policy {}: {}", self.path, error.to_string().trim_end()))
    }

    /// `file:line` of what is at `span`, as a [`toml::Spanned`] has it.
    pub fn place(&self, span: Range<usize>) -> String {
        let before = self.text.as_bytes().get(..span.start).unwrap_or(self.text.as_bytes());
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        format!("{}:{line}", self.path)
    }
}

/// `text` as a string of TOML, on one line.
pub fn quoted(text: &str) -> String {
    use std::fmt::Write as _;
    let mut quoted = String::from("\"");
    for char in text.chars() {
        match char {
            '"' | '\\' => quoted.extend(['\\', char]),
            char if char.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(char));
            }
            char => quoted.push(char),
        }
    }
    quoted + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_any_kind_stay_on_their_line() {
        for name in ["plain", "a\"b\\c", "two\nlines\u{7f}\u{1}", "größe"] {
            let text = quoted(name);
            assert!(!text.contains('\n'), "{text}");
            let document: toml::Table = toml::from_str(&format!("name = {text}")).unwrap();
            assert_eq!(document["name"].as_str(), Some(name));
        }
    }

    #[test]
    fn places_count_lines_from_one() {
        let file = TomlFile::new("p.toml", "a = 1\nb = 2\n");
        let place = |start: usize| file.place(start..start + 1);
        assert_eq!([0, 6, 99].map(place), ["p.toml:1", "p.toml:2", "p.toml:3"]);
    }
}
