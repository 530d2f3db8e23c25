// SPDX-License-Identifier: MIT OR Apache-2.0
//! `ufunc-gen merge`: several BTFs as one.

use std::ffi::OsStr;
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail, ensure};
use clap::{Args, ValueEnum};
use ufunc_gen::btf::merge::{self, Ambiguous, Before, Conflict, Input, Merged, Options, Prefer};
use ufunc_gen::btf::raw::{Raw, is_btf};
use ufunc_gen::btf::source::Source;
use ufunc_gen::btf::split;
use ufunc_gen::elf::{FileBytes, HostFile};
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

    /// What inputs continue that continue another BTF than BASE
    ///
    /// A module's BTF continues that of its kernel; without this BASE is taken for it. Of FILE's
    /// types those are added that such an input leads to. BASE itself may be one then, and what FILE
    /// has goes before its types.
    #[arg(long = "base", value_name = "FILE")]
    continued: Option<PathBuf>,

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

    /// Show every conflict, and names that stand for different layouts within one input
    ///
    /// Of those all are kept as they are: what the input means by such a name only it can know.
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

  # A module of another kernel, which is no input itself:
  ufunc-gen merge app.btf nf_conntrack.btf --base other/vmlinux -o merged.btf

libbpf resolves a program's relocations against it with:
  LIBBPF_OPTS(bpf_object_open_opts, opts, .btf_custom_path = \"merged.btf\");";

/// A file's BTF, and what it is called.
struct Loaded {
    label: String,
    stem: String,
    btf: FileBytes,
    /// What it continues, if it says so itself.
    distilled: Option<Vec<u8>>,
}

impl Loaded {
    fn read(path: &Path) -> Result<Self> {
        let label = path.display().to_string();
        let (btf, distilled) = match HostFile::open(path) {
            // The kernel's own types need not be copied.
            Ok(file) if is_btf(file.bytes()) => (FileBytes::Mapped(file), None),
            _ => {
                let source = Source::read(path);
                let source = source.with_context(|| format!("failed to read {label}"))?;
                (FileBytes::Read(source.btf), source.base)
            }
        };
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Loaded { label, stem, btf, distilled })
    }

    fn parse(&self) -> Result<Raw<'_>> {
        Raw::parse(&self.btf).with_context(|| format!("failed to read {}", self.label))
    }

    /// Its types. Of BTF that continues another it is `continued` that it continues, or BASE if that
    /// is not given, unless it has a distilled base, or is BASE itself.
    fn input(&self, is_base: bool, continued: Option<&Loaded>) -> Result<Input<'_>> {
        let mut btf = self.parse()?;
        let before =
            match (&self.distilled, continued) {
                (Some(base), _) => Before::Distilled(Raw::parse(base).with_context(|| {
                    format!("failed to read the distilled base of {}", self.label)
                })?),
                (None, Some(continued)) if btf.continues_another() => {
                    btf = split::alone(&continued.parse()?, &btf).with_context(|| {
                        format!("failed to read {} behind {}", self.label, continued.label)
                    })?;
                    Before::Nothing
                }
                (None, None) if !is_base && btf.continues_another() => Before::Base,
                (None, _) => Before::Nothing,
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
        ambiguous: args.verbose,
    };
    let continued = args.continued.as_deref().map(Loaded::read).transpose()?;
    let input = |loaded| Loaded::input(loaded, false, continued.as_ref());
    let inputs = more.iter().map(input).collect::<Result<Vec<_>>>()?;
    let merged = merge::merge(base.input(true, continued.as_ref())?, inputs, &options)?;
    let paths: Vec<&Path> =
        [&args.base].into_iter().chain(&args.more).map(PathBuf::as_path).collect();
    let labels = short_names(&paths);
    report_ambiguous(&merged, &labels);
    report(&merged, &labels, args);
    if options.prefer == Prefer::Error && !merged.conflicts.is_empty() {
        bail!("{} conflicts and --prefer error: nothing was written", merged.conflicts.len());
    }
    match output {
        Some(path) => {
            output::write_file_by(path, merged.btf.len(), |file| merged.btf.write(file))?;
        }
        None => output::write_stdout(merged.btf.to_bytes())?,
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

/// Says which names stand for different layouts within one input, if that was looked for.
fn report_ambiguous(merged: &Merged, labels: &[String]) {
    for of_one in merged.ambiguous.chunk_by(|a, b| a.input == b.input) {
        let (count, label) = (of_one.len(), &labels[of_one[0].input]);
        let names = if count == 1 { "name stands" } else { "names stand" };
        complain(&format!("{count} {names} for different layouts within {label}, and all stay"));
        for Ambiguous { class, name, layouts, .. } in of_one {
            complain(&format!("  {class} {}: {layouts} layouts", name.escape_debug()));
        }
    }
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
