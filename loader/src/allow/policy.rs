// SPDX-License-Identifier: MIT OR Apache-2.0
//! The policy of one extension: what it may use, in TOML. `docs/allow.md` describes it.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Result, bail};
use serde::Deserialize;
use toml::Spanned;
use ufunc_gen::ident::is_identifier;
use ufunc_gen::nearest;
use ufunc_gen::toml_file::TomlFile;

use super::point::{Pattern, Point};
use super::uses::{Kind, Use};
use crate::attempt::map_type_names;
use crate::helper_names;

/// What an extension may use; everything else is refused.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    /// Its file.
    pub(crate) path: String,
    functions: BTreeSet<String>,
    variables: BTreeSet<String>,
    helpers: BTreeSet<String>,
    maps: BTreeSet<String>,
    probes: Vec<Pattern>,
    /// The most instructions that the verifier may count for one program.
    pub(crate) max_insns: Option<u64>,
}

/// The keys, as the file has them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Document {
    #[serde(default)]
    functions: Vec<Spanned<String>>,
    #[serde(default)]
    variables: Vec<Spanned<String>>,
    #[serde(default)]
    helpers: Vec<Spanned<String>>,
    #[serde(default)]
    maps: Vec<Spanned<String>>,
    #[serde(default)]
    probes: Vec<Spanned<String>>,
    max_insns: Option<u64>,
}

/// Something that can be named in a policy.
struct Names<'n> {
    /// What one of them is.
    what: &'n str,
    /// Those that there are.
    known: &'n [String],
}

impl Policy {
    /// Reads the policy file at `path`.
    ///
    /// Fails for what it does not know, with the line, and for names of helpers and types of maps
    /// that there are not.
    pub(crate) fn read(path: &Path) -> Result<Policy> {
        Self::of(&TomlFile::read("policy", path)?)
    }

    fn of(file: &TomlFile) -> Result<Policy> {
        let document: Document = file.parse()?;
        let helpers: Vec<String> = helper_names::all()?.into_values().collect();
        let mut mistakes = Vec::new();
        let helpers = Names { what: "helper", known: &helpers };
        let helpers = known(file, document.helpers, &helpers, &mut mistakes);
        let maps = Names { what: "type of map", known: &map_type_names() };
        let maps = known(file, document.maps, &maps, &mut mistakes);
        let functions = identifiers(file, document.functions, "function", &mut mistakes);
        let variables = identifiers(file, document.variables, "variable", &mut mistakes);
        let probes = document.probes.into_iter().filter_map(|probe| {
            let place = file.place(probe.span());
            match Pattern::new(probe.get_ref()) {
                Ok(pattern) => Some(pattern),
                Err(error) => {
                    mistakes.push(format!("{place}: {error}"));
                    None
                }
            }
        });
        let probes = probes.collect();
        match mistakes.as_slice() {
            [] => {}
            [only] => bail!("{only}"),
            several => {
                let path = file.path();
                bail!("{} mistakes in {path}\n  {}", several.len(), several.join("\n  "))
            }
        }
        let path = file.path().to_owned();
        let max_insns = document.max_insns;
        Ok(Policy { path, functions, variables, helpers, maps, probes, max_insns })
    }

    /// Whether a program may use it.
    pub(crate) fn allows(&self, used: &Use) -> bool {
        let names = match used.kind {
            Kind::Function => &self.functions,
            Kind::Variable => &self.variables,
            Kind::Helper => &self.helpers,
            Kind::Map => &self.maps,
        };
        names.contains(&used.name)
    }

    /// Whether a program may be there.
    pub(crate) fn allows_point(&self, point: &Point) -> bool {
        self.probes.iter().any(|pattern| pattern.allows(point))
    }
}

/// Those of `names` that are known; for others there is a mistake.
fn known(
    file: &TomlFile,
    names: Vec<Spanned<String>>,
    all: &Names<'_>,
    mistakes: &mut Vec<String>,
) -> BTreeSet<String> {
    for name in names.iter().filter(|name| !all.known.contains(name.get_ref())) {
        let (place, what) = (file.place(name.span()), all.what);
        let hint = nearest::hint(name.get_ref(), all.known.iter().map(String::as_str));
        mistakes.push(format!("{place}: there is no {what} {:?}{hint}", name.get_ref()));
    }
    names.into_iter().map(Spanned::into_inner).collect()
}

/// The `names`; for those that cannot be one there is a mistake.
fn identifiers(
    file: &TomlFile,
    names: Vec<Spanned<String>>,
    what: &str,
    mistakes: &mut Vec<String>,
) -> BTreeSet<String> {
    for name in names.iter().filter(|name| !is_identifier(name.get_ref())) {
        let place = file.place(name.span());
        mistakes.push(format!("{place}: {:?} cannot be the name of a {what}", name.get_ref()));
    }
    names.into_iter().map(Spanned::into_inner).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Policy> {
        Policy::of(&TomlFile::new("ext.toml", text))
    }

    #[test]
    fn a_policy_is_read() {
        let text = "functions = [\"my_alloc\"]\nhelpers = [\"bpf_map_lookup_elem\"]\nmaps = [\"hash\"]\nprobes = [\"uprobe/app:f*\"]\nmax-insns = 7\n";
        let policy = parse(text).unwrap();
        let used = |kind, name: &str| Use { kind, name: name.to_owned(), map: None, source: None };
        assert!(policy.allows(&used(Kind::Function, "my_alloc")));
        assert!(!policy.allows(&used(Kind::Variable, "my_alloc")));
        assert!(policy.allows(&used(Kind::Map, "hash")));
        assert!(!policy.allows(&used(Kind::Helper, "bpf_map_update_elem")));
        assert!(policy.allows_point(&Point::of_section("uprobe/./app:first")));
        assert_eq!(policy.max_insns, Some(7));
    }

    #[test]
    fn nothing_is_allowed_that_is_not_named() {
        let policy = parse("").unwrap();
        assert!(!policy.allows_point(&Point::of_section("uprobe")));
        assert_eq!(policy.max_insns, None);
    }

    #[test]
    fn mistakes_are_shown_with_their_line_and_the_nearest_name() {
        for (text, expected) in [
            ("\nhelper = []\n", &["line 2", "unknown field `helper`", "helpers"][..]),
            ("maps = \"hash\"\n", &["line 1", "expected a sequence"]),
            ("max-insns = -1\n", &["line 1"]),
            (
                "helpers = [\n  \"bpf_map_lokup_elem\",\n]\n",
                &["ext.toml:2", "'bpf_map_lookup_elem'"],
            ),
            ("maps = [\"ring_buf\"]\n", &["ext.toml:1", "type of map", "'ringbuf'"]),
            ("\n\nfunctions = [\"a-b\"]\n", &["ext.toml:3", "\"a-b\""]),
            ("probes = [\"uprbe/app:f\"]\n", &["ext.toml:1", "\"uprbe\"", "'uprobe'"]),
            ("helpers = [\"x\"]\nmaps = [\"y\"]\n", &["2 mistakes", "ext.toml:1", "ext.toml:2"]),
        ] {
            let error = format!("{:#}", parse(text).unwrap_err());
            for expected in expected {
                assert!(error.contains(expected), "{text:?}: {error}");
            }
        }
    }
}
