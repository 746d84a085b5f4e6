//! The pure request path: what the core costs per request, natively. `scripts/bench core` prints it.

#![allow(clippy::expect_used, missing_docs, reason = "a benchmark may fail loudly")]

use std::collections::BTreeMap;
use std::hint::black_box;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use p256::ecdsa::signature::Signer;
use throughline::detect;
use throughline::identity::jwt::{Issuer, KeySet, Tokens, TokensAt, verify};
use throughline::identity::{KeyPlan, Keyring, SessionKey};
use throughline::inventory::openapi::Document;
use throughline::inventory::{Catalogue, Seen, templated};
use throughline::selector::{Client, HeaderView, Request, Selector};
use throughline::session::{BatchBuilder, Event};
use throughline::store::{Allowance, FoldSizes, Settings, Store};
use throughline::subject::{Family, Subject, SubjectHash, SubjectKey, subjects_of};

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

const ISS: &str = "https://login.shop.test";

/// An issuer with one P-256 key, and a token of it of ordinary size.
fn es256() -> (Tokens, String) {
    let key = p256::ecdsa::SigningKey::from_slice(&[7; 32]).expect("a key");
    let point = key.verifying_key().to_sec1_point(false);
    let coordinate = |at: usize| URL_SAFE_NO_PAD.encode(point.as_bytes().get(at..at + 32).expect("a coordinate"));
    let (x, y) = (coordinate(1), coordinate(33));
    let jwks = format!(r#"{{"keys":[{{"kty":"EC","crv":"P-256","alg":"ES256","kid":"k1","x":"{x}","y":"{y}"}}]}}"#);
    let keys = KeySet::from_jwks(&jwks).expect("keys").keys;
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let claims = format!(
        r#"{{"iss":"{ISS}","aud":"shop","sub":"auth0|65f1c0ffee","sid":"9d1f7c2e5b8a4036","exp":{},"iat":{},"azp":"web","scope":"openid profile email orders:read orders:write","email":"ann@example.com","name":"Ann Example","roles":["buyer","beta"]}}"#,
        START_MS / 1_000 + 3_600,
        START_MS / 1_000,
    );
    let signed = format!("{}.{}", part(r#"{"alg":"ES256","typ":"JWT","kid":"k1"}"#), part(&claims));
    let signature: p256::ecdsa::Signature = key.sign(signed.as_bytes());
    let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()));
    let issuer = Issuer { iss: Some(ISS.to_owned()), aud: vec!["shop".to_owned()], keys, ..Issuer::default() };
    (Tokens::new(vec![issuer]), token)
}

/// A session by a claim of a token that was verified before, and the verification itself.
fn tokens(criterion: &mut Criterion) {
    let (mut tokens, token) = es256();
    let from = Selector::parse_request("request.jwt.sid").expect("a selector");
    let ring = Keyring::new(b"0123456789abcdef0123456789abcdef", None);
    let plan = KeyPlan::new(vec![SessionKey::new(from)], ring, vec![ISS.to_owned()]);
    let authorization = format!("Bearer {token}");
    let values: Vec<&str> =
        plan.headers().iter().map(|name| if name == "authorization" { &authorization } else { "" }).collect();
    let headers = HeaderView { names: plan.headers(), values: &values };
    let parts = Request { method: "GET", path: "/", headers, client: client(), ..Request::default() };
    assert!(plan.identify(&parts, &mut at(&mut tokens)).verified, "the benchmark's own token");
    criterion.bench_function("identify_jwt_cached", |b| {
        b.iter(|| plan.identify(black_box(&parts), &mut at(&mut tokens)).session);
    });
    let issuers = tokens.issuers().to_vec();
    criterion.bench_function("verify_es256", |b| b.iter(|| verify(black_box(&token), &issuers, START_MS).is_ok()));
}

fn template(criterion: &mut Criterion) {
    criterion.bench_function("template", |b| b.iter(|| templated(black_box(PATH), 1_024)));
}

/// A request told among 2,000 documented operations: one that is there, and one that no document has.
fn documents(criterion: &mut Criterion) {
    let mut paths = serde_json::Map::new();
    for n in 0..500 {
        let operations = || serde_json::json!({ "get": {}, "post": {} });
        paths.insert(format!("/group{}/resource{n}", n % 9), operations());
        paths.insert(format!("/group{}/resource{n}/{{id}}/items/{{item}}", n % 9), operations());
    }
    let value = serde_json::json!({
        "openapi": "3.1.0", "info": { "title": "Large", "version": "1" }, "servers": [{ "url": "/api/v1" }], "paths": paths,
    });
    let document = Document::from_value(&value).expect("a document").0;
    assert_eq!(document.operations.len(), 2_000, "operations");
    let catalogue = Catalogue::new([&document]);
    let ids = "018f2f6e-7c1a-7cc0-9f5e-0123456789ab/items/48151623";
    let there: Vec<String> = (0..500).map(|n| format!("/api/v1/group{}/resource{n}/{ids}", n % 9)).collect();
    let beyond: Vec<String> = (0..500).map(|n| format!("/api/v1/group{}/other{n}/{ids}", n % 9)).collect();
    for (name, paths) in [("match_document", &there), ("match_no_document", &beyond)] {
        let mut next = paths.iter().cycle();
        criterion.bench_function(name, |b| {
            b.iter(|| {
                let path = next.next().map_or("", String::as_str);
                let seen = Seen { method: "GET", host: "api.shop.test", path, status: 404, ..Seen::default() };
                catalogue.compare(black_box(&seen)).inventory
            });
        });
    }
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
        business: detect::business::Settings::default(),
        enforce: true,
        allow: Vec::new(),
        retention_ms: 86_400_000,
        max_bytes: u64::MAX,
        fold: FoldSizes::default(),
        newcomers: Allowance::default(),
        subjects: SubjectHash::new([7; 16]),
        former_subjects: None,
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

const CHROME: &str =
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36";

/// Everything subjects cost an event: user, address, token and device named and found, each taking its sighting in; and
/// the parts of it.
fn subject_observe(criterion: &mut Criterion) {
    let hash = SubjectHash::derive(b"0123456789abcdef0123456789abcdef");
    let events: Vec<_> = (0..1_000)
        .map(|n| Event {
            user: "h:3d97:af6ff0a9b59417105056b316d1cdfda1",
            user_agent: CHROME,
            ..event(n % 50, n * 40, n)
        })
        .collect();
    let keep = |subjects: &mut BTreeMap<SubjectKey, Subject>, event: &Event<'_>| {
        for (key, seen) in subjects_of(event, &hash) {
            subjects.entry(key).or_insert_with(|| Subject::new(&seen)).observe(&seen, &hash);
        }
    };
    let mut subjects = BTreeMap::new();
    events.iter().for_each(|event| keep(&mut subjects, event));
    let mut next = events.iter().cycle();
    criterion.bench_function("subject_observe", |b| {
        b.iter(|| keep(&mut subjects, black_box(next.next().expect("an event"))));
    });
    let event = events.first().expect("an event");
    criterion.bench_function("subject_keys", |b| {
        b.iter(|| subjects_of(black_box(event), &hash).fold(0, |sum, (key, _)| sum ^ key.prefix()));
    });
    criterion.bench_function("subject_family", |b| b.iter(|| Family::of(black_box(CHROME)).major));
    let subject = subjects.values().next().expect("a subject");
    let bytes = subject.encode();
    criterion.bench_function("subject_encode", |b| b.iter(|| black_box(subject).encode().len()));
    criterion.bench_function("subject_decode", |b| b.iter(|| Subject::decode(black_box(&bytes)).is_ok()));
}

criterion_group!(benches, identify, tokens, template, documents, request, apply, subject_observe);
criterion_main!(benches);
