// SPDX-License-Identifier: MIT OR Apache-2.0
//! Arithmetic.

use cranelift_codegen::ir::{InstBuilder as _, Type, Value, types};

use super::Translator;
use crate::operation::{Alu, ByteOrder, Register, Source, Width};

fn width_type(width: Width) -> Type {
    match width {
        Width::W32 => types::I32,
        Width::W64 => types::I64,
    }
}

impl Translator<'_, '_> {
    pub(super) fn alu(&mut self, width: Width, op: Alu, dst: Register, source: Source) {
        let right = self.operand(width, source);
        let result = match op {
            Alu::Move => right,
            _ => {
                let left = self.operand(width, Source::Register(dst));
                self.compute(width, op, left, right, source)
            }
        };
        self.set_cut(width, dst, result);
    }

    fn compute(
        &mut self,
        width: Width,
        op: Alu,
        left: Value,
        right: Value,
        source: Source,
    ) -> Value {
        // What the divisor is, if that is known, spares the checks for it.
        let divisor = match source {
            Source::Immediate(value) => Some(value),
            Source::Register(_) => None,
        };
        let ins = self.builder.ins();
        match op {
            Alu::Move => right,
            Alu::Add => ins.iadd(left, right),
            Alu::Sub => ins.isub(left, right),
            Alu::Mul => ins.imul(left, right),
            Alu::Or => ins.bor(left, right),
            Alu::And => ins.band(left, right),
            Alu::Xor => ins.bxor(left, right),
            // Cranelift's shifts, too, only look at as many bits as the width needs.
            Alu::ShiftLeft => ins.ishl(left, right),
            Alu::ShiftRight => ins.ushr(left, right),
            Alu::ArithmeticShiftRight => ins.sshr(left, right),
            Alu::Div => self.divide(width, left, right, divisor),
            Alu::SignedDiv => self.divide_signed(width, left, right, divisor),
            Alu::Mod => self.remainder(width, left, right, divisor),
            Alu::SignedMod => self.remainder_signed(width, left, right, divisor),
        }
    }

    /// The value 0 or 1 of a width.
    fn small(&mut self, width: Width, value: i64) -> Value {
        self.builder.ins().iconst(width_type(width), value)
    }

    /// Division by zero gives zero.
    fn divide(&mut self, width: Width, left: Value, right: Value, known: Option<i32>) -> Value {
        match known {
            Some(0) => self.small(width, 0),
            Some(_) => self.builder.ins().udiv(left, right),
            None => {
                let (zero, one) = (self.small(width, 0), self.small(width, 1));
                let safe = self.builder.ins().select(right, right, one);
                let quotient = self.builder.ins().udiv(left, safe);
                self.builder.ins().select(right, quotient, zero)
            }
        }
    }

    /// So it does when signed; and the smallest number divided by -1 is itself.
    ///
    /// Cranelift's signed division traps there, and of the smallest number as a constant divisor it
    /// makes its opposite (0.123). Unsigned division of the magnitudes does neither.
    fn divide_signed(
        &mut self,
        width: Width,
        left: Value,
        right: Value,
        known: Option<i32>,
    ) -> Value {
        let [(left_sign, left), (right_sign, right)] =
            [left, right].map(|value| self.magnitude(width, value));
        let quotient = self.divide(width, left, right, known);
        let sign = self.builder.ins().bxor(left_sign, right_sign);
        self.negate_if(sign, quotient)
    }

    /// What remains of a division by zero is the dividend.
    fn remainder(&mut self, width: Width, left: Value, right: Value, known: Option<i32>) -> Value {
        match known {
            Some(0) => left,
            Some(_) => self.builder.ins().urem(left, right),
            None => {
                let one = self.small(width, 1);
                let safe = self.builder.ins().select(right, right, one);
                let remainder = self.builder.ins().urem(left, safe);
                self.builder.ins().select(right, remainder, left)
            }
        }
    }

    /// The sign of what remains is the dividend's.
    fn remainder_signed(
        &mut self,
        width: Width,
        left: Value,
        right: Value,
        known: Option<i32>,
    ) -> Value {
        let [(left_sign, left), (_, right)] =
            [left, right].map(|value| self.magnitude(width, value));
        let remainder = self.remainder(width, left, right, known);
        self.negate_if(left_sign, remainder)
    }

    /// The sign of a signed number, and the number without it.
    fn magnitude(&mut self, width: Width, value: Value) -> (Value, Value) {
        let sign = self.sign(width, value);
        (sign, self.negate_if(sign, value))
    }

    /// -1 for a negative number, else 0.
    fn sign(&mut self, width: Width, value: Value) -> Value {
        let bits = i64::from(width_type(width).bits());
        self.builder.ins().sshr_imm(value, bits - 1)
    }

    /// The value, negated if `sign` is -1.
    fn negate_if(&mut self, sign: Value, value: Value) -> Value {
        let flipped = self.builder.ins().bxor(value, sign);
        self.builder.ins().isub(flipped, sign)
    }

    pub(super) fn negate(&mut self, width: Width, dst: Register) {
        let value = self.operand(width, Source::Register(dst));
        let value = self.builder.ins().ineg(value);
        self.set_cut(width, dst, value);
    }

    pub(super) fn sign_extend(&mut self, width: Width, bits: u8, dst: Register, src: Register) {
        let value = self.get(src);
        let narrow = self.builder.ins().ireduce(integer(bits), value);
        let value = self.builder.ins().sextend(width_type(width), narrow);
        self.set_cut(width, dst, value);
    }

    pub(super) fn reorder(&mut self, order: ByteOrder, bits: u8, dst: Register) {
        let value = self.get(dst);
        let value = match (order, bits) {
            (ByteOrder::Keep, 64) => value,
            (ByteOrder::Reverse, 64) => self.builder.ins().bswap(value),
            (order, bits) => {
                let narrow = self.builder.ins().ireduce(integer(bits), value);
                let narrow = match order {
                    ByteOrder::Keep => narrow,
                    ByteOrder::Reverse => self.builder.ins().bswap(narrow),
                };
                self.builder.ins().uextend(types::I64, narrow)
            }
        };
        self.set(dst, value);
    }

    /// Sets a register to a value of the width; the upper half becomes 0.
    fn set_cut(&mut self, width: Width, dst: Register, value: Value) {
        let value = match width {
            Width::W64 => value,
            Width::W32 => self.builder.ins().uextend(types::I64, value),
        };
        self.set(dst, value);
    }
}

/// The integer of this many bits.
pub(super) fn integer(bits: u8) -> Type {
    match bits {
        8 => types::I8,
        16 => types::I16,
        32 => types::I32,
        _ => types::I64,
    }
}
