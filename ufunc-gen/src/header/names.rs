// SPDX-License-Identifier: MIT OR Apache-2.0
//! Names that C, or the kernel's `vmlinux.h`, has for something else.
//!
//! libbpf ignores what follows three underscores in the name of a type or of an enumerator when it
//! looks for the type that is meant (a *flavour*). So that is where a name is changed: the
//! extension says `struct file___app` and means the application's `struct file`.

use anyhow::Result;
use hashbrown::{HashMap, HashSet};

use crate::btf::decode::Btf;
use crate::btf::{IntEncoding, Name, Type, TypeId};
use crate::dwarf::MAX_CHAIN;

/// What a name is put after, so that libbpf ignores it.
const FLAVOUR: &str = "___";

/// Words of C (C23's included), and those that `<bpf/bpf_helpers.h>` makes macros of.
const TAKEN: [&str; 62] = [
    "alignas",
    "alignof",
    "asm",
    "auto",
    "bool",
    "break",
    "case",
    "char",
    "const",
    "constexpr",
    "continue",
    "default",
    "do",
    "double",
    "else",
    "enum",
    "extern",
    "false",
    "float",
    "for",
    "goto",
    "if",
    "inline",
    "int",
    "long",
    "nullptr",
    "register",
    "restrict",
    "return",
    "short",
    "signed",
    "sizeof",
    "static",
    "static_assert",
    "struct",
    "switch",
    "thread_local",
    "true",
    "typedef",
    "typeof",
    "typeof_unqual",
    "union",
    "unsigned",
    "void",
    "volatile",
    "while",
    "_Alignas",
    "_Alignof",
    "_Atomic",
    "_Bool",
    "_Complex",
    "_Generic",
    "_Imaginary",
    "_Noreturn",
    "_Static_assert",
    "_Thread_local",
    "SEC",
    "barrier",
    "barrier_var",
    "offsetof",
    "container_of",
    "bpf_printk",
];

/// Spellings of integers that C knows by itself.
const C_INTEGERS: [&str; 20] = [
    "_Bool",
    "char",
    "signed char",
    "unsigned char",
    "short",
    "short int",
    "unsigned short",
    "short unsigned int",
    "int",
    "unsigned int",
    "long",
    "long int",
    "unsigned long",
    "long unsigned int",
    "long long",
    "long long int",
    "unsigned long long",
    "long long unsigned int",
    "__int128",
    "__int128 unsigned",
];

/// The names that a kernel's `vmlinux.h` declares.
#[derive(Debug, Default)]
pub struct KernelNames {
    /// Of structs, unions and enums.
    tags: HashSet<String>,
    /// Of enumerators and functions.
    ordinary: HashSet<String>,
    /// Of typedefs, with the number that each is in the end, if it is one.
    typedefs: HashMap<String, Option<&'static str>>,
}

impl KernelNames {
    /// Those of the kernel with these types.
    pub fn new(btf: &Btf<'_>) -> Result<Self> {
        let types: Vec<Type<'_>> =
            btf.types().map(|entry| entry.map(|(_, ty)| ty)).collect::<Result<_>>()?;
        let mut names = KernelNames::default();
        for ty in types.iter() {
            let name = ty.name().as_ref();
            match ty {
                Type::Struct(_) | Type::Union(_) | Type::Fwd { .. } => names.tag(name),
                Type::Enum { values, .. } => {
                    names.tag(name);
                    names.ordinary.extend(values.iter().map(|(name, _)| name.to_string()));
                }
                Type::Enum64 { values, .. } => {
                    names.tag(name);
                    names.ordinary.extend(values.iter().map(|(name, _)| name.to_string()));
                }
                Type::Typedef { .. } => {
                    names.typedefs.insert(name.to_owned(), number(&types, ty));
                }
                Type::Func { .. } => {
                    names.ordinary.insert(name.to_owned());
                }
                _ => {}
            }
        }
        Ok(names)
    }

    fn tag(&mut self, name: &str) {
        if !name.is_empty() {
            self.tags.insert(name.to_owned());
        }
    }

    fn has_tag(&self, name: &str) -> bool {
        self.tags.contains(name)
    }

    fn has_ordinary(&self, name: &str) -> bool {
        self.ordinary.contains(name) || self.typedefs.contains_key(name)
    }

    /// Whether the kernel has a typedef of that name for the same number: C allows a second one.
    fn has_same_typedef(&self, name: &str, own: Option<&str>) -> bool {
        let known = self.typedefs.get(name).copied().flatten();
        known.is_some() && known == own && !self.ordinary.contains(name)
    }
}

