// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the arguments of a function are, where their types do not tell: a policy says it.
//!
//! The verifier reads it from the ends of parameters' names, so the names in the module are not
//! always the application's.

use anyhow::Result;

use super::signature::declaration_name;
use crate::dwarf::DebugInfo;
use crate::dwarf::functions::Function;
use crate::dwarf::shape::Shape;
use crate::kernel::param;
use crate::metadata::{Argument, ArgumentKind, Role};
use crate::nearest;

/// An argument that a policy says something of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marked {
    /// What the application calls it.
    pub name: String,
    /// What it is.
    pub kind: ArgumentKind,
    /// `file:line` of the policy.
    pub place: String,
}

/// The arguments of `function` in `role`, with what `marked` says of them, in their order.
///
/// Fails, with the place, for arguments that there are not, and for what they cannot be.
pub(super) fn arguments(
    debug: &DebugInfo<'_>,
    function: &Function<'_>,
    role: Role,
    marked: &[Marked],
) -> Result<Vec<Argument>, String> {
    let names = function.params.iter().enumerate();
    let names: Vec<String> =
        names.map(|(index, param)| declaration_name(&param.name, index)).collect();
    if let Some(mark) = marked.iter().find(|mark| !names.contains(&mark.name)) {
        let Marked { name, place, .. } = mark;
        let hint = match names.as_slice() {
            [] => "; it takes none".to_owned(),
            names => match nearest::hint(name, names.iter().map(String::as_str)) {
                hint if hint.is_empty() => format!("; it takes {}", names.join(", ")),
                hint => hint,
            },
        };
        return Err(format!("{place}: it takes no argument {name:?}{hint}"));
    }
    let find = |name: &String| marked.iter().find(|mark| mark.name == *name);
    let marks: Vec<Option<&Marked>> = names.iter().map(find).collect();
    for (index, mark) in marks.iter().enumerate() {
        let Some(mark) = mark else { continue };
        let read = |error: anyhow::Error| format!("{error:#}");
        let ty = function.params[index].ty;
        let shape = debug.shape(ty).map_err(read)?;
        let pointee = debug.pointee_shape(ty).map_err(read)?;
        check(&marks, index, role, &shape, pointee.as_ref()).map_err(|reason| {
            let spelled = debug.c_name(ty).unwrap_or_default();
            let Marked { name, kind, place } = mark;
            format!(
                "{place}: its argument {name}, '{spelled}', cannot be a {}: {reason}",
                kind.name()
            )
        })?;
    }
    let all = names.into_iter().zip(marks);
    Ok(all.map(|(name, mark)| Argument { name, kind: mark.map(|mark| mark.kind) }).collect())
}

/// Whether the argument at `index`, of the shape `shape`, can be what it is marked as; else why not.
fn check(
    marks: &[Option<&Marked>],
    index: usize,
    role: Role,
    shape: &Shape,
    pointee: Option<&Shape>,
) -> Result<(), &'static str> {
    let kind_at = |index: usize| marks.get(index).copied().flatten().map(|mark| mark.kind);
    let before = index.checked_sub(1).and_then(kind_at);
    let is_object = matches!(shape, Shape::StructPointer { .. });
    match kind_at(index) {
        Some(ArgumentKind::String) => match (shape, pointee) {
            (Shape::OtherPointer, Some(Shape::Scalar(1))) => Ok(()),
            _ => Err("a string is a pointer to char"),
        },
        Some(ArgumentKind::Buffer) => match (shape, pointee) {
            (Shape::OtherPointer, Some(Shape::Void | Shape::Scalar(1))) => {
                match kind_at(index + 1) {
                    Some(ArgumentKind::Size) => Ok(()),
                    _ => Err(
                        "the argument after it has to say how many bytes it has; mark that one as size",
                    ),
                }
            }
            _ => Err("a buffer is a pointer to bytes: to void or char"),
        },
        Some(ArgumentKind::Size) => match shape {
            // What is verified as 64 bits, a shorter one would make another number of.
            Shape::Scalar(4 | 8) if before == Some(ArgumentKind::Buffer) => Ok(()),
            Shape::Scalar(4 | 8) => Err("the argument before it is no buffer"),
            _ => Err("a size is an integer of 4 or 8 bytes"),
        },
        Some(ArgumentKind::Nullable) if !is_object => Err(
            "only a pointer to a struct or union can be NULL; leave strings and buffers out by another function",
        ),
        Some(ArgumentKind::Nullable) if role == Role::Release => {
            Err("it is what the function releases, which has to be there")
        }
        Some(ArgumentKind::Constant) => {
            let all = 0..marks.len();
            let constants = all.filter(|at| kind_at(*at) == Some(ArgumentKind::Constant)).count();
            match shape {
                Shape::Scalar(1 | 2 | 4 | 8) if constants == 1 => Ok(()),
                Shape::Scalar(1 | 2 | 4 | 8) => Err("the kernel allows one constant in a function"),
                _ => Err("a constant is an integer"),
            }
        }
        Some(ArgumentKind::Nullable) | None => Ok(()),
    }
}

