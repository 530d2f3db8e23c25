// SPDX-License-Identifier: MIT OR Apache-2.0
//! From the files to the verdicts.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, bail};
use ufunc_gen::kernel::SYSFS_BTF;
use ufunc_gen::metadata::Role;

use crate::allow::{Limits, Point};
use crate::attempt::{self, Attempt, Outcome, Program, log_level};
use crate::capability;
use crate::combination::combinations;
use crate::explain::{self, Case, Unjudged};
use crate::host::App;
use crate::host_types::{HostTypes, Sources, TypeOptions};
use crate::interrupt;
use crate::layout;
use crate::map_memory::TooLarge;
use crate::messages::{self, Detail, Level};
use crate::missing::Missing;
use crate::modules::{self, KALLSYMS, Lease, Lending, LoadedModule};
use crate::object::BpfObject;
use crate::report::{Acquisition, Failure, ProgramReport, Report, Stage, Verdict, list};
use crate::source::{LineTable, SourceLine};
use crate::verifier_log::VerifierLog;
use crate::way;

/// What is to be judged.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The BPF object.
    pub object: &'a Path,
    /// The applications that it extends, and their shared libraries. Executables are alternatives
    /// to each other, as are libraries of one SONAME: every combination is judged.
    pub apps: &'a [PathBuf],
    /// Where types come from. Without BTF there must be an application.
    pub types: TypeOptions<'a>,
    /// Where the functions come from that the applications lend.
    pub lending: Lending<'a>,
    /// Names of the programs to judge; all of the object's if it is empty.
    pub programs: &'a [String],
    /// What this extension may use: a policy. Without, whatever the kernel takes.
    pub allow: Option<&'a Path>,
    /// Whether to keep all that libbpf and the verifier have to say.
    pub verbose: bool,
}

/// Has the kernel's verifier judge every program of the object, for each combination of the
/// applications.
///
/// What went wrong is in the reports too: there is always one.
pub fn verify(request: &Request<'_>) -> Vec<Report> {
    let report = |apps: &[&Path]| Report {
        btf: request.types.btf.map(Path::to_owned),
        ..Report::new(request.object, apps)
    };
    let unjudged = |failure| {
        let apps: Vec<&Path> = request.apps.iter().map(PathBuf::as_path).collect();
        vec![Report { failure: Some(failure), ..report(&apps) }]
    };
    let apps = match open_apps(request) {
        Ok(apps) => apps,
        Err(failure) => return unjudged(failure),
    };
    let all = Object::open(request).and_then(|object| {
        request.types.check().map_err(at(Stage::Open))?;
        let combinations = combinations(&apps).map_err(at(Stage::Open))?;
        ensure_one_meaning(request, &combinations).map_err(at(Stage::Open))?;
        Ok((object, combinations))
    });
    let (object, combinations) = match all {
        Ok(all) => all,
        Err(failure) => return unjudged(failure),
    };
    let judged = combinations.iter().map(|apps| {
        let paths: Vec<&Path> = apps.iter().map(|app| app.path.as_path()).collect();
        let mut report = report(&paths);
        for (host, app) in report.hosts.iter_mut().zip(apps) {
            host.build_id = app.build_id().ok().cloned();
        }
        report.failure = judge(request, &object, apps, &mut report).err();
        report
    });
    judged.collect()
}

/// What makes a failure of an error.
fn at(stage: Stage) -> impl Fn(anyhow::Error) -> Failure {
    move |error| Failure { stage, error }
}

fn open_apps(request: &Request<'_>) -> Result<Vec<App>, Failure> {
    request.apps.iter().map(|path| App::open(path)).collect::<Result<_>>().map_err(at(Stage::Open))
}

/// The types in one file are those of one version of the application.
fn ensure_one_meaning(request: &Request<'_>, combinations: &[Vec<&App>]) -> Result<()> {
    if let (Some(btf), true) = (request.types.btf, combinations.len() > 1) {
        bail!(
            "{} has the types of one application, and --app names several that cannot run together; judge one of them at a time",
            btf.display()
        );
    }
    Ok(())
}

