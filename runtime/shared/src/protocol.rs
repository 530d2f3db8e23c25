// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a loader asks of the agent, and what the agent answers.
//!
//! ```text
//!  loader                                agent
//!    │ ◀───────────── greeting ──────────▶ │   of both ends at once, the same in every version
//!    │ Hello ─────────────────────────────▶│
//!    │◀────────────────── what there is ── │
//!    │ Begin, AddMap, ReserveCode, … ─────▶│   one answer to each, in order
//! ```
//!
//! What comes from the other end is checked as if it came from an enemy: a length that is too
//! great, a kind that nobody knows, bytes that are left over are errors, and nothing panics.

use std::ops::Range;

use anyhow::{Result, bail, ensure};

use crate::placement::Placement;
use crate::plan::Plan;
use crate::thread::Agent;
use crate::wire::{Reader, Writer};

/// What is spoken here. To be counted up with every change of what messages mean.
pub const VERSION: u32 = 1;
/// Bytes of a greeting.
pub const GREETING: usize = 16;
/// No message is longer.
pub const LONGEST: u32 = 1 << 24;

/// The variable with the number of the descriptor that a started application's agent talks over.
pub const START: &str = "UFUNC_AGENT_START";

/// What begins a greeting.
const MAGIC: [u8; 12] = *b"ufunc-agent\0";
/// No name is longer.
const LONGEST_NAME: usize = 1 << 10;
/// No list is longer.
const LONGEST_LIST: usize = 1 << 16;
/// Nothing else is longer.
const LONGEST_PART: usize = LONGEST as usize;

/// What either end says first.
#[must_use]
pub fn greeting() -> [u8; GREETING] {
    let mut bytes = [0; GREETING];
    bytes[..MAGIC.len()].copy_from_slice(&MAGIC);
    bytes[MAGIC.len()..].copy_from_slice(&VERSION.to_le_bytes());
    bytes
}

/// What the one who sent this greeting speaks.
pub fn version(greeting: &[u8; GREETING]) -> Result<u32> {
    let (magic, version) = greeting.split_at(MAGIC.len());
    ensure!(magic == MAGIC, "the other end of the socket is no agent, and no loader");
    let version = version.first_chunk().copied().unwrap_or_default();
    Ok(u32::from_le_bytes(version))
}

/// The abstract name of the socket of the agent in the process with this number, as the process
/// itself knows it. Other processes in the same network may have the same number, or may have taken
/// the name: each takes the first of the names that is free.
#[must_use]
pub fn socket_name(process: u32, attempt: u32) -> String {
    format!("ufunc-agent/{process}/{attempt}")
}

/// How many names are tried.
pub const SOCKET_NAMES: u32 = 8;

/// An extension's number, which no other of the same agent ever has.
pub type ExtensionId = u64;
/// A hook's number, which no other of the same agent ever has.
pub type HookId = u64;

/// A load that may fault, see `ufunc_compile::FaultingLoad`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Faulting {
    /// Where the instruction is in the code.
    pub offset: u32,
    /// Bytes of the instruction.
    pub length: u8,
    /// The register that it loads.
    pub register: u8,
}

