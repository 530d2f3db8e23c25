// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which functions a stopped thread is in.

use std::collections::HashMap;
use std::rc::Rc;

use anyhow::{Context as _, Result, bail, ensure};
use gimli::{
    BaseAddresses, CfaRule, EhFrame, EhFrameHdr, Encoding, EndianSlice, EvaluationResult, Format,
    LittleEndian, Location, ParsedEhFrameHdr, Pointer, Register, RegisterRule, UnwindContext,
    UnwindExpression, UnwindSection as _, UnwindTableRow, Value, X86_64,
};

use super::image::Image;
use super::memory::Memory;

/// No stack that is walked is deeper.
const DEEPEST: usize = 500;
/// Registers that unwinding knows of, by DWARF's numbers: up to the return address.
const REGISTERS: usize = 17;
/// How many steps an expression may take.
const STEPS: usize = 1_000;
/// No information for unwinding is longer.
const LONGEST: u64 = 256 << 20;

type Slice<'a> = EndianSlice<'a, LittleEndian>;

/// A function that a thread is in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    /// The instruction: the one that runs next, or the call's last byte.
    pub(super) address: u64,
    /// Whether it is what a handler of signals returns to.
    pub(super) signal: bool,
}

/// The registers of a function.
#[derive(Clone, Copy, Debug)]
pub(super) struct Registers([Option<u64>; REGISTERS]);

impl Registers {
    pub(super) fn of(regs: &libc::user_regs_struct) -> Self {
        // In DWARF's order.
        Self(
            [
                regs.rax, regs.rdx, regs.rcx, regs.rbx, regs.rsi, regs.rdi, regs.rbp, regs.rsp,
                regs.r8, regs.r9, regs.r10, regs.r11, regs.r12, regs.r13, regs.r14, regs.r15,
                regs.rip,
            ]
            .map(Some),
        )
    }

    fn get(&self, register: Register) -> Result<u64> {
        let value = self.0.get(usize::from(register.0)).copied().flatten();
        value.with_context(|| format!("the register {} is not known", register.0))
    }
}

/// The functions that a thread with these registers is in, the innermost first, as far as there is
/// information for unwinding.
pub(super) fn walk(memory: &Memory, images: &[Image], registers: Registers) -> Vec<Frame> {
    let mut frames = Vec::new();
    let mut sections = Sections { memory, read: HashMap::new() };
    let mut registers = registers;
    let mut exact = true;
    while frames.len() < DEEPEST {
        let Ok(next) = registers.get(X86_64::RA) else { break };
        let address = if exact { next } else { next.wrapping_sub(1) };
        if next == 0 {
            break;
        }
        frames.push(Frame { address, signal: false });
        let Some(image) = images.iter().find(|image| image.range.contains(&address)) else { break };
        let Ok((caller, signal)) = step(&mut sections, image, address, &registers) else { break };
        if let Some(frame) = frames.last_mut() {
            frame.signal = signal;
        }
        exact = signal;
        registers = caller;
    }
    frames
}

/// The caller's registers, and whether the function is a handler's return.
fn step(
    sections: &mut Sections<'_>,
    image: &Image,
    address: u64,
    registers: &Registers,
) -> Result<(Registers, bool)> {
    let index = image.unwinding.clone().context("it has no information for unwinding")?;
    let header = sections.get(index.start, index.end)?;
    let bases = BaseAddresses::default().set_eh_frame_hdr(index.start);
    let parsed: ParsedEhFrameHdr<Slice<'_>> =
        EhFrameHdr::new(&header, LittleEndian).parse(&bases, 8)?;
    let Pointer::Direct(start) = parsed.eh_frame_ptr() else { bail!("it is found indirectly") };
    let range = image.rest(start).context("its information for unwinding is not there")?;
    let bytes = sections.get(range.start, range.end)?;
    let bases = bases.set_eh_frame(start);
    let section = EhFrame::new(&bytes, LittleEndian);
    let table = parsed.table().context("its information for unwinding has no index")?;
    let entry = table.fde_for_address(&section, &bases, address, EhFrame::cie_from_offset)?;
    let mut context = UnwindContext::new();
    let row = entry.unwind_info_for_address(&section, &bases, &mut context, address)?;
    let memory = sections.memory;
    let eval = Eval { memory, section: &section, registers, encoding: entry.cie().encoding() };
    Ok((eval.caller(row)?, entry.is_signal_trampoline()))
}

