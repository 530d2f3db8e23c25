// SPDX-License-Identifier: MIT OR Apache-2.0
//! Giving functions other names, and leaving everything else where it is: what refers to the types
//! or to the strings of the BTF still does.

use anyhow::{Context as _, Result};

use super::decode::Btf;
use super::{MAGIC, VERSION, kind};

/// Bytes of the header that is written.
const HEADER_LEN: u32 = 24;

/// `btf`, which stands alone, with the functions called as `name` says, if it says something.
pub fn functions(btf: &[u8], name: impl Fn(&str) -> Option<String>) -> Result<Vec<u8>> {
    let btf = Btf::parse(btf)?;
    let (mut types, mut strings) = (btf.type_bytes().to_owned(), btf.string_bytes().to_owned());
    for head in btf.heads() {
        let head = head?;
        if head.kind != kind::FUNC {
            continue;
        }
        let Some(new) = str::from_utf8(btf.name_bytes(head.name)?).ok().and_then(&name) else {
            continue;
        };
        let place = types.get_mut(head.offset..head.offset + 4).context("a type is cut off")?;
        place.copy_from_slice(&length(&strings)?.to_le_bytes());
        strings.extend_from_slice(new.as_bytes());
        strings.push(0);
    }
    let (types_len, strings_len) = (length(&types)?, length(&strings)?);
    let version = u32::from(MAGIC) | u32::from(VERSION) << 16;
    let header = [version, HEADER_LEN, 0, types_len, types_len, strings_len];
    let mut bytes: Vec<u8> = header.into_iter().flat_map(u32::to_le_bytes).collect();
    bytes.extend(types);
    bytes.extend(strings);
    Ok(bytes)
}

fn length(section: &[u8]) -> Result<u32> {
    u32::try_from(section.len()).context("the BTF is too long")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::btf::encode::Encoded;
    use crate::btf::{Linkage, Type, TypeId};

    #[test]
    fn only_the_functions_that_are_meant_are_renamed() {
        let func = |name: &'static str| Type::Func {
            name: name.into(),
            proto: TypeId(1),
            linkage: Linkage::Extern,
        };
        let typedef = Type::Typedef { name: "lent".into(), target: TypeId::VOID };
        let types = [
            Type::FuncProto { ret: TypeId::VOID, params: Vec::new() },
            func("lent"),
            func("own"),
            typedef.clone(),
        ];
        let before = Encoded::new(&types, 0).unwrap().to_bytes().unwrap();
        let after = functions(&before, |name| (name == "lent").then(|| "new".to_owned())).unwrap();
        let read: Vec<_> =
            Btf::parse(&after).unwrap().types().map(|item| item.unwrap().1).collect();
        assert_eq!(read, [types[0].clone(), func("new"), func("own"), typedef]);
        assert!(functions(&after[..after.len() - 1], |_| None).is_err());
    }
}
