// SPDX-License-Identifier: MIT OR Apache-2.0
//! The command line.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

/// Has the kernel's verifier judge eBPF extensions of an application.
#[derive(Debug, Parser)]
#[command(name = "loader", version, arg_required_else_help = true)]
pub(crate) struct Args {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What the loader does.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Have the kernel's verifier judge every program of a BPF object
    ///
    /// Loads every program of the object on its own, with the verifier of the running kernel, and
    /// says for each whether it is accepted, or why not and at which source line.
    ///
    /// Programs on the application's probes are fitted to its own types (CO-RE), which its debug
    /// information gives; programs on hooks of the kernel to the kernel's.
    ///
    /// Nothing is attached, and nothing stays loaded. If the programs call functions that the
    /// application lends (ufuncs), the kernel module that ufunc-gen generated from this very build
    /// of the application must be loaded.
    Verify(VerifyArgs),
}

/// What `loader verify` is given.
#[derive(Debug, ClapArgs)]
#[command(after_long_help = AFTER_HELP)]
pub(crate) struct VerifyArgs {
    /// The BPF object, compiled with clang --target=bpfel -g -O2 -c
    #[arg(value_name = "PROG.bpf.o")]
    pub(crate) object: PathBuf,

    /// The application that it extends
    #[arg(long, value_name = "FILE")]
    pub(crate) app: PathBuf,

    /// Print one JSON document instead of text
    #[arg(long)]
    pub(crate) json: bool,

    /// How much of the verifier's log to show of programs that are not accepted: full, short or
    /// none [default: none; full with --json or -v]
    #[arg(long, value_enum, value_name = "HOW-MUCH", hide_possible_values = true)]
    pub(crate) log: Option<LogMode>,

    /// Have the verifier log every path, and show whose types the programs are fitted to and what
    /// libbpf says (on stderr)
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

/// How much of the verifier's log is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogMode {
    /// All of it.
    Full,
    /// Its last lines.
    Short,
    /// Nothing.
    None,
}

const AFTER_HELP: &str = "\
Exit status:
  0  all programs are accepted
  1  at least one program is rejected
  2  could not be judged: a file that is missing or not what it should be, a missing capability
     (CAP_BPF and CAP_PERFMON are needed, CAP_SYS_ADMIN too for ufuncs), a ufunc that no loaded
     module declares, a module generated from another build of the application, wrong usage

Examples:
  Judge an extension that calls no ufuncs
      loader verify prog.bpf.o --app ./server

  Judge one that does
      ufunc-gen ./server > kmod/gen.rs && make && sudo insmod kmod/ufunc.ko
      sudo loader verify prog.bpf.o --app ./server

  See what the verifier saw before it said no
      sudo loader verify prog.bpf.o --app ./server --log short

  The names of the rejected programs, for a script
      sudo loader verify prog.bpf.o --app ./server --json |
          jq -r '.programs[] | select(.verdict == \"rejected\") | .name'";
