// SPDX-License-Identifier: MIT OR Apache-2.0
//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use ufunc_loader::TypeOptions;
use ufunc_loader::modules::{Lending, Source, Terms};

/// Has the kernel's verifier judge eBPF extensions of an application.
#[derive(Debug, Parser)]
#[command(name = "loader", version, arg_required_else_help = true)]
pub(crate) struct Args {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What the loader does. Only the options of the one that is called are built; a comment of theirs
/// that clap sees would take the place of the command's own, so they have none.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
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
    /// application lends (ufuncs), a kernel module declares those: one that ufunc-gen generated from
    /// this very build of the application, if it is loaded, or one that is made for this call and
    /// taken out again at its end.
    Verify(VerifyArgs),
    /// Attach the programs of a BPF object, and show what they print and collect
    ///
    /// Loads the object as `loader verify` judges it, attaches every program where its SEC() says,
    /// and runs until Ctrl-C. Then everything is detached: nothing stays behind, whatever ends it.
    Attach(AttachArgs),
    /// Write the least policy that an extension needs, to be read, and given to verify --allow
    ///
    /// Reads from the object's instructions which functions, helpers and types of maps its programs
    /// use, and from SEC() where they go. With --app, the verifier judges them as well and counts
    /// instructions.
    Allow(AllowArgs),
    /// Run the programs of a BPF object inside the application
    ///
    /// Has the kernel judge the object as `loader verify` does, and then puts the accepted
    /// instructions, compiled, into the application: into one that it starts, or into a running one.
    /// There they run at the functions that SEC() names, call the functions that the application
    /// lends, and never enter the kernel. Ctrl-C takes them out again.
    Run(RunArgs),
    /// Take extensions out of applications that `loader run` put there
    Stop(StopArgs),
    /// Have the kernel judge a BPF object, and write what `loader run --bundle` needs to run it
    ///
    /// Who runs a bundle needs neither root nor the kernel that judged it: the application has to be
    /// the very build, and the bundle as it was written.
    Bundle(BundleArgs),
    /// Show which programs are attached, and where
    ///
    /// All links of the kernel, whoever made them: programs on probes with file, symbol and
    /// offset; where they are pinned, and which processes hold them. Then the extensions that
    /// loader run put into applications.
    List(ListArgs),
    /// Detach programs that `attach --pin` left, or that a process holds
    Detach(DetachArgs),
    /// Say what this machine has, and what it lacks, for extensions
    Doctor(DoctorArgs),
}

// What `loader verify` is given.
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

    /// Have these kernels judge, each in a virtual machine that is thrown away: 6.12,7.2 or whole
    /// releases, of Debian's
    ///
    /// ufunc's scripts/vm fetches and boots them, as root. It is found above this loader and above
    /// the current folder, at ../share/ufunc/scripts/vm beside the loader, or by UFUNC_VM_COMMAND.
    #[arg(long, value_name = "KERNEL,…", value_delimiter = ',', conflicts_with = "csv")]
    pub(crate) kernels: Vec<String>,

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

    #[command(flatten)]
    pub(crate) limits: LimitArgs,

    #[command(flatten)]
    pub(crate) lending: LendingArgs,

    #[command(flatten)]
    pub(crate) types: TypeArgs,
}

// Where types come from that programs are fitted to (CO-RE).
#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Types")]
pub(crate) struct TypeArgs {
    /// Take the application's types from FILE, not from its debug information
    ///
    /// FILE is BTF, or an ELF file with BTF, of the application alone or with a kernel's (from
    /// ufunc-gen btf and ufunc-gen merge, pahole, bpftool). Of several types of one name the last
    /// counts. --app is then needed only for ufuncs, and for where programs go.
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
}

impl TypeArgs {
    /// The same for the library.
    pub(crate) fn options(&self) -> TypeOptions<'_> {
        TypeOptions {
            btf: self.btf.as_deref(),
            vmlinux: self.vmlinux.as_deref(),
            debug_dirs: &self.debug_dir,
            prefer_kernel: self.prefer == Preference::Kernel,
            cache: !self.no_cache,
        }
    }
}

