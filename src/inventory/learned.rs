//! Templates learned from use: where many different names stand at one place, they are values, not endpoints.
//!
//! **Evidence**: at least [`VALUES`] names that differ at one segment and in nothing else, seen in at least [`SESSIONS`]
//! sessions together, none of them in a document. A name that stands out (much busier than the others) or has endpoints
//! of its own below it stays what it is: a static sibling. What was learned can be taken back, and is not learned again.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::tally::{Different, Tally};

/// Different names before they count as values …
pub const VALUES: usize = 30;
/// … and sessions that used them.
pub const SESSIONS: u64 = 10;
/// A name with this many times the calls of the middle one, and this many at least, stays.
const BUSIER: u64 = 10;
const BUSY: u64 = 20;
/// Endpoints looked at for one lesson: values are told long before there are so many.
const MAX_LOOKED_AT: usize = 1_000;
/// Templates learned at most.
pub const MAX_LEARNED: usize = 500;
/// What stands for the values.
pub const PLACEHOLDER: &str = "{slug}";

/// One template that was learned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Learned {
    /// With [`PLACEHOLDER`] and the placeholders of typed segments.
    pub template: String,
    pub learned_ms: u64,
    /// How many names had come together, and in how many sessions.
    pub values: u64,
    pub sessions: u64,
    /// Names that were left as they are.
    pub siblings: Vec<String>,
}

/// Where something may be learned: the names that differ at one segment of a new endpoint.
pub struct Lesson<'a> {
    pub template: String,
    /// Names of the endpoints (`METHOD host/template`) that become one.
    pub merged: Vec<&'a str>,
    pub siblings: Vec<String>,
    pub sessions: u64,
}

/// What the endpoint that came last, `key`, teaches together with the others.
pub fn lesson<'a>(
    endpoints: &'a BTreeMap<Box<str>, Tally>,
    key: &str,
    refused: &BTreeSet<String>,
) -> Option<Lesson<'a>> {
    let slash = key.find('/')?;
    let (head, template) = key.split_at_checked(slash)?;
    // Operations are bounded by themselves.
    if template.contains('#') {
        return None;
    }
    let segments: Vec<&str> = template.split('/').collect();
    // The last segments differ most often.
    for at in (1..segments.len()).rev() {
        let segment = segments.get(at)?;
        if segment.is_empty() || segment.starts_with('{') {
            continue;
        }
        let before = segments.get(..at)?.join("/");
        let behind = segments.get(at + 1..)?.join("/");
        let learned = [before.as_str(), "/", PLACEHOLDER, if behind.is_empty() { "" } else { "/" }, &behind].concat();
        if refused.contains(&learned) {
            continue;
        }
        let start = [head, &before, "/"].concat();
        if let Some(lesson) = at_segment(endpoints, &start, &behind, learned) {
            return Some(lesson);
        }
    }
    None
}

fn at_segment<'a>(
    endpoints: &'a BTreeMap<Box<str>, Tally>,
    start: &str,
    behind: &str,
    template: String,
) -> Option<Lesson<'a>> {
    let range = endpoints.range::<str, _>((core::ops::Bound::Included(start), core::ops::Bound::Unbounded));
    let below = range.take(MAX_LOOKED_AT).take_while(|(key, _)| key.starts_with(start));
    let (mut alike, mut deeper): (Vec<(&str, &str, &Tally)>, BTreeSet<&str>) = (Vec::new(), BTreeSet::new());
    for (key, tally) in below.filter(|(key, _)| !key.contains('#')) {
        let rest = key.get(start.len()..).unwrap_or("");
        let (name, after) = rest.split_once('/').unwrap_or((rest, ""));
        if after != behind {
            deeper.insert(name);
        } else if !name.is_empty() && !name.starts_with('{') && tally.documented == 0 {
            alike.push((key, name, tally));
        }
    }
    if alike.len() < VALUES {
        return None;
    }
    let mut calls: Vec<u64> = alike.iter().map(|(.., tally)| tally.calls).collect();
    calls.sort_unstable();
    let middle = calls.get(calls.len() / 2).copied().unwrap_or(0);
    // Where most names have more below them, having it makes none special.
    let branches = alike.iter().filter(|(_, name, _)| deeper.contains(name)).count() * 2 > alike.len();
    let stays = |name: &str, tally: &Tally| {
        (tally.calls >= BUSY && tally.calls >= middle.saturating_mul(BUSIER)) || (!branches && deeper.contains(name))
    };
    let (kept, merged): (Vec<_>, Vec<_>) = alike.into_iter().partition(|(_, name, tally)| stays(name, tally));
    let mut sessions = Different::default();
    merged.iter().for_each(|(.., tally)| sessions.merge(&tally.sessions));
    if merged.len() < VALUES || sessions.count() < SESSIONS {
        return None;
    }
    Some(Lesson {
        template,
        merged: merged.into_iter().map(|(key, ..)| key).collect(),
        siblings: kept.into_iter().map(|(_, name, _)| name.to_owned()).collect(),
        sessions: sessions.count(),
    })
}

