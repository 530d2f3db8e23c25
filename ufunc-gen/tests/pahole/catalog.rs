// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a BTF says, as text: every named type with its members and what they are, spelled out.
//!
//! Two BTFs number their types differently. Spelled out, what they say can be compared.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::dwarf::REFUSED;
use ufunc_gen::btf::decode::Btf;
use ufunc_gen::btf::{Composite, Linkage, Type, TypeId};

/// Anonymous types within each other that are spelled out; no source nests as deep.
const MAX_DEPTH: usize = 32;
/// Letters of a name that are compared: the kernel allows 511, of which a few may tell apart those
/// that begin alike.
const COMPARED: usize = 450;

/// What sort of thing has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sort {
    Struct,
    Union,
    Enum,
    Typedef,
    Int,
    Float,
    Func,
}

impl Sort {
    /// The C keyword, and a blank, that comes before the name of a type of this sort.
    pub fn keyword(self) -> &'static str {
        match self {
            Sort::Struct => "struct ",
            Sort::Union => "union ",
            Sort::Enum => "enum ",
            Sort::Typedef | Sort::Int | Sort::Float | Sort::Func => "",
        }
    }
}

/// A member of a struct or union.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Member {
    pub name: String,
    pub bit_offset: u64,
    /// 0 for what is no bit-field.
    pub bits: u64,
    pub ty: String,
}

/// What something with a name is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shape {
    Composite { size: u64, members: Vec<Member> },
    Enum { size: u64, values: Vec<(String, i128)> },
    Typedef(String),
    Base { size: u64, signed: bool, bool: bool },
    Func { ret: String, params: Vec<(String, String)>, global: bool },
}

impl Shape {
    /// Number of members, values or parameters.
    pub fn len(&self) -> usize {
        match self {
            Shape::Composite { members, .. } => members.len(),
            Shape::Enum { values, .. } => values.len(),
            Shape::Func { params, .. } => params.len(),
            Shape::Typedef(_) | Shape::Base { .. } => 0,
        }
    }
}

/// Whether `found` is what is `expected`; where the type of a member is [`REFUSED`], any will do.
pub fn is_as_expected(expected: &Shape, found: &Shape) -> bool {
    match (expected, found) {
        (
            Shape::Composite { size, members },
            Shape::Composite { size: found_size, members: found },
        ) => {
            size == found_size
                && members.len() == found.len()
                && members
                    .iter()
                    .zip(found)
                    .all(|(member, found)| member_is_as_expected(member, found))
        }
        _ => expected == found,
    }
}

/// The same for one member.
pub fn member_is_as_expected(expected: &Member, found: &Member) -> bool {
    match expected.ty == REFUSED {
        true => Member { ty: found.ty.clone(), ..expected.clone() } == *found,
        false => expected == found,
    }
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Member { name, bit_offset, bits, ty } = self;
        let bits = if *bits == 0 { String::new() } else { format!(":{bits}") };
        write!(f, "{name}@{bit_offset}{bits} {ty}")
    }
}

/// Everything that has a name, with all that goes by that name.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    pub entries: BTreeMap<(Sort, String), BTreeSet<Shape>>,
}

impl Catalog {
    /// Reads the BTF in `bytes`, in which each name is replaced by what `rename` makes of it.
    pub fn read(bytes: &[u8], rename: &dyn Fn(&str) -> String) -> Result<Self, String> {
        let btf = Btf::parse(bytes).map_err(|error| format!("{error:#}"))?;
        let types: Result<Vec<_>, _> = btf.types().collect();
        let types = types.map_err(|error| format!("{error:#}"))?;
        let types: Vec<_> = types.into_iter().map(|(_, ty)| ty).collect();
        let rename = |name: &str| shortened(rename(name));
        let speller = Speller { types: &types, rename: &rename };
        let mut catalog = Catalog::default();
        for ty in &types {
            if let Some((sort, shape)) = speller.shape(ty) {
                let name = match sort {
                    Sort::Func => shortened(ty.name().to_string()),
                    Sort::Int | Sort::Float => ty.name().to_string(),
                    _ => rename(ty.name()),
                };
                catalog.add(sort, name, shape);
            }
        }
        Ok(catalog)
    }

