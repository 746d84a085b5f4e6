//! Tokens: every algorithm, every known way of getting a token past a verifier, and test vectors.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "tests fail by panicking"
)]

#[path = "support/jose.rs"]
mod jose;
#[path = "support/jose_vectors.rs"]
mod jose_vectors;

use std::fs;

use hmac::Hmac;
use jose::{encode, mac, private, public, raw_token, set, signed, token};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};
use sha2::{Sha256, Sha384, Sha512};
use throughline::identity::jwt::{Issuer, KeySet, Refusal, Verified, unverified, verify, verify_signature};

const NOW_MS: u64 = 1_800_000_000_000;
const PAYLOAD: &str = r#"{"sub":"alice","exp":1800000060}"#;

/// Every algorithm with a key for it.
const ALGORITHMS: [(&str, &str); 12] = [
    ("HS256", "secret"),
    ("HS384", "secret"),
    ("HS512", "secret"),
    ("RS256", "rsa"),
    ("RS384", "rsa"),
    ("RS512", "rsa"),
    ("PS256", "rsa"),
    ("PS384", "rsa"),
    ("PS512", "rsa"),
    ("ES256", "p256"),
    ("ES384", "p384"),
    ("EdDSA", "ed25519"),
];

fn read(keys: &[Value]) -> KeySet {
    let read = KeySet::from_jwks(&set(keys)).unwrap();
    assert_eq!(read.skipped, [], "{keys:?}");
    read.keys
}

/// What the named key's issuer publishes, pinned to one algorithm.
fn pinned(key: &str, alg: &str) -> KeySet {
    read(&[public(key, &json!({ "alg": alg, "kid": "k" }))])
}

/// The named key with no algorithm given.
fn open(key: &str) -> KeySet {
    read(&[public(key, &json!({ "kid": "k" }))])
}

fn header(alg: &str) -> Value {
    json!({ "alg": alg, "kid": "k" })
}

fn by(token: &str, keys: &KeySet) -> Result<Verified, Refusal> {
    verify(token, &[Issuer { keys: keys.clone(), ..Issuer::default() }], NOW_MS)
}

/// The token with other bytes in its header, payload or signature (0, 1, 2).
fn with_part(token: &str, part: usize, change: impl Fn(Vec<u8>) -> Vec<u8>) -> String {
    let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    parts[part] = encode(change(jose::decode(&parts[part]).unwrap()));
    parts.join(".")
}

#[test]
fn every_algorithm_verifies_what_was_signed_with_it() {
    for (alg, key) in ALGORITHMS {
        let token = token(&header(alg), PAYLOAD, key);
        let verified = by(&token, &pinned(key, alg)).unwrap_or_else(|refusal| panic!("{alg}: {refusal:?}"));
        assert_eq!((&*verified.json, verified.expires_ms), (PAYLOAD, Some(1_800_000_060_000)), "{alg}");
        if key != "secret" {
            assert_eq!(by(&token, &open(key)), Ok(verified), "{alg}");
        }
        assert_eq!(unverified(&token).as_deref(), Some(PAYLOAD));
    }
}

