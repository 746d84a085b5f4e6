//! Pointers compiled into one trie, so that one pass over a document serves them all.

use super::pointer::Pointer;

/// The node that stands for the whole document.
pub(super) const ROOT: usize = 0;

/// Pointers by their common beginnings. Each has a slot: its place in the list the trie was made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trie {
    nodes: Vec<Node>,
    slots: usize,
}

/// What the pointers say next at one point of their way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Node {
    /// Children by token, sorted. An index and `*` are names too: of a member of an object.
    names: Vec<(Box<str>, usize)>,
    /// Bit n: there is a child with a name of n bytes (63: of 63 or more). Most members of a document are told to be
    /// unwanted by this alone.
    lengths: u64,
    /// Children that are array indices, in no order.
    items: Vec<(usize, usize)>,
    /// The child for every item of an array.
    every: Option<usize>,
    /// Slots of the pointers that end here.
    ends: Vec<usize>,
    /// Slots of the pointers that end here or below.
    below: Vec<usize>,
}

impl Trie {
    /// The trie of these pointers.
    pub fn new<'p>(pointers: impl IntoIterator<Item = &'p Pointer>) -> Self {
        let mut trie = Self { nodes: vec![Node::default()], slots: 0 };
        for pointer in pointers {
            let slot = trie.slots;
            trie.slots += 1;
            let mut at = ROOT;
            trie.pass(at, slot);
            for token in pointer.tokens() {
                at = trie.child(at, token);
                trie.pass(at, slot);
            }
            if let Some(node) = trie.nodes.get_mut(at) {
                node.ends.push(slot);
            }
        }
        trie
    }

    fn pass(&mut self, node: usize, slot: usize) {
        if let Some(node) = self.nodes.get_mut(node) {
            node.below.push(slot);
        }
    }

    /// The child for `token`, made if it is missing.
    fn child(&mut self, parent: usize, token: &str) -> usize {
        let next = self.nodes.len();
        let Some(node) = self.nodes.get_mut(parent) else { return ROOT };
        let at = match node.names.binary_search_by(|(name, _)| (**name).cmp(token)) {
            Ok(at) => return node.names.get(at).map_or(ROOT, |(_, child)| *child),
            Err(at) => at,
        };
        node.names.insert(at, (token.into(), next));
        node.lengths |= length_bit(token);
        if token == "*" {
            node.every = Some(next);
        } else if let Some(index) = array_index(token) {
            node.items.push((index, next));
        }
        self.nodes.push(Node::default());
        next
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// How many pointers the trie was made of.
    pub fn slots(&self) -> usize {
        self.slots
    }

    /// The child of `node` for the member `name`.
    pub fn named(&self, node: usize, name: &str) -> Option<usize> {
        let node = self.nodes.get(node)?;
        if node.lengths & length_bit(name) == 0 {
            return None;
        }
        let at = node.names.binary_search_by(|(known, _)| (**known).cmp(name)).ok()?;
        node.names.get(at).map(|(_, child)| *child)
    }

    /// The child of `node` for the array item `index`, named by that index.
    pub fn item(&self, node: usize, index: usize) -> Option<usize> {
        self.nodes.get(node)?.items.iter().find(|(i, _)| *i == index).map(|(_, child)| *child)
    }

    /// The child of `node` for every array item.
    pub fn every(&self, node: usize) -> Option<usize> {
        self.nodes.get(node)?.every
    }

    /// Whether pointers go on below `node`.
    pub fn leads_on(&self, node: usize) -> bool {
        self.nodes.get(node).is_some_and(|node| !node.names.is_empty())
    }

    /// The pointers that end at `node`.
    pub fn ends(&self, node: usize) -> &[usize] {
        self.nodes.get(node).map_or(&[], |node| &node.ends)
    }

    /// The pointers that end at `node` or below.
    pub fn below(&self, node: usize) -> &[usize] {
        self.nodes.get(node).map_or(&[], |node| &node.below)
    }

    /// The pointers that end at `node` or below, without those that go on with an index or `*`.
    pub fn below_by_name(&self, node: usize) -> impl Iterator<Item = usize> {
        let node = self.nodes.get(node);
        let named = node.into_iter().flat_map(|node| &node.names);
        let named = named.filter(|(name, _)| **name != *"*" && array_index(name).is_none());
        let ends = node.into_iter().flat_map(|node| node.ends.iter());
        ends.chain(named.flat_map(|(_, child)| self.below(*child))).copied()
    }
}

fn length_bit(name: &str) -> u64 {
    1 << name.len().min(63)
}

/// An array index: digits without leading zeros (RFC 6901, section 4).
fn array_index(token: &str) -> Option<usize> {
    let digits = !token.is_empty() && token.bytes().all(|b| b.is_ascii_digit());
    let plain = token == "0" || !token.starts_with('0');
    (digits && plain).then(|| token.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_digits_without_leading_zeros_are_an_index() {
        for (token, index) in [("0", Some(0)), ("10", Some(10)), ("01", None), ("00", None), ("", None), ("-", None)] {
            assert_eq!(array_index(token), index, "{token}");
        }
        for none in ["+1", "-1", "1.0", "*", "99999999999999999999999"] {
            assert_eq!(array_index(none), None, "{none}");
        }
    }

    #[test]
    fn pointers_with_a_common_beginning_share_nodes() {
        let pointers = ["/a/b", "/a/c", "/a", "/a/b"].map(|text| Pointer::parse(text).unwrap());
        let trie = Trie::new(&pointers);
        assert_eq!((trie.len(), trie.slots()), (4, 4));
        let a = trie.named(ROOT, "a").unwrap();
        let b = trie.named(a, "b").unwrap();
        assert_eq!((trie.ends(a), trie.ends(b)), (&[2][..], &[0, 3][..]));
        assert_eq!(trie.below(a), [0, 1, 2, 3]);
        assert_eq!(trie.named(ROOT, "b"), None);
    }
}
