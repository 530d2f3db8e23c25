// SPDX-License-Identifier: MIT OR Apache-2.0
//! Changing ELF files byte by byte, and writing debug information that no compiler writes.

use std::ops::Range;
use std::path::{Path, PathBuf};

use object::{Object as _, ObjectSection as _};

use super::{Lab, golden_folder, tool};

/// Names and places in the file of all sections that have one.
pub fn sections(elf: &[u8]) -> Vec<(String, Range<usize>)> {
    let file = object::File::parse(elf).unwrap();
    let sections = file.sections().filter_map(|section| {
        let (start, size) = section.file_range()?;
        let name = section.name().unwrap_or_default().to_owned();
        Some((name, start as usize..(start + size) as usize))
    });
    sections.collect()
}

/// `elf` with every occurrence of `old` replaced by `new`, filled up with `x` to the same length.
pub fn replace(elf: &[u8], old: &str, new: &[u8]) -> Vec<u8> {
    let old = old.as_bytes();
    assert!(new.len() <= old.len(), "{new:?} is longer than {}", old.len());
    let mut padded = new.to_vec();
    padded.resize(old.len(), b'x');
    let mut bytes = elf.to_vec();
    let mut found = 0;
    for start in 0..bytes.len().saturating_sub(old.len()) {
        if bytes[start..].starts_with(old) {
            bytes[start..start + old.len()].copy_from_slice(&padded);
            found += 1;
        }
    }
    assert!(found > 0, "the file does not contain the placeholder");
    bytes
}

/// Abbreviations, and a macro for each kind of entry. A label is an entry's place in the unit.
const DWARF: &str = r#"
.macro attr name form
	.uleb128 \name, \form
.endm
.macro abbrev code tag children
	.uleb128 \code, \tag
	.byte \children
.endm
.macro end
	.byte 0, 0
.endm
.macro ref to
	.long \to - unit
.endm

.section .debug_abbrev
abbrevs:
abbrev 1, 0x11, 1; attr 0x03, 0x08; attr 0x13, 0x0b; end
abbrev 2, 0x2e, 1; attr 0x03, 0x08; attr 0x27, 0x19; attr 0x49, 0x13; attr 0x11, 0x01; end
abbrev 3, 0x2e, 1; attr 0x03, 0x08; attr 0x27, 0x19; attr 0x11, 0x01; end
abbrev 4, 0x05, 0; attr 0x03, 0x08; attr 0x49, 0x13; end
abbrev 5, 0x24, 0; attr 0x03, 0x08; attr 0x0b, 0x0f; attr 0x3e, 0x0b; end
abbrev 6, 0x0f, 0; attr 0x49, 0x13; end
abbrev 7, 0x13, 1; attr 0x03, 0x08; attr 0x0b, 0x0f; end
abbrev 8, 0x0d, 0; attr 0x03, 0x08; attr 0x49, 0x13; attr 0x38, 0x0f; end
abbrev 9, 0x16, 0; attr 0x03, 0x08; attr 0x49, 0x13; end
abbrev 10, 0x01, 1; attr 0x49, 0x13; end
abbrev 11, 0x21, 0; attr 0x37, 0x0f; end
abbrev 12, 0x04, 1; attr 0x03, 0x08; attr 0x0b, 0x0f; end
abbrev 13, 0x28, 0; attr 0x03, 0x08; attr 0x1c, 0x0d; end
abbrev 14, 0x39, 1; attr 0x03, 0x08; end
abbrev 15, 0x26, 0; attr 0x49, 0x13; end
abbrev 16, 0x13, 1; attr 0x03, 0x08; attr 0x0b, 0x0f; attr 0x01, 0x13; end
abbrev 17, 0x2e, 0; attr 0x31, 0x13; end
abbrev 18, 0x0d, 0; attr 0x03, 0x08; attr 0x49, 0x13; attr 0x0d, 0x0f; attr 0x6b, 0x0f; end
abbrev 20, 0x17, 1; attr 0x03, 0x08; attr 0x0b, 0x0f; end
abbrev 21, 0x0d, 0; attr 0x03, 0x08; attr 0x38, 0x0f; end
abbrev 22, 0x01, 1; attr 0x01, 0x13; end
.byte 0

.macro close
	.byte 0
