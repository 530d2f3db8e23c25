// SPDX-License-Identifier: MIT OR Apache-2.0
//! The `loader` command.

mod args;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser as _;
use ufunc_loader::report::{Report, Verdict, human, json};
use ufunc_loader::verifier_log::VerifierLog;
use ufunc_loader::{Request, verify};

use args::{Args, Command, LogMode, VerifyArgs};

/// Lines of the log that `--log short` shows.
const SHORT_LOG: usize = 15;
/// Exit status for what could not be judged; clap uses the same for wrong usage.
const UNJUDGED: u8 = 2;

fn main() -> ExitCode {
    let Command::Verify(args) = Args::parse().command;
    let report = verify(&Request { object: &args.object, app: &args.app, verbose: args.verbose });
    let mut status = report.exit_code();
    if let Err(error) = print(&report, &args)
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        print_error(&format!("failed to write the report: {error}"));
        status = UNJUDGED;
    }
    ExitCode::from(status)
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

fn print_error(message: &str) {
    // If stderr is gone, the exit status still tells.
    let _ = writeln!(anstream::stderr(), "error: {}", human::printable(message));
}
