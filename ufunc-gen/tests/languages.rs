// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the languages can say, and what BTF says of that.
//!
//! Sizes and places are checked by the compilers themselves: those of C and C++ assert what the BTF
//! says, and a Rust program prints where it has things.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;
#[path = "forms/probe.rs"]
mod probe;
#[path = "forms/view.rs"]
mod view;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use ufunc_gen::btf::Type;

use common::dwarf::Dwarf;
use common::kernel::accepted;
use common::{Lab, generate, run, tool};
use probe::Probe;
use view::View;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/languages")
}

/// A folder with copies of the sources `names`.
fn lab(names: &[&str]) -> Lab {
    let lab = Lab::new();
    for name in names {
        lab.write(name, fs::read(folder().join(name)).unwrap());
    }
    lab
}

/// The BTF of `app`, which the kernel accepts, and what was said of what BTF cannot say.
#[track_caller]
fn btf(lab: &Lab, app: &Path) -> (Vec<u8>, String) {
    let output = lab.path("app.btf");
    let args: [OsString; 5] =
        ["btf".into(), "-v".into(), "-o".into(), output.clone().into(), app.into()];
    let said = generate(&args).ok().stderr;
    let btf = fs::read(output).unwrap();
    accepted(&app.display().to_string(), &btf);
    (btf, said)
}

/// Asserts that `view` has the lines `expected` to the letter.
#[track_caller]
fn says(what: &str, view: &View<'_>, expected: &[String]) {
    let lines = view.lines();
    let missing: Vec<&String> = expected.iter().filter(|line| !lines.contains(line)).collect();
    let start = |line: &str| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    let is_near = |line: &&String| missing.iter().any(|other| start(other) == start(line));
    let near: Vec<&String> = lines.iter().filter(is_near).collect();
    assert!(missing.is_empty(), "{what}: no {missing:#?}; there are {near:#?}");
}

/// The line of `said` that counts what `text` says.
#[track_caller]
fn counted(what: &str, said: &str, text: &str) -> usize {
    let line = said.lines().find(|line| line.ends_with(&format!(" × {text}")));
    let line = line.unwrap_or_else(|| panic!("{what}: nothing says {text:?} in:\n{said}"));
    line.split(' ').nth(1).unwrap().parse().unwrap()
}

/// A line with the base types as clang calls them.
fn as_clang(line: &str) -> String {
    line.replace("long unsigned int", "unsigned long")
        .replace("long long int", "long long")
        .replace("long int", "long")
        .replace("short unsigned int", "unsigned short")
        .replace("short int", "short")
        .replace("__int128 unsigned", "unsigned __int128")
}

const C: &[&str] = &[
    "declared struct nowhere",
    "enum full size 4 {FULL=4294967295}",
    "enum late size 4 {LATE=7}",
    "enum negative size 4 {NEGATIVE=-1, POSITIVE=2147483647}",
    "enum signed_wide size 8 wide {WIDE_LEAST=-9223372036854775808, WIDE_ONE=1}",
    "enum tiny size 1 {TINY=0, TINY_MOST=255}",
    "enum unsigned_wide size 8 wide {WIDE_ZERO=0, WIDE_MOST=18446744073709551615}",
    "float double size 8",
    "float float size 4",
    "float long double size 16",
    "func array global (rows *[3]int, name *char) void",
    "func by_value global (value struct anonymous, all *union all) struct anonymous",
    "func find global (zoo *struct zoo) *struct elsewhere",
    "func is global (b _Bool) _Bool",
    "func main global (argc int, argv **char) int",
    "func old_style global () int",
    "func partly static (fields *struct fields, unused int, used int) int",
    "func real global (f float, d double, ld long double) float",
    "func same_name static (one *struct elsewhere, two *union elsewhere_too) long int",
    "func unnamed global (a int, b *char) int",
    "func variadic global (format *const char, ...) int",
    "func weak global () void",
    "int _Bool size 1 bits 8 unsigned bool",
    "int __int128 size 16 bits 128 signed",
    "int __int128 unsigned size 16 bits 128 unsigned",
    "int char size 1 bits 8 signed",
    "int signed char size 1 bits 8 signed",
    "int unsigned char size 1 bits 8 unsigned",
    "struct aligned size 64 {c@0 char; wide@256 int}",
    "struct anonymous size 20 {before@0 int; @32 struct size 8 {inner@0 int; @32 union size 4 {deep@0 int; real@0 float}}; @96 union size 4 {letter@0 char; @0 struct size 4 {low@0 short int; high@16 short int}}; after@133:3 unsigned int}",
    // `_Atomic` has no counterpart.
    "struct atomic size 32 {value@0 int; list@64 *struct flexible; pointer@128 *int; byte@192 unsigned char}",
    "struct elsewhere size 16 {late@0 enum late; next@64 *struct elsewhere}",
    "struct empty size 0 {}",
    "struct flexible size 4 {length@0 int; entries@32 [0]struct size 2 {key@0 char; value@8 char}}",
    "struct main__local size 8 {in_main@0 long int}",
    // A double that is not aligned is refused by the kernel.
    "struct packed size 20 {c@0 char; s@8:9 short unsigned int; d@24 struct unaligned_double; l@88:20 unsigned int; m@108:50 long long int}",
    "struct zero_length size 4 {length@0 int; data@32 [0]int}",
    "typedef function = fn( int, ...) int",
    "typedef number_too = number",
    "typedef unprototyped = fn(...) void",
    // A vector is an array.
    "typedef vector = [4]int",
    "union elsewhere_too size 4 {here@0 int; too@0 char}",
];

