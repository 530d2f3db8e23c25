// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is known of a program's use of its context.

use ufunc_compile::opcode::{alu, jump, pseudo, size};
use ufunc_compile::{Access, ContextUse, Instruction, Target};

use crate::asm::{
    R0, R1, R2, R3, R4, R6, R7, R10, add_imm, alu64, branch_imm, call_helper, call_local, exit, ja,
    load, load_imm64, mov, mov_imm, store, store_imm,
};
use crate::common::World;

fn used(program: &[Instruction]) -> ContextUse {
    let world = World::default().helper(1, 2, 0).helper(2, 4, 0).helper(174, 1, 0);
    world.compile(program).unwrap().context
}

fn read(offset: i32, bytes: u8) -> Access {
    Access { offset, bytes, write: false }
}

fn just(accesses: &[Access]) -> ContextUse {
    ContextUse { accesses: accesses.iter().copied().collect(), ..ContextUse::default() }
}

#[test]
fn registers_that_a_probe_reads() {
    let program = [
        mov(R6, R1),
        load(size::DW, R2, R1, 112),
        load(size::W, R3, R6, 104),
        mov(R7, R6),
        add_imm(R7, 80),
        load(size::DW, R0, R7, 8),
        store_imm(size::DW, R6, 80, 5),
        exit(),
    ];
    let write = Access { offset: 80, bytes: 8, write: true };
    assert_eq!(used(&program), just(&[read(88, 8), read(104, 4), read(112, 8), write]));
}

#[test]
fn none_for_a_program_that_reads_none() {
    assert_eq!(used(&[mov_imm(R0, 0), exit()]), ContextUse::default());
    // What is behind a pointer from the context is no part of it.
    let program = [load(size::DW, R1, R1, 112), load(size::DW, R0, R1, 8), exit()];
    assert_eq!(used(&program), just(&[read(112, 8)]));
}

#[test]
fn a_context_that_is_kept_on_the_stack() {
    let program = [
        store(size::DW, R10, -8, R1),
        store_imm(size::W, R10, -16, 0),
        mov(R2, R10),
        add_imm(R2, -16),
        // A helper that takes a pointer to the stack does not look for a context there.
        call_helper(1),
        load(size::DW, R6, R10, -8),
        load(size::DW, R0, R6, 96),
        exit(),
    ];
    let mut expected = just(&[read(96, 8)]);
    expected.passed_to.insert(Target::Helper(1));
    assert_eq!(used(&program), expected);
}

#[test]
fn a_context_that_is_passed_to_a_function_of_the_program() {
    let program = [
        mov(R2, R1),
        mov_imm(R1, 3),
        call_local(1),
        exit(),
        load(size::DW, R0, R2, 40),
        alu64(alu::ADD, R0, R1),
        exit(),
    ];
    assert_eq!(used(&program), just(&[read(40, 8)]));
}

#[test]
fn a_context_that_is_handed_to_a_helper() {
    let program = [call_helper(174), exit()];
    let used = used(&program);
    assert_eq!(used.passed_to.into_iter().collect::<Vec<_>>(), [Target::Helper(174)]);
    assert!(!used.everything);
}

#[test]
fn loops_and_branches_are_followed() {
    let program = [
        mov(R6, R1),
        mov_imm(R7, 0),
        load(size::DW, R0, R6, 16),
        branch_imm(jump::JEQ, R0, 0, 2),
        load(size::DW, R0, R6, 24),
        ja(1),
        load(size::DW, R0, R6, 32),
        add_imm(R7, 1),
        branch_imm(jump::JNE, R7, 10, -7),
        exit(),
    ];
    assert_eq!(used(&program), just(&[read(16, 8), read(24, 8), read(32, 8)]));
}

#[test]
fn everything_where_it_cannot_be_followed() {
    // At an offset that is not constant.
    let unknown = [mov_imm(R2, 8), alu64(alu::ADD, R1, R2), load(size::DW, R0, R1, 0), exit()];
    // Into memory that is not the stack.
    let stored = [load(size::DW, R2, R1, 0), store(size::DW, R2, 0, R1), mov_imm(R0, 0), exit()];
    for program in [&unknown[..], &stored] {
        assert!(used(program).everything, "{program:?}");
    }
    // A callback is given a pointer to the stack, where the context is.
    let mut program = vec![store(size::DW, R10, -8, R1), mov_imm(R1, 1)];
    program.extend(load_imm64(R2, pseudo::FUNC, 5, 0));
    program.extend([mov(R3, R10), mov_imm(R4, 0), call_helper(2), exit()]);
    program.extend([load(size::DW, R1, R2, -8), load(size::DW, R0, R1, 64), exit()]);
    assert!(used(&program).everything);
}
