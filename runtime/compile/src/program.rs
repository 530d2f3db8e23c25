// SPDX-License-Identifier: MIT OR Apache-2.0
//! A whole program, checked: after this no jump can lead astray, whoever wrote the instructions.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::instruction::Instruction;
use crate::opcode::{MAX_CALL_FRAMES, MAX_INSTRUCTIONS};
use crate::operation::{Operation, decode};
use crate::target::Target;

/// Decoded instructions, split into functions.
#[derive(Debug)]
pub struct Program {
    /// As many as there are instructions; nothing for the second half of a 64-bit constant.
    operations: Vec<Option<Operation>>,
    /// The program itself first, then the others in the order of their instructions.
    functions: Vec<Function>,
    /// The index of the function that what was thrown is handed to.
    exception_callback: Option<usize>,
}

/// A function: some consecutive instructions that nothing jumps into or out of.
#[derive(Debug)]
pub(crate) struct Function {
    /// Its first instruction.
    pub(crate) start: usize,
    /// One past its last.
    pub(crate) end: usize,
    /// Where basic blocks begin that something leads to; the first one may not be among them.
    pub(crate) leaders: BTreeSet<usize>,
    /// The functions that it calls, by their index.
    pub(crate) callees: BTreeSet<usize>,
    /// Whether its address is taken, so that helpers can call it.
    pub(crate) is_callback: bool,
}

/// What is known of a program apart from its instructions.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Shape {
    /// The function that is called by what `bpf_throw` ends, by its first instruction. The
    /// program's BTF says which.
    pub exception_callback: Option<usize>,
    /// The most functions that may be active at a time. The kernel's limit by default; with
    /// nothing given, recursion is allowed, which only a trusted program should be.
    pub call_frames: Option<usize>,
}

impl Default for Shape {
    fn default() -> Self {
        Shape { exception_callback: None, call_frames: Some(MAX_CALL_FRAMES) }
    }
}

impl Program {
    /// Decodes and checks the instructions that libbpf gives after load: the program itself, then
    /// the functions that it calls.
    pub fn parse(instructions: &[Instruction], shape: &Shape) -> Result<Self> {
        ensure!(!instructions.is_empty(), "the program has no instructions");
        ensure!(
            instructions.len() <= MAX_INSTRUCTIONS,
            "the program has {} instructions, more than the {MAX_INSTRUCTIONS} that the kernel takes",
            instructions.len()
        );
        let operations = decode_all(instructions)?;
        let functions = functions(&operations, shape)?;
        let mut program = Program { functions, operations, exception_callback: None };
        program.exception_callback =
            shape.exception_callback.and_then(|start| program.function_at(start));
        program.find_blocks()?;
        program.find_callees();
        if let Some(limit) = shape.call_frames {
            program.check_call_depth(limit)?;
        }
        Ok(program)
    }

    /// Everything outside of the program that it refers to.
    pub fn targets(&self) -> BTreeSet<Target> {
        let targets = self.operations.iter().flatten().filter_map(|operation| match operation {
            Operation::Address { target, .. } | Operation::Call { target } => Some(*target),
            _ => None,
        });
        targets.collect()
    }

    pub(crate) fn functions(&self) -> &[Function] {
        &self.functions
    }

    pub(crate) fn exception_callback(&self) -> Option<usize> {
        self.exception_callback
    }

    /// The index of the function that begins at an instruction.
    pub(crate) fn function_at(&self, start: usize) -> Option<usize> {
        self.functions.binary_search_by_key(&start, |function| function.start).ok()
    }

    /// The operations of a function, with the indices of their instructions.
    pub(crate) fn operations(
        &self,
        function: &Function,
    ) -> impl DoubleEndedIterator<Item = (usize, &Operation)> {
        let range = function.start..function.end;
        // Every function lies within the program: `functions` and this are made together.
        let operations = self.operations.get(range.clone()).unwrap_or_default();
        range.zip(operations).filter_map(|(index, operation)| Some((index, operation.as_ref()?)))
    }

    /// The operation of an instruction.
    pub(crate) fn operation(&self, index: usize) -> Option<&Operation> {
        self.operations.get(index)?.as_ref()
    }

    /// The instruction after this one.
    pub(crate) fn next(&self, index: usize) -> usize {
        let second_half = matches!(self.operations.get(index + 1), Some(None));
        index + if second_half { 2 } else { 1 }
    }

    /// Finds the basic blocks of every function, and checks that jumps stay within it.
    fn find_blocks(&mut self) -> Result<()> {
        let mut found = Vec::with_capacity(self.functions.len());
        for function in &self.functions {
            found.push(self.leaders(function)?);
        }
        for (function, leaders) in self.functions.iter_mut().zip(found) {
            function.leaders = leaders;
        }
        Ok(())
    }

