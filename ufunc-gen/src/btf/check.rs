// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the kernel refuses in BTF, found before the kernel does.
//!
//! A module whose types the kernel refuses cannot be loaded, and the kernel's log tells no more
//! than a type's number. These are the rules of `kernel/bpf/btf.c`; the function that has a rule
//! is named beside it. Some of them the kernel applies to BTF from programs only, and takes for
//! granted in a module's, which is no reason to break them: a type that contains itself would send
//! the verifier round in circles.

use anyhow::{Result, anyhow, ensure};

use super::{Composite, Linkage, Member, Type, TypeId};
use crate::ident::{is_identifier, is_section_name};

/// Most types in one BTF, `BTF_MAX_TYPE`.
const MAX_TYPES: usize = 0x000f_ffff;
/// How many types may lead on to each other before the kernel gives up, `MAX_RESOLVE_DEPTH`. Those
/// that it has seen before do not count.
const MAX_DEPTH: usize = 32;
/// Size in bytes of a pointer, where the kernels run that check modules.
pub const POINTER: u64 = 8;

/// Fails if the kernel would refuse `types`, the first of which has the id 1, and says which type
/// it is and why.
pub fn check<'t, 'a: 't>(types: impl IntoIterator<Item = &'t Type<'a>>) -> Result<()> {
    check_for(types, POINTER)
}

/// The same by the rules of a kernel with pointers of `pointer` bytes: a 32-bit application has such
/// as no other kernel would find room for.
pub fn check_for<'t, 'a: 't>(
    types: impl IntoIterator<Item = &'t Type<'a>>,
    pointer: u64,
) -> Result<()> {
    let types = Types { types: types.into_iter().collect(), pointer };
    // btf_add_type()
    ensure!(types.types.len() <= MAX_TYPES, "{} types are too many", types.types.len());
    for (index, ty) in types.types.iter().enumerate() {
        types.check_own(ty).map_err(|reason| types.refusal(index, reason))?;
    }
    let sizes = match types.sizes() {
        Ok(sizes) => sizes,
        Err(circles) => {
            let first = circles.first().map_or(0, |circle| circle.to);
            return Err(types.refusal(first, "it contains itself".to_owned()));
        }
    };
    if let Some(bad) = types.too_deep().first() {
        let reason = format!("it is the {MAX_DEPTH}th of types that lead on to each other");
        return Err(types.refusal(bad.index, reason));
    }
    for (index, ty) in types.types.iter().enumerate() {
        types.check_uses(ty, &sizes).map_err(|reason| types.refusal(index, reason))?;
    }
    Ok(())
}

/// The size in bytes of each of `types`, the first of which has the id 1; `None` for what has none,
/// and for all if one contains itself. Pointers have `pointer` bytes.
pub(crate) fn sizes(types: &[Type<'_>], pointer: u64) -> Vec<Option<u64>> {
    let types = Types { types: types.iter().collect(), pointer };
    types.sizes().map_or_else(|_| Vec::new(), |sizes| sizes.sizes)
}

/// Something that the kernel refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Bad {
    /// Place of the type.
    pub(super) index: usize,
    /// Place of the member, if the type could do without it.
    pub(super) member: Option<usize>,
}