#[test]
fn every_changed_part_is_noticed() {
    for (alg, key) in ALGORITHMS {
        let (keys, token) = (pinned(key, alg), token(&header(alg), PAYLOAD, key));
        let refused = |token: &str, what: &str| {
            assert!(by(token, &keys).is_err(), "{alg}: {what}");
        };
        let flipped = |at: fn(usize) -> usize| {
            move |mut bytes: Vec<u8>| {
                let at = at(bytes.len());
                bytes[at] ^= 1;
                bytes
            }
        };
        for part in 0..3 {
            refused(&with_part(&token, part, flipped(|_| 0)), "first byte");
            refused(&with_part(&token, part, flipped(|length| length / 2)), "middle");
            refused(&with_part(&token, part, flipped(|length| length - 1)), "last byte");
            refused(&with_part(&token, part, |_| Vec::new()), "empty");
        }
        let text = |from: &'static str, to: &'static str| {
            move |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().replace(from, to).into_bytes()
        };
        assert_eq!(by(&with_part(&token, 1, text("alice", "admin")), &keys), Err(Refusal::Signature), "{alg}");
        assert_eq!(by(&with_part(&token, 0, text("{", "{\"x\":1,")), &keys), Err(Refusal::Signature), "{alg}");
        let shorter = |mut bytes: Vec<u8>| {
            bytes.pop();
            bytes
        };
        let longer = |mut bytes: Vec<u8>| {
            bytes.push(0);
            bytes
        };
        let zeros = |bytes: Vec<u8>| vec![0; bytes.len()];
        assert_eq!(by(&with_part(&token, 2, shorter), &keys), Err(Refusal::Signature), "{alg}");
        assert_eq!(by(&with_part(&token, 2, longer), &keys), Err(Refusal::Signature), "{alg}");
        assert_eq!(by(&with_part(&token, 2, zeros), &keys), Err(Refusal::Signature), "{alg}");
        refused(&token[..token.len() - 1], "truncated text");
    }
}

#[test]
fn a_key_of_any_other_kind_verifies_nothing() {
    let keys: Vec<(&str, KeySet)> = ALGORITHMS.into_iter().map(|(alg, key)| (alg, pinned(key, alg))).collect();
    for (alg, key) in ALGORITHMS {
        let token = token(&header(alg), PAYLOAD, key);
        for (other, keys) in keys.iter().filter(|(other, _)| *other != alg) {
            assert_eq!(by(&token, keys), Err(Refusal::Algorithm), "{alg} with a key for {other}");
        }
    }
    for (alg, key, other) in
        [("RS256", "rsa", "rsa_other"), ("ES256", "p256", "p256_other"), ("EdDSA", "ed25519", "ed25519_other")]
    {
        assert_eq!(by(&token(&header(alg), PAYLOAD, key), &open(other)), Err(Refusal::Signature), "{alg}");
    }
}

#[test]
fn the_algorithm_none_is_refused_in_every_spelling() {
    for (_, key) in ALGORITHMS {
        let keys = if key == "secret" { pinned(key, "HS256") } else { open(key) };
        for none in ["none", "None", "NONE", "nOnE", "", " none", "null"] {
            let front = format!("{}.{}", encode(header(none).to_string()), encode(PAYLOAD));
            for signature in ["", "AA", &encode([0; 64])] {
                assert_eq!(by(&format!("{front}.{signature}"), &keys), Err(Refusal::Algorithm), "{none:?}");
            }
        }
    }
    let keys = open("rsa");
    for alg in ["null", "[]", "{}", "0", "[\"none\"]", "true"] {
        let token = format!("{}.{}.AA", encode(format!("{{\"alg\":{alg}}}")), encode(PAYLOAD));
        assert_eq!(by(&token, &keys), Err(Refusal::Malformed("alg is missing or not a string")), "{alg}");
    }
    let missing = format!("{}.{}.AA", encode("{}"), encode(PAYLOAD));
    assert_eq!(by(&missing, &keys), Err(Refusal::Malformed("alg is missing or not a string")));
}

#[test]
fn a_public_key_is_never_taken_for_a_secret() {
    // DER and PEM forms are among the vectors in own.json.
    for key in ["rsa", "p256", "p384", "ed25519"] {
        let jwk = public(key, &json!({ "kid": "k" }));
        let member = jwk[if key == "rsa" { "n" } else { "x" }].as_str().unwrap().to_owned();
        for secret in [jwk.to_string().into_bytes(), jose::decode(&member).unwrap(), member.into_bytes(), Vec::new()] {
            for alg in ["HS256", "HS384", "HS512"] {
                let front = format!("{}.{}", encode(header(alg).to_string()), encode(PAYLOAD));
                let tag = match alg {
                    "HS256" => mac::<Hmac<Sha256>>(&secret, front.as_bytes()),
                    "HS384" => mac::<Hmac<Sha384>>(&secret, front.as_bytes()),
                    _ => mac::<Hmac<Sha512>>(&secret, front.as_bytes()),
                };
                assert_eq!(by(&format!("{front}.{}", encode(tag)), &open(key)), Err(Refusal::Algorithm), "{key} {alg}");
            }
        }
    }
}

