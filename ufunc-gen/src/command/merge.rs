// SPDX-License-Identifier: MIT OR Apache-2.0
//! `ufunc-gen merge`: several BTFs as one.

use std::ffi::OsStr;
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail, ensure};
use clap::{Args, ValueEnum};
use ufunc_gen::btf::merge::{self, Before, Conflict, Input, Merged, Options, Prefer};
use ufunc_gen::btf::raw::Raw;
use ufunc_gen::btf::source::Source;
use ufunc_gen::output;

use crate::complain;

/// Conflicts that are shown without `-v`.
const SHOWN: usize = 5;

/// Conflicts of which `-v` says what the difference is: more than two kernels have.
const DETAILED: usize = 10_000;

/// Write one BTF with the types of several: a kernel's, and those of applications or modules
///
/// An extension that reads the application's data and the kernel's in one program has CO-RE
/// relocations for both, and libbpf resolves them against one BTF: this one.
#[derive(Args, Debug)]
#[command(after_long_help = HELP)]
pub(crate) struct MergeArgs {
    /// The BTF whose types keep their ids: as a rule the kernel's, /sys/kernel/btf/vmlinux
    ///
    /// Any input may be raw BTF of either byte order, or an ELF file with a section .BTF.
    #[arg(value_name = "BASE")]
    base: PathBuf,

    /// The BTFs whose types are added; a module's may continue BASE
    #[arg(value_name = "MORE", required = true)]
    more: Vec<PathBuf>,

    /// Write the result to FILE, whole or not at all; '-' is standard output, as is none
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Who keeps a name that stands for different layouts in several inputs
    ///
    /// The types of the others are called after their file: 'struct file' of vmlinux becomes
    /// 'struct file__vmlinux', and can be meant by that name. Where the layouts are the same, the
    /// first input's types keep the name, for any of them gives the same answers.
    #[arg(long, value_name = "WHO", default_value = "more")]
    prefer: Preference,

    /// BASE keeps NAME whatever --prefer says (repeatable)
    ///
    /// It always keeps pt_regs, user_pt_regs and user_regs_struct, where it has them: the context
    /// of a uprobe is the kernel's.
    #[arg(long, value_name = "NAME")]
    keep_base: Vec<String>,

    /// Keep equal types of several inputs apart
    ///
    /// By default a type of MORE that equals one before it becomes that one: same kind, names,
    /// sizes and offsets, and equal types wherever it refers to others. It costs some tens of
    /// milliseconds and makes the result smaller. 'struct x;' becomes the definition of 'struct x',
    /// if all inputs together have exactly one.
    #[arg(long)]
    no_dedup: bool,

    /// Show every conflict
    #[arg(short, long)]
    verbose: bool,
}

/// Who keeps a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Preference {
    /// The last input that has it
    More,
    /// The first input that has it
    Base,
    /// Both, as after libbpf's btf__add_btf(): relocations of that name may be ambiguous
    None,
    /// Nobody: fail and write nothing
    Error,
}

const HELP: &str = "\
Exit status:
  0  done; conflicts that were resolved are listed on standard error
  2  an error, or a conflict and --prefer error; nothing was written

Examples:
  pahole --btf_encode_detached app.btf ./app
  ufunc-gen merge /sys/kernel/btf/vmlinux app.btf -o merged.btf
  bpftool btf dump file merged.btf format c > vmlinux_and_app.h

  # The kernel's own, with a module's:
  ufunc-gen merge /sys/kernel/btf/vmlinux /sys/kernel/btf/nf_conntrack -o merged.btf

libbpf resolves a program's relocations against it with:
  LIBBPF_OPTS(bpf_object_open_opts, opts, .btf_custom_path = \"merged.btf\");";

/// A file's BTF, and what it is called.
struct Loaded {
    label: String,
    stem: String,
    source: Source,
}

impl Loaded {
    fn read(path: &Path) -> Result<Self> {
        let label = path.display().to_string();
        let source = Source::read(path).with_context(|| format!("failed to read {label}"))?;
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Loaded { label, stem, source })
    }

    /// Its types. Of BTF that continues another it is BASE that it continues, unless it has a
    /// distilled base, or is BASE itself.
    fn input(&self, is_base: bool) -> Result<Input<'_>> {
        let parse = |what: &str, bytes| {
            Raw::parse(bytes).with_context(|| format!("failed to read {what}{}", self.label))
        };
        let btf = parse("", &self.source.btf)?;
        let before = match &self.source.base {
            Some(base) => Before::Distilled(parse("the distilled base of ", base)?),
            None if !is_base && btf.continues_another() => Before::Base,
            None => Before::Nothing,
        };
        Ok(Input { label: &self.label, stem: self.stem.clone(), btf, before })
    }
}

