// SPDX-License-Identifier: MIT OR Apache-2.0
//! Runs verified programs inside of an application.
//!
//! ```text
//! prog.bpf.o ──▶ verify ──▶ gather ──▶ Package ◀── bundle ◀── x.ufb
//!                                        │
//!                   code, maps, stubs ◀──┤  everything that can fail does so up to here
//!                                        ▼
//!  ./app, or a process ──▶ inject ──▶ deploy ──▶ session ──▶ output
//!                                        │          ▲
//!                             the agent ─┘          └── printk, events, maps
//! ```
//!
//! Only a [`package::Package`] is handed over, and only of an object that the kernel has accepted: its
//! instructions are the ones that the kernel was given. The application is started, or touched,
//! when all of it is known to fit; what fails then takes back what was done.

mod access;
mod code;
mod compiler;
mod deploy;
mod describe;
mod events;
mod gather;
mod instructions;
mod kfuncs;
mod maps;
pub(crate) mod package;
mod process;
mod session;
mod stop;

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use serde_json::json;
use ufunc_inject::{Session as Agent, agent_path};

use crate::TypeOptions;
use crate::attach::output::Output;
use crate::attach::plan::Plan;
use crate::attach::value::Types;
use crate::attach::{AttachError, AttachRequest, WRITE_FAILED, find_apps, load_object};
use crate::bundle;
use crate::capability;
use crate::host::App;
use crate::messages;
use crate::modules::{self, Lending};
use crate::object::BpfObject;
use code::{Compiled, compile_all};
use deploy::Deployment;
use events::Events;
use maps::Maps;
use package::Package;
use session::{End, Session, View};
pub use stop::{Running, RunningProgram, StopRequest, Stopped, list, stop, write};

/// What is to be judged.
#[derive(Clone, Copy, Debug)]
pub struct Judged<'a> {
    /// The BPF object.
    pub object: &'a Path,
    /// Where programs go whose section does not say it.
    pub func: Option<&'a str>,
    /// The programs; all if there are none.
    pub programs: &'a [String],
    /// What the programs get as their cookie.
    pub cookie: Option<u64>,
    /// Where types come from.
    pub types: TypeOptions<'a>,
    /// Where the verifier's idea of the application's functions comes from.
    pub lending: Lending<'a>,
    /// What this extension may use: a policy. Without, whatever the kernel takes.
    pub allow: Option<&'a Path>,
}

/// Where the programs come from.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// An object, which the kernel has to judge first.
    Object(Judged<'a>),
    /// A bundle of one that was judged before.
    Bundle {
        /// Where it is.
        path: &'a Path,
        /// Whose signature it must have: a file with the public key.
        trusted: Option<&'a Path>,
    },
}

/// What is to be run, and what is to be shown of it.
#[derive(Clone, Copy, Debug)]
pub struct RunRequest<'a> {
    /// What.
    pub source: Source<'a>,
    /// The application, and its libraries.
    pub apps: &'a [PathBuf],
    /// Arguments of the application.
    pub arguments: &'a [OsString],
    /// The process, if it runs already.
    pub pid: Option<i32>,
    /// What people are to call the extension.
    pub name: Option<&'a str>,
    /// When to end; by a signal only if it is not said.
    pub duration: Option<Duration>,
    /// Whether the extension stays when this ends.
    pub detach: bool,
    /// Maps whose events are shown.
    pub events: &'a [String],
    /// Type of these events.
    pub event_type: Option<&'a str>,
    /// Maps whose contents are shown at the end.
    pub dump: &'a [String],
    /// Whether JSON is written.
    pub json: bool,
    /// Whether to tell what libbpf says.
    pub verbose: bool,
}

/// A bundle that is to be written.
#[derive(Clone, Copy, Debug)]
pub struct BundleRequest<'a> {
    /// Of what.
    pub judged: Judged<'a>,
    /// The application, and its libraries.
    pub apps: &'a [PathBuf],
    /// Where.
    pub output: &'a Path,
    /// The private key that signs it.
    pub key: Option<&'a Path>,
    /// Whether to tell what libbpf says.
    pub verbose: bool,
}

