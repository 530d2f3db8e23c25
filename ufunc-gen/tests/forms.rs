// SPDX-License-Identifier: MIT OR Apache-2.0
//! The same application in every form that compilers and tools give debug information: its BTF is
//! that of the plainest build.
//!
//! The plainest build is what `-g -O0` leaves, by the same compiler. What may differ is which
//! functions have code of their own, and that the symbols say.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;
#[path = "forms/probe.rs"]
mod probe;
#[path = "forms/view.rs"]
mod view;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use object::{Object as _, ObjectSymbol as _, SymbolKind};

use common::kernel::accepted;
use common::{Lab, generate, tool};
use probe::Probe;
use view::View;

/// The languages of the two applications.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Language {
    C,
    Cpp,
}
use Language::{C, Cpp};

impl Language {
    fn sources(self) -> &'static [&'static str] {
        match self {
            C => &["main.c", "lists.c", "tools.c"],
            Cpp => &["main.cpp", "shapes.cpp"],
        }
    }

    fn header(self) -> &'static str {
        match self {
            C => "shapes.h",
            Cpp => "shapes.hpp",
        }
    }
}

/// Who compiles.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Family {
    Gnu,
    Llvm,
}
use Family::{Gnu, Llvm};

const FAMILIES: [Family; 2] = [Gnu, Llvm];

impl Family {
    fn driver(self, language: Language) -> &'static str {
        match (self, language) {
            (Gnu, C) => "gcc",
            (Gnu, Cpp) => "g++",
            (Llvm, C) => "clang",
            (Llvm, Cpp) => "clang++",
        }
    }
}

const LANGUAGES: [Language; 2] = [C, Cpp];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/forms")
}

/// A folder with the sources.
fn lab(language: Language) -> Lab {
    let lab = Lab::new();
    for name in language.sources().iter().chain(&[language.header()]) {
        lab.write(name, fs::read(folder().join(name)).unwrap());
    }
    lab
}

/// Compiles the sources to objects, whose names are given.
#[track_caller]
fn compile(lab: &Lab, family: Family, language: Language, flags: &[&str]) -> Vec<String> {
    let driver = family.driver(language);
    let mut objects = Vec::new();
    for source in language.sources() {
        let object = format!("{}.o", source.split('.').next().unwrap());
        let mut args = vec!["-w", "-g", "-c", "-o", &object, source];
        if language == Cpp {
            args.push("-std=c++20");
        }
        args.extend(flags);
        tool(lab.folder(), driver, &args);
        objects.push(object);
    }
    objects
}

/// Links objects to the application `app`.
#[track_caller]
fn link(
    lab: &Lab,
    family: Family,
    language: Language,
    objects: &[String],
    flags: &[&str],
) -> PathBuf {
    let mut args = vec!["-Wl,--build-id", "-o", "app"];
    args.extend(objects.iter().map(String::as_str));
    args.extend(flags);
    tool(lab.folder(), family.driver(language), &args);
    lab.path("app")
}

#[track_caller]
fn build(lab: &Lab, family: Family, language: Language, compile_flags: &[&str]) -> PathBuf {
    let objects = compile(lab, family, language, compile_flags);
    link(lab, family, language, &objects, &[])
}

/// The BTF of `app`, which is the same however many units are read at a time, and which the kernel
/// and bpftool accept.
#[track_caller]
fn btf(what: &str, app: &Path, more: &[&str]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let mut found = Vec::<Vec<u8>>::new();
    for jobs in ["1", "2", "8"] {
        let output = folder.path().join(format!("btf-{jobs}"));
        let mut args: Vec<OsString> = ["btf", "-j", jobs, "-o"].map(OsString::from).into();
        args.extend([output.clone().into(), app.into()]);
        args.extend(more.iter().map(OsString::from));
        let output_text = generate(&args);
        assert_eq!(output_text.status, Some(0), "{what}: {}", output_text.stderr);
        found.push(fs::read(output).unwrap());
    }
    assert!(found.iter().all(|bytes| *bytes == found[0]), "{what}: -j1, -j2 and -j8 differ");
    // The kernel finds 32-bit pointers too near each other.
    if is_64_bit(app) {
        accepted(what, &found[0]);
    }
    tool(folder.path(), "bpftool", &["btf", "dump", "file", "btf-1"]);
    found.swap_remove(0)
}

