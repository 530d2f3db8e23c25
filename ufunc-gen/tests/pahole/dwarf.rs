// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the BTF of a file ought to say, and what about each type and member is known to be too much
//! for pahole.

use std::collections::{BTreeMap, BTreeSet};

use super::catalog::{Member, Shape, Sort, in_order, shortened, spell_anonymous};
use super::entries::{Info, Naming, Node, identifier, is_composite, is_scope};

/// What a type or function has in its DWARF that pahole is known to get wrong, or to leave out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gap {
    /// `DW_TAG_atomic_type`: no type of that kind is known to pahole.
    Atomic,
    /// `DW_TAG_reference_type`, `DW_TAG_rvalue_reference_type`.
    Reference,
    /// `DW_TAG_ptr_to_member_type`.
    MemberPointer,
    /// `DW_TAG_unspecified_type`: `nullptr_t`, `!`.
    Unspecified,
    /// `DW_ATE_complex_float`, or another base type that is neither an integer nor one number.
    OddBase,
    /// `DW_ATE_float`, an integer to pahole unless it is told otherwise.
    Float,
    /// `DW_TAG_inheritance`.
    BaseClass,
    /// `DW_TAG_variant_part`.
    Variants,
    /// A member or variable in a class that is no part of its objects.
    StaticMember,
    /// In a namespace, a class, or a module: the name alone does not say which.
    Scope,
    /// In a function.
    Local,
    /// Several types of that name.
    SameName,
    /// More than one dimension.
    Dimensions,
    /// A method, or another function that is called otherwise in the source than in the symbols.
    Mangled,
    /// `DW_AT_external`: linkage that pahole does not tell.
    Linkage,
    /// What the kernel would refuse, and the command says in other words (`btf::fit`): numbers with
    /// a floating point where they are not aligned, small enums beside bit-fields, wide bit-fields
    /// of enums, parameters without a name. pahole leaves it as it is.
    Refused,
    /// A base type that is a character, or an unusual integer.
    Encoding,
    /// The function takes or gives something that is not in a register of its own.
    Convention,
    /// The compiler made copies of the function, or changed its parameters.
    Optimized,
    /// Only the debug information has the name: the symbol table has another one, or none.
    NoSymbol,
    /// No code: it is only declared, or inlined wherever it is called.
    NoCode,
    /// An integer that no source has.
    Added,
    /// An enum that is declared and not defined.
    DeclaredEnum,
    /// A value of an enum below zero, or above what an `int` holds.
    EnumValue,
}

pub type Gaps = BTreeSet<Gap>;

/// The type of a member that has a type that the kernel refuses there. Something of its size is in
/// its place, as the compilers are asked to confirm (`probe`).
pub const REFUSED: &str = "REFUSED";

/// What the BTF ought to say of one entry.
#[derive(Clone, Debug)]
pub struct Expected {
    pub sort: Sort,
    /// In BTF.
    pub name: String,
    /// Without what is around it.
    pub bare: String,
    pub shape: Shape,
    /// What is special about the whole.
    pub gaps: Gaps,
    /// What is special about each member or parameter, and at the end about a target or result.
    pub part_gaps: Vec<Gaps>,
    /// In `.debug_info`.
    pub place: usize,
}

impl Info {
    /// Everything that BTF ought to have by name; always in the same order.
    pub fn expected(&mut self, naming: Naming) -> Vec<Expected> {
        self.naming = naming;
        let mut expected: Vec<_> = self.nodes.iter().filter_map(|node| self.expect(node)).collect();
        let mut layouts: BTreeMap<(Sort, String), BTreeSet<Shape>> = BTreeMap::new();
        for one in &expected {
            layouts.entry((one.sort, one.bare.clone())).or_default().insert(one.shape.clone());
        }
        for one in &mut expected {
            if layouts[&(one.sort, one.bare.clone())].len() > 1 {
                one.gaps.insert(Gap::SameName);
            }
        }
        expected
    }

