// SPDX-License-Identifier: MIT OR Apache-2.0
//! Changing ELF files byte by byte.
