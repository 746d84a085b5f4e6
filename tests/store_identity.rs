//! What a shard knows of who is behind a session: links and their risk, users over time, proofs, made-up keys.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

mod support;

use support::events::{START_MS, event, flush, miss, session};
use support::shard::{open, settings};
use support::sqlite::Sqlite;
use throughline::query::{SessionAnswer, parse_events, parse_sessions};
use throughline::session::{Arrival, BatchBuilder, Event, Issue, Marks, Reason, SessionId};
use throughline::store::{Allowance, FoldSizes, Outcome, Settings, Store};
use throughline::wire::{Ask, Flush};

const MINUTE_MS: u64 = 60_000;

/// A flush of events with what a batch says beside them.
struct Told<'a> {
    events: Vec<Event<'a>>,
    issues: Vec<Issue>,
    issued: Vec<SessionId>,
    arrivals: Vec<Arrival>,
}

fn told(events: Vec<Event<'_>>) -> Told<'_> {
    Told { events, issues: Vec::new(), issued: Vec::new(), arrivals: Vec::new() }
}

impl Told<'_> {
    fn flush(self, sequence: u64) -> Flush {
        let mut builder = BatchBuilder::default();
        self.events.iter().for_each(|event| builder.push(event));
        self.issues.into_iter().for_each(|issue| builder.issue(issue));
        self.issued.into_iter().for_each(|id| builder.issued(id));
        self.arrivals.into_iter().for_each(|arrival| builder.arrive(arrival));
        Flush { batch: builder.take().encode(), wants_known: true, ..flush(1, sequence, &self.events) }
    }

    fn apply(self, store: &mut Store<Sqlite>, sequence: u64) -> Outcome {
        let at = START_MS + sequence;
        store.apply(&self.flush(sequence), at).unwrap()
    }
}

fn issue(from: u64, to: u64, at_ms: u64, reason: Reason) -> Issue {
    let request = event(from, at_ms, at_ms).id;
    Issue {
        from: session(from),
        to: session(to),
        reason,
        time_ms: START_MS + at_ms,
        request,
        principal: 0,
        local: true,
    }
}

fn answer(store: &Store<Sqlite>, n: u64) -> SessionAnswer {
    store.session(session(n), START_MS).unwrap().unwrap()
}

/// Sessions with the reason for the link to each.
type Linked = Vec<(String, String)>;

fn links(answer: &SessionAnswer) -> (Linked, Linked) {
    let side = |links: &[throughline::query::LinkAnswer]| {
        links.iter().map(|l| (l.session.clone(), l.reason.clone())).collect::<Vec<_>>()
    };
    (side(&answer.predecessors), side(&answer.successors))
}

fn pair(n: u64, reason: &str) -> Vec<(String, String)> {
    vec![(session(n).to_string(), reason.to_owned())]
}

/// A walk over paths that do not exist: enough to flag a session.
fn walk<'a>(n: u64, paths: &'a [String]) -> Vec<Event<'a>> {
    (0..).zip(paths).map(|(i, path)| miss(n, i, i, path)).collect()
}

fn paths() -> Vec<String> {
    (0..30).map(|i| format!("/gone/{i}/x")).collect()
}

#[test]
fn a_link_shows_on_both_sides_and_carries_the_risk_over() {
    let paths = paths();
    let mut store = open(&Sqlite::new());
    told(walk(1, &paths)).apply(&mut store, 1);
    let risk = answer(&store, 1).risk;
    assert!(risk >= 50, "{risk}");
    Told { issues: vec![issue(1, 2, 40, Reason::Login)], ..told(vec![event(1, 40, 40), event(2, 41, 41)]) }
        .apply(&mut store, 2);
    assert_eq!(links(&answer(&store, 1)), (vec![], pair(2, "login")));
    assert_eq!(links(&answer(&store, 2)), (pair(1, "login"), vec![]));
    assert_eq!(answer(&store, 2).risk, risk);
}

#[test]
fn a_logout_is_linked_and_carries_nothing_over() {
    let paths = paths();
    let mut store = open(&Sqlite::new());
    told(walk(1, &paths)).apply(&mut store, 1);
    Told { issues: vec![issue(1, 2, 40, Reason::Logout)], ..told(vec![event(1, 40, 40), event(2, 41, 41)]) }
        .apply(&mut store, 2);
    assert_eq!(links(&answer(&store, 2)).0, pair(1, "logout"));
    assert_eq!(answer(&store, 2).risk, 0);
}

