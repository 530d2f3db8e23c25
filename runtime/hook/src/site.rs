// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where a function can be changed, and how.
//!
//! A jump takes five bytes. The instructions that these belong to are displaced, and the places
//! where they began trap (see [`ufunc_shared::placement`]). So nothing that comes to one of these
//! places, be it a stopped thread or a jump that nobody knew of, goes wrong; it merely takes a trap
//! to get on. That is why a function's indirect jumps and jump tables need not be understood.
//! What is known to come there makes a jump a bad choice, though, and one `int3` is written instead.

use anyhow::{Context as _, Result, bail, ensure};
use iced_x86::{Code, Decoder, DecoderOptions, FlowControl, Instruction, OpKind};
use ufunc_shared::placement::Placement;
use ufunc_shared::plan::JUMP;

/// Bytes of an `endbr64`.
const ENDBR64: u64 = 4;

/// A function of the application.
#[derive(Clone, Copy, Debug)]
pub struct Function<'a> {
    /// Where it is, in the process.
    pub address: u64,
    /// Its bytes, and what follows up to the next function: filling may be overwritten.
    pub bytes: &'a [u8],
    /// How many of the bytes are its own; 0 if nobody knows.
    pub size: usize,
}

/// Why a jump was not possible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trap {
    /// The function and the filling behind it are too short.
    Short,
    /// The address jumps or falls to an instruction that the jump would cover.
    Target(u64),
    /// An instruction that the jump would cover is called from.
    Call(u64),
    /// The function jumps back to just past its `endbr64`: that is no entry.
    Loop,
    /// It was asked for.
    Asked,
}

impl std::fmt::Display for Trap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Short => write!(f, "there are fewer than {JUMP} bytes"),
            Self::Target(at) => write!(f, "the function jumps to {at:#x}"),
            Self::Call(at) => write!(f, "the call at {at:#x} returns amid it"),
            Self::Loop => write!(f, "the function jumps to its first instruction"),
            Self::Asked => write!(f, "a trap was asked for"),
        }
    }
}

/// Where a function can be changed, and how.
#[derive(Clone, Debug)]
pub struct Site {
    /// The probed address.
    pub point: u64,
    /// Where bytes are changed.
    pub patch: u64,
    /// Whether the point is the function's entry, where less is alive.
    pub entry: bool,
    /// Why an `int3` is written rather than a jump, if so.
    pub trap: Option<Trap>,
    /// What is there now.
    pub(crate) original: Vec<u8>,
    /// The instructions that are displaced.
    pub(crate) displaced: Vec<Instruction>,
    /// Filling behind the function is covered too: nothing goes on there.
    pub(crate) ends: bool,
}

impl Site {
    /// Where the stub may lie.
    #[must_use]
    pub fn placement(&self) -> Placement {
        let mut placement = Placement::near(self.patch + self.original.len() as u64);
        if let (None, Some(first)) = (&self.trap, self.displaced.first()) {
            placement = with_first_byte(placement, &self.original[..first.len().min(JUMP)]);
        }
        for (index, instruction) in self.displaced.iter().enumerate() {
            if index > 0 {
                // It begins before the jump ends, and a jump's distance begins at its second byte.
                placement = placement.trapping((instruction.ip() - self.patch) as usize - 1);
            }
            if instruction.is_ip_rel_memory_operand() {
                placement = placement.reaching(instruction.ip_rel_memory_address());
            }
        }
        placement
    }

    /// The same with an `int3`, for where no place for a stub can be had that a jump could go to.
    #[must_use]
    pub fn trapping(mut self) -> Self {
        if self.trap.is_none() {
            self.original.truncate(1);
            self.displaced.truncate(1);
            self.ends = false;
            self.trap = Some(Trap::Asked);
        }
        self
    }

    /// Where the function goes on after the displaced instructions.
    pub(crate) fn end(&self) -> u64 {
        self.displaced.last().map_or(self.patch, Instruction::next_ip)
    }
}

