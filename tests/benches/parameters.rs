//! What business parameters, watches and flows cost, natively. `scripts/bench core` prints it.

#![allow(clippy::expect_used, missing_docs, reason = "a benchmark may fail loudly")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use throughline::flow::{FlowState, Sighting};
use throughline::parameter::{Decimal, ParamStats, Parameters, Past, Quantiles, Value, WatchState};
use throughline::policy::Policy;
use throughline::selector::{Body, NoTokens, Request};
use throughline::session::EventId;
use throughline::subject::SubjectHash;

/// An order of about 4 KB: what an API of a shop is sent.
fn order() -> String {
    let item = |i: u32| {
        format!(
            r#"{{"id":{i},"sku":"SKU-{i:06}","name":"Product number {i} \"special\"","quantity":{},"price":{{"amount":{i}.90,"currency":"EUR"}},"options":[{{"name":"color","value":"blue"}},{{"name":"size","value":"XL"}}],"gift":false,"note":null}}"#,
            i % 5
        )
    };
    let items: Vec<String> = (4815..4830).map(item).collect();
    let address = r#"{"name":"Erika Mustermann","street":"Heidestraße 17","zip":"51147","city":"Köln","country":"DE","phone":"+49 221 1234567"}"#;
    format!(
        r#"{{"id":"018f2f6e-7c1a-7cc0-9f5e-0123456789ab","created":"2026-01-01T12:00:00.000Z","customer":{{"id":48151623,"email":"erika@example.com","tier":"gold","consent":{{"mail":true,"phone":false}}}},"shipping":{address},"billing":{address},"payment":{{"method":"card","token":"tok_4f0c9a6e5d3b2a19","installments":1}},"items":[{}],"coupon":"WELCOME","total":{{"amount":1337.42,"currency":"EUR"}},"meta":{{"source":"web","campaign":"spring","agent":"shop/1.2.3"}}}}"#,
        items.join(",")
    )
}

/// Twenty parameters, of every type; two of them take fifteen values each, one is hashed.
const PARAMETERS: [(&str, &str, &str); 20] = [
    ("id", "/id", ""),
    ("created", "/created", r#","type":"time""#),
    ("customer", "/customer/id", r#","type":"number""#),
    ("email", "/customer/email", r#","store":"hashed""#),
    ("tier", "/customer/tier", ""),
    ("consent", "/customer/consent/mail", r#","type":"bool""#),
    ("zip", "/shipping/zip", ""),
    ("city", "/shipping/city", ""),
    ("ship_to", "/shipping/country", ""),
    ("name", "/billing/name", r#","redact":"1*""#),
    ("bill_to", "/billing/country", ""),
    ("method", "/payment/method", ""),
    ("token", "/payment/token", r#","redact":"*4""#),
    ("price", "/items/*/price/amount", r#","type":"number""#),
    ("quantity", "/items/*/quantity", r#","type":"number""#),
    ("coupon", "/coupon", ""),
    ("total", "/total/amount", r##","type":"money","currency":"request.body#/total/currency""##),
    ("campaign", "/meta/campaign", ""),
    ("source", "/meta/source", ""),
    ("absent", "/absent/member", ""),
];

fn policy() -> Policy {
    let entry = |(name, at, more): (&str, &str, &str)| {
        format!(r##"{{"name":"{name}","from":"request.body#{at}","on":"POST /orders"{more}}}"##)
    };
    let vars = [
        ("SESSION_SECRET", "0123456789abcdef".to_owned()),
        ("ADMIN_TOKEN", "0123456789abcdef".to_owned()),
        ("PARAMETERS", format!("[{}]", PARAMETERS.map(entry).join(","))),
        (
            "WATCHES",
            r#"[{"kind":"velocity","parameter":"total","of":"sum","window":"1h","above":1e15,"currency":"EUR"},
            {"kind":"spike","parameter":"total","currency":"EUR"}]"#
                .to_owned(),
        ),
        (
            "FLOWS",
            r#"[{"name":"checkout","steps":["POST /cart","POST /checkout","POST /orders"],"keep":["total"]}]"#
                .to_owned(),
        ),
        ("ROUTES", r#"[{"match":"POST /orders","decide":"inline"}]"#.to_owned()),
    ];
    Policy::load(&|name| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| v.clone())).expect("a policy")
}

fn pseudonym(kind: &str, value: &str) -> String {
    [kind, value].concat()
}

fn reading(criterion: &mut Criterion) {
    let text = order();
    assert!((3_900..4_300).contains(&text.len()), "the body has {} bytes", text.len());
    let parameters = policy().parameters;
    let body = Body { content_type: "application/json", bytes: text.as_bytes(), cut: false };
    let request = Request { method: "POST", path: "/orders", body: Some(body), ..Request::default() };
    let read = |parameters: &Parameters, request: &Request<'_>| {
        parameters.read_request(request, false, &pseudonym, &mut NoTokens).values.len()
    };
    assert_eq!(read(&parameters, &request), 47);
    criterion.bench_function("parameters_20", |b| b.iter(|| read(black_box(&parameters), black_box(&request))));
    let other = Request { path: "/products", ..request };
    criterion.bench_function("parameters_none", |b| b.iter(|| read(black_box(&parameters), black_box(&other))));
}

fn keeping(criterion: &mut Criterion) {
    let hash = SubjectHash::new([1; 16]);
    let policy = policy();
    let (total, _) = policy.parameters.named("total").expect("a parameter");
    let value = Value::parse(throughline::parameter::Type::Money, "1337.42", Some("EUR"));
    criterion.bench_function("parameter_stats", |b| {
        let (mut stats, mut n) = (ParamStats::default(), 0);
        b.iter(|| {
            n += 1;
            stats.see(black_box(&value), EventId::located(n, 1, n), &hash);
        });
    });
    criterion.bench_function("watches_2", |b| {
        let (mut states, mut time_ms) = ([WatchState::default(), WatchState::default()], 1_700_000_000_000);
        let (mut own, mut everybody) = (ParamStats::default(), Quantiles::default());
        (1..100).for_each(|n| own.see(&value, EventId::located(n, 1, n), &hash));
        (1..5_000).for_each(|n| everybody.see(Decimal::whole(n)));
        b.iter(|| {
            time_ms += 1_000;
            let past = Past { own: &own, population: Some(&everybody) };
            let told = policy.watches.iter().zip(&mut states);
            told.filter_map(|(w, s)| s.observe(w, black_box(&value), time_ms, past, &hash)).count()
        });
    });
    let values = [(total, value.clone())];
    criterion.bench_function("flow_step", |b| {
        let flow = policy.flows.first().expect("a flow");
        let (mut state, mut n) = (FlowState::default(), 0_u64);
        b.iter(|| {
            n += 1;
            let steps = 1 << (n % 3);
            let seen = Sighting { steps, values: &values, time_ms: n * 5_000, known_since_ms: None };
            state.observe(flow, black_box(&seen), &hash).violations.len()
        });
    });
    criterion.bench_function("flow_tags", |b| {
        b.iter(|| policy.tags.of(black_box("GET"), black_box("/api/v1/accounts/{integer}/statement-lines")));
    });
}

criterion_group!(benches, reading, keeping);
criterion_main!(benches);
