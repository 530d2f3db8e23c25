// SPDX-License-Identifier: MIT OR Apache-2.0
//! Who and where this is.

use ufunc_maps::{processor, sys};

use super::pointer;

/// Bytes of a thread's name, with the zero at its end.
pub(super) const COMM: usize = 16;

/// `bpf_get_smp_processor_id`
pub(super) extern "C" fn processor() -> u64 {
    processor::current().into()
}

/// `bpf_get_numa_node_id`
pub(super) extern "C" fn node() -> u64 {
    let mut node = 0u32;
    // SAFETY: the kernel writes a number; the others may be missing.
    unsafe { sys::call(libc::SYS_getcpu, [0, (&raw mut node).addr(), 0, 0, 0, 0]) };
    node.into()
}

/// `bpf_get_current_pid_tgid`
pub(super) extern "C" fn pid_tgid() -> u64 {
    let (process, thread) = ufunc_maps::numbers();
    u64::from(process) << 32 | u64::from(thread)
}

/// `bpf_get_current_uid_gid`
pub(super) extern "C" fn uid_gid() -> u64 {
    // SAFETY: these take nothing.
    let (user, group) = unsafe {
        (sys::call(libc::SYS_getuid, [0; 6]) as u32, sys::call(libc::SYS_getgid, [0; 6]) as u32)
    };
    u64::from(group) << 32 | u64::from(user)
}

/// The thread's name.
pub(super) fn name() -> [u8; COMM] {
    let mut name = [0; COMM];
    let arguments = [libc::PR_GET_NAME as usize, name.as_mut_ptr().addr(), 0, 0, 0, 0];
    // SAFETY: the kernel writes 16 bytes.
    unsafe { sys::call(libc::SYS_prctl, arguments) };
    name
}

/// `bpf_get_current_comm`
pub(super) unsafe extern "C" fn comm(to: u64, size: u64) -> u64 {
    let name = name();
    let to = pointer::<u8>(to);
    let size = size as u32 as usize;
    // What follows the name is zero, and so is the last byte.
    for at in 0..size {
        let byte = if at + 1 < size { name.get(at).copied().unwrap_or(0) } else { 0 };
        // SAFETY: the verifier has judged that there is room for `size` bytes.
        unsafe { to.add(at).write_volatile(byte) };
    }
    0
}
