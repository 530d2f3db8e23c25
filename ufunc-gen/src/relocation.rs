// SPDX-License-Identifier: MIT OR Apache-2.0
//! What CO-RE relocations of an extension are resolved against: the kernel's types, and those of
//! the application that the extension names.

use std::collections::{BTreeSet, HashSet};

use anyhow::{Context as _, Result};

use crate::btf::decode::Btf;
use crate::btf::dedup::dedup;
use crate::btf::merge::{self, essential};
use crate::btf::view::View;
use crate::btf::{Type, TypeId, kind};
use crate::dwarf::DebugInfo;
use crate::dwarf::definitions::TagClass;
use crate::dwarf::types::TypeReader;

/// The context of a uprobe is the kernel's, whatever the application calls its own types.
const CONTEXT: &str = "pt_regs";

/// A type that an extension names, without its flavour.
pub type TypeName = (TagClass, String);

/// The types that the extension with the BTF `program` names and could have relocations for: all
/// structs, unions and enums, and typedefs of those.
pub fn named_types(program: &Btf<'_>) -> Result<BTreeSet<TypeName>> {
    let types = program.types().collect::<Result<Vec<_>>>().context("bad BTF in the object")?;
    let types: Vec<Type<'_>> = types.into_iter().map(|(_, ty)| ty).collect();
    let mut names = BTreeSet::new();
    for ty in &types {
        let class = match ty {
            Type::Struct(_) => TagClass::Struct,
            Type::Union(_) => TagClass::Union,
            Type::Enum { .. } | Type::Enum64 { .. } => TagClass::Enum,
            Type::Typedef { target, .. } if is_aggregate(View::new(&types, 1), *target) => {
                TagClass::Typedef
            }
            _ => continue,
        };
        let name = essential(ty.name());
        if !name.is_empty() && name != CONTEXT {
            names.insert((class, name.to_owned()));
        }
    }
    Ok(names)
}

/// Whether `id` is a struct, union or enum, through typedefs and qualifiers.
fn is_aggregate(types: View<'_, '_>, id: TypeId) -> bool {
    const AGGREGATES: [u32; 4] = [kind::STRUCT, kind::UNION, kind::ENUM, kind::ENUM64];
    types.get(types.bare(id)).is_some_and(|ty| AGGREGATES.contains(&ty.kind()))
}

/// The kernel's BTF `kernel` with those of the `wanted` types added that the application defines;
/// `None` if it defines none of them. A name that both have then means the application's type.
pub fn merged(
    debug: &DebugInfo<'_>,
    kernel: &[u8],
    wanted: &BTreeSet<TypeName>,
) -> Result<Option<Vec<u8>>> {
    let kernel = Btf::parse(kernel).context("failed to read the kernel's BTF")?;
    let first = kernel.end().context("failed to read the kernel's BTF")?;
    let mut reader = TypeReader::new(debug, first, None);
    let mut found = HashSet::new();
    for (class, name) in wanted {
        match debug.find_type(*class, name)? {
            Some(place) => reader.id(Some(place)).map(drop)?,
            // Which of its definitions is meant cannot be known; the kernel's namesake is not.
            None if debug.defines(*class, name)? => {}
            None => continue,
        }
        found.insert(name.as_str());
    }
    if found.is_empty() {
        return Ok(None);
    }
    let (types, _) = dedup(reader.finish()?, first);
    merge::append(&kernel, types, &found).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::btf::Composite;
    use crate::btf::encode::Encoded;

    #[test]
    fn names_of_relocatable_types_are_found() {
        let structure = |name: &'static str| {
            Type::Struct(Composite { name: name.into(), size: 4, members: Vec::new() })
        };
        let types = [
            structure("data___v2"),
            structure("pt_regs"),
            Type::Typedef { name: "robj".into(), target: TypeId(4) },
            structure(""),
            Type::Typedef { name: "u32".into(), target: TypeId(0) },
            Type::Typedef { name: "endless".into(), target: TypeId(6) },
        ];
        let bytes = Encoded::new(&types, 0).unwrap().to_bytes().unwrap();
        let names = named_types(&Btf::parse(&bytes).unwrap()).unwrap();
        let expected =
            [(TagClass::Struct, "data".to_owned()), (TagClass::Typedef, "robj".to_owned())];
        assert_eq!(names, BTreeSet::from(expected));
    }
}
