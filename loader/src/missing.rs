// SPDX-License-Identifier: MIT OR Apache-2.0
//! Why a relocation found nothing among the application's types, in the application's words.

use std::collections::HashSet;

use anyhow::Result;
use ufunc_gen::btf::decode::Btf;
use ufunc_gen::btf::merge::essential;
use ufunc_gen::btf::{Composite, Type, TypeId};
use ufunc_gen::relocation::{class_of, distance};

/// Why a relocation found nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// The application's types are not known, for this reason.
    Unknown(String),
    /// The application has no type of that name.
    Type {
        /// The type, `struct data`.
        name: String,
        /// What comes near it.
        nearest: Vec<String>,
    },
    /// The type has no such member.
    Member {
        /// The type, `struct data`.
        owner: String,
        /// The member.
        name: String,
        /// The members that it has.
        others: Vec<String>,
    },
    /// The enum has no such value.
    Value {
        /// The enum, `enum mode`.
        owner: String,
        /// The value's name.
        name: String,
        /// The values that it has.
        others: Vec<String>,
    },
    /// The member is there and is something else than the program declares.
    Kind,
}

/// What a relocation asks for.
#[derive(Debug, PartialEq, Eq)]
enum Wanted<'a> {
    /// The type as a whole.
    Type,
    /// A member, by the names on the way there.
    Member(Vec<&'a str>),
    /// A value of an enum.
    Value(&'a str),
}

impl Wanted<'_> {
    /// Reads `struct data.inner.b[3]`, `enum kind::VALUE = 1` or `struct data`: the type, and what
    /// of it.
    fn parse(what: &str) -> Option<(String, Wanted<'_>)> {
        let (kind, rest) = what.split_once(' ')?;
        let kind = if kind == "enum64" { "enum" } else { kind };
        if let Some((name, value)) = rest.split_once("::") {
            let value = value.split(' ').next().unwrap_or_default();
            return Some((format!("{kind} {}", essential(name)), Wanted::Value(value)));
        }
        let mut parts = rest.split('.').map(|part| part.split('[').next().unwrap_or_default());
        let ty = format!("{kind} {}", essential(parts.next()?));
        let members: Vec<&str> = parts.collect();
        Some((ty, if members.is_empty() { Wanted::Type } else { Wanted::Member(members) }))
    }
}

/// The type that the relocation of `what`, in libbpf's words (`struct data.a`), begins at.
pub(crate) fn wanted_type(what: &str) -> Option<String> {
    Wanted::parse(what).map(|(wanted, _)| wanted)
}

/// Why the relocation of `what` found nothing in the BTF `bytes`, whose first type has the id
/// `first`. `None` if there is no telling.
pub(crate) fn look_up(bytes: &[u8], first: u32, what: &str) -> Option<Missing> {
    let (wanted, part) = Wanted::parse(what)?;
    let types = Btf::parse(bytes).ok()?.types().filter(|item| {
        // The first error is the last item.
        item.as_ref().is_ok_and(|(id, _)| id.0 >= first)
    });
    let types = types.map(|item| item.map(|(_, ty)| ty)).collect::<Result<Vec<_>>>().ok()?;
    Some(Added { types, first }.look_up(&wanted, &part))
}

/// What C calls a type of that kind, if relocations can begin at one.
fn kind(ty: &Type<'_>) -> Option<String> {
    class_of(ty.kind()).map(|class| class.to_string())
}

/// Names of members or values, those that `wanted` may be a misspelling of before the others.
fn by_likeness(mut names: Vec<String>, wanted: &str) -> Vec<String> {
    /// So many can be looked through.
    const FEW: usize = 8;
    if names.len() > FEW {
        names.sort_by_cached_key(|name| distance(name, wanted));
    }
    names
}

/// The application's types.
struct Added<'a> {
    types: Vec<Type<'a>>,
    /// Id of the first one.
    first: u32,
}

