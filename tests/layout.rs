//! Sessions over several layouts of shards: their parts become one, and lists show each once over all pages.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use support::events::{START_MS, event, flush, miss, session};
use support::shard::{HOUR_MS, open};
use support::sqlite::Sqlite;
use throughline::query::{
    Filter, Order, Page, Parts, SessionAnswer, SessionQuery, SortBy, list_once, merge, parse_sessions,
};
use throughline::session::{Event, SessionId, State};
use throughline::store::Store;
use throughline::wire::Place;

const NOW_MS: u64 = START_MS + HOUR_MS;
const LAYOUTS: [u32; 3] = [1, 3, 2];
const SORTS: [SortBy; 5] = [SortBy::LastSeen, SortBy::FirstSeen, SortBy::Risk, SortBy::Requests, SortBy::Duration];

/// Shards of three layouts, one after the other in time.
struct Fleet {
    shards: BTreeMap<Place, Store<Sqlite>>,
    sequence: u64,
}

impl Fleet {
    fn new() -> Self {
        let shards = LAYOUTS.into_iter().flat_map(Place::all).map(|place| (place, open(&Sqlite::new()))).collect();
        Self { shards, sequence: 0 }
    }

    fn record(&mut self, layout: u32, event: &Event<'_>) {
        self.sequence += 1;
        let shard = self.shards.get_mut(&Place::of(event.session, layout)).unwrap();
        shard.apply(&flush(1, self.sequence, core::slice::from_ref(event)), NOW_MS).unwrap();
    }

    /// One page as the Worker puts it together.
    fn page(&self, query: &SessionQuery) -> Page<SessionAnswer> {
        let pages = self.shards.iter().map(|(place, shard)| {
            let page = shard.sessions(query, NOW_MS).unwrap();
            page.map(|session| (place.layout, session))
        });
        let page = merge(pages.collect(), query.order, query.limit);
        let ids: BTreeSet<u128> = page.items.iter().map(|(_, id, _)| *id).collect();
        let others = LAYOUTS.map(|layout| {
            let mut all = Parts::default();
            for place in Place::all(layout) {
                let ids = ids.iter().map(|id| SessionId(id.to_be_bytes()));
                let ids: Vec<_> = ids.filter(|id| Place::of(*id, layout) == place).collect();
                let everything = SessionQuery { filter: Filter::default(), as_of_ms: u64::MAX, ..query.clone() };
                let listed = self.shards[&place].sessions(&query.about(ids.clone()), NOW_MS).unwrap();
                let parts = self.shards[&place].sessions(&everything.about(ids.clone()), NOW_MS).unwrap();
                if !ids.is_empty() {
                    all.listed.extend(listed.items.into_iter().map(|(value, id, _)| (value, id)));
                    all.parts.extend(parts.items.into_iter().map(|(.., part)| part));
                }
            }
            (layout, all)
        });
        list_once(page, others, query.sort)
    }

    /// Every session, page by page.
    fn list(&self, query: &str, limit: u32) -> Vec<SessionAnswer> {
        let mut query = parse_sessions(query, NOW_MS).unwrap().query;
        query.limit = limit;
        let mut all = Vec::new();
        loop {
            let page = self.page(&query);
            assert!(page.items.len() <= limit as usize && !page.partial);
            query.after = page.cut;
            all.extend(page.items.into_iter().map(|(.., session)| session));
            if !page.more {
                return all;
            }
        }
    }
}

/// Thirty sessions: each in the first layout, two of three in the second, one of four in the third.
fn populated() -> Fleet {
    let mut fleet = Fleet::new();
    let mut unique = 0;
    for (round, layout) in (0u64..).zip(LAYOUTS) {
        for n in 1..=30 {
            if (round == 1 && n % 3 == 0) || (round == 2 && n % 4 != 0) {
                continue;
            }
            for request in 0..=(n * (round + 3)) % 7 {
                unique += 1;
                let at_ms = round * 1_000_000 + (n * 37) % 30 * 10_000 + request * 100;
                fleet.record(layout, &event(n, at_ms, unique));
            }
        }
    }
    fleet
}

#[test]
fn a_session_comes_once_over_all_pages_in_every_order_and_whole() {
    let fleet = populated();
    for sort in ["last_seen", "first_seen", "risk", "requests", "duration"] {
        for order in ["asc", "desc"] {
            let query = format!("sort={sort}&order={order}");
            let at_once = fleet.list(&query, 500);
            assert_eq!(at_once.len(), 30, "{query}");
            for limit in [1, 2, 7, 29] {
                assert_eq!(fleet.list(&query, limit), at_once, "{query} by {limit}");
            }
            for listed in at_once {
                let id = SessionId::parse(&listed.id).unwrap();
                let parts = fleet.shards.values().filter_map(|shard| shard.session(id, NOW_MS).unwrap());
                assert_eq!(SessionAnswer::whole(parts), Some(listed), "{query}");
            }
        }
    }
}

