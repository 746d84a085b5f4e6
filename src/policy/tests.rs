//! A policy is loaded whole or refused with every problem named.

use super::*;

const REQUIRED: [(&str, &str); 2] = [("SESSION_SECRET", "0123456789abcdef"), ("ADMIN_TOKEN", "0123456789abcdef")];

fn load(vars: &[(&str, &str)]) -> Result<Policy, Vec<Problem>> {
    let vars: Vec<_> = vars.iter().chain(&REQUIRED).map(|(n, v)| (n.to_string(), v.to_string())).collect();
    Policy::load(&|name| vars.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone()))
}

/// The path of the only problem that `vars` have.
fn fault(vars: &[(&str, &str)]) -> String {
    let problems = load(vars).expect_err("the policy must be refused");
    assert_eq!(problems.len(), 1, "{problems:?}");
    problems[0].path.clone()
}

#[test]
fn the_two_secrets_are_all_that_must_be_set() {
    let policy = load(&[]).unwrap();
    assert_eq!((policy.mode, policy.shards, policy.origin.as_deref()), (Mode::Monitor, 1, None));
    assert_eq!(policy.retention_ms, 30 * DAY_MS);
    let missing = Policy::load(&|_| None).expect_err("secrets are required");
    let mut paths: Vec<_> = missing.iter().map(|p| p.path.as_str()).collect();
    paths.sort_unstable();
    assert_eq!(paths, ["ADMIN_TOKEN", "SESSION_SECRET"]);
}

#[test]
fn problems_name_the_place_of_the_value_at_fault() {
    for (vars, path) in [
        (("MODE", "observe"), "MODE"),
        (("SHARDS", "0"), "SHARDS"),
        (("SHARDS", "257"), "SHARDS"),
        (("SHARDS", "two"), "SHARDS"),
        (("RETENTION_DAYS", "3651"), "RETENTION_DAYS"),
        (("VIEWER_TOKEN", "short"), "VIEWER_TOKEN"),
        (("ORIGIN_URL", "api.example.com"), "ORIGIN_URL"),
        (("ORIGIN_URL", "https://"), "ORIGIN_URL"),
        (("ORIGIN_URL", "https://u:p@example.com"), "ORIGIN_URL"),
        (("ORIGIN_URL", "https://example.com/?x=1"), "ORIGIN_URL"),
        (("SESSION_KEYS", "[{\"from\":\"request.cookie.a\"},{\"from\":\"request.cokie.b\"}]"), "SESSION_KEYS[1].from"),
        (("SESSION_KEYS", "[{\"form\":\"request.cookie.a\"}]"), "SESSION_KEYS[0].form"),
        (("SESSION_KEYS", "{"), "SESSION_KEYS"),
        (("ROUTES", "[{\"match\":\"GET api\"}]"), "ROUTES[0].match"),
        (("ROUTES", "[{\"match\":\"GET /\",\"decide\":\"later\"}]"), "ROUTES[0].decide"),
        (("ROUTES", "[{\"match\":\"GET /\",\"deadline_ms\":10001}]"), "ROUTES[0].deadline_ms"),
        (("ROUTES", "[{\"match\":\"GET /\",\"decide\":\"inline\",\"record\":\"off\"}]"), "ROUTES[0].record"),
        (("DETECTORS", "{\"forced_browsing\":\"on\"}"), "DETECTORS.forced_browsing"),
        (("DETECTORS", "{\"forced_browsing\":{\"limit\":0}}"), "DETECTORS.forced_browsing.limit"),
        (("DETECTORS", "{\"forced_browsing\":{\"for\":\"soon\"}}"), "DETECTORS.forced_browsing.for"),
        (("DETECTORS", "{\"forced_browsing\":{\"action\":\"allow\"}}"), "DETECTORS.forced_browsing.action"),
        (("LIMITS", "{\"flush_events\":0}"), "LIMITS.flush_events"),
        (("LIMITS", "{\"flush_events\":2001}"), "LIMITS.flush_events"),
        (("LIMITS", "{\"flushes\":1}"), "LIMITS.flushes"),
        (("DEV_CLOCK", "yes"), "DEV_CLOCK"),
        (("ON_ERROR", "ajar"), "ON_ERROR"),
    ] {
        assert_eq!(fault(&[vars]), path, "{vars:?}");
    }
}

