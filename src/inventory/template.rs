//! Path templates from typed segments, and the masking of segments that look like secrets.
//!
//! A segment is typed by its own form alone, so that one path always has one template, whichever isolate sees it.

/// What a path segment is by its form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Only digits.
    Integer,
    /// 8-4-4-4-12 hex digits (RFC 9562).
    Uuid,
    /// 26 Crockford base32 digits with a digit among them.
    Ulid,
    /// `YYYY-MM-DD`.
    Date,
    /// Something with one `@` and a dot after it.
    Email,
    /// At least eight hex digits with both letters and digits among them (object ids, short hashes).
    Hex,
    /// Language and region, `en-US` (BCP 47): one page in many languages.
    Locale,
    /// Base64 that is padded at its end: a global id.
    Base64,
    /// Long, mixed and without words: a key, a token, a signed value. Never stored.
    Secret,
    /// A name that stands for itself.
    Literal,
}

impl Shape {
    /// The placeholder in a template; `None` for a literal.
    pub fn placeholder(self) -> Option<&'static str> {
        Some(match self {
            Self::Integer => "{integer}",
            Self::Uuid => "{uuid}",
            Self::Ulid => "{ulid}",
            Self::Date => "{date}",
            Self::Email => "{email}",
            Self::Hex => "{hex}",
            Self::Locale => "{locale}",
            Self::Base64 => "{base64}",
            Self::Secret => "{token}",
            Self::Literal => return None,
        })
    }

    /// Whether this is the placeholder of a shape.
    pub fn is_placeholder(segment: &str) -> bool {
        const SHAPES: [Shape; 9] = [
            Shape::Integer,
            Shape::Uuid,
            Shape::Ulid,
            Shape::Date,
            Shape::Email,
            Shape::Hex,
            Shape::Locale,
            Shape::Base64,
            Shape::Secret,
        ];
        SHAPES.iter().any(|shape| shape.placeholder() == Some(segment))
    }

    /// The shape of one segment.
    pub fn of(segment: &str) -> Self {
        let s = segment.as_bytes();
        let traits = Traits::of(s);
        if s.is_empty() {
            Self::Literal
        } else if traits.digits == s.len() {
            Self::Integer
        } else if is_uuid(s) {
            Self::Uuid
        } else if is_date(s) {
            Self::Date
        } else if is_email(segment) {
            Self::Email
        } else if traits.hex == s.len() && s.len() >= 8 && traits.digits > 0 {
            // A SHA-256 or longer in hex names no object: it is a reset or confirmation token.
            if s.len() >= 64 { Self::Secret } else { Self::Hex }
        } else if s.len() == 26 && traits.crockford == 26 && traits.digits > 0 && s.first().is_some_and(|c| *c <= b'7')
        {
            Self::Ulid
        } else if traits.is_secret(s.len()) {
            Self::Secret
        } else if is_locale(s) {
            Self::Locale
        } else if is_base64(segment) {
            Self::Base64
        } else {
            Self::Literal
        }
    }
}

/// Shortest segment that can be a secret: 128 bits in base64 are 22 digits, API keys are rarely under 20.
const SECRET_LEN: usize = 20;

/// Counts of character classes in one pass.
#[derive(Default)]
struct Traits {
    digits: usize,
    upper: usize,
    lower: usize,
    hex: usize,
    crockford: usize,
    /// Characters a token of base64url, JWT or signed-cookie form is made of.
    token: usize,
    /// Changes between letter and digit, or between cases other than a capital that starts a word.
    turns: usize,
}

