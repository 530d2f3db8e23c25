// SPDX-License-Identifier: MIT OR Apache-2.0
//! The memory of a map: a file without a name that never changes its size.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};
use std::{io, ptr};

use anyhow::{Context as _, Result, bail, ensure};

/// Bytes of a page.
pub(crate) const PAGE: usize = 4096;

/// A map's memory, in this process.
#[derive(Debug)]
pub(crate) struct Segment {
    base: *mut u8,
    size: usize,
    writable: bool,
    /// Parts that are mapped twice, one behind the other: where, and how long one is.
    rings: Vec<(*mut u8, usize)>,
}

impl Segment {
    /// A new one, all zero.
    pub(crate) fn create(name: &str, size: usize) -> Result<(Self, OwnedFd)> {
        let name: Vec<u8> = name.bytes().filter(|byte| *byte != 0).take(63).chain([0]).collect();
        // SAFETY: the name is a C string.
        let fd = unsafe {
            let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
            libc::memfd_create(name.as_ptr().cast(), flags)
        };
        ensure!(fd >= 0, "the kernel gives no memory file: {}", io::Error::last_os_error());
        // SAFETY: the kernel has just given it.
        let file = unsafe { File::from_raw_fd(fd) };
        file.set_len(size as u64).with_context(|| format!("a map of {size} bytes is too large"))?;
        // SAFETY: only changes what may be done with the file.
        let sealed =
            unsafe { libc::fcntl(fd, libc::F_ADD_SEALS, libc::F_SEAL_SHRINK | libc::F_SEAL_GROW) };
        ensure!(sealed == 0, "the size cannot be fixed: {}", io::Error::last_os_error());
        let segment = Self::map(file.as_fd(), size, true)?;
        Ok((segment, file.into()))
    }

    /// The memory of somebody else's map.
    pub(crate) fn open(fd: BorrowedFd<'_>) -> Result<Self> {
        // SAFETY: only asks.
        let seals = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GET_SEALS) };
        let fixed = libc::F_SEAL_SHRINK | libc::F_SEAL_GROW;
        // Else reading could end the process.
        ensure!(seals >= 0 && seals & fixed == fixed, "it is no map: the file's size is not fixed");
        let file = File::from(fd.try_clone_to_owned().context("no descriptor is left")?);
        let size = file.metadata().context("its size cannot be read")?.len();
        let size = usize::try_from(size).context("it is too large")?;
        ensure!(size >= PAGE, "it is no map: it has {size} bytes");
        let writable = seals & (libc::F_SEAL_WRITE | libc::F_SEAL_FUTURE_WRITE) == 0;
        Self::map(fd, size, writable)
    }

    fn map(fd: BorrowedFd<'_>, size: usize, writable: bool) -> Result<Self> {
        let write = if writable { libc::PROT_WRITE } else { 0 };
        // SAFETY: the kernel chooses where, so nothing that is there is touched.
        let base = unsafe {
            libc::mmap(
                ptr::null_mut(),
                size,
                libc::PROT_READ | write,
                libc::MAP_SHARED,
                fd.as_raw_fd(),
                0,
            )
        };
        if base == libc::MAP_FAILED {
            bail!("a map of {size} bytes cannot be mapped: {}", io::Error::last_os_error());
        }
        Ok(Self { base: base.cast(), size, writable, rings: Vec::new() })
    }

    /// Maps a part twice, one behind the other, so that what goes over its end is in one piece.
    pub(crate) fn ring(
        &mut self,
        fd: BorrowedFd<'_>,
        offset: usize,
        length: usize,
    ) -> Result<*mut u8> {
        let end = offset.checked_add(length).context("a ring wraps around")?;
        ensure!(end <= self.size && length > 0, "a ring lies beyond the map");
        let twice = length.checked_mul(2).context("a ring is too large")?;
        // SAFETY: the kernel chooses where, so nothing that is there is touched.
        let base = unsafe {
            libc::mmap(
                ptr::null_mut(),
                twice,
                libc::PROT_NONE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
                -1,
                0,
            )
        };
        if base == libc::MAP_FAILED {
            bail!("a ring of {length} bytes cannot be mapped: {}", io::Error::last_os_error());
        }
        let base = base.cast::<u8>();
        self.rings.push((base, length));
        let write = if self.writable { libc::PROT_WRITE } else { 0 };
        for half in 0..2 {
            // SAFETY: the place was made for it just now, and is large enough.
            let mapped = unsafe {
                libc::mmap(
                    base.add(half * length).cast(),
                    length,
                    libc::PROT_READ | write,
                    libc::MAP_SHARED | libc::MAP_FIXED,
                    fd.as_raw_fd(),
                    offset as libc::off_t,
                )
            };
            if mapped == libc::MAP_FAILED {
                bail!("a ring of {length} bytes cannot be mapped: {}", io::Error::last_os_error());
            }
        }
        Ok(base)
    }

    pub(crate) fn base(&self) -> *mut u8 {
        self.base
    }

    pub(crate) fn size(&self) -> usize {
        self.size
    }

    pub(crate) fn is_writable(&self) -> bool {
        self.writable
    }
}

/// Has nobody map the file for writing from now on; who has, goes on.
pub(crate) fn freeze(fd: BorrowedFd<'_>) -> Result<()> {
    // SAFETY: only changes what may be done with the file.
    let sealed =
        unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_ADD_SEALS, libc::F_SEAL_FUTURE_WRITE) };
    ensure!(sealed == 0, "writing cannot be forbidden: {}", io::Error::last_os_error());
    Ok(())
}

impl Drop for Segment {
    fn drop(&mut self) {
        // SAFETY: these mappings are this object's own; that nobody uses them any more is the care of
        // whoever gave out their addresses.
        unsafe {
            libc::munmap(self.base.cast(), self.size);
            for (base, length) in &self.rings {
                libc::munmap(base.cast(), 2 * length);
            }
        }
    }
}
