// SPDX-License-Identifier: MIT OR Apache-2.0
//! libbpf as a judge.

use std::ffi::{CStr, CString, c_void};
use std::path::Path;
use std::ptr;

/// BTF as libbpf has it.
pub(crate) struct Btf(*mut libbpf_sys::btf);

impl Btf {
    /// `btf__parse()`
    pub(crate) fn parse(path: &Path) -> Btf {
        let c_path = CString::new(path.to_str().unwrap()).unwrap();
        // SAFETY: the string ends with a NUL and outlives the call.
        let btf = unsafe { libbpf_sys::btf__parse(c_path.as_ptr(), ptr::null_mut()) };
        assert!(!btf.is_null(), "libbpf cannot parse {}", path.display());
        Btf(btf)
    }

    /// `btf__add_btf()`
    pub(crate) fn add(&mut self, other: &Btf) {
        // SAFETY: both are alive.
        let added = unsafe { libbpf_sys::btf__add_btf(self.0, other.0) };
        assert!(added > 0, "btf__add_btf() failed: {added}");
    }

    /// `btf__dedup()`
    pub(crate) fn dedup(&mut self) {
        // SAFETY: it is alive, and there need be no options.
        let result = unsafe { libbpf_sys::btf__dedup(self.0, ptr::null()) };
        assert_eq!(result, 0, "btf__dedup() failed");
    }

    /// `btf__parse_split()`
    pub(crate) fn parse_split(path: &Path, base: &Btf) -> Btf {
        let path = CString::new(path.to_str().unwrap()).unwrap();
        // SAFETY: the string ends with a NUL, and the base is alive.
        let btf = unsafe { libbpf_sys::btf__parse_split(path.as_ptr(), base.0) };
        assert!(!btf.is_null(), "libbpf cannot parse {path:?}");
        Btf(btf)
    }

    /// `btf__raw_data()`
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut size = 0;
        // SAFETY: it is alive; what it gives is, too, until the next change, with that size.
        unsafe {
            let data = libbpf_sys::btf__raw_data(self.0, &mut size);
            assert!(!data.is_null());
            std::slice::from_raw_parts(data.cast::<u8>(), size as usize).to_vec()
        }
    }
}

impl Drop for Btf {
    fn drop(&mut self) {
        // SAFETY: nobody else has it.
        unsafe { libbpf_sys::btf__free(self.0) }
    }
}

/// Loads the programs of `object`, with relocations resolved against the BTF at `types`, runs each
/// once, and gives what they left in the global `results`; libbpf's error if it cannot load them.
pub(crate) fn run_all(object: &[u8], types: &Path) -> Result<Vec<u64>, i32> {
    let types = CString::new(types.to_str().unwrap()).unwrap();
    let opts = libbpf_sys::bpf_object_open_opts {
        sz: size_of::<libbpf_sys::bpf_object_open_opts>() as u64,
        btf_custom_path: types.as_ptr(),
        object_name: c"core".as_ptr(),
        ..Default::default()
    };
    // SAFETY: libbpf copies what it keeps of the object and of the options; what it gives is used
    // before the object is closed. The map's value is copied to a place of its size.
    unsafe {
        let object = libbpf_sys::bpf_object__open_mem(
            object.as_ptr().cast::<c_void>(),
            object.len() as u64,
            &opts,
        );
        assert!(!object.is_null(), "libbpf cannot open the object");
        let mut program = ptr::null_mut();
        loop {
            program = libbpf_sys::bpf_object__next_program(object, program);
            if program.is_null() {
                break;
            }
            let ty = libbpf_sys::BPF_PROG_TYPE_SOCKET_FILTER;
            libbpf_sys::bpf_program__set_type(program, ty);
        }
        let error = libbpf_sys::bpf_object__load(object);
        if error != 0 {
            libbpf_sys::bpf_object__close(object);
            assert!(
                ![-1, -13].contains(&error),
                "loading programs is not permitted here (error {error}): run the tests as root, on a kernel with BPF"
            );
            return Err(error);
        }
        loop {
            program = libbpf_sys::bpf_object__next_program(object, program);
            if program.is_null() {
                break;
            }
            let packet = [0u8; 64];
            let mut opts = libbpf_sys::bpf_test_run_opts {
                sz: size_of::<libbpf_sys::bpf_test_run_opts>() as u64,
                data_in: packet.as_ptr().cast(),
                data_size_in: packet.len() as u32,
                ..Default::default()
            };
            let fd = libbpf_sys::bpf_program__fd(program);
            let error = libbpf_sys::bpf_prog_test_run_opts(fd, &mut opts);
            let name = CStr::from_ptr(libbpf_sys::bpf_program__name(program));
            assert_eq!(error, 0, "running {name:?} failed");
        }
        let map = libbpf_sys::bpf_object__find_map_by_name(object, c"core.bss".as_ptr());
        assert!(!map.is_null());
        let mut values = vec![0u64; libbpf_sys::bpf_map__value_size(map) as usize / 8];
        let (fd, key) = (libbpf_sys::bpf_map__fd(map), 0u32);
        let key = ptr::from_ref(&key).cast::<c_void>();
        let error = libbpf_sys::bpf_map_lookup_elem(fd, key, values.as_mut_ptr().cast());
        assert_eq!(error, 0, "reading the results failed");
        libbpf_sys::bpf_object__close(object);
        Ok(values)
    }
}
