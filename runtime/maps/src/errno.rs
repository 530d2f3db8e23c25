// SPDX-License-Identifier: MIT OR Apache-2.0
//! The kernel's error numbers, as programs see them.

use std::fmt;
use std::io;

/// An error of an operation on a map: what the kernel's map would say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno(i32);

impl Errno {
    pub(crate) const AGAIN: Self = Self(libc::EAGAIN);
    pub(crate) const DEADLOCK: Self = Self(libc::EDEADLK);
    pub(crate) const EXIST: Self = Self(libc::EEXIST);
    pub(crate) const FULL: Self = Self(libc::E2BIG);
    pub(crate) const INVALID: Self = Self(libc::EINVAL);
    pub(crate) const NO_ENTRY: Self = Self(libc::ENOENT);
    pub(crate) const NO_MEMORY: Self = Self(libc::ENOMEM);
    pub(crate) const NO_SPACE: Self = Self(libc::ENOSPC);
    pub(crate) const NOT_PERMITTED: Self = Self(libc::EPERM);
    pub(crate) const NOT_SUPPORTED: Self = Self(libc::EOPNOTSUPP);
    /// `ENOTSUPP`, which only the kernel knows.
    pub(crate) const NOT_SUPPORTED_HERE: Self = Self(524);
    pub(crate) const TIMED_OUT: Self = Self(libc::ETIMEDOUT);

    /// The number, which is positive.
    #[must_use]
    pub fn number(self) -> i32 {
        self.0
    }

    /// What a helper returns: the number, negative.
    #[must_use]
    pub fn returned(self) -> u64 {
        i64::from(-self.0).cast_unsigned()
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        io::Error::from_raw_os_error(self.0).fmt(f)
    }
}

impl std::error::Error for Errno {}

/// What a helper returns for an outcome: 0, or the negative number of an error.
#[must_use]
pub fn returned(outcome: Result<(), Errno>) -> u64 {
    outcome.map_or_else(Errno::returned, |()| 0)
}
