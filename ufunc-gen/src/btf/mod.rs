// SPDX-License-Identifier: MIT OR Apache-2.0
//! BPF Type Format: the types, reading them, writing them, merging equal ones.
//!
//! The format is specified in the kernel's `Documentation/bpf/btf.rst`; the checks that the kernel
//! makes are in `kernel/bpf/btf.c`.
//!
//! ```text
//! bytes ──decode──▶ Type … ──fit──▶ Type … ──dedup, mend──▶ Type … ──check, encode──▶ bytes
//! files ──source──▶ bytes … ──raw──▶ words … ──merge──▶ bytes
//! ```
//!
//! [`Type`] is for looking at types one by one; [`raw::Raw`] has those of a whole kernel as the words
//! that they are written in, and no time for more.

pub mod check;
pub mod decode;
pub mod dedup;
pub mod encode;
pub mod extract;
pub mod fit;
mod form;
mod hash;
pub mod mend;
pub mod merge;
mod partition;
pub mod raw;
pub mod rename;
pub mod source;
pub mod split;
#[cfg(test)]
mod testing;
pub mod view;

use std::borrow::Cow;

/// Calls `$visit` with each reference in the type `$ty`, whose lists are gone through by `$iter`:
/// one list of the references, for readers and writers.
macro_rules! references {
    ($ty:expr, $iter:ident, $visit:expr) => {{
        let mut visit = $visit;
        match $ty {
            Type::Int { .. }
            | Type::Enum { .. }
            | Type::Enum64 { .. }
            | Type::Fwd { .. }
            | Type::Float { .. } => {}
            Type::Ptr(target)
            | Type::Volatile(target)
            | Type::Const(target)
            | Type::Restrict(target)
            | Type::Typedef { target, .. }
            | Type::Func { proto: target, .. }
            | Type::Var { target, .. }
            | Type::DeclTag { target, .. }
            | Type::TypeTag { target, .. } => visit(target),
            Type::Array { element, index, .. } => {
                visit(element);
                visit(index);
            }
            Type::Struct(composite) | Type::Union(composite) => {
                for Member { ty, .. } in composite.members.$iter() {
                    visit(ty);
                }
            }
            Type::FuncProto { ret, params } => {
                visit(ret);
                for Param { ty, .. } in params.$iter() {
                    visit(ty);
                }
            }
            Type::Datasec { vars, .. } => {
                for (id, ..) in vars.$iter() {
                    visit(id);
                }
            }
        }
    }};
}

/// First two bytes of every BTF blob.
pub const MAGIC: u16 = 0xeb9f;
/// The only version of the format so far.
pub const VERSION: u8 = 1;
/// Size in bytes of the header that this crate writes.
pub const HEADER_LEN: u32 = 24;
/// Most members, values or parameters that one type can have (`vlen` is 16 bits wide).
pub const MAX_VLEN: usize = 0xffff;
/// Largest number of bytes that a bit-field member's offset may be away from its struct, in bits
/// (24 bits are left beside the bit-field's size).
pub const MAX_BITFIELD_OFFSET: u32 = 0x00ff_ffff;

/// `BTF_KIND_*`, as in `include/uapi/linux/btf.h`.
#[expect(missing_docs, reason = "each one is the kernel's constant of that name")]
pub mod kind {
    pub const INT: u32 = 1;
    pub const PTR: u32 = 2;
    pub const ARRAY: u32 = 3;
    pub const STRUCT: u32 = 4;
    pub const UNION: u32 = 5;
    pub const ENUM: u32 = 6;
    pub const FWD: u32 = 7;
    pub const TYPEDEF: u32 = 8;
    pub const VOLATILE: u32 = 9;
    pub const CONST: u32 = 10;
    pub const RESTRICT: u32 = 11;
    pub const FUNC: u32 = 12;
    pub const FUNC_PROTO: u32 = 13;
    pub const VAR: u32 = 14;
    pub const DATASEC: u32 = 15;
    pub const FLOAT: u32 = 16;
    pub const DECL_TAG: u32 = 17;
    pub const TYPE_TAG: u32 = 18;
    pub const ENUM64: u32 = 19;
}

/// Number of a type within one BTF (and its base); 0 is `void`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TypeId(pub u32);

impl TypeId {
    /// The type that every BTF has without saying so.
    pub const VOID: TypeId = TypeId(0);
}

/// A name in the string section; empty for anonymous types.
pub type Name<'a> = Cow<'a, str>;

/// How the bits of an [`Type::Int`] are to be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct IntEncoding {
    /// `BTF_INT_SIGNED`
    pub signed: bool,
    /// `BTF_INT_CHAR`
    pub char: bool,
    /// `BTF_INT_BOOL`
    pub bool: bool,
}

/// A struct's or union's member.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Member<'a> {
    /// Empty for an anonymous struct or union.
    pub name: Name<'a>,
    /// Type of the member.
    pub ty: TypeId,
    /// Bits from the start of the struct.
    pub bit_offset: u32,
    /// Bits of a bit-field, 0 for every other member.
    pub bitfield_size: u8,
}

/// A struct or union.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Composite<'a> {
    /// Its tag, or empty.
    pub name: Name<'a>,
    /// Size in bytes.
    pub size: u32,
    /// In order of their offsets (the kernel insists).
    pub members: Vec<Member<'a>>,
}

