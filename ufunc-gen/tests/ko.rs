// SPDX-License-Identifier: MIT OR Apache-2.0
//! The module as an ELF file: its structure, for any set of functions and any kernel, and what the
//! tools of others make of it. Whether kernels load it, `tests/vm` tells.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;
#[path = "ko/fake_kernel.rs"]
mod fake_kernel;
#[path = "ko/random_host.rs"]
mod random_host;
#[path = "ko/structure.rs"]
mod structure;

use std::fs;
use std::path::Path;

use common::library::with_module;
use common::{Lab, PAIR, Random, app, generate, seed, tool};
use fake_kernel::{FakeKernel, VERMAGIC, kernel};
use ufunc_gen::elf::HostFile;
use ufunc_gen::module::object::{self as module_object, Arch, Kernel};

/// The module of the application at `app` for `kernel`.
fn build(app: &Path, kernel: &Kernel) -> Vec<u8> {
    let file = HostFile::open(app).unwrap();
    with_module(&file.parse().unwrap(), |module| module_object::build(module, kernel, "sample"))
        .unwrap()
}

/// Every kind of kernel.
fn kernels() -> Vec<Kernel> {
    let mut kernels = Vec::new();
    for arch in [Arch::X86_64, Arch::Aarch64] {
        for distilled_base in [true, false] {
            for return_thunk in [true, false] {
                for versions in [true, false] {
                    let crcs = kernel().crcs.filter(|_| versions);
                    let base = kernel();
                    kernels.push(Kernel { arch, distilled_base, return_thunk, crcs, ..base });
                }
            }
        }
    }
    kernels
}

#[test]
fn any_set_of_functions_makes_a_sound_module_for_any_kernel() {
    const ROUNDS: usize = 12;
    let mut random = Random::new(seed());
    for round in 0..ROUNDS {
        let (source, lent) = random_host::source(|end| random.below(end));
        let lab = Lab::new();
        let app = lab.build("gcc", &["-g", "-O1"], &source);
        if let Some(folder) = std::env::var_os("UFUNC_TEST_KEEP") {
            // For those who have a kernel that loads modules.
            fs::copy(&app, Path::new(&folder).join(format!("random-{round}"))).unwrap();
        }
        let file = HostFile::open(&app).unwrap();
        with_module(&file.parse().unwrap(), |module| {
            assert_eq!(module.kfuncs.len(), lent);
            for kernel in kernels() {
                let bytes = module_object::build(module, &kernel, "sample").unwrap();
                structure::check(&bytes, module, &kernel, "sample");
            }
            Ok(())
        })
        .unwrap();
    }
}

/// What a disassembler says, without addresses and bytes.
fn disassembly(tool_name: &str, lab: &Lab, bytes: &[u8]) -> Vec<String> {
    let path = lab.write("sample.ko", bytes);
    let output = tool(
        lab.folder(),
        tool_name,
        &["-d", "-r", "--no-show-raw-insn", "--no-addresses", path.to_str().unwrap()],
    );
    let lines = output.stdout.lines().skip_while(|line| !line.starts_with('<'));
    lines
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|line| !line.is_empty() && line != "int3" && !line.starts_with("udf"))
        .collect()
}

#[test]
fn the_code_is_what_a_compiler_would_have_made() {
    let (lab, app) = app(PAIR);
    let plain = Kernel { return_thunk: false, ..kernel() };
    let expected = "\
<thing_free>:
endbr64
xor %eax,%eax
ret
<thing_new>:
endbr64
xor %eax,%eax
ret
<init_module>:
endbr64
cmpq $0x0,0x0(%rip) # <init_module+0xc>
R_X86_64_PC32 __this_module+0xfb
je <init_module+0x1f>
mov $0x2,%edi
lea 0x0(%rip),%rsi # <init_module+0x1a>
R_X86_64_PC32 .data-0x4
jmp <init_module+0x1f>
R_X86_64_PLT32 register_btf_kfunc_id_set-0x4
mov $0xfffffffe,%eax
ret
<cleanup_module>:
endbr64
ret";
    let found = disassembly("objdump", &lab, &build(&app, &plain));
    assert_eq!(found.join("\n"), expected);

    let thunk = Kernel { return_thunk: true, ..kernel() };
    let found = disassembly("objdump", &lab, &build(&app, &thunk));
    assert_eq!(found[..4], ["<thing_free>:", "endbr64", "xor %eax,%eax", "jmp <thing_free+0xb>"]);
    assert!(found.iter().all(|line| line != "ret"));

    let arm = Kernel { arch: Arch::Aarch64, ..kernel() };
    let path = lab.write("sample.ko", build(&app, &arm));
    let output = tool(
        lab.folder(),
        "llvm-objdump",
        &["-d", "-r", "--mattr=+bti", "--no-show-raw-insn", path.to_str().unwrap()],
    );
    let lines = output.stdout.lines().filter_map(|line| line.split_once(": "));
    // Which symbol an address is closest to is a matter of taste.
    let lines = lines.map(|(_, rest)| rest.split(" <").next().unwrap_or(rest));
    let lines: Vec<_> =
        lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    let init: Vec<_> = lines.iter().skip_while(|line| !line.starts_with("adrp")).take(14).collect();
    assert_eq!(
        init,
        [
            "adrp x2, 0x0",
            "R_AARCH64_ADR_PREL_PG_HI21 __this_module+0x100",
            "ldr x2, [x2]",
            "R_AARCH64_LDST64_ABS_LO12_NC __this_module+0x100",
            "cbz x2, 0x40",
            "adrp x1, 0x0",
            "R_AARCH64_ADR_PREL_PG_HI21 .data",
            "add x1, x1, #0",
            "R_AARCH64_ADD_ABS_LO12_NC .data",
            "mov w0, #2",
            "b 0x3c",
            "R_AARCH64_JUMP26 register_btf_kfunc_id_set",
            "mov w0, #-2",
            "ret",
        ]
    );
    let pads = lines.iter().filter(|line| *line == "bti c").count();
    assert_eq!(pads, 4, "{lines:#?}");
}

