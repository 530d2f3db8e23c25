// SPDX-License-Identifier: MIT OR Apache-2.0
//! The `loader` command.

mod args;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser as _;
use ufunc_loader::attach::{AttachError, AttachRequest, attach};
use ufunc_loader::report::{Report, Verdict, human, json};
use ufunc_loader::verifier_log::VerifierLog;
use ufunc_loader::{Request, verify};
use ufunc_loader::{doctor, links};

use args::{Args, AttachArgs, Command, DetachArgs, DoctorArgs, ListArgs, LogMode, VerifyArgs};

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
        Command::List(args) => run_list(&args),
        Command::Detach(args) => run_detach(&args),
        Command::Doctor(args) => run_doctor(&args),
    })
}

fn run_verify(args: &VerifyArgs) -> u8 {
    let report = verify(&Request { object: &args.object, app: &args.app, verbose: args.verbose });
    let mut status = report.exit_code();
    if let Err(error) = print(&report, args)
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        print_error(&format!("failed to write the report: {error}"));
        status = UNJUDGED;
    }
    status
}

fn run_attach(args: &AttachArgs) -> u8 {
    let request = AttachRequest {
        object: &args.object,
        apps: &args.app,
        pid: args.pid,
        func: args.func.as_deref(),
        programs: &args.program,
        cookie: args.cookie,
        frequency: args.frequency,
        duration: args.duration,
        events: &args.events,
        event_type: args.event_type.as_deref(),
        dump: &args.dump,
        pin: args.pin.as_deref(),
        allow_stubs: args.allow_stubs,
        json: args.json,
        verbose: args.verbose,
    };
    let note = &mut |text: &str| print_note(text);
    match attach(&request, &mut io::stdout().lock(), note) {
        Ok(()) => DONE,
        Err(AttachError::Refused(report)) => {
            if let Err(error) = print_refused(&report) {
                print_error(&format!("failed to write the report: {error}"));
            }
            report.exit_code()
        }
        Err(AttachError::Failed(error)) => failed(&error),
    }
}

/// Says why the programs were not loaded: on stderr, so that stdout has only what programs said.
fn print_refused(report: &Report) -> io::Result<()> {
    if let Some(failure) = &report.failure {
        print_error(&format!("{:#}", failure.error));
    }
    human::write(report, |_| None, &mut anstream::stderr())?;
    print_error("nothing was attached; loader verify tells more");
    Ok(())
}

fn run_list(args: &ListArgs) -> u8 {
    let list = || -> anyhow::Result<()> {
        let links = links::list_links(args.path.as_deref())?;
        Ok(links::write_links(&links, args.json, &mut io::stdout().lock())?)
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
fn print(report: &Report, args: &VerifyArgs) -> io::Result<()> {
    if args.verbose {
        let mut stderr = io::stderr().lock();
        if let Some(types) = &report.types {
            // As in `print_error`.
            let _ = writeln!(stderr, "types: {}", human::printable(types));
        }
        let messages = report.programs.iter().flat_map(|program| &program.libbpf);
        for line in messages.flat_map(|message| message.lines()) {
            // As in `print_error`.
            let _ = writeln!(stderr, "libbpf: {}", human::printable(line));
        }
    }
    if let Some(failure) = &report.failure {
        print_error(&format!("{:#}", failure.error));
    }
    let unjudged = report.count(Verdict::Unjudged);
    if unjudged > 0 {
        let programs = report.programs.len();
        print_error(&format!("{unjudged} of {programs} program(s) could not be judged"));
    }
    let whole_by_default = args.json || args.verbose;
    let mode = args.log.unwrap_or(if whole_by_default { LogMode::Full } else { LogMode::None });
    let log = |log: &str| match mode {
        LogMode::Full => Some(log.to_owned()),
        LogMode::Short => Some(VerifierLog::excerpt(log, SHORT_LOG)),
        LogMode::None => None,
    };
    if args.json {
        let mut stdout = io::stdout().lock();
        json::Document::new(report, log).write(&mut stdout)?;
        return stdout.flush();
    }
    let mut stdout = anstream::stdout().lock();
    human::write(report, log, &mut stdout)?;
    if mode == LogMode::None && report.count(Verdict::Rejected) > 0 {
        writeln!(stdout, "see the verifier's log with --log short or --log full")?;
    }
    stdout.flush()
}

fn print_note(message: &str) {
    // As in `print_error`.
    let _ = writeln!(anstream::stderr(), "note: {}", human::printable(message));
}

fn print_error(message: &str) {
    // If stderr is gone, the exit status still tells.
    let _ = writeln!(anstream::stderr(), "error: {}", human::printable(message));
}
