// SPDX-License-Identifier: MIT OR Apache-2.0
//! Types as BTF, in the order in which the debug information has them.

use std::borrow::Cow;
use std::iter;

use hashbrown::{HashMap, HashSet};

use super::names::NameId;
use super::placing::{Variable, place};
use super::scan::{ENUM_SIGNED, ENUM_WIDE, INT_BOOL, INT_SIGNED, NOTE};
use super::store::{Key, RecordId, Store};
use super::variants::{Meaning, Types};
use super::{UserspaceBtf, VAR_GLOBAL, VAR_THREAD_LOCAL};
use crate::btf::dedup::dedup;
use crate::btf::fit::fit;
use crate::btf::mend::mend;
use crate::btf::{Composite, IntEncoding, Linkage, Member, Name, Param, Type, TypeId, kind};
use crate::debugfile::sections::Sections;
use crate::dwarf::raw::{Rule, Rules};
use crate::dwarf::types::{array_index, named};
use crate::dwarf::variables::Place;
use crate::ident::base_type_name;

/// Id of the first type.
const FIRST: u32 = 1;

/// The BTF of `types`; `order` are all records of `store` in order, and `names` its names as BTF can
/// have them. Pointers have `pointer` bytes. Variables are put into those of `sections` that they are
/// in.
pub(super) fn emit<'s>(
    types: &Types<'_, '_>,
    store: &'s Store<'_>,
    order: &[RecordId],
    names: &'s [Cow<'_, str>],
    pointer: u64,
    sections: &Sections<'_>,
) -> UserspaceBtf<'s> {
    let (variables, order) = reached(store, types, order);
    let mut ids = vec![0; types.len()];
    for (place, &ty) in order.iter().enumerate() {
        ids[ty] = FIRST + place as u32;
    }
    let mut counts = [0; Rule::ALL.len()];
    let notes = store.ids().filter(|&id| store.head(id).kind == NOTE);
    for record in order.iter().map(|&ty| types.record(ty)).chain(notes) {
        let rules = store.rules(record);
        if rules == Rules::default() {
            continue;
        }
        for (count, rule) in counts.iter_mut().zip(Rule::ALL) {
            *count += usize::from(rules.has(rule));
        }
    }
    let ambiguous = types.ambiguous.iter().map(|(key, records)| {
        (String::from_utf8_lossy(store.names.text(key.name)).into_owned(), records.len())
    });
    let next = FIRST + order.len() as u32;
    let mut emitter = Emitter {
        store,
        names,
        ids,
        used: vec![false; names.len()],
        next,
        added: Vec::new(),
        declared: HashMap::new(),
        index: None,
    };
    let mut out = Vec::with_capacity(order.len());
    let mut refs = Vec::new();
    for &ty in &order {
        types.refs(ty, &mut refs);
        out.push(emitter.convert(types.record(ty), &refs));
    }
    let mut variables: Vec<_> =
        variables.into_iter().map(|ty| emitter.variable(types, ty)).collect();
    out.append(&mut emitter.added);
    let rewritten = emitter.rewritten();
    counts[Rule::ForeignName as usize] += rewritten.len();
    fit(&mut out, FIRST);
    // Records that refer to places may differ in nothing that BTF can say, and so may names.
    let is_certain = store.exact.is_empty() && are_different(&rewritten);
    let mut out = match is_certain {
        true => out,
        false => {
            let (merged, ids) = dedup(out, FIRST);
            for variable in variables.iter_mut().filter(|variable| variable.ty != TypeId::VOID) {
                variable.ty = ids[(variable.ty.0 - FIRST) as usize];
            }
            merged
        }
    };
    let is_mended = !variables.is_empty();
    if is_mended {
        let mut used: Vec<TypeId> = variables.iter().map(|variable| variable.ty).collect();
        counts[Rule::Refused as usize] += mend(&mut out, &mut used, pointer);
        for (variable, ty) in variables.iter_mut().zip(used) {
            variable.ty = ty;
        }
        for (rule, count) in place(&mut out, variables, sections, pointer) {
            counts[rule as usize] += count;
        }
    }
    let rules = Rule::ALL.into_iter().zip(counts).filter(|&(_, count)| count > 0).collect();
    let ambiguous = ambiguous.collect();
    UserspaceBtf { types: out, pointer, ambiguous, rules, is_mended }
}

