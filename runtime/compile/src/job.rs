// SPDX-License-Identifier: MIT OR Apache-2.0
//! All that compiling one program takes, in a form that travels to another process.

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::compile::compile;
use crate::{Binding, Code, Instruction, Options, Program, Shape, Target};

/// A program, and what its code is to be like.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    /// What libbpf gives after load.
    pub instructions: Vec<Instruction>,
    /// What is known of the program besides.
    pub shape: Shape,
    /// What it refers to.
    pub bindings: Vec<(Target, Binding)>,
    /// How code is generated.
    pub options: Options,
}

impl Job {
    /// Does it. Fails as [`Program::parse`] and [`compile()`] do.
    pub fn run(self) -> Result<Code> {
        let program = Program::parse(&self.instructions, &self.shape)?;
        compile(&program, &self.bindings.into_iter().collect(), &self.options)
    }
}
