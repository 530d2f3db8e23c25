// SPDX-License-Identifier: MIT OR Apache-2.0
//! Calls: helpers, the host's functions, the program's own, callbacks, tail calls, exceptions.

use std::cell::Cell;

use ufunc_compile::opcode::{MAX_LOOPS, alu, jump, pseudo, size};
use ufunc_compile::{Binding, Element, Instruction, Reach, Shape, Signature, Target, Value};

use crate::asm::{
    R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10, add_imm, alu64, alu64_imm, branch_imm,
    call_helper, call_kfunc, call_local, constant, exit, ja, load, load_imm64, may_goto, mov,
    mov_imm, store, store_imm,
};
use crate::common::{World, refused, run};

const KFUNC: Target = Target::Kfunc { id: 7, module: 0 };

extern "C" fn weigh(a: u64, b: u64, c: u64, d: u64, e: u64) -> u64 {
    a + 2 * b + 3 * c + 4 * d + 5 * e
}

/// r1 to r5 become 10, 20, … 50.
fn five_arguments() -> Vec<Instruction> {
    (1..=5).map(|register| mov_imm(register, i32::from(register) * 10)).collect()
}

#[test]
fn helpers_get_their_arguments() {
    let mut program = five_arguments();
    program.extend([call_helper(42), exit()]);
    let world = World::default().helper(42, 5, weigh as *const () as usize);
    assert_eq!(world.run(&program, [0; 5]), 10 + 40 + 90 + 160 + 250);
}

#[test]
fn a_helper_that_is_near_is_called_directly() {
    // Code is put anywhere, so only an error can be told apart here.
    let binding = Binding::Function { signature: Signature::words(0), reach: Reach::Near };
    let world = World::default().bind(Target::Helper(1), binding, 16);
    let code = world.compile(&[call_helper(1), exit()]).unwrap();
    let error = code.link(1 << 40, |_| Some(16)).unwrap_err();
    assert!(format!("{error:#}").contains("more than 32 bits can say"), "{error:#}");
    let linked = code.link(0x1000, |_| Some(0x2000)).unwrap();
    let call = linked.iter().position(|&byte| byte == 0xe8).unwrap();
    let distance = i32::from_le_bytes(linked[call + 1..call + 5].try_into().unwrap());
    assert_eq!(0x1000 + call as i32 + 5 + distance, 0x2000);
}

thread_local! {
    static SEEN: Cell<(u8, i8, u16, i16, u32)> = const { Cell::new((0, 0, 0, 0, 0)) };
}

extern "C" fn narrow(a: u8, b: i8, c: u16, d: i16, e: u32) -> i32 {
    SEEN.set((a, b, c, d, e));
    -5
}

fn integer(bits: u8, signed: bool) -> Value {
    Value::Integer { bits, signed }
}

#[test]
fn functions_of_the_host_get_narrow_integers() {
    let mut program = vec![];
    for register in R1..=R5 {
        program.extend(constant(register, 0xffff_ff00_8765_8081 + u64::from(register)));
    }
    program.extend([call_kfunc(7), exit()]);
    let signature = Signature {
        parameters: vec![
            integer(8, false),
            integer(8, true),
            integer(16, false),
            integer(16, true),
            integer(32, false),
        ],
        returns: Some(integer(32, true)),
    };
    let world = World::default().function(KFUNC, signature, narrow as *const () as usize);
    assert_eq!(world.run(&program, [0; 5]).cast_signed(), -5);
    assert_eq!(SEEN.get(), (0x82, 0x83u8 as i8, 0x8084, 0x8085u16 as i16, 0x8765_8086));
}

/// Gives back what it got, as it came: compilers take it for granted that it was extended.
extern "C" fn low_word(value: u32) -> u64 {
    value.into()
}

#[test]
fn narrow_integers_are_extended_to_32_bits() {
    for (value, expected) in [
        (integer(8, true), 0xffff_ff80_u64),
        (integer(8, false), 0x80),
        (integer(16, true), 0xffff_8080),
        (integer(16, false), 0x8080),
        (Value::Bool, 1),
    ] {
        let signature = Signature { parameters: vec![value], returns: Some(Value::WORD) };
        let world = World::default().function(KFUNC, signature, low_word as *const () as usize);
        let mut program = constant(R1, 0x7777_7777_7777_8080).to_vec();
        program.extend([call_kfunc(7), exit()]);
        assert_eq!(world.run(&program, [0; 5]), expected, "{value:?}");
    }
}

