// SPDX-License-Identifier: MIT OR Apache-2.0
//! The kernel as the judge of what maps do: the same operations, on one of its maps and on one of
//! ours, have to have the same outcome.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use common::kernel::KernelMap;
use common::{Random, seed};
use ufunc_maps::{Definition, Map, MapKind, flags, update};

/// Flags of updates, those that mean nothing among them.
const FLAGS: [u64; 12] = [0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 8, u64::MAX];

/// How many operations each map gets.
const OPERATIONS: usize = 4_000;

fn compare(definition: &Definition, keys: &[Vec<u8>], random: &mut Random) {
    let (ours, _fd) = Map::create(definition).unwrap();
    let kernel = KernelMap::new(definition, ours.whole_size());
    let name = definition.kind.name();
    let mut errors = std::collections::BTreeMap::new();
    for step in 0..OPERATIONS {
        let what = format!("{name}, operation {step}, {definition:?}");
        let key = &keys[random.below(keys.len() as u64) as usize];
        let mut note = |outcome: Result<(), i32>| {
            *errors.entry(outcome.err().unwrap_or(0)).or_insert(0) += 1;
        };
        match random.below(10) {
            0..=3 => {
                let value = padded(definition, random);
                let flags = FLAGS[random.below(FLAGS.len() as u64) as usize];
                let theirs = kernel.write(key, &value, flags);
                let mine = ours.write(key, &value, flags).map_err(|error| error.number());
                assert_eq!(mine, theirs, "update with {flags:x}: {what}");
                note(theirs);
            }
            4..=6 => {
                let theirs = kernel.read(key);
                let mine = ours.read(key).map_err(|error| error.number());
                assert_eq!(mine, theirs, "lookup: {what}");
                note(theirs.map(|_| ()));
            }
            7..=8 => {
                let theirs = kernel.remove(key);
                let mine = ours.remove(key).map_err(|error| error.number());
                assert_eq!(mine, theirs, "delete: {what}");
                note(theirs);
            }
            _ if definition.kind.is_hash() || definition.key_size == 0 => {
                let theirs = kernel.take(key);
                let mine = ours.take(key).map_err(|error| error.number());
                assert_eq!(mine, theirs, "lookup and delete: {what}");
                note(theirs.map(|_| ()));
            }
            _ => {}
        }
        if step % 64 == 0 && definition.key_size > 0 {
            let (mut theirs, mut mine) = (kernel.keys(), ours.keys());
            theirs.sort();
            mine.sort();
            assert_eq!(mine, theirs, "keys: {what}");
        }
    }
    println!("{name}: {OPERATIONS} operations on {} keys, errors {errors:?}", keys.len());
    assert!(errors.len() > 1, "{name}: nothing ever failed");
}

/// A value, or values of all processors, with zeros between them: the kernel copies what is there.
fn padded(definition: &Definition, random: &mut Random) -> Vec<u8> {
    let size = definition.value_size as usize;
    if !definition.kind.is_per_cpu() {
        return random.bytes(size);
    }
    let cpus = KernelCpus::count();
    let mut whole = Vec::new();
    for _ in 0..cpus {
        let mut value = random.bytes(size);
        value.resize(size.next_multiple_of(8), 0);
        whole.extend(value);
    }
    whole
}

struct KernelCpus;

impl KernelCpus {
    fn count() -> usize {
        let definition = Definition::new(MapKind::PerCpuArray, 4, 8, 1);
        let (map, _fd) = Map::create(&definition).unwrap();
        map.cpus() as usize
    }
}

fn indexes(count: u32) -> Vec<Vec<u8>> {
    (0..count).map(|index| index.to_ne_bytes().to_vec()).collect()
}

#[test]
fn hashes_do_what_the_kernels_do() {
    let mut random = Random::new(seed());
    for kind in [MapKind::Hash, MapKind::PerCpuHash] {
        for (key_size, value_size, max, given) in [
            (4, 8, 8, 12),
            (8, 8, 1, 3),
            (1, 1, 100, 120),
            (17, 40, 5, 9),
            (64, 3, 64, 70),
            (3, 100, 7, 40),
        ] {
            for flags in [0, flags::NO_PREALLOC] {
                let mut definition = Definition::new(kind, key_size, value_size, max);
                definition.flags = flags;
                let mut keys: Vec<Vec<u8>> =
                    (0..given).map(|_| random.bytes(key_size as usize)).collect();
                keys.sort();
                keys.dedup();
                compare(&definition, &keys, &mut random);
            }
        }
    }
}

