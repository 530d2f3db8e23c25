// SPDX-License-Identifier: MIT OR Apache-2.0
//! CO-RE relocations of every kind, resolved by libbpf against an application's BTF alone and
//! against the kernel's with it: the answers are the same, and right.

use std::fs;
use std::path::Path;

use object::{Object as _, ObjectSection as _};
use ufunc_gen::btf::decode::Btf;
use ufunc_gen::btf::encode::Encoded;
use ufunc_gen::btf::source::Source;
use ufunc_gen::btf::{Name, Type};

use super::common::{Lab, tool};
use super::libbpf::run_all;
use super::{VMLINUX, merge, vmlinux};

/// What each result means and has to be, by its place; `host.c` says why.
const EXPECTED: [(usize, &str, u64); 43] = [
    (0, "widened: offset", 64),
    (1, "widened: size", 2),
    (2, "widened: exists", 1),
    (3, "missing: exists", 0),
    (4, "widened: signed", 0),
    (5, "negative: signed", 1),
    (6, "color: signed", 1),
    (7, "second: offset", 40),
    (8, "second: size", 1),
    (9, "second: lshift", 56),
    (10, "second: rshift", 59),
    (11, "far: offset", 56),
    (12, "far: size", 8),
    (13, "far: lshift", 12),
    (14, "far: rshift", 24),
    (15, "negative: lshift", 55),
    (16, "negative: rshift", 55),
    (17, "inner.y: offset", 80),
    (18, "array[2][1]: offset", 105),
    (19, "array: size", 24),
    (20, "nameless: offset", 120),
    (21, "deep: offset", 122),
    (22, "plain.value: offset", 136),
    (23, "plain_t.value: offset", 8),
    (24, "either: size", 24),
    (25, "pointer: offset", 88),
    (26, "missing_type.x: exists", 0),
    (27, "file.path: offset", 4),
    (32, "app_host: exists", 1),
    (33, "missing_type: exists", 0),
    (34, "app_host: size", 168),
    (35, "either: size", 24),
    (36, "plain_t: size", 16),
    (37, "file: size", 24),
    (38, "RED", -3i64 as u64),
    (39, "GREEN", 7),
    (40, "BLUE: exists", 1),
    (41, "LOST: exists", 0),
    (42, "KEPT", 1),
    (43, "WIDE", 0x1234_5678_0000_0001),
    (56, "inner matches", 1),
    (57, "another inner matches", 0),
    (58, "missing_type matches", 0),
];

/// The types that results are ids of, by their place.
const IDS: [(usize, &str); 5] =
    [(49, "app_host"), (50, "inner"), (51, "color"), (52, "plain_t"), (53, "file")];

/// The relocation that asks whether a type exists, and the one whether it matches
/// (`enum bpf_core_relo_kind`).
const TYPE_EXISTS: u32 = 8;
const TYPE_MATCHES: u32 = 12;

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/merge")
}

/// The BTF of `host.c`, with the values that old compilers cut off.
fn host(lab: &Lab) -> std::path::PathBuf {
    let source = folder().join("host.c");
    let args = ["-g", "-target", "bpf", "-c", source.to_str().unwrap(), "-o", "host.o"];
    tool(lab.folder(), "clang", &args);
    let btf = Source::read(&lab.path("host.o")).unwrap().btf;
    let types = Btf::parse(&btf).unwrap().types().map(|item| item.unwrap().1);
    let put_right = |ty: Type<'static>| match ty {
        Type::Enum { name, size, values, .. } if name == "color" => {
            Type::Enum { name, size, signed: true, values }
        }
        Type::Enum { name, .. } | Type::Enum64 { name, .. } if name == "wide" => {
            let values = vec![(Name::from("WIDE"), 0x1234_5678_0000_0001)];
            Type::Enum64 { name, size: 8, signed: false, values }
        }
        ty => ty,
    };
    let types: Vec<_> = types.map(|ty| put_right(owned(ty))).collect();
    lab.write("host.btf", Encoded::new(&types, 0).unwrap().to_bytes().unwrap())
}

