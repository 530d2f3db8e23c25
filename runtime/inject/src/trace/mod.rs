// SPDX-License-Identifier: MIT OR Apache-2.0
//! Putting the agent into a process that runs.
//!
//! 1. What speaks against it is looked for without touching the process ([`refuse`]).
//! 2. A thread is stopped, again and again, until it is where it can be borrowed ([`moment`]), and
//!    its filters of system calls let the agent be ([`filter`]).
//! 3. It loads the agent on a stack of ours and has it begin ([`borrow`]).
//! 4. It gets everything back. Should we be killed, it finds its way back itself ([`restore`]).

mod borrow;
mod filter;
mod image;
mod memory;
mod moment;
mod refuse;
mod restore;
mod thread;
mod unwind;

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use object::{Object as _, ObjectSymbol as _};

use crate::agent::FILE;
use borrow::Borrowed;
use memory::Memory;
use moment::Code;
use thread::Tracee;

/// The function by which the agent begins.
const BEGIN: &str = "ufunc_agent_begin";
/// How long a good moment is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a thread may take to stop.
const STOP: Duration = Duration::from_millis(50);
/// How long all threads are left alone between two tries, at first and at most.
const PAUSES: [Duration; 2] = [Duration::from_micros(200), Duration::from_millis(20)];
/// `MFD_CLOEXEC`, `MFD_EXEC`
const MEMORY_FILE: [u64; 2] = [1 | 0x10, 1];
/// Names of functions that load a library, where the C library has had them over the years.
const LOAD: [&str; 2] = ["dlopen", "__libc_dlopen_mode"];
/// `RTLD_NOW`, and what the second of them wants besides.
const HOW: [u64; 2] = [2, 2 | 0x8000_0000];

/// Puts the agent into the process, and has it begin.
pub(crate) fn inject(process: i32, agent: &Path) -> Result<()> {
    refuse::check(process)?;
    let bytes = fs::read(agent);
    let bytes = bytes.with_context(|| format!("failed to read {}", agent.display()))?;
    let begin = begin(&bytes).with_context(|| format!("{} is no agent", agent.display()))?;
    let agent = Agent { path: agent, bytes, begin };
    let memory = Memory::open(process).with_context(|| refuse::why_not(process))?;
    let deadline = Instant::now() + PATIENCE;
    let mut pause = PAUSES[0];
    loop {
        // Libraries come and go.
        let code = Code::read(process, &memory)?;
        let mut reason = None;
        for number in threads(process)? {
            let mut tracee = match Tracee::seize(number) {
                Ok(tracee) => tracee,
                // It has ended meanwhile.
                Err(nix::errno::Errno::ESRCH) => continue,
                Err(error) => {
                    return Err(error).with_context(|| refuse::why_not(process));
                }
            };
            if !tracee.interrupt(STOP)? {
                reason = Some(anyhow::anyhow!("a thread does not stop"));
                continue;
            }
            match code.check(&memory, &tracee.registers()?) {
                Ok(()) => return load(process, &mut tracee, &memory, &code, &agent),
                Err(error) => reason = Some(error),
            }
            tracee.let_go();
        }
        let reason = reason.unwrap_or_else(|| anyhow::anyhow!("it has no thread that runs"));
        if Instant::now() > deadline {
            return Err(reason.context(format!(
                "within {PATIENCE:?} no thread came to where it can load a library: try again"
            )));
        }
        sleep(pause);
        pause = (pause * 2).min(PAUSES[1]);
    }
}

/// The agent's file.
struct Agent<'a> {
    path: &'a Path,
    bytes: Vec<u8>,
    /// Where its beginning is, from the address it is loaded at.
    begin: u64,
}

fn begin(bytes: &[u8]) -> Result<u64> {
    let file = object::File::parse(bytes)?;
    let mut symbols = file.dynamic_symbols();
    let begin = symbols.find(|symbol| symbol.name() == Ok(BEGIN) && symbol.is_definition());
    Ok(begin.with_context(|| format!("it has no {BEGIN}"))?.address())
}

