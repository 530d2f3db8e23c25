// SPDX-License-Identifier: MIT OR Apache-2.0
//! How long operations on maps take, side by side with the kernel's, which a program does there.
//! Medians of five, in nanoseconds. As root: `cargo run --release -p ufunc-maps --example speed`.

#![allow(clippy::expect_used, reason = "it ends by panicking, and says why")]
#![allow(clippy::print_stdout, reason = "it is there to print")]

use std::hint::black_box;

use ufunc_maps::{Definition, Map, MapKind, Table};

#[path = "../tests/common/kernel.rs"]
#[allow(dead_code, unreachable_pub, reason = "the tests use more of it")]
mod kernel;

use kernel::{KernelMap, KernelProgram};

/// Operations of one run of the kernel's program.
const OPERATIONS: i32 = 64;
/// Runs that are measured at a time.
const RUNS: u32 = 20_000;

fn median(mut measure: impl FnMut() -> f64) -> f64 {
    let mut all: Vec<f64> = (0..5).map(|_| measure()).collect();
    all.sort_by(f64::total_cmp);
    all[2]
}

/// The thread's time on a processor, in nanoseconds.
fn time() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: there is room for a time.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

fn instruction(code: u8, dst: u8, src: u8, offset: i16, immediate: i32) -> u64 {
    let registers = u64::from(dst | src << 4);
    u64::from(code)
        | registers << 8
        | u64::from(offset as u16) << 16
        | u64::from(immediate as u32) << 32
}

/// A loop that calls a helper with (map, key, value, 0), or (map, data, 64, 0).
fn program(map: &KernelMap, helper: i32) -> KernelProgram {
    let data = helper == 130;
    let mut code = vec![instruction(0xb7, 6, 0, 0, 0)];
    for slot in 1..=8 {
        code.push(instruction(0x7a, 10, 0, -8 * slot, 7));
    }
    let start = code.len() as i16;
    code.extend([
        instruction(0x63, 10, 6, -8, 0),
        instruction(0x18, 1, 1, 0, map.fd()),
        0,
        instruction(0xbf, 2, 10, 0, 0),
        instruction(0x07, 2, 0, 0, if data { -64 } else { -8 }),
        instruction(0xbf, 3, 10, 0, 0),
        instruction(0x07, 3, 0, 0, -16),
    ]);
    if data {
        code.push(instruction(0xb7, 3, 0, 0, 64));
    }
    code.extend([
        instruction(0xb7, 4, 0, 0, 0),
        instruction(0x85, 0, 0, 0, helper),
        instruction(0x07, 6, 0, 0, 1),
    ]);
    let back = start - code.len() as i16 - 1;
    code.extend([
        instruction(0xa5, 6, 0, back, OPERATIONS),
        instruction(0xb7, 0, 0, 0, 0),
        instruction(0x95, 0, 0, 0, 0),
    ]);
    KernelProgram::new(&code)
}

fn ours(map: &Table, helper: i32, drain: &dyn Fn()) -> f64 {
    let mut spent = 0.0;
    for _ in 0..RUNS / 16 {
        let before = time();
        for _ in 0..16 {
            for key in 0..OPERATIONS {
                let value = [7u64; 8];
                let (key, from) = ((&raw const key).cast(), value.as_ptr().cast());
                // SAFETY: key and value have their sizes.
                unsafe {
                    match helper {
                        1 => drop(black_box(map.lookup(black_box(key), None))),
                        2 => drop(black_box(map.update(black_box(key), from, 0))),
                        _ => drop(black_box(map.output(from, 64))),
                    }
                }
            }
        }
        spent += time() - before;
        drain();
    }
    spent / f64::from(RUNS / 16 * 16) / f64::from(OPERATIONS)
}

fn main() {
    println!("{:28}{:>8}{:>8}{:>8}", "", "kernel", "here", "ratio");
    for (kind, value, helper, what) in [
        (MapKind::Hash, 8, 2, "hash: update"),
        (MapKind::Hash, 8, 1, "hash: lookup"),
        (MapKind::PerCpuHash, 8, 2, "per-CPU hash: update"),
        (MapKind::LruHash, 8, 2, "LRU hash: update"),
        (MapKind::Array, 8, 2, "array: update"),
        (MapKind::PerCpuArray, 8, 1, "per-CPU array: lookup"),
        (MapKind::RingBuffer, 0, 130, "ring buffer: 64 bytes"),
    ] {
        let ring = kind == MapKind::RingBuffer;
        // Both are full from the first runs on unless somebody reads; so both are.
        let (key, max) = if ring { (0, 1 << 20) } else { (4, 1024) };
        let definition = Definition::new(kind, key, value, max);
        let Ok((map, _fd)) = Map::create(&definition) else { continue };
        let there = KernelMap::new(&definition, map.whole_size());
        let program = program(&there, helper);
        let kernel = median(|| {
            if ring {
                // As many as fit, in a ring that nobody has filled yet.
                let fresh = KernelMap::new(&definition, 0);
                let program = self::program(&fresh, helper);
                return f64::from(program.run(200)) / f64::from(OPERATIONS);
            }
            f64::from(program.run(RUNS)) / f64::from(OPERATIONS)
        });
        let drain = || {
            map.consume(|_, _| ());
        };
        let here = median(|| ours(&map, helper, &drain));
        println!("{what:28}{kernel:8.1}{here:8.1}{:8.2}", kernel / here);
    }
}
