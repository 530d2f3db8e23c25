// SPDX-License-Identifier: MIT OR Apache-2.0
//! Copying and comparing memory that other threads and processes may be writing to.
//!
//! Not the C library's functions: an application's may be hooked, and use registers that hooks do
//! not save. Accesses are volatile, which keeps the compiler from turning loops into calls of those,
//! and from assuming that nobody else writes.

/// A word that may lie anywhere.
#[repr(C, packed)]
#[derive(Clone, Copy)]
struct Unaligned<T: Copy>(T);

const WORD: usize = 8;

/// # Safety
///
/// There are that many bytes to read at `from`.
#[inline(always)]
unsafe fn load<T: Copy>(from: *const u8) -> T {
    // SAFETY: as the caller vouches; the type has no alignment.
    unsafe { from.cast::<Unaligned<T>>().read_volatile() }.0
}

/// # Safety
///
/// There are that many bytes to write at `to`.
#[inline(always)]
unsafe fn store<T: Copy>(to: *mut u8, value: T) {
    // SAFETY: as the caller vouches; the type has no alignment.
    unsafe { to.cast::<Unaligned<T>>().write_volatile(Unaligned(value)) };
}

/// Copies `length` bytes, whole words at a time where it can.
///
/// # Safety
///
/// There are that many bytes to read at `from`, and to write at `to`; who else writes to either
/// meanwhile takes it that what is copied is a mixture.
#[inline]
pub unsafe fn copy(to: *mut u8, from: *const u8, length: usize) {
    let mut at = 0;
    while at + WORD <= length {
        // SAFETY: within `length`.
        unsafe { store::<u64>(to.add(at), load(from.add(at))) };
        at += WORD;
    }
    if at + 4 <= length {
        // SAFETY: within `length`.
        unsafe { store::<u32>(to.add(at), load(from.add(at))) };
        at += 4;
    }
    while at < length {
        // SAFETY: within `length`.
        unsafe { store::<u8>(to.add(at), load(from.add(at))) };
        at += 1;
    }
}

/// Sets `length` bytes to 0.
///
/// # Safety
///
/// There are that many bytes to write at `to`.
#[inline]
pub unsafe fn zero(to: *mut u8, length: usize) {
    let mut at = 0;
    while at + WORD <= length {
        // SAFETY: within `length`.
        unsafe { store::<u64>(to.add(at), 0) };
        at += WORD;
    }
    while at < length {
        // SAFETY: within `length`.
        unsafe { store::<u8>(to.add(at), 0) };
        at += 1;
    }
}

/// Whether `length` bytes are the same.
///
/// # Safety
///
/// There are that many bytes to read at both.
#[inline]
pub(crate) unsafe fn equal(one: *const u8, other: *const u8, length: usize) -> bool {
    let mut at = 0;
    while at + WORD <= length {
        // SAFETY: within `length`.
        if unsafe { load::<u64>(one.add(at)) != load::<u64>(other.add(at)) } {
            return false;
        }
        at += WORD;
    }
    // SAFETY: within `length`.
    unsafe { tail(one.add(at), length - at) == tail(other.add(at), length - at) }
}

/// Fewer than eight bytes as a word.
///
/// # Safety
///
/// There are that many bytes to read.
#[inline]
unsafe fn tail(from: *const u8, length: usize) -> u64 {
    if length == 4 {
        // SAFETY: as the caller vouches.
        return unsafe { load::<u32>(from) }.into();
    }
    let mut word = 0;
    for at in 0..length {
        // SAFETY: within `length`.
        word = word << 8 | u64::from(unsafe { load::<u8>(from.add(at)) });
    }
    word
}

/// A hash of `length` bytes that nobody can foresee without the seed.
///
/// # Safety
///
/// There are that many bytes to read.
#[inline]
pub(crate) unsafe fn hash(from: *const u8, length: usize, seed: u64) -> u32 {
    let mut state = seed ^ (length as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut at = 0;
    while at + WORD <= length {
        // SAFETY: within `length`.
        state = mix(state, unsafe { load(from.add(at)) });
        at += WORD;
    }
    if at < length {
        // SAFETY: within `length`.
        state = mix(state, unsafe { tail(from.add(at), length - at) });
    }
    (state ^ state >> 32) as u32
}

/// Multiplies, and folds the two halves of the product.
#[inline]
fn mix(state: u64, word: u64) -> u64 {
    let one = u128::from(state ^ word ^ 0xa076_1d64_78bd_642f);
    let product = one * u128::from(state.rotate_left(32) ^ 0xe703_7ed1_a0b4_28db);
    (product as u64) ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_length_is_copied_compared_and_zeroed() {
        for length in 0..70 {
            let from: Vec<u8> = (1..=length as u8).collect();
            let mut to = vec![0xff; length + 3];
            // SAFETY: all of that size.
            unsafe {
                copy(to.as_mut_ptr().add(1), from.as_ptr(), length);
                assert_eq!(to[1..=length], from);
                assert!((to[0], to[length + 1]) == (0xff, 0xff));
                assert!(equal(to.as_ptr().add(1), from.as_ptr(), length));
                let hashed = hash(to.as_ptr().add(1), length, 7);
                assert_eq!(hashed, hash(from.as_ptr(), length, 7));
                for at in 0..length {
                    to[1 + at] ^= 0x40;
                    assert!(!equal(to.as_ptr().add(1), from.as_ptr(), length));
                    assert_ne!(hashed, hash(to.as_ptr().add(1), length, 7));
                    to[1 + at] ^= 0x40;
                }
                zero(to.as_mut_ptr().add(1), length);
            }
            assert!(to[1..=length].iter().all(|byte| *byte == 0));
            assert!((to[0], to[length + 1]) == (0xff, 0xff));
        }
    }
}
