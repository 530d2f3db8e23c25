// SPDX-License-Identifier: MIT OR Apache-2.0
//! `ufunc-gen btf`: an application's types as BTF.

use std::io::{self, IsTerminal as _};
use std::mem::{self, ManuallyDrop};
use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use ufunc_gen::btf::Type;
use ufunc_gen::btf::check::check_for;
use ufunc_gen::btf::decode::Btf;
use ufunc_gen::btf::encode::Encoded;
use ufunc_gen::btf::source::Source;
use ufunc_gen::debugfile::sections::Sections;
use ufunc_gen::debugfile::{DebugFiles, Search};
use ufunc_gen::dwarf::{DebugInfo, SplitFiles};
use ufunc_gen::elf::HostFile;
use ufunc_gen::userspace::{self, Options, UserspaceBtf, minimal};
use ufunc_gen::{output, relocation};

use super::progress;
use crate::complain;

/// Names that are shown without `-v`.
const SHOWN: usize = 5;

/// Write the BTF of an application: its types, and its functions that have code
///
/// Reads the debug information in whatever form it comes: in the application, in a separate debug
/// file, in .dwo files, compressed, or shared with other applications. The result is what CO-RE
/// relocations of extensions are resolved against.
#[derive(Args, Debug)]
#[command(after_long_help = HELP)]
pub(crate) struct BtfArgs {
    /// The application: an executable, a shared object or an object file
    #[arg(value_name = "APP")]
    app: PathBuf,

    /// Write the BTF to FILE, whole or not at all; '-' is standard output, as is none
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Keep just what these types lead to; a name may say what it is, as 'struct data'
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', conflicts_with = "program")]
    types: Vec<String>,

    /// Keep just what the relocations of the BPF object PROGRAM can need
    #[arg(long = "for", value_name = "PROGRAM")]
    program: Option<PathBuf>,

    /// Leave out functions
    #[arg(long)]
    no_functions: bool,

    /// Add variables that have an address, those of functions and threads too
    ///
    /// Each is a VAR, and a DATASEC for each section of the application says where they are in it.
    /// With --types or --for just those are added whose type, or what they point to, is wanted; and
    /// --types may name a variable, as 'var pool' or 'pool'.
    #[arg(long)]
    variables: bool,

    /// Look for separate debug files in DIR, which is laid out like /usr/lib/debug, before
    /// /usr/lib/debug itself (repeatable)
    #[arg(long, value_name = "DIR")]
    debug_dir: Vec<PathBuf>,

    /// Read N units at a time [default: as many as there are processors]
    #[arg(short, long, value_name = "N")]
    jobs: Option<NonZeroUsize>,

    /// Say what was found where, and what BTF could express in other ways only, or not at all
    #[arg(short, long)]
    verbose: bool,
}

const HELP: &str = "\
Names: types of C keep theirs. Types within namespaces, classes and functions carry those:
C++'s n1::data is 'struct n1__data', Rust's core::option::Option<u32> is
'union core__option__Option_u32_', and so do variables. Where files use one name for different structs, all are written,
and listed on standard error.

Exit status:
  0  done
  2  an error; nothing was written

Examples:
  ufunc-gen btf ./app -o app.btf
  bpftool btf dump file app.btf format c > app.h
  ufunc-gen btf ./app --types 'struct data' -o data.btf
  ufunc-gen btf ./app --types 'struct data' --variables -o data.btf
  ufunc-gen btf ./app --for prog.bpf.o -o prog.btf";

