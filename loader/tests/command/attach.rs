// SPDX-License-Identifier: MIT OR Apache-2.0
//! `loader attach` on the running kernel: every kind of program that it allows. These need root.
//!
//! What a kernel without kprobes cannot do is tested in the virtual machine (`tests/vm/attach.rs`).

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use crate::attached::{Attached, Host, attach, detach, links_on, list, of_type, printed, variable};
use crate::common::{LOADER, Run, Workspace};

#[test]
fn programs_on_probes_print_what_they_see() {
    let host = Host::new();
    let object = host.object("attach");
    let cases: [(&str, &[&str], &str); 6] = [
        ("fields", &[], "1 + 3 = 4"),
        ("returned", &[], "returned 4"),
        ("bare", &["--func", "add_more"], "argument 41, cookie 0"),
        ("bare", &["--func", "add_more", "--cookie", "0x77"], "argument 41, cookie 119"),
        ("sleepable", &["--func", "add_more"], "sleepable 41"),
        ("bare", &["--func", "malloc"], "argument 32, cookie 0"),
    ];
    for (program, arguments, expected) in cases {
        let arguments = [&["--program", program], arguments].concat();
        let attached = Attached::start(&host, &object, &arguments);
        host.run(2);
        let lines = attached.interrupt();
        assert_eq!(printed(&lines), [expected, expected], "{program} {lines:?}");
        for line in of_type(&lines, "printk") {
            assert_eq!(line["program"], program, "{line}");
            assert_eq!(line["comm"], "attach_host", "{line}");
        }
        assert_eq!(lines.last().unwrap()["type"], "end");
    }
}

/// Address and line of `symbol`, as binutils say them.
fn address_and_line(file: &Path, symbol: &str) -> (String, String) {
    let output = Command::new("nm").arg(file).output().unwrap();
    let names = String::from_utf8(output.stdout).unwrap();
    let line = names.lines().find(|line| line.ends_with(&format!(" {symbol}"))).unwrap();
    let address = u64::from_str_radix(line.split(' ').next().unwrap(), 16).unwrap();
    let address = format!("{address:#x}");
    let mut command = Command::new("addr2line");
    let output = command.arg("-e").arg(file).arg(&address).output().unwrap();
    let line = String::from_utf8(output.stdout).unwrap();
    (address, line.trim().rsplit_once(':').unwrap().1.to_owned())
}

#[test]
fn what_is_attached_where_is_said() {
    let host = Host::new();
    let attached = Attached::start(&host, &host.object("attach"), &["--program", "fields"]);
    let links = links_on(&host.path);
    let lines = attached.interrupt();
    let (address, line) = address_and_line(&host.path, "add_test");
    let said = &lines[0];
    let place = &said["places"][0];
    assert_eq!(said["kind"], "uprobe", "{said}");
    assert_eq!(said["links"], json!(links), "{said}");
    assert_eq!(place["symbol"], "add_test", "{said}");
    assert_eq!(place["address"], address.as_str(), "{said}");
    let source = place["source"].as_str().unwrap();
    assert!(source.ends_with(&format!("attach_host.c:{line}")), "{said} {line}");
    assert_eq!(links_on(&host.path), [] as [u64; 0]);
}

#[test]
fn several_functions_are_probed_at_once() {
    let host = Host::new();
    let object = host.object("attach");
    let attached = Attached::start(&host, &object, &["--program", "several", "--cookie", "9"]);
    host.run(1);
    let lines = attached.interrupt();
    assert_eq!(printed(&lines), ["several, cookie 9", "several, cookie 9"]);
    let symbols: Vec<_> =
        lines[0]["places"].as_array().unwrap().iter().map(|place| &place["symbol"]).collect();
    assert_eq!(symbols, ["add_test", "add_more"]);
    // At the entry, and at the return.
    let attached = Attached::start(&host, &object, &["--program", "session", "--dump", ".bss"]);
    host.run(3);
    assert_eq!(variable(&attached.interrupt(), "counter"), 6);
}

