// SPDX-License-Identifier: MIT OR Apache-2.0
//! Saying in other words what the kernel refuses although C and C++ allow it.
//!
//! | the kernel refuses | instead |
//! | --- | --- |
//! | a member, element, parameter or result of a type that is only declared | an empty STRUCT of that name |
//! | a result of a type that stands for `void` | `void` itself |
//! | a FLOAT member that is not aligned (packed structs) | a STRUCT of that size without members, `unaligned_double` |
//! | an ENUM smaller than `int` in a struct with bit-fields | the same, as a bit-field of all its bits |
//! | a bit-field of an ENUM64 wider than an `int` | a bit-field of an INT of that size |
//! | a member that begins at its struct's end but has a size (rustc says so of functions) | an empty STRUCT |
//!
//! Offsets and sizes stay as they are. What is wrong in itself stays too, for
//! [`check`](super::check) to find.

use std::collections::HashMap;
use std::mem;

use super::{Composite, IntEncoding, Name, Type, TypeId};

/// How many typedefs and qualifiers are looked through before they count as endless.
const MAX_CHAIN: usize = 64;

/// Rewrites `types`, the first of which has the id `first`. Ids below `first` are sized types of a
/// base, and `void`. What is added goes to the end, so every id keeps its meaning.
pub fn fit(types: &mut Vec<Type<'_>>, first: u32) {
    let mut fitter = Fitter { types, first, made: HashMap::new() };
    for index in 0..fitter.types.len() {
        fitter.fit(index);
    }
}

struct Fitter<'t, 'a> {
    types: &'t mut Vec<Type<'a>>,
    first: u32,
    /// Types added so far.
    made: HashMap<Type<'a>, TypeId>,
}

