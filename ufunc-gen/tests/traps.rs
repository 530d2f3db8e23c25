// SPDX-License-Identifier: MIT OR Apache-2.0
//! Debug information that was made to keep its readers busy, to fill their memory, or to have the
//! kernel refuse what comes out.
//!
//! Each trap is a few megabytes at most. The command is run with memory in proportion to that, and
//! either says in a line what is wrong, or writes BTF that the kernel accepts.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use common::dwarf::{Dwarf, Place};
use common::elf::limited_data;
use common::image::elf_with;
use common::{Lab, Output, kernel, run};
use ufunc_gen::btf::Type;
use ufunc_gen::btf::decode::Btf;

/// Longer than any of these takes on a busy machine, without optimisation.
const LIMIT: Duration = Duration::from_secs(15);
/// The kernel takes no more than this, whatever is in it (`BTF_MAX_SIZE`).
const KERNEL_MAX: usize = 16 << 20;

/// What became of a trap.
struct Caught {
    output: Output,
    btf: Option<Vec<u8>>,
}

impl Caught {
    /// Asserts that there is BTF, and that `wanted` is in it.
    #[track_caller]
    fn has(self, wanted: impl Fn(&Type<'_>) -> bool) {
        let btf = self.btf.unwrap_or_else(|| panic!("{}", self.output.stderr));
        let btf = Btf::parse(&btf).unwrap();
        assert!(btf.types().any(|item| wanted(&item.unwrap().1)));
    }

    /// Asserts that the command refused, and said `part`.
    #[track_caller]
    fn refused(self, part: &str) {
        self.output.refused(&[part]);
    }
}

/// Runs both commands on `dwarf`.
#[track_caller]
fn spring(what: &str, dwarf: &Dwarf) -> Caught {
    let bytes = dwarf.elf();
    let lab = Lab::new();
    let (app, btf) = (lab.write("trap", &bytes), lab.path("trap.btf"));
    let command = Path::new(env!("CARGO_BIN_EXE_ufunc-gen"));
    let begun = Instant::now();
    let output = run(
        "ufunc-gen",
        limited_data(command, bytes.len()).arg("btf").arg(&app).arg("-o").arg(&btf),
    );
    let took = begun.elapsed();
    println!("{what}: {} KiB, {took:?}, {:?} {}", bytes.len() >> 10, output.status, output.stderr);
    assert!(took < LIMIT, "{what} took {took:?}");
    assert!(matches!(output.status, Some(0 | 2)), "{what}: {output:?}");
    assert!(!output.stderr.contains("panicked"), "{what}: {}", output.stderr);
    assert!(output.stderr.lines().count() <= 2, "{what}: {}", output.stderr);
    let btf = fs::read(&btf).ok();
    assert_eq!(btf.is_some(), output.status == Some(0), "{what}");
    if let Some(btf) = btf.as_ref().filter(|btf| btf.len() < KERNEL_MAX) {
        kernel::accepted(what, btf);
    }
    let begun = Instant::now();
    let module = run("ufunc-gen", limited_data(command, bytes.len()).arg(&app));
    assert_eq!(module.status, Some(2), "{what}: there is nothing to lend: {module:?}");
    assert!(begun.elapsed() < LIMIT, "{what}: the module took {:?}", begun.elapsed());
    Caught { output, btf }
}

/// One unit.
fn one<T>(write: impl FnOnce(&mut Dwarf) -> T) -> Dwarf {
    let mut dwarf = Dwarf::default();
    dwarf.unit();
    write(&mut dwarf);
    dwarf.end();
    dwarf
}

fn is_struct(name: &str, size: u32) -> impl Fn(&Type<'_>) -> bool {
    move |ty| matches!(ty, Type::Struct(found) if found.name == name && found.size == size)
}

fn is_intact(ty: &Type<'_>) -> bool {
    matches!(ty, Type::Struct(found) if found.name == "fine" && found.members.len() == 2)
}

/// A struct that nothing is wrong with, and that must be there whatever else is.
fn fine(dwarf: &mut Dwarf) -> Place {
    let int = dwarf.int();
    dwarf.structure("fine", 8);
    dwarf.member("a", int, 0).member("b", int, 4).close(1);
    int
}

#[test]
fn nothing_wrong() {
    spring("nothing", &one(fine)).has(is_intact);
}

#[test]
fn depth() {
    const DEEP: usize = 1_000_000;
    let namespaces = one(|dwarf| {
        fine(dwarf);
        for _ in 0..64 {
            dwarf.open(11).name("a_name_that_is_thirty_two_bytes__");
        }
        for _ in 0..DEEP {
            dwarf.open(11).name("n");
        }
        dwarf.int();
        dwarf.close(DEEP + 64);
    });
    spring("nested namespaces", &namespaces).has(is_intact);
    let blocks = one(|dwarf| {
        fine(dwarf);
        dwarf.open(20).name("f").word(1).word(0);
        for _ in 0..DEEP {
            dwarf.open(13);
        }
        dwarf.structure("inner", 4);
        dwarf.close(DEEP + 2);
    });
    spring("nested blocks", &blocks).has(is_intact);
    let functions = one(|dwarf| {
        fine(dwarf);
        for _ in 0..DEEP / 10 {
            dwarf.open(20).name("f").word(1).word(0);
        }
        dwarf.structure("inner", 4);
        dwarf.close(DEEP / 10 + 1);
    });
    spring("nested functions", &functions).has(is_intact);
    // Each has to be read for itself: who has that many is no compiler.
    let structs = one(|dwarf| {
        fine(dwarf);
        for _ in 0..DEEP / 10 {
            dwarf.structure("s", 4);
        }
        dwarf.close(DEEP / 10);
    });
    spring("nested structs", &structs).refused("keep its readers busy");
    let anonymous = one(|dwarf| {
        fine(dwarf);
        for _ in 0..DEEP / 10 {
            dwarf.open(14).uleb(4);
        }
        dwarf.close(DEEP / 10);
    });
    spring("nested structs without names", &anonymous).refused("keep its readers busy");
}

#[test]
fn chains() {
    const LONG: usize = 100_000;
    for (what, last) in [("end", true), ("circle", false)] {
        let typedefs = one(|dwarf| {
            fine(dwarf);
            let first = dwarf.here();
            for _ in 0..LONG {
                let next = dwarf.here() + 7;
                dwarf.typedef("t", next);
            }
            if last {
                dwarf.int();
            } else {
                dwarf.typedef("t", first);
            }
        });
        spring(&format!("typedefs to a {what}"), &typedefs).has(is_intact);
        let pointers = one(|dwarf| {
            fine(dwarf);
            let first = dwarf.here();
            for _ in 0..LONG {
                let next = dwarf.here() + 5;
                dwarf.pointer(next);
            }
            if last {
                dwarf.int();
            } else {
                dwarf.pointer(first);
            }
            dwarf.typedef("root", first);
        });
        spring(&format!("pointers to a {what}"), &pointers).has(is_intact);
        let constants = one(|dwarf| {
            fine(dwarf);
            let first = dwarf.here();
            for _ in 0..LONG {
                let next = dwarf.here() + 5;
                dwarf.open(12).word(next);
            }
            if last {
                dwarf.int();
            } else {
                dwarf.open(12).word(first);
            }
            dwarf.typedef("root", first);
        });
        spring(&format!("qualifiers to a {what}"), &constants).has(is_intact);
        // struct { struct { … } }, none of which has a name.
        let structs = one(|dwarf| {
            fine(dwarf);
            let first = dwarf.here();
            for _ in 0..LONG {
                let next = dwarf.here() + 2 + 6 + 1;
                dwarf.open(14).uleb(4).open(15).word(next).uleb(0).close(1);
            }
            if last {
                dwarf.int();
            } else {
                dwarf.open(14).uleb(4).open(15).word(first).uleb(0).close(1);
            }
            dwarf.typedef("root", first);
        });
        spring(&format!("anonymous structs to a {what}"), &structs).has(is_intact);
        let arrays = one(|dwarf| {
            fine(dwarf);
            let first = dwarf.here();
            for _ in 0..LONG {
                let next = dwarf.here() + 5 + 2 + 1;
                dwarf.array(next, 1);
            }
            if last {
                dwarf.int();
            } else {
                dwarf.array(first, 1);
            }
            dwarf.typedef("root", first);
        });
        spring(&format!("arrays to a {what}"), &arrays).has(is_intact);
    }
}

#[test]
fn what_contains_itself_is_left_out() {
    let dwarf = one(|dwarf| {
        let int = fine(dwarf);
        let own = dwarf.structure("own", 16);
        dwarf.member("before", int, 0).member("itself", own, 4).member("after", int, 12).close(1);
        let (a, b) = (dwarf.here(), dwarf.here() + 4 + 8 + 1);
        dwarf.structure("a", 8);
        dwarf.member("m", b, 0).close(1);
        dwarf.structure("b", 8);
        dwarf.member("m", a, 0).close(1);
        let array = dwarf.here();
        dwarf.array(array, 3);
        dwarf.typedef("of_itself", array);
        let typedef = dwarf.here();
        dwarf.typedef("loop", typedef);
        let pointer = dwarf.here();
        dwarf.pointer(pointer);
        dwarf.structure("holder", 32);
        dwarf.member("x", typedef, 0).member("y", pointer, 8).member("z", int, 16).close(1);
        // A function that takes and returns itself.
        let function = dwarf.here();
        dwarf.open(26).word(function).open(27).word(function).close(1);
        dwarf.typedef("call", function);
        let pointer = dwarf.pointer(own);
        dwarf.typedef("own_pointer", pointer);
    });
    let caught = spring("containing itself", &dwarf);
    let btf = caught.btf.as_deref().unwrap();
    let types: Vec<_> = Btf::parse(btf).unwrap().types().map(|item| item.unwrap().1).collect();
    let members = |name: &str| {
        let found = types.iter().find_map(|ty| match ty {
            Type::Struct(found) if found.name == name => Some(found),
            _ => None,
        });
        found.unwrap().members.iter().map(|member| member.name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(members("own"), ["before", "after"]);
    assert!(members("holder").contains(&"z".to_owned()), "{:?}", members("holder"));
    caught.has(is_intact);
}

#[test]
fn numbers() {
    let huge = [1, 7, 1 << 16, 1 << 29, u64::from(u32::MAX), 1 << 33, u64::MAX / 8, u64::MAX];
    let dwarf = one(|dwarf| {
        let int = fine(dwarf);
        for value in huge {
            let array = dwarf.array(int, value);
            let bounded = dwarf.here();
            dwarf.open(7).word(int).open(24).uleb(value).close(1);
            dwarf.typedef("by_bound", bounded);
            let of_arrays = dwarf.array(array, value);
            let pointer = dwarf.pointer(of_arrays);
            dwarf.structure("sized", value);
            dwarf.member("m", int, 0).close(1);
            dwarf.structure("far", 8);
            dwarf.member("m", int, value).member("p", pointer, 0).member("a", array, 0).close(1);
            dwarf.structure("bits", 8);
            dwarf.open(21).name("b").word(int).uleb(value).uleb(0);
            dwarf.open(21).name("c").word(int).uleb(3).uleb(value);
            dwarf.close(1);
            dwarf.open(9).name("e").uleb(value).open(10).name("A").byte(1).close(1);
            let odd = dwarf.here();
            dwarf.open(2).name("odd").uleb(value).byte(5);
            dwarf.open(2).name("odd_real").uleb(value).byte(4);
            dwarf.structure("of_odd", 64);
            dwarf.member("m", odd, 0).close(1);
            dwarf.open(22).name("u").uleb(value);
            dwarf.member("m", int, value).member("f", array, 0).close(1);
        }
        // A thousand dimensions.
        let place = dwarf.here();
        dwarf.open(7).word(int);
        for _ in 0..1000 {
            dwarf.open(8).uleb(1000);
        }
        dwarf.close(1);
        dwarf.typedef("cube", place);
    });
    spring("numbers", &dwarf).has(is_intact);
}

#[test]
fn crowds() {
    let values = one(|dwarf| {
        fine(dwarf);
        dwarf.open(9).name("crowd").uleb(4);
        for value in 0..70_000 {
            dwarf.open(10).name(&format!("V{value}")).byte(1);
        }
        dwarf.close(1);
    });
    spring("70,000 enumerators", &values).has(is_struct("crowd", 4));
    let members = one(|dwarf| {
        let int = fine(dwarf);
        dwarf.structure("crowd", 280_000);
        for value in 0..70_000 {
            dwarf.member("m", int, value * 4);
        }
        dwarf.close(1);
    });
    spring("70,000 members", &members).has(is_struct("crowd", 280_000));
    // All of them bad, each in a struct that is otherwise good.
    let bad = one(|dwarf| {
        let int = fine(dwarf);
        dwarf.structure("crowd", 4);
        for _ in 0..60_000 {
            dwarf.member("m", int, 1);
        }
        dwarf.close(1);
        let itself = dwarf.structure("itself", 4);
        for _ in 0..60_000 {
            dwarf.member("m", itself, 0);
        }
        dwarf.close(1);
    });
    spring("60,000 bad members", &bad).has(is_intact);
}

#[test]
fn names_of_megabytes() {
    let long = "n".repeat(2 << 20);
    let dwarf = one(|dwarf| {
        let int = fine(dwarf);
        dwarf.structure(&long, 4);
        dwarf.member(&long, int, 0).close(1);
        dwarf.open(11).name(&long).structure("inner", 4);
        dwarf.close(2);
    });
    spring("long names", &dwarf).has(is_intact);
    // Everything within has the name of what is around it.
    let prefix = "s".repeat(2000);
    let dwarf = one(|dwarf| {
        fine(dwarf);
        dwarf.open(11).name(&prefix);
        for index in 0..10_000 {
            dwarf.structure(&format!("i{index}"), 4);
            dwarf.close(1);
        }
        dwarf.close(1);
    });
    spring("a long scope", &dwarf).has(is_intact);
}

#[test]
fn variants() {
    let dwarf = one(|dwarf| {
        let int = fine(dwarf);
        // No discriminant; one that is no member, that is the part itself, and one of another type.
        for discriminant in 0..4 {
            let outer = dwarf.structure("choice", 16);
            let part = dwarf.here();
            match discriminant {
                0 => dwarf.open(19),
                1 => dwarf.open(16).word(int),
                2 => dwarf.open(16).word(part),
                _ => dwarf.open(16).word(outer),
            };
            dwarf.open(17).byte(0).member("zero", int, 4).close(1);
            dwarf.open(17).byte(1).member("one", outer, 0).close(1);
            // A variant part in a variant, which nobody has.
            dwarf.open(17).byte(2).open(19).open(17).byte(3).close(3);
            dwarf.close(2);
        }
    });
    spring("variant parts", &dwarf).has(is_intact);
}

#[test]
fn references_that_lead_astray() {
    // A type unit that is nowhere.
    let dwarf = one(|dwarf| {
        fine(dwarf);
        dwarf.structure("s", 8);
        dwarf.open(18).name("m").word(1).word(2).close(1);
    });
    spring("no such type unit", &dwarf).has(is_struct("s", 8));
    // An entry that is no type: an enumerator, a member, the unit itself.
    let dwarf = one(|dwarf| {
        fine(dwarf);
        dwarf.open(9).name("e").uleb(4);
        let value = dwarf.here();
        dwarf.open(10).name("V").byte(1).close(1);
        dwarf.structure("s", 8);
        dwarf.member("m", value, 0).close(1);
    });
    spring("no type", &dwarf).has(is_struct("s", 8));
    // The middle of another unit's entry.
    let mut dwarf = one(fine);
    let other = dwarf.section_offset();
    dwarf.unit();
    dwarf.int();
    dwarf.end();
    dwarf.unit();
    dwarf.structure("s", 8);
    dwarf.open(23).name("m").word(other + 20).uleb(0).close(1);
    dwarf.open(23).name("n").word(0).uleb(0).close(1);
    dwarf.end();
    let caught = spring("the middle of another unit", &dwarf);
    assert!(caught.output.status == Some(0) || caught.output.stderr.contains("offset 0x"));
}

#[test]
fn units_that_overlap_or_have_no_length() {
    let mut dwarf = one(fine);
    // Zero-length units, as padding would be.
    for _ in 0..1000 {
        dwarf.word(0);
    }
    let caught = spring("units without length", &dwarf);
    assert!(caught.output.status == Some(0) || caught.output.stderr.contains(".debug_info"));
    // Units that are one byte long, and many units of one abbreviation table.
    let mut dwarf = one(fine);
    for _ in 0..50_000 {
        dwarf.unit();
        dwarf.end();
    }
    spring("50,000 units", &dwarf).has(is_intact);
}

/// Units that define `names` structs in layouts of their own, each of which refers to the next.
fn disagreeing(units: usize, names: usize) -> Dwarf {
    let mut dwarf = one(fine);
    for unit in 0..units {
        dwarf.unit();
        let mut next = dwarf.here();
        let first = next + 5 * names as u32;
        let lengths: Vec<u32> = (0..names)
            .map(|index| {
                let mut alone = Dwarf::default();
                write_struct(&mut alone, index, unit, 0);
                alone.section_offset()
            })
            .collect();
        let mut target = first;
        for length in &lengths {
            dwarf.pointer(target);
            target += length;
        }
        for index in 0..names {
            let to = next + 5 * ((index + 1) % names) as u32;
            write_struct(&mut dwarf, index, unit, to);
        }
        next = dwarf.here();
        assert_eq!(next, target);
        dwarf.end();
    }
    dwarf
}

fn write_struct(dwarf: &mut Dwarf, index: usize, unit: usize, pointer: Place) {
    // The same length whatever the numbers are.
    dwarf.structure(&format!("s{index:06}"), 1 << 20 | unit as u64);
    dwarf.member("next", pointer, 0).close(1);
}

#[test]
fn files_that_disagree() {
    spring("10,000 definitions of one name", &disagreeing(10_000, 1)).has(is_intact);
    spring("1,000 units that disagree over 20", &disagreeing(1000, 20)).has(is_intact);
    spring("100 units that disagree over 500", &disagreeing(100, 500)).has(is_intact);
    spring("3 units that disagree over 20,000", &disagreeing(3, 20_000)).has(is_intact);
}

#[test]
fn one_file_that_disagrees_with_itself() {
    // In one scope, and with pointers to each.
    let dwarf = one(|dwarf| {
        fine(dwarf);
        for size in 1000..11_000 {
            let place = dwarf.structure("same", size);
            let pointer = dwarf.here() + 1 + 2 + 4 + 1 + 1;
            dwarf.member("m", pointer, 0).close(1);
            dwarf.pointer(place);
        }
    });
    spring("10,000 definitions of one name in one unit", &dwarf).has(is_intact);
}

/// An object that is not linked has a section in several pieces, which are put together: here they
/// are all the same bytes.
#[test]
fn pieces_that_are_all_the_same_bytes() {
    let contents = vec![0; 256 << 10];
    let mut sections = vec![(".debug_info", contents.as_slice())];
    sections.resize(20_000, (".debug_info", &[]));
    let mut bytes = elf_with(&sections);
    // ET_REL
    bytes[16] = 1;
    let table = u64::from_le_bytes(bytes[40..48].try_into().unwrap()) as usize;
    let (first, rest) = bytes[table + 64..].split_at_mut(64);
    rest.chunks_exact_mut(64)
        .take(sections.len() - 1)
        .for_each(|header| header.copy_from_slice(first));
    let lab = Lab::new();
    let app = lab.write("pieces", &bytes);
    let command = Path::new(env!("CARGO_BIN_EXE_ufunc-gen"));
    let output = run("ufunc-gen", limited_data(command, bytes.len()).arg("btf").arg(&app));
    output.refused(&["failed to read section .debug_info", "not credible"]);
}

#[test]
fn declarations_of_nothing() {
    let dwarf = one(|dwarf| {
        let int = fine(dwarf);
        for index in 0..50_000 {
            let declared = dwarf.here();
            dwarf.open(28).name(&format!("d{index}"));
            dwarf.structure("by_value", 8);
            dwarf.member("d", declared, 0).member("i", int, 4).close(1);
        }
    });
    spring("declarations", &dwarf).has(is_intact);
}
