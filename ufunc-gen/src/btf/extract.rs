// SPDX-License-Identifier: MIT OR Apache-2.0
//! Some types out of many, with just what CO-RE relocations that begin at them look at.
//!
//! A relocation goes from a type into what it consists of, never through a pointer: what lies
//! behind one is where the next relocation begins. So a struct that a member only points to is
//! replaced by its declaration, and of a kernel's hundred thousand types a handful remain.

use std::collections::{HashMap, HashSet};

use anyhow::{Result, bail};

use super::decode::Index;
use super::merge::essential;
use super::view::View;
use super::{Composite, Name, Type, TypeId, kind};

/// How many typedefs and qualifiers a type can be wrapped in.
const MAX_WRAPPING: usize = 64;

/// Types that can be had by their ids.
pub trait Types<'a> {
    /// The type `id`, which is not `void`.
    fn get(&self, id: TypeId) -> Result<Type<'a>>;
}

impl<'a> Types<'a> for Index<'a> {
    fn get(&self, id: TypeId) -> Result<Type<'a>> {
        Index::get(self, id)
    }
}

impl<'a> Types<'a> for View<'_, 'a> {
    fn get(&self, id: TypeId) -> Result<Type<'a>> {
        match View::get(self, id) {
            Some(ty) => Ok(ty.clone()),
            None => bail!("there is no BTF type {}", id.0),
        }
    }
}

/// Types that were taken out of others.
#[derive(Debug)]
pub struct Extract<'a> {
    /// Id of the first one.
    first: u32,
    types: Vec<Type<'a>>,
    /// Those that were asked for.
    roots: Vec<TypeId>,
}

impl<'a> Extract<'a> {
    /// Nothing yet; the first type will have the id `first`.
    pub fn new(first: u32) -> Self {
        Extract { first, types: Vec::new(), roots: Vec::new() }
    }

    /// Takes `roots` and what they consist of out of `source`.
    pub fn add(&mut self, source: &impl Types<'a>, roots: &[TypeId]) -> Result<()> {
        let mut taking = Taking { extract: self, source, ids: HashMap::new(), queue: Vec::new() };
        for &root in roots {
            let id = taking.id(root, true)?;
            taking.extract.roots.push(id);
        }
        taking.finish()
    }

    /// The types. A relocation that names one of the roots finds that one only: whatever else has
    /// its name, because it is part of something, has lost it.
    pub fn finish(mut self) -> Vec<Type<'a>> {
        let roots: HashSet<TypeId> = self.roots.iter().copied().collect();
        let key = |ty: &Type<'_>| (class(ty), essential(ty.name()).to_owned());
        let first = self.first;
        let taken: HashSet<_> =
            roots.iter().map(|id| key(&self.types[(id.0 - first) as usize])).collect();
        for (id, ty) in (first..).map(TypeId).zip(&mut self.types) {
            if !roots.contains(&id) && !ty.name().is_empty() && taken.contains(&key(ty)) {
                hide(ty);
            }
        }
        self.types
    }
}

/// Kinds that relocations do not tell apart are one.
fn class(ty: &Type<'_>) -> u32 {
    match ty.kind() {
        kind::ENUM64 => kind::ENUM,
        kind => kind,
    }
}

/// Takes the name away from a type that relocations could find by it.
fn hide(ty: &mut Type<'_>) {
    match ty {
        Type::Struct(Composite { name, .. })
        | Type::Union(Composite { name, .. })
        | Type::Enum { name, .. }
        | Type::Enum64 { name, .. }
        | Type::Typedef { name, .. } => *name = Name::default(),
        _ => {}
    }
}

/// Taking types out of one source.
struct Taking<'e, 's, 'a, S> {
    extract: &'e mut Extract<'a>,
    source: &'s S,
    /// New ids, by the old ones and whether what is behind pointers is taken as well.
    ids: HashMap<(TypeId, bool), TypeId>,
    /// Types whose references are old ones.
    queue: Vec<(TypeId, bool)>,
}

