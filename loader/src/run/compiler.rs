// SPDX-License-Identifier: MIT OR Apache-2.0
//! Has `ufunc-compiler` compile, a process of its own.

use std::io::Write as _;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, anyhow, ensure};
use ufunc_compile::{Code, Job};
use ufunc_inject::companion;

/// The executable, and the variable of the environment by which people say that it is elsewhere.
const FILE: &str = "ufunc-compiler";
const VARIABLE: &str = "UFUNC_COMPILER";

/// What comes of each of the `jobs`, in their order.
pub(crate) fn compile(jobs: &[Job]) -> Result<Vec<Result<Code>>> {
    let path = companion(FILE, VARIABLE, "loader")?;
    let failed = || format!("failed to run {}", path.display());
    let mut command = Command::new(&path);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut compiler = command.spawn().with_context(failed)?;
    // It reads all before it writes anything. One that has ended says so below.
    let question = serde_json::to_vec(jobs)?;
    let asked = compiler.stdin.take().map(|mut input| input.write_all(&question));
    let output = compiler.wait_with_output().with_context(failed)?;
    ensure!(output.status.success(), "{} ended with {}", path.display(), output.status);
    asked.transpose().with_context(failed)?;
    let answers: Vec<Result<Code, String>> = serde_json::from_slice(&output.stdout)
        .with_context(|| format!("{} is of another version", path.display()))?;
    ensure!(answers.len() == jobs.len(), "{} is of another version", path.display());
    Ok(answers.into_iter().map(|answer| answer.map_err(|error| anyhow!(error))).collect())
}
