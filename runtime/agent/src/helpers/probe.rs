// SPDX-License-Identifier: MIT OR Apache-2.0
//! Reading the application's memory, which may not be there. What the kernel would tell apart, memory
//! of its own and of the application, is all one here.

use ufunc_maps::bytes;

use super::{EFAULT, EINVAL, pointer};
use crate::memory;

const WORD: usize = 8;

/// `bpf_probe_read`, `bpf_probe_read_user` and `bpf_probe_read_kernel`
pub(super) unsafe extern "C" fn read(to: u64, size: u64, from: u64) -> u64 {
    let size = size as u32 as usize;
    let to = pointer::<u8>(to);
    // SAFETY: the verifier has judged that there is room for `size` bytes.
    unsafe {
        if memory::copy(to, pointer(from), size) {
            return 0;
        }
        bytes::zero(to, size);
    }
    EFAULT
}

/// `bpf_copy_from_user`
pub(super) unsafe extern "C" fn copy_from_user(to: u64, size: u64, from: u64) -> u64 {
    // SAFETY: as the verifier has judged.
    unsafe { read(to, size, from) }
}

/// `bpf_probe_write_user`
pub(super) unsafe extern "C" fn write(to: u64, from: u64, size: u64) -> u64 {
    // SAFETY: the verifier has judged that there are `size` bytes to read; that they are written
    // wherever the program says is what this helper is for.
    let done = unsafe { memory::copy(pointer(to), pointer(from), size as u32 as usize) };
    if done { 0 } else { EFAULT }
}

/// `bpf_probe_read_str`, `bpf_probe_read_user_str` and `bpf_probe_read_kernel_str`
pub(super) unsafe extern "C" fn read_str(to: u64, size: u64, from: u64) -> u64 {
    let size = size as u32 as usize;
    if size == 0 {
        return 0;
    }
    let to = pointer::<u8>(to);
    // SAFETY: the verifier has judged that there is room for `size` bytes.
    unsafe {
        match string(to, size, from) {
            Some(length) if length < size => length as u64 + 1,
            Some(_) => {
                to.add(size - 1).write_volatile(0);
                size as u64
            }
            None => {
                bytes::zero(to, size);
                EFAULT
            }
        }
    }
}

/// Copies a string without its end, of up to `size` bytes; how long it is. What follows its end in the
/// same word is zero, as in the kernel.
///
/// # Safety
///
/// There is room for `size` bytes.
pub(super) unsafe fn string(to: *mut u8, size: usize, from: u64) -> Option<usize> {
    let mut at = 0;
    while at + WORD <= size {
        // SAFETY: any bytes are a number.
        let Some(word) = (unsafe { memory::read::<u64>(from.wrapping_add(at as u64)) }) else {
            break;
        };
        let zeros = word.wrapping_sub(0x0101_0101_0101_0101) & !word & 0x8080_8080_8080_8080;
        // The first one is right; others may not be.
        let length = (zeros.trailing_zeros() / 8) as usize;
        let kept = if length < WORD { word & ((1u64 << (8 * length)) - 1) } else { word };
        // SAFETY: a word, within `size`.
        unsafe { bytes::copy(to.add(at), (&raw const kept).cast(), WORD) };
        if length < WORD {
            return Some(at + length);
        }
        at += WORD;
    }
    while at < size {
        // SAFETY: any byte is a number.
        let byte = unsafe { memory::read::<u8>(from.wrapping_add(at as u64)) }?;
        // SAFETY: within `size`.
        unsafe { to.add(at).write_volatile(byte) };
        if byte == 0 {
            return Some(at);
        }
        at += 1;
    }
    Some(size)
}

/// `bpf_copy_from_user_str`
pub(super) unsafe extern "C" fn copy_from_user_str(
    to: u64,
    size: u64,
    from: u64,
    flags: u64,
) -> u64 {
    const PAD_ZEROS: u64 = 1;
    if flags & !PAD_ZEROS != 0 {
        return EINVAL;
    }
    let size = size as u32 as usize;
    let Some(most) = size.checked_sub(1) else { return 0 };
    let to = pointer::<u8>(to);
    // SAFETY: the verifier has judged that there is room for `size` bytes.
    unsafe {
        let Some(length) = string(to, most, from) else {
            bytes::zero(to, size);
            return EFAULT;
        };
        let end = if flags & PAD_ZEROS != 0 { size - length } else { 1 };
        bytes::zero(to.add(length), end);
        length as u64 + 1
    }
}
