// SPDX-License-Identifier: MIT OR Apache-2.0
//! A running process: which files it has mapped, and where.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use object::read::elf::{ElfFile64, ProgramHeader as _};
use object::{LittleEndian, Object as _, elf};
use ufunc_gen::elf::HostFile;

use super::package::{File, Package};

/// What a path in `/proc/PID/maps` ends in when nothing has that name any more.
const DELETED: &str = " (deleted)";

/// A part of a file that is mapped.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mapping {
    start: u64,
    end: u64,
    /// Where in the file it begins.
    offset: u64,
    executable: bool,
    path: String,
}

impl Mapping {
    /// Reads a line of `/proc/PID/maps`; `None` for what is of no file.
    fn parse(line: &str) -> Option<Mapping> {
        let mut words = line.splitn(6, ' ');
        let (start, end) = words.next()?.split_once('-')?;
        let number = |text| u64::from_str_radix(text, 16).ok();
        let flags = words.next()?;
        let offset = number(words.next()?)?;
        let path = words.nth(2)?.trim_start();
        path.starts_with('/').then(|| Mapping {
            start: number(start).unwrap_or_default(),
            end: number(end).unwrap_or_default(),
            offset,
            executable: flags.as_bytes().get(2) == Some(&b'x'),
            path: path.to_owned(),
        })
    }
}

/// A file of a package as a process has it.
#[derive(Debug)]
pub(crate) struct Mapped {
    /// Its path, as the process knows it.
    pub(crate) path: String,
    /// Its bytes, as they are on disk.
    pub(crate) file: HostFile,
    /// What is to be added to the addresses in the file.
    bias: u64,
}

impl Mapped {
    /// Where in the process is what the file has at `address`.
    pub(crate) fn address(&self, address: u64) -> u64 {
        address.wrapping_add(self.bias)
    }
}

/// The files of `package` as the process `pid` has them, in their order.
///
/// Fails unless each of them is mapped, and is the very build that was judged.
pub(crate) fn files(package: &Package, pid: i32) -> Result<Vec<Mapped>> {
    let process = Process::read(pid)?;
    package.files.iter().map(|file| find(&process, file)).collect()
}

/// A process and the code that it has mapped.
pub(crate) struct Process {
    pid: i32,
    mappings: Vec<Mapping>,
    executable: PathBuf,
}

impl Process {
    pub(crate) fn read(pid: i32) -> Result<Process> {
        let text = fs::read_to_string(format!("/proc/{pid}/maps"));
        let text =
            text.with_context(|| format!("there is no process {pid}, or it is another user's"))?;
        let mappings = text.lines().filter_map(Mapping::parse);
        let executable = fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
        let mappings = mappings.filter(|mapping| mapping.executable).collect();
        Ok(Process { pid, mappings, executable })
    }

    /// The file that it has mapped as `path`.
    pub(crate) fn file(&self, path: &str) -> Result<Mapped> {
        let file = self.open(path)?;
        let bias = bias(&file, &self.mappings, path)?;
        Ok(Mapped { path: path.to_owned(), file, bias })
    }

    fn open(&self, path: &str) -> Result<HostFile> {
        let pid = self.pid;
        if Path::new(path) == self.executable {
            return HostFile::open(Path::new(&format!("/proc/{pid}/exe")));
        }
        ensure!(
            !path.ends_with(DELETED),
            "{} was replaced or removed since process {pid} began; start it again",
            path.trim_end_matches(DELETED)
        );
        let below: PathBuf = Path::new(path).components().skip(1).collect();
        HostFile::open(&Path::new(&format!("/proc/{pid}/root")).join(below))
    }
}

/// The file `wanted` as the process has it.
fn find(process: &Process, wanted: &File) -> Result<Mapped> {
    let Process { pid, mappings, .. } = process;
    let mut paths: Vec<&str> = mappings.iter().map(|mapping| mapping.path.as_str()).collect();
    paths.dedup();
    // What has the same name is looked at first; it may as well have been renamed.
    let has_name =
        |path: &&str| Path::new(path).file_name().is_some_and(|name| *name == *wanted.name);
    paths.sort_by_key(|path| !has_name(path));
    let mut namesake = None;
    for path in paths {
        let opened = process.open(path);
        let build_id = |file: &HostFile| Some(file.parse().ok()?.build_id().ok()?.to_string());
        match opened.as_ref().ok().and_then(build_id) {
            Some(found) if found == wanted.build_id => {
                return process.file(path);
            }
            found if has_name(&path) && namesake.is_none() => {
                namesake = Some(match (found, opened) {
                    (Some(found), _) => format!("{path} has the build-id {found}"),
                    (None, Ok(_)) => format!("{path} has no build-id"),
                    (None, Err(error)) => format!("{error:#}"),
                });
            }
            _ => {}
        }
    }
    let File { name, build_id } = wanted;
    match namesake {
        Some(namesake) => bail!(
            "process {pid} runs another build than was judged: {namesake}, the programs were judged for {name} with {build_id}"
        ),
        None => bail!(
            "process {pid} does not have {name} (build-id {build_id}), for which the programs were judged"
        ),
    }
}

