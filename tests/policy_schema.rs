//! The JSON Schema for editors says what the reader of the policy knows, and nothing else: the reader is asked for the
//! fields it expects, place by place.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail by panicking")]

use std::collections::BTreeSet;

use serde_json::{Value, json};
use throughline::policy::Policy;
use throughline::session::Detector;

fn schema() -> Value {
    serde_json::from_str(include_str!("../schema/policy.json")).unwrap()
}

fn problems(section: &str, content: &Value) -> Vec<String> {
    let vars = [
        ("SESSION_SECRET", "0123456789abcdef".to_owned()),
        ("ADMIN_TOKEN", "0123456789abcdef".to_owned()),
        (section, content.to_string()),
    ];
    let policy = Policy::load(&|name| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| v.clone()));
    policy.err().unwrap_or_default().iter().map(ToString::to_string).collect()
}

/// The fields that the reader names when it meets one it does not know.
fn known(section: &str, with_probe: &Value) -> BTreeSet<String> {
    let problems = problems(section, with_probe);
    let told = problems
        .iter()
        .find_map(|problem| problem.split_once("unknown field `probe`, expected "))
        .unwrap_or_else(|| panic!("{section}: {problems:?}"));
    told.1.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn described(place: &Value) -> BTreeSet<String> {
    place["properties"].as_object().unwrap().keys().cloned().collect()
}

#[test]
fn every_field_of_every_section_is_described_and_no_other() {
    let schema = schema();
    let of = |section: &str| &schema["$defs"][section];
    let flow = &of("FLOWS")["items"];
    let step = &flow["properties"]["steps"]["items"]["anyOf"][1];
    for (section, probe, place) in [
        ("SESSION_KEYS", json!([{"probe": 1}]), &of("SESSION_KEYS")["items"]),
        ("JWT", json!([{"probe": 1}]), &of("JWT")["items"]),
        ("PARAMETERS", json!([{"probe": 1}]), &of("PARAMETERS")["items"]),
        ("WATCHES", json!([{"probe": 1}]), &of("WATCHES")["items"]),
        ("FLOWS", json!([{"probe": 1}]), flow),
        ("FLOWS", json!([{"steps": [{"probe": 1}]}]), step),
        ("FLOWS", json!([{"steps": [{"outcome": {"probe": 1}}]}]), &step["properties"]["outcome"]),
        ("FLOWS", json!([{"limit": {"probe": 1}}]), &flow["properties"]["limit"]),
        ("ROUTES", json!([{"probe": 1}]), &of("ROUTES")["items"]),
        ("EXCEPTIONS", json!([{"probe": 1}]), &of("EXCEPTIONS")["items"]),
        ("LIMITS", json!({"probe": 1}), of("LIMITS")),
        ("DETECTORS", json!({"sqli": {"probe": 1}}), &schema["$defs"]["tuned"]["anyOf"][1]),
    ] {
        assert_eq!(described(place), known(section, &probe), "{section} {probe}");
        assert_eq!(place["additionalProperties"], json!(false), "{section} {probe}");
    }
}

#[test]
fn every_detector_that_can_be_tuned_is_described_and_no_other() {
    let tunable =
        Detector::all().map(Detector::name).filter(|name| problems("DETECTORS", &json!({*name: "off"})).is_empty());
    let tunable: BTreeSet<String> = tunable.map(str::to_owned).collect();
    assert_eq!(described(&schema()["$defs"]["DETECTORS"]), tunable);
}

#[test]
fn the_words_that_a_field_may_be_are_those_the_reader_takes() {
    let schema = schema();
    let words = |place: &Value| -> BTreeSet<String> {
        place["enum"].as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect()
    };
    for (section, field) in [
        ("PARAMETERS", "type"),
        ("PARAMETERS", "store"),
        ("PARAMETERS", "role"),
        ("WATCHES", "kind"),
        ("WATCHES", "of"),
        ("WATCHES", "per"),
        ("ROUTES", "decide"),
        ("ROUTES", "on_error"),
        ("ROUTES", "record"),
    ] {
        let problems = problems(section, &json!([{field: "probe"}]));
        let told = problems.iter().find_map(|problem| problem.split_once("unknown variant `probe`, expected "));
        let (_, told) = told.unwrap_or_else(|| panic!("{section}.{field}: {problems:?}"));
        let taken: BTreeSet<String> = told.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        assert_eq!(words(&schema["$defs"][section]["items"]["properties"][field]), taken, "{section}.{field}");
    }
}

#[test]
fn every_section_goes_on_in_its_next_part() {
    let schema = schema();
    let lists: BTreeSet<String> = schema["patternProperties"].as_object().unwrap().keys().cloned().collect();
    let arrays = schema["properties"].as_object().unwrap().keys();
    let arrays = arrays.filter(|name| schema["$defs"][name.as_str()]["type"] == "array");
    assert_eq!(lists, arrays.map(|name| format!("^{name}_([2-9]|[1-9][0-9]+)$")).collect());
}

#[test]
fn the_document_of_the_api_names_every_detector() {
    let document: Value = serde_json::from_str(include_str!("../src/api/openapi.json")).unwrap();
    let listed = document["components"]["schemas"]["Detector"]["enum"].as_array().unwrap();
    let mut listed: Vec<&str> = listed.iter().map(|name| name.as_str().unwrap()).collect();
    let mut all: Vec<&str> = Detector::all().map(|detector| detector.name()).collect();
    listed.sort_unstable();
    all.sort_unstable();
    assert_eq!(listed, all);
}
