// SPDX-License-Identifier: MIT OR Apache-2.0
//! The `loader` command.

mod args;

use std::env;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser as _;
use ufunc_loader::attach::{AttachError, AttachRequest, attach};
use ufunc_loader::modules::LoadedModule;
use ufunc_loader::report::{Report, Verdict, csv, human, json, overall};
use ufunc_loader::reproduce::Reproduction;
use ufunc_loader::verifier_log::VerifierLog;
use ufunc_loader::{Request, allow, doctor, kernels, links, run, verify};

use args::{
    AllowArgs, Args, AttachArgs, BundleArgs, Command, DetachArgs, DoctorArgs, ListArgs, LogMode,
    RunArgs, StopArgs, VerifyArgs,
};

/// Lines of the log that `--log short` shows.
const SHORT_LOG: usize = 15;
/// Exit status for what could not be judged; clap uses the same for wrong usage.
const UNJUDGED: u8 = 2;
/// Exit status of the other commands: for what was done, and for what was not possible.
const DONE: u8 = 0;
const FAILED: u8 = 2;
/// Exit status of `doctor` if something is missing.
const UNHEALTHY: u8 = 1;

fn main() -> ExitCode {
    ExitCode::from(match Args::parse().command {
        Command::Verify(args) => run_verify(&args),
        Command::Attach(args) => run_attach(&args),
        Command::Allow(args) => run_allow(&args),
        Command::Run(args) => run_run(&args),
        Command::Stop(args) => run_stop(&args),
        Command::Bundle(args) => run_bundle(&args),
        Command::List(args) => run_list(&args),
        Command::Detach(args) => run_detach(&args),
        Command::Doctor(args) => run_doctor(&args),
    })
}

fn run_verify(args: &VerifyArgs) -> u8 {
    if !args.kernels.is_empty() && env::var_os(kernels::IN_GUEST).is_none() {
        return run_kernels(args);
    }
    let lending = match args.lending.lending(&args.types.debug_dir) {
        Ok(lending) => lending,
        Err(error) => return wrong_usage(&error),
    };
    let mut reports = verify(&Request {
        object: &args.object,
        programs: &args.program,
        apps: &args.app,
        types: args.types.options(),
        lending,
        allow: args.limits.allow.as_deref(),
        verbose: args.verbose,
    });
    name_command(&mut reports);
    let mut status = overall(&reports).exit_code();
    if let Err(error) = print(&reports, args)
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        print_error(&format!("failed to write the report: {error}"));
        status = UNJUDGED;
    }
    status
}

/// Has other kernels carry out the same command.
fn run_kernels(args: &VerifyArgs) -> u8 {
    let arguments: Vec<_> = env::args_os().collect();
    match kernels::judge(&args.kernels, &arguments, args.json, &mut io::stdout()) {
        Ok(verdict) => verdict.exit_code(),
        Err(error) => {
            failed(&error);
            UNJUDGED
        }
    }
}

fn wrong_usage(error: &str) -> u8 {
    print_error(error);
    UNJUDGED
}

/// Has the reports say which command it was.
fn name_command(reports: &mut [Report]) {
    let as_root = env::var_os("SUDO_COMMAND").is_some();
    let command = Reproduction::new(env::args_os(), as_root);
    reports.iter_mut().for_each(|report| report.reproduce_with(&command));
}

fn run_attach(args: &AttachArgs) -> u8 {
    let lending = match args.lending.lending(&args.types.debug_dir) {
        Ok(lending) => lending,
        Err(error) => return wrong_usage(&error),
    };
    let request = AttachRequest {
        object: &args.object,
        apps: &args.app,
        types: args.types.options(),
        pid: args.pid,
        func: args.func.as_deref(),
        programs: &args.program,
        map: args.map.as_deref(),
        cookie: args.cookie,
        frequency: args.frequency,
        duration: args.duration,
        events: &args.events,
        event_type: args.event_type.as_deref(),
        dump: &args.dump,
        pin: args.pin.as_deref(),
        allow_stubs: args.allow_stubs,
        lending,
        allow: args.limits.allow.as_deref(),
        json: args.json,
        verbose: args.verbose,
    };
    let note = &mut |text: &str| print_remark("note", text);
    match attach(&request, &mut io::stdout().lock(), note) {
        Ok(()) => DONE,
        Err(error) => refused(error, "nothing was attached; loader verify tells more"),
    }
}

fn run_allow(args: &AllowArgs) -> u8 {
    let lending = match args.lending.lending(&args.types.debug_dir) {
        Ok(lending) => lending,
        Err(error) => return wrong_usage(&error),
    };
    let request = allow::AllowRequest {
        object: &args.object,
        apps: &args.app,
        types: args.types.options(),
        lending,
        programs: &args.program,
    };
    let text = match allow::propose(&request) {
        Ok(text) => text,
        Err(error) => return refused(error, "no policy was written; loader verify tells more"),
    };
    let written = match &args.output {
        Some(path) => ufunc_gen::output::write_file(path, text),
        None => io::stdout().write_all(text.as_bytes()).map_err(Into::into),
    };
    written.map_or_else(|error| failed(&error), |()| DONE)
}

