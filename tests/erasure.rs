//! Erasing a user over a real SQLite: no byte that is stored names it afterwards, everything else is what it was.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod support;

use support::events::{START_MS, event, flush, miss, session};
use support::shard::{HOUR_MS, all_events, open};
use support::sqlite::Sqlite;
use throughline::inspect::Attack;
use throughline::query::{
    EventAnswer, EventQuery, Filter, Order, SessionAnswer, parse_events, parse_sessions, parse_stats,
};
use throughline::session::{BatchBuilder, Carried, Event, Marks, Severity};
use throughline::store::sql::{Sql, Value};
use throughline::store::{EraseSizes, Erased, Store};
use throughline::wire::Flush;

const NOW_MS: u64 = START_MS + HOUR_MS;
const ANN: [&str; 3] =
    ["h:3d97:0a1b2c3d4e5f60718293a4b5c6d7e8f9", "h:77aa:ffeeddccbbaa99887766554433221100", "ann@example.test"];
const BOB: &str = "bob@example.test";
const CUT: EraseSizes = EraseSizes { look_bytes: 1, write_bytes: 1 };

fn forms() -> Vec<String> {
    ANN.map(str::to_owned).to_vec()
}

/// What happens in one round: Ann in every form she is stored in, tried in vain, alone and taking turns with Bob.
fn round(round: u64) -> Vec<Event<'static>> {
    let mut events = Vec::new();
    for n in 0..12 {
        let at =
            |i: u64| Event { roles: "customer", ..event(n, round * 10_000 + n * 100 + i, round * 1_000 + n * 10 + i) };
        let attempted = Marks::USER_ATTEMPTED;
        events.extend(match n % 4 {
            0 => [Event { user: ANN[2], ..at(0) }, at(1), Event { user: ANN[2], ..at(2) }],
            1 => [Event { user: ANN[0], ..at(0) }, Event { user: ANN[1], ..at(1) }, at(2)],
            2 => [Event { user: BOB, ..at(0) }, Event { user: ANN[2], marks: attempted, status: 401, ..at(1) }, at(2)],
            _ => [Event { user: BOB, ..at(0) }, Event { user: ANN[0], ..at(1) }, at(2)],
        });
    }
    // Sessions of one round alone, so that chunks differ, and one with a finding.
    events.push(Event { user: ANN[1], ..event(100 + round, round * 10_000 + 5_000, round * 1_000 + 500) });
    let paths = ["/.env", "/.git", "/a.sql", "/b", "/c", "/d", "/e", "/f", "/g", "/h", "/i", "/j"];
    events
        .extend((0..).zip(paths).map(|(i, path)| miss(200, round * 10_000 + 6_000 + i, round * 1_000 + 600 + i, path)));
    events
}

/// Four rounds in chunks, two in the journal.
fn filled(sql: &Sqlite) -> Store<Sqlite> {
    let mut store = open(sql);
    for n in 0..6 {
        store.apply(&flush(1, n + 1, &round(n)), START_MS + n).unwrap();
        if n < 4 {
            store.fold(START_MS + n).unwrap();
        }
    }
    store
}

/// Erases to the end.
fn erase(store: &mut Store<Sqlite>, sizes: EraseSizes) -> Erased {
    let mut whole = Erased { done: true, ..Erased::default() };
    for _ in 0..1_000 {
        let slice = store.erase_user(&forms(), sizes).unwrap();
        whole = Erased { done: true, ..whole };
        whole.add(&slice);
        if slice.done {
            return whole;
        }
    }
    panic!("an erasure that never ends");
}

/// Tables with a value that holds these bytes.
fn tables_with(sql: &Sqlite, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for table in sql.query("SELECT name FROM sqlite_schema WHERE type = 'table'", &[]).unwrap() {
        let Value::Text(table) = &table[0] else { panic!("a table has a name") };
        let rows = sql.query(&format!("SELECT * FROM \"{table}\""), &[]).unwrap();
        let holds = |value: &Value| match value {
            Value::Blob(bytes) => bytes.windows(text.len()).any(|window| window == text.as_bytes()),
            Value::Text(stored) => stored.contains(text),
            Value::Null | Value::Integer(_) => false,
        };
        if rows.iter().flatten().any(holds) {
            found.push(table.clone());
        }
    }
    found.sort();
    found
}

