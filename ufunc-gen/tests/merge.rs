// SPDX-License-Identifier: MIT OR Apache-2.0
//! `ufunc-gen merge`, with libbpf, bpftool and the kernel as judges of what it writes.
//!
//! The tests need the running kernel's BTF (`/sys/kernel/btf/vmlinux`), and root or `CAP_BPF` for
//! what the kernel has to say. Where that is missing they fail and say so.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;
#[path = "merge/core_relocations.rs"]
mod core_relocations;
#[path = "merge/libbpf.rs"]
mod libbpf;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use common::{Lab, Output, Random, generate, kernel, tool, ufunc_gen};
use libbpf::Btf;
use ufunc_gen::btf::decode;
use ufunc_gen::btf::encode::Encoded;
use ufunc_gen::btf::merge::{Before, Input, Merged, Options, Prefer};
use ufunc_gen::btf::raw::Raw;
use ufunc_gen::btf::{Composite, IntEncoding, Member, Type, TypeId, kind};

/// Where the running kernel shows its BTF.
const VMLINUX: &str = "/sys/kernel/btf/vmlinux";

/// The running kernel's BTF.
fn vmlinux() -> Vec<u8> {
    fs::read(VMLINUX).unwrap_or_else(|error| {
        panic!(
            "the running kernel does not show its BTF ({VMLINUX}: {error}), which this test needs"
        )
    })
}

fn int(name: &'static str, size: u32) -> Type<'static> {
    let encoding = IntEncoding { signed: true, ..IntEncoding::default() };
    Type::Int { name: name.into(), size, encoding, bit_offset: 0, bits: 8 * size as u8 }
}

fn structure(name: &'static str, size: u32, members: &[(&'static str, u32, u32)]) -> Type<'static> {
    let member = |&(name, ty, byte): &(&'static str, u32, u32)| Member {
        name: name.into(),
        ty: TypeId(ty),
        bit_offset: 8 * byte,
        bitfield_size: 0,
    };
    let members = members.iter().map(member).collect();
    Type::Struct(Composite { name: name.into(), size, members })
}

fn encode(types: &[Type<'_>]) -> Vec<u8> {
    Encoded::new(types, 0).unwrap().to_bytes().unwrap()
}

fn types(bytes: &[u8]) -> Vec<Type<'_>> {
    let btf = decode::Btf::parse(bytes).unwrap();
    btf.types().map(|item| item.unwrap().1).collect()
}

/// Merges `inputs` with `flags`; the result and what was said.
#[track_caller]
fn merge(lab: &Lab, inputs: &[&Path], flags: &[&str]) -> (Vec<u8>, Output) {
    let out = lab.path("merged.btf");
    let mut args: Vec<&OsStr> = vec!["merge".as_ref()];
    args.extend(inputs.iter().map(|path| path.as_os_str()));
    args.extend(flags.iter().map(OsStr::new));
    args.extend(["-o".as_ref(), out.as_os_str()]);
    let output = generate(&args).ok();
    (fs::read(&out).unwrap(), output)
}

/// `base.btf` and `more.btf` with these types, merged with `flags`.
#[track_caller]
fn merged(base: &[Type<'_>], more: &[Type<'_>], flags: &[&str]) -> (Vec<Type<'static>>, Output) {
    let lab = Lab::new();
    let base = lab.write("base.btf", encode(base));
    let more = lab.write("more.btf", encode(more));
    let (bytes, output) = merge(&lab, &[&base, &more], flags);
    // Leaked, for a test is short.
    (types(bytes.leak()), output)
}

/// The BTF of the C source `source`, as clang writes it for a BPF object.
fn compiled(lab: &Lab, name: &str, source: &str) -> PathBuf {
    let file = format!("{name}.c");
    lab.write(&file, source);
    tool(lab.folder(), "clang", &["-g", "-O2", "-target", "bpf", "-c", &file]);
    lab.path(&format!("{name}.o"))
}

