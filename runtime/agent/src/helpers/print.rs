// SPDX-License-Identifier: MIT OR Apache-2.0
//! Formatting, by the kernel's rules: what `bpf_bprintf_prepare` accepts, printed as `bstr_printf`
//! does. There are no symbols here, and pointers are printed as they are: to keep the application's
//! addresses from its own extension would serve nobody.

use std::mem::MaybeUninit;

use ufunc_maps::{bytes, processor};
use ufunc_shared::helpers::Line;

use super::number::is_space;
use super::{EINVAL, clock, error, identity, map, pointer, probe};
use crate::memory;

/// The longest line.
const LONGEST: usize = 1024;
/// How many bytes the arguments may take together, strings with their ends.
const ARGUMENTS: usize = 512;
/// How many arguments there may be.
const MOST: u64 = 12;
/// How many `bpf_trace_printk` takes.
const PRINTK: usize = 3;

/// Where text goes. It may be longer than the place for it.
struct Text {
    to: *mut u8,
    size: usize,
    length: usize,
}

impl Text {
    /// One that is only measured.
    fn nowhere() -> Self {
        Self { to: std::ptr::null_mut(), size: 0, length: 0 }
    }

    fn put(&mut self, byte: u8) {
        if self.length < self.size {
            // SAFETY: whoever made it vouches for `size` bytes.
            unsafe { self.to.add(self.length).write_volatile(byte) };
        }
        self.length += 1;
    }

    fn pad(&mut self, byte: u8, count: usize) {
        for _ in 0..count {
            self.put(byte);
        }
    }

    /// Ends the text with a zero, as far as there is room.
    fn end(&mut self) {
        if let Some(last) = self.size.checked_sub(1) {
            // SAFETY: as above.
            unsafe { self.to.add(self.length.min(last)).write_volatile(0) };
        }
    }
}

/// What stands between the percent sign and its letter.
#[derive(Clone, Copy, Default)]
struct Spec {
    left: bool,
    plus: bool,
    space: bool,
    zero: bool,
    /// None for none.
    width: Option<usize>,
    signed: bool,
    upper: bool,
    hexadecimal: bool,
}

impl Spec {
    fn width(&self) -> usize {
        self.width.unwrap_or(0)
    }
}

/// A format, and where in it we are. What is behind its end is zero.
struct Format<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Format<'_> {
    fn peek(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or(0)
    }

    /// The flags and the width, which the letter follows.
    fn spec(&mut self) -> Spec {
        let mut spec = Spec::default();
        loop {
            match self.peek(0) {
                b'0' => spec.zero = true,
                b'+' => spec.plus = true,
                b'-' => spec.left = true,
                b' ' => spec.space = true,
                _ => break,
            }
            self.at += 1;
        }
        while self.peek(0).is_ascii_digit() {
            let digit = usize::from(self.peek(0) - b'0');
            let width = spec.width().saturating_mul(10).saturating_add(digit);
            spec.width = Some(width.min(LARGEST_WIDTH));
            self.at += 1;
        }
        spec
    }

    /// Whether nothing but the conversion ends here.
    fn ends(&self) -> bool {
        let next = self.peek(1);
        next == 0 || is_space(next) || next.is_ascii_punctuation()
    }
}

/// The kernel's fields are no wider.
const LARGEST_WIDTH: usize = (1 << 23) - 1;

/// What a conversion prints.
#[derive(Clone, Copy)]
enum Conversion {
    /// A number of so many bytes.
    Number(usize),
    Pointer,
    /// A pointer that the kernel would look up: it is printed as a number.
    Symbol,
    Character,
    String {
        /// Whether a width counts.
        padded: bool,
    },
    Address {
        six: bool,
        plain: bool,
    },
}