    fn expect(&self, node: &Node) -> Option<Expected> {
        if node.tag == gimli::DW_TAG_subprogram {
            return self.expect_function(node);
        }
        let name = self.name(node);
        // What clang needs for itself is no type of the source.
        let is_clangs = name.starts_with("DW_ATE_") || name == "__ARRAY_SIZE_TYPE__";
        if name.is_empty() || node.declaration || is_clangs {
            return None;
        }
        let (mut gaps, mut part_gaps) = (self.scope_gaps(node), Vec::new());
        let (sort, shape) = match node.tag {
            gimli::DW_TAG_structure_type
            | gimli::DW_TAG_class_type
            | gimli::DW_TAG_interface_type
            | gimli::DW_TAG_union_type => self.composite(node, &mut gaps, &mut part_gaps),
            gimli::DW_TAG_enumeration_type => (Sort::Enum, self.enumeration(node, &mut gaps)),
            gimli::DW_TAG_typedef | gimli::DW_TAG_template_alias => {
                let mut target_gaps = Gaps::new();
                let target = self.spell(node.ty, false, &mut target_gaps);
                part_gaps.push(target_gaps);
                (Sort::Typedef, Shape::Typedef(target))
            }
            gimli::DW_TAG_base_type => base(node, &mut gaps),
            _ => return None,
        };
        let bare = match node.tag {
            gimli::DW_TAG_base_type => name.clone(),
            _ => self.bare_name(node),
        };
        Some(Expected { sort, name, bare, shape, gaps, part_gaps, place: node.place })
    }

    pub fn scope_gaps(&self, node: &Node) -> Gaps {
        let mut gaps = Gaps::new();
        let mut at = node.parent;
        while let Some(index) = at {
            let around = &self.nodes[index];
            match around.tag {
                gimli::DW_TAG_subprogram => drop(gaps.insert(Gap::Local)),
                tag if is_scope(tag) => drop(gaps.insert(Gap::Scope)),
                _ => {}
            }
            at = around.parent;
        }
        gaps
    }

    pub fn composite(
        &self,
        node: &Node,
        gaps: &mut Gaps,
        part_gaps: &mut Vec<Gaps>,
    ) -> (Sort, Shape) {
        let mut members = Vec::new();
        for child in self.children(node) {
            match child.tag {
                gimli::DW_TAG_member if child.external || child.declaration => {
                    gaps.insert(Gap::StaticMember);
                }
                gimli::DW_TAG_variable => drop(gaps.insert(Gap::StaticMember)),
                gimli::DW_TAG_member => members.extend(self.member(child)),
                gimli::DW_TAG_inheritance => {
                    gaps.insert(Gap::BaseClass);
                    if !child.is_virtual {
                        members.extend(self.member(child));
                    }
                }
                gimli::DW_TAG_variant_part => {
                    gaps.insert(Gap::Variants);
                    self.variants(child, &mut members);
                }
                _ => {}
            }
        }
        let has_bits = members.iter().any(|(member, _, _)| member.bits != 0);
        let mut members: Vec<_> = members
            .into_iter()
            .map(|(member, gaps, ty)| self.as_the_kernel_wants(member, gaps, ty, has_bits))
            .collect();
        members.sort_by_key(|(member, _)| member.bit_offset);
        let (members, found): (Vec<_>, Vec<_>) = members.into_iter().unzip();
        part_gaps.extend(found);
        let sort = if self.is_union(node) { Sort::Union } else { Sort::Struct };
        (sort, Shape::Composite { size: node.size.unwrap_or(0), members: in_order(members) })
    }

