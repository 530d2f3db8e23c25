// SPDX-License-Identifier: MIT OR Apache-2.0
//! Files that are no maps, or that somebody destroyed: opening and using them is safe.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use std::fs::File;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::FileExt as _;

use common::{Random, seed};
use ufunc_maps::{Definition, Map, MapKind, update};

const KINDS: [(MapKind, u32, u32, u32); 15] = [
    (MapKind::Hash, 4, 8, 16),
    (MapKind::Array, 4, 8, 16),
    (MapKind::ProgArray, 4, 4, 4),
    (MapKind::PerfEventArray, 4, 4, 2),
    (MapKind::PerCpuHash, 4, 8, 16),
    (MapKind::PerCpuArray, 4, 8, 16),
    (MapKind::StackTrace, 4, 80, 16),
    (MapKind::LruHash, 4, 8, 16),
    (MapKind::LruPerCpuHash, 4, 8, 16),
    (MapKind::ArrayOfMaps, 4, 4, 4),
    (MapKind::HashOfMaps, 4, 4, 4),
    (MapKind::Queue, 0, 8, 16),
    (MapKind::Stack, 0, 8, 16),
    (MapKind::RingBuffer, 0, 0, 4096),
    (MapKind::Bloom, 0, 8, 16),
];

fn made((kind, key, value, max): (MapKind, u32, u32, u32)) -> (Map, OwnedFd) {
    Map::create(&Definition::new(kind, key, value, max)).unwrap()
}

/// Does everything that can be done with a map.
fn use_all(map: &Map) {
    let key = vec![1; map.definition().key_size as usize];
    let value = vec![2; map.whole_size()];
    let _ = map.write(&key, &value, update::ANY);
    let _ = map.read(&key);
    let _ = map.entries();
    let _ = map.take(&key);
    let _ = map.remove(&key);
    let _ = map.consume(|_, _| ());
    let _ = map.stack(1);
    let _ = map.put_stack(&[1, 2, 3], 0);
    let _ = map.may_contain(&value);
    let _ = map.each(|_, _| false);
    let _ = map.program(1);
    let record = map.reserve(64);
    if record != 0 {
        // SAFETY: it was reserved just now.
        unsafe { ufunc_maps::Table::commit(record, false) };
    }
    let mut room = vec![0; value.len().max(8)];
    // SAFETY: keys and values have their sizes.
    unsafe {
        let _ = map.push(value.as_ptr(), 0);
        let _ = map.pop(room.as_mut_ptr());
        let _ = map.perf_output(0xffff_ffff, value.as_ptr(), 4);
        if !key.is_empty() {
            let _ = map.lookup(key.as_ptr(), None);
            let _ = map.update(key.as_ptr(), value.as_ptr(), 0);
            let _ = map.delete(key.as_ptr());
        }
    }
}

#[test]
fn what_is_no_map_is_refused() {
    let file = tempfile();
    let error = format!("{:#}", Map::open(file.as_fd()).unwrap_err());
    assert!(error.contains("not fixed"), "{error}");
    // SAFETY: the name is a C string.
    let bare = unsafe {
        use std::os::fd::FromRawFd as _;
        File::from_raw_fd(libc::memfd_create(c"bare".as_ptr(), libc::MFD_ALLOW_SEALING))
    };
    bare.set_len(8192).unwrap();
    assert!(Map::open(bare.as_fd()).is_err());
    seal(&bare);
    let error = format!("{:#}", Map::open(bare.as_fd()).unwrap_err());
    assert!(error.contains("no map"), "{error}");
}

fn tempfile() -> File {
    File::open("/proc/self/exe").unwrap()
}

fn seal(file: &File) {
    use std::os::fd::AsRawFd as _;
    let seals = libc::F_SEAL_SHRINK | libc::F_SEAL_GROW;
    // SAFETY: only changes what may be done with the file.
    assert_eq!(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, seals) }, 0);
}

#[test]
fn headers_that_lie_are_refused_or_do_no_harm() {
    let mut random = Random::new(seed());
    let (mut opened, mut refused) = (0, 0);
    for kind in KINDS {
        let (map, fd) = made(kind);
        drop(map);
        let file = File::from(fd);
        let mut good = [0; 192];
        file.read_exact_at(&mut good, 0).unwrap();
        for _ in 0..300 {
            let mut bad = good;
            for _ in 0..=random.below(2) {
                // What is behind the magic.
                let at = 8 + random.below(64) as usize;
                bad[at] = match random.below(4) {
                    0 => 0xff,
                    1 => 0,
                    2 => bad[at] ^ 1 << random.below(8),
                    _ => random.next() as u8,
                };
            }
            file.write_all_at(&bad, 0).unwrap();
            match Map::open(file.as_fd()) {
                Ok(map) => {
                    opened += 1;
                    use_all(&map);
                }
                Err(error) => {
                    assert!(format!("{error:#}").len() > 10);
                    refused += 1;
                }
            }
            file.write_all_at(&good, 0).unwrap();
            // As another kind it may have left what this one would take for locks, and wait for.
            let used = file.metadata().unwrap().len().min(1 << 15) as usize;
            file.write_all_at(&vec![0; used - 1024], 1024).unwrap();
        }
    }
    println!("{opened} opened, {refused} refused");
    assert!(opened > 50 && refused > 500);
}

