// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the kfuncs that a program calls stand for.
//!
//! An instruction has the number of a type: in the kernel's BTF, or in that of the module that was
//! generated from the application. This says of each what it is called and how the application's
//! function is called. The module's types are the ones that `ufunc-gen` read from the DWARF of the
//! very build that the module names, and they are what the verifier went by; so they are taken
//! here too, and an application that has lost its debug information since is served all the same.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use ufunc_gen::btf::decode::Btf;
use ufunc_gen::btf::{Type, TypeId};
use ufunc_gen::kernel::{SYSFS_BTF, VMLINUX};
use ufunc_gen::metadata::{Access, Role, Target};

use super::package::{Kfunc, Meaning, Passed, Ufunc};
use crate::modules::LoadedModule;

/// The number by which instructions name the kernel's own BTF.
const KERNEL: i16 = 0;

/// What kfuncs stand for.
pub(crate) struct Kfuncs {
    /// The application's functions, by the numbers that the module's BTF gives them.
    lent: BTreeMap<i32, Ufunc>,
    /// What is granted of its memory, with the names of the kfuncs.
    granted: BTreeMap<i32, (String, Access)>,
    /// Those of them that programs call, in the order in which they were met.
    called: Vec<Ufunc>,
    /// The kernel's own, once somebody asked for one.
    kernel: Option<HashMap<i32, String>>,
}

impl Kfuncs {
    /// Those that `module` declares. Their file is the package's first one until somebody says
    /// otherwise.
    pub(crate) fn of(module: Option<&LoadedModule>) -> Result<Kfuncs> {
        let declared = module.map(|module| {
            let declared = declared(module);
            declared.with_context(|| format!("failed to read the types of module {}", module.name))
        });
        let Declared { lent, granted } = declared.transpose()?.unwrap_or_default();
        Ok(Kfuncs { lent, granted, called: Vec::new(), kernel: None })
    }

    /// What the kfunc `id` of `module` stands for.
    ///
    /// `names` are the kfuncs of the object: nothing else can be meant.
    pub(crate) fn resolve(&mut self, id: i32, module: i16, names: &[String]) -> Result<Kfunc> {
        let meaning = match module {
            KERNEL => Meaning::Kernel(self.of_kernel(id)?),
            _ => {
                let access = self.granted.get(&id).filter(|(kfunc, _)| names.contains(kfunc));
                if let Some((_, access)) = access {
                    return Ok(Kfunc { id, module, meaning: Meaning::Access(access.clone()) });
                }
                let ufunc = self.lent.get(&id);
                let ufunc = ufunc.filter(|ufunc| names.contains(&ufunc.kfunc));
                let ufunc = ufunc.with_context(|| {
                    format!(
                        "kfunc {id} is of a module of the kernel: it cannot run in an application"
                    )
                })?;
                Meaning::Ufunc(place(&mut self.called, ufunc))
            }
        };
        Ok(Kfunc { id, module, meaning })
    }

    /// The application's functions that programs call, and those that release what they acquire.
    pub(crate) fn called(mut self, module: Option<&LoadedModule>) -> Vec<Ufunc> {
        for at in 0..self.called.len() {
            let Some(acquire) = self.called.get(at).filter(|ufunc| ufunc.role == Role::Acquire)
            else {
                continue;
            };
            let relatives = module.map(|module| module.relatives(&acquire.kfunc, Role::Release));
            // One that takes nothing but the object needs no arguments made up.
            let releases = relatives.into_iter().flatten().filter_map(|relative| {
                self.lent.values().find(|ufunc| ufunc.kfunc == relative.kfunc)
            });
            let simplest = releases.min_by_key(|ufunc| ufunc.parameters.len());
            let Some(release) = simplest.filter(|ufunc| ufunc.parameters.len() == 1).cloned()
            else {
                continue;
            };
            let place = place(&mut self.called, &release);
            if let Some(acquire) = self.called.get_mut(at) {
                acquire.released_by = Some(place);
            }
        }
        self.called
    }

    fn of_kernel(&mut self, id: i32) -> Result<String> {
        let names = match &mut self.kernel {
            Some(names) => names,
            unread => unread.insert(kernel_functions()?),
        };
        names.get(&id).cloned().with_context(|| format!("the kernel's BTF has no function {id}"))
    }
}