/// The variables, and the types that roots lead to, both in the order of the debug information, which
/// is that of the records in `order`.
fn reached(
    store: &Store<'_>,
    types: &Types<'_, '_>,
    order: &[RecordId],
) -> (Vec<usize>, Vec<usize>) {
    let mut reached = vec![false; types.len()];
    let mut stack = types.roots.clone();
    let mut refs = Vec::new();
    while let Some(ty) = stack.pop() {
        if std::mem::replace(&mut reached[ty], true) {
            continue;
        }
        types.refs(ty, &mut refs);
        for meaning in &refs {
            if let Meaning::Type(target) = *meaning
                && target != 0
                && !reached[target]
            {
                stack.push(target);
            }
        }
    }
    let mut unusual = HashMap::<RecordId, Vec<usize>>::new();
    for (record, ty) in types.unusual() {
        unusual.entry(record).or_default().push(ty);
    }
    // Those of one record keep the order in which units have them.
    let of_record = |&id: &RecordId| {
        let unusual = unusual.get(&id).map_or(&[][..], Vec::as_slice);
        iter::once(id as usize).chain(unusual.iter().copied())
    };
    let order = order.iter().flat_map(of_record).filter(|&ty| reached[ty]);
    order.partition(|&ty| u32::from(store.head(types.record(ty)).kind) == kind::VAR)
}

/// Whether none of `names` is like another one.
fn are_different(names: &[&str]) -> bool {
    let mut seen = HashSet::with_capacity(names.len());
    names.iter().all(|name| seen.insert(name))
}

struct Emitter<'s, 'a> {
    store: &'s Store<'a>,
    names: &'s [Cow<'a, str>],
    /// Ids of the types.
    ids: Vec<u32>,
    /// Whether something has the name, by its number.
    used: Vec<bool>,
    /// Id of the next type that is added.
    next: u32,
    added: Vec<Type<'s>>,
    declared: HashMap<Key, TypeId>,
    /// Type of arrays' indices.
    index: Option<TypeId>,
}

