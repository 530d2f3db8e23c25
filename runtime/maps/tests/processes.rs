// SPDX-License-Identifier: MIT OR Apache-2.0
//! Many threads and processes at one map, of which some are killed at any moment.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use common::{Random, seed};
use ufunc_maps::{Definition, Map, MapKind, Table, update};

/// A child that does `work` until it is killed, or until that returns.
fn fork(work: impl FnOnce()) -> libc::pid_t {
    // SAFETY: the child only works on maps, which takes neither locks nor memory of the C library.
    let child = unsafe { libc::fork() };
    if child == 0 {
        work();
        // SAFETY: only ends.
        unsafe { libc::_exit(0) };
    }
    assert!(child > 0);
    child
}

fn end(child: libc::pid_t) {
    // SAFETY: it is a child of this process.
    unsafe {
        libc::kill(child, libc::SIGKILL);
        libc::waitpid(child, std::ptr::null_mut(), 0);
    }
}

/// Changes a map in all ways, for ever. Every value begins and ends with the same word.
fn hammer(map: &Table, keys: u32, seed: u64) {
    let mut random = Random::new(seed);
    let mut value = [0u64; 4];
    let mut taken = [0u64; 4];
    loop {
        let key = random.below(keys.into()) as u32;
        let key = (&raw const key).cast::<u8>();
        value = [random.next(), value[1], value[2], value[0]];
        value[3] = value[0];
        let from = value.as_ptr().cast::<u8>();
        // SAFETY: keys and values have their sizes; records are given back once.
        unsafe {
            match map.definition().kind {
                MapKind::RingBuffer => {
                    let record = map.reserve(32);
                    if record != 0 {
                        ufunc_maps::bytes::copy(record as *mut u8, from, 32);
                        Table::commit(record, value[0] % 5 == 0);
                    }
                }
                MapKind::Queue | MapKind::Stack => {
                    if value[0] % 2 == 0 {
                        let _ = map.push(from, value[1] % 2 * update::EXIST);
                    } else {
                        let _ = map.pop(taken.as_mut_ptr().cast());
                    }
                }
                _ => match value[0] % 8 {
                    0..=4 => {
                        let _ = map.update(key, from, update::ANY);
                    }
                    5 => {
                        let _ = map.delete(key);
                    }
                    _ => {
                        let _ = map.lookup(key, None);
                    }
                },
            }
        }
    }
}

fn is_whole(value: &[u8]) -> bool {
    value.first_chunk::<8>() == value.get(24..).and_then(|end| end.first_chunk())
}

/// A hash that can be filled to the last element, and not further, and emptied.
fn is_usable(map: &Map, max: u32) {
    let began = Instant::now();
    let kind = map.definition().kind;
    let entries = map.entries();
    let mut keys: BTreeMap<Vec<u8>, u32> = BTreeMap::new();
    for (key, value) in &entries {
        *keys.entry(key.clone()).or_default() += 1;
        let values: Vec<&[u8]> = value.chunks_exact(32).collect();
        assert!(kind.is_per_cpu() || values.iter().all(|value| is_whole(value)), "{value:x?}");
    }
    assert!(keys.values().all(|count| *count == 1), "{kind:?}: a key is there twice");
    let value = vec![7; map.whole_size()];
    let fill = |from: u32| {
        // The first time that it is full what the dead took is looked for, and is there then.
        (from..from + 2 * max)
            .filter(|number| map.write(&number.to_ne_bytes(), &value, update::ANY).is_ok())
            .count()
    };
    let evicts = matches!(kind, MapKind::LruHash | MapKind::LruPerCpuHash);
    let before = map.entries().len();
    let filled = fill(1_000_000);
    if evicts {
        assert_eq!(filled as u32, 2 * max);
    } else {
        assert_eq!(before + filled, max as usize, "{kind:?} had {before} of {max} elements");
    }
    let there = map.entries();
    assert!(there.len() <= max as usize && there.len() + 64 >= max as usize, "{}", there.len());
    for (key, _) in &there {
        map.remove(key).unwrap();
    }
    assert_eq!(map.entries().len(), 0);
    if !evicts {
        assert_eq!(fill(2_000_000), max as usize);
        for (key, _) in map.entries() {
            map.remove(&key).unwrap();
        }
    }
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
}

