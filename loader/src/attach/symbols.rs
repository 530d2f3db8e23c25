// SPDX-License-Identifier: MIT OR Apache-2.0
//! Functions of a binary by the names that a programmer knows, and where their code is in the file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use iced_x86::{Decoder, DecoderOptions};
use object::{
    Architecture, Object as _, ObjectSegment as _, ObjectSymbol as _, SegmentFlags, SymbolFlags,
    SymbolKind,
};
use ufunc_gen::debugfile::{DebugFiles, Search};
use ufunc_gen::elf::HostFile;

use super::plt;
use crate::report::list;

/// How many functions are suggested where a name fits none or several.
const SUGGESTIONS: usize = 8;
/// What a name ends in that means the slot by which a file calls a function of another one.
const PLT_SUFFIX: &str = "@plt";

/// A place in a binary where a probe can be put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The function, as a programmer knows it; empty where the file has no symbol.
    pub(crate) symbol: String,
    /// Bytes from the function's start.
    pub(crate) offset: u64,
    /// Where it is in the address space that the file describes.
    pub(crate) address: u64,
    /// Where it is in the file, which is what the kernel wants to know.
    pub(crate) file_offset: u64,
}

impl Place {
    /// `add_test`, `add_test+0x4`, or the address where there is no symbol.
    pub(crate) fn name(&self) -> String {
        match (self.symbol.as_str(), self.offset) {
            ("", _) => format!("{:#x}", self.address),
            (symbol, 0) => symbol.to_owned(),
            (symbol, offset) => format!("{symbol}+{offset:#x}"),
        }
    }
}

/// The code of a function.
#[derive(Debug)]
pub(crate) struct Code<'a> {
    /// Where it begins, in the address space that the file describes.
    pub(crate) start: u64,
    /// How many bytes are its own; 0 if nobody knows.
    pub(crate) size: u32,
    /// Its bytes, and the filling up to the next function.
    pub(crate) bytes: &'a [u8],
    /// What the linker calls it.
    pub(crate) names: Vec<String>,
}

/// A function with code in the file.
#[derive(Clone, Copy, Debug)]
struct Function<'a> {
    name: &'a str,
    address: u64,
    size: u64,
    /// Whether this only chooses, when the program starts, which function is called by that name.
    indirect: bool,
}

/// An executable or a shared library on whose functions programs are put.
#[derive(Debug)]
pub(crate) struct Binary {
    pub(crate) path: PathBuf,
    file: HostFile,
    /// Its separate debug file, which may have the symbols that were stripped.
    debug: Option<HostFile>,
}

impl Binary {
    /// Opens the file at `path`.
    ///
    /// Fails for what is no ELF executable or shared library.
    pub(crate) fn open(path: &Path) -> Result<Binary> {
        let file = HostFile::open(path)?;
        file.parse()?.require_extendable()?;
        let debug = {
            let host = file.parse()?;
            // Without one, its own symbols have to do.
            let found = DebugFiles::find(&host, &Search::default()).ok();
            let separate = found.filter(DebugFiles::is_separate);
            separate.and_then(|files| HostFile::open(files.path()).ok())
        };
        Ok(Binary { path: path.to_owned(), file, debug })
    }

    /// The file itself.
    pub(crate) fn file(&self) -> &HostFile {
        &self.file
    }

    /// The place that `wanted` says: `NAME`, `NAME+OFFSET`, `NAME@plt` or `0xADDRESS`.
    ///
    /// Fails if there is none or more than one, with those that may be meant, and if a probe there
    /// would break an instruction.
    pub(crate) fn resolve(&self, wanted: &str) -> Result<Place> {
        let found = self.find(wanted);
        found.with_context(|| format!("cannot find {wanted} in {}", self.path.display()))
    }

    fn find(&self, wanted: &str) -> Result<Place> {
        let host = self.file.parse()?;
        let elf = host.elf();
        let functions = self.functions()?;
        if let Some(address) = hexadecimal(wanted) {
            return self.at_address(elf, &functions, address);
        }
        let (name, offset) = split_offset(wanted);
        if let Some(imported) = name.strip_suffix(PLT_SUFFIX) {
            let slot = plt::slot(elf, imported)?.with_context(|| no_slot(imported))?;
            ensure!(offset == 0, "a slot of the PLT has no offsets");
            return place(elf, name.to_owned(), slot, 0);
        }
        let matching = named(&functions, name);
        let function = match matching.as_slice() {
            [function] => *function,
            [] => match plt::slot(elf, bare(name))? {
                Some(slot) if offset == 0 => {
                    return place(elf, format!("{}{PLT_SUFFIX}", bare(name)), slot, 0);
                }
                _ => bail!(self.explain_missing(elf, &functions, name)),
            },
            several => bail!(ambiguous(several)),
        };
        ensure!(
            !function.indirect,
            "it is chosen among several when the program starts (an indirect function); {}",
            suggest(&functions, name, "name the one that is meant, such as")
        );
        check_offset(elf, function, offset)?;
        place(elf, demangled(function.name), function.address, offset)
    }

