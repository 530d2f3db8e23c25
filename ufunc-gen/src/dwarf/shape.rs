// SPDX-License-Identifier: MIT OR Apache-2.0
//! What matters of a type when a function's signature is judged, and how C spells it.

use anyhow::{Error, Result};

use super::entry::Entry;
use super::raw::{Kind, RawType};
use super::{DebugInfo, DieRef, MAX_CHAIN, Unit};
use crate::btf::Name;
use crate::ident::btf_name;

/// A type as a call passes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Nothing.
    Void,
    /// An integer, character, boolean or enumeration of that many bytes.
    Scalar(u64),
    /// Floating point.
    Float,
    /// A struct, union, class or array by value.
    Aggregate,
    /// A pointer or reference to a struct, union or class.
    StructPointer {
        /// Its tag, or the typedef's name if it has none; identifies it within the application.
        name: String,
        /// Whether the debug information has its definition.
        defined: bool,
    },
    /// Any other pointer.
    OtherPointer,
    /// Something else, under the name DWARF has for it.
    Other(String),
}

/// A struct, class or union.
#[derive(Clone, Debug)]
pub(crate) struct Record<'a> {
    /// Where its definition is.
    pub(crate) place: DieRef,
    /// Its name: types that BTF knows by one name have the same.
    pub(crate) name: Name<'a>,
    pub(crate) is_union: bool,
}

impl<'a> DebugInfo<'a> {
    /// The shape of the type at `die`; `None` stands for `void`.
    pub fn shape(&self, die: Option<DieRef>) -> Result<Shape> {
        let mut at = die;
        for _ in 0..MAX_CHAIN {
            let Some(die) = at else { return Ok(Shape::Void) };
            let (tag, _, target, _) = self.spelled(die)?;
            let scalar = |or: u64| Ok::<_, Error>(self.die(die)?.1.byte_size.unwrap_or(or));
            return Ok(match tag {
                gimli::DW_TAG_typedef
                | gimli::DW_TAG_const_type
                | gimli::DW_TAG_volatile_type
                | gimli::DW_TAG_restrict_type
                | gimli::DW_TAG_atomic_type => {
                    at = target;
                    continue;
                }
                gimli::DW_TAG_base_type => match self.die(die)?.1.encoding {
                    Some(
                        gimli::DW_ATE_float
                        | gimli::DW_ATE_complex_float
                        | gimli::DW_ATE_imaginary_float
                        | gimli::DW_ATE_decimal_float,
                    ) => Shape::Float,
                    _ => Shape::Scalar(scalar(0)?),
                },
                gimli::DW_TAG_enumeration_type => Shape::Scalar(scalar(4)?),
                gimli::DW_TAG_structure_type
                | gimli::DW_TAG_class_type
                | gimli::DW_TAG_union_type
                | gimli::DW_TAG_array_type => Shape::Aggregate,
                gimli::DW_TAG_pointer_type
                | gimli::DW_TAG_reference_type
                | gimli::DW_TAG_rvalue_reference_type => self.pointer(target)?,
                tag => Shape::Other(tag.to_string()),
            });
        }
        Ok(Shape::Other("a type that refers to itself".to_owned()))
    }

    /// The shape of a pointer to the type at `die`.
    fn pointer(&self, die: Option<DieRef>) -> Result<Shape> {
        let mut typedef = None;
        let mut at = die;
        for _ in 0..MAX_CHAIN {
            let Some(die) = at else { break };
            let (tag, _, target, _) = self.spelled(die)?;
            match tag {
                gimli::DW_TAG_typedef => typedef = Some(die),
                gimli::DW_TAG_const_type
                | gimli::DW_TAG_volatile_type
                | gimli::DW_TAG_atomic_type => {}
                gimli::DW_TAG_structure_type
                | gimli::DW_TAG_class_type
                | gimli::DW_TAG_union_type => {
                    let (unit, entry) = self.die(die)?;
                    let defined = !entry.declaration || self.definition(unit, &entry)?.is_some();
                    let name = match (self.qualified_name(unit, &entry)?, typedef) {
                        (None, Some(typedef)) => {
                            let (unit, typedef) = self.die(typedef)?;
                            self.qualified_name(unit, &typedef)?
                        }
                        (name, _) => name,
                    };
                    let name = btf_name(name.unwrap_or_default()).into_owned();
                    return Ok(Shape::StructPointer { name, defined });
                }
                _ => break,
            }
            at = target;
        }
        Ok(Shape::OtherPointer)
    }

