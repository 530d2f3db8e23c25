// SPDX-License-Identifier: MIT OR Apache-2.0
//! Dynptrs: pointers that know how long what they point to is. Those to memory, and to records of
//! ring buffers; there is nothing else that uprobes could have.

use ufunc_maps::Table;

use super::{E2BIG, EINVAL, ERANGE, map, pointer};

/// `struct bpf_dynptr`, as the kernel lays it out.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct Dynptr {
    data: u64,
    /// The size, the kind, and whether it is only for reading.
    size: u32,
    offset: u32,
}

const SIZE: u32 = 0xff_ffff;
const READ_ONLY: u32 = 1 << 31;
/// `BPF_DYNPTR_TYPE_LOCAL` and `BPF_DYNPTR_TYPE_RINGBUF`, where the kind is.
const LOCAL: u32 = 1 << 28;
const RINGBUF: u32 = 2 << 28;
const NULL: Dynptr = Dynptr { data: 0, size: 0, offset: 0 };

impl Dynptr {
    fn length(self) -> u32 {
        self.size & SIZE
    }

    /// Where `length` bytes at `offset` are.
    fn at(self, offset: u64, length: u64) -> Option<u64> {
        let (offset, length) = (offset as u32, length as u32);
        let last = self.length().checked_sub(length)?;
        (offset <= last).then(|| self.data + u64::from(self.offset) + u64::from(offset))
    }
}

/// # Safety
///
/// The verifier has judged that it is a place for a dynptr.
unsafe fn get(place: u64) -> Dynptr {
    // SAFETY: as the caller vouches.
    unsafe { pointer::<Dynptr>(place).read() }
}

/// # Safety
///
/// As for [`get`].
unsafe fn set(place: u64, dynptr: Dynptr) {
    // SAFETY: as the caller vouches.
    unsafe { pointer::<Dynptr>(place).write(dynptr) }
}

/// Copies, where the one may overlap the other.
///
/// # Safety
///
/// There are that many bytes to read and to write.
unsafe fn copy(to: u64, from: u64, length: u64) {
    let (to, from) = (pointer::<u8>(to), pointer::<u8>(from));
    let length = length as u32 as usize;
    let backwards = to.addr() > from.addr();
    for step in 0..length {
        let at = if backwards { length - 1 - step } else { step };
        // SAFETY: as the caller vouches.
        unsafe { to.add(at).write_volatile(from.add(at).read_volatile()) };
    }
}

/// `bpf_dynptr_from_mem`
pub(super) unsafe extern "C" fn from_mem(data: u64, size: u64, flags: u64, place: u64) -> u64 {
    let size = size as u32;
    let (dynptr, answer) = match (size <= SIZE, flags) {
        (false, _) => (NULL, E2BIG),
        (true, 0) => (Dynptr { data, size: size | LOCAL, offset: 0 }, 0),
        (true, _) => (NULL, EINVAL),
    };
    // SAFETY: the verifier has judged it.
    unsafe { set(place, dynptr) };
    answer
}

/// `bpf_dynptr_read`
pub(super) unsafe extern "C" fn read(
    to: u64,
    length: u64,
    from: u64,
    offset: u64,
    flags: u64,
) -> u64 {
    // SAFETY: the verifier has judged it.
    let dynptr = unsafe { get(from) };
    if dynptr.data == 0 || flags != 0 {
        return EINVAL;
    }
    let Some(from) = dynptr.at(offset, length) else { return E2BIG };
    // SAFETY: the verifier has judged that there is room; a dynptr knows what it points to.
    unsafe { copy(to, from, length) };
    0
}

/// `bpf_dynptr_write`
pub(super) unsafe extern "C" fn write(
    to: u64,
    offset: u64,
    from: u64,
    length: u64,
    flags: u64,
) -> u64 {
    // SAFETY: the verifier has judged it.
    let dynptr = unsafe { get(to) };
    if dynptr.data == 0 || dynptr.size & READ_ONLY != 0 {
        return EINVAL;
    }
    let Some(to) = dynptr.at(offset, length) else { return E2BIG };
    if flags != 0 {
        return EINVAL;
    }
    // SAFETY: the verifier has judged that there is something to read; a dynptr knows what it points
    // to.
    unsafe { copy(to, from, length) };
    0
}

