// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which functions the application lends, and on what terms.
//!
//! ```text
//! policy file ─┐
//! ELF notes ───┼─▶ Request ──locate──▶ Function ──signature──▶ Ufunc
//! inference ───┘
//! ```
//!
//! The first source that there is decides alone: a policy over annotations over inference.

pub mod annotation;
mod argument;
mod callable;
pub mod infer;
pub mod locate;
mod objects;
pub mod policy;
pub mod propose;
pub mod signature;

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Result, anyhow, bail, ensure};
use hashbrown::HashSet;

use crate::access::{self, Accessor, Action};
use crate::dwarf::DebugInfo;
use crate::dwarf::functions::{Function, ParametersEnd, bare};
use crate::elf::{Functions, Host};
use crate::ident;
use crate::kernel::{self, KFUNC_SET_MAX, RESERVED_SYMBOLS, kf};
use crate::metadata::Role;
use infer::Inferred;
use infer::left_out::{self, LeftOut};
use infer::verbs::Verbs;
use locate::{Known, Located, Symbols};
use policy::Policy;
use signature::Signature;

pub use argument::Marked;

/// A function that somebody wants lent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Name of the function, or its symbol.
    pub function: String,
    /// What it does.
    pub role: Role,
    /// Groups functions that belong together; `None` for the one family of its struct.
    pub family: Option<String>,
    /// The file that it is in, or the end of its path; `None` for any.
    pub source: Option<String>,
    /// What its arguments are, where their types do not tell.
    pub arguments: Vec<Marked>,
    /// Whether it may sleep.
    pub sleepable: bool,
    /// Who wants it.
    pub origin: Origin,
}

/// Where a [`Request`] comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A policy file, at `file:line`.
    Policy(String),
    /// An ELF note that `ufunc.h` left.
    Annotation,
    /// Names and types that fit, the names by these verbs.
    Inferred(Verbs),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Policy(place) => write!(f, "policy {place}"),
            Origin::Annotation => write!(f, "annotation"),
            Origin::Inferred(verbs) => write!(f, "inferred: {}", verbs.reason()),
        }
    }
}

/// A function of the application that extensions may call.
#[derive(Clone, Debug)]
pub struct Ufunc<'a> {
    /// The function.
    pub function: Function<'a>,
    /// Where its code is, before relocation.
    pub address: u64,
    /// The name that extensions call it by; an identifier.
    pub kfunc: String,
    /// What it does.
    pub role: Role,
    /// Name of its family; `None` if it belongs to none (plain functions).
    pub family: Option<String>,
    /// What it takes and returns.
    pub signature: Signature,
    /// Whether it may sleep.
    pub sleepable: bool,
    /// Who wants it lent.
    pub origin: Origin,
}

impl Ufunc<'_> {
    /// The kernel's flags for it.
    pub fn flags(&self) -> u32 {
        let own = match self.role {
            Role::Acquire => kf::ACQUIRE | kf::RET_NULL,
            Role::Release => kf::RELEASE,
            // A pointer that is only lent may always be NULL.
            Role::Plain if self.signature.returns_struct() => kf::RET_NULL,
            Role::Plain => 0,
        };
        // Without it older kernels (6.12 does) let an extension pass a pointer that it loaded
        // from the application's memory, which may be anything.
        let sleepable = if self.sleepable { kf::SLEEPABLE } else { 0 };
        own | kf::TRUSTED_ARGS | sleepable
    }
}

/// How ufuncs are chosen and named.
#[derive(Debug, Default)]
pub struct Choice {
    /// What the owner of the application wrote; decides alone if given.
    pub policy: Option<Policy>,
    /// Whether pairs may be inferred if nothing else says what is lent.
    pub infer: bool,
    /// Put before the name of every kfunc.
    pub prefix: String,
}

/// What [`choose`] found.
#[derive(Debug)]
pub struct Chosen<'a> {
    /// The ufuncs, by the names of their kfuncs.
    pub ufuncs: Vec<Ufunc<'a>>,
    /// What a policy grants beside functions.
    pub accessors: Vec<Accessor>,
    /// The inferred pairs, a line for each, with the reason.
    pub inferred: Vec<String>,
    /// Pairs that look like acquire and release, and are not lent.
    pub left_out: Vec<LeftOut>,
    /// What else the caller should be told.
    pub notes: Vec<String>,
}

