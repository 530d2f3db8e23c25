// SPDX-License-Identifier: MIT OR Apache-2.0
//! Logs that real verifiers printed, and what is to be read in each.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use ufunc_loader::verifier_log::VerifierLog;

/// What a log says.
struct Expected {
    /// The log's file, without `.log`.
    log: &'static str,
    reason: &'static str,
    /// Index of the instruction that the reason is about, and the function that it calls.
    failed_at: (u32, Option<&'static str>),
    /// Number of the source line shown before that instruction.
    line: Option<u32>,
    processed: u64,
}

const fn expected(
    log: &'static str,
    reason: &'static str,
    failed_at: (u32, Option<&'static str>),
    line: Option<u32>,
    processed: u64,
) -> Expected {
    Expected { log, reason, failed_at, line, processed }
}

const RELEASE: &str = "release kfunc my_free_data expects referenced PTR_TO_BTF_ID passed to R1";
const NO_OBJECT: &str =
    "arg#0 pointer type STRUCT data must point to scalar, or struct with scalar";
const FREE: Option<&str> = Some("my_free_data");

#[rustfmt::skip]
const EXPECTED: &[Expected] = &[
    expected("6.12.107-double-free", NO_OBJECT, (6, FREE), Some(22), 7),
    expected("6.12.107-leak-in-loop", "Unreleased reference id=2 alloc_insn=0", (9, None), Some(124), 10),
    expected("6.12.107-leak-in-subprogram", "Unreleased reference id=2 alloc_insn=2", (1, None), Some(108), 8),
    expected("6.12.107-leak-on-one-path", "Unreleased reference id=2 alloc_insn=0", (10, None), Some(21), 13),
    expected("6.12.107-leak", "Unreleased reference id=2 alloc_insn=0", (5, None), Some(14), 6),
    expected("6.12.107-no-null-check", "Possibly NULL pointer passed to trusted arg0", (2, FREE), Some(18), 3),
    expected("6.12.107-own-object", NO_OBJECT, (6, FREE), Some(56), 7),
    expected("6.12.107-read-beyond-array", "access beyond struct deep_memory_block at off 104 size 1", (7, None), Some(24), 8),
    expected("6.12.107-read-beyond", "access beyond struct data at off 24 size 4", (3, None), Some(82), 4),
    expected("6.12.107-read-without-check", "R0 invalid mem access 'ptr_or_null_'", (1, None), Some(91), 2),
    expected("6.12.107-scalar-as-object", NO_OBJECT, (1, FREE), Some(17), 2),
    expected("6.12.107-stack-as-object", "arg#0 pointer type STRUCT buffer must point to scalar, or struct with scalar", (7, Some("set_tag")), Some(21), 8),
    expected("6.12.107-use-after-free", "R6 invalid mem access 'scalar'", (6, None), Some(21), 7),
    expected("6.12.107-variable-index", "R1 is ptr_inner_memory_block invalid variable offset: off=4, var_off=(0x0; 0xffffffff)", (11, None), Some(69), 12),
    expected("6.12.107-write-field", "only read is supported", (3, None), Some(21), 4),
    expected("6.12.107-wrong-family", "kernel function drop_buffer args#0 expected pointer to STRUCT buffer but R1 has a pointer to STRUCT buffer__pool", (4, Some("drop_buffer")), Some(19), 5),
    expected("6.12.107-wrong-program-type", "calling kernel function my_alloc_data is not allowed", (0, Some("my_alloc_data")), Some(33), 1),
    expected("6.12.107-wrong-struct", "R1 must be referenced or trusted", (3, FREE), Some(47), 4),
    expected("6.18.44-in-subprogram", "R1 invalid mem access 'scalar'", (4, None), Some(54), 4),
    expected("6.18.44-level2-map-no-null-check", "R0 invalid mem access 'map_value_or_null'", (7, None), Some(34), 7),
    expected("6.18.44-level2-ringbuf-leak", "Unreleased reference id=2 alloc_insn=4", (9, None), Some(26), 9),
    expected("6.18.44-map-no-null-check", "R0 invalid mem access 'map_value_or_null'", (7, None), Some(34), 7),
    expected("6.18.44-missing-member", "failed to resolve CO-RE relocation <byte_off> [5] struct host_data_nobody_has.e (0:1 @ offset 4)", (3, None), Some(14), 4),
    expected("6.18.44-ringbuf-leak", "Unreleased reference id=2 alloc_insn=4", (9, None), Some(26), 9),
    expected("6.18.44-stack-read", "invalid read from stack R10 off=68 size=1", (0, None), Some(48), 1),
    expected("6.18.44-unguarded", "kfunc 'test_touch_data' is referenced but wasn't resolved", (1, None), Some(18), 2),
    expected("6.18.44-unreachable", "unreachable insn 1", (1, None), None, 0),
    expected("6.x-leak", "Unreleased reference id=2 alloc_insn=0", (18, None), Some(44), 18),
    expected("6.x-missing-host-type", "failed to resolve CO-RE relocation <byte_off> [17] struct data.a (0:0 @ offset 0)", (4, None), Some(25), 5),
    expected("6.x-no-null-check", "Possibly NULL pointer passed to trusted arg0", (2, FREE), Some(45), 3),
    expected("6.x-stack-read", "invalid read from stack R10 off=68 size=1", (65, None), Some(44), 63),
    expected("7.3.4-double-free", RELEASE, (6, FREE), Some(22), 7),
    expected("7.3.4-in-subprogram", "R1 invalid mem access 'scalar'", (4, None), Some(54), 4),
    expected("7.3.4-leak", "Unreleased reference id=2 alloc_insn=0", (5, None), Some(14), 6),
    expected("7.3.4-leak-in-loop", "Unreleased reference id=2 alloc_insn=0", (9, None), Some(124), 10),
    expected("7.3.4-leak-in-subprogram", "Unreleased reference id=2 alloc_insn=2", (1, None), Some(108), 8),
    expected("7.3.4-leak-on-one-path", "Unreleased reference id=2 alloc_insn=0", (10, None), Some(21), 13),
    expected("7.3.4-map-no-null-check", "R0 invalid mem access 'map_value_or_null'", (7, None), Some(34), 7),
    expected("7.3.4-missing-member", "failed to resolve CO-RE relocation <byte_off> [5] struct host_data_nobody_has.e (0:1 @ offset 4)", (3, None), Some(14), 4),
    expected("7.3.4-no-null-check", "Possibly NULL pointer passed to trusted R1", (2, FREE), Some(18), 3),
    expected("7.3.4-null-literal", "Possibly NULL pointer passed to trusted R1", (1, FREE), Some(8), 2),
    expected("7.3.4-own-object", RELEASE, (6, FREE), Some(56), 7),
    expected("7.3.4-read-beyond", "access beyond struct data at off 24 size 4", (3, None), Some(82), 4),
    expected("7.3.4-read-beyond-array", "access beyond struct deep_memory_block at off 104 size 1", (7, None), Some(24), 8),
    expected("7.3.4-read-without-check", "R0 invalid mem access 'trusted_ptr_or_null_'", (1, None), Some(95), 2),
    expected("7.3.4-ringbuf-leak", "Unreleased reference id=2 alloc_insn=4", (9, None), Some(26), 9),
    expected("7.3.4-scalar-as-object", RELEASE, (1, FREE), Some(17), 2),
    expected("7.3.4-stack-read", "invalid read from stack R10 off=68 size=1", (0, None), Some(48), 1),
    expected("7.3.4-unguarded", "kfunc 'test_touch_data' is referenced but wasn't resolved", (1, None), Some(18), 2),
    expected("7.3.4-unreachable", "unreachable insn 1", (1, None), None, 0),
    expected("7.3.4-use-after-free", "R6 invalid mem access 'scalar'", (6, None), Some(21), 7),
    expected("7.3.4-variable-index", "value -4294967290 makes ptr_ pointer be out of bounds", (12, None), Some(69), 13),
    expected("7.3.4-write-field", "only read is supported", (3, None), Some(21), 4),
    expected("7.3.4-wrong-program-type", "calling kernel function my_alloc_data is not allowed", (0, Some("my_alloc_data")), Some(33), 1),
    expected("7.3.4-wrong-struct", RELEASE, (3, FREE), Some(47), 4),
];

#[test]
fn every_log_is_read_as_expected() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/logs");
    let mut logs = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "log") {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            logs.insert(name, fs::read_to_string(path).unwrap());
        }
    }
    for expected in EXPECTED {
        let name = expected.log;
        let text = logs.remove(name).unwrap_or_else(|| panic!("{name}.log is missing"));
        let log = VerifierLog::parse(&text);
        assert_eq!(log.reason, Some(expected.reason), "{name}");
        let failed_at = log.failed_at.unwrap_or_else(|| panic!("{name}: no instruction"));
        assert_eq!((failed_at.index, failed_at.callee()), expected.failed_at, "{name}");
        let place = failed_at.source.and_then(|source| source.place);
        assert_eq!(place.map(|(_, line)| line), expected.line, "{name}");
        let processed = log.statistics.map(|statistics| statistics.processed_insns);
        assert_eq!(processed, Some(expected.processed), "{name}");
        let has_diagnosis = text.contains("\nVerification failed: ");
        assert_eq!(log.diagnosis.is_some(), has_diagnosis, "{name}");
    }
    assert!(logs.is_empty(), "logs without an expectation: {:?}", logs.keys());
}