impl Learned {
    /// Whether a template is an instance of this one and no sibling's.
    pub fn fits(&self, template: &str) -> bool {
        let (mut mine, mut theirs) = (self.template.split('/'), template.split('/'));
        loop {
            match (mine.next(), theirs.next()) {
                (None, None) => return true,
                (Some(PLACEHOLDER), Some(name)) => {
                    if name.is_empty() || name.starts_with('{') || self.siblings.iter().any(|known| known == name) {
                        return false;
                    }
                }
                (Some(one), Some(other)) if one == other => {}
                _ => return false,
            }
        }
    }

    /// The template, and those of the siblings that it does not swallow.
    pub fn templates(&self) -> impl Iterator<Item = String> {
        let siblings = self.siblings.iter().map(|name| self.template.replacen(PLACEHOLDER, name, 1));
        core::iter::once(self.template.clone()).chain(siblings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoints(keys: impl Iterator<Item = (String, u64, u64)>) -> BTreeMap<Box<str>, Tally> {
        let tally = |calls, session: u64| {
            let mut tally = Tally { calls, ..Tally::default() };
            tally.sessions.insert(session.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            tally
        };
        keys.map(|(key, calls, session)| (key.into(), tally(calls, session))).collect()
    }

    fn learn(endpoints: &BTreeMap<Box<str>, Tally>, key: &str) -> Option<(String, usize, Vec<String>)> {
        lesson(endpoints, key, &BTreeSet::new()).map(|l| (l.template, l.merged.len(), l.siblings))
    }

    fn slugs(n: u64, suffix: &'static str) -> impl Iterator<Item = (String, u64, u64)> {
        (0..n).map(move |n| (format!("GET shop.test/products/shirt-{n}-blue{suffix}"), 3, n % 20))
    }

    #[test]
    fn many_names_of_many_sessions_are_values_and_few_are_not() {
        let enough = endpoints(slugs(VALUES as u64, ""));
        let last = "GET shop.test/products/shirt-0-blue";
        assert_eq!(learn(&enough, last), Some(("/products/{slug}".to_owned(), VALUES, vec![])));
        assert_eq!(learn(&endpoints(slugs(VALUES as u64 - 1, "")), last), None);
        let one_visitor = slugs(100, "").map(|(key, calls, _)| (key, calls, 1));
        assert_eq!(learn(&endpoints(one_visitor), last), None);
        assert_eq!(
            learn(&endpoints(slugs(40, "/reviews")), &format!("{last}/reviews")).map(|l| l.0),
            Some("/products/{slug}/reviews".to_owned())
        );
    }

    #[test]
    fn siblings_that_stand_out_are_not_swallowed() {
        let busy = ("GET shop.test/products/search".to_owned(), 5_000, 3);
        let parent = ("GET shop.test/products/compare".to_owned(), 3, 3);
        let child = ("GET shop.test/products/compare/table".to_owned(), 3, 3);
        let all = endpoints(slugs(40, "").chain([busy, parent, child]));
        let (template, merged, mut siblings) = learn(&all, "GET shop.test/products/shirt-7-blue").unwrap();
        siblings.sort();
        assert_eq!((template.as_str(), merged), ("/products/{slug}", 40));
        assert_eq!(siblings, ["compare", "search"]);
    }

    #[test]
    fn what_was_taken_back_is_not_learned_again() {
        let all = endpoints(slugs(40, ""));
        let refused = BTreeSet::from(["/products/{slug}".to_owned()]);
        assert!(lesson(&all, "GET shop.test/products/shirt-7-blue", &refused).is_none());
    }
}
