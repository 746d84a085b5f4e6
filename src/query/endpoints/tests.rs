//! Endpoints as they are listed.

use serde_json::json;

use super::*;
use crate::inventory::Means;
use crate::inventory::openapi::Document;

fn tally(calls: u64, means: Means) -> Tally {
    let mut tally = Tally { first_ms: 1_000, last_ms: 2_000, calls, ..Tally::default() };
    tally.means[means as usize] = calls;
    tally.statuses.insert(200, calls);
    tally
}

fn rows(documents: &[Document], endpoints: &[(&str, Tally)]) -> Vec<EndpointAnswer> {
    let endpoints: Vec<(String, Tally)> =
        endpoints.iter().map(|(key, tally)| ((*key).to_owned(), tally.clone())).collect();
    let names: Vec<_> = documents
        .iter()
        .map(|d| DocumentName { title: &d.title, version: &d.version, added_ms: 0, operations: &d.operations })
        .collect();
    let catalogue = Catalogue::new(documents);
    Survey { endpoints: &endpoints, catalogue: &catalogue, documents: &names, learned: &[] }.rows()
}

fn shop() -> Document {
    let value = json!({
        "openapi": "3.1.0",
        "info": { "title": "Shop", "version": "2" },
        "servers": [{ "url": "https://a.test" }, { "url": "https://b.test" }],
        "paths": {
            "/orders/{id}": { "get": { "security": [{ "bearer": [] }], "responses": {} } },
            "/old": { "get": { "deprecated": true, "responses": {} } },
            "/gift": { "post": { "responses": {} } },
        },
    });
    Document::from_value(&value).unwrap().0
}

fn state(rows: &[EndpointAnswer], name: &str) -> Vec<(Option<Inventory>, u64)> {
    let named = |row: &&EndpointAnswer| format!("{} {}{}", row.method, row.host, row.template) == name;
    rows.iter().filter(named).map(|row| (row.inventory, row.calls)).collect()
}

#[test]
fn what_was_counted_meets_the_documents() {
    let rows = rows(
        &[shop()],
        &[
            ("GET a.test/orders/{integer}", tally(3, Means::Bearer)),
            ("GET a.test/orders/{uuid}", tally(2, Means::None)),
            ("GET a.test/old", tally(1, Means::None)),
            ("GET a.test/debug", tally(4, Means::None)),
            ("DELETE a.test/orders/{integer}", tally(1, Means::Cookie)),
        ],
    );
    assert_eq!(state(&rows, "GET a.test/orders/{id}"), [(Some(Inventory::Documented), 5)]);
    assert_eq!(state(&rows, "GET a.test/old"), [(Some(Inventory::Zombie), 1)]);
    assert_eq!(state(&rows, "GET a.test/debug"), [(Some(Inventory::Shadow), 4)]);
    assert_eq!(state(&rows, "DELETE a.test/orders/{id}"), [(Some(Inventory::Shadow), 1)]);
    assert_eq!(state(&rows, "POST a.test/gift"), [(Some(Inventory::Orphan), 0)]);
    assert_eq!(rows.len(), 5, "an operation that was called on one host is no orphan on the other");
    let orders = rows.iter().find(|row| row.template == "/orders/{id}" && row.method == "GET").unwrap();
    assert_eq!((orders.auth, orders.auth_means.as_slice()), ("mixed", &["bearer"][..]));
    assert_eq!(orders.risk_reasons, ["answers callers without authentication, against its document: 30"]);
    let debug = rows.iter().find(|row| row.template == "/debug").unwrap();
    assert_eq!((debug.risk, debug.reasons.as_slice()), (65, &["the path is in no document".to_owned()][..]));
}

#[test]
fn operations_of_a_documented_path_are_documented_and_rows_of_their_own() {
    let value = json!({
        "openapi": "3.1.0",
        "info": { "title": "Graph", "version": "1" },
        "paths": { "/graphql": { "post": { "responses": {} } } },
    });
    let rows = rows(
        &[Document::from_value(&value).unwrap().0],
        &[
            ("POST a.test/graphql#query Cart", tally(3, Means::Cookie)),
            ("POST a.test/graphql#mutation Pay", tally(2, Means::Cookie)),
            ("POST a.test/rpc#tools/call", tally(1, Means::None)),
        ],
    );
    assert_eq!(state(&rows, "POST a.test/graphql#query Cart"), [(Some(Inventory::Documented), 3)]);
    assert_eq!(state(&rows, "POST a.test/graphql#mutation Pay"), [(Some(Inventory::Documented), 2)]);
    assert_eq!(state(&rows, "POST a.test/rpc#tools/call"), [(Some(Inventory::Shadow), 1)]);
    assert_eq!(rows.len(), 3, "the path is no orphan");
}

#[test]
fn filters_and_orders_hold_together_across_pages() {
    let all =
        rows(&[shop()], &[("GET a.test/debug", tally(4, Means::None)), ("GET a.test/x", tally(9, Means::Cookie))]);
    let names = |query: &str| {
        let asked = parse_endpoints(query, 0).unwrap().query;
        asked.page(all.clone()).items.into_iter().map(|(.., row)| row.template).collect::<Vec<_>>()
    };
    assert_eq!(names("inventory=shadow"), ["/x", "/debug"]);
    assert_eq!(names("inventory=shadow&sort=risk"), ["/debug", "/x"]);
    assert_eq!(names("inventory!=shadow&q=gift"), ["/gift"]);
    assert_eq!(names("auth=consistent"), ["/x"]);
    assert_eq!(names("limit=1&order=asc&inventory=shadow"), ["/debug"]);
    for (query, name) in
        [("inventory=ghost", "inventory"), ("sort=name", "sort"), ("colour=1", "colour"), ("min_risk=101", "min_risk")]
    {
        assert_eq!(parse_endpoints(query, 0).map_err(|e| e.name), Err(name.to_owned()));
    }
}
