// SPDX-License-Identifier: MIT OR Apache-2.0
//! Reading several units at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::Result;

use crate::debugfile::parallel::processors;

use super::{Attributes, DebugInfo, Unit, UnitIndex};

/// More threads than this do not pay: the results of all are put together by one.
const MAX_JOBS: usize = 8;

impl<'a> DebugInfo<'a> {
    /// How many units are read at a time.
    pub(crate) fn jobs(&self) -> usize {
        let wanted = match self.jobs {
            Some(jobs) => jobs.get(),
            None => processors().min(MAX_JOBS),
        };
        wanted.min(self.units.len()).max(1)
    }

    /// Shares the units out among several workers, with those attributes of entries that are
    /// `wanted`. Gives each worker, with what it found in its units; each has had them in their order.
    pub(crate) fn for_units_with<W: Send, T: Send>(
        &self,
        wanted: Attributes,
        worker: impl Fn() -> W + Sync,
        read: impl Fn(&mut W, &Unit<'a>) -> Result<T> + Sync,
    ) -> Result<Vec<(W, Vec<T>)>> {
        let next = AtomicUsize::new(0);
        let work = || -> Result<(W, Vec<T>)> {
            let (mut worker, mut found) = (worker(), Vec::new());
            let plans = Arc::default();
            loop {
                let index = UnitIndex(next.fetch_add(1, Ordering::Relaxed));
                if index.0 >= self.units.len() {
                    return Ok((worker, found));
                }
                let mut read_unit = |unit: &Unit<'a>| match unit.is_skeleton() {
                    // Its contents are a unit of their own.
                    true => Ok(None),
                    false => read(&mut worker, unit).map(Some),
                };
                let read = match wanted {
                    // Who looks for functions will look at some entries again.
                    Attributes::All => self.unit_by(index, &plans).and_then(read_unit),
                    Attributes::Types => {
                        Unit::open(self, index, wanted, &plans).and_then(|unit| read_unit(&unit))
                    }
                };
                if read.is_err() {
                    // The others need not go on.
                    next.store(self.units.len(), Ordering::Relaxed);
                }
                found.extend(read?);
            }
        };
        match self.jobs() {
            1 => Ok(vec![work()?]),
            jobs => thread::scope(|scope| {
                // This thread is one of them.
                let others: Vec<_> = (1..jobs).map(|_| scope.spawn(work)).collect();
                let mut all = vec![work()];
                for other in others {
                    match other.join() {
                        Ok(found) => all.push(found),
                        Err(panic) => std::panic::resume_unwind(panic),
                    }
                }
                all.into_iter().collect()
            }),
        }
    }
}
