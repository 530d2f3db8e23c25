// SPDX-License-Identifier: MIT OR Apache-2.0
//! Relocations of debug sections in relocatable objects.
//!
//! A compiler leaves the offsets of strings, abbreviations and so on to the linker. What is read
//! before linking needs them filled in. Only the few relocations that debug sections have are known
//! here, as the psABI of each machine defines them; another one is an error, since what it stands
//! for would be read wrongly.

use anyhow::{Context as _, Result, bail};
use gimli::{Endianity as _, RunTimeEndian};
use object::elf::{self, Machine, RelocationType};
use object::{
    Object as _, ObjectSection as _, ObjectSymbol as _, Relocation, RelocationFlags,
    RelocationKind, RelocationTarget,
};

use super::layout::Layout;
use crate::elf::machine;

/// What a relocation does to the place that it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Ignore,
    /// The value replaces what is there.
    Set,
    /// The same, seen from the place.
    SetRelative,
    /// The same, seen from where offsets of threads' variables count from.
    SetInThread,
    /// The value is added to what is there, or subtracted: differences of labels.
    Add,
    Sub,
}

/// How the place is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Width {
    Bytes(usize),
    /// The lower six bits of a byte.
    SixBits,
    /// LEB128, as long as it is already.
    Uleb,
}

/// Values of all symbols, and what is needed to apply relocations.
#[derive(Debug)]
pub(super) struct Relocator {
    machine: Machine,
    endian: RunTimeEndian,
    /// By symbol number.
    symbols: Vec<u64>,
}

impl Relocator {
    pub(super) fn new(elf: &object::File<'_>, endian: RunTimeEndian, layout: &Layout) -> Self {
        let mut symbols = Vec::new();
        for symbol in elf.symbols() {
            let index = symbol.index().0;
            // Numbers are those of a table in the file, so there are not too many.
            if symbols.len() <= index {
                symbols.resize(index + 1, 0);
            }
            let base = symbol.section_index().map_or(0, |section| layout.base(section));
            symbols[index] = symbol.address().wrapping_add(base);
        }
        Relocator { machine: machine(elf), endian, symbols }
    }

    /// Fills in `bytes`, the contents of `section`.
    pub(super) fn apply(&self, section: &object::Section<'_, '_>, bytes: &mut [u8]) -> Result<()> {
        for (offset, relocation) in section.relocations() {
            self.apply_one(offset, &relocation, bytes)
                .with_context(|| format!("bad relocation of offset {offset:#x}"))?;
        }
        Ok(())
    }

    fn apply_one(&self, offset: u64, relocation: &Relocation, bytes: &mut [u8]) -> Result<()> {
        let (action, width) = self.meaning(relocation)?;
        if action == Action::Ignore {
            return Ok(());
        }
        let symbol = match relocation.target() {
            RelocationTarget::Absolute => 0,
            RelocationTarget::Symbol(index) => {
                *self.symbols.get(index.0).with_context(|| format!("no symbol {}", index.0))?
            }
            target => bail!("unknown target {target:?}"),
        };
        let start = usize::try_from(offset).ok();
        let place = start.and_then(|start| bytes.get_mut(start..)).context("out of bounds")?;
        let mut place = Place::new(place, width, self.endian).context("out of bounds")?;
        let present = place.get();
        let mut value = symbol.wrapping_add(relocation.addend() as u64);
        if relocation.has_implicit_addend() {
            value = value.wrapping_add(place.sign_extended(present));
        }
        place.set(match action {
            Action::Ignore => present,
            Action::Set => value,
            Action::SetRelative => value.wrapping_sub(offset),
            Action::SetInThread => value.wrapping_sub(thread_local_bias(self.machine)),
            Action::Add => present.wrapping_add(value),
            Action::Sub => present.wrapping_sub(value),
        });
        Ok(())
    }

    fn meaning(&self, relocation: &Relocation) -> Result<(Action, Width)> {
        let width = Width::Bytes(usize::from(relocation.size() / 8));
        match relocation.kind() {
            RelocationKind::None => return Ok((Action::Ignore, width)),
            RelocationKind::Absolute => return Ok((Action::Set, width)),
            RelocationKind::Relative => return Ok((Action::SetRelative, width)),
            _ => {}
        }
        let RelocationFlags::Elf { r_type } = relocation.flags() else {
            bail!("relocation of a strange kind")
        };
        special(self.machine, r_type).with_context(|| {
            format!("relocation type {} of machine {} is not known", r_type.0, self.machine.0)
        })
    }
}

