// SPDX-License-Identifier: MIT OR Apache-2.0
//! What instructions refer to outside of the program, and what the caller says of it.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// A map, as an instruction names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Map {
    /// By a file descriptor of the process that loads.
    Descriptor(i32),
    /// By its place in the array of descriptors that is given with the program.
    Index(i32),
}

/// Something outside of the program that an instruction refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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
    /// Something that no instruction names and a [`Binding`] does, by a number of the caller's.
    Runtime(u32),
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
            Target::Runtime(number) => write!(f, "part {number} of the runtime"),
        }
    }
}

/// How far something may be from the compiled code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reach {
    /// Anywhere in the address space.
    #[default]
    Far,
    /// Within 2 GiB on x86-64 (128 MiB on AArch64), which gives shorter code.
    Near,
}

/// A value that a function takes or returns, as the C ABI passes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

/// An array of integers in the host's memory, and the way there from an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Element {
    /// Where the pointers are that lead there, each in what the one before points to.
    pub follow: Vec<u32>,
    /// Where the array is in what the last one points to, or in the object itself.
    pub offset: u32,
    /// How many elements it has. Those beyond are 0.
    pub count: u32,
    /// Bytes of each: 1, 2, 4 or 8.
    pub bytes: u8,
    /// Whether they are sign-extended.
    pub signed: bool,
}

/// What the caller says of a [`Target`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Binding {
    /// A function of the C ABI.
    Function {
        /// What it takes and returns.
        signature: Signature,
        /// How far away it may be.
        reach: Reach,
    },
    /// A function of the C ABI that is passed, behind what the program passes, what
    /// [`Code::link`] is given for [`Target::Runtime`] of this number.
    ///
    /// [`Code::link`]: crate::Code::link
    WithConstant {
        /// What the program passes, and what it gets.
        signature: Signature,
        /// How far away it may be.
        reach: Reach,
        /// What is passed besides.
        constant: u32,
    },
    /// A function of the C ABI that may return an object which somebody has to release. If it
    /// does, `note` is called with it and with the address of the function `release`, and what that
    /// returns is what the program gets.
    Acquire {
        /// What it takes and returns.
        signature: Signature,
        /// How far away it may be.
        reach: Reach,
        /// The function that is told, a [`Target::Runtime`].
        note: u32,
        /// The function that would release it, a [`Target::Runtime`].
        release: u32,
    },
    /// A function of the C ABI that releases an object. Before it is called, `note` is called with
    /// the object.
    Release {
        /// What it takes and returns.
        signature: Signature,
        /// How far away it may be.
        reach: Reach,
        /// The function that is told, a [`Target::Runtime`].
        note: u32,
        /// Which of its arguments is the object, the first being 0.
        object: u8,
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
    /// A function that has no effect and always returns the same: what [`Code::link`] is given as
    /// its address. What it takes does not matter.
    ///
    /// [`Code::link`]: crate::Code::link
    Constant,
    /// A function that returns what the program itself was given, its first argument being 0. Only
    /// the program itself can ask, none of the functions that it calls. It has no address.
    Argument(u8),
    /// An element of an array of the host's, for an object and the element's number in 32 bits. It has no
    /// address.
    Element(Element),
    /// A map, a value or a variable.
    Data {
        /// How far away it may be.
        reach: Reach,
    },
}

impl Binding {
    /// What is called by it, if that is a function of the C ABI.
    pub(crate) fn signature(&self) -> Option<&Signature> {
        match self {
            Binding::Function { signature, .. }
            | Binding::WithConstant { signature, .. }
            | Binding::Acquire { signature, .. }
            | Binding::Release { signature, .. } => Some(signature),
            _ => None,
        }
    }

    /// Whether functions outside of the program are called.
    pub(crate) fn calls_outside(&self) -> bool {
        self.signature().is_some() || matches!(self, Binding::TailCall { .. })
    }

    /// What it names besides.
    pub(crate) fn parts(&self) -> impl Iterator<Item = Target> {
        let parts = match *self {
            Binding::WithConstant { constant, .. } => [Some(constant), None],
            Binding::Acquire { note, release, .. } => [Some(note), Some(release)],
            Binding::Release { note, .. } => [Some(note), None],
            _ => [None, None],
        };
        parts.into_iter().flatten().map(Target::Runtime)
    }
}

/// What each [`Target`] is. A program with one that is missing is refused.
pub type Bindings = BTreeMap<Target, Binding>;
