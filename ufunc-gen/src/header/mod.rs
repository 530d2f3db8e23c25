// SPDX-License-Identifier: MIT OR Apache-2.0
//! The C header for those who write extensions: an application's types and ufuncs.
//!
//! ```text
//! userspace ──▶ Type … ──names──▶ names that C and vmlinux.h leave free ──dump (libbpf)──▶ C
//! Ufunc, Accessor … ─────────────────▶ extern … __ksym
//! ```

mod accessors;
mod bases;
mod dump;
mod names;

use std::fmt::Write as _;

use anyhow::{Context as _, Result};
pub use names::KernelNames;
use names::Renaming;

use crate::access::Accessor;
use crate::btf::encode::Encoded;
use crate::btf::{Type, TypeId};
use crate::metadata::{Argument, ArgumentKind, BuildId, Role};
use crate::ufunc::{Ufunc, describe};

/// What a header is written from.
#[derive(Debug)]
pub struct Contents<'c, 'a> {
    /// What the application is called.
    pub host: &'c str,
    /// Its build-id, if it has one.
    pub build_id: Option<&'c BuildId>,
    /// Its types, the first of which has the number 1. Functions are not declared, but those that
    /// are lent are declared by their prototypes here.
    pub types: Vec<Type<'a>>,
    /// The functions that it lends.
    pub ufuncs: &'c [Ufunc<'a>],
    /// What it grants beside functions.
    pub accessors: &'c [Accessor],
    /// What `vmlinux.h` declares.
    pub kernel: &'c KernelNames,
}

/// A header.
#[derive(Debug)]
pub struct Header {
    /// The text.
    pub text: String,
    /// How many names were given a flavour, since they mean something else to C or the kernel.
    pub flavoured: usize,
}

/// The integers that `<bpf/bpf_helpers.h>` wants, for who includes neither `vmlinux.h` nor
/// `<linux/types.h>`, or includes that, too.
const INTEGERS: &str = "\
#ifndef __VMLINUX_H__
typedef signed char __s8;
typedef unsigned char __u8;
typedef short __s16;
typedef unsigned short __u16;
typedef int __s32;
typedef unsigned int __u32;
typedef long long __s64;
typedef unsigned long long __u64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;
#endif
";

/// Writes the header.
///
/// Fails if a function that is lent is not among the types, or what an accessor is about.
pub fn write(contents: Contents<'_, '_>) -> Result<Header> {
    let Contents { host, build_id, mut types, ufuncs, accessors, kernel } = contents;
    let mut prototypes = prototypes(&types, ufuncs)?;
    let accessors = accessors::find(&types, accessors)?;
    let mut renaming = Renaming::new(kernel, host);
    renaming.apply(&mut types);
    bases::embed(&mut types);
    prototypes.extend(accessors::add(&mut types, &accessors));
    let bytes = Encoded::new(&types, 0)?.to_bytes()?;
    let (declarations, externs) = dump::declarations(&bytes, &prototypes)?;
    let guard: String = host
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' })
        .collect();
    let build = build_id.map(|id| format!(" (build-id {id})")).unwrap_or_default();
    let mut text = format!(
        "/*\n * Types of {host}{build}, and the functions that it\n * lends, for BPF programs in it.\n"
    );
    if renaming.flavoured > 0 {
        text += " *\n * A name with three underscores means what stands before them: the kernel, or C, has that for\n * something else.\n";
    }
    text += " *\n * Written by ufunc-gen header.\n */\n";
    let _ = write!(
        text,
        "#ifndef __UFUNC_{guard}_H__\n#define __UFUNC_{guard}_H__\n\n{INTEGERS}#include <bpf/bpf_helpers.h>\n\n"
    );
    // libbpf leaves out the U of large enumerators.
    text += "#pragma clang diagnostic push\n#pragma clang diagnostic ignored \"-Wimplicitly-unsigned-literal\"\n";
    text += "#ifndef BPF_NO_PRESERVE_ACCESS_INDEX\n#pragma clang attribute push (__attribute__((preserve_access_index)), apply_to = record)\n#endif\n\n";
    text += &declarations;
    text += "#ifndef BPF_NO_PRESERVE_ACCESS_INDEX\n#pragma clang attribute pop\n#endif\n#pragma clang diagnostic pop\n";
    let comments = ufuncs.iter().map(|ufunc| comment(ufunc, ufuncs));
    let comments = comments.chain(accessors.iter().map(|one| accessors::comment(one, &accessors)));
    for (comment, declaration) in comments.zip(externs) {
        let _ = write!(text, "\n{comment}extern {declaration} __ksym;\n");
    }
    let _ = write!(text, "\n#endif /* __UFUNC_{guard}_H__ */\n");
    Ok(Header { text, flavoured: renaming.flavoured })
}

