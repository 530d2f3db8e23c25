// SPDX-License-Identifier: MIT OR Apache-2.0
//! Libraries compiled from C, and hooks on their functions in this very process.
#![allow(dead_code, unreachable_pub, missing_docs, reason = "each test uses a part")]

use std::arch::global_asm;
use std::ffi::{CStr, CString, c_void};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, Result};
use object::{Object as _, ObjectSymbol as _, SymbolKind};
use tempfile::TempDir;
use ufunc_agent::{Hook, agent, attach, reserve};
use ufunc_hook::machine::Machine;
use ufunc_hook::program::{Clobbers, Program, When};
use ufunc_hook::{site, stub};
use ufunc_shared::context::Fields;
use ufunc_shared::plan::Plan;

/// What a program sees: the kernel's `struct pt_regs`.
#[repr(C)]
#[derive(Debug)]
pub struct Registers {
    pub r15: u64,
    pub r14: u64,
    pub r13: u64,
    pub r12: u64,
    pub bp: u64,
    pub bx: u64,
    pub r11: u64,
    pub r10: u64,
    pub r9: u64,
    pub r8: u64,
    pub ax: u64,
    pub cx: u64,
    pub dx: u64,
    pub si: u64,
    pub di: u64,
    pub orig_ax: u64,
    pub ip: u64,
    pub cs: u64,
    pub flags: u64,
    pub sp: u64,
    pub ss: u64,
}

/// A library that was loaded.
pub struct Library {
    handle: *mut c_void,
    base: u64,
    pub functions: Vec<Function>,
    _folder: Option<TempDir>,
}

/// A function of a library, where it is in this process.
#[derive(Clone, Debug)]
pub struct Function {
    pub name: String,
    pub address: u64,
    pub size: usize,
    /// With the filling up to the next one.
    pub room: usize,
    /// Its bytes before it was hooked.
    pub original: &'static [u8],
}

impl Function {
    pub fn bytes(&self) -> &'static [u8] {
        // SAFETY: the library is mapped there and never unloaded; this much belongs to it.
        unsafe { std::slice::from_raw_parts(self.address as *const u8, self.room) }
    }

    pub fn planned(&self) -> site::Function<'static> {
        site::Function { address: self.address, bytes: self.original, size: self.size }
    }
}

/// The fixture, compiled by `compiler` with `flags`.
pub fn compile(compiler: &str, fixture: &str, flags: &[&str]) -> Library {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("fixture.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(fixture);
    let status = Command::new(compiler)
        .args(["-shared", "-fPIC", "-pthread", "-o"])
        .arg(&output)
        .args(flags)
        .arg(&source)
        .status()
        .unwrap();
    assert!(status.success(), "{compiler} {flags:?} {fixture}");
    let mut library = load(&output);
    library._folder = Some(folder);
    library
}

/// The library at `path`, with all functions that its symbols tell of.
pub fn load(path: &Path) -> Library {
    let name = CString::new(path.as_os_str().as_bytes()).unwrap();
    // SAFETY: libraries of these tests and of the system; never unloaded.
    let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW) };
    if handle.is_null() {
        // SAFETY: dlopen has just failed.
        panic!("{}", unsafe { CStr::from_ptr(libc::dlerror()) }.to_string_lossy());
    }
    let bytes = std::fs::read(path).unwrap();
    let file = object::File::parse(&*bytes).unwrap();
    let mut map: *mut LinkMap = std::ptr::null_mut();
    // SAFETY: the handle is a library's; the answer is a link map, which begins like this.
    let base = unsafe {
        assert_eq!(libc::dlinfo(handle, libc::RTLD_DI_LINKMAP, (&raw mut map).cast()), 0);
        (*map).base
    };
    let mut functions: Vec<Function> = file
        .symbols()
        .chain(file.dynamic_symbols())
        .filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.is_definition())
        .filter(|symbol| symbol.size() > 0)
        .map(|symbol| Function {
            name: symbol.name().unwrap().to_owned(),
            address: base + symbol.address(),
            size: symbol.size() as usize,
            room: symbol.size() as usize,
            original: &[],
        })
        .collect();
    functions.sort_by_key(|function| (function.address, std::cmp::Reverse(function.size)));
    functions.dedup_by_key(|function| function.address);
    for index in 1..functions.len() {
        let next = functions[index].address;
        let function = &mut functions[index - 1];
        let gap = next.saturating_sub(function.address + function.size as u64);
        function.room += gap.min(16) as usize;
    }
    for function in &mut functions {
        function.original = function.bytes().to_vec().leak();
    }
    Library { handle, base, functions, _folder: None }
}

#[repr(C)]
struct LinkMap {
    base: u64,
}

impl Library {
    pub fn function(&self, name: &str) -> &Function {
        let found = self.functions.iter().find(|function| function.name == name);
        found.unwrap_or_else(|| panic!("there is no function {name}"))
    }

    pub fn address(&self, name: &str) -> *const () {
        let name = CString::new(name).unwrap();
        // SAFETY: the handle is a library's.
        let address = unsafe { libc::dlsym(self.handle, name.as_ptr()) };
        assert!(!address.is_null(), "{name:?}");
        address.cast_const().cast()
    }
}

/// A program that may do anything that C may.
pub fn program(code: extern "C" fn(&mut Registers), when: When) -> Program {
    Program {
        address: code as *const () as u64,
        when,
        reads: Fields::ALL,
        writes: Fields::NONE,
        clobbers: Clobbers::C_ABI,
        calls_out: false,
    }
}