fn assert_gone(sql: &Sqlite, when: &str) {
    for form in ANN {
        assert_eq!(tables_with(sql, form), [""; 0], "{form} {when}");
    }
    assert!(!tables_with(sql, BOB).is_empty(), "Bob is still there {when}");
}

/// Everything the API tells of the shard.
#[derive(Debug, Clone, PartialEq)]
struct Told {
    sessions: Vec<SessionAnswer>,
    events: Vec<EventAnswer>,
    of_bob: (Vec<String>, Vec<String>),
    stats: String,
}

fn told(store: &Store<Sqlite>) -> Told {
    let sessions = |query: &str| {
        let query = parse_sessions(query, NOW_MS).unwrap().query;
        let page = store.sessions(&query, NOW_MS).unwrap();
        assert!(!page.more && page.resume.is_none());
        page.items.into_iter().map(|(.., session)| session).collect::<Vec<_>>()
    };
    let events = store.events(&EventQuery::first(Filter::default(), Order::Asc, 100_000)).unwrap();
    let mut of_bob = parse_events("limit=500", NOW_MS, None).unwrap().query;
    of_bob.filter = parse_events(&format!("user={BOB}"), NOW_MS, None).unwrap().query.filter;
    of_bob.filter.resolve_users(|raw| vec![raw.to_owned()]);
    let of_bob = store.events(&of_bob).unwrap().items.into_iter().map(|(.., event)| event.id);
    let mut sessions_of_bob = parse_sessions(&format!("user={BOB}&limit=500"), NOW_MS).unwrap().query;
    sessions_of_bob.filter.resolve_users(|raw| vec![raw.to_owned()]);
    let sessions_of_bob = store.sessions(&sessions_of_bob, NOW_MS).unwrap().items.into_iter().map(|(.., s)| s.id);
    let stats = parse_stats("group_by=status", NOW_MS).unwrap();
    Told {
        sessions: sessions("limit=500&sort=first_seen&order=asc"),
        events: events.items.into_iter().map(|(.., event)| event).collect(),
        of_bob: (sessions_of_bob.collect(), of_bob.collect()),
        stats: serde_json::to_string(&store.stats(&stats).unwrap()).unwrap(),
    }
}

/// The same without Ann: nothing else is different, byte for byte.
fn without_ann(mut told: Told) -> Told {
    let is_ann = |name: &String| ANN.contains(&name.as_str());
    for session in &mut told.sessions {
        session.users.retain(|user| !is_ann(user));
        session.attempted_users.retain(|user| !is_ann(user));
    }
    for event in &mut told.events {
        let own = |name: &mut Option<String>| name.take_if(|name| is_ann(name)).is_some();
        let named = own(&mut event.user) | own(&mut event.attempted_user);
        // What came between is attributed, not named; the test's own events tell the two apart.
        if named && round_names(&event.id) {
            event.marks.push("user_erased".to_owned());
        }
    }
    told
}

/// Whether the event with this id says itself that it is Ann's.
fn round_names(id: &str) -> bool {
    (0..6).flat_map(round).any(|event| event.id.to_string() == id && ANN.contains(&event.user))
}

fn json(told: &Told) -> String {
    serde_json::to_string(&(&told.sessions, &told.events, &told.of_bob, &told.stats)).unwrap()
}

