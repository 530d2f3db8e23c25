// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where types come from: the debug information of hosts, or BTF that somebody made of it before;
//! the kernel; and the cache.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use object::LittleEndian;
use object::elf::{FileHeader64, NT_GNU_BUILD_ID};
use object::read::elf::NoteIterator;
use ufunc_gen::btf::decode::Btf;
use ufunc_gen::btf::source::Source;
use ufunc_gen::debugfile::{DebugFiles, Search};
use ufunc_gen::dwarf::{DebugInfo, SplitFiles};
use ufunc_gen::elf::FileBytes;
use ufunc_gen::kernel::{SYSFS_BTF, VMLINUX};
use ufunc_gen::metadata::BuildId;
use ufunc_gen::relocation::{self, Choice, Defined, Reason, TypeName};

use super::built::{Built, Chosen, Origin, View, Why};
use crate::cache::Cache;
use crate::host::App;
use crate::object::Fitting;
use crate::probe::Probe;

/// Where the kernel shows, among other things, its build-id.
const KERNEL_NOTES: &str = "/sys/kernel/notes";

/// Where the user wants the types to come from.
#[derive(Clone, Copy, Debug, Default)]
pub struct TypeOptions<'a> {
    /// BTF that is used in place of the applications' debug information.
    pub btf: Option<&'a Path>,
    /// The kernel's types, if not those of the running kernel.
    pub vmlinux: Option<&'a Path>,
    /// Where separate debug files are looked for first.
    pub debug_dirs: &'a [PathBuf],
    /// Whether a name that application and kernel have means the kernel's type.
    pub prefer_kernel: bool,
    /// Whether what is found out about applications may be used again, and kept for the next time.
    pub cache: bool,
}

impl TypeOptions<'_> {
    /// Fails for a file that has no BTF.
    pub(crate) fn check(&self) -> Result<()> {
        [self.btf, self.vmlinux].into_iter().flatten().try_for_each(check_btf)
    }

    /// Where results are kept, if they are.
    pub(crate) fn open_cache(&self) -> Option<Cache> {
        self.cache.then(Cache::of_user).flatten()
    }
}

/// Where the types come from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sources<'a> {
    /// The application and its libraries, in the order in which they were given.
    pub(crate) hosts: &'a [&'a App],
    /// What the user wants.
    pub(crate) options: TypeOptions<'a>,
    /// Where results are kept.
    pub(crate) cache: Option<&'a Cache>,
}

