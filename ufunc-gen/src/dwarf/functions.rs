// SPDX-License-Identifier: MIT OR Apache-2.0
//! The application's functions.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use anyhow::Result;
use gimli::{AttributeValue, DwLang};

use super::scope::{Scopes, is_scope};
use super::walk::Walk;
use super::{DebugInfo, Die, DieRef, MAX_CHAIN, Source, UnitIndex, flag};

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
    /// Where the source declares it.
    pub source: Option<Source>,
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
        let bare = || self.name.rsplit("::").next().unwrap_or_default();
        self.linkage_name.as_deref().unwrap_or_else(bare)
    }

    /// Whether `wanted` is this function's name, with or without namespaces, or its symbol.
    pub fn is_called(&self, wanted: &str) -> bool {
        self.symbol() == wanted
            || self.name == wanted
            || self.name.rsplit("::").next() == Some(wanted)
            || wanted.strip_prefix("::") == Some(&self.name)
    }
}

/// What one `DW_TAG_subprogram` says; a function may be spread over several.
struct Subprogram<'a> {
    unit: UnitIndex,
    /// Namespaces around it, `outer::inner::`.
    scope: Rc<str>,
    entry: Die<'a>,
    params: Vec<Parameter<'a>>,
    unspecified: bool,
    /// The entry that this one completes (out-of-line copy, definition of a declared method).
    origin: Option<DieRef>,
    address: Option<u64>,
    altered: bool,
}