/// What a loader asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// What there is.
    Hello,
    /// Let an application that was started with the agent in it go on to `main`.
    Resume,
    /// Keep other loaders from changing anything until this one is done or gone.
    Lock,
    /// Let them again.
    Unlock,
    /// Begin an extension.
    Begin {
        /// What people call it.
        name: String,
        /// What loaders say to each other of it.
        description: Vec<u8>,
    },
    /// Say something else of an extension.
    Describe {
        /// Whose.
        extension: ExtensionId,
        /// What.
        description: Vec<u8>,
    },
    /// Map the map whose descriptor comes along.
    AddMap {
        /// Whose.
        extension: ExtensionId,
    },
    /// Say where the code of a program is that arrays of programs name.
    SetProgram {
        /// Whose.
        extension: ExtensionId,
        /// Its number in the arrays.
        number: u64,
        /// The code.
        address: u64,
    },
    /// Find room for code.
    ReserveCode {
        /// Whose.
        extension: ExtensionId,
        /// How many bytes.
        size: u64,
        /// Within reach of a jump from and to all of this, if it matters.
        near: Option<Range<u64>>,
    },
    /// Put code where room was reserved.
    InstallCode {
        /// Where.
        address: u64,
        /// What.
        bytes: Vec<u8>,
        /// Its loads that may fault.
        faulting: Vec<Faulting>,
    },
    /// Find room for a stub, see `ufunc_agent::reserve`.
    ReserveStub {
        /// Where it is jumped from.
        patch: u64,
        /// Where it may lie.
        placement: Placement,
        /// How many bytes.
        size: u64,
        /// Whether the one that was there before is offered again.
        again: bool,
    },
    /// Put a hook in place.
    Attach {
        /// Whose programs it runs.
        owners: Vec<ExtensionId>,
        /// How.
        plan: Plan,
    },
    /// Put another plan in the place of one.
    Replace {
        /// Which hook.
        hook: HookId,
        /// Whose programs it runs from now on.
        owners: Vec<ExtensionId>,
        /// How.
        plan: Plan,
    },
    /// Take a hook away.
    Detach {
        /// Which.
        hook: HookId,
    },
    /// End an extension: all its hooks or none are taken away.
    Remove {
        /// Which.
        extension: ExtensionId,
    },
    /// How many hits no program saw.
    Missed,
}

/// What the agent answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It is done.
    Done,
    /// It is not done, and why. Nothing has changed.
    Failed(String),
    /// Another loader has locked the agent.
    Busy,
    /// An address, or the number of something new.
    Number(u64),
    /// A map.
    Map(MapAddress),
    /// What there is.
    Hello(Box<Hello>),
}

/// Where a map is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapAddress {
    /// What programs give to helpers as the map.
    pub handle: u64,
    /// The only value of a map of global data.
    pub value: Option<u64>,
}

/// What there is in an application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The process' number, as it knows it.
    pub process: u32,
    /// Whether it waits before `main` for [`Request::Resume`].
    pub waits: bool,
    /// What planners have to know.
    pub agent: Agent,
    /// Where a thread's word is that counts tail calls, from the thread pointer.
    pub tail_word: i32,
    /// The helpers that programs may call.
    pub helpers: Vec<Helper>,
    /// The kernel's kfuncs that programs may call.
    pub kfuncs: Vec<Kfunc>,
    /// The extensions.
    pub extensions: Vec<Extension>,
    /// The hooks.
    pub hooks: Vec<Hook>,
}

/// A helper.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Helper {
    /// Its number in the kernel, `BPF_FUNC_…`.
    pub id: u32,
    /// Its name.
    pub name: String,
    /// How many parameters it has.
    pub parameters: u8,
    /// Where its code is.
    pub address: u64,
    /// What the agent says of how it is called, as a number that it and the loader agree on.
    pub kind: u8,
    /// Which vector registers it may change, as a number that it and the loader agree on.
    pub vectors: u8,
    /// Whether it may call functions that may be hooked.
    pub calls_out: bool,
}

/// A kfunc of the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kfunc {
    /// Its name.
    pub name: String,
    /// Where its code is.
    pub address: u64,
}

/// An extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    /// Its number.
    pub id: ExtensionId,
    /// What people call it.
    pub name: String,
    /// What loaders say to each other of it.
    pub description: Vec<u8>,
}

/// A hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// Its number.
    pub id: HookId,
    /// Whose programs it runs.
    pub owners: Vec<ExtensionId>,
    /// How it was planned.
    pub plan: Plan,
}

