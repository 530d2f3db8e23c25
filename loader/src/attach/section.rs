// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a program's `SEC()` says: what it is put on, and where.

use std::path::{Path, PathBuf};

/// What a program is put on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hook {
    /// An instruction of an application, or the return of a function.
    Uprobe { returns: bool },
    /// Several functions of an application at once.
    UprobeMulti { returns: bool, session: bool },
    /// A probe that the application's source defines.
    Usdt,
    /// An instruction of the kernel, or the return of a function.
    Kprobe { returns: bool },
    /// Several functions of the kernel at once.
    KprobeMulti,
    /// A system call.
    Ksyscall { returns: bool },
    /// A function of the kernel, by a trampoline.
    Tracing,
    /// A decision of the kernel's security.
    Lsm,
    /// A tracepoint by its file in tracefs.
    Tracepoint,
    /// A tracepoint with its arguments as they are.
    RawTracepoint,
    /// The same with typed arguments.
    TypedTracepoint,
    /// A list of the kernel's objects, that somebody reads.
    Iterator,
    /// A processor's time.
    PerfEvent,
    /// What `attach` cannot do.
    Other,
}

/// The kinds that sections begin with; `.s` may follow for programs that may sleep.
pub(crate) const KINDS: [(&str, Hook); 27] = [
    ("uprobe", Hook::Uprobe { returns: false }),
    ("uretprobe", Hook::Uprobe { returns: true }),
    ("uprobe.multi", Hook::UprobeMulti { returns: false, session: false }),
    ("uretprobe.multi", Hook::UprobeMulti { returns: true, session: false }),
    ("uprobe.session", Hook::UprobeMulti { returns: false, session: true }),
    ("usdt", Hook::Usdt),
    ("kprobe", Hook::Kprobe { returns: false }),
    ("kretprobe", Hook::Kprobe { returns: true }),
    ("kprobe.multi", Hook::KprobeMulti),
    ("kretprobe.multi", Hook::KprobeMulti),
    ("kprobe.session", Hook::KprobeMulti),
    ("ksyscall", Hook::Ksyscall { returns: false }),
    ("kretsyscall", Hook::Ksyscall { returns: true }),
    ("fentry", Hook::Tracing),
    ("fexit", Hook::Tracing),
    ("fmod_ret", Hook::Tracing),
    ("fsession", Hook::Tracing),
    ("lsm", Hook::Lsm),
    ("tracepoint", Hook::Tracepoint),
    ("tp", Hook::Tracepoint),
    ("raw_tracepoint", Hook::RawTracepoint),
    ("raw_tp", Hook::RawTracepoint),
    ("raw_tracepoint.w", Hook::RawTracepoint),
    ("raw_tp.w", Hook::RawTracepoint),
    ("tp_btf", Hook::TypedTracepoint),
    ("iter", Hook::Iterator),
    ("perf_event", Hook::PerfEvent),
];

/// A program's section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Section {
    /// What it is put on.
    pub(crate) hook: Hook,
    /// The kind as it is written, `uprobe.s`.
    pub(crate) kind: String,
    /// What follows the kind; empty if nothing does.
    pub(crate) target: String,
    /// Whether libbpf loads it only if it is asked for (`SEC("?…")`).
    pub(crate) optional: bool,
}

impl Section {
    /// Reads `uprobe/./app:function`.
    pub(crate) fn parse(section: &str) -> Section {
        let optional = section.starts_with('?');
        let text = section.trim_start_matches('?');
        let (kind, target) = text.split_once('/').unwrap_or((text, ""));
        let name = kind.strip_suffix(".s").unwrap_or(kind);
        let hook = KINDS.iter().find(|(other, _)| *other == name);
        let hook = hook.map_or(Hook::Other, |(_, hook)| *hook);
        Section { hook, kind: kind.to_owned(), target: target.to_owned(), optional }
    }

    /// Whether the kernel has to know before it verifies the program where it goes.
    pub(crate) fn is_bound_at_load(&self) -> bool {
        matches!(self.hook, Hook::Tracing | Hook::Lsm | Hook::TypedTracepoint | Hook::Iterator)
    }

    /// Whether it goes into an application.
    pub(crate) fn is_user(&self) -> bool {
        matches!(self.hook, Hook::Uprobe { .. } | Hook::UprobeMulti { .. } | Hook::Usdt)
    }

    /// File and function that a section on a user probe names: `/path/app:function`.
    pub(crate) fn user_target(&self) -> Option<(PathBuf, &str)> {
        // A path may contain colons, a function of C++ may too: `app:ns::f`, and USDT has two.
        let (path, function) = self.target.split_once(':')?;
        Some((Path::new(path).to_owned(), function))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_understood() {
        let section = Section::parse("?uprobe.s//usr/bin/app:ns::f+0x4");
        assert_eq!(section.hook, Hook::Uprobe { returns: false });
        assert!(section.optional && section.is_user());
        assert_eq!(section.user_target(), Some(("/usr/bin/app".into(), "ns::f+0x4")));
        assert_eq!(Section::parse("uprobe").user_target(), None);
        assert_eq!(Section::parse("xdp").hook, Hook::Other);
        assert_eq!(Section::parse("uretprobe.multi.s/a:b*").kind, "uretprobe.multi.s");
        let session = Hook::UprobeMulti { returns: false, session: true };
        assert_eq!(Section::parse("uprobe.session/a:b*").hook, session);
        assert_eq!(Section::parse("tp/sched/sched_switch").target, "sched/sched_switch");
    }
}