fn read(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/logs");
    fs::read_to_string(folder.join(name)).unwrap()
}

#[test]
fn the_call_that_acquired_is_found() {
    let text = read("7.3.4-leak-in-subprogram.log");
    let call = VerifierLog::parse(&text).instruction(2).unwrap();
    assert_eq!(call.callee(), Some("my_alloc_data"));
    let source = call.source.unwrap();
    assert_eq!(source.place, Some(("ufuncs.bpf.c", 100)));
    assert_eq!(source.text, "struct data *data = my_alloc_data();");
}

#[test]
fn what_an_argument_holds_is_known() {
    let register = |name: &str, number| {
        let text = read(name);
        VerifierLog::parse(&text).register(number).map(str::to_owned)
    };
    assert_eq!(register("7.3.4-null-literal.log", 1).as_deref(), Some("0"));
    assert_eq!(register("7.3.4-null-literal.log", 2), None);
    let returned = Some("trusted_ptr_or_null_data(id=2)".to_owned());
    assert_eq!(register("7.3.4-no-null-check.log", 1), returned);
    let returned = Some("ptr_or_null_data(id=2,ref_obj_id=2)".to_owned());
    assert_eq!(register("6.x-no-null-check.log", 1), returned);
}

#[test]
fn the_kernels_own_diagnosis_is_read() {
    let text = read("7.3.4-no-null-check.log");
    let diagnosis = VerifierLog::parse(&text).diagnosis.unwrap();
    assert_eq!(diagnosis.title, "Call Type Safety: Invalid call argument");
    assert_eq!(
        diagnosis.reason,
        "The first argument (R1) to my_free_data does not satisfy the verifier contract: the pointer may be NULL, but this kfunc requires a non-NULL value of type (struct data *)."
    );
    assert_eq!(
        diagnosis.suggestion,
        "Add a NULL check and call the kfunc only on the non-NULL path."
    );
}

