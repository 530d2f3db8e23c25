// SPDX-License-Identifier: MIT OR Apache-2.0
//! Looking things up in types that refer to each other.

use super::{Type, TypeId};

/// Types with consecutive ids.
#[derive(Clone, Copy, Debug)]
pub struct View<'t, 'a> {
    types: &'t [Type<'a>],
    first: u32,
}

impl<'t, 'a> View<'t, 'a> {
    /// Looks at `types`, the first of which has the id `first`.
    pub fn new(types: &'t [Type<'a>], first: u32) -> Self {
        View { types, first }
    }

    /// The type `id`; `None` for `void` and the types of a base.
    pub fn get(&self, id: TypeId) -> Option<&'t Type<'a>> {
        self.types.get(id.0.checked_sub(self.first)? as usize)
    }

    /// The type `id` without typedefs and qualifiers.
    pub fn bare(&self, id: TypeId) -> TypeId {
        let mut at = id;
        // No chain of distinct types is longer than there are types.
        for _ in 0..self.types.len() {
            match self.get(at).and_then(Type::modified) {
                Some(target) => at = target,
                None => break,
            }
        }
        at
    }

    /// The struct or union that `id` points to, if it does.
    pub fn pointee(&self, id: TypeId) -> Option<TypeId> {
        let Some(Type::Ptr(target)) = self.get(self.bare(id)) else { return None };
        let target = self.bare(*target);
        matches!(self.get(target), Some(Type::Struct(_) | Type::Union(_))).then_some(target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::btf::{Composite, Name};

    #[test]
    fn typedefs_and_qualifiers_are_seen_through() {
        let structure =
            Type::Struct(Composite { name: Name::default(), size: 0, members: Vec::new() });
        let typedef = |target| Type::Typedef { name: "t".into(), target: TypeId(target) };
        let types =
            [structure, typedef(2), Type::Ptr(TypeId(3)), Type::Const(TypeId(4)), typedef(6)];
        let view = View::new(&types, 2);
        assert_eq!(view.bare(TypeId(3)), TypeId(2));
        assert_eq!(view.bare(TypeId(1)), TypeId(1));
        assert_eq!(view.pointee(TypeId(5)), Some(TypeId(2)));
        assert_eq!(view.pointee(TypeId(2)), None);
        // One that is a typedef of itself.
        assert_eq!(view.bare(TypeId(6)), TypeId(6));
        assert_eq!(view.pointee(TypeId(6)), None);
    }
}
