// SPDX-License-Identifier: MIT OR Apache-2.0
//! Clocks, as the kernel's own code in every process reads them.

use std::sync::atomic::{AtomicPtr, Ordering};

use ufunc_maps::sys;

type Read = unsafe extern "C" fn(libc::clockid_t, *mut libc::timespec) -> libc::c_int;

/// The kernel's function in this process, which is never hooked.
static READ: AtomicPtr<()> = AtomicPtr::new(std::ptr::null_mut());

/// Finds it. To be called once, from where the C library may be called.
pub(super) fn prepare() {
    // SAFETY: the names are C strings; the object is there, or it is not.
    unsafe {
        let flags = libc::RTLD_LAZY | libc::RTLD_NOLOAD;
        let object = libc::dlopen(c"linux-vdso.so.1".as_ptr(), flags);
        if !object.is_null() {
            let function = libc::dlsym(object, c"__vdso_clock_gettime".as_ptr());
            READ.store(function.cast(), Ordering::Release);
        }
    }
}

fn now(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    let read = READ.load(Ordering::Acquire);
    let mut failed = true;
    if !read.is_null() {
        // SAFETY: it is that function, which writes a time.
        failed = unsafe { std::mem::transmute::<*mut (), Read>(read)(clock, &raw mut time) } != 0;
    }
    if failed {
        let arguments = [clock as usize, (&raw mut time).addr(), 0, 0, 0, 0];
        // SAFETY: the kernel writes a time.
        unsafe { sys::call(libc::SYS_clock_gettime, arguments) };
    }
    let seconds = time.tv_sec.cast_unsigned();
    seconds.wrapping_mul(1_000_000_000).wrapping_add(time.tv_nsec.cast_unsigned())
}

/// `bpf_ktime_get_ns`
pub(super) extern "C" fn monotonic() -> u64 {
    now(libc::CLOCK_MONOTONIC)
}

/// `bpf_ktime_get_boot_ns`
pub(super) extern "C" fn boot() -> u64 {
    now(libc::CLOCK_BOOTTIME)
}

/// `bpf_ktime_get_coarse_ns`
pub(super) extern "C" fn coarse() -> u64 {
    now(libc::CLOCK_MONOTONIC_COARSE)
}

/// `bpf_ktime_get_tai_ns`
pub(super) extern "C" fn tai() -> u64 {
    now(libc::CLOCK_TAI)
}
