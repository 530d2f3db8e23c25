// SPDX-License-Identifier: MIT OR Apache-2.0
//! Debug information read once more, by means of gimli alone.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path;

use gimli::{
    Attribute, AttributeValue, DwTag, Dwarf, DwarfSections, EndianSlice, LittleEndian, Operation,
    Unit, UnitType,
};
use object::{Object as _, ObjectSection as _, ObjectSymbol as _, SymbolKind};

use super::catalog::{Sort, shortened};
use super::dwarf::{Gaps, base};

type Slice<'a> = EndianSlice<'a, LittleEndian>;

/// An entry, as far as types and functions need it.
#[derive(Debug)]
pub struct Node {
    pub tag: DwTag,
    pub name: String,
    pub place: usize,
    pub linkage_name: String,
    pub size: Option<u64>,
    pub ty: Option<usize>,
    pub specification: Option<usize>,
    pub abstract_origin: Option<usize>,
    pub signature: Option<usize>,
    pub declaration: bool,
    pub external: bool,
    pub is_virtual: bool,
    pub has_code: bool,
    /// In bytes; `None` if each object says where.
    pub location: Option<u64>,
    pub bit_size: u64,
    pub data_bit_offset: Option<u64>,
    pub bit_offset: Option<u64>,
    pub encoding: Option<gimli::DwAte>,
    pub value: i128,
    pub count: Option<u64>,
    pub upper: Option<u64>,
    pub discriminant: Option<usize>,
    /// The register that a parameter is in at first.
    pub register: Option<gimli::Register>,
    pub parent: Option<usize>,
    pub children: Vec<usize>,
}

/// How types are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// With what is around them, as in the BTF of the command.
    Whole,
    /// Without, as in pahole's.
    Bare,
}

/// The debug information of a file.
pub struct Info {
    pub naming: Naming,
    pub nodes: Vec<Node>,
    pub by_place: HashMap<usize, usize>,
    pub by_signature: HashMap<u64, usize>,
    /// Functions by name: how many entries define one, and how many declare it.
    pub functions: HashMap<String, (usize, usize)>,
    /// Names of the functions in the symbol table.
    pub symbols: HashSet<String>,
    /// Whole names of the structs and unions that are defined.
    pub defined: HashSet<String>,
}

