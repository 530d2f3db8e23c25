// SPDX-License-Identifier: MIT OR Apache-2.0
//! The command line: what goes in and comes out, and exit statuses.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};

use common::{Lab, PAIR, app, generate, run, tool, ufunc_gen};

const ANNOTATED: &str = r#"
#include "ufunc.h"
struct thing { int n; };
static struct thing only;
struct thing *thing_new(int n) { only.n = n; return &only; }
void thing_free(struct thing *t) { t->n = 0; }
struct thing *checkout(void) { return &only; }
void hand_back(struct thing *t) { t->n = 0; }
UFUNC_ACQUIRE_FAMILY(checkout, pool);
UFUNC_RELEASE_FAMILY(hand_back, pool);
int main(void) { return 0; }
"#;

const POLICY: &str = r#"
[[ufunc]]
function = "thing_new"
role = "acquire"

[[ufunc]]
function = "thing_free"
role = "release"
"#;

/// Names of the kfuncs that `source` declares.
fn kfuncs(source: &str) -> Vec<&str> {
    let names = source.lines().filter_map(|line| line.trim().strip_prefix("extern \"C\" fn "));
    names.filter_map(|rest| rest.split('(').next()).collect()
}

#[test]
fn the_same_application_gives_the_same_bytes() {
    let (_lab, app) = app(PAIR);
    let first = generate(&[&app]).ok();
    assert_eq!(kfuncs(&first.stdout), ["thing_free", "thing_new"]);
    for _ in 0..5 {
        assert_eq!(generate(&[&app]).ok().stdout, first.stdout);
    }
}

#[test]
fn inferred_pairs_are_listed_with_the_reason() {
    let (_lab, app) = app(PAIR);
    let output = generate(&[&app]).ok();
    let expected =
        "thing_new acquires and thing_free releases 'struct thing' (names match as new/free";
    assert!(output.stderr.contains(expected), "{}", output.stderr);
}

#[test]
fn no_infer_turns_inference_off() {
    let (_lab, app) = app(PAIR);
    generate(&[app.to_str().unwrap(), "--no-infer"]).refused(&["annotated", "--policy"]);
}

#[test]
fn an_output_file_is_written_whole_or_not_at_all() {
    let (lab, app) = app(PAIR);
    let out = lab.write("gen.rs", "before");
    let nothing = lab.write("nothing", "no ELF");
    let args = |app: &Path| [app.to_owned(), "-o".into(), out.clone()];
    generate(&args(&nothing)).refused(&["not an ELF file"]);
    assert_eq!(fs::read_to_string(&out).unwrap(), "before");
    assert_eq!(generate(&args(&app)).ok().stdout, "");
    assert_eq!(fs::read_to_string(&out).unwrap(), generate(&[&app]).ok().stdout);
    let missing = lab.path("none/gen.rs");
    generate(&[app.as_os_str(), "-o".as_ref(), missing.as_os_str()]).refused(&["none/gen.rs"]);
    // Nothing is left beside it.
    let files = fs::read_dir(lab.folder()).unwrap().map(|file| file.unwrap().file_name());
    assert!(files.into_iter().all(|name| !name.to_string_lossy().starts_with(".ufunc-gen")));
}

#[test]
fn check_tells_a_stale_file_by_its_status_and_a_short_diff() {
    let (lab, app) = app(PAIR);
    let out = lab.path("gen.rs");
    let check = [app.as_os_str(), "--check".as_ref(), out.as_os_str()];
    generate(&check).refused(&["gen.rs"]);
    let source = generate(&[&app]).ok().stdout;
    fs::write(&out, &source).unwrap();
    assert_eq!(generate(&check).ok().stdout, "");
    fs::write(&out, source.replace("thing_free", "thing_drop")).unwrap();
    let output = generate(&check);
    assert_eq!(output.status, Some(1), "{}", output.stderr);
    assert_eq!(output.stdout, "");
    assert!(output.stderr.contains("gen.rs is stale"), "{}", output.stderr);
    assert!(output.stderr.contains("thing_drop"), "{}", output.stderr);
    assert!(output.stderr.lines().count() < 30, "{}", output.stderr);
    // Nothing was written.
    assert!(fs::read_to_string(&out).unwrap().contains("thing_drop"));
    generate(&[&check[..], &["-o".as_ref(), out.as_os_str()]].concat()).usage_error("--check");
}

#[test]
fn list_shows_a_table_or_json_and_writes_nothing() {
    let (_lab, app) = app(ANNOTATED);
    let app = app.to_str().unwrap();
    let table = generate(&["list", app]).ok().stdout;
    let rows: Vec<_> = table.lines().collect();
    assert_eq!(rows.len(), 3, "{table}");
    for (part, row) in [
        ("FUNCTION", 0),
        ("struct thing *checkout(void)", 1),
        ("ACQUIRE|RET_NULL|TRUSTED_ARGS", 1),
        ("annotation", 1),
        ("pool", 2),
        ("app.c:8", 2),
    ] {
        assert!(rows[row].contains(part), "{part}: {table}");
    }
    let json = generate(&["list", app, "--json"]).ok().stdout;
    let rows: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(rows.as_array().unwrap().len(), 2);
    assert_eq!(rows[1]["function"], "hand_back");
    assert_eq!(rows[1]["role"], "release");
    assert_eq!(rows[1]["family"], "pool");
    assert_eq!(rows[1]["origin"], "annotation");
    assert_eq!(rows[1]["source"], "app.c:8");
    let json = generate(&["list", app, "--json", "--prefix", "app_"]).ok().stdout;
    let rows: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(rows[0]["function"], "app_checkout");
    assert_eq!(rows[0]["symbol"], "checkout");
}

