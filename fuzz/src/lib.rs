// SPDX-License-Identifier: MIT OR Apache-2.0
//! One function for each parser that takes bytes: whatever those are, it must come to an end.
//!
//! Beyond that each function asserts what holds for every input, and panics if it does not.
//! `fuzz_targets/` has libFuzzer call them, `ufunc-gen/tests/fuzz_targets.rs` a plain `cargo test`.

mod image;

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::AtomicU64;

use anyhow::Result;
use ufunc_gen::btf::check::{check, check_for};
use ufunc_gen::btf::decode::Btf;
use ufunc_gen::btf::dedup::dedup;
use ufunc_gen::btf::encode::Encoded;
use ufunc_gen::btf::fit::fit;
use ufunc_gen::btf::merge::{self, Before, Input, Prefer};
use ufunc_gen::btf::raw::Raw;
use ufunc_gen::btf::{Name, Type, TypeId};
use ufunc_gen::debugfile::sections::Sections;
use ufunc_gen::debugfile::{DebugFiles, DebugSections, Search};
use ufunc_gen::dwarf::{DebugInfo, SplitFiles};
use ufunc_gen::elf::Host;
use ufunc_gen::metadata::ModuleMetadata;
use ufunc_gen::module::{Module, rust_source};
use ufunc_gen::relocation;
use ufunc_gen::ufunc::policy::Policy;
use ufunc_gen::ufunc::{self, Choice};
use ufunc_gen::userspace::{self, minimal};

pub use image::elf_with;

/// What the input is called. No file beside it can be found.
const PATH: &str = "/nowhere/app";

/// An ELF file: headers, symbols, notes, and the sections with its debug information.
pub fn elf(data: &[u8]) {
    one_line((|| {
        let host = Host::parse(Path::new(PATH), data)?;
        one_line(host.require_extendable());
        one_line(host.build_id());
        one_line(host.notes(".note.ufunc"));
        one_line(host.notes(".note.gnu.build-id"));
        host.functions();
        one_line(ufunc::annotation::read(&host));
        let search = nowhere();
        let files = DebugFiles::find(&host, &search)?;
        one_line(files.functions(&host));
        let sections = files.load()?;
        one_line(sections.main_lines());
        one_line(SplitFiles::find(&host, &files, &search, &sections));
        one_line(DebugInfo::new(&sections, &SplitFiles::default()));
        Ok(())
    })());
}

/// An ELF file, or what [`sections`] makes one of: all its types, and a module.
pub fn dwarf(data: &[u8]) {
    let made = sections(data);
    let data = made.as_deref().unwrap_or(data);
    one_line((|| {
        let host = Host::parse(Path::new(PATH), data)?;
        let search = nowhere();
        let files = DebugFiles::find(&host, &search)?;
        let sections = files.load()?;
        let split = SplitFiles::find(&host, &files, &search, &sections)?;
        one_line(userspace_btf(&files.sections(&host)?, &sections, &split));
        if let Err(error) = module(&host, &sections, &split) {
            // What is wrong with several functions is a list.
            format!("{error:#}").split('\n').for_each(assert_printable);
        }
        Ok(())
    })());
}

/// The debug sections that `data` stands for, if it is no ELF file: a NUL, the lengths of
/// `.debug_abbrev` and `.debug_str` (little-endian, 16 bits each), these two, and `.debug_info`.
///
/// What is inserted then moves no other section, so that libFuzzer gets further.
fn sections(data: &[u8]) -> Option<Vec<u8>> {
    let (&[0, a0, a1, s0, s1], rest) = data.split_first_chunk()? else { return None };
    let abbrev = usize::from(u16::from_le_bytes([a0, a1]));
    let (abbrev, rest) = rest.split_at_checked(abbrev)?;
    let (str, info) = rest.split_at_checked(usize::from(u16::from_le_bytes([s0, s1])))?;
    Some(elf_with(&[(".debug_abbrev", abbrev), (".debug_str", str), (".debug_info", info)]))
}