impl<'a, S: Types<'a>> Taking<'_, '_, 'a, S> {
    /// The new id of the type `old`. `whole` is said of what is no part of a struct or union: a
    /// typedef of a pointer is compared with all that it leads to.
    fn id(&mut self, old: TypeId, whole: bool) -> Result<TypeId> {
        if old == TypeId::VOID {
            return Ok(TypeId::VOID);
        }
        if let Some(&id) = self.ids.get(&(old, whole)) {
            return Ok(id);
        }
        let ty = self.source.get(old)?;
        let is_composite = matches!(ty, Type::Struct(_) | Type::Union(_));
        if is_composite && let Some(&id) = self.ids.get(&(old, !whole)) {
            return Ok(id);
        }
        let id = match ty {
            Type::Ptr(target) if !whole => self.pointer(target)?,
            ty => {
                let id = self.push(ty);
                self.queue.push((id, whole && !is_composite));
                id
            }
        };
        self.ids.insert((old, whole), id);
        Ok(id)
    }

    /// A pointer to `target`: to its declaration, if it has a name to be declared by.
    fn pointer(&mut self, target: TypeId) -> Result<TypeId> {
        let mut bare = target;
        for _ in 0..MAX_WRAPPING {
            if bare == TypeId::VOID {
                break;
            }
            let declared = match self.source.get(bare)? {
                Type::Struct(Composite { name, .. }) if !name.is_empty() => (name, false),
                Type::Union(Composite { name, .. }) if !name.is_empty() => (name, true),
                ty => match ty.modified() {
                    Some(next) => {
                        bare = next;
                        continue;
                    }
                    None => break,
                },
            };
            let (name, union) = declared;
            let declaration = self.push(Type::Fwd { name, union });
            return Ok(self.push(Type::Ptr(declaration)));
        }
        let id = self.push(Type::Ptr(target));
        self.queue.push((id, false));
        Ok(id)
    }

    fn push(&mut self, ty: Type<'a>) -> TypeId {
        let id = TypeId(self.extract.first + self.extract.types.len() as u32);
        self.extract.types.push(ty);
        id
    }

    fn finish(mut self) -> Result<()> {
        while let Some((id, whole)) = self.queue.pop() {
            let index = (id.0 - self.extract.first) as usize;
            // Pushing others may move it.
            let mut ty = std::mem::replace(&mut self.extract.types[index], Type::Ptr(TypeId::VOID));
            let mut failed = None;
            ty.for_each_ref_mut(|old| match self.id(*old, whole) {
                Ok(new) => *old = new,
                Err(error) => failed = Some(error),
            });
            self.extract.types[index] = ty;
            if let Some(error) = failed {
                return Err(error);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::btf::decode::Btf;
    use crate::btf::{Member, encode::Encoded};

    fn member(name: &'static str, ty: u32) -> Member<'static> {
        Member { name: name.into(), ty: TypeId(ty), bit_offset: 0, bitfield_size: 0 }
    }

    fn composite(name: &'static str, members: Vec<Member<'static>>) -> Type<'static> {
        Type::Struct(Composite { name: name.into(), size: 8, members })
    }

    fn extract(types: &[Type<'static>], roots: &[u32]) -> Vec<Type<'static>> {
        let mut extract = Extract::new(1);
        let roots: Vec<_> = roots.iter().copied().map(TypeId).collect();
        extract.add(&View::new(types, 1), &roots).unwrap();
        extract.finish()
    }

    /// 1 data { 2 *other; 3 inner in; 4 *anonymous }, 5 other, 6 anonymous, 7 typedef other *handle.
    fn types() -> Vec<Type<'static>> {
        vec![
            composite("data", vec![member("p", 2), member("in", 3), member("q", 4)]),
            Type::Ptr(TypeId(5)),
            composite("inner", vec![member("data", 2)]),
            Type::Ptr(TypeId(6)),
            composite("other", vec![member("d", 1)]),
            composite("", vec![member("x", 2)]),
            Type::Typedef { name: "handle".into(), target: TypeId(2) },
        ]
    }

    fn names<'t>(types: &'t [Type<'_>], kind: u32) -> Vec<&'t str> {
        types.iter().filter(|ty| ty.kind() == kind).map(|ty| &**ty.name()).collect()
    }

    #[test]
    fn what_is_only_pointed_to_is_declared() {
        let extracted = extract(&types(), &[1]);
        let mut structs = names(&extracted, kind::STRUCT);
        structs.sort_unstable();
        assert_eq!(structs, ["", "data", "inner"]);
        assert!(names(&extracted, kind::FWD).iter().all(|name| *name == "other"));
        // All references are to what was taken.
        for ty in &extracted {
            ty.for_each_ref(|id| assert!(id.0 as usize <= extracted.len()));
        }
        Encoded::new(&extracted, 0).unwrap();
    }

    #[test]
    fn a_typedef_of_a_pointer_is_taken_with_what_it_points_to() {
        assert!(names(&extract(&types(), &[7]), kind::STRUCT).contains(&"other"));
        assert!(!names(&extract(&types(), &[1]), kind::STRUCT).contains(&"other"));
    }

    #[test]
    fn a_name_that_was_asked_for_is_there_once() {
        let mut types = types();
        types.push(composite("data", vec![member("old", 3)]));
        types[2] = composite("inner", vec![member("v1", 8)]);
        types[7] = composite("data", Vec::new());
        let extracted = extract(&types, &[1]);
        assert_eq!(
            names(&extracted, kind::STRUCT).iter().filter(|name| **name == "data").count(),
            1
        );
        assert_eq!(extracted[0].name(), "data");
    }

    #[test]
    fn what_is_damaged_is_an_error_or_ends() {
        let endless = [Type::Typedef { name: "t".into(), target: TypeId(1) }];
        assert_eq!(extract(&endless, &[1]).len(), 1);
        let beyond = [Type::Ptr(TypeId(9))];
        let mut extract = Extract::new(1);
        assert!(extract.add(&View::new(&beyond, 1), &[TypeId(1)]).is_err());
        let endless =
            [composite("s", vec![member("p", 2)]), Type::Ptr(TypeId(3)), Type::Const(TypeId(3))];
        let mut extract = Extract::new(1);
        extract.add(&View::new(&endless, 1), &[TypeId(1)]).unwrap();
    }

    #[test]
    fn types_are_read_by_their_ids() {
        let types = types();
        let bytes = Encoded::new(&types, 0).unwrap().to_bytes().unwrap();
        let index = Btf::parse(&bytes).unwrap().index().unwrap();
        for (id, ty) in (1..).zip(&types) {
            assert_eq!(index.get(TypeId(id)).unwrap(), *ty);
        }
        assert!(index.get(TypeId(0)).is_err() && index.get(TypeId(8)).is_err());
        let found = index.find(|found, name| found == kind::STRUCT && name == b"inner").unwrap();
        assert_eq!(found, [TypeId(3)]);
    }
}
