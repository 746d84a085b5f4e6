//! The inventory as a whole: documents of different make, an API of 2,000 operations, scans, and what the fleet keeps.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs, reason = "tests may fail loudly")]

use std::collections::BTreeMap;

use serde_json::json;
use throughline::fleet::Fleet;
use throughline::inventory::openapi::Document;
use throughline::inventory::{
    Catalogue, EndpointChange, Inventory, Operations, Sample, Seen, Sensitive, Tally, Traits, endpoint_hash, templated,
};
use throughline::rollup::Delta;
use throughline::session::{BatchBuilder, Event};
use throughline::wire::{FleetOrder, FleetReply, Flush, InventoryNews, Sync};

#[path = "support/mod.rs"]
mod support;

use support::events::{START_MS, event, flush, miss};
use support::shard::open;
use support::sqlite::Sqlite;

fn compared(catalogue: &Catalogue, request: &str) -> (String, Option<Inventory>) {
    let (method, path) = request.split_once(' ').unwrap();
    let compared = catalogue.compare(&Seen { method, host: "any.example", path, status: 200, ..Seen::default() });
    (compared.template.unwrap_or("").to_owned(), compared.inventory)
}

#[test]
fn documents_of_different_make_are_read_and_their_requests_recognised() {
    use Inventory::{Documented, Shadow, Zombie};
    type Expected = (&'static str, &'static str, Inventory);
    let documents: [(&str, usize, &[Expected]); 6] = [
        (
            include_str!("inventory/documents/payments.yaml"),
            7,
            &[
                ("POST /v1/charges", "/v1/charges", Documented),
                ("GET /v1/charges/ch_3Nq", "/v1/charges/{charge}", Documented),
                ("GET /v1/charges/search", "/v1/charges/search", Documented),
                ("POST /v1/charges/ch_1/capture", "/v1/charges/{charge}/capture", Documented),
                ("GET /v1/balance", "", Shadow),
            ],
        ),
        (
            include_str!("inventory/documents/cluster.json"),
            9,
            &[
                (
                    "PATCH /api/v1/namespaces/default/pods/web-0",
                    "/api/v1/namespaces/{namespace}/pods/{name}",
                    Documented,
                ),
                (
                    "GET /api/v1/namespaces/a/services/b/proxy/x/y/z",
                    "/api/v1/namespaces/{namespace}/services/{name}/proxy/{path*}",
                    Documented,
                ),
                ("GET /apis/apps/v1/watch/deployments", "/apis/apps/v1/watch/deployments", Zombie),
                ("GET /version", "/version/", Documented),
            ],
        ),
        (
            include_str!("inventory/documents/controllers.json"),
            5,
            &[
                ("GET /ordering/api/orders", "/ordering/api/Orders", Documented),
                ("POST /ordering/api/Orders(7)/Default.Ship", "/ordering/api/Orders({id})/Default.Ship", Documented),
                ("GET /ordering/api/Reports/2026-11.csv", "/ordering/api/Reports/{year}-{month}.{format}", Documented),
                ("GET /ordering/api/Secrets", "", Shadow),
            ],
        ),
        (
            include_str!("inventory/documents/generated.json"),
            4,
            &[
                ("GET /users/me", "/users/me", Documented),
                ("GET /users/42", "/users/{user_id}", Documented),
                ("POST /items", "/items/", Documented),
            ],
        ),
        (
            include_str!("inventory/documents/gateway.json"),
            4,
            &[
                ("GET /prod/pets/1", "/prod/pets/{petId}", Documented),
                ("GET /prod/anything/else", "/prod/{proxy+}", Documented),
                ("POST /prod/anything/else", "/prod/{proxy+}", Shadow),
            ],
        ),
        (
            include_str!("inventory/documents/forge.yaml"),
            5,
            &[
                (
                    "GET /api/v3/repos/a/b/compare/main...next",
                    "/api/v3/repos/{owner}/{repo}/compare/{basehead}",
                    Documented,
                ),
                ("PUT /api/v3/repos/a/b/contents/c%2Fd", "/api/v3/repos/{owner}/{repo}/contents/{path}", Documented),
                ("GET /api/v3/user", "/api/v3/user", Documented),
            ],
        ),
    ];
    for (text, operations, requests) in documents {
        let (document, _) = Document::parse(text).unwrap();
        assert_eq!(document.operations.len(), operations, "{}", document.title);
        let catalogue = Catalogue::new([&document]);
        for (request, template, state) in requests {
            assert_eq!(compared(&catalogue, request), ((*template).to_owned(), Some(*state)), "{request}");
        }
    }
}

