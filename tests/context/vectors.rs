//! The vectors of `examples/verify-context`: what an origin must believe, and what it must not.
//!
//! The signatures are what `Signer` makes. Only those that it would never make are made by hand, in `refused.rs`.

mod accepted;
mod refused;

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};
use throughline::context::{Context, Signer, Target, merge};
use throughline::session::SessionId;
use throughline::verdict::Action;

const KEYS: [(&str, &str); 4] = [
    ("current", "current-key-of-the-vectors-0123456789abcdef"),
    ("previous", "previous-key-of-the-vectors-0123456789abcde"),
    ("stranger", "a-key-that-the-origin-does-not-have-0123456"),
    ("short", "thirty-one-bytes-are-too-few-!!"),
];
const CREATED: u64 = 1_700_000_000;
const NONCE: &str = "01HF7YAT00000000000000000N";

/// The file, as text: one line a vector.
pub fn published() -> String {
    let keys: BTreeMap<_, _> = KEYS.into_iter().collect();
    let vectors = accepted::vectors().into_iter().chain(refused::vectors());
    let lines: Vec<_> = vectors.map(|vector| serde_json::to_string(&vector).unwrap()).collect();
    let keys = serde_json::to_string(&keys).unwrap();
    format!("{{\n\"keys\": {keys},\n\"vectors\": [\n{}\n]\n}}\n", lines.join(",\n"))
}

#[derive(Serialize)]
struct Vector {
    name: &'static str,
    /// Names of the keys that the origin has.
    keys: Vec<&'static str>,
    /// The time at the origin, epoch seconds.
    now: u64,
    request: Request,
    /// What `verify` gives, or `refused` with the reason.
    expect: Value,
}

/// The request as the origin sees it.
#[derive(Serialize)]
struct Request {
    method: &'static str,
    authority: &'static str,
    path: &'static str,
    query: Option<&'static str>,
    headers: Vec<(&'static str, String)>,
}

impl Request {
    fn header(&mut self, wanted: &str) -> &mut String {
        &mut self.headers.iter_mut().find(|(name, _)| *name == wanted).unwrap().1
    }

    /// Replaces the first `from` in a header that has it.
    fn replace(&mut self, header: &str, from: &str, to: &str) {
        let value = self.header(header);
        assert!(value.contains(from), "{from} is not in {value}");
        *value = value.replacen(from, to, 1);
    }

    fn remove(&mut self, header: &str) {
        self.headers.retain(|(name, _)| *name != header);
    }
}

/// What is signed, and with which key.
struct Case {
    method: &'static str,
    authority: &'static str,
    path: &'static str,
    query: Option<&'static str>,
    context: Context<'static>,
    key: &'static str,
    /// What the client sent as `Signature-Input` and `Signature`.
    client: (&'static str, &'static str),
}

impl Case {
    fn usual() -> Self {
        let context = Context {
            id: SessionId::parse("37207019e3fb56a2db00e5a6417ad68a").unwrap(),
            risk: 42,
            known: true,
            verdict: Action::Allow,
            user: Some("alice"),
            verified: true,
            findings: &["forced_browsing"],
        };
        Self {
            method: "GET",
            authority: "shop.example",
            path: "/api/orders",
            query: Some("page=2&sort=date"),
            context,
            key: "current",
            client: ("", ""),
        }
    }

    fn signer(&self) -> Signer {
        Signer::new(key(self.key)).unwrap()
    }

    /// The request as it leaves the Worker.
    fn request(&self) -> Request {
        let Self { method, authority, path, query, .. } = *self;
        let target = Target {
            method,
            authority,
            is_https: true,
            path,
            query: query.unwrap_or_default(),
            has_query: query.is_some(),
        };
        let signed = self.signer().sign(self.context.header(), &target, CREATED, NONCE);
        let (input, signature) = merge(self.client.0, self.client.1, &signed);
        let headers = vec![
            ("Host", authority.to_owned()),
            ("Session-Context", signed.session_context),
            ("Signature-Input", input),
            ("Signature", signature),
        ];
        Request { method, authority, path, query, headers }
    }

    /// What the origin reads out of it.
    fn expectation(&self) -> Value {
        let Context { id, risk, known, verdict, user, verified, findings } = self.context;
        json!({
            "context": {
                "id": id.to_string(),
                "risk": risk,
                "known": known,
                "verdict": verdict.name(),
                "verified": verified,
                "user": user,
                "findings": findings,
            },
            "keyid": self.signer().key_id(),
            "nonce": NONCE,
            "created": CREATED,
            "expires": CREATED + 60,
        })
    }

    fn vector(&self, name: &'static str) -> Vector {
        Vector { name, keys: vec![self.key], now: CREATED + 1, request: self.request(), expect: self.expectation() }
    }
}

fn key(name: &str) -> &'static str {
    KEYS.iter().find(|(known, _)| *known == name).unwrap().1
}
