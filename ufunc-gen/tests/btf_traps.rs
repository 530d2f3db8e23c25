// SPDX-License-Identifier: MIT OR Apache-2.0
//! BTF that was made to keep its readers busy, or to fill their memory.
//!
//! Each trap is a few megabytes at most. The commands are run with memory in proportion to that, and
//! either say in a line what is wrong, or write BTF.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use std::path::Path;
use std::time::{Duration, Instant};

use common::elf::limited_data;
use common::image::elf_with;
use common::{Lab, Output, run};
use ufunc_gen::btf::kind;

/// Longer than any of these takes on a busy machine, without optimisation.
const LIMIT: Duration = Duration::from_secs(15);

/// BTF under construction, in words and letters.
struct Raw {
    words: Vec<u32>,
    strings: Vec<u8>,
}

impl Raw {
    fn new() -> Self {
        Raw { words: Vec::new(), strings: vec![0] }
    }

    fn string(&mut self, string: &str) -> u32 {
        let at = self.strings.len() as u32;
        self.strings.extend(string.bytes());
        self.strings.push(0);
        at
    }

    fn add(&mut self, kind: u32, name: u32, third: u32, parts: u32, tail: &[u32]) {
        self.words.extend([name, kind << 24 | parts, third]);
        self.words.extend(tail);
    }

    fn bytes(&self) -> Vec<u8> {
        let (types, strings) = (self.words.len() as u32 * 4, self.strings.len() as u32);
        let header = [0x0001_eb9f, 24, 0, types, types, strings];
        let mut bytes: Vec<u8> =
            header.iter().chain(&self.words).flat_map(|word| word.to_le_bytes()).collect();
        bytes.extend(&self.strings);
        bytes
    }
}

/// Merges `base` and `more`, both ways round.
#[track_caller]
fn merge(what: &str, base: &[u8], more: &[u8]) -> Output {
    let lab = Lab::new();
    let (base_path, more_path) = (lab.write("base", base), lab.write("more", more));
    let command = Path::new(env!("CARGO_BIN_EXE_ufunc-gen"));
    let merge = |first: &Path, second: &Path| {
        let begun = Instant::now();
        let mut command = limited_data(command, base.len() + more.len());
        command.args([Path::new("merge"), first, second, "-o".as_ref(), &lab.path("merged")]);
        let output = run("ufunc-gen", &mut command);
        let took = begun.elapsed();
        println!("{what}: {took:?} {:?} {}", output.status, output.stderr);
        assert!(took < LIMIT, "{what} took {took:?}");
        assert!(matches!(output.status, Some(0 | 2)), "{what}: {output:?}");
        assert!(!output.stderr.contains("panicked"), "{what}: {}", output.stderr);
        output
    };
    merge(&more_path, &base_path);
    merge(&base_path, &more_path)
}

fn int(raw: &mut Raw) {
    let name = raw.string("int");
    raw.add(kind::INT, name, 4, 0, &[32]);
}

#[test]
fn names_that_end_in_each_other() {
    // Every one of them is a megabyte long, and in another place of one string.
    let mut raw = Raw::new();
    let long = raw.string(&"n".repeat(1 << 20));
    for at in 0..100_000 {
        raw.add(kind::STRUCT, long + at, 4, 0, &[]);
    }
    let mut base = Raw::new();
    int(&mut base);
    merge("overlapping names", &base.bytes(), &raw.bytes()).refused(&["more", "overlap"]);
    // One that all have.
    let mut same = Raw::new();
    let long = same.string(&"n".repeat(1 << 20));
    for _ in 0..100_000 {
        same.add(kind::STRUCT, long, 4, 0, &[]);
    }
    merge("a long name", &base.bytes(), &same.bytes()).ok();
    merge("a long name twice", &same.bytes(), &same.bytes()).ok();
    // The first in a program whose types are asked for.
    let lab = Lab::new();
    let program = lab.write("program", raw.bytes());
    let app = lab.build("gcc", &["-g"], "struct s { int a; } s; int main(void) { return 0; }");
    let command = Path::new(env!("CARGO_BIN_EXE_ufunc-gen"));
    let begun = Instant::now();
    let mut command = limited_data(command, raw.bytes().len());
    command.arg("btf").arg(app).arg("--for").arg(program).arg("-o").arg(lab.path("out"));
    run("ufunc-gen", &mut command).refused(&["program", "overlap"]);
    assert!(begun.elapsed() < LIMIT, "{:?}", begun.elapsed());
}