#[test]
fn a_policy_decides_before_annotations_and_those_before_inference() {
    let (lab, app) = app(ANNOTATED);
    assert_eq!(kfuncs(&generate(&[&app]).ok().stdout), ["checkout", "hand_back"]);
    let policy = lab.write("policy.toml", POLICY);
    let args = [app.as_os_str(), "--policy".as_ref(), policy.as_os_str()];
    assert_eq!(kfuncs(&generate(&args).ok().stdout), ["thing_free", "thing_new"]);
    let none = lab.write("none.toml", "");
    let args = [app.as_os_str(), "--policy".as_ref(), none.as_os_str()];
    generate(&args).refused(&["none.toml", "no function"]);
}

#[test]
fn mistakes_in_a_policy_are_shown_with_their_place() {
    let (lab, app) = app(ANNOTATED);
    let entry =
        |text: &str| format!("[[ufunc]]\nfunction = \"thing_new\"\nrole = \"acquire\"\n{text}");
    for (text, parts) in [
        (entry("rolle = 1\n"), &["rolle", "policy.toml"][..]),
        (entry("").replace("\"thing_new\"", "7"), &["policy.toml", "7"]),
        (entry("").replace("acquire", "borrow"), &["borrow", "acquire"]),
        (
            entry("").replace("thing_new", "thing_nwe"),
            &["policy.toml:2", "thing_nwe", "nearest name is 'thing_new'"],
        ),
        (
            entry("").replace("thing_new", "entirely_else"),
            &["policy.toml:2", "defines no function"],
        ),
        (entry(&entry("")), &["thing_new is asked for twice", "policy.toml:2", "policy.toml:5"]),
        (entry("family = \"a-b\"\n"), &["policy.toml:4", "a-b"]),
        ("[[ufunc]\n".to_owned(), &["policy.toml"]),
        ("[[ufunc]]\nrole = \"plain\"\n".to_owned(), &["function"]),
    ] {
        let policy = lab.write("policy.toml", &text);
        let args = [app.as_os_str(), "--policy".as_ref(), policy.as_os_str()];
        generate(&args).refused(parts);
    }
    fs::write(lab.path("policy.toml"), b"\xff\xfe").unwrap();
    let policy = lab.path("policy.toml");
    generate(&[app.as_os_str(), "--policy".as_ref(), policy.as_os_str()]).refused(&["policy.toml"]);
    let missing = lab.path("missing.toml");
    generate(&[app.as_os_str(), "--policy".as_ref(), missing.as_os_str()])
        .refused(&["missing.toml"]);
}

/// Functions whose types do not tell what they take.
const TAKERS: &str = r#"
struct thing { int n; };
static struct thing only;
struct thing *thing_new(int n) { only.n = n; return &only; }
void thing_free(struct thing *t) { t->n = 0; }
void say(int level, const char *message) { only.n = level + message[0]; }
void put(const void *bytes, unsigned long count) { only.n = count + *(const char *)bytes; }
void about(struct thing *t, int kind, int how) { if (t) t->n = kind + how; }
void numbers(int *list, unsigned long count) { list[0] = count; }
int main(void) { return 0; }
"#;

/// A policy that lends `function` with these lines.
fn lend(function: &str, role: &str, lines: &str) -> String {
    format!("[[ufunc]]\nfunction = \"{function}\"\nrole = \"{role}\"\n{lines}\n")
}

#[test]
fn a_policy_tells_what_arguments_are() {
    let (lab, app) = app(TAKERS);
    let text = [
        lend("say", "plain", "arguments = { message = \"string\" }"),
        lend(
            "put",
            "plain",
            "arguments = { bytes = \"buffer\", count = \"size\" }\nsleepable = true",
        ),
        lend("about", "plain", "arguments.t = \"nullable\"\narguments.kind = \"constant\""),
    ];
    let policy = lab.write("policy.toml", text.concat());
    let args = ["list".as_ref(), app.as_os_str(), "--policy".as_ref(), policy.as_os_str()];
    let table = generate(&args).ok().stdout;
    for part in [
        "void say(int level, const char *message)  [message:string]",
        "[bytes:buffer, count:size]",
        "TRUSTED_ARGS|SLEEPABLE",
        "[t:nullable, kind:constant]",
    ] {
        assert!(table.contains(part), "{part}: {table}");
    }
    let json = generate(&[&args[..], &["--json".as_ref()]].concat()).ok().stdout;
    let rows: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(rows[2]["function"], "say");
    assert_eq!(rows[2]["arguments"][0]["kind"], serde_json::Value::Null);
    assert_eq!(rows[2]["arguments"][1]["name"], "message");
    assert_eq!(rows[2]["arguments"][1]["kind"], "string");
    // The kernel reads it from the names, and the module says what they are in the application.
    let source = generate(&args[1..]).ok().stdout;
    for part in [
        "message__str\\0",
        "count__sz\\0",
        "t__nullable\\0",
        "kind__k\\0",
        "ufunc:arguments=level,message:string\\0",
        "ufunc:arguments=bytes:buffer,count:size\\0",
    ] {
        assert!(source.contains(part), "{part}: {source}");
    }
    // Whoever takes NULL can be called without anything that gives an object.
    assert!(!generate(&args).stderr.contains("cannot be called"));
    let header =
        generate(&["header".as_ref(), app.as_os_str(), "--policy".as_ref(), policy.as_os_str()]);
    let header = header.ok().stdout;
    for part in [
        " * message: a literal",
        " * count: how many bytes",
        "It may sleep",
        " * t: an object, or NULL",
    ] {
        assert!(header.contains(part), "{part}: {header}");
    }
}

