// SPDX-License-Identifier: MIT OR Apache-2.0
//! What extensions may do with the application's objects themselves, beside calling its functions:
//! look at one that the application holds (a borrow), set a field, read an element of an array.
//!
//! ```text
//! policy ──grant──▶ Grant ──accessors──▶ Accessor ──┬──module/accessors──▶ kfunc, types, metadata
//!                                                   └──header────────────▶ extern … __ksym
//! ```
//!
//! No function of the application is behind an accessor. To the kernel it is a pseudo kfunc as any
//! other is; when the extension runs, the runtime does what its metadata says.

pub(crate) mod field;
pub mod grant;
pub(crate) mod locate;
pub(crate) mod prototype;

use anyhow::{Result, bail, ensure};

use crate::ident::rust_function_name;
use crate::kernel::{NAME_MAX, kf};
use crate::metadata::Role;
use grant::{Grant, Kinds, ObjectName, Path, What};

/// A kfunc that no function of the application is behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accessor {
    /// The name that extensions call it by; an identifier.
    pub kfunc: String,
    /// What it does.
    pub action: Action,
    /// The struct whose objects it is about.
    pub object: ObjectName,
    /// Who grants it: `file:line` of the policy.
    pub place: String,
}

/// What an accessor does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Gives a view of the object at an address, or NULL.
    Borrow,
    /// Takes such a view back.
    Put,
    /// Sets the field at this path, of objects of these kinds; of all that there are, if it is not said.
    Write(Path, Option<Kinds>),
    /// Gives an element of the array at this path.
    Read(Path),
}

impl Action {
    /// What its kfunc is to the verifier.
    pub fn role(&self) -> Role {
        match self {
            Action::Borrow => Role::Acquire,
            Action::Put => Role::Release,
            Action::Write(..) | Action::Read(_) => Role::Plain,
        }
    }
}

impl Accessor {
    /// The kernel's flags for it.
    pub fn flags(&self) -> u32 {
        let own = match self.action {
            Action::Borrow => kf::ACQUIRE | kf::RET_NULL,
            Action::Put => kf::RELEASE,
            Action::Write(..) | Action::Read(_) => 0,
        };
        // As for functions: what an extension loaded from memory may be anything.
        own | kf::TRUSTED_ARGS
    }

    /// What it is about: `struct data`, or the field as `data.a`.
    pub fn subject(&self) -> String {
        match &self.action {
            Action::Borrow | Action::Put => self.object.to_string(),
            Action::Write(path, _) | Action::Read(path) => path.of(&self.object),
        }
    }

    /// What borrow and put of one struct have in common, and nothing else: no identifier.
    pub fn family(&self) -> Option<String> {
        match self.action {
            Action::Borrow | Action::Put => Some(format!("borrowed {}", self.object.name)),
            Action::Write(..) | Action::Read(_) => None,
        }
    }
}

/// The accessors that `grants` ask for, with `prefix` before their names.
///
/// Fails for names that no kfunc can have, and for two of one name.
pub(crate) fn accessors(grants: &[Grant], prefix: &str) -> Result<Vec<Accessor>> {
    let mut accessors = Vec::<Accessor>::new();
    for Grant { what, object, place } in grants {
        let mut add = |name: String, action: Action| -> Result<()> {
            let kfunc = format!("{prefix}ufunc_{name}");
            if kfunc.len() > NAME_MAX || rust_function_name(&kfunc).is_none() {
                bail!("{place}: '{kfunc}' cannot be the name of a function in the kernel");
            }
            if let Some(other) = accessors.iter().find(|other| other.kfunc == kfunc) {
                bail!(
                    "{place}: {kfunc} would be there twice, for this and for {} ({})",
                    other.subject(),
                    other.place
                );
            }
            let (object, place) = (object.clone(), place.clone());
            accessors.push(Accessor { kfunc, action, object, place });
            Ok(())
        };
        let of = &object.name;
        match what {
            What::Borrow => {
                add(format!("borrow_{of}"), Action::Borrow)?;
                add(format!("put_{of}"), Action::Put)?;
            }
            What::Write(path, kinds) => {
                let name = format!("write_{of}_{}", path.joined());
                add(name, Action::Write(path.clone(), *kinds))?;
            }
            What::Read(path) => {
                let name = format!("read_{of}_{}", path.joined());
                add(name, Action::Read(path.clone()))?;
            }
        }
    }
    accessors.sort_by(|one, other| one.kfunc.cmp(&other.kfunc));
    Ok(accessors)
}

/// Fails if an accessor has the name of one of the functions `lent`.
pub(crate) fn check_names<'n>(
    accessors: &[Accessor],
    lent: impl IntoIterator<Item = &'n str>,
) -> Result<()> {
    for name in lent {
        let taken = accessors.iter().find(|accessor| accessor.kfunc == name);
        if let Some(Accessor { place, kfunc, .. }) = taken {
            bail!(
                "{place}: the application lends a function called {kfunc}, too; leave one of them out"
            );
        }
    }
    Ok(())
}

/// Fails if what is granted with `place` cannot be, for the reason in `result`.
pub(crate) fn at_place<T>(place: &str, result: Result<T>) -> Result<T> {
    result.map_err(|error| anyhow::anyhow!("{place}: {error:#}"))
}

/// Fails for kinds of objects that there are none of.
pub(crate) fn resolve_kinds(
    kinds: Option<Kinds>,
    there: Kinds,
    object: &ObjectName,
) -> Result<Kinds> {
    ensure!(
        there.owned || there.borrowed,
        "no extension has a '{object}' to do that with: no [[ufunc]] acquires one, and no [[borrow]] gives a view of one"
    );
    let Some(kinds) = kinds else { return Ok(there) };
    ensure!(
        !kinds.owned || there.owned,
        "it is for owned objects, and no [[ufunc]] acquires a '{object}'"
    );
    ensure!(
        !kinds.borrowed || there.borrowed,
        "it is for borrowed objects, and there is no [[borrow]] of '{object}'"
    );
    Ok(kinds)
}
