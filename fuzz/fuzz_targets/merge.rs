// SPDX-License-Identifier: MIT OR Apache-2.0
//! Several BTFs as one.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ufunc_fuzz::merge(data));
