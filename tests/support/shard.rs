//! A shard's store over SQLite, and the two questions most tests ask of it.

use throughline::detect;
use throughline::query::{EventQuery, Filter, Order, parse_sessions};
use throughline::store::{Allowance, FoldSizes, Settings, Store};
use throughline::subject::SubjectHash;

use super::events::START_MS;
use super::sqlite::Sqlite;

pub const HOUR_MS: u64 = 3_600_000;
pub const DAY_MS: u64 = 24 * HOUR_MS;

/// What names subjects.
pub fn hash() -> SubjectHash {
    SubjectHash::new([7; 16])
}

pub fn settings(enforce: bool) -> Settings {
    Settings {
        detectors: detect::Settings::default(),
        business: detect::business::Settings::default(),
        enforce,
        allow: Vec::new(),
        retention_ms: 30 * DAY_MS,
        max_bytes: u64::MAX,
        fold: FoldSizes::default(),
        newcomers: Allowance::default(),
        subjects: hash(),
        former_subjects: None,
    }
}

pub fn open(sql: &Sqlite) -> Store<Sqlite> {
    Store::open(sql.clone(), settings(true), START_MS).expect("the store opens")
}

pub fn all_events(store: &Store<Sqlite>) -> Vec<String> {
    let query = EventQuery::first(Filter::default(), Order::Asc, 100_000);
    store.events(&query).expect("an answer").items.into_iter().map(|(_, _, e)| e.id).collect()
}

pub fn list(store: &Store<Sqlite>, query: &str) -> Vec<String> {
    let query = parse_sessions(query, START_MS + HOUR_MS).expect("an answer").query;
    store.sessions(&query, START_MS + HOUR_MS).expect("an answer").items.into_iter().map(|(_, _, s)| s.id).collect()
}
