// SPDX-License-Identifier: MIT OR Apache-2.0
//! The application's functions.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use anyhow::Result;

use super::entry::{DieRef, Entry};
use super::scope::{Scopes, is_namespace};
use super::unit::Compiler;
use super::{DebugInfo, MAX_CHAIN, Source, Unit, UnitIndex, Walk};

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
    compiler: Compiler,
    /// Namespaces around it, `outer::inner::`.
    scope: Arc<str>,
    entry: Entry<'a>,
    params: Vec<Parameter<'a>>,
    unspecified: bool,
    address: Option<u64>,
}

impl<'a> DebugInfo<'a> {
    /// All functions that the application defines, in the order of the debug information.
    pub fn functions(&self) -> Result<Vec<Function<'a>>> {
        let units = self.for_units(|unit| self.subprograms(unit))?;
        let subprograms: Vec<_> = units.into_iter().flatten().collect();
        let places: HashMap<DieRef, usize> =
            subprograms.iter().enumerate().map(|(at, found)| (found.entry.at, at)).collect();
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
            if subprogram.entry.altered {
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
                    read = self.subprogram_at(root)?;
                    &read
                }
            };
            // A declaration that nothing completes is a function of another file.
            if subprogram.entry.declaration && addresses.is_empty() {
                continue;
            }
            let function = self.function(subprogram, addresses)?;
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
        let mut at = subprogram.entry.at;
        let mut origin = subprogram.entry.origin();
        for _ in 0..MAX_CHAIN {
            let Some(next) = origin else { break };
            at = next;
            origin = match places.get(&next) {
                Some(&place) => subprograms[place].entry.origin(),
                None => self.die(next)?.1.origin(),
            };
        }
        Ok(at)
    }

    /// The subprograms of `unit` that stand in the file's or a namespace's scope.
    fn subprograms(&self, unit: &Unit<'a>) -> Result<Vec<Subprogram<'a>>> {
        let mut found = Vec::<Subprogram<'a>>::new();
        let mut scopes = Scopes::new();
        let mut inside: Option<isize> = None;
        let mut walk = Walk::new(self, unit)?;
        walk.next()?;
        while let Some(&entry) = walk.next()? {
            let depth = entry.depth;
            if let (Some(function), Some(subprogram)) = (inside, found.last_mut())
                && depth > function
            {
                subprogram.add_parameter(&entry);
                walk.skip_children()?;
                continue;
            }
            inside = None;
            scopes.leave(depth);
            match entry.tag {
                tag if is_namespace(tag) => scopes.enter(self, &entry),
                gimli::DW_TAG_subprogram => {
                    inside = Some(depth);
                    let scope = Arc::clone(scopes.current());
                    found.push(self.subprogram(unit, scope, entry));
                }
                _ => walk.skip_children()?,
            }
        }
        Ok(found)
    }

    /// The subprogram at `place`, wherever it stands.
    fn subprogram_at(&self, place: DieRef) -> Result<Subprogram<'a>> {
        let (unit, entry) = self.die(place)?;
        let mut subprogram = self.subprogram(unit, Arc::from(""), entry);
        let mut walk = Walk::at(self, unit, place)?;
        walk.next()?;
        while let Some(entry) = walk.next_child(0)? {
            subprogram.add_parameter(entry);
        }
        Ok(subprogram)
    }

    fn subprogram(&self, unit: &Unit<'a>, scope: Arc<str>, entry: Entry<'a>) -> Subprogram<'a> {
        let address = self.address(unit, &entry);
        let (params, unspecified) = (Vec::new(), false);
        let compiler = unit.compiler;
        Subprogram { unit: unit.index, compiler, scope, entry, params, unspecified, address }
    }

    /// The function that `subprogram`, a declaring entry, stands for; `None` if it has no name.
    fn function(
        &self,
        subprogram: &Subprogram<'a>,
        addresses: Vec<u64>,
    ) -> Result<Option<Function<'a>>> {
        let Subprogram { entry, compiler, .. } = subprogram;
        let Some(name) = entry.name.text() else { return Ok(None) };
        let name = match &*subprogram.scope {
            "" => name,
            scope => Cow::Owned(format!("{scope}{name}")),
        };
        let parameters_end = match subprogram.unspecified {
            _ if !entry.prototyped && subprogram.params.is_empty() && compiler.c => {
                ParametersEnd::Unprototyped
            }
            true => ParametersEnd::Variadic,
            false => ParametersEnd::Fixed,
        };
        Ok(Some(Function {
            linkage_name: entry.linkage_name.text().filter(|linkage_name| *linkage_name != name),
            name,
            external: entry.external,
            return_type: entry.ty,
            params: subprogram.params.clone(),
            parameters_end,
            method: entry.object_pointer,
            addresses,
            altered: false,
            by_llvm: compiler.llvm,
            source: None,
            declared: (subprogram.unit, entry.decl_file, entry.decl_line),
        }))
    }

    /// `function`, which then says where its source declares it. To look that up for all of them
    /// would be a waste.
    pub fn with_source<'f>(&self, function: &Function<'f>) -> Function<'f> {
        let (unit, file, line) = function.declared;
        let source = self.unit(unit).ok().and_then(|unit| self.source(unit, file, line));
        Function { source, ..function.clone() }
    }
}

impl<'a> Subprogram<'a> {
    /// Takes note of `entry`, a child, if it says something of the parameters.
    fn add_parameter(&mut self, entry: &Entry<'a>) {
        match entry.tag {
            gimli::DW_TAG_formal_parameter => {
                let name = entry.name.text().unwrap_or_default();
                self.params.push(Parameter { name, ty: entry.ty });
            }
            gimli::DW_TAG_unspecified_parameters => self.unspecified = true,
            _ => {}
        }
    }
}
