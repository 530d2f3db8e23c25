// SPDX-License-Identifier: MIT OR Apache-2.0
//! One function of a program as Cranelift's intermediate code: r0 to r9 are variables, so that it
//! keeps them in registers, and r10 is the address of a stack slot.

mod alu;
mod call;
mod element;
mod memory;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, bail, ensure};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{
    AbiParam, Block, ExternalName, FuncRef, Function as Code, GlobalValue, GlobalValueData,
    InstBuilder as _, Signature, StackSlot, StackSlotData, StackSlotKind, UserExternalName,
    UserFuncName, Value, types,
};
use cranelift_codegen::isa::CallConv;
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext, Variable};

use crate::Architecture;
use crate::arity;
use crate::opcode::{MAX_LOOPS, STACK};
use crate::operation::{Condition, FRAME, Operation, Register, Source, Width};
use crate::program::{Function, Program};
use crate::target::{Binding, Bindings, Reach, Target};

/// The namespace of names of the program's own functions.
pub(crate) const FUNCTIONS: u32 = 0;

/// The namespace of names of [`Target`]s, by their place in [`Unit::targets`].
pub(crate) const TARGETS: u32 = 1;

pub(crate) use memory::MAY_FAULT;

/// What all functions of a program have in common.
pub(crate) struct Unit<'a> {
    pub(crate) program: &'a Program,
    pub(crate) bindings: &'a Bindings,
    /// Everything outside that the program refers to; relocations name them by their place here.
    pub(crate) targets: Vec<Target>,
    /// Arguments of each function; for the first, what the caller says.
    pub(crate) arities: Vec<u8>,
    /// Functions that `bpf_throw` can end: they also return whether it did.
    pub(crate) throwing: BTreeSet<usize>,
    /// The function that what was thrown is handed to.
    pub(crate) exception_callback: Option<usize>,
    /// What the program calls first.
    pub(crate) begin: Option<Target>,
    pub(crate) architecture: Architecture,
}

impl Unit<'_> {
    /// How a function of the program is called.
    pub(crate) fn signature(&self, index: usize) -> Signature {
        let mut signature = Signature::new(CallConv::SystemV);
        let arity = self.arities.get(index).copied().unwrap_or(arity::MOST);
        signature.params = vec![AbiParam::new(types::I64); arity.into()];
        signature.returns.push(AbiParam::new(types::I64));
        if index != 0 && self.throwing.contains(&index) {
            signature.returns.push(AbiParam::new(types::I64));
        }
        signature
    }

    fn binding(&self, target: Target) -> Result<&Binding> {
        self.bindings.get(&target).with_context(|| format!("there is no {target} here"))
    }
}

/// Translates the function of this index into `code`, which is empty.
pub(crate) fn translate(
    unit: &Unit<'_>,
    index: usize,
    function: &Function,
    code: &mut Code,
    context: &mut FunctionBuilderContext,
) -> Result<()> {
    code.signature = unit.signature(index);
    code.name = UserFuncName::user(FUNCTIONS, u32::try_from(index)?);
    let mut builder = FunctionBuilder::new(code, context);
    let entry = builder.create_block();
    builder.append_block_params_for_function_params(entry);
    builder.switch_to_block(entry);
    let mut translator = Translator {
        registers: std::array::from_fn(|_| builder.declare_var(types::I64)),
        budget: builder.declare_var(types::I64),
        frame: stack_frame(unit.program, function, &mut builder)?,
        blocks: function.leaders.iter().map(|leader| (*leader, builder.create_block())).collect(),
        is_main: index == 0,
        arguments: builder.block_params(entry).to_vec(),
        throws: unit.throwing.contains(&index),
        accesses: 0,
        globals: BTreeMap::new(),
        functions: BTreeMap::new(),
        builder,
        unit,
    };
    translator.define_registers();
    if let Some(begin) = unit.begin.filter(|_| index == 0) {
        translator.call_runtime(begin)?;
    }
    translator.body(function)?;
    let mut builder = translator.builder;
    builder.seal_all_blocks();
    builder.finalize();
    Ok(())
}

