// SPDX-License-Identifier: MIT OR Apache-2.0
//! Declares functions of an application ("ufuncs") to the Linux kernel's BPF verifier.
//!
//! An application that lets extensions (BPF programs on its uprobes) call some of its functions
//! wants those calls checked: what is acquired is compared with NULL and released, once, by the
//! function made for it. The verifier in the kernel can prove all that for kfuncs. So this crate
//! reads the application's ELF file and debug information and writes a kernel module that declares
//! each such function as a *pseudo kfunc*, with the same types.
//!
//! 1. [`elf::HostFile`] maps the application, [`elf::Host`] reads its headers.
//! 2. [`debugfile::DebugFiles`] finds its debug information, [`dwarf::DebugInfo`] reads it.
//! 3. [`ufunc::choose`] decides what is lent: by a policy, by annotations, or by inference.
//!    A policy may also grant [`access`] to the application's objects themselves.
//! 4. [`module::Module`] is what the kernel is told: types, kfuncs, metadata.
//! 5. [`module::rust_source::write`] is the module's source; [`module::object::build`] makes the
//!    module at once, without a compiler, for one [`module::object::Kernel`].
//!
//! ```text
//! ELF ──elf──▶ Host ──┬──debugfile, dwarf──▶ functions, types ──┐
//!                     └──ufunc──▶ Ufunc … ──────────────────────┴──module──▶ Module ──▶ kmod/gen.rs
//! ```
//!
//! Extensions find their way in the application's data by CO-RE relocations. [`userspace`] makes the
//! BTF of all its types for them, [`btf::merge`] adds that to the kernel's, and [`relocation`] does
//! both for just the types that one extension names. [`header`] writes them, and the ufuncs, as C.
//! [`metadata`] is what the module says of itself, which `loader` reads back from a loaded one.

pub mod access;
pub mod btf;
pub mod debugfile;
pub mod dwarf;
pub mod elf;
pub mod header;
pub mod ident;
pub mod kernel;
pub mod metadata;
pub mod module;
pub mod nearest;
pub mod output;
pub mod relocation;
pub mod toml_file;
pub mod ufunc;
pub mod userspace;
