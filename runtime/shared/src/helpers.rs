// SPDX-License-Identifier: MIT OR Apache-2.0
//! The helpers that there are in an application: what the loader binds, and the agent has.

use crate::context::{Field, Fields};

/// How a helper is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HelperKind {
    /// A function of the C ABI that takes its parameters as words and returns one.
    Function,
    /// `bpf_tail_call`: takes context, map and index, and returns the native code to go on with, or 0
    /// to carry on. It counts in the thread's word for that: see [`tail_entry`].
    TailCall,
    /// Like a function, with one more parameter behind the others: the handle of the ring buffer that
    /// printed lines go to, or 0 to drop them. See [`Line`].
    Printing,
}

/// A helper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Helper {
    /// `BPF_FUNC_…`
    pub id: u32,
    /// The kernel's name.
    pub name: &'static str,
    /// How many parameters programs pass.
    pub parameters: u8,
    /// How it is called.
    pub kind: HelperKind,
    /// Whether it may change the low 16 bytes of `xmm0` to `xmm15`; none changes more.
    pub vectors: bool,
    /// Whether it may call functions of the application or of its libraries; callbacks that programs
    /// pass do not count.
    pub calls_out: bool,
    /// What it reads of a context that it is passed.
    pub reads: Fields,
}

/// A function of the kernel's own BTF that there is in an application, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kfunc {
    /// Its name.
    pub name: &'static str,
    /// How many parameters programs pass, as words.
    pub parameters: u8,
}

/// What a stack is unwound from.
const STACK: Fields = Fields::NONE.with(Field::Ip).with(Field::Sp).with(Field::Bp);

const fn function(id: u32, name: &'static str, parameters: u8) -> Helper {
    let (kind, reads) = (HelperKind::Function, Fields::NONE);
    Helper { id, name, parameters, kind, vectors: true, calls_out: false, reads }
}

const fn unwinding(id: u32, name: &'static str, parameters: u8) -> Helper {
    Helper { reads: STACK, ..function(id, name, parameters) }
}

const fn printing(id: u32, name: &'static str, parameters: u8) -> Helper {
    Helper { kind: HelperKind::Printing, ..function(id, name, parameters) }
}

/// All helpers. The agent gives their addresses in this order.
pub const HELPERS: &[Helper] = &[
    function(1, "bpf_map_lookup_elem", 2),
    function(2, "bpf_map_update_elem", 4),
    function(3, "bpf_map_delete_elem", 2),
    function(4, "bpf_probe_read", 3),
    function(5, "bpf_ktime_get_ns", 0),
    printing(6, "bpf_trace_printk", 5),
    function(7, "bpf_get_prandom_u32", 0),
    function(8, "bpf_get_smp_processor_id", 0),
    Helper { kind: HelperKind::TailCall, ..function(12, "bpf_tail_call", 3) },
    function(14, "bpf_get_current_pid_tgid", 0),
    function(15, "bpf_get_current_uid_gid", 0),
    function(16, "bpf_get_current_comm", 2),
    function(25, "bpf_perf_event_output", 5),
    unwinding(27, "bpf_get_stackid", 3),
    function(36, "bpf_probe_write_user", 3),
    function(42, "bpf_get_numa_node_id", 0),
    function(45, "bpf_probe_read_str", 3),
    unwinding(67, "bpf_get_stack", 4),
    function(87, "bpf_map_push_elem", 3),
    function(88, "bpf_map_pop_elem", 2),
    function(89, "bpf_map_peek_elem", 2),
    function(93, "bpf_spin_lock", 1),
    function(94, "bpf_spin_unlock", 1),
    function(105, "bpf_strtol", 4),
    function(106, "bpf_strtoul", 4),
    function(112, "bpf_probe_read_user", 3),
    function(113, "bpf_probe_read_kernel", 3),
    function(114, "bpf_probe_read_user_str", 3),
    function(115, "bpf_probe_read_kernel_str", 3),
    function(125, "bpf_ktime_get_boot_ns", 0),
    function(130, "bpf_ringbuf_output", 4),
    function(131, "bpf_ringbuf_reserve", 3),
    function(132, "bpf_ringbuf_submit", 2),
    function(133, "bpf_ringbuf_discard", 2),
    function(134, "bpf_ringbuf_query", 2),
    function(148, "bpf_copy_from_user", 3),
    function(160, "bpf_ktime_get_coarse_ns", 0),
    function(164, "bpf_for_each_map_elem", 4),
    function(165, "bpf_snprintf", 5),
    printing(177, "bpf_trace_vprintk", 4),
    function(181, "bpf_loop", 4),
    function(182, "bpf_strncmp", 3),
    function(195, "bpf_map_lookup_percpu_elem", 3),
    function(197, "bpf_dynptr_from_mem", 4),
    function(198, "bpf_ringbuf_reserve_dynptr", 4),
    function(199, "bpf_ringbuf_submit_dynptr", 2),
    function(200, "bpf_ringbuf_discard_dynptr", 2),
    function(201, "bpf_dynptr_read", 5),
    function(202, "bpf_dynptr_write", 5),
    function(203, "bpf_dynptr_data", 3),
    function(208, "bpf_ktime_get_tai_ns", 0),
];

const fn kfunc(name: &'static str, parameters: u8) -> Kfunc {
    Kfunc { name, parameters }
}

