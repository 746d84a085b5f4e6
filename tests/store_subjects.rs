//! Subjects in a shard: what is known of a user, an address, a token or a device, wherever it lies.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

mod support;

use support::events::{START_MS, event, flush, session};
use support::shard::{DAY_MS, hash, open, settings};
use support::sqlite::Sqlite;
use throughline::session::{BatchBuilder, Event};
use throughline::store::{FoldSizes, Settings, Store, WantedSubject};
use throughline::subject::{Identity, Kind, Subject};
use throughline::wire::Flush;

/// Rows of subjects a shard has at the most after many folds: fewer than four of each part.
const MANY: i64 = 48;

fn subject(store: &Store<Sqlite>, kind: Kind, name: &str) -> Option<Subject> {
    let (found, partial) = store.subject(WantedSubject { kind, names: &[name.to_owned()] }).unwrap();
    assert!(!partial);
    found
}

fn requests(store: &Store<Sqlite>, kind: Kind, name: &str) -> u64 {
    subject(store, kind, name).map_or(0, |subject| subject.requests)
}

/// Ann from two addresses with one token, in round `n`.
fn ann(n: u64) -> [Event<'static>; 3] {
    let at = |i: u64| Event { user: "ann", token: 0xab, ..event(i, n * 1_000 + i, n * 10 + i) };
    [at(0), Event { ip: "198.51.100.9".parse().ok(), status: 403, ..at(1) }, at(2)]
}

#[test]
fn a_subject_is_the_same_hot_folded_in_slices_merged_and_read_back() {
    let sql = Sqlite::new();
    let fold = FoldSizes { at_bytes: 1_024, one_slice_bytes: 0, ..FoldSizes::default() };
    let mut store = Store::open(sql.clone(), Settings { fold, ..settings(true) }, START_MS).unwrap();
    for n in 0..60 {
        store.apply(&flush(1, n + 1, &ann(n)), START_MS).unwrap();
        if n % 3 == 2 {
            store.fold(START_MS).unwrap();
        }
        let so_far = 3 * (n + 1);
        assert_eq!(requests(&store, Kind::User, "ann"), so_far);
        assert_eq!(requests(&store, Kind::Token, "00000000000000ab"), so_far);
        assert_eq!(requests(&store, Kind::Ip, "198.51.100.9"), n + 1);
        assert_eq!(
            requests(&store, Kind::Device, "t13d1516h2_8daaf6152771_02713d6af862;Mozilla 5;203.0.113.0/24"),
            2 * (n + 1)
        );
    }
    let before = subject(&store, Kind::User, "ann").unwrap();
    assert_eq!((before.refused, before.sessions.count(), before.ips.count()), (60, 3, 2));
    assert!(sql.number("SELECT count(*) FROM subjects") < MANY, "neighbours are merged");
    drop(store);
    assert_eq!(subject(&open(&sql), Kind::User, "ann"), Some(before));
    assert_eq!(subject(&open(&sql), Kind::User, "bob"), None);
}

#[test]
fn rows_that_were_merged_and_not_yet_removed_do_not_count_twice() {
    let sql = Sqlite::new();
    let mut store = open(&sql);
    for n in 0..3 {
        store.apply(&flush(1, n + 1, &ann(n)), START_MS).unwrap();
        store.fold(START_MS).unwrap();
    }
    sql.run("CREATE TABLE kept AS SELECT * FROM subjects");
    store.apply(&flush(1, 4, &ann(3)), START_MS).unwrap();
    store.fold(START_MS).unwrap();
    assert_eq!(sql.number("SELECT count(*) FROM subjects"), 1);
    sql.run("INSERT INTO subjects SELECT * FROM kept");
    assert_eq!(requests(&open(&sql), Kind::User, "ann"), 12);
    assert_eq!(sql.number("SELECT count(*) FROM subjects"), 1);
}

#[test]
fn subjects_that_come_back_with_each_fold_are_kept_once_rather_than_each_time() {
    const CLIENTS: u64 = 1_500;
    const FOLDS: u64 = 16;
    let sql = Sqlite::new();
    let mut store = open(&sql);
    let address = |client: u64| format!("198.18.{}.{}", client / 250, client % 250);
    let mut after_one = 0;
    for n in 0..FOLDS {
        let clients: Vec<Event<'_>> = (0..CLIENTS)
            .map(|client| Event {
                ip: address(client).parse().ok(),
                ja4: "",
                ..event(client, n * 60_000, n * CLIENTS + client)
            })
            .collect();
        store.apply(&flush(1, n + 1, &clients), START_MS).unwrap();
        store.fold(START_MS).unwrap();
        after_one = if n == 0 { sql.number("SELECT sum(length(body)) FROM subjects") } else { after_one };
    }
    let bytes = sql.number("SELECT sum(length(body)) FROM subjects");
    assert!(bytes < 5 * after_one, "{bytes} bytes after {FOLDS} folds, {after_one} after one");
    let about_a_part = sql.number("SELECT count(*) FROM subjects");
    assert!((16..=16 * 4).contains(&about_a_part), "{about_a_part} rows");
    let store = open(&sql);
    for client in (0..CLIENTS).step_by(97) {
        assert_eq!(requests(&store, Kind::Ip, &address(client)), FOLDS);
    }
}

