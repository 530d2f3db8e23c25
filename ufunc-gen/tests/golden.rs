// SPDX-License-Identifier: MIT OR Apache-2.0
//! Golden tests: what `ufunc-gen` writes for applications that are the same on every machine.
//!
//! | in `tests/golden/` | |
//! | --- | --- |
//! | `NAME.c` | an application's source |
//! | `NAME.asm` | what a compiler made of it; its first line says of which source, and how |
//! | `NAME.toml` | the policy that it is written with, if there is one |
//! | `NAME.rs` | the module source that is expected |
//! | `link.ld` | where everything goes |
//!
//! (Not `.s`: `make clean` of a kernel module removes those, wherever they are.)
//!
//! The assembly is committed, so that no compiler's version matters; `as` and `ld` turn it into a
//! static executable at fixed addresses with a fixed build-id, when the test runs.
//!
//! To renew what is expected, and the assembly of every source that has changed:
//!
//! ```text
//! UFUNC_RENEW_GOLDEN=1 cargo test -p ufunc-gen --test golden
//! ```
//!
//! `UFUNC_RENEW_GOLDEN=all` makes the whole assembly anew, with the compilers of this machine.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use std::env;
use std::fs;
use std::path::Path;

use common::{Lab, fingerprint, generate, golden_app, golden_folder, include_folder, tool};

/// An application, and what it is built from.
struct Golden {
    name: &'static str,
    compiler: &'static str,
    dwarf: &'static str,
    /// Its sources, without `.c`.
    sources: &'static [&'static str],
}

const PAIR: Golden =
    Golden { name: "pair", compiler: "gcc", dwarf: "-gdwarf-5", sources: &["pair"] };
const FAMILIES: Golden =
    Golden { name: "families", compiler: "clang", dwarf: "-gdwarf-5", sources: &["families"] };
const ZOO: Golden =
    Golden { name: "zoo", compiler: "gcc", dwarf: "-gdwarf-4", sources: &["zoo", "zoo_hidden"] };
const NAMES: Golden =
    Golden { name: "names", compiler: "gcc", dwarf: "-gdwarf-5", sources: &["names"] };
const GRANTS: Golden =
    Golden { name: "grants", compiler: "gcc", dwarf: "-gdwarf-5", sources: &["grants"] };

const ARGUMENTS: Golden =
    Golden { name: "arguments", compiler: "gcc", dwarf: "-gdwarf-5", sources: &["arguments"] };

#[test]
fn a_pair_found_by_inference() {
    PAIR.check();
}

#[test]
fn two_families_on_one_struct_and_plain_functions() {
    FAMILIES.check();
}

#[test]
fn types_of_every_kind() {
    ZOO.check();
}

#[test]
fn names_that_mean_something_to_rust() {
    NAMES.check();
}

#[test]
fn views_and_fields_that_a_policy_grants() {
    GRANTS.check();
}

#[test]
fn arguments_that_a_policy_tells_of() {
    ARGUMENTS.check();
}

#[test]
fn every_file_belongs_to_an_application() {
    let mut known = vec!["link.ld".to_owned()];
    for golden in [PAIR, FAMILIES, ZOO, NAMES, GRANTS, ARGUMENTS] {
        known.extend([format!("{}.rs", golden.name), format!("{}.toml", golden.name)]);
        known.extend(golden.sources.iter().flat_map(|s| [format!("{s}.c"), format!("{s}.asm")]));
    }
    for entry in fs::read_dir(golden_folder()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(known.contains(&name), "tests/golden/{name} belongs to no test");
    }
}

/// What is renewed.
#[derive(Clone, Copy, PartialEq)]
enum Renew {
    Nothing,
    Changed,
    All,
}

fn renew() -> Renew {
    match env::var("UFUNC_RENEW_GOLDEN").as_deref() {
        Err(_) | Ok("" | "0") => Renew::Nothing,
        Ok("1") => Renew::Changed,
        Ok("all") => Renew::All,
        Ok(other) => panic!("UFUNC_RENEW_GOLDEN={other}: known are 1 and all"),
    }
}

