// SPDX-License-Identifier: MIT OR Apache-2.0
//! From a loaded object to the package that is handed over.

use std::collections::BTreeMap;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use libbpf_rs::{MapCore as _, MapFlags, MapType};
use rustix::system::uname;
use ufunc_compile::{Instruction, Shape, Target as Reference};
use ufunc_gen::btf::{Type, TypeId};
use ufunc_gen::elf::HostFile;
use ufunc_hook::site;

use super::instructions;
use super::kfuncs::Kfuncs;
use super::package::{
    Bytes, Contents, File, Kfunc, Map, MapForm, Meaning, Package, Point, Program, Verdict,
    Verified, When,
};
use crate::attach::load::Loaded;
use crate::attach::plan::{Plan, Planned, Target};
use crate::attach::section::Hook;
use crate::attach::slots;
use crate::attach::symbols::{Binary, Place};
use crate::attach::value::Types;
use crate::attach::{Prepared, raw};
use crate::object::BpfObject;

/// Fails for a program that has no place in an application.
pub(crate) fn check_sections(plan: &Plan) -> Result<()> {
    for planned in &plan.programs {
        let (name, section) = (&planned.program.name, &planned.program.section);
        match planned.section.hook {
            Hook::Uprobe { .. } | Hook::UprobeMulti { .. } => {}
            Hook::Usdt => bail!(
                "program {name} in SEC(\"{section}\") is on a USDT probe, which loader run cannot serve; attach it in the kernel with loader attach"
            ),
            _ => bail!(
                "program {name} in SEC(\"{section}\") is for a hook of the kernel, not for a function of an application: loader attach puts it there; name those to run with --program"
            ),
        }
    }
    Ok(())
}

/// The package of `object`, whose programs the kernel has just accepted.
///
/// Fails for anything that could not be run.
pub(crate) fn package(
    object: &BpfObject,
    plan: &Plan,
    prepared: &Prepared,
    cookie: u64,
) -> Result<Package> {
    let mut files = Files::default();
    let mut kfuncs = Kfuncs::of(prepared.module.as_ref())?;
    let loaded = &prepared.loaded;
    let maps: Vec<_> = loaded.maps().collect();
    let place_of_map = |name: &str| {
        let found = maps.iter().position(|map| map.name().to_string_lossy() == name);
        found.with_context(|| format!("map {name} was not made"))
    };
    let descriptors = loaded.descriptors();
    let mut programs = Vec::new();
    for planned in &plan.programs {
        let name = &planned.program.name;
        let mut program = program(planned, loaded)?;
        let references = {
            let instructions = instructions::read(&program.instructions, &program.sha256)?;
            let shape =
                Shape { exception_callback: program.exception_callback, ..Shape::default() };
            let parsed = ufunc_compile::Program::parse(&instructions, &shape);
            parsed.with_context(|| format!("cannot run program {name}"))?.targets()
        };
        for reference in references {
            match reference {
                Reference::Map(map) | Reference::MapValue(map) => {
                    let ufunc_compile::Map::Descriptor(fd) = map else {
                        bail!(
                            "program {name} names a map by its place, as no program of libbpf does"
                        )
                    };
                    let map = descriptors.iter().find(|(other, _)| *other == fd);
                    let (_, map) =
                        map.with_context(|| format!("program {name} names an unknown map ({fd})"))?;
                    program.maps.push((fd, place_of_map(map)?));
                }
                Reference::Kfunc { id, module } => {
                    let found = kfuncs.resolve(id, module, &prepared.kfuncs);
                    program
                        .kfuncs
                        .push(found.with_context(|| format!("cannot run program {name}"))?);
                }
                Reference::Variable { id, .. } => bail!(
                    "program {name} uses a variable of the kernel (type {id} of its BTF), which an application does not have"
                ),
                Reference::Helper(_) => {}
                // No instruction names any.
                Reference::Runtime(_) => {}
            }
        }
        program.maps.dedup();
        if let Target::Places { binary, places } = &planned.target {
            let file = files.place(&binary.path, binary.file())?;
            for place in places {
                let point = point(planned, binary, place, file, cookie);
                let at = || format!("cannot put program {name} on {}", place.name());
                program.points.push(point.with_context(at)?);
            }
        }
        programs.push(program);
    }
    let slots = slots::slots(&object.bytes, &loaded.types)?;
    let maps = maps
        .iter()
        .map(|map| {
            let described = self::map(map, &maps, loaded, &slots, plan);
            described.with_context(|| format!("cannot hand over map {}", map.name().display()))
        })
        .collect::<Result<_>>()?;
    let mut ufuncs = kfuncs.called(prepared.module.as_ref());
    if let Some(module) = &prepared.module {
        let of_build = |app: &&crate::host::App| {
            app.build_id().is_ok_and(|id| *id == module.metadata.build_id)
        };
        let app = prepared.apps.iter().find(of_build);
        let app = app.with_context(|| format!("module {} is of another build", module.name))?;
        let file = HostFile::open(&app.path)?;
        for ufunc in &mut ufuncs {
            ufunc.file = files.place(&app.path, &file)?;
            check_ufunc(&file, &ufunc.symbol, ufunc.address)?;
        }
        // Where fields are is known for this build only.
        let is_access = |kfunc: &Kfunc| matches!(kfunc.meaning, Meaning::Access(_));
        if programs.iter().any(|program| program.kfuncs.iter().any(is_access)) {
            files.place(&app.path, &file)?;
        }
    }
    let system = uname();
    Ok(Package {
        object: object.path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        verified: Verified {
            kernel: system.release().to_string_lossy().into_owned(),
            machine: system.machine().to_string_lossy().into_owned(),
            module: prepared.module.as_ref().map(|module| module.name.clone()),
            verdict: Verdict::Accepted,
        },
        files: files.files,
        ufuncs,
        maps,
        programs,
        btf: Bytes(loaded.btf()),
    })
}

