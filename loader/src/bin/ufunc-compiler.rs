// SPDX-License-Identifier: MIT OR Apache-2.0
//! `ufunc-compiler`: what the loader has compiled for it, in a process of its own.
//!
//! So the loader itself, which is run for each verdict, does not carry a compiler with it, and what
//! a bundle from elsewhere does to a compiler ends there.

use std::io::{self, Read as _, Write as _};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use ufunc_compile::{Code, Job};

fn main() -> ExitCode {
    match answer() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "ufunc-compiler: error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Reads all [`Job`]s from standard input, and writes what comes of each to standard output; both
/// as JSON.
fn answer() -> Result<()> {
    let mut text = String::new();
    io::stdin().read_to_string(&mut text).context("failed to read what is to be compiled")?;
    let jobs: Vec<Job> =
        serde_json::from_str(&text).context("this is for loader run to call: it gets no jobs")?;
    let answers = jobs.into_iter().map(|job| job.run().map_err(|error| format!("{error:#}")));
    let answers: Vec<Result<Code, String>> = answers.collect();
    let text = serde_json::to_vec(&answers)?;
    io::stdout().write_all(&text).context("failed to write what was compiled")
}
