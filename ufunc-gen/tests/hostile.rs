// SPDX-License-Identifier: MIT OR Apache-2.0
//! Hostile applications: nothing in them becomes code, panics, hangs or eats the memory.
//!
//! What is random is seeded; `UFUNC_TEST_SEED` gives another seed, or that of a failure.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use std::fmt::Write as _;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use common::elf::{crafted, limited, limited_data, replace, sections};
use common::library::source;
use common::{Lab, Output, Random, generate, run, seed, tool};

/// Longer than any case takes by far, on a busy machine too.
const CASE_LIMIT: Duration = Duration::from_secs(15);
/// Most memory that a case may have: ample for what is built here.
const MEMORY_KIB: usize = 2 << 20;

const FUNCTION: &str = "hostile_function_placeholder_aaa";

/// Every kind of name that an application has. Each placeholder is 32 bytes long.
const NAMES: &str = r#"
#include "ufunc.h"
enum hostile_enum_placeholder_aaaaaaa { hostile_value_placeholder_aaaaaa };
typedef long hostile_typedef_placeholder_aaaa;
union hostile_union_placeholder_aaaaaa { int hostile_union_member_placeholder; };
struct hostile_struct_placeholder_aaaaa {
	hostile_typedef_placeholder_aaaa hostile_member_placeholder_aaaaa;
	enum hostile_enum_placeholder_aaaaaaa e;
	union hostile_union_placeholder_aaaaaa u;
};
struct hostile_struct_placeholder_aaaaa *make(int hostile_parameter_placeholder_aa) { return 0; }
void unmake(struct hostile_struct_placeholder_aaaaa *hostile_object_placeholder_aaaaa) { }
int hostile_function_placeholder_aaa(hostile_typedef_placeholder_aaaa t) { return t; }
UFUNC_ACQUIRE(make);
UFUNC_RELEASE(unmake);
UFUNC_PLAIN(hostile_function_placeholder_aaa);
int main(void) { return 0; }
"#;

/// Names of everything but functions, which are refused unless they are identifiers.
const DATA_NAMES: [&str; 9] = [
    "hostile_enum_placeholder_aaaaaaa",
    "hostile_value_placeholder_aaaaaa",
    "hostile_typedef_placeholder_aaaa",
    "hostile_union_placeholder_aaaaaa",
    "hostile_union_member_placeholder",
    "hostile_struct_placeholder_aaaaa",
    "hostile_member_placeholder_aaaaa",
    "hostile_parameter_placeholder_aa",
    "hostile_object_placeholder_aaaaa",
];

const TEXTS: [&[u8]; 20] = [
    b"\"; panic!() //",
    b"`*/ fn evil() {} /*",
    b"\nfn evil() {}\n",
    b"\r\nfn evil() {}\r\n",
    b"\"]; fn evil() {} [\"",
    b"\"#; fn evil() {} r#\"",
    b"\\\"; fn evil() {}",
    b"\\",
    b"'); evil!(",
    b"}} fn evil() {{",
    b"{} {0} {evil}",
    b"\xff\xfe\x80",
    b"\xe2\x80\xae\xe2\x81\xa6evil\xe2\x81\xa9",
    "fn_\u{455}\u{4cf}".as_bytes(),
    b"\x1b[2J\x07",
    b"r#fn",
    b"\0evil",
    b"a b",
    b"\xe2\x80\xa8fn evil() {}",
    b"1 + 1",
];

/// Asserts that `source` is what `ufunc-gen` writes for a module with the stubs `functions`, and
/// nothing else.
#[track_caller]
fn assert_harmless(source: &str, functions: &[&str]) {
    for letter in source.chars() {
        // Nothing that could show the text in another order than the compiler reads it.
        let is_plain = letter == '\n' || (' '..='~').contains(&letter) || letter == '…';
        assert!(is_plain, "{letter:?} in:\n{source}");
    }
    let file = assert_expected_items(source);
    let stubs = file.items.iter().find_map(|item| match item {
        syn::Item::Mod(stubs) => stubs.content.as_ref(),
        _ => None,
    });
    let stubs: Vec<_> = stubs.unwrap().1.iter().map(item).collect();
    let expected: Vec<_> = functions.iter().map(|name| format!("fn {name}")).collect();
    assert_eq!(stubs, expected, "{source}");
    for item in &stubs_of(&file) {
        assert!(item.block.stmts.len() <= 1, "{source}");
    }
}