/// Narrows `placement` to where the jump does no harm when its first byte becomes again that of the
/// instruction `first`, of which these are the bytes that it covers: when a probe of the kernel goes.
fn with_first_byte(placement: Placement, first: &[u8]) -> Placement {
    match first {
        // What follows begins an instruction, and traps. Or it is the jump itself.
        [_] | [0xe9, ..] => placement,
        // A prefix, and what traps.
        [0x40..=0x4f | 0x26 | 0x2e | 0x36 | 0x3e | 0x64..=0x67 | 0xf0 | 0xf2 | 0xf3, ..] => {
            placement.trapping(0)
        }
        // ud2
        [0x0f, ..] => placement.having(0, 0x0b),
        // lea of a register
        [0x8d, ..] => placement.having(0, 0xc0),
        // The second of a group that has one member
        [0xc6 | 0xc7, ..] => placement.having(0, 0xc8),
        // The instruction as it is.
        [_, rest @ ..] => {
            rest.iter().enumerate().fold(placement, |all, (at, byte)| all.having(at, *byte))
        }
        [] => placement,
    }
}

/// Whether a function of this name may return more than once from one call, or not to its caller:
/// its return cannot be hooked, for the return address that it remembers would be the trampoline's.
#[must_use]
pub fn returns_strangely(name: &str) -> bool {
    let plain = name.split_once('@').map_or(name, |(plain, _)| plain).trim_start_matches('_');
    matches!(
        plain,
        "setjmp" | "sigsetjmp" | "savectx" | "vfork" | "getcontext" | "swapcontext" | "libc_vfork"
    )
}

/// Where `function` can be changed so that programs see its instruction at `offset`.
pub fn find(function: &Function<'_>, offset: u64) -> Result<Site> {
    let Function { address, bytes, size } = *function;
    ensure!(
        size <= bytes.len(),
        "the function at {address:#x} has {size} bytes, not {}",
        bytes.len()
    );
    let past = address.checked_add(bytes.len() as u64).context("the function wraps around")?;
    let point = address.checked_add(offset).filter(|point| *point < past);
    let point =
        point.with_context(|| format!("the function at {address:#x} ends before +{offset}"))?;
    let known = known(function);
    if offset > 0 {
        ensure!(
            size as u64 > offset,
            "the function at {address:#x} has {size} bytes, not +{offset}"
        );
        let begins = known.iter().any(|instruction| instruction.ip() == point);
        ensure!(begins, "no instruction of the function at {address:#x} begins at +{offset}");
    }
    let first = decode(function, point)
        .with_context(|| format!("the bytes at {point:#x} are no instruction"))?;
    ensure!(
        !matches!(first.code(), Code::Int3 | Code::Int1),
        "there is a breakpoint at {point:#x} already: somebody else traces this function"
    );

    let targets: Vec<u64> = known.iter().filter_map(target).collect();
    let keep = first.code() == Code::Endbr64 && offset == 0 && bytes.len() as u64 > ENDBR64;
    let patch = if keep { first.next_ip() } else { point };
    let site = |patch, length: usize, displaced, ends, trap| {
        let from = (patch - address) as usize;
        let original =
            bytes.get(from..from + length).context("the function is too short")?.to_vec();
        Ok(Site { point, patch, entry: offset == 0, trap, original, displaced, ends })
    };
    if keep && targets.contains(&patch) {
        return site(point, 1, vec![first], false, Some(Trap::Loop));
    }
    match window(function, patch, &targets)? {
        Ok((displaced, ends)) => site(patch, JUMP, displaced, ends, None),
        Err((first, trap)) => site(patch, 1, vec![first], false, Some(trap)),
    }
}

