// SPDX-License-Identifier: MIT OR Apache-2.0
//! The types that programs on the application's probes are fitted to (CO-RE): the application's
//! own, and the kernel's.
//!
//! libbpf takes them from a file, which here is in memory only and has no more than what the
//! programs name: a kernel has a hundred thousand types, and libbpf looks at every one. A program on
//! a hook of the kernel does not get to see it: what it reads is the kernel's, whatever the
//! application calls its own.
//!
//! ```text
//! sections ──▶ views ──▶ which host comes first, which function decides ──▶ a file for each
//! ```

mod built;
mod sources;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use rustix::fs::{MemfdFlags, memfd_create};

use crate::missing::{self, Missing};
use crate::object::BpfObject;
use crate::probe::is_user_probe;
use crate::report::list;

use built::{Built, Origin, View, Why};
pub(crate) use sources::Sources;
pub use sources::TypeOptions;

/// What is known of the types that an object's programs name.
#[derive(Debug)]
pub(crate) struct HostTypes {
    state: State,
    /// What hosts are called, by their places.
    hosts: Vec<String>,
    /// The kernel's types, if they are not the running kernel's.
    kernel: Option<PathBuf>,
}

#[derive(Debug)]
enum State {
    /// No program on the application's probes is fitted to any.
    NotNeeded,
    /// The application's are not known, for this reason.
    Unknown(String),
    Known {
        built: Built,
        /// By view; `None` where the kernel and its modules serve as well.
        files: Vec<Option<File>>,
    },
}

impl HostTypes {
    /// Reads from `sources` what the programs of `object` are fitted to.
    pub(crate) fn read(sources: &Sources<'_>, object: &BpfObject) -> HostTypes {
        let state = match object.fitting.types.is_empty() {
            true => State::NotNeeded,
            false => match sources.build(&object.fitting).and_then(in_memory) {
                Ok((built, files)) => State::Known { built, files },
                Err(error) => State::Unknown(format!("{error:#}")),
            },
        };
        HostTypes {
            state,
            hosts: sources.labels(),
            kernel: sources.options.vmlinux.map(Path::to_owned),
        }
    }

    /// The file from which libbpf is to take the types for a program in `section`; `None` if those
    /// of the running kernel and its modules serve.
    pub(crate) fn file_for(&self, section: &str) -> Option<PathBuf> {
        let known = match &self.state {
            State::Known { built, files } if is_user_probe(section) => {
                built.view(section).and_then(|view| files.get(view)?.as_ref())
            }
            _ => None,
        };
        known.map(path).or_else(|| self.kernel.clone())
    }

    /// Why the relocation of `what`, in libbpf's words (`struct data.a`), failed in a program in
    /// `section`, and what the hosts are called that the answer is about; `None` if they have
    /// nothing to do with it.
    pub(crate) fn explain(&self, section: &str, what: &str) -> Option<(Missing, Vec<String>)> {
        if !is_user_probe(section) {
            return None;
        }
        let wanted = missing::wanted_type(what)?;
        match &self.state {
            State::NotNeeded => None,
            State::Unknown(error) => Some((Missing::Unknown(error.clone()), self.hosts.clone())),
            State::Known { built, .. } => {
                let view = built.views.get(built.view(section)?)?;
                if let Some(nearest) = view.missing.get(&wanted) {
                    let missing = Missing::Type { name: wanted, nearest: nearest.clone() };
                    return Some((self.unless_unknown(built, missing), self.hosts.clone()));
                }
                match view.taken.get(&wanted)? {
                    Origin::Host(host) => {
                        let missing = missing::look_up(&view.btf, view.first, what)?;
                        Some((missing, vec![self.host(*host).to_owned()]))
                    }
                    Origin::Kernel => None,
                }
            }
        }
    }

    /// A type that is missing may be one of those that are not known.
    fn unless_unknown(&self, built: &Built, missing: Missing) -> Missing {
        match built.unknown.as_slice() {
            [] => missing,
            unknown => Missing::Unknown(unknown.join("; ")),
        }
    }

