// SPDX-License-Identifier: MIT OR Apache-2.0
//! Elements of the host's arrays, at indices that nobody knew when the program was verified.

use anyhow::{Result, ensure};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder as _, types};

use super::Translator;
use crate::target::{Element, Target};

/// Registers of the arguments.
const OBJECT: u8 = 1;
const INDEX: u8 = 2;

impl Translator<'_, '_> {
    /// Puts the element into r0; 0 if the array has no such one, or nothing is there.
    pub(super) fn element(&mut self, target: Target, element: &Element) -> Result<()> {
        let Element { follow, offset, count, bytes, signed } = element;
        let size = u32::from(*bytes).checked_mul(*count);
        ensure!(
            matches!(bytes, 1 | 2 | 4 | 8) && size.is_some(),
            "the {target} reads {count} elements of {bytes} bytes"
        );
        let (mut address, index) = (self.get(OBJECT), self.get(INDEX));
        let zero = self.builder.ins().iconst(types::I64, 0);
        self.set(0, zero);
        let index = self.builder.ins().band_imm(index, i64::from(u32::MAX));
        let there = self.builder.ins().icmp_imm(IntCC::UnsignedLessThan, index, i64::from(*count));
        let (found, next) = (self.builder.create_block(), self.builder.create_block());
        self.builder.ins().brif(there, found, &[], next, &[]);
        self.builder.switch_to_block(found);
        for at in follow {
            let place = self.builder.ins().iadd_imm(address, i64::from(*at));
            address = self.load_of_host(place, 8, false);
        }
        let distance = self.builder.ins().imul_imm(index, i64::from(*bytes));
        let array = self.builder.ins().iadd_imm(address, i64::from(*offset));
        let place = self.builder.ins().iadd(array, distance);
        let value = self.load_of_host(place, *bytes, *signed);
        self.set(0, value);
        self.builder.ins().jump(next, &[]);
        self.builder.switch_to_block(next);
        Ok(())
    }
}
