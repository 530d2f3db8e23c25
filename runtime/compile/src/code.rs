// SPDX-License-Identifier: MIT OR Apache-2.0
//! Compiled code, and how it is fitted to the place where it runs.

use anyhow::{Context as _, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::Architecture;
use crate::changes::Changes;
use crate::context::ContextUse;
use crate::fault::FaultingLoad;
use crate::target::Target;

/// A program in native code. It runs anywhere once it is linked; its entry is its first byte, a
/// function of the C ABI that takes the context and returns r0.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Code {
    /// The machine that it is for.
    pub architecture: Architecture,
    /// The machine code, without the addresses that [`Code::link`] fills in.
    pub bytes: Vec<u8>,
    /// Where each function is, the program itself first.
    pub functions: Vec<CodeRange>,
    /// The addresses that are to be filled in.
    pub relocations: Vec<Relocation>,
    /// Loads that may fault, by their offset.
    pub faulting_loads: Vec<FaultingLoad>,
    /// What the program uses of its context.
    pub context: ContextUse,
    /// What running it can change, whatever it calls.
    pub changes: Changes,
    /// The same without what the functions outside of the program change that it calls.
    pub own_changes: Changes,
    /// Whether it calls any.
    pub calls_outside: bool,
}

/// Where a function's code is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeRange {
    /// Its first instruction in the program.
    pub instruction: usize,
    /// Where its code begins, and its entry is.
    pub offset: u32,
    /// Bytes of its code.
    pub length: u32,
}

/// An address that is to be filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relocation {
    /// Where.
    pub offset: u32,
    /// In which form.
    pub kind: RelocationKind,
    /// The address of what.
    pub symbol: Symbol,
    /// Added to the address.
    pub addend: i64,
}

/// What a relocation refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Symbol {
    /// Something outside of the program.
    Outside(Target),
    /// An offset into the code itself.
    Inside(u32),
}

/// The form of an address in the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RelocationKind {
    /// All 64 bits.
    Absolute64,
    /// 32 bits, from the place itself (x86-64).
    Relative32,
    /// The distance that a `bl` has in its lower 26 bits (AArch64).
    Call26,
}

impl Code {
    /// The bytes as they have to be at the address `base`; `address` knows where everything is.
    pub fn link(
        &self,
        base: u64,
        mut address: impl FnMut(Target) -> Option<u64>,
    ) -> Result<Vec<u8>> {
        let mut bytes = self.bytes.clone();
        for relocation in &self.relocations {
            let symbol = match relocation.symbol {
                Symbol::Outside(target) => {
                    address(target).with_context(|| format!("there is no address of {target}"))?
                }
                Symbol::Inside(offset) => base.wrapping_add(offset.into()),
            };
            relocation.apply(&mut bytes, base, symbol).with_context(|| {
                let what = relocation.symbol;
                format!("failed to fill in {what:?} at {:#x} of the code", relocation.offset)
            })?;
        }
        Ok(bytes)
    }
}

impl Relocation {
    /// Fills in the address of the symbol, for code that is to be at `base`.
    pub(crate) fn apply(&self, code: &mut [u8], base: u64, symbol: u64) -> Result<()> {
        let value = symbol.wrapping_add_signed(self.addend);
        let place = base.wrapping_add(self.offset.into());
        let distance = value.wrapping_sub(place).cast_signed();
        match self.kind {
            RelocationKind::Absolute64 => {
                *self.field::<8>(code)? = value.to_le_bytes();
            }
            RelocationKind::Relative32 => {
                let Ok(distance) = i32::try_from(distance) else {
                    bail!("it is {distance} bytes away, more than 32 bits can say")
                };
                *self.field::<4>(code)? = distance.to_le_bytes();
            }
            RelocationKind::Call26 => {
                ensure!(
                    distance % 4 == 0 && (-(1 << 27)..1 << 27).contains(&distance),
                    "it is {distance} bytes away, which a call cannot say"
                );
                let field = self.field::<4>(code)?;
                let kept = u32::from_le_bytes(*field) & !0x03ff_ffff;
                let distance = (distance >> 2) as u32 & 0x03ff_ffff;
                *field = (kept | distance).to_le_bytes();
            }
        }
        Ok(())
    }

    fn field<'a, const N: usize>(&self, code: &'a mut [u8]) -> Result<&'a mut [u8; N]> {
        let offset = usize::try_from(self.offset)?;
        code.get_mut(offset..)
            .and_then(|rest| rest.first_chunk_mut::<N>())
            .context("the code ends before it")
    }
}