    /// Whose types the programs are fitted to, a line for each way of seeing it, for those who want
    /// to know.
    pub(crate) fn describe(&self) -> Vec<String> {
        match &self.state {
            State::NotNeeded => Vec::new(),
            State::Unknown(error) => {
                vec![format!("the application's types are not known: {error}")]
            }
            State::Known { built, .. } => {
                let several = built.views.len() > 1;
                let views = built.views.iter().enumerate();
                let mut lines: Vec<_> = views
                    .map(|(place, view)| {
                        let programs = match several {
                            true => built.sections_of(place).join(", "),
                            false => "programs on its probes".to_owned(),
                        };
                        format!("{programs}: fitted to {}", self.describe_view(view))
                    })
                    .collect();
                let reasons = |reason: &_| matches!(reason, Why::Function { .. });
                lines.extend(self.choices(built, reasons));
                let unknown = built.unknown.iter();
                lines.extend(unknown.map(|error| format!("some types are not known: {error}")));
                lines
            }
        }
    }

    /// What users should know without having asked: names that mean several things in one
    /// application, so that what was meant is a guess.
    pub(crate) fn warnings(&self) -> Vec<String> {
        match &self.state {
            State::Known { built, .. } => {
                self.choices(built, |reason| !matches!(reason, Why::Function { .. }))
            }
            State::NotNeeded | State::Unknown(_) => Vec::new(),
        }
    }

    fn choices(&self, built: &Built, is_wanted: impl Fn(&Why) -> bool) -> Vec<String> {
        let mut lines = Vec::new();
        for view in &built.views {
            let choices = view.choices.iter().filter(|choice| is_wanted(&choice.why));
            lines.extend(choices.map(|choice| choice.describe(self.host(choice.host))));
        }
        lines.sort();
        lines.dedup();
        lines
    }

    fn host(&self, place: usize) -> &str {
        self.hosts.get(place).map_or("", String::as_str)
    }

    fn origin(&self, origin: &Origin) -> &str {
        match origin {
            Origin::Host(place) => self.host(*place),
            Origin::Kernel => "the kernel",
        }
    }

    /// `./app's struct data and the kernel's struct file, not to the kernel's struct data`.
    fn describe_view(&self, view: &View) -> String {
        let owned = |names: &BTreeMap<&Origin, Vec<&str>>| {
            let owned = names
                .iter()
                .map(|(origin, names)| format!("{}'s {}", self.origin(origin), list(names, "and")));
            let owned: Vec<_> = owned.collect();
            list(&owned.iter().map(String::as_str).collect::<Vec<_>>(), "and")
        };
        let (mut taken, mut hidden) = (BTreeMap::<_, Vec<_>>::new(), BTreeMap::<_, Vec<_>>::new());
        for (name, origin) in &view.taken {
            taken.entry(origin).or_default().push(name.as_str());
        }
        for (name, origins) in &view.hidden {
            for origin in origins {
                hidden.entry(origin).or_default().push(name.as_str());
            }
        }
        let mut text = if taken.is_empty() { "no types".to_owned() } else { owned(&taken) };
        if !hidden.is_empty() {
            text += &format!(", not to {}", owned(&hidden));
        }
        if !view.missing.is_empty() {
            let missing: Vec<_> = view.missing.keys().map(String::as_str).collect();
            text += &format!("; nobody has {}", list(&missing, "or"));
        }
        text
    }
}

/// Puts the BTF of each view where libbpf can open it.
fn in_memory(built: Built) -> Result<(Built, Vec<Option<File>>)> {
    let write = |bytes: &[u8]| -> Result<File> {
        let mut file = File::from(memfd_create("ufunc-types", MemfdFlags::CLOEXEC)?);
        file.write_all(bytes)?;
        Ok(file)
    };
    let files = built.views.iter().map(|view| match view.is_of_host() {
        true => write(&view.btf).context("failed to keep the types in memory").map(Some),
        false => Ok(None),
    });
    let files = files.collect::<Result<_>>()?;
    Ok((built, files))
}

/// Opening it gives the file from its beginning.
fn path(file: &File) -> PathBuf {
    format!("/proc/self/fd/{}", file.as_raw_fd()).into()
}
