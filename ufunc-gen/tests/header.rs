// SPDX-License-Identifier: MIT OR Apache-2.0
//! `ufunc-gen header`: clang takes what it writes, with vmlinux.h and without, and has everything
//! where the application has it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Lab, generate, run, tool};
use ufunc_gen::btf::Type;
use ufunc_gen::btf::decode::Btf;

const KERNEL: &str = "/sys/kernel/btf/vmlinux";

fn source(name: &str) -> String {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    fs::read_to_string(tests.join(name)).unwrap()
}

/// The header of `app`, as `app.h` in the lab's folder.
#[track_caller]
fn header(lab: &Lab, app: &Path, more: &[&str]) -> String {
    let output = lab.path("app.h");
    let mut args = vec!["header", "-o", output.to_str().unwrap(), app.to_str().unwrap()];
    args.extend(more);
    generate(&args).ok();
    fs::read_to_string(output).unwrap()
}

/// Has clang compile for BPF what includes the header in each of the ways there are, then `more`.
#[track_caller]
fn compiles(lab: &Lab, more: &str) {
    let vmlinux = lab.path("vmlinux.h");
    if !vmlinux.exists() {
        let dump = ["btf", "dump", "file", KERNEL, "format", "c"];
        fs::write(vmlinux, tool(lab.folder(), "bpftool", &dump).stdout).unwrap();
    }
    let before =
        ["", "#include <linux/types.h>\n", "#include <linux/bpf.h>\n", "#include \"vmlinux.h\"\n"];
    let machine = PathBuf::from(format!("/usr/include/{}-linux-gnu", std::env::consts::ARCH));
    for before in before {
        let text = format!("{before}#include \"app.h\"\n#include \"app.h\"\n{more}");
        lab.write("program.bpf.c", text);
        let mut clang = Command::new("clang");
        clang.args(["--target=bpfel", "-g", "-O2", "-Wall", "-Werror", "-I.", "-idirafter"]);
        clang.arg(&machine).args(["-c", "program.bpf.c", "-o", "program.bpf.o"]);
        let done = run("clang", clang.current_dir(lab.folder()));
        assert_eq!(done.status, Some(0), "after {before:?}: {}", done.stderr);
    }
}

/// What the compiler has to find true of the structs and unions of `app` whose names only one has.
#[track_caller]
fn layout(lab: &Lab, app: &Path, flavour: &str) -> (String, usize) {
    let output = lab.path("app.btf");
    generate(&["btf", "-o", output.to_str().unwrap(), app.to_str().unwrap()]).ok();
    let bytes = fs::read(output).unwrap();
    let btf = Btf::parse(&bytes).unwrap();
    let kernel_bytes = fs::read(KERNEL).unwrap();
    let kernel = Btf::parse(&kernel_bytes).unwrap();
    let mut counts: HashMap<String, usize> = HashMap::new();
    let composites: Vec<_> = btf
        .types()
        .filter_map(|entry| match entry.unwrap().1 {
            Type::Struct(composite) => Some(("struct", composite)),
            Type::Union(composite) => Some(("union", composite)),
            _ => None,
        })
        .filter(|(_, composite)| !composite.name.is_empty())
        .collect();
    for (_, composite) in &composites {
        *counts.entry(composite.name.to_string()).or_default() += 1;
    }
    let is_tag = |ty: &Type<'_>| {
        matches!(
            ty,
            Type::Struct(_)
                | Type::Union(_)
                | Type::Fwd { .. }
                | Type::Enum { .. }
                | Type::Enum64 { .. }
        )
    };
    let taken: Vec<String> = kernel
        .types()
        .map(|entry| entry.unwrap().1)
        .filter(is_tag)
        .map(|ty| ty.name().to_string())
        .collect();
    let mut text = String::new();
    let mut count = 0;
    for (tag, composite) in
        composites.iter().filter(|(_, composite)| counts[composite.name.as_ref()] == 1)
    {
        let own = composite.name.as_ref();
        let name = match taken.iter().any(|name| name == own) {
            true => format!("{own}{flavour}"),
            false => own.to_owned(),
        };
        let size = composite.size;
        writeln!(text, "_Static_assert(sizeof({tag} {name}) == {size}, \"size of {name}\");")
            .unwrap();
        let members = composite.members.iter();
        for member in members.filter(|member| !member.name.is_empty() && member.bitfield_size == 0)
        {
            let (member, offset) = (&member.name, member.bit_offset / 8);
            writeln!(text, "_Static_assert(__builtin_offsetof({tag} {name}, {member}) == {offset}, \"{name}.{member}\");").unwrap();
            count += 1;
        }
    }
    (text, count)
}