impl Sources<'_> {
    /// What the hosts are called in messages, by their places.
    pub(super) fn labels(&self) -> Vec<String> {
        let shown = |path: &Path| path.display().to_string();
        match self.options.btf {
            Some(btf) => vec![shown(btf)],
            None => self.hosts.iter().map(|app| shown(&app.path)).collect(),
        }
    }

    /// What there is of the types that `fitting` names, for each of its sections.
    pub(super) fn build(&self, fitting: &Fitting) -> Result<Built> {
        let sights = self.sights(fitting);
        let cache = self.cache.and_then(|cache| Some((cache, self.key(fitting, &sights)?)));
        if let Some((cache, key)) = &cache
            && let Some(built) = cache.load(key).and_then(|bytes| Built::from_bytes(&bytes))
        {
            return Ok(built);
        }
        let (built, is_whole) = self.build_afresh(fitting, &sights)?;
        if let Some((cache, key)) = cache.filter(|_| is_whole) {
            cache.store(&key, &built.to_bytes()?);
        }
        Ok(built)
    }

    /// All that the result depends on, in words; `None` if there is no telling files apart.
    fn key(&self, fitting: &Fitting, sights: &BTreeMap<&str, Sight<'_>>) -> Option<String> {
        if self.options.btf.is_some() || self.options.vmlinux.is_some() {
            return None;
        }
        let mut key = format!("kernel {}\n", kernel_build_id()?);
        // Writing to a string cannot fail.
        for app in self.hosts {
            let _ = writeln!(key, "host {}", app.identity()?);
        }
        for dir in self.options.debug_dirs {
            let _ = writeln!(key, "debug files {dir:?}");
        }
        let Fitting { types, context, kernel_ids, sections: _ } = fitting;
        let _ = writeln!(key, "prefer kernel {}, ids {kernel_ids}", self.options.prefer_kernel);
        for (class, name) in types.iter().chain(context) {
            let _ = writeln!(key, "{class} {name:?}");
        }
        for (section, Sight { host, function }) in sights {
            let _ = writeln!(key, "section {section:?} {host:?} {function:?}");
        }
        Some(key)
    }

    /// How each section looks at the hosts.
    fn sights<'f>(&self, fitting: &'f Fitting) -> BTreeMap<&'f str, Sight<'f>> {
        let sight = |section: &'f String| {
            let Probe { file, function } = Probe::parse(section);
            let host =
                file.filter(|_| self.options.btf.is_none()).and_then(|file| self.host_at(file));
            (section.as_str(), Sight { host, function })
        };
        fitting.sections.iter().map(sight).collect()
    }

    /// The host that a program's author called `file`.
    fn host_at(&self, file: &str) -> Option<usize> {
        let find =
            |is_meant: &dyn Fn(&App) -> bool| self.hosts.iter().position(|app| is_meant(app));
        // One host is meant in any case: the file may be elsewhere when the program is used.
        if self.hosts.len() == 1 {
            return Some(0);
        }
        find(&|app| app.is_at(file)).or_else(|| find(&|app| app.is_called(file))).or_else(|| {
            let name = Path::new(file).file_name()?.to_str()?;
            find(&|app| app.library().is_some_and(|library| library == name))
        })
    }

    /// The result, and whether nothing is missing from it that may be there the next time.
    fn build_afresh(
        &self,
        fitting: &Fitting,
        sights: &BTreeMap<&str, Sight<'_>>,
    ) -> Result<(Built, bool)> {
        let kernel_bytes = self.kernel()?;
        let kernel_btf = Btf::parse(&kernel_bytes).context("failed to read the kernel's BTF")?;
        let of_kernel = fitting.types.union(&fitting.context).cloned().collect();
        let kernel = Kernel {
            btf: kernel_btf,
            defined: relocation::of_btf(&kernel_btf, &of_kernel)
                .context("failed to read the kernel's BTF")?,
        };
        let mut built = Built::default();
        let mut is_whole = true;
        let mut hosts = Vec::new();
        for place in 0..self.labels().len() {
            let functions = sights.values().filter(|sight| sight.host.is_none_or(|at| at == place));
            let functions = functions.filter_map(|sight| sight.function).collect();
            let read = match self.options.btf {
                Some(path) => read_btf(path, fitting, &kernel),
                None => self.read_host(self.hosts[place], fitting, &kernel, &functions),
            };
            match read {
                Ok(host) => {
                    is_whole &= host.is_whole;
                    hosts.push(host);
                }
                Err(error) => {
                    built.unknown.push(format!("{error:#}"));
                    hosts.push(Host::default());
                    is_whole = false;
                }
            }
        }
        if hosts.len() == built.unknown.len() {
            bail!(built.unknown.join("; "));
        }
        let mut views = BTreeMap::<Sight<'_>, View>::new();
        for (section, sight) in sights {
            let is_decisive = hosts.iter().any(|host| !host.by_function.is_empty());
            let sight = Sight { function: sight.function.filter(|_| is_decisive), ..*sight };
            let view = match views.get(&sight) {
                Some(view) => view,
                None => views.entry(sight).or_insert(self.view(sight, fitting, &hosts, &kernel)?),
            };
            built.add(section, view.clone());
        }
        Ok((built, is_whole))
    }

    /// The bytes of the kernel's BTF.
    fn kernel(&self) -> Result<FileBytes> {
        let running = Path::new(SYSFS_BTF).join(VMLINUX);
        let path = self.options.vmlinux.unwrap_or(&running);
        let context = || format!("failed to read the kernel's types from {}", path.display());
        match self.options.vmlinux {
            Some(_) => Source::read(path).map(|source| FileBytes::Read(source.btf)),
            None => FileBytes::of(path).map_err(Into::into),
        }
        .with_context(context)
    }

    /// What `app`'s debug information has. `functions` are those that decide, if something has to be
    /// decided.
    fn read_host(
        &self,
        app: &App,
        fitting: &Fitting,
        kernel: &Kernel<'_>,
        functions: &BTreeSet<&str>,
    ) -> Result<Host> {
        let host = app.host()?;
        let search = Search::new(self.options.debug_dirs.iter().cloned());
        let files = DebugFiles::find(&host, &search)?;
        let sections = files.load()?;
        let split = SplitFiles::find(&host, &files, &search, &sections)?;
        let debug = DebugInfo::new(&sections, &split)?;
        let wanted = &fitting.types;
        let plain = relocation::of_application(&debug, wanted, None)?;
        let mut read = Host {
            is_whole: debug.missing_note().is_none(),
            ..Host::new(plain.btf, plain.choices)
        };
        if !read.plain.1.is_empty() {
            for function in functions {
                let decided = relocation::of_application(&debug, wanted, Some(function))?;
                let decided = (decided.btf, decided.choices);
                read.by_function.insert((*function).to_owned(), decided);
            }
        }
        let missing = missing(wanted, &read.plain.0, kernel)?;
        if !missing.is_empty() {
            read.find_nearest(missing, &relocation::all_names(&debug)?);
        }
        Ok(read)
    }

    /// What programs see that look at the hosts in that way.
    fn view(
        &self,
        sight: Sight<'_>,
        fitting: &Fitting,
        hosts: &[Host],
        kernel: &Kernel<'_>,
    ) -> Result<View> {
        let mut order: Vec<usize> = (0..hosts.len()).collect();
        // The others keep their order.
        order.sort_by_key(|place| sight.host != Some(*place));
        let (mut origins, mut defined, mut choices) = (Vec::new(), Vec::new(), Vec::new());
        for place in order {
            let Some(host) = hosts.get(place) else { continue };
            let function = sight.function.filter(|_| sight.host.is_none_or(|at| at == place));
            let decided = function.and_then(|function| host.by_function.get(function));
            let (btf, chosen) = decided.unwrap_or(&host.plain);
            if btf.is_empty() {
                continue;
            }
            let mut types = relocation::of_btf(&Btf::parse(btf)?, &fitting.types)?;
            let last = types.keep_last();
            let chosen = chosen.iter().chain(&last);
            choices.extend(chosen.map(|choice| chosen_by(place, function, choice)));
            origins.push(Origin::Host(place));
            defined.push(types);
        }
        let mut all: Vec<&Defined<'_>> = defined.iter().collect();
        let at = if self.options.prefer_kernel { 0 } else { all.len() };
        all.insert(at, &kernel.defined);
        origins.insert(at, Origin::Kernel);
        let wanted = fitting.types.union(&fitting.context).cloned().collect();
        let whole = fitting.kernel_ids.then_some((at, &kernel.btf));
        let combined = relocation::combine(&all, &wanted, whole)?;
        let origin = |place: &usize| origins.get(*place).copied().unwrap_or(Origin::Kernel);
        let taken: BTreeMap<_, _> =
            combined.taken.iter().map(|(name, place)| (shown(name), origin(place))).collect();
        // Of no interest are those that are not used.
        choices.retain(|choice| taken.get(&choice.name) == Some(&Origin::Host(choice.host)));
        let hidden = combined.hidden.iter();
        let hidden =
            hidden.map(|(name, places)| (shown(name), places.iter().map(origin).collect()));
        let missing = combined.missing.iter();
        let missing = missing.map(|name| (shown(name), nearest_of_all(hosts, name)));
        Ok(View {
            first: if fitting.kernel_ids { kernel.btf.end()? } else { 1 },
            hidden: hidden.collect(),
            missing: missing.collect(),
            btf: combined.bytes,
            taken,
            choices,
        })
    }
}

