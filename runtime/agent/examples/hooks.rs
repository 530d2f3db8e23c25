// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a hook costs: thread CPU time per call, medians of five, over a bare call in the same run.
//!
//! `cargo run --release -p ufunc-agent --example hooks`, with `-- stubs` to write the stubs to files
//! for `objdump -D -b binary -m i386:x86-64`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::missing_transmute_annotations, reason = "the types stand beside it")]

#[path = "../tests/common/mod.rs"]
mod common;

use std::arch::global_asm;
use std::hint::black_box;
use std::path::Path;

use common::{Function, compile, hook_by, plan};
use ufunc_hook::program::{Clobbers, Program, Vectors, When};
use ufunc_shared::context::{Field, Fields};

const CALLS: u64 = 5_000_000;
/// A trap takes a thousand times as long.
const TRAPS: u64 = 20_000;

global_asm!(
    ".globl ufunc_bench_empty, ufunc_bench_count",
    "ufunc_bench_empty:",
    "xor eax, eax",
    "ret",
    // Counts in memory, not atomically, and keeps rax.
    "ufunc_bench_count:",
    "mov rax, qword ptr [rdi + 112]",
    "add qword ptr [rip + {counter}], rax",
    "xor eax, eax",
    "ret",
    counter = sym COUNTER,
);

static COUNTER: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);

unsafe extern "C" {
    fn ufunc_bench_empty();
    fn ufunc_bench_count();
}

fn now() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes to `time`.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// Nanoseconds per call.
fn measure(calls: u64, add: extern "C" fn(i64, i64) -> i64) -> f64 {
    let mut times: Vec<f64> = (0..5)
        .map(|_| {
            let start = now();
            let mut sum = 0;
            for number in 0..calls {
                sum = add(black_box(number as i64), sum);
            }
            black_box(sum);
            (now() - start) / calls as f64
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[2]
}

fn main() -> anyhow::Result<()> {
    let stubs = std::env::args().nth(1).is_some_and(|argument| argument == "stubs");
    let library = compile("cc", "functions.c", &["-O2", "-fcf-protection"]);
    // SAFETY: that is its prototype.
    let add: extern "C" fn(i64, i64) -> i64 =
        unsafe { std::mem::transmute(library.address("add")) };
    let function: &Function = library.function("add");
    let nothing = Clobbers { registers: Fields::NONE, vectors: Vectors::None, x87: false };
    let program = |when| Program {
        address: ufunc_bench_empty as *const () as u64,
        when,
        reads: Fields::NONE,
        writes: Fields::NONE,
        clobbers: Clobbers { registers: Fields::NONE.with(Field::Ax), ..nothing },
        calls_out: false,
    };
    let empty = program(When::Entry);
    let with = |clobbers| Program { clobbers, ..empty };
    let integers = Clobbers { registers: Fields::CALLER_SAVED, ..nothing };
    let low = Clobbers { vectors: Vectors::Low, ..integers };
    let count = Program {
        address: ufunc_bench_count as *const () as u64,
        reads: Fields::NONE.with(Field::Di),
        ..empty
    };
    let offset = function.size as u64 - 1;
    let cases: [(&str, u64, Program, bool); 12] = [
        ("entry, empty", 0, empty, false),
        ("entry, one field and a counter", 0, count, false),
        ("entry, every field stored", 0, Program { reads: Fields::ALL, ..empty }, false),
        ("entry, integer registers changed", 0, with(integers), false),
        ("entry, and the low vectors", 0, with(low), false),
        ("entry, anything changed", 0, with(Clobbers::C_ABI), false),
        ("entry, guarded", 0, Program { calls_out: true, ..empty }, false),
        ("return, empty", 0, program(When::Return), false),
        ("session, empty", 0, program(When::Session), false),
        ("offset, empty", offset, empty, false),
        ("offset, anything changed", offset, with(Clobbers::C_ABI), false),
        ("entry by a trap, empty", 0, empty, true),
    ];
    let bare = measure(CALLS, add);
    println!("{:36} {bare:8.2} ns", "bare call");
    for (name, offset, program, trap) in cases {
        let made = plan(function, offset, &[program], trap, false)?;
        if stubs {
            let path = common::temporary().join(format!("{}.stub", name.replace([' ', ','], "_")));
            std::fs::write(&path, &made.code)?;
            println!("{} at {:#x}, for {:#x}", Path::new(&path).display(), made.stub, made.patch);
        }
        let hook = hook_by(function, offset, &[program], trap)?;
        let trapped = made.traps();
        let time = measure(if trapped { TRAPS } else { CALLS }, add);
        hook.detach()?;
        let how = if trapped { ", trap" } else { "" };
        println!("{name:36} {time:8.2} ns, {:+8.2}, {} bytes{how}", time - bare, made.code.len());
    }
    println!("{:36} {:8.2} ns", "bare call again", measure(CALLS, add));
    Ok(())
}
