// SPDX-License-Identifier: MIT OR Apache-2.0
//! Adding an application's types to the kernel's, so that CO-RE relocations find both.

use anyhow::{Context as _, Result};

use super::super::decode::Btf;
use super::super::encode::Encoded;
use super::super::{Composite, HEADER_LEN, Name, Type, kind};
use super::essential;

/// BTF with the types of `base`, which stands alone, and after them `added`, whose ids begin at
/// [`Btf::end`].
///
/// libbpf finds a relocation's target by its name, and takes two types of one name but different
/// layouts for a mistake. So of every name only one side keeps its types: `added` those of which
/// `is_added` says so, told kind (`BTF_KIND_*`) and name without flavour, `base` all others. The
/// rest stay, without a name.
pub fn append(
    base: &Btf<'_>,
    mut added: Vec<Type<'_>>,
    is_added: impl Fn(u32, &str) -> bool,
) -> Result<Vec<u8>> {
    for ty in &mut added {
        if !(is_relocation_root(ty) && is_added(ty.kind(), essential(ty.name()))) {
            hide(ty);
        }
    }
    let (types, strings) = (base.type_bytes(), base.string_bytes());
    let encoded = Encoded::new(&added, strings.len() as u32)?;
    let magic_version_flags = encoded.header()?[0];
    let types_len = u32::try_from(types.len() + 4 * encoded.words().len())
        .context("the merged types need more than 4 GiB")?;
    let strings_len = u32::try_from(strings.len() + encoded.strings.len())
        .context("the merged names need more than 4 GiB")?;
    let header = [magic_version_flags, HEADER_LEN, 0, types_len, types_len, strings_len];
    // The kernel's are megabytes, which are copied once.
    let len = HEADER_LEN as usize + types_len as usize + strings_len as usize;
    let mut bytes = Vec::with_capacity(len);
    bytes.extend(header.iter().flat_map(|word| word.to_le_bytes()));
    bytes.extend_from_slice(types);
    hide_names(base, &mut bytes[HEADER_LEN as usize..], is_added)?;
    bytes.extend(encoded.words().iter().flat_map(|word| word.to_le_bytes()));
    bytes.extend_from_slice(strings);
    bytes.extend_from_slice(&encoded.strings);
    Ok(bytes)
}

/// Takes the names away from those of `types`, which are the bytes of `base`'s, that relocations
/// could find by a name of those that are added.
fn hide_names(
    base: &Btf<'_>,
    types: &mut [u8],
    is_added: impl Fn(u32, &str) -> bool,
) -> Result<()> {
    for head in base.heads() {
        let head = head?;
        if ROOTS.contains(&head.kind) && is_added(head.kind, essential(&base.name(head.name)?)) {
            let name = types.get_mut(head.offset..head.offset + 4).context("a type is cut off")?;
            name.fill(0);
        }
    }
    Ok(())
}

/// Takes the name away from a type that relocations could find by it.
fn hide(ty: &mut Type<'_>) {
    match ty {
        Type::Struct(Composite { name, .. })
        | Type::Union(Composite { name, .. })
        | Type::Enum { name, .. }
        | Type::Enum64 { name, .. }
        | Type::Fwd { name, .. }
        | Type::Typedef { name, .. } => *name = Name::default(),
        _ => {}
    }
}

/// The kinds of types at which a program's relocation can begin.
const ROOTS: [u32; 6] =
    [kind::STRUCT, kind::UNION, kind::ENUM, kind::ENUM64, kind::FWD, kind::TYPEDEF];

/// Whether a program's relocation can begin at the type, which has a name of its own.
fn is_relocation_root(ty: &Type<'_>) -> bool {
    ROOTS.contains(&ty.kind()) && !ty.name().is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::btf::TypeId;

    fn structure(name: &'static str, size: u32) -> Type<'static> {
        Type::Struct(Composite { name: name.into(), size, members: Vec::new() })
    }

    #[test]
    fn added_types_follow_the_base_and_win_by_name() {
        let base = [structure("file", 8), structure("pt_regs", 168), structure("file___old", 4)];
        let base = Encoded::new(&base, 0).unwrap().to_bytes().unwrap();
        let base = Btf::parse(&base).unwrap();
        assert_eq!(base.end().unwrap(), 4);
        let added = vec![structure("file", 24), Type::Ptr(TypeId(4)), structure("pt_regs", 1)];
        let merged = append(&base, added, |_, name| name == "file").unwrap();
        let merged = Btf::parse(&merged).unwrap().types().map(|item| item.unwrap().1);
        let merged: Vec<_> = merged.collect();
        let expected = [
            structure("", 8),
            structure("pt_regs", 168),
            structure("", 4),
            structure("file", 24),
            Type::Ptr(TypeId(4)),
            structure("", 1),
        ];
        assert_eq!(merged, expected);
    }
}
