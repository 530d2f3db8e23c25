// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the verifier printed: which line is the reason, which instruction it is about, where that
//! instruction came from, and the statistics.
//!
//! The log is made for reading. It mixes, line by line:
//!
//! ```text
//! 0: R1=ctx() R10=fp0                                            state of the registers
//! ; struct data *d = my_alloc_data(); @ leak.bpf.c:18            source of what follows
//! 0: (85) call my_alloc_data#143233     ; R0_w=ptr_or_null_…     instruction, changed registers
//! from 1 to 17: R0_w=ptr_data(ref_obj_id=2) R10=fp0 refs=2       another path begins
//! 18: (95) exit
//! Unreleased reference id=2 alloc_insn=0                         the reason
//! processed 19 insns (limit 1000000) max_states_per_insn 1 …     statistics
//! ```
//!
//! The reason is the first message after the last instruction: what follows it are consequences,
//! statistics and, since 7.3, a structured report of the same ([`Diagnosis`]). But of memory that is
//! given with a length, the verifier says first what is wrong with the memory, and then which it is.

use std::collections::BTreeMap;
use std::iter::Peekable;

/// An instruction as the log shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction<'a> {
    /// Index in the program, subprograms included.
    pub index: u32,
    /// Its disassembly, or what libbpf put there: `<invalid CO-RE relocation>`.
    pub text: &'a str,
    /// Source line shown before it.
    pub source: Option<LogSource<'a>>,
}

impl<'a> Instruction<'a> {
    /// The function that it calls, if it is a call of a helper or kfunc.
    pub fn callee(&self) -> Option<&'a str> {
        let call = self.text.strip_prefix("(85) call ")?;
        let (name, _) = call.split_once('#')?;
        (!name.is_empty() && !name.contains(' ')).then_some(name)
    }
}

impl Instruction<'_> {
    /// How far it jumps if its condition holds; `None` if it is no conditional jump.
    fn conditional_jump(&self) -> Option<i32> {
        let (_, condition) = self.text.split_once(") if ")?;
        let (_, distance) = condition.split_once(" goto pc")?;
        distance.trim().parse().ok()
    }

    /// The comparison of a conditional jump, `w2 s< 0x0`.
    pub fn comparison(&self) -> Option<&str> {
        let (_, condition) = self.text.split_once(") if ")?;
        condition.split_once(" goto pc").map(|(comparison, _)| comparison)
    }
}

/// A source line in the log, `; TEXT @ FILE:LINE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogSource<'a> {
    /// The line.
    pub text: &'a str,
    /// File without its folder and number of the line; kernels before 6.10 do not say it.
    pub place: Option<(&'a str, u32)>,
}

/// Numbers that the verifier prints at the end, whatever the verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Instructions that the verifier went through, on all paths.
    pub processed_insns: u64,
    /// States that it kept.
    pub total_states: u64,
    /// States that it kept at once.
    pub peak_states: u64,
    /// Most states at one instruction.
    pub max_states_per_insn: u64,
    /// Longest chain of states that one register's use was followed through.
    pub mark_read: u64,
    /// Bytes of stack, of the program and its subprograms together.
    pub stack_depth: Option<u64>,
    /// Microseconds that verification took, where the log level asks for it.
    pub microseconds: Option<u64>,
}

/// What the structured report of kernels since 7.3 says, beside the message of old.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnosis {
    /// Category and problem, `Resource Lifetime Safety: Unreleased resource`.
    pub title: String,
    /// What is wrong, in a sentence or two.
    pub reason: String,
    /// What to do about it.
    pub suggestion: String,
}

/// An instruction on the path that is being verified.
#[derive(Clone, Copy, Debug)]
struct Step {
    index: u32,
    /// Whether the path was left here for another branch, and taken up again with that.
    is_left: bool,
}

/// A conditional jump on the path to the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Branch<'a> {
    /// The jump.
    pub jump: Instruction<'a>,
    /// Whether it was followed.
    pub is_followed: bool,
    /// Where it is on the path, for [`VerifierLog::path_from`].
    pub position: usize,
}

