//! What is remembered, for how long, and within which bounds.

use super::super::tests::{NOW_MS, issuer, keys, other_keys, signed};
use super::*;

const NOW: u64 = NOW_MS / 1000;

fn tokens(issuer: Issuer) -> Tokens {
    Tokens::new(vec![issuer])
}

fn remembered(tokens: &Tokens, token: &str) -> bool {
    tokens.current.entries.contains_key(token) || tokens.previous.entries.contains_key(token)
}

#[test]
fn memory_says_what_verification_says() {
    let mut tokens = tokens(issuer());
    let good = signed(r#"{"sub":"a"}"#);
    for token in [&good, &good.replace('.', "..") as &str, "", "a.b.c", &format!("{good}x"), &signed("[]")] {
        let first = verify(token, tokens.issuers(), NOW_MS);
        for _ in 0..3 {
            assert_eq!(tokens.read(token, NOW_MS), first, "{token}");
        }
    }
}

#[test]
fn payloads_are_shared_not_copied() {
    let mut tokens = tokens(issuer());
    let token = signed(r#"{"sub":"a"}"#);
    let (first, second) = (tokens.read(&token, NOW_MS).unwrap(), tokens.read(&token, NOW_MS).unwrap());
    assert!(Rc::ptr_eq(&first.json, &second.json));
}

#[test]
fn what_was_verified_ends_with_exp_and_leeway() {
    let mut tokens = tokens(Issuer { leeway_ms: 5, ..issuer() });
    let token = signed(&format!(r#"{{"exp":{NOW}}}"#));
    assert!(tokens.read(&token, NOW_MS - 60_000).is_ok());
    assert!(tokens.read(&token, NOW_MS + 4).is_ok());
    assert_eq!(tokens.read(&token, NOW_MS + 5), Err(Refusal::Expired));
    assert_eq!(tokens.read(&token, NOW_MS + 60_000), Err(Refusal::Expired));
    assert!(tokens.read(&token, NOW_MS).is_ok(), "another isolate's clock may be behind");
}

#[test]
fn what_was_verified_is_not_used_before_nbf() {
    let mut tokens = tokens(Issuer { leeway_ms: 5, ..issuer() });
    let token = signed(&format!(r#"{{"nbf":{NOW}}}"#));
    assert_eq!(tokens.read(&token, NOW_MS - 6), Err(Refusal::NotYet));
    assert!(!remembered(&tokens, &token));
    assert!(tokens.read(&token, NOW_MS - 5).is_ok());
    assert!(remembered(&tokens, &token));
    assert_eq!(tokens.read(&token, NOW_MS - 6), Err(Refusal::NotYet));
    assert!(tokens.read(&token, NOW_MS).is_ok());
}

#[test]
fn new_keys_make_everything_forgotten() {
    let mut tokens = tokens(Issuer { keys: KeySet::default(), ..issuer() });
    let token = signed("{}");
    assert_eq!(tokens.read(&token, NOW_MS), Err(Refusal::UnknownKey { kid: None, issuer: 0 }));
    assert!(remembered(&tokens, &token));
    tokens.set_keys(0, keys());
    assert!(tokens.read(&token, NOW_MS).is_ok());
    tokens.set_keys(1, other_keys());
    tokens.set_keys(0, keys());
    assert!(remembered(&tokens, &token), "nothing has changed");
    tokens.set_keys(0, other_keys());
    assert_eq!(tokens.read(&token, NOW_MS), Err(Refusal::Signature));
}

#[test]
fn what_is_no_token_or_too_long_takes_no_room() {
    let mut tokens = tokens(issuer());
    for token in ["opaque", "a.b.c", &format!("e30.{}.x", "A".repeat(MAX_TOKEN_BYTES))] {
        assert!(tokens.read(token, NOW_MS).is_err());
        assert!(!remembered(&tokens, token));
    }
}

#[test]
fn both_generations_keep_to_their_number() {
    let mut tokens = Tokens::default();
    let token = |index: usize| format!("e30.e30.{index}");
    for index in 0..3 * MAX_ENTRIES {
        assert_eq!(tokens.read(&token(index), NOW_MS), Err(Refusal::Malformed("alg is missing or not a string")));
        // Asked for all the time, so it stays.
        tokens.read(&token(0), NOW_MS).unwrap_err();
        assert!(tokens.current.entries.len() <= MAX_ENTRIES && tokens.previous.entries.len() <= MAX_ENTRIES);
    }
    assert!(remembered(&tokens, &token(0)));
    assert!(!remembered(&tokens, &token(1)));
    assert!(remembered(&tokens, &token(3 * MAX_ENTRIES - 1)));
}

#[test]
fn both_generations_keep_to_their_bytes() {
    let mut tokens = Tokens::default();
    let payload = signed(&format!(r#"{{"a":"{}"}}"#, "x".repeat(10_000)));
    let bytes = |generation: &Generation| {
        generation.entries.iter().map(|(token, entry)| entry.text_bytes(token)).sum::<usize>()
    };
    for index in 0..300 {
        tokens.read(&format!("{payload}{index}"), NOW_MS).unwrap_err();
        for generation in [&tokens.current, &tokens.previous] {
            assert_eq!(generation.text_bytes, bytes(generation));
            assert!(generation.text_bytes <= MAX_TEXT_BYTES / 2);
        }
    }
    assert!(!remembered(&tokens, &format!("{payload}0")));
    assert!(tokens.current.text_bytes + tokens.previous.text_bytes > MAX_TEXT_BYTES / 2, "and make use of them");
}

#[test]
fn selectors_see_how_far_claims_can_be_trusted() {
    let mut tokens = tokens(issuer());
    let mut at = TokensAt { tokens: &mut tokens, now_ms: NOW_MS };
    let mut trust = |token: &str| at.claims(token).map(|claims| (claims.json.to_string(), claims.trust));
    let good = signed(r#"{"sub":"a"}"#);
    let payload = r#"{"sub":"a"}"#.to_owned();
    for _ in 0..2 {
        assert_eq!(trust(&good), Some((payload.clone(), Trust::Verified(0))));
        assert_eq!(trust(&format!("{good}A")), Some((payload.clone(), Trust::Unverified)));
        assert_eq!(trust("opaque"), None);
        assert_eq!(trust("a.b.c"), None);
        assert_eq!(trust(&signed("[]")), None);
    }
    let late = signed(&format!(r#"{{"nbf":{}}}"#, NOW + 1));
    assert_eq!(trust(&late).map(|(_, trust)| trust), Some(Trust::Unverified));
    let mut none = Tokens::default();
    let claims = TokensAt { tokens: &mut none, now_ms: NOW_MS }.claims(&good).unwrap();
    assert_eq!(claims.trust, Trust::Unverified, "nobody vouches where no issuer is configured");
}

#[test]
fn remembered_tokens_are_not_shown() {
    let mut tokens = tokens(issuer());
    let token = signed("{}");
    tokens.read(&token, NOW_MS).unwrap();
    let shown = format!("{tokens:?}");
    assert!(shown.contains("entries: 1") && !shown.contains(&token), "{shown}");
}
