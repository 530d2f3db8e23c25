// Statics, in modules and in functions.
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

pub struct Pool {
    pub id: u32,
    pub used: u64,
}

pub mod inner {
    use super::{AtomicUsize, Pool};

    pub static COUNT: AtomicUsize = AtomicUsize::new(5);
    #[no_mangle]
    pub static POOLS: [Pool; 2] = [Pool { id: 1, used: 2 }, Pool { id: 3, used: 4 }];
    pub static EMPTY: () = ();
}

static NAME: &str = "name";

thread_local! {
    static WAITING: Cell<u64> = const { Cell::new(3) };
}

#[inline(never)]
fn step() -> usize {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    CALLS.fetch_add(inner::COUNT.load(Ordering::Relaxed), Ordering::Relaxed)
}

fn main() {
    let name: *const &str = &raw const NAME;
    WAITING.with(|waiting| waiting.set(waiting.get() + 1));
    inner::COUNT.fetch_add(step(), Ordering::Relaxed);
    // SAFETY: it points to a static.
    println!("{} {} {:?}", unsafe { *name }, inner::POOLS[step() % 2].id, inner::EMPTY);
}