/// What a type says but for those that it refers to: what a reader of C sees of it.
fn description(ty: &Type<'_>) -> String {
    let parts = match ty {
        Type::Struct(composite) | Type::Union(composite) => {
            let members = composite.members.iter();
            let part = |m: &Member<'_>| format!("{}@{}:{}", m.name, m.bit_offset, m.bitfield_size);
            format!("{} {:?}", composite.size, members.map(part).collect::<Vec<_>>())
        }
        Type::Enum { size, values, signed, .. } => format!("{size} {signed} {values:?}"),
        Type::Enum64 { size, values, signed, .. } => format!("{size} {signed} {values:?}"),
        Type::Int { size, encoding, bits, .. } => format!("{size} {bits} {encoding:?}"),
        Type::Float { size, .. } => size.to_string(),
        Type::Array { count, .. } => count.to_string(),
        Type::FuncProto { params, .. } => {
            format!("{:?}", params.iter().map(|param| &param.name).collect::<Vec<_>>())
        }
        Type::Fwd { union, .. } => union.to_string(),
        _ => String::new(),
    };
    format!("{} '{}' {parts}", ty.kind_name(), ty.name())
}

fn descriptions(bytes: &[u8]) -> BTreeSet<String> {
    types(bytes).iter().map(description).collect()
}

/// A host with types of its own, some of the kernel's, and some that the kernel has otherwise.
const HOST: &str = r#"
struct list_head { struct list_head *next, *prev; };
struct unknown;
struct page;
typedef unsigned int __u32;
typedef __u32 u32;
enum state { IDLE, BUSY = 5 };
struct task { struct list_head list; u32 id; enum state state : 4; unsigned rest : 28; struct unknown *opaque; struct page *page; int (*run)(struct task *, const char *); };
struct file { int fd; struct task *owner; };
union sigval { int number; void *pointer; };
int use(struct task *task, struct file *file, union sigval *value) { return 0; }
"#;

/// Another host, with other ideas of the same names.
const OTHER: &str = "enum state { OFF, ON }; struct file { long l; enum state s; };\n\
    int use(struct file *file) { return 0; }\n";

#[test]
fn the_kernels_types_keep_their_ids_and_the_hosts_follow() {
    let lab = Lab::new();
    let host = compiled(&lab, "host", HOST);
    let kernel = vmlinux();
    for flags in [&[][..], &["--no-dedup"]] {
        let (bytes, output) = merge(&lab, &[Path::new(VMLINUX), &host], flags);
        assert!(output.stderr.contains("struct file"), "{}", output.stderr);
        let (kernel, all) = (types(&kernel), types(&bytes));
        let is_renamed = |ty: &Type<'_>| ty.name().contains("__vmlinux");
        let changed: Vec<_> = all.iter().zip(&kernel).filter(|(a, b)| a != b).collect();
        assert!(changed.iter().all(|(merged, _)| is_renamed(merged)), "{changed:#?}");
        assert!((1..4).contains(&changed.len()), "{changed:#?}");
        let added = &all[kernel.len()..];
        assert!(added.iter().any(|ty| ty.name() == "task"), "{added:#?}");
        let ids = all.len() as u32;
        all.iter().for_each(|ty| ty.for_each_ref(|id| assert!(id.0 <= ids)));
        // Equal ones are the kernel's.
        let lists = all.iter().filter(|ty| ty.name().starts_with("list_head"));
        let lists = lists.filter(|ty| ty.kind() == kind::STRUCT).count();
        assert_eq!(lists, if flags.is_empty() { 1 } else { 2 });
    }
}

/// What libbpf makes of the same inputs has the same types.
#[test]
fn the_content_is_what_libbpf_makes_of_it() {
    let lab = Lab::new();
    let host = compiled(&lab, "host", HOST);
    vmlinux();
    let mut oracle = Btf::parse(Path::new(VMLINUX));
    oracle.add(&Btf::parse(&host));
    let (ours, _) = merge(&lab, &[Path::new(VMLINUX), &host], &["--no-dedup", "--prefer", "none"]);
    assert_eq!(types(&ours).len(), types(&oracle.bytes()).len());
    assert_eq!(descriptions(&ours), descriptions(&oracle.bytes()));
    oracle.dedup();
    let (ours, _) = merge(&lab, &[Path::new(VMLINUX), &host], &["--prefer", "none"]);
    let theirs = oracle.bytes();
    let (ours, theirs) = (descriptions(&ours), descriptions(&theirs));
    let difference: Vec<_> = ours.symmetric_difference(&theirs).take(20).collect();
    assert!(difference.is_empty(), "{difference:#?}");
}

