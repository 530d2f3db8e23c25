// SPDX-License-Identifier: MIT OR Apache-2.0
//! Calls: of the program's own functions, of helpers, and of the host's.

use anyhow::{Context as _, Result, bail, ensure};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{
    AbiParam, ExtFuncData, ExternalName, FuncRef, InstBuilder as _, Signature, UserExternalName,
    Value, types,
};
use cranelift_codegen::isa::CallConv;

use super::alu::integer;
use super::{FUNCTIONS, Translator};
use crate::arity::MOST;
use crate::operation::Register;
use crate::target::{self, Binding, Reach, Target};

/// What is called, so that each is declared once.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Callee {
    /// A function of the program, by its index.
    Own(usize),
    /// Anything else.
    Target(Target),
}

impl Translator<'_, '_> {
    pub(super) fn call_local(&mut self, start: usize) -> Result<()> {
        let index = self.unit.program.function_at(start).context("no function begins there")?;
        let function = self.own_function(index)?;
        let arity = self.unit.arities.get(index).copied().unwrap_or(MOST);
        let arguments: Vec<Value> = (1..=arity).map(|register| self.get(register)).collect();
        let call = self.builder.ins().call(function, &arguments);
        let results = self.builder.inst_results(call).to_vec();
        if let [value, thrown] = results[..] {
            let (caught, next) = (self.builder.create_block(), self.builder.create_block());
            self.builder.ins().brif(thrown, caught, &[], next, &[]);
            self.builder.switch_to_block(caught);
            self.throw(value)?;
            self.builder.switch_to_block(next);
        }
        if let Some(&value) = results.first() {
            self.set(0, value);
        }
        Ok(())
    }

    pub(super) fn function_address(&mut self, start: usize) -> Result<Value> {
        let index = self.unit.program.function_at(start).context("no function begins there")?;
        ensure!(
            !self.unit.throwing.contains(&index),
            "the function at {start} can throw, and helpers that call it cannot pass that on"
        );
        let function = self.own_function(index)?;
        Ok(self.builder.ins().func_addr(types::I64, function))
    }

    pub(super) fn call(&mut self, target: Target) -> Result<()> {
        let unit = self.unit;
        match unit.binding(target)? {
            Binding::Function { signature, reach } => {
                self.call_function(target, signature, *reach, None)
            }
            Binding::WithConstant { signature, reach, constant } => {
                let constant = Target::Runtime(*constant);
                self.call_function(target, signature, *reach, Some(constant))
            }
            Binding::Acquire { signature, reach, note, release } => {
                self.call_function(target, signature, *reach, None)?;
                self.note_acquired(Target::Runtime(*note), Target::Runtime(*release))
            }
            Binding::Release { signature, reach, note, object } => {
                let object = self.get(object.saturating_add(1).min(MOST));
                let note = self.target_function(Target::Runtime(*note), words(1), Reach::Far)?;
                self.builder.ins().call(note, &[object]);
                self.call_function(target, signature, *reach, None)
            }
            Binding::TailCall { reach } => self.tail_call(target, *reach),
            Binding::Throw => {
                let cookie = self.get(1);
                self.throw(cookie)?;
                // The instructions after it are never reached, but have to be somewhere.
                let next = self.builder.create_block();
                self.builder.switch_to_block(next);
                Ok(())
            }
            Binding::Constant => {
                let value = self.symbol(target, 0, Reach::Far)?;
                self.set(0, value);
                Ok(())
            }
            Binding::Argument(index) => {
                ensure!(
                    self.is_main,
                    "the {target} can be called by the program itself only, not by a function of its own"
                );
                let argument = self.arguments.get(usize::from(*index)).copied();
                let argument = argument.with_context(|| {
                    format!(
                        "the {target} asks for argument {index}, which the program is not given"
                    )
                })?;
                self.set(0, argument);
                Ok(())
            }
            Binding::Element(element) => self.element(target, element),
            Binding::Data { .. } => bail!("the {target} is bound as data"),
        }
    }

    fn call_function(
        &mut self,
        target: Target,
        signature: &target::Signature,
        reach: Reach,
        constant: Option<Target>,
    ) -> Result<()> {
        let parameters = &signature.parameters;
        ensure!(
            parameters.len() <= MOST.into(),
            "the {target} takes {} arguments; there can be {MOST}",
            parameters.len()
        );
        for value in parameters.iter().chain(&signature.returns) {
            if let target::Value::Integer { bits, .. } = value {
                ensure!(
                    [8, 16, 32, 64].contains(bits),
                    "the {target} takes or returns an integer of {bits} bits"
                );
            }
        }
        let mut native = Signature::new(CallConv::SystemV);
        let mut arguments = Vec::with_capacity(parameters.len());
        for (parameter, register) in parameters.iter().zip(1..) {
            native.params.push(passed(*parameter));
            arguments.push(self.argument(*parameter, register));
        }
        if let Some(constant) = constant {
            native.params.push(AbiParam::new(types::I64));
            arguments.push(self.symbol(constant, 0, Reach::Far)?);
        }
        native.returns.extend(signature.returns.map(passed));
        let function = self.target_function(target, native, reach)?;
        let call = self.builder.ins().call(function, &arguments);
        let result = match (self.builder.inst_results(call).first(), signature.returns) {
            (Some(&value), Some(kind)) => self.returned(kind, value),
            _ => self.builder.ins().iconst(types::I64, 0),
        };
        self.set(0, result);
        Ok(())
    }

    /// Calls a function of the runtime's that takes nothing.
    pub(super) fn call_runtime(&mut self, target: Target) -> Result<()> {
        let function = self.target_function(target, words(0), Reach::Far)?;
        self.builder.ins().call(function, &[]);
        Ok(())
    }