fn is_64_bit(app: &Path) -> bool {
    let bytes = fs::read(app).unwrap();
    object::File::parse(&*bytes).unwrap().is_64()
}

/// The lines of the plainest build.
fn plain(family: Family, language: Language) -> &'static [String] {
    static PLAIN: [OnceLock<Vec<String>>; 4] = [const { OnceLock::new() }; 4];
    PLAIN[family as usize * 2 + language as usize].get_or_init(|| {
        let lab = lab(language);
        let app = build(&lab, family, language, &["-O0"]);
        let btf = btf("the plainest build", &app, &[]);
        let view = View::of(&btf);
        assert_eq!(view.repeated(), Vec::<String>::new());
        view.lines()
    })
}

/// Names of functions that `app` has code of, without what compilers append for a clone's sake.
fn symbols(app: &Path) -> BTreeSet<String> {
    let bytes = fs::read(app).unwrap();
    let file = object::File::parse(&*bytes).unwrap();
    let functions =
        file.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.is_definition());
    let names = functions.map(|symbol| symbol.name().unwrap().to_owned());
    // BTF allows letters of C only.
    names.map(|name| name.split('.').next().unwrap().replace('$', "_")).collect()
}

/// Asserts that the BTF of `app` says what that of the plainest build does, functions that
/// `unstripped` has no code of left out.
#[track_caller]
fn same(what: &str, plain: &[String], app: &Path, unstripped: &Path, more: &[&str]) {
    let btf = btf(what, app, more);
    let view = View::of(&btf);
    assert_eq!(view.repeated(), Vec::<String>::new(), "{what}: some types are there twice");
    let symbols = symbols(unstripped);
    let has_code = |line: &&String| match line.strip_prefix("func ") {
        Some(function) => is_symbol(function.split(' ').next().unwrap(), &symbols),
        None => true,
    };
    let expected: Vec<String> = plain.iter().filter(has_code).cloned().collect();
    assert!(expected.iter().filter(|line| line.starts_with("func ")).count() > 0, "{what}");
    assert_same(what, &expected, &view.lines());
}

/// The name of what a lambda does.
const LAMBDA: &str = "operator__";

/// A line with the name that a static function of C++ has in the source: GCC says its symbol only
/// when it optimises at link time. It then does not say what a lambda is in, as it does otherwise.
fn unmangled(line: &str) -> String {
    let Some(mangled) = line.strip_prefix("func _ZL") else {
        return match line.split_once(LAMBDA) {
            Some((before, rest)) if before.starts_with("func ") => format!("func {LAMBDA}{rest}"),
            _ => line.to_owned(),
        };
    };
    let length = mangled.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, name) = mangled.split_at(length);
    let (name, rest) = name.split_at(digits.parse().unwrap());
    format!("func {name}{}", &rest[rest.find(' ').unwrap()..])
}

/// Whether the function `name` is among `symbols`. GCC does not say how it mangles the names of
/// functions that nobody outside can call.
fn is_symbol(name: &str, symbols: &BTreeSet<String>) -> bool {
    // What it is in comes before.
    let own = name.rsplit("__").next().unwrap_or(name);
    let mangled = match name.ends_with(LAMBDA) {
        true => "clE".to_owned(),
        false => format!("{}{own}", own.len()),
    };
    symbols.contains(name) || symbols.iter().any(|symbol| symbol.contains(&mangled))
}

