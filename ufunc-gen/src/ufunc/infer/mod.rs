// SPDX-License-Identifier: MIT OR Apache-2.0
//! Pairs of functions that look like acquire and release, by their names and types.
//!
//! `struct data *my_alloc_data(…)` and `void my_free_data(struct data *)` are a pair:
//!
//! 1. Their names without the verbs are the same, and the verbs are partners (`verbs.rs`). A verb
//!    is a word of the name; some also count as the beginning or end of one (`xalloc`, `xfree`).
//! 2. The one takes just what the other returns, and returns nothing.
//!
//! That would be believed of many which are none, and an extension then leaks, or frees what it
//! must not. So a pair is left out, with a note, if
//!
//! 3. its struct has releases for three or more things, as `createHashObject`/`freeHashObject`,
//!    `createSetObject`/`freeSetObject`, … have, and this is not the thing the struct is named
//!    for: such a release often frees only its kind's contents.
//! 4. another release is a better partner of the same acquire: the names are spelled alike but for
//!    the verbs, these stand in the same place, or they are more usual partners. What was set
//!    aside so serves no other acquire, unless the two are the most usual partners.
//! 5. the acquire takes such a struct as it returns, and is not one that copies or refers to what
//!    it is given: `struct obj *obj_init(struct obj *)` acquires nothing.
//! 6. one of the two cannot be a kfunc, or cannot be told from a namesake.
//! 7. the files of the two define the struct differently.
//! 8. no extension could ever call it (`callable.rs`).
//!
//! What is then connected by a release function is a family.

pub mod left_out;
mod names;
pub mod verbs;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use hashbrown::{HashMap, HashSet};

use super::callable::{self, Call};
use super::locate::{self, Symbols};
use super::objects::Objects;
use super::signature::{self, object_name};
use super::{Origin, Request, describe};
use crate::dwarf::DebugInfo;
use crate::dwarf::functions::Function;
use crate::dwarf::shape::Shape;
use crate::metadata::Role;
use left_out::{LeftOut, Why};
pub(super) use names::has_verb;
use names::{Part, Words};
use verbs::{Side, Verbs};

/// So many things that one struct is released as are too many to be sure of each.
const TOO_MANY_THINGS: usize = 3;

/// What [`pairs`] found.
#[derive(Default)]
pub(super) struct Inferred {
    pub(super) requests: Vec<Request>,
    /// A line for each pair, with the reason.
    pub(super) pairs: Vec<String>,
    pub(super) left_out: Vec<LeftOut>,
}

/// Pairs among `functions`, which are all whose symbols [have a verb](has_verb) and code.
pub(super) fn pairs<'a>(
    debug: &DebugInfo<'a>,
    functions: &[Function<'a>],
    symbols: &Symbols<'_>,
    prefix: &str,
) -> Result<Inferred> {
    let candidates = alike(debug, &candidates(functions, symbols))?;
    let mut sieve = Sieve::default();
    let certain = sieve.without_many_things(candidates);
    let (best, others) = best_partners(certain);
    let best = sieve.without_second_choices(best, &others);
    let lendable = sieve.lendable(debug, best, symbols, prefix)?;
    let objects =
        Objects::read(debug, lendable.iter().flat_map(|pair| [pair.acquire, pair.release]))?;
    let same = sieve.same_structs(lendable, &objects);
    let callable = sieve.callable(debug, same, &objects)?;
    sieve.leave_to_better_partners(others, &callable);
    let families = families(&callable);
    let mut lines: Vec<_> = callable.iter().map(Pair::line).collect();
    lines.sort();
    let requests = families.iter().flat_map(Family::requests).collect();
    Ok(Inferred { requests, pairs: lines, left_out: sieve.left_out })
}

/// A function that may be lent.
#[derive(Clone, Copy)]
struct Candidate<'f, 'a> {
    function: &'f Function<'a>,
    /// Whether there are others of its name, and none is the one that other files mean.
    ambiguous: bool,
}

/// The functions that have code, one for each symbol.
fn candidates<'f, 'a>(
    functions: &'f [Function<'a>],
    symbols: &Symbols<'_>,
) -> Vec<Candidate<'f, 'a>> {
    let mut namesakes = BTreeMap::<&str, Vec<&Function<'_>>>::new();
    for function in functions {
        if !function.method && function.linkage_name.is_none() {
            namesakes.entry(function.symbol()).or_default().push(function);
        }
    }
    namesakes.into_values().filter_map(|namesakes| one_of(&namesakes, symbols)).collect()
}

