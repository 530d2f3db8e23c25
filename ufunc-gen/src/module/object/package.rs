// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where distributions put the parts of a kernel, below `/` or below a folder that packages were
//! unpacked into.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

/// Modules that register kfuncs themselves, so that they know the version of what registers them.
/// The first is the smallest, and in about every kernel.
const KNOWN: [&str; 5] = [
    "kernel/net/ipv4/tcp_dctcp",
    "kernel/net/ipv4/tcp_bbr",
    "kernel/net/xfrm/xfrm_interface",
    "kernel/net/netfilter/nf_nat",
    "kernel/net/netfilter/nf_conntrack",
];
/// How a module's file may end.
const ENDINGS: [&str; 4] = ["ko.xz", "ko.zst", "ko.gz", "ko"];
/// Where others that may register kfuncs are.
const OTHERS: &str = "kernel/net/";

/// One kernel's files.
#[derive(Debug)]
pub(super) struct Package {
    root: PathBuf,
    pub(super) release: String,
    /// Its `lib/modules/RELEASE`, which need not exist.
    pub(super) modules: PathBuf,
}

impl Package {
    /// The kernel `release` of this machine.
    pub(super) fn installed(release: &str) -> Self {
        let modules = Path::new("/lib/modules").join(release);
        Package { root: "/".into(), release: release.to_owned(), modules }
    }

    /// The one kernel whose packages were unpacked into `root`.
    pub(super) fn unpacked(root: &Path) -> Result<Self> {
        let mut found = Vec::new();
        for folder in ["usr/lib/modules", "lib/modules"] {
            let folder = root.join(folder);
            let entries = match fs::read_dir(&folder) {
                Ok(entries) => entries,
                Err(_) => continue,
            };
            for entry in entries {
                let entry =
                    entry.with_context(|| format!("failed to list {}", folder.display()))?;
                let release = entry.file_name().to_string_lossy().into_owned();
                let is_kernel = entry.path().join("kernel").is_dir();
                if is_kernel && found.iter().all(|(known, _)| *known != release) {
                    found.push((release, entry.path()));
                }
            }
        }
        let root = root.to_owned();
        match found.as_slice() {
            [(release, modules)] => {
                Ok(Package { root, release: release.clone(), modules: modules.clone() })
            }
            [] => bail!(
                "{} has no lib/modules/RELEASE/kernel: unpack the kernel's package into it (dpkg-deb --extract linux-image-….deb, or linux-modules-… where modules are in a package of their own)",
                root.display()
            ),
            several => {
                let releases: Vec<_> =
                    several.iter().map(|(release, _)| release.as_str()).collect();
                bail!("{} has several kernels: {}", root.display(), releases.join(", "))
            }
        }
    }

    /// The file with the kernel's types, if there is one.
    pub(super) fn vmlinux(&self) -> Option<PathBuf> {
        let Package { release, .. } = self;
        let files = [
            format!("usr/src/linux-headers-{release}/vmlinux"),
            format!("usr/lib/debug/boot/vmlinux-{release}"),
            format!("usr/lib/debug/lib/modules/{release}/vmlinux"),
            format!("boot/vmlinux-{release}"),
            format!("usr/lib/modules/{release}/vmlinuz"),
            format!("lib/modules/{release}/vmlinuz"),
            format!("boot/vmlinuz-{release}"),
            "vmlinux".to_owned(),
        ];
        self.first_of(files)
    }

    /// The kernel's `Module.symvers`, if there is one.
    pub(super) fn symvers(&self) -> Option<PathBuf> {
        let Package { release, .. } = self;
        let build = self.modules.join("build/Module.symvers");
        if build.is_file() {
            return Some(build);
        }
        self.first_of([
            format!("usr/src/linux-headers-{release}/Module.symvers"),
            format!("lib/modules/{release}/symvers.xz"),
            format!("lib/modules/{release}/symvers.gz"),
            format!("boot/symvers-{release}.xz"),
            format!("boot/symvers-{release}.gz"),
        ])
    }

    fn first_of(&self, files: impl IntoIterator<Item = String>) -> Option<PathBuf> {
        files.into_iter().map(|file| self.root.join(file)).find(|path| path.is_file())
    }

    /// Its modules, those first that know most of what is wanted, and some that need not.
    pub(super) fn modules(&self) -> impl Iterator<Item = PathBuf> {
        let files = |name: &str| {
            let stem = self.modules.join(name);
            ENDINGS.map(|ending| PathBuf::from(format!("{}.{ending}", stem.display())))
        };
        let known = KNOWN.into_iter().flat_map(files).filter(|path| path.is_file());
        known.chain(std::iter::once_with(|| self.others()).flatten())
    }

    /// Modules out of `modules.dep`, or `modules.order` where nobody ran `depmod` yet.
    fn others(&self) -> Vec<PathBuf> {
        let list = |name: &str| fs::read_to_string(self.modules.join(name));
        let text = list("modules.dep").or_else(|_| list("modules.order")).unwrap_or_default();
        let names = text.lines().map(|line| line.split(':').next().unwrap_or(line));
        let (mut likely, rest): (Vec<_>, Vec<_>) = names.partition(|name| name.starts_with(OTHERS));
        // Any module will do for what all of them know.
        likely.extend(rest.first());
        let exists = |name: &str| {
            let stem = name.rsplit_once(".ko").map_or(name, |(stem, _)| stem);
            let files = ENDINGS.map(|ending| self.modules.join(format!("{stem}.{ending}")));
            files.into_iter().find(|path| path.is_file())
        };
        likely.into_iter().filter_map(exists).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for file in files {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "kernel/net/a/b.ko: kernel/x.ko\nkernel/drivers/c.ko:\n").unwrap();
        }
        root
    }

    #[test]
    fn the_parts_are_found() {
        let root = folder(&[
            "usr/lib/modules/6.1/kernel/net/ipv4/tcp_bbr.ko.zst",
            "usr/lib/modules/6.1/kernel/net/a/b.ko.xz",
            "usr/lib/modules/6.1/kernel/drivers/c.ko",
            "usr/lib/modules/6.1/modules.dep",
            "boot/vmlinuz-6.1",
            "usr/src/linux-headers-6.1/Module.symvers",
        ]);
        let package = Package::unpacked(root.path()).unwrap();
        assert_eq!(package.release, "6.1");
        let inside = |path: PathBuf| path.strip_prefix(root.path()).unwrap().to_owned();
        assert_eq!(package.vmlinux().map(inside), Some("boot/vmlinuz-6.1".into()));
        let symvers = package.symvers().map(inside);
        assert_eq!(symvers, Some("usr/src/linux-headers-6.1/Module.symvers".into()));
        let modules: Vec<_> =
            package.modules().map(|path| path.file_name().unwrap().to_owned()).collect();
        assert_eq!(modules, ["tcp_bbr.ko.zst", "b.ko.xz", "c.ko"]);
    }

    #[test]
    fn no_kernel_and_several_are_refused() {
        let root = folder(&["boot/vmlinuz-6.1"]);
        let error = Package::unpacked(root.path()).unwrap_err().to_string();
        assert!(error.contains("has no lib/modules/RELEASE"), "{error}");
        let root = folder(&["lib/modules/1/kernel/a.ko", "lib/modules/2/kernel/a.ko"]);
        let error = Package::unpacked(root.path()).unwrap_err().to_string();
        assert!(error.contains("several kernels: "), "{error}");
    }
}