impl Golden {
    /// Builds the application, and compares the module that is written for it.
    #[track_caller]
    fn check(&self) {
        let lab = Lab::new();
        for source in self.sources {
            self.refresh(&lab, source);
        }
        let app = golden_app(&lab, self.name, self.sources);

        // Names are not compared with the kernel that runs here, but with one that has none.
        let vmlinux = lab.vmlinux(&[]);
        let mut args = vec![app.as_os_str(), "--vmlinux".as_ref(), vmlinux.as_os_str()];
        let policy = golden_folder().join(format!("{}.toml", self.name));
        if policy.exists() {
            args.extend(["--policy".as_ref(), policy.as_os_str()]);
        }
        let written = generate(&args).ok().stdout;
        let expected = golden_folder().join(format!("{}.rs", self.name));
        if renew() != Renew::Nothing {
            fs::write(&expected, &written).unwrap();
        }
        let check = ["--check".as_ref(), expected.as_os_str()];
        generate(&[&args[..], &check].concat()).ok();
        assert_eq!(fs::read_to_string(&expected).unwrap(), written);
    }

    /// Compiles `source` anew if that was asked for; fails if its assembly is another source's.
    #[track_caller]
    fn refresh(&self, lab: &Lab, source: &str) {
        let assembly = golden_folder().join(format!("{source}.asm"));
        let mark = self.mark(source);
        let is_fresh = || {
            let text = fs::read_to_string(&assembly).unwrap_or_default();
            text.lines().next() == Some(&mark)
        };
        let renew = renew();
        if renew == Renew::All || (renew == Renew::Changed && !is_fresh()) {
            self.compile(lab, source, &assembly, &mark);
        }
        assert!(
            is_fresh(),
            "{source}.asm was not made from this {source}.c in this way ({mark}): UFUNC_RENEW_GOLDEN=1 renews it"
        );
    }

    /// First line of the assembly: what it was made from, and how.
    fn mark(&self, source: &str) -> String {
        let text = fs::read(golden_folder().join(format!("{source}.c"))).unwrap();
        let header = fs::read(include_folder().join("ufunc.h")).unwrap();
        let print = fingerprint(&[text, header].concat());
        format!("# {source}.c {print:016x}: {} {}", self.compiler, self.flags().join(" "))
    }

    fn flags(&self) -> Vec<&'static str> {
        let mut flags = vec!["-std=gnu11", "-O2", self.dwarf, "-falign-functions=64"];
        flags.extend(["-fno-asynchronous-unwind-tables", "-fno-pic", "-fcf-protection=none"]);
        match self.compiler {
            "clang" => flags.push("-fno-addrsig"),
            _ => flags.push("-gno-record-gcc-switches"),
        }
        flags
    }

    fn compile(&self, lab: &Lab, source: &str, assembly: &Path, mark: &str) {
        // In a folder with nothing but the sources, whose path the debug information then omits.
        let file = format!("{source}.c");
        fs::copy(golden_folder().join(&file), lab.path(&file)).unwrap();
        fs::copy(include_folder().join("ufunc.h"), lab.path("ufunc.h")).unwrap();
        let root = lab.folder().canonicalize().unwrap();
        let map = format!("-ffile-prefix-map={}=.", root.display());
        let debug_map = format!("-fdebug-prefix-map={}=.", root.display());
        let mut args = self.flags();
        args.extend([map.as_str(), debug_map.as_str(), "-I.", "-S", "-o", "out.s", &file]);
        tool(&root, self.compiler, &args);
        let text = fs::read_to_string(root.join("out.s")).unwrap();
        assert!(!text.contains(root.to_str().unwrap()), "the assembly names this machine's paths");
        let spdx = "# SPDX-License-Identifier: MIT OR Apache-2.0";
        fs::write(assembly, format!("{mark}\n{spdx}\n{text}")).unwrap();
    }
}
