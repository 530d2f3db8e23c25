// SPDX-License-Identifier: MIT OR Apache-2.0
//! The running kernel, which verifies and runs programs. That takes root, or `CAP_BPF` and
//! `CAP_PERFMON`.

use std::ffi::{c_char, c_void};
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};

use ufunc_compile::Instruction;

/// Why a program was not loaded.
pub(crate) struct Rejected {
    pub(crate) error: i32,
    pub(crate) log: String,
}

/// A map of one value.
pub(crate) struct ArrayMap {
    fd: OwnedFd,
    value_size: usize,
}

impl ArrayMap {
    pub(crate) fn new(value_size: usize) -> Self {
        // SAFETY: the name is a C string, and options may be missing.
        let fd = unsafe {
            libbpf_sys::bpf_map_create(
                libbpf_sys::BPF_MAP_TYPE_ARRAY,
                c"ufunc_test".as_ptr(),
                4,
                value_size as u32,
                1,
                std::ptr::null(),
            )
        };
        ArrayMap { fd: owned(fd, "creating a map"), value_size }
    }

    pub(crate) fn raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    pub(crate) fn write(&self, value: &[u8]) {
        assert_eq!(value.len(), self.value_size);
        let key = 0u32;
        // SAFETY: key and value are as large as the map's.
        let error = unsafe {
            libbpf_sys::bpf_map_update_elem(
                self.raw_fd(),
                (&raw const key).cast(),
                value.as_ptr().cast(),
                0,
            )
        };
        assert_eq!(error, 0, "failed to write to the map");
    }

    pub(crate) fn read(&self) -> Vec<u8> {
        let key = 0u32;
        let mut value = vec![0u8; self.value_size];
        // SAFETY: key and value are as large as the map's.
        let error = unsafe {
            libbpf_sys::bpf_map_lookup_elem(
                self.raw_fd(),
                (&raw const key).cast(),
                value.as_mut_ptr().cast(),
            )
        };
        assert_eq!(error, 0, "failed to read the map");
        value
    }
}

/// A program that the verifier accepted, of the kind that can be run by a system call.
pub(crate) struct Loaded {
    fd: OwnedFd,
}

impl Loaded {
    pub(crate) fn new(instructions: &[Instruction]) -> Result<Self, Rejected> {
        let bytes: Vec<u8> = instructions.iter().flat_map(|insn| insn.to_bytes()).collect();
        let mut log = vec![0u8; 1 << 16];
        let mut opts = libbpf_sys::bpf_prog_load_opts {
            sz: size_of::<libbpf_sys::bpf_prog_load_opts>() as u64,
            attempts: 1,
            prog_flags: libbpf_sys::BPF_F_SLEEPABLE,
            ..libbpf_sys::bpf_prog_load_opts::default()
        };
        let mut load = |level: u32| {
            if level != 0 {
                opts.log_level = level;
                opts.log_buf = log.as_mut_ptr().cast::<c_char>();
                opts.log_size = log.len() as u32;
            }
            // SAFETY: instructions, log and options are valid for the sizes given, and outlive
            // the call.
            unsafe {
                libbpf_sys::bpf_prog_load(
                    libbpf_sys::BPF_PROG_TYPE_SYSCALL,
                    c"ufunc_test".as_ptr(),
                    c"GPL".as_ptr(),
                    bytes.as_ptr().cast(),
                    instructions.len() as u64,
                    &raw mut opts,
                )
            }
        };
        let fd = load(0);
        if fd >= 0 {
            return Ok(Loaded { fd: owned(fd, "loading a program") });
        }
        // EPERM and ENOSYS: the kernel did not even look.
        assert!(
            ![-1, -38].contains(&fd),
            "loading programs is not permitted here (error {fd}): run the tests as root, on a \
             kernel with BPF"
        );
        load(1);
        let end = log.iter().position(|&byte| byte == 0).unwrap_or(log.len());
        Err(Rejected { error: fd, log: String::from_utf8_lossy(&log[..end]).into_owned() })
    }

    /// Runs the program with a context, which it may change, and gives r0.
    pub(crate) fn run(&self, context: &mut [u8]) -> u32 {
        let mut opts = libbpf_sys::bpf_test_run_opts {
            sz: size_of::<libbpf_sys::bpf_test_run_opts>() as u64,
            ctx_in: context.as_mut_ptr().cast::<c_void>(),
            ctx_size_in: context.len() as u32,
            ..libbpf_sys::bpf_test_run_opts::default()
        };
        // SAFETY: the context is valid for its size; the kernel writes what the program changes
        // back to it.
        let error =
            unsafe { libbpf_sys::bpf_prog_test_run_opts(self.fd.as_raw_fd(), &raw mut opts) };
        assert_eq!(error, 0, "failed to run a program");
        opts.retval
    }
}

fn owned(fd: i32, what: &str) -> OwnedFd {
    assert!(
        fd >= 0,
        "{what} is not possible here (error {fd}): run the tests as root, on a kernel with BPF"
    );
    // SAFETY: the kernel has just given the descriptor, and nothing else owns it.
    unsafe { OwnedFd::from_raw_fd(fd) }
}