    /// The functions that `pattern` fits, in which `*` stands for any text and `?` for a character.
    pub(crate) fn resolve_pattern(&self, pattern: &str) -> Result<Vec<Place>> {
        if !pattern.contains(['*', '?']) {
            return Ok(vec![self.resolve(pattern)?]);
        }
        let host = self.file.parse()?;
        let mut places = BTreeMap::new();
        for function in self.functions()?.iter().filter(|function| !function.indirect) {
            let shown = demangled(function.name);
            if glob(pattern, function.name) || glob(pattern, &shown) {
                let place = place(host.elf(), shown, function.address, 0);
                // One that has no code in this file is no candidate.
                places.extend(place.ok().map(|place| (place.file_offset, place)));
            }
        }
        let path = self.path.display();
        ensure!(!places.is_empty(), "no function of {path} fits the pattern {pattern}");
        Ok(places.into_values().collect())
    }

    /// What is at `file_offset`, if that is code.
    pub(crate) fn at_file_offset(&self, file_offset: u64) -> Option<Place> {
        let host = self.file.parse().ok()?;
        let address = code_segments(host.elf()).find_map(|segment| {
            let within = file_offset.checked_sub(segment.file_offset)?;
            (within < segment.size).then(|| segment.address.wrapping_add(within))
        })?;
        let functions = self.functions().ok()?;
        let (symbol, offset) = match function_at(&functions, address) {
            Some(function) => (demangled(function.name), address - function.address),
            None => match plt::name_at(host.elf(), address) {
                Some(imported) => (format!("{imported}{PLT_SUFFIX}"), 0),
                None => (String::new(), 0),
            },
        };
        Some(Place { symbol, offset, address, file_offset })
    }