/// The files of a package.
#[derive(Default)]
struct Files {
    paths: Vec<PathBuf>,
    files: Vec<File>,
}

impl Files {
    /// The place of the file at `path`.
    fn place(&mut self, path: &Path, file: &HostFile) -> Result<usize> {
        if let Some(place) = self.paths.iter().position(|other| other == path) {
            return Ok(place);
        }
        let host = file.parse()?;
        let build_id = host.build_id().context(
            "what runs could not be told from what was judged; link it with -Wl,--build-id",
        )?;
        self.paths.push(path.to_owned());
        self.files.push(File { name: host.name(), build_id: build_id.to_string() });
        Ok(self.files.len() - 1)
    }
}

/// The loaded program: its points and what it refers to are still missing.
fn program(planned: &Planned, loaded: &Loaded) -> Result<Program> {
    let name = &planned.program.name;
    let program = loaded.program(name).with_context(|| format!("{name} was not loaded"))?;
    let insns: Vec<Instruction> = program.insns().iter().map(instructions::instruction).collect();
    let tag = raw::program_tag(program.as_fd())
        .with_context(|| format!("failed to ask the kernel for program {name}"))?;
    instructions::check_tag(&insns, &tag).with_context(|| format!("cannot run program {name}"))?;
    let bytes = instructions::bytes(&insns);
    Ok(Program {
        name: name.clone(),
        section: planned.program.section.clone(),
        when: match planned.section.hook {
            Hook::Uprobe { returns: true } | Hook::UprobeMulti { returns: true, .. } => {
                When::Return
            }
            Hook::UprobeMulti { session: true, .. } => When::Session,
            _ => When::Entry,
        },
        sha256: instructions::sha256(&bytes.0),
        instructions: bytes,
        tag: Bytes(tag.to_vec()),
        exception_callback: exception_callback(name, &program, loaded)?,
        maps: Vec::new(),
        kfuncs: Vec::new(),
        points: Vec::new(),
    })
}

/// Where the function begins that is to get what `bpf_throw` throws: a tag on the program's own
/// function says which it is.
fn exception_callback(
    name: &str,
    program: &libbpf_rs::Program<'_>,
    loaded: &Loaded,
) -> Result<Option<usize>> {
    const TAG: &str = "exception_callback:";
    let types = &loaded.types;
    let tagged = types.iter().find_map(|(_, ty)| match ty {
        Type::DeclTag { value, target, .. } => {
            let is_own = types.get(*target).is_some_and(|ty| ty.name() == name);
            value.strip_prefix(TAG).filter(|_| is_own)
        }
        _ => None,
    });
    let Some(callback) = tagged else { return Ok(None) };
    let start = raw::functions(program).into_iter().find_map(|(start, id)| {
        let is_callback = types.get(id).is_some_and(|ty| ty.name() == callback);
        is_callback.then_some(start)
    });
    let start = start.with_context(|| {
        format!("cannot run program {name}: its exception callback {callback} is nowhere in it")
    })?;
    Ok(Some(start as usize))
}

