// SPDX-License-Identifier: MIT OR Apache-2.0
//! A plugin for the public conformance suite of BPF (`bpf_conformance`).
//!
//! It reads a program as hex from its standard input, and memory as hex from its first argument if
//! there is one; compiles the program, runs it with r1 = the memory's address and r2 = its length,
//! and prints r0 as hex. What it refuses, it refuses with a message and a status other than 0.
//!
//! ```text
//! $ echo 'b7 00 00 00 2a 00 00 00  95 00 00 00 00 00 00 00' | bpf_conformance_plugin
//! 2a
//! ```

#![allow(clippy::print_stderr, reason = "messages are what the protocol wants there")]

use std::io::Read as _;
use std::process::ExitCode;
use std::time::Duration;
use std::{env, io, process, thread};

use anyhow::{Context as _, Result, bail, ensure};
use ufunc_compile::execute::Executable;
use ufunc_compile::{
    Binding, Bindings, Instruction, Options, Program, Reach, Shape, Signature, Target, compile,
};

/// A program that runs for longer does not end at all.
const TIME_LIMIT: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    match run() {
        Ok(r0) => {
            println!("{r0:x}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("bpf_conformance_plugin: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// What the suite asks for.
struct Request {
    program: Vec<u8>,
    memory: Vec<u8>,
}

fn run() -> Result<u64> {
    let Request { program, mut memory } = request()?;
    let instructions = Instruction::read_all(&program)?;
    // The suite's programs were not verified; some may call themselves.
    let shape = Shape { call_frames: None, ..Shape::default() };
    let program = Program::parse(&instructions, &shape)?;
    let code = compile(&program, &bindings(), &Options { arguments: 2, ..Options::default() })?;
    let executable = Executable::new(&code, address)?;

    report_faults();
    thread::spawn(|| {
        thread::sleep(TIME_LIMIT);
        eprintln!("bpf_conformance_plugin: the program runs for more than {TIME_LIMIT:?}");
        process::exit(1);
    });
    let start = if memory.is_empty() { 0 } else { memory.as_mut_ptr() as u64 };
    // SAFETY: the helpers are ours. What the program does with its memory is up to the suite: this
    // process ends when it goes wrong.
    Ok(unsafe { executable.call([start, memory.len() as u64, 0, 0, 0]) })
}

/// Reads arguments and standard input. Other plugins also take the program as an argument.
fn request() -> Result<Request> {
    let mut program = None;
    let mut memory = None;
    let mut arguments = env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--help" => bail!(
                "usage: [--program HEX] [MEMORY-HEX]; without --program, it is read from the standard input"
            ),
            "--program" => {
                let hex = arguments.next().context("--program takes the program as hex")?;
                program = Some(bytes(&hex).context("in the program")?);
            }
            "--elf" => bail!("programs in ELF files are not supported"),
            // Options of other plugins, as --debug or --jit, say nothing of the program.
            option if option.starts_with("--") => {}
            hex if memory.is_none() => memory = Some(bytes(hex).context("in the memory")?),
            // The suite passes its options for plugins on, even if they are empty.
            blank if blank.trim().is_empty() => {}
            other => bail!("unexpected argument '{other}'"),
        }
    }
    let program = match program {
        Some(program) => program,
        None => {
            let mut hex = String::new();
            io::stdin().read_to_string(&mut hex).context("failed to read the program")?;
            bytes(&hex).context("in the program")?
        }
    };
    Ok(Request { program, memory: memory.unwrap_or_default() })
}

/// Bytes as hex, two digits each, with or without white space between them.
fn bytes(hex: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for word in hex.split_whitespace() {
        let digits = word.strip_prefix("0x").unwrap_or(word);
        let padded = if digits.len() == 1 { format!("0{digits}") } else { digits.to_owned() };
        ensure!(
            padded.len() % 2 == 0 && padded.bytes().all(|digit| digit.is_ascii_hexdigit()),
            "'{word}' are no bytes in hex"
        );
        for at in (0..padded.len()).step_by(2) {
            bytes.push(u8::from_str_radix(&padded[at..at + 2], 16)?);
        }
    }
    Ok(bytes)
}

extern "C" fn time() -> u64 {
    let elapsed = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX)
}

extern "C" fn random() -> u64 {
    time().wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32
}

extern "C" fn processor() -> u64 {
    0
}

extern "C" fn process_and_thread() -> u64 {
    u64::from(process::id()) << 32 | u64::from(process::id())
}

/// The kernel's helpers that need nothing but themselves, by their numbers.
const HELPERS: [(u32, extern "C" fn() -> u64); 4] =
    [(5, time), (7, random), (8, processor), (14, process_and_thread)];

fn bindings() -> Bindings {
    let binding = Binding::Function { signature: Signature::words(0), reach: Reach::Far };
    HELPERS.iter().map(|(id, _)| (Target::Helper(*id), binding.clone())).collect()
}

fn address(target: Target) -> Option<u64> {
    HELPERS
        .iter()
        .find(|(id, _)| target == Target::Helper(*id))
        .map(|(_, helper)| *helper as usize as u64)
}

/// Ends the process with a message when the program goes astray, on a stack of its own: the
/// program may have used up the other one.
fn report_faults() {
    extern "C" fn report(_: libc::c_int) {
        let message = b"bpf_conformance_plugin: the program accesses memory that it may not\n";
        // SAFETY: both may be called in a handler, and the message is valid for its length.
        unsafe {
            libc::write(libc::STDERR_FILENO, message.as_ptr().cast(), message.len());
            libc::_exit(1);
        }
    }
    for signal in [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE] {
        // SAFETY: the handler only does what handlers may. Rust has set up a stack for handlers
        // for this thread.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = report as *const () as usize;
            action.sa_flags = libc::SA_ONSTACK;
            libc::sigaction(signal, &raw const action, std::ptr::null_mut());
        }
    }
}
