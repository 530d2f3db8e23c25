// SPDX-License-Identifier: MIT OR Apache-2.0
//! Whose a module is that was made for one call: a module outlives a process that is killed.

use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use memchr::memmem;
use ufunc_gen::metadata::OWNER_TAG;

/// Where the number is in `/proc/PID/stat` that says when the process began, counted from behind its
/// name, which may have anything in it.
const START_TIME: usize = 19;

/// A process. Its number alone would come again, and means nothing in another container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    /// The namespace that the number is of, in the kernel's words.
    namespace: String,
    pub(super) pid: u32,
    /// When it began, in the kernel's ticks.
    start: u64,
}

impl Owner {
    /// This process.
    pub(super) fn this() -> Result<Self> {
        let pid = std::process::id();
        let start = start_time(pid).context("/proc does not show this process")?;
        let namespace = namespace().context("/proc does not show this process's namespaces")?;
        Ok(Owner { namespace, pid, start })
    }

    /// The owner that a module's BTF names, if it names one.
    pub(super) fn of(btf: &[u8]) -> Option<Self> {
        let at = memmem::find(btf, OWNER_TAG.as_bytes())? + OWNER_TAG.len();
        let value = btf.get(at..)?.split(|byte| *byte == 0).next()?;
        let mut words = str::from_utf8(value).ok()?.split(' ');
        let (namespace, pid, start) = (words.next()?, words.next()?, words.next()?);
        Some(Owner {
            namespace: namespace.to_owned(),
            pid: pid.parse().ok()?,
            start: start.parse().ok()?,
        })
    }

    /// Whether that process is gone for sure.
    pub(super) fn is_gone(&self) -> bool {
        namespace().is_some_and(|own| own == self.namespace)
            && start_time(self.pid) != Some(self.start)
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.namespace, self.pid, self.start)
    }
}

/// The namespace that numbers of processes are of.
fn namespace() -> Option<String> {
    let link = fs::read_link("/proc/self/ns/pid").ok()?;
    link.to_str().map(str::to_owned)
}

fn start_time(pid: u32) -> Option<u64> {
    let stat = fs::read(Path::new("/proc").join(pid.to_string()).join("stat")).ok()?;
    let stat = String::from_utf8_lossy(&stat);
    let (_, behind_name) = stat.rsplit_once(") ")?;
    behind_name.split(' ').nth(START_TIME)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_is_found_in_a_modules_types() {
        let owner = Owner::this().unwrap();
        let btf = format!("\0data\0{OWNER_TAG}{owner}\0more\0");
        assert_eq!(Owner::of(btf.as_bytes()), Some(owner.clone()));
        assert!(!owner.is_gone());
        assert_eq!(Owner::of(b"\0data\0"), None);
        assert_eq!(Owner::of(format!("{OWNER_TAG}pid:[1] x\0").as_bytes()), None);
    }

    #[test]
    fn a_number_that_came_again_is_another_process() {
        let this = Owner::this().unwrap();
        assert!(Owner { start: this.start + 1, ..this.clone() }.is_gone());
        // Of those in other containers nothing is known.
        let elsewhere = Owner { namespace: "pid:[1]".into(), start: 0, ..this };
        assert!(!elsewhere.is_gone());
    }
}
