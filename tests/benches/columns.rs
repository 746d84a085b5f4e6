//! A chunk's events, column by column: their size (on stderr) and what writing and reading them takes.

#![allow(clippy::expect_used, clippy::indexing_slicing, missing_docs, reason = "a benchmark may fail loudly")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use throughline::inventory::templated;
use throughline::session::{BatchBuilder, Event, EventId, Marks, SessionId};
use throughline::store::columns::{EventColumns, encode};
use throughline::verdict::Action;

const START_MS: u64 = 1_700_000_000_000;
/// Of one fold.
const SPAN_MS: u64 = 300_000;
const EVENTS: usize = 10_000;
const SESSIONS: usize = 700;
const ENDPOINTS: u64 = 60;
const CLIENTS: u64 = 600;
const AGENTS: u64 = 20;
const ISOLATES: u64 = 12;

/// Sebastiano Vigna's SplitMix64: the same numbers in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// True `percent` times in a hundred.
    fn is(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// As many of each magnitude from `from` on, for `doublings` of it.
    fn magnitude(&mut self, from: u64, doublings: u64) -> u64 {
        let base = from << self.below(doublings);
        base + self.below(base)
    }
}

fn kept(text: String) -> &'static str {
    text.leak()
}

/// What stands in a path: a row's number, one of many objects' UUIDs, or hex digits.
fn object(random: &mut Random, form: u64) -> String {
    match form {
        0..6 => (100_000 + random.below(900_000)).to_string(),
        6..9 => {
            let object = Random(random.below(2_000)).next();
            format!("{:08x}-{:04x}-7{:03x}-9f5e-{:012x}", object >> 32, object & 0xffff, object & 0xfff, object >> 16)
        }
        _ => format!("507f1f77{:016x}", random.next()),
    }
}

