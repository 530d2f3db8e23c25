// SPDX-License-Identifier: MIT OR Apache-2.0
//! The types that programs on the application's probes are fitted to (CO-RE): the kernel's, with
//! the application's own added.
//!
//! libbpf takes them from a file, which here is in memory only. A program on a hook of the kernel
//! does not get to see them: what it reads is the kernel's, whatever the application calls its own.

use std::collections::{BTreeSet, HashSet};
use std::fs::{self, File};
use std::io::Write as _;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use rustix::fs::{MemfdFlags, memfd_create};
use ufunc_gen::btf::decode::Btf;
use ufunc_gen::btf::merge::essential;
use ufunc_gen::btf::{Composite, Type, TypeId};
use ufunc_gen::debugfile::{DebugFiles, Search};
use ufunc_gen::dwarf::{DebugInfo, SplitFiles};
use ufunc_gen::elf::FileBytes;
use ufunc_gen::kernel::{SYSFS_BTF, VMLINUX};
use ufunc_gen::relocation;

use crate::host::App;
use crate::object::BpfObject;
use crate::report::list;

/// What is known of the types that an object's programs name.
#[derive(Debug)]
pub(crate) enum HostTypes {
    /// No program on the application's probes is fitted to any.
    NotNeeded,
    /// The application defines none of them.
    Undefined,
    /// The application's are not known, for this reason.
    Unknown(String),
    /// The kernel's BTF with those added that the application defines.
    Merged(File),
}

/// Why a relocation found nothing among the application's types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// The application's types are not known, for this reason.
    Unknown(String),
    /// The application has no type of that name, or different ones.
    Type(String),
    /// The type has no such member.
    Member {
        /// The type, `struct data`.
        owner: String,
        /// The member.
        name: String,
        /// The members that it has.
        others: Vec<String>,
    },
    /// The enum has no such value.
    Value {
        /// The enum, `enum mode`.
        owner: String,
        /// The value's name.
        name: String,
        /// The values that it has.
        others: Vec<String>,
    },
    /// The member is there and is something else than the program declares.
    Kind,
}

impl HostTypes {
    /// Reads from `app`'s debug information what the programs of `object` are fitted to.
    pub(crate) fn read(app: &App, object: &BpfObject) -> HostTypes {
        if object.fitted.is_empty() {
            return HostTypes::NotNeeded;
        }
        match merge(app, object) {
            Ok(Some(file)) => HostTypes::Merged(file),
            Ok(None) => HostTypes::Undefined,
            Err(error) => HostTypes::Unknown(format!("{error:#}")),
        }
    }

    /// The file from which libbpf is to take the types for a program in `section`; `None` if those
    /// of the kernel and its modules serve.
    pub(crate) fn file_for(&self, section: &str) -> Option<PathBuf> {
        match self {
            HostTypes::Merged(file) if is_user_probe(section) => Some(path(file)),
            _ => None,
        }
    }

    /// Why the relocation of `what`, in libbpf's words (`struct data.a`), failed in a program in
    /// `section`; `None` if the application has nothing to do with it.
    pub(crate) fn explain(&self, section: &str, what: &str) -> Option<Missing> {
        if !is_user_probe(section) {
            return None;
        }
        let (wanted, _) = Wanted::parse(what)?;
        match self {
            HostTypes::NotNeeded => None,
            HostTypes::Undefined => Some(Missing::Type(wanted)),
            HostTypes::Unknown(error) => Some(Missing::Unknown(error.clone())),
            // The kernel has shown these bytes once and libbpf could read them.
            HostTypes::Merged(file) => look_up(file, what).ok().flatten(),
        }
    }