#[test]
fn an_operation_is_the_same_however_its_path_is_written_and_the_newest_document_that_has_it_speaks() {
    let document = |version: &str, deprecated: bool| {
        let get = json!({ "deprecated": deprecated, "responses": { "200": { "description": "" } } });
        let paths = json!({ "/orders": { "get": get }, "/orders/{id}": { "get": get } });
        let info = json!({ "title": "Shop", "version": version });
        Document::parse(&json!({ "openapi": "3.1.0", "info": info, "paths": paths }).to_string()).unwrap().0
    };
    let (newer, older) = (document("2", false), document("1", true));
    let catalogue = Catalogue::new([&newer, &older]);
    for path in [
        "/orders/1",
        "/orders/1;jsessionid=7",
        "/orders;v=1/1",
        "/Orders/1",
        "/orders/1/",
        "//orders//1",
        "/%6frders/%31",
        "/orders/a%2Fb",
        "/orders/%2e%2e",
    ] {
        let expected = ("/orders/{id}".to_owned(), Some(Inventory::Documented));
        assert_eq!(compared(&catalogue, &format!("GET {path}")), expected, "{path}");
        let expected = ("/orders/{id}".to_owned(), Some(Inventory::Zombie));
        assert_eq!(compared(&Catalogue::new([&older, &newer]), &format!("GET {path}")), expected, "{path}");
    }
    // Another method, whatever a header calls it, and a path below are others.
    for (request, template) in
        [("POST /orders/1", "/orders/{id}"), ("GET /orders/1/items", ""), ("GET /orders/1%2F/items", "")]
    {
        assert_eq!(compared(&catalogue, request), (template.to_owned(), Some(Inventory::Shadow)), "{request}");
    }
}

/// 2,000 operations on 800 paths in the manner of a large REST API, each with an instance of it.
fn large() -> (Document, Vec<(String, String)>) {
    let mut paths = json!({});
    let mut instances = Vec::new();
    for n in 0..200 {
        let group = ["billing", "catalog", "identity", "orders", "shipping"][n % 5];
        let base = format!("/{group}/resource{n}");
        let forms = [
            (base.clone(), base.clone(), &["get", "post"][..]),
            (format!("{base}/{{id}}"), format!("{base}/ID"), &["get", "put", "delete", "patch"]),
            (format!("{base}/{{id}}/items"), format!("{base}/ID/items"), &["get", "post"]),
            (format!("{base}/{{id}}/items/{{item}}"), format!("{base}/ID/items/ITEM"), &["get", "delete"]),
        ];
        for (template, instance, methods) in forms {
            for method in methods {
                paths[template.as_str()][*method] = json!({ "responses": {} });
                let name = format!("{} /api/v1{template}", method.to_ascii_uppercase());
                instances.push((name, format!("{} /api/v1{instance}", method.to_ascii_uppercase())));
            }
        }
    }
    let value = json!({
        "openapi": "3.1.0", "info": { "title": "Large", "version": "1" }, "servers": [{ "url": "/api/v1" }], "paths": paths,
    });
    (Document::from_value(&value).unwrap().0, instances)
}

#[test]
fn a_hundred_thousand_requests_to_two_thousand_operations_are_told_apart_without_one_error() {
    let (document, instances) = large();
    assert_eq!(instances.len(), 2_000);
    let catalogue = Catalogue::new([&document]);
    let ids = ["42", "items", "018f2f6e-7c1a-7cc0-9f5e-0123456789ab", "a%2Fb", "resource7", "x.y-z", "%E4%BD%A0"];
    for n in 0..100_000usize {
        let (name, instance) = &instances[n * 7 % instances.len()];
        let request = instance.replace("ID", ids[n % ids.len()]).replace("ITEM", ids[n / 7 % ids.len()]);
        let (template, state) = compared(&catalogue, &request);
        let method = name.split(' ').next().unwrap();
        assert_eq!((format!("{method} {template}"), state), (name.clone(), Some(Inventory::Documented)), "{request}");
    }
}

