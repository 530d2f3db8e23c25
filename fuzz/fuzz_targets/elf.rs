// SPDX-License-Identifier: MIT OR Apache-2.0
//! ELF files: headers, symbols, notes, and where their debug information is.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ufunc_fuzz::elf(data));
