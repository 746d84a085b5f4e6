//! Which key wins, and that no key reaches into the namespace of another.

use super::*;
use crate::identity::Candidate;
use crate::identity::jwt::Tokens;
use crate::selector::HeaderView;

const AGENT: &str = "Mozilla/5.0";

fn plan(keys: &[(&str, Option<&str>)]) -> KeyPlan {
    let key = |(from, join): &(&str, Option<&str>)| SessionKey {
        join: join.map(str::to_owned),
        ..SessionKey::new(Selector::parse(from).unwrap())
    };
    KeyPlan::new(keys.iter().map(key).collect(), Keyring::new(b"0123456789abcdef", None), Vec::new())
}

/// Identifies a request with these headers; `:query`, `:ip` and `user-agent` stand for what is no selected header.
fn identify(plan: &KeyPlan, sent: &[(&str, &str)]) -> (SessionId, String) {
    let get = |name: &str| sent.iter().find(|(n, _)| *n == name).map_or("", |(_, v)| *v);
    let values: Vec<&str> = plan.headers().iter().map(|name| get(name)).collect();
    let client = Client {
        ip: Some(if get(":ip").is_empty() { "192.0.2.7" } else { get(":ip") }.parse().unwrap()),
        user_agent: get("user-agent"),
        ja4: get(":ja4"),
        ..Client::default()
    };
    let headers = HeaderView { names: plan.headers(), values: &values };
    let request = Request { query: get(":query"), headers, client, ..Request::default() };
    let found = plan.identify(&request, &mut TokensAt { tokens: &mut Tokens::default(), now_ms: 0 });
    assert!(!found.verified);
    (found.session, found.source.to_owned())
}

fn source(plan: &KeyPlan, sent: &[(&str, &str)]) -> String {
    identify(plan, sent).1
}

#[test]
fn configured_keys_come_first_and_in_their_order() {
    let plan =
        plan(&[("request.header.x-tenant-session", None), ("request.query.s", None), ("request.cookie.app", None)]);
    let all = [("x-tenant-session", "1"), (":query", "s=2"), ("cookie", "app=3; PHPSESSID=4"), ("user-agent", AGENT)];
    assert_eq!(source(&plan, &all), "request.header.x-tenant-session");
    assert_eq!(source(&plan, &all[1..]), "request.query.s");
    assert_eq!(source(&plan, &all[2..]), "request.cookie.app");
    assert_eq!(source(&plan, &all[3..]), "client.ip+ua");
}

#[test]
fn without_configuration_the_built_in_keys_are_tried() {
    let plan = plan(&[]);
    let sent = [
        ("cookie", "lang=de; sid=1; PHPSESSID=2"),
        ("authorization", "Bearer abc"),
        ("x-api-key", "k"),
        (":ja4", "t13d1516h2_8daaf6152771_02713d6af862"),
        ("user-agent", AGENT),
    ];
    assert_eq!(source(&plan, &sent), "request.cookie.PHPSESSID");
    assert_eq!(source(&plan, &sent[1..]), "request.jwt");
    assert_eq!(source(&plan, &sent[2..]), "request.header.x-api-key");
    assert_eq!(source(&plan, &sent[3..]), "client.ip+ua+ja4");
    assert_eq!(source(&plan, &sent[4..]), "client.ip+ua");
    assert_eq!(source(&plan, &[]), "client.ip");
    assert_eq!(source(&plan, &[("authorization", "Basic dTpw")]), "request.header.authorization");
}

#[test]
fn equal_values_of_different_keys_are_different_sessions_unless_joined() {
    let apart = plan(&[("request.cookie.a", None), ("request.header.b", None)]);
    assert_ne!(identify(&apart, &[("cookie", "a=x")]).0, identify(&apart, &[("b", "x")]).0);
    let joined = plan(&[("request.cookie.a", Some("app")), ("request.header.b", Some("app"))]);
    assert_eq!(identify(&joined, &[("cookie", "a=x")]).0, identify(&joined, &[("b", "x")]).0);
    let posing = plan(&[("request.cookie.join:app", None), ("request.header.b", Some("app"))]);
    assert_ne!(identify(&posing, &[("cookie", "join:app=x")]).0, identify(&posing, &[("b", "x")]).0);
}

#[test]
fn a_configured_cookie_and_the_built_in_one_of_that_name_are_one_key() {
    let (configured, built_in) = (plan(&[("request.cookie.sid", None)]), plan(&[]));
    let sent = [("cookie", "sid=x")];
    assert_eq!(identify(&configured, &sent), identify(&built_in, &sent));
}

#[test]
fn people_behind_one_address_are_told_apart_by_agent_and_a_v6_client_is_its_64() {
    let plan = plan(&[]);
    let from = |ip, agent| identify(&plan, &[(":ip", ip), ("user-agent", agent)]).0;
    assert_ne!(from("192.0.2.1", "A"), from("192.0.2.1", "B"));
    assert_ne!(from("192.0.2.1", "A"), from("192.0.2.2", "A"));
    assert_eq!(from("2001:db8::1", "A"), from("2001:db8::2", "A"));
}

#[test]
fn a_raw_value_leads_back_to_its_session() {
    let plan = plan(&[("request.header.x-app", Some("app"))]);
    for sent in [("x-app", "v"), ("cookie", "JSESSIONID=v"), ("authorization", "Bearer v"), ("x-api-key", "v")] {
        let (session, source) = identify(&plan, &[sent]);
        assert!(
            plan.candidates("v", &mut TokensAt { tokens: &mut Tokens::default(), now_ms: 0 })
                .contains(&Candidate { session, source }),
            "{sent:?}"
        );
    }
}
