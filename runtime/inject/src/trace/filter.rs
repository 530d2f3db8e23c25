// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a thread's filters of system calls (seccomp) would do to the agent's.
//!
//! A filter may end the process, so nothing is tried: the filters are read, and run here.

use std::fs;

use anyhow::{Context as _, Result, bail};

use super::thread::Tracee;

/// `AUDIT_ARCH_X86_64`
const ARCHITECTURE: u32 = 0xc000_003e;
/// What a filter may answer, in the upper half.
const ACTION: u32 = 0xffff_0000;
const ALLOW: u32 = 0x7fff_0000;
const LOG: u32 = 0x7ffc_0000;
const ERRNO: u32 = 0x0005_0000;
/// Words that a filter can keep something in.
const WORDS: usize = 16;

const RX: u64 = (libc::PROT_READ | libc::PROT_EXEC) as u64;
const RW: u64 = (libc::PROT_READ | libc::PROT_WRITE) as u64;
const ANONYMOUS: u64 = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as u64;
/// How the C library makes a thread.
const THREAD: u64 = 0x003d_0f00;
const UNIX: u64 = libc::AF_UNIX as u64;

/// The one of two ways to make a thread that may be missing.
const CLONE3: &str = "clone3";

/// What the agent does, and what people call it.
const NEEDED: &[(&str, i64, [u64; 6])] = &[
    ("mmap of memory that can be executed", libc::SYS_mmap, [0, 4096, RX, ANONYMOUS, u64::MAX, 0]),
    ("mmap", libc::SYS_mmap, [0, 4096, RW, ANONYMOUS, u64::MAX, 0]),
    ("munmap", libc::SYS_munmap, [0x1000, 4096, 0, 0, 0, 0]),
    ("mprotect", libc::SYS_mprotect, [0x1000, 4096, libc::PROT_READ as u64, 0, 0, 0]),
    ("memfd_create", libc::SYS_memfd_create, [0x1000, 1, 0, 0, 0, 0]),
    ("openat", libc::SYS_openat, [-100i64 as u64, 0x1000, 0o2000000, 0, 0, 0]),
    ("openat for writing", libc::SYS_openat, [-100i64 as u64, 0x1000, 0o2000002, 0, 0, 0]),
    ("read", libc::SYS_read, [3, 0x1000, 832, 0, 0, 0]),
    ("pread64", libc::SYS_pread64, [3, 0x1000, 8, 0, 0, 0]),
    ("pwrite64", libc::SYS_pwrite64, [3, 0x1000, 8, 0, 0, 0]),
    ("newfstatat", libc::SYS_newfstatat, [3, 0x1000, 0x1000, 0x1000, 0, 0]),
    ("close", libc::SYS_close, [3, 0, 0, 0, 0, 0]),
    ("getdents64", libc::SYS_getdents64, [3, 0x1000, 32768, 0, 0, 0]),
    (CLONE3, libc::SYS_clone3, [0x1000, 88, 0, 0, 0, 0]),
    ("clone", libc::SYS_clone, [THREAD, 0x1000, 0x1000, 0x1000, 0x1000, 0]),
    ("set_robust_list", libc::SYS_set_robust_list, [0x1000, 24, 0, 0, 0, 0]),
    ("rt_sigprocmask", libc::SYS_rt_sigprocmask, [0, 0x1000, 0x1000, 8, 0, 0]),
    ("rt_sigaction", libc::SYS_rt_sigaction, [5, 0x1000, 0x1000, 8, 0, 0]),
    ("rt_sigreturn", libc::SYS_rt_sigreturn, [0; 6]),
    ("futex", libc::SYS_futex, [0x1000, 128, 0, 0, 0, 0]),
    ("getpid", libc::SYS_getpid, [0; 6]),
    ("gettid", libc::SYS_gettid, [0; 6]),
    ("geteuid", libc::SYS_geteuid, [0; 6]),
    ("prctl for a thread's name", libc::SYS_prctl, [15, 0x1000, 0, 0, 0, 0]),
    ("close_range", libc::SYS_close_range, [0, 0xffff_ffff, 2, 0, 0, 0]),
    ("socket of AF_UNIX", libc::SYS_socket, [UNIX, 0x80001, 0, 0, 0, 0]),
    ("bind", libc::SYS_bind, [3, 0x1000, 20, 0, 0, 0]),
    ("listen", libc::SYS_listen, [3, 128, 0, 0, 0, 0]),
    ("accept4", libc::SYS_accept4, [3, 0, 0, 0x80000, 0, 0]),
    ("setsockopt", libc::SYS_setsockopt, [3, 1, 20, 0x1000, 16, 0]),
    ("getsockopt", libc::SYS_getsockopt, [3, 1, 17, 0x1000, 0x1000, 0]),
    ("poll", libc::SYS_poll, [0x1000, 1, 1000, 0, 0, 0]),
    ("recvmsg", libc::SYS_recvmsg, [3, 0x1000, 0x40000000, 0, 0, 0]),
    ("sendmsg", libc::SYS_sendmsg, [3, 0x1000, 0x4000, 0, 0, 0]),
    ("recvfrom", libc::SYS_recvfrom, [3, 0x1000, 16, 0, 0, 0]),
    ("fcntl", libc::SYS_fcntl, [3, 1030, 3, 0, 0, 0]),
    ("membarrier", libc::SYS_membarrier, [64, 0, 0, 0, 0, 0]),
];

