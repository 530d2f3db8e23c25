// SPDX-License-Identifier: MIT OR Apache-2.0
//! The agent in applications of all kinds: started with it, or injected into. They look after
//! themselves whether anything of theirs was changed, see `fixtures/host.c`.
//!
//! To be run by root.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::FileExt as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use object::{Object as _, ObjectSymbol as _};
use tempfile::TempDir;
use ufunc_hook::machine::Machine;
use ufunc_hook::program::{Clobbers, Program, Vectors, When};
use ufunc_hook::{site, stub};
use ufunc_inject::{End, Session, agent_path};
use ufunc_shared::context::{Field, Fields};
use ufunc_shared::plan::Plan;

/// The application, compiled once.
fn application() -> &'static Path {
    static BUILT: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = BUILT.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("host");
        compile("cc", &["-pthread", "-rdynamic"], &path);
        (folder, path)
    });
    path
}

fn compile(compiler: &str, flags: &[&str], output: &Path) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/host.c");
    let mut command = Command::new(compiler);
    let status = command.args(["-O2", "-o"]).arg(output).args(flags).arg(source).status();
    assert!(status.unwrap().success(), "{compiler} {flags:?}");
}

/// An application that runs. Ended with the test.
struct Host {
    child: Child,
    output: BufReader<ChildStdout>,
    /// Where its function `add` and its counter are.
    add: u64,
    hits: u64,
}

impl Host {
    fn run(kind: &str) -> Self {
        let mut command = Command::new(application());
        Self::of(command.arg(kind))
    }