/// Asserts that `source` is Rust and has the items that it should have, whatever stubs those are.
#[track_caller]
fn assert_expected_items(source: &str) -> syn::File {
    let file = syn::parse_file(source).unwrap_or_else(|error| panic!("{error} in:\n{source}"));
    let items: Vec<_> = file.items.iter().map(item).collect();
    let expected = [
        "const HOST",
        "const BUILD_ID",
        "const UFUNCS",
        "mod stubs",
        "struct KfuncSet",
        "struct KfuncPair",
        "static KFUNCS",
        "struct BtfSection",
        "static BTF_BASE",
        "static BTF",
    ];
    assert_eq!(items, expected, "{source}");
    file
}

fn stubs_of(file: &syn::File) -> Vec<&syn::ItemFn> {
    let modules = file.items.iter().filter_map(|item| match item {
        syn::Item::Mod(module) => module.content.as_ref(),
        _ => None,
    });
    let items = modules.flat_map(|(_, items)| items);
    let functions = items.filter_map(|item| match item {
        syn::Item::Fn(function) => Some(function),
        _ => None,
    });
    functions.collect()
}

/// Kind and name of an item, whose attributes must be of those that are written.
fn item(item: &syn::Item) -> String {
    let (kind, name, attrs) = match item {
        syn::Item::Const(item) => ("const", &item.ident, &item.attrs),
        syn::Item::Static(item) => ("static", &item.ident, &item.attrs),
        syn::Item::Struct(item) => ("struct", &item.ident, &item.attrs),
        syn::Item::Mod(item) => ("mod", &item.ident, &item.attrs),
        syn::Item::Fn(item) => ("fn", &item.sig.ident, &item.attrs),
        _ => panic!("an item that ufunc-gen never writes"),
    };
    for attr in attrs {
        let name = attr.path().get_ident().unwrap().to_string();
        let known = ["doc", "allow", "no_mangle", "used", "link_section", "repr"];
        assert!(known.contains(&name.as_str()), "attribute {name}");
    }
    format!("{kind} {name}")
}

fn names_app(file: &str) -> Vec<u8> {
    let lab = Lab::new();
    fs::read(lab.build_files("gcc", &["-g", "-w"], &[(file, NAMES)])).unwrap()
}

#[test]
fn names_of_types_members_and_parameters_never_become_code() {
    let app = names_app("app.c");
    for placeholder in DATA_NAMES {
        for text in TEXTS {
            let written = source(&replace(&app, placeholder, text));
            let written = written.unwrap_or_else(|error| panic!("{text:?}: {error:#}"));
            assert_harmless(&written, &[FUNCTION, "make", "unmake"]);
        }
    }
}

#[test]
fn a_function_is_only_ever_called_by_an_identifier() {
    let app = names_app("app.c");
    for text in TEXTS {
        let error = format!("{:#}", source(&replace(&app, FUNCTION, text)).unwrap_err());
        // Quoted as Rust quotes strings, so that it cannot do anything to a terminal either.
        assert!(!error.contains(['\x1b', '\r', '\u{202e}', '\u{2028}']), "{error:?}");
        // A name that ends early, at its NUL, is a name of nothing.
        let reasons = ["no identifier", "no function", "is not UTF-8", "lacks a role", "no '='"];
        assert!(reasons.iter().any(|reason| error.contains(reason)), "{text:?}: {error}");
    }
}

#[test]
fn names_of_source_files_never_become_code() {
    let placeholder = "hostile_source_placeholder_aaa.c";
    let app = names_app(placeholder);
    for text in TEXTS {
        let written = source(&replace(&app, placeholder, text));
        let written = written.unwrap_or_else(|error| panic!("{text:?}: {error:#}"));
        assert_harmless(&written, &[FUNCTION, "make", "unmake"]);
    }
}

#[test]
fn the_applications_own_name_never_becomes_code() {
    use std::os::unix::ffi::OsStrExt as _;
    let app = names_app("app.c");
    let lab = Lab::new();
    for text in TEXTS.iter().filter(|text| !text.contains(&0) && !text.contains(&b'/')) {
        let path = lab.folder().join(std::ffi::OsStr::from_bytes(text));
        fs::write(&path, &app).unwrap();
        assert_harmless(&generate(&[&path]).ok().stdout, &[FUNCTION, "make", "unmake"]);
        // What it says of such a file may be read on a terminal.
        fs::write(&path, b"nonsense").unwrap();
        generate(&[&path]).refused(&["is not an ELF file"]);
    }
}

