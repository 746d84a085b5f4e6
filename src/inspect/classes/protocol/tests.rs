//! Requests that no client makes, and those of proxies and old frameworks.

use super::*;
use crate::inspect::Body;
use crate::inspect::Sign;

fn most(method: &str, path: &str, query: &str, headers: &[(&str, &str)]) -> u8 {
    most_of(&Request { method, host: "api.example.com", path, query, headers, body: None })
}

fn most_of(request: &Request<'_>) -> u8 {
    let mut most = 0;
    let mut tell = |_: Place<'_>, text: &[u8], sign: Sign| {
        assert!(sign.at.end <= text.len());
        most = most.max(sign.confidence);
    };
    judge(request, &mut tell);
    judge_header(PATH, request.path, &mut tell);
    request.headers.iter().for_each(|(name, value)| judge_header(name, value, &mut tell));
    most
}

#[test]
fn headers_that_no_client_sends_are_told() {
    for (name, value) in [
        ("x-http-method-override", "DELETE"),
        ("x-method-override", "TRACE"),
        ("x-original-url", "/admin"),
        ("x-rewrite-url", "/admin/users"),
        ("x-middleware-subrequest", "middleware:middleware:middleware"),
        ("proxy", "http://attacker.example:8080"),
        ("x-custom-ip-authorization", "127.0.0.1"),
        ("connection", "close, X-Forwarded-For"),
        ("connection", "keep-alive, Authorization"),
        ("transfer-encoding", "xchunked"),
        ("transfer-encoding", "chunked, identity"),
        ("content-type", "application/json, text/xml"),
        ("content-length", "5, 6"),
        ("range", "bytes=0-18446744073709551615"),
        ("range", "bytes=0-,5-0,5-1,5-2,5-3,5-4,5-5,5-6,5-7,5-8,5-9,5-10,5-11,5-12,5-13,5-14,5-15,5-16,5-17,5-18,5-19"),
        ("x-forwarded-host", "api.example.com\"><x"),
        ("x-a", "a\u{1}b"),
    ] {
        assert!(most("GET", "/api", "", &[(name, value)]) >= 80, "{name}: {value}");
    }
    let many = [("x-forwarded-for", "127.0.0.1"), ("x-real-ip", "127.0.0.1"), ("x-client-ip", "127.0.0.1")];
    assert!(most("GET", "/api", "", &many) >= 80);
    assert!(most("POST", "/api", "", &[("content-length", "5"), ("transfer-encoding", "chunked")]) >= 80);
}

#[test]
fn headers_of_proxies_browsers_and_old_frameworks_are_innocent() {
    for (name, value) in [
        ("x-http-method-override", "PATCH"),
        ("x-http-method-override", "GET"),
        ("x-forwarded-for", "203.0.113.5, 10.0.0.1, 127.0.0.1"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-host", "api.example.com, proxy.example.com"),
        ("connection", "keep-alive, Upgrade"),
        ("connection", "Upgrade, HTTP2-Settings"),
        ("transfer-encoding", "gzip, chunked"),
        ("content-type", "multipart/form-data; boundary=\"a, b\""),
        ("content-type", "application/json; charset=utf-8"),
        ("range", "bytes=0-499, 500-999, 2000-"),
        ("range", "bytes=1048576-2097151"),
        ("expect", "100-continue"),
        ("x-original-url", "/api?x=1"),
        ("cookie", "a=1; b=2"),
        ("x-name", "Bj\u{f6}rn"),
        ("te", "trailers"),
    ] {
        assert!(most("POST", "/api", "", &[(name, value)]) < 80, "{name}: {value}");
    }
}

#[test]
fn paths_that_two_servers_read_differently_are_told() {
    for path in [
        "/a%00.jpg",
        "/a%0d%0aSet-Cookie:x",
        "/x/..;/admin",
        "/%c0%ae%c0%ae/x",
        "/files/..%2f..%2fx",
        "/a/%2e%2e%2fb",
        "/a b",
    ] {
        assert!(most("GET", path, "", &[]) >= 80, "{path}");
    }
    for path in [
        "/",
        "/a%20b",
        "/caf%C3%A9",
        "/caf%E9",
        "/group%2Fproject",
        "/x;v=1/y",
        "/a;jsessionid=AB",
        "/100%25",
        "/a//b",
        "/~bob/",
    ] {
        assert!(most("GET", path, "", &[]) < 50, "{path}");
    }
    assert!((50..80).contains(&most("GET", "/admin;/x", "", &[])));
}

#[test]
fn a_form_may_ask_for_another_method_and_a_link_may_not() {
    assert!(most("POST", "/a", "_method=DELETE", &[]) < 50);
    assert!(most("GET", "/a", "x=1&_method=DELETE", &[]) >= 80);
    assert_eq!(most("GET", "/a", "payment_method=card", &[]), 0);
}

#[test]
fn a_body_of_another_kind_is_a_hint() {
    let body = |content_type, bytes| Some(Body { content_type, content_encoding: "", bytes, cut: false });
    let request = |body| Request { method: "POST", host: "h", path: "/", query: "", headers: &[], body };
    assert_eq!(most_of(&request(body("application/json", b"<?xml version='1.0'?><a/>"))), 60);
    assert_eq!(most_of(&request(body("application/json", b" {\"a\":1}"))), 0);
    assert_eq!(most_of(&request(body("text/xml", b"<?xml version='1.0'?><a/>"))), 0);
    assert!(most_of(&Request { host: "a\"b", ..request(None) }) >= 80);
}