    /// The code around `place`, up to the next function.
    pub(crate) fn code(&self, place: &Place) -> Result<Code<'_>> {
        /// How much of what has no symbol is looked at.
        const UNKNOWN_MAX: u64 = 64;
        /// Bytes of a slot of the PLT, which has no symbol either.
        const SLOT_LEN: u64 = 16;
        let start = place.address.wrapping_sub(place.offset);
        let functions = self.functions()?;
        let own: Vec<&Function<'_>> =
            functions.iter().filter(|function| function.address == start).collect();
        let names: Vec<String> = match own.as_slice() {
            [] => vec![place.symbol.clone()],
            own => own.iter().map(|function| function.name.to_owned()).collect(),
        };
        let is_slot = own.is_empty() && place.symbol.ends_with(PLT_SUFFIX);
        let known = own.iter().map(|function| function.size).max().unwrap_or(0);
        let size = if is_slot { SLOT_LEN } else { known };
        let after = start.saturating_add(size.max(1));
        let next = functions.partition_point(|function| function.address < after);
        let room = match functions.get(next) {
            _ if is_slot => SLOT_LEN,
            Some(next) if !own.is_empty() => next.address - start,
            _ => size.max(UNKNOWN_MAX),
        };
        let bytes = self.bytes(start, room)?;
        ensure!(size <= bytes.len() as u64, "its code is cut off in the file");
        Ok(Code { start, size: u32::try_from(size)?, bytes, names })
    }

    /// Up to `length` bytes of code at `address`, fewer at the end of a segment.
    fn bytes(&self, address: u64, length: u64) -> Result<&[u8]> {
        code_at(self.file.bytes(), address, length)
    }

    /// The names of the functions that begin at `address`.
    pub(crate) fn names_at(&self, address: u64) -> Result<Vec<String>> {
        let functions = self.functions()?;
        let here = functions.iter().filter(|function| function.address == address);
        Ok(here.map(|function| function.name.to_owned()).collect())
    }

    /// Fails unless there is code at `address`.
    pub(crate) fn require_code(&self, address: u64) -> Result<()> {
        self.bytes(address, 1).map(drop)
    }

    /// Some functions that programs may be put on, the application's own first.
    pub(crate) fn candidates(&self) -> Result<Vec<String>> {
        let functions = self.functions()?;
        let boring = |name: &str| {
            name.starts_with('_') && !name.starts_with("_Z") && !name.starts_with("_R")
                || matches!(name, "deregister_tm_clones" | "register_tm_clones" | "frame_dummy")
        };
        let own = functions.iter().filter(|function| !function.indirect && !boring(function.name));
        let mut names: Vec<String> = own.map(|function| demangled(function.name)).collect();
        names.dedup();
        Ok(names)
    }

    /// All functions that have code, in the order of their addresses, each address and name once.
    fn functions(&self) -> Result<Vec<Function<'_>>> {
        let mut found = BTreeMap::new();
        add_functions(&mut found, self.file.bytes())?;
        if let Some(debug) = &self.debug {
            add_functions(&mut found, debug.bytes())?;
        }
        Ok(found.into_values().collect())
    }

    fn at_address(
        &self,
        elf: &object::File<'_>,
        functions: &[Function<'_>],
        address: u64,
    ) -> Result<Place> {
        match function_at(functions, address) {
            Some(function) => {
                let offset = address - function.address;
                check_offset(elf, function, offset)?;
                place(elf, demangled(function.name), function.address, offset)
            }
            None => place(elf, String::new(), address, 0),
        }
    }

    /// Says what may have been meant.
    fn explain_missing(
        &self,
        elf: &object::File<'_>,
        functions: &[Function<'_>],
        name: &str,
    ) -> String {
        let imported = elf.dynamic_symbols().any(|symbol| {
            symbol.is_undefined() && symbol.name().is_ok_and(|found| found == bare(name))
        });
        if imported {
            return format!(
                "it is a function of another library, and {}; give that library with --app",
                no_slot(bare(name))
            );
        }
        if functions.is_empty() {
            return "the file has no symbols (it is stripped); give an address (0x…), or install its debug symbols".to_owned();
        }
        format!("there is no such function; {}", suggest(functions, name, "there are"))
    }
}

/// Up to `length` bytes of the code at `address` of the ELF file `bytes`, fewer at a segment's end.
pub(crate) fn code_at(bytes: &[u8], address: u64, length: u64) -> Result<&[u8]> {
    let elf = object::File::parse(bytes).context("failed to read the ELF headers")?;
    let found = code_segments(&elf).find_map(|segment| {
        let within = address.checked_sub(segment.address).filter(|at| *at < segment.size)?;
        let from = usize::try_from(segment.file_offset.checked_add(within)?).ok()?;
        let length = usize::try_from(length.min(segment.size - within)).ok()?;
        bytes.get(from..from.checked_add(length)?)
    });
    found.with_context(|| format!("there is no code at address {address:#x}"))
}

fn no_slot(name: &str) -> String {
    format!("the file has no slot in its PLT through which it calls {name}")
}

/// The name without the version that dynamic symbols may be given, `malloc@GLIBC_2.2.5`.
fn bare(name: &str) -> &str {
    name.split('@').next().unwrap_or_default()
}

fn add_functions<'a>(
    found: &mut BTreeMap<(u64, &'a str), Function<'a>>,
    bytes: &'a [u8],
) -> Result<()> {
    let elf = object::File::parse(bytes).context("failed to read the symbols")?;
    for symbol in elf.symbols().chain(elf.dynamic_symbols()) {
        if symbol.kind() != SymbolKind::Text || !symbol.is_definition() {
            continue;
        }
        // A name that cannot be read belongs to a damaged symbol, and nobody can ask for it.
        let Ok(name) = symbol.name() else { continue };
        let indirect = match symbol.flags() {
            SymbolFlags::Elf { st_info, .. } => st_info.st_type() == object::elf::STT_GNU_IFUNC,
            _ => false,
        };
        let address = symbol.address();
        let function = Function { name, address, size: symbol.size(), indirect };
        found.entry((address, name)).or_insert(function);
    }
    Ok(())
}

/// The function that `address` is in; one without a size reaches up to the next one.
fn function_at<'a>(functions: &[Function<'a>], address: u64) -> Option<Function<'a>> {
    let after = functions.partition_point(|function| function.address <= address);
    let nearest = functions[..after].last()?.address;
    let function = functions.iter().find(|function| function.address == nearest)?;
    let is_within = function.size == 0 || address - function.address < function.size;
    is_within.then_some(*function)
}