// What `loader attach` is given.
#[derive(Debug, ClapArgs)]
#[command(after_long_help = ATTACH_HELP)]
pub(crate) struct AttachArgs {
    /// The BPF object, compiled with clang --target=bpfel -g -O2 -c
    #[arg(value_name = "PROG.bpf.o")]
    pub(crate) object: PathBuf,

    /// The application, or one of its shared libraries; may be given several times
    ///
    /// A program goes to the one whose file name its SEC() has, and a bare SEC("uprobe") to the
    /// first one.
    #[arg(long, value_name = "FILE")]
    pub(crate) app: Vec<PathBuf>,

    /// Only in this process, until it ends; its executable is the --app if none is given
    ///
    /// Programs on the kernel's hooks run in all processes all the same.
    #[arg(long, value_name = "PID", value_parser = clap::value_parser!(i32).range(1..))]
    pub(crate) pid: Option<i32>,

    /// Where programs go whose SEC() does not say it, or all on user probes, if it does: NAME,
    /// NAME+OFFSET, NAME@plt, 0xADDRESS; PROVIDER:NAME for usdt
    ///
    /// C++ and Rust functions are found by the names that a programmer knows: ns::f, or
    /// 'ns::f(int)' if there are several. A function that the application only calls (malloc) is
    /// probed where the application calls it, in its PLT; give the library with --app to probe the
    /// function itself.
    #[arg(long, value_name = "NAME[+OFFSET]")]
    pub(crate) func: Option<String>,

    /// Only this program of the object; may be given several times [default: all]
    #[arg(long, value_name = "NAME")]
    pub(crate) program: Vec<String>,

    /// The map that programs in SEC("iter/bpf_map_elem") go through: one of the object's, or the
    /// file where it is pinned
    #[arg(long, value_name = "MAP|FILE")]
    pub(crate) map: Option<String>,

    /// What bpf_get_attach_cookie() returns to the programs
    #[arg(long, value_name = "NUMBER", value_parser = number)]
    pub(crate) cookie: Option<u64>,

    /// How often programs in SEC("perf_event") run on each processor, per second
    #[arg(long, value_name = "HZ", default_value_t = 99, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub(crate) frequency: u64,

    /// End after this many seconds
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) duration: Option<Duration>,

    /// Show what programs put into this ring buffer or perf event array; may be given several times
    #[arg(long, value_name = "MAP")]
    pub(crate) events: Vec<String>,

    /// The type of these events [default: the map's __type(value, …); else the struct that a
    /// global variable `struct T *unused…` points to; else the one struct named event or …_event]
    #[arg(long, value_name = "struct NAME", requires = "events")]
    pub(crate) event_type: Option<String>,

    /// Show the contents of this map at the end; may be given several times. Global variables are
    /// in .bss and .data, constants in .rodata
    #[arg(long, value_name = "MAP")]
    pub(crate) dump: Vec<String>,

    /// Leave programs, links and maps in this folder of a BPF file system, and end at once (with
    /// --events or --duration: then)
    #[arg(long, value_name = "DIR")]
    pub(crate) pin: Option<PathBuf>,

    /// Attach programs that call functions of the application, although those calls do nothing in
    /// the kernel and return NULL or 0: for study
    #[arg(long)]
    pub(crate) allow_stubs: bool,

    /// Print one JSON object per line
    #[arg(long)]
    pub(crate) json: bool,

    /// Show what libbpf says (on stderr)
    #[arg(short, long)]
    pub(crate) verbose: bool,

    #[command(flatten)]
    pub(crate) limits: LimitArgs,

    #[command(flatten)]
    pub(crate) lending: LendingArgs,

    #[command(flatten)]
    pub(crate) types: TypeArgs,
}

// What `loader allow` is given.
#[derive(Debug, ClapArgs)]
#[command(after_long_help = ALLOW_HELP)]
pub(crate) struct AllowArgs {
    /// The BPF object, compiled with clang --target=bpfel -g -O2 -c
    #[arg(value_name = "PROG.bpf.o")]
    pub(crate) object: PathBuf,

