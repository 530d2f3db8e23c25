// SPDX-License-Identifier: MIT OR Apache-2.0
//! What every module has to have, read back by another library's eyes: what the kernel's
//! `load_module()` looks at.

use std::collections::BTreeMap;

use object::read::elf::{ElfFile64, FileHeader as _};
use object::{
    Endianness, Object as _, ObjectSection as _, ObjectSymbol as _, RelocationTarget, SymbolKind,
    SymbolSection,
};
use ufunc_gen::btf::decode::Btf;
use ufunc_gen::btf::{Type, TypeId};
use ufunc_gen::metadata::ModuleMetadata;
use ufunc_gen::module::Module;
use ufunc_gen::module::object::{Arch, Kernel};

type Elf<'d> = ElfFile64<'d, Endianness>;

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn section<'d>(elf: &Elf<'d>, name: &str) -> &'d [u8] {
    let mut found = elf.sections().filter(|section| section.name() == Ok(name));
    let data = found.next().unwrap_or_else(|| panic!("no section {name}")).data().unwrap();
    assert!(found.next().is_none(), "two sections {name}");
    data
}

/// Asserts that `bytes` are a module called `name` that declares `module` to `kernel`.
pub(crate) fn check(bytes: &[u8], module: &Module<'_>, kernel: &Kernel, name: &str) {
    let elf = Elf::parse(bytes).unwrap();
    let endian = elf.endian();
    assert_eq!(elf.elf_header().e_type(endian), object::elf::ET_REL);
    sections_lie_apart(&elf, bytes.len());
    this_module(&elf, kernel, name);
    let stubs = stubs(&elf);
    for kfunc in &module.kfuncs {
        let name = kfunc.name.as_str();
        assert!(stubs.contains_key(name), "no stub for {name}");
    }
    assert_eq!(stubs.len(), module.kfuncs.len() + 2, "{stubs:?}");
    relocations(&elf);
    types(&elf, module, kernel);
    return_sites(&elf, kernel);
    if kernel.arch == Arch::Aarch64 {
        for name in [".plt", ".init.plt", ".text.ftrace_trampoline"] {
            assert_eq!(section(&elf, name).len(), 1);
        }
    }
}

/// Nothing overlaps, nothing is outside of the file, all is aligned as it says.
fn sections_lie_apart(elf: &Elf<'_>, len: usize) {
    let mut ranges = Vec::new();
    for section in elf.sections() {
        let (start, size) = section.file_range().unwrap();
        assert!(start.is_multiple_of(section.align().max(1)), "{:?}", section.name());
        ranges.push((start, start + size));
    }
    ranges.sort_unstable();
    assert!(ranges.windows(2).all(|pair| pair[0].1 <= pair[1].0), "{ranges:?}");
    assert!(ranges.last().unwrap().1 <= len as u64);
}

fn this_module(elf: &Elf<'_>, kernel: &Kernel, name: &str) {
    let layout = &kernel.this_module;
    let contents = section(elf, ".gnu.linkonce.this_module");
    assert_eq!(contents.len(), layout.size as usize);
    let at = layout.name as usize;
    assert_eq!(&contents[at..at + name.len()], name.as_bytes());
    let zeroes = contents.iter().filter(|&&byte| byte == 0).count();
    assert_eq!(zeroes, contents.len() - name.len());
    let section = elf.section_by_name(".gnu.linkonce.this_module").unwrap();
    let pointers: BTreeMap<_, _> = section
        .relocations()
        .map(|(offset, relocation)| {
            let RelocationTarget::Symbol(symbol) = relocation.target() else { panic!() };
            (offset, elf.symbol_by_index(symbol).unwrap().name().unwrap())
        })
        .collect();
    let expected = [(layout.init, "init_module"), (layout.exit, "cleanup_module")];
    assert_eq!(pointers, expected.map(|(at, name)| (u64::from(at), name)).into());
}

/// The functions, by name: global, in `.text`, one behind the other.
fn stubs<'d>(elf: &Elf<'d>) -> BTreeMap<&'d str, u64> {
    let text = elf.section_by_name(".text").unwrap();
    let mut found = BTreeMap::new();
    let mut places = Vec::new();
    for symbol in elf.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text) {
        assert!(symbol.is_global());
        assert_eq!(symbol.section(), SymbolSection::Section(text.index()));
        let place = (symbol.address(), symbol.address() + symbol.size());
        assert!(symbol.address().is_multiple_of(16) && place.1 <= text.size());
        places.push(place);
        assert_eq!(found.insert(symbol.name().unwrap(), symbol.address()), None);
    }
    places.sort_unstable();
    assert!(places.windows(2).all(|pair| pair[0].1 <= pair[1].0));
    found
}

