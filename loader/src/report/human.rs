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

/// How many branches are shown of a long way: the last ones, which are near the mistake.
const FORKS_SHOWN: usize = 6;

/// How far the text below a program's line is indented.
const INDENT: &str = "  ";

/// Writes the reports; `log` makes of a program's log what is to be shown.
pub fn write(
    reports: &[Report],
    log: impl Fn(&str) -> Option<String>,
    out: &mut impl Write,
) -> io::Result<()> {
    for (place, report) in reports.iter().enumerate() {
        if place > 0 && report.failure.is_none() {
            writeln!(out)?;
        }
        write_report(report, &log, out)?;
    }
    if reports.len() > 1 {
        write_total(reports, out)?;
    }
    Ok(())
}

/// The names of the hosts that `report` is about, without control characters.
pub fn hosts(report: &Report) -> String {
    let names = report.hosts.iter().map(|host| name(&host.path));
    names.collect::<Vec<_>>().join(", ")
}

/// The file's name without its folder.
fn name(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    printable(&name).into_owned()
}

fn write_report(
    report: &Report,
    log: impl Fn(&str) -> Option<String>,
    out: &mut impl Write,
) -> io::Result<()> {
    if report.failure.is_some() {
        return Ok(());
    }
    if report.btf.is_some() || !report.hosts.is_empty() {
        write_header(report, out)?;
    }
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
    for (place, host) in report.hosts.iter().enumerate() {
        let separator = if place > 0 { ", " } else { "" };
        write!(out, "{separator}{STRONG}{}{STRONG:#} (", name(&host.path))?;
        match &host.build_id {
            Some(build_id) => write!(out, "build-id {build_id})")?,
            None => write!(out, "no build-id)")?,
        }
    }
    if let Some(btf) = &report.btf {
        let separator = if report.hosts.is_empty() { "" } else { ", " };
        write!(out, "{separator}types of {}", printable(&btf.to_string_lossy()))?;
    }
    if let Some(module) = &report.module {
        match module.is_made_for_one_call() {
            true => write!(out, ", module made for this call: ")?,
            false => write!(out, ", module {}: ", printable(&module.name))?,
        }
        write!(out, "{}", printable(&module.names()))?;
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
    let stage = program.stage.map(|stage| format!("{}: ", stage.describe())).unwrap_or_default();
    writeln!(out, "{INDENT}{stage}{}", printable(reason))?;
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
    let hidden = program.path.len().saturating_sub(FORKS_SHOWN);
    for fork in &program.path[hidden..] {
        let label = fork.describe();
        group = add_line(group, &fork.source, None, Some(&label), AnnotationKind::Context);
    }
    for breach in &program.breaches {
        group = match &breach.source {
            Some(source) => {
                let kind = AnnotationKind::Primary;
                add_line(group, source, Some(&breach.name), Some(&breach.label), kind)
            }
            None => group.element(Level::NOTE.message(printable(&breach.label).into_owned())),
        };
    }
    let meaning = program.meaning.as_deref();
    match &program.source {
        // The breaches say it.
        _ if !program.breaches.is_empty() => {}
        Some(source) => {
            group = add_line(group, source, None, meaning, AnnotationKind::Primary);
        }
        None => group = group.elements(meaning.map(|text| Level::NOTE.message(printable(text)))),
    }
    let reproduce = program.reproduce.as_deref().map(|command| format!("to reproduce: {command}"));
    group = group
        .elements(program.help.as_deref().map(|text| Level::HELP.message(printable(text))))
        .elements(reproduce.map(|text| Level::NOTE.message(printable(&text).into_owned())));
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

/// How many combinations of hosts have which verdict.
fn write_total(reports: &[Report], out: &mut impl Write) -> io::Result<()> {
    let count = |verdict| reports.iter().filter(|report| report.verdict() == verdict).count();
    let (accepted, rejected) = (count(Verdict::Accepted), count(Verdict::Rejected));
    write!(out, "\n{} combinations: {accepted} accepted, {rejected} rejected", reports.len())?;
    match count(Verdict::Unjudged) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modules::LoadedModule;
    use crate::report::{HostReport, Stage};
    use crate::way::Fork;
    use ufunc_gen::metadata::{BuildId, ModuleMetadata, Role, Target, UfuncMetadata};

    fn line(line: u32, text: &str) -> Option<SourceLine> {
        Some(SourceLine { file: "leak.bpf.c".into(), line, column: None, text: text.into() })
    }

    fn program(verdict: Verdict) -> ProgramReport {
        ProgramReport {
            name: "add_test".into(),
            section: "uprobe/app:add_test".into(),
            ..ProgramReport::empty(verdict)
        }
    }

    fn report(programs: Vec<ProgramReport>) -> Report {
        let ufunc = UfuncMetadata {
            kfunc: "my_alloc_data".into(),
            role: Role::Acquire,
            target: Target::Function { symbol: "my_alloc_data".into(), address: 0 },
            family: None,
            source: None,
            arguments: Vec::new(),
        };
        let build_id = BuildId(vec![0x5d, 0x41]);
        let metadata =
            ModuleMetadata { host: "app".into(), build_id: build_id.clone(), ufuncs: vec![ufunc] };
        Report {
            hosts: vec![HostReport { path: "examples/app".into(), build_id: Some(build_id) }],
            btf: None,
            object: "leak.bpf.o".into(),
            module: Some(LoadedModule { name: "ufunc".into(), metadata, prefix: String::new() }),
            types: Vec::new(),
            notes: Vec::new(),
            warnings: Vec::new(),
            programs,
            failure: None,
            reproduce: None,
        }
    }

    fn written(report: &Report) -> String {
        let mut out = Vec::new();
        write(std::slice::from_ref(report), |_| None, &mut out).unwrap();
        anstream::adapter::strip_str(std::str::from_utf8(&out).unwrap()).to_string()
    }

    #[test]
    fn a_leak_is_shown_with_the_way_to_it() {
        let rejected = ProgramReport {
            stage: Some(Stage::Verification),
            reason: Some("Unreleased reference id=2 alloc_insn=0".into()),
            source: line(21, "\treturn 0;"),
            acquired_at: Some(Acquisition {
                function: Some("my_alloc_data".into()),
                source: line(18, "\tstruct data *d = my_alloc_data();"),
            }),
            meaning: Some("the program can end here".into()),
            help: Some("release it with my_free_data on every path".into()),
            path: vec![Fork {
                source: line(20, "\tif (d->a < 0)").unwrap(),
                holds: Some(true),
                goes_on_at: None,
            }],
            reproduce: Some("loader verify leak.bpf.o --app 'my app'".into()),
            ..program(Verdict::Rejected)
        };
        let expected = "\
app (build-id 5d41), module ufunc: my_alloc_data
rejected  add_test  (uprobe/app:add_test)
  verification: Unreleased reference id=2 alloc_insn=0
    --> leak.bpf.c:18:19
     |
  18 |     struct data *d = my_alloc_data();
     |                      ------------- acquired here by my_alloc_data
     |
    ::: leak.bpf.c:20:2
     |
  20 |     if (d->a < 0)
     |     ------------- when this is true
     |
    ::: leak.bpf.c:21:2
     |
  21 |     return 0;
     |     ^^^^^^^^^ the program can end here
     |
     = help: release it with my_free_data on every path
     = note: to reproduce: loader verify leak.bpf.o --app 'my app'

1 program: 0 accepted, 1 rejected
";
        assert_eq!(written(&report(vec![rejected])), expected);
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let unjudged = ProgramReport {
            stage: Some(Stage::Map),
            reason: Some("map 'm': failed to create".into()),
            ..program(Verdict::Unjudged)
        };
        let without_text = ProgramReport {
            reason: Some("unreachable insn 1".into()),
            source: line(3, ""),
            ..program(Verdict::Rejected)
        };
        let programs = vec![program(Verdict::Accepted), unjudged, without_text];
        let expected = "\
app (no build-id)
accepted  add_test  (uprobe/app:add_test)
unjudged  add_test  (uprobe/app:add_test)
  map creation: map 'm': failed to create

rejected  add_test  (uprobe/app:add_test)
  unreachable insn 1
  --> leak.bpf.c:3

3 programs: 1 accepted, 1 rejected, 1 could not be judged
";
        let hosts = vec![HostReport { path: "examples/app".into(), build_id: None }];
        let report = Report { module: None, hosts, ..report(programs) };
        assert_eq!(written(&report), expected);
    }

    #[test]
    fn a_terminal_is_not_given_orders_by_an_object() {
        let evil = "\x1b]0;title\x07\x1b[31m";
        let rejected = ProgramReport {
            name: evil.into(),
            section: evil.into(),
            reason: Some(evil.into()),
            source: line(1, evil),
            meaning: Some(evil.into()),
            help: Some(evil.into()),
            acquired_at: Some(Acquisition { function: Some(evil.into()), source: line(2, evil) }),
            ..program(Verdict::Rejected)
        };
        let mut out = Vec::new();
        write(&[report(vec![rejected])], |_| Some(evil.to_owned()), &mut out).unwrap();
        let out = String::from_utf8(out).unwrap();
        assert!(!out.contains("\x1b]") && !out.contains('\x07'), "{out:?}");
        assert!(!out.contains("\x1b[31m"), "{out:?}");
    }

    #[test]
    fn the_call_is_marked_or_else_the_statement() {
        assert_eq!(marked("\treturn f(x); ", Some("f")), (8, 9));
        assert_eq!(marked("\treturn f(x); ", Some("g")), (1, 13));
        assert_eq!(marked("\treturn f(x); ", None), (1, 13));
    }
}
