// SPDX-License-Identifier: MIT OR Apache-2.0
//! The module's ELF file: the sections that the kernel's loader looks for, and no others.

use anyhow::{Context as _, Result};
use object::elf::{
    EM_AARCH64, EM_X86_64, Machine, R_AARCH64_ABS64, R_X86_64_64, R_X86_64_PC32, RelocationType,
    SHF_ALLOC, SHF_EXECINSTR, SHF_WRITE, SHT_PROGBITS, SectionFlags as Flags,
};
use object::write::{Object, Relocation, SectionId, Symbol, SymbolId, SymbolSection};
use object::{
    Architecture, BinaryFormat, Endianness, RelocationFlags, SectionFlags, SectionKind,
    SymbolFlags, SymbolKind, SymbolScope,
};

use super::code::{EXIT, INIT, REGISTER, RETURN_THUNK, Target, Text};
use super::installed::{CRC_LEN, VERSION_LEN, VERSIONS_SECTION};
use super::rebase::Declared;
use super::{Arch, Kernel};
use crate::kernel::{BTF_BASE_SECTION, BTF_IDS_SECTION, BTF_SECTION, BTF_SET8_KFUNCS};

/// Section that becomes the module's `struct module`.
pub(super) const THIS_MODULE_SECTION: &str = ".gnu.linkonce.this_module";
/// The symbol of it.
const THIS_MODULE: &str = "__this_module";
/// Section of `name=value` strings.
pub(super) const MODINFO_SECTION: &str = ".modinfo";
/// The symbol whose version stands for the layout of `struct module`.
const LAYOUT_SYMBOL: &str = "module_layout";

/// The ELF file of a module called `name`.
pub(super) fn write(declared: &Declared<'_>, kernel: &Kernel, name: &str) -> Result<Vec<u8>> {
    let mut elf = Elf::new(kernel.arch);
    let this_module = elf.this_module(kernel, name)?;
    let ids = elf.section(BTF_IDS_SECTION, SHF_ALLOC, 4, &id_set(declared));
    let kfunc_set = elf.kfunc_set(this_module, ids)?;
    elf.text(kernel, declared, this_module, kfunc_set)?;
    elf.section(MODINFO_SECTION, SHF_ALLOC, 1, &modinfo(declared, kernel, name));
    if let Some(versions) = versions(kernel, &elf.imports)? {
        elf.section(VERSIONS_SECTION, SHF_ALLOC, 32, &versions);
    }
    // Not in memory: the kernel copies them.
    elf.section(BTF_SECTION, Flags(0), 4, &declared.btf);
    if let Some(base) = &declared.base {
        elf.section(BTF_BASE_SECTION, Flags(0), 4, base);
    }
    elf.object.write().context("failed to write the ELF file")
}

/// The object file while it is put together.
struct Elf {
    object: Object<'static>,
    arch: Arch,
    /// What the kernel is to provide.
    imports: Vec<(&'static str, SymbolId)>,
}

impl Elf {
    fn new(arch: Arch) -> Self {
        let architecture = match arch {
            Arch::X86_64 => Architecture::X86_64,
            Arch::Aarch64 => Architecture::Aarch64,
        };
        let object = Object::new(BinaryFormat::Elf, architecture, Endianness::Little);
        Elf { object, arch, imports: Vec::new() }
    }

    fn section(&mut self, name: &str, flags: Flags, align: u64, contents: &[u8]) -> SectionId {
        let kind = match flags {
            flags if flags.contains(SHF_EXECINSTR) => SectionKind::Text,
            flags if flags.contains(SHF_WRITE) => SectionKind::Data,
            flags if flags.contains(SHF_ALLOC) => SectionKind::ReadOnlyData,
            _ => SectionKind::Other,
        };
        let id = self.object.add_section(Vec::new(), name.into(), kind);
        let section = self.object.section_mut(id);
        section.flags = SectionFlags::Elf { sh_type: SHT_PROGBITS, sh_flags: flags };
        section.set_data(contents.to_owned(), align);
        id
    }

