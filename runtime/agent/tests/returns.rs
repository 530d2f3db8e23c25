// SPDX-License-Identifier: MIT OR Apache-2.0
//! Calls that do not just return, through return hooks.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::missing_transmute_annotations, reason = "the types stand beside it")]

mod common;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use common::{Library, Registers, compile, hook, hook_by, in_child, program, trash, trashed};
use ufunc_agent::{Hook, missed};
use ufunc_hook::program::{Program, When};

/// The C++ fixture, once; whoever has it is alone with it.
fn fixture() -> (&'static Library, MutexGuard<'static, ()>) {
    struct Loaded(Library);
    // SAFETY: its handle is only read.
    unsafe impl Sync for Loaded {}
    // SAFETY: as above.
    unsafe impl Send for Loaded {}
    static LIBRARY: OnceLock<Loaded> = OnceLock::new();
    static ALONE: Mutex<()> = Mutex::new(());
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    (&LIBRARY.get_or_init(|| Loaded(compile("g++", "returns.cpp", &["-O2"]))).0, alone)
}

fn hooks(library: &Library, names: &[&str], programs: &[Program]) -> Vec<Hook> {
    names.iter().map(|name| hook(library.function(name), 0, programs).unwrap()).collect()
}

fn detach(hooks: Vec<Hook>) {
    for hook in hooks {
        hook.detach().unwrap();
    }
}

/// Calls `name`, which takes numbers and returns 0 if all is well.
fn run(library: &Library, name: &str, arguments: [i64; 2]) {
    // SAFETY: the functions take up to two numbers in registers, and return one.
    let function: extern "C" fn(i64, i64) -> i32 =
        unsafe { std::mem::transmute(library.address(name)) };
    assert_eq!(function(arguments[0], arguments[1]), 0, "{name}");
}

/// Runs `name` without hooks, with return hooks on `hooked`, with both kinds, and without again.
/// Says how often return programs ran in one run.
fn all_ways(name: &str, arguments: [i64; 2], hooked: &[&str]) -> u64 {
    let (library, _alone) = fixture();
    run(library, name, arguments);
    let before = trashed();
    let returns = hooks(library, hooked, &[trash(When::Return)]);
    run(library, name, arguments);
    detach(returns);
    let hits = trashed() - before;
    let all = [trash(When::Entry), trash(When::Session), trash(When::Return)];
    let both = hooks(library, hooked, &all);
    run(library, name, arguments);
    detach(both);
    run(library, name, arguments);
    hits
}

#[test]
fn exceptions_pass() {
    let hooked = ["throws", "throws_last", "passes", "rethrows", "catches", "exceptions"];
    let hits = all_ways("exceptions", [2_000, 0], &hooked);
    // What returns: `exceptions`, each `catches`, and `rethrows` where it caught.
    assert_eq!(hits, 1 + 2_000 + 2_000 - 667);
}

#[test]
fn longjmp_passes() {
    let hits = all_ways("longjmps", [5_000, 0], &["jumps", "lands", "longjmps"]);
    assert_eq!(hits, 1 + 5_000);
}

#[test]
fn backtraces_pass() {
    let (library, _alone) = fixture();
    type Frames = extern "C" fn(*mut *mut libc::c_void, i32) -> i32;
    type Same = extern "C" fn(*mut *mut libc::c_void, i32) -> i32;
    // SAFETY: these are their prototypes.
    let (frames, same): (Frames, Same) = unsafe {
        (
            std::mem::transmute(library.address("frames_deep")),
            std::mem::transmute(library.address("same_backtrace")),
        )
    };
    let mut addresses = [std::ptr::null_mut(); 64];
    let known = frames(addresses.as_mut_ptr(), 9);
    assert!(known > 12, "{known}");
    // `same_backtrace` is one frame more, and a hooked frame has the trampoline above it.
    let hooked = ["frames", "frames_deep"];
    assert_eq!(same(addresses.as_mut_ptr(), known + 1), 0);
    let returns = hooks(library, &hooked, &[trash(When::Return)]);
    let mut now = [std::ptr::null_mut(); 64];
    let seen = frames(now.as_mut_ptr(), 9);
    detach(returns);
    // Each of the eleven calls has the trampoline between it and its caller.
    let real: Vec<usize> = now.iter().take(seen as usize).map(|address| address.addr()).collect();
    for address in addresses.iter().take(11).skip(1) {
        let found = real.iter().any(|real| [0, 1].contains(&address.addr().wrapping_sub(*real)));
        assert!(found, "{address:?} is not in {real:x?}");
    }
    assert_eq!(seen, known + 11);
}

#[test]
fn coroutines_pass() {
    let hits = all_ways("coroutines", [500, 0], &["yields", "routine", "coroutines"]);
    assert_eq!(hits, 500 * 18 + 1);
}

#[test]
fn coroutines_change_threads() {
    let hits = all_ways("migrates", [0, 0], &["yields", "routine", "migrates"]);
    assert_eq!(hits, 5 + 2);
}

