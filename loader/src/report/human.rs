// SPDX-License-Identifier: MIT OR Apache-2.0
//! The report for people.
//!
//! It is always written with colours; whoever prints it strips them where they do not belong
//! (`anstream` does).

use std::borrow::Cow;
use std::io::{self, Write};
use std::path::Path;

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use anstyle::{AnsiColor, Style};

use super::{Acquisition, ProgramReport, Report, Verdict};
use crate::source::SourceLine;

const ACCEPTED: Style = AnsiColor::BrightGreen.on_default().bold();
const REJECTED: Style = AnsiColor::BrightRed.on_default().bold();
const UNJUDGED: Style = AnsiColor::BrightYellow.on_default().bold();
const STRONG: Style = Style::new().bold();
const FAINT: Style = Style::new().dimmed();

/// How far the text below a program's line is indented.
const INDENT: &str = "  ";

/// Writes the report; `log` makes of a program's log what is to be shown.
pub fn write(
    report: &Report,
    log: impl Fn(&str) -> Option<String>,
    out: &mut impl Write,
) -> io::Result<()> {
    if report.failure.is_some() {
        return Ok(());
    }
    write_header(report, out)?;
    for program in &report.programs {
        write_program(program, out)?;
        let shown = (program.verdict != Verdict::Accepted).then_some(program.log.as_deref());
        if let Some(log) = shown.flatten().and_then(&log) {
            write_log(&log, out)?;
        }
        if program.verdict != Verdict::Accepted {
            writeln!(out)?;
        }
    }
    write_summary(report, out)
}

fn write_header(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let name = report.app.file_name().unwrap_or(report.app.as_os_str()).to_string_lossy();
    write!(out, "{STRONG}{}{STRONG:#} (", printable(&name))?;
    match &report.build_id {
        Some(build_id) => write!(out, "build-id {build_id})")?,
        None => write!(out, "no build-id)")?,
    }
    if let Some(module) = &report.module {
        let ufuncs = module.metadata.ufuncs.iter().map(|ufunc| ufunc.kfunc.as_str());
        let ufuncs = ufuncs.collect::<Vec<_>>().join(", ");
        write!(out, ", module {}: {}", printable(&module.name), printable(&ufuncs))?;
    }
    writeln!(out)
}

fn write_program(program: &ProgramReport, out: &mut impl Write) -> io::Result<()> {
    let style = match program.verdict {
        Verdict::Accepted => ACCEPTED,
        Verdict::Rejected => REJECTED,
        Verdict::Unjudged => UNJUDGED,
    };
    let (name, section) = (printable(&program.name), printable(&program.section));
    write!(out, "{style}{}{style:#}  {STRONG}{name}{STRONG:#}", program.verdict.name())?;
    writeln!(out, "  {FAINT}({section}){FAINT:#}")?;
    let Some(reason) = &program.reason else { return Ok(()) };
    match program.stage.filter(|_| program.verdict == Verdict::Unjudged) {
        Some(stage) => {
            writeln!(out, "{INDENT}failed at {}: {}", stage.describe(), printable(reason))?
        }
        None => writeln!(out, "{INDENT}{}", printable(reason))?,
    }
    for line in explanation(program).lines() {
        writeln!(out, "{INDENT}{line}")?;
    }
    Ok(())
}

/// The source lines, marked, and the help.
fn explanation(program: &ProgramReport) -> String {
    let mut group = Group::with_level(Level::ERROR);
    let acquired = program.acquired_at.as_ref();
    if let Some(Acquisition { function, source: Some(source) }) = acquired {
        let label = match function {
            Some(function) => format!("acquired here by {function}"),
            None => "acquired here".to_owned(),
        };
        group = add_line(group, source, function.as_deref(), Some(&label), AnnotationKind::Context);
    }
    let meaning = program.meaning.as_deref();
    match &program.source {
        Some(source) => {
            group = add_line(group, source, None, meaning, AnnotationKind::Primary);
        }
        None => group = group.elements(meaning.map(|text| Level::NOTE.message(printable(text)))),
    }
    group =
        group.elements(program.help.as_deref().map(|text| Level::HELP.message(printable(text))));
    if group.is_empty() {
        return String::new();
    }
    Renderer::styled().render(&[group])
}

/// Adds the source line to what is shown, `word` or the whole statement marked.
fn add_line<'a>(
    group: Group<'a>,
    source: &'a SourceLine,
    word: Option<&str>,
    label: Option<&str>,
    kind: AnnotationKind,
) -> Group<'a> {
    let path = shorten(&source.file);
    let text = printable(&source.text);
    if text.trim().is_empty() {
        let origin = Origin::path(path).line(source.line as usize);
        let label = label.map(|label| Level::NOTE.message(printable(label).into_owned()));
        return group.element(origin).elements(label);
    }
    let (start, end) = marked(&text, word);
    let annotation: Annotation<'a> =
        kind.span(start..end).label(label.map(|label| printable(label).into_owned()));
    group.element(
        Snippet::source(text.into_owned())
            .line_start(source.line as usize)
            .path(path)
            .annotation(annotation),
    )
}

/// The part of the line to mark: `word` if it is there, else all but the indentation.
fn marked(text: &str, word: Option<&str>) -> (usize, usize) {
    if let Some((word, at)) = word.and_then(|word| Some((word, text.find(word)?))) {
        return (at, at + word.len());
    }
    let start = text.len() - text.trim_start().len();
    (start, text.trim_end().len())
}

/// The file as one would type it: below the current folder, without that folder.
fn shorten(file: &str) -> Cow<'_, str> {
    let current = std::env::current_dir().ok();
    let below = current.and_then(|current| Path::new(file).strip_prefix(current).ok());
    match below.and_then(Path::to_str) {
        Some(below) if !below.is_empty() => printable(below),
        _ => printable(file),
    }
}

fn write_log(log: &str, out: &mut impl Write) -> io::Result<()> {
    for line in log.lines() {
        writeln!(out, "{INDENT}{FAINT}{}{FAINT:#}", printable(line))?;
    }
    Ok(())
}

fn write_summary(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let programs = report.programs.len();
    let (accepted, rejected) = (report.count(Verdict::Accepted), report.count(Verdict::Rejected));
    let plural = if programs == 1 { "" } else { "s" };
    write!(out, "{programs} program{plural}: {accepted} accepted, {rejected} rejected")?;
    match report.count(Verdict::Unjudged) {
        0 => writeln!(out),
        unjudged => writeln!(out, ", {unjudged} could not be judged"),
    }
}

/// The text without control characters: it comes from files that nobody vouches for, and a
/// terminal obeys them.
pub fn printable(text: &str) -> Cow<'_, str> {
    let harmless = |char: char| char == '\t' || !char.is_control();
    if text.chars().all(harmless) {
        return Cow::Borrowed(text);
    }
    let replace = |char: char| if harmless(char) { char } else { char::REPLACEMENT_CHARACTER };
    Cow::Owned(text.chars().map(replace).collect())
}
