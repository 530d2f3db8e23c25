// SPDX-License-Identifier: MIT OR Apache-2.0
//! Native code of a package's programs.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail, ensure};
use ufunc_compile::{
    Binding, Code, Job, Map as MapReference, Options, Reach, Shape, Signature, Target,
};
use ufunc_gen::metadata::{Access, Role};
use ufunc_hook::program::{Clobbers, Vectors};
use ufunc_shared::context::{Field, Fields};
use ufunc_shared::helpers::{self, HelperKind};

use super::access;
use super::compiler;
use super::instructions;
use super::package::{self, Meaning, Package, Program, When};
use crate::helper_names;

/// Helpers that are not there to be called: what they return is known when the code is put in its
/// place. Numbers of the kernel's `enum bpf_func_id`.
const GET_FUNC_IP: u32 = 173;
const GET_ATTACH_COOKIE: u32 = 174;

/// What bindings name besides, as [`Target::Runtime`]: where printed lines go, what is told of
/// acquired and released objects and of a program's beginning, and, from the last number on, the
/// application's functions by their places in the package.
const LOG: u32 = 0;
const ACQUIRED: u32 = 1;
const RELEASED: u32 = 2;
const BEGIN: u32 = 3;
const FUNCTIONS: u32 = 4;
/// From here on: what the accesses of a program are given besides, by their places among its kfuncs.
const ACCESSES: u32 = 1 << 24;

/// Kfuncs of the kernel that the compiler itself knows, and which argument of a session's program
/// they return.
const THROW: &str = "bpf_throw";
const SESSION_COOKIE: (&str, u8) = ("bpf_session_cookie", 1);
const SESSION_IS_RETURN: (&str, u8) = ("bpf_session_is_return", 2);
/// What a session's program is given: the context, where its cookie is, and whether it is at the
/// return.
const SESSION_ARGUMENTS: u8 = 3;

/// A compiled program.
#[derive(Clone, Debug)]
pub(crate) struct Compiled {
    pub(crate) code: Code,
    /// What it reads and writes of its context, and what it changes besides.
    pub(crate) reads: Fields,
    pub(crate) writes: Fields,
    pub(crate) clobbers: Clobbers,
    /// Whether it may call what is hooked.
    pub(crate) calls_out: bool,
    /// Whether its code depends on where it is attached.
    pub(crate) depends_on_point: bool,
    /// Whether it goes on in other programs.
    pub(crate) tail_calls: bool,
}

/// Something outside of a program, as it is found in the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outside {
    /// A helper or kfunc of the runtime, by its place in [`helpers::HELPERS`] or
    /// [`helpers::KFUNCS`].
    Helper(usize),
    Kfunc(usize),
    /// A function of the application, by its place in the package.
    Ufunc(usize),
    /// A map or its only value, by the map's place in the package.
    Map(usize),
    MapValue(usize),
    /// The map that printed lines go to.
    Log,
    /// A number that is known.
    Value(u64),
    /// Where the program is attached.
    FunctionAddress,
    Cookie,
    /// What has no address.
    Nothing,
}

/// Compiles the programs of `package`, in their order.
///
/// Fails for what the runtime does not have, by its name.
pub(crate) fn compile_all(package: &Package) -> Result<Vec<Compiled>> {
    let cannot = |program: &Program| format!("cannot run program {}", program.name);
    let bound = package.programs.iter().map(|program| {
        let (job, about) = bind(package, program).with_context(|| cannot(program))?;
        Ok((job, (program, about)))
    });
    let (jobs, abouts): (Vec<_>, Vec<_>) = bound.collect::<Result<Vec<_>>>()?.into_iter().unzip();
    let codes = compiler::compile(&jobs)?.into_iter().zip(abouts);
    let compiled = codes.map(|(code, (program, about))| {
        code.map(|code| about.of(code)).with_context(|| cannot(program))
    });
    let mut compiled = compiled.collect::<Result<Vec<_>>>()?;
    // Who continues in another program has to have ready what any of them needs.
    let all =
        compiled.iter().fold((Fields::NONE, Fields::NONE, false), |(reads, writes, out), one| {
            (reads.union(one.reads), writes.union(one.writes), out || one.calls_out)
        });
    for one in compiled.iter_mut().filter(|one| one.tail_calls) {
        (one.reads, one.writes) = (all.0, all.1);
        one.clobbers = Clobbers::C_ABI;
        one.calls_out = all.2;
    }
    Ok(compiled)
}

