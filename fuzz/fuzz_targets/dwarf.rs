// SPDX-License-Identifier: MIT OR Apache-2.0
//! Debug information: all types as BTF, and a module.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ufunc_fuzz::dwarf(data));
