// SPDX-License-Identifier: MIT OR Apache-2.0
//! The exact command that shows a result again, for whoever reads of it elsewhere.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;

/// The command that is running, without what only changes how its results are written down.
#[derive(Clone, Debug)]
pub struct Reproduction {
    words: Vec<OsString>,
}

/// Options of the command that say nothing about what is judged, and whether a value follows.
const ABOUT_THE_REPORT: [(&str, bool); 3] = [("--json", false), ("--csv", false), ("--log", true)];
/// The option that names a program.
const PROGRAM: &str = "--program";

impl Reproduction {
    /// Of a command with these `arguments`, the first of which is the command itself. Paths among
    /// them are left as they are: they hold in the folder where the user is.
    ///
    /// `as_root` says that it was run by sudo.
    pub fn new(arguments: impl IntoIterator<Item = OsString>, as_root: bool) -> Self {
        let mut words = Vec::new();
        if as_root {
            words.push(OsString::from("sudo"));
        }
        words.extend(without(arguments, &ABOUT_THE_REPORT));
        Reproduction { words }
    }

    /// The command for all that was judged.
    pub fn whole(&self) -> String {
        self.of(None)
    }

    /// The command for one program only.
    pub fn of(&self, program: Option<&str>) -> String {
        let Some(program) = program else { return joined(&self.words) };
        let words = without(self.words.iter().cloned(), &[(PROGRAM, true)]);
        let program = [OsString::from(PROGRAM), OsString::from(program)];
        joined(&words.into_iter().chain(program).collect::<Vec<_>>())
    }
}

/// The words without these options, given as `--log full` or `--log=full`.
pub(crate) fn without(
    words: impl IntoIterator<Item = OsString>,
    options: &[(&str, bool)],
) -> Vec<OsString> {
    let mut kept = Vec::new();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let bytes = word.as_bytes();
        let option = options.iter().find(|(option, has_value)| {
            let rest = bytes.strip_prefix(option.as_bytes());
            rest.is_some_and(|rest| rest.is_empty() || (*has_value && rest.starts_with(b"=")))
        });
        match option {
            Some((option, true)) if bytes.len() == option.len() => {
                // Its value goes with it.
                words.next();
            }
            Some(_) => {}
            None => kept.push(word),
        }
    }
    kept
}

fn joined(words: &[OsString]) -> String {
    words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

/// The word as a shell reads it.
fn quoted(word: &OsStr) -> String {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"@%_-+=:,./".contains(byte);
    let bytes = word.as_bytes();
    match std::str::from_utf8(bytes) {
        Ok(text) if !bytes.is_empty() && bytes.iter().all(is_plain) => text.to_owned(),
        Ok(text) if !text.chars().any(char::is_control) => {
            format!("'{}'", text.replace('\'', r"'\''"))
        }
        // A terminal would not show it, or not as it is.
        _ => format!("$'{}'", bytes.escape_ascii()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStringExt as _;

    fn of(words: &[&str]) -> Reproduction {
        Reproduction::new(words.iter().map(OsString::from), false)
    }

    #[test]
    fn how_it_was_reported_does_not_matter() {
        let command = of(&[
            "loader",
            "verify",
            "a.o",
            "--json",
            "--log",
            "none",
            "--log=full",
            "--app",
            "./b c",
        ]);
        assert_eq!(command.whole(), "loader verify a.o --app './b c'");
        assert_eq!(command.of(Some("p")), "loader verify a.o --app './b c' --program p");
    }

    #[test]
    fn another_program_takes_the_place_of_the_first() {
        let command = of(&["loader", "verify", "a.o", "--program", "p", "--program=q", "-v"]);
        assert_eq!(command.whole(), "loader verify a.o --program p --program=q -v");
        assert_eq!(command.of(Some("r")), "loader verify a.o -v --program r");
    }

    #[test]
    fn sudo_is_kept() {
        let command = Reproduction::new(["loader".into()], true);
        assert_eq!(command.whole(), "sudo loader");
    }

    #[test]
    fn a_shell_reads_the_words_as_they_are() {
        let words: [&[u8]; 7] =
            [b"plain", b"", b"a b", b"it's", b"$(touch x)`y`;&|", b"line\nend\x1b", b"\xff\\'"];
        for word in words {
            let quoted = quoted(&OsString::from_vec(word.to_vec()));
            assert!(quoted.is_ascii() && !quoted.chars().any(char::is_control), "{quoted:?}");
            let script = format!("printf %s {quoted}");
            let output = std::process::Command::new("bash").args(["-c", &script]).output();
            assert_eq!(output.unwrap().stdout, word, "{quoted}");
        }
    }
}
