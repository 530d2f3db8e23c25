// SPDX-License-Identifier: MIT OR Apache-2.0
//! What programs use, read from the object's instructions: nothing is loaded for it.
//!
//! Whatever an instruction names is named by a relocation, or stands in it as a number. Subprograms
//! are followed. What is never reached counts as well: whether it is reached, the kernel decides.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::{Context as _, Result, bail};
use object::read::elf::ElfFile64;
use object::{
    LittleEndian, Object as _, ObjectSection as _, ObjectSymbol as _, RelocationTarget,
    SectionIndex, SectionKind, SymbolKind,
};
use ufunc_compile::Instruction;
use ufunc_compile::opcode::{call, class, jump, mode, pseudo, size};
use ufunc_gen::btf::decode::Btf;
use ufunc_gen::btf::merge::essential;
use ufunc_gen::btf::{Type, TypeId};

use crate::attempt::{MapDefinition, Program, map_definitions};
use crate::helper_names;
use crate::object::{BTF_EXT_SECTION, BpfObject, SUBPROGRAMS, ext};
use crate::source::{LineTable, SourceLine};

/// Section of the object's maps, and of the numbers and names that the kernel's configuration has.
const MAPS: &str = ".maps";
const KCONFIG: &str = ".kconfig";
/// What a declaration tag begins with that names the subprogram for a program's exceptions.
const EXCEPTION_CALLBACK: &str = "exception_callback:";

/// An instruction that calls, and one that loads a 64-bit constant.
const CALL: u8 = class::JMP | jump::CALL;
const LOAD_CONSTANT: u8 = class::LD | mode::IMM | size::DW;

/// What a program may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A function that is declared `__ksym`: the application's, or the kernel's.
    Function,
    /// A variable of the kernel's.
    Variable,
    /// A helper of the kernel's.
    Helper,
    /// A map, by its type.
    Map,
}

/// Something that a program uses.
#[derive(Clone, Debug)]
pub(crate) struct Use {
    pub(crate) kind: Kind,
    /// What it is called; a map: its type.
    pub(crate) name: String,
    /// The map.
    pub(crate) map: Option<String>,
    /// Where it is used first.
    pub(crate) source: Option<SourceLine>,
}

/// What one program uses, each thing once.
#[derive(Clone, Debug)]
pub(crate) struct Uses {
    pub(crate) all: Vec<Use>,
    /// Where the program begins.
    pub(crate) head: Option<SourceLine>,
}

/// What each of `programs` of `object` uses, in their order.
///
/// Fails for what libbpf would not load either.
pub(crate) fn read(object: &BpfObject, programs: &[Program]) -> Result<Vec<Uses>> {
    let code = Code::read(object)?;
    let maps = map_definitions(object)?;
    let helpers = helper_names::all()?;
    let found = programs.iter().map(|program| code.uses(program));
    let found: Vec<_> = found.collect::<Result<_>>()?;
    let referenced: BTreeSet<&str> =
        found.iter().flat_map(|found| found.maps.iter().map(|(name, _)| name.as_str())).collect();
    // libbpf makes them all, whatever is loaded. Global variables are the program's own memory.
    let others = maps.iter().filter(|map| !map.is_internal && !referenced.contains(&*map.name));
    let others: Vec<_> = others.flat_map(|map| uses_of(map, None)).collect();
    let uses = found.iter().map(|found| {
        let mut all = Vec::new();
        let named = |kind, name: &str, source: &Option<SourceLine>| Use {
            kind,
            name: name.to_owned(),
            map: None,
            source: source.clone(),
        };
        all.extend(found.functions.iter().map(|(name, at)| named(Kind::Function, name, at)));
        all.extend(found.variables.iter().map(|(name, at)| named(Kind::Variable, name, at)));
        all.extend(found.helpers.iter().map(|(id, at)| {
            let unknown = || number(*id);
            named(Kind::Helper, &helpers.get(id).cloned().unwrap_or_else(unknown), at)
        }));
        for (name, at) in &found.maps {
            let map = maps.iter().find(|map| map.name == *name && !map.is_internal);
            all.extend(map.into_iter().flat_map(|map| uses_of(map, at.clone())));
        }
        all.extend(others.iter().cloned());
        Uses { all, head: found.head.clone() }
    });
    Ok(uses.collect())
}

