// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where programs go, as `SEC()` says it, and the patterns that allow it.

use anyhow::{Result, bail};
use ufunc_gen::nearest;

use crate::attach::section::{Hook, KINDS, Section};

/// A probe point: what stands in `SEC()`, without the folder of the application's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Point {
    name: String,
    /// Whether `SEC()` leaves it to others to say where it is.
    left_open: bool,
}

impl Point {
    /// Reads `?uprobe//usr/bin/app:function`, as the point `uprobe/app:function`.
    pub(crate) fn of_section(section: &str) -> Point {
        let section = Section::parse(section);
        if section.target.is_empty() {
            return Point { name: section.kind, left_open: true };
        }
        let target = section.target.as_str();
        let (file, rest) = match section.is_user() {
            // Functions have no slashes, as the linker knows them.
            true => target.split_at(target.find(':').unwrap_or(target.len())),
            false => ("", target),
        };
        let name = file.rsplit('/').next().unwrap_or_default();
        Point { name: format!("{}/{name}{rest}", section.kind), left_open: false }
    }

    /// `place`, in the file `file` or in the kernel, for a program in `section`.
    pub(crate) fn at(section: &str, file: Option<&str>, place: &str) -> Point {
        let section = Section::parse(section);
        let file = file.map(|file| format!("{file}:")).unwrap_or_default();
        let name = format!("{}/{file}{place}", section.kind);
        Point { name, left_open: section.target.is_empty() }
    }

    /// As it is written.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> &str {
        self.name.split('/').next().unwrap_or_default()
    }
}

/// Points that are allowed: a point, in which `*` stands for anything. A kind alone allows what
/// `SEC()` leaves open, wherever it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern(String);

impl Pattern {
    /// Reads one. Folders of files are left out, as in points.
    ///
    /// Fails for what looks like a kind of program, and is none.
    pub(crate) fn new(text: &str) -> Result<Pattern> {
        let kind = text.split('/').next().unwrap_or_default();
        // Kinds that can only be verified are not listed.
        let hint = nearest::hint(kind, KINDS.iter().map(|(kind, _)| *kind));
        if !kind.contains('*') && Section::parse(kind).hook == Hook::Other && !hint.is_empty() {
            bail!("{kind:?} is no kind of probe{hint}");
        }
        Ok(Pattern(Point::of_section(text).name))
    }

    /// Whether it allows `point`; of one that is still nowhere, its kind alone counts.
    pub(crate) fn allows(&self, point: &Point) -> bool {
        let is_nowhere = !point.name.contains('/');
        match self.0.split_once('/') {
            None if point.left_open => fits(&self.0, point.kind()),
            Some((kind, _)) if is_nowhere => fits(kind, &point.name),
            _ => fits(&self.0, &point.name),
        }
    }
}

/// Whether `text` is what `pattern` says.
fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        // The first place leaves the most for what follows.
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_sections_without_folders() {
        for (section, expected) in [
            ("uprobe", "uprobe"),
            ("?uprobe//usr/bin/app:f+0x4", "uprobe/app:f+0x4"),
            ("uretprobe.s/./app:ns::f", "uretprobe.s/app:ns::f"),
            ("uprobe.multi/a/b:get_*", "uprobe.multi/b:get_*"),
            ("usdt//lib/x.so:provider:name", "usdt/x.so:provider:name"),
            ("uprobe/libc.so.6", "uprobe/libc.so.6"),
            ("tracepoint/sched/sched_switch", "tracepoint/sched/sched_switch"),
            ("perf_event", "perf_event"),
        ] {
            assert_eq!(Point::of_section(section).name(), expected);
        }
    }

    #[test]
    fn patterns_stand_for_whole_points() {
        for (pattern, text, expected) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("a*", "ab", true),
            ("*b", "ab", true),
            ("a*b*c", "a1b2c", true),
            ("a*b*c", "a1c2b", false),
            ("a*bc", "abcbc", true),
            ("ab*ba", "aba", false),
            ("*", "", true),
            ("", "a", false),
        ] {
            assert_eq!(fits(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn an_open_place_is_allowed_by_its_kind() {
        let allows = |pattern: &str, point: &str| {
            Pattern::new(pattern).unwrap().allows(&Point::of_section(point))
        };
        assert!(allows("uprobe/app:f", "uprobe"));
        assert!(!allows("uprobe/app:f", "uretprobe"));
        assert!(allows("uprobe//usr/bin/app:f", "uprobe/./app:f"));
        assert!(!allows("uprobe/app:f", "uprobe/app:g"));
        assert!(!allows("uprobe/app:f", "uprobe/other:f"));
        assert!(!allows("uprobe/app:*", "uprobe.multi/app:g"));
        assert!(allows("uprobe*/app:*", "uprobe.multi/app:g"));
        // What it may turn out to be is not all that the pattern allows.
        assert!(!allows("uprobe.multi/app:get_a", "uprobe.multi/app:get_*"));
        // A kind alone allows what is left open, and nothing else.
        assert!(allows("uprobe", "uprobe") && !allows("uprobe", "uprobe/app:f"));
        let anywhere = Pattern::new("uprobe").unwrap();
        assert!(anywhere.allows(&Point::at("uprobe", Some("app"), "f")));
        assert!(!anywhere.allows(&Point::at("uprobe/app:g", Some("app"), "f")));
        assert!(!Pattern::new("uprobe/app:g").unwrap().allows(&Point::at(
            "uprobe",
            Some("app"),
            "f"
        )));
    }
}