impl<'s> Emitter<'s, '_> {
    /// The name as BTF can have it.
    fn name(&mut self, id: NameId) -> Name<'s> {
        self.used[id as usize] = true;
        Cow::Borrowed(&self.names[id as usize])
    }

    /// Names that had to be changed, as they are now. Some may have become the same: `&mut [u8]` and
    /// `*mut [u8]`.
    fn rewritten(&self) -> Vec<&'s str> {
        let rewritten = self.names.iter().zip(&self.used).enumerate();
        let rewritten = rewritten.filter_map(|(id, (name, used))| match name {
            Cow::Owned(name) if *used && name.as_bytes() != self.store.names.text(id as NameId) => {
                Some(name.as_str())
            }
            _ => None,
        });
        rewritten.collect()
    }

    fn add(&mut self, ty: Type<'s>) -> TypeId {
        let id = TypeId(self.next);
        self.next += 1;
        self.added.push(ty);
        id
    }

    fn id(&mut self, meaning: Meaning) -> TypeId {
        match meaning {
            Meaning::Type(ty) => TypeId(self.ids[ty]),
            Meaning::Declared(key) => match self.declared.get(&key) {
                Some(&id) => id,
                None => {
                    let name = self.name(key.name);
                    let id = self.add(Type::Fwd { name, union: key.union });
                    self.declared.insert(key, id);
                    id
                }
            },
        }
    }

    /// The type that `record` is if it refers to `refs`.
    fn convert(&mut self, record: RecordId, refs: &[Meaning]) -> Type<'s> {
        let store = self.store;
        let head = store.head(record);
        let kind = u32::from(head.kind);
        // Those of base types may have blanks.
        let name = match kind {
            kind::INT | kind::FLOAT => base_type_name(store.names.shared(head.name)),
            _ => self.name(head.name),
        };
        let (size, detail) = (head.size, head.detail);
        let (target, parts) = refs.split_first().unwrap_or((&Meaning::Type(0), &[]));
        let target = self.id(*target);
        match kind {
            kind::INT => {
                let signed = detail & INT_SIGNED != 0;
                let bool = detail & INT_BOOL != 0;
                let encoding = IntEncoding { signed, char: false, bool };
                let bits = (size * 8) as u8;
                Type::Int { name: named(name), size, encoding, bit_offset: 0, bits }
            }
            kind::FLOAT => Type::Float { name: named(name), size },
            kind::PTR => Type::Ptr(target),
            kind::CONST => Type::Const(target),
            kind::VOLATILE => Type::Volatile(target),
            kind::RESTRICT => Type::Restrict(target),
            kind::TYPEDEF => Type::Typedef { name: named(name), target },
            kind::ARRAY => {
                let index = match self.index {
                    Some(index) => index,
                    None => {
                        let index = self.add(array_index());
                        self.index = Some(index);
                        index
                    }
                };
                Type::Array { element: target, index, count: size }
            }
            kind::ENUM | kind::ENUM64 => self.enumeration(record, name, size, detail),
            kind::FUNC_PROTO => {
                let mut params = Vec::with_capacity(parts.len() + 1);
                for (part, meaning) in store.parts(record).zip(parts) {
                    params.push(Param { name: self.name(part.name), ty: self.id(*meaning) });
                }
                if detail != 0 {
                    params.push(Param { name: Name::default(), ty: TypeId::VOID });
                }
                Type::FuncProto { ret: target, params }
            }
            kind::FUNC => {
                let linkage = if detail != 0 { Linkage::Global } else { Linkage::Static };
                Type::Func { name: named(name), proto: target, linkage }
            }
            _ => {
                let mut members = Vec::with_capacity(parts.len());
                for (part, meaning) in store.parts(record).zip(parts) {
                    let [bit_offset, bits] = part.values;
                    let (name, ty) = (self.name(part.name), self.id(*meaning));
                    members.push(Member { name, ty, bit_offset, bitfield_size: bits as u8 });
                }
                let composite = Composite { name, size, members };
                match kind {
                    kind::UNION => Type::Union(composite),
                    _ => Type::Struct(composite),
                }
            }
        }
    }

    /// The variable `ty`.
    fn variable(&mut self, types: &Types<'_, '_>, ty: usize) -> Variable<'s> {
        let (store, record) = (self.store, types.record(ty));
        let head = store.head(record);
        let mut refs = Vec::new();
        types.refs(ty, &mut refs);
        let ty = refs.first().map_or(TypeId::VOID, |target| self.id(*target));
        // A variable's record has one part, with its place.
        let part = store.parts(record).next();
        let (symbol, [low, high]) = part.map_or((0, [0; 2]), |part| (part.name, part.values));
        let is_global = head.detail & VAR_GLOBAL != 0;
        Variable {
            name: named(self.name(head.name)),
            symbol: store.names.text(symbol),
            linkage: if is_global { Linkage::Global } else { Linkage::Static },
            place: Place {
                thread_local: head.detail & VAR_THREAD_LOCAL != 0,
                address: u64::from(high) << 32 | u64::from(low),
            },
            first: store.first(record),
            ty,
        }
    }

    fn enumeration(&mut self, record: RecordId, name: Name<'s>, size: u32, detail: u8) -> Type<'s> {
        let signed = detail & ENUM_SIGNED != 0;
        let store = self.store;
        let mut named_values = Vec::with_capacity(store.parts(record).len());
        for part in store.parts(record) {
            named_values.push((named(self.name(part.name)), part.values));
        }
        match detail & ENUM_WIDE != 0 {
            false => {
                let values = named_values.into_iter().map(|(name, [low, _])| (name, low)).collect();
                Type::Enum { name, size, signed, values }
            }
            true => {
                let wide = |[low, high]: [u32; 2]| u64::from(high) << 32 | u64::from(low);
                let values =
                    named_values.into_iter().map(|(name, values)| (name, wide(values))).collect();
                Type::Enum64 { name, size, signed, values }
            }
        }
    }
}
