// SPDX-License-Identifier: MIT OR Apache-2.0
//! The application whose extensions are judged.

use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};
use ufunc_gen::elf::{Host, HostFile};
use ufunc_gen::metadata::BuildId;

/// The application, as far as a verdict depends on it.
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
    }
}
