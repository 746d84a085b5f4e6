//! The best of what was found so far, and whether what is left can better it.

use super::Chunk;
use crate::query::{Order, Page, Resume, is_after};
use crate::sorting;

/// What a page asks of an item's place.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    pub order: Order,
    pub limit: u32,
    /// Value and id of the last item of the page before.
    pub after: Option<(u64, u128)>,
    /// Value and id of the last item of this page as far as earlier slices filled it.
    pub floor: Option<(u64, u128)>,
}

/// Items by value and id, with where each lies.
pub struct Best<T> {
    wanted: Wanted,
    found: Vec<(u64, u128, T)>,
}

impl<T> Best<T> {
    pub fn new(wanted: Wanted) -> Self {
        Self { wanted, found: Vec::new() }
    }

    /// Takes an item in, if it can be on the page.
    pub fn offer(&mut self, value: u64, id: u128, source: T) {
        let (position, order) = ((value, id), self.wanted.order);
        if self.wanted.after.is_some_and(|after| !is_after(position, after, order))
            || self.wanted.floor.is_some_and(|floor| is_after(position, floor, order))
        {
            return;
        }
        self.found.push((value, id, source));
        if self.found.len() >= (self.wanted.limit as usize + 1) * 4 {
            self.settle();
        }
    }

    /// Keeps one more than the page holds, so that it is known whether there is more.
    fn settle(&mut self) {
        let keep = self.wanted.limit + 1;
        self.found = Page::of(core::mem::take(&mut self.found), self.wanted.order, keep).items;
        if self.found.len() == keep as usize {
            self.wanted.floor = self.found.last().map(|(value, id, _)| (*value, *id));
        }
    }

    /// Whether nothing with a value no better than `bound` can still make it onto the page.
    pub fn is_beyond(&mut self, bound: u64) -> bool {
        self.settle();
        self.wanted.floor.is_some_and(|(value, _)| match self.wanted.order {
            Order::Desc => bound < value,
            Order::Asc => bound > value,
        })
    }

    /// The page.
    pub fn into_page(self) -> Page<T> {
        Page::of(self.found, self.wanted.order, self.wanted.limit)
    }
}

/// Chunks with the best value each can hold, best first, as far as a slice before has left them.
pub fn ranked(mut chunks: Vec<(u64, &Chunk)>, order: Order, resume: Option<Resume>) -> Vec<(u64, &Chunk)> {
    let rank = |bound: u64, chunk: u64| match order {
        Order::Desc => (u64::MAX - bound, u64::MAX - chunk),
        Order::Asc => (bound, u64::MAX - chunk),
    };
    chunks.retain(|(bound, chunk)| resume.is_none_or(|r| rank(*bound, chunk.id) >= rank(r.bound, r.chunk)));
    sorting::sort_by_key(&mut chunks, |(bound, chunk)| rank(*bound, chunk.id));
    chunks
}
