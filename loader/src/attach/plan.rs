// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which programs are attached, and where: worked out before anything is loaded.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::{Context as _, Result, anyhow, bail, ensure};

use super::lines::{self, Lines};
use super::section::{Hook, Section};
use super::symbols::{Binary, Place};
use super::{AttachRequest, library, slots};
use crate::allow::Point;
use crate::attempt::{self, Program};
use crate::object::BpfObject;
use crate::report::list;

/// How many functions are suggested where none is named.
const CANDIDATES: usize = 12;

/// Where a program goes.
#[derive(Debug)]
pub(crate) enum Target {
    /// Into a file.
    Places { binary: Rc<Binary>, places: Vec<Place> },
    /// On a probe of a file.
    Usdt { file: PathBuf, provider: String, name: String },
    /// On a hook of the kernel: the one that the section says, or this one.
    Kernel { completed: Option<String> },
    /// On the processors.
    Clock,
    /// Nowhere: other programs call it.
    TailCalled,
}

/// A program and where it goes.
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) program: Program,
    pub(crate) section: Section,
    pub(crate) target: Target,
    /// What --func says in place of the section.
    func: Option<String>,
}

impl Planned {
    /// Where it goes, as a policy names it.
    pub(crate) fn point(&self) -> Point {
        let section = &self.program.section;
        let file = match &self.target {
            Target::Places { binary, .. } => binary.path.file_name(),
            Target::Usdt { file, .. } => file.file_name(),
            _ => None,
        };
        match &self.func {
            None => Point::of_section(section),
            Some(func) => Point::at(section, file.map(OsStr::to_string_lossy).as_deref(), func),
        }
    }

    /// What completes the section, if anything has to.
    pub(crate) fn completed_target(&self) -> Option<&str> {
        match &self.target {
            Target::Kernel { completed } => completed.as_deref(),
            _ => None,
        }
    }
}

/// All programs that are attached.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) programs: Vec<Planned>,
}

impl Plan {
    /// Works out where each program of `object` goes.
    pub(crate) fn new(request: &AttachRequest<'_>, object: &BpfObject) -> Result<Plan> {
        let programs = select(request, object)?;
        let types = super::value::Types::read(&object.btf)?;
        let slots = slots::slots(&object.bytes, &types)?;
        let is_in_slot = |name: &str| slots.iter().any(|slot| slot.program == name);
        let incomplete = |program: &&(Program, Section)| {
            is_incomplete(&program.1) && !is_in_slot(&program.0.name)
        };
        let moves_all = request.func.is_some() && !programs.iter().any(|item| incomplete(&item));
        let mut files = Files { request, open: Vec::new() };
        let mut planned = Vec::new();
        for (program, section) in programs {
            let func = match is_incomplete(&section) || moves_all {
                true => request.func,
                false => None,
            };
            let target = if func.is_none() && is_incomplete(&section) && is_in_slot(&program.name) {
                Target::TailCalled
            } else {
                let target = target(&mut files, &section, func);
                target.with_context(|| {
                    format!("program {} in SEC(\"{}\")", program.name, program.section)
                })?
            };
            let func = func.map(str::to_owned);
            planned.push(Planned { program, section, target, func });
        }
        Ok(Plan { programs: planned })
    }

    /// The source lines of all places.
    pub(crate) fn source_lines(&self) -> Vec<(PathBuf, Lines)> {
        let mut found: Vec<(PathBuf, Lines)> = Vec::new();
        for planned in &self.programs {
            let Target::Places { binary, .. } = &planned.target else { continue };
            if found.iter().any(|(path, _)| *path == binary.path) {
                continue;
            }
            let of_binary = self.programs.iter().filter_map(|planned| match &planned.target {
                Target::Places { binary: other, places } if other.path == binary.path => {
                    Some(places)
                }
                _ => None,
            });
            let addresses: Vec<u64> = of_binary.flatten().map(|place| place.address).collect();
            found.push((binary.path.clone(), lines::source_lines(binary.file(), &addresses)));
        }
        found
    }
}

/// The programs that are wanted, in the order of the object.
fn select(request: &AttachRequest<'_>, object: &BpfObject) -> Result<Vec<(Program, Section)>> {
    let path = object.path.display();
    let programs = attempt::programs(object).with_context(|| format!("failed to open {path}"))?;
    ensure!(!programs.is_empty(), "{path} has no programs");
    for name in request.programs {
        if !programs.iter().any(|program| program.name == *name) {
            let names: Vec<&str> = programs.iter().map(|program| program.name.as_str()).collect();
            bail!("{path} has no program {name}; it has {}", list(&names, "and"));
        }
    }
    let with_sections = programs.into_iter().map(|program| {
        let section = Section::parse(&program.section);
        (program, section)
    });
    let is_wanted = |(program, section): &(Program, Section)| match request.programs {
        [] => !section.optional,
        names => names.contains(&program.name),
    };
    let selected: Vec<_> = with_sections.filter(is_wanted).collect();
    ensure!(
        !selected.is_empty(),
        "{path} has only programs that are to be asked for (SEC(\"?…\")): give --program"
    );
    Ok(selected)
}

/// Whether the section does not say all of where the program goes.
fn is_incomplete(section: &Section) -> bool {
    match section.hook {
        Hook::PerfEvent | Hook::Other => false,
        _ if section.is_user() => match section.user_target() {
            Some((_, function)) => function.is_empty(),
            None => true,
        },
        _ => section.target.is_empty(),
    }
}

