use serde_json::{Value, json};

use super::*;

fn document(title: &str, servers: &Value, paths: &[(&str, &str)]) -> Document {
    let mut items = json!({});
    for (operation, note) in paths {
        let (method, path) = operation.split_once(' ').unwrap();
        items[path][method.to_ascii_lowercase()] = json!({ "deprecated": *note == "deprecated", "responses": {} });
    }
    let value =
        json!({ "openapi": "3.0.0", "info": { "title": title, "version": "1" }, "servers": servers, "paths": items });
    Document::from_value(&value).unwrap().0
}

fn root(paths: &[(&str, &str)]) -> Document {
    document("T", &json!([{ "url": "/" }]), paths)
}

fn seen<'a>(request: &'a str, status: u16) -> Seen<'a> {
    let (method, path) = request.split_once(' ').unwrap();
    Seen { method, host: "api.test", path, status, ..Seen::default() }
}

fn told<'c>(catalogue: &'c Catalogue, request: &str, status: u16) -> (&'c str, &'static str) {
    let compared = catalogue.compare(&seen(request, status));
    (compared.template.unwrap_or(""), compared.inventory.map_or("", Inventory::name))
}

#[test]
fn static_siblings_win_and_swallow_nothing() {
    let catalogue = Catalogue::new([&root(&[
        ("GET /users/{id}", ""),
        ("DELETE /users/{id}", ""),
        ("GET /users/me", ""),
        ("GET /users/me/keys", ""),
        ("GET /users/{id}/orders", ""),
        ("GET /files/{name}.json", ""),
        ("GET /files/{name}", ""),
        ("GET /{tenant}/status", ""),
        ("GET /proxy/{path+}", ""),
        ("GET /proxy/health", ""),
    ])]);
    for (request, template) in [
        ("GET /users/42", "/users/{id}"),
        ("GET /users/me", "/users/me"),
        ("DELETE /users/me", "/users/{id}"),
        ("GET /users/me/orders", "/users/{id}/orders"),
        ("GET /files/a.json", "/files/{name}.json"),
        ("GET /files/a.xml", "/files/{name}"),
        ("GET /users/status", "/users/{id}"),
        ("GET /acme/status", "/{tenant}/status"),
        ("GET /proxy/a/b/c", "/proxy/{path+}"),
        ("GET /proxy/health", "/proxy/health"),
    ] {
        assert_eq!(told(&catalogue, request, 200), (template, "documented"), "{request}");
    }
}

#[test]
fn no_spelling_makes_a_documented_endpoint_a_shadow() {
    let catalogue = Catalogue::new([&document(
        "T",
        &json!([{ "url": "https://api.example.com/v2" }]),
        &[("GET /orders/{id}", ""), ("POST /orders/", ""), ("DELETE /orders/{id}", ""), ("GET /a~b", "")],
    )]);
    for request in [
        "GET /v2/orders/7",
        "GET /v2/orders/7/",
        "HEAD /v2/orders/7",
        "OPTIONS /v2/orders/7",
        "GET /v2//orders/7",
        "GET /V2/Orders/7",
        "GET /v2/orders/a%2Fb",
        "GET /v2/%6frders/7",
        "GET /v2/orders;jsessionid=1/7;v=2",
        "GET /v2/orders/%E4%BD%A0",
        "POST /v2/orders",
        "GET /v2/a%7Eb",
    ] {
        for host in ["api.example.com", "api.example.com:8443", "staging.example.com", "127.0.0.1:8787"] {
            let compared = catalogue.compare(&Seen { host, ..seen(request, 200) });
            assert_eq!(compared.inventory, Some(Inventory::Documented), "{request} {host}");
        }
    }
    let overriding = Seen { overriding: "delete", ..seen("POST /v2/orders/7", 204) };
    assert_eq!(catalogue.compare(&overriding).inventory, Some(Inventory::Documented));
}

#[test]
fn a_shadow_has_to_show_that_it_is_there() {
    let catalogue = Catalogue::new([&root(&[("GET /orders", "")])]);
    for (request, status, state) in [
        ("GET /debug", 200, "shadow"),
        ("GET /debug", 404, ""),
        ("GET /debug", 405, ""),
        ("GET /debug", 501, ""),
        ("GET /debug", 401, ""),
        ("GET /debug", 500, ""),
        ("GET /debug", 302, ""),
        ("POST /orders", 201, "shadow"),
        ("POST /orders", 405, ""),
        ("PUT /orders", 422, "shadow"),
        ("OPTIONS /debug", 204, ""),
        ("GET /assets/app.js", 200, ""),
        ("GET /", 200, ""),
        ("GET /.well-known/security.txt", 200, ""),
        ("POST /upload.html", 200, "shadow"),
    ] {
        assert_eq!(told(&catalogue, request, status).1, state, "{request} {status}");
    }
}

