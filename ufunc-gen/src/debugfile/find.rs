// SPDX-License-Identifier: MIT OR Apache-2.0
//! Looking for a host's separate debug file, and for the file that supplements it.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf, absolute};

use anyhow::{Context as _, Result, bail, ensure};
use flate2::Crc;
use object::Object as _;

use super::image::{Naming, has_entries};
use super::link::{self, hex};
use super::{SYSTEM_DEBUG_DIR, Search};
use crate::elf::{Host, HostFile, machine, parse_elf};

/// Build-ids are hashes; a longer one names no file.
const MAX_BUILD_ID: usize = 64;
/// Attempts that a message shows.
const MAX_SHOWN: usize = 12;

/// What was tried, and why it would not do.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    seen: HashSet<PathBuf>,
    failed: Vec<(PathBuf, String)>,
}

impl Attempts {
    /// Maps the file at `path` if `check` approves of it. Each path is tried once.
    pub(super) fn open(
        &mut self,
        path: PathBuf,
        check: impl FnOnce(&HostFile) -> Result<()>,
    ) -> Option<HostFile> {
        if !self.seen.insert(path.clone()) {
            return None;
        }
        let opened = HostFile::open(&path).and_then(|file| check(&file).map(|()| file));
        match opened {
            Ok(file) => Some(file),
            Err(error) => {
                self.failed.push((path, error.root_cause().to_string()));
                None
            }
        }
    }
}

impl fmt::Display for Attempts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.failed.is_empty() {
            return f.write_str("there was nothing to try");
        }
        f.write_str("tried ")?;
        for (index, (path, reason)) in self.failed.iter().take(MAX_SHOWN).enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{} ({reason})", shown(path))?;
        }
        match self.failed.len().checked_sub(MAX_SHOWN) {
            None | Some(0) => Ok(()),
            Some(more) => write!(f, " and {more} more"),
        }
    }
}

/// `path` for a message: the file that gave it may have put anything into it.
pub(super) fn shown(path: &Path) -> String {
    path.display().to_string().escape_debug().to_string()
}

/// Finds the file with the debug information that `host` has not.
pub(super) fn separate(host: &Host<'_>, search: &Search) -> Result<HostFile> {
    let mut attempts = Attempts::default();
    let build_id = host.elf().build_id().ok().flatten();
    for path in build_id.into_iter().flat_map(|id| by_build_id(id, search)) {
        let check = |file: &HostFile| {
            let elf = check_kind(host.elf(), file)?;
            ensure!(elf.build_id().ok().flatten() == build_id, "its build-id is another one");
            Ok(())
        };
        if let Some(file) = attempts.open(path, check) {
            return Ok(file);
        }
    }
    let shown = host.path().display();
    let link = link::debug_link(host.elf()).with_context(|| {
        format!("failed to find the debug information of {shown}, which has no .debug_info")
    })?;
    if let Some(link) = &link {
        for path in by_debug_link(host.path(), &link.name, search) {
            let check = |file: &HostFile| {
                let elf = check_kind(host.elf(), file)?;
                let found = elf.build_id().ok().flatten();
                ensure!(
                    found.is_none() || build_id.is_none() || found == build_id,
                    "its build-id is another one"
                );
                let mut crc = Crc::new();
                crc.update(file.bytes());
                ensure!(crc.sum() == link.crc, "its CRC is not that of .gnu_debuglink");
                Ok(())
            };
            if let Some(file) = attempts.open(path, check) {
                return Ok(file);
            }
        }
    }
    let hint = match (build_id, &link) {
        (None, None) => {
            "; it has no build-id and no .gnu_debuglink that would tell which file has it"
        }
        _ => "",
    };
    bail!(
        "{shown} has no debug information (section .debug_info), and no file with it was found: {attempts}{hint}; build it with -g and do not strip it, install the package with its debug information (-dbgsym or -dbg), or name the folder that has it with --debug-dir"
    )
}

/// Fails if `file` is not for the same machine as `host`, or has no debug information either.
fn check_kind<'f>(host: &object::File<'_>, file: &'f HostFile) -> Result<object::File<'f>> {
    let elf = parse_elf("it", file.bytes())?;
    let kind = |elf: &object::File<'_>| (elf.is_64(), elf.is_little_endian(), machine(elf));
    ensure!(kind(&elf) == kind(host), "it is for another machine");
    ensure!(has_entries(&elf, Naming::Whole), "it has no debug information");
    Ok(elf)
}

