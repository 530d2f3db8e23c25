// SPDX-License-Identifier: MIT OR Apache-2.0
//! The messages, and what to say about each.

use super::Say::{Always, Depending};
use super::{
    Case, Entry, LICENSE, MEMBERS_SHOWN, NULL_ARGUMENT, OVERREAD, UNDECLARED, UNRELEASED,
    UNRESOLVED, unresolved,
};
use ufunc_gen::metadata::ArgumentKind;

use crate::layout::{Layout, Place};
use crate::missing::Missing;
use crate::modules;
use crate::probe::is_user_probe;
use crate::report::{Stage, list};

/// The messages of kernels 6.11 to 7.2. The first entry that matches is taken.
pub(super) const TABLE: &[Entry] = &[
    Entry {
        pattern: UNRELEASED,
        stage: Stage::Verification,
        say: Depending(|case, _| {
            let object = match case.acquired_by {
                Some(acquire) => format!("what {acquire} returned"),
                None => "what it acquired".into(),
            };
            (
                format!("after this the program can end with {object} unreleased"),
                match case.releases(case.acquired_by).as_slice() {
                    [] => "release it on every path".into(),
                    releases => {
                        format!("release it with {} on every path", list(releases, "or"))
                    }
                },
            )
        }),
    },
    Entry {
        pattern: NULL_ARGUMENT,
        stage: Stage::Verification,
        say: Depending(|case, _| {
            let callee = case.callee.unwrap_or("the function");
            if case.passes_null {
                return (
                    format!("{callee} takes no NULL here, and is given NULL"),
                    match case.acquires(case.callee).as_slice() {
                        [] => "pass a valid pointer, or leave the call out".into(),
                        acquires => format!(
                            "pass what {} returned, or leave the call out",
                            list(acquires, "or")
                        ),
                    },
                );
            }
            let object = match case.acquires(case.callee).as_slice() {
                [] => "this pointer".into(),
                acquires => format!("what {} returned", list(acquires, "or")),
            };
            (
                format!("{object} may be NULL, and {callee} takes no NULL"),
                format!("compare it with NULL before the call of {callee}, and return if it is"),
            )
        }),
    },
    Entry {
        pattern: "R* invalid mem access '*_or_null*'",
        stage: Stage::Verification,
        say: Always("this pointer may be NULL", "compare it with NULL before reading through it"),
    },
    Entry {
        pattern: "R* invalid mem access 'scalar'",
        stage: Stage::Verification,
        say: Depending(|case, _| match case.released_by {
            Some(release) => (
                format!(
                    "this is no pointer any more: {release} may have released the object before"
                ),
                "read the object before it is released".into(),
            ),
            None => (
                "to the verifier this is a number, not a pointer that may be read".into(),
                "read memory of the application with bpf_probe_read_user or BPF_CORE_READ_USER"
                    .into(),
            ),
        }),
    },
    Entry {
        pattern: "only read is supported",
        stage: Stage::Verification,
        say: Always(
            "objects of the application may be read through this pointer, not written",
            "have the application's owner grant the field ([[write]] in the policy), or lend a function that sets it",
        ),
    },
    Entry {
        pattern: "release k* expects ref*",
        stage: Stage::Verification,
        say: Depending(|case, _| {
            let release = case.callee.unwrap_or("this function");
            (
                format!(
                    "{release} takes only an object that is still to be released; this is none, or no longer one"
                ),
                match case.acquires(case.callee).as_slice() {
                    [] => "release each acquired object once, and nothing else".into(),
                    acquires => {
                        format!("pass what {} returned, once on every path", list(acquires, "or"))
                    }
                },
            )
        }),
    },
    Entry {
        pattern: "* expected pointer to * but R* has a pointer to *",
        stage: Stage::Verification,
        say: Depending(|case, matched| {
            let callee = case.callee.unwrap_or("the function");
            let [_, expected, _, given] = matched else { return unknown() };
            (
                format!("{callee} takes a {}, this is a {}", c_type(expected), c_type(given)),
                match case.acquires(case.callee).as_slice() {
                    [] => format!("pass a {}", c_type(expected)),
                    acquires => format!("{callee} releases what {} returned", list(acquires, "or")),
                },
            )
        }),
    },
    Entry {
        pattern: "* pointer type * must point to *scalar, or struct with scalar*",
        stage: Stage::Verification,
        say: Depending(|case, matched| {
            let callee = case.callee.unwrap_or("the function");
            let wanted = matched.get(1).map(|name| c_type(name)).unwrap_or_default();
            (
                format!("{callee} takes a {wanted} that the verifier can vouch for; this is a plain number or an object already released"),
                match case.acquires(case.callee).as_slice() {
                    [] => "a probe's argument is no such pointer: read it with bpf_probe_read_user or BPF_CORE_READ_USER, or borrow the object, if the application's owner grants that ([[borrow]] in the policy)".into(),
                    acquires => format!("pass what {} returned, before it is released; a probe's argument is only a number", list(acquires, "or")),
                },
            )
        }),
    },
    Entry {
        pattern: "* is not a scalar",
        stage: Stage::Verification,
        say: Depending(|case, _| {
            let callee = case.callee.unwrap_or("the function");
            (
                format!("{callee} takes a number here, this is a pointer that the verifier keeps track of"),
                "pass a number; what borrows takes an address that the probed function was given, not an object that the program has already".into(),
            )
        }),
    },
    Entry {
        pattern: "R* must be referenced*",
        stage: Stage::Verification,
        say: Depending(|case, _| {
            let callee = case.callee.unwrap_or("the function");
            (
                format!(
                    "{callee} takes only objects that a ufunc returned, not pointers found in them"
                ),
                match case.acquires(case.callee).as_slice() {
                    [] => "pass what a ufunc returned".into(),
                    acquires => format!("pass what {} returned", list(acquires, "or")),
                },
            )
        }),
    },
    Entry {
        pattern: "R* must be a rcu pointer",
        stage: Stage::Verification,
        say: Depending(|case, _| {
            let callee = case.callee.unwrap_or("the function");
            (
                format!("{callee} takes only objects that cannot go away meanwhile, not pointers found in others"),
                "read the pointer between bpf_rcu_read_lock and bpf_rcu_read_unlock, and compare it with NULL".into(),
            )
        }),
    },
    Entry {
        pattern: OVERREAD,
        stage: Stage::Verification,
        say: Depending(|case, matched| {
            let [name, offset, size] = matched else { return unknown() };
            let what = format!("{} at offset {offset}", bytes(size));
            match (case.layout, offset.parse().ok()) {
                (Some(layout), Some(offset)) => beyond(name, offset, &what, layout),
                _ => (
                    format!("reads {what}, which is not within struct {name}"),
                    "stay within the struct; an array in it ends at its declared length".into(),
                ),
            }
        }),
    },
    Entry {
        pattern: "cannot access ptr member * with moff * in struct * with off * size *",
        stage: Stage::Verification,
        say: Depending(|_, matched| {
            let [member, begin, name, offset, size] = matched else { return unknown() };
            (
                format!(
                    "reads {} at offset {offset} of struct {name}, where its pointer {member} is ({begin})",
                    bytes(size)
                ),
                "read the pointer as a whole, or stay within the member that was meant".into(),
            )
        }),
    },
    Entry {
        pattern: "access beyond the end of member * (mend:*) in struct * with off * size *",
        stage: Stage::Verification,
        say: Depending(|_, matched| {
            let [member, end, name, offset, size] = matched else { return unknown() };
            (
                format!(
                    "reads {} at offset {offset} of struct {name}, but its member {member} ends at {end}",
                    bytes(size)
                ),
                "stay within the member; an array ends at its declared length".into(),
            )
        }),
    },
    Entry {
        pattern: "*invalid variable offset*",
        stage: Stage::Verification,
        say: Always(
            "an object of the application is read at an offset that is known only at run time",
            "use a constant index, copy the array with bpf_probe_read_kernel first, or have the application's owner grant its elements ([[read]] in the policy)",
        ),
    },
    Entry {
        pattern: "calling kernel function * is not allowed",
        stage: Stage::Kfunc,
        say: Depending(|case, matched| {
            let name = matched.first().copied().unwrap_or_default();
            let kind = case.section.split('/').next().unwrap_or_default();
            match case.module.filter(|module| module.ufunc(name).is_some()) {
                Some(module) if is_user_probe(case.section) => (
                    format!(
                        "module {} declares {name}, but did not register it for programs on probes",
                        module.name
                    ),
                    "look into dmesg for why the module could not register its functions, and load it again".into(),
                ),
                Some(_) => (
                    format!("{name} is for programs on probes of the application; this one is in SEC(\"{kind}\")"),
                    "call it in a program in SEC(\"uprobe/…\")".into(),
                ),
                None => (
                    format!("the kernel has {name}, but not for programs in SEC(\"{kind}\")"),
                    "call it in a program of a type that it is for: each kfunc is for some only".into(),
                ),
            }
        }),
    },
    Entry {
        pattern: UNDECLARED,
        stage: Stage::Kfunc,
        say: Depending(|case, matched| {
            let name = matched.first().copied().unwrap_or_default();
            match case.without_types {
                Some(module) => (
                    format!(
                        "module {module} has {name}, but the kernel knows no types of that module"
                    ),
                    modules::WITHOUT_TYPES.into(),
                ),
                None => (
                    format!("{name} is __weak and declared by no loaded module"),
                    format!("load its module, or call it only within if (bpf_ksym_exists({name}))"),
                ),
            }
        }),
    },
    Entry {
        pattern: UNRESOLVED,
        stage: Stage::Relocation,
        say: Depending(|case, _| {
            let Some(what) = unresolved(case.reason) else { return unknown() };
            let app = case.app;
            let neither = format!("neither the kernel nor a loaded module has {what}");
            match case.missing {
                Some(Missing::Member { owner, name, others }) => (
                    format!("{owner} has no member '{name}' in {app}{}", instead(others)),
                    "name a member that this application has; guard what may be missing with bpf_core_field_exists".into(),
                ),
                Some(Missing::Value { owner, name, others }) => (
                    format!("{owner} has no value {name} in {app}{}", instead(others)),
                    "name a value that this application has; guard what may be missing with bpf_core_enum_value_exists".into(),
                ),
                Some(Missing::Type { name, nearest }) => (
                    format!("{name} is not defined in {app}{}, and {neither}", like(nearest)),
                    "the type must exist, by that name, in the application that this program is for; guard what may be missing with bpf_core_type_exists".into(),
                ),
                Some(Missing::Kind) => (
                    format!("{app} has {what}, but not of the kind that the program declares"),
                    "declare it as the application does".into(),
                ),
                Some(Missing::Unknown(error)) => (
                    format!("{neither}, and the types of {app} are not known"),
                    error.clone(),
                ),
                None => (
                    neither,
                    "the type or member must exist, by that name, in the kernel that this program is for; guard what may be missing with bpf_core_field_exists".into(),
                ),
            }
        }),
    },
    Entry {
        pattern: "*memory, len pair leads to invalid memory access",
        stage: Stage::Verification,
        say: Depending(|case, _| {
            no_buffer(case).unwrap_or_else(|| {
                let callee = case.callee.unwrap_or("the function");
                (
                    format!("{callee} is given a length that goes beyond the memory it is given"),
                    "pass the size of the buffer, sizeof(buffer)".into(),
                )
            })
        }),
    },
    Entry {
        pattern: "*doesn't point to a const string",
        stage: Stage::Verification,
        say: Depending(no_constant_string),
    },
    Entry {
        pattern: "R* does not point to a readonly map*",
        stage: Stage::Verification,
        say: Depending(no_constant_string),
    },
    Entry {
        pattern: "R* must be a known constant",
        stage: Stage::Verification,
        say: Depending(|case, _| {
            let callee = case.callee.unwrap_or("the function");
            let argument = match case.argument(ArgumentKind::Constant) {
                Some(name) => format!("for {name}"),
                None => "here".into(),
            };
            (
                format!(
                    "{callee} takes a number {argument} that is known when the program is verified"
                ),
                "write the number itself, and call the function once for each that there may be"
                    .into(),
            )
        }),
    },
    Entry {
        pattern: "invalid variable-offset *",
        stage: Stage::Verification,
        say: Always(
            "the stack is accessed at an index that is not known to be within the variable",
            "compare the index with the number of elements just before the access",
        ),
    },
    Entry {
        pattern: "invalid *from stack*",
        stage: Stage::Verification,
        say: Depending(|case, _| {
            let meaning = "reads the stack where nothing was written, or outside of it";
            let help = "initialise the whole variable, and stay within its size";
            no_buffer(case).unwrap_or_else(|| (meaning.into(), help.into()))
        }),
    },
    Entry {
        pattern: "invalid *to stack*",
        stage: Stage::Verification,
        say: Depending(|case, _| {
            let meaning = "writes outside of the stack";
            let help = "stay within the variable's size (the stack has 512 bytes)";
            no_buffer(case).unwrap_or_else(|| (meaning.into(), help.into()))
        }),
    },
    Entry {
        pattern: "write into map forbidden, *",
        stage: Stage::Verification,
        say: Always(
            "this memory may only be read: it is a constant, or a map that is read-only to programs",
            "write to a variable that is not const, or to a map without BPF_F_RDONLY_PROG",
        ),
    },
    Entry {
        pattern: "invalid access to map value, value_size=* off=* size=*",
        stage: Stage::Verification,
        say: Depending(|_, matched| {
            let [value, offset, size] = matched else { return unknown() };
            (
                format!(
                    "{size} byte(s) at offset {offset} are not within the map's value of {value} bytes"
                ),
                "bound the index with a comparison just before the access".into(),
            )
        }),
    },
    Entry {
        pattern: "R* unbounded memory access, use 'var &= const' or 'if (var < const)'",
        stage: Stage::Verification,
        say: Always(
            "nothing bounds this length from above",
            "compare the length with the size of the buffer just before the call, or cut it with length &= SIZE - 1",
        ),
    },
    Entry {
        pattern: "R* unbounded memory access*",
        stage: Stage::Verification,
        say: Always(
            "nothing bounds the index of this access",
            "compare the index with the size just before the access",
        ),
    },
    Entry {
        pattern: "R* !read_ok",
        stage: Stage::Verification,
        say: Always(
            "a value is used here that nothing has set",
            "initialise the variable on every path; a program must return a value",
        ),
    },
    Entry {
        pattern: LICENSE,
        stage: Stage::Verification,
        say: Depending(|case, _| {
            (
                format!(
                    "{} is for programs under the GPL only",
                    case.callee.unwrap_or("this function")
                ),
                "say char LICENSE[] SEC(\"license\") = \"GPL\"; (or \"Dual BSD/GPL\")".into(),
            )
        }),
    },
    Entry {
        pattern: "program of this type cannot use helper *",
        stage: Stage::Verification,
        say: Depending(|_, matched| {
            let helper =
                matched.first().and_then(|text| text.split('#').next()).unwrap_or_default();
            (
                format!("programs of this type may not call {helper}"),
                "check the SEC() of the program: each helper is for some program types only".into(),
            )
        }),
    },
    Entry {
        pattern: "infinite loop detected at insn *",
        stage: Stage::Verification,
        say: Always("this loop may never end", "give it a bound, or use bpf_loop or bpf_for"),
    },
    Entry {
        pattern: "BPF program is too large. Processed * insn",
        stage: Stage::Verification,
        say: Depending(|_, matched| {
            let count = matched.first().copied().unwrap_or_default();
            (
                format!("the verifier gave up after {count} instructions on all paths"),
                "bound loops more tightly, use bpf_loop, or move code into global functions".into(),
            )
        }),
    },
    Entry {
        pattern: "R* min value is negative, either use unsigned index or do a if (index >=0) check.",
        stage: Stage::Verification,
        say: Always(
            "this index may be negative",
            "make it unsigned, or compare it with 0 just before the access",
        ),
    },
    Entry {
        pattern: "R* min value is negative, either use unsigned or 'var &= const'",
        stage: Stage::Verification,
        say: Always(
            "this length may be negative",
            "make it unsigned, or compare it with 0 just before the call",
        ),
    },
    Entry {
        pattern: "R* invalid zero-sized read*",
        stage: Stage::Verification,
        say: Always(
            "this length may be 0, which the function does not take",
            "compare it with 0 just before the call",
        ),
    },
    Entry {
        pattern: "math between * pointer and *",
        stage: Stage::Verification,
        say: Always(
            "nothing bounds the number that is added to this pointer",
            "make the index unsigned, and compare it with the number of elements just before it is used",
        ),
    },
    Entry {
        pattern: "value * makes * pointer be out of bounds",
        stage: Stage::Verification,
        say: Always(
            "the number that is added to this pointer leads far outside of what it points to",
            "make the index unsigned, and compare it with the number of elements just before it is used",
        ),
    },
    Entry {
        pattern: "* pointer offset * is not allowed",
        stage: Stage::Verification,
        say: Always(
            "this pointer is moved far outside of what it points to",
            "stay within the memory that it points to",
        ),
    },
    Entry {
        pattern: "R* pointer arithmetic on *_or_null prohibited, null-check it first",
        stage: Stage::Verification,
        say: Always("this pointer may be NULL", "compare it with NULL before computing with it"),
    },
    Entry {
        pattern: "R* pointer arithmetic * prohibited",
        stage: Stage::Verification,
        say: Always(
            "pointers may only be moved by adding and subtracting numbers",
            "compute with numbers, and read memory through pointers that were only moved",
        ),
    },
    Entry {
        pattern: "R* bitwise operator * on pointer*",
        stage: Stage::Verification,
        say: Always(
            "pointers may only be moved by adding and subtracting numbers",
            "compute with numbers, and read memory through pointers that were only moved",
        ),
    },
    Entry {
        pattern: "R* pointer * pointer prohibited",
        stage: Stage::Verification,
        say: Always(
            "pointers may only be moved by adding and subtracting numbers",
            "compute with numbers, and read memory through pointers that were only moved",
        ),
    },
    Entry {
        pattern: "R* 32-bit pointer arithmetic prohibited",
        stage: Stage::Verification,
        say: Always(
            "a pointer is used as a number of 32 bits",
            "keep pointers in variables of 64 bits",
        ),
    },
    Entry {
        pattern: "R* type=*_or_null expected=*",
        stage: Stage::Verification,
        say: Depending(|case, _| {
            let callee = case.callee.unwrap_or("the function");
            (
                format!("this pointer may be NULL, and {callee} takes no NULL"),
                format!("compare it with NULL before the call of {callee}, and return if it is"),
            )
        }),
    },
    Entry {
        pattern: "R* type=scalar expected=*",
        stage: Stage::Verification,
        say: Depending(|case, _| {
            let callee = case.callee.unwrap_or("the function");
            (
                format!("{callee} takes a pointer to memory of the program here; to the verifier this is a number"),
                "pass a variable's address; memory of the application is copied first, with bpf_probe_read_user".into(),
            )
        }),
    },
    Entry {
        pattern: "R* type=* expected=*",
        stage: Stage::Verification,
        say: Depending(|case, matched| {
            let callee = case.callee.unwrap_or("the function");
            let [_, given, expected] = matched else { return unknown() };
            (
                format!("{callee} does not take what this points to ({given})"),
                format!("pass a pointer to one of these: {expected}"),
            )
        }),
    },
    Entry {
        pattern: "*R* is * expected *",
        stage: Stage::Verification,
        say: Depending(|case, matched| {
            let callee = case.callee.unwrap_or("the function");
            let [_, _, given, expected] = matched else { return unknown() };
            let expected = c_type(expected.split(" or ").next().unwrap_or_default());
            let given = if *given == "fp" { "memory of the program itself" } else { given };
            (
                format!("{callee} takes a {expected}, this is {given}"),
                match case.acquires(case.callee).as_slice() {
                    [] => "pass what a ufunc returned".into(),
                    acquires => format!("pass what {} returned", list(acquires, "or")),
                },
            )
        }),
    },
    Entry {
        pattern: "R* must have zero offset when passed to release func*",
        stage: Stage::Verification,
        say: Always(
            "a release function takes the object itself, not a pointer into it",
            "pass the pointer as it was returned",
        ),
    },
    Entry {
        pattern: "invalid func unknown#*",
        stage: Stage::Verification,
        say: Depending(|_, matched| unknown_helper(matched)),
    },
    Entry {
        pattern: "helper call is not allowed in probe",
        stage: Stage::Verification,
        say: Always(
            "this helper is not for programs on probes",
            "use another helper: bpf_probe_read_user reads the application's memory",
        ),
    },
    Entry {
        pattern: "helper call might sleep in a non-sleepable prog",
        stage: Stage::Verification,
        say: Depending(|case, _| sleeps(case.callee)),
    },
    Entry {
        pattern: "program must be sleepable to call sleepable kfunc *",
        stage: Stage::Verification,
        say: Depending(|_, matched| sleeps(matched.first().copied())),
    },
    Entry {
        pattern: "invalid bpf_context access off=* size=*",
        stage: Stage::Verification,
        say: Always(
            "the program's context has nothing that may be accessed so at this offset",
            "read the arguments with BPF_UPROBE or PT_REGS_PARM1(ctx); a probe may not write to its context",
        ),
    },
    Entry {
        pattern: "dereference of modified * ptr R* off=* disallowed",
        stage: Stage::Verification,
        say: Always(
            "this pointer may only be used as it was given, not moved",
            "read through the pointer itself, by a member or a constant offset",
        ),
    },
    Entry {
        pattern: "cannot pass map_type * into func *",
        stage: Stage::Verification,
        say: Depending(|_, matched| {
            let [_, callee] = matched else { return unknown() };
            let callee = callee.split('#').next().unwrap_or_default();
            (
                format!("{callee} is not for maps of this type"),
                "pass a map of the type that it is for, or change the map's __uint(type, …)".into(),
            )
        }),
    },
    Entry {
        pattern: "R* cannot write into *",
        stage: Stage::Verification,
        say: Always(
            "this memory may only be read",
            "write to a variable that is not const, or to a copy on the stack",
        ),
    },
    Entry {
        pattern: "tracing progs cannot use bpf_spin_lock yet",
        stage: Stage::Verification,
        say: Always(
            "programs on probes may not use a map with a bpf_spin_lock: they could interrupt whoever holds it",
            "use atomic operations (__sync_fetch_and_add), a per-CPU map, or bpf_res_spin_lock on kernels that have it",
        ),
    },
    Entry {
        pattern: "*cannot be used inside bpf_*lock*-ed region",
        stage: Stage::Verification,
        say: Always(
            "here the lock is still held",
            "call bpf_spin_unlock on every path before this",
        ),
    },
    Entry {
        pattern: "bpf_spin_unlock is missing",
        stage: Stage::Verification,
        say: Always(
            "here the lock is still held",
            "call bpf_spin_unlock on every path before this",
        ),
    },
    Entry {
        pattern: "function calls are not allowed while holding a lock",
        stage: Stage::Verification,
        say: Always(
            "nothing may be called while the lock is held",
            "call it before bpf_spin_lock or after bpf_spin_unlock",
        ),
    },
    Entry {
        pattern: "arg * is an unacquired reference",
        stage: Stage::Verification,
        say: Always(
            "this dynptr was never initialised, or is released already",
            "reserve it first, with bpf_ringbuf_reserve_dynptr; submit or discard it once",
        ),
    },
    Entry {
        pattern: "*xpected an initialized dynptr as *",
        stage: Stage::Verification,
        say: Always(
            "this dynptr was never initialised, or is released already",
            "initialise it first, as with bpf_dynptr_from_mem",
        ),
    },
    Entry {
        pattern: "expected an initialized iter_* as *",
        stage: Stage::Verification,
        say: Always(
            "this iterator was never initialised, or is destroyed already",
            "call its …_new first, and its …_destroy once on every path; bpf_for does both",
        ),
    },
    Entry {
        pattern: "expected uninitialized iter_* as *",
        stage: Stage::Verification,
        say: Always("this iterator is initialised already", "destroy it before it is used again"),
    },
    Entry {
        pattern: "At program exit the register R0 * should have been in *",
        stage: Stage::Verification,
        say: Depending(|_, matched| {
            let range = matched.last().copied().unwrap_or_default();
            (
                format!("the program may return something outside of {range}"),
                format!("return a constant within {range} on every path"),
            )
        }),
    },
    Entry {
        pattern: "combined stack size of * calls is *. Too large",
        stage: Stage::Verification,
        say: Always(
            "the stacks of functions that call each other are more than 512 bytes together",
            "move large variables into a per-CPU map",
        ),
    },
    Entry {
        pattern: "the call stack of * frames is too deep*",
        stage: Stage::Verification,
        say: Always(
            "functions call each other more than 8 deep",
            "put functions into one another with __always_inline",
        ),
    },
    Entry {
        pattern: "misaligned * access off *",
        stage: Stage::Verification,
        say: Always(
            "the access is not at a multiple of its size",
            "align the struct, or copy it with __builtin_memcpy",
        ),
    },
    Entry {
        pattern: "same insn cannot be used with different pointers",
        stage: Stage::Verification,
        say: Always(
            "the same instruction reads through pointers of different kinds, depending on the path",
            "read separately on each path; hide the common code with asm volatile or a __noinline function",
        ),
    },
    Entry {
        pattern: "unreachable insn *",
        stage: Stage::Verification,
        say: Always(
            "no path leads to this instruction",
            "the compiler kept code that is never reached, often after a loop without end or __builtin_unreachable(): leave that out",
        ),
    },
    Entry {
        pattern: "last insn is not an exit or jmp",
        stage: Stage::Verification,
        say: Always(
            "the program runs on past its end",
            "return on every path; the compiler drops the return after __builtin_unreachable() and what is undefined in C",
        ),
    },
    Entry {
        pattern: "jump out of range from insn * to *",
        stage: Stage::Verification,
        say: Always(
            "jumps to outside of the program",
            "compile the object afresh, and check its hand-written assembly",
        ),
    },
    Entry {
        pattern: "The sequence of * jumps is too complex*",
        stage: Stage::Verification,
        say: Depending(|_, matched| {
            let count = matched.first().copied().unwrap_or_default();
            (
                format!("the verifier gave up with {count} branches still to look at"),
                "have fewer branches that depend on each other: split the work into global functions, or use a table".into(),
            )
        }),
    },
];

