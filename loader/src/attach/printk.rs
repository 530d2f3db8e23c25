// SPDX-License-Identifier: MIT OR Apache-2.0
//! What programs print with `bpf_printk`, and only these programs.
//!
//! The kernel writes such a line as a trace event. Reading it from the well-known `trace_pipe` would
//! take it away from everybody else who reads there, so it is read from an instance of its own: a
//! set of buffers that others do not see.
//!
//! The event does not say which program printed. So the instance also records the stack, in which
//! the program is found by its address; lines that other programs printed are left out.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _};
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use rustix::fs::OFlags;

use super::tracefs::Tracefs;

/// Begins the names of instances that this command made.
const PREFIX: &str = "ufunc-loader-";
/// The event as which `bpf_printk` comes.
const EVENT: &str = "bpf_trace_printk: ";
/// What comes instead of an event's text where the stack follows.
const STACK: &str = "<stack trace>";
/// What comes instead of the name of a thread that has not given up its processor since: only then
/// does the trace learn the name.
const UNNAMED: &str = "<...>";
/// How long the stack is waited for after its line; it is written right after it.
const STACK_DELAY: Duration = Duration::from_millis(200);

/// A line that a program printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Name of the thread in which the program ran.
    pub(crate) comm: String,
    /// Number of that thread.
    pub(crate) pid: u32,
    /// Processor.
    pub(crate) cpu: u32,
    /// Seconds since the machine started.
    pub(crate) time: String,
    /// What it printed, without the line's end.
    pub(crate) text: String,
    /// The program, if the stack shows it.
    pub(crate) program: Option<String>,
}

/// A program whose lines are wanted.
#[derive(Clone, Debug)]
pub(crate) struct Printer {
    pub(crate) name: String,
    /// The symbol that the kernel gives its code, `bpf_prog_TAG_NAME`.
    pub(crate) symbol: String,
    /// Where its code is; empty where the kernel does not say it.
    pub(crate) code: Vec<Range<u64>>,
}

/// Reads what programs print.
#[derive(Debug)]
pub(crate) struct Printk {
    tracefs: Tracefs,
    /// The instance's folder.
    folder: String,
    pipe: File,
    /// Bytes after the last whole line.
    rest: Vec<u8>,
    /// One for each processor at most: another's events may come between a line and its stack.
    pending: Vec<Pending>,
    /// The processor whose line is being continued by what has no head.
    current: Option<u32>,
    printers: Vec<Printer>,
    /// How many events found no room since that was last asked.
    lost: u64,
}

/// A line of which not all may have been read.
#[derive(Debug)]
struct Pending {
    line: Line,
    read_at: Instant,
    /// The frames of its stack so far; `None` before the stack.
    stack: Option<Vec<String>>,
}

impl Printk {
    /// Begins to record what is printed.
    pub(crate) fn start() -> Result<Printk> {
        let tracefs = Tracefs::open()?;
        remove_abandoned(&tracefs);
        let folder = format!("instances/{PREFIX}{}", std::process::id());
        // One of a process that had the same number.
        let _ = tracefs.remove_folder(&folder);
        tracefs.make_folder(&folder).context("failed to make an instance of the trace buffers")?;
        let start = || -> io::Result<File> {
            // The stack tells who printed; the addresses tell apart programs of the same name.
            for option in ["stacktrace", "sym-addr"] {
                tracefs.write(&format!("{folder}/options/{option}"), "1")?;
            }
            tracefs.write(&format!("{folder}/events/bpf_trace/bpf_trace_printk/enable"), "1")?;
            tracefs.open_file(&format!("{folder}/trace_pipe"), OFlags::RDONLY | OFlags::NONBLOCK)
        };
        match start() {
            Ok(pipe) => Ok(Printk {
                tracefs,
                folder,
                pipe,
                rest: Vec::new(),
                pending: Vec::new(),
                current: None,
                printers: Vec::new(),
                lost: 0,
            }),
            Err(error) => {
                // The first error is the one to report.
                let _ = tracefs.remove_folder(&folder);
                Err(error).context("failed to record what programs print")
            }
        }
    }

    /// Leaves out what others than these programs print; nothing, if there are none.
    pub(crate) fn only(&mut self, printers: Vec<Printer>) {
        self.printers = printers;
    }

    /// What is there to be read.
    pub(crate) fn read(&mut self) -> io::Result<Vec<Line>> {
        let mut lines = Vec::new();
        let mut buffer = [0; 16 << 10];
        loop {
            match self.pipe.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => {
                    self.rest.extend_from_slice(&buffer[..length]);
                    self.take_lines(&mut lines);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.finish(&mut lines, |pending| {
            pending.is_whole() || pending.read_at.elapsed() > STACK_DELAY
        });
        Ok(lines)
    }

    /// How many events were lost since the last call, because they came too fast.
    pub(crate) fn take_lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost)
    }