#[test]
fn what_one_of_many_behind_an_address_did_is_not_held_against_another() {
    let paths = paths();
    let mut store = open(&Sqlite::new());
    let shared = |e: Event<'static>| Event { key_source: "client.ip+ua", ..e };
    let walk: Vec<_> = walk(1, &paths).into_iter().map(|e| Event { key_source: "client.ip+ua", ..e }).collect();
    told(walk).apply(&mut store, 1);
    assert!(answer(&store, 1).risk >= 50);
    Told { issues: vec![issue(1, 2, 40, Reason::Login)], ..told(vec![shared(event(1, 40, 40)), event(2, 41, 41)]) }
        .apply(&mut store, 2);
    assert_eq!((links(&answer(&store, 2)).0, answer(&store, 2).risk), (pair(1, "login"), 0));
}

#[test]
fn a_link_to_another_shard_is_told_to_it_and_told_again_when_the_flush_is_repeated() {
    let (mut here, mut there) = (open(&Sqlite::new()), open(&Sqlite::new()));
    let abroad = Issue { local: false, ..issue(1, 2, 5, Reason::Refresh) };
    let flush = Told { issues: vec![abroad], ..told(vec![event(1, 5, 5)]) }.flush(1);
    let first = here.apply(&flush, START_MS).unwrap();
    let again = here.apply(&flush, START_MS).unwrap();
    assert_eq!((first.arrivals.len(), &first.arrivals), (1, &again.arrivals));
    for sequence in [1, 2] {
        Told { arrivals: first.arrivals.clone(), ..told(vec![]) }.apply(&mut there, sequence);
    }
    told(vec![event(2, 9, 9)]).apply(&mut there, 3);
    assert_eq!(links(&answer(&there, 2)).0, pair(1, "refresh"));
}

#[test]
fn nothing_follows_from_a_session_that_does_not_exist() {
    let mut store = open(&Sqlite::new());
    Told { issues: vec![issue(1, 2, 5, Reason::Start)], ..told(vec![event(2, 6, 6)]) }.apply(&mut store, 1);
    assert_eq!(links(&answer(&store, 2)), (vec![], vec![]));
}

#[test]
fn sessions_of_two_verified_identities_are_never_linked() {
    let known = |n, at, principal| Event { principal, verified: true, ..event(n, at, at) };
    let mut store = open(&Sqlite::new());
    Told {
        issues: vec![Issue { principal: 8, ..issue(1, 2, 5, Reason::Login) }],
        ..told(vec![known(1, 5, 7), known(2, 6, 8)])
    }
    .apply(&mut store, 1);
    assert_eq!((links(&answer(&store, 1)).1, links(&answer(&store, 2)).0), (vec![], vec![]));
    // The issued key's identity may show only when it is used: then the link is taken back, and its risk with it.
    let paths = paths();
    let walk: Vec<_> = walk(3, &paths).into_iter().map(|e| Event { principal: 7, ..e }).collect();
    told(walk).apply(&mut store, 2);
    Told { issues: vec![issue(3, 4, 50, Reason::Login)], ..told(vec![event(3, 50, 50), event(4, 51, 51)]) }
        .apply(&mut store, 3);
    assert!(answer(&store, 4).risk >= 50);
    told(vec![known(4, 60, 8)]).apply(&mut store, 4);
    assert_eq!((links(&answer(&store, 3)).1, links(&answer(&store, 4)).0), (vec![], vec![]));
    assert_eq!(answer(&store, 4).risk, 0);
}

#[test]
fn what_was_foretold_of_a_session_survives_folds_and_crashes_until_it_comes() {
    let sql = Sqlite::new();
    let mut store = open(&sql);
    Told { issues: vec![issue(1, 2, 5, Reason::Rotation)], issued: vec![session(2)], ..told(vec![event(1, 5, 5)]) }
        .apply(&mut store, 1);
    store = open(&sql);
    store.fold(START_MS + 10).unwrap();
    store = open(&sql);
    told(vec![event(2, 20, 20)]).apply(&mut store, 2);
    let check = |store: &Store<Sqlite>| {
        assert_eq!((links(&answer(store, 2)).0, answer(store, 2).proof), (pair(1, "rotation"), "issued".to_owned()));
        assert_eq!(links(&answer(store, 1)).1, pair(2, "rotation"));
    };
    check(&store);
    // A fold that is cut anywhere leaves it as it was.
    for after in 0..12 {
        sql.fail_after(after);
        let _ = store.fold(START_MS + 30);
        sql.heal();
        store = open(&sql);
        check(&store);
    }
}