/// The place of `ufunc` among those that are `called`.
fn place(called: &mut Vec<Ufunc>, ufunc: &Ufunc) -> usize {
    called.iter().position(|other| other.kfunc == ufunc.kfunc).unwrap_or_else(|| {
        called.push(ufunc.clone());
        called.len() - 1
    })
}

fn read(name: &str) -> Result<Vec<u8>> {
    let path = Path::new(SYSFS_BTF).join(name);
    fs::read(&path).with_context(|| format!("failed to read {}", path.display()))
}

/// The functions of the kernel itself.
fn kernel_functions() -> Result<HashMap<i32, String>> {
    let bytes = read(VMLINUX)?;
    let mut names = HashMap::new();
    for item in Btf::parse(&bytes)?.types() {
        if let (id, Type::Func { name, .. }) = item? {
            names.insert(id.0.cast_signed(), name.into_owned());
        }
    }
    Ok(names)
}

/// What a module declares, by the numbers that its BTF gives that.
#[derive(Debug, Default)]
struct Declared {
    lent: BTreeMap<i32, Ufunc>,
    granted: BTreeMap<i32, (String, Access)>,
}

/// What `module` declares.
fn declared(module: &LoadedModule) -> Result<Declared> {
    let (kernel, own) = (read(VMLINUX)?, read(&module.name)?);
    let kernel = Btf::parse(&kernel)?;
    declared_in(module, &kernel, &Btf::parse_split(&own, &kernel)?)
}

fn declared_in(module: &LoadedModule, kernel: &Btf<'_>, own: &Btf<'_>) -> Result<Declared> {
    let (kernel, types) = (kernel.index()?, own.index()?);
    let get = |id: TypeId| types.get(id).or_else(|_| kernel.get(id));
    let mut found = Declared::default();
    for item in own.types() {
        let (id, Type::Func { name, proto, .. }) = item? else { continue };
        let Some(ufunc) = module.ufunc(&name) else { continue };
        let (symbol, address) = match &ufunc.target {
            Target::Function { symbol, address } => (symbol.clone(), *address),
            Target::Access { access, .. } => {
                let granted = (ufunc.kfunc.clone(), access.clone());
                found.granted.insert(id.0.cast_signed(), granted);
                continue;
            }
        };
        let Type::FuncProto { ret, params } = get(proto)? else {
            bail!("function {name} has no signature")
        };
        let value = |id, what: &dyn Fn() -> String| {
            let value = passed(id, get);
            value.with_context(|| format!("{} of {name}", what()))
        };
        let parameters = params.iter().enumerate();
        let parameters = parameters.map(|(index, param)| {
            let passed = value(param.ty, &|| format!("argument {}", index + 1))?;
            passed.with_context(|| format!("argument {} of {name} is void", index + 1))
        });
        let ufunc = Ufunc {
            kfunc: ufunc.kfunc.clone(),
            role: ufunc.role,
            symbol,
            file: 0,
            address,
            parameters: parameters.collect::<Result<_>>()?,
            returns: value(ret, &|| "the result".to_owned())?,
            released_by: None,
        };
        found.lent.insert(id.0.cast_signed(), ufunc);
    }
    Ok(found)
}

/// How a value of the type `id` is passed; `None` for `void`.
fn passed<'a>(id: TypeId, get: impl Fn(TypeId) -> Result<Type<'a>>) -> Result<Option<Passed>> {
    let Some(ty) = bare(id, &get)? else { return Ok(None) };
    let integer = |size, signed| {
        let passed = Passed::integer(size, signed);
        passed.with_context(|| format!("it is an integer of {size} bytes"))
    };
    Ok(Some(match ty {
        Type::Ptr(target) => match bare(target, get)? {
            Some(Type::Struct(_) | Type::Union(_)) => Passed::Object,
            _ => Passed::Pointer,
        },
        Type::Int { size, encoding, .. } if encoding.bool => {
            ensure!(size == 1, "it is a bool of {size} bytes");
            Passed::Bool
        }
        Type::Int { size, encoding, .. } => integer(size, encoding.signed)?,
        Type::Enum { size, signed, .. } | Type::Enum64 { size, signed, .. } => {
            integer(size, signed)?
        }
        other => bail!("it is a {}, which no register holds", other.kind_name()),
    }))
}

