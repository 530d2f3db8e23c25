// SPDX-License-Identifier: MIT OR Apache-2.0
//! A thread that does something for us, and then finds everything as it was.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use super::memory::Memory;
use super::restore::{frame, undo_interruption};
use super::thread::{State, Stop, Tracee};

/// How long loading a library may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// Signals that the processor raises, and those that the C library sends its own threads.
const UNBLOCKED: [i32; 7] =
    [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP, 32, 33];
/// No system call.
const NONE: u64 = u64::MAX;
/// Bytes of a stack for calls.
const STACK: u64 = 256 << 10;
/// What is kept free at its top, for texts.
const TEXTS: u64 = 8 << 10;
const PAGE: u64 = 4096;

/// Where the C library has what is needed.
pub(super) struct Places {
    /// A `syscall` that is followed by a return.
    pub(super) syscall: u64,
    /// What handlers of signals return to: `rt_sigreturn`.
    pub(super) restore: u64,
    /// `__errno_location`
    pub(super) errno: u64,
}

/// A thread that is borrowed. When this is dropped it has all registers back.
pub(super) struct Borrowed<'a> {
    tracee: &'a mut Tracee,
    memory: &'a Memory,
    places: Places,
    saved: State,
    /// What takes it back to where it was, if nobody else does.
    frame: u64,
    area: Option<Area>,
    /// The thread's `errno`, and where it is.
    errno: Option<(u64, Vec<u8>)>,
}

/// Memory of the process that was made for calls.
struct Area {
    code: u64,
    stack: u64,
    /// Where the code ends, behind its `syscall`.
    end: u64,
    /// Where the next text goes.
    text: u64,
}

impl<'a> Borrowed<'a> {
    /// Borrows a stopped thread.
    pub(super) fn new(tracee: &'a mut Tracee, memory: &'a Memory, places: Places) -> Result<Self> {
        let saved = tracee.state()?;
        let (start, bytes) = frame(&saved);
        // The return from the `syscall` that precedes everything leads to the frame.
        let mut all = places.restore.to_le_bytes().to_vec();
        all.extend(bytes);
        memory.write(start - 8, &all).context("the thread's stack has no room")?;
        let blocked = UNBLOCKED.iter().fold(u64::MAX, |mask, signal| mask & !(1 << (signal - 1)));
        let mut borrowed =
            Self { tracee, memory, places, saved, frame: start, area: None, errno: None };
        // Before the mask is changed: from here on the thread puts it back should we be killed.
        borrowed.tracee.set_registers(libc::user_regs_struct {
            orig_rax: NONE,
            rip: borrowed.places.restore,
            rsp: start,
            ..borrowed.saved.registers
        })?;
        borrowed.tracee.set_mask(blocked)?;
        borrowed.make_area()?;
        let place = borrowed.call(borrowed.places.errno, [0; 2])?;
        borrowed.errno = Some((place, memory.read(place, size_of::<i32>())?));
        Ok(borrowed)
    }

    fn make_area(&mut self) -> Result<()> {
        let flags = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as u64;
        let protection = (libc::PROT_READ | libc::PROT_EXEC) as u64;
        let arguments = [0, PAGE, protection, flags, NONE, 0];
        let code = self.system_call(libc::SYS_mmap, arguments);
        let code = code.context("it may have no memory that can be executed")?;
        let protection = (libc::PROT_READ | libc::PROT_WRITE) as u64;
        let arguments = [0, STACK, protection, flags, NONE, 0];
        let stack = match self.system_call(libc::SYS_mmap, arguments) {
            Ok(stack) => stack,
            Err(error) => {
                let _ = self.system_call(libc::SYS_munmap, [code, PAGE, 0, 0, 0, 0]);
                return Err(error.context("it may have no more memory"));
            }
        };
        // call rax; mov rbx, rax; again: movabs rsp, frame; mov eax, rt_sigreturn; syscall; jmp again
        const AGAIN: usize = 5;
        let mut bytes = vec![0xff, 0xd0, 0x48, 0x89, 0xc3, 0x48, 0xbc];
        bytes.extend(self.frame.to_le_bytes());
        bytes.push(0xb8);
        bytes.extend((libc::SYS_rt_sigreturn as u32).to_le_bytes());
        bytes.extend([0x0f, 0x05]);
        let end = code + bytes.len() as u64;
        // We may be killed when that call has been skipped.
        bytes.extend([0xeb, (AGAIN as u8).wrapping_sub(bytes.len() as u8 + 2)]);
        let text = stack + STACK - TEXTS;
        self.area = Some(Area { code, stack, end, text });
        self.memory.write(code, &bytes)
    }

    /// Has the thread make a system call; what comes of it.
    pub(super) fn system_call(&mut self, number: i64, arguments: [u64; 6]) -> Result<u64> {
        let [rdi, rsi, rdx, r10, r8, r9] = arguments;
        let registers = libc::user_regs_struct {
            rax: number.cast_unsigned(),
            orig_rax: NONE,
            rip: self.places.syscall,
            rsp: self.frame - 8,
            rdi,
            rsi,
            rdx,
            r10,
            r8,
            r9,
            ..self.saved.registers
        };
        self.tracee.set_registers(registers)?;
        let deadline = Instant::now() + PATIENCE;
        for _ in ["before it", "after it"] {
            self.next(deadline)?;
        }
        let answer = self.tracee.registers()?.rax.cast_signed();
        if (-4095..0).contains(&answer) {
            return Err(std::io::Error::from_raw_os_error(-answer as i32).into());
        }
        Ok(answer.cast_unsigned())
    }

