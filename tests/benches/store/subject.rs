//! The store under measurement, behind the few things a measurement does with it: the one place to change when the
//! store's interface does.

use std::hint::black_box;
use std::path::Path;

use serde::Serialize;
use throughline::detect;
use throughline::query::{Page, add_slice, parse_events, parse_sessions};
use throughline::session::Detector;
use throughline::store::sql::{Sql, Usage};
use throughline::store::{Settings, Store};
use throughline::wire::Flush;

use crate::support::shard::settings;
use crate::support::sqlite::Sqlite;

/// A fold may be done in slices; more of them than this, and it does not come to its end.
const MOST_SLICES: usize = 10_000;

/// The object tells the fleet this often, ms (`src/edge/shard.rs`).
const TOLD_EVERY_MS: u64 = 3_000;

/// A store, the alarm that its object would set for it, and the fleet, which confirms whatever it is told.
pub struct Subject {
    store: Store<Sqlite>,
    sql: Sqlite,
    alarm_at_ms: Option<u64>,
    told_ms: u64,
    /// How often an alarm was set, which is a row written, and how often it went off, which is a request.
    pub alarms_set: u64,
    pub alarms: u64,
}

/// Which detectors are on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detectors {
    /// Forced browsing and session rotation, which every figure of the engine has been measured with.
    Basic,
    All,
}

impl Detectors {
    /// What is measured with them has its figure's name and this.
    pub fn suffix(self) -> &'static str {
        if self == Self::All { "_detect" } else { "" }
    }

    fn settings(self) -> Settings {
        let all = settings(false);
        if self == Self::All {
            return all;
        }
        let mut detectors = detect::Settings { region_surge: None, ..detect::Settings::default() };
        Detector::all().for_each(|detector| detectors.behaviours.set(detector, None));
        Settings { detectors, ..all }
    }
}

/// What became of a question.
pub struct Answer {
    /// Ids of the items.
    pub ids: Vec<String>,
    /// Whether something may be missing.
    pub partial: bool,
}

/// The two lists of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List {
    Sessions,
    Events,
}

impl Subject {
    pub fn open(path: &Path, now_ms: u64, detectors: Detectors) -> Self {
        let sql = Sqlite::in_file(path);
        let store = Store::open(sql.clone(), detectors.settings(), now_ms).expect("the store opens");
        Self { store, sql, alarm_at_ms: None, told_ms: now_ms, alarms_set: 0, alarms: 0 }
    }

    /// Takes a flush in, and does what the object does about its alarm.
    pub fn apply(&mut self, flush: &Flush) {
        self.ring(flush.now_ms);
        self.store.apply(flush, flush.now_ms).expect("the flush is taken");
        self.set_alarm(flush.now_ms);
        if flush.now_ms >= self.told_ms + TOLD_EVERY_MS {
            self.told_ms = flush.now_ms;
            if let Some(delta) = self.store.delta("bench") {
                self.store.told_upto(delta.upto).expect("the fleet's answer is taken");
            }
        }
    }

    /// Lets the alarm go off if it is due.
    pub fn ring(&mut self, now_ms: u64) {
        if self.alarm_at_ms.is_some_and(|at| at <= now_ms) {
            self.alarm_at_ms = None;
            self.alarms += 1;
            self.store.alarm(now_ms).expect("the alarm does its work");
            self.set_alarm(now_ms);
        }
    }

    fn set_alarm(&mut self, now_ms: u64) {
        let Some(at) = self.store.alarm_after(now_ms).map(|wait| now_ms + wait) else { return };
        if self.alarm_at_ms.is_none_or(|set| at < set) {
            self.alarm_at_ms = Some(at);
            self.alarms_set += 1;
        }
    }

    /// Folds everything that is in the journal.
    pub fn fold(&mut self, now_ms: u64) {
        for _ in 0..MOST_SLICES {
            if self.store.health().journal_rows == 0 {
                return;
            }
            self.store.fold(now_ms).expect("the journal folds");
        }
        panic!("the journal is not empty after {MOST_SLICES} folds");
    }

    /// The API's own question, as the object answers it.
    pub fn ask(&mut self, list: List, query: &str, now_ms: u64) -> Answer {
        match list {
            List::Sessions => {
                let mut asked = parse_sessions(query, now_ms).unwrap_or_else(|error| panic!("{query}: {error}")).query;
                let mut page = self.store.sessions(&asked, now_ms).expect("an answer");
                asked.position = Some(page.position);
                while page.resume.is_some() {
                    asked.resume = page.resume;
                    asked.floor = page.items.last().map(|(value, id, _)| (*value, *id)).filter(|_| page.more);
                    let slice = self.store.sessions(&asked, now_ms).expect("an answer");
                    add_slice(&mut page, slice, asked.order, asked.limit);
                }
                answered(&page, |item| item.id.clone())
            }
            List::Events => {
                let mut asked =
                    parse_events(query, now_ms, None).unwrap_or_else(|error| panic!("{query}: {error}")).query;
                let mut page = self.store.events(&asked).expect("an answer");
                while page.resume.is_some() {
                    asked.resume = page.resume;
                    asked.floor = page.items.last().map(|(value, id, _)| (*value, *id)).filter(|_| page.more);
                    let slice = self.store.events(&asked).expect("an answer");
                    add_slice(&mut page, slice, asked.order, asked.limit);
                }
                answered(&page, |item| item.id.clone())
            }
        }
    }

    pub fn folds(&self) -> u64 {
        self.store.health().counts.folds
    }

    pub fn hot_sessions(&self) -> u64 {
        self.store.health().hot_sessions
    }

    /// Rows so far, those of the opening and of alarms set included.
    pub fn usage(&self) -> Usage {
        let mut usage = self.sql.usage();
        usage.add(0, self.alarms_set);
        usage
    }

    /// Bytes the database takes.
    pub fn bytes(&self) -> u64 {
        self.sql.bytes()
    }
}

fn answered<T: Serialize>(page: &Page<T>, id: impl Fn(&T) -> String) -> Answer {
    black_box(serde_json::to_vec(page).expect("JSON"));
    let ids = page.items.iter().map(|(_, _, item)| id(item)).collect();
    Answer { ids, partial: page.partial || page.cut.is_some() }
}
