// SPDX-License-Identifier: MIT OR Apache-2.0
//! The least policy that an extension needs, for somebody to read.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use ufunc_gen::toml_file::quoted;

use super::point::Point;
use super::uses::{self, Kind};
use crate::attach::AttachError;
use crate::attempt::{Program, programs};
use crate::modules::Lending;
use crate::object::BpfObject;
use crate::report::{Report, Verdict, overall};
use crate::source::SourceLine;
use crate::verify::chosen;
use crate::{Request, TypeOptions, verify};

/// Whose policy is wanted.
#[derive(Clone, Copy, Debug)]
pub struct AllowRequest<'a> {
    /// The BPF object.
    pub object: &'a Path,
    /// The application, and its libraries: if there are some, or types of one, the kernel's verifier
    /// counts instructions.
    pub apps: &'a [PathBuf],
    /// Where types come from.
    pub types: TypeOptions<'a>,
    /// Where the functions come from that the applications lend.
    pub lending: Lending<'a>,
    /// Names of the programs; all of the object's if it is empty.
    pub programs: &'a [String],
}

/// The text of the least policy that `request`'s programs need.
///
/// Fails if the verifier is asked and does not take them.
pub fn propose(request: &AllowRequest<'_>) -> Result<String, AttachError> {
    let object = BpfObject::open(request.object)?;
    let programs = chosen(programs(&object)?, request.object, request.programs)?;
    let counted = counted(request)?;
    let mut lists = Lists::default();
    for (program, uses) in programs.iter().zip(uses::read(&object, &programs)?) {
        for used in &uses.all {
            let map = used.map.as_ref().map(|map| format!("{map}: ")).unwrap_or_default();
            lists.add(key(used.kind), &used.name, &map, program, used.source.as_ref());
        }
        let point = Point::of_section(&program.section);
        lists.add("probes", point.name(), "", program, uses.head.as_ref());
    }
    Ok(lists.text(&request.object.to_string_lossy(), counted))
}

/// How many instructions the verifier counts, at most; `None` if it is not asked.
fn counted(request: &AllowRequest<'_>) -> Result<Option<u64>, AttachError> {
    if request.apps.is_empty() && request.types.btf.is_none() {
        return Ok(None);
    }
    let reports = verify(&Request {
        object: request.object,
        apps: request.apps,
        types: request.types,
        lending: request.lending,
        programs: request.programs,
        allow: None,
        verbose: false,
    });
    if overall(&reports) != Verdict::Accepted {
        return Err(AttachError::Refused(reports));
    }
    Ok(most_insns(&reports))
}

fn most_insns(reports: &[Report]) -> Option<u64> {
    let programs = reports.iter().flat_map(|report| &report.programs);
    programs.filter_map(|program| Some(program.statistics?.processed_insns)).max()
}

/// The keys of a policy that are lists, in the order in which they are written.
const KEYS: [&str; 5] = ["functions", "variables", "helpers", "maps", "probes"];

fn key(kind: Kind) -> &'static str {
    kind.names().1
}

/// What is allowed, by key and name, with where it is needed.
#[derive(Debug, Default)]
struct Lists(BTreeMap<&'static str, BTreeMap<String, String>>);

impl Lists {
    /// Adds `name`; `detail` and where it is used first stand beside it.
    fn add(
        &mut self,
        key: &'static str,
        name: &str,
        detail: &str,
        program: &Program,
        source: Option<&SourceLine>,
    ) {
        self.0.entry(key).or_default().entry(name.to_owned()).or_insert_with(|| {
            let Some(source) = source else { return format!("{detail}{}", program.name) };
            let file = source.file.rsplit('/').next().unwrap_or_default();
            format!("{detail}{}, {file}:{}", program.name, source.line)
        });
    }

    fn text(&self, object: &str, counted: Option<u64>) -> String {
        let mut text = format!(
            "# The least that {} needs. Read it, then: loader verify --allow THIS-FILE …\n",
            object.escape_debug()
        );
        for key in KEYS {
            let Some(names) = self.0.get(key) else { continue };
            let _ = writeln!(text, "{key} = [");
            for (name, needed) in names {
                let _ = writeln!(text, "    {}, # {}", quoted(name), needed.escape_debug());
            }
            text += "]\n";
        }
        match counted {
            Some(counted) => {
                let kernel = crate::report::json::kernel_release().unwrap_or_default();
                let _ = writeln!(
                    text,
                    "# As Linux {} counts; others may count a little more.\nmax-insns = {counted}",
                    kernel.escape_debug()
                );
            }
            None => text += "# max-insns: give --app, and the verifier counts\n",
        }
        text
    }
}
