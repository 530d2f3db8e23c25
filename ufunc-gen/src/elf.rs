// SPDX-License-Identifier: MIT OR Apache-2.0
//! The application's ELF file: its symbols, build-id and notes.

use std::fs::{self, File};
use std::io;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use hashbrown::HashMap;
use memmap2::{Advice, Mmap, MmapOptions};
use object::read::elf::{ElfFile, FileHeader, SectionHeader as _};
use object::{Endianness, Object as _, ObjectKind, ObjectSymbol as _, SymbolKind};

use crate::debugfile::layout::Layout;
use crate::metadata::BuildId;

/// A file in memory, from which a [`Host`] borrows.
#[derive(Debug)]
pub struct HostFile {
    path: PathBuf,
    map: Mmap,
}

impl HostFile {
    /// Maps the file at `path`.
    ///
    /// Fails for what cannot be mapped: a missing file, a directory, an empty file.
    pub fn open(path: &Path) -> Result<Self> {
        let open = || -> Result<Mmap> {
            // Asked before it is opened: opening a pipe would wait for somebody to write to it.
            ensure!(fs::metadata(path)?.is_file(), "not a regular file");
            let file = File::open(path)?;
            let kind = file.metadata()?;
            ensure!(kind.is_file(), "not a regular file");
            ensure!(kind.len() > 0, "the file is empty");
            // SAFETY: the map is private and read-only, and nothing in this process writes to the
            // file. Another process that changes it meanwhile changes bytes which are untrusted
            // anyway; one that truncates it ends this process by SIGBUS, as it would end every
            // other reader of ELF files that maps them.
            // (A private one is what the kernel wants for its own types.)
            Ok(unsafe { MmapOptions::new().map_copy_read_only(&file)? })
        };
        let map = open().with_context(|| format!("failed to read {}", path.display()))?;
        Ok(HostFile { path: path.to_owned(), map })
    }

    /// Reads the ELF headers.
    pub fn parse(&self) -> Result<Host<'_>> {
        Host::parse(&self.path, &self.map)
    }

    /// Has the kernel map `part` of the file at once, which takes less time than page by page while
    /// it is read. What is no part of it is left alone.
    pub fn map_now(&self, part: &[u8]) {
        let offset = part.as_ptr().addr().checked_sub(self.map.as_ptr().addr());
        let is_inside = |offset: &usize| {
            offset.checked_add(part.len()).is_some_and(|end| end <= self.map.len())
        };
        if let Some(offset) = offset.filter(is_inside) {
            // Kernels before Linux 5.14 do not know how.
            let _ = self.map.advise_range(Advice::PopulateRead, offset, part.len());
        }
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.map
    }
}

/// The bytes of a file.
#[derive(Debug)]
pub enum FileBytes {
    /// Mapped, which takes no time however long it is.
    Mapped(HostFile),
    /// Read: not every file can be mapped, and the kernel's own types only since Linux 6.16.
    Read(Vec<u8>),
}

impl FileBytes {
    /// Those of the file at `path`.
    pub fn of(path: &Path) -> io::Result<Self> {
        match HostFile::open(path) {
            Ok(file) => Ok(FileBytes::Mapped(file)),
            Err(_) => fs::read(path).map(FileBytes::Read),
        }
    }
}

impl Deref for FileBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            FileBytes::Mapped(file) => file.bytes(),
            FileBytes::Read(bytes) => bytes,
        }
    }
}

/// Reads the ELF headers of `data`, which `shown` names in messages.
///
/// Fails for anything but ELF.
pub(crate) fn parse_elf<'a>(shown: &str, data: &'a [u8]) -> Result<object::File<'a>> {
    ensure!(data.starts_with(&object::elf::ELFMAG), "{shown} is not an ELF file");
    let class = match data.get(4).map(|&class| object::elf::FileClass(class)) {
        Some(object::elf::ELFCLASS32) => "32-bit",
        Some(object::elf::ELFCLASS64) => "64-bit",
        _ => bail!("{shown} has an unknown ELF class"),
    };
    object::File::parse(data).with_context(|| {
        let order = match data.get(5).map(|&order| object::elf::DataEncoding(order)) {
            Some(object::elf::ELFDATA2LSB) => ", little-endian",
            Some(object::elf::ELFDATA2MSB) => ", big-endian",
            _ => "",
        };
        format!("failed to read the ELF headers of {shown} ({class}{order})")
    })
}

/// A note in a `SHT_NOTE` section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Note<'a> {
    /// Owner, without its NUL.
    pub name: &'a [u8],
    /// Type, whose meaning the owner gives.
    pub kind: u32,
    /// Contents.
    pub desc: &'a [u8],
}

/// The application's ELF file, its headers read.
#[derive(Debug)]
pub struct Host<'a> {
    path: PathBuf,
    elf: object::File<'a>,
    data: &'a [u8],
}

impl<'a> Host<'a> {
    /// Reads the ELF headers of `data`; `path` is for messages and the host's name.
    ///
    /// Any ELF file will do: 32- and 64-bit, of either byte order, linked or not. Whether a module
    /// can be made for it is another question: see [`Host::require_extendable`].
    pub fn parse(path: &Path, data: &'a [u8]) -> Result<Self> {
        let elf = parse_elf(&path.display().to_string(), data)?;
        Ok(Host { path: path.to_owned(), elf, data })
    }