fn by_build_id<'s>(id: &[u8], search: &'s Search) -> impl Iterator<Item = PathBuf> + use<'s> {
    let name = match id {
        [first, rest @ ..] if !rest.is_empty() && rest.len() < MAX_BUILD_ID => {
            Some(format!(".build-id/{first:02x}/{}.debug", hex(rest)))
        }
        _ => None,
    };
    search.debug_dirs.iter().filter_map(move |dir| Some(dir.join(name.as_deref()?)))
}

fn by_debug_link(host: &Path, name: &Path, search: &Search) -> Vec<PathBuf> {
    let folders = folders(host);
    let mut paths = Vec::new();
    for folder in &folders {
        paths.extend([folder.join(name), folder.join(".debug").join(name)]);
    }
    for dir in &search.debug_dirs {
        for folder in &folders {
            let Ok(folder) = absolute(folder) else { continue };
            paths.push(dir.join(without_root(&folder)).join(name));
        }
    }
    paths
}

/// The folder of `file`, and the one that it really is in if that is another.
pub(super) fn folders(file: &Path) -> Vec<PathBuf> {
    let mut folders = vec![file.parent().unwrap_or(Path::new("")).to_owned()];
    if let Ok(real) = fs::canonicalize(file)
        && let Some(folder) = real.parent()
        && absolute(&folders[0]).is_ok_and(|known| known != folder)
    {
        folders.push(folder.to_owned());
    }
    folders
}

/// `path` below another folder.
pub(super) fn without_root(path: &Path) -> &Path {
    path.strip_prefix("/").unwrap_or(path)
}

/// Finds the file that supplements the debug information in `main`, which is at `path`, if it needs
/// one.
pub(super) fn supplementary(path: &Path, main: &[u8], search: &Search) -> Result<Option<HostFile>> {
    let shown_main = path.display().to_string();
    let elf = parse_elf(&shown_main, main)?;
    let link = link::supplementary_link(&elf)
        .with_context(|| format!("failed to read the debug information of {shown_main}"))?;
    let Some(link) = link else { return Ok(None) };
    let mut paths = Vec::new();
    if link.name.is_absolute() {
        paths.push(link.name.clone());
        if let Ok(name) = link.name.strip_prefix(SYSTEM_DEBUG_DIR) {
            paths.extend(search.debug_dirs.iter().map(|dir| dir.join(name)));
        }
    } else {
        paths.extend(folders(path).iter().map(|folder| folder.join(&link.name)));
    }
    if let Some(name) = link.name.file_name() {
        let dwz = Path::new(".dwz");
        paths.extend(search.debug_dirs.iter().map(|dir| dir.join(dwz).join(name)));
    }
    paths.extend(by_build_id(&link.id, search));
    let mut attempts = Attempts::default();
    for path in paths {
        let check = |file: &HostFile| {
            let found = parse_elf("it", file.bytes())?;
            ensure!(
                found.is_little_endian() == elf.is_little_endian(),
                "its byte order is another"
            );
            ensure!(has_entries(&found, Naming::Whole), "it has no debug information");
            let ids = [
                found.build_id().ok().flatten().map(<[u8]>::to_vec),
                link::supplementary_id(&found)?,
            ];
            ensure!(
                link.id.is_empty() || ids.iter().flatten().any(|id| *id == link.id),
                "its build-id is not {}",
                hex(&link.id)
            );
            Ok(())
        };
        if let Some(file) = attempts.open(path, check) {
            return Ok(Some(file));
        }
    }
    let package = match link.name.file_name().and_then(OsStr::to_str) {
        Some(_) if link.name.starts_with(SYSTEM_DEBUG_DIR) => {
            "install the package with its debug information (-dbgsym) whole, or "
        }
        _ => "",
    };
    bail!(
        "{shown_main} shares debug information with other files through {}, which was not found: {attempts}; {package}name the folder that has it with --debug-dir",
        shown(&link.name)
    )
}
