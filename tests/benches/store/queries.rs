//! How long the first page of every filter and order of the list API takes, over a large and old shard.
//!
//! Each filter is asked for about twenty values, common, rare and absent ones by turns. A filter that is slow is asked
//! fewer of them, and where all are slow some are not asked at all: both are said, and the latter is a figure. A page that
//! is quick because it is cut short is no answer, so filters with such pages are a figure too.

use std::path::Path;
use std::time::Duration;

use throughline::query::rfc3339;

use crate::output::{figure, ms, note, timed};
use crate::subject::{Detectors, List, Subject};
use crate::support::events::session;
use crate::traffic::{COUNTRIES, Client, HOSTS, NETWORKS, OPERATIONS, RESOURCES, ROLES, Random, Shape, Traffic, USERS};

const VALUES: usize = 20;
/// After this long no further value of a filter is tried.
const PATIENCE: Duration = Duration::from_millis(1_500);
/// A corpus that takes longer to build is given up.
const PATIENCE_TO_BUILD: Duration = Duration::from_secs(1_800);
/// After this long no further filter is.
const PATIENCE_IN_ALL: Duration = Duration::from_secs(120);
const PROGRESS_EVERY: u64 = 4_000;
const DAY_MS: u64 = 86_400_000;
const REQUESTS_PER_SESSION: u32 = 20;
/// Days the corpus is spread over.
const DAYS: u64 = 10;

/// The corpus of so many sessions.
fn corpus(sessions: u64) -> Shape {
    let rate = (sessions * u64::from(REQUESTS_PER_SESSION) / (DAYS * DAY_MS / 1_000)).max(1);
    Shape { sessions, ..Shape::ten_minutes(REQUESTS_PER_SESSION, rate) }
}

/// When the last event of such a corpus was.
fn end_ms(shape: &Shape) -> u64 {
    shape.from_ms + shape.sessions * u64::from(REQUESTS_PER_SESSION) * 1_000 / shape.rate
}

/// Fills the file at `path` unless it is there: through flushes and alarms, as traffic would. False if that takes too long.
fn build(path: &Path, shape: Shape) -> bool {
    if path.exists() {
        note(&format!("the corpus is taken from {}", path.display()));
        return true;
    }
    let partial = path.with_extension("partial");
    remove(&partial);
    let mut traffic = Traffic::new(shape);
    let mut subject = Subject::open(&partial, traffic.now_ms(), Detectors::Basic);
    let (mut flushes, mut took) = (0, Duration::ZERO);
    while let Some(flush) = traffic.flush(250) {
        took += timed(|| subject.apply(&flush)).1;
        flushes += 1;
        if flushes % PROGRESS_EVERY == 0 {
            note(&format!("corpus: {} of {} sessions", traffic.sessions(), shape.sessions));
        }
        if took > PATIENCE_TO_BUILD {
            note(&format!("corpus: given up at {} of {} sessions", traffic.sessions(), shape.sessions));
            drop(subject);
            remove(&partial);
            return false;
        }
    }
    subject.fold(traffic.now_ms());
    note(&format!("corpus: {} bytes in {:.0} s", subject.bytes(), took.as_secs_f64()));
    drop(subject);
    std::fs::rename(&partial, path).expect("the corpus gets its name");
    true
}

/// What an earlier run may have left of a database.
fn remove(partial: &Path) {
    for extension in ["partial", "partial-wal", "partial-shm"] {
        let _ = std::fs::remove_file(partial.with_extension(extension));
    }
}

/// Asks everything and prints a figure for each list and filter, and the worst of them.
pub fn first_pages(path: &Path, sessions: u64) {
    let shape = corpus(sessions);
    if !build(path, shape) {
        // Nothing is asked of less than there should be: a smaller shard answers sooner. --quick asks one on purpose.
        return figure("query_corpus_missing", 1.0, "corpora");
    }
    let now_ms = end_ms(&shape);
    let (mut subject, open) = timed(|| Subject::open(path, now_ms, Detectors::Basic));
    note(&format!("opened in {:.0} ms", ms(open)));
    let values = Values::of(&mut subject, &shape);
    let (mut worst, mut spent, mut partial, mut skipped) = (0.0f64, Duration::ZERO, 0u32, 0u32);
    for list in [List::Sessions, List::Events] {
        for (name, queries) in values.questions(list) {
            if spent > PATIENCE_IN_ALL {
                note(&format!("{list:?} {name}: not asked"));
                skipped += 1;
                continue;
            }
            let asked = ask_all(&mut subject, list, name, &queries, now_ms);
            spent += asked.spent;
            worst = worst.max(asked.p95_ms);
            partial += u32::from(asked.partial);
            let list = if list == List::Sessions { "sessions" } else { "events" };
            figure(&format!("query_ms.{list}.{name}"), asked.p95_ms, "ms");
        }
    }
    figure("query_first_page_p95_ms", worst, "ms");
    figure("query_partial_filters", f64::from(partial), "filters");
    figure("query_filters_not_asked", f64::from(skipped), "filters");
}