#[test]
fn nothing_that_is_stored_names_an_erased_user_and_everything_else_is_as_it_was() {
    let sql = Sqlite::new();
    let mut store = filled(&sql);
    let newest = sql.newest_journal();
    for form in ANN {
        assert_eq!(tables_with(&sql, form), ["chunks", newest.as_str(), "subjects"], "{form} is spread over the shard");
    }
    let before = told(&store);
    let attributed = before.events.iter().filter(|e| e.user.as_deref() == Some(ANN[0])).count();
    assert!(attributed > 18, "events between are attributed to Ann");
    let expected = without_ann(before);
    let erased = erase(&mut store, EraseSizes::default());
    // In each of six rounds six sessions' two, and six sessions' one, and the one that comes once.
    assert_eq!((erased.sessions, erased.events), (18, 6 * (6 * 2 + 6 + 1)), "{erased:?}");
    assert!(erased.chunks >= 4 && erased.unreadable == 0, "{erased:?}");

    assert_gone(&sql, "at once");
    assert_eq!(json(&told(&store)), json(&expected), "at once");
    let mut store = open(&sql);
    assert_gone(&sql, "after an eviction");
    assert_eq!(json(&told(&store)), json(&expected), "after an eviction");
    store.fold(NOW_MS).unwrap();
    assert_gone(&sql, "after a fold");
    assert_eq!(json(&told(&store)), json(&expected), "after a fold");
    assert_eq!(json(&told(&open(&sql))), json(&expected), "after a fold and an eviction");
    let again = erase(&mut store, EraseSizes::default());
    assert_eq!(again, Erased { done: true, ..Erased::default() }, "there is nothing left to erase");
}

#[test]
fn what_is_asked_for_by_an_erased_user_is_found_no_more() {
    let sql = Sqlite::new();
    let mut store = filled(&sql);
    let found = |store: &Store<Sqlite>, filter: &str| {
        let mut query = parse_sessions(&format!("{filter}={}", ANN[2]), NOW_MS).unwrap().query;
        query.filter.resolve_users(|_| forms());
        let sessions = store.sessions(&query, NOW_MS).unwrap().items.len();
        let mut query = parse_events(&format!("{filter}={}", ANN[2]), NOW_MS, None).unwrap().query;
        query.filter.resolve_users(|_| forms());
        (sessions, store.events(&query).unwrap().items.len())
    };
    assert!(found(&store, "user").0 > 0 && found(&store, "attempted_user").1 > 0);
    erase(&mut store, EraseSizes::default());
    for store in [&store, &open(&sql)] {
        assert_eq!((found(store, "user"), found(store, "attempted_user")), ((0, 0), (0, 0)));
    }
}

#[test]
fn what_was_done_between_is_nobodys_rather_than_the_other_users() {
    let sql = Sqlite::new();
    let mut store = filled(&sql);
    erase(&mut store, EraseSizes::default());
    // In session 3 Bob was named, then Ann, then nobody.
    let of_session = |store: &Store<Sqlite>| {
        let query = parse_events("order=asc", NOW_MS, Some(session(3))).unwrap().query;
        let events = store.events(&query).unwrap().items.into_iter();
        events.map(|(.., event)| event.user.map_or("-", |_| "bob")).collect::<Vec<_>>()
    };
    let last_round = |users: Vec<&str>| users[users.len() - 3..].join(" ");
    assert_eq!(last_round(of_session(&store)), "bob - -");
    assert_eq!(last_round(of_session(&open(&sql))), "bob - -");
}

#[test]
fn an_erasure_that_is_cut_anywhere_is_completed_by_repeating_it() {
    let mut cuts = 0;
    for statements in 0.. {
        let mut finished = false;
        for evicted in [true, false] {
            let sql = Sqlite::new();
            let mut store = filled(&sql);
            let (ids, expected) = (all_events(&store), without_ann(told(&store)));
            sql.fail_after(statements);
            finished = loop {
                match store.erase_user(&forms(), CUT) {
                    Ok(slice) if slice.done => break true,
                    Ok(_) => {}
                    Err(_) => break false,
                }
            };
            sql.heal();
            if evicted {
                store = open(&sql);
            }
            assert_eq!(all_events(&store), ids, "cut after {statements} statements");
            erase(&mut store, EraseSizes::default());
            assert_gone(&sql, &format!("cut after {statements} statements, evicted: {evicted}"));
            assert_eq!(json(&told(&store)), json(&expected), "cut after {statements} statements, evicted: {evicted}");
            assert_eq!(json(&told(&open(&sql))), json(&expected), "cut after {statements} statements");
        }
        if finished {
            break;
        }
        cuts += 1;
    }
    assert!(cuts > 6, "only {cuts} cuts");
}

