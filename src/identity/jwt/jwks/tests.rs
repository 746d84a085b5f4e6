//! Which keys of a set are used, and what is said about the others.

use serde_json::json;

use super::*;

fn encode(bytes: impl AsRef<[u8]>) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

/// Adds members to a key; `null` takes one away.
fn with(mut key: Value, more: &Value) -> Value {
    for (name, value) in more.as_object().unwrap() {
        if value.is_null() {
            key.as_object_mut().unwrap().remove(name);
        } else {
            key[name] = value.clone();
        }
    }
    key
}

/// RFC 7515 section A.3.1.
fn ec(more: &Value) -> Value {
    let x = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
    let y = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
    with(json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y }), more)
}

/// RFC 8037 section A.2.
fn okp(more: &Value) -> Value {
    with(json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" }), more)
}

fn oct(more: &Value) -> Value {
    with(json!({ "kty": "oct", "alg": "HS256", "k": encode([7; 32]) }), more)
}

/// No product of two primes, but nobody finds out.
fn rsa_of(bits: usize) -> Value {
    let mut modulus = vec![0xff; bits.div_ceil(8)];
    modulus[0] = 0xff >> (modulus.len() * 8 - bits);
    json!({ "kty": "RSA", "n": encode(modulus), "e": "AQAB" })
}

fn rsa(more: &Value) -> Value {
    with(rsa_of(2048), more)
}

fn read(keys: &[Value]) -> ReadKeys {
    KeySet::from_jwks(&json!({ "keys": keys }).to_string()).unwrap()
}

/// Why a key that stands alone is not used; empty if it is.
fn reason(key: Value) -> String {
    let read = read(&[key]);
    assert_eq!(read.keys.len() + read.skipped.len(), 1);
    read.skipped.into_iter().map(|(_, reason)| reason).collect()
}

#[test]
fn every_kind_of_key_is_used() {
    for key in [ec(&json!({})), okp(&json!({})), oct(&json!({})), rsa(&json!({}))] {
        assert_eq!(reason(key.clone()), "", "{key}");
    }
    for (key, algorithm) in [
        (ec(&json!({})), "ES256"),
        (okp(&json!({})), "EdDSA"),
        (okp(&json!({})), "Ed25519"),
        (oct(&json!({})), "HS256"),
        (rsa(&json!({})), "RS512"),
        (rsa(&json!({})), "PS256"),
    ] {
        assert_eq!(reason(with(key, &json!({ "alg": algorithm }))), "", "{algorithm}");
    }
    let much =
        json!({ "use": "sig", "key_ops": ["verify"], "kid": "k", "x5c": ["AAAA"], "x5t": "AA", "unheard of": {} });
    assert_eq!(reason(with(ec(&json!({})), &much)), "");
}

#[test]
fn a_key_names_the_algorithms_it_is_for() {
    let all =
        ["HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"];
    let admitted = |key: Value| {
        let set = read(&[key]).keys;
        let key = set.answering(None).next().unwrap().clone();
        all.iter().copied().filter(|name| key.admits(Algorithm::named(name).unwrap())).collect::<Vec<_>>()
    };
    assert_eq!(admitted(oct(&json!({}))), ["HS256"]);
    assert_eq!(admitted(oct(&json!({ "alg": "HS512", "k": encode([7; 64]) }))), ["HS512"]);
    assert_eq!(admitted(rsa(&json!({}))), ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]);
    assert_eq!(admitted(rsa(&json!({ "alg": "PS384" }))), ["PS384"]);
    assert_eq!(admitted(ec(&json!({}))), ["ES256"]);
    assert_eq!(admitted(okp(&json!({}))), ["EdDSA"]);
}

#[test]
fn keys_that_are_not_for_verifying_are_left_out() {
    let off = |more: &Value| reason(ec(more));
    assert_eq!(off(&json!({ "use": "enc" })), "its use is not \"sig\"");
    assert_eq!(off(&json!({ "use": "" })), "its use is not \"sig\"");
    assert_eq!(off(&json!({ "use": ["sig"] })), "its use is not a string");
    assert_eq!(off(&json!({ "key_ops": [] })), "its key_ops do not hold \"verify\"");
    assert_eq!(off(&json!({ "key_ops": ["sign"] })), "its key_ops do not hold \"verify\"");
    assert_eq!(off(&json!({ "key_ops": "verify" })), "its key_ops do not hold \"verify\"");
    assert_eq!(off(&json!({ "alg": "ECDH-ES" })), "\"ECDH-ES\" is not verified here");
    assert_eq!(off(&json!({ "alg": "none" })), "\"none\" is not verified here");
    assert_eq!(off(&json!({ "alg": 256 })), "its alg is not a string");
    assert_eq!(off(&json!({ "alg": "x".repeat(99) })), format!("{:?} is not verified here", "x".repeat(32)));
    for algorithm in ["ES384", "RS256", "HS256", "EdDSA"] {
        assert_eq!(off(&json!({ "alg": algorithm })), "its alg does not fit its type", "{algorithm}");
    }
    assert_eq!(off(&json!({ "kid": 7 })), "its kid is not a string");
    assert_eq!(off(&json!({ "kty": null })), "it has no kty");
    assert_eq!(off(&json!({ "kty": "ec" })), "\"ec\" is not a type of key known here");
    for nothing in [json!(null), json!(1), json!("x"), json!([]), json!({})] {
        assert_eq!(reason(nothing.clone()), "it has no kty", "{nothing}");
    }
}

