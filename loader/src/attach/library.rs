// SPDX-License-Identifier: MIT OR Apache-2.0
//! Files that a `SEC()` names without saying where they are, as `libc.so.6`.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// Where the dynamic linker looks on the distributions that there are.
const LIBRARY_FOLDERS: [&str; 4] = ["/usr/lib64", "/lib64", "/usr/lib", "/lib"];

/// Whether `path` has the name of a shared library.
pub(crate) fn is_library(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.ends_with(".so") || name.contains(".so.")
}

/// The file that `said` means: as it is written; or, for a bare name, the one that the process
/// `pid` has mapped, or what is found where libraries and commands are.
pub(crate) fn find(said: &Path, pid: Option<i32>) -> Option<PathBuf> {
    let is_file = |path: &PathBuf| fs::metadata(path).is_ok_and(|found| found.is_file());
    let bare = said.components().count() == 1 && !said.is_absolute();
    if !bare {
        return Some(said.to_owned()).filter(is_file);
    }
    if let Some(mapped) = pid.and_then(|pid| mapped(pid, said)) {
        return Some(mapped);
    }
    let triple = format!("{}-linux-gnu", env::consts::ARCH);
    let folders = |variable| {
        let folders = env::var_os(variable).unwrap_or_default();
        env::split_paths(&folders).collect::<Vec<_>>()
    };
    let candidates: Vec<PathBuf> = if is_library(said) {
        let standard = LIBRARY_FOLDERS.iter().map(PathBuf::from);
        let with_triples = standard.flat_map(|folder| [folder.join(&triple), folder]);
        folders("LD_LIBRARY_PATH").into_iter().chain(with_triples).collect()
    } else {
        folders("PATH")
    };
    let mut found = candidates.into_iter().map(|folder| folder.join(said));
    found.find(is_file).or_else(|| Some(said.to_owned()).filter(is_file))
}

/// The file of that name that the process `pid` has mapped, as that process sees it.
fn mapped(pid: i32, name: &Path) -> Option<PathBuf> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).ok()?;
    let mut paths = maps.lines().filter_map(|line| line.find('/').map(|at| Path::new(&line[at..])));
    let path = paths.find(|path| path.file_name() == name.file_name())?;
    let below = path.strip_prefix("/").ok()?;
    let in_its_root = Path::new(&format!("/proc/{pid}/root")).join(below);
    [path.to_owned(), in_its_root].into_iter().find(|path| path.is_file())
}
