// SPDX-License-Identifier: MIT OR Apache-2.0
//! The kernel as the judge of what helpers do: the same programs, run by it and compiled with the
//! agent's helpers, have to leave the same behind. That takes root, or the capabilities for it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![allow(clippy::missing_transmute_annotations, reason = "the types stand beside it")]

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd, RawFd};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use libbpf_rs::{Link, MapCore as _, MapFlags, MapHandle, Object, ObjectBuilder, ProgramInput};
use ufunc_agent::{helpers, memory};
use ufunc_compile::execute::Executable;
use ufunc_compile::{
    Binding, Bindings, Instruction, Options, Program, Reach, Shape, Signature, Target, compile,
};
use ufunc_maps::{Definition, Map, MapKind, registry, update};
use ufunc_shared::helpers::{HELPERS, HelperKind, Line, tail_entry};

/// What programs leave behind.
const RETURNED: usize = 64;
const OUT: usize = RETURNED * 8 + 2048;

/// What is handed in: see the fixture.
#[repr(C)]
struct In {
    text: [u8; 512],
    args: [u64; 12],
    length: u32,
    flags: u32,
}

impl Default for In {
    fn default() -> Self {
        Self { text: [0; 512], args: [0; 12], length: 0, flags: 0 }
    }
}

impl In {
    fn text(text: &[u8]) -> Self {
        let mut input = Self::default();
        input.text[..text.len()].copy_from_slice(text);
        input
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: numbers without padding between them.
        unsafe { std::slice::from_raw_parts((&raw const *self).cast(), size_of::<Self>()) }
    }
}

/// What a program returned, and left behind.
#[derive(PartialEq, Eq)]
struct Outcome {
    returned: u32,
    out: Vec<u8>,
}

impl Outcome {
    fn values(&self) -> Vec<i64> {
        let words = self.out.as_chunks::<8>().0.iter().take(RETURNED);
        words.map(|word| i64::from_ne_bytes(*word)).collect()
    }

    fn text(&self, at: usize) -> String {
        let bytes = &self.out[RETURNED * 8 + at..];
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        String::from_utf8_lossy(&bytes[..end]).into_owned()
    }
}

impl std::fmt::Debug for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut values = self.values();
        values.truncate(values.iter().rposition(|value| *value != 0).map_or(0, |last| last + 1));
        let text = self.out[RETURNED * 8..].escape_ascii().to_string();
        let text = text.trim_end_matches("\\x00");
        writeln!(f, "{} {values:?}\n\"{text}\"", self.returned as i32)
    }
}

/// The fixture, in the kernel and here.
struct World {
    object: Object,
    /// By the kernel's descriptors.
    maps: BTreeMap<RawFd, (String, Map, OwnedFd)>,
    /// For printed lines.
    lines: Map,
    _lines_fd: OwnedFd,
    programs: BTreeMap<String, Executable>,
    _directory: tempfile::TempDir,
}

/// The ring that lines go to. The loader has this as a constant in the code.
static LINES: AtomicU64 = AtomicU64::new(0);

extern "C" fn trace_printk(format: u64, size: u64, one: u64, two: u64, three: u64) -> u64 {
    type Function = extern "C" fn(u64, u64, u64, u64, u64, u64) -> u64;
    // SAFETY: that is what the helper is.
    let function: Function = unsafe { std::mem::transmute(address(6) as *const ()) };
    function(format, size, one, two, three, LINES.load(Ordering::Relaxed))
}

extern "C" fn trace_vprintk(format: u64, size: u64, data: u64, length: u64) -> u64 {
    type Function = extern "C" fn(u64, u64, u64, u64, u64) -> u64;
    // SAFETY: that is what the helper is.
    let function: Function = unsafe { std::mem::transmute(address(177) as *const ()) };
    function(format, size, data, length, LINES.load(Ordering::Relaxed))
}

fn address(id: u32) -> u64 {
    let all = helpers::addresses();
    let (_, address) = HELPERS.iter().zip(all).find(|(helper, _)| helper.id == id).unwrap();
    address
}

