// SPDX-License-Identifier: MIT OR Apache-2.0
//! What an accessor takes and returns, and what it does to memory.

use anyhow::{Context as _, Result, bail, ensure};

use super::field::{Number, Types};
use super::{Accessor, Action};
use crate::btf::TypeId;
use crate::metadata::{Access, Bits, Elements};
use crate::ufunc::signature::KERNEL_STRUCTS;

/// A value that an accessor takes or returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// Nothing.
    Void,
    /// A pointer to the object.
    Object,
    /// An address: 64 bits.
    Address,
    /// The number of an element: 32 bits.
    Index,
    /// Whether it was done: `int`.
    Outcome,
    /// A field's own type.
    Field(TypeId, Number),
}

/// What an accessor is, once the layout of its object is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Prototype {
    pub(crate) returns: Value,
    pub(crate) params: Vec<(&'static str, Value)>,
    /// What it does.
    pub(crate) access: Access,
    /// As C declares it.
    pub(crate) c: String,
}

impl Prototype {
    /// The prototype of `accessor`, whose object is the struct `object` of `types`, or a typedef of it.
    ///
    /// Fails if there is no such field, and for one that cannot be had.
    pub(crate) fn new(types: Types<'_, '_>, object: TypeId, accessor: &Accessor) -> Result<Self> {
        let composite = types.object(object)?;
        ensure!(
            !KERNEL_STRUCTS.contains(&composite.name.as_ref()),
            "the verifier would take a 'struct {}' for the kernel's",
            composite.name
        );
        let size = composite.size;
        let (returns, params, access) = match &accessor.action {
            Action::Borrow => {
                ensure!(size > 0, "it has no bytes to look at");
                (Value::Object, vec![("address", Value::Address)], Access::Borrow { size })
            }
            Action::Put => (Value::Void, vec![("object", Value::Object)], Access::Put),
            Action::Write(path, _) => {
                let (bits, value) = writable(types, object, path).with_context(|| {
                    format!("cannot grant writes to {}", path.of(&accessor.object))
                })?;
                let params = vec![("object", Value::Object), ("value", value)];
                (Value::Outcome, params, Access::Write(bits))
            }
            Action::Read(path) => {
                let (elements, value) = readable(types, object, path).with_context(|| {
                    format!("cannot grant reads of {}", path.of(&accessor.object))
                })?;
                let params = vec![("object", Value::Object), ("index", Value::Index)];
                (value, params, Access::Read(elements))
            }
        };
        access.check()?;
        let spell = |value: Value| match value {
            Value::Void => "void ".to_owned(),
            Value::Object => format!("{} *", types.spelled(object)),
            Value::Address => "unsigned long long ".to_owned(),
            Value::Index => "unsigned int ".to_owned(),
            Value::Outcome => "int ".to_owned(),
            Value::Field(ty, _) => types.spelled(ty) + " ",
        };
        let spelled: Vec<_> = params.iter().map(|(name, value)| spell(*value) + name).collect();
        let c = format!("{}{}({})", spell(returns), accessor.kfunc, spelled.join(", "));
        Ok(Prototype { returns, params, access, c })
    }
}

/// Where the number at `path` is, and what is stored there.
fn writable(types: Types<'_, '_>, object: TypeId, path: &super::Path) -> Result<(Bits, Value)> {
    let field = types.field(object, path)?;
    let number = match types.number(field.ty) {
        Ok(number) => number,
        Err(what) => bail!("it is {what}"),
    };
    ensure!(!field.is_const, "it is const: the application relies on it");
    let size = field.bits.unwrap_or(number.bytes * 8);
    let bits = Bits { offset: field.bit_offset, size, bool: number.bool };
    Ok((bits, Value::Field(field.ty, number)))
}

/// Where the elements of the array at `path` are, and what one is.
fn readable(types: Types<'_, '_>, object: TypeId, path: &super::Path) -> Result<(Elements, Value)> {
    let field = types.field(object, path)?;
    let Some((element, count)) = types.elements(field.ty) else {
        bail!("it is no array: what is at a fixed place extensions read as it stands")
    };
    ensure!(count > 0, "it is an array whose length the type does not say");
    let number = match types.number(element) {
        Ok(number) => number,
        Err(what) => bail!("each element is {what}"),
    };
    let elements = Elements {
        follow: field.follow,
        // Arrays are no bit-fields.
        offset: field.bit_offset / 8,
        count,
        bytes: number.bytes,
        signed: number.signed,
    };
    Ok((elements, Value::Field(element, number)))
}