/// The instructions that a jump at `patch` displaces, and whether filling follows them; or just
/// the first, and why there can be no jump.
#[expect(clippy::type_complexity, reason = "it is taken apart at once")]
fn window(
    function: &Function<'_>,
    patch: u64,
    targets: &[u64],
) -> Result<Result<(Vec<Instruction>, bool), (Instruction, Trap)>> {
    let own = function.address + function.size as u64;
    let end = patch + JUMP as u64;
    let mut displaced: Vec<Instruction> = Vec::new();
    let mut at = patch;
    while at < end {
        if at >= own && at > patch {
            let filling = displaced.last().is_some_and(stops) && filling(function, at, end);
            let first = displaced[0];
            return Ok(if filling { Ok((displaced, true)) } else { Err((first, Trap::Short)) });
        }
        let Some(instruction) = decode(function, at) else {
            match displaced.first() {
                Some(first) => return Ok(Err((*first, Trap::Short))),
                None => bail!("the bytes at {at:#x} are no instruction"),
            }
        };
        ensure!(
            !matches!(instruction.code(), Code::Int3 | Code::Int1) || displaced.is_empty(),
            "there is a breakpoint at {at:#x} already: somebody else traces this function"
        );
        displaced.push(instruction);
        at = instruction.next_ip();
    }
    let first = displaced[0];
    if let Some(target) = targets.iter().find(|target| (patch + 1..end).contains(target)) {
        return Ok(Err((first, Trap::Target(*target))));
    }
    let calls = |instruction: &&Instruction| {
        let call =
            matches!(instruction.flow_control(), FlowControl::Call | FlowControl::IndirectCall);
        call && instruction.next_ip() < end
    };
    if let Some(call) = displaced.iter().find(calls) {
        return Ok(Err((first, Trap::Call(call.ip()))));
    }
    Ok(Ok((displaced, false)))
}

/// Whether control never goes on behind `instruction`.
pub(crate) fn stops(instruction: &Instruction) -> bool {
    matches!(
        instruction.flow_control(),
        FlowControl::Return
            | FlowControl::UnconditionalBranch
            | FlowControl::IndirectBranch
            | FlowControl::Exception
    )
}

/// Whether there is nothing but filling between two functions from `at` to `end`.
fn filling(function: &Function<'_>, mut at: u64, end: u64) -> bool {
    while at < end {
        match decode(function, at) {
            Some(instruction)
                if instruction.is_nop_filling() || instruction.code() == Code::Int3 =>
            {
                at = instruction.next_ip();
            }
            _ => return false,
        }
    }
    true
}

/// What compilers fill up with.
trait Filling {
    fn is_nop_filling(&self) -> bool;
}

impl Filling for Instruction {
    fn is_nop_filling(&self) -> bool {
        use Code::{Nop_rm16, Nop_rm32, Nop_rm64, Nopd, Nopq, Nopw};
        matches!(self.code(), Nopw | Nopd | Nopq | Nop_rm16 | Nop_rm32 | Nop_rm64)
    }
}

/// Where a direct jump or call goes to.
fn target(instruction: &Instruction) -> Option<u64> {
    let near = matches!(
        instruction.op0_kind(),
        OpKind::NearBranch16 | OpKind::NearBranch32 | OpKind::NearBranch64
    );
    near.then(|| instruction.near_branch_target())
}

/// The function's instructions, read one after the other. Data among them (a jump table) is read
/// as instructions too, which can only make a jump look worse than it is, or go unnoticed.
fn known(function: &Function<'_>) -> Vec<Instruction> {
    let own = &function.bytes[..function.size];
    Decoder::with_ip(64, own, function.address, DecoderOptions::NONE)
        .into_iter()
        .filter(|instruction| !instruction.is_invalid())
        .collect()
}

