// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the header comment of a program in `bpf/` says.
//!
//! ```text
//! expect: accepted                     or `rejected: TEXT | TEXT`: the log has one of these texts
//! host: btf-base                       a host; what follows is said of it
//! attach: --func NAME+OFFSET           further options of `loader attach`
//! prints: no_core: 1 + 3 = 4           a line that the attached program prints, by bpf_printk
//! echoes: reduced() returns to 0x      the same, with what the host itself prints after that text
//! outputs: task_iterator:              a text that `loader attach` prints by the end
//! counts: 0 =                          the same, with a number after it that is not 0
//! ```

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};

/// A program in `bpf/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Its file's name without `.bpf.c`.
    pub name: String,
    /// Texts of which one must be in the verifier's log; `None` if the program is accepted.
    pub rejected_with: Option<Vec<String>>,
    /// What is expected with each host.
    pub cases: Vec<Case>,
}

/// What is expected of a program with one host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Case {
    /// The host's name in `examples/`.
    pub host: String,
    /// Further options of `loader attach`.
    pub options: Vec<String>,
    /// What is seen once it is attached; if nothing is, it is only judged.
    pub signs: Vec<Sign>,
}

/// What shows that an attached program works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sign {
    /// The program prints this.
    Prints(String),
    /// The program prints this and what the host prints after the same text.
    Echoes(String),
    /// The command prints this by the end.
    Outputs(String),
    /// The command prints this by the end, and a number that is not 0.
    Counts(String),
}

impl Program {
    /// The programs in `folder`, by name.
    pub fn all(folder: &Path) -> Result<Vec<Program>> {
        let mut sources = Vec::<PathBuf>::new();
        for entry in fs::read_dir(folder).with_context(|| format!("no {}", folder.display()))? {
            let path = entry?.path();
            if path.to_string_lossy().ends_with(".bpf.c") {
                sources.push(path);
            }
        }
        sources.sort();
        ensure!(!sources.is_empty(), "there are no programs in {}", folder.display());
        sources.iter().map(|source| Program::read(source)).collect()
    }

    fn read(source: &Path) -> Result<Program> {
        let name = source.file_name().unwrap_or_default().to_string_lossy();
        let name = name.trim_end_matches(".bpf.c");
        let text = fs::read_to_string(source)?;
        Program::parse(name, &text).with_context(|| format!("in {}", source.display()))
    }

    fn parse(name: &str, source: &str) -> Result<Program> {
        let header = source.split_once("*/").context("there is no header comment")?.0;
        let mut expected = None;
        let mut cases = Vec::<Case>::new();
        for line in header.lines() {
            let line = line.trim_start_matches([' ', '*']);
            let Some((field, value)) = line.split_once(": ") else { continue };
            let value = value.trim().to_owned();
            let case = cases.last_mut().context("it is said before any host:");
            match field {
                "expect" => expected = Some(value),
                "attach" => {
                    case?.options = words(&value);
                }
                "prints" => case?.signs.push(Sign::Prints(value)),
                "echoes" => case?.signs.push(Sign::Echoes(value)),
                "outputs" => case?.signs.push(Sign::Outputs(value)),
                "counts" => case?.signs.push(Sign::Counts(value)),
                "host" => cases.push(Case { host: value, ..Case::default() }),
                _ => {}
            }
        }
        ensure!(!cases.is_empty(), "the header comment says no host:");
        let expected = expected.context("the header comment says no expect:")?;
        let rejected_with = match expected.strip_prefix("rejected:") {
            Some(texts) => Some(texts.split(" | ").map(|text| text.trim().to_owned()).collect()),
            None if expected == "accepted" => None,
            None => bail!("{expected:?} is no verdict"),
        };
        Ok(Program { name: name.to_owned(), rejected_with, cases })
    }
}

/// Splits at spaces, but not within `{…}`.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut depth = 0_u32;
    for char in text.chars() {
        match char {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        match words.last_mut() {
            Some(word) if char != ' ' || depth > 0 => word.push(char),
            _ => words.push(String::new()),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read() {
        let source = "// SPDX\n/*\n * Text: more.\n *\n * expect: accepted\n * host: a\n * attach: --func f+{offset of \"x y\"} --pid 1\n * prints: f: 1\n * host: b\n * echoes: at 0x\n */\n * host: c\n";
        let program = Program::parse("p", source).unwrap_or_else(|error| panic!("{error:#}"));
        let options = ["--func", "f+{offset of \"x y\"}", "--pid", "1"].map(str::to_owned).to_vec();
        let first = Case { host: "a".into(), options, signs: vec![Sign::Prints("f: 1".into())] };
        let second =
            Case { host: "b".into(), signs: vec![Sign::Echoes("at 0x".into())], ..Case::default() };
        assert_eq!(program.cases, [first, second]);
        assert_eq!(program.rejected_with, None);
    }

    #[test]
    fn a_header_that_says_too_little_is_an_error() {
        for source in [
            "int x;",
            "/* expect: accepted */",
            "/*\n * host: a\n */",
            "/*\n * host: a\n * expect: perhaps\n */",
            "/*\n * prints: a\n * host: a\n * expect: accepted\n */",
        ] {
            assert!(Program::parse("p", source).is_err(), "{source}");
        }
    }
}
