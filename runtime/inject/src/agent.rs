// SPDX-License-Identifier: MIT OR Apache-2.0
//! The agent's file, and others that belong to this executable.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};

/// What it is called.
pub(crate) const FILE: &str = "libufunc_agent.so";
/// Where people say that it is elsewhere.
const VARIABLE: &str = "UFUNC_AGENT";

/// The agent's shared object: what `UFUNC_AGENT` names, or else the one that belongs to this
/// executable, see [`companion`].
pub fn agent_path() -> Result<PathBuf> {
    companion(FILE, VARIABLE, "ufunc-agent")
}

/// A file that belongs to this executable, of the package `package`: what the variable of the
/// environment `variable` names, or else the one in `deps/` beside the executable, where cargo has
/// libraries newest, beside it, or in `../lib/ufunc/`. A test's executable is in `deps/` itself.
pub fn companion(file: &str, variable: &str, package: &str) -> Result<PathBuf> {
    if let Some(path) = env::var_os(variable) {
        let path = PathBuf::from(path);
        ensure!(path.is_file(), "{variable} names {}, which is no file", path.display());
        return absolute(&path);
    }
    let executable = env::current_exe().context("failed to find this executable")?;
    let mut folder = executable.parent().unwrap_or(Path::new("/"));
    if folder.ends_with("deps") {
        folder = folder.parent().unwrap_or(folder);
    }
    let places = [folder.join("deps"), folder.to_owned(), folder.join("../lib/ufunc")];
    let places = places.map(|place| place.join(file));
    match places.iter().find(|path| path.is_file()) {
        Some(path) => absolute(path),
        None => bail!(
            "there is no {file} at {}: build it (`cargo build --release -p {package}`), or name \
             it in {variable}",
            places.map(|path| path.display().to_string()).join(", nor at ")
        ),
    }
}

fn absolute(path: &Path) -> Result<PathBuf> {
    path.canonicalize().with_context(|| format!("failed to find {}", path.display()))
}