/// How a program looks at the hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Sight<'a> {
    /// The host that its section names.
    host: Option<usize>,
    /// The probed function.
    function: Option<&'a str>,
}

/// The kernel's types.
struct Kernel<'a> {
    btf: Btf<'a>,
    /// Those that are wanted.
    defined: Defined<'a>,
}

/// The types of a host.
#[derive(Debug, Default)]
struct Host {
    /// Those that are wanted, as BTF, and what had to be decided; no bytes if they are not known.
    plain: (Vec<u8>, Vec<Choice>),
    /// The same where a function decides what had to be decided.
    by_function: BTreeMap<String, (Vec<u8>, Vec<Choice>)>,
    /// What comes near those that it has not.
    nearest: BTreeMap<TypeName, Vec<TypeName>>,
    /// Whether nothing of its debug information was missing.
    is_whole: bool,
}

impl Host {
    fn new(btf: Vec<u8>, choices: Vec<Choice>) -> Self {
        Host { plain: (btf, choices), is_whole: true, ..Host::default() }
    }

    /// Looks for names like the `missing` ones among all `names` that it has.
    fn find_nearest(&mut self, missing: BTreeSet<TypeName>, names: &BTreeSet<TypeName>) {
        for name in missing {
            let nearest = relocation::nearest(names, &name).into_iter().cloned().collect();
            self.nearest.insert(name, nearest);
        }
    }
}

