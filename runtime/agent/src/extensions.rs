// SPDX-License-Identifier: MIT OR Apache-2.0
//! The extensions of this application, and what loaders ask for.

use std::os::fd::OwnedFd;
use std::sync::Once;

use anyhow::{Context as _, Result, bail, ensure};
use ufunc_shared::plan::Plan;
use ufunc_shared::protocol::{
    Extension, ExtensionId, Hello, Hook as HookInfo, HookId, Reply, Request,
};

use crate::hooks::{self, Hook};
use crate::lock::ForkLock;
use crate::sys;

/// No code of a program is longer.
const LONGEST_CODE: u64 = 1 << 24;

/// What there is.
struct Extensions {
    /// The last number that was given to anything.
    last: u64,
    extensions: Vec<Extension>,
    hooks: Vec<Attached>,
}

/// A hook that is in place.
struct Attached {
    id: HookId,
    owners: Vec<ExtensionId>,
    hook: Hook,
    plan: Plan,
}

static EXTENSIONS: ForkLock<Extensions> =
    ForkLock::new(Extensions { last: 0, extensions: Vec::new(), hooks: Vec::new() });

unsafe extern "C" fn lock() {
    EXTENSIONS.acquire();
}

unsafe extern "C" fn unlock() {
    // SAFETY: only called by `fork`, which has called `lock`.
    unsafe { EXTENSIONS.release() };
}

/// Does what a loader asks for, but for what concerns its connection.
pub(crate) fn answer(request: Request, descriptor: Option<OwnedFd>) -> Reply {
    static FORKS: Once = Once::new();
    // The lock of hooks is taken within this one, by a `fork` too: the last is the first.
    FORKS.call_once(|| {
        hooks::prepare_forks();
        ForkLock::<Extensions>::with_forks(lock, unlock);
    });
    let done = EXTENSIONS.locked(|extensions| extensions.answer(request, descriptor));
    done.unwrap_or_else(|error| Reply::Failed(format!("{error:#}")))
}

impl Extensions {
    fn answer(&mut self, request: Request, descriptor: Option<OwnedFd>) -> Result<Reply> {
        match request {
            Request::Hello => return Ok(Reply::Hello(Box::new(self.hello()))),
            Request::Begin { name, description } => {
                let id = self.number();
                self.extensions.push(Extension { id, name, description });
                return Ok(Reply::Number(id));
            }
            Request::Describe { extension, description } => {
                self.extension(extension)?.description = description;
            }
            Request::AddMap { extension } => {
                self.extension(extension)?;
                let descriptor = descriptor.context("a map came without its descriptor")?;
                return Ok(Reply::Map(crate::bindings::add_map(descriptor)?));
            }
            Request::SetProgram { extension, number, address } => {
                self.extension(extension)?;
                crate::bindings::set_program(number, address)?;
            }
            Request::ReserveCode { extension, size, near } => {
                self.extension(extension)?;
                ensure!(size <= LONGEST_CODE, "a program of {size} bytes is too long");
                return Ok(Reply::Number(hooks::reserve_code(near, size as usize)?));
            }
            Request::InstallCode { address, bytes, faulting } => {
                // SAFETY: the loader leads nothing there before this is done; which code runs in
                // the application is up to it, who was let in for that.
                unsafe { hooks::install_code(address, &bytes) }?;
                crate::bindings::add_faulting(address, bytes.len(), &faulting)?;
            }
            Request::ReserveStub { patch, placement, size, again } => {
                ensure!(size <= LONGEST_CODE, "a stub of {size} bytes is too long");
                let stub = hooks::reserve(patch, &placement, size as usize, again)?;
                return Ok(Reply::Number(stub));
            }
            Request::Attach { owners, plan } => {
                self.check_owners(&owners)?;
                crate::bindings::remember_entry(&plan);
                // SAFETY: the loader made it for this process, with what this agent told it.
                let hook = unsafe { hooks::attach(&plan) }?;
                let id = self.number();
                self.hooks.push(Attached { id, owners, hook, plan });
                return Ok(Reply::Number(id));
            }
            Request::Replace { hook, owners, plan } => {
                self.check_owners(&owners)?;
                let index = self.index(hook)?;
                let attached = &mut self.hooks[index];
                // SAFETY: as for a new hook.
                unsafe { attached.hook.replace(&plan) }?;
                (attached.owners, attached.plan) = (owners, plan);
            }
            Request::Detach { hook } => {
                let index = self.index(hook)?;
                self.hooks[index].hook.take_away()?;
                self.hooks.remove(index);
            }
            Request::Remove { extension } => self.remove(extension)?,
            Request::Missed => return Ok(Reply::Number(hooks::missed())),
            Request::Resume | Request::Lock | Request::Unlock => {
                bail!("that concerns a connection")
            }
        }
        Ok(Reply::Done)
    }

