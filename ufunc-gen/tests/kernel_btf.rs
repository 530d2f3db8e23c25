// SPDX-License-Identifier: MIT OR Apache-2.0
//! The kernel and the compilers as judges of the types that are written.
//!
//! The running kernel is given a module's types as BTF that stands alone, which it checks more
//! strictly than a module's; nothing but the BTF is loaded, and it is gone when the test ends.
//! That takes root or `CAP_BPF`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use std::path::Path;

use common::kernel::{accepted, load};
use common::library::{module_btf, with_all_types};
use common::{Lab, Random, golden_app, golden_folder, tool};
use ufunc_gen::btf::check::check;
use ufunc_gen::btf::decode::Btf;
use ufunc_gen::btf::encode::Encoded;
use ufunc_gen::btf::{Composite, IntEncoding, Linkage, Member, Param, Type, TypeId};

#[test]
fn the_kernel_accepts_the_golden_modules() {
    let lab = Lab::new();
    for (name, sources) in [
        ("pair", &["pair"][..]),
        ("families", &["families"]),
        ("zoo", &["zoo", "zoo_hidden"]),
        ("names", &["names"]),
    ] {
        accepted(name, &module_btf(&golden_app(&lab, name, sources)).unwrap());
    }
}

/// Types that C allows and the kernel does not, as they are.
const AWKWARD: &str = r#"
struct opaque;
typedef void nothing_t;
typedef const void const_nothing_t;
enum __attribute__((packed)) tiny { TINY = 1 };
enum wide { WIDE = 0x1234567812345678 };
typedef double real_t;

struct __attribute__((packed)) packed {
	char c;
	double d;
	const real_t r;
	long double ld;
	float f[3];
	union { double u; char b; } u;
};

struct bits {
	unsigned a : 3;
	enum tiny tiny;
	enum wide wide : 40;
	enum wide whole;
	enum tiny small : 2;
	_Bool flag : 1;
	unsigned char byte : 8;
	short spread : 9;
	unsigned __int128 huge : 100;
	double real;
	struct { int x; } inner;
	int *pointer;
	char text[3];
};

struct empty {};
struct zero { int n; struct empty e; int last[0]; };

struct thing {
	struct packed packed;
	struct bits bits;
	struct zero zero;
	nothing_t (*returns_nothing)(void);
	const_nothing_t *read_only;
	struct opaque (*by_value)(struct opaque, const struct opaque, int);
	void (*unprototyped)();
	void (*takes_array)(int n, int (*)[n], double [static 3]);
	int ********************************many;
	_Complex float cf;
	_Complex long double cld;
	enum forward *forward;
	char name[];
};

struct thing *thing_new(void) { return 0; }
void thing_free(struct thing *t) { (void)t; }
int main(void) { return thing_new() != 0; }
"#;

#[test]
fn the_kernel_accepts_awkward_types() {
    for compiler in ["gcc", "clang"] {
        for dwarf in ["-gdwarf-4", "-gdwarf-5"] {
            let lab = Lab::new();
            let app = lab.build(compiler, &[dwarf, "-w"], AWKWARD);
            accepted(&format!("{compiler} {dwarf}"), &module_btf(&app).unwrap());
        }
    }
}

/// C++ as libraries have it: templates, inheritance, classes whose definition is elsewhere.
const LIBRARY: &str = r#"
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

struct virtual_base { virtual ~virtual_base() = default; int v; };
struct left : virtual virtual_base { int l; };
struct right : virtual virtual_base { int r; };
struct diamond : left, right { int d; };
struct empty {};
struct with_empty : empty { char c; std::nullptr_t nothing; with_empty(std::nullptr_t &); };
enum class scoped : unsigned char { a, b = 255 };
enum signed_scoped : long { minus = -5000000000 };

struct everything {
	std::map<int, std::string> map;
	std::vector<std::unique_ptr<diamond>> diamonds;
	std::function<void(std::string)> callback;
	std::variant<int, double, std::string> variant;
	std::optional<std::tuple<int, long, char>> optional;
	std::string names[3];
	int diamond::*member;
	void (everything::*method)(int);
	with_empty *e;
	scoped s;
	signed_scoped ss;
	int bits : 3;
	bool flag : 1;
	static int count;
};