/// The log of one verification.
#[derive(Clone, Debug, Default)]
pub struct VerifierLog<'a> {
    /// Why the program was rejected; `None` if it was not, or not by the verifier.
    pub reason: Option<&'a str>,
    /// The same as the kernel itself explains it.
    pub diagnosis: Option<Diagnosis>,
    /// The instruction that the reason is about.
    pub failed_at: Option<Instruction<'a>>,
    /// The numbers at the end.
    pub statistics: Option<Statistics>,
    instructions: BTreeMap<u32, Instruction<'a>>,
    /// The instructions on the way to the reason, in that order.
    path: Vec<Step>,
    /// What the log said last of each register, up to the reason.
    registers: BTreeMap<u8, &'a str>,
}

impl<'a> VerifierLog<'a> {
    /// Reads the log; what it does not know it takes for a message.
    pub fn parse(log: &'a str) -> Self {
        let mut parsed = VerifierLog::default();
        let mut source = None;
        let mut message = None;
        let mut lines = log.lines().map(str::trim_end).peekable();
        while let Some(line) = lines.next() {
            let kind = Line::parse(line);
            if matches!(kind, Line::Instruction { .. } | Line::Noise) && message.is_none() {
                parsed.registers.extend(registers(line));
            }
            match kind {
                Line::Source(found) => source = Some(found),
                Line::Instruction { index, text } => {
                    let instruction = Instruction { index, text, source };
                    parsed.instructions.insert(index, instruction);
                    parsed.path.push(Step { index, is_left: false });
                    parsed.failed_at = Some(instruction);
                    message = None;
                }
                Line::Resumed { after } => parsed.go_back_to(after),
                Line::Statistics(found) => {
                    let known = parsed.statistics.unwrap_or_default();
                    let Statistics { microseconds, stack_depth, .. } = known;
                    parsed.statistics = Some(Statistics { microseconds, stack_depth, ..found });
                }
                Line::Time(found) => {
                    parsed.statistics.get_or_insert_default().microseconds = Some(found);
                }
                Line::StackDepth(found) => {
                    parsed.statistics.get_or_insert_default().stack_depth = Some(found);
                }
                Line::Report { title } => {
                    message = message.or(Some(title));
                    parsed.diagnosis = Some(Diagnosis::read(title, &mut lines));
                }
                Line::Noise => {}
                Line::Message(text) if text.ends_with(WRONG_LENGTH) => message = Some(text),
                Line::Message(text) => message = message.or(Some(text)),
            }
        }
        parsed.reason = message;
        parsed.failed_at = parsed.failed_at.or_else(|| named_instruction(message?));
        parsed
    }

    /// The instructions on the way to the reason, in that order.
    pub fn path(&self) -> impl DoubleEndedIterator<Item = Instruction<'a>> {
        self.path.iter().filter_map(|step| self.instruction(step.index))
    }

    /// The conditional jumps on the way to the reason, after the last time that the instruction at
    /// `index` was on it.
    pub fn branches_after(&self, index: u32) -> Vec<Branch<'a>> {
        let start = self.path.iter().rposition(|step| step.index == index).unwrap_or_default();
        let branch = |position| self.branch(position);
        (start..self.path.len().saturating_sub(1)).filter_map(branch).collect()
    }

    /// The instructions on the way to the reason from `position` on.
    pub fn path_from(&self, position: usize) -> impl Iterator<Item = Instruction<'a>> {
        let steps = self.path.get(position..).unwrap_or_default();
        steps.iter().filter_map(|step| self.instruction(step.index))
    }

    /// The instruction at `position` as a conditional jump.
    fn branch(&self, position: usize) -> Option<Branch<'a>> {
        let (step, next) = (self.path.get(position)?, self.path.get(position + 1)?);
        let jump = self.instruction(step.index)?;
        let after = step.index.checked_add(1)?;
        let target = after.checked_add_signed(jump.conditional_jump()?)?;
        Some(Branch { jump, is_followed: next.index == target && target != after, position })
    }

    /// Takes up the path again where another branch had been taken after the instruction `index`:
    /// what came after it is on another path.
    fn go_back_to(&mut self, index: u32) {
        let left = self.path.iter().rposition(|step| step.index == index && !step.is_left);
        if let Some(at) = left {
            self.path.truncate(at + 1);
            self.path[at].is_left = true;
        }
    }

    /// The instruction at `index`, if the log shows it.
    pub fn instruction(&self, index: u32) -> Option<Instruction<'a>> {
        self.instructions.get(&index).copied()
    }

    /// What the register of that number holds at the instruction that the reason is about, as the
    /// log shows it: `0`, `scalar()`, `ptr_data(ref_obj_id=2)`.
    pub fn register(&self, number: u8) -> Option<&'a str> {
        self.registers.get(&number).copied()
    }

    /// The last instructions and what was said about them: enough to see what went wrong.
    pub fn excerpt(log: &str, lines: usize) -> String {
        let all: Vec<&str> = log.lines().collect();
        let skipped = all.len().saturating_sub(lines);
        let mut excerpt = String::new();
        if skipped > 0 {
            excerpt += &format!("… {skipped} lines before\n");
        }
        for line in &all[skipped..] {
            excerpt += line;
            excerpt.push('\n');
        }
        excerpt
    }
}

