// SPDX-License-Identifier: MIT OR Apache-2.0
//! A kernel that nobody could boot, and all that a module has to know of it: types, a module of its
//! own, versions of symbols, laid out as distributions do.

use std::fs;
use std::path::{Path, PathBuf};

use object::write::{Object, Relocation, Symbol, SymbolSection};
use object::{
    Architecture, BinaryFormat, Endianness, RelocationFlags, SectionKind, SymbolFlags, SymbolKind,
    SymbolScope,
};
use ufunc_gen::btf::encode::Encoded;
use ufunc_gen::btf::{Composite, IntEncoding, Linkage, Member, Type, TypeId};
use ufunc_gen::module::object::{Arch, Kernel, ThisModule, VmlinuxTypes};

use super::common::Lab;

/// What its modules have for vermagic.
pub(crate) const VERMAGIC: &str = "9.9.9-test SMP preempt mod_unload modversions ";

const CRCS: [(&str, u32); 3] = [
    ("register_btf_kfunc_id_set", 0x8206_d584),
    ("module_layout", 0x5002_fa32),
    ("__x86_return_thunk", 0x5b82_39ca),
];

/// What is to be found out about it.
pub(crate) fn kernel() -> Kernel {
    let btf = vmlinux_btf("f");
    Kernel {
        release: "9.9.9-test".to_owned(),
        vermagic: VERMAGIC.to_owned(),
        arch: Arch::X86_64,
        this_module: ThisModule { size: 1280, name: 24, init: 312, exit: 1200, btf_data: 256 },
        crcs: Some(CRCS.into_iter().map(|(name, crc)| (name.to_owned(), crc)).collect()),
        return_thunk: true,
        program_type: 2,
        distilled_base: true,
        types: VmlinuxTypes {
            int: TypeId(4),
            end: TypeId(8),
            strings: u32::from_le_bytes(btf[20..24].try_into().unwrap()),
        },
    }
}

/// Its files, and what may be wrong with them.
pub(crate) struct FakeKernel {
    pub(crate) vermagic: &'static str,
    /// Bytes of `struct module` in its module, and where init and exit are in that.
    pub(crate) module_size: usize,
    pub(crate) init: u64,
    pub(crate) exit: u64,
    /// Whether its module has versions.
    pub(crate) versions: bool,
    /// Whether there is a `vmlinux`.
    pub(crate) vmlinux: bool,
    /// The one hook that it has.
    pub(crate) hook: &'static str,
    /// The one function that it has.
    pub(crate) function: &'static str,
    /// Whether it checks types of functions.
    pub(crate) cfi: bool,
}

impl Default for FakeKernel {
    fn default() -> Self {
        FakeKernel {
            vermagic: VERMAGIC,
            module_size: 1280,
            init: 312,
            exit: 1200,
            versions: true,
            vmlinux: true,
            hook: "BTF_KFUNC_HOOK_KPROBE",
            function: "f",
            cfi: false,
        }
    }
}

/// The types of the kernel with the function `function`.
pub(crate) fn vmlinux_btf(function: &'static str) -> Vec<u8> {
    btf("BTF_KFUNC_HOOK_KPROBE", function)
}

fn btf(hook: &'static str, function: &'static str) -> Vec<u8> {
    let members = [
        ("name", 24),
        ("mkobj", 80),
        ("btf_data", 256),
        ("btf_base_data", 264),
        ("init", 312),
        ("exit", 1200),
    ];
    let member = |&(name, byte): &(&'static str, u32)| Member {
        name: name.into(),
        ty: TypeId(1),
        bit_offset: byte * 8,
        bitfield_size: 0,
    };
    let members = members.iter().map(member).collect();
    let encoding = IntEncoding { signed: true, ..IntEncoding::default() };
    let types = [
        Type::Ptr(TypeId::VOID),
        Type::Struct(Composite { name: "module".into(), size: 1280, members }),
        Type::Enum {
            name: "btf_kfunc_hook".into(),
            size: 4,
            signed: false,
            values: vec![(hook.into(), 13)],
        },
        Type::Int { name: "int".into(), size: 4, encoding, bit_offset: 0, bits: 32 },
        Type::FuncProto { ret: TypeId::VOID, params: Vec::new() },
        Type::Func { name: function.into(), proto: TypeId(5), linkage: Linkage::Static },
        Type::Fwd { name: "last".into(), union: false },
    ];
    Encoded::new(&types, 0).unwrap().to_bytes().unwrap()
}

