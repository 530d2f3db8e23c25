// SPDX-License-Identifier: MIT OR Apache-2.0
//! The BTF of applications beside what pahole makes of them, type by type, beside their debug
//! information, read once more by other means, and beside what the compilers say.
//!
//! Where pahole says something else, the debug information has to show why: one of the gaps that
//! pahole is known to have (`dwarf::Gap`). Anything else fails.
//!
//! The debug information of libc and Python is Debian's, from the packages libc6-dbg and
//! python3-dbg: below `/`, or below the folder in `UFUNC_DEBUG_ROOT`, into which they were unpacked
//! together with libc6 and the package that has the interpreter.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![allow(missing_docs, unreachable_pub, reason = "nobody else uses these modules")]

#[path = "pahole/bpftool.rs"]
mod bpftool;
#[path = "pahole/catalog.rs"]
mod catalog;
mod common;
#[path = "pahole/compare.rs"]
mod compare;
#[path = "pahole/dwarf.rs"]
mod dwarf;
#[path = "pahole/entries.rs"]
mod entries;
#[path = "pahole/probe.rs"]
mod probe;
#[path = "pahole/spell.rs"]
mod spell;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use bpftool::{bpftool_line, own_line};
use catalog::{Catalog, Sort};
use common::{Lab, run, tool, ufunc_gen};
use compare::{Tally, against_dwarf, beside_pahole};
use dwarf::{Expected, Gap};
use entries::{Info, Naming, identifier};
use object::Object as _;
use serde_json::Value;
use ufunc_gen::btf::decode::Btf;
use ufunc_gen::btf::encode::Encoded;
use ufunc_gen::btf::{Composite, Type};

/// What pahole fails on as a whole, if it is anywhere in a file.
const FATAL: [Gap; 6] = [
    Gap::Atomic,
    Gap::Reference,
    Gap::MemberPointer,
    Gap::OddBase,
    Gap::BaseClass,
    Gap::Unspecified,
];
/// Differences that are shown of one comparison.
const SHOWN: usize = 20;

/// The BTF that the command writes for `app`.
#[track_caller]
fn written(lab: &Lab, app: &Path) -> Vec<u8> {
    let out = lab.path("command.btf");
    run("ufunc-gen", ufunc_gen().arg("btf").arg(app).arg("-o").arg(&out)).ok();
    fs::read(&out).unwrap()
}

/// The BTF that pahole writes for `app`; `None` if it writes none, whatever its exit status.
fn written_by_pahole(lab: &Lab, app: &Path, options: &[&str]) -> Option<Vec<u8>> {
    let out = lab.path("pahole.btf");
    let _ = fs::remove_file(&out);
    // With one thread: with two it may write something else each time.
    let mut command = Command::new("pahole");
    command.arg("-j1").args(options);
    command.arg(format!("--btf_encode_detached={}", out.display())).arg(app);
    run("pahole (Debian package dwarves)", &mut command);
    fs::read(&out).ok()
}

/// An application and all that is said of it.
struct Subject {
    lab: Lab,
    app: PathBuf,
    info: Info,
    /// By their whole names, and by their own names alone.
    whole: Vec<Expected>,
    bare: Vec<Expected>,
    btf: Vec<u8>,
}

impl Subject {
    #[track_caller]
    fn new(lab: Lab, app: PathBuf) -> Self {
        let mut info = Info::read(&app).unwrap();
        let (whole, bare) = (info.expected(Naming::Whole), info.expected(Naming::Bare));
        assert!(!whole.is_empty(), "{} has no debug information", app.display());
        let btf = written(&lab, &app);
        Subject { lab, app, info, whole, bare, btf }
    }

    /// What is wrong with `btf` according to the debug information.
    fn errors(&self, btf: &[u8]) -> Vec<String> {
        against_dwarf(&Catalog::read(btf, &str::to_owned).unwrap(), &self.whole, &self.info)
    }

    /// Compares `btf` with what pahole writes.
    fn beside_pahole(&self, btf: &[u8], options: &[&str]) -> Tally {
        let Some(theirs) = written_by_pahole(&self.lab, &self.app, options) else {
            return self.without_pahole();
        };
        let names: HashMap<_, _> =
            self.whole.iter().map(|one| (one.name.as_str(), one.bare.clone())).collect();
        let bare = |name: &str| names.get(name).cloned().unwrap_or_else(|| name.to_owned());
        let ours = Catalog::read(btf, &bare).unwrap();
        let pahole = Catalog::read(&theirs, &identifier).unwrap();
        beside_pahole(&ours, &pahole, &self.bare, &self.info)
    }