#[test]
fn arguments_that_cannot_be_what_a_policy_says_are_refused() {
    let (lab, app) = app(TAKERS);
    for (text, parts) in [
        (lend("say", "plain", ""), &["policy.toml:2", "const char *", "string or a buffer"][..]),
        (
            lend("say", "plain", "arguments.mesage = \"string\""),
            &["policy.toml:4", "no argument \"mesage\"", "nearest name is 'message'"],
        ),
        (
            lend("say", "plain", "arguments.message = \"strin\""),
            &["policy.toml:4", "\"strin\"", "nearest name is 'string'"],
        ),
        (
            lend("say", "plain", "arguments = { message = \"string\", level = \"string\" }"),
            &["policy.toml:4", "level", "'int'", "pointer to char"],
        ),
        (lend("say", "plain", "arguments.message = \"buffer\""), &["policy.toml:4", "after it"]),
        (lend("put", "plain", "arguments.bytes = \"buffer\""), &["policy.toml:4", "after it"]),
        (
            lend("put", "plain", "arguments.count = \"size\""),
            &["policy.toml:4", "before it is no buffer"],
        ),
        (
            lend("numbers", "plain", "arguments = { list = \"buffer\", count = \"size\" }"),
            &["policy.toml:4", "'int *'", "bytes"],
        ),
        (
            lend("put", "plain", "arguments.bytes = \"nullable\""),
            &["policy.toml:4", "struct or union"],
        ),
        (
            lend("about", "plain", "arguments = { kind = \"constant\", how = \"constant\" }"),
            &["policy.toml:4", "one constant"],
        ),
        (
            lend("thing_free", "release", "arguments.t = \"nullable\""),
            &["policy.toml:4", "releases"],
        ),
        (lend("thing_new", "acquire", "arguments.x = \"constant\""), &["it takes n"]),
    ] {
        let policy = lab.write("policy.toml", &text);
        let args = [app.as_os_str(), "--policy".as_ref(), policy.as_os_str()];
        generate(&args).refused(parts);
    }
}

#[test]
fn a_name_that_the_kernel_has_is_refused_and_a_prefix_proposed() {
    let (lab, app) = app(PAIR);
    let taken = lab.vmlinux(&["schedule", "thing_free"]);
    let args = [app.as_os_str(), "--vmlinux".as_ref(), taken.as_os_str()];
    generate(&args).refused(&["thing_free", "--prefix", "vmlinux.btf"]);
    let prefixed = [&args[..], &["--prefix".as_ref(), "app_".as_ref()]].concat();
    let source = generate(&prefixed).ok().stdout;
    assert_eq!(kfuncs(&source), ["app_thing_free", "app_thing_new"]);
    // The symbol that it stands for is still the application's.
    assert!(source.contains("ufunc:symbol=thing_free\\0"), "{source}");
    let free = lab.vmlinux(&["schedule"]);
    generate(&[app.as_os_str(), "--vmlinux".as_ref(), free.as_os_str()]).ok();
    for (name, contents) in [("empty", &b""[..]), ("junk", b"junk"), ("elf", b"\x7fELF")] {
        let file = lab.write(name, contents);
        generate(&[app.as_os_str(), "--vmlinux".as_ref(), file.as_os_str()]).refused(&[name]);
    }
    // An ELF file that has no BTF.
    generate(&[app.as_os_str(), "--vmlinux".as_ref(), app.as_os_str()]).refused(&[".BTF"]);
}

#[test]
fn the_running_kernel_is_asked_where_it_shows_its_types() {
    if !Path::new("/sys/kernel/btf/vmlinux").exists() {
        panic!("this kernel shows no BTF (CONFIG_DEBUG_INFO_BTF)");
    }
    let (_lab, app) =
        app("struct task { int n; };\nstruct task *schedule_new(void) { return 0; }\n\
         void schedule(struct task *t) { (void)t; }\n\
         #include \"ufunc.h\"\nUFUNC_ACQUIRE(schedule_new);\nUFUNC_RELEASE(schedule);\n\
         int main(void) { return 0; }\n");
    generate(&[&app]).refused(&["schedule", "--prefix", "/sys/kernel/btf/vmlinux"]);
}

