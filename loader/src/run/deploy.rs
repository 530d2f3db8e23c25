// SPDX-License-Identifier: MIT OR Apache-2.0
//! Puts a package's programs into an application, and takes them out: all of them or none.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail, ensure};
use ufunc_hook::machine::Machine;
use ufunc_hook::site::{self, Site};
use ufunc_hook::{program, stub};
use ufunc_inject::Session;
use ufunc_shared::helpers;
use ufunc_shared::plan::{INT3, Plan};
use ufunc_shared::protocol::{ExtensionId, Faulting, Hello, HookId, MapAddress};

use super::code::{self, Compiled, Outside};
use super::describe::{self, Attached, Description};
use super::maps::Maps;
use super::package::{Package, Point};
use super::process::{self, Mapped, Process};
use crate::attach::symbols::code_at;

/// Functions begin at multiples of this.
const ALIGNMENT: usize = 16;

/// What is put where.
pub(crate) struct Deployment<'a> {
    pub(crate) package: &'a Package,
    pub(crate) compiled: &'a [Compiled],
    pub(crate) maps: &'a Maps,
    /// The files as the application has them, in the package's order.
    pub(crate) files: &'a [Mapped],
    /// What people call the extension.
    pub(crate) name: &'a str,
}

/// Keeps other loaders from changing the application's extensions while this one does.
struct Locked<'a>(&'a Session);

impl<'a> Locked<'a> {
    fn new(session: &'a Session) -> Result<Self> {
        session.lock()?;
        Ok(Locked(session))
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        // Whoever cannot say it any more has lost its connection, and with it the lock.
        let _ = self.0.unlock();
    }
}

impl Deployment<'_> {
    /// Puts everything in place; what the extension is called by the agent.
    pub(crate) fn deploy(&self, session: &Session) -> Result<ExtensionId> {
        let _locked = Locked::new(session)?;
        let hello = session.hello()?;
        if hello.extensions.iter().any(|extension| extension.name == self.name) {
            bail!(
                "there is an extension {} in process {} already; take it out with loader stop, or give this one another --name",
                self.name,
                hello.process
            );
        }
        let mut description = Description {
            object: self.package.object.clone(),
            kernel: self.package.verified.kernel.clone(),
            loader: std::process::id(),
            programs: Vec::new(),
        };
        let extension = session.begin(self.name, &description.to_bytes()?)?;
        let mut changed = Vec::new();
        let result = self.fill(session, &hello, extension, &mut description, &mut changed);
        if let Err(error) = result {
            let undone = undo(session, extension, &changed);
            return Err(match undone {
                Ok(()) => error,
                Err(undo) => error.context(format!("{undo:#}, after it had failed")),
            });
        }
        Ok(extension)
    }

    fn fill(
        &self,
        session: &Session,
        hello: &Hello,
        extension: ExtensionId,
        description: &mut Description,
        changed: &mut Vec<Shared>,
    ) -> Result<()> {
        let maps = self.maps.descriptors().into_iter().zip(&self.package.maps);
        let maps: Vec<MapAddress> = maps
            .map(|(fd, map)| {
                let added = session.add_map(extension, fd);
                added.with_context(|| format!("failed to hand over map {}", map.name))
            })
            .collect::<Result<_>>()?;
        let log = session.add_map(extension, self.maps.log())?.handle;
        let addresses =
            Addresses { package: self.package, hello, files: self.files, maps: &maps, log };
        let mut versions = Versions { extension, addresses: &addresses, known: BTreeMap::new() };
        for (place, (program, compiled)) in
            self.package.programs.iter().zip(self.compiled).enumerate()
        {
            for point in &program.points {
                let mapped = self.files.get(point.file).context("a file is not there")?;
                let address = mapped.address(point.address());
                let code = versions.get(session, place, compiled, Some((point, address)))?;
                let run = program::Program {
                    address: code,
                    when: program.when.into(),
                    reads: compiled.reads,
                    writes: compiled.writes,
                    clobbers: compiled.clobbers,
                    calls_out: compiled.calls_out,
                };
                description.programs.push(Attached {
                    name: program.name.clone(),
                    section: program.section.clone(),
                    file: mapped.path.clone(),
                    point: point.clone(),
                    address,
                    code: describe::Code::new(&run),
                });
            }
        }
        for (place, number) in self.maps.programs() {
            let compiled = self.compiled.get(*place).context("a program is not there")?;
            let code = versions.get(session, *place, compiled, None)?;
            session.set_program(extension, *number, code)?;
        }
        // Before anything is in place, so that whoever comes after us knows what there is.
        session.describe(extension, &description.to_bytes()?)?;
        let mut points: Vec<u64> = description.programs.iter().map(|one| one.address).collect();
        points.sort_unstable();
        points.dedup();
        for point in points {
            let own: Vec<&Attached> =
                description.programs.iter().filter(|one| one.address == point).collect();
            self.hook(session, hello, extension, &own, changed)?;
        }
        Ok(())
    }

    /// Has the programs run that are `own` and on the same point.
    fn hook(
        &self,
        session: &Session,
        hello: &Hello,
        extension: ExtensionId,
        own: &[&Attached],
        changed: &mut Vec<Shared>,
    ) -> Result<()> {
        let Some(first) = own.first() else { return Ok(()) };
        let at = || format!("failed to put {} on {}", first.name, first.point.name());
        let file = self.files.get(first.point.file).context("a file is not there")?;
        let site = site(&first.point, file).with_context(at)?;
        let mut programs: Vec<program::Program> =
            own.iter().map(|attached| attached.code.program()).collect();
        let there = hello.hooks.iter().find(|hook| hook.plan.point == first.address);
        let Some(there) = there else {
            put(session, hello, &site, &programs, |plan| {
                session.attach(&[extension], plan).map(drop)
            })
            .with_context(at)?;
            return Ok(());
        };
        // Who came before runs before.
        let others = others(hello, &there.owners, first.address)?;
        programs.splice(0..0, others);
        let mut owners = there.owners.clone();
        owners.push(extension);
        let replaced =
            put(session, hello, &site, &programs, |plan| session.replace(there.id, &owners, plan));
        replaced.with_context(at)?;
        changed.push(Shared {
            hook: there.id,
            owners: there.owners.clone(),
            plan: there.plan.clone(),
        });
        Ok(())
    }
}