    /// pahole wrote nothing: the debug information has to have something that stops it.
    fn without_pahole(&self) -> Tally {
        let mut tally = Tally::default();
        let parts = |one: &Expected| one.part_gaps.iter().flatten().copied().collect::<Vec<_>>();
        let gaps: BTreeSet<_> = self
            .whole
            .iter()
            .flat_map(|one| [parts(one), one.gaps.iter().copied().collect()].concat())
            .collect();
        match FATAL.into_iter().find(|gap| gaps.contains(gap)) {
            Some(gap) => *tally.gaps.entry(gap).or_default() += 1,
            None => tally.unexplained.push("pahole wrote nothing, for no known reason".to_owned()),
        }
        tally
    }

    /// Asserts that the debug information agrees with the command on everything.
    #[track_caller]
    fn check_alone(&self, title: &str) {
        let errors = self.errors(&self.btf);
        say(&format!(
            "{title}: {} entries in the debug information; {} are not in the BTF so",
            self.whole.len(),
            errors.len()
        ));
        fail_with(title, "the debug information says otherwise", &errors);
    }

    /// Asserts that the debug information agrees with the command on everything, and pahole on all
    /// that it is known to be able to.
    #[track_caller]
    fn check(&self, title: &str, options: &[&str]) -> Tally {
        self.check_alone(title);
        let tally = self.beside_pahole(&self.btf, options);
        say(&format!("{title}, beside pahole {}: {tally}", options.join(" ")));
        fail_with(title, "pahole says otherwise, for no known reason", &tally.unexplained);
        tally
    }
}

#[track_caller]
fn fail_with(title: &str, what: &str, lines: &[String]) {
    let shown: Vec<String> =
        lines.iter().take(SHOWN).map(|line| line.chars().take(600).collect()).collect();
    assert!(lines.is_empty(), "{title}: {what}, {} times:\n{}", lines.len(), shown.join("\n"));
}

/// Says something even if the test passes.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pahole")
}

/// The application `zoo`, made of `sources` by `compiler`.
#[track_caller]
fn zoo(compiler: &str, flags: &[&str], sources: &[&str]) -> Subject {
    let lab = Lab::new();
    let paths: Vec<_> = sources.iter().map(|source| folder().join(source)).collect();
    let mut args = vec!["-g", "-o", "zoo"];
    args.extend(flags);
    args.extend(paths.iter().map(|path| path.to_str().unwrap()));
    tool(lab.folder(), compiler, &args);
    let app = lab.path("zoo");
    Subject::new(lab, app)
}

const C: [&str; 2] = ["zoo.c", "zoo_other.c"];
const FLOATS: [&str; 1] = ["--btf_gen_floats"];

#[test]
fn the_examples() {
    let lab = Lab::new();
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let out = format!("OUT={}", lab.folder().display());
    tool(&examples, "make", &["-s", &out]);
    for name in ["btf-base", "btf-base-new", "btf-base-complete", "annotated"] {
        let own = Lab::new();
        fs::copy(lab.path(name), own.path(name)).unwrap();
        let app = own.path(name);
        Subject::new(own, app).check(name, &FLOATS);
    }
}

#[test]
fn everything_that_c_has() {
    for (compiler, flags) in [
        ("gcc", &["-O2"][..]),
        ("gcc", &["-O0", "-gdwarf-4"]),
        ("gcc", &["-O2", "-gdwarf-3", "-gstrict-dwarf"]),
        ("gcc", &["-O2", "-flto"]),
        ("clang", &["-O2"]),
        ("clang", &["-O1", "-gdwarf-4"]),
    ] {
        let subject = zoo(compiler, flags, &C);
        let tally = subject.check(&format!("C, {compiler} {}", flags.join(" ")), &FLOATS);
        assert!(tally.members > 150, "too little was compared");
    }
}

#[test]
fn floats_are_integers_to_pahole_unless_told() {
    let tally = zoo("gcc", &["-O2"], &C).check("C, gcc, floats as integers", &[]);
    assert!(tally.gaps[&Gap::Float] >= 3);
}