/// The one of `namesakes` that is meant by their name, as [`locate::find`] has it.
fn one_of<'f, 'a>(
    namesakes: &[&'f Function<'a>],
    symbols: &Symbols<'_>,
) -> Option<Candidate<'f, 'a>> {
    let with_code: Vec<_> = namesakes
        .iter()
        .copied()
        .filter(|function| locate::code(function, symbols).is_some())
        .collect();
    let external: Vec<_> = with_code.iter().filter(|function| function.external).collect();
    let (function, ambiguous) = match (with_code.as_slice(), external.as_slice()) {
        ([only], _) => (*only, false),
        (_, [only]) => (**only, false),
        ([first, ..], _) => (*first, true),
        ([], _) => {
            let folded =
                namesakes.iter().find(|function| locate::folded(function, symbols).is_some());
            (*folded?, false)
        }
    };
    Some(Candidate { function, ambiguous })
}

/// Two functions whose names and types fit.
#[derive(Clone)]
struct Pair<'f, 'a> {
    acquire: &'f Function<'a>,
    release: &'f Function<'a>,
    verbs: Verbs,
    /// What their names have in common.
    stem: String,
    /// How well they fit: the less the better.
    distance: (bool, bool, usize),
    /// The struct, by the name that identifies it.
    object: String,
    /// The same as C spells it.
    spelled: String,
    ambiguous: Option<&'f Function<'a>>,
}

impl Pair<'_, '_> {
    fn line(&self) -> String {
        format!(
            "inferred: {} acquires and {} releases '{}' ({})",
            self.acquire.symbol(),
            self.release.symbol(),
            self.spelled,
            self.verbs.reason()
        )
    }
}

/// All pairs whose names and types fit, in the order of the names.
fn alike<'f, 'a>(
    debug: &DebugInfo<'a>,
    candidates: &[Candidate<'f, 'a>],
) -> Result<Vec<Pair<'f, 'a>>> {
    type Sides<'f, 'a> = [Vec<(Part, Candidate<'f, 'a>)>; 2];
    let mut stems = HashMap::<String, Sides<'f, 'a>>::new();
    for &candidate in candidates {
        let words = Words::of(candidate.function.symbol());
        for side in [Side::Acquire, Side::Release] {
            for part in words.parts(side) {
                let sides = stems.entry_ref(&*part.stem).or_default();
                sides[side as usize].push((part, candidate));
            }
        }
    }
    stems.retain(|_, sides| sides.iter().all(|side| !side.is_empty()));
    let mut stems: Vec<_> = stems.into_iter().collect();
    // The first one that cannot be read is to be the same each time.
    stems.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
    let mut pairs = BTreeMap::<_, Pair<'_, '_>>::new();
    for (_, [acquires, releases]) in stems {
        for (acquire, release) in acquires
            .iter()
            .flat_map(|acquire| releases.iter().map(move |release| (acquire, release)))
        {
            let Some(pair) = pair(debug, acquire, release)? else { continue };
            let key = (pair.acquire.symbol(), pair.release.symbol());
            match pairs.get(&key) {
                Some(better) if better.distance <= pair.distance => {}
                _ => drop(pairs.insert(key, pair)),
            }
        }
    }
    Ok(pairs.into_values().collect())
}

/// The pair of two functions whose names are alike but for the verbs, if these and the types fit.
fn pair<'f, 'a>(
    debug: &DebugInfo<'a>,
    (acquire, acquires): &(Part, Candidate<'f, 'a>),
    (release, releases): &(Part, Candidate<'f, 'a>),
) -> Result<Option<Pair<'f, 'a>>> {
    let Some((elsewhere, rank)) = acquire.distance(release) else { return Ok(None) };
    let functions = (acquires.function, releases.function);
    let Some(object) = common_object(debug, functions.0, functions.1)? else { return Ok(None) };
    let verbs = acquire.verbs(release);
    let unlike = !differ_by(verbs, functions.0.symbol(), functions.1.symbol());
    let ambiguous = [*acquires, *releases].into_iter().find(|candidate| candidate.ambiguous);
    Ok(Some(Pair {
        acquire: functions.0,
        release: functions.1,
        verbs,
        stem: acquire.stem.clone(),
        distance: (unlike, elsewhere, rank),
        object,
        spelled: object_name(debug, functions.0.return_type)?,
        ambiguous: ambiguous.map(|candidate| candidate.function),
    }))
}

