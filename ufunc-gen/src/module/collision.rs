// SPDX-License-Identifier: MIT OR Apache-2.0
//! Names that the kernel has taken: `btf_check_kfunc_name()` in `kernel/bpf/btf.c` refuses a
//! module whose kfunc is called like a function of the kernel's own.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use object::{Object as _, ObjectSection as _};

use crate::btf::Type;
use crate::btf::decode::Btf;
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
    let file = fs::read(vmlinux).with_context(context)?;
    let bytes = if file.starts_with(&object::elf::ELFMAG) {
        let elf = object::File::parse(&*file).with_context(context)?;
        let section = elf.section_by_name(BTF_SECTION);
        let section = section
            .with_context(|| format!("{} has no section {BTF_SECTION}", vmlinux.display()))?;
        section.uncompressed_data().with_context(context)?.into_owned()
    } else {
        file
    };
    let btf = Btf::parse(&bytes).with_context(context)?;
    let wanted: HashSet<&str> = names.into_iter().collect();
    let mut taken = Vec::new();
    for item in btf.types() {
        let (_, ty) = item.with_context(context)?;
        if let Type::Func { name, .. } = &ty
            && wanted.contains(name.as_ref())
            && !taken.contains(name)
        {
            taken.push(name.clone());
        }
    }
    if taken.is_empty() {
        return Ok(());
    }
    taken.sort();
    bail!(
        "the kernel has functions of its own called {} (in {}) and would refuse the module; rename all kfuncs with --prefix, for example --prefix app_",
        taken.join(", "),
        vmlinux.display()
    )
}
