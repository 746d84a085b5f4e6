//! Fields and files, and bodies that are not what they say.

use super::*;
use crate::selector::pointer::Pointer;
use crate::selector::trie::Trie;

/// The values of the field `a`, and the marks.
fn read_a(content_type: &str, bytes: &[u8], cut: bool) -> (Vec<String>, ReadMarks) {
    let trie = Trie::new([&Pointer::member("a")]);
    let mut to = Collector::new(&trie, None);
    read(content_type, bytes, cut, &mut to);
    let found = to.finish().pop().unwrap();
    (found.values.into_iter().map(|value| value.text).collect(), found.marks)
}

const TYPE: &str = "multipart/form-data; boundary=xx";

fn part(headers: &str, value: &str) -> String {
    format!("--xx\r\n{headers}\r\n\r\n{value}\r\n")
}

fn field(name: &str, value: &str) -> String {
    part(&format!("Content-Disposition: form-data; name=\"{name}\""), value)
}

fn found(body: &str) -> (Option<String>, ReadMarks) {
    let (values, marks) = read_a(TYPE, body.as_bytes(), false);
    (values.into_iter().next(), marks)
}

fn value(body: &str) -> Option<String> {
    let (value, marks) = found(body);
    assert!(marks.is_empty(), "{body}: {marks:?}");
    value
}

#[test]
fn a_text_field_is_found_among_others() {
    let end = "--xx--\r\n";
    for (body, expected) in [
        (field("a", "1") + end, Some("1")),
        (field("b", "0") + &field("a", "1") + end, Some("1")),
        (format!("preamble\r\n{}--xx--epilogue", field("a", "1")), Some("1")),
        (format!("\r\n{}{end}", field("a", "1")), Some("1")),
        (field("a", "line\r\nline\n--xx\r\n-- xx") + end, Some("line\r\nline\n--xx\r\n-- xx")),
        (field("a", "x\r\n--xxx\r\ny") + end, Some("x\r\n--xxx\r\ny")),
        (part("content-type: text/plain\r\nCONTENT-DISPOSITION:form-data;name=a", "1") + end, Some("1")),
        (field("a", "1").replace("--xx\r\n", "--xx \t\r\n") + end, Some("1")),
        (field("a", "") + end, None),
        (field("A", "1") + end, None),
        (part("Content-Disposition: form-data; name=\"a\"; filename=\"f.txt\"", "1") + end, None),
        (part("Content-Disposition: form-data; name=\"a\"; filename=\"\"", "") + end, None),
        (part("Content-Disposition: form-data; name=\"a\"; filename*=utf-8''f", "1") + end, None),
        (end.to_owned(), None),
    ] {
        assert_eq!(value(&body).as_deref(), expected, "{body}");
    }
}

#[test]
fn the_boundary_is_read_quoted_and_in_any_case() {
    let body = field("a", "1") + "--xx--";
    for content_type in [
        "multipart/form-data; boundary=\"xx\"",
        "multipart/form-data; charset=utf-8; BOUNDARY=xx",
        "Multipart/Form-Data;boundary=xx ;",
    ] {
        assert_eq!(read_a(content_type, body.as_bytes(), false), (vec!["1".to_owned()], ReadMarks::default()));
    }
    for content_type in ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=yy"] {
        assert_eq!(read_a(content_type, body.as_bytes(), false), (vec![], ReadMarks::MALFORMED), "{content_type}");
    }
}

#[test]
fn of_repeated_fields_the_first_that_is_not_empty_wins() {
    let body = field("a", "") + &field("a", "1") + &field("a", "2") + "--xx--";
    assert_eq!(found(&body), (Some("1".to_owned()), ReadMarks::DUPLICATE));
}

#[test]
fn faults_are_marked_and_what_is_whole_is_found() {
    let first = field("a", "1");
    for body in [
        first.clone(),
        first.clone() + "--xx\r\n",
        first.clone() + "--xx\r\nno header\r\n--xx--",
        first.clone() + &part("X: y", "z") + "--xx--",
        first.clone() + &part("Content-Disposition: attachment; name=\"b\"", "z") + "--xx--",
    ] {
        assert_eq!(found(&body).1, ReadMarks::MALFORMED, "{body}");
    }
    assert_eq!(found(&(first + "--xx\r\n")).0.as_deref(), Some("1"));
    let bytes = [b"--xx\r\nContent-Disposition: form-data; name=a\r\n\r\n\xff\r\n--xx--".as_slice()].concat();
    assert_eq!(read_a(TYPE, &bytes, false), (vec!["\u{fffd}".to_owned()], ReadMarks::MALFORMED));
}

#[test]
fn a_cut_body_yields_only_whole_fields() {
    let body = field("b", "0") + &field("a", "123") + &field("c", "4") + "--xx--";
    let whole = body.find("123").unwrap() + "123\r\n--xx\r\n".len();
    for cut in 0..body.len() {
        let (values, marks) = read_a(TYPE, &body.as_bytes()[..cut], true);
        assert_eq!(marks, ReadMarks::CUT, "{cut}");
        assert_eq!(values.len(), usize::from(cut >= whole), "{cut}");
    }
}

#[test]
fn limits_hold_at_and_one_past() {
    let parts = |n: usize| field("b", "0").repeat(n - 1) + &field("a", "1") + "--xx--";
    assert_eq!(value(&parts(MAX_PARTS)).as_deref(), Some("1"));
    assert_eq!(found(&parts(MAX_PARTS + 1)), (None, ReadMarks::CUT));

    let disposition = "Content-Disposition: form-data; name=a";
    let headers =
        |n: usize| part(&format!("{disposition}\r\nX:{}", "x".repeat(n - disposition.len() - 4)), "1") + "--xx--";
    assert_eq!(value(&headers(MAX_HEADERS)).as_deref(), Some("1"));
    assert_eq!(found(&headers(MAX_HEADERS + 1)), (None, ReadMarks::MALFORMED));

    let boundary = |n: usize| {
        let long = "x".repeat(n);
        let body = (field("a", "1") + "--xx--").replace("xx", &long);
        read_a(&format!("multipart/form-data; boundary={long}"), body.as_bytes(), false)
    };
    assert_eq!(boundary(MAX_BOUNDARY), (vec!["1".to_owned()], ReadMarks::default()));
    assert_eq!(boundary(MAX_BOUNDARY + 1), (vec![], ReadMarks::MALFORMED));
}
