// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a map is: its kind and sizes, as the extension defines them.

use anyhow::{Result, bail, ensure};

/// Flags of maps, by the kernel's names.
pub mod flags {
    /// `BPF_F_NO_PREALLOC`
    pub const NO_PREALLOC: u32 = 1;
    /// `BPF_F_NO_COMMON_LRU`
    pub const NO_COMMON_LRU: u32 = 1 << 1;
    /// `BPF_F_NUMA_NODE`
    pub const NUMA_NODE: u32 = 1 << 2;
    /// `BPF_F_RDONLY`
    pub const RDONLY: u32 = 1 << 3;
    /// `BPF_F_WRONLY`
    pub const WRONLY: u32 = 1 << 4;
    /// `BPF_F_STACK_BUILD_ID`
    pub const STACK_BUILD_ID: u32 = 1 << 5;
    /// `BPF_F_ZERO_SEED`
    pub const ZERO_SEED: u32 = 1 << 6;
    /// `BPF_F_RDONLY_PROG`
    pub const RDONLY_PROG: u32 = 1 << 7;
    /// `BPF_F_WRONLY_PROG`
    pub const WRONLY_PROG: u32 = 1 << 8;
    /// `BPF_F_MMAPABLE`
    pub const MMAPABLE: u32 = 1 << 10;
    /// `BPF_F_PRESERVE_ELEMS`
    pub const PRESERVE_ELEMS: u32 = 1 << 11;
    /// `BPF_F_INNER_MAP`
    pub const INNER_MAP: u32 = 1 << 12;
    /// All that make no difference here, or that are seen to.
    pub(crate) const KNOWN: u32 = NO_PREALLOC
        | NO_COMMON_LRU
        | NUMA_NODE
        | RDONLY
        | WRONLY
        | ZERO_SEED
        | RDONLY_PROG
        | WRONLY_PROG
        | MMAPABLE
        | PRESERVE_ELEMS
        | INNER_MAP;
}

/// What `bpf_map_update_elem` takes for flags.
pub mod update {
    /// `BPF_ANY`
    pub const ANY: u64 = 0;
    /// `BPF_NOEXIST`
    pub const NOEXIST: u64 = 1;
    /// `BPF_EXIST`
    pub const EXIST: u64 = 2;
    /// `BPF_F_LOCK`
    pub const LOCK: u64 = 4;
}

/// A kind of map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MapKind {
    /// `BPF_MAP_TYPE_HASH`
    Hash,
    /// `BPF_MAP_TYPE_ARRAY`, global data among them.
    Array,
    /// `BPF_MAP_TYPE_PROG_ARRAY`
    ProgArray,
    /// `BPF_MAP_TYPE_PERF_EVENT_ARRAY`
    PerfEventArray,
    /// `BPF_MAP_TYPE_PERCPU_HASH`
    PerCpuHash,
    /// `BPF_MAP_TYPE_PERCPU_ARRAY`
    PerCpuArray,
    /// `BPF_MAP_TYPE_STACK_TRACE`
    StackTrace,
    /// `BPF_MAP_TYPE_LRU_HASH`
    LruHash,
    /// `BPF_MAP_TYPE_LRU_PERCPU_HASH`
    LruPerCpuHash,
    /// `BPF_MAP_TYPE_ARRAY_OF_MAPS`
    ArrayOfMaps,
    /// `BPF_MAP_TYPE_HASH_OF_MAPS`
    HashOfMaps,
    /// `BPF_MAP_TYPE_QUEUE`
    Queue,
    /// `BPF_MAP_TYPE_STACK`
    Stack,
    /// `BPF_MAP_TYPE_RINGBUF`
    RingBuffer,
    /// `BPF_MAP_TYPE_BLOOM_FILTER`
    Bloom,
}

