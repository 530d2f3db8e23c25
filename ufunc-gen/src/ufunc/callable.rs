// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which ufuncs an extension can call at all.
//!
//! What a ufunc takes as a struct must come from another ufunc: the verifier refuses NULL and
//! pointers that it does not vouch for. So `pool *make_pool(size_t, log *)` is of no use unless
//! something lent returns a `log`, and can be called itself.

use anyhow::Result;

use super::objects::{Object, Objects};
use super::signature::object_name;
use super::{Ufunc, describe};
use crate::dwarf::DebugInfo;
use crate::dwarf::functions::Function;
use crate::metadata::{ArgumentKind, Role};

/// The objects that a call takes and gives.
#[derive(Debug, Default)]
pub(super) struct Call<'c> {
    needs: Vec<Need<'c>>,
    gives: Option<(Object, &'c str)>,
}

/// An object that a call takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Need<'c> {
    /// Place among the parameters.
    param: usize,
    object: Object,
    /// The one whose objects alone will do: what a release function ends is its own family's.
    family: Option<&'c str>,
}

impl<'c> Call<'c> {
    /// A call of `function`, which has this role in `family`.
    pub(super) fn new(
        objects: &Objects,
        function: &Function<'_>,
        role: Role,
        family: &'c str,
    ) -> Self {
        let own = (role == Role::Release).then_some(family);
        let params = function.params.iter().enumerate();
        let needs = params.filter_map(|(param, parameter)| {
            let object = objects.pointee(parameter.ty)?;
            Some(Need { param, object, family: own })
        });
        let gives = match role {
            Role::Release => None,
            // What a plain one returns can be passed on, to newer kernels at least.
            Role::Plain => objects.pointee(function.return_type).map(|object| (object, "")),
            Role::Acquire => objects.pointee(function.return_type).map(|object| (object, family)),
        };
        Call { needs: needs.collect(), gives }
    }

    fn gives(&self, need: &Need<'_>, fits: impl Fn(Object, Object) -> bool) -> bool {
        self.gives.is_some_and(|(given, family)| {
            need.family.is_none_or(|own| own == family) && fits(given, need.object)
        })
    }
}

/// What each of `calls` lacks: an object that it takes and that no call which can be made gives.
/// `fits` says whether one struct will do for another.
pub(super) fn lacks<'c>(
    calls: &[Call<'c>],
    fits: impl Fn(Object, Object) -> bool,
) -> Vec<Option<Need<'c>>> {
    let mut lacks: Vec<_> = calls.iter().map(|call| call.needs.first().copied()).collect();
    // Each round makes at least one more call possible.
    loop {
        let given = |need: &&Need<'_>| {
            let possible = calls.iter().zip(&lacks).filter(|(_, lack)| lack.is_none());
            possible.into_iter().any(|(call, _)| call.gives(need, &fits))
        };
        let next: Vec<_> =
            calls.iter().map(|call| call.needs.iter().find(|need| !given(need)).copied()).collect();
        if next == lacks {
            return lacks;
        }
        lacks = next;
    }
}

/// Why `function` cannot be called, which lacks `need` among `calls`.
pub(super) fn reason(
    debug: &DebugInfo<'_>,
    objects: &Objects,
    function: &Function<'_>,
    need: Need<'_>,
    calls: &[Call<'_>],
) -> Result<String> {
    let object = object_name(debug, function.params[need.param].ty)?;
    let given = calls.iter().any(|call| call.gives(&need, |a, b| objects.fits(a, b)));
    let family = match need.family {
        Some(family) => format!(" of family '{family}'"),
        None => String::new(),
    };
    let such = if given { " that can be called" } else { "" };
    let place = need.param + 1;
    Ok(format!("no ufunc{family}{such} returns the '{object}' that its argument {place} takes"))
}

/// Notes on those of `ufuncs` that no extension can call. Of the structs called `borrowed` extensions get
/// views, which do for all but to be released.
pub(super) fn notes<'a>(
    debug: &DebugInfo<'a>,
    ufuncs: &[Ufunc<'a>],
    borrowed: &[&str],
) -> Result<Vec<String>> {
    let objects = Objects::read(debug, ufuncs.iter().map(|ufunc| &ufunc.function))?;
    let mut calls = Vec::new();
    for Ufunc { function, role, family, signature, .. } in ufuncs {
        let family = family.as_deref().unwrap_or_default();
        let mut call = Call::new(&objects, function, *role, family);
        for need in std::mem::take(&mut call.needs) {
            // Who takes NULL, too, needs nothing.
            let kind = signature.arguments.get(need.param).and_then(|argument| argument.kind);
            let object = object_name(debug, function.params[need.param].ty)?;
            let name = object.rsplit(' ').next().unwrap_or_default();
            if kind != Some(ArgumentKind::Nullable)
                && (need.family.is_some() || !borrowed.contains(&name))
            {
                call.needs.push(need);
            }
        }
        calls.push(call);
    }
    let mut notes = Vec::new();
    for (ufunc, lack) in ufuncs.iter().zip(lacks(&calls, |a, b| objects.fits(a, b))) {
        let Some(need) = lack else { continue };
        let reason = reason(debug, &objects, &ufunc.function, need, &calls)?;
        notes.push(format!("{} cannot be called: {reason}", describe(&ufunc.function)));
    }
    Ok(notes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A call that takes and gives objects, which are numbers with families.
    fn call<'c>(needs: &[(u32, Option<&'c str>)], gives: Option<(u32, &'c str)>) -> Call<'c> {
        let need = |(param, &(object, family)): (usize, &(u32, Option<&'c str>))| Need {
            param,
            object: Object(object),
            family,
        };
        Call {
            needs: needs.iter().enumerate().map(need).collect(),
            gives: gives.map(|(object, family)| (Object(object), family)),
        }
    }

    /// Places of the parameters that are lacking.
    fn lacking(calls: &[Call<'_>]) -> Vec<Option<usize>> {
        lacks(calls, |a, b| a == b).into_iter().map(|need| Some(need?.param)).collect()
    }

    #[test]
    fn what_takes_nothing_can_be_called() {
        assert_eq!(lacking(&[call(&[], Some((1, "a"))), call(&[], None)]), [None, None]);
        assert_eq!(lacking(&[]), []);
    }

    #[test]
    fn ngx_create_pool_lacks_its_log() {
        let create = call(&[(7, None)], Some((1, "pool")));
        let destroy = call(&[(1, Some("pool"))], None);
        assert_eq!(lacking(&[destroy, create]), [Some(0), Some(0)]);
    }

    #[test]
    fn a_chain_of_calls_is_followed() {
        let calls = [
            call(&[(1, None), (2, None)], Some((3, "c"))),
            call(&[(1, None)], Some((2, "b"))),
            call(&[], Some((1, "a"))),
            call(&[(3, Some("c"))], None),
            call(&[(3, None), (4, None)], None),
        ];
        assert_eq!(lacking(&calls), [None, None, None, None, Some(1)]);
    }

    #[test]
    fn a_copy_needs_an_original() {
        let copy = call(&[(1, None)], Some((1, "a")));
        assert_eq!(lacking(&[copy]), [Some(0)]);
    }

    #[test]
    fn any_family_will_do_but_for_a_release() {
        let calls = [
            call(&[], Some((1, "heap"))),
            call(&[(1, None)], None),
            call(&[(1, Some("heap"))], None),
            call(&[(1, Some("pool"))], None),
        ];
        assert_eq!(lacking(&calls), [None, None, None, Some(0)]);
    }
}
