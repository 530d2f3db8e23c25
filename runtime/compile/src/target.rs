// SPDX-License-Identifier: MIT OR Apache-2.0
//! What instructions refer to outside of the program, and what the caller says of it.

use std::collections::BTreeMap;
use std::fmt;

/// A map, as an instruction names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Map {
    /// By a file descriptor of the process that loads.
    Descriptor(i32),
    /// By its place in the array of descriptors that is given with the program.
    Index(i32),
}

/// Something outside of the program that an instruction refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// A helper, by its number.
    Helper(u32),
    /// A kfunc, by its id in the BTF of a module, which is an index into the descriptors given
    /// with the program; 0 is vmlinux.
    Kfunc {
        /// The id of the function's type.
        id: i32,
        /// The module.
        module: i16,
    },
    /// A map itself, as helpers take it.
    Map(Map),
    /// The only value of a map: global data.
    MapValue(Map),
    /// A variable of the kernel or of a module, by its id in BTF.
    Variable {
        /// The id of the variable.
        id: i32,
        /// A descriptor of the module's BTF; 0 is vmlinux.
        module: i32,
    },
}

impl fmt::Display for Map {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Map::Descriptor(fd) => write!(f, "map with descriptor {fd}"),
            Map::Index(index) => write!(f, "map with index {index}"),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Helper(id) => write!(f, "helper {id}"),
            Target::Kfunc { id, module: 0 } => write!(f, "kfunc {id} of vmlinux"),
            Target::Kfunc { id, module } => write!(f, "kfunc {id} of module {module}"),
            Target::Map(map) => write!(f, "{map}"),
            Target::MapValue(map) => write!(f, "value of {map}"),
            Target::Variable { id, module } => write!(f, "variable {id} of module {module}"),
        }
    }
}

/// How far something may be from the compiled code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// Anywhere in the address space.
    #[default]
    Far,
    /// Within 2 GiB on x86-64 (128 MiB on AArch64), which gives shorter code.
    Near,
}

/// A value that a function takes or returns, as the C ABI passes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// An integer of 8, 16, 32 or 64 bits.
    Integer {
        /// How wide it is.
        bits: u8,
        /// Whether it is sign-extended to a register's width.
        signed: bool,
    },
    /// A `bool`: whatever is not zero in the lowest byte becomes 1.
    Bool,
    /// A pointer.
    Pointer,
}

impl Value {
    /// A whole register, as helpers take and return it.
    pub const WORD: Value = Value::Integer { bits: 64, signed: false };
}

/// What a function takes and returns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// At most five.
    pub parameters: Vec<Value>,
    /// Nothing for `void`; r0 is 0 then.
    pub returns: Option<Value>,
}

impl Signature {
    /// That of a helper: whole registers throughout.
    pub fn words(parameters: usize) -> Self {
        Signature { parameters: vec![Value::WORD; parameters], returns: Some(Value::WORD) }
    }
}

/// What the caller says of a [`Target`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Binding {
    /// A function of the C ABI.
    Function {
        /// What it takes and returns.
        signature: Signature,
        /// How far away it may be.
        reach: Reach,
    },
    /// `bpf_tail_call`. The address is that of a function of the C ABI that takes context, map and
    /// index, and returns the entry of the native code to go on with, or 0 to carry on here. It
    /// also keeps to the limit of 33.
    TailCall {
        /// How far away it may be.
        reach: Reach,
    },
    /// `bpf_throw`, which ends the program from within any of its functions. It has no address.
    Throw,
    /// A map, a value or a variable.
    Data {
        /// How far away it may be.
        reach: Reach,
    },
}

/// What each [`Target`] is. A program with one that is missing is refused.
pub type Bindings = BTreeMap<Target, Binding>;