#[test]
fn bpftool_libbpf_and_the_kernel_accept_the_result() {
    let lab = Lab::new();
    let host = compiled(&lab, "host", HOST);
    let other = compiled(&lab, "other", OTHER);
    kernel::load(&vmlinux()).expect("the kernel takes its own BTF from a program");
    for inputs in [&[Path::new(VMLINUX), &host, &other][..], &[&host, &other], &[&other, &host]] {
        for flags in [&[][..], &["--no-dedup"], &["--prefer", "base"], &["--prefer", "none"]] {
            let (bytes, _) = merge(&lab, inputs, flags);
            let path = lab.path("merged.btf");
            let dump =
                tool(lab.folder(), BPFTOOL, &["btf", "dump", "file", path.to_str().unwrap()]);
            let count = dump.stdout.lines().filter(|line| line.starts_with('[')).count();
            assert_eq!(count, types(&bytes).len());
            let libbpfs = types(&Btf::parse(&path).bytes()).len();
            assert_eq!(libbpfs, types(&bytes).len());
            kernel::load(&bytes).unwrap_or_else(|log| panic!("{inputs:?} {flags:?}: {log}"));
        }
    }
}

/// Debian puts it where only root looks.
const BPFTOOL: &str = "/usr/sbin/bpftool";

#[test]
fn a_name_with_two_layouts_goes_to_whom_the_user_prefers() {
    let base = [int("int", 4), structure("data", 4, &[("a", 1, 0)]), Type::Ptr(TypeId(2))];
    let more = [int("int", 4), structure("data", 8, &[("a", 1, 4)])];
    let names = |flags: &[&str]| {
        let (types, output) = merged(&base, &more, flags);
        let names = types.iter().filter(|ty| ty.kind() == kind::STRUCT);
        (names.map(|ty| ty.name().to_string()).collect::<Vec<_>>(), output.stderr)
    };
    let (found, said) = names(&[]);
    assert_eq!(found, ["data__base", "data"]);
    assert!(said.contains("1 name stands for different layouts"), "{said}");
    let line = "struct data: 8 bytes in more.btf, 4 bytes in base.btf (now data__base); 'a' is at byte 4 or byte 0";
    assert!(said.contains(line), "{said}");
    assert_eq!(names(&["--prefer", "more"]).0, ["data__base", "data"]);
    assert_eq!(names(&["--prefer", "base"]).0, ["data", "data__more"]);
    assert_eq!(names(&["--keep-base", "data"]).0, ["data", "data__more"]);
    assert_eq!(names(&["--keep-base", "other"]).0, ["data__base", "data"]);
    let (found, said) = names(&["--prefer", "none"]);
    assert_eq!(found, ["data", "data"]);
    assert!(said.contains("ambiguous"), "{said}");
    let lab = Lab::new();
    let (base, more) = (lab.write("b", encode(&base)), lab.write("m", encode(&more)));
    let out = lab.path("out");
    let args =
        ["merge".as_ref(), base.as_os_str(), more.as_os_str(), "-o".as_ref(), out.as_os_str()];
    let args = [&args[..], &["--prefer".as_ref(), "error".as_ref()]].concat();
    generate(&args).refused(&["struct data", "--prefer error", "nothing was written"]);
    assert!(!out.exists());
}

#[test]
fn the_context_of_a_uprobe_stays_the_kernels() {
    let base = [int("long", 8), structure("pt_regs", 8, &[("ip", 1, 0)])];
    let more = [int("long", 8), structure("pt_regs", 16, &[("ip", 1, 8)])];
    let (types, _) = merged(&base, &more, &[]);
    assert_eq!(types[1].name(), "pt_regs");
    assert_eq!(types[2].name(), "pt_regs__more");
}

#[test]
fn equal_layouts_are_no_conflict_and_only_one_has_the_name() {
    // The same layout, but one says 'size' where the other says 'int': not the same type.
    let base = [int("int", 4), structure("s", 4, &[("a", 1, 0)])];
    let size = Type::Typedef { name: "size".into(), target: TypeId(1) };
    let more = [int("int", 4), size, structure("s", 4, &[("a", 2, 0)])];
    let (types, output) = merged(&base, &more, &[]);
    assert_eq!(output.stderr, "");
    let names: Vec<_> = types.iter().map(|ty| ty.name().to_string()).collect();
    assert_eq!(names, ["int", "s", "size", "s__more"]);
    let (types, output) = merged(&base, &base, &["--no-dedup"]);
    assert_eq!(output.stderr, "");
    assert_eq!(types[1].name(), "s");
    assert_eq!(types[3].name(), "s__more");
}

