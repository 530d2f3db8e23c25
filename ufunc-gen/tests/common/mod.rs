// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the tests share: building applications, running the command, saying what went wrong.
//!
//! A tool that is missing fails the test that needs it, with the Debian package that has it.

#![allow(dead_code, missing_docs, unreachable_pub, reason = "each test file uses its own part")]

pub mod dwarf;
pub mod elf;
#[path = "../../../fuzz/src/image.rs"]
pub mod image;
pub mod kernel;
pub mod library;

use std::ffi::OsStr;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use ufunc_gen::btf::encode::Encoded;
use ufunc_gen::btf::{Linkage, Type, TypeId};

/// No run of the command in these tests takes a tenth of this.
const TIME_LIMIT: Duration = Duration::from_secs(20);

/// An application that lends a pair, which is inferred.
pub const PAIR: &str = r#"
struct thing { int n; };
static struct thing only;
struct thing *thing_new(int n) { only.n = n; return &only; }
void thing_free(struct thing *t) { t->n = 0; }
int main(void) { thing_free(thing_new(1)); return 0; }
"#;

/// The Debian package that has `tool`.
fn package(tool: &str) -> &'static str {
    match tool {
        "gcc" => "gcc",
        "g++" => "g++",
        "clang" | "clang++" => "clang",
        "as" | "ld" | "ar" | "dwp" | "objcopy" | "readelf" | "strip" => "binutils",
        "bpftool" => "bpftool",
        "dwz" => "dwz",
        "lld" | "ld.lld" => "lld",
        "llvm-dwp" | "llvm-dwarfdump" => "llvm",
        "mkfifo" => "coreutils",
        "rustc" => "rustc",
        _ => "unknown",
    }
}

/// What a finished program left.
#[derive(Debug)]
pub struct Output {
    /// Exit status; `None` if a signal ended the program.
    pub status: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Output {
    /// Asserts that the program did what it was asked.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!(self.status, Some(0), "{}", self.stderr);
        self
    }

    /// Asserts that the program refused with exit status 2, wrote nothing to standard output, and
    /// said all of `parts` in one message without losing its temper.
    #[track_caller]
    pub fn refused(self, parts: &[&str]) -> Self {
        assert_eq!(self.status, Some(2), "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        assert_eq!(self.stdout, "", "an error leaves nothing on standard output");
        assert!(self.stderr.starts_with("ufunc-gen: "), "{}", self.stderr);
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        for part in parts {
            assert!(self.stderr.contains(part), "no {part:?} in: {}", self.stderr);
        }
        self
    }

    /// Asserts that the command line was refused because of `part`.
    #[track_caller]
    pub fn usage_error(self, part: &str) {
        assert_eq!(self.status, Some(2), "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        assert_eq!(self.stdout, "");
        assert!(self.stderr.contains(part), "no {part:?} in: {}", self.stderr);
    }
}

/// Runs `command`, which `tool` names in messages, to its end or the time limit.
#[track_caller]
pub fn run(tool: &str, command: &mut Command) -> Output {
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => {
            panic!("failed to run {tool} (Debian package {}): {error}", package(tool))
        }
    };
    // Both pipes are read at the same time, so that neither can fill up.
    let mut stdout = child.stdout.take().unwrap();
    let mut stderr = child.stderr.take().unwrap();
    let read = |pipe: &mut dyn std::io::Read| {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let stdout = scope.spawn(move || read(&mut stdout));
        let stderr = scope.spawn(move || read(stderr.by_ref()));
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            if begun.elapsed() > TIME_LIMIT {
                child.kill().unwrap();
                panic!("{tool} did not end within {TIME_LIMIT:?}: {command:?}");
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        Output {
            status: status.code(),
            stdout: stdout.join().unwrap(),
            stderr: stderr.join().unwrap(),
        }
    })
}

/// Runs `tool` with `args` in `folder`, and asserts that it succeeds.
#[track_caller]
pub fn tool(folder: &Path, tool: &str, args: &[&str]) -> Output {
    let output = run(tool, Command::new(tool).args(args).current_dir(folder));
    assert_eq!(output.status, Some(0), "{tool} {args:?} failed:\n{}", output.stderr);
    output
}

/// The command under test.
pub fn ufunc_gen() -> Command {
    Command::new(env!("CARGO_BIN_EXE_ufunc-gen"))
}

/// Runs `ufunc-gen` with `args`.
#[track_caller]
pub fn generate<A: AsRef<OsStr>>(args: &[A]) -> Output {
    run("ufunc-gen", ufunc_gen().args(args))
}

/// The path of `examples/include`, where `ufunc.h` is.
pub fn include_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/include")
}

