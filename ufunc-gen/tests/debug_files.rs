// SPDX-License-Identifier: MIT OR Apache-2.0
//! Debug information in every form of file: what is loaded is what other readers find there.
//!
//! Each form is walked with gimli, and compared with what `llvm-dwarfdump` or `readelf` say of it,
//! or with the same program in a simpler form.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use gimli::{AttributeValue, Reader as _};
use object::{Object as _, ObjectSymbol as _};
use ufunc_gen::debugfile::{DebugFiles, DwoFiles, Reader, Search, Skeleton};
use ufunc_gen::elf::{Host, HostFile};

use common::elf::sections;
use common::{Lab, Random, seed};

type Dwarf<'a> = gimli::Dwarf<Reader<'a>>;

const MAIN: &str = r#"
enum mode { MODE_OFF, MODE_ON = 7 };
typedef struct item { int number; struct item *next; char label[16]; enum mode mode; } item_t;
union either { long whole; double real; item_t *item; };
__thread int visits;
static int is_on(const item_t *item) { return item->mode == MODE_ON; }
item_t *item_first(item_t *list, union either *other)
{
	while (list && !is_on(list)) {
		long next = other->whole + list->number;
		other->whole = next;
		list = list->next;
	}
	return list;
}
int item_count(item_t *list)
{
	int count = 0;
	visits++;
	for (; list; list = list->next)
		count += is_on(list);
	return count;
}
int start(void) { return item_count(0); }
"#;

const OTHER: &str = r#"
typedef struct item { int number; struct item *next; char label[16]; int mode; } item_t;
struct other { item_t *item; unsigned char bytes[3]; struct { int a : 3, b : 5; } bits; };
void other_put(struct other *other, item_t *item) { other->item = item; other->bits.a = 1; }
item_t *other_get(struct other *other) { return other->item; }
"#;

/// The Debian package that has `tool`.
fn package(tool: &str) -> &'static str {
    match tool {
        "gcc" => "gcc",
        "clang" => "clang",
        "ld" | "ar" | "objcopy" | "readelf" | "strip" | "dwp" => "binutils",
        "llvm-dwarfdump" | "llvm-dwp" => "llvm",
        "dwz" => "dwz",
        "eu-unstrip" => "elfutils",
        _ => panic!("no package is known for {tool}"),
    }
}

