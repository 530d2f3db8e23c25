// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the tests of the command share.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The built command.
pub(crate) const LOADER: &str = env!("CARGO_BIN_EXE_loader");

/// A folder of a test's own, with the objects that it compiles.
pub(crate) struct Workspace {
    dir: tempfile::TempDir,
}

impl Workspace {
    pub(crate) fn new() -> Self {
        Workspace { dir: tempfile::tempdir().unwrap() }
    }

    /// Where `name` is in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file.
    pub(crate) fn write(&self, name: &str, contents: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, contents).unwrap();
        path
    }

    /// Compiles `tests/data/NAME.bpf.c`.
    pub(crate) fn compile(&self, name: &str) -> PathBuf {
        self.compile_with(name, &["-target", "bpf", "-g"])
    }

    /// Compiles `tests/data/NAME.bpf.c` with these options.
    pub(crate) fn compile_with(&self, name: &str, options: &[&str]) -> PathBuf {
        let source = format!("{}/tests/data/{name}.bpf.c", env!("CARGO_MANIFEST_DIR"));
        let object = self.path(&format!("{name}.bpf.o"));
        // Debian has the kernel's <asm/types.h> in a folder that clang does not look into for BPF.
        let headers = format!("/usr/include/{}-linux-gnu", std::env::consts::ARCH);
        let output = Command::new("clang")
            .args(["-O2", "-Wall", "-Werror", "-idirafter", &headers, "-c"])
            .args(options)
            .arg(source)
            .arg("-o")
            .arg(&object)
            .output()
            .expect("clang must be installed: it compiles the programs that are judged");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "failed to compile {name}.bpf.c (it needs libbpf's headers): {errors}"
        );
        object
    }
}

/// What a run of the command printed, and its exit status.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        let run = Run {
            status: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        };
        assert!(!run.stderr.contains("panicked"), "{run:?}");
        run
    }
}

/// An application: any ELF executable will do where no ufunc is called.
pub(crate) fn app() -> &'static Path {
    Path::new(LOADER)
}

/// `loader verify OBJECT --app APP OPTIONS`.
pub(crate) fn verify(object: &Path, options: &[&str]) -> Run {
    verify_for(object, app(), options)
}

/// The same for another application.
pub(crate) fn verify_for(object: &Path, app: &Path, options: &[&str]) -> Run {
    let mut command = Command::new(LOADER);
    command.arg("verify").arg(object).arg("--app").arg(app).args(options);
    Run::from(command.output().unwrap())
}
