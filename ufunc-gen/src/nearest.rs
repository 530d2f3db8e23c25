// SPDX-License-Identifier: MIT OR Apache-2.0
//! What somebody may have meant by a name that there is not.

/// How alike two names have to be, of 1, for one to be a misspelling of the other.
const ALIKE: f64 = 0.85;
/// Names up to this length are in too many others to mean one of them.
const SHORT: usize = 3;

/// The one of `names` that `wanted` may be a misspelling of, or a part.
pub fn nearest<'n>(wanted: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    // `item_update` rather means `do_item_update` than `item_get`.
    let likeness = |name: &str| match wanted.len() > SHORT && name.contains(wanted) {
        true => 1.0 + strsim::jaro_winkler(wanted, name),
        false => strsim::jaro_winkler(wanted, name),
    };
    let rated = names.into_iter().map(|name| (likeness(name), name));
    let near = rated.filter(|(likeness, _)| *likeness > ALIKE);
    near.max_by(|one, other| one.0.total_cmp(&other.0)).map(|(_, name)| name)
}

/// `; the nearest name is 'data'`, to end a message with; nothing if no name is near.
pub fn hint<'n>(wanted: &str, names: impl IntoIterator<Item = &'n str>) -> String {
    nearest(wanted, names)
        .map(|name| format!("; the nearest name is '{}'", name.escape_debug()))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspellings_and_parts_are_found() {
        let names = ["bpf_map_lookup_elem", "bpf_map_update_elem", "item_get", "do_item_update"];
        assert_eq!(nearest("bpf_map_lokup_elem", names), Some("bpf_map_lookup_elem"));
        assert_eq!(nearest("map_update_elem", names), Some("bpf_map_update_elem"));
        assert_eq!(nearest("item_update", names), Some("do_item_update"));
        assert_eq!(nearest("sqlite3_open", names), None);
        assert_eq!(nearest("", names), None);
    }

    #[test]
    fn a_hint_is_printable() {
        assert_eq!(hint("item_gte", ["item_get"]), "; the nearest name is 'item_get'");
        assert_eq!(hint("ab\x1bcd", ["ab\x1bcde"]), "; the nearest name is 'ab\\u{1b}cde'");
        assert_eq!(hint("x", ["item_get"]), "");
    }
}