/// Writes the bundle that `request` says; what its programs are called.
pub fn write_bundle(
    request: &BundleRequest<'_>,
    note: &mut dyn FnMut(&str),
) -> Result<Vec<String>, AttachError> {
    let package = judge(&request.judged, request.apps, None, request.verbose, note)?;
    check(&package)?;
    let bytes = bundle::write(&package, request.key)?;
    std::fs::write(request.output, bytes)
        .with_context(|| format!("failed to write {}", request.output.display()))?;
    Ok(package.programs.into_iter().map(|program| program.name).collect())
}

/// Runs what `request` says, and writes to `out` what the programs do, until a signal, the end of the
/// application or the time is up. The application's exit status, if it was started here and has
/// ended.
///
/// `note` is given what the user should know beside it.
pub fn run(
    request: &RunRequest<'_>,
    out: &mut dyn Write,
    note: &mut dyn FnMut(&str),
) -> Result<Option<u8>, AttachError> {
    let package = match request.source {
        Source::Object(judged) => judge(&judged, request.apps, request.pid, request.verbose, note)?,
        Source::Bundle { path, trusted } => bundle::open(path, trusted)?,
    };
    let compiled = check(&package)?;
    let maps = Maps::create(&package)?;
    let types = Types::read(&package.btf.0).context("the object's types are damaged")?;
    let events = Events::open(&maps, &types, request.events, request.event_type)?;
    maps.check_dump(request.dump)?;
    // Listened to from here on: a signal from now on takes back what is done by then.
    let signals = session::Signals::listen()?;
    let mut agent = enter(request, &package)?;
    let name = match request.name {
        Some(name) => name.to_owned(),
        None => package.object.split('.').next().unwrap_or_default().to_owned(),
    };
    let (extension, files) = begin(&agent, &package, &compiled, &maps, &name)?;
    let mut output = Output::new(out, request.json);
    let pid = agent.pid();
    if let Err(error) = announce(&package, &files, pid, &name, &mut output) {
        // One that was started here has not begun, and goes with the session.
        if request.pid.is_some() {
            deploy::remove(&agent, extension)?;
        }
        return Err(error.into());
    }
    if request.duration.is_none() && !request.detach {
        note(&format!("process {pid} runs the extension {name}; Ctrl-C takes it out"));
    }
    // One that was started here begins with this, and may have ended before it is answered.
    let resumed = agent.resume();
    if resumed.is_err() && agent.ended(session::LAST_MOMENTS)?.is_none() {
        resumed?;
    }
    if request.detach {
        agent.leave();
        return Ok(None);
    }
    let view = View { maps: &maps, events: &events, types: &types };
    let mut session = Session {
        agent,
        signals,
        extension,
        duration: request.duration,
        started: request.pid.is_none(),
    };
    let shown = session.run(view, &mut output, note);
    // Whatever happened, the extension does not stay.
    let finished = session.finish(*shown.as_ref().unwrap_or(&End::Here), note);
    shown?;
    view.show(&mut output, note)?;
    maps.dump(request.dump, &types, &mut output)?;
    output.ended().context(WRITE_FAILED)?;
    Ok(finished?)
}

/// Says what is on which function.
fn announce(
    package: &Package,
    files: &[process::Mapped],
    pid: i32,
    name: &str,
    output: &mut Output<'_>,
) -> Result<()> {
    for program in &package.programs {
        let kind = program.section.trim_start_matches('?').split('/').next().unwrap_or_default();
        for point in &program.points {
            let file = files.get(point.file).map(|file| file.path.as_str()).unwrap_or_default();
            let (at, program) = (point.name(), &program.name);
            output
                .say(
                    &format!("attached  {program}  {kind}  {file}:{at}  in process {pid}"),
                    &json!({
                        "type": "attached", "program": program, "kind": kind, "file": file,
                        "symbol": point.symbol, "offset": point.offset, "pid": pid,
                        "extension": name,
                    }),
                )
                .context(WRITE_FAILED)?;
        }
    }
    Ok(())
}