#[test]
fn a_key_with_private_parts_is_not_used() {
    assert_eq!(reason(ec(&json!({ "d": "AA" }))), "it holds a private key");
    assert_eq!(reason(okp(&json!({ "d": "AA" }))), "it holds a private key");
    for name in ["d", "p", "q", "dp", "dq", "qi", "oth"] {
        assert_eq!(reason(rsa(&json!({ name: "AA" }))), "it holds a private key", "{name}");
    }
}

#[test]
fn points_have_to_be_on_their_curve() {
    let wrong_length = "its x does not have 32 bytes";
    assert_eq!(reason(ec(&json!({ "x": encode([1; 31]) }))), wrong_length);
    assert_eq!(reason(ec(&json!({ "x": encode([0; 33]) }))), wrong_length);
    assert_eq!(reason(ec(&json!({ "crv": "P-384" }))), "its x does not have 48 bytes");
    let off = "its point is not on the curve";
    assert_eq!(reason(ec(&json!({ "x": encode([0; 32]), "y": encode([0; 32]) }))), off);
    assert_eq!(reason(ec(&json!({ "y": encode([0xff; 32]) }))), off, "beyond the field");
    assert_eq!(reason(ec(&json!({ "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU=" }))), "its x is not base64url");
    assert_eq!(reason(ec(&json!({ "x": null }))), "it has no x");
    assert_eq!(reason(ec(&json!({ "crv": "secp256k1" }))), "\"secp256k1\" is not a curve known here");
    assert_eq!(reason(ec(&json!({ "crv": null }))), "it has no crv");
    assert_eq!(reason(okp(&json!({ "crv": "X25519" }))), "\"X25519\" is not a curve known here");
    assert_eq!(reason(okp(&json!({ "x": encode([1; 31]) }))), wrong_length);
    let mut neutral = [0; 32];
    neutral[0] = 1;
    assert_eq!(reason(okp(&json!({ "x": encode(neutral) }))), "its point is of small order");
    assert_eq!(reason(okp(&json!({ "x": encode([2; 32]) }))), off);
}

#[test]
fn moduli_and_exponents_have_bounds() {
    for (bits, expected) in [
        (2047, "its modulus has 2047 bits; 2048 to 8192 are allowed"),
        (2048, ""),
        (2049, ""),
        (8192, ""),
        (8193, "its modulus has 8193 bits; 2048 to 8192 are allowed"),
    ] {
        assert_eq!(reason(rsa_of(bits)), expected);
    }
    assert_eq!(reason(rsa(&json!({ "n": encode([0; 256]) }))), "its modulus is zero");
    assert_eq!(reason(rsa(&json!({ "n": "" }))), "its modulus is zero");
    let mut even = [0xff; 256];
    even[255] = 0xfe;
    assert_eq!(reason(rsa(&json!({ "n": encode(even) }))), "its modulus is even");
    let mut signed = vec![0, 0];
    signed.extend([0xff; 256]);
    assert_eq!(reason(rsa(&json!({ "n": encode(signed) }))), "", "zeros in front do not count");
    let exponent = |value: u128| reason(rsa(&json!({ "e": encode(value.to_be_bytes()) })));
    for value in [3, 17, 65537, (1 << 33) - 1] {
        assert_eq!(exponent(value), "", "{value}");
    }
    for value in [0, 1, 2, 4, 65536, 1 << 33, (1 << 33) + 1, (1 << 64) + 3, u128::MAX] {
        assert_eq!(exponent(value), "its exponent is not an odd number from 3 to 2^33", "{value}");
    }
    assert_eq!(reason(rsa(&json!({ "e": 65537 }))), "its e is not a string");
}

#[test]
fn secrets_are_as_long_as_their_hash_and_say_what_they_are_for() {
    for (algorithm, least) in [("HS256", 32), ("HS384", 48), ("HS512", 64)] {
        let short = format!("the secret has {} bytes, its algorithm needs {least}", least - 1);
        let secret = |length| oct(&json!({ "alg": algorithm, "k": encode(vec![7; length]) }));
        assert_eq!(reason(secret(least)), "");
        assert_eq!(reason(secret(least - 1)), short);
        assert!(KeySet::hmac(None, algorithm, &vec![7; least]).is_ok());
        assert_eq!(KeySet::hmac(None, algorithm, &vec![7; least - 1]), Err(short));
    }
    let no_alg = "a secret needs HS256, HS384 or HS512 as its alg";
    assert_eq!(reason(oct(&json!({ "alg": null }))), no_alg);
    assert_eq!(reason(oct(&json!({ "alg": "RS256" }))), no_alg);
    for algorithm in ["", "none", "hs256", "RS256", "EdDSA"] {
        assert_eq!(KeySet::hmac(None, algorithm, &[7; 64]), Err(no_alg.to_owned()), "{algorithm}");
    }
}