    /// What of `app`'s types the programs of `object` are fitted to, for those who want to know.
    pub(crate) fn describe(&self, app: &App, object: &BpfObject) -> Option<String> {
        let app = app.path.display();
        let fitted: Vec<&str> = object.fitted.iter().map(String::as_str).collect();
        match self {
            HostTypes::NotNeeded => None,
            HostTypes::Undefined => {
                Some(format!("{app} defines no type named {}", list(&fitted, "or")))
            }
            HostTypes::Unknown(error) => {
                Some(format!("the application's types are not known: {error}"))
            }
            HostTypes::Merged(file) => match shadowing(file, &object.fitted) {
                Ok((own, shadowed)) => {
                    let own = own.iter().map(String::as_str).collect::<Vec<_>>();
                    let mut text = format!(
                        "programs on its probes are fitted to {app}'s {}",
                        list(&own, "and")
                    );
                    if !shadowed.is_empty() {
                        let shadowed = shadowed.iter().map(String::as_str).collect::<Vec<_>>();
                        text += &format!(", not to the kernel's {}", list(&shadowed, "and"));
                    }
                    Some(text)
                }
                Err(error) => Some(format!("failed to read the merged BTF again: {error:#}")),
            },
        }
    }
}

/// Whether programs in `section` run on probes of applications.
pub(crate) fn is_user_probe(section: &str) -> bool {
    let kind = section.split(['/', '.']).next().unwrap_or_default();
    matches!(kind.trim_start_matches('?'), "uprobe" | "uretprobe" | "usdt")
}

/// The kernel's BTF with what `app` defines of the types that `object` names.
fn merge(app: &App, object: &BpfObject) -> Result<Option<File>> {
    let host = app.host()?;
    let search = Search::default();
    let files = DebugFiles::find(&host, &search)?;
    let sections = files.load()?;
    let split = SplitFiles::find(&host, &files, &search, &sections)?;
    let debug = DebugInfo::new(&sections, &split)?;
    let wanted = relocation::named_types(&Btf::parse(&object.btf)?)?;
    let Some(bytes) = relocation::merged(&debug, &kernel_btf()?, &wanted)? else { return Ok(None) };
    let write = || -> Result<File> {
        let mut file = File::from(memfd_create("ufunc-types", MemfdFlags::CLOEXEC)?);
        file.write_all(&bytes)?;
        Ok(file)
    };
    write().context("failed to keep the merged BTF in memory").map(Some)
}

fn kernel_btf() -> Result<FileBytes> {
    let path = Path::new(SYSFS_BTF).join(VMLINUX);
    FileBytes::of(&path).with_context(|| format!("failed to read {}", path.display()))
}

/// Opening it gives the file from its beginning.
fn path(file: &File) -> PathBuf {
    format!("/proc/self/fd/{}", file.as_raw_fd()).into()
}

/// The names of `fitted` that are the application's, with their kind, and those of the kernel's
/// types that are hidden by them.
fn shadowing(
    file: &File,
    fitted: &BTreeSet<String>,
) -> Result<(BTreeSet<String>, BTreeSet<String>)> {
    let named = |bytes: &[u8], from: u32| -> Result<BTreeSet<(String, String)>> {
        let mut found = BTreeSet::new();
        for item in Btf::parse(bytes)?.types() {
            let (id, ty) = item?;
            let Some(kind) = kind(&ty).filter(|_| id.0 >= from) else { continue };
            let name = essential(ty.name());
            if fitted.contains(name) {
                found.insert((name.to_owned(), format!("{kind} {}", ty.name())));
            }
        }
        Ok(found)
    };
    let kernel = kernel_btf()?;
    let own = named(&fs::read(path(file))?, Btf::parse(&kernel)?.end()?)?;
    let is_hidden = |name: &str| own.iter().any(|(own, _)| own == name);
    let hidden = named(&kernel, 0)?.into_iter().filter(|(name, _)| is_hidden(name));
    let hidden = hidden.map(|(_, shown)| shown).collect();
    Ok((own.into_iter().map(|(_, shown)| shown).collect(), hidden))
}

