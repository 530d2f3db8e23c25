// SPDX-License-Identifier: MIT OR Apache-2.0
//! Finding BTF in files: raw, as `/sys/kernel/btf` shows it, or in an ELF file's sections.

use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use object::{Object as _, ObjectSection as _, ReadCache};

use super::raw::is_btf;

/// Most bytes for which room is made before they are there.
const MAX_HINT: u64 = 64 << 20;

/// The BTF of one file, as bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The types: the file itself, or its section `.BTF`.
    pub btf: Vec<u8>,
    /// The section `.BTF.base`, the distilled base of a module's types.
    pub base: Option<Vec<u8>>,
}

impl Source {
    /// Reads the BTF of the file at `path`: raw BTF or ELF, of either byte order.
    ///
    /// Errors do not name the file.
    pub fn read(path: &Path) -> Result<Self> {
        let mut file = File::open(path)?;
        // The size that the file is said to have only saves copying: those in sysfs and procfs are
        // odd, and a pipe has none. What begins like something else is not read, for it may not end.
        let hint = file.metadata()?.len().min(MAX_HINT) as usize;
        let mut btf = Vec::with_capacity(hint + 1);
        (&file).take(4).read_to_end(&mut btf)?;
        if btf == *b"\x7fELF" {
            file.rewind().context("an ELF file that cannot be read twice is not supported")?;
            return Self::read_elf(file);
        }
        if !is_btf(&btf) {
            bail!("it is neither BTF nor an ELF file with BTF");
        }
        file.read_to_end(&mut btf)?;
        Ok(Source { btf, base: None })
    }

    /// Reads the sections of an ELF file, and nothing else of it: a `vmlinux` is large.
    fn read_elf(file: File) -> Result<Self> {
        let cache = ReadCache::new(file);
        let elf = object::File::parse(&cache).context("failed to read the ELF header")?;
        let section = |name: &str| -> Result<Option<Vec<u8>>> {
            let Some(section) = elf.section_by_name(name) else { return Ok(None) };
            let data = section.uncompressed_data();
            let data = data.with_context(|| format!("failed to read the ELF section {name}"))?;
            Ok(Some(data.into_owned()))
        };
        let btf = section(".BTF")?.context(
            "it is an ELF file without BTF (section .BTF); 'pahole --btf_encode_detached' makes BTF of debug information",
        )?;
        Ok(Source { btf, base: section(".BTF.base")? })
    }
}