fn fleet() -> Fleet<Sqlite> {
    Fleet::open(Sqlite::new(), 30 * 86_400_000).unwrap()
}

fn sync(fleet: &mut Fleet<Sqlite>, delta: Delta) -> u64 {
    let message =
        Sync { now_ms: START_MS, blocks_version: 0, imposed: Vec::new(), layout: Some(1), delta: Some(delta) };
    fleet.sync(message).unwrap().position.unwrap()
}

fn endpoints(fleet: &mut Fleet<Sqlite>) -> (BTreeMap<String, Tally>, u64) {
    let FleetReply::Endpoints { endpoints, unlisted } = fleet.order(FleetOrder::Endpoints).unwrap() else {
        panic!("endpoints are answered");
    };
    (endpoints.into_iter().collect(), unlisted)
}

fn news(fleet: &mut Fleet<Sqlite>) -> InventoryNews {
    let FleetReply::Inventory(news) = fleet.order(FleetOrder::Inventory { known: None }).unwrap() else {
        panic!("documents are answered");
    };
    news
}

#[test]
fn a_scan_of_random_paths_makes_no_endpoint_and_a_catch_all_only_so_many() {
    let (mut shard, mut fleet) = (open(&Sqlite::new()), fleet());
    let mut sequence = 0;
    let mut scan =
        |shard: &mut throughline::store::Store<Sqlite>, fleet: &mut Fleet<Sqlite>, status: u16, count: u64| {
            for batch in 0..count / 1_000 {
                let paths: Vec<String> =
                    (0..1_000).map(|n| format!("/{:x}/x{n}y", (batch * 1_000 + n).wrapping_mul(0x9e37_79b9))).collect();
                let events: Vec<Event<'_>> = (0u64..)
                    .zip(&paths)
                    .map(|(n, path)| Event { status, ..miss(1, batch * 1_000, batch * 1_000 + n, path) })
                    .collect();
                sequence += 1;
                shard.apply(&flush(9, sequence, &events), START_MS + batch * 1_000).unwrap();
                if let Some(delta) = shard.delta("a") {
                    let position = sync(fleet, delta);
                    shard.told_upto(position).unwrap();
                }
            }
        };
    scan(&mut shard, &mut fleet, 404, 100_000);
    assert_eq!(endpoints(&mut fleet), (BTreeMap::new(), 0));
    scan(&mut shard, &mut fleet, 200, 8_000);
    let (all, unlisted) = endpoints(&mut fleet);
    assert_eq!((all.len(), unlisted), (5_000, 3_000), "one session teaches no template");
}

#[test]
fn a_million_random_paths_leave_everything_bounded() {
    let mut fleet = fleet();
    let (mut sample, mut operations) = (Sample::default(), Operations::default());
    let mut tally = Tally { first_ms: START_MS, last_ms: START_MS, calls: 1, ..Tally::default() };
    tally.sessions.insert(0x9e37_79b9_7f4a_7c15);
    let mut sizes = Vec::new();
    for round in 0..1_000u64 {
        let mut told = BTreeMap::new();
        for n in 0..1_000u64 {
            let path = format!("/{:x}/x{n}y", (round * 1_000 + n).wrapping_mul(0x9e37_79b9));
            let by_form = templated(&path, 1_024).template;
            let missed = miss(1, 0, n, &path);
            assert!(!Tally::counts(&missed, false), "what is not there is no endpoint");
            sample.is_due(endpoint_hash("GET", "shop.test", &by_form));
            operations.admits(&by_form, "query Q", true);
            // A catch-all that answers everything, for a while.
            if round >= 980 {
                told.insert(format!("GET shop.test{path}").into(), tally.clone());
            }
        }
        if let Some(from) = round.checked_sub(980) {
            let (shard, installed_ms) = ("a".to_owned(), START_MS);
            let delta = Delta { shard, installed_ms, from, upto: from + 1, endpoints: told, ..Delta::default() };
            assert_eq!(sync(&mut fleet, delta), from + 1);
        }
        if round >= 985 {
            let kept = fleet.order(FleetOrder::Endpoints).unwrap();
            sizes.push(throughline::wire::encode(&kept).len());
        }
    }
    let (all, unlisted) = endpoints(&mut fleet);
    assert_eq!((all.len(), unlisted), (5_000, 15_000));
    assert_eq!(changes(&mut fleet).len(), 2_000);
    // The sums of 5,000 endpoints are all there, and nothing grows with what came after.
    assert!(sizes.windows(2).all(|two| two[0].abs_diff(two[1]) < 16), "{sizes:?}");
    assert!(sizes[0] < 1_000_000, "{sizes:?}");
    assert!(sample.bytes() < 512 * 1_024 && operations.bytes() < 32 * 1_024);
}