fn target(files: &mut Files<'_>, section: &Section, func: Option<&str>) -> Result<Target> {
    match section.hook {
        Hook::Other => bail!(
            "programs of this kind are not attached by loader attach: it puts programs on probes, tracepoints and functions, not on network devices, sockets, control groups or struct_ops"
        ),
        Hook::PerfEvent => Ok(Target::Clock),
        Hook::Usdt => usdt(files, section, func),
        _ if section.is_user() => places(files, section, func),
        _ => match (section.target.as_str(), func) {
            ("", None) => bail!("SEC() does not say where it goes; say it with --func"),
            ("", Some(func)) => Ok(Target::Kernel { completed: Some(func.to_owned()) }),
            _ => Ok(Target::Kernel { completed: None }),
        },
    }
}

fn places(files: &mut Files<'_>, section: &Section, func: Option<&str>) -> Result<Target> {
    let said = section.user_target();
    let path = said.as_ref().map(|(path, _)| path.clone());
    let binary = files.find(path.as_deref(), func.is_some())?;
    let function = func.or(said.as_ref().map(|(_, function)| *function)).unwrap_or_default();
    if function.is_empty() {
        bail!(missing_function(&binary)?);
    }
    let places = match section.hook {
        Hook::UprobeMulti { .. } => binary.resolve_pattern(function)?,
        _ => vec![binary.resolve(function)?],
    };
    let returns = matches!(
        section.hook,
        Hook::Uprobe { returns: true }
            | Hook::UprobeMulti { returns: true, .. }
            | Hook::UprobeMulti { session: true, .. }
    );
    if let Some(place) = places.iter().find(|place| returns && place.offset != 0) {
        bail!(
            "a function's return is caught at its start, where the return address still is on top of the stack, not at {}",
            place.name()
        );
    }
    Ok(Target::Places { binary, places })
}

fn missing_function(binary: &Binary) -> Result<String> {
    let candidates = binary.candidates()?;
    let path = binary.path.display();
    let shown: Vec<&str> = candidates.iter().take(CANDIDATES).map(String::as_str).collect();
    let more = match candidates.len().saturating_sub(CANDIDATES) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Ok(match shown.as_slice() {
        [] => format!(
            "SEC() does not say which function: give --func; {path} has no symbols, an address will do (0x…)"
        ),
        shown => format!(
            "SEC() does not say which function: give --func; {path} has {}{more}",
            shown.join(", ")
        ),
    })
}

fn usdt(files: &mut Files<'_>, section: &Section, func: Option<&str>) -> Result<Target> {
    let said = section.user_target();
    let path = said.as_ref().map(|(path, _)| path.clone());
    let binary = files.find(path.as_deref(), func.is_some())?;
    let probe = func.or(said.as_ref().map(|(_, probe)| *probe)).unwrap_or_default();
    let (provider, name) = probe
        .split_once(':')
        .filter(|(provider, name)| !provider.is_empty() && !name.is_empty())
        .with_context(|| {
            format!(
                "which probe of {} is meant is not said: give --func PROVIDER:NAME",
                binary.path.display()
            )
        })?;
    Ok(Target::Usdt {
        file: binary.path.clone(),
        provider: provider.to_owned(),
        name: name.to_owned(),
    })
}

/// The files that programs go into.
struct Files<'a> {
    request: &'a AttachRequest<'a>,
    open: Vec<Rc<Binary>>,
}

impl Files<'_> {
    /// The file for a program whose section names `said`; `moved` if --func says where it goes
    /// instead.
    fn find(&mut self, said: Option<&Path>, moved: bool) -> Result<Rc<Binary>> {
        let path = self.path(said, moved)?;
        if let Some(binary) = self.open.iter().find(|binary| binary.path == path) {
            return Ok(Rc::clone(binary));
        }
        let binary = Rc::new(Binary::open(&path)?);
        self.open.push(Rc::clone(&binary));
        Ok(binary)
    }

    fn path(&self, said: Option<&Path>, moved: bool) -> Result<PathBuf> {
        let apps = self.request.apps;
        let Some(said) = said.filter(|said| !said.as_os_str().is_empty()) else {
            let first = apps.first().cloned();
            return first.context("SEC() does not say which file: give it with --app");
        };
        // What the command line names is meant, wherever the author had the file.
        if let Some(app) = apps.iter().find(|app| app.file_name() == said.file_name()) {
            return Ok(app.clone());
        }
        let found = library::find(said, self.request.pid);
        if let Some(found) = &found
            && let Some(app) = apps.iter().find(|app| is_same_file(app, found))
        {
            return Ok(app.clone());
        }
        match (apps.first(), found) {
            (Some(app), _) if moved => Ok(app.clone()),
            (None, Some(found)) => Ok(found),
            // The application's own library goes without saying.
            (Some(_), Some(found)) if library::is_library(said) => Ok(found),
            (Some(app), _) => Err(anyhow!(
                "it is meant for {}, and no --app has that name; to put it into {}, say where with --func",
                said.display(),
                app.display()
            )),
            (None, None) => {
                Err(anyhow!("there is no file {}; say where it is with --app", said.display()))
            }
        }
    }
}

fn is_same_file(a: &Path, b: &Path) -> bool {
    match (fs::metadata(a), fs::metadata(b)) {
        (Ok(a), Ok(b)) => (a.dev(), a.ino()) == (b.dev(), b.ino()),
        _ => false,
    }
}
