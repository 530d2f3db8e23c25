// SPDX-License-Identifier: MIT OR Apache-2.0
//! `ufunc-gen list`: what would be lent.

use std::fmt::Write as _;

use anyhow::Result;
use serde::Serialize;
use ufunc_gen::kernel::kf;
use ufunc_gen::metadata::Role;
use ufunc_gen::ufunc::{Origin, Ufunc};

/// A row of the table, and an element of the JSON array.
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
    family: Option<&'u str>,
    /// `policy`, `annotation` or `inferred`.
    origin: &'static str,
    /// The policy's line, or why the function was inferred.
    reason: Option<&'u str>,
    /// `file:line` of the declaration.
    source: Option<String>,
}

/// The table of `ufuncs`, or an array of them as JSON.
pub(crate) fn table(ufuncs: &[Ufunc<'_>], json: bool) -> Result<String> {
    let rows: Vec<_> = ufuncs.iter().map(row).collect();
    if json {
        return Ok(serde_json::to_string_pretty(&rows)? + "\n");
    }
    let mut cells =
        vec![["FUNCTION", "FLAGS", "SIGNATURE", "FAMILY", "FROM", "SOURCE"].map(str::to_owned)];
    cells.extend(rows.into_iter().map(|row| {
        let from = match row.reason {
            Some(reason) => format!("{}: {reason}", row.origin),
            None => row.origin.to_owned(),
        };
        [
            row.function.to_owned(),
            row.flags,
            row.signature.to_owned(),
            row.family.unwrap_or("-").to_owned(),
            from,
            row.source.unwrap_or_else(|| "-".to_owned()),
        ]
    }));
    let width =
        |column: usize| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 6] = std::array::from_fn(width);
    let mut out = String::new();
    for row in &cells {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            let _ = write!(line, "{cell:width$}  ");
        }
        out += line.trim_end();
        out.push('\n');
    }
    Ok(out)
}

fn row<'u>(ufunc: &'u Ufunc<'_>) -> Row<'u> {
    let (origin, reason) = match &ufunc.origin {
        Origin::Policy(place) => ("policy", Some(place.as_str())),
        Origin::Annotation => ("annotation", None),
        Origin::Inferred(reason) => ("inferred", Some(reason.as_str())),
    };
    Row {
        function: &ufunc.kfunc,
        symbol: ufunc.function.symbol(),
        role: ufunc.role,
        flags: kf::describe(ufunc.flags()),
        signature: &ufunc.signature.c,
        family: ufunc.family.as_deref(),
        origin,
        reason,
        source: ufunc
            .function
            .source
            .as_ref()
            .map(|source| source.short().escape_debug().to_string()),
    }
}
