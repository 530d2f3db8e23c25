// SPDX-License-Identifier: MIT OR Apache-2.0
//! The stub that runs the programs.
//!
//! Everything about the programs is known when it is made, so it stores just the fields that they
//! read and keeps just the registers that they change. A register is kept in its field's place in
//! the context: so what a program wrote there is what is loaded when it is over.
//!
//! At an entry the ABI leaves many registers to the function, and a caller that the compiler knows
//! well enough (gcc's `-fipa-ra`) uses those which the function does not change. So all that the
//! programs change is kept, everywhere. The flags alone are nobody's at an entry.
//!
//! For the same reason the stack's alignment is not relied upon.

use anyhow::{Context as _, Result, ensure};
use iced_x86::BlockEncoderOptions;
use iced_x86::code_asm::{
    CodeAssembler, CodeLabel, dword_ptr, eax, edx, ptr, qword_ptr, rax, rbp, rcx, rdi, rdx, rsi,
    rsp,
};
use ufunc_shared::context::{self, Field, Fields};
use ufunc_shared::plan::{INT3, JUMP_OPCODE, Moved, Plan};
use ufunc_shared::thread::{Agent, cell, words};

use crate::displaced;
use crate::machine::Machine;
use crate::program::{Program, Vectors, When};
use crate::registers::{Kept, load, register, store};
use crate::site::Site;

/// What user code has in `cs` and `ss` on x86-64.
const CS: i32 = 0x33;
const SS: i32 = 0x2b;
/// The flags of a function that has returned: whatever they are, they mean nothing.
const FLAGS: i32 = 0x202;
/// The flags that a program may change: what computes, the direction, alignment checks, `cpuid`.
const CHANGEABLE_FLAGS: i32 = 0x24_0cd5;
/// Flags that compiled code does not expect: the direction and alignment checks.
const UNEXPECTED_FLAGS: i32 = 0x4_0400;
/// What the ABI lets a function use below the stack pointer.
const RED_ZONE: i32 = 128;
/// How much longer a call or jump gets when its target is far: a pointer, and its alignment.
const FAR: usize = 24;
/// Set in a cell's wanted programs when one runs whatever the sessions say.
const ALWAYS: u32 = 31;

/// Places in a stub's frame, counted from its stack pointer. The context is at its beginning.
mod frame {
    /// The cell of a call whose return is hooked.
    pub(super) const CELL: i32 = super::context::SIZE as i32;
    /// The guard that was there before.
    pub(super) const GUARD: i32 = CELL + 8;
    /// What `iretq` takes; or a cookie that nobody keeps.
    pub(super) const IRET: i32 = GUARD + 8;
    /// Vector registers, aligned to 64 bytes.
    pub(super) const VECTORS: i32 = 256;
}

/// How many bytes the stub of [`plan`] can take, wherever it lies.
pub fn room(site: &Site, programs: &[Program], agent: &Agent, machine: Machine) -> Result<usize> {
    let stub = site.placement().next(0).context("no stub is near enough")?;
    let length = plan(site, programs, stub, agent, machine)?.code.len();
    // What is near from one place may have to be called through a pointer from another.
    Ok(length + FAR * (2 * programs.len() + site.displaced.len() + 1))
}