/// Finds the ufuncs of `host`, whose functions that have code are `symbols`.
///
/// Fails if functions that were asked for cannot be found or lent, naming each, and if there is
/// none at all.
pub fn choose<'a>(
    host: &Host<'_>,
    symbols: &Functions<'_>,
    debug: &DebugInfo<'a>,
    choice: &Choice,
) -> Result<Chosen<'a>> {
    let annotations = annotation::read(host);
    let functions = {
        let interest = interest(choice, annotations.as_deref().unwrap_or_default());
        debug.functions_among(|function| interest.is_in(function, symbols))?
    };
    let functions = Known::new(debug, functions);
    let annotations = annotations?;
    let Inferred { requests, pairs, left_out } = match &choice.policy {
        Some(policy) => Inferred { requests: policy.requests().to_vec(), ..Inferred::default() },
        None if !annotations.is_empty() => {
            Inferred { requests: annotations, ..Inferred::default() }
        }
        None if choice.infer => infer::pairs(debug, functions.all(), symbols, &choice.prefix)?,
        None => Inferred::default(),
    };
    let grants = choice.policy.as_ref().map(Policy::grants).unwrap_or_default();
    let accessors = access::accessors(grants, &choice.prefix)?;
    let has_something = !requests.is_empty() || !accessors.is_empty();
    ensure!(has_something, nothing_to_lend(host, debug, choice, &left_out));
    let lend = |request: Request| -> Result<Ufunc<'a>> {
        locate::find(host, debug, &functions, symbols, &request)
            .and_then(|located| ufunc(debug, located, &request, &choice.prefix))
            .map_err(|error| with_place(&error, &request.origin))
    };
    let ufuncs = all(requests.into_iter().map(lend))?;
    let count = ufuncs.len() + accessors.len();
    ensure!(
        count <= KFUNC_SET_MAX,
        "{count} functions are lent, the kernel takes {KFUNC_SET_MAX} at most; name fewer in a policy (--policy)"
    );
    access::check_names(&accessors, ufuncs.iter().map(|ufunc| ufunc.kfunc.as_str()))?;
    let mut notes = unprototyped(&ufuncs);
    // What was inferred can be called: pairs that cannot are left out.
    if ufuncs.iter().any(|ufunc| !matches!(ufunc.origin, Origin::Inferred(_))) {
        let borrows = accessors.iter().filter(|accessor| accessor.action == Action::Borrow);
        let borrowed: Vec<_> = borrows.map(|accessor| accessor.object.name.as_str()).collect();
        notes.extend(callable::notes(debug, &ufuncs, &borrowed)?);
    }
    notes.extend(unreleased(&ufuncs));
    Ok(Chosen { ufuncs, accessors, inferred: pairs, left_out, notes })
}

/// The functions that may have to be looked at: an application has many more.
enum Interest<'c> {
    /// Those that somebody asks for by these names.
    Called(HashSet<&'c str>),
    /// Those that have code and may be half of a pair.
    Pairs,
    /// None.
    Nothing,
}

/// What `choice` and `annotations` are interested in.
fn interest<'c>(choice: &'c Choice, annotations: &'c [Request]) -> Interest<'c> {
    let requests = match &choice.policy {
        Some(policy) => policy.requests(),
        None if !annotations.is_empty() => annotations,
        None if choice.infer => return Interest::Pairs,
        None => return Interest::Nothing,
    };
    Interest::Called(requests.iter().map(|request| bare(&request.function)).collect())
}

impl Interest<'_> {
    fn is_in(&self, function: &Function<'_>, symbols: &Symbols<'_>) -> bool {
        let symbol = function.symbol();
        match self {
            // Whoever is called by a name of several parts is called by the last one, too.
            Interest::Called(names) => {
                names.contains(bare(symbol)) || names.contains(bare(&function.name))
            }
            Interest::Pairs => symbols.contains_key(symbol.as_bytes()) && infer::has_verb(symbol),
            Interest::Nothing => false,
        }
    }
}

/// The ufunc that `located` is.
fn ufunc<'a>(
    debug: &DebugInfo<'a>,
    located: Located<'a>,
    request: &Request,
    prefix: &str,
) -> Result<Ufunc<'a>> {
    let function = &located.function;
    let signature = signature::of(debug, function, request.role, &request.arguments)
        .map_err(|reason| locate::refusal(function, reason))?;
    let family = match request.role {
        Role::Plain => request.family.clone(),
        Role::Acquire | Role::Release => {
            let family = request.family.as_ref().or(signature.object.as_ref());
            Some(family.cloned().unwrap_or_default())
        }
    };
    Ok(Ufunc {
        function: function.clone(),
        address: located.address,
        kfunc: kfunc_name(function, prefix)?,
        role: request.role,
        family,
        signature,
        sleepable: request.sleepable,
        origin: request.origin.clone(),
    })
}

