// SPDX-License-Identifier: MIT OR Apache-2.0
//! Random programs that the verifier is likely to accept: they compute with r0 to r6 and use their
//! stack, their context and a map's value.

use ufunc_compile::Instruction;
use ufunc_compile::opcode::{X, alu, atomic, class, jump, pseudo, size};

use crate::asm::{
    R0, R1, R5, R6, R7, R8, R9, R10, add_imm, alu32, alu32_imm, alu64, alu64_imm, atomic, branch,
    branch_imm, call_local, constant, exit, gotol, ja, load, load_imm64, load_signed, may_goto,
    mov, mov_imm, raw, store, store_imm,
};
use crate::random::Random;

/// Bytes of the map's value. The upper half holds what the program computed.
pub(crate) const VALUE: usize = 256;

/// Bytes of the context.
pub(crate) const CONTEXT: usize = 64;

/// Bytes of stack that are used, all of them written at first.
const STACK: i16 = 64;

/// Which compiler's instructions are used, as clang's `-mcpu` says it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Cpu {
    V1,
    V2,
    V3,
    V4,
    /// And what newer kernels know besides.
    Newest,
}

pub(crate) struct Generator<'a> {
    random: &'a mut Random,
    cpu: Cpu,
    map: i32,
    code: Vec<Instruction>,
    /// Whether the function has the context, in r8.
    is_main: bool,
    /// Branches of the function that are still allowed: each can double the verifier's work.
    branches: usize,
    /// Calls of functions to fill in: which instruction calls which function.
    calls: Vec<(usize, usize)>,
    functions: usize,
}

/// A program, and with it the map with this descriptor that it uses.
pub(crate) fn program(random: &mut Random, cpu: Cpu, map: i32) -> Vec<Instruction> {
    let mut generator = Generator {
        functions: if random.chance(40) { 1 + random.below(3) } else { 0 },
        random,
        cpu,
        map,
        code: Vec::new(),
        is_main: true,
        branches: 6,
        calls: Vec::new(),
    };
    generator.main();
    let mut starts = vec![0];
    for function in 1..=generator.functions {
        starts.push(generator.code.len());
        generator.function(function);
    }
    let Generator { mut code, calls, .. } = generator;
    for (at, function) in calls {
        code[at].imm = starts[function] as i32 - at as i32 - 1;
    }
    code
}

/// Registers that are computed with.
const SCALARS: [u8; 7] = [0, 1, 2, 3, 4, 5, 6];

