// SPDX-License-Identifier: MIT OR Apache-2.0
//! Variables in BTF, compared with the ELF symbols of the same application: in what section each is,
//! where, how large, and who sees it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use object::{Object as _, ObjectSection as _, ObjectSymbol as _, SymbolKind};
use ufunc_gen::btf::decode::Btf;
use ufunc_gen::btf::{Linkage, Type};

use common::kernel::accepted;
use common::{Lab, generate, tool};

/// A variable, or what a symbol says of one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Variable {
    name: String,
    size: u64,
    global: bool,
}

/// Variables by section and offset.
type Variables = BTreeMap<(String, u64), Variable>;

/// The BTF of `app`, which is the same however many units are read at a time, and which bpftool and
/// (of 64-bit applications) the kernel accept.
#[track_caller]
fn btf(what: &str, app: &Path, more: &[&str]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let mut found = Vec::<Vec<u8>>::new();
    for jobs in ["1", "2", "8"] {
        let output = folder.path().join(format!("btf-{jobs}"));
        let mut args: Vec<OsString> =
            ["btf", "--variables", "-j", jobs, "-o"].map(Into::into).into();
        args.extend([output.clone().into(), app.into()]);
        args.extend(more.iter().map(OsString::from));
        let done = generate(&args);
        assert_eq!(done.status, Some(0), "{what}: {}", done.stderr);
        found.push(fs::read(output).unwrap());
    }
    assert!(found.iter().all(|bytes| *bytes == found[0]), "{what}: -j1, -j2 and -j8 differ");
    let elf = fs::read(app).unwrap();
    if object::File::parse(&*elf).unwrap().is_64() {
        accepted(what, &found[0]);
    }
    tool(folder.path(), "bpftool", &["btf", "dump", "file", "btf-1"]);
    found.swap_remove(0)
}

/// The variables in `btf`. Each is in exactly one section.
#[track_caller]
fn variables(btf: &[u8]) -> Variables {
    let btf = Btf::parse(btf).unwrap();
    let types: BTreeMap<_, _> = btf.types().map(Result::unwrap).collect();
    let (mut found, mut seen) = (Variables::new(), BTreeSet::new());
    for ty in types.values() {
        let Type::Datasec { name: section, vars, .. } = ty else { continue };
        for (id, offset, size) in vars {
            assert!(seen.insert(id), "{section} has a variable that is elsewhere too");
            let Type::Var { name, linkage, .. } = &types[id] else {
                panic!("{:?} is no variable", types[id])
            };
            let global = *linkage == Linkage::Global;
            let variable = Variable { name: name.to_string(), size: u64::from(*size), global };
            let place = (section.to_string(), u64::from(*offset));
            assert_eq!(found.insert(place, variable), None, "two variables are at one place");
        }
    }
    let all = types.values().filter(|ty| matches!(ty, Type::Var { .. })).count();
    assert_eq!(all, found.len(), "some variables are in no section");
    found
}

/// What the symbols of `app` say, several of one place. Sections are called as BTF calls them.
fn symbols(app: &Path) -> BTreeMap<(String, u64), Vec<Variable>> {
    let bytes = fs::read(app).unwrap();
    let elf = object::File::parse(&*bytes).unwrap();
    let is_linked = elf.kind() != object::ObjectKind::Relocatable;
    let is_local = |section: &object::Section<'_, '_>| {
        let object::SectionFlags::Elf { sh_flags, .. } = section.flags() else { return false };
        sh_flags.0 & object::elf::SHF_TLS.0 != 0
    };
    let threads = elf.sections().filter(is_local).map(|section| section.address()).min();
    let mut found = BTreeMap::<_, Vec<_>>::new();
    for symbol in elf.symbols() {
        if !matches!(symbol.kind(), SymbolKind::Data | SymbolKind::Tls) || symbol.is_undefined() {
            continue;
        }
        let section = elf.section_by_index(symbol.section_index().unwrap()).unwrap();
        let mut offset = symbol.address().wrapping_sub(section.address());
        if is_linked && symbol.kind() == SymbolKind::Tls {
            offset = offset.wrapping_add(threads.unwrap());
        }
        let place = (section.name().unwrap().replace('-', "_"), offset);
        found.entry(place).or_default().push(Variable {
            name: symbol.name().unwrap().to_owned(),
            size: symbol.size(),
            global: symbol.is_global(),
        });
    }
    found
}

