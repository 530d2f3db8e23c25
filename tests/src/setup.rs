// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where the things under test are.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::program::Program;

/// Where the things under test are.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The `loader` command.
    pub loader: PathBuf,
    /// The folder with the sources of the hosts, `examples/`.
    pub host_sources: PathBuf,
    /// The folder with the hosts.
    pub hosts: PathBuf,
    /// The folder with the compiled programs.
    pub objects: PathBuf,
}

impl Setup {
    /// The object that `program` is compiled to.
    pub fn object(&self, program: &Program) -> PathBuf {
        self.objects.join(format!("{}.bpf.o", program.name))
    }

    /// The same with copies of the hosts, in `folder`.
    pub(crate) fn with_hosts_in(&self, folder: &Path) -> Result<Setup> {
        let context = || format!("failed to copy {}", self.hosts.display());
        for entry in fs::read_dir(&self.hosts).with_context(context)? {
            let entry = entry.with_context(context)?;
            if entry.file_type().with_context(context)?.is_file() {
                fs::copy(entry.path(), folder.join(entry.file_name())).with_context(context)?;
            }
        }
        Ok(Setup { hosts: folder.to_owned(), ..self.clone() })
    }

    /// The host of that name.
    pub fn host(&self, name: &str) -> PathBuf {
        self.hosts.join(name)
    }

    /// The source of the host of that name.
    pub(crate) fn host_source(&self, name: &str) -> PathBuf {
        self.host_sources.join(Path::new(name).with_extension("c"))
    }
}