/// Only one test at a time uses what the fixture's kernel side shares.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let object = directory.path().join("helpers.bpf.o");
        let source = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/helpers.bpf.c");
        let done = Command::new("clang")
            .args(["-O2", "-g", "-Wall", "-Werror", "-target", "bpf", "-c", "-o"])
            .args([&object, &source])
            .status()
            .expect("clang is needed to compile the fixture");
        assert!(done.success());
        let open = ObjectBuilder::default().open_file(&object).unwrap();
        let object = open.load().expect("the kernel loads the fixture: run the tests as root");
        let mut maps = BTreeMap::new();
        for map in object.maps() {
            let handle = MapHandle::try_from(&map).unwrap();
            let info = handle.info().unwrap().info;
            let kind = MapKind::of(info.type_).unwrap();
            let mut definition =
                Definition::new(kind, info.key_size, info.value_size, info.max_entries);
            definition.name = map.name().to_string_lossy().into_owned();
            definition.flags = info.map_flags;
            definition.extra = info.map_extra;
            let (ours, fd) = Map::create(&definition).unwrap();
            if definition.name.contains(".rodata") {
                let value = map.lookup(&[0; 4], MapFlags::ANY).unwrap().unwrap();
                ours.write(&[0; 4], &value, update::ANY).unwrap();
                Map::freeze(fd.as_fd()).unwrap();
            }
            maps.insert(map.as_fd().as_raw_fd(), (definition.name, ours, fd));
        }
        let (lines, lines_fd) =
            Map::create(&Definition::new(MapKind::RingBuffer, 0, 0, 1 << 16)).unwrap();
        LINES.store(lines.handle(), Ordering::Relaxed);
        memory::install().unwrap();
        let mut world = Self {
            object,
            maps,
            lines,
            _lines_fd: lines_fd,
            programs: BTreeMap::new(),
            _directory: directory,
        };
        world.compile();
        world
    }

    fn compile(&mut self) {
        let addresses: BTreeMap<u32, u64> =
            HELPERS.iter().map(|helper| helper.id).zip(helpers::addresses()).collect();
        for program in self.object.progs() {
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
            let parsed = Program::parse(&instructions, &Shape::default()).unwrap();
            let mut bindings = Bindings::new();
            let mut places = BTreeMap::new();
            for target in parsed.targets() {
                let (binding, place) = self.bind(target, &addresses);
                bindings.insert(target, binding);
                places.insert(target, place);
            }
            let code = compile(&parsed, &bindings, &Options::default()).unwrap();
            let executable = Executable::new(&code, |target| places.get(&target).copied()).unwrap();
            let range = executable.addresses();
            let loads: Vec<(u32, u8, u8)> = code
                .faulting_loads
                .iter()
                .map(|load| (load.offset, load.length, load.register))
                .collect();
            memory::guard(range.start as u64, range.len() as u64, &loads).unwrap();
            let name = program.name().to_string_lossy().into_owned();
            self.programs.insert(name, executable);
        }
    }

    fn bind(&self, target: Target, addresses: &BTreeMap<u32, u64>) -> (Binding, u64) {
        let reach = Reach::Far;
        match target {
            Target::Helper(id) => {
                let helper = HELPERS.iter().find(|helper| helper.id == id);
                let helper = helper.unwrap_or_else(|| panic!("there is no helper {id}"));
                let signature = Signature::words(helper.parameters.into());
                let place = match (helper.kind, id) {
                    (HelperKind::Printing, 6) => trace_printk as *const () as u64,
                    (HelperKind::Printing, _) => trace_vprintk as *const () as u64,
                    _ => addresses[&id],
                };
                match helper.kind {
                    HelperKind::TailCall => (Binding::TailCall { reach }, place),
                    _ => (Binding::Function { signature, reach }, place),
                }
            }
            Target::Map(ufunc_compile::Map::Descriptor(fd)) => {
                (Binding::Data { reach }, self.maps[&fd].1.handle())
            }
            Target::MapValue(ufunc_compile::Map::Descriptor(fd)) => {
                (Binding::Data { reach }, self.maps[&fd].1.value().unwrap())
            }
            other => panic!("the fixture refers to {other}"),
        }
    }

    fn ours(&self, name: &str) -> &Map {
        let found = self.maps.values().find(|(map, ..)| map == name);
        &found.unwrap_or_else(|| panic!("there is no map {name}")).1
    }

    fn kernel(&self, name: &str) -> libbpf_rs::Map<'_> {
        self.object.maps().find(|map| map.name().to_string_lossy() == name).unwrap()
    }

    fn program(&self, name: &str) -> libbpf_rs::ProgramMut<'_> {
        self.object.progs_mut().find(|program| program.name() == name).unwrap()
    }

    /// Runs a program in the kernel, with what is handed in.
    fn in_kernel(&self, name: &str, input: &In, context: [u64; 4]) -> Outcome {
        self.kernel(".data.out").update(&[0; 4], &[0; OUT], MapFlags::ANY).unwrap();
        self.kernel(".data.in").update(&[0; 4], input.bytes(), MapFlags::ANY).unwrap();
        let program = self.program(name);
        let mut bytes: Vec<u8> = context.iter().flat_map(|word| word.to_ne_bytes()).collect();
        let run = ProgramInput { context_in: Some(&mut bytes), ..ProgramInput::default() };
        let returned = program.test_run(run).unwrap().return_value;
        let out = self.kernel(".data.out").lookup(&[0; 4], MapFlags::ANY).unwrap().unwrap();
        Outcome { returned, out }
    }

    /// Runs a program here.
    fn here(&self, name: &str, input: &In, mut context: [u64; 4]) -> Outcome {
        self.ours(".data.out").write(&[0; 4], &[0; OUT], update::ANY).unwrap();
        self.ours(".data.in").write(&[0; 4], input.bytes(), update::ANY).unwrap();
        let arguments = [context.as_mut_ptr() as u64, 0, 0, 0, 0];
        // SAFETY: the verifier has accepted the program, and everything is bound.
        let returned = unsafe { self.programs[name].call(arguments) } as u32;
        Outcome { returned, out: self.ours(".data.out").read(&[0; 4]).unwrap() }
    }

    /// Runs a program both ways.
    fn same(&self, name: &str, input: &In, context: [u64; 4]) -> Outcome {
        let theirs = self.in_kernel(name, input, context);
        let ours = self.here(name, input, context);
        assert!(
            ours == theirs,
            "{name} with {context:x?}, {:?}\nours: {ours:?}\nkernel: {theirs:?}",
            input.text.escape_ascii().to_string().trim_end_matches("\\x00")
        );
        ours
    }
}