/// Runs `ufunc-gen btf`.
pub(crate) fn run(args: &BtfArgs) -> Result<ExitCode> {
    let output = args.output.as_deref().filter(|path| *path != Path::new("-"));
    ensure!(
        output.is_some() || !io::stdout().is_terminal(),
        "BTF is not written to a terminal; name a file with --output, or redirect standard output"
    );
    let bytes = encode(args)?;
    match output {
        Some(path) => output::write_file(path, &bytes)?,
        None => output::write_stdout(&bytes)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The BTF that is asked for, as bytes.
fn encode(args: &BtfArgs) -> Result<Vec<u8>> {
    let file = HostFile::open(&args.app)?;
    let host = file.parse()?;
    let search = Search::new(args.debug_dir.iter().cloned());
    let files = DebugFiles::find(&host, &search)?;
    let sections = files.load()?;
    let split = thread::scope(|scope| {
        scope.spawn(|| files.map_entries(&file, &sections));
        SplitFiles::find(&host, &files, &search, &sections)
    })?;
    let mut debug = DebugInfo::new(&sections, &split)?;
    if let Some(jobs) = args.jobs {
        debug.set_jobs(jobs);
    }
    if args.verbose && files.is_separate() {
        complain(&format!("the debug information is in {}", files.path().display()));
    }
    if let Some(missing) = debug.missing_note() {
        complain(&format!("{}: {missing}", args.app.display()));
    }
    let options = Options { functions: !args.no_functions, variables: args.variables };
    let what = format!("reading {}", args.app.display());
    let read = |done: &_| userspace::read(&debug, &options, done);
    // The process ends soon, and its memory with it: to give it back in pieces takes its time.
    let userspace = ManuallyDrop::new(progress::show(&what, debug.len(), read)?);
    let sections = match args.variables {
        true => files.sections(&host)?,
        false => Sections::default(),
    };
    let mut btf = ManuallyDrop::new(userspace.btf(&sections));
    if args.wants_everything() {
        // Hardly ever is there anything that the kernel refuses.
        let (checked, bytes) = check_and_write(&btf.types, btf.pointer);
        if checked.is_ok() {
            tell(&btf, args);
            return bytes.with_context(|| args.failure());
        }
    }
    btf.mend();
    tell(&btf, args);
    let types = ManuallyDrop::new(keep(mem::take(&mut btf.types), args)?);
    let (checked, bytes) = check_and_write(&types, btf.pointer);
    checked.and(bytes).with_context(|| args.failure())
}

impl BtfArgs {
    /// Whether nothing is to be left out.
    fn wants_everything(&self) -> bool {
        self.types.is_empty() && self.program.is_none()
    }

    fn failure(&self) -> String {
        format!("failed to write the BTF of {}", self.app.display())
    }
}

/// Whether a kernel with pointers of `pointer` bytes takes `types`, and these as bytes.
fn check_and_write(types: &[Type<'_>], pointer: u64) -> (Result<()>, Result<Vec<u8>>) {
    thread::scope(|scope| {
        let checked = scope.spawn(|| check_for(types, pointer));
        let bytes = Encoded::new(types, 0).and_then(|encoded| encoded.to_bytes());
        (checked.join().unwrap_or_else(|panic| resume_unwind(panic)), bytes)
    })
}

/// Leaves out what is not asked for.
fn keep<'a>(types: Vec<Type<'a>>, args: &BtfArgs) -> Result<Vec<Type<'a>>> {
    if let Some(program) = &args.program {
        let source = Source::read(program)
            .with_context(|| format!("failed to read {}", program.display()))?;
        let wanted = Btf::parse(&source.btf)
            .and_then(|btf| relocation::named_types(&btf))
            .with_context(|| format!("failed to read the BTF of {}", program.display()))?;
        let (types, missing) = minimal::keep_wanted(types, &wanted);
        ensure!(
            !types.is_empty(),
            "{} has none of the types that {} names",
            args.app.display(),
            program.display()
        );
        if args.verbose && !missing.is_empty() {
            complain(&format!("not in {}: {}", args.app.display(), missing.join(", ")));
        }
        return Ok(types);
    }
    match args.types.is_empty() {
        true => Ok(types),
        false => minimal::keep_named(types, &args.types)
            .with_context(|| format!("failed to find what is asked for in {}", args.app.display())),
    }
}

/// Says what BTF cannot say, and which names mean several things.
fn tell(btf: &UserspaceBtf<'_>, args: &BtfArgs) {
    if args.verbose {
        for (rule, count) in &btf.rules {
            complain(&format!("{count} × {}", rule.text()));
        }
    }
    let count = btf.ambiguous.len();
    if count == 0 || !args.wants_everything() {
        return;
    }
    let names = if count == 1 { "name stands" } else { "names stand" };
    let shown = if args.verbose { count } else { SHOWN };
    let listed = btf
        .ambiguous
        .iter()
        .take(shown)
        .map(|(name, definitions)| format!("{} ({definitions})", name.escape_debug()));
    let mut listed = listed.collect::<Vec<_>>().join(", ");
    if count > shown {
        listed += &format!(", … and {} more (-v shows all)", count - shown);
    }
    complain(&format!("{count} {names} for different structs in different files: {listed}"));
}