#[test]
fn a_session_that_only_learned_of_a_link_is_folded_with_it() {
    let sql = Sqlite::new();
    let mut store = open(&sql);
    told(vec![event(1, 1, 1), event(2, 2, 2)]).apply(&mut store, 1);
    store.fold(START_MS + 10).unwrap();
    let arrival = Arrival { to: session(2), link: link_of(1) };
    Told { arrivals: vec![arrival], ..told(vec![]) }.apply(&mut store, 2);
    store.fold(START_MS + 20).unwrap();
    store = open(&sql);
    assert_eq!(links(&answer(&store, 2)).0, pair(1, "refresh"));
    assert_eq!(answer(&store, 2).requests, 1);
}

fn link_of(n: u64) -> throughline::session::Link {
    let (request, risk) = (event(n, 1, 1).id, throughline::session::Risk::default());
    let time_ms = START_MS + 1;
    throughline::session::Link { session: session(n), reason: Reason::Refresh, time_ms, request, principal: 0, risk }
}

#[test]
fn a_user_holds_from_the_login_to_the_logout() {
    let mut store = open(&Sqlite::new());
    let tried = Event { user: "ann", marks: Marks::USER_ATTEMPTED, ..event(1, 10, 10) };
    let login = Event { user: "ann", roles: "buyer,admin", ..event(1, 20, 20) };
    let logout = Event { marks: Marks::ENDED, ..event(1, 40, 40) };
    told(vec![event(1, 5, 5), tried, login, event(1, 30, 30), logout, event(1, 50, 50)]).apply(&mut store, 1);
    let found = |query: &str| {
        let mut query = parse_events(query, START_MS, None).unwrap().query;
        query.filter.resolve_users(|raw| vec![raw.to_owned()]);
        let page = store.events(&query).unwrap();
        let mut at: Vec<u64> = page.items.iter().map(|(time, ..)| time - START_MS).collect();
        at.sort_unstable();
        at
    };
    assert_eq!(found("user=ann"), [20, 30, 40]);
    assert_eq!(found("attempted_user=ann"), [10]);
    assert_eq!(found("role=admin"), [20]);
    assert_eq!(found("user!=ann"), [5, 10, 50]);
    let answer = answer(&store, 1);
    assert_eq!((answer.users, answer.roles), (vec!["ann".to_owned()], vec!["admin".to_owned(), "buyer".to_owned()]));
    assert_eq!((answer.attempted_users, answer.ended.is_some()), (vec!["ann".to_owned()], true));
    let sessions = |query: &str| {
        let mut query = parse_sessions(query, START_MS + MINUTE_MS).unwrap().query;
        query.filter.resolve_users(|raw| vec![raw.to_owned()]);
        store.sessions(&query, START_MS + MINUTE_MS).unwrap().items.len()
    };
    assert_eq!((sessions("user=ann"), sessions("user=bob"), sessions("role=buyer")), (1, 0, 1));
}

#[test]
fn a_key_is_proven_by_ten_minutes_of_answers_that_the_anonymous_are_refused() {
    let mut store = open(&Sqlite::new());
    let anonymous = |at| Event { key_source: "client.ip+ua", status: 401, ..event(9, at, at) };
    told(vec![event(1, 0, 0), anonymous(1), anonymous(2)]).apply(&mut store, 1);
    told(vec![event(1, 3, 3), event(1, 11 * MINUTE_MS, 4)]).apply(&mut store, 2);
    assert_eq!(answer(&store, 1).proof, "unproven", "two refusals may have had other reasons");
    told(vec![anonymous(11 * MINUTE_MS + 1)]).apply(&mut store, 3);
    told(vec![event(1, 12 * MINUTE_MS, 5), event(1, 22 * MINUTE_MS - 1, 6)]).apply(&mut store, 4);
    assert_eq!(answer(&store, 1).proof, "unproven");
    told(vec![event(1, 22 * MINUTE_MS, 7)]).apply(&mut store, 5);
    assert_eq!(answer(&store, 1).proof, "used");
    let ask = Ask { session: session(1), now_ms: START_MS, ..Ask::default() };
    assert!(store.ask(&ask).unwrap().proven);
    // One anonymous answer of success, and being let in says nothing any more.
    let mut open_to_all = open(&Sqlite::new());
    let welcome = Event { status: 200, ..anonymous(4) };
    told(vec![event(1, 0, 0), anonymous(1), anonymous(2), anonymous(3), welcome]).apply(&mut open_to_all, 1);
    told(vec![event(1, 5, 5), event(1, 20 * MINUTE_MS, 6)]).apply(&mut open_to_all, 2);
    assert_eq!(answer(&open_to_all, 1).proof, "unproven");
}

