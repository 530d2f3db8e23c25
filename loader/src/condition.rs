// SPDX-License-Identifier: MIT OR Apache-2.0
//! Whether a condition of the source holds, where the log shows only a jump that was followed or
//! not: compilers like to turn conditions around.

/// Whether the `if` or `while` in the source line `text` holds, if the comparison that it was
/// compiled to, `w2 s< 0x0`, does as `is_true` says.
///
/// `None` unless source and jump compare with the same constant: nothing is guessed.
pub(crate) fn holds(text: &str, comparison: &str, is_true: bool) -> Option<bool> {
    let source = Relation::of_source(condition(text)?)?;
    let compiled = Relation::of_jump(comparison)?;
    let is_same = (source.kind, source.value) == (compiled.kind, compiled.value);
    is_same.then_some(is_true ^ compiled.is_negated ^ source.is_negated)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The value is equal to the constant.
    Equal,
    /// The value is less than the constant.
    Less,
}

/// A comparison with a constant, such that no other pair of kind and constant means the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Relation {
    kind: Kind,
    value: i64,
    is_negated: bool,
}

/// Longer ones first: `<` begins `<=`.
const OPERATORS: [&str; 6] = ["==", "!=", "<=", ">=", "<", ">"];

impl Relation {
    fn new(operator: &str, value: i64) -> Option<Self> {
        let next = value.checked_add(1);
        let (kind, value, is_negated) = match operator {
            "==" => (Kind::Equal, value, false),
            "!=" => (Kind::Equal, value, true),
            "<" => (Kind::Less, value, false),
            ">=" => (Kind::Less, value, true),
            "<=" => (Kind::Less, next?, false),
            ">" => (Kind::Less, next?, true),
            _ => return None,
        };
        Some(Relation { kind, value, is_negated })
    }

    /// Reads `w2 s< 0x0`.
    fn of_jump(comparison: &str) -> Option<Self> {
        let mut words = comparison.split(' ');
        let (Some(_), Some(operator), Some(value), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return None;
        };
        Relation::new(operator.trim_start_matches('s'), number(value)?)
    }

    /// Reads `d->a < 0`, `!d` or `d`.
    fn of_source(condition: &str) -> Option<Self> {
        let condition = without_parentheses(condition);
        let is_compound = ["&&", "||", "?"].iter().any(|part| condition.contains(part));
        if is_compound || places(condition, &[","]).next().is_some() {
            return None;
        }
        if let Some(rest) = condition.strip_prefix('!').filter(|rest| !rest.starts_with('=')) {
            // `!a == b` compares `!a`.
            let relation = Relation::of_source(rest)?;
            let compares = places(rest, &OPERATORS).next().is_some();
            let is_negated = !relation.is_negated;
            return (!compares).then_some(Relation { is_negated, ..relation });
        }
        let mut found = places(condition, &OPERATORS);
        let Some((at, operator)) = found.next() else { return Relation::new("!=", 0) };
        if found.next().is_some() {
            return None;
        }
        let (left, right) = (&condition[..at], &condition[at + operator.len()..]);
        match (number(left.trim()), number(right.trim())) {
            (None, Some(value)) => Relation::new(operator, value),
            (Some(value), None) => Relation::new(turned_around(operator), value),
            _ => None,
        }
    }
}