#[test]
fn an_endless_name_is_cut_or_refused() {
    let long = "x".repeat(100_000);
    let lab = Lab::new();
    let types = format!("base i, int, 4, 5\nstruct object, {long}, 4\nmember {long}, i, 0\nclose");
    let written = limited_run(&crafted(&lab, &types)).ok().stdout;
    assert!(written.len() < 20_000, "{} bytes", written.len());
    assert_harmless(&written, &["thing_free", "thing_new"]);
}

/// Runs the command on `app` with limited memory.
#[track_caller]
fn limited_run(app: &Path) -> Output {
    let command = Path::new(env!("CARGO_BIN_EXE_ufunc-gen"));
    run("ufunc-gen", limited(command, MEMORY_KIB).arg(app))
}

#[test]
fn sound_crafted_entries_are_accepted() {
    let lab = Lab::new();
    let types =
        "base i, int, 4, 5\nstruct object, object, 8\nmember a, i, 0\nmember b, i, 4\nclose";
    assert_harmless(&limited_run(&crafted(&lab, types)).ok().stdout, &["thing_free", "thing_new"]);
}

/// Entries that no compiler writes, and what the error says of them; nothing for those that become
/// bytes.
const IMPOSSIBLE: &[(&str, &str)] = &[
    ("struct object, s, 8; member m, object, 0; close", "STRUCT 's'"),
    (
        "struct object, s, 8; member m, t, 0; close; typedef t, circle, u; typedef u, round, t",
        "'circle'",
    ),
    ("struct object, s, 8; member m, t, 0; close; typedef t, circle, t", "TYPEDEF 'circle'"),
    ("struct object, s, 8; member m, c, 0; close; const c, c", "contains itself"),
    ("struct object, s, 8; member m, a, 0; close; array a, a, 1", "contains itself"),
    ("struct object, s, 8; member m, p, 0; close; pointer p, p", "contains itself"),
    (
        "struct object, s, 8; member m, o, 0; close; struct o, t, 8; member n, object, 0; close",
        "'s'",
    ),
    ("base i, int, 4, 5; struct object, s, 8; member late, i, 8; close", ""),
    ("base i, int, 4, 5; struct object, s, 8; member late, i, 6; close", "STRUCT 's'"),
    ("base i, int, 4, 5; struct object, s, 8; member late, i, 800; close", "'late'"),
    ("base i, int, 4, 5; struct object, s, 8; member far, i, 0x123456789; close", ""),
    ("base i, int, 4, 5; union object, u, 8; member m, i, 4; close", "UNION 'u'"),
    ("struct object, s, 8; void_member nothing, 0; close", "'nothing'"),
    ("base i, int, 4, 5; struct object, s, 8; bits wide, i, 40, 0; close", "'wide'"),
    ("base i, int, 4, 5; struct object, s, 8; bits wide, i, 400, 0; close", ""),
    ("base i, int, 4, 5; struct object, s, 8; bits late, i, 8, 60; close", "'late'"),
    ("base f, float, 4, 4; struct object, s, 8; bits real, f, 3, 0; close", "'real'"),
    (
        "base i, int, 4, 5; struct object, s, 8; member m, p, 0; close; pointer p, a; array a, i, 0x40000001",
        "4 GiB",
    ),
    ("base i, int, 4, 5; struct object, s, 8; member m, a, 0; close; array a, i, 0x100000000", ""),
    (
        "struct object, s, 16; member m, e, 0; close; enum e, odd, 3; value A, 1; close",
        "ENUM 'odd'",
    ),
    (
        "struct object, s, 16; member m, e, 0; close; enum e, odd, 16; value A, 1; close",
        "ENUM 'odd'",
    ),
    ("struct object, s, 0x123456789; close", ""),
];

#[test]
fn impossible_types_are_refused_by_name() {
    for (entries, expected) in IMPOSSIBLE {
        let lab = Lab::new();
        let app = crafted(&lab, &entries.replace(';', "\n"));
        if expected.is_empty() {
            limited_run(&app).ok();
        } else {
            limited_run(&app).refused(&[expected]);
        }
    }
}