    /// Adds one that goes by `name`.
    pub fn add(&mut self, sort: Sort, name: String, shape: Shape) {
        self.entries.entry((sort, name)).or_default().insert(shape);
    }

    /// Everything that goes by `name`.
    pub fn get(&self, sort: Sort, name: &str) -> impl Iterator<Item = &Shape> {
        self.entries.get(&(sort, name.to_owned())).into_iter().flatten()
    }
}

/// `name` as it is compared: of what is longer than BTF can have, the beginning has to do.
pub fn shortened(mut name: String) -> String {
    if name.len() > COMPARED {
        name.truncate(COMPARED);
        name.push('…');
    }
    name
}

/// Members in the order of their offsets, those at the same one in the order of the source.
pub fn in_order(mut members: Vec<Member>) -> Vec<Member> {
    members.sort_by_key(|member| member.bit_offset);
    members
}

struct Speller<'t, 'a> {
    types: &'t [Type<'a>],
    rename: &'t dyn Fn(&str) -> String,
}

impl<'a> Speller<'_, 'a> {
    fn get(&self, id: TypeId) -> Option<&Type<'a>> {
        self.types.get(id.0.checked_sub(1)? as usize)
    }

    /// What `ty` is, if it has a name that can be asked for.
    fn shape(&self, ty: &Type<'a>) -> Option<(Sort, Shape)> {
        if ty.name().is_empty() {
            return None;
        }
        Some(match ty {
            Type::Struct(composite) => (Sort::Struct, self.composite(composite, 0)),
            Type::Union(composite) => (Sort::Union, self.composite(composite, 0)),
            Type::Enum { .. } | Type::Enum64 { .. } => (Sort::Enum, self.enumeration(ty)?),
            Type::Typedef { target, .. } => {
                (Sort::Typedef, Shape::Typedef(self.spell(*target, false, 0)))
            }
            Type::Int { size, encoding, .. } => {
                let (signed, bool) = (encoding.signed, encoding.bool);
                (Sort::Int, Shape::Base { size: u64::from(*size), signed, bool })
            }
            Type::Float { size, .. } => {
                let size = u64::from(*size);
                (Sort::Float, Shape::Base { size, signed: false, bool: false })
            }
            Type::Func { proto, linkage, .. } => {
                let Some(Type::FuncProto { ret, params }) = self.get(*proto) else { return None };
                let ret = self.spell(*ret, false, 0);
                let params = params.iter().map(|param| {
                    (param.name.to_string(), self.param(param.ty, param.name.is_empty()))
                });
                let (params, global) = (params.collect(), *linkage == Linkage::Global);
                (Sort::Func, Shape::Func { ret, params, global })
            }
            _ => return None,
        })
    }

    fn param(&self, ty: TypeId, unnamed: bool) -> String {
        match ty {
            TypeId::VOID if unnamed => "...".to_owned(),
            _ => self.spell(ty, false, 0),
        }
    }

    fn composite(&self, composite: &Composite<'a>, depth: usize) -> Shape {
        let members = composite.members.iter().map(|member| Member {
            name: member.name.to_string(),
            bit_offset: u64::from(member.bit_offset),
            bits: u64::from(member.bitfield_size),
            ty: self.spell(member.ty, true, depth + 1),
        });
        Shape::Composite { size: u64::from(composite.size), members: in_order(members.collect()) }
    }

    fn enumeration(&self, ty: &Type<'a>) -> Option<Shape> {
        let (size, values) = match ty {
            Type::Enum { size, signed, values, .. } => {
                let value = |value: u32| match signed {
                    true => i128::from(value as i32),
                    false => i128::from(value),
                };
                (*size, values.iter().map(|(name, v)| (name.to_string(), value(*v))).collect())
            }
            Type::Enum64 { size, signed, values, .. } => {
                let value = |value: u64| match signed {
                    true => i128::from(value as i64),
                    false => i128::from(value),
                };
                (*size, values.iter().map(|(name, v)| (name.to_string(), value(*v))).collect())
            }
            _ => return None,
        };
        Some(Shape::Enum { size: u64::from(size), values })
    }

    /// The type `id`; `by_value` is whether its size matters where it is used.
    fn spell(&self, id: TypeId, by_value: bool, depth: usize) -> String {
        let Some(ty) = self.get(id) else {
            return if id == TypeId::VOID { "void".to_owned() } else { "OUT OF RANGE".to_owned() };
        };
        if depth > MAX_DEPTH {
            return "…".to_owned();
        }
        let named = |sort: Sort, size: u32| {
            let name = format!("{}{}", sort.keyword(), (self.rename)(ty.name()));
            if by_value { format!("{name}{{{size}}}") } else { name }
        };
        match ty {
            Type::Ptr(target) => format!("{} *", group(&self.spell(*target, false, depth))),
            Type::Const(target) => qualified("const", &self.spell(*target, by_value, depth)),
            Type::Volatile(target) => qualified("volatile", &self.spell(*target, by_value, depth)),
            Type::Restrict(target) => qualified("restrict", &self.spell(*target, by_value, depth)),
            Type::TypeTag { target, .. } => self.spell(*target, by_value, depth),
            Type::Array { element, count, .. } => {
                format!("{} [{count}]", group(&self.spell(*element, by_value, depth)))
            }
            Type::FuncProto { ret, params } => {
                let params: Vec<_> = params
                    .iter()
                    .map(|param| self.param(param.ty, param.name.is_empty()))
                    .collect();
                format!("{} ({})", self.spell(*ret, false, depth), params.join(", "))
            }
            Type::Struct(composite) if ty.name().is_empty() => {
                spell_anonymous("struct", &self.composite(composite, depth))
            }
            Type::Union(composite) if ty.name().is_empty() => {
                spell_anonymous("union", &self.composite(composite, depth))
            }
            Type::Enum { .. } | Type::Enum64 { .. } if ty.name().is_empty() => self
                .enumeration(ty)
                .map_or_else(String::new, |shape| spell_anonymous("enum", &shape)),
            Type::Struct(composite) => named(Sort::Struct, composite.size),
            Type::Union(composite) => named(Sort::Union, composite.size),
            Type::Enum { .. } | Type::Enum64 { .. } => {
                format!("enum {}", (self.rename)(ty.name()))
            }
            Type::Fwd { union: false, .. } => format!("struct {}", (self.rename)(ty.name())),
            Type::Fwd { union: true, .. } => format!("union {}", (self.rename)(ty.name())),
            Type::Int { name, .. } | Type::Float { name, .. } => name.to_string(),
            Type::Typedef { name, .. } => (self.rename)(name),
            Type::Func { .. } | Type::Var { .. } | Type::Datasec { .. } | Type::DeclTag { .. } => {
                format!("{} IN PLACE OF A TYPE", ty.kind_name())
            }
        }
    }
}