#[test]
fn only_one_process_if_it_is_said() {
    let host = Host::new();
    let mut watched = host.start();
    let pid = watched.id().to_string();
    let arguments = ["--program", "bare", "--func", "add_more", "--pid", &pid];
    let attached = Attached::start(&host, &host.object("attach"), &arguments);
    host.run(5);
    std::thread::sleep(Duration::from_millis(300));
    watched.kill().unwrap();
    watched.wait().unwrap();
    // It ends with the process.
    let lines = attached.finish();
    let printed = of_type(&lines, "printk");
    assert!(!printed.is_empty(), "{lines:?}");
    assert!(printed.iter().all(|line| line["pid"] == watched.id()), "{lines:?}");
    let gone = attach(&host, &host.object("attach"), &arguments);
    assert_eq!(gone.status, Some(2), "{gone:?}");
    assert!(gone.stderr.contains(&format!("there is no process {pid}")), "{gone:?}");
}

#[test]
fn offsets_have_to_be_instructions() {
    let host = Host::new();
    let object = host.object("attach");
    let attach_at = |place: &str| attach(&host, &object, &["--program", "bare", "--func", place]);
    // Some instruction of several bytes is among the first ones.
    let refused: Vec<Run> = (1..8)
        .map(|offset| {
            let place = format!("main+{offset}");
            attach(&host, &object, &["--program", "bare", "--func", &place, "--duration", "0"])
        })
        .filter(|run| run.status != Some(0))
        .collect();
    assert!(!refused.is_empty());
    for run in &refused {
        assert!(run.stderr.contains("no instruction starts there; the nearest"), "{run:?}");
    }
    assert!(refused.len() < 7, "no offset was taken: {refused:?}");
    let beyond = attach_at("add_test+100000");
    assert!(beyond.stderr.contains("bytes only"), "{beyond:?}");
    let arguments = ["--program", "returned", "--func", "main+1"];
    let returns = attach(&host, &object, &arguments);
    assert_eq!(returns.status, Some(2), "{returns:?}");
}

#[test]
fn functions_that_are_not_there_are_explained() {
    let host = Host::new();
    let object = host.object("attach");
    let cases: [(&[&str], &str); 8] = [
        (&["--program", "bare"], "give --func; "),
        (&["--program", "bare"], "main"),
        (&["--program", "bare", "--func", "add_tes"], "there are add_test"),
        (&["--program", "bare", "--func", "open@plt"], "no slot in its PLT"),
        (&["--program", "packets"], "not attached by loader attach"),
        (&["--program", "nobody"], "has no program nobody; it has fields,"),
        (&["--program", "fields", "--dump", "nothing"], "it has events, perf_events, seen"),
        (&["--program", "fields", "--events", "seen"], "see the contents of others with --dump"),
    ];
    for (arguments, expected) in cases {
        let run = attach(&host, &object, arguments);
        assert_eq!(run.status, Some(2), "{run:?}");
        assert!(run.stderr.contains(expected), "{expected:?} is not in {run:?}");
        assert_eq!(run.stdout, "", "{run:?}");
    }
    let other = Command::new(LOADER)
        .arg("attach")
        .arg(&object)
        .args(["--program", "fields", "--app", LOADER])
        .output()
        .unwrap();
    let other = Run::from(other);
    assert!(other.stderr.contains("it is meant for ./attach_host"), "{other:?}");
}

#[test]
fn mangled_names_are_given_as_in_the_source() {
    let host = Host::new();
    let object = host.object("attach");
    let source = format!("{}/tests/data/attach_names.cc", env!("CARGO_MANIFEST_DIR"));
    let app = host.work.path("attach_names");
    let built = Command::new("g++").args(["-g", "-O2", "-o"]).arg(&app).arg(source).status();
    assert!(built.unwrap().success());
    let named = Host { work: Workspace::new(), path: app };
    fn place(name: &str) -> [&str; 4] {
        ["--program", "bare", "--func", name]
    }
    for (name, argument) in [("shop::price(int)", 2), ("shop::price(int, int)", 2)] {
        let attached = Attached::start(&named, &object, &place(name));
        assert!(Command::new(&named.path).status().unwrap().success());
        let lines = attached.interrupt();
        assert_eq!(lines[0]["places"][0]["symbol"], name);
        assert_eq!(printed(&lines), [format!("argument {argument}, cookie 0")]);
    }
    let ambiguous = attach(&named, &object, &place("shop::price"));
    let both = ["shop::price(int) at 0x", "shop::price(int, int) at 0x"];
    assert!(both.iter().all(|name| ambiguous.stderr.contains(name)), "{ambiguous:?}");
    let lines = Attached::start(&named, &object, &place("shop::Cart::add")).interrupt();
    assert_eq!(lines[0]["places"][0]["symbol"], "shop::Cart::add(int)");
    // This test itself is written in Rust.
    let own = Host { work: Workspace::new(), path: std::env::current_exe().unwrap() };
    let symbol = "command::attach::mangled_names_are_given_as_in_the_source";
    let lines = Attached::start(&own, &object, &place(symbol)).interrupt();
    assert_eq!(lines[0]["places"][0]["symbol"], symbol);
}