/// The threads of a process that can stop, the first one first.
fn threads(process: i32) -> Result<Vec<i32>> {
    let folder = format!("/proc/{process}/task");
    let entries = fs::read_dir(&folder).with_context(|| format!("failed to read {folder}"))?;
    let numbers = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let mut numbers: Vec<i32> = numbers
        // Zombies, and who waits for a device or for a child of vfork.
        .filter(|number| !matches!(refuse::state(process, *number), Some('Z' | 'X' | 'D') | None))
        .collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// Loads the agent by a thread that is stopped at a good moment.
fn load(
    process: i32,
    tracee: &mut Tracee,
    memory: &Memory,
    code: &Code,
    agent: &Agent<'_>,
) -> Result<()> {
    filter::check(process, tracee)?;
    let function = |name: &str| {
        code.function(name).with_context(|| format!("its C library has no function {name}"))
    };
    let library = code.library.parts();
    let functions = [function("syscall")?, function("__errno_location")?];
    let places = borrow::places(memory, functions, &library)?;
    let there = code.images().iter().find(|image| {
        let name = image.path.file_name().map(OsStrExt::as_bytes).unwrap_or_default();
        let name = name.strip_prefix(b"memfd:").unwrap_or(name);
        name.starts_with(FILE.as_bytes())
    });
    if let Some(image) = there {
        // A child after `fork` has it, but nobody who serves.
        let functions = image.functions(memory)?;
        let begin = functions.iter().find(|function| function.name == BEGIN);
        let begin = begin.with_context(|| format!("the agent there has no {BEGIN}"))?.range.start;
        let mut thread = Borrowed::new(tracee, memory, places)?;
        return call_begin(&mut thread, memory, begin);
    }
    let loads = LOAD.iter().zip(HOW).find_map(|(name, how)| Some((code.function(name)?, how)));
    let (open, how) = loads.context("its C library has no dlopen")?;
    let mut thread = Borrowed::new(tracee, memory, places)?;
    let handle = match same_file(process, agent.path) {
        true => open_by_path(&mut thread, open, how, agent).unwrap_or(0),
        false => 0,
    };
    let handle = match handle {
        0 => open_from_memory(&mut thread, process, memory, open, how, agent, code)?,
        handle => handle,
    };
    // A handle is a link map, which begins with what addresses count from.
    let base = memory.number(handle)?;
    call_begin(&mut thread, memory, base.wrapping_add(agent.begin))
}

/// Whether the process knows the same file by the same name.
fn same_file(process: i32, path: &Path) -> bool {
    let theirs = format!("/proc/{process}/root{}", path.display());
    match (fs::metadata(theirs), fs::metadata(path)) {
        (Ok(theirs), Ok(ours)) => (theirs.dev(), theirs.ino()) == (ours.dev(), ours.ino()),
        _ => false,
    }
}

fn open_by_path(thread: &mut Borrowed<'_>, open: u64, how: u64, agent: &Agent<'_>) -> Result<u64> {
    let name = thread.text(agent.path.as_os_str().as_bytes())?;
    thread.call(open, [name, how])
}

/// Loads the agent from a file in memory, for who cannot have it from a folder.
fn open_from_memory(
    thread: &mut Borrowed<'_>,
    process: i32,
    memory: &Memory,
    open: u64,
    how: u64,
    agent: &Agent<'_>,
    code: &Code,
) -> Result<u64> {
    let name = thread.text(FILE.as_bytes())?;
    let [with, without] = MEMORY_FILE;
    let create = libc::SYS_memfd_create;
    let number = thread
        .system_call(create, [name, with, 0, 0, 0, 0])
        // Kernels before 6.3 know no such flag.
        .or_else(|_| thread.system_call(create, [name, without, 0, 0, 0, 0]));
    let number = number.context("it may have no file in memory for the agent")?;
    let opened = fill(process, thread.thread(), number, &agent.bytes).and_then(|()| {
        let path = thread.text(format!("/proc/thread-self/fd/{number}").as_bytes())?;
        thread.call(open, [path, how])
    });
    let closed = thread.system_call(libc::SYS_close, [number, 0, 0, 0, 0, 0]);
    let handle = opened?;
    closed.context("failed to close the agent's file again")?;
    ensure!(handle != 0, "it cannot load the agent: {}", reason(thread, memory, code)?);
    Ok(handle)
}

fn fill(process: i32, thread: i32, number: u64, bytes: &[u8]) -> Result<()> {
    let path = format!("/proc/{process}/task/{thread}/fd/{number}");
    let file = OpenOptions::new().write(true).open(&path);
    let written = file.and_then(|mut file| file.write_all(bytes));
    written.with_context(|| format!("failed to write the agent to {path}"))
}

/// What the dynamic loader says of the last failure.
fn reason(thread: &mut Borrowed<'_>, memory: &Memory, code: &Code) -> Result<String> {
    let Some(function) = code.function("dlerror") else { return Ok("unknown".to_owned()) };
    match thread.call(function, [0; 2])? {
        0 => Ok("unknown".to_owned()),
        text => memory.text(text),
    }
}

fn call_begin(thread: &mut Borrowed<'_>, memory: &Memory, begin: u64) -> Result<()> {
    match thread.call(begin, [0; 2])? {
        0 => Ok(()),
        why => bail!(memory.text(why)?),
    }
}
