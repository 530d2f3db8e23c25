// SPDX-License-Identifier: MIT OR Apache-2.0
//! Maps, ring buffers, and locks in values.

use ufunc_maps::Table;

use super::{EINVAL, map, pointer, word};

/// `BPF_RB_NO_WAKEUP` and `BPF_RB_FORCE_WAKEUP`. The loader looks by itself.
const WAKEUP: u64 = 3;

/// `bpf_map_lookup_elem`
pub(super) unsafe extern "C" fn lookup(handle: u64, key: u64) -> u64 {
    // SAFETY: the verifier has judged both.
    unsafe { map(handle).lookup(pointer(key), None) }
}

/// `bpf_map_lookup_percpu_elem`
pub(super) unsafe extern "C" fn lookup_percpu(handle: u64, key: u64, cpu: u64) -> u64 {
    // SAFETY: the verifier has judged them.
    unsafe { map(handle).lookup(pointer(key), Some(cpu as u32)) }
}

/// `bpf_map_update_elem`
pub(super) unsafe extern "C" fn update(handle: u64, key: u64, value: u64, flags: u64) -> u64 {
    // SAFETY: the verifier has judged them.
    word(unsafe { map(handle).update(pointer(key), pointer(value), flags) })
}

/// `bpf_map_delete_elem`
pub(super) unsafe extern "C" fn delete(handle: u64, key: u64) -> u64 {
    // SAFETY: the verifier has judged both.
    word(unsafe { map(handle).delete(pointer(key)) })
}

/// `bpf_map_push_elem`
pub(super) unsafe extern "C" fn push(handle: u64, value: u64, flags: u64) -> u64 {
    // SAFETY: the verifier has judged them.
    word(unsafe { map(handle).push(pointer(value), flags) })
}

/// `bpf_map_pop_elem`
pub(super) unsafe extern "C" fn pop(handle: u64, value: u64) -> u64 {
    // SAFETY: the verifier has judged both.
    word(unsafe { map(handle).pop(pointer(value)) })
}

/// `bpf_map_peek_elem`
pub(super) unsafe extern "C" fn peek(handle: u64, value: u64) -> u64 {
    // SAFETY: the verifier has judged both.
    word(unsafe { map(handle).peek(pointer(value)) })
}

/// `bpf_spin_lock`
pub(super) unsafe extern "C" fn spin_lock(lock: u64) -> u64 {
    // SAFETY: the verifier has judged that it is one.
    unsafe { ufunc_maps::spin_lock(pointer(lock)) };
    0
}

/// `bpf_spin_unlock`
pub(super) unsafe extern "C" fn spin_unlock(lock: u64) -> u64 {
    // SAFETY: the verifier has judged that it is one, and is held.
    unsafe { ufunc_maps::spin_unlock(pointer(lock)) };
    0
}

/// `bpf_ringbuf_output`
pub(super) unsafe extern "C" fn ringbuf_output(
    handle: u64,
    data: u64,
    size: u64,
    flags: u64,
) -> u64 {
    if flags & !WAKEUP != 0 {
        return EINVAL;
    }
    // SAFETY: the verifier has judged them.
    word(unsafe { map(handle).output(pointer(data), size) })
}

/// `bpf_ringbuf_reserve`
pub(super) unsafe extern "C" fn ringbuf_reserve(handle: u64, size: u64, flags: u64) -> u64 {
    if flags != 0 {
        return 0;
    }
    // SAFETY: the verifier has judged it.
    unsafe { map(handle) }.reserve(size)
}

/// `bpf_ringbuf_submit`
pub(super) unsafe extern "C" fn ringbuf_submit(record: u64, _flags: u64) -> u64 {
    // SAFETY: the verifier has judged that it was reserved, and is given back once.
    unsafe { Table::commit(record, false) };
    0
}

/// `bpf_ringbuf_discard`
pub(super) unsafe extern "C" fn ringbuf_discard(record: u64, _flags: u64) -> u64 {
    // SAFETY: as above.
    unsafe { Table::commit(record, true) };
    0
}

/// `bpf_ringbuf_query`
pub(super) unsafe extern "C" fn ringbuf_query(handle: u64, what: u64) -> u64 {
    // SAFETY: the verifier has judged it.
    unsafe { map(handle) }.query(what)
}

/// `bpf_perf_event_output`
pub(super) unsafe extern "C" fn perf_event_output(
    _context: u64,
    handle: u64,
    flags: u64,
    data: u64,
    size: u64,
) -> u64 {
    // SAFETY: the verifier has judged them.
    word(unsafe { map(handle).perf_output(flags, pointer(data), size) })
}
