// SPDX-License-Identifier: MIT OR Apache-2.0
//! BTF: reading, checking and writing it.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ufunc_fuzz::btf(data));
