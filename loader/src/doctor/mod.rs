// SPDX-License-Identifier: MIT OR Apache-2.0
//! What this machine has, and what it lacks, for extensions.

mod config;
mod kfuncs;

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use anstyle::{AnsiColor, Style};
use serde::Serialize;
use ufunc_gen::btf::decode::Btf;
use ufunc_gen::kernel::{SYSFS_BTF, VMLINUX};

use crate::attach::is_bpffs;
use crate::attach::tracefs::Tracefs;
use crate::capability;
use crate::modules::{self, LoadedModule};
use crate::report::human::printable;
use crate::report::list;
pub(crate) use config::KernelConfig;

/// The first kernel that relocates the types of a generated module.
const FIRST_KERNEL: (u32, u32) = (6, 11);

/// How it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It is there.
    Ok,
    /// It is not.
    Missing,
    /// It cannot be found out.
    Unknown,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What it is.
    pub name: String,
    /// How it stands.
    pub state: State,
    /// What was found.
    pub found: String,
    /// What it is for, where that is not everything.
    pub only_for: Option<&'static str>,
    /// What to do.
    pub help: Option<String>,
}

impl Check {
    fn new(name: impl Into<String>, state: State, found: impl Into<String>) -> Self {
        Check { name: name.into(), state, found: found.into(), only_for: None, help: None }
    }

    /// For some programs only.
    fn only_for(self, what: &'static str) -> Self {
        Check { only_for: Some(what), ..self }
    }

    /// Unless it is there, `help` says what to do.
    fn or_do(self, help: impl Into<String>) -> Self {
        let help = (self.state != State::Ok).then(|| help.into());
        Check { help, ..self }
    }
}

/// Everything that was looked at.
#[derive(Debug, Serialize)]
pub struct Diagnosis {
    /// Whether all that matters is there.
    pub ok: bool,
    /// One after the other.
    pub checks: Vec<Check>,
}

/// Looks at this machine.
pub fn examine() -> Diagnosis {
    let config = KernelConfig::read();
    let mut checks = vec![kernel()];
    checks.extend(options(config.as_ref()));
    checks.extend([btf(), jit()]);
    checks.extend(capabilities());
    checks.extend([uprobes(), optimised_uprobes(), bpffs(), tracefs(), lockdown()]);
    checks.extend([unprivileged(), paranoid(), memlock()]);
    checks.extend(generated_modules());
    let matters = |check: &&Check| check.state == State::Missing && check.only_for.is_none();
    Diagnosis { ok: !checks.iter().any(|check| matters(&check)), checks }
}

impl Diagnosis {
    /// Writes one line for each check; with colours, which whoever prints it strips where they do
    /// not belong.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        const OK: Style = AnsiColor::BrightGreen.on_default();
        const MISSING: Style = AnsiColor::BrightRed.on_default().bold();
        const UNKNOWN: Style = AnsiColor::BrightYellow.on_default();
        for check in &self.checks {
            let (style, word) = match check.state {
                State::Ok => (OK, "ok"),
                State::Missing => (MISSING, "missing"),
                State::Unknown => (UNKNOWN, "unknown"),
            };
            let only_for = check.only_for.map(|what| format!(" (for {what})")).unwrap_or_default();
            let text = format!("{}: {}{only_for}", check.name, check.found);
            writeln!(out, "{style}{word:<8}{style:#}{}", printable(&text))?;
            if let Some(help) = &check.help {
                writeln!(out, "        {}", printable(help))?;
            }
        }
        Ok(())
    }

    /// Writes it as one JSON document.
    pub fn write_json(&self, out: &mut impl Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut *out, self)?;
        writeln!(out)
    }
}

fn kernel() -> Check {
    let release = config::release();
    let (major, minor) = FIRST_KERNEL;
    let state = match version(&release) {
        Some(version) if version >= FIRST_KERNEL => State::Ok,
        Some(_) => State::Missing,
        None => State::Unknown,
    };
    Check::new("kernel", state, release).or_do(format!("run Linux {major}.{minor} or later"))
}

