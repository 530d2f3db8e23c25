// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which programs are attached to what, and detaching them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use libbpf_rs::query::{LinkInfo, LinkTypeInfo, PerfEventType};
use libbpf_rs::{ProgramHandle, ProgramType};
use serde::Serialize;

use crate::attach::symbols::Binary;
use crate::attach::{self, raw};
use crate::report::human::printable;
use crate::report::list;
use crate::run::{self, Running};

/// Where the kernel lists the file systems that are mounted.
const MOUNTS: &str = "/proc/self/mounts";

/// A link: a program, attached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ListedLink {
    /// Its number.
    pub id: u32,
    /// What the program is put on, `uprobe`.
    pub kind: String,
    /// Number of the program.
    pub program_id: u32,
    /// Name of the program, as far as the kernel keeps it (15 bytes).
    pub program: Option<String>,
    /// Where it goes, in words.
    pub target: String,
    /// The file that it is put on.
    pub file: Option<PathBuf>,
    /// Where in that file: symbol and offset as far as they are known.
    pub places: Vec<ListedPlace>,
    /// The only process in which it runs, if the kernel says it.
    pub pid: Option<u32>,
    /// What the program gets as its cookie.
    pub cookie: Option<u64>,
    /// Where it is pinned.
    pub pins: Vec<PathBuf>,
    /// The processes that hold it.
    pub held_by: Vec<u32>,
}

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ListedPlace {
    /// Bytes from the file's start.
    pub file_offset: u64,
    /// `add_test+0x4`.
    pub symbol: Option<String>,
}

/// The document that `list --json` prints.
#[derive(Debug, Serialize)]
struct Document<'a> {
    links: &'a [ListedLink],
    running: &'a [Running],
}

/// All links, or those that are pinned at `path` or below it.
pub fn list_links(path: Option<&Path>) -> Result<Vec<ListedLink>> {
    if let Some(path) = path {
        fs::metadata(path).with_context(|| format!("failed to read {}", path.display()))?;
        ensure!(
            attach::is_bpffs(path),
            "{} is in no BPF file system, so nothing is pinned there",
            path.display()
        );
    }
    let pins = pins(path)?;
    let ids = match path {
        Some(_) => pins.keys().copied().collect(),
        None => {
            raw::link_ids().context("failed to list the kernel's links; it takes CAP_SYS_ADMIN")?
        }
    };
    let holders = holders();
    let mut binaries = BTreeMap::new();
    let mut links = Vec::new();
    for id in ids {
        let link = match raw::link_by_id(id) {
            Ok(link) => link,
            // It went meanwhile.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(error).with_context(|| format!("failed to read link {id}")),
        };
        let info =
            LinkInfo::from_fd(link.as_fd()).with_context(|| format!("failed to read link {id}"))?;
        let mut listed = describe(&info, &mut binaries);
        listed.pins = pins.get(&id).cloned().unwrap_or_default();
        listed.held_by = holders.get(&id).cloned().unwrap_or_default();
        links.push(listed);
    }
    Ok(links)
}

/// Writes the links, and the extensions that run in applications.
pub fn write_links(
    links: &[ListedLink],
    running: &[Running],
    json: bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    if json {
        serde_json::to_writer_pretty(&mut *out, &Document { links, running })?;
        return writeln!(out);
    }
    if links.is_empty() && running.is_empty() {
        return writeln!(out, "nothing is attached");
    }
    for link in links {
        let program = link.program.as_deref().unwrap_or("?");
        let mut line = format!("{}  {program}  {}  {}", link.id, link.kind, link.target);
        if let Some(pid) = link.pid {
            line += &format!("  only pid {pid}");
        }
        for pin in &link.pins {
            line += &format!("  pinned {}", pin.display());
        }
        if !link.held_by.is_empty() {
            let holders: Vec<String> = link.held_by.iter().map(ToString::to_string).collect();
            line += &format!("  held by {}", holders.join(", "));
        }
        writeln!(out, "{}", printable(&line))?;
    }
    run::write(running, out)
}