impl<'a> DebugInfo<'a> {
    /// All functions that the application defines, in the order of the debug information.
    pub fn functions(&self) -> Result<Vec<Function<'a>>> {
        let mut subprograms = Vec::new();
        let mut places = HashMap::new();
        let mut compilers = Vec::new();
        for unit in self.units() {
            compilers.push(self.compiler(unit)?);
            for subprogram in self.subprograms(unit)? {
                let place = self.offset_of(unit, &subprogram.entry);
                places.insert(place, subprograms.len());
                subprograms.push(subprogram);
            }
        }
        // Code addresses belong to the declaring entry, which may be far from the one with code.
        let mut addresses = HashMap::<DieRef, Vec<u64>>::new();
        let mut altered = HashSet::new();
        let mut declaring = Vec::new();
        for subprogram in &subprograms {
            let root = self.declaring(subprogram, &places, &subprograms)?;
            let found = addresses.entry(root).or_insert_with(|| {
                declaring.push(root);
                Vec::new()
            });
            found.extend(subprogram.address);
            if subprogram.altered {
                altered.insert(root);
            }
        }
        let mut functions = Vec::new();
        for root in declaring {
            let mut addresses = addresses.remove(&root).unwrap_or_default();
            addresses.sort_unstable();
            addresses.dedup();
            let read;
            let subprogram = match places.get(&root) {
                Some(&place) => &subprograms[place],
                None => {
                    // A method: its declaration is inside a class, where no definitions are.
                    let (unit, _) = self.die(root)?;
                    read = self.subprogram_at(unit, root)?;
                    &read
                }
            };
            // A declaration that nothing completes is a function of another file.
            if flag(&subprogram.entry, gimli::DW_AT_declaration) && addresses.is_empty() {
                continue;
            }
            let compiler = compilers[subprogram.unit.0];
            let function = self.function(subprogram, compiler, addresses)?;
            let altered = altered.contains(&root);
            functions.extend(function.map(|function| Function { altered, ..function }));
        }
        Ok(functions)
    }

    /// The entry that `subprogram` completes, followed to its end: the one with the name.
    fn declaring(
        &self,
        subprogram: &Subprogram<'a>,
        places: &HashMap<DieRef, usize>,
        subprograms: &[Subprogram<'a>],
    ) -> Result<DieRef> {
        let mut at = self.offset_of(subprogram.unit, &subprogram.entry);
        let mut origin = subprogram.origin;
        for _ in 0..MAX_CHAIN {
            let Some(next) = origin else { break };
            at = next;
            origin = match places.get(&next) {
                Some(&place) => subprograms[place].origin,
                None => {
                    let (unit, entry) = self.die(next)?;
                    self.origin(unit, &entry)?
                }
            };
        }
        Ok(at)
    }

    fn origin(&self, unit: UnitIndex, entry: &Die<'a>) -> Result<Option<DieRef>> {
        match self.reference(unit, entry, gimli::DW_AT_abstract_origin)? {
            Some(origin) => Ok(Some(origin)),
            None => self.reference(unit, entry, gimli::DW_AT_specification),
        }
    }

    /// The subprograms of `unit` that stand in the file's or a namespace's scope.
    fn subprograms(&self, unit: UnitIndex) -> Result<Vec<Subprogram<'a>>> {
        let mut found = Vec::<Subprogram<'a>>::new();
        let mut scopes = Scopes::new();
        let mut inside: Option<isize> = None;
        let mut walk = Walk::new(self, unit, None)?;
        while let Some(entry) = walk.next()? {
            let depth = entry.depth;
            if let (Some(function), Some(subprogram)) = (inside, found.last_mut())
                && depth > function
            {
                self.add_parameter(subprogram, entry)?;
                walk.skip_children()?;
                continue;
            }
            inside = None;
            scopes.leave(depth);
            match entry.tag {
                gimli::DW_TAG_compile_unit | gimli::DW_TAG_partial_unit => {}
                _ if is_scope(entry) => {
                    let name = self.string(unit, entry, gimli::DW_AT_name);
                    scopes.enter(self, unit, entry, name.as_deref())?;
                }
                gimli::DW_TAG_subprogram => {
                    inside = Some(depth);
                    let scope = Rc::clone(scopes.current());
                    let entry = entry.clone();
                    found.push(self.subprogram(unit, scope, entry)?);
                }
                _ => walk.skip_children()?,
            }
        }
        Ok(found)
    }

    /// The subprogram at `place`, wherever it stands.
    fn subprogram_at(&self, unit: UnitIndex, place: DieRef) -> Result<Subprogram<'a>> {
        let (_, entry) = self.die(place)?;
        let offset = entry.offset;
        let mut subprogram = self.subprogram(unit, Rc::from(""), entry)?;
        let mut walk = Walk::new(self, unit, Some(offset))?;
        walk.next()?;
        while let Some(entry) = walk.next()? {
            self.add_parameter(&mut subprogram, entry)?;
            walk.skip_children()?;
        }
        Ok(subprogram)
    }

    fn subprogram(
        &self,
        unit: UnitIndex,
        scope: Rc<str>,
        entry: Die<'a>,
    ) -> Result<Subprogram<'a>> {
        let origin = self.origin(unit, &entry)?;
        let address = match entry.attr_value(gimli::DW_AT_low_pc) {
            // An index out of .debug_addr is no address; the function then counts as codeless.
            Some(value) => self.unit(unit).attr_address(value).ok().flatten(),
            // Code in pieces (hot and cold): the entry point's piece comes first.
            None if entry.has_attr(gimli::DW_AT_ranges) => {
                let ranges = self.unit(unit).die_ranges(&entry).ok();
                ranges.and_then(|mut ranges| ranges.next().ok()?).map(|range| range.begin)
            }
            None => None,
        };
        let altered = entry.attr_value(gimli::DW_AT_calling_convention)
            == Some(AttributeValue::CallingConvention(gimli::DW_CC_nocall));
        Ok(Subprogram {
            unit,
            scope,
            entry,
            params: Vec::new(),
            unspecified: false,
            origin,
            address,
            altered,
        })
    }

    /// Takes note of `entry`, a child of `subprogram`, if it says something of the parameters.
    fn add_parameter(&self, subprogram: &mut Subprogram<'a>, entry: &Die<'a>) -> Result<()> {
        match entry.tag {
            gimli::DW_TAG_formal_parameter => {
                let unit = subprogram.unit;
                let name = self.string(unit, entry, gimli::DW_AT_name).unwrap_or_default();
                let ty = self.reference(unit, entry, gimli::DW_AT_type)?;
                subprogram.params.push(Parameter { name, ty });
            }
            gimli::DW_TAG_unspecified_parameters => subprogram.unspecified = true,
            _ => {}
        }
        Ok(())
    }

    /// The function that `subprogram`, a declaring entry, stands for; `None` if it has no name.
    fn function(
        &self,
        subprogram: &Subprogram<'a>,
        compiler: Compiler,
        addresses: Vec<u64>,
    ) -> Result<Option<Function<'a>>> {
        let Subprogram { unit, entry, .. } = subprogram;
        let Some(name) = self.string(*unit, entry, gimli::DW_AT_name) else { return Ok(None) };
        let name = match &*subprogram.scope {
            "" => name,
            scope => Cow::Owned(format!("{scope}{name}")),
        };
        let linkage_name = [gimli::DW_AT_linkage_name, gimli::DW_AT_MIPS_linkage_name]
            .into_iter()
            .find_map(|attribute| self.string(*unit, entry, attribute));
        let prototyped = flag(entry, gimli::DW_AT_prototyped);
        let parameters_end = match subprogram.unspecified {
            _ if !prototyped && subprogram.params.is_empty() && compiler.c => {
                ParametersEnd::Unprototyped
            }
            true => ParametersEnd::Variadic,
            false => ParametersEnd::Fixed,
        };
        Ok(Some(Function {
            linkage_name: linkage_name.filter(|linkage_name| *linkage_name != name),
            name,
            external: flag(entry, gimli::DW_AT_external),
            return_type: self.reference(*unit, entry, gimli::DW_AT_type)?,
            params: subprogram.params.clone(),
            parameters_end,
            method: entry.has_attr(gimli::DW_AT_object_pointer),
            addresses,
            altered: false,
            by_llvm: compiler.llvm,
            source: self.source(*unit, entry),
        }))
    }

    pub(super) fn compiler(&self, unit: UnitIndex) -> Result<Compiler> {
        let mut walk = Walk::new(self, unit, None)?;
        let Some(root) = walk.next()? else { return Ok(Compiler::default()) };
        let producer = self.string(unit, root, gimli::DW_AT_producer).unwrap_or_default();
        let language = match root.attr_value(gimli::DW_AT_language) {
            Some(AttributeValue::Language(language)) => Some(language),
            _ => None,
        };
        Ok(Compiler {
            c: language.is_some_and(|language| C.contains(&language)),
            llvm: LLVM.iter().any(|name| producer.contains(name)),
        })
    }
}

/// What made a unit.
#[derive(Clone, Copy, Default)]
pub(super) struct Compiler {
    /// Whether the source is in C, where a function may be declared without a prototype.
    pub(super) c: bool,
    /// Whether LLVM compiled it.
    llvm: bool,
}

/// C up to the standard that did away with declarations without a prototype.
const C: [DwLang; 5] = [
    gimli::DW_LANG_C,
    gimli::DW_LANG_C89,
    gimli::DW_LANG_C99,
    gimli::DW_LANG_C11,
    gimli::DW_LANG_C17,
];

/// What compilers on top of LLVM call themselves.
const LLVM: [&str; 3] = ["clang", "LLVM", "rustc"];