extern "C" fn garbage() -> u64 {
    0xdead_beef_dead_be02
}

#[test]
fn results_are_extended_as_their_types_say() {
    for (returns, expected) in [
        (Some(integer(8, true)), 2),
        (Some(integer(16, true)), 0xffff_ffff_ffff_be02),
        (Some(integer(16, false)), 0xbe02),
        (Some(integer(32, true)), 0xffff_ffff_dead_be02),
        (Some(integer(32, false)), 0xdead_be02),
        (Some(Value::Bool), 2),
        (Some(Value::Pointer), 0xdead_beef_dead_be02),
        (None, 0),
    ] {
        let signature = Signature { parameters: vec![], returns };
        let world = World::default().function(KFUNC, signature, garbage as *const () as usize);
        assert_eq!(world.run(&[call_kfunc(7), exit()], [0; 5]), expected, "{returns:?}");
    }
}

#[test]
fn integers_of_odd_sizes_are_refused() {
    let signature = Signature { parameters: vec![integer(24, false)], returns: None };
    let world = World::default().function(KFUNC, signature, 0);
    let error = world.compile(&[call_kfunc(7), exit()]).unwrap_err();
    assert!(format!("{error:#}").contains("an integer of 24 bits"), "{error:#}");
}

#[test]
fn a_false_bool_with_something_above_it_is_false() {
    let signature = Signature { parameters: vec![Value::Bool], returns: Some(Value::WORD) };
    let world = World::default().function(KFUNC, signature, low_word as *const () as usize);
    let program = [mov_imm(R1, 0x100), call_kfunc(7), exit()];
    assert_eq!(world.run(&program, [0; 5]), 0);
}

#[test]
fn functions_have_frames_of_their_own_and_keep_r6_to_r9() {
    let mut program = vec![];
    for register in R6..=R9 {
        program.push(mov_imm(register, i32::from(register)));
    }
    program.extend([
        store_imm(size::DW, R10, -8, 100),
        store_imm(size::DW, R10, -512, 200),
        mov(R2, R10),
        // Where to is filled in below.
        call_local(0),
        load(size::DW, R1, R10, -8),
        alu64(alu::ADD, R0, R1),
        load(size::DW, R1, R10, -512),
        alu64(alu::ADD, R0, R1),
    ]);
    for register in R6..=R7 {
        program.push(alu64(alu::ADD, R0, register));
    }
    program.extend([alu64(alu::ADD, R0, R8), exit()]);
    let start = program.len();
    program[7] = call_local(start as i32 - 8);
    program.extend([
        // How far the frames are apart has to be at least one frame.
        alu64(alu::SUB, R2, R10),
        store_imm(size::DW, R10, -8, 1),
        store_imm(size::DW, R10, -512, 1),
        mov_imm(R6, 0),
        mov_imm(R7, 0),
        mov_imm(R8, 0),
        mov_imm(R9, 0),
        mov_imm(R0, 0),
        branch_imm(jump::JGE, R2, 512, 1),
        mov_imm(R0, -1000),
        exit(),
    ]);
    assert_eq!(run(&program, [0; 5]), 100 + 200 + 6 + 7 + 8);
}

/// Calls back as `bpf_loop` does.
extern "C" fn bpf_loop(
    rounds: u64,
    callback: extern "C" fn(u64, u64) -> u64,
    context: u64,
    _flags: u64,
) -> u64 {
    let mut done = 0;
    while done < rounds {
        let stop = callback(done, context);
        done += 1;
        if stop != 0 {
            break;
        }
    }
    done
}

