// SPDX-License-Identifier: MIT OR Apache-2.0
//! The few machine instructions of a module: a stub for each kfunc, init and exit.
//!
//! The encodings are those that gcc and clang give for the same functions; the tests compare them
//! with what a disassembler says.

use object::elf::{
    R_AARCH64_ADD_ABS_LO12_NC, R_AARCH64_ADR_PREL_PG_HI21, R_AARCH64_JUMP26,
    R_AARCH64_LDST64_ABS_LO12_NC, R_X86_64_PC32, R_X86_64_PLT32, RelocationType,
};

use super::{Arch, Kernel};

/// Called when the module has been loaded.
pub(super) const INIT: &str = "init_module";
/// Called before it is taken out. Without one it could not be.
pub(super) const EXIT: &str = "cleanup_module";
/// The kernel's function that makes kfuncs known.
pub(super) const REGISTER: &str = "register_btf_kfunc_id_set";
/// Where functions of x86-64 kernels that are built so return to.
pub(super) const RETURN_THUNK: &str = "__x86_return_thunk";

/// What an instruction refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// `struct btf_kfunc_id_set`, in `.data`.
    KfuncSet,
    /// `struct module`.
    ThisModule,
    /// A function of the kernel.
    Kernel(&'static str),
}

/// A place that the kernel fills in when it loads the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Patch {
    pub(super) offset: u64,
    pub(super) kind: RelocationType,
    pub(super) target: Target,
    pub(super) addend: i64,
}

/// A function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Function {
    pub(super) name: String,
    pub(super) offset: u64,
    pub(super) size: u64,
}

/// The module's section `.text`.
#[derive(Debug)]
pub(super) struct Text {
    arch: Arch,
    return_thunk: bool,
    pub(super) bytes: Vec<u8>,
    pub(super) functions: Vec<Function>,
    pub(super) patches: Vec<Patch>,
    /// Where the returns through [`RETURN_THUNK`] are, which the kernel may want to be others.
    pub(super) return_sites: Vec<u64>,
}

impl Text {
    /// Functions begin at multiples of it.
    pub(super) const ALIGN: u64 = 16;

