//! Random schedules of flush, repetition, crash, fold and question against a model that is plainly right.
//!
//! Fixed seed, printed on failure by proptest together with the smallest schedule that fails.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use support::events::{START_MS, event, flush, session};
use support::shard::HOUR_MS;
use support::sqlite::Sqlite;
use throughline::detect;
use throughline::parameter::{Decimal, Value};
use throughline::query::{EventQuery, Filter, Order};
use throughline::session::{Event, Params};
use throughline::store::{Allowance, FoldSizes, Settings, Store, WantedSubject};
use throughline::subject::{Kind, SubjectHash};
use throughline::wire::Flush;

const SCHEDULES: u32 = 2_000;

#[derive(Debug, Clone)]
enum Step {
    /// New events of these sessions, from one of a few isolates.
    Flush {
        isolate: u64,
        sessions: Vec<u64>,
    },
    /// An earlier flush once more, acknowledged or not.
    Repeat {
        which: prop::sample::Index,
    },
    /// The object goes and comes back.
    Crash,
    Fold,
    /// What the alarm does when the journal is old: one slice of a fold, or else a merge of chunks.
    Alarm,
    /// The next few writing statements work, then all fail, and the object goes and comes back.
    FoldCut {
        after: u64,
    },
    /// The same while the alarm folds or merges.
    AlarmCut {
        after: u64,
    },
    FlushCut {
        isolate: u64,
        sessions: Vec<u64>,
        after: u64,
    },
    /// Everything the store answers is compared.
    Ask,
}

fn step() -> impl Strategy<Value = Step> {
    let sessions = || prop::collection::vec(0..6u64, 1..8);
    prop_oneof![
        5 => (0..3u64, sessions()).prop_map(|(isolate, sessions)| Step::Flush { isolate, sessions }),
        2 => any::<prop::sample::Index>().prop_map(|which| Step::Repeat { which }),
        1 => Just(Step::Crash),
        1 => Just(Step::Fold),
        4 => Just(Step::Alarm),
        1 => (0..10u64).prop_map(|after| Step::FoldCut { after }),
        2 => (0..5u64).prop_map(|after| Step::AlarmCut { after }),
        1 => (0..3u64, sessions(), 0..2u64).prop_map(|(isolate, sessions, after)| Step::FlushCut { isolate, sessions, after }),
        2 => Just(Step::Ask),
    ]
}

/// Session, event, and the value it brought.
type Contents = Vec<(u64, String, u64)>;

struct World {
    sql: Sqlite,
    store: Store<Sqlite>,
    sliced: bool,
    sent: Vec<Flush>,
    sequences: BTreeMap<u64, u64>,
    clock: u64,
    /// What was acknowledged: event ids, and requests per session.
    events: BTreeSet<String>,
    requests: BTreeMap<u64, u64>,
    /// What each session's values add up to.
    sums: BTreeMap<u64, u64>,
    /// Events of each flush sent, and whether it was acknowledged.
    contents: Vec<(Contents, bool)>,
}

impl World {
    fn new(sliced: bool) -> Self {
        let sql = Sqlite::new();
        Self {
            store: open(&sql, sliced),
            sliced,
            sql,
            sent: Vec::new(),
            sequences: BTreeMap::new(),
            clock: 0,
            events: BTreeSet::new(),
            requests: BTreeMap::new(),
            sums: BTreeMap::new(),
            contents: Vec::new(),
        }
    }

    fn crash(&mut self) {
        self.store = open(&self.sql, self.sliced);
    }

    fn flush(&mut self, isolate: u64, sessions: &[u64]) {
        let names: [Box<str>; 1] = ["total".into()];
        let first = self.clock + 1;
        let values: Vec<_> =
            (first..).take(sessions.len()).map(|n| [(0, Value::Number(Decimal::whole(n.cast_signed())))]).collect();
        let events: Vec<_> = sessions
            .iter()
            .zip(&values)
            .map(|(n, values)| {
                self.clock += 1;
                Event { params: Params::new(&names, values), ..event(*n, self.clock, self.clock) }
            })
            .collect();
        let sequence = self.sequences.entry(isolate).or_default();
        *sequence += 1;
        self.sent.push(flush(isolate, *sequence, &events));
        let contents = sessions.iter().zip(&events).zip(first..).map(|((n, e), value)| (*n, e.id.to_string(), value));
        let contents = contents.collect();
        self.contents.push((contents, false));
        self.send(self.sent.len() - 1);
    }

