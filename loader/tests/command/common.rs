// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the tests of the command share.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

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
        self.compile_file(name, Path::new(&source), options)
    }

    /// Compiles a program that a test wrote itself.
    pub(crate) fn compile_text(&self, name: &str, text: &str) -> PathBuf {
        let source = self.write(&format!("{name}.bpf.c"), text.as_bytes());
        self.compile_file(name, &source, &["-target", "bpf", "-g"])
    }

    fn compile_file(&self, name: &str, source: &Path, options: &[&str]) -> PathBuf {
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

    /// Compiles `tests/data/NAME.c`, an application, with these options.
    pub(crate) fn compile_app(&self, name: &str, options: &[&str]) -> PathBuf {
        self.compile_host(name, &[name], options)
    }

    /// Compiles the `tests/data/SOURCE.c` together, with these options, to the file `name`.
    pub(crate) fn compile_host(&self, name: &str, sources: &[&str], options: &[&str]) -> PathBuf {
        let folder = format!("{}/tests/data", env!("CARGO_MANIFEST_DIR"));
        let app = self.path(name);
        let output = Command::new("cc")
            .args(["-O2", "-Wall", "-Werror", "-Wl,--build-id"])
            .args(options)
            .args(sources.iter().map(|source| format!("{folder}/{source}.c")))
            .arg("-o")
            .arg(&app)
            .output()
            .expect("a C compiler must be installed: it compiles the applications");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "failed to compile {name}.c: {errors}");
        app
    }

    /// Builds `/examples` and returns where they are.
    pub(crate) fn examples(&self) -> PathBuf {
        let folder = self.path("examples");
        let source = format!("{}/../examples", env!("CARGO_MANIFEST_DIR"));
        let output = Command::new("make")
            .args(["-s", "-C", &source])
            .arg(format!("OUT={}", folder.display()))
            .output()
            .expect("make must be installed: it builds the applications");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "failed to build {source}: {errors}");
        folder
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
    Run::from(
        verify_command(object, &[&["--app", path_text(app)], options].concat()).output().unwrap(),
    )
}

/// `loader verify OBJECT OPTIONS`, which keeps what it finds out beside the object, where no other
/// test finds it.
pub(crate) fn verify_command(object: &Path, options: &[&str]) -> Command {
    let mut command = Command::new(LOADER);
    command.arg("verify").arg(object).args(options).env("XDG_CACHE_HOME", cache_of(object));
    command
}

/// Where [`verify_command`] keeps what it finds out.
pub(crate) fn cache_of(object: &Path) -> PathBuf {
    object.with_file_name("cache")
}

/// Paths of tests are text.
pub(crate) fn path_text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// `loader verify OBJECT OPTIONS --json`: the exit status and the document.
#[track_caller]
pub(crate) fn judge_with(object: &Path, options: &[&str]) -> (i32, Value) {
    document(Run::from(verify_command(object, &[options, &["--json"]].concat()).output().unwrap()))
}

/// The same for one application.
#[track_caller]
pub(crate) fn judge_for(object: &Path, app: &Path, options: &[&str]) -> (i32, Value) {
    judge_with(object, &[&["--app", path_text(app)], options].concat())
}

#[track_caller]
fn document(run: Run) -> (i32, Value) {
    assert!(
        !run.stderr.contains("loading programs needs"),
        "these tests load BPF programs: run them as root ({})",
        run.stderr.trim_end()
    );
    let document = serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("{run:?}"));
    (run.status.unwrap(), document)
}

/// The numbers that libbpf, whose words `run` has because of `-v`, put into the instructions of the
/// program `name`, once for each time that it was loaded.
pub(crate) fn offsets_in(run: &Run, name: &str) -> Vec<u32> {
    let of_program = |line: &&str| line.starts_with(&format!("libbpf: prog '{name}': relo #"));
    let lines = run.stderr.lines().filter(of_program);
    let patched = lines.filter(|line| line.contains(": patched insn #"));
    patched.map(|line| line.rsplit(' ').next().unwrap().parse().unwrap()).collect()
}

/// The one program of that name.
#[track_caller]
pub(crate) fn program<'a>(document: &'a Value, name: &str) -> &'a Value {
    let programs = document["programs"].as_array().unwrap();
    programs
        .iter()
        .find(|program| program["name"] == name)
        .unwrap_or_else(|| panic!("no program {name} in {document}"))
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