#[test]
fn other_tools_read_it_without_a_warning() {
    let (lab, app) = app(PAIR);
    for kernel in kernels() {
        let path = lab.write("sample.ko", build(&app, &kernel));
        let path = path.to_str().unwrap();
        let readelf = tool(lab.folder(), "readelf", &["-aW", path]);
        assert_eq!(readelf.stderr, "");
        assert!(!readelf.stdout.contains("Warning"), "{}", readelf.stdout);
        let info = tool(lab.folder(), "/sbin/modinfo", &[path]);
        assert_eq!(info.stderr, "");
        let field = |name: &str| {
            let lines = info.stdout.lines().filter_map(|line| line.split_once(':'));
            let mut values = lines.filter(|(field, _)| *field == name);
            values.next().map(|(_, value)| value.trim().to_owned())
        };
        assert_eq!(field("name").as_deref(), Some("sample"));
        assert_eq!(field("license").as_deref(), Some("GPL"));
        assert_eq!(field("vermagic").as_deref(), Some(VERMAGIC.trim()));
        assert_eq!(field("retpoline").is_some(), kernel.arch == Arch::X86_64);
        if kernel.crcs.is_some() {
            let versions = tool(lab.folder(), "/sbin/modprobe", &["--dump-modversions", path]);
            let has = |line: &str| versions.stdout.lines().any(|found| found == line);
            assert!(has("0x8206d584\tregister_btf_kfunc_id_set"), "{}", versions.stdout);
            assert!(has("0x5002fa32\tmodule_layout"), "{}", versions.stdout);
            assert_eq!(
                has("0x5b8239ca\t__x86_return_thunk"),
                kernel.return_thunk && kernel.arch == Arch::X86_64
            );
        }
    }
}

#[test]
fn a_kernel_is_described_by_its_unpacked_package() {
    let (lab, app) = app(PAIR);
    let fake = FakeKernel::default();
    fake.write(lab.folder());
    let out = lab.path("sample.ko");
    let (app, from) = (app.to_str().unwrap(), lab.folder().to_str().unwrap());
    let args = ["ko", app, "--kernel-from", from, "--name", "sample", "-o", out.to_str().unwrap()];
    generate(&args).ok();
    let expected = build(Path::new(app), &kernel());
    assert_eq!(fs::read(&out).unwrap(), expected);
    // The same, from the parts.
    let vmlinux = lab.path("boot/vmlinux-9.9.9-test");
    let symvers = fake.write_symvers(&lab);
    let args = [
        "ko",
        app,
        "--vmlinux",
        vmlinux.to_str().unwrap(),
        "--vermagic",
        VERMAGIC.trim(),
        "--symvers",
        symvers.to_str().unwrap(),
        "--name",
        "sample",
        "-o",
        out.to_str().unwrap(),
    ];
    generate(&args).ok();
    assert_eq!(fs::read(&out).unwrap(), expected);
}

/// What is said of `fake` when a module is to be made for it.
#[track_caller]
fn refused(fake: &FakeKernel, options: &[&str], parts: &[&str]) {
    let (lab, app) = app(PAIR);
    fake.write(lab.folder());
    let out = lab.path("sample.ko");
    let mut args = vec!["ko", app.to_str().unwrap(), "-o", out.to_str().unwrap()];
    args.extend(["--kernel-from", lab.folder().to_str().unwrap()]);
    args.extend(options);
    generate(&args).refused(parts);
    assert!(!out.exists());
}

