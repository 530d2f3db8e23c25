// SPDX-License-Identifier: MIT OR Apache-2.0
//! A policy to begin with: what annotations or inference would lend, and what somebody who knows
//! the application has to decide.

use std::fmt::Write as _;

use super::infer::left_out::LeftOut;
use super::{Chosen, Ufunc, describe};
use crate::metadata::{Argument, Role};
use crate::toml_file::quoted;

/// The text of a policy for the application at `path`, which lends just what is `chosen`. Pairs
/// that were left out are in it as comments, each with the reason.
#[must_use]
pub fn propose(path: &str, chosen: &Chosen<'_>) -> String {
    let path = path.escape_debug();
    let mut text = format!(
        "# What {path} lends to extensions: a proposal. Read it, change it, and then\n\
         #     ufunc-gen list {path} --policy THIS-FILE\n\
         #     ufunc-gen ko {path} --policy THIS-FILE -o ufunc.ko\n\
         #\n\
         # role: acquire gives an object, or NULL, that its caller owes; release takes it back; plain does neither.\n\
         # family: functions of one family belong together. Without it they are of the struct's.\n\
         # source: the file, or the end of its path, where several have a function of that name.\n\
         # arguments, sleepable: see the README; strings and buffers are lent only if it is said.\n\
         # [[borrow]] (type), [[write]] (field, of) and [[read]] (field) grant access to objects themselves.\n"
    );
    for ufunc in &chosen.ufuncs {
        text += &entry(ufunc);
    }
    if !chosen.left_out.is_empty() {
        text += "\n# These look like pairs, too, and are not lent. Whoever knows better takes the '#' away.\n";
    }
    for pair in &chosen.left_out {
        text += &left_out(pair);
    }
    text
}

fn entry(ufunc: &Ufunc<'_>) -> String {
    let mut text = format!(
        "\n# {}\n# {}; {}\n[[ufunc]]\nfunction = {}\nrole = \"{}\"\n",
        ufunc.signature.c.escape_debug(),
        describe(&ufunc.function),
        ufunc.origin.to_string().escape_debug(),
        quoted(ufunc.function.symbol()),
        role(ufunc.role)
    );
    // What a struct's functions belong to without saying so.
    let family =
        ufunc.family.as_ref().filter(|family| Some(*family) != ufunc.signature.object.as_ref());
    if let Some(family) = family {
        let _ = writeln!(text, "family = {}", quoted(family));
    }
    if ufunc.sleepable {
        text += "sleepable = true\n";
    }
    for Argument { name, kind } in &ufunc.signature.arguments {
        if let Some(kind) = kind {
            let _ = writeln!(text, "arguments.{name} = \"{}\"", kind.name());
        }
    }
    text
}

fn left_out(pair: &LeftOut) -> String {
    let mut text = format!("\n# {}\n", pair.reason.escape_debug());
    for (function, role) in [(&pair.acquire, "acquire"), (&pair.release, "release")] {
        let _ = write!(text, "#[[ufunc]]\n#function = {}\n#role = \"{role}\"\n", quoted(function));
    }
    text
}

fn role(role: Role) -> &'static str {
    match role {
        Role::Acquire => "acquire",
        Role::Release => "release",
        Role::Plain => "plain",
    }
}
