//! What of a request is looked at, and as what: a class that notes every reading stands in for the real ones.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

use std::cell::RefCell;

use throughline::inspect::{
    Attack, Body, Class, Cuts, Inspection, Inspector, Layers, Limits, Part, Place, Reading, Request, RequestClass, Sign,
};
use throughline::session::Severity;

thread_local! {
    static SEEN: RefCell<Vec<(Part, String, String, Layers)>> = const { RefCell::new(Vec::new()) };
}

fn note(reading: &Reading<'_>) -> Option<Sign> {
    let text = String::from_utf8_lossy(reading.text).into_owned();
    SEEN.with_borrow_mut(|seen| seen.push((reading.place.part, reading.place.name.to_owned(), text, reading.layers)));
    None
}

static NOTE: Class = Class { attack: Attack::Xss, words: &[], chars: Class::EVERY, may_be: |_, _| true, judge: note };

/// Finds `'evil'`, surer of it where no letter stands before it.
static EVIL: Class = Class {
    attack: Attack::Sqli,
    words: &["evil"],
    chars: b"",
    may_be: |scan, _| scan.word(Attack::Sqli) && scan.any(b"'"),
    judge: evil,
};

fn evil(reading: &Reading<'_>) -> Option<Sign> {
    let at = reading.text.windows(6).position(|text| text == b"'evil'")?;
    let confidence = if at == 0 { 90 } else { 60 };
    Some(Sign { confidence, severity: Severity::High, at: at..at + 6, what: "something evil in quotes" })
}

/// Notes what only `deserialization` is shown.
static OBJECT: Class =
    Class { attack: Attack::Deserialization, words: &[], chars: Class::EVERY, may_be: |_, _| true, judge: note };

static AGENT: RequestClass = RequestClass {
    attack: Attack::Scanner,
    judge: |request, tell| {
        let Some(agent) = request.header("user-agent").filter(|agent| agent.contains("scan")) else { return };
        let sign = Sign { confidence: 85, severity: Severity::Low, at: 0..4, what: "a scanner's agent" };
        tell(Place { part: Part::Header, name: "user-agent" }, agent.as_bytes(), sign);
    },
    header: None,
};

fn inspect(classes: Vec<&'static Class>, request: &Request<'_>) -> Inspection {
    Inspector::of(classes, vec![&AGENT], Limits::default()).inspect(request, &|_, _| false)
}

/// Every reading of a request: part, name, text and layers.
fn read(request: &Request<'_>) -> Vec<(Part, String, String, Layers)> {
    SEEN.with_borrow_mut(Vec::clear);
    inspect(vec![&NOTE], request);
    SEEN.with_borrow_mut(std::mem::take)
}

/// Those of one part, without layers.
fn of(part: Part, request: &Request<'_>) -> Vec<(String, String)> {
    read(request).into_iter().filter(|seen| seen.0 == part).map(|(_, name, text, _)| (name, text)).collect()
}

