// SPDX-License-Identifier: MIT OR Apache-2.0
//! The way that leads to what the verifier complains of: which branches were taken, in the source.

use serde::Serialize;

use crate::condition;
use crate::source::{LineTable, SourceLine};
use crate::verifier_log::VerifierLog;

/// A place where the program could go on in two ways, and took one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fork {
    /// The line with the condition.
    pub source: SourceLine,
    /// Whether the condition holds on this way, where that can be told for sure.
    pub holds: Option<bool>,
    /// The line, of the same file, that comes next on this way, where there is one.
    pub goes_on_at: Option<u32>,
}

impl Fork {
    /// What to say at the line.
    pub fn describe(&self) -> String {
        match (self.holds, self.goes_on_at) {
            (Some(true), _) => "when this is true".into(),
            (Some(false), _) => "when this is false".into(),
            (None, Some(line)) => format!("when this goes on at line {line}"),
            (None, None) => "when this goes to the end".into(),
        }
    }
}

/// The forks on the way from the instruction at `start` to the reason, each line once.
pub(crate) fn forks(log: &VerifierLog<'_>, start: u32, lines: &LineTable) -> Vec<Fork> {
    let mut forks = Vec::<Fork>::new();
    for branch in log.branches_after(start) {
        let Some(source) = lines.locate(branch.jump.index, Some(branch.jump)) else { continue };
        let is_further = |line: &SourceLine| line.file == source.file && line.line != source.line;
        let mut after = log.path_from(branch.position).skip(1);
        let next = after.find_map(|at| lines.locate(at.index, Some(at)).filter(is_further));
        let holds = branch
            .jump
            .comparison()
            .and_then(|comparison| condition::holds(&source.text, comparison, branch.is_followed));
        // The compiler counts the common end of all ways to the head of the function.
        let goes_on_at = next.map(|next| next.line).filter(|line| *line > source.line);
        // What a loop did in its last round is what led here.
        forks.retain(|fork| fork.source.line != source.line || fork.source.file != source.file);
        forks.push(Fork { source, holds, goes_on_at });
    }
    forks
}