#[test]
fn operations_are_endpoints_and_made_up_names_make_only_so_many() {
    let (mut shard, mut fleet) = (open(&Sqlite::new()), fleet());
    let visit =
        |shard: &mut throughline::store::Store<Sqlite>, fleet: &mut Fleet<Sqlite>, round: u64, names: &[String]| {
            let templates: Vec<String> = names.iter().map(|name| format!("/graphql#{name}")).collect();
            let events: Vec<Event<'_>> = (0u64..)
                .zip(&templates)
                .map(|(n, template)| Event {
                    method: "POST",
                    path: "/graphql",
                    template,
                    ..event(n % 30, round, round * 1_000 + n)
                })
                .collect();
            shard.apply(&flush(9, round + 1, &events), START_MS + round).unwrap();
            let position = sync(fleet, shard.delta("a").unwrap());
            shard.told_upto(position).unwrap();
        };
    let honest = ["query Cart".to_owned(), "mutation Pay".to_owned()];
    visit(&mut shard, &mut fleet, 0, &honest);
    for round in 1..4 {
        let made_up: Vec<String> = (0..500).map(|n| format!("query Q{round}x{n}")).collect();
        visit(&mut shard, &mut fleet, round, &made_up);
    }
    visit(&mut shard, &mut fleet, 4, &honest);
    let (all, unlisted) = endpoints(&mut fleet);
    assert_eq!((all.len(), unlisted), (201, 0), "two hundred operations, and the path for all others");
    assert_eq!(all["POST shop.test/graphql#mutation Pay"].calls, 2);
    assert_eq!(all["POST shop.test/graphql"].calls, 1_500 - 198);
    assert!(news(&mut fleet).learned.is_empty(), "names of operations are no values");
}

fn changes(fleet: &mut Fleet<Sqlite>) -> Vec<(u64, String, &'static str, String, String)> {
    let FleetReply::EndpointChanges(changes) = fleet.order(FleetOrder::EndpointChanges).unwrap() else {
        panic!("changes are answered");
    };
    let told = |change: EndpointChange| {
        let name = change.endpoint.trim_start_matches("GET shop.test").to_owned();
        (change.id, name, change.kind.name(), change.from.into(), change.to.into())
    };
    changes.into_iter().map(told).collect()
}