impl Request {
    /// The message.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        let w = &mut writer;
        match self {
            Self::Hello => w.number(0),
            Self::Resume => w.number(1),
            Self::Lock => w.number(2),
            Self::Unlock => w.number(3),
            Self::Begin { name, description } => {
                w.number(4).bytes(name.as_bytes()).bytes(description)
            }
            Self::Describe { extension, description } => {
                w.number(5).number(*extension).bytes(description)
            }
            Self::AddMap { extension } => w.number(6).number(*extension),
            Self::SetProgram { extension, number, address } => {
                w.number(7).number(*extension).number(*number).number(*address)
            }
            Self::ReserveCode { extension, size, near } => w
                .number(8)
                .number(*extension)
                .number(*size)
                .maybe(near.as_ref().map(|near| near.start))
                .maybe(near.as_ref().map(|near| near.end)),
            Self::InstallCode { address, bytes, faulting } => {
                w.number(9).number(*address).bytes(bytes).list(faulting, |w, load| {
                    w.number(load.offset.into());
                    w.number(load.length.into()).number(load.register.into());
                })
            }
            Self::ReserveStub { patch, placement, size, again } => {
                w.number(10).number(*patch).number(*size).number((*again).into());
                for number in placement.to_numbers() {
                    w.number(number);
                }
                w
            }
            Self::Attach { owners, plan } => numbers(w.number(11), owners).bytes(&plan.to_bytes()),
            Self::Replace { hook, owners, plan } => {
                numbers(w.number(12).number(*hook), owners).bytes(&plan.to_bytes())
            }
            Self::Detach { hook } => w.number(13).number(*hook),
            Self::Remove { extension } => w.number(14).number(*extension),
            Self::Missed => w.number(15),
        };
        writer.finish()
    }

    /// The request that a message is.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new(bytes, "a request");
        let r = &mut reader;
        let request = match r.number()? {
            0 => Self::Hello,
            1 => Self::Resume,
            2 => Self::Lock,
            3 => Self::Unlock,
            4 => Self::Begin {
                name: r.text(LONGEST_NAME)?,
                description: r.bytes(LONGEST_PART)?.to_vec(),
            },
            5 => Self::Describe {
                extension: r.number()?,
                description: r.bytes(LONGEST_PART)?.to_vec(),
            },
            6 => Self::AddMap { extension: r.number()? },
            7 => Self::SetProgram {
                extension: r.number()?,
                number: r.number()?,
                address: r.number()?,
            },
            8 => Self::ReserveCode {
                extension: r.number()?,
                size: r.number()?,
                near: match (r.maybe()?, r.maybe()?) {
                    (Some(start), Some(end)) => Some(start..end),
                    _ => None,
                },
            },
            9 => Self::InstallCode {
                address: r.number()?,
                bytes: r.bytes(LONGEST_PART)?.to_vec(),
                faulting: r.list(LONGEST_LIST, |r| {
                    let (offset, length, register) = (r.small()?, r.small()?, r.small()?);
                    Ok(Faulting { offset, length, register })
                })?,
            },
            10 => {
                let [patch, size, again] = [r.number()?, r.number()?, r.number()?];
                let placement = [r.number()?, r.number()?, r.number()?, r.number()?];
                let placement = Placement::from_numbers(placement);
                Self::ReserveStub { patch, placement, size, again: again != 0 }
            }
            11 => Self::Attach { owners: read_numbers(r)?, plan: plan(r)? },
            12 => Self::Replace { hook: r.number()?, owners: read_numbers(r)?, plan: plan(r)? },
            13 => Self::Detach { hook: r.number()? },
            14 => Self::Remove { extension: r.number()? },
            15 => Self::Missed,
            other => bail!("there is no request of kind {other}"),
        };
        reader.end()?;
        Ok(request)
    }

    /// Whether it changes something, so that others may have to wait for it.
    #[must_use]
    pub fn changes(&self) -> bool {
        !matches!(self, Self::Hello | Self::Resume | Self::Unlock | Self::Missed)
    }
}

