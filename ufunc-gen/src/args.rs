// SPDX-License-Identifier: MIT OR Apache-2.0
//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::command::btf::BtfArgs;
use crate::command::header::HeaderArgs;
use crate::command::ko::KoArgs;
use crate::command::merge::MergeArgs;

/// Writes the kernel module source that declares an application's functions to the BPF verifier.
///
/// Reads the application's ELF file and debug information (build it with -g) and writes the
/// generated half of a Linux kernel module in Rust. Once that module is loaded, the kernel's
/// verifier knows each function that the application lends as a kfunc, and accepts an extension
/// only if it checks what it acquires for NULL and releases it, once, on every path.
#[derive(Debug, Parser)]
#[command(
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_long_help = HELP
)]
pub(crate) struct Cli {
    /// Something else than writing the module.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// What the module is written from.
    #[command(flatten)]
    pub host: Option<HostArgs>,

    /// Write the module to FILE instead of standard output, whole or not at all
    #[arg(short, long, value_name = "FILE", conflicts_with = "check")]
    pub output: Option<PathBuf>,

    /// Write nothing; exit with 1 and a short diff if FILE is not what would be written
    #[arg(long, value_name = "FILE")]
    pub check: Option<PathBuf>,
}

/// What is done instead of writing the module.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the functions that would be lent, with flags, signature and origin; writes nothing
    List {
        /// What is listed.
        #[command(flatten)]
        host: HostArgs,

        /// Print JSON instead of a table
        #[arg(long)]
        json: bool,
    },

    /// Propose a policy: what would be lent, and what a person has to decide, to be edited
    Policy {
        /// What it is about.
        #[command(flatten)]
        host: HostArgs,

        /// Write the policy to FILE instead of standard output, whole or not at all; a FILE that is
        /// there is left as it is
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },

    Ko(KoArgs),

    Merge(MergeArgs),

    Btf(BtfArgs),

    Header(HeaderArgs),
}

/// The application and what it lends.
#[derive(Args, Debug)]
pub(crate) struct HostArgs {
    /// The application: an executable or shared object with debug information
    #[arg(value_name = "APP")]
    pub app: PathBuf,

    /// Lend what the policy FILE (TOML) names, and nothing else
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,

    /// Do not infer pairs of functions from their names and types
    #[arg(long)]
    pub no_infer: bool,

    /// Put PREFIX before the name of every kfunc
    #[arg(long, value_name = "PREFIX", default_value = "", hide_default_value = true)]
    pub prefix: String,

    /// Look for separate debug files in DIR, which is laid out like /usr/lib/debug, before
    /// /usr/lib/debug itself (repeatable)
    #[arg(long, value_name = "DIR")]
    pub debug_dir: Vec<PathBuf>,

    /// Refuse names that the kernel in FILE has taken (its BTF, or a vmlinux with BTF)
    ///
    /// Without it the running kernel is asked, where it shows its BTF. 'ko' makes its module for
    /// the kernel in FILE.
    #[arg(long, value_name = "FILE")]
    pub vmlinux: Option<PathBuf>,

    /// Show each pair that inference left out, with the reason
    #[arg(short, long)]
    pub verbose: bool,
}

const HELP: &str = "\
What is lent, the first that there is deciding alone:
  1. the functions that a policy names (--policy):
       [[ufunc]]
       function = \"my_alloc_data\"
       role = \"acquire\"            # acquire, release or plain
       family = \"pool\"             # optional: which of them belong together
       source = \"data.c\"           # optional: its file, where several have one of that name
  2. the functions annotated with examples/include/ufunc.h: UFUNC_ACQUIRE(my_alloc_data);
  3. pairs inferred from names (alloc/free, new/delete, create/destroy, open/close, get/put,
     acquire/release, ref/unref, …) and types: the one returns 'struct T *', the other takes just
     that and returns nothing. Each is listed on standard error with the reason; look-alikes that
     are doubtful, or that no extension could call, are left out (-v shows them).

Exit status:
  0  done
  1  --check: FILE is stale
  2  an error; nothing was written

Examples:
  ufunc-gen list ./app
  ufunc-gen policy ./app -o app.toml
  ufunc-gen ./app > kmod/gen.rs && make && sudo insmod kmod/ufunc.ko
  ufunc-gen ko ./app -o ufunc.ko && sudo insmod ufunc.ko
  ufunc-gen ./app --check kmod/gen.rs";