#[test]
fn a_slice_ends_at_its_limits_and_not_before() {
    let sizes = |sql: &Sqlite| {
        let statement = "SELECT LENGTH(summary) + LENGTH(postings) + LENGTH(details) + LENGTH(events) FROM chunks";
        let rows = sql.query(statement, &[]).unwrap();
        rows.iter().map(|row| throughline::store::sql::integer(row, 0).unsigned_abs()).collect::<Vec<_>>()
    };
    let sql = Sqlite::new();
    let before = {
        let mut store = filled(&sql);
        let before = sizes(&sql);
        erase(&mut store, EraseSizes::default());
        before
    };
    let after = sizes(&sql);
    let first_slice = |sizes: EraseSizes| filled(&Sqlite::new()).erase_user(&forms(), sizes).unwrap().chunks;
    let whole = EraseSizes { look_bytes: u64::MAX, write_bytes: u64::MAX };
    for n in 1..before.len() {
        let looked: u64 = before[..n].iter().sum();
        let written: u64 = after[..n].iter().sum();
        assert_eq!(first_slice(EraseSizes { look_bytes: looked, ..whole }), n as u64);
        assert_eq!(first_slice(EraseSizes { look_bytes: looked + 1, ..whole }), n as u64 + 1);
        assert_eq!(first_slice(EraseSizes { write_bytes: written, ..whole }), n as u64);
        assert_eq!(first_slice(EraseSizes { write_bytes: written + 1, ..whole }), n as u64 + 1);
    }
}

#[test]
fn traffic_and_folds_between_two_slices_bring_nothing_back() {
    let sql = Sqlite::new();
    let mut store = filled(&sql);
    let ids = all_events(&store).len();
    let mut slices = 0;
    while !store.erase_user(&forms(), CUT).unwrap().done {
        // Events of sessions whose newest state is folded and not erased yet, and a fold of what names Ann in memory.
        let at = 100_000 + slices * 100;
        if slices < 20 {
            let late = [event(0, at, 9_000 + slices), event(3, at, 9_500 + slices), event(101, at, 9_700 + slices)];
            store.apply(&flush(7, slices + 1, &late), NOW_MS).unwrap();
        }
        if slices == 1 {
            store.fold(NOW_MS).unwrap();
        }
        slices += 1;
        assert!(slices < 100);
    }
    assert!(slices > 6, "{slices} slices");
    assert_gone(&sql, "at once");
    assert_eq!(all_events(&store).len() as u64, ids as u64 + 3 * slices.min(20));
    store.fold(NOW_MS).unwrap();
    assert_gone(&sql, "after a fold");
    let users: Vec<_> = told(&store).sessions.into_iter().flat_map(|session| session.users).collect();
    assert!(users.iter().all(|user| user == BOB), "{users:?}");
}

#[test]
fn a_flush_from_before_stays_applied_and_what_names_the_user_later_is_new() {
    let sql = Sqlite::new();
    let mut store = filled(&sql);
    erase(&mut store, EraseSizes::default());
    let ids = all_events(&store);
    for mut store in [store, open(&sql)] {
        for n in 0..6 {
            store.apply(&flush(1, n + 1, &round(n)), NOW_MS).unwrap();
        }
        assert_eq!(all_events(&store), ids);
        assert_eq!(store.health().counts.duplicate_flushes, 6);
        assert_gone(&sql, "after repeated flushes");
    }
    let mut store = open(&sql);
    let late = Event { user: ANN[2], ..event(0, 900_000, 99_000) };
    store.apply(&flush(1, 7, &[late]), NOW_MS).unwrap();
    assert_eq!(store.session(session(0), NOW_MS).unwrap().unwrap().users, [ANN[2]]);
    let erased = erase(&mut store, EraseSizes::default());
    assert_eq!((erased.sessions, erased.events, erased.chunks), (1, 1, 0));
    assert_gone(&sql, "after the second erasure");
}

