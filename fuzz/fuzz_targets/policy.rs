// SPDX-License-Identifier: MIT OR Apache-2.0
//! Policies.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ufunc_fuzz::policy(data));
