//! `Session-Context`: what was known of a session before the request that carries it.

use sfv::{DictSerializer, KeyRef, RefBareItem, StringRef, TokenRef, key_ref};

use crate::session::SessionId;
use crate::verdict::Action;

/// Longest user name sent, bytes of UTF-8 before it is escaped; a longer one is cut at a character boundary.
pub const MAX_USER_BYTES: usize = 256;
/// Most findings sent, the first ones.
pub const MAX_FINDINGS: usize = 32;
/// Longest name of a finding sent, bytes.
const MAX_FINDING_BYTES: usize = 64;

const ID: &KeyRef = key_ref("id");
const RISK: &KeyRef = key_ref("risk");
const UNKNOWN: &KeyRef = key_ref("unknown");
const VERDICT: &KeyRef = key_ref("verdict");
const VERIFIED: &KeyRef = key_ref("verified");
const USER: &KeyRef = key_ref("user");
const FINDINGS: &KeyRef = key_ref("findings");

/// What the origin is told about a session: what was known *before* this request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context<'a> {
    /// The session this request was counted to.
    pub id: SessionId,
    /// 0–100; means nothing while `known` is false.
    pub risk: u8,
    /// Whether this isolate has heard from the store about this session. If not, a risk of 0 says nothing.
    pub known: bool,
    /// What was decided about this request.
    pub verdict: Action,
    /// Who the session belongs to, where the origin or a verified token has said so.
    pub user: Option<&'a str>,
    /// Whether the session key was verified, not merely sent.
    pub verified: bool,
    /// Names of the detectors that found something, such as `forced_browsing`.
    pub findings: &'a [&'a str],
}

impl Context<'_> {
    /// The value of `Session-Context`: an RFC 9651 Dictionary, always printable ASCII.
    ///
    /// ```text
    /// id="0123456789abcdef0123456789abcdef", risk=42, verdict=tag, verified, user="alice", findings=(sqli)
    /// ```
    ///
    /// Always these members in this order; only `user` is left out when there is none.
    ///
    /// - `id`: String of 32 hex digits.
    /// - `risk`: Integer; with the parameter `unknown` when `known` is false: `risk=0;unknown`.
    /// - `verdict`: Token, the name of the action.
    /// - `verified`: Boolean. True is the bare key, as §4.1.2 demands of a Dictionary; false is `verified=?0`.
    /// - `user`: String; Display String (§3.3.8, `%"…"`) when it holds anything but printable ASCII, so that control
    ///   characters never stand in the header. At most [`MAX_USER_BYTES`].
    /// - `findings`: Inner List of Tokens, `()` when there are none. At most [`MAX_FINDINGS`]; a name that is no Token
    ///   is left out.
    pub fn header(&self) -> String {
        let mut members = DictSerializer::new();
        let id = self.id.to_string();
        if let Ok(id) = StringRef::from_str(&id) {
            let _ = members.bare_item(ID, id);
        }
        let risk = members.bare_item(RISK, self.risk);
        if !self.known {
            let _ = risk.parameter(UNKNOWN, true);
        }
        if let Ok(verdict) = TokenRef::from_str(self.verdict.name()) {
            let _ = members.bare_item(VERDICT, verdict);
        }
        let _ = members.bare_item(VERIFIED, self.verified);
        if let Some(user) = self.user.map(|user| cut(user, MAX_USER_BYTES)) {
            let user = StringRef::from_str(user).map_or(RefBareItem::DisplayString(user), RefBareItem::String);
            let _ = members.bare_item(USER, user);
        }
        let mut findings = members.inner_list(FINDINGS);
        let names = self.findings.iter().filter(|name| name.len() <= MAX_FINDING_BYTES);
        for name in names.filter_map(|name| TokenRef::from_str(name).ok()).take(MAX_FINDINGS) {
            let _ = findings.bare_item(name);
        }
        drop(findings);
        members.finish().unwrap_or_default()
    }
}

fn cut(text: &str, max_bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(max_bytes)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sfv::Parser;
    use sfv::visitor::Ignored;

    fn context() -> Context<'static> {
        Context {
            id: SessionId::parse("00112233445566778899aabbccddeeff").unwrap(),
            risk: 42,
            known: true,
            verdict: Action::Allow,
            user: None,
            verified: false,
            findings: &[],
        }
    }

    fn of_user(user: &str) -> String {
        Context { user: Some(user), ..context() }.header()
    }

    #[test]
    fn members_stand_in_their_order() {
        let findings = ["forced_browsing", "sqli"];
        let full =
            Context { verdict: Action::Tag, user: Some("alice"), verified: true, findings: &findings, ..context() };
        assert_eq!(
            full.header(),
            "id=\"00112233445566778899aabbccddeeff\", risk=42, verdict=tag, verified, user=\"alice\", \
             findings=(forced_browsing sqli)"
        );
    }

    #[test]
    fn a_session_nothing_is_known_of_says_so() {
        let header = Context { risk: 0, known: false, ..context() }.header();
        assert_eq!(
            header,
            "id=\"00112233445566778899aabbccddeeff\", risk=0;unknown, verdict=allow, verified=?0, findings=()"
        );
    }

    #[test]
    fn a_user_is_escaped_and_never_ends_its_member() {
        assert!(of_user(r#"a"b\c, risk=0"#).contains(r#" user="a\"b\\c, risk=0", "#));
        assert!(of_user("").contains(r#" user="", "#));
        assert!(of_user("Zoë \"%\" \\").contains(r#" user=%"Zo%c3%ab %22%25%22 \", "#));
    }

    #[test]
    fn control_characters_never_pass() {
        let header = of_user("a\r\nSet-Cookie: b\0\x7f\u{85}");
        assert!(header.contains(r#" user=%"a%0d%0aSet-Cookie: b%00%7f%c2%85", "#), "{header}");
        for user in (0..=0x2ff).filter_map(char::from_u32).map(String::from) {
            let header = of_user(&user);
            assert!(header.bytes().all(|b| (0x20..0x7f).contains(&b)), "{user:?}");
            assert!(Parser::new(&header).parse_dictionary_with_visitor(Ignored).is_ok(), "{user:?}");
        }
    }

    #[test]
    fn a_long_user_is_cut_between_characters() {
        let header = of_user(&"é".repeat(200));
        assert_eq!(header.matches("%c3%a9").count(), MAX_USER_BYTES / 2);
        let header = of_user(&format!("a{}", "é".repeat(200)));
        assert_eq!(header.matches("%c3%a9").count(), MAX_USER_BYTES / 2 - 1);
        assert!(of_user(&"u".repeat(MAX_USER_BYTES + 1)).contains(&format!("\"{}\"", "u".repeat(MAX_USER_BYTES))));
    }

    #[test]
    fn a_finding_that_is_no_token_is_left_out() {
        let long = "f".repeat(MAX_FINDING_BYTES + 1);
        let findings = ["sqli", "a b", "", "9", "a)", "ä", &long, "xss"];
        let header = Context { findings: &findings, ..context() }.header();
        assert!(header.ends_with(", findings=(sqli xss)"), "{header}");
        let many = vec!["f"; MAX_FINDINGS + 1];
        let header = Context { findings: &many, ..context() }.header();
        assert_eq!(header.split_once('(').unwrap().1.matches('f').count(), MAX_FINDINGS);
    }
}