extern "C" everything *everything_new() { return new everything; }
extern "C" void everything_delete(everything *e) { delete e; }
int main() { everything_delete(everything_new()); }
"#;

#[test]
fn the_kernel_accepts_types_of_cpp() {
    for compiler in ["g++", "clang++"] {
        let lab = Lab::new();
        let flags = ["-g", "-std=c++17", "-w"];
        let app = lab.build_files(compiler, &flags, &[("app.cpp", LIBRARY)]);
        accepted(compiler, &module_btf(&app).unwrap());
        all_accepted(&app);
    }
}

#[test]
fn the_kernel_accepts_types_of_rust() {
    all_accepted(Path::new(env!("CARGO_BIN_EXE_ufunc-gen")));
}

/// Asserts that the kernel accepts the types of all functions of `app`.
#[track_caller]
fn all_accepted(app: &Path) {
    with_all_types(app, |types| {
        check(types).unwrap();
        let btf = Encoded::new(types, 0).unwrap().to_bytes().unwrap();
        accepted(&app.display().to_string(), &btf);
    })
    .unwrap();
}

/// Whatever the kernel refuses, [`check`] refuses, and the other way round.
#[test]
fn the_checks_are_the_kernels() {
    let seed = std::env::var("UFUNC_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or(1);
    println!("UFUNC_TEST_SEED={seed}");
    let mut random = Random::new(seed);
    let (mut sound, mut broken) = (0, 0);
    for round in 0..20_000 {
        let types = random_types(&mut random);
        let btf = Encoded::new(&types, 0).unwrap().to_bytes().unwrap();
        let (ours, kernels) = (check(&types), load(&btf));
        match (&ours, &kernels) {
            (Ok(()), Ok(())) => sound += 1,
            (Err(_), Err(_)) => broken += 1,
            _ => {
                let log = kernels.err().unwrap_or_default();
                panic!("round {round}: check: {ours:?}, kernel: {log}\n{types:#?}")
            }
        }
    }
    println!("{sound} accepted, {broken} refused");
    assert!(sound > 200 && broken > 200, "{sound} accepted, {broken} refused: not much of a test");
}

/// A few types, most of them sound.
fn random_types(random: &mut Random) -> Vec<Type<'static>> {
    let count = 3 + random.below(5) as u32;
    let mut types = vec![int(4, 32)];
    for _ in 1..count {
        // Mostly backwards, so that not everything runs in circles.
        let any = |random: &mut Random| match random.below(8) {
            0 => TypeId(random.below(count as usize + 1) as u32),
            _ => TypeId(1 + random.below(types.len()) as u32),
        };
        let target = any(random);
        let ty = match random.below(17) {
            0 => int([1, 2, 4, 8, 16][random.below(5)], [8, 16, 32, 64, 7][random.below(5)]),
            1 => Type::Ptr(target),
            2 => Type::Const(target),
            3 => Type::Typedef { name: ["t", "t", "a b"][random.below(3)].into(), target },
            4 => Type::Float { name: "f".into(), size: [4, 8, 8, 12, 16, 3][random.below(6)] },
            5 => Type::Enum {
                name: "e".into(),
                size: [4, 1, 8, 16][random.below(4)],
                signed: false,
                values: vec![("A".into(), 1)],
            },
            6 => Type::Enum64 {
                name: "e".into(),
                size: 8,
                signed: true,
                values: vec![("B".into(), 1)],
            },
            7 => Type::Fwd { name: "f".into(), union: false },
            8 => Type::Array {
                element: target,
                index: if random.below(9) == 0 { target } else { TypeId(1) },
                count: [0, 1, 3, 1 << 30][random.below(4)],
            },
            9 => {
                let params =
                    (0..random.below(3)).map(|_| Param { name: "p".into(), ty: any(random) });
                let params = params.collect();
                Type::FuncProto {
                    ret: if random.below(2) == 0 { TypeId::VOID } else { target },
                    params,
                }
            }
            10 => Type::Func { name: "f".into(), proto: target, linkage: Linkage::Global },
            11 | 12 => Type::Var {
                name: ["v", "v", "v", "v w"][random.below(4)].into(),
                target,
                linkage: [Linkage::Static, Linkage::Global, Linkage::Extern][random.below(8) / 3],
            },
            13 => datasec(random, any),
            _ => composite(random, any),
        };
        types.push(ty);
    }
    types
}