    fn number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    fn extension(&mut self, id: ExtensionId) -> Result<&mut Extension> {
        let found = self.extensions.iter_mut().find(|extension| extension.id == id);
        found.with_context(|| format!("there is no extension {id}: it may have been removed"))
    }

    fn check_owners(&mut self, owners: &[ExtensionId]) -> Result<()> {
        ensure!(!owners.is_empty(), "a hook belongs to an extension");
        owners.iter().try_for_each(|owner| self.extension(*owner).map(|_| ()))
    }

    fn index(&self, id: HookId) -> Result<usize> {
        let found = self.hooks.iter().position(|attached| attached.id == id);
        found.with_context(|| format!("there is no hook {id}: it may have been detached"))
    }

    /// Takes all hooks of an extension away, or none.
    ///
    /// Its code and its maps stay: a thread may be running its programs, or return into them.
    fn remove(&mut self, extension: ExtensionId) -> Result<()> {
        let name = self.extension(extension)?.name.clone();
        let owned = |attached: &&Attached| attached.owners.contains(&extension);
        if let Some(shared) = self.hooks.iter().filter(owned).find(|one| one.owners.len() > 1) {
            bail!(
                "the hook at {:#x} runs programs of others than {name} too, which need a plan of \
                 their own first",
                shared.plan.point
            );
        }
        let mut gone: Vec<usize> = Vec::new();
        let indices = (0..self.hooks.len()).filter(|index| owned(&&self.hooks[*index]));
        for index in indices.collect::<Vec<_>>() {
            let attached = &self.hooks[index];
            if let Err(error) = attached.hook.take_away() {
                self.put_back(&gone);
                return Err(error.context(format!("failed to take {name} away")));
            }
            gone.push(index);
        }
        self.hooks.retain(|attached| !attached.owners.contains(&extension));
        self.extensions.retain(|other| other.id != extension);
        Ok(())
    }

    /// Puts hooks back that were taken away just now. What cannot be put back is forgotten.
    fn put_back(&mut self, gone: &[usize]) {
        for index in gone.iter().rev() {
            let attached = &mut self.hooks[*index];
            // SAFETY: it was there a moment ago, and its stub and programs stay.
            match unsafe { hooks::attach(&attached.plan) } {
                Ok(hook) => attached.hook = hook,
                Err(_) => {
                    self.hooks.remove(*index);
                }
            }
        }
    }

    fn hello(&self) -> Hello {
        let hook = |attached: &Attached| HookInfo {
            id: attached.id,
            owners: attached.owners.clone(),
            plan: attached.plan.clone(),
        };
        Hello {
            process: sys::process().cast_unsigned(),
            waits: false,
            agent: hooks::agent(),
            tail_word: crate::helpers::tail_word(),
            helpers: crate::bindings::helpers(),
            kfuncs: crate::bindings::kfuncs(),
            extensions: self.extensions.clone(),
            hooks: self.hooks.iter().map(hook).collect(),
        }
    }
}
