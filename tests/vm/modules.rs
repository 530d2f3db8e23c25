// SPDX-License-Identifier: MIT OR Apache-2.0
//! Every other module that `scripts/test` built (of the annotated example, and of the generator's
//! golden files) is accepted by the kernel.

use std::fs;

use anyhow::{Result, ensure};
use libtest_mimic::Trial;

use crate::guest::{Module, built, trial};

pub(crate) fn trials() -> Result<Vec<Trial>> {
    let mut trials = Vec::new();
    for entry in fs::read_dir(built("modules"))? {
        let folder = entry?.path();
        let name = folder.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = format!("module::{}", name.unwrap_or_default());
        trials.push(trial(name, move || Module::load(&folder)?.unload()));
    }
    ensure!(!trials.is_empty(), "no modules were built");
    trials.sort_by(|a, b| a.name().cmp(b.name()));
    Ok(trials)
}
