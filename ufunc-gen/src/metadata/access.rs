// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a kfunc does to the application's memory, where no function of the application is behind it.

use std::str::FromStr;

use anyhow::{Context as _, Result, bail, ensure};
use serde::{Deserialize, Serialize};

/// What is done to the application's memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Access {
    /// A view of what is at an address.
    Borrow {
        /// How many bytes there have to be.
        size: u32,
    },
    /// A view is put back.
    Put,
    /// A number is stored.
    Write(Bits),
    /// An element of an array is loaded.
    Read(Elements),
}

/// Where in an object a number is. Bits are counted from the lowest of the first byte, as machines of
/// little-endian order do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bits {
    /// The first of its bits.
    pub offset: u32,
    /// How many they are: at most 64.
    pub size: u8,
    /// Whether whatever is not zero is stored as 1.
    pub bool: bool,
}

/// An array of numbers, and the way to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Elements {
    /// Where the pointers are that lead there, each in what the one before points to.
    pub follow: Vec<u32>,
    /// Where the array is in what the last one points to, or in the object itself.
    pub offset: u32,
    /// How many elements it has.
    pub count: u32,
    /// Bytes of each: 1, 2, 4 or 8.
    pub bytes: u8,
    /// Whether they are sign-extended.
    pub signed: bool,
}

/// No way to an array leads through more pointers.
const FOLLOW_MAX: usize = 16;

impl Access {
    /// The name used in tags.
    pub fn name(&self) -> &'static str {
        match self {
            Access::Borrow { .. } => "borrow",
            Access::Put => "put",
            Access::Write(_) => "write",
            Access::Read(_) => "read",
        }
    }

    /// Keys and values of the tags that say where things are.
    pub(super) fn values(&self) -> Vec<(&'static str, String)> {
        match self {
            Access::Borrow { size } => vec![("size", size.to_string())],
            Access::Put => Vec::new(),
            Access::Write(Bits { offset, size, bool }) => {
                let kind = if *bool { " bool" } else { "" };
                vec![("bits", format!("{offset}+{size}{kind}"))]
            }
            Access::Read(Elements { follow, offset, count, bytes, signed }) => {
                let follow: Vec<_> = follow.iter().map(u32::to_string).collect();
                let kind = if *signed { 'i' } else { 'u' };
                vec![
                    ("follow", follow.join(",")),
                    ("elements", format!("{offset}+{count}*{kind}{bytes}")),
                ]
            }
        }
    }

    /// Reads what [`Access::values`] wrote for the access of that name.
    pub(super) fn read(
        name: &str,
        mut take: impl FnMut(&'static str) -> Result<String>,
    ) -> Result<Access> {
        let mut value = |key: &'static str, read: fn(&str) -> Option<Access>| -> Result<Access> {
            let value = take(key)?;
            read(&value).with_context(|| format!("tag ufunc:{key} has the bad value {value:?}"))
        };
        let access = match name {
            "borrow" => value("size", |size| Some(Access::Borrow { size: number(size)? }))?,
            "put" => Access::Put,
            "write" => value("bits", |bits| bits_of(bits).map(Access::Write))?,
            "read" => {
                let access = value("elements", |elements| elements_of(elements).map(Access::Read))?;
                let follow = take("follow")?;
                let Access::Read(elements) = access else { bail!("it reads nothing") };
                let steps = follow.split(',').filter(|step| !step.is_empty()).map(number);
                let steps = steps.collect::<Option<_>>();
                let follow = steps
                    .with_context(|| format!("tag ufunc:follow has the bad value {follow:?}"))?;
                Access::Read(Elements { follow, ..elements })
            }
            _ => bail!("tag ufunc:access has the unknown value {name:?}"),
        };
        access.check()?;
        Ok(access)
    }

    /// Fails for what no generator writes, and what whoever goes by it relies on.
    pub fn check(&self) -> Result<()> {
        match self {
            Access::Borrow { .. } | Access::Put => {}
            Access::Write(bits) => ensure!(
                (1..=64).contains(&bits.size) && bits.offset.checked_add(64).is_some(),
                "it writes {} bits",
                bits.size
            ),
            Access::Read(elements) => {
                let Elements { follow, offset, count, bytes, .. } = elements;
                let size = u64::from(*count) * u64::from(*bytes);
                let far = [*offset].iter().chain(follow).any(|at| i32::try_from(*at).is_err());
                ensure!(
                    [1, 2, 4, 8].contains(bytes) && i32::try_from(size).is_ok() && !far,
                    "it reads {count} elements of {bytes} bytes"
                );
                ensure!(follow.len() <= FOLLOW_MAX, "it follows {} pointers", follow.len());
            }
        }
        Ok(())
    }
}

/// A number, in digits only.
fn number<N: FromStr>(text: &str) -> Option<N> {
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

fn bits_of(text: &str) -> Option<Bits> {
    let (text, bool) = match text.strip_suffix(" bool") {
        Some(text) => (text, true),
        None => (text, false),
    };
    let (offset, size) = text.split_once('+')?;
    Some(Bits { offset: number(offset)?, size: number(size)?, bool })
}

fn elements_of(text: &str) -> Option<Elements> {
    let (offset, rest) = text.split_once('+')?;
    let (count, kind) = rest.split_once('*')?;
    let (signed, bytes) = match kind.strip_prefix('i') {
        Some(bytes) => (true, bytes),
        None => (false, kind.strip_prefix('u')?),
    };
    let (offset, count, bytes) = (number(offset)?, number(count)?, number(bytes)?);
    Some(Elements { follow: Vec::new(), offset, count, bytes, signed })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn again(access: &Access) -> Result<Access> {
        let mut values: BTreeMap<_, _> = access.values().into_iter().collect();
        Access::read(access.name(), |key| values.remove(key).context("there is no such tag"))
    }

    #[test]
    fn accesses_read_what_they_write() {
        let elements =
            Elements { follow: vec![16, 32], offset: 4, count: 10, bytes: 1, signed: true };
        for access in [
            Access::Borrow { size: 24 },
            Access::Put,
            Access::Write(Bits { offset: 35, size: 3, bool: false }),
            Access::Write(Bits { offset: 64, size: 8, bool: true }),
            Access::Read(elements.clone()),
            Access::Read(Elements { follow: Vec::new(), ..elements }),
        ] {
            assert_eq!(again(&access).unwrap(), access);
        }
    }

    #[test]
    fn what_nobody_wrote_is_refused() {
        for bits in ["", "1", "1+", "+1", "1+0", "1+65", "-1+4", "1+4 boolean", "4294967295+8"] {
            assert!(Access::read("write", |_| Ok(bits.to_owned())).is_err(), "{bits}");
        }
        for elements in ["", "4+10", "4+10*1", "4+10*u3", "4+4294967295*u8", "4294967295+1*u1"] {
            let take = |key| Ok(if key == "follow" { "" } else { elements }.to_owned());
            assert!(Access::read("read", take).is_err(), "{elements}");
        }
        let take = |key| Ok(if key == "follow" { "1,x" } else { "4+10*u1" }.to_owned());
        assert!(Access::read("read", take).is_err());
        assert!(Access::read("borrow", |_| Ok("-1".to_owned())).is_err());
        assert!(Access::read("lend", |_| Ok("1".to_owned())).is_err());
    }
}