/// All of `ufuncs`, by the names of their kfuncs, or all that is wrong with them.
fn all<'a>(ufuncs: impl Iterator<Item = Result<Ufunc<'a>>>) -> Result<Vec<Ufunc<'a>>> {
    let mut found = BTreeMap::<String, Ufunc<'_>>::new();
    let mut mistakes = Vec::new();
    for ufunc in ufuncs {
        match ufunc {
            Err(error) => mistakes.push(format!("{error:#}")),
            Ok(ufunc) => match found.get(&ufunc.kfunc) {
                Some(first) => mistakes.push(format!(
                    "{} is asked for twice ({} and {}); leave one out",
                    ufunc.kfunc, first.origin, ufunc.origin
                )),
                None => drop(found.insert(ufunc.kfunc.clone(), ufunc)),
            },
        }
    }
    match mistakes.as_slice() {
        [] => Ok(found.into_values().collect()),
        [only] => bail!("{only}"),
        several => {
            bail!("{} mistakes in what is to be lent\n  {}", several.len(), several.join("\n  "))
        }
    }
}

/// `error`, with who asked for the function.
fn with_place(error: &anyhow::Error, origin: &Origin) -> anyhow::Error {
    match origin {
        Origin::Policy(place) => anyhow!("{place}: {error:#}"),
        Origin::Annotation => anyhow!("an annotation: {error:#}"),
        Origin::Inferred(_) => anyhow!("{error:#}"),
    }
}

fn nothing_to_lend(
    host: &Host<'_>,
    debug: &DebugInfo<'_>,
    choice: &Choice,
    left_out: &[LeftOut],
) -> String {
    let shown = host.path().display();
    let mut message = match (&choice.policy, choice.infer) {
        (Some(policy), _) => return format!("{} names no function to lend", policy.path()),
        (None, true) => format!(
            "no function of {shown} is annotated, and no pair that looks like acquire and release can be lent; annotate some with examples/include/ufunc.h or name them in a policy (--policy)"
        ),
        (None, false) => format!(
            "no function of {shown} is annotated; annotate some with examples/include/ufunc.h, name them in a policy (--policy), or allow inference (without --no-infer)"
        ),
    };
    if let Some(missing) = debug.missing_note() {
        message += &format!(" ({missing})");
    }
    // Why each pair was left out: nobody else will say it.
    for line in left_out::lines(left_out) {
        message += &format!("\n  {line}");
    }
    message
}

/// Notes on functions that do not say what they take.
fn unprototyped(ufuncs: &[Ufunc<'_>]) -> Vec<String> {
    let unprototyped =
        ufuncs.iter().filter(|ufunc| ufunc.function.parameters_end == ParametersEnd::Unprototyped);
    unprototyped
        .map(|Ufunc { function, .. }| {
            let name = function.symbol().escape_debug();
            format!("{} has no prototype; taken as {name}(void)", describe(function))
        })
        .collect()
}

/// Notes on families that acquire what nothing releases: no extension can use those.
fn unreleased(ufuncs: &[Ufunc<'_>]) -> Vec<String> {
    let releases = |family: &Option<String>| {
        ufuncs.iter().any(|ufunc| ufunc.role == Role::Release && ufunc.family == *family)
    };
    let acquires = ufuncs.iter().filter(|ufunc| ufunc.role == Role::Acquire);
    acquires
        .filter(|ufunc| !releases(&ufunc.family))
        .map(|ufunc| {
            format!(
                "{} is lent, but nothing that releases what it returns: every extension that calls it will be rejected",
                ufunc.kfunc
            )
        })
        .collect()
}

/// `name (file:line)`, for notes: without the file's folder.
pub(crate) fn describe(function: &Function<'_>) -> String {
    let name = function.symbol().escape_debug();
    match &function.source {
        Some(source) => format!("{name} ({})", source.short().escape_debug()),
        None => name.to_string(),
    }
}

/// The kfunc's name for `function`.
///
/// Fails for a name that cannot be one in the kernel or in Rust.
pub(crate) fn kfunc_name(function: &Function<'_>, prefix: &str) -> Result<String> {
    let symbol = function.symbol();
    // Both parts, so that a prefix cannot make a hostile name pass by accident.
    if !ident::is_identifier(symbol) {
        return Err(locate::refusal(
            function,
            format!("its name {symbol:?} is no identifier, so it cannot be the name of a kfunc"),
        ));
    }
    let name = format!("{prefix}{symbol}");
    let propose = "rename all kfuncs with --prefix, for example --prefix app_";
    if name.len() > kernel::NAME_MAX {
        return Err(locate::refusal(function, "its name is too long for the kernel".to_owned()));
    }
    if RESERVED_SYMBOLS.contains(&name.as_str()) {
        let reason = format!("a module cannot define a symbol '{name}' of its own; {propose}");
        return Err(locate::refusal(function, reason));
    }
    if ident::rust_function_name(&name).is_none() {
        let reason = format!("'{name}' cannot be the name of a Rust function; {propose}");
        return Err(locate::refusal(function, reason));
    }
    Ok(name)
}
