//! What `Session-Event` may look like, and what becomes of it when it does not.

use super::*;

fn event(name: &str) -> OriginEvent {
    OriginEvent { name: name.to_owned(), ..OriginEvent::default() }
}

fn of_user(name: &str, user: &str) -> OriginEvent {
    OriginEvent { user: Some(user.to_owned()), ..event(name) }
}

fn read(value: &str) -> Vec<OriginEvent> {
    let feedback = parse_feedback(value);
    assert!(!feedback.malformed && !feedback.cut, "{value}: {feedback:?}");
    feedback.events
}

const MALFORMED: Feedback = Feedback { events: Vec::new(), malformed: true, cut: false };

#[test]
fn an_event_names_its_user() {
    assert_eq!(read("login-failure;user=\"alice\""), [of_user("login-failure", "alice")]);
    assert_eq!(read("\"login-failure\"; user=alice"), [of_user("login-failure", "alice")]);
    assert_eq!(read("login-failure;user=\"a \\\"b\\\" \\\\\""), [of_user("login-failure", "a \"b\" \\")]);
    assert_eq!(read("login-failure;user=1234"), [of_user("login-failure", "1234")]);
    assert_eq!(read("login-failure;user=\"\""), [of_user("login-failure", "")]);
    assert_eq!(read("login-failure"), [event("login-failure")]);
}

#[test]
fn a_user_beyond_ascii_comes_as_a_display_string() {
    assert_eq!(read("signup;user=%\"Zo%c3%ab %e2%9c%93\""), [of_user("signup", "Zoë ✓")]);
}

#[test]
fn several_events_keep_their_order() {
    let events = read("login-success;user=\"a\";role=admin, order;id=7 ,\torder;id=8");
    let [login, first, second] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(login.role.as_deref(), Some("admin"));
    assert_eq!(first.parameters, [("id".to_owned(), "7".to_owned())]);
    assert_eq!(second.parameters, [("id".to_owned(), "8".to_owned())]);
}

#[test]
fn nothing_is_said_by_an_empty_value() {
    assert_eq!(parse_feedback(""), Feedback::default());
    assert_eq!(parse_feedback("  "), Feedback::default());
}

#[test]
fn every_kind_of_scalar_becomes_text() {
    let events = read("e;a=x;b=\"y z\";c=-12;d=99.90;f;g=?0;h=@1659578233;i=:aGk:");
    let texts: Vec<_> = events[0].parameters.iter().map(|(key, text)| (key.as_str(), text.as_str())).collect();
    let first = [("a", "x"), ("b", "y z"), ("c", "-12"), ("d", "99.9"), ("f", "true"), ("g", "false")];
    assert_eq!(texts[..6], first);
    assert_eq!(texts[6..], [("h", "1659578233"), ("i", "aGk=")]);
    assert_eq!(read("e;a=%\"%0a\\\"")[0].parameters, [("a".to_owned(), "\n\\".to_owned())]);
}

#[test]
fn known_names_are_told_from_the_origins_own() {
    for known in KNOWN_EVENTS {
        assert_eq!(read(known.name)[0].known(), Some(known));
        assert!(known.name.len() <= MAX_NAME_BYTES && known.meaning.ends_with('.'));
    }
    assert_eq!(read("Gift-Card.REDEEMED_2"), [event("gift-card.redeemed_2")]);
    assert_eq!(read("gift-card.redeemed_2")[0].known(), None);
    assert!(read("Login-Failure")[0].known().is_some());
}

#[test]
fn a_list_with_one_mistake_is_ignored_whole() {
    for bad in [
        "login-failure;user=alice@shop.example",
        "login-failure;user=Zoë",
        "login-failure;user=\"Zoë\"",
        "login-failure;user=\"Zo\u{0}\"",
        "login-failure;user='alice'",
        "login-failure;User=alice",
        "login-failure;user=\"alice",
        "login-failure;user=%\"Zo%C3%AB\"",
        "login-failure;user=%\"%c3\"",
        "login-failure;user=",
        "login-failure user=alice",
        "order, login-failure,",
        ", order",
        "order;id=1234567890123456",
        "{\"event\":\"order\"}",
        "order\r\nSet-Cookie: a=b",
    ] {
        assert_eq!(parse_feedback(bad), MALFORMED, "{bad:?}");
    }
}

