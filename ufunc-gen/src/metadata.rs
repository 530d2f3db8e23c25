// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a module's BTF says about the application behind it.
//!
//! Beside the types, a generated module carries declaration tags, so that `/sys/kernel/btf/MODULE`
//! describes itself and no file has to travel along:
//!
//! ```text
//! STRUCT ufunc_module            an empty struct, there to be tagged
//!   DECL_TAG ufunc:format=1
//!   DECL_TAG ufunc:host=btf-base-complete
//!   DECL_TAG ufunc:build-id=5d41…
//! FUNC my_alloc_data             the pseudo kfunc
//!   DECL_TAG bpf_kfunc           the kernel's own
//!   DECL_TAG ufunc:role=acquire
//!   DECL_TAG ufunc:symbol=my_alloc_data
//!   DECL_TAG ufunc:address=0x11d0
//!   DECL_TAG ufunc:family=data
//!   DECL_TAG ufunc:source=btf-base-complete.c:41
//! FUNC log_line
//!   …
//!   DECL_TAG ufunc:arguments=level,message:string
//! FUNC ufunc_write_data_a        one that no function of the application is behind
//!   DECL_TAG ufunc:role=plain
//!   DECL_TAG ufunc:access=write
//!   DECL_TAG ufunc:of=data.a
//!   DECL_TAG ufunc:bits=0+32
//!   DECL_TAG ufunc:source=app.toml:9
//! ```

mod access;

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Context as _, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::btf::decode::Btf;
use crate::btf::{Type, TypeId};

pub use access::{Access, Bits, Elements};

/// Name of the empty struct that carries the module's own tags.
pub const MODULE_STRUCT: &str = "ufunc_module";
/// Version of the format that [`ModuleMetadata`] writes and reads.
pub const FORMAT: &str = "1";

/// What the tag begins with that says which process a module was made for, if it goes with it.
pub const OWNER_TAG: &str = "ufunc:owner=";

/// What every one of these tags begins with.
const PREFIX: &str = "ufunc:";

/// What a ufunc does to the object it returns or takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Returns an object, or NULL, that the extension then has to release.
    Acquire,
    /// Takes such an object back.
    Release,
    /// Neither.
    Plain,
}

impl Role {
    /// All roles, in the order in which help texts name them.
    pub const ALL: [Role; 3] = [Role::Acquire, Role::Release, Role::Plain];

    /// The role of that name.
    pub fn from_name(name: &str) -> Option<Role> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    /// The name used in policies, annotations and tags.
    pub fn name(self) -> &'static str {
        match self {
            Role::Acquire => "acquire",
            Role::Release => "release",
            Role::Plain => "plain",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What an argument is, where its type does not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ArgumentKind {
    /// A string that ends with a NUL and that nothing changes: a literal.
    String,
    /// Memory of the extension's, of as many bytes as the next argument says.
    Buffer,
    /// How many bytes the argument before it has.
    Size,
    /// An object, or NULL.
    Nullable,
    /// A number that stands in the extension's code.
    Constant,
}

impl ArgumentKind {
    /// All kinds, in the order in which help texts name them.
    pub const ALL: [ArgumentKind; 5] = [
        ArgumentKind::String,
        ArgumentKind::Buffer,
        ArgumentKind::Size,
        ArgumentKind::Nullable,
        ArgumentKind::Constant,
    ];

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<ArgumentKind> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The name used in policies and tags.
    pub fn name(self) -> &'static str {
        match self {
            ArgumentKind::String => "string",
            ArgumentKind::Buffer => "buffer",
            ArgumentKind::Size => "size",
            ArgumentKind::Nullable => "nullable",
            ArgumentKind::Constant => "constant",
        }
    }
}

/// An argument of an application's function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Argument {
    /// What the application calls it.
    pub name: String,
    /// What it is; `None` where its type tells.
    pub kind: Option<ArgumentKind>,
}

impl Argument {
    /// Reads what [`Argument`]'s `Display` wrote.
    fn read(text: &str) -> Option<Argument> {
        let Some((name, kind)) = text.split_once(':') else {
            return Some(Argument { name: text.to_owned(), kind: None });
        };
        let kind = ArgumentKind::from_name(kind)?;
        Some(Argument { name: name.to_owned(), kind: Some(kind) })
    }
}

