// SPDX-License-Identifier: MIT OR Apache-2.0
//! What went wrong once, with real servers for the most part; each test is named after it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use std::path::Path;

use common::{Lab, app, generate, tool};
use ufunc_gen::btf::Type;
use ufunc_gen::btf::decode::Btf;

/// `list --json` of `app`, as text.
fn listed(app: &Path) -> String {
    generate(&["list".as_ref(), app.as_os_str(), "--json".as_ref()]).ok().stdout
}

/// LLVM takes unused parameters away from functions that nobody outside of the file can call, and
/// older versions do not say so: an extension's second argument ended up as the first.
#[test]
fn a_static_function_that_clang_may_have_altered_is_not_lent() {
    let source = "#include <stdlib.h>\nstruct gadget { int a; };\n\
        static __attribute__((noinline)) struct gadget *gadget_new(int unused, int b)\n\
        { struct gadget *o = malloc(sizeof *o); o->a = b; return o; }\n\
        void gadget_free(struct gadget *o) { free(o); }\n\
        int main(int argc, char **argv) { struct gadget *o = gadget_new(1, argc); int a = o->a; gadget_free(o); return a; }\n";
    let lab = Lab::new();
    let app = lab.build("clang", &["-g", "-O2"], source);
    let policy = "[[ufunc]]\nfunction = \"gadget_new\"\nrole = \"acquire\"\n";
    let policy = lab.write("p.toml", policy);
    let args = [app.as_os_str(), "--policy".as_ref(), policy.as_os_str()];
    generate(&args).refused(&["gadget_new (", "app.c:3)", "local to its file", "annotate"]);
    generate(&[&app]).refused(&["no pair"]);
    // GCC gives an altered copy another name, so its static functions are what they seem.
    let app = lab.build("gcc", &["-g", "-O1", "-fno-inline"], source);
    assert!(listed(&app).contains("\"gadget_new\""), "{}", listed(&app));
}

/// g++ gives an `extern "C"` function in a namespace no linkage name; its symbol was looked for
/// with the namespace in front.
#[test]
fn an_extern_c_function_in_a_namespace_is_found_by_its_bare_name() {
    let lab = Lab::new();
    let source = "namespace n { struct foo { int a; };\n\
        extern \"C\" __attribute__((noinline)) foo *foo_new() { return new foo(); }\n\
        extern \"C\" __attribute__((noinline)) void foo_free(foo *f) { delete f; } }\n\
        int main(int argc, char **) { n::foo *f = n::foo_new(); f->a = argc; n::foo_free(f); }\n";
    for compiler in ["g++", "clang++"] {
        let app = lab.build_files(compiler, &["-g", "-O2"], &[("app.cc", source)]);
        let listed = listed(&app);
        assert!(listed.contains("\"foo_new\"") && listed.contains("\"foo_free\""), "{listed}");
    }
}

/// redis has a `dictRelease` for everybody, and a static one in a library that it brings.
#[test]
fn a_global_function_is_meant_rather_than_another_files_static_one() {
    let lab = Lab::new();
    let shared = "struct dict { int n; };\n";
    let main = format!(
        "{shared}static struct dict only;\nstruct dict *dict_new(void) {{ return &only; }}\n\
         void dict_free(struct dict *d) {{ d->n = 0; }}\nint other(void);\n\
         int main(void) {{ dict_free(dict_new()); return other(); }}\n"
    );
    let other = format!(
        "{shared}static __attribute__((noinline, used)) void dict_free(struct dict *d) {{ d->n = 1; }}\n\
         int other(void) {{ struct dict d; dict_free(&d); return d.n; }}\n"
    );
    let files = [("app.c", main.as_str()), ("other.c", other.as_str())];
    let app = lab.build_files("gcc", &["-g", "-O2"], &files);
    let policy = "[[ufunc]]\nfunction = \"dict_free\"\nrole = \"release\"\n";
    let policy = lab.write("p.toml", policy);
    let output = generate(&[app.as_os_str(), "--policy".as_ref(), policy.as_os_str()]).ok();
    assert!(output.stdout.contains("in app.c:4"), "{}", output.stdout);
    // The other one can be had too, by its file.
    let policy = "[[ufunc]]\nfunction = \"dict_free\"\nrole = \"release\"\nsource = \"other.c\"\n";
    let policy = lab.write("q.toml", policy);
    let output = generate(&[app.as_os_str(), "--policy".as_ref(), policy.as_os_str()]).ok();
    assert!(output.stdout.contains("in other.c:2"), "{}", output.stdout);
    let policy = "[[ufunc]]\nfunction = \"dict_free\"\nrole = \"release\"\nsource = \"none.c\"\n";
    let policy = lab.write("r.toml", policy);
    let output = generate(&[app.as_os_str(), "--policy".as_ref(), policy.as_os_str()]);
    output.refused(&["r.toml:2", "dict_free", "none.c"]);
}

/// nginx's `ngx_create_pool()` takes a log, and nothing lent returns one: an extension could never
/// call it, and nobody said so.
#[test]
fn a_pair_that_no_extension_could_call_is_left_out() {
    let (_lab, app) = app("struct log { int n; };\nstruct pool { struct log *log; };\n\
        static struct pool only;\n\
        struct pool *pool_create(struct log *log) { only.log = log; return &only; }\n\
        void pool_destroy(struct pool *p) { p->log = 0; }\nint main(void) { return 0; }\n");
    let output = generate(&["list".as_ref(), app.as_os_str(), "-v".as_ref()]);
    output.refused(&["pool_create", "no ufunc returns the 'struct log'"]);
}