#[test]
fn a_tag_and_its_typedef_get_one_new_name() {
    let both = |size| {
        let target = TypeId(1);
        vec![structure("node", size, &[]), Type::Typedef { name: "node".into(), target }]
    };
    let (types, output) = merged(&both(4), &both(8), &[]);
    assert!(output.stderr.contains("2 names stand"), "{}", output.stderr);
    let names: Vec<_> = types.iter().map(|ty| ty.name().to_string()).collect();
    assert_eq!(names, ["node__base", "node__base", "node", "node"]);
}

#[test]
fn flavours_are_of_one_name_and_new_names_are_no_flavours() {
    let base = [
        int("int", 4),
        structure("s___old", 4, &[("a", 1, 0)]),
        structure("t_", 4, &[("a", 1, 0)]),
        structure("s__base___old", 4, &[]),
    ];
    let more = [int("int", 4), structure("s", 8, &[]), structure("t_", 8, &[])];
    let (types, _) = merged(&base, &more, &[]);
    let names: Vec<_> = types[1..].iter().map(|ty| ty.name().to_string()).collect();
    assert_eq!(names, ["s__base_2___old", "t_____base", "s__base___old", "s", "t_"]);
}

#[test]
fn a_declaration_becomes_its_only_definition() {
    let fwd = |name: &'static str| Type::Fwd { name: name.into(), union: false };
    // struct user { struct one *; struct two * } in BASE, where 'one' and 'two' are declared only.
    let base = [
        fwd("one"),
        fwd("two"),
        Type::Ptr(TypeId(1)),
        Type::Ptr(TypeId(2)),
        structure("user", 16, &[("a", 3, 0), ("b", 4, 8)]),
    ];
    let more = [
        structure("one", 8, &[]),
        structure("two", 8, &[]),
        structure("two", 16, &[]),
        Type::Ptr(TypeId(1)),
        Type::Ptr(TypeId(6)),
        fwd("two"),
        structure("user", 16, &[("a", 4, 0), ("b", 5, 8)]),
    ];
    let (types, _) = merged(&base, &more, &[]);
    let mut expected = base.to_vec();
    expected[0] = structure("one", 8, &[]);
    expected.extend([structure("two", 8, &[]), structure("two", 16, &[])]);
    assert_eq!(types, expected);
}

