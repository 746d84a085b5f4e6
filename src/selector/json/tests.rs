//! What is read of a document, valid or not, and that it costs one pass; validity is judged by `serde_json`.

use proptest::prelude::*;
use serde::de::IgnoredAny;
use serde_json::Value as Json;

use super::*;
use crate::selector::found::{Found, MAX_VALUE, MAX_VALUES};
use crate::selector::pointer::Pointer;
use crate::selector::trie::Trie;

fn trie(pointers: &[&str]) -> Trie {
    let parse = |text: &&str| if text.is_empty() { Pointer::default() } else { Pointer::parse(text).unwrap() };
    Trie::new(&pointers.iter().map(parse).collect::<Vec<_>>())
}

fn found(text: &str, cut: bool, pointers: &[&str]) -> Vec<Found> {
    let trie = trie(pointers);
    let mut to = Collector::new(&trie, None);
    read(text, cut, &mut to);
    to.finish()
}

/// The values at one pointer, and the marks.
fn one(text: &str, cut: bool, pointer: &str) -> (Vec<String>, ReadMarks) {
    let found = found(text, cut, &[pointer]).pop().unwrap();
    (found.values.into_iter().map(|value| value.text).collect(), found.marks)
}

fn values(text: &str, pointer: &str) -> Vec<String> {
    let (values, marks) = one(text, false, pointer);
    assert!(marks.is_empty(), "{text} {pointer}: {marks:?}");
    values
}

#[test]
fn pointers_lead_to_scalars() {
    let text = r#" {"a": {"b": "x", "": 1, "m/n": true, "~": false, "*": "star", "0": "zero"},
        "list": [10, {"id": 20}, [30], "s", null], "n": null, "o": {}, "e": ""} "#;
    for (pointer, expected) in [
        ("/a/b", vec!["x"]),
        ("/a/", vec!["1"]),
        ("/a/m~1n", vec!["true"]),
        ("/a/~0", vec!["false"]),
        ("/a/*", vec!["star"]),
        ("/a/0", vec!["zero"]),
        ("/list/0", vec!["10"]),
        ("/list/1/id", vec!["20"]),
        ("/list/2/0", vec!["30"]),
        ("/list/*", vec!["10", "s"]),
        ("/list/*/*", vec!["30"]),
        ("/list/*/id", vec!["20"]),
        ("/list/00", vec![]),
        ("/list/-", vec![]),
        ("/list/9", vec![]),
        ("/list/0/x", vec![]),
        ("/a", vec![]),
        ("/list", vec![]),
        ("/n", vec![]),
        ("/o", vec![]),
        ("/e", vec![]),
        ("/absent", vec![]),
        ("", vec![]),
    ] {
        assert_eq!(values(text, pointer), expected, "{pointer}");
    }
    for (text, expected) in [("\"x\"", vec!["x"]), (" -1.50 ", vec!["-1.50"]), ("true", vec!["true"]), ("null", vec![])]
    {
        assert_eq!(values(text, ""), expected, "{text}");
    }
}

#[test]
fn numbers_keep_the_digits_they_were_sent_with() {
    for number in ["0", "-0", "12.50", "1e999", "1E+2", "1.0e-05", "123456789012345678901234567890", "0.10"] {
        let found = found(&format!("[{number}]"), false, &["/0"]);
        assert_eq!((found[0].values[0].text.as_str(), found[0].values[0].kind), (number, Kind::Number));
    }
}

