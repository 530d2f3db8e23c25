// SPDX-License-Identifier: MIT OR Apache-2.0
//! The registers that a program can change, so that a hook need save no others.

use iced_x86::{
    Decoder, DecoderOptions, InstructionInfoFactory, InstructionInfoOptions, OpAccess, Register,
};
use serde::{Deserialize, Serialize};

use crate::Architecture;
use crate::code::CodeRange;

/// The registers that running a program can change. What the C ABI has a function keep, it keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    /// General registers, a bit for each as the machine numbers them (rax bit 0, rcx bit 1, …).
    pub general: u32,
    /// Whether vector and floating-point registers are among them.
    pub vectors: bool,
}

impl Changes {
    /// Whatever any function may change: rax, rcx, rdx, rsi, rdi and r8 to r11 on x86-64.
    pub fn all(architecture: Architecture) -> Self {
        let general = match architecture {
            Architecture::X86_64 => 0x0fc7,
            // x0 to x18, and the link register.
            Architecture::Aarch64 => 0x4007_ffff,
        };
        Changes { general, vectors: true }
    }
}

/// Finds out what the code of a program's functions changes, all of which are looked at; what they
/// call outside of the program is left out.
pub(crate) fn changes(architecture: Architecture, code: &[u8], functions: &[CodeRange]) -> Changes {
    let all = Changes::all(architecture);
    if architecture != Architecture::X86_64 {
        return all;
    }
    let mut factory = InstructionInfoFactory::new();
    let mut general = 0;
    for range in functions {
        let start = range.offset as usize;
        let Some(bytes) = code.get(start..start + range.length as usize) else { return all };
        for instruction in Decoder::with_ip(64, bytes, start as u64, DecoderOptions::NONE) {
            let options = InstructionInfoOptions::NO_MEMORY_USAGE;
            for used in factory.info_options(&instruction, options).used_registers() {
                let is_read = matches!(
                    used.access(),
                    OpAccess::None | OpAccess::Read | OpAccess::CondRead | OpAccess::NoMemAccess
                );
                let register = used.register();
                match register.full_register() {
                    _ if is_read => {}
                    full if full.is_gpr() => general |= 1 << full.number(),
                    Register::RIP => {}
                    _ => return all,
                }
            }
        }
    }
    Changes { general: general & all.general, vectors: false }
}