/// The plan that has `programs` run, in this order, at `site`, with the stub at `stub`.
pub fn plan(
    site: &Site,
    programs: &[Program],
    stub: u64,
    agent: &Agent,
    machine: Machine,
) -> Result<Plan> {
    ensure!(!programs.is_empty(), "there is no program to run at {:#x}", site.point);
    ensure!(site.placement().allows(stub), "a stub for {:#x} cannot lie at {stub:#x}", site.point);
    let returns = programs.iter().any(Program::at_return);
    ensure!(
        site.entry || !returns,
        "{:#x} is amid a function: only an entry has a return",
        site.point
    );
    let sessions = programs.iter().filter(|program| program.when == When::Session).count();
    ensure!(
        sessions <= cell::SESSIONS,
        "{sessions} sessions at {:#x}: there can be {}",
        site.point,
        cell::SESSIONS
    );
    let mut a = CodeAssembler::new(64)?;
    let mut back = a.create_label();
    let entry: Vec<&Program> = programs.iter().filter(|program| program.at_entry()).collect();
    let mut writer = Writer { a: &mut a, site, agent, programs, machine, here: Here::Entry };
    let moved = writer.entry(&entry, returns.then_some(back))?;
    if returns {
        let programs: Vec<&Program> =
            programs.iter().filter(|program| program.at_return()).collect();
        writer.here = Here::Return;
        writer.a.set_label(&mut back)?;
        writer.returned(&programs)?;
    }

    let assembled = a.assemble_options(stub, BlockEncoderOptions::RETURN_NEW_INSTRUCTION_OFFSETS);
    let assembled = assembled
        .with_context(|| format!("the instructions at {:#x} cannot be displaced", site.patch))?;
    let mut to = Vec::new();
    for (instruction, label) in site.displaced.iter().zip(&moved) {
        to.push(Moved { from: instruction.ip(), to: assembled.label_ip(label)? });
    }
    let calls = site.displaced.iter().any(|displaced| displaced.is_call_near_or_indirect());
    let plan = Plan {
        point: site.point,
        patch: site.patch,
        original: site.original.clone(),
        replacement: replacement(site, stub),
        stub,
        code: assembled.inner.code_buffer,
        moved: to,
        writes_return_addresses: returns || calls,
    };
    plan.check()?;
    Ok(plan)
}

/// The jump to the stub, or the trap.
fn replacement(site: &Site, stub: u64) -> Vec<u8> {
    if site.trap.is_some() {
        return vec![INT3];
    }
    // The placement allows no distance that does not fit.
    let distance = stub.wrapping_sub(site.placement().anchor()) as u32;
    let mut jump = vec![JUMP_OPCODE];
    jump.extend(distance.to_le_bytes());
    jump
}

/// Calls among the displaced instructions are turned into pushes and jumps.
trait Calls {
    fn is_call_near_or_indirect(&self) -> bool;
}

impl Calls for iced_x86::Instruction {
    fn is_call_near_or_indirect(&self) -> bool {
        self.is_call_near() || self.is_call_near_indirect()
    }
}

/// Which half of a stub.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Here {
    Entry,
    Return,
}

/// Everything that a half needs.
struct Writer<'a> {
    a: &'a mut CodeAssembler,
    site: &'a Site,
    agent: &'a Agent,
    programs: &'a [Program],
    machine: Machine,
    here: Here,
}

/// What a half of a stub keeps and how its frame lies.
struct Frame {
    /// Fields that have to be in the context.
    stored: Fields,
    /// Registers that are loaded from there at the end.
    loaded: Fields,
    vectors: Kept,
    size: i32,
    /// Where the stack pointer of the probed instruction was, from `rbp`.
    stack: i32,
    /// Whether the flags are on the stack, just above the saved `rbp`.
    flags: bool,
    /// A program may have changed where to go on, on which stack, or the flags.
    redirects: bool,
    /// Programs may call what is hooked.
    guarded: bool,
}