#[test]
fn helpers_call_functions_of_the_program_back() {
    let mut program = vec![store_imm(size::DW, R10, -8, 0), mov_imm(R1, 100)];
    // Where the function is is filled in below.
    program.extend(load_imm64(R2, pseudo::FUNC, 0, 0));
    program.extend([
        mov(R3, R10),
        add_imm(R3, -8),
        mov_imm(R4, 0),
        call_helper(181),
        load(size::DW, R1, R10, -8),
        alu64_imm(alu::MUL, R0, 1000),
        alu64(alu::ADD, R0, R1),
        exit(),
    ]);
    let start = program.len();
    program[2].imm = start as i32 - 3;
    // Adds up the numbers, and stops at 9.
    program.extend([
        load(size::DW, R3, R2, 0),
        alu64(alu::ADD, R3, R1),
        store(size::DW, R2, 0, R3),
        mov_imm(R0, 0),
        branch_imm(jump::JNE, R1, 9, 1),
        mov_imm(R0, 1),
        exit(),
    ]);
    let world = World::default().helper(181, 4, bpf_loop as *const () as usize);
    assert_eq!(world.run(&program, [0; 5]), 10 * 1000 + 45);
}

#[test]
fn what_calls_itself_is_refused_unless_allowed() {
    // f(n) = n ? n + f(n - 1) : 0
    let program = [
        call_local(1),
        exit(),
        mov_imm(R0, 0),
        branch_imm(jump::JEQ, R1, 0, 4),
        mov(R6, R1),
        add_imm(R1, -1),
        call_local(-5),
        alu64(alu::ADD, R0, R6),
        exit(),
    ];
    assert!(refused(&program).contains("recursion"), "{}", refused(&program));
    let world = World::default();
    let shape = Shape { call_frames: None, ..Shape::default() };
    let code = world.compile_as(&program, &shape).unwrap();
    let executable = world.load(&code).unwrap();
    // SAFETY: the program only computes.
    assert_eq!(unsafe { executable.call([10, 0, 0, 0, 0]) }, 55);
}

#[test]
fn more_active_functions_than_the_kernel_allows_are_refused() {
    let chain = |length: usize| {
        let mut program = vec![];
        for _ in 1..length {
            program.extend([call_local(1), exit()]);
        }
        program.extend([mov_imm(R0, 3), exit()]);
        program
    };
    assert_eq!(run(&chain(8), [0; 5]), 3);
    assert!(refused(&chain(9)).contains("at most 8"), "{}", refused(&chain(9)));
}

thread_local! {
    /// Where tail calls go on, by index.
    static PROGRAMS: Cell<[u64; 2]> = const { Cell::new([0; 2]) };
}

extern "C" fn tail_call(_context: u64, map: u64, index: u64) -> u64 {
    assert_eq!(map, 77);
    PROGRAMS.get().get(index as usize).copied().unwrap_or(0)
}

#[test]
fn tail_calls_go_on_elsewhere_or_carry_on() {
    let binding = Binding::TailCall { reach: Reach::Far };
    let world = World::default().bind(Target::Helper(12), binding, tail_call as *const () as usize);
    let caller = [mov_imm(R2, 77), mov_imm(R3, 1), call_helper(12), mov_imm(R0, 5), exit()];
    assert_eq!(world.run(&caller, [1000, 0, 0, 0, 0]), 5, "there is nothing to go on with");

    let other = [mov(R0, R1), add_imm(R0, 3), exit()];
    let code = world.compile(&other).unwrap();
    let executable = world.load(&code).unwrap();
    PROGRAMS.set([0, executable.addresses().start as u64]);
    assert_eq!(world.run(&caller, [1000, 0, 0, 0, 0]), 1003);

    // From within a function, the other program's result is the function's.
    let mut nested = vec![call_local(2), add_imm(R0, 1), exit()];
    nested.extend(caller);
    assert_eq!(world.run(&nested, [1000, 0, 0, 0, 0]), 1004);
}

fn thrower() -> World {
    World::default().bind(KFUNC, Binding::Throw, 0)
}

#[test]
fn throwing_ends_the_program_from_within_its_functions() {
    let program = [
        call_local(2),
        mov_imm(R0, 1),
        exit(),
        call_local(2),
        mov_imm(R0, 2),
        exit(),
        mov_imm(R0, 3),
        branch_imm(jump::JEQ, R1, 0, 2),
        mov_imm(R1, 44),
        call_kfunc(7),
        exit(),
    ];
    assert_eq!(thrower().run(&program, [0; 5]), 1, "nothing was thrown");
    assert_eq!(thrower().run(&program, [1, 0, 0, 0, 0]), 44);
}

