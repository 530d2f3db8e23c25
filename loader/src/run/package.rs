// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is handed over: everything that the runtime needs of a verified object.
//!
//! `loader run` makes it and uses it at once; `loader bundle` writes it into a file, which another
//! `loader run` reads. So there is one way from the verdict into the application.

use std::fmt;

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};
use ufunc_compile::{Signature, Value};
use ufunc_gen::metadata::Access;

use super::instructions;

/// A verified object, ready to be run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Package {
    /// Name of the object's file.
    pub(crate) object: String,
    /// Who judged it.
    pub(crate) verified: Verified,
    /// The files that programs go into or whose functions they call.
    pub(crate) files: Vec<File>,
    /// The functions that programs call.
    pub(crate) ufuncs: Vec<Ufunc>,
    pub(crate) maps: Vec<Map>,
    pub(crate) programs: Vec<Program>,
    /// The object's types, to show events and maps by.
    pub(crate) btf: Bytes,
}

/// The verdict and who gave it. There is no package of a program that was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Verified {
    /// Release of the kernel.
    pub(crate) kernel: String,
    /// Its machine, as `uname -m` has it.
    pub(crate) machine: String,
    /// The module against which calls of the application's functions were judged.
    pub(crate) module: Option<String>,
    pub(crate) verdict: Verdict,
}

/// The only verdict that is handed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    Accepted,
}

/// An executable or a shared library.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct File {
    /// Its name without folders.
    pub(crate) name: String,
    /// Its build-id, in hexadecimal.
    pub(crate) build_id: String,
}

/// A function of the application.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ufunc {
    /// What extensions call it.
    pub(crate) kfunc: String,
    /// What it does: acquire, release or plain.
    pub(crate) role: ufunc_gen::metadata::Role,
    /// What the application calls it.
    pub(crate) symbol: String,
    /// Its file, by its place among the package's.
    pub(crate) file: usize,
    /// Where its code is in the file's own address space.
    pub(crate) address: u64,
    pub(crate) parameters: Vec<Passed>,
    pub(crate) returns: Option<Passed>,
    /// The function that releases what this one acquires, by its place among the package's.
    pub(crate) released_by: Option<usize>,
}

/// A value as the C ABI passes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Passed {
    U8,
    U16,
    U32,
    U64,
    I8,
    I16,
    I32,
    I64,
    Bool,
    /// An object of the application's.
    Object,
    /// Other memory: a string or a buffer.
    Pointer,
}

impl Passed {
    /// An integer of so many bytes.
    pub(crate) fn integer(bytes: u32, signed: bool) -> Option<Passed> {
        Some(match (bytes, signed) {
            (1, false) => Passed::U8,
            (2, false) => Passed::U16,
            (4, false) => Passed::U32,
            (8, false) => Passed::U64,
            (1, true) => Passed::I8,
            (2, true) => Passed::I16,
            (4, true) => Passed::I32,
            (8, true) => Passed::I64,
            _ => return None,
        })
    }

    fn value(self) -> Value {
        let integer = |bits, signed| Value::Integer { bits, signed };
        match self {
            Passed::U8 => integer(8, false),
            Passed::U16 => integer(16, false),
            Passed::U32 => integer(32, false),
            Passed::U64 => integer(64, false),
            Passed::I8 => integer(8, true),
            Passed::I16 => integer(16, true),
            Passed::I32 => integer(32, true),
            Passed::I64 => integer(64, true),
            Passed::Bool => Value::Bool,
            Passed::Object | Passed::Pointer => Value::Pointer,
        }
    }
}

impl Ufunc {
    /// How it is called.
    pub(crate) fn signature(&self) -> Signature {
        Signature {
            parameters: self.parameters.iter().map(|passed| passed.value()).collect(),
            returns: self.returns.map(Passed::value),
        }
    }
}

