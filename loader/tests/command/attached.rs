// SPDX-License-Identifier: MIT OR Apache-2.0
//! A running `loader attach`, for the tests of it and of what shows or ends what is attached.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::common::{LOADER, Run, Workspace};

/// What it says when all is attached.
const ATTACHED: &str = "note: attached; Ctrl-C detaches";

/// The host that most of these tests attach to.
pub(crate) struct Host {
    pub(crate) work: Workspace,
    pub(crate) path: PathBuf,
}

impl Host {
    pub(crate) fn new() -> Self {
        let work = Workspace::new();
        // Functions are called through the PLT only without -z now on some compilers.
        let path = work.compile_app("attach_host", &["-g", "-Wl,-z,lazy"]);
        Host { work, path }
    }

    /// Compiles `tests/data/NAME.bpf.c`, which reads the registers of this machine.
    pub(crate) fn object(&self, name: &str) -> PathBuf {
        let arch = match std::env::consts::ARCH {
            "x86_64" => "x86",
            "aarch64" => "arm64",
            other => other,
        };
        self.work.compile_with(name, &["-target", "bpf", "-g", &format!("-D__TARGET_ARCH_{arch}")])
    }

    /// Runs the host so many times around.
    pub(crate) fn run(&self, rounds: u32) {
        let status = Command::new(&self.path).arg(rounds.to_string()).status().unwrap();
        assert!(status.success(), "the host must not notice that it is probed: {status}");
    }

    /// Starts the host, to run for long.
    pub(crate) fn start(&self) -> Child {
        Command::new(&self.path).args(["1000000", "20"]).spawn().unwrap()
    }
}

/// `loader attach OBJECT --app HOST ARGUMENTS`, which ends by itself.
pub(crate) fn attach(host: &Host, object: &Path, arguments: &[&str]) -> Run {
    Run::from(command(host, object, arguments).output().unwrap())
}

fn command(host: &Host, object: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(LOADER);
    command.arg("attach").arg(object).arg("--app").arg(&host.path).args(arguments);
    command
}

/// A `loader attach --json` that runs.
pub(crate) struct Attached {
    child: Child,
    stderr: BufReader<ChildStderr>,
}

impl Attached {
    /// Starts it, and waits until all is attached.
    #[track_caller]
    pub(crate) fn start(host: &Host, object: &Path, arguments: &[&str]) -> Self {
        let mut command = command(host, object, arguments);
        Self::start_command(command.arg("--json"))
    }

    #[track_caller]
    pub(crate) fn start_command(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let mut attached = Attached { child, stderr };
        let mut said = String::new();
        while !said.trim_end().ends_with(ATTACHED) {
            let length = attached.stderr.read_line(&mut said).unwrap();
            assert!(length > 0, "loader attach ended: {said}");
        }
        attached
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it as Ctrl-C does; what it wrote.
    #[track_caller]
    pub(crate) fn interrupt(self) -> Vec<Value> {
        self.signal(Signal::INT);
        self.finish()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().try_into().unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Waits for its end; what it wrote.
    #[track_caller]
    pub(crate) fn finish(mut self) -> Vec<Value> {
        let mut text = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        let mut errors = String::new();
        self.stderr.read_to_string(&mut errors).unwrap();
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}: {errors}{text}");
        assert_eq!(errors, "", "{text}");
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Kills it without giving it a chance.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// A test that fails leaves nothing attached.
impl Drop for Attached {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Those of `lines` that are of the type `name`.
pub(crate) fn of_type<'a>(lines: &'a [Value], name: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["type"] == name).collect()
}

/// What programs printed.
pub(crate) fn printed(lines: &[Value]) -> Vec<&str> {
    of_type(lines, "printk").iter().map(|line| line["text"].as_str().unwrap()).collect()
}

/// The global variable `name`, as the dump of .bss at the end has it.
#[track_caller]
pub(crate) fn variable(lines: &[Value], name: &str) -> i64 {
    let maps = of_type(lines, "map");
    let bss = maps.iter().find(|map| map["map"] == ".bss").expect("--dump .bss was given");
    bss["entries"][0]["value"][name].as_i64().unwrap_or_else(|| panic!("no {name} in {bss}"))
}

/// `loader list --json PATH`.
pub(crate) fn list(path: Option<&Path>) -> Vec<Value> {
    let mut command = Command::new(LOADER);
    command.args(["list", "--json"]).args(path);
    let run = Run::from(command.output().unwrap());
    assert_eq!(run.status, Some(0), "{run:?}");
    let document: Value = serde_json::from_str(&run.stdout).unwrap();
    document["links"].as_array().unwrap().clone()
}

/// `loader detach ARGUMENTS`.
pub(crate) fn detach(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Run {
    Run::from(Command::new(LOADER).arg("detach").args(arguments).output().unwrap())
}

/// The numbers of the links on `file`.
pub(crate) fn links_on(file: &Path) -> Vec<u64> {
    let is_on = |link: &Value| link["file"].as_str() == file.to_str();
    let id = |link: &Value| link["id"].as_u64().unwrap();
    list(None).iter().filter(|link| is_on(link)).map(id).collect()
}
