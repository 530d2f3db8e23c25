// SPDX-License-Identifier: MIT OR Apache-2.0
//! The maps of a package, as the loader has them: it makes them, fills them, and shows what comes to
//! be in them.

use std::cell::Cell;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use anyhow::{Context as _, Result, bail, ensure};
use ufunc_gen::btf::TypeId;
use ufunc_maps::{Definition, Map, MapKind, flags, registry, update};
use ufunc_shared::helpers;

use super::package::{self, Contents, MapForm, Package};
use crate::attach::WRITE_FAILED;
use crate::attach::dump::{Entry, EntryValue, decode};
use crate::attach::output::Output;
use crate::attach::printk::Line;
use crate::attach::value::Types;
use crate::report::list;

/// A map of the package.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) name: String,
    pub(super) map: Map,
    fd: OwnedFd,
    key_type: TypeId,
    value_type: TypeId,
    /// How many events found no room, as far as that was said.
    pub(super) lost: Cell<u64>,
}

/// The maps of a package.
#[derive(Debug)]
pub(super) struct Maps {
    /// In the package's order.
    maps: Vec<Live>,
    /// Where printed lines go.
    log: Live,
    /// The numbers by which arrays of programs name these: a place in the package for each.
    programs: Vec<(usize, u64)>,
}

/// Bytes that printed lines may have before they are shown.
const LOG_SIZE: u32 = 1 << 18;
/// Name of the map that they go to.
const LOG: &str = "printed lines";

/// Fails for maps that there cannot be in an application, by their names.
pub(super) fn check(package: &Package) -> Result<()> {
    for map in &package.maps {
        let defined = definition(map).and_then(|definition| definition.check());
        defined.with_context(|| format!("cannot have map {} in an application", map.name))?;
        if let Contents::Data(data) = &map.contents {
            ensure!(
                data.0.len() == map.form.value_size as usize,
                "map {} has {} bytes of data, not {}",
                map.name,
                data.0.len(),
                map.form.value_size
            );
        }
    }
    Ok(())
}

fn definition(map: &package::Map) -> Result<Definition> {
    let inner = map.inner.map(|inner| of_form(&inner, "")).transpose()?;
    Ok(Definition { inner: inner.map(Box::new), ..of_form(&map.form, &map.name)? })
}

fn of_form(form: &MapForm, name: &str) -> Result<Definition> {
    let kind = MapKind::of(form.kind)?;
    Ok(Definition {
        name: name.to_owned(),
        flags: form.flags,
        extra: form.extra,
        spin_lock: form.spin_lock,
        ..Definition::new(kind, form.key_size, form.value_size, form.max_entries)
    })
}

impl Maps {
    /// Makes the maps, and puts into them what they have at the beginning.
    pub(super) fn create(package: &Package) -> Result<Maps> {
        let make = |map: &package::Map| -> Result<Live> {
            let (made, fd) = Map::create(&definition(map)?)?;
            if let Contents::Data(data) = &map.contents {
                let key = 0_u32.to_ne_bytes();
                let filled = made.write(&key, &data.0, update::ANY);
                filled.with_context(|| format!("failed to fill map {}", map.name))?;
            }
            if map.form.flags & flags::RDONLY_PROG != 0 {
                Map::freeze(fd.as_fd())?;
            }
            Ok(Live {
                name: map.name.clone(),
                map: made,
                fd,
                key_type: TypeId(map.key_type),
                value_type: TypeId(map.value_type),
                lost: Cell::new(0),
            })
        };
        let (map, fd) = Map::create(&Definition {
            name: LOG.to_owned(),
            ..Definition::new(MapKind::RingBuffer, 0, 0, LOG_SIZE)
        })?;
        let (key_type, value_type) = (TypeId::VOID, TypeId::VOID);
        let mut maps = Maps {
            maps: package.maps.iter().map(make).collect::<Result<_>>()?,
            log: Live { name: LOG.to_owned(), map, fd, key_type, value_type, lost: Cell::new(0) },
            programs: Vec::new(),
        };
        for (at, map) in package.maps.iter().enumerate() {
            maps.fill(at, map).with_context(|| format!("failed to fill map {}", map.name))?;
        }
        Ok(maps)
    }