/// Structs and unions that the compiler is asked about.
const C_PROBED: [(&str, &str); 9] = [
    ("flexible", "struct flexible"),
    ("zero_length", "struct zero_length"),
    ("anonymous", "struct anonymous"),
    ("fields", "struct fields"),
    ("packed", "struct packed"),
    ("atomic", "struct atomic"),
    ("numbers", "struct numbers"),
    ("pointers", "struct pointers"),
    ("all", "union all"),
];

#[test]
fn c() {
    for compiler in ["gcc", "clang"] {
        for flags in [["-gdwarf-4", "-O0"], ["-gdwarf-5", "-O0"], ["-gdwarf-5", "-O2"]] {
            let lab = lab(&["zoo.h", "zoo.c", "zoo_other.c"]);
            let args = ["-w", "-g", flags[0], flags[1], "-o", "app", "zoo.c", "zoo_other.c"];
            tool(lab.folder(), compiler, &args);
            let (btf, said) = btf(&lab, &lab.path("app"));
            let view = View::of(&btf);
            let what = format!("{compiler} {flags:?}");
            assert_eq!(view.repeated(), Vec::<String>::new(), "{what}");
            let is_clang = compiler == "clang";
            let expected = C.iter().map(|line| match is_clang {
                true => as_clang(line),
                false => (*line).to_owned(),
            });
            says(&what, &view, &expected.collect::<Vec<_>>());
            // The constants of an enumeration without a name.
            let has_constants = view.types.iter().any(
                |ty| matches!(ty, Type::Enum { name, values, .. } if name.is_empty() && values[0].0 == "LOCAL_ENUM"),
            );
            assert!(has_constants || flags[1] == "-O2", "{what}");
            // What the compiler needs for expressions is no type of the application.
            assert!(!view.lines().iter().any(|line| line.contains("DW_ATE_")), "{what}");

            // Floats of other kinds, and what is no float of BTF.
            let numbers = view.line("struct numbers");
            let complex =
                if is_clang { "struct complex#(size 16 {})" } else { "struct complex_double" };
            assert!(numbers.contains(&format!("complex16@960 {complex};")), "{what}: {numbers}");
            let quad = if is_clang { "__float128" } else { "_Float128" };
            assert!(view.has(&format!("float {quad}")), "{what}");
            match is_clang {
                true => assert!(view.has("int _BitInt size 4"), "{what}"),
                false => assert!(view.has("float _Float16 size 2"), "{what}"),
            }
            let odd = "base types that BTF has no kind for became bytes";
            assert_eq!(counted(&what, &said, odd), 3, "{what}");
            if flags[0] == "-gdwarf-5" {
                let atomic = "atomic and other qualifiers of no meaning to BTF were left out";
                assert_eq!(counted(&what, &said, atomic), 4, "{what}");
            }
            let variables = "variables outside of functions were left out";
            assert_eq!(counted(&what, &said, variables), 4, "{what}");
            // An inlined function has no code.
            assert_eq!(view.has("func inlined"), flags[1] == "-O0", "{what}");

            let mut probe = Probe::c("#include \"zoo.h\"");
            for (name, source) in C_PROBED {
                probe.add(&view, name, source);
            }
            assert!(probe.count > 60, "{}", probe.text());
            lab.write("probe.c", probe.text());
            tool(lab.folder(), compiler, &["-w", "-c", "probe.c"]);
            probe.check_bits(&what, &lab.path("probe.o"));
        }
    }
}

