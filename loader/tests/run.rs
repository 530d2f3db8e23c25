// SPDX-License-Identifier: MIT OR Apache-2.0
//! `loader run`, `stop`, `bundle` and `list` with real applications, on this machine's own kernel:
//! programs that call no function of the application. They need root.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

use tempfile::TempDir;
use ufunc_tests::running::Host;

/// The examples and programs, compiled once.
static BUILT: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (source, out) in [("examples", "examples"), ("bpf", "bpf")] {
        let mut make = Command::new("make");
        make.args(["-s", "-C"]).arg(checkout.join(source));
        make.arg(format!("OUT={}", folder.path().join(out).display()));
        let output = make.output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
    folder
});

fn host(name: &str) -> PathBuf {
    BUILT.path().join("examples").join(name)
}

fn object(name: &str) -> PathBuf {
    BUILT.path().join("bpf").join(format!("{name}.bpf.o"))
}

fn loader() -> Command {
    Command::new(env!("CARGO_BIN_EXE_loader"))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What it printed, both ways.
fn all(output: &Output) -> String {
    format!("{}: {}{}", output.status, text(&output.stdout), text(&output.stderr))
}

/// A program, compiled from C.
fn compile(folder: &Path, name: &str, source: &str) -> PathBuf {
    let (file, object) = (folder.join(format!("{name}.c")), folder.join(name));
    fs::write(&file, source).unwrap();
    let output = Command::new("cc").args(["-g", "-O1", "-o"]).arg(&object).arg(&file).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    object
}

/// A running host and what it prints.
fn running(name: &str) -> (TempDir, PathBuf, Host) {
    let folder = tempfile::tempdir().unwrap();
    let printed = folder.path().join("printed");
    let host = Host::start(&host(name), &printed).unwrap();
    (folder, printed, host)
}

#[test]
fn the_applications_exit_status_is_passed_on() {
    let folder = tempfile::tempdir().unwrap();
    let source = "__attribute__((noinline)) int f(int a) { return a + 1; }\n\
                  int main(int argc, char **argv) { return f(argc) + 40; }\n";
    let app = compile(folder.path(), "app", source);
    let mut command = loader();
    command.arg("run").arg(object("mmapable"));
    let output = command.arg("--app").arg(&app).args(["--func", "f", "--", "x"]).output().unwrap();
    assert_eq!(output.status.code(), Some(43), "{}", all(&output));
    // By a signal, as a shell says it.
    let source = "#include <stdlib.h>\nint main(void) { abort(); }\n";
    let app = compile(folder.path(), "aborts", source);
    let mut command = loader();
    command.arg("run").arg(object("mmapable")).arg("--app").arg(&app).args(["--func", "main"]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(134), "{}", all(&output));
}

#[test]
fn what_cannot_run_is_refused_and_the_application_not_started() {
    let refused = |object_name: &str, app: &str, more: &[&str]| {
        let mut command = loader();
        command.arg("run").arg(object(object_name)).arg("--app").arg(host(app)).args(more);
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", all(&output));
        // The hosts print something in any case.
        assert!(output.stdout.is_empty(), "{}", all(&output));
        text(&output.stderr)
    };
    let said = refused("kprobe", "btf-base", &[]);
    assert!(said.contains("hook of the kernel") && said.contains("loader attach"), "{said}");
    let said = refused("task_iterator", "btf-base", &[]);
    assert!(said.contains("hook of the kernel"), "{said}");
    let said = refused("no_core", "btf-base", &["--func", "nonexistent"]);
    assert!(said.contains("there is no such function"), "{said}");
}

#[test]
fn a_process_that_is_not_there_or_another_one_is_refused() {
    let output = loader().arg("run").arg(object("no_core")).args(["--pid", "99999999"]).output();
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", all(&output));
    let (_folder, printed, other) = running("locals");
    let mut command = loader();
    command.arg("run").arg(object("no_core")).arg("--app").arg(host("btf-base"));
    let output = command.args(["--pid", &other.pid().to_string()]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", all(&output));
    let said = text(&output.stderr);
    assert!(said.contains("for which the programs were judged"), "{said}");
    other.goes_on(&printed).unwrap();
}

#[test]
fn extensions_stay_are_listed_and_taken_out() {
    let (_folder, printed, host_process) = running("btf-base");
    let number = host_process.pid();
    let pid = number.to_string();
    let start = |name: &str| {
        let mut command = loader();
        command.arg("run").arg(object("no_core")).arg("--app").arg(host("btf-base"));
        let output = command.args(["--pid", &pid, "--name", name, "--detach"]).output().unwrap();
        assert!(output.status.success(), "{}", all(&output));
    };
    // Both are on the same function.
    start("first");
    start("second");
    let again = {
        let mut command = loader();
        command.arg("run").arg(object("no_core")).arg("--app").arg(host("btf-base"));
        command.args(["--pid", &pid, "--name", "first", "--detach"]).output().unwrap()
    };
    assert_eq!(again.status.code(), Some(2), "{}", all(&again));
    let listed = || {
        let output = loader().args(["list", "--json"]).output().unwrap();
        assert!(output.status.success(), "{}", all(&output));
        let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let running = document["running"].as_array().unwrap().clone();
        let own = running.iter().filter(|extension| extension["pid"] == number);
        own.map(|extension| extension["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(listed(), ["first", "second"]);
    let stop = |arguments: &[&str]| {
        let output = loader().arg("stop").args(["--pid", &pid]).args(arguments).output().unwrap();
        (output.status.code(), all(&output))
    };
    let (status, said) = stop(&["first"]);
    assert_eq!(status, Some(0), "{said}");
    assert_eq!(listed(), ["second"]);
    let (status, said) = stop(&["first"]);
    assert!(status == Some(2) && said.contains("there is second"), "{said}");
    let (status, said) = stop(&["--all"]);
    assert_eq!(status, Some(0), "{said}");
    assert!(listed().is_empty());
    host_process.goes_on(&printed).unwrap();
}

#[test]
fn a_bundle_runs_without_root_and_a_changed_one_does_not() {
    /// `nobody`, on Debian.
    const NOBODY: u32 = 65534;
    let folder = tempfile::tempdir().unwrap();
    let key = |name: &str, arguments: &[&str]| {
        let path = folder.path().join(name);
        let output = Command::new("openssl").args(arguments).arg("-out").arg(&path).output();
        assert!(output.unwrap().status.success());
        path
    };
    let private = key("key.pem", &["genpkey", "-algorithm", "ed25519"]);
    let public = key("key.pub", &["pkey", "-pubout", "-in", private.to_str().unwrap()]);
    let other = key("other.pem", &["genpkey", "-algorithm", "ed25519"]);
    let other = key("other.pub", &["pkey", "-pubout", "-in", other.to_str().unwrap()]);
    let bundle = folder.path().join("x.ufb");
    let mut command = loader();
    command.arg("bundle").arg(object("mmapable")).arg("--app").arg(host("btf-base"));
    let output = command.arg("-o").arg(&bundle).arg("--sign").arg(&private).output().unwrap();
    assert!(output.status.success(), "{}", all(&output));
    // Somebody else has to be able to read everything: a copy, where nobody may go.
    let open = |path: &Path, mode: u32| {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    let [program, compiler, agent] =
        ["loader", "ufunc-compiler", "libufunc_agent.so"].map(|name| folder.path().join(name));
    fs::copy(env!("CARGO_BIN_EXE_loader"), &program).unwrap();
    fs::copy(env!("CARGO_BIN_EXE_ufunc-compiler"), &compiler).unwrap();
    let built = Path::new(env!("CARGO_BIN_EXE_loader")).parent().unwrap();
    let library = [built.join("libufunc_agent.so"), built.join("deps/libufunc_agent.so")];
    fs::copy(library.iter().find(|path| path.exists()).unwrap(), &agent).unwrap();
    let app = folder.path().join("btf-base");
    fs::copy(host("btf-base"), &app).unwrap();
    for path in [&program, &compiler, &app, &agent] {
        open(path, 0o755);
    }
    open(folder.path(), 0o755);
    for path in [&bundle, &public, &other] {
        open(path, 0o644);
    }
    let run = |bundle: &Path, trusted: &Path| {
        let mut command = Command::new(&program);
        command.arg("run").arg("--bundle").arg(bundle).arg("--trust").arg(trusted);
        command.arg("--app").arg(&app).args(["--dump", "calls"]);
        command.args(["--", "5"]).uid(NOBODY).gid(NOBODY);
        command.output().unwrap()
    };
    let output = run(&bundle, &public);
    assert!(output.status.success(), "{}", all(&output));
    assert!(text(&output.stdout).contains("0 = 5"), "{}", all(&output));

    let refused = run(&bundle, &other);
    assert_eq!(refused.status.code(), Some(2), "{}", all(&refused));
    assert!(text(&refused.stderr).contains("somebody else"), "{}", all(&refused));
    let mut bytes = fs::read(&bundle).unwrap();
    let place = bytes.len() / 2;
    bytes[place] ^= 1;
    let changed = folder.path().join("changed.ufb");
    fs::write(&changed, bytes).unwrap();
    open(&changed, 0o644);
    let refused = run(&changed, &public);
    assert_eq!(refused.status.code(), Some(2), "{}", all(&refused));
    assert!(text(&refused.stderr).contains("changed or damaged"), "{}", all(&refused));
    assert!(refused.stdout.is_empty(), "{}", all(&refused));
}
