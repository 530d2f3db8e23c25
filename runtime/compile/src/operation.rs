// SPDX-License-Identifier: MIT OR Apache-2.0
//! What an instruction means. Everything that the kernel reserves is refused here, so that later
//! stages need not think of it.

use anyhow::{Result, bail, ensure};

use crate::instruction::Instruction;
use crate::opcode::{X, alu, atomic, call, class, jump, mode, pseudo, size};
use crate::target::{Map, Target};

/// The number of a register, 0 to 10.
pub(crate) type Register = u8;

/// The register that points to the end of the frame and is never written.
pub(crate) const FRAME: Register = 10;

/// How many bits of the registers an operation works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Width {
    W32,
    W64,
}

/// The second operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Register(Register),
    Immediate(i32),
}

/// Arithmetic with two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alu {
    Add,
    Sub,
    Mul,
    Div,
    SignedDiv,
    Mod,
    SignedMod,
    Or,
    And,
    Xor,
    ShiftLeft,
    ShiftRight,
    ArithmeticShiftRight,
    Move,
}

/// How the bytes of a value are ordered anew. The machine is little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ByteOrder {
    /// Only cuts off the upper bits.
    Keep,
    Reverse,
}

/// When a branch is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    Equal,
    NotEqual,
    /// Some bit is set in both.
    Common,
    Greater,
    GreaterEqual,
    Less,
    LessEqual,
    SignedGreater,
    SignedGreaterEqual,
    SignedLess,
    SignedLessEqual,
}

/// What an atomic instruction does to memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Atomic {
    Add,
    And,
    Or,
    Xor,
    Exchange,
}

/// A place in memory: so many bytes at a register and an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) base: Register,
    pub(crate) offset: i16,
    /// 1, 2, 4 or 8.
    pub(crate) bytes: u8,
}

/// A decoded instruction. Targets are indices of instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Alu {
        width: Width,
        op: Alu,
        dst: Register,
        source: Source,
    },
    Negate {
        width: Width,
        dst: Register,
    },
    SignExtend {
        width: Width,
        bits: u8,
        dst: Register,
        src: Register,
    },
    Reorder {
        order: ByteOrder,
        bits: u8,
        dst: Register,
    },
    Constant {
        dst: Register,
        value: u64,
    },
    /// The address of something outside of the program.
    Address {
        dst: Register,
        target: Target,
        addend: i64,
    },
    /// The address of a function of the program.
    Function {
        dst: Register,
        start: usize,
    },
    Load {
        dst: Register,
        place: Place,
        signed: bool,
    },
    Store {
        place: Place,
        value: Source,
    },
    Atomic {
        place: Place,
        op: Atomic,
        src: Register,
        fetch: bool,
    },
    /// Stores the source if r0 is what is there; r0 becomes what was there.
    CompareExchange {
        place: Place,
        src: Register,
    },
    LoadAcquire {
        dst: Register,
        place: Place,
    },
    StoreRelease {
        place: Place,
        src: Register,
    },
    Jump {
        to: usize,
    },
    Branch {
        width: Width,
        condition: Condition,
        left: Register,
        right: Source,
        to: usize,
    },
    /// Jumps once the function went on often enough.
    MayGoto {
        to: usize,
    },
    CallLocal {
        start: usize,
    },
    Call {
        target: Target,
    },
    Exit,
}

impl Operation {
    /// The register that is written, apart from what calls do.
    pub(crate) fn written(&self) -> Option<Register> {
        match *self {
            Operation::Alu { dst, .. }
            | Operation::Negate { dst, .. }
            | Operation::SignExtend { dst, .. }
            | Operation::Reorder { dst, .. }
            | Operation::Constant { dst, .. }
            | Operation::Address { dst, .. }
            | Operation::Function { dst, .. }
            | Operation::Load { dst, .. }
            | Operation::LoadAcquire { dst, .. } => Some(dst),
            Operation::Atomic { src, fetch: true, .. } => Some(src),
            Operation::CompareExchange { .. } => Some(0),
            _ => None,
        }
    }

    /// The instruction that it may jump to.
    pub(crate) fn jump(&self) -> Option<usize> {
        match *self {
            Operation::Jump { to } | Operation::Branch { to, .. } | Operation::MayGoto { to } => {
                Some(to)
            }
            _ => None,
        }
    }

    /// Whether the next instruction can be reached from it.
    pub(crate) fn falls_through(&self) -> bool {
        !matches!(self, Operation::Jump { .. } | Operation::Exit)
    }
}

