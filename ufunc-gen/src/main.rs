// SPDX-License-Identifier: MIT OR Apache-2.0
//! `ufunc-gen`: the command line over the library of the same name.

mod args;
mod command;
mod list;

use std::fs;
use std::io::{self, Write as _};
use std::panic::resume_unwind;
use std::path::Path;
use std::process::ExitCode;
use std::thread;

use anyhow::{Context as _, Result, ensure};
use clap::Parser as _;
use ufunc_gen::debugfile::{DebugFiles, Search};
use ufunc_gen::dwarf::{DebugInfo, SplitFiles};
use ufunc_gen::elf::{Host, HostFile};
use ufunc_gen::ident::is_identifier;
use ufunc_gen::module::{Module, collision, rust_source};
use ufunc_gen::output;
use ufunc_gen::ufunc::infer::left_out;
use ufunc_gen::ufunc::policy::Policy;
use ufunc_gen::ufunc::propose::propose as propose_policy;
use ufunc_gen::ufunc::{self, Choice, Chosen};

use args::{Cli, Command, HostArgs};

/// `--check` found FILE stale.
const STALE: u8 = 1;
/// Something went wrong; clap uses the same for a bad command line.
const FAILED: u8 = 2;

/// Changed lines that `--check` shows.
const DIFF_LINES: usize = 20;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(&cli) {
        Ok(status) => status,
        Err(error) => {
            complain(&format!("error: {error:#}"));
            ExitCode::from(FAILED)
        }
    }
}

fn run(cli: &Cli) -> Result<ExitCode> {
    match (&cli.command, &cli.host) {
        (Some(Command::List { host, json }), _) => {
            let check = |names: &[String]| check_names(host, names);
            with_module(host, Purpose::Table, check, |_, module, names| list(module, names, *json))
        }
        (Some(Command::Policy { host, output }), _) => propose(host, output.as_deref()),
        (Some(Command::Ko(args)), _) => command::ko::run(args),
        (Some(Command::Btf(args)), _) => command::btf::run(args),
        (Some(Command::Header(args)), _) => command::header::run(args),
        (Some(Command::Merge(args)), _) => command::merge::run(args),
        (None, Some(args)) => {
            let check = |names: &[String]| check_names(args, names);
            with_module(args, Purpose::Source, check, |host, module, names| {
                names?;
                write_module(cli, host, module)
            })
        }
        (None, None) => anyhow::bail!("no application was given; see ufunc-gen --help"),
    }
}

/// What a module is wanted for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// A table of what it lends.
    Table,
    /// Its source.
    Source,
    /// Its object file.
    Object,
}

/// Reads the application, chooses what it lends, and hands over the module that declares that, and
/// what `check` says of the names that the kernel will know. What was chosen is said on standard error,
/// as far as no table is about to show it.
fn with_module<T, C: Send>(
    args: &HostArgs,
    purpose: Purpose,
    check: impl FnOnce(&[String]) -> Result<C> + Send,
    then: impl FnOnce(&Host<'_>, &Module<'_>, Result<C>) -> Result<T>,
) -> Result<T> {
    with_chosen(args, |host, debug, chosen| {
        tell(&chosen, args.verbose, purpose == Purpose::Table);
        let functions = chosen.ufuncs.iter().map(|ufunc| ufunc.kfunc.clone());
        let accessors = chosen.accessors.iter().map(|accessor| accessor.kfunc.clone());
        let names: Vec<_> = functions.chain(accessors).collect();
        let (module, checked) =
            both(|| Module::new(host, debug, chosen.ufuncs, chosen.accessors), || check(&names));
        then(host, &module?, checked)
    })
}

/// Reads the application, and hands over what it lends.
fn with_chosen<T>(
    args: &HostArgs,
    then: impl for<'a> FnOnce(&Host<'_>, &DebugInfo<'a>, Chosen<'a>) -> Result<T>,
) -> Result<T> {
    let file = HostFile::open(&args.app)?;
    let host = file.parse()?;
    host.require_extendable()?;
    let search = Search::new(args.debug_dir.iter().cloned());
    let files = DebugFiles::find(&host, &search)?;
    let sections = files.load()?;
    let split = SplitFiles::find(&host, &files, &search, &sections)?;
    let (debug, symbols) = both(|| DebugInfo::new(&sections, &split), || files.functions(&host));
    let (debug, symbols) = (debug?, symbols?);
    let chosen = ufunc::choose(&host, &symbols, &debug, &choice(args)?)?;
    then(&host, &debug, chosen)
}