/// How the names of an application are changed.
#[derive(Debug)]
pub(super) struct Renaming<'k> {
    kernel: &'k KernelNames,
    /// What names that mean something else already get at their end.
    flavour: String,
    /// How many did.
    pub(super) flavoured: usize,
}

impl<'k> Renaming<'k> {
    /// For the application called `host`.
    pub(super) fn new(kernel: &'k KernelNames, host: &str) -> Self {
        let letters = host.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' });
        let host: String = letters.collect();
        Renaming { kernel, flavour: format!("{FLAVOUR}{}", host.trim_matches('_')), flavoured: 0 }
    }

    /// Changes `types`, the first of which has the number 1, so that C takes them.
    pub(super) fn apply(&mut self, types: &mut [Type<'_>]) {
        let numbers: Vec<_> = types.iter().map(|ty| number(types, ty)).collect();
        for (ty, number) in types.iter_mut().zip(numbers) {
            match ty {
                Type::Int { name, .. } => {
                    if let Some(number) = number {
                        *name = number.into();
                    }
                }
                Type::Float { name, size } => match *size {
                    4 => *name = "float".into(),
                    8 => *name = "double".into(),
                    // What long double is, BPF's C decides otherwise.
                    size => *ty = bytes(size),
                },
                Type::Struct(composite) | Type::Union(composite) => {
                    self.tag(&mut composite.name);
                    composite.members.iter_mut().for_each(|member| avoid(&mut member.name));
                }
                Type::Fwd { name, .. } => self.tag(name),
                Type::Enum { name, values, .. } => {
                    self.tag(name);
                    values.iter_mut().for_each(|(name, _)| self.enumerator(name));
                }
                Type::Enum64 { name, values, .. } => {
                    self.tag(name);
                    values.iter_mut().for_each(|(name, _)| self.enumerator(name));
                }
                Type::Typedef { name, .. } => {
                    let is_other = self.kernel.has_ordinary(name)
                        && !self.kernel.has_same_typedef(name, number);
                    self.flavour_if(is_other, name);
                }
                Type::FuncProto { params, .. } => {
                    params.iter_mut().for_each(|param| avoid(&mut param.name));
                }
                _ => {}
            }
        }
    }

    fn tag(&mut self, name: &mut Name<'_>) {
        self.flavour_if(self.kernel.has_tag(name), name);
    }

    fn enumerator(&mut self, name: &mut Name<'_>) {
        self.flavour_if(self.kernel.has_ordinary(name), name);
    }

    fn flavour_if(&mut self, is_taken: bool, name: &mut Name<'_>) {
        if !name.is_empty() && (is_taken || TAKEN.contains(&name.as_ref())) {
            name.to_mut().push_str(&self.flavour);
            self.flavoured += 1;
        }
    }
}

/// Changes a name that must not be one. libbpf knows no flavours of members: an extension cannot
/// name this one, and can still read those after it.
fn avoid(name: &mut Name<'_>) {
    if TAKEN.contains(&name.as_ref()) {
        name.to_mut().push('_');
    }
}

/// C's word for the integer that `ty` is, directly or by way of typedefs, among `types`.
fn number(types: &[Type<'_>], ty: &Type<'_>) -> Option<&'static str> {
    let mut ty = ty;
    for _ in 0..MAX_CHAIN {
        match ty {
            Type::Typedef { target, .. } => ty = types.get(index(*target)?)?,
            Type::Int { name, size, encoding, .. } => return Some(integer(name, *size, *encoding)),
            _ => return None,
        }
    }
    None
}

fn index(id: TypeId) -> Option<usize> {
    (id.0 as usize).checked_sub(1)
}

/// C's word for an integer, which other languages call differently.
fn integer(name: &str, size: u32, encoding: IntEncoding) -> &'static str {
    if let Some(spelling) = C_INTEGERS.iter().find(|spelling| **spelling == name) {
        return spelling;
    }
    match (size, encoding.signed, encoding.bool) {
        (1, _, true) => "_Bool",
        (1, true, _) => "signed char",
        (1, false, _) => "unsigned char",
        (2, true, _) => "short int",
        (2, false, _) => "short unsigned int",
        (4, true, _) => "int",
        (4, false, _) => "unsigned int",
        (16, true, _) => "__int128",
        (16, false, _) => "__int128 unsigned",
        (_, true, _) => "long long int",
        (_, false, _) => "long long unsigned int",
    }
}

/// An integer in the place of a number that C cannot name.
fn bytes(size: u32) -> Type<'static> {
    let encoding = IntEncoding::default();
    let name = integer("", size, encoding);
    Type::Int { name: name.into(), size, encoding, bit_offset: 0, bits: (size * 8) as u8 }
}