const CPP: &[&str] = &[
    "declared struct only_declared",
    // Declared first, and once only.
    "enum later size 2 {now=-7}",
    "enum members__inside size 4 {FIRST=0, SECOND=1}",
    "enum n1__plain size 4 {N1_A=0, N1_B=4}",
    "enum scoped size 1 {off=0, on=200}",
    "enum wide size 8 wide {least=-5000000000}",
    // Base classes are members without a name, at their places.
    "struct derived size 32 {@0 struct base1; @64 struct base2; own@192 short int}",
    "struct with_empty size 4 {@0 struct empty_base; after@0 int}",
    "struct more size 16 {@0 struct polymorphic; m@96 int}",
    // A virtual one is left out.
    "struct diamond size 48 {@0 struct virtual_left; @128 struct virtual_right; d@224 int}",
    "struct n1__data size 16 {only@0 int; next@64 *struct n1__data}",
    "struct n2__data size 16 {first@0 long int; second@64 long int}",
    "struct outer___anonymous__hidden size 1 {h@0 char}",
    "struct outer__inner__deep size 4 {h@0 struct outer___anonymous__hidden; v@16 struct outer__v2__versioned}",
    "struct members__nested size 16 {outer@0 *struct members; @64 union size 4 {i@0 int; f@0 float}}",
    "struct main__local size 4 {in_main@0 int}",
    "struct methods size 4 {m@0 int}",
    "struct array_char__4_ size 4 {items@0 [4]char}",
    "struct pack_int__char__double_ size 16 {@0 struct pack_char__double_; head@96 int}",
    "struct pack_char__double_ size 16 {@0 struct pack_double_; head@64 char}",
    "struct of_template_array_ size 4 {c@0 struct array_char__4_}",
    "typedef members__own_type = long unsigned int",
    "union with_methods size 4 {i@0 int; bytes@0 [4]char}",
];

/// By both compilers, but for qualifiers of `this`, which GCC has.
const CPP_FUNCTIONS: &[&str] = &[
    "func _Z12by_referenceR7membersO7diamond global (m *struct members, d *struct diamond) int",
    "func _ZN2n14takeEPNS_4dataE global (d *struct n1__data) int",
    "func _ZN2n24takeEPNS_4dataE global (d *struct n2__data) int",
    "func _ZN7methods9no_objectERS_ global (other *struct methods) int",
    "func _ZN7methods5typedIsEET_S1_ global (this *struct methods, value short int) short int",
    "func _ZNK7methods10overloadedEi global (this *const struct methods, _1 int) int",
    "func _ZNK7methods10overloadedEd global (this *const struct methods, _1 double) int",
    "func _ZNK7methodsplERKS_ global (this *const struct methods, other *const struct methods) struct methods",
    "func _ZNK12with_methods3getEv global (this *const union with_methods) int",
    // Not told how it was called; told where the virtual tables are only for a part of another.
    "func _ZN4moreD2Ev global (this *struct more) void",
    "func _ZN7diamondC1Ev global (this *struct diamond) void",
    "func _Z7countedIJidcEEilDpT_ global (first long int, PACK0 int, PACK1 double, PACK2 char) int",
    "func c_function global (e *struct everything, m struct methods, ...) int",
    "func main global (argc int, argv **char) int",
];

const CPP_PROBED: [(&str, &str); 12] = [
    ("n1__data", "n1::data"),
    ("n2__data", "n2::data"),
    ("outer__inner__deep", "outer::inner::deep"),
    ("derived", "derived"),
    ("with_empty", "with_empty"),
    ("more", "more"),
    ("members__nested", "members::nested"),
    ("pack_double_", "pack<double>"),
    ("array_n1__data__2_", "array<n1::data>"),
    ("with_methods", "with_methods"),
    ("everything", "everything"),
    ("refers", "refers"),
];

