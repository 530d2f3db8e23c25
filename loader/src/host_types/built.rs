// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is kept of hosts' types: the BTF that libbpf is given, and what there is to say about it.

use std::collections::BTreeMap;

use anyhow::Result;
use serde::{Deserialize, Serialize};

/// Who defines a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Origin {
    /// The host at this place.
    Host(usize),
    /// The kernel.
    Kernel,
}

/// The types that the programs of an object are fitted to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Built {
    /// Programs that look at the hosts in the same way share a view, by its place.
    sections: BTreeMap<String, usize>,
    /// Different ones.
    pub(super) views: Vec<View>,
    /// Hosts whose types are not known, and why.
    pub(super) unknown: Vec<String>,
}

/// What some of the programs see of the hosts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct View {
    /// The types; stored apart from all other fields.
    #[serde(skip)]
    pub(super) btf: Vec<u8>,
    /// Id of the first one that is a host's.
    pub(super) first: u32,
    /// Whose type a name means.
    pub(super) taken: BTreeMap<String, Origin>,
    /// Who else has a type of that name.
    pub(super) hidden: BTreeMap<String, Vec<Origin>>,
    /// What nobody has, and what comes near it.
    pub(super) missing: BTreeMap<String, Vec<String>>,
    /// Names that mean several things in one host.
    pub(super) choices: Vec<Chosen>,
}

/// One of several definitions of a name in one host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Chosen {
    pub(super) host: usize,
    /// `struct conn`
    pub(super) name: String,
    pub(super) variants: usize,
    /// File and line.
    pub(super) source: Option<String>,
    pub(super) why: Why,
}

/// Why it was chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Why {
    /// It is in the file that has the probed function.
    Function { function: String },
    /// So many files have it.
    Common { files: usize, of: usize },
    /// It is the last one.
    Last,
}

impl Chosen {
    /// Says so, of the host that is called `host`.
    pub(super) fn describe(&self, host: &str) -> String {
        let Chosen { name, variants, why, .. } = self;
        let at = match &self.source {
            Some(source) => format!("one of {source}"),
            None => "one".to_owned(),
        };
        let why = match why {
            Why::Function { function } => format!("{at}, beside the function {function}"),
            Why::Common { files, of } => format!(
                "{at}, as {files} of {of} files have it; with SEC(\"uprobe/FILE:FUNCTION\") the file that has the function decides"
            ),
            Why::Last => "last".to_owned(),
        };
        format!("{host} has {variants} different definitions of {name}; taken is the {why}")
    }
}

impl View {
    /// Whether there is anything of a host in it.
    pub(super) fn is_of_host(&self) -> bool {
        self.taken.values().any(|origin| *origin != Origin::Kernel)
    }
}

impl Built {
    /// The view of the programs in `section`.
    pub(super) fn view(&self, section: &str) -> Option<usize> {
        self.sections.get(section).copied()
    }

    /// The sections of programs with that view.
    pub(super) fn sections_of(&self, view: usize) -> Vec<&str> {
        let sections = self.sections.iter().filter(|(_, found)| **found == view);
        sections.map(|(section, _)| section.as_str()).collect()
    }

    /// Notes that programs in `section` have that view.
    pub(super) fn add(&mut self, section: &str, view: View) {
        let known = self.views.iter().position(|known| *known == view);
        let place = known.unwrap_or_else(|| {
            self.views.push(view);
            self.views.len() - 1
        });
        self.sections.insert(section.to_owned(), place);
    }

    /// As bytes: the length of what is said, what is said as JSON, and each view's BTF after its
    /// length.
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut add = |part: &[u8]| {
            bytes.extend((part.len() as u64).to_le_bytes());
            bytes.extend_from_slice(part);
        };
        add(&serde_json::to_vec(self)?);
        self.views.iter().for_each(|view| add(&view.btf));
        Ok(bytes)
    }

    /// Reads what [`Built::to_bytes`] wrote; `None` if it is anything else.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        let mut next = || {
            let (len, after) = rest.split_first_chunk()?;
            let (part, after) =
                after.split_at_checked(usize::try_from(u64::from_le_bytes(*len)).ok()?)?;
            rest = after;
            Some(part)
        };
        let mut built: Built = serde_json::from_slice(next()?).ok()?;
        for view in &mut built.views {
            view.btf = next()?.to_vec();
        }
        rest.is_empty().then_some(built)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(btf: &[u8]) -> View {
        View {
            btf: btf.to_vec(),
            first: 1,
            taken: BTreeMap::from([("struct data".to_owned(), Origin::Host(0))]),
            hidden: BTreeMap::from([("struct data".to_owned(), vec![Origin::Kernel])]),
            missing: BTreeMap::new(),
            choices: vec![Chosen {
                host: 0,
                name: "struct data".into(),
                variants: 2,
                source: Some("a.c:3".into()),
                why: Why::Common { files: 3, of: 4 },
            }],
        }
    }

    #[test]
    fn what_is_stored_is_read_again() {
        let mut built = Built::default();
        built.add("uprobe/a:f", view(b"first"));
        built.add("uprobe/a:g", view(b"second"));
        built.add("uprobe/a:h", view(b"first"));
        assert_eq!(built.views.len(), 2);
        assert_eq!(built.sections_of(0), ["uprobe/a:f", "uprobe/a:h"]);
        let bytes = built.to_bytes().unwrap();
        assert_eq!(Built::from_bytes(&bytes).as_ref(), Some(&built));
        for end in 0..bytes.len() {
            assert_eq!(Built::from_bytes(&bytes[..end]), None);
        }
    }

    #[test]
    fn a_choice_is_explained() {
        let said = view(b"").choices[0].describe("./app");
        let expected = "./app has 2 different definitions of struct data; taken is the one of a.c:3, as 3 of 4 ";
        assert!(said.starts_with(expected), "{said}");
    }
}