fn run_run(args: &RunArgs) -> u8 {
    let lending = match args.lending.lending(&args.types.debug_dir) {
        Ok(lending) => lending,
        Err(error) => return wrong_usage(&error),
    };
    if args.bundle.is_some() && args.limits.allow.is_some() {
        return wrong_usage(
            "--allow judges a BPF object, and --bundle runs what was judged; give it to loader bundle",
        );
    }
    let source = match (&args.bundle, &args.object) {
        (Some(path), _) => run::Source::Bundle { path, trusted: args.trust.as_deref() },
        (None, Some(object)) => run::Source::Object(run::Judged {
            object,
            func: args.func.as_deref(),
            programs: &args.program,
            cookie: args.cookie,
            types: args.types.options(),
            lending,
            allow: args.limits.allow.as_deref(),
        }),
        // clap wants one of them.
        (None, None) => return FAILED,
    };
    let request = run::RunRequest {
        source,
        apps: &args.app,
        arguments: &args.arguments,
        pid: args.pid,
        name: args.name.as_deref(),
        duration: args.duration,
        detach: args.detach,
        events: &args.events,
        event_type: args.event_type.as_deref(),
        dump: &args.dump,
        json: args.json,
        verbose: args.verbose,
    };
    let note = &mut |text: &str| print_remark("note", text);
    match run::run(&request, &mut io::stdout().lock(), note) {
        Ok(status) => status.unwrap_or(DONE),
        Err(error) => refused(error, "the application was not touched; loader verify tells more"),
    }
}

fn run_bundle(args: &BundleArgs) -> u8 {
    let lending = match args.lending.lending(&args.types.debug_dir) {
        Ok(lending) => lending,
        Err(error) => return wrong_usage(&error),
    };
    let request = run::BundleRequest {
        judged: run::Judged {
            object: &args.object,
            func: args.func.as_deref(),
            programs: &args.program,
            cookie: args.cookie,
            types: args.types.options(),
            lending,
            allow: args.limits.allow.as_deref(),
        },
        apps: &args.app,
        output: &args.output,
        key: args.sign.as_deref(),
        verbose: args.verbose,
    };
    let note = &mut |text: &str| print_remark("note", text);
    match run::write_bundle(&request, note) {
        Ok(programs) => {
            let names: Vec<&str> = programs.iter().map(String::as_str).collect();
            let names = ufunc_loader::report::list(&names, "and");
            let path = args.output.display().to_string();
            let line = format!("bundled  {names}  in {path}");
            let written = writeln!(io::stdout(), "{}", human::printable(&line));
            written.map_or_else(|error| failed(&error.into()), |()| DONE)
        }
        Err(error) => refused(error, "nothing was written; loader verify tells more"),
    }
}

fn run_stop(args: &StopArgs) -> u8 {
    let request = run::StopRequest { name: args.name.as_deref(), pid: args.pid };
    let done = match run::stop(&request) {
        Ok(done) => done,
        Err(error) => return failed(&error),
    };
    let mut status = DONE;
    let mut stopped = Vec::new();
    for one in done {
        match one {
            Ok(one) => stopped.push(one),
            Err(error) => status = failed(&error),
        }
    }
    let mut out = io::stdout().lock();
    let mut write = || -> io::Result<()> {
        if args.json {
            serde_json::to_writer_pretty(&mut out, &serde_json::json!({ "stopped": stopped }))?;
            return writeln!(out);
        }
        for run::Stopped { name, pid } in &stopped {
            writeln!(out, "stopped  {}  in process {pid}", human::printable(name))?;
        }
        Ok(())
    };
    write().map_or_else(|error| failed(&error.into()), |()| status)
}

/// Says why nothing was done, and `consequence`; the exit status for it.
fn refused(error: AttachError, consequence: &str) -> u8 {
    match error {
        AttachError::Refused(mut reports) => {
            name_command(&mut reports);
            if let Err(error) = print_refused(&reports, consequence) {
                print_error(&format!("failed to write the report: {error}"));
            }
            overall(&reports).exit_code()
        }
        AttachError::Failed(error) => failed(&error),
    }
}

/// Says why the programs were not loaded: on stderr, so that stdout has only what programs said.
fn print_refused(reports: &[Report], consequence: &str) -> io::Result<()> {
    for failure in reports.iter().filter_map(|report| report.failure.as_ref()) {
        print_error(&format!("{:#}", failure.error));
    }
    human::write(reports, |_| None, &mut anstream::stderr())?;
    print_error(consequence);
    Ok(())
}

fn run_list(args: &ListArgs) -> u8 {
    let list = || -> anyhow::Result<()> {
        // What is pinned is the kernel's.
        let (running, failures) = match args.path {
            Some(_) => (Vec::new(), Vec::new()),
            None => run::list(),
        };
        for failure in failures {
            print_remark("warning", &format!("{failure:#}"));
        }
        let links = match links::list_links(args.path.as_deref()) {
            // Who may not see the kernel's links may well see applications of their own.
            Err(error) if !running.is_empty() => {
                print_remark("warning", &format!("{error:#}"));
                Vec::new()
            }
            links => links?,
        };
        Ok(links::write_links(&links, &running, args.json, &mut io::stdout().lock())?)
    };
    list().map_or_else(|error| failed(&error), |()| DONE)
}