/// Runs `ufunc-gen merge`.
pub(crate) fn run(args: &MergeArgs) -> Result<ExitCode> {
    let output = args.output.as_deref().filter(|path| *path != Path::new("-"));
    ensure!(
        output.is_some() || !io::stdout().is_terminal(),
        "BTF is not written to a terminal; name a file with --output, or redirect standard output"
    );
    let base = Loaded::read(&args.base)?;
    let more = args.more.iter().map(|path| Loaded::read(path)).collect::<Result<Vec<_>>>()?;
    let options = Options {
        dedup: !args.no_dedup,
        prefer: match args.prefer {
            Preference::More => Prefer::More,
            Preference::Base => Prefer::Base,
            Preference::None => Prefer::None,
            Preference::Error => Prefer::Error,
        },
        keep_base: args.keep_base.clone(),
        details: if args.verbose { DETAILED } else { SHOWN },
    };
    let inputs = more.iter().map(|loaded| loaded.input(false)).collect::<Result<Vec<_>>>()?;
    let merged = merge::merge(base.input(true)?, inputs, &options)?;
    let paths: Vec<&Path> =
        [&args.base].into_iter().chain(&args.more).map(PathBuf::as_path).collect();
    report(&merged, &short_names(&paths), args);
    if options.prefer == Prefer::Error && !merged.conflicts.is_empty() {
        bail!("{} conflicts and --prefer error: nothing was written", merged.conflicts.len());
    }
    match output {
        Some(path) => output::write_file(path, &merged.bytes)?,
        None => output::write_stdout(&merged.bytes)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The files' names without their folders; with them, where two files have one name.
fn short_names(paths: &[&Path]) -> Vec<String> {
    let name = |path: &&Path| path.file_name().map(OsStr::to_owned);
    let is_unique =
        |path: &&Path| paths.iter().filter(|&other| name(other) == name(path)).count() == 1;
    let short = |path: &&Path| match name(path) {
        Some(name) if is_unique(path) => name.to_string_lossy().into_owned(),
        _ => path.display().to_string(),
    };
    paths.iter().map(short).collect()
}

/// Says which names stood for different types. `labels` are what the inputs are called.
fn report(merged: &Merged, labels: &[String], args: &MergeArgs) {
    let count = merged.conflicts.len();
    if count == 0 {
        return;
    }
    let outcome = match args.prefer {
        Preference::More => "the last input that has one keeps it",
        Preference::Base => "the first input that has one keeps it",
        Preference::None => "all keep it, and relocations of it may be ambiguous",
        Preference::Error => "none may",
    };
    let names = if count == 1 { "name stands" } else { "names stand" };
    complain(&format!("{count} {names} for different layouts in different inputs; {outcome}"));
    let shown = if args.verbose { count } else { SHOWN };
    for conflict in merged.conflicts.iter().take(shown) {
        complain(&format!("  {}", line(conflict, labels)));
    }
    if count > shown {
        complain(&format!("  … and {} more (-v shows all)", count - shown));
    }
}

/// One conflict, in a line.
fn line(conflict: &Conflict, labels: &[String]) -> String {
    let Conflict { class, name, kept, other, renamed, difference } = conflict;
    let side = |side: &merge::Side| match side.size {
        Some(size) => format!("{size} bytes in {}", labels[side.input]),
        None => format!("no size in {}", labels[side.input]),
    };
    let mut line = format!("{class} {name}: {}, {}", side(kept), side(other));
    if let Some(renamed) = renamed {
        line += &format!(" (now {renamed})");
    }
    if !difference.is_empty() {
        line += &format!("; {difference}");
    }
    line
}
