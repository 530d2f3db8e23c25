// SPDX-License-Identifier: MIT OR Apache-2.0
//! BPF maps in memory that applications and the loader share, with the kernel's semantics.
//!
//! 1. The loader makes each map of an extension, [`Map::create`], and hands its descriptor to the
//!    application, where the agent opens it, [`Map::open`].
//! 2. Programs get its [`handle`](Table::handle), or the address of its only
//!    [`value`](Table::value), and helpers call what [`Table`] has for them.
//! 3. The loader reads and writes the same map meanwhile. Whoever dies leaves it to the others.
//!
//! ```text
//!  memory file (sealed: its size never changes)
//!  ┌────────┬─────────────────┬────────────────────────────────────────────────────────────┐
//!  │ header │ what changes    │ elements │ buckets and nodes │ bits │ records of a ring … │
//!  └────────┴─────────────────┴────────────────────────────────────────────────────────────┘
//!   0        1024 (locks, …)   4096
//! ```
//!
//! The header says what the map is, and where everything else lies is computed from that: nothing in
//! the memory is an address or an offset, so it can lie anywhere in any number of processes. Links
//! between a hash's nodes are numbers, which are checked each time: whatever is in the memory, nobody
//! reads or writes beyond it, or goes round in circles. Maps of maps and program arrays hold numbers
//! too, that each process looks up in its own [`registry`].
//!
//! What programs call allocates nothing and calls nothing of the C library, so it may run in a
//! signal's handler. Some of it takes a lock, which says who holds it: see `lock` for what becomes
//! of locks whose holder was killed, or was interrupted by whoever wants the lock.

mod array;
mod bloom;
pub mod bytes;
mod definition;
mod errno;
mod hash;
mod identity;
mod layout;
mod lock;
mod map;
pub mod processor;
mod queue;
pub mod registry;
mod ring;
mod segment;
mod stacks;
pub mod sys;
mod table;
mod value;

pub use definition::{Definition, MapKind, flags, update};
pub use errno::{Errno, returned};
pub use identity::numbers;
pub use map::Map;
pub use ring::query;
pub use table::Table;
pub use value::{spin_lock, spin_unlock};
