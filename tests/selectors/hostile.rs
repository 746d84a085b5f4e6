//! Whatever is sent: no panic, bounded values, and a set finds what each of its selectors finds alone.

use proptest::prelude::*;
use throughline::selector::{Found, MAX_VALUE, MAX_VALUES, Selector, SelectorSet, SetCookie, Side, cookies};

use crate::support::exchange::{Sent, Tokens, token};

/// Selectors of every form, with several over one document.
const SELECTORS: [&str; 44] = [
    "request.body",
    "request.body#/a",
    "request.body#/a/b",
    "request.body#/a/0/b",
    "request.body#/a/*/b",
    "request.body#/*",
    "request.body#/*/*",
    "request.body#/*/*/*",
    "request.body#/a/@b",
    "request.body#/a/b/*/@b",
    "request.body.json",
    "request.body.json#/a",
    "request.body.json#/*",
    "request.body.base64.json#/a",
    "request.body.url.json#/a",
    "request.body.jwt.a",
    "request.form.a",
    "request.form.a.json#/b",
    "request.form.a.json#/*",
    "request.form.b.jwt.a",
    "request.form.\"a b\"",
    "request.graphql.operation",
    "request.graphql.type",
    "request.graphql.query",
    "request.graphql.variables#/a",
    "request.graphql.variables#/a/*",
    "request.graphql.query.url",
    "request.query.a",
    "request.query.a.json#/a",
    "request.path.url",
    "request.path",
    "request.path.id.base64",
    "request.jwt",
    "request.jwt.a",
    "request.jwt#/a/*",
    "request.jwt.a.json#/b",
    "request.cookie.a",
    "request.cookie.a.url.json#/a",
    "request.header.x.base64",
    "request.header.x.json.json#/*",
    "response.set-cookie.a",
    "response.body#/a/*",
    "response.body#/a",
    "response.header.x",
];

fn selectors() -> Vec<Selector> {
    SELECTORS.iter().map(|text| Selector::parse(text).unwrap()).collect()
}

/// Pieces of all the formats, so that bodies are nearly one of them, or several.
fn nearly() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"a\":",
        "\"b\":1",
        "\"a\"",
        "\"",
        "\\",
        "\\u00",
        "\\ud83d",
        "1",
        "-",
        ".5",
        "e9",
        "true",
        "null",
        " ",
        "\n",
        "\r\n",
        "<a>",
        "</a>",
        "<b a='1'>",
        "</b>",
        "<a b=\"x\"/>",
        "<",
        ">",
        "/>",
        "<!--",
        "-->",
        "<![CDATA[",
        "]]>",
        "<?x",
        "?>",
        "<!DOCTYPE",
        "&lt;",
        "&#x41;",
        "&",
        "a=",
        "b=",
        "&a=1",
        "%41",
        "%",
        "+",
        "--x",
        "--x\r\n",
        "\r\n--x\r\n",
        "\r\n--x--",
        "Content-Disposition: form-data; name=\"a\"",
        "\r\n\r\n",
        "; filename=\"f\"",
        "\"query\":\"",
        "{\"query\":\"query A{a}\",\"variables\":{\"a\":[1,2]}}",
        "query",
        "mutation M",
        "\"\"\"",
        "#",
        "(",
        ")",
        "operationName=A",
        "variables={\"a\":1}",
        "\u{feff}",
        "ü",
        "😀",
        "eyJ",
        "....",
    ]);
    let raw = prop::collection::vec(any::<u8>(), 0..8);
    let pieces = prop_oneof![9 => piece.prop_map(|text| text.as_bytes().to_vec()), 1 => raw];
    prop_oneof![
        4 => prop::collection::vec(pieces, 0..40).prop_map(|pieces| pieces.concat()),
        1 => prop::collection::vec(any::<u8>(), 0..400),
    ]
}

fn content_type() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(vec![
            "", "application/json", "text/xml", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
            "multipart/form-data; boundary=\"x", "application/graphql", "text/plain", "a+json", "a/b+xml;",
        ])
        .prop_map(str::to_owned),
        1 => any::<String>(),
    ]
}

fn sent() -> impl Strategy<Value = Sent> {
    let text = || nearly().prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let method = prop::sample::select(vec!["GET", "POST"]);
    let bearer = prop_oneof![text(), text().prop_map(|claims| format!("Bearer {}", token(&claims, "good")))];
    (method, text(), text(), [text(), text(), text()], bearer, content_type(), nearly(), any::<bool>()).prop_map(
        |(method, path, query, [cookie, x, set_cookie], bearer, content_type, body, cut)| Sent {
            method: method.to_owned(),
            path,
            query,
            names: ["cookie", "x", "authorization"].map(str::to_owned).to_vec(),
            values: vec![cookie, x, bearer],
            status: 200,
            set_cookies: vec![format!("a={set_cookie}"), set_cookie],
            content_type,
            body: Some(body),
            cut,
        },
    )
}