/// Has the kernel judge an object, and makes what can be handed over of it.
fn judge(
    judged: &Judged<'_>,
    apps: &[PathBuf],
    pid: Option<i32>,
    verbose: bool,
    note: &mut dyn FnMut(&str),
) -> Result<Package, AttachError> {
    let object = BpfObject::open(judged.object)?;
    let request = AttachRequest {
        object: judged.object,
        apps,
        types: judged.types,
        pid,
        func: judged.func,
        programs: judged.programs,
        map: None,
        cookie: judged.cookie,
        frequency: 1,
        duration: None,
        events: &[],
        event_type: None,
        dump: &[],
        pin: None,
        // Here they reach the application's functions.
        allow_stubs: true,
        lending: judged.lending,
        allow: judged.allow,
        json: false,
        verbose,
    };
    judged.types.check()?;
    let apps = find_apps(&request)?;
    let request = AttachRequest { apps: &apps, ..request };
    let plan = Plan::new(&request, &object)?;
    gather::check_sections(&plan)?;
    capability::check()?;
    let prepared = load_object(&request, &object, &plan, note)?;
    let hosts: Vec<&App> = prepared.apps.iter().collect();
    let modules = messages::modules_with_types(&prepared.loaded.messages);
    modules::check_types(Path::new(ufunc_gen::kernel::SYSFS_BTF), &modules, &hosts)?;
    // The kernel's programs and maps go with `prepared`: only what is in the package stays.
    Ok(gather::package(&object, &plan, &prepared, judged.cookie.unwrap_or(0))?)
}

/// Compiles the programs; fails for all that the runtime does not have.
fn check(package: &Package) -> Result<Vec<Compiled>> {
    maps::check(package)?;
    compile_all(package)
}

/// Gets into the application, which has to be the one that was judged.
fn enter(request: &RunRequest<'_>, package: &Package) -> Result<Agent> {
    let agent = agent_path()?;
    let Some(pid) = request.pid else {
        let app = executable(request)?;
        let mut command = Command::new(std::path::absolute(app)?);
        command.args(request.arguments);
        check_file(app, package)?;
        return Agent::start(command, &agent)
            .with_context(|| format!("failed to start {}", app.display()));
    };
    process::files(package, pid)?;
    Agent::inject(pid, &agent)
}

/// The application that is to be started.
fn executable<'a>(request: &RunRequest<'a>) -> Result<&'a Path> {
    for path in request.apps {
        if App::open(path)?.library().is_none() {
            return Ok(path);
        }
    }
    Err(anyhow!("only libraries are given with --app: give the executable that is to be started"))
}

/// Fails if the file at `path` is another build of one that was judged. What it is when it runs is
/// looked at again then.
fn check_file(path: &Path, package: &Package) -> Result<()> {
    let app = App::open(path)?;
    let known = |file: &&package::File| file.name == app.name;
    let build_id = app.build_id().map(ToString::to_string).unwrap_or_default();
    match package.files.iter().find(known) {
        Some(file) if file.build_id != build_id => Err(anyhow!(
            "{} is another build than was judged: its build-id is {build_id}, the programs were judged for {}",
            path.display(),
            file.build_id
        )),
        _ => Ok(()),
    }
}

/// Puts the extension in place. What cannot be put there leaves the application as it was; one that
/// was started for it has not begun, and is ended.
fn begin(
    agent: &Agent,
    package: &Package,
    compiled: &[Compiled],
    maps: &Maps,
    name: &str,
) -> Result<(ufunc_shared::protocol::ExtensionId, Vec<process::Mapped>)> {
    let files = process::files(package, agent.pid())?;
    let deployment = Deployment { package, compiled, maps, files: &files, name };
    let extension = deployment.deploy(agent)?;
    Ok((extension, files))
}
