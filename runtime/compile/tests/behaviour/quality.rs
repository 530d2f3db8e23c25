// SPDX-License-Identifier: MIT OR Apache-2.0
//! How good the code is, and where it is put.

use ufunc_compile::execute::Executable;
use ufunc_compile::opcode::{alu, pseudo, size};
use ufunc_compile::{
    Architecture, Binding, Bindings, Changes, Instruction, Map, Program, Reach, RelocationKind,
    Shape, Signature, Symbol, Target, compile,
};

use crate::asm::{
    R0, R1, R2, R3, R6, R10, add_imm, alu64, call_helper, call_local, exit, load, load_imm64,
    load_signed, lock_add, mov, mov_imm, store, store_imm,
};
use crate::common::{World, aarch64, disassemble};

const COUNTER: Target = Target::MapValue(Map::Descriptor(4));

/// Counts in global data.
fn counter() -> Vec<Instruction> {
    let mut program = load_imm64(R1, pseudo::MAP_VALUE, 4, 8).to_vec();
    program.extend([mov_imm(R2, 1), lock_add(R1, 0, R2), mov_imm(R0, 0), exit()]);
    program
}

#[test]
fn a_counter_is_one_atomic_instruction() {
    let world = World::default().data(COUNTER, 0);
    let code = world.compile(&counter()).unwrap();
    let lines = disassemble(&code);
    println!("{}", lines.join("\n"));
    assert_eq!(lines.iter().filter(|line| line.starts_with("lock add")).count(), 1, "{lines:#?}");
    // The frame pointer and its return, the address, the addend, the result.
    assert!(lines.len() <= 9, "{lines:#?}");
    // Neither a stack frame nor a register to be saved but the frame pointer.
    assert!(!lines.iter().any(|line| line.contains("sub $")), "{lines:#?}");
    let mut counters = [0u64; 2];
    let world = World::default().data(COUNTER, counters.as_mut_ptr() as u64);
    for _ in 0..3 {
        assert_eq!(world.run(&counter(), [0; 5]), 0);
    }
    assert_eq!(counters, [0, 3]);
}

#[test]
fn each_load_of_the_program_is_one_of_the_code() {
    // A program that waits for another thread reads the same place again and again.
    for size in [size::B, size::H, size::W, size::DW] {
        let program = [
            load(size, R0, R1, 8),
            load(size, R2, R1, 8),
            alu64(alu::SUB, R0, R2),
            store(size, R1, 8, R0),
            load(size, R2, R1, 8),
            mov(R3, R1),
            add_imm(R3, 8),
            load(size, R3, R3, 0),
            alu64(alu::ADD, R0, R2),
            alu64(alu::ADD, R0, R3),
            exit(),
        ];
        let code = World::default().compile(&program).unwrap();
        let lines = disassemble(&code);
        assert_eq!(code.faulting_loads.len(), 4, "{lines:#?}");
        let displaced = lines.iter().filter(|line| line.contains("8(%rdi)")).count();
        assert_eq!(displaced, 5, "the generator has to fold all offsets: {lines:#?}");
    }
    let program = [load_signed(size::H, R2, R1, 0), load_signed(size::H, R0, R1, 0), exit()];
    let code = World::default().compile(&program).unwrap();
    assert_eq!(code.faulting_loads.len(), 2, "{:#?}", disassemble(&code));
}

#[test]
fn what_is_not_used_costs_nothing() {
    let empty = World::default().compile(&[mov_imm(R0, 0), exit()]).unwrap();
    let program = [mov(R6, R1), mov(R3, R6), mov_imm(R0, 0), exit()];
    let unused = World::default().compile(&program).unwrap();
    assert_eq!(empty.bytes, unused.bytes, "{:#?}", disassemble(&unused));
    assert!(empty.bytes.len() <= 16, "{:#?}", disassemble(&empty));
}

/// rax, rcx, …, r15, as bits.
fn registers(numbers: &[u32]) -> u32 {
    numbers.iter().map(|number| 1 << number).sum()
}