    /// Has the map at that place name what it has from the beginning.
    fn fill(&mut self, at: usize, map: &package::Map) -> Result<()> {
        match &map.contents {
            Contents::Empty | Contents::Data(_) => {}
            Contents::Maps(slots) => {
                for (key, place) in slots {
                    let inner = self.maps.get(*place).map(|inner| &inner.map);
                    let outer = self.maps.get(at).context("it is not there")?;
                    outer.map.set_inner(&key.0, inner)?;
                }
            }
            Contents::Programs(slots) => {
                for (index, place) in slots {
                    let known = self.programs.iter().find(|(other, _)| other == place);
                    let number = known.map_or_else(registry::number, |(_, number)| *number);
                    if known.is_none() {
                        self.programs.push((*place, number));
                    }
                    let array = self.maps.get(at).context("it is not there")?;
                    array.map.set_program(*index, Some(number))?;
                }
            }
        }
        Ok(())
    }

    /// The descriptors to hand over.
    pub(super) fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        self.maps.iter().map(|live| live.fd.as_fd()).collect()
    }

    /// That of the map that printed lines go to.
    pub(super) fn log(&self) -> BorrowedFd<'_> {
        self.log.fd.as_fd()
    }

    /// The numbers by which arrays of programs name these, by their places in the package.
    pub(super) fn programs(&self) -> &[(usize, u64)] {
        &self.programs
    }

    /// What programs have printed since.
    pub(super) fn printed(&self, note: &mut dyn FnMut(&str)) -> Vec<Line> {
        let mut lines = Vec::new();
        self.log.map.consume(|_, record| lines.extend(line(record)));
        let lost = self.log.map.lost();
        if lost > self.log.lost.replace(lost) {
            note("some printed lines were lost: they came too fast");
        }
        lines
    }

    /// The map that is called `name`; `.bss` will do for `prog.bss`.
    ///
    /// Fails with the names that there are.
    pub(super) fn get(&self, name: &str) -> Result<&Live> {
        let is_called =
            |live: &&Live| live.name == name || name.starts_with('.') && live.name.ends_with(name);
        self.maps.iter().find(is_called).with_context(|| {
            let names: Vec<&str> = self.maps.iter().map(|live| live.name.as_str()).collect();
            match names.as_slice() {
                [] => format!("there is no map {name}, nor any other"),
                names => format!("there is no map {name}; there is {}", list(names, "and")),
            }
        })
    }

    /// Fails for names of maps that are not there or cannot be shown.
    pub(super) fn check_dump(&self, names: &[String]) -> Result<()> {
        for name in names {
            let live = self.get(name)?;
            let kind = live.map.definition().kind;
            let help = match kind {
                MapKind::RingBuffer | MapKind::PerfEventArray => {
                    "its events are shown with --events"
                }
                MapKind::Bloom => "it has no elements that could be listed",
                _ => continue,
            };
            bail!("--dump {name}: a map of type {} cannot be shown: {help}", kind.name());
        }
        Ok(())
    }

    /// Shows the contents of the maps of these names.
    pub(super) fn dump(
        &self,
        names: &[String],
        types: &Types,
        output: &mut Output<'_>,
    ) -> Result<()> {
        for name in names {
            let live = self.get(name)?;
            output.map(name, &live.entries(types)).context(WRITE_FAILED)?;
        }
        Ok(())
    }
}

/// A printed line.
fn line(record: &[u8]) -> Option<Line> {
    let (line, text) = helpers::Line::parse(record)?;
    let comm = line.comm.split(|byte| *byte == 0).next().unwrap_or_default();
    Some(Line {
        comm: String::from_utf8_lossy(comm).into_owned(),
        pid: line.thread,
        cpu: line.cpu,
        time: format!("{}.{:06}", line.time / 1_000_000_000, line.time % 1_000_000_000 / 1000),
        text: String::from_utf8_lossy(text).trim_end_matches('\n').to_owned(),
        program: None,
    })
}

impl Live {
    fn entries(&self, types: &Types) -> Vec<Entry> {
        let definition = self.map.definition();
        let size = definition.value_size as usize;
        let entry = |(key, value): (Vec<u8>, Vec<u8>)| {
            let value = if definition.kind.is_per_cpu() && size > 0 {
                // Each processor's is padded.
                let values = value.chunks(size.next_multiple_of(8));
                let decoded = values.map(|value| {
                    decode(types, self.value_type, value.get(..size).unwrap_or(value))
                });
                EntryValue::PerCpu(decoded.collect())
            } else {
                EntryValue::One(decode(types, self.value_type, &value))
            };
            Entry { key: decode(types, self.key_type, &key), value }
        };
        self.map.entries().into_iter().map(entry).collect()
    }
}