    /// A symbol: one that others see, or one that others are to provide.
    fn symbol(
        &mut self,
        name: &str,
        kind: SymbolKind,
        section: Option<SectionId>,
        (value, size): (u64, u64),
    ) -> SymbolId {
        let (scope, section) = match section {
            Some(section) => (SymbolScope::Dynamic, SymbolSection::Section(section)),
            None => (SymbolScope::Unknown, SymbolSection::Undefined),
        };
        let (name, flags) = (name.into(), SymbolFlags::None);
        let symbol = Symbol { name, value, size, kind, scope, weak: false, section, flags };
        self.object.add_symbol(symbol)
    }

    fn relocation(
        &mut self,
        section: SectionId,
        offset: u64,
        r_type: RelocationType,
        target: (SymbolId, i64),
    ) -> Result<()> {
        let (symbol, addend) = target;
        let flags = RelocationFlags::Elf { r_type };
        let relocation = Relocation { offset, symbol, addend, flags };
        self.object.add_relocation(section, relocation).context("failed to write a relocation")
    }

    /// A pointer.
    fn pointer(&mut self, section: SectionId, offset: u32, target: SymbolId) -> Result<()> {
        let kind = match self.arch {
            Arch::X86_64 => R_X86_64_64,
            Arch::Aarch64 => R_AARCH64_ABS64,
        };
        self.relocation(section, u64::from(offset), kind, (target, 0))
    }

    /// `struct module`, all zero but for its name; the pointers come with the code.
    fn this_module(&mut self, kernel: &Kernel, name: &str) -> Result<(SectionId, SymbolId)> {
        let layout = &kernel.this_module;
        let mut contents = vec![0; layout.size as usize];
        let start = layout.name as usize;
        let place = contents.get_mut(start..start + name.len());
        place
            .context("the kernel's 'struct module' has no room for the name")?
            .copy_from_slice(name.as_bytes());
        let flags = SHF_ALLOC | SHF_WRITE;
        let section = self.section(THIS_MODULE_SECTION, flags, 64, &contents);
        let place = (0, u64::from(layout.size));
        Ok((section, self.symbol(THIS_MODULE, SymbolKind::Data, Some(section), place)))
    }

    /// `struct btf_kfunc_id_set` in `include/linux/btf.h`: owner, set and, since Linux 6.4, filter.
    fn kfunc_set(
        &mut self,
        (_, this_module): (SectionId, SymbolId),
        ids: SectionId,
    ) -> Result<SymbolId> {
        const LEN: usize = 24;
        let data = self.section(".data", SHF_ALLOC | SHF_WRITE, 8, &[0; LEN]);
        let ids = self.object.section_symbol(ids);
        self.pointer(data, 0, this_module)?;
        self.pointer(data, 8, ids)?;
        Ok(self.object.section_symbol(data))
    }

    fn text(
        &mut self,
        kernel: &Kernel,
        declared: &Declared<'_>,
        (module_section, this_module): (SectionId, SymbolId),
        kfunc_set: SymbolId,
    ) -> Result<()> {
        let text = Text::new(kernel, declared.kfuncs.iter().map(|kfunc| kfunc.name));
        let flags = SHF_ALLOC | SHF_EXECINSTR;
        let section = self.section(".text", flags, Text::ALIGN, &text.bytes);
        for patch in &text.patches {
            let target = match patch.target {
                Target::KfuncSet => kfunc_set,
                Target::ThisModule => this_module,
                Target::Kernel(name) => self.import(name),
            };
            self.relocation(section, patch.offset, patch.kind, (target, patch.addend))?;
        }
        for function in &text.functions {
            let place = (function.offset, function.size);
            let symbol = self.symbol(&function.name, SymbolKind::Text, Some(section), place);
            // No kfunc is called like these: `RESERVED_SYMBOLS`.
            match function.name.as_str() {
                INIT => self.pointer(module_section, kernel.this_module.init, symbol)?,
                EXIT => self.pointer(module_section, kernel.this_module.exit, symbol)?,
                _ => {}
            }
        }
        if !text.return_sites.is_empty() {
            self.return_sites(section, &text.return_sites)?;
        }
        if self.arch == Arch::Aarch64 {
            // Room that the kernel wants to find for its own jumps, as its linker script has it.
            for name in [".plt", ".init.plt", ".text.ftrace_trampoline"] {
                self.section(name, flags, 1, &[0]);
            }
        }
        Ok(())
    }