#[test]
fn atomic_and_complex_types_are_too_much_for_pahole() {
    for compiler in ["gcc", "clang"] {
        let subject = zoo(compiler, &["-DWITH_ATOMIC"], &C);
        let tally = subject.check(&format!("C with _Atomic, {compiler}"), &FLOATS);
        assert!(tally.gaps.contains_key(&Gap::Atomic), "{tally}");
        zoo(compiler, &["-DWITH_COMPLEX", "-DWITH_ATOMIC"], &C)
            .check(&format!("C with _Complex, {compiler}"), &FLOATS);
    }
}

#[test]
fn what_cpp_adds() {
    for compiler in ["g++", "clang++"] {
        let tally = zoo(compiler, &["-DPLAIN"], &["zoo.cpp"])
            .check(&format!("plain C++, {compiler}"), &FLOATS);
        assert!(tally.gaps.contains_key(&Gap::Mangled), "{tally}");
        zoo(compiler, &["-O2"], &["zoo.cpp"]).check(&format!("C++, {compiler}"), &FLOATS);
        zoo(compiler, &["-DWITH_LIBRARY"], &["zoo.cpp"])
            .check(&format!("C++ with its library, {compiler}"), &FLOATS);
    }
}

#[test]
fn types_in_units_of_their_own() {
    // pahole says nothing of what it cannot read there, and gives members other types.
    for (compiler, source) in
        [("gcc", "zoo.c"), ("clang", "zoo.c"), ("g++", "zoo.cpp"), ("clang++", "zoo.cpp")]
    {
        let flags = ["-gdwarf-5", "-fdebug-types-section"];
        zoo(compiler, &flags, &[source]).check_alone(&format!("type units, {compiler}"));
    }
}

#[test]
fn what_rust_adds() {
    let lab = Lab::new();
    let source = folder().join("zoo.rs");
    let args = ["--edition", "2024", "-A", "warnings", "-g", "-o", "zoo", source.to_str().unwrap()];
    tool(lab.folder(), "rustc", &args);
    let app = lab.path("zoo");
    let tally = Subject::new(lab, app).check("Rust", &FLOATS);
    assert!(tally.gaps.contains_key(&Gap::Variants), "{tally}");
}

// ── Debian's own ──

/// The debug information of the file at `program`, by its build-id, from Debian's `package`.
#[track_caller]
fn debug_file(programs: &[&str], package: &str) -> PathBuf {
    let root =
        std::env::var_os("UFUNC_DEBUG_ROOT").map_or_else(|| PathBuf::from("/"), PathBuf::from);
    let found = programs.iter().map(|program| root.join(program)).find(|path| path.exists());
    let Some(program) = found else {
        panic!("there is none of {programs:?} in {}", root.display())
    };
    let bytes = fs::read(&program).unwrap();
    let object = object::File::parse(&*bytes).unwrap();
    let id: Vec<_> =
        object.build_id().unwrap().unwrap().iter().map(|byte| format!("{byte:02x}")).collect();
    let file = root.join(format!("usr/lib/debug/.build-id/{}/{}.debug", id[0], id[1..].concat()));
    assert!(
        file.exists(),
        "{}, the debug information of {}, is missing: install the Debian package {package}",
        file.display(),
        program.display()
    );
    file
}

#[test]
fn debians_libc() {
    let file = debug_file(
        &["lib/x86_64-linux-gnu/libc.so.6", "usr/lib/x86_64-linux-gnu/libc.so.6"],
        "libc6-dbg",
    );
    let tally = Subject::new(Lab::new(), file).check("libc6-dbg", &FLOATS);
    assert!(tally.members > 5000, "too little was compared: {tally}");
}

#[test]
fn debians_python() {
    let programs: Vec<_> = (9..30).rev().map(|minor| format!("usr/bin/python3.{minor}")).collect();
    let programs: Vec<_> = programs.iter().map(String::as_str).collect();
    let file = debug_file(&programs, "python3-dbg");
    Subject::new(Lab::new(), file).check("python3-dbg", &FLOATS);
}

// ── that the comparison would notice ──

