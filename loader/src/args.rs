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
    /// information gives, and where it has none of a name to the kernel's; programs on hooks of the
    /// kernel to the kernel's. Of several applications and libraries, the one that SEC("uprobe/FILE:…")
    /// names comes first, then the others in the order of --app. Where the files of one application
    /// use a name for different types, the file with the probed function decides, or else the
    /// majority, with a warning.
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

    /// The application that it extends, or a shared library (repeatable)
    ///
    /// Executables are alternatives to each other, as two versions of an application are; so are
    /// shared libraries of one SONAME. Everything else belongs together. Every combination is
    /// judged.
    #[arg(long, value_name = "FILE", required_unless_present = "btf")]
    pub(crate) app: Vec<PathBuf>,

    /// Take the application's types from FILE, not from its debug information
    ///
    /// FILE is BTF, or an ELF file with BTF, of the application alone or with a kernel's (from
    /// ufunc-gen btf and ufunc-gen merge, pahole, bpftool). Of several types of one name the last
    /// counts. --app is then needed only for ufuncs.
    #[arg(long, value_name = "FILE")]
    pub(crate) btf: Option<PathBuf>,

    /// Take the kernel's types from FILE, BTF or ELF, not from the running kernel
    #[arg(long, value_name = "FILE")]
    pub(crate) vmlinux: Option<PathBuf>,

    /// Look for separate debug files in DIR, which is laid out like /usr/lib/debug, before
    /// /usr/lib/debug itself (repeatable)
    #[arg(long, value_name = "DIR")]
    pub(crate) debug_dir: Vec<PathBuf>,

    /// Whose type is meant, in a program on the application's probes, by a name that both have
    ///
    /// -v shows what is hidden. The context of a probe, pt_regs, is always the kernel's.
    #[arg(long, value_enum, value_name = "WHO", default_value = "host")]
    pub(crate) prefer: Preference,

    /// Neither use nor keep what was found out about applications
    ///
    /// By default it is kept, by build-id, in $XDG_CACHE_HOME/ufunc or ~/.cache/ufunc.
    #[arg(long)]
    pub(crate) no_cache: bool,

    /// Judge only this program of the object; may be given several times [default: all]
    #[arg(long, value_name = "NAME")]
    pub(crate) program: Vec<String>,

    /// Print one JSON document instead of text (docs/json.md describes it)
    #[arg(long)]
    pub(crate) json: bool,

    /// Print the verifier's numbers as veristat does with -o csv, a line for each program
    #[arg(long, conflicts_with_all = ["json", "log"])]
    pub(crate) csv: bool,

    /// How much of the verifier's log to show of programs that are not accepted: full, short or
    /// none [default: none; full with --json or -v]
    #[arg(long, value_enum, value_name = "HOW-MUCH", hide_possible_values = true)]
    pub(crate) log: Option<LogMode>,

    /// Have the verifier log every path, and show whose types the programs are fitted to and what
    /// libbpf says (on stderr)
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

/// Whose type a name means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Preference {
    /// The application's
    Host,
    /// The kernel's
    Kernel,
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
  2  could not be judged: a file that is missing or not what it should be, an application whose
     types a program needs and that has no debug information, a missing license, a map that cannot
     be made, a missing capability (CAP_BPF and CAP_PERFMON are needed, CAP_SYS_ADMIN too for
     ufuncs, because the kernel gives a module's BTF to nobody else), a ufunc that no loaded module
     declares, a module generated from another build of the application, wrong usage

Examples:
  Judge an extension that calls no ufuncs
      loader verify prog.bpf.o --app ./server

  Judge one that does
      ufunc-gen ./server > kmod/gen.rs && make && sudo insmod kmod/ufunc.ko
      sudo loader verify prog.bpf.o --app ./server

  Judge it for two versions of a server, each with a library
      loader verify prog.bpf.o --app ./server-1 --app ./server-2 --app ./libplugin.so

  Without the server, with types that were made before
      ufunc-gen btf ./server -o server.btf
      loader verify prog.bpf.o --btf server.btf

  See what the verifier saw before it said no
      sudo loader verify prog.bpf.o --app ./server --log short

  Compare what the verifier has to do with what it had to do before
      sudo loader verify prog.bpf.o --app ./server --csv > after.csv
      veristat -C before.csv after.csv

  The names of the rejected programs, for a script
      sudo loader verify prog.bpf.o --app ./server --json |
          jq -r '.programs[] | select(.verdict == \"rejected\") | .name'";