/// The kernel's kinds by number: their names, and which of them there are here.
const KINDS: [(&str, Option<MapKind>); 35] = [
    ("unspecified", None),
    ("hash", Some(MapKind::Hash)),
    ("array", Some(MapKind::Array)),
    ("prog_array", Some(MapKind::ProgArray)),
    ("perf_event_array", Some(MapKind::PerfEventArray)),
    ("percpu_hash", Some(MapKind::PerCpuHash)),
    ("percpu_array", Some(MapKind::PerCpuArray)),
    ("stack_trace", Some(MapKind::StackTrace)),
    ("cgroup_array", None),
    ("lru_hash", Some(MapKind::LruHash)),
    ("lru_percpu_hash", Some(MapKind::LruPerCpuHash)),
    ("lpm_trie", None),
    ("array_of_maps", Some(MapKind::ArrayOfMaps)),
    ("hash_of_maps", Some(MapKind::HashOfMaps)),
    ("devmap", None),
    ("sockmap", None),
    ("cpumap", None),
    ("xskmap", None),
    ("sockhash", None),
    ("cgroup_storage", None),
    ("reuseport_sockarray", None),
    ("percpu_cgroup_storage", None),
    ("queue", Some(MapKind::Queue)),
    ("stack", Some(MapKind::Stack)),
    ("sk_storage", None),
    ("devmap_hash", None),
    ("struct_ops", None),
    ("ringbuf", Some(MapKind::RingBuffer)),
    ("inode_storage", None),
    ("task_storage", None),
    ("bloom_filter", Some(MapKind::Bloom)),
    ("user_ringbuf", None),
    ("cgrp_storage", None),
    ("arena", None),
    ("insn_array", None),
];

impl MapKind {
    /// The kind of this number, `BPF_MAP_TYPE_…`. One that is not there is refused by its name.
    pub fn of(number: u32) -> Result<Self> {
        let Some((name, kind)) = KINDS.get(number as usize) else {
            bail!("maps of type {number} are unknown");
        };
        match (kind, *name) {
            (Some(kind), _) => Ok(*kind),
            (None, "arena") => bail!(
                "maps of type arena cannot be had in an application: their pointers are 32 bits \
                 wide, relative to where the kernel puts the arena"
            ),
            (None, name) => bail!("maps of type {name} cannot be had in an application"),
        }
    }

    /// The kernel's number, `BPF_MAP_TYPE_…`.
    #[must_use]
    pub fn number(self) -> u32 {
        let found = KINDS.iter().position(|(_, kind)| *kind == Some(self));
        // Every kind is in the table; see the test.
        found.unwrap_or(0) as u32
    }

    /// The kernel's name for it, in small letters.
    #[must_use]
    pub fn name(self) -> &'static str {
        KINDS.get(self.number() as usize).map_or("", |(name, _)| name)
    }

    /// Whether each processor has values of its own.
    #[must_use]
    pub fn is_per_cpu(self) -> bool {
        matches!(self, Self::PerCpuHash | Self::PerCpuArray | Self::LruPerCpuHash)
    }

    /// Whether it is one of the hashes.
    #[must_use]
    pub fn is_hash(self) -> bool {
        matches!(
            self,
            Self::Hash | Self::PerCpuHash | Self::LruHash | Self::LruPerCpuHash | Self::HashOfMaps
        )
    }

    /// Whether its values name other maps.
    #[must_use]
    pub fn holds_maps(self) -> bool {
        matches!(self, Self::ArrayOfMaps | Self::HashOfMaps)
    }

    fn has_index(self) -> bool {
        matches!(
            self,
            Self::Array
                | Self::PerCpuArray
                | Self::ProgArray
                | Self::PerfEventArray
                | Self::ArrayOfMaps
                | Self::StackTrace
        )
    }
}

/// What a map is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// Its kind.
    pub kind: MapKind,
    /// Its name, for people. Longer ones than 63 bytes are cut.
    pub name: String,
    /// Bytes of a key.
    pub key_size: u32,
    /// Bytes of a value.
    pub value_size: u32,
    /// How many elements it may have; bytes of a ring buffer.
    pub max_entries: u32,
    /// `BPF_F_…`, see [`flags`].
    pub flags: u32,
    /// What `map_extra` says; for a Bloom filter how many hashes there are.
    pub extra: u64,
    /// Where a value has its `bpf_spin_lock`.
    pub spin_lock: Option<u32>,
    /// What the maps are like that a map of maps holds. Only known to whoever creates the map.
    pub inner: Option<Box<Definition>>,
}