#[test]
fn a_request_that_names_no_user_is_its_sessions_users() {
    let sql = Sqlite::new();
    let mut store = open(&sql);
    let events = [Event { user: "ann", ..event(1, 0, 1) }, event(1, 10, 2), event(2, 20, 3)];
    store.apply(&flush(1, 1, &events), START_MS).unwrap();
    assert_eq!(requests(&store, Kind::User, "ann"), 2);
    store.fold(START_MS).unwrap();
    store.apply(&flush(1, 2, &[event(1, 30, 4)]), START_MS).unwrap();
    assert_eq!(requests(&store, Kind::User, "ann"), 3);
    store.fold(START_MS).unwrap();
    assert_eq!(requests(&open(&sql), Kind::User, "ann"), 3);
}

#[test]
fn a_shard_knows_its_own_subjects_of_other_shards_events_and_no_others() {
    const LAYOUT: u32 = 4;
    let shown = Event { user: "ann", ..event(1, 0, 1) };
    let of = |kind, name| Identity::parse(kind, name).unwrap().key(&hash());
    let (user, ip) = (of(Kind::User, "ann").shard(LAYOUT), of(Kind::Ip, "203.0.113.7").shard(LAYOUT));
    let mut found = 0;
    for shard in 0..LAYOUT {
        let mut builder = BatchBuilder::default();
        builder.set_layout(LAYOUT);
        if shown.session.shard(LAYOUT) == shard {
            builder.push(&shown);
        } else if user == shard {
            builder.glimpse(&shown, Kind::User.alone());
        } else if ip == shard {
            builder.glimpse(&shown, Kind::Ip.alone());
        }
        let mut store = open(&Sqlite::new());
        let sent = Flush { batch: builder.take().encode(), layout: LAYOUT, ..flush(1, 1, &[]) };
        store.apply(&sent, START_MS).unwrap();
        let known = requests(&store, Kind::User, "ann");
        assert_eq!(known, u64::from(user == shard), "shard {shard}");
        store.fold(START_MS).unwrap();
        assert_eq!(requests(&store, Kind::User, "ann"), known);
        assert_eq!(support::shard::all_events(&store).len(), usize::from(shown.session.shard(LAYOUT) == shard));
        found += known;
    }
    assert_eq!(found, 1);
}

#[test]
fn an_erased_user_is_no_subject_and_no_subject_names_it() {
    let sql = Sqlite::new();
    let mut store = open(&sql);
    for n in 0..3 {
        store.apply(&flush(1, n + 1, &ann(n)), START_MS).unwrap();
        store.apply(&flush(2, n + 1, &[Event { user: "bob", ..event(9, n * 1_000, 900 + n) }]), START_MS).unwrap();
        if n < 2 {
            store.fold(START_MS).unwrap();
        }
    }
    let users = |store: &Store<Sqlite>| subject(store, Kind::Ip, "203.0.113.7").unwrap().users;
    let names = |store: &Store<Sqlite>| {
        let mut names: Vec<String> = users(store).newest().map(|entry| entry.value.to_string()).collect();
        names.sort();
        names
    };
    assert_eq!(names(&store), ["ann", "bob"]);
    while !store.erase_user(&["ann".to_owned()], Default::default()).unwrap().done {}
    for store in [store, open(&sql)] {
        assert_eq!(subject(&store, Kind::User, "ann"), None);
        assert_eq!((names(&store), requests(&store, Kind::Ip, "203.0.113.7")), (vec!["bob".to_owned()], 9));
    }
}

#[test]
fn subjects_go_with_their_time_and_the_oldest_when_they_are_too_much() {
    let sql = Sqlite::new();
    let mut store = open(&sql);
    for n in 0..3 {
        let events = [Event { token: n + 1, ..event(n, n * DAY_MS, n) }];
        store.apply(&flush(1, n + 1, &events), START_MS + n * DAY_MS).unwrap();
        store.fold(START_MS + n * DAY_MS).unwrap();
    }
    store.alarm(START_MS + 31 * DAY_MS).unwrap();
    let known = |store: &Store<Sqlite>, token: u64| requests(store, Kind::Token, &format!("{token:016x}")) > 0;
    assert_eq!([1, 2, 3].map(|token| known(&store, token)), [false, true, true]);
    drop(store);
    let mut store = Store::open(sql, Settings { max_bytes: 8 * 800, ..settings(true) }, START_MS).unwrap();
    store.alarm(START_MS + 31 * DAY_MS).unwrap();
    assert_eq!([2, 3].map(|token| known(&store, token)), [false, true]);
}

#[test]
fn a_damaged_row_costs_what_it_held_and_answers_say_so() {
    let sql = Sqlite::new();
    let mut store = open(&sql);
    for n in 0..9 {
        store.apply(&flush(1, n + 1, &[ann(n)[0]]), START_MS).unwrap();
        if n < 2 {
            store.fold(START_MS).unwrap();
        }
    }
    sql.run("UPDATE subjects SET body = x'ff' WHERE id = 1");
    let wanted = WantedSubject { kind: Kind::User, names: &["ann".to_owned()] };
    let (found, partial) = store.subject(wanted).unwrap();
    assert_eq!((found.unwrap().requests, partial), (8, true));
    for n in 9..20 {
        store.apply(&flush(1, n + 1, &[ann(n)[0]]), START_MS).unwrap();
        store.fold(START_MS).unwrap();
    }
    let (found, partial) = store.subject(wanted).unwrap();
    assert_eq!((found.unwrap().requests, partial), (19, false), "a merge that met it gave it up");
    assert_eq!(session(0).shard(1), 0);
}