/// A map, as it is when the programs begin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Map {
    pub(crate) name: String,
    pub(crate) form: MapForm,
    /// What a map of maps holds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) inner: Option<MapForm>,
    /// Types of keys and values in the package's; 0 where the object does not say.
    pub(crate) key_type: u32,
    pub(crate) value_type: u32,
    pub(crate) contents: Contents,
}

/// Of what kind a map is, and how large: the kernel's own numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MapForm {
    /// `BPF_MAP_TYPE_…`
    pub(crate) kind: u32,
    pub(crate) key_size: u32,
    pub(crate) value_size: u32,
    pub(crate) max_entries: u32,
    pub(crate) flags: u32,
    /// What `map_extra` says; for a Bloom filter, how many hashes there are.
    pub(crate) extra: u64,
    /// Where a value has its `bpf_spin_lock`.
    pub(crate) spin_lock: Option<u32>,
}

/// What is in a map at the beginning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Contents {
    /// Nothing, or zeroes.
    Empty,
    /// Global data: the only value.
    Data(Bytes),
    /// Programs by their index, each by its place among the package's.
    Programs(Vec<(u32, usize)>),
    /// Maps by their keys, each by its place among the package's.
    Maps(Vec<(Bytes, usize)>),
}

/// A program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Program {
    pub(crate) name: String,
    pub(crate) section: String,
    pub(crate) when: When,
    /// The very instructions that the kernel was given.
    pub(crate) instructions: Bytes,
    /// Their SHA-256.
    pub(crate) sha256: Bytes,
    /// What the kernel calls them: the beginning of a digest of its own.
    pub(crate) tag: Bytes,
    /// The function that gets what `bpf_throw` throws, by its first instruction.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) exception_callback: Option<usize>,
    /// What the descriptors in the instructions mean: maps, by their places.
    pub(crate) maps: Vec<(i32, usize)>,
    /// What the numbers of kfuncs in the instructions mean.
    pub(crate) kfuncs: Vec<Kfunc>,
    pub(crate) points: Vec<Point>,
}

/// When a program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum When {
    /// Before the probed instruction.
    Entry,
    /// When the probed function has returned.
    Return,
    /// Both.
    Session,
}

/// A function outside of the program, as instructions call it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kfunc {
    /// The number of its type, and the module that this is of; 0 is the kernel itself.
    pub(crate) id: i32,
    pub(crate) module: i16,
    pub(crate) meaning: Meaning,
}

/// What a kfunc stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Meaning {
    /// A function of the application, by its place among the package's.
    Ufunc(usize),
    /// One of the kernel's own, by its name.
    Kernel(String),
    /// The memory of the application itself.
    Access(Access),
}

/// Where a program goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Point {
    /// Its file, by its place among the package's.
    pub(crate) file: usize,
    /// The function as a programmer knows it; empty where there is no symbol.
    pub(crate) symbol: String,
    /// Where the function begins, in the file's own address space.
    pub(crate) start: u64,
    /// How many bytes are its own; 0 if nobody knows.
    pub(crate) size: u32,
    /// The same, and the filling behind it.
    pub(crate) room: u32,
    /// The probed instruction, counted from the start.
    pub(crate) offset: u64,
    /// What `bpf_get_attach_cookie` returns there.
    pub(crate) cookie: u64,
}

impl Point {
    /// The probed instruction, in the file's own address space.
    pub(crate) fn address(&self) -> u64 {
        self.start.wrapping_add(self.offset)
    }

    /// `add_test`, `add_test+0x4`, or the address where there is no symbol.
    pub(crate) fn name(&self) -> String {
        match (self.symbol.as_str(), self.offset) {
            ("", _) => format!("{:#x}", self.address()),
            (symbol, 0) => symbol.to_owned(),
            (symbol, offset) => format!("{symbol}+{offset:#x}"),
        }
    }
}

/// Bytes, which are written in hexadecimal.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Bytes(pub(crate) Vec<u8>);

