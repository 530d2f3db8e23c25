// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a program uses of its context, so that a hook need store no more than that.
//!
//! The verifier lets a program reach its context at constant offsets only, so following the
//! register that it comes in is enough. Wherever a value cannot be followed, everything counts as
//! used.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use crate::arity;
use crate::opcode::STACK;
use crate::operation::{Alu, FRAME, Operation, Place, Source, Width};
use crate::program::Program;
use crate::target::{Bindings, Target};

/// One access of the context.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Access {
    /// From the beginning of the context.
    pub offset: i32,
    /// 1, 2, 4 or 8.
    pub bytes: u8,
    /// Whether it is written.
    pub write: bool,
}

/// What a program uses of its context.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContextUse {
    /// Accesses by the program's own instructions.
    pub accesses: BTreeSet<Access>,
    /// What the context is handed to; it depends on that what is used.
    pub passed_to: BTreeSet<Target>,
    /// Whether the context went where it could not be followed: anything may be used.
    pub everything: bool,
}

/// What is known of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Value {
    /// Neither the context nor a frame.
    Other,
    /// The context and so many bytes.
    Context(i32),
    /// The end of the function's frame and so many bytes, where they are known.
    Frame(Option<i32>),
    /// Perhaps the context.
    Mixed,
}

impl Value {
    fn is_context(self) -> bool {
        matches!(self, Value::Context(_) | Value::Mixed)
    }

    fn join(self, other: Value) -> Value {
        match (self, other) {
            _ if self == other => self,
            (Value::Frame(_), Value::Frame(_)) => Value::Frame(None),
            _ if self.is_context() || other.is_context() => Value::Mixed,
            // A frame counts as one, whatever else it may be.
            _ => Value::Frame(None),
        }
    }

    fn moved(self, distance: Option<i32>) -> Value {
        let add = |offset: i32| distance.and_then(|distance| offset.checked_add(distance));
        match self {
            Value::Context(offset) => add(offset).map_or(Value::Mixed, Value::Context),
            Value::Frame(offset) => Value::Frame(offset.and_then(add)),
            other => other,
        }
    }
}

/// What is known before an instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
struct State {
    registers: [Value; FRAME as usize],
    /// Values of eight bytes in the frame, by their offset; those that are missing are `Other`.
    slots: BTreeMap<i32, Value>,
}

impl State {
    fn get(&self, register: u8) -> Value {
        // All registers but the frame's have a value.
        self.registers.get(usize::from(register)).copied().unwrap_or(Value::Frame(Some(0)))
    }

    fn set(&mut self, register: u8, value: Value) {
        if let Some(slot) = self.registers.get_mut(usize::from(register)) {
            *slot = value;
        }
    }

    /// Forgets what a write to the frame destroys.
    fn overwrite(&mut self, offset: i32, bytes: u8) {
        self.slots.retain(|slot, _| slot + 8 <= offset || offset + i32::from(bytes) <= *slot);
    }

    /// Takes in another way to get here; whether that changed anything.
    fn join(&mut self, other: &State) -> bool {
        let before = self.clone();
        for (mine, theirs) in self.registers.iter_mut().zip(other.registers) {
            *mine = mine.join(theirs);
        }
        let offsets: BTreeSet<i32> = self.slots.keys().chain(other.slots.keys()).copied().collect();
        for offset in offsets {
            let at = |state: &State| state.slots.get(&offset).copied().unwrap_or(Value::Other);
            let value = at(self).join(at(other));
            self.slots.insert(offset, value);
        }
        *self != before
    }
}

/// What is known of a function as a whole.
#[derive(Clone, Copy, Debug, Default)]
struct Frame {
    holds_context: bool,
    /// Some function of the program can reach it.
    is_shared: bool,
}

struct Analysis<'a> {
    program: &'a Program,
    bindings: &'a Bindings,
    arities: &'a [u8],
    has_callbacks: bool,
    /// By instructions that begin a block.
    states: BTreeMap<usize, State>,
    frames: Vec<Frame>,
    pending: VecDeque<(usize, usize)>,
    result: ContextUse,
}