/// Where one of `wanted` is in `condition`, but not within parentheses.
fn places<'a>(
    condition: &'a str,
    wanted: &'a [&'static str],
) -> impl Iterator<Item = (usize, &'static str)> + 'a {
    let mut depth = 0_i32;
    let mut skipped = 0;
    condition.char_indices().filter_map(move |(at, char)| {
        match char {
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            _ => {}
        }
        let rest = &condition[at..];
        if at < skipped || depth != 0 {
            return None;
        }
        if let Some(other) = ["->", "<<", ">>"].iter().find(|other| rest.starts_with(**other)) {
            skipped = at + other.len();
            return None;
        }
        let found = wanted.iter().find(|wanted| rest.starts_with(**wanted))?;
        skipped = at + found.len();
        Some((at, *found))
    })
}

/// `0 < a` as `a > 0`.
fn turned_around(operator: &'static str) -> &'static str {
    match operator {
        "<" => ">",
        ">" => "<",
        "<=" => ">=",
        ">=" => "<=",
        same => same,
    }
}

/// What stands in the parentheses of the line's `if` or `while`, if they end on the line.
fn condition(text: &str) -> Option<&str> {
    let starts = ["if (", "if(", "while (", "while("];
    let start = starts.iter().find_map(|start| Some(text.find(start)? + start.len()))?;
    let rest = &text[start..];
    let mut depth = 1_u32;
    let end = rest.char_indices().find(|(_, char)| {
        match char {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        depth == 0
    });
    end.map(|(end, _)| &rest[..end])
}

/// The text without spaces, and without parentheses that are around all of it.
fn without_parentheses(text: &str) -> &str {
    let mut text = text.trim();
    while let Some(inner) = text.strip_prefix('(').and_then(|text| text.strip_suffix(')')) {
        let mut depth = 0_i32;
        let is_whole = inner.chars().all(|char| {
            match char {
                '(' => depth += 1,
                ')' => depth -= 1,
                _ => {}
            }
            depth >= 0
        });
        if !is_whole {
            break;
        }
        text = inner.trim();
    }
    text
}

/// A number as C and the verifier's log write it.
fn number(text: &str) -> Option<i64> {
    match text {
        "NULL" | "false" => return Some(0),
        "true" => return Some(1),
        _ => {}
    }
    let (text, sign) = match text.strip_prefix('-') {
        Some(text) => (text.trim_start(), -1),
        None => (text, 1),
    };
    let digits = text.trim_end_matches(['u', 'U', 'l', 'L']);
    let value = match digits.strip_prefix("0x") {
        // The log has 32 bits of an immediate, -1 as 0xffffffff.
        Some(digits) => match i64::from_str_radix(digits, 16).ok()? {
            value @ 0x8000_0000..=0xffff_ffff => value - (1 << 32),
            value => value,
        },
        None => digits.parse().ok()?,
    };
    Some(sign * value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_turned_as_the_source_has_them() {
        let cases = [
            ("\tif (d->a < 0)", "w2 s< 0x0", true),
            ("\tif (!d)", "r0 == 0x0", true),
            ("\tif (d)", "r0 == 0x0", false),
            ("\tif (d == NULL) {", "r0 != 0x0", false),
            ("\tif (NULL != d) {", "r0 != 0x0", true),
            ("if(count >= 5)", "r1 > 0x4", true),
            ("while (i <= 9)", "w1 s> 0x9", false),
            ("if (5 > f(a, b[1]))", "w0 s< 0x5", true),
            ("if (!(a == 3))", "w0 == 0x3", false),
            ("if (x != -1)", "w0 == 0xffffffff", false),
            ("} else if (((a)) > 2u)", "w0 < 0x3", false),
        ];
        for (text, comparison, holds_with_it) in cases {
            let found = [true, false].map(|is_true| holds(text, comparison, is_true));
            assert_eq!(found, [Some(holds_with_it), Some(!holds_with_it)], "{text} {comparison}");
        }
    }

    #[test]
    fn nothing_is_guessed() {
        let cases = [
            ("\tif (a && b)", "r0 == 0x0"),
            ("\tif (a < LIMIT)", "r0 < 0x40"),
            ("\tif (a < b)", "r0 < r1"),
            ("\tif (a > 0)", "r0 != 0x0"),
            ("\tif (a &&", "r0 == 0x0"),
            ("\treturn a < 0;", "r0 s< 0x0"),
            ("\tif (!a == 2)", "r0 == 0x2"),
            ("\tif (a, b)", "r0 == 0x0"),
            ("\tif (a & 1)", "r0 & 0x1"),
            ("\tif (a)", "r0"),
            ("\tif (", ""),
        ];
        for (text, comparison) in cases {
            assert_eq!(holds(text, comparison, true), None, "{text} {comparison}");
        }
    }
}