/// Decodes the instruction at `index`, and says how many instructions it takes.
pub(crate) fn decode(instructions: &[Instruction], index: usize) -> Result<(Operation, usize)> {
    let Some(&insn) = instructions.get(index) else { bail!("the program ends before it") };
    for (register, role) in [(insn.dst, "destination"), (insn.src, "source")] {
        // Calls and constants give the source another meaning, within the same bounds.
        ensure!(register <= FRAME, "its {role} is register {register}; there are only r0 to r10");
    }
    let operation = match insn.code & 0x07 {
        class::ALU => arithmetic(insn, Width::W32)?,
        class::ALU64 => arithmetic(insn, Width::W64)?,
        class::JMP => transfer(insn, index, Width::W64)?,
        class::JMP32 => transfer(insn, index, Width::W32)?,
        class::LDX => load(insn)?,
        class::ST => store_immediate(insn)?,
        class::STX => store_register(insn)?,
        _ => return Ok((load_constant(insn, instructions.get(index + 1), index)?, 2)),
    };
    ensure!(operation.written() != Some(FRAME), "it writes to r10, which is read-only");
    Ok((operation, 1))
}

/// Refuses values in fields that have no meaning for the instruction.
fn reserved(what: &str, fields: &[(&str, i64)]) -> Result<()> {
    for (field, value) in fields {
        ensure!(*value == 0, "the {field} of {what} is reserved, and is {value}");
    }
    Ok(())
}

/// The second operand of arithmetic and branches; whichever form is not used has to be zero.
fn source(insn: Instruction) -> Result<Source> {
    if insn.code & X != 0 {
        reserved("an instruction on two registers", &[("immediate", insn.imm.into())])?;
        Ok(Source::Register(insn.src))
    } else {
        reserved("an instruction with an immediate", &[("source register", insn.src.into())])?;
        Ok(Source::Immediate(insn.imm))
    }
}

fn arithmetic(insn: Instruction, width: Width) -> Result<Operation> {
    let Instruction { dst, off, .. } = insn;
    let signed = |unsigned, signed| -> Result<Alu> {
        match off {
            0 => Ok(unsigned),
            1 => Ok(signed),
            _ => bail!("its offset is {off}; 0 means unsigned and 1 signed"),
        }
    };
    let plain = |op| -> Result<Alu> {
        reserved("arithmetic", &[("offset", off.into())])?;
        Ok(op)
    };
    let op = match insn.code & 0xf0 {
        alu::ADD => plain(Alu::Add)?,
        alu::SUB => plain(Alu::Sub)?,
        alu::MUL => plain(Alu::Mul)?,
        alu::DIV => signed(Alu::Div, Alu::SignedDiv)?,
        alu::OR => plain(Alu::Or)?,
        alu::AND => plain(Alu::And)?,
        alu::LSH => plain(Alu::ShiftLeft)?,
        alu::RSH => plain(Alu::ShiftRight)?,
        alu::MOD => signed(Alu::Mod, Alu::SignedMod)?,
        alu::XOR => plain(Alu::Xor)?,
        alu::ARSH => plain(Alu::ArithmeticShiftRight)?,
        alu::MOV => return move_value(insn, width),
        alu::NEG => {
            let fields = [
                ("source", source_bits(insn)),
                ("offset", off.into()),
                ("immediate", insn.imm.into()),
            ];
            reserved("neg", &fields)?;
            return Ok(Operation::Negate { width, dst });
        }
        alu::END => return reorder(insn, width),
        _ => bail!("there is no such arithmetic"),
    };
    Ok(Operation::Alu { width, op, dst, source: source(insn)? })
}

/// The source register together with the bit that says whether it is meant.
fn source_bits(insn: Instruction) -> i64 {
    i64::from(insn.src) | i64::from(insn.code & X)
}

fn move_value(insn: Instruction, width: Width) -> Result<Operation> {
    let Instruction { dst, src, off, .. } = insn;
    if insn.code & X != 0 && off == 1 {
        bail!("addr_space_cast: arenas are not supported");
    }
    let source = source(insn)?;
    match (source, off, width) {
        (_, 0, _) => Ok(Operation::Alu { width, op: Alu::Move, dst, source }),
        (Source::Register(_), 8 | 16, _) | (Source::Register(_), 32, Width::W64) => {
            let bits = if off == 8 {
                8
            } else if off == 16 {
                16
            } else {
                32
            };
            Ok(Operation::SignExtend { width, bits, dst, src })
        }
        _ => bail!("its offset is {off}; a move sign-extends from 8, 16 or (64-bit) 32 bits"),
    }
}

