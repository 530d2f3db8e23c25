// SPDX-License-Identifier: MIT OR Apache-2.0
//! Logs that real verifiers printed, and what is to be read in each.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;

use ufunc_loader::verifier_log::VerifierLog;

/// What a log says.
struct Expected<'a> {
    /// The log's file, without `.log`.
    log: &'a str,
    reason: &'a str,
    /// Index of the instruction that the reason is about, if it is about one, and the function that
    /// it calls.
    failed_at: Option<(u32, Option<&'a str>)>,
    /// Number of the source line shown before that instruction.
    line: Option<u32>,
    processed: u64,
}

impl fmt::Debug for Expected<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Expected { log, reason, failed_at, line, processed } = self;
        write!(formatter, "expected({log:?}, {reason:?}, {failed_at:?}, {line:?}, {processed}),")
    }
}

const fn expected(
    log: &'static str,
    reason: &'static str,
    failed_at: Option<(u32, Option<&'static str>)>,
    line: Option<u32>,
    processed: u64,
) -> Expected<'static> {
    Expected { log, reason, failed_at, line, processed }
}

#[rustfmt::skip]
const EXPECTED: &[Expected<'static>] = &[
    expected("6.12.107-borrow-pointer", "R1 is not a scalar", Some((4, Some("ufunc_borrow_account"))), Some(21), 5),
    expected("6.12.107-double-free", "arg#0 pointer type STRUCT data must point to scalar, or struct with scalar", Some((6, Some("my_free_data"))), Some(22), 7),
    expected("6.12.107-leak-in-loop", "Unreleased reference id=2 alloc_insn=0", Some((9, None)), Some(124), 10),
    expected("6.12.107-leak-in-subprogram", "Unreleased reference id=2 alloc_insn=2", Some((1, None)), Some(108), 8),
    expected("6.12.107-leak-on-one-path", "Unreleased reference id=2 alloc_insn=0", Some((10, None)), Some(21), 13),
    expected("6.12.107-leak", "Unreleased reference id=2 alloc_insn=0", Some((5, None)), Some(14), 6),
    expected("6.12.107-messages-lock-kept", "bpf_spin_unlock is missing", Some((15, None)), Some(309), 15),
    expected("6.12.107-no-null-check", "Possibly NULL pointer passed to trusted arg0", Some((2, Some("my_free_data"))), Some(18), 3),
    expected("6.12.107-objects-path-anywhere", "helper call is not allowed in probe", Some((3, Some("bpf_d_path"))), Some(151), 4),
    expected("6.12.107-own-object", "arg#0 pointer type STRUCT data must point to scalar, or struct with scalar", Some((6, Some("my_free_data"))), Some(56), 7),
    expected("6.12.107-read-beyond-array", "access beyond struct deep_memory_block at off 104 size 1", Some((7, None)), Some(24), 8),
    expected("6.12.107-read-beyond", "access beyond struct data at off 24 size 4", Some((3, None)), Some(82), 4),
    expected("6.12.107-read-without-check", "R0 invalid mem access 'ptr_or_null_'", Some((1, None)), Some(91), 2),
    expected("6.12.107-scalar-as-object", "arg#0 pointer type STRUCT data must point to scalar, or struct with scalar", Some((1, Some("my_free_data"))), Some(17), 2),
    expected("6.12.107-stack-as-object", "arg#0 pointer type STRUCT buffer must point to scalar, or struct with scalar", Some((7, Some("set_tag"))), Some(21), 8),
    expected("6.12.107-use-after-free", "R6 invalid mem access 'scalar'", Some((6, None)), Some(21), 7),
    expected("6.12.107-variable-index", "R1 is ptr_inner_memory_block invalid variable offset: off=4, var_off=(0x0; 0xffffffff)", Some((11, None)), Some(69), 12),
    expected("6.12.107-write-field", "only read is supported", Some((3, None)), Some(21), 4),
    expected("6.12.107-wrong-family", "kernel function drop_buffer args#0 expected pointer to STRUCT buffer but R1 has a pointer to STRUCT buffer__pool", Some((4, Some("drop_buffer"))), Some(19), 5),
    expected("6.12.107-wrong-program-type", "calling kernel function my_alloc_data is not allowed", Some((0, Some("my_alloc_data"))), Some(33), 1),
    expected("6.12.107-wrong-struct", "R1 must be referenced or trusted", Some((3, Some("my_free_data"))), Some(47), 4),
    expected("6.12.107-remark-variable", "R2 must be a known constant", Some((3, Some("remark"))), Some(16), 4),
    expected("6.12.107-say-stack", "arg#1 doesn't point to a const string", Some((6, Some("say"))), Some(19), 6),
    expected("6.12.107-write-too-many", "arg#0 arg#1 memory, len pair leads to invalid memory access", Some((5, Some("write_bytes"))), Some(18), 6),
    expected("6.18.44-core-missing-member", "failed to resolve CO-RE relocation <byte_off> [5] struct host_data_nobody_has.e (0:1 @ offset 4)", Some((3, None)), Some(14), 4),
    expected("6.18.44-level2-rejected-in-subprogram", "R1 invalid mem access 'scalar'", Some((4, None)), Some(54), 4),
    expected("6.18.44-level2-rejected-leak", "Unreleased reference id=2 alloc_insn=4", Some((9, None)), Some(26), 9),
    expected("6.18.44-level2-rejected-no-null-check", "R0 invalid mem access 'map_value_or_null'", Some((7, None)), Some(34), 7),
    expected("6.18.44-level2-rejected-stack-read", "invalid read from stack R10 off=68 size=1", Some((0, None)), Some(48), 1),
    expected("6.18.44-level2-rejected-unreachable", "unreachable insn 1", Some((1, None)), None, 0),
    expected("6.18.44-messages-beyond-context", "invalid bpf_context access off=1024 size=8", Some((0, None)), Some(262), 1),
    expected("6.18.44-messages-beyond-stack-at-most", "invalid variable-offset read from stack R2 var_off=(0x0; 0xff) off=-16 size=1", Some((9, None)), Some(446), 9),
    expected("6.18.44-messages-beyond-value", "invalid access to map value, value_size=64 off=64 size=1", Some((8, None)), Some(104), 8),
    expected("6.18.44-messages-beyond-value-at-most", "invalid access to map value, value_size=64 off=71 size=1", Some((13, None)), Some(117), 12),
    expected("6.18.44-messages-call-under-lock", "function calls are not allowed while holding a lock", Some((11, Some("bpf_ktime_get_ns"))), Some(320), 11),
    expected("6.18.44-messages-callback-result", "R2 type=scalar expected=func", Some((6, Some("bpf_loop"))), Some(408), 6),
    expected("6.18.44-messages-calls-too-deep", "the call stack of 9 frames is too deep", Some((49, None)), Some(554), 30),
    expected("6.18.44-messages-context-as-key", "R2 type=ctx expected=fp, pkt, pkt_meta, map_key, map_value, mem, ringbuf_mem, buf, trusted_ptr_", Some((3, Some("bpf_map_delete_elem"))), Some(414), 3),
    expected("6.18.44-messages-dynptr-kept", "Unreleased reference id=2 alloc_insn=6", Some((8, None)), Some(344), 8),
    expected("6.18.44-messages-dynptr-missing", "arg 1 is an unacquired reference", Some((3, Some("bpf_ringbuf_submit_dynptr"))), Some(352), 4),
    expected("6.18.44-messages-dynptr-not-made", "Expected an initialized dynptr as arg #2", Some((7, Some("bpf_dynptr_read"))), Some(500), 8),
    expected("6.18.44-messages-empty-size", "R2 invalid zero-sized read: u64=[0,0]", Some((3, Some("bpf_trace_printk"))), Some(166), 3),
    expected("6.18.44-messages-far-away", "map_value pointer offset 1073741822 is not allowed", Some((9, None)), Some(425), 9),
    expected("6.18.44-messages-half-pointer", "R1 32-bit pointer arithmetic prohibited", Some((0, None)), Some(452), 1),
    expected("6.18.44-messages-infinite-loop", "infinite loop detected at insn 1", Some((1, None)), Some(54), 9),
    expected("6.18.44-messages-iterator-kept", "Unreleased reference id=1 alloc_insn=4", Some((6, None)), Some(370), 7),
    expected("6.18.44-messages-iterator-missing", "expected an initialized iter_num as arg #0", Some((2, Some("bpf_iter_num_destroy"))), Some(378), 3),
    expected("6.18.44-messages-iterator-twice", "expected uninitialized iter_num as arg #0", Some((9, Some("bpf_iter_num_new"))), Some(489), 10),
    expected("6.18.44-messages-jump-outside", "jump out of range from insn 0 to 101", Some((0, None)), None, 0),
    expected("6.18.44-messages-lock-kept", "BPF_EXIT instruction in main prog cannot be used inside bpf_spin_lock-ed region", Some((15, None)), Some(309), 15),
    expected("6.18.44-messages-map-of-another-type", "cannot pass map_type 1 into func bpf_ringbuf_output#130", Some((8, Some("bpf_ringbuf_output"))), Some(285), 8),
    expected("6.18.44-messages-moved-context", "dereference of modified ctx ptr R1 off=8 disallowed", Some((1, None)), Some(277), 2),
    expected("6.18.44-messages-moved-event", "R1 must have zero offset when passed to release func or trusted arg to kfunc", Some((9, Some("bpf_ringbuf_submit"))), Some(509), 9),
    expected("6.18.44-messages-negative-index", "R0 min value is negative, either use unsigned index or do a if (index >=0) check.", Some((14, None)), Some(127), 13),
    expected("6.18.44-messages-negative-size", "R2 min value is negative, either use unsigned or 'var &= const'", Some((10, Some("bpf_probe_read_user"))), Some(150), 10),
    expected("6.18.44-messages-no-exit", "last insn is not an exit or jmp", None, None, 0),
    expected("6.18.44-messages-number-as-key", "R2 type=scalar expected=fp, pkt, pkt_meta, map_key, map_value, mem, ringbuf_mem, buf, trusted_ptr_", Some((5, Some("bpf_map_delete_elem"))), Some(172), 4),
    expected("6.18.44-messages-one-load-for-two", "same insn cannot be used with different pointers", Some((7, None)), Some(461), 9),
    expected("6.18.44-messages-other-helper", "program of this type cannot use helper bpf_skb_load_bytes#26", Some((4, Some("bpf_skb_load_bytes"))), Some(228), 5),
    expected("6.18.44-messages-pointer-and", "R0 bitwise operator &= on pointer prohibited", Some((8, None)), Some(210), 8),
    expected("6.18.44-messages-pointer-product", "R0 pointer arithmetic with *= operator prohibited", Some((8, None)), Some(199), 8),
    expected("6.18.44-messages-pointer-sum", "R0 pointer += pointer prohibited", Some((8, None)), Some(221), 8),
    expected("6.18.44-messages-probe-takes-lock", "tracing progs cannot use bpf_spin_lock yet", None, None, 0),
    expected("6.18.44-messages-result-out-of-range", "At program exit the register R0 has smin=7 smax=7 should have been in [0, 1]", Some((1, None)), Some(385), 2),
    expected("6.18.44-messages-sleeping-helper", "helper call might sleep in a non-sleepable prog", Some((7, Some("bpf_copy_from_user"))), Some(242), 7),
    expected("6.18.44-messages-sleeping-kfunc", "program must be sleepable to call sleepable kfunc bpf_copy_from_user_str", Some((7, Some("bpf_copy_from_user_str"))), Some(520), 7),
    expected("6.18.44-messages-stack-too-large", "combined stack size of 2 calls is 608. Too large", None, None, 30),
    expected("6.18.44-messages-string-that-changes", "R3 does not point to a readonly map'", Some((7, Some("bpf_strncmp"))), Some(575), 7),
    expected("6.18.44-messages-too-far-away", "math between map_value pointer and 2147483647 is not allowed", Some((8, None)), Some(436), 8),
    expected("6.18.44-messages-too-large", "BPF program is too large. Processed 1000001 insn", Some((4, None)), Some(65), 1000001),
    expected("6.18.44-messages-too-many-jumps", "The sequence of 8193 jumps is too complex.", Some((16387, None)), None, 16387),
    expected("6.18.44-messages-unaligned-addition", "misaligned value access off 0+0+9 size 8", Some((9, None)), Some(479), 9),
    expected("6.18.44-messages-unbounded-index", "R0 unbounded memory access, make sure to bounds check any such access", Some((14, None)), Some(139), 13),
    expected("6.18.44-messages-unbounded-minimum", "math between map_value pointer and register with unbounded min value is not allowed", Some((11, None)), Some(93), 10),
    expected("6.18.44-messages-unbounded-size", "R2 unbounded memory access, use 'var &= const' or 'if (var < const)'", Some((6, Some("bpf_probe_read_user"))), Some(159), 6),
    expected("6.18.44-messages-unchecked-arithmetic", "R0 pointer arithmetic on map_value_or_null prohibited, null-check it first", Some((7, None)), Some(188), 7),
    expected("6.18.44-messages-unchecked-as-key", "R2 type=map_value_or_null expected=fp, pkt, pkt_meta, map_key, map_value, mem, ringbuf_mem, buf, trusted_ptr_", Some((10, Some("bpf_map_delete_elem"))), Some(179), 9),
    expected("6.18.44-messages-unknown-helper", "invalid func unknown#9999", Some((0, Some("unknown"))), Some(234), 1),
    expected("6.18.44-messages-variable-stack", "math between fp pointer and register with unbounded min value is not allowed", Some((8, None)), Some(395), 8),
    expected("6.18.44-messages-write-beyond-stack", "invalid write to stack R10 off=8 size=8", Some((0, None)), Some(401), 1),
    expected("6.18.44-messages-write-context", "invalid bpf_context access off=112 size=8", Some((1, None)), Some(268), 2),
    expected("6.18.44-messages-write-read-only", "write into map forbidden, value_size=8 off=0 size=8", Some((3, None)), Some(294), 3),
    expected("6.18.44-missing-member", "failed to resolve CO-RE relocation <byte_off> [17] struct data.e (0:1 @ offset 4)", Some((11, None)), Some(23), 12),
    expected("6.18.44-not-gpl", "cannot call GPL-restricted function from non-GPL compatible program", Some((4, Some("bpf_probe_read_user"))), Some(13), 5),
    expected("6.18.44-objects-beyond-end-of-member", "access beyond the end of member pid (mend:1268) in struct task_struct with off 1264 size 8", Some((3, None)), Some(161), 4),
    expected("6.18.44-objects-beyond-member", "cannot access ptr member nameidata with moff 1768 in struct task_struct with off 1768 size 1", Some((5, None)), Some(53), 6),
    expected("6.18.44-objects-beyond-struct", "access beyond struct task_struct at off 100000 size 1", Some((4, None)), Some(63), 5),
    expected("6.18.44-objects-index-at-run-time", "R1 is ptr_task_struct invalid variable offset: off=1752, var_off=(0x0; 0x7)", Some((10, None)), Some(41), 10),
    expected("6.18.44-objects-length-beyond-memory", "arg#2 arg#3 memory, len pair leads to invalid memory access", Some((17, Some("bpf_dynptr_slice"))), Some(142), 17),
    expected("6.18.44-objects-number-as-argument", "arg#0 pointer type STRUCT task_struct must point to scalar, or struct with scalar", Some((3, Some("bpf_task_acquire"))), Some(99), 3),
    expected("6.18.44-objects-number-as-object", "arg#0 pointer type STRUCT task_struct must point to scalar, or struct with scalar", Some((3, Some("bpf_task_release"))), Some(92), 3),
    expected("6.18.44-objects-other-struct", "kernel function bpf_cgroup_acquire args#0 expected pointer to STRUCT cgroup but R1 has a pointer to STRUCT task_struct", Some((2, Some("bpf_cgroup_acquire"))), Some(85), 3),
    expected("6.18.44-objects-own-memory-as-object", "arg#0 pointer type STRUCT task_struct must point to scalar, or struct with scalar", Some((7, Some("bpf_task_acquire"))), Some(110), 8),
    expected("6.18.44-objects-unchecked-object", "R1 invalid mem access 'trusted_ptr_or_null_'", Some((1, None)), Some(130), 2),
    expected("6.18.44-objects-untrusted-object", "R1 must be a rcu pointer", Some((3, Some("bpf_task_acquire"))), Some(73), 4),
    expected("6.18.44-objects-write-object", "only read is supported", Some((3, None)), Some(123), 4),
    expected("6.18.44-objects-write-read-only-memory", "R0 cannot write into rdonly_mem", Some((16, None)), Some(174), 16),
    expected("6.18.44-open-path-dereference", "R2 invalid mem access 'scalar'", Some((3, None)), Some(22), 4),
    expected("6.18.44-open-path-no-result", "R0 !read_ok", Some((0, None)), Some(15), 1),
    expected("6.18.44-open-path-unbounded", "R1 unbounded memory access, make sure to bounds check any such access", Some((30, None)), Some(42), 30),
    expected("6.18.44-read-deep-beyond", "invalid read from stack R10 off=90 size=1", Some((21, None)), Some(21), 22),
    expected("6.18.44-rejected-in-subprogram", "R1 invalid mem access 'scalar'", Some((4, None)), Some(54), 4),
    expected("6.18.44-rejected-leak", "Unreleased reference id=2 alloc_insn=4", Some((9, None)), Some(26), 9),
    expected("6.18.44-rejected-no-null-check", "R0 invalid mem access 'map_value_or_null'", Some((7, None)), Some(34), 7),
    expected("6.18.44-rejected-stack-read", "invalid read from stack R10 off=68 size=1", Some((0, None)), Some(48), 1),
    expected("6.18.44-rejected-unreachable", "unreachable insn 1", Some((1, None)), None, 0),
    expected("6.18.44-spin-lock-in-probe", "tracing progs cannot use bpf_spin_lock yet", None, None, 0),
    expected("6.18.44-weak-unguarded", "kfunc 'test_touch_data' is referenced but wasn't resolved", Some((1, None)), Some(18), 2),
    expected("6.x-leak", "Unreleased reference id=2 alloc_insn=0", Some((18, None)), Some(44), 18),
    expected("6.x-missing-host-type", "failed to resolve CO-RE relocation <byte_off> [17] struct data.a (0:0 @ offset 0)", Some((4, None)), Some(25), 5),
    expected("6.x-no-null-check", "Possibly NULL pointer passed to trusted arg0", Some((2, Some("my_free_data"))), Some(45), 3),
    expected("6.x-stack-read", "invalid read from stack R10 off=68 size=1", Some((65, None)), Some(44), 63),
    expected("7.2.13-missing-member", "failed to resolve CO-RE relocation <byte_off> [17] struct data.e (0:1 @ offset 4)", Some((11, None)), Some(23), 12),
    expected("7.2.13-open-path-dereference", "R2 invalid mem access 'scalar'", Some((3, None)), Some(22), 4),
    expected("7.2.13-open-path-no-result", "R0 !read_ok", Some((0, None)), Some(15), 1),
    expected("7.2.13-open-path-unbounded", "map_value pointer offset -9223372036854775808 is not allowed", Some((28, None)), Some(42), 28),
    expected("7.2.13-spin-lock-in-probe", "tracing progs cannot use bpf_spin_lock yet", None, None, 0),
    expected("7.3.4-double-free", "release kfunc my_free_data expects referenced PTR_TO_BTF_ID passed to R1", Some((6, Some("my_free_data"))), Some(22), 7),
    expected("7.3.4-in-subprogram", "R1 invalid mem access 'scalar'", Some((4, None)), Some(54), 4),
    expected("7.3.4-leak", "Unreleased reference id=2 alloc_insn=0", Some((5, None)), Some(14), 6),
    expected("7.3.4-leak-in-loop", "Unreleased reference id=2 alloc_insn=0", Some((9, None)), Some(124), 10),
    expected("7.3.4-leak-in-subprogram", "Unreleased reference id=2 alloc_insn=2", Some((1, None)), Some(108), 8),
    expected("7.3.4-leak-on-one-path", "Unreleased reference id=2 alloc_insn=0", Some((10, None)), Some(21), 13),
    expected("7.3.4-map-no-null-check", "R0 invalid mem access 'map_value_or_null'", Some((7, None)), Some(34), 7),
    expected("7.3.4-missing-member", "failed to resolve CO-RE relocation <byte_off> [17] struct data.e (0:1 @ offset 4)", Some((11, None)), Some(23), 12),
    expected("7.3.4-no-null-check", "Possibly NULL pointer passed to trusted R1", Some((2, Some("my_free_data"))), Some(18), 3),
    expected("7.3.4-null-literal", "Possibly NULL pointer passed to trusted R1", Some((1, Some("my_free_data"))), Some(8), 2),
    expected("7.3.4-own-object", "release kfunc my_free_data expects referenced PTR_TO_BTF_ID passed to R1", Some((6, Some("my_free_data"))), Some(56), 7),
    expected("7.3.4-open-path-dereference", "R2 invalid mem access 'scalar'", Some((3, None)), Some(22), 4),
    expected("7.3.4-read-beyond", "access beyond struct data at off 24 size 4", Some((3, None)), Some(82), 4),
    expected("7.3.4-read-beyond-array", "access beyond struct deep_memory_block at off 104 size 1", Some((7, None)), Some(24), 8),
    expected("7.3.4-read-deep-beyond", "invalid read from stack R10 off=90 size=1", Some((21, None)), Some(21), 22),
    expected("7.3.4-read-without-check", "R0 invalid mem access 'trusted_ptr_or_null_'", Some((1, None)), Some(95), 2),
    expected("7.3.4-ringbuf-leak", "Unreleased reference id=2 alloc_insn=4", Some((9, None)), Some(26), 9),
    expected("7.3.4-scalar-as-object", "release kfunc my_free_data expects referenced PTR_TO_BTF_ID passed to R1", Some((1, Some("my_free_data"))), Some(17), 2),
    expected("7.3.4-spin-lock-in-probe", "tracing progs cannot use bpf_spin_lock yet", None, None, 0),
    expected("7.3.4-stack-as-object", "R1 is fp expected STRUCT buffer", Some((7, Some("set_tag"))), Some(21), 8),
    expected("7.3.4-stack-read", "invalid read from stack R10 off=68 size=1", Some((0, None)), Some(48), 1),
    expected("7.3.4-unguarded", "kfunc 'test_touch_data' is referenced but wasn't resolved", Some((1, None)), Some(18), 2),
    expected("7.3.4-unreachable", "unreachable insn 1", Some((1, None)), None, 0),
    expected("7.3.4-use-after-free", "R6 invalid mem access 'scalar'", Some((6, None)), Some(21), 7),
    expected("7.3.4-variable-index", "value -4294967290 makes ptr_ pointer be out of bounds", Some((12, None)), Some(69), 13),
    expected("7.3.4-write-field", "only read is supported", Some((3, None)), Some(21), 4),
    expected("7.3.4-wrong-program-type", "calling kernel function my_alloc_data is not allowed", Some((0, Some("my_alloc_data"))), Some(33), 1),
    expected("7.3.4-wrong-struct", "release kfunc my_free_data expects referenced PTR_TO_BTF_ID passed to R1", Some((3, Some("my_free_data"))), Some(47), 4),
    expected("7.3.4-remark-variable", "R2 must be a known constant", Some((3, Some("remark"))), Some(16), 4),
    expected("7.3.4-say-stack", "R2 doesn't point to a const string", Some((6, Some("say"))), Some(19), 6),
    expected("7.3.4-write-too-many", "R1 and R2 memory, len pair leads to invalid memory access", Some((5, Some("write_bytes"))), Some(18), 6),
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
    let mut wrong = Vec::new();
    for expected in EXPECTED {
        let name = expected.log;
        let text = logs.remove(name).unwrap_or_else(|| panic!("{name}.log is missing"));
        let (found, wanted) = (found(name, &text), format!("{expected:?}"));
        if found != wanted {
            wrong.push(format!("{wanted}\n    is now {found}"));
        }
        let has_diagnosis = text.contains("\nVerification failed: ");
        assert_eq!(VerifierLog::parse(&text).diagnosis.is_some(), has_diagnosis, "{name}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let new: Vec<_> = logs.iter().map(|(name, text)| found(name, text)).collect();
    assert!(new.is_empty(), "logs without an expectation:\n{}", new.join("\n"));
}

/// What is read in a log, as a line of [`EXPECTED`].
fn found(name: &str, text: &str) -> String {
    let log = VerifierLog::parse(text);
    let place = log.failed_at.and_then(|at| at.source?.place);
    let expected = Expected {
        log: name,
        reason: log.reason.unwrap_or_else(|| panic!("{name}: no reason")),
        failed_at: log.failed_at.map(|at| (at.index, at.callee())),
        line: place.map(|(_, line)| line),
        processed: log.statistics.map_or(0, |statistics| statistics.processed_insns),
    };
    format!("{expected:?}")
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

/// It was taken for a reason: programs with a program array were rejected on 7.2.
#[test]
fn a_count_of_instructions_is_no_reason() {
    let text = "verification time 7004 usec\nstack depth 0 max 0\ninsns processed 8\nprocessed 8 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0\n";
    let log = VerifierLog::parse(text);
    assert_eq!(log.reason, None);
    assert_eq!(log.statistics.map(|statistics| statistics.processed_insns), Some(8));
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