/// A page that can be read, and one behind it that cannot.
struct Edge(*mut u8);

const PAGE: usize = 4096;

impl Edge {
    fn new() -> Self {
        // SAFETY: new memory, of the kernel's choice.
        let base = unsafe {
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
            let base = libc::mmap(std::ptr::null_mut(), 2 * PAGE, libc::PROT_NONE, flags, -1, 0);
            assert_ne!(base, libc::MAP_FAILED);
            libc::mprotect(base, PAGE, libc::PROT_READ | libc::PROT_WRITE);
            base
        };
        Self(base.cast())
    }

    /// Puts bytes just before the end of what can be read.
    fn put(&self, bytes: &[u8]) -> u64 {
        // SAFETY: within the page.
        unsafe {
            let at = self.0.add(PAGE - bytes.len());
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), at, bytes.len());
            at as u64
        }
    }
}

#[test]
fn memory_that_is_there_or_not() {
    let _one = ONE_AT_A_TIME.lock();
    let world = World::new();
    let edge = Edge::new();
    let mut bytes: Vec<u8> = (0..300u32).map(|n| (n % 255 + 1) as u8).collect();
    for length in [300, 250, 199, 128, 101, 100, 64, 30, 24, 23, 16, 9, 8, 7, 4, 3, 1, 0] {
        bytes.truncate(length);
        world.same("probes", &In::default(), [edge.put(&bytes), 0, 0, 0]);
        // A string that ends before.
        for end in [0, 1, 5, 6, 7, 8, 9, 28, 63] {
            let mut string = bytes.clone();
            if let Some(byte) = string.get_mut(end) {
                *byte = 0;
                world.same("probes", &In::default(), [edge.put(&string), 0, 0, 0]);
            }
        }
    }
    for bad in [0, 0x10, 0x8000_0000_0000_0000, 0x0000_8000_0000_0000, u64::MAX - 40] {
        let outcome = world.here("probes", &In::default(), [bad, 0, 0, 0]);
        let values = outcome.values();
        assert!(values[..5].iter().all(|value| *value == -14), "{outcome:?}");
    }
    for length in [64, 20, 5, 2] {
        world.same("copies", &In::default(), [edge.put(&[b'x'; 64][..length]), 0, 0, 0]);
    }
}

