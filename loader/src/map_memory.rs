// SPDX-License-Identifier: MIT OR Apache-2.0
//! How much memory an object's maps would take of the kernel, before they take it.
//!
//! The kernel sets aside at once what most maps can hold, and believes whoever may create maps: for
//! an object that asks for all there is, other processes are ended. Some kernels (6.18) even crash
//! on freeing a program array of more than 2³¹ entries.

use std::error::Error;
use std::fmt;
use std::fs;

use libbpf_rs::{MapType, OpenObject};

/// `BPF_F_NO_PREALLOC`: entries take memory once they are there.
const NO_PREALLOC: u32 = 1;
/// Most entries that the kernel can count in every kind of map.
const MAX_ENTRIES: u32 = i32::MAX as u32;

/// A map that is larger than the kernel can bear: which, why, and what to do.
#[derive(Debug)]
pub(crate) struct TooLarge(String);

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for TooLarge {}

/// Fails if one of `object`'s maps has more entries than the kernel can count, or all of them take
/// more memory than is left.
pub(crate) fn check(object: &OpenObject) -> Result<(), TooLarge> {
    // Where it cannot be found out, one is the least.
    let cpus = libbpf_rs::num_possible_cpus().unwrap_or(1) as u64;
    let mut left = available();
    for map in object.maps() {
        let name = map.name().to_string_lossy();
        let (kind, entries) = (map.map_type(), map.max_entries());
        if entries > MAX_ENTRIES && kind != MapType::RingBuf {
            return Err(TooLarge(format!(
                "map '{name}' has {entries} entries, more than kernels can count; lower its max_entries"
            )));
        }
        let sizes = (map.key_size().into(), map.value_size().into());
        let bytes = entry(kind, map.map_flags(), sizes, cpus).saturating_mul(entries.into());
        left = match left.map(|left| left.checked_sub(bytes)) {
            Some(None) => {
                return Err(TooLarge(format!(
                    "map '{name}' takes {}, which is more than the machine has left; lower its max_entries",
                    shown(bytes)
                )));
            }
            left => left.flatten(),
        };
    }
    Ok(())
}

/// Bytes that the kernel sets aside for each entry of a map, about.
fn entry(kind: MapType, flags: u32, (key, value): (u64, u64), cpus: u64) -> u64 {
    const POINTER: u64 = 8;
    match kind {
        MapType::RingBuf | MapType::UserRingBuf => 1,
        MapType::Hash | MapType::PercpuHash if flags & NO_PREALLOC != 0 => POINTER,
        MapType::PercpuArray | MapType::PercpuHash | MapType::LruPercpuHash => {
            key + value.next_multiple_of(8) * cpus
        }
        MapType::Array | MapType::Hash | MapType::LruHash | MapType::Queue | MapType::Stack => {
            key + value
        }
        _ => POINTER,
    }
}

/// Memory that can be had without taking it from somebody, in bytes.
fn available() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kilobytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kilobytes * 1024)
}

fn shown(bytes: u64) -> String {
    match bytes >> 30 {
        0 => format!("{} MiB", bytes >> 20),
        gigabytes => format!("{gigabytes} GiB"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_aside_is_counted() {
        assert_eq!(entry(MapType::Array, 0, (4, 100), 8), 104);
        assert_eq!(entry(MapType::PercpuArray, 0, (4, 12), 8), 4 + 16 * 8);
        assert_eq!(entry(MapType::Hash, NO_PREALLOC, (4, 100), 8), 8);
        assert_eq!(entry(MapType::RingBuf, 0, (0, 0), 8), 1);
        assert_eq!(entry(MapType::ProgArray, 0, (4, 4), 8), 8);
    }

    #[test]
    fn sizes_are_shown() {
        assert_eq!(shown(5 << 20), "5 MiB");
        assert_eq!(shown(u64::MAX), "17179869183 GiB");
    }
}
