// SPDX-License-Identifier: MIT OR Apache-2.0
//! The kernel's tracing files: numbers of tracepoints, and what programs print.
//!
//! They are found where distributions mount them. Where nobody did, this process mounts them for
//! itself: the mount has no place in any folder, nobody else sees it, and it goes with the process.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;

use anyhow::{Context as _, Result};
use rustix::fs::{AtFlags, CWD, Dir, Mode, OFlags, mkdirat, openat, unlinkat};
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen};

/// Where it is mounted, if it is.
const PLACES: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];
/// A file that is there if a folder is the tracing file system.
const WITNESS: &str = "available_tracers";

/// The tracing file system.
#[derive(Debug)]
pub(crate) struct Tracefs {
    root: OwnedFd,
    /// Where it was found; `None` if it is mounted for this process only.
    place: Option<&'static str>,
}

impl Tracefs {
    /// Finds it, or mounts it.
    pub(crate) fn open() -> Result<Tracefs> {
        let folder = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::RDONLY;
        for place in PLACES {
            let Ok(root) = openat(CWD, place, folder, Mode::empty()) else { continue };
            if openat(&root, WITNESS, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).is_ok() {
                return Ok(Tracefs { root, place: Some(place) });
            }
        }
        let mount = || -> io::Result<OwnedFd> {
            let context = fsopen("tracefs", FsOpenFlags::FSOPEN_CLOEXEC)?;
            fsconfig_create(&context)?;
            Ok(fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())?)
        };
        let root = mount().context(
            "tracefs is not mounted, and this process may not mount it (it needs CAP_SYS_ADMIN): mount -t tracefs tracefs /sys/kernel/tracing",
        )?;
        Ok(Tracefs { root, place: None })
    }

    /// Where it is mounted for everybody.
    pub(crate) fn place(&self) -> Option<&'static str> {
        self.place
    }

    /// Opens the file at `path` below it.
    pub(crate) fn open_file(&self, path: &str, flags: OFlags) -> io::Result<File> {
        Ok(openat(&self.root, path, flags | OFlags::CLOEXEC, Mode::empty())?.into())
    }

    /// The text of the file at `path` below it.
    pub(crate) fn read(&self, path: &str) -> io::Result<String> {
        let mut text = String::new();
        self.open_file(path, OFlags::RDONLY)?.read_to_string(&mut text)?;
        Ok(text)
    }

    /// Writes to the file at `path` below it.
    pub(crate) fn write(&self, path: &str, text: &str) -> io::Result<()> {
        self.open_file(path, OFlags::WRONLY)?.write_all(text.as_bytes())
    }

    /// Makes the folder at `path` below it.
    pub(crate) fn make_folder(&self, path: &str) -> io::Result<()> {
        Ok(mkdirat(&self.root, path, Mode::RWXU)?)
    }

    /// Removes the folder at `path` below it.
    pub(crate) fn remove_folder(&self, path: &str) -> io::Result<()> {
        Ok(unlinkat(&self.root, path, AtFlags::REMOVEDIR)?)
    }

    /// The names in the folder at `path` below it.
    pub(crate) fn names(&self, path: &str) -> io::Result<Vec<String>> {
        let folder = self.open_file(path, OFlags::RDONLY | OFlags::DIRECTORY)?;
        let mut names = Vec::new();
        for entry in Dir::read_from(folder)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if name != "." && name != ".." {
                names.push(name);
            }
        }
        Ok(names)
    }

    /// The number of the tracepoint `category:name`.
    ///
    /// Fails if there is none, with those of similar names.
    pub(crate) fn tracepoint_id(&self, category: &str, name: &str) -> Result<u64> {
        let file = format!("events/{category}/{name}/id");
        match self.read(&file) {
            Ok(id) => id.trim().parse().with_context(|| format!("{file} has no number")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(error).with_context(|| self.explain_missing(category, name))
            }
            Err(error) => Err(error).with_context(|| format!("failed to read tracefs' {file}")),
        }
    }

    fn explain_missing(&self, category: &str, name: &str) -> String {
        let mut text = format!("the kernel has no tracepoint {category}/{name}");
        if let Ok(names) = self.names(&format!("events/{category}")) {
            let similar = |other: &&String| {
                other.contains(name)
                    || name.split('_').any(|word| word.len() > 3 && other.contains(word))
            };
            let similar: Vec<&str> =
                names.iter().filter(similar).take(8).map(String::as_str).collect();
            if !similar.is_empty() {
                text += &format!("; there are {}", crate::report::list(&similar, "and"));
            }
        }
        text
    }
}
