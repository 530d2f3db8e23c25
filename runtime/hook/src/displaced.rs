// SPDX-License-Identifier: MIT OR Apache-2.0
//! The displaced instructions, doing elsewhere what they did where they were.

use anyhow::{Result, bail};
use iced_x86::code_asm::{CodeAssembler, CodeLabel, dword_ptr, rsp};
use iced_x86::{Code, FlowControl, Instruction, OpKind, Register};

use crate::site::{Site, stops};

/// Adds the displaced instructions, and a jump to where the function goes on. A label for each.
pub(crate) fn add(assembler: &mut CodeAssembler, site: &Site) -> Result<Vec<CodeLabel>> {
    let mut labels = Vec::new();
    for instruction in &site.displaced {
        let mut label = assembler.create_label();
        assembler.set_label(&mut label)?;
        // A label of its own: what becomes longer has no address.
        assembler.zero_bytes()?;
        labels.push(label);
        match instruction.flow_control() {
            FlowControl::Call | FlowControl::IndirectCall => call(assembler, instruction)?,
            FlowControl::XbeginXabortXend => {
                bail!("the transaction at {:#x} cannot be displaced", instruction.ip())
            }
            _ => assembler.add_instruction(unplaced(*instruction))?,
        }
    }
    let ended = site.ends || site.displaced.last().is_some_and(stops);
    if !ended {
        assembler.jmp(site.end())?;
    }
    Ok(labels)
}

/// The instruction without its address. What it refers to is absolute anyway, and a jump to a
/// displaced instruction has to go to where that was, into the hook again, as in the kernel.
fn unplaced(mut instruction: Instruction) -> Instruction {
    instruction.set_ip(0);
    instruction
}

/// A call from the stub would leave a return address there, and what looks for handlers of
/// exceptions would find none. So the original return address is pushed, and the function jumped to.
fn call(assembler: &mut CodeAssembler, call: &Instruction) -> Result<()> {
    let mut jump = unplaced(*call);
    jump.set_code(match call.code() {
        Code::Call_rel32_64 => Code::Jmp_rel32_64,
        Code::Call_rm64 => Code::Jmp_rm64,
        _ => bail!("the call at {:#x} cannot be displaced", call.ip()),
    });
    if jump.op0_kind() == OpKind::Register && jump.op0_register() == Register::RSP {
        bail!("the call of the stack at {:#x} cannot be displaced", call.ip());
    }
    if jump.op0_kind() == OpKind::Memory && jump.memory_base() == Register::RSP {
        // The return address is below it by then.
        jump.set_memory_displacement64(jump.memory_displacement64().wrapping_add(8));
        jump.set_memory_displ_size(8);
    }
    let back = call.next_ip();
    // Pushed with its sign extended; the upper half is put right.
    assembler.push((back as u32).cast_signed())?;
    assembler.mov(dword_ptr(rsp + 4), (back >> 32) as u32)?;
    assembler.add_instruction(jump)?;
    Ok(())
}