#[track_caller]
fn assert_same(what: &str, expected: &[String], found: &[String]) {
    let sorted = |lines: &[String]| {
        let mut lines: Vec<String> = lines.iter().map(|line| unmangled(line)).collect();
        lines.sort();
        lines
    };
    let (expected, found) = (sorted(expected), sorted(found));
    if expected != found {
        let missing: Vec<_> = expected.iter().filter(|line| !found.contains(line)).collect();
        let extra: Vec<_> = found.iter().filter(|line| !expected.contains(line)).collect();
        panic!("{what}:\nmissing {missing:#?}\nnot expected {extra:#?}");
    }
}

/// What the build of one form is called in messages.
fn called(family: Family, language: Language, form: &str) -> String {
    format!("{} {form}", family.driver(language))
}

/// Builds with each of `forms`, flags between blanks, and compares.
#[track_caller]
fn flags(family: Family, language: Language, forms: &[&str]) {
    for form in forms {
        let lab = lab(language);
        let flags: Vec<&str> = form.split(' ').collect();
        let app = build(&lab, family, language, &flags);
        let what = called(family, language, form);
        same(&what, &as_form_says(family, form, plain(family, language)), &app, &app, &[]);
    }
}

/// What the lines of the plainest build are in a form that cannot say all.
fn as_form_says(family: Family, form: &str, plain: &[String]) -> Vec<String> {
    let mut lines = plain.to_vec();
    if form.contains("-gdwarf-2") {
        // It knows no `restrict`, and no types underneath enumerations.
        lines.iter_mut().for_each(|line| *line = line.replace("restrict ", ""));
        if family == Llvm && lines.iter().any(|line| line.starts_with("enum two__mode ")) {
            lines.retain(|line| !line.starts_with("int unsigned char "));
        }
    }
    let merges = form.contains("-fdebug-types-section") && !form.contains("-gsplit-dwarf");
    if family == Gnu && merges {
        // What a pointer points to is no part of what identifies a type: of the two of one name the
        // linker keeps one, which only says the name of what it points to. (clang gives types of C
        // no units of their own, and a .dwo file has its own ones.)
        let both = |line: &str| line.contains("struct rival_user#(");
        lines.retain(|line| !(line.starts_with("struct rival_user ") && line.contains("second@")));
        for line in lines.iter_mut().filter(|line| both(line)) {
            let start = line.find("struct rival_user#(").unwrap();
            let end = start + line[start..].find("*struct node})").unwrap();
            line.replace_range(start..end + "*struct node})".len(), "struct rival_user");
        }
    }
    if family == Llvm && form.contains("-flto") && form.contains("-O2") {
        // The types of a function that was inlined are within one that has no name.
        lines.iter_mut().for_each(|line| *line = line.replace("visit__visited", "visited"));
    }
    lines
}

const VERSIONS: [&str; 4] = ["-gdwarf-2", "-gdwarf-3", "-gdwarf-4", "-gdwarf-5"];

#[test]
fn versions_of_dwarf_with_gcc() {
    flags(Gnu, C, &VERSIONS);
    flags(Gnu, C, &["-gdwarf64", "-gdwarf-4 -gdwarf64", "-gdwarf-4 -gstrict-dwarf", "-g3"]);
    flags(Gnu, Cpp, &VERSIONS);
    flags(Gnu, Cpp, &["-gdwarf64"]);
}

#[test]
fn versions_of_dwarf_with_clang() {
    flags(Llvm, C, &VERSIONS);
    flags(Llvm, C, &["-gdwarf-5 -gdwarf64", "-gdwarf-4 -gdwarf64", "-gembed-source -gdwarf-5"]);
    flags(Llvm, Cpp, &VERSIONS);
    flags(Llvm, Cpp, &["-gdwarf-5 -gdwarf64"]);
}

#[test]
fn optimised_builds() {
    for language in LANGUAGES {
        flags(Gnu, language, &["-Og", "-O1", "-O2", "-O3", "-Os -ffunction-sections"]);
        flags(Llvm, language, &["-O1", "-O2", "-O3", "-Os -ffunction-sections"]);
    }
}