/// What is to be added to the addresses in `file`, which is mapped as `path`.
fn bias(file: &HostFile, mappings: &[Mapping], path: &str) -> Result<u64> {
    let headers = ElfFile64::<LittleEndian>::parse(file.bytes())?;
    let endian = LittleEndian;
    let own = || mappings.iter().filter(|mapping| mapping.path == path);
    let found = headers.elf_program_headers().iter().find_map(|header| {
        let is_code =
            header.p_type(endian) == elf::PT_LOAD && header.p_flags(endian).contains(elf::PF_X);
        let (offset, address) = (header.p_offset(endian), header.p_vaddr(endian));
        let within = |mapping: &&Mapping| {
            let length = mapping.end.saturating_sub(mapping.start);
            (mapping.offset..mapping.offset.saturating_add(length)).contains(&offset)
        };
        let mapping = own().find(within).filter(|_| is_code)?;
        let at = mapping.start.wrapping_add(offset.wrapping_sub(mapping.offset));
        Some(at.wrapping_sub(address))
    });
    found.with_context(|| format!("{path} is not mapped as its headers say"))
}

/// Whether the dynamic linker changes any of the `length` bytes at `address` of `file`, so that they
/// are not in memory what they are on disk.
pub(crate) fn is_relocated(file: &HostFile, address: u64, length: u64) -> Result<bool> {
    /// Bytes that a relocation changes, at most.
    const RELOCATED: u64 = 16;
    let host = file.parse()?;
    let Some(relocations) = host.elf().dynamic_relocations() else { return Ok(false) };
    let end = address.saturating_add(length);
    let changes = |(at, _): (u64, _)| at < end && at.saturating_add(RELOCATED) > address;
    Ok(relocations.into_iter().any(changes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mappings_are_read() {
        let line = "55e0c0a01000-55e0c0a05000 r-xp 00001000 fe:01 1234                       /usr/bin/my app";
        let mapping = Mapping::parse(line).unwrap();
        assert_eq!((mapping.start, mapping.end), (0x55e0_c0a0_1000, 0x55e0_c0a0_5000));
        assert_eq!((mapping.offset, mapping.executable), (0x1000, true));
        assert_eq!(mapping.path, "/usr/bin/my app");
        for line in ["7ffd-7ffe r-xp 00000000 00:00 0                          [vdso]", "", "a"] {
            assert_eq!(Mapping::parse(line), None, "{line}");
        }
        assert!(!Mapping::parse("1-2 rw-p 0 fe:01 1 /a").unwrap().executable);
    }

    #[test]
    fn this_process_has_its_executable_where_it_says() {
        let pid = std::process::id().cast_signed();
        let exe = HostFile::open(Path::new("/proc/self/exe")).unwrap();
        let host = exe.parse().unwrap();
        let build_id = host.build_id().unwrap().to_string();
        let symbol = "this_process_has_its_executable_where_it_says";
        let (_, symbols) = host
            .functions()
            .into_iter()
            .find(|(name, _)| memchr::memmem::find(name, symbol.as_bytes()).is_some())
            .unwrap();
        let package = Package {
            files: vec![File { name: "whatever".to_owned(), build_id }],
            ..super::super::package::tests::package()
        };
        let mapped = files(&package, pid).unwrap();
        let code = mapped[0].address(symbols[0].address);
        let maps = fs::read_to_string("/proc/self/maps").unwrap();
        let within = |mapping: Mapping| (mapping.start..mapping.end).contains(&code);
        assert!(
            maps.lines()
                .filter_map(Mapping::parse)
                .any(|mapping| mapping.executable && within(mapping))
        );
    }

    #[test]
    fn another_build_is_refused() {
        let pid = std::process::id().cast_signed();
        let name =
            std::env::current_exe().unwrap().file_name().unwrap().to_str().unwrap().to_owned();
        let refused = |name: &str| {
            let files = vec![File { name: name.to_owned(), build_id: "00".to_owned() }];
            let package = Package { files, ..super::super::package::tests::package() };
            format!("{:#}", super::files(&package, pid).unwrap_err())
        };
        assert!(refused(&name).contains("another build than was judged"));
        assert!(refused("something else").contains("does not have something else"));
    }
}