#[test]
fn contents_that_lie_do_no_harm() {
    let mut random = Random::new(seed());
    for kind in KINDS {
        let (map, fd) = made(kind);
        let file = File::from(fd);
        let size = file.metadata().unwrap().len();
        use_all(&map);
        for _ in 0..150 {
            for _ in 0..32 {
                // Locks are left alone: to wait for a holder that does not answer takes its time.
                let at = 1024 + 8 + random.below((size - 1032).min(6_000) / 4) * 4;
                let word = match random.below(4) {
                    0 => u32::MAX,
                    1 => random.below(40) as u32,
                    2 => 1 << 31 | random.below(40) as u32,
                    _ => random.next() as u32,
                };
                file.write_all_at(&word.to_ne_bytes(), at).unwrap();
            }
            free_locks(&file, kind.0, kind.3);
            use_all(&map);
        }
    }
}

/// Locks are words of their own, at known places.
fn free_locks(file: &File, kind: MapKind, max: u32) {
    match kind {
        kind if kind.is_hash() => {
            for bucket in 0..u64::from(max.next_power_of_two()) {
                file.write_all_at(&[0; 8], 4096 + 32 * bucket).unwrap();
            }
        }
        MapKind::RingBuffer => file.write_all_at(&[0; 8], 1024 + 64).unwrap(),
        MapKind::PerfEventArray => {
            for cpu in 0..16 {
                file.write_all_at(&[0; 8], 4096 + 256 * cpu + 64).unwrap();
            }
        }
        MapKind::Queue | MapKind::Stack => file.write_all_at(&[0; 8], 1024).unwrap(),
        _ => {}
    }
}

#[test]
fn definitions_that_cannot_be_are_refused() {
    let refused = |definition: &Definition| Map::create(definition).is_err();
    for (kind, key, value, max) in KINDS {
        assert!(refused(&Definition::new(kind, key, value, 0)));
        assert!(refused(&Definition::new(kind, key + 1000, value, max)));
        assert!(refused(&Definition::new(kind, key, u32::MAX, max)));
        assert!(refused(&Definition::new(kind, key, value, u32::MAX)));
        let mut odd = Definition::new(kind, key, value, max);
        odd.flags = 1 << 20;
        assert!(refused(&odd));
    }
    assert!(refused(&Definition::new(MapKind::RingBuffer, 0, 0, 4095)));
    assert!(refused(&Definition::new(MapKind::RingBuffer, 0, 0, 12288)));
    assert!(refused(&Definition::new(MapKind::StackTrace, 4, 12, 4)));
    // 2^44 bytes.
    assert!(refused(&Definition::new(MapKind::Array, 4, 1 << 30, 1 << 30)));
    let mut lock = Definition::new(MapKind::Array, 4, 8, 1);
    lock.spin_lock = Some(6);
    assert!(refused(&lock));
}

#[test]
fn what_is_frozen_is_only_read() {
    let (map, fd) = Map::create(&Definition::new(MapKind::Array, 4, 16, 1)).unwrap();
    map.write(&[0; 4], &[9; 16], update::ANY).unwrap();
    Map::freeze(fd.as_fd()).unwrap();
    let other = Map::open(fd.as_fd()).unwrap();
    assert_eq!(other.read(&[0; 4]).unwrap(), [9; 16]);
    let error = other.write(&[0; 4], &[1; 16], update::ANY).unwrap_err();
    assert_eq!(error.number(), libc::EPERM);
    // Nor by the memory itself.
    let address = other.value().unwrap() as *mut u8;
    let line = std::fs::read_to_string("/proc/self/maps").unwrap();
    let line = line.lines().find(|line| {
        let (start, end) = line.split_once(' ').unwrap().0.split_once('-').unwrap();
        let parse = |text: &str| u64::from_str_radix(text, 16).unwrap();
        (parse(start)..parse(end)).contains(&(address.addr() as u64))
    });
    assert!(line.unwrap().contains(" r--s "), "{line:?}");
}

#[test]
fn maps_of_maps_and_programs_name_what_this_process_knows() {
    let mut outer = Definition::new(MapKind::HashOfMaps, 4, 4, 4);
    let inner = Definition::new(MapKind::Array, 4, 8, 2);
    outer.inner = Some(Box::new(inner.clone()));
    let (outer, _outer_fd) = Map::create(&outer).unwrap();
    let (inner, inner_fd) = Map::create(&inner).unwrap();
    let (wrong, _wrong_fd) = made((MapKind::Hash, 4, 8, 2));
    let key = 5u32;
    let bytes = key.to_ne_bytes();
    // SAFETY: the key is there.
    let lookup = || unsafe { outer.lookup((&raw const key).cast(), None) };
    assert_eq!(lookup(), 0);
    assert!(outer.set_inner(&bytes, Some(&wrong)).is_err());
    outer.set_inner(&bytes, Some(&inner)).unwrap();
    assert_eq!(lookup(), inner.handle());
    // The one that was opened last.
    let again = Map::open(inner_fd.as_fd()).unwrap();
    assert_eq!(lookup(), again.handle());
    drop(again);
    assert_eq!(lookup(), 0);
    outer.set_inner(&bytes, None).unwrap();
    assert!(outer.entries().is_empty());

    let (programs, _fd) = made((MapKind::ProgArray, 4, 4, 4));
    let number = ufunc_maps::registry::number();
    programs.set_program(2, Some(number)).unwrap();
    assert_eq!(programs.program(2), 0);
    ufunc_maps::registry::put(number, 0x1234);
    assert_eq!((programs.program(2), programs.program(1), programs.program(9)), (0x1234, 0, 0));
    programs.set_program(2, None).unwrap();
    assert_eq!(programs.program(2), 0);
}
