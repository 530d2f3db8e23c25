// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which verb ends what another one begins.

use std::fmt;
use std::sync::LazyLock;

use hashbrown::HashMap;

/// The verbs by which the names of two functions match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Verbs {
    /// That of the function which acquires.
    pub acquire: &'static str,
    /// That of the function which releases.
    pub release: &'static str,
}

impl Verbs {
    /// Why functions whose names match by them count as a pair.
    pub fn reason(&self) -> String {
        format!("names match as {self}, types fit")
    }
}

impl fmt::Display for Verbs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.acquire, self.release)
    }
}

/// Verbs that acquire, each with those that release, the most usual first.
///
/// What only undoes the filling of a struct (`fini`, `cleanup`) is no partner of what makes one:
/// an extension would leak it.
const PARTNERS: &[(&str, &[&str])] = &[
    ("alloc", &["free", "dealloc", "release", "delete", "del", "destroy", "dispose", "drop"]),
    ("allocate", &["deallocate", "free", "dealloc", "release", "delete", "destroy", "dispose"]),
    ("new", &["free", "delete", "del", "destroy", "release", "dispose", "drop", "close"]),
    ("create", &["destroy", "free", "delete", "del", "release", "dispose", "drop", "close"]),
    ("make", &["free", "destroy", "delete", "del", "release", "dispose", "drop"]),
    ("mk", &["free", "destroy", "delete", "del", "release", "dispose", "drop"]),
    ("construct", &["destruct", "destroy", "free", "delete"]),
    (
        "init",
        &[
            "fini", "deinit", "uninit", "exit", "cleanup", "destroy", "free", "release", "delete",
            "dispose",
        ],
    ),
    ("setup", &["teardown", "cleanup", "fini", "exit"]),
    ("dup", &["free", "release", "destroy", "delete", "del", "dispose", "drop"]),
    ("clone", &["free", "release", "destroy", "delete", "del", "dispose", "drop"]),
    ("copy", &["free", "release", "destroy", "delete", "del", "dispose", "drop"]),
    ("open", &["close"]),
    ("connect", &["disconnect", "close"]),
    ("get", &["put", "release", "return", "give", "drop"]),
    ("grab", &["put", "release", "ungrab", "drop"]),
    ("take", &["put", "give", "return", "release", "drop"]),
    ("acquire", &["release", "put", "drop"]),
    ("borrow", &["return", "release", "give"]),
    ("checkout", &["checkin", "return", "release"]),
    ("claim", &["release", "unclaim"]),
    ("reserve", &["unreserve", "release"]),
    ("ref", &["unref", "deref", "put", "release", "drop"]),
    ("addref", &["delref", "release", "unref", "decref", "dropref"]),
    ("incref", &["decref", "unref"]),
    ("retain", &["release"]),
    ("hold", &["unhold", "release", "put", "drop"]),
    ("begin", &["end", "finish"]),
    ("start", &["stop", "finish", "end"]),
    ("attach", &["detach"]),
    ("map", &["unmap"]),
    ("load", &["unload"]),
];

/// Verbs of functions that may well take such an object as they return: a copy of it, or a
/// further reference to it. `struct obj *obj_init(struct obj *)` returns what it was given.
const FROM_ANOTHER: &[&str] = &[
    "acquire", "addref", "borrow", "claim", "clone", "copy", "dup", "get", "grab", "hold",
    "incref", "ref", "retain", "take",
];

/// Verbs that count even where they begin or end a longer word, as in `xalloc` and `sdsnew`.
/// Shorter or more usual syllables do not: `get` is in `widget`, `map` in `bitmap`.
const WITHIN_WORDS: &[&str] = &[
    "alloc", "close", "create", "dealloc", "delete", "destroy", "dup", "free", "new", "open",
    "release",
];

/// What a function does by its verb.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Acquire,
    Release,
}

/// Words that are verbs, with whether they are of each side. Every name of an application is looked
/// through for them.
static VERBS: LazyLock<HashMap<&'static str, [bool; 2]>> = LazyLock::new(|| {
    let mut verbs = HashMap::new();
    for side in [Side::Acquire, Side::Release] {
        for verb in all(side) {
            verbs.entry(verb).or_insert([false; 2])[side as usize] = true;
        }
    }
    verbs
});

/// The verbs of each side that count within longer words.
static WITHIN: LazyLock<[Vec<&'static str>; 2]> = LazyLock::new(|| {
    [Side::Acquire, Side::Release].map(|side| {
        WITHIN_WORDS.iter().copied().filter(|word| verb(word, side).is_some()).collect()
    })
});

/// The verb that `word` is.
pub(super) fn verb(word: &str, side: Side) -> Option<&'static str> {
    let (verb, sides) = VERBS.get_key_value(word)?;
    sides[side as usize].then_some(*verb)
}

/// Whether `word` is a verb of either side.
pub(super) fn is_verb(word: &str) -> bool {
    VERBS.contains_key(word)
}

/// The verbs of `side` that count within longer words.
pub(super) fn within_words(side: Side) -> impl Iterator<Item = &'static str> {
    WITHIN[side as usize].iter().copied()
}

/// Whether a function of this verb may take such an object as it returns.
pub(super) fn takes_another(verb: &str) -> bool {
    FROM_ANOTHER.contains(&verb)
}

/// How far `verbs` are from the most usual partners, 0; `None` if they do not belong together.
pub(super) fn rank(verbs: Verbs) -> Option<usize> {
    let (_, releases) = PARTNERS.iter().find(|(acquire, _)| *acquire == verbs.acquire)?;
    releases.iter().position(|release| *release == verbs.release)
}

fn all(side: Side) -> Box<dyn Iterator<Item = &'static str>> {
    match side {
        Side::Acquire => Box::new(PARTNERS.iter().map(|(acquire, _)| *acquire)),
        Side::Release => Box::new(PARTNERS.iter().flat_map(|(_, releases)| *releases).copied()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rank_of(acquire: &'static str, release: &'static str) -> Option<usize> {
        rank(Verbs { acquire, release })
    }

    #[test]
    fn the_usual_partner_comes_first() {
        for (acquire, release) in [
            ("alloc", "free"),
            ("new", "free"),
            ("create", "destroy"),
            ("open", "close"),
            ("get", "put"),
            ("acquire", "release"),
            ("ref", "unref"),
            ("init", "fini"),
        ] {
            assert_eq!(rank_of(acquire, release), Some(0), "{acquire}/{release}");
        }
        assert!(rank_of("new", "free") < rank_of("new", "delete"));
        assert!(rank_of("new", "close").is_some());
    }

    #[test]
    fn what_empties_a_struct_is_no_partner_of_what_makes_one() {
        for release in ["cleanup", "fini", "deinit", "uninit", "exit"] {
            for acquire in ["alloc", "new", "create", "dup", "get"] {
                assert_eq!(rank_of(acquire, release), None, "{acquire}/{release}");
            }
            assert!(rank_of("init", release).is_some(), "{release}");
        }
        assert!(rank_of("setup", "cleanup").is_some());
    }

    #[test]
    fn short_syllables_count_as_whole_words_only() {
        for side in [Side::Acquire, Side::Release] {
            for verb in within_words(side) {
                assert!(!["get", "put", "ref", "map", "end", "mk"].contains(&verb));
            }
        }
        assert!(WITHIN_WORDS.iter().all(|word| {
            verb(word, Side::Acquire).is_some() || verb(word, Side::Release).is_some()
        }));
    }
}
