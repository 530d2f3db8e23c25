// SPDX-License-Identifier: MIT OR Apache-2.0
//! Names out of the application's ELF, made fit for BTF and for Rust source.
//!
//! A name in an ELF file can be any bytes, and what is written here is compiled into a kernel
//! module. So a name becomes source text only if it is an identifier, letter by letter; anything
//! else is refused (functions) or rewritten (types and members, which are data in the output).

use std::borrow::Cow;

use crate::btf::Name;
use crate::kernel::{NAME_MAX, SECTION_NAME_MAX};

/// Whether `name` is an identifier in C, in Rust and to the kernel (`btf_name_valid_identifier()`).
pub fn is_identifier(name: &str) -> bool {
    // All bytes are looked at, several at a time, for nearly all names are identifiers.
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    name.bytes().next().is_some_and(|first| !first.is_ascii_digit())
        && name.len() <= NAME_MAX
        && name.bytes().fold(true, |all, byte| all & is_word(byte))
}

/// The identifier by which BTF can know the type or member `name`: every byte that an identifier
/// cannot have becomes `_`. An empty name stays empty.
pub fn btf_name(name: Cow<'_, str>) -> Name<'_> {
    if name.is_empty() || is_identifier(&name) {
        return name;
    }
    let mut fit = match name.len() <= NAME_MAX {
        true => name.into_owned(),
        false => shortened(&name, NAME_MAX),
    }
    .into_bytes();
    for byte in &mut fit {
        *byte = if byte.is_ascii_alphanumeric() { *byte } else { b'_' };
    }
    if fit.first().is_some_and(u8::is_ascii_digit) {
        // In front of it, so that the members `1` and `2` of a tuple stay apart.
        fit.truncate(NAME_MAX - 1);
        fit.insert(0, b'_');
    }
    // Nothing but ASCII is left.
    Cow::Owned(String::from_utf8(fit).unwrap_or_default())
}

/// The name by which BTF can know the section `name`, as all kernels have it
/// (`btf_name_valid_section()`): that of an identifier, but with dots.
pub fn section_name(name: &str) -> String {
    let mut fit: String = shortened(name, SECTION_NAME_MAX)
        .bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() || byte == b'.' { byte as char } else { '_' })
        .collect();
    if !fit.starts_with(|first: char| first.is_ascii_alphabetic() || "._".contains(first)) {
        fit.truncate(SECTION_NAME_MAX - 1);
        fit.insert(0, '_');
    }
    fit
}

/// Whether `name` is one that [`section_name`] gives.
pub fn is_section_name(name: &str) -> bool {
    !name.is_empty() && section_name(name) == name
}

/// The symbol `symbol` without what GCC appends to that of a changed copy: `f.isra.0` is `f`.
pub fn without_clone(symbol: &[u8]) -> &[u8] {
    const CLONES: [&[u8]; 6] =
        [b".isra.", b".constprop.", b".part.", b".lto_priv.", b".cold", b".localalias"];
    let is_clone = |start: &usize| CLONES.iter().any(|clone| symbol[*start..].starts_with(clone));
    match memchr::memchr_iter(b'.', symbol).find(is_clone) {
        Some(start) if start > 0 => &symbol[..start],
        _ => symbol,
    }
}

/// `name`, if it has no more than `max` bytes; otherwise what it begins with, and a number that
/// tells it from other long ones.
pub fn shortened(name: &str, max: usize) -> String {
    if name.len() <= max {
        return name.to_owned();
    }
    // FNV-1a: the same on every machine.
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let number = format!("_{hash:016x}");
    let mut end = max.saturating_sub(number.len());
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{number}", &name[..end])
}

/// The name by which BTF can know the base type `name`, of which each word is made an identifier:
/// `long unsigned int` stays as it is, and a C header made of the BTF compiles.
pub fn base_type_name(name: Cow<'_, str>) -> Name<'_> {
    if name.len() <= NAME_MAX && name.split(' ').all(is_identifier) {
        return name;
    }
    btf_name(name)
}

/// How Rust source spells the function name `name`, an identifier. `None` if Rust has no way:
/// the few keywords that cannot be escaped.
pub fn rust_function_name(name: &str) -> Option<Cow<'_, str>> {
    const NEVER: [&str; 5] = ["_", "crate", "self", "super", "Self"];
    match () {
        _ if NEVER.contains(&name) => None,
        // Escaping what need not be is harmless, so the list may run ahead of the edition.
        _ if KEYWORDS.contains(&name) => Some(Cow::Owned(format!("r#{name}"))),
        _ => Some(Cow::Borrowed(name)),
    }
}

