// SPDX-License-Identifier: MIT OR Apache-2.0
//! A thread of another process, under ptrace.
//!
//! What `nix` covers goes through it. It has no vector registers, no masks of signals, no filters
//! and no real-time signals; these are [`raw`](Tracee::raw) requests.

use std::io;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use nix::sys::ptrace;
use nix::unistd::Pid;

use super::restore::undo_interruption;

/// What the kernel says of the memory of vector registers; `NT_X86_XSTATE`.
const VECTORS: usize = 0x202;
/// Requests that have no name in `libc`'s list for every target.
const GETREGSET: libc::c_uint = 0x4204;
const SETREGSET: libc::c_uint = 0x4205;
const GETSIGMASK: libc::c_uint = 0x420a;
const SETSIGMASK: libc::c_uint = 0x420b;
const GET_FILTER: libc::c_uint = 0x420c;
/// How `waitpid` tells stops apart.
const EVENT_STOP: i32 = 128;
const SYSCALL_STOP: i32 = libc::SIGTRAP | 0x80;
/// More than vector registers ever took.
const MOST_VECTORS: usize = 1 << 16;
/// No filter has more instructions.
const MOST_FILTER: usize = 4096;
/// How long to sleep between looking whether a thread has stopped.
const PAUSE: Duration = Duration::from_micros(100);

/// A thread that is traced by this one. It is let go when this is dropped, stopped or not.
pub(super) struct Tracee {
    thread: i32,
    /// Where it stopped, if it is.
    stop: Option<Stop>,
}

/// Why a thread stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// It was asked to.
    Asked,
    /// The whole process was, by this signal.
    Group(i32),
    /// Before or after a system call.
    Syscall,
    /// Before this signal takes effect.
    Signal(i32),
}

/// All that a thread has.
#[derive(Clone)]
pub(super) struct State {
    pub(super) registers: libc::user_regs_struct,
    pub(super) vectors: Vec<u8>,
    pub(super) mask: u64,
}