#[test]
fn names_that_a_module_needs_for_itself_are_refused() {
    for name in ["memcpy", "init_module", "cleanup_module", "rust_begin_unwind"] {
        let source = format!(
            "#include \"ufunc.h\"\nstruct s {{ int n; }};\nint {name}(struct s *s, int n) {{ return s->n + n; }}\n\
             UFUNC_PLAIN({name});\nint main(void) {{ return 0; }}\n"
        );
        let lab = Lab::new();
        let app = lab.build("gcc", &["-g", "-w", "-fno-builtin"], &source);
        let none = lab.vmlinux(&[]);
        let args = [app.as_os_str(), "--vmlinux".as_ref(), none.as_os_str()];
        generate(&args).refused(&[name, "app.c:3", "--prefix"]);
        generate(&[&args[..], &["--prefix".as_ref(), "app_".as_ref()]].concat()).ok();
    }
}

#[test]
fn names_that_rust_cannot_spell_are_refused() {
    for name in ["self", "Self", "super", "crate", "_"] {
        let (_lab, app) = app(&format!(
            "#include \"ufunc.h\"\nint {name}(int n) {{ return n; }}\nUFUNC_PLAIN({name});\nint main(void) {{ return 0; }}\n"
        ));
        generate(&[&app]).refused(&[name, "Rust", "--prefix"]);
        generate(&[app.to_str().unwrap(), "--prefix", "app_"]).ok();
    }
}

#[test]
fn a_prefix_is_part_of_an_identifier() {
    let (_lab, app) = app(PAIR);
    for prefix in ["a b", "1", "a\"", "a\n", "é", "r#"] {
        generate(&[app.to_str().unwrap(), "--prefix", prefix]).refused(&["--prefix"]);
    }
    let long = "x".repeat(600);
    generate(&[app.to_str().unwrap(), "--prefix", &long]).refused(&["--prefix"]);
    let long = "x".repeat(505);
    generate(&[app.to_str().unwrap(), "--prefix", &long]).refused(&["too long"]);
}

/// Signatures that a kfunc cannot have: role, declarations before it, the function, the reason.
const REFUSED: &[(&str, &str, &str)] = &[
    ("PLAIN", "int f(int a, int b, int c, int d, int e, int g) { return a; }", "6 arguments"),
    ("PLAIN", "int f(struct s s) { return s.n; }", "'struct s' by value"),
    ("PLAIN", "struct s f(int n) { return (struct s){n}; }", "returns 'struct s' by value"),
    ("PLAIN", "int f(union u u) { return u.n; }", "'union u' by value"),
    ("PLAIN", "int f(double d) { return d; }", "'double', a floating-point number"),
    ("PLAIN", "float f(int n) { return n; }", "returns 'float', a floating-point number"),
    ("PLAIN", "int f(long double d) { return d; }", "floating-point"),
    ("PLAIN", "int f(_Complex float c) { return 0; }", "floating-point"),
    ("PLAIN", "int f(int n, ...) { return n; }", "variable number of arguments"),
    ("PLAIN", "int f(__int128 n) { return n; }", "'__int128'"),
    ("PLAIN", "int f(const char *text) { return *text; }", "'const char *', a pointer"),
    ("PLAIN", "int f(void *p) { return !p; }", "'void *', a pointer"),
    ("PLAIN", "int f(struct s **p) { return !p; }", "'struct s **', a pointer"),
    ("PLAIN", "int f(int (*p)(int)) { return p(1); }", "a pointer"),
    ("PLAIN", "int f(struct undefined *p) { return !p; }", "the layout of 'struct undefined'"),
    ("PLAIN", "struct undefined *f(void) { return 0; }", "the layout of 'struct undefined'"),
    ("PLAIN", "char *f(int n) { return 0; }", "returns 'char *'"),
    ("PLAIN", "int f(struct pt_regs { int n; } *p) { return p->n; }", "'struct pt_regs *'"),
    ("ACQUIRE", "int f(int n) { return n; }", "returns 'int', not a pointer to a struct"),
    ("ACQUIRE", "void *f(int n) { return 0; }", "returns 'void *', not a pointer to a struct"),
    ("ACQUIRE", "int *f(int n) { return 0; }", "returns 'int *', not a pointer to a struct"),
    ("ACQUIRE", "void f(int n) { }", "returns 'void', not a pointer to a struct"),
    ("ACQUIRE", "struct undefined *f(void) { return 0; }", "the layout of 'struct undefined'"),
    ("RELEASE", "void f(int n) { }", "no argument that points to a struct"),
    ("RELEASE", "void f(void) { }", "no argument that points to a struct"),
    ("RELEASE", "void f(struct s *a, struct s *b) { }", "several arguments that point to structs"),
    ("RELEASE", "void f(struct s *a, union u *b) { }", "several arguments that point to structs"),
];