const OBJECT: &str = "base i, int, 4, 5\nstruct object, s, 8\nmember m, i, 0\nclose\n";

#[test]
fn references_that_lead_nowhere_or_round_end() {
    for entries in [
        // Functions that stand for each other, or for themselves.
        "origin a, b\norigin b, a\n",
        "origin a, a\n",
        // A sibling behind, here, and in the middle of another entry.
        "struct_then x, x, 8, unit + 11\nmember m, i, 0\nclose\n",
        "struct_then x, x, 8, x\nmember m, i, 0\nclose\n",
        "struct_then x, x, 8, unit + 20\nclose\n",
        // Children of what has none left, and no end.
        "close\nclose\n",
        ".byte 0xff, 0xff, 0xff, 0x7f\n",
        ".uleb128 99\n",
    ] {
        let lab = Lab::new();
        let app = crafted(&lab, &format!("{OBJECT}{entries}"));
        let output = limited_run(&app);
        assert!(matches!(output.status, Some(0 | 2)), "{entries}: {output:?}");
        assert!(!output.stderr.contains("panicked"), "{entries}: {}", output.stderr);
    }
    let lab = Lab::new();
    let types = "base i, int, 4, 5\nstruct_then object, s, 8, object\nmember m, i, 0\nclose";
    limited_run(&crafted(&lab, types)).ok();
}

#[test]
fn references_out_of_bounds_are_errors_that_name_the_place() {
    for to in ["unit + 0x7fffffff", "unit", "unit + 1", "unit_end", "unit_end + 1"] {
        let lab = Lab::new();
        let app = crafted(&lab, &format!("struct object, s, 8\nmember m, {to}, 0\nclose"));
        limited_run(&app).refused(&["crafted"]);
    }
}

#[test]
fn depth_is_no_danger() {
    let count = 50_000;
    let mut pointers = String::from("struct object, s, 8\nmember m, p0, 0\nclose\n");
    let mut structs = String::from("struct object, s, 4\nmember m, s0, 0\nclose\n");
    let mut namespaces = String::from(OBJECT);
    let mut nested = String::from(OBJECT);
    for index in 0..count {
        let next = index + 1;
        let _ = writeln!(pointers, "pointer p{index}, p{next}");
        let _ = writeln!(structs, "struct s{index}, s{index}, 4\nmember m, s{next}, 0\nclose");
        namespaces += "namespace n\nfunction f, thing_new\n";
        let _ = writeln!(nested, "struct n{index}, n, 4");
    }
    let _ = writeln!(pointers, "base p{count}, int, 4, 5");
    let _ = writeln!(structs, "base s{count}, int, 4, 5");
    namespaces += &"close\n".repeat(count);
    nested += &"close\n".repeat(count);
    for (what, entries) in [
        ("pointers", pointers),
        ("structs", structs),
        ("namespaces", namespaces),
        ("nested", nested),
    ] {
        let lab = Lab::new();
        let output = limited_run(&crafted(&lab, &entries));
        assert!(matches!(output.status, Some(0 | 2)), "{what}: {output:?}");
        assert!(!output.stderr.contains("panicked"), "{what}: {}", output.stderr);
    }
}

#[test]
fn many_units_with_much_in_common_are_no_danger() {
    // Twenty thousand units, each with the abbreviations of the first, which are many.
    let mut entries = String::from(OBJECT);
    entries += ".section .debug_abbrev\nabbrevs_of_all:\n";
    for code in 1..2000 {
        let _ = writeln!(entries, "abbrev {code}, 0x34, 0; attr 0x03, 0x08; end");
    }
    entries += ".byte 0\n.section .debug_info, \"\", @progbits, unique, 2\n";
    for _ in 0..20_000 {
        entries += ".long 9\n.short 5\n.byte 1, 8\n.long abbrevs_of_all - abbrevs\n.byte 0\n";
    }
    entries += ".section .debug_info\n";
    let lab = Lab::new();
    let output = limited_run(&crafted(&lab, &entries));
    assert!(matches!(output.status, Some(0 | 2)), "{output:?}");
    assert!(!output.stderr.contains("panicked"), "{}", output.stderr);
}