#[test]
fn cpp() {
    for compiler in ["g++", "clang++"] {
        for version in ["-gdwarf-4", "-gdwarf-5"] {
            let lab = lab(&["zoo.cpp"]);
            let args = ["-w", "-g", version, "-std=c++20", "-o", "app", "zoo.cpp"];
            tool(lab.folder(), compiler, &args);
            let (btf, said) = btf(&lab, &lab.path("app"));
            let view = View::of(&btf);
            let what = format!("{compiler} {version}");
            let is_clang = compiler == "clang++";
            let named = |line: &str| if is_clang { as_clang(line) } else { line.to_owned() };
            // GCC: `this` itself is const.
            let expected = CPP_FUNCTIONS.iter().map(|line| match is_clang {
                true => (*line).to_owned(),
                false => line.replace("(this *", "(this const *"),
            });
            // The parameters of a pack have its name, or none.
            let expected = expected.map(|line| match is_clang {
                true => {
                    line.replace("PACK0", "rest").replace("PACK1", "rest").replace("PACK2", "rest")
                }
                false => line.replace("PACK0", "_1").replace("PACK1", "_2").replace("PACK2", "_3"),
            });
            let expected = CPP.iter().map(|line| (*line).to_owned()).chain(expected);
            let expected: Vec<String> = expected.map(|line| named(&line)).collect();
            says(&what, &view, &expected);

            // References, pointers to members, and a pointer to nothing.
            let members = view.line("struct members");
            for part in [
                "reference@0 *int; moved@64 *int; data@128 struct size 8 {}; method@192 struct size 16 {};",
                "also@384 *void; s@448:3 enum scoped; flag@451:1 bool; w@480 wchar_t; c16@512 char16_t; c32@544 char32_t; n@576 struct members__nested;",
            ] {
                assert!(members.contains(part), "{what}: no {part} in {members}");
            }
            // Static members are no members, and a virtual table is pointed to.
            assert!(!members.contains("counter") && !members.contains("constant"), "{members}");
            let polymorphic = view.line("struct polymorphic");
            assert!(
                polymorphic.starts_with("struct polymorphic size 16 {_vptr_polymorphic@0 **fn(")
            );
            // The fields of `std::string` can be had.
            let string = "struct std____cxx11__basic_string_char__std__char_traits_char___std__allocator_char___";
            assert!(view.line(string).contains(" size 32 {_M_dataplus@0 struct "), "{what}");
            let alias = if is_clang { "alias_n2__data_" } else { "alias" };
            let alias = view.line(&format!("typedef {alias}"));
            assert!(alias.ends_with(" = struct array_n2__data__3_"), "{what}: {alias}");
            let lambda = "func _ZZ4mainENK3__0clEi";
            assert!(view.has(if is_clang { lambda } else { "func main__operator__" }), "{what}");
            for (text, least) in [
                ("references became pointers", 10),
                ("classes have their base classes as anonymous members", 10),
                ("classes lost virtual base classes, whose place each object says", 2),
                ("classes lost static members, which are variables", 1),
                ("pointers to members became bytes", 2),
                ("unspecified types became pointers to void", 1),
                ("names got other letters, for BTF allows those of C only", 50),
            ] {
                let count = counted(&what, &said, text);
                assert!(count >= least, "{what}: {count} × {text}");
            }

            let mut probe = Probe::cpp("#define main not_main\n#include \"zoo.cpp\"\n#undef main");
            for (name, source) in CPP_PROBED {
                probe.add(&view, name, source);
            }
            assert!(probe.count > 40, "{}", probe.text());
            lab.write("probe.cpp", probe.text());
            tool(lab.folder(), compiler, &["-w", "-std=c++20", "-fsyntax-only", "probe.cpp"]);
        }
    }
}