/// A folder of a test's own, with the applications built in it.
pub struct Lab {
    folder: TempDir,
}

impl Lab {
    pub fn new() -> Self {
        Lab { folder: tempfile::tempdir().unwrap() }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes `contents` to the file `name`.
    pub fn write(&self, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, contents).unwrap();
        path
    }

    /// A file with the BTF of a kernel whose functions are `names`.
    pub fn vmlinux(&self, names: &[&'static str]) -> PathBuf {
        let mut types = vec![Type::FuncProto { ret: TypeId::VOID, params: Vec::new() }];
        types.extend(names.iter().map(|&name| Type::Func {
            name: name.into(),
            proto: TypeId(1),
            linkage: Linkage::Static,
        }));
        self.write("vmlinux.btf", Encoded::new(&types, 0).unwrap().to_bytes().unwrap())
    }

    /// The application `app`, made of the one source file `app.c`.
    #[track_caller]
    pub fn build(&self, compiler: &str, flags: &[&str], source: &str) -> PathBuf {
        self.build_files(compiler, flags, &[("app.c", source)])
    }

    /// The application `app`, made of `sources`, which are pairs of a file name and its text.
    #[track_caller]
    pub fn build_files(&self, compiler: &str, flags: &[&str], sources: &[(&str, &str)]) -> PathBuf {
        let include = format!("-I{}", include_folder().display());
        let mut args = vec!["-Wl,--build-id", include.as_str(), "-o", "app"];
        args.extend(flags);
        for (name, text) in sources {
            self.write(name, text);
            args.push(name);
        }
        tool(self.folder(), compiler, &args);
        self.path("app")
    }
}

/// An application of `source`, built by gcc with `-g -O2`, and its folder.
#[track_caller]
pub fn app(source: &str) -> (Lab, PathBuf) {
    let lab = Lab::new();
    let app = lab.build("gcc", &["-g", "-O2"], source);
    (lab, app)
}

/// A seeded generator of numbers that look random (xorshift64*), so that a failure can be had
/// again.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() >> 16) as usize % end.max(1)
    }

    /// A section that is read of an application, those more often that there is more to read in.
    pub fn read_section(&mut self) -> &'static str {
        const READ: [&str; 14] = [
            ".debug_info",
            ".debug_info",
            ".debug_info",
            ".debug_abbrev",
            ".debug_abbrev",
            ".debug_str",
            ".debug_line",
            ".debug_line_str",
            ".debug_types",
            ".rela.debug_info",
            ".note.gnu.build-id",
            ".note.ufunc",
            ".symtab",
            ".strtab",
        ];
        READ[self.below(READ.len())]
    }
}

/// What tests begin with that try what is random: `UFUNC_TEST_SEED`, or else 1.
pub fn seed() -> u64 {
    let seed = std::env::var("UFUNC_TEST_SEED").ok();
    let seed = seed.map_or(1, |seed| seed.parse().expect("UFUNC_TEST_SEED is a number"));
    println!("UFUNC_TEST_SEED={seed}");
    seed
}

/// Assembles and links one of the applications in `tests/golden` (see `tests/golden.rs`).
#[track_caller]
pub fn golden_app(lab: &Lab, name: &str, sources: &[&str]) -> PathBuf {
    let folder = golden_folder();
    let script = folder.join("link.ld");
    let mut link = vec!["-static", "-e", "0", "-T", script.to_str().unwrap()];
    // Different for each, and nothing that anybody could take for a real one.
    let build_id = format!("--build-id=0x{:016x}", fingerprint(name.as_bytes()));
    link.extend([build_id.as_str(), "-o", name]);
    let objects: Vec<_> = sources.iter().map(|source| format!("{source}.o")).collect();
    for (source, object) in sources.iter().zip(&objects) {
        let assembly = folder.join(format!("{source}.asm"));
        tool(lab.folder(), "as", &["--64", "-o", object, assembly.to_str().unwrap()]);
    }
    link.extend(objects.iter().map(String::as_str));
    tool(lab.folder(), "ld", &link);
    lab.path(name)
}

/// The folder `tests/golden`.
pub fn golden_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// FNV-1a: enough to see that a file has changed.
pub fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
