//! Every form of the language and every error with its character.

use super::*;

fn route(text: &str) -> Route {
    parse(text).map(|meaning| meaning.route).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn pointer(text: &str) -> Pointer {
    Pointer::parse(text).unwrap()
}

#[test]
fn every_part_has_its_source() {
    for (text, source) in [
        ("request.cookie.sid", Source::Cookie("sid".into())),
        ("request.header.X-API-Key", Source::Header("x-api-key".into())),
        ("request.query.session", Source::Query("session".into())),
        ("request.path", Source::Path),
        ("request.path.id", Source::Capture("id".into())),
        ("request.jwt", Source::Token),
        ("request.body", Source::Body),
        ("request.body#/a/*", Source::Member(pointer("/a/*"))),
        ("request.form.name", Source::Form("name".into())),
        ("request.graphql.operation", Source::GraphQl(GraphQl::Operation)),
        ("request.graphql.type", Source::GraphQl(GraphQl::Type)),
        ("request.graphql.query", Source::GraphQl(GraphQl::Query)),
        ("request.graphql.variables#/id", Source::GraphQl(GraphQl::Variable(pointer("/id")))),
        ("request.meta.ip", Source::Meta(Meta::Ip)),
        ("request.meta.country", Source::Meta(Meta::Country)),
        ("request.meta.asn", Source::Meta(Meta::Asn)),
        ("request.meta.colo", Source::Meta(Meta::Colo)),
        ("request.meta.ja4", Source::Meta(Meta::Ja4)),
        ("request.meta.user_agent", Source::Meta(Meta::UserAgent)),
        ("request.meta.host", Source::Meta(Meta::Host)),
        ("request.meta.method", Source::Meta(Meta::Method)),
        ("response.status", Source::Status),
        ("response.header.Location", Source::Header("location".into())),
        ("response.set-cookie.__Host-sid", Source::SetCookie("__Host-sid".into())),
        ("response.body", Source::Body),
        ("response.body#/token", Source::Member(pointer("/token"))),
    ] {
        assert_eq!(route(text), Route { source, steps: vec![], end: End::Text }, "{text}");
        let side = if text.starts_with("request") { Side::Request } else { Side::Response };
        assert_eq!(parse(text).map(|meaning| meaning.side), Ok(side), "{text}");
    }
}

#[test]
fn a_name_goes_up_to_the_next_decoder() {
    for (text, name) in [
        ("request.cookie.connect.sid", "connect.sid"),
        ("request.cookie.ASP.NET_SessionId", "ASP.NET_SessionId"),
        ("request.cookie..AspNetCore.Session", ".AspNetCore.Session"),
        ("request.cookie.jwt", "jwt"),
        ("request.cookie.json.url", "json"),
        ("request.cookie.a.jsonp", "a.jsonp"),
        ("request.cookie.a.json", "a"),
        ("request.cookie.a.b.base64", "a.b"),
        ("request.cookie.a\"b", "a\"b"),
        ("request.cookie.größe", "größe"),
        ("request.cookie.\"my.json\"", "my.json"),
        ("request.cookie.\"my.json\".json", "my.json"),
        ("request.cookie.\"a#b\"", "a#b"),
        ("request.cookie.\"a b\\\"c\\\\\"", "a b\"c\\"),
    ] {
        assert_eq!(route(text).source, Source::Cookie(name.into()), "{text}");
    }
}

#[test]
fn decoders_follow_each_other_and_the_last_may_be_pointed_into() {
    let json = || Step::Json(Trie::new([&Pointer::default()]));
    let claim = |name: &str| Step::Claims(Trie::new([&Pointer::member(name)]));
    let root = Pointer::default;
    for (text, steps, end, named) in [
        ("request.cookie.a.json", vec![], End::Json(root()), None),
        ("request.cookie.a.json#/b/0", vec![], End::Json(pointer("/b/0")), None),
        ("request.cookie.a.base64.url", vec![Step::Base64, Step::Url], End::Text, None),
        ("request.cookie.a.url.base64.json#/b", vec![Step::Url, Step::Base64], End::Json(pointer("/b")), None),
        ("request.cookie.a.json.json#/b", vec![json()], End::Json(pointer("/b")), None),
        ("request.cookie.a.jwt", vec![], End::Text, None),
        ("request.cookie.mfa.jwt.client_id", vec![], End::Claims(pointer("/client_id")), Some("client_id")),
        ("request.cookie.a.jwt#/b/0", vec![], End::Claims(pointer("/b/0")), Some("#/b/0")),
        ("request.jwt.sub", vec![], End::Claims(pointer("/sub")), Some("sub")),
        ("request.jwt.url", vec![], End::Claims(pointer("/url")), Some("url")),
        ("request.jwt.address#/city", vec![], End::Claims(pointer("/address/city")), Some("address#/city")),
        ("request.jwt#/roles/*", vec![], End::Claims(pointer("/roles/*")), Some("#/roles/*")),
        (
            "request.jwt.https://shop.test/id",
            vec![],
            End::Claims(pointer("/https:~1~1shop.test~1id")),
            Some("https://shop.test/id"),
        ),
        ("request.jwt.\"a b\"", vec![], End::Claims(pointer("/a b")), Some("a b")),
        ("request.jwt.act.jwt.sub", vec![claim("act")], End::Claims(pointer("/sub")), Some("sub")),
        ("request.jwt.org.json#/id", vec![claim("org")], End::Json(pointer("/id")), Some("org")),
        ("request.jwt.sub.base64", vec![claim("sub"), Step::Base64], End::Text, Some("sub")),
        ("request.path.id.url", vec![Step::Url], End::Text, None),
        ("request.body.json#/a", vec![], End::Json(pointer("/a")), None),
        ("request.body.base64.json", vec![Step::Base64], End::Json(root()), None),
        ("request.form.data.json#/a", vec![], End::Json(pointer("/a")), None),
        ("response.header.x.json#/a.b/c d", vec![], End::Json(pointer("/a.b/c d")), None),
    ] {
        let meaning = parse(text).map_err(|error| error.to_string());
        let meaning = meaning.unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!((&meaning.route.steps, &meaning.route.end), (&steps, &end), "{text}");
        assert_eq!(meaning.claim.as_deref(), named, "{text}");
    }
}

#[test]
fn an_error_points_at_the_character_and_says_what_is_expected() {
    for (text, at, reason) in [
        ("", 0, "`request.` or `response.`"),
        ("requests.cookie.a", 0, "`request.` or `response.`"),
        ("request", 7, "a part"),
        ("request#/a", 7, "a part"),
        ("request.", 8, "`cookie.NAME`"),
        ("request.cokie.sid", 8, "`cookie.NAME`"),
        ("request.status", 8, "`cookie.NAME`"),
        ("request.set-cookie.a", 8, "`cookie.NAME`"),
        ("response.cookie.sid", 9, "`set-cookie.NAME`"),
        ("response.jwt", 9, "`set-cookie.NAME`"),
        ("request.cookie", 14, "name is missing"),
        ("request.cookie.", 15, "name is missing"),
        ("request.cookie.#/a", 15, "name is missing"),
        ("request.cookie..json", 15, "name is missing"),
        ("request.cookie.\"\"", 15, "name is missing"),
        ("request.path.", 13, "name is missing"),
        ("request.jwt.", 12, "name is missing"),
        ("request.cookie.a b", 16, "no spaces"),
        ("request.cookie.a\tb", 16, "control"),
        ("request.query.\"a\tb\"", 16, "control"),
        ("request.cookie.a=b", 16, "`=` or `;`"),
        ("request.cookie.\"a;b\"", 17, "`=` or `;`"),
        ("request.header.x:y", 16, "header's name"),
        ("request.header.\"x y\"", 17, "header's name"),
        ("request.query.größe ", 19, "no spaces"),
        ("request.cookie.\"ab", 18, "not closed"),
        ("request.cookie.\"ab\\", 19, "not closed"),
        ("request.cookie.\"a\\nb\"", 18, "`\\`"),
        ("request.cookie.\"a\"b", 18, "`.`, `#` or the end"),
        ("request.cookie.\"a\".b", 19, "a decoder"),
        ("request.cookie.\"ü\".b", 19, "a decoder"),
        ("request.cookie.a.json.b", 22, "a decoder"),
        ("request.cookie.a.json.", 22, "a decoder"),
        ("request.cookie.a.base64.jsn", 24, "a decoder"),
        ("request.body.a", 13, "a decoder"),
        ("request.meta.ip.a", 16, "a decoder"),
        ("response.status.a", 16, "a decoder"),
        ("request.graphql", 15, "`operation`"),
        ("request.graphql.", 16, "`operation`"),
        ("request.graphql.operationName", 16, "`operation`"),
        ("request.graphql.variables", 25, "`variables#/NAME`"),
        ("request.graphql.variables.id", 25, "`variables#/NAME`"),
        ("request.meta", 12, "`user_agent`"),
        ("request.meta.useragent", 13, "`user_agent`"),
        ("request.cookie.a#/b", 16, "a pointer follows"),
        ("request.cookie.a.base64#/b", 23, "a pointer follows"),
        ("request.path#/b", 12, "a pointer follows"),
        ("request.body#", 13, "starts with `/`"),
        ("request.body#a", 13, "starts with `/`"),
        ("request.body#/ü/a~2", 17, "`~0`"),
        ("request.body#/a\u{7f}", 15, "control"),
        ("request.jwt.a#b", 14, "starts with `/`"),
    ] {
        let Err(error) = parse(text) else { panic!("{text} parses") };
        assert_eq!(error.at, at, "{text}: {error}");
        assert!(error.reason.contains(reason), "{text}: {error}");
    }
    let shown = parse("request.x").map(|_| ()).unwrap_err().to_string();
    assert!(shown.ends_with(" (at character 8)"), "{shown}");
}

/// Where the error of a text stands; `None` where there is none.
fn fault(text: &str) -> Option<usize> {
    parse(text).err().map(|error| error.at)
}

#[test]
fn limits_hold_at_and_one_past() {
    let name = |n: usize| format!("request.query.{}", "n".repeat(n));
    assert_eq!((fault(&name(MAX_NAME)), fault(&name(MAX_NAME + 1))), (None, Some(14 + MAX_NAME)));
    let quoted = |n: usize| format!("request.query.\"{}\"", "\\\\".repeat(n));
    assert_eq!((fault(&quoted(MAX_NAME)), fault(&quoted(MAX_NAME + 1))), (None, Some(15 + 2 * MAX_NAME + 1)));
    let wide = |n: usize| format!("request.query.{}", "ü".repeat(n));
    assert_eq!((fault(&wide(MAX_NAME / 2)), fault(&wide(MAX_NAME / 2 + 1))), (None, Some(14 + MAX_NAME / 2)));

    let decoders = |n: usize| format!("request.cookie.a{}", ".base64".repeat(n));
    assert_eq!((fault(&decoders(MAX_DECODERS)), fault(&decoders(MAX_DECODERS + 1))), (None, Some(16 + 4 * 7 + 1)));

    let tokens = |n: usize| format!("request.body#{}", "/a".repeat(n));
    assert_eq!((fault(&tokens(16)), fault(&tokens(17))), (None, Some(13 + 32)));
    let bytes = |n: usize| format!("request.body#/{}", "a".repeat(n - 1));
    assert_eq!((fault(&bytes(512)), fault(&bytes(513))), (None, Some(13 + 512)));

    let long = |n: usize| {
        let start = format!("request.cookie.\"{0}\".jwt.\"{0}\"#/", "n".repeat(MAX_NAME));
        let rest = n - start.len();
        start + &"p".repeat(rest)
    };
    assert_eq!(long(MAX_SELECTOR).len(), MAX_SELECTOR);
    assert_eq!((fault(&long(MAX_SELECTOR)), fault(&long(MAX_SELECTOR + 1))), (None, Some(MAX_SELECTOR)));
}
