//! The pure request path: what the core costs per request, natively. `scripts/bench core` prints it.

#![allow(clippy::expect_used, missing_docs, reason = "a benchmark may fail loudly")]

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use throughline::detect;
use throughline::identity::jwt::{Tokens, TokensAt};
use throughline::identity::{KeyPlan, Keyring};
use throughline::inventory::templated;
use throughline::selector::{Client, HeaderView, Request};
use throughline::session::{BatchBuilder, Event};
use throughline::store::{Allowance, Settings, Store};

#[path = "../support/mod.rs"]
mod support;

use support::events::{START_MS, event, flush};
use support::sqlite::Sqlite;

const COOKIES: &str =
    "_ga=GA1.2.1234567890.1700000000; lang=de-DE; theme=dark; sid=4f0c9a6e5d3b2a1908f7e6d5c4b3a291; consent=1";
const PATH: &str = "/api/customers/018f2f6e-7c1a-7cc0-9f5e-0123456789ab/orders/48151623/items";

fn plan() -> KeyPlan {
    KeyPlan::new(Vec::new(), Keyring::new(b"0123456789abcdef0123456789abcdef", None), Vec::new())
}

fn at(tokens: &mut Tokens) -> TokensAt<'_> {
    TokensAt { tokens, now_ms: START_MS }
}

fn client() -> Client<'static> {
    Client { ip: "203.0.113.7".parse().ok(), country: "DE", asn: 3320, colo: "FRA", ja4: "", user_agent: "Mozilla/5.0" }
}

fn identify(criterion: &mut Criterion) {
    let plan = plan();
    let mut tokens = Tokens::default();
    let with_cookie: Vec<&str> =
        plan.headers().iter().map(|name| if name == "cookie" { COOKIES } else { "" }).collect();
    let without: Vec<&str> = plan.headers().iter().map(|_| "").collect();
    for (name, values) in [("identify_cookie", &with_cookie), ("identify_client", &without)] {
        let headers = HeaderView { names: plan.headers(), values };
        let parts = Request { headers, client: client(), ..Request::default() };
        criterion.bench_function(name, |b| b.iter(|| plan.identify(black_box(&parts), &mut at(&mut tokens)).session));
    }
}

fn template(criterion: &mut Criterion) {
    criterion.bench_function("template", |b| b.iter(|| templated(black_box(PATH), 1_024)));
}

/// Identify, template, record: everything the core does for a request at the edge.
fn request(criterion: &mut Criterion) {
    let plan = plan();
    let values: Vec<&str> = plan.headers().iter().map(|name| if name == "cookie" { COOKIES } else { "" }).collect();
    let headers = HeaderView { names: plan.headers(), values: &values };
    let parts = Request { headers, client: client(), ..Request::default() };
    let mut tokens = Tokens::default();
    let (mut builder, mut unique) = (BatchBuilder::default(), 0);
    criterion.bench_function("request", |b| {
        b.iter(|| {
            let identified = plan.identify(black_box(&parts), &mut at(&mut tokens));
            let path = templated(black_box(PATH), 1_024);
            unique += 1;
            let event = Event {
                path: &path.path,
                template: &path.template,
                key_source: identified.source,
                ..event(1, 0, unique)
            };
            builder.push(&event);
            if builder.len() == 250 {
                black_box(builder.take());
            }
        });
    });
}

/// A shard takes a flush of 250 events of 50 sessions in; per event.
fn apply(criterion: &mut Criterion) {
    const EVENTS: u64 = 250;
    let settings = Settings {
        detectors: detect::Settings::default(),
        enforce: true,
        retention_ms: 86_400_000,
        newcomers: Allowance::default(),
    };
    let events: Vec<_> = (0..EVENTS).map(|i| event(i % 50, i, i)).collect();
    let mut group = criterion.benchmark_group("shard");
    group.throughput(Throughput::Elements(EVENTS));
    group.bench_function("apply_250", |b| {
        let mut sequence = 0;
        b.iter_batched(
            || Store::open(Sqlite::new(), settings.clone(), START_MS).expect("the store opens"),
            |mut store| {
                sequence += 1;
                store.apply(&flush(1, sequence, &events), START_MS).expect("the flush is taken");
                store
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

criterion_group!(benches, identify, template, request, apply);
criterion_main!(benches);
