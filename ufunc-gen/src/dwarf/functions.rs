// SPDX-License-Identifier: MIT OR Apache-2.0
//! The application's functions.

use std::borrow::Cow;
use std::sync::Arc;

use anyhow::Result;
use gimli::DwTag;
use hashbrown::HashMap;

use super::definitions::{Found, is_tagged};
use super::entry::{Attributes, Code, DieRef, Entry};
use super::scope::{Scopes, is_namespace};
use super::{DebugInfo, MAX_CHAIN, Said, Source, Unit, UnitIndex, Walk};

/// A function that the application defines, as its source declares it.
#[derive(Clone, Debug)]
pub struct Function<'a> {
    /// Its name in the source, with the namespaces around it: `ns::make`.
    pub name: Cow<'a, str>,
    /// Its symbol, where that is not the name (C++, Rust).
    pub linkage_name: Option<Cow<'a, str>>,
    /// Whether other files see it.
    pub external: bool,
    /// Type of what it returns; `None` for `void`.
    pub return_type: Option<DieRef>,
    /// Its parameters, in order.
    pub params: Vec<Parameter<'a>>,
    /// How the list of parameters ends.
    pub parameters_end: ParametersEnd,
    /// Whether it is a method of a class.
    pub method: bool,
    /// Addresses of its code, before relocation; empty if the compiler left no code of its own.
    pub addresses: Vec<u64>,
    /// Whether the compiler says that it is not called as the platform's ABI has it
    /// (`DW_CC_nocall`).
    pub altered: bool,
    /// Whether LLVM compiled it. It changes the parameters of functions that nobody outside of the
    /// file can call, and before version 19 does not say so.
    pub by_llvm: bool,
    /// Where the source declares it, as far as somebody wanted to know:
    /// [`DebugInfo::with_source`].
    pub source: Option<Source>,
    /// The unit, and the file and line by its table of those.
    pub(crate) declared: (UnitIndex, u64, u64),
}

/// A parameter of a [`Function`].
#[derive(Clone, Debug)]
pub struct Parameter<'a> {
    /// Empty if the source gives none.
    pub name: Cow<'a, str>,
    /// Its type.
    pub ty: Option<DieRef>,
}

/// What follows the last parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParametersEnd {
    /// Nothing.
    Fixed,
    /// `...`
    Variadic,
    /// `f()` in C before C23, which says nothing of the parameters. For a definition, and only
    /// those are listed, it means that there are none.
    Unprototyped,
}

impl Function<'_> {
    /// The name under which the linker knows the function.
    pub fn symbol(&self) -> &str {
        // Without a linkage name the symbol is the bare name, whatever is around it: `extern "C"`.
        self.linkage_name.as_deref().unwrap_or_else(|| bare(&self.name))
    }

    /// Whether `wanted` is this function's name, with or without namespaces, or its symbol.
    pub fn is_called(&self, wanted: &str) -> bool {
        self.symbol() == wanted
            || self.name == wanted
            || bare(&self.name) == wanted
            || wanted.strip_prefix("::") == Some(&self.name)
    }
}

/// `name` without the namespaces around it.
pub(crate) fn bare(name: &str) -> &str {
    // Nearly all names have no colon, and are quicker looked through for one than for two.
    match memchr::memchr(b':', name.as_bytes()) {
        None => name,
        Some(_) => name.rsplit("::").next().unwrap_or_default(),
    }
}

/// What one `DW_TAG_subprogram` says; a function may be spread over several.
struct Subprogram<'a> {
    at: DieRef,
    /// The entry that it completes.
    origin: Option<DieRef>,
    /// Where its code begins.
    address: Option<u64>,
    altered: bool,
    /// Whether the function is another file's unless something completes this.
    declaration: bool,
    /// The function, if this is the entry with the name and somebody wants it.
    function: Option<Box<Function<'a>>>,
}

/// A declaration with nothing but a name and types, and what is around it. Every file has hundreds
/// of them, and hardly one is ever completed.
type Declared = (DieRef, Arc<str>);