/// Where the kernel would find `types` nested too deep, in order. Nothing else may be wrong with them.
pub(super) fn too_deep(types: &[Type<'_>]) -> Vec<Bad> {
    let mut bad = Types { types: types.iter().collect(), pointer: POINTER }.too_deep();
    bad.sort_unstable();
    bad
}

/// The places of `types`, those that others contain before these; `None` if one contains itself. The
/// kernel finds nothing too deep then, but for pointers to pointers.
pub(super) fn innermost_first(types: &[Type<'_>]) -> Option<Vec<usize>> {
    let types = Types { types: types.iter().collect(), pointer: POINTER };
    types.in_order(contained).ok()
}

/// What the kernel would refuse in `types`, in order, as far as it can be seen at once: without that
/// there may be something else.
pub(super) fn refused(types: &[Type<'_>], pointer: u64) -> Vec<Bad> {
    let types = Types { types: types.iter().collect(), pointer };
    let mut bad = Vec::new();
    for (index, ty) in types.types.iter().enumerate() {
        match ty {
            Type::Struct(composite) | Type::Union(composite)
                if check_name(composite).is_ok() && types.dangling(ty).is_none() =>
            {
                let (union, mut last) = (matches!(ty, Type::Union(_)), 0);
                for (place, member) in composite.members.iter().enumerate() {
                    if check_place(composite, union, member, &mut last).is_err() {
                        bad.push(Bad { index, member: Some(place) });
                    }
                }
            }
            ty if types.check_own(ty).is_err() => bad.push(Bad { index, member: None }),
            _ => {}
        }
    }
    if !bad.is_empty() {
        return bad;
    }
    let sizes = match types.sizes() {
        Ok(sizes) => sizes,
        Err(circles) => {
            bad.extend(circles.into_iter().map(|circle| {
                let ty = types.types[circle.from];
                let is_member = matches!(ty, Type::Struct(_) | Type::Union(_));
                Bad { index: circle.from, member: is_member.then_some(circle.number) }
            }));
            bad.sort_unstable();
            return bad;
        }
    };
    for (index, ty) in types.types.iter().enumerate() {
        match ty {
            Type::Struct(composite) | Type::Union(composite) => {
                let bitfields = composite.members.iter().any(|member| member.bitfield_size != 0);
                for (place, member) in composite.members.iter().enumerate() {
                    if types.check_member(composite, member, bitfields, &sizes).is_err() {
                        bad.push(Bad { index, member: Some(place) });
                    }
                }
            }
            ty if types.check_uses(ty, &sizes).is_err() => bad.push(Bad { index, member: None }),
            _ => {}
        }
    }
    bad
}

/// Why the kernel refuses a type.
type Verdict<T = ()> = Result<T, String>;

/// All types, and none for `void`.
struct Types<'t, 'a> {
    types: Vec<&'t Type<'a>>,
    /// Size in bytes of a pointer.
    pointer: u64,
}

/// Where types lead round to one that needs them.
struct Circle {
    /// Place of the type that closes it.
    from: usize,
    /// Number of what that needs.
    number: usize,
    /// Place of what that needs.
    to: usize,
}

/// What is behind each type.
struct Sizes {
    /// In bytes; `None` for those that have none: `void`, declarations, functions, tags.
    sizes: Vec<Option<u64>>,
    /// The type without typedefs and qualifiers: a chain of them may be long, and have many ends.
    plain: Vec<TypeId>,
}

impl Sizes {
    fn of(&self, id: TypeId) -> Option<u64> {
        *self.sizes.get((id.0 as usize).checked_sub(1)?)?
    }

    /// The type at `id` without typedefs and qualifiers.
    fn plain(&self, id: TypeId) -> TypeId {
        let index = (id.0 as usize).checked_sub(1);
        index.and_then(|index| self.plain.get(index)).copied().unwrap_or(id)
    }
}

impl<'t, 'a> Types<'t, 'a> {
    fn get(&self, id: TypeId) -> Option<&'t Type<'a>> {
        self.types.get((id.0 as usize).checked_sub(1)?).copied()
    }

    fn refusal(&self, index: usize, reason: String) -> anyhow::Error {
        let ty = self.types[index];
        let name = match ty.name().as_ref() {
            "" => "without a name".to_owned(),
            name => format!("'{}'", name.escape_debug()),
        };
        anyhow!("the kernel would refuse {} {name} (type {}): {reason}", ty.kind_name(), index + 1)
    }

    /// What `ty` refers to though it does not exist.
    fn dangling(&self, ty: &Type<'_>) -> Option<TypeId> {
        let mut dangling = None;
        ty.for_each_ref(|id| {
            if id != TypeId::VOID && self.get(id).is_none() {
                dangling = Some(id);
            }
        });
        dangling
    }

    /// What `btf_check_meta()` looks at: the type alone.
    fn check_own(&self, ty: &Type<'_>) -> Verdict {
        if let Some(TypeId(id)) = self.dangling(ty) {
            return Err(format!("it refers to type {id}, which does not exist"));
        }
        match ty {
            // btf_int_check_meta()
            Type::Int { size, bit_offset, bits, .. } => {
                let bits = u32::from(*bits) + u32::from(*bit_offset);
                demand(bits <= 128 && bits.div_ceil(8) <= *size, || {
                    format!("{bits} bits in {size} bytes")
                })
            }
            // btf_float_check_meta()
            Type::Float { size, .. } => {
                demand([2, 4, 8, 12, 16].contains(size), || format!("a size of {size} bytes"))
            }
            // btf_enum_check_meta(), btf_enum64_check_meta()
            Type::Enum { size, values, name, .. } => {
                check_enum(*size, name, values.iter().map(|(name, _)| name.as_ref()))
            }
            Type::Enum64 { size, values, name, .. } => {
                check_enum(*size, name, values.iter().map(|(name, _)| name.as_ref()))
            }
            // btf_array_check_meta()
            Type::Array { element, index, .. } => {
                demand(*element != TypeId::VOID, || "its elements are void".to_owned())?;
                demand(*index != TypeId::VOID, || "its index is void".to_owned())
            }
            Type::Struct(composite) => check_composite(composite, false),
            Type::Union(composite) => check_composite(composite, true),
            // btf_fwd_type_check_meta(), btf_ref_type_check_meta(), btf_func_check_meta()
            Type::Fwd { name, .. } | Type::Typedef { name, .. } | Type::Func { name, .. } => {
                demand(is_identifier(name), || "its name is no identifier".to_owned())
            }
            // btf_var_check_meta()
            Type::Var { name, linkage, .. } => {
                demand(is_identifier(name), || "its name is no identifier".to_owned())?;
                demand(*linkage != Linkage::Extern, || "it is in another file".to_owned())
            }
            // btf_datasec_check_meta()
            Type::Datasec { name, size, vars } => {
                demand(is_section_name(name), || "its name is not that of a section".to_owned())?;
                demand(*size > 0, || "it has no size".to_owned())?;
                let mut last = 0;
                for (id, offset, part) in vars {
                    let end = u64::from(*offset) + u64::from(*part);
                    let place = || format!("type {} at its offset {offset}", id.0);
                    demand(*id != TypeId::VOID && *part > 0, || format!("{} is nothing", place()))?;
                    demand(u64::from(*offset) >= last, || format!("{} is out of order", place()))?;
                    demand(end <= u64::from(*size), || format!("{} ends behind it", place()))?;
                    last = end;
                }
                Ok(())
            }
            // btf_decl_tag_check_meta()
            Type::DeclTag { value, component, .. } => {
                demand(!value.is_empty(), || "it is empty".to_owned())?;
                demand(*component >= -1, || format!("its component is {component}"))
            }
            _ => Ok(()),
        }
    }

    /// What the `resolve` and `check_member` operations of `struct btf_kind_operations` look at:
    /// the type and those that it refers to.
    fn check_uses(&self, ty: &Type<'_>, sizes: &Sizes) -> Verdict {
        match ty {
            // btf_array_resolve()
            Type::Array { element, index, count } => {
                let is_int = matches!(self.get(sizes.plain(*index)), Some(int) if is_regular(int));
                demand(is_int, || "its index is no integer".to_owned())?;
                let size = sizes.of(*element);
                let size = size.ok_or_else(|| "its elements have no size".to_owned())?;
                if let Some(int @ Type::Int { .. }) = self.get(sizes.plain(*element)) {
                    demand(is_regular(int), || "its elements are odd integers".to_owned())?;
                }
                let total = size.checked_mul(u64::from(*count));
                demand(total.is_some_and(|total| total <= u32::MAX.into()), || {
                    format!("{count} elements of {size} bytes each are more than 4 GiB")
                })
            }
            Type::Struct(composite) | Type::Union(composite) => {
                let bitfields = composite.members.iter().any(|member| member.bitfield_size != 0);
                composite.members.iter().try_for_each(|member| {
                    self.check_member(composite, member, bitfields, sizes).map_err(|reason| {
                        format!("its member '{}' {reason}", member.name.escape_debug())
                    })
                })
            }
            // btf_ptr_resolve(), btf_modifier_resolve()
            Type::Ptr(target)
            | Type::Const(target)
            | Type::Volatile(target)
            | Type::Restrict(target)
            | Type::Typedef { target, .. }
            | Type::TypeTag { target, .. } => {
                let plain = self.get(sizes.plain(*target));
                let tag = matches!(
                    plain,
                    Some(Type::DeclTag { .. } | Type::Datasec { .. } | Type::Var { .. })
                );
                demand(!tag, || "it refers to what is no type".to_owned())
            }
            // btf_func_check()
            Type::Func { proto, .. } => match self.get(*proto) {
                Some(Type::FuncProto { params, .. }) => {
                    let nameless = |param: &&super::Param<'_>| {
                        param.name.is_empty() && param.ty != TypeId::VOID
                    };
                    demand(params.iter().find(nameless).is_none(), || {
                        "a parameter has no name".to_owned()
                    })
                }
                _ => Err("its type is no prototype".to_owned()),
            },
            // btf_func_proto_check()
            Type::FuncProto { ret, params } => {
                demand(*ret == TypeId::VOID || sizes.of(*ret).is_some(), || {
                    "what it returns has no size".to_owned()
                })?;
                let params = match params.as_slice() {
                    [params @ .., last] if last.ty == TypeId::VOID && last.name.is_empty() => {
                        params
                    }
                    params => params,
                };
                params.iter().enumerate().try_for_each(|(index, param)| {
                    let place = index + 1;
                    demand(sizes.of(param.ty).is_some(), || {
                        format!("its parameter {place} has no size")
                    })?;
                    demand(param.name.is_empty() || is_identifier(&param.name), || {
                        format!("the name of its parameter {place} is no identifier")
                    })
                })
            }
            // btf_var_resolve()
            Type::Var { target, .. } => {
                demand(sizes.of(*target).is_some(), || "its type has no size".to_owned())
            }
            // btf_datasec_resolve()
            Type::Datasec { vars, .. } => vars.iter().try_for_each(|(id, offset, part)| {
                let size = match self.get(*id) {
                    Some(Type::Var { target, .. }) => sizes.of(*target),
                    _ => None,
                };
                demand(size.is_some_and(|size| size <= (*part).into()), || {
                    format!("what is at its offset {offset} is no variable of {part} bytes")
                })
            }),
            // btf_decl_tag_resolve()
            Type::DeclTag { target, component, .. } => {
                let parts = match self.get(*target) {
                    Some(Type::Struct(composite) | Type::Union(composite)) => {
                        composite.members.len()
                    }
                    Some(Type::Func { proto, .. }) => match self.get(*proto) {
                        Some(Type::FuncProto { params, .. }) => params.len(),
                        _ => 0,
                    },
                    Some(Type::Typedef { .. } | Type::Var { .. }) => 0,
                    _ => return Err("it is on something that takes no tags".to_owned()),
                };
                demand(*component < parts as i32, || format!("it is on part {component}"))
            }
            _ => Ok(()),
        }
    }

    /// The `check_member` and `check_kflag_member` operations of the member's kind.
    fn check_member(
        &self,
        composite: &Composite<'_>,
        member: &Member<'_>,
        bitfields: bool,
        sizes: &Sizes,
    ) -> Verdict {
        // btf_struct_resolve()
        let size = sizes.of(member.ty).ok_or_else(|| "has no size".to_owned())?;
        let plain = self.get(sizes.plain(member.ty));
        let (start, bits) = (u64::from(member.bit_offset), u64::from(member.bitfield_size));
        let is_aligned = start.is_multiple_of(8);
        let width = match plain {
            // btf_int_check_member(), btf_int_check_kflag_member()
            Some(int @ Type::Int { bits: all, .. }) if bitfields => {
                let all = u64::from(*all);
                demand(is_regular(int), || "is of an odd integer".to_owned())?;
                demand(bits <= all, || format!("has {bits} bits of a type with {all}"))?;
                demand(bits != 0 || is_aligned, || "begins within a byte".to_owned())?;
                if bits == 0 { all } else { bits }
            }
            Some(Type::Int { bits, bit_offset, .. }) => u64::from(*bits) + u64::from(*bit_offset),
            // btf_enum_check_kflag_member()
            Some(Type::Enum { .. } | Type::Enum64 { .. }) if bitfields => {
                demand(bits <= 32, || format!("has {bits} bits of an enumeration"))?;
                demand(bits != 0 || is_aligned, || "begins within a byte".to_owned())?;
                if bits == 0 { 32 } else { bits }
            }
            // btf_generic_check_kflag_member()
            _ if bits != 0 => return Err("is a bit-field of what is no integer".to_owned()),
            // btf_float_check_member()
            Some(Type::Float { .. }) => {
                demand(start.is_multiple_of(8 * size.clamp(1, 8)), || "is not aligned".to_owned())?;
                size * 8
            }
            // btf_ptr_check_member(), btf_array_check_member(), btf_struct_check_member(),
            // btf_enum_check_member()
            _ => {
                demand(is_aligned, || "begins within a byte".to_owned())?;
                size * 8
            }
        };
        if let Some(Type::Int { .. }) = plain {
            demand(width + start % 8 <= 128, || "is spread over more than 128 bits".to_owned())?;
        }
        let end = (start + width).div_ceil(8);
        demand(end <= composite.size.into(), || {
            format!("ends at byte {end}, the type after {}", composite.size)
        })
    }

    /// The size of each type.
    ///
    /// Fails if one contains itself, or is a pointer to nothing but itself (`env_stack_push()`), and
    /// says how.
    fn sizes(&self) -> Result<Sizes, Vec<Circle>> {
        let only = |id: TypeId, n: usize| (n == 0).then_some(id);
        self.in_order(|ty, n| match ty {
            Type::Ptr(target) => only(*target, n),
            _ => ty.modified().and_then(|target| only(target, n)),
        })?;
        let order = self.in_order(contained)?;
        let mut sizes = Sizes {
            sizes: vec![None; self.types.len()],
            plain: (1..=self.types.len() as u32).map(TypeId).collect(),
        };
        for index in order {
            if let Some(target) = self.types[index].modified() {
                sizes.plain[index] = sizes.plain(target);
            }
            sizes.sizes[index] = match self.types[index] {
                Type::Int { size, .. }
                | Type::Float { size, .. }
                | Type::Enum { size, .. }
                | Type::Enum64 { size, .. } => Some(u64::from(*size)),
                Type::Struct(composite) | Type::Union(composite) => Some(composite.size.into()),
                Type::Ptr(_) => Some(self.pointer),
                Type::Array { element, count, .. } => {
                    sizes.of(*element).map(|size| size.saturating_mul(u64::from(*count)))
                }
                ty => ty.modified().and_then(|target| sizes.of(target)),
            };
        }
        Ok(sizes)
    }

    /// The types from which others lead on further than `btf_resolve()` follows, in the order in
    /// which the kernel comes to them.
    fn too_deep(&self) -> Vec<Bad> {
        let is_modifier = |ty: &Type<'_>| ty.modified().is_some();
        let is_inner =
            |ty: &Type<'_>| matches!(ty, Type::Struct(_) | Type::Union(_) | Type::Array { .. });
        let is_pointer = |ty: &Type<'_>| matches!(ty, Type::Ptr(_));
        let mut seen = vec![false; self.types.len()];
        let (mut path, mut bad) = (Vec::<(usize, usize)>::new(), Vec::new());
        for root in 0..self.types.len() {
            if seen[root] {
                continue;
            }
            seen[root] = true;
            path.push((root, 0));
            // What the first on the way that is no modifier is decides where the way ends:
            // `env_type_is_resolve_sink()`.
            let mut of_pointers = None;
            while let Some((index, number)) = path.last_mut() {
                let ty = self.types[*index];
                if of_pointers.is_none() && (is_inner(ty) || is_pointer(ty)) {
                    of_pointers = Some(is_pointer(ty));
                }
                let target = match ty {
                    Type::Ptr(target) if *number == 0 => Some(*target),
                    ty => contained(ty, *number),
                };
                let Some(target) = target else {
                    path.pop();
                    continue;
                };
                let place = Bad { index: *index, member: is_inner(ty).then_some(*number) };
                *number += 1;
                let Some(next) = (target.0 as usize).checked_sub(1) else { continue };
                let ty = self.types[next];
                let goes_on = is_modifier(ty)
                    || (is_pointer(ty) && of_pointers != Some(false))
                    || (is_inner(ty) && of_pointers != Some(true));
                if !goes_on || seen[next] {
                    continue;
                }
                if path.len() == MAX_DEPTH {
                    let is_array = matches!(self.types[place.index], Type::Array { .. });
                    bad.push(Bad { member: place.member.filter(|_| !is_array), ..place });
                    continue;
                }
                seen[next] = true;
                path.push((next, 0));
            }
        }
        bad
    }

    /// Places of all types, each after those that it needs: `need` gives the one of that number, if
    /// there are so many.
    ///
    /// Fails if a type needs itself, with as many circles as have to be broken.
    fn in_order(
        &self,
        need: impl Fn(&Type<'_>, usize) -> Option<TypeId>,
    ) -> Result<Vec<usize>, Vec<Circle>> {
        #[derive(Clone, Copy, PartialEq)]
        enum State {
            New,
            Open,
            Done,
        }
        let mut states = vec![State::New; self.types.len()];
        let mut order = Vec::with_capacity(self.types.len());
        // What is being looked at, with the number of what it needs next: no recursion, however deep
        // it goes.
        let mut open = Vec::<(usize, usize)>::new();
        let mut circles = Vec::new();
        for root in 0..self.types.len() {
            if states[root] != State::New {
                continue;
            }
            states[root] = State::Open;
            open.push((root, 0));
            while let Some((index, number)) = open.last_mut() {
                let Some(next) = need(self.types[*index], *number) else {
                    states[*index] = State::Done;
                    order.push(*index);
                    open.pop();
                    continue;
                };
                *number += 1;
                let Some(next) = (next.0 as usize).checked_sub(1) else { continue };
                match states[next] {
                    State::New => {
                        states[next] = State::Open;
                        open.push((next, 0));
                    }
                    State::Open => {
                        circles.push(Circle { from: *index, number: *number - 1, to: next });
                    }
                    State::Done => {}
                }
            }
        }
        if circles.is_empty() { Ok(order) } else { Err(circles) }
    }
}

/// btf_type_int_is_regular()
fn is_regular(ty: &Type<'_>) -> bool {
    matches!(ty, Type::Int { bit_offset: 0, bits: 8 | 16 | 32 | 64 | 128, .. })
}

/// What `ty` has within itself: the one of that number.
fn contained(ty: &Type<'_>, number: usize) -> Option<TypeId> {
    match ty {
        Type::Struct(composite) | Type::Union(composite) => {
            composite.members.get(number).map(|member| member.ty)
        }
        Type::Array { element, .. } if number == 0 => Some(*element),
        _ if number == 0 => ty.modified(),
        _ => None,
    }
}

fn check_enum<'n>(size: u32, name: &str, values: impl Iterator<Item = &'n str>) -> Verdict {
    demand(size.is_power_of_two() && size <= 8, || format!("a size of {size} bytes"))?;
    demand(name.is_empty() || is_identifier(name), || "its name is no identifier".to_owned())?;
    for value in values {
        demand(is_identifier(value), || {
            format!("its value '{}' is no identifier", value.escape_debug())
        })?;
    }
    Ok(())
}

/// btf_struct_check_meta()
fn check_composite(composite: &Composite<'_>, union: bool) -> Verdict {
    check_name(composite)?;
    let mut last = 0;
    let mut members = composite.members.iter();
    members.try_for_each(|member| check_place(composite, union, member, &mut last))
}

fn check_name(composite: &Composite<'_>) -> Verdict {
    demand(composite.name.is_empty() || is_identifier(&composite.name), || {
        "its name is no identifier".to_owned()
    })
}

/// What the loop of btf_struct_check_meta() looks at. `last` is the offset of the member before.
fn check_place(
    composite: &Composite<'_>,
    union: bool,
    member: &Member<'_>,
    last: &mut u32,
) -> Verdict {
    let name = || member.name.escape_debug();
    demand(member.name.is_empty() || is_identifier(&member.name), || {
        format!("the name of its member '{}' is no identifier", name())
    })?;
    demand(member.ty != TypeId::VOID, || format!("its member '{}' is void", name()))?;
    demand(!union || member.bit_offset == 0, || {
        format!("its member '{}' does not begin at its start", name())
    })?;
    demand(*last <= member.bit_offset, || format!("its member '{}' is out of order", name()))?;
    demand(member.bit_offset.div_ceil(8) <= composite.size, || {
        format!("its member '{}' begins behind its end", name())
    })?;
    *last = member.bit_offset;
    Ok(())
}

fn demand(holds: bool, reason: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(reason()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::btf::IntEncoding;

    fn int() -> Type<'static> {
        let encoding = IntEncoding::default();
        Type::Int { name: "int".into(), size: 4, encoding, bit_offset: 0, bits: 32 }
    }

    fn composite(size: u32, members: &[(u32, u32, u8)]) -> Type<'static> {
        let member = |&(ty, bit_offset, bitfield_size): &(u32, u32, u8)| Member {
            name: "m".into(),
            ty: TypeId(ty),
            bit_offset,
            bitfield_size,
        };
        let members = members.iter().map(member).collect();
        Type::Struct(Composite { name: "s".into(), size, members })
    }

    #[track_caller]
    fn refused(types: &[Type<'_>], part: &str) {
        let error = check(types).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }

    #[test]
    fn sound_types_pass() {
        let types = [
            int(),
            composite(8, &[(1, 0, 0), (1, 32, 0)]),
            Type::Ptr(TypeId(2)),
            composite(16, &[(3, 0, 0), (1, 64, 3), (1, 67, 29)]),
            Type::Array { element: TypeId(2), index: TypeId(1), count: 3 },
        ];
        check(&types).unwrap();
    }

    #[test]
    fn types_are_not_nested_too_deep() {
        // Each contains the next one, so that the kernel has seen none of them before.
        let nested = |count: u32| -> Vec<_> {
            let mut types: Vec<_> = (2..=count).map(|next| composite(4, &[(next, 0, 0)])).collect();
            types.push(composite(4, &[]));
            types
        };
        check(&nested(MAX_DEPTH as u32)).unwrap();
        refused(&nested(MAX_DEPTH as u32 + 1), "(type 32): it is the 32th of types");
        let mut pointers: Vec<_> = (2..=40).map(|next| Type::Ptr(TypeId(next))).collect();
        pointers.push(int());
        refused(&pointers, "(type 32)");
        // The other way round each is known already.
        let mut types = vec![composite(4, &[])];
        types.extend((1..1000).map(|before| composite(4, &[(before, 0, 0)])));
        types.extend((1000..2000).map(|before| Type::Ptr(TypeId(before))));
        check(&types).unwrap();
    }

    #[test]
    fn a_pointer_may_lead_back_to_the_struct_that_has_it() {
        // struct s { u *next; }, where u is a typedef of it.
        let types = [
            composite(8, &[(3, 0, 0)]),
            Type::Typedef { name: "u".into(), target: TypeId(1) },
            Type::Ptr(TypeId(2)),
        ];
        check(&types).unwrap();
    }

    #[test]
    fn types_that_contain_themselves_are_refused() {
        let typedef = Type::Typedef { name: "t".into(), target: TypeId(1) };
        refused(std::slice::from_ref(&typedef), "TYPEDEF 't' (type 1): it contains itself");
        refused(&[composite(8, &[(1, 0, 0)])], "STRUCT 's' (type 1): it contains itself");
        refused(&[Type::Ptr(TypeId(1))], "contains itself");
        let array = Type::Array { element: TypeId(2), index: TypeId(1), count: 1 };
        refused(&[int(), array], "contains itself");
        // However long the way round is, and without recursion.
        let mut ring: Vec<_> = (2..=100_000).map(|next| Type::Const(TypeId(next))).collect();
        ring.push(Type::Const(TypeId(1)));
        refused(&ring, "contains itself");
    }

    #[test]
    fn members_stay_within_their_type() {
        refused(&[int(), composite(4, &[(1, 8, 0)])], "'m' ends at byte 5, the type after 4");
        refused(&[int(), composite(4, &[(1, 64, 0)])], "'m' begins behind its end");
        refused(&[int(), composite(8, &[(1, 32, 0), (1, 0, 0)])], "'m' is out of order");
        refused(&[int(), composite(8, &[(1, 0, 40)])], "has 40 bits of a type with 32");
        refused(&[composite(4, &[(0, 0, 0)])], "'m' is void");
        refused(&[composite(4, &[(7, 0, 0)])], "refers to type 7");
    }

    #[test]
    fn sizes_are_the_kernels() {
        let odd = |size| Type::Enum { name: "e".into(), size, signed: false, values: vec![] };
        refused(&[odd(16)], "ENUM 'e' (type 1): a size of 16 bytes");
        refused(&[odd(3)], "size of 3");
        refused(&[Type::Float { name: "f".into(), size: 7 }], "size of 7");
        let huge = Type::Array { element: TypeId(1), index: TypeId(1), count: u32::MAX };
        refused(&[int(), huge], "more than 4 GiB");
    }

    #[test]
    fn names_are_identifiers() {
        refused(&[Type::Fwd { name: "a b".into(), union: false }], "no identifier");
        let values = vec![("".into(), 0)];
        refused(&[Type::Enum { name: "e".into(), size: 4, signed: false, values }], "identifier");
        let func = Type::Func { name: "f".into(), proto: TypeId(1), linkage: Linkage::Global };
        refused(&[int(), func], "its type is no prototype");
    }
}