#[test]
fn events_are_decoded() {
    let host = Host::new();
    let object = host.object("attach");
    let arguments = "--program events_of --func add_test --cookie 5 --events events \
                     --events perf_events --dump seen --dump runs";
    let arguments: Vec<&str> = arguments.split_whitespace().collect();
    let attached = Attached::start(&host, &object, &arguments);
    host.run(2);
    let lines = attached.interrupt();
    let value = json!({
        "sum": -4, "mood": "EXCITED", "comm": "attach_host", "cookie": 5, "parts": [7, 8]
    });
    let events = of_type(&lines, "event");
    for map in ["events", "perf_events"] {
        let values: Vec<_> = events.iter().filter(|event| event["map"] == map).collect();
        assert_eq!(values.len(), 2, "{lines:?}");
        assert!(values.iter().all(|event| event["value"] == value), "{lines:?}");
    }
    let maps = of_type(&lines, "map");
    assert_eq!(maps[0]["entries"], json!([{ "key": 1, "value": value }]));
    let per_cpu = maps[1]["entries"][0]["values"].as_array().unwrap();
    assert!(
        per_cpu.len()
            >= fs::read_to_string("/proc/cpuinfo").unwrap().matches("processor\t").count()
    );
    let text = [&arguments[..], &["--duration", "0"]].concat();
    let people = attach(&host, &object, &text);
    assert!(people.stdout.contains("seen: 0 entries"), "{people:?}");
    let unknown = [&arguments[..], &["--event-type", "struct nothing"]].concat();
    let unknown = attach(&host, &object, &unknown);
    assert!(unknown.stderr.contains("has no struct nothing (it has"), "{unknown:?}");
}

#[test]
fn programs_on_hooks_of_the_kernel_run() {
    let host = Host::new();
    let object = host.object("attach");
    let cases: [(&str, &[&str]); 5] = [
        ("tracepoint", &[]),
        ("raw", &[]),
        ("raw_bare", &["--func", "sys_exit"]),
        ("raw_writable", &[]),
        ("typed", &[]),
    ];
    for (program, arguments) in cases {
        let arguments = [&["--program", program, "--dump", ".bss"], arguments].concat();
        let attached = Attached::start(&host, &object, &arguments);
        host.run(3);
        let lines = attached.interrupt();
        assert!(variable(&lines, "counter") >= 3, "{program}: {lines:?}");
    }
    let busy = Command::new("sh").args(["-c", "while :; do :; done"]).spawn();
    let mut busy = busy.unwrap();
    let arguments = ["--program", "sampled", "--dump", "runs", "--frequency", "500"];
    let attached = Attached::start(&host, &object, &arguments);
    std::thread::sleep(Duration::from_millis(500));
    let lines = attached.interrupt();
    busy.kill().unwrap();
    busy.wait().unwrap();
    let runs = of_type(&lines, "map")[0]["entries"][0]["values"].as_array().unwrap().clone();
    assert!(runs.iter().map(|run| run.as_i64().unwrap()).sum::<i64>() > 10, "{lines:?}");
}

#[test]
fn a_tracepoint_that_is_not_there_is_named() {
    let host = Host::new();
    let source = "#include <linux/bpf.h>\n#include <bpf/bpf_helpers.h>\n\
                  SEC(\"tracepoint/syscalls/sys_enter_nothing\") int p(void *c) { return 0; }\n\
                  char LICENSE[] SEC(\"license\") = \"GPL\";\n";
    let object = host.work.compile_text("nothing", source);
    let run = attach(&host, &object, &[]);
    assert_eq!(run.status, Some(2), "{run:?}");
    assert!(run.stderr.contains("no tracepoint syscalls/sys_enter_nothing"), "{run:?}");
}