/// An anonymous type, spelled out.
pub fn spell_anonymous(keyword: &str, shape: &Shape) -> String {
    let (size, parts) = match shape {
        Shape::Composite { size, members } => {
            (size, members.iter().map(ToString::to_string).collect())
        }
        Shape::Enum { size, values } => {
            (size, values.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>())
        }
        _ => return keyword.to_owned(),
    };
    format!("{keyword} {{{size}; {}}}", parts.join("; "))
}

/// `inner` with a qualifier, those of one type in the order of their letters.
pub fn qualified(qualifier: &str, inner: &str) -> String {
    let is_qualifier = |word: &str| ["const", "restrict", "volatile"].contains(&word);
    let mut words: Vec<_> = inner.rsplit(' ').take_while(|word| is_qualifier(word)).collect();
    let rest: Vec<_> = inner.split(' ').collect();
    let rest = rest[..rest.len() - words.len()].join(" ");
    if !words.contains(&qualifier) {
        words.push(qualifier);
    }
    words.sort_unstable();
    format!("{} {}", group(&rest), words.join(" "))
}

/// `inner` in parentheses, if what follows could be taken for a part of it.
pub fn group(inner: &str) -> String {
    match inner.ends_with([']', ')']) {
        true => format!("({inner})"),
        false => inner.to_owned(),
    }
}