/// The instruction at `at`, if there is one.
fn decode(function: &Function<'_>, at: u64) -> Option<Instruction> {
    let bytes = function.bytes.get((at - function.address) as usize..)?;
    let mut decoder = Decoder::with_ip(64, bytes, at, DecoderOptions::NONE);
    let instruction = decoder.can_decode().then(|| decoder.decode())?;
    (!instruction.is_invalid()).then_some(instruction)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(bytes: &[u8], size: usize, offset: u64) -> Result<Site> {
        find(&Function { address: 0x1000, bytes, size }, offset)
    }

    #[test]
    fn an_endbr64_stays() {
        // endbr64; push rbp; mov rbp,rsp; pop rbp; ret
        let site = at(b"\xf3\x0f\x1e\xfa\x55\x48\x89\xe5\x5d\xc3", 10, 0).unwrap();
        assert_eq!((site.point, site.patch, site.trap.clone()), (0x1000, 0x1004, None));
        assert_eq!(site.original, b"\x55\x48\x89\xe5\x5d");
        assert_eq!(site.placement(), Placement::near(0x1009).trapping(0).trapping(3));
    }

    #[test]
    fn a_loop_to_just_past_endbr64_is_no_entry() {
        // endbr64; 1: dec edi; nop dword [rax]; jne 1b; ret
        let bytes = b"\xf3\x0f\x1e\xfa\xff\xcf\x0f\x1f\x00\x75\xf9\xc3";
        let site = at(bytes, 12, 0).unwrap();
        assert_eq!((site.patch, site.trap), (0x1000, Some(Trap::Loop)));
    }

    #[test]
    fn a_jump_into_what_would_be_covered_makes_a_trap() {
        // xor eax,eax; 1: inc eax; cmp eax,edi; jne 1b; ret
        let site = at(b"\x31\xc0\xff\xc0\x39\xf8\x75\xfa\xc3", 9, 0).unwrap();
        assert_eq!(site.trap, Some(Trap::Target(0x1002)));
        assert_eq!(site.original, [0x31]);
        // A loop to the very first instruction is hit each time, as by the kernel.
        let site = at(b"\xff\xc0\x39\xf8\x75\xfa\xc3", 7, 0).unwrap();
        assert_eq!(site.trap, None);
    }

    #[test]
    fn filling_behind_a_short_function_is_taken_and_the_next_function_is_not() {
        let site = at(b"\xc3\x0f\x1f\x40\x00\x90\x90\x90", 1, 0).unwrap();
        assert!(site.trap.is_none() && site.ends);
        assert_eq!(site.original.len(), 5);
        for rest in [&b"\xc3\xc3\x90\x90\x90"[..], b"\xc3", b"\xc3\x90\x90\x90"] {
            assert_eq!(at(rest, 1, 0).unwrap().trap, Some(Trap::Short), "{rest:x?}");
        }
        // Falls through: what follows is not filling.
        assert_eq!(at(b"\x90\x90\x90\x90\x90\x90", 1, 0).unwrap().trap, Some(Trap::Short));
    }

    #[test]
    fn a_call_that_returns_amid_the_jump_makes_a_trap() {
        // call rax; ret; and: call rel32, which is as long as the jump.
        assert_eq!(at(b"\xff\xd0\x31\xc0\xc3\x90", 6, 0).unwrap().trap, Some(Trap::Call(0x1000)));
        assert_eq!(at(b"\xe8\x00\x01\x00\x00\xc3", 6, 0).unwrap().trap, None);
    }

    #[test]
    fn what_cannot_be_hooked_is_refused() {
        let refused =
            |bytes: &[u8], size, offset| format!("{:#}", at(bytes, size, offset).unwrap_err());
        assert!(refused(b"\xcc\x90\x90\x90\x90", 5, 0).contains("breakpoint"));
        assert!(refused(b"\x55\x48\x89\xe5\xc3", 5, 2).contains("begins at +2"));
        assert!(refused(b"\x55\x48\x89\xe5\xc3", 5, 9).contains("ends before"));
        assert!(refused(b"\x06\x48\x89\xe5\xc3", 5, 0).contains("no instruction"));
        assert!(refused(b"", 0, 0).contains("ends before"));
    }

    #[test]
    fn what_returns_strangely_is_known() {
        for name in ["setjmp", "_setjmp", "__sigsetjmp", "vfork@@GLIBC_2.2.5", "__libc_vfork"] {
            assert!(returns_strangely(name), "{name}");
        }
        assert!(!returns_strangely("longjmp") && !returns_strangely("fork"));
    }

    #[test]
    fn any_bytes_end_well() {
        let mut state = 0x9e37_79b9_7f4a_7c15u64;
        let mut hooked = 0;
        for _ in 0..200_000 {
            let mut bytes = [0; 24];
            for byte in &mut bytes {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                *byte = (state >> 56) as u8;
            }
            let size = (state >> 32) as usize % 25;
            hooked += usize::from(at(&bytes, size, (state >> 40) % 8).is_ok());
        }
        assert!(hooked > 1_000, "{hooked}");
    }
}