/// Relocations that have no name common to all machines.
fn special(machine: Machine, kind: RelocationType) -> Option<(Action, Width)> {
    use Action::{Add, Set, SetInThread, Sub};
    use Width::{Bytes, SixBits, Uleb};
    if let Some(bytes) = thread_local(machine, kind) {
        return Some((SetInThread, Bytes(bytes)));
    }
    let known: &[(RelocationType, Action, Width)] = match machine {
        elf::EM_PPC => &[(elf::R_PPC_UADDR32, Set, Bytes(4)), (elf::R_PPC_UADDR16, Set, Bytes(2))],
        elf::EM_PPC64 => &[
            (elf::R_PPC64_UADDR64, Set, Bytes(8)),
            (elf::R_PPC64_UADDR32, Set, Bytes(4)),
            (elf::R_PPC64_UADDR16, Set, Bytes(2)),
        ],
        elf::EM_BPF => &[
            (R_BPF_64_ABS64, Set, Bytes(8)),
            (R_BPF_64_ABS32, Set, Bytes(4)),
            (R_BPF_64_NODYLD32, Set, Bytes(4)),
        ],
        elf::EM_RISCV => &[
            (elf::R_RISCV_ADD8, Add, Bytes(1)),
            (elf::R_RISCV_ADD16, Add, Bytes(2)),
            (elf::R_RISCV_ADD32, Add, Bytes(4)),
            (elf::R_RISCV_ADD64, Add, Bytes(8)),
            (elf::R_RISCV_SUB6, Sub, SixBits),
            (elf::R_RISCV_SUB8, Sub, Bytes(1)),
            (elf::R_RISCV_SUB16, Sub, Bytes(2)),
            (elf::R_RISCV_SUB32, Sub, Bytes(4)),
            (elf::R_RISCV_SUB64, Sub, Bytes(8)),
            (elf::R_RISCV_SET6, Set, SixBits),
            (elf::R_RISCV_SET8, Set, Bytes(1)),
            (elf::R_RISCV_SET16, Set, Bytes(2)),
            (elf::R_RISCV_SET32, Set, Bytes(4)),
            (elf::R_RISCV_32_PCREL, Action::SetRelative, Bytes(4)),
            (elf::R_RISCV_SET_ULEB128, Set, Uleb),
            (elf::R_RISCV_SUB_ULEB128, Sub, Uleb),
        ],
        elf::EM_LOONGARCH => &[
            (elf::R_LARCH_ADD6, Add, SixBits),
            (elf::R_LARCH_ADD8, Add, Bytes(1)),
            (elf::R_LARCH_ADD16, Add, Bytes(2)),
            (elf::R_LARCH_ADD32, Add, Bytes(4)),
            (elf::R_LARCH_ADD64, Add, Bytes(8)),
            (elf::R_LARCH_SUB6, Sub, SixBits),
            (elf::R_LARCH_SUB8, Sub, Bytes(1)),
            (elf::R_LARCH_SUB16, Sub, Bytes(2)),
            (elf::R_LARCH_SUB32, Sub, Bytes(4)),
            (elf::R_LARCH_SUB64, Sub, Bytes(8)),
            (elf::R_LARCH_ADD_ULEB128, Add, Uleb),
            (elf::R_LARCH_SUB_ULEB128, Sub, Uleb),
        ],
        _ => &[],
    };
    known.iter().find(|(name, ..)| *name == kind).map(|&(_, action, width)| (action, width))
}

/// Bytes of a place that says where a variable of a thread is, in its module's block. That begins
/// nowhere yet, so the variable is taken to be where its section is.
fn thread_local(machine: Machine, kind: RelocationType) -> Option<usize> {
    Some(match (machine, kind) {
        (elf::EM_X86_64, elf::R_X86_64_DTPOFF64)
        | (elf::EM_AARCH64, elf::R_AARCH64_TLS_DTPREL)
        | (elf::EM_PPC64, elf::R_PPC64_DTPREL64)
        | (elf::EM_S390, elf::R_390_TLS_LDO64)
        | (elf::EM_MIPS, elf::R_MIPS_TLS_DTPREL64)
        | (elf::EM_RISCV, elf::R_RISCV_TLS_DTPREL64)
        | (elf::EM_LOONGARCH, elf::R_LARCH_TLS_DTPREL64) => 8,
        (elf::EM_X86_64, elf::R_X86_64_DTPOFF32)
        | (elf::EM_386, elf::R_386_TLS_LDO_32 | elf::R_386_TLS_DTPOFF32)
        | (elf::EM_ARM, elf::R_ARM_TLS_LDO32 | elf::R_ARM_TLS_DTPOFF32)
        | (elf::EM_PPC, elf::R_PPC_DTPREL32)
        | (elf::EM_S390, elf::R_390_TLS_LDO32)
        | (elf::EM_MIPS, elf::R_MIPS_TLS_DTPREL32)
        | (elf::EM_RISCV, elf::R_RISCV_TLS_DTPREL32)
        | (elf::EM_LOONGARCH, elf::R_LARCH_TLS_DTPREL32) => 4,
        (elf::EM_SPARC | elf::EM_SPARC32PLUS | elf::EM_SPARCV9, _) => match kind {
            elf::R_SPARC_TLS_DTPOFF64 => 8,
            elf::R_SPARC_TLS_DTPOFF32 => 4,
            _ => return None,
        },
        _ => return None,
    })
}

