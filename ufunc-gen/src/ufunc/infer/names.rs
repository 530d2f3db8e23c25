// SPDX-License-Identifier: MIT OR Apache-2.0
//! Names taken apart into a verb and the rest.

use std::ops::Range;

use super::verbs::{Side, Verbs, is_verb, rank, verb, within_words};

/// Stands for the verb in what is left of a word that has it as its beginning or end.
const PLACE: &str = "^";

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

/// The words of a name, in which verbs are looked for.
pub(super) struct Words {
    /// The words, one behind the other.
    text: String,
    /// Where each of them ends.
    ends: Vec<usize>,
}

/// Whether a function called `name` looks as if it acquired or released something.
pub(crate) fn has_verb(name: &str) -> bool {
    let words = Words::of(name);
    words.has_whole_verb() || words.iter().any(|word| !is_free_of_verbs(word))
}

/// Whether no verb that counts within words begins or ends `word`.
fn is_free_of_verbs(word: &str) -> bool {
    let mut verbs = within_words(Side::Acquire).chain(within_words(Side::Release));
    !verbs.any(|verb| word.starts_with(verb) || word.ends_with(verb))
}

impl Words {
    /// The words of the identifier `name`, in lower case: `allocMyData` and `alloc_my_data` have
    /// three. A `ref` is one word with what is done to it: `inc_ref`.
    pub(super) fn of(name: &str) -> Self {
        let mut words = Words { text: String::with_capacity(name.len()), ends: Vec::new() };
        let mut begins = true;
        let mut before = None;
        let mut letters = name.chars().peekable();
        while let Some(letter) = letters.next() {
            let after = letters.peek().copied();
            begins |= letter == '_' || begins_word(before.replace(letter), letter, after);
            if letter == '_' {
                continue;
            }
            if begins {
                words.end_word();
            }
            words.text.push(letter.to_ascii_lowercase());
            begins = false;
        }
        words.end_word();
        words
    }

    /// Ends the word that is being put together, if there is one.
    fn end_word(&mut self) {
        let start = self.ends.last().copied().unwrap_or(0);
        if start == self.text.len() {
            return;
        }
        let is_reference = ["ref", "refcount", "refcnt"].contains(&&self.text[start..]);
        let doing = self.iter().next_back().filter(|_| is_reference).and_then(doing);
        if let Some(doing) = doing {
            // The word before becomes one with it.
            self.ends.pop();
            self.text.truncate(self.ends.last().copied().unwrap_or(0));
            self.text += doing;
        }
        self.ends.push(self.text.len());
    }

    fn len(&self) -> usize {
        self.ends.len()
    }

    /// Where the word `index` is in the text.
    fn range(&self, index: usize) -> Range<usize> {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        start..self.ends[index]
    }

    /// The words, in order.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &str> {
        (0..self.len()).map(|index| &self.text[self.range(index)])
    }

    fn has_whole_verb(&self) -> bool {
        self.iter().any(is_verb)
    }

    /// The words without each of their verbs of `side`.
    pub(super) fn parts(&self, side: Side) -> Vec<Part> {
        if !self.has_whole_verb() {
            return self.within(side);
        }
        let with_verb = self.iter().enumerate();
        let with_verb = with_verb.filter_map(|(index, word)| Some((index, verb(word, side)?)));
        with_verb.map(|(index, verb)| self.part(index, verb, [""; 2])).collect()
    }

    /// The same for a name in which no whole word is a verb.
    fn within(&self, side: Side) -> Vec<Part> {
        let mut parts = Vec::new();
        for (index, word) in self.iter().enumerate() {
            for verb in within_words(side) {
                if let Some(rest) = word.strip_prefix(verb) {
                    parts.push(self.part(index, verb, [PLACE, rest]));
                } else if let Some(rest) = word.strip_suffix(verb) {
                    parts.push(self.part(index, verb, [rest, PLACE]));
                }
            }
        }
        parts
    }

    /// The part in which `rest` takes the place of the word that has the verb.
    fn part(&self, index: usize, verb: &'static str, rest: [&str; 2]) -> Part {
        let word = self.range(index);
        let stem = [&self.text[..word.start], rest[0], rest[1], &self.text[word.end..]].concat();
        Part { verb, stem, place: (index, self.len() - index) }
    }
}

/// Whether `letter` is the first of a word of a CamelCase name.
fn begins_word(before: Option<char>, letter: char, after: Option<char>) -> bool {
    let lower = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    letter.is_ascii_uppercase()
        && (before.is_some_and(lower) || after.is_some_and(|letter| letter.is_ascii_lowercase()))
}

/// What `word` and a `ref` behind it are together.
fn doing(word: &str) -> Option<&'static str> {
    Some(match word {
        "inc" | "incr" => "incref",
        "dec" | "decr" => "decref",
        "add" => "addref",
        "del" => "delref",
        "drop" => "dropref",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(name: &str, side: Side) -> Vec<Part> {
        Words::of(name).parts(side)
    }

    fn words(name: &str) -> Vec<String> {
        Words::of(name).iter().map(str::to_owned).collect()
    }

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
        assert_eq!(words("incrRefCount_x"), ["incref", "count", "x"]);
        assert_eq!(words("obj_incr_refcount_x"), ["obj", "incref", "x"]);
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
    fn names_with_a_verb_are_told_from_others() {
        for name in ["my_alloc_data", "xfree", "conn_incr_refcnt", "sdsnew", "openssl_x"] {
            assert!(has_verb(name), "{name}");
            let words = Words::of(name);
            let parts = [Side::Acquire, Side::Release].map(|side| words.parts(side).len());
            assert_ne!(parts, [0, 0], "{name}");
        }
        for name in ["main", "widget_add", "bitmap", "inputs", ""] {
            assert!(!has_verb(name), "{name}");
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