#[test]
fn a_pointer_may_end_where_another_goes_on() {
    let pointers = ["/a", "/a/b", "/*", "/*/b", "/0", "/a"];
    let texts = |text| -> Vec<Vec<String>> {
        found(text, false, &pointers).into_iter().map(|f| f.values.into_iter().map(|v| v.text).collect()).collect()
    };
    assert_eq!(texts(r#"{"a":1}"#), [vec!["1"], vec![], vec![], vec![], vec![], vec!["1"]]);
    assert_eq!(texts(r#"{"a":{"b":2.50}}"#), [vec![], vec!["2.50"], vec![], vec![], vec![], vec![]]);
    assert_eq!(texts(r#"[1.0,{"b":2}]"#), [vec![], vec![], vec!["1.0"], vec!["2"], vec!["1.0"], vec![]]);
}

#[test]
fn of_a_repeated_member_the_last_wins_and_the_repetition_is_marked() {
    for (text, pointer, expected) in [
        (r#"{"a":1,"a":2}"#, "/a", vec!["2"]),
        (r#"{"a":1,"\u0061":2}"#, "/a", vec!["2"]),
        (r#"{"a":1,"a":null}"#, "/a", vec![]),
        (r#"{"a":{"b":1},"a":{"c":2}}"#, "/a/b", vec![]),
        (r#"{"a":{"b":1,"b":2},"a":{"b":3}}"#, "/a/b", vec!["3"]),
        (r#"{"a":[1,2],"x":0,"a":[3]}"#, "/a/*", vec!["3"]),
        (r#"[{"a":1,"a":2},{"a":3}]"#, "/*/a", vec!["2", "3"]),
    ] {
        assert_eq!(one(text, false, pointer), (expected.iter().map(|v| v.to_string()).collect(), ReadMarks::DUPLICATE));
    }
    // What nobody wants may repeat, and equal names in different objects are no repetition.
    assert_eq!(values(r#"{"x":1,"x":2,"a":3}"#, "/a"), ["3"]);
    assert_eq!(values(r#"[{"a":1},{"a":2}]"#, "/*/a"), ["1", "2"]);
    let found = found(r#"{"a":1,"b":2,"a":3}"#, false, &["/a", "/b"]);
    assert_eq!((found[0].marks, found[1].marks), (ReadMarks::DUPLICATE, ReadMarks::default()));
    assert_eq!((found[0].values[0].text.as_str(), found[1].values[0].text.as_str()), ("3", "2"));
}

#[test]
fn what_stands_before_a_cut_is_found_and_what_the_cut_went_through_is_not() {
    // Whether a number is whole is known from what follows it.
    let text = r#"{"id":123,"name":"x","on":true,"last":456}"#;
    for cut in 0..text.len() {
        let found = found(text.get(..cut).unwrap(), true, &["/id", "/name", "/on", "/last"]);
        for (i, (whole, end)) in [("123", 10), ("x", 20), ("true", 30), ("456", 42)].into_iter().enumerate() {
            assert_eq!(found[i].marks, ReadMarks::CUT, "{cut}");
            let is: Vec<_> = found[i].values.iter().map(|v| v.text.as_str()).collect();
            let expected = if cut >= end { vec![whole] } else { vec![] };
            assert_eq!(is, expected, "{cut}");
        }
    }
}

#[test]
fn what_stands_before_a_fault_is_found_and_the_fault_is_marked() {
    for fault in [",}", "]", "", ",\"b\"}", ",\"b\":}", ",\"b\":01}", ",\"b\":tru}", ",\"b\":\"\\x\"}", "} x", ",b:1}"]
    {
        let text = format!("{{\"a\":1{fault}");
        assert_eq!(one(&text, false, "/a"), (vec!["1".to_owned()], ReadMarks::MALFORMED), "{text}");
    }
    // A fault before the cut is one.
    let mut both = ReadMarks::CUT;
    both.set(ReadMarks::MALFORMED);
    assert_eq!(one("{\"a\":1,,", true, "/a"), (vec!["1".to_owned()], both));
    for none in ["", " ", "{", "nul", "<x/>", "{'a':1}", "[1 2]", "{\"a\" 1}", "\"\n\"", "\u{a0}1", "-", "1.", "1e"] {
        assert_eq!(one(none, false, "/a"), (vec![], ReadMarks::MALFORMED), "{none:?}");
    }
}

#[test]
fn a_stray_surrogate_or_a_number_out_of_range_hides_nothing() {
    let text = r#"{"\ud800":1,"a":"\udc00","a":1e9999,"b":"\ud83d\ude00\"\u00fc\b\f\n\r\t\/\\","c":"\ud83dx"}"#;
    let found = found(text, false, &["/a/x", "/b", "/c"]);
    assert!(found[0].values.is_empty());
    assert_eq!(found[1].values[0].text, "😀\"ü\u{8}\u{c}\n\r\t/\\");
    assert_eq!((found[2].values[0].text.as_str(), found[2].marks), ("\u{fffd}x", ReadMarks::MALFORMED));
    assert!(found[1].marks.is_empty());
}

#[test]
fn a_byte_order_mark_is_accepted() {
    assert_eq!(values("\u{feff}{\"a\":1}", "/a"), ["1"]);
}

#[test]
fn limits_hold_at_and_one_past() {
    let nested = |n: usize| format!("{{\"a\":1,\"x\":{}{},\"b\":2}}", "[".repeat(n), "]".repeat(n));
    assert_eq!(values(&nested(127), "/b"), ["2"]);
    assert_eq!(one(&nested(128), false, "/b"), (vec![], ReadMarks::CUT));
    assert_eq!(one(&nested(128), false, "/a"), (vec!["1".to_owned()], ReadMarks::CUT));

    let many = |n: usize| format!("[{}0]", "1,".repeat(n - 1));
    assert_eq!(values(&many(MAX_VALUES), "/*").len(), MAX_VALUES);
    let (values_found, marks) = one(&many(MAX_VALUES + 1), false, "/*");
    assert_eq!((values_found.len(), marks), (MAX_VALUES, ReadMarks::CUT));

    let long = |n: usize| format!("[\"{}\"]", "\\u0061".repeat(n));
    assert_eq!(values(&long(MAX_VALUE), "/0")[0].len(), MAX_VALUE);
    assert_eq!(one(&long(MAX_VALUE + 1), false, "/0"), (vec![], ReadMarks::CUT));
}

#[test]
fn of_a_batch_the_first_is_read() {
    let first = |text: &str| {
        let trie = trie(&["/a"]);
        let mut to = Collector::new(&trie, None);
        read_first(text, false, &mut to);
        let found = to.finish().pop().unwrap();
        (found.values.first().map(|v| v.text.clone()), found.marks)
    };
    assert_eq!(first(r#"{"a":1}"#), (Some("1".to_owned()), ReadMarks::default()));
    assert_eq!(first(r#" [ {"a":1} ] "#), (Some("1".to_owned()), ReadMarks::default()));
    assert_eq!(first(r#"[{"a":1},{"a":2}]"#), (Some("1".to_owned()), ReadMarks::CUT));
    assert_eq!(first("[]"), (None, ReadMarks::default()));
    assert_eq!(first(r#"[{"a":1}"#), (Some("1".to_owned()), ReadMarks::MALFORMED));
}

#[test]
fn a_document_is_walked_once_however_many_pointers_there_are() {
    let document = |n: usize| {
        let item = |i: usize| format!("{{\"id\":{i},\"a\":{{\"b\":[1,2,3]}},\"junk\":[{{\"id\":0}}]}}");
        format!("[{}]", (0..n).map(item).collect::<Vec<_>>().join(","))
    };
    let visits = |n: usize, pointers: &[&str]| {
        let trie = trie(pointers);
        let mut to = Collector::new(&trie, None);
        read(&document(n), false, &mut to);
        to.visits
    };
    let few = ["/*/id", "/*/a/b/*"];
    let many = ["/*/id", "/*/a/b/*", "/0/id", "/7/id", "/*/a/c", "/*/a/b/0", "/*/a/b/1", "/*/x", "/*/y", "/1/a/b/2"];
    assert_eq!(visits(100, &few), visits(100, &many));
    assert_eq!(visits(1_000, &many), 10 * visits(100, &many));
}

/// Text that is often JSON and sometimes only nearly.
fn nearly_json() -> impl Strategy<Value = String> {
    let token = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"a\"",
        "\"b\"",
        "\"\\u0061\"",
        "\"\\ud800\"",
        "\"",
        "\\",
        "1",
        "-0",
        "1.50",
        "01",
        "1e5",
        "e",
        "true",
        "false",
        "null",
        "nul",
        " ",
        "\n",
        "\u{1}",
        "ü",
        "{\"a\":",
        "[1,",
        "\"a\":{}",
    ]);
    prop::collection::vec(token, 0..40).prop_map(|tokens| tokens.concat())
}

fn json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::Bool),
        any::<i64>().prop_map(Json::from),
        "[a-c\"\\\\\u{0}-\u{1f}üü😀]{0,6}".prop_map(Json::from),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Json::from),
            prop::collection::hash_map("[ab*01]", inner, 0..4).prop_map(|map| map.into_iter().collect()),
        ]
    })
}

/// The scalars at a pointer, by the definition.
fn expected(value: &Json, tokens: &[&str]) -> Vec<String> {
    let Some((token, rest)) = tokens.split_first() else {
        return match value {
            Json::String(text) if !text.is_empty() => vec![text.clone()],
            Json::Number(_) | Json::Bool(_) => vec![value.to_string()],
            _ => vec![],
        };
    };
    match value {
        Json::Object(members) => members.get(*token).map(|value| expected(value, rest)).unwrap_or_default(),
        Json::Array(items) if *token == "*" => items.iter().flat_map(|item| expected(item, rest)).collect(),
        Json::Array(items) => {
            token.parse().ok().and_then(|i: usize| items.get(i)).map(|item| expected(item, rest)).unwrap_or_default()
        }
        _ => vec![],
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn what_is_valid_is_valid_for_serde_too(text in nearly_json()) {
        let marks = found(&text, false, &["/a", "/a/b", "/*/a"])[0].marks;
        let valid = serde_json::from_str::<IgnoredAny>(&text).is_ok();
        prop_assert_eq!(marks.has(ReadMarks::MALFORMED), !valid, "{}", text);
    }

    #[test]
    fn values_are_found_where_they_are(
        value in json(),
        pretty in any::<bool>(),
        pointers in prop::collection::vec(prop::collection::vec("[ab*01]", 0..4), 1..6),
    ) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        let written: Vec<String> = pointers.iter().map(|p| p.iter().map(|t| format!("/{t}")).collect()).collect();
        let found = found(&text, false, &written.iter().map(String::as_str).collect::<Vec<_>>());
        for (found, pointer) in found.into_iter().zip(&pointers) {
            prop_assert!(found.marks.is_empty());
            let is: Vec<String> = found.values.into_iter().map(|value| value.text).collect();
            let tokens: Vec<&str> = pointer.iter().map(String::as_str).collect();
            prop_assert_eq!(is, expected(&value, &tokens), "{} {:?}", text, pointer);
        }
    }

    #[test]
    fn a_cut_document_yields_a_part_of_the_whole_one(value in json(), cut in any::<prop::sample::Index>()) {
        let text = serde_json::to_string(&value).unwrap();
        let mut end = cut.index(text.len() + 1);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let pointers = ["", "/a", "/*", "/a/*", "/*/b", "/0/0"];
        for (part, whole) in found(text.get(..end).unwrap(), true, &pointers).iter().zip(found(&text, false, &pointers)) {
            prop_assert!(whole.values.starts_with(&part.values), "{} at {}", text, end);
            prop_assert_eq!(part.marks, ReadMarks::CUT);
        }
    }
}
