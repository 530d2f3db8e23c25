// SPDX-License-Identifier: MIT OR Apache-2.0
//! BTF as text that two builds of one source have in common: each type that has a name, and each
//! function, with all that it says, in a line of its own.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::collections::{BTreeMap, BTreeSet};

use ufunc_gen::btf::decode::Btf;
use ufunc_gen::btf::{Composite, Linkage, Type, TypeId};

/// How far types without a name are followed. The longest chain in the sources is shorter.
const MAX_DEPTH: usize = 24;

/// Types that were decoded, with what it takes to write them as text.
pub(crate) struct View<'a> {
    pub(crate) types: Vec<Type<'a>>,
    /// Names that stand for several types.
    ambiguous: BTreeSet<String>,
}

impl<'a> View<'a> {
    /// The types in `btf`.
    #[track_caller]
    pub(crate) fn of(btf: &'a [u8]) -> Self {
        let types = Btf::parse(btf).unwrap().types().map(|item| item.unwrap().1);
        let types: Vec<Type<'a>> = types.collect();
        let mut count = BTreeMap::<String, usize>::new();
        for ty in types.iter().filter(|ty| is_tagged(ty)) {
            *count.entry(tagged(ty)).or_default() += 1;
        }
        let ambiguous = count.into_iter().filter(|(_, count)| *count > 1).map(|(name, _)| name);
        View { ambiguous: ambiguous.collect(), types }
    }