/// The map's type, and that of the maps in it.
fn uses_of(map: &MapDefinition, source: Option<SourceLine>) -> Vec<Use> {
    let kinds = [Some(&map.kind), map.inner.as_ref()];
    let one = |kind: &String| Use {
        kind: Kind::Map,
        name: kind.clone(),
        map: Some(map.name.clone()),
        source: source.clone(),
    };
    kinds.into_iter().flatten().map(one).collect()
}

/// What has no name is called by its number, as nothing in a policy can be.
fn number(number: u32) -> String {
    format!("#{number}")
}

/// Where an instruction is, by its section's place among the sections of code and in it.
type Place = (usize, usize);

/// What an instruction names.
#[derive(Clone, Debug)]
enum Named {
    /// What the object itself has, in this section at this byte.
    Own {
        section: SectionIndex,
        offset: u64,
    },
    Map(String),
    /// What others have to provide.
    Extern(String),
    /// Data of the object.
    Data,
}

/// A section of instructions.
struct CodeSection {
    index: SectionIndex,
    name: String,
    instructions: Vec<Instruction>,
    named: HashMap<usize, Named>,
    lines: LineTable,
    /// The functions: name, first instruction, and the one behind the last.
    functions: Vec<(String, usize, usize)>,
}

/// All instructions of an object.
struct Code {
    sections: Vec<CodeSection>,
    /// Variables that the kernel's configuration gives values.
    configuration: BTreeSet<String>,
    /// Functions of the kernel or of modules: to ask for their address asks whether they are there.
    functions: BTreeSet<String>,
    /// By the name of a program, the subprogram that gets its exceptions.
    exception_callbacks: BTreeMap<String, String>,
}

/// What was found of one program.
#[derive(Default)]
struct Found {
    functions: Vec<(String, Option<SourceLine>)>,
    variables: Vec<(String, Option<SourceLine>)>,
    helpers: Vec<(u32, Option<SourceLine>)>,
    maps: Vec<(String, Option<SourceLine>)>,
    head: Option<SourceLine>,
}

impl Code {
    fn read(object: &BpfObject) -> Result<Code> {
        let context = || format!("failed to read the instructions of {}", object.path.display());
        let file = ElfFile64::<LittleEndian>::parse(&*object.bytes).with_context(context)?;
        let mut sections = Vec::new();
        for section in file.sections().filter(|section| section.kind() == SectionKind::Text) {
            sections.push(CodeSection::read(&file, &section, &object.btf).with_context(context)?);
        }
        let mut code = Code {
            sections,
            configuration: BTreeSet::new(),
            functions: object.kfuncs.iter().map(|kfunc| kfunc.name.clone()).collect(),
            exception_callbacks: BTreeMap::new(),
        };
        code.read_types(&object.btf).with_context(context)?;
        Ok(code)
    }