/// What was detached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Detached {
    /// What was named.
    pub target: String,
    /// How many links are gone.
    pub links: usize,
}

/// Detaches what `target` names: a folder of `attach --pin`, a pinned link, or a link's number.
pub fn detach(target: &str) -> Result<Detached> {
    let links = match target.parse() {
        Ok(id) => detach_id(id)?,
        Err(_) => detach_path(Path::new(target))?,
    };
    Ok(Detached { target: target.to_owned(), links })
}

fn detach_path(path: &Path) -> Result<usize> {
    let shown = path.display();
    let found = fs::symlink_metadata(path).with_context(|| format!("failed to read {shown}"))?;
    ensure!(attach::is_bpffs(path), "{shown} is in no BPF file system, so nothing is pinned there");
    if found.is_dir() {
        let is_ours = attach::is_pinned_folder(path);
        ensure!(
            is_ours.with_context(|| format!("failed to read {shown}"))?,
            "{shown} has more in it than loader attach --pin leaves; name a folder that it made, or a link"
        );
        return attach::remove_pins(path).with_context(|| format!("failed to remove {shown}"));
    }
    ensure!(is_link(path), "{shown} is no link; detach the folder that it is in, or its link");
    fs::remove_file(path).with_context(|| format!("failed to remove {shown}"))?;
    Ok(1)
}

/// Detaches the link of that number: by force where its kind can be, else by removing its pins.
fn detach_id(id: u32) -> Result<usize> {
    let link = raw::link_by_id(id).with_context(|| format!("there is no link {id}"))?;
    if raw::force_detach(link.as_fd()).is_ok() {
        return Ok(1);
    }
    drop(link);
    let holders: Vec<String> =
        holders().remove(&id).unwrap_or_default().iter().map(ToString::to_string).collect();
    if !holders.is_empty() {
        let holders: Vec<&str> = holders.iter().map(String::as_str).collect();
        bail!(
            "link {id} lasts as long as the process that holds it, and nobody else can detach it; end process {}",
            list(&holders, "and")
        );
    }
    let pins = pins(None)?.remove(&id).unwrap_or_default();
    ensure!(
        !pins.is_empty(),
        "link {id} is neither pinned in a BPF file system that is seen from here, nor held by a process that is"
    );
    for pin in &pins {
        fs::remove_file(pin).with_context(|| format!("failed to remove {}", pin.display()))?;
    }
    Ok(1)
}

/// Whether a link is pinned at `path`.
pub(crate) fn is_link(path: &Path) -> bool {
    link_id(path).is_some()
}

/// The number of the link that is pinned at `path`.
fn link_id(path: &Path) -> Option<u32> {
    let info = raw::descriptor_info(raw::pinned(path).ok()?).ok()?;
    field(&info, "link_id:")
}

/// A number in what `/proc/PID/fdinfo` says.
fn field(info: &str, name: &str) -> Option<u32> {
    info.lines().find_map(|line| line.strip_prefix(name))?.trim().parse().ok()
}

/// Where links are pinned, by their numbers: at `path` or below it, or in any BPF file system.
fn pins(path: Option<&Path>) -> Result<BTreeMap<u32, Vec<PathBuf>>> {
    let mut found = BTreeMap::<u32, Vec<PathBuf>>::new();
    let mut pending = match path {
        Some(path) => vec![path.to_owned()],
        None => bpf_mounts()?,
    };
    while let Some(path) = pending.pop() {
        let Ok(kind) = fs::symlink_metadata(&path) else { continue };
        if kind.is_dir() {
            // A folder of somebody else's may be closed to us.
            let entries = fs::read_dir(&path).into_iter().flatten().flatten();
            pending.extend(entries.map(|entry| entry.path()));
        } else if let Some(id) = link_id(&path) {
            found.entry(id).or_default().push(path);
        }
    }
    found.values_mut().for_each(|paths| paths.sort());
    Ok(found)
}