    /// Whether a line waits for the rest of it.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.pending.is_empty()
    }

    /// The last lines, when no more will come.
    pub(crate) fn drain(&mut self) -> io::Result<Vec<Line>> {
        let mut lines = self.read()?;
        self.finish(&mut lines, |_| true);
        Ok(lines)
    }

    fn take_lines(&mut self, lines: &mut Vec<Line>) {
        let rest = std::mem::take(&mut self.rest);
        for part in rest.split_inclusive(|byte| *byte == b'\n') {
            if !part.ends_with(b"\n") {
                self.rest = part.to_vec();
                break;
            }
            let text = String::from_utf8_lossy(part);
            self.take_line(text.trim_end_matches('\n'), lines);
        }
    }

    fn take_line(&mut self, text: &str, lines: &mut Vec<Line>) {
        if let Some(count) = lost_events(text) {
            self.lost += count;
            return;
        }
        if let Some((line, event)) = header(text) {
            let cpu = line.cpu;
            self.current = Some(cpu);
            if event == STACK {
                if let Some(pending) = self.pending_on(cpu) {
                    pending.stack = Some(Vec::new());
                }
                return;
            }
            self.finish(lines, |pending| pending.is_whole() || pending.line.cpu == cpu);
            if let Some(printed) = event.strip_prefix(EVENT) {
                let line = Line { text: printed.to_owned(), ..line };
                self.pending.push(Pending { line, read_at: Instant::now(), stack: None });
            }
            return;
        }
        match self.current.and_then(|cpu| self.pending_on(cpu)) {
            Some(Pending { stack: Some(stack), .. }) => stack.push(text.to_owned()),
            Some(Pending { line, stack: None, .. }) => {
                line.text.push('\n');
                line.text.push_str(text);
            }
            None => {}
        }
    }

    fn pending_on(&mut self, cpu: u32) -> Option<&mut Pending> {
        self.pending.iter_mut().find(|pending| pending.line.cpu == cpu)
    }

    /// Passes on those of the pending lines that are `done`, if one of the programs printed them.
    fn finish(&mut self, lines: &mut Vec<Line>, done: impl Fn(&Pending) -> bool) {
        for pending in self.pending.extract_if(.., |pending| done(pending)) {
            let Pending { mut line, stack, .. } = pending;
            let trimmed = line.text.trim_end_matches('\n').len();
            line.text.truncate(trimmed);
            match origin(&stack.unwrap_or_default(), &self.printers) {
                Origin::Program(name) => {
                    line.program = Some(name);
                    lines.push(line);
                }
                Origin::Unknown => lines.push(line),
                Origin::Other => {}
            }
        }
    }
}

impl Pending {
    /// Whether its stack is there, which is written as a whole.
    fn is_whole(&self) -> bool {
        self.stack.as_ref().is_some_and(|stack| !stack.is_empty())
    }
}

impl AsFd for Printk {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }
}

impl Drop for Printk {
    fn drop(&mut self) {
        // An instance cannot be removed while its pipe is open.
        if let Ok(null) = File::open("/dev/null") {
            self.pipe = null;
        }
        // If that fails, the next run removes it.
        let _ = self.tracefs.remove_folder(&self.folder);
    }
}

/// Removes what runs left that were killed.
fn remove_abandoned(tracefs: &Tracefs) {
    for name in tracefs.names("instances").unwrap_or_default() {
        let Some(pid) = name.strip_prefix(PREFIX) else { continue };
        if !Path::new("/proc").join(pid).exists() {
            // That of a process which is not seen from here is in use, and cannot be removed.
            let _ = tracefs.remove_folder(&format!("instances/{name}"));
        }
    }
}

/// Who printed a line.
#[derive(Debug, PartialEq, Eq)]
enum Origin {
    /// The wanted program of that name.
    Program(String),
    /// A program that is not wanted.
    Other,
    /// The stack shows no program, or it is not known which are wanted.
    Unknown,
}

/// Who printed the line with this stack: the first program in it, which is the innermost.
fn origin(stack: &[String], printers: &[Printer]) -> Origin {
    for frame in stack {
        let Some((symbol, address)) = parse_frame(frame) else { continue };
        if !symbol.starts_with("bpf_prog_") {
            continue;
        }
        let is_within =
            |printer: &&Printer| printer.code.iter().any(|code| code.contains(&address));
        // Where no addresses are shown, the name and the hash of the instructions have to do.
        let is_named = |printer: &&Printer| printer.code.is_empty() && printer.symbol == symbol;
        if printers.is_empty() {
            return Origin::Unknown;
        }
        let mut printers = printers.iter();
        let found = printers.find(|printer| is_within(printer) || is_named(printer));
        return found.map_or(Origin::Other, |printer| Origin::Program(printer.name.clone()));
    }
    Origin::Unknown
}

