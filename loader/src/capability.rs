// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which of the capabilities that loading a program takes this process lacks.

use std::fs;

use anyhow::{Context as _, Result, bail};

/// Capability numbers, `CAP_*` in the kernel's `include/uapi/linux/capability.h`.
const CAP_SYS_ADMIN: u32 = 21;
const CAP_PERFMON: u32 = 38;
const CAP_BPF: u32 = 39;

/// What loading a tracing program takes; each is contained in `CAP_SYS_ADMIN`.
const NEEDED: [(u32, &str); 2] = [(CAP_BPF, "CAP_BPF"), (CAP_PERFMON, "CAP_PERFMON")];

/// Fails, naming what is missing, unless this process may have the verifier judge programs.
///
/// Less than that would not do: the verifier is stricter with the unprivileged, and its verdict
/// would not be the one that counts later.
pub(crate) fn check() -> Result<()> {
    let status = fs::read_to_string("/proc/self/status")
        .context("failed to read this process's capabilities from /proc/self/status")?;
    let effective = effective(&status)
        .context("failed to read this process's capabilities: /proc/self/status has no CapEff")?;
    let missing = missing(effective);
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
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = effective(&status);
    let has = |capability: u32| effective.map(|effective| effective >> capability & 1 != 0);
    let admin = has(CAP_SYS_ADMIN);
    let [bpf, perfmon] = NEEDED.map(|(capability, name)| {
        // It contains both.
        (name, if admin == Some(true) { admin } else { has(capability) })
    });
    [bpf, perfmon, ("CAP_SYS_ADMIN", admin)]
}

fn effective(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

fn missing(effective: u64) -> Vec<&'static str> {
    let has = |capability: u32| effective >> capability & 1 != 0;
    if has(CAP_SYS_ADMIN) {
        return Vec::new();
    }
    NEEDED.iter().filter(|(capability, _)| !has(*capability)).map(|(_, name)| *name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_capabilities_are_named() {
        assert_eq!(missing(0), ["CAP_BPF", "CAP_PERFMON"]);
        assert_eq!(missing(1 << CAP_BPF), ["CAP_PERFMON"]);
        assert!(missing(1 << CAP_BPF | 1 << CAP_PERFMON).is_empty());
        assert!(missing(1 << CAP_SYS_ADMIN).is_empty());
    }

    #[test]
    fn the_effective_set_is_read() {
        let status = "Name:\tloader\nCapPrm:\t0000000000000001\nCapEff:\t000000c000000000\n";
        assert_eq!(effective(status), Some(0xc0_0000_0000));
        assert_eq!(effective("Name:\tCapEff\n"), None);
    }
}
