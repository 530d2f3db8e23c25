// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a policy grants beside functions: what the module says of it, and what is refused.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use std::path::PathBuf;

use common::{Lab, generate, golden_app, golden_folder};

/// The application of the golden file, with a policy of its own.
struct Case {
    lab: Lab,
    app: PathBuf,
    vmlinux: PathBuf,
}

const FUNCTIONS: &str = "[[ufunc]]\nfunction = \"heap_buffer\"\nrole = \"acquire\"\n[[ufunc]]\nfunction = \"drop_heap_buffer\"\nrole = \"release\"\n";

impl Case {
    fn new() -> Self {
        let lab = Lab::new();
        let app = golden_app(&lab, "grants", &["grants"]);
        let vmlinux = lab.vmlinux(&[]);
        Case { lab, app, vmlinux }
    }

    /// What `ufunc-gen` says of a policy.
    fn list(&self, policy: &str) -> common::Output {
        let file = self.lab.path("p.toml");
        std::fs::write(&file, policy).unwrap();
        let mut args = vec!["list".as_ref(), self.app.as_os_str(), "--json".as_ref()];
        args.extend(["--policy".as_ref(), file.as_os_str()]);
        args.extend(["--vmlinux".as_ref(), self.vmlinux.as_os_str()]);
        generate(&args)
    }

    #[track_caller]
    fn refused(&self, policy: &str, expected: &str) {
        let output = self.list(policy);
        assert_eq!(output.status, Some(2), "{policy}: {}", output.stdout);
        let said = &output.stderr;
        assert!(said.contains("p.toml:") && said.contains(expected), "{policy}: {said}");
    }
}

fn grant(kind: &str, value: &str) -> String {
    let key = if kind == "borrow" { "type" } else { "field" };
    format!("[[{kind}]]\n{key} = \"{value}\"\n")
}

#[test]
fn grants_without_functions_are_enough() {
    let case = Case::new();
    let policy = grant("borrow", "struct buffer") + &grant("write", "buffer.raw");
    let output = case.list(&policy).ok();
    let rows: Vec<serde_json::Value> = serde_json::from_str(&output.stdout).unwrap();
    let names: Vec<_> = rows.iter().map(|row| row["function"].as_str().unwrap()).collect();
    assert_eq!(names, ["ufunc_borrow_buffer", "ufunc_put_buffer", "ufunc_write_buffer_raw"]);
    assert_eq!(
        (rows[0]["access"].as_str(), rows[0]["role"].as_str()),
        (Some("borrow"), Some("acquire"))
    );
    assert_eq!(rows[2]["of"], "buffer.raw");
    assert_eq!(
        rows[2]["signature"],
        "int ufunc_write_buffer_raw(struct buffer *object, unsigned int value)"
    );
}

#[test]
fn what_there_is_not_is_named_with_what_is_called_nearly_so() {
    let case = Case::new();
    let borrow = grant("borrow", "struct buffer");
    for (policy, expected) in [
        (
            grant("borrow", "struct bufer"),
            "p.toml:2: the application defines no 'struct bufer'; the nearest name is 'buffer'",
        ),
        (grant("borrow", "item"), "the nearest name is 'item_t'"),
        // A typedef's name is no tag.
        (grant("borrow", "struct item_t"), "defines no 'struct item_t'"),
        (grant("borrow", "colour"), "defines no 'colour'"),
        (
            borrow.clone() + &grant("write", "buffer.levle"),
            "p.toml:4: cannot grant writes to buffer.levle: 'buffer' has no member 'levle'; the nearest name is 'level'",
        ),
        (
            borrow.clone() + &grant("write", "buffer.position.z"),
            "'position' has no member 'z'; it has x, y",
        ),
        (
            borrow.clone() + &grant("read", "buffer.item->lines"),
            "the struct has no member 'lines'; it has text, grid, numbers",
        ),
    ] {
        case.refused(&policy, expected);
    }
}

#[test]
fn what_cannot_be_granted_is_refused_with_the_reason() {
    let case = Case::new();
    let borrow = grant("borrow", "struct buffer") + &grant("borrow", "item_t");
    for (kind, field, expected) in [
        ("write", "buffer.position", "it is a whole struct: name one of its fields"),
        ("write", "buffer.item", "it is a pointer"),
        ("write", "buffer.letters", "it is an array"),
        ("write", "buffer.item.grid", "'item' is a pointer: its member is 'item->grid'"),
        ("write", "buffer.level.x", "'level' has no members"),
        ("read", "buffer.position->x", "'position' is no pointer: its member is 'position.x'"),
        ("read", "buffer.level", "it is no array"),
        ("read", "item_t.text->x", "'text' points to no struct"),
        ("borrow", "buffer", "buffer is borrowed twice"),
    ] {
        case.refused(&(borrow.clone() + &grant(kind, field)), expected);
    }
}

#[test]
fn what_no_object_fits_is_refused() {
    let case = Case::new();
    let write = grant("write", "buffer.raw");
    case.refused(&write, "no extension has a 'buffer' to do that with");
    let owned = write.clone() + "of = [\"owned\"]\n";
    case.refused(&(grant("borrow", "buffer") + &owned), "no [[ufunc]] acquires a 'buffer'");
    let borrowed = write + "of = [\"borrowed\"]\n";
    case.refused(&(FUNCTIONS.to_owned() + &borrowed), "there is no [[borrow]] of 'buffer'");
    // Both names would be the same.
    let twice = grant("write", "buffer.position.x") + &grant("write", "buffer.position_x");
    case.refused(
        &(FUNCTIONS.to_owned() + &twice),
        "ufunc_write_buffer_position_x would be there twice",
    );
}

#[test]
fn headers_declare_what_is_granted() {
    let case = Case::new();
    let policy = golden_folder().join("grants.toml");
    let mut args = vec!["header".as_ref(), case.app.as_os_str()];
    args.extend(["--policy".as_ref(), policy.as_os_str(), "--types".as_ref()]);
    args.extend(["struct position".as_ref(), "--vmlinux".as_ref(), case.vmlinux.as_os_str()]);
    let text = generate(&args).ok().stdout;
    for declaration in [
        "extern struct buffer *ufunc_borrow_buffer(unsigned long long address) __ksym;",
        "extern void ufunc_put_buffer(struct buffer *object) __ksym;",
        "extern item_t *ufunc_borrow_item_t(unsigned long long address) __ksym;",
        "extern int ufunc_write_buffer_mask(struct buffer *object, long long unsigned int value) __ksym;",
        "extern int ufunc_write_buffer_colour(struct buffer *object, enum colour value) __ksym;",
        "extern unsigned char ufunc_read_buffer_item_grid(struct buffer *object, unsigned int index) __ksym;",
        "Sets buffer.full, for borrowed objects",
        "put it back with ufunc_put_item_t()",
        "0 for an index beyond the last, 11,",
    ] {
        assert!(text.contains(declaration), "{declaration} is not in\n{text}");
    }
}