impl Diagnosis {
    /// Reads the report's paragraphs up to its end, which is a line that belongs to none.
    fn read<'a>(title: &str, lines: &mut Peekable<impl Iterator<Item = &'a str>>) -> Self {
        let mut diagnosis = Diagnosis { title: title.to_owned(), ..Diagnosis::default() };
        let mut paragraph = None;
        while let Some(line) =
            lines.next_if(|line| line.is_empty() || line.starts_with(' ') || is_heading(line))
        {
            if is_heading(line) {
                paragraph = Some(line);
                continue;
            }
            let text = match paragraph {
                Some("Reason:") => &mut diagnosis.reason,
                Some("Suggestion:") => &mut diagnosis.suggestion,
                _ => continue,
            };
            if !text.is_empty() && !line.is_empty() {
                text.push(' ');
            }
            text.push_str(line.trim_start());
        }
        diagnosis
    }
}

/// Whether the line begins a paragraph of the structured report: `Causal path:`.
fn is_heading(line: &str) -> bool {
    let words = line.strip_suffix(':');
    words.is_some_and(|words| {
        words.starts_with(|char: char| char.is_ascii_uppercase())
            && words.chars().all(|char| char.is_ascii_alphabetic() || char == ' ')
    })
}

/// The instruction that a check before the first one names: `unreachable insn 5`.
fn named_instruction(reason: &str) -> Option<Instruction<'_>> {
    let (_, after) = reason.split_once("insn ")?;
    Some(Instruction { index: leading_number(after)?, text: "", source: None })
}

/// What begins the structured report.
const REPORT: &str = "Verification failed: ";

/// What ends the message about memory and its length.
const WRONG_LENGTH: &str = "memory, len pair leads to invalid memory access";
/// What begins lines that say nothing about the reason.
const NOISE: [&str; 22] = [
    "Func#",
    "Live regs before insn:",
    "Validating ",
    "arg#0 reference type('UNKNOWN ') size cannot be determined",
    "callee:",
    "caller:",
    "cur state:",
    "frame ",
    "frame1: R",
    "frame2: R",
    "func#",
    "insns processed ",
    "insns/",
    "last_idx ",
    "mark_precise: ",
    "old state:",
    "parent ",
    "propagating ",
    "regs=",
    "returning from callee:",
    "subprog ",
    "to caller at ",
];

