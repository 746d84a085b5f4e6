//! Parameters of an exchange are found where the policy says, typed, and hidden where it says so.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

use throughline::parameter::{MAX_VALUES, Parameters, Reading};
use throughline::policy::Policy;
use throughline::selector::{
    Body, Claims, HeaderView, NoTokens, ReadMarks, ReadTokens, Request, Response, Side, Trust,
};

fn load(sections: &[(&str, &str)]) -> Result<Policy, Vec<String>> {
    let required = [("SESSION_SECRET", "0123456789abcdef"), ("ADMIN_TOKEN", "0123456789abcdef")];
    let vars: Vec<_> = sections.iter().chain(&required).map(|(n, v)| (n.to_string(), v.to_string())).collect();
    let policy = Policy::load(&|name| vars.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone()));
    policy.map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

fn parameters(json: &str) -> Parameters {
    load(&[("PARAMETERS", json)]).unwrap().parameters
}

fn pseudonym(kind: &str, value: &str) -> String {
    format!("h:0000:{kind}/{value}")
}

fn post<'a>(path: &'a str, content_type: &'a str, body: &'a str) -> Request<'a> {
    let body = Body { content_type, bytes: body.as_bytes(), cut: false };
    Request { method: "POST", path, body: Some(body), ..Request::default() }
}

fn read(parameters: &Parameters, request: &Request<'_>) -> Reading {
    parameters.read_request(request, false, &pseudonym, &mut NoTokens)
}

fn shown(parameters: &Parameters, reading: &Reading) -> String {
    let one = |(id, value): &(throughline::parameter::ParamId, _)| format!("{}={value}", parameters.name(*id));
    reading.values.iter().map(one).collect::<Vec<_>>().join(" ")
}

fn in_json(parameters: &Parameters, path: &str, body: &str) -> String {
    shown(parameters, &read(parameters, &post(path, "application/json", body)))
}

const SHOP: &str = r##"[
    {"name": "total", "from": "request.body#/order/total", "on": "POST /orders", "type": "money", "currency": "request.body#/order/currency"},
    {"name": "price", "from": "request.body#/items/*/price", "on": "POST /orders", "type": "number"},
    {"name": "user", "from": "request.body#/user", "role": "user"},
    {"name": "card", "from": "request.body#/card", "on": "POST /orders", "redact": "6*4"},
    {"name": "token", "from": "request.body#/token", "on": "POST /orders", "store": "hashed"},
    {"name": "gone", "from": "request.body#/gone", "on": "POST /orders", "store": "drop"},
    {"name": "owner", "from": "request.header.x-owner"},
    {"name": "state", "from": "response.body#/state", "on": "POST /orders"}
]"##;

#[test]
fn an_order_is_read_in_one_go_and_typed() {
    let shop = parameters(SHOP);
    let body = r#"{"order": {"total": 1337.42, "currency": "EUR"}, "items": [{"price": "1,50"}, {"price": 2}],
        "user": "ann", "card": "4111111111111111", "token": "tok", "gone": "x"}"#;
    assert_eq!(
        in_json(&shop, "/orders", body),
        "total=1337.42 EUR price=1.5 price=2 user=h:0000:user/ann card=411111***1111 token=h:0000:parameter:token/tok"
    );
    assert_eq!(in_json(&shop, "/other", body), "user=h:0000:user/ann");
    let response = Response {
        status: 201,
        body: Some(Body { content_type: "application/json", bytes: br#"{"state": "paid"}"#, cut: false }),
        ..Response::default()
    };
    let of = |path| shop.read_response(("POST", path), &response, false, &pseudonym, &mut NoTokens);
    assert_eq!(shown(&shop, &of("/orders")), "state=paid");
    assert_eq!(shown(&shop, &of("/other")), "");
    assert!(shop.needs_body(Side::Response, "POST", "/orders") && !shop.needs_body(Side::Response, "POST", "/other"));
    assert_eq!(shop.headers(Side::Request).iter().filter(|name| *name == "x-owner").count(), 1);
}

#[test]
fn path_segments_are_read_by_the_pattern_that_names_them() {
    let json = r#"[
        {"name": "user", "from": "request.path.id", "on": "* /users/{id}/*"},
        {"name": "order", "from": "request.path.id", "on": "GET /users/{user}/orders/{id}", "type": "number"},
        {"name": "odd", "from": "request.path.odd", "on": "GET /users/7/{odd}/{id}"}
    ]"#;
    let parameters = parameters(json);
    let of = |path| shown(&parameters, &read(&parameters, &Request { method: "GET", path, ..Request::default() }));
    assert_eq!(of("/users/8/orders/42"), "user=8 order=42");
    // A combination that follows from no pattern alone.
    assert_eq!(of("/users/7/orders/42"), "user=7 order=42 odd=orders");
    assert_eq!(of("/users/7/x/42"), "user=7 odd=x");
    assert_eq!(of("/users"), "");
}

