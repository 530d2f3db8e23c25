// SPDX-License-Identifier: MIT OR Apache-2.0
//! Compiling and running in the tests' own process.

use std::collections::BTreeMap;

use anyhow::Result;
use ufunc_compile::execute::Executable;
use ufunc_compile::{
    Architecture, Binding, Bindings, Code, Instruction, Options, Program, Reach, Shape, Signature,
    Target, compile,
};

/// What a program refers to, and where that is.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) bindings: Bindings,
    pub(crate) addresses: BTreeMap<Target, u64>,
}

impl World {
    /// Adds a function.
    pub(crate) fn function(mut self, target: Target, signature: Signature, address: usize) -> Self {
        let binding = Binding::Function { signature, reach: Reach::Far };
        self.bindings.insert(target, binding);
        self.addresses.insert(target, address as u64);
        self
    }

    /// Adds a helper that takes so many arguments.
    pub(crate) fn helper(self, id: u32, arity: usize, address: usize) -> Self {
        self.function(Target::Helper(id), Signature::words(arity), address)
    }

    /// Adds data.
    pub(crate) fn data(mut self, target: Target, address: u64) -> Self {
        self.bindings.insert(target, Binding::Data { reach: Reach::Far });
        self.addresses.insert(target, address);
        self
    }

    /// Adds something of another kind.
    pub(crate) fn bind(mut self, target: Target, binding: Binding, address: usize) -> Self {
        self.bindings.insert(target, binding);
        self.addresses.insert(target, address as u64);
        self
    }

    /// Compiles a program of up to five arguments.
    pub(crate) fn compile(&self, instructions: &[Instruction]) -> Result<Code> {
        self.compile_as(instructions, &Shape::default())
    }

    pub(crate) fn compile_as(&self, instructions: &[Instruction], shape: &Shape) -> Result<Code> {
        let program = Program::parse(instructions, shape)?;
        compile(&program, &self.bindings, &Options { arguments: 5, ..Options::default() })
    }

    pub(crate) fn load(&self, code: &Code) -> Result<Executable> {
        Executable::new(code, |target| self.addresses.get(&target).copied())
    }

    /// Compiles and runs a program.
    pub(crate) fn run(&self, instructions: &[Instruction], arguments: [u64; 5]) -> u64 {
        let code = self.compile(instructions).unwrap();
        let executable = self.load(&code).unwrap();
        // SAFETY: the tests' programs use what they are given as they may.
        unsafe { executable.call(arguments) }
    }
}

/// Runs a program that refers to nothing.
pub(crate) fn run(instructions: &[Instruction], arguments: [u64; 5]) -> u64 {
    World::default().run(instructions, arguments)
}

/// Why a program that refers to nothing is refused.
pub(crate) fn refused(instructions: &[Instruction]) -> String {
    format!("{:#}", World::default().compile(instructions).unwrap_err())
}

/// The options for another machine.
pub(crate) fn aarch64() -> Options {
    Options { architecture: Architecture::Aarch64, fault_table: false, ..Options::default() }
}

/// The code of this machine, as `objdump -d` would write it.
pub(crate) fn disassemble(code: &Code) -> Vec<String> {
    use iced_x86::{Decoder, DecoderOptions, Formatter as _, GasFormatter};
    let mut formatter = GasFormatter::new();
    let mut lines = Vec::new();
    for range in &code.functions {
        let bytes = &code.bytes[range.offset as usize..][..range.length as usize];
        let decoder = Decoder::with_ip(64, bytes, range.offset.into(), DecoderOptions::NONE);
        for instruction in decoder {
            let mut line = String::new();
            formatter.format(&instruction, &mut line);
            lines.push(line);
        }
    }
    lines
}
