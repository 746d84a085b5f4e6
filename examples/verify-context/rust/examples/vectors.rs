//! Runs the vectors through verify.rs: `cargo run --example vectors [../vectors.json]`. Exits with 1 if any comes out
//! otherwise.

use std::process::ExitCode;

use serde_json::{Value, json};
use verify_context::{Request, verify};

fn main() -> ExitCode {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../vectors.json");
    let file = std::env::args().nth(1).unwrap_or_else(|| default.to_owned());
    let published = std::fs::read_to_string(&file).expect("the vectors can be read");
    let published: Value = serde_json::from_str(&published).expect("the vectors are JSON");
    let vectors = published["vectors"].as_array().expect("there are vectors");
    let mut wrong = 0;
    for vector in vectors {
        let got = outcome(vector, &published["keys"]);
        if got != vector["expect"] {
            wrong += 1;
            eprintln!("{}: expected {}, got {got}", vector["name"], vector["expect"]);
        }
    }
    println!("{} vectors, {wrong} wrong", vectors.len());
    if wrong > 0 || vectors.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn outcome(vector: &Value, keys: &Value) -> Value {
    let text = |value: &'_ Value| value.as_str().unwrap_or_default().to_owned();
    let request = &vector["request"];
    let (method, authority) = (text(&request["method"]), text(&request["authority"]));
    let (path, query) = (text(&request["path"]), text(&request["query"]));
    let headers = request["headers"].as_array().expect("there are headers");
    let headers: Vec<(String, String)> = headers.iter().map(|line| (text(&line[0]), text(&line[1]))).collect();
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let request = Request { method: &method, authority: &authority, path: &path, query: &query, headers: &headers };
    let names = vector["keys"].as_array().expect("there are keys");
    let keys: Vec<String> = names.iter().map(|name| text(&keys[name.as_str().unwrap_or_default()])).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    match verify(&request, &keys, vector["now"].as_i64().unwrap_or_default()) {
        Err(refusal) => json!({ "refused": refusal.reason() }),
        Ok(verified) => json!({
            "context": {
                "id": verified.context.id,
                "risk": verified.context.risk,
                "known": verified.context.known,
                "verdict": verified.context.verdict,
                "verified": verified.context.verified,
                "user": verified.context.user,
                "findings": verified.context.findings,
            },
            "keyid": verified.keyid,
            "nonce": verified.nonce,
            "created": verified.created,
            "expires": verified.expires,
        }),
    }
}
