// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which loaded module lends the functions that an extension calls.
//!
//! The kernel resolves a kfunc by its name alone. A module generated from another build of the
//! application would be taken as well, and the verdict would be about structs and functions that
//! the running application does not have. So every kfunc is looked up here first.

pub(crate) mod lease;
pub mod lending;
mod owner;
mod permission;
mod synthesis;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use memchr::memmem;
use ufunc_gen::btf::Type;
use ufunc_gen::btf::decode::Btf;
use ufunc_gen::kernel::VMLINUX;
use ufunc_gen::metadata::{MODULE_STRUCT, ModuleMetadata, Role, UfuncMetadata};

use crate::host::App;
use crate::object::Kfunc;
use owner::Owner;

pub use lease::Lease;
pub use lending::{Lending, Lent, Source, lend};
pub use synthesis::Terms;

/// A loaded module that `ufunc-gen` generated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadedModule {
    /// Its name in the kernel.
    pub name: String,
    /// What it says about the application and its ufuncs.
    pub metadata: ModuleMetadata,
    /// What the kernel's names for its ufuncs begin with: nothing, unless it was made for one call.
    pub prefix: String,
}

/// What to do about a module of which the kernel has no types.
pub(crate) const WITHOUT_TYPES: &str = "dmesg may say why; its .BTF section must not be stripped, and the kernel needs CONFIG_DEBUG_INFO_BTF_MODULES=y";

/// Where the kernel lists its functions, with the module of each that is one's.
pub(crate) const KALLSYMS: &str = "/proc/kallsyms";

/// How many of a module's ufuncs are named in one line.
const NAMES_SHOWN: usize = 8;

impl LoadedModule {
    /// The names of its ufuncs, the first of them if they are many.
    pub fn names(&self) -> String {
        names(&self.metadata)
    }

    /// Whether it was made for one call, and goes with it.
    pub fn is_made_for_one_call(&self) -> bool {
        !self.prefix.is_empty()
    }

    /// The ufunc of that kfunc name, or of the kernel's name for it.
    pub fn ufunc(&self, kfunc: &str) -> Option<&UfuncMetadata> {
        let kfunc = kfunc.strip_prefix(&self.prefix).unwrap_or(kfunc);
        self.metadata.ufuncs.iter().find(|ufunc| ufunc.kfunc == kfunc)
    }

    /// The ufuncs with `role` in the family of the ufunc `kfunc`.
    pub fn relatives(&self, kfunc: &str, role: Role) -> Vec<&UfuncMetadata> {
        let family = self.ufunc(kfunc).and_then(|ufunc| ufunc.family.as_deref());
        let related = |ufunc: &&UfuncMetadata| {
            ufunc.role == role && family.is_some() && ufunc.family.as_deref() == family
        };
        self.metadata.ufuncs.iter().filter(related).collect()
    }
}

/// The names of what a module lends, the first of them if they are many.
fn names(metadata: &ModuleMetadata) -> String {
    let names: Vec<_> = metadata.ufuncs.iter().map(|ufunc| ufunc.kfunc.as_str()).collect();
    match names.as_slice() {
        [] => "nothing".to_owned(),
        all => match all.split_at_checked(NAMES_SHOWN) {
            // One more is named as quickly as it is counted.
            Some((shown, rest)) if rest.len() > 1 => {
                format!("{} and {} more", shown.join(", "), rest.len())
            }
            _ => all.join(", "),
        },
    }
}

/// Who declares a kfunc.
#[derive(Clone, Copy, Debug)]
enum Declarer<'a> {
    /// The kernel or one of its own modules, by that name.
    Kernel(&'a str),
    /// A generated module.
    Generated(&'a LoadedModule),
}

impl Declarer<'_> {
    fn name(&self) -> &str {
        match self {
            Declarer::Kernel(name) => name,
            Declarer::Generated(module) => &module.name,
        }
    }
}

