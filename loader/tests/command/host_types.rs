// SPDX-License-Identifier: MIT OR Apache-2.0
//! Programs on an application's probes are fitted to the application's own types, whether or not a
//! module of it is loaded. These load BPF programs, as those in `verdicts.rs` do.

use std::path::Path;

use crate::common::{Workspace, judge_for, offsets_in, program, text, verify_for};

/// The numbers that libbpf put into the instructions of the program `name`.
#[track_caller]
fn offsets(object: &Path, app: &Path, name: &str) -> Vec<u32> {
    offsets_in(&verify_for(object, app, &["-v"]), name)
}

#[test]
fn fields_are_found_where_each_application_has_them() {
    let work = Workspace::new();
    let (examples, object) = (work.examples(), work.compile("data"));
    for (app, expected) in [("btf-base", [0, 4]), ("btf-base-new", [0, 8])] {
        let app = examples.join(app);
        let (_, document) = judge_for(&object, &app, &[]);
        assert_eq!(document["module"], serde_json::Value::Null);
        assert_eq!(program(&document, "add_test")["verdict"], "accepted", "{document}");
        let found = offsets(&object, &app, "add_test");
        // A program may be loaded twice.
        assert_eq!(found[..2], expected, "{}", app.display());
        assert!(found.chunks(2).all(|offsets| offsets == expected));
    }
}

#[test]
fn a_missing_member_is_explained_by_those_that_there_are() {
    let work = Workspace::new();
    let app = work.examples().join("btf-base");
    let (status, document) = judge_for(&work.compile("data"), &app, &[]);
    assert_eq!(status, 1, "{document}");
    let missing = program(&document, "missing_member");
    assert_eq!(missing["verdict"], "rejected", "{missing}");
    assert_eq!(missing["stage"], "relocation", "{missing}");
    let meaning = format!("struct data has no member 'e' in {} (it has a, c, d)", app.display());
    assert_eq!(missing["meaning"], meaning.as_str());
    assert!(text(&missing["source"]["text"]).contains("&d->e"), "{missing}");
}

#[test]
fn a_name_of_the_kernel_means_the_applications_type_on_its_probes_only() {
    let work = Workspace::new();
    let (app, object) = (work.compile_app("types", &["-g"]), work.compile("types"));
    let (_, document) = judge_for(&object, &app, &[]);
    for name in ["of_application", "of_kernel", "anonymous"] {
        assert_eq!(program(&document, name)["verdict"], "accepted", "{document}");
    }
    assert_eq!(offsets(&object, &app, "of_application"), [1000]);
    assert_eq!(offsets(&object, &app, "anonymous"), [1004]);
    let of_kernel = offsets(&object, &app, "of_kernel");
    assert!(of_kernel.len() == 1 && of_kernel[0] < 1000, "{of_kernel:?}");
    let verbose = verify_for(&object, &app, &["-v"]).stderr;
    let types = verbose.lines().find(|line| line.starts_with("types: ")).unwrap();
    assert!(types.contains("struct file, not to the kernel's struct file"), "{types}");
}

#[test]
fn missing_types_and_values_are_explained() {
    let work = Workspace::new();
    let app = work.compile_app("types", &["-g"]);
    let (status, document) = judge_for(&work.compile("types"), &app, &[]);
    assert_eq!(status, 1, "{document}");
    let app = app.display();
    let expected = [
        (
            "missing_member",
            format!(
                "struct file has no member 'missing' in {app} (it has path, f_flags, read, written)"
            ),
        ),
        ("missing_type", format!("struct host_data_nobody_has is not defined in {app}")),
        (
            "missing_value",
            format!("enum mode has no value MODE_BOTH in {app} (it has MODE_OFF, MODE_ON)"),
        ),
    ];
    for (name, meaning) in expected {
        let program = program(&document, name);
        assert_eq!(program["stage"], "relocation", "{program}");
        assert!(text(&program["meaning"]).starts_with(&meaning), "{program}");
    }
}

#[test]
fn an_application_without_debug_information_is_named_as_the_reason() {
    let work = Workspace::new();
    let (app, object) = (work.compile_app("types", &["-s"]), work.compile("types"));
    let (status, document) = judge_for(&object, &app, &[]);
    assert_eq!(status, 2, "{document}");
    let missing = program(&document, "missing_type");
    assert_eq!(missing["verdict"], "unjudged", "{missing}");
    assert_eq!(missing["stage"], "relocation", "{missing}");
    let reason = format!("{} has no debug information", app.display());
    assert!(text(&missing["help"]).contains(&reason), "{missing}");
    // What needs none of its types is judged all the same.
    assert_eq!(program(&document, "of_kernel")["verdict"], "accepted");
    let verbose = verify_for(&object, &app, &["-v"]).stderr;
    assert!(verbose.contains("types: the application's types are not known: "), "{verbose}");
}