#[test]
fn hashes_with_eviction_do_what_the_kernels_do_while_there_is_room() {
    let mut random = Random::new(seed());
    for kind in [MapKind::LruHash, MapKind::LruPerCpuHash] {
        let keys: Vec<Vec<u8>> = (0..40).map(|_| random.bytes(8)).collect();
        compare(&Definition::new(kind, 8, 12, 10_000), &keys, &mut random);
    }
}

#[test]
fn arrays_do_what_the_kernels_do() {
    let mut random = Random::new(seed());
    for kind in [MapKind::Array, MapKind::PerCpuArray] {
        for (value_size, max) in [(8, 1), (8, 10), (5, 3), (100, 7), (4, 64)] {
            compare(&Definition::new(kind, 4, value_size, max), &indexes(max + 3), &mut random);
        }
    }
}

#[test]
fn queues_and_stacks_do_what_the_kernels_do() {
    let mut random = Random::new(seed());
    for kind in [MapKind::Queue, MapKind::Stack] {
        for (value_size, max) in [(8, 1), (8, 5), (3, 3), (100, 16)] {
            compare(&Definition::new(kind, 0, value_size, max), &[Vec::new()], &mut random);
        }
    }
}

#[test]
fn bloom_filters_know_what_was_pushed_as_the_kernels_do() {
    let mut random = Random::new(seed());
    for (value_size, max, hashes) in [(8, 100, 0), (3, 10, 1), (20, 1000, 15), (4, 1, 3)] {
        let mut definition = Definition::new(MapKind::Bloom, 0, value_size, max);
        definition.extra = hashes;
        let (ours, _fd) = Map::create(&definition).unwrap();
        let kernel = KernelMap::new(&definition, ours.whole_size());
        let values: Vec<Vec<u8>> = (0..max).map(|_| random.bytes(value_size as usize)).collect();
        for value in &values {
            let flags = FLAGS[random.below(FLAGS.len() as u64) as usize];
            let theirs = kernel.write(&[], value, flags);
            assert_eq!(ours.write(&[], value, flags).map_err(|error| error.number()), theirs);
            if theirs.is_ok() {
                assert!(kernel.contains(value) && ours.may_contain(value).unwrap());
            }
            assert_eq!(
                ours.remove(&[]).map_err(|error| error.number()),
                kernel.remove(&[]),
                "delete"
            );
        }
        let others: Vec<Vec<u8>> = (0..2_000).map(|_| random.bytes(value_size as usize)).collect();
        let count =
            |says: &dyn Fn(&[u8]) -> bool| others.iter().filter(|value| says(value)).count();
        let mine = count(&|value| ours.may_contain(value).unwrap());
        let theirs = count(&|value| kernel.contains(value));
        println!("bloom of {max} with {hashes} hashes: wrong of 2000: {mine}, kernel {theirs}");
        assert!(mine <= 3 * theirs + 200, "{mine} against {theirs}");
    }
}

#[test]
fn programs_update_only_their_processors_value() {
    let definition = Definition::new(MapKind::PerCpuHash, 4, 8, 4);
    let (map, _fd) = Map::create(&definition).unwrap();
    let (key, value) = (7u32, 1u64);
    let bytes = key.to_ne_bytes();
    // Everything but this processor's value of a new element is zero, whatever was there before.
    let junk = vec![0xff; map.whole_size()];
    map.write(&bytes, &junk, update::ANY).unwrap();
    map.remove(&bytes).unwrap();
    // SAFETY: key and value are there.
    let done =
        unsafe { map.update((&raw const key).cast(), (&raw const value).cast(), update::NOEXIST) };
    done.unwrap();
    let whole = map.read(&bytes).unwrap();
    let values: Vec<u64> =
        whole.chunks_exact(8).map(|value| u64::from_ne_bytes(value.try_into().unwrap())).collect();
    assert_eq!(values.iter().sum::<u64>(), 1, "{values:?}");
    let own = values.iter().position(|value| *value == 1).unwrap() as u32;
    // SAFETY: the key is there.
    let (at, beyond) = unsafe {
        let key = (&raw const key).cast();
        (map.lookup(key, Some(own)), map.lookup(key, Some(map.cpus())))
    };
    assert!(at != 0 && beyond == 0);
    // SAFETY: it is a value of this map.
    assert_eq!(unsafe { *(at as *const u64) }, 1);
}
