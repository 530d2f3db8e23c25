// SPDX-License-Identifier: MIT OR Apache-2.0
//! Asking the compilers themselves: a C program that fails to compile, or to run, if what a BTF
//! says of sizes, offsets and bit-fields is not so.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use ufunc_gen::btf::{Composite, Type, TypeId};

/// Members within members that are asked for.
const MAX_DEPTH: usize = 4;

/// A C program, and how much it asks.
pub struct Probe {
    pub source: String,
    pub questions: usize,
}

const CHECK: &str = "
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* Whether the bits of x from start on, and no others, are set. */
static int bits_are(const unsigned char *x, size_t size, size_t start, size_t count)
{
	for (size_t i = 0; i < size * 8; i++)
		if ((x[i / 8] >> i % 8 & 1) != (i >= start && i < start + count))
			return 0;
	return 1;
}
";

/// Asks about all structs and unions among `types` that C source can name after `prelude`, but for
/// those in `skip`.
pub fn probe(types: &[Type<'_>], prelude: &str, skip: impl Fn(&str) -> bool) -> Probe {
    let mut writer = Writer { types, asserts: String::new(), checks: String::new(), questions: 0 };
    // What goes by several layouts, C source cannot name.
    let mut seen = BTreeSet::new();
    for ty in types {
        let Some((spelling, composite)) = writer.nameable(ty) else { continue };
        let name = spelling.rsplit(' ').next().unwrap_or_default();
        // What stands for a float that is not aligned has a name of the command's own.
        let is_own = name.starts_with("unaligned_");
        if !is_own && !skip(name) && seen.insert(spelling.clone()) {
            writer.ask(&spelling, composite);
        }
    }
    let Writer { asserts, checks, questions, .. } = writer;
    let source = format!(
        "{prelude}\n{CHECK}\n{asserts}\nint main(void)\n{{\n\tint wrong = 0;\n{checks}\treturn wrong;\n}}\n"
    );
    Probe { source, questions }
}

struct Writer<'t, 'a> {
    types: &'t [Type<'a>],
    asserts: String,
    checks: String,
    questions: usize,
}

impl<'t, 'a> Writer<'t, 'a> {
    fn get(&self, id: TypeId) -> Option<&'t Type<'a>> {
        self.types.get(id.0.checked_sub(1)? as usize)
    }

    /// How C spells `ty`: by its tag, or by the typedef that is all the name it has.
    fn nameable(&self, ty: &'t Type<'a>) -> Option<(String, &'t Composite<'a>)> {
        match ty {
            Type::Struct(composite) if !composite.name.is_empty() => {
                Some((format!("struct {}", composite.name), composite))
            }
            Type::Union(composite) if !composite.name.is_empty() => {
                Some((format!("union {}", composite.name), composite))
            }
            Type::Typedef { name, target } => match self.get(*target) {
                Some(Type::Struct(composite) | Type::Union(composite))
                    if composite.name.is_empty() =>
                {
                    Some((name.to_string(), composite))
                }
                _ => None,
            },
            _ => None,
        }
    }

    fn ask(&mut self, spelling: &str, composite: &Composite<'a>) {
        let _ = writeln!(
            self.asserts,
            "_Static_assert(sizeof({spelling}) == {}, \"size of {spelling}\");",
            composite.size
        );
        self.questions += 1;
        self.members(spelling, "", 0, composite, 0);
    }

    /// Asks where the members of `composite` are, which is at `path` and `start` in `spelling`.
    fn members(
        &mut self,
        spelling: &str,
        path: &str,
        start: u64,
        composite: &Composite<'a>,
        depth: usize,
    ) {
        for member in &composite.members {
            let offset = start + u64::from(member.bit_offset);
            let inner = match self.get(member.ty) {
                Some(Type::Struct(inner) | Type::Union(inner)) if inner.name.is_empty() => {
                    Some(inner)
                }
                _ => None,
            };
            let own = match (member.name.is_empty(), path) {
                (true, _) => path.to_owned(),
                (false, "") => member.name.to_string(),
                (false, _) => format!("{path}.{}", member.name),
            };
            if !member.name.is_empty() {
                self.member(spelling, &own, offset, member.bitfield_size);
            }
            if let Some(inner) = inner
                && depth < MAX_DEPTH
            {
                self.members(spelling, &own, offset, inner, depth + 1);
            }
        }
    }

    fn member(&mut self, spelling: &str, path: &str, offset: u64, bits: u8) {
        self.questions += 1;
        // Headers have macros by the names of some members, for those who used to know them.
        let names: Vec<_> = path.split('.').map(|name| format!("!defined({name})")).collect();
        let guard = format!("#if {}", names.join(" && "));
        let _ = match bits {
            0 => writeln!(
                self.asserts,
                "{guard}\n_Static_assert(offsetof({spelling}, {path}) * 8 == {offset}, \"{spelling}, {path}\");\n#endif"
            ),
            _ => writeln!(
                self.checks,
                "{guard}\n\t{{\n\t\t{spelling} x;\n\n\t\tmemset(&x, 0, sizeof(x));\n\t\tx.{path} = -1;\n\t\t\
                 if (!bits_are((void *)&x, sizeof(x), {offset}, {bits})) {{\n\t\t\t\
                 puts(\"{spelling}, {path}\");\n\t\t\twrong = 1;\n\t\t}}\n\t}}\n#endif"
            ),
        };
    }
}
