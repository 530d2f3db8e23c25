// SPDX-License-Identifier: MIT OR Apache-2.0
//! Finding out what a module has to agree on with its kernel. What can be known from two places is
//! compared: a module with a wrong guess in it must never come into being.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};

use super::code::{REGISTER, RETURN_THUNK};
use super::elf::VERSIONED;
use super::installed::Installed;
use super::package::Package;
use super::vmlinux::Facts;
use super::{Arch, Kernel, NAME_MAX, VmlinuxBtf, symvers};
use crate::kernel::{SYSFS_BTF, VMLINUX};

/// Where to look for the kernel that a module is made for: the running one, unless anything but
/// `symvers` is set.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Folder that its packages were unpacked into.
    pub package: Option<PathBuf>,
    /// File with its types: BTF, ELF with BTF, or a `vmlinuz`.
    pub vmlinux: Option<PathBuf>,
    /// What its modules have for `vermagic`.
    pub vermagic: Option<String>,
    /// Its `Module.symvers`.
    pub symvers: Option<PathBuf>,
}

impl Sources {
    fn is_running_kernel(&self) -> bool {
        // Versions of another kernel's symbols contradict those in the running one's modules.
        let Sources { package, vmlinux, vermagic, symvers: _ } = self;
        package.is_none() && vmlinux.is_none() && vermagic.is_none()
    }

    /// The kernel's files, if it is known where they are.
    fn package(&self) -> Result<Option<Package>> {
        if let Some(root) = &self.package {
            return Package::unpacked(root).map(Some);
        }
        if !self.is_running_kernel() {
            return Ok(None);
        }
        let release = rustix::system::uname();
        let release = release.release().to_str().context("the kernel's release is no text")?;
        Ok(Some(Package::installed(release)))
    }

    fn vmlinux(&self, package: Option<&Package>) -> Result<VmlinuxBtf> {
        if let Some(path) = &self.vmlinux {
            return VmlinuxBtf::read(path);
        }
        if self.is_running_kernel() {
            let path = Path::new(SYSFS_BTF).join(VMLINUX);
            return VmlinuxBtf::read(&path).context(
                "the running kernel does not show its types; it must be built with CONFIG_DEBUG_INFO_BTF=y",
            );
        }
        let path = package.and_then(Package::vmlinux).context(
            "the kernel's types are missing: name a file that has them (its BTF, vmlinux or vmlinuz; the running kernel's is /sys/kernel/btf/vmlinux) with --vmlinux",
        )?;
        VmlinuxBtf::read(&path)
    }
}

impl Kernel {
    /// Gathers what a module for the running kernel has to agree on with it, and its types.
    pub fn running() -> Result<(Self, VmlinuxBtf)> {
        Self::find(&Sources::default())
    }

    /// Gathers what a module for the kernel of `sources` has to agree on with it, and its types.
    ///
    /// Fails if anything is missing, or two sources contradict each other.
    pub fn find(sources: &Sources) -> Result<(Self, VmlinuxBtf)> {
        let package = sources.package()?;
        let vmlinux = sources.vmlinux(package.as_ref())?;
        let facts = vmlinux.facts()?;
        let mut seen = Seen::default();
        if let Some(path) = &sources.symvers {
            seen.add_versions(path)?;
        }
        if let Some(package) = &package {
            seen.look_into(package, sources.vermagic.as_deref())?;
        }
        let vermagic = vermagic(sources, package.as_ref(), &seen)?;
        let release = vermagic.split(' ').next().unwrap_or_default().to_owned();
        if let Some(package) = &package {
            ensure!(
                release == package.release,
                "the modules in {} are of another kernel: their vermagic is '{vermagic}'",
                package.modules.display()
            );
        }
        compare(&facts, &seen, &vmlinux)?;
        let arch = arch(&vmlinux, &seen)?;
        let kernel = Kernel {
            crcs: has_versions(&vermagic).then_some(seen.crcs),
            release,
            vermagic,
            arch,
            this_module: facts.this_module,
            return_thunk: seen.return_thunk,
            program_type: facts.program_type,
            distilled_base: facts.distilled_base,
            types: facts.types,
        };
        // What every module needs: better missing now than when one is made.
        kernel.crc(REGISTER)?;
        Ok((kernel, vmlinux))
    }
}

/// Whether modules with this vermagic say the versions of the symbols that they need.
fn has_versions(vermagic: &str) -> bool {
    vermagic.split(' ').any(|word| word == "modversions")
}

/// What modules and lists of symbols say.
#[derive(Debug, Default)]
struct Seen {
    /// The first module, and its file.
    module: Option<(PathBuf, Installed)>,
    crcs: BTreeMap<String, u32>,
    return_thunk: bool,
}

impl Seen {
    /// Reads as many of the kernel's modules and lists as it takes.
    fn look_into(&mut self, package: &Package, vermagic: Option<&str>) -> Result<()> {
        for path in package.modules() {
            let module = Installed::read(&path)?;
            self.return_thunk |= module.return_thunk;
            for (symbol, crc) in &module.crcs {
                if VERSIONED.contains(&symbol.as_str()) {
                    self.add_version(symbol, *crc, &path)?;
                }
            }
            let wants_versions = has_versions(vermagic.unwrap_or(&module.vermagic));
            if self.module.is_none() {
                self.module = Some((path, module));
            }
            if !wants_versions || self.has_versions() {
                return Ok(());
            }
        }
        if let (Some(_), Some(path)) = (&self.module, package.symvers()) {
            self.add_versions(&path)?;
        }
        Ok(())
    }

