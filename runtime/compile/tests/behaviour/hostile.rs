// SPDX-License-Identifier: MIT OR Apache-2.0
//! Whatever the instructions are, there is an error or code, and never a panic.

use proptest::collection::vec;
use proptest::prelude::{any, prop_oneof};
use proptest::strategy::{Just, Strategy};
use proptest::test_runner::{Config, TestRunner};
use ufunc_compile::opcode::{jump, size};
use ufunc_compile::{
    Binding, Bindings, Instruction, Options, Program, Reach, Shape, Signature, Target, compile,
};

use crate::asm::{R0, R1, add_imm, branch_imm, call_local, exit, ja, mov_imm, store_imm};
use crate::common::aarch64;

/// Compiles for both machines; how many of the two worked.
fn survive(instructions: &[Instruction]) -> usize {
    let shapes = [Shape::default(), Shape { call_frames: None, exception_callback: Some(1) }];
    let mut compiled = 0;
    for (shape, options) in shapes.iter().zip([Options::default(), aarch64()]) {
        let Ok(program) = Program::parse(instructions, shape) else { continue };
        let bindings: Bindings = program
            .targets()
            .into_iter()
            .map(|target| {
                let binding = match target {
                    Target::Helper(12) => Binding::TailCall { reach: Reach::Far },
                    Target::Kfunc { id: 0, .. } => Binding::Throw,
                    Target::Helper(id) => Binding::Function {
                        signature: Signature::words(id as usize % 7),
                        reach: if id % 2 == 0 { Reach::Near } else { Reach::Far },
                    },
                    Target::Kfunc { .. } => {
                        Binding::Function { signature: Signature::words(2), reach: Reach::Far }
                    }
                    _ => Binding::Data { reach: Reach::Far },
                };
                (target, binding)
            })
            .collect();
        if compile(&program, &bindings, &options).is_ok() {
            compiled += 1;
        }
    }
    compiled
}

/// An instruction of likely values.
fn likely() -> impl Strategy<Value = Instruction> {
    let small = prop_oneof![4 => -8i16..8, 1 => any::<i16>()];
    let imm = prop_oneof![4 => -8i32..16, 1 => any::<i32>(), 1 => Just(0xe1), 1 => Just(0xf1)];
    let off = prop_oneof![3 => Just(0i16), 2 => small];
    let imm = prop_oneof![3 => Just(0i32), 2 => imm];
    (any::<u8>(), 0u8..11, 0u8..11, off, imm).prop_map(|(code, dst, src, off, imm)| Instruction {
        code,
        dst,
        src,
        off,
        imm,
    })
}

#[test]
fn random_bytes() {
    let strategy = vec(any::<[u8; 8]>(), 0..40);
    TestRunner::new(Config::with_cases(3000))
        .run(&strategy, |bytes| {
            let instructions: Vec<_> = bytes.into_iter().map(Instruction::from_bytes).collect();
            survive(&instructions);
            Ok(())
        })
        .unwrap();
}

#[test]
fn likely_instructions() {
    // Each that is refused on its own is left out, so that many of the rest get further.
    let strategy = vec(likely(), 1..60);
    let compiled = std::cell::Cell::new(0);
    TestRunner::new(Config::with_cases(400))
        .run(&strategy, |mut instructions| {
            let alone = |insn: &Instruction| {
                let insn = Instruction { off: 0, ..*insn };
                survive(&[insn, Instruction::default(), exit()]) > 0 || survive(&[insn, exit()]) > 0
            };
            instructions.retain(alone);
            for at in 0..instructions.len() {
                // Jumps lead somewhere near.
                if matches!(instructions[at].code & 7, 5 | 6) && instructions[at].code != 0x85 {
                    let length = instructions.len() as i16 + 1;
                    let to = instructions[at].off.rem_euclid(length);
                    instructions[at].off = to - at as i16 - 1;
                }
            }
            instructions.push(exit());
            compiled.set(compiled.get() + survive(&instructions));
            Ok(())
        })
        .unwrap();
    println!("{} compilations worked", compiled.get());
    assert!(compiled.get() > 100, "only {} programs got through", compiled.get());
}

#[test]
fn long_programs() {
    // A branch in every other place, all to the end.
    let mut branches = vec![mov_imm(R0, 0)];
    for at in 0..2_000i16 {
        branches.push(add_imm(R0, i32::from(at)));
        branches.push(branch_imm(jump::JEQ, R0, 3, 4_000 - 2 * at - 2));
    }
    branches.push(exit());
    let mut stores = vec![mov_imm(R0, 0)];
    stores.extend((0..5_000).map(|at| store_imm(size::DW, R1, at % 100 * 8, i32::from(at))));
    stores.push(exit());
    let mut jumps = vec![ja(0); 5_000];
    jumps.extend([mov_imm(R0, 0), exit()]);
    // Most are no functions at all, and one is too many.
    let mut calls: Vec<_> = (0..2_000).flat_map(|_| [call_local(1), exit()]).collect();
    calls.extend([mov_imm(R0, 0), exit()]);
    // The other shape wants a function at the second instruction.
    for (program, compiled) in [(branches, 1), (stores, 1), (jumps, 1), (calls, 0)] {
        assert_eq!(survive(&program), compiled);
    }
}
