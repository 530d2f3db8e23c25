// SPDX-License-Identifier: MIT OR Apache-2.0
//! The kernel as the judge of what programs mean: the same instructions, run by it and by us, have
//! to leave the same behind.

mod generate;
mod syscalls;

use std::collections::BTreeMap;

use ufunc_compile::opcode::class;
use ufunc_compile::{Instruction, Map, Target};

use self::generate::{CONTEXT, Cpu, VALUE};
use self::syscalls::{ArrayMap, Loaded};
use crate::common::{World, disassemble};
use crate::random::{Random, seed};

/// Programs that are compared for each version of the instruction set: as many as
/// `UFUNC_TEST_PROGRAMS` says, or else 800.
fn programs() -> usize {
    let programs = std::env::var("UFUNC_TEST_PROGRAMS").ok();
    programs.map_or(800, |programs| programs.parse().expect("UFUNC_TEST_PROGRAMS is a number"))
}

/// Runs of each program, with other contexts and values.
const RUNS: usize = 2;

fn differential(cpu: Cpu) {
    let mut random = Random::new(seed());
    let wanted = programs();
    let map = ArrayMap::new(VALUE);
    let mut accepted = 0;
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    let mut opcodes: BTreeMap<u8, usize> = BTreeMap::new();
    let mut tried = 0;
    while accepted < wanted {
        tried += 1;
        let program = generate::program(&mut random, cpu, map.raw_fd());
        let loaded = match Loaded::new(&program) {
            Ok(loaded) => loaded,
            Err(rejected) => {
                let reason = rejected.log.lines().rev().find(|line| !line.starts_with("processed"));
                let reason = reason.unwrap_or_default().replace(|c: char| c.is_ascii_digit(), "");
                *reasons.entry(format!("{} {reason}", rejected.error)).or_default() += 1;
                assert!(
                    tried < 100 || accepted * 2 > tried,
                    "the verifier refuses most of the programs: {reasons:#?}"
                );
                continue;
            }
        };
        accepted += 1;
        for instruction in &program {
            *opcodes.entry(instruction.code).or_default() += 1;
        }
        compare(&program, &loaded, &map, &mut random, tried);
    }
    println!("{cpu:?}: {accepted} of {tried} programs accepted, {} opcodes", opcodes.len());
    println!("refused: {reasons:?}");
    assert!(opcodes.keys().any(|code| code & 0x07 == class::STX));
}

/// Runs the program both ways.
fn compare(
    program: &[Instruction],
    loaded: &Loaded,
    map: &ArrayMap,
    random: &mut Random,
    number: usize,
) {
    let mut memory = vec![0u64; VALUE / 8];
    let target = Target::MapValue(Map::Descriptor(map.raw_fd()));
    let world = World::default().data(target, memory.as_mut_ptr() as u64);
    let code = world.compile(program).unwrap();
    let executable = world.load(&code).unwrap();
    for run in 0..RUNS {
        let value = words(random, VALUE / 8);
        let context = words(random, CONTEXT / 8);
        let bytes = |words: &[u64]| words.iter().flat_map(|word| word.to_le_bytes()).collect();

        let value_bytes: Vec<u8> = bytes(&value);
        map.write(&value_bytes);
        let mut kernel_context: Vec<u8> = bytes(&context);
        let kernel_result = loaded.run(&mut kernel_context);

        memory.copy_from_slice(&value);
        let mut our_context = context.clone();
        let arguments = [our_context.as_mut_ptr() as u64, 0, 0, 0, 0];
        // SAFETY: the verifier has accepted the program for such a context and map.
        let our_result = unsafe { executable.call(arguments) };

        let ours: (u32, Vec<u8>, Vec<u8>) =
            (our_result as u32, bytes(&memory), bytes(&our_context));
        let theirs = (kernel_result, map.read(), kernel_context);
        assert!(
            ours == theirs,
            "program {number} differs in run {run}\nours:   {ours:02x?}\nkernel: {theirs:02x?}\n\
             context {context:x?}\n{program:#x?}\n{}",
            disassemble(&code).join("\n")
        );
    }
}

/// Words of which many are the same, or close to each other.
fn words(random: &mut Random, count: usize) -> Vec<u64> {
    let mut words: Vec<u64> = Vec::with_capacity(count);
    for _ in 0..count {
        let word = match words.len() {
            0 => random.value(),
            _ if random.chance(50) => random.value(),
            length => words[random.below(length)].wrapping_add(random.pick(&[0, 0, 1, u64::MAX])),
        };
        words.push(word);
    }
    words
}

#[test]
fn programs_of_v1_do_what_they_do_in_the_kernel() {
    differential(Cpu::V1);
}

#[test]
fn programs_of_v2_do_what_they_do_in_the_kernel() {
    differential(Cpu::V2);
}

#[test]
fn programs_of_v3_do_what_they_do_in_the_kernel() {
    differential(Cpu::V3);
}

#[test]
fn programs_of_v4_do_what_they_do_in_the_kernel() {
    differential(Cpu::V4);
}

#[test]
fn programs_of_newer_kernels_do_what_they_do_there() {
    differential(Cpu::Newest);
}