fn version(release: &str) -> Option<(u32, u32)> {
    let mut parts = release.split(|char: char| !char.is_ascii_digit());
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// Options that the kernel is built with, and what they are for; for everything where nothing is
/// said.
const OPTIONS: [(&str, Option<&str>); 14] = [
    ("CONFIG_BPF_SYSCALL", None),
    ("CONFIG_BPF_EVENTS", None),
    ("CONFIG_UPROBE_EVENTS", None),
    ("CONFIG_DEBUG_INFO_BTF", None),
    ("CONFIG_MODULES", Some("functions lent by applications")),
    ("CONFIG_DEBUG_INFO_BTF_MODULES", Some("functions lent by applications")),
    ("CONFIG_RUST", Some("the module in Rust; that of ufunc-gen ko needs none")),
    ("CONFIG_KPROBE_EVENTS", Some("kprobe, kretprobe and ksyscall")),
    ("CONFIG_FPROBE", Some("kprobe.multi")),
    ("CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS", Some("fentry, fexit and fmod_ret")),
    ("CONFIG_FUNCTION_ERROR_INJECTION", Some("fmod_ret on what may fail")),
    ("CONFIG_FTRACE_SYSCALLS", Some("tracepoints of system calls")),
    ("CONFIG_BPF_LSM", Some("lsm")),
    ("CONFIG_BPF_JIT", Some("speed")),
];

fn options(config: Option<&KernelConfig>) -> Vec<Check> {
    let Some(config) = config else {
        let found =
            "neither /proc/config.gz nor a file of the distribution says how the kernel was built";
        let check = Check::new("kernel options", State::Unknown, found);
        return vec![check.or_do("modprobe configs, or install the kernel's headers")];
    };
    let check = |(option, only_for): &(&str, Option<&'static str>)| {
        let (state, found) = match config.get(option) {
            Some(value @ ("y" | "m")) => (State::Ok, value),
            Some("n") => (State::Missing, "not set"),
            // An option depends on others: where those are not set, it is not written down.
            _ => (State::Missing, "not set, or unknown to this kernel"),
        };
        let check = Check::new(*option, state, format!("{found} ({})", config.source));
        Check { only_for: *only_for, ..check.or_do(format!("run a kernel built with {option}=y")) }
    };
    OPTIONS.iter().map(check).collect()
}

fn btf() -> Check {
    let path = Path::new(SYSFS_BTF).join(VMLINUX);
    let shown = path.display().to_string();
    let check = match fs::read(&path) {
        Ok(bytes) => match Btf::parse(&bytes).and_then(|btf| btf.end()) {
            Ok(end) => {
                Check::new("types of the kernel", State::Ok, format!("{shown}, {end} types"))
            }
            Err(error) => {
                Check::new("types of the kernel", State::Missing, format!("{shown}: {error:#}"))
            }
        },
        Err(error) => {
            Check::new("types of the kernel", State::Missing, format!("{shown}: {error}"))
        }
    };
    check.or_do("run a kernel built with CONFIG_DEBUG_INFO_BTF=y")
}

/// The number in a file of `/proc/sys`.
fn sysctl(path: &str) -> Option<i64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

fn jit() -> Check {
    let path = "/proc/sys/net/core/bpf_jit_enable";
    let (state, found) = match sysctl(path) {
        Some(0) => (State::Missing, "programs are interpreted"),
        Some(_) => (State::Ok, "programs are compiled"),
        None => (State::Unknown, "its setting cannot be read"),
    };
    let check = Check::new("JIT", state, found).only_for("speed");
    check.or_do("sysctl net.core.bpf_jit_enable=1")
}

fn capabilities() -> Vec<Check> {
    let purposes = [None, None, Some("bpf_printk, list, and functions lent by applications")];
    let held = capability::held();
    let check = |((name, held), only_for): ((&'static str, Option<bool>), Option<&'static str>)| {
        let (state, found) = match held {
            Some(true) => (State::Ok, "held"),
            Some(false) => (State::Missing, "not held"),
            None => (State::Unknown, "/proc/self/status does not say it"),
        };
        let check = Check::new(name, state, found);
        Check { only_for, ..check.or_do(format!("run as root, or with {name}")) }
    };
    held.into_iter().zip(purposes).map(check).collect()
}

fn uprobes() -> Check {
    let path = "/sys/bus/event_source/devices/uprobe";
    let state = if Path::new(path).exists() { State::Ok } else { State::Missing };
    let found = if state == State::Ok { "there are some" } else { "the kernel has none" };
    Check::new("uprobes", state, found).or_do("run a kernel built with CONFIG_UPROBE_EVENTS=y")
}

/// Whether a probe on a 5-byte nop is a call, which is many times as fast as a trap.
fn optimised_uprobes() -> Check {
    let name = "fast uprobes";
    let Ok(symbols) = fs::read_to_string("/proc/kallsyms") else {
        return Check::new(name, State::Unknown, "/proc/kallsyms cannot be read").only_for("speed");
    };
    let has = |symbol: &str| symbols.lines().any(|line| line.split(' ').nth(2) == Some(symbol));
    let check = match has("arch_uprobe_optimize") {
        true => Check::new(name, State::Ok, "probes on 5-byte nops need no trap"),
        false => Check::new(name, State::Missing, "every probe is a trap"),
    };
    check.only_for("speed").or_do("run Linux 6.18 or later on x86-64")
}

fn bpffs() -> Check {
    let place = "/sys/fs/bpf";
    let check = match is_bpffs(Path::new(place)) {
        true => Check::new("BPF file system", State::Ok, format!("mounted on {place}")),
        false => Check::new("BPF file system", State::Missing, format!("not mounted on {place}")),
    };
    check.only_for("attach --pin").or_do(format!("mount -t bpf bpf {place}"))
}

fn tracefs() -> Check {
    let name = "tracefs";
    let check = match Tracefs::open() {
        Ok(tracefs) => match tracefs.place() {
            Some(place) => Check::new(name, State::Ok, format!("mounted on {place}")),
            None => Check::new(name, State::Ok, "not mounted; loader mounts it for itself"),
        },
        Err(error) => Check::new(name, State::Missing, format!("{error:#}")),
    };
    check
        .only_for("bpf_printk, and tracepoints")
        .or_do("mount -t tracefs tracefs /sys/kernel/tracing")
}

fn lockdown() -> Check {
    let path = "/sys/kernel/security/lockdown";
    let name = "lockdown";
    let check = match fs::read_to_string(path) {
        Ok(text) if text.contains("[confidentiality]") => {
            Check::new(name, State::Missing, "confidentiality: programs may read no memory")
        }
        Ok(text) => {
            let chosen = text.split(['[', ']']).nth(1).unwrap_or(text.trim());
            Check::new(name, State::Ok, format!("{chosen}: programs may read memory"))
        }
        Err(_) => Check::new(
            name,
            State::Unknown,
            format!(
                "{path} is not there: the kernel has no lockdown, or securityfs is not mounted"
            ),
        ),
    };
    let help = match check.state {
        State::Unknown => "mount -t securityfs securityfs /sys/kernel/security tells",
        _ => "boot with lockdown=integrity or lockdown=none",
    };
    check.or_do(help)
}

fn unprivileged() -> Check {
    let found = match sysctl("/proc/sys/kernel/unprivileged_bpf_disabled") {
        Some(0) => "0: anybody may load simple programs (2 is what distributions choose)",
        Some(1) => "1: only with CAP_BPF, until the next boot",
        Some(2) => "2: only with CAP_BPF",
        Some(_) => "a value that is not known here",
        None => "cannot be read",
    };
    Check::new("unprivileged_bpf_disabled", State::Ok, found)
}

fn paranoid() -> Check {
    let name = "perf_event_paranoid";
    match sysctl("/proc/sys/kernel/perf_event_paranoid") {
        Some(level) => {
            Check::new(name, State::Ok, format!("{level}: does not matter with CAP_PERFMON"))
        }
        None => Check::new(name, State::Unknown, "cannot be read: has the kernel perf events?"),
    }
}

fn memlock() -> Check {
    let check = match version(&config::release()) {
        // Since 5.11 memory of programs and maps counts to the control group.
        Some(version) if version >= (5, 11) => {
            Check::new("memlock", State::Ok, "does not limit programs and maps since Linux 5.11")
        }
        Some(_) => Check::new("memlock", State::Missing, "limits programs and maps"),
        None => Check::new("memlock", State::Unknown, "depends on the kernel's version"),
    };
    check.or_do("ulimit -l unlimited")
}

/// The modules that `ufunc-gen` made, and whether programs may call what they declare.
fn generated_modules() -> Vec<Check> {
    const FOR: &str = "functions lent by applications";
    let (found, unreadable) = modules::generated(Path::new(SYSFS_BTF));
    let mut checks: Vec<Check> = found.iter().map(generated_module).collect();
    checks.extend(unreadable.into_iter().map(|error| {
        let check = Check::new("modules", State::Unknown, error).only_for(FOR);
        check.or_do("run as root")
    }));
    if checks.is_empty() {
        const NONE: &str = "none that ufunc-gen made is loaded";
        let check = match modules::obstacle() {
            None => Check::new(
                "modules",
                State::Ok,
                format!("{NONE}; the loader makes one for each call that needs it"),
            ),
            Some(obstacle) => Check::new(
                "modules",
                State::Missing,
                format!("{NONE}, and the loader makes none: {obstacle}"),
            ),
        };
        checks.push(
            check.only_for(FOR).or_do("ufunc-gen ko ./app -o ufunc.ko && sudo insmod ufunc.ko"),
        );
    }
    checks
}

fn generated_module(module: &LoadedModule) -> Check {
    let metadata = &module.metadata;
    let name = format!("module {}", module.name);
    let host = format!("of {} (build-id {}): {}", metadata.host, metadata.build_id, module.names());
    let Some(first) = metadata.ufuncs.first() else {
        return Check::new(name, State::Ok, host);
    };
    // A module registers all of them at once, or none.
    match kfuncs::registered(&module.name, &first.kfunc) {
        Ok(registered) if registered.types.contains(&kfuncs::PROBES) => {
            Check::new(name, State::Ok, format!("{host}; for {}", list(&registered.types, "and")))
        }
        Ok(registered) if registered.unknown.is_empty() => {
            let found = match registered.types.as_slice() {
                [] => format!("{host}; registered for no programs"),
                types => format!("{host}; only for {}", list(types, "and")),
            };
            let help = format!("see dmesg | grep {}; generate the module again", module.name);
            Check::new(name, State::Missing, found).or_do(help)
        }
        Ok(registered) => {
            let found = format!("{host}; cannot be asked for: {}", registered.unknown.join(", "));
            Check::new(name, State::Unknown, found).or_do("run as root")
        }
        Err(error) => {
            Check::new(name, State::Unknown, format!("{host}; {error:#}")).or_do("run as root")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_number() {
        assert_eq!(version("6.18.44-fc-v669"), Some((6, 18)));
        assert_eq!(version("7.2-rc1"), Some((7, 2)));
        assert!(version("6.9.1").is_some_and(|version| version < FIRST_KERNEL));
        assert_eq!(version("unknown"), None);
    }

    #[test]
    fn what_is_for_some_programs_only_is_no_failure() {
        let check = Check::new("a", State::Missing, "not set").or_do("do it");
        assert_eq!(check.help.as_deref(), Some("do it"));
        let mut text = Vec::new();
        let checks =
            vec![check.clone().only_for("lsm"), Check::new("b", State::Ok, "y").or_do("x")];
        Diagnosis { ok: true, checks }.write(&mut text).unwrap();
        let text = anstream::adapter::strip_bytes(&text).into_vec();
        let expected = "missing a: not set (for lsm)\n        do it\nok      b: y\n";
        assert_eq!(String::from_utf8(text).unwrap(), expected);
    }
}
