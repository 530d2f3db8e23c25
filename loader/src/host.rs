// SPDX-License-Identifier: MIT OR Apache-2.0
//! The application whose extensions are judged.

use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use anyhow::{Result, anyhow, ensure};
use object::read::elf::{Dyn as _, ElfFile64, FileHeader as _, ProgramHeader as _};
use object::{LittleEndian, elf};
use ufunc_gen::elf::{Host, HostFile};
use ufunc_gen::metadata::BuildId;

use crate::object::machine_name;

/// The application, or a shared library of it, as far as a verdict depends on it.
#[derive(Debug)]
pub struct App {
    /// Where its file is.
    pub path: PathBuf,
    /// The file's name without its folder.
    pub name: String,
    build_id: Result<BuildId, String>,
    /// Kept, so that all that is read of the application is of one and the same file.
    file: HostFile,
}

impl App {
    /// Reads the ELF headers and the build-id of the file at `path`.
    ///
    /// A missing build-id is no error yet: it matters to extensions that call ufuncs only.
    pub fn open(path: &Path) -> Result<App> {
        let file = HostFile::open(path)?;
        let host = file.parse()?;
        host.require_extendable()?;
        require_native(&file)?;
        let build_id = host.build_id().map_err(|error| format!("{error:#}"));
        let name = host.name();
        Ok(App { path: path.to_owned(), name, build_id, file })
    }

    /// The file's ELF headers.
    pub fn host(&self) -> Result<Host<'_>> {
        self.file.parse()
    }

    /// The build-id, which tells whether a module was generated from this very file.
    ///
    /// Fails if the file has none.
    pub fn build_id(&self) -> Result<&BuildId> {
        self.build_id.as_ref().map_err(|error| anyhow!("{error}"))
    }

    /// What tells this file from every other one: the build-id alone would be the same for a file
    /// that was stripped, and for any that the linker was told to give this build-id.
    ///
    /// `None` without a build-id, or if the file is gone.
    pub(crate) fn identity(&self) -> Option<String> {
        let build_id = self.build_id.as_ref().ok()?;
        let modified = std::fs::metadata(&self.path).ok()?.modified().ok()?;
        let modified = modified.duration_since(UNIX_EPOCH).ok()?;
        Some(format!("{build_id} {} {}", self.file.bytes().len(), modified.as_nanos()))
    }

    /// Under which name the dynamic linker knows the file, if it is a shared library.
    pub(crate) fn library(&self) -> Option<String> {
        let file = ElfFile64::<LittleEndian>::parse(self.file.bytes()).ok()?;
        let endian = LittleEndian;
        let is_dynamic = file.elf_header().e_type(endian) == elf::ET_DYN;
        let (mut soname, mut is_executable) = (None, false);
        let sections = file.elf_section_table();
        if let Ok(Some((entries, strings))) = sections.dynamic(endian, file.data()) {
            let strings = sections.strings(endian, file.data(), strings).ok()?;
            for entry in entries {
                let value = entry.d_val(endian);
                match entry.d_tag(endian) {
                    elf::DT_SONAME => soname = strings.get(value as u32).ok(),
                    elf::DT_FLAGS_1 => is_executable |= value & elf::DF_1_PIE.0 != 0,
                    _ => {}
                }
            }
        }
        if let Some(soname) = soname {
            return Some(String::from_utf8_lossy(soname).into_owned());
        }
        let mut headers = file.elf_program_headers().iter();
        is_executable |= headers.any(|header| header.p_type(endian) == elf::PT_INTERP);
        (is_dynamic && !is_executable).then(|| self.name.clone())
    }

    /// Whether a program's author who wrote `file` may have meant this one.
    pub(crate) fn is_called(&self, file: &str) -> bool {
        let name = Path::new(file).file_name();
        name.is_some() && name == self.path.file_name()
    }

    /// Whether `file` is this one's path, or leads to it.
    pub(crate) fn is_at(&self, file: &str) -> bool {
        let same = |one: &Path, other: &Path| {
            let found = one.canonicalize().ok();
            found.is_some() && found == other.canonicalize().ok()
        };
        Path::new(file) == self.path || same(Path::new(file), &self.path)
    }
}

/// Fails for an application of another architecture: its programs could not be judged here, for
/// they see registers of that one.
fn require_native(file: &HostFile) -> Result<()> {
    let native = match std::env::consts::ARCH {
        "x86_64" => elf::EM_X86_64,
        "aarch64" => elf::EM_AARCH64,
        "riscv64" => elf::EM_RISCV,
        "loongarch64" => elf::EM_LOONGARCH,
        // Whatever else there is, its kernel knows better.
        _ => return Ok(()),
    };
    let headers = ElfFile64::<LittleEndian>::parse(file.bytes())?;
    let machine = headers.elf_header().e_machine(LittleEndian);
    ensure!(
        machine == native,
        "{} is an application for {}, this machine's kernel judges those for {}",
        file.path().display(),
        machine_name(machine),
        machine_name(native)
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_no_application_is_refused() {
        let error = App::open(Path::new("/dev/null")).unwrap_err();
        assert!(format!("{error:#}").contains("/dev/null: not a regular file"), "{error:#}");
        assert!(App::open(Path::new("/nonexistent")).is_err());
        assert!(App::open(Path::new(file!())).is_err());
    }

    #[test]
    fn this_test_is_an_application() {
        let app = App::open(&std::env::current_exe().unwrap()).unwrap();
        assert!(app.name.starts_with("ufunc_loader-"), "{}", app.name);
        assert_eq!(app.library(), None);
        assert!(app.is_called(&format!("./elsewhere/{}", app.name)) && !app.is_called("other"));
        assert!(app.is_at("/proc/self/exe") && !app.is_at("/nonexistent"));
    }
}
