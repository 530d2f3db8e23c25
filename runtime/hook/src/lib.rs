// SPDX-License-Identifier: MIT OR Apache-2.0
//! Plans hooks: pure functions from a function's bytes and what is known of the programs to the
//! bytes that the agent puts in place.
//!
//! 1. [`site::find`] looks at the function and says where it can be changed, and how.
//! 2. The agent finds room for the stub where [`site::Site::placement`] allows it.
//! 3. [`stub::plan`] makes the stub for that place, and the [`ufunc_shared::plan::Plan`].
//!
//! ```text
//!  function            stub
//!  ┌──────────┐       ┌───────────────────────────────────────────────────────┐
//!  │ endbr64  │   ┌──▶│ save what the programs change, store what they read   │
//!  │ jmp stub │───┘   │ call each program                                     │
//!  │ …        │◀──┐   │ restore; the displaced instructions; jmp back         │
//!  │ ret      │─┐ └───│                                                       │
//!  └──────────┘ │     ├───────────────────────────────────────────────────────┤
//!               └────▶│ (return hooks) call each program, jmp to the caller   │
//!       by the agent's└───────────────────────────────────────────────────────┘
//!       trampoline
//! ```
//!
//! Only x86-64 is known.

mod displaced;
pub mod machine;
pub mod program;
mod registers;
pub mod site;
pub mod stub;
