// SPDX-License-Identifier: MIT OR Apache-2.0
//! The helpers that programs call: functions of the C ABI that do as the kernel's do.
//!
//! They run in hooks, so anywhere in the application: they allocate nothing, take no lock that could
//! be held for ever, and call nothing of the C library. Pointers that they take are what the verifier
//! has judged, but for those of the application's memory, which [`memory`](crate::memory) sees to.

mod calls;
mod clock;
mod dynptr;
mod identity;
mod maps;
mod number;
mod objects;
mod print;
mod probe;
mod stack;
mod thread;

use crate::obligations;
use ufunc_maps::{Errno, Table};
use ufunc_shared::helpers::{HELPERS, KFUNCS};

pub use stack::remember_entry;
pub use thread::tail_word;

/// What the kernel returns for an error.
const fn error(number: i32) -> u64 {
    (-(number as i64)).cast_unsigned()
}

const EINVAL: u64 = error(libc::EINVAL);
const EFAULT: u64 = error(libc::EFAULT);
const E2BIG: u64 = error(libc::E2BIG);
const ERANGE: u64 = error(libc::ERANGE);

/// A function of the C ABI, of whatever type.
type Function = *const ();

/// The map that a handle stands for.
///
/// # Safety
///
/// The handle is one that this process was given for a map, as the verifier vouches; maps stay while
/// programs may run.
unsafe fn map<'a>(handle: u64) -> &'a Table {
    // SAFETY: as the caller vouches.
    unsafe { Table::of(handle) }
}

/// A pointer that a program passes.
fn pointer<T>(address: u64) -> *mut T {
    std::ptr::with_exposed_provenance_mut(address as usize)
}

fn word(outcome: Result<(), Errno>) -> u64 {
    ufunc_maps::returned(outcome)
}

/// Where each of [`HELPERS`] is in this process, in that order. To be called where memory may be
/// allocated, and before any of them is.
#[must_use]
pub fn addresses() -> Vec<u64> {
    clock::prepare();
    obligations::prepare();
    HELPERS.iter().map(|helper| function(helper.id).addr() as u64).collect()
}

/// Where each of [`KFUNCS`] is in this process, in that order.
#[must_use]
pub fn kfunc_addresses() -> Vec<u64> {
    KFUNCS.iter().map(|kfunc| kfunc_of(kfunc.name).addr() as u64).collect()
}

fn function(id: u32) -> Function {
    match id {
        1 => maps::lookup as Function,
        2 => maps::update as Function,
        3 => maps::delete as Function,
        4 | 112 | 113 => probe::read as Function,
        5 => clock::monotonic as Function,
        6 => print::trace_printk as Function,
        7 => thread::random as Function,
        8 => identity::processor as Function,
        12 => calls::tail_call as Function,
        14 => identity::pid_tgid as Function,
        15 => identity::uid_gid as Function,
        16 => identity::comm as Function,
        25 => maps::perf_event_output as Function,
        27 => stack::get_stackid as Function,
        36 => probe::write as Function,
        42 => identity::node as Function,
        45 | 114 | 115 => probe::read_str as Function,
        67 => stack::get_stack as Function,
        87 => maps::push as Function,
        88 => maps::pop as Function,
        89 => maps::peek as Function,
        93 => maps::spin_lock as Function,
        94 => maps::spin_unlock as Function,
        105 => number::strtol as Function,
        106 => number::strtoul as Function,
        125 => clock::boot as Function,
        130 => maps::ringbuf_output as Function,
        131 => maps::ringbuf_reserve as Function,
        132 => maps::ringbuf_submit as Function,
        133 => maps::ringbuf_discard as Function,
        134 => maps::ringbuf_query as Function,
        148 => probe::copy_from_user as Function,
        160 => clock::coarse as Function,
        164 => calls::for_each_map_elem as Function,
        165 => print::snprintf as Function,
        177 => print::trace_vprintk as Function,
        181 => calls::repeat as Function,
        182 => number::strncmp as Function,
        195 => maps::lookup_percpu as Function,
        197 => dynptr::from_mem as Function,
        198 => dynptr::ringbuf_reserve as Function,
        199 => dynptr::ringbuf_submit as Function,
        200 => dynptr::ringbuf_discard as Function,
        201 => dynptr::read as Function,
        202 => dynptr::write as Function,
        203 => dynptr::data as Function,
        208 => clock::tai as Function,
        // Every helper of the list is above; see the test.
        _ => std::ptr::null(),
    }
}

fn kfunc_of(name: &str) -> Function {
    match name {
        // Nothing that a program can reach is freed while it runs.
        "bpf_rcu_read_lock"
        | "bpf_rcu_read_unlock"
        | "bpf_preempt_disable"
        | "bpf_preempt_enable" => nothing as Function,
        "bpf_copy_from_user_str" => probe::copy_from_user_str as Function,
        "bpf_dynptr_size" => dynptr::size as Function,
        "bpf_dynptr_is_null" => dynptr::is_null as Function,
        "bpf_dynptr_is_rdonly" => dynptr::is_read_only as Function,
        "bpf_dynptr_adjust" => dynptr::adjust as Function,
        "bpf_dynptr_clone" => dynptr::clone as Function,
        "ufunc_begin" => obligations::begin as Function,
        "ufunc_acquired" => obligations::acquired as Function,
        "ufunc_released" => obligations::released as Function,
        "ufunc_borrow" => objects::borrow as Function,
        "ufunc_write" => objects::write as Function,
        _ => std::ptr::null(),
    }
}

extern "C" fn nothing() -> u64 {
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_helper_of_the_list_is_there() {
        for (helper, address) in HELPERS.iter().zip(addresses()) {
            assert_ne!(address, 0, "{}", helper.name);
        }
        for (kfunc, address) in KFUNCS.iter().zip(kfunc_addresses()) {
            assert_ne!(address, 0, "{}", kfunc.name);
        }
    }
}
