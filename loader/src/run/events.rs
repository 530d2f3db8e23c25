// SPDX-License-Identifier: MIT OR Apache-2.0
//! Events that programs in an application put into ring buffers and perf event arrays.

use anyhow::{Context as _, Result, bail};
use ufunc_gen::btf::TypeId;
use ufunc_maps::MapKind;

use super::maps::{Live, Maps};
use crate::attach::WRITE_FAILED;
use crate::attach::events::event_type as type_of;
use crate::attach::output::Output;
use crate::attach::value::{Types, Value};

/// A map whose events are shown.
struct Watched<'a> {
    name: String,
    live: &'a Live,
    ty: Option<TypeId>,
}

/// The maps whose events are shown.
pub(super) struct Events<'a>(Vec<Watched<'a>>);

impl<'a> Events<'a> {
    /// Fails for maps that have no events, and where the type of the events is not known.
    pub(super) fn open(
        maps: &'a Maps,
        types: &Types,
        names: &[String],
        event_type: Option<&str>,
    ) -> Result<Events<'a>> {
        let watch = |name: &String| {
            let live = maps.get(name)?;
            let kind = live.map.definition().kind;
            if !matches!(kind, MapKind::RingBuffer | MapKind::PerfEventArray) {
                bail!(
                    "--events {name}: it is a map of type {}: events come out of ring buffers and perf event arrays; see the contents of others with --dump",
                    kind.name()
                );
            }
            let ty = type_of(types, name, event_type)?;
            Ok(Watched { name: name.clone(), live, ty })
        };
        names.iter().map(watch).collect::<Result<_>>().map(Events)
    }

    /// Shows the events that there are.
    pub(super) fn show(
        &self,
        types: &Types,
        output: &mut Output<'_>,
        note: &mut dyn FnMut(&str),
    ) -> Result<()> {
        for watched in &self.0 {
            let kind = watched.live.map.definition().kind;
            let mut failed = None;
            watched.live.map.consume(|cpu, bytes| {
                let value = match watched.ty {
                    Some(ty) => types.decode(ty, bytes),
                    None => Value::Bytes(bytes.to_owned()),
                };
                let cpu = (kind == MapKind::PerfEventArray).then_some(cpu.cast_signed());
                if failed.is_none() {
                    failed = output.event(&watched.name, cpu, &value).err();
                }
            });
            if let Some(error) = failed {
                return Err(error).context(WRITE_FAILED);
            }
            let lost = watched.live.map.lost();
            let more = lost.saturating_sub(watched.live.lost.replace(lost));
            if more > 0 {
                note(&format!("{more} events of {} were lost: they came too fast", watched.name));
            }
        }
        Ok(())
    }
}
