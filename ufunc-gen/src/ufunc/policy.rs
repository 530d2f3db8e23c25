// SPDX-License-Identifier: MIT OR Apache-2.0
//! The policy file: what the application's owner lends, in TOML.
//!
//! ```toml
//! [[ufunc]]
//! function = "my_alloc_data"   # name or symbol of a function
//! role = "acquire"             # acquire, release or plain
//! family = "pool"              # optional: which functions belong together
//! source = "data.c"            # optional: the file, where several have a function of that name
//! sleepable = true             # optional: it may sleep, so only programs may call it that do
//! arguments = { message = "string" }  # optional: what arguments are, where their types do not tell
//! ```
//!
//! What it may grant beside functions, `[[borrow]]`, `[[write]]` and `[[read]]`, is in
//! [`access::grant`](crate::access::grant).

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;
use toml::Spanned;

use super::{Marked, Origin, Request};
use crate::access::grant::{self, Grant};
use crate::ident::is_identifier;
use crate::metadata::{ArgumentKind, Role};
use crate::nearest;
use crate::toml_file::TomlFile;

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
    #[serde(default)]
    sleepable: bool,
    #[serde(default)]
    arguments: BTreeMap<String, Spanned<String>>,
}

impl Policy {
    /// Reads the policy file at `path`.
    pub fn read(path: &Path) -> Result<Self> {
        Self::of(&TomlFile::read("policy", path)?)
    }

    /// Reads `text`, which messages call `path`.
    pub fn parse(path: &str, text: &str) -> Result<Self> {
        Self::of(&TomlFile::new(path, text))
    }

    fn of(file: &TomlFile) -> Result<Self> {
        let document: Document = file.parse()?;
        let mut requests = Vec::new();
        for entry in document.ufunc {
            let place = file.place(entry.function.span());
            let function = entry.function.into_inner();
            ensure!(!function.is_empty(), "{place}: the function has no name");
            if let Some(family) = &entry.family {
                let place = file.place(family.span());
                check_family(family.get_ref()).with_context(|| place)?;
            }
            requests.push(Request {
                function,
                role: entry.role,
                family: entry.family.map(Spanned::into_inner),
                source: entry.source,
                arguments: arguments(file, entry.arguments)?,
                sleepable: entry.sleepable,
                origin: Origin::Policy(place),
            });
        }
        let mut grants = grant::Grants::new(|at| file.place(at..at));
        document.borrow.into_iter().try_for_each(|entry| grants.borrow(entry))?;
        document.write.into_iter().try_for_each(|entry| grants.write(entry))?;
        document.read.into_iter().try_for_each(|entry| grants.read(entry))?;
        Ok(Policy { path: file.path().to_owned(), requests, grants: grants.finish() })
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

/// What a policy says of arguments.
fn arguments(file: &TomlFile, entries: BTreeMap<String, Spanned<String>>) -> Result<Vec<Marked>> {
    let marked = entries.into_iter().map(|(name, kind)| {
        let place = file.place(kind.span());
        let kind = kind.into_inner();
        let names = ArgumentKind::ALL.map(ArgumentKind::name);
        let Some(kind) = ArgumentKind::from_name(&kind) else {
            let hint = nearest::hint(&kind, names);
            bail!("{place}: an argument is no {kind:?}, but one of {}{hint}", names.join(", "))
        };
        Ok(Marked { name, kind, place })
    });
    marked.collect()
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
            (
                "[[ufunc]]\nfunction = \"f\"\nrole = \"plain\"\narguments.a = \"strng\"\n",
                "p.toml:4",
            ),
            ("[[ufunc]]\nfunction = \"f\"\nrole = \"plain\"\narguments.a = 1\n", "4"),
            ("[[ufunc]]\nfunction = \"f\"\nrole = \"plain\"\nsleepable = \"yes\"\n", "4"),
            ("[[functions]]\n", "1"),
            ("[[ufunc\n", "1"),
        ] {
            let error = format!("{:#}", Policy::parse("p.toml", text).unwrap_err());
            assert!(error.contains("p.toml"), "{error}");
            assert!(error.contains(expected), "{text:?}: {error}");
        }
    }
}
