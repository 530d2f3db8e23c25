// SPDX-License-Identifier: MIT OR Apache-2.0
//! `ufunc-gen list`: what would be lent.

use std::fmt::Write as _;

use anyhow::Result;
use serde::Serialize;
use ufunc_gen::kernel::kf;
use ufunc_gen::metadata::{Argument, Role};
use ufunc_gen::module::{Kfunc, Module, StandsFor};
use ufunc_gen::ufunc::Origin;

/// The table's head. The signatures, which are long, come last, where they widen no other row.
const HEAD: [&str; 6] = ["FUNCTION", "FLAGS", "FAMILY", "FROM", "SOURCE", "SIGNATURE"];

/// An element of the JSON array.
#[derive(Serialize)]
struct Row<'u> {
    /// Name of the kfunc.
    function: &'u str,
    /// Symbol of the application's function; of an access there is none.
    symbol: Option<&'u str>,
    /// `borrow`, `put`, `write` or `read`, for what no function of the application is behind.
    access: Option<&'static str>,
    /// The struct or field that this is granted to.
    of: Option<String>,
    role: Role,
    /// `KF_*` names.
    flags: String,
    /// As C declares it.
    signature: &'u str,
    /// What the arguments are, in their order, if the types do not tell all of them.
    arguments: &'u [Argument],
    family: Option<String>,
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
        let rows: Vec<_> = module.kfuncs.iter().map(row).collect();
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
    [
        kfunc.name.clone(),
        short_flags(kfunc.flags),
        family(kfunc).unwrap_or_else(|| "-".to_owned()),
        short_origin(&origin(kfunc)),
        source(kfunc).unwrap_or_else(|| "-".to_owned()),
        signature(kfunc),
    ]
}

/// As C declares it, and what the arguments are.
fn signature(kfunc: &Kfunc<'_>) -> String {
    let told = arguments(kfunc).iter().filter(|argument| argument.kind.is_some());
    let told: Vec<_> = told.map(ToString::to_string).collect();
    match told.as_slice() {
        [] => kfunc.c().to_owned(),
        told => format!("{}  [{}]", kfunc.c(), told.join(", ")),
    }
}

/// What the application's function takes, if the types do not tell all of it.
fn arguments<'u>(kfunc: &'u Kfunc<'_>) -> &'u [Argument] {
    match &kfunc.stands_for {
        StandsFor::Function(ufunc) => ufunc.signature.told_arguments(),
        StandsFor::Access(_) => &[],
    }
}

fn family(kfunc: &Kfunc<'_>) -> Option<String> {
    match &kfunc.stands_for {
        StandsFor::Function(ufunc) => ufunc.family.clone(),
        StandsFor::Access(granted) => granted.accessor.family(),
    }
}

fn origin(kfunc: &Kfunc<'_>) -> Origin {
    match &kfunc.stands_for {
        StandsFor::Function(ufunc) => ufunc.origin.clone(),
        StandsFor::Access(granted) => Origin::Policy(granted.accessor.place.clone()),
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

/// Of a function only: where the policy is that grants an access is its origin.
fn source(kfunc: &Kfunc<'_>) -> Option<String> {
    match kfunc.stands_for {
        StandsFor::Function(_) => Some(kfunc.source()?.escape_debug().to_string()),
        StandsFor::Access(_) => None,
    }
}

fn row<'u>(kfunc: &'u Kfunc<'_>) -> Row<'u> {
    let (origin, reason) = match origin(kfunc) {
        Origin::Policy(place) => ("policy", Some(place)),
        Origin::Annotation => ("annotation", None),
        Origin::Inferred(verbs) => ("inferred", Some(verbs.reason())),
    };
    let (symbol, access, of) = match &kfunc.stands_for {
        StandsFor::Function(ufunc) => (Some(ufunc.function.symbol()), None, None),
        StandsFor::Access(granted) => {
            (None, Some(granted.access().name()), Some(granted.accessor.subject()))
        }
    };
    Row {
        function: &kfunc.name,
        symbol,
        access,
        of,
        role: kfunc.role(),
        flags: kf::describe(kfunc.flags),
        signature: kfunc.c(),
        arguments: arguments(kfunc),
        family: family(kfunc),
        origin,
        reason,
        source: source(kfunc),
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
