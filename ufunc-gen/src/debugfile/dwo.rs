// SPDX-License-Identifier: MIT OR Apache-2.0
//! Split debug information (`-gsplit-dwarf`; DWARF 5, 7.3.2): the application has skeleton units,
//! which name the `.dwo` files with their contents, or those are together in a package, a `.dwp`
//! file (7.3.5).

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use gimli::{DebugAbbrev, DwoId, Reader as _, Section as _, SectionId, UnitHeader, UnitType};

use super::find::{folders, shown, without_root};
use super::image::{Bytes, Image, Naming};
use super::package::Package;
use super::{DebugFiles, Reader, Search, parallel};
use crate::elf::{Host, HostFile};

/// What a skeleton unit says of the file with its contents.
#[derive(Clone, Copy, Debug)]
pub struct Skeleton<'s> {
    /// `DW_AT_dwo_name` or `DW_AT_GNU_dwo_name`: the file, maybe with folders.
    pub name: &'s [u8],
    /// `DW_AT_comp_dir`: the folder that the name is relative to; may be empty.
    pub folder: &'s [u8],
    /// What the unit in the file has, too.
    pub id: DwoId,
}

/// A skeleton whose contents were not found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingDwo {
    /// Its place in the list of skeletons.
    pub skeleton: usize,
    /// The file that it names, printable.
    pub name: String,
    /// The paths that were tried.
    pub tried: Vec<PathBuf>,
}

/// The units of one `.dwo` file, or that part of a package which was one.
#[derive(Debug)]
pub struct DwoPart<'s> {
    /// Its sections, with line tables (which have names of files only), and with those of the
    /// parent that belong to it: addresses, ranges and the supplementary file.
    pub dwarf: gimli::Dwarf<Reader<'s>>,
    /// The file, for messages.
    pub shown: &'s str,
    /// Places in the list of skeletons of those whose contents are here. In a package there may be
    /// none: then there are types that other parts refer to.
    pub skeletons: Vec<usize>,
}

/// The `.dwo` files and packages that skeleton units asked for, in memory.
#[derive(Debug, Default)]
pub struct DwoFiles {
    packages: Vec<Package>,
    files: Vec<DwoFile>,
    missing: Vec<MissingDwo>,
}

/// A `.dwo` file whose units are wanted.
#[derive(Debug)]
struct DwoFile {
    image: Image<'static>,
    skeletons: Vec<usize>,
}

/// What became of the search for one file.
enum Found {
    /// It is there, and has all the units that are wanted of it.
    File {
        path: PathBuf,
        image: Box<Image<'static>>,
    },
    Nowhere(Vec<PathBuf>),
}

impl DwoFiles {
    /// Finds and loads what `skeletons` ask for; `host` and `files` are where those are from.
    ///
    /// A package is looked for first: `app.dwp` beside the host `app`, and beside its separate debug
    /// file. What is not in there is a file: in the unit's folder, beside the host or its debug file
    /// (there by its name alone too), and in the folders of `search`.
    ///
    /// What is nowhere is in [`DwoFiles::missing`]. Fails if a file is damaged, or not of the same
    /// build: its units then have other ids.
    pub fn find(
        host: &Host<'_>,
        files: &DebugFiles<'_>,
        search: &Search,
        skeletons: &[Skeleton<'_>],
    ) -> Result<DwoFiles> {
        let mut found = DwoFiles::default();
        if skeletons.is_empty() {
            return Ok(found);
        }
        let mut wanted = HashMap::<u64, Vec<usize>>::new();
        for (index, skeleton) in skeletons.iter().enumerate() {
            wanted.entry(skeleton.id.0).or_default().push(index);
        }
        let homes = homes(host.path(), files.path());
        for path in package_paths(&homes, search) {
            if wanted.is_empty() {
                break;
            }
            if let Some(file) = open_if_there(&path)? {
                found.packages.push(Package::new(file, &mut wanted)?);
            }
        }
        let mut places = HashMap::<(&[u8], &[u8]), usize>::new();
        let mut groups = Vec::<Vec<usize>>::new();
        for (index, skeleton) in skeletons.iter().enumerate() {
            if wanted.contains_key(&skeleton.id.0) {
                let place = *places.entry((skeleton.folder, skeleton.name)).or_insert_with(|| {
                    groups.push(Vec::new());
                    groups.len() - 1
                });
                groups[place].push(index);
            }
        }
        let folders = Folders::new(&homes, search);
        let results = parallel::map(&groups, |group| {
            let ids: Vec<DwoId> = group.iter().map(|&index| skeletons[index].id).collect();
            folders.find(&skeletons[group[0]], &ids)
        });
        let mut by_path = HashMap::<PathBuf, usize>::new();
        for (group, result) in groups.into_iter().zip(results) {
            match result? {
                // Another name of a file that is there already.
                Found::File { path, .. } if by_path.contains_key(&path) => {
                    found.files[by_path[&path]].skeletons.extend(group);
                }
                Found::File { path, image } => {
                    by_path.insert(path, found.files.len());
                    found.files.push(DwoFile { image: *image, skeletons: group });
                }
                Found::Nowhere(tried) => {
                    found.missing.extend(group.into_iter().map(|skeleton| MissingDwo {
                        skeleton,
                        name: shown(&path(skeletons[skeleton].name)),
                        tried: tried.clone(),
                    }));
                }
            }
        }
        Ok(found)
    }

    /// Skeletons whose contents are nowhere.
    pub fn missing(&self) -> &[MissingDwo] {
        &self.missing
    }

    /// The units that were found. `parent` is the file with the skeletons.
    pub fn parts<'s>(&'s self, parent: &gimli::Dwarf<Reader<'s>>) -> Vec<DwoPart<'s>> {
        let mut parts = Vec::new();
        for package in &self.packages {
            parts.extend(package.parts(parent));
        }
        for file in &self.files {
            let mut dwarf = file.image.dwarf();
            dwarf.make_dwo(parent);
            let (shown, skeletons) = (file.image.shown(), file.skeletons.clone());
            parts.push(DwoPart { dwarf, shown, skeletons });
        }
        parts
    }
}

fn path(name: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(name))
}

