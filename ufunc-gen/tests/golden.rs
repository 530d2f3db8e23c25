// SPDX-License-Identifier: MIT OR Apache-2.0
//! Golden tests: what `ufunc-gen` writes for applications that are the same on every machine.
//!
//! | in `tests/golden/` | |
//! | --- | --- |
//! | `NAME.c` | an application's source |
//! | `NAME.s` | what a compiler made of it; its first line says of which source, and how |
//! | `NAME.rs` | the module source that is expected |
//! | `link.ld` | where everything goes |
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

mod common;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use common::{Lab, generate, include_folder, tool};

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
fn every_file_belongs_to_an_application() {
    let mut known = vec!["link.ld".to_owned()];
    for golden in [PAIR, FAMILIES, ZOO, NAMES] {
        known.push(format!("{}.rs", golden.name));
        known.extend(golden.sources.iter().flat_map(|s| [format!("{s}.c"), format!("{s}.s")]));
    }
    for entry in fs::read_dir(folder()).unwrap() {
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

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

impl Golden {
    /// Builds the application, and compares the module that is written for it.
    #[track_caller]
    fn check(&self) {
        let lab = Lab::new();
        let objects: Vec<_> =
            self.sources.iter().map(|source| self.assemble(&lab, source)).collect();
        let script = folder().join("link.ld");
        let mut link = vec!["-static", "-e", "0", "-T", script.to_str().unwrap()];
        // Different for each, and nothing that anybody could take for a real one.
        let build_id = format!("--build-id=0x{:016x}", fingerprint(self.name.as_bytes()));
        link.extend([build_id.as_str(), "-o", self.name]);
        link.extend(objects.iter().map(String::as_str));
        tool(lab.folder(), "ld", &link);

        // Not compared with the kernel that runs here: the result must not depend on it.
        let written = lab.path("written.rs");
        let app = lab.path(self.name);
        generate(&[app.as_os_str(), "-o".as_ref(), written.as_os_str()]).ok();
        let written = fs::read_to_string(written).unwrap();
        let expected = folder().join(format!("{}.rs", self.name));
        if renew() != Renew::Nothing {
            fs::write(&expected, &written).unwrap();
        }
        generate(&[app.as_os_str(), "--check".as_ref(), expected.as_os_str()]).ok();
        assert_eq!(fs::read_to_string(&expected).unwrap(), written);
    }

    /// Assembles `source`, after it was compiled anew if that was asked for.
    #[track_caller]
    fn assemble(&self, lab: &Lab, source: &str) -> String {
        let assembly = folder().join(format!("{source}.s"));
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
            "{source}.s was not made from this {source}.c in this way ({mark}): UFUNC_RENEW_GOLDEN=1 renews it"
        );
        let object = format!("{source}.o");
        tool(lab.folder(), "as", &["--64", "-o", &object, assembly.to_str().unwrap()]);
        object
    }

    /// First line of the assembly: what it was made from, and how.
    fn mark(&self, source: &str) -> String {
        let text = fs::read(folder().join(format!("{source}.c"))).unwrap();
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
        fs::copy(folder().join(&file), lab.path(&file)).unwrap();
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

/// FNV-1a: enough to see that a file has changed.
fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