/// Fails unless types can be read from the file at `path`, BTF or ELF.
fn check_btf(path: &Path) -> Result<()> {
    with_btf(path, |_, btf| btf.end().map(drop))
}

/// Calls `read` with the BTF in the file at `path`, as bytes and as what they say.
fn with_btf<T>(path: &Path, read: impl Fn(&[u8], &Btf<'_>) -> Result<T>) -> Result<T> {
    let read = || {
        let source = Source::read(path)?;
        ensure!(
            source.base.is_none(),
            "it is a kernel module, whose BTF is not whole without the kernel's"
        );
        read(&source.btf, &Btf::parse(&source.btf)?)
    };
    read().with_context(|| format!("failed to read types from {}", path.display()))
}

/// The types of an application in the file at `path`.
fn read_btf(path: &Path, fitting: &Fitting, kernel: &Kernel<'_>) -> Result<Host> {
    with_btf(path, |bytes, btf| {
        let mut host = Host::new(bytes.to_vec(), Vec::new());
        let missing = missing(&fitting.types, bytes, kernel)?;
        if !missing.is_empty() {
            host.find_nearest(missing, &relocation::all_names_in(btf)?);
        }
        Ok(host)
    })
}

/// The `wanted` types that neither the host's BTF nor the kernel has.
fn missing(
    wanted: &BTreeSet<TypeName>,
    btf: &[u8],
    kernel: &Kernel<'_>,
) -> Result<BTreeSet<TypeName>> {
    let own = relocation::of_btf(&Btf::parse(btf)?, wanted)?;
    let is_missing = |name: &&TypeName| !own.has(name) && !kernel.defined.has(name);
    Ok(wanted.iter().filter(is_missing).cloned().collect())
}

/// What comes near `name` in any host, nearest first.
fn nearest_of_all(hosts: &[Host], name: &TypeName) -> Vec<String> {
    let all = hosts.iter().filter_map(|host| host.nearest.get(name)).flatten();
    relocation::nearest(&all.cloned().collect(), name).into_iter().map(shown).collect()
}

fn chosen_by(host: usize, function: Option<&str>, choice: &Choice) -> Chosen {
    let why = match choice.reason {
        Reason::Function => Why::Function { function: function.unwrap_or_default().to_owned() },
        Reason::Common { files, of } => Why::Common { files, of },
        Reason::Last => Why::Last,
    };
    let Choice { name, variants, source, .. } = choice;
    Chosen { host, name: shown(name), variants: *variants, source: source.clone(), why }
}

/// `struct data`
fn shown((class, name): &TypeName) -> String {
    format!("{class} {name}")
}

/// The build-id of the running kernel.
fn kernel_build_id() -> Option<BuildId> {
    const ALIGN: u64 = 4;
    let bytes = fs::read(KERNEL_NOTES).ok()?;
    let mut notes =
        NoteIterator::<FileHeader64<LittleEndian>>::new(LittleEndian, ALIGN, &bytes).ok()?;
    while let Some(note) = notes.next().ok()? {
        if note.name() == b"GNU" && note.n_type(LittleEndian) == NT_GNU_BUILD_ID {
            return Some(BuildId(note.desc().to_vec()));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_says_which_one_it_is() {
        assert!(kernel_build_id().is_some_and(|BuildId(id)| id.len() >= 16));
    }
}