    /// `member`, whose type is at `ty`, in words that the kernel accepts.
    fn as_the_kernel_wants(
        &self,
        mut member: Member,
        mut gaps: Gaps,
        ty: Option<usize>,
        has_bits: bool,
    ) -> (Member, Gaps) {
        let Some(plain) = self.plain(ty) else { return (member, gaps) };
        let size = plain.size.unwrap_or(0);
        let before = member.clone();
        if plain.tag == gimli::DW_TAG_base_type
            && base(plain, &mut Gaps::new()).0 == Sort::Float
            && !member.bit_offset.is_multiple_of(8 * size.min(8))
        {
            member.ty = REFUSED.to_owned();
        }
        if is_composite(plain.tag) && self.is_nowhere_defined(plain) {
            member.ty = REFUSED.to_owned();
        }
        if plain.tag == gimli::DW_TAG_enumeration_type {
            if has_bits && member.bits == 0 && size < 4 {
                member.bits = 8 * size;
            }
            let is_wide =
                |value: i128| i32::try_from(value).is_err() && u32::try_from(value).is_err();
            if member.bits > 32 && self.children(plain).any(|value| is_wide(value.value)) {
                member.ty = REFUSED.to_owned();
            }
        }
        if member != before {
            gaps.insert(Gap::Refused);
        }
        (member, gaps)
    }

    /// Whether `node` is a declaration, and there is no definition of that name anywhere.
    fn is_nowhere_defined(&self, node: &Node) -> bool {
        node.declaration && !self.defined.contains(&identifier(&self.qualified(node)))
    }

    /// The type at `place` without typedefs and qualifiers.
    fn plain(&self, place: Option<usize>) -> Option<&Node> {
        let node = self.resolve(place?);
        match node.tag {
            gimli::DW_TAG_typedef
            | gimli::DW_TAG_const_type
            | gimli::DW_TAG_volatile_type
            | gimli::DW_TAG_restrict_type
            | gimli::DW_TAG_atomic_type => self.plain(node.ty),
            _ => Some(node),
        }
    }

    /// Whether BTF has a union for `node`: a struct is one if it consists of variants.
    pub fn is_union(&self, node: &Node) -> bool {
        let mut variants = false;
        let mut at_start = true;
        for child in self.children(node) {
            match child.tag {
                gimli::DW_TAG_member => at_start &= child.location == Some(0),
                gimli::DW_TAG_variant_part => {
                    variants = true;
                    let all = self.children(child).flat_map(|variant| self.children(variant));
                    at_start &= all.into_iter().all(|member| member.location == Some(0));
                }
                _ => {}
            }
        }
        node.tag == gimli::DW_TAG_union_type || (variants && at_start)
    }

    /// The members of all variants, and before them a struct with the tag.
    fn variants(&self, part: &Node, members: &mut Vec<(Member, Gaps, Option<usize>)>) {
        if let Some(discriminant) = part.discriminant {
            let tag = self.node(discriminant);
            let (mut member, gaps, _) = self.member(tag).unwrap();
            if member.name.is_empty() {
                member.name = "__tag".to_owned();
            }
            let size = tag.location.unwrap_or(0) + self.size_of(tag.ty);
            let shape = Shape::Composite { size, members: vec![member] };
            let ty = spell_anonymous("struct", &shape);
            members.push((Member { name: String::new(), bit_offset: 0, bits: 0, ty }, gaps, None));
        }
        for variant in self.children(part).filter(|child| child.tag == gimli::DW_TAG_variant) {
            members.extend(self.children(variant).filter_map(|child| self.member(child)));
        }
    }

    /// The member or base class `node`; `None` if there is no saying where it is.
    fn member(&self, node: &Node) -> Option<(Member, Gaps, Option<usize>)> {
        let mut gaps = Gaps::new();
        let name = match node.tag {
            gimli::DW_TAG_inheritance => String::new(),
            _ => identifier(&node.name),
        };
        let ty = self.spell(node.ty, true, &mut gaps);
        let start = node.location? * 8;
        let bit_offset = match (node.bit_size, node.data_bit_offset, node.bit_offset) {
            (0, ..) => start,
            (_, Some(offset), _) => start + offset,
            (bits, None, Some(from_top)) => {
                let storage = node.size.unwrap_or_else(|| self.size_of(node.ty)) * 8;
                start + storage - from_top - bits
            }
            (_, None, None) => start,
        };
        Some((Member { name, bit_offset, bits: node.bit_size, ty }, gaps, node.ty))
    }

