// SPDX-License-Identifier: MIT OR Apache-2.0
//! Lines of the extension's source code, and which instructions came from them.

use serde::Serialize;

use crate::verifier_log::Instruction;

/// A line of the extension's source code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SourceLine {
    /// The file, as the compiler was given it; its bare name where only the verifier's log tells.
    pub file: String,
    /// Number of the line, from 1.
    pub line: u32,
    /// Column of the expression, from 1, where the compiler said it.
    pub column: Option<u32>,
    /// The line itself, as it was at the time of compilation; empty if the compiler kept none.
    pub text: String,
}

impl SourceLine {
    /// Of a line whose number and column are packed as in the kernel's `struct bpf_line_info`.
    pub(crate) fn packed(file: String, text: String, position: u32) -> Self {
        let column = position & 0x3ff;
        SourceLine {
            file,
            line: position >> 10,
            column: (column > 0).then_some(column),
            text: text.trim_end().to_owned(),
        }
    }
}

/// The source lines of one program's instructions, in the order of the instructions.
#[derive(Clone, Debug, Default)]
pub struct LineTable {
    rows: Vec<(u32, SourceLine)>,
}

impl LineTable {
    /// A table in which each row holds from its instruction up to the next row's.
    ///
    /// Rows of line 0 are left out: the compiler marks with it what it cannot place, and the line
    /// before says more.
    pub fn new(mut rows: Vec<(u32, SourceLine)>) -> Self {
        rows.retain(|(_, line)| line.line > 0);
        rows.sort_by_key(|(instruction, _)| *instruction);
        LineTable { rows }
    }

    /// The line that the instruction at index `instruction` came from.
    pub fn find(&self, instruction: u32) -> Option<&SourceLine> {
        let after = self.rows.partition_point(|(start, _)| *start <= instruction);
        self.rows[..after].last().map(|(_, line)| line)
    }

    /// Where the instruction at `index` came from: as the compiler recorded it, else as the log
    /// shows it.
    pub(crate) fn locate(&self, index: u32, shown: Option<Instruction<'_>>) -> Option<SourceLine> {
        let from_log = || {
            let source = shown?.source?;
            let (file, line) = source.place?;
            let text = source.text.to_owned();
            Some(SourceLine { file: file.to_owned(), line, column: None, text })
        };
        self.find(index).cloned().or_else(from_log)
    }

    /// The line of the first row after the one that [`LineTable::find`] takes.
    pub fn find_after(&self, instruction: u32) -> Option<&SourceLine> {
        let after = self.rows.partition_point(|(start, _)| *start <= instruction);
        self.rows.get(after).map(|(_, line)| line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(number: u32) -> SourceLine {
        SourceLine { file: "a.c".into(), line: number, column: None, text: String::new() }
    }

    #[test]
    fn an_instruction_belongs_to_the_row_before_it() {
        let table = LineTable::new(vec![(4, line(20)), (1, line(10)), (2, line(0))]);
        let found = |at| table.find(at).map(|line| line.line);
        assert_eq!([0, 1, 3, 4, 99].map(found), [None, Some(10), Some(10), Some(20), Some(20)]);
        let after = |at| table.find_after(at).map(|line| line.line);
        assert_eq!([0, 1, 4].map(after), [Some(10), Some(20), None]);
    }
}