impl Package {
    /// Fails if something in it refers to what is not there: it may come from anywhere.
    pub(crate) fn check(&self) -> Result<()> {
        let is_file = |place: usize| ensure_place(place, self.files.len(), "file");
        let is_map = |place: usize| ensure_place(place, self.maps.len(), "map");
        for file in &self.files {
            let build_id = Bytes::from_hex(&file.build_id);
            ensure!(build_id.is_some_and(|id| !id.0.is_empty()), "a file has a bad build-id");
        }
        for ufunc in &self.ufuncs {
            is_file(ufunc.file)?;
            if let Some(place) = ufunc.released_by {
                ensure_place(place, self.ufuncs.len(), "function")?;
            }
            ensure!(
                ufunc.parameters.len() <= ARGUMENTS_MAX,
                "function {} takes {} arguments",
                ufunc.symbol,
                ufunc.parameters.len()
            );
        }
        for map in &self.maps {
            match &map.contents {
                Contents::Programs(slots) => {
                    for (_, place) in slots {
                        ensure_place(*place, self.programs.len(), "program")?;
                    }
                }
                Contents::Maps(slots) => slots.iter().try_for_each(|(_, place)| is_map(*place))?,
                Contents::Empty | Contents::Data(_) => {}
            }
        }
        for program in &self.programs {
            instructions::read(&program.instructions, &program.sha256)
                .and_then(|instructions| instructions::check_tag(&instructions, &program.tag.0))
                .with_context(|| format!("program {}", program.name))?;
            program.maps.iter().try_for_each(|(_, place)| is_map(*place))?;
            for kfunc in &program.kfuncs {
                match &kfunc.meaning {
                    Meaning::Ufunc(place) => {
                        ensure_place(*place, self.ufuncs.len(), "function")?;
                    }
                    Meaning::Access(access) => access.check()?,
                    Meaning::Kernel(_) => {}
                }
            }
            for point in &program.points {
                is_file(point.file)?;
                ensure!(
                    point.size <= point.room && point.room <= ROOM_MAX,
                    "function {} has {} of {} bytes",
                    point.symbol,
                    point.size,
                    point.room
                );
            }
        }
        Ok(())
    }
}

/// The most arguments that a kfunc takes.
const ARGUMENTS_MAX: usize = 5;
/// No function is larger.
const ROOM_MAX: u32 = 64 << 20;