#[test]
fn type_units() {
    for language in LANGUAGES {
        for family in FAMILIES {
            flags(
                family,
                language,
                &[
                    "-gdwarf-4 -fdebug-types-section",
                    "-gdwarf-5 -fdebug-types-section",
                    "-gdwarf-5 -fdebug-types-section -O2",
                ],
            );
        }
    }
}

const ALL: [(Family, Language); 4] = [(Gnu, C), (Gnu, Cpp), (Llvm, C), (Llvm, Cpp)];

#[test]
fn contents_in_other_files() {
    for (family, language) in ALL {
        for form in
            ["-gdwarf-4 -gsplit-dwarf", "-gdwarf-5 -gsplit-dwarf", "-gdwarf-5 -gsplit-dwarf -O2"]
        {
            let lab = lab(language);
            let flags: Vec<&str> = form.split(' ').collect();
            let app = build(&lab, family, language, &flags);
            let plain = plain(family, language);
            same(&called(family, language, form), plain, &app, &app, &[]);

            // All in one file. GNU's tool does not know DWARF 5, and LLVM's does not end for what gcc
            // wrote of that.
            let packer = match (family, form.contains("-gdwarf-4")) {
                (_, true) => "dwp",
                (Llvm, false) => "llvm-dwp",
                (Gnu, false) => continue,
            };
            tool(lab.folder(), packer, &["-e", "app", "-o", "app.dwp"]);
            let objects: Vec<_> = fs::read_dir(lab.folder()).unwrap().flatten().collect();
            for file in
                objects.iter().filter(|file| file.path().extension() == Some("dwo".as_ref()))
            {
                fs::remove_file(file.path()).unwrap();
            }
            same(&called(family, language, &format!("{form}, .dwp")), plain, &app, &app, &[]);
        }
    }
}

#[test]
fn contents_in_other_files_with_type_units() {
    for (family, language) in ALL {
        for version in ["-gdwarf-4", "-gdwarf-5"] {
            let form = format!("{version} -gsplit-dwarf -fdebug-types-section");
            flags(family, language, &[&form]);
        }
    }
}

#[test]
fn link_time_optimisation() {
    for language in LANGUAGES {
        for (family, compile_flags, link_flags) in [
            (Gnu, "-flto -O0", "-flto -O0"),
            (Gnu, "-flto -O2", "-flto -O2"),
            (Gnu, "-flto -O2 -ffat-lto-objects", "-flto=2 -O2 -flto-partition=max"),
            (Gnu, "-flto -O2 -gdwarf-4", "-flto -O2"),
            (Llvm, "-flto -O2", "-flto -fuse-ld=lld -O2"),
            (Llvm, "-flto=thin -O2", "-flto=thin -fuse-ld=lld -O2"),
            (Llvm, "-flto -O0 -gdwarf-4", "-flto -fuse-ld=lld -O0"),
        ] {
            let lab = lab(language);
            let split = |flags: &'static str| flags.split(' ').collect::<Vec<_>>();
            let objects = compile(&lab, family, language, &split(compile_flags));
            let app = link(&lab, family, language, &objects, &split(link_flags));
            let form = format!("{compile_flags}, {link_flags}");
            let plain = as_form_says(family, &form, plain(family, language));
            same(&called(family, language, &form), &plain, &app, &app, &[]);
        }
    }
}

#[test]
fn compressed_sections() {
    for (family, language) in ALL {
        flags(family, language, &["-gz=zlib"]);
        let lab = lab(language);
        let app = build(&lab, family, language, &["-O0"]);
        for form in ["zlib", "zlib-gnu", "zstd"] {
            let option = format!("--compress-debug-sections={form}");
            tool(lab.folder(), "objcopy", &[&option, "app", "app-z"]);
            let what = called(family, language, &option);
            same(&what, plain(family, language), &lab.path("app-z"), &app, &[]);
        }
    }
}

