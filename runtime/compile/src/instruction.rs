// SPDX-License-Identifier: MIT OR Apache-2.0
//! One instruction as it is encoded.

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

/// An instruction of eight bytes, as the kernel's `struct bpf_insn`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Instruction {
    /// The opcode.
    pub code: u8,
    /// The destination register.
    pub dst: u8,
    /// The source register.
    pub src: u8,
    /// The offset of a memory access or a jump.
    pub off: i16,
    /// The immediate.
    pub imm: i32,
}

impl Instruction {
    /// Bytes of an instruction.
    pub const SIZE: usize = 8;

    /// Reads an instruction from its eight bytes.
    pub fn from_bytes(bytes: [u8; Self::SIZE]) -> Self {
        let [code, registers, off0, off1, imm @ ..] = bytes;
        Instruction {
            code,
            dst: registers & 0xf,
            src: registers >> 4,
            off: i16::from_le_bytes([off0, off1]),
            imm: i32::from_le_bytes(imm),
        }
    }

    /// The eight bytes of the instruction.
    pub fn to_bytes(self) -> [u8; Self::SIZE] {
        let [off0, off1] = self.off.to_le_bytes();
        let [imm0, imm1, imm2, imm3] = self.imm.to_le_bytes();
        let registers = (self.dst & 0xf) | (self.src << 4);
        [self.code, registers, off0, off1, imm0, imm1, imm2, imm3]
    }

    /// Reads all instructions of a program.
    pub fn read_all(bytes: &[u8]) -> Result<Vec<Self>> {
        let (instructions, rest) = bytes.as_chunks::<{ Self::SIZE }>();
        ensure!(
            rest.is_empty(),
            "{} bytes are no whole number of instructions, which have {} bytes each",
            bytes.len(),
            Self::SIZE
        );
        Ok(instructions.iter().copied().map(Self::from_bytes).collect())
    }
}
