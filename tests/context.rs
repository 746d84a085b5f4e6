//! `Session-Context` from signing to verifying: the formats that origins rely on, and the code they copy.
//!
//! The origin's half is `examples/verify-context/`. Its vectors are made here, and its Rust file is part of this test;
//! `vectors.test.mjs` there holds the others to the same vectors. `THROUGHLINE_WRITE_VECTORS=1` writes them anew, for the next run.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

#[path = "context/vectors.rs"]
mod vectors;
#[path = "../examples/verify-context/rust/src/verify.rs"]
mod verify;

use std::collections::BTreeSet;
use std::fs;

use proptest::prelude::*;
use serde_json::{Value, json};
use throughline::context::{Context, MAX_USER_BYTES, Signer, Target, merge};
use throughline::session::SessionId;
use throughline::verdict::Action;

const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/verify-context/vectors.json");
const KEY: &str = "golden-key-golden-key-golden-key";
const TARGET: Target<'_> = Target {
    method: "GET",
    authority: "shop.example",
    is_https: true,
    path: "/api/orders/1001",
    query: "expand=items",
    has_query: true,
};

fn context() -> Context<'static> {
    Context {
        id: SessionId::parse("37207019e3fb56a2db00e5a6417ad68a").unwrap(),
        risk: 42,
        known: true,
        verdict: Action::Tag,
        user: Some("Zoë"),
        verified: true,
        findings: &["forced_browsing"],
    }
}

#[test]
fn the_context_of_a_request_keeps_its_bytes() {
    // Origins read and verify these bytes with code of their own: what changes here breaks them.
    let unknown = Context { risk: 0, known: false, user: None, verified: false, findings: &[], ..context() };
    let plain = Context { verdict: Action::Allow, user: Some("a \"b\" \\"), findings: &["sqli", "bola"], ..context() };
    let lines = [context().header(), unknown.header(), plain.header()].join("\n") + "\n";
    assert_eq!(lines, include_str!("golden/context/session-context.txt"));
    let signer = Signer::new(KEY).unwrap();
    let signed = signer.sign(context().header(), &TARGET, 1_700_000_000, "01HF7YAT00000000000000000N");
    let lines = format!("{}\n{}\n{}\n", signed.session_context, signed.signature_input, signed.signature);
    assert_eq!(lines, include_str!("golden/context/signed.txt"));
}

#[test]
fn the_published_vectors_are_what_the_signer_makes() {
    let made = vectors::published();
    if std::env::var_os("THROUGHLINE_WRITE_VECTORS").is_some() {
        fs::write(VECTORS, &made).unwrap();
    }
    assert!(fs::read_to_string(VECTORS).unwrap() == made, "vectors.json is not what is made now");
}

#[test]
fn the_vectors_show_every_way_to_be_refused() {
    let vectors: Value = serde_json::from_str(&fs::read_to_string(VECTORS).unwrap()).unwrap();
    let vectors = vectors["vectors"].as_array().unwrap();
    let names: BTreeSet<_> = vectors.iter().map(|vector| vector["name"].as_str().unwrap()).collect();
    assert_eq!(names.len(), vectors.len(), "a name is there twice");
    let reasons: BTreeSet<_> = vectors.iter().filter_map(|vector| vector["expect"]["refused"].as_str()).collect();
    let all = ["unsigned", "malformed", "components", "algorithm", "key", "future", "lifetime", "expired", "mismatch"];
    assert_eq!(reasons, BTreeSet::from(all));
    assert!(vectors.iter().filter(|vector| vector["expect"]["context"].is_object()).count() >= 20);
}

#[test]
fn the_rust_snippet_agrees_with_every_vector() {
    let published: Value = serde_json::from_str(&fs::read_to_string(VECTORS).unwrap()).unwrap();
    for vector in published["vectors"].as_array().unwrap() {
        assert_eq!(outcome(vector, &published["keys"]), vector["expect"], "{}", vector["name"]);
    }
}

fn outcome(vector: &Value, keys: &Value) -> Value {
    let request = &vector["request"];
    let headers = request["headers"].as_array().unwrap().iter();
    let headers: Vec<_> = headers.map(|line| (line[0].as_str().unwrap(), line[1].as_str().unwrap())).collect();
    let request = verify::Request {
        method: request["method"].as_str().unwrap(),
        authority: request["authority"].as_str().unwrap(),
        path: request["path"].as_str().unwrap(),
        query: request["query"].as_str().unwrap_or_default(),
        headers: &headers,
    };
    let names = vector["keys"].as_array().unwrap().iter();
    let keys: Vec<_> = names.map(|name| keys[name.as_str().unwrap()].as_str().unwrap()).collect();
    match verify::verify(&request, &keys, vector["now"].as_i64().unwrap()) {
        Err(refusal) => json!({ "refused": refusal.reason() }),
        Ok(verify::Verified { context, keyid, nonce, created, expires }) => {
            let verify::Context { id, risk, known, verdict, verified, user, findings } = context;
            let context = json!({
                "id": id, "risk": risk, "known": known, "verdict": verdict,
                "verified": verified, "user": user, "findings": findings,
            });
            json!({ "context": context, "keyid": keyid, "nonce": nonce, "created": created, "expires": expires })
        }
    }
}

/// Text out of what Structured Fields are made of, well-formed now and then.
fn client_field() -> impl Strategy<Value = String> {
    let pieces = [
        "sig1=(\"@method\");created=1",
        "throughline=()",
        "throughline",
        "a=\"x, \\\"y\"",
        "b=%\"\\\"",
        "c=%\"%c3%ab\"",
        "d=:AA==:",
        "e=?0;f",
        "g=*t/%",
        "h=(1 2.5);i=@3",
        ", ",
        ", ",
        ", ",
        ",",
        "\"",
        "%\"",
        "\\",
        "(",
        ";",
        "=",
        " ",
    ];
    prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..8).prop_map(|chosen| chosen.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn whatever_the_client_sends_ours_verifies(
        user in proptest::option::of(".{0,200}"),
        (risk, known, verified) in (0u8..=100, any::<bool>(), any::<bool>()),
        path in "(/[!-~&&[^?#]]{0,20}){0,3}",
        query in proptest::option::of("[!-~&&[^#]]{0,40}"),
        (input, signature) in (client_field(), client_field()),
        changed_byte in any::<prop::sample::Index>(),
    ) {
        let context = Context { risk, known, verified, user: user.as_deref(), ..context() };
        let target = Target { path: &path, query: query.as_deref().unwrap_or(""), has_query: query.is_some(), ..TARGET };
        let signed = Signer::new(KEY).unwrap().sign(context.header(), &target, 1_700_000_000, "N");
        let (input, signature) = merge(&input, &signature, &signed);
        let judged = |context: &str| {
            let headers = [("session-context", context), ("signature-input", &input), ("signature", &signature)];
            let request =
                verify::Request { method: "GET", authority: "shop.example", path: &path, query: target.query, headers: &headers };
            verify::verify(&request, &[KEY], 1_700_000_000)
        };
        let read = judged(&signed.session_context).unwrap().context;
        let sent = user.as_ref().map(|user| user.split_at(user.floor_char_boundary(MAX_USER_BYTES)).0.to_owned());
        prop_assert_eq!((read.user, read.risk, read.known, read.verified), (sent, i64::from(risk), known, verified));

        let mut bytes = signed.session_context.into_bytes();
        let at = changed_byte.index(bytes.len());
        bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
        prop_assert_eq!(judged(&String::from_utf8(bytes).unwrap()), Err(verify::Refusal::Mismatch));
    }
}
