// SPDX-License-Identifier: MIT OR Apache-2.0
//! The agent's file.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};

/// What it is called.
pub(crate) const FILE: &str = "libufunc_agent.so";
/// Where people say that it is elsewhere.
const VARIABLE: &str = "UFUNC_AGENT";

/// The agent's shared object: what `UFUNC_AGENT` names, or else the one in `deps/` beside this
/// executable, where cargo has it newest, beside it, or in `../lib/ufunc/`.
pub fn agent_path() -> Result<PathBuf> {
    if let Some(path) = env::var_os(VARIABLE) {
        let path = PathBuf::from(path);
        ensure!(path.is_file(), "{VARIABLE} names {}, which is no file", path.display());
        return absolute(&path);
    }
    let executable = env::current_exe().context("failed to find this executable")?;
    let folder = executable.parent().unwrap_or(Path::new("/"));
    let places = [folder.join("deps"), folder.to_owned(), folder.join("../lib/ufunc")];
    let places = places.map(|place| place.join(FILE));
    match places.iter().find(|path| path.is_file()) {
        Some(path) => absolute(path),
        None => bail!(
            "there is no {FILE} at {}: build it (`cargo build --release -p ufunc-agent`), or name \
             it in {VARIABLE}",
            places.map(|path| path.display().to_string()).join(", nor at ")
        ),
    }
}

fn absolute(path: &Path) -> Result<PathBuf> {
    path.canonicalize().with_context(|| format!("failed to find {}", path.display()))
}