/// Arrays of some languages begin with 1 unless they say otherwise: `integer list(3)` is said to end
/// with 3, and that is all. And those of Fortran have the dimension first that C has last.
#[test]
fn first_index() {
    let lab = Lab::new();
    lab.write(
        "app.c",
        "struct list { int numbers[3]; } list;\nstruct grid { int numbers[2][3]; } grid;\n\
         int main(void) { return list.numbers[0] + grid.numbers[0][0]; }\n",
    );
    tool(lab.folder(), "gcc", &["-g", "-gdwarf-5", "-dA", "-S", "-o", "app.s", "app.c"]);
    let assembly = fs::read_to_string(lab.path("app.s")).unwrap();
    // C is told to end with 2.
    let is_language = |line: &&str| line.ends_with("# DW_AT_language");
    let language = assembly.lines().find(is_language).expect("gcc says the language");
    for (code, count, grid) in
        [("0x1d", 3, "[2][3]"), ("0x8", 2, "[2][1]"), ("0xd", 2, "[1][2]"), ("0x1c", 3, "[2][3]")]
    {
        let other = assembly.replace(language, &format!("\t.byte\t{code}"));
        lab.write("other.s", other);
        tool(lab.folder(), "gcc", &["-o", "other", "other.s"]);
        let (btf, _) = btf(&lab, &lab.path("other"));
        let list = View::of(&btf).line("struct list");
        assert_eq!(list, format!("struct list size 12 {{numbers@0 [{count}]int}}"), "{code}");
        let found = View::of(&btf).line("struct grid");
        assert_eq!(found, format!("struct grid size 24 {{numbers@0 {grid}int}}"), "{code}");
    }
}

/// In Go a field can be a function, which is a pointer to it.
#[test]
fn values_of_functions() {
    let mut dwarf = Dwarf::default();
    dwarf.unit();
    let int = dwarf.int();
    let function = dwarf.here();
    dwarf.open(29).uleb(8).word(int).open(27).word(int).close(1);
    dwarf.structure("server", 16);
    dwarf.member("count", int, 0).member("handle", function, 8).close(1);
    dwarf.end();
    let lab = Lab::new();
    lab.write("app", dwarf.elf());
    let (btf, said) = btf(&lab, &lab.path("app"));
    let server = View::of(&btf).line("struct server");
    assert_eq!(server, "struct server size 16 {count@0 int; handle@64 *fn( int) int}");
    assert_eq!(counted("Go", &said, "functions that have a size became pointers to functions"), 1);
}

/// What a member has for a type is nowhere, or is no type: the other members, and types, are there.
#[test]
fn types_that_are_missing() {
    let mut dwarf = Dwarf::default();
    dwarf.unit();
    let int = dwarf.int();
    dwarf.open(9).name("e").uleb(4);
    let value = dwarf.here();
    dwarf.open(10).name("V").byte(1).close(1);
    let nothing = dwarf.pointer(value);
    dwarf.structure("s", 24);
    // The signature of no type unit.
    dwarf.open(18).name("unit").word(1).word(2);
    dwarf.member("value", value, 8).member("count", int, 12).member("nothing", nothing, 16);
    dwarf.close(1).end();
    let lab = Lab::new();
    lab.write("app", dwarf.elf());
    let (btf, said) = btf(&lab, &lab.path("app"));
    let view = View::of(&btf);
    assert_eq!(view.line("struct s"), "struct s size 24 {count@96 int; nothing@128 *void}");
    assert_eq!(view.line("enum e"), "enum e size 4 {V=1}");
    let text = "types became void that are not where they should be";
    assert_eq!(counted("what is missing", &said, text), 2);
}