/// What a filter took.
struct Asked {
    p95_ms: f64,
    spent: Duration,
    /// Whether any page may miss something.
    partial: bool,
}

fn ask_all(subject: &mut Subject, list: List, name: &str, queries: &[String], now_ms: u64) -> Asked {
    let (mut took, mut spent, mut found, mut partial) = (Vec::new(), Duration::ZERO, 0, 0);
    for query in queries {
        if spent > PATIENCE {
            break;
        }
        let (answer, time) = timed(|| subject.ask(list, query, now_ms));
        took.push(ms(time));
        spent += time;
        found += usize::from(!answer.ids.is_empty());
        partial += usize::from(answer.partial);
    }
    let asked = took.len();
    let cut = if asked < queries.len() { ", no time for more" } else { "" };
    note(&format!("{list:?} {name}: {asked} of {} values asked{cut}, {found} found, {partial} partial", queries.len()));
    took.sort_by(f64::total_cmp);
    Asked { p95_ms: took[(asked * 95).div_ceil(100) - 1], spent, partial: partial > 0 }
}

/// What is asked for: some of it is known beforehand, ids are looked up.
struct Values {
    now_ms: u64,
    from_ms: u64,
    sessions: u64,
    requests: Vec<String>,
}

impl Values {
    fn of(subject: &mut Subject, shape: &Shape) -> Self {
        let (from_ms, now_ms, mut requests) = (shape.from_ms, end_ms(shape), Vec::new());
        for i in 1..VALUES as u64 {
            let at = from_ms + (now_ms - from_ms) * i / VALUES as u64;
            let query = format!("from={}&to={}&limit=1", rfc3339(at), rfc3339(at + 60_000));
            requests.extend(subject.ask(List::Events, &query, now_ms).ids);
        }
        Self { now_ms, from_ms, sessions: shape.sessions, requests }
    }

