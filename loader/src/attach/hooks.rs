// SPDX-License-Identifier: MIT OR Apache-2.0
//! Attaches loaded programs to where the plan says.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::os::fd::{AsFd as _, AsRawFd as _, IntoRawFd as _, OwnedFd};
use std::path::Path;

use anyhow::{Context as _, Result, anyhow, ensure};
use libbpf_rs::{
    Iter, KprobeMultiOpts, KprobeOpts, Link, MapHandle, PerfEventOpts, ProgramMut,
    RawTracepointOpts, UprobeMultiOpts, UprobeOpts,
};

use super::load::Loaded;
use super::output::Output;
use super::plan::{Plan, Planned, Target};
use super::raw::{self, PerfEvent};
use super::section::Hook;
use super::symbols::{Binary, Place, glob};
use super::tracefs::Tracefs;
use super::usdt::Probe;
use super::{AttachRequest, WRITE_FAILED};
use crate::attempt::Program;
use crate::doctor::KernelConfig;
use crate::messages::{self, Detail, Message, capture};

/// `BPF_JMP | BPF_CALL`, and the helpers behind `bpf_printk`.
const CALL: u8 = 0x85;
const TRACE_PRINTK: i32 = 6;
const TRACE_VPRINTK: i32 = 177;

/// Where the kernel lists what performance events can be on.
const EVENT_SOURCES: &str = "/sys/bus/event_source/devices";

/// A program that is attached as long as this is kept.
#[derive(Debug)]
pub(crate) struct Attached {
    /// The program's name.
    pub(crate) name: String,
    /// One, one for each processor, or none for what others call.
    pub(crate) links: Vec<Link>,
    /// The links' numbers, as far as the kernel gives them some.
    pub(crate) ids: Vec<u32>,
    is_iterator: bool,
}

impl Attached {
    /// Shows what an iterator's program says of the objects that there are now.
    pub(crate) fn read_iterator(&self, output: &mut Output<'_>) -> Result<()> {
        if !self.is_iterator {
            return Ok(());
        }
        for link in &self.links {
            let context = || format!("failed to read the iterator {}", self.name);
            let iterator = Iter::new(link).with_context(context)?;
            for line in BufReader::new(iterator).split(b'\n') {
                let line = line.with_context(context)?;
                output.listed(&self.name, &String::from_utf8_lossy(&line)).context(WRITE_FAILED)?;
            }
        }
        Ok(())
    }
}

/// Whether one of the programs prints.
pub(crate) fn prints(loaded: &Loaded) -> bool {
    let is_print = |call: &libbpf_rs::libbpf_sys::bpf_insn| {
        call.code == CALL && call.src_reg() == 0 && matches!(call.imm, TRACE_PRINTK | TRACE_VPRINTK)
    };
    loaded.programs().any(|program| program.insns().iter().any(is_print))
}

/// Attaches all programs, or none.
pub(crate) fn attach_all(
    request: &AttachRequest<'_>,
    plan: &Plan,
    loaded: &Loaded,
) -> Result<Vec<Attached>> {
    // If one fails, those before it go with the list.
    plan.programs.iter().map(|planned| attach_one(request, planned, loaded)).collect()
}

fn attach_one(request: &AttachRequest<'_>, planned: &Planned, loaded: &Loaded) -> Result<Attached> {
    let name = planned.program.name.clone();
    let program = loaded.program_mut(&name).with_context(|| format!("{name} was not loaded"))?;
    let (links, said) = capture(Detail::Needed, || links(request, planned, &program, loaded));
    let links = links.map_err(|error| explain(error, planned, &said))?;
    // What libbpf puts together of several probes has no number.
    let has_ids = !matches!(planned.target, Target::Usdt { .. });
    let ids = links.iter().filter(|_| has_ids).filter_map(|link| Some(link.info().ok()?.id));
    let ids = ids.collect();
    Ok(Attached { name, ids, links, is_iterator: planned.section.hook == Hook::Iterator })
}

fn links(
    request: &AttachRequest<'_>,
    planned: &Planned,
    program: &ProgramMut<'_>,
    loaded: &Loaded,
) -> Result<Vec<Link>> {
    let pid = request.pid.unwrap_or(-1);
    match &planned.target {
        Target::TailCalled => Ok(Vec::new()),
        Target::Clock => clock(request, program),
        Target::Usdt { file, provider, name } => {
            let file = &std::path::absolute(file)?;
            let cookie = request.cookie.unwrap_or(0);
            let probe = Probe { file, provider, name, pid, cookie };
            Ok(vec![probe.attach(program, loaded)?])
        }
        Target::Places { binary, places } => {
            in_binary(request, planned, program, binary, places).map(|link| vec![link])
        }
        Target::Kernel { completed } => {
            let target = completed.as_deref().unwrap_or(&planned.section.target);
            in_kernel(request, planned, program, loaded, target).map(|link| vec![link])
        }
    }
}