/// Every relocation is inside of its section, and of something that is there or the kernel's.
fn relocations(elf: &Elf<'_>) {
    const KERNEL: [&str; 2] = ["register_btf_kfunc_id_set", "__x86_return_thunk"];
    for section in elf.sections() {
        for (offset, relocation) in section.relocations() {
            assert!(offset + 4 <= section.size(), "{:?}", section.name());
            let RelocationTarget::Symbol(index) = relocation.target() else { panic!() };
            let symbol = elf.symbol_by_index(index).unwrap();
            assert!(!symbol.is_undefined() || KERNEL.contains(&symbol.name().unwrap()));
        }
    }
}

/// The types are the module's, and the set of ids is of its functions with their flags.
fn types(elf: &Elf<'_>, module: &Module<'_>, kernel: &Kernel) {
    let own = section(elf, ".BTF");
    let encoded = module.btf().unwrap();
    let kernel_btf = super::fake_kernel::vmlinux_btf("f");
    let base = if kernel.distilled_base {
        assert_eq!(own, encoded.own.to_bytes().unwrap());
        assert_eq!(section(elf, ".BTF.base"), encoded.base.to_bytes().unwrap());
        section(elf, ".BTF.base")
    } else {
        assert!(elf.section_by_name(".BTF.base").is_none());
        kernel_btf.as_slice()
    };
    let base = Btf::parse(base).unwrap();
    let btf = Btf::parse_split(own, &base).unwrap();
    assert_eq!(ModuleMetadata::read(&btf).unwrap().as_ref(), Some(&module.metadata));
    let int = base.types().map(Result::unwrap).find(|(_, ty)| ty.name() == "int").unwrap().0;
    let types: BTreeMap<TypeId, Type<'_>> = btf.types().map(Result::unwrap).collect();
    let first = *types.keys().next().unwrap();
    for ty in types.values() {
        ty.for_each_ref(|id| {
            assert!(id == TypeId::VOID || id == int || id >= first, "{ty:?}");
        });
    }
    let set = section(elf, ".BTF_ids");
    let count = word(set, 0) as usize;
    assert_eq!((count, word(set, 4)), (module.kfuncs.len(), 1));
    assert_eq!(set.len(), 8 + 8 * count);
    let pairs: Vec<_> =
        (0..count).map(|n| (TypeId(word(set, 8 + 8 * n)), word(set, 12 + 8 * n))).collect();
    assert!(pairs.is_sorted_by_key(|(id, _)| *id));
    let found: BTreeMap<_, _> = pairs
        .iter()
        .map(|(id, flags)| {
            let Type::Func { name, .. } = &types[id] else { panic!("{:?}", types[id]) };
            (name.clone().into_owned(), *flags)
        })
        .collect();
    let expected: BTreeMap<_, _> =
        module.kfuncs.iter().map(|kfunc| (kfunc.name.clone(), kfunc.flags)).collect();
    assert_eq!(found, expected);
}

/// Where functions return through the thunk, all such places are listed, and there is no other
/// return.
fn return_sites(elf: &Elf<'_>, kernel: &Kernel) {
    let text = elf.section_by_name(".text").unwrap();
    let thunk = elf.symbols().find(|symbol| symbol.name() == Ok("__x86_return_thunk"));
    assert_eq!(thunk.is_some(), kernel.return_thunk && kernel.arch == Arch::X86_64);
    let Some(thunk) = thunk else { return };
    let jumps = text
        .relocations()
        .filter(|(_, relocation)| relocation.target() == RelocationTarget::Symbol(thunk.index()));
    // The address follows the instruction's first byte.
    let jumps: Vec<_> = jumps.map(|(offset, _)| offset as i64 - 1).collect();
    let sites = elf.section_by_name(".return_sites").unwrap();
    let sites: Vec<_> = sites.relocations().map(|(_, site)| site.addend()).collect();
    assert_eq!(jumps, sites);
    let bytes = text.data().unwrap();
    assert!(jumps.iter().all(|&at| bytes[at as usize] == 0xe9));
}
