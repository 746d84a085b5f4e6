//! Which kinds of sensitive data stand in the start of an answer: by their form, check digits and the names of members.
//! One pass; the values stay where they are. Ids, timestamps and hashes are none: digits alone are a card only where
//! they are grouped as on one, or where their member's name says so.

use super::issued::{Reader, Token};
use super::template::Shape;

/// Longest value looked at, bytes.
const MAX_VALUE: usize = 4_096;

/// Kinds of sensitive data, a bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Sensitive(pub u8);

impl Sensitive {
    pub const EMAIL: Self = Self(1);
    pub const CARD: Self = Self(1 << 1);
    pub const IBAN: Self = Self(1 << 2);
    pub const PHONE: Self = Self(1 << 3);
    pub const JWT: Self = Self(1 << 4);
    pub const PRIVATE_KEY: Self = Self(1 << 5);
    pub const API_KEY: Self = Self(1 << 6);

    const NAMES: [(Self, &'static str); 7] = [
        (Self::EMAIL, "email"),
        (Self::CARD, "card_number"),
        (Self::IBAN, "iban"),
        (Self::PHONE, "phone"),
        (Self::JWT, "jwt"),
        (Self::PRIVATE_KEY, "private_key"),
        (Self::API_KEY, "api_key"),
    ];

    /// Kinds that open doors or accounts, and not only say who somebody is.
    pub const GRAVE: Self = Self(Self::CARD.0 | Self::IBAN.0 | Self::PRIVATE_KEY.0 | Self::API_KEY.0);

    /// The kinds by the names the API uses.
    pub fn names(self) -> Vec<&'static str> {
        Self::NAMES.into_iter().filter(|(kind, _)| self.0 & kind.0 != 0).map(|(_, name)| name).collect()
    }

    /// The kinds in the start of a body.
    pub fn of(body: &[u8]) -> Self {
        let mut found = Self::default();
        let text = String::from_utf8_lossy(body);
        if is_private_key(&text) {
            found = Self::PRIVATE_KEY;
        }
        if matches!(body.trim_ascii_start().first(), Some(b'{' | b'[')) {
            let mut reader = Reader { bytes: body, at: 0 };
            let mut name = "";
            loop {
                match reader.next() {
                    Token::Name(of) => name = of,
                    Token::Value(value) => found.0 |= Self::of_value(name, value).0,
                    Token::Open | Token::Close | Token::Nothing => {}
                    Token::End | Token::Broken => return found,
                }
            }
        }
        let ends = |c: char| c.is_whitespace() || "\"'<>()[]{},;=&|".contains(c);
        text.split(ends).for_each(|word| found.0 |= Self::of_value("", word).0);
        found
    }

    /// The kinds that one value is of, or has in it.
    fn of_value(name: &str, value: &str) -> Self {
        if value.len() < 8 || value.len() > MAX_VALUE {
            return Self::default();
        }
        let says = |words: &[&str]| {
            let name = name.to_ascii_lowercase();
            words.iter().any(|word| name.contains(word))
        };
        let digits = value.bytes().filter(u8::is_ascii_digit).count();
        let grouped =
            value.bytes().all(|b| b.is_ascii_digit() || matches!(b, b' ' | b'-' | b'.' | b'(' | b')' | b'+' | b'/'));
        let mut found = 0;
        let mut set = |kind: Self, holds: bool| found |= if holds { kind.0 } else { 0 };
        if grouped {
            let named_card = || says(&["card", "creditcard", "pan", "ccnum"]);
            set(Self::CARD, (14..=16).contains(&digits) && is_card(value) && (is_in_groups(value) || named_card()));
            let is_international = value.starts_with('+') && !value.starts_with("+0") && (8..=15).contains(&digits);
            let named_phone = || (7..=15).contains(&digits) && says(&["phone", "mobile", "telefon", "msisdn"]);
            set(Self::PHONE, is_international || named_phone());
            return Self(found);
        }
        if !value.contains(' ') {
            set(Self::EMAIL, value.contains('@') && is_email(value));
            set(Self::JWT, is_jwt(value));
            let named_key = || says(&["apikey", "api_key", "secret", "accesskey", "access_key", "privatekey"]);
            set(Self::API_KEY, is_api_key(value) || (named_key() && Shape::of(value) == Shape::Secret));
        } else if value.contains('@') {
            set(Self::EMAIL, value.split([' ', ',', ';', '<', '>', '(', ')']).any(is_email));
        }
        set(Self::IBAN, digits >= 2 && is_iban(value));
        Self(found)
    }
}