/// The conversion at the percent sign's letter, which is passed.
fn conversion(format: &mut Format<'_>, spec: &mut Spec) -> Result<Conversion, u64> {
    let conversion = match format.peek(0) {
        b'p' => match format.peek(1) {
            _ if format.ends() => Conversion::Pointer,
            b'k' | b'u' if format.peek(2) == b's' => {
                format.at += 2;
                if !format.ends() {
                    return Err(EINVAL);
                }
                Conversion::String { padded: false }
            }
            b'K' | b'x' => {
                format.at += 1;
                Conversion::Pointer
            }
            b's' | b'S' | b'B' => {
                format.at += 1;
                Conversion::Symbol
            }
            letter @ (b'i' | b'I') => {
                let six = match format.peek(2) {
                    b'4' => false,
                    b'6' => true,
                    _ => return Err(EINVAL),
                };
                format.at += 2;
                Conversion::Address { six, plain: letter == b'i' }
            }
            _ => return Err(EINVAL),
        },
        b's' if format.ends() => Conversion::String { padded: true },
        b's' => return Err(EINVAL),
        b'c' => Conversion::Character,
        _ => {
            let mut size = 4;
            for _ in 0..2 {
                if format.peek(0) == b'l' {
                    size = 8;
                    format.at += 1;
                }
            }
            match format.peek(0) {
                b'i' | b'd' => spec.signed = true,
                b'u' => {}
                b'x' => spec.hexadecimal = true,
                b'X' => (spec.hexadecimal, spec.upper) = (true, true),
                _ => return Err(EINVAL),
            }
            Conversion::Number(size)
        }
    };
    format.at += 1;
    Ok(conversion)
}

/// Prints what the format says, or finds that it may not.
///
/// # Safety
///
/// There are as many arguments to read at `arguments` as `count` says, unless it is 0.
unsafe fn print(
    format: &[u8],
    arguments: *const u64,
    count: usize,
    text: &mut Text,
) -> Result<(), u64> {
    let mut format = Format { bytes: format, at: 0 };
    let mut used = 0;
    let mut room = Room(ARGUMENTS);
    loop {
        let byte = format.peek(0);
        if format.at >= format.bytes.len() {
            return Ok(());
        }
        if !(byte.is_ascii_graphic() || byte.is_ascii() && is_space(byte)) {
            return Err(EINVAL);
        }
        format.at += 1;
        if byte != b'%' {
            text.put(byte);
            continue;
        }
        if format.peek(0) == b'%' {
            format.at += 1;
            text.put(b'%');
            continue;
        }
        if used >= count {
            return Err(EINVAL);
        }
        let mut spec = format.spec();
        let conversion = conversion(&mut format, &mut spec)?;
        // SAFETY: there is one more.
        let argument = unsafe { arguments.add(used).read_unaligned() };
        room.take(conversion)?;
        argument_to(text, spec, conversion, argument, &mut room)?;
        used += 1;
    }
}

/// How many bytes of the arguments' buffer are left, which the kernel has.
struct Room(usize);

impl Room {
    fn take(&mut self, conversion: Conversion) -> Result<(), u64> {
        let size = match conversion {
            Conversion::Number(size) => size,
            Conversion::Pointer | Conversion::Symbol => 8,
            Conversion::Character => {
                return self.bytes(1);
            }
            // What they take depends on the text.
            Conversion::String { .. } | Conversion::Address { .. } => return Ok(()),
        };
        // Aligned to four bytes.
        self.0 &= !3;
        self.bytes(size)
    }

    fn bytes(&mut self, count: usize) -> Result<(), u64> {
        self.0 = self.0.checked_sub(count).ok_or(error(libc::ENOSPC))?;
        Ok(())
    }
}

fn argument_to(
    text: &mut Text,
    spec: Spec,
    conversion: Conversion,
    argument: u64,
    room: &mut Room,
) -> Result<(), u64> {
    match conversion {
        Conversion::Number(8) => number(text, spec, argument),
        Conversion::Number(_) if spec.signed => {
            number(text, spec, i64::from(argument as i32).cast_unsigned());
        }
        Conversion::Number(_) => number(text, spec, u64::from(argument as u32)),
        Conversion::Pointer => {
            let zero = spec.zero || spec.width.is_none();
            let width = spec.width.or(Some(16));
            number(text, Spec { zero, width, hexadecimal: true, ..spec }, argument);
        }
        Conversion::Symbol => symbol(text, spec, argument),
        Conversion::Character => {
            let spaces = spec.width().saturating_sub(1);
            text.pad(b' ', if spec.left { 0 } else { spaces });
            text.put(argument as u8);
            text.pad(b' ', if spec.left { spaces } else { 0 });
        }
        Conversion::String { padded } => {
            let spec = if padded { spec } else { Spec::default() };
            string(text, spec, argument, room)?;
        }
        Conversion::Address { six, plain } => address(text, six, plain, argument, room)?,
    }
    Ok(())
}