/// `ty` with nothing borrowed, by way of a leak: a test is short.
fn owned(ty: Type<'_>) -> Type<'static> {
    let bytes = Encoded::new([&ty], 0).unwrap().to_bytes().unwrap().leak();
    Btf::parse(bytes).unwrap().types().next().unwrap().unwrap().1
}

/// The program, with TYPE_MATCHES where its source says so.
fn program(lab: &Lab) -> Vec<u8> {
    let source = folder().join("core.bpf.c");
    let headers = format!("-I/usr/include/{}-linux-gnu", std::env::consts::ARCH);
    let flags = ["-O2", "-g", "-target", "bpf", "-mcpu=v3", "-Wall", "-Werror", &headers];
    let args = [&flags[..], &["-c", source.to_str().unwrap(), "-o", "core.o"]].concat();
    tool(lab.folder(), "clang", &args);
    let mut bytes = fs::read(lab.path("core.o")).unwrap();
    let places = {
        let elf = object::File::parse(&*bytes).unwrap();
        let section = |name: &str| elf.section_by_name(name).unwrap();
        let ext = section(".BTF.ext");
        let (btf, data) = (section(".BTF").data().unwrap(), ext.data().unwrap());
        let word = |bytes: &[u8], at: usize| {
            u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize
        };
        let strings = &btf[word(btf, 4) + word(btf, 16)..];
        let begin = word(data, 4) + word(data, 24);
        let end = begin + word(data, 28);
        let record = word(data, begin);
        let (mut at, mut places) = (begin + 4, Vec::new());
        while at < end {
            let is_ours = strings[word(data, at)..].starts_with(b"all_matches\0");
            let count = word(data, at + 4);
            at += 8;
            for _ in 0..count {
                if is_ours {
                    assert_eq!(word(data, at + 12) as u32, TYPE_EXISTS);
                    places.push(ext.file_range().unwrap().0 as usize + at + 12);
                }
                at += record;
            }
        }
        places
    };
    assert_eq!(places.len(), 3);
    for place in places {
        bytes[place..place + 4].copy_from_slice(&TYPE_MATCHES.to_le_bytes());
    }
    bytes
}

/// The name of the type `id` in the BTF at `path`.
fn name_of(path: &Path, id: u64) -> String {
    let bytes = fs::read(path).unwrap();
    let btf = Btf::parse(&bytes).unwrap();
    let found = btf.types().map(Result::unwrap).find(|(found, _)| u64::from(found.0) == id);
    found.unwrap().1.name().to_string()
}

/// Runs the program with the types at `path`, and asserts that every answer is right.
#[track_caller]
fn is_right(program: &[u8], path: &Path) {
    let results = run_all(program, path).unwrap_or_else(|error| {
        panic!("libbpf cannot resolve the program against {} ({error})", path.display())
    });
    let wrong: Vec<_> = EXPECTED
        .iter()
        .filter(|(place, _, value)| results[*place] != *value)
        .map(|(place, what, value)| format!("{what}: {} instead of {value}", results[*place]))
        .collect();
    assert!(wrong.is_empty(), "{}: {wrong:#?}", path.display());
    assert_ne!(results[48], 0);
    for (place, name) in IDS {
        assert_eq!(name_of(path, results[place]), name, "{}", path.display());
    }
}

#[test]
fn relocations_of_every_kind_find_the_same_in_the_merged_types() {
    vmlinux();
    let lab = Lab::new();
    let (program, host) = (program(&lab), host(&lab));
    is_right(&program, &host);
    for flags in [&[][..], &["--no-dedup"]] {
        merge(&lab, &[Path::new(VMLINUX), &host], flags);
        is_right(&program, &lab.path("merged.btf"));
    }
    // Twice the same host: nothing is ambiguous.
    merge(&lab, &[Path::new(VMLINUX), &host, &host], &["--no-dedup"]);
    is_right(&program, &lab.path("merged.btf"));
}

/// As libbpf merges types, the kernel's `struct file` and the application's are in each other's
/// way: this is what the tests above would look like if nothing were done about it.
#[test]
fn without_a_preference_relocations_are_ambiguous() {
    vmlinux();
    let lab = Lab::new();
    let (program, host) = (program(&lab), host(&lab));
    merge(&lab, &[Path::new(VMLINUX), &host], &["--prefer", "none"]);
    assert_eq!(run_all(&program, &lab.path("merged.btf")), Err(-22));
}
