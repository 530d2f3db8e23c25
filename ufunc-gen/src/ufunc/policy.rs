// SPDX-License-Identifier: MIT OR Apache-2.0
//! The policy file: what the application's owner lends, in TOML.
//!
//! ```toml
//! [[ufunc]]
//! function = "my_alloc_data"   # name or symbol of a function
//! role = "acquire"             # acquire, release or plain
//! family = "pool"              # optional: which functions belong together
//! source = "data.c"            # optional: the file, where several have a function of that name
//! ```
//!
//! What it may grant beside functions, `[[borrow]]`, `[[write]]` and `[[read]]`, is in
//! [`access::grant`](crate::access::grant).

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, anyhow, ensure};
use serde::Deserialize;
use toml::Spanned;

use super::{Origin, Request};
use crate::access::grant::{self, Grant};
use crate::ident::is_identifier;
use crate::metadata::Role;

/// A policy, read and checked for what can be checked without the application.
#[derive(Debug)]
pub struct Policy {
    path: String,
    requests: Vec<Request>,
    grants: Vec<Grant>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    ufunc: Vec<Entry>,
    #[serde(default)]
    borrow: Vec<grant::Borrow>,
    #[serde(default)]
    write: Vec<grant::Write>,
    #[serde(default)]
    read: Vec<grant::Read>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    function: Spanned<String>,
    role: Role,
    family: Option<Spanned<String>>,
    source: Option<String>,
}

impl Policy {
    /// Reads the policy file at `path`.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path)
            .with_context(|| format!("failed to read the policy {}", path.display()))?;
        Self::parse(&path.display().to_string(), &text)
    }

    /// Reads `text`, which messages call `path`.
    pub fn parse(path: &str, text: &str) -> Result<Self> {
        // The error's own text shows the line, with marks below what is wrong.
        let document: Document = toml::from_str(text)
            .map_err(|error| anyhow!("bad policy {path}: {}", error.to_string().trim_end()))?;
        let line = |at: usize| text[..at.min(text.len())].matches('\n').count() + 1;
        let mut requests = Vec::new();
        for entry in document.ufunc {
            let place = format!("{path}:{}", line(entry.function.span().start));
            let function = entry.function.into_inner();
            ensure!(!function.is_empty(), "{place}: the function has no name");
            if let Some(family) = &entry.family {
                let place = format!("{path}:{}", line(family.span().start));
                check_family(family.get_ref()).with_context(|| place)?;
            }
            requests.push(Request {
                function,
                role: entry.role,
                family: entry.family.map(Spanned::into_inner),
                source: entry.source,
                origin: Origin::Policy(place),
            });
        }
        let mut grants = grant::Grants::new(|at| format!("{path}:{}", line(at)));
        document.borrow.into_iter().try_for_each(|entry| grants.borrow(entry))?;
        document.write.into_iter().try_for_each(|entry| grants.write(entry))?;
        document.read.into_iter().try_for_each(|entry| grants.read(entry))?;
        Ok(Policy { path: path.to_owned(), requests, grants: grants.finish() })
    }

    /// Where the policy was read.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The functions that it names.
    pub(super) fn requests(&self) -> &[Request] {
        &self.requests
    }

    /// What it grants beside functions.
    pub(crate) fn grants(&self) -> &[Grant] {
        &self.grants
    }
}

/// What types are called after that tell objects apart by whose they are.
const OWN_FAMILIES: [&str; 2] = ["borrowed", "owned"];

/// Families end up in the names of types, after `struct__`: identifiers, and no third `_` before
/// them, which would make libbpf take the type for a flavour of the struct.
pub(super) fn check_family(family: &str) -> Result<()> {
    ensure!(
        is_identifier(family) && !family.starts_with('_') && !family.contains("___"),
        "family {family:?} is not a plain identifier"
    );
    ensure!(
        !OWN_FAMILIES.contains(&family),
        "family {family:?} has a name that means something else; give it another one"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_read() {
        let text = "[[ufunc]]\nfunction = \"f\"\nrole = \"acquire\"\n\n[[ufunc]]\nfunction = \"g\"\nrole = \"release\"\nfamily = \"pool\"\n";
        let policy = Policy::parse("p.toml", text).unwrap();
        assert_eq!(policy.requests.len(), 2);
        assert_eq!(policy.requests[0].origin, Origin::Policy("p.toml:2".into()));
        assert_eq!(policy.requests[1].family.as_deref(), Some("pool"));
        assert_eq!(policy.requests[1].origin, Origin::Policy("p.toml:6".into()));
    }

    #[test]
    fn mistakes_are_shown_with_their_line() {
        for (text, expected) in [
            ("[[ufunc]]\nfunction = 1\nrole = \"plain\"\n", "2"),
            ("[[ufunc]]\nfunction = \"f\"\nrole = \"borrow\"\n", "3"),
            ("[[ufunc]]\nfunction = \"f\"\nrole = \"plain\"\nrolle = 1\n", "4"),
            ("[[ufunc]]\nfunction = \"f\"\nrole = \"plain\"\nfamily = \"a b\"\n", "4"),
            ("[[ufunc]]\nfunction = \"f\"\nrole = \"plain\"\nfamily = \"owned\"\n", "4"),
            ("[[ufunc]]\nfunction = \"\"\nrole = \"plain\"\n", "2"),
            ("[[functions]]\n", "1"),
            ("[[ufunc\n", "1"),
        ] {
            let error = format!("{:#}", Policy::parse("p.toml", text).unwrap_err());
            assert!(error.contains("p.toml"), "{error}");
            assert!(error.contains(expected), "{text:?}: {error}");
        }
    }
}
