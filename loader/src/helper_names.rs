// SPDX-License-Identifier: MIT OR Apache-2.0
//! What helpers are called: as the running kernel's types have it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use ufunc_gen::btf::Type;
use ufunc_gen::btf::decode::Btf;
use ufunc_gen::kernel::{SYSFS_BTF, VMLINUX};

/// The enum that numbers them, and what the names in it begin with.
const ENUM: &str = "bpf_func_id";
const PREFIX: &str = "BPF_FUNC_";
/// The value that stands for none.
const NONE: u32 = 0;

/// The names of all helpers, `bpf_map_lookup_elem`, by their numbers.
///
/// Fails if the kernel does not say.
pub(crate) fn all() -> Result<BTreeMap<u32, String>> {
    let path = Path::new(SYSFS_BTF).join(VMLINUX);
    let bytes = fs::read(&path)
        .with_context(|| format!("failed to read the names of helpers in {}", path.display()))?;
    let mut types = Btf::parse(&bytes)?.types().map_while(Result::ok);
    let values = types.find_map(|(_, ty)| match ty {
        Type::Enum { name, values, .. } if name == ENUM => Some(values),
        _ => None,
    });
    let values = values.with_context(|| format!("{} has no enum {ENUM}", path.display()))?;
    // The last one, which begins with underscores, counts them.
    let named = values.iter().filter(|(_, number)| *number != NONE).filter_map(|(name, number)| {
        Some((*number, format!("bpf_{}", name.strip_prefix(PREFIX)?)))
    });
    Ok(named.collect())
}

/// What the helper `id` is called; its number if the kernel does not say.
pub(crate) fn of(id: u32) -> String {
    let name = all().ok().and_then(|mut names| names.remove(&id));
    name.unwrap_or_else(|| format!("helper {id}"))
}