impl<'a> Added<'a> {
    fn look_up(&self, wanted: &str, part: &Wanted<'_>) -> Missing {
        let is_wanted = |ty: &&Type<'_>| {
            kind(ty).is_some_and(|kind| wanted == format!("{kind} {}", essential(ty.name())))
        };
        let Some(mut ty) = self.types.iter().find(is_wanted) else {
            return Missing::Type { name: wanted.to_owned(), nearest: Vec::new() };
        };
        let path = match part {
            Wanted::Type => return Missing::Kind,
            Wanted::Value(value) => {
                let others = values(self.unwrapped(ty));
                return match others.iter().any(|other| other == value) {
                    true => Missing::Kind,
                    false => Missing::Value {
                        owner: wanted.to_owned(),
                        name: (*value).to_owned(),
                        others: by_likeness(others, value),
                    },
                };
            }
            Wanted::Member(path) => path,
        };
        let mut owner = wanted.to_owned();
        for name in path {
            let members = self.members(self.unwrapped(ty));
            let Some((_, target)) = members.iter().find(|(member, _)| member == name) else {
                let others = members.into_iter().map(|(member, _)| member.to_owned()).collect();
                let others = by_likeness(others, name);
                return Missing::Member { owner, name: (*name).to_owned(), others };
            };
            let Some(member) = self.get(*target) else { return Missing::Kind };
            ty = self.unwrapped(member);
            owner = match kind(ty) {
                Some(kind) if !ty.name().is_empty() => format!("{kind} {}", ty.name()),
                _ => format!("member '{name}' of {owner}"),
            };
        }
        Missing::Kind
    }

    fn get(&self, id: TypeId) -> Option<&Type<'a>> {
        self.types.get(id.0.checked_sub(self.first)? as usize)
    }

    /// What `ty` is below its typedefs, qualifiers and dimensions.
    fn unwrapped<'b>(&'b self, mut ty: &'b Type<'a>) -> &'b Type<'a> {
        // A chain of distinct types is no longer than there are types.
        for _ in 0..self.types.len() {
            let (Type::Typedef { target, .. }
            | Type::Const(target)
            | Type::Volatile(target)
            | Type::Restrict(target)
            | Type::Array { element: target, .. }) = ty
            else {
                break;
            };
            let Some(target) = self.get(*target) else { break };
            ty = target;
        }
        ty
    }

    /// The members by which C knows `ty`: those of anonymous members count as its own.
    fn members<'b>(&'b self, ty: &'b Type<'a>) -> Vec<(&'b str, TypeId)> {
        let mut found = Vec::new();
        let mut pending = vec![ty];
        let mut seen = HashSet::new();
        while let Some(ty) = pending.pop() {
            let (Type::Struct(Composite { members, .. }) | Type::Union(Composite { members, .. })) =
                ty
            else {
                continue;
            };
            for member in members {
                match self.get(member.ty) {
                    _ if !member.name.is_empty() => found.push((&*member.name, member.ty)),
                    // Once: a damaged one might contain itself.
                    Some(anonymous) if seen.insert(member.ty) => {
                        pending.push(self.unwrapped(anonymous));
                    }
                    _ => {}
                }
            }
        }
        found
    }
}

fn values(ty: &Type<'_>) -> Vec<String> {
    match ty {
        Type::Enum { values, .. } => values.iter().map(|(name, _)| name.to_string()).collect(),
        Type::Enum64 { values, .. } => values.iter().map(|(name, _)| name.to_string()).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ufunc_gen::btf::Member;

    #[test]
    fn what_a_relocation_asks_for_is_read() {
        let parsed = |what| Wanted::parse(what).unwrap();
        assert_eq!(parsed("struct data"), ("struct data".into(), Wanted::Type));
        assert_eq!(
            parsed("struct data___v2[1].inner.b[3]"),
            ("struct data".into(), Wanted::Member(vec!["inner", "b"]))
        );
        assert_eq!(parsed("enum64 e::X = 1"), ("enum e".into(), Wanted::Value("X")));
        assert_eq!(Wanted::parse("nonsense"), None);
    }

    fn member(name: &'static str, ty: u32) -> Member<'static> {
        Member { name: name.into(), ty: TypeId(ty), bit_offset: 0, bitfield_size: 0 }
    }

    fn composite(name: &'static str, members: Vec<Member<'static>>) -> Composite<'static> {
        Composite { name: name.into(), size: 8, members }
    }

    #[test]
    fn what_is_missing_is_found_on_the_way() {
        // Ids begin at 10. The union is anonymous; `inner` contains itself and `number` is one of itself: damaged.
        let types = vec![
            Type::Struct(composite(
                "data",
                vec![member("a", 14), member("", 11), member("in", 12)],
            )),
            Type::Union(composite("", vec![member("x", 14), member("y", 14)])),
            Type::Array { element: TypeId(13), index: TypeId(14), count: 4 },
            Type::Struct(composite("inner", vec![member("b", 14), member("", 13)])),
            Type::Volatile(TypeId(15)),
            Type::Typedef { name: "number".into(), target: TypeId(14) },
            Type::Enum {
                name: "mode".into(),
                size: 4,
                signed: false,
                values: vec![("OFF".into(), 0), ("ON".into(), 1)],
            },
        ];
        let added = Added { types, first: 10 };
        let missing = |what| {
            let (wanted, part) = Wanted::parse(what).unwrap();
            added.look_up(&wanted, &part)
        };
        let member = |owner: &str, name: &str, others: &[&str]| Missing::Member {
            owner: owner.into(),
            name: name.into(),
            others: others.iter().map(|other| (*other).to_owned()).collect(),
        };
        let data = ["a", "in", "x", "y"];
        assert_eq!(missing("struct data.e"), member("struct data", "e", &data));
        assert_eq!(missing("struct data.in[2].e"), member("struct inner", "e", &["b", "b"]));
        assert_eq!(missing("struct data.a.e"), member("typedef number", "e", &[]));
        let value = Missing::Value {
            owner: "enum mode".into(),
            name: "BOTH".into(),
            others: vec!["OFF".into(), "ON".into()],
        };
        assert_eq!(missing("enum mode::BOTH = 2"), value);
        assert_eq!(missing("enum mode::ON = 2"), Missing::Kind);
        assert_eq!(missing("struct data.x"), Missing::Kind);
        assert_eq!(missing("struct data"), Missing::Kind);
        let none = Missing::Type { name: "union data".into(), nearest: Vec::new() };
        assert_eq!(missing("union data.x"), none);
    }
}