/// What the offset of a thread's variable counts from, seen from the beginning of the block: some
/// machines can reach further that way.
fn thread_local_bias(machine: Machine) -> u64 {
    match machine {
        elf::EM_MIPS | elf::EM_PPC | elf::EM_PPC64 => 0x8000,
        elf::EM_RISCV => 0x800,
        _ => 0,
    }
}

// linux/Documentation/bpf/llvm_reloc.rst; the other two are in `object`.
const R_BPF_64_ABS64: RelocationType = RelocationType(2);
const R_BPF_64_ABS32: RelocationType = RelocationType(3);
const R_BPF_64_NODYLD32: RelocationType = RelocationType(4);

/// A number in a section.
struct Place<'a> {
    bytes: &'a mut [u8],
    width: Width,
    endian: RunTimeEndian,
}

impl<'a> Place<'a> {
    /// The number that `bytes` begins with; `None` if it does not fit.
    fn new(bytes: &'a mut [u8], width: Width, endian: RunTimeEndian) -> Option<Self> {
        let len = match width {
            Width::Bytes(len @ (1 | 2 | 4 | 8)) => len,
            Width::Bytes(_) => return None,
            Width::SixBits => 1,
            Width::Uleb => bytes.iter().position(|byte| byte & 0x80 == 0)? + 1,
        };
        Some(Place { bytes: bytes.get_mut(..len)?, width, endian })
    }

    fn get(&self) -> u64 {
        match self.width {
            Width::SixBits => u64::from(self.bytes[0] & 0x3f),
            Width::Uleb => {
                let digits = self.bytes.iter().rev().map(|byte| u64::from(byte & 0x7f));
                digits.fold(0, |value, digit| value << 7 | digit)
            }
            Width::Bytes(_) => match *self.bytes {
                [byte] => u64::from(byte),
                [_, _] => u64::from(self.endian.read_u16(self.bytes)),
                [_, _, _, _] => u64::from(self.endian.read_u32(self.bytes)),
                _ => self.endian.read_u64(self.bytes),
            },
        }
    }

    /// `value`, which was read here, as a signed number.
    fn sign_extended(&self, value: u64) -> u64 {
        match self.bytes.len() {
            len @ 1..8 if matches!(self.width, Width::Bytes(_)) => {
                let unused = 64 - 8 * len as u32;
                ((value << unused).cast_signed() >> unused).cast_unsigned()
            }
            _ => value,
        }
    }

    /// Writes as much of `value` as fits.
    fn set(&mut self, mut value: u64) {
        match self.width {
            Width::SixBits => self.bytes[0] = self.bytes[0] & 0xc0 | value as u8 & 0x3f,
            Width::Uleb => {
                for byte in &mut *self.bytes {
                    *byte = *byte & 0x80 | value as u8 & 0x7f;
                    value >>= 7;
                }
            }
            Width::Bytes(len) => match self.endian {
                RunTimeEndian::Little => self.bytes.copy_from_slice(&value.to_le_bytes()[..len]),
                RunTimeEndian::Big => self.bytes.copy_from_slice(&value.to_be_bytes()[8 - len..]),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_changed_in_place() {
        let (little, big) = (RunTimeEndian::Little, RunTimeEndian::Big);
        for (endian, width, before, value, after) in [
            (little, Width::Bytes(4), &[1, 0, 0, 0, 9][..], 0x1234, &[0x34, 0x12, 0, 0, 9][..]),
            (big, Width::Bytes(4), &[0, 0, 0, 1, 9], 0x1234, &[0, 0, 0x12, 0x34, 9]),
            (big, Width::Bytes(2), &[0, 1, 9], 0x11234, &[0x12, 0x34, 9]),
            (little, Width::SixBits, &[0xc1], 0x7f, &[0xff]),
            (little, Width::Uleb, &[0x81, 0x80, 0x00, 9], 0x85, &[0x85, 0x81, 0x00, 9]),
        ] {
            let mut bytes = before.to_vec();
            let mut place = Place::new(&mut bytes, width, endian).unwrap();
            assert_eq!(place.get(), 1, "{width:?} {endian:?}");
            place.set(value);
            assert_eq!(bytes, after, "{width:?} {endian:?}");
        }
    }

    #[test]
    fn implicit_addends_may_be_negative() {
        let mut bytes = (-4_i32).to_le_bytes();
        let place = Place::new(&mut bytes, Width::Bytes(4), RunTimeEndian::Little).unwrap();
        assert_eq!(place.sign_extended(place.get()), (-4_i64).cast_unsigned());
    }

    #[test]
    fn what_does_not_fit_is_no_place() {
        for (width, bytes) in [
            (Width::Bytes(8), &mut [0; 7][..]),
            (Width::Uleb, &mut [0x80; 3]),
            (Width::SixBits, &mut []),
        ] {
            assert!(Place::new(bytes, width, RunTimeEndian::Little).is_none(), "{width:?}");
        }
    }
}
