// SPDX-License-Identifier: MIT OR Apache-2.0
//! The plugin for the conformance suite, run as the suite runs it.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use ufunc_compile::Instruction;
use ufunc_compile::opcode::{alu, atomic, size};

use crate::asm::{
    R0, R1, R2, R10, alu64, atomic, call_helper, constant, exit, ja, load, mov, mov_imm, raw,
    store, store_imm,
};

/// `cargo test` builds examples beside the folder of this test.
fn plugin() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().unwrap().parent().unwrap();
    let path = folder.join("examples").join("bpf_conformance_plugin");
    assert!(path.exists(), "{path:?} must be built: cargo build --example bpf_conformance_plugin");
    path
}

fn run(input: &str, arguments: &[&str]) -> Output {
    let mut child = Command::new(plugin())
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A plugin that has the program from its arguments does not read this.
    child.stdin.take().unwrap().write_all(input.as_bytes()).ok();
    child.wait_with_output().unwrap()
}

/// The suite's form: two digits a byte, and two spaces.
fn hex(program: &[Instruction]) -> String {
    let bytes = program.iter().flat_map(|insn| insn.to_bytes());
    bytes.map(|byte| format!("{byte:02x}  ")).collect::<String>() + "\n"
}

#[track_caller]
fn gives(program: &[Instruction], memory: &str, result: u64) {
    for input in [hex(program), hex(program).replace(' ', ""), hex(program).replace("  ", "\n")] {
        let output = run(&input, &[memory, ""]);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        let printed = String::from_utf8(output.stdout).unwrap();
        assert_eq!(u64::from_str_radix(printed.trim_end(), 16), Ok(result));
    }
}

#[track_caller]
fn refuses(input: &str, arguments: &[&str], reason: &str) {
    let output = run(input, arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains(reason), "{errors}");
    assert!(output.stdout.is_empty());
}

#[test]
fn results_are_printed_whole() {
    let mut program = constant(R0, 0x1122_3344_5566_7788).to_vec();
    program.push(exit());
    gives(&program, "", 0x1122_3344_5566_7788);
    gives(&[mov_imm(R0, -1), exit()], "", u64::MAX);
}

#[test]
fn memory_is_in_r1_and_its_length_in_r2() {
    let program = [load(size::H, R0, R1, 1), exit()];
    gives(&program, "aa bb cc dd", 0xccbb);
    gives(&program, "aabbccdd", 0xccbb);
    gives(&program, "aa  bb\ncc  dd", 0xccbb);
    gives(&[mov(R0, R2), exit()], "1 2 3", 3);
    gives(&[mov(R0, R2), exit()], "", 0);
    let program = [
        store_imm(size::DW, R1, 0, 7),
        mov_imm(R2, 3),
        atomic(atomic::ADD, size::DW, R1, 0, R2),
        load(size::DW, R0, R1, 0),
        exit(),
    ];
    gives(&program, "00 00 00 00 00 00 00 00", 10);
}

#[test]
fn no_argument_is_no_memory() {
    let output = run(&hex(&[mov(R0, R2), exit()]), &[]);
    assert!(output.status.success());
    assert_eq!(output.stdout, b"0\n");
}

#[test]
fn the_program_may_be_an_argument() {
    let output = run("", &["--program", &hex(&[mov_imm(R0, 3), exit()]), "00", "--debug"]);
    assert!(output.status.success());
    assert_eq!(output.stdout, b"3\n");
}

#[test]
fn a_program_may_write_across_the_end_of_its_frame() {
    // One of the public suite's does: eight bytes, four below r10.
    let program = [
        store_imm(size::DW, R10, -4, -1),
        store_imm(size::DW, R10, -8, 5),
        load(size::W, R0, R10, -8),
        exit(),
    ];
    gives(&program, "", 5);
}

#[test]
fn helpers_that_need_no_state_are_there() {
    let program = [mov_imm(R1, -1), call_helper(5), mov_imm(R0, 2), exit()];
    gives(&program, "", 2);
    let program = [
        call_helper(14),
        store(size::DW, R10, -8, R0),
        call_helper(14),
        load(size::DW, R1, R10, -8),
        alu64(alu::XOR, R0, R1),
        exit(),
    ];
    gives(&program, "", 0);
}

#[test]
fn what_is_refused_is_said() {
    refuses("", &[], "the program has no instructions");
    refuses("95 00 00", &[], "3 bytes are no whole number of instructions");
    refuses("zz", &[], "in the program: 'zz' are no bytes in hex");
    refuses(&hex(&[exit()]), &["0g"], "in the memory: '0g' are no bytes in hex");
    refuses(&hex(&[exit()]), &["00", "11"], "unexpected argument '11'");
    refuses(&hex(&[raw(0xff, 0, 0, 0, 0), exit()]), &[], "instruction 0 (opcode 0xff)");
    refuses(&hex(&[call_helper(1), exit()]), &[], "there is no helper 1 here");
    refuses(&hex(&[raw(0x8d, 0, 0, 0, 0), exit()]), &[], "callx");
    refuses("7f454c46", &["--elf"], "ELF files are not supported");
}

#[test]
fn a_program_that_goes_astray_ends_in_an_error() {
    refuses(&hex(&[load(size::DW, R0, R1, 0), exit()]), &[], "memory that it may not");
    // Itself, for ever: the stack ends.
    refuses(&hex(&[raw(0x85, 0, 1, 0, -1), exit()]), &[], "memory that it may not");
}

#[test]
fn a_program_that_begins_with_a_loop() {
    // The first instruction is what the loop goes back to.
    let program = [raw(0x07, R0, 0, 0, 3), raw(0xa5, R0, 0, -2, 30), exit()];
    gives(&program, "", 30);
    let program = [ja(0), mov_imm(R0, 1), exit()];
    gives(&program, "", 1);
}