fn run_detach(args: &DetachArgs) -> u8 {
    let mut status = DONE;
    let mut out = io::stdout().lock();
    let mut all = Vec::new();
    for target in &args.targets {
        match links::detach(target) {
            Ok(detached) => all.push(detached),
            Err(error) => status = failed(&error),
        }
    }
    let mut write = || -> io::Result<()> {
        if args.json {
            serde_json::to_writer_pretty(&mut out, &serde_json::json!({ "detached": all }))?;
            return writeln!(out);
        }
        for links::Detached { target, links } in &all {
            let plural = if *links == 1 { "" } else { "s" };
            writeln!(out, "detached  {}  ({links} link{plural})", human::printable(target))?;
        }
        Ok(())
    };
    write().map_or_else(|error| failed(&error.into()), |()| status)
}

fn run_doctor(args: &DoctorArgs) -> u8 {
    let diagnosis = doctor::examine();
    let written = match args.json {
        true => diagnosis.write_json(&mut io::stdout().lock()),
        false => diagnosis.write(&mut anstream::stdout().lock()),
    };
    match written {
        Ok(()) if diagnosis.ok => DONE,
        Ok(()) => UNHEALTHY,
        Err(error) => failed(&error.into()),
    }
}

/// Says what went wrong; the exit status for it. That nobody reads on is no error.
fn failed(error: &anyhow::Error) -> u8 {
    let is_broken_pipe = |cause: &(dyn std::error::Error + 'static)| {
        let error = cause.downcast_ref::<io::Error>();
        error.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    };
    if error.chain().any(is_broken_pipe) {
        return DONE;
    }
    print_error(&format!("{error:#}"));
    FAILED
}

/// Verdicts go to stdout, everything else to stderr.
fn print(reports: &[Report], args: &VerifyArgs) -> io::Result<()> {
    for report in reports {
        // Where there are several, it has to be said which one a remark is about.
        let about = match reports.len() {
            1 => String::new(),
            _ => format!("{}: ", human::hosts(report)),
        };
        print_remarks(report, &about, args.verbose);
    }
    let whole_by_default = args.json || args.verbose;
    let mode = args.log.unwrap_or(if whole_by_default { LogMode::Full } else { LogMode::None });
    let log = |log: &str| match mode {
        LogMode::Full => Some(log.to_owned()),
        LogMode::Short => Some(VerifierLog::excerpt(log, SHORT_LOG)),
        LogMode::None => None,
    };
    if args.csv {
        // Its columns are veristat's.
        let made = |report: &&Report| {
            report.module.as_ref().is_some_and(LoadedModule::is_made_for_one_call)
        };
        if let Some(report) = reports.iter().find(made) {
            let names = report.module.as_ref().map(LoadedModule::names).unwrap_or_default();
            print_remark("note", &format!("a module was made for this call: {names}"));
        }
        let mut stdout = io::stdout().lock();
        csv::write(reports, &mut stdout)?;
        return stdout.flush();
    }
    if args.json {
        let mut stdout = io::stdout().lock();
        json::write(reports, log, &mut stdout)?;
        return stdout.flush();
    }
    let mut stdout = anstream::stdout().lock();
    human::write(reports, log, &mut stdout)?;
    let mut programs = reports.iter().flat_map(|report| &report.programs);
    let has_log =
        programs.any(|program| program.verdict == Verdict::Rejected && program.log.is_some());
    if mode == LogMode::None && has_log {
        writeln!(stdout, "see the verifier's log with --log short or --log full")?;
    }
    stdout.flush()
}

/// What there is to say beside the verdicts.
fn print_remarks(report: &Report, about: &str, verbose: bool) {
    for note in &report.notes {
        print_remark("note", note);
    }
    for warning in &report.warnings {
        print_remark("warning", warning);
    }
    if verbose {
        for line in &report.types {
            print_remark("types", &format!("{about}{line}"));
        }
        let messages = report.programs.iter().flat_map(|program| &program.libbpf);
        messages.flat_map(|message| message.lines()).for_each(|line| print_remark("libbpf", line));
    }
    if let Some(failure) = &report.failure {
        print_error(&format!("{about}{:#}", failure.error));
    }
    let unjudged = report.count(Verdict::Unjudged);
    if unjudged > 0 {
        let programs = report.programs.len();
        print_error(&format!("{about}{unjudged} of {programs} program(s) could not be judged"));
    }
}

fn print_error(message: &str) {
    print_remark("error", message);
}

fn print_remark(kind: &str, text: &str) {
    // If stderr is gone, the exit status still tells.
    let _ = writeln!(anstream::stderr(), "{kind}: {}", human::printable(text));
}