fn ensure_place(place: usize, count: usize, what: &str) -> Result<()> {
    ensure!(place < count, "it refers to {what} {place}, and has {count}");
    Ok(())
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl Bytes {
    /// Reads what `Display` wrote.
    pub(crate) fn from_hex(text: &str) -> Option<Bytes> {
        let digit =
            |digit: u8| char::from(digit).to_digit(16).filter(|_| !digit.is_ascii_uppercase());
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        let byte = |[high, low]: &[u8; 2]| u8::try_from(digit(*high)? << 4 | digit(*low)?).ok();
        if !rest.is_empty() {
            return None;
        }
        pairs.iter().map(byte).collect::<Option<_>>().map(Bytes)
    }
}

impl Serialize for Bytes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Bytes::from_hex(&text).ok_or_else(|| serde::de::Error::custom("bytes are not hexadecimal"))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use sha2::Digest as _;

    /// One of everything.
    pub(crate) fn package() -> Package {
        let instructions = Bytes(vec![0x95, 0, 0, 0, 0, 0, 0, 0]);
        let sha256 = instructions::sha256(&instructions.0);
        let form = MapForm {
            kind: 2,
            key_size: 4,
            value_size: 8,
            max_entries: 1,
            flags: 1024,
            extra: 0,
            spin_lock: Some(4),
        };
        let map = |name: &str, contents| Map {
            name: name.to_owned(),
            form,
            inner: None,
            key_type: 1,
            value_type: 2,
            contents,
        };
        let key = Bytes(vec![0; 4]);
        Package {
            object: "prog.bpf.o".to_owned(),
            verified: Verified {
                kernel: "6.18.0".to_owned(),
                machine: "x86_64".to_owned(),
                module: Some("ufunc".to_owned()),
                verdict: Verdict::Accepted,
            },
            files: vec![File { name: "app".to_owned(), build_id: "00ff".to_owned() }],
            ufuncs: vec![Ufunc {
                kfunc: "f".to_owned(),
                role: ufunc_gen::metadata::Role::Acquire,
                symbol: "f".to_owned(),
                file: 0,
                address: 0x1000,
                parameters: vec![Passed::I32, Passed::Bool],
                returns: Some(Passed::Pointer),
                released_by: Some(0),
            }],
            maps: vec![
                map("prog.bss", Contents::Data(Bytes(vec![0; 8]))),
                map("jumps", Contents::Programs(vec![(0, 0)])),
                Map { inner: Some(form), ..map("maps", Contents::Maps(vec![(key, 0)])) },
                map("counts", Contents::Empty),
            ],
            programs: vec![Program {
                name: "prog".to_owned(),
                section: "uprobe/app:f".to_owned(),
                when: When::Session,
                tag: Bytes(sha2::Sha256::digest(&instructions.0)[..instructions::TAG_LEN].to_vec()),
                instructions,
                sha256,
                exception_callback: Some(0),
                maps: vec![(5, 1)],
                kfuncs: vec![
                    Kfunc { id: 9, module: 1, meaning: Meaning::Ufunc(0) },
                    Kfunc { id: 7, module: 0, meaning: Meaning::Kernel("bpf_x".to_owned()) },
                    Kfunc {
                        id: 8,
                        module: 1,
                        meaning: Meaning::Access(Access::Borrow { size: 24 }),
                    },
                    Kfunc { id: 6, module: 1, meaning: Meaning::Access(Access::Put) },
                ],
                points: vec![Point {
                    file: 0,
                    symbol: "f".to_owned(),
                    start: 0x1000,
                    size: 8,
                    room: 16,
                    offset: 0,
                    cookie: 3,
                }],
            }],
            btf: Bytes(vec![1, 2, 3]),
        }
    }

    #[test]
    fn what_refers_to_nothing_is_refused() {
        let refused = |change: fn(&mut Package)| {
            let mut package = package();
            package.check().unwrap();
            change(&mut package);
            format!("{:#}", package.check().unwrap_err())
        };
        assert!(refused(|package| package.files.clear()).contains("file 0"));
        assert!(refused(|package| package.maps.truncate(1)).contains("map 1"));
        assert!(refused(|package| package.ufuncs.clear()).contains("function 0"));
        assert!(
            refused(|package| package.maps[1].contents = Contents::Programs(vec![(0, 1)]))
                .contains("program 1")
        );
        assert!(refused(|package| package.programs[0].instructions.0[1] = 1).contains("SHA-256"));
        assert!(
            refused(|package| package.programs[0].tag.0[0] ^= 1).contains("not what was judged")
        );
        assert!(refused(|package| package.programs[0].points[0].size = 17).contains("17 of 16"));
    }

    #[test]
    fn bytes_read_what_they_print() {
        let bytes = Bytes(vec![0, 0x1f, 0xff]);
        assert_eq!(bytes.to_string(), "001fff");
        assert_eq!(Bytes::from_hex("001fff"), Some(bytes));
        assert_eq!(Bytes::from_hex(""), Some(Bytes::default()));
        for bad in ["0", "0g", "1F", "é", "+1"] {
            assert_eq!(Bytes::from_hex(bad), None, "{bad}");
        }
    }

    #[test]
    fn points_are_called_as_on_the_command_line() {
        let point = Point {
            file: 0,
            symbol: "f".to_owned(),
            start: 0x1000,
            size: 8,
            room: 16,
            offset: 4,
            cookie: 0,
        };
        assert_eq!(point.name(), "f+0x4");
        assert_eq!(Point { offset: 0, ..point.clone() }.name(), "f");
        assert_eq!(Point { symbol: String::new(), ..point }.name(), "0x1004");
    }
}
