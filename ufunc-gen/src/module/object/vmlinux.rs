// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a kernel's own types say: how `struct module` is laid out, for whom kfuncs can be
//! registered, and what a module's types continue.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use object::read::elf::FileHeader as _;
use object::{Object as _, ObjectSection as _};

use super::elf::arch_of;
use super::unpack::kernel_image;
use super::{Arch, ThisModule, VmlinuxTypes};
use crate::btf::decode::Btf;
use crate::btf::{Composite, Type, TypeId, kind};
use crate::elf::FileBytes;
use crate::kernel::BTF_SECTION;

/// `BPF_PROG_TYPE_UNSPEC`: programs of every type.
const PROG_TYPE_UNSPEC: u32 = 0;
/// `BPF_PROG_TYPE_KPROBE`: what uprobes are to the verifier.
const PROG_TYPE_KPROBE: u32 = 2;

/// `struct module` has been about 1 kB for many years. Far more is no kernel's.
const MAX_SIZE: u32 = 1 << 16;

/// The file with a kernel's types: raw BTF, an ELF file with them, or a compressed kernel.
#[derive(Debug)]
pub struct VmlinuxBtf {
    path: PathBuf,
    btf: FileBytes,
    /// The processor, where the file says it.
    pub(super) arch: Option<Arch>,
}

impl VmlinuxBtf {
    /// Reads the file at `path`.
    pub fn read(path: &Path) -> Result<Self> {
        let context = || format!("failed to read the kernel's BTF from {}", path.display());
        let file = FileBytes::of(path).with_context(context)?;
        let path = path.to_owned();
        let elf = match file.starts_with(&object::elf::ELFMAG) {
            true => Some(of_elf(&file)),
            false => kernel_image(&file).with_context(context)?.map(|kernel| of_elf(&kernel)),
        };
        let Some(elf) = elf else { return Ok(VmlinuxBtf { path, btf: file, arch: None }) };
        let (btf, arch) = elf.with_context(context)?;
        Ok(VmlinuxBtf { path, btf: FileBytes::Read(btf), arch })
    }

    /// The file that was read.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The types.
    pub fn btf(&self) -> Result<Btf<'_>> {
        Btf::parse(&self.btf).with_context(|| {
            format!("failed to read the kernel's BTF from {}", self.path.display())
        })
    }

    /// What a module has to know of them.
    pub(super) fn facts(&self) -> Result<Facts> {
        Facts::read(&self.btf()?).with_context(|| format!("{} cannot be used", self.path.display()))
    }
}

/// The types in an ELF file, and for which processor that is.
fn of_elf(bytes: &[u8]) -> Result<(Vec<u8>, Option<Arch>)> {
    let elf = object::File::parse(bytes).context("failed to read the ELF header")?;
    let section = elf
        .section_by_name(BTF_SECTION)
        .with_context(|| format!("it has no section {BTF_SECTION}"))?;
    let btf = section.uncompressed_data().map(Cow::into_owned)?;
    let arch = match &elf {
        object::File::Elf64(elf) => arch_of(elf.elf_header().e_machine(elf.endian())),
        _ => None,
    };
    Ok((btf, arch))
}

/// What a module has to know of its kernel's types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) this_module: ThisModule,
    /// Room for the module's name.
    pub(super) name_room: u32,
    pub(super) program_type: u32,
    pub(super) distilled_base: bool,
    pub(super) types: VmlinuxTypes,
    /// Whether every function that is called through a pointer has to carry a hash of its type.
    pub(super) cfi: bool,
}

impl Facts {
    fn read(btf: &Btf<'_>) -> Result<Self> {
        let wanted = [(kind::STRUCT, "module"), (kind::INT, "int"), (kind::ENUM, "btf_kfunc_hook")];
        let (found, end) = btf.select(&wanted)?;
        let mut module = None;
        let (mut int, mut hooks) = (None, None);
        for (id, ty) in found {
            match ty {
                Type::Struct(composite) if module.is_none() => module = Some(composite),
                Type::Struct(composite) => ensure!(
                    module.as_ref() == Some(&composite),
                    "it has several 'struct module' of different layouts"
                ),
                Type::Int { size: 4, encoding, .. } if encoding.signed => int = int.or(Some(id)),
                Type::Enum { values, .. } => hooks = Some(values),
                _ => {}
            }
        }
        let module = module.context(
            "it has no 'struct module': it is no kernel's BTF, or of a kernel without loadable modules",
        )?;
        let has_hook = |name: &str| hooks.iter().flatten().any(|(value, _)| value == name);
        let program_type = match () {
            () if has_hook("BTF_KFUNC_HOOK_KPROBE") => PROG_TYPE_KPROBE,
            () if has_hook("BTF_KFUNC_HOOK_COMMON") => PROG_TYPE_UNSPEC,
            () => bail!(
                "its kernel lets no uprobe call a module's functions (no BTF_KFUNC_HOOK_KPROBE, no BTF_KFUNC_HOOK_COMMON); Linux 6.2 is the first that does"
            ),
        };
        Ok(Facts {
            this_module: this_module(&module)?,
            name_room: name_room(&module)?,
            program_type,
            distilled_base: place(&module, "btf_base_data").is_ok(),
            types: VmlinuxTypes {
                int: int.context("it has no type 'int'")?,
                end: TypeId(end),
                strings: btf.strings_len(),
            },
            cfi: place(&module, "kcfi_traps").is_ok(),
        })
    }
}