    fn leaders(&self, function: &Function) -> Result<BTreeSet<usize>> {
        let mut leaders = BTreeSet::new();
        let mut last = None;
        for (index, operation) in self.operations(function) {
            if let Some(to) = operation.jump() {
                ensure!(
                    (function.start..function.end).contains(&to),
                    "instruction {index} jumps to {to}, outside of its function, which is {} to {}",
                    function.start,
                    function.end - 1
                );
                ensure!(
                    self.operation(to).is_some(),
                    "instruction {index} jumps to {to}, the second half of ld_imm64"
                );
                leaders.insert(to);
            }
            if operation.jump().is_some() || !operation.falls_through() {
                leaders.insert(self.next(index));
            }
            last = Some((index, operation));
        }
        if let Some((index, operation)) = last {
            ensure!(
                !operation.falls_through(),
                "instruction {index} is the last of its function and is no exit or jump"
            );
        }
        leaders.remove(&function.end);
        Ok(leaders)
    }

    fn find_callees(&mut self) {
        let mut called = vec![BTreeSet::new(); self.functions.len()];
        let mut taken = BTreeSet::new();
        for (function, called) in self.functions.iter().zip(&mut called) {
            for (_, operation) in self.operations(function) {
                match *operation {
                    Operation::CallLocal { start } => called.extend(self.function_at(start)),
                    Operation::Function { start, .. } => taken.extend(self.function_at(start)),
                    _ => {}
                }
            }
        }
        for (index, (function, called)) in self.functions.iter_mut().zip(called).enumerate() {
            function.callees = called;
            function.is_callback = taken.contains(&index);
        }
    }

    /// Refuses recursion and chains of calls that are longer than `limit`.
    fn check_call_depth(&self, limit: usize) -> Result<()> {
        // The longest chain that begins at each function; calls of calls are done first.
        let mut depths: BTreeMap<usize, usize> = BTreeMap::new();
        let mut active = BTreeSet::new();
        for root in 0..self.functions.len() {
            let mut pending = vec![root];
            while let Some(&index) = pending.last() {
                let Some(function) = self.functions.get(index) else { break };
                if depths.contains_key(&index) {
                    pending.pop();
                    continue;
                }
                if active.insert(index) {
                    for &callee in &function.callees {
                        ensure!(
                            !active.contains(&callee),
                            "the function at instruction {} calls itself in the end; recursion \
                             is not supported",
                            self.functions.get(callee).map_or(0, |callee| callee.start)
                        );
                        pending.push(callee);
                    }
                    continue;
                }
                let below = function.callees.iter().filter_map(|callee| depths.get(callee)).max();
                let depth = 1 + below.copied().unwrap_or(0);
                ensure!(
                    depth <= limit,
                    "the function at instruction {} leads to {depth} functions that are active at \
                     a time; at most {limit} can be",
                    function.start
                );
                active.remove(&index);
                depths.insert(index, depth);
                pending.pop();
            }
        }
        Ok(())
    }
}

fn decode_all(instructions: &[Instruction]) -> Result<Vec<Option<Operation>>> {
    let mut operations = Vec::with_capacity(instructions.len());
    while let Some(insn) = instructions.get(operations.len()) {
        let index = operations.len();
        let (operation, taken) = decode(instructions, index)
            .with_context(|| format!("instruction {index} (opcode {:#04x})", insn.code))?;
        operations.push(Some(operation));
        if taken == 2 {
            operations.push(None);
        }
    }
    Ok(operations)
}

/// Splits the instructions at the first one of each function.
fn functions(operations: &[Option<Operation>], shape: &Shape) -> Result<Vec<Function>> {
    let mut starts = BTreeSet::from([0]);
    let mut add = |start: usize, by: &dyn Fn() -> String| {
        if !matches!(operations.get(start), Some(Some(_))) {
            bail!("{} refers to a function at {start}, where no instruction begins", by());
        }
        starts.insert(start);
        Ok(())
    };
    for (index, operation) in operations.iter().enumerate() {
        if let Some(Operation::CallLocal { start } | Operation::Function { start, .. }) = operation
        {
            add(*start, &|| format!("instruction {index}"))?;
        }
    }
    if let Some(start) = shape.exception_callback {
        add(start, &|| "the exception callback".to_owned())?;
    }
    let ends = starts.iter().skip(1).copied().chain([operations.len()]);
    let function = |(&start, end)| Function {
        start,
        end,
        leaders: BTreeSet::new(),
        callees: BTreeSet::new(),
        is_callback: false,
    };
    Ok(starts.iter().zip(ends).map(function).collect())
}