#[test]
fn hashes_survive_whoever_is_killed() {
    let mut random = Random::new(seed());
    for kind in [MapKind::Hash, MapKind::PerCpuHash, MapKind::LruHash, MapKind::LruPerCpuHash] {
        for (max, keys) in [(4u32, 8), (64, 80), (1024, 1500)] {
            let (map, _fd) = Map::create(&Definition::new(kind, 4, 32, max)).unwrap();
            for _ in 0..12 {
                let seeds = [random.next(), random.next()];
                let children = seeds.map(|seed| fork(|| hammer(&map, keys, seed)));
                for child in children {
                    std::thread::sleep(Duration::from_micros(500 + random.below(4_000)));
                    end(child);
                }
                // Whatever they held: every key can be changed.
                let value = vec![0; map.whole_size()];
                for key in 0..keys {
                    let outcome = map.write(&key.to_ne_bytes(), &value, update::ANY);
                    let full = outcome.map_err(|error| error.number());
                    assert!(matches!(full, Ok(()) | Err(libc::E2BIG)), "{kind:?}: {full:?}");
                }
            }
            is_usable(&map, max);
        }
    }
}

#[test]
fn queues_survive_whoever_is_killed() {
    let mut random = Random::new(seed());
    for kind in [MapKind::Queue, MapKind::Stack] {
        let (map, _fd) = Map::create(&Definition::new(kind, 0, 32, 50)).unwrap();
        for _ in 0..40 {
            let seed = random.next();
            let child = fork(|| hammer(&map, 1, seed));
            std::thread::sleep(Duration::from_micros(300 + random.below(2_000)));
            end(child);
            let there = map.entries().len();
            assert!(there <= 50);
            while map.take(&[]).is_ok() {}
            for _ in 0..50 {
                map.write(&[], &[1; 32], update::ANY).unwrap();
            }
            assert!(map.write(&[], &[1; 32], update::ANY).is_err());
            assert!(map.entries().iter().all(|(_, value)| is_whole(value)));
        }
    }
}

#[test]
fn ring_buffers_survive_whoever_is_killed() {
    let mut random = Random::new(seed());
    let (map, _fd) = Map::create(&Definition::new(MapKind::RingBuffer, 0, 0, 4096)).unwrap();
    let mut seen = 0;
    for _ in 0..60 {
        let seeds = [random.next(), random.next()];
        let children = seeds.map(|seed| fork(|| hammer(&map, 1, seed)));
        let until = Instant::now() + Duration::from_micros(500 + random.below(3_000));
        let mut consume = || {
            seen += map.consume(|_, record| {
                assert!(record.len() == 32 && is_whole(record), "{record:x?}");
            });
        };
        while Instant::now() < until {
            consume();
        }
        children.into_iter().for_each(end);
        consume();
        // What the dead were writing does not stand in the way.
        assert_eq!(map.query(ufunc_maps::query::AVAIL_DATA), 0);
        let record = map.reserve(4080);
        assert_ne!(record, 0, "there is room for all but one word");
        assert_eq!(map.reserve(8), 0);
        assert_eq!(map.query(ufunc_maps::query::AVAIL_DATA), 4088);
        // SAFETY: it was reserved just now.
        unsafe { Table::commit(record, true) };
        consume();
        assert_eq!(map.query(ufunc_maps::query::AVAIL_DATA), 0);
    }
    println!("{seen} records");
    assert!(seen > 1_000);
}