/// The object and its programs.
struct Object {
    file: BpfObject,
    programs: Vec<Program>,
    limits: Option<Limits>,
}

impl Object {
    /// With those of the programs that are asked for.
    fn open(request: &Request<'_>) -> Result<Self, Failure> {
        let file = BpfObject::open(request.object).map_err(at(Stage::Open))?;
        let programs = programs(&file).map_err(at(Stage::Open))?;
        let programs =
            chosen(programs, request.object, request.programs).map_err(at(Stage::Open))?;
        let limits = request.allow.map(|path| Limits::read(path, &file, &programs));
        let limits = limits.transpose().map_err(at(Stage::Policy))?;
        Ok(Object { file, programs, limits })
    }

    /// The report that refuses `program` for what it uses, if there is to be one.
    fn refused(&self, program: &Program) -> Option<ProgramReport> {
        let point = Point::of_section(&program.section);
        self.limits.as_ref().and_then(|limits| limits.judge(program, &point))
    }

    /// What is left of the verdict `judged` on `program` where instructions are counted.
    fn counted(&self, program: &Program, judged: ProgramReport) -> ProgramReport {
        let counted = judged.statistics.filter(|_| judged.verdict == Verdict::Accepted);
        let limits = self.limits.as_ref().zip(counted);
        let refused = limits.and_then(|(limits, statistics)| {
            limits.judge_count(program, statistics.processed_insns)
        });
        let Some(refused) = refused else { return judged };
        let ProgramReport { facts, statistics, log, libbpf, .. } = judged;
        ProgramReport { facts, statistics, log, libbpf, ..refused }
    }
}

/// Judges the object for `apps`, which run together.
fn judge(
    request: &Request<'_>,
    object: &Object,
    apps: &[&App],
    report: &mut Report,
) -> Result<(), Failure> {
    let refused: Vec<_> =
        object.programs.iter().filter_map(|program| object.refused(program)).collect();
    if refused.len() == object.programs.len() {
        report.programs = refused;
        return Ok(());
    }
    let file = &object.file;
    if !file.kfuncs.is_empty() {
        // A module may be made for this call, and has to go with it.
        interrupt::watch().map_err(at(Stage::Kfunc))?;
    }
    let lent = modules::lend(&request.lending, file, apps).map_err(at(Stage::Kfunc))?;
    report.module = lent.module;
    report.notes = lent.inferred;
    let judged = judge_all(request, object, &lent.object, apps, report);
    if let Some(Err(error)) = lent.lease.map(Lease::end) {
        report.warnings.push(format!("{error:#}"));
    }
    judged
}

/// Judges the programs of `all`; `object` is the same object as it calls the functions of the module
/// that is in the kernel.
fn judge_all(
    request: &Request<'_>,
    all: &Object,
    object: &BpfObject,
    apps: &[&App],
    report: &mut Report,
) -> Result<(), Failure> {
    capability::check().map_err(at(Stage::Verification))?;
    let cache = request.types.open_cache();
    let sources = Sources { hosts: apps, options: request.types, cache: cache.as_ref() };
    let types = HostTypes::read(&sources, object);
    report.warnings = types.warnings();
    if request.verbose {
        report.types = types.describe();
    }
    let module = report.module.as_ref();
    let context = Context { object, apps, types: &types, module, verbose: request.verbose };
    for program in &all.programs {
        if let Some(refused) = all.refused(program) {
            report.programs.push(refused);
            continue;
        }
        let judged = judge_program(&context, program);
        let judged = judged.unwrap_or_else(|error| ProgramReport {
            stage: Some(if error.is::<TooLarge>() { Stage::Map } else { Stage::Verification }),
            reason: Some(format!("{error:#}")),
            ..ProgramReport::new(program, Verdict::Unjudged)
        });
        report.programs.push(all.counted(program, judged));
    }
    Ok(())
}