#[test]
fn what_a_program_changes_is_known() {
    let (rax, rcx, rdx) = (0, 1, 2);
    let world = World::default().data(COUNTER, 0).helper(5, 0, 0);
    let changes = |program: &[Instruction]| world.compile(program).unwrap().changes;
    let just = |numbers: &[u32]| Changes { general: registers(numbers), vectors: false };
    assert_eq!(changes(&[mov_imm(R0, 0), exit()]), just(&[rax]));
    assert_eq!(changes(&counter()), just(&[rax, rcx, rdx]));
    let all = Changes::all(Architecture::X86_64);
    assert_eq!(all.general, registers(&[0, 1, 2, 6, 7, 8, 9, 10, 11]));
    assert_eq!(changes(&[call_helper(5), exit()]), all);
    // One that is near looks like one of the program's own until the code is linked.
    let binding = Binding::Function { signature: Signature::words(0), reach: Reach::Near };
    let near = World::default().bind(Target::Helper(6), binding, 0);
    assert_eq!(near.compile(&[call_helper(6), exit()]).unwrap().changes, all);
    // A function of the program's own is looked at, too; here it calls outside.
    assert_eq!(changes(&[call_local(1), exit(), call_helper(5), exit()]), all);
    let own = changes(&[call_local(1), exit(), mov_imm(R0, 3), exit()]);
    assert_eq!(own, just(&[rax]));
}

#[test]
fn no_page_is_writable_and_executable() {
    let world = World::default();
    let executable = world.load(&world.compile(&[mov_imm(R0, 0), exit()]).unwrap()).unwrap();
    let start = executable.addresses().start;
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let mut seen = false;
    for line in maps.lines() {
        let (range, rest) = line.split_once(' ').unwrap();
        let (from, to) = range.split_once('-').unwrap();
        let address = |hex| usize::from_str_radix(hex, 16).unwrap();
        assert!(!rest.starts_with("rwx") && !rest.starts_with("-wx"), "{line}");
        if (address(from)..address(to)).contains(&start) {
            assert!(rest.starts_with("r-x"), "{line}");
            seen = true;
        }
    }
    assert!(seen, "the code must be in {maps}");
}

#[test]
fn code_for_aarch64_is_linked_too() {
    let mut program = load_imm64(R1, pseudo::MAP_VALUE, 4, 8).to_vec();
    program.extend([
        mov_imm(R2, 1),
        lock_add(R1, 0, R2),
        call_helper(5),
        call_local(1),
        exit(),
        store_imm(size::DW, R10, -8, 3),
        load(size::DW, R0, R10, -8),
        add_imm(R0, 1),
        exit(),
    ]);
    let program = Program::parse(&program, &Shape::default()).unwrap();
    let world = World::default().data(COUNTER, 0).helper(5, 0, 0);
    for reach in [Reach::Far, Reach::Near] {
        let mut bindings: Bindings = world.bindings.clone();
        bindings.entry(Target::Helper(5)).and_modify(|binding| {
            if let Binding::Function { reach: of_helper, .. } = binding {
                *of_helper = reach;
            }
        });
        let code = compile(&program, &bindings, &aarch64()).unwrap();
        let kinds: Vec<_> = code
            .relocations
            .iter()
            .map(|relocation| (relocation.kind, relocation.symbol))
            .collect();
        let helper = match reach {
            Reach::Far => RelocationKind::Absolute64,
            Reach::Near => RelocationKind::Call26,
        };
        assert!(kinds.contains(&(RelocationKind::Absolute64, Symbol::Outside(COUNTER))));
        assert!(kinds.contains(&(helper, Symbol::Outside(Target::Helper(5)))), "{kinds:?}");
        assert_eq!(kinds.len(), 2, "calls within the program are filled in: {kinds:?}");
        code.link(0x10_0000, |_| Some(0x20_0000)).unwrap();
        let far = code.link(0x10_0000, |_| Some(1 << 40));
        assert_eq!(far.is_err(), reach == Reach::Near);
        let error = Executable::new(&code, |_| Some(0)).unwrap_err();
        assert!(format!("{error:#}").contains("code for AArch64 cannot be run"), "{error:#}");
    }
}
