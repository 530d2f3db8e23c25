// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is refused, and how that is said. Every error names the instruction.

use ufunc_compile::Instruction;
use ufunc_compile::opcode::{X, alu, atomic, class, jump, mode, size};

use crate::asm::{
    R0, R1, R10, add_imm, atomic, branch_imm, constant, exit, gotol, ja, load_imm64, mov, mov_imm,
    raw, store_imm,
};
use crate::common::{aarch64, refused};

#[track_caller]
fn refuses(instructions: &[Instruction], reason: &str) {
    let error = refused(instructions);
    assert!(error.contains(reason), "{error}");
}

#[test]
fn what_has_no_end() {
    refuses(&[], "the program has no instructions");
    refuses(&[mov_imm(R0, 0)], "instruction 0 is the last of its function and is no exit or jump");
    refuses(&[branch_imm(jump::JEQ, R0, 0, -1)], "instruction 0 is the last of its function");
    refuses(&constant(R0, 1), "instruction 0 is the last");
    refuses(&constant(R0, 1)[..1], "instruction 0 (opcode 0x18): the program ends within ld_imm64");
}

#[test]
fn jumps_astray() {
    refuses(&[ja(1), exit()], "instruction 0 jumps to 2, outside of its function, which is 0 to 1");
    refuses(&[ja(-2), exit()], "instruction 0 (opcode 0x05): it jumps to before the program");
    refuses(&[gotol(i32::MAX), exit()], "jumps to 2147483648, outside of its function");
    let [low, high] = constant(R0, 1);
    refuses(&[ja(1), low, high, exit()], "instruction 0 jumps to 2, the second half of ld_imm64");
    let local = |distance| raw(class::JMP | jump::CALL, 0, 1, 0, distance);
    refuses(
        &[local(1), low, high, exit()],
        "refers to a function at 2, where no instruction begins",
    );
    refuses(&[local(100), exit()], "refers to a function at 101");
    // Into another function.
    refuses(&[local(1), exit(), mov_imm(R0, 0), ja(-3)], "jumps to 1, outside of its function");
    // Falls into another function.
    refuses(&[local(0), exit()], "instruction 0 is the last of its function");
}

#[test]
fn registers_that_are_not_there() {
    refuses(&[mov_imm(11, 0), exit()], "its destination is register 11");
    refuses(&[mov(R0, 12), exit()], "its source is register 12");
    for insn in [
        mov_imm(R10, 0),
        add_imm(R10, 8),
        atomic(atomic::ADD | atomic::FETCH, size::DW, R1, 0, R10),
        raw(class::LDX | mode::MEM | size::DW, R10, R1, 0, 0),
        load_imm64(R10, 0, 0, 0)[0],
    ] {
        refuses(&[insn, raw(0, 0, 0, 0, 0), exit()], "it writes to r10, which is read-only");
    }
}

#[test]
fn beyond_the_frame() {
    refuses(
        &[store_imm(size::W, R10, -516, 0), exit()],
        "instruction 0 reaches 516 bytes below r10",
    );
}

#[test]
fn what_is_not_supported_is_named() {
    for (insn, reason) in [
        (raw(class::LD | mode::ABS | size::W, 0, 0, 0, 0), "LD_ABS and LD_IND are not supported"),
        (raw(class::LD | mode::IND | size::B, 0, 1, 0, 0), "LD_ABS and LD_IND are not supported"),
        (raw(class::ALU64 | alu::MOV | X, 0, 1, 1, 1), "addr_space_cast: arenas"),
        (raw(class::JMP | jump::CALL | X, 0, 0, 0, 1), "(callx) are not supported"),
        (raw(class::JMP | jump::JA | X, 1, 0, 0, 0), "(gotox) are not supported"),
        (raw(class::JMP | jump::CALL, 0, 3, 0, 0), "a call of kind 3 is unknown"),
        (raw(class::LD | size::DW, 0, 7, 0, 0), "a 64-bit constant of kind 7 is unknown"),
        (raw(class::STX | mode::ATOMIC | size::DW, 1, 0, 0, 0x77), "no atomic operation 0x77"),
        (raw(class::STX | mode::ATOMIC | size::H, 1, 0, 0, 0), "works on 4 or 8 bytes, not on 2"),
        (raw(class::ALU64 | 0xe0, 0, 0, 0, 0), "there is no such arithmetic"),
        (raw(class::JMP | 0xf0, 0, 0, 0, 0), "there is no such jump"),
        (raw(class::JMP32 | jump::CALL, 0, 0, 0, 1), "there is no such jump"),
        (raw(class::LDX | mode::MEMSX | size::DW, 0, 1, 0, 0), "nothing to sign-extend"),
        (raw(class::ALU64 | alu::ADD, 0, 0, 1, 0), "the offset of arithmetic is reserved"),
        (raw(class::ALU64 | alu::ADD | X, 0, 1, 0, 1), "immediate of an instruction on two"),
        (raw(class::ALU64 | alu::ADD, 0, 1, 0, 1), "source register of an instruction with an"),
        (raw(class::ALU64 | alu::DIV, 0, 0, 2, 1), "0 means unsigned and 1 signed"),
        (raw(class::ALU | alu::MOV | X, 0, 1, 32, 0), "its offset is 32"),
        (raw(class::ALU | alu::END, 0, 0, 0, 8), "16, 32 or 64 bits, not 8"),
        (raw(class::JMP | jump::EXIT, 0, 0, 0, 1), "the immediate of exit is reserved"),
        (raw(class::JMP | jump::JCOND, 0, 1, 0, 0), "conditional jump of kind 1 is unknown"),
    ] {
        let error = refused(&[insn, raw(0, 0, 0, 0, 0), exit()]);
        let place = format!("instruction 0 (opcode {:#04x})", insn.code);
        assert!(error.contains(reason) && error.contains(&place), "{insn:?}: {error}");
    }
}

#[test]
fn a_fault_table_for_another_machine() {
    use ufunc_compile::{Bindings, Options, Program, Shape, compile};
    let program = Program::parse(&[mov_imm(R0, 0), exit()], &Shape::default()).unwrap();
    let options = Options { fault_table: true, ..aarch64() };
    let error = compile(&program, &Bindings::new(), &options).unwrap_err();
    assert!(format!("{error:#}").contains("for x86-64 only, not for AArch64"), "{error:#}");
}