/// The check digit of ISO/IEC 7812, behind the first digits of an issuer of payment cards.
fn is_card(value: &str) -> bool {
    let digits: Vec<u32> = value.chars().filter_map(|c| c.to_digit(10)).collect();
    let start = |count: usize| digits.iter().take(count).fold(0, |number, digit| number * 10 + digit);
    let issued = match digits.len() {
        14 => matches!(start(2), 30 | 36 | 38 | 39),
        15 => matches!(start(2), 34 | 37),
        16 => {
            matches!(start(1), 4)
                || matches!(start(2), 51..=55 | 65)
                || matches!(start(4), 2221..=2720 | 3528..=3589 | 6011)
                || matches!(start(3), 644..=649)
        }
        _ => false,
    };
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| if at.is_multiple_of(2) { *digit } else { digit * 2 / 10 + digit * 2 % 10 })
        .sum();
    issued && sum.is_multiple_of(10)
}

/// Whether digits stand in groups as on a card: four times four, or four, six and the rest.
fn is_in_groups(value: &str) -> bool {
    let separator = if value.contains(' ') { ' ' } else { '-' };
    let groups: Vec<usize> = value.split(separator).map(str::len).collect();
    matches!(groups.as_slice(), [4, 4, 4, 4] | [4, 6, 4 | 5])
}

/// ISO 13616: a country with its length, and 1 as the remainder of 97.
fn is_iban(value: &str) -> bool {
    const LENGTHS: &str = "AD24AE23AT20BA20BE16BG22BH22BR29CH21CR22CY28CZ24DE22DK18DO28EE20EG29ES24FI18FR27GB22GE22GI23GR27\
                           HR21HU28IE22IL23IQ23IS26IT27JO30KW30KZ20LB28LI21LT20LU20LV21MC27MD24ME22MK19MT31MU30NL18NO15PK24\
                           PL28PS29PT25QA29RO24RS22SA24SE24SI19SK24SM27TN24TR26UA29VA22XK20";
    // Written together, or in groups of four.
    let groups: Vec<&str> = value.split(' ').collect();
    let (last, others) = groups.split_last().unwrap_or((&"", &[]));
    if !others.iter().all(|group| group.len() == 4) || last.len() > 34 || (!others.is_empty() && last.len() > 4) {
        return false;
    }
    let plain = groups.concat();
    let (Some(country), Some(checked)) = (plain.get(..2), plain.get(4..)) else { return false };
    let mut lengths = LENGTHS.as_bytes().chunks(4);
    let known = lengths.any(|entry| {
        let length = entry.get(2..).map_or(0, |two| two.iter().fold(0, |n, d| n * 10 + usize::from(d & 15)));
        entry.starts_with(country.as_bytes()) && plain.len() == length
    });
    let check = plain.get(2..4).unwrap_or("");
    if !known || !check.bytes().all(|b| b.is_ascii_digit()) {
        return false;
    }
    let remainder = [checked, country, check].concat().chars().try_fold(0u32, |rest, c| {
        let value = c.to_digit(36).filter(|_| !c.is_ascii_lowercase())?;
        Some((rest * if value > 9 { 100 } else { 10 } + value) % 97)
    });
    remainder == Some(1)
}

fn is_email(word: &str) -> bool {
    let word = word.strip_prefix("mailto:").unwrap_or(word).trim_end_matches('.');
    let Some((user, host)) = word.split_once('@') else { return false };
    let is_user = |b: u8| b.is_ascii_alphanumeric() || b"._%+-".contains(&b);
    let (name, top) = host.rsplit_once('.').unwrap_or(("", ""));
    let is_file = ["png", "jpg", "jpeg", "gif", "svg", "webp", "js", "css"].contains(&top);
    (1..=64).contains(&user.len())
        && user.bytes().all(is_user)
        && !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.')
        && (2..=24).contains(&top.len())
        && top.bytes().all(|b| b.is_ascii_alphabetic())
        && !is_file
}

/// Head and claims are JSON objects in base64url, and there is a signature.
fn is_jwt(value: &str) -> bool {
    let mut parts = value.split('.');
    let (head, claims, signature) =
        (parts.next().unwrap_or(""), parts.next().unwrap_or(""), parts.next().unwrap_or(""));
    let of = |part: &str| part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    let whole = head.starts_with("eyJ") && claims.starts_with("eyJ") && signature.len() >= 20;
    whole && parts.next().is_none() && of(head) && of(claims) && of(signature)
}

/// Keys whose issuers mark them, by what they begin with and how long they are at least.
fn is_api_key(value: &str) -> bool {
    const MARKS: [(&str, usize); 14] = [
        ("sk_live_", 24),
        ("rk_live_", 24),
        ("sk_test_", 24),
        ("whsec_", 32),
        ("AKIA", 20),
        ("ASIA", 20),
        ("ghp_", 36),
        ("gho_", 36),
        ("github_pat_", 40),
        ("glpat-", 26),
        ("xoxb-", 30),
        ("xoxp-", 30),
        ("AIza", 39),
        ("SG.", 60),
    ];
    let of = |b: u8| b.is_ascii_alphanumeric() || b"_-.".contains(&b);
    MARKS.iter().any(|(start, length)| value.starts_with(start) && value.len() >= *length)
        && value.len() <= 256
        && value.bytes().all(of)
        && value.bytes().any(|b| b.is_ascii_digit())
}