/// The programs of `object`; it must have some.
fn programs(object: &BpfObject) -> Result<Vec<Program>> {
    let path = object.path.display();
    match attempt::programs(object) {
        Ok(programs) if programs.is_empty() => Err(anyhow!("{path} has no programs")),
        Ok(programs) => Ok(programs),
        Err(error) => Err(error.context(format!("failed to open {path}"))),
    }
}

/// Those of the `programs` of the object at `path` that are called one of `names`, or all if there
/// are no names.
pub(crate) fn chosen(
    programs: Vec<Program>,
    path: &Path,
    names: &[String],
) -> Result<Vec<Program>> {
    let is_there = |name: &&String| programs.iter().any(|program| program.name == **name);
    if let Some(name) = names.iter().find(|name| !is_there(name)) {
        let others: Vec<_> = programs.iter().map(|program| program.name.as_str()).collect();
        return Err(anyhow!(
            "{} has no program {name}; it has {}",
            path.display(),
            list(&others, "and")
        ));
    }
    let is_asked_for = |program: &Program| names.is_empty() || names.contains(&program.name);
    Ok(programs.into_iter().filter(is_asked_for).collect())
}

/// What all programs of an object are judged by.
#[derive(Clone, Copy)]
struct Context<'a> {
    object: &'a BpfObject,
    apps: &'a [&'a App],
    types: &'a HostTypes,
    module: Option<&'a LoadedModule>,
    verbose: bool,
}

impl Context<'_> {
    /// The file that the module is to be generated from.
    fn lender(&self) -> String {
        let of_module = |app: &&&App| {
            let build_id = self.module.map(|module| &module.metadata.build_id);
            build_id.is_some_and(|build_id| app.build_id().is_ok_and(|own| own == build_id))
        };
        let app = self.apps.iter().find(of_module).or(self.apps.first());
        app.map(|app| app.path.to_string_lossy().into_owned()).unwrap_or_default()
    }
}

fn judge_program(context: &Context<'_>, program: &Program) -> Result<ProgramReport> {
    let types = context.types.file_for(&program.section);
    let attempt = |level: u32| {
        let level = level | log_level::STATISTICS;
        let detail = if context.verbose { Detail::All } else { Detail::Needed };
        Attempt::new(context.object, program, types.as_deref(), level, detail)
    };
    let mut attempted = attempt(0)?;
    if matches!(attempted.outcome, Outcome::Refused { .. }) && !is_loaded_but_for_slots(&attempted)
    {
        let level = if context.verbose { log_level::EVERYTHING } else { log_level::PATH };
        attempted = attempt(level)?;
    }
    if let Err((stage, error)) = check_modules(&attempted, context.apps) {
        return Ok(ProgramReport {
            stage: Some(stage),
            reason: Some(format!("{error:#}")),
            ..ProgramReport::new(program, Verdict::Unjudged)
        });
    }
    Ok(ProgramReport::of(program, attempted, context))
}

/// Fails if libbpf saw other modules than the program is meant for, so that no verdict would be
/// about the program as it will run.
fn check_modules(attempt: &Attempt, apps: &[&App]) -> Result<(), (Stage, anyhow::Error)> {
    if messages::modules_were_hidden(&attempt.messages) {
        let error = anyhow!(
            "what the program needs is not the kernel's own, and the kernel shows the BTF of modules to CAP_SYS_ADMIN only, which this process does not have; run as root"
        );
        return Err((Stage::Kfunc, error));
    }
    let modules = messages::modules_with_types(&attempt.messages);
    let checked = modules::check_types(Path::new(SYSFS_BTF), &modules, apps);
    checked.map_err(|error| (Stage::Relocation, error))
}

/// Whether the kernel took the program, and libbpf failed only at what comes afterwards: putting
/// the object's other programs, which were not loaded, into the slots of a program array.
///
/// libbpf does that once all programs that it was to load are loaded, and says so in no other way
/// than in a message. The object's names are in it, so the log has to agree: the verifier went
/// through the program and has nothing to say against it.
fn is_loaded_but_for_slots(attempt: &Attempt) -> bool {
    let is_about_slots = attempt.messages.iter().any(|message| {
        message.level == Level::Warn
            && message.text.starts_with("map '")
            && message.text.contains("': failed to initialize slot [")
    });
    let log = VerifierLog::parse(&attempt.log);
    is_about_slots && log.statistics.is_some() && log.reason.is_none()
}

