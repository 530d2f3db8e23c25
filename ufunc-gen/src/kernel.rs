// SPDX-License-Identifier: MIT OR Apache-2.0
//! The kernel's words: flags, section names and names that a module must not define.

/// Flags of a kfunc, `KF_*` in the kernel's `include/linux/btf.h`.
pub mod kf {
    /// Returns an object that must be released.
    pub const ACQUIRE: u32 = 1 << 0;
    /// Releases an object.
    pub const RELEASE: u32 = 1 << 1;
    /// May return NULL: the caller has to check.
    pub const RET_NULL: u32 = 1 << 2;
    /// Takes pointers that the verifier itself vouches for, and no others.
    pub const TRUSTED_ARGS: u32 = 1 << 4;
    /// May sleep: only programs that may sleep, too, can call it.
    pub const SLEEPABLE: u32 = 1 << 5;

    /// The names of the flags set in `flags`, joined by ` | `.
    pub fn describe(flags: u32) -> String {
        const NAMES: [(u32, &str); 5] = [
            (ACQUIRE, "KF_ACQUIRE"),
            (RELEASE, "KF_RELEASE"),
            (RET_NULL, "KF_RET_NULL"),
            (TRUSTED_ARGS, "KF_TRUSTED_ARGS"),
            (SLEEPABLE, "KF_SLEEPABLE"),
        ];
        let set = NAMES.iter().filter(|(bit, _)| flags & bit != 0).map(|(_, name)| *name);
        set.collect::<Vec<_>>().join(" | ")
    }
}

/// What the verifier reads into the end of a kfunc's parameter's name, and into two whole names
/// (`Documentation/bpf/kfuncs.rst`).
pub mod param {
    /// A string in memory that programs cannot change (since 6.8).
    pub const STRING: &str = "__str";
    /// How many bytes there are at the pointer before it.
    pub const SIZE: &str = "__sz";
    /// An object, or NULL.
    pub const NULLABLE: &str = "__nullable";
    /// A number that is known when the program is verified.
    pub const CONSTANT: &str = "__k";
    /// Numbers that say how much memory the result points to.
    pub const RESULT_SIZES: [&str; 2] = ["rdonly_buf_size", "rdwr_buf_size"];
}

/// Section of a module that holds its types.
pub const BTF_SECTION: &str = ".BTF";
/// Section of a module that holds the few types which it shares with the kernel (distilled base,
/// since 6.11).
pub const BTF_BASE_SECTION: &str = ".BTF.base";
/// Section of a module that holds its sets of kfuncs.
pub const BTF_IDS_SECTION: &str = ".BTF_ids";
/// `BTF_SET8_KFUNCS` in `include/linux/btf_ids.h`: marks a set as one of kfuncs.
pub const BTF_SET8_KFUNCS: u32 = 1;
/// Declaration tag that the kernel expects on every kfunc (`bpf_kfunc`, since 6.9).
pub const KFUNC_TAG: &str = "bpf_kfunc";
/// Most kfuncs that one set may have, `BTF_KFUNC_SET_MAX_CNT` in `kernel/bpf/btf.c`.
pub const KFUNC_SET_MAX: usize = 256;
/// Most arguments a kfunc may have, `MAX_BPF_FUNC_REG_ARGS` in `include/linux/bpf.h`.
pub const KFUNC_ARGS_MAX: usize = 5;
/// Longest name of a kfunc, `KSYM_NAME_LEN` in `include/linux/kallsyms.h` less its NUL.
pub const NAME_MAX: usize = 511;
/// Longest name of a section in BTF: `KSYM_NAME_LEN` was 128 before Linux 6.1.
pub const SECTION_NAME_MAX: usize = 127;

/// Where the running kernel shows its types and its modules'.
pub const SYSFS_BTF: &str = "/sys/kernel/btf";
/// The kernel's own file in [`SYSFS_BTF`].
pub const VMLINUX: &str = "vmlinux";

/// Symbols that a module's own code defines or that a compiler calls: a stub of such a name would
/// take the place of the real one.
pub const RESERVED_SYMBOLS: [&str; 12] = [
    "__this_module",
    "bcmp",
    "cleanup_module",
    "init_module",
    "memchr",
    "memcmp",
    "memcpy",
    "memmove",
    "memset",
    "register_btf_kfunc_id_set",
    "rust_begin_unwind",
    "strlen",
];