/// The host's path and its debug file's, and what they really are.
fn homes(host: &Path, debug: &Path) -> Vec<PathBuf> {
    let mut homes = vec![host.to_owned()];
    for path in [Some(debug.to_owned()), fs::canonicalize(host).ok(), fs::canonicalize(debug).ok()]
    {
        homes.extend(path.filter(|path| !homes.contains(path)));
    }
    homes
}

fn package_paths(homes: &[PathBuf], search: &Search) -> Vec<PathBuf> {
    let mut paths = Vec::<PathBuf>::new();
    let mut add = |mut path: PathBuf| {
        path.as_mut_os_string().push(".dwp");
        if !paths.contains(&path) {
            paths.push(path);
        }
    };
    homes.iter().cloned().for_each(&mut add);
    for dir in &search.debug_dirs {
        for home in homes.iter().filter(|home| home.is_absolute()) {
            add(dir.join(without_root(home)));
        }
    }
    paths
}

/// Maps the file at `path`; `None` if there is none.
fn open_if_there(path: &Path) -> Result<Option<HostFile>> {
    match fs::metadata(path) {
        Err(error) if is_absent(&error) => Ok(None),
        _ => HostFile::open(path).map(Some),
    }
}

fn is_absent(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidFilename, NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory | InvalidFilename)
}

/// Where `.dwo` files are looked for.
struct Folders<'a> {
    /// Of the host and its debug file.
    homes: Vec<PathBuf>,
    search: &'a Search,
}

impl<'a> Folders<'a> {
    fn new(homes: &[PathBuf], search: &'a Search) -> Self {
        let mut found = Vec::new();
        for folder in homes.iter().flat_map(|home| folders(home)) {
            if !found.contains(&folder) {
                found.push(folder);
            }
        }
        Folders { homes: found, search }
    }

    /// All paths at which the file of `skeleton` may be, the likeliest first.
    fn paths(&self, skeleton: &Skeleton<'_>) -> Vec<PathBuf> {
        let (name, folder) = (path(skeleton.name), path(skeleton.folder));
        // An absolute name replaces the folder.
        let full = folder.join(&name);
        let mut paths = Vec::new();
        if full.is_absolute() {
            paths.push(full.clone());
        }
        for home in &self.homes {
            paths.push(home.join(without_root(&full)));
            paths.push(home.join(without_root(&name)));
            paths.extend(name.file_name().map(|name| home.join(name)));
        }
        for dir in &self.search.debug_dirs {
            paths.push(dir.join(without_root(&full)));
            paths.push(dir.join(without_root(&name)));
            paths.extend(name.file_name().map(|name| dir.join(name)));
        }
        let mut seen = HashSet::new();
        paths.retain(|path| seen.insert(path.clone()));
        paths
    }

    /// Finds the file of `skeleton`, which has to have units with all of `ids`.
    fn find(&self, skeleton: &Skeleton<'_>, ids: &[DwoId]) -> Result<Found> {
        let paths = self.paths(skeleton);
        let mut unfit = None;
        for path in &paths {
            match load(path, ids) {
                Ok(None) => {}
                Ok(Some(image)) => {
                    // It was opened just now.
                    let path = fs::canonicalize(path).unwrap_or_else(|_| path.clone());
                    return Ok(Found::File { path, image: Box::new(image) });
                }
                // Another folder may have the right one.
                Err(error) => unfit = unfit.or(Some(error)),
            }
        }
        match unfit {
            Some(error) => Err(error),
            None => Ok(Found::Nowhere(paths)),
        }
    }
}