fn in_binary(
    request: &AttachRequest<'_>,
    planned: &Planned,
    program: &ProgramMut<'_>,
    binary: &Binary,
    places: &[Place],
) -> Result<Link> {
    let pid = request.pid.unwrap_or(-1);
    let path = std::path::absolute(&binary.path)?;
    let offset = |place: &Place| usize::try_from(place.file_offset).map_err(anyhow::Error::from);
    if let Hook::UprobeMulti { returns, session } = planned.section.hook {
        let options = UprobeMultiOpts {
            offsets: places.iter().map(offset).collect::<Result<_>>()?,
            cookies: request.cookie.map(|cookie| vec![cookie; places.len()]).unwrap_or_default(),
            retprobe: returns,
            session,
            ..Default::default()
        };
        return Ok(program.attach_uprobe_multi_with_opts(pid, path, "", options)?);
    }
    let place = places.first().context("there is no place for it")?;
    let options = UprobeOpts {
        cookie: request.cookie.unwrap_or(0),
        retprobe: planned.section.hook == Hook::Uprobe { returns: true },
        ..Default::default()
    };
    Ok(program.attach_uprobe_with_opts(pid, path, offset(place)?, options)?)
}

/// Attaches to the hook `target` of the kernel.
fn in_kernel(
    request: &AttachRequest<'_>,
    planned: &Planned,
    program: &ProgramMut<'_>,
    loaded: &Loaded,
    target: &str,
) -> Result<Link> {
    let cookie = request.cookie;
    let is_completed = planned.completed_target().is_some();
    let no_cookie = || match cookie {
        Some(_) => Err(anyhow!("programs in SEC(\"{}\") get no cookie", planned.section.kind)),
        None => Ok(()),
    };
    match planned.section.hook {
        Hook::Tracepoint => {
            let (category, name) = target
                .split_once('/')
                .or_else(|| target.split_once(':'))
                .context("a tracepoint has the form category/name, as sched/sched_switch")?;
            let id = Tracefs::open()?.tracepoint_id(category, name)?;
            // Which processor does not matter to a tracepoint: its programs run on all.
            let event = raw::perf_event_open(PerfEvent::Tracepoint(id), None, 0)
                .context("failed to open the tracepoint")?;
            perf_link(program, event, cookie)
        }
        Hook::RawTracepoint => {
            let options = RawTracepointOpts { cookie: cookie.unwrap_or(0), ..Default::default() };
            Ok(program.attach_raw_tracepoint_with_opts(target, options)?)
        }
        Hook::Kprobe { returns } if is_completed || cookie.is_some() => {
            ensure!(
                !target.contains('+'),
                "a kprobe at an offset is to be written as SEC(\"kprobe/NAME+OFF\"), and gets no cookie"
            );
            let options = KprobeOpts { cookie: cookie.unwrap_or(0), ..Default::default() };
            Ok(program.attach_kprobe_with_opts(returns, target, options)?)
        }
        Hook::Ksyscall { returns } if is_completed => {
            no_cookie()?;
            Ok(program.attach_ksyscall(returns, target)?)
        }
        // What libbpf-rs has no words for, libbpf does by the section.
        Hook::KprobeMulti if planned.section.kind != "kprobe.session" => {
            let symbols = kernel_functions(target)?;
            let options = KprobeMultiOpts {
                cookies: cookie.map(|cookie| vec![cookie; symbols.len()]).unwrap_or_default(),
                symbols,
                retprobe: planned.section.kind == "kretprobe.multi",
                ..Default::default()
            };
            Ok(program.attach_kprobe_multi_with_opts(options)?)
        }
        Hook::Iterator if goes_through_a_map(target) => {
            no_cookie()?;
            let name = request.map.with_context(|| {
                format!("an iterator in SEC(\"iter/{target}\") goes through one map; say which with --map")
            })?;
            Ok(program.attach_iter(chosen_map(loaded, name)?.as_fd())?)
        }
        Hook::Tracing if cookie.is_some() => raw::attach_trace(program, cookie.unwrap_or(0)),
        Hook::Lsm if is_completed => {
            no_cookie()?;
            Ok(program.attach_lsm()?)
        }
        _ => {
            no_cookie()?;
            Ok(program.attach()?)
        }
    }
}

/// Whether an iterator's program is given the elements of one map, by what its section says.
pub(crate) fn goes_through_a_map(target: &str) -> bool {
    matches!(target, "bpf_map_elem" | "bpf_sk_storage_map")
}

/// The map that `--map` means: one of the object's, or one that is pinned.
fn chosen_map(loaded: &Loaded, name: &str) -> Result<MapHandle> {
    if name.contains('/') {
        return MapHandle::from_pinned_path(name)
            .with_context(|| format!("failed to open the pinned map {name}"));
    }
    Ok(MapHandle::try_from(&loaded.map(name)?)?)
}

