// SPDX-License-Identifier: MIT OR Apache-2.0
//! The application's ELF file: its symbols, build-id and notes.

use std::collections::HashMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use memmap2::Mmap;
use object::read::elf::{ElfFile64, FileHeader as _, SectionHeader as _};
use object::{Endianness, Object as _, ObjectSymbol as _, SymbolKind};

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
            Ok(unsafe { Mmap::map(&file)? })
        };
        let map = open().with_context(|| format!("failed to read {}", path.display()))?;
        Ok(HostFile { path: path.to_owned(), map })
    }

    /// Reads the ELF headers.
    pub fn parse(&self) -> Result<Host<'_>> {
        Host::parse(&self.path, &self.map)
    }
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
    elf: ElfFile64<'a, Endianness>,
    data: &'a [u8],
}

impl<'a> Host<'a> {
    /// Reads the ELF headers of `data`; `path` is for messages and the host's name.
    ///
    /// Fails for anything but a 64-bit little-endian executable or shared object, which is what
    /// the kernels that verify extensions can run.
    pub fn parse(path: &Path, data: &'a [u8]) -> Result<Self> {
        let shown = path.display();
        ensure!(data.starts_with(&object::elf::ELFMAG), "{shown} is not an ELF file");
        match data.get(4).map(|&class| object::elf::FileClass(class)) {
            Some(object::elf::ELFCLASS64) => {}
            Some(object::elf::ELFCLASS32) => {
                bail!("{shown} is a 32-bit ELF file, hosts are 64-bit applications")
            }
            _ => bail!("{shown} has an unknown ELF class"),
        }
        ensure!(
            data.get(5) != Some(&object::elf::ELFDATA2MSB.0),
            "{shown} is a big-endian ELF file, hosts are little-endian applications"
        );
        let elf = ElfFile64::<Endianness>::parse(data)
            .with_context(|| format!("failed to read the ELF headers of {shown}"))?;
        let kind = elf.elf_header().e_type(elf.endian());
        match kind {
            object::elf::ET_EXEC | object::elf::ET_DYN => {}
            object::elf::ET_REL => bail!(
                "{shown} is a relocatable object, which has no addresses yet; give the linked executable or shared object"
            ),
            other => {
                bail!("{shown} has ELF type {other}, neither an executable nor a shared object")
            }
        }
        Ok(Host { path: path.to_owned(), elf, data })
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
    pub fn elf(&self) -> &ElfFile64<'a, Endianness> {
        &self.elf
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
        let endian = self.elf.endian();
        let table = self.elf.elf_section_table();
        let mut found = Vec::new();
        for header in table.iter() {
            if table.section_name(endian, header).ok() != Some(section.as_bytes()) {
                continue;
            }
            let context = || format!("failed to read section {section} of {}", self.path.display());
            let notes = header.notes(endian, self.data).with_context(context)?;
            let Some(mut notes) = notes else {
                bail!("section {section} of {} is not a note section", self.path.display())
            };
            while let Some(note) = notes.next().with_context(context)? {
                found.push(Note {
                    name: note.name(),
                    kind: note.n_type(endian).0,
                    desc: note.desc(),
                });
            }
        }
        Ok(found)
    }

    /// Functions that have code in this file, by name, from `.symtab` and `.dynsym`. A name may
    /// stand for several static functions.
    pub fn functions(&self) -> HashMap<&'a [u8], Vec<FunctionSymbol>> {
        let mut functions = HashMap::<&[u8], Vec<FunctionSymbol>>::new();
        for symbol in self.elf.symbols().chain(self.elf.dynamic_symbols()) {
            if symbol.kind() != SymbolKind::Text || !symbol.is_definition() {
                continue;
            }
            // A name that cannot be read belongs to a damaged symbol; such a function cannot be
            // asked for by name, and is reported as missing if it is.
            let Ok(name) = symbol.name_bytes() else { continue };
            let found = FunctionSymbol { address: symbol.address(), local: symbol.is_local() };
            let namesakes = functions.entry(name).or_default();
            if !namesakes.contains(&found) {
                namesakes.push(found);
            }
        }
        functions
    }
}

/// A symbol that stands for a function's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FunctionSymbol {
    /// Where the code is, before relocation.
    pub address: u64,
    /// Whether only its own file (or, with link-time optimisation, program) can refer to it.
    pub local: bool,
}