    fn size_of(&self, place: Option<usize>) -> u64 {
        let Some(node) = place.map(|place| self.resolve(place)) else { return 0 };
        node.size.unwrap_or_else(|| match node.tag {
            gimli::DW_TAG_pointer_type => 8,
            _ => self.size_of(node.ty),
        })
    }

    pub fn enumeration(&self, node: &Node, gaps: &mut Gaps) -> Shape {
        let size = node.size.unwrap_or_else(|| match self.size_of(node.ty) {
            0 => 4,
            size => size,
        });
        let values = self.children(node).filter(|child| child.tag == gimli::DW_TAG_enumerator);
        let values: Vec<_> = values.map(|value| (identifier(&value.name), value.value)).collect();
        if values.iter().any(|&(_, value)| i32::try_from(value).is_err() || value < 0) {
            gaps.insert(Gap::EnumValue);
        }
        Shape::Enum { size, values }
    }

    fn expect_function(&self, node: &Node) -> Option<Expected> {
        if !node.has_code || node.declaration {
            return None;
        }
        let (mut gaps, mut part_gaps) = (Gaps::new(), Vec::new());
        // From what has the code to what the source says of it.
        let mut chain = vec![node];
        let mut params_of = node;
        let (mut at, mut is_copy) = (node, false);
        while let Some(origin) = at.abstract_origin.or(at.specification) {
            is_copy |= at.abstract_origin.is_some();
            let origin = self.node(origin);
            if at.abstract_origin.is_some() {
                params_of = origin;
            }
            chain.push(origin);
            at = origin;
        }
        let first = |text: fn(&Node) -> &str| {
            chain.iter().map(|node| text(node)).find(|text| !text.is_empty()).unwrap_or("")
        };
        let (name, linkage) = (first(|node| &node.name), first(|node| &node.linkage_name));
        let global = chain.iter().any(|node| node.external);
        // One that has no symbol to be told apart by is called after what it is in, too.
        let named = chain.iter().find(|node| !node.name.is_empty());
        let whole = named.map(|node| identifier(&self.qualified(node))).unwrap_or_default();
        let symbol = match linkage {
            "" if global => name,
            "" => &whole,
            linkage => linkage,
        };
        // A copy that link-time optimisation changed is the function that its source says.
        let clone = [".isra.", ".constprop.", ".part.", ".lto_priv."];
        let end = clone.iter().filter_map(|clone| symbol.find(clone)).min();
        let written = &symbol[..end.unwrap_or(symbol.len())];
        if symbol.is_empty() {
            return None;
        }
        if symbol != name {
            gaps.insert(Gap::Mangled);
        }
        if is_copy {
            gaps.insert(Gap::Optimized);
        }
        gaps.extend(self.scope_gaps(node));
        let mut params = Vec::new();
        let mut variadic = false;
        for child in self.children(params_of) {
            match child.tag {
                // What GCC calls parameters of a destructor is known when it is called.
                gimli::DW_TAG_formal_parameter if child.name == "__in_chrg" => {}
                gimli::DW_TAG_formal_parameter
                    if child.name == "__vtt_parm"
                        && !symbol.contains("C2")
                        && !symbol.contains("D2") => {}
                gimli::DW_TAG_formal_parameter => {
                    let mut found = Gaps::new();
                    let ty = self.spell(child.ty, false, &mut found);
                    if self.is_float_or_composite(child.ty) {
                        gaps.insert(Gap::Convention);
                    }
                    // The kernel wants every parameter of a function with code to have a name.
                    let name = match child.name.as_str() {
                        "" => format!("_{}", params.len()),
                        name => identifier(name),
                    };
                    if child.name.is_empty() {
                        found.insert(Gap::Refused);
                    }
                    params.push((name, ty));
                    part_gaps.push(found);
                }
                gimli::DW_TAG_unspecified_parameters => variadic = true,
                _ => {}
            }
        }
        if variadic {
            params.push((String::new(), "...".to_owned()));
            part_gaps.push(Gaps::new());
        }
        let ret = chain.iter().find_map(|node| node.ty);
        let mut found = Gaps::new();
        let ret_text = self.spell(ret, false, &mut found);
        part_gaps.push(found);
        if self.is_float_or_composite(ret) || params.len() > 6 || !self.is_conventional(node) {
            gaps.insert(Gap::Convention);
        }
        gaps.insert(Gap::Linkage);
        if !self.symbols.contains(symbol) {
            gaps.insert(Gap::NoSymbol);
        }
        let (defined, declared) = self.functions(&identifier(written));
        if defined > 1 || declared > 0 {
            gaps.insert(Gap::SameName);
        }
        Some(Expected {
            sort: Sort::Func,
            name: shortened(identifier(written)),
            bare: shortened(identifier(written)),
            shape: Shape::Func { ret: ret_text, params, global },
            gaps,
            part_gaps,
            place: node.place,
        })
    }