#[test]
fn one_name_for_all() {
    let all = |offset: u32| {
        let mut raw = Raw::new();
        int(&mut raw);
        let name = raw.string("same");
        for size in 0..40_000 {
            raw.add(kind::STRUCT, name, size + offset, 1, &[name, 1, 0]);
        }
        raw.bytes()
    };
    merge("40,000 structs of one name", &all(4), &all(50_000)).ok();
    let typedefs = |count: u32| {
        let mut raw = Raw::new();
        int(&mut raw);
        let name = raw.string("same");
        for index in 0..count {
            raw.add(kind::TYPEDEF, name, index + 1, 0, &[]);
        }
        raw.bytes()
    };
    merge("a chain of typedefs of one name", &typedefs(100_000), &typedefs(90_000)).ok();
}

#[test]
fn a_distilled_base_of_one_name() {
    let mut base = Raw::new();
    let name = base.string("same");
    for _ in 0..60_000 {
        base.add(kind::STRUCT, name, 4, 0, &[]);
    }
    let base = base.bytes();
    let mut split = Raw::new();
    split.strings.clear();
    split.add(kind::PTR, 0, 1, 0, &[]);
    let module = elf_with(&[(".BTF", &split.bytes()), (".BTF.base", &base)]);
    merge("a distilled base of one name", &base, &module);
    // Each fits one of as many that do not.
    let sized = |count: u32| {
        let mut raw = Raw::new();
        let name = raw.string("same");
        for size in 0..count {
            raw.add(kind::INT, name, size, 0, &[32]);
        }
        raw.bytes()
    };
    let module = elf_with(&[(".BTF", &split.bytes()), (".BTF.base", &sized(60_000))]);
    merge("a distilled base of many sizes", &sized(60_000), &module);
}

#[test]
fn crowds_and_depths() {
    let nested = |kind_of: u32| {
        let mut raw = Raw::new();
        int(&mut raw);
        let name = raw.string("deep");
        for index in 0..100_000 {
            match kind_of {
                kind::ARRAY => raw.add(kind::ARRAY, 0, 0, 0, &[index + 1, 1, 3]),
                kind::STRUCT => raw.add(kind::STRUCT, name, 4, 1, &[name, index + 1, 0]),
                kind => raw.add(kind, 0, index + 1, 0, &[]),
            }
        }
        raw.add(kind::STRUCT, name, 4, 1, &[name, 100_001, 0]);
        raw.bytes()
    };
    for kind in [kind::ARRAY, kind::STRUCT, kind::PTR, kind::CONST] {
        let deep = nested(kind);
        merge(&format!("kind {kind} in itself"), &deep, &deep).ok();
    }
    // Round in circles.
    let mut raw = Raw::new();
    let name = raw.string("round");
    for _ in 0..10_000 {
        let next = (raw.words.len() / 3) as u32;
        raw.add(kind::TYPEDEF, name, next % 10_000 + 1, 0, &[]);
    }
    merge("round", &raw.bytes(), &raw.bytes()).ok();
    // As many members as there can be, again and again.
    let mut raw = Raw::new();
    int(&mut raw);
    let name = raw.string("crowd");
    for _ in 0..4 {
        let member = [name, 1, 0].repeat(0xffff);
        raw.add(kind::UNION, name, 4, 0xffff, &member);
    }
    merge("crowds", &raw.bytes(), &raw.bytes()).ok();
    // Declarations of what is declared in many ways.
    let mut raw = Raw::new();
    let names: Vec<u32> = (0..20_000).map(|index| raw.string(&format!("f{index}"))).collect();
    for &name in &names {
        raw.add(kind::FWD, name, 0, 0, &[]);
        raw.add(kind::STRUCT, name, 8, 1, &[name, (raw.words.len() / 3) as u32 % 20_000, 0]);
        raw.add(kind::STRUCT, name, 8, 0, &[]);
    }
    merge("declarations", &raw.bytes(), &raw.bytes());
}
