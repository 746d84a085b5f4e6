//! Contracts of a real document, from outside: the demo shop's own, whose origin has a validator of its own.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "tests may fail loudly")]

use serde_json::json;
use throughline::inventory::contract;
use throughline::inventory::openapi::Document;

#[test]
fn the_shops_own_examples_keep_to_its_document_and_altered_ones_do_not() {
    let text = include_str!("../examples/shop/openapi.json");
    let (document, value) =
        (Document::parse(text).unwrap().0, serde_json::from_str::<serde_json::Value>(text).unwrap());
    let mut members = 0;
    for operation in &document.operations {
        let of = &value["paths"][&operation.path][operation.method.to_lowercase()];
        let Some(example) = of["requestBody"]["content"]["application/json"].get("example") else { continue };
        let told = |body: &serde_json::Value| {
            let (body, header) =
                (body.to_string(), |name: &str| (name == "content-type").then_some("application/json"));
            let asked = contract::Asked {
                template: &operation.path,
                path: &operation.path.replace("{id}", "1"),
                query: "",
                header: &header,
                content_type: "application/json",
                encoded: false,
                body: Some((body.as_bytes(), false)),
                bodiless: false,
            };
            contract::request(&operation.contract, &document.schemas, &asked)
        };
        assert_eq!(told(example), [], "{}", operation.path);
        for name in example.as_object().unwrap().keys() {
            let mut altered = example.clone();
            altered[name] = json!({ "unlike": [] });
            let faults = told(&altered);
            let place = format!("body#/{name}");
            assert!(
                faults.first().is_some_and(|fault| fault.place.starts_with(&place)),
                "{} {faults:?}",
                operation.path
            );
            members += 1;
        }
    }
    assert!(members > 20, "{members}");
}