#[test]
fn signatures_that_a_kfunc_cannot_have_are_refused_with_place_and_reason() {
    for compiler in ["gcc", "clang"] {
        let lab = Lab::new();
        for (role, function, reason) in REFUSED {
            let source = format!(
                "#include \"ufunc.h\"\nstruct s {{ int n; }};\nunion u {{ int n; }};\nstruct undefined;\n{function}\n\
                 UFUNC_{role}(f);\nint main(void) {{ return 0; }}\n"
            );
            let app = lab.build(compiler, &["-g", "-w"], &source);
            generate(&[&app]).refused(&["cannot lend f (", "app.c:5)", reason]);
        }
    }
}

#[test]
fn a_pair_that_is_left_out_is_named_with_the_reason() {
    let source = PAIR
        .replace("thing_new(int n)", "thing_new(int n, double d)")
        .replace("thing_new(1)", "thing_new(1, 2)");
    let (_lab, app) = app(&source);
    let parts = ["left out thing_new and thing_free", "thing_new (", "app.c:4)", "'double'"];
    generate(&[&app]).refused(&parts);
}

#[test]
fn what_a_kfunc_can_take_is_taken() {
    for compiler in ["gcc", "clang"] {
        let lab = Lab::new();
        let app = lab.build(
            compiler,
            &["-g", "-w"],
            "#include \"ufunc.h\"\n#include <stdint.h>\n\
             typedef struct { int n; } t;\nenum e { A, B = 1LL << 40 };\nunion u { int n; };\n\
             typedef t *const tp;\n\
             t *make(uint8_t a, enum e e, _Bool b, char c, union u *u) { return 0; }\n\
             void unmake(const int n, tp p) { }\n\
             unsigned long long plain(volatile t *p) { return 0; }\n\
             UFUNC_ACQUIRE(make);\nUFUNC_RELEASE(unmake);\nUFUNC_PLAIN(plain);\n\
             int main(void) { return 0; }\n",
        );
        let output = generate(&[&app]).ok();
        assert_eq!(kfuncs(&output.stdout), ["make", "plain", "unmake"]);
        let stub = "fn make(_: u8, _: u64, _: u8, _: u8, _: *mut ::core::ffi::c_void)";
        assert!(output.stdout.contains(stub), "{}", output.stdout);
    }
}

#[test]
fn a_function_without_a_prototype_takes_no_arguments() {
    let (_lab, app) =
        app("struct s { int n; };\nstatic struct s only;\nstruct s *s_get() { return &only; }\n\
         void s_put(struct s *s) { s->n = 0; }\nint main(void) { return 0; }\n");
    let output = generate(&[&app]).ok();
    assert!(output.stderr.contains("no prototype; taken as s_get"), "{}", output.stderr);
    assert!(output.stdout.contains("fn s_get() ->"), "{}", output.stdout);
}

#[test]
fn a_function_that_was_inlined_away_cannot_be_lent() {
    let lab = Lab::new();
    let app = lab.build(
        "gcc",
        &["-g", "-O2"],
        "struct s { int n; };\nstatic inline int inlined(struct s *s) { return s->n; }\n\
         int main(int argc, char **argv) { struct s s = {argc}; return inlined(&s); }\n",
    );
    let policy = "[[ufunc]]\nfunction = \"inlined\"\nrole = \"plain\"\n";
    let policy = lab.write("policy.toml", policy);
    let args = [app.as_os_str(), "--policy".as_ref(), policy.as_os_str()];
    generate(&args).refused(&["inlined (", "app.c:2)", "noinline"]);
}

/// GCC gives two functions that do the same one code; the second counted as having none, so that
/// pairs whose release only calls free() were missing.
#[test]
fn functions_folded_into_one_can_be_lent() {
    const FOLDED: &str = "#include <stdlib.h>\nstruct a { int n; };\nstruct b { long n; };\n\
        struct a *a_new(void) { return calloc(1, sizeof(struct a)); }\nvoid a_free(struct a *a) { free(a); }\n\
        struct b *b_new(void) { return calloc(1, sizeof(struct b)); }\nvoid b_free(struct b *b) { free(b); }\n\
        int main(void) { return 0; }\n";
    let (lab, app) = app(FOLDED);
    let source = generate(&[&app]).ok().stdout;
    assert_eq!(kfuncs(&source), ["a_free", "a_new", "b_free", "b_new"]);
    let policy = "[[ufunc]]\nfunction = \"b_free\"\nrole = \"release\"\n";
    let policy = lab.write("policy.toml", policy);
    generate(&[app.as_os_str(), "--policy".as_ref(), policy.as_os_str()]).ok();
}

#[test]
fn a_static_function_can_be_lent_unless_there_are_two() {
    const STATIC: &str = "#include \"ufunc.h\"\nstruct s { int n; };\n\
        static __attribute__((noinline, used)) int peek(struct s *s) { return s->n; }\n";
    let lab = Lab::new();
    let flags = ["-g", "-O2"];
    let one = format!("{STATIC}UFUNC_PLAIN(peek);\nint main(void) {{ return 0; }}\n");
    let app = lab.build("gcc", &flags, &one);
    assert_eq!(kfuncs(&generate(&[&app]).ok().stdout), ["peek"]);
    let app = lab.build_files("gcc", &flags, &[("app.c", &one), ("other.c", STATIC)]);
    generate(&[&app]).refused(&["several functions", "peek", "app.c:3", "other.c:3"]);
}

