// SPDX-License-Identifier: MIT OR Apache-2.0
//! The kernel module that stands for an application: what it declares, its source, and its file.
//!
//! ```text
//! Ufunc, Accessor … ──model──▶ Module (types, kfuncs, metadata) ──┬──rust_source──▶ kmod/gen.rs
//!                                                                 └──object──▶ ufunc.ko
//! ```

mod accessors;
pub mod collision;
pub mod object;
pub mod rust_source;
mod seal;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, bail, ensure};

use crate::access::{Accessor, at_place, locate};
use crate::btf::check::check;
use crate::btf::dedup::dedup;
use crate::btf::encode::Encoded;
use crate::btf::view::View;
use crate::btf::{Composite, IntEncoding, Linkage, Member, Name, Param, Type, TypeId};
use crate::dwarf::DebugInfo;
use crate::dwarf::shape::Shape;
use crate::dwarf::types::TypeReader;
use crate::elf::Host;
use crate::ident::btf_name;
use crate::kernel::{KFUNC_TAG, NAME_MAX};
use crate::metadata::{MODULE_STRUCT, ModuleMetadata, OWNER_TAG, Role, Target, UfuncMetadata};
use crate::ufunc::Ufunc;

pub use accessors::Granted;

/// Id of the one type in the base, `int`.
const INT: TypeId = TypeId(1);
/// Id of the first type of the module's own.
const FIRST: u32 = 2;

/// What the module declares to the kernel.
#[derive(Debug)]
pub struct Module<'a> {
    /// What it says of the application.
    pub metadata: ModuleMetadata,
    /// The pseudo kfuncs: those of functions by name, then those of accessors.
    pub kfuncs: Vec<Kfunc<'a>>,
    /// The types that it shares with the kernel (`.BTF.base`), from id 1.
    pub base: Vec<Type<'a>>,
    /// Its own types (`.BTF`), from the id after the base's last.
    pub types: Vec<Type<'a>>,
}

/// A pseudo kfunc.
#[derive(Debug)]
pub struct Kfunc<'a> {
    /// Id of its `FUNC` among the types.
    pub id: TypeId,
    /// The name by which the kernel knows it.
    pub name: String,
    /// `KF_*`
    pub flags: u32,
    /// What it stands for.
    pub stands_for: StandsFor<'a>,
}

/// What a pseudo kfunc stands for.
#[derive(Debug)]
pub enum StandsFor<'a> {
    /// A function of the application.
    Function(Box<Ufunc<'a>>),
    /// An access to its objects.
    Access(Box<Granted>),
}

impl Kfunc<'_> {
    /// What it is to the verifier.
    pub fn role(&self) -> Role {
        match &self.stands_for {
            StandsFor::Function(ufunc) => ufunc.role,
            StandsFor::Access(granted) => granted.accessor.action.role(),
        }
    }

    /// As C declares it.
    pub fn c(&self) -> &str {
        match &self.stands_for {
            StandsFor::Function(ufunc) => &ufunc.signature.c,
            StandsFor::Access(granted) => granted.c(),
        }
    }

    /// `file:line` of the function, or of the policy that grants the access.
    pub fn source(&self) -> Option<String> {
        match &self.stands_for {
            StandsFor::Function(ufunc) => {
                ufunc.function.source.as_ref().map(|source| source.short())
            }
            StandsFor::Access(granted) => granted.metadata().source,
        }
    }

    /// What its stub takes and returns.
    fn shapes(&self) -> (Vec<Shape>, Shape) {
        match &self.stands_for {
            StandsFor::Function(ufunc) => {
                let params = ufunc.signature.params.iter().map(|(_, shape)| shape.clone());
                (params.collect(), ufunc.signature.returns.clone())
            }
            StandsFor::Access(granted) => granted.shapes(),
        }
    }
}

/// The types in their binary form.
#[derive(Debug)]
pub struct ModuleBtf {
    /// Contents of `.BTF.base`.
    pub base: Encoded,
    /// Contents of `.BTF`.
    pub own: Encoded,
}

