// SPDX-License-Identifier: MIT OR Apache-2.0
//! What libbpf-rs has no safe words for: the only place of `attach`, `list` and `doctor` that talks
//! to libbpf or the kernel by itself.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::ptr::NonNull;
use std::slice;

use anyhow::Result;
use libbpf_rs::libbpf_sys;
use libbpf_rs::{AsRawLibbpf as _, Link, Map, Object, OpenMapMut, PerfBuffer, Program, RingBuffer};
use ufunc_gen::btf::TypeId;

use crate::run::package::MapForm;

/// The BTF of `object` as libbpf completed it: with the places of global variables.
pub(crate) fn object_btf(object: &Object) -> Vec<u8> {
    let mut size = 0;
    // SAFETY: `object` is open; its BTF, if it has one, belongs to it, and so do the raw bytes,
    // which stay in place as long as nothing changes the BTF; they are copied at once.
    unsafe {
        let btf = libbpf_sys::bpf_object__btf(object.as_libbpf_object().as_ptr());
        if btf.is_null() {
            return Vec::new();
        }
        let bytes = libbpf_sys::btf__raw_data(btf, &mut size).cast::<u8>();
        if bytes.is_null() {
            Vec::new()
        } else {
            slice::from_raw_parts(bytes, size as usize).to_vec()
        }
    }
}

/// The types of `map`'s keys and values in its object's BTF; 0 where the object does not say.
pub(crate) fn map_types(map: &Map<'_>) -> (TypeId, TypeId) {
    let map = map.as_libbpf_object().as_ptr();
    // SAFETY: the map belongs to an open object; both functions only read it.
    unsafe {
        let key = libbpf_sys::bpf_map__btf_key_type_id(map);
        (TypeId(key), TypeId(libbpf_sys::bpf_map__btf_value_type_id(map)))
    }
}

/// What the map of maps `map`, which is not made yet, holds.
pub(crate) fn inner_map(map: &mut OpenMapMut<'_>) -> Option<MapForm> {
    let map = map.as_libbpf_object().as_ptr();
    // SAFETY: the map belongs to an open object, and so does the inner one, if there is one; the
    // functions only read them.
    unsafe {
        let inner = libbpf_sys::bpf_map__inner_map(map);
        (!inner.is_null()).then(|| MapForm {
            kind: libbpf_sys::bpf_map__type(inner),
            key_size: libbpf_sys::bpf_map__key_size(inner),
            value_size: libbpf_sys::bpf_map__value_size(inner),
            max_entries: libbpf_sys::bpf_map__max_entries(inner),
            flags: libbpf_sys::bpf_map__map_flags(inner),
            extra: libbpf_sys::bpf_map__map_extra(inner),
            spin_lock: None,
        })
    }
}

/// What the kernel calls the loaded program `program`: the beginning of a digest of its instructions.
pub(crate) fn program_tag(program: BorrowedFd<'_>) -> io::Result<[u8; 8]> {
    Ok(program_info(program)?.tag)
}

/// How many instructions the verifier counted for the loaded program `program`.
pub(crate) fn verified_insns(program: BorrowedFd<'_>) -> io::Result<u64> {
    Ok(u64::from(program_info(program)?.verified_insns))
}

/// What the kernel says of the loaded program `program`.
fn program_info(program: BorrowedFd<'_>) -> io::Result<libbpf_sys::bpf_prog_info> {
    let mut info = libbpf_sys::bpf_prog_info::default();
    let mut size = size_of_val(&info) as u32;
    // SAFETY: `info` is the kernel's struct and has `size` bytes, of which the kernel fills in those
    // that it knows. All pointers in it are NULL, so that it writes nowhere else.
    let error =
        unsafe { libbpf_sys::bpf_prog_get_info_by_fd(program.as_raw_fd(), &mut info, &mut size) };
    if error == 0 { Ok(info) } else { Err(io::Error::from_raw_os_error(-error)) }
}

