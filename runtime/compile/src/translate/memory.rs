// SPDX-License-Identifier: MIT OR Apache-2.0
//! Loads, stores and atomics.

use cranelift_codegen::ir::{AtomicRmwOp, InstBuilder as _, MemFlags, TrapCode, Value, types};

use super::Translator;
use super::alu::integer;
use crate::Architecture;
use crate::operation::{Atomic, FRAME, Place, Register, Source};

/// What marks loads that may fault, for the table of [`crate::fault`].
pub(crate) const MAY_FAULT: TrapCode = TrapCode::unwrap_user(1);

impl Translator<'_, '_> {
    pub(super) fn load(&mut self, dst: Register, place: Place, signed: bool) {
        if place.base != FRAME && place.bytes == 8 {
            // Cranelift would make a plain load of 64 bits an operand of whatever uses it, which
            // could not be skipped when it faults. An atomic one costs the same and stays alone.
            return self.load_acquire(dst, place);
        }
        let (base, offset) = self.plain_place(place);
        let flags = if place.base == FRAME {
            MemFlags::new().with_notrap()
        } else {
            MemFlags::new().with_trap_code(Some(MAY_FAULT))
        };
        let value = self.load_plain(flags, (base, offset), place.bytes, signed);
        self.set(dst, value);
    }

    /// Loads so many bytes as a whole register.
    fn load_plain(
        &mut self,
        flags: MemFlags,
        (base, offset): (Value, i32),
        bytes: u8,
        signed: bool,
    ) -> Value {
        let ins = self.builder.ins();
        match (bytes, signed) {
            (1, false) => ins.uload8(types::I64, flags, base, offset),
            (1, true) => ins.sload8(types::I64, flags, base, offset),
            (2, false) => ins.uload16(types::I64, flags, base, offset),
            (2, true) => ins.sload16(types::I64, flags, base, offset),
            (4, false) => ins.uload32(flags, base, offset),
            (4, true) => ins.sload32(flags, base, offset),
            _ => ins.load(types::I64, flags, base, offset),
        }
    }

    /// Loads so many bytes of the host's at an address, which may be anything; 0 if nothing is there.
    pub(super) fn load_of_host(&mut self, address: Value, bytes: u8, signed: bool) -> Value {
        let flags = MemFlags::new().with_trap_code(Some(MAY_FAULT));
        if bytes == 8 {
            // As for the program's own loads.
            return self.builder.ins().atomic_load(types::I64, flags, address);
        }
        let place = self.numbered(address, 0);
        self.load_plain(flags, place, bytes, signed)
    }

    pub(super) fn store(&mut self, place: Place, value: Source) {
        let value = match value {
            Source::Register(register) => {
                let value = self.get(register);
                self.cut(value, place.bytes)
            }
            Source::Immediate(value) => self.immediate(value, place.bytes),
        };
        let (base, offset) = self.plain_place(place);
        self.builder.ins().store(MemFlags::new(), value, base, offset);
    }

    pub(super) fn atomic(&mut self, place: Place, op: Atomic, src: Register, fetch: bool) {
        let value = self.get(src);
        let value = self.cut(value, place.bytes);
        let address = self.place(place);
        let op = match op {
            Atomic::Add => AtomicRmwOp::Add,
            Atomic::And => AtomicRmwOp::And,
            Atomic::Or => AtomicRmwOp::Or,
            Atomic::Xor => AtomicRmwOp::Xor,
            Atomic::Exchange => AtomicRmwOp::Xchg,
        };
        let width = integer(place.bytes * 8);
        let old = self.builder.ins().atomic_rmw(width, MemFlags::new(), op, address, value);
        if fetch {
            self.set_extended(src, old, place.bytes);
        }
    }

    pub(super) fn compare_exchange(&mut self, place: Place, src: Register) {
        let (expected, new) = (self.get(0), self.get(src));
        let (expected, new) = (self.cut(expected, place.bytes), self.cut(new, place.bytes));
        let address = self.place(place);
        let old = self.builder.ins().atomic_cas(MemFlags::new(), address, expected, new);
        self.set_extended(0, old, place.bytes);
    }

    pub(super) fn load_acquire(&mut self, dst: Register, place: Place) {
        let address = self.place(place);
        let flags = MemFlags::new().with_trap_code(Some(MAY_FAULT));
        let value = self.builder.ins().atomic_load(integer(place.bytes * 8), flags, address);
        self.set_extended(dst, value, place.bytes);
    }

    pub(super) fn store_release(&mut self, place: Place, src: Register) {
        match self.unit.architecture {
            // Every store of this machine releases; Cranelift's atomic one would also fence.
            Architecture::X86_64 => self.store(place, Source::Register(src)),
            Architecture::Aarch64 => {
                let value = self.get(src);
                let value = self.cut(value, place.bytes);
                let address = self.place(place);
                self.builder.ins().atomic_store(MemFlags::new(), value, address);
            }
        }
    }

    /// A place as base and offset, for what is no atomic access.
    ///
    /// Another thread, or the host, may write to memory between two loads, so each load of the
    /// program has to be one of the code. Cranelift has no volatile ones: it takes two accesses for
    /// the same if base and offset are. So the offset numbers the accesses, and the base makes up
    /// for it; the generator folds both into the one displacement that they add up to. The frame is
    /// the function's own, and may be kept in registers.
    fn plain_place(&mut self, place: Place) -> (Value, i32) {
        let base = self.get(place.base);
        let offset = i32::from(place.offset);
        if place.base == FRAME {
            return (base, offset);
        }
        self.numbered(base, offset)
    }

    fn numbered(&mut self, base: Value, offset: i32) -> (Value, i32) {
        self.accesses += 1;
        let base = self.builder.ins().iadd_imm(base, i64::from(offset - self.accesses));
        (base, self.accesses)
    }

    /// The address of a place.
    fn place(&mut self, place: Place) -> Value {
        let base = self.get(place.base);
        self.builder.ins().iadd_imm(base, i64::from(place.offset))
    }

    /// The lower bytes of a register.
    fn cut(&mut self, value: Value, bytes: u8) -> Value {
        if bytes == 8 { value } else { self.builder.ins().ireduce(integer(bytes * 8), value) }
    }

    /// The lower bytes of an immediate.
    fn immediate(&mut self, value: i32, bytes: u8) -> Value {
        let value = i64::from(value);
        let kept = if bytes == 8 { value } else { value & ((1 << (bytes * 8)) - 1) };
        self.builder.ins().iconst(integer(bytes * 8), kept)
    }

    fn set_extended(&mut self, dst: Register, value: Value, bytes: u8) {
        let value = if bytes == 8 { value } else { self.builder.ins().uextend(types::I64, value) };
        self.set(dst, value);
    }
}