#[test]
fn changes_of_endpoints_are_noted_once_and_outlive_the_object() {
    let database = Sqlite::new();
    let mut shard = open(&Sqlite::new());
    let mut fleet = Fleet::open(database.clone(), 3_600_000).unwrap();
    let mut sequence = 0;
    let mut visit =
        |shard: &mut throughline::store::Store<Sqlite>, fleet: &mut Fleet<Sqlite>, event: Event<'_>, traits: Traits| {
            sequence += 1;
            let mut builder = BatchBuilder::default();
            builder.push(&event);
            builder.show(traits);
            let batch = builder.take().encode();
            shard.apply(&Flush { batch, ..flush(9, sequence, &[event]) }, event.time_ms).unwrap();
            let delta = shard.delta("a").unwrap();
            let position = sync(fleet, delta.clone());
            assert_eq!(sync(fleet, delta), position, "a delta that comes again changes nothing");
            shard.told_upto(position).unwrap();
        };
    let known = |n: u64| Event { inventory: Some(Inventory::Documented), ..event(n, n * 1_000, n) };
    let mail = Traits { sensitive: Sensitive::EMAIL, ..Traits::default() };
    visit(&mut shard, &mut fleet, known(1), Traits::default());
    visit(&mut shard, &mut fleet, known(2), Traits::default());
    let mut fleet = Fleet::open(database.clone(), 3_600_000).unwrap();
    visit(&mut shard, &mut fleet, Event { status: 503, ..known(3) }, Traits::default());
    visit(
        &mut shard,
        &mut fleet,
        Event { inventory: Some(Inventory::Zombie), key_source: "client.ip", ..known(4) },
        mail,
    );
    let name = || "/api/products/{integer}".to_owned();
    let expected = [
        (1, name(), "new", String::new(), "documented".to_owned()),
        (2, name(), "status", "2xx".to_owned(), "2xx,5xx".to_owned()),
        (3, name(), "inventory", "documented".to_owned(), "zombie".to_owned()),
        (4, name(), "auth", "consistent".to_owned(), "mixed".to_owned()),
        (5, name(), "sensitive", String::new(), "email".to_owned()),
    ];
    assert_eq!(changes(&mut fleet), expected);
    let mut fleet = Fleet::open(database, 3_600_000).unwrap();
    assert_eq!(changes(&mut fleet), expected, "as it was written");
    // Nobody uses it for longer than things are kept.
    let later_ms = START_MS + 3 * 3_600_000;
    let other = Event { path: "/other", template: "/other", ..event(1, 3 * 3_600_000, 99) };
    shard.apply(&flush(9, 100, &[other]), later_ms).unwrap();
    let delta = shard.delta("a");
    let message = Sync { now_ms: later_ms, blocks_version: 0, imposed: Vec::new(), layout: Some(1), delta };
    fleet.sync(message).unwrap();
    let told = changes(&mut fleet).split_off(5);
    let of = |kind: &str| {
        told.iter().filter(|(_, _, of, ..)| *of == kind).map(|(_, name, ..)| name.as_str()).collect::<Vec<_>>()
    };
    assert_eq!((of("new"), of("gone")), (vec!["/other"], vec!["/api/products/{integer}"]));
}

#[test]
fn a_flood_of_endpoints_leaves_the_newest_changes() {
    let database = Sqlite::new();
    let (mut shard, mut fleet) = (open(&Sqlite::new()), Fleet::open(database.clone(), u64::MAX).unwrap());
    for round in 0..3u64 {
        let paths: Vec<String> = (0..1_000).map(|n| format!("/x{round}y{n}z")).collect();
        let events: Vec<Event<'_>> = (0u64..)
            .zip(&paths)
            .map(|(n, path)| Event { status: 200, ..miss(1, round, round * 1_000 + n, path) })
            .collect();
        shard.apply(&flush(9, round + 1, &events), START_MS + round).unwrap();
        let position = sync(&mut fleet, shard.delta("a").unwrap());
        shard.told_upto(position).unwrap();
    }
    let ids = |fleet: &mut Fleet<Sqlite>| changes(fleet).iter().map(|(id, ..)| *id).collect::<Vec<_>>();
    let newest: Vec<u64> = (1_001..=3_000).collect();
    assert_eq!(ids(&mut fleet), newest);
    assert_eq!(ids(&mut Fleet::open(database, u64::MAX).unwrap()), newest);
}

#[test]
fn what_deltas_say_of_endpoints_counts_once_and_outlives_the_object() {
    let database = Sqlite::new();
    let mut shard = open(&Sqlite::new());
    let mut fleet = Fleet::open(database.clone(), u64::MAX).unwrap();
    for round in 0..250u64 {
        let events: Vec<Event<'_>> = (0..4).map(|n| event(n, round * 1_000, round * 4 + n)).collect();
        shard.apply(&flush(9, round + 1, &events), START_MS + round * 1_000).unwrap();
        let delta = shard.delta("a").unwrap();
        let position = sync(&mut fleet, delta.clone());
        // The answer is lost now and then, and the delta comes again.
        if round % 3 == 0 {
            assert_eq!(sync(&mut fleet, delta), position);
        }
        shard.told_upto(position).unwrap();
        if round % 60 == 59 {
            fleet = Fleet::open(database.clone(), u64::MAX).unwrap();
        }
    }
    let (all, _) = endpoints(&mut fleet);
    let tally = &all["GET shop.test/api/products/{integer}"];
    assert_eq!((tally.calls, tally.sessions.count(), tally.statuses[&200]), (1_000, 4, 1_000));
    assert_eq!((tally.first_ms, tally.last_ms), (START_MS, START_MS + 249_000));
    assert_eq!(tally.posture(), ("consistent", vec!["cookie"]));
}