/// Follows the context, which the program is given in r1.
pub(crate) fn analyse(program: &Program, bindings: &Bindings, arities: &[u8]) -> ContextUse {
    let functions = program.functions();
    let mut analysis = Analysis {
        program,
        bindings,
        arities,
        has_callbacks: functions.iter().any(|function| function.is_callback),
        states: BTreeMap::new(),
        frames: vec![Frame::default(); functions.len()],
        pending: VecDeque::new(),
        result: ContextUse::default(),
    };
    for (index, function) in functions.iter().enumerate() {
        // Callbacks get nothing of the context but through a frame, which is looked at below.
        if index == 0 || function.is_callback {
            let mut registers = [Value::Other; FRAME as usize];
            if index == 0 {
                registers[1] = Value::Context(0);
            }
            analysis.reach(index, function.start, &State { registers, slots: BTreeMap::new() });
        }
    }
    while let Some((function, start)) = analysis.pending.pop_front() {
        analysis.block(function, start);
    }
    if analysis.frames.iter().any(|frame| frame.holds_context && frame.is_shared) {
        analysis.result.everything = true;
    }
    analysis.result
}

impl Analysis<'_> {
    fn reach(&mut self, function: usize, at: usize, state: &State) {
        let changed = match self.states.get_mut(&at) {
            Some(known) => known.join(state),
            None => {
                self.states.insert(at, state.clone());
                true
            }
        };
        if changed {
            self.pending.push_back((function, at));
        }
    }

    /// Goes through a basic block.
    fn block(&mut self, function: usize, start: usize) {
        let program = self.program;
        let Some(range) = program.functions().get(function) else { return };
        let Some(mut state) = self.states.get(&start).cloned() else { return };
        let mut index = start;
        while let Some(operation) = program.operation(index) {
            self.step(function, operation, &mut state);
            if let Some(to) = operation.jump() {
                self.reach(function, to, &state);
            }
            if !operation.falls_through() {
                return;
            }
            index = program.next(index);
            if index >= range.end {
                return;
            }
            if range.leaders.contains(&index) {
                self.reach(function, index, &state);
                return;
            }
        }
    }

    fn step(&mut self, function: usize, operation: &Operation, state: &mut State) {
        match *operation {
            Operation::Alu { width, op, dst, source } => {
                state.set(dst, arithmetic(state, width, op, dst, source));
            }
            Operation::Negate { dst, .. } | Operation::Reorder { dst, .. } => {
                state.set(dst, blurred(state.get(dst), Value::Other));
            }
            Operation::SignExtend { dst, src, .. } => {
                state.set(dst, blurred(state.get(src), Value::Other));
            }
            Operation::Constant { dst, .. }
            | Operation::Address { dst, .. }
            | Operation::Function { dst, .. } => state.set(dst, Value::Other),
            Operation::Load { dst, place, .. } | Operation::LoadAcquire { dst, place } => {
                let value = self.load(state, place);
                state.set(dst, value);
            }
            Operation::Store { place, value } => {
                let value = match value {
                    Source::Register(register) => state.get(register),
                    Source::Immediate(_) => Value::Other,
                };
                self.store(function, state, place, value);
            }
            Operation::StoreRelease { place, src } => {
                self.store(function, state, place, state.get(src));
            }
            Operation::Atomic { place, src, fetch, .. } => {
                let old = self.load(state, place);
                self.store(function, state, place, blurred(state.get(src), old));
                if fetch {
                    state.set(src, old);
                }
            }
            Operation::CompareExchange { place, src } => {
                let old = self.load(state, place);
                self.store(function, state, place, old.join(state.get(src)));
                state.set(0, old);
            }
            Operation::CallLocal { start } => self.call_local(function, state, start),
            Operation::Call { target } => self.call(function, state, target),
            Operation::Exit => {
                // Only the function's caller could follow that, and it does not.
                if function != 0 && state.get(0).is_context() {
                    self.result.everything = true;
                }
            }
            Operation::Jump { .. } | Operation::Branch { .. } | Operation::MayGoto { .. } => {}
        }
    }

    fn load(&mut self, state: &State, place: Place) -> Value {
        let offset = i32::from(place.offset);
        match state.get(place.base).moved(Some(offset)) {
            Value::Context(offset) => {
                self.access(offset, place.bytes, false);
                Value::Other
            }
            Value::Mixed => {
                self.result.everything = true;
                Value::Other
            }
            Value::Frame(Some(offset)) if place.bytes == 8 => {
                state.slots.get(&offset).copied().unwrap_or(Value::Other)
            }
            // The verifier gives back no pointer from part of a slot or from an unknown one.
            Value::Frame(_) | Value::Other => Value::Other,
        }
    }

    fn store(&mut self, function: usize, state: &mut State, place: Place, value: Value) {
        let offset = i32::from(place.offset);
        match state.get(place.base).moved(Some(offset)) {
            Value::Context(offset) => self.access(offset, place.bytes, true),
            Value::Mixed => self.result.everything = true,
            Value::Frame(Some(offset)) if (-STACK..0).contains(&offset) => {
                state.overwrite(offset, place.bytes);
                if place.bytes == 8 && value != Value::Other {
                    state.slots.insert(offset, value);
                }
                if value.is_context()
                    && let Some(frame) = self.frames.get_mut(function)
                {
                    frame.holds_context = true;
                }
                return;
            }
            Value::Frame(_) | Value::Other => {}
        }
        // Into memory that is not followed.
        match value {
            Value::Context(_) | Value::Mixed => self.result.everything = true,
            Value::Frame(_) => self.share_frame(function),
            Value::Other => {}
        }
    }

    fn access(&mut self, offset: i32, bytes: u8, write: bool) {
        self.result.accesses.insert(Access { offset, bytes, write });
    }

    fn share_frame(&mut self, function: usize) {
        if let Some(frame) = self.frames.get_mut(function) {
            frame.is_shared = true;
        }
    }

    fn call_local(&mut self, function: usize, state: &mut State, start: usize) {
        let Some(callee) = self.program.function_at(start) else { return };
        let arity = self.arities.get(callee).copied().unwrap_or(arity::MOST);
        let mut entry = State { registers: [Value::Other; FRAME as usize], slots: BTreeMap::new() };
        for register in 1..=arity {
            match state.get(register) {
                Value::Frame(_) => self.share_frame(function),
                value => entry.set(register, value),
            }
        }
        self.reach(callee, start, &entry);
        clobber(state);
    }

    fn call(&mut self, function: usize, state: &mut State, target: Target) {
        for register in 1..=arity::of_target(target, self.bindings) {
            let value = state.get(register);
            if value.is_context() {
                self.result.passed_to.insert(target);
            }
            // Nothing but the program's own functions looks for a context in a frame.
            if matches!(value, Value::Frame(_)) && self.has_callbacks {
                self.share_frame(function);
            }
        }
        clobber(state);
    }
}

/// Registers that a call leaves undefined.
fn clobber(state: &mut State) {
    for register in 0..=arity::MOST {
        state.set(register, Value::Other);
    }
}

/// What becomes of two values of which something is computed.
fn blurred(left: Value, right: Value) -> Value {
    match (left, right) {
        _ if left.is_context() || right.is_context() => Value::Mixed,
        (Value::Other, Value::Other) => Value::Other,
        _ => Value::Frame(None),
    }
}

fn arithmetic(state: &State, width: Width, op: Alu, dst: u8, source: Source) -> Value {
    let left = state.get(dst);
    match (width, op, source) {
        (_, Alu::Move, Source::Immediate(_)) => Value::Other,
        (Width::W64, Alu::Move, Source::Register(src)) => state.get(src),
        (Width::W32, Alu::Move, Source::Register(src)) => blurred(state.get(src), Value::Other),
        (Width::W64, Alu::Add, Source::Immediate(value)) => left.moved(Some(value)),
        (Width::W64, Alu::Sub, Source::Immediate(value)) => left.moved(value.checked_neg()),
        (_, _, Source::Register(src)) => blurred(left, state.get(src)),
        (_, _, Source::Immediate(_)) => blurred(left, Value::Other),
    }
}