.endm
.macro base label name size encoding
\label: .uleb128 5; .asciz "\name"; .uleb128 \size; .byte \encoding
.endm
.macro pointer label to
\label: .uleb128 6; ref \to
.endm
.macro struct label name size
\label: .uleb128 7; .asciz "\name"; .uleb128 \size
.endm
.macro struct_then label name size sibling
\label: .uleb128 16; .asciz "\name"; .uleb128 \size; ref \sibling
.endm
.macro union label name size
\label: .uleb128 20; .asciz "\name"; .uleb128 \size
.endm
.macro member name type offset
	.uleb128 8; .asciz "\name"; ref \type; .uleb128 \offset
.endm
.macro void_member name offset
	.uleb128 21; .asciz "\name"; .uleb128 \offset
.endm
.macro bits name type size offset
	.uleb128 18; .asciz "\name"; ref \type; .uleb128 \size, \offset
.endm
.macro typedef label name to
\label: .uleb128 9; .asciz "\name"; ref \to
.endm
.macro const label to
\label: .uleb128 15; ref \to
.endm
.macro array label of count
\label: .uleb128 10; ref \of; .uleb128 11, \count; .byte 0
.endm
.macro enum label name size
\label: .uleb128 12; .asciz "\name"; .uleb128 \size
.endm
.macro value name number
	.uleb128 13; .asciz "\name"; .sleb128 \number
.endm
.macro namespace name
	.uleb128 14; .asciz "\name"
.endm
.macro origin label of
\label: .uleb128 17; ref \of
.endm
.macro function name code
	.uleb128 3; .asciz "\name"; .quad \code; .byte 0
.endm

.text
.globl thing_new, thing_free
.type thing_new, @function
.type thing_free, @function
thing_new: xor %eax, %eax; ret
thing_free: ret

.section .debug_info
unit:
	.long unit_end - unit_version
unit_version:
	.short 5
	.byte 1, 8
	.long 0
	.uleb128 1; .asciz "crafted.c"; .byte 0x1d
"#;

const FUNCTIONS: &str = r#"
object_pointer: .uleb128 6; ref object
	.uleb128 2; .asciz "thing_new"; ref object_pointer; .quad thing_new; .byte 0
	.uleb128 3; .asciz "thing_free"; .quad thing_free
	.uleb128 4; .asciz "t"; ref object_pointer; .byte 0
	.byte 0
unit_end:
"#;

/// An application with `thing_new` and `thing_free`, whose struct is the entry at the label
/// `object` among `entries`, which are written with the macros above.
#[track_caller]
pub fn crafted(lab: &Lab, entries: &str) -> PathBuf {
    lab.write("crafted.asm", format!("{DWARF}{entries}\n{FUNCTIONS}"));
    assemble(lab, "crafted.asm")
}

#[track_caller]
fn assemble(lab: &Lab, file: &str) -> PathBuf {
    tool(lab.folder(), "as", &["--64", "-o", "crafted.o", file]);
    let script = golden_folder().join("link.ld");
    let args = ["-static", "-e", "0", "-T", script.to_str().unwrap(), "--build-id=0x1234"];
    tool(lab.folder(), "ld", &[&args[..], &["-o", "crafted", "crafted.o"]].concat());
    lab.path("crafted")
}

/// The program header of a little shell that runs `command` with at most `kib` KiB of memory.
pub fn limited(command: &Path, kib: usize) -> std::process::Command {
    let mut shell = std::process::Command::new("sh");
    shell.arg("-c").arg(format!("ulimit -v {kib}; exec \"$0\" \"$@\"")).arg(command);
    shell
}

/// The same with as much memory as an input of `len` bytes may cost.
pub fn limited_data(command: &Path, len: usize) -> std::process::Command {
    /// What each byte of the input may cost, and what is always allowed, in KiB.
    const TIMES: usize = 64;
    const ALLOWANCE: usize = 64 << 10;
    let kib = ALLOWANCE + TIMES * len.div_ceil(1024);
    let mut shell = std::process::Command::new("sh");
    // Memory that can be written to: of what is only reserved, threads have a lot.
    shell.arg("-c").arg(format!("ulimit -d {kib}; exec \"$0\" \"$@\"")).arg(command);
    shell
}