/// Whether nothing but the verbs, not even an underscore, is different in the two names.
fn differ_by(verbs: Verbs, acquire: &str, release: &str) -> bool {
    let acquire = acquire.to_ascii_lowercase();
    let mut with_release = acquire.match_indices(verbs.acquire).map(|(place, verb)| {
        [&acquire[..place], verbs.release, &acquire[place + verb.len()..]].concat()
    });
    with_release.any(|name| name == release.to_ascii_lowercase())
}

/// The struct that one returns and the other takes, if that is all that the other takes.
fn common_object(
    debug: &DebugInfo<'_>,
    acquire: &Function<'_>,
    release: &Function<'_>,
) -> Result<Option<String>> {
    let ([param], None) = (release.params.as_slice(), release.return_type) else {
        return Ok(None);
    };
    let shapes = (debug.shape(acquire.return_type)?, debug.shape(param.ty)?);
    Ok(match shapes {
        (Shape::StructPointer { name, .. }, Shape::StructPointer { name: taken, .. })
            if name == taken && !name.is_empty() =>
        {
            Some(name)
        }
        _ => None,
    })
}

/// The best pair for each acquire, and the others.
fn best_partners<'f, 'a>(mut pairs: Vec<Pair<'f, 'a>>) -> (Vec<Pair<'f, 'a>>, Vec<Pair<'f, 'a>>) {
    pairs.sort_by_key(|pair| (pair.distance, pair.release.symbol(), pair.acquire.symbol()));
    let mut seen = HashSet::new();
    pairs.into_iter().partition(|pair| seen.insert(pair.acquire.symbol()))
}

/// Leaves pairs out, and takes note of why.
#[derive(Default)]
struct Sieve {
    left_out: Vec<LeftOut>,
}

impl Sieve {
    fn leave_out(&mut self, pair: &Pair<'_, '_>, why: Why, reason: String) {
        self.left_out.push(LeftOut {
            acquire: pair.acquire.symbol().to_owned(),
            release: pair.release.symbol().to_owned(),
            why,
            reason,
        });
    }

    /// Keeps what `check` finds no reason against.
    fn keep<'f, 'a>(
        &mut self,
        pairs: Vec<Pair<'f, 'a>>,
        check: impl Fn(&Pair<'f, 'a>) -> Result<(), (Why, String)>,
    ) -> Vec<Pair<'f, 'a>> {
        let mut kept = Vec::new();
        for pair in pairs {
            match check(&pair) {
                Ok(()) => kept.push(pair),
                Err((why, reason)) => self.leave_out(&pair, why, reason),
            }
        }
        kept
    }

    fn without_many_things<'f, 'a>(&mut self, pairs: Vec<Pair<'f, 'a>>) -> Vec<Pair<'f, 'a>> {
        let mut things = BTreeMap::<String, BTreeSet<String>>::new();
        for pair in &pairs {
            things.entry(pair.object.clone()).or_default().insert(pair.stem.clone());
        }
        self.keep(pairs, |pair| {
            let count = things[&pair.object].len();
            if count < TOO_MANY_THINGS || is_named_for(&pair.object, &pair.stem) {
                return Ok(());
            }
            let object = &pair.spelled;
            Err((
                Why::Doubtful,
                format!(
                    "'{object}' has releases for {count} different things, which may free only their contents"
                ),
            ))
        })
    }

    /// Leaves out what an unusual partner releases that was set aside as another's: of `obj_new`,
    /// `obj_free`, `obj_release` and `obj_get` the last two would be left.
    fn without_second_choices<'f, 'a>(
        &mut self,
        pairs: Vec<Pair<'f, 'a>>,
        others: &[Pair<'f, 'a>],
    ) -> Vec<Pair<'f, 'a>> {
        self.keep(pairs, |pair| {
            let (_, _, rank) = pair.distance;
            let release = pair.release.symbol();
            match others.iter().find(|other| other.release.symbol() == release) {
                Some(other) if rank > 0 => {
                    let reason = format!("{release} may be for {}", other.acquire.symbol());
                    Err((Why::Doubtful, reason))
                }
                _ => Ok(()),
            }
        })
    }