    /// Whether the parameters of `node` are where the calling convention of x86-64 puts integers.
    fn is_conventional(&self, node: &Node) -> bool {
        const REGISTERS: [u16; 6] = [5, 4, 1, 2, 8, 9];
        let params =
            self.children(node).filter(|child| child.tag == gimli::DW_TAG_formal_parameter);
        let mut params = params.zip(REGISTERS);
        params.all(|(param, register)| param.register == Some(gimli::Register(register)))
    }

    /// Whether the type at `place` is one that calls do not pass in one integer register.
    fn is_float_or_composite(&self, place: Option<usize>) -> bool {
        let Some(node) = place.map(|place| self.resolve(place)) else { return false };
        match node.tag {
            gimli::DW_TAG_structure_type
            | gimli::DW_TAG_class_type
            | gimli::DW_TAG_union_type
            | gimli::DW_TAG_array_type => true,
            gimli::DW_TAG_base_type => {
                node.size.is_some_and(|size| size > 8)
                    || node.encoding.is_some_and(|encoding| {
                        [
                            gimli::DW_ATE_float,
                            gimli::DW_ATE_complex_float,
                            gimli::DW_ATE_decimal_float,
                        ]
                        .contains(&encoding)
                    })
            }
            gimli::DW_TAG_pointer_type
            | gimli::DW_TAG_reference_type
            | gimli::DW_TAG_enumeration_type => false,
            _ => self.is_float_or_composite(node.ty),
        }
    }
}

/// What the base type `node` becomes.
pub fn base(node: &Node, gaps: &mut Gaps) -> (Sort, Shape) {
    let size = node.size.unwrap_or(0);
    let encoding = node.encoding.unwrap_or(gimli::DW_ATE_unsigned);
    let is_float = encoding == gimli::DW_ATE_float;
    if is_float && [2, 4, 8, 12, 16].contains(&size) {
        gaps.insert(Gap::Float);
        return (Sort::Float, Shape::Base { size, signed: false, bool: false });
    }
    let is_int = [1, 2, 4, 8, 16].contains(&size)
        && !is_float
        && ![
            gimli::DW_ATE_complex_float,
            gimli::DW_ATE_imaginary_float,
            gimli::DW_ATE_decimal_float,
        ]
        .contains(&encoding);
    if !is_int {
        gaps.insert(Gap::OddBase);
        return (Sort::Struct, Shape::Composite { size, members: Vec::new() });
    }
    let bool = encoding == gimli::DW_ATE_boolean;
    let signed = [gimli::DW_ATE_signed, gimli::DW_ATE_signed_char].contains(&encoding);
    if ![gimli::DW_ATE_signed, gimli::DW_ATE_unsigned, gimli::DW_ATE_boolean].contains(&encoding) {
        gaps.insert(Gap::Encoding);
    }
    (Sort::Int, Shape::Base { size, signed, bool })
}