#[test]
fn the_message_stands_even_where_only_the_diagnosis_is_left() {
    let text = read("7.3.4-unreachable.log").replace("unreachable insn 1\n", "");
    let reason = VerifierLog::parse(&text).reason;
    assert!(reason.is_some_and(|reason| reason.contains(": ")), "{reason:?}");
}

#[test]
fn a_branch_is_shown_without_the_registers_after_it() {
    let text = read("7.3.4-leak-on-one-path.log");
    let branch = VerifierLog::parse(&text).instruction(5).unwrap();
    assert_eq!(branch.text, "(c6) if w2 s< 0x0 goto pc+3");
}

#[test]
fn an_accepted_program_has_no_reason() {
    let text = "verification time 12162 usec\nstack depth max 0\nsubprog 0 (alloc_free) main insns_self 8 insns_total 8 stack 0\nprocessed 8 insns (limit 1000000) max_states_per_insn 0 total_states 1 peak_states 1 mark_read 0\n";
    let log = VerifierLog::parse(text);
    assert_eq!((log.reason, log.failed_at), (None, None));
    let statistics = log.statistics.unwrap();
    assert_eq!((statistics.processed_insns, statistics.total_states), (8, 1));
    assert_eq!(statistics.microseconds, Some(12162));
}

#[test]
fn any_text_can_be_read() {
    for text in
        ["", "\n\n", ":", "; ", "; @ :", "9999999999999: (85)", "processed x", "insn ", "é: ("]
    {
        VerifierLog::parse(text);
        VerifierLog::excerpt(text, 3);
    }
    // Every prefix of a log, cut anywhere.
    let text = read("7.3.4-leak.log");
    for (end, _) in text.char_indices() {
        VerifierLog::parse(&text[..end]);
    }
}
