// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where an application's debug information is, and its bytes.
//!
//! It may be in the application's own ELF file, in a separate one that was split off, shared in
//! parts by several applications (`dwz -m`), or left in the compiler's `.dwo` files. Its sections
//! may be compressed, and those of objects that are not linked yet lack what relocations fill in.
//! What comes out of here is none of that: plain bytes, in the byte order of the file.
//!
//! 1. [`DebugFiles::find`] finds the files and maps them.
//! 2. [`DebugFiles::load`] gives the sections, decompressed and relocated: [`DebugSections`].
//! 3. [`DwoFiles::find`] does both for what the units of those leave to `.dwo` files and packages.
//!
//! ```text
//! Host ──find──▶ DebugFiles ──load──▶ DebugSections ──▶ gimli::Dwarf, .sup()
//!                     │                     │ skeleton units
//!                     └──────────────▶ DwoFiles ──▶ gimli::Dwarf of each .dwo
//! ```
//!
//! Nothing in here trusts a file: sizes, names and offsets may be anything. Whatever file is opened,
//! it is a regular one, and only read.

mod decompress;
mod dwo;
mod find;
mod image;
pub(crate) mod layout;
mod link;
mod package;
pub(crate) mod parallel;
mod relocate;
pub mod sections;

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use gimli::{DebugLine, Section as _, SectionId};
use object::Object as _;

use crate::elf::{Functions, Host, HostFile, add_functions, parse_elf};
use image::{Bytes, Image, Naming, has_entries};
use sections::Sections;

pub use dwo::{DwoFiles, DwoPart, MissingDwo, Skeleton};

/// Debug sections are read through this. Their byte order is known at run time only.
pub type Reader<'a> = gimli::EndianSlice<'a, gimli::RunTimeEndian>;

/// Where distributions install separate debug files.
const SYSTEM_DEBUG_DIR: &str = "/usr/lib/debug";

/// Where separate debug files are looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    /// Folders that are laid out like `/usr/lib/debug`; the first that has a file wins.
    pub debug_dirs: Vec<PathBuf>,
}

impl Default for Search {
    /// `/usr/lib/debug` alone.
    fn default() -> Self {
        Search { debug_dirs: vec![SYSTEM_DEBUG_DIR.into()] }
    }
}

impl Search {
    /// The folders `first`, then `/usr/lib/debug`.
    pub fn new(first: impl IntoIterator<Item = PathBuf>) -> Self {
        let mut search = Search { debug_dirs: first.into_iter().collect() };
        search.debug_dirs.extend(Search::default().debug_dirs);
        search
    }
}

/// The files that hold a host's debug information, mapped: its own or its separate debug file, and
/// the one that supplements it (`dwz -m`).
#[derive(Debug)]
pub struct DebugFiles<'a> {
    path: PathBuf,
    main: Bytes<'a>,
    naming: Naming,
    supplementary: Option<HostFile>,
}

impl<'a> DebugFiles<'a> {
    /// Finds the files of `host`.
    ///
    /// The host itself, if it has a `.debug_info`; else a file in `search` by its build-id; else the
    /// one that its `.gnu_debuglink` names, in the same folder, in `.debug` below it, or in `search`.
    /// What is found is of the same build: its build-id and checksum are compared.
    ///
    /// Fails if there is none, with everything that was tried, and if the file needs another one
    /// (`.gnu_debugaltlink`, `.debug_sup`) that is not there.
    pub fn find(host: &Host<'a>, search: &Search) -> Result<DebugFiles<'a>> {
        let own = |naming| (host.path().to_owned(), Bytes::Borrowed(host.bytes()), naming);
        let (path, main, naming) = if has_entries(host.elf(), Naming::Whole) {
            own(Naming::Whole)
        } else if has_entries(host.elf(), Naming::Split) {
            if host.elf().section_by_name(SectionId::DebugCuIndex.name()).is_some() {
                bail!(
                    "{} is a package of .dwo files; give the application that it belongs to",
                    host.path().display()
                );
            }
            own(Naming::Split)
        } else {
            let file = find::separate(host, search)?;
            (file.path().to_owned(), Bytes::Mapped(file), Naming::Whole)
        };
        let supplementary = find::supplementary(&path, main.as_slice(), search)?;
        Ok(DebugFiles { path, main, naming, supplementary })
    }

    /// The file with the debug information: the host, or its separate debug file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the debug information is in another file than the host.
    pub fn is_separate(&self) -> bool {
        matches!(self.main, Bytes::Mapped(_))
    }

    /// The file that supplements it, if there is one.
    pub fn supplementary_path(&self) -> Option<&Path> {
        self.supplementary.as_ref().map(HostFile::path)
    }

    /// Functions that have code in `host`, by name: from its own symbols, and those that the
    /// separate debug file has kept of a host that was stripped.
    pub fn functions<'s>(&'s self, host: &Host<'s>) -> Result<Functions<'s>> {
        let mut functions = host.functions();
        if self.is_separate() {
            add_functions(&mut functions, &parse_elf(&self.shown(), self.main.as_slice())?);
        }
        Ok(functions)
    }

    /// Where variables of `host` can be: its sections, or those that its separate debug file has kept.
    pub fn sections<'s>(&'s self, host: &Host<'s>) -> Result<Sections<'s>> {
        if !self.is_separate() {
            return Ok(Sections::of(&[host.elf()]));
        }
        let separate = parse_elf(&self.shown(), self.main.as_slice())?;
        Ok(Sections::of(&[host.elf(), &separate]))
    }

    /// Loads the sections, decompressed and relocated.
    ///
    /// Fails, naming file and section, if one of them is damaged.
    pub fn load(&self) -> Result<DebugSections<'_>> {
        let main = Image::new(Bytes::Borrowed(self.main.as_slice()), self.shown(), self.naming)?;
        main.load_essential(true)?;
        main.require_entries()?;
        let supplementary = match &self.supplementary {
            Some(file) => {
                let shown = file.path().display().to_string();
                let image = Image::new(Bytes::Borrowed(file.bytes()), shown, Naming::Whole)?;
                image.load_essential(true)?;
                Some(image)
            }
            None => None,
        };
        Ok(DebugSections { main, supplementary })
    }