/// What is known of a program by what it refers to.
#[derive(Clone, Copy, Default)]
struct About {
    vectors: Vectors,
    calls_out: bool,
    depends_on_point: bool,
    tail_calls: bool,
}

/// Says what everything is that `program` refers to.
fn bind(package: &Package, program: &Program) -> Result<(Job, About)> {
    let instructions = instructions::read(&program.instructions, &program.sha256)?;
    let shape = Shape { exception_callback: program.exception_callback, ..Shape::default() };
    let parsed = ufunc_compile::Program::parse(&instructions, &shape)?;
    let mut bindings = Vec::new();
    let mut about = About::default();
    for target in parsed.targets() {
        let outside = outside(program, target)?;
        if let Some((place, access)) = access_at(program, target) {
            let constant = ACCESSES.checked_add(u32::try_from(place)?);
            let binding = access::binding(access, constant.context("too many kfuncs")?);
            if access::function(access).is_some() {
                about.vectors = about.vectors.max(Vectors::Low);
            }
            bindings.push((target, binding));
            continue;
        }
        let binding = match outside {
            Outside::Helper(place) => {
                let helper = helpers::HELPERS.get(place).context("the helper is not known")?;
                about.calls_out |= helper.calls_out;
                if helper.vectors {
                    about.vectors = about.vectors.max(Vectors::Low);
                }
                let (signature, reach) = (Signature::words(helper.parameters.into()), Reach::Far);
                match helper.kind {
                    HelperKind::Function => Binding::Function { signature, reach },
                    HelperKind::Printing => {
                        Binding::WithConstant { signature, reach, constant: LOG }
                    }
                    HelperKind::TailCall => {
                        about.tail_calls = true;
                        Binding::TailCall { reach }
                    }
                }
            }
            Outside::Kfunc(place) => {
                let kfunc = helpers::KFUNCS.get(place).context("the kfunc is not known")?;
                about.vectors = about.vectors.max(Vectors::Low);
                let signature = Signature::words(kfunc.parameters.into());
                Binding::Function { signature, reach: Reach::Far }
            }
            Outside::Ufunc(place) => {
                let ufunc = package.ufuncs.get(place).context("the function is not there")?;
                (about.calls_out, about.vectors) = (true, Vectors::All);
                of_application(package, ufunc)?
            }
            Outside::Map(_) | Outside::MapValue(_) | Outside::Log => {
                Binding::Data { reach: Reach::Far }
            }
            Outside::FunctionAddress | Outside::Cookie => {
                about.depends_on_point = true;
                Binding::Constant
            }
            Outside::Value(_) => Binding::Constant,
            Outside::Nothing => without_address(program, target)?,
        };
        bindings.push((target, binding));
    }
    ensure!(
        program.when != When::Session || !about.tail_calls,
        "a session cannot go on in another program"
    );
    let arguments = if program.when == When::Session { SESSION_ARGUMENTS } else { 1 };
    let acquires = bindings.iter().any(|(_, binding)| matches!(binding, Binding::Acquire { .. }));
    let begin = acquires.then_some(BEGIN);
    let options = Options { arguments, begin, ..Options::default() };
    Ok((Job { instructions, shape, bindings, options }, about))
}

impl About {
    /// What is known of the program now that it is compiled.
    fn of(self, code: Code) -> Compiled {
        let About { vectors, calls_out, depends_on_point, tail_calls } = self;
        let own = if code.own_changes.vectors { Vectors::All } else { Vectors::None };
        let registers = if code.calls_outside {
            Fields::CALLER_SAVED
        } else {
            fields(code.own_changes.general)
        };
        let (reads, writes) = uses(&code);
        Compiled {
            reads,
            writes,
            clobbers: Clobbers { registers, vectors: vectors.max(own), x87: calls_out },
            calls_out,
            depends_on_point,
            tail_calls,
            code,
        }
    }
}

