// SPDX-License-Identifier: MIT OR Apache-2.0
//! Writing to code.
//!
//! It goes through `/proc/self/mem`: the kernel writes to a copy of the page, as for a debugger,
//! and the page stays what it is to everybody else, so that there is never memory that can be both
//! written and executed, and nothing to put back. Threads that run in the page see the old bytes or
//! the new ones. Where the kernel was told not to allow that (`proc_mem.force_override`), pages are
//! made writable for the one write and then what they were; they have to stay executable
//! meanwhile, for other threads may be in them.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;

use anyhow::{Context as _, Result, bail, ensure};

use crate::maps;

/// Bytes of a page.
const PAGE: u64 = 4096;

/// The process' code. To be opened anew for each change: after a `fork` it would be the parent's.
pub(crate) struct Text(Option<File>);

impl Text {
    pub(crate) fn open() -> Self {
        // Without /proc pages are made writable instead.
        Self(OpenOptions::new().read(true).write(true).open("/proc/self/mem").ok())
    }

    /// The bytes at `address`, which need not be mapped.
    pub(crate) fn read(&self, address: u64, length: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        let read = match &self.0 {
            Some(memory) => memory.read_exact_at(&mut bytes, address),
            None => Err(io::Error::from(io::ErrorKind::NotFound)),
        };
        read.with_context(|| format!("failed to read {length} bytes of code at {address:#x}"))?;
        Ok(bytes)
    }

    /// Writes `bytes` to `address`.
    ///
    /// # Safety
    ///
    /// Whoever comes to run these bytes, at any time from now on, has to find what makes sense.
    pub(crate) unsafe fn write(&self, address: u64, bytes: &[u8]) -> Result<()> {
        if let Some(memory) = &self.0
            && memory.write_all_at(bytes, address).is_ok()
        {
            return Ok(());
        }
        // SAFETY: as the caller vouches.
        unsafe { write_made_writable(address, bytes) }.with_context(|| {
            format!("failed to write {} bytes of code at {address:#x}", bytes.len())
        })
    }
}

/// # Safety
///
/// As for [`Text::write`].
unsafe fn write_made_writable(address: u64, bytes: &[u8]) -> Result<()> {
    let end = address + bytes.len() as u64;
    let all = maps::read()?;
    let touched: Vec<_> =
        all.iter().filter(|mapping| mapping.start < end && address < mapping.end).collect();
    let covered: u64 =
        touched.iter().map(|mapping| mapping.end.min(end) - mapping.start.max(address)).sum();
    ensure!(covered == end - address, "nothing is mapped there");
    let protect = |mapping: &maps::Mapping, protection: i32| {
        let start = mapping.start.max(address) & !(PAGE - 1);
        let length = (mapping.end.min(end) - start).next_multiple_of(PAGE);
        // SAFETY: these pages are mapped, and go on to allow at least what they did.
        let failed = unsafe { libc::mprotect(start as *mut _, length as usize, protection) } != 0;
        if failed {
            bail!("the kernel refuses protection {protection}: {}", io::Error::last_os_error());
        }
        Ok(())
    };
    let mut outcome = Ok(());
    for mapping in &touched {
        let writable = mapping.protection | libc::PROT_READ | libc::PROT_WRITE;
        outcome = outcome.and_then(|()| protect(mapping, writable));
    }
    if outcome.is_ok() {
        for (place, byte) in (address..).zip(bytes) {
            // SAFETY: the page was made writable; what the bytes mean is the caller's care.
            unsafe { (place as *mut u8).write_volatile(*byte) };
        }
    }
    for mapping in &touched {
        outcome = outcome.and(protect(mapping, mapping.protection));
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_written_either_way_and_protections_stay() {
        let size = 2 * PAGE as usize;
        // SAFETY: new memory, of the kernel's choice.
        let pages = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                size,
                libc::PROT_READ | libc::PROT_EXEC,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        let address = pages as u64 + PAGE - 2;
        for (text, bytes) in
            [(Text::open(), b"\xb0\x07\xc3\x90"), (Text(None), b"\xb0\x09\xc3\x90")]
        {
            // SAFETY: nobody runs these bytes.
            unsafe { text.write(address, bytes) }.unwrap();
            assert_eq!(Text::open().read(address, 4).unwrap(), bytes);
            let all = maps::read().unwrap();
            let mapping =
                all.iter().find(|mapping| (mapping.start..mapping.end).contains(&address));
            assert_eq!(mapping.unwrap().protection, libc::PROT_READ | libc::PROT_EXEC);
        }
        // SAFETY: the pages are this test's own.
        unsafe { libc::munmap(pages, size) };
        assert!(Text::open().read(address, 4).is_err());
        // SAFETY: nothing is there.
        assert!(unsafe { Text::open().write(address, b"\x90") }.is_err());
    }
}