fn reorder(insn: Instruction, width: Width) -> Result<Operation> {
    let fields = [("source register", insn.src.into()), ("offset", insn.off.into())];
    reserved("a change of byte order", &fields)?;
    let order = match (width, insn.code & X != 0) {
        (Width::W32, false) => ByteOrder::Keep,
        (Width::W32, true) | (Width::W64, false) => ByteOrder::Reverse,
        (Width::W64, true) => bail!("there is no such change of byte order"),
    };
    let bits = match insn.imm {
        16 => 16,
        32 => 32,
        64 => 64,
        bits => bail!("byte order can be changed for 16, 32 or 64 bits, not {bits}"),
    };
    Ok(Operation::Reorder { order, bits, dst: insn.dst })
}

/// Where a jump leads that is `distance` from the next instruction.
fn jump_target(index: usize, distance: i64) -> Result<usize> {
    let target = i64::try_from(index)? + 1 + distance;
    usize::try_from(target).map_err(|_| anyhow::anyhow!("it jumps to before the program"))
}

fn transfer(insn: Instruction, index: usize, width: Width) -> Result<Operation> {
    let Instruction { dst, src, off, imm, .. } = insn;
    let near = || jump_target(index, off.into());
    let condition = match (insn.code & 0xf0, width) {
        (jump::JA, _) => return unconditional(insn, index, width),
        (jump::CALL, Width::W64) => return calling(insn, index),
        (jump::EXIT, Width::W64) => {
            let fields = [
                ("source", source_bits(insn)),
                ("destination register", dst.into()),
                ("offset", off.into()),
                ("immediate", imm.into()),
            ];
            reserved("exit", &fields)?;
            return Ok(Operation::Exit);
        }
        (jump::JCOND, Width::W64) => {
            ensure!(src == 0, "conditional jump of kind {src} is unknown; may_goto is 0");
            let fields = [
                ("source", (insn.code & X).into()),
                ("destination register", dst.into()),
                ("immediate", imm.into()),
            ];
            reserved("may_goto", &fields)?;
            return Ok(Operation::MayGoto { to: near()? });
        }
        (jump::JEQ, _) => Condition::Equal,
        (jump::JNE, _) => Condition::NotEqual,
        (jump::JSET, _) => Condition::Common,
        (jump::JGT, _) => Condition::Greater,
        (jump::JGE, _) => Condition::GreaterEqual,
        (jump::JLT, _) => Condition::Less,
        (jump::JLE, _) => Condition::LessEqual,
        (jump::JSGT, _) => Condition::SignedGreater,
        (jump::JSGE, _) => Condition::SignedGreaterEqual,
        (jump::JSLT, _) => Condition::SignedLess,
        (jump::JSLE, _) => Condition::SignedLessEqual,
        _ => bail!("there is no such jump"),
    };
    Ok(Operation::Branch { width, condition, left: dst, right: source(insn)?, to: near()? })
}

fn unconditional(insn: Instruction, index: usize, width: Width) -> Result<Operation> {
    ensure!(insn.code & X == 0, "indirect jumps (gotox) are not supported");
    let fields = [("destination register", insn.dst.into()), ("source register", insn.src.into())];
    reserved("a jump", &fields)?;
    let distance = match width {
        Width::W64 => {
            reserved("goto", &[("immediate", insn.imm.into())])?;
            insn.off.into()
        }
        Width::W32 => {
            reserved("gotol", &[("offset", insn.off.into())])?;
            insn.imm.into()
        }
    };
    Ok(Operation::Jump { to: jump_target(index, distance)? })
}

fn calling(insn: Instruction, index: usize) -> Result<Operation> {
    let Instruction { dst, src, off, imm, .. } = insn;
    ensure!(insn.code & X == 0, "calls of what a register points to (callx) are not supported");
    reserved("a call", &[("destination register", dst.into())])?;
    if src != call::KFUNC {
        reserved("a call", &[("offset", off.into())])?;
    }
    match src {
        // The kernel's numbers are unsigned; a negative one is merely unknown.
        call::HELPER => Ok(Operation::Call { target: Target::Helper(imm.cast_unsigned()) }),
        call::LOCAL => Ok(Operation::CallLocal { start: jump_target(index, imm.into())? }),
        call::KFUNC => Ok(Operation::Call { target: Target::Kfunc { id: imm, module: off } }),
        _ => bail!("a call of kind {src} is unknown"),
    }
}

fn bytes(code: u8) -> u8 {
    match code & 0x18 {
        size::B => 1,
        size::H => 2,
        size::W => 4,
        _ => 8,
    }
}

