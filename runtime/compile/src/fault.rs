// SPDX-License-Identifier: MIT OR Apache-2.0
//! The table of loads that may fault.
//!
//! The verifier lets a program read through typed pointers of its host without knowing whether
//! they are good; the kernel makes such a load give 0 when it faults. So does whoever handles
//! SIGSEGV in the host, with this table: every such load is a single `mov` of its own. When one
//! faults, the handler sets the register to 0 and goes on after the instruction.

use anyhow::{Context as _, Result, bail, ensure};
use iced_x86::{Decoder, DecoderOptions, Mnemonic, OpKind};
use serde::{Deserialize, Serialize};

use crate::Architecture;

/// A load that may fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FaultingLoad {
    /// Where the instruction is in the code.
    pub offset: u32,
    /// Bytes of the instruction.
    pub length: u8,
    /// The register that it loads, as the machine numbers them (rax 0, rcx 1, … r15 15).
    pub register: u8,
}

/// Describes the loads at these offsets. Anything but a plain load there is an error, since it
/// could not be skipped.
pub(crate) fn table(
    architecture: Architecture,
    code: &[u8],
    offsets: &[u32],
) -> Result<Vec<FaultingLoad>> {
    ensure!(
        architecture == Architecture::X86_64,
        "a table of faulting loads is made for x86-64 only, not for {architecture}"
    );
    offsets.iter().map(|offset| load(code, *offset)).collect()
}

fn load(code: &[u8], offset: u32) -> Result<FaultingLoad> {
    let bytes = usize::try_from(offset)
        .ok()
        .and_then(|offset| code.get(offset..))
        .with_context(|| format!("a load at {offset:#x} is beyond the code"))?;
    let instruction = Decoder::with_ip(64, bytes, 0, DecoderOptions::NONE).decode();
    let register = instruction.op0_register();
    let is_load = matches!(
        instruction.mnemonic(),
        Mnemonic::Mov | Mnemonic::Movzx | Mnemonic::Movsx | Mnemonic::Movsxd
    ) && instruction.op0_kind() == OpKind::Register
        && register.is_gpr()
        // A narrower one would leave the rest of the register as it was.
        && register.size() >= 4
        && instruction.op1_kind() == OpKind::Memory;
    if !is_load {
        bail!("what may fault at {offset:#x} is {:?}, no plain load", instruction.mnemonic());
    }
    Ok(FaultingLoad {
        offset,
        length: u8::try_from(instruction.len())?,
        register: u8::try_from(register.number())?,
    })
}