#[test]
fn what_no_document_speaks_about_is_nothing_but_another_version_is() {
    let catalogue = Catalogue::new([&document("T", &json!([{ "url": "/api/v2" }]), &[("GET /orders", "")])]);
    for (request, state) in [
        ("GET /api/v2/orders", "documented"),
        ("GET /api/v2/admin", "shadow"),
        ("GET /api/v1/orders", "shadow"),
        ("GET /api/2024-10-01/orders", "shadow"),
        ("GET /shop/orders", ""),
        ("GET /api", ""),
    ] {
        assert_eq!(told(&catalogue, request, 200).1, state, "{request}");
    }
    assert_eq!(told(&Catalogue::default(), "GET /x", 200), ("", ""));
}

#[test]
fn zombies_are_deprecated_removed_or_say_so_themselves() {
    let newest = root(&[("GET /a", ""), ("GET /b", "deprecated")]);
    let older = root(&[("GET /a", ""), ("GET /b", ""), ("GET /c/{id}", "")]);
    let other = document("Other", &json!([{ "url": "/" }]), &[("GET /d", "")]);
    let catalogue = Catalogue::new([&newest, &older, &other]);
    for (request, state) in
        [("GET /a", "documented"), ("GET /b", "zombie"), ("GET /c/7", "zombie"), ("GET /d", "documented")]
    {
        assert_eq!(told(&catalogue, request, 200).1, state, "{request}");
    }
    let retiring = Seen { retiring: true, ..seen("GET /a", 200) };
    assert_eq!(catalogue.compare(&retiring).inventory, Some(Inventory::Zombie));
    assert_eq!(Catalogue::default().compare(&retiring).inventory, Some(Inventory::Zombie));
}

#[test]
fn a_version_with_a_base_of_its_own_is_no_successor() {
    let v2 = document("T", &json!([{ "url": "/v2" }]), &[("GET /a", "")]);
    let v1 = document("T", &json!([{ "url": "/v1" }]), &[("GET /a", ""), ("GET /b", "")]);
    let catalogue = Catalogue::new([&v2, &v1]);
    assert_eq!(told(&catalogue, "GET /v1/b", 200).1, "documented");
    assert_eq!(told(&catalogue, "GET /v2/b", 200).1, "shadow");
}

#[test]
fn of_documents_that_claim_one_path_the_host_decides_and_else_the_kinder_one() {
    let on = |host: &str, note| document(host, &json!([{ "url": format!("https://{host}") }]), &[("GET /a/{x}", note)]);
    let (old, new) = (on("old.test", "deprecated"), on("new.test", ""));
    let catalogue = Catalogue::new([&old, &new]);
    for (host, state) in [("old.test", "zombie"), ("new.test:443", "documented"), ("else.test", "documented")] {
        let compared = catalogue.compare(&Seen { host, ..seen("GET /a/1", 200) });
        assert_eq!(compared.inventory.map(Inventory::name), Some(state), "{host}");
    }
}

#[test]
fn a_template_that_was_learned_from_form_finds_the_documented_one() {
    let catalogue = Catalogue::new([&root(&[("GET /orders/{id}", ""), ("GET /orders/latest", "")])]);
    assert_eq!(told(&catalogue, "GET /orders/{integer}", 200), ("/orders/{id}", "documented"));
}

#[test]
fn hostile_paths_and_templates_take_bounded_work() {
    let many: Vec<(String, &str)> = (0..64)
        .map(|n| {
            let path: Vec<String> =
                (0..24).map(|at| if n >> (at % 6) & 1 == 1 { "a".to_owned() } else { format!("{{p{at}}}") }).collect();
            (format!("GET /{}/{n}", path.join("/")), "")
        })
        .collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(path, note)| (path.as_str(), *note)).collect();
    let catalogue = Catalogue::new([&root(&many)]);
    let path = format!("GET /{}x", "a/".repeat(24));
    assert_eq!(told(&catalogue, &path, 404).1, "");
    for path in ["", "x", "/%", "/%4", "/;", "//", "/%zz%41"] {
        let _ = catalogue.compare(&Seen { method: "GET", path, status: 200, ..Seen::default() });
    }
}
