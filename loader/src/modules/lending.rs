// SPDX-License-Identifier: MIT OR Apache-2.0
//! The module for an object: one that is loaded, or one that is made for this call alone.
//!
//! A module that is made gets along with all others, whoever made them and from whichever build of
//! whichever application: the names of its kfuncs begin with its own, and the object calls them by
//! these ([`BpfObject::renamed`]). Nobody sees that: what the kernel says is read without them.

use std::borrow::Cow;
use std::path::Path;

use anyhow::{Context as _, Result, anyhow, bail};
use ufunc_gen::kernel::SYSFS_BTF;
use ufunc_gen::metadata::ModuleMetadata;

use super::lease::{self, Lease};
use super::owner::Owner;
use super::synthesis::{self, Buyer, Made, Terms};
use super::{Declarations, LoadedModule, names, obstacle};
use crate::host::App;
use crate::object::BpfObject;
use crate::report::list_with_verb;

/// Which module is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source<'a> {
    /// A loaded one of this very build of the application; if there is none, one that is made.
    Any,
    /// One that is made, whatever is loaded.
    Made,
    /// A loaded one.
    Loaded,
    /// The loaded one of that name.
    Named(&'a str),
}

/// Where the functions come from that an application lends.
#[derive(Clone, Copy, Debug)]
pub struct Lending<'a> {
    /// Which module declares them.
    pub source: Source<'a>,
    /// What one lends that is made.
    pub terms: Terms<'a>,
}

/// A module, and the object as it calls its functions.
#[derive(Debug)]
pub struct Lent<'o> {
    /// The module, if the object calls functions that an application lends.
    pub module: Option<LoadedModule>,
    /// The object that is to be loaded.
    pub object: Cow<'o, BpfObject>,
    /// What keeps the module in the kernel, if it was made for this call. It has to live as long as
    /// programs of the object are loaded.
    pub lease: Option<Lease>,
    /// The pairs of functions that were inferred for it, a line for each.
    pub inferred: Vec<String>,
}

impl<'o> Lent<'o> {
    /// `module`, which is loaded, if there is one.
    fn loaded(object: &'o BpfObject, module: Option<LoadedModule>) -> Self {
        Lent { module, object: Cow::Borrowed(object), lease: None, inferred: Vec::new() }
    }
}

/// Finds or makes the module that declares what `object` calls of `apps`, which run together.
///
/// Fails if there is none and none can be made, saying what to do.
pub fn lend<'o>(lending: &Lending<'_>, object: &'o BpfObject, apps: &[&App]) -> Result<Lent<'o>> {
    if object.kfuncs.is_empty() {
        return Ok(Lent::loaded(object, None));
    }
    let declarations = Declarations::read(Path::new(SYSFS_BTF), &object.kfuncs)?;
    let loaded = |declarations: &Declarations| {
        declarations.lender(&object.kfuncs, apps).map(|module| Lent::loaded(object, module))
    };
    match lending.source {
        Source::Loaded => loaded(&declarations),
        Source::Named(name) => loaded(&declarations.only(name)?),
        Source::Made => match obstacle() {
            Some(obstacle) => bail!("the module of {} cannot be loaded: {obstacle}", paths(apps)),
            None => made(lending, object, apps, &declarations),
        },
        Source::Any => loaded(&declarations).or_else(|missing| match obstacle() {
            Some(obstacle) => {
                Err(anyhow!("{missing:#}; the loader would make it by itself, but {obstacle}"))
            }
            None => made(lending, object, apps, &declarations),
        }),
    }
}

/// Makes the module of the first of `apps` that lends what is called, and loads it.
fn made<'o>(
    lending: &Lending<'_>,
    object: &'o BpfObject,
    apps: &[&App],
    declarations: &Declarations,
) -> Result<Lent<'o>> {
    let is_kernels = |name: &str| declarations.kernel.iter().any(|(declared, _)| declared == name);
    let wanted: Vec<_> = object.kfuncs.iter().filter(|kfunc| !is_kernels(&kfunc.name)).collect();
    if wanted.is_empty() {
        return Ok(Lent::loaded(object, None));
    }
    let needed: Vec<&str> =
        wanted.iter().filter(|kfunc| !kfunc.weak).map(|kfunc| kfunc.name.as_str()).collect();
    let lends = |metadata: &ModuleMetadata, name: &str| {
        metadata.ufuncs.iter().any(|ufunc| ufunc.kfunc == name)
    };
    lease::sweep();
    let name = Lease::free_name();
    let prefix = format!("{name}_");
    let buyer = Buyer {
        name: &name,
        prefix: &prefix,
        owner: &Owner::this()?,
        wants: &|metadata| {
            needed.iter().all(|name| lends(metadata, name))
                && wanted.iter().any(|kfunc| lends(metadata, &kfunc.name))
        },
    };
    let kernel = synthesis::running_kernel().with_context(|| missing(&needed))?;
    let mut offers = Vec::new();
    for app in apps {
        let Made { bytes, metadata, inferred } = match synthesis::make(
            app,
            &lending.terms,
            kernel,
            &buyer,
        ) {
            Ok(Ok(made)) => made,
            Ok(Err(metadata)) => {
                offers.push(format!(
                    "{} lends {}; declare the function in the application or in a policy (--policy)",
                    app.path.display(),
                    names(&metadata)
                ));
                continue;
            }
            Err(error) => {
                offers.push(format!(
                    "the module of {} cannot be made: {error:#}",
                    app.path.display()
                ));
                continue;
            }
        };
        let renamed = object.renamed(&prefix, &|name| {
            wanted.iter().any(|kfunc| kfunc.name == name) && lends(&metadata, name)
        })?;
        let lease = Lease::new(&bytes, &name)?;
        return Ok(Lent {
            module: Some(LoadedModule { name, metadata, prefix }),
            object: Cow::Owned(renamed),
            lease: Some(lease),
            inferred,
        });
    }
    // What is only weak, the object can do without.
    if needed.is_empty() {
        return Ok(Lent::loaded(object, None));
    }
    match offers.as_slice() {
        [] => bail!("{}; name the application that lends them with --app", missing(&needed)),
        offers => {
            bail!("{}, and none can be made that does: {}", missing(&needed), offers.join("; "))
        }
    }
}

/// What is wrong where nobody declares `names`.
fn missing(names: &[&str]) -> String {
    match names {
        [] => "no loaded module declares what the application lends".to_owned(),
        names => format!("{} declared by no loaded module", list_with_verb(names)),
    }
}

fn paths(apps: &[&App]) -> String {
    let paths: Vec<_> = apps.iter().map(|app| app.path.to_string_lossy()).collect();
    let paths: Vec<_> = paths.iter().map(AsRef::as_ref).collect();
    crate::report::list(&paths, "and")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_made_for_an_object_that_calls_no_functions() {
        let object = crate::object::testing::object();
        let lending = Lending { source: Source::Made, terms: Terms::default() };
        let lent = lend(&lending, &object, &[]).unwrap();
        assert!(lent.module.is_none() && lent.lease.is_none());
        assert!(matches!(lent.object, Cow::Borrowed(_)));
    }
}