impl ProgramReport {
    fn new(program: &Program, verdict: Verdict) -> Self {
        ProgramReport {
            name: program.name.clone(),
            section: program.section.clone(),
            ..ProgramReport::empty(verdict)
        }
    }

    /// What the attempt to load `program` says about it.
    fn of(program: &Program, attempt: Attempt, context: &Context<'_>) -> Self {
        let log = VerifierLog::parse(&attempt.log);
        let report = match attempt.outcome {
            Outcome::Loaded => Self::new(program, Verdict::Accepted),
            Outcome::Refused { .. } if is_loaded_but_for_slots(&attempt) => {
                Self::new(program, Verdict::Accepted)
            }
            Outcome::Refused { errno } if is_verdict(&log) => ProgramReport {
                errno: Some(errno),
                ..Self::rejected(program, &log, &attempt.lines, context)
            },
            Outcome::Refused { errno } | Outcome::NotPrepared { errno } => {
                Self::unjudged(program, errno, &attempt, context)
            }
        };
        let statistics = log.statistics;
        let log = Some(attempt.log).filter(|log| !log.is_empty());
        let libbpf = attempt.messages.into_iter().map(|message| message.text).collect();
        ProgramReport { statistics, log, libbpf, facts: Some(attempt.facts), ..report }
    }

    /// The verifier said no.
    fn rejected(
        program: &Program,
        log: &VerifierLog<'_>,
        lines: &LineTable,
        context: &Context<'_>,
    ) -> Self {
        let module = context.module;
        let reason = log.reason.unwrap_or_default();
        let member = explain::missing_member(reason);
        let access = |index| access_line(index, member?, lines);
        let source = log
            .failed_at
            .and_then(|at| access(at.index).or_else(|| lines.locate(at.index, Some(at))));
        let acquired_by = explain::unreleased(reason);
        let acquired_at = acquired_by.map(|index| Acquisition {
            function: log.instruction(index).and_then(|call| call.callee()).map(str::to_owned),
            source: lines.locate(index, log.instruction(index)),
        });
        let is_release = |call: &str| {
            let ufunc = module.and_then(|module| module.ufunc(call));
            ufunc.is_some_and(|ufunc| ufunc.role == Role::Release)
        };
        let mut calls_before = log.path().rev().skip(1).filter_map(|call| call.callee());
        let missing = explain::unresolved(reason)
            .and_then(|what| context.types.explain(&program.section, what));
        let (missing, hosts) = missing.unzip();
        // What the kernel refused is then not what its author meant: types are not known that the
        // application has, or the object does not say what it is under.
        let is_unknown = matches!(missing, Some(Missing::Unknown(_)))
            || (explain::is_about_license(reason) && !context.object.has_license);
        let hosts = hosts.unwrap_or_default();
        let layout = explain::overread(reason).and_then(|(name, offset)| {
            let module = module.map(|module| module.name.as_str());
            // Without it the explanation says less.
            layout::look_up(Path::new(SYSFS_BTF), module, name, offset).ok().flatten()
        });
        let without_types = explain::undeclared(reason)
            .and_then(|name| modules::module_with_function(Path::new(KALLSYMS), name));
        let explanation = explain::explain(&Case {
            reason,
            section: &program.section,
            layout: layout.as_ref(),
            without_types: without_types.as_deref(),
            callee: log.failed_at.and_then(|call| call.callee()),
            acquired_by: acquired_at.as_ref().and_then(|acquired| acquired.function.as_deref()),
            released_by: calls_before.find(|call| is_release(call)),
            passes_null: explain::null_argument(reason)
                .and_then(|register| log.register(register))
                .is_some_and(is_zero),
            missing: missing.as_ref(),
            app: &list(&hosts.iter().map(String::as_str).collect::<Vec<_>>(), "or"),
            module,
            diagnosis: log.diagnosis.as_ref(),
        });
        ProgramReport {
            stage: Some(explanation.stage),
            reason: Some(reason.to_owned()),
            source: match &acquired_at {
                Some(acquired) => last_line_with(acquired, source, log, lines),
                None => source,
            },
            acquired_at,
            path: acquired_by.map(|index| way::forks(log, index, lines)).unwrap_or_default(),
            meaning: explanation.meaning,
            help: explanation.help,
            ..Self::new(program, if is_unknown { Verdict::Unjudged } else { Verdict::Rejected })
        }
    }

