// SPDX-License-Identifier: MIT OR Apache-2.0
//! Finding what is equal among things that refer to each other.
//!
//! Two nodes are equal when nothing tells them apart: the same shape, and equal nodes wherever
//! they refer to others, however far one follows. That is the coarsest partition that is stable
//! under references, found by refinement: begin with classes of nodes of one shape, then split
//! classes whose members refer to different classes until nothing splits. Cycles, which every
//! linked list has, need no special care.
//!
//! Of the parts of a class that splits, the largest one keeps the class, so a node moves at most
//! log n times, and only those that refer to a node that moved are looked at again: O(m log n)
//! steps for n nodes with m references (Hopcroft's algorithm, in the form of Paige and Tarjan's
//! "Three Partition Refinement Algorithms", 1987), but for the sorting.

use hashbrown::HashTable;

use super::hash::Hasher;

/// No class, no round.
const NONE: u32 = u32::MAX;

/// Nodes with their shapes and references, added one after the other.
#[derive(Debug)]
pub(super) struct Graph {
    hasher: Hasher,
    /// The shape of each class's first node, one after the other; behind them the words of the
    /// node that is being added.
    shapes: Vec<u32>,
    /// Where the shape of each class begins, and the end.
    shape_starts: Vec<usize>,
    /// Hash of each class's shape.
    hashes: Vec<u64>,
    /// Finds a class by its shape.
    by_shape: HashTable<u32>,
    /// The class of each node.
    classes: Vec<u32>,
    /// The references of all nodes, one node after the other.
    references: Vec<u32>,
    /// Where the references of each node begin, and the end.
    reference_starts: Vec<usize>,
}

impl Graph {
    /// A graph without nodes, with room for about so many.
    pub(super) fn with_capacity(nodes: usize) -> Self {
        let mut starts = Vec::with_capacity(nodes + 1);
        starts.push(0);
        Graph {
            hasher: Hasher::new(),
            shapes: Vec::new(),
            shape_starts: vec![0],
            hashes: Vec::new(),
            by_shape: HashTable::with_capacity(nodes / 2),
            classes: Vec::with_capacity(nodes),
            references: Vec::new(),
            reference_starts: starts,
        }
    }

    /// Adds a word to the shape of the node that is being added.
    pub(super) fn word(&mut self, word: u32) {
        self.shapes.push(word);
    }

    /// Adds words to the shape of the node that is being added.
    pub(super) fn words(&mut self, words: &[u32]) {
        self.shapes.extend_from_slice(words);
    }

    /// Adds a reference to the node that is being added: to `node`, which may come later, but must
    /// come.
    ///
    /// The number of references has to follow from the shape.
    pub(super) fn reference(&mut self, node: u32) {
        self.references.push(node);
    }

    /// Ends the node that is being added.
    pub(super) fn end_node(&mut self) {
        let start = self.shape_starts[self.shape_starts.len() - 1];
        let next = self.hashes.len() as u32;
        let (known, shape) = self.shapes.split_at(start);
        let hash = self.hasher.words(shape);
        let (starts, hashes) = (&self.shape_starts, &self.hashes);
        let is_equal = |&class: &u32| {
            let class = class as usize;
            hashes[class] == hash && &known[starts[class]..starts[class + 1]] == shape
        };
        let rehash = |&class: &u32| hashes[class as usize];
        let class = *self.by_shape.entry(hash, is_equal, rehash).or_insert(next).get();
        if class == next {
            self.hashes.push(hash);
            self.shape_starts.push(self.shapes.len());
        } else {
            self.shapes.truncate(start);
        }
        self.classes.push(class);
        self.reference_starts.push(self.references.len());
    }

    /// The class of each node; classes are numbered by their first member's place.
    pub(super) fn classes(self) -> Vec<u32> {
        let Graph { hasher, hashes, classes, references, reference_starts, .. } = self;
        let nodes = classes.len();
        debug_assert!(references.iter().all(|&target| (target as usize) < nodes));
        let references = Lists { items: references, starts: reference_starts };
        let mut partition = Partition::new(classes, hashes.len(), hasher);
        let mut suspects: Vec<u32> =
            (0..nodes as u32).filter(|&node| !references.of(node).is_empty()).collect();
        // The first rounds look at nearly everything, and few classes outlive them. Who refers to
        // whom need not be known before.
        let mut referrers = None;
        let mut seen = vec![NONE; nodes];
        let mut round = 0;
        loop {
            let moved = partition.split(&suspects, &references);
            if moved.is_empty() {
                break;
            }
            // Only who refers to what has just moved to another class can be told apart by it.
            let referrers = referrers.get_or_insert_with(|| references.reversed());
            suspects.clear();
            for node in moved {
                for &referrer in referrers.of(node) {
                    if seen[referrer as usize] != round && !partition.is_alone(referrer) {
                        seen[referrer as usize] = round;
                        suspects.push(referrer);
                    }
                }
            }
            round += 1;
        }
        partition.numbered()
    }
}