/// A hook that others have too, as it was before.
struct Shared {
    hook: HookId,
    owners: Vec<ExtensionId>,
    plan: Plan,
}

/// Takes back what was done for `extension`.
fn undo(session: &Session, extension: ExtensionId, changed: &[Shared]) -> Result<()> {
    for Shared { hook, owners, plan } in changed {
        session.replace(*hook, owners, plan).context("failed to put another's hook back")?;
    }
    session.remove(extension).context("failed to take the extension out again")
}

/// Takes `extension` out of the application.
pub(crate) fn remove(session: &Session, extension: ExtensionId) -> Result<()> {
    let _locked = Locked::new(session)?;
    let hello = session.hello()?;
    ensure!(
        hello.extensions.iter().any(|other| other.id == extension),
        "the extension is in process {} no more",
        hello.process
    );
    let process = Process::read(session.pid())?;
    for hook in hello.hooks.iter().filter(|hook| hook.owners.contains(&extension)) {
        let mut owners = hook.owners.clone();
        owners.retain(|owner| *owner != extension);
        if owners.is_empty() {
            continue;
        }
        let programs = others(&hello, &owners, hook.plan.point)?;
        let known = attached(&hello, &owners, hook.plan.point)?;
        let first = known.first().context("an extension does not say what it has there")?;
        let site = site(&first.point, &process.file(&first.file)?)?;
        put(session, &hello, &site, &programs, |plan| session.replace(hook.id, &owners, plan))
            .with_context(|| format!("failed to leave {} to others", first.point.name()))?;
    }
    session.remove(extension)
}

/// What the `owners` have on the point at `address`, in their order.
fn attached(hello: &Hello, owners: &[ExtensionId], address: u64) -> Result<Vec<Attached>> {
    let mut found = Vec::new();
    for owner in owners {
        let extension = hello.extensions.iter().find(|extension| extension.id == *owner);
        let extension = extension.context("the agent names an extension that is not there")?;
        let description = Description::from_bytes(&extension.description)
            .with_context(|| format!("cannot share a function with {}", extension.name))?;
        found.extend(description.programs.into_iter().filter(|one| one.address == address));
    }
    Ok(found)
}

fn others(hello: &Hello, owners: &[ExtensionId], address: u64) -> Result<Vec<program::Program>> {
    Ok(attached(hello, owners, address)?.iter().map(|one| one.code.program()).collect())
}

/// Where `file` can be changed so that programs see `point`.
pub(crate) fn site(point: &Point, file: &Mapped) -> Result<Site> {
    let bytes = code_at(file.file.bytes(), point.start, point.room.into())?;
    let size = point.size as usize;
    let address = file.address(point.start);
    let site = site::find(&site::Function { address, bytes, size }, point.offset)?;
    /// As far as a jump and the last instruction that it covers can reach.
    const REACH: u64 = 20;
    let patch = point.start.wrapping_add(site.patch.wrapping_sub(address));
    ensure!(
        !process::is_relocated(&file.file, patch, REACH)?,
        "the dynamic linker changes the code there when the application starts"
    );
    Ok(site)
}