/// What a symbol is called at the end of all that is around it: `counter` for `f.counter`,
/// `counter.0`, `_ZN2n17counterE` and `_ZN3app5inner7counter17h…E`.
fn is_called(symbol: &str, name: &str) -> bool {
    let own = name.rsplit("__").next().unwrap();
    let is_whole = |rest: &str| {
        rest.is_empty() || rest.starts_with(['.', 'E', 'I', 'B']) || rest.starts_with("17h")
    };
    symbol.match_indices(own).any(|(at, _)| is_whole(&symbol[at + own.len()..]))
}

/// Asserts that each of `variables` is where a symbol of `symbols` is, and is what that says.
#[track_caller]
fn compare(what: &str, variables: &Variables, unstripped: &Path, linkage: bool) {
    let symbols = symbols(unstripped);
    for (place, variable) in variables {
        let there = symbols.get(place).map_or(&[][..], Vec::as_slice);
        let found = there.iter().find(|symbol| is_called(&symbol.name, &variable.name));
        let Some(symbol) = found else {
            panic!("{what}: {variable:?} at {place:?}, where symbols say {there:?}")
        };
        assert_eq!(symbol.size, variable.size, "{what}: {variable:?} at {place:?}");
        if linkage {
            assert_eq!(symbol.global, variable.global, "{what}: {variable:?} at {place:?}");
        }
    }
}

/// How often each name is there.
fn names(variables: &Variables) -> Vec<&str> {
    let mut names: Vec<_> = variables.values().map(|variable| variable.name.as_str()).collect();
    names.sort_unstable();
    names
}

const C: [&str; 2] = ["main.c", "other.c"];

/// The variables of the application in C, in the order of the alphabet.
const OF_C: [&str; 17] = [
    "common__inlined",
    "common__inlined",
    "counter",
    "elsewhere",
    "flexible",
    "greeting",
    "head",
    "other__calls",
    "placed",
    "pools",
    "ratio",
    "same_name",
    "same_name",
    "started",
    "step__calls",
    "unfinished",
    "waiting",
];

fn lab(files: &[&str]) -> Lab {
    let lab = Lab::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/variables");
    for name in files {
        lab.write(name, fs::read(folder.join(name)).unwrap());
    }
    lab
}

fn c_lab() -> Lab {
    lab(&["main.c", "other.c", "shared.h"])
}

#[track_caller]
fn build(lab: &Lab, compiler: &str, flags: &[&str], sources: &[&str]) -> PathBuf {
    let mut args = vec!["-w", "-g", "-Wl,--build-id", "-o", "app"];
    args.extend(flags);
    args.extend(sources);
    tool(lab.folder(), compiler, &args);
    lab.path("app")
}

/// Asserts that `found` are all variables of the application in C.
#[track_caller]
fn all_of_c(what: &str, found: &Variables) {
    let found: Vec<_> = names(found).into_iter().filter(|name| *name != "never_used").collect();
    assert_eq!(found, OF_C, "{what}");
}

#[test]
fn every_form_of_an_application() {
    for compiler in ["gcc", "clang"] {
        for flags in [
            &["-O0"][..],
            &["-gdwarf-2", "-O0"],
            &["-gdwarf-3", "-O0"],
            &["-gdwarf-4", "-O0"],
            &["-gdwarf-4", "-gsplit-dwarf", "-O0"],
            &["-gdwarf-5", "-gsplit-dwarf", "-O0"],
            &["-no-pie", "-O0"],
            &["-shared", "-fPIC", "-O0"],
            &["-gz", "-fdebug-types-section", "-O0"],
        ] {
            let what = format!("{compiler} {flags:?}");
            let lab = c_lab();
            let app = build(&lab, compiler, flags, &C);
            let found = variables(&btf(&what, &app, &[]));
            compare(&what, &found, &app, true);
            all_of_c(&what, &found);
        }
    }
}