#[test]
fn a_shard_tells_which_clients_start_too_many_sessions_and_which_keys_are_proven() {
    let allowance = Allowance { sessions: 3, window_ms: MINUTE_MS };
    let settings = Settings { newcomers: allowance, ..settings(true) };
    let mut store = Store::open(Sqlite::new(), settings, START_MS).unwrap();
    assert_eq!(store.installed_ms(), START_MS);
    let three = told(vec![event(1, 1, 1), event(2, 2, 2), event(3, 3, 3)]).apply(&mut store, 1);
    assert_eq!(three.rotating, []);
    // A session whose key the origin issued does not count.
    let issued = Told { issued: vec![session(4)], ..told(vec![event(4, 4, 4)]) }.apply(&mut store, 2);
    assert_eq!(issued.rotating, []);
    let mut flush = told(vec![event(5, 5, 5)]).flush(3);
    flush.questions = vec![session(4), session(5)];
    let fifth = store.apply(&flush, START_MS).unwrap();
    assert_eq!(fifth.rotating, [("203.0.113.7".parse().unwrap(), START_MS + 1 + MINUTE_MS)]);
    assert_eq!(fifth.proven, [session(4)]);
    assert_eq!(fifth.known.iter().map(|k| k.session).collect::<Vec<_>>(), [session(5)]);
}

#[test]
fn what_was_held_against_a_session_counts_once_however_often_it_issues_a_key() {
    let paths = paths();
    let mut store = open(&Sqlite::new());
    told(walk(1, &paths)).apply(&mut store, 1);
    let risk = answer(&store, 1).risk;
    let again = (40..45).map(|at| issue(1, 2, at, Reason::Rotation)).collect();
    let back = issue(2, 1, 50, Reason::Rotation);
    let events = vec![event(2, 41, 41), event(2, 50, 50)];
    Told { issues: again, ..told(events) }.apply(&mut store, 2);
    Told { issues: vec![back], ..told(vec![event(1, 51, 51)]) }.apply(&mut store, 3);
    assert_eq!((answer(&store, 1).risk, answer(&store, 2).risk), (risk, risk));
    assert_eq!(links(&answer(&store, 2)).0.len(), 5);
}

#[test]
fn neither_what_we_answered_nor_a_request_that_was_set_aside_says_how_the_origin_treats_the_anonymous() {
    let mut store = open(&Sqlite::new());
    let anonymous = |at| Event { key_source: "client.ip+ua", status: 401, ..event(9, at, at) };
    let ours = |at| Event { action: throughline::verdict::Action::Block, status: 403, ..anonymous(at) };
    told(vec![event(1, 0, 0), ours(1), ours(2), ours(3)]).apply(&mut store, 1);
    told(vec![event(1, 4, 4), event(1, 20 * MINUTE_MS, 5)]).apply(&mut store, 2);
    assert_eq!(answer(&store, 1).proof, "unproven");
    let aside = Event { status: 200, marks: Marks::SESSION_ROTATION, ..anonymous(6) };
    told(vec![anonymous(7), anonymous(8), anonymous(9), aside]).apply(&mut store, 3);
    told(vec![event(1, 21 * MINUTE_MS, 10), event(1, 32 * MINUTE_MS, 11)]).apply(&mut store, 4);
    assert_eq!(answer(&store, 1).proof, "used");
}