impl Info {
    /// Reads the file at `path`.
    pub fn read(path: &Path) -> gimli::Result<Self> {
        let bytes = std::fs::read(path).unwrap();
        let object = object::File::parse(&*bytes).unwrap();
        let sections = DwarfSections::load(|id| -> gimli::Result<Cow<'_, [u8]>> {
            let section = object.section_by_name(id.name());
            Ok(section.map(|section| section.uncompressed_data().unwrap()).unwrap_or_default())
        })?;
        let dwarf = sections.borrow(|section| EndianSlice::new(section, LittleEndian));
        let symbols = object.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text);
        let mut info = Info {
            naming: Naming::Whole,
            nodes: Vec::new(),
            by_place: HashMap::new(),
            by_signature: HashMap::new(),
            functions: HashMap::new(),
            defined: HashSet::new(),
            symbols: symbols.filter_map(|symbol| Some(symbol.name().ok()?.to_owned())).collect(),
        };
        // References by signature may come before what they refer to.
        let mut units = dwarf.units();
        while let Some(header) = units.next()? {
            if let UnitType::Type { type_signature, type_offset } = header.type_() {
                let start = header.debug_info_offset().unwrap().0;
                info.by_signature.insert(type_signature.0, start + type_offset.0);
            }
        }
        let mut units = dwarf.units();
        while let Some(header) = units.next()? {
            let start = header.debug_info_offset().unwrap().0;
            let unit = dwarf.unit(header)?;
            info.read_unit(&dwarf, &unit, start)?;
        }
        info.count_functions();
        let defined = info.nodes.iter().filter(|node| is_composite(node.tag) && !node.declaration);
        info.defined = defined.map(|node| identifier(&info.qualified(node))).collect();
        Ok(info)
    }

    pub fn count_functions(&mut self) {
        for node in &self.nodes {
            if node.tag != gimli::DW_TAG_subprogram {
                continue;
            }
            let names: BTreeSet<_> = [&node.name, &node.linkage_name].into_iter().collect();
            for name in names.into_iter().filter(|name| !name.is_empty()) {
                let (defined, declared) = self.functions.entry(identifier(name)).or_default();
                *(if node.declaration { declared } else { defined }) += 1;
            }
        }
    }

    pub fn read_unit(
        &mut self,
        dwarf: &Dwarf<Slice<'_>>,
        unit: &Unit<Slice<'_>>,
        start: usize,
    ) -> gimli::Result<()> {
        let mut entries = unit.entries_raw(None)?;
        // The entries around the one that is read, with their depths.
        let mut open: Vec<(isize, usize)> = Vec::new();
        while !entries.is_empty() {
            let (depth, place) = (entries.next_depth(), start + entries.next_offset().0);
            let Some(abbreviation) = entries.read_abbreviation()? else { continue };
            open.retain(|(around, _)| *around < depth);
            let parent = open.last().map(|&(_, index)| index);
            let parent_is_near = open.last().is_some_and(|&(around, _)| around + 1 == depth);
            if !is_of_interest(abbreviation.tag(), parent_is_near) {
                entries.skip_attributes(abbreviation.attributes())?;
                continue;
            }
            let mut node = Node::new(abbreviation.tag(), place, parent);
            for &specification in abbreviation.attributes() {
                let attribute = entries.read_attribute(specification)?;
                node.set(dwarf, unit, &self.by_signature, start, &attribute)?;
            }
            let index = self.nodes.len();
            if let Some(parent) = parent {
                self.nodes[parent].children.push(index);
            }
            self.by_place.insert(place, index);
            self.nodes.push(node);
            open.push((depth, index));
        }
        Ok(())
    }

    /// How many entries define a function called `name`, and how many declare it.
    pub fn functions(&self, name: &str) -> (usize, usize) {
        self.functions.get(name).copied().unwrap_or_default()
    }

    /// Whether there is a type called `name` of any sort, declared or defined.
    pub fn has_type(&self, name: &str) -> bool {
        self.nodes.iter().any(|node| {
            node.tag != gimli::DW_TAG_subprogram
                && !node.name.is_empty()
                && (self.bare_name(node) == name || identifier(&self.qualified(node)) == name)
        })
    }

    /// The entry at `place`.
    pub fn node(&self, place: usize) -> &Node {
        &self.nodes[self.by_place[&place]]
    }

    /// The type at `place`, or in the type unit that has it.
    pub fn resolve(&self, place: usize) -> &Node {
        let node = self.node(place);
        node.signature.map_or(node, |place| self.node(place))
    }

    pub fn children<'s>(&'s self, node: &'s Node) -> impl Iterator<Item = &'s Node> {
        node.children.iter().map(|&index| &self.nodes[index])
    }

    /// The name that BTF knows `node` by.
    pub fn name(&self, node: &Node) -> String {
        if node.tag == gimli::DW_TAG_base_type {
            return match base(node, &mut Gaps::new()).0 {
                Sort::Int | Sort::Float => base_name(&node.name),
                _ => identifier(&node.name),
            };
        }
        match self.naming {
            Naming::Whole => shortened(identifier(&self.qualified(node))),
            Naming::Bare => self.bare_name(node),
        }
    }

    pub fn bare_name(&self, node: &Node) -> String {
        shortened(match node.specification {
            Some(declaration) if node.name.is_empty() => identifier(&self.node(declaration).name),
            _ => identifier(&node.name),
        })
    }

    pub fn qualified(&self, node: &Node) -> String {
        // A definition belongs where its declaration is.
        if let Some(declaration) = node.specification {
            return self.qualified(self.node(declaration));
        }
        if node.name.is_empty() {
            return String::new();
        }
        format!("{}{}", self.scope(node), node.name)
    }

    /// What is around `node`, `outer::inner::`.
    pub fn scope(&self, node: &Node) -> String {
        let Some(parent) = node.parent else { return String::new() };
        let parent = &self.nodes[parent];
        let declaration = parent.specification.filter(|_| parent.tag != gimli::DW_TAG_subprogram);
        let outer = self.scope(declaration.map_or(parent, |declaration| self.node(declaration)));
        let name = match parent.specification {
            Some(declaration) if parent.name.is_empty() => &self.node(declaration).name,
            _ => &parent.name,
        };
        match parent.tag {
            gimli::DW_TAG_namespace if name.is_empty() => format!("{outer}_anonymous::"),
            tag if is_scope(tag) && !name.is_empty() => format!("{outer}{name}::"),
            _ => outer,
        }
    }
}

