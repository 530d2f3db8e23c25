// SPDX-License-Identifier: MIT OR Apache-2.0
//! How programs get at the application's memory itself: views, granted writes, elements of arrays.

use ufunc_compile::{Binding, Element, Reach, Signature};
use ufunc_gen::metadata::{Access, Bits, Elements};
use ufunc_shared::helpers::WRITE_BOOL;

/// What compiled code does for `access`; `constant` is the number of what [`constant`] gives.
pub(super) fn binding(access: &Access, constant: u32) -> Binding {
    let with_constant = |parameters| Binding::WithConstant {
        signature: Signature::words(parameters),
        reach: Reach::Far,
        constant,
    };
    match access {
        Access::Borrow { .. } => with_constant(1),
        // Nothing is kept of a view, so there is nothing to undo.
        Access::Put => Binding::Constant,
        Access::Write(_) => with_constant(2),
        Access::Read(elements) => {
            let Elements { follow, offset, count, bytes, signed } = elements.clone();
            Binding::Element(Element { follow, offset, count, bytes, signed })
        }
    }
}

/// The runtime's function that does it, if it takes one.
pub(super) fn function(access: &Access) -> Option<&'static str> {
    match access {
        Access::Borrow { .. } => Some("ufunc_borrow"),
        Access::Write(_) => Some("ufunc_write"),
        Access::Put | Access::Read(_) => None,
    }
}

/// What that function is given besides.
pub(super) fn constant(access: &Access) -> u64 {
    match access {
        Access::Borrow { size } => u64::from(*size),
        Access::Write(Bits { offset, size, bool }) => {
            let kind = if *bool { WRITE_BOOL } else { 0 };
            u64::from(*offset) | u64::from(*size) << 32 | kind
        }
        Access::Put | Access::Read(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_is_told_where_it_goes() {
        let write = |offset, size, bool| constant(&Access::Write(Bits { offset, size, bool }));
        assert_eq!(write(35, 3, false), 0x3_0000_0023);
        assert_eq!(write(u32::MAX - 64, 64, true), 0x140_ffff_ffbf);
    }
}
