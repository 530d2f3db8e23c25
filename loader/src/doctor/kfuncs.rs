// SPDX-License-Identifier: MIT OR Apache-2.0
//! For which types of programs a module's functions are registered: asked of the verifier.
//!
//! A module's BTF says which functions it has, not whether they were registered. So a program of
//! each type is given to the verifier that does nothing but call one. What it says of the arguments
//! and of the result does not matter: it says so only if it lets the program call the function.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use libbpf_rs::libbpf_sys::{self, bpf_insn};
use ufunc_gen::btf::decode::Btf;
use ufunc_gen::btf::{Type, TypeId};
use ufunc_gen::kernel::{SYSFS_BTF, VMLINUX};

use crate::attach::raw;

/// What the verifier says of a function that programs of a type may not call.
const NOT_ALLOWED: &str = "is not allowed";

/// Types of programs, and what people call them.
const TYPES: [(u32, &str); 6] = [
    (libbpf_sys::BPF_PROG_TYPE_KPROBE, "uprobe and kprobe"),
    (libbpf_sys::BPF_PROG_TYPE_TRACEPOINT, "tracepoint"),
    (libbpf_sys::BPF_PROG_TYPE_PERF_EVENT, "perf_event"),
    (libbpf_sys::BPF_PROG_TYPE_RAW_TRACEPOINT, "raw_tracepoint"),
    (libbpf_sys::BPF_PROG_TYPE_SCHED_CLS, "tc"),
    (libbpf_sys::BPF_PROG_TYPE_XDP, "xdp"),
];

/// The type that the programs of this project's extensions have.
pub(crate) const PROBES: &str = TYPES[0].1;

/// What programs of each type may do with a function.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Registered {
    /// Types that may call it.
    pub(crate) types: Vec<&'static str>,
    /// Types for which the verifier did not come to say it, and why.
    pub(crate) unknown: Vec<String>,
}

/// For which types of programs the function `kfunc` of `module` is registered.
pub(crate) fn registered(module: &str, kfunc: &str) -> Result<Registered> {
    let id = function_id(module, kfunc)?
        .with_context(|| format!("the BTF of module {module} has no function {kfunc}"))?;
    let btf = raw::module_btf(module)
        .with_context(|| format!("failed to get the BTF of module {module} from the kernel"))?;
    let mut registered = Registered::default();
    for (program_type, name) in TYPES {
        match raw::try_program(program_type, &caller(id), &btf) {
            Ok(()) => registered.types.push(name),
            Err((_, log)) if log.contains(NOT_ALLOWED) => {}
            // It has read the program, and says something else of the call.
            Err((_, log)) if !log.trim().is_empty() => registered.types.push(name),
            Err((error, _)) => registered.unknown.push(format!("{name}: {error}")),
        }
    }
    Ok(registered)
}

/// A program that calls the function of that number in the second BTF that it is given.
fn caller(id: TypeId) -> [bpf_insn; 3] {
    const CALL: u8 = 0x85;
    const KFUNC: u8 = 2;
    const MOVE: u8 = 0xb7;
    const EXIT: u8 = 0x95;
    let mut call = bpf_insn { code: CALL, off: 1, imm: id.0.cast_signed(), ..Default::default() };
    call.set_src_reg(KFUNC);
    let zero = bpf_insn { code: MOVE, ..Default::default() };
    [call, zero, bpf_insn { code: EXIT, ..Default::default() }]
}

fn function_id(module: &str, function: &str) -> Result<Option<TypeId>> {
    let read = |name: &str| {
        let path = Path::new(SYSFS_BTF).join(name);
        fs::read(&path).with_context(|| format!("failed to read {}", path.display()))
    };
    let (vmlinux, own) = (read(VMLINUX)?, read(module)?);
    for item in Btf::parse_split(&own, &Btf::parse(&vmlinux)?)?.types() {
        match item? {
            (id, Type::Func { name, .. }) if name == function => return Ok(Some(id)),
            _ => {}
        }
    }
    Ok(None)
}