    /// Fails for anything but a 64-bit little-endian executable or shared object, which is what
    /// the kernels that verify extensions can run.
    pub fn require_extendable(&self) -> Result<()> {
        let shown = self.path.display();
        ensure!(self.elf.is_64(), "{shown} is a 32-bit ELF file, hosts are 64-bit applications");
        ensure!(
            self.elf.is_little_endian(),
            "{shown} is a big-endian ELF file, hosts are little-endian applications"
        );
        match elf_type(&self.elf) {
            object::elf::ET_EXEC | object::elf::ET_DYN => Ok(()),
            object::elf::ET_REL => bail!(
                "{shown} is a relocatable object, which has no addresses yet; give the linked executable or shared object"
            ),
            other => {
                bail!("{shown} has ELF type {other}, neither an executable nor a shared object")
            }
        }
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file's name without its folder.
    pub fn name(&self) -> String {
        let name = self.path.file_name().unwrap_or(self.path.as_os_str());
        name.to_string_lossy().into_owned()
    }

    /// The parsed file, for reading its sections.
    pub fn elf(&self) -> &object::File<'a> {
        &self.elf
    }

    /// The bytes of the whole file.
    pub fn bytes(&self) -> &'a [u8] {
        self.data
    }

    /// Size of the whole file in bytes.
    pub fn len(&self) -> usize {
        self.data.len()
    }

    /// Whether the file has no bytes at all (it then did not parse).
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// The GNU build-id, which ties a module to this very build.
    ///
    /// Fails if there is none: then nothing could tell later whether a module fits.
    pub fn build_id(&self) -> Result<BuildId> {
        let id = self
            .elf
            .build_id()
            .with_context(|| format!("failed to read the build-id of {}", self.path.display()))?;
        match id {
            Some(id) if !id.is_empty() => Ok(BuildId(id.to_owned())),
            _ => bail!(
                "{} has no build-id, so a module could not be tied to it; link it with -Wl,--build-id",
                self.path.display()
            ),
        }
    }

    /// All notes in sections named `section`.
    pub fn notes(&self, section: &str) -> Result<Vec<Note<'a>>> {
        let found = match &self.elf {
            object::File::Elf32(elf) => notes(elf, section),
            object::File::Elf64(elf) => notes(elf, section),
            _ => Ok(Vec::new()),
        };
        found
            .with_context(|| format!("failed to read section {section} of {}", self.path.display()))
    }

    /// Functions that have code in this file, by name, from `.symtab` and `.dynsym`. A name may
    /// stand for several static functions.
    ///
    /// The sections of a relocatable object have no addresses; they are given some, one after the
    /// other, and its debug information is read with the same ones.
    pub fn functions(&self) -> Functions<'a> {
        let mut functions = HashMap::new();
        add_functions(&mut functions, &self.elf);
        functions
    }
}

/// Functions that have code, by name.
pub type Functions<'a> = HashMap<&'a [u8], Vec<FunctionSymbol>>;

/// Adds the functions that `elf` has symbols for.
pub(crate) fn add_functions<'a>(functions: &mut Functions<'a>, elf: &object::File<'a>) {
    let layout = Layout::new(elf);
    for symbol in elf.symbols().chain(elf.dynamic_symbols()) {
        if symbol.kind() != SymbolKind::Text || !symbol.is_definition() {
            continue;
        }
        // A name that cannot be read belongs to a damaged symbol; such a function cannot be
        // asked for by name, and is reported as missing if it is.
        let Ok(name) = symbol.name_bytes() else { continue };
        let base = symbol.section_index().map_or(0, |section| layout.base(section));
        let address = symbol.address().wrapping_add(base);
        let found = FunctionSymbol { address, local: symbol.is_local() };
        let namesakes = functions.entry(name).or_default();
        if !namesakes.contains(&found) {
            namesakes.push(found);
        }
    }
}

/// The type of an ELF file: `ET_EXEC` and so on.
fn elf_type(elf: &object::File<'_>) -> object::elf::FileType {
    match elf {
        object::File::Elf32(elf) => elf.elf_header().e_type(elf.endian()),
        object::File::Elf64(elf) => elf.elf_header().e_type(elf.endian()),
        _ => object::elf::ET_NONE,
    }
}

/// The machine that `elf` is for: `EM_X86_64` and so on.
pub(crate) fn machine(elf: &object::File<'_>) -> object::elf::Machine {
    match elf {
        object::File::Elf32(elf) => elf.elf_header().e_machine(elf.endian()),
        object::File::Elf64(elf) => elf.elf_header().e_machine(elf.endian()),
        _ => object::elf::EM_NONE,
    }
}

/// Whether the linker has not given the sections of `elf` their places yet.
pub(crate) fn is_relocatable(elf: &object::File<'_>) -> bool {
    elf.kind() == ObjectKind::Relocatable
}

fn notes<'a, Elf>(elf: &ElfFile<'a, Elf>, section: &str) -> Result<Vec<Note<'a>>>
where
    Elf: FileHeader<Endian = Endianness>,
{
    let endian = elf.endian();
    let table = elf.elf_section_table();
    let mut found = Vec::new();
    for header in table.iter() {
        if table.section_name(endian, header).ok() != Some(section.as_bytes()) {
            continue;
        }
        let Some(mut notes) = header.notes(endian, elf.data())? else {
            bail!("it is not a note section")
        };
        while let Some(note) = notes.next()? {
            found.push(Note { name: note.name(), kind: note.n_type(endian).0, desc: note.desc() });
        }
    }
    Ok(found)
}

/// A symbol that stands for a function's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FunctionSymbol {
    /// Where the code is, before relocation.
    pub address: u64,
    /// Whether only its own file (or, with link-time optimisation, program) can refer to it.
    pub local: bool,
}
