// SPDX-License-Identifier: MIT OR Apache-2.0
//! Declares functions of an application ("ufuncs") to the Linux kernel's BPF verifier.
pub mod btf;
pub mod elf;
pub mod kernel;
pub mod metadata;