/// `bpf_dynptr_data`
pub(super) unsafe extern "C" fn data(place: u64, offset: u64, length: u64) -> u64 {
    // SAFETY: the verifier has judged it.
    let dynptr = unsafe { get(place) };
    if dynptr.data == 0 || dynptr.size & READ_ONLY != 0 {
        return 0;
    }
    dynptr.at(offset, length).unwrap_or(0)
}

/// `bpf_ringbuf_reserve_dynptr`
pub(super) unsafe extern "C" fn ringbuf_reserve(
    handle: u64,
    size: u64,
    flags: u64,
    place: u64,
) -> u64 {
    let size = size as u32;
    // SAFETY: the verifier has judged both.
    unsafe {
        set(place, NULL);
        if flags != 0 {
            return EINVAL;
        }
        if size > SIZE {
            return E2BIG;
        }
        let data = map(handle).reserve(size.into());
        if data == 0 {
            return EINVAL;
        }
        set(place, Dynptr { data, size: size | RINGBUF, offset: 0 });
    }
    0
}

/// # Safety
///
/// The verifier has judged that it is a dynptr of a record.
unsafe fn commit(place: u64, discard: bool) -> u64 {
    // SAFETY: as the caller vouches; the record is given back once, for the dynptr is null then.
    unsafe {
        let dynptr = get(place);
        if dynptr.data != 0 {
            Table::commit(dynptr.data, discard);
            set(place, NULL);
        }
    }
    0
}

/// `bpf_ringbuf_submit_dynptr`
pub(super) unsafe extern "C" fn ringbuf_submit(place: u64, _flags: u64) -> u64 {
    // SAFETY: as the verifier has judged.
    unsafe { commit(place, false) }
}

/// `bpf_ringbuf_discard_dynptr`
pub(super) unsafe extern "C" fn ringbuf_discard(place: u64, _flags: u64) -> u64 {
    // SAFETY: as the verifier has judged.
    unsafe { commit(place, true) }
}

/// `bpf_dynptr_size`
pub(super) unsafe extern "C" fn size(place: u64) -> u64 {
    // SAFETY: the verifier has judged it.
    let dynptr = unsafe { get(place) };
    if dynptr.data == 0 { EINVAL & 0xffff_ffff } else { dynptr.length().into() }
}

/// `bpf_dynptr_is_null`
pub(super) unsafe extern "C" fn is_null(place: u64) -> u64 {
    // SAFETY: the verifier has judged it.
    u64::from(unsafe { get(place) }.data == 0)
}

/// `bpf_dynptr_is_rdonly`
pub(super) unsafe extern "C" fn is_read_only(place: u64) -> u64 {
    // SAFETY: the verifier has judged it.
    let dynptr = unsafe { get(place) };
    u64::from(dynptr.data != 0 && dynptr.size & READ_ONLY != 0)
}

/// `bpf_dynptr_adjust`
pub(super) unsafe extern "C" fn adjust(place: u64, start: u64, end: u64) -> u64 {
    let (start, end) = (start as u32, end as u32);
    // SAFETY: the verifier has judged it.
    let dynptr = unsafe { get(place) };
    if dynptr.data == 0 || start > end {
        return EINVAL;
    }
    if start > dynptr.length() || end > dynptr.length() {
        return ERANGE;
    }
    let size = dynptr.size & !SIZE | (end - start);
    // SAFETY: as above.
    unsafe { set(place, Dynptr { data: dynptr.data, size, offset: dynptr.offset + start }) };
    0
}

/// `bpf_dynptr_clone`
pub(super) unsafe extern "C" fn clone(from: u64, to: u64) -> u64 {
    // SAFETY: the verifier has judged both.
    unsafe {
        let dynptr = get(from);
        set(to, if dynptr.data == 0 { NULL } else { dynptr });
        if dynptr.data == 0 { EINVAL } else { 0 }
    }
}