impl<'a> Module<'a> {
    /// The module that declares `ufuncs` of `host`, and what `accessors` there are to its objects.
    ///
    /// Fails if the types that they need cannot be read or would be refused by the kernel, if a
    /// family's functions disagree on what they acquire and release, or if there is nothing that an
    /// accessor could be about.
    pub fn new(
        host: &Host<'_>,
        debug: &DebugInfo<'a>,
        ufuncs: Vec<Ufunc<'a>>,
        accessors: Vec<Accessor>,
    ) -> Result<Self> {
        let base = vec![int()];
        let mut reader = TypeReader::new(debug, FIRST, Some(INT));
        let mut signatures = Vec::new();
        for ufunc in &ufuncs {
            let ret = reader.id(ufunc.function.return_type)?;
            let params = ufunc.function.params.iter().map(|param| reader.id(param.ty));
            signatures.push((ret, params.collect::<Result<Vec<_>>>()?));
        }
        let mut granted_of = Vec::new();
        for accessor in &accessors {
            let place = at_place(&accessor.place, locate::object(debug, &accessor.object))?;
            granted_of.push(reader.id(Some(place))?);
        }
        let (types, ids) = dedup(reader.finish()?, FIRST);
        let merged = |id: TypeId| match id.0.checked_sub(FIRST) {
            Some(index) => ids.get(index as usize).copied().unwrap_or(id),
            None => id,
        };
        let mut types = Types { types };
        for (ret, params) in &mut signatures {
            *ret = merged(*ret);
            params.iter_mut().for_each(|param| *param = merged(*param));
        }
        let granted_of = granted_of.into_iter().map(merged).collect();
        let acquired = types.acquired(&ufuncs, &signatures);
        let granted = accessors::resolve(&types, accessors, granted_of, &acquired)?;
        let pointers = signatures.iter().flat_map(|(ret, params)| params.iter().chain([ret]));
        let objects = pointers.filter_map(|id| types.view().pointee(*id));
        let objects: BTreeSet<_> = objects.chain(granted.iter().map(Granted::object)).collect();
        seal::seal(&mut types.types, FIRST, INT, objects)?;
        let mut pointers = accessors::Pointers::default();
        let apart = accessors::told_apart(&granted);
        pointers.owned = types.wrap_families(&ufuncs, &mut signatures, &apart)?;
        let mut lent: Vec<_> = ufuncs.iter().map(metadata).collect();
        lent.extend(granted.iter().map(Granted::metadata));
        lent.sort_by(|one, other| one.kfunc.cmp(&other.kfunc));
        let metadata =
            ModuleMetadata { host: host.name(), build_id: host.build_id()?, ufuncs: lent };
        let mut kfuncs = Vec::new();
        for (ufunc, (ret, params)) in ufuncs.into_iter().zip(signatures) {
            let id = types.add_kfunc(&ufunc, ret, params);
            let (name, flags) = (ufunc.kfunc.clone(), ufunc.flags());
            kfuncs.push(Kfunc { id, name, flags, stands_for: StandsFor::Function(ufunc.into()) });
        }
        for granted in granted {
            let id = types.add_accessor(&granted, &mut pointers);
            let (name, flags) = (granted.accessor.kfunc.clone(), granted.accessor.flags());
            kfuncs.push(Kfunc { id, name, flags, stands_for: StandsFor::Access(granted.into()) });
        }
        types.add_metadata(&metadata);
        check(base.iter().chain(&types.types))?;
        Ok(Module { metadata, kfuncs, base, types: types.types })
    }

    /// Has several modules of one application get along with each other: puts `prefix` before the
    /// names by which the kernel knows the kfuncs, and has the module say who its `owner` is. What
    /// the metadata calls them stays.
    pub fn set_apart(&mut self, prefix: &str, owner: &str) -> Result<()> {
        let apart = |name: &str| -> Result<String> {
            let name = format!("{prefix}{name}");
            ensure!(name.len() <= NAME_MAX, "'{name}' is too long for the kernel");
            Ok(name)
        };
        for kfunc in &mut self.kfuncs {
            kfunc.name = apart(&kfunc.name)?;
            // The id is among the module's own: `Module::new` made it from their number.
            if let Some(Type::Func { name, .. }) = self.types.get_mut((kfunc.id.0 - FIRST) as usize)
            {
                *name = Name::Owned(kfunc.name.clone());
            }
        }
        let marker = self.types.iter().position(
            |ty| matches!(ty, Type::Struct(composite) if composite.name == MODULE_STRUCT),
        );
        let marker = marker.context("the module does not say whose it is")?;
        let target = TypeId(FIRST + marker as u32);
        let value = Name::Owned(format!("{OWNER_TAG}{owner}"));
        self.types.push(Type::DeclTag { value, target, component: -1 });
        Ok(())
    }