#[test]
fn tables_that_are_read_again_and_again_are_refused() {
    // One table of files for many units, each of which keeps it.
    let mut entries = String::from(OBJECT);
    entries +=
        ".section .debug_abbrev\nwith_lines: abbrev 1, 0x11, 0; attr 0x10, 0x17; end\n.byte 0\n";
    entries +=
        ".section .debug_line\n.long lines_end - . - 4\n.short 4\n.long header_end - . - 4\n";
    entries += ".byte 1, 1, 1, 0xfb, 14, 1\n.byte 0\n";
    for _ in 0..50_000 {
        entries += ".byte 0x61, 0, 0, 0, 0\n";
    }
    entries +=
        ".byte 0\nheader_end:\nlines_end:\n.section .debug_info, \"\", @progbits, unique, 2\n";
    for _ in 0..20_000 {
        entries += ".long 13\n.short 5\n.byte 1, 8\n.long with_lines - abbrevs\n.byte 1\n.long 0\n";
    }
    entries += ".section .debug_info\n";
    let lab = Lab::new();
    // Nobody asks for the files of those units.
    limited_run(&crafted(&lab, &entries)).ok();

    // Tables of abbreviations that begin within each other.
    let mut entries = String::from(OBJECT);
    entries += ".section .debug_abbrev\noverlapping:\n";
    for _ in 0..20_000 {
        entries += "abbrev 1, 0x34, 0; attr 0x03, 0x08; end\n";
    }
    entries += ".byte 0\n.section .debug_info, \"\", @progbits, unique, 2\n";
    for table in 0..20_000 {
        let _ = writeln!(
            entries,
            ".long 9\n.short 5\n.byte 1, 8\n.long overlapping - abbrevs + 7 * {table}\n.byte 0"
        );
    }
    entries += ".section .debug_info\n";
    let lab = Lab::new();
    limited_run(&crafted(&lab, &entries)).refused(&[".debug_abbrev", "keep its readers busy"]);
}

#[test]
fn entries_that_are_read_again_and_again_are_refused() {
    // Each struct has all that follow within it, and each is asked for.
    let count = 20_000;
    let mut entries = format!("struct object, s, {}\n", 8 * count);
    for index in 0..count {
        let _ = writeln!(entries, "member m, p{index}, {}", 8 * index);
    }
    entries += "close\n";
    for index in 0..count {
        let _ = writeln!(entries, "pointer p{index}, n{index}");
    }
    for index in 0..count {
        let _ = writeln!(entries, "struct n{index}, n, 4");
    }
    entries += &"close\n".repeat(count);
    let lab = Lab::new();
    limited_run(&crafted(&lab, &entries)).refused(&[".debug_info", "keep its readers busy"]);
}

#[test]
fn more_members_than_btf_can_express_become_bytes() {
    let mut types = String::from("base i, int, 4, 5\nstruct object, crowd, 400000\n");
    for index in 0..66_000 {
        let _ = writeln!(types, "member m, i, {}", index * 4);
    }
    types += "close";
    let lab = Lab::new();
    let written = limited_run(&crafted(&lab, &types)).ok().stdout;
    assert_harmless(&written, &["thing_free", "thing_new"]);
}

/// Three applications as compilers make them: C of DWARF 5 and 4, and C++.
fn real_apps() -> Vec<Vec<u8>> {
    const CPP: &str = r#"
        #include "ufunc.h"
        namespace ns {
            struct base { int a; virtual ~base() {} };
            struct session : base { int bits : 3; bool flag : 1; session *next; char text[8]; };
            session only;
            template <class T> struct box { T value; };
            session *checkout(box<int> *b) { return b->value ? nullptr : &only; }
            void hand_back(session *s) { s->a = 0; }
        }
        UFUNC_ACQUIRE(ns::checkout);
        UFUNC_RELEASE(ns::hand_back);
        int main() { return 0; }
    "#;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let include = format!("-I{}", folder.join("include").display());
    let example = |compiler: &str, dwarf: &str, name: &str| {
        let text = fs::read_to_string(folder.join(name)).unwrap();
        let lab = Lab::new();
        let app = lab.build(compiler, &[dwarf, "-O2", "-pthread", &include], &text);
        fs::read(app).unwrap()
    };
    let lab = Lab::new();
    let cpp = lab.build_files("g++", &["-gdwarf-5"], &[("app.cpp", CPP)]);
    vec![
        example("gcc", "-gdwarf-5", "btf-base-complete.c"),
        example("clang", "-gdwarf-4", "annotated.c"),
        fs::read(cpp).unwrap(),
    ]
}