#[test]
fn an_iterator_is_read_and_a_usdt_probe_prints() {
    let host = Host::new();
    let object = host.object("attach_lists");
    let run = attach(&host, &object, &["--program", "tasks"]);
    let own = format!("task {}", std::process::id());
    assert_eq!(run.status, Some(0), "{run:?}");
    assert!(run.stdout.lines().any(|line| line == own), "{run:?}");
    let attached = Attached::start(&host, &object, &["--program", "work"]);
    host.run(2);
    let lines = attached.interrupt();
    assert_eq!(printed(&lines), ["work on 41", "work on 41"]);
    let bad = attach(&host, &object, &["--program", "work", "--func", "nothing"]);
    assert!(bad.stderr.contains("give --func PROVIDER:NAME"), "{bad:?}");
}

#[test]
fn an_iterator_goes_through_the_map_that_is_named() {
    let host = Host::new();
    let bpffs = Bpffs::new(&host);
    let pinned = bpffs.path("mine");
    let run = attach(&host, &host.object("attach"), &["--program", "fields", "--pin", &pinned]);
    assert_eq!(run.status, Some(0), "{run:?}");
    host.run(2);
    let lists = host.object("attach_lists");
    let iterate = |arguments: &[&str]| {
        attach(&host, &lists, &[&["--program", "elements"], arguments].concat())
    };
    let run = iterate(&["--map", &format!("{pinned}/maps/attach_bss")]);
    assert_eq!(run.status, Some(0), "{run:?}");
    assert!(run.stdout.lines().any(|line| line.starts_with("first ")), "{run:?}");
    for (arguments, reason) in [
        (&[] as &[&str], "say which with --map"),
        (&["--map", "nothing"], "the object has no map nothing"),
        (&["--map", "./nothing"], "failed to open the pinned map ./nothing"),
    ] {
        let run = iterate(arguments);
        assert_eq!(run.status, Some(2), "{run:?}");
        assert!(run.stderr.contains(reason), "{run:?}");
    }
    assert_eq!(detach([&pinned]).status, Some(0));
}

#[test]
fn types_of_a_stripped_host_can_come_from_a_file() {
    let host = Host::new();
    let work = Workspace::new();
    let (types, stripped) = (work.path("host.btf"), work.path("attach_host"));
    let made = |command: &mut Command| assert!(command.status().unwrap().success(), "{command:?}");
    made(Command::new("pahole").arg("--btf_encode_detached").arg(&types).arg(&host.path));
    made(Command::new("strip").arg("-g").arg("-o").arg(&stripped).arg(&host.path));
    let object = host.object("attach");
    let stripped = Host { path: stripped, work };
    let without = attach(&stripped, &object, &["--program", "fields"]);
    assert_eq!(without.status, Some(2), "{without:?}");
    let arguments = ["--program", "fields", "--btf", types.to_str().unwrap()];
    let attached = Attached::start(&stripped, &object, &arguments);
    stripped.run(1);
    let lines = attached.interrupt();
    assert_eq!(printed(&lines), ["1 + 3 = 4"], "{lines:?}");
    let missing = attach(&stripped, &object, &["--btf", "./nothing.btf"]);
    assert_eq!(missing.status, Some(2), "{missing:?}");
    assert!(missing.stderr.contains("nothing.btf"), "{missing:?}");
}

/// Programs fitted to the application's types and to the kernel's have the same maps.
#[test]
fn an_object_of_both_kinds_shares_its_data() {
    let host = Host::new();
    let object = host.object("attach_mixed");
    let attached = Attached::start(&host, &object, &["--dump", ".bss"]);
    host.run(4);
    let lines = attached.interrupt();
    assert_eq!(variable(&lines, "in_application"), 4, "{lines:?}");
    assert_eq!(variable(&lines, "called"), 4, "the tail call's target did not run: {lines:?}");
    assert!(variable(&lines, "in_kernel") >= 3, "{lines:?}");
}

#[test]
fn a_program_array_is_filled() {
    let host = Host::new();
    let object = host.object("attach_mixed");
    let arguments = ["--program", "application", "--program", "target", "--dump", ".bss"];
    let attached = Attached::start(&host, &object, &arguments);
    host.run(2);
    assert_eq!(variable(&attached.interrupt(), "called"), 2);
    let alone = attach(&host, &object, &["--program", "target"]);
    assert_eq!(alone.status, Some(2), "{alone:?}");
    assert!(alone.stderr.contains("tail calls"), "{alone:?}");
}

