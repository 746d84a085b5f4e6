//! Vectors that an origin must refuse, each with the reason.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha256;

use super::{CREATED, Case, Vector, key};
use crate::verify::key_id;

pub fn vectors() -> Vec<Vector> {
    let kinds = [other_requests(), other_contexts(), other_times(), other_keys(), unsigned(), malformed(), by_hand()];
    kinds.into_iter().flatten().collect()
}

/// The usual request, signed, and then changed.
fn refused(name: &'static str, reason: &str, change: impl FnOnce(&mut Vector)) -> Vector {
    let mut vector = Case::usual().vector(name);
    change(&mut vector);
    vector.expect = json!({ "refused": reason });
    vector
}

fn other_requests() -> Vec<Vector> {
    vec![
        refused("another method than was signed", "mismatch", |v| v.request.method = "POST"),
        refused("the method in another case", "mismatch", |v| v.request.method = "get"),
        refused("another authority", "mismatch", |v| v.request.authority = "admin.shop.example"),
        refused("another port", "mismatch", |v| v.request.authority = "shop.example:8443"),
        refused("another path", "mismatch", |v| v.request.path = "/api/admin"),
        refused("the path in another encoding", "mismatch", |v| v.request.path = "/api/%6frders"),
        refused("another query", "mismatch", |v| v.request.query = Some("page=3&sort=date")),
        refused("the query taken away", "mismatch", |v| v.request.query = None),
        refused("the query as part of the path", "mismatch", |v| {
            (v.request.path, v.request.query) = ("/api/orders?page=2&sort=date", None);
        }),
        refused("lines of the signature base in the path", "mismatch", |v| {
            (v.request.path, v.request.query) = ("/api/orders\n\"@query\": ?page=2&sort=date", None);
        }),
    ]
}

fn other_contexts() -> Vec<Vector> {
    let other = || "id=\"37207019e3fb56a2db00e5a6417ad68a\", risk=0".to_owned();
    vec![
        refused("a lower risk", "mismatch", |v| v.request.replace("Session-Context", "risk=42", "risk=2")),
        refused("another user", "mismatch", |v| v.request.replace("Session-Context", "alice", "admin")),
        refused("the context written differently", "mismatch", |v| v.request.replace("Session-Context", ", ", ",")),
        refused("a second context after ours", "mismatch", |v| v.request.headers.push(("Session-Context", other()))),
        refused("a second context before ours", "mismatch", |v| {
            v.request.headers.insert(0, ("session-context", other()));
        }),
        refused("an empty context", "mismatch", |v| v.request.header("Session-Context").clear()),
    ]
}

fn other_times() -> Vec<Vector> {
    vec![
        refused("expired this second", "expired", |v| v.now = CREATED + 60),
        refused("expired yesterday", "expired", |v| v.now = CREATED + 86_400),
        refused("6 s from the future", "future", |v| v.now = CREATED - 6),
        refused("a later time written in", "mismatch", |v| {
            v.request.replace("Signature-Input", "created=1700000000", "created=1700000030");
            v.request.replace("Signature-Input", "expires=1700000060", "expires=1700000090");
            v.now = CREATED + 61;
        }),
        refused("another nonce written in", "mismatch", |v| v.request.replace("Signature-Input", "000N", "000P")),
        refused("a nonce written in twice", "mismatch", |v| {
            v.request.replace("Signature-Input", "nonce=", "nonce=\"other\";nonce=\"another\";x=");
        }),
    ]
}

fn other_keys() -> Vec<Vector> {
    let signed_with = |key| Case { key, ..Case::usual() };
    vec![
        refused("a key the origin does not have", "key", |v| v.request = signed_with("stranger").request()),
        refused("the old key after the change", "key", |v| v.request = signed_with("previous").request()),
        refused("another key under the id of ours", "mismatch", |v| {
            let stranger = signed_with("stranger");
            v.request = stranger.request();
            v.request.replace("Signature-Input", stranger.signer().key_id(), Case::usual().signer().key_id());
        }),
        refused("an origin without keys", "key", |v| v.keys.clear()),
    ]
}

fn unsigned() -> Vec<Vector> {
    vec![
        refused("no signature", "unsigned", |v| v.request.remove("Signature")),
        refused("no signature input", "unsigned", |v| v.request.remove("Signature-Input")),
        refused("a context and nothing else", "unsigned", |v| v.request.headers.truncate(2)),
        refused("signed, but no context", "unsigned", |v| v.request.remove("Session-Context")),
        refused("only the client signed", "unsigned", |v| {
            v.request.replace("Signature-Input", "throughline=", "sig1=");
            v.request.replace("Signature", "throughline=", "sig1=");
        }),
        refused("our label in the input only", "unsigned", |v| v.request.replace("Signature", "throughline", "sig1")),
        refused("our label in the signature only", "unsigned", |v| {
            v.request.replace("Signature-Input", "throughline=", "throughline2=");
        }),
        refused("our label inside a string", "unsigned", |v| {
            *v.request.header("Signature") = "sig1=\", throughline=:AA==:\"".to_owned();
        }),
    ]
}