#[test]
fn all_problems_are_reported_at_once() {
    assert_eq!(load(&[("MODE", "x"), ("SHARDS", "x"), ("ROUTES", "x")]).map_err(|p| p.len()).unwrap_err(), 3);
}

#[test]
fn limits_hold_at_their_bounds() {
    for (vars, ok) in [
        (("LIMITS", "{\"flush_events\":1}"), true),
        (("LIMITS", "{\"flush_events\":2000}"), true),
        (("LIMITS", "{\"body_over\":\"block\"}"), true),
        (("LIMITS", "{\"body_over\":\"pass\"}"), true),
        (("LIMITS", "{\"body_over\":\"drop\"}"), false),
        (("SHARDS", "256"), true),
        (("RETENTION_DAYS", "3650"), true),
        (("ROUTES", "[{\"match\":\"GET /\",\"deadline_ms\":10000}]"), true),
    ] {
        assert_eq!(load(&[vars]).is_ok(), ok, "{vars:?}");
    }
    let keys = |n: usize| format!("[{}]", vec!["{\"from\":\"request.cookie.a\"}"; n].join(","));
    assert!(load(&[("SESSION_KEYS", &keys(MAX_SESSION_KEYS))]).is_ok());
    assert_eq!(fault(&[("SESSION_KEYS", &keys(MAX_SESSION_KEYS + 1))]), "SESSION_KEYS");
    let routes = |n: usize| format!("[{}]", vec!["{\"match\":\"GET /\"}"; n].join(","));
    assert!(load(&[("ROUTES", &routes(MAX_ROUTES))]).is_ok());
    assert_eq!(fault(&[("ROUTES", &routes(MAX_ROUTES + 1))]), "ROUTES");
    let exceptions = |n: usize| format!("[{}]", vec!["{\"detector\":\"sqli\"}"; n].join(","));
    assert!(load(&[("EXCEPTIONS", &exceptions(MAX_EXCEPTIONS))]).is_ok());
    assert_eq!(fault(&[("EXCEPTIONS", &exceptions(MAX_EXCEPTIONS + 1))]), "EXCEPTIONS");
}

#[test]
fn an_exception_says_what_is_excepted_and_holds_for_its_endpoint_alone() {
    for (text, at) in [
        ("[{}]", "EXCEPTIONS[0].match"),
        ("[{\"detector\":\"sqlinjection\"}]", "EXCEPTIONS[0].detector"),
        ("[{\"match\":\"reports\"}]", "EXCEPTIONS[0].match"),
        ("[{\"detector\":\"sqli\"},{\"endpoint\":\"GET /\"}]", "EXCEPTIONS[1].endpoint"),
    ] {
        assert_eq!(fault(&[("EXCEPTIONS", text)]), at, "{text}");
    }
    let text =
        "[{\"match\":\"POST /api/reports/{id}\",\"parameter\":\"/sql\",\"detector\":\"sqli\"},{\"parameter\":\"bio\"}]";
    let policy = load(&[("EXCEPTIONS", text)]).unwrap();
    let count = |method: &str, path: &str| policy.exceptions(method, path).count();
    assert_eq!(
        (count("POST", "/api/reports/7"), count("GET", "/api/reports/7"), count("POST", "/api/other")),
        (2, 1, 1)
    );
}

#[test]
fn an_inline_route_fails_closed_and_gets_a_second_others_open_and_fifty_milliseconds() {
    let routes =
        r#"[{"match":"POST /pay","decide":"inline"},{"match":"POST /try","decide":"inline","on_error":"open"}]"#;
    let policy = load(&[("ROUTES", routes)]).unwrap();
    let pay = policy.route("POST", "/pay").unwrap();
    assert_eq!((pay.on_error, pay.deadline_ms), (OnError::Closed, 1_000));
    let open = policy.route("POST", "/try").unwrap();
    assert_eq!((open.on_error, open.deadline_ms), (OnError::Open, 50));
    assert!(policy.route("GET", "/pay").is_none());
}

#[test]
fn monitor_never_goes_beyond_a_tag() {
    let monitor = load(&[]).unwrap();
    let enforce = load(&[("MODE", "enforce")]).unwrap();
    assert_eq!(monitor.enforced(Action::Block), Action::Tag);
    assert_eq!(enforce.enforced(Action::Block), Action::Block);
}