#[test]
fn what_was_thrown_goes_to_the_exception_callback() {
    let program = [
        call_local(4),
        exit(),
        // The callback.
        alu64_imm(alu::MUL, R1, 2),
        mov(R0, R1),
        exit(),
        // The function that throws.
        mov_imm(R1, 44),
        call_kfunc(7),
        exit(),
    ];
    let shape = Shape { exception_callback: Some(2), ..Shape::default() };
    let world = thrower();
    let code = world.compile_as(&program, &shape).unwrap();
    let executable = world.load(&code).unwrap();
    // SAFETY: the program only computes.
    assert_eq!(unsafe { executable.call([0; 5]) }, 88);
}

#[test]
fn callbacks_that_throw_are_refused() {
    let mut program = load_imm64(R0, pseudo::FUNC, 2, 0).to_vec();
    program.extend([mov_imm(R0, 0), exit(), call_kfunc(7), exit()]);
    program[0].imm = 3;
    let error = thrower().compile(&program).unwrap_err();
    assert!(format!("{error:#}").contains("can throw"), "{error:#}");
}

#[test]
fn may_goto_ends_a_loop_after_so_many_rounds() {
    let program = [mov_imm(R0, 0), may_goto(2), add_imm(R0, 1), ja(-3), exit()];
    assert_eq!(run(&program, [0; 5]), MAX_LOOPS as u64);
    // Two of them share the function's budget.
    let program = [
        mov_imm(R0, 0),
        may_goto(2),
        add_imm(R0, 1),
        ja(-3),
        may_goto(2),
        add_imm(R0, 1),
        ja(-3),
        exit(),
    ];
    assert_eq!(run(&program, [0; 5]), MAX_LOOPS as u64);
}

#[test]
fn what_is_not_bound_is_named() {
    for (instruction, name) in [
        (call_helper(99), "there is no helper 99 here"),
        (call_kfunc(5), "there is no kfunc 5 of vmlinux here"),
    ] {
        let error = refused(&[instruction, exit()]);
        assert!(error.contains(name) && error.contains("instruction 0"), "{error}");
    }
    let mut program = load_imm64(R4, pseudo::MAP_FD, 3, 0).to_vec();
    program.extend([mov_imm(R5, 0), mov(R0, R5), exit()]);
    let error = refused(&program);
    assert!(error.contains("there is no map with descriptor 3 here"), "{error}");
}

#[test]
fn what_was_bound_and_has_no_address_is_named() {
    let world = World::default().helper(1, 1, 0);
    let code = world.compile(&[call_helper(1), exit()]).unwrap();
    let error = code.link(0, |_| None).unwrap_err();
    assert!(format!("{error:#}").contains("no address of helper 1"), "{error:#}");
}

#[test]
fn constants_of_all_kinds_are_filled_in() {
    use ufunc_compile::Map;
    let world = World::default()
        .data(Target::Map(Map::Descriptor(3)), 0x1111_2222_3333_4444)
        .data(Target::MapValue(Map::Descriptor(4)), 0x5555_6666_7777_0000)
        .data(Target::Variable { id: 9, module: 2 }, 0x9999)
        .data(Target::Map(Map::Index(1)), 0xaaaa)
        .data(Target::MapValue(Map::Index(2)), 0xbbbb_0000);
    for (kind, imm, second, expected) in [
        (pseudo::CONSTANT, -1, 0x1234_5678, 0x1234_5678_ffff_ffff),
        (pseudo::MAP_FD, 3, 0, 0x1111_2222_3333_4444),
        (pseudo::MAP_VALUE, 4, 24, 0x5555_6666_7777_0018),
        (pseudo::BTF_ID, 9, 2, 0x9999),
        (pseudo::MAP_IDX, 1, 0, 0xaaaa),
        (pseudo::MAP_IDX_VALUE, 2, 0x1234, 0xbbbb_1234),
    ] {
        let mut program = load_imm64(R0, kind, imm, second).to_vec();
        program.push(exit());
        assert_eq!(world.run(&program, [0; 5]), expected, "kind {kind}");
    }
}

#[test]
fn registers_that_nothing_was_put_into_are_zero() {
    let program = [alu64(alu::ADD, R0, R7), alu64(alu::ADD, R0, R3), exit()];
    let world = World::default();
    let code = world.compile(&program).unwrap();
    let executable = world.load(&code).unwrap();
    // SAFETY: the program only computes.
    assert_eq!(unsafe { executable.call([0, 0, 4, 0, 0]) }, 4);
}

