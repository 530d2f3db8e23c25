// SPDX-License-Identifier: MIT OR Apache-2.0
//! The kernel module as an ELF file, without compiler, assembler, linker or kernel headers.
//!
//! A module that only declares needs little: the types that the Rust source has as statics, a stub
//! of a few bytes for each kfunc, and a call that registers them. What is hard is to agree with the
//! kernel it is made for. [`Kernel`] is what has to be known of that, and where it comes from.
//!
//! ```text
//! vmlinux BTF ──vmlinux──┐
//! *.ko ───────installed──┼──gather──▶ Kernel ──┐
//! Module.symvers ────────┘                     ├──elf, code─────▶ ufunc.ko ──sign──▶ ufunc.ko
//! Module (types, kfuncs, metadata) ──rebase────┘
//! ```

mod code;
mod elf;
mod gather;
mod installed;
mod package;
mod rebase;
mod sign;
mod symvers;
mod unpack;
mod vmlinux;

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Context as _, Result, bail, ensure};

use crate::btf::TypeId;
use crate::module::Module;

pub use gather::Sources;
pub use sign::{SIGNATURE_MARK, sign};
pub use vmlinux::VmlinuxBtf;

/// The name that a module has unless it is told another: the one of the module in Rust.
pub const DEFAULT_NAME: &str = "ufunc";

/// What the kernel's own makes sure of as well: room for a name in `struct module` less its NUL.
const NAME_MAX: usize = 55;

/// A processor that modules can be made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arch {
    /// x86-64
    X86_64,
    /// arm64
    Aarch64,
}

impl Arch {
    /// That of this machine, if modules can be made for it.
    pub fn native() -> Option<Arch> {
        match std::env::consts::ARCH {
            "x86_64" => Some(Arch::X86_64),
            "aarch64" => Some(Arch::Aarch64),
            _ => None,
        }
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Arch::X86_64 => "x86-64",
            Arch::Aarch64 => "arm64",
        })
    }
}

/// What a module has to agree on with the kernel that is to load it.
///
/// [`Kernel::running`] and [`Kernel::find`] gather it, and compare what can be known from several
/// places. The fields are open for those who know better.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kernel {
    /// `uname -r`
    pub release: String,
    /// Release and the options that modules have to share, as every module carries it.
    pub vermagic: String,
    /// Its processor.
    pub arch: Arch,
    /// How `struct module` is laid out.
    pub this_module: ThisModule,
    /// Version sums of the symbols that a module may need; `None` if the kernel has none
    /// (`CONFIG_MODVERSIONS` off).
    pub crcs: Option<BTreeMap<String, u32>>,
    /// Whether functions return through `__x86_return_thunk` (`CONFIG_MITIGATION_RETHUNK`).
    pub return_thunk: bool,
    /// Whom kfuncs are registered for, so that uprobes may call them.
    pub program_type: u32,
    /// Whether a module may bring a distilled base (`.BTF.base`, since Linux 6.11). Otherwise its
    /// types continue those of the very vmlinux that `types` is about.
    pub distilled_base: bool,
    /// What the module's types continue where there is no distilled base.
    pub types: VmlinuxTypes,
}

/// `struct module` of one kernel: places in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThisModule {
    /// Of the whole.
    pub size: u32,
    /// Of `name`.
    pub name: u32,
    /// Of `init`, the pointer to the function that is called first.
    pub init: u32,
    /// Of `exit`, the pointer to the one that is called last.
    pub exit: u32,
    /// Of `btf_data`, which is NULL if the kernel found no types.
    pub btf_data: u32,
}

/// What BTF that continues the kernel's has to know of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VmlinuxTypes {
    /// C's `int`.
    pub int: TypeId,
    /// Id of the first type after the kernel's last.
    pub end: TypeId,
    /// Length of its string section.
    pub strings: u32,
}

impl Kernel {
    /// The version sum of `symbol`; `None` if this kernel has none at all.
    fn crc(&self, symbol: &str) -> Result<Option<u32>> {
        let Some(crcs) = &self.crcs else { return Ok(None) };
        let crc = crcs.get(symbol).with_context(|| {
            format!(
                "kernel {} compares the versions of symbols (CONFIG_MODVERSIONS), and the one of {symbol} was not found; give its Module.symvers, which is in the kernel's headers package, with --symvers",
                self.release
            )
        })?;
        Ok(Some(*crc))
    }
}

/// Makes the module that declares to `kernel` what `module` says, as the bytes of a `.ko` file.
///
/// `name` is what the module is called once it is loaded. Loaded modules cannot share a name, and
/// since Linux 7.2 nor a kfunc's.
pub fn build(module: &Module<'_>, kernel: &Kernel, name: &str) -> Result<Vec<u8>> {
    check_name(name)?;
    ensure!(!module.kfuncs.is_empty(), "there is nothing to lend, so no module to make");
    let context = || format!("failed to make the module of {}", module.metadata.host);
    let declared = rebase::declare(module, kernel).with_context(context)?;
    elf::write(&declared, kernel, name).with_context(context)
}

/// Fails if no module can have that name.
pub fn check_name(name: &str) -> Result<()> {
    let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if name.is_empty() || !is_plain {
        bail!("{name:?} cannot be a module's name: letters, digits and '_' can");
    }
    ensure!(
        name.len() <= NAME_MAX,
        "'{name}' is too long for a module's name: it has {} letters, {NAME_MAX} are possible",
        name.len()
    );
    // Its types would be shown under the name of the kernel's own.
    ensure!(
        name != crate::kernel::VMLINUX,
        "a module called '{name}' would hide the kernel itself"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_kernels() {
        for name in ["ufunc", "ufunc_12", "7up"] {
            check_name(name).unwrap();
        }
        for name in ["", "a-b", "a/b", "a b", "ä", "vmlinux", &"x".repeat(56)] {
            assert!(check_name(name).is_err(), "{name:?}");
        }
    }
}