/// All kfuncs. The agent gives their addresses in this order.
pub const KFUNCS: &[Kfunc] = &[
    kfunc("bpf_rcu_read_lock", 0),
    kfunc("bpf_rcu_read_unlock", 0),
    kfunc("bpf_preempt_disable", 0),
    kfunc("bpf_preempt_enable", 0),
    kfunc("bpf_copy_from_user_str", 4),
    kfunc("bpf_dynptr_size", 1),
    kfunc("bpf_dynptr_is_null", 1),
    kfunc("bpf_dynptr_is_rdonly", 1),
    kfunc("bpf_dynptr_adjust", 3),
    kfunc("bpf_dynptr_clone", 2),
    // What compiled programs call beside what they were written to call: see the agent's
    // `obligations`.
    kfunc("ufunc_begin", 0),
    kfunc("ufunc_acquired", 2),
    kfunc("ufunc_released", 1),
    // What is behind borrows and granted writes, with a constant besides: see the agent's `objects`.
    kfunc("ufunc_borrow", 1),
    kfunc("ufunc_write", 2),
];

/// The bit of what `ufunc_write` is given besides (where the field is, in bits, and above that how
/// many bits it has) that says that whatever is not zero is stored as 1.
pub const WRITE_BOOL: u64 = 1 << 40;

/// A helper that there is not, with the reason, where there is more to say than that.
pub const REFUSED: &[(u32, &str, &str)] = &[
    (35, "bpf_get_current_task", "an application has no view of the kernel's tasks"),
    (58, "bpf_override_return", "only kprobes can override what a function returns"),
    (80, "bpf_get_current_cgroup_id", "an application is not told its cgroup's number"),
    (109, "bpf_send_signal", "a signal would come amid a hook"),
    (153, "bpf_per_cpu_ptr", "the kernel's variables are out of an application's reach"),
    (154, "bpf_this_cpu_ptr", "the kernel's variables are out of an application's reach"),
    (158, "bpf_get_current_task_btf", "an application has no view of the kernel's tasks"),
    (169, "bpf_timer_init", "timers would run when no thread of the application does"),
    (170, "bpf_timer_set_callback", "timers would run when no thread of the application does"),
    (171, "bpf_timer_start", "timers would run when no thread of the application does"),
    (172, "bpf_timer_cancel", "timers would run when no thread of the application does"),
    (175, "bpf_task_pt_regs", "an application has no view of the kernel's tasks"),
    (191, "bpf_copy_from_user_task", "an application has no view of other processes"),
    (209, "bpf_user_ringbuf_drain", "maps of type user_ringbuf cannot be had in an application"),
];

/// What a printed line begins with, in the ring buffer; its text follows, without a newline unless the
/// program printed one.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// When, by the clock of `bpf_ktime_get_ns`.
    pub time: u64,
    /// The process.
    pub process: u32,
    /// The thread.
    pub thread: u32,
    /// The processor.
    pub cpu: u32,
    /// Nothing.
    pub unused: u32,
    /// The thread's name, padded with zeros.
    pub comm: [u8; 16],
}

impl Line {
    /// Its bytes.
    pub const SIZE: usize = size_of::<Self>();

    /// What a record of the ring buffer says, and its text.
    #[must_use]
    pub fn parse(record: &[u8]) -> Option<(Self, &[u8])> {
        let (line, text) = record.split_at_checked(Self::SIZE)?;
        let word = |at: usize| Some(u32::from_ne_bytes(*line.get(at..)?.first_chunk()?));
        let line = Self {
            time: u64::from_ne_bytes(*line.first_chunk()?),
            process: word(8)?,
            thread: word(12)?,
            cpu: word(16)?,
            unused: 0,
            comm: *line.last_chunk()?,
        };
        Some((line, text))
    }
}

/// The entry of a program that makes tail calls, as a hook's stub is to call it: the program itself
/// is at `program`, and the thread's word that counts tail calls at `word` from the thread pointer
/// (`%fs`). Programs that are reached by tail calls are entered directly.
#[must_use]
pub fn tail_entry(program: u64, word: i32) -> Vec<u8> {
    let word = word.to_le_bytes();
    [
        // push %fs:word
        &[0x64, 0xff, 0x34, 0x25][..],
        &word,
        // movq $0, %fs:word
        &[0x64, 0x48, 0xc7, 0x04, 0x25],
        &word,
        &[0; 4],
        // movabs $program, %rax; call *%rax
        &[0x48, 0xb8],
        &program.to_le_bytes(),
        &[0xff, 0xd0],
        // pop %fs:word; ret
        &[0x64, 0x8f, 0x04, 0x25],
        &word,
        &[0xc3],
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn helpers_are_in_order_and_none_is_refused_too() {
        assert!(HELPERS.is_sorted_by(|one, other| one.id < other.id));
        assert!(HELPERS.iter().all(|helper| helper.parameters <= 5));
        assert!(REFUSED.iter().all(|(id, ..)| HELPERS.iter().all(|helper| helper.id != *id)));
    }

    #[test]
    fn a_line_is_what_was_written() {
        let mut record = vec![0; Line::SIZE];
        record[0] = 1;
        record[8] = 2;
        record[12] = 3;
        record[16] = 4;
        record[24] = b'x';
        record.extend(b"text");
        let (line, text) = Line::parse(&record).unwrap();
        assert_eq!((line.time, line.process, line.thread, line.cpu), (1, 2, 3, 4));
        assert_eq!((line.comm[0], text), (b'x', &b"text"[..]));
        assert!(Line::parse(&record[..Line::SIZE - 1]).is_none());
    }
}
