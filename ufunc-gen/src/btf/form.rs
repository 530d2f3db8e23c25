// SPDX-License-Identifier: MIT OR Apache-2.0
//! How the words of a type are to be read: which are names, which refer to other types.
//!
//! `struct btf_type` and what follows it in `include/uapi/linux/btf.h`.

use super::kind;

/// Number of words that every type begins with: name, info, size or type.
pub(super) const HEAD: usize = 3;

/// What a word of a type says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    /// Offset of a string.
    Name,
    /// Id of a type.
    Type,
    /// Anything else.
    Number,
}

/// The words of the types of one kind.
#[derive(Debug)]
pub(super) struct Form {
    /// What the third word says: size or type.
    pub(super) third: Slot,
    /// What the words behind the head say; of each of `vlen` parts, if `is_list`.
    pub(super) tail: &'static [Slot],
    is_list: bool,
}

impl Form {
    /// Of the types of `kind`; `None` if there is no such kind.
    pub(super) fn of(kind: u32) -> Option<&'static Form> {
        FORMS.get(kind as usize)?.as_ref()
    }

    /// Number of words behind the head of a type with this `info`.
    pub(super) fn tail_len(&self, info: u32) -> usize {
        self.tail.len() * if self.is_list { vlen(info) } else { 1 }
    }
}

/// `BTF_INFO_KIND`
pub(super) fn kind_of(info: u32) -> u32 {
    info >> 24 & 0x1f
}

/// `BTF_INFO_VLEN`
pub(super) fn vlen(info: u32) -> usize {
    (info & 0xffff) as usize
}

/// `BTF_INFO_KFLAG`
pub(super) fn flag(info: u32) -> bool {
    info >> 31 != 0
}

const fn form(third: Slot, tail: &'static [Slot], is_list: bool) -> Option<Form> {
    Some(Form { third, tail, is_list })
}

/// The form of each kind, by its number.
static FORMS: [Option<Form>; 20] = {
    use Slot::{Name, Number, Type};
    let mut forms = [const { None }; 20];
    forms[kind::INT as usize] = form(Number, &[Number], false);
    forms[kind::PTR as usize] = form(Type, &[], false);
    forms[kind::ARRAY as usize] = form(Number, &[Type, Type, Number], false);
    forms[kind::STRUCT as usize] = form(Number, &[Name, Type, Number], true);
    forms[kind::UNION as usize] = form(Number, &[Name, Type, Number], true);
    forms[kind::ENUM as usize] = form(Number, &[Name, Number], true);
    forms[kind::FWD as usize] = form(Number, &[], false);
    forms[kind::TYPEDEF as usize] = form(Type, &[], false);
    forms[kind::VOLATILE as usize] = form(Type, &[], false);
    forms[kind::CONST as usize] = form(Type, &[], false);
    forms[kind::RESTRICT as usize] = form(Type, &[], false);
    forms[kind::FUNC as usize] = form(Type, &[], false);
    forms[kind::FUNC_PROTO as usize] = form(Type, &[Name, Type], true);
    forms[kind::VAR as usize] = form(Type, &[Number], false);
    forms[kind::DATASEC as usize] = form(Number, &[Type, Number, Number], true);
    forms[kind::FLOAT as usize] = form(Number, &[], false);
    forms[kind::DECL_TAG as usize] = form(Type, &[Number], false);
    forms[kind::TYPE_TAG as usize] = form(Type, &[], false);
    forms[kind::ENUM64 as usize] = form(Number, &[Name, Number, Number], true);
    forms
};