#[test]
fn a_member_that_is_no_name_is_left_out_alone() {
    for bad in ["(order refund)", "7", "?1", ":aGk=:", "@7", "%\"order\"", "\"\"", "\"a b\"", "a/b", "*", "a:b"] {
        let feedback = parse_feedback(&format!("signup, {bad};user=\"alice\", logout"));
        let expected = Feedback { events: vec![event("signup"), event("logout")], malformed: true, cut: false };
        assert_eq!(feedback, expected, "{bad}");
    }
}

#[test]
fn a_value_over_its_bound_is_refused_whole() {
    let long = format!("login-failure;user=\"{}\"", "u".repeat(MAX_FEEDBACK_BYTES));
    assert_eq!(parse_feedback(&long), Feedback { cut: true, ..Feedback::default() });
    let padded = format!("order{}", " ".repeat(MAX_FEEDBACK_BYTES - 5));
    assert_eq!(read(&padded), [event("order")]);
    assert!(parse_feedback(&(padded + " ")).events.is_empty());
}

#[test]
fn what_is_over_a_bound_is_left_out_and_said() {
    let many = ["order"; MAX_EVENTS + 1].join(", ");
    let feedback = parse_feedback(&many);
    assert_eq!((feedback.events.len(), feedback.cut, feedback.malformed), (MAX_EVENTS, true, false));

    let keys: String = (0..=MAX_PARAMETERS).map(|i| format!(";p{i}")).collect();
    let feedback = parse_feedback(&format!("order{keys};user=last"));
    assert_eq!((feedback.events[0].parameters.len(), feedback.cut), (MAX_PARAMETERS, true));
    assert_eq!(feedback.events[0].user.as_deref(), Some("last"));

    let name = "n".repeat(MAX_NAME_BYTES);
    assert_eq!(read(&name), [event(&name)]);
    assert_eq!(parse_feedback(&format!("{name}n")), Feedback { cut: true, ..Feedback::default() });
}

#[test]
fn a_text_over_its_bound_is_left_out_and_said() {
    let longest = "u".repeat(MAX_VALUE_BYTES);
    assert_eq!(read(&format!("order;user=\"{longest}\"")), [of_user("order", &longest)]);
    // Counted as text: 1 byte of it may take 3 of the header.
    let escaped = "%00".repeat(MAX_VALUE_BYTES);
    assert_eq!(read(&format!("order;user=%\"{escaped}\""))[0].user.as_ref().map(String::len), Some(MAX_VALUE_BYTES));
    let feedback = parse_feedback(&format!("order;user=\"{longest}u\";role=\"{longest}u\";p=\"{longest}u\";q"));
    let kept = OriginEvent { parameters: vec![("q".to_owned(), "true".to_owned())], ..event("order") };
    assert_eq!(feedback, Feedback { events: vec![kept], malformed: false, cut: true });
}

#[test]
fn of_a_parameter_sent_twice_the_last_counts() {
    let events = read("order;a=1;b=2;a=3;user=x;user=y");
    let texts = [("a".to_owned(), "3".to_owned()), ("b".to_owned(), "2".to_owned())];
    assert_eq!(events, [OriginEvent { parameters: texts.into(), ..of_user("order", "y") }]);
    let long = "u".repeat(MAX_VALUE_BYTES + 1);
    let feedback = parse_feedback(&format!("order;a=1;a=\"{long}\";user=x;user=\"{long}\""));
    assert_eq!(feedback, Feedback { events: vec![event("order")], malformed: false, cut: true });
}

#[test]
fn no_text_makes_it_panic_or_grow() {
    let pieces =
        ["order", ";", "user=", "\"", "\\", "%\"", "%c3", ":", "a==", ",", "(", ")", " ", "@", "-1", ".5", "é", "\0"];
    // A fixed walk through all sequences of four pieces: small, and it reaches every branch of the parser.
    for n in 0..pieces.len().pow(4) {
        let value: String = (0..4).map(|i| pieces[n / pieces.len().pow(i) % pieces.len()]).collect();
        let feedback = parse_feedback(&value);
        assert!(feedback.events.len() <= MAX_EVENTS, "{value:?}");
    }
}
