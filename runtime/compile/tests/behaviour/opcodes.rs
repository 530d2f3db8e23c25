// SPDX-License-Identifier: MIT OR Apache-2.0
//! A C compiler as the judge: what clang makes of `data/opcodes.c` for BPF, in each version of the
//! instruction set, computes what it computes for the machine itself.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::path::{Path, PathBuf};
use std::process::Command;

use object::{Object as _, ObjectSection as _, ObjectSymbol as _};
use ufunc_compile::Instruction;

use crate::common::World;
use crate::random::{Random, seed};

/// Also knows the fourth version.
const CLANG: &str = "clang-19";

/// How often each function is called.
const CALLS: usize = 200;

/// Words of memory that each function may use.
const WORDS: usize = 16;

fn compile_c(arguments: &[&str], output: &Path) {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/opcodes.c");
    let done = Command::new(CLANG)
        .args([
            "-O2",
            "-Wall",
            "-Wno-unused-parameter",
            "-Wno-unused-variable",
            "-Werror",
            "-fwrapv",
            source,
        ])
        .args(arguments)
        .arg("-o")
        .arg(output)
        .output()
        .expect("clang-19 must be installed: it compiles for all versions of the instruction set");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// The functions of an object, each with all of the section's instructions that follow it: what it
/// calls is among them.
fn functions(object: &[u8]) -> BTreeMap<String, Vec<Instruction>> {
    let file = object::File::parse(object).unwrap();
    let section = file.section_by_name(".text").unwrap();
    assert_eq!(section.relocations().count(), 0, "functions call others by their distance");
    let code = Instruction::read_all(section.data().unwrap()).unwrap();
    let symbols = file.symbols().filter(|symbol| symbol.is_definition() && symbol.is_global());
    symbols
        .map(|symbol| {
            let start = symbol.address() as usize / Instruction::SIZE;
            let own = &code[start..start + symbol.size() as usize / Instruction::SIZE];
            (symbol.name().unwrap().to_owned(), with_callees(own, start, &code))
        })
        .collect()
}

/// A function and, after it, `mix` if it calls that: as libbpf would put them.
fn with_callees(own: &[Instruction], start: usize, code: &[Instruction]) -> Vec<Instruction> {
    let mut program = own.to_vec();
    let is_call = |insn: &Instruction| insn.code == 0x85 && insn.src == 1;
    let Some(call) = own.iter().position(is_call) else { return program };
    let target = |at: usize, insn: &Instruction| {
        (start + at + 1).checked_add_signed(insn.imm as isize).unwrap()
    };
    let callee = target(call, &own[call]);
    let end = callee + code[callee..].iter().position(|insn| insn.code == 0x95).unwrap() + 1;
    for (at, insn) in program.iter_mut().enumerate().filter(|(_, insn)| is_call(insn)) {
        assert_eq!(target(at, insn), callee, "only one function is called");
        insn.imm = (own.len() - at - 1) as i32;
    }
    program.extend(&code[callee..end]);
    program
}

/// The same functions, for this machine.
struct Native {
    library: *mut libc::c_void,
}

impl Native {
    fn open(path: &Path) -> Self {
        let path = CString::new(path.to_str().unwrap()).unwrap();
        // SAFETY: the library has just been made and does nothing when it is opened.
        let library = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW) };
        assert!(!library.is_null(), "the library must open");
        Native { library }
    }

    fn call(&self, name: &str, x: u64, y: u64, memory: &mut [u64; WORDS]) -> u64 {
        let name = CString::new(name).unwrap();
        // SAFETY: the library is open.
        let function = unsafe { libc::dlsym(self.library, name.as_ptr()) };
        assert!(!function.is_null(), "{name:?} must be there");
        // SAFETY: all functions of the source have this type, and stay within the memory.
        unsafe {
            let function: extern "C" fn(u64, u64, *mut u64) -> u64 = std::mem::transmute(function);
            function(x, y, memory.as_mut_ptr())
        }
    }
}

fn compare(version: &str, options: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| -> PathBuf { folder.path().join(name) };
    let cpu = format!("-mcpu={version}");
    let mut arguments = vec!["-target", "bpf", cpu.as_str(), "-c"];
    arguments.extend(options);
    compile_c(&arguments, &path("bpf.o"));
    let mut arguments = vec!["-shared", "-fPIC"];
    arguments.extend(options);
    compile_c(&arguments, &path("native.so"));
    let native = Native::open(&path("native.so"));

    let mut random = Random::new(seed());
    let functions = functions(&std::fs::read(path("bpf.o")).unwrap());
    let mut opcodes = std::collections::BTreeSet::new();
    for (name, program) in &functions {
        opcodes.extend(program.iter().map(|insn| insn.code));
        let world = World::default();
        let code = world.compile(program).unwrap_or_else(|error| panic!("{name}: {error:#}"));
        let executable = world.load(&code).unwrap();
        for _ in 0..CALLS {
            let (x, mut y) = (random.value(), random.value());
            if random.chance(20) {
                y = x;
            }
            let before: [u64; WORDS] = std::array::from_fn(|_| random.value());
            let (mut ours, mut theirs) = (before, before);
            // SAFETY: the functions use their memory as they may.
            let result = unsafe { executable.call([x, y, ours.as_mut_ptr() as u64, 0, 0]) };
            let expected = native.call(name, x, y, &mut theirs);
            assert_eq!((result, ours), (expected, theirs), "{version} {name}({x:#x}, {y:#x})");
        }
    }
    println!("{version}: {} functions, {} opcodes", functions.len(), opcodes.len());
}

#[test]
fn v1() {
    compare("v1", &[]);
}

#[test]
fn v2() {
    compare("v2", &[]);
}

#[test]
fn v3() {
    compare("v3", &["-DATOMICS"]);
}

#[test]
fn v4() {
    compare("v4", &["-DATOMICS", "-DSIGNED_DIVISION"]);
}