fn composite(random: &mut Random, any: impl Fn(&mut Random) -> TypeId) -> Type<'static> {
    let union = random.below(4) == 0;
    let bitfields = random.below(3) == 0;
    let mut bit_offset = 0;
    let members = (0..random.below(4)).map(|_| {
        let member = Member {
            name: "m".into(),
            ty: any(random),
            bit_offset: if union { 0 } else { bit_offset },
            bitfield_size: if bitfields { [0, 1, 7, 8, 33, 65][random.below(6)] } else { 0 },
        };
        bit_offset += [64, 64, 128, 32, 8, 1][random.below(6)];
        member
    });
    let members = members.collect();
    let composite =
        Composite { name: "s".into(), size: [64, 64, 16, 8, 4][random.below(5)], members };
    if union { Type::Union(composite) } else { Type::Struct(composite) }
}

fn datasec(random: &mut Random, any: impl Fn(&mut Random) -> TypeId) -> Type<'static> {
    let mut offset = [0, 0, 4][random.below(3)];
    let vars = (0..random.below(4)).map(|_| {
        let size = [4, 8, 16, 64, 0][random.below(5)];
        let var = (any(random), offset, size);
        offset += [size, size, size + 4, 4][random.below(4)];
        var
    });
    let vars = vars.collect();
    // Older kernels refuse more than this one.
    let name = [".data", ".bss..x_", "own", ""][random.below(4)];
    Type::Datasec { name: name.into(), size: [256, 256, 64, 0][random.below(4)], vars }
}

fn int(size: u32, bits: u8) -> Type<'static> {
    let encoding = IntEncoding::default();
    Type::Int { name: "int".into(), size, encoding, bit_offset: 0, bits }
}

/// Where the compiler puts every member of the zoo is where the types say that it is.
#[test]
fn layouts_are_the_compilers() {
    for compiler in ["gcc", "clang"] {
        for dwarf in ["-gdwarf-4", "-gdwarf-5"] {
            let lab = Lab::new();
            let read = |name: &str| std::fs::read_to_string(golden_folder().join(name)).unwrap();
            let (zoo, hidden) = (read("zoo.c"), read("zoo_hidden.c"));
            let main = "int main(void) { return 0; }\n";
            let sources = [("zoo.c", &*zoo), ("zoo_hidden.c", &*hidden), ("main.c", main)];
            let app = lab.build_files(compiler, &[dwarf, "-O2"], &sources);
            let btf = module_btf(&app).unwrap();
            let btf = Btf::parse(&btf).unwrap();
            let types: Vec<_> = btf.types().map(|item| item.unwrap().1).collect();

            let mut probe = Probe { types: &types, c: String::new(), expected: String::new() };
            for ty in &types {
                match ty {
                    Type::Struct(c) if probe.is_known(c) => probe.composite(c, "struct", &c.name),
                    Type::Union(c) if probe.is_known(c) => probe.composite(c, "union", &c.name),
                    _ => {}
                }
            }
            let source = format!(
                "{zoo}\n{hidden}\n#include <stddef.h>\n#include <stdio.h>\n#include <string.h>\n{BITS}\nint main(void) {{\n{}}}\n",
                probe.c
            );
            lab.write("probe.c", source);
            tool(lab.folder(), compiler, &["-w", "-o", "probe", "probe.c"]);
            let found =
                common::run("probe", &mut std::process::Command::new(lab.path("probe"))).ok();
            assert_eq!(probe.expected, found.stdout, "{compiler} {dwarf}");
            // A member that is left out would not be missed otherwise.
            let members = found.stdout.lines().count();
            assert_eq!(members, PROBED, "{compiler} {dwarf}: {}", found.stdout);
        }
    }
}

/// Sizes and members of the zoo that can be asked for.
const PROBED: usize = 86;

