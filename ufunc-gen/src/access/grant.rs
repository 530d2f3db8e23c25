// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a policy grants beside functions.
//!
//! ```toml
//! [[borrow]]                          # ufunc_borrow_data(address), ufunc_put_data(object)
//! type = "struct data"
//!
//! [[write]]                           # ufunc_write_data_a(object, value)
//! field = "data.a"                    # of the struct itself, or of one embedded in it: data.pos.x
//! of = ["owned", "borrowed"]          # optional: which objects; without it all that there are
//!
//! [[read]]                            # ufunc_read_data_inner_deep_b(object, index)
//! field = "data.inner->deep->b"       # an array of numbers, through pointers too
//! ```

use std::fmt;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use serde::Deserialize;
use toml::Spanned;

use crate::ident::is_identifier;

/// An entry of `[[borrow]]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Borrow {
    r#type: Spanned<String>,
}

/// An entry of `[[write]]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Write {
    field: Spanned<String>,
    of: Option<Spanned<Vec<Kind>>>,
}

/// An entry of `[[read]]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Read {
    field: Spanned<String>,
}

/// How an extension came by an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Owned,
    Borrowed,
}

/// What objects an accessor takes, by how the extension came by them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kinds {
    /// Those that a function of the application gave it to release.
    pub owned: bool,
    /// Those that the application holds, and the extension has a view of.
    pub borrowed: bool,
}

impl fmt::Display for Kinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.owned, self.borrowed) {
            (true, true) => "owned or borrowed",
            (true, false) => "owned",
            (false, true) => "borrowed",
            (false, false) => "no",
        })
    }
}

/// A struct, as a policy names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectName {
    /// Its name in BTF, of the struct or of a typedef of it; an identifier.
    pub name: String,
    /// Whether the policy says `struct`.
    pub is_tag: bool,
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.is_tag { "struct " } else { "" }, self.name)
    }
}

/// The way from an object to a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// The members on it; at least one.
    pub steps: Vec<Step>,
}

/// A member on the way to a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What it is called.
    pub member: String,
    /// Whether the one before is a pointer, which is followed.
    pub arrow: bool,
}

impl Path {
    /// The path's names as one.
    pub(super) fn joined(&self) -> String {
        let names: Vec<_> = self.steps.iter().map(|step| step.member.as_str()).collect();
        names.join("_")
    }

    /// The field of such an object: `data.inner->deep`.
    pub fn of(&self, object: &ObjectName) -> String {
        let mut text = object.name.clone();
        for Step { member, arrow } in &self.steps {
            text += if *arrow { "->" } else { "." };
            text += member;
        }
        text
    }
}

/// Something that a policy grants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// What.
    pub what: What,
    /// Of objects of which struct.
    pub object: ObjectName,
    /// Where the policy says so: `file:line`.
    pub place: String,
}

/// What is granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Views.
    Borrow,
    /// Writing to a field, of objects of these kinds.
    Write(Path, Option<Kinds>),
    /// Reading elements of an array.
    Read(Path),
}

/// Reads grants, with what says where in the policy something is.
pub(crate) struct Grants<P> {
    place: P,
    grants: Vec<Grant>,
}

impl<P: Fn(usize) -> String> Grants<P> {
    pub(crate) fn new(place: P) -> Self {
        Grants { place, grants: Vec::new() }
    }

    pub(crate) fn finish(self) -> Vec<Grant> {
        self.grants
    }

