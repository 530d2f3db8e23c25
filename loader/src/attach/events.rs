// SPDX-License-Identifier: MIT OR Apache-2.0
//! Events that programs put into ring buffers and perf event arrays.
//!
//! An event is bytes; what type they are of, these say, the first that does:
//!
//! 1. `--event-type`;
//! 2. the map's declaration, `__type(value, struct event)`;
//! 3. a global variable `struct event *unused…`, which there is to have the compiler keep the type;
//! 4. the name, if just one struct of the object is called `event` or `…_event`.

use std::cell::RefCell;
use std::collections::{BTreeSet, VecDeque};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::rc::Rc;

use anyhow::{Context as _, Result, anyhow, bail};
use libbpf_rs::{
    MapCore as _, MapHandle, MapType, PerfBuffer, PerfBufferBuilder, RingBuffer, RingBufferBuilder,
};
use ufunc_gen::btf::{Type, TypeId};

use super::load::Loaded;
use super::output::Output;
use super::slots::declaration;
use super::value::{Types, Value};
use super::{WRITE_FAILED, raw};
use crate::report::list;

/// How many events are taken out of a ring buffer before they are shown.
const BATCH: usize = 1024;
/// Pages of a perf buffer, for each processor.
const PAGES: usize = 64;

/// What comes out of the buffers.
enum Event {
    /// Bytes, and the processor, where that is known.
    Sample { map: usize, cpu: Option<i32>, bytes: Vec<u8> },
    /// So many events found no room.
    Lost { map: usize, count: u64 },
}

type Queue = Rc<RefCell<VecDeque<Event>>>;

/// Where events come from.
enum Source {
    Ring(RingBuffer<'static>),
    Perf(PerfBuffer<'static>),
}

/// A map whose events are shown.
struct Watched {
    name: String,
    source: Source,
    /// Readable when there are events.
    ready: OwnedFd,
    ty: Option<TypeId>,
}

/// The maps whose events are shown.
pub(crate) struct Events {
    watched: Vec<Watched>,
    queue: Queue,
    types: Rc<Types>,
}

impl Events {
    /// Begins to listen to the maps of these names.
    ///
    /// Fails for maps that have no events, and where the type of the events is not known.
    pub(crate) fn open(
        loaded: &Loaded,
        names: &[String],
        event_type: Option<&str>,
    ) -> Result<Events> {
        let types = Rc::clone(&loaded.types);
        let mut events = Events { watched: Vec::new(), queue: Queue::default(), types };
        for name in names {
            let map = loaded.map(name)?;
            let ty = self::event_type(&events.types, name, event_type)?;
            let handle = MapHandle::try_from(&map).context("failed to hold a map")?;
            let source = events.source(handle).with_context(|| format!("--events {name}"))?;
            let ready = match &source {
                Source::Ring(ring) => raw::ring_descriptor(ring),
                Source::Perf(perf) => raw::perf_descriptor(perf),
            };
            let ready = ready.context("failed to wait for events")?;
            events.watched.push(Watched { name: name.clone(), source, ready, ty });
        }
        Ok(events)
    }

    /// What becomes readable when there are events.
    pub(crate) fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.watched.iter().map(|watched| watched.ready.as_fd())
    }

    /// Shows the events that there are.
    pub(crate) fn show(
        &mut self,
        output: &mut Output<'_>,
        note: &mut dyn FnMut(&str),
    ) -> Result<()> {
        for at in 0..self.watched.len() {
            loop {
                let watched = &self.watched[at];
                let taken = match &watched.source {
                    Source::Ring(ring) => ring.consume_raw_n(BATCH),
                    Source::Perf(perf) => {
                        perf.consume().context("failed to read events")?;
                        0
                    }
                };
                self.write(output, note)?;
                if taken < BATCH as i32 {
                    break;
                }
            }
        }
        Ok(())
    }

    fn write(&self, output: &mut Output<'_>, note: &mut dyn FnMut(&str)) -> Result<()> {
        while let Some(event) = { self.queue.borrow_mut().pop_front() } {
            match event {
                Event::Sample { map, cpu, bytes } => {
                    let watched = &self.watched[map];
                    let value = match watched.ty {
                        Some(ty) => self.types.decode(ty, &bytes),
                        None => Value::Bytes(bytes),
                    };
                    output.event(&watched.name, cpu, &value).context(WRITE_FAILED)?;
                }
                Event::Lost { map, count } => {
                    let name = &self.watched[map].name;
                    note(&format!("{count} events of {name} were lost: they came too fast"));
                }
            }
        }
        Ok(())
    }

    /// Listens to `map`, the next one.
    fn source(&self, map: MapHandle) -> Result<Source> {
        let at = self.watched.len();
        let queue = Rc::clone(&self.queue);
        match map.map_type() {
            MapType::RingBuf => {
                let mut builder = RingBufferBuilder::new();
                let push = move |bytes: &[u8]| {
                    let event = Event::Sample { map: at, cpu: None, bytes: bytes.to_owned() };
                    queue.borrow_mut().push_back(event);
                    0
                };
                builder.add(&map, push).context("failed to map the ring buffer")?;
                Ok(Source::Ring(builder.build().context("failed to open the ring buffer")?))
            }
            MapType::PerfEventArray => {
                let lost_queue = Rc::clone(&self.queue);
                let push = move |cpu, bytes: &[u8]| {
                    let event = Event::Sample { map: at, cpu: Some(cpu), bytes: bytes.to_owned() };
                    queue.borrow_mut().push_back(event);
                };
                let lost = move |_, count| {
                    lost_queue.borrow_mut().push_back(Event::Lost { map: at, count });
                };
                let builder = PerfBufferBuilder::new(&map).pages(PAGES);
                let buffer = builder.sample_cb(push).lost_cb(lost).build();
                Ok(Source::Perf(buffer.context("failed to open the perf event array")?))
            }
            other => bail!(
                "it is a map of type {other:?}: events come out of ring buffers and perf event arrays; see the contents of others with --dump"
            ),
        }
    }
}

/// The type of the events in the map `name`, which `wanted` says if it is there; `None` for what the
/// object says nothing of.
pub(crate) fn event_type(
    types: &Types,
    name: &str,
    wanted: Option<&str>,
) -> Result<Option<TypeId>> {
    match wanted {
        Some(wanted) => find_type(types, wanted).map(Some),
        None => guess_type(types, name),
    }
}

/// The struct, union, typedef or enum that the command line names.
fn find_type(types: &Types, wanted: &str) -> Result<TypeId> {
    let bare = wanted.trim().rsplit(' ').next().unwrap_or_default();
    let is_wanted = |ty: &Type<'_>| {
        let shown = match ty {
            Type::Struct(_) => "struct",
            Type::Union(_) => "union",
            Type::Enum { .. } | Type::Enum64 { .. } => "enum",
            Type::Typedef { .. } | Type::Int { .. } => "",
            _ => return false,
        };
        ty.name() == bare && (wanted.trim() == bare || wanted.trim().starts_with(shown))
    };
    let found = types.iter().find(|(_, ty)| is_wanted(ty)).map(|(id, _)| id);
    found.ok_or_else(|| {
        anyhow!(
            "the object's BTF has no {wanted}{}; the compiler leaves out what nothing global uses: declare a variable such as `{wanted} *unused __attribute__((unused));`",
            known(types)
        )
    })
}

