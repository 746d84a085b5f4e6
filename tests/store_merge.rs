//! Small chunks that become one: nothing that is asked is answered differently, whenever it is cut.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

mod support;

use support::events::{START_MS, event, flush, miss, session};
use support::shard::{HOUR_MS, settings};
use support::sqlite::Sqlite;
use throughline::query::{add_slice, parse_events, parse_sessions, parse_stats};
use throughline::session::Event;
use throughline::store::sql::Sql;
use throughline::store::{EraseSizes, FoldSizes, Settings, Store};

const CHUNKS: u64 = 40;
const NOW_MS: u64 = START_MS + HOUR_MS;

/// A store that merges so many chunks in a row.
fn open(sql: &Sqlite, merged_chunks: usize) -> Store<Sqlite> {
    let fold = FoldSizes { merged_chunks, ..FoldSizes::default() };
    Store::open(sql.clone(), Settings { fold, ..settings(true) }, START_MS).unwrap()
}

/// A chunk a round: a session that goes on all the time and asks for what is not there, one that comes again now and
/// then, and one that is of this round alone.
fn fill(store: &mut Store<Sqlite>) {
    for round in 0..CHUNKS {
        let (at, unique) = (round * 1_000, round * 10);
        let paths: Vec<String> = (0..4).map(|n| format!("/.probe-{round}-{n}")).collect();
        let misses = paths.iter().zip(0..).map(|(path, n)| miss(0, at + n, unique + n, path));
        let again = Event { user: "ann", country: "FR", ..event(1 + round % 3, at + 10, unique + 5) };
        let events: Vec<_> = misses.chain([again, event(100 + round, at + 20, unique + 6)]).collect();
        store.apply(&flush(1, round + 1, &events), START_MS).unwrap();
        store.fold(START_MS).unwrap();
    }
}

/// Everything that can be asked, answered.
fn answers(store: &Store<Sqlite>) -> Vec<String> {
    let mut answers = Vec::new();
    for query in [
        "",
        "sort=first_seen",
        "sort=risk&order=asc",
        "sort=requests",
        "sort=duration&order=asc",
        "country=FR",
        "user=ann",
        "status=404",
        "detector=forced_browsing",
        "q=probe-7",
        "to=2023-11-14T22:13:30Z",
    ] {
        let asked = parse_sessions(&format!("limit=500&{query}"), NOW_MS).unwrap().query;
        answers.push(serde_json::to_string(&store.sessions(&asked, NOW_MS).unwrap().items).unwrap());
    }
    for query in ["", "order=asc", "country=FR", "status=404", "detector=forced_browsing", "user=ann", "q=probe-7"] {
        let mut asked = parse_events(&format!("limit=500&{query}"), NOW_MS, None).unwrap().query;
        let mut page = store.events(&asked).unwrap();
        while page.resume.is_some() {
            asked.resume = page.resume;
            let slice = store.events(&asked).unwrap();
            add_slice(&mut page, slice, asked.order, asked.limit);
        }
        answers.push(serde_json::to_string(&page.items).unwrap());
    }
    let stats = store.stats(&parse_stats("group_by=country", NOW_MS).unwrap()).unwrap();
    answers.push(serde_json::to_string(&stats.answer()).unwrap());
    for n in [0, 1, 2, 3, 100, 139] {
        answers.push(serde_json::to_string(&store.session(session(n), NOW_MS).unwrap()).unwrap());
    }
    answers
}

#[test]
fn what_superseded_sessions_do_not_need_goes_and_no_answer_changes() {
    let (slim, stout) = (Sqlite::new(), Sqlite::new());
    let with = |sql: &Sqlite, slimmed_bytes| {
        let fold = FoldSizes { merged_chunks: usize::MAX, slimmed_bytes, ..FoldSizes::default() };
        Store::open(sql.clone(), Settings { fold, ..settings(true) }, START_MS).unwrap()
    };
    let (mut one, mut other) = (with(&slim, 0), with(&stout, u64::MAX));
    fill(&mut one);
    fill(&mut other);
    let expected = answers(&other);
    assert_eq!(answers(&one), expected);
    assert_eq!(answers(&with(&slim, 0)), expected, "and after an eviction");
    let bytes = |sql: &Sqlite| sql.number("SELECT sum(length(details)) FROM chunks");
    assert!(bytes(&slim) * 4 < bytes(&stout) * 3, "{} of {}", bytes(&slim), bytes(&stout));
    assert_eq!(slim.number("SELECT count(*) FROM chunks"), stout.number("SELECT count(*) FROM chunks"));
}