/// The type `id` without typedefs and qualifiers; `None` for `void`.
fn bare<'a>(id: TypeId, get: impl Fn(TypeId) -> Result<Type<'a>>) -> Result<Option<Type<'a>>> {
    /// No chain of typedefs is longer.
    const CHAIN_MAX: usize = 64;
    let mut at = id;
    for _ in 0..CHAIN_MAX {
        if at == TypeId::VOID {
            return Ok(None);
        }
        let ty = get(at)?;
        match ty.modified() {
            Some(target) => at = target,
            None => return Ok(Some(ty)),
        }
    }
    bail!("its type is a chain of more than {CHAIN_MAX} names")
}

#[cfg(test)]
mod tests {
    use super::*;
    use ufunc_gen::btf::encode::Encoded;
    use ufunc_gen::btf::{IntEncoding, Linkage, Param};
    use ufunc_gen::metadata::{BuildId, ModuleMetadata, UfuncMetadata};

    fn int(name: &'static str, size: u32, signed: bool, bool: bool) -> Type<'static> {
        let encoding = IntEncoding { signed, bool, ..IntEncoding::default() };
        Type::Int { name: name.into(), size, encoding, bit_offset: 0, bits: 8 }
    }

    fn param(ty: u32) -> Param<'static> {
        Param { name: "".into(), ty: TypeId(ty) }
    }

    fn module() -> LoadedModule {
        let ufunc = UfuncMetadata {
            kfunc: "f".to_owned(),
            role: Role::Plain,
            target: Target::Function { symbol: "f_of_app".to_owned(), address: 0x1230 },
            family: None,
            source: None,
            arguments: Vec::new(),
        };
        let view = UfuncMetadata {
            kfunc: "g".to_owned(),
            target: Target::Access { access: Access::Put, of: "struct data".to_owned() },
            ..ufunc.clone()
        };
        let metadata = ModuleMetadata {
            host: "app".to_owned(),
            build_id: BuildId(vec![1]),
            ufuncs: vec![ufunc, view],
        };
        LoadedModule { name: "ufunc".to_owned(), metadata, prefix: String::new() }
    }

    #[test]
    fn signatures_are_the_modules() {
        let kernel = Encoded::new(&[int("int", 4, true, false)], 0).unwrap();
        let own = [
            int("_Bool", 1, false, true),
            Type::Typedef { name: "handle".into(), target: TypeId(4) },
            Type::Ptr(TypeId::VOID),
            Type::FuncProto { ret: TypeId(2), params: vec![param(1), param(3)] },
            Type::Func { name: "f".into(), proto: TypeId(5), linkage: Linkage::Static },
            Type::Func { name: "g".into(), proto: TypeId(5), linkage: Linkage::Static },
            Type::Func { name: "h".into(), proto: TypeId(5), linkage: Linkage::Static },
        ];
        let own = Encoded::new(&own, kernel.strings.len() as u32).unwrap().to_bytes().unwrap();
        let kernel = kernel.to_bytes().unwrap();
        let kernel = Btf::parse(&kernel).unwrap();
        let own = Btf::parse_split(&own, &kernel).unwrap();
        let Declared { lent, granted } = declared_in(&module(), &kernel, &own).unwrap();
        let [(6, ufunc)] = lent.iter().map(|(id, ufunc)| (*id, ufunc)).collect::<Vec<_>>()[..]
        else {
            panic!("{lent:?}")
        };
        assert_eq!(ufunc.parameters, [Passed::I32, Passed::Pointer]);
        assert_eq!(ufunc.returns, Some(Passed::Bool));
        assert_eq!((ufunc.symbol.as_str(), ufunc.address), ("f_of_app", 0x1230));

        let names = ["f".to_owned()];
        let mut kfuncs = Kfuncs { lent, granted, called: Vec::new(), kernel: None };
        let found = kfuncs.resolve(6, 1, &names).unwrap();
        assert_eq!(found.meaning, Meaning::Ufunc(0));
        assert!(kfuncs.resolve(7, 1, &names).is_err() && kfuncs.resolve(6, 1, &[]).is_err());
        let found = kfuncs.resolve(7, 1, &["g".to_owned()]).unwrap();
        assert_eq!(found.meaning, Meaning::Access(Access::Put));
        assert!(kfuncs.resolve(8, 1, &["h".to_owned()]).is_err());
        assert_eq!(kfuncs.called(None).len(), 1);
    }
}
