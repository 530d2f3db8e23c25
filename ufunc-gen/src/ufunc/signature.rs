// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a kfunc can take and return, as `check_kfunc_args()` in `kernel/bpf/verifier.c` has it.

use anyhow::Result;

use super::argument::{self, Marked};
use crate::dwarf::functions::{Function, ParametersEnd};
use crate::dwarf::shape::Shape;
use crate::dwarf::{DebugInfo, DieRef};
use crate::ident::btf_name;
use crate::kernel::{KFUNC_ARGS_MAX, param};
use crate::metadata::{Argument, ArgumentKind, Role};

/// A signature that the kernel accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// What it returns.
    pub returns: Shape,
    /// What it takes: names, which are safe for the kernel and say to it what the arguments are,
    /// and shapes.
    pub params: Vec<(String, Shape)>,
    /// The same as the application has it.
    pub arguments: Vec<Argument>,
    /// The struct whose objects it acquires or releases; `None` for plain functions.
    pub object: Option<String>,
    /// The declaration as C spells it; safe to print and to put into a comment.
    pub c: String,
}

impl Signature {
    /// Whether it returns a pointer to a struct.
    pub fn returns_struct(&self) -> bool {
        matches!(self.returns, Shape::StructPointer { .. })
    }

    /// The arguments, if the types do not tell all of them.
    pub fn told_arguments(&self) -> &[Argument] {
        match self.arguments.iter().any(|argument| argument.kind.is_some()) {
            true => &self.arguments,
            false => &[],
        }
    }

    /// Place among the parameters of the object that a release function takes.
    pub fn object_param(&self) -> Option<usize> {
        self.params.iter().position(|(_, shape)| matches!(shape, Shape::StructPointer { .. }))
    }
}

/// Structs to which the verifier gives a meaning of its own (`get_kfunc_ptr_arg_type()`): an
/// application's struct of such a name would be taken for the kernel's.
pub(crate) const KERNEL_STRUCTS: [&str; 14] = [
    "bpf_dynptr",
    "bpf_dynptr_kern",
    "bpf_list_head",
    "bpf_list_node",
    "bpf_map",
    "bpf_prog_aux",
    "bpf_rb_node",
    "bpf_rb_root",
    "bpf_res_spin_lock",
    "bpf_spin_lock",
    "bpf_task_work",
    "bpf_timer",
    "bpf_wq",
    "pt_regs",
];

/// The signature of `function` in `role`, or the reason why it cannot be lent, which may end in what
/// is to be known or done about it, after `; `. Of some arguments a policy has `marked` what they are.
pub fn of(
    debug: &DebugInfo<'_>,
    function: &Function<'_>,
    role: Role,
    marked: &[Marked],
) -> Result<Signature, String> {
    let read = |error: anyhow::Error| format!("{error:#}");
    if function.parameters_end == ParametersEnd::Variadic {
        return Err("it takes a variable number of arguments, which a kfunc cannot".to_owned());
    }
    if function.params.len() > KFUNC_ARGS_MAX {
        return Err(format!(
            "it takes {} arguments, a kfunc can take {KFUNC_ARGS_MAX}",
            function.params.len()
        ));
    }
    let arguments = argument::arguments(debug, function, role, marked)?;
    let mut params = Vec::new();
    for (index, param) in function.params.iter().enumerate() {
        let shape = debug.shape(param.ty).map_err(read)?;
        let spelled = debug.c_name(param.ty).map_err(read)?;
        let kind = arguments[index].kind;
        check_param(&shape, &spelled, kind)
            .map_err(|reason| format!("its argument {} {reason}", index + 1))?;
        params.push((param_name(&param.name, index) + argument::suffix(kind), shape));
    }
    let returns = debug.shape(function.return_type).map_err(read)?;
    let spelled = debug.c_name(function.return_type).map_err(read)?;
    let object = match role {
        Role::Acquire => match &returns {
            Shape::StructPointer { name, defined: true } => Some(name.clone()),
            Shape::StructPointer { .. } => return Err(undefined(&spelled)),
            _ => {
                return Err(format!(
                    "it is to acquire an object but returns '{spelled}', not a pointer to a struct"
                ));
            }
        },
        Role::Release => Some(released(&params)?),
        Role::Plain => None,
    };
    match &returns {
        Shape::Void | Shape::StructPointer { defined: true, .. } => {}
        Shape::StructPointer { .. } => return Err(undefined(&spelled)),
        Shape::Scalar(1 | 2 | 4 | 8) => {}
        Shape::Float => return Err(format!("it returns '{spelled}', a floating-point number")),
        Shape::Aggregate => return Err(format!("it returns '{spelled}' by value")),
        _ => return Err(format!("it returns '{spelled}', which a kfunc cannot")),
    }
    let c = declaration(debug, function).map_err(read)?;
    Ok(Signature { returns, params, arguments, object, c })
}