impl fmt::Display for Argument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Some(kind) => write!(f, "{}:{}", self.name, kind.name()),
            None => f.write_str(&self.name),
        }
    }
}

/// A GNU build-id; prints as hexadecimal.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BuildId(pub Vec<u8>);

impl BuildId {
    /// Reads what [`BuildId`]'s `Display` wrote.
    pub fn from_hex(text: &str) -> Option<BuildId> {
        let digits = text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !digits || text.is_empty() || !text.len().is_multiple_of(2) {
            return None;
        }
        let byte = |at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
        (0..text.len()).step_by(2).map(byte).collect::<Option<_>>().map(BuildId)
    }
}

impl fmt::Display for BuildId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for BuildId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BuildId({self})")
    }
}

/// A ufunc as its module describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UfuncMetadata {
    /// Name of the pseudo kfunc, which extensions call.
    pub kfunc: String,
    /// What it does.
    pub role: Role,
    /// What it stands for.
    pub target: Target,
    /// Acquire and release functions of one family belong together.
    pub family: Option<String>,
    /// `file:line` of the application's declaration, or of the policy.
    pub source: Option<String>,
    /// What the application's function takes, if the types do not tell all of it.
    pub arguments: Vec<Argument>,
}

/// What a pseudo kfunc stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A function of the application.
    Function {
        /// Its symbol.
        symbol: String,
        /// Where it is in the application's ELF (before relocation).
        address: u64,
    },
    /// The application's memory itself.
    Access {
        /// What may be done there.
        access: Access,
        /// The struct or the field that was granted, as `data.a`.
        of: String,
    },
}

/// A generated module as it describes itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleMetadata {
    /// File name of the application that the module was generated from.
    pub host: String,
    /// Its build-id.
    pub build_id: BuildId,
    /// What it lends, in the order of the names.
    pub ufuncs: Vec<UfuncMetadata>,
}

impl ModuleMetadata {
    /// The values of the tags on [`MODULE_STRUCT`].
    pub fn module_tags(&self) -> Vec<String> {
        vec![
            tag("format", FORMAT),
            tag("host", &self.host),
            tag("build-id", self.build_id.to_string()),
        ]
    }

    /// Reads the tags out of a module's BTF. `None` if the module is none of ours.
    ///
    /// Fails if the BTF is damaged or in a format of a later version.
    pub fn read(btf: &Btf<'_>) -> Result<Option<ModuleMetadata>> {
        let mut functions = BTreeMap::<TypeId, (String, Tags)>::new();
        let mut module = None::<(TypeId, Tags)>;
        // A tag comes after its target in every BTF that this project writes.
        for item in btf.types() {
            match item? {
                (id, Type::Struct(composite)) if composite.name == MODULE_STRUCT => {
                    module = Some((id, Tags::default()));
                }
                (id, Type::Func { name, .. }) => {
                    functions.insert(id, (name.into_owned(), Tags::default()));
                }
                (_, Type::DeclTag { value, target, .. }) => {
                    let Some((key, value)) =
                        value.strip_prefix(PREFIX).and_then(|tag| tag.split_once('='))
                    else {
                        continue;
                    };
                    let tags = match (&mut module, functions.get_mut(&target)) {
                        (Some((id, tags)), _) if *id == target => tags,
                        (_, Some((_, tags))) => tags,
                        _ => continue,
                    };
                    tags.0.insert(key.to_owned(), value.to_owned());
                }
                _ => {}
            }
        }
        let Some((_, mut module)) = module else { return Ok(None) };
        let format = module.take("format")?;
        ensure!(
            format == FORMAT,
            "the module was generated by another version of ufunc-gen (format {format}, known is {FORMAT})"
        );
        let build_id = module.take("build-id")?;
        let build_id = BuildId::from_hex(&build_id)
            .with_context(|| format!("tag ufunc:build-id has the bad value {build_id:?}"))?;
        let mut ufuncs = functions
            .into_values()
            .filter(|(_, tags)| !tags.0.is_empty())
            .map(|(kfunc, tags)| UfuncMetadata::read(kfunc, tags))
            .collect::<Result<Vec<_>>>()?;
        ufuncs.sort_by(|a, b| a.kfunc.cmp(&b.kfunc));
        Ok(Some(ModuleMetadata { host: module.take("host")?, build_id, ufuncs }))
    }
}

