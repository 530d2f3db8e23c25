// SPDX-License-Identifier: MIT OR Apache-2.0
//! Userspace BTF: all types and functions of an application.
//!
//! ```text
//! units ──scan──▶ records ──absorb──▶ records of all units ──variants──▶ types ──emit──▶ BTF
//!       (several at a time)
//! ```
//!
//! A header is read again in every unit that includes it, a thousand times over. So each unit is
//! reduced to what it has of its own as soon as it was read: a record that is known already costs
//! a look-up, and memory is needed for each different type only.

mod derived;
mod elsewhere;
mod emit;
pub mod minimal;
mod names;
mod offsets;
mod placing;
mod scan;
mod seen;
mod store;
mod variables;
mod variants;

use std::borrow::Cow;
use std::panic::resume_unwind;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use anyhow::Result;
use hashbrown::DefaultHashBuilder;

use crate::btf::Type;
use crate::btf::mend::mend;
use crate::debugfile::sections::Sections;
use crate::dwarf::raw::Rule;
use crate::dwarf::{Attributes, DebugInfo, Unit};
use scan::{Scanner, UnitTypes};
use store::Store;

/// Bits of the detail of a variable's record.
const VAR_GLOBAL: u8 = 1;
const VAR_THREAD_LOCAL: u8 = 2;

/// What is wanted of the debug information.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Functions that have code, too.
    pub functions: bool,
    /// Variables that have a place, too: [`Userspace::btf`] has to know the sections then.
    pub variables: bool,
}

/// What an application's debug information says of its types.
pub struct Userspace<'a> {
    store: Store<'a>,
    /// Names as BTF can have them, once that was asked for.
    names: OnceLock<Vec<Cow<'a, str>>>,
    units: Vec<UnitTypes>,
    /// What is no type of BTF, and how many of it there are.
    left_out: Vec<(Rule, usize)>,
    pointer: u64,
}

/// The BTF of an application.
#[derive(Debug)]
pub struct UserspaceBtf<'s> {
    /// Its types, the first of which has the id 1.
    pub types: Vec<Type<'s>>,
    /// Size of its pointers in bytes.
    pub pointer: u64,
    /// Names that stand for several structs or unions, and for how many.
    pub ambiguous: Vec<(String, usize)>,
    /// How many types were expressed in other ways.
    pub rules: Vec<(Rule, usize)>,
    is_mended: bool,
}

/// Reads all types of `debug`. `progress` counts the bytes of units that were read.
pub fn read<'a>(
    debug: &DebugInfo<'a>,
    options: &Options,
    progress: &AtomicU64,
) -> Result<Userspace<'a>> {
    let (mut store, mut units) = scan(debug, options, progress)?;
    let variables = match options.variables {
        true => variables::complete(&mut store, &mut units),
        false => vec![(Rule::Variable, units.iter().map(|unit| unit.variables as usize).sum())],
    };
    let mut nameless = 0;
    for unit in &mut units {
        for place in std::mem::take(&mut unit.coded_elsewhere) {
            match elsewhere::function(debug, &mut store, place)? {
                Some(function) => unit.roots.push(function),
                None => nameless += 1,
            }
        }
    }
    let mut left_out = variables;
    left_out.push((Rule::NamelessFunction, nameless));
    let names = OnceLock::new();
    Ok(Userspace { store, names, units, left_out, pointer: debug.pointer_size() })
}

impl Userspace<'_> {
    /// All of it as BTF, with variables in those of `sections` that they are in. What the kernel
    /// refuses is in there too, until [`UserspaceBtf::mend`] has looked for it.
    pub fn btf(&self, sections: &Sections<'_>) -> UserspaceBtf<'_> {
        let (types, (names, order)) = thread::scope(|scope| {
            let other = scope.spawn(|| {
                let names = self.names.get_or_init(|| self.store.names.fit());
                (names, self.store.in_order())
            });
            let types = variants::resolve(&self.store, &self.units);
            (types, other.join().unwrap_or_else(|panic| resume_unwind(panic)))
        });
        let mut btf = emit::emit(&types, &self.store, &order, names, self.pointer, sections);
        let missing = (Rule::Missing, types.missing());
        let left_out = self.left_out.iter().copied().chain([missing]);
        for (rule, count) in left_out.filter(|(_, count)| *count > 0) {
            match btf.rules.iter_mut().find(|(known, _)| *known == rule) {
                Some((_, known)) => *known += count,
                None => btf.rules.push((rule, count)),
            }
        }
        btf
    }
}

impl UserspaceBtf<'_> {
    /// Leaves out what the kernel refuses. Where there are variables that was done before they were
    /// put into their sections.
    pub fn mend(&mut self) {
        if std::mem::replace(&mut self.is_mended, true) {
            return;
        }
        let count = mend(&mut self.types, &mut [], self.pointer);
        if count > 0 {
            match self.rules.iter().position(|(rule, _)| *rule >= Rule::Refused) {
                Some(place) if self.rules[place].0 == Rule::Refused => self.rules[place].1 += count,
                place => {
                    let place = place.unwrap_or(self.rules.len());
                    self.rules.insert(place, (Rule::Refused, count));
                }
            }
        }
    }
}

/// Reads all units, several at a time, and puts the records of all into one store.
fn scan<'a>(
    debug: &DebugInfo<'a>,
    options: &Options,
    progress: &AtomicU64,
) -> Result<(Store<'a>, Vec<UnitTypes>)> {
    let hasher = DefaultHashBuilder::default();
    // Two workers have nearly all names each.
    let len = 2 * debug.len() / debug.jobs().max(2) as u64;
    let workers = debug.for_units_with(
        Attributes::Types,
        || Scanner::new(debug, options, hasher.clone(), len),
        |scanner, unit: &Unit<'a>| {
            let types = scanner.read(unit)?;
            progress.fetch_add(unit.len() as u64, Ordering::Relaxed);
            Ok(types)
        },
    )?;
    let mut store: Option<Store<'a>> = None;
    let mut units = Vec::new();
    for (scanner, mut found) in workers {
        let mut other = scanner.store;
        match &mut store {
            None => store = Some(other),
            Some(store) => {
                let translation = store.absorb(&mut other);
                found.iter_mut().for_each(|unit| unit.translate(&translation));
            }
        }
        units.append(&mut found);
    }
    units.sort_unstable_by_key(|unit| unit.unit);
    Ok((store.unwrap_or_else(|| Store::new(hasher, 0)), units))
}
