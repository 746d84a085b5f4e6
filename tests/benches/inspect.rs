//! What inspection costs of requests as they come, and of the worst that a client could make up. `scripts/bench core` prints it.

#![allow(clippy::expect_used, clippy::print_stderr, missing_docs, reason = "a benchmark may fail loudly")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use throughline::inspect::{Body, Inspector, Limits, Request};

const AGENT: &str =
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36";

const HEADERS: [(&str, &str); 12] = [
    ("host", "api.example.com"),
    ("user-agent", AGENT),
    ("accept", "application/json, text/plain, */*"),
    ("accept-language", "de-DE,de;q=0.9,en-US;q=0.8,en;q=0.7"),
    ("accept-encoding", "gzip, deflate, br, zstd"),
    ("referer", "https://shop.example.com/products/blue-shirt"),
    ("origin", "https://shop.example.com"),
    ("cookie", "_ga=GA1.2.1234567890.1700000000; lang=de-DE; theme=dark; sid=4f0c9a6e5d3b2a1908f7e6d5c4b3a291"),
    ("authorization", "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dBjftJeZ4CVPmB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
    ("x-request-id", "018f2f6e-7c1a-7cc0-9f5e-0123456789ab"),
    ("content-type", "application/json"),
    ("x-forwarded-for", "203.0.113.7"),
];

/// An order of about 1 KB.
const ORDER: &str = r#"{"id":"018f2f6e-7c1a-7cc0-9f5e-0123456789ab","created":"2026-01-01T12:00:00.000Z","customer":{"id":48151623,"email":"erika@example.com","tier":"gold","consent":{"mail":true,"phone":false}},"shipping":{"name":"Erika Mustermann","street":"Heidestraße 17","zip":"51147","city":"Köln","country":"DE","phone":"+49 221 1234567"},"payment":{"method":"card","token":"tok_4f0c9a6e5d3b2a19","installments":1},"items":[{"id":4815,"sku":"SKU-004815","name":"Shirt, blue \"special\"","quantity":2,"price":{"amount":19.90,"currency":"EUR"},"options":[{"name":"color","value":"blue"},{"name":"size","value":"XL"}],"gift":false,"note":null},{"id":4816,"sku":"SKU-004816","name":"Trousers","quantity":1,"price":{"amount":49.90,"currency":"EUR"},"options":[{"name":"color","value":"black"}],"gift":true,"note":"Happy birthday, Tom & Anna!"}],"coupon":"WELCOME","total":{"amount":89.70,"currency":"EUR"},"meta":{"source":"web","campaign":"spring-2026","agent":"shop/1.2.3"}}"#;

fn posted(content_type: &'static str, bytes: &'static [u8]) -> Request<'static> {
    let body = Body { content_type, content_encoding: "", bytes, cut: false };
    Request { method: "POST", path: "/api/orders", body: Some(body), ..Request::default() }
}

/// Bodies of 128 KiB that make as much work as a client can think of.
fn hostile() -> Vec<(&'static str, Request<'static>)> {
    const SIZE: usize = 128 * 1_024;
    let fill = |piece: &str| -> &'static [u8] { piece.repeat(SIZE / piece.len()).leak().as_bytes() };
    let listed = |piece: &str| -> &'static [u8] {
        let item = serde_json::to_string(piece).expect("a string");
        format!("[{}{item}]", format!("{item},").repeat(SIZE / (item.len() + 1) - 1)).leak().as_bytes()
    };
    const JSON: &str = "application/json";
    const FORM: &str = "application/x-www-form-urlencoded";
    vec![
        ("percent", posted("text/plain", fill("%2527%26lt;\\x27' or "))),
        ("forms", posted(FORM, fill("a=%2527%26lt;%5Cx27' or 1&"))),
        ("one_name", posted(FORM, fill("a='&"))),
        ("strings", posted(JSON, listed("' or <a b=\"c\">"))),
        ("tiny_strings", posted(JSON, listed("'"))),
        ("deep", posted(JSON, fill("{\"a\":["))),
        ("base64", posted(JSON, listed("JyBvciAxPTEtLSAtJyBvciAxPTEtLSAt"))),
        ("markup", posted("application/xml", fill("<a b='c&lt;' d=\"e\">f</a>"))),
        ("open_markup", posted("application/xml", fill("<!--<![CDATA[<?<a b='"))),
        (
            "multipart",
            posted(
                "multipart/form-data; boundary=B",
                fill("--B\r\nContent-Disposition: form-data; name=a\r\n\r\n'\r\n"),
            ),
        ),
        ("high", posted("text/plain", fill("＜ｓ＞\u{1d400}\u{c9}"))),
        ("letters", posted("text/plain", fill("select union or and from script "))),
        ("braces", posted("text/plain", fill("{{[[${"))),
    ]
}

fn inspect(criterion: &mut Criterion) {
    let inspector = Inspector::new(|_| true, Limits::default());
    let get = Request {
        method: "GET",
        host: "api.example.com",
        path: "/api/v1/products/blue-shirt",
        query: "page=2&sort=price&q=blue+shirt&utm_source=newsletter",
        headers: &HEADERS,
        body: None,
    };
    let post = posted("application/json", ORDER.as_bytes());
    let mut bench = |name: &str, request: &Request<'_>| {
        let found = inspector.inspect(request, &|_, _| false);
        eprintln!("{name}: {} hits, cuts {:#x}, work {}", found.hits.len(), found.cuts.0, found.work);
        criterion.bench_function(name, |b| b.iter(|| inspector.inspect(black_box(request), &|_, _| false).work));
    };
    bench("inspect_get", &get);
    bench("inspect_json", &post);
    for (name, request) in hostile() {
        bench(&format!("inspect_hostile_{name}"), &request);
    }
}

criterion_group!(benches, inspect);
criterion_main!(benches);
