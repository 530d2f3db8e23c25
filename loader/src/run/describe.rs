// SPDX-License-Identifier: MIT OR Apache-2.0
//! What loaders say to each other of an extension that is in an application.
//!
//! The agent keeps it and does not understand it. Whoever puts another program on the same point, or
//! takes one away, plans the point's stub anew, and has to know for that what the others' programs
//! need; whoever lists extensions has to know what they are.

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use ufunc_hook::program::{Clobbers, Program, Vectors};
use ufunc_shared::context::Fields;

use super::package::{Point, When};

/// An extension.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Description {
    /// Name of the object.
    pub(crate) object: String,
    /// The release of the kernel that judged it.
    pub(crate) kernel: String,
    /// The process that put it there.
    pub(crate) loader: u32,
    /// What is on which point, in the order in which it runs.
    pub(crate) programs: Vec<Attached>,
}

/// A program on a point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Attached {
    pub(crate) name: String,
    pub(crate) section: String,
    /// Path of the file, in the application.
    pub(crate) file: String,
    pub(crate) point: Point,
    /// Where the probed instruction is in the application.
    pub(crate) address: u64,
    /// How the program is run.
    pub(crate) code: Code,
}

/// What a stub has to know of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Code {
    pub(crate) address: u64,
    pub(crate) when: When,
    /// Sets of fields, a bit for each.
    pub(crate) reads: u32,
    pub(crate) writes: u32,
    pub(crate) registers: u32,
    /// 0 for no vector registers, 1 for their lower halves, 2 for all.
    pub(crate) vectors: u8,
    pub(crate) x87: bool,
    pub(crate) calls_out: bool,
}

impl Description {
    /// The bytes that the agent keeps.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).context("failed to describe the extension")
    }

    /// Reads what another loader wrote.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Description> {
        serde_json::from_slice(bytes)
            .context("it was put there by another version of loader; use that one")
    }
}

impl Code {
    pub(crate) fn new(program: &Program) -> Code {
        let Clobbers { registers, vectors, x87 } = program.clobbers;
        Code {
            address: program.address,
            when: match program.when {
                ufunc_hook::program::When::Entry => When::Entry,
                ufunc_hook::program::When::Return => When::Return,
                ufunc_hook::program::When::Session => When::Session,
            },
            reads: program.reads.bits(),
            writes: program.writes.bits(),
            registers: registers.bits(),
            vectors: match vectors {
                Vectors::None => 0,
                Vectors::Low => 1,
                Vectors::All => 2,
            },
            x87,
            calls_out: program.calls_out,
        }
    }

    /// What a stub has to know of it.
    pub(crate) fn program(&self) -> Program {
        Program {
            address: self.address,
            when: self.when.into(),
            reads: Fields::from_bits(self.reads),
            writes: Fields::from_bits(self.writes),
            clobbers: Clobbers {
                registers: Fields::from_bits(self.registers),
                vectors: match self.vectors {
                    0 => Vectors::None,
                    1 => Vectors::Low,
                    _ => Vectors::All,
                },
                x87: self.x87,
            },
            calls_out: self.calls_out,
        }
    }
}

impl From<When> for ufunc_hook::program::When {
    fn from(when: When) -> Self {
        match when {
            When::Entry => ufunc_hook::program::When::Entry,
            When::Return => ufunc_hook::program::When::Return,
            When::Session => ufunc_hook::program::When::Session,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ufunc_shared::context::Field;

    #[test]
    fn what_is_said_is_understood() {
        let program = Program {
            address: 0x1234,
            when: ufunc_hook::program::When::Session,
            reads: Fields::NONE.with(Field::Di),
            writes: Fields::NONE.with(Field::Ss),
            clobbers: Clobbers { vectors: Vectors::Low, x87: false, ..Clobbers::C_ABI },
            calls_out: true,
        };
        let package = super::super::package::tests::package();
        let point = package.programs[0].points[0].clone();
        let description = Description {
            object: package.object,
            kernel: package.verified.kernel,
            loader: 7,
            programs: vec![Attached {
                name: "prog".to_owned(),
                section: "uprobe".to_owned(),
                file: "/app".to_owned(),
                point,
                address: 0x5000,
                code: Code::new(&program),
            }],
        };
        let read = Description::from_bytes(&description.to_bytes().unwrap()).unwrap();
        assert_eq!(read, description);
        assert_eq!(Code::new(&read.programs[0].code.program()), description.programs[0].code);
        assert!(Description::from_bytes(b"{}").is_err());
    }
}
