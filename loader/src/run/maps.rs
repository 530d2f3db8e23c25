// SPDX-License-Identifier: MIT OR Apache-2.0
//! The maps of a package, as the loader has them: it makes them, fills them, and shows what comes to
//! be in them.

use std::os::fd::{AsFd as _, OwnedFd};

use anyhow::{Context as _, Result, bail, ensure};
use ufunc_gen::btf::TypeId;
use ufunc_maps::{Definition, Map, MapKind, flags, update};

use super::package::{self, Contents, MapForm, Package};
use crate::attach::WRITE_FAILED;
use crate::attach::dump::{Entry, EntryValue, decode};
use crate::attach::output::Output;
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
}

/// The maps of a package, in its order.
#[derive(Debug)]
pub(super) struct Maps(Vec<Live>);

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
    /// Makes the maps, and puts into them what they have at the beginning; programs are put into
    /// their arrays where they run.
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
            })
        };
        let maps = Maps(package.maps.iter().map(make).collect::<Result<_>>()?);
        for (outer, map) in package.maps.iter().zip(&maps.0) {
            let Contents::Maps(slots) = &outer.contents else { continue };
            for (key, place) in slots {
                let inner = maps.0.get(*place).map(|inner| &inner.map);
                map.map
                    .set_inner(&key.0, inner)
                    .with_context(|| format!("failed to fill map {}", outer.name))?;
            }
        }
        Ok(maps)
    }

    /// The descriptors to hand over.
    pub(super) fn descriptors(&self) -> impl Iterator<Item = &OwnedFd> {
        self.0.iter().map(|live| &live.fd)
    }

    /// The map that is called `name`; `.bss` will do for `prog.bss`.
    ///
    /// Fails with the names that there are.
    pub(super) fn get(&self, name: &str) -> Result<&Live> {
        let is_called =
            |live: &&Live| live.name == name || name.starts_with('.') && live.name.ends_with(name);
        self.0.iter().find(is_called).with_context(|| {
            let names: Vec<&str> = self.0.iter().map(|live| live.name.as_str()).collect();
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
                MapKind::RingBuffer | MapKind::PerfEventArray => "its events are shown with --events",
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