    /// Encodes the types.
    pub fn btf(&self) -> Result<ModuleBtf> {
        let base = Encoded::new(&self.base, 0).context("failed to write the module's base BTF")?;
        let base_strings = base.strings.len() as u32;
        let own =
            Encoded::new(&self.types, base_strings).context("failed to write the module's BTF")?;
        Ok(ModuleBtf { base, own })
    }
}

/// C's `int`, which every kernel's BTF has. The kernel finds it there by name and size, and a base
/// without any type is refused.
fn int() -> Type<'static> {
    let encoding = IntEncoding { signed: true, ..IntEncoding::default() };
    Type::Int { name: Name::Borrowed("int"), size: 4, encoding, bit_offset: 0, bits: 32 }
}

fn metadata(ufunc: &Ufunc<'_>) -> UfuncMetadata {
    UfuncMetadata {
        kfunc: ufunc.kfunc.clone(),
        role: ufunc.role,
        target: Target::Function {
            symbol: ufunc.function.symbol().to_owned(),
            address: ufunc.address,
        },
        family: ufunc.family.clone(),
        source: ufunc.function.source.as_ref().map(|source| source.short()),
        arguments: ufunc.signature.told_arguments().to_vec(),
    }
}

/// The module's own types while they are put together.
struct Types<'a> {
    types: Vec<Type<'a>>,
}

impl<'a> Types<'a> {
    fn push(&mut self, ty: Type<'a>) -> TypeId {
        let id = TypeId(FIRST + self.types.len() as u32);
        self.types.push(ty);
        id
    }

    fn view(&self) -> View<'_, 'a> {
        View::new(&self.types, FIRST)
    }

