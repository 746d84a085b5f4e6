//! Many path templates, found by path: segment by segment, literals before placeholders.
//!
//! A segment that is known literally is tried first and left again where the rest does not fit, so a static sibling wins
//! and still swallows nothing. How much is tried is bounded, whatever paths and templates look like.

use std::collections::BTreeMap;

use super::openapi::{Segment, Template, fits};

/// Nodes looked at for one path before it counts as unknown.
const MAX_VISITS: u32 = 512;

/// Templates with something at each of them.
#[derive(Debug, Clone)]
pub struct Trie<T> {
    nodes: Vec<Node<T>>,
}

#[derive(Debug, Clone)]
struct Node<T> {
    /// By lower-case text; each with the text as it was written.
    literals: BTreeMap<Box<str>, Vec<(Box<str>, u32)>>,
    patterns: Vec<(Vec<String>, u32)>,
    /// Where any rest leads.
    rest: Option<u32>,
    here: Option<T>,
}

impl<T> Default for Node<T> {
    fn default() -> Self {
        Self { literals: BTreeMap::new(), patterns: Vec::new(), rest: None, here: None }
    }
}

impl<T> Default for Trie<T> {
    fn default() -> Self {
        Self { nodes: vec![Node::default()] }
    }
}

impl<T: Default> Trie<T> {
    /// What is kept at a template.
    pub fn at(&mut self, template: &Template) -> Option<&mut T> {
        let mut node = 0u32;
        for segment in &template.segments {
            node = self.child(node, segment)?;
        }
        Some(self.nodes.get_mut(node as usize)?.here.get_or_insert_default())
    }

    fn child(&mut self, node: u32, segment: &Segment) -> Option<u32> {
        let next = u32::try_from(self.nodes.len()).ok()?;
        let here = self.nodes.get_mut(node as usize)?;
        match segment {
            Segment::Literal(text) => {
                let same = here.literals.entry(text.to_ascii_lowercase().into()).or_default();
                if let Some((_, child)) = same.iter().find(|(known, _)| **known == **text) {
                    return Some(*child);
                }
                same.push((text.as_str().into(), next));
            }
            Segment::Rest => {
                if let Some(child) = here.rest {
                    return Some(child);
                }
                here.rest = Some(next);
            }
            Segment::Pieces(pieces) => {
                if let Some((_, child)) = here.patterns.iter().find(|(known, _)| known == pieces) {
                    return Some(*child);
                }
                here.patterns.push((pieces.clone(), next));
                // The more of a segment is fixed, the sooner it is tried; a placeholder alone comes last.
                here.patterns
                    .sort_by_key(|(pieces, _)| core::cmp::Reverse(pieces.iter().map(String::len).sum::<usize>()));
            }
        }
        self.nodes.push(Node::default());
        Some(next)
    }

    /// What is kept at the first template that `path` is an instance of and that `wanted` takes. `path` starts with `/`.
    pub fn find(&self, path: &str, ignore_case: bool, wanted: impl Fn(&T) -> bool) -> Option<&T> {
        let rest = path.strip_prefix('/').unwrap_or(path);
        self.walk(0, Some(rest), ignore_case, &wanted, &mut MAX_VISITS.clone())
    }

    fn walk(
        &self,
        node: u32,
        rest: Option<&str>,
        ignore_case: bool,
        wanted: &impl Fn(&T) -> bool,
        left: &mut u32,
    ) -> Option<&T> {
        *left = left.checked_sub(1)?;
        let node = self.nodes.get(node as usize)?;
        let Some(rest) = rest else { return node.here.as_ref().filter(|here| wanted(here)) };
        let (segment, behind) = match rest.split_once('/') {
            Some((segment, behind)) => (segment, Some(behind)),
            None => (rest, None),
        };
        let folded;
        let key = if segment.bytes().any(|b| b.is_ascii_uppercase()) {
            folded = segment.to_ascii_lowercase();
            folded.as_str()
        } else {
            segment
        };
        for (text, child) in node.literals.get(key).into_iter().flatten() {
            if (ignore_case || **text == *segment)
                && let Some(found) = self.walk(*child, behind, ignore_case, wanted, left)
            {
                return Some(found);
            }
        }
        for (pieces, child) in &node.patterns {
            if fits(pieces, segment, ignore_case)
                && let Some(found) = self.walk(*child, behind, ignore_case, wanted, left)
            {
                return Some(found);
            }
        }
        let leads_on = node.rest.filter(|_| !rest.is_empty())?;
        self.walk(leads_on, None, ignore_case, wanted, left)
    }
}
