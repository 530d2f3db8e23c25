// SPDX-License-Identifier: MIT OR Apache-2.0
//! Having an object call functions by other names.
//!
//! libbpf looks for a function that the kernel or a module has to provide by its name alone: in the
//! object's symbols and, by the same name, in its BTF. Both get further names behind those that they
//! have, so that nothing else moves; the two sections then lie behind the file's end.

use anyhow::{Context as _, Result, ensure};
use object::read::elf::{FileHeader as _, SectionHeader as _, Sym as _};
use object::{LittleEndian, elf};
use ufunc_gen::btf;
use ufunc_gen::kernel::BTF_SECTION;

/// Where an ELF header says where the section headers are, and how long each is.
const SECTION_HEADERS: usize = 0x28;
const SECTION_HEADER_LEN: usize = 0x3a;
/// Where a section header says where the section is, and how long.
const SECTION_OFFSET: usize = 0x18;
const SECTION_SIZE: usize = 0x20;
/// Bytes of a symbol (`Elf64_Sym`), which begins with the place of its name.
const SYMBOL_LEN: usize = 24;

/// The object `bytes`, in which functions that others provide are called as `name` says, if it says
/// something.
pub(crate) fn externs(bytes: &[u8], name: impl Fn(&str) -> Option<String>) -> Result<Vec<u8>> {
    type File = elf::FileHeader64<LittleEndian>;
    let file = File::parse(bytes).context("failed to read the ELF header")?;
    let sections = file.sections(LittleEndian, bytes).context("failed to read the sections")?;
    let mut renamed = bytes.to_owned();

    let symbols = sections.symbols(LittleEndian, bytes, elf::SHT_SYMTAB)?;
    let (table, _) = sections
        .iter()
        .enumerate()
        .find(|(_, section)| section.sh_type(LittleEndian) == elf::SHT_SYMTAB)
        .context("the object has no symbols")?;
    let table = sections.section(object::SectionIndex(table))?;
    let table_start = usize::try_from(table.sh_offset(LittleEndian))?;
    let strings_index = object::SectionIndex(table.sh_link(LittleEndian) as usize);
    let mut strings = sections.section(strings_index)?.data(LittleEndian, bytes)?.to_owned();
    for (index, symbol) in symbols.enumerate() {
        if !symbol.is_undefined(LittleEndian) {
            continue;
        }
        let old = symbols.symbol_name(LittleEndian, symbol)?;
        let Some(new) = str::from_utf8(old).ok().and_then(&name) else { continue };
        let place = table_start + index.0 * SYMBOL_LEN;
        put(&mut renamed, place, &u32::try_from(strings.len())?.to_le_bytes())?;
        strings.extend_from_slice(new.as_bytes());
        strings.push(0);
    }
    move_section(&mut renamed, strings_index, &strings)?;

    let (index, section) = sections
        .section_by_name(LittleEndian, BTF_SECTION.as_bytes())
        .with_context(|| format!("the object has no section {BTF_SECTION}"))?;
    let types = btf::rename::functions(section.data(LittleEndian, bytes)?, name)?;
    move_section(&mut renamed, index, &types)?;
    Ok(renamed)
}

/// Lays `contents` behind the file's end, as those of the section `index`.
fn move_section(file: &mut Vec<u8>, index: object::SectionIndex, contents: &[u8]) -> Result<()> {
    let headers = file.get(SECTION_HEADERS..).and_then(<[u8]>::first_chunk);
    let header_len = file.get(SECTION_HEADER_LEN..).and_then(<[u8]>::first_chunk);
    let (headers, header_len) = headers.zip(header_len).context("the ELF header is cut off")?;
    let headers = usize::try_from(u64::from_le_bytes(*headers))?;
    let header = headers + usize::from(u16::from_le_bytes(*header_len)) * index.0;
    // libbpf reads BTF where it lies, in words.
    file.resize(file.len().next_multiple_of(8), 0);
    let offset = file.len() as u64;
    put(file, header + SECTION_OFFSET, &offset.to_le_bytes())?;
    put(file, header + SECTION_SIZE, &(contents.len() as u64).to_le_bytes())?;
    file.extend_from_slice(contents);
    Ok(())
}

fn put(file: &mut [u8], at: usize, bytes: &[u8]) -> Result<()> {
    let place = file.get_mut(at..at + bytes.len());
    ensure!(place.is_some(), "the object is cut off");
    place.into_iter().for_each(|place| place.copy_from_slice(bytes));
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use object::{Object as _, ObjectSection as _, ObjectSymbol as _};

    use super::*;

    const SOURCE: &str = r#"
        extern void lent(void) __attribute__((section(".ksyms")));
        extern void lent___2(void) __attribute__((section(".ksyms")));
        extern void kept(void) __attribute__((section(".ksyms")));
        __attribute__((section("uprobe"))) int program(void *ctx) { lent(); lent___2(); kept(); return 0; }
    "#;

    fn compiled() -> Vec<u8> {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut clang = Command::new("clang")
            .args(["--target=bpfel", "-g", "-O2", "-c", "-x", "c", "-", "-o"])
            .arg(file.path())
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        clang.stdin.take().unwrap().write_all(SOURCE.as_bytes()).unwrap();
        assert!(clang.wait().unwrap().success());
        std::fs::read(file.path()).unwrap()
    }

    /// What the file names as others' functions: in its symbols, and in its BTF.
    fn names(bytes: &[u8]) -> [Vec<String>; 2] {
        let file = object::File::parse(bytes).unwrap();
        let undefined = file.symbols().filter(|symbol| symbol.is_undefined());
        let undefined = undefined.map(|symbol| symbol.name().unwrap().to_owned());
        let btf = file.section_by_name(BTF_SECTION).unwrap().data().unwrap();
        let functions = btf::decode::Btf::parse(btf).unwrap();
        let functions = functions.types().filter_map(|item| match item.unwrap().1 {
            btf::Type::Func { name, linkage: btf::Linkage::Extern, .. } => Some(name.into_owned()),
            _ => None,
        });
        let mut all = [undefined.filter(|name| !name.is_empty()).collect(), functions.collect()];
        all.iter_mut().for_each(|names: &mut Vec<String>| names.sort());
        all
    }

    #[test]
    fn symbols_and_types_agree_on_the_new_names() {
        let before = compiled();
        let name = |name: &str| name.starts_with("lent").then(|| format!("ufunc_1_0_{name}"));
        let after = externs(&before, name).unwrap();
        let expected = ["kept", "ufunc_1_0_lent", "ufunc_1_0_lent___2"].map(str::to_owned);
        assert_eq!(names(&after), [expected.to_vec(), expected.to_vec()]);
        // Everything else is where it was.
        let sections = |bytes: &[u8]| {
            let file = object::File::parse(bytes).unwrap();
            let sections = file.sections();
            let sections = sections.map(|section| section.name().unwrap().to_owned());
            sections.collect::<Vec<_>>()
        };
        assert_eq!(sections(&after), sections(&before));
        for cut in [0, 40, 64, before.len() / 2, before.len() - 1] {
            assert!(externs(&before[..cut], |_| None).is_err(), "{cut}");
        }
    }
}
