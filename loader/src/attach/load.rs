// SPDX-License-Identifier: MIT OR Apache-2.0
//! Loads the programs of an object, all of them together.
//!
//! Programs in an application are fitted to its types, those on hooks of the kernel to the kernel's.
//! libbpf fits an object as a whole; so one that has both kinds is opened once for each, with the
//! programs of that kind, and all share the maps of the first.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::{Context as _, Result, anyhow};
use libbpf_rs::{Map, MapCore as _, Object, ObjectBuilder, OpenObject, Program, ProgramMut};

use super::plan::{Plan, Planned};
use super::value::Types;
use super::{raw, slots, usdt};
use crate::attempt;
use crate::map_memory;
use crate::messages::{self, Detail, Message, capture};
use crate::object::BpfObject;
use crate::run::package::MapForm;

/// Why an object was not loaded.
#[derive(Debug)]
pub(crate) enum LoadError {
    /// libbpf or the kernel did not take it; what libbpf said.
    Refused(Vec<Message>),
    /// Something else went wrong.
    Failed(anyhow::Error),
}

impl From<anyhow::Error> for LoadError {
    fn from(error: anyhow::Error) -> Self {
        LoadError::Failed(error)
    }
}

/// An object whose programs are in the kernel.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// One for each kind of types: all maps are the first one's.
    parts: Vec<Object>,
    /// The object's types.
    pub(crate) types: Rc<Types>,
    /// What libbpf said.
    pub(crate) messages: Vec<Message>,
    /// What maps of maps hold, by their names.
    inner_maps: Vec<(String, MapForm)>,
}

impl Loaded {
    /// Loads the programs that `plan` has, each fitted to the types in the file that `types_of`
    /// says, if it says one.
    pub(crate) fn new(
        object: &BpfObject,
        plan: &Plan,
        types_of: impl Fn(&Planned) -> Option<PathBuf>,
        detail: Detail,
    ) -> Result<Loaded, LoadError> {
        let mut groups = Vec::<(Option<PathBuf>, Vec<&Planned>)>::new();
        for planned in &plan.programs {
            let types = types_of(planned);
            match groups.iter_mut().find(|(other, _)| *other == types) {
                Some((_, group)) => group.push(planned),
                None => groups.push((types, vec![planned])),
            }
        }
        let is_mixed = groups.len() > 1;
        let own_types = Types::read(&object.btf)?;
        let slots = slots::slots(&object.bytes, &own_types)?;
        let stripped;
        let bytes = if is_mixed && !slots.is_empty() {
            stripped = slots::without_slots(&object.bytes)?;
            &stripped
        } else {
            &object.bytes
        };
        let (mut parts, mut said) = (Vec::<Object>::new(), Vec::new());
        let mut inner_maps = Vec::new();
        for (types, selected) in &groups {
            let (part, mut messages) = capture(detail, || {
                load(object, bytes, selected, types.as_deref(), parts.first(), &mut inner_maps)
            });
            messages::in_own_names(&mut messages, object);
            said.append(&mut messages);
            match part {
                Ok(part) => parts.push(part),
                Err(LoadError::Refused(_)) => return Err(LoadError::Refused(said)),
                Err(error) => return Err(error),
            }
        }
        let types = match parts.first().map(raw::object_btf) {
            Some(btf) if !btf.is_empty() => Types::read(&btf)?,
            _ => own_types,
        };
        let loaded = Loaded { parts, types: Rc::new(types), messages: said, inner_maps };
        if is_mixed {
            loaded.fill(&slots)?;
        }
        Ok(loaded)
    }