/// How a function of the application is called. What it acquires is noted, so that it is released
/// even if the program does not come to it.
fn of_application(package: &Package, ufunc: &package::Ufunc) -> Result<Binding> {
    let (signature, reach) = (ufunc.signature(), Reach::Far);
    let is_object = |passed: &package::Passed| *passed == package::Passed::Object;
    Ok(match (ufunc.role, ufunc.released_by) {
        (Role::Acquire, Some(release)) => Binding::Acquire {
            signature,
            reach,
            note: ACQUIRED,
            release: FUNCTIONS
                .checked_add(u32::try_from(release)?)
                .context("too many functions")?,
        },
        (Role::Release, _) => {
            // There is one: several could not be told apart.
            let object = ufunc.parameters.iter().position(is_object);
            let object = object.with_context(|| format!("{} releases nothing", ufunc.symbol))?;
            ensure!(package.ufuncs.len() < FUNCTIONS_MAX, "too many functions");
            Binding::Release { signature, reach, note: RELEASED, object: u8::try_from(object)? }
        }
        _ => Binding::Function { signature, reach },
    })
}

/// The access that `target` is, and its place among the kfuncs of `program`.
fn access_at(program: &Program, target: Target) -> Option<(usize, &Access)> {
    let Target::Kfunc { id, module } = target else { return None };
    let mut kfuncs = program.kfuncs.iter().enumerate();
    kfuncs.find_map(|(place, kfunc)| match &kfunc.meaning {
        Meaning::Access(access) if (kfunc.id, kfunc.module) == (id, module) => {
            Some((place, access))
        }
        _ => None,
    })
}

/// No program calls more functions of the application.
const FUNCTIONS_MAX: usize = 1 << 16;

/// What `target` of `program` is.
///
/// Fails for what the runtime does not have.
pub(crate) fn outside(program: &Program, target: Target) -> Result<Outside> {
    let place_of = |map: MapReference| {
        let MapReference::Descriptor(fd) = map else { bail!("{map} is not known") };
        let found = program.maps.iter().find(|(other, _)| *other == fd);
        found.map(|(_, place)| *place).with_context(|| format!("{map} is not known"))
    };
    Ok(match target {
        Target::Helper(GET_FUNC_IP) => Outside::FunctionAddress,
        Target::Helper(GET_ATTACH_COOKIE) => Outside::Cookie,
        Target::Helper(id) => {
            let place = helpers::HELPERS.iter().position(|helper| helper.id == id);
            Outside::Helper(place.with_context(|| no_helper(id))?)
        }
        Target::Kfunc { id, module } => {
            let kfunc =
                program.kfuncs.iter().find(|kfunc| (kfunc.id, kfunc.module) == (id, module));
            match &kfunc.with_context(|| format!("{target} is not known"))?.meaning {
                Meaning::Ufunc(place) => Outside::Ufunc(*place),
                Meaning::Access(access) => match access::function(access) {
                    Some(name) => Outside::Kfunc(runtime_function(name)?),
                    None => Outside::Value(0),
                },
                Meaning::Kernel(name) => match name.as_str() {
                    THROW => Outside::Nothing,
                    name if name == SESSION_COOKIE.0 || name == SESSION_IS_RETURN.0 => {
                        Outside::Nothing
                    }
                    name => {
                        let place = helpers::KFUNCS.iter().position(|kfunc| kfunc.name == name);
                        Outside::Kfunc(place.with_context(|| {
                            format!("it calls {name}, a function of the kernel, which there is none of in an application")
                        })?)
                    }
                },
            }
        }
        Target::Map(map) => Outside::Map(place_of(map)?),
        Target::MapValue(map) => Outside::MapValue(place_of(map)?),
        Target::Variable { .. } => {
            bail!("it uses a variable of the kernel, which an application does not have")
        }
        Target::Runtime(LOG) => Outside::Log,
        Target::Runtime(ACQUIRED) => Outside::Kfunc(runtime_function("ufunc_acquired")?),
        Target::Runtime(RELEASED) => Outside::Kfunc(runtime_function("ufunc_released")?),
        Target::Runtime(BEGIN) => Outside::Kfunc(runtime_function("ufunc_begin")?),
        Target::Runtime(number) if number >= ACCESSES => {
            let kfunc = program.kfuncs.get(usize::try_from(number - ACCESSES)?);
            let Some(Meaning::Access(access)) = kfunc.map(|kfunc| &kfunc.meaning) else {
                bail!("{target} is no access")
            };
            Outside::Value(access::constant(access))
        }
        Target::Runtime(number) => Outside::Ufunc(usize::try_from(number - FUNCTIONS)?),
    })
}

