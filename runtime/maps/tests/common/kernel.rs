// SPDX-License-Identifier: MIT OR Apache-2.0
//! The running kernel's maps, by system calls. That takes root, or `CAP_BPF`.

use std::ffi::c_long;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

use ufunc_maps::Definition;

const MAP_CREATE: c_long = 0;
const MAP_LOOKUP: c_long = 1;
const MAP_UPDATE: c_long = 2;
const MAP_DELETE: c_long = 3;
const MAP_NEXT: c_long = 4;
const PROG_LOAD: c_long = 5;
const PROG_TEST_RUN: c_long = 10;
const MAP_TAKE: c_long = 21;

/// `union bpf_attr`, as words.
type Attributes = [u64; 20];

fn bpf(command: c_long, attributes: &mut Attributes) -> Result<i32, i32> {
    let size = size_of_val(attributes);
    // SAFETY: the attributes are that large; what they point to lives as long as the call.
    let answer = unsafe { libc::syscall(libc::SYS_bpf, command, attributes.as_mut_ptr(), size) };
    if answer >= 0 {
        return Ok(answer as i32);
    }
    Err(std::io::Error::last_os_error().raw_os_error().unwrap_or(0))
}

fn pair(low: u32, high: u32) -> u64 {
    u64::from(low) | u64::from(high) << 32
}

fn owned(fd: Result<i32, i32>, what: &str) -> OwnedFd {
    let fd = fd.unwrap_or_else(|error| {
        let error = std::io::Error::from_raw_os_error(error);
        panic!("{what} is not possible here ({error}): run the tests as root, on a kernel with BPF")
    });
    // SAFETY: the kernel has just given it.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// A map of the kernel.
pub(crate) struct KernelMap {
    fd: OwnedFd,
    /// Bytes of what is read and written.
    whole: usize,
    key: usize,
}

impl KernelMap {
    pub(crate) fn new(definition: &Definition, whole: usize) -> Self {
        let mut attributes = Attributes::default();
        attributes[0] = pair(definition.kind.number(), definition.key_size);
        attributes[1] = pair(definition.value_size, definition.max_entries);
        attributes[2] = definition.flags.into();
        // map_extra
        attributes[8] = definition.extra;
        let fd = owned(bpf(MAP_CREATE, &mut attributes), "making a map");
        Self { fd, whole, key: definition.key_size as usize }
    }

    pub(crate) fn fd(&self) -> i32 {
        self.fd.as_raw_fd()
    }

    fn attributes(&self, key: &[u8], value: *const u8, flags: u64) -> Attributes {
        let mut attributes = Attributes::default();
        attributes[0] = self.fd.as_raw_fd() as u64;
        attributes[1] = if key.is_empty() { 0 } else { key.as_ptr().addr() as u64 };
        attributes[2] = value.addr() as u64;
        attributes[3] = flags;
        attributes
    }

    pub(crate) fn read(&self, key: &[u8]) -> Result<Vec<u8>, i32> {
        let mut value = vec![0; self.whole];
        bpf(MAP_LOOKUP, &mut self.attributes(key, value.as_mut_ptr(), 0))?;
        Ok(value)
    }

    pub(crate) fn contains(&self, value: &[u8]) -> bool {
        let mut value = value.to_vec();
        bpf(MAP_LOOKUP, &mut self.attributes(&[], value.as_mut_ptr(), 0)).is_ok()
    }

    pub(crate) fn take(&self, key: &[u8]) -> Result<Vec<u8>, i32> {
        let mut value = vec![0; self.whole];
        bpf(MAP_TAKE, &mut self.attributes(key, value.as_mut_ptr(), 0))?;
        Ok(value)
    }

    pub(crate) fn write(&self, key: &[u8], value: &[u8], flags: u64) -> Result<(), i32> {
        bpf(MAP_UPDATE, &mut self.attributes(key, value.as_ptr(), flags)).map(|_| ())
    }

    pub(crate) fn remove(&self, key: &[u8]) -> Result<(), i32> {
        bpf(MAP_DELETE, &mut self.attributes(key, std::ptr::null(), 0)).map(|_| ())
    }

    pub(crate) fn keys(&self) -> Vec<Vec<u8>> {
        let mut keys: Vec<Vec<u8>> = Vec::new();
        loop {
            let mut next = vec![0; self.key];
            let last = keys.last().map_or(&[][..], |key| key.as_slice());
            let mut attributes = self.attributes(last, next.as_mut_ptr(), 0);
            match bpf(MAP_NEXT, &mut attributes) {
                Ok(_) => keys.push(next),
                Err(_) => return keys,
            }
        }
    }
}

/// A program of the kernel: a filter of packets, for that can be run many times in one call.
pub(crate) struct KernelProgram(OwnedFd);

impl KernelProgram {
    pub(crate) fn new(instructions: &[u64]) -> Self {
        const SOCKET_FILTER: u32 = 1;
        let mut attributes = Attributes::default();
        attributes[0] = pair(SOCKET_FILTER, instructions.len() as u32);
        attributes[1] = instructions.as_ptr().addr() as u64;
        attributes[2] = c"GPL".as_ptr().addr() as u64;
        Self(owned(bpf(PROG_LOAD, &mut attributes), "loading a program"))
    }

    /// How many nanoseconds a run takes.
    pub(crate) fn run(&self, times: u32) -> u32 {
        let packet = [0u8; 64];
        let mut attributes = Attributes::default();
        attributes[0] = self.0.as_raw_fd() as u64;
        attributes[1] = pair(packet.len() as u32, 0);
        attributes[2] = packet.as_ptr().addr() as u64;
        attributes[4] = pair(times, 0);
        let answer = bpf(PROG_TEST_RUN, &mut attributes);
        answer.expect("a loaded program can be run");
        (attributes[4] >> 32) as u32
    }
}
