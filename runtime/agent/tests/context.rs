// SPDX-License-Identifier: MIT OR Apache-2.0
//! What programs see and change, and what they do not change.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::missing_transmute_annotations, reason = "the types stand beside it")]

mod common;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use common::{Library, Registers, compile, hook, hook_by, plan, program, trash, trashed};
use ufunc_agent::{agent, attach, missed, original, reserve};
use ufunc_hook::machine::Machine;
use ufunc_hook::program::{Clobbers, Program, Vectors, When};
use ufunc_hook::{site, stub};
use ufunc_shared::context::{Field, Fields};

static SEEN: Mutex<Vec<Registers>> = Mutex::new(Vec::new());

fn alone() -> MutexGuard<'static, ()> {
    static LOCK: Mutex<()> = Mutex::new(());
    LOCK.lock().unwrap_or_else(PoisonError::into_inner)
}

extern "C" fn see(registers: &mut Registers) {
    // SAFETY: plain numbers are copied.
    SEEN.lock().unwrap().push(unsafe { std::ptr::read(registers) });
}

fn seen() -> Vec<Registers> {
    std::mem::take(&mut SEEN.lock().unwrap())
}

/// What the registers are after a call of `target` with each one known: rax, rbx, rcx, rdx, rsi,
/// rdi, rbp, r8 to r15.
fn all_registers(library: &Library) -> [u64; 15] {
    // SAFETY: that is its prototype.
    let all: extern "C" fn(&mut [u64; 15]) =
        unsafe { std::mem::transmute(library.address("all_registers")) };
    let mut registers = [0; 15];
    all(&mut registers);
    registers
}