impl Node {
    pub fn new(tag: DwTag, place: usize, parent: Option<usize>) -> Self {
        Node {
            tag,
            name: String::new(),
            place,
            linkage_name: String::new(),
            size: None,
            ty: None,
            specification: None,
            abstract_origin: None,
            signature: None,
            declaration: false,
            external: false,
            is_virtual: false,
            has_code: false,
            location: Some(0),
            bit_size: 0,
            data_bit_offset: None,
            bit_offset: None,
            encoding: None,
            value: 0,
            count: None,
            upper: None,
            discriminant: None,
            register: None,
            parent,
            children: Vec::new(),
        }
    }

    /// Takes note of an attribute.
    pub fn set(
        &mut self,
        dwarf: &Dwarf<Slice<'_>>,
        unit: &Unit<Slice<'_>>,
        signatures: &HashMap<u64, usize>,
        start: usize,
        attribute: &Attribute<Slice<'_>>,
    ) -> gimli::Result<()> {
        let value = attribute.value();
        let text = || -> gimli::Result<String> {
            Ok(dwarf.attr_string(unit, attribute.value())?.to_string_lossy().into_owned())
        };
        let place = match value {
            AttributeValue::UnitRef(offset) => Some(start + offset.0),
            AttributeValue::DebugInfoRef(offset) => Some(offset.0),
            AttributeValue::DebugTypesRef(signature) => signatures.get(&signature.0).copied(),
            _ => None,
        };
        match attribute.name() {
            gimli::DW_AT_name => self.name = text()?,
            gimli::DW_AT_linkage_name | gimli::DW_AT_MIPS_linkage_name => {
                self.linkage_name = text()?
            }
            gimli::DW_AT_byte_size => self.size = value.udata_value(),
            gimli::DW_AT_type => self.ty = place,
            gimli::DW_AT_specification => self.specification = place,
            gimli::DW_AT_abstract_origin => self.abstract_origin = place,
            gimli::DW_AT_discr => self.discriminant = place,
            gimli::DW_AT_signature => self.signature = place,
            gimli::DW_AT_declaration => self.declaration = value == AttributeValue::Flag(true),
            gimli::DW_AT_external => self.external = value == AttributeValue::Flag(true),
            gimli::DW_AT_virtuality => {
                self.is_virtual = value != AttributeValue::Virtuality(gimli::DW_VIRTUALITY_none);
            }
            // What the linker left out is said to be where nothing can be.
            gimli::DW_AT_low_pc if value == AttributeValue::Addr(0) => {}
            gimli::DW_AT_low_pc | gimli::DW_AT_ranges => self.has_code = true,
            gimli::DW_AT_data_member_location => {
                self.location = match value {
                    AttributeValue::Exprloc(expression) => {
                        match expression.operations(unit.encoding()).next()? {
                            Some(Operation::PlusConstant { value }) => Some(value),
                            _ => None,
                        }
                    }
                    _ => value.udata_value(),
                }
            }
            gimli::DW_AT_location if self.tag == gimli::DW_TAG_formal_parameter => {
                self.register = first_register(dwarf, unit, value)?;
            }
            gimli::DW_AT_bit_size => self.bit_size = value.udata_value().unwrap_or(0),
            gimli::DW_AT_data_bit_offset => self.data_bit_offset = value.udata_value(),
            gimli::DW_AT_bit_offset => self.bit_offset = value.udata_value(),
            gimli::DW_AT_encoding => {
                if let AttributeValue::Encoding(encoding) = value {
                    self.encoding = Some(encoding);
                }
            }
            gimli::DW_AT_const_value => {
                self.value = match value {
                    AttributeValue::Sdata(value) => value.into(),
                    value => value.udata_value().unwrap_or(0).into(),
                }
            }
            gimli::DW_AT_count => self.count = value.udata_value(),
            gimli::DW_AT_upper_bound => {
                self.upper = match value {
                    AttributeValue::Sdata(bound) => u64::try_from(bound).ok(),
                    AttributeValue::Data4(u32::MAX) | AttributeValue::Data8(u64::MAX) => None,
                    bound => bound.udata_value(),
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Elements of the dimension that this is; 0 if that is not known.
    pub fn element_count(&self) -> u64 {
        self.count.or_else(|| self.upper.map(|upper| upper + 1)).unwrap_or(0)
    }
}

/// The register in which something is that has `location`, at first if it moves about.
pub fn first_register(
    dwarf: &Dwarf<Slice<'_>>,
    unit: &Unit<Slice<'_>>,
    location: AttributeValue<Slice<'_>>,
) -> gimli::Result<Option<gimli::Register>> {
    let expression = match location {
        AttributeValue::Exprloc(expression) => Some(expression),
        _ => match dwarf.attr_locations(unit, location)? {
            Some(mut locations) => locations.next()?.map(|location| location.data),
            None => None,
        },
    };
    let Some(expression) = expression else { return Ok(None) };
    Ok(match expression.operations(unit.encoding()).next()? {
        Some(Operation::Register { register }) => Some(register),
        _ => None,
    })
}

pub fn is_composite(tag: DwTag) -> bool {
    matches!(
        tag,
        gimli::DW_TAG_structure_type
            | gimli::DW_TAG_class_type
            | gimli::DW_TAG_interface_type
            | gimli::DW_TAG_union_type
    )
}

pub fn is_scope(tag: DwTag) -> bool {
    matches!(
        tag,
        gimli::DW_TAG_namespace
            | gimli::DW_TAG_module
            | gimli::DW_TAG_enumeration_type
            | gimli::DW_TAG_subprogram
    ) || is_composite(tag)
}

/// Whether entries with `tag` say anything about types; some do only if they belong to the entry
/// around them that is kept.
pub fn is_of_interest(tag: DwTag, parent_is_near: bool) -> bool {
    match tag {
        gimli::DW_TAG_formal_parameter
        | gimli::DW_TAG_unspecified_parameters
        | gimli::DW_TAG_variable
        | gimli::DW_TAG_variant_part
        | gimli::DW_TAG_variant => parent_is_near,
        gimli::DW_TAG_member
        | gimli::DW_TAG_inheritance
        | gimli::DW_TAG_enumerator
        | gimli::DW_TAG_subrange_type
        | gimli::DW_TAG_array_type
        | gimli::DW_TAG_base_type
        | gimli::DW_TAG_pointer_type
        | gimli::DW_TAG_reference_type
        | gimli::DW_TAG_rvalue_reference_type
        | gimli::DW_TAG_const_type
        | gimli::DW_TAG_volatile_type
        | gimli::DW_TAG_restrict_type
        | gimli::DW_TAG_atomic_type
        | gimli::DW_TAG_typedef
        | gimli::DW_TAG_template_alias
        | gimli::DW_TAG_ptr_to_member_type
        | gimli::DW_TAG_subroutine_type
        | gimli::DW_TAG_unspecified_type => true,
        tag => is_scope(tag),
    }
}

/// `name` with nothing in it but what an identifier may have.
pub fn identifier(name: &str) -> String {
    let fit = |byte: u8| if byte.is_ascii_alphanumeric() { char::from(byte) } else { '_' };
    let mut text: String = name.bytes().take(511).map(fit).collect();
    if text.starts_with(|first: char| first.is_ascii_digit()) {
        text.replace_range(..1, "_");
    }
    text
}

/// Base types keep the blanks between their words.
pub fn base_name(name: &str) -> String {
    let is_identifier = |word: &str| !word.is_empty() && identifier(word) == word;
    match name.split(' ').all(is_identifier) {
        true => name.to_owned(),
        false => identifier(name),
    }
}