impl Reply {
    /// The message.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        let w = &mut writer;
        match self {
            Self::Done => w.number(0),
            Self::Failed(why) => w.number(1).bytes(why.as_bytes()),
            Self::Busy => w.number(2),
            Self::Number(number) => w.number(3).number(*number),
            Self::Map(map) => w.number(4).number(map.handle).maybe(map.value),
            Self::Hello(hello) => {
                hello.write(w.number(5));
                w
            }
        };
        writer.finish()
    }

    /// The reply that a message is.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new(bytes, "an answer of the agent");
        let r = &mut reader;
        let reply = match r.number()? {
            0 => Self::Done,
            1 => Self::Failed(r.text(LONGEST_PART)?),
            2 => Self::Busy,
            3 => Self::Number(r.number()?),
            4 => Self::Map(MapAddress { handle: r.number()?, value: r.maybe()? }),
            5 => Self::Hello(Box::new(Hello::read(r)?)),
            other => bail!("there is no answer of kind {other}"),
        };
        reader.end()?;
        Ok(reply)
    }
}

impl Hello {
    fn write(&self, w: &mut Writer) {
        w.number(self.process.into()).number(self.waits.into());
        let Agent { words, trampoline, enter, missed } = self.agent;
        w.number(i64::from(words).cast_unsigned());
        w.number(trampoline).number(enter).number(missed);
        w.number(i64::from(self.tail_word).cast_unsigned());
        w.list(&self.helpers, |w, helper| {
            w.number(helper.id.into()).bytes(helper.name.as_bytes());
            w.number(helper.parameters.into()).number(helper.address);
            w.number(helper.kind.into()).number(helper.vectors.into());
            w.number(helper.calls_out.into());
        });
        w.list(&self.kfuncs, |w, kfunc| {
            w.bytes(kfunc.name.as_bytes()).number(kfunc.address);
        });
        w.list(&self.extensions, |w, extension| {
            w.number(extension.id).bytes(extension.name.as_bytes()).bytes(&extension.description);
        });
        w.list(&self.hooks, |w, hook| {
            numbers(w.number(hook.id), &hook.owners).bytes(&hook.plan.to_bytes());
        });
    }

    fn read(r: &mut Reader<'_>) -> Result<Self> {
        Ok(Self {
            process: r.small()?,
            waits: r.number()? != 0,
            agent: Agent {
                // As it was written: the lower half of a number with a sign.
                words: r.number()? as u32 as i32,
                trampoline: r.number()?,
                enter: r.number()?,
                missed: r.number()?,
            },
            tail_word: r.number()? as u32 as i32,
            helpers: r.list(LONGEST_LIST, |r| {
                Ok(Helper {
                    id: r.small()?,
                    name: r.text(LONGEST_NAME)?,
                    parameters: r.small()?,
                    address: r.number()?,
                    kind: r.small()?,
                    vectors: r.small()?,
                    calls_out: r.number()? != 0,
                })
            })?,
            kfuncs: r.list(LONGEST_LIST, |r| {
                Ok(Kfunc { name: r.text(LONGEST_NAME)?, address: r.number()? })
            })?,
            extensions: r.list(LONGEST_LIST, |r| {
                Ok(Extension {
                    id: r.number()?,
                    name: r.text(LONGEST_NAME)?,
                    description: r.bytes(LONGEST_PART)?.to_vec(),
                })
            })?,
            hooks: r.list(LONGEST_LIST, |r| {
                Ok(Hook { id: r.number()?, owners: read_numbers(r)?, plan: plan(r)? })
            })?,
        })
    }
}

fn numbers<'w>(w: &'w mut Writer, numbers: &[u64]) -> &'w mut Writer {
    w.list(numbers, |w, number| {
        w.number(*number);
    })
}

fn read_numbers(r: &mut Reader<'_>) -> Result<Vec<u64>> {
    r.list(LONGEST_LIST, Reader::number)
}

