//! Pages, and how those of several shards become one.

use serde::{Deserialize, Serialize};

use super::{Order, Resume};

use crate::sorting;

/// Items in order, each with its sort value and id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Page<T> {
    pub items: Vec<(u64, u128, T)>,
    /// Whether there are more after the last item.
    pub more: bool,
    /// Position up to which the shard looked when it stopped early: what lies beyond was not seen.
    pub cut: Option<(u64, u128)>,
    /// Whether something may be missing from these items.
    pub partial: bool,
    /// How far the shard's journal is; see [`super::SessionQuery::position`].
    pub position: u64,
    /// Where the next slice of this page begins, if there is one.
    pub resume: Option<Resume>,
}

impl<T> Page<T> {
    /// Sorts `items` and keeps the first `limit`.
    pub fn of(mut items: Vec<(u64, u128, T)>, order: Order, limit: u32) -> Self {
        sort(&mut items, order);
        let limit = limit as usize;
        let more = items.len() > limit;
        items.truncate(limit);
        Self { items, more, cut: None, partial: false, position: 0, resume: None }
    }

    /// The same page of something made from each item.
    pub fn map<U>(self, make: impl Fn(T) -> U) -> Page<U> {
        let items = self.items.into_iter().map(|(value, id, item)| (value, id, make(item))).collect();
        Page {
            items,
            more: self.more,
            cut: self.cut,
            partial: self.partial,
            position: self.position,
            resume: self.resume,
        }
    }
}

fn sort<T>(items: &mut [(u64, u128, T)], order: Order) {
    match order {
        Order::Asc => sorting::sort_by_key(items, |(value, id, _)| (*value, *id)),
        Order::Desc => sorting::sort_by_key(items, |(value, id, _)| core::cmp::Reverse((*value, *id))),
    }
}

/// Whether `position` comes after `mark` in this order.
pub fn is_after(position: (u64, u128), mark: (u64, u128), order: Order) -> bool {
    match order {
        Order::Asc => position > mark,
        Order::Desc => position < mark,
    }
}

/// Adds what a further slice of a page found. A session that moved between two slices is in both, in the same place.
pub fn add_slice<T>(page: &mut Page<T>, slice: Page<T>, order: Order, limit: u32) {
    let mut items = core::mem::take(&mut page.items);
    items.extend(slice.items);
    sort(&mut items, order);
    items.dedup_by_key(|(_, id, _)| *id);
    let merged = Page::of(items, order, limit);
    page.items = merged.items;
    page.more |= slice.more | merged.more;
    page.partial |= slice.partial;
    page.resume = slice.resume;
}

/// Merges the pages of several shards; what lies beyond the nearest cut is left for the next page.
pub fn merge<T>(pages: Vec<Page<T>>, order: Order, limit: u32) -> Page<T> {
    let cuts = pages.iter().filter_map(|page| page.cut);
    let cut = match order {
        Order::Asc => cuts.min(),
        Order::Desc => cuts.max(),
    };
    let mut more = cut.is_some();
    let partial = more || pages.iter().any(|page| page.partial);
    let mut items = Vec::new();
    for page in pages {
        more |= page.more;
        items.extend(page.items);
    }
    if let Some(cut) = cut {
        items.retain(|(value, id, _)| !is_after((*value, *id), cut, order));
    }
    let merged = Page::of(items, order, limit);
    // A page that is full before the cut ends with its last item.
    let cut = cut.filter(|_| !merged.more);
    Page { more: more || merged.more, cut, partial, ..merged }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(values: &[u64], more: bool, cut: Option<(u64, u128)>) -> Page<()> {
        Page {
            items: values.iter().map(|v| (*v, 0, ())).collect(),
            more,
            cut,
            partial: false,
            position: 0,
            resume: None,
        }
    }

    fn values(page: &Page<()>) -> Vec<u64> {
        page.items.iter().map(|(v, ..)| *v).collect()
    }

    #[test]
    fn pages_merge_in_order_and_say_that_there_is_more() {
        let merged = merge(vec![page(&[9, 5], false, None), page(&[7, 3], false, None)], Order::Desc, 3);
        assert_eq!((values(&merged), merged.more), (vec![9, 7, 5], true));
        let all = merge(vec![page(&[1, 5], false, None), page(&[3], false, None)], Order::Asc, 3);
        assert_eq!((values(&all), all.more), (vec![1, 3, 5], false));
    }

    #[test]
    fn what_lies_beyond_a_cut_waits_for_the_next_page() {
        let merged = merge(vec![page(&[9, 5], false, None), page(&[8], false, Some((6, 0)))], Order::Desc, 10);
        assert_eq!((values(&merged), merged.more, merged.cut), (vec![9, 8], true, Some((6, 0))));
        let full = merge(vec![page(&[9, 7], false, None), page(&[8], false, Some((6, 0)))], Order::Desc, 2);
        assert_eq!((values(&full), full.more, full.cut), (vec![9, 8], true, None), "7 comes on the next page");
    }
}