/// A list of nodes for each node.
#[derive(Debug)]
struct Lists {
    items: Vec<u32>,
    /// Where the list of each node begins, and the end.
    starts: Vec<usize>,
}

impl Lists {
    fn of(&self, node: u32) -> &[u32] {
        &self.items[self.starts[node as usize]..self.starts[node as usize + 1]]
    }

    /// For each node those whose list has it.
    fn reversed(&self) -> Lists {
        let nodes = self.starts.len() - 1;
        // Each list is filled from its end, so that its end becomes its beginning.
        let mut starts = vec![0; nodes + 1];
        for &item in &self.items {
            starts[item as usize] += 1;
        }
        let mut end = 0;
        for start in &mut starts {
            end += *start;
            *start = end;
        }
        let mut items = vec![0; self.items.len()];
        for node in 0..nodes as u32 {
            for &item in self.of(node) {
                let place = &mut starts[item as usize];
                *place -= 1;
                items[*place] = node;
            }
        }
        Lists { items, starts }
    }
}

/// Classes of nodes that nothing has told apart so far.
struct Partition {
    hasher: Hasher,
    /// The class of each node.
    classes: Vec<u32>,
    /// All nodes, those of one class beside each other.
    nodes: Vec<u32>,
    /// Where each node is in `nodes`.
    places: Vec<u32>,
    /// Where each class begins in `nodes`.
    starts: Vec<u32>,
    /// The number of nodes in each class.
    sizes: Vec<u32>,
}

/// A node whose class may have to be split, and why.
#[derive(Clone, Copy)]
struct Suspect {
    class: u32,
    /// Equal for those of a class that refer to the same classes.
    part: u32,
    node: u32,
    /// Hash of the classes that the node refers to.
    hash: u64,
}

impl Partition {
    fn new(classes: Vec<u32>, count: usize, hasher: Hasher) -> Self {
        let mut sizes = vec![0; count];
        for &class in &classes {
            sizes[class as usize] += 1;
        }
        let mut next = 0;
        let starts: Vec<u32> = sizes
            .iter()
            .map(|&size| {
                next += size;
                next - size
            })
            .collect();
        let mut ends = starts.clone();
        let (mut nodes, mut places) = (vec![0; classes.len()], vec![0; classes.len()]);
        for (node, &class) in classes.iter().enumerate() {
            let end = &mut ends[class as usize];
            nodes[*end as usize] = node as u32;
            places[node] = *end;
            *end += 1;
        }
        Partition { hasher, classes, nodes, places, starts, sizes }
    }

    /// Whether no other node is in the class of `node`.
    fn is_alone(&self, node: u32) -> bool {
        self.sizes[self.classes[node as usize] as usize] == 1
    }

    /// Splits the classes of `suspects` by the classes that they refer to. Gives the nodes that
    /// moved to a new class.
    ///
    /// In each class the nodes that are no suspects must refer to the same classes, and none of
    /// them to a class to which a suspect refers in their place: which is so if the suspects are
    /// all that refer to what moved last, or all that refer to anything.
    fn split(&mut self, suspects: &[u32], references: &Lists) -> Vec<u32> {
        let hash = |node: u32| {
            let classes = references.of(node).iter().map(|&target| self.classes[target as usize]);
            classes.fold(0, |hash, class| self.hasher.add(hash, class.into()))
        };
        let suspects = suspects.iter().filter(|&&node| !self.is_alone(node));
        let mut suspects: Vec<Suspect> = suspects
            .map(|&node| Suspect {
                class: self.classes[node as usize],
                part: 0,
                node,
                hash: hash(node),
            })
            .collect();
        suspects.sort_unstable_by_key(|suspect| (suspect.class, suspect.hash));
        let targets = |node: u32| -> Vec<u32> {
            references.of(node).iter().map(|&target| self.classes[target as usize]).collect()
        };
        let same = |a: &Suspect, b: &Suspect| {
            let mut targets = references.of(a.node).iter().zip(references.of(b.node));
            targets.all(|(&a, &b)| self.classes[a as usize] == self.classes[b as usize])
        };
        let mut part = 0;
        for run in suspects.chunk_by_mut(|a, b| (a.class, a.hash) == (b.class, b.hash)) {
            // Equal hashes are no proof.
            if run[1..].iter().any(|suspect| !same(&run[0], suspect)) {
                run.sort_by_cached_key(|suspect| targets(suspect.node));
            }
            for index in 0..run.len() {
                part += u32::from(index == 0 || !same(&run[index - 1], &run[index]));
                run[index].part = part;
            }
        }
        let mut moved = Vec::new();
        for class in suspects.chunk_by(|a, b| a.class == b.class) {
            self.split_class(class, &mut moved);
        }
        moved
    }