impl Generator<'_> {
    fn push(&mut self, instructions: impl IntoIterator<Item = Instruction>) {
        self.code.extend(instructions);
    }

    fn scalar(&mut self) -> u8 {
        self.random.pick(&SCALARS)
    }

    fn size(&mut self) -> u8 {
        self.random.pick(&[size::B, size::H, size::W, size::DW])
    }

    fn imm(&mut self) -> i32 {
        self.random.value() as i32
    }

    fn main(&mut self) {
        self.push([mov(R8, R1)]);
        self.prologue();
        for register in SCALARS {
            // Some are known to the verifier, and some are not.
            if self.random.chance(50) {
                let offset = self.random.below(CONTEXT / 8) as i16 * 8;
                self.push([load(size::DW, register, R8, offset)]);
            } else {
                let value = self.random.value();
                self.push(constant(register, value));
            }
        }
        let length = 5 + self.random.below(40);
        self.body(length);
        // The verifier refuses a function that nobody calls.
        for function in 1..=self.functions {
            if !self.calls.iter().any(|(_, called)| *called == function) {
                self.call(function);
            }
        }
        for register in SCALARS {
            self.push([store(size::DW, R9, 128 + i16::from(register) * 8, register)]);
        }
        for slot in 1..=STACK / 8 {
            self.push([
                load(size::DW, R0, R10, -slot * 8),
                store(size::DW, R9, 184 + slot * 8, R0),
            ]);
        }
        self.push([load(size::DW, R0, R9, 128), exit()]);
    }

    /// A function of five arguments.
    fn function(&mut self, index: usize) {
        self.is_main = false;
        self.branches = 3;
        self.prologue();
        self.push([mov(R0, R1), mov(R6, R5)]);
        let length = 3 + self.random.below(12);
        // It calls those that come later only.
        let functions = self.functions;
        self.body(length);
        if index < functions && self.random.chance(30) {
            self.call(index + 1);
        }
        self.push([alu64(alu::XOR, R0, R6), exit()]);
    }

    fn prologue(&mut self) {
        self.push(load_imm64(R9, pseudo::MAP_VALUE, self.map, 0));
        for slot in 1..=STACK / 8 {
            let imm = self.imm();
            self.push([store_imm(size::DW, R10, -slot * 8, imm)]);
        }
    }

    fn body(&mut self, length: usize) {
        let end = self.code.len() + length;
        while self.code.len() < end {
            match self.random.below(100) {
                0..50 => self.arithmetic(),
                50..62 => self.stack(),
                62..70 => self.map_value(),
                70..76 => self.context(),
                76..84 => self.atomic(),
                84..92 => self.branch(),
                92..95 => self.loops(),
                95..97 => self.jump(),
                _ if self.is_main && self.functions > 0 => {
                    let function = 1 + self.random.below(self.functions);
                    self.call(function);
                }
                _ => {}
            }
        }
    }

    fn arithmetic(&mut self) {
        let (dst, src) = (self.scalar(), self.scalar());
        let imm = self.imm();
        // All versions of clang use 32-bit instructions, if asked; from v3 on by itself.
        let narrow = self.random.chance(50);
        let shift = self.random.below(if narrow { 32 } else { 64 }) as i32;
        let ops = [
            alu::ADD,
            alu::SUB,
            alu::MUL,
            alu::OR,
            alu::AND,
            alu::XOR,
            alu::MOV,
            alu::DIV,
            alu::MOD,
            alu::LSH,
            alu::RSH,
            alu::ARSH,
        ];
        let op = self.random.pick(&ops);
        let v4 = self.cpu >= Cpu::V4;
        let instruction = match self.random.below(20) {
            0 => raw(if narrow { class::ALU } else { class::ALU64 } | alu::NEG, dst, 0, 0, 0),
            1 => {
                let bits = self.random.pick(&[16, 32, 64]);
                let to_big = if self.random.chance(50) { X } else { 0 };
                raw(class::ALU | alu::END | to_big, dst, 0, 0, bits)
            }
            2 if v4 => {
                let bits = self.random.pick(&[16, 32, 64]);
                raw(class::ALU64 | alu::END, dst, 0, 0, bits)
            }
            3 if v4 => {
                let (class, bits) = self.random.pick(&[
                    (class::ALU, 8),
                    (class::ALU, 16),
                    (class::ALU64, 8),
                    (class::ALU64, 16),
                    (class::ALU64, 32),
                ]);
                raw(class | alu::MOV | X, dst, src, bits, 0)
            }
            4 | 5 if v4 => {
                let class = if narrow { class::ALU } else { class::ALU64 };
                let op = self.random.pick(&[alu::DIV, alu::MOD]);
                if self.random.chance(50) {
                    raw(class | op | X, dst, src, 1, 0)
                } else {
                    // The verifier refuses to divide by a constant 0.
                    raw(class | op, dst, 0, 1, if imm == 0 { -1 } else { imm })
                }
            }
            6..12 => {
                let imm = match op {
                    alu::LSH | alu::RSH | alu::ARSH => shift,
                    alu::DIV | alu::MOD if imm == 0 => 3,
                    _ => imm,
                };
                if narrow { alu32_imm(op, dst, imm) } else { alu64_imm(op, dst, imm) }
            }
            12 => {
                let value = self.random.value();
                return self.push(constant(dst, value));
            }
            _ if narrow => alu32(op, dst, src),
            _ => alu64(op, dst, src),
        };
        self.push([instruction]);
    }

    /// A load or a store of a size that lies within `length` bytes from `start`.
    fn access(&mut self, base: u8, start: i16, length: i16, aligned: bool) {
        let (size, register) = (self.size(), self.scalar());
        let bytes = match size {
            size::B => 1,
            size::H => 2,
            size::W => 4,
            _ => 8,
        };
        let mut offset = self.random.below((length - bytes + 1) as usize) as i16;
        if aligned {
            offset -= offset % bytes;
        }
        let offset = start + offset;
        let imm = self.imm();
        let instruction = match self.random.below(4) {
            0 => store(size, base, offset, register),
            1 => store_imm(size, base, offset, imm),
            2 if self.cpu >= Cpu::V4 && size != size::DW => {
                load_signed(size, register, base, offset)
            }
            _ => load(size, register, base, offset),
        };
        self.push([instruction]);
    }

    fn stack(&mut self) {
        self.access(R10, -STACK, STACK, true);
    }

    fn context(&mut self) {
        if self.is_main {
            self.access(R8, 0, CONTEXT as i16, true);
        }
    }

    /// An access at a constant or at a variable offset of the map's value.
    fn map_value(&mut self) {
        if self.random.chance(50) {
            return self.access(R9, 0, 128, false);
        }
        let index = self.scalar();
        self.push([mov(R7, index), alu64_imm(alu::AND, R7, 0x3f), alu64(alu::ADD, R7, R9)]);
        self.access(R7, 0, 64, false);
    }

    fn atomic(&mut self) {
        let (size, register) = (self.random.pick(&[size::W, size::DW]), self.scalar());
        let ops: &[i32] = match self.cpu {
            Cpu::V1 | Cpu::V2 => &[atomic::ADD],
            Cpu::V3 | Cpu::V4 => &[
                atomic::ADD,
                atomic::OR,
                atomic::AND,
                atomic::XOR,
                atomic::ADD | atomic::FETCH,
                atomic::OR | atomic::FETCH,
                atomic::AND | atomic::FETCH,
                atomic::XOR | atomic::FETCH,
                atomic::XCHG,
                atomic::CMPXCHG,
            ],
            Cpu::Newest => &[atomic::LOAD_ACQ, atomic::STORE_REL],
        };
        let op = self.random.pick(ops);
        let on_stack = self.random.chance(40);
        let (base, offset) = if on_stack { (R10, -STACK) } else { (R9, 0) };
        let offset = offset + self.random.below(STACK as usize / 8) as i16 * 8;
        let instruction = match op {
            atomic::LOAD_ACQ => atomic(op, self.size(), register, offset, base),
            atomic::STORE_REL => atomic(op, self.size(), base, offset, register),
            _ => atomic(op, size, base, offset, register),
        };
        self.push([instruction]);
        // What was stored on the stack may be compared with what the verifier knows to be there:
        // nothing else is to be done.
    }

    /// A condition, often on two values that the verifier knows nothing of and that are the same or
    /// close to each other.
    fn condition(&mut self, to: i16) -> Instruction {
        let mut ops = vec![jump::JEQ, jump::JNE, jump::JGT, jump::JGE, jump::JSGT, jump::JSGE];
        ops.push(jump::JSET);
        if self.cpu >= Cpu::V2 {
            ops.extend([jump::JLT, jump::JLE, jump::JSLT, jump::JSLE]);
        }
        let (op, left, right) = (self.random.pick(&ops), self.scalar(), self.scalar());
        let narrow = self.cpu >= Cpu::V3 && self.random.chance(50);
        let imm = self.imm();
        let are_close = self.random.chance(50);
        if are_close {
            for register in [left, right] {
                let offset = self.random.below(VALUE / 16) as i16 * 8;
                self.push([load(size::DW, register, R9, offset)]);
            }
        }
        let mut instruction = if are_close || self.random.chance(50) {
            branch(op, left, right, to)
        } else {
            branch_imm(op, left, imm, to)
        };
        if narrow {
            instruction.code = (instruction.code & !0x07) | class::JMP32;
        }
        instruction
    }

    fn branch(&mut self) {
        if self.branches == 0 {
            return;
        }
        self.branches -= 1;
        let condition = self.condition(0);
        let at = self.code.len();
        self.push([condition]);
        for _ in 0..=self.random.below(5) {
            self.straight();
        }
        self.code[at].off = (self.code.len() - at - 1) as i16;
    }

    /// Something without branches.
    fn straight(&mut self) {
        match self.random.below(4) {
            0 => self.stack(),
            1 => self.map_value(),
            _ => self.arithmetic(),
        }
    }

    /// A loop of a few rounds, which may also end early or be cut off.
    fn loops(&mut self) {
        if self.branches == 0 {
            return;
        }
        self.branches -= 1;
        let rounds = 1 + self.random.below(6) as i32;
        let limited = self.cpu == Cpu::Newest && self.random.chance(50);
        // The counter is on the stack: all registers may change.
        let counter = -STACK - 8;
        self.push([store_imm(size::DW, R10, counter, 0)]);
        let start = self.code.len();
        if limited {
            self.push([may_goto(0)]);
        }
        for _ in 0..=self.random.below(4) {
            self.straight();
        }
        self.push([
            load(size::DW, R7, R10, counter),
            add_imm(R7, 1),
            store(size::DW, R10, counter, R7),
        ]);
        let back = start as i16 - self.code.len() as i16 - 1;
        self.push([branch_imm(jump::JNE, R7, rounds, back)]);
        if limited {
            self.code[start].off = (self.code.len() - start - 1) as i16;
        }
    }

    /// A jump over nothing, or over what is never reached but by a branch.
    fn jump(&mut self) {
        let far = self.cpu >= Cpu::V4 && self.random.chance(50);
        self.push([if far { gotol(0) } else { ja(0) }]);
    }

    fn call(&mut self, function: usize) {
        self.calls.push((self.code.len(), function));
        self.push([call_local(0)]);
        // The call leaves nothing in the registers of arguments.
        for register in R1..=R5 {
            let imm = self.imm();
            let other = self.random.pick(&[R0, R6]);
            self.push([mov(register, other)]);
            if self.random.chance(30) {
                self.push([mov_imm(register, imm)]);
            }
        }
    }
}