/// Keywords of every Rust edition so far, reserved ones included
/// (The Rust Reference, "Keywords").
const KEYWORDS: [&str; 49] = [
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "do", "dyn",
    "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let",
    "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return",
    "static", "struct", "trait", "true", "try", "type", "typeof", "union", "unsafe", "unsized",
    "use", "virtual", "where", "while", "yield",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_have_names_that_every_kernel_allows() {
        for (name, fit) in [
            (".data.rel.ro", ".data.rel.ro"),
            ("__libc_freeres_ptrs", "__libc_freeres_ptrs"),
            ("", "_"),
            ("1st", "_1st"),
            ("my data-$x", "my_data__x"),
        ] {
            assert_eq!(section_name(name), fit);
        }
        assert!(is_section_name(&section_name(&"é".repeat(SECTION_NAME_MAX))));
        assert!(!is_section_name("") && !is_section_name("a b"));
    }

    #[test]
    fn hostile_names_are_no_identifiers() {
        for bad in ["", "1a", "a b", "a\n", "a\"", "a;b", "é", "a.b", "r#a", "a\0", "{}", "//"] {
            assert!(!is_identifier(bad), "{bad:?}");
        }
        assert!(!is_identifier(&"a".repeat(NAME_MAX + 1)));
        for good in ["a", "_", "my_alloc_data", "Z9"] {
            assert!(is_identifier(good), "{good}");
        }
    }

    #[test]
    fn every_name_becomes_an_identifier_for_btf() {
        for name in ["vector<int>", "9lives", "a\nb", "\"", "ünïcode", &"x y".repeat(999)] {
            let fit = btf_name(Cow::Borrowed(name));
            assert!(is_identifier(&fit), "{name:?} became {fit:?}");
        }
        assert_eq!(btf_name("".into()), "");
        assert_eq!(btf_name("vector<int>".into()), "vector_int_");
        assert_eq!(btf_name("0".into()), "_0");
        assert!(is_identifier(&btf_name("9".repeat(NAME_MAX).into())));
    }

    #[test]
    fn changed_copies_are_called_like_what_they_are_copies_of() {
        for (symbol, expected) in [
            ("count.isra.0", "count"),
            ("_Z5countv.constprop.0.isra.0", "_Z5countv"),
            ("main.cold", "main"),
            ("_ZN4core3ptr9a..b..cE", "_ZN4core3ptr9a..b..cE"),
            (".part.1", ".part.1"),
        ] {
            assert_eq!(without_clone(symbol.as_bytes()), expected.as_bytes());
        }
    }

    #[test]
    fn long_names_stay_apart() {
        let long = "ü".repeat(NAME_MAX);
        let (one, other) = (format!("{long}1"), format!("{long}2"));
        let (one, other) = (btf_name(one.into()), btf_name(other.into()));
        assert!(is_identifier(&one) && is_identifier(&other));
        assert_ne!(one, other);
    }

    #[test]
    fn base_types_keep_the_blanks_between_their_words() {
        assert_eq!(base_type_name("long unsigned int".into()), "long unsigned int");
        assert_eq!(base_type_name("(1 element tuple)".into()), "_1_element_tuple_");
        assert_eq!(base_type_name("a  b".into()), "a__b");
        assert_eq!(base_type_name("a\nb".into()), "a_b");
    }

    #[test]
    fn keywords_are_escaped_or_refused() {
        assert_eq!(rust_function_name("match").as_deref(), Some("r#match"));
        assert_eq!(rust_function_name("gen").as_deref(), Some("r#gen"));
        assert_eq!(rust_function_name("matches").as_deref(), Some("matches"));
        assert_eq!(rust_function_name("self"), None);
    }
}