fn check_param(shape: &Shape, spelled: &str, kind: Option<ArgumentKind>) -> Result<(), String> {
    match shape {
        Shape::Scalar(1 | 2 | 4 | 8) => Ok(()),
        Shape::OtherPointer if kind.is_some() => Ok(()),
        Shape::StructPointer { name, .. } if KERNEL_STRUCTS.contains(&name.as_str()) => {
            Err(format!("is '{spelled}', a struct that the verifier would take for the kernel's"))
        }
        Shape::StructPointer { defined: true, .. } => Ok(()),
        Shape::StructPointer { .. } => Err(format!("is '{spelled}', and {}", undefined(spelled))),
        Shape::Float => Err(format!("is '{spelled}', a floating-point number")),
        Shape::Aggregate => Err(format!("is '{spelled}' by value")),
        Shape::OtherPointer => Err(format!(
            "is '{spelled}', a pointer to neither struct nor union; the verifier cannot know what such a pointer leads to, unless a policy says that it is a string or a buffer"
        )),
        Shape::Scalar(_) | Shape::Void | Shape::Other(_) => {
            Err(format!("is '{spelled}', which a kfunc cannot take"))
        }
    }
}

/// Complains of the pointer type that C spells `spelled`.
fn undefined(spelled: &str) -> String {
    format!(
        "the layout of '{}' is not in the debug information; it is declared only, or defined in several ways: build the file that defines it with -g",
        pointee(spelled)
    )
}

/// The struct that the type at `die`, a pointer, leads to, as C spells it.
pub(super) fn object_name(debug: &DebugInfo<'_>, die: Option<DieRef>) -> Result<String> {
    Ok(pointee(&debug.c_name(die)?).to_owned())
}

/// What the pointer type that C spells `spelled` points to, without qualifiers; a typedef that
/// hides the pointer stays what it is.
fn pointee(spelled: &str) -> &str {
    let mut name = match spelled.find(" *").or_else(|| spelled.find(" &")) {
        Some(end) => &spelled[..end],
        None => spelled,
    };
    for qualifier in ["const ", "volatile ", "_Atomic ", "const "] {
        name = name.strip_prefix(qualifier).unwrap_or(name);
    }
    name
}

/// The struct whose object a function with these parameters releases.
fn released(params: &[(String, Shape)]) -> Result<String, String> {
    let mut structs = params.iter().filter_map(|(_, shape)| match shape {
        Shape::StructPointer { name, .. } => Some(name),
        _ => None,
    });
    match (structs.next(), structs.next()) {
        (Some(object), None) => Ok(object.clone()),
        (None, _) => {
            Err("it is to release an object but has no argument that points to a struct".to_owned())
        }
        // The kernel would release whichever argument is an acquired object.
        (Some(_), Some(_)) => Err("it is to release an object but has several arguments that point to structs, so the verifier could not tell which one it releases".to_owned()),
    }
}

/// A parameter's name without what the verifier reads into names: a suffix such as `__ign` or
/// `__nullable` would lift its checks.
fn param_name(name: &str, index: usize) -> String {
    let mut name = btf_name(name.into()).into_owned();
    while name.contains("__") {
        name = name.replace("__", "_");
    }
    if param::RESULT_SIZES.contains(&name.as_str()) {
        name.push('_');
    }
    if name.is_empty() { unnamed(index) } else { name }
}

/// What a parameter is called in policies: as in the declaration.
pub(super) fn declaration_name(name: &str, index: usize) -> String {
    match btf_name(name.into()).into_owned() {
        name if name.is_empty() => unnamed(index),
        name => name,
    }
}

/// The name of the parameter at `index`, which has none.
fn unnamed(index: usize) -> String {
    format!("arg{index}")
}

/// The function as C declares it.
pub(crate) fn declaration(debug: &DebugInfo<'_>, function: &Function<'_>) -> Result<String> {
    let mut params = Vec::new();
    for param in &function.params {
        params.push(with_name(debug.c_name(param.ty)?, &btf_name(param.name.clone())));
    }
    if function.parameters_end == ParametersEnd::Variadic {
        params.push("...".to_owned());
    }
    if params.is_empty() {
        params.push("void".to_owned());
    }
    let name = btf_name(function.symbol().into());
    Ok(format!("{}({})", with_name(debug.c_name(function.return_type)?, &name), params.join(", ")))
}

fn with_name(ty: String, name: &str) -> String {
    match name {
        "" => ty,
        name if ty.ends_with(['*', '&']) => format!("{ty}{name}"),
        name => format!("{ty} {name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameter_names_lose_what_the_verifier_reads_into_them() {
        assert_eq!(param_name("flags__ign", 0), "flags_ign");
        assert_eq!(param_name("a____b", 0), "a_b");
        assert_eq!(param_name("x__", 0), "x_");
        assert_eq!(param_name("", 3), "arg3");
        assert_eq!(param_name("size", 0), "size");
        assert_eq!(param_name("rdonly_buf_size", 0), "rdonly_buf_size_");
    }

    #[test]
    fn objects_are_called_as_in_c() {
        for (spelled, expected) in [
            ("struct data *", "struct data"),
            ("const struct data *", "struct data"),
            ("strbuf_t *", "strbuf_t"),
            ("volatile const union u * const", "union u"),
            ("class pool &", "class pool"),
            ("data_p", "data_p"),
        ] {
            assert_eq!(pointee(spelled), expected);
        }
    }

    #[test]
    fn a_release_needs_one_struct_to_release() {
        let object = |name: &str| {
            ("p".to_owned(), Shape::StructPointer { name: name.to_owned(), defined: true })
        };
        assert!(released(&[]).is_err());
        assert!(released(&[("n".to_owned(), Shape::Scalar(4))]).is_err());
        assert!(released(&[object("pool"), object("item")]).is_err());
        assert_eq!(
            released(&[("n".to_owned(), Shape::Scalar(4)), object("item")]),
            Ok("item".into())
        );
    }
}