/// What `ufunc-gen btf` does. What can be read can be written, and the kernel accepts it.
fn userspace_btf(
    memory: &Sections<'_>,
    sections: &DebugSections<'_>,
    split: &SplitFiles,
) -> Result<()> {
    let debug = debug_info(sections, split)?;
    let options = userspace::Options { functions: true, variables: true };
    let userspace = userspace::read(&debug, &options, &AtomicU64::new(0))?;
    let mut btf = userspace.btf(memory);
    btf.mend();
    let (types, pointer) = (btf.types, btf.pointer);
    check_for(&types, pointer).expect("types of debug information are the kernel's");
    let bytes = Encoded::new(&types, 0).and_then(|encoded| encoded.to_bytes());
    let bytes = bytes.expect("types of debug information fit into BTF");
    let again = Btf::parse(&bytes).expect("what was written can be read");
    assert_eq!(again.types().filter_map(Result::ok).count(), types.len());
    if let Some(name) = types.iter().map(Type::name).find(|name| !name.is_empty()) {
        let name = name.to_string();
        let kept = minimal::keep_named(types, &[name]).expect("a name that is there is found");
        check_for(&kept, pointer).expect("what a type leads to is whole");
    }
    Ok(())
}

/// What `ufunc-gen` without a subcommand does.
fn module(host: &Host<'_>, sections: &DebugSections<'_>, split: &SplitFiles) -> Result<()> {
    let debug = debug_info(sections, split)?;
    let choice = Choice { infer: true, ..Choice::default() };
    let chosen = ufunc::choose(host, &host.functions(), &debug, &choice)?;
    rust_source::write(&Module::new(host, &debug, chosen.ufuncs, chosen.accessors)?).map(drop)
}

fn debug_info<'a>(sections: &'a DebugSections<'_>, split: &'a SplitFiles) -> Result<DebugInfo<'a>> {
    let mut debug = DebugInfo::new(sections, split)?;
    // Threads would only make it slower: inputs are small, and there are others at the same time.
    debug.set_jobs(NonZeroUsize::MIN);
    Ok(debug)
}

/// BTF: read in both ways, checked, changed and written.
pub fn btf(data: &[u8]) {
    let raw = one_line(Raw::parse(data));
    let types = one_line((|| {
        let btf = Btf::parse(data)?;
        one_line(btf.end());
        one_line(ModuleMetadata::read(&btf));
        one_line(relocation::named_types(&btf));
        btf.types().map(|item| Ok(item?.1)).collect::<Result<Vec<_>>>()
    })());
    if let Some(split) = Btf::parse(data).ok().and_then(|btf| Btf::parse_split(data, &btf).ok()) {
        split.types().for_each(|item| drop(one_line(item)));
    }
    let Some(mut types) = types else { return };
    if let Some(raw) = raw {
        assert_eq!(raw.len(), types.len(), "both readers find the same types");
    }
    one_line(check(&types));
    // Names that are no UTF-8 become others, and those can be written. Only tags have no name
    // twice, and what has neither name nor number is lost: so the second time nothing changes.
    if let Some(bytes) = one_line(Encoded::new(&types, 0).and_then(|encoded| encoded.to_bytes())) {
        let again = Btf::parse(&bytes).expect("what was written can be read");
        let again: Vec<_> = again.types().map(|item| item.expect("a whole type").1).collect();
        assert_eq!(again.len(), types.len());
        let second = Encoded::new(&again, 0).and_then(|encoded| encoded.to_bytes());
        assert_eq!(second.ok(), Some(bytes), "reading and writing changes nothing");
    }
    // Both take ids for granted, as the kernel's check is made behind them.
    let count = types.len() as u32;
    for ty in &mut types {
        ty.for_each_ref_mut(|id| *id = TypeId(id.0 % (count + 1)));
    }
    let was_sound = check(&types).is_ok();
    let (mut merged, ids) = dedup(types, 1);
    assert_eq!(ids.len(), count as usize);
    assert!(!was_sound || check(&merged).is_ok(), "equal types that are one stay sound");
    fit(&mut merged, 1);
    let fitted = check(&merged);
    assert!(!was_sound || fitted.is_ok(), "what is sound stays sound: {fitted:?}");
}