fn malformed() -> Vec<Vector> {
    let signature = |name, value: &str| {
        let value = value.replace("A*", &"A".repeat(40));
        refused(name, "malformed", |v| *v.request.header("Signature") = value)
    };
    let input = |name, value: &str| refused(name, "malformed", |v| *v.request.header("Signature-Input") = value.into());
    vec![
        refused("the signature cut short", "malformed", |v| {
            let signature = v.request.header("Signature");
            signature.truncate(signature.len() - 9);
            signature.push(':');
        }),
        signature("a signature that does not end", "throughline=:A*AAA="),
        signature("a signature without padding", "throughline=:A*AAA:"),
        signature("a signature with bits left over", "throughline=:A*AAB=:"),
        signature("a signature that is too long", "throughline=:A*AAAA:"),
        signature("an empty signature", "throughline=::"),
        signature("a signature in base64url", "throughline=:A*A-_=:"),
        signature("a signature that is a string", "throughline=\"A*AAA=\""),
        signature("a signature that is a list", "throughline=(:A*AAA=:)"),
        signature("a signature without a value", "throughline"),
        signature("junk for a signature", "deadbeef=="),
        signature("our label in another case", "Throughline=:A*AAA=:"),
        input("junk for an input", "{\"alg\":\"none\"}"),
        input("an input that is a string", "throughline=\"@method\""),
        input("an input of tokens", "throughline=(method authority path query session-context)"),
        input("an input that does not end", "throughline=(\"@method\""),
        input("an input with a comma too many", "throughline=(\"@method\"),"),
        input("an input beyond ASCII", "throughline=(\"@méthod\")"),
    ]
}

const ALL: [&str; 5] = ["\"@method\"", "\"@authority\"", "\"@path\"", "\"@query\"", "\"session-context\""];

/// A signature over what no `Signer` signs: `components` as they stand in the list, then `parameters`.
///
/// The key is the origin's own: a verifier has to look at what was signed before it looks whether it was.
fn signed_by_hand(
    name: &'static str,
    reason: &str,
    key_name: &'static str,
    components: &[&str],
    parameters: &str,
) -> Vector {
    refused(name, reason, |v| {
        let context = v.request.header("Session-Context").clone();
        let line = |component: &&str| {
            let value = match component.split('"').nth(1).unwrap() {
                "@method" => "GET",
                "@authority" => "shop.example",
                "@path" => "/api/orders",
                "@query" => "?page=2&sort=date",
                _ => &context,
            };
            format!("{component}: {value}\n")
        };
        let input = format!("({}){parameters}", components.join(" "));
        let base = components.iter().map(line).collect::<String>() + "\"@signature-params\": " + &input;
        let mac = Hmac::<Sha256>::new_from_slice(key(key_name).as_bytes()).unwrap().chain_update(base);
        *v.request.header("Signature-Input") = format!("throughline={input}");
        *v.request.header("Signature") = format!("throughline=:{}:", STANDARD.encode(mac.finalize().into_bytes()));
        v.keys = vec![key_name];
    })
}

fn by_hand() -> Vec<Vector> {
    let [method, authority, path, query, context] = ALL;
    let id = key_id(key("current"));
    let usual = format!(";created=1700000000;expires=1700000060;nonce=\"n\";keyid=\"{id}\";alg=\"hmac-sha256\"");
    let over = |name, components: &[&str]| signed_by_hand(name, "components", "current", components, &usual);
    let with = |name, reason, from: &str, to: &str| {
        assert!(usual.contains(from), "{from}");
        signed_by_hand(name, reason, "current", &ALL, &usual.replacen(from, to, 1))
    };
    vec![
        over("signed without the context", &[method, authority, path, query]),
        over("signed without the method", &[authority, path, query, context]),
        over("signed without the query", &[method, authority, path, context]),
        over("signed in another order", &[method, authority, query, path, context]),
        over("a component signed twice", &[method, authority, path, query, context, context]),
        over("one component more than there should be", &[method, authority, path, query, context, "\"date\""]),
        over("a component with a parameter", &[method, authority, path, "\"@query\";req", context]),
        over("nothing signed", &[]),
        with("another algorithm", "algorithm", "hmac-sha256", "hmac-sha512"),
        with("no algorithm", "algorithm", ";alg=\"hmac-sha256\"", ""),
        with("an algorithm that is a token", "malformed", "\"hmac-sha256\"", "hmac-sha256"),
        with("made to hold for 61 s", "lifetime", "expires=1700000060", "expires=1700000061"),
        with("expired when it was made", "lifetime", "expires=1700000060", "expires=1700000000"),
        with("no expiry", "malformed", ";expires=1700000060", ""),
        with("no time", "malformed", ";created=1700000000", ""),
        with("a time that is a string", "malformed", "created=1700000000", "created=\"1700000000\""),
        with("a time of 16 digits", "malformed", "created=1700000000", "created=0000001700000000"),
        with("no nonce", "malformed", ";nonce=\"n\"", ""),
        with("no key id", "malformed", &format!(";keyid=\"{id}\""), ""),
        with("a parameter that is a boolean", "malformed", ";alg", ";flag;alg"),
        // Above all a key that was never set: everybody can sign with an empty one.
        signed_by_hand("a key under 32 bytes", "key", "short", &ALL, &usual.replace(&id, &key_id(key("short")))),
    ]
}