#[test]
fn bad_input_is_marked_and_never_read_as_something_else() {
    let shop = parameters(SHOP);
    for (body, expected) in [
        (r#"{"order": {"total": "NaN"}}"#, "total=invalid:not_a_number"),
        (r#"{"order": {"total": 1e999}}"#, "total=invalid:out_of_range"),
        (r#"{"order": {"total": "12,50 €"}}"#, "total=12.5 EUR"),
        (r#"{"order": {"total": -3, "currency": "usd"}}"#, "total=-3 USD"),
        (r#"{"order": {"total": 3, "currency": "dollars"}}"#, "total=invalid:currency"),
        (r#"{"order": {"total": [3]}}"#, ""),
        (r#"{"order": {"total": null}}"#, ""),
        (r#"{"order": {}}"#, ""),
        (
            r#"{"items": [{"price": true}, {"price": {}}, {"price": "1,234"}]}"#,
            "price=invalid:not_a_number price=invalid:ambiguous",
        ),
        (r#"{"card": "123"}"#, "card=***"),
    ] {
        assert_eq!(in_json(&shop, "/orders", body), expected, "{body}");
    }
    let digits = format!(r#"{{"order": {{"total": {}}}}}"#, "9".repeat(10_000_000));
    let reading = read(&shop, &post("/orders", "application/json", &digits));
    assert!(reading.values.is_empty() && reading.marks.has(ReadMarks::CUT));
    let twice = read(&shop, &post("/orders", "application/json", r#"{"order": {"total": 1, "total": 2}}"#));
    assert_eq!(shown(&shop, &twice), "total=2");
    assert!(twice.marks.has(ReadMarks::DUPLICATE));
    let broken = read(&shop, &post("/orders", "application/json", r#"{"order": {"total": 1"#));
    assert!(broken.marks.has(ReadMarks::MALFORMED));
}

#[test]
fn other_formats_are_read_alike() {
    let json = r##"[
        {"name": "total", "from": "request.body#/order/total", "on": "POST /orders", "type": "number"},
        {"name": "amount", "from": "request.form.amount", "on": "POST /orders", "type": "number"},
        {"name": "variable", "from": "request.graphql.variables#/input/total", "on": "POST /graphql", "type": "number"}
    ]"##;
    let parameters = parameters(json);
    let xml = read(&parameters, &post("/orders", "application/xml", "<order><total>12.5</total></order>"));
    assert_eq!(shown(&parameters, &xml), "total=12.5");
    let form = read(&parameters, &post("/orders", "application/x-www-form-urlencoded", "amount=12%2C50&b=1"));
    assert_eq!(shown(&parameters, &form), "amount=12.5");
    let graphql = r#"{"query": "mutation M { a }", "variables": {"input": {"total": "7"}}}"#;
    assert_eq!(in_json(&parameters, "/graphql", graphql), "variable=7");
}

#[test]
fn sixteen_values_of_a_parameter_are_kept_and_the_rest_is_marked() {
    let shop = parameters(r##"[{"name": "n", "from": "request.body#/*", "on": "POST /n", "type": "number"}]"##);
    let body = |n: usize| format!("[{}]", vec!["1"; n].join(","));
    let at = read(&shop, &post("/n", "application/json", &body(MAX_VALUES)));
    assert!(at.values.len() == MAX_VALUES && at.marks.is_empty());
    let past = read(&shop, &post("/n", "application/json", &body(MAX_VALUES + 1)));
    assert!(past.values.len() == MAX_VALUES && past.marks.has(ReadMarks::CUT));
}

#[test]
fn currencies_stand_beside_each_amount_or_for_all() {
    let json = r##"[{"name": "price", "from": "request.body#/items/*/price", "on": "POST /n", "type": "money", "currency": "request.body#/items/*/unit"},
        {"name": "fee", "from": "request.body#/fee", "on": "POST /n", "type": "money", "currency": "CHF"}]"##;
    let shop = parameters(json);
    let of = |body| in_json(&shop, "/n", body);
    assert_eq!(
        of(r#"{"items": [{"price": 1, "unit": "EUR"}, {"price": 2, "unit": "USD"}]}"#),
        "price=1 EUR price=2 USD"
    );
    assert_eq!(of(r#"{"items": [{"price": 1, "unit": "EUR"}, {"price": 2}]}"#), "price=1 EUR price=2 EUR");
    let three = r#"{"items": [{"price": 1, "unit": "EUR"}, {"price": 2, "unit": "USD"}, {"price": 3}]}"#;
    assert_eq!(of(three), "price=invalid:currency price=invalid:currency price=invalid:currency");
    assert_eq!(of(r#"{"fee": 5}"#), "fee=5 CHF");
    assert_eq!(of(r#"{"fee": "5 EUR"}"#), "fee=invalid:currency");
}

struct Unverified;

impl ReadTokens for Unverified {
    fn claims(&mut self, _: &str) -> Option<Claims> {
        Some(Claims { json: r#"{"tenant": "acme"}"#.into(), trust: Trust::Unverified })
    }
}

#[test]
fn claims_of_unverified_tokens_are_nothing_where_tokens_are_verified() {
    let shop = parameters(r#"[{"name": "tenant", "from": "request.jwt.tenant"}]"#);
    let (names, values) = (["authorization".to_owned()], ["Bearer a.b.c"]);
    let request = Request {
        method: "GET",
        path: "/",
        headers: HeaderView { names: &names, values: &values },
        ..Request::default()
    };
    let of = |verifies| shop.read_request(&request, verifies, &pseudonym, &mut Unverified).values.len();
    assert_eq!((of(false), of(true)), (1, 0));
}

#[test]
fn two_hundred_and_fifty_six_parameters_on_as_many_endpoints_are_read_one_more_is_refused() {
    let entry = |n: usize| format!(r##"{{"name": "p{n}", "from": "request.body#/v", "on": "POST /{n}"}}"##);
    let section = |from: usize, to: usize| format!("[{}]", (from..to).map(entry).collect::<Vec<_>>().join(","));
    let (first, second) = (section(0, 128), section(128, 256));
    let policy = load(&[("PARAMETERS", &first), ("PARAMETERS_2", &second)]).unwrap();
    assert_eq!(in_json(&policy.parameters, "/255", r#"{"v": "x"}"#), "p255=x");
    let third = section(256, 257);
    let refused = load(&[("PARAMETERS", &first), ("PARAMETERS_2", &second), ("PARAMETERS_3", &third)]).unwrap_err();
    assert!(refused[0].starts_with("PARAMETERS: has 257"), "{refused:?}");
}

#[test]
fn what_is_hashed_can_be_searched_by_what_was_sent() {
    let shop = parameters(r#"[{"name": "n", "from": "request.query.n", "type": "number", "store": "hashed"}]"#);
    let value = read(&shop, &Request { method: "GET", path: "/", query: "n=1e2", ..Request::default() });
    let forms = shop.hashed_forms("n", "100.0", &|kind, value| vec![pseudonym(kind, value)]);
    assert_eq!(forms, [value.values[0].1.to_string()]);
}

#[test]
fn problems_of_parameters_name_their_place() {
    for (entry, path) in [
        (r#"{"name": "a b", "from": "request.query.n"}"#, "PARAMETERS[0].name"),
        (r#"{"name": "a", "from": "request.nowhere"}"#, "PARAMETERS[0].from"),
        (r#"{"name": "a", "from": "request.path.id", "on": "GET /"}"#, "PARAMETERS[0].on"),
        (r##"{"name": "a", "from": "response.body#/a"}"##, "PARAMETERS[0].on"),
        (r#"{"name": "a", "from": "request.query.n", "type": "decimal"}"#, "PARAMETERS[0].type"),
        (r#"{"name": "a", "from": "request.query.n", "type": "number", "role": "user"}"#, "PARAMETERS[0].type"),
        (r#"{"name": "a", "from": "request.query.n", "currency": "EUR"}"#, "PARAMETERS[0].currency"),
        (r#"{"name": "a", "from": "request.query.n", "type": "money", "currency": "euro"}"#, "PARAMETERS[0].currency"),
        (
            r##"{"name": "a", "from": "request.query.n", "type": "money", "currency": "response.body#/c"}"##,
            "PARAMETERS[0].currency",
        ),
        (r#"{"name": "a", "from": "request.query.n", "redact": "some"}"#, "PARAMETERS[0].redact"),
        (r#"{"name": "a", "from": "request.query.n", "redact": "*4", "store": "hashed"}"#, "PARAMETERS[0].redact"),
        (
            r#"{"name": "a", "from": "request.query.n"}, {"name": "a", "from": "request.query.m", "type": "number"}"#,
            "PARAMETERS",
        ),
    ] {
        let problems = load(&[("PARAMETERS", &format!("[{entry}]"))]).unwrap_err();
        assert!(problems.len() == 1 && problems[0].starts_with(&format!("{path}: ")), "{problems:?}");
    }
}