#[test]
fn formats_and_texts() {
    let _one = ONE_AT_A_TIME.lock();
    let world = World::new();
    let numbers =
        [0, 1, 7, 42, 65, 97, 0x7fff_ffff, 0x8000_0000, u64::MAX, 1 << 63, 0x1234_5678_9abc_def0];
    for a in numbers {
        for b in [65, 0x8000_0000, u64::MAX - 5] {
            let mut input = In::text(b"text");
            input.args[..2].copy_from_slice(&[a, b]);
            let outcome = world.same("formats", &input, [0; 4]);
            if a == 42 && b == 65 {
                assert_eq!(outcome.text(0), "42 65");
                assert_eq!(outcome.text(64 * 4), "   42|42   |00042|+42");
            }
        }
    }
    let long = "long ".repeat(60);
    for text in ["", "a", "some words", &long] {
        let mut input = In::text(text.as_bytes());
        input.args[..2].copy_from_slice(&[66, 3]);
        world.same("formats", &input, [0; 4]);
    }
    for text in [
        "0",
        "12",
        "-12",
        " 77x",
        "\t\n 5",
        "0x1f",
        "0X1Fg",
        "0x",
        "017",
        "08",
        "-",
        "",
        "  ",
        "abc",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775808",
        "-9223372036854775809",
        "18446744073709551615",
        "18446744073709551616",
        "99999999999999999999999999",
        "hello",
        "hellooo",
        "help",
        "7fffffff",
        "-0x10",
        "+5",
        "000000000000000000000000000000000000000000000000000000000000000000012",
    ] {
        for length in [1, 2, 3, text.len() as u32, 64, 100] {
            for flags in [0, 8, 10, 16, 2, 32, 64] {
                let input = In { length, flags, ..In::text(text.as_bytes()) };
                world.same("texts", &input, [0; 4]);
            }
        }
    }
}

#[test]
fn loops_and_walks() {
    let _one = ONE_AT_A_TIME.lock();
    for stop in [0, 1, 50, 1_000_000] {
        for count in [0, 3, (1 << 23), (1 << 23) + 1, u64::MAX] {
            let world = World::shared();
            world.same("loops", &In::default(), [stop, count, stop % 2, 0]);
        }
    }
    for stop in [0, 1] {
        let world = World::new();
        world.same("walks", &In::default(), [stop, 0, 0, 0]);
        world.same("walks", &In::default(), [stop, 0, 0, 0]);
    }
}

impl World {
    /// One that keeps nothing from one run to the next.
    fn shared() -> &'static Self {
        use std::sync::OnceLock;
        struct Shared(World);
        // SAFETY: it is used under the lock of tests.
        unsafe impl Sync for Shared {}
        // SAFETY: as above.
        unsafe impl Send for Shared {}
        static WORLD: OnceLock<Shared> = OnceLock::new();
        &WORLD.get_or_init(|| Shared(World::new())).0
    }
}

#[test]
fn maps_queues_rings_and_dynptrs() {
    let _one = ONE_AT_A_TIME.lock();
    pinned();
    let world = World::new();
    let mut value = 1;
    for _ in 0..3 {
        for flags in [0, 1, 2, 3, 4, 8, 1 << 33] {
            for key in [0, 1, 2, 3, 4, 5, 77, 78, 79] {
                value += 1;
                world.same("maps", &In::default(), [value, flags, key, 0]);
            }
            for take in [0, 0, 1, 0, 1, 1, 1u64] {
                value += 1;
                world.same("queues", &In::default(), [value, flags, take, 0]);
            }
        }
    }
    for flags in [0, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] {
        world.same("rings", &In::text(b"some text that goes into the ring"), [flags, 0, 0, 0]);
    }
    for offset in [0, 1, 100, 480, 490, 500, 511, 512, 513, u64::from(u32::MAX)] {
        for length in [0, 1, 12, 31] {
            for flags in [0, 1] {
                let input = In::text(b"abcdefghijklmnopqrstuvwxyz0123456789");
                world.same("dynptrs", &input, [offset, length, flags, 0]);
            }
        }
    }
    world.same("events_out", &In::default(), [0; 4]);
    world.same("who", &In::default(), [0; 4]);
}