    /// It did not come to a verdict.
    fn unjudged(program: &Program, errno: i32, attempt: &Attempt, context: &Context<'_>) -> Self {
        let trouble = VerifierLog::parse(&attempt.log).reason.map(str::to_owned);
        let reason = trouble.or_else(|| messages::reasons(&attempt.messages)).unwrap_or_default();
        let app = context.lender();
        let Unjudged { stage, meaning, help } = explain::unjudged(&explain::Failure {
            reason: &reason,
            errno,
            section: &program.section,
            app: &app,
            module: context.module,
        });
        ProgramReport {
            stage: Some(stage),
            errno: Some(errno),
            meaning,
            help,
            reason: Some(match reason.as_str() {
                "" => describe(errno),
                reason => format!("{reason}: {}", describe(errno)),
            }),
            ..Self::new(program, Verdict::Unjudged)
        }
    }
}

/// Whether the log holds a verdict, and not only the verifier's own trouble.
fn is_verdict(log: &VerifierLog<'_>) -> bool {
    const TROUBLE: [&str; 3] =
        ["verifier bug", "verifier internal error", "bpf verifier is misconfigured"];
    log.reason.is_some_and(|reason| {
        let reason = reason.to_ascii_lowercase();
        !TROUBLE.iter().any(|trouble| reason.starts_with(trouble))
    })
}

/// The line to blame for what was not released: the end of the program, at `end`, unless the
/// compiler counts that to the head of the function. Then it is the last line on the way there.
fn last_line_with(
    acquired: &Acquisition,
    end: Option<SourceLine>,
    log: &VerifierLog<'_>,
    lines: &LineTable,
) -> Option<SourceLine> {
    let (Some(end), Some(acquired)) = (&end, &acquired.source) else { return end };
    let is_after = |line: &SourceLine| line.file == acquired.file && line.line >= acquired.line;
    if end.file != acquired.file || is_after(end) {
        return Some(end.clone());
    }
    let mut path = log.path().rev();
    let after = path.find_map(|at| lines.locate(at.index, Some(at)).filter(is_after));
    Some(after.unwrap_or_else(|| end.clone()))
}

/// The line that names the member which could not be relocated.
///
/// The compiler gives the instruction that holds a member's offset no line of its own, so that it
/// seems to belong to the line before.
fn access_line(index: u32, member: &str, lines: &LineTable) -> Option<SourceLine> {
    let accesses = |line: &&SourceLine| {
        let text = line.text.replace([' ', '\t'], "");
        let forms = [format!("->{member}"), format!(".{member}"), format!(",{member})")];
        forms.iter().any(|form| text.contains(form))
    };
    let near = [lines.find(index), lines.find_after(index)];
    near.into_iter().flatten().find(accesses).cloned()
}

/// Whether a register's value, as the log shows it, is the number 0.
fn is_zero(value: &str) -> bool {
    // `P` says that the verifier has to know it precisely.
    value.trim_start_matches('P') == "0"
}

/// The kernel's or libbpf's error number in words.
fn describe(errno: i32) -> String {
    let text = io::Error::from_raw_os_error(errno).to_string();
    match text.split_once(" (os error") {
        Some((text, _)) => text.to_lowercase(),
        None => text,
    }
}