#[test]
fn lists_by_time_and_risk_are_in_the_order_of_what_they_show() {
    let mut fleet = populated();
    for n in 0..12 {
        let path = format!("/gone/{}", "abcdefghijkl".get(n..=n).unwrap());
        fleet.record(3, &miss(7, 1_500_000 + n as u64, 9_000 + n as u64, &path));
    }
    let ordered = |query: &str, key: fn(&SessionAnswer) -> String| {
        let keys: Vec<_> = fleet.list(query, 4).iter().map(key).collect();
        assert!(keys.is_sorted(), "{query}: {keys:?}");
    };
    ordered("sort=last_seen&order=asc", |s| s.last_seen.clone());
    ordered("sort=first_seen&order=asc", |s| s.first_seen.clone());
    ordered("sort=risk&order=asc", |s| format!("{:03}", s.risk));
    assert_eq!(fleet.list("min_risk=1", 4).iter().map(|s| s.id.clone()).collect::<Vec<_>>(), [session(7).to_string()]);
}

#[test]
fn a_session_is_listed_where_a_part_of_it_fits_and_shown_whole() {
    let mut fleet = populated();
    fleet.record(1, &miss(5, 10, 8_001, "/gone"));
    let found = fleet.list("status=404", 1);
    assert_eq!(found.len(), 1);
    let all: u64 =
        fleet.shards.values().filter_map(|s| s.session(session(5), NOW_MS).unwrap()).map(|s| s.requests).sum();
    assert_eq!((found[0].id.clone(), found[0].requests), (session(5).to_string(), all));
    assert_eq!(fleet.list("status!=404&limit=7", 7).len(), 30, "the later part of session 5 has none");
}

fn part(n: u64, layout: u32, events: &[Event<'_>]) -> SessionAnswer {
    let mut fleet = Fleet::new();
    events.iter().for_each(|event| fleet.record(layout, event));
    let shard = &fleet.shards[&Place::of(session(n), layout)];
    shard.session(session(n), NOW_MS).unwrap().unwrap()
}

#[test]
fn parts_add_up_to_one_session() {
    let login = Event { user: "ann", roles: "admin", country: "DE", ..event(1, 0, 1) };
    let early = part(1, 1, &[login, miss(1, 500, 2, "/gone")]);
    let abroad = Event { user: "bob", ip: "198.51.100.9".parse().ok(), country: "FR", ..event(1, 90_000, 3) };
    let late = part(1, 3, &[abroad, Event { method: "POST", user: "ann", ..event(1, 100_000, 4) }]);
    let blocked = SessionAnswer { state: State::Blocked, risk: 60, proof: "issued".to_owned(), ..late };
    let whole = early.clone().merge(blocked.clone());
    assert_eq!(whole, blocked.clone().merge(early.clone()), "whichever comes first");
    assert_eq!((whole.requests, whole.duration_ms), (4, 100_000));
    assert_eq!((&whole.first_seen, &whole.last_seen), (&early.first_seen, &blocked.last_seen));
    assert_eq!((whole.state, whole.risk, whole.proof.as_str()), (State::Blocked, 60, "issued"));
    assert_eq!((whole.users, whole.roles), (vec!["ann".to_owned(), "bob".to_owned()], vec!["admin".to_owned()]));
    assert_eq!(whole.ips.iter().map(|a| a.requests).sum::<u64>(), 4);
    let statuses: Vec<(&str, u64)> = whole.statuses.iter().map(|(status, times)| (status.as_str(), *times)).collect();
    assert_eq!(statuses, [("200", 3), ("404", 1)]);
    assert_eq!(whole.methods.values().sum::<u64>(), 4);
    assert_eq!(whole.endpoints.iter().map(|e| e.requests).sum::<u64>() + whole.endpoints_rest, 4);
    assert!(whole.endpoints.is_sorted_by_key(|e| core::cmp::Reverse(e.requests)));
    assert_eq!(SessionAnswer::whole([]), None);
}

#[test]
fn what_a_whole_session_shows_is_bounded_like_one_part_of_it() {
    let many = |layout: u32, from: u64| {
        let paths: Vec<String> = (from..from + 200).map(|n| format!("/p{}", n * n)).collect();
        let events = (0u64..).zip(&paths).map(|(n, path)| Event { template: path, ..event(1, n, from + n) });
        part(1, layout, &events.collect::<Vec<_>>())
    };
    let whole = many(1, 0).merge(many(2, 200)).merge(many(3, 400));
    assert_eq!((whole.requests, whole.endpoints.len()), (600, 256));
    assert_eq!(whole.endpoints.iter().map(|e| e.requests).sum::<u64>() + whole.endpoints_rest, 600);
}

#[test]
fn a_page_that_lacks_a_layout_is_partial_and_ends_where_it_ended() {
    let fleet = populated();
    let query = SessionQuery { limit: 3, ..parse_sessions("", NOW_MS).unwrap().query };
    assert_eq!(SORTS[0], query.sort);
    assert_eq!(query.order, Order::Desc);
    let item = |layout, n: u64| {
        let shard = &fleet.shards[&Place::of(session(n), layout)];
        (n, u128::from_be_bytes(session(n).0), (layout, shard.session(session(n), NOW_MS).unwrap().unwrap()))
    };
    let page = Page { more: true, ..Page::of(vec![item(3, 8), item(1, 8), item(1, 2)], Order::Desc, 10) };
    let others = Parts { listed: vec![(9, u128::from_be_bytes(session(2).0))], parts: vec![], partial: true };
    let once = list_once(page, [(3, others)], SortBy::LastSeen);
    assert_eq!(once.items.len(), 1, "session 2 stands further up, session 8 comes twice at one place");
    assert_eq!((once.cut, once.more, once.partial), (Some((2, u128::from_be_bytes(session(2).0))), true, true));
}