/// What is wrong with the bytes that the program passes, if the function is said to take some.
fn no_buffer(case: &Case<'_>) -> Option<(String, String)> {
    let callee = case.callee?;
    let buffer = case.argument(ArgumentKind::Buffer)?;
    let size = case.argument(ArgumentKind::Size)?;
    Some((
        format!(
            "{callee} takes {size} bytes at {buffer}: so many are not there, or not initialised"
        ),
        "pass the size of the buffer, sizeof(buffer), which is initialised".into(),
    ))
}

/// What a function wants for a string.
fn no_constant_string(case: &Case<'_>, _: &[&str]) -> (String, String) {
    let callee = case.callee.unwrap_or("the function");
    let argument = match case.argument(ArgumentKind::String) {
        Some(name) => format!("for {name}"),
        None => "here".into(),
    };
    (
        format!(
            "{callee} takes a string {argument} that ends with a NUL and that nothing can change"
        ),
        "pass a literal, or a global variable that is const".into(),
    )
}

/// For an entry whose pattern matched and whose parts are not as expected: say nothing.
fn unknown() -> (String, String) {
    (String::new(), String::new())
}

/// `1 byte`, `4 bytes`.
fn bytes(count: &str) -> String {
    format!("{count} byte{}", if count == "1" { "" } else { "s" })
}

