// SPDX-License-Identifier: MIT OR Apache-2.0
//! Every program in `bpf/` gets the verdict that its header comment expects.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result, bail, ensure};
use libtest_mimic::Trial;
use serde_json::Value;

use crate::guest::{Maker, Module, built, checkout, loader, text, trial};

/// What a program's header comment says.
pub(crate) struct Expectation {
    /// The example whose extension it is.
    pub(crate) host: String,
    /// Texts of which one must be in the verifier's log; `None` if the program is accepted.
    rejected_with: Option<Vec<String>>,
}

/// The examples that lend something, and so have a module.
pub(crate) const LENDERS: [&str; 2] = ["annotated", "btf-base-complete"];

/// What the verifier said of each program, to be compared with what others say.
static TABLE: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Prints what the verifier said of each program, in lines that `scripts/test` knows again.
pub(crate) fn print_table() {
    let table = TABLE.lock().unwrap_or_else(PoisonError::into_inner);
    table.iter().for_each(|line| println!("verdict\t{line}"));
}

/// The sources of all programs, in order.
pub(crate) fn sources() -> Result<Vec<PathBuf>> {
    let mut sources = Vec::new();
    for entry in fs::read_dir(checkout().join("bpf"))? {
        let path = entry?.path();
        if path.to_string_lossy().ends_with(".bpf.c") {
            sources.push(path);
        }
    }
    sources.sort();
    ensure!(!sources.is_empty(), "there are no programs in bpf/");
    Ok(sources)
}

pub(crate) fn trials(maker: Maker) -> Result<Vec<Trial>> {
    let mut trials = Vec::new();
    for source in sources()? {
        let expectation = Expectation::read(&source)?;
        let name = format!("verdict::{}", name_of(&source));
        trials.push(trial(name, move || check(maker, &source, &expectation)));
    }
    trials.push(trial("verdict::without_the_module", without_the_module));
    if maker == Maker::Kbuild {
        trials.push(trial("verdict::module_of_another_build", module_of_another_build));
    }
    Ok(trials)
}

/// What a program is called.
fn name_of(source: &Path) -> String {
    let name = source.file_name().map(|name| name.to_string_lossy().into_owned());
    name.unwrap_or_default().trim_end_matches(".bpf.c").to_owned()
}

impl Expectation {
    pub(crate) fn read(source: &Path) -> Result<Self> {
        let text = fs::read_to_string(source)?;
        let field = |name: &str| {
            let lines = text.lines().map(|line| line.trim_start_matches([' ', '*']));
            lines.filter_map(|line| line.strip_prefix(name)).map(str::trim).next()
        };
        let context = || format!("{} says neither host: nor expect:", source.display());
        let host = field("host:").with_context(context)?.to_owned();
        let rejected_with = match field("expect:").with_context(context)? {
            "accepted" => None,
            verdict => {
                let texts = verdict.strip_prefix("rejected:").with_context(|| {
                    format!("{} expects {verdict:?}, which is no verdict", source.display())
                })?;
                Some(texts.split(" | ").map(|text| text.trim().to_owned()).collect())
            }
        };
        Ok(Expectation { host, rejected_with })
    }
}

pub(crate) fn object_of(source: &Path) -> PathBuf {
    source.with_extension("o")
}

fn check(maker: Maker, source: &Path, expectation: &Expectation) -> Result<()> {
    let host = expectation.host.as_str();
    let module = LENDERS.contains(&host).then(|| maker.load(host)).transpose()?;
    let host = checkout().join("examples").join(host);
    let object = object_of(source);
    let verdict = verify(&object, &host)?;
    drop(module);
    let program = &verdict.programs()?[0];
    let reason = program["reason"].as_str().unwrap_or_default();
    let line =
        format!("{}\t{}\t{reason}", name_of(source), program["verdict"].as_str().unwrap_or("?"));
    TABLE.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    match (&expectation.rejected_with, verdict.status) {
        (None, 0) => Ok(()),
        (Some(texts), 1) => {
            let log = program["log"].as_str().unwrap_or_default();
            ensure!(
                texts.iter().any(|text| log.contains(text)),
                "rejected, but not with any of {texts:?}:\n{log}"
            );
            ensure!(program["reason"].is_string(), "no reason is given: {program}");
            ensure!(program["source"]["line"].is_u64(), "no source line is given: {program}");
            Ok(())
        }
        (_, status) => bail!("exit status {status}, which was not expected: {}", verdict.json),
    }
}

/// What `loader verify --json` said.
pub(crate) struct Verdict {
    pub(crate) status: i32,
    json: Value,
}

impl Verdict {
    pub(crate) fn programs(&self) -> Result<&Vec<Value>> {
        let programs = self.json["programs"].as_array();
        let programs = programs.with_context(|| format!("no programs in {}", self.json))?;
        ensure!(!programs.is_empty(), "no program was judged: {}", self.json);
        Ok(programs)
    }
}

pub(crate) fn verify(object: &Path, host: &Path) -> Result<Verdict> {
    let arguments = [Path::new("verify"), object, Path::new("--app"), host, Path::new("--json")];
    let output = loader(arguments)?;
    let json = serde_json::from_slice(&output.stdout).with_context(|| {
        format!("loader printed no JSON: {}{}", text(&output.stdout), text(&output.stderr))
    })?;
    let status = output.status.code().context("loader was killed")?;
    Ok(Verdict { status, json })
}

fn without_the_module() -> Result<()> {
    let object = checkout().join("bpf/alloc_free.bpf.o");
    let verdict = verify(&object, &checkout().join("examples/btf-base-complete"))?;
    let error = verdict.json["error"].as_str().unwrap_or_default();
    ensure!(verdict.status == 2, "exit status {}: {}", verdict.status, verdict.json);
    ensure!(error.contains("insmod"), "the error does not say to insmod: {error:?}");
    ensure!(error.contains("my_alloc_data"), "the error does not name the ufunc: {error:?}");
    Ok(())
}

fn module_of_another_build() -> Result<()> {
    let _module = Module::load(&built("modules/btf-base-complete"))?;
    let object = checkout().join("bpf/alloc_free.bpf.o");
    let verdict = verify(&object, &built("hosts-clang/btf-base-complete"))?;
    let error = verdict.json["error"].as_str().unwrap_or_default();
    ensure!(verdict.status == 2, "exit status {}: {}", verdict.status, verdict.json);
    ensure!(error.contains("build"), "the error does not speak of builds: {error:?}");
    Ok(())
}
