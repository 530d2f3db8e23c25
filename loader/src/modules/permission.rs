// SPDX-License-Identifier: MIT OR Apache-2.0
//! Whether this process may load kernel modules of its own.

use std::fs;
use std::path::Path;

use rustix::thread::{CapabilitySet, capabilities};

/// Where the kernel says what it takes.
#[derive(Debug)]
pub(super) struct Settings<'a> {
    /// `/proc/sys/kernel/modules_disabled`, which kernels without modules lack.
    pub(super) disabled: &'a Path,
    /// `/sys/kernel/security/lockdown`
    pub(super) lockdown: &'a Path,
    /// `/sys/module/module/parameters/sig_enforce`
    pub(super) signed_only: &'a Path,
}

impl Settings<'static> {
    /// The running kernel's.
    pub(super) fn of_kernel() -> Self {
        Settings {
            disabled: Path::new("/proc/sys/kernel/modules_disabled"),
            lockdown: Path::new("/sys/kernel/security/lockdown"),
            signed_only: Path::new("/sys/module/module/parameters/sig_enforce"),
        }
    }
}

/// Why this process cannot load a module that nobody signed; `None` if nothing speaks against it.
pub(super) fn obstacle(settings: &Settings<'_>) -> Option<String> {
    let own = capabilities(None).map(|own| own.effective);
    let has = |capability| own.is_ok_and(|own| own.contains(capability));
    let needed = [
        (CapabilitySet::SYS_MODULE, "CAP_SYS_MODULE"),
        (CapabilitySet::SYS_ADMIN, "CAP_SYS_ADMIN"),
    ];
    if let Some((_, name)) = needed.into_iter().find(|(capability, _)| !has(*capability)) {
        return Some(format!("this process does not have {name}; run as root"));
    }
    of_kernel(settings)
}

/// Why the kernel takes no such module from anybody.
fn of_kernel(settings: &Settings<'_>) -> Option<String> {
    let word = |path: &Path| fs::read_to_string(path).ok().map(|text| text.trim().to_owned());
    match word(settings.disabled).as_deref() {
        None => return Some("this kernel has no loadable modules (CONFIG_MODULES)".to_owned()),
        Some("0") => {}
        Some(_) => {
            return Some("kernel.modules_disabled is set, until the next boot".to_owned());
        }
    }
    const SIGN: &str = "sign one that it trusts: ufunc-gen ko --sign KEY CERT";
    if let Some(lockdown) = word(settings.lockdown).filter(|text| !text.contains("[none]"))
        && let Some(mode) = lockdown.split(['[', ']']).nth(1)
    {
        return Some(format!(
            "the kernel is locked down ({mode}) and takes signed modules only; {SIGN}"
        ));
    }
    if word(settings.signed_only).as_deref() == Some("Y") {
        return Some(format!("the kernel takes signed modules only (module.sig_enforce); {SIGN}"));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn obstacle_with(disabled: Option<&str>, lockdown: &str, signed_only: &str) -> Option<String> {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, text: Option<&str>| {
            let path = dir.path().join(name);
            text.into_iter().for_each(|text| fs::write(&path, format!("{text}\n")).unwrap());
            path
        };
        of_kernel(&Settings {
            disabled: &file("disabled", disabled),
            lockdown: &file("lockdown", Some(lockdown)),
            signed_only: &file("signed_only", Some(signed_only)),
        })
    }

    #[test]
    fn each_obstacle_is_named() {
        let says = |obstacle: Option<String>, part: &str| {
            assert!(obstacle.as_ref().is_some_and(|text| text.contains(part)), "{obstacle:?}");
        };
        const OPEN: &str = "[none] integrity confidentiality";
        assert_eq!(obstacle_with(Some("0"), OPEN, "N"), None);
        says(obstacle_with(None, OPEN, "N"), "CONFIG_MODULES");
        says(obstacle_with(Some("1"), OPEN, "N"), "modules_disabled");
        says(obstacle_with(Some("0"), "none [integrity] confidentiality", "N"), "(integrity)");
        says(obstacle_with(Some("0"), OPEN, "Y"), "sig_enforce");
    }
}