/// One line of the log.
#[derive(Debug, PartialEq)]
enum Line<'a> {
    Source(LogSource<'a>),
    Instruction {
        index: u32,
        text: &'a str,
    },
    Statistics(Statistics),
    Time(u64),
    StackDepth(u64),
    /// The path goes on with another branch after the instruction at that index.
    Resumed {
        after: u32,
    },
    /// The structured report begins.
    Report {
        title: &'a str,
    },
    Noise,
    Message(&'a str),
}

impl<'a> Line<'a> {
    fn parse(line: &'a str) -> Self {
        if let Some(comment) = line.strip_prefix("; ") {
            return Line::Source(source(comment));
        }
        if let Some((index, text)) = numbered(line) {
            return match text.starts_with('(') || text.starts_with('<') {
                true => Line::Instruction { index, text: without_registers(text) },
                false => Line::Noise,
            };
        }
        if line.starts_with("processed ") {
            return statistics(line).map_or(Line::Noise, Line::Statistics);
        }
        if let Some(time) = line.strip_prefix("verification time ") {
            return leading_number(time).map_or(Line::Noise, |time| Line::Time(time.into()));
        }
        if let Some(depth) = line.strip_prefix("stack depth ") {
            return stack_depth(depth).map_or(Line::Noise, Line::StackDepth);
        }
        if let Some(after) = line.strip_prefix("from ") {
            return leading_number(after).map_or(Line::Noise, |after| Line::Resumed { after });
        }
        if let Some(title) = line.strip_prefix(REPORT) {
            return Line::Report { title };
        }
        let is_noise = line.is_empty()
            || line.starts_with([' ', '\t'])
            || NOISE.iter().any(|start| line.starts_with(start))
            || is_registers(line);
        if is_noise { Line::Noise } else { Line::Message(line) }
    }
}

/// Splits `12: TEXT`.
fn numbered(line: &str) -> Option<(u32, &str)> {
    let (index, text) = line.split_once(": ").or_else(|| line.split_once(':'))?;
    let is_number = !index.is_empty() && index.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { Some((index.parse().ok()?, text)) } else { None }
}

fn leading_number(text: &str) -> Option<u32> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    text[..digits].parse().ok()
}

/// An instruction without the registers after it: `(85) call f#1     ; R0_w=…`, or, at a branch,
/// `(55) if r0 != 0x0 goto pc+15 17: R0_w=…`.
fn without_registers(text: &str) -> &str {
    let text = text.split_once(" ; ").map_or(text, |(text, _)| text);
    let text = match text.find(": R").map(|at| &text[..at]) {
        Some(before) => before.trim_end_matches(|char: char| char.is_ascii_digit()),
        None => text,
    };
    text.trim_end()
}

/// Whether the line shows registers: `R0_w=… R1=…`.
fn is_registers(line: &str) -> bool {
    let first = line.split(' ').next().unwrap_or_default();
    let Some((register, _)) = first.split_once('=') else { return false };
    register == "refs"
        || register.starts_with("fp-")
        || register
            .strip_prefix('R')
            .is_some_and(|rest| rest.starts_with(|char: char| char.is_ascii_digit()))
}

/// The registers that the line shows, and their values: `R1=0`, `R1_w=0` on older kernels.
fn registers(line: &str) -> impl Iterator<Item = (u8, &str)> {
    line.split(' ').filter_map(|word| {
        let (register, value) = word.strip_prefix('R')?.split_once('=')?;
        let number = register.split('_').next()?;
        Some((number.parse().ok()?, value))
    })
}

/// Reads `TEXT @ FILE:LINE`.
fn source(comment: &str) -> LogSource<'_> {
    let place = comment.rsplit_once(" @ ").and_then(|(text, place)| {
        let (file, line) = place.rsplit_once(':')?;
        Some((text, (file, line.parse().ok()?)))
    });
    match place {
        Some((text, place)) => LogSource { text: text.trim(), place: Some(place) },
        None => LogSource { text: comment.trim(), place: None },
    }
}

/// Reads `0+16+8`, one number for each subprogram, or `max 24`.
fn stack_depth(text: &str) -> Option<u64> {
    let text = text.strip_prefix("max ").unwrap_or(text);
    text.split('+').map(|depth| depth.trim().parse::<u64>().ok()).sum()
}

/// Reads `processed 18 insns (limit 1000000) max_states_per_insn 1 total_states 1 peak_states 1 …`.
fn statistics(line: &str) -> Option<Statistics> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let after = |name: &str| {
        let at = words.iter().position(|word| *word == name)?;
        words.get(at + 1)?.parse().ok()
    };
    Some(Statistics {
        processed_insns: after("processed")?,
        total_states: after("total_states").unwrap_or_default(),
        peak_states: after("peak_states").unwrap_or_default(),
        max_states_per_insn: after("max_states_per_insn").unwrap_or_default(),
        mark_read: after("mark_read").unwrap_or_default(),
        stack_depth: None,
        microseconds: None,
    })
}