fn load(insn: Instruction) -> Result<Operation> {
    reserved("a load", &[("immediate", insn.imm.into())])?;
    let place = Place { base: insn.src, offset: insn.off, bytes: bytes(insn.code) };
    let signed = match insn.code & 0xe0 {
        mode::MEM => false,
        mode::MEMSX => {
            ensure!(place.bytes < 8, "there is nothing to sign-extend in a load of 8 bytes");
            true
        }
        _ => bail!("there is no such load"),
    };
    Ok(Operation::Load { dst: insn.dst, place, signed })
}

fn store_immediate(insn: Instruction) -> Result<Operation> {
    ensure!(insn.code & 0xe0 == mode::MEM, "there is no such store");
    reserved("a store of an immediate", &[("source register", insn.src.into())])?;
    let place = Place { base: insn.dst, offset: insn.off, bytes: bytes(insn.code) };
    Ok(Operation::Store { place, value: Source::Immediate(insn.imm) })
}

fn store_register(insn: Instruction) -> Result<Operation> {
    let place = Place { base: insn.dst, offset: insn.off, bytes: bytes(insn.code) };
    match insn.code & 0xe0 {
        mode::MEM => {
            reserved("a store", &[("immediate", insn.imm.into())])?;
            Ok(Operation::Store { place, value: Source::Register(insn.src) })
        }
        mode::ATOMIC => atomically(insn, place),
        _ => bail!("there is no such store"),
    }
}

fn atomically(insn: Instruction, place: Place) -> Result<Operation> {
    let Instruction { dst, src, imm, .. } = insn;
    match imm {
        atomic::LOAD_ACQ => {
            return Ok(Operation::LoadAcquire { dst, place: Place { base: src, ..place } });
        }
        atomic::STORE_REL => return Ok(Operation::StoreRelease { place, src }),
        _ => {}
    }
    ensure!(
        place.bytes >= 4,
        "atomic operation {imm:#x} works on 4 or 8 bytes, not on {}",
        place.bytes
    );
    let op = match imm & !atomic::FETCH {
        atomic::ADD => Atomic::Add,
        atomic::OR => Atomic::Or,
        atomic::AND => Atomic::And,
        atomic::XOR => Atomic::Xor,
        _ if imm == atomic::XCHG => Atomic::Exchange,
        _ if imm == atomic::CMPXCHG => return Ok(Operation::CompareExchange { place, src }),
        _ => bail!("there is no atomic operation {imm:#x}"),
    };
    Ok(Operation::Atomic { place, op, src, fetch: imm & atomic::FETCH != 0 })
}

fn load_constant(
    insn: Instruction,
    second: Option<&Instruction>,
    index: usize,
) -> Result<Operation> {
    match insn.code & 0xe0 {
        mode::ABS | mode::IND => {
            bail!("the legacy packet loads LD_ABS and LD_IND are not supported")
        }
        mode::IMM if insn.code & 0x18 == size::DW => {}
        _ => bail!("there is no such load"),
    }
    let Some(second) = second else { bail!("the program ends within ld_imm64") };
    ensure!(
        Instruction { imm: 0, ..*second } == Instruction::default(),
        "the second half of ld_imm64 has values in reserved fields"
    );
    reserved("ld_imm64", &[("offset", insn.off.into())])?;
    let Instruction { dst, src, imm, .. } = insn;
    ensure!(dst != FRAME, "it writes to r10, which is read-only");
    let address = |target, addend| Ok(Operation::Address { dst, target, addend });
    let no_second = |what| reserved(what, &[("second immediate", second.imm.into())]);
    match src {
        pseudo::CONSTANT => {
            let (low, high) = (imm.cast_unsigned(), second.imm.cast_unsigned());
            Ok(Operation::Constant { dst, value: u64::from(low) | u64::from(high) << 32 })
        }
        pseudo::MAP_FD => {
            no_second("a map")?;
            address(Target::Map(Map::Descriptor(imm)), 0)
        }
        // An offset into the value, unsigned as in the kernel.
        pseudo::MAP_VALUE => {
            address(Target::MapValue(Map::Descriptor(imm)), second.imm.cast_unsigned().into())
        }
        pseudo::BTF_ID => address(Target::Variable { id: imm, module: second.imm }, 0),
        pseudo::FUNC => {
            no_second("a function")?;
            Ok(Operation::Function { dst, start: jump_target(index, imm.into())? })
        }
        pseudo::MAP_IDX => {
            no_second("a map")?;
            address(Target::Map(Map::Index(imm)), 0)
        }
        pseudo::MAP_IDX_VALUE => {
            address(Target::MapValue(Map::Index(imm)), second.imm.cast_unsigned().into())
        }
        _ => bail!("a 64-bit constant of kind {src} is unknown"),
    }
}