fn client(number: u64, event: Event<'static>) -> Event<'static> {
    let mut random = Random(number);
    let (country, asn, colo) = [("DE", 3_320, "FRA"), ("US", 7_922, "IAD"), ("FR", 3_215, "CDG")][number as usize % 3];
    let ip = [80 + random.below(20) as u8, random.next() as u8, random.next() as u8, random.next() as u8];
    let agent = number % AGENTS;
    Event {
        ip: Some(ip.into()),
        country,
        asn,
        colo,
        user_agent: kept(format!(
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/1{agent}.0.0.0 Safari/537.36"
        )),
        ja4: kept(format!("t13d1516h2_8daaf6152771_{:012x}", Random(agent).next() >> 16)),
        ..event
    }
}

/// Method, path and what came back; half of the endpoints have ids in their paths.
fn request(random: &mut Random, event: Event<'static>) -> Event<'static> {
    // Half of the requests go to a quarter of the endpoints.
    let number = if random.is(50) { random.below(ENDPOINTS / 4) } else { random.below(ENDPOINTS) };
    let path = match number % 4 {
        0 | 1 => format!("/api/v2/resource-{number}"),
        2 => format!("/api/v2/resource-{number}/{}", object(random, number % 10)),
        _ => format!("/api/v2/resource-{number}/{}/items", object(random, number % 10)),
    };
    let writes = number % 5 == 4;
    let status = if random.is(92) { 200 } else { [201, 204, 304, 400, 401, 403, 404, 500][random.below(8) as usize] };
    let response_bytes = match number % 3 {
        _ if status >= 400 => 48,
        0 => 700 + number,
        _ => random.magnitude(256, 6),
    };
    Event {
        method: if writes { "POST" } else { "GET" },
        host: "api.shop.example",
        template: kept(templated(&path, 1_024).template),
        path: kept(path),
        status,
        request_bytes: writes.then(|| random.magnitude(64, 5)),
        response_bytes: Some(response_bytes),
        duration_ms: if random.is(1) { random.magnitude(500, 4) } else { random.magnitude(6, 5) } as u32,
        ..event
    }
}

/// The events of one fold of one shard, sorted.
fn events() -> (Vec<SessionId>, Vec<(u64, Event<'static>)>) {
    let mut random = Random(7);
    let mut events: Vec<(u64, Event<'static>, u64)> = Vec::new();
    let session =
        |number: usize| SessionId((u128::from(Random(number as u64).next()) * 0x9e37_79b9_7f4a_7c15).to_be_bytes());
    let blank = Event {
        id: EventId(0),
        session: session(0),
        key_source: "request.cookie.sid",
        verified: false,
        time_ms: 0,
        duration_ms: 0,
        method: "",
        host: "",
        path: "",
        template: "",
        status: 0,
        request_bytes: None,
        response_bytes: None,
        ip: None,
        country: "",
        asn: 0,
        colo: "",
        user_agent: "",
        ja4: "",
        user: "",
        roles: "",
        principal: 0,
        token: 0,
        feedback: "",
        params: throughline::session::Params::default(),
        action: Action::Allow,
        inventory: None,
        marks: Marks::default(),
    };
    for number in 0..SESSIONS {
        let mut event = client(random.below(CLIENTS), Event { session: session(number), ..blank });
        if random.is(40) {
            event.user = kept(format!("h:3d97:{:016x}{:016x}", random.next(), random.next()));
            event.roles = "buyer";
            event.verified = random.is(50);
            event.principal = if event.verified { random.next() } else { 0 };
        }
        let home = random.below(ISOLATES);
        let mut time = START_MS + random.below(SPAN_MS * 3 / 4);
        let count = (EVENTS - events.len()) / (SESSIONS - number);
        let count = if number + 1 == SESSIONS { count } else { 1 + random.below(2 * count as u64 - 1) as usize };
        for _ in 0..count {
            let isolate = if random.is(85) { home } else { random.below(ISOLATES) };
            let mut made = request(&mut random, Event { time_ms: time, ..event });
            if made.status == 401 {
                made.feedback = "login-failure";
            }
            events.push((0, made, isolate));
            time += random.magnitude(40, 9);
        }
    }
    // Isolates count the events of every shard; this is one of two.
    let mut counters: Vec<u64> = (0..ISOLATES).map(|isolate| Random(isolate).next() & 0xff_ffff).collect();
    events.sort_by_key(|(_, event, _)| event.time_ms);
    for (_, event, isolate) in &mut events {
        let counter = &mut counters[*isolate as usize];
        *counter += 1 + random.below(3);
        let unique = (*counter << 16) | (Random(*isolate + 99).next() & 0xffff);
        // Logins are moved to the session they start after they had their id.
        let located = if random.is(1) { session(9_999) } else { event.session };
        event.id = EventId::new(event.time_ms, located, unique);
    }
    // An isolate sends what has ended, once a second; the journal numbers what comes.
    events.sort_by_key(|(_, event, isolate)| {
        let ended = event.time_ms + u64::from(event.duration_ms);
        (ended / 1_000, *isolate, ended)
    });
    (10_000_000..).zip(&mut events).for_each(|(number, (position, ..))| *position = number);
    events.sort_by_key(|(_, event, _)| (event.session, event.id));
    let mut sessions: Vec<SessionId> = events.iter().map(|(_, event, _)| event.session).collect();
    sessions.dedup();
    (sessions, events.into_iter().map(|(position, event, _)| (position, event)).collect())
}

#[expect(clippy::print_stderr, reason = "a benchmark says what it finds")]
fn columns(criterion: &mut Criterion) {
    let (sessions, events) = events();
    let bytes = encode(&sessions, &events).expect("sorted events");
    let read = EventColumns::decode(&bytes).expect("columns");
    let count = events.len() as f64;
    eprintln!("events {}, sessions {}", events.len(), sessions.len());
    eprintln!("bytes an event {:.2}", bytes.len() as f64 / count);
    for (name, size) in read.sizes() {
        eprintln!("  {name} {:.2}", size as f64 / count);
    }
    let mut batch = BatchBuilder::default();
    events.iter().for_each(|(_, event)| batch.push(event));
    eprintln!("bytes an event in a batch {:.2}", batch.take().encode().len() as f64 / count);

    let mut group = criterion.benchmark_group("columns");
    group.throughput(Throughput::Elements(events.len() as u64));
    group.bench_function("encode", |b| b.iter(|| encode(black_box(&sessions), black_box(&events))));
    group.bench_function("decode", |b| b.iter(|| EventColumns::decode(black_box(&bytes)).is_ok()));
    group.bench_function("scan_time_status", |b| {
        b.iter(|| {
            let columns = EventColumns::decode(black_box(&bytes)).expect("columns");
            let wanted: Vec<bool> = columns.statuses().iter().map(|status| *status >= 400).collect();
            let (times, statuses) = (columns.times().expect("times"), columns.status_numbers().expect("statuses"));
            let late = START_MS + SPAN_MS / 2;
            times.iter().zip(&statuses).filter(|(time, status)| **time > late && wanted[**status as usize]).count()
        });
    });
    group.bench_function("scan_time_client_endpoint", |b| {
        b.iter(|| {
            let columns = EventColumns::decode(black_box(&bytes)).expect("columns");
            let from: Vec<bool> = columns.clients().iter().map(|client| client.country == "DE").collect();
            let to: Vec<bool> = columns.endpoints().iter().map(|endpoint| endpoint.method == "POST").collect();
            let times = columns.times().expect("times");
            let (clients, endpoints) =
                (columns.client_numbers().expect("clients"), columns.endpoint_numbers().expect("endpoints"));
            let late = START_MS + SPAN_MS / 2;
            let events = times.iter().zip(&clients).zip(&endpoints);
            events
                .filter(|((time, client), endpoint)| {
                    **time > late && from[**client as usize] && to[**endpoint as usize]
                })
                .count()
        });
    });
    group.bench_function("rows", |b| {
        b.iter(|| {
            let columns = EventColumns::decode(black_box(&bytes)).expect("columns");
            let rows = columns.rows(&sessions).expect("rows");
            rows.iter().map(|(_, event)| event.path.len()).sum::<usize>()
        });
    });
    group.finish();
}

criterion_group!(benches, columns);
criterion_main!(benches);
