// SPDX-License-Identifier: MIT OR Apache-2.0
//! Attaches the programs of an object, and shows what they print and collect.
//!
//! ```text
//! SEC() ──section──▶ plan ◀── symbols, plt, library ◀── ./app
//!                      │
//!                      ▼
//!            load (libbpf) ──▶ stubs ──▶ hooks ──▶ links ──▶ session ──▶ output
//!                                                    │         ▲
//!                                                    └─▶ pin   └── printk, events, dump
//! ```
//!
//! Everything that can be known to fail is found before anything is attached; what fails then
//! takes back what was attached before.

mod allowed;
pub(crate) mod dump;
pub(crate) mod events;
mod hooks;
mod library;
mod lines;
pub(crate) mod load;
pub(crate) mod output;
mod pin;
pub(crate) mod plan;
mod plt;
pub(crate) mod printk;
pub(crate) mod raw;
pub(crate) mod section;
mod session;
pub(crate) mod slots;
mod stubs;
pub(crate) mod symbols;
pub(crate) mod tracefs;
mod usdt;
pub(crate) mod value;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Error, Result, anyhow, ensure};

use crate::capability;
use crate::host::App;
use crate::host_types::{HostTypes, Sources, TypeOptions};
use crate::messages::Detail;
use crate::modules::{self, Lease, Lending};
use crate::object::BpfObject;
use crate::report::{Report, Verdict, overall};
use crate::{Request, verify};
use allowed::Allowed;
use events::Events;
use hooks::Attached;
use load::{LoadError, Loaded};
use output::Output;
use pin::Pins;
pub(crate) use pin::{is_bpffs, is_pinned_folder, remove as remove_pins};
use plan::{Plan, Planned, Target};
use session::Session;

/// What is to be attached, and what is to be shown of it.
#[derive(Clone, Copy, Debug)]
pub struct AttachRequest<'a> {
    /// The BPF object.
    pub object: &'a Path,
    /// The application, and its libraries.
    pub apps: &'a [PathBuf],
    /// Where types come from.
    pub types: TypeOptions<'a>,
    /// The only process in which programs run.
    pub pid: Option<i32>,
    /// Where programs go whose section does not say it.
    pub func: Option<&'a str>,
    /// The programs; all if there are none.
    pub programs: &'a [String],
    /// The map that iterators over the elements of a map go through.
    pub map: Option<&'a str>,
    /// What the programs get as their cookie.
    pub cookie: Option<u64>,
    /// Runs per second on each processor of programs in `SEC("perf_event")`.
    pub frequency: u64,
    /// When to end; by a signal only if it is not said.
    pub duration: Option<Duration>,
    /// Maps whose events are shown.
    pub events: &'a [String],
    /// Type of these events.
    pub event_type: Option<&'a str>,
    /// Maps whose contents are shown at the end.
    pub dump: &'a [String],
    /// Where all is left.
    pub pin: Option<&'a Path>,
    /// Whether programs may be attached that call functions of the application.
    pub allow_stubs: bool,
    /// Where the verifier's idea of those functions comes from.
    pub lending: Lending<'a>,
    /// What this extension may use: a policy. Without, whatever the kernel takes.
    pub allow: Option<&'a Path>,
    /// Whether JSON is written.
    pub json: bool,
    /// Whether to tell what libbpf says.
    pub verbose: bool,
}

/// Why nothing was attached, or why it ended.
#[derive(Debug)]
pub enum AttachError {
    /// The kernel did not take the programs: what `verify` says of them.
    Refused(Vec<Report>),
    /// Something else.
    Failed(Error),
}

impl From<Error> for AttachError {
    fn from(error: Error) -> Self {
        AttachError::Failed(error)
    }
}