/// `btf` after `alter` has changed its types.
fn altered(btf: &[u8], alter: impl FnOnce(&mut Vec<Type<'_>>)) -> Vec<u8> {
    let types: Result<Vec<_>, _> = Btf::parse(btf).unwrap().types().collect();
    let mut types: Vec<_> = types.unwrap().into_iter().map(|(_, ty)| ty).collect();
    alter(&mut types);
    Encoded::new(&types, 0).unwrap().to_bytes().unwrap()
}

fn composite<'t, 'a>(types: &'t mut [Type<'a>], name: &str) -> &'t mut Composite<'a> {
    let found = types.iter_mut().find_map(|ty| match ty {
        Type::Struct(composite) if composite.name == name => Some(composite),
        _ => None,
    });
    found.unwrap()
}

#[test]
fn one_wrong_bit_is_noticed() {
    let subject = zoo("gcc", &["-O2"], &["zoo.c"]);
    let same = altered(&subject.btf, |_| {});
    assert_eq!(subject.errors(&same), [""; 0]);
    assert_eq!(subject.beside_pahole(&same, &FLOATS).unexplained, [""; 0]);
    type Alter = fn(&mut Vec<Type<'_>>);
    let alterations: [(&str, Alter); 6] = [
        ("derived", |types| composite(types, "derived").members[2].bit_offset += 8),
        ("bit_fields", |types| composite(types, "bit_fields").members[1].bitfield_size -= 1),
        ("bases", |types| composite(types, "bases").size += 1),
        ("outer", |types| composite(types, "outer").members[0].name = "elsewhere".into()),
        ("pong", |types| {
            let wrong = composite(types, "bases").members[0].ty;
            composite(types, "pong").members[0].ty = wrong;
        }),
        ("negative", |types| {
            let values = types.iter_mut().find_map(|ty| match ty {
                Type::Enum { name, values, .. } if name == "negative" => Some(values),
                _ => None,
            });
            values.unwrap()[0].1 += 1;
        }),
    ];
    for (name, alter) in alterations {
        let wrong = altered(&subject.btf, alter);
        for lines in [subject.errors(&wrong), subject.beside_pahole(&wrong, &FLOATS).unexplained] {
            assert!(lines.iter().any(|line| line.contains(name)), "{name}: {lines:#?}");
        }
    }
}

// ── the compilers ──

/// Headers of the C library and of the kernel, which come with every C compiler of Debian.
const HEADERS: [&str; 36] = [
    "arpa/inet.h",
    "dirent.h",
    "elf.h",
    "fcntl.h",
    "glob.h",
    "ifaddrs.h",
    "link.h",
    "linux/bpf.h",
    "linux/btf.h",
    "linux/capability.h",
    "linux/cdrom.h",
    "linux/ethtool.h",
    "linux/fuse.h",
    "linux/if_packet.h",
    "linux/input.h",
    "linux/io_uring.h",
    "linux/kvm.h",
    "linux/netlink.h",
    "linux/nfs4.h",
    "linux/perf_event.h",
    "linux/rtnetlink.h",
    "linux/seccomp.h",
    "linux/taskstats.h",
    "linux/usb/ch9.h",
    "linux/videodev2.h",
    "netdb.h",
    "netinet/ip.h",
    "netinet/tcp.h",
    "pthread.h",
    "signal.h",
    "sound/asound.h",
    "stdio.h",
    "sys/stat.h",
    "sys/ucontext.h",
    "time.h",
    "utmpx.h",
];

/// Asks both compilers whether `btf` is right about what `prelude` declares.
#[track_caller]
fn ask_compilers(lab: &Lab, title: &str, btf: &[u8], prelude: &str) -> Result<usize, String> {
    let types: Result<Vec<_>, _> = Btf::parse(btf).unwrap().types().collect();
    let types: Vec<_> = types.unwrap().into_iter().map(|(_, ty)| ty).collect();
    let functions: Vec<_> = types.iter().filter(|ty| matches!(ty, Type::Func { .. })).collect();
    // What is in a function has its name before its own, and nobody else can name it; nor what is
    // in the compiler.
    let cannot_be_named = |name: &str| {
        ["__va_list_tag", "max_align_t", "double"].contains(&name)
            || functions.iter().any(|ty| name.starts_with(&format!("{}__", ty.name())))
    };
    let probe = probe::probe(&types, prelude, cannot_be_named);
    lab.write("probe.c", &probe.source);
    for compiler in ["gcc", "clang"] {
        let mut command = Command::new(compiler);
        command.args(["-w", "-O1", "-o", "probe", "probe.c"]).current_dir(lab.folder());
        let output = run(compiler, &mut command);
        if output.status != Some(0) {
            return Err(format!("{title}, {compiler}: {}", output.stderr));
        }
        let output = run("probe", &mut Command::new(lab.path("probe")));
        if output.status != Some(0) {
            return Err(format!("{title}, {compiler}, bit-fields: {}", output.stdout));
        }
    }
    say(&format!(
        "{title}: gcc and clang agree on {} sizes, offsets and bit-fields",
        probe.questions
    ));
    Ok(probe.questions)
}

#[test]
fn the_compilers_agree_on_the_zoo() {
    let source = fs::read_to_string(folder().join("zoo.c")).unwrap();
    let prelude = format!("#define main zoo_main\n{source}\n#undef main\n");
    let subject = zoo("gcc", &["-O2", "-fno-eliminate-unused-debug-types"], &["zoo.c"]);
    let questions = ask_compilers(&subject.lab, "C", &subject.btf, &prelude).unwrap();
    assert!(questions > 150, "{questions}");
    // And they would not, if it were wrong.
    let wrong =
        altered(&subject.btf, |types| composite(types, "derived").members[2].bit_offset += 8);
    let error = ask_compilers(&subject.lab, "C", &wrong, &prelude).unwrap_err();
    assert!(error.contains("struct derived"), "{error}");
    let wrong =
        altered(&subject.btf, |types| composite(types, "bit_fields").members[1].bit_offset += 1);
    let error = ask_compilers(&subject.lab, "C", &wrong, &prelude).unwrap_err();
    assert!(error.contains("struct bit_fields"), "{error}");
}

#[test]
fn the_compilers_agree_on_the_headers_of_debian() {
    let lab = Lab::new();
    let includes: String = HEADERS.iter().map(|name| format!("#include <{name}>\n")).collect();
    let prelude = format!("#define _GNU_SOURCE\n{includes}");
    lab.write("app.c", format!("{prelude}int main(void) {{ return 0; }}\n"));
    let flags = ["-g", "-fno-eliminate-unused-debug-types", "-o", "app", "app.c"];
    tool(lab.folder(), "gcc", &flags);
    let app = lab.path("app");
    let subject = Subject::new(lab, app);
    subject.check("headers of Debian", &FLOATS);
    let questions =
        ask_compilers(&subject.lab, "headers of Debian", &subject.btf, &prelude).unwrap();
    assert!(questions > 2000, "{questions}");
}

// ── bpftool ──

#[test]
fn bpftool_reads_the_same() {
    for (compiler, flags, sources) in [
        ("gcc", &["-O2", "-DWITH_COMPLEX", "-DWITH_ATOMIC"][..], &C[..]),
        ("g++", &["-O2"], &["zoo.cpp"]),
    ] {
        let subject = zoo(compiler, flags, sources);
        let file = subject.lab.write("read.btf", &subject.btf);
        let args = ["-j", "btf", "dump", "file", file.to_str().unwrap()];
        let json: Value =
            serde_json::from_str(&tool(subject.lab.folder(), "bpftool", &args).stdout).unwrap();
        let theirs: BTreeMap<_, _> = json["types"]
            .as_array()
            .unwrap()
            .iter()
            .map(|ty| (ty["id"].as_u64().unwrap(), bpftool_line(ty)))
            .collect();
        let types: Result<Vec<_>, _> = Btf::parse(&subject.btf).unwrap().types().collect();
        let ours: BTreeMap<_, _> =
            types.unwrap().iter().map(|(id, ty)| (u64::from(id.0), own_line(ty))).collect();
        assert_eq!(ours, theirs);
    }
}

#[test]
fn c_that_bpftool_makes_of_it_compiles() {
    for (compiler, flags, sources) in [
        ("gcc", &["-O2"][..], &["zoo.c"][..]),
        ("gcc", &["-O2", "-DWITH_COMPLEX", "-DWITH_ATOMIC"], &["zoo.c"]),
        ("g++", &["-O2", "-DPLAIN"], &["zoo.cpp"]),
    ] {
        let subject = zoo(compiler, flags, sources);
        let file = subject.lab.write("dump.btf", &subject.btf);
        let args = ["btf", "dump", "file", file.to_str().unwrap(), "format", "c"];
        let dumped = tool(subject.lab.folder(), "bpftool", &args);
        assert_eq!(dumped.stderr, "");
        subject.lab.write("dump.c", dumped.stdout);
        for compiler in ["gcc", "clang"] {
            let mut args = vec!["-w", "-std=gnu11", "-fsyntax-only", "dump.c"];
            if sources == ["zoo.cpp"] {
                // Base types of C++ that C has in headers only.
                args.extend(["-Dbool=_Bool", "-Dchar32_t=__CHAR32_TYPE__"]);
            }
            tool(subject.lab.folder(), compiler, &args);
        }
    }
}

/// What the member `member` of the struct `name` leads to, through pointers.
fn target_of<'t, 'a>(types: &'t [Type<'a>], name: &str, member: &str) -> &'t Type<'a> {
    let members = types.iter().find_map(|ty| match ty {
        Type::Struct(composite) if composite.name == name => Some(&composite.members),
        _ => None,
    });
    let mut id = members.unwrap().iter().find(|one| one.name == member).unwrap().ty;
    loop {
        match &types[id.0 as usize - 1] {
            Type::Ptr(target) => id = *target,
            found => return found,
        }
    }
}