/// What declares kfuncs on the running kernel, as far as a list of names goes.
#[derive(Debug, Default)]
struct Declarations {
    /// All generated modules, whether or not one of the names is theirs.
    generated: Vec<LoadedModule>,
    /// Names of the kernel's own, with the name of the BTF that has each.
    kernel: Vec<(String, String)>,
    /// BTF that could not be read, and why.
    unreadable: Vec<String>,
}

/// Finds the module that lends the ufuncs of one of `apps` among `kfuncs`; `None` if none of them is
/// a ufunc.
///
/// `sysfs` is the folder where the kernel shows its types, [`ufunc_gen::kernel::SYSFS_BTF`].
/// Fails if a kfunc that is not weak is declared nowhere, or if a ufunc is declared by anything
/// but the module of this very build of the application.
pub fn find_lender(sysfs: &Path, kfuncs: &[Kfunc], apps: &[&App]) -> Result<Option<LoadedModule>> {
    if kfuncs.is_empty() {
        return Ok(None);
    }
    Declarations::read(sysfs, kfuncs)?.lender(kfuncs, apps)
}

/// Why no module can be made for a call; `None` if nothing speaks against it.
pub(crate) fn obstacle() -> Option<String> {
    permission::obstacle(&permission::Settings::of_kernel())
}

/// All loaded modules that `ufunc-gen` generated, and what could not be read.
pub(crate) fn generated(sysfs: &Path) -> (Vec<LoadedModule>, Vec<String>) {
    match Declarations::read(sysfs, &[]) {
        Ok(declarations) => (declarations.generated, declarations.unreadable),
        Err(error) => (Vec::new(), vec![format!("{error:#}")]),
    }
}

/// Fails if one of the `modules`, to whose types a program was fitted (CO-RE), was generated from
/// anything but the file of one of `apps`.
///
/// libbpf looks for a type in all modules; one of another build may have it in another layout.
pub fn check_types(sysfs: &Path, modules: &BTreeSet<&str>, apps: &[&App]) -> Result<()> {
    for name in modules {
        if let Some(metadata) = read_metadata(sysfs, name)? {
            let module = LoadedModule { name: (*name).to_owned(), metadata, prefix: String::new() };
            check_build(&module, "types that the program names were found in", apps)?;
        }
    }
    Ok(())
}

/// What the module of that name says about itself; `None` if it is none of ours.
fn read_metadata(sysfs: &Path, module: &str) -> Result<Option<ModuleMetadata>> {
    let read = || -> Result<Option<ModuleMetadata>> {
        let bytes = fs::read(sysfs.join(module))?;
        if !has_string(&bytes, MODULE_STRUCT) {
            return Ok(None);
        }
        let vmlinux = fs::read(sysfs.join(VMLINUX))?;
        ModuleMetadata::read(&Btf::parse_split(&bytes, &Btf::parse(&vmlinux)?)?)
    };
    read().with_context(|| format!("failed to read the BTF of module {module}"))
}

/// Which of `apps` the module may be of: that of its build, or of the same name, or any.
fn meant<'a>(apps: &[&'a App], module: &LoadedModule) -> Option<&'a App> {
    let metadata = &module.metadata;
    let of_build = |app: &&&App| app.build_id().is_ok_and(|id| *id == metadata.build_id);
    let of_name = |app: &&&App| app.name == metadata.host;
    let app = apps.iter().find(of_build).or_else(|| apps.iter().find(of_name));
    app.or(apps.first()).copied()
}

/// Fails unless `module` was generated from the file of one of `apps`; `what` begins the message.
fn check_build(module: &LoadedModule, what: &str, apps: &[&App]) -> Result<()> {
    let metadata = &module.metadata;
    let Some(app) = meant(apps, module) else {
        bail!(
            "{what} module {} of {}; name that application with --app, for the module must be of this very build",
            module.name,
            metadata.host
        )
    };
    let build_id = app.build_id()?;
    if metadata.build_id == *build_id {
        return Ok(());
    }
    let origin = match metadata.host == app.name {
        true => format!("another build of {}", app.name),
        false => format!("another application, {}", metadata.host),
    };
    bail!(
        "{what} module {}, which was generated from {origin}: its build-id is {}, {} has {build_id}; {}",
        module.name,
        metadata.build_id,
        app.path.display(),
        build_commands(app, Some(&module.name))
    )
}