#[test]
fn a_secret_among_public_keys_is_no_secret() {
    let read = read(&[oct(&json!({})), ec(&json!({})), oct(&json!({ "k": encode([8; 32]) }))]);
    let why = "it is a secret in a set of public keys".to_owned();
    assert_eq!(read.skipped, [(0, why.clone()), (2, why)]);
    assert_eq!(read.keys.len(), 1);
}

#[test]
fn different_keys_of_one_name_are_both_left_out() {
    let why = || "another key of the set has the same kid and algorithm".to_owned();
    let secret = |byte: u8, more: &Value| with(oct(&json!({ "kid": "k", "k": encode([byte; 64]) })), more);
    let both = [(0, why()), (1, why())];
    assert_eq!(read(&[secret(1, &json!({})), secret(2, &json!({}))]).skipped, both);
    let modulus = |bits, more: &Value| with(with(rsa_of(bits), &json!({ "kid": "k" })), more);
    assert_eq!(read(&[modulus(2048, &json!({ "alg": "RS256" })), modulus(3072, &json!({}))]).skipped, both);
    let broken = read(&[secret(1, &json!({})), secret(2, &json!({ "k": "?" }))]);
    assert_eq!(broken.skipped, [(0, why()), (1, "its k is not base64url".to_owned())]);
    for (first, second) in [
        // The same key twice.
        (secret(1, &json!({})), secret(1, &json!({}))),
        (modulus(2048, &json!({ "alg": "RS256" })), modulus(2048, &json!({ "alg": "PS256" }))),
        // A token tells by its algorithm or type which one it means.
        (secret(1, &json!({})), secret(2, &json!({ "alg": "HS512" }))),
        (modulus(2048, &json!({})), ec(&json!({ "kid": "k" }))),
        (secret(1, &json!({})), secret(2, &json!({ "kid": "K" }))),
        // No name.
        (secret(1, &json!({ "kid": null })), secret(2, &json!({ "kid": null }))),
    ] {
        assert_eq!(read(&[first.clone(), second.clone()]).skipped, [], "{first} {second}");
    }
    let read = read(&[secret(1, &json!({})), secret(2, &json!({ "use": "enc" }))]);
    assert_eq!(read.keys.len(), 1, "a key for encryption may have the same name");
}

#[test]
fn what_is_no_set_is_an_error_and_a_set_may_be_empty() {
    assert_eq!(KeySet::from_jwks(""), Err(JwksError::NotJson));
    assert_eq!(KeySet::from_jwks("{\"keys\":[]} x"), Err(JwksError::NotJson));
    for no_set in ["[]", "{}", "{\"keys\":{}}", "null", &ec(&json!({})).to_string()] {
        assert_eq!(KeySet::from_jwks(no_set), Err(JwksError::NoKeys), "{no_set}");
    }
    assert_eq!(KeySet::from_jwks("{\"keys\":[],\"more\":1}"), Ok(ReadKeys::default()));
    assert!(KeySet::default().is_empty());
}

#[test]
fn sets_are_read_up_to_their_limits() {
    let padded = |length: usize| format!("{{\"keys\":[]}}{}", " ".repeat(length - 11));
    assert_eq!(KeySet::from_jwks(&padded(MAX_JWKS_BYTES)), Ok(ReadKeys::default()));
    assert_eq!(KeySet::from_jwks(&padded(MAX_JWKS_BYTES + 1)), Err(JwksError::TooLong));
    let many = |count: usize| read(&vec![oct(&json!({})); count]);
    assert_eq!((many(MAX_KEYS).keys.len(), many(MAX_KEYS).skipped.len()), (MAX_KEYS, 0));
    assert_eq!(many(MAX_KEYS + 2).keys.len(), MAX_KEYS);
    assert_eq!(many(MAX_KEYS + 2).skipped, [(MAX_KEYS, "the set has more than 100 keys".to_owned())]);
}

#[test]
fn neither_keys_nor_reasons_show_a_secret() {
    let secret = "a secret that is long enough, is it?";
    let keys = KeySet::hmac(Some("k"), "HS256", secret.as_bytes()).unwrap();
    let shown = format!("{keys:?}");
    assert!(shown.contains("secret") && shown.contains("Hs256") && shown.contains('k'), "{shown}");
    assert!(!shown.contains(secret) && !shown.contains("97, 32"), "{shown}");
    let short = read(&[oct(&json!({ "k": encode("sesame") }))]);
    assert!(!format!("{short:?}").contains(&encode("sesame")));
}