/// Stays on one processor.
fn pinned() {
    // SAFETY: a set of processors, for this thread.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(libc::sched_getcpu() as usize, &mut set);
        assert_eq!(libc::sched_setaffinity(0, size_of_val(&set), &raw const set), 0);
    }
}

#[test]
fn clocks_agree_and_numbers_are_random() {
    let _one = ONE_AT_A_TIME.lock();
    let world = World::new();
    let mut drawn = BTreeSet::<i64>::new();
    for _ in 0..50 {
        let before = world.in_kernel("clocks", &In::default(), [0; 4]).values();
        let here = world.here("clocks", &In::default(), [0; 4]).values();
        let after = world.in_kernel("clocks", &In::default(), [0; 4]).values();
        let all = before.iter().zip(&here).zip(&after).take(4);
        for (clock, ((before, here), after)) in all.enumerate() {
            assert!(before <= here && here <= after, "clock {clock}: {before} {here} {after}");
        }
        drawn.extend(&here[4..6]);
    }
    assert!(drawn.len() == 100 && drawn.iter().all(|number| *number >> 32 == 0));
}

#[test]
fn printed_lines() {
    let _one = ONE_AT_A_TIME.lock();
    let world = World::new();
    for text in ["a text", ""] {
        let mut input = In::text(text.as_bytes());
        let place = std::ffi::CString::new(text).unwrap();
        input.args[..3].copy_from_slice(&[7, place.as_ptr() as u64, 0xabc]);
        // The kernel takes the string for one of its own; ours is the application's.
        let kernel = world.in_kernel("prints", &input, [0; 4]).values();
        let ours = world.here("prints", &input, [0; 4]).values();
        assert_eq!(ours[..3], kernel[..3], "{text}");
        assert_eq!(ours[4..6], kernel[4..6], "{text}");
        let first = format!("7 {text} {:x}", place.as_ptr().addr());
        assert_eq!(ours[0], first.len() as i64);
        let mut lines = Vec::new();
        world.lines.consume(|_, record| {
            let (line, text) = Line::parse(record).unwrap();
            assert_eq!(line.process, std::process::id());
            // SAFETY: only asks.
            assert_eq!(line.thread as i32, unsafe { libc::gettid() });
            let comm = std::fs::read_to_string("/proc/thread-self/comm").unwrap();
            assert!(line.comm.starts_with(comm.trim_end().as_bytes()));
            assert!(line.time > 0);
            lines.push(String::from_utf8(text.to_vec()).unwrap());
        });
        assert_eq!(lines, [first, format!("7 {text} abc")]);
    }
}

#[test]
fn tail_calls_end_after_33() {
    let _one = ONE_AT_A_TIME.lock();
    let world = World::new();
    let program = world.program("tails");
    let fd = program.as_fd().as_raw_fd().to_ne_bytes();
    world.kernel("programs").update(&1u32.to_ne_bytes(), &fd, MapFlags::ANY).unwrap();
    let number = registry::number();
    let executable = &world.programs["tails"];
    registry::put(number, executable.addresses().start as u64);
    world.ours("programs").set_program(1, Some(number)).unwrap();
    let entry = tail_entry(executable.addresses().start as u64, helpers::tail_word());
    // SAFETY: new memory, of the kernel's choice, made executable once the code is in it.
    let entry: extern "C" fn(*mut u64) -> u64 = unsafe {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        let writable = libc::PROT_READ | libc::PROT_WRITE;
        let page = libc::mmap(std::ptr::null_mut(), PAGE, writable, flags, -1, 0);
        std::ptr::copy_nonoverlapping(entry.as_ptr(), page.cast(), entry.len());
        assert_eq!(libc::mprotect(page, PAGE, libc::PROT_READ | libc::PROT_EXEC), 0);
        std::mem::transmute(page)
    };
    for index in [1u64, 0, 4, 1, u64::from(u32::MAX), 1] {
        let mut context = [index, 0, 0, 0];
        let theirs = world.in_kernel("tails", &In::default(), context);
        world.ours(".data.out").write(&[0; 4], &[0; OUT], update::ANY).unwrap();
        let returned = entry(context.as_mut_ptr()) as u32;
        let ours = Outcome { returned, out: world.ours(".data.out").read(&[0; 4]).unwrap() };
        assert_eq!(ours, theirs, "index {index}");
        assert_eq!(returned, if index == 1 { 34 } else { 1 });
    }
    registry::put(number, 0);
}