    fn lendable<'f, 'a>(
        &mut self,
        debug: &DebugInfo<'a>,
        pairs: Vec<Pair<'f, 'a>>,
        symbols: &Symbols<'_>,
        prefix: &str,
    ) -> Result<Vec<Pair<'f, 'a>>> {
        let mut suspicious = HashSet::new();
        for pair in &pairs {
            if takes_its_like(debug, pair)? {
                suspicious.insert(pair.acquire.symbol());
            }
        }
        Ok(self.keep(pairs, |pair| {
            if suspicious.contains(pair.acquire.symbol()) {
                let (acquire, object) = (pair.acquire.symbol(), &pair.spelled);
                let reason = format!("{acquire} takes a '{object}' too, and may just return that");
                return Err((Why::Doubtful, reason));
            }
            lendable(debug, pair, symbols, prefix).map_err(|reason| (Why::NotLendable, reason))
        }))
    }

    fn same_structs<'f, 'a>(
        &mut self,
        pairs: Vec<Pair<'f, 'a>>,
        objects: &Objects,
    ) -> Vec<Pair<'f, 'a>> {
        self.keep(pairs, |pair| {
            let taken = pair.release.params.first().and_then(|param| objects.pointee(param.ty));
            match objects.pointee(pair.acquire.return_type) {
                Some(returned) if Some(returned) == taken => Ok(()),
                _ => {
                    let reason = format!("their files define '{}' differently", pair.spelled);
                    Err((Why::NotLendable, reason))
                }
            }
        })
    }

    fn callable<'f, 'a>(
        &mut self,
        debug: &DebugInfo<'a>,
        pairs: Vec<Pair<'f, 'a>>,
        objects: &Objects,
    ) -> Result<Vec<Pair<'f, 'a>>> {
        let call = |pair: &Pair<'_, '_>| Call::new(objects, pair.acquire, Role::Acquire, "");
        let calls: Vec<_> = pairs.iter().map(call).collect();
        let lacks = callable::lacks(&calls, |a, b| objects.fits(a, b));
        let mut kept = Vec::new();
        for (pair, lack) in pairs.into_iter().zip(lacks) {
            let Some(need) = lack else {
                kept.push(pair);
                continue;
            };
            let reason = callable::reason(debug, objects, pair.acquire, need, &calls)?;
            let reason = format!(
                "{} cannot be called: {reason}",
                describe(&debug.with_source(pair.acquire))
            );
            self.leave_out(&pair, Why::NotCallable, reason);
        }
        Ok(kept)
    }

    /// Leaves out `others`, those of them whose acquire is lent.
    fn leave_to_better_partners(&mut self, others: Vec<Pair<'_, '_>>, lent: &[Pair<'_, '_>]) {
        for other in others {
            let is_lent = |pair: &&Pair<'_, '_>| pair.acquire.symbol() == other.acquire.symbol();
            if let Some(better) = lent.iter().find(is_lent) {
                let (acquire, release) = (better.acquire.symbol(), better.release.symbol());
                let reason = format!("{release} fits {acquire} better");
                self.leave_out(&other, Why::BetterPartner, reason);
            }
        }
    }
}

/// Whether `stem`, what is left of functions' names, is what the struct `object` is called.
fn is_named_for(object: &str, stem: &str) -> bool {
    let words = Words::of(object);
    let mut words: Vec<_> = words.iter().collect();
    while words.len() > 1
        && words.last().is_some_and(|word| ["t", "s", "st", "struct", "type"].contains(word))
    {
        words.pop();
    }
    words.concat() == stem
}

/// Whether the acquire takes such a struct as it returns, and not because it copies or refers to
/// the one it is given.
fn takes_its_like(debug: &DebugInfo<'_>, pair: &Pair<'_, '_>) -> Result<bool> {
    let mut names = Vec::new();
    for param in &pair.acquire.params {
        match debug.shape(param.ty)? {
            Shape::StructPointer { name, .. } if name == pair.object => names.push(&*param.name),
            _ => {}
        }
    }
    Ok(match names.as_slice() {
        [] => false,
        [only] => !verbs::takes_another(pair.verbs.acquire) || is_destination(only),
        _ => true,
    })
}

/// Whether a parameter of this name is where a copy goes.
fn is_destination(name: &str) -> bool {
    ["dst", "dest", "destination", "to", "into", "out"].contains(&name)
}