    /// The code of a module for `kernel` with stubs of these names.
    pub(super) fn new<'n>(kernel: &Kernel, stubs: impl IntoIterator<Item = &'n str>) -> Self {
        let mut text = Text {
            arch: kernel.arch,
            return_thunk: kernel.return_thunk && kernel.arch == Arch::X86_64,
            bytes: Vec::new(),
            functions: Vec::new(),
            patches: Vec::new(),
            return_sites: Vec::new(),
        };
        for name in stubs {
            text.function(name, Text::return_zero);
        }
        text.function(INIT, |text| text.init(kernel));
        text.function(EXIT, |text| text.ret());
        text
    }

    fn function(&mut self, name: &str, body: impl FnOnce(&mut Self)) {
        let offset = self.bytes.len();
        self.landing_pad();
        body(self);
        let size = (self.bytes.len() - offset) as u64;
        self.functions.push(Function { name: name.to_owned(), offset: offset as u64, size });
        self.pad();
    }

    /// Fills up with what stops whoever comes this way: `int3`, and `udf #0`.
    fn pad(&mut self) {
        let len = self.bytes.len().next_multiple_of(Self::ALIGN as usize);
        let filler = if self.arch == Arch::X86_64 { 0xcc } else { 0 };
        self.bytes.resize(len, filler);
    }

    /// What an indirect call has to meet where the processor sees to that: Intel's IBT, Arm's BTI.
    /// All others take it for a `nop`.
    fn landing_pad(&mut self) {
        match self.arch {
            Arch::X86_64 => self.emit(&[0xf3, 0x0f, 0x1e, 0xfa]), // endbr64
            Arch::Aarch64 => self.word(0xd503_245f),              // bti c
        }
    }

    fn return_zero(&mut self) {
        match self.arch {
            Arch::X86_64 => self.emit(&[0x31, 0xc0]), // xor %eax, %eax
            Arch::Aarch64 => self.word(0xd280_0000),  // mov x0, #0
        }
        self.ret();
    }

    fn ret(&mut self) {
        match (self.arch, self.return_thunk) {
            (Arch::X86_64, false) => self.emit(&[0xc3]), // ret
            (Arch::X86_64, true) => {
                self.return_sites.push(self.bytes.len() as u64);
                self.jump(RETURN_THUNK);
            }
            (Arch::Aarch64, _) => self.word(0xd65f_03c0), // ret
        }
    }

    /// Returns what registering the kfuncs returns; -ENOENT if the kernel found no types in the
    /// module, for then registering would do nothing and report success.
    fn init(&mut self, kernel: &Kernel) {
        const ENOENT: i32 = 2;
        let btf_data = i64::from(kernel.this_module.btf_data);
        match self.arch {
            Arch::X86_64 => {
                // cmpq $0, btf_data(%rip); the address counts from behind the 0.
                self.emit(&[0x48, 0x83, 0x3d]);
                self.patch(R_X86_64_PC32, Target::ThisModule, btf_data - 5);
                self.emit(&[0, 0, 0, 0, 0]);
                self.emit(&[0x74, 5 + 7 + 5]); // je over the next three
                self.emit(&[0xbf]); // mov $program_type, %edi
                self.emit(&kernel.program_type.to_le_bytes());
                self.emit(&[0x48, 0x8d, 0x35]); // lea kfunc_set(%rip), %rsi
                self.patch(R_X86_64_PC32, Target::KfuncSet, -4);
                self.emit(&[0; 4]);
                self.jump(REGISTER);
                self.emit(&[0xb8]); // mov $-ENOENT, %eax
                self.emit(&(-ENOENT).to_le_bytes());
            }
            Arch::Aarch64 => {
                self.patch(R_AARCH64_ADR_PREL_PG_HI21, Target::ThisModule, btf_data);
                self.word(0x9000_0002); // adrp x2, btf_data
                self.patch(R_AARCH64_LDST64_ABS_LO12_NC, Target::ThisModule, btf_data);
                self.word(0xf940_0042); // ldr x2, [x2, :lo12:btf_data]
                self.word(0xb400_00a2); // cbz x2, over the next four
                self.patch(R_AARCH64_ADR_PREL_PG_HI21, Target::KfuncSet, 0);
                self.word(0x9000_0001); // adrp x1, kfunc_set
                self.patch(R_AARCH64_ADD_ABS_LO12_NC, Target::KfuncSet, 0);
                self.word(0x9100_0021); // add x1, x1, :lo12:kfunc_set
                self.word(0x5280_0000 | kernel.program_type << 5); // mov w0, #program_type
                self.jump(REGISTER);
                self.word(0x1280_0000 | (ENOENT as u32 - 1) << 5); // mov w0, #-ENOENT
            }
        }
        self.ret();
    }

    /// Goes on in the kernel, which returns to whoever called.
    fn jump(&mut self, function: &'static str) {
        match self.arch {
            Arch::X86_64 => {
                self.emit(&[0xe9]);
                self.patch(R_X86_64_PLT32, Target::Kernel(function), -4);
                self.emit(&[0; 4]);
            }
            Arch::Aarch64 => {
                self.patch(R_AARCH64_JUMP26, Target::Kernel(function), 0);
                self.word(0x1400_0000);
            }
        }
    }

    /// The next bytes are to be filled in.
    fn patch(&mut self, kind: RelocationType, target: Target, addend: i64) {
        let offset = self.bytes.len() as u64;
        self.patches.push(Patch { offset, kind, target, addend });
    }

    fn emit(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    fn word(&mut self, word: u32) {
        self.emit(&word.to_le_bytes());
    }
}
