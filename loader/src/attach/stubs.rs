// SPDX-License-Identifier: MIT OR Apache-2.0
//! Programs that call functions of the application: those are not there in the kernel.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use ufunc_gen::btf::Type;
use ufunc_gen::btf::decode::Btf;
use ufunc_gen::kernel::{SYSFS_BTF, VMLINUX};

use super::load::Loaded;
use crate::modules::LoadedModule;
use crate::report::list;

/// `BPF_JMP | BPF_CALL`.
const CALL: u8 = 0x85;
/// `src_reg` of a call of a kfunc.
const KFUNC: u8 = 2;

/// Fails if a program calls a function that `module` declares: in the kernel stands a stub, which
/// does nothing.
pub(crate) fn check(loaded: &Loaded, module: &LoadedModule) -> Result<()> {
    let names = functions(module)?;
    for program in loaded.programs() {
        let calls = program.insns().iter().filter(|call| {
            // A call with an offset is of a module.
            call.code == CALL && call.src_reg() == KFUNC && call.off != 0
        });
        let called: BTreeSet<&str> = calls
            .filter_map(|call| names.get(&u32::try_from(call.imm).ok()?).map(String::as_str))
            .collect();
        if !called.is_empty() {
            let called: Vec<&str> = called.into_iter().collect();
            let are = if called.len() == 1 { "is a function" } else { "are functions" };
            bail!(
                "program {} calls {}, which {are} of {}: the kernel has only stubs to verify against, whose calls do nothing; run the program in the application with loader run, or attach it all the same, for study, with --allow-stubs",
                program.name().to_string_lossy(),
                list(&called, "and"),
                module.metadata.host
            );
        }
    }
    Ok(())
}

/// The functions that `module` declares, by their numbers in its BTF.
fn functions(module: &LoadedModule) -> Result<HashMap<u32, String>> {
    let read = |name: &str| {
        let path = Path::new(SYSFS_BTF).join(name);
        fs::read(&path).with_context(|| format!("failed to read {}", path.display()))
    };
    let (vmlinux, own) = (read(VMLINUX)?, read(&module.name)?);
    let mut found = HashMap::new();
    for item in Btf::parse_split(&own, &Btf::parse(&vmlinux)?)?.types() {
        if let (id, Type::Func { name, .. }) = item?
            && module.ufunc(&name).is_some()
        {
            found.insert(id.0, name.into_owned());
        }
    }
    Ok(found)
}
