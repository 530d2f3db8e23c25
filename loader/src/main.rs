// SPDX-License-Identifier: MIT OR Apache-2.0
//! The `loader` command.

mod args;

use std::env;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser as _;
use ufunc_loader::report::{Report, Verdict, csv, human, json, overall};
use ufunc_loader::reproduce::Reproduction;
use ufunc_loader::verifier_log::VerifierLog;
use ufunc_loader::{Request, verify};

use args::{Args, Command, LogMode, Preference, VerifyArgs};

/// Lines of the log that `--log short` shows.
const SHORT_LOG: usize = 15;
/// Exit status for what could not be judged; clap uses the same for wrong usage.
const UNJUDGED: u8 = 2;

fn main() -> ExitCode {
    let Command::Verify(args) = Args::parse().command;
    let mut reports = verify(&Request {
        object: &args.object,
        programs: &args.program,
        apps: &args.app,
        btf: args.btf.as_deref(),
        vmlinux: args.vmlinux.as_deref(),
        debug_dirs: &args.debug_dir,
        prefer_kernel: args.prefer == Preference::Kernel,
        cache: !args.no_cache,
        verbose: args.verbose,
    });
    let as_root = env::var_os("SUDO_COMMAND").is_some();
    let command = Reproduction::new(env::args_os(), as_root);
    reports.iter_mut().for_each(|report| report.reproduce_with(&command));
    let mut status = overall(&reports).exit_code();
    if let Err(error) = print(&reports, &args)
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        print_error(&format!("failed to write the report: {error}"));
        status = UNJUDGED;
    }
    ExitCode::from(status)
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
    let is_rejected = reports.iter().any(|report| report.count(Verdict::Rejected) > 0);
    if mode == LogMode::None && is_rejected {
        writeln!(stdout, "see the verifier's log with --log short or --log full")?;
    }
    stdout.flush()
}

/// What there is to say beside the verdicts.
fn print_remarks(report: &Report, about: &str, verbose: bool) {
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