/// The functions of a loaded program: where each begins, and its type in the object's BTF.
pub(crate) fn functions(program: &Program<'_>) -> Vec<(u32, TypeId)> {
    let program = program.as_libbpf_object().as_ptr();
    // SAFETY: the program belongs to an open object; libbpf's array has that many records, or is
    // NULL, and stays as long as the object.
    let records = unsafe {
        let records = libbpf_sys::bpf_program__func_info(program);
        let count = libbpf_sys::bpf_program__func_info_cnt(program);
        if records.is_null() { &[] } else { slice::from_raw_parts(records, count as usize) }
    };
    records.iter().map(|record| (record.insn_off, TypeId(record.type_id))).collect()
}

/// Attaches a program of fentry and its relatives, which gets `cookie`.
pub(crate) fn attach_trace(program: &Program<'_>, cookie: u64) -> Result<Link> {
    let options =
        libbpf_sys::bpf_trace_opts { sz: size_of::<libbpf_sys::bpf_trace_opts>() as _, cookie };
    let program = program.as_libbpf_object().as_ptr();
    // SAFETY: the program belongs to a loaded object, and libbpf reads the options only meanwhile.
    let link = unsafe { libbpf_sys::bpf_program__attach_trace_opts(program, &options) };
    let link = NonNull::new(link).ok_or_else(io::Error::last_os_error)?;
    // SAFETY: libbpf made the link, which nobody else has.
    Ok(unsafe { Link::from_ptr(link) })
}

/// What a performance event counts or waits for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum PerfEvent {
    /// The tracepoint of that number.
    Tracepoint(u64),
    /// Time on the processor, so many times a second.
    Clock { frequency: u64 },
}

/// Opens `event` on the processor `cpu`, of the process `pid` or of all.
pub(crate) fn perf_event_open(event: PerfEvent, pid: Option<i32>, cpu: i32) -> io::Result<OwnedFd> {
    let mut attributes = libbpf_sys::perf_event_attr {
        size: size_of::<libbpf_sys::perf_event_attr>() as u32,
        ..Default::default()
    };
    match event {
        PerfEvent::Tracepoint(id) => {
            attributes.type_ = libbpf_sys::PERF_TYPE_TRACEPOINT;
            attributes.config = id;
            attributes.__bindgen_anon_1.sample_period = 1;
            attributes.__bindgen_anon_2.wakeup_events = 1;
        }
        PerfEvent::Clock { frequency } => {
            attributes.type_ = libbpf_sys::PERF_TYPE_SOFTWARE;
            attributes.config = libbpf_sys::PERF_COUNT_SW_CPU_CLOCK.into();
            attributes.__bindgen_anon_1.sample_freq = frequency;
            attributes.set_freq(1);
            attributes.set_inherit(u64::from(pid.is_some()));
        }
    }
    let flags = libc::c_ulong::from(libbpf_sys::PERF_FLAG_FD_CLOEXEC);
    // SAFETY: the attributes are valid and say their size; the kernel reads them only meanwhile.
    let fd = unsafe {
        libc::syscall(libc::SYS_perf_event_open, &attributes, pid.unwrap_or(-1), cpu, -1, flags)
    };
    let fd = i32::try_from(fd).ok().filter(|fd| *fd >= 0).ok_or_else(io::Error::last_os_error)?;
    // SAFETY: the kernel made it for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The numbers of all links, in their order.
///
/// Fails without CAP_SYS_ADMIN.
pub(crate) fn link_ids() -> io::Result<Vec<u32>> {
    let mut ids = Vec::new();
    let mut id = 0;
    // SAFETY: libbpf writes the number that comes after the one it is given.
    while unsafe { libbpf_sys::bpf_link_get_next_id(id, &mut id) } == 0 {
        ids.push(id);
    }
    match io::Error::last_os_error() {
        error if error.kind() == io::ErrorKind::NotFound => Ok(ids),
        error => Err(error),
    }
}

/// The link of that number; it may be gone.
pub(crate) fn link_by_id(id: u32) -> io::Result<OwnedFd> {
    // SAFETY: a number is all that it takes.
    owned(unsafe { libbpf_sys::bpf_link_get_fd_by_id(id) })
}

/// What is pinned at `path`.
pub(crate) fn pinned(path: &Path) -> io::Result<OwnedFd> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: the path ends with a NUL.
    owned(unsafe { libbpf_sys::bpf_obj_get(path.as_ptr()) })
}

