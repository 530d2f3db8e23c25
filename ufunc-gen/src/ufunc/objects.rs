// SPDX-License-Identifier: MIT OR Apache-2.0
//! The structs that functions take and return, told apart as the kernel will tell them apart.
//!
//! Files may use one name for different structs. So the types are read as the module's will be,
//! and equal ones merged: what has one id then is one struct to the verifier.

use anyhow::Result;
use hashbrown::HashMap;

use crate::btf::dedup::dedup;
use crate::btf::view::View;
use crate::btf::{Type, TypeId};
use crate::dwarf::functions::Function;
use crate::dwarf::types::TypeReader;
use crate::dwarf::{DebugInfo, DieRef};

/// Id of the first type.
const FIRST: u32 = 1;

/// The structs that functions take and return.
pub(super) struct Objects<'a> {
    types: Vec<Type<'a>>,
    /// The types of results and parameters.
    ids: HashMap<DieRef, TypeId>,
}

impl<'a> Objects<'a> {
    /// Reads the types in the signatures of `functions`.
    pub(super) fn read<'f>(
        debug: &DebugInfo<'a>,
        functions: impl IntoIterator<Item = &'f Function<'a>>,
    ) -> Result<Self>
    where
        'a: 'f,
    {
        let mut reader = TypeReader::new(debug, FIRST, None);
        let mut ids = HashMap::new();
        for function in functions {
            let params = function.params.iter().map(|param| param.ty);
            for ty in params.chain([function.return_type]).flatten() {
                ids.insert(ty, reader.id(Some(ty))?);
            }
        }
        let (types, merged) = dedup(reader.finish()?, FIRST);
        for id in ids.values_mut() {
            *id = index(*id).and_then(|index| merged.get(index)).copied().unwrap_or(*id);
        }
        Ok(Objects { types, ids })
    }

    fn view(&self) -> View<'_, 'a> {
        View::new(&self.types, FIRST)
    }

    /// The struct or union that the type `ty` of a result or parameter points to, if it does.
    pub(super) fn pointee(&self, ty: Option<DieRef>) -> Option<TypeId> {
        self.view().pointee(*self.ids.get(&ty?)?)
    }

    /// Whether the verifier takes a `given` struct for a `wanted` one: it is one, or begins with
    /// one (`btf_struct_ids_match()`).
    pub(super) fn fits(&self, given: TypeId, wanted: TypeId) -> bool {
        let mut at = given;
        for _ in 0..=self.types.len() {
            if at == wanted {
                return true;
            }
            let Some(Type::Struct(composite)) = self.view().get(at) else { return false };
            match composite.members.first() {
                Some(first) if first.bit_offset == 0 => at = self.view().bare(first.ty),
                _ => return false,
            }
        }
        false
    }
}

fn index(id: TypeId) -> Option<usize> {
    id.0.checked_sub(FIRST).map(|index| index as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::btf::{Composite, IntEncoding, Member, Name};

    fn objects(types: Vec<Type<'static>>) -> Objects<'static> {
        Objects { types, ids: HashMap::new() }
    }

    fn structure(name: &'static str, members: &[u32]) -> Type<'static> {
        let member = |(place, &ty): (usize, &u32)| Member {
            name: Name::Borrowed("m"),
            ty: TypeId(ty),
            bit_offset: 64 * place as u32,
            bitfield_size: 0,
        };
        let members = members.iter().enumerate().map(member).collect();
        Type::Struct(Composite { name: Name::Borrowed(name), size: 64, members })
    }

    fn int() -> Type<'static> {
        let name = Name::Borrowed("int");
        Type::Int { name, size: 4, encoding: IntEncoding::default(), bit_offset: 0, bits: 32 }
    }

    #[test]
    fn a_struct_that_begins_with_another_fits_it() {
        let typedef = Type::Typedef { name: Name::Borrowed("t"), target: TypeId(2) };
        let objects = objects(vec![
            int(),
            structure("base", &[1]),
            typedef,
            structure("derived", &[3, 1]),
            structure("after", &[1, 2]),
        ]);
        let [base, derived, after] = [2, 4, 5].map(TypeId);
        assert!(objects.fits(base, base));
        assert!(objects.fits(derived, base));
        assert!(!objects.fits(base, derived));
        assert!(!objects.fits(after, base));
    }
}