/// What C calls a type of that kind, if relocations can begin at one.
fn kind(ty: &Type<'_>) -> Option<&'static str> {
    match ty {
        Type::Struct(_) => Some("struct"),
        Type::Union(_) => Some("union"),
        Type::Enum { .. } | Type::Enum64 { .. } => Some("enum"),
        Type::Typedef { .. } => Some("typedef"),
        _ => None,
    }
}

/// What a relocation asks for.
#[derive(Debug, PartialEq, Eq)]
enum Wanted<'a> {
    /// The type as a whole.
    Type,
    /// A member, by the names on the way there.
    Member(Vec<&'a str>),
    /// A value of an enum.
    Value(&'a str),
}

impl Wanted<'_> {
    /// Reads `struct data.inner.b[3]`, `enum kind::VALUE = 1` or `struct data`: the type, and what
    /// of it.
    fn parse(what: &str) -> Option<(String, Wanted<'_>)> {
        let (kind, rest) = what.split_once(' ')?;
        let kind = if kind == "enum64" { "enum" } else { kind };
        if let Some((name, value)) = rest.split_once("::") {
            let value = value.split(' ').next().unwrap_or_default();
            return Some((format!("{kind} {}", essential(name)), Wanted::Value(value)));
        }
        let mut parts = rest.split('.').map(|part| part.split('[').next().unwrap_or_default());
        let ty = format!("{kind} {}", essential(parts.next()?));
        let members: Vec<&str> = parts.collect();
        Some((ty, if members.is_empty() { Wanted::Type } else { Wanted::Member(members) }))
    }
}

fn look_up(file: &File, what: &str) -> Result<Option<Missing>> {
    let Some((wanted, part)) = Wanted::parse(what) else { return Ok(None) };
    let first = Btf::parse(&kernel_btf()?)?.end()?;
    let bytes = fs::read(path(file))?;
    let mut types = Vec::new();
    for item in Btf::parse(&bytes)?.types() {
        let (id, ty) = item?;
        if id.0 >= first {
            types.push(ty);
        }
    }
    Ok(Some(Added { types, first }.look_up(&wanted, &part)))
}

/// The application's types.
struct Added<'a> {
    types: Vec<Type<'a>>,
    /// Id of the first one.
    first: u32,
}

impl<'a> Added<'a> {
    fn look_up(&self, wanted: &str, part: &Wanted<'_>) -> Missing {
        let is_wanted = |ty: &&Type<'_>| {
            kind(ty).is_some_and(|kind| wanted == format!("{kind} {}", essential(ty.name())))
        };
        let Some(mut ty) = self.types.iter().find(is_wanted) else {
            return Missing::Type(wanted.to_owned());
        };
        let path = match part {
            Wanted::Type => return Missing::Kind,
            Wanted::Value(value) => {
                let others = values(self.unwrapped(ty));
                return match others.iter().any(|other| other == value) {
                    true => Missing::Kind,
                    false => Missing::Value {
                        owner: wanted.to_owned(),
                        name: (*value).to_owned(),
                        others,
                    },
                };
            }
            Wanted::Member(path) => path,
        };
        let mut owner = wanted.to_owned();
        for name in path {
            let members = self.members(self.unwrapped(ty));
            let Some((_, target)) = members.iter().find(|(member, _)| member == name) else {
                let others = members.into_iter().map(|(member, _)| member.to_owned()).collect();
                return Missing::Member { owner, name: (*name).to_owned(), others };
            };
            let Some(member) = self.get(*target) else { return Missing::Kind };
            ty = self.unwrapped(member);
            owner = match kind(ty) {
                Some(kind) if !ty.name().is_empty() => format!("{kind} {}", ty.name()),
                _ => format!("member '{name}' of {owner}"),
            };
        }
        Missing::Kind
    }

    fn get(&self, id: TypeId) -> Option<&Type<'a>> {
        self.types.get(id.0.checked_sub(self.first)? as usize)
    }

    /// What `ty` is below its typedefs, qualifiers and dimensions.
    fn unwrapped<'b>(&'b self, mut ty: &'b Type<'a>) -> &'b Type<'a> {
        // A chain of distinct types is no longer than there are types.
        for _ in 0..self.types.len() {
            let (Type::Typedef { target, .. }
            | Type::Const(target)
            | Type::Volatile(target)
            | Type::Restrict(target)
            | Type::Array { element: target, .. }) = ty
            else {
                break;
            };
            let Some(target) = self.get(*target) else { break };
            ty = target;
        }
        ty
    }

    /// The members by which C knows `ty`: those of anonymous members count as its own.
    fn members<'b>(&'b self, ty: &'b Type<'a>) -> Vec<(&'b str, TypeId)> {
        let mut found = Vec::new();
        let mut pending = vec![ty];
        let mut seen = HashSet::new();
        while let Some(ty) = pending.pop() {
            let (Type::Struct(Composite { members, .. }) | Type::Union(Composite { members, .. })) =
                ty
            else {
                continue;
            };
            for member in members {
                match self.get(member.ty) {
                    _ if !member.name.is_empty() => found.push((&*member.name, member.ty)),
                    // Once: a damaged one might contain itself.
                    Some(anonymous) if seen.insert(member.ty) => {
                        pending.push(self.unwrapped(anonymous));
                    }
                    _ => {}
                }
            }
        }
        found
    }
}

