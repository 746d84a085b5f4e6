//! Rules, messages, signatures, and where alerts may go.

use super::*;
use crate::session::{EventId, SessionId};
use crate::verdict::Action;

fn finding(severity: Severity, risk_added: u8) -> Finding {
    Finding {
        request: EventId::new(1_700_000_000_000, SessionId([7; 16]), 1),
        session: SessionId([7; 16]),
        time_ms: 1_700_000_000_000,
        detector: Detector::BruteForce,
        severity,
        confidence: 0.9,
        risk_added,
        value: 12.0,
        baseline: 10.0,
        message: "<!channel> *12* logins & failed\u{1b}[31m".to_owned(),
        place: String::new(),
        evidence: Vec::new(),
        reasons: Vec::new(),
        action: Action::Tag,
        would: Action::Tag,
    }
}

fn rule(on: On) -> Rule {
    Rule {
        name: "r".to_owned(),
        on,
        detectors: Vec::new(),
        min_severity: Severity::Medium,
        min_risk: if on == On::Flagged { 50 } else { 0 },
        to: "https://hooks.example.com/x".to_owned(),
        style: Style::Json,
        every_ms: 0,
    }
}

#[test]
fn a_rule_is_about_what_it_says() {
    assert!(rule(On::Finding).is_about(&finding(Severity::Medium, 5), 5));
    assert!(!rule(On::Finding).is_about(&finding(Severity::Low, 5), 5));
    assert!(!Rule { min_risk: 60, ..rule(On::Finding) }.is_about(&finding(Severity::High, 5), 59));
    let other = Rule { detectors: vec![Detector::RateSpike], ..rule(On::Finding) };
    assert!(!other.is_about(&finding(Severity::High, 5), 90));
    assert!(rule(On::Flagged).is_about(&finding(Severity::High, 20), 55), "it crossed the line");
    assert!(!rule(On::Flagged).is_about(&finding(Severity::High, 20), 75), "it was beyond it before");
    assert!(!rule(On::Surge).is_about(&finding(Severity::High, 20), 75));
    let surge = Finding { detector: Detector::RegionSurge, ..finding(Severity::High, 20) };
    assert!(rule(On::Surge).is_about(&surge, 20));
}

#[test]
fn what_an_attacker_writes_addresses_nobody_in_slack() {
    let slack = Rule { style: Style::Slack, ..rule(On::Finding) };
    let found = finding(Severity::High, 5);
    let body = compose(&slack, Happened::Found(&found, 40), 3, Some("admin.example.com"));
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    let text = body["text"].as_str().unwrap();
    assert!(text.contains("&lt;!channel&gt; *12* logins &amp; failed [31m"), "{text}");
    assert!(text.contains("and 3 more like it before"));
    assert!(
        text.ends_with(&format!("<https://admin.example.com/_throughline/console/sessions/{}|open>", found.session))
    );
    assert_eq!(body["mrkdwn"], false);
}

#[test]
fn a_message_has_the_shape_standard_webhooks_wants() {
    let body = compose(&rule(On::Finding), Happened::Found(&finding(Severity::High, 5), 40), 0, None);
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["type"], "finding.created");
    assert_eq!(body["timestamp"], "2023-11-14T22:13:20.000Z");
    assert_eq!(body["data"]["finding"]["detector"], "brute_force");
    assert_eq!((&body["data"]["risk"], &body["data"]["rule"]), (&40.into(), &"r".into()));
}

#[test]
fn messages_are_signed_as_the_published_example_is() {
    // The example of the specification's reference libraries.
    let secret = Secret::read("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    let headers = secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
    assert_eq!(headers.signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    assert!(Secret::read("short").is_err() && Secret::read("whsec_!").is_err());
}

#[test]
fn alerts_go_to_public_hosts_by_https_and_nowhere_else() {
    for good in [
        "https://hooks.slack.com/services/T/B/x",
        "https://h.example.com:8443/?a=b",
        "https://1.1.1.1/",
        "https://[2606:4700::1111]/",
    ] {
        assert_eq!(check_target(good, false), Ok(()), "{good}");
    }
    for bad in [
        "http://hooks.example.com/",
        "ftp://a.example.com",
        "https://",
        "https:///x",
        "https://localhost/",
        "https://a.localhost/",
        "https://127.0.0.1/",
        "https://127.1/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://0x7f000001/",
        "https://017700000001/",
        "https://10.0.0.1/",
        "https://172.16.0.1",
        "https://192.168.1.1",
        "https://169.254.169.254/latest",
        "https://100.64.0.1",
        "https://0.0.0.0/",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://[fd00::1]/",
        "https://[fe80::1]/",
        "https://[64:ff9b::a00:1]/",
        "https://[2002:a00:1::]/",
        "https://[::]/",
        "https://db.internal/",
        "https://printer.local/",
        "https://router.home.arpa./",
        "https://intranet/",
        "https://user:pw@a.example.com/",
        "https://a.example.com\\@10.0.0.1/",
        "https://a.example.com:x/",
        "https://exämple.com/",
        "https://a..example.com/",
        "https://a.example.com /",
    ] {
        assert!(check_target(bad, false).is_err(), "{bad}");
    }
    assert_eq!(check_target("http://127.0.0.1:8080/x", true), Ok(()));
    assert_eq!(check_target("http://localhost:8080/x", true), Ok(()));
    assert!(check_target("http://127.0.0.1:8080/x", false).is_err());
    assert!(check_target("http://10.0.0.1/", true).is_err() && check_target("http://a.example.com/", true).is_err());
}

#[test]
fn attempts_get_rarer_and_end_after_days() {
    let all: Vec<u64> = (1..).map_while(|attempts| backoff_ms(attempts, 9)).collect();
    assert!(all.is_sorted());
    assert!((2 * 86_400_000..5 * 86_400_000).contains(&all.iter().sum::<u64>()));
    assert_eq!(backoff_ms(0, 9), None);
    let id = rule(On::Finding).id_of("x");
    assert_eq!(id_from(&name_of(id)), Some(id));
    assert!(id_from("msg_1").is_none() && id_from(&name_of(id).to_uppercase()).is_none());
}