/// Where `place` is, with what has to be known of the function to change it.
///
/// Fails if it cannot be changed.
fn point(
    planned: &Planned,
    binary: &Binary,
    place: &Place,
    file: usize,
    cookie: u64,
) -> Result<Point> {
    let code = binary.code(place)?;
    let function =
        site::Function { address: code.start, bytes: code.bytes, size: code.size as usize };
    let offset = place.address - code.start;
    site::find(&function, offset)?;
    let returns = !matches!(
        planned.section.hook,
        Hook::Uprobe { returns: false } | Hook::UprobeMulti { returns: false, session: false }
    );
    if let Some(name) = code.names.iter().find(|name| returns && site::returns_strangely(name)) {
        bail!("{name} may return more than once, or to somebody else: its return cannot be caught");
    }
    Ok(Point {
        file,
        symbol: place.symbol.clone(),
        start: code.start,
        size: code.size,
        room: u32::try_from(code.bytes.len())?,
        offset,
        cookie,
    })
}

/// Fails unless there is code of `symbol` at `address`, as far as the file says it.
fn check_ufunc(file: &HostFile, symbol: &str, address: u64) -> Result<()> {
    let binary = Binary::open(file.path())?;
    let names = binary.names_at(address)?;
    ensure!(
        names.is_empty() || names.iter().any(|name| name == symbol),
        "{} has no function {symbol} at {address:#x}, as its module says; there is {}",
        file.path().display(),
        names.join(", ")
    );
    binary.require_code(address).with_context(|| format!("there is no code of {symbol}"))
}

fn map(
    map: &libbpf_rs::Map<'_>,
    all: &[libbpf_rs::Map<'_>],
    loaded: &Loaded,
    slots: &[slots::Slot],
    plan: &Plan,
) -> Result<Map> {
    let name = map.name().to_string_lossy().into_owned();
    let info = map.info().context("failed to ask the kernel for it")?.info;
    let (key_type, value_type) = raw::map_types(map);
    let contents = match map.map_type() {
        MapType::ProgArray => {
            let own = slots.iter().filter(|slot| slot.map == name);
            let place = |slot: &slots::Slot| {
                let is_in_slot = |planned: &Planned| planned.program.name == slot.program;
                plan.programs.iter().position(is_in_slot).map(|place| (slot.index, place))
            };
            // What is not to run leaves its slot empty.
            Contents::Programs(own.filter_map(place).collect())
        }
        MapType::ArrayOfMaps | MapType::HashOfMaps => Contents::Maps(maps_in(map, all)?),
        MapType::Array if is_data(&name) => {
            let value = map.lookup(&0_u32.to_ne_bytes(), MapFlags::ANY)?;
            Contents::Data(Bytes(value.unwrap_or_default()))
        }
        _ => Contents::Empty,
    };
    Ok(Map {
        inner: loaded.inner_map(&name),
        form: MapForm {
            kind: info.type_,
            key_size: info.key_size,
            value_size: info.value_size,
            max_entries: info.max_entries,
            flags: info.map_flags,
            extra: info.map_extra,
            spin_lock: spin_lock(&loaded.types, value_type),
        },
        name,
        key_type: key_type.0,
        value_type: value_type.0,
        contents,
    })
}

/// Where values of the type `value` have their lock.
fn spin_lock(types: &Types, value: TypeId) -> Option<u32> {
    const LOCK: &str = "bpf_spin_lock";
    let Some(Type::Struct(value)) = types.get(types.unwrapped(value)) else { return None };
    let is_lock = |ty: TypeId| matches!(types.get(types.unwrapped(ty)), Some(Type::Struct(lock)) if lock.name == LOCK);
    value.members.iter().find(|member| is_lock(member.ty)).map(|member| member.bit_offset / 8)
}

/// Whether a map is global data: libbpf puts dots into names of no others.
fn is_data(name: &str) -> bool {
    const DATA: [&str; 4] = [".data", ".bss", ".rodata", ".kconfig"];
    name.find('.').is_some_and(|at| DATA.iter().any(|data| name[at..].starts_with(data)))
}

/// The maps that a map of maps has from the beginning.
fn maps_in(outer: &libbpf_rs::Map<'_>, all: &[libbpf_rs::Map<'_>]) -> Result<Vec<(Bytes, usize)>> {
    let mut by_id = BTreeMap::new();
    for (place, map) in all.iter().enumerate() {
        by_id.insert(map.info()?.info.id, place);
    }
    let mut found = Vec::new();
    for key in outer.keys() {
        let Some(value) = outer.lookup(&key, MapFlags::ANY)? else { continue };
        let id = value.as_slice().try_into().map(u32::from_ne_bytes)?;
        let place = by_id.get(&id).context("it holds a map that is not the object's")?;
        found.push((Bytes(key), *place));
    }
    Ok(found)
}