    /// Splits one class by the parts of its suspects.
    fn split_class(&mut self, suspects: &[Suspect], moved: &mut Vec<u32>) {
        let class = suspects[0].class as usize;
        let (start, size) = (self.starts[class], self.sizes[class]);
        if suspects.len() == size as usize && suspects[0].part == suspects[suspects.len() - 1].part
        {
            return;
        }
        // The suspects go to the end, part by part; what is before them is the part of the others.
        let mut end = start + size;
        let mut parts = Vec::new();
        for part in suspects.chunk_by(|a, b| a.part == b.part) {
            for suspect in part {
                end -= 1;
                self.swap(self.places[suspect.node as usize], end);
            }
            parts.push((end, part.len() as u32));
        }
        if end > start {
            parts.push((start, end - start));
        }
        // The largest part stays, so that little moves.
        let largest = (0..parts.len()).max_by_key(|&part| parts[part].1).unwrap_or(0);
        let (start, size) = parts.swap_remove(largest);
        (self.starts[class], self.sizes[class]) = (start, size);
        for (start, size) in parts {
            let new = self.starts.len() as u32;
            self.starts.push(start);
            self.sizes.push(size);
            let part = &self.nodes[start as usize..(start + size) as usize];
            part.iter().for_each(|&node| self.classes[node as usize] = new);
            moved.extend_from_slice(part);
        }
    }

    /// Has the nodes at two places change them.
    fn swap(&mut self, a: u32, b: u32) {
        self.nodes.swap(a as usize, b as usize);
        for place in [a, b] {
            self.places[self.nodes[place as usize] as usize] = place;
        }
    }

    /// The class of each node, with classes numbered by their first member's place.
    fn numbered(mut self) -> Vec<u32> {
        let mut numbers = vec![NONE; self.starts.len()];
        let mut next = 0;
        for class in &mut self.classes {
            let number = &mut numbers[*class as usize];
            if *number == NONE {
                *number = next;
                next += 1;
            }
            *class = *number;
        }
        self.classes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn graph(nodes: &[(u32, Vec<u32>)]) -> Graph {
        let mut graph = Graph::with_capacity(0);
        for (shape, references) in nodes {
            graph.words(&[*shape, references.len() as u32]);
            references.iter().for_each(|&node| graph.reference(node));
            graph.end_node();
        }
        graph
    }

    /// The same by the definition: split everything by everything until nothing changes.
    fn by_definition(nodes: &[(u32, Vec<u32>)]) -> Vec<u32> {
        let mut classes = vec![0; nodes.len()];
        loop {
            let mut found = Vec::new();
            let next: Vec<u32> = nodes
                .iter()
                .zip(&classes)
                .map(|((shape, references), class)| {
                    let targets: Vec<u32> =
                        references.iter().map(|&n| classes[n as usize]).collect();
                    let what = (*class, *shape, targets);
                    let known = found.iter().position(|known| *known == what);
                    known.unwrap_or_else(|| {
                        found.push(what);
                        found.len() - 1
                    }) as u32
                })
                .collect();
            if next == classes {
                return classes;
            }
            classes = next;
        }
    }

    fn any_graph() -> impl Strategy<Value = Vec<(u32, Vec<u32>)>> {
        (1u32..40).prop_flat_map(|count| {
            let node = (0u32..3, prop::collection::vec(0..count, 0..3));
            prop::collection::vec(node, count as usize)
        })
    }

    proptest! {
        #[test]
        fn classes_are_those_of_the_definition(nodes in any_graph()) {
            prop_assert_eq!(graph(&nodes).classes(), by_definition(&nodes));
        }
    }

    #[test]
    fn equal_hashes_are_no_proof() {
        // To the weak hasher the order of what a node refers to makes no difference.
        let lists = Lists { items: vec![3, 4, 4, 3, 3, 4], starts: vec![0, 2, 4, 6, 6, 6] };
        let mut partition = Partition::new(vec![0, 0, 0, 1, 2], 3, Hasher::weak());
        assert_eq!(partition.split(&[0, 1, 2], &lists), [1]);
        assert_eq!(partition.numbered(), [0, 1, 0, 2, 3]);
    }

    #[test]
    fn a_chain_with_many_that_lead_to_it_takes_no_long_time() {
        // A chain, each link of which a thousand others refer to.
        let mut nodes: Vec<_> = (1..3_000).map(|next| (0, vec![next])).collect();
        nodes.push((1, Vec::new()));
        nodes.extend((0..300_000).map(|node| (0, vec![node % 3_000])));
        let begun = std::time::Instant::now();
        let classes = graph(&nodes).classes();
        assert_eq!(classes.iter().max(), Some(&3_000));
        assert!(begun.elapsed().as_secs() < 10, "{:?}", begun.elapsed());
    }
}