    /// The application that it extends, or a shared library (repeatable): has the verifier count
    #[arg(long, value_name = "FILE")]
    pub(crate) app: Vec<PathBuf>,

    /// Only this program of the object; may be given several times [default: all]
    #[arg(long, value_name = "NAME")]
    pub(crate) program: Vec<String>,

    /// Where the policy is written [default: stdout]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) lending: LendingArgs,

    #[command(flatten)]
    pub(crate) types: TypeArgs,
}

// What one extension may use.
#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "What this extension may use")]
pub(crate) struct LimitArgs {
    /// Refuse what the policy FILE (TOML) does not name: functions, helpers, types of maps, probes,
    /// and how many instructions the verifier may count; loader allow writes one
    #[arg(long, value_name = "FILE")]
    pub(crate) allow: Option<PathBuf>,
}

// What `loader run` is given.
#[derive(Debug, ClapArgs)]
#[command(after_long_help = RUN_HELP)]
pub(crate) struct RunArgs {
    /// The BPF object, compiled with clang --target=bpfel -g -O2 -c
    #[arg(
        value_name = "PROG.bpf.o",
        required_unless_present = "bundle",
        conflicts_with = "bundle"
    )]
    pub(crate) object: Option<PathBuf>,

    /// A bundle that loader bundle wrote, in place of an object; no root is needed
    #[arg(long, value_name = "FILE")]
    pub(crate) bundle: Option<PathBuf>,

    /// Run the bundle only if it is signed with this ed25519 key (the public half, PEM)
    #[arg(long, value_name = "PUBKEY", requires = "bundle")]
    pub(crate) trust: Option<PathBuf>,

    /// The application, which is started, and its shared libraries; may be given several times
    ///
    /// The first executable is the one that is started, with what follows `--`. With --pid, the
    /// process' executable if none is given.
    #[arg(long, value_name = "FILE", required_unless_present = "pid")]
    pub(crate) app: Vec<PathBuf>,

    /// Put the extension into this process, which runs already
    #[arg(long, value_name = "PID", value_parser = clap::value_parser!(i32).range(1..))]
    pub(crate) pid: Option<i32>,

    /// Where programs go whose SEC() does not say it, or all, if it does: NAME, NAME+OFFSET,
    /// NAME@plt, 0xADDRESS
    #[arg(long, value_name = "NAME[+OFFSET]", conflicts_with = "bundle")]
    pub(crate) func: Option<String>,

    /// Only this program of the object; may be given several times [default: all]
    #[arg(long, value_name = "NAME", conflicts_with = "bundle")]
    pub(crate) program: Vec<String>,

    /// What bpf_get_attach_cookie() returns to the programs
    #[arg(long, value_name = "NUMBER", value_parser = number, conflicts_with = "bundle")]
    pub(crate) cookie: Option<u64>,

    /// What loader list and loader stop call the extension [default: the object's name]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,

    /// Take the extension out, and end, after this many seconds
    #[arg(long, value_name = "SECONDS", value_parser = seconds, conflicts_with = "detach")]
    pub(crate) duration: Option<Duration>,

    /// End at once and leave the extension in the application, until loader stop
    #[arg(long, conflicts_with_all = ["events", "dump"])]
    pub(crate) detach: bool,

    /// Show what programs put into this ring buffer or perf event array; may be given several times
    #[arg(long, value_name = "MAP")]
    pub(crate) events: Vec<String>,

    /// The type of these events [default: as for loader attach]
    #[arg(long, value_name = "struct NAME", requires = "events")]
    pub(crate) event_type: Option<String>,

    /// Show the contents of this map at the end; may be given several times. Global variables are
    /// in .bss and .data, constants in .rodata
    #[arg(long, value_name = "MAP")]
    pub(crate) dump: Vec<String>,

    /// Print one JSON object per line
    #[arg(long)]
    pub(crate) json: bool,

    /// Show what libbpf says (on stderr)
    #[arg(short, long)]
    pub(crate) verbose: bool,

    #[command(flatten)]
    pub(crate) limits: LimitArgs,

    #[command(flatten)]
    pub(crate) lending: LendingArgs,

    #[command(flatten)]
    pub(crate) types: TypeArgs,

    /// Arguments of the application
    #[arg(last = true, value_name = "ARGS", conflicts_with = "pid")]
    pub(crate) arguments: Vec<OsString>,
}

