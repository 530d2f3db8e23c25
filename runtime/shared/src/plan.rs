// SPDX-License-Identifier: MIT OR Apache-2.0
//! The plan of a hook, and the bytes it travels as.

use anyhow::{Context as _, Result, ensure};

use crate::placement::TRAPS;
use crate::wire::{Reader, Writer};

/// Bytes of the jump that replaces the beginning of a function.
pub const JUMP: usize = 5;
/// The first byte of that jump.
pub const JUMP_OPCODE: u8 = 0xe9;
/// The instruction that raises SIGTRAP.
pub const INT3: u8 = 0xcc;

/// What begins a plan's bytes.
const MAGIC: [u8; 8] = *b"ufhook01";
/// No stub is longer.
const LONGEST_CODE: usize = 1 << 20;
/// The longest instruction of x86.
const LONGEST_INSTRUCTION: usize = 15;

/// An instruction that was displaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Where it was.
    pub from: u64,
    /// Where the same is done now: an address in the stub.
    pub to: u64,
}

/// What the agent does to hook one point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The probed address.
    pub point: u64,
    /// Where bytes are changed: the point, or just past an `endbr64` there.
    pub patch: u64,
    /// What has to be there before.
    pub original: Vec<u8>,
    /// What is written there: a jump, or one `int3`.
    pub replacement: Vec<u8>,
    /// Where the stub lies.
    pub stub: u64,
    /// The stub.
    pub code: Vec<u8>,
    /// The displaced instructions. The first is the one at `patch`.
    pub moved: Vec<Moved>,
    /// Whether return addresses on the stack are replaced or written, which a processor that
    /// keeps a shadow stack forbids.
    pub writes_return_addresses: bool,
}

impl Plan {
    /// Whether the stub is reached by a trap rather than by a jump.
    #[must_use]
    pub fn traps(&self) -> bool {
        self.replacement.len() == 1
    }

    /// Whether the plan makes sense in itself; whoever hands it over is trusted with the code.
    pub fn check(&self) -> Result<()> {
        let (old, new) = (self.original.len(), self.replacement.len());
        ensure!(old == new, "a hook replaces {old} bytes by {new}");
        ensure!(!self.code.is_empty(), "a hook has no stub");
        let past = self.stub.checked_add(self.code.len() as u64).context("a stub wraps around")?;
        let first = self.moved.first().context("a hook displaces no instruction")?;
        ensure!(first.from == self.patch, "a hook at {:#x} displaces {first:x?}", self.patch);
        let reach = self.patch.checked_add((JUMP + LONGEST_INSTRUCTION) as u64);
        let reach = reach.context("a hook wraps around")?;
        let inside = |moved: &Moved| {
            (self.patch..reach).contains(&moved.from) && (self.stub..past).contains(&moved.to)
        };
        ensure!(self.moved.iter().all(inside), "a displaced instruction is out of place");
        match *self.replacement.as_slice() {
            [INT3] => {}
            [JUMP_OPCODE, a, b, c, d] => {
                let anchor = self.patch + JUMP as u64;
                let target = anchor.wrapping_add_signed(i32::from_le_bytes([a, b, c, d]).into());
                ensure!(target == self.stub, "a hook jumps to {target:#x}, not to its stub");
                let trapping =
                    self.interior().iter().all(|at| TRAPS.contains(&self.replacement[*at]));
                ensure!(trapping, "a displaced instruction's place does not trap");
            }
            _ => anyhow::bail!("a hook writes neither a jump nor int3"),
        }
        Ok(())
    }

    /// The address after the first byte, if the first instruction goes on there.
    #[must_use]
    pub fn amid_first(&self) -> Option<u64> {
        let amid = self.patch + 1;
        let begins = self.moved.iter().any(|moved| moved.from == amid);
        (!begins && !self.traps()).then_some(amid)
    }

    /// Which bytes of the replacement, but for the first, lie where an instruction began.
    #[must_use]
    pub fn interior(&self) -> Vec<usize> {
        let places = self.moved.iter().skip(1).map(|moved| (moved.from - self.patch) as usize);
        places.filter(|place| *place < self.replacement.len()).collect()
    }

    /// The bytes to hand over.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::after(&MAGIC);
        for number in [self.point, self.patch, self.stub, u64::from(self.writes_return_addresses)] {
            writer.number(number);
        }
        writer.bytes(&self.original).bytes(&self.replacement).bytes(&self.code);
        writer.list(&self.moved, |writer, moved| {
            writer.number(moved.from).number(moved.to);
        });
        writer.finish()
    }

    /// The plan that `bytes` carry, checked.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let rest = bytes.strip_prefix(&MAGIC).context("this is no plan of a hook")?;
        let mut reader = Reader::new(rest, "a plan of a hook");
        let [point, patch, stub] = [reader.number()?, reader.number()?, reader.number()?];
        let writes_return_addresses = reader.number()? != 0;
        let original = reader.bytes(JUMP)?.to_vec();
        let replacement = reader.bytes(JUMP)?.to_vec();
        let code = reader.bytes(LONGEST_CODE)?.to_vec();
        let moved = reader
            .list(JUMP, |reader| Ok(Moved { from: reader.number()?, to: reader.number()? }))?;
        reader.end()?;
        let plan = Self {
            point,
            patch,
            original,
            replacement,
            stub,
            code,
            moved,
            writes_return_addresses,
        };
        plan.check()?;
        Ok(plan)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        Plan {
            point: 0x1000,
            patch: 0x1004,
            original: vec![0x55, 0x48, 0x89, 0xe5, 0x90],
            // 0x1009 + 0x0600_0006
            replacement: vec![0xe9, 0x06, 0x00, 0x00, 0x06],
            stub: 0x0600_100f,
            code: vec![0x90; 32],
            moved: vec![
                Moved { from: 0x1004, to: 0x0600_1010 },
                Moved { from: 0x1005, to: 0x0600_1011 },
                Moved { from: 0x1008, to: 0x0600_1014 },
            ],
            writes_return_addresses: true,
        }
    }

    #[test]
    fn a_plan_travels() {
        assert_eq!(Plan::from_bytes(&plan().to_bytes()).unwrap(), plan());
        assert_eq!(plan().interior(), [1, 4]);
    }

    #[test]
    fn what_is_cut_off_or_changed_is_no_plan() {
        let bytes = plan().to_bytes();
        for length in 0..bytes.len() {
            assert!(Plan::from_bytes(&bytes[..length]).is_err(), "{length}");
        }
        let mut longer = bytes.clone();
        longer.push(0);
        assert!(Plan::from_bytes(&longer).is_err());
        let mut refused = 0;
        for place in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[place] ^= 0x41;
            refused += usize::from(Plan::from_bytes(&changed).is_err());
        }
        assert!(refused > 100, "{refused}");
    }

    #[test]
    fn a_place_that_does_not_trap_is_refused() {
        let mut plan = plan();
        plan.replacement[1] = 0x10;
        plan.stub += 0x0a;
        for moved in &mut plan.moved {
            moved.to += 0x0a;
        }
        assert!(plan.check().unwrap_err().to_string().contains("does not trap"));
    }
}