#[test]
fn what_cannot_be_read_is_said_and_does_not_stop_the_rest() {
    let sql = Sqlite::new();
    drop(filled(&sql));
    sql.run("UPDATE chunks SET events = x'01ff', details = x'', postings = x'' WHERE id = 2");
    let journal = sql.newest_journal();
    sql.run(&format!("UPDATE {journal} SET body = x'01ff' WHERE seq = (SELECT MAX(seq) FROM {journal})"));
    let mut store = open(&sql);
    let erased = erase(&mut store, CUT);
    assert_eq!(erased.unreadable, 2, "{erased:?}");
    assert_gone(&sql, "where it could be read");
}

#[test]
fn a_name_that_is_also_a_role_stays_as_the_role() {
    let sql = Sqlite::new();
    let mut store = open(&sql);
    let named = Event { user: "staff", roles: "staff", ..event(1, 0, 1) };
    for n in 1..=2 {
        store.apply(&flush(1, n, &[named]), START_MS).unwrap();
        if n == 1 {
            store.fold(START_MS).unwrap();
        }
    }
    assert!(store.erase_user(&["staff".to_owned()], EraseSizes::default()).unwrap().done);
    for store in [&store, &open(&sql)] {
        let session = store.session(session(1), NOW_MS).unwrap().unwrap();
        assert_eq!((session.users.len(), session.roles), (0, vec!["staff".to_owned()]));
    }
}

#[test]
fn more_erasures_at_once_than_are_remembered_all_come_to_their_end() {
    let sql = Sqlite::new();
    let mut store = filled(&sql);
    let names: Vec<String> = (0..9).map(|n| format!("nobody-{n}")).chain(forms()).collect();
    let mut left: Vec<&String> = names.iter().collect();
    let small = EraseSizes { look_bytes: 20_000, write_bytes: 20_000 };
    for _ in 0..200 {
        left.retain(|name| !store.erase_user(core::slice::from_ref(*name), small).unwrap().done);
    }
    assert!(left.is_empty(), "{left:?}");
    assert_gone(&sql, "form by form");
    assert!(store.erase_user(&[], small).unwrap().done && store.erase_user(&[String::new()], small).unwrap().done);
}

#[test]
fn what_the_fleet_was_not_told_yet_names_an_erased_user_no_more() {
    for told in [false, true] {
        let sql = Sqlite::new();
        let mut store = open(&sql);
        let mut builder = BatchBuilder::default();
        builder.push(&event(1, 0, 1));
        builder.carry(Carried {
            attack: Attack::Sqli,
            severity: Severity::High,
            confidence: 95,
            place: "query.id".to_owned(),
            what: format!("as {} did", ANN[2]),
            stopped: false,
        });
        store.apply(&Flush { batch: builder.take().encode(), ..flush(1, 1, &[event(1, 0, 1)]) }, START_MS).unwrap();
        store.fold(START_MS).unwrap();
        let untold = |store: &Store<Sqlite>| store.delta("shard").map_or(0, |delta| delta.findings.len());
        assert_eq!((untold(&store), tables_with(&sql, ANN[2])), (1, vec!["chunks".to_owned(), "state".to_owned()]));
        if told {
            // It is in the row still, as it was written.
            store.told_upto(1).unwrap();
        }
        erase(&mut store, EraseSizes::default());
        assert_eq!(tables_with(&sql, ANN[2]), [""; 0], "told: {told}");
        assert_eq!(untold(&store), usize::from(!told));
        assert_eq!(untold(&open(&sql)), usize::from(!told));
    }
}