fn bpf_mounts() -> Result<Vec<PathBuf>> {
    let mounts = fs::read_to_string(MOUNTS).with_context(|| format!("failed to read {MOUNTS}"))?;
    let mut found: Vec<PathBuf> = mounts
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(' ').skip(1);
            let (place, kind) = (fields.next()?, fields.next()?);
            // Spaces and the like are written in octal.
            (kind == "bpf").then(|| place.replace("\\040", " ").into())
        })
        .collect();
    found.dedup();
    Ok(found)
}

/// The processes that hold each link, by its number.
fn holders() -> BTreeMap<u32, Vec<u32>> {
    let mut found = BTreeMap::<u32, Vec<u32>>::new();
    let own = std::process::id();
    for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        if pid == own {
            continue;
        }
        // Processes go, and those of others may be closed to us.
        for fd in fs::read_dir(process.path().join("fd")).into_iter().flatten().flatten() {
            let Ok(target) = fs::read_link(fd.path()) else { continue };
            if !target.to_string_lossy().starts_with("anon_inode:bpf") {
                continue;
            }
            let info = process.path().join("fdinfo").join(fd.file_name());
            let id = fs::read_to_string(info).ok().and_then(|info| field(&info, "link_id:"));
            if let Some(id) = id {
                let pids = found.entry(id).or_default();
                if !pids.contains(&pid) {
                    pids.push(pid);
                }
            }
        }
    }
    found
}

/// Binaries that were opened to find symbols, by their paths.
type Binaries = BTreeMap<PathBuf, Option<Binary>>;

fn describe(info: &LinkInfo, binaries: &mut Binaries) -> ListedLink {
    let program = ProgramHandle::from_prog_id(info.prog_id).ok();
    let mut link = ListedLink {
        id: info.id,
        kind: String::new(),
        program_id: info.prog_id,
        program: program.as_ref().map(|program| program.name().to_string_lossy().into_owned()),
        target: String::new(),
        file: None,
        places: Vec::new(),
        pid: None,
        cookie: None,
        pins: Vec::new(),
        held_by: Vec::new(),
    };
    let cookie = |cookie: u64| (cookie != 0).then_some(cookie);
    match &info.info {
        LinkTypeInfo::PerfEvent(event) => match &event.event_type {
            PerfEventType::Uprobe { file_name, is_retprobe, offset, cookie: value, .. } => {
                link.kind = if *is_retprobe { "uretprobe" } else { "uprobe" }.to_owned();
                link.file = file_name.as_ref().map(PathBuf::from);
                link.places = places(link.file.as_deref(), &[u64::from(*offset)], binaries);
                link.cookie = cookie(*value);
                link.target = in_file(&link);
            }
            PerfEventType::Kprobe { func_name, is_retprobe, offset, cookie: value, .. } => {
                link.kind = if *is_retprobe { "kretprobe" } else { "kprobe" }.to_owned();
                link.target = text(func_name.as_ref());
                if *offset != 0 {
                    link.target += &format!("+{offset:#x}");
                }
                link.cookie = cookie(*value);
            }
            PerfEventType::Tracepoint { name, cookie: value } => {
                link.kind = "tracepoint".to_owned();
                link.target = text(name.as_ref());
                link.cookie = cookie(*value);
            }
            PerfEventType::Event { config, event_type, cookie: value } => {
                link.kind = "perf_event".to_owned();
                link.target = format!("event type {event_type}, config {config:#x}");
                link.cookie = cookie(*value);
            }
            PerfEventType::Unknown(_) => link.kind = "perf_event".to_owned(),
        },
        LinkTypeInfo::UprobeMulti(multi) => {
            /// `BPF_F_UPROBE_MULTI_RETURN`.
            const RETURN: u32 = 1;
            let returns = multi.flags & RETURN != 0;
            link.kind = if returns { "uretprobe.multi" } else { "uprobe.multi" }.to_owned();
            link.file = multi.path.clone();
            link.pid = (multi.pid != 0).then_some(multi.pid);
            link.places = places(link.file.as_deref(), &multi.offsets, binaries);
            link.cookie = multi.cookies.first().copied().and_then(cookie);
            link.target = in_file(&link);
        }
        LinkTypeInfo::KprobeMulti(multi) => {
            link.kind = "kprobe.multi".to_owned();
            link.target = format!("{} functions", multi.count);
        }
        LinkTypeInfo::RawTracepoint(point) => {
            link.kind = "raw_tracepoint".to_owned();
            link.target = point.name.clone();
        }
        LinkTypeInfo::Iter(iterator) => {
            link.kind = "iter".to_owned();
            link.target = iterator.target_name.to_string_lossy().into_owned();
        }
        LinkTypeInfo::Tracing(tracing) => {
            link.kind = match program.as_ref().map(ProgramHandle::prog_type) {
                Some(ProgramType::Lsm) => "lsm".to_owned(),
                _ => kind_name(&tracing.attach_type),
            };
            link.target =
                format!("type {} of BTF {}", tracing.target_btf_id, tracing.target_obj_id);
            if let Some(name) = function_of_kernel(tracing.target_obj_id, tracing.target_btf_id) {
                link.target = name;
            }
        }
        other => {
            let shown = format!("{other:?}");
            let kind = shown.split(['(', ' ']).next().unwrap_or_default();
            link.kind = kind.to_lowercase();
        }
    }
    link
}