fn posted<'a>(content_type: &'a str, bytes: &'a [u8]) -> Request<'a> {
    let body = Body { content_type, content_encoding: "", bytes, cut: false };
    Request { method: "POST", path: "/", body: Some(body), ..Request::default() }
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

#[test]
fn a_path_is_read_whole_and_by_segments_that_may_be_values() {
    let read = |path| of(Part::Path, &Request { path, ..Request::default() });
    assert_eq!(read("/api/users/4815"), pairs(&[("", "/api/users/4815")]));
    assert_eq!(read("/a/x%27y/b%20c"), pairs(&[("", "/a/x'y/b c"), ("", "x'y"), ("", "b c")]));
    assert_eq!(read("/x%27y"), pairs(&[("", "/x'y")]));
}

#[test]
fn names_and_values_of_a_query_are_decoded_once() {
    let request = Request { path: "/", query: "a-b=1+%272%27&sort[by]=x-y&%3Cb%3E=&flag-x", ..Request::default() };
    assert_eq!(of(Part::QueryName, &request), pairs(&[("a-b", "a-b"), ("sort[by]", "sort[by]"), ("<b>", "<b>")]));
    let values = of(Part::Query, &request);
    for expected in pairs(&[("a-b", "1 '2'"), ("a-b", "1+'2'"), ("sort[by]", "x-y"), ("", "flag-x")]) {
        assert!(values.contains(&expected), "{expected:?} in {values:?}");
    }
}

#[test]
fn a_value_that_a_raw_ampersand_tears_apart_is_put_together_again() {
    let torn = read(&Request { path: "/", query: "id=1' && '1'='1", ..Request::default() });
    assert!(torn.contains(&(Part::Query, "id".to_owned(), "1' && '1'='1".to_owned(), Layers::JOINED)), "{torn:?}");
    let sound = read(&Request { path: "/", query: "a=b%20c&d[]=e%20f&g.h=i", ..Request::default() });
    assert!(sound.iter().all(|seen| seen.3 == Layers::default()), "{sound:?}");
}

#[test]
fn values_of_one_name_are_joined_where_that_may_be_something_new() {
    let request = Request { path: "/", query: "q=1'/*&x=1&q=*/or", ..Request::default() };
    let joined: Vec<_> =
        read(&request).into_iter().filter(|seen| seen.3 == Layers::JOINED).map(|seen| seen.2).collect();
    assert_eq!(joined, ["1'/*,*/or", "1'/**/or"]);
    let request = Request { path: "/", query: "tag=a-b&tag=c-d", ..Request::default() };
    assert!(read(&request).iter().all(|seen| seen.3 == Layers::default()));
}

#[test]
fn headers_and_cookies_are_read_and_tokens_are_not() {
    let headers = [
        ("user-agent", "curl/8.0"),
        ("cookie", "sid=abc-def; prefs={\"a\":\"b'c\"}"),
        ("authorization", "Bearer eyJhbGciOiJIUzI1NiJ9.e30.c2ln"),
        ("content-type", "application/json; charset=utf-8"),
        ("x-odd", "it's"),
    ];
    let request = Request { path: "/", headers: &headers, ..Request::default() };
    assert_eq!(of(Part::Header, &request), pairs(&[("user-agent", "curl/8.0"), ("x-odd", "it's")]));
    assert_eq!(of(Part::Cookie, &request), pairs(&[("sid", "abc-def")]));
    assert_eq!(of(Part::Json, &request), pairs(&[("prefs/a", "b'c")]));
    let torn = |cookie| {
        let headers = [("cookie", cookie)];
        let seen = read(&Request { path: "/", headers: &headers, ..Request::default() });
        seen.into_iter().find(|seen| seen.3 == Layers::JOINED).map(|seen| (seen.1, seen.2))
    };
    assert_eq!(torn("a=1; id=x; cat /etc/passwd"), Some(("id".to_owned(), "x; cat /etc/passwd".to_owned())));
    assert_eq!(torn("a=1; b=it's; c-d=2;"), None);
    let headers = [("authorization", "Basic YWRtaW4nIG9yIDE9MS0tOng="), ("content-type", "%{(#a='x')}")];
    let request = Request { path: "/", headers: &headers, ..Request::default() };
    let read = of(Part::Header, &request);
    assert!(read.contains(&("authorization".to_owned(), "admin' or 1=1--:x".to_owned())), "{read:?}");
    assert!(read.contains(&("content-type".to_owned(), "%{(#a='x')}".to_owned())), "{read:?}");
}

#[test]
fn json_is_read_name_by_name_and_string_by_string() {
    let body = br#"{"user-1":{"$ne":null},"list":["a b",{"deep~/":"c\u0027d"}],"n":1,"t":true}"#;
    let request = posted(JSON, body);
    assert_eq!(
        of(Part::JsonName, &request),
        pairs(&[("/user-1", "user-1"), ("/user-1/$ne", "$ne"), ("/list/*/deep~0~1", "deep~/")])
    );
    assert_eq!(of(Part::Json, &request), pairs(&[("/list/*", "a b"), ("/list/*/deep~0~1", "c'd")]));
}

#[test]
fn what_is_no_json_any_more_is_read_as_it_stands() {
    for (body, rest) in [
        (r#"{"a":"x y","b":'it is'}"#, "'it is'}"),
        (r#"{"a":"x y","b":"cut he"#, "\"cut he"),
        ("<b>x y</b>", "<b>x y</b>"),
    ] {
        let request = posted(JSON, body.as_bytes());
        assert!(of(Part::Raw, &request).contains(&(String::new(), rest.to_owned())), "{body}");
        assert!(inspect(vec![], &request).cuts.has(Cuts::UNREAD));
    }
}

#[test]
fn json_inside_a_form_inside_json_is_read() {
    let body = br#"{"outer":"x=1%2B1&y=%7B%22inner%22%3A%22it%27s%22%7D"}"#;
    let seen = read(&posted(JSON, body));
    assert!(seen.contains(&(Part::Json, "y/inner".to_owned(), "it's".to_owned(), Layers::NESTED)), "{seen:?}");
    let query = "filter=%7B%22price-x%22%3A%7B%22%24gt%22%3A%225-6%22%7D%7D";
    let seen = read(&Request { path: "/", query, ..Request::default() });
    let expected = [
        (Part::JsonName, "filter/price-x".to_owned(), "price-x".to_owned(), Layers::NESTED),
        (Part::JsonName, "filter/price-x/$gt".to_owned(), "$gt".to_owned(), Layers::NESTED),
        (Part::Json, "filter/price-x/$gt".to_owned(), "5-6".to_owned(), Layers::NESTED),
    ];
    assert!(expected.iter().all(|expected| seen.contains(expected)), "{seen:?}");
}

#[test]
fn nesting_ends_at_its_limit_and_that_is_marked() {
    let nest = |depth: usize| {
        (0..depth)
            .fold("it's-x".to_owned(), |text, _| serde_json::to_string(&serde_json::json!({ "a": text })).unwrap())
    };
    let at_limit = posted(JSON, Box::leak(nest(4).into_boxed_str()).as_bytes());
    assert!(of(Part::Json, &at_limit).contains(&("/a/a/a/a".to_owned(), "it's-x".to_owned())));
    assert!(!inspect(vec![], &at_limit).cuts.has(Cuts::NESTING));
    let past = posted(JSON, Box::leak(nest(5).into_boxed_str()).as_bytes());
    assert!(inspect(vec![], &past).cuts.has(Cuts::NESTING));
}

#[test]
fn forms_are_read_also_where_they_are_something_else() {
    assert_eq!(of(Part::Form, &posted(FORM, b"a=b+c&d=e%3Bf")), pairs(&[("a", "b c"), ("d", "e;f")]));
    assert_eq!(of(Part::Json, &posted(FORM, br#"{"a":"b c"}"#)), pairs(&[("/a", "b c")]));
}

#[test]
fn multipart_gives_fields_file_names_and_how_files_begin() {
    let body = b"--B\r\nContent-Disposition: form-data; name=\"a-b\"\r\n\r\nx y\r\n--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"../p.php\"\r\nContent-Type: image/png\r\n\r\n<?php x y\r\n--B--\r\n";
    let seen = read(&posted("multipart/form-data; boundary=B", body));
    for (part, name, text) in [
        (Part::FormName, "a-b", "a-b"),
        (Part::Form, "a-b", "x y"),
        (Part::FileName, "f", "../p.php"),
        (Part::File, "f", "<?php x y"),
    ] {
        assert!(seen.contains(&(part, name.to_owned(), text.to_owned(), Layers::default())), "{text}: {seen:?}");
    }
    // Nothing that a broken part holds is passed over.
    for body in
        [&b"--B\r\nno end of headers it's"[..], b"--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nit's"]
    {
        let seen = read(&posted("multipart/form-data; boundary=B", body));
        assert!(seen.iter().any(|seen| seen.2.contains("it's")), "{seen:?}");
    }
    assert!(of(Part::Raw, &posted("multipart/form-data", b"it's"))[0].1.contains("it's"));
}

#[test]
fn xml_gives_the_document_and_its_texts() {
    let body = b"<?xml version=\"1.0\"?><!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><s:a b='c&lt;d'>e&#39;f<!-- g h --><![CDATA[i<j]]></s:a>";
    for content_type in ["application/xml", "text/xml; charset=utf-8", "application/soap+xml", JSON, "text/plain"] {
        let request = posted(content_type, body);
        assert_eq!(of(Part::XmlDocument, &request)[0].1.as_bytes(), body, "{content_type}");
        let texts = of(Part::Xml, &request);
        assert_eq!(texts, pairs(&[("@b", "c<d"), ("a", "e'f"), ("a", "g h"), ("a", "i<j")]), "{content_type}");
    }
    assert_eq!(of(Part::Xml, &posted("text/xml", b"<a><b c=\"it's")), pairs(&[("@c", "it's")]));
}

#[test]
fn graphql_gives_its_strings_and_variables() {
    let body = br#"{"variables":{"x":"v w"},"query":"query Q($id: ID!) { user(id: $id, name: \"it's\") { name } }","operationName":"Q"}"#;
    let request = Request { path: "/graphql", ..posted(JSON, body) };
    assert_eq!(of(Part::GraphqlArgument, &request), pairs(&[("/variables/x", "v w"), ("/query/name", "it's")]));
    assert_eq!(of(Part::Json, &request), pairs(&[]));
    assert_eq!(
        of(Part::GraphqlArgument, &posted("application/graphql", b"{ a(b: \"c d\") }")),
        pairs(&[("/b", "c d")])
    );
    // What only looks like a document is a text.
    assert_eq!(of(Part::Json, &posted(JSON, br#"{"query":"{{7*7}}"}"#)), pairs(&[("/query", "{{7*7}}")]));
}

#[test]
fn every_layer_is_undone_and_noted() {
    let layers = |query: &str| {
        let seen = read(&Request { path: "/", query, ..Request::default() });
        seen.into_iter().filter(|seen| seen.2 == "<x y='z'>").map(|seen| seen.3).collect::<Vec<_>>()
    };
    let both = |a: Layers, b: Layers| Layers(a.0 | b.0);
    for (query, expected) in [
        ("q=%3Cx%20y=%27z%27%3E", Layers::default()),
        ("q=%253Cx%2520y=%2527z%2527%253E", Layers::PERCENT_TWICE),
        ("q=%26lt;x%20y=%27z%27%3E", Layers::HTML),
        ("q=%5Cu003cx%20y=%5Cx27z%27%3E", Layers::ESCAPES),
        ("q=PHggeT0neic%2B", Layers::BASE64),
        ("q=3c7820793d277a273e", Layers::HEX),
        ("q=%EF%BC%9Cx%20y=%27z%27%EF%BC%9E", Layers::FOLDED),
        ("q=%C0%BCx%20y=%27z%27%3E", Layers::OVERLONG),
        ("q=%2526lt;x%20y=%27z%27%3E", both(Layers::PERCENT_TWICE, Layers::HTML)),
    ] {
        assert!(layers(query).contains(&expected), "{query}: {:?}", layers(query));
    }
    // In a body nobody has undone the first round.
    let body = br#"{"a":"%3Cx%20y='z'%3E"}"#;
    assert!(read(&posted(JSON, body)).contains(&(
        Part::Json,
        "/a".to_owned(),
        "<x y='z'>".to_owned(),
        Layers::default()
    )));
}

#[test]
fn layers_are_undone_up_to_the_limit_and_more_are_marked() {
    let encode = |rounds: usize| (0..rounds).fold("%27".to_owned(), |text, _| text.replace('%', "%25"));
    let sees = |query: &str| {
        let request = Request { path: "/", query, ..Request::default() };
        (of(Part::Query, &request).iter().any(|seen| seen.1 == "'"), inspect(vec![], &request).cuts)
    };
    assert_eq!(sees(&format!("q={}", encode(4))), (true, Cuts::default()));
    assert_eq!(sees(&format!("q={}", encode(5))), (false, Cuts::LAYERS));
}

#[test]
fn ids_tokens_hashes_and_images_have_one_reading() {
    for text in [
        "550e8400-e29b-41d4-a716-446655440000",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dBjftJeZ4CVPmB92K27uhbUJU1p1r_wW1gFWFOEjXk",
        "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    ] {
        let body = serde_json::to_vec(&serde_json::json!({ "a": text })).unwrap();
        assert!(of(Part::Json, &posted(JSON, &body)).len() <= 1, "{text}");
    }
}

#[test]
fn objects_in_base64_are_shown_to_one_class_only() {
    let body = br#"{"a":"rO0ABXNyABFqYXZhLnV0aWwuSGFzaE1hcA=="}"#;
    assert_eq!(of(Part::Json, &posted(JSON, body)).len(), 1);
    SEEN.with_borrow_mut(Vec::clear);
    inspect(vec![&OBJECT], &posted(JSON, body));
    assert!(SEEN.with_borrow(|seen| seen.iter().any(|seen| seen.2.contains("java.util.HashMap"))));
}

#[test]
fn bodies_in_utf_16_and_compressed_are_read() {
    let text = r#"{"a":"it's"}"#;
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let seen = read(&posted(JSON, &utf16));
    assert!(seen.contains(&(Part::Json, "/a".to_owned(), "it's".to_owned(), Layers::UTF16)), "{seen:?}");
    // A stored block: no compressor is needed to write it.
    let length = u16::try_from(text.len()).unwrap();
    let deflated = [&[1][..], &length.to_le_bytes(), &(!length).to_le_bytes(), text.as_bytes()].concat();
    let gzip = [&b"\x1f\x8b\x08\0\0\0\0\0\0\x03"[..], &deflated].concat();
    for (content_encoding, bytes) in [("deflate", &deflated), ("gzip", &gzip), ("X-GZIP", &gzip), ("", &gzip)] {
        let body = Body { content_type: JSON, content_encoding, bytes, cut: false };
        let seen = read(&Request { path: "/", body: Some(body), ..Request::default() });
        assert!(seen.contains(&(Part::Json, "/a".to_owned(), "it's".to_owned(), Layers::GZIP)), "{seen:?}");
    }
    let body = Body { content_type: JSON, content_encoding: "br", bytes: b"\x0b\x02", cut: false };
    assert!(inspect(vec![], &Request { path: "/", body: Some(body), ..Request::default() }).cuts.has(Cuts::ENCODING));
}

#[test]
fn strings_in_messages_of_other_encodings_are_read() {
    let seen = of(Part::Raw, &posted("application/grpc", b"\0\0\0\0\x0f\x0a\x0d' or 1=1 -- x\x10\x01"));
    assert!(seen.iter().any(|seen| seen.1.contains("' or 1=1 -- x")), "{seen:?}");
}

#[test]
fn a_hit_is_the_best_sign_of_a_class_at_a_place() {
    let request = Request { path: "/", query: "q=x'evil'&q=%27evil%27&r=x'evil'", ..Request::default() };
    let found = inspect(vec![&EVIL], &request);
    let hits: Vec<_> = found.hits.iter().map(|hit| (hit.name.as_str(), hit.confidence, hit.snippet.as_str())).collect();
    assert_eq!(hits, [("q", 90, "'evil'"), ("r", 60, "'evil'")]);
    assert_eq!(
        (found.hits[0].attack, found.hits[0].severity, found.hits[0].part),
        (Attack::Sqli, Severity::High, Part::Query)
    );
}

#[test]
fn there_are_16_hits_at_most_the_strongest() {
    let query =
        |weak: usize| format!("{}q=%27evil%27", (0..weak).map(|n| format!("p{n}=x'evil'&")).collect::<String>());
    for (weak, cuts) in [(15, Cuts::default()), (16, Cuts::HITS)] {
        let found = inspect(vec![&EVIL], &Request { path: "/", query: &query(weak), ..Request::default() });
        assert_eq!((found.hits.len(), found.hits[0].confidence, found.cuts), (16, 90, cuts));
    }
}

#[test]
fn exceptions_are_asked_by_class_and_place() {
    let inspector = Inspector::of(vec![&EVIL], vec![&AGENT], Limits::default());
    let headers = [("user-agent", "scanner")];
    let request = Request { path: "/", query: "q='evil'&r='evil'", headers: &headers, ..Request::default() };
    let names = |except: &dyn Fn(Attack, Place<'_>) -> bool| {
        inspector.inspect(&request, except).hits.into_iter().map(|hit| hit.name).collect::<Vec<_>>()
    };
    assert_eq!(names(&|_, _| false), ["q", "r", "user-agent"]);
    assert_eq!(names(&|attack, place| attack == Attack::Sqli && place.name == "q"), ["r", "user-agent"]);
    assert_eq!(names(&|attack, _| attack == Attack::Scanner), ["q", "r"]);
}

#[test]
fn work_is_limited_and_what_was_not_looked_at_is_marked() {
    let body = format!("[{}\"'evil'\"]", "\"x y\",".repeat(1_000));
    let inspect = |work| {
        let limits = Limits { work, ..Limits::default() };
        Inspector::of(vec![&EVIL], vec![], limits).inspect(&posted(JSON, body.as_bytes()), &|_, _| false)
    };
    let all = inspect(1_000_000);
    assert_eq!((all.hits.len(), all.cuts), (1, Cuts::default()));
    let cut = inspect(all.work - 1);
    assert_eq!((cut.hits.len(), cut.cuts), (0, Cuts::WORK));
    assert!(cut.work < all.work);
    assert_eq!(inspect(all.work), all);
}

#[test]
fn a_body_beyond_its_limit_is_cut_and_marked() {
    let limits = Limits { body: 16, ..Limits::default() };
    let inspect =
        |body: &[u8]| Inspector::of(vec![&EVIL], vec![], limits).inspect(&posted("text/plain", body), &|_, _| false);
    assert_eq!(inspect(b"0123456789'evil'").hits.len(), 1);
    let cut = inspect(b"0123456789x'evil'");
    assert_eq!((cut.hits.len(), cut.cuts), (0, Cuts::BODY));
}
