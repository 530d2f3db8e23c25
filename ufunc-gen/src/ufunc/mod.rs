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
pub mod infer;
pub mod locate;
pub mod policy;
pub mod signature;

use std::fmt;

use anyhow::{Result, bail};

use crate::dwarf::DebugInfo;
use crate::dwarf::functions::Function;
use crate::elf::Host;
use crate::ident;
use crate::kernel::{self, KFUNC_SET_MAX, RESERVED_SYMBOLS, kf};
use crate::metadata::Role;
use policy::Policy;
use signature::Signature;

/// A function that somebody wants lent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Name of the function, or its symbol.
    pub function: String,
    /// What it does.
    pub role: Role,
    /// Groups functions that belong together; `None` for the one family of its struct.
    pub family: Option<String>,
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
    /// Names and types that fit; the reason in words.
    Inferred(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Policy(place) => write!(f, "policy {place}"),
            Origin::Annotation => write!(f, "annotation"),
            Origin::Inferred(reason) => write!(f, "inferred: {reason}"),
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
        // Without it kernels before 6.16 or so let an extension pass a pointer that it loaded
        // from the application's memory, which may be anything.
        own | kf::TRUSTED_ARGS
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
    /// What the caller should be told: inferred pairs and why, and what was left out.
    pub notes: Vec<String>,
}

/// Finds the ufuncs of `host`.
///
/// Fails if a function that was asked for cannot be found or lent, and if there is none at all.
pub fn choose<'a>(host: &Host<'_>, debug: &DebugInfo<'a>, choice: &Choice) -> Result<Chosen<'a>> {
    let functions = debug.functions()?;
    let symbols = host.functions();
    let annotations = annotation::read(host)?;
    let mut notes = Vec::new();
    let requests = match &choice.policy {
        Some(policy) => policy.requests(),
        None if !annotations.is_empty() => annotations,
        None if choice.infer => {
            let inferred = infer::pairs(debug, &functions, &symbols, &choice.prefix)?;
            notes.extend(inferred.notes);
            inferred.requests
        }
        None => Vec::new(),
    };
    let mut ufuncs = Vec::new();
    for request in requests {
        let located = locate::find(host, debug, &functions, &symbols, &request)?;
        let function = located.function;
        let signature = signature::of(debug, function, request.role)
            .map_err(|reason| locate::refusal(function, reason))?;
        if function.parameters_end == crate::dwarf::functions::ParametersEnd::Unprototyped {
            notes.push(format!(
                "{} has no prototype; taken as {0}(void)",
                locate::describe(function)
            ));
        }
        let kfunc = kfunc_name(function, &choice.prefix)?;
        let family = match request.role {
            Role::Plain => request.family,
            Role::Acquire | Role::Release => {
                Some(request.family.unwrap_or_else(|| signature.object.clone().unwrap_or_default()))
            }
        };
        ufuncs.push(Ufunc {
            function: function.clone(),
            address: located.address,
            kfunc,
            role: request.role,
            family,
            signature,
            origin: request.origin,
        });
    }
    ufuncs.sort_by(|a, b| a.kfunc.cmp(&b.kfunc));
    for pair in ufuncs.windows(2) {
        if pair[0].kfunc == pair[1].kfunc {
            bail!(
                "{} is asked for twice ({} and {}); leave one out",
                pair[0].kfunc,
                pair[0].origin,
                pair[1].origin
            );
        }
    }
    if ufuncs.is_empty() {
        // Why each pair was left out: nobody else will say it.
        let left_out: String = notes.iter().map(|note| format!("\n  {note}")).collect();
        bail!("{}{left_out}", nothing_to_lend(host, choice));
    }
    if ufuncs.len() > KFUNC_SET_MAX {
        bail!(
            "{} functions are lent, the kernel takes {KFUNC_SET_MAX} at most; name fewer in a policy (--policy)",
            ufuncs.len()
        );
    }
    notes.extend(unreleased(&ufuncs));
    Ok(Chosen { ufuncs, notes })
}

fn nothing_to_lend(host: &Host<'_>, choice: &Choice) -> String {
    let shown = host.path().display();
    match (&choice.policy, choice.infer) {
        (Some(policy), _) => format!("{} names no function to lend", policy.path()),
        (None, true) => format!(
            "no function of {shown} is annotated, and no pair that looks like acquire and release can be lent; annotate some with examples/include/ufunc.h or name them in a policy (--policy)"
        ),
        (None, false) => format!(
            "no function of {shown} is annotated; annotate some with examples/include/ufunc.h, name them in a policy (--policy), or allow inference (without --no-infer)"
        ),
    }
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