/// Whether both functions can be kfuncs.
fn lendable(
    debug: &DebugInfo<'_>,
    pair: &Pair<'_, '_>,
    symbols: &Symbols<'_>,
    prefix: &str,
) -> Result<(), String> {
    if let Some(function) = pair.ambiguous {
        return Err(format!("several functions are called {}", function.symbol().escape_debug()));
    }
    for (function, role) in [(pair.acquire, Role::Acquire), (pair.release, Role::Release)] {
        let altered = locate::altered(function, symbols, &Origin::Inferred(pair.verbs));
        let signature = altered.map_or(Ok(()), Err);
        signature
            .and_then(|()| signature::of(debug, function, role, &[]).map(drop))
            .map_err(|reason| format!("{}: {reason}", describe(&debug.with_source(function))))?;
        super::kfunc_name(function, prefix).map_err(|error| format!("{error:#}"))?;
    }
    Ok(())
}

/// Pairs that have their release function in common: it may serve several acquires.
struct Family<'p, 'f, 'a> {
    /// `None` for the only family of its struct, which is called like that.
    name: Option<String>,
    pairs: Vec<&'p Pair<'f, 'a>>,
}

/// The families that `pairs`, which have different acquires, are in.
fn families<'p, 'f, 'a>(pairs: &'p [Pair<'f, 'a>]) -> Vec<Family<'p, 'f, 'a>> {
    let mut families = BTreeMap::<&str, Vec<&Pair<'_, '_>>>::new();
    let mut of_struct = BTreeMap::<&str, BTreeSet<&str>>::new();
    for pair in pairs {
        let release = pair.release.symbol();
        families.entry(release).or_default().push(pair);
        of_struct.entry(&pair.object).or_default().insert(release);
    }
    let mut taken: BTreeSet<_> = pairs.iter().map(|pair| pair.object.clone()).collect();
    let named = families.into_values().map(|pairs| {
        let alone = pairs.first().is_none_or(|pair| of_struct[pair.object.as_str()].len() == 1);
        let first = pairs.iter().map(|pair| pair.acquire.symbol()).min().unwrap_or_default();
        Family { name: (!alone).then(|| family_name(first, &mut taken)), pairs }
    });
    named.collect()
}

/// A name for the family of the function `first` that none of the names `taken` is, and that
/// [`check_family`](super::policy::check_family) would let pass.
fn family_name(first: &str, taken: &mut BTreeSet<String>) -> String {
    let mut name = first.trim_start_matches('_').to_owned();
    while name.contains("___") {
        name = name.replace("___", "__");
    }
    let mut numbered = name.clone();
    for number in 2.. {
        if taken.insert(numbered.clone()) {
            break;
        }
        numbered = format!("{name}_{number}");
    }
    numbered
}