/// What the verifier has to read at the end of the name of such a parameter.
pub(super) fn suffix(kind: Option<ArgumentKind>) -> &'static str {
    match kind {
        Some(ArgumentKind::String) => param::STRING,
        Some(ArgumentKind::Size) => param::SIZE,
        Some(ArgumentKind::Nullable) => param::NULLABLE,
        Some(ArgumentKind::Constant) => param::CONSTANT,
        // A buffer is one by the size that follows it.
        Some(ArgumentKind::Buffer) | None => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(kinds: &[Option<ArgumentKind>]) -> Vec<Option<Marked>> {
        let mark = |kind| Marked { name: "x".into(), kind, place: "p.toml:1".into() };
        kinds.iter().map(|kind| kind.map(mark)).collect()
    }

    #[track_caller]
    fn checked(
        kinds: &[Option<ArgumentKind>],
        index: usize,
        shape: Shape,
        pointee: Option<Shape>,
    ) -> Result<(), &'static str> {
        let marks = marked(kinds);
        let marks: Vec<_> = marks.iter().map(Option::as_ref).collect();
        check(&marks, index, Role::Plain, &shape, pointee.as_ref())
    }

    #[test]
    fn kinds_have_to_fit_types() {
        use ArgumentKind::{Constant, Nullable, String};
        let object = || Shape::StructPointer { name: "s".into(), defined: true };
        let pointer = || Shape::OtherPointer;
        assert!(checked(&[Some(String)], 0, pointer(), Some(Shape::Scalar(1))).is_ok());
        for pointee in [Shape::Void, Shape::Scalar(4), Shape::OtherPointer] {
            assert!(checked(&[Some(String)], 0, pointer(), Some(pointee)).is_err());
        }
        assert!(checked(&[Some(String)], 0, Shape::Scalar(8), None).is_err());
        assert!(checked(&[Some(Nullable)], 0, object(), None).is_ok());
        assert!(checked(&[Some(Nullable)], 0, pointer(), Some(Shape::Void)).is_err());
        assert!(checked(&[Some(Constant)], 0, Shape::Scalar(2), None).is_ok());
        assert!(checked(&[Some(Constant)], 0, object(), None).is_err());
        let two = [Some(Constant), None, Some(Constant)];
        assert!(checked(&two, 2, Shape::Scalar(4), None).is_err());
    }

    #[test]
    fn a_buffer_and_its_size_come_together() {
        use ArgumentKind::{Buffer, Size};
        let pair = [Some(Buffer), Some(Size)];
        let pointer = || Shape::OtherPointer;
        assert!(checked(&pair, 0, pointer(), Some(Shape::Void)).is_ok());
        assert!(checked(&pair, 0, pointer(), Some(Shape::Scalar(1))).is_ok());
        assert!(checked(&pair, 0, pointer(), Some(Shape::Scalar(4))).is_err());
        assert!(checked(&pair, 1, Shape::Scalar(8), None).is_ok());
        assert!(checked(&pair, 1, Shape::Scalar(2), None).is_err());
        assert!(checked(&[Some(Buffer), None], 0, pointer(), Some(Shape::Void)).is_err());
        assert!(checked(&[Some(Buffer)], 0, pointer(), Some(Shape::Void)).is_err());
        assert!(checked(&[None, Some(Size)], 1, Shape::Scalar(8), None).is_err());
        assert!(checked(&[Some(Size)], 0, Shape::Scalar(8), None).is_err());
        let again = [Some(Buffer), Some(Size), Some(Size)];
        assert!(checked(&again, 2, Shape::Scalar(8), None).is_err());
    }
}
