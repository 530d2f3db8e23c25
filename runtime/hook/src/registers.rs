// SPDX-License-Identifier: MIT OR Apache-2.0
//! Code that saves and restores registers in a stub's frame.

use anyhow::{Context as _, Result};
use iced_x86::Register;
use iced_x86::code_asm::registers::{get_k, get_xmm, get_ymm, get_zmm};
use iced_x86::code_asm::{
    AsmRegister64, AsmRegisterXmm, AsmRegisterYmm, AsmRegisterZmm, CodeAssembler, dword_ptr, eax,
    ecx, ptr, qword_ptr, r8, r9, r10, r11, r12, r13, r14, r15, rax, rbx, rcx, rdi, rdx, rsi, rsp,
    word_ptr,
};
use ufunc_shared::context::{Field, Fields};

use crate::machine::{Machine, Widest};
use crate::program::Vectors;

/// Parts of `xgetbv`'s answer: the upper halves of `ymm0` to `ymm15`, and of `zmm0` to `zmm15`.
const UPPER_IN_USE: u32 = 1 << 2 | 1 << 6;

/// The register that a field stands for, if it is one that can just be stored: not `rbp`, which
/// holds the frame, nor `rsp`.
pub(crate) fn register(field: Field) -> Option<AsmRegister64> {
    Some(match field {
        Field::R15 => r15,
        Field::R14 => r14,
        Field::R13 => r13,
        Field::R12 => r12,
        Field::Bx => rbx,
        Field::R11 => r11,
        Field::R10 => r10,
        Field::R9 => r9,
        Field::R8 => r8,
        Field::Ax => rax,
        Field::Cx => rcx,
        Field::Dx => rdx,
        Field::Si => rsi,
        Field::Di => rdi,
        Field::Bp
        | Field::OrigAx
        | Field::Ip
        | Field::Cs
        | Field::Flags
        | Field::Sp
        | Field::Ss => return None,
    })
}

/// Stores registers where the context has them.
pub(crate) fn store(a: &mut CodeAssembler, fields: Fields) -> Result<()> {
    for field in fields.iter() {
        if let Some(register) = register(field) {
            a.mov(qword_ptr(rsp + field.offset()), register)?;
        }
    }
    Ok(())
}

/// Loads registers from where the context has them.
pub(crate) fn load(a: &mut CodeAssembler, fields: Fields) -> Result<()> {
    for field in fields.iter() {
        if let Some(register) = register(field) {
            a.mov(register, qword_ptr(rsp + field.offset()))?;
        }
    }
    Ok(())
}

/// How the vector registers are kept while programs run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kept {
    vectors: Vectors,
    machine: Machine,
    x87: bool,
    /// Where in the frame.
    at: i32,
}

/// Bytes that `fxsave` writes.
const FXSAVE: i32 = 512;
/// Bytes that tell whether upper halves were saved, as much as keeps the rest aligned.
const WIDE: i32 = 64;

impl Kept {
    pub(crate) fn new(vectors: Vectors, x87: bool, machine: Machine, at: i32) -> Self {
        Self { vectors, machine, x87, at }
    }

    /// Bytes of the frame that it takes.
    pub(crate) fn size(&self) -> i32 {
        let vectors = match (self.vectors, self.machine.widest) {
            (Vectors::None, _) => 0,
            (Vectors::Low, _) | (Vectors::All, Widest::Sse) => 16 * 16,
            (Vectors::All, Widest::Avx) => WIDE + 16 * 32,
            (Vectors::All, _) => WIDE + 32 * 64 + 8 * 8,
        };
        vectors + if self.x87 { FXSAVE } else { 0 }
    }

    /// How the frame is to be aligned.
    pub(crate) fn alignment(&self) -> i32 {
        if self.wide() { 64 } else { 16 }
    }

    /// Whether more than SSE's registers are kept. That takes `rax`, `rcx` and `rdx`.
    fn wide(&self) -> bool {
        self.vectors == Vectors::All && self.machine.widest > Widest::Sse
    }

    /// The integer registers that saving and restoring change.
    pub(crate) fn changes(&self) -> Fields {
        if self.wide() && self.machine.tells_use {
            Fields::NONE.with(Field::Ax).with(Field::Cx).with(Field::Dx)
        } else {
            Fields::NONE
        }
    }

    fn x87_at(&self) -> i32 {
        self.at
    }

    fn vectors_at(&self) -> i32 {
        self.at + if self.x87 { FXSAVE } else { 0 }
    }

