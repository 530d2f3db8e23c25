// SPDX-License-Identifier: MIT OR Apache-2.0
//! Names that the kernel has taken: `btf_check_kfunc_name()` in `kernel/bpf/btf.c` refuses a
//! module whose kfunc is called like a function of the kernel's own.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use hashbrown::HashSet;
use object::{Object as _, ObjectSection as _};

use crate::btf::decode::Btf;
use crate::elf::FileBytes;
use crate::kernel::{BTF_SECTION, SYSFS_BTF, VMLINUX};

/// The running kernel's types, if it shows them.
pub fn running_kernel() -> Option<PathBuf> {
    let path = Path::new(SYSFS_BTF).join(VMLINUX);
    path.exists().then_some(path)
}

/// Fails if one of `names` is a function of the kernel whose BTF (raw, or in an ELF file) is in
/// the file `vmlinux`.
pub fn check<'n>(vmlinux: &Path, names: impl IntoIterator<Item = &'n str>) -> Result<()> {
    let context = || format!("failed to read the kernel's BTF from {}", vmlinux.display());
    let file = FileBytes::of(vmlinux).with_context(context)?;
    let bytes = if file.starts_with(&object::elf::ELFMAG) {
        let elf = object::File::parse(&*file).with_context(context)?;
        let section = elf.section_by_name(BTF_SECTION);
        let section = section
            .with_context(|| format!("{} has no section {BTF_SECTION}", vmlinux.display()))?;
        section.uncompressed_data().with_context(context)?
    } else {
        Cow::Borrowed(&*file)
    };
    check_btf(&Btf::parse(&bytes).with_context(context)?, vmlinux, names)
}

/// The same for a kernel whose types were read already, from the file `vmlinux`.
pub fn check_btf<'n>(
    btf: &Btf<'_>,
    vmlinux: &Path,
    names: impl IntoIterator<Item = &'n str>,
) -> Result<()> {
    let context = || format!("failed to read the kernel's BTF from {}", vmlinux.display());
    let wanted: HashSet<&[u8]> = names.into_iter().map(str::as_bytes).collect();
    let mut taken = BTreeSet::new();
    for function in btf.functions() {
        let name = function.with_context(context)?;
        if wanted.contains(name) {
            taken.insert(String::from_utf8_lossy(name));
        }
    }
    if taken.is_empty() {
        return Ok(());
    }
    let taken: Vec<_> = taken.into_iter().collect();
    bail!(
        "the kernel has functions of its own called {} (in {}) and would refuse the module; rename all kfuncs with --prefix, for example --prefix app_",
        taken.join(", "),
        vmlinux.display()
    )
}