impl Traits {
    fn of(s: &[u8]) -> Self {
        let mut t = Self::default();
        let mut last = 0u8;
        for &c in s {
            t.digits += usize::from(c.is_ascii_digit());
            t.upper += usize::from(c.is_ascii_uppercase());
            t.lower += usize::from(c.is_ascii_lowercase());
            t.hex += usize::from(c.is_ascii_hexdigit());
            let base32 = c.is_ascii_digit() || (c.is_ascii_uppercase() && !matches!(c, b'I' | b'L' | b'O' | b'U'));
            t.crockford += usize::from(base32);
            t.token += usize::from(c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.' | b'=' | b'~' | b'%'));
            let letter_digit = last.is_ascii_digit() != c.is_ascii_digit() && last.is_ascii_alphanumeric();
            let lower_upper = last.is_ascii_lowercase() && c.is_ascii_uppercase();
            t.turns += usize::from(c.is_ascii_alphanumeric() && (letter_digit || lower_upper));
            last = c;
        }
        t
    }

    /// Words joined by dashes, camel case and version numbers turn now and then; random text at every third digit.
    fn is_secret(&self, len: usize) -> bool {
        len >= SECRET_LEN
            && self.token == len
            && self.digits > 0
            && self.upper + self.lower > 0
            && self.turns * 5 >= len
    }
}

/// Two small letters and two capitals. A language alone may be any short word.
fn is_locale(s: &[u8]) -> bool {
    s.len() == 5
        && s.iter().enumerate().all(|(i, c)| match i {
            0 | 1 => c.is_ascii_lowercase(),
            2 => matches!(c, b'-' | b'_'),
            _ => c.is_ascii_uppercase(),
        })
}

/// What is padded, as it was or percent-encoded, is encoded; without padding it may be a name.
fn is_base64(segment: &str) -> bool {
    let bare = segment.trim_end_matches('=');
    let bare = if bare.len() < segment.len() { bare } else { segment.trim_end_matches("%3D").trim_end_matches("%3d") };
    let padding = match segment.len() - bare.len() {
        1 | 3 => 1,
        2 | 6 => 2,
        _ => return false,
    };
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'_');
    bare.len() >= 6 && (bare.len() + padding).is_multiple_of(4) && bare.bytes().all(allowed)
}

/// 8-4-4-4-12 hex digits.
pub fn is_uuid(s: &[u8]) -> bool {
    s.len() == 36
        && s.iter().enumerate().all(|(i, c)| match i {
            8 | 13 | 18 | 23 => *c == b'-',
            _ => c.is_ascii_hexdigit(),
        })
}

fn is_date(s: &[u8]) -> bool {
    s.len() == 10
        && s.iter().enumerate().all(|(i, c)| match i {
            4 | 7 => *c == b'-',
            _ => c.is_ascii_digit(),
        })
}

/// The same with a month and a day that there are.
pub fn is_calendar_date(s: &[u8]) -> bool {
    let number = |at: usize| s.get(at..at + 2).map_or(0, |two| two.iter().fold(0, |n, c| n * 10 + u32::from(c & 15)));
    is_date(s) && (1..=12).contains(&number(5)) && (1..=31).contains(&number(8))
}

fn is_email(segment: &str) -> bool {
    let at = segment.find('@').map(|i| (i, i + 1)).or_else(|| {
        let encoded = segment.as_bytes().windows(3).position(|w| w.eq_ignore_ascii_case(b"%40"))?;
        Some((encoded, encoded + 3))
    });
    let Some((user_end, domain_start)) = at else { return false };
    let domain = segment.get(domain_start..).unwrap_or("");
    user_end > 0 && domain.contains('.') && !domain.contains('@') && !domain.starts_with('.') && !domain.ends_with('.')
}

/// A path as it may be stored, and the template it is an instance of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Templated {
    /// Secrets masked, cut to the limit.
    pub path: String,
    pub template: String,
    /// Whether the path was longer than is kept.
    pub cut: bool,
}

/// Segments that are typed; the rest of a longer path becomes one `{rest}`.
const MAX_SEGMENTS: usize = 32;

/// Types each segment of `path` (which starts with `/`), keeping at most `max_bytes` of it.
pub fn templated(path: &str, max_bytes: usize) -> Templated {
    let kept = floor_boundary(path, max_bytes);
    let mut masked = String::with_capacity(kept.len());
    let mut template = String::with_capacity(kept.len());
    for (i, segment) in kept.split('/').enumerate() {
        if i > 0 {
            masked.push('/');
            template.push('/');
        }
        if i > MAX_SEGMENTS {
            masked.push('…');
            template.push_str("{rest}");
            return Templated { path: masked, template, cut: true };
        }
        // Matrix parameters (`;jsessionid=…`) carry values, often session ids: the name stays, the value does not.
        let (name, parameters) = segment.split_once(';').map_or((segment, None), |(name, rest)| (name, Some(rest)));
        let shape = Shape::of(name);
        masked.push_str(if shape == Shape::Secret { "{token}" } else { name });
        template.push_str(shape.placeholder().unwrap_or(name));
        if let Some(parameters) = parameters {
            mask_matrix(&mut masked, parameters);
        }
    }
    Templated { path: masked, template, cut: kept.len() < path.len() }
}

