// SPDX-License-Identifier: MIT OR Apache-2.0
//! What one of the kernel's own modules shows: it was made by those who know.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use object::read::elf::{ElfFile64, FileHeader as _};
use object::{
    Endianness, Object as _, ObjectSection as _, ObjectSymbol as _, RelocationTarget, SymbolIndex,
};

use super::Arch;
use super::code::{EXIT, INIT, RETURN_THUNK};
use super::elf::{MODINFO_SECTION, THIS_MODULE_SECTION, arch_of};
use super::unpack::unpack;

/// Section with the versions of the symbols that a module needs: `struct modversion_info[]`.
pub(super) const VERSIONS_SECTION: &str = "__versions";
/// Length of a `struct modversion_info`.
pub(super) const VERSION_LEN: usize = 64;
/// Length of its first part, an `unsigned long`; the name follows.
pub(super) const CRC_LEN: usize = 8;
/// The same, where names may be longer (since Linux 6.14): numbers, and NUL-ended names.
const LONG_CRCS_SECTION: &str = "__version_ext_crcs";
const LONG_NAMES_SECTION: &str = "__version_ext_names";

/// What a module that belongs to a kernel says about that kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Installed {
    pub(super) arch: Arch,
    pub(super) vermagic: String,
    /// Bytes of `struct module`.
    pub(super) size: u32,
    /// Places in it, if the module has such a function at all.
    pub(super) init: Option<u32>,
    pub(super) exit: Option<u32>,
    /// Place of the module's name in it.
    pub(super) name: Option<u32>,
    pub(super) crcs: BTreeMap<String, u32>,
    pub(super) return_thunk: bool,
    /// Whether its functions carry hashes of their types (kCFI).
    pub(super) cfi: bool,
}

impl Installed {
    /// Reads the module at `path`, which may be packed.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let read = || -> Result<Self> { Self::parse(&unpack(&fs::read(path)?)?) };
        read().with_context(|| format!("failed to read the kernel module {}", path.display()))
    }

    fn parse(bytes: &[u8]) -> Result<Self> {
        let elf = ElfFile64::<Endianness>::parse(bytes).context("failed to read the ELF header")?;
        ensure!(elf.is_little_endian(), "it is of a big-endian kernel, which is not supported");
        let machine = elf.elf_header().e_machine(elf.endian());
        let arch = arch_of(machine);
        let arch = arch.context("it is of a processor other than x86-64 and arm64")?;
        let modinfo = section(&elf, MODINFO_SECTION)?;
        let field = |name: &str| {
            let entries = modinfo.split(|&byte| byte == 0);
            let mut values = entries.filter_map(|entry| entry.strip_prefix(name.as_bytes()));
            values.next().and_then(|value| str::from_utf8(value).ok())
        };
        let vermagic = field("vermagic=").context("its .modinfo has no vermagic")?;
        let this_module = section(&elf, THIS_MODULE_SECTION)?;
        let name = field("name=").filter(|name| !name.is_empty()).and_then(|name| {
            // With the NUL behind it, and that of the zeroes before.
            let ended = [name.as_bytes(), &[0]].concat();
            memchr::memmem::find(&this_module, &ended)
        });
        let (init, exit) = functions(&elf)?;
        let imports = |wanted: &str| {
            let mut symbols = elf.symbols();
            symbols.any(|symbol| symbol.is_undefined() && symbol.name() == Ok(wanted))
        };
        let is_hash = |name: &str| name.starts_with("__cfi_") || name.starts_with("__kcfi_typeid_");
        Ok(Installed {
            arch,
            vermagic: vermagic.to_owned(),
            size: this_module.len() as u32,
            init,
            exit,
            name: name.map(|at| at as u32),
            crcs: crcs(&elf)?,
            return_thunk: imports(RETURN_THUNK),
            cfi: elf.section_by_name(".kcfi_traps").is_some()
                || elf.symbols().any(|symbol| symbol.name().is_ok_and(is_hash)),
        })
    }
}

type Elf<'d> = ElfFile64<'d, Endianness>;

fn section<'d>(elf: &Elf<'d>, name: &str) -> Result<Cow<'d, [u8]>> {
    let section = elf.section_by_name(name).with_context(|| format!("it has no section {name}"))?;
    section.uncompressed_data().with_context(|| format!("failed to read its section {name}"))
}