#[test]
fn big_endian_input_is_read() {
    let lab = Lab::new();
    let source =
        "struct s { int a : 3, b; char c[7]; enum { A = 1 } e; } s; int f(int a) { return a; }";
    lab.write("s.c", source);
    for (target, name) in [("bpfel", "le.o"), ("bpfeb", "be.o")] {
        tool(lab.folder(), "clang", &["-g", "-O2", "-target", target, "-c", "s.c", "-o", name]);
    }
    let none = lab.write("none.btf", encode(&[int("int", 4)]));
    let read = |name: &str| merge(&lab, &[&none, &lab.path(name)], &[]).0;
    // The offset of the bit-field is another; all else is the same.
    let (little, big) = (read("le.o"), read("be.o"));
    let (little, big) = (types(&little), types(&big));
    assert_eq!(little.len(), big.len());
    let names =
        |types: &[Type<'_>]| types.iter().map(|ty| ty.name().to_string()).collect::<Vec<_>>();
    assert_eq!(names(&little), names(&big));
    assert!(big.iter().any(|ty| matches!(ty, Type::Struct(s) if s.name == "s" && s.size == 20)));
}

/// BTF that continues the kernel's, as a module's does.
fn split(lab: &Lab, source: &str) -> PathBuf {
    let object = compiled(lab, "module", source);
    let base = lab.write("vmlinux.btf", vmlinux());
    // pahole would write it so: what the kernel has is not written again.
    let split = lab.path("split.btf");
    let mut all = Btf::parse(&base);
    let kernel_types = types(&all.bytes()).len() as u32;
    all.add(&Btf::parse(&object));
    all.dedup();
    let bytes = all.bytes();
    let all = types(&bytes);
    let own = &all[kernel_types as usize..];
    let kernel_strings = u32::from_le_bytes(vmlinux()[20..24].try_into().unwrap());
    let encoded = Encoded::new(own, kernel_strings).unwrap();
    fs::write(&split, encoded.to_bytes().unwrap()).unwrap();
    split
}

const MODULE: &str = r#"
struct list_head { struct list_head *next, *prev; };
struct kref_like { int count; };
struct of_module { struct list_head list; struct kref_like *kref; unsigned long flags; };
struct of_module m;
"#;

#[test]
fn a_modules_types_continue_the_kernels() {
    let lab = Lab::new();
    let split = split(&lab, MODULE);
    let (bytes, _) = merge(&lab, &[Path::new(VMLINUX), &split], &[]);
    let all = types(&bytes);
    let of_module = all.iter().find(|ty| ty.name() == "of_module").unwrap();
    let Type::Struct(composite) = of_module else { panic!("{of_module:?}") };
    let list = &all[composite.members[0].ty.0 as usize - 1];
    assert_eq!(list.name(), "list_head");
    assert!((composite.members[0].ty.0 as usize) < types(&vmlinux()).len());
    // The same as libbpf makes of it.
    let theirs = Btf::parse_split(&split, &Btf::parse(Path::new(VMLINUX)));
    assert_eq!(
        types(&bytes).len(),
        types(&vmlinux()).len() + {
            let bytes = theirs.bytes();
            let kernel = vmlinux();
            let kernel = decode::Btf::parse(&kernel).unwrap();
            decode::Btf::parse_split(&bytes, &kernel).unwrap().types().count()
        }
    );
    // Alone it makes no sense.
    let out = lab.path("x");
    let args =
        ["merge".as_ref(), split.as_os_str(), split.as_os_str(), "-o".as_ref(), out.as_os_str()];
    generate(&args).refused(&["split.btf continues another BTF", "name that one first"]);
}

/// The kernel that a module is for need not be an input, nor the running one.
#[test]
fn types_that_continue_what_is_no_input() {
    let lab = Lab::new();
    let split = split(&lab, MODULE);
    let app = lab.write("app.btf", encode(&[int("int", 4), structure("own", 4, &[("a", 1, 0)])]));
    let whole = merge(&lab, &[Path::new(VMLINUX), &split], &[]).0;
    let whole = descriptions(&whole);
    for inputs in [[&app, &split], [&split, &app]] {
        let inputs = inputs.map(PathBuf::as_path);
        let (bytes, _) = merge(&lab, &inputs, &["--base", VMLINUX]);
        tool(lab.folder(), "bpftool", &["btf", "dump", "file", "merged.btf"]);
        let found = descriptions(&bytes);
        // What the module leads to is there, and of the kernel nothing else.
        let lines: Vec<_> = found.iter().filter(|line| line.contains("list_head")).collect();
        assert!(!lines.is_empty() && lines.iter().all(|line| whole.contains(*line)), "{lines:?}");
        assert!(types(&bytes).len() < 40, "{} types", types(&bytes).len());
        for name in ["of_module", "kref_like", "list_head", "own"] {
            assert!(types(&bytes).iter().any(|ty| ty.name() == name), "no {name}");
        }
    }
    // What does not have all that it refers to is not what it continues.
    let out = lab.path("x");
    let small = lab.write("small.btf", encode(&[int("int", 4)]));
    let args = ["merge", "--base"].map(OsStr::new);
    let files = [&small, &app, &split].map(|path| path.as_os_str());
    let args = [&args[..], &files, &["-o".as_ref(), out.as_os_str()]].concat();
    generate(&args).refused(&["split.btf behind", "small.btf"]);
}

#[test]
fn names_with_several_layouts_in_one_input_are_told_of() {
    let types = [
        int("int", 4),
        structure("node", 4, &[("a", 1, 0)]),
        structure("node", 8, &[("a", 1, 0), ("b", 1, 4)]),
        structure("node___old", 8, &[("z", 1, 0)]),
        structure("same", 4, &[("a", 1, 0)]),
        structure("same", 4, &[("a", 1, 0)]),
    ];
    let (_, quiet) = merged(&[int("int", 4)], &types, &[]);
    assert_eq!(quiet.stderr, "");
    for flags in [&["-v"][..], &["-v", "--no-dedup"]] {
        let (all, told) = merged(&[int("int", 4)], &types, flags);
        let first = "1 name stands for different layouts within more.btf, and all stay";
        assert!(told.stderr.contains(first), "{}", told.stderr);
        assert!(told.stderr.contains("  struct node: 3 layouts\n"), "{}", told.stderr);
        assert_eq!(all.iter().filter(|ty| ty.name() == "node").count(), 2);
    }
}

/// A module as it is built out of the kernel's tree has a distilled base.
#[test]
fn a_distilled_base_is_looked_up_by_name() {
    let lab = Lab::new();
    let base = [
        int("int", 4),
        structure("list_head", 16, &[]),
        Type::Fwd { name: "page".into(), union: false },
    ];
    let own = [
        structure("of_module", 32, &[("list", 2, 0), ("page", 5, 16), ("count", 1, 24)]),
        Type::Ptr(TypeId(3)),
    ];
    let encoded = Encoded::new(&base, 0).unwrap();
    let own = Encoded::new(&own, encoded.strings.len() as u32).unwrap();
    let base = lab.write("base", encoded.to_bytes().unwrap());
    let own = lab.write("own", own.to_bytes().unwrap());
    lab.write("empty.s", "");
    tool(lab.folder(), "as", &["empty.s", "-o", "module.ko"]);
    for (name, path) in [(".BTF", &own), (".BTF.base", &base)] {
        let section = format!("{name}={}", path.display());
        tool(lab.folder(), "objcopy", &["--add-section", &section, "module.ko"]);
    }
    let module = lab.path("module.ko");
    let (bytes, _) = merge(&lab, &[Path::new(VMLINUX), &module], &[]);
    let all = types(&bytes);
    assert_eq!(all.len(), types(&vmlinux()).len() + 1, "the pointer is the kernel's");
    let Some(Type::Struct(found)) = all.last() else { panic!("{:?}", all.last()) };
    let member = |index: usize| &all[found.members[index].ty.0 as usize - 1];
    assert!(matches!(member(0), Type::Struct(s) if s.name == "list_head" && s.members.len() == 2));
    let Type::Ptr(page) = member(1) else { panic!("{:?}", member(1)) };
    assert!(matches!(&all[page.0 as usize - 1], Type::Struct(s) if s.name == "page"));
    assert_eq!(member(2).name(), "int");
    // With another kernel's types there is nothing that it could mean, or something else.
    let list = |size| structure("list_head", size, &[]);
    let page = structure("page", 64, &[]);
    for (kernel, reason) in [
        (vec![int("int", 4), page.clone()], "'list_head', is not in the base"),
        (vec![int("int", 8), list(16), page.clone()], "'int', is not in the base"),
        (vec![int("int", 4), list(24), page.clone()], "'list_head', is not in the base"),
        (vec![int("int", 4), list(16), page.clone(), page], "'page', could be type 3 or type 4"),
    ] {
        let kernel = lab.write("kernel", encode(&kernel));
        let out = lab.path("x");
        let args = [kernel.as_os_str(), module.as_os_str(), "-o".as_ref(), out.as_os_str()];
        generate(&[&["merge".as_ref()], &args[..]].concat()).refused(&["module.ko", reason]);
    }
}

#[test]
fn what_is_wrong_with_an_input_is_said_with_its_place() {
    let lab = Lab::new();
    let good = lab.write("good.btf", encode(&[int("int", 4)]));
    let refused = |name: &str, bytes: Vec<u8>, parts: &[&str]| {
        let bad = lab.write(name, bytes);
        let out = lab.path("out");
        for (base, more) in [(&good, &bad), (&bad, &good)] {
            let args = [
                "merge".as_ref(),
                base.as_os_str(),
                more.as_os_str(),
                "-o".as_ref(),
                out.as_os_str(),
            ];
            generate(&args).refused(&[&[name][..], parts].concat());
            assert!(!out.exists());
        }
    };
    refused("text", b"hello".to_vec(), &["neither BTF nor an ELF file"]);
    refused("empty", Vec::new(), &["neither BTF nor an ELF file"]);
    refused("elf", b"\x7fELF".to_vec(), &["ELF header"]);
    refused("cut", encode(&[int("int", 4)])[..30].to_vec(), &["type section", "cut off"]);
    refused("ref", encode(&[Type::Ptr(TypeId(9))]), &["type 1 at offset 0x0", "type 9"]);
    let mut name = encode(&[int("int", 4)]);
    name[26] = 1;
    refused("name", name, &["type 1 at offset 0x0", "name at offset 0x10001"]);
    let mut kind = encode(&[int("int", 4), Type::Ptr(TypeId(1))]);
    kind[24 + 16 + 7] = 20;
    refused("kind", kind, &["type 2 at offset 0x10", "the kind 20", "newer", "ENUM64"]);
    let app = Path::new(env!("CARGO_BIN_EXE_ufunc-gen"));
    refused("app", fs::read(app).unwrap(), &["without BTF"]);
    let missing = ["merge", good.to_str().unwrap(), "/nonexistent", "-o", "/dev/null"];
    generate(&missing).refused(&["/nonexistent", "No such file"]);
    // It has no end, and is not read to it.
    generate(&["merge", good.to_str().unwrap(), "/dev/zero", "-o", "/dev/null"])
        .refused(&["/dev/zero", "neither BTF"]);
}

/// Time and memory stay in proportion, whatever the types are.
#[test]
fn types_made_to_take_long_take_no_long_time() {
    const COUNT: u32 = 50_000;
    let long = |offset: u32| -> Vec<Type<'static>> {
        // All of one name and different sizes, each containing the next; a long chain of typedefs;
        // arrays that contain themselves; and a struct with many members of the chain's beginning.
        let mut types = vec![int("int", 4)];
        for id in 2..COUNT {
            types.push(structure("same", id + offset, &[("next", id + 1, 0)]));
        }
        types.push(int("end", 4));
        for id in COUNT + 1..2 * COUNT {
            types.push(Type::Typedef { name: "alias".into(), target: TypeId(id + 1) });
        }
        types.push(int("end", 4));
        let id = TypeId(2 * COUNT + 1);
        types.push(Type::Array { element: id, index: TypeId(1), count: 2 });
        types.push(structure("wide", offset, &[("m", COUNT + 1, 0); 20_000]));
        types.push(structure("cycle", offset, &[("m", id.0, 0)]));
        types
    };
    let begun = std::time::Instant::now();
    for flags in [&[][..], &["--no-dedup"], &["--prefer", "base"]] {
        let (types, output) = merged(&long(0), &long(4), flags);
        assert!(types.len() > 2 * COUNT as usize, "{}", output.stderr);
    }
    assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
}

