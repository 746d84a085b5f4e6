//! Requests that inspection is measured with: as they come, and the worst that a client could make up.

use throughline::inspect::{Body, Request};

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

pub fn posted(content_type: &'static str, bytes: &'static [u8]) -> Request<'static> {
    let body = Body { content_type, content_encoding: "", bytes, cut: false };
    Request { method: "POST", path: "/api/orders", body: Some(body), ..Request::default() }
}

/// A browser's GET with twelve headers.
pub fn get() -> Request<'static> {
    Request {
        method: "GET",
        host: "api.example.com",
        path: "/api/v1/products/blue-shirt",
        query: "page=2&sort=price&q=blue+shirt&utm_source=newsletter",
        headers: &HEADERS,
        body: None,
    }
}

/// An order as a customer sends it.
pub fn order() -> Request<'static> {
    posted("application/json", ORDER.as_bytes())
}

/// Bytes of a body as long as any that is read whole.
pub const LONGEST: usize = 128 * 1_024;

/// Bodies of some size that make as much work as a client can think of.
pub fn hostile(size: usize) -> Vec<(&'static str, Request<'static>)> {
    let fill = |piece: &str| -> &'static [u8] { piece.repeat(size / piece.len()).leak().as_bytes() };
    let listed = |piece: &str| -> &'static [u8] {
        let item = serde_json::to_string(piece).expect("a string");
        format!("[{}{item}]", format!("{item},").repeat(size / (item.len() + 1) - 1)).leak().as_bytes()
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
        ("quotes", posted("text/plain", fill("'\"`"))),
        ("brackets", posted("text/plain", fill("<a<"))),
        ("parentheses", posted("text/plain", fill("(1)("))),
        ("climbing", posted("text/plain", fill("../..\\"))),
        ("shell", posted("text/plain", fill(";|`$(id)"))),
        ("statements", posted("text/plain", fill("1;select 1 from(select 1)or 1=1/*"))),
        ("lookups", posted("text/plain", fill("${jndi:${lower:"))),
        ("hosts", posted("text/plain", fill("http://127.0.0.1@0x7f.1/"))),
        ("lines", posted("text/plain", fill("a:b\r\n\r\n<c>"))),
        ("objects", posted("text/plain", fill("O:1:\"a\":1:{s:1:\"b\""))),
        ("filters", posted("text/plain", fill("*)(|(uid=*"))),
        ("paths", posted("text/plain", fill("']|//a[position()=1 or '"))),
        ("documents", posted(JSON, listed("{\"a\":\"[\\\"'<b>\\\"]\"}"))),
    ]
}