// What `loader stop` is given.
#[derive(Debug, ClapArgs)]
#[command(after_long_help = STOP_HELP)]
pub(crate) struct StopArgs {
    /// The extension's name, as loader list has it
    #[arg(value_name = "NAME", required_unless_present = "all", conflicts_with = "all")]
    pub(crate) name: Option<String>,

    /// Only in this process [default: in all]
    #[arg(long, value_name = "PID", value_parser = clap::value_parser!(i32).range(1..))]
    pub(crate) pid: Option<i32>,

    /// All extensions
    #[arg(long)]
    pub(crate) all: bool,

    /// Print one JSON document instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

// What `loader bundle` is given.
#[derive(Debug, ClapArgs)]
#[command(after_long_help = BUNDLE_HELP)]
pub(crate) struct BundleArgs {
    /// The BPF object, compiled with clang --target=bpfel -g -O2 -c
    #[arg(value_name = "PROG.bpf.o")]
    pub(crate) object: PathBuf,

    /// The application, and its shared libraries; may be given several times
    #[arg(long, value_name = "FILE", required = true)]
    pub(crate) app: Vec<PathBuf>,

    /// Where the bundle is written
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,

    /// Sign it with this ed25519 private key (PEM)
    #[arg(long, value_name = "KEY")]
    pub(crate) sign: Option<PathBuf>,

    /// Where programs go whose SEC() does not say it, or all, if it does: as for loader run
    #[arg(long, value_name = "NAME[+OFFSET]")]
    pub(crate) func: Option<String>,

    /// Only this program of the object; may be given several times [default: all]
    #[arg(long, value_name = "NAME")]
    pub(crate) program: Vec<String>,

    /// What bpf_get_attach_cookie() returns to the programs
    #[arg(long, value_name = "NUMBER", value_parser = number)]
    pub(crate) cookie: Option<u64>,

    /// Show what libbpf says (on stderr)
    #[arg(short, long)]
    pub(crate) verbose: bool,

    #[command(flatten)]
    pub(crate) limits: LimitArgs,

    #[command(flatten)]
    pub(crate) lending: LendingArgs,

    #[command(flatten)]
    pub(crate) types: TypeArgs,
}

// What `loader list` is given.
#[derive(Debug, ClapArgs)]
#[command(after_long_help = LIST_HELP)]
pub(crate) struct ListArgs {
    /// Only what is pinned there: a file or a folder of a BPF file system
    #[arg(value_name = "PATH")]
    pub(crate) path: Option<PathBuf>,

    /// Print one JSON document instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

// What `loader detach` is given.
#[derive(Debug, ClapArgs)]
#[command(after_long_help = DETACH_HELP)]
pub(crate) struct DetachArgs {
    /// A folder that `attach --pin` made, a pinned link, or the number of a link in `loader list`
    #[arg(value_name = "DIR|LINK|ID", required = true)]
    pub(crate) targets: Vec<String>,

    /// Print one JSON document instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

// What `loader doctor` is given.
#[derive(Debug, ClapArgs)]
#[command(after_long_help = DOCTOR_HELP)]
pub(crate) struct DoctorArgs {
    /// Print one JSON document instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

// Where the functions come from that applications lend.
#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Functions that the application lends")]
pub(crate) struct LendingArgs {
    /// The kernel module that declares them: 'auto' makes one for this call alone, 'none' makes
    /// none and takes what is loaded, NAME is the loaded one of that name [default: a loaded one of
    /// this very build of the application, else auto where this process may load modules]
    #[arg(long, value_name = "auto|NAME|none")]
    module: Option<String>,

    /// Lend what the policy FILE (TOML) names, and nothing else, as with ufunc-gen; implies
    /// --module auto
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,

    /// Do not infer pairs of functions from their names and types; implies --module auto
    #[arg(long)]
    no_infer: bool,