/// Damages a few bytes of `app`, most of them where they are read.
fn mutate(app: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = app.to_vec();
    let sections = sections(app);
    let headers = u64::from_le_bytes(app[40..48].try_into().unwrap()) as usize;
    for _ in 0..1 + random.below(4) {
        let place = match random.below(16) {
            0 => 0..64,
            1 | 2 => headers..app.len(),
            _ => {
                let wanted = random.read_section();
                let found = sections.iter().find(|(name, _)| name == wanted);
                found.map_or(0..app.len(), |(_, range)| range.clone())
            }
        };
        let at = place.start + random.below(place.len());
        let value = random.next();
        match random.below(4) {
            0 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][value as usize % 5],
            1 => bytes[at] ^= 1 << (value % 8),
            2 => bytes[at] = value as u8,
            _ => {
                let end = (at + 8).min(bytes.len());
                let extreme = [0, u64::MAX, i64::MAX as u64, u64::from(u32::MAX), value];
                let extreme = extreme[value as usize % 5].to_le_bytes();
                bytes[at..end].copy_from_slice(&extreme[..end - at]);
            }
        }
    }
    bytes
}

/// Runs the library on `cases`; fails if one panics, or takes too long.
fn survives(cases: impl Iterator<Item = (String, Vec<u8>)> + Send) {
    // Panics are reported once, with their case.
    let (sender, receiver) = mpsc::channel::<Option<String>>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for (what, bytes) in cases {
                sender.send(Some(what.clone())).unwrap();
                let outcome = catch_unwind(AssertUnwindSafe(|| source(&bytes)));
                let Ok(outcome) = outcome else { panic!("{what}: a panic") };
                // Damage may change what is written, never what it consists of.
                if let Ok(written) = outcome {
                    assert_expected_items(&written);
                }
            }
            sender.send(None).unwrap();
        });
        let mut last = String::new();
        loop {
            match receiver.recv_timeout(CASE_LIMIT) {
                Ok(Some(what)) => last = what,
                Ok(None) => break,
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    // The thread cannot be stopped, so neither can the test go on.
                    println!("{last}: does not end within {CASE_LIMIT:?}");
                    std::process::abort();
                }
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
            }
        }
    });
}

#[test]
fn no_damage_makes_the_library_panic_or_hang() {
    let seed = seed();
    for (index, app) in real_apps().into_iter().enumerate() {
        source(&app).unwrap();
        let mut random = Random::new(seed + index as u64);
        survives((0..1000).map(|case| {
            (format!("seed {seed}, application {index}, case {case}"), mutate(&app, &mut random))
        }));
    }
}

#[test]
fn no_truncation_makes_the_library_panic_or_hang() {
    let seed = seed();
    for (index, app) in real_apps().into_iter().enumerate() {
        let mut random = Random::new(seed);
        let edges = sections(&app).into_iter().flat_map(|(_, range)| [range.start, range.end]);
        let mut lengths: Vec<_> = edges.flat_map(|edge| [edge.saturating_sub(1), edge]).collect();
        lengths.extend(0..70);
        lengths.extend((0..500).map(|_| random.below(app.len())));
        survives(lengths.into_iter().map(|length| {
            (format!("application {index}, {length} bytes"), app[..length.min(app.len())].to_vec())
        }));
    }
}

/// The same in a process of its own with little memory, where a stack that overflows and an
/// allocation that fails are seen too.
#[test]
fn no_damage_makes_the_command_abort() {
    let seed = seed() + 1000;
    let lab = Lab::new();
    for (index, app) in real_apps().into_iter().enumerate() {
        let mut random = Random::new(seed + index as u64);
        for case in 0..60 {
            let bytes = match case % 3 {
                0 => app[..random.below(app.len())].to_vec(),
                _ => mutate(&app, &mut random),
            };
            let output = limited_run(&lab.write("app", bytes));
            let what = format!("seed {seed}, application {index}, case {case}: {output:?}");
            assert!(matches!(output.status, Some(0 | 2)), "{what}");
            assert!(!output.stderr.contains("panicked"), "{what}");
            assert!(output.status == Some(0) || output.stdout.is_empty(), "{what}");
        }
    }
}