    /// Has the thread call a function of the C ABI; what it returns.
    pub(super) fn call(&mut self, function: u64, arguments: [u64; 2]) -> Result<u64> {
        let area = self.area.as_ref().context("there is no room for a call")?;
        let end = area.end;
        let [rdi, rsi] = arguments;
        let registers = libc::user_regs_struct {
            rax: function,
            orig_rax: NONE,
            rip: area.code,
            rsp: area.stack + STACK - TEXTS,
            rbp: 0,
            rdi,
            rsi,
            // Without the direction, alignment checks and single steps.
            eflags: self.saved.registers.eflags & !0x4_0500,
            ..self.saved.registers
        };
        self.tracee.set_registers(registers)?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.next(deadline)?;
            let now = self.tracee.registers()?;
            if now.rip == end {
                self.skip()?;
                return Ok(now.rbx);
            }
        }
    }

    /// Lets the thread go on to the next beginning or end of a system call.
    fn next(&mut self, deadline: Instant) -> Result<()> {
        let mut signal = 0;
        loop {
            self.tracee.resume(libc::PTRACE_SYSCALL, signal)?;
            signal = match self.tracee.wait(deadline)? {
                Some(Stop::Syscall) => return Ok(()),
                Some(Stop::Asked | Stop::Group(_)) => 0,
                // The C library's own: they have to come through.
                Some(Stop::Signal(signal @ (32 | 33))) => signal,
                Some(Stop::Signal(signal)) => bail!("the call ended in signal {signal}"),
                None => bail!("the call takes more than {PATIENCE:?}: it was given up"),
            };
        }
    }

    /// Puts a text into the process, for as long as the thread is borrowed: where it is.
    pub(super) fn text(&mut self, text: &[u8]) -> Result<u64> {
        let area = self.area.as_mut().context("there is no room for a text")?;
        let place = area.text;
        let next = place + text.len() as u64 + 1;
        ensure!(next <= area.stack + STACK, "a text is too long");
        area.text = next;
        self.memory.write(place, &[text, b"\0"].concat())?;
        Ok(place)
    }

    pub(super) fn thread(&self) -> i32 {
        self.tracee.number()
    }

    /// Leaves nothing behind, and has the thread stop where it goes on as if it never had.
    fn give_back(&mut self) -> Result<()> {
        if let Some((place, value)) = self.errno.take() {
            self.memory.write(place, &value)?;
        }
        if let Some(area) = self.area.take() {
            self.skip()?;
            self.system_call(libc::SYS_munmap, [area.stack, STACK, 0, 0, 0, 0])?;
            self.system_call(libc::SYS_munmap, [area.code, PAGE, 0, 0, 0, 0])?;
        }
        self.put_back()
    }

    /// Has a system call that is about to be made be none.
    fn skip(&mut self) -> Result<()> {
        let registers = self.tracee.registers()?;
        self.tracee.set_registers(libc::user_regs_struct { orig_rax: NONE, ..registers })?;
        // Before one, the end of it is to come; otherwise the thread has just stopped.
        if registers.rax == (-i64::from(libc::ENOSYS)).cast_unsigned() && registers.orig_rax != NONE
        {
            self.next(Instant::now() + PATIENCE)?;
        }
        Ok(())
    }

    /// Puts all registers back, where the kernel looks after interrupted system calls.
    fn put_back(&mut self) -> Result<()> {
        // No instruction is run until that stop: it comes before anything else.
        self.tracee.stop_again(PATIENCE)?;
        let mut saved = self.saved.clone();
        undo_interruption(&mut saved.registers);
        self.tracee.set_state(&saved)
    }
}

impl Drop for Borrowed<'_> {
    fn drop(&mut self) {
        if self.give_back().is_err() {
            // A process that has ended needs nothing back.
            let _ = self.put_back();
        }
    }
}

/// Finds what [`Places`] are in the C library's code.
pub(super) fn places(
    memory: &Memory,
    [syscall, errno]: [u64; 2],
    library: &[(u64, u64)],
) -> Result<Places> {
    let function = memory.read(syscall, 64)?;
    let at = function.windows(2).position(|bytes| bytes == [0x0f, 0x05]);
    let at = at.context("the C library's syscall() makes no system call")? as u64;
    // mov rax, rt_sigreturn; syscall
    const RESTORE: [u8; 9] = [0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05];
    for (start, end) in library {
        let code = memory.read(*start, (end - start) as usize)?;
        if let Some(found) = code.windows(RESTORE.len()).position(|bytes| bytes == RESTORE) {
            let restore = start + found as u64;
            return Ok(Places { syscall: syscall + at, restore, errno });
        }
    }
    bail!("the C library has no return from handlers of signals")
}
