// SPDX-License-Identifier: MIT OR Apache-2.0
//! Running compiled code in this very process.

use std::mem;
use std::ops::Range;

use anyhow::{Context as _, Result, ensure};
use memmap2::{Mmap, MmapMut};

use crate::Architecture;
use crate::code::Code;
use crate::target::Target;

/// Code in pages of its own, which can be executed and no longer written.
#[derive(Debug)]
pub struct Executable {
    pages: Mmap,
}

impl Executable {
    /// Puts the code into memory; `address` knows where everything is that it refers to.
    pub fn new(code: &Code, address: impl FnMut(Target) -> Option<u64>) -> Result<Self> {
        // Other machines also have to be told that there is new code.
        ensure!(
            cfg!(target_arch = "x86_64") && code.architecture == Architecture::X86_64,
            "code for {} cannot be run by this process; only x86-64 can, by its own kind",
            code.architecture
        );
        let mut pages =
            MmapMut::map_anon(code.bytes.len()).context("failed to get memory for the code")?;
        let linked = code.link(pages.as_ptr().addr() as u64, address)?;
        pages.copy_from_slice(&linked);
        let pages = pages.make_exec().context("failed to make the code executable")?;
        Ok(Executable { pages })
    }

    /// The addresses that the code has.
    pub fn addresses(&self) -> Range<usize> {
        let start = self.pages.as_ptr().addr();
        start..start + self.pages.len()
    }

    /// Runs the program with r1 to r5, of which it takes as many as it was compiled for.
    ///
    /// # Safety
    ///
    /// Everything that the code refers to has to be at the address that was said. Whatever the
    /// program does with its arguments has to be allowed: that is what the verifier vouches for.
    pub unsafe fn call(&self, arguments: [u64; 5]) -> u64 {
        type Entry = unsafe extern "C" fn(u64, u64, u64, u64, u64) -> u64;
        // SAFETY: the first byte of the code is the entry of a function of the C ABI that takes up
        // to five words and returns one; words in registers that it does not take do no harm.
        let entry = unsafe { mem::transmute::<*const u8, Entry>(self.pages.as_ptr()) };
        let [r1, r2, r3, r4, r5] = arguments;
        // SAFETY: the caller vouches for what the code does.
        unsafe { entry(r1, r2, r3, r4, r5) }
    }
}