fn plan(r: &mut Reader<'_>) -> Result<Plan> {
    Plan::from_bytes(r.bytes(LONGEST_PART)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Moved;

    fn a_plan() -> Plan {
        Plan {
            point: 0x1000,
            patch: 0x1000,
            original: vec![0x55],
            replacement: vec![0xcc],
            stub: 0x2000,
            code: vec![0x90; 8],
            moved: vec![Moved { from: 0x1000, to: 0x2003 }],
            writes_return_addresses: false,
        }
    }

    fn requests() -> Vec<Request> {
        let faulting = vec![Faulting { offset: 3, length: 4, register: 15 }];
        let placement = Placement::near(0x1000).trapping(2);
        vec![
            Request::Hello,
            Request::Resume,
            Request::Lock,
            Request::Unlock,
            Request::Begin { name: "ünïque".into(), description: vec![0, 255] },
            Request::Describe { extension: 3, description: vec![1] },
            Request::AddMap { extension: u64::MAX },
            Request::SetProgram { extension: 1, number: 2, address: 4 },
            Request::ReserveCode { extension: 1, size: 2, near: None },
            Request::ReserveCode { extension: 1, size: 2, near: Some(5..6) },
            Request::InstallCode { address: 1, bytes: vec![0xc3], faulting },
            Request::ReserveStub { patch: 1, placement, size: 7, again: true },
            Request::Attach { owners: vec![1, 2], plan: a_plan() },
            Request::Replace { hook: 9, owners: vec![], plan: a_plan() },
            Request::Detach { hook: 9 },
            Request::Remove { extension: 1 },
            Request::Missed,
        ]
    }

    fn replies() -> Vec<Reply> {
        let hello = Hello {
            process: 77,
            waits: true,
            agent: Agent { words: -64, trampoline: 1, enter: 2, missed: 3 },
            tail_word: -8,
            helpers: vec![Helper {
                id: 1,
                name: "map_lookup_elem".into(),
                parameters: 2,
                address: 5,
                kind: 1,
                vectors: 2,
                calls_out: true,
            }],
            kfuncs: vec![Kfunc { name: "bpf_strlen".into(), address: 6 }],
            extensions: vec![Extension { id: 1, name: "one".into(), description: vec![1, 2] }],
            hooks: vec![Hook { id: 4, owners: vec![1], plan: a_plan() }],
        };
        vec![
            Reply::Done,
            Reply::Failed("no".into()),
            Reply::Busy,
            Reply::Number(5),
            Reply::Map(MapAddress { handle: 1, value: Some(0) }),
            Reply::Hello(Box::new(hello)),
        ]
    }

    #[test]
    fn messages_travel() {
        for request in requests() {
            assert_eq!(Request::from_bytes(&request.to_bytes()).unwrap(), request);
        }
        for reply in replies() {
            assert_eq!(Reply::from_bytes(&reply.to_bytes()).unwrap(), reply);
        }
        assert_eq!(version(&greeting()).unwrap(), VERSION);
    }

    #[test]
    fn what_is_cut_off_or_too_long_is_refused() {
        let requests = requests().into_iter().map(|request| request.to_bytes());
        for message in requests.chain(replies().into_iter().map(|reply| reply.to_bytes())) {
            for length in 0..message.len() {
                // Either kind of reader is given either kind of message: none may panic.
                let (request, reply) = (
                    Request::from_bytes(&message[..length]),
                    Reply::from_bytes(&message[..length]),
                );
                assert!(request.is_err() || reply.is_err(), "{length} of {message:?}");
            }
            let mut longer = message.clone();
            longer.push(0);
            assert!(Request::from_bytes(&longer).is_err() && Reply::from_bytes(&longer).is_err());
        }
    }

    #[test]
    fn no_bytes_make_it_panic_or_take_much_memory() {
        let mut state = 0x9e37_79b9_7f4a_7c15u64;
        let mut random = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        let messages: Vec<Vec<u8>> = requests()
            .iter()
            .map(Request::to_bytes)
            .chain(replies().iter().map(Reply::to_bytes))
            .collect();
        let mut read = 0;
        for round in 0..200_000 {
            let mut message = messages[round % messages.len()].clone();
            for _ in 0..=random() % 4 {
                let place = random() as usize % message.len();
                message[place] = match random() % 3 {
                    0 => 0xff,
                    1 => 0,
                    _ => random() as u8,
                };
            }
            read += usize::from(Request::from_bytes(&message).is_ok());
            read += usize::from(Reply::from_bytes(&message).is_ok());
        }
        assert!(read > 1_000, "{read}");
    }
}
