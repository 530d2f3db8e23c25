// SPDX-License-Identifier: MIT OR Apache-2.0
//! From a function's name to the function and its code.

use std::cell::OnceCell;

use anyhow::{Result, anyhow, bail};
use hashbrown::HashMap;

use super::{Origin, Request};
use crate::dwarf::DebugInfo;
use crate::dwarf::functions::{Function, bare};
pub(super) use crate::elf::Functions as Symbols;
use crate::elf::Host;
use crate::nearest;

/// A function and where its code is.
pub(super) struct Located<'a> {
    pub(super) function: Function<'a>,
    pub(super) address: u64,
}

/// The functions that were read, by what they are called.
pub(super) struct Known<'d, 'a> {
    debug: &'d DebugInfo<'a>,
    functions: Vec<Function<'a>>,
    /// Places of the functions by the last parts of their names and symbols.
    places: HashMap<String, Vec<usize>>,
    /// All functions of the application, once somebody asked for one that there is not.
    every: OnceCell<Vec<Function<'a>>>,
}

impl<'d, 'a> Known<'d, 'a> {
    /// Of all functions in `debug`, `functions` are those that matter.
    pub(super) fn new(debug: &'d DebugInfo<'a>, functions: Vec<Function<'a>>) -> Self {
        let mut places = HashMap::<_, Vec<_>>::new();
        for (place, function) in functions.iter().enumerate() {
            let (name, symbol) = (bare(&function.name), bare(function.symbol()));
            places.entry_ref(name).or_default().push(place);
            if name != symbol {
                places.entry_ref(symbol).or_default().push(place);
            }
        }
        Known { debug, functions, places, every: OnceCell::new() }
    }

    /// The functions, in the order of the debug information.
    pub(super) fn all(&self) -> &[Function<'a>] {
        &self.functions
    }

    /// Those called `wanted`.
    fn called(&self, wanted: &str) -> impl Iterator<Item = &Function<'a>> {
        let places = self.places.get(bare(wanted)).map(Vec::as_slice).unwrap_or_default();
        let functions = places.iter().map(|&place| &self.functions[place]);
        functions.filter(move |function| function.is_called(wanted))
    }

    /// The symbols of all functions of the application, even of those that do not matter.
    fn every_symbol(&self) -> impl Iterator<Item = &str> {
        // They were read without an error before.
        let every = self.every.get_or_init(|| self.debug.functions().unwrap_or_default());
        every.iter().map(|function| function.symbol())
    }
}

/// The function that `request` names.
///
/// Fails if there is none, if several fit, and if it has no code of its own.
pub(super) fn find<'a>(
    host: &Host<'_>,
    debug: &DebugInfo<'a>,
    functions: &Known<'_, 'a>,
    symbols: &Symbols<'_>,
    request: &Request,
) -> Result<Located<'a>> {
    let wanted = request.function.as_str();
    let called = functions.called(wanted);
    let mut candidates: Vec<_> = called.map(|function| debug.with_source(function)).collect();
    if let Some(file) = &request.source {
        candidates.retain(|function| function.source.as_ref().is_some_and(|at| at.is_in(file)));
    }
    // A symbol names exactly one function where several share a source name (overloads).
    if candidates.iter().any(|function| function.symbol() == wanted) {
        candidates.retain(|function| function.symbol() == wanted);
    }
    let located = |code: fn(&Function<'_>, &Symbols<'_>) -> Option<u64>| -> Vec<_> {
        let located = candidates.iter().filter_map(|function| {
            let address = code(function, symbols)?;
            Some(Located { function: function.clone(), address })
        });
        located.collect()
    };
    let mut found = located(code);
    if found.is_empty() {
        found = located(folded);
        // Several files may have a copy of what an inline function says.
        found.dedup_by(|one, other| one.function.symbol() == other.function.symbol());
    }
    // Other files' static functions of the name are none of anybody else's business.
    if found.iter().filter(|located| located.function.external).count() == 1 {
        found.retain(|located| located.function.external);
    }
    let mut found = found.into_iter();
    match (found.next(), found.next()) {
        (Some(located), None) => match altered(&located.function, symbols, &request.origin) {
            Some(reason) => Err(refusal(&located.function, reason)),
            None => Ok(located),
        },
        (Some(first), Some(second)) => {
            let others = [first, second].into_iter().chain(found);
            let places: Vec<_> = others.map(|located| describe(&located.function)).collect();
            bail!(
                "several functions of {} are called {wanted:?}: {}; ask for one by its symbol, or say in a policy which file it is in (source)",
                host.path().display(),
                places.join(", ")
            )
        }
        (None, _) => match candidates.first() {
            Some(function) => Err(refusal(function, no_code(function, symbols))),
            None => bail!(match &request.source {
                Some(file) =>
                    format!("{} defines no function {wanted:?} in {file:?}", host.path().display()),
                None => missing(host, debug, functions, wanted),
            }),
        },
    }
}