#[test]
fn what_is_known_when_the_code_is_linked_is_no_call() {
    let program = [call_helper(174), exit()];
    let world = World::default().bind(Target::Helper(174), Binding::Constant, 0x1234_5678_9abc);
    assert_eq!(world.run(&program, [1, 2, 3, 4, 5]), 0x1234_5678_9abc);
    let code = world.compile(&program).unwrap();
    assert!(!code.calls_outside && code.context.passed_to.is_empty());
}

#[test]
fn only_the_program_itself_can_ask_what_it_was_given() {
    let world = World::default().bind(KFUNC, Binding::Argument(2), 0);
    // r3 is overwritten before.
    let program = [mov_imm(R3, 0), call_kfunc(7), exit()];
    assert_eq!(world.run(&program, [10, 20, 30, 40, 50]), 30);
    let within = [call_local(1), exit(), call_kfunc(7), exit()];
    let refused = |world: &World, program: &[Instruction]| {
        format!("{:#}", world.compile(program).unwrap_err())
    };
    assert!(refused(&world, &within).contains("by the program itself only"));
    let beyond = World::default().bind(KFUNC, Binding::Argument(5), 0);
    assert!(refused(&beyond, &program).contains("argument 5"));
}

extern "C" fn weigh_six(a: u64, b: u64, c: u64, d: u64, e: u64, f: u64) -> u64 {
    weigh(a, b, c, d, e) + 6 * f
}

#[test]
fn what_the_program_knows_nothing_of_is_passed_last() {
    let binding =
        Binding::WithConstant { signature: Signature::words(5), reach: Reach::Far, constant: 3 };
    let mut world = World::default().bind(KFUNC, binding, weigh_six as *const () as usize);
    world.addresses.insert(Target::Runtime(3), 1000);
    let mut program = five_arguments();
    program.extend([call_kfunc(7), exit()]);
    assert_eq!(world.run(&program, [0; 5]), 10 + 40 + 90 + 160 + 250 + 6000);
}

thread_local! {
    static NOTED: std::cell::RefCell<Vec<[u64; 3]>> = const { std::cell::RefCell::new(Vec::new()) };
}

extern "C" fn acquired(object: u64, release: u64) -> u64 {
    NOTED.with_borrow_mut(|noted| noted.push([1, object, release]));
    if object == 13 { 0 } else { object }
}

extern "C" fn released(object: u64) -> u64 {
    NOTED.with_borrow_mut(|noted| noted.push([2, object, 0]));
    99
}

extern "C" fn take(number: u32) -> u64 {
    number.into()
}

extern "C" fn give(_: u32, object: u64) {
    NOTED.with_borrow_mut(|noted| noted.push([3, object, 0]));
}

#[test]
fn objects_are_noted_when_they_are_acquired_and_before_they_are_released() {
    let (taker, giver) = (Target::Kfunc { id: 1, module: 1 }, Target::Kfunc { id: 2, module: 1 });
    let acquire = Binding::Acquire {
        signature: Signature {
            parameters: vec![integer(32, false)],
            returns: Some(Value::Pointer),
        },
        reach: Reach::Far,
        note: 0,
        release: 5,
    };
    let release = Binding::Release {
        signature: Signature {
            parameters: vec![integer(32, false), Value::Pointer],
            returns: None,
        },
        reach: Reach::Far,
        note: 1,
        object: 1,
    };
    let mut world = World::default().bind(taker, acquire, take as *const () as usize).bind(
        giver,
        release,
        give as *const () as usize,
    );
    world.addresses.insert(Target::Runtime(0), acquired as *const () as u64);
    world.addresses.insert(Target::Runtime(1), released as *const () as u64);
    world.addresses.insert(Target::Runtime(5), 0x5000);
    let kfunc = |id| Instruction { off: 1, ..call_kfunc(id) };
    let program = [
        kfunc(1),
        mov(R6, R0),
        branch_imm(jump::JEQ, R0, 0, 3),
        mov(R2, R0),
        mov_imm(R1, 0),
        kfunc(2),
        mov(R0, R6),
        exit(),
    ];
    assert_eq!(world.run(&program, [7, 0, 0, 0, 0]), 7);
    assert_eq!(NOTED.take(), [[1, 7, 0x5000], [2, 7, 0], [3, 7, 0]]);
    // Nothing to be noted; and what is noted may be withheld.
    assert_eq!(world.run(&program, [0; 5]), 0);
    assert_eq!(NOTED.take(), [[0u64; 3]; 0]);
    assert_eq!(world.run(&program, [13, 0, 0, 0, 0]), 0);
    assert_eq!(NOTED.take(), [[1, 13, 0x5000]]);
}