/// Makes sure that the thread's filters let the agent do what it does.
pub(super) fn check(process: i32, tracee: &Tracee) -> Result<()> {
    let path = format!("/proc/{process}/task/{}/status", tracee.number());
    let status = fs::read_to_string(&path).with_context(|| format!("failed to read {path}"))?;
    let mode = status.lines().find_map(|line| line.strip_prefix("Seccomp:"));
    match mode.map_or("0", str::trim) {
        "0" => return Ok(()),
        "1" => bail!("it may make hardly any system call (strict seccomp)"),
        _ => {}
    }
    let mut index = 0;
    loop {
        let filter = tracee.filter(index).context(
            "it filters its system calls (seccomp), and what the filter allows cannot be read: \
             root may do that",
        )?;
        let Some(filter) = filter else { return Ok(()) };
        for (name, number, arguments) in NEEDED {
            let answer = run(&filter, *number, arguments).unwrap_or(0);
            let what = match answer & ACTION {
                ALLOW | LOG => continue,
                // The C library takes the other one then.
                ERRNO if *name == CLONE3 && answer & 0xffff == libc::ENOSYS as u32 => continue,
                ERRNO => format!("refuses it with error {}", answer & 0xffff),
                _ => "would end it for that".to_owned(),
            };
            bail!(
                "it filters its system calls (seccomp): the agent needs {name}, and the filter {what}"
            );
        }
        index += 1;
    }
}

/// What the filter answers to a system call; none if it makes no sense.
fn run(filter: &[libc::sock_filter], number: i64, arguments: &[u64; 6]) -> Option<u32> {
    let mut data = Vec::new();
    data.extend((number as u32).to_le_bytes());
    data.extend(ARCHITECTURE.to_le_bytes());
    data.extend(0u64.to_le_bytes());
    data.extend(arguments.iter().flat_map(|argument| argument.to_le_bytes()));
    let (mut a, mut x, mut words) = (0u32, 0u32, [0u32; WORDS]);
    let mut at = 0usize;
    // Jumps lead forward only.
    while let Some(step) = filter.get(at) {
        at += 1;
        let (code, k) = (step.code, step.k);
        let operand = if code & 0x08 != 0 { x } else { k };
        match code & 0x07 {
            // ld, ldx: a constant, a word of the call, a word kept, the call's length
            0 | 1 => {
                let value = match code & 0xe0 {
                    0x00 => k,
                    0x20 => {
                        let bytes = data.get(k as usize..)?.first_chunk()?;
                        u32::from_le_bytes(*bytes)
                    }
                    0x60 => *words.get(k as usize)?,
                    0x80 => data.len() as u32,
                    _ => return None,
                };
                if code & 0x07 == 0 { a = value } else { x = value }
            }
            2 => *words.get_mut(k as usize)? = a,
            3 => *words.get_mut(k as usize)? = x,
            4 => {
                a = match code & 0xf0 {
                    0x00 => a.wrapping_add(operand),
                    0x10 => a.wrapping_sub(operand),
                    0x20 => a.wrapping_mul(operand),
                    0x30 => a.checked_div(operand)?,
                    0x40 => a | operand,
                    0x50 => a & operand,
                    0x60 => a.checked_shl(operand).unwrap_or(0),
                    0x70 => a.checked_shr(operand).unwrap_or(0),
                    0x80 => a.wrapping_neg(),
                    0xa0 => a ^ operand,
                    _ => return None,
                }
            }
            5 => {
                let holds = match code & 0xf0 {
                    0x00 => {
                        at = at.checked_add(k as usize)?;
                        continue;
                    }
                    0x10 => a == operand,
                    0x20 => a > operand,
                    0x30 => a >= operand,
                    0x40 => a & operand != 0,
                    _ => return None,
                };
                at += usize::from(if holds { step.jt } else { step.jf });
            }
            6 => return Some(if code & 0x18 == 0x10 { a } else { k }),
            _ => {
                if code & 0xf8 == 0x80 {
                    a = x
                } else {
                    x = a
                }
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(code: u16, jt: u8, jf: u8, k: u32) -> libc::sock_filter {
        libc::sock_filter { code, jt, jf, k }
    }

    #[test]
    fn a_filter_is_run_as_the_kernel_does() {
        // Kills mmap with PROT_EXEC, refuses socket with EPERM, allows the rest.
        let filter = [
            step(0x20, 0, 0, 0),
            step(0x15, 0, 3, libc::SYS_mmap as u32),
            step(0x20, 0, 0, 32),
            step(0x45, 0, 3, libc::PROT_EXEC as u32),
            step(0x06, 0, 0, 0),
            step(0x15, 0, 1, libc::SYS_socket as u32),
            step(0x06, 0, 0, ERRNO | 1),
            step(0x06, 0, 0, ALLOW),
        ];
        assert_eq!(run(&filter, libc::SYS_mmap, &[0, 0, RX, 0, 0, 0]), Some(0));
        assert_eq!(run(&filter, libc::SYS_mmap, &[0, 0, RW, 0, 0, 0]), Some(ALLOW));
        assert_eq!(run(&filter, libc::SYS_socket, &[1, 0, 0, 0, 0, 0]), Some(ERRNO | 1));
        assert_eq!(run(&filter, libc::SYS_getpid, &[0; 6]), Some(ALLOW));
        assert_eq!(run(&filter[..3], libc::SYS_getpid, &[0; 6]), None);
    }
}
