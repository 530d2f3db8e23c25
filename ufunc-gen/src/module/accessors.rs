// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the module declares of accessors: their types, which say what objects they take.
//!
//! The kernel takes a struct for what it begins with, never the other way round, and matches a
//! release by the very type. So a view has a type of its own that wraps the struct at offset 0, and
//! whatever takes the struct takes views, too:
//!
//! ```text
//! data ◀── data__borrowed             ufunc_borrow_data gives it, ufunc_put_data takes it
//!      ◀── data__owned ◀── data__pool only if something takes owned objects and no views
//! ```
//!
//! What takes both asks for `data`, what takes views for `data__borrowed`, and what takes owned objects
//! for `data__owned`, which then is what every family's objects are or begin with. A view of a struct that has
//! a `data` in it can be taken for a `data` anywhere in it; so that one is there wherever there are views.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

use super::{INT, Types};
use crate::access::grant::Kinds;
use crate::access::prototype::{Prototype, Value};
use crate::access::{self, Accessor, Action, at_place};
use crate::btf::{IntEncoding, Linkage, Param, Type, TypeId};
use crate::dwarf::shape::Shape;
use crate::kernel::KFUNC_TAG;
use crate::metadata::{Access, Target, UfuncMetadata};

/// An accessor whose object is known.
#[derive(Clone, Debug)]
pub struct Granted {
    /// What was granted.
    pub accessor: Accessor,
    pub(super) prototype: Prototype,
    /// The struct.
    object: TypeId,
    /// The objects that it takes.
    pub(super) kinds: Kinds,
}

impl Granted {
    /// As C declares it.
    pub fn c(&self) -> &str {
        &self.prototype.c
    }

    /// What it does.
    pub fn access(&self) -> &Access {
        &self.prototype.access
    }

    /// The struct.
    pub(super) fn object(&self) -> TypeId {
        self.object
    }

    /// What it takes and returns.
    pub(super) fn shapes(&self) -> (Vec<Shape>, Shape) {
        let shape = |value: Value| match value {
            Value::Void => Shape::Void,
            Value::Object => {
                Shape::StructPointer { name: self.accessor.object.name.clone(), defined: true }
            }
            Value::Address => Shape::Scalar(8),
            Value::Index | Value::Outcome => Shape::Scalar(4),
            Value::Field(_, number) => Shape::Scalar(number.bytes.into()),
        };
        let params = self.prototype.params.iter().map(|(_, value)| shape(*value));
        (params.collect(), shape(self.prototype.returns))
    }

    /// What the module says of it.
    pub(super) fn metadata(&self) -> UfuncMetadata {
        let place = self.accessor.place.as_str();
        UfuncMetadata {
            kfunc: self.accessor.kfunc.clone(),
            role: self.accessor.action.role(),
            target: Target::Access {
                access: self.prototype.access.clone(),
                of: self.accessor.subject(),
            },
            family: self.accessor.family(),
            // Without the file's folder, so that it does not matter from where it was read.
            source: Some(place.rsplit('/').next().unwrap_or(place).to_owned()),
            arguments: Vec::new(),
        }
    }
}

/// The accessors, whose objects are the types `objects`; functions acquire objects of the structs
/// `acquired`.
///
/// Fails for what cannot be granted, with the policy's line.
pub(super) fn resolve(
    types: &Types<'_>,
    accessors: Vec<Accessor>,
    objects: Vec<TypeId>,
    acquired: &BTreeSet<TypeId>,
) -> Result<Vec<Granted>> {
    let bare = |id: TypeId| types.view().bare(id);
    let named = accessors.iter().zip(&objects);
    let borrowed = named.filter(|(accessor, _)| accessor.action == Action::Borrow);
    let borrowed: BTreeSet<_> = borrowed.map(|(_, object)| bare(*object)).collect();
    let known = access::field::Types { view: types.view(), int: Some(INT) };
    let granted = accessors.into_iter().zip(objects).map(|(accessor, object)| {
        let place = accessor.place.clone();
        let resolve = || {
            let prototype = Prototype::new(known, object, &accessor)?;
            let object = bare(object);
            let there =
                Kinds { owned: acquired.contains(&object), borrowed: borrowed.contains(&object) };
            let kinds = match accessor.action {
                Action::Borrow | Action::Put => Kinds { owned: false, borrowed: true },
                Action::Write(_, kinds) => access::resolve_kinds(kinds, there, &accessor.object)?,
                Action::Read(_) => {
                    access::resolve_kinds(None, there, &accessor.object)?;
                    // Whatever can be had may be read.
                    Kinds { owned: true, borrowed: true }
                }
            };
            Ok(Granted { accessor, prototype, object, kinds })
        };
        at_place(&place, resolve())
    });
    granted.collect()
}

