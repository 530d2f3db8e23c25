// SPDX-License-Identifier: MIT OR Apache-2.0
//! The extensions that are in applications: which there are, and taking them out.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context as _, Result, anyhow, ensure};
use serde::Serialize;
use ufunc_inject::Session as Agent;

use super::deploy;
use super::describe::Description;
use crate::report::human::printable;
use crate::report::list as words;

/// An extension in an application.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Running {
    /// What it is called.
    pub name: String,
    /// The application's process.
    pub pid: i32,
    /// Name of the BPF object.
    pub object: String,
    /// The kernel that judged it.
    pub kernel: String,
    /// Its programs.
    pub programs: Vec<RunningProgram>,
}

/// A program of an extension, on one point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RunningProgram {
    /// Its name.
    pub program: String,
    /// What it is on, as its section says.
    pub kind: String,
    /// The file whose code was changed.
    pub file: String,
    /// The function, and the place in it.
    pub symbol: String,
    /// The same as a number, from the function's beginning.
    pub offset: u64,
}

/// What is to be taken out.
#[derive(Clone, Copy, Debug)]
pub struct StopRequest<'a> {
    /// Of that name; all if there is none.
    pub name: Option<&'a str>,
    /// In this process only.
    pub pid: Option<i32>,
}

/// An extension that was taken out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stopped {
    /// What it was called.
    pub name: String,
    /// The application's process.
    pub pid: i32,
}

/// The extensions in all applications that this user may ask, and those that could not be asked.
pub fn list() -> (Vec<Running>, Vec<anyhow::Error>) {
    let (mut found, mut failed) = (Vec::new(), Vec::new());
    for pid in processes() {
        match agent(pid).and_then(|agent| agent.map(|agent| extensions(pid, agent)).transpose()) {
            Ok(extensions) => found.extend(extensions.into_iter().flatten()),
            Err(_) if is_gone(pid) => {}
            Err(error) => failed.push(error.context(format!("process {pid}"))),
        }
    }
    (found, failed)
}

/// Takes out what `request` says; for each extension, how that went.
///
/// Fails if there is nothing of that kind.
pub fn stop(request: &StopRequest<'_>) -> Result<Vec<Result<Stopped>>> {
    let pids = request.pid.map_or_else(processes, |pid| vec![pid]);
    let mut done = Vec::new();
    let mut names = Vec::new();
    for pid in pids {
        let agent = match agent(pid) {
            Ok(Some(agent)) => agent,
            Ok(None) => continue,
            Err(_) if request.pid.is_none() && is_gone(pid) => continue,
            Err(error) => {
                done.push(Err(error.context(format!("process {pid}"))));
                continue;
            }
        };
        let extensions = agent.hello()?.extensions;
        for extension in extensions {
            let is_meant = request.name.is_none_or(|name| name == extension.name);
            if !is_meant {
                names.push(extension.name);
                continue;
            }
            let removed = deploy::remove(&agent, extension.id);
            let name = extension.name;
            done.push(match removed {
                Ok(()) => Ok(Stopped { name, pid }),
                Err(error) => {
                    Err(error.context(format!("failed to take {name} out of process {pid}")))
                }
            });
        }
    }
    ensure!(!done.is_empty(), nothing(request, &names));
    Ok(done)
}

fn nothing(request: &StopRequest<'_>, names: &[String]) -> anyhow::Error {
    let place = match request.pid {
        Some(pid) => format!("in process {pid}"),
        None => "in any process".to_owned(),
    };
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    match (request.name, names.as_slice()) {
        (Some(name), []) => anyhow!("there is no extension {name} {place}, nor any other"),
        (Some(name), names) => {
            anyhow!("there is no extension {name} {place}; there is {}", words(names, "and"))
        }
        (None, _) => anyhow!("there is no extension {place}"),
    }
}

/// The numbers of all processes.
fn processes() -> Vec<i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut pids: Vec<i32> =
        entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    pids.sort_unstable();
    pids
}

/// Whether the process has ended meanwhile.
fn is_gone(pid: i32) -> bool {
    !Path::new(&format!("/proc/{pid}")).exists()
}

/// The agent in the process, if there is one.
fn agent(pid: i32) -> Result<Option<Agent>> {
    Agent::connect(pid)
}

fn extensions(pid: i32, agent: Agent) -> Result<Vec<Running>> {
    let describe = |extension: ufunc_shared::protocol::Extension| {
        let description = Description::from_bytes(&extension.description)
            .with_context(|| format!("extension {}", extension.name))?;
        let program = |attached: super::describe::Attached| RunningProgram {
            kind: attached.section.split('/').next().unwrap_or_default().to_owned(),
            program: attached.name,
            file: attached.file,
            symbol: attached.point.symbol,
            offset: attached.point.offset,
        };
        Ok(Running {
            name: extension.name,
            pid,
            object: description.object,
            kernel: description.kernel,
            programs: description.programs.into_iter().map(program).collect(),
        })
    };
    agent.hello()?.extensions.into_iter().map(describe).collect()
}

/// Writes extensions as lines for people.
pub fn write(running: &[Running], out: &mut dyn Write) -> io::Result<()> {
    for extension in running {
        for program in &extension.programs {
            let RunningProgram { program, kind, file, symbol, offset } = program;
            let at = if *offset == 0 { String::new() } else { format!("+{offset:#x}") };
            let line = format!(
                "{}  {program}  {kind}  {file}:{symbol}{at}  runs in process {}",
                extension.name, extension.pid
            );
            writeln!(out, "{}", printable(&line))?;
        }
    }
    Ok(())
}
