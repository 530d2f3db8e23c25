// SPDX-License-Identifier: MIT OR Apache-2.0
//! One attempt to load one program: the only place that talks to libbpf.

use std::ffi::{CStr, c_char};
use std::io;
use std::path::Path;
use std::ptr::{self, NonNull};

use anyhow::{Context as _, Result, anyhow, bail};
use libbpf_rs::libbpf_sys;
use libbpf_rs::{AsRawLibbpf as _, MapType, ObjectBuilder, OpenObject};
use memmap2::MmapMut;

use crate::interrupt;
use crate::map_memory;
use crate::messages::{self, Detail, Message, capture};
use crate::object::BpfObject;
use crate::report::Facts;
use crate::source::{LineTable, SourceLine};

/// What the kernel is to write to the log, `BPF_LOG_*` in its `include/linux/bpf_verifier.h`.
pub(crate) mod log_level {
    /// The failing path, instruction by instruction.
    pub(crate) const PATH: u32 = 1;
    /// Every path, with more of the verifier's own thoughts.
    pub(crate) const EVERYTHING: u32 = 2;
    /// The numbers at the end.
    pub(crate) const STATISTICS: u32 = 4;
}

/// Size of the log buffer to begin with. The pages are not touched before the kernel writes them,
/// so a generous size costs nothing.
const LOG_SIZE: usize = 16 << 20;
/// Largest log that the kernel writes, `UINT_MAX >> 2`.
const LOG_SIZE_MAX: usize = (u32::MAX >> 2) as usize;

/// A program of the object, before anything was loaded.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) index: usize,
    pub(crate) name: String,
    pub(crate) section: String,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The kernel has the program.
    Loaded,
    /// It did not come to the kernel: relocation, BTF or maps failed.
    NotPrepared { errno: i32 },
    /// The kernel did not take it.
    Refused { errno: i32 },
}

/// One attempt to load a program.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) outcome: Outcome,
    /// What the verifier printed, whole.
    pub(crate) log: String,
    /// Source lines of the program as the kernel was given it.
    pub(crate) lines: LineTable,
    /// What the program is.
    pub(crate) facts: Facts,
    /// What libbpf said.
    pub(crate) messages: Vec<Message>,
}

/// How loading a program went.
struct Load {
    outcome: Outcome,
    lines: LineTable,
    facts: Facts,
}

/// The programs of `object`, also those that libbpf does not load by default.
///
/// Fails if libbpf cannot read the object, with its reason.
pub(crate) fn programs(object: &BpfObject) -> Result<Vec<Program>> {
    let (opened, messages) = capture(Detail::Needed, || open(object, None));
    let opened = opened.map_err(|error| match messages::reasons(&messages) {
        Some(reasons) => anyhow!(reasons),
        None => error.context("libbpf cannot read it"),
    })?;
    let programs = opened.progs().enumerate().map(|(index, program)| Program {
        index,
        name: program.name().to_string_lossy().into_owned(),
        section: program.section().to_string_lossy().into_owned(),
    });
    Ok(programs.collect())
}

/// A map that an object defines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MapDefinition {
    pub(crate) name: String,
    /// Its type in libbpf's words, `percpu_hash`.
    pub(crate) kind: String,
    /// The type of the maps in it.
    pub(crate) inner: Option<String>,
    /// Whether libbpf made it of the object's global variables.
    pub(crate) is_internal: bool,
}

/// The maps that `object` defines.
pub(crate) fn map_definitions(object: &BpfObject) -> Result<Vec<MapDefinition>> {
    let (opened, _) = capture(Detail::Needed, || open(object, None));
    let mut opened = opened.context("libbpf cannot read the object")?;
    let maps = opened.maps_mut().map(|map| {
        let name = map.name().to_string_lossy().into_owned();
        let raw = map.as_libbpf_object().as_ptr();
        // SAFETY: the map belongs to `opened`, and so does the inner one, if there is one; the
        // functions only read them.
        let (kind, inner, is_internal) = unsafe {
            let inner = libbpf_sys::bpf_map__inner_map(raw);
            let inner = (!inner.is_null()).then(|| libbpf_sys::bpf_map__type(inner));
            (libbpf_sys::bpf_map__type(raw), inner, libbpf_sys::bpf_map__is_internal(raw))
        };
        let named = |kind| map_type_name(kind).unwrap_or_else(|| format!("#{kind}"));
        MapDefinition { name, kind: named(kind), inner: inner.map(named), is_internal }
    });
    Ok(maps.collect())
}

/// The names of all types of maps that libbpf knows.
pub(crate) fn map_type_names() -> Vec<String> {
    // 0 stands for none.
    (1..).map_while(map_type_name).collect()
}

fn map_type_name(kind: u32) -> Option<String> {
    // SAFETY: libbpf answers any number, with a string that is always there or with NULL.
    let name = unsafe { static_text(libbpf_sys::libbpf_bpf_map_type_str(kind)) };
    Some(name).filter(|name| !name.is_empty())
}