/// Attaches what `request` says, and writes to `out` what the programs do, until a signal, the end
/// of the process or the time is up. Nothing is left attached then, unless it is pinned.
///
/// `note` is given what the user should know beside it.
pub fn attach(
    request: &AttachRequest<'_>,
    out: &mut dyn Write,
    note: &mut dyn FnMut(&str),
) -> Result<(), AttachError> {
    let object = BpfObject::open(request.object)?;
    request.types.check()?;
    let apps = find_apps(request)?;
    let request = &AttachRequest { apps: &apps, ..*request };
    let plan = Plan::new(request, &object)?;
    check_request(request, &plan)?;
    let is_of_kernel = |planned: &Planned| matches!(planned.target, Target::Kernel { .. });
    if request.pid.is_some() && plan.programs.iter().any(is_of_kernel) {
        note("programs on the kernel's hooks run in all processes, whatever --pid says");
    }
    capability::check()?;
    // Listened to from here on: a signal from now on takes back what is attached by then.
    let mut session = Session::new(request)?;
    let mut prepared = load_object(request, &object, &plan, note)?;
    let Prepared { loaded, module, lease, .. } = &mut prepared;
    if let Some(module) = module.as_ref().filter(|_| !request.allow_stubs) {
        stubs::check(loaded, module)?;
    }
    let mut events = Events::open(loaded, request.events, request.event_type)?;
    let dumped = dump::check(loaded, request.dump)?;
    let mut pins = request.pin.map(Pins::create).transpose()?;
    if hooks::prints(loaded) && !is_left_at_once(request) {
        match session.record_printk(loaded) {
            Ok(()) => {}
            Err(error) => note(&format!("what the programs print is not shown: {error:#}")),
        }
    }
    // Read before, so that what happens from then on is shown at once.
    let lines = plan.source_lines();
    let mut output = Output::new(out, request.json);
    let mut attached = hooks::attach_all(request, &plan, loaded)?;
    for (planned, attached) in plan.programs.iter().zip(&attached) {
        output.attached(request, planned, attached, &lines).context(WRITE_FAILED)?;
    }
    if let Some(pins) = &mut pins {
        pins.pin(loaded, &mut attached)?;
        output.pinned(pins.folder()).context(WRITE_FAILED)?;
    }
    let ends_at_once = is_left_at_once(request) || only_lists(&plan);
    let mut view = View { session: &mut session, output: &mut output, events: &mut events };
    let shown = view.show(request, &attached, ends_at_once, note);
    match pins {
        // From here on they are the user's.
        Some(pins) => {
            pins.keep(attached);
            leave_module(lease, note);
        }
        None => drop(attached),
    }
    shown?;
    view.show_rest(note)?;
    dump::write(loaded, &dumped, &mut output)?;
    output.ended().context(WRITE_FAILED)?;
    Ok(())
}

pub(crate) const WRITE_FAILED: &str = "failed to write the output";

/// Programs that are in the kernel, and what they were judged by.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) loaded: Loaded,
    /// The module that lends what they call.
    pub(crate) module: Option<modules::LoadedModule>,
    /// The applications whose types count.
    pub(crate) apps: Vec<App>,
    /// The names of the kfuncs that they may call.
    pub(crate) kfuncs: Vec<String>,
    /// The module, if it was made for this. Goes last: the programs need it.
    pub(crate) lease: Option<Lease>,
}

/// Pinned programs need the module that was made for them.
fn leave_module(lease: &mut Option<Lease>, note: &mut dyn FnMut(&str)) {
    if let Some(lease) = lease.take() {
        note(&format!(
            "module {} stays as long as the pinned programs need it: rmmod it when they are gone",
            lease.name()
        ));
        lease.keep();
    }
}

/// Loads the programs.
pub(crate) fn load_object(
    request: &AttachRequest<'_>,
    object: &BpfObject,
    plan: &Plan,
    note: &mut dyn FnMut(&str),
) -> Result<Prepared, AttachError> {
    let allowed = request.allow.map(|path| Allowed::read(path, object, plan)).transpose()?;
    let apps = applications(request, plan)?;
    let hosts: Vec<&App> = apps.iter().collect();
    let lent = modules::lend(&request.lending, object, &hosts)?;
    let kfuncs = object.kfuncs.iter().map(|kfunc| kfunc.name.clone()).collect();
    let (object, module, lease) = (&*lent.object, lent.module, lent.lease);
    lent.inferred.iter().for_each(|line| note(line));
    let cache = request.types.open_cache();
    let sources = Sources { hosts: &hosts, options: request.types, cache: cache.as_ref() };
    // Programs on the kernel's hooks are not fitted to the application's types.
    let is_user = plan.programs.iter().any(|planned| planned.section.is_user());
    let types = is_user.then(|| HostTypes::read(&sources, object));
    let types_of = |planned: &Planned| {
        types.as_ref().and_then(|types| types.file_for(&planned.program.section))
    };
    let detail = if request.verbose { Detail::All } else { Detail::Needed };
    let loaded = match Loaded::new(object, plan, types_of, detail) {
        Ok(loaded) => loaded,
        Err(LoadError::Failed(error)) => return Err(error.into()),
        Err(LoadError::Refused(said)) => return Err(explain_refused(&apps, plan, request, &said)),
    };
    if request.verbose {
        for line in loaded.messages.iter().flat_map(|message| message.text.lines()) {
            note(&format!("libbpf: {line}"));
        }
    }
    if let Some(allowed) = &allowed {
        allowed.check_counts(&loaded)?;
    }
    Ok(Prepared { loaded, module, apps, kfuncs, lease })
}

/// What is seen of the attached programs.
struct View<'a, 'b> {
    session: &'a mut Session,
    output: &'a mut Output<'b>,
    events: &'a mut Events,
}

