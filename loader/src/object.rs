// SPDX-License-Identifier: MIT OR Apache-2.0
//! The BPF object: checked before libbpf sees it, and the kfuncs that it needs.

pub(crate) mod ext;
mod rename;

use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use object::elf;
use object::read::elf::{ElfFile64, FileHeader as _};
use object::{LittleEndian, Object as _, ObjectSection as _, ObjectSymbol as _};
use ufunc_gen::btf::decode::Btf;
use ufunc_gen::btf::merge::essential;
use ufunc_gen::btf::{Linkage, Type, TypeId};
use ufunc_gen::kernel::BTF_SECTION;
use ufunc_gen::relocation::{TypeName, class_of, is_context};

use crate::probe::is_user_probe;

/// No BPF object comes near this size; reading a larger file would only take the memory.
const SIZE_MAX: u64 = 256 << 20;
/// Section in an object's BTF that lists what the kernel has to provide.
pub(crate) const KSYMS: &str = ".ksyms";
/// Section that says, among other things, which instructions are to be fitted to types (CO-RE).
pub(crate) const BTF_EXT_SECTION: &str = ".BTF.ext";
/// Section that names the license, which some functions ask for.
const LICENSE_SECTION: &str = "license";
/// Section of subprograms, which any program of the object may call.
pub(crate) const SUBPROGRAMS: &str = ".text";
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
#[derive(Clone, Debug)]
pub struct BpfObject {
    /// Where the file is.
    pub path: PathBuf,
    /// What is in it.
    pub bytes: Vec<u8>,
    /// The kfuncs that its programs call, in the order of its BTF.
    pub kfuncs: Vec<Kfunc>,
    /// Its BTF.
    pub btf: Vec<u8>,
    /// Whether it says under which license it is.
    pub has_license: bool,
    /// What its programs on applications' probes are fitted to.
    pub fitting: Fitting,
    /// What the names of some kfuncs begin with in `bytes` alone.
    prefix: String,
}

/// What programs on applications' probes are fitted to (CO-RE).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fitting {
    /// The types at which their relocations begin, and other than their context's.
    pub types: BTreeSet<TypeName>,
    /// The types of their context, which is the kernel's.
    pub context: BTreeSet<TypeName>,
    /// Whether they ask for the numbers by which the kernel knows its types.
    pub kernel_ids: bool,
    /// Their sections.
    pub sections: BTreeSet<String>,
}

impl BpfObject {
    /// Reads the file at `path`.
    ///
    /// Fails, saying what the file is instead, for everything but a little-endian 64-bit
    /// relocatable BPF object with BTF.
    pub fn open(path: &Path) -> Result<BpfObject> {
        let bytes = read(path).with_context(|| format!("failed to read {}", path.display()))?;
        let context = || format!("failed to read {}", path.display());
        let file = parse(&bytes).with_context(context)?;
        let btf = btf(&file).with_context(context)?;
        let kfuncs = kfuncs(&file, &btf).with_context(context)?;
        // libbpf ignores a section that it cannot read, and so does this.
        let fitting = fitting(&file, &btf).unwrap_or_default();
        let has_license = file.section_by_name(LICENSE_SECTION).is_some();
        let (path, prefix) = (path.to_owned(), String::new());
        Ok(BpfObject { path, kfuncs, btf, has_license, fitting, bytes, prefix })
    }

    /// The same object, which calls the kfuncs that `is_meant` by names that begin with `prefix`.
    /// The prefix has to be one that nothing else begins with.
    pub(crate) fn renamed(&self, prefix: &str, is_meant: &dyn Fn(&str) -> bool) -> Result<Self> {
        let name = |name: &str| is_meant(essential(name)).then(|| format!("{prefix}{name}"));
        let bytes = rename::externs(&self.bytes, name).with_context(|| {
            format!("failed to have {} call functions by other names", self.path.display())
        })?;
        Ok(BpfObject { bytes, prefix: prefix.to_owned(), ..self.clone() })
    }

    /// What libbpf or the kernel says of the object, in its own names.
    pub(crate) fn in_own_names(&self, text: String) -> String {
        if self.prefix.is_empty() { text } else { text.replace(&self.prefix, "") }
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
    let len = file.metadata()?.len().min(SIZE_MAX) as usize;
    let mut bytes = Vec::with_capacity(len + 1);
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
        bail!(
            "an ELF file for {}, not a BPF object; {COMPILE}",
            machine_name(elf::Machine(machine))
        );
    }
    ensure!(
        elf::FileClass(ident[4]) == elf::ELFCLASS64,
        "a 32-bit ELF file; BPF objects are 64-bit; {COMPILE}"
    );
    ensure!(order == "little", "a big-endian BPF object, this machine is little-endian; {COMPILE}");
    Ok(())
}