/// Detaches `link` whoever holds it; only some kinds of links can.
pub(crate) fn force_detach(link: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: a descriptor is all that it takes.
    match unsafe { libbpf_sys::bpf_link_detach(link.as_raw_fd()) } {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(-error)),
    }
}

/// Loads a program of `instructions` that calls kfuncs of the module BTF `btf`, and lets it go again. On failure, what the verifier said.
pub(crate) fn try_program(
    program_type: u32,
    instructions: &[libbpf_sys::bpf_insn],
    btf: &OwnedFd,
) -> Result<(), (io::Error, String)> {
    let mut log = vec![0_u8; 16 << 10];
    // The first entry stands for the kernel's own BTF.
    let descriptors = [0, btf.as_raw_fd()];
    let mut options = libbpf_sys::bpf_prog_load_opts {
        sz: size_of::<libbpf_sys::bpf_prog_load_opts>() as _,
        attempts: 1,
        fd_array: descriptors.as_ptr(),
        log_level: 1,
        log_size: log.len() as u32,
        log_buf: log.as_mut_ptr().cast(),
        ..Default::default()
    };
    // SAFETY: instructions, descriptors and log are there with the lengths that are said, and
    // neither libbpf nor the kernel keeps a pointer to them.
    let loaded = unsafe {
        libbpf_sys::bpf_prog_load(
            program_type,
            c"ufunc_probe".as_ptr(),
            c"GPL".as_ptr(),
            instructions.as_ptr(),
            instructions.len() as _,
            &mut options,
        )
    };
    owned(loaded).map(drop).map_err(|error| {
        let end = memchr::memchr(0, &log).unwrap_or(log.len());
        (error, String::from_utf8_lossy(&log[..end]).into_owned())
    })
}

/// The BTF of the loaded module of that name.
pub(crate) fn module_btf(module: &str) -> io::Result<OwnedFd> {
    let mut id = 0;
    // SAFETY: libbpf writes the number that comes after the one it is given.
    while unsafe { libbpf_sys::bpf_btf_get_next_id(id, &mut id) } == 0 {
        // SAFETY: a number is all that it takes.
        let Ok(btf) = owned(unsafe { libbpf_sys::bpf_btf_get_fd_by_id(id) }) else { continue };
        let mut name = [0_u8; 128];
        let mut info = libbpf_sys::bpf_btf_info {
            name: name.as_mut_ptr() as u64,
            name_len: name.len() as u32,
            ..Default::default()
        };
        let mut length = size_of_val(&info) as u32;
        // SAFETY: both buffers are there with the lengths that are said, and the kernel fills them
        // only meanwhile.
        let error =
            unsafe { libbpf_sys::bpf_btf_get_info_by_fd(btf.as_raw_fd(), &mut info, &mut length) };
        let end = memchr::memchr(0, &name).unwrap_or(name.len());
        if error == 0 && info.kernel_btf != 0 && name[..end] == *module.as_bytes() {
            return Ok(btf);
        }
    }
    Err(io::Error::last_os_error())
}

/// What becomes readable when there are events in `ring`.
pub(crate) fn ring_descriptor(ring: &RingBuffer<'_>) -> io::Result<OwnedFd> {
    // SAFETY: the descriptor is open as long as `ring` is, which lasts longer than this call.
    unsafe { BorrowedFd::borrow_raw(ring.epoll_fd()) }.try_clone_to_owned()
}

/// What becomes readable when there are events in `buffer`.
pub(crate) fn perf_descriptor(buffer: &PerfBuffer<'_>) -> io::Result<OwnedFd> {
    // SAFETY: the descriptor is open as long as `buffer` is, which lasts longer than this call.
    unsafe { BorrowedFd::borrow_raw(buffer.epoll_fd()) }.try_clone_to_owned()
}

/// What libbpf's `bpf_*` functions return: a descriptor, or an error as a negative number.
fn owned(fd: i32) -> io::Result<OwnedFd> {
    if fd < 0 {
        return Err(io::Error::from_raw_os_error(-fd));
    }
    // SAFETY: libbpf got it from the kernel for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// What `/proc` says of a descriptor of this process.
pub(crate) fn descriptor_info(fd: impl AsFd) -> io::Result<String> {
    std::fs::read_to_string(format!("/proc/self/fdinfo/{}", fd.as_fd().as_raw_fd()))
}