fn mask_matrix(masked: &mut String, parameters: &str) {
    for parameter in parameters.split(';') {
        masked.push(';');
        match parameter.split_once('=') {
            Some((name, value)) if value.len() >= SECRET_LEN || Shape::of(value) == Shape::Secret => {
                masked.push_str(name);
                masked.push_str("={token}");
            }
            _ => masked.push_str(parameter),
        }
    }
}

/// The longest start of `text` that is no longer than `max_bytes` and cuts no character.
fn floor_boundary(text: &str, max_bytes: usize) -> &str {
    if text.len() <= max_bytes {
        return text;
    }
    let end = (0..=max_bytes).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
    text.get(..end).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(path: &str) -> String {
        templated(path, 1024).template
    }

    #[test]
    fn ids_of_every_form_become_placeholders() {
        for (segment, expected) in [
            ("42", "{integer}"),
            ("018f2f6e-7c1a-7cc0-9f5e-0123456789ab", "{uuid}"),
            ("507f1f77bcf86cd799439011", "{hex}"),
            ("01ARZ3NDEKTSV4RRFFQ69G5FAV", "{ulid}"),
            ("2026-11-23", "{date}"),
            ("ann@example.com", "{email}"),
            ("ann%40example.com", "{email}"),
            ("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "{token}"),
            ("sk_live_4eC39HqLyjWDarjtT1zdp7dc", "{token}"),
            ("kJ8sd7Fh2-sdf87Hs_dkf83Kd", "{token}"),
            ("en-US", "{locale}"),
            ("pt_BR", "{locale}"),
            ("VXNlcjoxMg==", "{base64}"),
            ("VXNlcjoxMjM%3D", "{base64}"),
        ] {
            assert_eq!(template(&format!("/api/{segment}")), format!("/api/{expected}"), "{segment}");
        }
    }

    #[test]
    fn names_stay_names() {
        for name in [
            "orders",
            "v1",
            "facade",
            "deadbeef",
            "shopping-cart-items-overview",
            "getUserAccountPreferences",
            "oauth2-authorize",
            "product-2024-spring-collection",
            "a",
            "%E4%BD%A0%E5%A5%BD",
            "..%2fb",
            "index.html",
            "en",
            "en-us",
            "v2.1",
            "a=b=",
            "filter=x",
            "name==",
            "internationalization",
            "decade",
            "jquery-3.7.1.min.js",
            "Universal-Declaration-of-Human-Rights",
        ] {
            assert_eq!(template(&format!("/{name}")), format!("/{name}"), "{name}");
        }
    }

    #[test]
    fn secrets_are_masked_in_the_path_and_ids_are_not() {
        let t = templated("/reset/kJ8sd7Fh2sdf87Hsdkf83Kd/orders/42", 1024);
        assert_eq!(t.path, "/reset/{token}/orders/42");
        assert_eq!(t.template, "/reset/{token}/orders/{integer}");
        assert!(!t.cut);
    }

    #[test]
    fn a_session_id_in_a_matrix_parameter_is_masked() {
        let t = templated("/shop;jsessionid=1A530637289A03B07199A44E8D531427/cart;v=2", 1024);
        assert_eq!(t.path, "/shop;jsessionid={token}/cart;v=2");
        assert_eq!(t.template, "/shop/cart");
    }

    #[test]
    fn a_long_path_is_cut_at_the_limit_between_characters() {
        assert!(!templated("/abc", 4).cut);
        let t = templated("/abcé", 5);
        assert_eq!((t.path.as_str(), t.cut), ("/abc", true));
        let deep = "/a".repeat(40);
        let t = templated(&deep, 1024);
        assert!(t.cut && t.template.ends_with("/{rest}"), "{}", t.template);
    }

    #[test]
    fn odd_paths_keep_their_form() {
        for path in ["/", "//host/x", "/a/..;/b", "/a//b/"] {
            assert_eq!(templated(path, 64).path.replace(';', ""), path.replace(';', ""), "{path}");
        }
    }
}
