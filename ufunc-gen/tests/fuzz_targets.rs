// SPDX-License-Identifier: MIT OR Apache-2.0
//! The fuzz targets without a fuzzer: over the inputs that fuzzing begins with, over applications as
//! compilers make them, and over thousands of mutations of both.
//!
//! What is random is seeded; `UFUNC_TEST_SEED` gives another seed, or that of a failure, and
//! `UFUNC_TEST_CASES` so many times as many mutations.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![allow(clippy::duplicate_mod, reason = "what the tests share has a part of the targets, too")]

mod common;
#[path = "common/memory.rs"]
mod memory;
#[path = "../../fuzz/src/lib.rs"]
#[allow(unreachable_pub, dead_code, reason = "a library of its own, to libFuzzer")]
mod targets;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::Command;
use std::sync::{LazyLock, Mutex, mpsc};
use std::time::Duration;

use common::elf::sections;
use common::{Lab, Random, run, seed, tool};

/// Longest that an input may take, without optimisation and beside other tests.
const TIME: Duration = Duration::from_secs(10);
/// What each byte of an input may cost, and what is always allowed, in bytes.
const TIMES: usize = 64;
const ALLOWANCE: usize = 64 << 20;

/// Memory is counted for one at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// What is mutated, by name.
type Inputs = [(String, Vec<u8>)];

/// What `fuzz/seed` makes.
static CORPUS: LazyLock<Lab> = LazyLock::new(|| {
    let lab = Lab::new();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seed");
    let mut command = Command::new(script);
    command.arg(lab.folder()).env("UFUNC_GEN", env!("CARGO_BIN_EXE_ufunc-gen"));
    run("fuzz/seed", &mut command).ok();
    lab
});

/// The inputs for `target`, by their names.
fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let mut found: Vec<_> = fs::read_dir(CORPUS.path(target))
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
        .collect();
    found.sort();
    assert!(!found.is_empty());
    found
}

/// Runs `target` on `inputs` and on `count` mutations of them, `mutate`d.
fn endures(
    name: &str,
    target: fn(&[u8]),
    inputs: &Inputs,
    count: usize,
    mutate: fn(&Inputs, usize, &mut Random) -> Vec<u8>,
) {
    let (seed, times) = (seed(), std::env::var("UFUNC_TEST_CASES").ok());
    let count = count * times.map_or(1, |times| times.parse().expect("a number"));
    let _alone = ALONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let mut random = Random::new(seed);
    let cases = (0..count).map(|case| {
        let input = case % inputs.len();
        let what = format!("{name}, seed {seed}, case {case}: {}", inputs[input].0);
        (what, mutate(inputs, input, &mut random))
    });
    let whole = inputs.iter().map(|(what, bytes)| (format!("{name}: {what}"), bytes.clone()));
    let (sender, receiver) = mpsc::channel::<Option<String>>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for (what, bytes) in whole.chain(cases) {
                sender.send(Some(what.clone())).unwrap();
                let run = AssertUnwindSafe(|| memory::peak(|| target(&bytes)));
                let Ok(peak) = catch_unwind(run) else {
                    panic!("{what}: a panic, on {}", keep(&bytes));
                };
                let allowed = TIMES * bytes.len() + ALLOWANCE;
                assert!(peak <= allowed, "{what}: {peak} bytes of memory, on {}", keep(&bytes));
            }
            sender.send(None).unwrap();
        });
        let mut last = String::new();
        loop {
            match receiver.recv_timeout(TIME) {
                Ok(Some(what)) => last = what,
                Ok(None) | Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    // The thread cannot be stopped, so neither can the test go on.
                    println!("{last}: does not end within {TIME:?}");
                    std::process::abort();
                }
            }
        }
    });
}

/// Keeps an input that was too much; gives the name of its file.
fn keep(bytes: &[u8]) -> String {
    let path = std::env::temp_dir().join(format!("ufunc-fuzz-{:016x}", common::fingerprint(bytes)));
    match fs::write(&path, bytes) {
        Ok(()) => path.display().to_string(),
        Err(error) => error.to_string(),
    }
}

/// Changes a few bytes of one of `inputs`, or what is where in it.
fn anywhere(inputs: &Inputs, input: usize, random: &mut Random) -> Vec<u8> {
    let mut bytes = inputs[input].1.clone();
    for _ in 0..1 + random.below(4) {
        let at = random.below(bytes.len());
        let end = (at + 1 + random.below(16)).min(bytes.len());
        match random.below(8) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..end)),
            2 => drop(bytes.splice(at..at, vec![random.next() as u8; end - at])),
            3 => {
                let (_, other) = &inputs[random.below(inputs.len())];
                let from = random.below(other.len());
                let part = &other[from..(from + 32).min(other.len())];
                drop(bytes.splice(at..at, part.iter().copied()));
            }
            _ if bytes.is_empty() => {}
            _ => change(&mut bytes, at, random),
        }
    }
    bytes
}