    /// Where returns are, as distances.
    fn return_sites(&mut self, text: SectionId, sites: &[u64]) -> Result<()> {
        let section = self.section(".return_sites", SHF_ALLOC, 4, &vec![0; sites.len() * 4]);
        let text = self.object.section_symbol(text);
        for (index, &site) in sites.iter().enumerate() {
            let target = (text, site as i64);
            self.relocation(section, index as u64 * 4, R_X86_64_PC32, target)?;
        }
        Ok(())
    }

    fn import(&mut self, name: &'static str) -> SymbolId {
        if let Some((_, symbol)) = self.imports.iter().find(|(known, _)| *known == name) {
            return *symbol;
        }
        let symbol = self.symbol(name, SymbolKind::Unknown, None, (0, 0));
        self.imports.push((name, symbol));
        symbol
    }
}

/// `struct btf_id_set8` with its pairs.
fn id_set(declared: &Declared<'_>) -> Vec<u8> {
    let pairs = declared.kfuncs.iter().flat_map(|kfunc| [kfunc.id.0, kfunc.flags]);
    let words = [declared.kfuncs.len() as u32, BTF_SET8_KFUNCS].into_iter().chain(pairs);
    words.flat_map(u32::to_le_bytes).collect()
}

/// What `modinfo` shows, and the kernel compares.
fn modinfo(declared: &Declared<'_>, kernel: &Kernel, name: &str) -> Vec<u8> {
    // Only the last two words may be anything; an end of the string would begin another entry.
    let host = declared.host.escape_default();
    let mut entries = vec![
        "license=GPL".to_owned(),
        format!("description=Pseudo kfuncs for the functions that {host} lends to its extensions"),
        "depends=".to_owned(),
        format!("name={name}"),
    ];
    if kernel.arch == Arch::X86_64 {
        // True: there is no indirect call.
        entries.push("retpoline=Y".to_owned());
    }
    entries.push(format!("vermagic={}", kernel.vermagic));
    let mut bytes = entries.join("\0").into_bytes();
    bytes.push(0);
    bytes
}

/// The versions of the symbols that the module needs, if this kernel has versions:
/// `struct modversion_info[]`.
fn versions(kernel: &Kernel, imports: &[(&'static str, SymbolId)]) -> Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    for name in imports.iter().map(|(name, _)| *name).chain([LAYOUT_SYMBOL]) {
        let Some(crc) = kernel.crc(name)? else { return Ok(None) };
        let mut entry = [0; VERSION_LEN];
        entry[..4].copy_from_slice(&crc.to_le_bytes());
        entry[CRC_LEN..CRC_LEN + name.len()].copy_from_slice(name.as_bytes());
        bytes.extend_from_slice(&entry);
    }
    Ok(Some(bytes))
}

/// All symbols that a module may need the version of.
pub(super) const VERSIONED: [&str; 3] = [REGISTER, RETURN_THUNK, LAYOUT_SYMBOL];

/// What the ELF header says of the processor.
pub(super) fn arch_of(machine: Machine) -> Option<Arch> {
    match machine {
        EM_X86_64 => Some(Arch::X86_64),
        EM_AARCH64 => Some(Arch::Aarch64),
        _ => None,
    }
}