#[test]
fn no_update_is_lost_among_threads_and_processes() {
    const EACH: u64 = 20_000;
    let (map, fd) = Map::create(&Definition::new(MapKind::Hash, 8, 8, 4096)).unwrap();
    // Each has keys of its own, in buckets that all share.
    let work = |map: &Table, who: u64| {
        for step in 0..EACH {
            let key = step % 300 * 64 + who;
            let key = (&raw const key).cast::<u8>();
            // SAFETY: key and value have their sizes.
            unsafe {
                map.update(key, (&raw const step).cast(), update::ANY).unwrap();
                let place = map.lookup(key, None);
                assert!(place != 0 && *(place as *const u64) == step);
                if step % 3 == 0 {
                    map.delete(key).unwrap();
                    assert_eq!(map.lookup(key, None), 0);
                }
            }
        }
    };
    let children = [8, 9].map(|who| fork(|| work(&map, who)));
    let other = Map::open(std::os::fd::AsFd::as_fd(&fd)).unwrap();
    std::thread::scope(|scope| {
        for who in 0..4 {
            let map = if who % 2 == 0 { &map } else { &other };
            scope.spawn(move || work(map, who));
        }
    });
    for child in children {
        let mut status = 0;
        // SAFETY: only waits.
        unsafe { libc::waitpid(child, &raw mut status, 0) };
        assert_eq!(status, 0);
    }
    for who in [0, 1, 2, 3, 8, 9] {
        for last in 0..300 {
            // The last steps that came to this key.
            let step = (0..EACH).rev().find(|step| step % 300 == last).unwrap();
            let key = (last * 64 + who).to_ne_bytes();
            let expected = if step % 3 == 0 { None } else { Some(step.to_ne_bytes().to_vec()) };
            assert_eq!(map.read(&key).ok(), expected);
        }
    }
}

#[test]
fn readers_always_find_what_is_always_there() {
    let (map, _fd) = Map::create(&Definition::new(MapKind::Hash, 4, 32, 64)).unwrap();
    let stop = AtomicU64::new(0);
    for key in 0..32u32 {
        map.write(&key.to_ne_bytes(), &[1; 32], update::ANY).unwrap();
    }
    std::thread::scope(|scope| {
        for who in 0..2u64 {
            let (map, stop) = (&map, &stop);
            scope.spawn(move || {
                let mut random = Random::new(who);
                while stop.load(Ordering::Relaxed) == 0 {
                    // The lower half is only replaced, the upper half comes and goes.
                    let key = random.below(32) as u32;
                    let value = [random.next() as u8; 32];
                    map.write(&key.to_ne_bytes(), &value, update::EXIST).unwrap();
                    let key = 32 + random.below(60) as u32;
                    let _ = map.write(&key.to_ne_bytes(), &value, update::ANY);
                    let _ = map.remove(&(32 + random.below(60) as u32).to_ne_bytes());
                }
            });
        }
        let mut random = Random::new(99);
        for _ in 0..300_000 {
            let key = random.below(32) as u32;
            // SAFETY: the key is there.
            let place = unsafe { map.lookup((&raw const key).cast(), None) };
            assert_ne!(place, 0, "{key} was not found");
            if random.below(50) == 0 {
                let value = map.read(&key.to_ne_bytes()).unwrap();
                assert!(value.iter().all(|byte| *byte == value[0]), "{value:?}");
            }
        }
        stop.store(1, Ordering::Relaxed);
    });
}

#[test]
fn what_was_used_stays_and_what_was_not_goes() {
    let (map, _fd) = Map::create(&Definition::new(MapKind::LruHash, 4, 8, 1000)).unwrap();
    let update = |key: u32| map.write(&key.to_ne_bytes(), &[0; 8], update::ANY).unwrap();
    (0..1000).for_each(update);
    for key in 0..500u32 {
        // SAFETY: the key is there.
        assert_ne!(unsafe { map.lookup((&raw const key).cast(), None) }, 0);
    }
    (1000..1400).for_each(update);
    let kept = (0..500u32).filter(|key| map.read(&key.to_ne_bytes()).is_ok()).count();
    assert_eq!(map.entries().len(), 1000);
    assert!(kept > 450, "{kept} of 500 that were used are still there");
}

