// SPDX-License-Identifier: GPL-2.0

//! Declares the functions that an application lends to its extensions as kfuncs.
//!
//! The kfuncs, their types and what the module says of the application are in `gen.rs`, which
//! `ufunc-gen` writes. This half registers them. The stubs are there for the verifier to check
//! calls against; an extension that calls one runs in the application, never here.

use kernel::error::to_result;
use kernel::prelude::*;

#[path = "gen.rs"]
mod generated;

#[cfg(not(CONFIG_DEBUG_INFO_BTF_MODULES))]
compile_error!("the kernel knows no types of modules: it needs CONFIG_DEBUG_INFO_BTF_MODULES=y");

module! {
    type: Ufunc,
    name: "ufunc",
    description: "Pseudo kfuncs for the functions that an application lends to its extensions",
    license: "GPL",
}

/// What uprobes are to the verifier: `BPF_PROG_TYPE_KPROBE`.
const PROG_TYPE_KPROBE: u32 = 2;

/// `struct btf_kfunc_id_set` in `include/linux/btf.h`, as it is since 6.4. It is declared here
/// because not every version's bindings have it.
#[repr(C)]
struct KfuncIdSet {
    owner: *mut c_void,
    set: *const c_void,
    filter: Option<unsafe extern "C" fn(*const c_void, u32) -> c_int>,
}

extern "C" {
    /// Adds the kfuncs of `kset` to those that programs of `prog_type` may call.
    fn register_btf_kfunc_id_set(prog_type: u32, kset: *const KfuncIdSet) -> c_int;
}

/// The module while it is loaded. The kernel forgets the kfuncs together with the module's types,
/// so there is nothing to undo.
struct Ufunc;

impl kernel::Module for Ufunc {
    fn init(module: &'static ThisModule) -> Result<Self> {
        if !has_btf(module) {
            pr_err!(
                "the module has no BTF section: it was stripped or built without gen.rs's statics\n"
            );
            return Err(ENOENT);
        }
        register(module).inspect_err(|error| {
            pr_err!(
                "failed to register the kfuncs of {}: {:?}; lines above may say why\n",
                generated::HOST,
                error
            );
        })?;
        pr_info!("{} (build-id {}) lends to uprobes:\n", generated::HOST, generated::BUILD_ID);
        for (name, flags) in generated::UFUNCS {
            pr_info!("  {name}: {flags}\n");
        }
        Ok(Ufunc)
    }
}

/// Whether the kernel found the module's types. Without them registration may report success and
/// do nothing.
fn has_btf(module: &ThisModule) -> bool {
    // SAFETY: `as_ptr` gives this module's `struct module`, which exists while `init` runs, and
    // whose BTF fields nobody writes until `init` has returned (`do_init_module()`).
    let (data, size) = unsafe { ((*module.as_ptr()).btf_data, (*module.as_ptr()).btf_data_size) };
    !data.is_null() && size > 0
}

fn register(module: &'static ThisModule) -> Result {
    let kset = KfuncIdSet {
        owner: module.as_ptr().cast(),
        set: (&raw const generated::KFUNCS).cast(),
        filter: None,
    };
    // SAFETY: `kset` has the layout that the kernel expects and is only read during the call. Its
    // owner is this module. Its set has the layout of `struct btf_id_set8`, with as many pairs as
    // it counts, and the kernel copies it.
    to_result(unsafe { register_btf_kfunc_id_set(PROG_TYPE_KPROBE, &kset) })
}
