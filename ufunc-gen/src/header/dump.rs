// SPDX-License-Identifier: MIT OR Apache-2.0
//! BTF as C, by libbpf's `btf_dump` (`src/btf_dump.c`), which knows in which order C wants
//! declarations, and where a struct needs padding. The only unsafe code of headers.

use std::ffi::{CString, c_char, c_int, c_void};
use std::io;
use std::marker::PhantomData;
use std::mem;
use std::ptr::{self, NonNull};

use anyhow::{Context as _, Result, anyhow};
use libbpf_sys as sys;

use crate::btf::TypeId;

/// C's declarations of all types in `btf`, and a declaration of each of `functions`, whose second
/// part is the prototype; those without a `;` at their end.
pub(super) fn declarations(
    btf: &[u8],
    functions: &[(&str, TypeId)],
) -> Result<(String, Vec<String>)> {
    let btf = Btf::new(btf)?;
    let mut dump = Dump::new(&btf)?;
    for id in 1..btf.count() {
        dump.types(id)?;
    }
    let types = dump.take()?;
    let mut declared = Vec::new();
    for (name, prototype) in functions {
        dump.declaration(name, *prototype)?;
        declared.push(dump.take()?);
    }
    Ok((types, declared))
}

/// What libbpf's functions return.
fn check(result: c_int) -> Result<()> {
    match result {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(error.saturating_abs()).into()),
    }
}

/// BTF, as libbpf has it.
struct Btf(NonNull<sys::btf>);

impl Btf {
    fn new(bytes: &[u8]) -> Result<Self> {
        let size = u32::try_from(bytes.len()).context("there are too many types")?;
        // SAFETY: libbpf reads `size` bytes, checks them, and keeps a copy.
        let btf = unsafe { sys::btf__new(bytes.as_ptr().cast(), size) };
        let error = io::Error::last_os_error();
        NonNull::new(btf).map(Btf).ok_or(error).context("libbpf does not take the types")
    }

    /// One more than the number of the last type.
    fn count(&self) -> u32 {
        // SAFETY: it is alive until it is dropped.
        unsafe { sys::btf__type_cnt(self.0.as_ptr()) }
    }
}

impl Drop for Btf {
    fn drop(&mut self) {
        // SAFETY: nobody else has it, and nothing uses it afterwards: a `Dump` borrows it.
        unsafe { sys::btf__free(self.0.as_ptr()) };
    }
}

/// What a dump wrote since somebody took it.
#[derive(Default)]
struct Written {
    text: Vec<u8>,
    failed: bool,
}

/// Writes types of a BTF as C.
struct Dump<'a> {
    raw: NonNull<sys::btf_dump>,
    /// libbpf has it too, and uses it while one of its functions runs, only.
    written: NonNull<Written>,
    btf: PhantomData<&'a Btf>,
}

impl<'a> Dump<'a> {
    fn new(btf: &'a Btf) -> Result<Self> {
        let written = NonNull::from(Box::leak(Box::<Written>::default()));
        // SAFETY: `btf` outlives the dump, by its lifetime; `append` is made for what `written`
        // points to, which lives until the dump is dropped.
        let raw = unsafe {
            sys::btf_dump__new(btf.0.as_ptr(), Some(append), written.as_ptr().cast(), ptr::null())
        };
        let error = io::Error::last_os_error();
        match NonNull::new(raw) {
            Some(raw) => Ok(Dump { raw, written, btf: PhantomData }),
            None => {
                // SAFETY: it comes from a box, and libbpf does not have it any more.
                drop(unsafe { Box::from_raw(written.as_ptr()) });
                Err(error).context("libbpf cannot write the types as C")
            }
        }
    }

    /// Writes the type `id`, and before it those that it needs, unless they are written.
    fn types(&mut self, id: u32) -> Result<()> {
        // SAFETY: the dump is alive, and nobody uses `written` meanwhile.
        let result = unsafe { sys::btf_dump__dump_type(self.raw.as_ptr(), id) };
        check(result).with_context(|| format!("libbpf cannot write type {id} as C"))
    }

    /// Writes a declaration of `name` as a function with that prototype.
    fn declaration(&mut self, name: &str, prototype: TypeId) -> Result<()> {
        let c_name = CString::new(name).context("the name of a function contains NUL")?;
        let options = sys::btf_dump_emit_type_decl_opts {
            sz: size_of::<sys::btf_dump_emit_type_decl_opts>() as u64,
            field_name: c_name.as_ptr(),
            ..Default::default()
        };
        // SAFETY: as above; `options` and the name in it live until the call returns.
        let result =
            unsafe { sys::btf_dump__emit_type_decl(self.raw.as_ptr(), prototype.0, &options) };
        check(result).with_context(|| format!("libbpf cannot declare {name} in C"))
    }

    /// What was written since the last time.
    fn take(&mut self) -> Result<String> {
        // SAFETY: no function of libbpf runs, and nobody else has it.
        let Written { text, failed } = mem::take(unsafe { self.written.as_mut() });
        match failed {
            true => Err(anyhow!("there is no memory for the text")),
            false => String::from_utf8(text).context("a name is no UTF-8"),
        }
    }
}

impl Drop for Dump<'_> {
    fn drop(&mut self) {
        // SAFETY: nobody else has them, and libbpf has no use for `written` once the dump is gone.
        unsafe {
            sys::btf_dump__free(self.raw.as_ptr());
            drop(Box::from_raw(self.written.as_ptr()));
        }
    }
}

/// Appends what libbpf prints to the [`Written`] at `context`.
///
/// # Safety
///
/// libbpf calls it, with the context that the dump was made with, and with arguments that fit the
/// format.
unsafe extern "C" fn append(
    context: *mut c_void,
    format: *const c_char,
    arguments: *mut sys::__va_list_tag,
) {
    // SAFETY: libbpf's format and arguments fit each other.
    let printed = unsafe { vsprintf::vsprintf_raw(format, arguments) };
    // SAFETY: whoever called into libbpf leaves it alone until that returns.
    let written = unsafe { &mut *context.cast::<Written>() };
    match printed {
        Ok(bytes) => written.text.extend(bytes),
        Err(_) => written.failed = true,
    }
}
