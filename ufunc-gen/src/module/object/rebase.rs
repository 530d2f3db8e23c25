// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the module declares, with the ids that its kernel expects.
//!
//! From Linux 6.11 on a module brings a small base of its own and the kernel does the rest. Before,
//! its ids and strings have to continue those of the very kernel that loads it.

use anyhow::{Context as _, Result};

use super::Kernel;
use crate::btf::TypeId;
use crate::btf::encode::Encoded;
use crate::module::Module;

/// What the sections of the module hold.
#[derive(Debug)]
pub(super) struct Declared<'m> {
    /// The pseudo kfuncs, in the order of their ids.
    pub(super) kfuncs: Vec<Declaration<'m>>,
    /// `.BTF`
    pub(super) btf: Vec<u8>,
    /// `.BTF.base`
    pub(super) base: Option<Vec<u8>>,
    /// The application's file name.
    pub(super) host: &'m str,
}

/// A pseudo kfunc.
#[derive(Clone, Copy, Debug)]
pub(super) struct Declaration<'m> {
    pub(super) name: &'m str,
    pub(super) id: TypeId,
    /// `KF_*`
    pub(super) flags: u32,
}

/// What `module` declares to `kernel`.
pub(super) fn declare<'m>(module: &'m Module<'_>, kernel: &Kernel) -> Result<Declared<'m>> {
    let declare = |id: &dyn Fn(TypeId) -> TypeId| {
        let kfuncs = module.kfuncs.iter();
        let declare = |kfunc: &'m crate::module::Kfunc<'_>| Declaration {
            name: &kfunc.name,
            id: id(kfunc.id),
            flags: kfunc.flags,
        };
        let mut kfuncs: Vec<_> = kfuncs.map(declare).collect();
        // Until 6.10 the kernel looks ids up in the module's own list, by halving.
        kfuncs.sort_by_key(|kfunc| kfunc.id);
        kfuncs
    };
    let host = &module.metadata.host;
    if kernel.distilled_base {
        let btf = module.btf()?;
        return Ok(Declared {
            kfuncs: declare(&|id| id),
            btf: btf.own.to_bytes()?,
            base: Some(btf.base.to_bytes()?),
            host,
        });
    }
    let first = module.base.len() as u32 + 1;
    let rebased = |id: TypeId| match id {
        TypeId::VOID => id,
        // The base is the one type `int`.
        TypeId(id) if id < first => kernel.types.int,
        TypeId(id) => TypeId(id - first + kernel.types.end.0),
    };
    let mut types = module.types.clone();
    types.iter_mut().for_each(|ty| ty.for_each_ref_mut(|id| *id = rebased(*id)));
    let own =
        Encoded::new(&types, kernel.types.strings).context("failed to write the module's BTF")?;
    Ok(Declared { kfuncs: declare(&rebased), btf: own.to_bytes()?, base: None, host })
}
