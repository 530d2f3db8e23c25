// SPDX-License-Identifier: MIT OR Apache-2.0
//! The namespaces around an entry.

use std::rc::Rc;

use anyhow::{Result, ensure};

use super::{DebugInfo, Die, MAX_CHAIN, UnitIndex};

/// Longest name of namespaces around each other, in bytes: everything in them carries it.
const MAX_SCOPE: usize = 1 << 11;

/// Namespaces that lead to where a [`Walk`] is.
pub(super) struct Scopes {
    /// With their depths; each with those around it, `outer::inner::`.
    open: Vec<(isize, Rc<str>)>,
    none: Rc<str>,
}

impl Scopes {
    pub(super) fn new() -> Self {
        Scopes { open: Vec::new(), none: Rc::from("") }
    }

    /// Leaves the namespaces that do not contain an entry at `depth`.
    pub(super) fn leave(&mut self, depth: isize) {
        while self.open.last().is_some_and(|(scope, _)| *scope >= depth) {
            self.open.pop();
        }
    }

    /// Enters the namespace `entry`.
    ///
    /// Fails if there are more of them, or longer names, than anybody would write.
    pub(super) fn enter(
        &mut self,
        debug: &DebugInfo<'_>,
        unit: UnitIndex,
        entry: &Die<'_>,
        name: Option<&str>,
    ) -> Result<()> {
        let name = format!("{}{}::", self.current(), name.unwrap_or_default());
        ensure!(
            self.open.len() < MAX_CHAIN && name.len() <= MAX_SCOPE,
            "the namespaces around the entry at offset {:#x} of .debug_info nest too deep",
            debug.offset_of(unit, entry).0
        );
        self.open.push((entry.depth, Rc::from(name)));
        Ok(())
    }

    /// The innermost namespace; empty in the file's scope.
    pub(super) fn current(&self) -> &Rc<str> {
        self.open.last().map_or(&self.none, |(_, name)| name)
    }
}

/// Whether `entry` is a namespace, or what other languages have for one.
pub(super) fn is_scope(entry: &Die<'_>) -> bool {
    matches!(entry.tag, gimli::DW_TAG_namespace | gimli::DW_TAG_module)
}
