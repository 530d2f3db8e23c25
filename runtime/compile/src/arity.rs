// SPDX-License-Identifier: MIT OR Apache-2.0
//! How many arguments each function of a program takes: registers that it reads before it writes
//! them. The fewer, the less a call has to put in place.

use crate::operation::{Alu, Operation, Source};
use crate::program::{Function, Program};
use crate::target::{Binding, Bindings, Target};

/// The most arguments that a function of BPF takes.
pub(crate) const MOST: u8 = 5;

/// Registers, a bit for each.
type Registers = u16;

/// The number of arguments of every function, the program itself left out: what that takes is the
/// caller's.
pub(crate) fn arities(program: &Program, bindings: &Bindings) -> Vec<u8> {
    let mut arities = vec![MOST; program.functions().len()];
    // A callee that comes later, or calls back, counts as taking all of them at first; a second
    // round then knows better. Fewer rounds only cost a move, so there are no more.
    for _ in 0..2 {
        for (index, function) in program.functions().iter().enumerate() {
            let arity = arity(program, function, &arities, bindings);
            if let Some(slot) = arities.get_mut(index) {
                *slot = arity;
            }
        }
    }
    arities
}

/// The number of arguments that a call outside of the program takes.
pub(crate) fn of_target(target: Target, bindings: &Bindings) -> u8 {
    match bindings.get(&target) {
        Some(Binding::TailCall { .. }) => 3,
        Some(Binding::Throw) => 1,
        Some(Binding::Element(_)) => 2,
        Some(Binding::Constant | Binding::Argument(_)) => 0,
        binding => match binding.and_then(Binding::signature) {
            Some(signature) => u8::try_from(signature.parameters.len()).unwrap_or(MOST).min(MOST),
            None => MOST,
        },
    }
}

fn arity(program: &Program, function: &Function, arities: &[u8], bindings: &Bindings) -> u8 {
    let length = function.end - function.start;
    // Registers that are read after the beginning of each instruction.
    let mut live: Vec<Registers> = vec![0; length];
    let at = |live: &[Registers], index: usize| {
        index.checked_sub(function.start).and_then(|at| live.get(at)).copied().unwrap_or(0)
    };
    loop {
        let mut changed = false;
        for (index, operation) in program.operations(function).rev() {
            let mut after = 0;
            if operation.falls_through() {
                after |= at(&live, program.next(index));
            }
            if let Some(to) = operation.jump() {
                after |= at(&live, to);
            }
            let call = match *operation {
                Operation::CallLocal { start } => Some(
                    program
                        .function_at(start)
                        .and_then(|callee| arities.get(callee).copied())
                        .unwrap_or(MOST),
                ),
                Operation::Call { target } => Some(of_target(target, bindings)),
                _ => None,
            };
            let before = match call {
                // r0 to r5 are overwritten, and the arguments read.
                Some(arity) => (after & !0x3f) | arguments(arity),
                None => (after & !written(operation)) | read(operation),
            };
            if let Some(slot) = live.get_mut(index - function.start)
                && *slot != before
            {
                *slot = before;
                changed = true;
            }
        }
        if !changed {
            break;
        }
    }
    let entry = live.first().copied().unwrap_or(0);
    (1..=MOST).rev().find(|register| entry & bit(*register) != 0).unwrap_or(0)
}

/// Whether an operation reads a register; calls count as reading none.
pub(crate) fn reads(operation: &Operation, register: u8) -> bool {
    read(operation) & bit(register) != 0
}

fn bit(register: u8) -> Registers {
    1 << register
}

/// r1 up to as many as there are arguments.
fn arguments(arity: u8) -> Registers {
    (1..=arity).map(bit).sum()
}

fn written(operation: &Operation) -> Registers {
    operation.written().map_or(0, bit)
}

fn read(operation: &Operation) -> Registers {
    let source = |source| match source {
        Source::Register(register) => bit(register),
        Source::Immediate(_) => 0,
    };
    match *operation {
        Operation::Alu { op: Alu::Move, source: from, .. } => source(from),
        Operation::Alu { dst, source: from, .. } => bit(dst) | source(from),
        Operation::Negate { dst, .. } | Operation::Reorder { dst, .. } => bit(dst),
        Operation::SignExtend { src, .. } => bit(src),
        Operation::Load { place, .. } | Operation::LoadAcquire { place, .. } => bit(place.base),
        Operation::Store { place, value } => bit(place.base) | source(value),
        Operation::Atomic { place, src, .. } | Operation::StoreRelease { place, src } => {
            bit(place.base) | bit(src)
        }
        Operation::CompareExchange { place, src } => bit(place.base) | bit(src) | bit(0),
        Operation::Branch { left, right, .. } => bit(left) | source(right),
        Operation::Exit => bit(0),
        Operation::Constant { .. }
        | Operation::Address { .. }
        | Operation::Function { .. }
        | Operation::Jump { .. }
        | Operation::MayGoto { .. }
        | Operation::CallLocal { .. }
        | Operation::Call { .. } => 0,
    }
}