impl Writer<'_> {
    fn frame(&self, programs: &[&Program], uses: Fields) -> Frame {
        let all = |of: fn(&Program) -> Fields| {
            programs.iter().fold(Fields::NONE, |fields, program| fields.union(of(program)))
        };
        let writes = all(|program| program.writes);
        let clobbers = all(|program| program.clobbers.registers);
        let vectors = programs.iter().map(|program| program.clobbers.vectors).max();
        let x87 = programs.iter().any(|program| program.clobbers.x87);
        // At an entry the x87 is empty.
        let x87 = x87 && !(self.site.entry && self.here == Here::Entry);
        let vectors =
            Kept::new(vectors.unwrap_or(Vectors::None), x87, self.machine, frame::VECTORS);
        let special = Fields::NONE.with(Field::Ip).with(Field::Sp).with(Field::Flags);
        let redirects = !writes.intersection(special).is_empty();
        let guarded = programs.iter().any(|program| program.calls_out);

        let mut stored = all(|program| program.reads).union(writes);
        if redirects {
            stored = stored.union(special).with(Field::Bp);
        }
        let mut uses = uses.union(vectors.changes());
        if !programs.is_empty() {
            uses = uses.with(Field::Di);
        }
        if programs.iter().any(|program| program.when == When::Session) {
            uses = uses.with(Field::Ax).with(Field::Cx).with(Field::Dx).with(Field::Si);
        }
        let through_rax = stored.iter().any(|field| register(field).is_none());
        if guarded || through_rax {
            uses = uses.with(Field::Ax);
        }
        if redirects {
            uses = uses.with(Field::Cx);
        }
        let loaded = writes.union(clobbers.intersection(Fields::CALLER_SAVED)).union(uses);
        stored = stored.union(loaded);
        let flags = self.here == Here::Entry && (!self.site.entry || stored.contains(Field::Flags));
        let stack = match self.here {
            Here::Entry => {
                8 + if flags { 8 } else { 0 } + if self.site.entry { 0 } else { RED_ZONE }
            }
            // rdx, rcx, rax and the return address.
            Here::Return => 8 + 4 * 8,
        };
        let size = frame::VECTORS + vectors.size();
        Frame { stored, loaded, vectors, size, stack, flags, redirects, guarded }
    }

    /// The half that the probed instruction leads to. The labels are the displaced instructions'.
    fn entry(&mut self, programs: &[&Program], back: Option<CodeLabel>) -> Result<Vec<CodeLabel>> {
        let cell = if back.is_some() {
            Fields::NONE.with(Field::Ax).with(Field::Cx).with(Field::Dx)
        } else {
            Fields::NONE
        };
        let frame = self.frame(programs, cell);
        // What an extension calls itself is none of its returns either.
        let checked = self.programs.iter().any(|program| program.calls_out);
        let mut on = self.a.create_label();
        let mut missed = self.a.create_label();
        let mut claim = back.map(|_| Claim::new(self.a));

        if frame.flags {
            self.push_flags()?;
        }
        if checked {
            self.a.cmp(rsp, qword_ptr(self.agent.words + words::GUARD).fs())?;
            self.a.jb(missed)?;
        }
        self.a.push(rbp)?;
        self.a.mov(rbp, rsp)?;
        self.open(&frame)?;
        if let (Some(claim), Some(back)) = (&mut claim, back) {
            self.claim(&frame, claim, back)?;
        }
        self.run(programs, 0)?;
        if back.is_some() {
            self.replace_return_address(&frame)?;
        }
        self.close(&frame)?;
        if frame.redirects {
            self.leave_by_iret(&frame, Some(on))?;
        } else {
            self.a.mov(rsp, rbp)?;
            self.a.pop(rbp)?;
            self.pop_flags(frame.flags)?;
        }
        self.a.set_label(&mut on)?;
        self.a.zero_bytes()?;
        let moved = displaced::add(self.a, self.site)?;

        if checked {
            self.a.set_label(&mut missed)?;
            self.a.push(rax)?;
            self.a.mov(rax, self.agent.missed)?;
            self.a.lock().inc(qword_ptr(rax))?;
            self.a.pop(rax)?;
            self.pop_flags(frame.flags)?;
            self.a.jmp(on)?;
        }
        if let Some(claim) = claim {
            self.claim_slowly(claim)?;
        }
        Ok(moved)
    }

    /// The half that the agent's trampoline leads to, with the cell in `rax`, and on the stack
    /// `rdx`, `rcx`, `rax` and the return address.
    fn returned(&mut self, programs: &[&Program]) -> Result<()> {
        let uses = Fields::NONE.with(Field::Ax).with(Field::Cx).with(Field::Dx);
        let frame = self.frame(programs, uses);
        self.a.push(rbp)?;
        self.a.mov(rbp, rsp)?;
        self.a.sub(rsp, frame.size)?;
        self.a.and(rsp, -frame.vectors.alignment())?;
        self.a.mov(qword_ptr(rsp + frame::CELL), rax)?;
        self.a.mov(rax, qword_ptr(rbp + 24))?;
        self.a.mov(rcx, qword_ptr(rbp + 16))?;
        self.a.mov(rdx, qword_ptr(rbp + 8))?;
        self.fill(&frame)?;
        self.run(programs, 1)?;
        // The cell is given back last: a cookie is in it.
        self.a.mov(rax, qword_ptr(rsp + frame::CELL))?;
        self.give_back()?;
        self.close(&frame)?;
        if frame.redirects {
            return self.leave_by_iret(&frame, None);
        }
        self.a.mov(rsp, rbp)?;
        self.a.pop(rbp)?;
        self.a.lea(rsp, ptr(rsp + 4 * 8))?;
        // Not `ret`: the processor has paired this call with the function's own already.
        self.a.notrack().jmp(qword_ptr(rsp - 8))?;
        Ok(())
    }

    /// Makes room and fills the context.
    fn open(&mut self, frame: &Frame) -> Result<()> {
        self.a.sub(rsp, frame.size)?;
        self.a.and(rsp, -frame.vectors.alignment())?;
        self.fill(frame)
    }

    fn fill(&mut self, frame: &Frame) -> Result<()> {
        store(self.a, frame.stored)?;
        for field in frame.stored.iter() {
            let place = rsp + field.offset();
            match field {
                Field::Bp => self.a.mov(rax, qword_ptr(rbp))?,
                Field::Sp => self.a.lea(rax, ptr(rbp + frame.stack))?,
                Field::Ip if self.here == Here::Entry => self.a.mov(rax, self.site.point)?,
                Field::Ip => self.a.mov(rax, qword_ptr(rbp + (frame.stack - 8)))?,
                Field::Flags if frame.flags => self.a.mov(rax, qword_ptr(rbp + 8))?,
                Field::Flags => self.a.mov(eax, FLAGS)?,
                Field::OrigAx => self.a.mov(rax, -1i64)?,
                Field::Cs => self.a.mov(eax, CS)?,
                Field::Ss => self.a.mov(eax, SS)?,
                _ => continue,
            }
            self.a.mov(qword_ptr(place), rax)?;
        }
        if frame.guarded {
            let guard = self.agent.words + words::GUARD;
            self.a.mov(rax, qword_ptr(guard).fs())?;
            self.a.mov(qword_ptr(rsp + frame::GUARD), rax)?;
            self.a.mov(qword_ptr(guard).fs(), rsp)?;
        }
        frame.vectors.save(self.a)
    }

    /// Runs the programs, one after the other.
    fn run(&mut self, programs: &[&Program], returning: u32) -> Result<()> {
        let mut session = 0u32;
        for program in programs {
            if program.when != When::Session {
                self.a.mov(rdi, rsp)?;
                self.a.call(program.address)?;
                continue;
            }
            let mut skip = self.a.create_label();
            self.a.mov(rax, qword_ptr(rsp + frame::CELL))?;
            if returning == 0 {
                // Without a cell there will be no return, and the cookie is forgotten.
                self.a.lea(rsi, ptr(rax + (cell::COOKIES + 8 * session as i32)))?;
                self.a.lea(rcx, ptr(rsp + frame::IRET))?;
                self.a.test(rax, rax)?;
                self.a.cmove(rsi, rcx)?;
            } else {
                self.a.bt(dword_ptr(rax + cell::WANTED), session)?;
                self.a.jnc(skip)?;
                self.a.lea(rsi, ptr(rax + (cell::COOKIES + 8 * session as i32)))?;
            }
            self.a.mov(edx, returning)?;
            self.a.mov(rdi, rsp)?;
            self.a.call(program.address)?;
            if returning == 0 {
                self.a.test(eax, eax)?;
                self.a.je(skip)?;
                self.a.mov(rax, qword_ptr(rsp + frame::CELL))?;
                self.a.test(rax, rax)?;
                self.a.je(skip)?;
                self.a.btr(dword_ptr(rax + cell::WANTED), session)?;
            }
            self.a.set_label(&mut skip)?;
            self.a.zero_bytes()?;
            session += 1;
        }
        Ok(())
    }

    /// Loads what the programs changed.
    fn close(&mut self, frame: &Frame) -> Result<()> {
        frame.vectors.restore(self.a)?;
        if frame.guarded {
            self.a.mov(rax, qword_ptr(rsp + frame::GUARD))?;
            self.a.mov(qword_ptr(self.agent.words + words::GUARD).fs(), rax)?;
        }
        if frame.loaded.contains(Field::Bp) && !frame.redirects {
            self.a.mov(rax, qword_ptr(rsp + Field::Bp.offset()))?;
            self.a.mov(qword_ptr(rbp), rax)?;
        }
        if !frame.redirects {
            load(self.a, frame.loaded)?;
        }
        Ok(())
    }

    /// Loads everything and goes to where the context says, on the stack that it says. `on` is
    /// where an unchanged address leads to.
    fn leave_by_iret(&mut self, frame: &Frame, on: Option<CodeLabel>) -> Result<()> {
        let field = |field: Field| qword_ptr(rsp + field.offset());
        let part = |number: i32| qword_ptr(rsp + (frame::IRET + 8 * number));
        self.a.mov(rax, field(Field::Ip))?;
        if let Some(on) = on {
            let mut elsewhere = self.a.create_label();
            self.a.mov(rcx, self.site.point)?;
            self.a.cmp(rax, rcx)?;
            self.a.jne(elsewhere)?;
            self.a.lea(rax, ptr(on))?;
            self.a.set_label(&mut elsewhere)?;
            self.a.zero_bytes()?;
        }
        self.a.mov(part(0), rax)?;
        self.a.mov(part(1), CS)?;
        self.a.mov(eax, dword_ptr(rsp + Field::Flags.offset()))?;
        self.a.and(eax, CHANGEABLE_FLAGS)?;
        self.a.or(eax, FLAGS)?;
        self.a.mov(part(2), rax)?;
        self.a.mov(rax, field(Field::Sp))?;
        self.a.mov(part(3), rax)?;
        self.a.mov(part(4), SS)?;
        load(self.a, frame.loaded)?;
        self.a.mov(rbp, field(Field::Bp))?;
        self.a.lea(rsp, ptr(rsp + frame::IRET))?;
        self.a.iretq()?;
        Ok(())
    }

    fn push_flags(&mut self) -> Result<()> {
        if self.site.entry {
            self.a.pushfq()?;
            return Ok(());
        }
        let mut fine = self.a.create_label();
        self.a.lea(rsp, ptr(rsp - RED_ZONE))?;
        self.a.pushfq()?;
        self.a.test(dword_ptr(rsp), UNEXPECTED_FLAGS)?;
        self.a.je(fine)?;
        self.a.push(2)?;
        self.a.popfq()?;
        self.a.set_label(&mut fine)?;
        self.a.zero_bytes()?;
        Ok(())
    }

    fn pop_flags(&mut self, pushed: bool) -> Result<()> {
        if !pushed {
            return Ok(());
        }
        self.a.popfq()?;
        if !self.site.entry {
            self.a.lea(rsp, ptr(rsp + RED_ZONE))?;
        }
        Ok(())
    }
}

