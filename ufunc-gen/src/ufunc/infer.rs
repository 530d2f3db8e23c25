// SPDX-License-Identifier: MIT OR Apache-2.0
//! Pairs of functions that look like acquire and release, by their names and types.
//!
//! `struct data *my_alloc_data(…)` and `void my_free_data(struct data *)` are a pair: what is left
//! of their names without the verbs is the same, the verbs belong together, and the one takes just
//! what the other returns.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use anyhow::Result;

use super::locate::{self, Symbols};
use super::{Origin, Request, signature};
use crate::dwarf::DebugInfo;
use crate::dwarf::functions::Function;
use crate::dwarf::shape::Shape;
use crate::metadata::Role;

/// Verbs that begin and end the same kind of ownership.
struct Verbs {
    acquire: &'static [&'static str],
    release: &'static [&'static str],
}

const VERBS: [Verbs; 6] = [
    Verbs {
        acquire: &[
            "alloc",
            "allocate",
            "new",
            "create",
            "make",
            "mk",
            "construct",
            "init",
            "dup",
            "clone",
            "copy",
        ],
        release: &[
            "free",
            "delete",
            "del",
            "destroy",
            "destruct",
            "dealloc",
            "deallocate",
            "release",
            "dispose",
            "fini",
            "deinit",
            "uninit",
            "cleanup",
            "drop",
        ],
    },
    Verbs { acquire: &["open", "connect"], release: &["close", "disconnect", "shut"] },
    Verbs {
        acquire: &["get", "grab", "take", "acquire", "borrow", "checkout", "claim", "reserve"],
        release: &["put", "release", "give", "return", "drop", "unreserve"],
    },
    Verbs {
        acquire: &["ref", "retain", "addref", "incref", "hold"],
        release: &["unref", "deref", "release", "decref", "put", "unhold"],
    },
    Verbs { acquire: &["begin", "start"], release: &["end", "finish", "stop"] },
    Verbs { acquire: &["attach", "map"], release: &["detach", "unmap"] },
];

/// What [`pairs`] found.
pub(super) struct Inferred {
    pub(super) requests: Vec<Request>,
    /// Each pair with its reason, and each that was left out.
    pub(super) notes: Vec<String>,
}

/// Pairs among `functions`.
pub(super) fn pairs(
    debug: &DebugInfo<'_>,
    functions: &[Function<'_>],
    symbols: &Symbols<'_>,
    prefix: &str,
) -> Result<Inferred> {
    let mut notes = BTreeSet::new();
    let mut families = Vec::<Family<'_, '_>>::new();
    for candidate in by_name(functions, symbols) {
        let Some(object) = common_object(debug, &candidate)? else { continue };
        if let Err(reason) = lendable(debug, functions, symbols, &candidate, prefix) {
            notes.insert(format!(
                "left out {} and {}, which look like a pair: {reason}",
                candidate.acquire.symbol(),
                candidate.release.symbol(),
            ));
            continue;
        }
        add(&mut families, candidate, object);
    }
    families.sort_by(|a, b| a.first().cmp(b.first()));
    let mut requests = Vec::new();
    for family in &families {
        let alone = families.iter().filter(|other| other.object == family.object).count() == 1;
        let name = (!alone).then(|| family.first().to_owned());
        requests.extend(family.requests(name.as_deref()));
        notes.extend(family.pairs.iter().map(|pair| {
            format!(
                "inferred: {} acquires and {} releases 'struct {}' ({})",
                pair.acquire.symbol(),
                pair.release.symbol(),
                family.object,
                pair.reason()
            )
        }));
    }
    Ok(Inferred { requests, notes: notes.into_iter().collect() })
}

/// Two functions whose names fit.
struct Pair<'f, 'a> {
    acquire: &'f Function<'a>,
    release: &'f Function<'a>,
    verbs: (&'static str, &'static str),
}

impl Pair<'_, '_> {
    fn reason(&self) -> String {
        format!("names match as {}/{}, types fit", self.verbs.0, self.verbs.1)
    }
}

/// Pairs that have functions in common: one release may serve several acquires.
struct Family<'f, 'a> {
    object: String,
    pairs: Vec<Pair<'f, 'a>>,
}

impl Family<'_, '_> {
    /// The first acquire function's name, which names the family where it needs a name.
    fn first(&self) -> &str {
        let names = self.pairs.iter().map(|pair| pair.acquire.symbol());
        names.min().unwrap_or_default()
    }

    fn has(&self, pair: &Pair<'_, '_>) -> bool {
        self.pairs.iter().any(|own| {
            own.acquire.symbol() == pair.acquire.symbol()
                || own.release.symbol() == pair.release.symbol()
        })
    }

    fn requests(&self, name: Option<&str>) -> Vec<Request> {
        let mut requests = BTreeMap::new();
        for pair in &self.pairs {
            for (function, role) in [(pair.acquire, Role::Acquire), (pair.release, Role::Release)] {
                requests.entry(function.symbol()).or_insert_with(|| Request {
                    function: function.symbol().to_owned(),
                    role,
                    family: name.map(str::to_owned),
                    origin: Origin::Inferred(pair.reason()),
                });
            }
        }
        requests.into_values().collect()
    }
}

/// Adds `pair`, and joins the families that it connects.
fn add<'f, 'a>(families: &mut Vec<Family<'f, 'a>>, pair: Pair<'f, 'a>, object: String) {
    let mut joined = Family { object, pairs: Vec::new() };
    let mut index = 0;
    while index < families.len() {
        if families[index].has(&pair) {
            joined.pairs.append(&mut families.remove(index).pairs);
        } else {
            index += 1;
        }
    }
    joined.pairs.push(pair);
    families.push(joined);
}

/// All pairs whose names fit, in the order of the names.
fn by_name<'f, 'a>(functions: &'f [Function<'a>], symbols: &Symbols<'_>) -> Vec<Pair<'f, 'a>> {
    type Sides<'f, 'a> = [Vec<(&'static str, &'f Function<'a>)>; 2];
    let mut stems = BTreeMap::<(usize, String), Sides<'f, 'a>>::new();
    let with_code = functions.iter().filter(|function| locate::code(function, symbols).is_some());
    let with_code: HashSet<&str> = with_code.map(Function::symbol).collect();
    let has_code = |function: &Function<'_>| {
        locate::code(function, symbols).is_some()
            || (locate::folded(function, symbols).is_some()
                && !with_code.contains(function.symbol()))
    };
    let callable = |function: &&Function<'_>| {
        !function.method && function.linkage_name.is_none() && has_code(function)
    };
    for function in functions.iter().filter(callable) {
        for (group, verbs) in VERBS.iter().enumerate() {
            for (side, verbs) in [verbs.acquire, verbs.release].into_iter().enumerate() {
                for (verb, stem) in without_verb(&function.name, verbs) {
                    stems.entry((group, stem)).or_default()[side].push((verb, function));
                }
            }
        }
    }
    let mut pairs = BTreeMap::new();
    for [acquires, releases] in stems.into_values() {
        for &(acquire_verb, acquire) in &acquires {
            for &(release_verb, release) in &releases {
                pairs.entry((acquire.symbol(), release.symbol())).or_insert(Pair {
                    acquire,
                    release,
                    verbs: (acquire_verb, release_verb),
                });
            }
        }
    }
    pairs.into_values().collect()
}