/// The commands that get the module of `app` into the kernel, in place of `loaded`.
fn build_commands(app: &App, loaded: Option<&str>) -> String {
    let rmmod = loaded.map(|name| format!("sudo rmmod {name} && ")).unwrap_or_default();
    format!(
        "make and insmod the module of {app}: ufunc-gen ko {app} -o ufunc.ko && {rmmod}sudo insmod ufunc.ko",
        app = app.path.display()
    )
}

impl Declarations {
    /// Looks for `kfuncs` in the BTF of the kernel and of every loaded module.
    fn read(sysfs: &Path, kfuncs: &[Kfunc]) -> Result<Self> {
        let vmlinux_path = sysfs.join(VMLINUX);
        let vmlinux_bytes = fs::read(&vmlinux_path).with_context(|| {
            format!(
                "failed to read {}; the kernel must be built with CONFIG_DEBUG_INFO_BTF=y",
                vmlinux_path.display()
            )
        })?;
        let vmlinux = Btf::parse(&vmlinux_bytes)
            .with_context(|| format!("failed to read {}", vmlinux_path.display()))?;
        let mut found = Declarations::default();
        found.look_up(VMLINUX, &vmlinux_bytes, || Ok(vmlinux), kfuncs);
        for path in module_files(sysfs)? {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            match fs::read(&path) {
                Ok(bytes) => {
                    found.look_up(&name, &bytes, || Btf::parse_split(&bytes, &vmlinux), kfuncs);
                }
                Err(error) => found.unreadable.push(format!("{}: {error}", path.display())),
            }
        }
        Ok(found)
    }