const RUST: &[&str] = &[
    "enum zoo__CLike size 1 {Zero=0, Seven=7}",
    "enum zoo__Negative size 1 {Minus=-5, Plus=5}",
    "enum zoo__Wide size 8 wide {Small=1, Large=281474976710655}",
    "func c_function global (layout *struct zoo__shapes__Layout, count u32) u32",
    // Slices, strings and trait objects are structs.
    "struct __u32_ size 16 {data_ptr@0 *u32; length@64 usize}",
    "struct _str size 16 {data_ptr@0 *u8; length@64 usize}",
    "struct alloc__boxed__Box_dyn_zoo__Speak__alloc__alloc__Global_ size 16 {pointer@0 *struct dyn_zoo__Speak; vtable@64 *[4]usize}",
    // The fields of what a closure caught.
    "struct zoo__main___closure_env_0_ size 16 {_ref__everything__pair__0@0 *u32; _ref__number@64 *u32}",
    "struct zoo__shapes__Layout size 12 {tag@0 u8; wide@32 u32; bytes@64 [3]u8}",
    "struct zoo__shapes__Packed size 5 {a@0 u8; b@8 u32}",
    "struct zoo__shapes__Unit size 0 {}",
    "union zoo__shapes__Bits size 4 {float@0 f32; int@0 u32}",
    // With a tag.
    "union zoo__Tagged size 32 {@0 struct size 1 {__tag@0 u8}; Number@0 struct zoo__Tagged__Number; Text@0 struct zoo__Tagged__Text; Nothing@0 struct zoo__Tagged__Nothing}",
    "struct zoo__Tagged__Number size 32 {__0@32 u32}",
    "union zoo__WithGeneric_u32_ size 8 {@0 struct size 1 {__tag@0 u8}; Some@0 struct zoo__WithGeneric_u32___Some; Both@0 struct zoo__WithGeneric_u32___Both}",
    "union zoo__Big size 32 {@0 struct size 16 {__tag@0 u128}; One@0 struct zoo__Big__One; Two@0 struct zoo__Big__Two}",
    // Told apart by a value that none has, or not at all.
    "union core__option__Option__u32_ size 8 {@0 struct size 8 {__tag@0 u64}; None@0 struct core__option__Option__u32___None; Some@0 struct core__option__Option__u32___Some}",
    "union zoo__Single size 16 {Only@0 struct zoo__Single__Only}",
    "union zoo__Empty size 0 {}",
    // One within the other.
    "struct zoo__Nested__Other size 40 {__0@64 union core__option__Option_zoo__Tagged_}",
    // What an async function keeps while it waits.
    "union zoo__machine___async_fn_env_0_ size 40 {@0 struct size 37 {__state@288 u8}; _0@0 struct zoo__machine___async_fn_env_0___Unresumed; _1@0 struct zoo__machine___async_fn_env_0___Returned; _2@0 struct zoo__machine___async_fn_env_0___Panicked; _3@0 struct zoo__machine___async_fn_env_0___Suspend0}",
];

#[test]
fn rust() {
    let lab = lab(&["zoo.rs"]);
    tool(lab.folder(), "rustc", &["--edition", "2021", "-g", "-Awarnings", "-o", "app", "zoo.rs"]);
    let (btf, said) = btf(&lab, &lab.path("app"));
    let view = View::of(&btf);
    assert_eq!(view.repeated(), Vec::<String>::new());
    says("rust", &view, &RUST.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>());
    let lines = view.lines();
    let generic = lines.iter().filter(|line| line.starts_with("func _ZN3zoo7generic17h"));
    let generic: Vec<_> = generic.map(|line| line.split_once('(').unwrap().1).collect();
    let point = "value *struct zoo__shapes__Point) u32";
    assert!(generic.contains(&point) && generic.contains(&"value *u32) u32"), "{generic:?}");
    let variants = "enums with variants became unions of those and of their tag";
    assert!(counted("rust", &said, variants) > 10);

    // Where the program says that it has things.
    let app = lab.path("app");
    let printed = run("app", &mut Command::new(app)).ok().stdout;
    let mut count = 0;
    for line in printed.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let (what, number): (_, u32) = (words[0], words[2].parse().unwrap());
        let (name, member) = what.split_once('.').unwrap_or((what, ""));
        let found = view.types.iter().find_map(|ty| match ty {
            Type::Struct(composite) | Type::Union(composite) if composite.name == name => {
                Some(composite)
            }
            _ => None,
        });
        let found = found.unwrap_or_else(|| panic!("there is no {name}"));
        count += 1;
        if member.is_empty() {
            assert_eq!(found.size, number, "{line}");
            continue;
        }
        // A tuple's members are numbers.
        let names = [member.to_owned(), format!("__{member}")];
        let member = found.members.iter().find(|found| names.contains(&found.name.to_string()));
        assert_eq!(member.unwrap_or_else(|| panic!("{line}")).bit_offset, 8 * number, "{line}");
    }
    assert!(count > 60, "{printed}");
}