/// What is left of `name` without one of `verbs`, for each verb that is a word of the name or
/// begins or ends one: `my_alloc_data` and `allocMyData` both leave `mydata` without `alloc`.
fn without_verb(name: &str, verbs: &'static [&'static str]) -> Vec<(&'static str, String)> {
    let words = words(name);
    let mut stems = Vec::new();
    for (index, word) in words.iter().enumerate() {
        for &verb in verbs {
            let rest = match word.strip_prefix(verb) {
                Some(rest) => Some(rest),
                None => word.strip_suffix(verb),
            };
            if let Some(rest) = rest {
                let mut left = words.clone();
                rest.clone_into(&mut left[index]);
                stems.push((verb, left.concat()));
            }
        }
    }
    stems
}

/// The words of an identifier, in lower case: `allocMyData` and `alloc_my_data` have three.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut lower_before = false;
    for letter in name.chars() {
        let begins = letter == '_' || (letter.is_ascii_uppercase() && lower_before);
        lower_before = letter.is_ascii_lowercase() || letter.is_ascii_digit();
        if begins && words.last().is_some_and(|word| !word.is_empty()) {
            words.push(String::new());
        }
        if letter != '_'
            && let Some(word) = words.last_mut()
        {
            word.push(letter.to_ascii_lowercase());
        }
    }
    words
}

/// The struct that one returns and the other takes, if that is all that the other takes.
fn common_object(debug: &DebugInfo<'_>, pair: &Pair<'_, '_>) -> Result<Option<String>> {
    let [param] = pair.release.params.as_slice() else { return Ok(None) };
    if pair.release.return_type.is_some() {
        return Ok(None);
    }
    let shapes = (debug.shape(pair.acquire.return_type)?, debug.shape(param.ty)?);
    Ok(match shapes {
        (Shape::StructPointer { name, .. }, Shape::StructPointer { name: taken, .. })
            if name == taken && !name.is_empty() =>
        {
            Some(name)
        }
        _ => None,
    })
}

/// Whether both functions can be kfuncs.
fn lendable(
    debug: &DebugInfo<'_>,
    functions: &[Function<'_>],
    symbols: &Symbols<'_>,
    pair: &Pair<'_, '_>,
    prefix: &str,
) -> Result<(), String> {
    for (function, role) in [(pair.acquire, Role::Acquire), (pair.release, Role::Release)] {
        let is_namesake = |other: &&Function<'_>| {
            other.symbol() == function.symbol() && locate::code(other, symbols).is_some()
        };
        if functions.iter().filter(is_namesake).count() > 1 {
            return Err(format!("several functions are called {}", function.symbol()));
        }
        signature::of(debug, function, role)
            .map_err(|reason| format!("{}: {reason}", locate::describe(function)))?;
        super::kfunc_name(function, prefix).map_err(|error| format!("{error:#}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_into_words() {
        assert_eq!(words("my_alloc_data"), ["my", "alloc", "data"]);
        assert_eq!(words("createClientState"), ["create", "client", "state"]);
        assert_eq!(words("__x__y"), ["x", "y"]);
        assert_eq!(words("EVP_MD_CTX_new"), ["evp", "md", "ctx", "new"]);
        assert_eq!(words("HTTPOpen"), ["httpopen"]);
    }

    #[test]
    fn verbs_leave_the_same_stem_wherever_they_stand() {
        let stems = |name, verbs: &'static [&'static str]| -> Vec<String> {
            without_verb(name, verbs).into_iter().map(|(_, stem)| stem).collect()
        };
        assert_eq!(stems("my_alloc_data", VERBS[0].acquire), ["mydata"]);
        assert_eq!(stems("my_free_data", VERBS[0].release), ["mydata"]);
        assert!(stems("streamNew", VERBS[0].acquire).contains(&"stream".to_owned()));
        assert_eq!(stems("freeStream", VERBS[0].release), ["stream"]);
        assert!(stems("conn_unref", VERBS[3].release).contains(&"conn".to_owned()));
        assert_eq!(stems("total", VERBS[0].acquire), [""; 0]);
    }
}