/// A number, as the kernel's `number` prints it.
fn number(text: &mut Text, spec: Spec, value: u64) {
    let negative = spec.signed && value.cast_signed() < 0;
    let sign = match (spec.signed, negative, spec.plus, spec.space) {
        (true, true, ..) => Some(b'-'),
        (true, _, true, _) => Some(b'+'),
        (true, _, _, true) => Some(b' '),
        _ => None,
    };
    let mut rest = if negative { value.wrapping_neg() } else { value };
    let base = if spec.hexadecimal { 16 } else { 10 };
    let letters = if spec.upper { b"0123456789ABCDEF" } else { b"0123456789abcdef" };
    let mut digits = [0u8; 20];
    let mut count = 0;
    loop {
        // Less than 16, and there are no more than 20.
        if let Some(place) = digits.get_mut(count) {
            *place = letters[(rest % base) as usize];
        }
        count += 1;
        rest /= base;
        if rest == 0 {
            break;
        }
    }
    let padding = spec.width().saturating_sub(count + usize::from(sign.is_some()));
    let zero = spec.zero && !spec.left;
    if !zero && !spec.left {
        text.pad(b' ', padding);
    }
    if let Some(sign) = sign {
        text.put(sign);
    }
    if zero {
        text.pad(b'0', padding);
    }
    for digit in digits.iter().take(count).rev() {
        text.put(*digit);
    }
    if spec.left {
        text.pad(b' ', padding);
    }
}

/// What the kernel prints where there is no symbol: the address, with what marks it as one.
fn symbol(text: &mut Text, spec: Spec, value: u64) {
    let digits = (16 - value.leading_zeros() as usize / 4).max(1);
    let spaces = spec.width().saturating_sub(digits + 2);
    text.pad(b' ', if spec.left { 0 } else { spaces });
    text.put(b'0');
    text.put(b'x');
    number(text, Spec { hexadecimal: true, ..Spec::default() }, value);
    text.pad(b' ', if spec.left { spaces } else { 0 });
}

/// A string of the application's memory; nothing if it is not there.
fn string(text: &mut Text, spec: Spec, from: u64, room: &mut Room) -> Result<(), u64> {
    if room.0 == 0 {
        return Err(error(libc::ENOSPC));
    }
    // Not filled with zeros, for that would be a call of the C library.
    let mut buffer = MaybeUninit::<[u8; ARGUMENTS]>::uninit();
    let buffer = buffer.as_mut_ptr().cast::<u8>();
    let size = room.0.min(ARGUMENTS);
    // SAFETY: the buffer has that size.
    let length = unsafe { probe::string(buffer, size, from) };
    // One that is too long is cut, for its end has to fit, too.
    let length = length.map_or(0, |length| length.min(size - 1));
    room.bytes(length + 1)?;
    let spaces = spec.width().saturating_sub(length);
    text.pad(b' ', if spec.left { 0 } else { spaces });
    for at in 0..length {
        // SAFETY: so many bytes were written.
        text.put(unsafe { buffer.add(at).read() });
    }
    text.pad(b' ', if spec.left { spaces } else { 0 });
    Ok(())
}

/// An address of the internet, which lies where the argument points.
fn address(text: &mut Text, six: bool, plain: bool, from: u64, room: &mut Room) -> Result<(), u64> {
    let mut bytes = [0u8; 16];
    let length = if six { 16 } else { 4 };
    // SAFETY: there is room. What is not there is printed as zeros.
    if !unsafe { memory::copy(bytes.as_mut_ptr(), pointer(from), length) } {
        bytes = [0; 16];
    }
    let before = text.length;
    let hexadecimal = Spec { zero: true, width: Some(2), hexadecimal: true, ..Spec::default() };
    let decimal = Spec { zero: plain, width: plain.then_some(3), ..Spec::default() };
    for (at, byte) in bytes.iter().take(length).enumerate() {
        match six {
            true if at > 0 && at % 2 == 0 && !plain => text.put(b':'),
            false if at > 0 => text.put(b'.'),
            _ => {}
        }
        number(text, if six { hexadecimal } else { decimal }, (*byte).into());
    }
    room.bytes(text.length - before + 1)
}