#[test]
fn separate_debug_files() {
    for (family, language) in ALL {
        let lab = lab(language);
        let app = build(&lab, family, language, &["-O0"]);
        let whole = lab.path("whole");
        fs::copy(&app, &whole).unwrap();
        let plain = plain(family, language);
        tool(lab.folder(), "objcopy", &["--only-keep-debug", "app", "app.debug"]);
        tool(lab.folder(), "strip", &["--strip-all", "app"]);
        let stripped = fs::read(&app).unwrap();
        tool(lab.folder(), "objcopy", &["--add-gnu-debuglink=app.debug", "app"]);
        same(&called(family, language, "with a link"), plain, &app, &whole, &[]);

        fs::write(&app, stripped).unwrap();
        let id = {
            let bytes = fs::read(&app).unwrap();
            let file = object::File::parse(&*bytes).unwrap();
            let id = file.build_id().unwrap().unwrap();
            id.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
        };
        let folder = lab.path("debug/.build-id").join(&id[..2]);
        fs::create_dir_all(&folder).unwrap();
        fs::rename(lab.path("app.debug"), folder.join(format!("{}.debug", &id[2..]))).unwrap();
        let debug_dir = lab.path("debug");
        let more = ["--debug-dir", debug_dir.to_str().unwrap()];
        same(&called(family, language, "by build-id"), plain, &app, &whole, &more);
    }
}

#[test]
fn shared_debug_information() {
    for (family, language) in ALL {
        for version in ["-gdwarf-4", "-gdwarf-5"] {
            // dwz 0.15 does not know .debug_addr, which clang has in DWARF 5.
            if (family, version) == (Llvm, "-gdwarf-5") {
                continue;
            }
            let lab = lab(language);
            let app = build(&lab, family, language, &["-O0", version]);
            let plain = plain(family, language);
            for (name, options) in [
                ("one", &[][..]),
                ("both", &["-m", "common"]),
                ("five", &["--dwarf-5", "-m", "common5"]),
            ] {
                if name == "five" && version == "-gdwarf-4" {
                    continue;
                }
                let twin = lab.path("twin");
                let copy = lab.path(name);
                fs::copy(&app, &copy).unwrap();
                fs::copy(&app, &twin).unwrap();
                let mut args = options.to_vec();
                match options {
                    [] => args.extend([name]),
                    _ => args.extend([name, "twin"]),
                }
                tool(lab.folder(), "dwz", &args);
                let what = called(family, language, &format!("{version}, dwz {options:?}"));
                same(&what, plain, &copy, &app, &[]);
            }
        }
    }
}

#[test]
fn other_kinds_of_files() {
    for (family, language) in ALL {
        let plain = plain(family, language);
        let lab = lab(language);
        let objects = compile(&lab, family, language, &["-O0", "-fPIC"]);
        let mut link_objects = vec!["-r", "-o", "all.o"];
        link_objects.extend(objects.iter().map(String::as_str));
        tool(lab.folder(), "ld", &link_objects);
        let object = lab.path("all.o");
        same(&called(family, language, "ET_REL"), plain, &object, &object, &[]);
        for option in ["-shared", "-no-pie", "-fuse-ld=lld"] {
            let flags =
                if option == "-no-pie" { vec![option, "-Wl,--gc-sections"] } else { vec![option] };
            let app = link(&lab, family, language, &objects, &flags);
            same(&called(family, language, option), plain, &app, &app, &[]);
        }
        // Functions that the linker leaves out have no code, whatever the debug information says.
        let objects = compile(&lab, family, language, &["-O0", "-ffunction-sections"]);
        for linker in ["-fuse-ld=bfd", "-fuse-ld=gold", "-fuse-ld=lld"] {
            let app = link(&lab, family, language, &objects, &["-Wl,--gc-sections", linker]);
            same(
                &called(family, language, &format!("--gc-sections {linker}")),
                plain,
                &app,
                &app,
                &[],
            );
        }
    }
}

