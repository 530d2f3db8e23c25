// SPDX-License-Identifier: MIT OR Apache-2.0
//! What `verify` found out, and the forms in which it is written down.

use std::path::{Path, PathBuf};

use serde::Serialize;
use ufunc_gen::metadata::BuildId;

use crate::modules::LoadedModule;
use crate::reproduce::Reproduction;
use crate::source::SourceLine;
use crate::verifier_log::Statistics;
use crate::way::Fork;

pub mod csv;
pub mod human;
pub mod json;

/// Whether the kernel takes a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The kernel loaded it.
    Accepted,
    /// The verifier refused it, or it names host types or members that do not exist.
    Rejected,
    /// It never came to a verdict.
    Unjudged,
}

impl Verdict {
    /// The word for it, as in the JSON document.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Accepted => "accepted",
            Verdict::Rejected => "rejected",
            Verdict::Unjudged => "unjudged",
        }
    }

    /// The exit status that stands for it.
    pub fn exit_code(self) -> u8 {
        match self {
            Verdict::Accepted => 0,
            Verdict::Rejected => 1,
            Verdict::Unjudged => 2,
        }
    }
}

/// How far a program came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Reading the application and the object.
    Open,
    /// Giving the object's types to the kernel.
    Btf,
    /// Fitting the program to the types of host and kernel (CO-RE).
    Relocation,
    /// Creating the object's maps.
    Map,
    /// Finding the kfuncs that the object calls.
    Kfunc,
    /// The kernel takes the program, or its verifier refuses it.
    Verification,
    /// Attaching the program.
    Attach,
    /// Comparing what the program uses with what this extension may.
    Policy,
}

impl Stage {
    /// Its name, for people.
    pub fn describe(self) -> &'static str {
        match self {
            Stage::Open => "open",
            Stage::Btf => "BTF",
            Stage::Relocation => "relocation",
            Stage::Map => "map creation",
            Stage::Kfunc => "kfunc resolution",
            Stage::Verification => "verification",
            Stage::Attach => "attach",
            Stage::Policy => "policy",
        }
    }
}

/// Where an object was acquired that the program did not release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acquisition {
    /// The function that returned it, if the log shows the call.
    pub function: Option<String>,
    /// The line of the call.
    pub source: Option<SourceLine>,
}

/// Something that a program uses and that the policy of its extension does not allow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Breach {
    /// `function`, `variable`, `helper`, `map`, `probe` or `insns`.
    pub what: &'static str,
    /// Its name, the map's type, or how many instructions the verifier counted.
    pub name: String,
    /// The policy's key that would allow it, and what would have to be in it.
    #[serde(skip)]
    pub key: &'static str,
    /// That, as it is written in the policy.
    #[serde(skip)]
    pub value: String,
    /// What is not allowed, in words.
    #[serde(skip)]
    pub text: String,
    /// What is to be said of the line.
    #[serde(skip)]
    pub label: String,
    /// The first line that uses it.
    pub source: Option<SourceLine>,
}

/// What a program is, whatever became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Its instructions, subprograms included.
    pub insns: u64,
    /// Bytes of machine code that the kernel made of it; 0 if it did not come to that.
    pub jited: u64,
    /// Type of the program in libbpf's words, `kprobe`.
    pub program_type: String,
    /// Type of what it is to be attached to, `trace_uprobe_multi`.
    pub attach_type: String,
}

/// What became of one program.
#[derive(Clone, Debug)]
pub struct ProgramReport {
    /// Its name, that of its C function.
    pub name: String,
    /// Its section, as in `SEC("…")`.
    pub section: String,
    /// The verdict.
    pub verdict: Verdict,
    /// Where it failed.
    pub stage: Option<Stage>,
    /// The kernel's error number.
    pub errno: Option<i32>,
    /// Why it was rejected or not judged: the verifier's own words, or libbpf's.
    pub reason: Option<String>,
    /// The line that the reason is about.
    pub source: Option<SourceLine>,
    /// The call whose result is not released, if that is the reason.
    pub acquired_at: Option<Acquisition>,
    /// What it uses and may not, by the policy of the extension.
    pub breaches: Vec<Breach>,
    /// The branches that were taken from there to where it should have been released.
    pub path: Vec<Fork>,
    /// What the reason means, in the application's words.
    pub meaning: Option<String>,
    /// What to do.
    pub help: Option<String>,
    /// The command that shows this again, and this alone, where it is known.
    pub reproduce: Option<String>,
    /// What it is, as far as libbpf and the kernel tell.
    pub facts: Option<Facts>,
    /// The verifier's numbers.
    pub statistics: Option<Statistics>,
    /// The verifier's whole log.
    pub log: Option<String>,
    /// What libbpf said while the program was loaded.
    pub libbpf: Vec<String>,
}