/// Damage anywhere ends in an error or in BTF that can be read, and soon.
#[test]
fn damaged_input_does_no_harm() {
    let seed = std::env::var("UFUNC_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or(1);
    println!("UFUNC_TEST_SEED={seed}");
    let mut random = Random::new(seed);
    let lab = Lab::new();
    let object = compiled(&lab, "host", HOST);
    let plain = ufunc_gen::btf::source::Source::read(&object).unwrap().btf;
    let (mut good, mut bad) = (0, 0);
    for _ in 0..3000 {
        let mut bytes = plain.clone();
        for _ in 0..random.below(6) {
            let place = random.below(bytes.len());
            bytes[place] = random.next() as u8;
        }
        if random.below(8) == 0 {
            bytes.truncate(random.below(bytes.len()));
        }
        for (base, more) in [(&plain, &bytes), (&bytes, &plain)] {
            for how in 0..6 {
                match merged_in_process(base, more, &plain, how) {
                    Ok(merged) => {
                        good += 1;
                        let bytes = merged.btf.to_bytes();
                        assert_eq!(Raw::parse(&bytes).unwrap().len(), merged.types);
                    }
                    Err(_) => bad += 1,
                }
            }
        }
    }
    println!("{good} merged, {bad} refused");
    assert!(good > 1000 && bad > 1000, "{good} merged, {bad} refused: not much of a test");
}

/// `base` and `more`, which continues nothing, BASE or `distilled`, merged in one of six ways.
fn merged_in_process(base: &[u8], more: &[u8], distilled: &[u8], how: u32) -> Result<Merged> {
    let before = match how / 2 {
        0 => Before::Nothing,
        1 => Before::Base,
        _ => Before::Distilled(Raw::parse(distilled)?),
    };
    let input = |bytes, before| -> Result<Input<'_>> {
        Ok(Input { label: "x", stem: "x".to_owned(), btf: Raw::parse(bytes)?, before })
    };
    let options = Options {
        dedup: how.is_multiple_of(2),
        prefer: Prefer::More,
        keep_base: vec![],
        details: 100,
        ambiguous: true,
    };
    ufunc_gen::btf::merge::merge(
        input(base, Before::Nothing)?,
        vec![input(more, before)?],
        &options,
    )
}