#[test]
fn what_the_optimiser_and_the_linker_removed_is_left_out() {
    for compiler in ["gcc", "clang"] {
        for flags in [
            &["-O2"][..],
            &["-O3", "-gsplit-dwarf"],
            &["-O2", "-flto"],
            &["-O1", "-fdata-sections", "-ffunction-sections", "-Wl,--gc-sections"],
        ] {
            let what = format!("{compiler} {flags:?}");
            let lab = c_lab();
            let app = build(&lab, compiler, flags, &C);
            let found = variables(&btf(&what, &app, &[]));
            // The linker makes static what the source does not.
            compare(&what, &found, &app, !flags.contains(&"-flto"));
            let kept = ["pools", "head", "greeting", "started", "waiting", "flexible"];
            let names = names(&found);
            assert!(kept.iter().all(|name| names.contains(name)), "{what}: {names:?}");
            assert!(!names.contains(&"never_used"), "{what}");
        }
    }
}

#[test]
fn objects_of_every_machine() {
    for (compiler, flags) in [
        ("gcc", &[][..]),
        ("gcc", &["-m32"]),
        ("gcc", &["-fdata-sections", "-gsplit-dwarf"]),
        ("clang", &[]),
        ("clang", &["--target=i386-linux-gnu", "-gsplit-dwarf"]),
        ("clang", &["--target=armeb-linux-gnu"]),
        ("clang", &["--target=mips-linux-gnu"]),
        ("clang", &["--target=powerpc64-linux-gnu", "-fdata-sections"]),
        ("clang", &["--target=riscv64-linux-gnu"]),
        ("clang", &["--target=s390x-linux-gnu", "-gsplit-dwarf"]),
    ] {
        let what = format!("{compiler} {flags:?}");
        let lab = c_lab();
        let mut args = vec!["-w", "-g", "-c", "-fno-common", "-o", "main.o"];
        args.extend(flags);
        args.push("main.c");
        tool(lab.folder(), compiler, &args);
        let app = lab.path("main.o");
        let found = variables(&btf(&what, &app, &[]));
        compare(&what, &found, &app, true);
        let names = names(&found);
        let own = ["counter", "greeting", "head", "pools", "started", "step__calls", "waiting"];
        assert!(own.iter().all(|name| names.contains(name)), "{what}: {names:?}");
    }
}

#[test]
fn a_stripped_application_with_its_debug_file() {
    let lab = c_lab();
    let app = build(&lab, "gcc", &["-O0"], &C);
    let whole = btf("whole", &app, &[]);
    fs::copy(&app, lab.path("whole")).unwrap();
    tool(lab.folder(), "objcopy", &["--only-keep-debug", "app", "app.debug"]);
    tool(lab.folder(), "strip", &["--strip-all", "app"]);
    tool(lab.folder(), "objcopy", &["--add-gnu-debuglink=app.debug", "app"]);
    assert_eq!(btf("separate", &app, &[]), whole);
    let found = variables(&whole);
    compare("separate", &found, &lab.path("whole"), true);
}

#[test]
fn units_that_dwz_has_made_smaller() {
    let lab = c_lab();
    let app = build(&lab, "gcc", &["-O0"], &C);
    let before = variables(&btf("whole", &app, &[]));
    tool(lab.folder(), "dwz", &["app"]);
    assert_eq!(variables(&btf("after dwz", &app, &[])), before);
}

