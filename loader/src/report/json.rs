// SPDX-License-Identifier: MIT OR Apache-2.0
//! The report as one JSON document, for programs.

use std::io::{self, Write};

use serde::Serialize;

use super::{Breach, ProgramReport, Report, Stage, Verdict, overall};
use crate::modules::LoadedModule;
use crate::source::SourceLine;
use crate::way::Fork;

/// The form of the document. It grows when a field goes, or begins to mean something else; further
/// fields may come without that.
pub const VERSION: u32 = 1;

/// The document that `--json` prints, which `docs/json.md` describes. All fields are always there,
/// `null` where nothing is known.
#[derive(Debug, Serialize)]
pub struct Document<'a> {
    /// The form of the document, [`VERSION`].
    pub version: u32,
    /// Release of the running kernel, as of `uname -r`.
    pub kernel: Option<String>,
    /// The application's file, as given: the first of `hosts`.
    pub app: Option<String>,
    /// Its build-id, in hexadecimal.
    pub build_id: Option<String>,
    /// The application and its shared libraries.
    pub hosts: Vec<Host>,
    /// The file that their types are from, in place of their debug information.
    pub btf: Option<String>,
    /// The BPF object, as given.
    pub object: String,
    /// `rejected` if a program is; else `unjudged` if one could not be judged; else `accepted`.
    pub verdict: Verdict,
    /// Name of the module whose ufuncs the object calls.
    pub module: Option<&'a str>,
    /// Whether it was made for this call, and is gone.
    pub module_made: bool,
    /// What is doubtful.
    pub warnings: &'a [String],
    /// Where judging the object as a whole failed.
    pub stage: Option<Stage>,
    /// Why nothing could be judged.
    pub error: Option<String>,
    /// The command that shows this again, for a shell in the same folder.
    pub reproduce: Option<&'a str>,
    /// The programs, in the order of the object; empty if there is an `error`.
    pub programs: Vec<Program<'a>>,
}

/// An application, or a shared library of it.
#[derive(Debug, Serialize)]
pub struct Host {
    /// Its file, as given.
    pub path: String,
    /// Its build-id, in hexadecimal.
    pub build_id: Option<String>,
}

/// The document that `--json` prints if there are several combinations of applications and shared
/// libraries.
#[derive(Debug, Serialize)]
pub struct Combinations<'a> {
    /// The form of the document, [`VERSION`].
    pub version: u32,
    /// The BPF object, as given.
    pub object: String,
    /// `rejected` if it is for one of them; else `unjudged` if it is for one; else `accepted`.
    pub verdict: Verdict,
    /// A document for each.
    pub combinations: Vec<Document<'a>>,
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
    /// Where it failed: `open`, `btf`, `relocation`, `map`, `kfunc`, `verification`, `attach` or
    /// `policy`.
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
    /// What it uses and may not, by the policy of the extension.
    pub breaches: &'a [Breach],
    /// The branches that were taken between there and `source`.
    pub path: &'a [Fork],
    /// What to do.
    pub help: Option<&'a str>,
    /// The command that shows this again, for a shell in the same folder.
    pub reproduce: Option<&'a str>,
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
        let hosts = report.hosts.iter().map(|host| Host {
            path: host.path.to_string_lossy().into_owned(),
            build_id: host.build_id.as_ref().map(ToString::to_string),
        });
        let hosts: Vec<_> = hosts.collect();
        Document {
            version: VERSION,
            kernel: kernel_release(),
            app: hosts.first().map(|host| host.path.clone()),
            build_id: hosts.first().and_then(|host| host.build_id.clone()),
            hosts,
            btf: report.btf.as_ref().map(|btf| btf.to_string_lossy().into_owned()),
            object: report.object.to_string_lossy().into_owned(),
            verdict: report.verdict(),
            module: report.module.as_ref().map(|module| module.name.as_str()),
            module_made: report.module.as_ref().is_some_and(LoadedModule::is_made_for_one_call),
            warnings: &report.warnings,
            stage: failure.map(|failure| failure.stage),
            error: failure.map(|failure| format!("{:#}", failure.error)),
            reproduce: report.reproduce.as_deref(),
            programs: report.programs.iter().map(|program| Program::new(program, &log)).collect(),
        }
    }
}

/// Writes the document of `reports`, of which there is one at least, and a newline.
pub fn write(
    reports: &[Report],
    log: impl Fn(&str) -> Option<String>,
    out: &mut impl Write,
) -> io::Result<()> {
    match reports {
        [report] => serde_json::to_writer_pretty(&mut *out, &Document::new(report, log))?,
        reports => {
            let object = reports.first().map(|report| report.object.to_string_lossy().into_owned());
            let document = Combinations {
                version: VERSION,
                object: object.unwrap_or_default(),
                verdict: overall(reports),
                combinations: reports.iter().map(|report| Document::new(report, &log)).collect(),
            };
            serde_json::to_writer_pretty(&mut *out, &document)?;
        }
    }
    writeln!(out)
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
            breaches: &program.breaches,
            path: &program.path,
            help: program.help.as_deref(),
            reproduce: program.reproduce.as_deref(),
            insns: program.statistics.map(|statistics| statistics.processed_insns),
            total_states: program.statistics.map(|statistics| statistics.total_states),
            log: program.log.as_deref().and_then(log),
        }
    }
}

/// Release of the running kernel, as of `uname -r`.
pub(crate) fn kernel_release() -> Option<String> {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").ok()?;
    Some(release.trim_end().to_owned())
}