/// What was meant by an access at `offset`, in words `what`, of `struct name`.
fn beyond(name: &str, offset: u64, what: &str, layout: &Layout) -> (String, String) {
    let size = bytes(&layout.size.to_string());
    let begin = format!("reads {what} of struct {name}, which has {size}");
    match &layout.member {
        Some(Place { path, element: Some((index, count)), .. }) => (
            format!("{begin}: that would be {path}[{index}], and {path} has {count} elements"),
            format!("keep the index of {path} below {count}"),
        ),
        Some(Place { path, end, .. }) if offset >= *end => (
            format!("{begin} and ends with {path}"),
            format!("stay within the struct: {path} is its last member, and ends at offset {end}"),
        ),
        Some(Place { path, .. }) => (
            format!("{begin}: it begins in {path} and goes beyond the end"),
            format!("read {path} with its own size"),
        ),
        None => (begin, "stay within the struct".into()),
    }
}

fn unknown_helper(matched: &[&str]) -> (String, String) {
    let name = matched.first().copied().unwrap_or_default();
    (
        format!("this kernel has no helper {name}"),
        "use a helper that it has: bpftool feature probe lists them".into(),
    )
}

fn sleeps(callee: Option<&str>) -> (String, String) {
    let callee = callee.unwrap_or("this function");
    (
        format!("{callee} may sleep, and this program may not"),
        "make it sleepable: SEC(\"uprobe.s/…\")".into(),
    )
}