/// The plan and where its stub was put.
pub fn plan(
    function: &Function,
    offset: u64,
    programs: &[Program],
    trap: bool,
    again: bool,
) -> Result<Plan> {
    let site = site::find(&function.planned(), offset)?;
    let site = if trap { site.trapping() } else { site };
    let placement = site.placement();
    let machine = Machine::detect();
    let size = stub::room(&site, programs, &agent(), machine)?;
    let stub = reserve(site.patch, &placement, size, again)?;
    stub::plan(&site, programs, stub, &agent(), machine)
}

/// Hooks `function`.
pub fn hook(function: &Function, offset: u64, programs: &[Program]) -> Result<Hook> {
    hook_by(function, offset, programs, false)
}

pub fn hook_by(function: &Function, offset: u64, programs: &[Program], trap: bool) -> Result<Hook> {
    // Where no jump reaches a stub, a trap does.
    let plan = plan(function, offset, programs, trap, true)
        .or_else(|_| plan(function, offset, programs, true, true))?;
    let plan = Plan::from_bytes(&plan.to_bytes())?;
    // SAFETY: the programs of these tests are functions of the C ABI and stay.
    unsafe { attach(&plan) }
        .or_else(|_| {
            // Another stub was there before.
            let plan = self::plan(function, offset, programs, trap, false)
                .or_else(|_| self::plan(function, offset, programs, true, false))?;
            // SAFETY: as above.
            unsafe { attach(&plan) }
        })
        .with_context(|| format!("{}+{offset}", function.name))
}

/// Hits of [`trash`].
pub static TRASHED: AtomicU64 = AtomicU64::new(0);

pub fn trashed() -> u64 {
    TRASHED.load(Ordering::SeqCst)
}

// A program that counts, and leaves nothing as it was of what a function may change.
global_asm!(
    ".globl ufunc_test_trash",
    "ufunc_test_trash:",
    "lock inc qword ptr [rip + {hits}]",
    // Functions begin with the stack 8 off a multiple of 16.
    "lea rax, [rsp + 8]",
    "test al, 15",
    "je 1f",
    "ud2",
    "1:",
    "mov rax, 0x1111111111111111",
    "mov rcx, rax",
    "mov rdx, rax",
    "mov rsi, rax",
    "mov rdi, rax",
    "mov r8, rax",
    "mov r9, rax",
    "mov r10, rax",
    "mov r11, rax",
    "add al, 0x7f",
    "cmp dword ptr [rip + {vectors}], 0",
    "je 2f",
    "vpcmpeqb ymm0, ymm0, ymm0",
    "vmovaps ymm1, ymm0",
    "vmovaps ymm2, ymm0",
    "vmovaps ymm3, ymm0",
    "vmovaps ymm4, ymm0",
    "vmovaps ymm5, ymm0",
    "vmovaps ymm6, ymm0",
    "vmovaps ymm7, ymm0",
    "vmovaps ymm8, ymm0",
    "vmovaps ymm9, ymm0",
    "vmovaps ymm10, ymm0",
    "vmovaps ymm11, ymm0",
    "vmovaps ymm12, ymm0",
    "vmovaps ymm13, ymm0",
    "vmovaps ymm14, ymm0",
    "vmovaps ymm15, ymm0",
    "cmp dword ptr [rip + {vectors}], 1",
    "je 3f",
    "vmovdqa64 zmm16, zmm0",
    "vmovdqa64 zmm17, zmm0",
    "vmovdqa64 zmm31, zmm0",
    "kxnorw k1, k0, k0",
    "kxnorw k7, k0, k0",
    "3:",
    "vzeroupper",
    "2:",
    "xor eax, eax",
    "ret",
    hits = sym TRASHED,
    vectors = sym VECTORS,
);

static VECTORS: AtomicU64 = AtomicU64::new(0);

/// A program that changes all that the C ABI lets it.
pub fn trash(when: When) -> Program {
    unsafe extern "C" {
        fn ufunc_test_trash();
    }
    let widest = if std::arch::is_x86_feature_detected!("avx512f") {
        2
    } else {
        u64::from(std::arch::is_x86_feature_detected!("avx"))
    };
    VECTORS.store(widest, Ordering::SeqCst);
    Program {
        address: ufunc_test_trash as *const () as u64,
        when,
        reads: Fields::NONE,
        writes: Fields::NONE,
        clobbers: Clobbers::C_ABI,
        calls_out: false,
    }
}

/// Runs `work` in a child of its own, so that what goes wrong there is a failed test and no more.
pub fn in_child(work: impl FnOnce() -> Result<()>) {
    // SAFETY: the tests that use it run in one thread (see each).
    let child = unsafe { libc::fork() };
    assert!(child >= 0);
    if child == 0 {
        let code = match std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)) {
            Ok(Ok(())) => 0,
            Ok(Err(error)) => {
                println!("{error:#}");
                1
            }
            Err(_) => 2,
        };
        // SAFETY: ends the child, without what is registered for the parent.
        unsafe { libc::_exit(code) };
    }
    let mut status = 0;
    // SAFETY: the child is this function's own.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert_eq!(status, 0, "signal {}, code {}", status & 0x7f, status >> 8);
}

/// A number to begin random numbers with, printed, or taken from `UFUNC_SEED`.
pub fn seed() -> u64 {
    let given = std::env::var("UFUNC_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        now.as_nanos() as u64
    });
    println!("UFUNC_SEED={seed}");
    seed
}

/// The next random number.
pub fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    state.wrapping_mul(0x2545_f491_4f6c_dd1d)
}

pub fn temporary() -> PathBuf {
    std::env::temp_dir()
}