    pub(crate) fn save(&self, a: &mut CodeAssembler) -> Result<()> {
        if self.x87 {
            a.fxsave64(ptr(rsp + self.x87_at()))?;
        }
        if self.vectors == Vectors::None {
            return Ok(());
        }
        if !self.wide() {
            return self.low(a, true);
        }
        let flag = self.vectors_at();
        let mut narrow = a.create_label();
        let mut done = a.create_label();
        if self.machine.tells_use {
            a.mov(ecx, 1)?;
            a.xgetbv()?;
            a.and(eax, UPPER_IN_USE.cast_signed())?;
            a.mov(dword_ptr(rsp + flag), eax)?;
            a.je(narrow)?;
        }
        self.full(a, true)?;
        if self.machine.tells_use {
            a.jmp(done)?;
            a.set_label(&mut narrow)?;
            self.low(a, true)?;
            a.set_label(&mut done)?;
            a.zero_bytes()?;
        }
        self.high(a, true)
    }

    pub(crate) fn restore(&self, a: &mut CodeAssembler) -> Result<()> {
        if self.x87 {
            a.fxrstor64(ptr(rsp + self.x87_at()))?;
        }
        if self.vectors == Vectors::None {
            return Ok(());
        }
        if !self.wide() {
            return self.low(a, false);
        }
        self.high(a, false)?;
        let mut narrow = a.create_label();
        let mut done = a.create_label();
        if self.machine.tells_use {
            a.cmp(dword_ptr(rsp + self.vectors_at()), 0)?;
            a.je(narrow)?;
        }
        self.full(a, false)?;
        if self.machine.tells_use {
            a.jmp(done)?;
            a.set_label(&mut narrow)?;
            // The upper halves were as after this, and code for SSE is slow while they are not.
            a.vzeroupper()?;
            self.low(a, false)?;
            a.set_label(&mut done)?;
            a.zero_bytes()?;
        }
        Ok(())
    }

    /// The low 16 bytes of the first sixteen.
    fn low(&self, a: &mut CodeAssembler, save: bool) -> Result<()> {
        let (at, stride) = self.first();
        for number in 0..16u32 {
            let place = ptr(rsp + (at + stride * number as i32));
            let register = xmm(number)?;
            if save { a.movups(place, register)? } else { a.movups(register, place)? }
        }
        Ok(())
    }

    /// The first sixteen, whole.
    fn full(&self, a: &mut CodeAssembler, save: bool) -> Result<()> {
        let (at, stride) = self.first();
        for number in 0..16u32 {
            let place = ptr(rsp + (at + stride * number as i32));
            match (self.machine.widest, save) {
                (Widest::Avx, true) => a.vmovups(place, ymm(number)?)?,
                (Widest::Avx, false) => a.vmovups(ymm(number)?, place)?,
                (_, true) => a.vmovups(place, zmm(number)?)?,
                (_, false) => a.vmovups(zmm(number)?, place)?,
            }
        }
        Ok(())
    }

    /// What only AVX-512 has.
    fn high(&self, a: &mut CodeAssembler, save: bool) -> Result<()> {
        if self.machine.widest < Widest::Avx512 {
            return Ok(());
        }
        let (at, stride) = self.first();
        for number in 16..32u32 {
            let place = ptr(rsp + (at + stride * number as i32));
            if save { a.vmovups(place, zmm(number)?)? } else { a.vmovups(zmm(number)?, place)? }
        }
        let masks = at + stride * 32;
        let bytes = self.machine.widest == Widest::Avx512Bw;
        for number in 0..8u32 {
            let mask = get_k(Register::K0 + number).context("no such mask")?;
            let place = rsp + (masks + 8 * number as i32);
            match (bytes, save) {
                (true, true) => a.kmovq(qword_ptr(place), mask)?,
                (true, false) => a.kmovq(mask, qword_ptr(place))?,
                (false, true) => a.kmovw(word_ptr(place), mask)?,
                (false, false) => a.kmovw(mask, word_ptr(place))?,
            }
        }
        Ok(())
    }

    /// Where the first is, and how far apart they are.
    fn first(&self) -> (i32, i32) {
        match self.machine.widest {
            _ if !self.wide() => (self.vectors_at(), 16),
            Widest::Sse => (self.vectors_at(), 16),
            Widest::Avx => (self.vectors_at() + WIDE, 32),
            Widest::Avx512 | Widest::Avx512Bw => (self.vectors_at() + WIDE, 64),
        }
    }
}

fn xmm(number: u32) -> Result<AsmRegisterXmm> {
    get_xmm(Register::XMM0 + number).context("no such register")
}

fn ymm(number: u32) -> Result<AsmRegisterYmm> {
    get_ymm(Register::YMM0 + number).context("no such register")
}

fn zmm(number: u32) -> Result<AsmRegisterZmm> {
    get_zmm(Register::ZMM0 + number).context("no such register")
}