impl UfuncMetadata {
    /// The values of the tags on the function.
    pub fn tags(&self) -> Vec<String> {
        let mut tags = vec![tag("role", self.role.name())];
        match &self.target {
            Target::Function { symbol, address } => {
                tags.extend([tag("symbol", symbol), tag("address", format!("{address:#x}"))]);
            }
            Target::Access { access, of } => {
                tags.extend([tag("access", access.name()), tag("of", of)]);
                tags.extend(access.values().into_iter().map(|(key, value)| tag(key, value)));
            }
        }
        tags.extend(self.family.as_ref().map(|family| tag("family", family)));
        tags.extend(self.source.as_ref().map(|source| tag("source", source)));
        if !self.arguments.is_empty() {
            let arguments: Vec<_> = self.arguments.iter().map(ToString::to_string).collect();
            tags.push(tag("arguments", arguments.join(",")));
        }
        tags
    }

    fn read(kfunc: String, mut tags: Tags) -> Result<Self> {
        let mut read = || -> Result<Self> {
            let role = tags.take("role")?;
            let Some(role) = Role::from_name(&role) else {
                bail!("tag ufunc:role has the unknown value {role:?}")
            };
            let target = match tags.0.remove("access") {
                None => tags.function()?,
                Some(name) => Target::Access {
                    access: Access::read(&name, |key| tags.take(key))?,
                    of: tags.take("of")?,
                },
            };
            Ok(UfuncMetadata {
                role,
                target,
                family: tags.0.remove("family"),
                source: tags.0.remove("source"),
                arguments: tags.arguments()?,
                kfunc: String::new(),
            })
        };
        let ufunc = read().with_context(|| format!("failed to read the tags of kfunc {kfunc}"))?;
        Ok(UfuncMetadata { kfunc, ..ufunc })
    }
}

/// Tags of one function or of the module, by key.
#[derive(Default)]
struct Tags(BTreeMap<String, String>);

impl Tags {
    fn take(&mut self, key: &str) -> Result<String> {
        self.0.remove(key).with_context(|| format!("tag {PREFIX}{key} is missing"))
    }

    /// What the application's function takes, if they tell.
    fn arguments(&mut self) -> Result<Vec<Argument>> {
        let Some(text) = self.0.remove("arguments") else { return Ok(Vec::new()) };
        let read = text.split(',').map(Argument::read).collect::<Option<_>>();
        read.with_context(|| format!("tag {PREFIX}arguments has the bad value {text:?}"))
    }

    /// The function of the application that they tell of.
    fn function(&mut self) -> Result<Target> {
        let address = self.take("address")?;
        let address = address
            .strip_prefix("0x")
            .and_then(|digits| u64::from_str_radix(digits, 16).ok())
            .with_context(|| format!("tag ufunc:address has the bad value {address:?}"))?;
        Ok(Target::Function { symbol: self.take("symbol")?, address })
    }
}

fn tag(key: &str, value: impl AsRef<str>) -> String {
    // The kernel reads up to the NUL; a file name cannot have one, a damaged DWARF string cannot
    // either, but nothing here should depend on that.
    format!("{PREFIX}{key}={}", value.as_ref().replace('\0', ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn build_ids_read_what_they_print() {
        let id = BuildId(vec![0, 0xab, 7]);
        assert_eq!(id.to_string(), "00ab07");
        assert_eq!(BuildId::from_hex("00ab07"), Some(id));
        for bad in ["", "0", "0g", "é0", "+1"] {
            assert_eq!(BuildId::from_hex(bad), None, "{bad}");
        }
    }

    #[test]
    fn arguments_read_what_they_print() {
        for text in ["level", "message:string", "len:size"] {
            assert_eq!(
                Argument::read(text).map(|argument| argument.to_string()).as_deref(),
                Some(text)
            );
        }
        assert_eq!(Argument::read("message:text"), None);
        for kind in ArgumentKind::ALL {
            assert_eq!(ArgumentKind::from_name(kind.name()), Some(kind));
        }
    }

    #[test]
    fn roles_have_distinct_names() {
        for role in Role::ALL {
            assert_eq!(Role::from_name(role.name()), Some(role));
        }
        assert_eq!(Role::from_name("borrow"), None);
    }
}