    /// Whether the versions of all that a module needs are known.
    fn has_versions(&self) -> bool {
        let is_needed = |symbol: &str| self.return_thunk || symbol != RETURN_THUNK;
        VERSIONED.iter().all(|symbol| !is_needed(symbol) || self.crcs.contains_key(*symbol))
    }

    /// Adds what the `Module.symvers` at `path` says.
    fn add_versions(&mut self, path: &Path) -> Result<()> {
        for (symbol, crc) in symvers::read(path, &VERSIONED)? {
            // A kernel that has it is built to have its functions return there.
            self.return_thunk |= symbol == RETURN_THUNK;
            self.add_version(&symbol, crc, path)?;
        }
        Ok(())
    }

    fn add_version(&mut self, symbol: &str, crc: u32, path: &Path) -> Result<()> {
        match self.crcs.entry(symbol.to_owned()) {
            Entry::Vacant(place) => {
                place.insert(crc);
            }
            Entry::Occupied(known) => ensure!(
                *known.get() == crc,
                "{symbol} has the version {crc:#010x} in {}, and was {:#010x} before: these are of different kernels",
                path.display(),
                known.get()
            ),
        }
        Ok(())
    }
}

/// The kernel's vermagic.
fn vermagic(sources: &Sources, package: Option<&Package>, seen: &Seen) -> Result<String> {
    let vermagic = match (&sources.vermagic, &seen.module) {
        (Some(given), Some((path, module))) => {
            ensure!(
                given.trim_end() == module.vermagic.trim_end(),
                "--vermagic says '{given}', and {} '{}'",
                path.display(),
                module.vermagic
            );
            &module.vermagic
        }
        (None, Some((_, module))) => &module.vermagic,
        (Some(given), None) => given,
        (None, None) => match package {
            Some(package) => bail!(
                "the kernel's vermagic is missing: there is no module in {} that has it; give what another module of that kernel has (modinfo -F vermagic MODULE) with --vermagic",
                package.modules.display()
            ),
            None => bail!(
                "the kernel's vermagic is missing: give what its modules have (modinfo -F vermagic MODULE) with --vermagic, or name its unpacked package with --kernel-from"
            ),
        },
    };
    let is_plain = vermagic.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    ensure!(
        is_plain && vermagic.split(' ').next().is_some_and(|release| !release.is_empty()),
        "{vermagic:?} is no vermagic"
    );
    Ok(with_blank(vermagic))
}

/// `vermagic` as the kernel has it: each of the options that all processors share is followed by a
/// blank, even at the end, where it easily gets lost.
fn with_blank(vermagic: &str) -> String {
    const SHARED: [&str; 5] = ["SMP", "preempt", "preempt_rt", "mod_unload", "modversions"];
    let vermagic = vermagic.trim_end();
    let last = vermagic.rsplit(' ').next().unwrap_or_default();
    format!("{vermagic}{}", if SHARED.contains(&last) { " " } else { "" })
}

/// Fails if what the kernel's types say is not what its module is.
fn compare(facts: &Facts, seen: &Seen, vmlinux: &VmlinuxBtf) -> Result<()> {
    let Some((path, module)) = &seen.module else {
        ensure!(!facts.cfi, "{}", cfi(vmlinux.path()));
        return check_name_room(facts, vmlinux);
    };
    ensure!(!facts.cfi && !module.cfi, "{}", cfi(path));
    let layout = &facts.this_module;
    let places = [
        ("", Some(module.size), layout.size),
        ("'init' in ", module.init, layout.init),
        ("'exit' in ", module.exit, layout.exit),
        ("'name' in ", module.name, layout.name),
    ];
    for (what, found, expected) in places {
        ensure!(
            found.is_none_or(|found| found == expected),
            "{what}'struct module' has the {} {expected} in {}, and {} in {}: these are of different kernels",
            if what.is_empty() { "size" } else { "offset" },
            vmlinux.path().display(),
            found.unwrap_or_default(),
            path.display()
        );
    }
    check_name_room(facts, vmlinux)
}

fn check_name_room(facts: &Facts, vmlinux: &VmlinuxBtf) -> Result<()> {
    let room = facts.name_room as usize;
    ensure!(
        room > NAME_MAX,
        "'struct module' in {} has room for names of {room} bytes, which is no kernel's",
        vmlinux.path().display()
    );
    Ok(())
}

fn cfi(path: &Path) -> String {
    format!(
        "the kernel of {} checks calls through pointers by hashes of their types (CONFIG_CFI), which modules made here do not have; build the module in Rust",
        path.display()
    )
}

/// The kernel's processor.
fn arch(vmlinux: &VmlinuxBtf, seen: &Seen) -> Result<Arch> {
    let module = seen.module.as_ref().map(|(_, module)| module.arch);
    if let (Some(kernel), Some(module)) = (vmlinux.arch, module) {
        ensure!(
            kernel == module,
            "{} is for {kernel}, and the kernel's modules are for {module}",
            vmlinux.path().display()
        );
    }
    module.or(vmlinux.arch).or_else(Arch::native).with_context(|| {
        format!(
            "{} does not say which processor its kernel is for; give its vmlinux (ELF)",
            vmlinux.path().display()
        )
    })
}