/// Where a probed function goes on.
type Then<'a> = &'a mut dyn FnMut();

#[inline(never)]
extern "C" fn probed(then: *mut Then<'_>) {
    // SAFETY: it is what the caller has on its stack.
    unsafe { (*then)() };
    std::hint::black_box(then);
}

#[inline(never)]
fn deeper(depth: u32, then: *mut Then<'_>) {
    if depth == 0 {
        probed(then);
    } else {
        deeper(depth - 1, then);
    }
    std::hint::black_box(depth);
}

#[test]
fn stacks_are_unwound_as_the_kernel_does() {
    let _one = ONE_AT_A_TIME.lock();
    let world = World::new();
    let place = probed as *const () as usize;
    // SAFETY: it is a function.
    let original = unsafe { std::slice::from_raw_parts(place as *const u8, 8) }.to_vec();
    helpers::remember_entry(place as u64, &original);
    let _link = attach(&world, place);
    for depth in [0, 1, 5, 40] {
        let mut outcomes = None;
        let mut compare = || {
            let out = world.kernel(".data.out").lookup(&[0; 4], MapFlags::ANY).unwrap().unwrap();
            let theirs = Outcome { returned: 0, out };
            let values = theirs.values();
            let mut context = [0u64; 21];
            (context[16], context[19], context[4]) =
                (values[0] as u64, values[1] as u64, values[2] as u64);
            world.ours(".data.out").write(&[0; 4], &[0; OUT], update::ANY).unwrap();
            let arguments = [context.as_mut_ptr() as u64, 0, 0, 0, 0];
            // SAFETY: the verifier has accepted the program, and everything is bound.
            unsafe { world.programs["stacks"].call(arguments) };
            let ours = world.ours(".data.out").read(&[0; 4]).unwrap();
            outcomes = Some((theirs, Outcome { returned: 0, out: ours }));
        };
        let mut then: Then<'_> = &mut compare;
        world.kernel(".data.out").update(&[0; 4], &[0; OUT], MapFlags::ANY).unwrap();
        deeper(depth, &raw mut then);
        let (theirs, ours) = outcomes.expect("the function was called");
        let (kernel, here) = (theirs.values(), ours.values());
        assert_eq!(kernel[0] as usize, place, "the kernel's probe was hit");
        assert_eq!(here[..9], kernel[..9]);
        assert_eq!(ours.out[RETURNED * 8..], theirs.out[RETURNED * 8..]);
        assert!(here[3] >= 8 && here[9] >= 0 && here[9] == here[10], "{here:?}");
        assert_eq!((here[11], kernel[9] == kernel[10]), (kernel[11], true));
        let number = (kernel[9] as u32).to_ne_bytes();
        let stack = world.kernel("traces").lookup(&number, MapFlags::ANY).unwrap().unwrap();
        let frames: Vec<u64> = stack
            .as_chunks::<8>()
            .0
            .iter()
            .map(|frame| u64::from_ne_bytes(*frame))
            .take_while(|frame| *frame != 0)
            .collect();
        let here = world.ours("traces").stack(here[9] as u32).unwrap();
        assert_eq!(here[..frames.len()], frames);
    }
}

fn attach(world: &World, place: usize) -> Link {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let offset = maps.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        let (start, end) = words.next()?.split_once('-')?;
        let [start, end] = [start, end].map(|text| usize::from_str_radix(text, 16).unwrap());
        let offset = usize::from_str_radix(words.nth(1)?, 16).unwrap();
        (start..end).contains(&place).then(|| place - start + offset)
    });
    let path = std::env::current_exe().unwrap();
    world
        .program("stacks")
        .attach_uprobe(false, std::process::id() as i32, path, offset.unwrap())
        .expect("the kernel takes a uprobe on this test")
}