const NAMESPACES: &str = r#"
#include "ufunc.h"
namespace ns {
	struct session { int id; virtual int describe(); };
	int session::describe() { return id; }
	session *checkout(int id);
	void hand_back(session *s);
}
ns::session *ns::checkout(int id) { static session one; one.id = id; return &one; }
void ns::hand_back(session *s) { s->id = 0; }
UFUNC_ACQUIRE(ns::checkout);
UFUNC_RELEASE(ns::hand_back);
int main() { return 0; }
"#;

#[test]
fn functions_in_namespaces_are_found_by_their_cpp_names() {
    for compiler in ["g++", "clang++"] {
        for dwarf in ["-gdwarf-4", "-gdwarf-5"] {
            let lab = Lab::new();
            let app = lab.build_files(compiler, &[dwarf, "-O2"], &[("app.cpp", NAMESPACES)]);
            let output = generate(&[&app]).ok();
            let expected = ["_ZN2ns8checkoutEi", "_ZN2ns9hand_backEPNS_7sessionE"];
            assert_eq!(kfuncs(&output.stdout), expected, "{compiler} {dwarf}");
            assert!(output.stdout.contains("STRUCT ns__session\n"), "{}", output.stdout);
        }
    }
}

/// GCC writes a type in a namespace as a declaration, and its definition elsewhere, without a
/// name: such types counted as not defined.
#[test]
fn a_type_in_a_namespace_is_found_in_another_file() {
    const HEADER: &str =
        "#pragma once\nnamespace ns { struct session; session *open(); void close(session *); }\n";
    const BODY: &str = "#include \"ns.h\"\nnamespace ns {\nstruct session { int id; session *next; };\n\
        static session one;\nsession *open() { return &one; }\nvoid close(session *s) { s->id = 0; }\n\
        int use(session *s) { return s->next->id; }\n}\n";
    const OTHER: &str =
        "struct session { long other; };\nlong other(session *s) { return s->other; }\n";
    const MAIN: &str = "#include \"ns.h\"\n#include \"ufunc.h\"\nUFUNC_ACQUIRE(ns::open);\nUFUNC_RELEASE(ns::close);\n\
        int main() { return 0; }\n";
    for compiler in ["g++", "clang++"] {
        let lab = Lab::new();
        lab.write("ns.h", HEADER);
        let sources = [("main.cpp", MAIN), ("other.cpp", OTHER), ("body.cpp", BODY)];
        let app = lab.build_files(compiler, &["-g", "-O1"], &sources);
        let source = generate(&[&app]).ok().stdout;
        assert!(source.contains("STRUCT ns__session\n"), "{source}");
        assert!(source.contains("next\\0"), "{source}");
    }
}

/// A class that is only declared within another one was taken for the one of that name outside.
#[test]
fn a_class_within_a_class_is_not_one_outside() {
    const MAIN: &str = "struct outer { struct inner; inner *in; int n; };\n\
        extern \"C\" outer *outer_new() { static outer one; return &one; }\n\
        extern \"C\" void outer_free(outer *o) { o->in = nullptr; }\nint main() { return 0; }\n";
    const OTHER: &str =
        "struct inner { long other; };\nlong other(inner *i) { return i->other; }\n";
    for compiler in ["g++", "clang++"] {
        let lab = Lab::new();
        let sources = [("main.cpp", MAIN), ("other.cpp", OTHER)];
        let app = lab.build_files(compiler, &["-g"], &sources);
        let source = generate(&[&app]).ok().stdout;
        assert!(source.contains("FWD outer__inner\n"), "{source}");
    }
}

#[test]
fn an_overloaded_function_has_to_be_asked_for_by_its_symbol() {
    let lab = Lab::new();
    let app = lab.build_files(
        "g++",
        &["-g"],
        &[(
            "app.cpp",
            "struct s { int n; };\nnamespace ns { int peek(s *a) { return a->n; }\nint peek(s *a, int b) { return b; } }\n\
             int main() { return 0; }\n",
        )],
    );
    let lend = |name: &str| {
        let text = format!("[[ufunc]]\nfunction = \"{name}\"\nrole = \"plain\"\n");
        let policy = lab.write("policy.toml", text);
        generate(&[app.as_os_str(), "--policy".as_ref(), policy.as_os_str()])
    };
    let parts = ["several functions", "_ZN2ns4peekEP1s (", "_ZN2ns4peekEP1si (", "by its symbol"];
    lend("ns::peek").refused(&parts);
    assert_eq!(kfuncs(&lend("_ZN2ns4peekEP1si").ok().stdout), ["_ZN2ns4peekEP1si"]);
}