/// Two or three BTFs as one: a byte with options, two lengths (little-endian, 16 bits), and the BTFs
/// of these lengths, with what is left as the last.
pub fn merge(data: &[u8]) {
    let Some((&[options, a, b, c, d], rest)) = data.split_first_chunk() else { return };
    let base_len = usize::from(u16::from_le_bytes([a, b]));
    let more_len = usize::from(u16::from_le_bytes([c, d]));
    let Some((base, rest)) = rest.split_at_checked(base_len) else { return };
    let Some((more, last)) = rest.split_at_checked(more_len) else { return };
    one_line((|| {
        let input = |label: &'static str, bytes, before| {
            Ok::<_, anyhow::Error>(Input {
                label,
                stem: label.to_owned(),
                btf: Raw::parse(bytes)?,
                before,
            })
        };
        let prefers = [Prefer::More, Prefer::Base, Prefer::None, Prefer::Error];
        let settings = merge::Options {
            dedup: options & 1 == 0,
            prefer: prefers[usize::from(options >> 1 & 3)],
            keep_base: vec!["kept".to_owned()],
            details: usize::from(options >> 5),
            ambiguous: options >> 5 != 0,
        };
        let mut inputs = Vec::new();
        let mut all = vec![base, more];
        match options >> 3 & 3 {
            0 => inputs.push(input("more", more, Before::Nothing)?),
            1 => inputs.push(input("more", more, Before::Base)?),
            2 => {
                let distilled = Before::Distilled(Raw::parse(last)?);
                inputs.push(input("more", more, distilled)?);
            }
            _ => {
                inputs.push(input("more", more, Before::Nothing)?);
                inputs.push(input("last", last, Before::Nothing)?);
                all.push(last);
            }
        }
        let merged = merge::merge(input("base", base, Before::Nothing)?, inputs, &settings)?;
        let bytes = merged.btf.to_bytes();
        let raw = Raw::parse(&bytes).expect("what was merged can be read");
        assert_eq!(raw.len(), merged.types);
        let stand_alone = matches!(options >> 3 & 3, 0 | 3);
        if stand_alone && all.iter().all(|bytes| is_sound(bytes)) {
            let sound = sound_types(&bytes);
            assert!(sound.is_ok(), "sound types that are merged stay sound: {sound:?}");
        }
        Ok(())
    })());
}

fn is_sound(bytes: &[u8]) -> bool {
    sound_types(bytes).is_ok()
}

fn sound_types(bytes: &[u8]) -> Result<()> {
    let types = Btf::parse(bytes)?.types().map(|item| Ok(item?.1)).collect::<Result<Vec<_>>>()?;
    check(&types)
}

/// The text of a policy.
pub fn policy(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Err(error) = Policy::parse("policy.toml", text) {
        assert!(format!("{error:#}").contains("policy.toml"), "{error:#}");
    }
    // Names that a policy may ask for.
    let name = Name::Borrowed(text);
    let name = ufunc_gen::ident::btf_name(name);
    assert!(name.is_empty() || ufunc_gen::ident::is_identifier(&name), "{name:?}");
}

/// Nowhere but where the file itself says.
fn nowhere() -> Search {
    Search { debug_dirs: Vec::new() }
}

/// Asserts that an error says something, in a line, without anything that a terminal obeys.
fn one_line<T>(result: Result<T>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(error) => {
            assert_printable(&format!("{error:#}"));
            None
        }
    }
}

fn assert_printable(line: &str) {
    assert!(!line.is_empty() && !line.contains(char::is_control), "{line:?}");
}
