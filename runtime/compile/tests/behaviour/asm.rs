// SPDX-License-Identifier: MIT OR Apache-2.0
//! Instructions, written short.

use ufunc_compile::Instruction;
use ufunc_compile::opcode::{X, alu, atomic, call, class, jump, mode, pseudo, size};

pub(crate) const R0: u8 = 0;
pub(crate) const R1: u8 = 1;
pub(crate) const R2: u8 = 2;
pub(crate) const R3: u8 = 3;
pub(crate) const R4: u8 = 4;
pub(crate) const R5: u8 = 5;
pub(crate) const R6: u8 = 6;
pub(crate) const R7: u8 = 7;
pub(crate) const R8: u8 = 8;
pub(crate) const R9: u8 = 9;
pub(crate) const R10: u8 = 10;

/// An instruction of all its fields.
pub(crate) fn raw(code: u8, dst: u8, src: u8, off: i16, imm: i32) -> Instruction {
    Instruction { code, dst, src, off, imm }
}

/// 64-bit arithmetic with an immediate; `op` is one of [`alu`].
pub(crate) fn alu64_imm(op: u8, dst: u8, imm: i32) -> Instruction {
    raw(class::ALU64 | op, dst, 0, 0, imm)
}

/// 64-bit arithmetic with a register.
pub(crate) fn alu64(op: u8, dst: u8, src: u8) -> Instruction {
    raw(class::ALU64 | op | X, dst, src, 0, 0)
}

/// 32-bit arithmetic with an immediate.
pub(crate) fn alu32_imm(op: u8, dst: u8, imm: i32) -> Instruction {
    raw(class::ALU | op, dst, 0, 0, imm)
}

/// 32-bit arithmetic with a register.
pub(crate) fn alu32(op: u8, dst: u8, src: u8) -> Instruction {
    raw(class::ALU | op | X, dst, src, 0, 0)
}

pub(crate) fn mov(dst: u8, src: u8) -> Instruction {
    alu64(alu::MOV, dst, src)
}

pub(crate) fn mov_imm(dst: u8, imm: i32) -> Instruction {
    alu64_imm(alu::MOV, dst, imm)
}

pub(crate) fn add_imm(dst: u8, imm: i32) -> Instruction {
    alu64_imm(alu::ADD, dst, imm)
}

/// A 64-bit constant of a kind of [`pseudo`].
pub(crate) fn load_imm64(dst: u8, kind: u8, imm: i32, second: i32) -> [Instruction; 2] {
    [raw(class::LD | mode::IMM | size::DW, dst, kind, 0, imm), raw(0, 0, 0, 0, second)]
}

/// A 64-bit number.
pub(crate) fn constant(dst: u8, value: u64) -> [Instruction; 2] {
    load_imm64(dst, pseudo::CONSTANT, value as i32, (value >> 32) as i32)
}

/// A load of a [`size`].
pub(crate) fn load(size: u8, dst: u8, base: u8, off: i16) -> Instruction {
    raw(class::LDX | mode::MEM | size, dst, base, off, 0)
}

/// A load that extends the sign.
pub(crate) fn load_signed(size: u8, dst: u8, base: u8, off: i16) -> Instruction {
    raw(class::LDX | mode::MEMSX | size, dst, base, off, 0)
}

pub(crate) fn store(size: u8, base: u8, off: i16, src: u8) -> Instruction {
    raw(class::STX | mode::MEM | size, base, src, off, 0)
}

pub(crate) fn store_imm(size: u8, base: u8, off: i16, imm: i32) -> Instruction {
    raw(class::ST | mode::MEM | size, base, 0, off, imm)
}

/// An operation of [`atomic`]; for a load with acquire, `base` is what is loaded.
pub(crate) fn atomic(op: i32, size: u8, base: u8, off: i16, src: u8) -> Instruction {
    raw(class::STX | mode::ATOMIC | size, base, src, off, op)
}

pub(crate) fn ja(off: i16) -> Instruction {
    raw(class::JMP | jump::JA, 0, 0, off, 0)
}

pub(crate) fn gotol(distance: i32) -> Instruction {
    raw(class::JMP32 | jump::JA, 0, 0, 0, distance)
}

/// A 64-bit branch of [`jump`].
pub(crate) fn branch_imm(op: u8, left: u8, imm: i32, off: i16) -> Instruction {
    raw(class::JMP | op, left, 0, off, imm)
}

pub(crate) fn branch(op: u8, left: u8, right: u8, off: i16) -> Instruction {
    raw(class::JMP | op | X, left, right, off, 0)
}

pub(crate) fn may_goto(off: i16) -> Instruction {
    raw(class::JMP | jump::JCOND, 0, 0, off, 0)
}

pub(crate) fn call_helper(id: i32) -> Instruction {
    raw(class::JMP | jump::CALL, 0, call::HELPER, 0, id)
}

pub(crate) fn call_local(distance: i32) -> Instruction {
    raw(class::JMP | jump::CALL, 0, call::LOCAL, 0, distance)
}

pub(crate) fn call_kfunc(id: i32) -> Instruction {
    raw(class::JMP | jump::CALL, 0, call::KFUNC, 0, id)
}

pub(crate) fn exit() -> Instruction {
    raw(class::JMP | jump::EXIT, 0, 0, 0, 0)
}

/// `lock add [base + off], src`
pub(crate) fn lock_add(base: u8, off: i16, src: u8) -> Instruction {
    atomic(atomic::ADD, size::DW, base, off, src)
}