#[test]
fn nothing_half_written_is_left() {
    let lab = Lab::new();
    let input = lab.write("in.btf", encode(&[int("int", 4)]));
    let folder = lab.path("out");
    fs::create_dir(&folder).unwrap();
    let script = |script: &str| {
        let mut shell = Command::new("sh");
        shell.args(["-c", script]).env("GEN", ufunc_gen().get_program()).env("IN", &input);
        shell.env("OUT", folder.join("out.btf"));
        common::run("sh", &mut shell)
    };
    let entries = || fs::read_dir(&folder).unwrap().count();
    // A limit of no bytes: writing would end the process by a signal.
    let limited = script("ulimit -f 0; exec \"$GEN\" merge \"$IN\" \"$IN\" -o \"$OUT\"");
    limited.refused(&["out.btf", "ulimit -f"]);
    assert_eq!(entries(), 0);
    script("exec \"$GEN\" merge \"$IN\" \"$IN\" -o /dev/full").refused(&["/dev/full", "No space"]);
    script("exec \"$GEN\" merge \"$IN\" \"$IN\" -o \"$OUT/none/x\"").refused(&["failed to write"]);
    let pipe = script(
        "\"$GEN\" merge \"$IN\" \"$IN\" | true; exec \"$GEN\" merge \"$IN\" \"$IN\" -o - | head -c 2",
    );
    assert_eq!((pipe.status, pipe.stderr.as_str()), (Some(0), ""));
    assert_eq!(entries(), 0);
    script("exec \"$GEN\" merge \"$IN\" \"$IN\" -o \"$OUT\"").ok();
    assert_eq!(entries(), 1);
    // An input may be the output.
    script("exec \"$GEN\" merge \"$OUT\" \"$IN\" -o \"$OUT\"").ok();
    assert_eq!(types(&fs::read(folder.join("out.btf")).unwrap()).len(), 1);
}

