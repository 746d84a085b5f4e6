//! What reading parameters costs: selectors over one body, natively. `scripts/bench core` prints it.

#![allow(clippy::expect_used, missing_docs, reason = "a benchmark may fail loudly")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use throughline::selector::{Body, HeaderView, NoTokens, Request, Selector, SelectorSet};

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

const POINTERS: [&str; 20] = [
    "/id",
    "/customer/id",
    "/customer/email",
    "/customer/tier",
    "/customer/consent/mail",
    "/shipping/zip",
    "/shipping/city",
    "/shipping/country",
    "/billing/name",
    "/billing/country",
    "/payment/method",
    "/payment/token",
    "/items/0/sku",
    "/items/*/id",
    "/items/*/quantity",
    "/coupon",
    "/total/amount",
    "/total/currency",
    "/meta/source",
    "/absent/member",
];

fn selectors(criterion: &mut Criterion) {
    let body = order();
    assert!((3_900..4_300).contains(&body.len()), "the body has {} bytes", body.len());
    let parse = |pointer| Selector::parse(&format!("request.body#{pointer}")).expect("a selector");
    let set = SelectorSet::new(POINTERS.map(parse).into());
    let body = Body { content_type: "application/json", bytes: body.as_bytes(), cut: false };
    let request = Request { method: "POST", path: "/orders", body: Some(body), ..Request::default() };
    criterion.bench_function("selectors_20", |b| {
        b.iter(|| {
            let mut values = 0;
            set.read_request(black_box(&request), &mut NoTokens, |_, found| values += found.values.len());
            assert_eq!(values, 47);
            values
        });
    });
}

/// A session key without decoders, as it is read of every request.
fn first(criterion: &mut Criterion) {
    let cookies = "_ga=GA1.2.1234567890.1700000000; lang=de-DE; theme=dark; sid=4f0c9a6e5d3b2a1908f7e6d5c4b3a291";
    let (names, values) = (["cookie".to_owned()], [cookies]);
    let request = Request { headers: HeaderView { names: &names, values: &values }, ..Request::default() };
    let selector = Selector::parse("request.cookie.sid").expect("a selector");
    criterion.bench_function("selector_first", |b| {
        b.iter(|| selector.first(black_box(&request), &mut NoTokens).map(|value| value.text.len()));
    });
}

criterion_group!(benches, selectors, first);
criterion_main!(benches);
