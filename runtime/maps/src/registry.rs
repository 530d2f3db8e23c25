// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a number that is stored in a map means in this process: another map, or a program.
//!
//! A map's memory is shared by processes that have everything at other addresses. So maps of maps
//! and program arrays hold numbers, chosen at random, and each process knows what is behind them
//! here. What it does not know is as if it were not there.

use std::sync::Mutex;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

/// A table that handlers of signals may read at any time.
struct Table {
    /// Numbers and addresses. An old one is left to whoever is reading it.
    places: AtomicPtr<Vec<[AtomicU64; 2]>>,
    /// How many places are taken, of things gone by too; for whoever writes.
    used: Mutex<usize>,
}

static TABLE: Table = Table { places: AtomicPtr::new(std::ptr::null_mut()), used: Mutex::new(0) };

/// How many places there are in the beginning.
const FIRST: usize = 64;

/// The address of what has this number here; 0 if there is nothing.
#[must_use]
pub fn find(number: u64) -> u64 {
    TABLE.find(number)
}

/// Says where what has this number is: a map's handle, or a program's code.
pub fn put(number: u64, address: u64) {
    TABLE.put(number, address);
}

/// Forgets that it is at this address, unless it is somewhere else by now.
pub fn remove(number: u64, address: u64) {
    if find(number) == address {
        put(number, 0);
    }
}

/// A number that nothing else has; never 0.
#[must_use]
pub fn number() -> u64 {
    let mut number = 0u64;
    while number == 0 {
        // SAFETY: eight bytes can be written there.
        let got = unsafe { libc::getrandom((&raw mut number).cast(), 8, 0) };
        if got != 8 {
            // Before the kernel has any entropy, which is long before applications run.
            number = u64::from(crate::sys::process()) << 32 | u64::from(crate::sys::thread());
        }
    }
    number
}

impl Table {
    fn find(&self, number: u64) -> u64 {
        // SAFETY: it is null or was put there by `put`, complete, and is never freed.
        let places = unsafe { self.places.load(Ordering::Acquire).as_ref() };
        let Some(places) = places else { return 0 };
        match probe(places, number) {
            Some(place) if place[0].load(Ordering::Acquire) == number && number != 0 => {
                place[1].load(Ordering::Acquire)
            }
            _ => 0,
        }
    }

    fn put(&self, number: u64, address: u64) {
        if number == 0 {
            return;
        }
        let mut used = self.used.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // SAFETY: as in `find`.
        let old = unsafe { self.places.load(Ordering::Acquire).as_ref() };
        let places = match old {
            Some(places) if *used * 2 < places.len() => places,
            _ => {
                let alive = |place: &&[AtomicU64; 2]| place[1].load(Ordering::Relaxed) != 0;
                let kept = old.map_or(0, |old| old.iter().filter(alive).count());
                let length = (kept * 4).next_power_of_two().max(FIRST);
                let new: Vec<_> =
                    (0..length).map(|_| [AtomicU64::new(0), AtomicU64::new(0)]).collect();
                for place in old.into_iter().flatten().filter(alive) {
                    let [number, address] =
                        [0, 1].map(|half: usize| place[half].load(Ordering::Relaxed));
                    set(&new, number, address);
                }
                *used = kept;
                let new = Box::leak(Box::new(new));
                self.places.store(new, Ordering::Release);
                new
            }
        };
        if set(places, number, address) {
            *used += 1;
        }
    }
}

/// Whether that took a new place.
fn set(places: &[[AtomicU64; 2]], number: u64, address: u64) -> bool {
    let Some(place) = probe(places, number) else { return false };
    let new = place[0].load(Ordering::Relaxed) == 0;
    place[1].store(address, Ordering::Release);
    place[0].store(number, Ordering::Release);
    new
}

/// The place of `number`, or the free one where it would be.
fn probe(places: &[[AtomicU64; 2]], number: u64) -> Option<&[AtomicU64; 2]> {
    let mask = places.len().checked_sub(1)?;
    let start = (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize;
    let mut all = (0..=mask).filter_map(|step| places.get(start.wrapping_add(step) & mask));
    all.find(|place| {
        let there = place[0].load(Ordering::Acquire);
        there == number || there == 0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_until_they_are_removed() {
        let table = Table { places: AtomicPtr::default(), used: Mutex::new(0) };
        assert_eq!(table.find(5), 0);
        for round in 1..4u64 {
            for number in 1..2_000u64 {
                table.put(number * 7, number + round);
            }
        }
        for number in 1..2_000 {
            assert_eq!(table.find(number * 7), number + 3);
            table.put(number * 7, 0);
            assert_eq!(table.find(number * 7), 0);
        }
        // What is gone makes room again.
        for number in 1..200_000u64 {
            table.put(number << 32, 1);
            table.put(number << 32, 0);
        }
        // SAFETY: it was put there above.
        let length = unsafe { (*table.places.load(Ordering::Relaxed)).len() };
        assert!(length <= 16_384, "{length}");
    }
}
