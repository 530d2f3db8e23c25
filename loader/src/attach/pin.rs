// SPDX-License-Identifier: MIT OR Apache-2.0
//! Leaves programs, links and maps in a BPF file system, in a folder of their own:
//!
//! ```text
//! DIR/links/NAME   DIR/programs/NAME   DIR/maps/NAME
//! ```

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use libbpf_rs::{MapCore as _, MapHandle, ProgramHandle};
use rustix::fs::statfs;

use super::hooks::Attached;
use super::load::Loaded;

/// The folders, in the order in which they are filled and removed.
const FOLDERS: [&str; 3] = ["links", "programs", "maps"];
/// What `statfs` calls a BPF file system, `BPF_FS_MAGIC`.
const BPF_FS_MAGIC: u64 = 0xcafe_4a11;

/// What is pinned; removed again unless it is kept.
#[derive(Debug)]
pub(crate) struct Pins {
    folder: PathBuf,
    kept: bool,
}

/// Whether `path` is in a BPF file system.
pub(crate) fn is_bpffs(path: &Path) -> bool {
    statfs(path).is_ok_and(|found| found.f_type as u64 & 0xffff_ffff == BPF_FS_MAGIC)
}

impl Pins {
    /// Makes the folder, which must not be there yet.
    pub(crate) fn create(folder: &Path) -> Result<Pins> {
        let shown = folder.display();
        let parent = match folder.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        if !is_bpffs(parent) {
            bail!(
                "{shown} is in no BPF file system; choose a folder in one, as /sys/fs/bpf/NAME (if none is mounted: mount -t bpf bpf /sys/fs/bpf)"
            );
        }
        match fs::create_dir(folder) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                bail!(
                    "{shown} is there already; see loader list {shown}, and loader detach {shown}"
                )
            }
            Err(error) => return Err(error).with_context(|| format!("failed to make {shown}")),
        }
        let pins = Pins { folder: folder.to_owned(), kept: false };
        for name in FOLDERS {
            let path = folder.join(name);
            fs::create_dir(&path).with_context(|| format!("failed to make {}", path.display()))?;
        }
        Ok(pins)
    }

    /// Where all is pinned.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Pins everything.
    pub(crate) fn pin(&self, loaded: &Loaded, attached: &mut [Attached]) -> Result<()> {
        for Attached { name, links, .. } in attached.iter_mut() {
            for (at, link) in links.iter_mut().enumerate() {
                let name = if at == 0 { name.clone() } else { format!("{name}_{at}") };
                let path = self.path("links", &name);
                link.pin(&path).with_context(|| format!("failed to pin {}", path.display()))?;
            }
            let program = loaded.program(name).with_context(|| format!("{name} is not loaded"))?;
            let path = self.path("programs", name);
            let handle = program_handle(&program)?;
            handle.pin(&path).with_context(|| format!("failed to pin {}", path.display()))?;
        }
        for map in loaded.maps() {
            let path = self.path("maps", &map.name().to_string_lossy());
            let mut handle = MapHandle::try_from(&map).context("failed to hold a map")?;
            handle.pin(&path).with_context(|| format!("failed to pin {}", path.display()))?;
        }
        Ok(())
    }

    /// Leaves all as it is, attached.
    pub(crate) fn keep(mut self, attached: Vec<Attached>) {
        self.kept = true;
        for mut link in attached.into_iter().flat_map(|attached| attached.links) {
            // libbpf would switch the probe off, whoever else has it.
            link.disconnect();
        }
    }

    fn path(&self, folder: &str, name: &str) -> PathBuf {
        // The kernel wants no dots in names.
        self.folder.join(folder).join(name.replace('.', "_"))
    }
}

fn program_handle(program: &libbpf_rs::Program<'_>) -> Result<ProgramHandle> {
    use std::os::fd::AsFd as _;
    let id =
        libbpf_rs::Program::id_from_fd(program.as_fd()).context("failed to ask for its number")?;
    ProgramHandle::from_prog_id(id).context("failed to hold a program")
}

impl Drop for Pins {
    fn drop(&mut self) {
        if !self.kept {
            // The error that led here is the one to report.
            let _ = remove(&self.folder);
        }
    }
}

/// Whether `folder` is one that `attach --pin` made, and holds nothing else.
pub(crate) fn is_pinned_folder(folder: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        if !FOLDERS.iter().any(|known| name == *known) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Removes the folder and what is pinned in it; how many links there were.
pub(crate) fn remove(folder: &Path) -> io::Result<usize> {
    let mut links = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        // A link of the file system's is removed, and not followed.
        if entry.file_type()?.is_dir() {
            links += remove(&path)?;
        } else {
            links += usize::from(crate::links::is_link(&path));
            fs::remove_file(&path)?;
        }
    }
    fs::remove_dir(folder)?;
    Ok(links)
}
