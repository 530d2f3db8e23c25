// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which of the capabilities that loading a program takes this process lacks.

use anyhow::{Context as _, Result, bail};
use rustix::thread::{CapabilitySet, capabilities};

/// What loading a tracing program takes; each is contained in `CAP_SYS_ADMIN`.
const NEEDED: [(CapabilitySet, &str); 2] =
    [(CapabilitySet::BPF, "CAP_BPF"), (CapabilitySet::PERFMON, "CAP_PERFMON")];

/// Fails, naming what is missing, unless this process may have the verifier judge programs.
///
/// Less than that would not do: the verifier is stricter with the unprivileged, and its verdict
/// would not be the one that counts later.
pub(crate) fn check() -> Result<()> {
    let own = capabilities(None).context("failed to read this process's capabilities")?;
    let missing = missing(own.effective);
    if !missing.is_empty() {
        bail!(
            "loading programs needs {}, which this process does not have; run as root, or with these capabilities",
            missing.join(" and ")
        );
    }
    Ok(())
}

/// Whether this process has `CAP_BPF`, `CAP_PERFMON` and `CAP_SYS_ADMIN`; `None` if it cannot be
/// found out.
pub(crate) fn held() -> [(&'static str, Option<bool>); 3] {
    let own = capabilities(None).ok().map(|own| own.effective);
    let has = |capability| own.map(|own| own.contains(capability));
    let admin = has(CapabilitySet::SYS_ADMIN);
    let [bpf, perfmon] = NEEDED.map(|(capability, name)| {
        // It contains both.
        (name, if admin == Some(true) { admin } else { has(capability) })
    });
    [bpf, perfmon, ("CAP_SYS_ADMIN", admin)]
}

fn missing(effective: CapabilitySet) -> Vec<&'static str> {
    if effective.contains(CapabilitySet::SYS_ADMIN) {
        return Vec::new();
    }
    let is_missing = |needed: &&(CapabilitySet, _)| !effective.contains(needed.0);
    NEEDED.iter().filter(is_missing).map(|(_, name)| *name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_capabilities_are_named() {
        assert_eq!(missing(CapabilitySet::empty()), ["CAP_BPF", "CAP_PERFMON"]);
        assert_eq!(missing(CapabilitySet::BPF), ["CAP_PERFMON"]);
        assert!(missing(CapabilitySet::BPF | CapabilitySet::PERFMON).is_empty());
        assert!(missing(CapabilitySet::SYS_ADMIN).is_empty());
    }
}
