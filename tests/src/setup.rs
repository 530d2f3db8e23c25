// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where the things under test are.

use std::path::{Path, PathBuf};

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

    /// The host of that name.
    pub fn host(&self, name: &str) -> PathBuf {
        self.hosts.join(name)
    }

    /// The source of the host of that name.
    pub(crate) fn host_source(&self, name: &str) -> PathBuf {
        self.host_sources.join(Path::new(name).with_extension("c"))
    }
}