/// The format that a program passes, up to its end.
///
/// # Safety
///
/// There are `size` bytes to read, or fewer if a zero is among them, and nobody changes them.
unsafe fn format<'a>(from: u64, size: u64) -> Result<&'a [u8], u64> {
    let start = pointer::<u8>(from).cast_const();
    for length in 0..size as u32 as usize {
        // SAFETY: as the caller vouches.
        if unsafe { start.add(length).read_volatile() } == 0 {
            // SAFETY: as the caller vouches; these were looked at just now.
            return Ok(unsafe { std::slice::from_raw_parts(start, length) });
        }
    }
    Err(EINVAL)
}

/// How many arguments there are in so many bytes.
fn arguments(data: u64, size: u64) -> Result<usize, u64> {
    let size = u64::from(size as u32);
    let fits = size % 8 == 0 && size <= MOST * 8 && (size == 0 || data != 0);
    if fits { Ok((size / 8) as usize) } else { Err(EINVAL) }
}

/// `bpf_snprintf`
pub(super) unsafe extern "C" fn snprintf(
    to: u64,
    size: u64,
    from: u64,
    data: u64,
    length: u64,
) -> u64 {
    let mut text = Text { to: pointer(to), size: size as u32 as usize, length: 0 };
    let mut run = || {
        let count = arguments(data, length)?;
        // SAFETY: the verifier has judged that the format is a constant string, and that there are so
        // many arguments.
        unsafe {
            let format = format(from, u32::MAX.into())?;
            // Nothing is written unless all of it can be.
            print(format, pointer(data), count, &mut Text::nowhere())?;
            print(format, pointer(data), count, &mut text)
        }
    };
    match run() {
        Ok(()) => {
            text.end();
            text.length as u64 + 1
        }
        Err(error) => error,
    }
}

/// Prints a line to the ring buffer, and gives its length.
///
/// # Safety
///
/// As for [`print`] and [`format`]; the handle is that of a ring buffer, or 0.
unsafe fn line(from: u64, size: u64, data: *const u64, count: usize, ring: u64) -> u64 {
    // Not filled with zeros, for that would be a call of the C library.
    let mut record = MaybeUninit::<[u8; Line::SIZE + LONGEST]>::uninit();
    let record = record.as_mut_ptr().cast::<u8>();
    // SAFETY: there is room behind the line's head.
    let to = unsafe { record.add(Line::SIZE) };
    let mut text = Text { to, size: LONGEST, length: 0 };
    // SAFETY: as the caller vouches.
    let printed =
        unsafe { format(from, size).and_then(|format| print(format, data, count, &mut text)) };
    if let Err(error) = printed {
        return error;
    }
    if ring != 0 {
        let (process, thread) = ufunc_maps::numbers();
        let head = Line {
            time: clock::monotonic(),
            process,
            thread,
            cpu: processor::current(),
            unused: 0,
            comm: identity::name(),
        };
        let length = text.length.min(LONGEST - 1);
        // SAFETY: the record has room for the head, and so many bytes are in it.
        unsafe {
            bytes::copy(record, (&raw const head).cast(), Line::SIZE);
            // What does not fit is lost, and counted.
            let _ = map(ring).output(record, (Line::SIZE + length) as u64);
        }
    }
    text.length as u64
}

/// `bpf_trace_printk`
pub(super) unsafe extern "C" fn trace_printk(
    format: u64,
    size: u64,
    one: u64,
    two: u64,
    three: u64,
    ring: u64,
) -> u64 {
    let arguments = [one, two, three];
    // SAFETY: the verifier has judged the format; the loader has bound the ring.
    unsafe { line(format, size, arguments.as_ptr(), PRINTK, ring) }
}

/// `bpf_trace_vprintk`
pub(super) unsafe extern "C" fn trace_vprintk(
    format: u64,
    size: u64,
    data: u64,
    length: u64,
    ring: u64,
) -> u64 {
    match arguments(data, length) {
        // SAFETY: the verifier has judged format and arguments; the loader has bound the ring.
        Ok(count) => unsafe { line(format, size, pointer(data), count, ring) },
        Err(error) => error,
    }
}