#[test]
fn each_file_means_its_own_by_a_name_that_others_use_too() {
    for compiler in ["gcc", "clang"] {
        let subject = zoo(compiler, &["-O1"], &C);
        let types: Result<Vec<_>, _> = Btf::parse(&subject.btf).unwrap().types().collect();
        let types: Vec<_> = types.unwrap().into_iter().map(|(_, ty)| ty).collect();
        let first = |name: &str, member: &str| match target_of(&types, name, member) {
            Type::Struct(composite) => composite.members[0].name.to_string(),
            Type::Enum { values, .. } => values[0].0.to_string(),
            Type::Typedef { target, .. } => types[target.0 as usize - 1].kind_name().to_owned(),
            other => panic!("{name}.{member} leads to {other:?}"),
        };
        assert_eq!(first("outer", "inner"), "x");
        assert_eq!(first("user_of_inner", "by_value"), "other_layout");
        assert_eq!(first("user_of_inner", "by_pointer"), "other_layout");
        assert_eq!(first("enums", "plain"), "PLAIN_A");
        assert_eq!(first("user_of_inner", "plain"), "OTHER_A");
        assert_eq!(first("derived", "call"), "PTR");
        assert_eq!(first("user_of_inner", "number"), "INT");
    }
}

#[test]
fn a_declaration_means_what_its_definition_does() {
    // Most files have a 'struct state' of their own, and the holder of the other one they do not
    // know from within.
    let lab = Lab::new();
    let first = "struct state { long big[10]; };\n\
                 struct holder { char name[8]; struct state state; };\n\
                 struct holder holder;\n\
                 int main(void) { return holder.name[0]; }\n";
    let other = |variable: &str| {
        format!(
            "struct state {{ char small; }};\n\
             struct holder;\n\
             struct user {{ struct state own; struct holder *holder; }};\n\
             struct user {variable};\n"
        )
    };
    let (second, third) = (other("second"), other("third"));
    let sources = [("first.c", first), ("second.c", &second), ("third.c", &third)];
    let app = lab.build_files("gcc", &["-g"], &sources);
    Subject::new(lab, app).check_alone("a holder declared elsewhere");
}

#[test]
fn nothing_at_the_end_of_a_struct_keeps_its_type() {
    let lab = Lab::new();
    let source = "struct key {};\n\
                  struct ends { int a; struct key keys[3]; };\n\
                  struct ends ends;\n\
                  int main(void) { return ends.a; }\n";
    let app = lab.build("gcc", &["-g"], source);
    Subject::new(lab, app).check_alone("a list of nothing at the end");
}

#[test]
fn linkage_is_what_the_source_says() {
    let subject = zoo("gcc", &["-O2"], &["zoo.c"]);
    let catalog = Catalog::read(&subject.btf, &str::to_owned).unwrap();
    for (name, global) in [("global_function", true), ("static_function", false), ("main", true)] {
        let found: Vec<_> = catalog.get(Sort::Func, name).collect();
        assert!(
            matches!(found[..], [catalog::Shape::Func { global: linkage, .. }] if *linkage == global),
            "{name}: {found:?}"
        );
    }
}
