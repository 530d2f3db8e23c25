// SPDX-License-Identifier: MIT OR Apache-2.0
//! What `loader verify` says of a program.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use crate::{Program, Setup};

/// What `loader verify --json` said.
#[derive(Debug)]
pub struct Verdict {
    /// The exit status.
    pub status: i32,
    /// The document.
    pub json: Value,
}

impl Verdict {
    /// Has `object` judged for `host`.
    pub fn of(setup: &Setup, object: &Path, host: &Path) -> Result<Verdict> {
        let mut command = Command::new(&setup.loader);
        command.arg("verify").arg(object).args([OsStr::new("--app"), host.as_os_str()]);
        let output = command.arg("--json").output().context("failed to run loader")?;
        let json = serde_json::from_slice(&output.stdout).with_context(|| {
            let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
            format!("loader printed no JSON: {}{}", text(&output.stdout), text(&output.stderr))
        })?;
        Ok(Verdict { status: output.status.code().context("loader was killed")?, json })
    }

    /// The programs of the object; there are some.
    pub fn programs(&self) -> Result<&Vec<Value>> {
        let programs = self.json["programs"].as_array();
        let programs = programs.with_context(|| format!("no programs in {}", self.json))?;
        ensure!(!programs.is_empty(), "no program was judged: {}", self.json);
        Ok(programs)
    }
}

/// Fails unless `program` gets the verdict that its header comment expects, for each host. Gives
/// what was said of it for the last one.
pub fn check(setup: &Setup, program: &Program) -> Result<Value> {
    let mut judged = Value::Null;
    for case in &program.cases {
        let host = setup.host(&case.host);
        let context = || format!("for {}", host.display());
        judged = check_for(setup, program, &host).with_context(context)?;
    }
    Ok(judged)
}

fn check_for(setup: &Setup, program: &Program, host: &Path) -> Result<Value> {
    let verdict = Verdict::of(setup, &setup.object(program), host)?;
    let judged = verdict.programs()?;
    match (&program.rejected_with, verdict.status) {
        (None, 0) => Ok(judged[0].clone()),
        (Some(texts), 1) => {
            let rejected = judged.iter().find(|program| program["verdict"] == "rejected");
            let rejected = rejected.context("status 1, but nothing is rejected")?;
            let log = rejected["log"].as_str().unwrap_or_default();
            ensure!(
                texts.iter().any(|text| log.contains(text)),
                "rejected, but not with any of {texts:?}:\n{log}"
            );
            for field in ["stage", "reason", "meaning", "help", "reproduce"] {
                ensure!(rejected[field].is_string(), "no {field} is given: {rejected}");
            }
            // What is wrong with the program as a whole has no line.
            let has_instructions = log.lines().any(|line| line.contains(": ("));
            ensure!(
                !has_instructions || rejected["source"]["line"].is_u64(),
                "no source line is given: {rejected}"
            );
            Ok(rejected.clone())
        }
        (_, status) => bail!("exit status {status}, which was not expected: {}", verdict.json),
    }
}