fn values(ty: &Type<'_>) -> Vec<String> {
    match ty {
        Type::Enum { values, .. } => values.iter().map(|(name, _)| name.to_string()).collect(),
        Type::Enum64 { values, .. } => values.iter().map(|(name, _)| name.to_string()).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ufunc_gen::btf::Member;

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
    fn what_a_relocation_asks_for_is_read() {
        let parsed = |what| Wanted::parse(what).unwrap();
        assert_eq!(parsed("struct data"), ("struct data".into(), Wanted::Type));
        assert_eq!(
            parsed("struct data___v2[1].inner.b[3]"),
            ("struct data".into(), Wanted::Member(vec!["inner", "b"]))
        );
        assert_eq!(parsed("enum64 e::X = 1"), ("enum e".into(), Wanted::Value("X")));
        assert_eq!(Wanted::parse("nonsense"), None);
    }

    fn member(name: &'static str, ty: u32) -> Member<'static> {
        Member { name: name.into(), ty: TypeId(ty), bit_offset: 0, bitfield_size: 0 }
    }

    fn composite(name: &'static str, members: Vec<Member<'static>>) -> Composite<'static> {
        Composite { name: name.into(), size: 8, members }
    }

    #[test]
    fn what_is_missing_is_found_on_the_way() {
        // Ids begin at 10. The union is anonymous; `inner` contains itself and `number` is one of itself: damaged.
        let types = vec![
            Type::Struct(composite(
                "data",
                vec![member("a", 14), member("", 11), member("in", 12)],
            )),
            Type::Union(composite("", vec![member("x", 14), member("y", 14)])),
            Type::Array { element: TypeId(13), index: TypeId(14), count: 4 },
            Type::Struct(composite("inner", vec![member("b", 14), member("", 13)])),
            Type::Volatile(TypeId(15)),
            Type::Typedef { name: "number".into(), target: TypeId(14) },
            Type::Enum {
                name: "mode".into(),
                size: 4,
                signed: false,
                values: vec![("OFF".into(), 0), ("ON".into(), 1)],
            },
        ];
        let added = Added { types, first: 10 };
        let missing = |what| {
            let (wanted, part) = Wanted::parse(what).unwrap();
            added.look_up(&wanted, &part)
        };
        let member = |owner: &str, name: &str, others: &[&str]| Missing::Member {
            owner: owner.into(),
            name: name.into(),
            others: others.iter().map(|other| (*other).to_owned()).collect(),
        };
        let data = ["a", "in", "x", "y"];
        assert_eq!(missing("struct data.e"), member("struct data", "e", &data));
        assert_eq!(missing("struct data.in[2].e"), member("struct inner", "e", &["b", "b"]));
        assert_eq!(missing("struct data.a.e"), member("typedef number", "e", &[]));
        let value = Missing::Value {
            owner: "enum mode".into(),
            name: "BOTH".into(),
            others: vec!["OFF".into(), "ON".into()],
        };
        assert_eq!(missing("enum mode::BOTH = 2"), value);
        assert_eq!(missing("enum mode::ON = 2"), Missing::Kind);
        assert_eq!(missing("struct data.x"), Missing::Kind);
        assert_eq!(missing("struct data"), Missing::Kind);
        assert_eq!(missing("union data.x"), Missing::Type("union data".into()));
    }
}