#[test]
fn names_that_are_values_become_one_template_which_can_be_taken_back() {
    let (mut shard, mut fleet) = (open(&Sqlite::new()), fleet());
    let mut visit = |fleet: &mut Fleet<Sqlite>, from: u64, to: u64| {
        for n in from..to {
            let path =
                format!("/products/shirt-{}-blue", ["a", "b", "c"][(n % 3) as usize].repeat(n as usize % 40 + 1));
            let by_form = templated(&path, 1_024).template;
            let visitor = event(n % 25, n * 1_000, n);
            let events = [
                Event { path: &path, template: &by_form, ..visitor },
                Event {
                    path: "/products/compare",
                    template: "/products/compare",
                    ..event(n % 25, n * 1_000, 10_000 + n)
                },
            ];
            shard.apply(&flush(9, n + 1, &events), START_MS + n * 1_000).unwrap();
            let position = sync(fleet, shard.delta("a").unwrap());
            shard.told_upto(position).unwrap();
        }
    };
    visit(&mut fleet, 0, 60);
    let (all, _) = endpoints(&mut fleet);
    let names: Vec<&str> = all.keys().map(String::as_str).collect();
    assert_eq!(names, ["GET shop.test/products/compare", "GET shop.test/products/{slug}"], "a busy sibling stays");
    assert_eq!(all["GET shop.test/products/{slug}"].calls, 60);
    let told = news(&mut fleet);
    let learned = &told.learned[0];
    assert_eq!(
        (learned.template.as_str(), learned.siblings.as_slice()),
        ("/products/{slug}", &["compare".to_owned()][..])
    );
    let templates: Vec<String> = learned.templates().collect();
    let catalogue = Catalogue::default().with_templates(templates.iter().map(String::as_str));
    assert_eq!(catalogue.template_of("/products/anything"), Some("/products/{slug}"));
    assert_eq!(catalogue.template_of("/products/compare"), Some("/products/compare"));
    assert_eq!(catalogue.template_of("/products/{integer}"), Some("/products/{slug}"));

    let order = FleetOrder::Unlearn { template: "/products/{slug}".into(), actor: "admin".into(), now_ms: START_MS };
    assert_eq!(fleet.order(order.clone()).unwrap(), FleetReply::Done { existed: true });
    assert_eq!(fleet.order(order).unwrap(), FleetReply::Done { existed: false });
    assert!(news(&mut fleet).version > told.version && news(&mut fleet).learned.is_empty());
    visit(&mut fleet, 60, 120);
    assert!(endpoints(&mut fleet).0.len() > 30, "what was taken back is not learned again");
}

#[test]
fn documents_are_kept_newest_first_and_their_version_rises() {
    let database = Sqlite::new();
    let mut fleet = Fleet::open(database.clone(), u64::MAX).unwrap();
    let document = |version: &str| {
        let value = json!({ "openapi": "3.0.0", "info": { "title": "T", "version": version }, "paths": {} });
        Document::from_value(&value).unwrap().0
    };
    let add = |fleet: &mut Fleet<Sqlite>, version: &str| {
        fleet.order(FleetOrder::AddDocument { document: document(version), actor: "admin".into(), now_ms: 1 }).unwrap()
    };
    assert_eq!(add(&mut fleet, "1"), FleetReply::Document { id: 1 });
    assert_eq!(add(&mut fleet, "2"), FleetReply::Document { id: 2 });
    let mut fleet = Fleet::open(database, u64::MAX).unwrap();
    let told = news(&mut fleet);
    assert_eq!(told.documents.iter().map(|stored| stored.document.version.as_str()).collect::<Vec<_>>(), ["2", "1"]);
    let remove = |id| FleetOrder::RemoveDocument { id, actor: "admin".into(), now_ms: 2 };
    assert_eq!(fleet.order(remove(1)).unwrap(), FleetReply::Done { existed: true });
    assert_eq!(fleet.order(remove(1)).unwrap(), FleetReply::Done { existed: false });
    assert!(news(&mut fleet).version > told.version);
    for n in 0..31 {
        assert_eq!(add(&mut fleet, &n.to_string()), FleetReply::Document { id: n + 3 });
    }
    assert_eq!(add(&mut fleet, "one too many"), FleetReply::Full);
}
