// SPDX-License-Identifier: MIT OR Apache-2.0
//! Hooks that come and go while threads call the function.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::missing_transmute_annotations, reason = "the types stand beside it")]

mod common;

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use common::{Function, compile, hook_by, plan, trash, trashed};
use ufunc_agent::Hook;
use ufunc_hook::program::{Program, When};

const THREADS: usize = 8;
const CYCLES: usize = 1_000;

type Add = extern "C" fn(i64, i64) -> i64;
type Floats = extern "C" fn(f64, f32, f64, f32, f64, f64, f64, f64, f64) -> f64;

/// What the threads do: calls, and what they gave is checked.
struct Calls {
    add: Add,
    floats: Floats,
    recursive: extern "C" fn(i64) -> i64,
    stop: AtomicBool,
    made: AtomicU64,
}

impl Calls {
    fn make(&self) {
        let expected = (self.floats)(1., 2., 3., 4., 5., 6., 7., 8., 9.);
        let mut made = 0;
        while !self.stop.load(Ordering::Relaxed) {
            for number in 0..100 {
                assert_eq!((self.add)(number, 5), number + 5);
                assert_eq!((self.floats)(1., 2., 3., 4., 5., 6., 7., 8., 9.), expected);
            }
            assert_eq!((self.recursive)(6), 8);
            made += 100;
            // The processors are few.
            std::thread::yield_now();
        }
        self.made.fetch_add(made, Ordering::Relaxed);
    }
}

fn with_threads(work: impl FnOnce(&common::Library, &Calls)) {
    let library = compile("cc", "functions.c", &["-O2", "-fcf-protection"]);
    // SAFETY: these are their prototypes.
    let calls = unsafe {
        Calls {
            add: std::mem::transmute::<*const (), Add>(library.address("add")),
            floats: std::mem::transmute::<*const (), Floats>(library.address("floats")),
            recursive: std::mem::transmute::<*const (), extern "C" fn(i64) -> i64>(
                library.address("recursive"),
            ),
            stop: AtomicBool::new(false),
            made: AtomicU64::new(0),
        }
    };
    let before: Vec<_> =
        library.functions.iter().map(|function| function.bytes().to_vec()).collect();
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| calls.make());
        }
        let done = std::panic::catch_unwind(AssertUnwindSafe(|| work(&library, &calls)));
        calls.stop.store(true, Ordering::Relaxed);
        done.unwrap();
    });
    assert!(calls.made.load(Ordering::Relaxed) > 10_000);
    for (function, before) in library.functions.iter().zip(before) {
        assert_eq!(function.bytes(), before, "{}", function.name);
    }
}

/// This thread's calls are all seen.
fn seen(calls: &Calls, kinds: u64) {
    let before = trashed();
    for number in 0..10 {
        assert_eq!((calls.add)(number, 1), number + 1);
    }
    assert!(trashed() - before >= 10 * kinds);
}

#[test]
fn a_thousand_times() {
    with_threads(|library, calls| {
        let kinds: [&[Program]; 3] = [
            &[trash(When::Entry)],
            &[trash(When::Return)],
            &[trash(When::Entry), trash(When::Return)],
        ];
        let functions: Vec<&Function> =
            ["add", "floats", "recursive"].map(|name| library.function(name)).to_vec();
        let start = Instant::now();
        for cycle in 0..CYCLES {
            let programs = kinds[cycle % kinds.len()];
            // Each tenth time by traps.
            let trap = cycle % 10 == 0;
            let more = functions[cycle % functions.len()];
            let hooks: Vec<Hook> = [functions[0], more]
                .iter()
                .take(if more.name == "add" { 1 } else { 2 })
                .map(|function| hook_by(function, 0, programs, trap).unwrap())
                .collect();
            seen(calls, programs.len() as u64);
            for hook in hooks {
                hook.detach().unwrap();
            }
        }
        println!("{CYCLES} times in {:?}", start.elapsed());
    });
}

#[test]
fn one_plan_for_another_loses_no_call() {
    with_threads(|library, calls| {
        let function = library.function("add");
        let mut hook = hook_by(function, 0, &[trash(When::Entry)], false).unwrap();
        let deadline = Instant::now() + Duration::from_secs(2);
        let mut count = 0;
        while Instant::now() < deadline {
            count += 1;
            let programs = vec![trash(When::Entry); 1 + count % 3];
            let plan = plan(function, 0, &programs, false, false).unwrap();
            // SAFETY: its programs are functions of this test.
            unsafe { hook.replace(&plan) }.unwrap();
            seen(calls, programs.len() as u64);
        }
        hook.detach().unwrap();
        println!("{count} times");
        assert!(count > 20);
    });
}