/// The files of an application in several: the application, and the one that is damaged.
fn split_apps(lab: &Lab) -> Vec<(&'static str, &'static str)> {
    lab.write("a.c", "struct item { int n; struct item *next; }; struct item *f(struct item *i) { return i->next; } int main(void) { return !f(0); }");
    let dwo = ["-gdwarf-5", "-gsplit-dwarf", "-c", "a.c", "-o", "split.o"];
    tool(lab.folder(), "gcc", &dwo);
    tool(lab.folder(), "gcc", &["-o", "split", "split.o"]);
    // Enough for sharing to be worth it.
    let mut source = String::from("int main(void) { return 0; }\n");
    for index in 0..50 {
        let _ = writeln!(
            source,
            "struct shared_{index} {{ int first_{index}; struct shared_{index} *next; }} v{index};"
        );
    }
    lab.write("b.c", source);
    tool(lab.folder(), "gcc", &["-gdwarf-5", "-o", "one", "b.c"]);
    fs::copy(lab.path("one"), lab.path("two")).unwrap();
    tool(lab.folder(), "dwz", &["--relative", "-m", "shared.debug", "one", "two"]);
    vec![("split", "split.dwo"), ("split", "split"), ("one", "shared.debug"), ("one", "one")]
}

/// `ufunc-gen btf` and `ufunc-gen merge` on damaged files, with memory in proportion to them.
#[test]
fn no_damage_makes_the_other_commands_abort() {
    let seed = seed() + 2000;
    let command = Path::new(env!("CARGO_BIN_EXE_ufunc-gen"));
    let mut random = Random::new(seed);
    let lab = Lab::new();
    let assert_sane = |what: &str, output: &Output| {
        let what = format!("seed {seed}, {what}: {output:?}");
        assert!(matches!(output.status, Some(0 | 2)), "{what}");
        assert!(!output.stderr.contains("panicked"), "{what}");
        assert!(output.status == Some(0) || output.stderr.lines().count() <= 2, "{what}");
    };
    for (app, file) in split_apps(&lab) {
        let whole = fs::read(lab.path(file)).unwrap();
        let sizes = [app, file].map(|file| fs::metadata(lab.path(file)).unwrap().len() as usize);
        for case in 0..60 {
            let bytes = match case % 4 {
                0 => whole[..random.below(whole.len())].to_vec(),
                _ => mutate(&whole, &mut random),
            };
            lab.write(file, bytes);
            let mut command = limited_data(command, sizes.iter().sum());
            let args = command.arg("btf").arg(lab.path(app)).arg("-o").arg(lab.path("out.btf"));
            assert_sane(&format!("case {case} of {file}"), &run("ufunc-gen", args));
        }
        lab.write(file, whole);
        // The sound files are, after all that.
        let path = lab.path(app);
        let args =
            ["btf".as_ref(), path.as_os_str(), "-o".as_ref(), lab.path("app.btf").as_os_str()]
                .map(std::ffi::OsStr::to_owned);
        generate(&args).ok();
    }
    let whole = fs::read(lab.path("app.btf")).unwrap();
    lab.write("base.btf", &whole);
    for case in 0..200 {
        let mut bytes = whole.clone();
        for _ in 0..1 + random.below(3) {
            let at = random.below(bytes.len());
            bytes[at] = random.next() as u8;
        }
        if case % 4 == 0 {
            bytes.truncate(random.below(bytes.len()));
        }
        lab.write("more.btf", &bytes);
        let mut command = limited_data(command, 2 * whole.len());
        let (base, more) = match case % 2 {
            0 => ("base.btf", "more.btf"),
            _ => ("more.btf", "base.btf"),
        };
        command.arg("merge").arg(lab.path(base)).arg(lab.path(more));
        let output = run("ufunc-gen", command.arg("-o").arg(lab.path("merged.btf")));
        let what = format!("seed {seed}, merge {case}: {output:?}");
        assert!(matches!(output.status, Some(0 | 2)), "{what}");
        assert!(!output.stderr.contains("panicked"), "{what}");
        if output.status == Some(2) {
            assert!(output.stderr.contains("more.btf"), "{what}");
        }
    }
}
