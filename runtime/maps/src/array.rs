// SPDX-License-Identifier: MIT OR Apache-2.0
//! Arrays: plain ones, those of each processor, and those that name maps and programs.

use crate::bytes;
use crate::definition::update;
use crate::errno::Errno;
use crate::processor;
use crate::value::Shape;

/// Elements one behind the other, once for each processor or once for all.
#[derive(Debug)]
pub(crate) struct Array {
    pub(crate) base: *mut u8,
    pub(crate) max: u32,
    /// From an element to the next.
    pub(crate) stride: usize,
    pub(crate) shape: Shape,
    /// How many processors have elements of their own; 1 if they share them.
    pub(crate) cpus: u32,
    /// From the elements of a processor to those of the next.
    pub(crate) region: usize,
}

impl Array {
    /// Where the element of this processor is.
    #[inline]
    pub(crate) fn place(&self, index: u32, cpu: u32) -> Option<*mut u8> {
        if index >= self.max || cpu >= self.cpus {
            return None;
        }
        // SAFETY: both are within the region that the layout made for them.
        Some(unsafe { self.base.add(cpu as usize * self.region + index as usize * self.stride) })
    }

    /// Which of the elements are this processor's.
    #[inline]
    pub(crate) fn here(&self) -> u32 {
        if self.cpus == 1 { 0 } else { processor::current().min(self.cpus - 1) }
    }

    /// Where a program finds the element.
    #[inline]
    pub(crate) fn lookup(&self, index: u32) -> Option<*mut u8> {
        self.place(index, self.here())
    }

    /// What a program's update does.
    ///
    /// # Safety
    ///
    /// There is a value to read.
    pub(crate) unsafe fn update(
        &self,
        index: u32,
        value: *const u8,
        flags: u64,
    ) -> Result<(), Errno> {
        let place = self.check(index, flags)?;
        // SAFETY: the element has room for a value, and the caller vouches for the other.
        unsafe { self.shape.write(place, value, flags & update::LOCK != 0) }
        Ok(())
    }

    /// Writes the values of all processors, one behind the other, each padded to eight bytes.
    ///
    /// # Safety
    ///
    /// There are as many to read.
    pub(crate) unsafe fn update_all(
        &self,
        index: u32,
        values: *const u8,
        flags: u64,
    ) -> Result<(), Errno> {
        self.check(index, flags)?;
        for cpu in 0..self.cpus {
            let Some(place) = self.place(index, cpu) else { continue };
            // SAFETY: as the caller vouches.
            unsafe {
                let value = values.add(cpu as usize * self.shape.room());
                bytes::copy(place, value, self.shape.size);
            }
        }
        Ok(())
    }

    fn check(&self, index: u32, flags: u64) -> Result<*mut u8, Errno> {
        let locked = flags & update::LOCK != 0;
        if flags & !update::LOCK > update::EXIST {
            return Err(Errno::INVALID);
        }
        let place = self.lookup(index).ok_or(Errno::FULL)?;
        if flags & update::NOEXIST != 0 {
            return Err(Errno::EXIST);
        }
        if locked && self.shape.lock.is_none() {
            return Err(Errno::INVALID);
        }
        Ok(place)
    }
}
