// SPDX-License-Identifier: MIT OR Apache-2.0
//! The instructions that the verifier accepted: those that libbpf gave the kernel.
//!
//! libbpf keeps them, relocated, where it made them. That these are the ones that the kernel got, the
//! kernel itself confirms: for every program it keeps a tag, the beginning of a digest of what it
//! was given, before it changed anything.

use anyhow::{Context as _, Result, bail};
use libbpf_rs::libbpf_sys::bpf_insn;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use ufunc_compile::Instruction;
use ufunc_compile::opcode::{class, mode, pseudo, size};

use super::package::Bytes;

/// Bytes of a tag.
pub(crate) const TAG_LEN: usize = 8;

/// The instruction as the compiler reads it.
pub(crate) fn instruction(insn: &bpf_insn) -> Instruction {
    Instruction {
        code: insn.code,
        dst: insn.dst_reg(),
        src: insn.src_reg(),
        off: insn.off,
        imm: insn.imm,
    }
}

/// The bytes of `instructions`.
pub(crate) fn bytes(instructions: &[Instruction]) -> Bytes {
    Bytes(instructions.iter().flat_map(|instruction| instruction.to_bytes()).collect())
}

/// The SHA-256 of `bytes`.
pub(crate) fn sha256(bytes: &[u8]) -> Bytes {
    Bytes(Sha256::digest(bytes).to_vec())
}

/// Fails unless `tag` is what a kernel calls `instructions`.
pub(crate) fn check_tag(instructions: &[Instruction], tag: &[u8]) -> Result<()> {
    let hashed = bytes(&without_descriptors(instructions)).0;
    // SHA-256 since 6.18, SHA-1 before.
    let sha256 = Sha256::digest(&hashed);
    let sha1 = Sha1::digest(&hashed);
    let is = |digest: &[u8]| digest.get(..TAG_LEN) == Some(tag);
    if is(&sha256) || is(&sha1) {
        return Ok(());
    }
    bail!(
        "the kernel has other instructions than libbpf says (its tag of them is {}): what would run is not what was judged",
        Bytes(tag.to_owned())
    )
}

/// As the kernel hashes them: which descriptors the loading process happened to have is left out
/// (`bpf_prog_calc_tag()` in `kernel/bpf/core.c`).
fn without_descriptors(instructions: &[Instruction]) -> Vec<Instruction> {
    const LOAD: u8 = class::LD | mode::IMM | size::DW;
    let mut second_half = false;
    let cleared = instructions.iter().map(|&instruction| {
        let names_map = matches!(instruction.src, pseudo::MAP_FD | pseudo::MAP_VALUE);
        let is_first = !second_half && instruction.code == LOAD && names_map;
        let is_second =
            second_half && Instruction { imm: 0, ..instruction } == Instruction::default();
        second_half = is_first;
        if is_first || is_second { Instruction { imm: 0, ..instruction } } else { instruction }
    });
    cleared.collect()
}

/// Reads the instructions of a program, whose SHA-256 is known.
pub(crate) fn read(bytes: &Bytes, sha256: &Bytes) -> Result<Vec<Instruction>> {
    if self::sha256(&bytes.0) != *sha256 {
        bail!("its instructions are not those that were judged: they have another SHA-256")
    }
    Instruction::read_all(&bytes.0).context("its instructions are damaged")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load_map(fd: i32) -> [Instruction; 2] {
        let load = Instruction {
            code: class::LD | mode::IMM | size::DW,
            dst: 1,
            src: pseudo::MAP_FD,
            off: 0,
            imm: fd,
        };
        [load, Instruction::default()]
    }

    #[test]
    fn descriptors_are_no_part_of_a_tag() {
        let exit = Instruction { code: 0x95, ..Instruction::default() };
        let program = |fd| [load_map(fd).as_slice(), &[exit]].concat();
        let digest = Sha256::digest(bytes(&program(0)).0);
        check_tag(&program(17), &digest[..TAG_LEN]).unwrap();
        let digest = Sha1::digest(bytes(&program(0)).0);
        check_tag(&program(17), &digest[..TAG_LEN]).unwrap();
        let mut other = program(17);
        other[2].imm = 1;
        let error = check_tag(&other, &digest[..TAG_LEN]).unwrap_err().to_string();
        assert!(error.contains("not what was judged"), "{error}");
    }

    #[test]
    fn changed_instructions_are_refused() {
        let bytes = bytes(&load_map(3));
        let hash = sha256(&bytes.0);
        assert_eq!(read(&bytes, &hash).unwrap(), load_map(3));
        let mut changed = bytes.clone();
        changed.0[4] ^= 1;
        assert!(read(&changed, &hash).is_err());
        let cut = Bytes(bytes.0[..9].to_vec());
        assert!(read(&cut, &sha256(&cut.0)).is_err());
    }
}
