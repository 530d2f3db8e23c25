// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which types a program's relocations cannot tell apart.
//!
//! A relocation asks where a member is, how big it is, whether it is signed, what an enumerator is
//! worth, and follows members into what they contain, but not into what they point to: for that
//! there is a relocation of its own. So two types have one layout if all of this is the same, and
//! names of types do not count, nor do typedefs and qualifiers.

use std::collections::HashMap;

use super::super::form::{flag, vlen};
use super::super::partition::Graph;
use super::super::{MAX_BITFIELD_OFFSET, kind};
use super::joined::{Types, Words};

/// `BTF_INT_SIGNED`, `BTF_INT_OFFSET` and `BTF_INT_BITS` in the word behind an INT's head.
const INT_LAYOUT: u32 = 0x01ff_ffff;

/// How many arrays may be elements of each other before they count as endless.
const MAX_NESTING: usize = 1000;

/// Types as relocations see them.
pub(super) struct Layouts<'t> {
    types: &'t Types,
    /// For each id the type without typedefs and qualifiers; `void` is its own.
    bare: Vec<u32>,
}

/// What a member is of, as far as it does not take looking into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// All that there is to say, and what tells it from others.
    Leaf([u32; 3]),
    /// A struct, union or array, by its id.
    Inner(u32),
}

/// A member as relocations see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MemberAt {
    /// Offset of the name.
    pub(super) name: u32,
    pub(super) ty: u32,
    /// In bits.
    pub(super) offset: u32,
    /// Size in bits of a bit-field, 0 for any other member.
    pub(super) bits: u32,
}

impl<'t> Layouts<'t> {
    pub(super) fn new(types: &'t Types) -> Self {
        const UNKNOWN: u32 = u32::MAX;
        const OPEN: u32 = u32::MAX - 1;
        let mut bare = vec![UNKNOWN; types.len() + 1];
        bare[0] = 0;
        let mut path = Vec::new();
        for id in 1..=types.len() as u32 {
            let mut at = id;
            while bare[at as usize] == UNKNOWN {
                let Some(target) = types.by_id(at).and_then(Words::modified) else {
                    bare[at as usize] = at;
                    break;
                };
                bare[at as usize] = OPEN;
                path.push(at);
                at = target;
            }
            // What leads round in a circle leads to nothing.
            let end = if bare[at as usize] == OPEN { 0 } else { bare[at as usize] };
            path.drain(..).for_each(|id| bare[id as usize] = end);
        }
        Layouts { types, bare }
    }