/// ` (it has a, b)`, for those who look for what is not there.
fn instead(names: &[String]) -> String {
    let shown = names[..names.len().min(MEMBERS_SHOWN)].join(", ");
    match names.len().saturating_sub(MEMBERS_SHOWN) {
        _ if names.is_empty() => String::new(),
        0 => format!(" (it has {shown})"),
        more => format!(" (it has {shown} and {more} more)"),
    }
}

/// ` (but struct data is)`, for those who may have mistyped a name.
fn like(names: &[String]) -> String {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    match names.as_slice() {
        [] => String::new(),
        [name] => format!(" (but {name} is)"),
        names => format!(" (but {} are)", list(names, "and")),
    }
}

/// `STRUCT data`, as the verifier says it, as in C.
fn c_type(name: &str) -> String {
    let name = name.trim();
    // What the module calls views, and objects that are none.
    for (suffix, kind) in [("__borrowed", "borrowed"), ("__owned", "owned")] {
        if let Some(name) = name.strip_suffix(suffix).filter(|name| !name.ends_with('_')) {
            return format!("{kind} {}", c_type(name));
        }
    }
    match name.split_once(' ') {
        Some(("STRUCT", tag)) => format!("struct {tag} *"),
        Some(("UNION", tag)) => format!("union {tag} *"),
        _ => name.to_owned(),
    }
}