fn kind_name(attach_type: &libbpf_rs::ProgramAttachType) -> String {
    use libbpf_rs::ProgramAttachType as Kind;
    match attach_type {
        Kind::TraceFentry => "fentry".to_owned(),
        Kind::TraceFexit => "fexit".to_owned(),
        Kind::ModifyReturn => "fmod_ret".to_owned(),
        Kind::TraceRawTp => "tp_btf".to_owned(),
        other => format!("{other:?}").to_lowercase(),
    }
}

/// The name of type `id` in the BTF of that number.
fn function_of_kernel(btf: u32, id: u32) -> Option<String> {
    /// The number of the kernel's own BTF, which is the first.
    const VMLINUX: u32 = 1;
    if btf != VMLINUX {
        return None;
    }
    let types = libbpf_rs::btf::Btf::from_vmlinux().ok()?;
    let ty = types.type_by_id::<libbpf_rs::btf::BtfType<'_>>(libbpf_rs::btf::TypeId::from(id))?;
    Some(ty.name()?.to_string_lossy().into_owned())
}

fn text(name: Option<&OsString>) -> String {
    name.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn places(file: Option<&Path>, offsets: &[u64], binaries: &mut Binaries) -> Vec<ListedPlace> {
    let binary = file.and_then(|file| {
        binaries.entry(file.to_owned()).or_insert_with(|| Binary::open(file).ok()).as_ref()
    });
    let place = |offset: &u64| ListedPlace {
        file_offset: *offset,
        symbol: binary
            .and_then(|binary| binary.at_file_offset(*offset))
            .filter(|place| !place.symbol.is_empty())
            .map(|place| place.name()),
    };
    offsets.iter().map(place).collect()
}

/// `/usr/bin/app:add_test`.
fn in_file(link: &ListedLink) -> String {
    const SHOWN: usize = 4;
    let file = link.file.as_ref().map(|file| file.display().to_string());
    let name = |place: &ListedPlace| match &place.symbol {
        Some(symbol) => symbol.clone(),
        None => format!("{:#x} in the file", place.file_offset),
    };
    let mut names: Vec<String> = link.places.iter().take(SHOWN).map(name).collect();
    let more = link.places.len() - names.len();
    names.extend((more > 0).then(|| format!("and {more} more")));
    format!("{}:{}", file.unwrap_or_default(), names.join(","))
}