#[test]
fn what_contradicts_itself_is_refused() {
    let fake = FakeKernel::default;
    refused(
        &FakeKernel { module_size: 1344, ..fake() },
        &[],
        &["size 1280", "1344 in", "different"],
    );
    refused(&FakeKernel { init: 304, ..fake() }, &[], &["'init' in", "offset 312", "304 in"]);
    refused(&FakeKernel { exit: 1208, ..fake() }, &[], &["'exit' in", "offset 1200", "1208 in"]);
    refused(
        &FakeKernel { vermagic: "9.9.8-test SMP mod_unload ", ..fake() },
        &[],
        &["are of another kernel", "9.9.8-test"],
    );
    refused(&fake(), &["--vermagic", "9.9.9-test SMP"], &["--vermagic says '9.9.9-test SMP'"]);
    let lab = Lab::new();
    let symvers =
        lab.write("symvers", "0x00000001\tregister_btf_kfunc_id_set\tvmlinux\tEXPORT_SYMBOL_GPL\n");
    refused(&fake(), &["--symvers", symvers.to_str().unwrap()], &["of different kernels"]);
}

#[test]
fn what_is_missing_is_named_with_the_option_that_gives_it() {
    let fake = FakeKernel::default;
    refused(
        &FakeKernel { versions: false, ..fake() },
        &[],
        &["register_btf_kfunc_id_set", "--symvers"],
    );
    refused(&FakeKernel { vmlinux: false, ..fake() }, &[], &["--vmlinux"]);
    refused(&FakeKernel { hook: "BTF_KFUNC_HOOK_XDP", ..fake() }, &[], &["Linux 6.2 is the first"]);
    refused(&FakeKernel { cfi: true, ..fake() }, &[], &["CONFIG_CFI", "in Rust"]);
    refused(&fake(), &["--name", "a-b"], &["cannot be a module's name"]);
    let (lab, app) = app(PAIR);
    let vmlinux = lab.vmlinux(&["f"]);
    let options = ["--vmlinux", vmlinux.to_str().unwrap()];
    generate(&[&["ko", app.to_str().unwrap()][..], &options[..]].concat())
        .refused(&["no 'struct module'"]);
    let empty = lab.path("none");
    fs::create_dir(&empty).unwrap();
    generate(&["ko", app.to_str().unwrap(), "--kernel-from", empty.to_str().unwrap()])
        .refused(&["lib/modules/RELEASE", "dpkg-deb --extract"]);
}

#[test]
fn a_name_that_the_kernel_has_is_refused() {
    let fake = FakeKernel { function: "thing_free", ..FakeKernel::default() };
    refused(&fake, &[], &["functions of its own called thing_free", "--prefix"]);
}

#[test]
fn a_signature_is_one_that_openssl_and_modinfo_know() {
    let (lab, app) = app(PAIR);
    FakeKernel::default().write(lab.folder());
    let folder = lab.folder();
    tool(
        folder,
        "openssl",
        &[
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-subj",
            "/CN=sample signer",
            "-keyout",
            "key.pem",
            "-out",
            "cert.pem",
        ],
    );
    let (key, cert) = (lab.path("key.pem"), lab.path("cert.pem"));
    let out = lab.path("sample.ko");
    let mut args = vec!["ko", app.to_str().unwrap(), "--kernel-from", folder.to_str().unwrap()];
    args.extend(["--name", "sample", "-o", out.to_str().unwrap()]);
    args.extend(["--sign", key.to_str().unwrap(), cert.to_str().unwrap()]);
    generate(&args).ok();

    let signed = fs::read(&out).unwrap();
    let module = build(&app, &kernel());
    let rest = signed.strip_prefix(module.as_slice()).expect("the module comes first");
    let rest = rest.strip_suffix(module_object::SIGNATURE_MARK).expect("the mark comes last");
    let (signature, description) = rest.split_at(rest.len() - 12);
    assert_eq!(description[..8], [0, 0, 2, 0, 0, 0, 0, 0]);
    assert_eq!(description[8..], (signature.len() as u32).to_be_bytes());
    lab.write("module", &module);
    lab.write("signature", signature);
    let verify = "cms -verify -binary -inform DER -in signature -content module -certfile cert.pem -CAfile cert.pem -purpose any -out /dev/null";
    tool(folder, "openssl", &verify.split(' ').collect::<Vec<_>>());
    let info = tool(folder, "/sbin/modinfo", &[out.to_str().unwrap()]);
    for expected in ["PKCS#7", "sample signer", "sha256"] {
        assert!(info.stdout.contains(expected), "{}", info.stdout);
    }

    let absent = lab.path("absent.pem");
    let len = args.len();
    args[len - 2] = absent.to_str().unwrap();
    fs::remove_file(&out).unwrap();
    generate(&args).refused(&["failed to sign", "absent.pem"]);
    assert!(!out.exists());
}