    /// Put PREFIX before the name of every function that is lent; implies --module auto
    #[arg(long, value_name = "PREFIX")]
    prefix: Option<String>,
}

impl LendingArgs {
    /// What is asked for. Fails if it cannot go together.
    pub(crate) fn lending<'a>(&'a self, debug_dirs: &'a [PathBuf]) -> Result<Lending<'a>, String> {
        let terms = Terms {
            policy: self.policy.as_deref(),
            infer: !self.no_infer,
            prefix: self.prefix.as_deref().unwrap_or_default(),
            debug_dirs,
        };
        let has_terms = self.policy.is_some() || self.no_infer || self.prefix.is_some();
        let source = match self.module.as_deref() {
            Some("auto") => Source::Made,
            None if has_terms => Source::Made,
            Some(module) if has_terms => {
                return Err(format!(
                    "--policy, --no-infer and --prefix say what a module lends that is made for this call; with --module {module} none is"
                ));
            }
            None => Source::Any,
            Some("none") => Source::Loaded,
            Some(name) => Source::Named(name),
        };
        Ok(Lending { source, terms })
    }
}

/// Reads a number in decimal or, after `0x`, in hexadecimal.
fn number(text: &str) -> Result<u64, String> {
    let parsed = match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    parsed.map_err(|error| error.to_string())
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
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
  1  at least one program is rejected, or uses what --allow does not name
  2  could not be judged: a file that is missing or not what it should be, an application whose
     types a program needs and that has no debug information, a missing license, a map that cannot
     be made, a missing capability (CAP_BPF and CAP_PERFMON are needed, CAP_SYS_ADMIN too for
     ufuncs, because the kernel gives a module's BTF to nobody else, and CAP_SYS_MODULE if none is
     loaded), a ufunc that no module declares, a module generated from another build of the
     application, wrong usage

Examples:
  Judge an extension that calls no ufuncs
      loader verify prog.bpf.o --app ./server

  Judge one that does, with a module that is made for this call
      sudo loader verify prog.bpf.o --app ./server

  The same without CAP_SYS_MODULE, with one that somebody loaded before
      ufunc-gen ko ./server -o ufunc.ko && sudo insmod ufunc.ko
      loader verify prog.bpf.o --app ./server

  Judge it for two versions of a server, each with a library
      loader verify prog.bpf.o --app ./server-1 --app ./server-2 --app ./libplugin.so

  Without the server, with types that were made before
      ufunc-gen btf ./server -o server.btf
      loader verify prog.bpf.o --btf server.btf

  See what the verifier saw before it said no
      sudo loader verify prog.bpf.o --app ./server --log short

  Hold it to what it may use
      sudo loader verify prog.bpf.o --app ./server --allow prog.toml

  Compare what the verifier has to do with what it had to do before
      sudo loader verify prog.bpf.o --app ./server --csv > after.csv
      veristat -C before.csv after.csv

  Have several kernels judge it
      sudo loader verify prog.bpf.o --app ./server --kernels 6.12,7.2

  The names of the rejected programs, for a script
      sudo loader verify prog.bpf.o --app ./server --json |
          jq -r '.programs[] | select(.verdict == \"rejected\") | .name'";

const ALLOW_HELP: &str = "\
Exit status:
  0  the policy was written
  1  the verifier rejected a program
  2  not possible: a file that is missing or not what it should be; with --app, what verify needs

Examples:
  Write it, read it, and hold the extension to it from then on
      sudo loader allow prog.bpf.o --app ./server -o prog.toml
      sudo loader verify prog.bpf.o --app ./server --allow prog.toml";

const ATTACH_HELP: &str = "\
Exit status:
  0  attached, and detached again at the end (or pinned)
  1  the verifier rejected a program, or it uses what --allow does not name; nothing was attached
  2  not possible: a file, function, capability or kernel feature that is missing, a program that
     calls functions of the application (those run in the application: loader run), wrong usage

Where programs go:
  uprobe, uretprobe, uprobe.multi, uprobe.session, usdt     --app, or the file in SEC()
  kprobe, kprobe.multi, ksyscall, fentry, fexit, fmod_ret,
  tracepoint, raw_tracepoint, tp_btf, lsm                   the kernel
  iter                                                      read once, and shown
  perf_event                                                the processors, --frequency times a second

Examples:
  Attach, and see what the programs print, until Ctrl-C
      sudo loader attach prog.bpf.o --app ./server

  A program in SEC(\"uprobe\"): say where it goes
      sudo loader attach prog.bpf.o --app ./server --func handle_request
      sudo loader attach prog.bpf.o --app ./server --func 'handle_request+0x14'
      sudo loader attach prog.bpf.o --app ./server --func 'net::Server::accept'

  One process, ten seconds; events of a ring buffer as JSON lines, and a map at the end
      sudo loader attach prog.bpf.o --app ./server --pid 1234 --duration 10 \\
          --events events --dump counts --json

  Leave it attached, look at it, and detach it
      sudo loader attach prog.bpf.o --app ./server --pin /sys/fs/bpf/server
      sudo loader list /sys/fs/bpf/server
      sudo loader detach /sys/fs/bpf/server";

const RUN_HELP: &str = "\
Exit status:
  that of the application, if it was started here and has ended by itself (128 and the signal's
  number, if one ended it); else
  0  the extension ran, and was taken out at the end (or left, with --detach)
  1  the verifier rejected a program, or it uses what --allow does not name; the application was not
     touched
  2  not possible, and the application not touched: what verify needs is missing, a program for a
     hook of the kernel, a helper or map that there is none of in an application, another build of
     the application than was judged, a process that may not be traced, wrong usage

What happens to the application:
  Ctrl-C takes the extension out. An application that was started here gets the signal as it would
  without the loader, and its exit status is the loader's. If the loader is killed, the application
  goes on with its extension: loader list shows it and loader stop takes it out.

Examples:
  Start a server with an extension in it; see what it prints, until Ctrl-C
      sudo loader run prog.bpf.o --app ./server -- --port 8080

  Put it into one that runs; events of a ring buffer, and a map at the end
      sudo loader run prog.bpf.o --pid 1234 --events events --dump counts

  Leave it there, look at it, take it out
      sudo loader run prog.bpf.o --pid 1234 --detach
      sudo loader list
      sudo loader stop prog

  Judged by root, run by anybody
      sudo loader bundle prog.bpf.o --app ./server -o prog.ufb --sign key.pem
      loader run --bundle prog.ufb --trust key.pub --app ./server";

const STOP_HELP: &str = "\
Exit status:
  0  taken out
  2  not, or not everywhere; the error says why

Examples:
  loader stop prog
  loader stop --pid 1234 --all";

const BUNDLE_HELP: &str = "\
Exit status:
  0  the bundle was written
  1  the verifier rejected a program, or it uses what --allow does not name
  2  not possible: as for loader run, or the file could not be written

Whoever can write a bundle can write any code into it. Sign it, and run it with --trust, where that
matters:
  openssl genpkey -algorithm ed25519 -out key.pem
  openssl pkey -in key.pem -pubout -out key.pub
  sudo loader bundle prog.bpf.o --app ./server -o prog.ufb --sign key.pem
  loader run --bundle prog.ufb --trust key.pub --app ./server";

const LIST_HELP: &str = "\
Exit status:
  0  done, even if nothing is attached
  2  not possible: CAP_SYS_ADMIN is missing, or PATH is in no BPF file system

Examples:
  All programs on one executable
      sudo loader list --json | jq '.links[] | select(.file == \"/usr/bin/server\")'";

const DETACH_HELP: &str = "\
A link that a process holds lasts as long as that process: it is named, to be ended.

Exit status:
  0  detached
  2  not, or not all of it; the error says why

Examples:
  sudo loader detach /sys/fs/bpf/server
  sudo loader detach 17";

const DOCTOR_HELP: &str = "\
Exit status:
  0  all that matters is there (what is unknown, or for some programs only, does not count)
  1  something is missing; its line says what to do
  2  could not be found out: wrong usage, or the output could not be written";