#[test]
fn locks_in_values_exclude_each_other_and_outlive_their_holders() {
    let mut definition = Definition::new(MapKind::Array, 4, 16, 1);
    definition.spin_lock = Some(4);
    let (map, _fd) = Map::create(&definition).unwrap();
    let address = map.value().unwrap();
    let lock = (address + 4) as usize;
    let count = (address + 8) as usize;
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..20_000 {
                    // SAFETY: both are in the map's value.
                    unsafe {
                        ufunc_maps::spin_lock(lock as *mut u32);
                        let place = count as *mut u64;
                        place.write_volatile(place.read_volatile() + 1);
                        ufunc_maps::spin_unlock(lock as *mut u32);
                    }
                }
            });
        }
    });
    assert_eq!(map.read(&[0; 4]).unwrap()[8..], 80_000u64.to_ne_bytes());
    // SAFETY: it is in the map's value.
    let child = fork(|| unsafe { ufunc_maps::spin_lock(lock as *mut u32) });
    // SAFETY: only waits.
    unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) };
    // SAFETY: it is in the map's value.
    assert_ne!(unsafe { (lock as *const u32).read_volatile() }, 0);
    // An update leaves the lock alone, and what is read shows none.
    map.write(&[0; 4], &[0xff; 16], update::ANY).unwrap();
    let value = map.read(&[0; 4]).unwrap();
    assert_eq!(
        (&value[..4], &value[4..8], &value[8..]),
        (&[0xff; 4][..], &[0; 4][..], &[0xff; 8][..])
    );
    // One that takes the lock first takes it over.
    map.write(&[0; 4], &[1; 16], update::LOCK).unwrap();
    // SAFETY: it is in the map's value.
    assert_eq!(unsafe { (lock as *const u32).read_volatile() }, 0);
}

#[test]
fn a_handler_that_comes_to_its_own_threads_lock_is_told() {
    let (map, _fd) = Map::create(&Definition::new(MapKind::Hash, 4, 32, 1)).unwrap();
    // A last signal may come when the test is over.
    let map = Box::leak(Box::new(map));
    static MAP: AtomicU64 = AtomicU64::new(0);
    static OUTCOMES: [AtomicU64; 2] = [AtomicU64::new(0), AtomicU64::new(0)];
    extern "C" fn handler(_: libc::c_int) {
        // SAFETY: the map stays for good.
        let map = unsafe { Table::of(MAP.load(Ordering::Relaxed)) };
        let (key, value) = (1u32, [3u64; 4]);
        // SAFETY: key and value have their sizes.
        let done =
            unsafe { map.update((&raw const key).cast(), value.as_ptr().cast(), update::ANY) };
        match done.map_err(|error| error.number()) {
            Ok(()) => OUTCOMES[0].fetch_add(1, Ordering::Relaxed),
            Err(libc::EDEADLK) => OUTCOMES[1].fetch_add(1, Ordering::Relaxed),
            // Seen by the assertion below.
            Err(_) => OUTCOMES[0].fetch_add(1 << 32, Ordering::Relaxed),
        };
    }
    MAP.store(map.handle(), Ordering::Relaxed);
    // SAFETY: the handler only works on the map; the timer is this process' own.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as *const () as usize;
        action.sa_flags = libc::SA_RESTART;
        libc::sigaction(libc::SIGPROF, &raw const action, std::ptr::null_mut());
        let every = libc::timeval { tv_sec: 0, tv_usec: 200 };
        let timer = libc::itimerval { it_interval: every, it_value: every };
        libc::setitimer(libc::ITIMER_PROF, &raw const timer, std::ptr::null_mut());
    }
    let until = Instant::now() + Duration::from_secs(2);
    let (key, value) = (1u32, [4u64; 4]);
    while Instant::now() < until {
        for _ in 0..1_000 {
            // Only the handler, on this or another thread, is in the way, and never for long.
            // SAFETY: key and value have their sizes.
            let done =
                unsafe { map.update((&raw const key).cast(), value.as_ptr().cast(), update::ANY) };
            done.unwrap();
        }
    }
    // SAFETY: no timer is one, too.
    unsafe {
        let none: libc::itimerval = std::mem::zeroed();
        libc::setitimer(libc::ITIMER_PROF, &raw const none, std::ptr::null_mut());
    }
    let [fine, deadlocks] = [0, 1].map(|at: usize| OUTCOMES[at].load(Ordering::Relaxed));
    println!("{fine} updates by the handler, {deadlocks} that would have waited for ever");
    assert!(fine > 0 && fine < 1 << 32);
    assert!(map.read(&1u32.to_ne_bytes()).is_ok_and(|value| is_whole(&value)));
}