/// A parameter of a function.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Param<'a> {
    /// Empty where the declaration gave none.
    pub name: Name<'a>,
    /// Type of the parameter; `void` without a name ends a list with `...`.
    pub ty: TypeId,
}

/// Linkage of a function or variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Linkage {
    /// Visible in its file only.
    Static,
    /// Visible to the linker.
    Global,
    /// Defined elsewhere.
    Extern,
}

/// One type. References to other types are [`TypeId`]s.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the fields are those of the specification")]
pub enum Type<'a> {
    Int { name: Name<'a>, size: u32, encoding: IntEncoding, bit_offset: u8, bits: u8 },
    Ptr(TypeId),
    Array { element: TypeId, index: TypeId, count: u32 },
    Struct(Composite<'a>),
    Union(Composite<'a>),
    Enum { name: Name<'a>, size: u32, signed: bool, values: Vec<(Name<'a>, u32)> },
    Fwd { name: Name<'a>, union: bool },
    Typedef { name: Name<'a>, target: TypeId },
    Volatile(TypeId),
    Const(TypeId),
    Restrict(TypeId),
    Func { name: Name<'a>, proto: TypeId, linkage: Linkage },
    FuncProto { ret: TypeId, params: Vec<Param<'a>> },
    Var { name: Name<'a>, target: TypeId, linkage: Linkage },
    Datasec { name: Name<'a>, size: u32, vars: Vec<(TypeId, u32, u32)> },
    Float { name: Name<'a>, size: u32 },
    DeclTag { value: Name<'a>, target: TypeId, component: i32 },
    TypeTag { value: Name<'a>, target: TypeId },
    Enum64 { name: Name<'a>, size: u32, signed: bool, values: Vec<(Name<'a>, u64)> },
}

impl<'a> Type<'a> {
    /// The `BTF_KIND_*` number.
    pub fn kind(&self) -> u32 {
        match self {
            Type::Int { .. } => kind::INT,
            Type::Ptr(_) => kind::PTR,
            Type::Array { .. } => kind::ARRAY,
            Type::Struct(_) => kind::STRUCT,
            Type::Union(_) => kind::UNION,
            Type::Enum { .. } => kind::ENUM,
            Type::Fwd { .. } => kind::FWD,
            Type::Typedef { .. } => kind::TYPEDEF,
            Type::Volatile(_) => kind::VOLATILE,
            Type::Const(_) => kind::CONST,
            Type::Restrict(_) => kind::RESTRICT,
            Type::Func { .. } => kind::FUNC,
            Type::FuncProto { .. } => kind::FUNC_PROTO,
            Type::Var { .. } => kind::VAR,
            Type::Datasec { .. } => kind::DATASEC,
            Type::Float { .. } => kind::FLOAT,
            Type::DeclTag { .. } => kind::DECL_TAG,
            Type::TypeTag { .. } => kind::TYPE_TAG,
            Type::Enum64 { .. } => kind::ENUM64,
        }
    }

    /// The kind's name as `bpftool btf dump` prints it.
    pub fn kind_name(&self) -> &'static str {
        const NAMES: [&str; 20] = [
            "UNKN",
            "INT",
            "PTR",
            "ARRAY",
            "STRUCT",
            "UNION",
            "ENUM",
            "FWD",
            "TYPEDEF",
            "VOLATILE",
            "CONST",
            "RESTRICT",
            "FUNC",
            "FUNC_PROTO",
            "VAR",
            "DATASEC",
            "FLOAT",
            "DECL_TAG",
            "TYPE_TAG",
            "ENUM64",
        ];
        NAMES[self.kind() as usize]
    }

    /// The type's own name or tag value; empty where it has none.
    pub fn name(&self) -> &Name<'a> {
        const NONE: &Name<'static> = &Cow::Borrowed("");
        match self {
            Type::Struct(composite) | Type::Union(composite) => &composite.name,
            Type::Int { name, .. }
            | Type::Enum { name, .. }
            | Type::Fwd { name, .. }
            | Type::Typedef { name, .. }
            | Type::Func { name, .. }
            | Type::Var { name, .. }
            | Type::Datasec { name, .. }
            | Type::Float { name, .. }
            | Type::DeclTag { value: name, .. }
            | Type::TypeTag { value: name, .. }
            | Type::Enum64 { name, .. } => name,
            Type::Ptr(_)
            | Type::Array { .. }
            | Type::Volatile(_)
            | Type::Const(_)
            | Type::Restrict(_)
            | Type::FuncProto { .. } => NONE,
        }
    }

    /// What a typedef, qualifier or tag says something of; `None` for every other kind.
    pub fn modified(&self) -> Option<TypeId> {
        match self {
            Type::Typedef { target, .. }
            | Type::Volatile(target)
            | Type::Const(target)
            | Type::Restrict(target)
            | Type::TypeTag { target, .. } => Some(*target),
            _ => None,
        }
    }

    /// Calls `visit` with every reference to another type, in a fixed order.
    pub fn for_each_ref(&self, mut visit: impl FnMut(TypeId)) {
        references!(self, iter, |id: &TypeId| visit(*id));
    }

    /// Calls `visit` with every reference to another type, which it may change.
    pub fn for_each_ref_mut(&mut self, visit: impl FnMut(&mut TypeId)) {
        references!(self, iter_mut, visit);
    }
}