/// Loads the file at `path`; `None` if there is none.
///
/// Fails if it is no `.dwo` file, or lacks a unit with one of `ids`.
fn load(path: &Path, ids: &[DwoId]) -> Result<Option<Image<'static>>> {
    let Some(file) = open_if_there(path)? else { return Ok(None) };
    let shown = file.path().display().to_string();
    let image = Image::new(Bytes::Mapped(file), shown, Naming::Split)?;
    // Many files are loaded at the same time already.
    image.load_essential(false)?;
    image.load(&[SectionId::DebugLine], false)?;
    image.require_entries()?;
    let context = || format!("failed to read the debug information of {}", image.shown());
    let dwarf = image.dwarf();
    let mut reader = IdReader::new(dwarf.debug_abbrev.reader().len());
    let found = reader.ids(&dwarf).with_context(context)?;
    let known: HashSet<u64> = found.iter().map(|id| id.0).collect();
    if let Some(lacking) = ids.iter().find(|id| !known.contains(&id.0)) {
        let found = match found.as_slice() {
            [] => "no unit".to_owned(),
            [id] => format!("the unit {:#018x}", id.0),
            [id, ..] => format!("{} units, the first of them {:#018x}", found.len(), id.0),
        };
        bail!(
            "{} has {found}, and not {:#018x}, which the application was linked with: it is of another build; build both again",
            image.shown(),
            lacking.0
        );
    }
    Ok(Some(image))
}

/// Reads which units are in a `.dwo` file.
pub(super) struct IdReader {
    /// Bytes of abbreviations that may still be looked through.
    budget: usize,
}

/// Times that the abbreviations may be looked through, on average, and what is always allowed.
const READINGS: usize = 16;
const ALLOWANCE: usize = 1 << 20;

impl IdReader {
    /// `len` is the length of all abbreviations.
    pub(super) fn new(len: usize) -> Self {
        IdReader { budget: len.saturating_mul(READINGS).saturating_add(ALLOWANCE) }
    }

    /// The ids of all units in `dwarf` that are the contents of skeletons.
    pub(super) fn ids(&mut self, dwarf: &gimli::Dwarf<Reader<'_>>) -> Result<Vec<DwoId>> {
        let mut ids = Vec::new();
        let mut headers = dwarf.units();
        while let Some(header) = headers.next().context("bad unit header in .debug_info.dwo")? {
            let id = match header.type_() {
                UnitType::SplitCompilation(id) => Some(id),
                // Before DWARF 5 an attribute of the root entry has it.
                UnitType::Compilation => self.root_id(dwarf, &header).with_context(|| {
                    format!("bad unit at offset {:#x} of .debug_info.dwo", header.offset().0)
                })?,
                _ => None,
            };
            ids.extend(id);
        }
        Ok(ids)
    }

    fn root_id(
        &mut self,
        dwarf: &gimli::Dwarf<Reader<'_>>,
        header: &UnitHeader<Reader<'_>>,
    ) -> Result<Option<DwoId>> {
        let mut entries = *dwarf.debug_info.reader();
        entries.skip(header.offset().0)?;
        entries.skip(header.size_of_header())?;
        let code = entries.read_uleb128()?;
        let mut table = *dwarf.debug_abbrev.reader();
        table.skip(header.debug_abbrev_offset().0)?;
        // The whole table would be read again for each of many units that share it. What is needed
        // is one declaration, which compilers put first.
        let Some(mut declaration) = self.declaration(&mut table, code)? else { return Ok(None) };
        declaration.push(0);
        let alone = DebugAbbrev::new(&declaration, dwarf.debug_abbrev.reader().endian());
        let abbreviations = alone.abbreviations(gimli::DebugAbbrevOffset(0))?;
        let mut raw = header.entries_raw(&abbreviations, None)?;
        let Some(root) = raw.read_abbreviation()? else { return Ok(None) };
        for &spec in root.attributes() {
            let attribute = raw.read_attribute(spec)?;
            if let (gimli::DW_AT_GNU_dwo_id, gimli::AttributeValue::DwoId(id)) =
                (attribute.name(), attribute.value())
            {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    /// The bytes of the declaration of `code` in `table`.
    fn declaration(&mut self, table: &mut Reader<'_>, code: u64) -> Result<Option<Vec<u8>>> {
        loop {
            let begin = *table;
            let found = table.read_uleb128()?;
            if found == 0 {
                return Ok(None);
            }
            table.read_uleb128()?; // tag
            table.skip(1)?; // whether it has children
            loop {
                let (name, form) = (table.read_uleb128()?, table.read_uleb128()?);
                if (name, form) == (0, 0) {
                    break;
                }
                if form == u64::from(gimli::DW_FORM_implicit_const.0) {
                    table.read_sleb128()?;
                }
            }
            let len = begin.len() - table.len();
            ensure!(
                len <= self.budget,
                "reading .debug_abbrev.dwo would take many times as much work as it is long: it is damaged, or was made to keep its readers busy"
            );
            self.budget -= len;
            if found == code {
                return Ok(Some(begin.slice()[..len].to_vec()));
            }
        }
    }
}