impl Tracee {
    /// Traces a thread, which goes on meanwhile.
    pub(super) fn seize(thread: i32) -> nix::Result<Self> {
        ptrace::seize(Pid::from_raw(thread), ptrace::Options::PTRACE_O_TRACESYSGOOD)?;
        Ok(Self { thread, stop: None })
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.thread)
    }

    pub(super) fn number(&self) -> i32 {
        self.thread
    }

    /// Stops it between two instructions. Whether it did within `patience`.
    pub(super) fn interrupt(&mut self, patience: Duration) -> Result<bool> {
        ptrace::interrupt(self.pid()).context("failed to stop a thread")?;
        let deadline = Instant::now() + patience;
        loop {
            match self.wait(deadline)? {
                None => return Ok(false),
                Some(Stop::Asked) => return Ok(true),
                Some(Stop::Group(signal)) => {
                    bail!("it is stopped by signal {signal}: let it go on (SIGCONT) first")
                }
                Some(Stop::Signal(signal)) => self.resume(libc::PTRACE_CONT, signal)?,
                Some(Stop::Syscall) => self.resume(libc::PTRACE_CONT, 0)?,
            }
        }
    }

    /// Has it stop where it was asked to, from wherever it is stopped, without running anything.
    pub(super) fn stop_again(&mut self, patience: Duration) -> Result<()> {
        if self.stop == Some(Stop::Asked) {
            return Ok(());
        }
        if self.stop.is_none() {
            ensure!(self.interrupt(patience)?, "a thread does not stop");
            return Ok(());
        }
        // The order is kept by the kernel until the thread is let go on, and comes first then.
        ptrace::interrupt(self.pid()).context("failed to stop a thread")?;
        let registers = self.registers()?;
        // Should it be about to make a system call, it makes none.
        self.set_registers(libc::user_regs_struct { orig_rax: u64::MAX, ..registers })?;
        self.resume(libc::PTRACE_CONT, 0)?;
        let deadline = Instant::now() + patience;
        loop {
            match self.wait(deadline)? {
                None => bail!("a thread does not stop"),
                Some(Stop::Asked | Stop::Group(_)) => return Ok(()),
                Some(Stop::Signal(signal)) => self.resume(libc::PTRACE_CONT, signal)?,
                Some(Stop::Syscall) => self.resume(libc::PTRACE_CONT, 0)?,
            }
        }
    }

    /// Lets a thread that was stopped for nothing go on as if it never had.
    pub(super) fn let_go(self) {
        if let Ok(mut registers) = self.registers() {
            let before = registers;
            undo_interruption(&mut registers);
            if registers.rip != before.rip {
                // What cannot be written is left as it is: the call ends with EINTR.
                let _ = self.set_registers(registers);
            }
        }
    }

    /// Lets it go on to the next stop: of any kind, or of system calls too.
    pub(super) fn resume(&mut self, how: libc::c_uint, signal: i32) -> Result<()> {
        self.stop = None;
        self.raw(how, 0, signal as usize).context("failed to let a thread go on")?;
        Ok(())
    }

    /// Waits for the next stop; none if there is none until `deadline`.
    pub(super) fn wait(&mut self, deadline: Instant) -> Result<Option<Stop>> {
        loop {
            let mut status = 0;
            let options = libc::__WALL | libc::WNOHANG;
            // SAFETY: the kernel writes to `status`. nix' own knows no real-time signals.
            let waited = unsafe { libc::waitpid(self.thread, &raw mut status, options) };
            if waited == self.thread {
                ensure!(libc::WIFSTOPPED(status), "the thread {} has ended", self.thread);
                let signal = libc::WSTOPSIG(status);
                let stop = match status >> 16 {
                    EVENT_STOP if signal == libc::SIGTRAP => Stop::Asked,
                    EVENT_STOP => Stop::Group(signal),
                    _ if signal == SYSCALL_STOP => Stop::Syscall,
                    _ => Stop::Signal(signal),
                };
                self.stop = Some(stop);
                return Ok(Some(stop));
            }
            if waited < 0 {
                let error = io::Error::last_os_error();
                return Err(error).context(format!("failed to wait for thread {}", self.thread));
            }
            if Instant::now() >= deadline {
                return Ok(None);
            }
            sleep(PAUSE);
        }
    }

    pub(super) fn registers(&self) -> Result<libc::user_regs_struct> {
        ptrace::getregs(self.pid()).context("failed to read a thread's registers")
    }

    pub(super) fn set_registers(&self, registers: libc::user_regs_struct) -> Result<()> {
        ptrace::setregs(self.pid(), registers).context("failed to write a thread's registers")
    }

    pub(super) fn state(&self) -> Result<State> {
        let mut vectors = vec![0u8; MOST_VECTORS];
        let mut part =
            libc::iovec { iov_base: vectors.as_mut_ptr().cast(), iov_len: vectors.len() };
        self.raw(GETREGSET, VECTORS, (&raw mut part).addr())
            .context("failed to read a thread's vector registers")?;
        vectors.truncate(part.iov_len);
        let mut mask = 0u64;
        self.raw(GETSIGMASK, 8, (&raw mut mask).addr())
            .context("failed to read which signals a thread blocks")?;
        Ok(State { registers: self.registers()?, vectors, mask })
    }

    /// The registers come last: until then the thread is where it finds its way back itself.
    pub(super) fn set_state(&self, state: &State) -> Result<()> {
        let mut part = libc::iovec {
            iov_base: state.vectors.as_ptr().cast_mut().cast(),
            iov_len: state.vectors.len(),
        };
        self.raw(SETREGSET, VECTORS, (&raw mut part).addr())
            .context("failed to write a thread's vector registers")?;
        self.set_mask(state.mask)?;
        self.set_registers(state.registers)
    }

    pub(super) fn set_mask(&self, mask: u64) -> Result<()> {
        self.raw(SETSIGMASK, 8, (&raw const mask).addr())
            .context("failed to write which signals a thread blocks")?;
        Ok(())
    }

    /// A filter of system calls, the latest first; none if there are fewer.
    pub(super) fn filter(&self, index: usize) -> io::Result<Option<Vec<libc::sock_filter>>> {
        let none = libc::sock_filter { code: 0, jt: 0, jf: 0, k: 0 };
        let mut filter = vec![none; MOST_FILTER];
        match self.raw(GET_FILTER, index, filter.as_mut_ptr().addr()) {
            Ok(length) => {
                filter.truncate(length as usize);
                Ok(Some(filter))
            }
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Any request: `data` is a number, or the address of what the kernel reads or writes.
    fn raw(&self, request: libc::c_uint, address: usize, data: usize) -> io::Result<i64> {
        // SAFETY: each caller passes the address of something of its own that is as large as the
        // request says, or a number where the request takes one. Nobody else has it meanwhile.
        let answer = unsafe { libc::ptrace(request, self.thread, address, data) };
        if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(answer) }
    }
}

impl Drop for Tracee {
    fn drop(&mut self) {
        // A thread can be let go while it is stopped only. One that cannot be stopped has ended, or
        // is let go when this thread ends.
        if self.stop.is_none() && !self.interrupt(Duration::from_millis(500)).unwrap_or(false) {
            return;
        }
        let signal = match self.stop {
            Some(Stop::Signal(signal)) => signal,
            _ => 0,
        };
        let _ = self.raw(libc::PTRACE_DETACH, 0, signal as usize);
    }
}