impl Attempt {
    /// Loads `program` of `object`, and nothing else of it, with that log level. It is fitted to
    /// the types in the file `types`, or else to those of the kernel and its modules.
    ///
    /// The program is gone again when this returns. Fails only where there is no telling what
    /// happened: no memory for the log, or an object that suddenly cannot be opened any more.
    pub(crate) fn new(
        object: &BpfObject,
        program: &Program,
        types: Option<&Path>,
        log_level: u32,
        detail: Detail,
    ) -> Result<Attempt> {
        let mut log_size = LOG_SIZE;
        loop {
            interrupt::checkpoint();
            let mut log = log_buffer(log_size)?;
            let load = || load(object, program, types, log_level, &mut log);
            let (loaded, mut messages) = capture(detail, load);
            let Load { outcome, lines, facts } = loaded?;
            let log = log_text(&log);
            let is_full = log.len() + 1 >= log_size;
            let log = object.in_own_names(log);
            messages::in_own_names(&mut messages, object);
            let is_cut_off = is_full && outcome == Outcome::Refused { errno: ENOSPC };
            if is_cut_off && log_size < LOG_SIZE_MAX {
                log_size = log_size.saturating_mul(4).min(LOG_SIZE_MAX);
                continue;
            }
            return Ok(Attempt { outcome, log, lines, facts, messages });
        }
    }
}

/// The kernel's answer when the log did not fit.
const ENOSPC: i32 = 28;

fn log_buffer(size: usize) -> Result<MmapMut> {
    MmapMut::map_anon(size)
        .with_context(|| format!("failed to allocate {size} bytes for the verifier's log"))
}

fn log_text(log: &[u8]) -> String {
    let end = memchr::memchr(0, log).unwrap_or(log.len());
    String::from_utf8_lossy(&log[..end]).into_owned()
}

fn open(object: &BpfObject, types: Option<&Path>) -> Result<OpenObject> {
    let mut builder = ObjectBuilder::default();
    if let Some(types) = types {
        builder.btf_custom_path(types)?;
    }
    let opened = builder.name(object.name())?.open_memory(&object.bytes)?;
    Ok(opened)
}

/// Opens `object` afresh and loads `program` of it.
fn load(
    object: &BpfObject,
    program: &Program,
    types: Option<&Path>,
    log_level: u32,
    log: &mut [u8],
) -> Result<Load> {
    // Declared after `log` was borrowed: it is closed before the buffer can go away.
    let mut opened = open(object, types).context("failed to open the object again")?;
    let Some(raw_program) = select(&mut opened, program.index, log_level) else {
        bail!("program {} is gone from the object", program.name)
    };
    map_memory::check(&opened)?;
    forget_pins(&mut opened)?;
    mend_event_maps(&mut opened)?;
    let raw = opened.as_libbpf_object().as_ptr();
    // SAFETY: `raw_program` belongs to `opened`, which is open and not loaded. libbpf keeps the
    // pointer to `log` until `opened` is closed at the end of this function, and the borrow of
    // `log` lasts longer; nothing else touches the buffer meanwhile.
    let errno = unsafe {
        let log_ptr = log.as_mut_ptr().cast::<c_char>();
        libbpf_sys::bpf_program__set_log_buf(raw_program.as_ptr(), log_ptr, log.len() as u64)
    };
    if errno != 0 {
        return Err(io::Error::from_raw_os_error(-errno)).context("failed to set the log buffer");
    }
    // SAFETY: `raw` is the open object that `opened` owns, not prepared or loaded before.
    let prepared = unsafe { libbpf_sys::bpf_object__prepare(raw) };
    if prepared != 0 {
        return Ok(Load {
            outcome: Outcome::NotPrepared { errno: -prepared },
            lines: LineTable::default(),
            facts: facts(raw_program),
        });
    }
    let lines = line_table(&opened, raw_program);
    // SAFETY: as above, and prepared. Whether it succeeds or not, the object may be closed
    // afterwards, which is all that `opened` still does.
    let loaded = unsafe { libbpf_sys::bpf_object__load(raw) };
    // SAFETY: `raw_program` lives as long as `opened`.
    let fd = unsafe { libbpf_sys::bpf_program__fd(raw_program.as_ptr()) };
    let outcome = match (loaded, fd) {
        (0, fd) if fd >= 0 => Outcome::Loaded,
        (0, fd) => Outcome::Refused { errno: -fd },
        (error, _) => Outcome::Refused { errno: -error },
    };
    Ok(Load { outcome, lines, facts: facts(raw_program) })
}

/// What `program`, whose object is open, is: whether it was loaded or not.
fn facts(program: NonNull<libbpf_sys::bpf_program>) -> Facts {
    let program = program.as_ptr();
    // SAFETY: the program belongs to an object that is open; these only read what it holds.
    let (insns, program_type, attach_type, fd) = unsafe {
        (
            libbpf_sys::bpf_program__insn_cnt(program),
            libbpf_sys::bpf_program__type(program),
            libbpf_sys::bpf_program__expected_attach_type(program),
            libbpf_sys::bpf_program__fd(program),
        )
    };
    // SAFETY: libbpf answers any number, with a string that is always there or with NULL.
    let (program_type, attach_type) = unsafe {
        (
            static_text(libbpf_sys::libbpf_bpf_prog_type_str(program_type)),
            static_text(libbpf_sys::libbpf_bpf_attach_type_str(attach_type)),
        )
    };
    Facts { insns, jited: jited(fd).unwrap_or_default(), program_type, attach_type }
}

