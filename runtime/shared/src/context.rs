// SPDX-License-Identifier: MIT OR Apache-2.0
//! The context of a probe: the kernel's `struct pt_regs` of x86-64.

/// Bytes of a `struct pt_regs`.
pub const SIZE: usize = 21 * 8;

/// A field of `struct pt_regs`; the number is its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Field {
    /// `r15`
    R15,
    /// `r14`
    R14,
    /// `r13`
    R13,
    /// `r12`
    R12,
    /// `bp`
    Bp,
    /// `bx`
    Bx,
    /// `r11`
    R11,
    /// `r10`
    R10,
    /// `r9`
    R9,
    /// `r8`
    R8,
    /// `ax`
    Ax,
    /// `cx`
    Cx,
    /// `dx`
    Dx,
    /// `si`
    Si,
    /// `di`
    Di,
    /// `orig_ax`: -1, for no probe is a system call.
    OrigAx,
    /// `ip`: the probed instruction, or where a function returns to.
    Ip,
    /// `cs`
    Cs,
    /// `flags`
    Flags,
    /// `sp`
    Sp,
    /// `ss`
    Ss,
}

impl Field {
    /// All fields, in their order.
    pub const ALL: [Self; 21] = [
        Self::R15,
        Self::R14,
        Self::R13,
        Self::R12,
        Self::Bp,
        Self::Bx,
        Self::R11,
        Self::R10,
        Self::R9,
        Self::R8,
        Self::Ax,
        Self::Cx,
        Self::Dx,
        Self::Si,
        Self::Di,
        Self::OrigAx,
        Self::Ip,
        Self::Cs,
        Self::Flags,
        Self::Sp,
        Self::Ss,
    ];

    /// Where it is in the struct.
    #[must_use]
    pub const fn offset(self) -> usize {
        self as usize * 8
    }
}

/// A set of fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fields(u32);

impl Fields {
    /// No field.
    pub const NONE: Self = Self(0);
    /// Every field.
    pub const ALL: Self = Self((1 << Field::ALL.len()) - 1);
    /// The integer registers that a called function may change.
    pub const CALLER_SAVED: Self = Self::NONE
        .with(Field::Ax)
        .with(Field::Cx)
        .with(Field::Dx)
        .with(Field::Si)
        .with(Field::Di)
        .with(Field::R8)
        .with(Field::R9)
        .with(Field::R10)
        .with(Field::R11);

    /// Them as a number, a bit for each in the struct's order.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// The fields that a number says; bits of no field do not count.
    #[must_use]
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits & Self::ALL.0)
    }

    /// These and `field`.
    #[must_use]
    pub const fn with(self, field: Field) -> Self {
        Self(self.0 | 1 << field as u32)
    }

    /// These but for `field`.
    #[must_use]
    pub const fn without(self, field: Field) -> Self {
        Self(self.0 & !(1 << field as u32))
    }

    /// These and those.
    #[must_use]
    pub const fn union(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// What is in both.
    #[must_use]
    pub const fn intersection(self, others: Self) -> Self {
        Self(self.0 & others.0)
    }

    /// Whether `field` is among them.
    #[must_use]
    pub const fn contains(self, field: Field) -> bool {
        self.0 & 1 << field as u32 != 0
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The fields that an access of `size` bytes at `offset` touches.
    #[must_use]
    pub fn at(offset: usize, size: usize) -> Self {
        let end = offset.saturating_add(size);
        let touched = |field: &&Field| field.offset() < end && offset < field.offset() + 8;
        Field::ALL.iter().filter(touched).fold(Self::NONE, |fields, field| fields.with(*field))
    }

    /// Them, in the struct's order.
    pub fn iter(self) -> impl Iterator<Item = Field> {
        Field::ALL.into_iter().filter(move |field| self.contains(*field))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_access_touches_the_fields_that_it_overlaps() {
        assert_eq!(Fields::at(112, 8), Fields::NONE.with(Field::Di));
        assert_eq!(Fields::at(116, 4), Fields::NONE.with(Field::Di));
        assert_eq!(
            Fields::at(100, 16),
            Fields::NONE.with(Field::Dx).with(Field::Si).with(Field::Di)
        );
        assert_eq!(Fields::at(0, SIZE), Fields::ALL);
        assert!(Fields::at(SIZE, 8).is_empty());
    }
}
