// SPDX-License-Identifier: MIT OR Apache-2.0
//! The machines that code is generated for.

use anyhow::{Context as _, Result};
use cranelift_codegen::isa::{self, OwnedTargetIsa};
use cranelift_codegen::settings::{self, Configurable as _};
use target_lexicon::triple;

use crate::Architecture;

/// Cranelift's generator for a machine, without any extension that not every one of its kind has:
/// the code may run on another one.
pub(crate) fn generator(architecture: Architecture) -> Result<OwnedTargetIsa> {
    let triple = match architecture {
        Architecture::X86_64 => triple!("x86_64-unknown-linux-gnu"),
        Architecture::Aarch64 => triple!("aarch64-unknown-linux-gnu"),
    };
    let mut flags = settings::builder();
    for (name, value) in [
        ("opt_level", "speed"),
        ("enable_verifier", "true"),
        ("enable_probestack", "false"),
        ("unwind_info", "false"),
        ("is_pic", "false"),
    ] {
        flags.set(name, value).with_context(|| format!("failed to set Cranelift's {name}"))?;
    }
    let builder = isa::lookup(triple)
        .with_context(|| format!("Cranelift has no generator for {architecture}"))?;
    builder.finish(settings::Flags::new(flags)).context("failed to set up Cranelift's generator")
}