/// Address of the code of `function`, if the linker knows it by the function's own name. A copy
/// that the compiler specialised (`f.isra.0`) has another name, and another signature too.
pub(super) fn code(function: &Function<'_>, symbols: &Symbols<'_>) -> Option<u64> {
    let namesakes = symbols.get(function.symbol().as_bytes())?;
    let own = namesakes.iter().find(|symbol| function.addresses.contains(&symbol.address));
    own.map(|symbol| symbol.address)
}

/// Address of the code that `function`, which has none of its own, shares with another function.
///
/// Where two functions do the same, as many that only call `free()` do, GCC keeps one of them and
/// makes the other's symbol a second name of it (`-fipa-icf`, part of `-O2`). The caller sees to it
/// that no other function of that name has code.
pub(super) fn folded(function: &Function<'_>, symbols: &Symbols<'_>) -> Option<u64> {
    match symbols.get(function.symbol().as_bytes())?.as_slice() {
        [symbol] if function.external && function.addresses.is_empty() => Some(symbol.address),
        _ => None,
    }
}

/// Why calling `function` as its source declares it may go wrong, if so.
///
/// LLVM takes unused parameters away from a function, and passes values where the source has
/// pointers, if it sees all of the calls: those of a local symbol, unless its address is taken, as
/// an annotation does.
pub(super) fn altered(
    function: &Function<'_>,
    symbols: &Symbols<'_>,
    origin: &Origin,
) -> Option<String> {
    let namesakes = symbols.get(function.symbol().as_bytes()).map(Vec::as_slice);
    let is_local = namesakes.is_some_and(|symbols| symbols.iter().all(|symbol| symbol.local));
    let unsafe_local = function.by_llvm && is_local && *origin != Origin::Annotation;
    (function.altered || unsafe_local).then(|| {
        "it is local to its file, and the compiler may have changed how it is called; annotate it with examples/include/ufunc.h, or make it global".to_owned()
    })
}

/// `name (file:line)`.
pub(super) fn describe(function: &Function<'_>) -> String {
    let name = function.symbol().escape_debug();
    match &function.source {
        Some(source) => format!("{name} ({})", source.to_string().escape_debug()),
        None => name.to_string(),
    }
}

/// The error that `function` cannot be lent.
pub(crate) fn refusal(function: &Function<'_>, reason: String) -> anyhow::Error {
    anyhow!("cannot lend {}: {reason}", describe(function))
}

fn no_code(function: &Function<'_>, symbols: &Symbols<'_>) -> String {
    let symbol = function.symbol();
    let clone = symbols.keys().find(|name| {
        let rest = name.strip_prefix(symbol.as_bytes());
        rest.is_some_and(|rest| rest.starts_with(b"."))
    });
    match clone {
        Some(clone) => format!(
            "the compiler left only the specialised copy '{}'; keep the original with __attribute__((noipa)) or by taking its address",
            String::from_utf8_lossy(clone).escape_debug()
        ),
        None if symbols.is_empty() => {
            "the file has no symbol table, which tells where its code is; do not strip it".to_owned()
        }
        None => "it has no code of its own (inlined wherever it is called, or dropped); keep it with __attribute__((noinline, used))".to_owned(),
    }
}

fn missing(
    host: &Host<'_>,
    debug: &DebugInfo<'_>,
    functions: &Known<'_, '_>,
    wanted: &str,
) -> String {
    let mut message = format!("{} defines no function {wanted:?}", host.path().display());
    message += &nearest::hint(wanted, functions.every_symbol());
    if let Some(missing) = debug.missing_note() {
        message += &format!(" ({missing})");
    }
    message
}
