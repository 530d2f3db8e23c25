// SPDX-License-Identifier: MIT OR Apache-2.0
//! Names taken apart into a verb and the rest.

use super::verbs::{Side, Verbs, rank, verb, within_words};

/// Stands for the verb in what is left of a word that has it as its beginning or end.
const PLACE: char = '^';

/// A name, taken apart around one of its verbs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) verb: &'static str,
    /// What is left without it: the other words in their order. If the verb is only a part of its
    /// word, the word's rest with a mark on the verb's side, so that it fits only its like.
    pub(super) stem: String,
    /// The verb's word, counted from the first and from the last.
    place: (usize, usize),
}

impl Part {
    /// How well `release` fits, the less the better: the verbs stand in the same place, and are
    /// usual partners. `None` if they are no partners.
    pub(super) fn distance(&self, release: &Part) -> Option<(bool, usize)> {
        let rank = rank(self.verbs(release))?;
        let same_place = self.place.0 == release.place.0 || self.place.1 == release.place.1;
        Some((!same_place, rank))
    }

    pub(super) fn verbs(&self, release: &Part) -> Verbs {
        Verbs { acquire: self.verb, release: release.verb }
    }
}

/// `name` without each of its verbs of `side`.
pub(super) fn parts(name: &str, side: Side) -> Vec<Part> {
    let words = words(name);
    let is_verb =
        |word: &String| verb(word, Side::Acquire).is_some() || verb(word, Side::Release).is_some();
    if !words.iter().any(is_verb) {
        return within(&words, side);
    }
    let with_verb = words.iter().enumerate();
    let with_verb = with_verb.filter_map(|(index, word)| Some((index, verb(word, side)?)));
    with_verb.map(|(index, verb)| part(&words, index, verb, "")).collect()
}

/// The same for a name in which no whole word is a verb.
fn within(words: &[String], side: Side) -> Vec<Part> {
    let mut parts = Vec::new();
    for (index, word) in words.iter().enumerate() {
        for verb in within_words(side) {
            if let Some(rest) = word.strip_prefix(verb) {
                parts.push(part(words, index, verb, &format!("{PLACE}{rest}")));
            } else if let Some(rest) = word.strip_suffix(verb) {
                parts.push(part(words, index, verb, &format!("{rest}{PLACE}")));
            }
        }
    }
    parts
}

/// The part in which `rest` takes the place of the word that has the verb.
fn part(words: &[String], index: usize, verb: &'static str, rest: &str) -> Part {
    let others = [words[..index].concat(), rest.to_owned(), words[index + 1..].concat()];
    Part { verb, stem: others.concat(), place: (index, words.len() - index) }
}

/// The words of an identifier, in lower case: `allocMyData` and `alloc_my_data` have three. A
/// `ref` is one word with what is done to it: `inc_ref`.
pub(super) fn words(name: &str) -> Vec<String> {
    let mut words = Vec::<String>::new();
    let letters: Vec<char> = name.chars().collect();
    let mut begins = true;
    for (index, &letter) in letters.iter().enumerate() {
        if letter == '_' {
            begins = true;
            continue;
        }
        let before = index.checked_sub(1).map(|before| letters[before]);
        let after = letters.get(index + 1).copied();
        begins |= begins_word(before, letter, after);
        match words.last_mut() {
            Some(word) if !begins => word.push(letter.to_ascii_lowercase()),
            _ => words.push(letter.to_ascii_lowercase().to_string()),
        }
        begins = false;
    }
    join_references(words)
}

/// Whether `letter` is the first of a word of a CamelCase name.
fn begins_word(before: Option<char>, letter: char, after: Option<char>) -> bool {
    let lower = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    letter.is_ascii_uppercase()
        && (before.is_some_and(lower) || after.is_some_and(|letter| letter.is_ascii_lowercase()))
}