fn check(sent: &Sent) -> Result<(), TestCaseError> {
    let (set, mut tokens) = (SelectorSet::new(selectors()), Tokens::default());
    let mut together: Vec<(usize, Found)> = Vec::new();
    sent.with_request(|request| set.read_request(request, &mut tokens, |i, found| together.push((i, found))));
    sent.with_response(|response| set.read_response(response, &mut tokens, |i, found| together.push((i, found))));
    prop_assert_eq!(together.len(), SELECTORS.len());
    for (i, found) in together {
        let (selector, tokens) = (&set.selectors()[i], &mut Tokens::default());
        let alone = match selector.side() {
            Side::Request => sent.with_request(|request| selector.read_request(request, tokens)),
            Side::Response => sent.with_response(|response| selector.read_response(response, tokens)),
        };
        prop_assert_eq!(&found, &alone, "{}", selector.text());
        prop_assert!(found.values.len() <= MAX_VALUES);
        prop_assert!(found.values.iter().all(|value| (1..=MAX_VALUE).contains(&value.text.len())));
        if selector.side() == Side::Request && !selector.needs_body() {
            let first =
                sent.with_request(|request| selector.first(request, tokens).map(|first| first.text.into_owned()));
            prop_assert_eq!(first, found.values.first().map(|value| value.text.clone()), "{}", selector.text());
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn any_exchange_is_read_within_bounds_and_together_as_alone(sent in sent()) {
        check(&sent)?;
    }

    #[test]
    fn any_text_is_a_selector_or_has_its_fault_inside(text in any::<String>()) {
        if let Err(error) = Selector::parse(&text) {
            prop_assert!(error.at <= text.chars().count());
        }
    }

    #[test]
    fn nearly_any_selector_has_its_fault_inside(
        side in prop::sample::select(vec!["request", "response"]),
        pieces in prop::collection::vec(prop::sample::select(vec![
            ".", "cookie", "header", "jwt", "body", "json", "url", "base64", "graphql", "variables", "meta", "ip", "path",
            "\"", "\\", "#", "/", "~", "~1", "a", "ü", " ", "=", "form", "query", "set-cookie", "status",
        ]), 0..12),
    ) {
        let text = format!("{side}.{}", pieces.concat());
        match Selector::parse(&text) {
            Ok(selector) => prop_assert_eq!(selector.text(), &text),
            Err(error) => prop_assert!(error.at <= text.chars().count()),
        }
    }

    #[test]
    fn any_cookie_field_is_read(text in any::<String>()) {
        prop_assert!(cookies(&text).all(|(name, value)| !name.is_empty() && !value.is_empty()));
        let cookie = SetCookie::parse(&text);
        prop_assert!(cookie.is_none_or(|cookie| !cookie.name.is_empty() && (cookie.deleted || !cookie.value.is_empty())));
    }
}

#[test]
fn large_and_deep_bodies_stay_within_bounds() {
    let size = 10_000;
    for body in [
        "[".repeat(size),
        "{\"a\":".repeat(size),
        "[[1],".repeat(size),
        "{\"a\":1,\"b\":2,".to_owned() + &"\"a\":1,\"b\":2,".repeat(size) + "\"c\":3}",
        format!("{{\"a\":[{}1]}}", "1,".repeat(size)),
        format!("[{}1]", "{\"a\":{\"b\":[1,2]}},".repeat(size / 4)),
        "\"".to_owned() + &"\\u0061".repeat(size),
        "<a>".repeat(size),
        "<a>".to_owned() + &"<b b='1'/>".repeat(size),
        "<a>".to_owned() + &"&".repeat(size),
        "<a ".to_owned() + &"b='1' ".repeat(size) + "/>",
        "<!--".repeat(size),
        "a=1&".repeat(size),
        "\r\n--x".repeat(size),
        "--x\r\n".repeat(size),
        "\r\n--".repeat(size),
        "{\"query\":\"".to_owned() + &"{".repeat(size) + "\"}",
        "\"\"\"\\".repeat(size),
        "%41".repeat(size),
    ] {
        for content_type in [
            "application/json",
            "text/xml",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application/graphql",
            "",
        ] {
            let (set, sent) = (SelectorSet::new(selectors()), Sent::body(content_type, &body));
            let mut values = 0;
            sent.with_request(|request| {
                set.read_request(request, &mut Tokens::default(), |_, f| values += f.values.len());
            });
            assert!(values <= SELECTORS.len() * MAX_VALUES);
        }
    }
}
