//! Values are read by rule or marked, whatever a client sends.

use super::*;

fn shown(kind: Type, text: &str, currency: Option<&str>) -> String {
    Value::parse(kind, text, currency).to_string()
}

#[test]
fn money_has_a_currency_with_it_beside_it_or_none() {
    for (text, beside, expected) in [
        ("12.50", None, "12.5"),
        ("12.50", Some("eur"), "12.5 EUR"),
        ("12,50 €", None, "12.5 EUR"),
        ("€12.50", None, "12.5 EUR"),
        ("12,50\u{a0}€", Some("EUR"), "12.5 EUR"),
        ("1,234.56 USD", None, "1234.56 USD"),
        ("USD 1,234.56", Some(" usd "), "1234.56 USD"),
        ("-3.20", Some("CHF"), "-3.2 CHF"),
        ("$5", None, "5"),
        ("$5", Some("CAD"), "5 CAD"),
        ("5", Some(""), "5"),
        ("5", Some("XXX"), "5"),
        ("5 EUR", Some("USD"), "invalid:currency"),
        ("5", Some("euro"), "invalid:currency"),
        ("5 euros", None, "invalid:currency"),
        ("EUR", None, "invalid:not_a_number"),
        ("", None, "invalid:not_a_number"),
        ("NaN", None, "invalid:not_a_number"),
        ("1,234", Some("EUR"), "invalid:ambiguous"),
        ("1e999", Some("EUR"), "invalid:out_of_range"),
    ] {
        assert_eq!(shown(Type::Money, text, beside), expected, "{text} {beside:?}");
    }
}

#[test]
fn times_are_dates_with_an_offset_or_counts_since_1970() {
    for (text, expected) in [
        ("1970-01-01T00:00:01Z", "1970-01-01T00:00:01.000Z"),
        ("2026-11-23T12:00:00.5+02:00", "2026-11-23T10:00:00.500Z"),
        ("2026-11-23", "2026-11-23T00:00:00.000Z"),
        ("1700000000", "2023-11-14T22:13:20.000Z"),
        ("1700000000.25", "2023-11-14T22:13:20.250Z"),
        ("1700000000123", "2023-11-14T22:13:20.123Z"),
        ("99999999999", "5138-11-16T09:46:39.000Z"),
        ("100000000000", "1973-03-03T09:46:40.000Z"),
        ("2026-11-23T12:00:00", "invalid:not_a_time"),
        ("1969-12-31T23:59:59Z", "invalid:not_a_time"),
        ("-1", "invalid:not_a_time"),
        ("1,700,000,000", "invalid:not_a_time"),
        ("100000000000000", "invalid:not_a_time"),
        ("tomorrow", "invalid:not_a_time"),
        ("", "invalid:not_a_time"),
    ] {
        assert_eq!(shown(Type::Time, text, None), expected, "{text}");
    }
}

#[test]
fn truth_has_four_names_and_so_has_its_opposite() {
    for (text, expected) in [
        ("true", "true"),
        ("YES", "true"),
        ("1", "true"),
        ("on", "true"),
        ("False", "false"),
        ("no", "false"),
        ("0", "false"),
        ("off", "false"),
        ("2", "invalid:not_a_bool"),
        ("maybe", "invalid:not_a_bool"),
    ] {
        assert_eq!(shown(Type::Bool, text, None), expected, "{text}");
    }
}

#[test]
fn texts_are_whole_or_not_there() {
    assert_eq!(shown(Type::String, "a\u{1b}[31mb\n", None), "a[31mb");
    assert_eq!(Value::parse(Type::String, &"x".repeat(MAX_TEXT), None), Value::Text("x".repeat(MAX_TEXT).into()));
    assert_eq!(Value::parse(Type::String, &"x".repeat(MAX_TEXT + 1), None), Value::Invalid(Reason::TooLong));
}

#[test]
fn equal_amounts_have_equal_digests_however_they_were_written() {
    let hash = SubjectHash::new([7; 16]);
    let digest = |text: &str| Value::parse(Type::Money, text, None).digest(&hash);
    assert_eq!(digest("12.50 EUR"), digest("€12,5"));
    assert_ne!(digest("12.50 EUR"), digest("12.50 USD"));
}

#[test]
fn values_are_encoded_in_few_bytes() {
    let bytes = |value: &Value| postcard::to_allocvec(value).unwrap().len();
    assert!(bytes(&Value::parse(Type::Money, "1337.42", Some("EUR"))) <= 10);
    assert!(bytes(&Value::parse(Type::Number, "3", None)) <= 6);
    assert!(size_of::<Value>() <= 32);
}