fn is_private_key(value: &str) -> bool {
    let begin = value.find("-----BEGIN ").and_then(|at| value.get(at + 11..));
    begin.and_then(|rest| rest.split("-----").next()).is_some_and(|kind| kind.ends_with("PRIVATE KEY"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(body: &str) -> Vec<&'static str> {
        Sensitive::of(body.as_bytes()).names()
    }

    #[test]
    fn kinds_are_told_by_form_check_digit_and_name() {
        for (body, kind) in [
            (r#"{"contact":{"mail":"ann.b+c@shop.example.com"}}"#, "email"),
            (r#"{"note":"write to bob@example.org, please"}"#, "email"),
            ("<p>mail: <a href=\"mailto:bob@example.org\">Bob</a>", "email"),
            (r#"{"shown":"4111 1111 1111 1111"}"#, "card_number"),
            (r#"{"shown":"3782-822463-10005"}"#, "card_number"),
            (r#"{"card_number":"5555555555554444"}"#, "card_number"),
            (r#"{"cardNumber":4111111111111111}"#, "card_number"),
            (r#"["DE89 3704 0044 0532 0130 00"]"#, "iban"),
            (r#"{"account":"GB82WEST12345698765432"}"#, "iban"),
            (r#"{"tel":"+49 30 1234567"}"#, "phone"),
            (r#"{"mobilePhone":"0171-1234567"}"#, "phone"),
            (r#"{"t":"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"}"#, "jwt"),
            ("-----BEGIN RSA PRIVATE KEY-----\nMIIE", "private_key"),
            (r#"{"key":"-----BEGIN PRIVATE KEY-----"}"#, "private_key"),
            (r#"{"payment":"sk_live_4eC39HqLyjWDarjtT1zdp7dc"}"#, "api_key"),
            (r#"{"client_secret":"kJ8sd7Fh2sdf87Hsdkf83Kd"}"#, "api_key"),
            ("aws_key = AKIAIOSFODNN7EXAMPL3", "api_key"),
        ] {
            assert_eq!(names(body), [kind], "{body}");
        }
    }

    #[test]
    fn ids_times_hashes_and_versions_are_no_sensitive_data() {
        for body in [
            // A 16-digit id that begins as a card does and has its check digit.
            r#"{"id":4111111111111111,"order_id":"5555555555554444"}"#,
            r#"{"at":1700000000000,"us":1700000000000000,"ns":"1700000000000000000"}"#,
            r#"{"at":"2026-11-30T23:59:59.000+01:00","date":"2026-11-30","zone":"+0100"}"#,
            r#"{"card_number":"4111111111111112","pan":"411111******1111"}"#,
            r#"{"iban":"DE88370400440532013000","sku":"AB12CDEF34567890"}"#,
            r#"{"uuid":"018f2f6e-7c1a-7cc0-9f5e-0123456789ab","ulid":"01ARZ3NDEKTSV4RRFFQ69G5FAV"}"#,
            r#"{"sha256":"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}"#,
            r#"{"image":"logo@2x.png","package":"npm@8.19.2","handle":"@ann","price":"1.234.567,89"}"#,
            r#"{"phone":"","mobile":null,"isbn":"978-3-16-148410-0","ip":"192.168.100.100"}"#,
            r#"{"pem":"-----BEGIN PUBLIC KEY-----","cert":"-----BEGIN CERTIFICATE-----"}"#,
            r#"{"secret":"none","api_key_id":"orders","token":"eyJ.eyJ.x"}"#,
            r#"{"nextCursor":"kJ8sd7Fh2sdf87Hsdkf83Kd"}"#,
            "",
            "[",
        ] {
            assert_eq!(names(body), Vec::<&str>::new(), "{body}");
        }
    }

    #[test]
    fn random_numbers_of_any_length_are_no_cards_accounts_or_phones() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        for round in 0..20_000u64 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let digits = format!("{:020}", u128::from(state) * 10 + u128::from(round % 10));
            let id = digits.get(..(8 + round as usize % 12)).unwrap_or("");
            assert_eq!(names(&format!(r#"{{"id":{id},"ref":"{id}","number":"X{id}"}}"#)), Vec::<&str>::new(), "{id}");
        }
    }

    #[test]
    fn a_long_body_is_read_in_one_pass() {
        let many = format!("[{}\"ann@example.com\"]", "\"x@\",".repeat(10_000));
        assert_eq!(names(&many), ["email"]);
        let long = |n: usize| format!("[\"{}@example.com\"]", " a".repeat((n - 12) / 2));
        assert_eq!((names(&long(MAX_VALUE)), names(&long(MAX_VALUE + 2))), (vec!["email"], vec![]));
    }
}