/// The structs of which owned objects have to be told from all others.
pub(super) fn told_apart(granted: &[Granted]) -> BTreeSet<TypeId> {
    let has_views = granted.iter().any(|granted| granted.accessor.action == Action::Borrow);
    let only_owned = granted.iter().filter(|granted| has_views && !granted.kinds.borrowed);
    only_owned.map(|granted| granted.object).collect()
}

/// Pointers to what wraps a struct, by the struct.
#[derive(Default)]
pub(super) struct Pointers {
    plain: BTreeMap<TypeId, TypeId>,
    borrowed: BTreeMap<TypeId, TypeId>,
    /// To what [`Types::wrap_families`] made.
    pub(super) owned: BTreeMap<TypeId, TypeId>,
}

impl<'a> Types<'a> {
    /// Adds the kfunc of `granted`; its id.
    pub(super) fn add_accessor(&mut self, granted: &Granted, pointers: &mut Pointers) -> TypeId {
        let object = self.object_pointer(granted, pointers);
        let ret = self.value(granted.prototype.returns, object);
        let mut params = Vec::new();
        for (name, value) in &granted.prototype.params {
            params.push(Param { name: (*name).into(), ty: self.value(*value, object) });
        }
        let proto = self.push(Type::FuncProto { ret, params });
        let name = granted.accessor.kfunc.clone().into();
        let id = self.push(Type::Func { name, proto, linkage: Linkage::Global });
        self.add_tag(id, KFUNC_TAG.to_owned());
        for tag in granted.metadata().tags() {
            self.add_tag(id, tag);
        }
        id
    }

    /// The pointer that says what objects `granted` takes or gives.
    fn object_pointer(&mut self, granted: &Granted, pointers: &mut Pointers) -> TypeId {
        let object = granted.object;
        if !granted.kinds.owned {
            return *pointers.borrowed.entry(object).or_insert_with(|| {
                let wrapper = self.add_wrapper(object, &granted.accessor.object.name, "borrowed");
                self.push(Type::Ptr(wrapper))
            });
        }
        let apart = pointers.owned.get(&object).filter(|_| !granted.kinds.borrowed);
        match apart {
            Some(pointer) => *pointer,
            None => *pointers.plain.entry(object).or_insert_with(|| self.push(Type::Ptr(object))),
        }
    }

    fn value(&mut self, value: Value, object: TypeId) -> TypeId {
        match value {
            Value::Void => TypeId::VOID,
            Value::Object => object,
            Value::Address => self.unsigned("unsigned long long", 8),
            Value::Index => self.unsigned("unsigned int", 4),
            Value::Outcome => INT,
            Value::Field(ty, _) => ty,
        }
    }

    /// An unsigned integer of so many bytes.
    fn unsigned(&mut self, name: &'static str, size: u32) -> TypeId {
        let (encoding, bits) = (IntEncoding::default(), size as u8 * 8);
        let ty = Type::Int { name: name.into(), size, encoding, bit_offset: 0, bits };
        match self.types.iter().position(|other| *other == ty) {
            Some(place) => TypeId(super::FIRST + place as u32),
            None => self.push(ty),
        }
    }
}
