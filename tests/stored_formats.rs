//! What is stored, damaged: nothing panics, whatever a byte says; what cannot be read costs what it held, and the shard goes on.
//! `STORED_FUZZ=N` tries N damages instead of some hundred; `STORED_FUZZ_FROM=N` begins with the Nth.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

mod support;

use support::events::{START_MS, event, flush, miss, session};
use support::shard::{HOUR_MS, settings};
use support::sqlite::Sqlite;
use throughline::query::{add_slice, parse_events, parse_sessions, parse_stats};
use throughline::session::{BatchBuilder, Event};
use throughline::store::{EraseSizes, FoldSizes, Settings, Store, StoreError, WantedSubject};
use throughline::subject::Kind;

const CASES: u64 = 150;
const NOW_MS: u64 = START_MS + HOUR_MS;

/// `SplitMix64`.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }
}

fn open(sql: &Sqlite) -> Result<Store<Sqlite>, StoreError> {
    let fold = FoldSizes { merged_chunks: 3, slimmed_bytes: 0, ..FoldSizes::default() };
    Store::open(sql.clone(), Settings { fold, ..settings(true) }, START_MS)
}

/// A shard with something of everything in it: folded, merged, slimmed and in the journal.
fn shard() -> Sqlite {
    let sql = Sqlite::new();
    let mut store = open(&sql).unwrap();
    for round in 0..12 {
        let (at, unique) = (round * 1_000, round * 20);
        let paths: Vec<String> = (0..4).map(|n| format!("/.probe-{round}-{n}")).collect();
        let misses = paths.iter().zip(0..).map(|(path, n)| miss(0, at + n, unique + n, path));
        let user = Event { user: "ann", token: 7, ..event(1 + round % 3, at + 10, unique + 5) };
        let failed =
            Event { status: 401, method: "POST", template: "/login", path: "/login", ..event(9, at + 11, unique + 6) };
        let events: Vec<_> = misses.chain([user, failed, event(100 + round, at + 20, unique + 7)]).collect();
        let mut builder = BatchBuilder::default();
        events.iter().for_each(|event| builder.push(event));
        builder.glimpse(&Event { user: "bob", ..event(50, at + 30, unique + 8) }, Kind::User.alone());
        let sent = throughline::wire::Flush { batch: builder.take().encode(), ..flush(1, round + 1, &[]) };
        store.apply(&sent, START_MS).unwrap();
        if round < 10 {
            store.fold(START_MS).unwrap();
        }
        if round == 6 {
            (0..4).for_each(|_| store.alarm(START_MS).unwrap());
        }
    }
    sql
}

fn damaged(mut bytes: Vec<u8>, random: &mut Random) -> Vec<u8> {
    let at = random.below(bytes.len());
    match random.below(7) {
        0 => bytes.truncate(at),
        1 => bytes.extend((0..=random.below(40)).map(|n| n as u8)),
        2 => bytes.iter_mut().skip(at).take(8).for_each(|byte| *byte = 0xff),
        3 => bytes.iter_mut().skip(at).take(8).for_each(|byte| *byte = 0),
        4 => drop(bytes.drain(at..(at + 3).min(bytes.len()))),
        // One bit, or one byte: what checks by length does not see.
        5 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << random.below(8)),
        _ => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte = random.next() as u8),
    }
    bytes
}

/// Asks everything, for the answer's sake or not.
fn ask(store: &Store<Sqlite>) {
    for query in
        ["", "sort=risk", "sort=requests&order=asc", "user=ann", "status=404", "detector=forced_browsing", "q=probe"]
    {
        let asked = parse_sessions(query, NOW_MS).unwrap().query;
        let _ = store.sessions(&asked, NOW_MS);
        let mut asked =
            parse_events(&query.replace("sort=risk", "").replace("sort=requests&", ""), NOW_MS, None).unwrap().query;
        let Ok(mut page) = store.events(&asked) else { continue };
        while page.resume.is_some() {
            asked.resume = page.resume;
            let Ok(slice) = store.events(&asked) else { break };
            add_slice(&mut page, slice, asked.order, asked.limit);
        }
    }
    let _ = store.stats(&parse_stats("group_by=endpoint", NOW_MS).unwrap());
    for n in [0, 1, 9, 100, 109] {
        let _ = store.session(session(n), NOW_MS);
    }
    for (kind, name) in
        [(Kind::User, "ann"), (Kind::User, "bob"), (Kind::Ip, "203.0.113.7"), (Kind::Token, "0000000000000007")]
    {
        let _ = store.subject(WantedSubject { kind, names: &[name.to_owned()] });
    }
    let _ = store.delta("shard");
}

#[test]
fn damage_never_panics_and_a_shard_that_opens_takes_what_comes() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let (cases, from) = (number("STORED_FUZZ").unwrap_or(CASES), number("STORED_FUZZ_FROM").unwrap_or(0));
    let whole = shard();
    let blobs = whole.blobs();
    for case in from..from + cases {
        let mut random = Random(case);
        let sql = whole.copy();
        let blob = &blobs[random.below(blobs.len())];
        println!("case {case}: {blob:?}");
        sql.change_blob(blob, |bytes| damaged(bytes, &mut random));
        let Ok(mut store) = open(&sql) else {
            // What says how far everything is cannot be guessed: the object answers 503 rather than lose or repeat.
            assert_eq!(blob.0, "state", "case {case}: {blob:?}");
            continue;
        };
        ask(&store);
        let came = event(7, 600_000, 5_000);
        store.apply(&flush(2, 1, &[came]), START_MS).expect("a batch that comes after is taken");
        let is_there = |store: &Store<Sqlite>| {
            let asked = parse_events("", NOW_MS, Some(session(7))).unwrap().query;
            let page = store.events(&asked).expect("a session of the journal is answered");
            page.partial || page.items.iter().any(|(.., event)| event.id == came.id.to_string())
        };
        assert!(is_there(&store), "case {case}");
        let _ = store.fold(START_MS);
        (0..6).for_each(|_| drop(store.alarm(START_MS)));
        ask(&store);
        (0..50).any(|_| store.erase_user(&["ann".to_owned()], EraseSizes::default()).is_ok_and(|erased| erased.done));
        drop(store);
        let Ok(store) = open(&sql) else { continue };
        assert!(is_there(&store), "case {case}, after an eviction");
        ask(&store);
    }
}