/// Changes a byte or a word at `at`.
fn change(bytes: &mut [u8], at: usize, random: &mut Random) {
    let value = random.next();
    match random.below(4) {
        0 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][value as usize % 5],
        1 => bytes[at] ^= 1 << (value % 8),
        2 => bytes[at] = value as u8,
        _ => {
            let end = (at + [2, 4, 8][value as usize % 3]).min(bytes.len());
            let extreme = [0, u64::MAX, i64::MAX as u64, u64::from(u32::MAX), value];
            let extreme = extreme[random.below(5)].to_le_bytes();
            bytes[at..end].copy_from_slice(&extreme[..end - at]);
        }
    }
}

/// Changes a few bytes of an ELF file, most of them where debug information is, or cuts it off.
fn in_debug_information(inputs: &Inputs, input: usize, random: &mut Random) -> Vec<u8> {
    let mut bytes = inputs[input].1.clone();
    let sections = sections(&bytes);
    for _ in 0..1 + random.below(4) {
        let wanted = random.read_section();
        let found = sections.iter().find(|(name, _)| name.trim_end_matches(".dwo") == wanted);
        let place = match found {
            Some((_, range)) if random.below(12) > 0 => range.clone(),
            _ => 0..bytes.len(),
        };
        let at = (place.start + random.below(place.len())).min(bytes.len() - 1);
        change(&mut bytes, at, random);
    }
    if random.below(16) == 0 {
        bytes.truncate(random.below(bytes.len()));
    }
    bytes
}

#[test]
fn elf() {
    endures("elf", targets::elf, &corpus("elf"), 6000, anywhere);
}

#[test]
fn dwarf() {
    endures("dwarf", targets::dwarf, &corpus("dwarf"), 6000, anywhere);
}

#[test]
fn btf() {
    endures("btf", targets::btf, &corpus("btf"), 8000, anywhere);
}

#[test]
fn merge() {
    endures("merge", targets::merge, &corpus("merge"), 8000, anywhere);
}

#[test]
fn policy() {
    endures("policy", targets::policy, &corpus("policy"), 3000, anywhere);
}

const C: &str = r#"
#include <stdlib.h>
enum mode { MODE_OFF, MODE_ON = 7 };
typedef struct item { int number; struct item *next; char label[16]; enum mode mode; } item_t;
struct other { item_t *item; unsigned char bytes[3][4]; struct { int a : 3, b : 5; } bits; };
union either { long whole; double real; item_t *item; int (*call)(item_t *, ...); };
struct item *item_new(int number) { item_t *item = malloc(sizeof *item); item->number = number; return item; }
void item_free(item_t *item) { free(item); }
static int is_on(const volatile item_t *item, union either e) { return item->mode == MODE_ON && e.whole; }
int other_put(struct other *other, item_t *item, union either e) { other->item = item; return is_on(item, e); }
int main(void) { return 0; }
"#;

const CPP: &str = r#"
namespace outer { namespace inner {
enum class colour : unsigned char { red, green = 200 };
struct base { int a; virtual ~base() {} };
template <class T, int N> struct box { T values[N]; box *next; static int count; };
struct derived : base, virtual box<long, 3> { int b : 3; bool c : 1; colour d; int base::*e; void (base::*f)(); };
} }
using outer::inner::derived;
derived *derived_new(decltype(nullptr), outer::inner::box<char, 2> &&b) { return b.next ? new derived : 0; }
void derived_free(derived *d) { delete d; }
int main() { struct local { derived *d; } l{nullptr}; derived_free(l.d); return 0; }
"#;

/// Applications as compilers make them, in as many forms as there are.
fn applications() -> Vec<(String, Vec<u8>)> {
    let lab = Lab::new();
    lab.write("a.c", C);
    lab.write("a.cpp", CPP);
    let mut found = Vec::new();
    for (compiler, flags) in [
        ("gcc", "-gdwarf-5 -O2 a.c -o"),
        ("gcc", "-gdwarf-4 -fdebug-types-section a.c -o"),
        ("gcc", "-gdwarf-5 -gz a.c -o"),
        ("gcc", "-gdwarf-3 -gstrict-dwarf -c a.c -o"),
        ("clang", "-gdwarf-5 -O1 a.c -o"),
        ("clang", "-gdwarf-4 -c a.c -o"),
        ("g++", "-gdwarf-5 a.cpp -o"),
        ("g++", "-gdwarf-5 -O2 -c a.cpp -o"),
        ("clang++", "-gdwarf-5 -fdebug-types-section a.cpp -o"),
    ] {
        let mut args: Vec<_> = flags.split(' ').collect();
        args.push("app");
        tool(lab.folder(), compiler, &args);
        found.push((format!("{compiler} {flags}"), fs::read(lab.path("app")).unwrap()));
    }
    // Shared in parts within the file.
    tool(lab.folder(), "g++", &["-gdwarf-5", "a.cpp", "-o", "app"]);
    tool(lab.folder(), "dwz", &["-o", "small", "app"]);
    found.push(("dwz".to_owned(), fs::read(lab.path("small")).unwrap()));
    tool(lab.folder(), "gcc", &["-gdwarf-5", "-gsplit-dwarf", "-c", "a.c", "-o", "a.o"]);
    found.push(("a .dwo file".to_owned(), fs::read(lab.path("a.dwo")).unwrap()));
    found
}

#[test]
fn applications_that_are_damaged() {
    endures("application", targets::dwarf, &applications(), 4000, in_debug_information);
}