/// Runs `tool` in `folder`, for half a minute at most; what it wrote to standard output.
#[track_caller]
fn run(folder: &Path, tool: &str, args: &[&str]) -> String {
    let mut command = Command::new("timeout");
    let output = command.args(["30", tool]).args(args).current_dir(folder).output();
    let output = output.expect("failed to run timeout (package coreutils)");
    let stderr = String::from_utf8_lossy(&output.stderr);
    let status = output.status.code();
    assert_ne!(status, Some(127), "failed to run {tool} (package {})", package(tool));
    assert_eq!(status, Some(0), "{tool} {args:?} failed:\n{stderr}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What is compared.
#[derive(Debug, Default, PartialEq, Eq)]
struct Facts {
    units: usize,
    entries: usize,
    /// Values of `DW_AT_name`, sorted.
    names: Vec<String>,
}

impl Facts {
    /// What `dwarf` has, as gimli reads it.
    fn of(dwarf: &Dwarf<'_>) -> Facts {
        let mut facts = Facts::default();
        facts.add(dwarf);
        facts.names.sort();
        facts
    }

    fn add(&mut self, dwarf: &Dwarf<'_>) {
        for_each_unit(dwarf, |unit| {
            self.units += 1;
            let mut entries = unit.entries();
            while let Some(entry) = entries.next_dfs().unwrap() {
                self.entries += 1;
                if let Some(name) = entry.attr_value(gimli::DW_AT_name) {
                    let name = dwarf.attr_string(unit, name).unwrap();
                    self.names.push(name.to_string_lossy().into_owned());
                }
            }
        });
    }

    /// What `llvm-dwarfdump` says of the file at `path`.
    #[track_caller]
    fn dumped(path: &Path) -> Facts {
        let folder = path.parent().unwrap();
        let args = ["--debug-info", "--debug-types", path.to_str().unwrap()];
        let text = run(folder, "llvm-dwarfdump", &args);
        let mut facts = Facts::default();
        for line in text.lines() {
            let line = line.trim_start();
            if line.starts_with("0x") && line.contains(" Unit: length") {
                facts.units += 1;
            } else if line.starts_with("0x") && line.contains(" DW_TAG_") {
                facts.entries += 1;
            } else if let Some(name) = line.strip_prefix("DW_AT_name\t(\"") {
                facts.names.push(name.strip_suffix("\")").unwrap().to_owned());
            }
        }
        assert!(facts.entries > 0, "{text}");
        facts.names.sort();
        facts
    }

    /// Numbers of units and entries as `readelf` counts them.
    #[track_caller]
    fn counted(path: &Path) -> (usize, usize) {
        let folder = path.parent().unwrap();
        let text =
            run(folder, "readelf", &["--debug-dump=info,no-follow-links", path.to_str().unwrap()]);
        let units = text.lines().filter(|line| line.contains("Unit @ offset")).count();
        let entries = text
            .lines()
            .filter(|line| line.contains(">: Abbrev Number: ") && line.contains("(DW_TAG_"))
            .count();
        (units, entries)
    }
}

fn for_each_unit<'a>(dwarf: &Dwarf<'a>, mut visit: impl FnMut(&gimli::Unit<Reader<'a>>)) {
    let mut headers = dwarf.units();
    while let Some(header) = headers.next().unwrap() {
        visit(&dwarf.unit(header).unwrap());
    }
    let mut headers = dwarf.type_units();
    while let Some(header) = headers.next().unwrap() {
        visit(&dwarf.unit(header).unwrap());
    }
}

/// Name, address and size of all functions with code in one piece.
fn functions(dwarf: &Dwarf<'_>) -> BTreeMap<String, (u64, u64)> {
    let mut found = BTreeMap::new();
    for_each_unit(dwarf, |unit| {
        let mut entries = unit.entries();
        while let Some(entry) = entries.next_dfs().unwrap() {
            let (Some(low), Some(high)) =
                (entry.attr_value(gimli::DW_AT_low_pc), entry.attr_value(gimli::DW_AT_high_pc))
            else {
                continue;
            };
            let Some(name) = entry.attr_value(gimli::DW_AT_name) else { continue };
            if entry.tag() == gimli::DW_TAG_subprogram {
                let name = dwarf.attr_string(unit, name).unwrap().to_string_lossy().into_owned();
                let low = dwarf.attr_address(unit, low).unwrap().unwrap();
                let size = match high {
                    AttributeValue::Addr(high) => high - low,
                    other => other.udata_value().unwrap(),
                };
                found.insert(name, (low, size));
            }
        }
    });
    found
}

/// Loads the debug information of the file at `path`, and passes it on, line tables included.
#[track_caller]
fn load<T>(path: &Path, search: &Search, then: impl FnOnce(&Dwarf<'_>) -> T) -> T {
    let file = HostFile::open(path).unwrap();
    let host = file.parse().unwrap();
    let files = DebugFiles::find(&host, search).unwrap_or_else(|error| panic!("{error:#}"));
    let sections = files.load().unwrap_or_else(|error| panic!("{error:#}"));
    then(&sections.main_with_lines().unwrap())
}

/// Nowhere but where the file itself says.
fn nowhere() -> Search {
    Search { debug_dirs: Vec::new() }
}

#[track_caller]
fn facts(path: &Path) -> Facts {
    load(path, &nowhere(), Facts::of)
}

/// Why the debug information of `path` cannot be loaded.
#[track_caller]
fn refusal(path: &Path, search: &Search) -> String {
    let refused = || -> anyhow::Result<()> {
        let file = HostFile::open(path)?;
        let host = file.parse()?;
        let files = DebugFiles::find(&host, search)?;
        let sections = files.load()?;
        sections.main_with_lines().map(drop)
    };
    let error = refused().map(|()| panic!("{} is accepted", path.display()));
    let error = format!("{:#}", error.unwrap_err());
    assert!(error.contains(path.file_name().unwrap().to_str().unwrap()), "{error}");
    error
}

fn sources(lab: &Lab) {
    lab.write("main.c", MAIN);
    lab.write("other.c", OTHER);
}

/// The application `app` of two units, without a library.
#[track_caller]
fn link(lab: &Lab, compiler: &str, flags: &[&str]) -> PathBuf {
    sources(lab);
    for name in ["main", "other"] {
        let (source, object) = (format!("{name}.c"), format!("{name}.o"));
        run(lab.folder(), compiler, &[flags, &["-c", "-o", &object, &source]].concat());
    }
    run(lab.folder(), "ld", &["-e", "start", "--build-id", "-o", "app", "main.o", "other.o"]);
    lab.path("app")
}

/// That the functions' addresses and sizes are those of the symbols.
#[track_caller]
fn assert_addresses(path: &Path) {
    let file = HostFile::open(path).unwrap();
    let host = file.parse().unwrap();
    let symbols = host.functions();
    let described = load(path, &nowhere(), functions);
    assert!(described.len() >= 2, "{described:?}");
    for (name, (address, size)) in described {
        let found: Vec<_> = symbols[name.as_bytes()].iter().map(|found| found.address).collect();
        assert!(found.contains(&address), "{name}: {address:#x}, symbols {found:x?}");
        let sizes = host.elf().symbols().filter(|symbol| symbol.name() == Ok(name.as_str()));
        let sizes: Vec<_> = sizes.map(|symbol| symbol.size()).collect();
        assert!(sizes.contains(&size), "{name}: {size} bytes, symbols {sizes:?}");
    }
}

/// Targets of clang whose relocations are known.
const TARGETS: [&str; 18] = [
    "x86_64-linux-gnu",
    "i686-linux-gnu",
    "aarch64-linux-gnu",
    "aarch64_be-linux-gnu",
    "arm-linux-gnueabihf",
    "armeb-linux-gnueabihf",
    "powerpc-linux-gnu",
    "powerpc64-linux-gnu",
    "powerpc64le-linux-gnu",
    "s390x-linux-gnu",
    "riscv32-linux-gnu",
    "riscv64-linux-gnu",
    "mips-linux-gnu",
    "mipsel-linux-gnu",
    "mips64-linux-gnuabi64",
    "mips64el-linux-gnuabi64",
    "sparc-linux-gnu",
    "sparc64-linux-gnu",
];

#[test]
fn objects_of_every_machine_are_relocated() {
    let lab = Lab::new();
    sources(&lab);
    for target in TARGETS {
        let target = format!("--target={target}");
        // Its symbols stand for descriptors, which say where the functions are.
        let has_descriptors = target == "--target=powerpc64-linux-gnu";
        for flags in [
            &["-gdwarf-4", "-O0"][..],
            &["-gdwarf-5", "-O0"],
            &["-gdwarf-5", "-O2", "-ffunction-sections"],
            &["-gdwarf-4", "-O2", "-fdebug-types-section"],
            &["-gdwarf-5", "-O2", "-fdebug-types-section"],
        ] {
            let args =
                [&[&target, "-fintegrated-as"], flags, &["-c", "-o", "main.o", "main.c"]].concat();
            run(lab.folder(), "clang", &args);
            let object = lab.path("main.o");
            assert_eq!(facts(&object), Facts::dumped(&object), "{args:?}");
            if !has_descriptors {
                assert_addresses(&object);
            }
        }
    }
}

#[test]
fn bpf_objects_are_relocated() {
    let lab = Lab::new();
    sources(&lab);
    for target in ["--target=bpfel", "--target=bpfeb"] {
        run(lab.folder(), "clang", &[target, "-g", "-O2", "-c", "-o", "other.o", "other.c"]);
        let object = lab.path("other.o");
        assert_eq!(facts(&object), Facts::dumped(&object), "{target}");
        assert_addresses(&object);
    }
}

#[test]
fn objects_of_both_compilers_are_relocated_alone_and_together() {
    let lab = Lab::new();
    for compiler in ["gcc", "clang"] {
        for flags in [
            &["-gdwarf-4", "-O2"][..],
            &["-gdwarf-5", "-O2", "-ffunction-sections"],
            &["-gdwarf-4", "-fdebug-types-section"],
            &["-gdwarf-5", "-fdebug-types-section"],
            &["-gdwarf-5", "-O2", "-gz"],
        ] {
            let app = link(&lab, compiler, flags);
            run(lab.folder(), "ld", &["-r", "-o", "both.o", "main.o", "other.o"]);
            for file in [lab.path("main.o"), lab.path("other.o"), lab.path("both.o"), app] {
                let what = format!("{compiler} {flags:?} {}", file.display());
                assert_eq!(facts(&file), Facts::dumped(&file), "{what}");
                if file.ends_with("main.o") {
                    assert_addresses(&file);
                }
            }
        }
    }
}

#[test]
fn debug_information_before_linking_and_after_has_the_same_addresses_to_functions() {
    let lab = Lab::new();
    let app = link(&lab, "gcc", &["-g", "-O2"]);
    assert_addresses(&app);
    let app = link(&lab, "clang", &["-gdwarf-4"]);
    assert_addresses(&app);
}

#[test]
fn compressed_sections_of_all_kinds_are_read() {
    let lab = Lab::new();
    let app = link(&lab, "gcc", &["-g", "-fno-merge-debug-strings"]);
    let plain = facts(&app);
    assert_eq!(plain, Facts::dumped(&app));
    for (kind, name) in
        [("zlib", ".debug_info"), ("zlib-gnu", ".zdebug_info"), ("zstd", ".debug_info")]
    {
        let option = format!("--compress-debug-sections={kind}");
        for input in ["app", "main.o"] {
            let packed = lab.path("packed");
            let output = Command::new("objcopy")
                .args([&option, input, "packed"])
                .current_dir(lab.folder())
                .output()
                .unwrap();
            let stderr = String::from_utf8_lossy(&output.stderr);
            if !output.status.success() {
                // Binutils before 2.40, or built without it, have no zstd; the others all have.
                assert!(kind == "zstd" && stderr.contains("zstd"), "{stderr}");
                println!("not tried: objcopy of this machine knows no zstd");
                continue;
            }
            let headers = run(lab.folder(), "readelf", &["-SW", "packed"]);
            assert!(headers.contains(name), "{headers}");
            assert_eq!(facts(&packed), facts(&lab.path(input)), "{kind} {input}");
        }
    }
}

/// A stripped `app`, and its debug information in `debug/app.debug`.
#[track_caller]
fn split_off(lab: &Lab) -> (PathBuf, PathBuf, Facts) {
    let app = link(lab, "gcc", &["-g"]);
    let facts = facts(&app);
    fs::create_dir(lab.path("debug")).unwrap();
    run(lab.folder(), "objcopy", &["--only-keep-debug", "app", "debug/app.debug"]);
    run(lab.folder(), "strip", &["app"]);
    (app, lab.path("debug/app.debug"), facts)
}

#[track_caller]
fn add_link(lab: &Lab, debug: &str) {
    run(lab.folder(), "objcopy", &["--remove-section=.gnu_debuglink", "app"]);
    run(lab.folder(), "objcopy", &[&format!("--add-gnu-debuglink={debug}"), "app"]);
}

#[test]
fn a_debug_file_is_found_by_its_build_id() {
    let lab = Lab::new();
    let (app, debug, expected) = split_off(&lab);
    let id = HostFile::open(&app).unwrap().parse().unwrap().build_id().unwrap().to_string();
    let folder = lab.path(&format!("system/.build-id/{}", &id[..2]));
    fs::create_dir_all(&folder).unwrap();
    let place = folder.join(format!("{}.debug", &id[2..]));
    fs::copy(&debug, &place).unwrap();
    let search = Search { debug_dirs: vec![lab.path("none"), lab.path("system")] };
    assert_eq!(load(&app, &search, Facts::of), expected);
    // The host's own symbols were stripped, and are found there.
    let file = HostFile::open(&app).unwrap();
    let host = file.parse().unwrap();
    let files = DebugFiles::find(&host, &search).unwrap();
    assert!(files.is_separate());
    assert_eq!(files.path(), place);
    assert!(host.functions().is_empty());
    assert!(files.functions(&host).unwrap().contains_key(&b"item_first"[..]));
    // One of another build in its place is not taken.
    let other = Lab::new();
    let another = link(&other, "gcc", &["-g", "-DOTHER", "-O1"]);
    fs::copy(&another, &place).unwrap();
    let error = refusal(&app, &search);
    assert!(error.contains("its build-id is another one"), "{error}");
}

#[test]
fn a_debug_file_is_found_by_its_link() {
    let lab = Lab::new();
    let (app, debug, expected) = split_off(&lab);
    add_link(&lab, "debug/app.debug");
    let below = fs::canonicalize(lab.folder()).unwrap();
    let below = below.strip_prefix("/").unwrap();
    let system = lab.path("system");
    for folder in [lab.folder().to_owned(), lab.path(".debug"), system.join(below)] {
        let search = Search { debug_dirs: vec![system.clone()] };
        refusal(&app, &search);
        fs::create_dir_all(&folder).unwrap();
        let place = folder.join("app.debug");
        fs::copy(&debug, &place).unwrap();
        assert_eq!(load(&app, &search, Facts::of), expected, "{}", folder.display());
        fs::remove_file(&place).unwrap();
    }
    // From a folder elsewhere, through a symbolic link.
    let elsewhere = Lab::new();
    std::os::unix::fs::symlink(&app, elsewhere.path("linked")).unwrap();
    fs::copy(&debug, lab.path("app.debug")).unwrap();
    assert_eq!(load(&elsewhere.path("linked"), &nowhere(), Facts::of), expected);
}

#[test]
fn a_debug_file_that_was_changed_or_is_none_is_not_taken() {
    let lab = Lab::new();
    let (app, debug, _) = split_off(&lab);
    add_link(&lab, "debug/app.debug");
    let place = lab.path("app.debug");
    let mut bytes = fs::read(&debug).unwrap();
    bytes.push(0);
    let stripped = fs::read(&app).unwrap();
    for (contents, reason) in [
        (bytes, "its CRC is not that of .gnu_debuglink"),
        (stripped, "it has no debug information"),
        (Vec::new(), "the file is empty"),
        (b"text".to_vec(), "not an ELF file"),
    ] {
        fs::write(&place, contents).unwrap();
        let error = refusal(&app, &nowhere());
        assert!(error.contains(reason) && error.contains(place.to_str().unwrap()), "{error}");
        for part in ["build it with -g", "-dbgsym", "--debug-dir"] {
            assert!(error.contains(part), "no {part} in: {error}");
        }
    }
    fs::remove_file(&place).unwrap();
    fs::create_dir(&place).unwrap();
    assert!(refusal(&app, &nowhere()).contains("app.debug (not a regular file)"));
    fs::remove_dir(&place).unwrap();
    let fifo = Command::new("mkfifo").arg(&place).status().unwrap();
    assert!(fifo.success());
    assert!(refusal(&app, &nowhere()).contains("app.debug (not a regular file)"));
}

#[test]
fn a_link_names_a_file_and_no_folder() {
    let lab = Lab::new();
    let (app, ..) = split_off(&lab);
    for name in [&b"../../app.debug\0"[..], b"/app.debug\0\0", b"..\0\0", b"\0\0\0\0", b"app"] {
        let mut link = name.to_vec();
        link.resize(name.len().next_multiple_of(4), 0);
        link.extend([0; 4]);
        if name == b"app" {
            link.truncate(3);
        }
        lab.write("link", link);
        let add = ["--add-section", ".gnu_debuglink=link", "app", "linked"];
        run(lab.folder(), "objcopy", &add);
        let error = refusal(&lab.path("linked"), &nowhere());
        assert!(error.contains("bad section .gnu_debuglink"), "{name:?}: {error}");
    }
    assert!(app.exists());
}

/// Names of everything in the units of an application and of what it shares.
fn all_names(path: &Path, search: &Search) -> BTreeSet<String> {
    let file = HostFile::open(path).unwrap();
    let host = file.parse().unwrap();
    let files = DebugFiles::find(&host, search).unwrap_or_else(|error| panic!("{error:#}"));
    let sections = files.load().unwrap_or_else(|error| panic!("{error:#}"));
    let mut facts = Facts::of(&sections.main_with_lines().unwrap());
    if let Some(mut supplementary) = sections.supplementary() {
        supplementary.debug_line = sections.supplementary_lines().unwrap();
        facts.add(&supplementary);
        let shared = Path::new(sections.supplementary_shown().unwrap());
        assert_eq!(Facts::of(&supplementary), Facts::dumped(shared));
    }
    facts.names.into_iter().collect()
}

/// Two applications `one` and `two` which share debug information through `shared/common.debug`;
/// the names in each of them.
#[track_caller]
fn share(lab: &Lab, flags: &[&str], dwarf: &str) -> BTreeSet<String> {
    // Enough for sharing to be worth it.
    let mut source = String::from(MAIN);
    for index in 0..50 {
        source += &format!(
            "struct shared_{index} {{ int first_{index}; struct shared_{index} *next_{index}; }} value_{index};\n"
        );
    }
    let app = {
        lab.write("main.c", &source);
        run(lab.folder(), "gcc", &[dwarf, "-c", "-o", "main.o", "main.c"]);
        run(lab.folder(), "ld", &["-e", "start", "--build-id", "-o", "app", "main.o"]);
        lab.path("app")
    };
    let names = all_names(&app, &nowhere());
    for copy in ["one", "two"] {
        fs::copy(&app, lab.path(copy)).unwrap();
    }
    fs::create_dir_all(lab.path("shared")).unwrap();
    run(lab.folder(), "dwz", &[flags, &["-m", "shared/common.debug", "one", "two"]].concat());
    names
}

#[test]
fn what_applications_share_is_read_with_them() {
    for dwarf in ["-gdwarf-4", "-gdwarf-5"] {
        for kind in [&[][..], &["--dwarf-5"]] {
            let lab = Lab::new();
            let absolute = lab.path("shared/common.debug");
            let flags = [kind, &["-M", absolute.to_str().unwrap()]].concat();
            let names = share(&lab, &flags, dwarf);
            let headers = run(lab.folder(), "readelf", &["-SW", "one"]);
            let section = if kind.is_empty() { ".gnu_debugaltlink" } else { ".debug_sup" };
            assert!(headers.contains(section), "{headers}");
            for app in ["one", "two"] {
                let (units, entries) = Facts::counted(&lab.path(app));
                let found = facts(&lab.path(app));
                assert_eq!((found.units, found.entries), (units, entries), "{dwarf} {kind:?}");
                assert_eq!(all_names(&lab.path(app), &nowhere()), names, "{dwarf} {kind:?}");
            }
        }
    }
}

#[test]
fn a_supplementary_file_is_found_wherever_it_may_be() {
    // Relative to the file, also through a symbolic link.
    let lab = Lab::new();
    let names = share(&lab, &["--relative"], "-gdwarf-5");
    let elsewhere = Lab::new();
    std::os::unix::fs::symlink(lab.path("one"), elsewhere.path("linked")).unwrap();
    for app in [lab.path("one"), elsewhere.path("linked")] {
        assert_eq!(all_names(&app, &nowhere()), names);
    }
    // Where distributions install it, and below a folder that was unpacked somewhere.
    let lab = Lab::new();
    let name = "/usr/lib/debug/.dwz/x86_64-linux-gnu/common.debug";
    let names = share(&lab, &["-M", name], "-gdwarf-5");
    let id = HostFile::open(&lab.path("shared/common.debug")).unwrap();
    let id = id.parse().unwrap().build_id().unwrap().to_string();
    let by_id = format!("dir/.build-id/{}/{}.debug", &id[..2], &id[2..]);
    let search = Search { debug_dirs: vec![lab.path("dir")] };
    for place in ["dir/.dwz/x86_64-linux-gnu/common.debug", "dir/.dwz/common.debug", &by_id] {
        let error = refusal(&lab.path("one"), &search);
        for part in [name, "No such file", "--debug-dir", "-dbgsym"] {
            assert!(error.contains(part), "no {part} in: {error}");
        }
        let place = lab.path(place);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::copy(lab.path("shared/common.debug"), &place).unwrap();
        assert_eq!(all_names(&lab.path("one"), &search), names, "{}", place.display());
        fs::remove_file(&place).unwrap();
    }
    // One of another build.
    let other = Lab::new();
    share(&other, &[], "-gdwarf-4");
    let place = lab.path("dir/.dwz/common.debug");
    fs::copy(other.path("shared/common.debug"), &place).unwrap();
    let error = refusal(&lab.path("one"), &search);
    assert!(error.contains(&format!("its build-id is not {id}")), "{error}");
}

/// Skeletons in `dwarf`: file, folder and id.
fn skeletons(dwarf: &Dwarf<'_>) -> Vec<(Vec<u8>, Vec<u8>, gimli::DwoId)> {
    let mut found = Vec::new();
    for_each_unit(dwarf, |unit| {
        if let (Some(name), Some(id)) = (unit.dwo_name().unwrap(), unit.dwo_id) {
            let name = dwarf.attr_string(unit, name).unwrap().to_slice().unwrap().into_owned();
            let folder = unit.comp_dir.map_or(Vec::new(), |folder| folder.slice().to_vec());
            found.push((name, folder, id));
        }
    });
    found
}

/// What was found of an application's split debug information.
#[derive(Debug, Default, PartialEq, Eq)]
struct SplitFacts {
    facts: Facts,
    /// Names of files that were found, and of those that were not.
    found: BTreeSet<String>,
    missing: Vec<String>,
    /// Skeletons with contents.
    skeletons: BTreeSet<usize>,
    functions: BTreeMap<String, u64>,
}

fn split_facts(app: &Path, search: &Search) -> anyhow::Result<SplitFacts> {
    let file = HostFile::open(app).unwrap();
    let host = file.parse().unwrap();
    let files = DebugFiles::find(&host, search).unwrap();
    let sections = files.load().unwrap();
    let main = sections.main_with_lines().unwrap();
    let owned = skeletons(&main);
    let skeletons: Vec<_> =
        owned.iter().map(|(name, folder, id)| Skeleton { name, folder, id: *id }).collect();
    let dwos = DwoFiles::find(&host, &files, search, &skeletons)?;
    let mut all = SplitFacts::default();
    for part in dwos.parts(&main) {
        all.facts.add(&part.dwarf);
        all.found.insert(part.shown.rsplit('/').next().unwrap().to_owned());
        all.skeletons.extend(&part.skeletons);
        // Indirect addresses need what the skeleton says of them.
        let mut headers = part.dwarf.units();
        while let Some(header) = headers.next().unwrap() {
            let mut unit = part.dwarf.unit(header).unwrap();
            let Some(id) = unit.dwo_id else { continue };
            for_each_unit(&main, |skeleton| {
                if skeleton.dwo_id == Some(id) {
                    unit.copy_relocated_attributes(skeleton);
                }
            });
            let mut entries = unit.entries();
            while let Some(entry) = entries.next_dfs().unwrap() {
                let (Some(name), Some(low)) =
                    (entry.attr_value(gimli::DW_AT_name), entry.attr_value(gimli::DW_AT_low_pc))
                else {
                    continue;
                };
                let name = part.dwarf.attr_string(&unit, name).unwrap();
                let low = part.dwarf.attr_address(&unit, low).unwrap().unwrap();
                all.functions.insert(name.to_string_lossy().into_owned(), low);
            }
        }
    }
    all.facts.names.sort();
    all.missing = dwos.missing().iter().map(|missing| missing.name.clone()).collect();
    Ok(all)
}

/// What `llvm-dwarfdump` says of all `files` together.
#[track_caller]
fn dumped_together(files: &[PathBuf]) -> Facts {
    let mut all = Facts::default();
    for file in files {
        let facts = Facts::dumped(file);
        all.units += facts.units;
        all.entries += facts.entries;
        all.names.extend(facts.names);
    }
    all.names.sort();
    all
}

const SPLIT: [(&str, &[&str]); 6] = [
    ("gcc", &["-gdwarf-4", "-gsplit-dwarf", "-O1"]),
    ("gcc", &["-gdwarf-5", "-gsplit-dwarf", "-O1"]),
    ("gcc", &["-gdwarf-4", "-gsplit-dwarf", "-fdebug-types-section"]),
    ("gcc", &["-gdwarf-5", "-gsplit-dwarf", "-fdebug-types-section"]),
    ("clang", &["-gdwarf-4", "-gsplit-dwarf", "-fdebug-types-section"]),
    ("clang", &["-gdwarf-5", "-gsplit-dwarf", "-fdebug-types-section"]),
];

/// That functions are where the symbols of `app` say.
#[track_caller]
fn assert_split_addresses(app: &Path, found: &SplitFacts) {
    let file = HostFile::open(app).unwrap();
    let symbols = file.parse().unwrap().functions();
    assert!(found.functions.len() >= 3, "{found:?}");
    for (name, address) in &found.functions {
        let known = symbols[name.as_bytes()].iter().any(|symbol| symbol.address == *address);
        assert!(known, "{name}: {address:#x}");
    }
}

#[test]
fn dwo_files_are_read_where_they_were_left() {
    for (compiler, flags) in SPLIT {
        let lab = Lab::new();
        let app = link(&lab, compiler, flags);
        let dwos = ["main.dwo", "other.dwo"].map(|name| lab.path(name));
        let found = split_facts(&app, &nowhere()).unwrap();
        let what = format!("{compiler} {flags:?}");
        assert_eq!(found.facts, dumped_together(&dwos), "{what}");
        assert_eq!(found.missing, [""; 0], "{what}");
        assert_eq!(found.skeletons, BTreeSet::from([0, 1]), "{what}");
        assert_split_addresses(&app, &found);

        // Moved away with the application, and without it.
        let elsewhere = Lab::new();
        for (from, to) in [(&app, "app"), (&dwos[0], "main.dwo")] {
            fs::rename(from, elsewhere.path(to)).unwrap();
        }
        fs::create_dir(elsewhere.path("dir")).unwrap();
        fs::rename(&dwos[1], elsewhere.path("dir/other.dwo")).unwrap();
        let app = elsewhere.path("app");
        let search = Search { debug_dirs: vec![elsewhere.path("dir")] };
        assert_eq!(split_facts(&app, &search).unwrap(), found, "{what}");
        let partly = split_facts(&app, &nowhere()).unwrap();
        assert_eq!(partly.missing, ["other.dwo"], "{what}");
        assert_eq!(partly.skeletons, BTreeSet::from([0]), "{what}");
    }
}

#[test]
fn packages_are_read_like_the_files_in_them() {
    for (compiler, flags) in SPLIT {
        for tool in ["dwp", "llvm-dwp"] {
            let is_v5 = flags.contains(&"-gdwarf-5");
            let has_types = compiler == "gcc" && flags.contains(&"-fdebug-types-section");
            // GNU dwp ends with a segmentation fault for units of DWARF 5, and LLVM's not at all if
            // those are types that gcc wrote.
            if is_v5 && (tool == "dwp" || has_types) {
                continue;
            }
            let lab = Lab::new();
            let app = link(&lab, compiler, flags);
            let loose = split_facts(&app, &nowhere()).unwrap();
            run(lab.folder(), tool, &["-e", "app", "-o", "app.dwp"]);
            for name in ["main.dwo", "other.dwo"] {
                fs::remove_file(lab.path(name)).unwrap();
            }
            let found = split_facts(&app, &nowhere()).unwrap();
            let what = format!("{compiler} {flags:?} {tool}");
            assert_eq!(found.found, BTreeSet::from(["app.dwp".to_owned()]), "{what}");
            assert_eq!(found.missing, [""; 0], "{what}");
            assert_eq!(found.functions, loose.functions, "{what}");
            assert_eq!(found.skeletons, loose.skeletons, "{what}");
            // The same types of several files are in it once.
            let names =
                |found: &SplitFacts| found.facts.names.iter().cloned().collect::<BTreeSet<_>>();
            assert_eq!(names(&found), names(&loose), "{what}");
            assert_eq!(found.facts.units, Facts::dumped(&lab.path("app.dwp")).units, "{what}");
        }
    }
}

#[test]
fn types_in_packages_of_dwarf_5_are_read() {
    // Few and simple enough for llvm-dwp.
    const SOURCE: &str = "
        struct item { int n; struct item *next; };
        enum mode { A, B };
        struct item *NAME(struct item *i, enum mode m) { while (i && i->n) i = i->next; return i; }
    ";
    let lab = Lab::new();
    let flags = ["-gdwarf-5", "-gsplit-dwarf", "-fdebug-types-section", "-O1", "-c"];
    for (name, file) in [("start", "a.c"), ("other", "b.c")] {
        lab.write(file, SOURCE.replace("NAME", name));
        run(lab.folder(), "gcc", &[&flags[..], &[file]].concat());
    }
    run(lab.folder(), "ld", &["-e", "start", "-o", "app", "a.o", "b.o"]);
    run(lab.folder(), "llvm-dwp", &["-e", "app", "-o", "app.dwp"]);
    for name in ["a.dwo", "b.dwo"] {
        fs::remove_file(lab.path(name)).unwrap();
    }
    let found = split_facts(&lab.path("app"), &nowhere()).unwrap();
    assert_eq!(found.facts, Facts::dumped(&lab.path("app.dwp")));
    assert_eq!((found.missing.len(), found.facts.units), (0, 4));
}

#[test]
fn a_file_that_is_not_in_the_package_is_read_beside_it() {
    let lab = Lab::new();
    let app = link(&lab, "clang", &["-gdwarf-5", "-gsplit-dwarf"]);
    let loose = split_facts(&app, &nowhere()).unwrap();
    run(lab.folder(), "llvm-dwp", &["-o", "app.dwp", "main.dwo"]);
    fs::remove_file(lab.path("main.dwo")).unwrap();
    let found = split_facts(&app, &nowhere()).unwrap();
    assert_eq!(found.facts, loose.facts);
    let expected = ["app.dwp", "other.dwo"].map(str::to_owned);
    assert_eq!(found.found, BTreeSet::from(expected));
}

#[test]
fn contents_may_be_in_the_object_itself() {
    let lab = Lab::new();
    let app = link(&lab, "clang", &["-gdwarf-5", "-gsplit-dwarf=single"]);
    let found = split_facts(&app, &nowhere()).unwrap();
    assert_eq!(found.found, BTreeSet::from(["main.o", "other.o"].map(str::to_owned)));
    assert_split_addresses(&app, &found);
}

#[test]
fn a_dwo_file_of_another_build_is_refused_with_both_ids() {
    for (compiler, flags) in SPLIT {
        let lab = Lab::new();
        let app = link(&lab, compiler, flags);
        let first = load(&app, &nowhere(), skeletons)[0].2.0;
        lab.write("main.c", format!("{MAIN}\nint added;"));
        run(lab.folder(), compiler, &[flags, &["-c", "-o", "new.o", "main.c"]].concat());
        fs::rename(lab.path("new.dwo"), lab.path("main.dwo")).unwrap();
        let second = load(&lab.path("new.o"), &nowhere(), skeletons)[0].2.0;
        let error = format!("{:#}", split_facts(&app, &nowhere()).unwrap_err());
        for id in [first, second] {
            assert!(error.contains(&format!("{id:#018x}")), "no {id:#x} in: {error}");
        }
        assert!(error.contains("main.dwo") && error.contains("another build"), "{error}");
        // The right one elsewhere is taken, however.
        lab.write("main.c", MAIN);
        fs::create_dir(lab.path("dir")).unwrap();
        run(lab.folder(), compiler, &[flags, &["-c", "-o", "dir/main.o", "main.c"]].concat());
        let search = Search { debug_dirs: vec![lab.path("dir")] };
        assert_eq!(split_facts(&app, &search).unwrap().missing, [""; 0]);
    }
}

#[test]
fn a_dwo_file_can_be_read_alone_and_a_package_can_not() {
    for (compiler, flags) in SPLIT {
        let lab = Lab::new();
        link(&lab, compiler, flags);
        let dwo = lab.path("main.dwo");
        assert_eq!(facts(&dwo), Facts::dumped(&dwo), "{compiler} {flags:?}");
        if compiler == "gcc" && flags.contains(&"-gdwarf-5") {
            continue;
        }
        run(lab.folder(), "llvm-dwp", &["-o", "app.dwp", "main.dwo"]);
        assert!(refusal(&lab.path("app.dwp"), &nowhere()).contains("a package of .dwo files"));
    }
}

/// Damages a few bytes of `elf`, most of them in sections that are read here.
fn damage(elf: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = elf.to_vec();
    let sections: Vec<_> = sections(elf)
        .into_iter()
        .filter(|(name, range)| {
            let names = ["debug", ".rel", ".symtab", ".strtab", ".shstrtab", ".group", ".note"];
            names.iter().any(|wanted| name.contains(wanted)) && !range.is_empty()
        })
        .map(|(_, range)| range)
        .collect();
    let headers = elf.len() - elf.len().min(64 * (sections.len() + 8));
    for _ in 0..1 + random.below(4) {
        let place = match random.below(8) {
            0 => 0..64,
            1 | 2 => headers..elf.len(),
            _ => sections[random.below(sections.len())].clone(),
        };
        // Beginnings of sections say how long they are.
        let at = match random.below(3) {
            0 => place.start + random.below(place.len().min(24)),
            _ => place.start + random.below(place.len()),
        };
        let value = random.next();
        match random.below(3) {
            0 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][value as usize % 5],
            1 => bytes[at] ^= 1 << (value % 8),
            _ => {
                let end = (at + 8).min(bytes.len());
                let extreme = [0, u64::MAX, i64::MAX as u64, u64::from(u32::MAX), value];
                bytes[at..end]
                    .copy_from_slice(&extreme[value as usize % 5].to_le_bytes()[..end - at]);
            }
        }
    }
    if random.below(8) == 0 {
        bytes.truncate(random.below(bytes.len()));
    }
    bytes
}

/// Loads everything of the application `bytes`, which is at `app`; whatever is wrong is an error.
fn load_all(app: &Path, bytes: &[u8], skeletons: &[Skeleton<'_>]) -> anyhow::Result<()> {
    let host = Host::parse(app, bytes)?;
    let _ = (host.require_extendable(), host.build_id(), host.notes(".note.ufunc"));
    let files = DebugFiles::find(&host, &nowhere())?;
    files.functions(&host)?;
    let sections = files.load()?;
    let main = sections.main_with_lines()?;
    sections.supplementary_lines()?;
    let dwos = DwoFiles::find(&host, &files, &nowhere(), skeletons)?;
    dwos.parts(&main);
    Ok(())
}

/// Damages `file` again and again while `app` is read. `UFUNC_TEST_SEED` gives another seed, or that
/// of a failure.
#[track_caller]
fn assert_survives(lab: &Lab, app: &Path, file: &str, skeletons: &[Skeleton<'_>]) {
    const CASES: usize = 400;
    let seed = seed();
    let whole = fs::read(lab.path(file)).unwrap();
    let sound = fs::read(app).unwrap();
    load_all(app, &sound, skeletons).unwrap();
    let is_app = app == lab.path(file);
    let mut random = Random::new(seed);
    let mut slowest = std::time::Duration::ZERO;
    for case in 0..CASES {
        let damaged = damage(&whole, &mut random);
        let bytes = match is_app {
            true => &damaged,
            // Whoever finds it maps it.
            false => {
                lab.write(file, &damaged);
                &sound
            }
        };
        let begin = std::time::Instant::now();
        if let Err(error) = load_all(app, bytes, skeletons) {
            let error = format!("{error:#}");
            let name = Path::new(file).file_name().unwrap().to_str().unwrap();
            assert!(error.contains(name), "seed {seed}, case {case} of {file}: {error}");
            assert!(!error.contains('\n'), "seed {seed}, case {case} of {file}: {error}");
        }
        slowest = slowest.max(begin.elapsed());
    }
    assert!(slowest.as_secs() < 5, "{file}: {slowest:?}");
    lab.write(file, whole);
}

#[test]
fn damaged_files_are_errors() {
    for (target, flags) in [
        ("riscv64-linux-gnu", &["-gdwarf-5", "-fdebug-types-section"][..]),
        ("i686-linux-gnu", &["-gdwarf-4"]),
        ("s390x-linux-gnu", &["-gdwarf-5", "-gz"]),
    ] {
        let lab = Lab::new();
        sources(&lab);
        let target = format!("--target={target}");
        let args = [&[target.as_str()], flags, &["-c", "-o", "main.o", "main.c"]].concat();
        run(lab.folder(), "clang", &args);
        assert_survives(&lab, &lab.path("main.o"), "main.o", &[]);
    }
}

#[test]
fn damaged_links_and_supplementary_files_are_errors() {
    let lab = Lab::new();
    let (app, ..) = split_off(&lab);
    fs::rename(lab.path("debug/app.debug"), lab.path("app.debug")).unwrap();
    add_link(&lab, "app.debug");
    assert_survives(&lab, &app, "app", &[]);
    for kind in [&[][..], &["--dwarf-5"]] {
        let lab = Lab::new();
        share(&lab, &[kind, &["--relative"]].concat(), "-gdwarf-5");
        assert_survives(&lab, &lab.path("one"), "one", &[]);
    }
}

#[test]
fn damaged_dwo_files_and_packages_are_errors() {
    for (compiler, flags) in [SPLIT[4], SPLIT[5]] {
        let lab = Lab::new();
        let app = link(&lab, compiler, flags);
        let owned = load(&app, &nowhere(), skeletons);
        let skeletons: Vec<_> =
            owned.iter().map(|(name, folder, id)| Skeleton { name, folder, id: *id }).collect();
        assert_survives(&lab, &app, "main.dwo", &skeletons);
        run(lab.folder(), "llvm-dwp", &["-e", "app", "-o", "app.dwp"]);
        assert_survives(&lab, &app, "app.dwp", &skeletons);
    }
}

#[test]
fn a_section_that_claims_too_much_is_refused() {
    let lab = Lab::new();
    link(&lab, "gcc", &["-g"]);
    run(lab.folder(), "objcopy", &["--compress-debug-sections=zlib", "app", "packed"]);
    let packed = fs::read(lab.path("packed")).unwrap();
    let (_, range) = sections(&packed).into_iter().find(|(name, _)| name == ".debug_info").unwrap();
    // Elf64_Chdr: type, reserved, size, alignment.
    for (claim, reason) in [
        (u64::MAX, "which is not credible"),
        (1 << 40, "which is not credible"),
        // Credible, and not there.
        (1 << 20, "and claims 1048576"),
        (7, "longer than it claims"),
    ] {
        let mut bytes = packed.clone();
        bytes[range.start + 8..range.start + 16].copy_from_slice(&claim.to_le_bytes());
        let error = refusal(&lab.write("claims", bytes), &nowhere());
        assert!(error.contains("failed to read section .debug_info"), "{error}");
        assert!(error.contains(reason), "{claim}: {error}");
    }
}