fn join_references(words: Vec<String>) -> Vec<String> {
    let mut joined = Vec::<String>::new();
    for word in words {
        let doing = match joined.last().map(String::as_str) {
            Some("inc" | "incr") => Some("incref"),
            Some("dec" | "decr") => Some("decref"),
            Some("add") => Some("addref"),
            Some("del") => Some("delref"),
            Some("drop") => Some("dropref"),
            _ => None,
        };
        match (doing, joined.last_mut()) {
            (Some(doing), Some(last)) if ["ref", "refcount", "refcnt"].contains(&&*word) => {
                doing.clone_into(last);
            }
            _ => joined.push(word),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The verbs by which two names match, the best first.
    fn verbs(acquire: &str, release: &str) -> Option<String> {
        let releases = parts(release, Side::Release);
        let acquires = parts(acquire, Side::Acquire);
        let pairs = acquires.iter().flat_map(|a| releases.iter().map(move |r| (a, r)));
        let fitting = pairs.filter(|(a, r)| a.stem == r.stem);
        let fitting = fitting.filter_map(|(a, r)| Some((a.distance(r)?, a.verbs(r))));
        fitting.min().map(|(_, verbs)| verbs.to_string())
    }

    #[test]
    fn names_are_split_into_words() {
        assert_eq!(words("my_alloc_data"), ["my", "alloc", "data"]);
        assert_eq!(words("createClientState"), ["create", "client", "state"]);
        assert_eq!(words("__x__y"), ["x", "y"]);
        assert_eq!(words("EVP_MD_CTX_new"), ["evp", "md", "ctx", "new"]);
        assert_eq!(words("HTTPOpen"), ["http", "open"]);
        assert_eq!(words("ACLCreateUser"), ["acl", "create", "user"]);
        assert_eq!(words("streamFreeNACK"), ["stream", "free", "nack"]);
        assert_eq!(words("sqlite3VdbeDelete"), ["sqlite3", "vdbe", "delete"]);
        assert_eq!(words("Py_IncRef"), ["py", "incref"]);
        assert_eq!(words("conn_del_ref"), ["conn", "delref"]);
        assert_eq!(words(""), [""; 0]);
        assert_eq!(words("_"), [""; 0]);
    }

    #[test]
    fn verbs_match_wherever_they_stand() {
        for (acquire, release, expected) in [
            ("my_alloc_data", "my_free_data", "alloc/free"),
            ("streamNew", "freeStream", "new/free"),
            ("conn_ref", "conn_unref", "ref/unref"),
            ("dictGetIterator", "dictReleaseIterator", "get/release"),
            ("hashTypeInitIterator", "hashTypeReleaseIterator", "init/release"),
            ("sqlite3ValueNew", "sqlite3_value_free", "new/free"),
            ("ACLCreateSelector", "ACLFreeSelector", "create/free"),
            ("conn_inc_ref", "conn_dec_ref", "incref/decref"),
            ("Obj_AddRef", "Obj_Release", "addref/release"),
            ("lua_newstate", "lua_freestate", "new/free"),
            ("xalloc", "xfree", "alloc/free"),
            ("bufalloc", "buffree", "alloc/free"),
            ("sdsnew", "sdsfree", "new/free"),
            ("fopen", "fclose", "open/close"),
        ] {
            assert_eq!(verbs(acquire, release).as_deref(), Some(expected), "{acquire} {release}");
        }
    }

    #[test]
    fn chance_syllables_are_no_verbs() {
        for (acquire, release) in [
            ("forget_item", "forput_item"),
            ("item_widget_add", "item_widput_add"),
            ("newline_obj", "line_free_obj"),
            ("renew_obj", "free_obj"),
            ("target_obj", "input_obj"),
            ("bitmap", "bitunmap"),
            ("obj_new", "obj_cleanup"),
            ("obj_new", "other_free"),
            ("item_inc", "item_dec"),
        ] {
            assert_eq!(verbs(acquire, release), None, "{acquire} {release}");
        }
    }

    #[test]
    fn the_same_place_counts_before_the_usual_partner() {
        let distance = |release: &str| {
            let acquire = &parts("clone_listener", Side::Acquire)[0];
            acquire.distance(&parts(release, Side::Release)[0]).unwrap()
        };
        assert!(distance("delete_listener") < distance("listener_free"));
        assert!(distance("free_listener") < distance("delete_listener"));
    }
}
