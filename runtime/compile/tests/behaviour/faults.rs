// SPDX-License-Identifier: MIT OR Apache-2.0
//! Loads that fault give 0, with the help of the table and a handler of SIGSEGV like the one that
//! a host will have.

use std::ffi::c_void;
use std::sync::{Mutex, RwLock};

use ufunc_compile::opcode::{alu, atomic, size};
use ufunc_compile::{FaultingLoad, Instruction};

use crate::asm::{
    R0, R1, R2, R3, R6, alu64, atomic, branch_imm, constant, exit, load, load_signed, mov, mov_imm,
};
use crate::common::World;

/// The code that may fault: where it is, and its loads.
struct Guarded {
    start: usize,
    end: usize,
    loads: Vec<FaultingLoad>,
}

static GUARDED: RwLock<Option<Guarded>> = RwLock::new(None);

/// Only one test at a time has code that is guarded.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Where the saved context keeps the registers, in the machine's order.
const REGISTERS: [libc::c_int; 16] = [
    libc::REG_RAX,
    libc::REG_RCX,
    libc::REG_RDX,
    libc::REG_RBX,
    libc::REG_RSP,
    libc::REG_RBP,
    libc::REG_RSI,
    libc::REG_RDI,
    libc::REG_R8,
    libc::REG_R9,
    libc::REG_R10,
    libc::REG_R11,
    libc::REG_R12,
    libc::REG_R13,
    libc::REG_R14,
    libc::REG_R15,
];

extern "C" fn handle(signal: libc::c_int, _info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel passes a handler of this kind the registers in a `ucontext_t`.
    let context = unsafe { &mut *context.cast::<libc::ucontext_t>() };
    let registers = &mut context.uc_mcontext.gregs;
    let address = registers[libc::REG_RIP as usize] as usize;
    let guarded = GUARDED.try_read();
    let load = guarded.ok().and_then(|guarded| {
        let guarded = guarded.as_ref()?;
        if !(guarded.start..guarded.end).contains(&address) {
            return None;
        }
        let offset = (address - guarded.start) as u32;
        let index = guarded.loads.binary_search_by_key(&offset, |load| load.offset).ok()?;
        Some(guarded.loads[index])
    });
    match load {
        Some(load) => {
            registers[REGISTERS[usize::from(load.register)] as usize] = 0;
            registers[libc::REG_RIP as usize] += i64::from(load.length);
        }
        // SAFETY: the fault is somebody else's: it is to end the process, as it would have.
        None => unsafe {
            libc::signal(signal, libc::SIG_DFL);
        },
    }
}

/// Runs a program whose loads are guarded.
fn run_guarded(program: &[Instruction], arguments: [u64; 5]) -> u64 {
    let world = World::default();
    let code = world.compile(program).unwrap();
    let executable = world.load(&code).unwrap();
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let range = executable.addresses();
    *GUARDED.write().unwrap() =
        Some(Guarded { start: range.start, end: range.end, loads: code.faulting_loads.clone() });
    // SAFETY: the handler only reads what is in place before it is set, and changes registers.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handle as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        assert_eq!(libc::sigaction(libc::SIGSEGV, &raw const action, std::ptr::null_mut()), 0);
    }
    // SAFETY: what the program loads may be bad; the handler sees to that.
    let result = unsafe { executable.call(arguments) };
    *GUARDED.write().unwrap() = None;
    result
}

/// Nothing is ever mapped there: not even canonical, or the kernel's, or the first page.
const BAD: [u64; 4] = [0x10, 0x8000_0000_0000_0000, 0xffff_ffff_ff00_0000, u64::MAX - 64];

#[test]
fn loads_of_all_kinds_give_zero_and_go_on() {
    for size in [size::B, size::H, size::W, size::DW] {
        let mut loads = vec![load(size, R2, R1, 0), load(size, R1, R1, 8)];
        if size != size::DW {
            loads.push(load_signed(size, R2, R1, 0));
            loads.push(load_signed(size, R1, R1, -8));
        }
        loads.push(atomic(atomic::LOAD_ACQ, size, R2, 0, R1));
        for insn in loads {
            let program =
                [mov_imm(R2, -1), insn, mov(R0, insn.dst), alu64(alu::ADD, R0, R0), exit()];
            for bad in BAD {
                assert_eq!(run_guarded(&program, [bad, 0, 0, 0, 0]), 0, "{insn:?} of {bad:#x}");
            }
        }
    }
}

#[test]
fn what_uses_a_faulting_load_sees_zero() {
    // Operands that the machine could read from memory itself, which would skip more than a load.
    for op in [alu::ADD, alu::SUB, alu::AND, alu::OR, alu::XOR, alu::MUL, alu::DIV, alu::LSH] {
        let program = [
            mov_imm(R0, 1000),
            load(size::DW, R2, R1, 0),
            alu64(op, R0, R2),
            load(size::W, R3, R1, 16),
            alu64(alu::ADD, R0, R3),
            exit(),
        ];
        let expected = match op {
            alu::ADD | alu::SUB | alu::OR | alu::XOR | alu::LSH => 1000,
            _ => 0,
        };
        assert_eq!(run_guarded(&program, [BAD[0], 0, 0, 0, 0]), expected, "{op:#x}");
    }
    let compare = [
        mov_imm(R0, 1),
        load(size::DW, R2, R1, 0),
        branch_imm(ufunc_compile::opcode::jump::JEQ, R2, 0, 1),
        mov_imm(R0, 2),
        exit(),
    ];
    assert_eq!(run_guarded(&compare, [BAD[1], 0, 0, 0, 0]), 1);
}

#[test]
fn good_loads_are_as_ever_and_chains_end_in_zero() {
    let words = [7u64, 8];
    let mut program = constant(R6, 0x1234_5678_9abc).to_vec();
    // A pointer to nothing, from which the next one is loaded, and so on.
    program.extend([
        load(size::DW, R2, R1, 0),
        mov(R0, R2),
        load(size::DW, R3, R6, 0),
        load(size::DW, R3, R3, 0),
        load(size::DW, R3, R3, 24),
        alu64(alu::ADD, R0, R3),
        load(size::DW, R2, R1, 8),
        alu64(alu::ADD, R0, R2),
        exit(),
    ]);
    assert_eq!(run_guarded(&program, [words.as_ptr() as u64, 0, 0, 0, 0]), 15);
}
