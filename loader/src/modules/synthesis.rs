// SPDX-License-Identifier: MIT OR Apache-2.0
//! Making the module of an application for the running kernel.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::{Context as _, Result, ensure};
use ufunc_gen::debugfile::{DebugFiles, Search};
use ufunc_gen::dwarf::{DebugInfo, SplitFiles};
use ufunc_gen::ident::is_identifier;
use ufunc_gen::metadata::ModuleMetadata;
use ufunc_gen::module::Module;
use ufunc_gen::module::object::{self, Kernel};
use ufunc_gen::ufunc::policy::Policy;
use ufunc_gen::ufunc::{self, Choice};

use super::owner::Owner;
use crate::host::App;

/// What an application lends, as `ufunc-gen` is told it.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// The file that names what is lent, and decides alone.
    pub policy: Option<&'a Path>,
    /// Whether pairs of functions may be inferred from their names and types.
    pub infer: bool,
    /// What is put before the names by which extensions call them.
    pub prefix: &'a str,
    /// Where separate debug files are looked for first.
    pub debug_dirs: &'a [PathBuf],
}

impl Default for Terms<'_> {
    fn default() -> Self {
        Terms { policy: None, infer: true, prefix: "", debug_dirs: &[] }
    }
}

/// A module that was made.
#[derive(Debug)]
pub(super) struct Made {
    /// Its file.
    pub(super) bytes: Vec<u8>,
    /// What it says of the application.
    pub(super) metadata: ModuleMetadata,
    /// The pairs that were inferred, a line for each.
    pub(super) inferred: Vec<String>,
}

/// Who a module is made for.
pub(super) struct Buyer<'a> {
    /// What it is called.
    pub(super) name: &'a str,
    /// What stands before the names of its kfuncs, so that no other module has them.
    pub(super) prefix: &'a str,
    pub(super) owner: &'a Owner,
    /// Whether what the application lends is worth a module.
    pub(super) wants: &'a dyn Fn(&ModuleMetadata) -> bool,
}

/// Makes the module of `app`; what it would have lent if nobody wants that.
pub(super) fn make(
    app: &App,
    terms: &Terms<'_>,
    kernel: &Kernel,
    buyer: &Buyer<'_>,
) -> Result<Result<Made, ModuleMetadata>> {
    ensure!(
        terms.prefix.is_empty() || is_identifier(terms.prefix),
        "--prefix {:?} is no identifier, and names with it would be none either",
        terms.prefix
    );
    let choice = Choice {
        policy: terms.policy.map(Policy::read).transpose()?,
        infer: terms.infer,
        prefix: terms.prefix.to_owned(),
    };
    let host = app.host()?;
    let search = Search::new(terms.debug_dirs.iter().cloned());
    let files = DebugFiles::find(&host, &search)?;
    let sections = files.load()?;
    let split = SplitFiles::find(&host, &files, &search, &sections)?;
    let debug = DebugInfo::new(&sections, &split)?;
    let chosen = ufunc::choose(&host, &files.functions(&host)?, &debug, &choice)?;
    let mut module = Module::new(&host, &debug, chosen.ufuncs, chosen.accessors)?;
    let metadata = module.metadata.clone();
    if !(buyer.wants)(&metadata) {
        return Ok(Err(metadata));
    }
    module.set_apart(buyer.prefix, &buyer.owner.to_string())?;
    let bytes = object::build(&module, kernel, buyer.name)?;
    Ok(Ok(Made { bytes, metadata, inferred: chosen.inferred }))
}

/// What modules have to agree on with the running kernel. It stays the same one.
pub(super) fn running_kernel() -> Result<&'static Kernel> {
    static KERNEL: OnceLock<Kernel> = OnceLock::new();
    if let Some(kernel) = KERNEL.get() {
        return Ok(kernel);
    }
    let (kernel, _) =
        Kernel::running().context("the running kernel does not show what a module has to know")?;
    Ok(KERNEL.get_or_init(|| kernel))
}