    fn read_types(&mut self, btf: &[u8]) -> Result<()> {
        let mut names = HashMap::<TypeId, String>::new();
        for item in Btf::parse(btf)?.types() {
            match item? {
                (id, Type::Func { name, .. } | Type::Var { name, .. }) => {
                    names.insert(id, name.into_owned());
                }
                (_, Type::Datasec { name, vars, .. }) if name == KCONFIG => {
                    let vars = vars.iter().filter_map(|(id, ..)| names.get(id).cloned());
                    self.configuration.extend(vars);
                }
                (_, Type::DeclTag { value, target, .. }) => {
                    let callback = value.strip_prefix(EXCEPTION_CALLBACK);
                    let program = names.get(&target);
                    let pair = program.zip(callback);
                    self.exception_callbacks
                        .extend(pair.map(|(program, name)| (program.clone(), name.to_owned())));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// What `program` uses, and whatever it calls of the object.
    fn uses(&self, program: &Program) -> Result<Found> {
        let find = |is: &dyn Fn(&CodeSection) -> bool, name: &str| {
            let sections = self.sections.iter().enumerate().filter(|(_, section)| is(section));
            let mut functions = sections.flat_map(|(place, section)| {
                section.functions.iter().map(move |(name, start, _)| (name, (place, *start)))
            });
            functions.find(|(found, _)| *found == name).map(|(_, place)| place)
        };
        let start = find(&|section| section.name != SUBPROGRAMS, &program.name);
        let start =
            start.with_context(|| format!("program {} has no instructions", program.name))?;
        let head = self.head(start, &program.name);
        let mut found = Found { head, ..Found::default() };
        let mut waiting = vec![start];
        if let Some(callback) = self.exception_callbacks.get(&program.name) {
            let callback = find(&|section| section.name == SUBPROGRAMS, callback);
            waiting.push(callback.context("the callback for exceptions is not there")?);
        }
        let mut seen = BTreeSet::new();
        while let Some(place) = waiting.pop() {
            if seen.insert(place) {
                self.read_function(place, &mut found, &mut waiting)
                    .with_context(|| format!("failed to follow program {}", program.name))?;
            }
        }
        Ok(found)
    }

    /// Reads the function that begins at `place`.
    fn read_function(
        &self,
        place: Place,
        found: &mut Found,
        waiting: &mut Vec<Place>,
    ) -> Result<()> {
        let section = &self.sections[place.0];
        let function = section.functions.iter().find(|(_, start, _)| *start == place.1);
        let Some((_, start, end)) = function else {
            bail!("it calls into the middle of a function, or nowhere")
        };
        let mut at = *start;
        while at < *end {
            let instruction = section.instructions[at];
            let line = || section.lines.find(at as u32).cloned();
            match instruction.code {
                CALL => match (section.named.get(&at), instruction.src) {
                    (Some(Named::Extern(name)), _) => note(&mut found.functions, name, line),
                    (Some(Named::Own { section, offset }), _) => {
                        let target = i64::try_from(*offset)? / Instruction::SIZE as i64
                            + i64::from(instruction.imm)
                            + 1;
                        waiting.push(self.place(*section, target)?);
                    }
                    (Some(_), _) => bail!("it calls data"),
                    (None, call::HELPER) => {
                        note(&mut found.helpers, &instruction.imm.cast_unsigned(), line);
                    }
                    (None, call::LOCAL) => {
                        let target = at as i64 + i64::from(instruction.imm) + 1;
                        waiting.push(self.place(section.index, target)?);
                    }
                    // By the number of its type, whatever it is.
                    (None, _) => {
                        let name = number(instruction.imm.cast_unsigned());
                        note(&mut found.functions, &name, line);
                    }
                },
                LOAD_CONSTANT => {
                    match (section.named.get(&at), instruction.src) {
                        (Some(Named::Map(name)), _) => note(&mut found.maps, name, line),
                        (Some(Named::Own { section, offset }), _) => {
                            let bytes = i64::try_from(*offset)? + i64::from(instruction.imm);
                            let target = bytes / Instruction::SIZE as i64;
                            waiting.push(self.place(*section, target)?);
                        }
                        (Some(Named::Extern(name)), _) => {
                            let is_harmless =
                                self.configuration.contains(name) || self.functions.contains(name);
                            if !is_harmless {
                                note(&mut found.variables, name, line);
                            }
                        }
                        (Some(Named::Data), _) | (None, pseudo::CONSTANT) => {}
                        (None, pseudo::BTF_ID) => {
                            let name = number(instruction.imm.cast_unsigned());
                            note(&mut found.variables, &name, line);
                        }
                        (None, _) => bail!("it names a map or function by a bare number"),
                    }
                    // The other half of the constant.
                    at += 1;
                }
                _ => {}
            }
            at += 1;
        }
        Ok(())
    }

    /// Where the function `name` begins: its head, if the compiler counts an instruction to that.
    fn head(&self, (section, start): Place, name: &str) -> Option<SourceLine> {
        let section = &self.sections[section];
        let (_, _, end) = section.functions.iter().find(|(_, other, _)| *other == start)?;
        let mut lines = (start..*end).filter_map(|at| section.lines.find(at as u32));
        let head =
            lines.find(|line| line.text.contains(name) && !line.text.starts_with(['\t', ' ']));
        head.or(section.lines.find(start as u32)).cloned()
    }

    fn place(&self, section: SectionIndex, instruction: i64) -> Result<Place> {
        let place = self.sections.iter().position(|other| other.index == section);
        let place = place.context("it calls what is not code")?;
        let instruction = usize::try_from(instruction).context("it calls what is not there")?;
        Ok((place, instruction))
    }
}

/// Adds `name` with where it is used, unless it was used before.
fn note<T: Clone + PartialEq>(
    found: &mut Vec<(T, Option<SourceLine>)>,
    name: &T,
    line: impl Fn() -> Option<SourceLine>,
) {
    if !found.iter().any(|(other, _)| other == name) {
        found.push((name.clone(), line()));
    }
}

impl CodeSection {
    fn read<'d>(
        file: &ElfFile64<'d, LittleEndian>,
        section: &object::read::elf::ElfSection64<'d, '_, LittleEndian>,
        btf: &[u8],
    ) -> Result<CodeSection> {
        let index = section.index();
        let name = section.name()?.to_owned();
        let instructions = Instruction::read_all(section.data()?)?;
        let own = file.symbols().filter(|symbol| {
            symbol.section_index() == Some(index) && symbol.kind() == SymbolKind::Text
        });
        let mut functions = Vec::new();
        for symbol in own {
            let size = Instruction::SIZE as u64;
            let start = usize::try_from(symbol.address() / size)?;
            let end = start.checked_add(usize::try_from(symbol.size() / size)?);
            let end = end.filter(|end| *end <= instructions.len());
            let end = end.with_context(|| format!("a function in section {name} is cut off"))?;
            functions.push((symbol.name()?.to_owned(), start, end));
        }
        let mut named = HashMap::new();
        for (offset, relocation) in section.relocations() {
            let RelocationTarget::Symbol(symbol) = relocation.target() else { continue };
            let at = usize::try_from(offset / Instruction::SIZE as u64)?;
            named.insert(at, what(file, file.symbol_by_index(symbol)?)?);
        }
        let lines = lines(file, &name, btf).unwrap_or_default();
        Ok(CodeSection { index, name, instructions, named, lines, functions })
    }
}

/// What a relocation against `symbol` names.
fn what(
    file: &ElfFile64<'_, LittleEndian>,
    symbol: object::read::elf::ElfSymbol64<'_, '_, LittleEndian>,
) -> Result<Named> {
    let Some(index) = symbol.section_index() else {
        return Ok(Named::Extern(essential(symbol.name()?).to_owned()));
    };
    let section = file.section_by_index(index)?;
    if section.kind() == SectionKind::Text {
        return Ok(Named::Own { section: index, offset: symbol.address() });
    }
    if section.name()? != MAPS {
        return Ok(Named::Data);
    }
    // Static ones may be named by their place alone.
    let is_same = |other: &object::read::elf::ElfSymbol64<'_, '_, LittleEndian>| {
        other.section_index() == Some(index)
            && other.address() == symbol.address()
            && other.kind() == SymbolKind::Data
    };
    let map = file.symbols().find(is_same).context("an instruction names no map in .maps")?;
    Ok(Named::Map(map.name()?.to_owned()))
}

/// The source lines of the section `name`; none if the compiler left none.
fn lines(file: &ElfFile64<'_, LittleEndian>, name: &str, btf: &[u8]) -> Option<LineTable> {
    let section = file.section_by_name(BTF_EXT_SECTION)?;
    let records = ext::records(section.data().ok()?, btf, &ext::LINES)?;
    let rows = records.into_iter().filter(|(section, _)| section == name).map(|(_, record)| {
        let position = ext::word(record, 12)?;
        let row = SourceLine::packed(
            ext::string(btf, ext::word(record, 4)?)?,
            ext::string(btf, ext::word(record, 8)?)?,
            position,
        );
        Some((ext::word(record, 0)? / Instruction::SIZE as u32, row))
    });
    rows.collect::<Option<_>>().map(LineTable::new)
}