const PLAIN: [u64; 15] = [11, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

fn number(registers: &Registers) -> [u64; 15] {
    let r = registers;
    [r.ax, r.bx, r.cx, r.dx, r.si, r.di, r.bp, r.r8, r.r9, r.r10, r.r11, r.r12, r.r13, r.r14, r.r15]
}

#[test]
fn programs_see_every_register() {
    let _alone = alone();
    let library = compile("cc", "context.c", &["-O2"]);
    assert_eq!(all_registers(&library), PLAIN);
    let target = library.function("target");
    let back = library.address("after_call") as u64;
    for trap in [false, true] {
        let programs = [When::Entry, When::Return].map(|when| program(see, when));
        let hook = hook_by(target, 0, &programs, trap).unwrap();
        assert_eq!(all_registers(&library), PLAIN);
        hook.detach().unwrap();
        let [entry, exit] = &seen()[..] else { panic!("one entry, one return") };
        assert_eq!(number(entry)[1..], PLAIN[1..]);
        assert_eq!((entry.ax, entry.ip, entry.orig_ax), (1, target.address, u64::MAX));
        assert_eq!((entry.cs, entry.ss), (0x33, 0x2b));
        assert_eq!(number(exit), PLAIN);
        assert_eq!((exit.ip, exit.sp), (back, entry.sp + 8));
        // At an offset, after the first instruction.
        let hook = hook_by(target, 3, &[program(see, When::Entry)], trap).unwrap();
        assert_eq!(all_registers(&library), PLAIN);
        hook.detach().unwrap();
        let [amid] = &seen()[..] else { panic!("one hit") };
        assert_eq!((amid.ax, amid.ip, amid.sp), (6, target.address + 3, entry.sp));
        assert_eq!(number(amid)[1..], PLAIN[1..]);
    }
}

#[test]
fn a_program_that_reads_and_changes_nothing_costs_no_register() {
    let _alone = alone();
    let library = compile("cc", "context.c", &["-O2"]);
    for when in [When::Entry, When::Return] {
        let hook = hook(library.function("target"), 0, &[trash(when)]).unwrap();
        let before = trashed();
        assert_eq!(all_registers(&library), PLAIN);
        assert_eq!(trashed() - before, 1);
        hook.detach().unwrap();
    }
}

/// Adds 100 to each register, and for `elsewhere` goes there.
static ELSEWHERE: AtomicU64 = AtomicU64::new(0);

extern "C" fn write_arguments(registers: &mut Registers) {
    registers.di = 1_000;
    registers.si += 100;
    registers.r12 = 0xabc;
    registers.bp = 0xdef;
    registers.r11 = 0x11;
}

extern "C" fn write_result(registers: &mut Registers) {
    registers.ax += 5;
    registers.bx = 0xb;
    registers.bp = 0xdef;
}

extern "C" fn go_elsewhere(registers: &mut Registers) {
    registers.ip = ELSEWHERE.load(Ordering::SeqCst);
    registers.r9 = 0x99;
}

/// Returns at once, as the kernel's users do it: takes the return address off the stack.
extern "C" fn return_at_once(registers: &mut Registers) {
    // SAFETY: at an entry the return address is on top.
    registers.ip = unsafe { *(registers.sp as *const u64) };
    registers.sp += 8;
    registers.ax = 0x5151;
}

fn writing(code: extern "C" fn(&mut Registers), when: When, writes: &[Field]) -> Program {
    let writes = writes.iter().fold(Fields::NONE, |fields, field| fields.with(*field));
    Program { writes, ..program(code, when) }
}

#[test]
fn what_programs_write_is_loaded() {
    let _alone = alone();
    let library = compile("cc", "context.c", &["-O2"]);
    let target = library.function("target");
    let changed = |changes: &[(usize, u64)]| {
        let mut registers = PLAIN;
        for (index, value) in changes {
            registers[*index] = *value;
        }
        registers
    };
    ELSEWHERE.store(library.address("elsewhere") as u64, Ordering::SeqCst);
    use Field::{Ax, Bp, Bx, Di, Ip, R9, R11, R12, Si, Sp};
    let arguments: &[Field] = &[Di, Si, R12, Bp, R11];
    let written: &[(usize, u64)] =
        &[(0, 1_105), (4, 105), (5, 1_000), (6, 0xdef), (10, 0x11), (11, 0xabc)];
    for trap in [false, true] {
        let cases: [(Program, &[(usize, u64)]); 4] = [
            (writing(write_arguments, When::Entry, arguments), written),
            (writing(write_result, When::Return, &[Ax, Bx, Bp]), &[(0, 16), (1, 0xb), (6, 0xdef)]),
            (writing(go_elsewhere, When::Entry, &[Ip, R9]), &[(0, 0x77), (8, 0x99)]),
            (writing(return_at_once, When::Entry, &[Ip, Sp, Ax]), &[(0, 0x5151)]),
        ];
        for (index, (program, expected)) in cases.into_iter().enumerate() {
            let hook = hook_by(target, 0, &[program, trash(When::Entry)], trap).unwrap();
            assert_eq!(all_registers(&library), changed(expected), "case {index}");
            hook.detach().unwrap();
        }
        // Amid the function, and unchanged where to go on.
        let program = writing(write_arguments, When::Entry, &[Di, Si, R12, Bp, R11, Ip, Sp]);
        let hook = hook_by(target, 3, &[program], trap).unwrap();
        let mut expected = changed(written);
        expected[0] = 6 + 105;
        assert_eq!(all_registers(&library), expected);
        hook.detach().unwrap();
    }
    // A return may be sent elsewhere too.
    let hook = hook(target, 0, &[writing(to_marked, When::Return, &[Ip, R9])]).unwrap();
    assert_eq!(all_registers(&library), changed(&[(8, 0x98)]));
    hook.detach().unwrap();
}

extern "C" fn to_marked(registers: &mut Registers) {
    registers.r9 = 0x98;
}

#[test]
fn amid_a_function_the_red_zone_and_the_flags_stay() {
    let _alone = alone();
    let library = compile("cc", "context.c", &["-O2"]);
    // SAFETY: these are what the symbols are.
    let (leaf, offset): (extern "C" fn(i64, i64) -> i64, u64) = unsafe {
        (std::mem::transmute(library.address("leaf")), *library.address("leaf_offset").cast())
    };
    let pairs = [(1, 1), (1, 2), (2, 1), (i64::MIN, 1), (-1, 1), (0x7f, -1), (i64::MAX, -5)];
    let plain: Vec<i64> = pairs.iter().map(|(a, b)| leaf(*a, *b)).collect();
    assert!(plain.iter().all(|flags| flags & 0x400 != 0), "{plain:x?}");
    for trap in [false, true] {
        for program in [trash(When::Entry), program(see, When::Entry)] {
            let function = library.function("leaf");
            let hook = hook_by(function, offset, &[program], trap).unwrap();
            let hooked: Vec<i64> = pairs.iter().map(|(a, b)| leaf(*a, *b)).collect();
            hook.detach().unwrap();
            assert_eq!(hooked, plain);
        }
    }
    let flags = seen().iter().map(|registers| (registers.flags & 0xcd5) as i64).collect::<Vec<_>>();
    assert_eq!(flags, [&plain[..], &plain[..]].concat());
}

static INNER: AtomicU64 = AtomicU64::new(0);

extern "C" fn call_out(registers: &mut Registers) {
    INNER.fetch_add(1, Ordering::SeqCst);
    // SAFETY: the test has put the address of `inner` there.
    let inner: extern "C" fn(u64) -> u64 =
        unsafe { std::mem::transmute(ELSEWHERE.load(Ordering::SeqCst)) };
    assert_eq!(inner(registers.di), registers.di + 1);
}

#[test]
fn a_program_that_calls_what_it_hooks_does_not_recurse() {
    let _alone = alone();
    let library = compile("cc", "context.c", &["-O2"]);
    ELSEWHERE.store(library.address("inner") as u64, Ordering::SeqCst);
    // SAFETY: that is its prototype.
    let outer: extern "C" fn(i64) -> i64 = unsafe { std::mem::transmute(library.address("outer")) };
    for when in [When::Entry, When::Return] {
        for trap in [false, true] {
            let calling = Program { calls_out: true, ..program(call_out, when) };
            let hooks = ["inner", "outer"]
                .map(|name| hook_by(library.function(name), 0, &[calling], trap).unwrap());
            let (before, lost) = (INNER.load(Ordering::SeqCst), missed());
            for argument in 0..10 {
                assert_eq!(outer(argument), (argument + 1) * 2);
            }
            assert_eq!(INNER.load(Ordering::SeqCst) - before, 20);
            assert_eq!(missed() - lost, 20);
            for hook in hooks {
                hook.detach().unwrap();
            }
        }
    }
}

#[test]
fn faults_of_displaced_instructions_have_their_place() {
    let _alone = alone();
    let library = compile("cc", "functions.c", &["-O2"]);
    let function = library.function("bump");
    let plan = plan(function, 0, &[trash(When::Entry)], false, false).unwrap();
    // SAFETY: its program is a function of this test.
    let hook = unsafe { attach(&plan) }.unwrap();
    for moved in &plan.moved {
        assert_eq!(original(moved.to), Some(moved.from));
    }
    assert_eq!(original(plan.stub + 1), None);
    hook.detach().unwrap();
}

#[test]
fn what_cannot_be_is_refused_and_leaves_all_as_it_was() {
    let _alone = alone();
    let library = compile("cc", "functions.c", &["-O2"]);
    let function = library.function("many");
    let before = function.bytes().to_vec();
    let plan = plan(function, 0, &[trash(When::Entry)], false, false).unwrap();
    let refused = |plan: &ufunc_shared::plan::Plan| {
        // SAFETY: nothing of it is put in place.
        format!("{:#}", unsafe { attach(plan) }.map(|_| ()).unwrap_err())
    };
    let mut other = plan.clone();
    other.original[0] ^= 1;
    assert!(refused(&other).contains("somebody else changed it"));
    let mut other = plan.clone();
    other.replacement[1] ^= 1;
    assert!(refused(&other).contains("not to its stub"));
    let mut other = plan.clone();
    other.code = vec![0x90; 100_000];
    assert!(refused(&other).contains("no room was reserved"));
    assert_eq!(function.bytes(), before);
    // SAFETY: its program is a function of this test.
    let hook = unsafe { attach(&plan) }.unwrap();
    assert!(refused(&plan).contains("too near to a hook"));
    hook.detach().unwrap();
    assert_eq!(function.bytes(), before);

    let amid = |offset| common::plan(function, offset, &[trash(When::Return)], false, false);
    let said: Vec<String> =
        (1..12).map(|offset| format!("{:#}", amid(offset).unwrap_err())).collect();
    assert!(said.iter().any(|said| said.contains("only an entry")), "{said:?}");
    assert!(common::plan(function, 0, &[], false, false).is_err());
}

/// What is not called clobbers nothing: the stub of an empty program is short.
#[test]
fn an_empty_program_makes_a_short_stub() {
    let library = compile("cc", "functions.c", &["-O2"]);
    let clobbers = Clobbers { registers: Fields::NONE, vectors: Vectors::None, x87: false };
    let empty = Program { reads: Fields::NONE, clobbers, ..trash(When::Entry) };
    let plan = plan(library.function("add"), 0, &[empty], false, false).unwrap();
    assert!(plan.code.len() < 90, "{}", plan.code.len());
}

static HOST: AtomicU64 = AtomicU64::new(0);

extern "C" fn host(signal: i32, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: the kernel's.
    assert_eq!(unsafe { (*info).si_signo }, signal);
    HOST.fetch_add(1, Ordering::SeqCst);
}

#[test]
fn the_applications_own_traps_reach_it() {
    let _alone = alone();
    let library = compile("cc", "context.c", &["-O2"]);
    // SAFETY: a handler as its flags say; the mask is empty.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = host as *const () as usize;
    action.sa_flags = libc::SA_SIGINFO;
    // SAFETY: as above.
    let done = unsafe { libc::sigaction(libc::SIGTRAP, &raw const action, std::ptr::null_mut()) };
    assert_eq!(done, 0);
    let hook = hook_by(library.function("target"), 0, &[trash(When::Entry)], true).unwrap();
    let (hits, before) = (trashed(), HOST.load(Ordering::SeqCst));
    assert_eq!(all_registers(&library), PLAIN);
    // SAFETY: the handler above goes on behind it.
    unsafe {
        std::arch::asm!("int3");
        libc::raise(libc::SIGTRAP);
    }
    assert_eq!(HOST.load(Ordering::SeqCst) - before, 2);
    assert_eq!(trashed() - hits, 1);
    hook.detach().unwrap();
}

/// Calls what is at `address` with 5 in rax and 7 in rsi, and gives rax.
fn call_amid(address: u64) -> u64 {
    let mut result = 5u64;
    // SAFETY: it adds rsi to rax and returns.
    unsafe {
        std::arch::asm!("call {}", in(reg) address, inout("rax") result, in("rsi") 7u64);
    }
    result
}

#[test]
fn who_comes_amid_a_jump_goes_on_by_sigtrap_and_by_sigill() {
    let _alone = alone();
    let library = compile("cc", "context.c", &["-O2"]);
    let target = library.function("target");
    // The second of the two instructions that the jump covers.
    let amid = target.address + 3;
    assert_eq!(call_amid(amid), 12);
    let site = site::find(&target.planned(), 0).unwrap();
    let (programs, machine) = ([trash(When::Entry)], Machine::detect());
    let room = stub::room(&site, &programs, &agent(), machine).unwrap();
    for byte in [0x07, 0x60, 0xcc, 0xd4] {
        // The stub lies below, where the jump has this byte there; wherever that is free.
        let stub = (1..100).find_map(|times| {
            let placement = site.placement();
            let reach = (1 << 31) - (1 << 16);
            let least = placement.anchor() - (times << 24) + (byte << 16);
            let placement = placement.reaching(least + reach).reaching(least + 0xffff - reach);
            reserve(site.patch, &placement, room, false).ok()
        });
        let stub = stub.unwrap();
        let plan = stub::plan(&site, &programs, stub, &agent(), machine).unwrap();
        assert_eq!(plan.interior(), [3]);
        // SAFETY: its program is a function of this test.
        let hook = unsafe { attach(&plan) }.unwrap();
        assert_eq!(u64::from(target.bytes()[3]), byte);
        let before = trashed();
        assert_eq!(call_amid(amid), 12, "{byte:x}");
        assert_eq!(trashed(), before, "that was no entry");
        assert_eq!(all_registers(&library), PLAIN);
        assert_eq!(trashed(), before + 1);
        hook.detach().unwrap();
        assert_eq!(call_amid(amid), 12, "{byte:x}, detached");
    }
}