#[test]
fn threads_end_anywhere() {
    let hits = all_ways("threads_end", [0, 0], &["exits", "sleeps", "threads_end"]);
    assert_eq!(hits, 1);
}

#[test]
fn tail_calls_return_to_all() {
    let hooked = ["chained_first", "chained_second", "chained_last", "chains"];
    assert_eq!(all_ways("chains", [1_000, 0], &hooked), 3_001);
    let hooked = ["chained_throws", "chains_to_throw", "throws"];
    assert_eq!(all_ways("chains_throw", [1_000, 0], &hooked), 1_000);
}

#[test]
fn too_deep_is_counted() {
    let before = missed();
    let hits = all_ways("deepens", [0, 0], &["deep"]);
    // The second run has three programs, of which the one at the entry needs no cell.
    assert_eq!(missed() - before, 2 * (3_001 - hits));
    assert!(hits > 900, "{hits}");
}

#[test]
fn signals_pass() {
    let hooked = ["signalled", "interrupted", "chained_first", "chained_second", "chained_last"];
    for jumps in [0, 1] {
        let hits = all_ways("signals", [300, jumps], &hooked);
        assert!(hits > 10_000, "{hits}");
    }
    // Through traps, for a tenth of the hits.
    let (library, _alone) = fixture();
    let before = trashed();
    let traps = hooked
        .map(|name| hook_by(library.function(name), 0, &[trash(When::Return)], true).unwrap());
    run(library, "signals", [300, 1]);
    detach(traps.into());
    assert!(trashed() - before > 1_000);
}

#[test]
fn a_fork_keeps_its_hooks_and_can_change_them() {
    let (library, _alone) = fixture();
    let kept = hooks(library, &["chained_first", "chained_last"], &[trash(When::Return)]);
    run(library, "chains", [10, 0]);
    let mut more = Some(kept);
    in_child(|| {
        let before = trashed();
        run(library, "chains", [10, 0]);
        anyhow::ensure!(trashed() - before == 20, "{}", trashed() - before);
        detach(more.take().unwrap());
        run(library, "chains", [10, 0]);
        anyhow::ensure!(trashed() - before == 20, "{}", trashed() - before);
        let again = hooks(library, &["chained_second"], &[trash(When::Return)]);
        run(library, "chains", [10, 0]);
        detach(again);
        run(library, "exceptions", [10, 0]);
        // Other threads of the parent are not here; new ones are.
        run(library, "threads_end", [0, 0]);
        anyhow::ensure!(trashed() - before == 30, "{}", trashed() - before);
        Ok(())
    });
    let before = trashed();
    run(library, "chains", [10, 0]);
    assert_eq!(trashed() - before, 20, "the parent's are still there");
    detach(more.take().unwrap());
}

static ENTERED: AtomicU64 = AtomicU64::new(0);
static LEFT: AtomicU64 = AtomicU64::new(0);
static SUM: AtomicU64 = AtomicU64::new(0);

/// A session that cares for odd arguments only, and remembers them.
extern "C" fn odd(registers: &mut Registers, cookie: &mut u64, returning: u64) -> u64 {
    if returning == 0 {
        ENTERED.fetch_add(1, Ordering::SeqCst);
        assert_eq!(*cookie, 0);
        *cookie = registers.di;
        return u64::from(registers.di.is_multiple_of(2));
    }
    LEFT.fetch_add(1, Ordering::SeqCst);
    assert_eq!(registers.ax, *cookie + 1);
    SUM.fetch_add(*cookie, Ordering::SeqCst);
    0
}

#[test]
fn sessions_choose_their_returns_and_remember() {
    let (library, _alone) = fixture();
    let mut session = program(never, When::Session);
    session.address = odd as *const () as u64;
    let function = library.function("chained_last");
    // SAFETY: that is its prototype.
    let last: extern "C" fn(u64) -> u64 =
        unsafe { std::mem::transmute(library.address("chained_last")) };
    for others in [&[][..], &[trash(When::Session)], &[trash(When::Return), trash(When::Entry)]] {
        let [entered, left, sum] = [&ENTERED, &LEFT, &SUM].map(|all| all.load(Ordering::SeqCst));
        let mut programs = others.to_vec();
        programs.push(session);
        let hook = hook(function, 0, &programs).unwrap();
        for argument in 0..100 {
            assert_eq!(last(argument), argument + 1);
        }
        hook.detach().unwrap();
        assert_eq!(ENTERED.load(Ordering::SeqCst) - entered, 100);
        assert_eq!(LEFT.load(Ordering::SeqCst) - left, 50);
        assert_eq!(SUM.load(Ordering::SeqCst) - sum, (0..100).filter(|n| n % 2 == 1).sum::<u64>());
    }
    let five = [session; 5];
    assert!(common::plan(function, 0, &five, false, false).is_err());
}

extern "C" fn never(_: &mut Registers) {
    unreachable!();
}