/// The functions that `name` means: by symbol, else by the name in the source.
fn named<'a>(functions: &[Function<'a>], name: &str) -> Vec<Function<'a>> {
    let by = |means: &dyn Fn(&Function<'a>) -> bool| {
        let mut found = Vec::<Function<'a>>::new();
        for function in functions.iter().filter(|function| means(function)) {
            if !found.iter().any(|other| other.address == function.address) {
                found.push(*function);
            }
        }
        found
    };
    let exact = by(&|function| function.name == name);
    if !exact.is_empty() {
        return exact;
    }
    let full = by(&|function| demangle(function.name).is_some_and(|shown| shown == name));
    if !full.is_empty() {
        return full;
    }
    by(&|function| demangle(function.name).is_some_and(|shown| is_called(&shown, name)))
}

fn ambiguous(functions: &[Function<'_>]) -> String {
    let shown = functions.iter().take(SUGGESTIONS);
    let shown: Vec<String> = shown
        .map(|function| format!("{} at {:#x}", demangled(function.name), function.address))
        .collect();
    let shown: Vec<&str> = shown.iter().map(String::as_str).collect();
    format!(
        "{} functions have that name ({}); give the whole name or the address of one",
        functions.len(),
        list(&shown, "and")
    )
}

/// Functions with similar names, after `words`.
fn suggest(functions: &[Function<'_>], name: &str, words: &str) -> String {
    let wanted = name.rsplit("::").next().unwrap_or(name).to_lowercase();
    let mut similar = Vec::new();
    for function in functions.iter().filter(|function| !function.indirect) {
        let shown = demangled(function.name);
        if !wanted.is_empty() && shown.to_lowercase().contains(&wanted) && !similar.contains(&shown)
        {
            similar.push(shown);
        }
    }
    if similar.is_empty() {
        return format!("{} functions have other names", functions.len());
    }
    similar.sort_by_key(String::len);
    let more = similar.len().saturating_sub(SUGGESTIONS);
    similar.truncate(SUGGESTIONS);
    let shown: Vec<&str> = similar.iter().map(String::as_str).collect();
    match more {
        0 => format!("{words} {}", list(&shown, "and")),
        more => format!("{words} {} and {more} more", shown.join(", ")),
    }
}

/// `name` as a programmer knows it.
pub(crate) fn demangled(name: &str) -> String {
    demangle(name).unwrap_or_else(|| name.to_owned())
}

/// What a mangled name means; `None` for one that is not mangled.
fn demangle(name: &str) -> Option<String> {
    if let Ok(rust) = rustc_demangle::try_demangle(name) {
        // Without the hash.
        return Some(format!("{rust:#}"));
    }
    if !name.starts_with("_Z") {
        return None;
    }
    let symbol = cpp_demangle::Symbol::new(name.as_bytes()).ok()?;
    symbol.demangle().ok()
}

/// Whether `shown`, a demangled name, is that of a function called `name`: without parameters,
/// or without the type that a template's instance returns.
fn is_called(shown: &str, name: &str) -> bool {
    let without_parameters = without_parameters(shown);
    without_parameters == name
        || without_parameters.strip_suffix(name).is_some_and(|before| before.ends_with(' '))
}

/// `ns::f(int, char) const` without what comes after `f`.
fn without_parameters(shown: &str) -> &str {
    let end = shown.rfind(')').map_or(shown.len(), |at| at + 1);
    let text = &shown[..end];
    if !text.ends_with(')') {
        return shown;
    }
    let mut depth = 0_u32;
    for (at, byte) in text.bytes().enumerate().rev() {
        match byte {
            b')' => depth += 1,
            b'(' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return &text[..at];
                }
            }
            _ => {}
        }
    }
    shown
}

/// Splits `NAME+OFFSET`. A `+` that no number follows belongs to the name (`operator+`).
fn split_offset(wanted: &str) -> (&str, u64) {
    let Some((name, offset)) = wanted.rsplit_once('+') else { return (wanted, 0) };
    let offset = hexadecimal(offset).or_else(|| offset.parse().ok());
    match offset {
        Some(offset) if !name.is_empty() => (name, offset),
        _ => (wanted, 0),
    }
}