    /// Gives each family beyond the first of a struct a type of its own, which wraps the struct at
    /// offset 0. The kernel matches a release by the type alone, so without it one family's
    /// object could be released by another's function; and everywhere else an object of the
    /// wrapping type is accepted as the struct that it begins with.
    ///
    /// For the structs in `apart` there is one more, which all families' objects are or begin with, and
    /// nothing else; returned are pointers to these, by the struct.
    fn wrap_families(
        &mut self,
        ufuncs: &[Ufunc<'a>],
        signatures: &mut [(TypeId, Vec<TypeId>)],
        apart: &BTreeSet<TypeId>,
    ) -> Result<BTreeMap<TypeId, TypeId>> {
        // The objects of each family, by struct.
        let mut families = BTreeMap::<TypeId, BTreeMap<&str, TypeId>>::new();
        let mut structs = BTreeMap::<&str, (TypeId, &Ufunc<'_>)>::new();
        for (ufunc, signature) in ufuncs.iter().zip(&*signatures) {
            let Some(place) = object(ufunc, signature) else { continue };
            let family = ufunc.family.as_deref().unwrap_or_default();
            let pointer = *place;
            let Some(target) = self.view().pointee(pointer) else {
                bail!("the object of {} is not a struct with a known layout", ufunc.kfunc);
            };
            let (first, other) = *structs.entry(family).or_insert((target, ufunc));
            if first != target {
                bail!(
                    "{} and {} are of one family, '{family}', but of different structs (or of one that their files define differently); put them into families of their own",
                    other.kfunc,
                    ufunc.kfunc
                );
            }
            families.entry(target).or_default().insert(family, pointer);
        }
        let mut owned = BTreeMap::new();
        for (target, families) in families {
            let own_name = self.view().get(target).map(|ty| ty.name().clone()).unwrap_or_default();
            // The struct's own family, if there is one, keeps the plain type.
            let plain = match families.contains_key(own_name.as_ref()) {
                true => own_name.as_ref(),
                false => families.keys().next().copied().unwrap_or_default(),
            };
            let mut base = target;
            if apart.contains(&target) {
                base = self.add_wrapper(target, &own_name, "owned");
                owned.insert(target, self.push(Type::Ptr(base)));
            }
            for family in families.keys() {
                let pointer = match (*family == plain, owned.get(&target)) {
                    (true, None) => continue,
                    (true, Some(pointer)) => *pointer,
                    (false, _) => {
                        let wrapper = self.add_wrapper(base, &own_name, family);
                        self.push(Type::Ptr(wrapper))
                    }
                };
                for (ufunc, signature) in ufuncs.iter().zip(&mut *signatures) {
                    if ufunc.family.as_deref() == Some(*family)
                        && let Some(place) = object_mut(ufunc, signature)
                    {
                        *place = pointer;
                    }
                }
            }
        }
        Ok(owned)
    }

    /// The structs of which `ufuncs` acquire objects.
    fn acquired(
        &self,
        ufuncs: &[Ufunc<'a>],
        signatures: &[(TypeId, Vec<TypeId>)],
    ) -> BTreeSet<TypeId> {
        let acquiring = ufuncs.iter().zip(signatures);
        let acquiring = acquiring.filter(|(ufunc, _)| ufunc.role == Role::Acquire);
        acquiring.filter_map(|(_, (ret, _))| self.view().pointee(*ret)).collect()
    }

    /// A struct that has nothing but a `target`, called `name` with `suffix`.
    fn add_wrapper(&mut self, target: TypeId, name: &str, suffix: &str) -> TypeId {
        let (size, is_union) = match self.view().get(target) {
            Some(Type::Union(composite)) => (composite.size, true),
            Some(Type::Struct(composite)) => (composite.size, false),
            _ => (0, false),
        };
        let prefix = if is_union && name.is_empty() { "union" } else { name };
        let wrapped =
            Member { name: Name::Borrowed("_"), ty: target, bit_offset: 0, bitfield_size: 0 };
        self.push(Type::Struct(Composite {
            name: Name::Owned(format!("{prefix}__{suffix}")),
            size,
            members: vec![wrapped],
        }))
    }

    fn add_kfunc(&mut self, ufunc: &Ufunc<'a>, ret: TypeId, params: Vec<TypeId>) -> TypeId {
        let names = ufunc.signature.params.iter().map(|(name, _)| Name::Owned(name.clone()));
        let params = names.zip(params).map(|(name, ty)| Param { name, ty }).collect();
        let proto = self.push(Type::FuncProto { ret, params });
        let name = Name::Owned(ufunc.kfunc.clone());
        let id = self.push(Type::Func { name, proto, linkage: Linkage::Global });
        self.add_tag(id, KFUNC_TAG.to_owned());
        for tag in metadata(ufunc).tags() {
            self.add_tag(id, tag);
        }
        id
    }

    fn add_metadata(&mut self, metadata: &ModuleMetadata) {
        let name = btf_name(MODULE_STRUCT.into());
        let id = self.push(Type::Struct(Composite { name, size: 0, members: Vec::new() }));
        for tag in metadata.module_tags() {
            self.add_tag(id, tag);
        }
    }

    fn add_tag(&mut self, target: TypeId, value: String) {
        self.push(Type::DeclTag { value: Name::Owned(value), target, component: -1 });
    }
}

/// The place in the signature of the object that `ufunc` acquires or releases.
fn object<'s>(ufunc: &Ufunc<'_>, signature: &'s (TypeId, Vec<TypeId>)) -> Option<&'s TypeId> {
    match ufunc.role {
        Role::Acquire => Some(&signature.0),
        Role::Release => signature.1.get(ufunc.signature.object_param()?),
        Role::Plain => None,
    }
}

fn object_mut<'s>(
    ufunc: &Ufunc<'_>,
    signature: &'s mut (TypeId, Vec<TypeId>),
) -> Option<&'s mut TypeId> {
    match ufunc.role {
        Role::Acquire => Some(&mut signature.0),
        Role::Release => signature.1.get_mut(ufunc.signature.object_param()?),
        Role::Plain => None,
    }
}