/// The functions of the kernel that `pattern` fits and that can be probed.
fn kernel_functions(pattern: &str) -> Result<Vec<String>> {
    const FUNCTIONS: &str = "available_filter_functions";
    if !pattern.contains(['*', '?']) {
        return Ok(vec![pattern.to_owned()]);
    }
    let functions = Tracefs::open()?.read(FUNCTIONS);
    let functions = functions.with_context(|| format!("failed to read tracefs' {FUNCTIONS}"))?;
    // Functions of modules come with the module's name.
    let names = functions.lines().filter_map(|line| line.split_whitespace().next());
    let fitting: BTreeSet<&str> = names.filter(|name| glob(pattern, name)).collect();
    ensure!(!fitting.is_empty(), "no function of the kernel fits the pattern {pattern}");
    Ok(fitting.into_iter().map(str::to_owned).collect())
}

/// Has `program` run on the processors, the given number of times a second.
fn clock(request: &AttachRequest<'_>, program: &ProgramMut<'_>) -> Result<Vec<Link>> {
    let event = PerfEvent::Clock { frequency: request.frequency };
    let mut links = Vec::new();
    for cpu in online_cpus()? {
        let event = raw::perf_event_open(event, request.pid, cpu)
            .with_context(|| format!("failed to measure time on processor {cpu}"))?;
        links.push(perf_link(program, event, request.cookie)?);
    }
    Ok(links)
}

fn perf_link(program: &ProgramMut<'_>, event: OwnedFd, cookie: Option<u64>) -> Result<Link> {
    let options = PerfEventOpts { cookie: cookie.unwrap_or(0), ..Default::default() };
    let link = program.attach_perf_event_with_opts(event.as_raw_fd(), options)?;
    // libbpf closes the event together with the link.
    let _ = event.into_raw_fd();
    Ok(link)
}

/// The processors that run: `0-3,6`.
fn online_cpus() -> Result<Vec<i32>> {
    const ONLINE: &str = "/sys/devices/system/cpu/online";
    let text =
        std::fs::read_to_string(ONLINE).with_context(|| format!("failed to read {ONLINE}"))?;
    let parse = || -> Option<Vec<i32>> {
        let mut cpus = Vec::new();
        for range in text.trim().split(',') {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            cpus.extend(first.parse::<i32>().ok()?..=last.parse::<i32>().ok()?);
        }
        Some(cpus)
    };
    parse().with_context(|| format!("{ONLINE} has the unknown form {text:?}"))
}

/// How many processors run.
pub(crate) fn cpu_count() -> usize {
    online_cpus().map(|cpus| cpus.len()).unwrap_or(1)
}

/// Says which program could not be attached, why, and what the kernel lacks for it.
fn explain(error: anyhow::Error, planned: &Planned, said: &[Message]) -> anyhow::Error {
    let Program { name, section, .. } = &planned.program;
    let what = format!("failed to attach {name} in SEC(\"{section}\")");
    if let Some(missing) = missing_feature(planned.section.hook) {
        return anyhow!("{what}: {missing}");
    }
    // libbpf's errors are numbers; what it said meanwhile tells more.
    let is_of_libbpf = error.downcast_ref::<libbpf_rs::Error>().is_some();
    match messages::reasons(said).filter(|_| is_of_libbpf) {
        Some(reasons) => anyhow!("{what}: {reasons}"),
        None => error.context(what),
    }
}

/// What the running kernel lacks for programs on `hook`.
fn missing_feature(hook: Hook) -> Option<String> {
    let lacks_source = |source: &str| !Path::new(EVENT_SOURCES).join(source).exists();
    let config = KernelConfig::read();
    let lacks =
        |option: &str| config.as_ref().is_some_and(|config| config.get(option) == Some("n"));
    let (what, option) = match hook {
        Hook::Kprobe { .. } | Hook::Ksyscall { .. } if lacks_source("kprobe") => {
            ("kprobes", "CONFIG_KPROBE_EVENTS")
        }
        Hook::Uprobe { .. } | Hook::UprobeMulti { .. } | Hook::Usdt if lacks_source("uprobe") => {
            ("uprobes", "CONFIG_UPROBE_EVENTS")
        }
        Hook::KprobeMulti if lacks("CONFIG_FPROBE") => {
            ("kprobes on several functions at once", "CONFIG_FPROBE")
        }
        Hook::Tracing if lacks("CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS") => {
            ("trampolines for functions", "CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS")
        }
        Hook::Lsm if lacks("CONFIG_BPF_LSM") => ("security hooks for programs", "CONFIG_BPF_LSM"),
        _ => return None,
    };
    Some(format!("the kernel was built without {what} ({option})"))
}
