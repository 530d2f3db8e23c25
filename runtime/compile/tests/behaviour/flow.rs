// SPDX-License-Identifier: MIT OR Apache-2.0
//! The way that a program really comes: clang compiles it, libbpf relocates and loads it, the
//! verifier accepts it, and the instructions that libbpf then has are compiled.

use std::os::fd::{AsFd as _, AsRawFd as _};
use std::path::Path;
use std::process::Command;

use libbpf_rs::{MapCore as _, MapFlags, Object, ObjectBuilder, ProgramInput};
use ufunc_compile::{Instruction, Map, Target};

use crate::common::World;
use crate::random::{Random, seed};

fn compile_c(cpu: &str, output: &Path) {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/flow.bpf.c");
    // Debian has the kernel's <asm/types.h> in a folder that clang does not look into for BPF.
    let headers = format!("/usr/include/{}-linux-gnu", std::env::consts::ARCH);
    let done = Command::new("clang-19")
        .args(["-target", "bpf", "-g", "-O2", "-Wall", "-Werror", "-idirafter", &headers, "-c"])
        .args([&format!("-mcpu={cpu}"), source, "-o"])
        .arg(output)
        .output()
        .expect("clang-19 must be installed: it compiles for all versions of the instruction set");
    let errors = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "failed to compile (it needs libbpf's headers): {errors}");
}

/// A map of ours.
struct Array {
    values: Vec<u64>,
    /// Of the kernel's map.
    fd: i32,
    entries: u32,
    value_size: usize,
}

extern "C" fn lookup(map: &mut Array, key: &u32) -> *mut u64 {
    map.values.get_mut(*key as usize).map_or(std::ptr::null_mut(), |value| &raw mut *value)
}

extern "C" fn bpf_loop(
    rounds: u32,
    callback: extern "C" fn(u64, u64) -> u64,
    context: u64,
    _flags: u64,
) -> u64 {
    let end = (0..rounds).find(|round| callback(u64::from(*round), context) != 0);
    end.map_or(rounds, |round| round + 1).into()
}

type Each = extern "C" fn(*mut Array, *const u32, *mut u64, u64) -> u64;

extern "C" fn for_each(map: &mut Array, callback: Each, context: u64, _flags: u64) -> u64 {
    let map = &raw mut *map;
    for key in 0..8u32 {
        // SAFETY: the map is there for as long as the program runs, and nobody else uses it.
        let value = &raw mut unsafe { &mut *map }.values[key as usize];
        if callback(map, &key, value, context) != 0 {
            return u64::from(key) + 1;
        }
    }
    8
}

/// Each of the object's maps, with what is in it.
fn arrays(object: &Object) -> Vec<Array> {
    object
        .maps()
        .map(|map| {
            let (entries, value_size) = (map.max_entries(), map.value_size() as usize);
            let mut array =
                Array { values: Vec::new(), fd: map.as_fd().as_raw_fd(), entries, value_size };
            array.values = contents(object, &array);
            array
        })
        .collect()
}

/// What is in the kernel's map, as words.
fn contents(object: &Object, array: &Array) -> Vec<u64> {
    let map = object.maps().find(|map| map.as_fd().as_raw_fd() == array.fd).unwrap();
    let mut bytes = Vec::new();
    for key in 0..array.entries {
        bytes.extend(map.lookup(&key.to_le_bytes(), MapFlags::ANY).unwrap().unwrap());
    }
    assert_eq!(bytes.len(), array.entries as usize * array.value_size);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    let (words, _) = bytes.as_chunks::<8>();
    words.iter().map(|word| u64::from_le_bytes(*word)).collect()
}

fn flow(cpu: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flow.bpf.o");
    compile_c(cpu, &path);
    let object = ObjectBuilder::default()
        .open_file(&path)
        .unwrap()
        .load()
        .expect("the program must load: run the tests as root, on a kernel with BPF");
    let program = object.progs_mut().next().unwrap();
    let instructions: Vec<Instruction> = program
        .insns()
        .iter()
        .map(|insn| Instruction {
            code: insn.code,
            dst: insn.dst_reg(),
            src: insn.src_reg(),
            off: insn.off,
            imm: insn.imm,
        })
        .collect();

    let mut arrays = arrays(&object);
    let mut world = World::default()
        .helper(1, 2, lookup as *const () as usize)
        .helper(164, 4, for_each as *const () as usize)
        .helper(181, 4, bpf_loop as *const () as usize);
    for array in &mut arrays {
        let (map, value) = (&raw const *array as u64, array.values.as_ptr() as u64);
        world = world
            .data(Target::Map(Map::Descriptor(array.fd)), map)
            .data(Target::MapValue(Map::Descriptor(array.fd)), value);
    }
    let code = world.compile(&instructions).unwrap();
    let executable = world.load(&code).unwrap();
    let mut random = Random::new(seed());
    for run in 0..100 {
        let mut theirs: Vec<u8> = (0..3).flat_map(|_| random.value().to_le_bytes()).collect();
        theirs.resize(64, 0);
        let (words, _) = theirs.as_chunks::<8>();
        let mut ours: Vec<u64> = words.iter().map(|word| u64::from_le_bytes(*word)).collect();
        let input = ProgramInput { context_in: Some(&mut theirs), ..ProgramInput::default() };
        let expected = program.test_run(input).unwrap().return_value;
        // SAFETY: the verifier accepted the program for such a context and such maps.
        let result = unsafe { executable.call([ours.as_mut_ptr() as u64, 0, 0, 0, 0]) };
        let ours: Vec<u8> = ours.iter().flat_map(|word| word.to_le_bytes()).collect();
        assert_eq!((result as u32, ours), (expected, theirs), "{cpu}, run {run}");
        for array in &arrays {
            assert_eq!(array.values, contents(&object, array), "{cpu}, run {run}");
        }
    }
}

#[test]
fn v1() {
    flow("v1");
}

#[test]
fn v2() {
    flow("v2");
}

#[test]
fn v3() {
    flow("v3");
}

#[test]
fn v4() {
    flow("v4");
}