    /// Has `note` know of the object in r0, if there is one.
    fn note_acquired(&mut self, note: Target, release: Target) -> Result<()> {
        let object = self.get(0);
        let (taken, next) = (self.builder.create_block(), self.builder.create_block());
        self.builder.ins().brif(object, taken, &[], next, &[]);
        self.builder.switch_to_block(taken);
        let release = self.symbol(release, 0, Reach::Far)?;
        let note = self.target_function(note, words(2), Reach::Far)?;
        let call = self.builder.ins().call(note, &[object, release]);
        if let Some(&object) = self.builder.inst_results(call).first() {
            self.set(0, object);
        }
        self.builder.ins().jump(next, &[]);
        self.builder.switch_to_block(next);
        Ok(())
    }

    /// A register as an argument of this kind.
    fn argument(&mut self, kind: target::Value, register: Register) -> Value {
        let value = self.get(register);
        match kind {
            target::Value::Pointer => value,
            target::Value::Bool => {
                let byte = self.builder.ins().ireduce(types::I8, value);
                self.builder.ins().icmp_imm(IntCC::NotEqual, byte, 0)
            }
            target::Value::Integer { bits, .. } => match integer(bits) {
                types::I64 => value,
                narrow => self.builder.ins().ireduce(narrow, value),
            },
        }
    }

    /// A value of this kind as a whole register. The C ABI leaves the rest of it undefined.
    fn returned(&mut self, kind: target::Value, value: Value) -> Value {
        let signed = match kind {
            target::Value::Pointer => return value,
            target::Value::Integer { signed, .. } => signed,
            target::Value::Bool => false,
        };
        if self.builder.func.dfg.value_type(value) == types::I64 {
            return value;
        }
        let ins = self.builder.ins();
        if signed { ins.sextend(types::I64, value) } else { ins.uextend(types::I64, value) }
    }

    /// Asks where to go on, and goes there or carries on.
    fn tail_call(&mut self, target: Target, reach: Reach) -> Result<()> {
        let mut native = words(3);
        let context = self.get(1);
        let arguments = [context, self.get(2), self.get(3)];
        let function = self.target_function(target, native.clone(), reach)?;
        let call = self.builder.ins().call(function, &arguments);
        let Some(&entry) = self.builder.inst_results(call).first() else {
            bail!("a tail call gives no address")
        };
        let (found, next) = (self.builder.create_block(), self.builder.create_block());
        self.builder.ins().brif(entry, found, &[], next, &[]);
        self.builder.switch_to_block(found);
        native.params.truncate(1);
        let signature = self.builder.import_signature(native);
        let call = self.builder.ins().call_indirect(signature, entry, &[context]);
        let Some(&value) = self.builder.inst_results(call).first() else {
            bail!("a program gives no value")
        };
        self.leave(value, false);
        self.builder.switch_to_block(next);
        Ok(())
    }

    /// Ends the program, or hands on to the caller that it is to end.
    fn throw(&mut self, cookie: Value) -> Result<()> {
        let value = match self.unit.exception_callback {
            Some(callback) if self.is_main => {
                let function = self.own_function(callback)?;
                let arity = self.unit.arities.get(callback).copied().unwrap_or(MOST);
                let zero = self.builder.ins().iconst(types::I64, 0);
                let arguments: Vec<Value> =
                    [cookie, zero, zero, zero, zero].into_iter().take(arity.into()).collect();
                let call = self.builder.ins().call(function, &arguments);
                self.builder.inst_results(call).first().copied().unwrap_or(cookie)
            }
            _ => cookie,
        };
        self.leave(value, true);
        Ok(())
    }

    fn own_function(&mut self, index: usize) -> Result<FuncRef> {
        let signature = self.unit.signature(index);
        let name = UserExternalName::new(FUNCTIONS, u32::try_from(index)?);
        if let Some(&function) = self.functions.get(&Callee::Own(index)) {
            return Ok(function);
        }
        let name = ExternalName::user(self.builder.func.declare_imported_user_function(name));
        Ok(self.declare(Callee::Own(index), name, signature, Reach::Near))
    }

    fn target_function(
        &mut self,
        target: Target,
        signature: Signature,
        reach: Reach,
    ) -> Result<FuncRef> {
        if let Some(&function) = self.functions.get(&Callee::Target(target)) {
            return Ok(function);
        }
        let name = self.target_name(target)?;
        Ok(self.declare(Callee::Target(target), name, signature, reach))
    }

    fn declare(
        &mut self,
        callee: Callee,
        name: ExternalName,
        signature: Signature,
        reach: Reach,
    ) -> FuncRef {
        let signature = self.builder.import_signature(signature);
        let colocated = reach == Reach::Near;
        let function = self.builder.import_function(ExtFuncData { name, signature, colocated });
        self.functions.insert(callee, function);
        function
    }
}

/// The signature of a function of whole registers.
fn words(parameters: usize) -> Signature {
    let mut signature = Signature::new(CallConv::SystemV);
    signature.params = vec![AbiParam::new(types::I64); parameters];
    signature.returns.push(AbiParam::new(types::I64));
    signature
}

/// How the C ABI passes a value: compilers rely on narrow ones being extended to 32 bits.
fn passed(kind: target::Value) -> AbiParam {
    match kind {
        target::Value::Pointer => AbiParam::new(types::I64),
        target::Value::Bool => AbiParam::new(types::I8).uext(),
        target::Value::Integer { bits, signed } => {
            let param = AbiParam::new(integer(bits));
            if bits >= 64 {
                param
            } else if signed {
                param.sext()
            } else {
                param.uext()
            }
        }
    }
}