    /// Looks for `kfuncs` in the BTF `bytes`, which is parsed only if they may be in there: a
    /// kernel has hundreds of modules.
    fn look_up<'a>(
        &mut self,
        name: &str,
        bytes: &[u8],
        parse: impl Fn() -> Result<Btf<'a>>,
        kfuncs: &[Kfunc],
    ) {
        let is_generated = has_string(bytes, MODULE_STRUCT) && name != VMLINUX;
        // What was made for one call is nobody else's.
        if is_generated && Owner::of(bytes).is_some() {
            return;
        }
        let wanted = |kfunc: &&Kfunc| has_string(bytes, &kfunc.name);
        if !is_generated && !kfuncs.iter().any(|kfunc| wanted(&kfunc)) {
            return;
        }
        let mut read = || -> Result<()> {
            let btf = parse()?;
            let metadata = if is_generated { ModuleMetadata::read(&btf)? } else { None };
            if let Some(metadata) = metadata {
                let (name, prefix) = (name.to_owned(), String::new());
                self.generated.push(LoadedModule { name, metadata, prefix });
                return Ok(());
            }
            let functions = function_names(&btf)?;
            let declared = kfuncs.iter().filter(|kfunc| functions.contains(&kfunc.name));
            self.kernel.extend(declared.map(|kfunc| (kfunc.name.clone(), name.to_owned())));
            Ok(())
        };
        if let Err(error) = read() {
            self.unreadable.push(format!("BTF of {name}: {error:#}"));
        }
    }

    /// Leaves the generated module `name` as the only one.
    fn only(mut self, name: &str) -> Result<Self> {
        let loaded: Vec<_> = self.generated.iter().map(|module| module.name.clone()).collect();
        self.generated.retain(|module| module.name == name);
        if self.generated.is_empty() {
            bail!(
                "no module {name} is loaded that ufunc-gen made; there {}",
                match loaded.as_slice() {
                    [] => "is none".to_owned(),
                    [one] => format!("is {one}"),
                    several => format!("are {}", several.join(", ")),
                }
            );
        }
        Ok(self)
    }

    /// The module that lends the ufuncs of one of `apps` among `kfuncs`.
    fn lender(&self, kfuncs: &[Kfunc], apps: &[&App]) -> Result<Option<LoadedModule>> {
        let mut lender = None::<&LoadedModule>;
        let mut missing = Vec::new();
        for kfunc in kfuncs {
            match self.declarer(&kfunc.name)? {
                None if kfunc.weak => {}
                None => missing.push(kfunc.name.as_str()),
                Some(Declarer::Kernel(_)) => {}
                Some(Declarer::Generated(module)) => {
                    check_build(module, &format!("{} is declared by", kfunc.name), apps)?;
                    match lender {
                        Some(other) if other.name != module.name => bail!(
                            "modules {} and {} both lend functions of {}; have ufunc-gen put them into one module",
                            other.name,
                            module.name,
                            meant(apps, module)
                                .map_or_else(String::new, |app| app.path.display().to_string())
                        ),
                        _ => lender = Some(module),
                    }
                }
            }
        }
        if !missing.is_empty() {
            bail!(self.explain_missing(&missing, apps));
        }
        Ok(lender.cloned())
    }

    /// Who declares `kfunc`. Fails if more than one does: which one is taken would be chance.
    fn declarer(&self, kfunc: &str) -> Result<Option<Declarer<'_>>> {
        let kernel = self.kernel.iter().filter(|(name, _)| name == kfunc);
        let generated = self.generated.iter().filter(|module| module.ufunc(kfunc).is_some());
        let mut declarers =
            kernel.map(|(_, btf)| Declarer::Kernel(btf)).chain(generated.map(Declarer::Generated));
        let (first, second) = (declarers.next(), declarers.next());
        if let (Some(first), Some(second)) = (first, second) {
            bail!(
                "{kfunc} is declared both by {} and by {}; rename it with ufunc-gen --prefix",
                first.name(),
                second.name()
            );
        }
        Ok(first)
    }

    /// Says why nothing declares the kfuncs `missing`, and what to do.
    fn explain_missing(&self, missing: &[&str], apps: &[&App]) -> String {
        let declared =
            format!("{} declared by no loaded module; ", crate::report::list_with_verb(missing));
        let own = self.generated.iter().find_map(|module| {
            let app = meant(apps, module)?;
            (app.name == module.metadata.host).then_some(app)
        });
        let Some(app) = own.or(apps.first().copied()) else {
            return declared + "name the application that lends them with --app";
        };
        let of_app = |module: &&LoadedModule| {
            app.build_id().is_ok_and(|build_id| module.metadata.build_id == *build_id)
        };
        let of_name = |module: &&LoadedModule| module.metadata.host == app.name;
        let generated = self.generated.iter();
        let path = app.path.display();
        let mut text = declared;
        let without_types =
            missing.first().and_then(|name| module_with_function(Path::new(KALLSYMS), name));
        if let Some(module) = without_types {
            text += &format!(
                "module {module} has {}, but the kernel knows no types of that module: {WITHOUT_TYPES}",
                missing[0]
            );
        } else if let Some(module) = generated.clone().find(of_app) {
            text += &format!(
                "module {} of {path} lends {}; declare the function in the application or in a policy and generate the module again",
                module.name,
                module.names()
            );
        } else if let Some(module) = generated.clone().find(of_name) {
            text += &format!(
                "module {} was generated from another build of {}: its build-id is {}, {path} has {}; ",
                module.name,
                app.name,
                module.metadata.build_id,
                app.build_id().map_or_else(|_| "none".to_owned(), ToString::to_string),
            );
            text += &build_commands(app, Some(&module.name));
        } else {
            for module in generated {
                let host = &module.metadata.host;
                text +=
                    &format!("module {} is of {host} and lends {}; ", module.name, module.names());
            }
            text += &build_commands(app, None);
        }
        for unreadable in &self.unreadable {
            text += &format!(" (not looked at: {unreadable})");
        }
        text
    }
}