/// Makes room for the frame if r10 is used at all; r10 points [`STACK`] bytes into it. A program
/// that was not verified may reach a little beyond r10, and must not hit what is ours by that.
fn stack_frame(
    program: &Program,
    function: &Function,
    builder: &mut FunctionBuilder<'_>,
) -> Result<Option<StackSlot>> {
    let mut is_used = false;
    let mut above = 0;
    for (index, operation) in program.operations(function) {
        let place = match *operation {
            Operation::Load { place, .. }
            | Operation::Store { place, .. }
            | Operation::Atomic { place, .. }
            | Operation::CompareExchange { place, .. }
            | Operation::LoadAcquire { place, .. }
            | Operation::StoreRelease { place, .. } => Some(place),
            _ => None,
        };
        if let Some(place) = place
            && place.base == FRAME
        {
            let offset = i32::from(place.offset);
            ensure!(
                offset >= -STACK,
                "instruction {index} reaches {} bytes below r10; a frame has {STACK}",
                -offset
            );
            above = above.max(offset + i32::from(place.bytes));
        }
        is_used |= arity::reads(operation, FRAME);
    }
    if !is_used {
        return Ok(None);
    }
    let size = u32::try_from(STACK + above)?.next_multiple_of(8);
    let data = StackSlotData::new(StackSlotKind::ExplicitSlot, size, 3);
    Ok(Some(builder.create_sized_stack_slot(data)))
}

struct Translator<'a, 'b> {
    unit: &'a Unit<'a>,
    builder: FunctionBuilder<'b>,
    registers: [Variable; FRAME as usize],
    /// How often `may_goto` still goes on.
    budget: Variable,
    frame: Option<StackSlot>,
    /// By the instruction that they begin with.
    blocks: BTreeMap<usize, Block>,
    is_main: bool,
    /// What the function was given.
    arguments: Vec<Value>,
    throws: bool,
    /// Loads and stores so far that are not of the frame. There are fewer than instructions, which
    /// are at most a million.
    accesses: i32,
    globals: BTreeMap<(Target, i64), GlobalValue>,
    functions: BTreeMap<call::Callee, FuncRef>,
}

impl Translator<'_, '_> {
    /// Arguments are in r1 and on; the rest is 0, so that programs that were not verified read
    /// nothing of the host's. What is never read costs nothing.
    fn define_registers(&mut self) {
        let zero = self.builder.ins().iconst(types::I64, 0);
        for variable in self.registers {
            self.builder.def_var(variable, zero);
        }
        let budget = self.builder.ins().iconst(types::I64, MAX_LOOPS);
        self.builder.def_var(self.budget, budget);
        for (variable, argument) in self.registers.into_iter().skip(1).zip(&self.arguments) {
            self.builder.def_var(variable, *argument);
        }
    }

    fn body(&mut self, function: &Function) -> Result<()> {
        let program = self.unit.program;
        let mut open = true;
        for (index, operation) in program.operations(function) {
            if let Some(&block) = self.blocks.get(&index) {
                if open {
                    self.builder.ins().jump(block, &[]);
                }
                self.builder.switch_to_block(block);
            }
            // What follows a jump begins a block, so nothing is ever added to a closed one.
            self.operation(operation, program.next(index))
                .with_context(|| format!("instruction {index}"))?;
            open = operation.falls_through() && operation.jump().is_none();
        }
        Ok(())
    }

    fn operation(&mut self, operation: &Operation, next: usize) -> Result<()> {
        match *operation {
            Operation::Alu { width, op, dst, source } => self.alu(width, op, dst, source),
            Operation::Negate { width, dst } => self.negate(width, dst),
            Operation::SignExtend { width, bits, dst, src } => {
                self.sign_extend(width, bits, dst, src);
            }
            Operation::Reorder { order, bits, dst } => self.reorder(order, bits, dst),
            Operation::Constant { dst, value } => {
                let value = self.builder.ins().iconst(types::I64, value.cast_signed());
                self.set(dst, value);
            }
            Operation::Address { dst, target, addend } => {
                let value = self.address(target, addend)?;
                self.set(dst, value);
            }
            Operation::Function { dst, start } => {
                let value = self.function_address(start)?;
                self.set(dst, value);
            }
            Operation::Load { dst, place, signed } => self.load(dst, place, signed),
            Operation::Store { place, value } => self.store(place, value),
            Operation::Atomic { place, op, src, fetch } => self.atomic(place, op, src, fetch),
            Operation::CompareExchange { place, src } => self.compare_exchange(place, src),
            Operation::LoadAcquire { dst, place } => self.load_acquire(dst, place),
            Operation::StoreRelease { place, src } => self.store_release(place, src),
            Operation::Jump { to } => {
                let block = self.block(to)?;
                self.builder.ins().jump(block, &[]);
            }
            Operation::Branch { width, condition, left, right, to } => {
                let condition = self.condition(width, condition, left, right);
                let (then, otherwise) = (self.block(to)?, self.block(next)?);
                self.builder.ins().brif(condition, then, &[], otherwise, &[]);
            }
            Operation::MayGoto { to } => {
                let left = self.builder.use_var(self.budget);
                let fewer = self.builder.ins().iadd_imm(left, -1);
                let (then, otherwise) = (self.block(next)?, self.block(to)?);
                // Kept at 0 once it is there, as the kernel does.
                let zero = self.builder.ins().iconst(types::I64, 0);
                let fewer = self.builder.ins().select(left, fewer, zero);
                self.builder.def_var(self.budget, fewer);
                self.builder.ins().brif(left, then, &[], otherwise, &[]);
            }
            Operation::CallLocal { start } => self.call_local(start)?,
            Operation::Call { target } => self.call(target)?,
            Operation::Exit => {
                let value = self.get(0);
                self.leave(value, false);
            }
        }
        Ok(())
    }

