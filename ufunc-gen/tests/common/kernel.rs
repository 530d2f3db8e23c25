// SPDX-License-Identifier: MIT OR Apache-2.0
//! The running kernel as a judge of BTF. That takes root or `CAP_BPF`.

use std::ffi::c_char;
use std::os::fd::{FromRawFd as _, OwnedFd};

/// Gives `btf` to the kernel; the kernel's log if it refuses.
pub fn load(btf: &[u8]) -> Result<(), String> {
    let mut log = vec![0u8; 1 << 20];
    for level in [0, 1] {
        let mut opts = libbpf_sys::bpf_btf_load_opts {
            sz: size_of::<libbpf_sys::bpf_btf_load_opts>() as u64,
            log_buf: if level == 0 {
                std::ptr::null_mut()
            } else {
                log.as_mut_ptr().cast::<c_char>()
            },
            log_level: level,
            log_size: if level == 0 { 0 } else { log.len() as u32 },
            ..libbpf_sys::bpf_btf_load_opts::default()
        };
        // SAFETY: `btf` and `opts` are valid for reads of the sizes given, and `log` for writes;
        // all outlive the call.
        let fd =
            unsafe { libbpf_sys::bpf_btf_load(btf.as_ptr().cast(), btf.len() as u64, &mut opts) };
        if fd >= 0 {
            // SAFETY: the kernel has just given the descriptor, and nothing else owns it.
            drop(unsafe { OwnedFd::from_raw_fd(fd) });
            return Ok(());
        }
        // EPERM, EACCES, ENOSYS: the kernel did not even look.
        assert!(
            ![-1, -13, -38].contains(&fd),
            "loading BTF is not permitted here (error {fd}): run the tests as root, on a kernel with BPF"
        );
    }
    let end = log.iter().position(|&byte| byte == 0).unwrap_or(log.len());
    Err(String::from_utf8_lossy(&log[..end]).into_owned())
}

/// Asserts that the kernel accepts `btf`.
#[track_caller]
pub fn accepted(what: &str, btf: &[u8]) {
    if let Err(log) = load(btf) {
        let tail: Vec<_> = log.lines().rev().take(4).collect();
        panic!("the kernel refuses the types of {what}: {tail:#?}");
    }
}