#[test]
fn a_rejected_program_is_explained() {
    let host = Host::new();
    let object = host.work.compile("rejected");
    let run = attach(&host, &object, &["--program", "no_null_check", "--func", "main"]);
    assert_eq!(run.status, Some(1), "{run:?}");
    assert!(run.stderr.contains("invalid mem access 'map_value_or_null'"), "{run:?}");
    assert!(run.stderr.contains("return *counter;"), "{run:?}");
    assert!(run.stderr.contains("nothing was attached"), "{run:?}");
    assert!(!run.stderr.contains("stack_read"), "other programs do not matter: {run:?}");
    assert_eq!(run.stdout, "", "{run:?}");
}

#[test]
fn nobody_else_loses_lines_and_nothing_stays() {
    let host = Host::new();
    let object = host.object("attach");
    let fields = Attached::start(&host, &object, &["--program", "fields"]);
    let bare = Attached::start(&host, &object, &["--program", "bare", "--func", "add_more"]);
    host.run(3);
    // Each has its own program's lines, all of them, and no others.
    assert_eq!(printed(&fields.interrupt()), ["1 + 3 = 4"; 3]);
    assert_eq!(printed(&bare.interrupt()), ["argument 41, cookie 0"; 3]);
}

#[test]
fn every_end_detaches() {
    let host = Host::new();
    let object = host.object("attach");
    let start = || Attached::start(&host, &object, &["--program", "fields"]);
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let attached = start();
        assert_eq!(links_on(&host.path).len(), 1);
        attached.signal(signal);
        attached.finish();
        assert_eq!(links_on(&host.path), [] as [u64; 0], "{signal:?}");
    }
    let attached = start();
    assert_eq!(links_on(&host.path).len(), 1);
    attached.kill();
    let deadline = Instant::now() + Duration::from_secs(10);
    while !links_on(&host.path).is_empty() {
        assert!(Instant::now() < deadline, "the link outlives its process");
        std::thread::sleep(Duration::from_millis(20));
    }
    // What was killed left an instance of the trace buffers, which the next run removes.
    let begun = Instant::now();
    let timed = attach(&host, &object, &["--program", "fields", "--duration", "0.2"]);
    assert_eq!(timed.status, Some(0), "{timed:?}");
    assert!(begun.elapsed() > Duration::from_millis(200));
    host.run(1);
}

/// The first of two programs could be attached.
#[test]
fn a_failure_half_way_leaves_nothing() {
    let host = Host::new();
    let bpffs = Bpffs::new(&host);
    let pinned = bpffs.path("half");
    let arguments = ["--program", "fields", "--program", "kernel_functions", "--pin"];
    let arguments = [&arguments[..], &[pinned.as_str()]].concat();
    let object = host.object("attach");
    let run = attach(&host, &object, &arguments);
    if run.status == Some(0) {
        // This kernel can do both.
        detach([&pinned]);
        return;
    }
    assert_eq!(run.status, Some(2), "{run:?}");
    assert!(run.stderr.contains("failed to attach kernel_functions"), "{run:?}");
    assert_eq!(links_on(&host.path), [] as [u64; 0]);
    assert!(!Path::new(&pinned).exists());
}

/// A BPF file system of a test's own.
struct Bpffs {
    place: std::path::PathBuf,
}

impl Bpffs {
    fn new(host: &Host) -> Self {
        let place = host.work.path("bpffs");
        fs::create_dir(&place).unwrap();
        let mounted = Command::new("mount").args(["-t", "bpf", "bpf"]).arg(&place).status();
        assert!(mounted.unwrap().success(), "mounting a BPF file system needs root");
        Bpffs { place }
    }

    fn path(&self, name: &str) -> String {
        self.place.join(name).display().to_string()
    }
}

impl Drop for Bpffs {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.place).status();
    }
}

