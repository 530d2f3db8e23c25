// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a struct of a module or of the kernel looks like, for those who read beyond it.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use ufunc_gen::btf::decode::Btf;
use ufunc_gen::btf::view::View;
use ufunc_gen::btf::{Composite, Type, TypeId};
use ufunc_gen::kernel::VMLINUX;

/// Structs within structs are followed so far: no real one is deeper, and damaged BTF may be a loop.
const DEPTH: usize = 16;

/// The size of a struct, and what it has at or before a certain offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Its size in bytes.
    pub size: u64,
    /// The member in which the offset would be, if the struct went on; `None` if it has none.
    pub member: Option<Place>,
}

/// A member of a struct, or of a struct within it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Its name, with those of the structs that it is in: `inner.b`.
    pub path: String,
    /// Where it ends, in bytes from the start of the outermost struct.
    pub end: u64,
    /// For an array: the index that the offset would have, and how many elements there are.
    pub element: Option<(u64, u64)>,
}

/// Looks up `struct name` among the types of `module`, or else of the kernel, as `sysfs` shows them,
/// and in it what is at `offset`.
pub(crate) fn look_up(
    sysfs: &Path,
    module: Option<&str>,
    name: &str,
    offset: u64,
) -> Result<Option<Layout>> {
    let read = |name: &str| {
        let path = sysfs.join(name);
        fs::read(&path).with_context(|| format!("failed to read {}", path.display()))
    };
    let vmlinux_bytes = read(VMLINUX)?;
    let module_bytes = module.map(read).transpose()?;
    let vmlinux = Btf::parse(&vmlinux_bytes)?;
    let mut types = Vec::new();
    for item in vmlinux.types() {
        types.push(item?.1);
    }
    if let Some(bytes) = &module_bytes {
        for item in Btf::parse_split(bytes, &vmlinux)?.types() {
            types.push(item?.1);
        }
    }
    Ok(find(&types, name, offset))
}

/// The same among `types`, which begin with id 1. The last one of that name is a module's, if one
/// has it.
fn find(types: &[Type<'_>], name: &str, offset: u64) -> Option<Layout> {
    let view = View::new(types, 1);
    let found = types.iter().rev().find_map(|ty| match ty {
        Type::Struct(found) if found.name == name => Some(found),
        _ => None,
    })?;
    let member = place(&view, found, offset, DEPTH);
    Some(Layout { size: u64::from(found.size), member })
}

/// The last member of `composite` that begins at or before `offset`, as deep as there are names.
fn place(
    view: &View<'_, '_>,
    composite: &Composite<'_>,
    offset: u64,
    depth: usize,
) -> Option<Place> {
    let begins = |bits: u32| u64::from(bits / 8);
    let mut members = composite.members.iter();
    let member = members.rfind(|member| begins(member.bit_offset) <= offset)?;
    let begin = begins(member.bit_offset);
    let bare = view.bare(member.ty);
    let inner = match view.get(bare) {
        Some(Type::Struct(inner) | Type::Union(inner)) if depth > 0 => {
            place(view, inner, offset - begin, depth - 1)
        }
        _ => None,
    };
    let found = match inner {
        Some(inner) => Place { end: begin + inner.end, ..inner },
        None => {
            let size = size(view, bare, DEPTH)?;
            let element = match view.get(bare) {
                Some(Type::Array { element, count, .. }) => {
                    let one = self::size(view, *element, DEPTH)?;
                    let index = (offset - begin).checked_div(one)?;
                    Some((index, u64::from(*count)))
                }
                _ => None,
            };
            Place { path: String::new(), end: begin + size, element }
        }
    };
    // Members without a name, and the one of a wrapper, are not what anybody wrote.
    let names = [member.name.as_ref(), found.path.as_str()];
    let names: Vec<&str> =
        names.into_iter().filter(|name| !name.is_empty() && *name != "_").collect();
    Some(Place { path: names.join("."), ..found })
}

fn size(view: &View<'_, '_>, id: TypeId, depth: usize) -> Option<u64> {
    const POINTER: u64 = 8;
    match view.get(view.bare(id))? {
        Type::Int { size, .. }
        | Type::Float { size, .. }
        | Type::Enum { size, .. }
        | Type::Enum64 { size, .. } => Some(u64::from(*size)),
        Type::Ptr(_) => Some(POINTER),
        Type::Struct(composite) | Type::Union(composite) => Some(u64::from(composite.size)),
        Type::Array { element, count, .. } if depth > 0 => {
            size(view, *element, depth - 1)?.checked_mul(u64::from(*count))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ufunc_gen::btf::{IntEncoding, Member};

    fn int(size: u32) -> Type<'static> {
        let encoding = IntEncoding::default();
        Type::Int { name: "i".into(), size, encoding, bit_offset: 0, bits: (size * 8) as u8 }
    }

    fn composite(
        name: &'static str,
        size: u32,
        members: &[(&'static str, u32, u32)],
    ) -> Type<'static> {
        let member = |&(name, ty, offset): &(&'static str, u32, u32)| Member {
            name: name.into(),
            ty: TypeId(ty),
            bit_offset: offset * 8,
            bitfield_size: 0,
        };
        Type::Struct(Composite {
            name: name.into(),
            size,
            members: members.iter().map(member).collect(),
        })
    }

    /// `struct deep { int a; char b[10]; }`, one that has it twice, and a wrapper.
    fn types() -> Vec<Type<'static>> {
        vec![
            int(4),
            int(1),
            Type::Array { element: TypeId(2), index: TypeId(1), count: 10 },
            composite("deep", 16, &[("a", 1, 0), ("b", 3, 4)]),
            composite("two", 32, &[("first", 4, 0), ("second", 4, 16)]),
            composite("wrapper", 16, &[("_", 4, 0)]),
            composite("empty", 0, &[]),
        ]
    }

    #[test]
    fn the_member_that_was_meant_is_found() {
        let found = |name: &str, offset| find(&types(), name, offset);
        let place = |path: &str, end, element| Some(Place { path: path.into(), end, element });
        let layout = |size, member| Some(Layout { size, member });
        assert_eq!(found("deep", 104), layout(16, place("b", 14, Some((100, 10)))));
        assert_eq!(found("deep", 0), layout(16, place("a", 4, None)));
        assert_eq!(found("two", 40), layout(32, place("second.b", 30, Some((20, 10)))));
        assert_eq!(found("wrapper", 24), layout(16, place("b", 14, Some((20, 10)))));
        assert_eq!(found("empty", 0), layout(0, None));
        assert_eq!(found("absent", 0), None);
    }

    #[test]
    fn a_struct_within_itself_ends() {
        let types = [composite("itself", 8, &[("again", 1, 0)])];
        let found = find(&types, "itself", 99);
        assert!(found.and_then(|found| found.member).is_some_and(|place| place.end == 8));
    }
}