    /// Ends the function, with a value or with one that was thrown.
    fn leave(&mut self, value: Value, thrown: bool) {
        if self.throws && !self.is_main {
            let thrown = self.builder.ins().iconst(types::I64, i64::from(thrown));
            self.builder.ins().return_(&[value, thrown]);
        } else {
            self.builder.ins().return_(&[value]);
        }
    }

    fn block(&self, leader: usize) -> Result<Block> {
        self.blocks.get(&leader).copied().with_context(|| format!("no block begins at {leader}"))
    }

    fn get(&mut self, register: Register) -> Value {
        match (self.registers.get(usize::from(register)), self.frame) {
            (Some(&variable), _) => self.builder.use_var(variable),
            (None, Some(frame)) => self.builder.ins().stack_addr(types::I64, frame, STACK),
            // Every function that reads r10 has a frame.
            (None, None) => self.builder.ins().iconst(types::I64, 0),
        }
    }

    fn set(&mut self, register: Register, value: Value) {
        // Nothing writes to r10: `decode` refuses it.
        if let Some(&variable) = self.registers.get(usize::from(register)) {
            self.builder.def_var(variable, value);
        }
    }

    /// The operand, cut to the width.
    fn operand(&mut self, width: Width, source: Source) -> Value {
        match (source, width) {
            (Source::Register(register), Width::W64) => self.get(register),
            (Source::Register(register), Width::W32) => {
                let value = self.get(register);
                self.builder.ins().ireduce(types::I32, value)
            }
            (Source::Immediate(value), Width::W64) => {
                self.builder.ins().iconst(types::I64, i64::from(value))
            }
            (Source::Immediate(value), Width::W32) => {
                self.builder.ins().iconst(types::I32, i64::from(value.cast_unsigned()))
            }
        }
    }

    /// A value that is not zero if the branch is taken.
    fn condition(
        &mut self,
        width: Width,
        condition: Condition,
        left: Register,
        right: Source,
    ) -> Value {
        let left = self.operand(width, Source::Register(left));
        let right = self.operand(width, right);
        let code = match condition {
            Condition::Common => return self.builder.ins().band(left, right),
            Condition::Equal => IntCC::Equal,
            Condition::NotEqual => IntCC::NotEqual,
            Condition::Greater => IntCC::UnsignedGreaterThan,
            Condition::GreaterEqual => IntCC::UnsignedGreaterThanOrEqual,
            Condition::Less => IntCC::UnsignedLessThan,
            Condition::LessEqual => IntCC::UnsignedLessThanOrEqual,
            Condition::SignedGreater => IntCC::SignedGreaterThan,
            Condition::SignedGreaterEqual => IntCC::SignedGreaterThanOrEqual,
            Condition::SignedLess => IntCC::SignedLessThan,
            Condition::SignedLessEqual => IntCC::SignedLessThanOrEqual,
        };
        self.builder.ins().icmp(code, left, right)
    }

    /// The address of something outside, which is filled in when the code is linked.
    fn address(&mut self, target: Target, addend: i64) -> Result<Value> {
        let Binding::Data { reach } = *self.unit.binding(target)? else {
            bail!("the {target} is bound as a function");
        };
        self.symbol(target, addend, reach)
    }

    /// The number that [`crate::Code::link`] is given for a target.
    fn symbol(&mut self, target: Target, addend: i64, reach: Reach) -> Result<Value> {
        let global = match self.globals.get(&(target, addend)) {
            Some(&global) => global,
            None => {
                let name = self.target_name(target)?;
                let global = self.builder.create_global_value(GlobalValueData::Symbol {
                    name,
                    offset: addend.into(),
                    colocated: reach == Reach::Near,
                    tls: false,
                });
                self.globals.insert((target, addend), global);
                global
            }
        };
        Ok(self.builder.ins().symbol_value(types::I64, global))
    }

    /// The name by which relocations refer to a target.
    fn target_name(&mut self, target: Target) -> Result<ExternalName> {
        let place = self.unit.targets.binary_search(&target);
        let Ok(index) = place else { bail!("the {target} is not among the program's targets") };
        let name = UserExternalName::new(TARGETS, u32::try_from(index)?);
        Ok(ExternalName::user(self.builder.func.declare_imported_user_function(name)))
    }
}