impl FakeKernel {
    /// Writes its files below `root`.
    pub(crate) fn write(&self, root: &Path) {
        let modules = root.join("lib/modules/9.9.9-test/kernel/net/ipv4");
        fs::create_dir_all(&modules).unwrap();
        fs::write(modules.join("tcp_dctcp.ko"), self.module()).unwrap();
        if self.vmlinux {
            fs::create_dir_all(root.join("boot")).unwrap();
            let mut elf = Object::new(BinaryFormat::Elf, Architecture::X86_64, Endianness::Little);
            section(&mut elf, ".BTF", &btf(self.hook, self.function));
            fs::write(root.join("boot/vmlinux-9.9.9-test"), elf.write().unwrap()).unwrap();
        }
    }

    /// Writes its `Module.symvers`.
    pub(crate) fn write_symvers(&self, lab: &Lab) -> PathBuf {
        let line = |(name, crc): &(&str, u32)| {
            format!("{crc:#010x}\t{name}\tvmlinux\tEXPORT_SYMBOL_GPL\t\n")
        };
        lab.write("Module.symvers", CRCS.iter().map(line).collect::<String>())
    }

    /// A module as its maker would have built it.
    fn module(&self) -> Vec<u8> {
        let mut elf = Object::new(BinaryFormat::Elf, Architecture::X86_64, Endianness::Little);
        let modinfo = format!("license=GPL\0name=tcp_dctcp\0vermagic={}\0", self.vermagic);
        section(&mut elf, ".modinfo", modinfo.as_bytes());
        let mut contents = vec![0; self.module_size];
        contents[24..33].copy_from_slice(b"tcp_dctcp");
        let this_module = section(&mut elf, ".gnu.linkonce.this_module", &contents);
        let text = section(&mut elf, ".text", &[0xc3, 0xc3]);
        for (name, value, place) in
            [("init_module", 0, self.init), ("cleanup_module", 1, self.exit)]
        {
            let symbol = symbol(&mut elf, name, value, SymbolSection::Section(text));
            let flags = RelocationFlags::Elf { r_type: object::elf::R_X86_64_64 };
            let relocation = Relocation { offset: place, symbol, addend: 0, flags };
            elf.add_relocation(this_module, relocation).unwrap();
        }
        symbol(&mut elf, "__x86_return_thunk", 0, SymbolSection::Undefined);
        if self.cfi {
            symbol(&mut elf, "__cfi_init_module", 0, SymbolSection::Section(text));
        }
        if self.versions {
            let mut versions = Vec::new();
            for (name, crc) in CRCS {
                let mut entry = [0; 64];
                entry[..4].copy_from_slice(&crc.to_le_bytes());
                entry[8..8 + name.len()].copy_from_slice(name.as_bytes());
                versions.extend_from_slice(&entry);
            }
            section(&mut elf, "__versions", &versions);
        }
        elf.write().unwrap()
    }
}

fn section(elf: &mut Object<'_>, name: &str, contents: &[u8]) -> object::write::SectionId {
    let id = elf.add_section(Vec::new(), name.into(), SectionKind::Data);
    elf.section_mut(id).set_data(contents.to_owned(), 8);
    id
}

fn symbol(
    elf: &mut Object<'_>,
    name: &str,
    value: u64,
    section: SymbolSection,
) -> object::write::SymbolId {
    elf.add_symbol(Symbol {
        name: name.into(),
        value,
        size: 0,
        kind: SymbolKind::Text,
        scope: SymbolScope::Dynamic,
        weak: false,
        section,
        flags: SymbolFlags::None,
    })
}