    /// Has the kernel map what who reads all entries of `sections` is about to read. They are those
    /// of the host `file`.
    pub fn map_entries(&self, file: &HostFile, sections: &DebugSections<'_>) {
        let separate = match &self.main {
            Bytes::Mapped(file) => Some(file),
            Bytes::Borrowed(_) => None,
        };
        for dwarf in [Some(sections.main()), sections.supplementary()].into_iter().flatten() {
            let (info, abbreviations) = (dwarf.debug_info.reader(), dwarf.debug_abbrev.reader());
            for section in [info, abbreviations, dwarf.debug_str.reader()] {
                let files = [Some(file), separate, self.supplementary.as_ref()];
                files.into_iter().flatten().for_each(|file| file.map_now(section.slice()));
            }
        }
    }

    fn shown(&self) -> String {
        self.path.display().to_string()
    }
}

/// The debug sections of a host, decompressed and relocated.
///
/// Line tables are not among them until they are asked for: they are long, and few need them.
#[derive(Debug)]
pub struct DebugSections<'a> {
    main: Image<'a>,
    supplementary: Option<Image<'a>>,
}

impl DebugSections<'_> {
    /// The host's debug information, with the supplementary file's as its `sup`, without line
    /// tables: `.debug_line` is empty, so `Dwarf::unit` fails for units that have one. See
    /// [`DebugSections::main_lines`].
    pub fn main(&self) -> gimli::Dwarf<Reader<'_>> {
        let mut dwarf = self.main.dwarf();
        if let Some(supplementary) = self.supplementary() {
            dwarf.set_sup(supplementary);
        }
        dwarf
    }

    /// What several hosts share: units of its own that those of [`DebugSections::main`] refer to.
    pub fn supplementary(&self) -> Option<gimli::Dwarf<Reader<'_>>> {
        self.supplementary.as_ref().map(Image::dwarf)
    }

    /// The line tables of [`DebugSections::main`], decompressed now if need be.
    pub fn main_lines(&self) -> Result<DebugLine<Reader<'_>>> {
        self.main.section(SectionId::DebugLine).map(DebugLine::from)
    }

    /// The line tables of [`DebugSections::supplementary`].
    pub fn supplementary_lines(&self) -> Result<DebugLine<Reader<'_>>> {
        match &self.supplementary {
            Some(image) => image.section(SectionId::DebugLine).map(DebugLine::from),
            None => Ok(DebugLine::from(Reader::new(&[], gimli::RunTimeEndian::Little))),
        }
    }

    /// [`DebugSections::main`] with its line tables.
    pub fn main_with_lines(&self) -> Result<gimli::Dwarf<Reader<'_>>> {
        self.main_lines()?;
        // What is loaded once is there.
        Ok(self.main())
    }

    /// Whether a linker made the file, so that what is in it has its final address.
    pub fn is_linked(&self) -> bool {
        self.main.is_linked()
    }

    /// The file of [`DebugSections::main`], for messages.
    pub fn shown(&self) -> &str {
        self.main.shown()
    }

    /// The file of [`DebugSections::supplementary`], for messages.
    pub fn supplementary_shown(&self) -> Option<&str> {
        self.supplementary.as_ref().map(Image::shown)
    }
}