#[test]
fn keys_in_the_header_are_not_used() {
    let attacker = public("p256_other", &json!({ "kid": "k" }));
    let more = [
        json!({ "jwk": attacker }),
        json!({ "jku": "https://attacker.example/jwks" }),
        json!({ "x5u": "https://attacker.example/chain", "x5c": ["AAAA"], "x5t": "AAAA", "x5t#S256": "AAAA" }),
    ];
    for more in more {
        let mut header = header("ES256");
        header.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        assert_eq!(by(&token(&header, PAYLOAD, "p256_other"), &open("p256")), Err(Refusal::Signature), "{more}");
        assert!(by(&token(&header, PAYLOAD, "p256"), &open("p256")).is_ok(), "{more}");
        let unknown = Refusal::UnknownKey { kid: Some("k".to_owned()), issuer: 0 };
        assert_eq!(by(&token(&header, PAYLOAD, "p256_other"), &KeySet::default()), Err(unknown), "{more}");
    }
}

#[test]
fn one_rsa_key_does_not_lend_its_signatures_to_another_padding() {
    for (signs, claims) in [("RS256", "PS256"), ("PS256", "RS256"), ("RS256", "RS512"), ("PS512", "PS256")] {
        let front = format!("{}.{}", encode(header(claims).to_string()), encode(PAYLOAD));
        let forged = signed(&front, signs, "rsa");
        assert_eq!(by(&forged, &open("rsa")), Err(Refusal::Signature), "{signs} as {claims}");
        assert_eq!(by(&forged, &pinned("rsa", signs)), Err(Refusal::Algorithm), "{signs} as {claims}, pinned");
        assert_eq!(by(&forged, &pinned("rsa", claims)), Err(Refusal::Signature), "{signs} as {claims}, pinned");
    }
}

#[test]
fn a_signature_of_the_other_curve_is_refused() {
    let front = |alg| format!("{}.{}", encode(header(alg).to_string()), encode(PAYLOAD));
    let forged = signed(&front("ES256"), "ES384", "p384");
    assert_eq!(by(&forged, &open("p256")), Err(Refusal::Signature));
    assert_eq!(by(&forged, &open("p384")), Err(Refusal::Algorithm));
    let forged = signed(&front("ES384"), "ES256", "p256");
    assert_eq!(by(&forged, &open("p384")), Err(Refusal::Signature));
    assert_eq!(by(&forged, &open("p256")), Err(Refusal::Algorithm));
}

#[test]
fn headers_that_ask_for_an_extension_are_refused() {
    let keys = open("ed25519");
    for more in [
        json!({ "crit": ["exp"], "exp": 1 }),
        json!({ "crit": ["b64"], "b64": false }),
        json!({ "crit": ["alg"] }),
        json!({ "crit": [] }),
        json!({ "crit": null }),
        json!({ "b64": false }),
        json!({ "b64": true }),
    ] {
        let mut header = header("EdDSA");
        header.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        assert_eq!(by(&token(&header, PAYLOAD, "ed25519"), &keys), Err(Refusal::Critical), "{more}");
    }
}