    /// The shape of what the type at `die` points to; `None` if it is no pointer.
    pub(crate) fn pointee_shape(&self, die: Option<DieRef>) -> Result<Option<Shape>> {
        match self.bare(die)? {
            Some((_, pointer)) if pointer.tag == gimli::DW_TAG_pointer_type => {
                self.shape(pointer.ty).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// The struct or union that the type at `die` points to, if its layout is known.
    pub(crate) fn pointee(&self, die: Option<DieRef>) -> Result<Option<Record<'a>>> {
        let Some((_, pointer)) = self.bare(die)? else { return Ok(None) };
        match pointer.tag {
            gimli::DW_TAG_pointer_type
            | gimli::DW_TAG_reference_type
            | gimli::DW_TAG_rvalue_reference_type => self.record(pointer.ty),
            _ => Ok(None),
        }
    }

    /// The struct or union that the first member of the struct at `place` is.
    pub(crate) fn first_member(&self, place: DieRef) -> Result<Option<Record<'a>>> {
        let mut raw = RawType::default();
        self.read_type(place, &mut raw)?;
        match raw.parts.first() {
            Some(first) if raw.kind == Kind::Struct && first.bit_offset == 0 => {
                self.record(first.ty)
            }
            _ => Ok(None),
        }
    }

    /// The struct or union at `die`.
    fn record(&self, die: Option<DieRef>) -> Result<Option<Record<'a>>> {
        let Some((unit, entry)) = self.bare(die)? else { return Ok(None) };
        let is_union = entry.tag == gimli::DW_TAG_union_type;
        let is_record = is_union
            || matches!(entry.tag, gimli::DW_TAG_structure_type | gimli::DW_TAG_class_type);
        if !is_record || entry.declaration {
            return Ok(None);
        }
        // To find out what is around a type in C takes its time, and is hardly ever anything.
        let name = match unit.compiler.c {
            true => self.name(&entry),
            false => self.qualified_name(unit, &entry)?,
        };
        let name = btf_name(name.unwrap_or_default());
        Ok(Some(Record { place: entry.at, name, is_union }))
    }

    /// The entry of the type at `die` without typedefs and qualifiers, and its unit; of a declared
    /// type that of its definition. `None` for `void`.
    fn bare(&self, die: Option<DieRef>) -> Result<Option<(&Unit<'a>, Entry<'a>)>> {
        let mut at = die;
        for _ in 0..MAX_CHAIN {
            let Some(die) = at else { return Ok(None) };
            let (unit, entry) = self.die(die)?;
            at = match entry.tag {
                gimli::DW_TAG_typedef
                | gimli::DW_TAG_const_type
                | gimli::DW_TAG_volatile_type
                | gimli::DW_TAG_restrict_type
                | gimli::DW_TAG_atomic_type => entry.ty,
                _ => match self.definition(unit, &entry)? {
                    Some(definition) => Some(definition),
                    None => return Ok(Some((unit, entry))),
                },
            };
        }
        Ok(None)
    }

    /// The type at `die` as C spells it. Names are rewritten to identifiers, so the result is safe
    /// to print and to put into a comment.
    pub fn c_name(&self, die: Option<DieRef>) -> Result<String> {
        // From the outside in: `char *const` is a const pointer to char.
        let mut layers = Vec::new();
        let mut at = die;
        while layers.len() < MAX_CHAIN {
            let Some(die) = at else { return Ok(spell("void".to_owned(), &layers)) };
            let (_, entry) = self.die(die)?;
            let layer = match entry.tag {
                gimli::DW_TAG_pointer_type => Layer::Derived("*"),
                gimli::DW_TAG_reference_type => Layer::Derived("&"),
                gimli::DW_TAG_rvalue_reference_type => Layer::Derived("&&"),
                gimli::DW_TAG_array_type => Layer::Derived("[]"),
                gimli::DW_TAG_const_type => Layer::Qualifier("const"),
                gimli::DW_TAG_volatile_type => Layer::Qualifier("volatile"),
                gimli::DW_TAG_restrict_type => Layer::Qualifier("restrict"),
                gimli::DW_TAG_atomic_type => Layer::Qualifier("_Atomic"),
                tag => {
                    let name = self.name(&entry).unwrap_or_default();
                    // `unsigned long` is no identifier, but each of its words is.
                    let words = name.split(' ').map(|word| btf_name(word.into()));
                    let name = words.collect::<Vec<_>>().join(" ");
                    let keyword = match tag {
                        gimli::DW_TAG_structure_type => "struct ",
                        gimli::DW_TAG_class_type => "class ",
                        gimli::DW_TAG_union_type => "union ",
                        gimli::DW_TAG_enumeration_type => "enum ",
                        gimli::DW_TAG_subroutine_type => "function",
                        _ => "",
                    };
                    let name =
                        if name.is_empty() && keyword != "function" { "{…}" } else { &name };
                    return Ok(spell(format!("{keyword}{name}"), &layers));
                }
            };
            layers.push(layer);
            at = entry.ty;
        }
        Ok("…".to_owned())
    }
}

/// What a type puts around another.
enum Layer {
    Qualifier(&'static str),
    Derived(&'static str),
}

/// Puts `layers`, outermost first, around `base`.
fn spell(base: String, layers: &[Layer]) -> String {
    let mut derived = false;
    layers.iter().rev().fold(base, |inner, layer| match layer {
        Layer::Qualifier(qualifier) if derived => format!("{inner} {qualifier}"),
        Layer::Qualifier(qualifier) => format!("{qualifier} {inner}"),
        Layer::Derived(symbol) => {
            let space = if derived { "" } else { " " };
            derived = true;
            format!("{inner}{space}{symbol}")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_spelled_as_in_c() {
        use Layer::{Derived, Qualifier};
        let name = |layers: &[Layer]| spell("char".to_owned(), layers);
        assert_eq!(name(&[]), "char");
        assert_eq!(name(&[Derived("*"), Qualifier("const")]), "const char *");
        assert_eq!(name(&[Qualifier("const"), Derived("*")]), "char * const");
        assert_eq!(name(&[Derived("*"), Derived("*")]), "char **");
    }
}