/// What a machine is called.
pub(crate) fn machine_name(machine: elf::Machine) -> String {
    match machine {
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

/// A BPF object's ELF file.
type BpfFile<'a> = ElfFile64<'a, LittleEndian>;

fn parse(bytes: &[u8]) -> Result<BpfFile<'_>> {
    let file = BpfFile::parse(bytes).context("failed to read the ELF headers")?;
    let kind = file.elf_header().e_type(LittleEndian);
    ensure!(
        kind == elf::ET_REL,
        "not a relocatable object (ELF type {}); give it to the loader unlinked",
        kind.0
    );
    Ok(file)
}

/// The object's BTF.
fn btf(file: &BpfFile<'_>) -> Result<Vec<u8>> {
    let Some(section) = file.section_by_name(BTF_SECTION) else {
        bail!("the object has no section {BTF_SECTION}; compile it with -g (and do not strip it)")
    };
    let data = section.data().with_context(|| format!("failed to read section {BTF_SECTION}"))?;
    Ok(data.to_owned())
}

/// The kfuncs that the object's BTF lists.
fn kfuncs(file: &BpfFile<'_>, btf: &[u8]) -> Result<Vec<Kfunc>> {
    let names =
        extern_functions(btf).with_context(|| format!("failed to read section {BTF_SECTION}"))?;
    let weak: HashMap<&str, bool> = file
        .symbols()
        .filter(|symbol| symbol.is_undefined())
        .filter_map(|symbol| Some((symbol.name().ok()?, symbol.is_weak())))
        .collect();
    let kfunc = |name: String| Kfunc {
        weak: weak.get(name.as_str()).copied().unwrap_or(false),
        name: essential(&name).to_owned(),
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

/// What the relocations of programs on applications' probes ask for.
fn fitting(file: &BpfFile<'_>, btf: &[u8]) -> Result<Fitting> {
    let names = file.sections().filter_map(|section| section.name().ok().map(str::to_owned));
    let sections: BTreeSet<String> = names.filter(|name| is_user_probe(name)).collect();
    let mut fitting = Fitting { sections, ..Fitting::default() };
    let Some(section) = file.section_by_name(BTF_EXT_SECTION) else { return Ok(fitting) };
    if fitting.sections.is_empty() {
        return Ok(fitting);
    }
    let relocations = relocations(section.data()?, btf).context("a section is cut off")?;
    let roots: BTreeSet<TypeId> = relocations.iter().map(|relocation| relocation.ty).collect();
    fitting.kernel_ids = relocations.iter().any(|relocation| relocation.kind == TYPE_ID_TARGET);
    for item in Btf::parse(btf)?.types() {
        let (id, ty) = item?;
        let name = essential(ty.name());
        let Some(class) = class_of(ty.kind()).filter(|_| roots.contains(&id) && !name.is_empty())
        else {
            continue;
        };
        let types = if is_context(name) { &mut fitting.context } else { &mut fitting.types };
        types.insert((class, name.to_owned()));
    }
    Ok(fitting)
}

/// A CO-RE relocation, as far as it matters here.
struct Relocation {
    /// The type at which it begins.
    ty: TypeId,
    /// What it asks for, `enum bpf_core_relo_kind` in the kernel's `include/uapi/linux/bpf.h`.
    kind: u32,
}

/// `BPF_CORE_TYPE_ID_TARGET`
const TYPE_ID_TARGET: u32 = 7;

/// The relocations of programs on applications' probes in `ext`, a [`BTF_EXT_SECTION`]; `None` if
/// it is cut off.
fn relocations(ext: &[u8], btf: &[u8]) -> Option<Vec<Relocation>> {
    let mut found = Vec::new();
    for (section, record) in ext::records(ext, btf, &ext::RELOCATIONS)? {
        if is_user_probe(&section) || section == SUBPROGRAMS {
            // The instruction, the type, how to go on from there, what is asked for.
            found.push(Relocation {
                ty: TypeId(ext::word(record, 4)?),
                kind: ext::word(record, 12)?,
            });
        }
    }
    Some(found)
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// An object without anything in it.
    pub(crate) fn object() -> BpfObject {
        BpfObject {
            path: "empty.bpf.o".into(),
            bytes: Vec::new(),
            kfuncs: Vec::new(),
            btf: Vec::new(),
            has_license: true,
            fitting: Fitting::default(),
            prefix: String::new(),
        }
    }
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
        assert_eq!(names.map(essential), expected);
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