/// What several entries say of one function.
struct Root {
    at: DieRef,
    addresses: Vec<u64>,
    altered: bool,
}

impl<'a> DebugInfo<'a> {
    /// All functions that the application defines, in the order of the debug information.
    pub fn functions(&self) -> Result<Vec<Function<'a>>> {
        self.functions_among(|_| true)
    }

    /// The functions that the application defines and that are `wanted`, in the order of the debug
    /// information. `wanted` is asked before parameters and addresses are known; of others these
    /// are not even read.
    pub fn functions_among(
        &self,
        wanted: impl Fn(&Function<'a>) -> bool + Sync,
    ) -> Result<Vec<Function<'a>>> {
        // Signatures lead to types, which may be defined elsewhere: while a unit is open, that is
        // looked for, too.
        let lacks_definitions = self.lacks_definitions();
        let workers = self.for_units_with(Attributes::All, Found::default, |places, unit| {
            let places = Some(places).filter(|_| lacks_definitions);
            Ok((unit.index(), self.subprograms(unit, &wanted, places)?))
        })?;
        let (places, units): (Vec<_>, Vec<_>) = workers.into_iter().unzip();
        if lacks_definitions {
            self.keep_definitions(places.into_iter());
        }
        let mut units: Vec<_> = units.into_iter().flatten().collect();
        units.sort_unstable_by_key(|(index, _)| *index);
        let mut subprograms: Vec<_> = units.into_iter().flat_map(|(_, found)| found).collect();
        let mut functions = Vec::new();
        for Root { at, mut addresses, altered } in self.roots(&subprograms)? {
            addresses.sort_unstable();
            addresses.dedup();
            let (declaration, function) = match position(&subprograms, at) {
                Some(place) => {
                    let subprogram = &mut subprograms[place];
                    (subprogram.declaration, subprogram.function.take())
                }
                // A method: its declaration is inside a class, where no definitions are.
                None => self.function_at(at, Arc::from(""), &wanted)?,
            };
            // A declaration that nothing completes is a function of another file.
            if !(declaration && addresses.is_empty())
                && let Some(function) = function
            {
                functions.push(Function { addresses, altered, ..*function });
            }
        }
        Ok(functions)
    }

    /// The entries with names that `subprograms` complete or are, in the order in which they are
    /// first met.
    fn roots(&self, subprograms: &[Subprogram<'a>]) -> Result<Vec<Root>> {
        let mut roots = Vec::<Root>::new();
        let mut places = HashMap::<DieRef, usize>::new();
        for subprogram in subprograms {
            // Code addresses belong to the declaring entry, which may be far from the one with code.
            let at = self.declaring(subprogram, subprograms)?;
            let place = *places.entry(at).or_insert_with(|| {
                roots.push(Root { at, addresses: Vec::new(), altered: false });
                roots.len() - 1
            });
            let root = &mut roots[place];
            root.addresses.extend(subprogram.address);
            root.altered |= subprogram.altered;
        }
        Ok(roots)
    }

    /// The entry that `subprogram` completes, followed to its end: the one with the name.
    fn declaring(
        &self,
        subprogram: &Subprogram<'a>,
        subprograms: &[Subprogram<'a>],
    ) -> Result<DieRef> {
        let mut at = subprogram.at;
        let mut origin = subprogram.origin;
        for _ in 0..MAX_CHAIN {
            let Some(next) = origin else { break };
            at = next;
            origin = match position(subprograms, next) {
                Some(place) => subprograms[place].origin,
                None => self.die(next)?.1.origin(),
            };
        }
        Ok(at)
    }

    /// The subprograms of `unit` that stand in the file's or a namespace's scope, but for those
    /// that can have no part in a function which is `wanted`. Adds the structs, unions and enums
    /// that it defines to `places`.
    fn subprograms(
        &self,
        unit: &Unit<'a>,
        wanted: &impl Fn(&Function<'a>) -> bool,
        mut places: Option<&mut Found>,
    ) -> Result<Vec<Subprogram<'a>>> {
        let (mut found, mut declared) = (Vec::<Subprogram<'a>>::new(), Vec::<Declared>::new());
        let mut scopes = Scopes::new();
        let mut walk = Walk::new(self, unit)?;
        walk.next()?;
        let is_c = unit.compiler.c;
        let wanted_tag = |tag: DwTag| {
            tag == gimli::DW_TAG_subprogram || is_namespace(tag) || (is_c && is_tagged(tag))
        };
        loop {
            // All that matters of C stands right below the root, and of most of it just the name.
            let next = match is_c {
                true => walk.next_named_child(0, wanted_tag, |entry| {
                    is_tagged(entry.tag) || entry.declares
                })?,
                false => walk.next()?.map(Said::Much),
            };
            let entry = match next {
                None => break,
                Some(Said::Much(entry)) => entry,
                Some(Said::Little(entry)) if is_tagged(entry.tag) => {
                    if let Some(places) = &mut places {
                        self.note_plain_definition(&entry, places);
                    }
                    continue;
                }
                Some(Said::Little(entry)) => {
                    declared.push((entry.at, Arc::clone(scopes.current())));
                    continue;
                }
            };
            scopes.leave(entry.depth);
            match entry.tag {
                tag if is_namespace(tag) => {
                    scopes.enter(self, entry);
                    continue;
                }
                gimli::DW_TAG_subprogram if is_bare_declaration(entry) => {
                    declared.push((entry.at, Arc::clone(scopes.current())));
                }
                gimli::DW_TAG_subprogram => {
                    found.push(self.subprogram(unit, scopes.current(), entry, wanted)?);
                }
                // In C, all types that matter stand here as well.
                tag if unit.compiler.c && is_tagged(tag) => {
                    if let Some(places) = &mut places {
                        self.note_definition(unit, entry, scopes.current(), places)?;
                    }
                }
                _ => {}
            }
            walk.skip_children()?;
        }
        if let Some(places) = places.filter(|_| !unit.compiler.c) {
            self.tagged_definitions_in(unit, places)?;
        }
        self.add_completed(unit, &mut found, declared, wanted)?;
        self.leave_unwanted_out(unit, &mut found, wanted)?;
        Ok(found)
    }

    /// Takes away those of `subprograms`, which are all of `unit`, that have no part in a function
    /// which is `wanted`.
    fn leave_unwanted_out(
        &self,
        unit: &Unit<'a>,
        subprograms: &mut Vec<Subprogram<'a>>,
        wanted: &impl Fn(&Function<'a>) -> bool,
    ) -> Result<()> {
        let mut kept = Vec::with_capacity(subprograms.len());
        for subprogram in &*subprograms {
            kept.push(match root_within(subprograms, subprogram) {
                Within::Root(root) => root.function.is_some() || self.refers_elsewhere(),
                Within::Leaves(place) => self.may_be_wanted(unit, place, wanted)?,
                Within::Endless => true,
            });
        }
        let mut kept = kept.into_iter();
        subprograms.retain(|_| kept.next().unwrap_or(true));
        Ok(())
    }

    /// Whether the entry at `place`, of a class or of another unit, can stand for a function that
    /// is `wanted`. Those of `unit` are looked at now, while it is open.
    fn may_be_wanted(
        &self,
        unit: &Unit<'a>,
        place: DieRef,
        wanted: &impl Fn(&Function<'a>) -> bool,
    ) -> Result<bool> {
        if self.unit_of(place)? != unit.index() {
            return Ok(true);
        }
        let mut walk = Walk::at(self, unit, place)?;
        Ok(match walk.next()? {
            Some(entry) if entry.origin().is_none() => {
                self.function(unit, "", entry, wanted)?.is_some()
            }
            _ => true,
        })
    }

    /// Adds to `found`, the subprograms of `unit`, those of the `declared` ones that some of them,
    /// or those of another unit, may complete.
    fn add_completed(
        &self,
        unit: &Unit<'a>,
        found: &mut Vec<Subprogram<'a>>,
        declared: Vec<Declared>,
        wanted: &impl Fn(&Function<'a>) -> bool,
    ) -> Result<()> {
        let mut completed: Vec<_> = found.iter().filter_map(|found| found.origin).collect();
        completed.sort_unstable();
        for (at, scope) in declared {
            if !self.refers_elsewhere() && completed.binary_search(&at).is_err() {
                continue;
            }
            let mut walk = Walk::at(self, unit, at)?;
            if let Some(entry) = walk.next()? {
                found.push(self.subprogram(unit, &scope, entry, wanted)?);
            }
        }
        found.sort_by_key(|subprogram| subprogram.at);
        Ok(())
    }

    fn subprogram(
        &self,
        unit: &Unit<'a>,
        scope: &Arc<str>,
        entry: &Entry<'a>,
        wanted: &impl Fn(&Function<'a>) -> bool,
    ) -> Result<Subprogram<'a>> {
        let origin = entry.origin();
        let function = match origin {
            None => self.function(unit, scope, entry, wanted)?,
            Some(_) => None,
        };
        Ok(Subprogram {
            at: entry.at,
            origin,
            address: self.address(unit, entry),
            altered: entry.altered,
            declaration: entry.declaration,
            function,
        })
    }

    /// The function that the entry at `place` declares in `scope`, if it is `wanted`, and whether
    /// that is but a declaration.
    fn function_at(
        &self,
        place: DieRef,
        scope: Arc<str>,
        wanted: &impl Fn(&Function<'a>) -> bool,
    ) -> Result<(bool, Option<Box<Function<'a>>>)> {
        let (unit, entry) = self.die(place)?;
        Ok((entry.declaration, self.function(unit, &scope, &entry, wanted)?))
    }

    /// The function that `entry`, a declaring one of `unit`, stands for, without its addresses;
    /// `None` if it has no name or is not `wanted`.
    fn function(
        &self,
        unit: &Unit<'a>,
        scope: &str,
        entry: &Entry<'a>,
        wanted: &impl Fn(&Function<'a>) -> bool,
    ) -> Result<Option<Box<Function<'a>>>> {
        let Some(name) = entry.name.text() else { return Ok(None) };
        let name = match scope {
            "" => name,
            scope => Cow::Owned(format!("{scope}{name}")),
        };
        let mut function = Function {
            linkage_name: entry.linkage_name.text().filter(|linkage_name| *linkage_name != name),
            name,
            external: entry.external,
            return_type: entry.ty,
            params: Vec::new(),
            parameters_end: ParametersEnd::Fixed,
            method: entry.object_pointer,
            addresses: Vec::new(),
            altered: false,
            by_llvm: unit.compiler.llvm,
            source: None,
            declared: (unit.index(), entry.decl_file, entry.decl_line),
        };
        if !wanted(&function) {
            return Ok(None);
        }
        let variadic = self.read_parameters(unit, entry, &mut function.params)?;
        function.parameters_end = match variadic {
            _ if !entry.prototyped && function.params.is_empty() && unit.compiler.c => {
                ParametersEnd::Unprototyped
            }
            true => ParametersEnd::Variadic,
            false => ParametersEnd::Fixed,
        };
        Ok(Some(Box::new(function)))
    }

    /// Reads the parameters of `entry`, a function of `unit`; says whether more may follow.
    fn read_parameters(
        &self,
        unit: &Unit<'a>,
        entry: &Entry<'a>,
        params: &mut Vec<Parameter<'a>>,
    ) -> Result<bool> {
        self.for_each_parameter(unit, entry.at, |parameter| {
            let name = parameter.name.text().unwrap_or_default();
            params.push(Parameter { name, ty: parameter.ty });
        })
    }

    /// Calls `visit` with each parameter of the function at `place` in `unit`; says whether more may
    /// follow.
    pub(crate) fn for_each_parameter(
        &self,
        unit: &Unit<'a>,
        place: DieRef,
        mut visit: impl FnMut(&Entry<'a>),
    ) -> Result<bool> {
        let mut variadic = false;
        let mut walk = Walk::at(self, unit, place)?;
        walk.next()?;
        let is_parameter = |tag| tag == gimli::DW_TAG_formal_parameter;
        // The function's body is long.
        let wanted = |tag: DwTag| {
            is_parameter(tag)
                || tag == gimli::DW_TAG_unspecified_parameters
                || tag == gimli::DW_TAG_GNU_formal_parameter_pack
        };
        while let Some(child) = walk.next_child_among(0, wanted)? {
            match child.tag {
                gimli::DW_TAG_formal_parameter => visit(child),
                gimli::DW_TAG_unspecified_parameters => variadic = true,
                // Several parameters may be one in the source, and are below that then.
                _ => {
                    let depth = child.depth;
                    while let Some(parameter) = walk.next_child_among(depth, is_parameter)? {
                        visit(parameter);
                    }
                }
            }
        }
        Ok(variadic)
    }

    /// `function`, which then says where its source declares it. To look that up for all of them
    /// would be a waste.
    pub fn with_source<'f>(&self, function: &Function<'f>) -> Function<'f> {
        let (unit, file, line) = function.declared;
        let source = self.unit(unit).ok().and_then(|unit| self.source(unit, file, line));
        Function { source, ..function.clone() }
    }
}

/// The place of the entry at `at` in `subprograms`, which are in the order of theirs.
fn position(subprograms: &[Subprogram<'_>], at: DieRef) -> Option<usize> {
    subprograms.binary_search_by_key(&at, |subprogram| subprogram.at).ok()
}

/// Whether `entry` is a declaration that says nothing of code.
fn is_bare_declaration(entry: &Entry<'_>) -> bool {
    entry.declaration && entry.origin().is_none() && entry.code == Code::None && !entry.altered
}

/// Where the entry with the name is that a subprogram completes or is.
enum Within<'s, 'a> {
    /// Among those that it was looked for in.
    Root(&'s Subprogram<'a>),
    /// This one is the first on the way there that is not.
    Leaves(DieRef),
    /// They refer to each other.
    Endless,
}

/// Where the entry with the name is that `subprogram`, one of `subprograms`, completes or is.
fn root_within<'s, 'a>(
    subprograms: &'s [Subprogram<'a>],
    subprogram: &'s Subprogram<'a>,
) -> Within<'s, 'a> {
    let mut at = subprogram;
    for _ in 0..MAX_CHAIN {
        let Some(origin) = at.origin else { return Within::Root(at) };
        match position(subprograms, origin) {
            Some(place) => at = &subprograms[place],
            None => return Within::Leaves(origin),
        }
    }
    Within::Endless
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_part_of_a_name_is_what_is_left_without_namespaces() {
        for (name, expected) in [
            ("make", "make"),
            ("ns::make", "make"),
            ("a::b::make", "make"),
            ("odd:name", "odd:name"),
            ("", ""),
        ] {
            assert_eq!(bare(name), expected);
        }
    }

    #[test]
    fn subprograms_are_followed_to_the_one_with_the_name() {
        let subprogram = |at: usize, origin: Option<usize>| Subprogram {
            at: DieRef::new(0, at),
            origin: origin.map(|origin| DieRef::new(0, origin)),
            address: None,
            altered: false,
            declaration: false,
            function: None,
        };
        let all = [
            subprogram(1, None),
            subprogram(2, Some(1)),
            subprogram(3, Some(2)),
            subprogram(4, Some(9)),
            subprogram(5, Some(6)),
            subprogram(6, Some(5)),
        ];
        let root = |place: usize| match root_within(&all, &all[place]) {
            Within::Root(root) => Some(root.at.offset()),
            Within::Leaves(_) | Within::Endless => None,
        };
        assert_eq!([0, 1, 2].map(root), [Some(1); 3]);
        let outside = DieRef::new(0, 9);
        assert!(matches!(root_within(&all, &all[3]), Within::Leaves(place) if place == outside));
        assert!(matches!(root_within(&all, &all[4]), Within::Endless));
    }
}
