// SPDX-License-Identifier: MIT OR Apache-2.0
//! `ufunc-gen header`: what the authors of extensions include.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Args;
use ufunc_gen::btf::decode::Btf;
use ufunc_gen::btf::source::Source;
use ufunc_gen::debugfile::sections::Sections;
use ufunc_gen::debugfile::{DebugFiles, Search};
use ufunc_gen::dwarf::{DebugInfo, SplitFiles};
use ufunc_gen::elf::HostFile;
use ufunc_gen::header::{self, Contents, KernelNames};
use ufunc_gen::module::collision;
use ufunc_gen::output;
use ufunc_gen::ufunc::{self, Ufunc};
use ufunc_gen::userspace::{self, Options, minimal};

use super::progress;
use crate::args::HostArgs;
use crate::{choice, complain, tell};

/// Write the C header for extensions: the application's types, and the functions that it lends
///
/// Structs come with preserve_access_index, so that an extension fits each build of the application
/// (CO-RE); functions as kfuncs, each with what its caller owes. The header can be included after
/// vmlinux.h, or without it.
#[derive(Args, Debug)]
#[command(after_long_help = HELP)]
pub(crate) struct HeaderArgs {
    #[command(flatten)]
    host: HostArgs,

    /// Write the header to FILE instead of standard output, whole or not at all
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Declare just what these types and the functions lead to; a name may say what it is, as
    /// 'struct data' [default: all types]
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    types: Vec<String>,

    /// Leave out the functions, for an application that lends none
    #[arg(long, conflicts_with_all = ["policy", "no_infer", "prefix"])]
    types_only: bool,
}

const HELP: &str = "\
A name that the kernel has, too, gets three underscores and the application's name at its end: the
application's struct file is struct file___app. libbpf ignores what follows the underscores. Which names
those are, the running kernel says, or the one in --vmlinux. A word of C that is a member's name gets an
underscore; the member cannot be read then.

Exit status:
  0  done
  2  an error; nothing was written

Examples:
  ufunc-gen header ./app -o app.ufunc.h
  ufunc-gen header ./app --types 'struct session' -o session.h
  clang --target=bpfel -g -O2 -D__TARGET_ARCH_x86 -c prog.bpf.c     # #include \"app.ufunc.h\"";

/// Runs `ufunc-gen header`.
pub(crate) fn run(args: &HeaderArgs) -> Result<ExitCode> {
    let app = &args.host.app;
    let file = HostFile::open(app)?;
    let host = file.parse()?;
    host.require_extendable()?;
    let search = Search::new(args.host.debug_dir.iter().cloned());
    let files = DebugFiles::find(&host, &search)?;
    let sections = files.load()?;
    let split = SplitFiles::find(&host, &files, &search, &sections)?;
    let debug = DebugInfo::new(&sections, &split)?;
    let symbols = files.functions(&host)?;
    let (ufuncs, accessors) = match args.types_only {
        true => (Vec::new(), Vec::new()),
        false => {
            let chosen = ufunc::choose(&host, &symbols, &debug, &choice(&args.host)?)
                .context("no function can be declared; --types-only leaves them out")?;
            tell(&chosen, args.host.verbose, false);
            (chosen.ufuncs, chosen.accessors)
        }
    };
    let mut wanted = args.types.clone();
    if !wanted.is_empty() {
        wanted.extend(accessors.iter().map(|accessor| accessor.object.to_string()));
    }
    let options = Options { functions: true, variables: false };
    let what = format!("reading {}", app.display());
    let userspace =
        progress::show(&what, debug.len(), |done: &_| userspace::read(&debug, &options, done))?;
    let mut btf = userspace.btf(&Sections::default());
    btf.mend();
    let types = minimal::keep_declared(btf.types, &wanted, &names(&ufuncs))
        .with_context(|| format!("failed to find what is asked for in {}", app.display()))?;
    let header = header::write(Contents {
        host: &host.name(),
        build_id: host.build_id().ok().as_ref(),
        types,
        ufuncs: &ufuncs,
        accessors: &accessors,
        kernel: &kernel_names(&args.host)?,
    })
    .with_context(|| format!("failed to write the header of {}", app.display()))?;
    if args.host.verbose && header.flavoured > 0 {
        complain(&format!("{} names mean something else to C or the kernel", header.flavoured));
    }
    match &args.output {
        Some(path) => output::write_file(path, &header.text)?,
        None => output::write_stdout(&header.text)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// What the functions are called in the application.
fn names<'u>(ufuncs: &'u [Ufunc<'_>]) -> Vec<&'u str> {
    ufuncs.iter().map(|ufunc| ufunc.function.symbol()).collect()
}

/// The names of the kernel that extensions are compiled for.
fn kernel_names(args: &HostArgs) -> Result<KernelNames> {
    let Some(path) = args.vmlinux.clone().or_else(collision::running_kernel) else {
        complain(
            "this kernel does not show its types: names that it has, too, are not known (--vmlinux FILE)",
        );
        return Ok(KernelNames::default());
    };
    let context = || format!("failed to read the kernel's types from {}", path.display());
    let source = Source::read(&path).with_context(context)?;
    Btf::parse(&source.btf).and_then(|btf| KernelNames::new(&btf)).with_context(context)
}