#[test]
fn what_is_pinned_stays_until_it_is_detached() {
    let host = Host::new();
    let bpffs = Bpffs::new(&host);
    let pinned = bpffs.path("mine");
    let object = host.object("attach");
    let arguments = ["--program", "fields", "--program", "session", "--pin", &pinned];
    let run = attach(&host, &object, &arguments);
    assert_eq!(run.status, Some(0), "{run:?}");
    let links = list(Some(Path::new(&pinned)));
    assert_eq!(links.len(), 2, "{links:?}");
    let probe = links.iter().find(|link| link["kind"] == "uprobe").unwrap();
    assert_eq!(probe["file"], host.path.to_str().unwrap(), "{probe}");
    assert_eq!(probe["places"][0]["symbol"], "add_test", "{probe}");
    assert_eq!(probe["pins"], json!([format!("{pinned}/links/fields")]), "{probe}");
    // It runs though nobody holds it.
    host.run(2);
    let map = format!("{pinned}/maps/attach_bss");
    let shown = Command::new("bpftool").args(["map", "dump", "pinned", &map, "-j"]).output();
    let shown = String::from_utf8(shown.unwrap().stdout).unwrap();
    assert!(shown.contains("\"counter\":4"), "{shown}");
    let again = attach(&host, &object, &arguments);
    assert_eq!(again.status, Some(2), "{again:?}");
    assert!(again.stderr.contains("is there already"), "{again:?}");
    // One by its number, the rest by the folder.
    let id = probe["id"].to_string();
    assert_eq!(detach([&id]).status, Some(0));
    assert!(!links_on(&host.path).contains(&probe["id"].as_u64().unwrap()));
    let run = detach([&pinned]);
    assert_eq!(run.status, Some(0), "{run:?}");
    assert!(run.stdout.contains("(1 link)"), "{run:?}");
    assert_eq!(links_on(&host.path), [] as [u64; 0]);
    assert!(!Path::new(&pinned).exists());
}

#[test]
fn what_cannot_be_detached_is_explained() {
    let host = Host::new();
    let attached = Attached::start(&host, &host.object("attach"), &["--program", "fields"]);
    let id = links_on(&host.path)[0].to_string();
    let held = detach([&id]);
    assert_eq!(held.status, Some(2), "{held:?}");
    assert!(held.stderr.contains(&format!("end process {}", attached.id())), "{held:?}");
    attached.interrupt();
    let gone = detach([&id]);
    assert!(gone.stderr.contains(&format!("there is no link {id}")), "{gone:?}");
    let nowhere = detach(["/tmp"]);
    assert!(nowhere.stderr.contains("in no BPF file system"), "{nowhere:?}");
    let bpffs = Bpffs::new(&host);
    fs::create_dir(bpffs.path("others")).unwrap();
    let root = detach([&bpffs.place]);
    assert!(root.stderr.contains("more in it than loader attach --pin leaves"), "{root:?}");
    assert!(Path::new(&bpffs.path("others")).exists());
    let object = host.object("attach");
    let elsewhere = attach(&host, &object, &["--program", "fields", "--pin", "/tmp/nowhere"]);
    assert!(elsewhere.stderr.contains("is in no BPF file system"), "{elsewhere:?}");
}

#[test]
fn help_teaches_with_examples() {
    let loader =
        |arguments: &[&str]| Run::from(Command::new(LOADER).args(arguments).output().unwrap());
    for command in ["attach", "list", "detach", "doctor"] {
        let help = loader(&[command, "--help"]);
        assert_eq!(help.status, Some(0));
        assert!(help.stdout.contains("Exit status:"), "{}", help.stdout);
        if command != "doctor" {
            assert!(help.stdout.contains("Example"), "{}", help.stdout);
        }
    }
    let wrong: [&[&str]; 4] = [
        &["attach"],
        &["attach", "a.o", "--duration", "long"],
        &["attach", "a.o", "--pid", "0"],
        &["detach"],
    ];
    for arguments in wrong {
        assert_eq!(loader(arguments).status, Some(2), "{arguments:?}");
    }
}

#[test]
fn the_doctor_says_what_there_is() {
    let run = |arguments: &[&str]| {
        Run::from(Command::new(LOADER).arg("doctor").args(arguments).output().unwrap())
    };
    let text = run(&[]);
    assert!(matches!(text.status, Some(0 | 1)), "{text:?}");
    let json = run(&["--json"]);
    assert_eq!(json.status, text.status);
    let document: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(document["ok"], text.status == Some(0));
    let checks = document["checks"].as_array().unwrap();
    let check = |name: &str| checks.iter().find(|check| check["name"] == name).unwrap();
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    assert_eq!(check("kernel")["found"], release.trim());
    assert_eq!(check("CAP_BPF")["state"], "ok");
    assert_eq!(check("types of the kernel")["state"], "ok");
    let jit = fs::read_to_string("/proc/sys/net/core/bpf_jit_enable").unwrap();
    assert_eq!(check("JIT")["state"] == "ok", jit.trim() != "0");
    for check in checks {
        let is_ok = check["state"] == "ok";
        assert_eq!(check["help"].is_null(), is_ok, "{check}");
        let line =
            format!("{}: {}", check["name"].as_str().unwrap(), check["found"].as_str().unwrap());
        assert!(text.stdout.contains(&line), "{line:?} is not in {}", text.stdout);
    }
}