/// Where in `struct module` the pointers to the module's first and last function are.
fn functions(elf: &Elf<'_>) -> Result<(Option<u32>, Option<u32>)> {
    let (mut init, mut exit) = (None, None);
    let section = elf.section_by_name(THIS_MODULE_SECTION);
    for (offset, relocation) in section.iter().flat_map(|section| section.relocations()) {
        let RelocationTarget::Symbol(index) = relocation.target() else { continue };
        let place = Some(u32::try_from(offset).context("a relocation lies outside")?);
        match symbol_name(elf, index) {
            Some(INIT) => init = place,
            Some(EXIT) => exit = place,
            _ => {}
        }
    }
    Ok((init, exit))
}

fn symbol_name<'d>(elf: &Elf<'d>, index: SymbolIndex) -> Option<&'d str> {
    elf.symbol_by_index(index).ok()?.name().ok()
}

/// The versions in either form.
fn crcs(elf: &Elf<'_>) -> Result<BTreeMap<String, u32>> {
    let mut crcs = BTreeMap::new();
    let mut insert = |name: &[u8], crc: u32| {
        crcs.insert(String::from_utf8_lossy(name).into_owned(), crc);
    };
    if elf.section_by_name(VERSIONS_SECTION).is_some() {
        let versions = section(elf, VERSIONS_SECTION)?;
        let (entries, rest) = versions.as_chunks::<VERSION_LEN>();
        if !rest.is_empty() {
            bail!("its section {VERSIONS_SECTION} has {} bytes", versions.len());
        }
        for entry in entries {
            let (crc, name) = entry.split_at(CRC_LEN);
            let end = name.iter().position(|&byte| byte == 0).unwrap_or(name.len());
            insert(&name[..end], u32::from_le_bytes([crc[0], crc[1], crc[2], crc[3]]));
        }
    }
    if elf.section_by_name(LONG_CRCS_SECTION).is_some() {
        let (numbers, names) =
            (section(elf, LONG_CRCS_SECTION)?, section(elf, LONG_NAMES_SECTION)?);
        let (numbers, _) = numbers.as_chunks();
        for (name, crc) in names.split(|&byte| byte == 0).zip(numbers) {
            insert(name, u32::from_le_bytes(*crc));
        }
    }
    Ok(crcs)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::btf::TypeId;
    use crate::module::object::rebase::{Declaration, Declared};
    use crate::module::object::{Kernel, ThisModule, VmlinuxTypes, elf};

    fn kernel() -> Kernel {
        let crcs = [("register_btf_kfunc_id_set", 1), ("module_layout", 2), (RETURN_THUNK, 3)];
        Kernel {
            release: "9.9".to_owned(),
            vermagic: "9.9 SMP modversions ".to_owned(),
            arch: Arch::X86_64,
            this_module: ThisModule { size: 1280, name: 24, init: 312, exit: 1200, btf_data: 256 },
            crcs: Some(crcs.into_iter().map(|(name, crc)| (name.to_owned(), crc)).collect()),
            return_thunk: true,
            program_type: 2,
            distilled_base: true,
            types: VmlinuxTypes { int: TypeId(1), end: TypeId(2), strings: 1 },
        }
    }

    /// A module of the kernel above.
    fn module() -> Vec<u8> {
        let kfuncs = vec![Declaration { name: "f", id: TypeId(3), flags: 0 }];
        let declared = Declared { kfuncs, btf: vec![0; 24], base: None, host: "app" };
        elf::write(&declared, &kernel(), "sample").unwrap()
    }

    #[test]
    fn a_module_shows_its_kernel() {
        let (seen, kernel) = (Installed::parse(&module()).unwrap(), kernel());
        let layout = kernel.this_module;
        assert_eq!((seen.arch, seen.vermagic), (kernel.arch, kernel.vermagic));
        assert_eq!(seen.size, layout.size);
        let places = (Some(layout.init), Some(layout.exit), Some(layout.name));
        assert_eq!((seen.init, seen.exit, seen.name), places);
        assert_eq!(Some(seen.crcs), kernel.crcs);
        assert!(seen.return_thunk && !seen.cfi);
    }

    proptest! {
        #[test]
        fn damage_is_an_error(changes in prop::collection::vec((any::<u16>(), any::<u8>()), 1..20), cut in any::<u16>()) {
            let mut bytes = module();
            for (at, byte) in changes {
                let at = usize::from(at) % bytes.len();
                bytes[at] = byte;
            }
            let _ = Installed::parse(&bytes);
            bytes.truncate(usize::from(cut) % bytes.len());
            let _ = Installed::parse(&bytes);
        }
    }
}
