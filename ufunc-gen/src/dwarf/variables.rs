// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where variables are.
//!
//! | `DW_AT_location` | the variable is |
//! | --- | --- |
//! | an address, by itself, by its index in `.debug_addr`, or so many bytes behind one | there |
//! | such an offset, handed to `DW_OP_form_tls_address` | there in every thread's block |
//! | whatever else: a list, a register, several pieces | at no one place |
//! | missing | nowhere: declared only, or optimised out |

use std::collections::HashMap;

use anyhow::{Context as _, Result};
use gimli::constants as dw;
use gimli::{AttributeSpecification, AttributeValue, DebugAddrIndex, Expression, Operation};

use super::plan::Cursor;
use super::unit::Unit;
use super::{DebugInfo, DieRef, Reader};

/// A place in the application that is the same for as long as it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Whether each thread has its own, and the address is an offset in what a thread has.
    pub thread_local: bool,
    /// Where it is, before relocation.
    pub address: u64,
}

/// What an entry says of where its variable is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Location {
    /// Nothing.
    Unsaid,
    /// It is there.
    At(Place),
    /// It has no one place.
    Changing,
}

/// Reads the locations of a unit's variables.
pub(crate) struct Locations<'u, 'a> {
    debug: &'u DebugInfo<'a>,
    unit: &'u Unit<'a>,
    /// By abbreviation: its attributes up to the location, if it has one.
    attributes: HashMap<u64, Option<Vec<AttributeSpecification>>>,
}

impl<'u, 'a> Locations<'u, 'a> {
    pub(crate) fn new(debug: &'u DebugInfo<'a>, unit: &'u Unit<'a>) -> Self {
        Locations { debug, unit, attributes: HashMap::new() }
    }

    /// The location of the entry at `place`, which is in the unit.
    pub(crate) fn of(&mut self, place: DieRef) -> Result<Location> {
        self.read(place).with_context(|| {
            format!("failed to read the location of the variable at {}", self.debug.place(place))
        })
    }

    fn read(&mut self, place: DieRef) -> Result<Location> {
        let unit = self.unit;
        let at = place.offset().saturating_sub(unit.start);
        let mut cursor = Cursor::new(unit.bytes, at, unit.endian());
        let code = cursor.leb()?;
        let attributes =
            self.attributes.entry(code).or_insert_with(|| up_to_location(unit, code)).as_deref();
        let Some((location, before)) = attributes.and_then(<[_]>::split_last) else {
            return Ok(Location::Unsaid);
        };
        let mut raw = cursor.raw(unit);
        raw.skip_attributes(before)?;
        match raw.read_attribute(*location)?.value() {
            AttributeValue::Exprloc(expression) => self.evaluate(expression),
            _ => Ok(Location::Changing),
        }
    }

    /// What `expression` comes to, if it is the same at any time.
    fn evaluate(&self, expression: Expression<Reader<'a>>) -> Result<Location> {
        if expression.0.is_empty() {
            // How compilers say that there is nothing left of it.
            return Ok(Location::Unsaid);
        }
        // What is on the stack, and whether it is an address already.
        let mut stack = Vec::<(u64, bool)>::new();
        let mut thread_local = false;
        let mut operations = expression.operations(self.unit.header.encoding());
        while let Some(operation) = operations.next()? {
            if thread_local {
                return Ok(Location::Changing);
            }
            match operation {
                Operation::Address { address } => stack.push((address, true)),
                Operation::AddressIndex { index } => match self.indexed(index) {
                    Some(address) => stack.push((address, true)),
                    None => return Ok(Location::Unsaid),
                },
                Operation::ConstantIndex { index } => match self.indexed(index) {
                    Some(value) => stack.push((value, false)),
                    None => return Ok(Location::Unsaid),
                },
                Operation::UnsignedConstant { value } => stack.push((value, false)),
                Operation::SignedConstant { value } => stack.push((value.cast_unsigned(), false)),
                Operation::PlusConstant { value } => match stack.last_mut() {
                    Some((sum, _)) => *sum = sum.wrapping_add(value),
                    None => return Ok(Location::Changing),
                },
                Operation::Plus => match (stack.pop(), stack.pop()) {
                    (Some((one, is_one)), Some((other, is_other))) => {
                        stack.push((one.wrapping_add(other), is_one || is_other));
                    }
                    _ => return Ok(Location::Changing),
                },
                Operation::TLS => thread_local = true,
                Operation::Nop => {}
                _ => return Ok(Location::Changing),
            }
        }
        Ok(match stack[..] {
            [(address, is_address)] if is_address || thread_local => {
                Location::At(Place { thread_local, address })
            }
            _ => Location::Changing,
        })
    }

    /// The address with that index in `.debug_addr`; `None` if there is none, as for a function.
    fn indexed(&self, index: DebugAddrIndex<usize>) -> Option<u64> {
        let (size, base) = (self.unit.header.address_size(), self.unit.bases.addresses);
        let addresses = &self.debug.parts[self.unit.part].dwarf.debug_addr;
        addresses.get_address(size, base, index).ok()
    }
}

/// The attributes of the abbreviation `code` up to the location, if it has one.
fn up_to_location(unit: &Unit<'_>, code: u64) -> Option<Vec<AttributeSpecification>> {
    let mut attributes = unit.abbreviations.get(code)?.attributes;
    let place = attributes.iter().position(|spec| spec.name() == dw::DW_AT_location)?;
    attributes.truncate(place + 1);
    Some(attributes)
}