#[test]
fn sessions_with_much_to_tell_fold_into_rows_that_the_platform_takes() {
    let sql = Sqlite::new();
    let mut store = open(&sql);
    let long = "x".repeat(200);
    for part in 0..8u64 {
        let paths: Vec<Vec<String>> =
            (0..50).map(|n| (0..12).map(|i| format!("/gone/{part}/{n}/{i}/{long}")).collect()).collect();
        let walks = (0u64..).zip(&paths).flat_map(|(n, paths)| walk(part * 50 + n, paths));
        told(walks.collect()).apply(&mut store, part + 1);
    }
    store.fold(START_MS + MINUTE_MS).unwrap();
    let longest = sql.number(
        "SELECT MAX(LENGTH(head) + LENGTH(summary) + LENGTH(postings) + LENGTH(details) + LENGTH(events)) FROM chunks",
    );
    assert!(longest < 2_000_000, "a row of {longest} bytes");
    assert_eq!(sql.journal_rows(), 0);
}

#[test]
fn a_fold_that_failed_is_done_by_a_later_one_and_costs_no_flush() {
    let sql = Sqlite::new();
    let mut store = open(&sql);
    told(vec![event(1, 1, 1)]).apply(&mut store, 1);
    sql.fail_after(2);
    assert!(store.fold(START_MS + 5).is_err());
    sql.heal();
    told(vec![event(2, 2, 2)]).apply(&mut store, 2);
    store.fold(START_MS + 10).unwrap();
    assert_eq!((answer(&store, 1).requests, answer(&store, 2).requests), (1, 1));
    assert_eq!((answer(&open(&sql), 1).requests, sql.number("SELECT COUNT(*) FROM chunks")), (1, 1));
}

#[test]
fn a_client_that_starts_too_many_sessions_stays_one_over_folds_and_evictions() {
    let sql = Sqlite::new();
    let allowance = Allowance { sessions: 3, window_ms: 60 * MINUTE_MS };
    let open = || Store::open(sql.clone(), Settings { newcomers: allowance, ..settings(true) }, START_MS).unwrap();
    let rotating = |outcome: Outcome| outcome.rotating.len();
    let mut store = open();
    let three: Vec<_> = (0..3).map(|n| event(n, n, n)).collect();
    assert_eq!(rotating(store.apply(&flush(1, 1, &three), START_MS).unwrap()), 0);
    store.fold(START_MS).unwrap();
    // Three are known and count once, however often the object is gone.
    for sequence in 2..4 {
        store = open();
        assert_eq!(rotating(store.apply(&flush(1, sequence, &[event(0, 9, sequence)]), START_MS).unwrap()), 0);
    }
    assert_eq!(rotating(store.apply(&flush(1, 4, &[event(4, 10, 99)]), START_MS).unwrap()), 1);
    assert_eq!(rotating(open().apply(&flush(1, 5, &[event(4, 11, 100)]), START_MS).unwrap()), 1);
}

#[test]
fn a_link_that_was_taken_back_is_gone_on_both_sides_wherever_a_fold_is_cut() {
    let known = |n, at, principal| Event { principal, verified: true, ..event(n, at, at) };
    for slices in 0..17 {
        let sql = Sqlite::new();
        // Session 4, which parts from session 3, is folded some slices before it.
        let fold = FoldSizes { one_slice_bytes: 0, ..FoldSizes::default() };
        let open = || Store::open(sql.clone(), Settings { fold, ..settings(true) }, START_MS).unwrap();
        let mut store = open();
        Told { issues: vec![issue(3, 4, 50, Reason::Login)], ..told(vec![known(3, 50, 7), event(4, 51, 51)]) }
            .apply(&mut store, 1);
        store.fold(START_MS).unwrap();
        assert_eq!(links(&answer(&store, 3)).1, pair(4, "login"));
        told(vec![known(4, 60, 8)]).apply(&mut store, 2);
        for _ in 0..slices {
            store.alarm(START_MS + 60 * MINUTE_MS).unwrap();
        }
        store = open();
        assert_eq!((links(&answer(&store, 3)).1, links(&answer(&store, 4)).0), (vec![], vec![]), "{slices} slices");
        store.fold(START_MS).unwrap();
        store = open();
        assert_eq!((links(&answer(&store, 3)).1, links(&answer(&store, 4)).0), (vec![], vec![]), "{slices} slices");
    }
}
