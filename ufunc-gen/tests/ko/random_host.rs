// SPDX-License-Identifier: MIT OR Apache-2.0
//! Applications that lend a random set of functions, of every kind of flag.

use std::fmt::Write as _;

/// Structs that the functions are about. Each has a member of its own, so that no two are equal.
const STRUCTS: usize = 8;

/// The C source of an application that lends between 1 and 200 functions, annotated, by `below`: a
/// source of random numbers below its argument. And the number that it lends.
pub(crate) fn source(mut below: impl FnMut(usize) -> usize) -> (String, usize) {
    let wanted = 1 + below(200);
    let mut out = String::from("#include \"ufunc.h\"\n");
    for index in 0..STRUCTS {
        let inner =
            if index > 0 { format!("struct s{} *prev; ", index - 1) } else { String::new() };
        let _ = writeln!(
            out,
            "struct s{index} {{ int m{index}; {inner}char name[{}]; unsigned bits : {}; }};",
            1 + below(40),
            1 + below(31)
        );
        let _ = writeln!(out, "struct s{index} o{index};");
    }
    let mut lent = 0;
    while lent < wanted {
        let (object, n) = (below(STRUCTS), lent);
        match below(3) {
            // A pair of a family of its own.
            0 if lent + 2 <= wanted => {
                let _ = writeln!(
                    out,
                    "struct s{object} *get_{n}({}) {{ return &o{object}; }}\n\
                     void put_{n}(struct s{object} *o) {{ o->m{object} = 0; }}\n\
                     UFUNC_ACQUIRE_FAMILY(get_{n}, f{n});\nUFUNC_RELEASE_FAMILY(put_{n}, f{n});",
                    params(below(4), &mut below)
                );
                lent += 2;
            }
            // A look-up.
            1 => {
                let _ = writeln!(
                    out,
                    "struct s{object} *find_{n}({}) {{ return &o{object}; }}\nUFUNC_PLAIN(find_{n});",
                    params(below(6), &mut below)
                );
                lent += 1;
            }
            // Numbers in and out.
            _ => {
                let returned = SCALARS[below(SCALARS.len())];
                let _ = writeln!(
                    out,
                    "{returned} plain_{n}({}) {{ return ({returned})o{object}.m{object}; }}\nUFUNC_PLAIN(plain_{n});",
                    params(below(6), &mut below)
                );
                lent += 1;
            }
        }
    }
    out += "int main(void) { return 0; }\n";
    (out, lent)
}

const SCALARS: [&str; 6] = ["int", "unsigned char", "long", "unsigned short", "_Bool", "char"];

fn params(count: usize, below: &mut impl FnMut(usize) -> usize) -> String {
    let mut params = Vec::new();
    for index in 0..count {
        params.push(match below(4) {
            0 => format!("struct s{} *p{index}", below(STRUCTS)),
            _ => format!("{} p{index}", SCALARS[below(SCALARS.len())]),
        });
    }
    if params.is_empty() { "void".to_owned() } else { params.join(", ") }
}
