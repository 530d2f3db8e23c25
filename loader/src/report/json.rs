// SPDX-License-Identifier: MIT OR Apache-2.0
//! The report as one JSON document, for programs.

use std::io::{self, Write};

use serde::Serialize;

use super::{ProgramReport, Report, Stage, Verdict};
use crate::source::SourceLine;

/// The document that `--json` prints. All fields are always there, `null` where nothing is known;
/// further ones may be added.
#[derive(Debug, Serialize)]
pub struct Document<'a> {
    /// The application's file, as given.
    pub app: String,
    /// Its build-id, in hexadecimal.
    pub build_id: Option<String>,
    /// The BPF object, as given.
    pub object: String,
    /// `rejected` if a program is; else `unjudged` if one could not be judged; else `accepted`.
    pub verdict: Verdict,
    /// Name of the module whose ufuncs the object calls.
    pub module: Option<&'a str>,
    /// Where judging the object as a whole failed.
    pub stage: Option<Stage>,
    /// Why nothing could be judged.
    pub error: Option<String>,
    /// The programs, in the order of the object; empty if there is an `error`.
    pub programs: Vec<Program<'a>>,
}

/// A program of the object.
#[derive(Debug, Serialize)]
pub struct Program<'a> {
    /// Its name, that of its C function.
    pub name: &'a str,
    /// Its section, as in `SEC("…")`.
    pub section: &'a str,
    /// `accepted`, `rejected` or `unjudged`.
    pub verdict: Verdict,
    /// Where it failed: `open`, `btf`, `kfunc`, `relocation`, `map`, `load` or `verification`.
    pub stage: Option<Stage>,
    /// The kernel's error number, positive: 22 is EINVAL.
    pub errno: Option<i32>,
    /// The reason, in the verifier's own words or libbpf's.
    pub reason: Option<&'a str>,
    /// What the reason means, in the application's words.
    pub meaning: Option<&'a str>,
    /// The line that the reason is about: `file`, `line`, `column`, `text`.
    pub source: Option<&'a SourceLine>,
    /// The line, of the same form, of the call whose result is not released.
    pub acquired_at: Option<&'a SourceLine>,
    /// The function that was called there.
    pub acquired_by: Option<&'a str>,
    /// What to do.
    pub help: Option<&'a str>,
    /// Instructions that the verifier went through, on all paths.
    pub insns: Option<u64>,
    /// States that the verifier kept.
    pub total_states: Option<u64>,
    /// The verifier's log, as `--log` asks for it; whole by default.
    pub log: Option<String>,
}

impl<'a> Document<'a> {
    /// The document of `report`; `log` makes of a program's log what is to be shown.
    pub fn new(report: &'a Report, log: impl Fn(&str) -> Option<String>) -> Self {
        let failure = report.failure.as_ref();
        Document {
            app: report.app.to_string_lossy().into_owned(),
            build_id: report.build_id.as_ref().map(ToString::to_string),
            object: report.object.to_string_lossy().into_owned(),
            verdict: report.verdict(),
            module: report.module.as_ref().map(|module| module.name.as_str()),
            stage: failure.map(|failure| failure.stage),
            error: failure.map(|failure| format!("{:#}", failure.error)),
            programs: report.programs.iter().map(|program| Program::new(program, &log)).collect(),
        }
    }

    /// Writes the document and a newline.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut *out, self)?;
        writeln!(out)
    }
}

impl<'a> Program<'a> {
    fn new(program: &'a ProgramReport, log: impl Fn(&str) -> Option<String>) -> Self {
        let acquired = program.acquired_at.as_ref();
        Program {
            name: &program.name,
            section: &program.section,
            verdict: program.verdict,
            stage: program.stage,
            errno: program.errno,
            reason: program.reason.as_deref(),
            meaning: program.meaning.as_deref(),
            source: program.source.as_ref(),
            acquired_at: acquired.and_then(|acquired| acquired.source.as_ref()),
            acquired_by: acquired.and_then(|acquired| acquired.function.as_deref()),
            help: program.help.as_deref(),
            insns: program.statistics.map(|statistics| statistics.processed_insns),
            total_states: program.statistics.map(|statistics| statistics.total_states),
            log: program.log.as_deref().and_then(log),
        }
    }
}