/// On a file system that is full.
#[test]
fn a_full_disk_leaves_what_was_there() {
    let lab = Lab::new();
    let input = lab.write("in.btf", encode(&[int("int", 4)]));
    let mut shell = Command::new("unshare");
    shell.args(["-m", "sh", "-ec"]).arg(
        "mkdir \"$LAB/disk\"; mount -t tmpfs -o size=16k none \"$LAB/disk\"; cd \"$LAB/disk\"\n\
        echo old >out.btf; head -c 8000 /dev/zero >filler\n\
        status=0; \"$GEN\" merge /sys/kernel/btf/vmlinux \"$IN\" -o out.btf || status=$?\n\
        cat out.btf; ls -A; exit $status",
    );
    shell.env("GEN", ufunc_gen().get_program()).env("IN", &input).env("LAB", lab.folder());
    let output = common::run("unshare", &mut shell);
    assert!(
        !output.stderr.contains("unshare:") && !output.stderr.contains("mount:"),
        "a file system cannot be mounted here, run the tests as root: {}",
        output.stderr
    );
    assert_eq!(output.status, Some(2), "{}", output.stderr);
    assert!(output.stderr.contains("No space left"), "{}", output.stderr);
    assert_eq!(output.stdout, "old\nfiller\nout.btf\n");
}

#[test]
fn standard_output_takes_the_bytes_unless_it_is_a_terminal() {
    let lab = Lab::new();
    let input = lab.write("in.btf", encode(&[int("int", 4)]));
    let (file, _) = merge(&lab, &[&input, &input], &[]);
    for more in [&[][..], &["-o", "-"]] {
        let mut command = ufunc_gen();
        let output = command.arg("merge").args([&input, &input]).args(more).output().unwrap();
        assert!(output.status.success());
        assert_eq!(output.stdout, file);
    }
    // script(1) makes a terminal.
    let gen_path = ufunc_gen().get_program().to_str().unwrap().to_owned();
    let line = format!("{gen_path} merge {0} {0}; echo status $?", input.display());
    let output = common::run("script", Command::new("script").args(["-qc", &line, "/dev/null"]));
    assert!(output.stdout.contains("not written to a terminal"), "{}", output.stdout);
    assert!(output.stdout.contains("status 2"), "{}", output.stdout);
}

#[test]
fn the_result_is_the_same_each_time() {
    let lab = Lab::new();
    let host = compiled(&lab, "host", HOST);
    let first = merge(&lab, &[Path::new(VMLINUX), &host], &["-v"]);
    for _ in 0..3 {
        let again = merge(&lab, &[Path::new(VMLINUX), &host], &["-v"]);
        assert!(first.0 == again.0 && first.1.stderr == again.1.stderr);
    }
}