#[test]
fn everything_that_is_declared() {
    for (family, flag) in [(Gnu, "-fno-eliminate-unused-debug-types"), (Llvm, "-fstandalone-debug")]
    {
        for language in LANGUAGES {
            let lab = lab(language);
            let app = build(&lab, family, language, &["-O0", flag]);
            let btf = btf(flag, &app, &[]);
            let view = View::of(&btf);
            assert_eq!(view.repeated(), Vec::<String>::new(), "{flag}");
            let lines = view.lines();
            for line in plain(family, language) {
                let is_declared = line.starts_with("declared ");
                assert!(is_declared || lines.contains(line), "{flag}: no {line} in {lines:#?}");
            }
        }
    }
}

/// Sizes and places are the target's, whatever its word and byte order are.
#[test]
fn other_machines() {
    for target in ["i386", "armv7", "s390x", "powerpc64", "mips", "aarch64_be", "riscv64"] {
        for version in ["-gdwarf-3", "-gdwarf-5"] {
            let lab = lab(C);
            let target = format!("--target={target}-linux-gnu");
            for source in C.sources() {
                let object = format!("{source}.o");
                let args = [&target, "-w", "-g", version, "-O1", "-c", "-o", &object, source];
                tool(lab.folder(), "clang", &args);
                let what = format!("{target} {version} {source}");
                let btf = btf(&what, &lab.path(&object), &[]);
                let view = View::of(&btf);
                assert_eq!(view.repeated(), Vec::<String>::new(), "{what}");
                if *source != "main.c" {
                    continue;
                }
                let mut probe = Probe::c("#include \"shapes.h\"");
                for name in ["bits", "node", "rival_user", "tight"] {
                    probe.add(&view, name, &format!("struct {name}"));
                }
                assert!(probe.count > 15, "{}", probe.text());
                lab.write("probe.c", probe.text());
                tool(lab.folder(), "clang", &[&target, "-w", "-c", "-o", "probe.o", "probe.c"]);
                probe.check_bits(&what, &lab.path("probe.o"));
            }
        }
    }
}

/// Number of units that are linked into one object.
const UNITS: usize = 3000;

#[test]
fn thousands_of_units() {
    let lab = Lab::new();
    let unit = "struct shared { int number; struct shared *next; };\nstruct own_N { struct shared shared; long more[N + 1]; };\nlong take_N(struct own_N *own) { return own->more[N]; }\n";
    // One compilation for each of a few, and as many copies of each object as it takes: what tells
    // them apart is of no interest to who links.
    let compiled = 8;
    let mut objects = Vec::new();
    for number in 0..compiled {
        let (source, object) = (format!("unit{number}.c"), format!("unit{number}.o"));
        lab.write(&source, unit.replace('N', &number.to_string()));
        tool(lab.folder(), "gcc", &["-g", "-O1", "-c", "-o", &object, &source]);
        tool(lab.folder(), "objcopy", &["--localize-hidden", "--weaken", &object]);
        objects.push(object);
    }
    let list: Vec<&str> = (0..UNITS).map(|number| &*objects[number % compiled]).collect();
    lab.write("list", list.join("\n"));
    tool(lab.folder(), "ld", &["-r", "-o", "all.o", "@list"]);
    let btf = btf("thousands of units", &lab.path("all.o"), &[]);
    let view = View::of(&btf);
    assert_eq!(view.repeated(), Vec::<String>::new());
    for number in 0..compiled {
        let own = view.line(&format!("struct own_{number}"));
        let size = 16 + 8 * (number + 1);
        assert!(own.starts_with(&format!("struct own_{number} size {size} ")), "{own}");
        view.line(&format!("func take_{number}"));
    }
    assert_eq!(
        view.lines().iter().filter(|line| line.starts_with("struct ")).count(),
        compiled + 1
    );
}
