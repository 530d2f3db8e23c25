// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a program's section says of the probe that it is for.

/// The place in an application that a section names: `uprobe/FILE:FUNCTION+OFFSET`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Probe<'a> {
    /// The application's file, as the program's author called it.
    pub(crate) file: Option<&'a str>,
    /// The probed function, if it is one function.
    pub(crate) function: Option<&'a str>,
}

impl<'a> Probe<'a> {
    /// Reads what stands in `SEC("…")`.
    pub(crate) fn parse(section: &'a str) -> Self {
        let Some((kind, place)) = section.split_once('/') else { return Probe::default() };
        // Functions have no colons: C++'s are named as the linker has them.
        let (file, function) = match place.split_once(':') {
            Some((file, rest)) => (file, Some(rest)),
            None => (place, None),
        };
        let function = function.filter(|_| kind_of(kind) != "usdt").map(|function| {
            let end = function.find('+').unwrap_or(function.len());
            &function[..end]
        });
        let is_one = |name: &&str| !name.is_empty() && !name.contains(['*', '?']);
        Probe {
            file: Some(file).filter(|file| !file.is_empty()),
            function: function.filter(is_one),
        }
    }
}

/// Whether programs in `section` run on probes of applications.
pub(crate) fn is_user_probe(section: &str) -> bool {
    matches!(kind_of(section), "uprobe" | "uretprobe" | "usdt")
}

fn kind_of(section: &str) -> &str {
    let kind = section.split(['/', '.']).next().unwrap_or_default();
    kind.trim_start_matches('?')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_of_applications_are_told_from_the_kernels() {
        let probes = [
            "uprobe",
            "uprobe/./app:f",
            "uprobe.s/./app:f",
            "uprobe.multi.s/app:*",
            "uretprobe//bin/app:f",
            "?uprobe.session",
            "usdt/app:provider:name",
        ];
        assert!(probes.iter().all(|section| is_user_probe(section)));
        let others =
            ["kprobe/f", "kprobe.multi/f", "raw_tp/sys_enter", "uprobes", "", "fentry/uprobe"];
        assert!(!others.iter().any(|section| is_user_probe(section)));
    }

    #[test]
    fn the_probed_function_is_read() {
        let read = |section| {
            let Probe { file, function } = Probe::parse(section);
            (file, function)
        };
        assert_eq!(read("uprobe"), (None, None));
        assert_eq!(read("uprobe/./app:f"), (Some("./app"), Some("f")));
        assert_eq!(read("uretprobe//bin/app:f+0x10"), (Some("/bin/app"), Some("f")));
        assert_eq!(read("uprobe.multi/app:get_*"), (Some("app"), None));
        assert_eq!(read("usdt/app:provider:name"), (Some("app"), None));
        assert_eq!(read("uprobe/libc.so.6"), (Some("libc.so.6"), None));
        assert_eq!(read("uprobe/:f"), (None, Some("f")));
    }
}