/// Writes a policy that lends what would be lent without it.
fn propose(args: &HostArgs, output: Option<&Path>) -> Result<ExitCode> {
    ensure!(args.policy.is_none(), "a policy is proposed where there is none: leave --policy out");
    if let Some(path) = output {
        ensure!(!path.exists(), "{} is there already, and may have been edited", path.display());
    }
    let text = with_chosen(args, |host, _, chosen| {
        chosen.notes.iter().for_each(|note| complain(note));
        Ok(propose_policy(&host.path().to_string_lossy(), &chosen))
    })?;
    match output {
        Some(path) => output::write_file(path, &text)?,
        None => output::write_stdout(&text)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The results of both, at the same time.
fn both<A, B: Send>(one: impl FnOnce() -> A, other: impl FnOnce() -> B + Send) -> (A, B) {
    thread::scope(|scope| {
        let other = scope.spawn(other);
        (one(), other.join().unwrap_or_else(|panic| resume_unwind(panic)))
    })
}

/// Shows what would be lent.
fn list(module: &Module<'_>, names: Result<()>, json: bool) -> Result<ExitCode> {
    // What generation would stumble over is worth knowing, and no reason to show nothing.
    names.unwrap_or_else(|error| complain(&format!("{error:#}")));
    output::write_stdout(&list::table(module, json)?)?;
    Ok(ExitCode::SUCCESS)
}

/// Says what was inferred, unless a table is about to show it, and what was not.
fn tell(chosen: &Chosen<'_>, verbose: bool, in_table: bool) {
    if !in_table {
        chosen.inferred.iter().for_each(|line| complain(line));
    }
    match verbose {
        true => left_out::lines(&chosen.left_out).iter().for_each(|line| complain(line)),
        false => left_out::summary(&chosen.left_out).iter().for_each(|line| complain(line)),
    }
    chosen.notes.iter().for_each(|note| complain(note));
}

fn choice(args: &HostArgs) -> Result<Choice> {
    ensure!(
        args.prefix.is_empty() || is_identifier(&args.prefix),
        "--prefix {:?} is no identifier, and names with it would be none either",
        args.prefix
    );
    Ok(Choice {
        policy: args.policy.as_deref().map(Policy::read).transpose()?,
        infer: !args.no_infer,
        prefix: args.prefix.clone(),
    })
}

/// Fails if the kernel has functions called `names`.
fn check_names(args: &HostArgs, names: &[String]) -> Result<()> {
    let Some(vmlinux) = args.vmlinux.clone().or_else(collision::running_kernel) else {
        return Ok(());
    };
    collision::check(&vmlinux, names.iter().map(String::as_str))
}

fn write_module(cli: &Cli, host: &Host<'_>, module: &Module<'_>) -> Result<ExitCode> {
    let source = rust_source::write(module)
        .with_context(|| format!("failed to write the module of {}", host.path().display()))?;
    match (&cli.check, &cli.output) {
        (Some(path), _) => return check(path, &source),
        (None, Some(path)) => output::write_file(path, &source)?,
        (None, None) => output::write_stdout(&source)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn check(path: &Path, source: &str) -> Result<ExitCode> {
    let found =
        fs::read_to_string(path).with_context(|| format!("failed to read {}", path.display()))?;
    let Some(diff) = output::short_diff(&found, source, DIFF_LINES) else {
        return Ok(ExitCode::SUCCESS);
    };
    complain(&format!("{} is stale:\n{}", path.display(), diff.trim_end()));
    Ok(ExitCode::from(STALE))
}

/// Tells the user something, on standard error. Where nobody listens that is no error.
fn complain(message: &str) {
    let _ = io::stderr().write_all(format!("ufunc-gen: {message}\n").as_bytes());
}