/// # Safety
///
/// `text` is NULL or a C string that stays.
unsafe fn static_text(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: it is a C string, as the caller says.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// Bytes of machine code of the loaded program `fd`.
fn jited(fd: i32) -> Option<u64> {
    if fd < 0 {
        return None;
    }
    let mut info = libbpf_sys::bpf_prog_info::default();
    let mut size = size_of_val(&info) as u32;
    // SAFETY: `info` is the kernel's struct and has `size` bytes, of which the kernel fills in those
    // that it knows. All pointers in it are NULL, so that it writes nowhere else.
    let error = unsafe { libbpf_sys::bpf_prog_get_info_by_fd(fd, &mut info, &mut size) };
    (error == 0).then_some(u64::from(info.jited_prog_len))
}

/// Leaves the program at `index` as the only one to be loaded.
fn select(
    opened: &mut OpenObject,
    index: usize,
    log_level: u32,
) -> Option<NonNull<libbpf_sys::bpf_program>> {
    let mut selected = None;
    for (at, mut program) in opened.progs_mut().enumerate() {
        program.set_autoload(at == index);
        if at == index {
            program.set_log_level(log_level);
            selected = Some(program.as_libbpf_object());
        }
    }
    selected
}

/// Has libbpf create every map afresh: judging an object must not leave maps pinned behind, nor
/// touch those that a running one has pinned.
fn forget_pins(opened: &mut OpenObject) -> Result<()> {
    for map in opened.maps_mut() {
        // SAFETY: the map belongs to `opened`, which is not loaded yet; no path is what libbpf
        // documents for "do not pin".
        let error = unsafe {
            libbpf_sys::bpf_map__set_pin_path(map.as_libbpf_object().as_ptr(), ptr::null())
        };
        if error != 0 {
            return Err(io::Error::from_raw_os_error(-error)).context("failed to unset a pin path");
        }
    }
    Ok(())
}

/// Ring buffers and perf event arrays may declare the type of their events: the kernel wants to
/// hear nothing of it.
pub(crate) fn mend_event_maps(opened: &mut OpenObject) -> Result<()> {
    const DESCRIPTOR_LEN: u32 = size_of::<i32>() as u32;
    for mut map in opened.maps_mut() {
        let sizes = match map.map_type() {
            MapType::RingBuf => (0, 0),
            MapType::PerfEventArray => (DESCRIPTOR_LEN, DESCRIPTOR_LEN),
            _ => continue,
        };
        if (map.key_size(), map.value_size()) != sizes {
            map.set_key_size(sizes.0)
                .and_then(|()| map.set_value_size(sizes.1))
                .with_context(|| format!("failed to set the sizes of map {:?}", map.name()))?;
        }
    }
    Ok(())
}

/// The source lines of `program`'s instructions, subprograms and relocations in place.
fn line_table(opened: &OpenObject, program: NonNull<libbpf_sys::bpf_program>) -> LineTable {
    // SAFETY: `program` belongs to `opened`.
    let (info, count) = unsafe {
        (
            libbpf_sys::bpf_program__line_info(program.as_ptr()),
            libbpf_sys::bpf_program__line_info_cnt(program.as_ptr()),
        )
    };
    // SAFETY: `opened` owns the object; its BTF, if any, lives as long.
    let btf = unsafe { libbpf_sys::bpf_object__btf(opened.as_libbpf_object().as_ptr()) };
    if info.is_null() || btf.is_null() {
        return LineTable::default();
    }
    // SAFETY: libbpf's array has `count` records of this type (it returns NULL for records of
    // another size) and stays in place until the object is loaded.
    let records = unsafe { std::slice::from_raw_parts(info, count as usize) };
    let string = |offset: u32| {
        // SAFETY: `btf` is valid, see above; libbpf returns NULL for an offset outside of the
        // strings, and strings that end with a NUL, which it checked when it read the BTF.
        let text = unsafe {
            let text = libbpf_sys::btf__str_by_offset(btf, offset);
            (!text.is_null()).then(|| CStr::from_ptr(text))
        };
        text.map(|text| text.to_string_lossy().into_owned()).unwrap_or_default()
    };
    let row = |record: &libbpf_sys::bpf_line_info| {
        let (file, text) = (string(record.file_name_off), string(record.line_off));
        let line = SourceLine::packed(file, text, record.line_col);
        (record.insn_off, line)
    };
    LineTable::new(records.iter().map(row).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_ends_at_its_nul() {
        assert_eq!(log_text(b"abc\0def"), "abc");
        assert_eq!(log_text(b"abc"), "abc");
        assert_eq!(log_text(b""), "");
    }
}
