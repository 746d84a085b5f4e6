//! Sorting where speed does not matter: one compiled sorter for all types.
//!
//! The standard library compiles its sort anew for every type and comparison, some six kilobytes of Wasm each. Here
//! numbers of places are sorted, by one instance of it, and the items then put there. Not for what every request does.

use core::cmp::Ordering;

/// Sorts by `compare`; equal items stay in their order.
pub fn sort_by<T>(items: &mut [T], mut compare: impl FnMut(&T, &T) -> Ordering) {
    let mut places = {
        let items = &*items;
        sorted_places(items.len(), &mut |one, other| match (items.get(one as usize), items.get(other as usize)) {
            (Some(one), Some(other)) => compare(one, other),
            _ => Ordering::Equal,
        })
    };
    // Where each item has to go; every swap brings one there for good.
    for at in 0..items.len() {
        while let Some(to) = places.get(at).map(|to| *to as usize).filter(|to| *to != at && *to < items.len()) {
            items.swap(at, to);
            places.swap(at, to);
        }
    }
}

/// Sorts by a key, which is computed for every comparison.
pub fn sort_by_key<T, K: Ord>(items: &mut [T], mut key: impl FnMut(&T) -> K) {
    sort_by(items, |one, other| key(one).cmp(&key(other)));
}

/// Sorts by the items' own order.
pub fn sort<T: Ord>(items: &mut [T]) {
    sort_by(items, T::cmp);
}

/// For each of `len` places, where its item belongs.
fn sorted_places(len: usize, compare: &mut dyn FnMut(u32, u32) -> Ordering) -> Vec<u32> {
    // More items than that are in no list of ours; what lies beyond would stay where it is.
    let len = u32::try_from(len).unwrap_or(u32::MAX);
    let mut order: Vec<u32> = (0..len).collect();
    order.sort_by(|one, other| compare(*one, *other));
    let mut places = vec![0; order.len()];
    for (to, from) in (0..len).zip(&order) {
        if let Some(place) = places.get_mut(*from as usize) {
            *place = to;
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn items_are_sorted_as_the_standard_library_sorts_them(items in prop::collection::vec((0u8..20, any::<u16>()), 0..200)) {
            let mut expected = items.clone();
            expected.sort_by_key(|(key, _)| *key);
            let mut sorted = items;
            sort_by_key(&mut sorted, |(key, _)| *key);
            prop_assert_eq!(&sorted, &expected);
            expected.sort();
            sort(&mut sorted);
            prop_assert_eq!(&sorted, &expected);
            expected.reverse();
            sort_by(&mut sorted, |one, other| other.cmp(one));
            prop_assert_eq!(sorted, expected);
        }
    }
}
