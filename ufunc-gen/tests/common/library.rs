// SPDX-License-Identifier: MIT OR Apache-2.0
//! The library's steps, from a file to types.

use std::path::Path;

use anyhow::Result;
use ufunc_gen::btf::dedup::dedup;
use ufunc_gen::btf::encode::Encoded;
use ufunc_gen::btf::{IntEncoding, Type};
use ufunc_gen::debugfile::{DebugFiles, Search};
use ufunc_gen::dwarf::types::TypeReader;
use ufunc_gen::dwarf::{DebugInfo, SplitFiles};
use ufunc_gen::elf::{Host, HostFile};
use ufunc_gen::module::{Module, rust_source};
use ufunc_gen::ufunc::{self, Choice};

/// All types of the module for the application at `app`, as BTF that stands alone.
pub fn module_btf(app: &Path) -> Result<Vec<u8>> {
    let file = HostFile::open(app)?;
    with_module(&file.parse()?, |module| {
        Encoded::new(module.base.iter().chain(&module.types), 0)?.to_bytes()
    })
}

/// The module source for the application in `bytes`.
pub fn source(bytes: &[u8]) -> Result<String> {
    with_module(&Host::parse(Path::new("app"), bytes)?, rust_source::write)
}

/// Calls `then` with the module for `host`, by annotations or inference.
pub fn with_module<T>(host: &Host<'_>, then: impl FnOnce(&Module<'_>) -> Result<T>) -> Result<T> {
    with_debug_info(host, |debug| {
        let choice = Choice { infer: true, ..Choice::default() };
        let chosen = ufunc::choose(host, &host.functions(), debug, &choice)?;
        then(&Module::new(host, debug, chosen.ufuncs, chosen.accessors)?)
    })
}

/// Calls `then` with everything that the functions of the application at `app` take and return,
/// whether they can be lent or not, after an `int` that stands for the base.
pub fn with_all_types(app: &Path, then: impl FnOnce(&[Type<'_>])) -> Result<()> {
    let file = HostFile::open(app)?;
    let host = file.parse()?;
    with_debug_info(&host, |debug| {
        let mut reader = TypeReader::new(debug, 2, None);
        for function in debug.functions()? {
            reader.id(function.return_type)?;
            for param in function.params {
                reader.id(param.ty)?;
            }
        }
        let encoding = IntEncoding { signed: true, ..IntEncoding::default() };
        let name = "int".into();
        let mut types = vec![Type::Int { name, size: 4, encoding, bit_offset: 0, bits: 32 }];
        types.extend(dedup(reader.finish()?, 2).0);
        then(&types);
        Ok(())
    })
}

/// Calls `then` with the debug information of `host`.
pub fn with_debug_info<T>(
    host: &Host<'_>,
    then: impl FnOnce(&DebugInfo<'_>) -> Result<T>,
) -> Result<T> {
    let search = Search::default();
    let files = DebugFiles::find(host, &search)?;
    let sections = files.load()?;
    let split = SplitFiles::find(host, &files, &search, &sections)?;
    then(&DebugInfo::new(&sections, &split)?)
}