extern "C" fn begun() {
    NOTED.with_borrow_mut(|noted| noted.push([9, 0, 0]));
}

#[test]
fn what_a_program_calls_first_changes_no_register() {
    let mut world = World::default();
    world.addresses.insert(Target::Runtime(4), begun as *const () as u64);
    let program = [call_local(2), mov(R0, R2), exit(), mov_imm(R0, 0), exit()];
    let parsed = ufunc_compile::Program::parse(&program, &Shape::default()).unwrap();
    let options = ufunc_compile::Options { begin: Some(4), arguments: 2, ..Default::default() };
    let program = [mov(R0, R2), exit()];
    let parsed_main = ufunc_compile::Program::parse(&program, &Shape::default()).unwrap();
    let code = ufunc_compile::compile(&parsed_main, &world.bindings, &options).unwrap();
    assert!(code.calls_outside);
    // SAFETY: the program only returns what it is given.
    assert_eq!(unsafe { world.load(&code).unwrap().call([1, 22, 0, 0, 0]) }, 22);
    // Only the program itself does: its functions do not.
    let code = ufunc_compile::compile(&parsed, &world.bindings, &options).unwrap();
    // SAFETY: as above; r2 is not read after the call but for what it holds in native code.
    unsafe { world.load(&code).unwrap().call([1, 2, 0, 0, 0]) };
    assert_eq!(NOTED.take(), [[9, 0, 0], [9, 0, 0]]);
}

#[test]
fn elements_of_the_hosts_arrays_are_found_and_none_beyond() {
    let array = [0x7fff_i16, -1, -2, 3];
    // The array is two pointers away from the object.
    let link = (&raw const array).expose_provenance() as u64;
    let chain = [5, (&raw const link).expose_provenance() as u64];
    let element = Element { follow: vec![8, 0], offset: 2, count: 3, bytes: 2, signed: true };
    let read = |element: &Element, object: u64, index: u64| {
        let world = World::default().bind(KFUNC, Binding::Element(element.clone()), 0);
        world.run(&[call_kfunc(7), exit()], [object, index, 3, 4, 5])
    };
    let object = (&raw const chain).expose_provenance() as u64;
    // Of an index only the lower half counts.
    for (index, expected) in [(0, -1), (1, -2), (2, 3), (3, 0), (u64::from(u32::MAX), 0)] {
        for above in [0, 7 << 32] {
            assert_eq!(read(&element, object, index | above), (expected as i64).cast_unsigned());
        }
    }
    let unsigned = Element { signed: false, ..element.clone() };
    assert_eq!(read(&unsigned, object, 0), 0xffff);
    let here = Element { follow: Vec::new(), offset: 0, count: 2, bytes: 8, signed: false };
    assert_eq!(read(&here, object, 0), 5);
    assert_eq!(read(&here, object, 1), chain[1]);
    let world = World::default().bind(KFUNC, Binding::Element(element), 0);
    let code = world.compile(&[call_kfunc(7), exit()]).unwrap();
    // Two pointers and the element; all may be anywhere, and no function is called.
    assert_eq!(code.faulting_loads.len(), 3);
    assert!(!code.calls_outside && code.relocations.is_empty());
}

#[test]
fn elements_of_odd_sizes_are_refused() {
    let element = Element { follow: Vec::new(), offset: 0, count: 2, bytes: 3, signed: false };
    let world = World::default().bind(KFUNC, Binding::Element(element), 0);
    let error = world.compile(&[call_kfunc(7), exit()]).unwrap_err();
    assert!(format!("{error:#}").contains("elements of 3 bytes"), "{error:#}");
}
