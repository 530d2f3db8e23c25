// SPDX-License-Identifier: MIT OR Apache-2.0
//! The structs that functions take and return, told apart as the kernel will tell them apart.
//!
//! Files may use one name for different structs. So where a struct that is returned and one that is
//! taken have a name in common and are not at one place, they are read as the module's types will
//! be, and equal ones merged: what has one id then is one struct to the verifier. All others are
//! told apart by where they are, for to read a struct is to read all that it leads to.

use anyhow::Result;
use hashbrown::{HashMap, HashSet};

use crate::btf::dedup::dedup;
use crate::dwarf::functions::Function;
use crate::dwarf::shape::Record;
use crate::dwarf::types::TypeReader;
use crate::dwarf::{DebugInfo, DieRef};

/// Id of the first type.
const FIRST: u32 = 1;
/// How many structs may be the first member of another one before nobody looks at the next.
const MAX_DEPTH: usize = 64;

/// A struct or union that functions take or return.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Object(pub(super) u32);

/// The structs that functions take and return.
#[derive(Default)]
pub(super) struct Objects {
    /// What the types of results and parameters point to.
    pointees: HashMap<DieRef, Object>,
    /// What each object begins with, the outermost first.
    begins: HashMap<u32, Vec<Object>>,
}

impl Objects {
    /// Reads the types in the signatures of `functions`.
    pub(super) fn read<'f, 'a: 'f>(
        debug: &DebugInfo<'a>,
        functions: impl IntoIterator<Item = &'f Function<'a>>,
    ) -> Result<Self> {
        let mut seen = Seen::default();
        for function in functions {
            for param in &function.params {
                seen.add(debug, param.ty, false)?;
            }
            seen.add(debug, function.return_type, true)?;
        }
        let objects = seen.objects(debug)?;
        // Every record was given one.
        let object = |record: &Record<'_>| objects.get(&record.place).copied().unwrap_or(Object(0));
        let pointees = seen.pointees.iter().map(|(ty, record)| (*ty, object(record)));
        let begins = seen.begins.iter().map(|(place, records)| {
            let whole = objects.get(place).copied().unwrap_or(Object(0));
            (whole.0, records.iter().map(object).collect())
        });
        Ok(Objects { pointees: pointees.collect(), begins: begins.collect() })
    }

    /// The struct or union that the type `ty` of a result or parameter points to, if it does.
    pub(super) fn pointee(&self, ty: Option<DieRef>) -> Option<Object> {
        self.pointees.get(&ty?).copied()
    }

    /// Whether the verifier takes a `given` struct for a `wanted` one: it is one, or begins with
    /// one (`btf_struct_ids_match()`).
    pub(super) fn fits(&self, given: Object, wanted: Object) -> bool {
        given == wanted || self.begins.get(&given.0).is_some_and(|begins| begins.contains(&wanted))
    }
}

/// The structs and unions in signatures, before it is known which of them are the same.
#[derive(Default)]
struct Seen<'a> {
    /// What the types of results and parameters point to.
    pointees: HashMap<DieRef, Record<'a>>,
    /// What the structs that are returned begin with, by their places.
    begins: HashMap<DieRef, Vec<Record<'a>>>,
}

impl<'a> Seen<'a> {
    /// Adds the type `ty` of a parameter or, if `is_given`, of a result.
    fn add(&mut self, debug: &DebugInfo<'a>, ty: Option<DieRef>, is_given: bool) -> Result<()> {
        let Some(ty) = ty else { return Ok(()) };
        if !self.pointees.contains_key(&ty)
            && let Some(record) = debug.pointee(Some(ty))?
        {
            self.pointees.insert(ty, record);
        }
        if let Some(record) = self.pointees.get(&ty)
            && is_given
            && !self.begins.contains_key(&record.place)
        {
            let begins = beginnings(debug, record.place)?;
            self.begins.insert(record.place, begins);
        }
        Ok(())
    }

    /// The object that each struct is, by its place.
    fn objects(&self, debug: &DebugInfo<'a>) -> Result<HashMap<DieRef, Object>> {
        let mut namesakes = HashMap::<_, Vec<DieRef>>::new();
        for record in self.pointees.values().chain(self.begins.values().flatten()) {
            let places = namesakes.entry((record.is_union, &*record.name)).or_default();
            if !places.contains(&record.place) {
                places.push(record.place);
            }
        }
        let beginnings = self.begins.values().flatten().map(|record| record.place);
        let given: HashSet<_> = self.begins.keys().copied().chain(beginnings).collect();
        // What is only taken is compared with nothing.
        let is_given = |place: &DieRef| given.contains(place);
        let (mut same, mut compared) = (Vec::new(), Vec::new());
        for places in namesakes.values().filter(|places| places.len() > 1) {
            if places.iter().any(is_given) {
                // What is certainly the same need not be read.
                match are_all_alike(debug, places)? {
                    true => same.push(places),
                    false => compared.extend(places.iter().copied()),
                }
            }
        }
        let mut objects = merged(debug, compared.into_iter())?;
        let mut next = objects.values().map(|object| object.0 + 1).max().unwrap_or(FIRST);
        let mut new = || {
            next += 1;
            Object(next - 1)
        };
        for places in same {
            let object = new();
            objects.extend(places.iter().map(|&place| (place, object)));
        }
        for place in namesakes.into_values().flatten() {
            objects.entry(place).or_insert_with(&mut new);
        }
        Ok(objects)
    }
}

/// The structs that the one at `place` begins with.
fn beginnings<'a>(debug: &DebugInfo<'a>, place: DieRef) -> Result<Vec<Record<'a>>> {
    let mut begins = Vec::new();
    let mut next = debug.first_member(place)?;
    while let Some(record) = next.filter(|_| begins.len() < MAX_DEPTH) {
        next = debug.first_member(record.place)?;
        begins.push(record);
    }
    Ok(begins)
}

/// Whether the types at `places` are certainly the same.
fn are_all_alike(debug: &DebugInfo<'_>, places: &[DieRef]) -> Result<bool> {
    for two in places.windows(2) {
        if !debug.are_alike(two[0], two[1])? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The types at `places`, equal ones as one object.
fn merged(
    debug: &DebugInfo<'_>,
    places: impl Iterator<Item = DieRef>,
) -> Result<HashMap<DieRef, Object>> {
    let mut reader = TypeReader::new(debug, FIRST, None);
    let mut ids = Vec::new();
    for place in places {
        ids.push((place, reader.id(Some(place))?));
    }
    let (_, merged) = dedup(reader.finish()?, FIRST);
    let object = |id: u32| {
        let index = id.checked_sub(FIRST).map(|index| index as usize);
        index.and_then(|index| merged.get(index)).map_or(id, |id| id.0)
    };
    Ok(ids.into_iter().map(|(place, id)| (place, Object(object(id.0)))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_struct_that_begins_with_another_fits_it() {
        let [base, derived, after] = [2, 4, 5].map(Object);
        let begins = HashMap::from([(derived.0, vec![base])]);
        let objects = Objects { pointees: HashMap::new(), begins };
        assert!(objects.fits(base, base));
        assert!(objects.fits(derived, base));
        assert!(!objects.fits(base, derived));
        assert!(!objects.fits(after, base));
    }
}