/// The module that has a function `name` according to the list at `kallsyms`.
pub(crate) fn module_with_function(kallsyms: &Path, name: &str) -> Option<String> {
    // ADDRESS t NAME<tab>[MODULE]
    let list = fs::read_to_string(kallsyms).ok()?;
    list.lines().find_map(|line| {
        let (symbol, module) = line.split_once('\t')?;
        let found = symbol.rsplit(' ').next()?;
        let module = module.strip_prefix('[')?.strip_suffix(']')?;
        (found == name).then(|| module.to_owned())
    })
}

/// The BTF files of the loaded modules, in the order of their names.
fn module_files(sysfs: &Path) -> Result<Vec<PathBuf>> {
    let list = || -> std::io::Result<Vec<PathBuf>> {
        fs::read_dir(sysfs)?.map(|entry| entry.map(|entry| entry.path())).collect()
    };
    let mut files = list().with_context(|| format!("failed to list {}", sysfs.display()))?;
    files.retain(|path| path.file_name() != Some(OsStr::new(VMLINUX)));
    files.sort();
    Ok(files)
}

/// Whether `text` may be a name in the BTF `bytes`. What comes before it does not matter: a name
/// may be the first string, or the end of a longer one.
fn has_string(bytes: &[u8], text: &str) -> bool {
    memmem::find_iter(bytes, text).any(|at| bytes.get(at + text.len()) == Some(&0))
}