impl ProgramReport {
    /// A program of which nothing but the verdict is known.
    pub fn empty(verdict: Verdict) -> Self {
        ProgramReport {
            name: String::new(),
            section: String::new(),
            verdict,
            stage: None,
            errno: None,
            reason: None,
            source: None,
            acquired_at: None,
            breaches: Vec::new(),
            path: Vec::new(),
            meaning: None,
            help: None,
            reproduce: None,
            facts: None,
            statistics: None,
            log: None,
            libbpf: Vec::new(),
        }
    }
}

/// Why the object as a whole could not be judged.
#[derive(Debug)]
pub struct Failure {
    /// Where it failed.
    pub stage: Stage,
    /// What failed, on what, and what to do.
    pub error: anyhow::Error,
}

/// An application or shared library that an object was judged for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostReport {
    /// Its file.
    pub path: PathBuf,
    /// Its build-id, if it has one.
    pub build_id: Option<BuildId>,
}

impl HostReport {
    pub(crate) fn new(path: &Path) -> Self {
        HostReport { path: path.to_owned(), build_id: None }
    }
}

/// What became of an object, for one combination of hosts.
#[derive(Debug)]
pub struct Report {
    /// The application and its libraries, in the order in which they were given.
    pub hosts: Vec<HostReport>,
    /// Where their types are from, if not from their debug information.
    pub btf: Option<PathBuf>,
    /// The BPF object.
    pub object: PathBuf,
    /// The module that lends the ufuncs which the object calls, if it calls any.
    pub module: Option<LoadedModule>,
    /// Whose types the programs are fitted to, where that was asked for.
    pub types: Vec<String>,
    /// How it came to the module, where it was made for this call.
    pub notes: Vec<String>,
    /// What is doubtful.
    pub warnings: Vec<String>,
    /// The programs, in the order of the object.
    pub programs: Vec<ProgramReport>,
    /// Why nothing could be judged.
    pub failure: Option<Failure>,
    /// The command that shows this again, where it is known.
    pub reproduce: Option<String>,
}

impl Report {
    /// A report on `object` without programs yet.
    pub(crate) fn new(object: &Path, hosts: &[&Path]) -> Self {
        Report {
            hosts: hosts.iter().map(|host| HostReport::new(host)).collect(),
            btf: None,
            object: object.to_owned(),
            module: None,
            types: Vec::new(),
            notes: Vec::new(),
            warnings: Vec::new(),
            programs: Vec::new(),
            failure: None,
            reproduce: None,
        }
    }
}

/// The verdict on an object for all combinations: it is accepted only if it is for each.
pub fn overall(reports: &[Report]) -> Verdict {
    let verdicts: Vec<_> = reports.iter().map(Report::verdict).collect();
    let worst = [Verdict::Rejected, Verdict::Unjudged];
    worst.into_iter().find(|verdict| verdicts.contains(verdict)).unwrap_or(Verdict::Accepted)
}

impl Report {
    /// Says how each result is shown again: by `command`, with which all programs were judged.
    pub fn reproduce_with(&mut self, command: &Reproduction) {
        self.reproduce = Some(command.whole());
        let is_one_of_several = self.programs.len() > 1;
        for program in &mut self.programs {
            let name = Some(program.name.as_str()).filter(|_| is_one_of_several);
            program.reproduce = Some(command.of(name));
        }
    }

    /// How many programs have `verdict`.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.programs.iter().filter(|program| program.verdict == verdict).count()
    }

    /// The verdict on the whole: one rejected program rejects the object, whatever could not be
    /// judged beside it; it is accepted only if every program is.
    pub fn verdict(&self) -> Verdict {
        if self.count(Verdict::Rejected) > 0 {
            Verdict::Rejected
        } else if self.failure.is_some() || self.count(Verdict::Unjudged) > 0 {
            Verdict::Unjudged
        } else {
            Verdict::Accepted
        }
    }
}

/// `a`, `a and b`, `a, b and c`.
pub fn list(names: &[&str], conjunction: &str) -> String {
    match names {
        [] => String::new(),
        [name] => (*name).to_owned(),
        [first @ .., last] => format!("{} {conjunction} {last}", first.join(", ")),
    }
}

/// `a is`, `a and b are`.
pub(crate) fn list_with_verb(names: &[&str]) -> String {
    format!("{} {}", list(names, "and"), if names.len() == 1 { "is" } else { "are" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_listed() {
        assert_eq!(list(&[], "or"), "");
        assert_eq!(list(&["a", "b", "c"], "or"), "a, b or c");
        assert_eq!(list_with_verb(&["a"]), "a is");
        assert_eq!(list_with_verb(&["a", "b"]), "a and b are");
    }
}