    pub(crate) fn get(&self, id: TypeId) -> Option<&Type<'a>> {
        self.types.get((id.0 as usize).checked_sub(1)?)
    }

    /// All types that have a name, and functions, sorted.
    pub(crate) fn lines(&self) -> Vec<String> {
        let named = self.types.iter().filter(|ty| !ty.name().is_empty());
        let mut lines: Vec<String> = named.map(|ty| self.definition(ty)).collect();
        lines.sort();
        lines
    }

    /// The one type whose line begins with `start` and a blank.
    #[track_caller]
    pub(crate) fn line(&self, start: &str) -> String {
        let lines = self.lines();
        let found: Vec<&String> =
            lines.iter().filter(|line| line.strip_prefix(start).is_some_and(ends_word)).collect();
        match found[..] {
            [line] => line.clone(),
            _ => panic!("{} lines begin with {start:?}:\n{}", found.len(), lines.join("\n")),
        }
    }

    /// Whether a line begins with `start` and a blank.
    pub(crate) fn has(&self, start: &str) -> bool {
        self.lines().iter().any(|line| line.strip_prefix(start).is_some_and(ends_word))
    }

    /// Types that say the same as another one does.
    pub(crate) fn repeated(&self) -> Vec<String> {
        let mut seen = BTreeSet::new();
        let all = (1..=self.types.len() as u32).map(|id| match self.get(TypeId(id)) {
            Some(ty) if !ty.name().is_empty() => self.definition(ty),
            _ => self.spell(TypeId(id), 0, 0),
        });
        all.filter(|text| !seen.insert(text.clone())).collect()
    }

    /// What `ty` says.
    pub(crate) fn definition(&self, ty: &Type<'a>) -> String {
        match ty {
            Type::Int { name, size, encoding, bits, .. } => {
                let sign = if encoding.signed { "signed" } else { "unsigned" };
                let bool = if encoding.bool { " bool" } else { "" };
                format!("int {name} size {size} bits {bits} {sign}{bool}")
            }
            Type::Float { name, size } => format!("float {name} size {size}"),
            Type::Struct(composite) | Type::Union(composite) => {
                format!("{} {}", tagged(ty), self.body(composite, 0, 0))
            }
            Type::Enum { .. } | Type::Enum64 { .. } => format!("{} {}", tagged(ty), values(ty)),
            Type::Fwd { name, union } => {
                format!("declared {} {name}", if *union { "union" } else { "struct" })
            }
            Type::Typedef { name, target } => {
                format!("typedef {name} = {}", self.spell(*target, 0, 0))
            }
            Type::Func { name, proto, linkage } => {
                let linkage = match linkage {
                    Linkage::Static => "static",
                    Linkage::Global => "global",
                    Linkage::Extern => "extern",
                };
                format!("func {name} {linkage} {}", self.prototype(*proto, 0, 0))
            }
            other => panic!("nothing writes {other:?}"),
        }
    }

    /// Sizes, places and types of what is in `composite`.
    fn body(&self, composite: &Composite<'a>, level: usize, depth: usize) -> String {
        let members = composite.members.iter().map(|member| {
            let bits = match member.bitfield_size {
                0 => String::new(),
                bits => format!(":{bits}"),
            };
            let ty = self.spell(member.ty, level, depth);
            format!("{}@{}{bits} {ty}", member.name, member.bit_offset)
        });
        let members: Vec<String> = members.collect();
        format!("size {} {{{}}}", composite.size, members.join("; "))
    }

    fn prototype(&self, id: TypeId, level: usize, depth: usize) -> String {
        let Some(Type::FuncProto { ret, params }) = self.get(id) else {
            panic!("type {} is no prototype", id.0)
        };
        let params = params.iter().map(|param| match (param.name.as_ref(), param.ty) {
            ("", TypeId::VOID) => "...".to_owned(),
            (name, ty) => format!("{name} {}", self.spell(ty, level, depth)),
        });
        let params: Vec<String> = params.collect();
        format!("({}) {}", params.join(", "), self.spell(*ret, level, depth))
    }

    /// How others refer to the type `id`. If its name stands for several types it says which, to the
    /// second level.
    pub(crate) fn spell(&self, id: TypeId, level: usize, depth: usize) -> String {
        assert!(depth < MAX_DEPTH, "type {} is without an end", id.0);
        let Some(ty) = self.get(id) else { return "void".to_owned() };
        let inner = |id: TypeId| self.spell(id, level, depth + 1);
        match ty {
            Type::Struct(composite) | Type::Union(composite) if is_tagged(ty) => {
                match (self.ambiguous.contains(&tagged(ty)), level) {
                    (false, _) => tagged(ty),
                    (true, 2) => format!("{}#{}", tagged(ty), composite.size),
                    (true, _) => {
                        format!("{}#({})", tagged(ty), self.body(composite, level + 1, depth + 1))
                    }
                }
            }
            Type::Enum { .. } | Type::Enum64 { .. } if is_tagged(ty) => {
                match self.ambiguous.contains(&tagged(ty)) {
                    false => tagged(ty),
                    true => format!("{}#({})", tagged(ty), values(ty)),
                }
            }
            Type::Struct(composite) => format!("struct {}", self.body(composite, level, depth + 1)),
            Type::Union(composite) => format!("union {}", self.body(composite, level, depth + 1)),
            Type::Enum { .. } | Type::Enum64 { .. } => format!("enum {}", values(ty)),
            Type::Ptr(target) => format!("*{}", inner(*target)),
            Type::Const(target) => format!("const {}", inner(*target)),
            Type::Volatile(target) => format!("volatile {}", inner(*target)),
            Type::Restrict(target) => format!("restrict {}", inner(*target)),
            Type::Array { element, count, .. } => format!("[{count}]{}", inner(*element)),
            Type::FuncProto { .. } => format!("fn{}", self.prototype(id, level, depth + 1)),
            Type::Fwd { .. } => self.definition(ty),
            _ => ty.name().clone().into_owned(),
        }
    }
}

fn ends_word(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with(' ')
}

fn is_tagged(ty: &Type<'_>) -> bool {
    let is_kind =
        matches!(ty, Type::Struct(_) | Type::Union(_) | Type::Enum { .. } | Type::Enum64 { .. });
    is_kind && !ty.name().is_empty()
}

fn tagged(ty: &Type<'_>) -> String {
    let keyword = match ty {
        Type::Struct(_) => "struct",
        Type::Union(_) => "union",
        _ => "enum",
    };
    format!("{keyword} {}", ty.name())
}

/// Size, sign and enumerators.
fn values(ty: &Type<'_>) -> String {
    let list = |values: Vec<String>| values.join(", ");
    match ty {
        Type::Enum { size, signed, values, .. } => {
            let value = |value: u32| match signed {
                true => i64::from(value as i32),
                false => i64::from(value),
            };
            let values = values.iter().map(|(name, number)| format!("{name}={}", value(*number)));
            format!("size {size} {{{}}}", list(values.collect()))
        }
        Type::Enum64 { size, signed, values, .. } => {
            let value = |value: u64| match signed {
                true => i128::from(value as i64),
                false => i128::from(value),
            };
            let values = values.iter().map(|(name, number)| format!("{name}={}", value(*number)));
            format!("size {size} wide {{{}}}", list(values.collect()))
        }
        _ => String::new(),
    }
}