fn this_module(module: &Composite<'_>) -> Result<ThisModule> {
    let size = module.size;
    ensure!(size <= MAX_SIZE, "its 'struct module' has {size} bytes, which is no kernel's");
    let pointer = |name: &str| {
        let at = place(module, name)?;
        let is_inside = at.checked_add(8).is_some_and(|end| end <= size) && at.is_multiple_of(8);
        ensure!(is_inside, "'{name}' of its 'struct module' is at {at}, where no pointer can be");
        Ok(at)
    };
    let btf_data = pointer("btf_data").context(
        "its kernel does not know types of modules (CONFIG_DEBUG_INFO_BTF_MODULES is off)",
    )?;
    Ok(ThisModule {
        size,
        name: place(module, "name")?,
        init: pointer("init")?,
        exit: pointer("exit")
            .context("its kernel does not unload modules (CONFIG_MODULE_UNLOAD)")?,
        btf_data,
    })
}

/// Bytes from `name` to what follows it.
fn name_room(module: &Composite<'_>) -> Result<u32> {
    let name = place(module, "name")?;
    let offsets = module.members.iter().map(|member| member.bit_offset / 8);
    let end = offsets.filter(|&at| at > name).min().unwrap_or(module.size);
    Ok(end.min(module.size).saturating_sub(name))
}

/// Where the member `name` is, in bytes.
fn place(module: &Composite<'_>, name: &str) -> Result<u32> {
    let member = module.members.iter().find(|member| member.name == name);
    let member = member.with_context(|| format!("its 'struct module' has no member '{name}'"))?;
    Ok(member.bit_offset / 8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::btf::encode::Encoded;
    use crate::btf::{IntEncoding, Member};

    fn member(name: &'static str, ty: u32, byte: u32) -> Member<'static> {
        Member { name: name.into(), ty: TypeId(ty), bit_offset: byte * 8, bitfield_size: 0 }
    }

    fn int() -> Type<'static> {
        let encoding = IntEncoding { signed: true, ..IntEncoding::default() };
        Type::Int { name: "int".into(), size: 4, encoding, bit_offset: 0, bits: 32 }
    }

    fn module(members: &[(&'static str, u32)]) -> Type<'static> {
        let members = members.iter().map(|&(name, byte)| member(name, 3, byte)).collect();
        Type::Struct(Composite { name: "module".into(), size: 256, members })
    }

    fn hooks(names: &[&'static str]) -> Type<'static> {
        let values = names.iter().map(|&name| (name.into(), 0)).collect();
        Type::Enum { name: "btf_kfunc_hook".into(), size: 4, signed: false, values }
    }

    const MEMBERS: [(&str, u32); 6] =
        [("state", 0), ("name", 24), ("mkobj", 80), ("init", 96), ("btf_data", 104), ("exit", 200)];

    fn facts(members: &[(&'static str, u32)], hook_names: &[&'static str]) -> Result<Facts> {
        let types = [module(members), int(), Type::Ptr(TypeId::VOID), hooks(hook_names)];
        let bytes = Encoded::new(&types, 0)?.to_bytes()?;
        Facts::read(&Btf::parse(&bytes)?)
    }

    #[test]
    fn the_layout_is_read() {
        let facts = facts(&MEMBERS, &["BTF_KFUNC_HOOK_COMMON", "BTF_KFUNC_HOOK_KPROBE"]).unwrap();
        let expected = ThisModule { size: 256, name: 24, init: 96, exit: 200, btf_data: 104 };
        assert_eq!(facts.this_module, expected);
        assert_eq!(facts.name_room, 56);
        assert_eq!((facts.program_type, facts.distilled_base, facts.cfi), (2, false, false));
        assert_eq!((facts.types.int, facts.types.end), (TypeId(2), TypeId(5)));
    }

    #[test]
    fn a_kernel_without_the_hook_registers_for_all_programs() {
        let facts = facts(&MEMBERS, &["BTF_KFUNC_HOOK_COMMON"]).unwrap();
        assert_eq!(facts.program_type, 0);
    }

    #[test]
    fn what_cannot_do_is_said() {
        let refused = |result: Result<Facts>, part: &str| {
            let error = format!("{:#}", result.unwrap_err());
            assert!(error.contains(part), "{error}");
        };
        refused(facts(&MEMBERS, &["BTF_KFUNC_HOOK_XDP"]), "Linux 6.2 is the first");
        let without = |name: &str| {
            MEMBERS.into_iter().filter(|(member, _)| *member != name).collect::<Vec<_>>()
        };
        let hook = ["BTF_KFUNC_HOOK_KPROBE"];
        refused(facts(&without("btf_data"), &hook), "CONFIG_DEBUG_INFO_BTF_MODULES");
        refused(facts(&without("exit"), &hook), "CONFIG_MODULE_UNLOAD");
        refused(facts(&without("init"), &hook), "no member 'init'");
        let odd = [("name", 24), ("init", 97), ("exit", 200), ("btf_data", 104)];
        refused(facts(&odd, &hook), "where no pointer can be");
        let outside = [("name", 24), ("init", 96), ("exit", 256), ("btf_data", 104)];
        refused(facts(&outside, &hook), "where no pointer can be");
        refused(
            Facts::read(
                &Btf::parse(&Encoded::new(&[int()], 0).unwrap().to_bytes().unwrap()).unwrap(),
            ),
            "no 'struct module'",
        );
    }
}