#[test]
fn classes_and_namespaces_of_cpp() {
    for compiler in ["g++", "clang++"] {
        for flags in [&["-O0"][..], &["-O0", "-gdwarf-4"], &["-O2"]] {
            let what = format!("{compiler} {flags:?}");
            let lab = lab(&["main.cpp"]);
            let app = build(&lab, compiler, &[flags, &["-std=c++17"]].concat(), &["main.cpp"]);
            let found = variables(&btf(&what, &app, &[]));
            compare(&what, &found, &app, true);
            let names = names(&found);
            for name in [
                "local",
                "n1___anonymous__hidden",
                "n1__counter",
                "n1__data__shared",
                "n1__data__within",
                "n1__first",
                "n1__pi",
                "reference",
                "shape",
            ] {
                assert!(names.iter().any(|found| found.starts_with(name)), "{what}: {names:?}");
            }
            assert!(!names.iter().any(|name| name.contains("constant")), "{what}: {names:?}");
        }
    }
}

#[test]
fn statics_of_rust() {
    for level in ["opt-level=0", "opt-level=2"] {
        let lab = lab(&["statics.rs"]);
        tool(
            lab.folder(),
            "rustc",
            &["--edition=2021", "-g", "-C", level, "-o", "app", "statics.rs"],
        );
        let app = lab.path("app");
        let mut found = variables(&btf(level, &app, &[]));
        found.retain(|_, variable| variable.name.starts_with("statics__"));
        compare(level, &found, &app, true);
        let is_local = |place: &(String, u64)| place.0.starts_with(".t");
        let (local, shared): (Variables, Variables) =
            found.into_iter().partition(|(place, _)| is_local(place));
        let names = names(&shared);
        let own =
            ["inner__COUNT", "inner__POOLS", "step__CALLS"].map(|name| format!("statics__{name}"));
        assert!(own.iter().all(|name| names.contains(&name.as_str())), "{level}: {names:?}");
        // The standard library's macro names it.
        let waiting = local.values().filter(|found| found.name.starts_with("statics__WAITING__"));
        assert_eq!(waiting.count(), 1, "{level}: {local:?}");
    }
}

#[test]
fn what_is_left_out_is_counted() {
    let lab = Lab::new();
    let source = "struct none {} none; extern int missing; static const int folded = 4;\n\
        int there = 3; int f(void) { return missing + folded + there; }\n";
    lab.write("left.c", source);
    tool(lab.folder(), "gcc", &["-g", "-O2", "-c", "left.c"]);
    let (object, output) = (lab.path("left.o"), lab.path("left.btf"));
    let (object, output) = (object.to_str().unwrap(), output.to_str().unwrap());
    let done = generate(&["btf", "--variables", "-v", "-o", output, object]).ok();
    for line in [
        "1 × variables were left out which nothing is left of",
        "1 × variables were left out that have no name or size, or are in a section of 4 GiB",
        "1 × variables were left out which are only declared",
    ] {
        assert!(done.stderr.contains(line), "no {line:?} in {}", done.stderr);
    }
    let found = variables(&fs::read(lab.path("left.btf")).unwrap());
    assert_eq!(names(&found), ["there"]);
}

#[test]
fn variables_of_what_is_asked_for() {
    let lab = c_lab();
    let app = build(&lab, "gcc", &["-O0"], &C);
    let asked = |types: &str| {
        let found = variables(&btf(types, &app, &["--types", types]));
        names(&found).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(asked("struct pool"), ["head", "pools"]);
    assert_eq!(asked("struct flexible"), ["flexible"]);
    assert_eq!(asked("var counter"), ["counter"]);
    assert_eq!(asked("same_name"), ["same_name", "same_name"]);
    let refused = ["btf", "--variables", "--types", "var pool", app.to_str().unwrap()];
    generate(&refused).refused(&["there is no type \"var pool\""]);
    // Without them asked for there are none.
    let plain = lab.path("plain.btf");
    generate(&["btf", app.to_str().unwrap(), "-o", plain.to_str().unwrap()]).ok();
    assert_eq!(variables(&fs::read(plain).unwrap()), Variables::new());
}