/// Information for unwinding, read once for a walk.
struct Sections<'a> {
    memory: &'a Memory,
    read: HashMap<u64, Rc<[u8]>>,
}

impl Sections<'_> {
    fn get(&mut self, start: u64, end: u64) -> Result<Rc<[u8]>> {
        if let Some(bytes) = self.read.get(&start) {
            return Ok(Rc::clone(bytes));
        }
        let length = end.saturating_sub(start);
        ensure!(length < LONGEST, "its information for unwinding is too long");
        let bytes: Rc<[u8]> = self.memory.read(start, length as usize)?.into();
        self.read.insert(start, Rc::clone(&bytes));
        Ok(bytes)
    }
}

/// What rules are made out with.
struct Eval<'a> {
    memory: &'a Memory,
    section: &'a EhFrame<Slice<'a>>,
    registers: &'a Registers,
    encoding: Encoding,
}

impl Eval<'_> {
    fn caller(&self, row: &UnwindTableRow<usize>) -> Result<Registers> {
        let frame = match row.cfa() {
            CfaRule::RegisterAndOffset { register, offset } => {
                self.registers.get(*register)?.wrapping_add_signed(*offset)
            }
            CfaRule::Expression(expression) => self.expression(expression, None)?,
        };
        let mut caller = *self.registers;
        for (number, value) in caller.0.iter_mut().enumerate() {
            let own = *value;
            *value = match row.register(Register(number as u16)) {
                // The return address is undefined where there is no caller.
                None if number < REGISTERS - 1 => own,
                None | Some(RegisterRule::Undefined) => None,
                Some(RegisterRule::SameValue) => own,
                Some(RegisterRule::Offset(offset)) => {
                    Some(self.memory.number(frame.wrapping_add_signed(offset))?)
                }
                Some(RegisterRule::ValOffset(offset)) => Some(frame.wrapping_add_signed(offset)),
                Some(RegisterRule::Register(other)) => Some(self.registers.get(other)?),
                Some(RegisterRule::Expression(expression)) => {
                    Some(self.memory.number(self.expression(&expression, Some(frame))?)?)
                }
                Some(RegisterRule::ValExpression(expression)) => {
                    Some(self.expression(&expression, Some(frame))?)
                }
                Some(other) => bail!("a rule is of an unknown kind: {other:?}"),
            };
        }
        let pointer = &mut caller.0[usize::from(X86_64::RSP.0)];
        if row.register(X86_64::RSP).is_none() {
            *pointer = Some(frame);
        }
        Ok(caller)
    }

    fn expression(&self, expression: &UnwindExpression<usize>, first: Option<u64>) -> Result<u64> {
        let expression = expression.get(self.section)?;
        let encoding = Encoding { format: Format::Dwarf32, ..self.encoding };
        let mut evaluation = expression.evaluation(encoding);
        if let Some(first) = first {
            evaluation.set_initial_value(first);
        }
        let mut result = evaluation.evaluate()?;
        for _ in 0..STEPS {
            result = match result {
                EvaluationResult::Complete => {
                    let pieces = evaluation.result();
                    let [piece] = pieces.as_slice() else { bail!("it has several results") };
                    return match piece.location {
                        Location::Address { address } => Ok(address),
                        Location::Value { value: Value::Generic(value) } => Ok(value),
                        _ => bail!("its result is no address"),
                    };
                }
                EvaluationResult::RequiresMemory { address, size, .. } => {
                    let bytes = self.memory.read(address, usize::from(size.min(8)))?;
                    let mut value = [0; 8];
                    value[..bytes.len()].copy_from_slice(&bytes);
                    let value = Value::Generic(u64::from_le_bytes(value));
                    evaluation.resume_with_memory(value)?
                }
                EvaluationResult::RequiresRegister { register, .. } => {
                    let value = Value::Generic(self.registers.get(register)?);
                    evaluation.resume_with_register(value)?
                }
                other => bail!("it asks for {other:?}"),
            };
        }
        bail!("it takes too long")
    }
}