impl Family<'_, '_, '_> {
    fn requests(&self) -> Vec<Request> {
        let mut requests = BTreeMap::new();
        for pair in &self.pairs {
            for (function, role) in [(pair.acquire, Role::Acquire), (pair.release, Role::Release)] {
                requests.entry(function.symbol()).or_insert_with(|| Request {
                    function: function.symbol().to_owned(),
                    role,
                    family: self.name.clone(),
                    source: None,
                    arguments: Vec::new(),
                    sleepable: false,
                    origin: Origin::Inferred(pair.verbs),
                });
            }
        }
        requests.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(name: &str) -> Function<'_> {
        Function {
            name: name.into(),
            linkage_name: None,
            external: true,
            return_type: None,
            params: Vec::new(),
            parameters_end: crate::dwarf::functions::ParametersEnd::Fixed,
            method: false,
            addresses: Vec::new(),
            altered: false,
            by_llvm: false,
            source: None,
            declared: Default::default(),
        }
    }

    /// Pairs of `object` among functions of these names, whatever their types.
    fn pairs_of<'f>(functions: &'f [Function<'f>], object: &str) -> Vec<Pair<'f, 'f>> {
        let mut pairs = Vec::new();
        for (acquire, release) in
            functions.iter().flat_map(|a| functions.iter().map(move |r| (a, r)))
        {
            let releases = Words::of(release.symbol()).parts(Side::Release);
            for part in Words::of(acquire.symbol()).parts(Side::Acquire) {
                let fitting = releases.iter().filter(|release| release.stem == part.stem);
                pairs.extend(fitting.filter_map(|other| {
                    let (elsewhere, rank) = part.distance(other)?;
                    Some(Pair {
                        acquire,
                        release,
                        verbs: part.verbs(other),
                        stem: part.stem.clone(),
                        distance: (
                            !differ_by(part.verbs(other), acquire.symbol(), release.symbol()),
                            elsewhere,
                            rank,
                        ),
                        object: object.to_owned(),
                        spelled: format!("struct {object}"),
                        ambiguous: None,
                    })
                }));
            }
        }
        pairs
    }

    fn shown(pairs: &[Pair<'_, '_>]) -> Vec<String> {
        let shown = |pair: &Pair<'_, '_>| format!("{}/{}", pair.acquire.name, pair.release.name);
        pairs.iter().map(shown).collect()
    }

    #[test]
    fn one_release_for_each_acquire() {
        let names = ["obj_new", "obj_free", "obj_release", "obj_cleanup", "obj_copy", "free_obj"];
        let functions = names.map(function);
        let (best, others) = best_partners(pairs_of(&functions, "obj"));
        assert_eq!(shown(&best), ["obj_copy/obj_free", "obj_new/obj_free"]);
        assert!(shown(&others).contains(&"obj_new/obj_release".to_owned()));
        assert!(!shown(&others).contains(&"obj_new/obj_cleanup".to_owned()));
    }

    #[test]
    fn a_second_choice_does_not_serve_another() {
        let names = ["obj_new", "obj_free", "obj_release", "obj_get"];
        let functions = names.map(function);
        let (best, others) = best_partners(pairs_of(&functions, "obj"));
        assert_eq!(shown(&best), ["obj_new/obj_free", "obj_get/obj_release"]);
        let mut sieve = Sieve::default();
        assert_eq!(shown(&sieve.without_second_choices(best, &others)), ["obj_new/obj_free"]);
        assert_eq!(sieve.left_out[0].reason, "obj_release may be for obj_new");
    }

    #[test]
    fn the_partner_is_spelled_alike() {
        let functions =
            ["sqlite3_value_dup", "sqlite3ValueFree", "sqlite3_value_free"].map(function);
        let (best, _) = best_partners(pairs_of(&functions, "sqlite3_value"));
        assert_eq!(shown(&best), ["sqlite3_value_dup/sqlite3_value_free"]);
        let functions = ["listener_clone", "__listener_delete", "listener_drop"].map(function);
        let (best, _) = best_partners(pairs_of(&functions, "listener"));
        assert_eq!(shown(&best), ["listener_clone/listener_drop"]);
        let verbs = Verbs { acquire: "new", release: "free" };
        assert!(differ_by(verbs, "newNew", "newFree"));
        assert!(!differ_by(verbs, "streamNew", "freeStream"));
    }

    #[test]
    fn a_struct_is_trusted_to_be_released_as_what_it_is_called() {
        assert!(is_named_for("appctx", "appctx"));
        assert!(is_named_for("ngx_pool_s", "ngxpool"));
        assert!(is_named_for("strbuf_t", "strbuf"));
        assert!(!is_named_for("redisObject", "hashobject"));
        assert!(!is_named_for("t", ""));
    }

    #[test]
    fn families_are_what_one_release_serves() {
        let functions =
            ["a_new", "a_dup", "a_free", "a_get", "a_put", "_a_new", "_a_delete"].map(function);
        let (best, _) = best_partners(pairs_of(&functions, "a"));
        let pairs: Vec<_> = best
            .into_iter()
            .map(|pair| match pair.acquire.symbol() {
                "_a_new" => Pair { release: &functions[6], ..pair },
                _ => pair,
            })
            .collect();
        let families = families(&pairs);
        let names: Vec<_> = families.iter().map(|family| family.name.as_deref()).collect();
        assert_eq!(names, [Some("a_new"), Some("a_dup"), Some("a_get")]);
        assert_eq!(families[1].requests().len(), 3);
    }

    #[test]
    fn family_names_are_plain_and_differ() {
        let mut taken = BTreeSet::from(["list".to_owned()]);
        assert_eq!(family_name("__obj_new", &mut taken), "obj_new");
        assert_eq!(family_name("obj_new", &mut taken), "obj_new_2");
        assert_eq!(family_name("obj____new", &mut taken), "obj__new");
        assert_eq!(family_name("list", &mut taken), "list_2");
    }
}