    /// The programs that are loaded.
    pub(crate) fn programs(&self) -> impl Iterator<Item = Program<'_>> {
        self.parts.iter().flat_map(Object::progs).filter(|program| program.autoload())
    }

    /// The loaded program of that name.
    pub(crate) fn program(&self, name: &str) -> Option<Program<'_>> {
        self.programs().find(|program| program.name() == OsStr::new(name))
    }

    /// The same, to be attached.
    pub(crate) fn program_mut(&self, name: &str) -> Option<ProgramMut<'_>> {
        let mut programs = self.parts.iter().flat_map(Object::progs_mut);
        programs.find(|program| program.autoload() && program.name() == OsStr::new(name))
    }

    /// The maps.
    pub(crate) fn maps(&self) -> impl Iterator<Item = Map<'_>> {
        self.parts.iter().take(1).flat_map(Object::maps)
    }

    /// The descriptors by which instructions name maps, and the maps' names.
    pub(crate) fn descriptors(&self) -> Vec<(i32, String)> {
        let maps = self.parts.iter().flat_map(Object::maps);
        let named = maps.map(|map| (map.as_fd().as_raw_fd(), map.name().to_string_lossy().into()));
        named.collect()
    }

    /// What the map of maps `name` holds.
    pub(crate) fn inner_map(&self, name: &str) -> Option<MapForm> {
        self.inner_maps.iter().find(|(map, _)| map == name).map(|(_, form)| *form)
    }

    /// The object's BTF as libbpf completed it.
    pub(crate) fn btf(&self) -> Vec<u8> {
        self.parts.first().map(raw::object_btf).unwrap_or_default()
    }

    /// The map that is called `name`. libbpf puts the object's name before those of global data:
    /// `.bss` will do for them.
    ///
    /// Fails with the names that there are.
    pub(crate) fn map(&self, name: &str) -> Result<Map<'_>> {
        let is_called = |map: &Map<'_>| {
            let found = map.name().to_string_lossy();
            found == name || name.starts_with('.') && found.ends_with(name)
        };
        self.maps().find(is_called).with_context(|| {
            let names: Vec<String> =
                self.maps().map(|map| map.name().to_string_lossy().into_owned()).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            match names.as_slice() {
                [] => format!("the object has no map {name}; it has none"),
                names => format!(
                    "the object has no map {name}; it has {}",
                    crate::report::list(names, "and")
                ),
            }
        })
    }

    fn fill(&self, slots: &[slots::Slot]) -> Result<()> {
        for slot in slots {
            // One that was not to be loaded leaves its slot empty.
            let Some(program) = self.program(&slot.program) else { continue };
            slots::fill(&self.map(&slot.map)?, slot, program.as_fd().as_raw_fd())?;
        }
        Ok(())
    }
}

fn load(
    object: &BpfObject,
    bytes: &[u8],
    selected: &[&Planned],
    types: Option<&Path>,
    shared: Option<&Object>,
    inner_maps: &mut Vec<(String, MapForm)>,
) -> Result<Object, LoadError> {
    let mut builder = ObjectBuilder::default();
    if let Some(types) = types {
        builder.btf_custom_path(types).context("failed to name the types")?;
    }
    builder.name(object.name()).context("failed to name the object")?;
    let mut opened = builder.open_memory(bytes).map_err(|_| LoadError::Refused(Vec::new()))?;
    map_memory::check(&opened).map_err(anyhow::Error::from)?;
    select(&mut opened, selected)?;
    attempt::mend_event_maps(&mut opened)?;
    usdt::make_room(&mut opened)?;
    if let Some(shared) = shared {
        share_maps(&mut opened, shared)?;
    }
    // libbpf forgets them once the maps are made.
    for mut map in opened.maps_mut() {
        let form = raw::inner_map(&mut map);
        inner_maps.extend(form.map(|form| (map.name().to_string_lossy().into_owned(), form)));
    }
    opened.load().map_err(|_| LoadError::Refused(Vec::new()))
}

/// Leaves the `selected` programs as those to be loaded, and says where they go where the kernel
/// has to know that before.
fn select(opened: &mut OpenObject, selected: &[&Planned]) -> Result<()> {
    for mut program in opened.progs_mut() {
        let planned =
            selected.iter().find(|planned| program.name() == OsStr::new(&planned.program.name));
        program.set_autoload(planned.is_some());
        if let Some(planned) = planned
            && planned.section.is_bound_at_load()
            && let Some(target) = planned.completed_target()
        {
            program
                .set_attach_target(0, Some(target.to_owned()))
                .with_context(|| format!("failed to bind {} to {target}", planned.program.name))?;
        }
    }
    Ok(())
}

/// Has `opened` use the maps of `shared`, global data among them.
fn share_maps(opened: &mut OpenObject, shared: &Object) -> Result<()> {
    let mut used = HashSet::new();
    for mut map in opened.maps_mut() {
        let name = map.name().to_owned();
        let same = shared.maps().find(|other| other.name() == name);
        // What the first part did not make, neither part needs.
        let Some(same) = same.filter(|_| used.insert(name.clone())) else { continue };
        map.reuse_fd(same.as_fd())
            .map_err(|error| anyhow!(error))
            .with_context(|| format!("failed to share map {}", name.to_string_lossy()))?;
    }
    Ok(())
}

/// Why libbpf did not take an object, from what it said.
pub(crate) fn reasons(said: &[Message]) -> String {
    messages::reasons(said).unwrap_or_else(|| "libbpf did not say why".to_owned())
}