/// Reads ` => bpf_prog_6deef7357e7b4530_add_test <ffffffffc0001234>`.
fn parse_frame(frame: &str) -> Option<(&str, u64)> {
    let (symbol, address) = frame.trim_start().strip_prefix("=> ")?.rsplit_once(" <")?;
    let address = u64::from_str_radix(address.strip_suffix('>')?, 16).ok()?;
    // Some kernels add where in the symbol it is, or whose it is.
    let symbol = symbol.split(['+', ' ']).next()?;
    Some((symbol, address))
}

/// Reads `CPU:1 [LOST 23 EVENTS]`; some kernels do not say how many.
fn lost_events(text: &str) -> Option<u64> {
    let (_, lost) = text.strip_prefix("CPU:")?.split_once(" [LOST ")?;
    let count = lost.strip_suffix("EVENTS]")?.trim();
    Some(count.parse().unwrap_or(1))
}

/// The name of a thread that still runs.
fn name_of(pid: u32) -> Option<String> {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    Some(name.trim_end_matches('\n').to_owned())
}

/// Reads the head of `        btf-base-1234    [001] ...11  1234.567890: bpf_trace_printk: text`:
/// the line without a text, and the event.
fn header(text: &str) -> Option<(Line, &str)> {
    // The thread's name may have any characters.
    for (at, _) in text.match_indices(" [") {
        let Some((cpu, rest)) = text[at + 2..].split_once("] ") else { continue };
        let Ok(cpu) = cpu.parse() else { continue };
        let Some((comm, pid)) = text[..at].trim().rsplit_once('-') else { continue };
        let Ok(pid) = pid.parse() else { continue };
        let Some((flags_and_time, event)) = rest.split_once(": ") else { continue };
        let time = flags_and_time.split_whitespace().next_back()?.to_owned();
        let comm = match comm {
            UNNAMED => name_of(pid).unwrap_or_else(|| comm.to_owned()),
            name => name.to_owned(),
        };
        return Some((Line { comm, pid, cpu, time, text: String::new(), program: None }, event));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_of_an_event_is_read() {
        let text = "     a [b] c-1234    [001] ...11  1234.567890: bpf_trace_printk: x [2]: y";
        let (line, event) = header(text).unwrap();
        assert_eq!((line.comm.as_str(), line.pid, line.cpu), ("a [b] c", 1234, 1));
        assert_eq!(line.time, "1234.567890");
        assert_eq!(event, "bpf_trace_printk: x [2]: y");
        for other in ["", " => bpf_prog_1_a <ff>", "hello [1] world", "x [001] a: b"] {
            assert!(header(other).is_none(), "{other}");
        }
    }

    #[test]
    fn a_thread_that_the_trace_does_not_know_yet_is_named() {
        let own = std::process::id();
        let text = format!("     <...>-{own}    [001] ...11  1.5: bpf_trace_printk: x");
        let (line, _) = header(&text).unwrap();
        assert_eq!(line.comm, fs::read_to_string("/proc/self/comm").unwrap().trim_end());
    }

    #[test]
    fn lost_events_are_counted() {
        assert_eq!(lost_events("CPU:1 [LOST 23 EVENTS]"), Some(23));
        assert_eq!(lost_events("CPU:0 [LOST EVENTS]"), Some(1));
        assert_eq!(lost_events("CPU: what a program prints"), None);
    }

    #[test]
    fn the_innermost_program_printed() {
        let printer = Printer {
            name: "mine".into(),
            symbol: "bpf_prog_12_mine".into(),
            code: vec![0x100..0x180, 0x180..0x200],
        };
        let stack = |frames: &[&str]| frames.iter().map(ToString::to_string).collect::<Vec<_>>();
        let printers = [printer.clone()];
        let of = |frames: &[&str]| origin(&stack(frames), &printers);
        let mine = Origin::Program("mine".into());
        assert_eq!(of(&[" => bpf_trace_printk <1>", " => bpf_prog_12_mine <150>"]), mine);
        assert_eq!(of(&[" => bpf_prog_12_mine+0x5/0x10 [bpf] <150>"]), mine);
        assert_eq!(of(&[" => bpf_prog_12_mine <250>"]), Origin::Other);
        assert_eq!(of(&[" => bpf_prog_9_other <9>", " => bpf_prog_12_mine <150>"]), Origin::Other);
        assert_eq!(of(&[" => uprobe_dispatcher <9>"]), Origin::Unknown);
        assert_eq!(origin(&stack(&[" => bpf_prog_12_mine <150>"]), &[]), Origin::Unknown);
        let unplaced = [Printer { code: Vec::new(), ..printer }];
        assert_eq!(origin(&stack(&[" => bpf_prog_12_mine <250>"]), &unplaced), mine);
    }
}