impl Definition {
    /// One of this kind and these sizes, without anything special.
    #[must_use]
    pub fn new(kind: MapKind, key_size: u32, value_size: u32, max_entries: u32) -> Self {
        Self {
            kind,
            name: String::new(),
            key_size,
            value_size,
            max_entries,
            flags: 0,
            extra: 0,
            spin_lock: None,
            inner: None,
        }
    }

    /// Whether there can be such a map.
    pub fn check(&self) -> Result<()> {
        let name = self.kind.name();
        let sizes = (self.key_size, self.value_size);
        ensure!(
            self.flags & flags::STACK_BUILD_ID == 0,
            "a map of type {name} with BPF_F_STACK_BUILD_ID cannot be had in an application"
        );
        ensure!(
            self.flags & !flags::KNOWN == 0,
            "a map of type {name} has the flags {:#x}, which mean nothing in an application",
            self.flags & !flags::KNOWN
        );
        ensure!(self.max_entries > 0, "a map of type {name} has room for no element");
        ensure!(self.max_entries <= 1 << 30, "{} elements are too many", self.max_entries);
        ensure!(self.key_size <= 512, "a key of {} bytes is too large", self.key_size);
        ensure!(self.value_size <= 1 << 30, "a value of {} bytes is too large", self.value_size);
        match self.kind {
            kind if kind.has_index() => {
                ensure!(
                    self.key_size == 4,
                    "a map of type {name} has keys of 4 bytes, not {}",
                    sizes.0
                );
            }
            kind if kind.is_hash() => {
                ensure!(self.key_size > 0, "a map of type {name} needs a key");
            }
            _ => ensure!(self.key_size == 0, "a map of type {name} has no keys"),
        }
        match self.kind {
            MapKind::RingBuffer => {
                let size = self.max_entries;
                ensure!(
                    size.is_power_of_two() && size.is_multiple_of(crate::segment::PAGE as u32),
                    "a ring buffer of {size} bytes: it has to be pages, and a power of two"
                );
                ensure!(self.value_size == 0, "a ring buffer has no values");
            }
            MapKind::ProgArray
            | MapKind::PerfEventArray
            | MapKind::ArrayOfMaps
            | MapKind::HashOfMaps => {
                ensure!(self.value_size == 4, "a map of type {name} has values of 4 bytes");
            }
            MapKind::StackTrace => ensure!(
                self.value_size >= 8 && self.value_size.is_multiple_of(8),
                "a stack of {} bytes: a frame has 8",
                self.value_size
            ),
            _ => ensure!(self.value_size > 0, "a map of type {name} needs a value"),
        }
        if let Some(offset) = self.spin_lock {
            let fits = offset.checked_add(4).is_some_and(|end| end <= self.value_size);
            ensure!(
                fits && offset % 4 == 0,
                "a lock at {offset} of a value of {} bytes",
                self.value_size
            );
            ensure!(
                matches!(self.kind, MapKind::Hash | MapKind::Array),
                "a map of type {name} cannot have locks in its values"
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_the_kernels_numbers() {
        for (number, (name, kind)) in KINDS.iter().enumerate() {
            match (MapKind::of(number as u32), kind) {
                (Ok(found), Some(kind)) => {
                    assert_eq!((found, kind.number(), kind.name()), (*kind, number as u32, *name));
                }
                (Err(error), None) => assert!(error.to_string().contains(name), "{error}"),
                other => panic!("{name}: {other:?}"),
            }
        }
        assert_eq!(MapKind::of(27).unwrap(), MapKind::RingBuffer);
        assert!(MapKind::of(33).unwrap_err().to_string().contains("arena"));
        assert!(MapKind::of(u32::MAX).is_err());
    }
}