    fn of(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut host = Self { child, output, add: 0, hits: 0 };
        let line = host.line();
        (host.add, host.hits) = ready(&line);
        // Let it get to what it does.
        sleep(Duration::from_millis(20));
        host
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn pid(&self) -> i32 {
        self.child.id().cast_signed()
    }

    fn signal(&self, signal: i32) {
        kill(self.pid(), signal);
    }

    /// Ends it, and makes sure that it found nothing wrong.
    fn end(mut self) {
        let start = Instant::now();
        // A signal that comes just before a call that waits does not end that.
        let status = loop {
            self.signal(libc::SIGUSR1);
            sleep(Duration::from_millis(20));
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(start.elapsed() < Duration::from_secs(60), "the host does not end");
        };
        assert_eq!(status.code(), Some(0), "{status}");
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn ready(line: &str) -> (u64, u64) {
    let mut words = line.split(' ');
    assert_eq!(words.next(), Some("ready"), "{line}");
    let mut number = || {
        let word = words.next().unwrap().trim_start_matches("0x");
        u64::from_str_radix(word, 16).unwrap()
    };
    (number(), number())
}

fn kill(process: i32, signal: i32) {
    // SAFETY: a process of this test's own.
    assert_eq!(unsafe { libc::kill(process, signal) }, 0);
}

fn inject(process: i32) -> anyhow::Result<Session> {
    Session::inject(process, &agent_path().unwrap())
}

/// What it says when it is refused.
fn refused(process: i32) -> String {
    let refused = inject(process).map(|_| ()).unwrap_err();
    let refused = format!("{refused:#}");
    println!("{refused}");
    refused
}

/// The memory of a process.
fn memory(process: i32) -> File {
    File::open(format!("/proc/{process}/mem")).unwrap()
}

fn number(process: i32, address: u64) -> u64 {
    let mut bytes = [0; 8];
    memory(process).read_exact_at(&mut bytes, address).unwrap();
    u64::from_le_bytes(bytes)
}

/// The bytes of `add`, by its symbol's size.
fn bytes_of_add(process: i32, address: u64) -> Vec<u8> {
    let file = fs::read(application()).unwrap();
    let file = object::File::parse(&*file).unwrap();
    let size = file.symbols().find(|symbol| symbol.name() == Ok("add")).unwrap().size();
    let mut bytes = vec![0; size as usize];
    memory(process).read_exact_at(&mut bytes, address).unwrap();
    bytes
}

/// Installs a program that counts, for `extension`.
fn counting(session: &Session, extension: u64, hits: u64) -> Program {
    // movabs rax, hits; lock inc qword [rax]; xor eax, eax; ret
    let mut code = vec![0x48, 0xb8];
    code.extend(hits.to_le_bytes());
    code.extend([0xf0, 0x48, 0xff, 0x00, 0x31, 0xc0, 0xc3]);
    let address = session.reserve_code(extension, code.len(), None).unwrap();
    session.install_code(address, &code, &[]).unwrap();
    Program {
        address,
        when: When::Entry,
        reads: Fields::NONE,
        writes: Fields::NONE,
        clobbers: Clobbers {
            registers: Fields::NONE.with(Field::Ax),
            vectors: Vectors::None,
            x87: false,
        },
        calls_out: false,
    }
}

/// A plan that has the programs run when `add` is called, whose bytes were these.
fn plan(session: &Session, add: u64, bytes: &[u8], programs: &[Program], again: bool) -> Plan {
    let function = site::Function { address: add, bytes, size: bytes.len() };
    let site = site::find(&function, 0).unwrap();
    let agent = session.hello().unwrap().agent;
    let machine = Machine::detect();
    let size = stub::room(&site, programs, &agent, machine).unwrap();
    let stub = session.reserve_stub(site.patch, &site.placement(), size, again).unwrap();
    stub::plan(&site, programs, stub, &agent, machine).unwrap()
}

/// Waits until the counter has grown.
fn counts(process: i32, hits: u64) {
    let before = number(process, hits);
    let start = Instant::now();
    while number(process, hits) == before {
        assert!(start.elapsed() < Duration::from_secs(10), "no call is seen");
        sleep(Duration::from_micros(200));
    }
}

#[test]
fn a_started_application_waits_and_inherits_nothing() {
    let mut command = Command::new(application());
    command.arg("environment").env("LD_PRELOAD", "").stdout(Stdio::piped());
    let mut session = Session::start(command, &agent_path().unwrap()).unwrap();
    let hello = session.hello().unwrap();
    assert!(hello.waits);
    assert_eq!(hello.process, session.pid().cast_unsigned());
    sleep(Duration::from_millis(50));
    assert_eq!(session.ended(Duration::ZERO).unwrap(), None);
    session.resume().unwrap();
    assert_eq!(session.wait().unwrap().status(), Some(0));
    // Other libraries are kept.
    let mut command = Command::new(application());
    let others = "libc.so.6";
    command.arg("environment").env("LD_PRELOAD", others).stdout(Stdio::piped());
    let agent = agent_path().unwrap();
    // In a folder whose name cannot be said to the dynamic loader.
    let folder = tempfile::tempdir().unwrap();
    let strange = folder.path().join("a b:c");
    fs::create_dir(&strange).unwrap();
    let copy = strange.join("libufunc_agent.so");
    fs::copy(agent, &copy).unwrap();
    let mut session = Session::start(command, &copy).unwrap();
    session.resume().unwrap();
    assert_eq!(session.wait().unwrap().status(), Some(0));
}

#[test]
fn who_never_gets_to_main_is_ended_with_the_session() {
    let mut command = Command::new(application());
    command.arg("idle");
    let session = Session::start(command, &agent_path().unwrap()).unwrap();
    let process = session.pid();
    drop(session);
    assert!(!Path::new(&format!("/proc/{process}")).exists());
}

#[test]
fn applications_of_all_kinds_go_on_as_they_were() {
    let kinds = [
        "idle",
        "registers",
        "errno",
        "read",
        "epoll",
        "sleep",
        "malloc",
        "calls",
        "threads",
        "closes",
    ];
    for kind in kinds.into_iter().chain(["only-malloc"]) {
        let host = Host::run(kind);
        let start = Instant::now();
        let session = inject(host.pid()).unwrap_or_else(|error| panic!("{kind}: {error:#}"));
        println!("{kind}: {:?}", start.elapsed());
        let hello = session.hello().unwrap();
        assert!(!hello.waits && hello.extensions.is_empty(), "{kind}");
        // Again, and by another.
        assert!(inject(host.pid()).unwrap().hello().unwrap().hooks.is_empty());
        sleep(Duration::from_millis(30));
        // Nothing of ours is left but the library, its thread and its memory.
        let maps = fs::read_to_string(format!("/proc/{}/maps", host.pid())).unwrap();
        assert!(maps.contains("libufunc_agent.so"), "{maps}");
        host.end();
    }
}

#[test]
fn who_closes_all_descriptors_has_its_agent_still() {
    let mut command = Command::new(application());
    command.arg("closes").stdout(Stdio::null());
    let mut session = Session::start(command, &agent_path().unwrap()).unwrap();
    session.resume().unwrap();
    sleep(Duration::from_millis(100));
    session.hello().unwrap();
    Session::connect(session.pid()).unwrap().unwrap().hello().unwrap();
    kill(session.pid(), libc::SIGUSR1);
    assert_eq!(session.wait().unwrap().status(), Some(0));
}

#[test]
fn registers_are_put_back_two_hundred_times() {
    for round in 0..200 {
        let host = Host::run(["registers", "epoll", "registers", "sleep"][round % 4]);
        inject(host.pid()).unwrap_or_else(|error| panic!("{round}: {error:#}"));
        if round % 4 == 3 {
            // It ends by itself when its sleep is over.
            drop(host);
        } else {
            host.end();
        }
    }
}

#[test]
fn a_thousand_times_while_threads_call() {
    let host = Host::run("calls");
    let session = inject(host.pid()).unwrap();
    let bytes = bytes_of_add(host.pid(), host.add);
    let extension = session.begin("first", b"about it").unwrap();
    let program = counting(&session, extension, host.hits);
    let plan = plan(&session, host.add, &bytes, &[program], false);
    let start = Instant::now();
    for _ in 0..1_000 {
        let hook = session.attach(&[extension], &plan).unwrap();
        counts(host.pid(), host.hits);
        session.detach(hook).unwrap();
        assert_eq!(bytes_of_add(host.pid(), host.add), bytes);
    }
    println!("{:?}", start.elapsed());
    let before = number(host.pid(), host.hits);
    sleep(Duration::from_millis(20));
    assert_eq!(number(host.pid(), host.hits), before);
    session.remove(extension).unwrap();
    host.end();
}

#[test]
fn two_extensions_and_another_loader() {
    let host = Host::run("calls");
    let session = inject(host.pid()).unwrap();
    let bytes = bytes_of_add(host.pid(), host.add);
    let first = session.begin("first", b"1").unwrap();
    let second = session.begin("second", b"2").unwrap();
    let one = counting(&session, first, host.hits);
    let two = counting(&session, second, host.hits);
    let hook = session.attach(&[first], &plan(&session, host.add, &bytes, &[one], false)).unwrap();
    counts(host.pid(), host.hits);
    let both = plan(&session, host.add, &bytes, &[one, two], false);
    session.replace(hook, &[first, second], &both).unwrap();
    counts(host.pid(), host.hits);
    assert!(session.attach(&[second], &both).is_err());
    drop(session);

    // The extensions go on, and another one finds them.
    counts(host.pid(), host.hits);
    let later = Session::connect(host.pid()).unwrap().unwrap();
    let hello = later.hello().unwrap();
    let names: Vec<_> = hello.extensions.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["first", "second"]);
    assert_eq!(hello.hooks[0].owners, [first, second]);
    assert_eq!(hello.hooks[0].plan, both);
    let refused = format!("{:#}", later.remove(first).unwrap_err());
    assert!(refused.contains("others than first"), "{refused}");
    let only = plan(&later, host.add, &bytes, &[two], false);
    later.replace(hook, &[second], &only).unwrap();
    later.remove(first).unwrap();
    assert!(later.remove(first).is_err());
    counts(host.pid(), host.hits);
    // While one changes things others wait, and are let in when it is gone.
    let locker = Session::connect(host.pid()).unwrap().unwrap();
    locker.lock().unwrap();
    std::thread::scope(|scope| {
        let removed = scope.spawn(|| later.remove(second));
        sleep(Duration::from_millis(100));
        assert!(!removed.is_finished());
        drop(locker);
        removed.join().unwrap().unwrap();
    });
    assert_eq!(bytes_of_add(host.pid(), host.add), bytes);
    host.end();
}

#[test]
fn a_child_keeps_its_hooks_and_a_new_program_has_none() {
    let mut host = Host::run("forks");
    let mut session = inject(host.pid()).unwrap();
    let bytes = bytes_of_add(host.pid(), host.add);
    let extension = session.begin("forks", b"").unwrap();
    let program = counting(&session, extension, host.hits);
    let hook =
        session.attach(&[extension], &plan(&session, host.add, &bytes, &[program], false)).unwrap();
    host.signal(libc::SIGUSR1);
    let line = host.line();
    let words: Vec<&str> = line.split(' ').collect();
    let child: i32 = words[1].parse().unwrap();
    assert_eq!(words[2], "1", "the child's call was not seen");
    // Nobody answers for it, until the agent begins there too.
    assert!(Session::connect(child).unwrap().is_none());
    let inner = inject(child).unwrap();
    let hello = inner.hello().unwrap();
    assert_eq!((hello.process, hello.hooks.len()), (child.cast_unsigned(), 1));
    inner.remove(extension).unwrap();
    // The parent's is where it was.
    assert_eq!(session.hello().unwrap().hooks[0].id, hook);
    kill(child, libc::SIGUSR1);
    assert_eq!(session.wait().unwrap(), End::Unknown);
    let status = host.child.wait().unwrap();
    assert_eq!(status.code(), Some(0), "{status}");

    let host = Host::run("executes");
    let mut session = inject(host.pid()).unwrap();
    host.signal(libc::SIGUSR1);
    assert_eq!(session.wait().unwrap(), End::Executed);
    assert!(Session::connect(host.pid()).unwrap().is_none());
    let maps = fs::read_to_string(format!("/proc/{}/maps", host.pid())).unwrap();
    assert!(!maps.contains("ufunc"));
    drop(host);
}

#[test]
fn the_end_of_either_side() {
    // The application's.
    let mut command = Command::new(application());
    command.arg("calls").stdout(Stdio::null());
    let mut session = Session::start(command, &agent_path().unwrap()).unwrap();
    session.resume().unwrap();
    kill(session.pid(), libc::SIGKILL);
    let end = session.wait().unwrap();
    assert!(matches!(end, End::Status(status) if status.signal() == Some(libc::SIGKILL)));
    assert_eq!(end.status(), Some(137));
    let error = format!("{:#}", session.hello().unwrap_err());
    assert!(error.contains("ended") || error.contains("send"), "{error}");
}

/// Run by the next test, in a process of its own that is killed.
#[test]
#[ignore = "a part of another test"]
fn injects_until_killed() {
    let process: i32 = std::env::var("UFUNC_TEST_PROCESS").unwrap().parse().unwrap();
    inject(process).unwrap();
}

#[test]
fn loaders_that_are_killed_leave_the_application_be() {
    // Not one in epoll_wait: when the loader is killed while that is stopped, before anything else,
    // the call ends with EINTR, as the kernel has it.
    for kind in ["registers", "read"] {
        let mut requests = 0;
        loop {
            let host = Host::run(kind);
            let whole = inject_until(host.pid(), requests);
            // What it does until it finds its way back.
            sleep(Duration::from_millis(20));
            inject(host.pid())
                .unwrap_or_else(|error| panic!("{kind}, {requests} requests: {error:#}"))
                .hello()
                .unwrap();
            host.end();
            if whole {
                break;
            }
            requests += 1;
        }
        println!("{kind}: {requests} requests");
        assert!(requests > 50, "{kind}: {requests}");
    }
}

/// Injects by a process of its own, which is killed right after so many of the requests by which it
/// changes the application. Whether it had done its work.
fn inject_until(process: i32, mut requests: u32) -> bool {
    /// `PTRACE_GETREGS`, `GETREGSET`, `GETSIGMASK`, `SECCOMP_GET_FILTER`
    const READS: [u64; 4] = [12, 0x4204, 0x420a, 0x420c];
    let mut loader = Command::new(std::env::current_exe().unwrap());
    loader.args(["--ignored", "--exact", "injects_until_killed"]);
    loader.env("UFUNC_TEST_PROCESS", process.to_string());
    loader.stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    // SAFETY: only a system call, between fork and exec.
    unsafe { loader.pre_exec(|| Ok(ptrace::traceme()?)) };
    let group = Pid::from_raw(loader.spawn().unwrap().id().cast_signed());
    assert!(matches!(waitpid(group, None).unwrap(), WaitStatus::Stopped(..)));
    let options = ptrace::Options::PTRACE_O_TRACESYSGOOD
        | ptrace::Options::PTRACE_O_TRACECLONE
        | ptrace::Options::PTRACE_O_EXITKILL;
    ptrace::setoptions(group, options).unwrap();
    // One that is killed meanwhile is waited for, as ever.
    let go_on = |thread, signal| {
        let _ = ptrace::syscall(thread, signal);
    };
    go_on(group, None);
    let everyone = Pid::from_raw(-group.as_raw());
    let mut entered = HashSet::new();
    loop {
        match waitpid(everyone, Some(WaitPidFlag::__WALL)).unwrap() {
            WaitStatus::PtraceSyscall(thread) => {
                let registers = ptrace::getregs(thread).unwrap();
                let changes = match registers.orig_rax.cast_signed() {
                    libc::SYS_ptrace => !READS.contains(&registers.rdi),
                    libc::SYS_pwrite64 => true,
                    _ => false,
                };
                if !entered.remove(&thread) {
                    entered.insert(thread);
                } else if changes && requests == 0 {
                    kill(group.as_raw(), libc::SIGKILL);
                    continue;
                } else if changes {
                    requests -= 1;
                }
                go_on(thread, None);
            }
            WaitStatus::Stopped(thread, signal) => {
                // A new thread begins with one.
                let signal = Some(signal).filter(|signal| *signal != Signal::SIGSTOP);
                go_on(thread, signal);
            }
            WaitStatus::PtraceEvent(thread, ..) => go_on(thread, None),
            // The last of its threads.
            WaitStatus::Exited(thread, status) if thread == group => {
                assert_eq!(status, 0);
                return true;
            }
            WaitStatus::Signaled(thread, ..) if thread == group => return false,
            _ => {}
        }
    }
}

#[test]
fn a_killed_starter_lets_the_application_go_on() {
    let itself = std::env::current_exe().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("output");
    let mut starter = Command::new(itself);
    starter.args(["--ignored", "--exact", "starts_and_waits", "--nocapture"]);
    starter.env("UFUNC_TEST_OUTPUT", &output);
    let mut starter = starter.stdout(Stdio::null()).spawn().unwrap();
    let start = Instant::now();
    let process: i32 = loop {
        let number = fs::read_to_string(&output).unwrap_or_default();
        if let Ok(number) = number.trim().parse() {
            break number;
        }
        assert!(start.elapsed() < Duration::from_secs(20));
        sleep(Duration::from_millis(5));
    };
    let session = Session::connect(process).unwrap().unwrap();
    assert!(session.hello().unwrap().waits);
    starter.kill().unwrap();
    starter.wait().unwrap();
    sleep(Duration::from_millis(100));
    assert!(!session.hello().unwrap().waits);
    kill(process, libc::SIGKILL);
}

/// Run by the test before.
#[test]
#[ignore = "a part of another test"]
fn starts_and_waits() {
    let mut command = Command::new(application());
    command.arg("idle").stdout(Stdio::null());
    let session = Session::start(command, &agent_path().unwrap()).unwrap();
    let output = std::env::var_os("UFUNC_TEST_OUTPUT").unwrap();
    fs::write(output, format!("{}\n", session.pid())).unwrap();
    sleep(Duration::from_secs(60));
}

#[test]
fn who_cannot_have_it_is_refused_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    // Statically linked, and by musl.
    for (compiler, flags, why) in [
        ("cc", &["-pthread", "-static"][..], "statically linked"),
        ("musl-gcc", &["-pthread"][..], "musl"),
    ] {
        let path = folder.path().join(compiler);
        if compiler == "musl-gcc" {
            let source = folder.path().join("musl.c");
            let text = "#include <stdio.h>\n#include <unistd.h>\nint main(void) { \
                        puts(\"ready 0x1 0x1\"); fflush(stdout); for (;;) pause(); }";
            fs::write(&source, text).unwrap();
            let status = Command::new(compiler).arg("-o").arg(&path).arg(source).status();
            assert!(status.expect("the package musl-tools").success());
        } else {
            compile(compiler, flags, &path);
        }
        let host = Host::of(&mut Command::new(&path));
        assert!(refused(host.pid()).contains(why));
        let started = Session::start(Command::new(&path), &agent_path().unwrap());
        let started = format!("{:#}", started.unwrap_err());
        assert!(started.contains(why), "{started}");
    }
    // Of another kind of machine, by the header alone.
    let file = fs::read(application()).unwrap();
    for (place, value, why) in [(4, 1, "32-bit"), (18, 0xb7, "another machine")] {
        let mut other = file.clone();
        other[place] = value;
        let path = folder.path().join(format!("other{place}"));
        fs::write(&path, other).unwrap();
        let started = Session::start(Command::new(&path), &agent_path().unwrap());
        let started = format!("{:#}", started.unwrap_err());
        assert!(started.contains(why), "{started}");
    }
    let script = folder.path().join("script");
    fs::write(&script, "#!/bin/sh\n").unwrap();
    let started = Session::start(Command::new(&script), &agent_path().unwrap());
    assert!(format!("{:#}", started.unwrap_err()).contains("is a script"));

    // By their filters of system calls.
    for (kind, why) in [("no-socket", "socket of AF_UNIX"), ("no-mmap", "mmap")] {
        let host = Host::run(kind);
        let refused = refused(host.pid());
        assert!(refused.contains("seccomp") && refused.contains(why), "{refused}");
        host.end();
    }
    // Stopped, ended, never there, the kernel's, ourselves.
    let host = Host::run("idle");
    host.signal(libc::SIGSTOP);
    sleep(Duration::from_millis(20));
    assert!(refused(host.pid()).contains("SIGCONT"));
    host.signal(libc::SIGCONT);
    // Traced by somebody else.
    let pid = Pid::from_raw(host.pid());
    std::thread::scope(|scope| {
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let (traces, traced) = std::sync::mpsc::channel();
        scope.spawn(move || {
            ptrace::seize(pid, ptrace::Options::empty()).unwrap();
            traces.send(()).unwrap();
            let _ = stopped.recv();
        });
        traced.recv().unwrap();
        assert!(refused(host.pid()).contains("traces it already"));
        drop(stop);
    });
    inject(host.pid()).unwrap();
    host.end();
    assert!(refused(i32::MAX).contains("no process"));
    assert!(refused(2).contains("kernel"));
    assert!(refused(std::process::id().cast_signed()).contains("itself"));
}

/// Run by the next test, as another user.
#[test]
#[ignore = "a part of another test"]
fn is_refused() {
    let process: i32 = std::env::var("UFUNC_TEST_PROCESS").unwrap().parse().unwrap();
    // SAFETY: takes numbers only.
    assert_eq!(unsafe { libc::setuid(65534) }, 0);
    assert!(refused(process).contains("may not be traced"));
}

#[test]
fn who_keeps_its_memory_to_itself_is_refused_to_all_but_root() {
    let host = Host::run("keeps");
    let itself = std::env::current_exe().unwrap();
    let mut other = Command::new(itself);
    other.args(["--ignored", "--exact", "is_refused", "--nocapture"]);
    other.env("UFUNC_TEST_PROCESS", host.pid().to_string());
    assert!(other.status().unwrap().success());
    inject(host.pid()).unwrap().hello().unwrap();
    host.end();
}

#[test]
fn an_application_with_a_root_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    for place in ["proc", "lib64", "lib/x86_64-linux-gnu"] {
        fs::create_dir_all(root.join(place)).unwrap();
    }
    let libraries = [
        "/lib64/ld-linux-x86-64.so.2",
        "/lib/x86_64-linux-gnu/libc.so.6",
        "/lib/x86_64-linux-gnu/libgcc_s.so.1",
    ];
    for library in libraries {
        fs::copy(library, root.join(&library[1..])).unwrap();
    }
    fs::copy(application(), root.join("host")).unwrap();
    let mut command = Command::new("/host");
    command.arg("epoll");
    let path = std::ffi::CString::new(root.to_str().unwrap()).unwrap();
    // SAFETY: system calls only, in the child, where nothing else runs.
    unsafe {
        command.pre_exec(move || {
            let none = std::ptr::null::<libc::c_void>();
            let proc = c"/proc".as_ptr();
            let done = libc::unshare(libc::CLONE_NEWNS | libc::CLONE_NEWNET) == 0
                && libc::mount(
                    none.cast(),
                    c"/".as_ptr(),
                    none.cast(),
                    libc::MS_REC | libc::MS_PRIVATE,
                    none.cast(),
                ) == 0
                && libc::chroot(path.as_ptr()) == 0
                && libc::chdir(c"/".as_ptr()) == 0
                && libc::mount(c"proc".as_ptr(), proc, c"proc".as_ptr(), 0, none.cast()) == 0;
            if done { Ok(()) } else { Err(std::io::Error::last_os_error()) }
        });
    }
    let host = Host::of(&mut command);
    let session = inject(host.pid()).unwrap();
    assert!(session.hello().unwrap().hooks.is_empty());
    host.end();
}