/// Plans the hook at `site`, and has `put` put it in place.
fn put(
    session: &Session,
    hello: &Hello,
    site: &Site,
    programs: &[program::Program],
    put: impl Fn(&Plan) -> Result<()>,
) -> Result<()> {
    let machine = Machine::detect();
    let attempt = |site: &Site, again: bool| -> Result<()> {
        let size = stub::room(site, programs, &hello.agent, machine)?;
        let room = session.reserve_stub(site.patch, &site.placement(), size, again)?;
        put(&stub::plan(site, programs, room, &hello.agent, machine)?)
    };
    // The place of a stub that was there before serves only one that is the same: what is put back
    // mostly is.
    if attempt(site, true).is_ok() {
        return Ok(());
    }
    match attempt(site, false) {
        Err(error) if site.trap.is_none() => {
            // Where no jump reaches a stub, a trap does.
            attempt(&site.clone().trapping(), false).map_err(|_| error)
        }
        result => result,
    }
}

/// Where things are in the application.
struct Addresses<'a> {
    package: &'a Package,
    hello: &'a Hello,
    files: &'a [Mapped],
    maps: &'a [MapAddress],
    /// The map that printed lines go to.
    log: u64,
}

impl Addresses<'_> {
    /// `point` is where the code is attached.
    fn get(&self, outside: Outside, point: Option<(&Point, u64)>) -> Option<u64> {
        use ufunc_shared::helpers::{HELPERS, KFUNCS};
        match outside {
            Outside::Helper(place) => {
                let wanted = HELPERS.get(place)?;
                let found = self.hello.helpers.iter().find(|helper| helper.id == wanted.id)?;
                Some(found.address)
            }
            Outside::Kfunc(place) => {
                let wanted = KFUNCS.get(place)?;
                let found = self.hello.kfuncs.iter().find(|kfunc| kfunc.name == wanted.name)?;
                Some(found.address)
            }
            Outside::Ufunc(place) => {
                let ufunc = self.package.ufuncs.get(place)?;
                Some(self.files.get(ufunc.file)?.address(ufunc.address))
            }
            Outside::Map(place) => Some(self.maps.get(place)?.handle),
            Outside::MapValue(place) => self.maps.get(place)?.value,
            Outside::Log => Some(self.log),
            Outside::FunctionAddress => point.map(|(_, address)| address),
            Outside::Cookie => point.map(|(point, _)| point.cookie),
            Outside::Value(value) => Some(value),
            Outside::Nothing => None,
        }
    }
}

/// A program's place, and address and cookie of its point, where these matter.
type Version = (usize, Option<(u64, u64)>);

/// Code that is in place.
#[derive(Clone, Copy, Debug)]
struct Installed {
    base: u64,
    /// Where it is entered by who counts its tail calls.
    entry: u64,
}

impl Installed {
    fn address(self, counts: bool) -> u64 {
        if counts { self.entry } else { self.base }
    }
}

/// The code that is in the application already: one for each program, or one for each of its points
/// where it matters which one it is.
struct Versions<'a> {
    extension: ExtensionId,
    addresses: &'a Addresses<'a>,
    known: BTreeMap<Version, Installed>,
}

impl Versions<'_> {
    /// Where the code is to be entered of the program that runs on `point`, or after a tail call.
    fn get(
        &mut self,
        session: &Session,
        place: usize,
        compiled: &Compiled,
        point: Option<(&Point, u64)>,
    ) -> Result<u64> {
        let program = self.addresses.package.programs.get(place);
        let program = program.context("a program is not there")?;
        let context = || format!("failed to put the code of {} in place", program.name);
        ensure!(
            point.is_some() || !compiled.depends_on_point,
            "program {} is called by other programs and asks where it is attached, which nobody can say",
            program.name
        );
        let asked = point.filter(|_| compiled.depends_on_point);
        let key = (place, asked.map(|(point, address)| (address, point.cookie)));
        // Who comes by a tail call has been counted already.
        let counts = compiled.tail_calls && point.is_some();
        if let Some(installed) = self.known.get(&key) {
            return Ok(installed.address(counts));
        }
        let word = self.addresses.hello.tail_word;
        let entry_size = helpers::tail_entry(0, word).len();
        let at = compiled.code.bytes.len().next_multiple_of(ALIGNMENT);
        let size = at + entry_size;
        let base = session.reserve_code(self.extension, size, None).with_context(context)?;
        let address = |outside| self.addresses.get(outside, asked);
        let mut bytes = code::link(program, compiled, base, address).with_context(context)?;
        bytes.resize(at, INT3);
        bytes.extend(helpers::tail_entry(base, word));
        let loads = compiled.code.faulting_loads.iter().map(|load| Faulting {
            offset: load.offset,
            length: load.length,
            register: load.register,
        });
        let loads: Vec<Faulting> = loads.collect();
        session.install_code(base, &bytes, &loads).with_context(context)?;
        let installed = Installed { base, entry: base + at as u64 };
        self.known.insert(key, installed);
        Ok(installed.address(counts))
    }
}
