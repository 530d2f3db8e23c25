// SPDX-License-Identifier: MIT OR Apache-2.0
//! The BPF object: checked before libbpf sees it, and the kfuncs that it needs.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use object::elf;
use object::read::elf::{ElfFile64, FileHeader as _};
use object::{LittleEndian, Object as _, ObjectSection as _, ObjectSymbol as _};
use ufunc_gen::btf::decode::Btf;
use ufunc_gen::btf::{Linkage, Type, TypeId};
use ufunc_gen::kernel::BTF_SECTION;

/// No BPF object comes near this size; reading a larger file would only take the memory.
const SIZE_MAX: u64 = 256 << 20;
/// Section in an object's BTF that lists what the kernel has to provide.
const KSYMS: &str = ".ksyms";
/// Bytes of an ELF file from which its class, byte order and machine can be told.
const IDENT_LEN: usize = 20;

/// A function that the object calls and the kernel or a module has to declare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kfunc {
    /// Its name, without the `___flavor` that libbpf ignores.
    pub name: String,
    /// Whether the object can do without (`__weak`).
    pub weak: bool,
}

/// A BPF object file in memory.
#[derive(Debug)]
pub struct BpfObject {
    /// Where the file is.
    pub path: PathBuf,
    /// What is in it.
    pub bytes: Vec<u8>,
    /// The kfuncs that its programs call, in the order of its BTF.
    pub kfuncs: Vec<Kfunc>,
}

impl BpfObject {
    /// Reads the file at `path`.
    ///
    /// Fails, saying what the file is instead, for everything but a little-endian 64-bit
    /// relocatable BPF object with BTF.
    pub fn open(path: &Path) -> Result<BpfObject> {
        let bytes = read(path).with_context(|| format!("failed to read {}", path.display()))?;
        let kfuncs =
            kfuncs(&bytes).with_context(|| format!("failed to read {}", path.display()))?;
        Ok(BpfObject { path: path.to_owned(), bytes, kfuncs })
    }