    fn questions(&self, list: List) -> Vec<(&'static str, Vec<String>)> {
        let mut random = Random(7);
        let some = |make: &mut dyn FnMut(u64) -> String| (0..VALUES as u64).map(make).collect::<Vec<_>>();
        let moment = |random: &mut Random| rfc3339(self.from_ms + random.below(self.now_ms - self.from_ms));
        let country = |i: u64| 81 + i % 12;
        let mut all: Vec<(&'static str, Vec<String>)> = vec![
            ("none", vec![String::new(), "limit=500".to_owned(), "limit=1".to_owned(), "order=asc".to_owned()]),
            (
                "from",
                some(&mut |i| if i % 5 == 0 { "from=-5m".to_owned() } else { format!("from={}", moment(&mut random)) }),
            ),
            ("to", some(&mut |_| format!("to={}", moment(&mut random)))),
            (
                "from_to",
                some(&mut |i| {
                    let at = self.from_ms + random.below(self.now_ms - self.from_ms);
                    format!("from={}&to={}", rfc3339(at), rfc3339(at + [60_000, 3_600_000, DAY_MS][i as usize % 3]))
                }),
            ),
            (
                "ip",
                some(&mut |i| match i % 4 {
                    0 => "ip=192.0.2.1".to_owned(), // absent
                    _ => format!("ip={}", Client::of(random.below(self.sessions)).ip),
                }),
            ),
            (
                "cidr",
                some(&mut |i| match i % 5 {
                    0 => "ip=192.0.2.0%2F24".to_owned(),
                    1 => format!("ip={}.0.0.0%2F8", country(i)),
                    2 => format!("ip={}.0.{}.0%2F24", country(i), random.below(256)),
                    3 => format!("ip={}.{}.0.0%2F16", country(i), random.below(64)),
                    _ => format!("ip=2001:db8:{:x}::%2F48", i % 12),
                }),
            ),
            (
                "country",
                some(&mut |i| format!("country={}", if i % 5 == 4 { "XK" } else { COUNTRIES[i as usize % 12] })),
            ),
            ("country_not", some(&mut |i| format!("country!={}", COUNTRIES[i as usize % 12]))),
            (
                "asn",
                some(&mut |i| {
                    format!("asn={}", 64_500 + i * NETWORKS / VALUES as u64 * if i % 5 == 4 { 9 } else { 1 })
                }),
            ),
            (
                "user",
                some(&mut |i| {
                    format!(
                        "user=user-{}",
                        if i % 5 == 4 { 999_999 } else { random.below((self.sessions / 5).min(USERS)) }
                    )
                }),
            ),
            ("role", some(&mut |i| format!("role={}", if i % 4 == 3 { "auditor" } else { ROLES[i as usize % 4 % 3] }))),
            (
                "host",
                some(&mut |i| format!("host={}", if i % 3 == 2 { "www.shop.test" } else { HOSTS[i as usize % 3] })),
            ),
            ("endpoint", some(&mut |i| endpoint(i, ""))),
            (
                "endpoint_glob",
                some(&mut |i| match i % 4 {
                    0 => "endpoint=/wp-*".to_owned(),
                    1 => "endpoint=/nowhere/*".to_owned(),
                    _ => format!("endpoint=/api/{}*", RESOURCES[i as usize % 12]),
                }),
            ),
            ("endpoint_of_method", some(&mut |i| endpoint(i, OPERATIONS[i as usize % 5].0))),
            ("method", some(&mut |i| format!("method={}", ["GET", "POST", "PUT", "DELETE", "PATCH"][i as usize % 5]))),
            (
                "status",
                some(&mut |i| {
                    format!("status={}", [200, 304, 404, 401, 500, 403, 429, 503, 418, 201][i as usize % 10])
                }),
            ),
            ("status_class", some(&mut |i| format!("status={}xx", 1 + i % 5))),
            ("detector", vec!["detector=forced_browsing".to_owned(), "detector=session_rotation".to_owned()]),
            (
                "session",
                some(&mut |i| {
                    let n = if i % 5 == 4 { self.sessions + i } else { random.below(self.sessions) };
                    format!("session={}", session(n))
                }),
            ),
            ("request", self.requests.iter().map(|id| format!("request={id}")).collect()),
            (
                "q",
                some(&mut |i| match i % 4 {
                    0 => "q=nowhere".to_owned(),
                    1 => "q=wp-".to_owned(),
                    _ => format!("q={}", &RESOURCES[i as usize % 12][1..4]),
                }),
            ),
            ("two_filters", some(&mut |i| format!("country={}&status=503", COUNTRIES[i as usize % 12]))),
        ];
        if list == List::Sessions {
            all.push(("state", ["clear", "flagged", "blocked"].map(|state| format!("state={state}")).to_vec()));
            all.push(("min_risk", some(&mut |i| format!("min_risk={}", 1 + i * 5))));
            all.push(("min_requests", some(&mut |i| format!("min_requests={}", 1 + i * 2))));
            for (name, sort) in [
                ("sort_last_seen", "last_seen"),
                ("sort_first_seen", "first_seen"),
                ("sort_risk", "risk"),
                ("sort_requests", "requests"),
                ("sort_duration", "duration"),
            ] {
                all.push((
                    name,
                    ["desc", "asc"]
                        .iter()
                        .flat_map(|order| {
                            ["", "&country=MT", "&status=5xx"].map(|more| format!("sort={sort}&order={order}{more}"))
                        })
                        .collect(),
                ));
            }
        } else {
            all.push((
                "order",
                ["desc", "asc"]
                    .iter()
                    .flat_map(|order| ["", "&country=MT", "&status=5xx"].map(|more| format!("order={order}{more}")))
                    .collect(),
            ));
        }
        all
    }
}

/// Templates that are asked for often, seldom and never.
fn endpoint(i: u64, method: &str) -> String {
    let resource = RESOURCES[i as usize % 12];
    let rest = OPERATIONS[i as usize % 5].1.replace('{', "%7B").replace('}', "%7D");
    let host = if i.is_multiple_of(3) { HOSTS[0] } else { "" };
    match (i % 7, method) {
        (6, _) => "endpoint=/nowhere".to_owned(),
        (_, "") => format!("endpoint=/api/{resource}{rest}"),
        (..) => format!("endpoint={method}%20{host}/api/{resource}{rest}"),
    }
}
