// SPDX-License-Identifier: MIT OR Apache-2.0
//! Whether an executable can have the agent in it, judged by its file.

use std::env;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use object::Endianness;
use object::elf::{ELFCLASS32, ELFMAG, EM_X86_64, ET_DYN, ET_EXEC, FileHeader64, PT_INTERP};
use object::read::ReadCache;
use object::read::elf::{FileHeader as _, ProgramHeader as _};

/// Where an ELF file says whether it is for 32 or 64 bits.
const CLASS: usize = 4;
/// The mode's bits that give an executable its owner's or group's rights.
const SETUID: u32 = 0o4000;
const SETGID: u32 = 0o2010;

/// The file that `command` would execute.
pub(crate) fn find(command: &Command) -> Result<PathBuf> {
    let name = command.get_program();
    let folder = command.get_current_dir().unwrap_or(Path::new(""));
    if name.as_bytes().contains(&b'/') {
        return Ok(folder.join(name));
    }
    let path = variable(command, "PATH").unwrap_or_else(|| "/bin:/usr/bin".into());
    let found = env::split_paths(&path).map(|place| place.join(name)).find(|path| path.is_file());
    found.with_context(|| {
        format!("there is no {} in PATH: name a file here as ./{}", name.display(), name.display())
    })
}

/// The value that a variable of the environment has for `command`.
pub(crate) fn variable(command: &Command, name: &str) -> Option<std::ffi::OsString> {
    match command.get_envs().find(|(set, _)| *set == OsStr::new(name)) {
        Some((_, value)) => value.map(OsStr::to_owned),
        None => env::var_os(name),
    }
}

/// Makes sure that the executable at `path` can be started with a preloaded library.
pub(crate) fn check_start(path: &Path) -> Result<()> {
    check(path, path)?;
    let file = path.metadata().with_context(|| format!("failed to read {}", path.display()))?;
    // SAFETY: these take nothing.
    let (user, group) = unsafe { (libc::geteuid(), libc::getegid()) };
    let gains = file.mode() & SETUID != 0 && file.uid() != user
        || file.mode() & SETGID == SETGID && file.gid() != group
        || user != 0 && has_capabilities(path);
    ensure!(
        !gains,
        "{} gains rights when it is started (set-user-ID, set-group-ID or capabilities), so that \
         nothing is preloaded into it: start it by itself, and use its process ID",
        path.display()
    );
    Ok(())
}

/// Whether the file has capabilities.
fn has_capabilities(path: &Path) -> bool {
    let mut none: [u8; 0] = [];
    rustix::fs::getxattr(path, c"security.capability", &mut none).is_ok()
}

/// Makes sure that the executable at `path`, which people know as `shown`, is one that the agent
/// can be in.
pub(crate) fn check(path: &Path, shown: &Path) -> Result<()> {
    let shown = shown.display();
    let mut file = File::open(path).with_context(|| format!("failed to open {shown}"))?;
    let mut beginning = Vec::new();
    let read = file.by_ref().take(64).read_to_end(&mut beginning);
    read.with_context(|| format!("failed to read {shown}"))?;
    if beginning.starts_with(b"#!") {
        let line = beginning.split(|byte| *byte == b'\n').next().unwrap_or_default();
        bail!(
            "{shown} is a script ({}): start the program itself that it is for",
            String::from_utf8_lossy(line)
        );
    }
    ensure!(beginning.starts_with(&ELFMAG), "{shown} is no ELF executable");
    ensure!(
        beginning.get(CLASS) != Some(&ELFCLASS32.0),
        "{shown} is a 32-bit executable; the runtime knows x86-64 only"
    );
    let headers = read_headers(&file);
    let headers = headers.with_context(|| format!("{shown} is no valid ELF executable"))?;
    ensure!(
        headers.machine == EM_X86_64.0,
        "{shown} is for another machine (ELF machine {}); the runtime knows x86-64 only",
        headers.machine
    );
    ensure!(
        matches!(headers.kind, kind if kind == ET_EXEC.0 || kind == ET_DYN.0),
        "{shown} is an ELF file, but no executable"
    );
    let Some(interpreter) = headers.interpreter else {
        bail!(
            "{shown} is statically linked: it has no dynamic loader that could load the agent; \
             link it dynamically"
        );
    };
    ensure!(
        !interpreter.contains("ld-musl"),
        "{shown} uses musl's C library ({interpreter}); the agent needs glibc"
    );
    Ok(())
}

/// What is of interest in an ELF file's headers.
struct Headers {
    machine: u16,
    kind: u16,
    interpreter: Option<String>,
}

fn read_headers(file: &File) -> Result<Headers> {
    let cache = ReadCache::new(file.try_clone()?);
    let data = &cache;
    let header = FileHeader64::<Endianness>::parse(data)?;
    let endian = header.endian()?;
    let mut interpreter = None;
    for segment in header.program_headers(endian, data)? {
        if segment.p_type(endian) == PT_INTERP {
            let bytes = segment.data(endian, data).ok();
            let bytes = bytes.context("its interpreter's name lies outside of the file")?;
            let name = String::from_utf8_lossy(bytes);
            interpreter = Some(name.trim_end_matches('\0').to_owned());
        }
    }
    Ok(Headers { machine: header.e_machine(endian).0, kind: header.e_type(endian).0, interpreter })
}