impl<'a> Fitter<'_, 'a> {
    fn fit(&mut self, index: usize) {
        if !matches!(
            self.types[index],
            Type::Struct(_) | Type::Union(_) | Type::Array { .. } | Type::FuncProto { .. }
        ) {
            return;
        }
        // Taken out meanwhile: what it refers to is looked at, and to copy it would cost.
        let mut ty = mem::replace(&mut self.types[index], Type::Ptr(TypeId::VOID));
        match &mut ty {
            Type::Struct(composite) | Type::Union(composite) => self.fit_members(composite),
            Type::Array { element, .. } => *element = self.sized(*element),
            Type::FuncProto { ret, params } => {
                *ret = match self.plain(*ret) {
                    TypeId::VOID => TypeId::VOID,
                    _ => self.sized(*ret),
                };
                for param in params.iter_mut() {
                    param.ty = self.sized(param.ty);
                }
            }
            _ => {}
        }
        self.types[index] = ty;
    }

    fn fit_members(&mut self, composite: &mut Composite<'a>) {
        // A struct that has any is written in another way, and checked in another way.
        let bitfields = composite.members.iter().any(|member| member.bitfield_size != 0);
        for member in &mut composite.members {
            member.ty = self.sized(member.ty);
            let is_behind = u64::from(member.bit_offset) == 8 * u64::from(composite.size);
            if is_behind && !self.is_empty(member.ty) {
                member.ty = self.opaque(Name::default(), 0);
                member.bitfield_size = 0;
            }
            match self.get(self.plain(member.ty)) {
                Some(Type::Float { name, size })
                    if !member.bit_offset.is_multiple_of(8 * (*size).clamp(1, 8)) =>
                {
                    member.ty = self.opaque(name.clone(), *size);
                }
                Some(Type::Enum { size, .. } | Type::Enum64 { size, .. })
                    if bitfields && member.bitfield_size == 0 && *size < 4 =>
                {
                    member.bitfield_size = 8 * *size as u8;
                }
                Some(Type::Enum64 { size, signed, .. }) if member.bitfield_size > 32 => {
                    let name = if *signed { "long long int" } else { "long long unsigned int" };
                    let name = Name::Borrowed(name);
                    let encoding = IntEncoding { signed: *signed, ..IntEncoding::default() };
                    let bits = (*size).min(16) as u8 * 8;
                    member.ty =
                        self.make(Type::Int { name, size: *size, encoding, bit_offset: 0, bits });
                }
                _ => {}
            }
        }
    }

    /// Whether the type at `id` takes no room.
    fn is_empty(&self, id: TypeId) -> bool {
        let mut at = id;
        for _ in 0..MAX_CHAIN {
            match self.get(self.plain(at)) {
                Some(Type::Array { count: 0, .. }) => return true,
                Some(Type::Array { element, .. }) => at = *element,
                Some(Type::Struct(inner) | Type::Union(inner)) => return inner.size == 0,
                _ => return false,
            }
        }
        false
    }

    fn get(&self, id: TypeId) -> Option<&Type<'a>> {
        self.types.get(id.0.checked_sub(self.first)? as usize)
    }

    /// The type at `id` without typedefs and qualifiers.
    fn plain(&self, id: TypeId) -> TypeId {
        let mut at = id;
        for _ in 0..MAX_CHAIN {
            match self.get(at).and_then(Type::modified) {
                Some(target) => at = target,
                None => break,
            }
        }
        at
    }

    /// The type at `id`, or an empty struct in its place if it is only declared.
    fn sized(&mut self, id: TypeId) -> TypeId {
        match self.get(self.plain(id)) {
            Some(Type::Fwd { name, .. }) => self.opaque(name.clone(), 0),
            _ => id,
        }
    }

    fn opaque(&mut self, name: Name<'a>, size: u32) -> TypeId {
        // The name of a FLOAT may have blanks, or be a keyword that no struct of C is called by.
        let name = match name.as_ref() {
            "float" | "double" => Name::Owned(format!("unaligned_{name}")),
            _ => crate::ident::btf_name(name),
        };
        self.make(Type::Struct(Composite { name, size, members: Vec::new() }))
    }

    fn make(&mut self, ty: Type<'a>) -> TypeId {
        if let Some(&id) = self.made.get(&ty) {
            return id;
        }
        let id = TypeId(self.first + self.types.len() as u32);
        self.types.push(ty.clone());
        self.made.insert(ty, id);
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::btf::Member;

    fn member(ty: u32, bit_offset: u32, bitfield_size: u8) -> Member<'static> {
        Member { name: "m".into(), ty: TypeId(ty), bit_offset, bitfield_size }
    }

    fn composite(size: u32, members: Vec<Member<'static>>) -> Type<'static> {
        Type::Struct(Composite { name: "s".into(), size, members })
    }

    #[test]
    fn a_misaligned_float_becomes_bytes() {
        let double = Type::Float { name: "long double".into(), size: 16 };
        let mut types = vec![composite(32, vec![member(2, 0, 0), member(2, 136, 0)]), double];
        fit(&mut types, 1);
        assert_eq!(types[0], composite(32, vec![member(2, 0, 0), member(3, 136, 0)]));
        let bytes = Composite { name: "long_double".into(), size: 16, members: vec![] };
        assert_eq!(types[2..], [Type::Struct(bytes)]);
    }

    #[test]
    fn a_member_behind_the_end_becomes_empty() {
        let pointer = Type::Ptr(TypeId::VOID);
        let mut types = vec![composite(8, vec![member(2, 0, 0), member(2, 64, 0)]), pointer];
        fit(&mut types, 1);
        assert_eq!(types[0], composite(8, vec![member(2, 0, 0), member(3, 64, 0)]));
    }

    #[test]
    fn a_small_enum_beside_bit_fields_becomes_one() {
        let tiny = Type::Enum { name: "tiny".into(), size: 1, signed: false, values: vec![] };
        let mut types = vec![composite(4, vec![member(3, 0, 3), member(2, 8, 0)]), tiny];
        fit(&mut types, 1);
        assert_eq!(types[0], composite(4, vec![member(3, 0, 3), member(2, 8, 8)]));
    }

    #[test]
    fn a_wide_bit_field_of_an_enum_becomes_one_of_an_integer() {
        let wide = Type::Enum64 { name: "wide".into(), size: 8, signed: true, values: vec![] };
        let mut types = vec![composite(8, vec![member(2, 0, 40)]), wide];
        fit(&mut types, 1);
        assert_eq!(types[0], composite(8, vec![member(3, 0, 40)]));
        assert!(matches!(&types[2], Type::Int { size: 8, bits: 64, .. }), "{:?}", types[2]);
    }

    #[test]
    fn a_declared_type_by_value_becomes_an_empty_struct_and_a_typedef_of_void_becomes_void() {
        let nothing = Type::Typedef { name: "nothing".into(), target: TypeId::VOID };
        let param = crate::btf::Param { name: "p".into(), ty: TypeId(3) };
        let mut types = vec![
            Type::FuncProto { ret: TypeId(2), params: vec![param.clone()] },
            nothing,
            Type::Fwd { name: "opaque".into(), union: false },
        ];
        fit(&mut types, 1);
        let empty = crate::btf::Param { ty: TypeId(4), ..param };
        assert_eq!(types[0], Type::FuncProto { ret: TypeId::VOID, params: vec![empty] });
        assert_eq!(types.len(), 4);
    }
}