/// Two files that define one struct differently made the whole generation fail over a pair that
/// nobody had asked for.
#[test]
fn a_pair_over_a_struct_that_files_define_differently_is_left_out() {
    let lab = Lab::new();
    let one = "#include <stdlib.h>\nstruct data { long l; char text[256]; };\n\
        struct data *x_alloc(void) { return calloc(1, sizeof(struct data)); }\n";
    let two = "#include <stdlib.h>\nstruct data { int x; };\nvoid x_free(struct data *d) { free(d); }\n\
        struct fine { void *p; };\nstruct fine *fine_new(void) { return malloc(sizeof(struct fine)); }\n\
        void fine_free(struct fine *f) { f->p = 0; free(f); }\nint main(void) { return 0; }\n";
    let app = lab.build_files("gcc", &["-g"], &[("one.c", one), ("two.c", two)]);
    let output = generate(&[app.as_os_str(), "-v".as_ref()]).ok();
    assert!(output.stderr.contains("x_alloc"), "{}", output.stderr);
    assert!(!output.stdout.contains("x_alloc"), "{}", output.stdout);
    assert!(output.stdout.contains("fn fine_new()"), "{}", output.stdout);
}

/// Structs are the same only if all that they lead to is: here what the list's elements point to differs,
/// and of the other list all is the same but what the one file only declares.
#[test]
fn a_difference_far_from_the_struct_is_seen() {
    let list = "#include <stdlib.h>\nstruct item { struct value *value; struct item *next; };\n\
        struct list { struct item *first; int count; };\n\
        struct node { struct leaf *leaf; struct node *next; };\n\
        struct tree { struct node *root; void *data; };\n";
    let one = format!(
        "struct value {{ long number; }};\n{list}\
         struct list *list_new(void) {{ return calloc(1, sizeof(struct list)); }}\n\
         struct tree *tree_new(void) {{ return calloc(1, sizeof(struct tree)); }}\n"
    );
    let two = format!(
        "struct value {{ int number; int more; }};\nstruct leaf {{ int color; }};\n{list}\
         void list_free(struct list *l) {{ free(l->first->value); free(l); }}\n\
         void tree_free(struct tree *t) {{ t->root->leaf->color = 1; free(t); }}\n\
         int main(void) {{ return 0; }}\n"
    );
    let lab = Lab::new();
    let app = lab.build_files("gcc", &["-g"], &[("one.c", &one), ("two.c", &two)]);
    let output = generate(&[app.as_os_str(), "-v".as_ref()]).ok();
    assert!(output.stderr.contains("list_new"), "{}", output.stderr);
    assert!(!output.stdout.contains("list_new"), "{}", output.stdout);
    assert!(output.stdout.contains("fn tree_new()"), "{}", output.stdout);
}

/// For a pointer to a struct of mere numbers the verifier takes any memory of its size, so an
/// extension could pass its stack to a function that expects an object of the application's.
#[test]
fn a_struct_of_mere_numbers_is_sealed() {
    let (_lab, app) = app("struct thing { int n; };\nstatic struct thing only;\n\
        struct thing *thing_new(void) { return &only; }\nvoid thing_free(struct thing *t) { t->n = 0; }\n\
        int main(void) { return 0; }\n");
    let output = generate(&[&app]).ok();
    assert!(output.stdout.contains("ufunc_sealed"), "{}", output.stdout);
}

/// Pointers of a 32-bit application were taken for longer ones, which its structs have no room for:
/// none of its types could be had.
#[test]
fn types_of_a_32_bit_application_have_short_pointers() {
    let lab = Lab::new();
    let source = "struct item { struct item *next; int n; void (*f)(struct item *); };\n\
        int get(struct item *i) { return i->n; }\n";
    lab.write("app.c", source);
    let args = ["--target=i686-linux-gnu", "-g", "-c", "app.c", "-o", "app"];
    tool(lab.folder(), "clang", &args);
    let (app, out) = (lab.path("app"), lab.path("app.btf"));
    generate(&["btf".as_ref(), app.as_os_str(), "-o".as_ref(), out.as_os_str()]).ok();
    let bytes = std::fs::read(out).unwrap();
    let types = Btf::parse(&bytes).unwrap().types().map(|item| item.unwrap().1);
    let item = types.filter_map(|ty| match ty {
        Type::Struct(composite) if composite.name == "item" => Some(composite),
        _ => None,
    });
    let item = item.collect::<Vec<_>>();
    assert_eq!(item[0].size, 12);
    assert_eq!(item[0].members.len(), 3);
}

/// The kernel follows types that contain each other 32 deep, and refused all types of an application
/// with more base classes than that, if they came before what they are derived from.
#[test]
fn types_that_are_nested_deep_are_put_in_order() {
    let lab = Lab::new();
    let source = "template <int N> struct part : part<N - 1> { int value; };\n\
        template <> struct part<0> { int value; };\n\
        part<60> whole;\nint main() { return whole.value; }\n";
    let app = lab.build_files("g++", &["-g"], &[("app.cc", source)]);
    let out = lab.path("app.btf");
    generate(&["btf".as_ref(), app.as_os_str(), "-o".as_ref(), out.as_os_str()]).ok();
    let bytes = std::fs::read(out).unwrap();
    common::kernel::accepted("nested base classes", &bytes);
    let types: Vec<_> = Btf::parse(&bytes).unwrap().types().map(|item| item.unwrap().1).collect();
    let is_whole = |ty: &Type<'_>| matches!(ty, Type::Struct(found) if found.members.len() == 2);
    assert_eq!(types.iter().filter(|ty| is_whole(ty)).count(), 60);
}