#[test]
fn repeated_members_are_refused_though_signed() {
    let keys = open("ed25519");
    for (header, payload) in [
        (r#"{"alg":"EdDSA","alg":"EdDSA"}"#, PAYLOAD),
        (r#"{"alg":"none","\u0061lg":"EdDSA"}"#, PAYLOAD),
        (r#"{"alg":"EdDSA","kid":"k","kid":"k"}"#, PAYLOAD),
        (r#"{"alg":"EdDSA","x":1,"x":2}"#, PAYLOAD),
        (r#"{"alg":"EdDSA"}"#, r#"{"exp":1800000060,"sub":"alice","sub":"admin"}"#),
        (r#"{"alg":"EdDSA"}"#, r#"{"exp":1,"exp":1800000060}"#),
    ] {
        let token = raw_token(header, payload.as_bytes(), "EdDSA", "ed25519");
        assert_eq!(by(&token, &keys), Err(Refusal::Duplicate), "{header} {payload}");
    }
    let nested = raw_token(r#"{"alg":"EdDSA","jwk":{"x":1,"x":2}}"#, PAYLOAD.as_bytes(), "EdDSA", "ed25519");
    assert!(by(&nested, &keys).is_ok(), "what is ignored may be anything");
}

#[test]
fn a_token_has_one_spelling_only() {
    let keys = open("ed25519");
    let good = token(&header("EdDSA"), PAYLOAD, "ed25519");
    assert!(by(&good, &keys).is_ok());
    let (front, signature) = good.rsplit_once('.').unwrap();
    let (head, payload) = front.split_once('.').unwrap();
    // 64 bytes leave four bits of the last character without meaning.
    let last = signature.chars().last().unwrap();
    for other in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".chars().filter(|c| *c != last) {
        let changed = format!("{front}.{}{other}", &signature[..signature.len() - 1]);
        assert!(by(&changed, &keys).is_err(), "{other}");
    }
    for changed in [
        format!("{good}=="),
        format!("{good}="),
        format!(" {good}"),
        format!("{good} "),
        format!("{good}\n"),
        format!("{front}. {signature}"),
        format!("{head}=.{payload}.{signature}"),
        format!("{head}.{payload}=.{signature}"),
        good.replace(['-', '_'], "+"),
        format!("{front}\u{200b}.{signature}"),
    ] {
        assert!(changed == good || by(&changed, &keys).is_err(), "{changed}");
    }
}

#[test]
fn other_numbers_of_parts_are_refused() {
    let keys = open("ed25519");
    let good = token(&header("EdDSA"), PAYLOAD, "ed25519");
    let parts: Vec<&str> = good.split('.').collect();
    let encrypted = Err(Refusal::Malformed("encrypted (JWE), not signed"));
    assert_eq!(by(&format!("{good}.{}.{}", parts[1], parts[2]), &keys), encrypted);
    assert_eq!(by(&format!("{}.....", parts[0]), &keys), Err(Refusal::NoToken));
    assert_eq!(by(&format!("{}.{}.x.y.z", parts[0], parts[1]), &keys), encrypted);
    for no_token in ["", ".", "..", "...", parts[0], &parts[..2].join("."), &format!("{good}."), &format!(".{good}")] {
        assert_eq!(by(no_token, &keys), Err(Refusal::NoToken), "{no_token}");
    }
    assert_eq!(by(&format!("..{}", parts[2]), &keys), Err(Refusal::NoToken));
    assert_eq!(
        by(&format!("{}..{}", parts[0], parts[2]), &keys),
        Err(Refusal::Malformed("there is no payload")),
        "before anything is verified"
    );
    assert_eq!(by(&format!("{}.{}.", parts[0], parts[1]), &keys), Err(Refusal::Malformed("there is no signature")));
    let json = json!({ "payload": parts[1], "protected": parts[0], "signature": parts[2] }).to_string();
    assert_eq!(by(&json, &keys), Err(Refusal::NoToken));
}

#[test]
fn a_payload_of_any_bytes_is_signed_content_but_no_token() {
    let keys = open("ed25519");
    for payload in [&b""[..], b"foo", b"\xff\x00", b"[]"] {
        let token = raw_token(r#"{"alg":"EdDSA"}"#, payload, "EdDSA", "ed25519");
        assert_eq!(verify_signature(&token, &keys).as_deref(), Ok(payload));
        assert!(matches!(by(&token, &keys), Err(Refusal::Malformed(_))), "{payload:?}");
    }
}

#[test]
fn a_set_with_private_keys_in_it_verifies_nothing_with_them() {
    for (alg, key) in [("RS256", "rsa"), ("ES256", "p256"), ("EdDSA", "ed25519")] {
        let read = KeySet::from_jwks(&set(&[private(key)])).unwrap();
        assert_eq!(read.skipped, [(0, "it holds a private key".to_owned())]);
        let unknown = Refusal::UnknownKey { kid: Some("k".to_owned()), issuer: 0 };
        assert_eq!(by(&token(&header(alg), PAYLOAD, key), &read.keys), Err(unknown));
    }
}

/// Random cases from a fixed seed: a failure comes again.
fn runner(cases: u32) -> TestRunner {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, b"every token is somebody's guess."))
}

#[test]
fn arbitrary_text_is_never_a_token() {
    let keys = read(&["rsa", "p256", "p384", "ed25519"].map(|key| public(key, &json!({}))));
    let alg = proptest::sample::select(vec!["HS256", "RS256", "PS384", "ES256", "ES384", "EdDSA", "none", "x"]);
    let more = proptest::sample::select(vec!["", ",\"kid\":\"k\"", ",\"typ\":\"JWT\"", ",\"x\":[{}]", ",", "}"]);
    let bytes = || proptest::collection::vec(any::<u8>(), 0..100);
    let headed = (alg, more, any::<String>(), bytes()).prop_map(|(alg, more, payload, signature)| {
        let header = format!("{{\"alg\":\"{alg}\"{more}}}");
        format!("{}.{}.{}", encode(header), encode(payload), encode(signature))
    });
    let parts = (bytes(), bytes(), bytes()).prop_map(|(a, b, c)| format!("{}.{}.{}", encode(a), encode(b), encode(c)));
    let text = prop_oneof![any::<String>(), "[A-Za-z0-9_.=-]{0,200}", parts, headed];
    let checked = runner(2_000).run(&text, |text| {
        prop_assert!(by(&text, &keys).is_err());
        prop_assert!(verify_signature(&text, &keys).is_err());
        let _ = unverified(&text);
        Ok(())
    });
    checked.unwrap();
}

#[test]
fn a_changed_token_never_verifies() {
    let genuine: Vec<(String, KeySet)> =
        [("HS256", "secret"), ("RS256", "rsa"), ("ES256", "p256"), ("EdDSA", "ed25519")]
            .map(|(alg, key)| (token(&header(alg), PAYLOAD, key), pinned(key, alg)))
            .to_vec();
    // Where, how many characters go, and what comes instead.
    let change = (any::<proptest::sample::Index>(), 0..3_usize, r"[A-Za-z0-9_.= \PC-]{0,3}");
    let changes = (0..genuine.len(), proptest::collection::vec(change, 1..4));
    let checked = runner(500).run(&changes, |(which, changes)| {
        let (token, keys) = &genuine[which];
        let mut changed: Vec<char> = token.chars().collect();
        for (at, gone, instead) in changes {
            let at = at.index(changed.len() + 1);
            let end = (at + gone).min(changed.len());
            changed.splice(at..end, instead.chars());
        }
        let changed: String = changed.into_iter().collect();
        prop_assert_eq!(by(&changed, keys).is_ok(), changed == *token, "{}", changed);
        Ok(())
    });
    checked.unwrap();
}

#[test]
fn wycheproof_vectors_have_the_right_verdict() {
    // A folder of vector files from elsewhere, or this project's own.
    let files: Vec<(String, String)> = match std::env::var("JOSE_VECTORS") {
        Ok(folder) => {
            let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("JOSE_VECTORS={folder}: {error}"));
            let paths = entries.map(|entry| entry.unwrap().path());
            let json = paths.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
            json.map(|path| (path.display().to_string(), fs::read_to_string(&path).unwrap())).collect()
        }
        Err(_) => vec![("own.json".to_owned(), include_str!("golden/jose/own.json").to_owned())],
    };
    assert!(!files.is_empty(), "no vector file");
    let outcomes: Vec<_> = files.iter().map(|(name, text)| jose_vectors::run(name, text)).collect();
    for special in outcomes.iter().flat_map(|outcome| &outcome.special) {
        println!("{special}");
    }
    let wrong: Vec<_> = outcomes.iter().flat_map(|outcome| outcome.wrong.clone()).collect();
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(outcomes.iter().all(|outcome| outcome.checked > 0), "a file without vectors");
}
