//! Forged tokens and ordinary ones.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;

const CLAIMS: &str = r#"{"sub":"5","iss":"https://login.example.com/"}"#;

fn token(header: &str, signature: &str) -> String {
    format!("{}.{}.{signature}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(CLAIMS))
}

fn confidence(text: &str) -> u8 {
    judge(Place { part: Part::Header, name: "authorization" }, text.as_bytes()).map_or(0, |sign| {
        assert!(sign.at.end <= text.len());
        sign.confidence
    })
}

#[test]
fn headers_of_forged_tokens_are_told() {
    for header in [
        r#"{"alg":"none","typ":"JWT"}"#,
        r#"{"typ":"JWT","alg":"NoNe"}"#,
        r#"{ "alg" : "none" }"#,
        r#"{"alg":"HS256","alg":"none"}"#,
        r#"{"alg":"","typ":"JWT"}"#,
        r#"{"alg":"RS256","jku":"https://attacker.example/jwks.json"}"#,
        r#"{"alg":"RS256","jku":"https://login.example.com@attacker.example/jwks.json"}"#,
        r#"{"alg":"RS256","x5u":"http://attacker.example/x.crt"}"#,
        r#"{"alg":"RS256","jwk":{"kty":"RSA","n":"AQAB","e":"AQAB"}}"#,
        r#"{"alg":"HS256","kid":"../../../../dev/null"}"#,
        r#"{"alg":"HS256","kid":"/dev/null"}"#,
        r#"{"alg":"HS256","kid":"x' UNION SELECT 'key'-- -"}"#,
        r#"{"alg":"HS256","kid":"key.pem|whoami"}"#,
        r#"{"alg":"HS256","kid":"$(id)"}"#,
    ] {
        assert!(confidence(&format!("Bearer {}", token(header, "c2ln"))) >= 80, "{header}");
    }
}

#[test]
fn a_token_without_its_signature_is_told_and_only_a_token() {
    let header = r#"{"alg":"HS256","typ":"JWT"}"#;
    assert!(confidence(&token(header, "")) >= 80);
    assert!(confidence(&format!("Bearer {}", token(r#"{"alg":"none"}"#, ""))) >= 80);
    let cut = token(header, "").trim_end_matches('.').to_owned();
    assert_eq!(confidence(&cut), 0, "cut in a log");
    assert_eq!(confidence("eyes.nose."), 0);
}

#[test]
fn ordinary_tokens_are_innocent() {
    for header in [
        r#"{"alg":"RS256","kid":"6e8bc430-9c3a-11d9-9669-0800200c9a66","typ":"JWT"}"#,
        r#"{"alg":"HS256","typ":"JWT"}"#,
        r#"{"alg":"ES256","kid":"NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"}"#,
        r#"{"alg":"EdDSA","kid":"did:key:z6Mk#z6Mk"}"#,
        r#"{"alg":"RS256","x5t":"dGh1bWI","cty":"JWT","kid":"https://vault.example.net/keys/a/1"}"#,
        r#"{"alg":"PS256","kid":"arn:aws:kms:eu-west-1:1:key/ab"}"#,
        r#"{"alg":"RS256","jku":"https://login.example.com/token_keys","kid":"default"}"#,
        r#"{"typ":"dpop+jwt","alg":"ES256","jwk":{"kty":"EC","crv":"P-256","x":"a","y":"b"}}"#,
        r#"{"alg":"RS256","x5c":["MIIB"],"typ":"JWT"}"#,
    ] {
        assert!(confidence(&format!("Bearer {}", token(header, "c2ln"))) < 80, "{header}");
    }
    for opaque in
        ["Bearer ey", "Basic dXNlcjpwYXNz", "v4.local.abc.def", "eyJhbGciOiJkaXIifQ..a.b.c", "Bearer abc.def.ghi"]
    {
        assert_eq!(confidence(opaque), 0, "{opaque}");
    }
}

#[test]
fn a_request_object_may_be_unsigned() {
    let place = Place { part: Part::Query, name: "request" };
    let sign = judge(place, token(r#"{"alg":"none"}"#, "").as_bytes()).unwrap();
    assert!(sign.confidence < 80);
}