fn known(types: &Types) -> String {
    let names: BTreeSet<String> = structs(types).map(|(id, _)| types.name(id)).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).take(12).collect();
    if names.is_empty() { String::new() } else { format!(" (it has {})", list(&names, "and")) }
}

/// The structs that have a name.
fn structs(types: &Types) -> impl Iterator<Item = (TypeId, &str)> {
    types.iter().filter_map(|(id, ty)| match ty {
        Type::Struct(composite) if !composite.name.is_empty() => Some((id, &*composite.name)),
        _ => None,
    })
}

/// The type of the events in the map `name`; `None` for what the object says nothing of.
fn guess_type(types: &Types, name: &str) -> Result<Option<TypeId>> {
    if let Some(declared) = declared_type(types, name) {
        return Ok(Some(declared));
    }
    let mut kept: Vec<TypeId> = types.iter().filter_map(|(_, ty)| kept_type(types, ty)).collect();
    kept.dedup();
    let mut named: Vec<TypeId> = structs(types)
        .filter(|(_, name)| *name == "event" || name.ends_with("_event"))
        .map(|(id, _)| id)
        .collect();
    let candidates = if kept.is_empty() { &mut named } else { &mut kept };
    match candidates.as_slice() {
        [] => Ok(None),
        [only] => Ok(Some(*only)),
        several => {
            let names: Vec<String> = several.iter().map(|id| types.name(*id)).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            bail!(
                "the events of {name} may be of type {}; say it with --event-type",
                list(&names, "or")
            )
        }
    }
}

/// What the declaration of the map `name` says of its values.
fn declared_type(types: &Types, name: &str) -> Option<TypeId> {
    let value = declaration(types, name)?.members.iter().find(|member| member.name == "value")?;
    match types.get(value.ty) {
        Some(Type::Ptr(target)) => is_composite(types, *target).then_some(*target),
        _ => None,
    }
}

/// The struct to which a variable `unused…` points.
fn kept_type(types: &Types, ty: &Type<'_>) -> Option<TypeId> {
    let Type::Var { name, target, .. } = ty else { return None };
    let Some(Type::Ptr(target)) = types.get(types.unwrapped(*target)) else { return None };
    let target = types.unwrapped(*target);
    (name.trim_start_matches('_').starts_with("unused") && is_composite(types, target))
        .then_some(target)
}

fn is_composite(types: &Types, id: TypeId) -> bool {
    matches!(types.get(types.unwrapped(id)), Some(Type::Struct(_) | Type::Union(_)))
}