#[test]
fn names_of_the_kernel_do_not_get_in_the_way() {
    let lab = Lab::new();
    let app = lab.build("gcc", &["-g", "-O1"], &source("header/collisions.c"));
    let text = header(&lab, &app, &[]);
    for expected in [
        "struct file___app {",
        "struct list_head___app list;",
        "union bpf_attr___app {",
        "enum zone_type___app {",
        "ZONE_RED = 0,",
        "ZONE_NORMAL___app = 1,",
        // The kernel's u64 is unsigned long long; u32 and pid_t are the same there.
        "typedef long unsigned int u64___app;",
        "typedef unsigned int u32;",
        "typedef __pid_t pid_t;",
        "typedef struct file___app *fmode_t___app;",
        "struct only_here {",
        "extern struct file___app *file_new(void) __ksym;",
        "extern void file_free(struct file___app *file) __ksym;",
        "release it with file_free(),",
        "Releases what file_new() gave.",
        " * file_new (app.c:44)",
    ] {
        assert!(text.contains(expected), "no {expected:?} in {text}");
    }
    let (asserts, count) = layout(&lab, &app, "___app");
    assert!(count > 10, "{asserts}");
    compiles(&lab, &asserts);
    // And it is of use: a program that reads a field of what it acquired.
    let program = "char LICENSE[] SEC(\"license\") = \"GPL\";\n\
        SEC(\"uprobe\") int program(void *ctx) {\n\
        struct file___app *file = file_new();\n\
        if (!file) return 0;\n\
        bpf_printk(\"%llu\", (unsigned long long)file->size);\n\
        file_free(file); return 0; }\n";
    compiles(&lab, program);
}

#[test]
fn every_language_gives_c_that_compiles() {
    let languages = [
        ("gcc", "zoo.c", &["-g", "-O2"] as &[&str], true),
        ("clang", "zoo.c", &["-g", "-O1"], true),
        ("g++", "zoo.cpp", &["-g", "-O1"], false),
        ("clang++", "zoo.cpp", &["-g", "-O1", "-std=c++17"], false),
        ("rustc", "zoo.rs", &["-g", "--edition=2021", "-Clink-arg=-Wl,--build-id"], false),
    ];
    for (compiler, name, flags, is_c) in languages {
        let lab = Lab::new();
        for file in [name, "zoo.h", "zoo_other.c"] {
            lab.write(file, source(&format!("languages/{file}")));
        }
        let mut args = vec![name, "-o", "app"];
        if is_c {
            args.push("zoo_other.c");
        }
        args.extend(flags);
        tool(lab.folder(), compiler, &args);
        let app = lab.path("app");
        let text = header(&lab, &app, &["--types-only"]);
        assert!(!text.contains("__ksym;"), "{compiler}");
        let asserts = match is_c {
            true => layout(&lab, &app, "___app").0,
            false => String::new(),
        };
        // A _BitInt of 128 bits needs less alignment than any type of that size that BPF's C has.
        let is_sound = |line: &&str| compiler != "clang" || !line.contains("struct zoo");
        let asserts: Vec<&str> = asserts.lines().filter(is_sound).collect();
        assert!(!is_c || asserts.len() > 50, "{asserts:?}");
        compiles(&lab, &asserts.join("\n"));
    }
}

#[test]
fn just_what_is_asked_for_is_declared() {
    let lab = Lab::new();
    let app = lab.build("gcc", &["-g", "-O1"], &source("header/collisions.c"));
    let text = header(&lab, &app, &["--types", "enum zone_type"]);
    // What the functions need is there, too.
    assert!(
        text.contains("struct file___app {") && text.contains("enum zone_type___app"),
        "{text}"
    );
    assert!(!text.contains("only_here"), "{text}");
    let vmlinux = lab.vmlinux(&[]);
    let text = header(&lab, &app, &["--vmlinux", vmlinux.to_str().unwrap()]);
    assert!(text.contains("struct file {") && !text.contains("___"), "{text}");
    let app = app.to_str().unwrap();
    generate(&["header", app, "--types", "struct nothing"]).refused(&["no type", "struct nothing"]);
    generate(&["header", app, "--no-infer"]).refused(&["--types-only leaves them out"]);
    generate(&["header", app, "--vmlinux", app]).refused(&["failed to read the kernel's types"]);
}
