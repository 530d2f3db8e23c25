// SPDX-License-Identifier: MIT OR Apache-2.0
//! Strings: comparing them, and the numbers in them.

use super::{EINVAL, ERANGE, pointer};

/// As many characters of a number count.
const LONGEST: usize = 63;

/// A byte of a string that the verifier has judged.
///
/// # Safety
///
/// It is there.
unsafe fn byte(text: u64, at: usize) -> u8 {
    // SAFETY: as the caller vouches.
    unsafe { pointer::<u8>(text).add(at).read_volatile() }
}

/// `bpf_strncmp`
pub(super) unsafe extern "C" fn strncmp(one: u64, size: u64, other: u64) -> u64 {
    for at in 0..size as u32 as usize {
        // SAFETY: the verifier has judged that the one has that size, and that the other ends.
        let (one, other) = unsafe { (byte(one, at), byte(other, at)) };
        if one != other {
            return if one < other { u64::MAX } else { 1 };
        }
        if one == 0 {
            break;
        }
    }
    0
}

/// A number in a string.
struct Parsed {
    negative: bool,
    value: u64,
    /// How many characters it takes, with what is before it.
    length: u64,
}

/// # Safety
///
/// The text has that size.
unsafe fn parse(text: u64, size: usize, flags: u64) -> Result<Parsed, u64> {
    const BASE: u64 = 0x1f;
    let mut base = flags & BASE;
    if flags & !BASE != 0 || ![0, 8, 10, 16].contains(&base) {
        return Err(EINVAL);
    }
    // SAFETY: as the caller vouches. Behind the end there is a zero.
    let at = |at: usize| if at < size { unsafe { byte(text, at) } } else { 0 };
    let mut from = 0;
    while from < size && is_space(at(from)) {
        from += 1;
    }
    let negative = at(from) == b'-';
    from += usize::from(negative);
    if from >= size {
        return Err(EINVAL);
    }
    let end = size.min(from + LONGEST);
    let at = |place: usize| if place < end { at(place) } else { 0 };
    let hexadecimal = at(from) == b'0' && at(from + 1).eq_ignore_ascii_case(&b'x');
    if base == 0 {
        base = match (at(from), hexadecimal && at(from + 2).is_ascii_hexdigit()) {
            (_, true) => 16,
            (b'0', false) => 8,
            _ => 10,
        };
    }
    let mut place = if base == 16 && hexadecimal { from + 2 } else { from };
    let first = place;
    let (mut value, mut overflow) = (0u64, false);
    while let Some(digit) = char::from(at(place)).to_digit(base as u32) {
        let more = value.checked_mul(base).and_then(|value| value.checked_add(digit.into()));
        overflow |= more.is_none();
        value = more.unwrap_or(0);
        place += 1;
    }
    match (overflow, place == first) {
        (true, _) => Err(ERANGE),
        (_, true) => Err(EINVAL),
        _ => Ok(Parsed { negative, value, length: place as u64 }),
    }
}

/// What the kernel's `isspace` says.
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | 0x09..=0x0d | 0xa0)
}

/// `bpf_strtol`
pub(super) unsafe extern "C" fn strtol(text: u64, size: u64, flags: u64, result: u64) -> u64 {
    // SAFETY: the verifier has judged that there is room.
    unsafe { pointer::<i64>(result).write_unaligned(0) };
    // SAFETY: the verifier has judged the text.
    let parsed = match unsafe { parse(text, size as u32 as usize, flags) } {
        Ok(parsed) => parsed,
        Err(error) => return error,
    };
    let value = if parsed.negative {
        let value = parsed.value.wrapping_neg().cast_signed();
        if value > 0 {
            return ERANGE;
        }
        value
    } else {
        match i64::try_from(parsed.value) {
            Ok(value) => value,
            Err(_) => return ERANGE,
        }
    };
    // SAFETY: the verifier has judged that there is room.
    unsafe { pointer::<i64>(result).write_unaligned(value) };
    parsed.length
}

/// `bpf_strtoul`
pub(super) unsafe extern "C" fn strtoul(text: u64, size: u64, flags: u64, result: u64) -> u64 {
    // SAFETY: the verifier has judged that there is room.
    unsafe { pointer::<u64>(result).write_unaligned(0) };
    // SAFETY: the verifier has judged the text.
    match unsafe { parse(text, size as u32 as usize, flags) } {
        Ok(parsed) if !parsed.negative => {
            // SAFETY: the verifier has judged that there is room.
            unsafe { pointer::<u64>(result).write_unaligned(parsed.value) };
            parsed.length
        }
        Ok(_) => EINVAL,
        Err(error) => error,
    }
}