    /// The type at `id` without typedefs and qualifiers; `None` for `void`.
    pub(super) fn bare(&self, id: u32) -> Option<Words<'t>> {
        self.types.by_id(self.bare[id as usize])
    }

    /// The size in bytes of the type at `id`, if it has one.
    pub(super) fn size(&self, id: u32) -> Option<u64> {
        let mut count = 1u64;
        let mut ty = self.bare(id)?;
        for _ in 0..MAX_NESTING {
            match ty.kind() {
                kind::ARRAY => {
                    count = count.saturating_mul(ty.tail()[2].into());
                    ty = self.bare(ty.tail()[0])?;
                }
                kind::PTR => return Some(count.saturating_mul(8)),
                kind::INT
                | kind::FLOAT
                | kind::STRUCT
                | kind::UNION
                | kind::ENUM
                | kind::ENUM64 => return Some(count.saturating_mul(ty.third().into())),
                _ => return None,
            }
        }
        None
    }

    /// The members of a struct or union; none for anything else.
    pub(super) fn members(&self, ty: Words<'t>) -> impl ExactSizeIterator<Item = MemberAt> + 't {
        let is_composite = [kind::STRUCT, kind::UNION].contains(&ty.kind());
        let tail = if is_composite { ty.tail() } else { &[] };
        let has_bits = flag(ty.info());
        tail.as_chunks::<3>().0.iter().map(move |&[name, ty, word]| match has_bits {
            true => MemberAt { name, ty, offset: word & MAX_BITFIELD_OFFSET, bits: word >> 24 },
            false => MemberAt { name, ty, offset: word, bits: 0 },
        })
    }

    /// The enumerators of an ENUM or ENUM64; none for anything else.
    pub(super) fn values(&self, ty: Words<'t>) -> Vec<(u32, u64)> {
        let signed = flag(ty.info());
        let wide = |&[name, value]: &[u32; 2]| match signed {
            true => (name, i64::from(value as i32) as u64),
            false => (name, value.into()),
        };
        match ty.kind() {
            kind::ENUM => ty.tail().as_chunks().0.iter().map(wide).collect(),
            kind::ENUM64 => {
                let parts = ty.tail().as_chunks().0.iter();
                parts
                    .map(|&[name, low, high]| (name, u64::from(high) << 32 | u64::from(low)))
                    .collect()
            }
            _ => Vec::new(),
        }
    }

    /// The layout of each of `roots`, which are ids, as a number that those of one layout share.
    pub(super) fn classes(&self, roots: &[u32]) -> Vec<u32> {
        let mut graph = Graph::with_capacity(roots.len());
        // The roots come first, then what they contain, each once.
        let mut inner = HashMap::new();
        let mut open = Vec::new();
        for &root in roots {
            self.add_root(root, &mut graph, |id| {
                let next = (roots.len() + inner.len()) as u32;
                *inner.entry(id).or_insert_with(|| {
                    open.push(id);
                    next
                })
            });
        }
        let mut at = 0;
        while let Some(&id) = open.get(at) {
            at += 1;
            self.add_root(id, &mut graph, |id| {
                let next = (roots.len() + inner.len()) as u32;
                *inner.entry(id).or_insert_with(|| {
                    open.push(id);
                    next
                })
            });
        }
        let mut classes = graph.classes();
        classes.truncate(roots.len());
        classes
    }

    /// Adds the type at `id` to `graph`. `place` gives the node of a type that it contains.
    fn add_root(&self, id: u32, graph: &mut Graph, mut place: impl FnMut(u32) -> u32) {
        let mut add = |graph: &mut Graph, id: u32| match self.kind(id) {
            Kind::Leaf(words) => graph.words(&words),
            Kind::Inner(id) => {
                graph.word(u32::MAX);
                graph.reference(place(id));
            }
        };
        if let Some(ty) = self.bare(id) {
            match ty.kind() {
                kind::STRUCT | kind::UNION => {
                    graph.words(&[ty.kind(), ty.third(), vlen(ty.info()) as u32]);
                    for member in self.members(ty) {
                        graph.words(&[member.name, member.offset, member.bits]);
                        add(graph, member.ty);
                    }
                }
                kind::ARRAY => {
                    graph.words(&[ty.kind(), ty.tail()[2]]);
                    add(graph, ty.tail()[0]);
                }
                kind::ENUM | kind::ENUM64 => {
                    graph.words(&[kind::ENUM, ty.third(), flag(ty.info()).into()]);
                    for (name, value) in self.values(ty) {
                        graph.words(&[name, value as u32, (value >> 32) as u32]);
                    }
                }
                _ => add(graph, id),
            }
        }
        graph.end_node();
    }

    fn kind(&self, id: u32) -> Kind {
        let Some(ty) = self.bare(id) else { return Kind::Leaf([0; 3]) };
        match ty.kind() {
            kind::STRUCT | kind::UNION | kind::ARRAY => Kind::Inner(self.bare[id as usize]),
            kind::INT => Kind::Leaf([kind::INT, ty.third(), ty.tail()[0] & INT_LAYOUT]),
            kind::FLOAT => Kind::Leaf([kind::FLOAT, ty.third(), 0]),
            kind::ENUM | kind::ENUM64 => {
                Kind::Leaf([kind::ENUM, ty.third(), flag(ty.info()).into()])
            }
            kind::FWD => Kind::Leaf([kind::FWD, flag(ty.info()).into(), 0]),
            other => Kind::Leaf([other, 0, 0]),
        }
    }
}
