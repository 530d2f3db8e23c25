// SPDX-License-Identifier: MIT OR Apache-2.0
//! The types of debug information, spelled out as those of BTF are.

use super::catalog::{Shape, Sort, group, qualified, spell_anonymous};
use super::dwarf::{Gap, Gaps, base};
use super::entries::{Info, Node};

impl Info {
    /// The type at `place`, as [`super::catalog`] spells it, and what is special about it; names
    /// end it.
    pub fn spell(&self, place: Option<usize>, by_value: bool, gaps: &mut Gaps) -> String {
        let Some(node) = place.map(|place| self.resolve(place)) else { return "void".to_owned() };
        match node.tag {
            gimli::DW_TAG_pointer_type => {
                format!("{} *", group(&self.spell(node.ty, false, gaps)))
            }
            gimli::DW_TAG_reference_type | gimli::DW_TAG_rvalue_reference_type => {
                gaps.insert(Gap::Reference);
                format!("{} *", group(&self.spell(node.ty, false, gaps)))
            }
            gimli::DW_TAG_const_type => qualified("const", &self.spell(node.ty, by_value, gaps)),
            gimli::DW_TAG_volatile_type => {
                qualified("volatile", &self.spell(node.ty, by_value, gaps))
            }
            gimli::DW_TAG_restrict_type => {
                qualified("restrict", &self.spell(node.ty, by_value, gaps))
            }
            gimli::DW_TAG_atomic_type => {
                gaps.insert(Gap::Atomic);
                self.spell(node.ty, by_value, gaps)
            }
            gimli::DW_TAG_unspecified_type => {
                gaps.insert(Gap::Unspecified);
                "void *".to_owned()
            }
            gimli::DW_TAG_ptr_to_member_type => {
                gaps.insert(Gap::MemberPointer);
                let target = node.ty.map(|place| self.resolve(place));
                let is_method =
                    target.is_some_and(|target| target.tag == gimli::DW_TAG_subroutine_type);
                let size = if is_method { 16 } else { 8 };
                spell_anonymous("struct", &Shape::Composite { size, members: Vec::new() })
            }
            gimli::DW_TAG_array_type => self.spell_array(node, by_value, gaps),
            gimli::DW_TAG_subroutine_type => self.spell_function(node, gaps),
            gimli::DW_TAG_base_type => self.spell_base(node, by_value, gaps),
            gimli::DW_TAG_typedef | gimli::DW_TAG_template_alias => {
                self.scope_into(node, gaps);
                self.name(node)
            }
            gimli::DW_TAG_enumeration_type if self.name(node).is_empty() => {
                spell_anonymous("enum", &self.enumeration(node, gaps))
            }
            gimli::DW_TAG_enumeration_type => {
                self.scope_into(node, gaps);
                format!("enum {}", self.name(node))
            }
            gimli::DW_TAG_structure_type
            | gimli::DW_TAG_class_type
            | gimli::DW_TAG_interface_type
            | gimli::DW_TAG_union_type => self.spell_composite(node, by_value, gaps),
            tag => panic!("{tag} at {:#x} is not known to this test", node.place),
        }
    }

    fn scope_into(&self, node: &Node, gaps: &mut Gaps) {
        gaps.extend(self.scope_gaps(node));
    }

    fn spell_composite(&self, node: &Node, by_value: bool, gaps: &mut Gaps) -> String {
        let (mut own, mut part_gaps) = (Gaps::new(), Vec::new());
        let name = self.name(node);
        if name.is_empty() && node.declaration {
            return "void".to_owned();
        }
        if name.is_empty() {
            let (sort, shape) = self.composite(node, &mut own, &mut part_gaps);
            gaps.extend(own);
            gaps.extend(part_gaps.into_iter().flatten());
            return spell_anonymous(sort.keyword().trim_end(), &shape);
        }
        self.scope_into(node, gaps);
        let keyword = if self.is_union(node) { "union" } else { "struct" };
        match by_value && !node.declaration {
            true => format!("{keyword} {name}{{{}}}", node.size.unwrap_or(0)),
            false => format!("{keyword} {name}"),
        }
    }

    fn spell_base(&self, node: &Node, by_value: bool, gaps: &mut Gaps) -> String {
        let mut own = Gaps::new();
        let (sort, _) = base(node, &mut own);
        if own.contains(&Gap::OddBase) {
            gaps.insert(Gap::OddBase);
        }
        let name = self.name(node);
        match sort {
            Sort::Struct if by_value => format!("struct {name}{{{}}}", node.size.unwrap_or(0)),
            Sort::Struct => format!("struct {name}"),
            _ => name,
        }
    }

    fn spell_array(&self, node: &Node, by_value: bool, gaps: &mut Gaps) -> String {
        let dimensions =
            self.children(node).filter(|child| child.tag == gimli::DW_TAG_subrange_type);
        let mut counts: Vec<_> = dimensions.map(Node::element_count).collect();
        if counts.len() > 1 {
            gaps.insert(Gap::Dimensions);
        }
        if counts.is_empty() {
            counts.push(0);
        }
        let element = self.spell(node.ty, by_value, gaps);
        counts.iter().rev().fold(element, |inner, count| format!("{} [{count}]", group(&inner)))
    }

    fn spell_function(&self, node: &Node, gaps: &mut Gaps) -> String {
        let ret = self.spell(node.ty, false, gaps);
        let mut params = Vec::new();
        let mut variadic = false;
        for child in self.children(node) {
            match child.tag {
                gimli::DW_TAG_formal_parameter => params.push(self.spell(child.ty, false, gaps)),
                gimli::DW_TAG_unspecified_parameters => variadic = true,
                _ => {}
            }
        }
        if variadic {
            params.push("...".to_owned());
        }
        format!("{ret} ({})", params.join(", "))
    }
}