/// The places that taking a cell jumps between.
struct Claim {
    slowly: CodeLabel,
    claimed: CodeLabel,
    none: CodeLabel,
}

impl Claim {
    fn new(a: &mut CodeAssembler) -> Self {
        Self { slowly: a.create_label(), claimed: a.create_label(), none: a.create_label() }
    }
}

/// The cell of a call whose return is hooked.
///
/// A signal's handler may come between any two instructions and take and give back cells itself.
/// So a cell is claimed before it is written, and claimed once more when it is complete: should a
/// handler in between have taken it for one that was left behind, for it was empty, then it has
/// given it back by now.
impl Writer<'_> {
    /// Takes the next cell; its address is in the frame then, 0 if there is none.
    fn claim(&mut self, frame: &Frame, claim: &mut Claim, back: CodeLabel) -> Result<()> {
        let top = self.agent.words + words::TOP;
        let end = self.agent.words + words::END;
        self.a.lea(rcx, ptr(rbp + frame.stack))?;
        self.a.mov(rax, qword_ptr(top).fs())?;
        self.a.cmp(rax, qword_ptr(end).fs())?;
        self.a.jae(claim.slowly)?;
        // The call before has its slot above, unless it was left behind, or a coroutine's.
        self.a.cmp(rcx, qword_ptr(rax + (cell::SLOT - cell::SIZE)))?;
        self.a.jae(claim.slowly)?;
        self.a.lea(rdx, ptr(rax + cell::SIZE))?;
        self.a.mov(qword_ptr(top).fs(), rdx)?;
        self.a.set_label(&mut claim.claimed)?;
        self.a.mov(qword_ptr(rax + cell::SLOT), rcx)?;
        self.a.mov(rdx, qword_ptr(rcx))?;
        self.a.mov(qword_ptr(rax + cell::RETURN), rdx)?;
        self.a.lea(rdx, ptr(back))?;
        self.a.mov(qword_ptr(rax + cell::STUB), rdx)?;
        let sessions = self.sessions();
        if sessions > 0 {
            let always =
                u32::from(self.programs.iter().any(|program| program.when == When::Return));
            let wanted = ((1u32 << sessions) - 1) | (always << ALWAYS);
            self.a.mov(dword_ptr(rax + cell::WANTED), wanted)?;
            for session in 0..sessions {
                self.a.mov(qword_ptr(rax + (cell::COOKIES + 8 * session as i32)), 0)?;
            }
        }
        self.a.lea(rdx, ptr(rax + cell::SIZE))?;
        self.a.mov(qword_ptr(top).fs(), rdx)?;
        self.a.set_label(&mut claim.none)?;
        self.a.mov(qword_ptr(rsp + frame::CELL), rax)?;
        Ok(())
    }

    fn claim_slowly(&mut self, mut claim: Claim) -> Result<()> {
        self.a.set_label(&mut claim.slowly)?;
        self.a.mov(rax, self.agent.enter)?;
        self.a.call(rax)?;
        self.a.test(rax, rax)?;
        self.a.jne(claim.claimed)?;
        self.a.jmp(claim.none)?;
        Ok(())
    }

    /// Has the function return to the trampoline, if a program wants to see it.
    fn replace_return_address(&mut self, frame: &Frame) -> Result<()> {
        let mut wanted = self.a.create_label();
        let mut done = self.a.create_label();
        self.a.mov(rax, qword_ptr(rsp + frame::CELL))?;
        self.a.test(rax, rax)?;
        self.a.je(done)?;
        if self.sessions() > 0 {
            self.a.cmp(dword_ptr(rax + cell::WANTED), 0)?;
            self.a.jne(wanted)?;
            self.give_back()?;
            self.a.jmp(done)?;
            self.a.set_label(&mut wanted)?;
        }
        // Read again: a program may have changed it.
        self.a.mov(rcx, qword_ptr(rbp + frame.stack))?;
        self.a.mov(qword_ptr(rax + cell::RETURN), rcx)?;
        self.a.mov(rcx, self.agent.trampoline)?;
        self.a.mov(qword_ptr(rbp + frame.stack), rcx)?;
        self.a.set_label(&mut done)?;
        self.a.zero_bytes()?;
        Ok(())
    }

    /// Gives back the cell in `rax`. Its slot says that it is empty before it is on top again.
    fn give_back(&mut self) -> Result<()> {
        self.a.mov(qword_ptr(rax + cell::SLOT), 0)?;
        self.a.mov(qword_ptr(self.agent.words + words::TOP).fs(), rax)?;
        Ok(())
    }

    fn sessions(&self) -> usize {
        self.programs.iter().filter(|program| program.when == When::Session).count()
    }
}
