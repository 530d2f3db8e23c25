// SPDX-License-Identifier: MIT OR Apache-2.0
//! Functions of all kinds do the same with hooks on them, whatever the programs change.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::missing_transmute_annotations, reason = "the types stand beside it")]

mod common;

use std::os::unix::fs::FileExt as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

use common::{Library, compile, hook, hook_by, random, seed, trash, trashed};
use ufunc_agent::Hook;
use ufunc_hook::program::When;
use ufunc_hook::site;

const FLAGS: [&[&str]; 12] = [
    &["-O0"],
    &["-O1"],
    &["-O2"],
    &["-O3", "-march=native"],
    &["-Os"],
    &["-O2", "-fcf-protection"],
    &["-O0", "-fcf-protection"],
    &["-O2", "-fpatchable-function-entry=5"],
    &["-O2", "-fpatchable-function-entry=16,8", "-fcf-protection"],
    &["-O2", "-fno-align-functions", "-fomit-frame-pointer"],
    &["-O2", "-fno-omit-frame-pointer", "-fstack-protector-all"],
    &["-O2", "-mno-red-zone", "-mavx2", "-fno-plt"],
];

fn workload(library: &Library) -> extern "C" fn(u64, i32) -> u64 {
    let address = library.address("workload");
    // SAFETY: that is its prototype.
    unsafe { std::mem::transmute::<*const (), extern "C" fn(u64, i32) -> u64>(address) }
}

/// Functions that `workload` calls, and no others: it itself never returns meanwhile.
fn hooked(library: &Library) -> impl Iterator<Item = &common::Function> {
    library.functions.iter().filter(|function| {
        let name = function.name.as_str();
        let made_up = name.starts_with('_') || name.ends_with("_clones") || name.ends_with("_aux");
        !made_up && name != "workload" && name != "frame_dummy"
    })
}

/// Hits are counted for all tests together.
fn alone() -> MutexGuard<'static, ()> {
    static LOCK: Mutex<()> = Mutex::new(());
    LOCK.lock().unwrap_or_else(PoisonError::into_inner)
}

fn text(library: &Library) -> Vec<Vec<u8>> {
    library.functions.iter().map(|function| function.bytes().to_vec()).collect()
}

#[test]
fn all_at_once_by_every_kind_of_hook() {
    let _alone = alone();
    let seed = seed();
    let (mut jumps, mut traps) = (0, 0);
    for flags in FLAGS {
        let library = compile("cc", "functions.c", flags);
        let run = workload(&library);
        let (many, few) = (run(seed, 20), run(seed, 3));
        let before = text(&library);
        let kinds: [&[When]; 4] = [
            &[When::Entry],
            &[When::Return],
            &[When::Session],
            &[When::Entry, When::Return, When::Session, When::Entry],
        ];
        for kind in kinds {
            for trap in [false, true] {
                let programs: Vec<_> = kind.iter().map(|when| trash(*when)).collect();
                let hooks: Vec<Hook> = hooked(&library)
                    .map(|function| {
                        let site = site::find(&function.planned(), 0).unwrap();
                        *(if site.trap.is_some() { &mut traps } else { &mut jumps }) += 1;
                        hook_by(function, 0, &programs, trap).unwrap()
                    })
                    .collect();
                assert!(hooks.len() >= 30, "{}", hooks.len());
                let hits = trashed();
                // A trap takes a thousand times as long.
                let (rounds, expected) = if trap { (3, few) } else { (20, many) };
                let got = run(seed, rounds);
                assert_eq!(got, expected, "{flags:?} {kind:?}");
                let calls = trashed() - hits;
                assert!(calls >= 30 * rounds as u64, "{flags:?} {kind:?}: {calls} calls");
                for hook in hooks {
                    hook.detach().unwrap();
                }
                assert_eq!(run(seed, rounds), got, "{flags:?} {kind:?}, detached");
                assert_eq!(text(&library), before);
            }
        }
    }
    println!("{jumps} jumps, {traps} traps");
    assert!(jumps > 20 * traps, "{jumps} jumps, {traps} traps");
}

#[test]
fn every_instruction() {
    let _alone = alone();
    let mut state = seed() | 1;
    for flags in [FLAGS[0], FLAGS[2], FLAGS[3], FLAGS[5]] {
        let library = compile("cc", "functions.c", flags);
        let run = workload(&library);
        let expected = run(7, 1);
        let before = text(&library);
        let (mut points, mut hits) = (0, 0);
        for function in hooked(&library) {
            for offset in 1..function.size as u64 {
                // Not an instruction's beginning, or a breakpoint.
                if site::find(&function.planned(), offset).is_err() {
                    continue;
                }
                // Traps are tried too, a few of them.
                let trap = random(&mut state).is_multiple_of(8);
                let begun = trashed();
                let hook = hook_by(function, offset, &[trash(When::Entry)], trap).unwrap();
                let got = run(7, 1);
                assert_eq!(got, expected, "{flags:?} {}+{offset}", function.name);
                hook.detach().unwrap();
                points += 1;
                hits += u64::from(trashed() > begun);
            }
        }
        assert_eq!(text(&library), before);
        println!("{flags:?}: {points} instructions, {hits} reached");
        assert!(points > 300 && hits > points / 2);
    }
}

/// A probe of the kernel that goes puts the first byte of the file's instruction over the jump's.
#[test]
fn a_first_byte_that_is_put_back_does_no_harm() {
    let _alone = alone();
    let seed = seed();
    let memory = std::fs::File::options().write(true).open("/proc/self/mem").unwrap();
    let (mut jumps, mut traps) = (0, 0);
    for flags in FLAGS {
        let library = compile("cc", "functions.c", flags);
        let run = workload(&library);
        let expected = run(seed, 2);
        let before = text(&library);
        let mut hooks = Vec::new();
        for function in hooked(&library) {
            let site = site::find(&function.planned(), 0).unwrap();
            hooks.push(hook(function, 0, &[trash(When::Entry)]).unwrap());
            let place = (site.patch - function.address) as usize;
            let there = function.bytes()[place];
            *(if there == 0xcc { &mut traps } else { &mut jumps }) += 1;
            memory.write_at(&function.original[place..=place], site.patch).unwrap();
        }
        assert_eq!(run(seed, 2), expected, "{flags:?}");
        for hook in hooks {
            hook.detach().unwrap();
        }
        assert_eq!(text(&library), before, "{flags:?}");
        assert_eq!(run(seed, 2), expected, "{flags:?}, detached");
    }
    println!("{jumps} jumps, {traps} traps");
    assert!(jumps > 5 * traps, "{jumps} jumps, {traps} traps");
}

#[test]
fn an_offset_amid_an_instruction_is_refused() {
    let library = compile("cc", "functions.c", &["-O2"]);
    let function = library.function("many");
    let refused = (1..function.size as u64)
        .filter(|offset| hook(function, *offset, &[trash(When::Entry)]).map(Hook::detach).is_err())
        .count();
    assert!(refused > function.size / 2, "{refused}");
}