    /// The name that libbpf derives names of maps from: the file's, up to its first dot.
    pub fn name(&self) -> String {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        name.split('.').next().unwrap_or_default().to_owned()
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    // Asked before the file is opened: opening a FIFO would wait for its other end.
    ensure!(fs::metadata(path)?.is_file(), "not a regular file");
    let mut file = File::open(path)?;
    let mut bytes = Vec::new();
    (&mut file).take(IDENT_LEN as u64).read_to_end(&mut bytes)?;
    check_ident(&bytes)?;
    file.take(SIZE_MAX).read_to_end(&mut bytes)?;
    ensure!(
        (bytes.len() as u64) < SIZE_MAX,
        "the file is larger than any BPF object ({} MiB or more)",
        SIZE_MAX >> 20
    );
    Ok(bytes)
}

/// Says what the file is if it is no BPF object that this machine's kernel could load.
fn check_ident(ident: &[u8]) -> Result<()> {
    const COMPILE: &str = "compile it with clang --target=bpfel -g -O2 -c";
    ensure!(!ident.is_empty(), "the file is empty");
    ensure!(ident.starts_with(&elf::ELFMAG), "not an ELF file, so not a BPF object");
    ensure!(ident.len() == IDENT_LEN, "the file is cut off within its ELF header");
    let machine = [ident[18], ident[19]];
    let (machine, order) = match elf::DataEncoding(ident[5]) {
        elf::ELFDATA2LSB => (u16::from_le_bytes(machine), "little"),
        elf::ELFDATA2MSB => (u16::from_be_bytes(machine), "big"),
        other => bail!("the ELF header has the unknown byte order {}", other.0),
    };
    if elf::Machine(machine) != elf::EM_BPF {
        bail!("an ELF file for {}, not a BPF object; {COMPILE}", machine_name(machine));
    }
    ensure!(
        elf::FileClass(ident[4]) == elf::ELFCLASS64,
        "a 32-bit ELF file; BPF objects are 64-bit; {COMPILE}"
    );
    ensure!(order == "little", "a big-endian BPF object, this machine is little-endian; {COMPILE}");
    Ok(())
}

fn machine_name(machine: u16) -> String {
    match elf::Machine(machine) {
        elf::EM_X86_64 => "x86-64".into(),
        elf::EM_386 => "x86".into(),
        elf::EM_AARCH64 => "arm64".into(),
        elf::EM_ARM => "arm".into(),
        elf::EM_RISCV => "RISC-V".into(),
        elf::EM_S390 => "s390".into(),
        elf::EM_PPC64 => "PowerPC".into(),
        other => format!("machine {}", other.0),
    }
}

/// The kfuncs that the object's BTF lists.
fn kfuncs(bytes: &[u8]) -> Result<Vec<Kfunc>> {
    let file = ElfFile64::<LittleEndian>::parse(bytes).context("failed to read the ELF headers")?;
    let kind = file.elf_header().e_type(LittleEndian);
    ensure!(
        kind == elf::ET_REL,
        "not a relocatable object (ELF type {}); give it to the loader unlinked",
        kind.0
    );
    let Some(section) = file.section_by_name(BTF_SECTION) else {
        bail!("the object has no section {BTF_SECTION}; compile it with -g (and do not strip it)")
    };
    let context = || format!("failed to read section {BTF_SECTION}");
    let data = section.data().with_context(context)?;
    let names = extern_functions(data).with_context(context)?;
    let weak: HashMap<&str, bool> = file
        .symbols()
        .filter(|symbol| symbol.is_undefined())
        .filter_map(|symbol| Some((symbol.name().ok()?, symbol.is_weak())))
        .collect();
    let kfunc = |name: String| Kfunc {
        weak: weak.get(name.as_str()).copied().unwrap_or(false),
        name: essential_name(&name).to_owned(),
    };
    Ok(names.into_iter().map(kfunc).collect())
}

/// The functions in the BTF's section [`KSYMS`].
fn extern_functions(btf: &[u8]) -> Result<Vec<String>> {
    let mut functions = HashMap::<TypeId, String>::new();
    let mut wanted = Vec::new();
    for item in Btf::parse(btf)?.types() {
        match item? {
            (id, Type::Func { name, linkage: Linkage::Extern, .. }) => {
                functions.insert(id, name.into_owned());
            }
            (_, Type::Datasec { name, vars, .. }) if name == KSYMS => {
                wanted.extend(vars.into_iter().map(|(id, ..)| id));
            }
            _ => {}
        }
    }
    Ok(wanted.iter().filter_map(|id| functions.remove(id)).collect())
}

/// The name without its flavor: libbpf takes `name___anything` for `name`.
fn essential_name(name: &str) -> &str {
    let is_separator = |window: &[u8]| matches!(window, [before, b'_', b'_', b'_', after] if *before != b'_' && *after != b'_');
    let separator = name.as_bytes().windows(5).rposition(is_separator);
    separator.and_then(|at| name.get(..=at)).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ufunc_gen::btf::Name;
    use ufunc_gen::btf::encode::Encoded;

    /// The first bytes of an ELF file.
    fn ident(class: u8, order: u8, machine: [u8; 2]) -> Vec<u8> {
        let mut ident = b"\x7fELF".to_vec();
        ident.extend([class, order]);
        ident.resize(18, 0);
        ident.extend(machine);
        ident
    }

    #[test]
    fn other_files_are_named_for_what_they_are() {
        let error = |bytes: &[u8]| check_ident(bytes).unwrap_err().to_string();
        assert!(check_ident(&ident(2, 1, [247, 0])).is_ok());
        assert!(error(b"").contains("empty"));
        assert!(error(b"#!/bin/sh").contains("not an ELF file"));
        assert!(error(b"\x7fELF").contains("cut off"));
        assert!(error(&ident(2, 1, [62, 0])).contains("for x86-64"));
        assert!(error(&ident(2, 1, [1, 2])).contains("machine 513"));
        assert!(error(&ident(1, 1, [247, 0])).contains("32-bit"));
        assert!(error(&ident(2, 2, [0, 247])).contains("big-endian"));
        assert!(error(&ident(2, 9, [247, 0])).contains("byte order 9"));
    }

    #[test]
    fn flavors_are_dropped_as_libbpf_drops_them() {
        let names =
            ["my_alloc", "my_alloc___v2", "a___b___c", "___x", "x___", "a____b", "a___b____c"];
        let expected = ["my_alloc", "my_alloc", "a___b", "___x", "x___", "a____b", "a"];
        assert_eq!(names.map(essential_name), expected);
    }

    #[test]
    fn only_functions_of_the_ksyms_section_count() {
        let func = |name: &'static str, linkage| Type::Func {
            name: Name::from(name),
            proto: TypeId(1),
            linkage,
        };
        let types = [
            Type::FuncProto { ret: TypeId::VOID, params: Vec::new() },
            func("lent", Linkage::Extern),
            func("own", Linkage::Global),
            Type::Datasec {
                name: Name::from(KSYMS),
                size: 0,
                vars: vec![(TypeId(2), 0, 0), (TypeId(3), 0, 0), (TypeId(9), 0, 0)],
            },
        ];
        let bytes = Encoded::new(&types, 0).unwrap().to_bytes().unwrap();
        assert_eq!(extern_functions(&bytes).unwrap(), ["lent"]);
    }
}