fn function_names(btf: &Btf<'_>) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for item in btf.types() {
        if let (_, Type::Func { name, .. }) = item? {
            names.push(name.into_owned());
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ufunc_gen::btf::encode::Encoded;
    use ufunc_gen::btf::{Composite, Linkage, Name, TypeId};
    use ufunc_gen::metadata::{BuildId, Target};

    const OTHER_BUILD: &[u8] = &[0xab; 20];

    /// A folder like `/sys/kernel/btf`.
    struct Sysfs {
        dir: tempfile::TempDir,
        vmlinux_strings: u32,
    }

    fn func(name: &str) -> Type<'static> {
        Type::Func { name: name.to_owned().into(), proto: TypeId(1), linkage: Linkage::Static }
    }

    fn tag(value: String, target: u32) -> Type<'static> {
        Type::DeclTag { value: value.into(), target: TypeId(target), component: -1 }
    }

    fn ufunc(name: &str, role: Role, family: &str) -> UfuncMetadata {
        UfuncMetadata {
            kfunc: name.to_owned(),
            role,
            target: Target::Function { symbol: name.to_owned(), address: 0x1000 },
            family: Some(family.to_owned()),
            source: None,
            arguments: Vec::new(),
        }
    }

    impl Sysfs {
        /// A kernel with the one kfunc `bpf_own`.
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let types =
                [Type::FuncProto { ret: TypeId::VOID, params: Vec::new() }, func("bpf_own")];
            let encoded = Encoded::new(&types, 0).unwrap();
            fs::write(dir.path().join(VMLINUX), encoded.to_bytes().unwrap()).unwrap();
            Sysfs { dir, vmlinux_strings: encoded.strings.len() as u32 }
        }

        fn insert(&self, module: &str, types: &[Type<'static>]) {
            let encoded = Encoded::new(types, self.vmlinux_strings).unwrap();
            fs::write(self.dir.path().join(module), encoded.to_bytes().unwrap()).unwrap();
        }

        /// Loads a generated module.
        fn insmod(&self, module: &str, host: &str, build_id: &BuildId, ufuncs: &[UfuncMetadata]) {
            let metadata = ModuleMetadata {
                host: host.to_owned(),
                build_id: build_id.clone(),
                ufuncs: ufuncs.to_vec(),
            };
            // Ids 1 and 2 are the kernel's.
            let marker =
                Composite { name: Name::from(MODULE_STRUCT), size: 0, members: Vec::new() };
            let mut types = vec![Type::Struct(marker)];
            types.extend(metadata.module_tags().into_iter().map(|value| tag(value, 3)));
            for ufunc in ufuncs {
                let id = types.len() as u32 + 3;
                types.push(func(&ufunc.kfunc));
                types.extend(ufunc.tags().into_iter().map(|value| tag(value, id)));
            }
            self.insert(module, &types);
        }

        fn find(&self, names: &[&str], app: &App) -> Result<Option<LoadedModule>> {
            let kfuncs = names.iter().map(|name| Kfunc { name: name.to_string(), weak: false });
            find_lender(self.dir.path(), &kfuncs.collect::<Vec<_>>(), &[app])
        }

        fn error(&self, names: &[&str], app: &App) -> String {
            format!("{:#}", self.find(names, app).unwrap_err())
        }
    }

    /// An application with a build-id: rustc's linker gives none, so the kernel's vDSO serves,
    /// or what else is there.
    fn app() -> App {
        ["/bin/ls", "/usr/bin/env", "/bin/sh", "/bin/cat"]
            .iter()
            .filter_map(|path| App::open(Path::new(path)).ok())
            .find(|app| app.build_id().is_ok())
            .expect("one of the distribution's programs has a build-id")
    }

    fn pair() -> [UfuncMetadata; 2] {
        [ufunc("my_alloc", Role::Acquire, "data"), ufunc("my_free", Role::Release, "data")]
    }

    #[test]
    fn the_module_of_this_build_lends() {
        let (sysfs, app) = (Sysfs::new(), app());
        sysfs.insmod("ufunc", "renamed", app.build_id().unwrap(), &pair());
        let module = sysfs.find(&["my_alloc", "my_free", "bpf_own"], &app).unwrap().unwrap();
        assert_eq!(module.name, "ufunc");
        let releases = module.relatives("my_alloc", Role::Release);
        assert_eq!(releases.len(), 1);
        assert_eq!(releases[0].kfunc, "my_free");
    }

    #[test]
    fn of_many_ufuncs_the_first_are_named() {
        let module = |count| LoadedModule {
            name: "ufunc".to_owned(),
            prefix: String::new(),
            metadata: ModuleMetadata {
                host: "app".to_owned(),
                build_id: BuildId(vec![1]),
                ufuncs: (0..count).map(|n| ufunc(&format!("f{n}"), Role::Plain, "")).collect(),
            },
        };
        assert_eq!(module(0).names(), "nothing");
        assert_eq!(module(2).names(), "f0, f1");
        assert_eq!(module(9).names(), "f0, f1, f2, f3, f4, f5, f6, f7, f8");
        assert_eq!(module(50).names(), "f0, f1, f2, f3, f4, f5, f6, f7 and 42 more");
    }

    #[test]
    fn the_kernels_own_kfuncs_need_no_module() {
        let sysfs = Sysfs::new();
        assert_eq!(sysfs.find(&["bpf_own"], &app()).unwrap(), None);
        sysfs.insert("nf_conntrack", &[func("bpf_ct_lookup")]);
        assert_eq!(sysfs.find(&["bpf_ct_lookup"], &app()).unwrap(), None);
        assert_eq!(sysfs.find(&[], &app()).unwrap(), None);
    }

    #[test]
    fn weak_kfuncs_may_be_missing() {
        let sysfs = Sysfs::new();
        let kfuncs = [Kfunc { name: "bpf_of_a_newer_kernel".into(), weak: true }];
        assert_eq!(find_lender(sysfs.dir.path(), &kfuncs, &[&app()]).unwrap(), None);
    }

    #[test]
    fn a_missing_module_is_to_be_built() {
        let (sysfs, app) = (Sysfs::new(), app());
        let error = sysfs.error(&["my_alloc"], &app);
        let path = app.path.display();
        assert_eq!(
            error,
            format!(
                "my_alloc is declared by no loaded module; make and insmod the module of {path}: ufunc-gen ko {path} -o ufunc.ko && sudo insmod ufunc.ko"
            )
        );
        let error = sysfs.error(&["my_alloc", "my_free", "bpf_own"], &app);
        assert!(error.starts_with("my_alloc and my_free are declared by no"), "{error}");
    }

    #[test]
    fn a_module_without_the_function_says_what_it_has() {
        let (sysfs, app) = (Sysfs::new(), app());
        sysfs.insmod("ufunc", &app.name, app.build_id().unwrap(), &pair());
        let error = sysfs.error(&["my_aloc"], &app);
        assert!(error.contains("lends my_alloc, my_free;"), "{error}");
    }

    #[test]
    fn a_module_of_another_build_is_refused_with_both_build_ids() {
        let (sysfs, app) = (Sysfs::new(), app());
        let other = BuildId(OTHER_BUILD.to_vec());
        sysfs.insmod("ufunc", &app.name, &other, &pair());
        for name in ["my_alloc", "my_aloc"] {
            let error = sysfs.error(&[name], &app);
            assert!(error.contains("another build of"), "{error}");
            assert!(error.contains(&other.to_string()), "{error}");
            assert!(error.contains(&app.build_id().unwrap().to_string()), "{error}");
            assert!(error.contains("rmmod ufunc"), "{error}");
        }
    }

    #[test]
    fn a_module_of_another_application_is_refused() {
        let (sysfs, app) = (Sysfs::new(), app());
        sysfs.insmod("ufunc", "redis-server", &BuildId(OTHER_BUILD.to_vec()), &pair());
        let error = sysfs.error(&["my_alloc"], &app);
        assert!(error.contains("another application, redis-server"), "{error}");
        let error = sysfs.error(&["elsewhere"], &app);
        assert!(error.contains("module ufunc is of redis-server and lends my_alloc"), "{error}");
    }

    #[test]
    fn types_of_another_build_are_refused() {
        let (sysfs, app) = (Sysfs::new(), app());
        sysfs.insmod("ufunc", &app.name, app.build_id().unwrap(), &pair());
        sysfs.insmod("stale", &app.name, &BuildId(OTHER_BUILD.to_vec()), &pair());
        sysfs.insert("nf_conntrack", &[func("bpf_ct_lookup")]);
        let check = |modules: &[&str]| {
            check_types(sysfs.dir.path(), &modules.iter().copied().collect(), &[&app])
        };
        check(&["nf_conntrack", "ufunc"]).unwrap();
        let error = check(&["stale", "ufunc"]).unwrap_err().to_string();
        assert!(error.contains("found in module stale, which was generated"), "{error}");
        assert!(check(&["unloaded_meanwhile"]).is_err());
    }

    #[test]
    fn a_kfunc_declared_twice_is_refused() {
        let (sysfs, app) = (Sysfs::new(), app());
        let ufuncs = [ufunc("bpf_own", Role::Plain, "data")];
        sysfs.insmod("ufunc", &app.name, app.build_id().unwrap(), &ufuncs);
        let error = sysfs.error(&["bpf_own"], &app);
        assert!(error.contains("both by vmlinux and by ufunc"), "{error}");
    }

    #[test]
    fn damaged_btf_is_said_where_it_may_be_the_cause() {
        let (sysfs, app) = (Sysfs::new(), app());
        fs::write(sysfs.dir.path().join("ufunc"), b"\0ufunc_module\0").unwrap();
        let error = sysfs.error(&["my_alloc"], &app);
        assert!(error.contains("not looked at: BTF of ufunc: "), "{error}");
        fs::remove_file(sysfs.dir.path().join(VMLINUX)).unwrap();
        assert!(sysfs.error(&["my_alloc"], &app).contains("CONFIG_DEBUG_INFO_BTF"));
    }
}