#[test]
fn a_detector_can_be_switched_off_or_tuned() {
    assert_eq!(load(&[("DETECTORS", r#"{"forced_browsing":"off"}"#)]).unwrap().detectors.forced_browsing, None);
    let tuned = r#"{"forced_browsing":{"limit":20,"window":"100s","action":"throttle","for":"1h","at":"session"}}"#;
    let settings = load(&[("DETECTORS", tuned)]).unwrap().detectors.forced_browsing.unwrap();
    assert_eq!((settings.limit, settings.leak_ms), (20.0, 5_000));
    assert_eq!((settings.response.action, settings.response.for_ms), (Action::Throttle, 3_600_000));
}

const WEBHOOK: (&str, &str) = ("WEBHOOK_SECRET", "0123456789abcdef");

#[test]
fn alerts_are_checked_and_signed_or_refused() {
    let rules = r#"[{"name":"a","detectors":["sqli"],"min_severity":"high","to":"https://h.example.com/x"},
        {"name":"b","on":"flagged","to_binding":"CHAT","style":"slack","every":"1h"}]"#;
    let policy = load(&[("ALERTS", rules), ("CHAT", "https://hooks.slack.com/services/x"), WEBHOOK]).unwrap();
    assert_eq!(policy.alerts.len(), 2);
    assert_eq!((policy.alerts[1].min_risk, policy.alerts[1].every_ms), (50, 3_600_000));
    for (rules, path) in [
        (r#"[{"name":"","to":"https://h.example.com"}]"#, "ALERTS[0].name"),
        (r#"[{"name":"a","to":"http://h.example.com"}]"#, "ALERTS[0].to"),
        (r#"[{"name":"a"}]"#, "ALERTS[0].to"),
        (r#"[{"name":"a","to_binding":"CHAT"}]"#, "ALERTS[0].to_binding"),
        (r#"[{"name":"a","to":"https://h.example.com","detectors":["magic"]}]"#, "ALERTS[0].detectors"),
        (r#"[{"name":"a","to":"https://h.example.com","min_risk":101}]"#, "ALERTS[0].min_risk"),
        (r#"[{"name":"a","to":"https://h.example.com","every":"8d"}]"#, "ALERTS[0].every"),
        (r#"[{"name":"a","to":"https://h.example.com"},{"name":"a","to":"https://h.example.com"}]"#, "ALERTS"),
        (r#"[{"name":"a","to":"https://h.example.com","on":"whim"}]"#, "ALERTS[0].on"),
    ] {
        assert_eq!(fault(&[("ALERTS", rules), WEBHOOK]), path, "{rules}");
    }
    let unsigned = r#"[{"name":"a","to":"https://h.example.com"}]"#;
    assert_eq!(fault(&[("ALERTS", unsigned)]), "WEBHOOK_SECRET");
    assert_eq!(fault(&[("WEBHOOK_SECRET", "short")]), "WEBHOOK_SECRET");
    let here = r#"[{"name":"a","to":"http://127.0.0.1:9/x"}]"#;
    assert!(load(&[("ALERTS", here), WEBHOOK, ("DEV_CLOCK", "true")]).is_ok());
    assert_eq!(fault(&[("ALERTS", here), WEBHOOK]), "ALERTS[0].to");
}

#[test]
fn access_says_who_may_sign_in_as_what() {
    let aud = "a".repeat(64);
    let policy = format!(r#"{{"team":"acme","aud":"{aud}","admins":["Ann@example.com"],"viewers":["@example.com"]}}"#);
    let access = load(&[("ACCESS", &policy)]).unwrap().access.unwrap();
    assert_eq!(access.issuer.issuer.iss.as_deref(), Some("https://acme.cloudflareaccess.com"));
    assert_eq!(access.is_admin("ann@EXAMPLE.com"), Some(true));
    assert_eq!(access.is_admin("bob@example.com"), Some(false));
    for nobody in ["bob@example.org", "example.com", "bob@sub.example.com", ""] {
        assert_eq!(access.is_admin(nobody), None, "{nobody}");
    }
    for (section, path) in [
        (r#"{"team":"a b","aud":"x","viewers":["*"]}"#, "ACCESS.team"),
        (r#"{"team":"acme","aud":"","viewers":["*"]}"#, "ACCESS.aud"),
        (r#"{"team":"acme","aud":"x"}"#, "ACCESS.viewers"),
        (r#"{"team":"acme","aud":"x","admins":["*"]}"#, "ACCESS.admins"),
    ] {
        assert_eq!(fault(&[("ACCESS", section)]), path, "{section}");
    }
}
