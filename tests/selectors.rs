//! The whole selector language through its public interface: what each selector finds, alone and together.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod support;

#[path = "selectors/hostile.rs"]
mod hostile;

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use support::exchange::{Sent, Tokens, token};
use throughline::selector::{
    Found, Kind, MAX_VALUE, MAX_VALUES, NoTokens, ReadMarks, Selector, SelectorSet, Side, Trust,
};

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";
const NOTHING: [&str; 0] = [];

fn parse(text: &str) -> Selector {
    Selector::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// What a selector finds on its side of a message.
fn read(text: &str, sent: &Sent) -> Found {
    let (selector, mut tokens) = (parse(text), Tokens::default());
    let request = sent.with_request(|request| selector.read_request(request, &mut tokens));
    let response = sent.with_response(|response| selector.read_response(response, &mut tokens));
    if selector.side() == Side::Request {
        assert_eq!(response, Found::default(), "{text} read a response");
        request
    } else {
        assert_eq!(request, Found::default(), "{text} read a request");
        response
    }
}

fn texts(found: &Found) -> Vec<&str> {
    found.values.iter().map(|value| value.text.as_str()).collect()
}

/// Asserts what a selector finds; the marks by name, separated by spaces.
#[track_caller]
fn finds(text: &str, sent: &Sent, expected: &[&str], marks: &str) {
    let found = read(text, sent);
    let names: Vec<&str> = found.marks.names().collect();
    assert_eq!((texts(&found), names.join(" ").as_str()), (expected.to_vec(), marks), "{text} in {sent:?}");
}

fn request() -> Sent {
    Sent {
        method: "GET".into(),
        path: "/caf%C3%A9/a+b%2Fc".into(),
        query: "q=a+b&session=s%2B1&twice=1&twice=2&empty=&late=&late=x&bad=%zz".into(),
        ..Sent::default()
    }
}

#[test]
fn a_request_is_read_by_its_parts() {
    let sent = request();
    for (text, expected, marks) in [
        ("request.query.q", vec!["a b"], ""),
        ("request.query.session", vec!["s+1"], ""),
        ("request.query.twice", vec!["1"], "duplicate"),
        ("request.query.empty", vec![], ""),
        ("request.query.late", vec!["x"], "duplicate"),
        ("request.query.bad", vec!["%zz"], ""),
        ("request.query.bad.url", vec![], "malformed"),
        ("request.query.absent", vec![], ""),
        ("request.path", vec!["/café/a+b/c"], ""),
        ("request.path.id", vec!["a/b"], ""),
        ("request.path.plain", vec!["42"], ""),
        ("request.path.bad", vec!["%zz"], "malformed"),
        ("request.path.absent", vec![], ""),
        ("request.meta.ip", vec!["2001:db8::7"], ""),
        ("request.meta.country", vec!["DE"], ""),
        ("request.meta.asn", vec!["3320"], ""),
        ("request.meta.colo", vec!["FRA"], ""),
        ("request.meta.ja4", vec!["t13d"], ""),
        ("request.meta.user_agent", vec!["Mozilla/5.0"], ""),
        ("request.meta.host", vec!["shop.test"], ""),
        ("request.meta.method", vec!["GET"], ""),
        ("request.body", vec![], ""),
        ("request.body#/a", vec![], ""),
        ("request.form.a", vec![], ""),
        ("request.jwt", vec![], ""),
        ("request.jwt.sub", vec![], ""),
    ] {
        finds(text, &sent, &expected, marks);
    }
    assert_eq!(read("request.meta.asn", &sent).values[0].kind, Kind::Number);
    assert_eq!(read("request.meta.ip", &sent).values[0].kind, Kind::String);
}

#[test]
fn headers_and_cookies_are_found_by_name() {
    for (text, header, value, expected, marks) in [
        ("request.header.X-Api-Key", "x-api-key", "k", vec!["k"], ""),
        ("request.header.x-api-key", "x-other", "k", vec![], ""),
        ("request.header.authorization", "authorization", "Basic dTpw", vec!["Basic dTpw"], ""),
        ("request.jwt", "authorization", "bearer  abc", vec!["abc"], ""),
        ("request.jwt", "authorization", "Basic dTpw", vec![], ""),
        ("request.cookie.connect.sid", "cookie", "a=1; connect.sid=\"s:x\"", vec!["s:x"], ""),
        ("request.cookie.a", "cookie", "b=2, a=1", vec!["1"], ""),
        ("request.cookie.a", "cookie", "a=1; a=2", vec!["1"], "duplicate"),
        ("request.cookie.a", "cookie", "a=; b=1", vec![], ""),
        ("request.cookie.\"my.json\"", "cookie", "my.json={}", vec!["{}"], ""),
    ] {
        finds(text, &Sent::header(header, value), &expected, marks);
    }
}

#[test]
fn decoders_are_applied_in_their_order() {
    let b64 = |text: &str| STANDARD.encode(text);
    let json = r#"{"a":{"b":[1.50,"x",true,null,{}]},"t":"%41","n":2}"#;
    for (text, value, expected, marks) in [
        ("request.header.c.url", "a%20b+c".to_owned(), vec!["a b+c"], ""),
        ("request.header.c.url", "%".to_owned(), vec![], "malformed"),
        ("request.header.c.url", "%ff".to_owned(), vec![], "malformed"),
        ("request.header.c.base64", b64("hi"), vec!["hi"], ""),
        ("request.header.c.base64", "aGk".to_owned(), vec!["hi"], ""),
        ("request.header.c.base64", "!".to_owned(), vec![], "malformed"),
        ("request.header.c.base64.json#/a/b/*", b64(json), vec!["1.50", "x", "true"], ""),
        ("request.header.c.base64.json#/a/b/0", b64(json), vec!["1.50"], ""),
        ("request.header.c.base64.json#/a", b64(json), vec![], ""),
        ("request.header.c.base64.json#/t", b64("{\"t\":"), vec![], "malformed"),
        ("request.header.c.json", "\"a\"".to_owned(), vec!["a"], ""),
        ("request.header.c.json", "12.50".to_owned(), vec!["12.50"], ""),
        ("request.header.c.json", "x".to_owned(), vec![], "malformed"),
        ("request.header.c.json.url", "\"x%41\"".to_owned(), vec!["xA"], ""),
        ("request.header.c.json.json.json", r#""\"\\\"x\\\"\"""#.to_owned(), vec!["x"], ""),
        ("request.header.c.url.json#/a", "%7B%22a%22%3A1%7D".to_owned(), vec!["1"], ""),
        ("request.header.c.jwt", "no token".to_owned(), vec!["no token"], ""),
        ("request.header.absent.base64.json#/a", String::new(), vec![], ""),
    ] {
        finds(text, &Sent::header("c", &value), &expected, marks);
    }
    let kinds: Vec<Kind> = read("request.header.c.json#/*", &Sent::header("c", "[1,\"1\",true]"))
        .values
        .into_iter()
        .map(|value| value.kind)
        .collect();
    assert_eq!(kinds, [Kind::Number, Kind::String, Kind::Bool]);
}

#[test]
fn claims_are_read_with_their_trust() {
    let inner = token(r#"{"sub":"inner"}"#, "good");
    let claims = format!(
        r#"{{"sub":"u1","roles":["a","b"],"https://x.test/id":7,"address":{{"city":"B"}},"act":"{inner}","e":"{}"}}"#,
        r#"{\"id\":\"o\"}"#
    );
    for (signature, trust) in [("good", Trust::Verified(0)), ("bad", Trust::Unverified)] {
        let token = token(&claims, signature);
        let sent = Sent {
            names: vec!["authorization".into(), "cookie".into(), "x-token".into()],
            values: vec![format!("Bearer {token}"), format!("mfa={token}"), token.clone()],
            ..Sent::default()
        };
        for (text, expected, trust) in [
            ("request.jwt", vec![token.as_str()], None),
            ("request.jwt.sub", vec!["u1"], Some(trust)),
            ("request.jwt.https://x.test/id", vec!["7"], Some(trust)),
            ("request.jwt#/roles/*", vec!["a", "b"], Some(trust)),
            ("request.jwt.roles#/1", vec!["b"], Some(trust)),
            ("request.jwt.address#/city", vec!["B"], Some(trust)),
            ("request.jwt.roles", vec![], None),
            ("request.jwt.absent", vec![], None),
            ("request.jwt.e.json#/id", vec!["o"], Some(trust)),
            ("request.jwt.sub.url", vec!["u1"], Some(trust)),
            ("request.jwt.act.jwt.sub", vec!["inner"], Some(Trust::Verified(0))),
            ("request.cookie.mfa.jwt", vec![token.as_str()], None),
            ("request.cookie.mfa.jwt.sub", vec!["u1"], Some(trust)),
            ("request.header.x-token.jwt.sub", vec!["u1"], Some(trust)),
            ("request.header.authorization.jwt.sub", vec!["u1"], Some(trust)),
        ] {
            finds(text, &sent, &expected, "");
            assert!(read(text, &sent).values.iter().all(|value| value.trust == trust), "{text}");
        }
    }
    finds("request.jwt.sub", &Sent::header("authorization", "Bearer opaque"), &NOTHING, "malformed");
    finds("request.jwt.sub", &Sent::header("authorization", "Basic dTpw"), &NOTHING, "");
}

#[test]
fn a_response_is_read_by_its_parts() {
    let sent = Sent {
        status: 201,
        names: vec!["location".into()],
        values: vec!["/orders/7".into()],
        set_cookies: [
            "sid=\"new\"; Path=/; HttpOnly",
            "old=; Max-Age=0",
            "a=1",
            "a=2",
            "b=1",
            "b=; Max-Age=0",
            "c=x; Max-Age=0",
        ]
        .map(str::to_owned)
        .to_vec(),
        ..Sent::body("application/problem+json", r#"{"token":"t"}"#)
    };
    for (text, expected, marks) in [
        ("response.status", vec!["201"], ""),
        ("response.header.Location", vec!["/orders/7"], ""),
        ("response.set-cookie.sid", vec!["new"], ""),
        ("response.set-cookie.old", vec![], ""),
        ("response.set-cookie.a", vec!["2"], "duplicate"),
        ("response.set-cookie.b", vec!["1"], "duplicate"),
        ("response.set-cookie.c", vec![], ""),
        ("response.set-cookie.absent", vec![], ""),
        ("response.body#/token", vec!["t"], ""),
        ("response.body", vec![r#"{"token":"t"}"#], ""),
    ] {
        finds(text, &sent, &expected, marks);
    }
    assert_eq!(read("response.status", &sent).values[0].kind, Kind::Number);
    finds("response.status", &Sent::default(), &NOTHING, "");
}

#[test]
fn bodies_are_read_by_their_content_type() {
    let xml = "<o><id>7</id></o>";
    let multipart = "--x\r\nContent-Disposition: form-data; name=\"id\"\r\n\r\n7\r\n--x--";
    for (content_type, body, text, expected, marks) in [
        (JSON, r#"{"id":7}"#, "request.body#/id", vec!["7"], ""),
        ("Application/JSON; charset=utf-8", r#"{"id":7}"#, "request.body#/id", vec!["7"], ""),
        ("application/vnd.api+json", r#"{"id":7}"#, "request.body#/id", vec!["7"], ""),
        ("text/json", r#"{"id":7}"#, "request.body#/id", vec!["7"], ""),
        ("", r#" {"id":7}"#, "request.body#/id", vec!["7"], ""),
        ("", "\u{feff}[7]", "request.body#/0", vec!["7"], ""),
        ("", "id=7", "request.body#/id", vec![], ""),
        ("text/plain", r#"{"id":7}"#, "request.body#/id", vec![], ""),
        ("text/plain", r#"{"id":7}"#, "request.body.json#/id", vec!["7"], ""),
        (JSON, "id=7", "request.body#/id", vec![], "malformed"),
        (JSON, "", "request.body#/id", vec![], ""),
        (JSON, "[1]", "request.body", vec!["[1]"], ""),
        (JSON, r#"{"id":7}"#, "request.form.id", vec![], ""),
        (FORM, "id=7&name=a+b%21", "request.form.name", vec!["a b!"], ""),
        (FORM, "id=7", "request.body#/id", vec!["7"], ""),
        (FORM, "id=7&id=8", "request.form.id", vec!["7"], "duplicate"),
        (FORM, "id=&id=8", "request.form.id", vec!["8"], "duplicate"),
        (FORM, "id=7&id=8", "request.body#/id/*", vec!["7", "8"], ""),
        (FORM, "a%5B%5D=7", "request.form.a[]", vec!["7"], ""),
        (FORM, "d={\"x\":1}", "request.form.d.json#/x", vec!["1"], ""),
        ("multipart/form-data; boundary=x", multipart, "request.form.id", vec!["7"], ""),
        ("multipart/form-data; boundary=x", multipart, "request.body#/id", vec!["7"], ""),
        ("multipart/form-data", multipart, "request.form.id", vec![], "malformed"),
        ("application/xml", xml, "request.body#/o/id", vec!["7"], ""),
        ("text/xml;charset=utf-8", xml, "request.body#/o/id", vec!["7"], ""),
        ("application/soap+xml", xml, "request.body#/o/id", vec!["7"], ""),
        ("application/xml", "<!DOCTYPE o><o><id>7</id></o>", "request.body#/o/id", vec![], "malformed"),
        ("application/xml", xml, "request.form.o", vec![], ""),
        ("application/octet-stream", "id", "request.body", vec!["id"], ""),
        ("text/plain", "aGk=", "request.body.base64", vec!["hi"], ""),
    ] {
        finds(text, &Sent::body(content_type, body), &expected, marks);
    }
}

#[test]
fn bodies_that_are_cut_or_no_text_are_read_as_far_as_they_go() {
    let cut = |content_type, body: &[u8]| Sent { cut: true, ..Sent::body(content_type, body) };
    finds("request.body#/a", &cut(JSON, br#"{"a":"x","b":"y"#), &["x"], "cut");
    finds("request.body#/b", &cut(JSON, br#"{"a":"x","b":12"#), &NOTHING, "cut");
    finds("request.body.json#/a", &cut("", b"{\"a\":\"x\",\"b\":\"\xc3"), &["x"], "cut");
    finds("request.body", &cut("text/plain", b"abc"), &NOTHING, "cut");
    finds("request.body.base64", &cut("text/plain", b"aGk="), &NOTHING, "cut");
    finds("request.body.base64.json#/a", &cut("text/plain", b"aGk="), &NOTHING, "cut");
    finds("request.form.a", &cut(FORM, b"a=1&b=2"), &["1"], "cut");
    finds("request.form.b", &cut(FORM, b"a=1&b=2"), &NOTHING, "cut");
    finds("request.body#/r/a", &cut("text/xml", b"<r><a>1</a><b>2"), &["1"], "cut");
    finds("request.graphql.query", &cut("application/graphql", b"query A { a }"), &NOTHING, "cut");
    finds("request.graphql.operation", &cut("application/graphql", b"query A { a "), &["A"], "cut");
    finds("request.graphql.operation", &cut("application/graphql", b"query Ab"), &NOTHING, "cut");
    finds("request.body#/a", &Sent::body(JSON, b"{\"a\":\"x\xff\"}"), &["x\u{fffd}"], "malformed");
    finds("request.body", &Sent::body("text/plain", b"\xff"), &["\u{fffd}"], "malformed");
    finds("request.form.a", &Sent::body(FORM, b"a=\xff"), &["\u{fffd}"], "");
}

#[test]
fn graphql_requests_are_found_in_body_and_url() {
    let all = ["operation", "type", "query", "variables#/id", "variables#/in/*/x"];
    let check = |sent: &Sent, expected: [&[&str]; 5], marks: &str| {
        for (field, expected) in all.into_iter().zip(expected) {
            finds(&format!("request.graphql.{field}"), sent, expected, marks);
        }
    };
    let document = "query A($id: ID!) { a } mutation B { b }";
    let body = |extra: &str| format!(r#"{{"query":"{document}"{extra}}}"#);
    let variables = r#","variables":{"id":7,"in":[{"x":1},{"x":2}]}"#;
    check(&Sent::body(JSON, body(variables)), [&["A"], &["query"], &[document], &["7"], &["1", "2"]], "");
    check(&Sent::body(JSON, body(r#","operationName":"B""#)), [&["B"], &["mutation"], &[document], &[], &[]], "");
    check(&Sent::body(JSON, body(r#","operationName":"C""#)), [&["C"], &[], &[document], &[], &[]], "");
    check(&Sent::body(JSON, body(r#","operationName":null"#)), [&["A"], &["query"], &[document], &[], &[]], "");
    check(
        &Sent::body(JSON, format!("[{}]", body(variables))),
        [&["A"], &["query"], &[document], &["7"], &["1", "2"]],
        "",
    );
    let batch = format!("[{},{}]", body(""), body(variables));
    check(&Sent::body(JSON, batch), [&["A"], &["query"], &[document], &[], &[]], "cut");
    check(&Sent::body("", body("")), [&["A"], &["query"], &[document], &[], &[]], "");
    check(&Sent::body(JSON, r#"{"query":"{ me }"}"#), [&[], &["query"], &["{ me }"], &[], &[]], "");
    check(&Sent::body(JSON, r#"{"operationName":"P","extensions":{}}"#), [&["P"], &[], &[], &[], &[]], "");
    check(&Sent::body("application/graphql", document), [&["A"], &["query"], &[document], &[], &[]], "");
    check(&Sent::body("text/plain", "hello"), [&[], &[], &[], &[], &[]], "");
    check(&Sent::body(JSON, "hello"), [&[], &[], &[], &[], &[]], "malformed");
    finds("request.graphql.type", &Sent::body(JSON, r#"{"query":"mutation {"}"#), &["mutation"], "");
    finds("request.graphql.type", &Sent::body(JSON, r#"{"query":"nonsense"}"#), &NOTHING, "malformed");
    finds("request.graphql.query", &Sent::body(JSON, r#"{"query":"nonsense"}"#), &["nonsense"], "");

    let url = "query=query+A+%7B+a+%7D&operationName=A&variables=%7B%22id%22%3A7%7D";
    let get = Sent { method: "GET".into(), query: url.into(), ..Sent::default() };
    check(&get, [&["A"], &["query"], &["query A { a }"], &["7"], &[]], "");
    check(&Sent::body(FORM, url), [&["A"], &["query"], &["query A { a }"], &["7"], &[]], "");
    let empty = Sent { query: "query={a}&variables=".into(), ..get.clone() };
    check(&empty, [&[], &["query"], &["{a}"], &[], &[]], "");
    let twice = Sent { query: "query={a}&query=mutation{b}".into(), ..get };
    finds("request.graphql.type", &twice, &["query"], "duplicate");

    // The document may be longer than a value.
    let long = format!("query Long {{ {} }}", "a ".repeat(MAX_VALUE));
    let sent = Sent::body(JSON, format!(r#"{{"query":"{long}"}}"#));
    finds("request.graphql.operation", &sent, &["Long"], "");
    finds("request.graphql.query", &sent, &NOTHING, "cut");
}

#[test]
fn values_have_a_longest_length_and_a_largest_number() {
    let value = |n: usize| "v".repeat(n);
    let (at, past) = (value(MAX_VALUE), value(MAX_VALUE + 1));
    finds("request.header.x", &Sent::header("x", &at), &[&at], "");
    finds("request.header.x", &Sent::header("x", &past), &NOTHING, "cut");
    finds("request.form.a", &Sent::body(FORM, format!("a={at}")), &[&at], "");
    finds("request.form.a", &Sent::body(FORM, format!("a={past}")), &NOTHING, "cut");
    finds("request.body", &Sent::body("text/plain", &at), &[&at], "");
    finds("request.body", &Sent::body("text/plain", &past), &NOTHING, "cut");
    // What is decoded further may be longer; only the value counts.
    let json = format!(r#"{{"a":"x","b":"{past}"}}"#);
    finds("request.form.j.json#/a", &Sent::body(FORM, format!("j={json}")), &["x"], "");
    finds("request.header.x.json#/a", &Sent::header("x", &json), &["x"], "");
    finds("request.header.x.json#/b", &Sent::header("x", &json), &NOTHING, "cut");
    let nested = serde_json::to_string(&json).unwrap();
    finds("request.header.x.json.json#/a", &Sent::header("x", &nested), &["x"], "");
    let set = SelectorSet::new(vec![parse("request.form.j"), parse("request.form.j.json#/a")]);
    let long = Sent::body(FORM, format!(r#"j={{"a":"x","b":"{}"}}"#, value(MAX_VALUE)));
    let mut found = Vec::new();
    long.with_request(|request| set.read_request(request, &mut NoTokens, |_, f| found.push(f)));
    assert_eq!((texts(&found[0]), found[0].marks), (vec![], ReadMarks::CUT));
    assert_eq!((texts(&found[1]), found[1].marks), (vec!["x"], ReadMarks::default()));

    let items = |n: usize| Sent::body(JSON, format!("[{}0]", "1,".repeat(n - 1)));
    assert_eq!(read("request.body#/*", &items(MAX_VALUES)).marks, ReadMarks::default());
    let past = read("request.body#/*", &items(MAX_VALUES + 1));
    assert_eq!((past.values.len(), past.marks), (MAX_VALUES, ReadMarks::CUT));
}

#[test]
fn the_first_value_is_borrowed_where_nothing_is_decoded_and_as_long_as_it_is() {
    let long = "v".repeat(2 * MAX_VALUE);
    let jwt = token(r#"{"sub":"u1","empty":"","roles":["","r"]}"#, "good");
    let sent = Sent {
        names: vec!["cookie".into(), "authorization".into(), "x".into()],
        values: vec![format!("a=; a={long}; b=%41"), format!("Bearer {jwt}"), "h".into()],
        query: "plain=p&coded=a%20b&e=&e=2".into(),
        ..Sent::default()
    };
    sent.with_request(|request| {
        let first = |text: &str| parse(text).first(request, &mut Tokens::default());
        for (text, expected) in [
            ("request.cookie.a", long.as_str()),
            ("request.header.x", "h"),
            ("request.query.plain", "p"),
            ("request.query.e", "2"),
            ("request.jwt", jwt.as_str()),
            ("request.meta.country", "DE"),
            ("request.path", "/"),
        ] {
            let value = first(text).unwrap();
            assert!(matches!(value.text, Cow::Borrowed(_)), "{text}");
            assert_eq!((value.text.as_ref(), value.trust), (expected, None), "{text}");
        }
        for (text, expected, trust) in [
            ("request.query.coded", "a b", None),
            ("request.cookie.b.url", "A", None),
            ("request.jwt.sub", "u1", Some(Trust::Verified(0))),
            ("request.jwt#/roles/*", "r", Some(Trust::Verified(0))),
            ("request.meta.ip", "2001:db8::7", None),
        ] {
            let value = first(text).unwrap();
            assert_eq!((value.text.as_ref(), value.trust), (expected, trust), "{text}");
        }
        for none in
            ["request.cookie.c", "request.header.y", "request.query.x", "request.jwt.empty", "response.header.x"]
        {
            assert_eq!(first(none), None, "{none}");
        }
    });
}

#[test]
fn a_selector_says_what_it_needs() {
    for (text, header, body) in [
        ("request.cookie.a", Some("cookie"), false),
        ("request.header.X-A.jwt.b", Some("x-a"), false),
        ("request.jwt", Some("authorization"), false),
        ("request.jwt.sub", Some("authorization"), false),
        ("request.query.a", None, false),
        ("request.path.a", None, false),
        ("request.meta.user_agent", None, false),
        ("request.body", Some("content-type"), true),
        ("request.body#/a", Some("content-type"), true),
        ("request.form.a", Some("content-type"), true),
        ("request.graphql.type", Some("content-type"), true),
        ("response.status", None, false),
        ("response.header.Location", Some("location"), false),
        ("response.set-cookie.a", Some("set-cookie"), false),
        ("response.body.json#/a", Some("content-type"), true),
    ] {
        let selector = parse(text);
        assert_eq!((selector.headers().next(), selector.needs_body()), (header, body), "{text}");
        assert_eq!(selector.text(), text);
    }
    assert_eq!(parse("request.path.id").path_name(), Some("id"));
    assert_eq!(parse("request.path").path_name(), None);
    assert_eq!(parse("request.cookie.a.jwt.sub").claim(), Some("sub"));
    assert_eq!(parse("request.jwt#/a/b").claim(), Some("#/a/b"));
    assert_eq!(parse("request.jwt").claim(), None);
}

#[test]
fn a_selector_of_the_wrong_side_is_refused_at_its_first_character() {
    assert!(Selector::parse_request("request.cookie.a").is_ok());
    assert!(Selector::parse_response("response.status").is_ok());
    let error = Selector::parse_request("response.status").unwrap_err();
    assert_eq!((error.at, error.reason), (0, "expected a selector that starts with `request.`"));
    let error = Selector::parse_response("request.cookie.a").unwrap_err();
    assert_eq!((error.at, error.reason), (0, "expected a selector that starts with `response.`"));
    assert_eq!(Selector::parse_request("request.x").unwrap_err().at, 8);
}

#[test]
fn a_token_is_asked_about_once_for_all_its_claims() {
    let jwt = token(r#"{"sub":"u1","a":{"b":1},"c":[2,3]}"#, "good");
    let claims = ["sub", "a#/b", "c#/0", "c#/*", "x", "sub"].map(|claim| format!("request.jwt.{claim}"));
    let selectors: Vec<Selector> = claims.iter().map(|text| parse(text)).chain([parse("request.jwt")]).collect();
    let (set, mut tokens, mut found) = (SelectorSet::new(selectors), Tokens::default(), Vec::new());
    let sent = Sent::header("authorization", &format!("Bearer {jwt}"));
    sent.with_request(|request| set.read_request(request, &mut tokens, |i, f| found.push((i, f))));
    assert_eq!(tokens.asked, 1);
    let is: Vec<(usize, Vec<&str>)> = found.iter().map(|(i, f)| (*i, texts(f))).collect();
    let expected = [vec!["u1"], vec!["1"], vec!["2"], vec!["2", "3"], vec![], vec!["u1"], vec![jwt.as_str()]];
    assert_eq!(is, expected.into_iter().enumerate().collect::<Vec<_>>());
}

#[test]
fn a_set_tells_of_the_side_that_is_read_only() {
    let set = SelectorSet::new(["response.status", "request.meta.method", "response.body#/a"].map(parse).to_vec());
    let sent = Sent { status: 200, ..Sent::body(JSON, r#"{"a":1}"#) };
    let (mut request, mut response) = (Vec::new(), Vec::new());
    sent.with_request(|message| set.read_request(message, &mut NoTokens, |i, f| request.push((i, f.values.len()))));
    sent.with_response(|message| set.read_response(message, &mut NoTokens, |i, f| response.push((i, f.values.len()))));
    assert_eq!((request, response), (vec![(1, 1)], vec![(0, 1), (2, 1)]));
    assert_eq!(set.selectors().len(), 3);
}