#[test]
fn every_usual_way_of_building_is_read_alike() {
    let mut ways = vec![vec!["-gdwarf-5", "-O2"], vec!["-gdwarf-5", "-O2", "-flto"]];
    for dwarf in ["-gdwarf-4", "-gdwarf-5"] {
        for level in ["-O0", "-O2"] {
            ways.push(vec![dwarf, level, "-no-pie", "-fno-pie"]);
            ways.push(vec![dwarf, level, "-pie", "-fPIE"]);
        }
    }
    let same = ["-ffunction-sections", "-Wl,--gc-sections", "-gz=zlib"];
    ways.push([&["-g", "-O2"], &same[..]].concat());
    ways.push(vec!["-g", "-O2", "-fPIC", "-shared"]);
    for compiler in ["gcc", "clang"] {
        for way in &ways {
            // LTO needs a linker that knows the compiler's intermediate form.
            let lld = ["-fuse-ld=lld"];
            let needs_lld = compiler == "clang" && way.contains(&"-flto");
            let flags = [&way[..], if needs_lld { &lld } else { &[] }].concat();
            let lab = Lab::new();
            let app = lab.build(compiler, &flags, ANNOTATED);
            let output = generate(&["list", app.to_str().unwrap(), "--json"]).ok();
            let rows: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
            let way = format!("{compiler} {flags:?}: {}", output.stdout);
            assert_eq!(rows.as_array().unwrap().len(), 2, "{way}");
            assert_eq!(rows[0]["signature"], "struct thing *checkout(void)", "{way}");
            assert_eq!(rows[1]["signature"], "void hand_back(struct thing *t)", "{way}");
            assert_eq!(rows[1]["source"], "app.c:8", "{way}");
            generate(&[&app]).ok();
        }
    }
}

#[test]
fn compressed_sections_are_read() {
    let (lab, _app) = app(PAIR);
    for (kind, name) in [("zlib", "z"), ("zlib-gnu", "g"), ("zstd", "s")] {
        let packed = lab.path(name);
        let flag = format!("--compress-debug-sections={kind}");
        let output = run(
            "objcopy",
            Command::new("objcopy").args([&flag, "app", name]).current_dir(lab.folder()),
        );
        if output.status != Some(0) {
            // Binutils before 2.40, or built without it, have no zstd; the others all have.
            assert_eq!(kind, "zstd", "{}", output.stderr);
            assert!(output.stderr.contains("zstd"), "{}", output.stderr);
            println!("not tried: objcopy of this machine knows no zstd");
            continue;
        }
        assert_eq!(kfuncs(&generate(&[&packed]).ok().stdout).len(), 2, "{kind}");
    }
}

#[test]
fn debug_information_that_is_missing_or_elsewhere_is_a_clear_error() {
    let (lab, app) = app(PAIR);
    tool(lab.folder(), "strip", &["-o", "stripped", "app"]);
    generate(&[lab.path("stripped")]).refused(&["stripped", "-g", "do not strip"]);
    tool(lab.folder(), "strip", &["--strip-debug", "-o", "undebugged", "app"]);
    generate(&[lab.path("undebugged")]).refused(&["undebugged", ".debug_info"]);
    tool(lab.folder(), "objcopy", &["--strip-all", "--keep-section=.debug*", "app", "symbolless"]);
    let policy = lab.write("policy.toml", POLICY);
    let symbolless = lab.path("symbolless");
    let output = generate(&[symbolless.as_os_str(), "--policy".as_ref(), policy.as_os_str()]);
    assert!(matches!(output.status, Some(2)), "{output:?}");
    let without_id = lab.build("gcc", &["-g", "-O2", "-Wl,--build-id=none"], PAIR);
    generate(&[&without_id]).refused(&["no build-id", "-Wl,--build-id"]);
    let none = lab.build("gcc", &["-O2"], PAIR);
    generate(&[&none]).refused(&["-g"]);
    assert!(app.exists());
}

/// Its symbols are in the debug file then, as those of packages are.
#[test]
fn a_stripped_application_with_its_debug_file_gives_the_same_module() {
    for source in [PAIR, ANNOTATED] {
        let (lab, app) = app(source);
        let whole = generate(&[&app]).ok();
        tool(lab.folder(), "objcopy", &["--only-keep-debug", "app", "app.debug"]);
        tool(lab.folder(), "strip", &["--strip-all", "app"]);
        tool(lab.folder(), "objcopy", &["--add-gnu-debuglink=app.debug", "app"]);
        let stripped = generate(&[&app]).ok();
        assert_eq!((stripped.stdout, stripped.stderr), (whole.stdout, whole.stderr));
    }
}

#[test]
fn split_debug_information_and_type_units_are_read_or_named() {
    for compiler in ["gcc", "clang"] {
        for dwarf in ["-gdwarf-4", "-gdwarf-5"] {
            let lab = Lab::new();
            let app = lab.build(compiler, &[dwarf, "-O2", "-gsplit-dwarf"], ANNOTATED);
            let output = generate(&[&app]);
            if output.status != Some(0) {
                output.refused(&[".dwo"]);
            }
            let app = lab.build(compiler, &[dwarf, "-O2", "-fdebug-types-section"], ANNOTATED);
            let output = generate(&[&app]);
            if output.status != Some(0) {
                output.refused(&["type units"]);
            }
        }
    }
}