/// What each of `ufuncs` is called, and its prototype among `types`.
fn prototypes<'u>(types: &[Type<'_>], ufuncs: &'u [Ufunc<'_>]) -> Result<Vec<(&'u str, TypeId)>> {
    let find = |ufunc: &'u Ufunc<'_>| {
        let symbol = ufunc.function.symbol();
        let count = ufunc.function.params.len();
        let prototype = types.iter().find_map(|ty| match ty {
            // Several files may have one of that name.
            Type::Func { name, proto, .. } if name == symbol => {
                match types.get((proto.0 as usize).checked_sub(1)?)? {
                    Type::FuncProto { params, .. } if params.len() == count => Some(*proto),
                    _ => None,
                }
            }
            _ => None,
        });
        let prototype = prototype.with_context(|| format!("there is no prototype of {symbol}"))?;
        Ok((ufunc.kfunc.as_str(), prototype))
    };
    ufuncs.iter().map(find).collect()
}

/// What an author has to know of `ufunc`, one of `all`.
fn comment(ufunc: &Ufunc<'_>, all: &[Ufunc<'_>]) -> String {
    let partners = |role| {
        let of_family =
            all.iter().filter(move |other| other.role == role && other.family == ufunc.family);
        let names: Vec<String> = of_family.map(|other| format!("{}()", other.kfunc)).collect();
        names.join(" or ")
    };
    let terms = match ufunc.role {
        Role::Acquire => match partners(Role::Release).as_str() {
            "" => "Gives an object, or NULL. Nothing releases it: no extension can use this"
                .to_owned(),
            release => format!(
                "Gives an object, or NULL: compare it with NULL, and release it with {release},\n * once, on every path"
            ),
        },
        Role::Release => match partners(Role::Acquire).as_str() {
            "" => "Releases an object".to_owned(),
            acquire => format!("Releases what {acquire} gave"),
        },
        Role::Plain if ufunc.signature.returns_struct() => {
            "Gives an object to look at, or NULL: compare it with NULL".to_owned()
        }
        Role::Plain => "May be called as it is".to_owned(),
    };
    let mut text = format!("/*\n * {terms}.\n");
    for Argument { name, kind } in ufunc.signature.told_arguments() {
        if let Some(kind) = kind {
            let _ = writeln!(text, " * {name}: {}.", meaning(*kind));
        }
    }
    if ufunc.sleepable {
        text += " * It may sleep: only programs in SEC(\"….s/…\") can call it.\n";
    }
    let _ = write!(text, " *\n * {}\n */\n", describe(&ufunc.function));
    text
}

/// What an author has to know of such an argument.
fn meaning(kind: ArgumentKind) -> &'static str {
    match kind {
        ArgumentKind::String => "a literal, or another string that is constant and global",
        ArgumentKind::Buffer => "memory on the stack or in a map, initialised",
        ArgumentKind::Size => "how many bytes there are",
        ArgumentKind::Nullable => "an object, or NULL",
        ArgumentKind::Constant => "a number that stands in the code",
    }
}
