// SPDX-License-Identifier: MIT OR Apache-2.0
//! Division and comparison of values at their edges, which random ones seldom meet in pairs.

use ufunc_compile::Instruction;
use ufunc_compile::opcode::{X, alu, class, jump};

use crate::asm::{R0, R1, R2, constant, exit, mov, mov_imm, raw};
use crate::common::World;

const EDGES: [u64; 16] = [
    0,
    1,
    2,
    7,
    0x7fff_ffff,
    0x8000_0000,
    0x8000_0001,
    0xffff_ffff,
    0x1_0000_0000,
    0x7fff_ffff_8000_0000,
    i64::MAX as u64,
    i64::MIN as u64,
    i64::MIN as u64 + 1,
    u64::MAX - 6,
    u64::MAX - 1,
    u64::MAX,
];

/// Runs a program of r1 and r2 on all pairs of edges.
fn on_all_pairs(what: &str, program: &[Instruction], expected: impl Fn(u64, u64) -> u64) {
    let world = World::default();
    let executable = world.load(&world.compile(program).unwrap()).unwrap();
    for x in EDGES {
        for y in EDGES {
            // SAFETY: the program only computes.
            let result = unsafe { executable.call([x, y, 0, 0, 0]) };
            assert_eq!(result, expected(x, y), "{what} of {x:#x} and {y:#x}");
        }
    }
}

/// What the instruction set says of division.
fn divide(op: u8, signed: bool, narrow: bool, x: u64, y: u64) -> u64 {
    let is_div = op == alu::DIV;
    match (narrow, signed) {
        (false, false) if is_div => x.checked_div(y).unwrap_or(0),
        (false, false) => x.checked_rem(y).unwrap_or(x),
        (false, true) => {
            let (x, y) = (x as i64, y as i64);
            let result = match y {
                0 if is_div => 0,
                0 => x,
                _ if is_div => x.wrapping_div(y),
                _ => x.wrapping_rem(y),
            };
            result as u64
        }
        (true, false) => divide(op, false, false, x & 0xffff_ffff, y & 0xffff_ffff),
        (true, true) => {
            let wide = |value: u64| i64::from(value as i32) as u64;
            divide(op, true, false, wide(x), wide(y)) & 0xffff_ffff
        }
    }
}

#[test]
fn division() {
    for (op, signed, narrow) in [alu::DIV, alu::MOD].into_iter().flat_map(|op| {
        [(false, false), (false, true), (true, false), (true, true)]
            .map(|(signed, narrow)| (op, signed, narrow))
    }) {
        let class = if narrow { class::ALU } else { class::ALU64 };
        let what = format!("{op:#x}, signed {signed}, narrow {narrow}");
        let program = [mov(R0, R1), raw(class | op | X, R0, R2, signed.into(), 0), exit()];
        on_all_pairs(&what, &program, |x, y| divide(op, signed, narrow, x, y));
        // What the compiler finds out to be a constant.
        for divisor in EDGES {
            let mut program = constant(R2, divisor).to_vec();
            program.extend([mov(R0, R1), raw(class | op | X, R0, R2, signed.into(), 0), exit()]);
            on_all_pairs(&format!("{what}, {divisor:#x}"), &program, |x, _| {
                divide(op, signed, narrow, x, divisor)
            });
            let mut program = constant(R0, divisor).to_vec();
            program.extend([raw(class | op | X, R0, R2, signed.into(), 0), exit()]);
            on_all_pairs(&format!("{what}, of {divisor:#x}"), &program, |_, y| {
                divide(op, signed, narrow, divisor, y)
            });
        }
        for imm in [0, 1, -1, 2, 7, -7, i32::MAX, i32::MIN] {
            let program = [mov(R0, R1), raw(class | op, R0, 0, signed.into(), imm), exit()];
            let divisor = i64::from(imm) as u64;
            on_all_pairs(&format!("{what}, {imm}"), &program, |x, _| {
                divide(op, signed, narrow, x, divisor)
            });
        }
    }
}

fn is_taken(op: u8, x: u64, y: u64) -> bool {
    let (signed_x, signed_y) = (x as i64, y as i64);
    match op {
        jump::JEQ => x == y,
        jump::JNE => x != y,
        jump::JSET => x & y != 0,
        jump::JGT => x > y,
        jump::JGE => x >= y,
        jump::JLT => x < y,
        jump::JLE => x <= y,
        jump::JSGT => signed_x > signed_y,
        jump::JSGE => signed_x >= signed_y,
        jump::JSLT => signed_x < signed_y,
        _ => signed_x <= signed_y,
    }
}

#[test]
fn comparison() {
    for op in [
        jump::JEQ,
        jump::JNE,
        jump::JSET,
        jump::JGT,
        jump::JGE,
        jump::JLT,
        jump::JLE,
        jump::JSGT,
        jump::JSGE,
        jump::JSLT,
        jump::JSLE,
    ] {
        for narrow in [false, true] {
            let class = if narrow { class::JMP32 } else { class::JMP };
            // Both orders of numbers are the same for those that are extended by their sign.
            let wide = |value: u64| if narrow { i64::from(value as i32) as u64 } else { value };
            let taken = |x: u64, y: u64| u64::from(is_taken(op, wide(x), wide(y)));
            let what = format!("{op:#x}, narrow {narrow}");
            let program = |branch| [mov_imm(R0, 1), branch, mov_imm(R0, 0), exit()];
            on_all_pairs(&what, &program(raw(class | op | X, R1, R2, 1, 0)), taken);
            for imm in [0, 1, -1, 7, i32::MAX, i32::MIN] {
                let other = i64::from(imm) as u64;
                let program = program(raw(class | op, R1, 0, 1, imm));
                on_all_pairs(&format!("{what}, {imm}"), &program, |x, _| taken(x, other));
            }
        }
    }
}

#[test]
fn shifts_look_at_as_many_bits_as_they_need() {
    for (op, narrow) in
        [alu::LSH, alu::RSH, alu::ARSH].into_iter().flat_map(|op| [(op, false), (op, true)])
    {
        let shift = |x: u64, by: u64| match (op, narrow) {
            (alu::LSH, false) => x.wrapping_shl(by as u32),
            (alu::RSH, false) => x.wrapping_shr(by as u32),
            (_, false) => (x as i64).wrapping_shr(by as u32) as u64,
            (alu::LSH, true) => u64::from((x as u32).wrapping_shl(by as u32)),
            (alu::RSH, true) => u64::from((x as u32).wrapping_shr(by as u32)),
            (_, true) => u64::from((x as i32).wrapping_shr(by as u32) as u32),
        };
        let class = if narrow { class::ALU } else { class::ALU64 };
        let program = [mov(R0, R1), raw(class | op | X, R0, R2, 0, 0), exit()];
        on_all_pairs(&format!("{op:#x}, narrow {narrow}"), &program, shift);
        for imm in [0, 1, 31, 32, 63, 64, -1] {
            let program = [mov(R0, R1), raw(class | op, R0, 0, 0, imm), exit()];
            on_all_pairs(&format!("{op:#x}, {imm}"), &program, |x, _| shift(x, imm as u64));
        }
    }
}

#[test]
fn constants_are_whole() {
    for value in EDGES {
        let mut program = constant(R0, value).to_vec();
        program.push(exit());
        on_all_pairs("a constant", &program, |_, _| value);
    }
}