    fn send(&mut self, which: usize) {
        if self.store.apply(&self.sent[which], START_MS).is_err() {
            return;
        }
        let (contents, acknowledged) = &mut self.contents[which];
        if core::mem::replace(acknowledged, true) {
            return;
        }
        for (n, id, value) in contents {
            self.events.insert(id.clone());
            *self.sums.entry(*n).or_default() += *value;
            *self.requests.entry(*n).or_default() += 1;
        }
    }

    fn compare(&self) {
        let query = EventQuery::first(Filter::default(), Order::Asc, 100_000);
        let answered: Vec<String> =
            self.store.events(&query).unwrap().items.into_iter().map(|(_, _, e)| e.id).collect();
        assert_eq!(answered, self.events.iter().cloned().collect::<Vec<_>>());
        for n in 0..6 {
            let answered = self.store.session(session(n), START_MS).unwrap();
            assert_eq!(answered.as_ref().map(|s| s.requests), self.requests.get(&n).copied(), "session {n}");
            let sum = answered.and_then(|s| s.params.get("total")?.sum);
            assert_eq!(sum, self.sums.get(&n).map(|sum| *sum as f64), "session {n}");
        }
        let address = WantedSubject { kind: Kind::Ip, names: &["203.0.113.7".to_owned()] };
        let seen = self.store.subject(address).unwrap().0.map_or(0, |subject| subject.requests);
        assert_eq!(seen, self.events.len() as u64, "the one address of all");
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Flush { isolate, sessions } => self.flush(*isolate, sessions),
            Step::Repeat { which } if !self.sent.is_empty() => self.send(which.index(self.sent.len())),
            Step::Repeat { .. } => {}
            Step::Crash => self.crash(),
            Step::Fold => self.store.fold(START_MS).unwrap(),
            Step::Alarm => self.store.alarm(START_MS + HOUR_MS).unwrap(),
            Step::FoldCut { after } => {
                self.sql.fail_after(*after);
                let _ = self.store.fold(START_MS);
                self.sql.heal();
                self.crash();
            }
            Step::AlarmCut { after } => {
                self.sql.fail_after(*after);
                let _ = self.store.alarm(START_MS + HOUR_MS);
                self.sql.heal();
                self.crash();
            }
            Step::FlushCut { isolate, sessions, after } => {
                self.sql.fail_after(*after);
                self.flush(*isolate, sessions);
                self.sql.heal();
                self.crash();
            }
            Step::Ask => self.compare(),
        }
    }
}

fn open(sql: &Sqlite, sliced: bool) -> Store<Sqlite> {
    let settings = Settings {
        detectors: detect::Settings::default(),
        business: detect::business::Settings::default(),
        enforce: true,
        allow: Vec::new(),
        retention_ms: 86_400_000,
        max_bytes: u64::MAX,
        // Every fold in sixteen slices, each of which a crash may follow; and any two chunks become one.
        fold: FoldSizes {
            one_slice_bytes: if sliced { 0 } else { FoldSizes::default().one_slice_bytes },
            merged_chunks: 2,
            slimmed_bytes: 0,
            ..FoldSizes::default()
        },
        newcomers: Allowance::default(),
        subjects: SubjectHash::new([7; 16]),
        former_subjects: None,
    };
    Store::open(sql.clone(), settings, START_MS).expect("the store opens")
}

#[test]
fn nothing_acknowledged_is_lost_and_nothing_is_doubled_in_any_schedule() {
    let config = Config { cases: SCHEDULES, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let schedules = (any::<bool>(), prop::collection::vec(step(), 1..40));
    runner
        .run(&schedules, |(sliced, schedule)| {
            let mut world = World::new(sliced);
            schedule.iter().for_each(|step| world.take(step));
            world.compare();
            Ok(())
        })
        .unwrap();
}