    pub(crate) fn borrow(&mut self, entry: Borrow) -> Result<()> {
        let place = (self.place)(entry.r#type.span().start);
        let object = object(entry.r#type.get_ref()).with_context(|| place.clone())?;
        self.add(Grant { what: What::Borrow, object, place })
    }

    pub(crate) fn write(&mut self, entry: Write) -> Result<()> {
        let place = (self.place)(entry.field.span().start);
        let (object, path) = field(entry.field.get_ref()).with_context(|| place.clone())?;
        let followed = path.steps.iter().find(|step| step.arrow);
        if let Some(Step { member, .. }) = followed {
            bail!(
                "{place}: a write goes no further than its own object, and '->' leads to another one: grant the field '{member}' of that one's struct, and a [[borrow]] of it"
            );
        }
        let kinds = entry.of.map(|of| {
            let place = (self.place)(of.span().start);
            kinds(of.get_ref()).with_context(|| place)
        });
        let what = What::Write(path, kinds.transpose()?);
        self.add(Grant { what, object, place })
    }

    pub(crate) fn read(&mut self, entry: Read) -> Result<()> {
        let place = (self.place)(entry.field.span().start);
        let (object, path) = field(entry.field.get_ref()).with_context(|| place.clone())?;
        self.add(Grant { what: What::Read(path), object, place })
    }

    fn add(&mut self, grant: Grant) -> Result<()> {
        for other in self.grants.iter().filter(|other| other.object.name == grant.object.name) {
            let again = match (&other.what, &grant.what) {
                (What::Borrow, What::Borrow) => "is borrowed",
                (What::Write(one, kinds), What::Write(other, others)) if one == other => {
                    match kinds == others {
                        true => "is granted",
                        false => "is granted, for other objects: name all of them in one 'of'",
                    }
                }
                (What::Read(one), What::Read(other)) if one == other => "is granted",
                _ => continue,
            };
            let subject = match &grant.what {
                What::Borrow => grant.object.to_string(),
                What::Write(path, _) | What::Read(path) => path.of(&grant.object),
            };
            bail!("{}: {subject} {again} twice ({}); leave one out", grant.place, other.place);
        }
        self.grants.push(grant);
        Ok(())
    }
}

/// The kinds of objects that a list names.
fn kinds(of: &[Kind]) -> Result<Kinds> {
    let count = |kind| of.iter().filter(|other| **other == kind).count();
    let (owned, borrowed) = (count(Kind::Owned), count(Kind::Borrowed));
    ensure!(
        owned + borrowed > 0,
        "it is for no objects at all: name \"owned\", \"borrowed\" or both"
    );
    ensure!(owned < 2 && borrowed < 2, "it names a kind of objects twice");
    Ok(Kinds { owned: owned > 0, borrowed: borrowed > 0 })
}

/// Reads the name of a struct: `struct data`, `data`, `ns::data`.
fn object(text: &str) -> Result<ObjectName> {
    let words: Vec<_> = text.split_whitespace().collect();
    let (is_tag, name) = match words.as_slice() {
        ["struct" | "class", name] => (true, *name),
        ["union", _] => bail!("{text:?} is a union; only structs have views and accessors"),
        [name] => (false, *name),
        _ => bail!("{text:?} is no name of a struct, as \"struct data\" is"),
    };
    // What BTF calls it.
    let name = name.replace("::", "__");
    ensure!(
        is_identifier(&name) && !name.contains("___"),
        "{text:?} is no name of a struct, as \"struct data\" is"
    );
    Ok(ObjectName { name, is_tag })
}

/// Reads the name of a field: `data.a`, `struct data.inner->deep`.
fn field(text: &str) -> Result<(ObjectName, Path)> {
    let malformed = || anyhow!("{text:?} is no name of a field, as \"data.a\" is");
    let (of, rest) = text.trim().split_once('.').ok_or_else(malformed)?;
    let object = object(of)?;
    let mut steps = Vec::new();
    for part in rest.split('.') {
        for (index, member) in part.split("->").enumerate() {
            let member = member.trim();
            ensure!(is_identifier(member), malformed());
            steps.push(Step { member: member.to_owned(), arrow: index > 0 });
        }
    }
    Ok((object, Path { steps }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ufunc::policy::Policy;

    fn grants(text: &str) -> Result<Vec<Grant>> {
        Ok(Policy::parse("p.toml", text)?.grants().to_vec())
    }

    #[test]
    fn grants_are_read() {
        let text = "[[borrow]]\ntype = \"struct data\"\n[[write]]\nfield = \"data.pos.x\"\nof = [\"borrowed\"]\n[[read]]\nfield = \"class ns::data.inner->deep.b\"\n";
        let grants = grants(text).unwrap();
        let [borrow, write, read] = grants.as_slice() else { panic!("{grants:?}") };
        assert_eq!((&borrow.what, borrow.place.as_str()), (&What::Borrow, "p.toml:2"));
        assert_eq!(borrow.object.to_string(), "struct data");
        let What::Write(path, kinds) = &write.what else { panic!("{write:?}") };
        assert_eq!(
            (path.of(&write.object).as_str(), path.joined()),
            ("data.pos.x", "pos_x".into())
        );
        assert_eq!(*kinds, Some(Kinds { owned: false, borrowed: true }));
        let What::Read(path) = &read.what else { panic!("{read:?}") };
        assert_eq!(path.of(&read.object), "ns__data.inner->deep.b");
    }

    #[test]
    fn mistakes_are_shown_with_their_line() {
        for (text, expected) in [
            ("[[borrow]]\n", "missing field `type`"),
            ("[[borrow]]\ntype = \"struct data\"\nof = []\n", "unknown field `of`"),
            ("[[borrow]]\ntype = \"data *\"\n", "p.toml:2: \"data *\" is no name"),
            ("[[borrow]]\ntype = \"union u\"\n", "p.toml:2: \"union u\" is a union"),
            ("[[borrow]]\ntype = \"d___x\"\n", "p.toml:2: \"d___x\" is no name"),
            ("[[write]]\nfield = \"a\"\n", "p.toml:2: \"a\" is no name of a field"),
            ("[[write]]\nfield = \"a.b[1]\"\n", "p.toml:2: \"a.b[1]\" is no name of a field"),
            ("[[write]]\nfield = \"a.b->c\"\n", "p.toml:2: a write goes no further"),
            ("[[write]]\nfield = \"a.b\"\nof = []\n", "p.toml:3: it is for no objects"),
            ("[[write]]\nfield = \"a.b\"\nof = [\"lent\"]\n", "unknown variant `lent`"),
            ("[[write]]\nfield = \"a.b\"\nof = [\"owned\", \"owned\"]\n", "p.toml:3: it names"),
            ("[[read]]\nfield = \"a.\"\n", "p.toml:2: \"a.\" is no name of a field"),
            (
                "[[borrow]]\ntype = \"struct a\"\n[[borrow]]\ntype = \"a\"\n",
                "p.toml:4: a is borrowed twice (p.toml:2)",
            ),
            (
                "[[write]]\nfield = \"a.b\"\nof = [\"owned\"]\n[[write]]\nfield = \"a.b\"\nof = [\"borrowed\"]\n",
                "p.toml:5: a.b is granted, for other objects",
            ),
            (
                "[[read]]\nfield = \"a.b\"\n[[read]]\nfield = \"a.b\"\n",
                "p.toml:4: a.b is granted twice",
            ),
        ] {
            let error = format!("{:#}", grants(text).unwrap_err());
            assert!(error.contains(expected), "{text:?}: {error}");
        }
    }
}