/// Finds the bits that a bit-field occupies.
const BITS: &str = r#"
static void bits(const char *what, const unsigned char *object, size_t size)
{
	long first = -1, last = -1;

	for (size_t bit = 0; bit < size * 8; bit++) {
		if (object[bit / 8] >> bit % 8 & 1) {
			if (first < 0)
				first = bit;
			last = bit;
		}
	}
	printf("%s: bits %ld, %ld\n", what, first, last - first + 1);
}
"#;

/// A program that prints where its compiler puts things, and what the types say of them.
struct Probe<'t, 'a> {
    types: &'t [Type<'a>],
    c: String,
    expected: String,
}

impl<'t, 'a> Probe<'t, 'a> {
    /// Whether C has a name for it; the last two are ufunc-gen's own.
    fn is_known(&self, composite: &Composite<'_>) -> bool {
        const OTHER: [&str; 4] = ["", "ufunc_module", "complex_double", "opaque"];
        !OTHER.contains(&composite.name.as_ref())
            && !composite.name.starts_with("unaligned_")
            && !["long_double", "double", "complex"].contains(&composite.name.as_ref())
    }

    fn composite(&mut self, composite: &Composite<'a>, keyword: &str, name: &str) {
        let root = format!("{keyword} {name}");
        self.c += &format!("printf(\"{root}: size %zu\\n\", sizeof({root}));\n");
        self.expected += &format!("{root}: size {}\n", composite.size);
        self.members(composite, &root, "", 0);
    }

    fn members(&mut self, composite: &Composite<'a>, root: &str, path: &str, base: u32) {
        for member in &composite.members {
            let offset = base + member.bit_offset;
            if member.name.is_empty() {
                // A nameless struct or union: its members are found as the outer one's.
                if let Some(Type::Struct(inner) | Type::Union(inner)) = self.plain(member.ty) {
                    self.members(inner, root, path, offset);
                }
                continue;
            }
            let path = format!("{path}{}", member.name);
            let what = format!("{root}.{path}");
            let size = self.size(member.ty);
            // Whole members may be written as bit-fields of all their bits.
            if member.bitfield_size != 0 && u64::from(member.bitfield_size) != size * 8 {
                self.c += &format!(
                    "{{ static {root} o; o.{path} = -1; bits(\"{what}\", (void *)&o, sizeof(o)); }}\n"
                );
                self.expected += &format!("{what}: bits {offset}, {}\n", member.bitfield_size);
                continue;
            }
            let is_flexible = matches!(self.plain(member.ty), Some(Type::Array { count: 0, .. }));
            let sizeof = if is_flexible {
                "(size_t)0".to_owned()
            } else {
                format!("sizeof((({root} *)0)->{path})")
            };
            self.c += &format!(
                "printf(\"{what}: at %zu, size %zu\\n\", offsetof({root}, {path}), {sizeof});\n"
            );
            self.expected += &format!("{what}: at {}, size {size}\n", offset / 8);
            if let Some(Type::Struct(inner)) = self.plain(member.ty)
                && inner.name.is_empty()
            {
                self.members(inner, root, &format!("{path}."), offset);
            }
        }
    }

    fn get(&self, id: TypeId) -> Option<&'t Type<'a>> {
        self.types.get((id.0 as usize).checked_sub(1)?)
    }

    fn plain(&self, id: TypeId) -> Option<&'t Type<'a>> {
        let mut at = id;
        loop {
            match self.get(at)? {
                Type::Typedef { target, .. }
                | Type::Const(target)
                | Type::Volatile(target)
                | Type::Restrict(target) => at = *target,
                ty => return Some(ty),
            }
        }
    }

    fn size(&self, id: TypeId) -> u64 {
        match self.plain(id).unwrap() {
            Type::Int { size, .. }
            | Type::Float { size, .. }
            | Type::Enum { size, .. }
            | Type::Enum64 { size, .. } => u64::from(*size),
            Type::Struct(composite) | Type::Union(composite) => composite.size.into(),
            Type::Ptr(_) => 8,
            Type::Array { element, count, .. } => self.size(*element) * u64::from(*count),
            other => panic!("{other:?} has no size"),
        }
    }
}
