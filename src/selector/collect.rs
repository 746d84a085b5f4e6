//! Values collected for a trie of pointers while a document is read once, whatever its format.

use super::found::{Found, Kind, MAX_VALUE, MAX_VALUES, ReadMarks, Value};
use super::message::Trust;
use super::trie::{ROOT, Trie};

/// The trie's nodes that one value of the document stands at: usually none or one, more where `*` and an index meet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    from: usize,
    to: usize,
}

impl Place {
    /// Whether no pointer leads to or through this value.
    pub fn is_unwanted(self) -> bool {
        self.from == self.to
    }
}

/// What is known about a node inside the parent that is being read.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    /// The object or element this is about; 0 for none.
    parent: usize,
    /// How often the name stood there before.
    count: usize,
    /// Whether an earlier one of that name has won.
    taken: bool,
    /// The number of the first value found there.
    first: usize,
}

struct Hit {
    number: usize,
    slot: usize,
    value: Value,
}

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    count: usize,
    marks: ReadMarks,
}

/// Values as they come in. A reader walks its document and says where it is: [`Collector::member`] and its like go down,
/// [`Collector::leave`] goes up again.
pub(super) struct Collector<'t> {
    trie: &'t Trie,
    trust: Option<Trust>,
    /// Slots whose values are worked on, not kept, however long they are.
    unlimited: &'t [usize],
    /// Nodes of all places that are open; a place is a range of it.
    active: Vec<usize>,
    seen: Vec<Seen>,
    parents: usize,
    hits: Vec<Hit>,
    numbers: usize,
    slots: Vec<Slot>,
    marks: ReadMarks,
    /// How often the reader went down.
    #[cfg(test)]
    pub visits: usize,
}

impl<'t> Collector<'t> {
    /// Nothing found yet; `trust` is that of the document.
    pub fn new(trie: &'t Trie, trust: Option<Trust>) -> Self {
        Self {
            trie,
            trust,
            unlimited: &[],
            active: vec![ROOT],
            seen: vec![Seen::default(); trie.len()],
            parents: 0,
            hits: Vec::new(),
            numbers: 0,
            slots: vec![Slot::default(); trie.slots()],
            marks: ReadMarks::default(),
            #[cfg(test)]
            visits: 0,
        }
    }

    /// Lets values of any length through at these slots.
    pub fn unlimited(mut self, slots: &'t [usize]) -> Self {
        self.unlimited = slots;
        self
    }

    /// The place of the whole document.
    pub fn root(&self) -> Place {
        Place { from: 0, to: 1 }
    }

    /// A number for an object, array, element or form that is about to be read.
    pub fn open(&mut self) -> usize {
        self.parents += 1;
        self.parents
    }

    /// Goes to a member of a JSON object. Of several with one name the last wins, as in `JSON.parse`.
    pub fn member(&mut self, at: Place, object: usize, name: &str) -> Place {
        self.visit();
        let from = self.active.len();
        for i in at.from..at.to {
            let Some(child) = self.active.get(i).and_then(|node| self.trie.named(*node, name)) else { continue };
            let number = self.numbers;
            let Some(seen) = self.seen.get_mut(child) else { continue };
            let before = core::mem::replace(seen, Seen { parent: object, first: number, ..Seen::default() });
            if before.parent == object {
                self.forget(child, before.first);
            }
            self.active.push(child);
        }
        Place { from, to: self.active.len() }
    }

    /// Drops what was found at `node` and below from the value with this number on.
    fn forget(&mut self, node: usize, first: usize) {
        for slot in self.trie.below(node) {
            self.mark_slot(*slot, ReadMarks::DUPLICATE);
        }
        let kept = self.hits.iter().rposition(|hit| hit.number < first).map_or(0, |at| at + 1);
        let below = self.trie.below(node);
        let slots = &mut self.slots;
        let later = self.hits.split_off(kept);
        self.hits.extend(later.into_iter().filter(|hit| {
            let dropped = below.contains(&hit.slot);
            if let Some(slot) = slots.get_mut(hit.slot) {
                slot.count -= usize::from(dropped);
            }
            !dropped
        }));
    }

