// SPDX-License-Identifier: MIT OR Apache-2.0
//! Patterns of messages, in which `*` stands for what changes.

/// Matches `text` with `pattern` and returns what each `*` stands for.
pub(super) fn captures<'a>(pattern: &str, text: &'a str) -> Option<Vec<&'a str>> {
    let mut parts = pattern.split('*');
    let mut rest = text.strip_prefix(parts.next()?)?;
    let mut matched = Vec::new();
    let mut parts = parts.peekable();
    while let Some(part) = parts.next() {
        let (before, after) = match parts.peek() {
            // The last part ends the text.
            None => (rest.strip_suffix(part)?, ""),
            Some(_) => rest.split_once(part)?,
        };
        matched.push(before);
        rest = after;
    }
    rest.is_empty().then_some(matched)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_match_what_changes() {
        assert_eq!(captures("a * c", "a b c"), Some(vec!["b"]));
        assert_eq!(captures("a*", "a"), Some(vec![""]));
        assert_eq!(captures("*b*", "abc"), Some(vec!["a", "c"]));
        assert_eq!(captures("a", "a"), Some(vec![]));
        assert_eq!(captures("a", "ab"), None);
        assert_eq!(captures("a*c", "ab"), None);
        assert_eq!(captures("a*a", "a"), None);
    }
}
