// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the processor can do, as far as stubs save its registers.

/// The widest vector registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Widest {
    /// `xmm0` to `xmm15`.
    Sse,
    /// `ymm0` to `ymm15`.
    Avx,
    /// `zmm0` to `zmm31`, and masks of 16 bits.
    Avx512,
    /// `zmm0` to `zmm31`, and masks of 64 bits.
    Avx512Bw,
}

/// The processor that the stubs run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    /// The widest vector registers that it has and the kernel keeps.
    pub widest: Widest,
    /// Whether `xgetbv` tells which registers are in use.
    pub tells_use: bool,
}

impl Machine {
    /// The processor that this runs on.
    #[cfg(target_arch = "x86_64")]
    #[must_use]
    pub fn detect() -> Self {
        use std::arch::is_x86_feature_detected as has;

        let widest = if has!("avx512bw") {
            Widest::Avx512Bw
        } else if has!("avx512f") {
            Widest::Avx512
        } else if has!("avx") {
            Widest::Avx
        } else {
            Widest::Sse
        };
        Self { widest, tells_use: widest > Widest::Sse && has!("xsavec") && tells_use() }
    }
}

/// Whether `xgetbv` knows the register that tells what is in use.
#[cfg(target_arch = "x86_64")]
fn tells_use() -> bool {
    // SAFETY: the processor has `xsavec`, so it has this leaf of `cpuid`.
    // Newer compilers know that `cpuid` itself is safe everywhere.
    #[allow(unused_unsafe)]
    let leaf = unsafe { std::arch::x86_64::__cpuid_count(0xd, 1) };
    leaf.eax & 1 << 2 != 0
}