/// Says that there is no helper `id` in an application, and why, if there is more to say.
fn no_helper(id: u32) -> String {
    match helpers::REFUSED.iter().find(|(refused, ..)| *refused == id) {
        Some((_, name, why)) => {
            format!("it calls {name}, which cannot be had in an application: {why}")
        }
        None => format!("it calls {}, which cannot be had in an application", helper_names::of(id)),
    }
}

/// The place of what the runtime has for itself among the kfuncs.
fn runtime_function(name: &str) -> Result<usize> {
    let place = helpers::KFUNCS.iter().position(|kfunc| kfunc.name == name);
    place.with_context(|| format!("the runtime has no {name}"))
}

/// The binding of a kfunc that the compiler itself knows.
fn without_address(program: &Program, target: Target) -> Result<Binding> {
    let Target::Kfunc { id, module } = target else { bail!("{target} has no address") };
    let kfunc = program.kfuncs.iter().find(|kfunc| (kfunc.id, kfunc.module) == (id, module));
    let name = kfunc.map(|kfunc| &kfunc.meaning);
    let Some(Meaning::Kernel(name)) = name else { bail!("{target} has no address") };
    for (known, argument) in [SESSION_COOKIE, SESSION_IS_RETURN] {
        if name == known {
            // The verifier sees to it that only sessions ask.
            return Ok(Binding::Argument(argument));
        }
    }
    Ok(Binding::Throw)
}

/// What the code reads and writes of its context.
fn uses(code: &Code) -> (Fields, Fields) {
    let (mut reads, mut writes) = (Fields::NONE, Fields::NONE);
    for access in &code.context.accesses {
        // The verifier lets no access begin before the context.
        let fields = Fields::at(usize::try_from(access.offset).unwrap_or(0), access.bytes.into());
        if access.write {
            writes = writes.union(fields);
        } else {
            reads = reads.union(fields);
        }
    }
    for target in &code.context.passed_to {
        let helper = helpers::HELPERS.iter().find(|helper| *target == Target::Helper(helper.id));
        reads = reads.union(helper.map_or(Fields::NONE, |helper| helper.reads));
    }
    if code.context.everything {
        return (Fields::ALL, Fields::ALL);
    }
    (reads, writes)
}

/// General registers as the machine numbers them, as fields of the context.
fn fields(general: u32) -> Fields {
    const NUMBERED: [Field; 16] = [
        Field::Ax,
        Field::Cx,
        Field::Dx,
        Field::Bx,
        Field::Sp,
        Field::Bp,
        Field::Si,
        Field::Di,
        Field::R8,
        Field::R9,
        Field::R10,
        Field::R11,
        Field::R12,
        Field::R13,
        Field::R14,
        Field::R15,
    ];
    let numbered = NUMBERED.iter().enumerate();
    let changed = numbered.filter(|(number, _)| general >> number & 1 != 0);
    changed.fold(Fields::NONE, |fields, (_, field)| fields.with(*field))
}

/// The bytes of `compiled` at `base`, with the addresses that `address` knows.
pub(crate) fn link(
    program: &Program,
    compiled: &Compiled,
    base: u64,
    address: impl Fn(Outside) -> Option<u64>,
) -> Result<Vec<u8>> {
    let mut known = BTreeMap::new();
    compiled.code.link(base, |target| {
        *known.entry(target).or_insert_with(|| outside(program, target).ok().and_then(&address))
    })
}