impl View<'_, '_> {
    /// Shows what the programs do until the end.
    fn show(
        &mut self,
        request: &AttachRequest<'_>,
        attached: &[Attached],
        ends_at_once: bool,
        note: &mut dyn FnMut(&str),
    ) -> Result<()> {
        for attached in attached {
            attached.read_iterator(self.output)?;
        }
        if ends_at_once {
            return Ok(());
        }
        if request.duration.is_none() {
            note("attached; Ctrl-C detaches");
        }
        self.session.run(self.output, self.events, note)
    }

    /// Shows what they did up to their end, when they are detached.
    fn show_rest(&mut self, note: &mut dyn FnMut(&str)) -> Result<()> {
        for line in self.session.last_lines() {
            self.output.printed(&line).context(WRITE_FAILED)?;
        }
        self.events.show(self.output, note)
    }
}

/// Fails for what cannot go together.
fn check_request(request: &AttachRequest<'_>, plan: &Plan) -> Result<()> {
    let has = |is: &dyn Fn(&Planned) -> bool| plan.programs.iter().any(is);
    let is_usdt = |planned: &Planned| matches!(planned.target, Target::Usdt { .. });
    ensure!(
        request.pin.is_none() || !has(&is_usdt),
        "programs in SEC(\"usdt\") cannot be pinned: libbpf keeps several probes for each of them in this process"
    );
    let goes_somewhere = |planned: &Planned| !matches!(planned.target, Target::TailCalled);
    ensure!(
        has(&goes_somewhere),
        "all programs are called by others only (tail calls); say with --func where they go"
    );
    Ok(())
}

/// Whether all is pinned and there is nothing to show.
fn is_left_at_once(request: &AttachRequest<'_>) -> bool {
    request.pin.is_some() && request.events.is_empty() && request.duration.is_none()
}

/// Whether all programs are done when they were read.
fn only_lists(plan: &Plan) -> bool {
    let is_list = |planned: &Planned| planned.section.hook == section::Hook::Iterator;
    plan.programs.iter().all(is_list)
}

/// Where the applications are that `request` names, or that its process runs.
pub(crate) fn find_apps(request: &AttachRequest<'_>) -> Result<Vec<PathBuf>> {
    let exe = request.pid.filter(|_| request.apps.is_empty()).map(executable).transpose()?;
    // A library may be given by its bare name.
    let find = |app: &PathBuf| match library::find(app, request.pid) {
        Some(found) if !app.exists() => found,
        _ => app.clone(),
    };
    Ok(request.apps.iter().map(find).chain(exe).collect())
}

/// The file that the process `pid` runs.
fn executable(pid: i32) -> Result<PathBuf> {
    let link = format!("/proc/{pid}/exe");
    let path = std::fs::read_link(&link).with_context(|| format!("there is no process {pid}"))?;
    if path.is_file() {
        return Ok(path);
    }
    // It may be another file system's, or deleted.
    Ok(link.into())
}

/// The applications whose types count: those that are given, or else those that programs go into.
fn applications(request: &AttachRequest<'_>, plan: &Plan) -> Result<Vec<App>> {
    let in_file = |planned: &Planned| match &planned.target {
        Target::Places { binary, .. } => Some(binary.path.clone()),
        Target::Usdt { file, .. } => Some(file.clone()),
        _ => None,
    };
    let mut paths = request.apps.to_vec();
    if paths.is_empty() {
        paths.extend(plan.programs.iter().filter_map(in_file));
        paths.dedup();
    }
    paths.iter().map(|path| App::open(path)).collect()
}

/// Has `verify` say why the kernel did not take the programs.
fn explain_refused(
    apps: &[App],
    plan: &Plan,
    request: &AttachRequest<'_>,
    said: &[crate::messages::Message],
) -> AttachError {
    let mut paths: Vec<PathBuf> = apps.iter().map(|app| app.path.clone()).collect();
    if paths.is_empty() {
        // Programs on hooks of the kernel only: no application matters, and any will do.
        paths.push("/proc/self/exe".into());
    }
    let programs: Vec<String> =
        plan.programs.iter().map(|planned| planned.program.name.clone()).collect();
    let reports = verify(&Request {
        object: request.object,
        programs: &programs,
        apps: &paths,
        types: request.types,
        lending: request.lending,
        allow: request.allow,
        verbose: false,
    });
    // What --func completes, `verify` does not know of.
    let is_completed = plan.programs.iter().any(|planned| planned.completed_target().is_some());
    match overall(&reports) {
        Verdict::Rejected => AttachError::Refused(reports),
        Verdict::Unjudged if !is_completed => AttachError::Refused(reports),
        Verdict::Unjudged | Verdict::Accepted => AttachError::Failed(anyhow!(
            "failed to load {}: {}",
            request.object.display(),
            load::reasons(said)
        )),
    }
}
