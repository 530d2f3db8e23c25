// SPDX-License-Identifier: MIT OR Apache-2.0
//! `ufunc-gen list`: what would be lent.

use std::fmt::Write as _;

use anyhow::Result;
use serde::Serialize;
use ufunc_gen::kernel::kf;
use ufunc_gen::metadata::{Argument, Role};
use ufunc_gen::module::{Kfunc, Module};
use ufunc_gen::ufunc::{Origin, Ufunc};

/// The table's head. The signatures, which are long, come last, where they widen no other row.
const HEAD: [&str; 6] = ["FUNCTION", "FLAGS", "FAMILY", "FROM", "SOURCE", "SIGNATURE"];

/// An element of the JSON array.
#[derive(Serialize)]
struct Row<'u> {
    /// Name of the kfunc.
    function: &'u str,
    /// Symbol of the application's function.
    symbol: &'u str,
    role: Role,
    /// `KF_*` names.
    flags: String,
    /// As C declares it.
    signature: &'u str,
    /// What the arguments are, in their order, if the types do not tell all of them.
    arguments: &'u [Argument],
    family: Option<&'u str>,
    /// `policy`, `annotation` or `inferred`.
    origin: &'static str,
    /// The policy's line, or why the function was inferred.
    reason: Option<String>,
    /// `file:line` of the declaration.
    source: Option<String>,
}

/// The table of what `module` lends, or an array as JSON.
pub(crate) fn table(module: &Module<'_>, json: bool) -> Result<String> {
    if json {
        let rows: Vec<_> = module.kfuncs.iter().map(|kfunc| row(&kfunc.ufunc)).collect();
        return Ok(serde_json::to_string_pretty(&rows)? + "\n");
    }
    let mut cells = vec![HEAD.map(str::to_owned)];
    cells.extend(module.kfuncs.iter().map(row_cells));
    Ok(align(&cells))
}

/// The rows with their columns one below the other.
fn align<const N: usize>(cells: &[[String; N]]) -> String {
    let width =
        |column: usize| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let mut out = String::new();
    for row in cells {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            let _ = write!(line, "{cell:width$}  ");
        }
        out += line.trim_end();
        out.push('\n');
    }
    out
}

fn row_cells(kfunc: &Kfunc<'_>) -> [String; HEAD.len()] {
    let ufunc = &kfunc.ufunc;
    [
        ufunc.kfunc.clone(),
        short_flags(kfunc.flags),
        ufunc.family.clone().unwrap_or_else(|| "-".to_owned()),
        short_origin(&ufunc.origin),
        source(ufunc).unwrap_or_else(|| "-".to_owned()),
        signature(ufunc),
    ]
}

/// As C declares it, and what the arguments are.
fn signature(ufunc: &Ufunc<'_>) -> String {
    let told = ufunc.signature.told_arguments().iter();
    let told: Vec<_> =
        told.filter(|argument| argument.kind.is_some()).map(ToString::to_string).collect();
    match told.as_slice() {
        [] => ufunc.signature.c.clone(),
        told => format!("{}  [{}]", ufunc.signature.c, told.join(", ")),
    }
}

/// The kernel's names without what all of them begin with.
fn short_flags(flags: u32) -> String {
    kf::describe(flags).replace("KF_", "").replace(' ', "")
}

fn short_origin(origin: &Origin) -> String {
    match origin {
        Origin::Policy(place) => format!("policy {}", place.rsplit('/').next().unwrap_or(place)),
        Origin::Annotation => "annotation".to_owned(),
        Origin::Inferred(verbs) => format!("inferred {verbs}"),
    }
}

fn source(ufunc: &Ufunc<'_>) -> Option<String> {
    let source = ufunc.function.source.as_ref()?;
    Some(source.short().escape_debug().to_string())
}

fn row<'u>(ufunc: &'u Ufunc<'_>) -> Row<'u> {
    let (origin, reason) = match &ufunc.origin {
        Origin::Policy(place) => ("policy", Some(place.clone())),
        Origin::Annotation => ("annotation", None),
        Origin::Inferred(verbs) => ("inferred", Some(verbs.reason())),
    };
    Row {
        function: &ufunc.kfunc,
        symbol: ufunc.function.symbol(),
        role: ufunc.role,
        flags: kf::describe(ufunc.flags()),
        signature: &ufunc.signature.c,
        arguments: ufunc.signature.told_arguments(),
        family: ufunc.family.as_deref(),
        origin,
        reason,
        source: source(ufunc),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_short() {
        let flags = kf::ACQUIRE | kf::RET_NULL | kf::TRUSTED_ARGS;
        assert_eq!(short_flags(flags), "ACQUIRE|RET_NULL|TRUSTED_ARGS");
        assert_eq!(short_origin(&Origin::Policy("/etc/ufunc/p.toml:4".into())), "policy p.toml:4");
        assert_eq!(short_origin(&Origin::Annotation), "annotation");
    }

    #[test]
    fn columns_are_aligned_and_end_without_blanks() {
        let row = |a: &str, b: &str| [a.to_owned(), b.to_owned()];
        assert_eq!(align(&[row("a", "bb"), row("ccc", "")]), "a    bb\nccc\n");
    }
}