#[test]
fn files_that_are_no_applications_are_named_for_what_they_are() {
    let (lab, app) = app(PAIR);
    let bytes = fs::read(&app).unwrap();
    let changed = |name: &str, at: usize, new: &[u8]| {
        let mut bytes = bytes.clone();
        bytes[at..at + new.len()].copy_from_slice(new);
        lab.write(name, bytes)
    };
    for (file, reason) in [
        (lab.path("missing"), "missing"),
        (lab.folder().to_owned(), "not a regular file"),
        ("/dev/null".into(), "not a regular file"),
        (lab.write("empty", ""), "empty"),
        (lab.write("text", "#!/bin/sh\n"), "not an ELF file"),
        (lab.write("magic", "\x7fELF"), "ELF"),
        (lab.write("header", &bytes[..40]), "ELF header"),
        (changed("elf32", 4, &[1]), "32-bit"),
        (changed("class", 4, &[7]), "unknown ELF class"),
        (changed("big", 5, &[2]), "big-endian"),
        (changed("encoding", 5, &[9]), "ELF header"),
        (changed("rel", 16, &[1, 0]), "relocatable"),
        (changed("core", 16, &[4, 0]), "neither an executable nor a shared object"),
        (changed("other", 16, &[0xfe, 0xfe]), "neither an executable nor a shared object"),
        (changed("far", 40, &[0xff; 8]), "far"),
    ] {
        generate(&[&file]).refused(&[reason]);
    }
    tool(lab.folder(), "gcc", &["-g", "-c", "-o", "app.o", "app.c"]);
    generate(&[lab.path("app.o")]).refused(&["relocatable object", "linked"]);
}

/// Opening a FIFO waits for a writer, who may never come.
#[test]
fn a_pipe_without_a_writer_is_no_application() {
    let lab = Lab::new();
    tool(lab.folder(), "mkfifo", &["pipe"]);
    generate(&[lab.path("pipe")]).refused(&["not a regular file"]);
}

#[test]
fn the_command_line_is_checked() {
    for (args, part) in [
        (&[][..], "APP"),
        (&["--nonsense"], "--nonsense"),
        (&["a", "b"], "b"),
        (&["list"], "APP"),
        (&["a", "-o"], "-o"),
        (&["a", "--policy"], "--policy"),
    ] {
        generate(args).usage_error(part);
    }
    for args in [&["--help"][..], &["--version"], &["list", "--help"]] {
        let output = generate(args).ok();
        assert!(output.stdout.contains("ufunc-gen"), "{}", output.stdout);
        assert_eq!(output.stderr, "");
    }
    assert!(generate(&["--help"]).ok().stdout.contains("Exit status:"));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let (_lab, app) = app(PAIR);
    for args in [&[app.to_str().unwrap()][..], &["list", app.to_str().unwrap()], &["--help"]] {
        let mut child =
            ufunc_gen().args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let mut stderr = String::new();
        child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0), "{stderr}");
        assert!(!stderr.contains("panicked") && !stderr.contains("error"), "{stderr}");
    }
}

/// What is proposed lends just what would be lent without it, and says what was left out.
#[test]
fn a_proposed_policy_lends_what_inference_does() {
    let source = "#include <stdlib.h>\n\
        struct pool { int a; char *name; };\nstruct item { struct pool *pool; };\n\
        struct pool *pool_new(void) { return calloc(1, sizeof(struct pool)); }\n\
        void pool_free(struct pool *p) { free(p); }\n\
        struct item *item_get(struct pool *p) { struct item *i = malloc(sizeof(*i)); i->pool = p; return i; }\n\
        void item_put(struct item *i) { free(i); }\n\
        struct item *item_open(int *where) { return calloc(1, sizeof(*where)); }\n\
        void item_close(struct item *i) { free(i); }\n\
        int main(void) { int a; struct pool *p = pool_new(); item_put(item_get(p)); item_close(item_open(&a)); pool_free(p); }\n";
    let lab = Lab::new();
    let app = lab.build("gcc", &["-g", "-O0"], source);
    let app = app.to_str().unwrap();
    let policy = lab.path("app.toml");
    let policy = policy.to_str().unwrap();
    generate(&["policy", app, "-o", policy]).ok();
    let text = fs::read_to_string(policy).unwrap();
    assert!(text.contains("function = \"pool_new\"\nrole = \"acquire\""), "{text}");
    assert!(text.contains("#function = \"item_open\""), "{text}");
    let rows = |args: &[&str]| -> Vec<serde_json::Value> {
        let list: Vec<serde_json::Value> =
            serde_json::from_str(&generate(args).ok().stdout).unwrap();
        let mut rows = list;
        for row in &mut rows {
            let row = row.as_object_mut().unwrap();
            row.remove("origin");
            row.remove("reason");
        }
        rows
    };
    let inferred = rows(&["list", app, "--json"]);
    assert!(inferred.len() >= 2, "{inferred:?}");
    assert_eq!(rows(&["list", app, "--json", "--policy", policy]), inferred);
    generate(&["policy", app, "-o", policy]).refused(&["is there already"]);
    generate(&["policy", app, "--policy", policy]).refused(&["leave --policy out"]);
}
