//! What is checked of a token that is signed, and who is asked. Signatures of every kind: `tests/jose.rs`.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::*;

pub(super) const NOW_MS: u64 = 1_800_000_000_000;
const NOW: u64 = NOW_MS / 1000;
const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
const OTHER_SECRET: &[u8] = b"another 32 bytes, not less at all";

fn encode(bytes: impl AsRef<[u8]>) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

fn signed_with(secret: &[u8], header: &str, payload: &str) -> String {
    let front = format!("{}.{}", encode(header), encode(payload));
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(secret).unwrap();
    mac.update(front.as_bytes());
    format!("{front}.{}", encode(mac.finalize().into_bytes()))
}

/// A token of the issuer that [`issuer`] is.
pub(super) fn signed(payload: &str) -> String {
    signed_with(SECRET, r#"{"alg":"HS256"}"#, payload)
}

pub(super) fn keys() -> KeySet {
    KeySet::hmac(None, "HS256", SECRET).unwrap()
}

pub(super) fn other_keys() -> KeySet {
    KeySet::hmac(None, "HS256", OTHER_SECRET).unwrap()
}

/// Accepts everything it has signed.
pub(super) fn issuer() -> Issuer {
    Issuer { require_exp: false, keys: keys(), ..Issuer::default() }
}

fn check(payload: &str, issuer: Issuer) -> Result<Verified, Refusal> {
    verify(&signed(payload), &[issuer], NOW_MS)
}

fn refusal(payload: &str, issuer: Issuer) -> Option<Refusal> {
    check(payload, issuer).err()
}

#[test]
fn a_verified_token_tells_issuer_payload_and_times() {
    let payload = format!(r#"{{"sub":"ä", "exp":{}, "nbf":{NOW}.5}}"#, NOW + 60);
    let issuer = Issuer { leeway_ms: 500, ..issuer() };
    let expected = Verified {
        issuer: 0,
        json: payload.as_str().into(),
        expires_ms: Some(NOW_MS + 60_000),
        not_before_ms: Some(NOW_MS + 500),
    };
    assert_eq!(check(&payload, issuer), Ok(expected));
}

#[test]
fn a_token_is_over_at_exp_plus_leeway_and_not_before() {
    for leeway_ms in [0, 1, 30_000] {
        let issuer = [Issuer { leeway_ms, ..issuer() }];
        let token = signed(&format!(r#"{{"exp":{NOW}}}"#));
        assert!(verify(&token, &issuer, NOW_MS + leeway_ms - 1).is_ok(), "leeway {leeway_ms}");
        assert_eq!(verify(&token, &issuer, NOW_MS + leeway_ms), Err(Refusal::Expired), "leeway {leeway_ms}");
        assert_eq!(verify(&token, &issuer, NOW_MS + leeway_ms + 1), Err(Refusal::Expired), "leeway {leeway_ms}");
    }
}

#[test]
fn a_token_is_good_from_nbf_minus_leeway_on() {
    for leeway_ms in [0, 1, 30_000] {
        let issuer = [Issuer { leeway_ms, ..issuer() }];
        let token = signed(&format!(r#"{{"nbf":{NOW}}}"#));
        assert!(verify(&token, &issuer, NOW_MS - leeway_ms).is_ok(), "leeway {leeway_ms}");
        assert_eq!(verify(&token, &issuer, NOW_MS - leeway_ms - 1), Err(Refusal::NotYet), "leeway {leeway_ms}");
    }
}

#[test]
fn dates_may_have_fractions_and_must_be_dates() {
    let times = |payload: &str| check(payload, issuer()).map(|verified| verified.expires_ms);
    assert_eq!(times(&format!(r#"{{"exp":{NOW}.25}}"#)), Ok(Some(NOW_MS + 250)));
    assert_eq!(times(r#"{"exp":1.9e9}"#), Ok(Some(1_900_000_000_000)));
    assert_eq!(times(r#"{"exp":253402300799}"#), Ok(Some(253_402_300_799_000)), "the year 9999");
    for exp in ["253402300800", "1800000000000", "-1", "\"1900000000\"", "null", "true", "[1900000000]", "{}", "1e300"]
    {
        let expected = Err(Refusal::Malformed("exp is not a date"));
        assert_eq!(times(&format!(r#"{{"exp":{exp}}}"#)), expected, "exp {exp}");
    }
    assert_eq!(times(r#"{"nbf":"0"}"#), Err(Refusal::Malformed("nbf is not a date")));
    assert_eq!(times(r#"{"nbf":0}"#), Ok(None));
}

#[test]
fn a_token_without_expiry_is_refused_unless_its_issuer_allows_it() {
    assert_eq!(refusal("{}", Issuer { require_exp: true, ..issuer() }), Some(Refusal::NoExpiry));
    assert_eq!(refusal("{}", issuer()), None);
    assert!(Issuer::default().require_exp);
}

#[test]
fn the_audience_has_to_overlap_where_one_is_configured() {
    let ours = |aud: &[&str]| Issuer { aud: aud.iter().map(|aud| (*aud).to_owned()).collect(), ..issuer() };
    assert_eq!(refusal(r#"{"aud":"api"}"#, ours(&["api"])), None);
    assert_eq!(refusal(r#"{"aud":["web","api"]}"#, ours(&["x", "api"])), None);
    assert_eq!(refusal(r#"{"aud":"API"}"#, ours(&["api"])), Some(Refusal::Audience));
    assert_eq!(refusal(r#"{"aud":["web"]}"#, ours(&["api"])), Some(Refusal::Audience));
    assert_eq!(refusal(r#"{"aud":[]}"#, ours(&["api"])), Some(Refusal::Audience));
    assert_eq!(refusal("{}", ours(&["api"])), Some(Refusal::Audience));
    assert_eq!(refusal(r#"{"aud":"whoever"}"#, ours(&[])), None);
    let malformed = Some(Refusal::Malformed("aud is neither a string nor an array of strings"));
    assert_eq!(refusal(r#"{"aud":1}"#, ours(&[])), malformed);
    assert_eq!(refusal(r#"{"aud":["api",1]}"#, ours(&["api"])), malformed);
}

#[test]
fn only_issuers_of_the_tokens_name_or_of_any_name_are_asked() {
    let named = |iss: &str| Issuer { iss: Some(iss.to_owned()), ..issuer() };
    assert_eq!(refusal(r#"{"iss":"a"}"#, named("a")), None);
    assert_eq!(refusal(r#"{"iss":"a"}"#, named("A")), Some(Refusal::Issuer));
    assert_eq!(refusal(r#"{"iss":"a/"}"#, named("a")), Some(Refusal::Issuer));
    assert_eq!(refusal("{}", named("a")), Some(Refusal::Issuer));
    assert_eq!(refusal(r#"{"iss":1}"#, issuer()), Some(Refusal::Malformed("iss is not a string")));
    assert_eq!(verify(&signed("{}"), &[], NOW_MS), Err(Refusal::NoIssuer));
    let issuers = [issuer(), named("a"), named("b")];
    let by = |payload: &str| verify(&signed(payload), &issuers, NOW_MS).map(|verified| verified.issuer);
    assert_eq!(by(r#"{"iss":"b"}"#), Ok(2), "the name goes before the order");
    assert_eq!(by(r#"{"iss":"c"}"#), Ok(0));
    assert_eq!(by("{}"), Ok(0));
}

#[test]
fn keys_of_one_issuer_do_not_speak_for_another() {
    let issuers = [
        Issuer { iss: Some("a".to_owned()), ..issuer() },
        Issuer { iss: Some("b".to_owned()), keys: other_keys(), ..issuer() },
    ];
    let by = |secret, iss: &str| {
        let token = signed_with(secret, r#"{"alg":"HS256"}"#, &format!(r#"{{"iss":"{iss}"}}"#));
        verify(&token, &issuers, NOW_MS).map(|verified| verified.issuer)
    };
    assert_eq!(by(SECRET, "a"), Ok(0));
    assert_eq!(by(OTHER_SECRET, "b"), Ok(1));
    assert_eq!(by(SECRET, "b"), Err(Refusal::Signature));
    assert_eq!(by(OTHER_SECRET, "a"), Err(Refusal::Signature));
}

#[test]
fn two_issuers_of_one_name_are_asked_in_turn() {
    let issuers = [
        Issuer { iss: Some("a".to_owned()), keys: other_keys(), ..issuer() },
        Issuer { iss: Some("a".to_owned()), ..issuer() },
    ];
    assert_eq!(verify(&signed(r#"{"iss":"a"}"#), &issuers, NOW_MS).map(|verified| verified.issuer), Ok(1));
}

#[test]
fn the_type_is_checked_where_one_is_configured() {
    let by = |typ: &str, allowed: &[&str]| {
        let typed = Issuer { typ: allowed.iter().map(|typ| (*typ).to_owned()).collect(), ..issuer() };
        let header = format!(r#"{{"alg":"HS256"{typ}}}"#);
        verify(&signed_with(SECRET, &header, "{}"), &[typed], NOW_MS).err()
    };
    for typ in ["JWT", "jwt", "at+jwt", "application/at+jwt", "Application/JWT", "whatever", ""] {
        assert_eq!(by(&format!(r#","typ":"{typ}""#), &[]), None, "{typ}");
    }
    assert_eq!(by("", &[]), None);
    for typ in ["at+jwt", "AT+JWT", "application/at+jwt"] {
        let header = format!(r#","typ":"{typ}""#);
        assert_eq!(by(&header, &["at+jwt"]), None, "{typ}");
        assert_eq!(by(&header, &["application/AT+jwt"]), None, "{typ}");
        assert_eq!(by(&header, &["JWT"]), Some(Refusal::Type), "{typ}");
    }
    assert_eq!(by("", &["at+jwt"]), Some(Refusal::Type));
    assert_eq!(by(r#","typ":"text/at+jwt""#, &["at+jwt"]), Some(Refusal::Type));
    assert_eq!(by(r#","typ":"application/at+jwt/x""#, &["at+jwt/x"]), Some(Refusal::Type));
    assert_eq!(by(r#","typ":1"#, &[]), Some(Refusal::Malformed("typ is not a string")));
}

#[test]
fn the_key_id_selects_among_the_keys() {
    let by = |kid: Option<&str>, header: &str| {
        let keys = KeySet::hmac(kid, "HS256", SECRET).unwrap();
        verify(&signed_with(SECRET, header, "{}"), &[Issuer { keys, ..issuer() }], NOW_MS).err()
    };
    let unknown = |kid: &str| Some(Refusal::UnknownKey { kid: Some(kid.to_owned()), issuer: 0 });
    assert_eq!(by(Some("1"), r#"{"alg":"HS256","kid":"1"}"#), None);
    assert_eq!(by(Some("1"), r#"{"alg":"HS256"}"#), None);
    assert_eq!(by(None, r#"{"alg":"HS256","kid":"1"}"#), None);
    assert_eq!(by(Some("1"), r#"{"alg":"HS256","kid":"2"}"#), unknown("2"));
    assert_eq!(by(Some("1"), r#"{"alg":"HS256","kid":""}"#), unknown(""));
    assert_eq!(by(Some("1"), r#"{"alg":"HS256","kid":1}"#), Some(Refusal::Malformed("kid is not a string")));
    // The key is known, only not for this.
    assert_eq!(by(Some("1"), r#"{"alg":"HS512","kid":"1"}"#), Some(Refusal::Algorithm));
}

#[test]
fn a_token_without_key_id_is_tried_on_eight_keys_and_no_more() {
    let secret = |index: usize| format!("{index:040}");
    let set = |count: usize| {
        let jwk = |index| format!(r#"{{"kty":"oct","alg":"HS256","k":"{}"}}"#, encode(secret(index)));
        let keys: Vec<_> = (0..count).map(jwk).collect();
        KeySet::from_jwks(&format!(r#"{{"keys":[{}]}}"#, keys.join(","))).unwrap().keys
    };
    let by = |index: usize| {
        let token = signed_with(secret(index).as_bytes(), r#"{"alg":"HS256"}"#, "{}");
        verify(&token, &[Issuer { keys: set(10), ..issuer() }], NOW_MS).is_ok()
    };
    assert!(by(0) && by(MAX_TRIES - 1));
    assert!(!by(MAX_TRIES));
}

#[test]
fn an_unknown_key_is_reported_for_an_issuer_that_could_fetch_it() {
    let none = Issuer { keys: KeySet::default(), ..issuer() };
    let token = signed("{}");
    let unknown = |issuer| Err(Refusal::UnknownKey { kid: None, issuer });
    assert_eq!(verify(&token, core::slice::from_ref(&none), NOW_MS), unknown(0));
    let wrong = Issuer { keys: other_keys(), ..issuer() };
    assert_eq!(verify(&token, &[wrong, none.clone()], NOW_MS), unknown(1), "says more than a wrong signature");
    assert!(verify(&token, &[none.clone(), issuer()], NOW_MS).is_ok());
    // The signature is known to be right: no other key would help.
    let expired = signed(r#"{"exp":1}"#);
    assert_eq!(verify(&expired, &[issuer(), none], NOW_MS), Err(Refusal::Expired));
}

#[test]
fn a_token_that_will_be_accepted_later_is_not_refused_for_good() {
    let picky = Issuer { aud: vec!["x".to_owned()], ..issuer() };
    let token = signed(&format!(r#"{{"nbf":{}}}"#, NOW + 60));
    assert_eq!(verify(&token, &[picky.clone(), issuer()], NOW_MS), Err(Refusal::NotYet));
    assert_eq!(verify(&token, &[issuer(), picky], NOW_MS), Err(Refusal::NotYet));
}

#[test]
fn payloads_that_are_no_claims_are_refused() {
    for (payload, refused) in [
        ("", Refusal::Malformed("there is no payload")),
        ("[]", Refusal::Malformed("the payload is not a JSON object")),
        ("null", Refusal::Malformed("the payload is not a JSON object")),
        ("{}{}", Refusal::Malformed("the payload is not a JSON object")),
        (r#"{"sub":"a","sub":"b"}"#, Refusal::Duplicate),
        (r#"{"exp":1,"\u0065xp":4000000000}"#, Refusal::Duplicate),
    ] {
        assert_eq!(refusal(payload, issuer()), Some(refused), "{payload}");
    }
    assert_eq!(refusal(r#"{"a":{"b":1,"b":2}}"#, issuer()), None, "below the top level it is the reader's business");
    let front = format!("{}.{}", encode(r#"{"alg":"HS256"}"#), encode(b"{\"a\":\"\xff\"}"));
    assert_eq!(
        verify(&format!("{front}.{}", encode("x")), &[issuer()], NOW_MS),
        Err(Refusal::Malformed("the payload is not UTF-8"))
    );
}

#[test]
fn tokens_and_headers_are_read_up_to_their_limits() {
    // With a header of 15 bytes and a signature of 32, what is left for the payload in base64.
    let payload = |length: usize| format!(r#"{{"a":"{}"}}"#, "x".repeat(length - 8));
    let longest =
        (0..MAX_TOKEN_BYTES).rev().find(|length| 20 + 1 + (length * 4).div_ceil(3) + 1 + 43 <= MAX_TOKEN_BYTES);
    let token = signed(&payload(longest.unwrap()));
    assert_eq!(token.len(), MAX_TOKEN_BYTES);
    assert!(verify(&token, &[issuer()], NOW_MS).is_ok());
    assert!(unverified(&token).is_some());
    let token = signed(&payload(longest.unwrap() + 1));
    assert!(token.len() > MAX_TOKEN_BYTES);
    assert_eq!(verify(&token, &[issuer()], NOW_MS), Err(Refusal::Malformed("longer than 16 KiB")));
    assert_eq!(unverified(&token), None);

    let header = |length: usize| format!(r#"{{"alg":"HS256","x":"{}"}}"#, "x".repeat(length - 22));
    assert_eq!(header(100).len(), 100);
    assert!(verify(&signed_with(SECRET, &header(MAX_HEADER_BYTES), "{}"), &[issuer()], NOW_MS).is_ok());
    let refused = verify(&signed_with(SECRET, &header(MAX_HEADER_BYTES + 1), "{}"), &[issuer()], NOW_MS);
    assert_eq!(refused, Err(Refusal::Malformed("the header is longer than 4 KiB")));
}

#[test]
fn what_looks_like_a_token_can_be_read_unverified() {
    let token = |header: &str, payload: &str| format!("{}.{}.x", encode(header), encode(payload));
    assert_eq!(unverified(&token("{}", r#"{"sub":"a"}"#)).as_deref(), Some(r#"{"sub":"a"}"#));
    assert_eq!(unverified(&token(r#"{"alg":"none"}"#, "{}")).as_deref(), Some("{}"));
    for (header, payload) in [("[]", "{}"), ("{}", "[]"), ("", "{}"), ("{}", ""), ("x", "{}"), ("{}", "x")] {
        assert_eq!(unverified(&token(header, payload)), None, "{header} {payload}");
    }
    for token in ["", ".", "..", "a.b.c", "api.example.com", "e30.e30", "e30.e30.x.y", "e30.e30.x.y.z", "e30=.e30=.x"] {
        assert_eq!(unverified(token), None, "{token}");
    }
}