    /// Goes to an item of a JSON array.
    pub fn item(&mut self, at: Place, index: usize) -> Place {
        self.visit();
        let from = self.active.len();
        for i in at.from..at.to {
            let Some(node) = self.active.get(i).copied() else { continue };
            self.active.extend(self.trie.item(node, index));
            self.active.extend(self.trie.every(node));
        }
        Place { from, to: self.active.len() }
    }

    /// Goes to a form field, XML element or attribute: names may stand more than once, and each is an item by that
    /// name. Without an index the first wins, that is the first that `wins`.
    pub fn element(&mut self, at: Place, parent: usize, name: &str, wins: bool) -> Place {
        self.visit();
        let from = self.active.len();
        for i in at.from..at.to {
            let Some(child) = self.active.get(i).and_then(|node| self.trie.named(*node, name)) else { continue };
            let Some(seen) = self.seen.get_mut(child) else { continue };
            let known = if seen.parent == parent { *seen } else { Seen::default() };
            *seen = Seen { parent, count: known.count + 1, taken: known.taken || wins, first: 0 };
            if !known.taken {
                self.active.push(child);
            }
            if known.count > 0 {
                let trie = self.trie;
                trie.below_by_name(child).for_each(|slot| self.mark_slot(slot, ReadMarks::DUPLICATE));
            }
            self.active.extend(self.trie.item(child, known.count));
            self.active.extend(self.trie.every(child));
        }
        Place { from, to: self.active.len() }
    }

    /// Goes up again; places are left in the reverse order of coming.
    pub fn leave(&mut self, place: Place) {
        self.active.truncate(place.from);
    }

    /// Whether a pointer ends at this place.
    pub fn ends(&self, at: Place) -> bool {
        self.nodes(at).iter().any(|node| !self.trie.ends(*node).is_empty())
    }

    /// Whether a pointer goes on below this place.
    pub fn leads_on(&self, at: Place) -> bool {
        self.nodes(at).iter().any(|node| self.trie.leads_on(*node))
    }

    /// Takes in the scalar at this place.
    pub fn scalar(&mut self, at: Place, text: &str, kind: Kind) {
        if text.is_empty() {
            return;
        }
        let trie = self.trie;
        for i in at.from..at.to {
            let Some(node) = self.active.get(i) else { continue };
            for slot in trie.ends(*node) {
                self.push(*slot, text, kind);
            }
        }
    }

    fn push(&mut self, slot: usize, text: &str, kind: Kind) {
        let fits = text.len() <= MAX_VALUE || self.unlimited.contains(&slot);
        let Some(state) = self.slots.get_mut(slot) else { return };
        if !fits || state.count >= MAX_VALUES {
            state.marks.set(ReadMarks::CUT);
            return;
        }
        state.count += 1;
        self.hits.push(Hit {
            number: self.numbers,
            slot,
            value: Value { text: text.to_owned(), kind, trust: self.trust },
        });
        self.numbers += 1;
    }

    /// Marks the pointers that end at this place.
    pub fn mark_at(&mut self, at: Place, marks: ReadMarks) {
        let trie = self.trie;
        for i in at.from..at.to {
            let Some(node) = self.active.get(i) else { continue };
            for slot in trie.ends(*node) {
                self.mark_slot(*slot, marks);
            }
        }
    }

    fn mark_slot(&mut self, slot: usize, marks: ReadMarks) {
        if let Some(slot) = self.slots.get_mut(slot) {
            slot.marks.set(marks);
        }
    }

    /// Marks the document, and with it every pointer.
    pub fn mark(&mut self, marks: ReadMarks) {
        self.marks.set(marks);
    }

    /// Forgets all values: what was read must not be believed.
    pub fn clear(&mut self) {
        self.hits.clear();
    }

    /// What was found, by slot.
    pub fn finish(self) -> Vec<Found> {
        let found = |slot: &Slot| {
            let mut marks = slot.marks;
            marks.set(self.marks);
            Found { values: Vec::with_capacity(slot.count), marks }
        };
        let mut all: Vec<Found> = self.slots.iter().map(found).collect();
        for hit in self.hits {
            if let Some(found) = all.get_mut(hit.slot) {
                found.values.push(hit.value);
            }
        }
        all
    }

    fn nodes(&self, at: Place) -> &[usize] {
        self.active.get(at.from..at.to).unwrap_or_default()
    }

    fn visit(&mut self) {
        #[cfg(test)]
        {
            self.visits += 1;
        }
    }
}