fn hexadecimal(text: &str) -> Option<u64> {
    u64::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

/// Fails unless an instruction of `function` starts at `offset`: the kernel would overwrite the
/// middle of one, and the application would run into it.
fn check_offset(elf: &object::File<'_>, function: Function<'_>, offset: u64) -> Result<()> {
    if offset == 0 {
        return Ok(());
    }
    ensure!(
        function.size == 0 || offset < function.size,
        "the function has {} ({:#x}) bytes only",
        function.size,
        function.size
    );
    if elf.architecture() != Architecture::X86_64 {
        return Ok(());
    }
    /// Longest instruction.
    const INSTRUCTION_MAX: u64 = 15;
    let length = offset.saturating_add(INSTRUCTION_MAX);
    let code = elf.segments().find_map(|segment| {
        let whole = segment.data_range(function.address, length).ok().flatten();
        whole.or_else(|| segment.data_range(function.address, function.size).ok().flatten())
    });
    let code = code.context("its code is not in the file")?;
    let mut decoder = Decoder::with_ip(64, code, 0, DecoderOptions::NONE);
    let mut before = 0;
    while decoder.can_decode() && decoder.ip() < offset {
        before = decoder.ip();
        ensure!(!decoder.decode().is_invalid(), "there is no instruction at +{before:#x}");
    }
    ensure!(
        decoder.ip() == offset,
        "no instruction starts there; the nearest ones are at +{before:#x} and +{:#x}",
        decoder.ip()
    );
    Ok(())
}

/// The place `offset` bytes after the function `symbol` at `address`.
fn place(elf: &object::File<'_>, symbol: String, address: u64, offset: u64) -> Result<Place> {
    let address = address.checked_add(offset).context("the offset is too large")?;
    let file_offset = code_segments(elf).find_map(|segment| {
        let within = address.checked_sub(segment.address)?;
        (within < segment.size).then(|| segment.file_offset.wrapping_add(within))
    });
    let file_offset =
        file_offset.with_context(|| format!("there is no code at address {address:#x}"))?;
    Ok(Place { symbol, offset, address, file_offset })
}

/// Bytes of the file that are mapped to be run.
struct CodeSegment {
    address: u64,
    file_offset: u64,
    size: u64,
}

fn code_segments(elf: &object::File<'_>) -> impl Iterator<Item = CodeSegment> {
    elf.segments().filter_map(|segment| {
        let SegmentFlags::Elf { p_flags, .. } = segment.flags() else { return None };
        let (file_offset, size) = segment.file_range();
        p_flags.contains(object::elf::PF_X).then(|| CodeSegment {
            address: segment.address(),
            file_offset,
            size,
        })
    })
}

/// Whether `pattern` fits the whole of `text`.
pub(crate) fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    // Where to go on if what follows the last star does not fit here.
    let mut retry = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                retry = Some((p + 1, t + 1));
                p += 1;
            }
            Some(byte) if *byte == b'?' || *byte == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match retry {
                Some((after_star, from)) => {
                    retry = Some((after_star, from + 1));
                    (p, t) = (after_star, from);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_split_off() {
        assert_eq!(split_offset("f+0x10"), ("f", 16));
        assert_eq!(split_offset("f+10"), ("f", 10));
        assert_eq!(split_offset("operator+"), ("operator+", 0));
        assert_eq!(split_offset("A::operator++"), ("A::operator++", 0));
        assert_eq!(split_offset("+5"), ("+5", 0));
    }

    #[test]
    fn names_in_the_source_are_understood() {
        assert!(is_called("ns::f(int, char)", "ns::f"));
        assert!(is_called("ns::C::f() const", "ns::C::f"));
        assert!(is_called("int ns::max<int>(int, int)", "ns::max<int>"));
        assert!(is_called("(anonymous namespace)::f(void (*)(int))", "(anonymous namespace)::f"));
        assert!(is_called("work::add_test", "work::add_test"));
        assert!(!is_called("ns::f(int)", "f"));
    }

    #[test]
    fn patterns_fit_as_in_a_shell() {
        for (pattern, text) in
            [("add_*", "add_test"), ("*", ""), ("a?c*e", "abcdde"), ("*_*_x", "a_b_c_x")]
        {
            assert!(glob(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("add_*", "sub_test"), ("a?c", "ac"), ("a*b", "abc"), ("", "a")] {
            assert!(!glob(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn both_languages_are_demangled() {
        assert_eq!(demangled("_ZN2ns1fEi"), "ns::f(int)");
        assert_eq!(demangled("_ZN4work8add_test17h0123456789abcdefE"), "work::add_test");
        assert_eq!(demangled("main"), "main");
    }
}