fn merge_all(store: &mut Store<Sqlite>) {
    for _ in 0..CHUNKS {
        store.alarm(START_MS).unwrap();
    }
}

#[test]
fn small_chunks_become_few_and_every_answer_stays_the_same() {
    let sql = Sqlite::new();
    let mut store = open(&sql, 8);
    fill(&mut store);
    let (before, chunks) = (answers(&store), store.health().chunks);
    assert_eq!(chunks, CHUNKS);
    assert!(store.alarm_after(START_MS).is_some_and(|ms| ms < 1_000), "merging is due");
    let rows = sql.usage().rows_written;
    merge_all(&mut store);
    assert!(store.health().chunks < 8, "{} chunks", store.health().chunks);
    assert!(sql.usage().rows_written - rows <= CHUNKS + 1, "a row for each chunk that was merged");
    assert_eq!(answers(&store), before);
    assert_eq!(answers(&open(&sql, 8)), before);
    // What goes on after that supersedes what was merged, in this life of the object and the next.
    store.apply(&flush(1, 900, &[event(0, 50_000, 9_000), event(100, 50_000, 9_001)]), START_MS).unwrap();
    store.fold(START_MS).unwrap();
    let after = answers(&store);
    assert_eq!(answers(&open(&sql, 8)), after);
    let list = parse_sessions("limit=500", NOW_MS).unwrap().query;
    assert_eq!(store.sessions(&list, NOW_MS).unwrap().items.len(), 4 + CHUNKS as usize);
    merge_all(&mut store);
    assert_eq!(answers(&store), after);
    assert_eq!(answers(&open(&sql, 8)), after);
}

#[test]
fn a_merge_that_is_cut_anywhere_changes_no_answer() {
    let sql = Sqlite::new();
    let mut store = open(&sql, 8);
    fill(&mut store);
    let before = answers(&store);
    for statements in (0..3).cycle().take(18) {
        sql.fail_after(statements);
        let _ = store.alarm(START_MS);
        sql.heal();
        assert_eq!(answers(&store), before, "cut after {statements}");
        store = open(&sql, 8);
        assert_eq!(answers(&store), before, "cut after {statements} and evicted");
    }
    merge_all(&mut store);
    assert_eq!((answers(&store), store.health().chunks < 8), (before, true));
}

#[test]
fn a_page_that_began_before_a_merge_neither_misses_nor_repeats() {
    for order in ["asc", "desc"] {
        let sql = Sqlite::new();
        let mut store = open(&sql, 2);
        fill(&mut store);
        let whole = parse_events(&format!("limit=500&order={order}"), NOW_MS, None).unwrap().query;
        let (mut asked, mut page) = (whole.clone(), store.events(&whole).unwrap());
        assert!(page.resume.is_some(), "more chunks than a slice reads");
        merge_all(&mut store);
        while page.resume.is_some() {
            asked.resume = page.resume;
            let slice = store.events(&asked).unwrap();
            add_slice(&mut page, slice, asked.order, asked.limit);
        }
        let ids = |items: &[(u64, u128, _)]| items.iter().map(|(_, id, _)| *id).collect::<Vec<_>>();
        assert_eq!(ids(&page.items), ids(&store.events(&whole).unwrap().items), "{order}");
        assert_eq!(page.items.len() as u64, CHUNKS * 6);
    }
}

#[test]
fn an_erasure_reaches_rows_that_a_merge_could_not_remove() {
    let sql = Sqlite::new();
    let mut store = open(&sql, 8);
    fill(&mut store);
    // The merged row is written, the others are not removed.
    sql.fail_after(1);
    assert!(store.alarm(START_MS).is_err());
    sql.heal();
    while !store.erase_user(&["ann".to_owned()], EraseSizes::default()).unwrap().done {}
    for part in ["summary", "postings", "details", "events"] {
        let named = sql.number(&format!("SELECT COUNT(*) FROM chunks WHERE INSTR({part}, CAST('ann' AS BLOB)) > 0"));
        assert_eq!(named, 0, "{part}");
    }
}

#[test]
fn what_a_newer_release_stored_is_refused_and_kept() {
    let sql = Sqlite::new();
    let mut store = open(&sql, 8);
    fill(&mut store);
    sql.run("INSERT INTO _migrations (version) VALUES (10000)");
    let chunks = sql.number("SELECT COUNT(*) FROM chunks");
    let refused = Store::open(sql.clone(), settings(true), START_MS).err().map(|error| format!("{error:?}"));
    assert!(refused.is_some_and(|error| error.contains("newer release")));
    assert_eq!(sql.number("SELECT COUNT(*) FROM chunks"), chunks);
}
