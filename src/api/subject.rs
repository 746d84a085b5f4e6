//! A subject as a path names it, and what is answered about it.

use serde::Serialize;

use super::{Refusal, bad};
use crate::identity::{Keyring, UserPlan};
use crate::subject::{Identity, Kind, SubjectAnswer};

/// Longest value, bytes; longer ones are never stored. A token is named by what may be longer.
const MAX_VALUE: usize = 256;
const MAX_TOKEN: usize = 8 * 1024;

/// The raw value that a path below the admin prefix ends in.
pub fn value_of(kind: Kind, path: &str) -> Result<String, Refusal> {
    let max = if kind == Kind::Token { MAX_TOKEN } else { MAX_VALUE };
    let segment = path.rsplit('/').next().unwrap_or("");
    let value = percent_encoding::percent_decode_str(segment).decode_utf8();
    let value = value.map_err(|_| bad("value", "is no UTF-8 when percent-decoded"))?;
    match value.len() {
        1.. if value.len() <= max => Ok(value.into_owned()),
        _ => Err(bad("value", &format!("has from 1 to {max} bytes when percent-decoded"))),
    }
}

/// Every name the subject may be stored under.
///
/// A user is named raw or by a pseudonym; a token by the 16 hex digits the API shows, its `jti`, or the whole of it.
pub fn names_of(kind: Kind, value: &str, ring: &Keyring) -> Result<Vec<String>, Refusal> {
    let (hash, former) = ring.subjects();
    let names = match kind {
        Kind::User => UserPlan::forms(ring, value),
        Kind::Token => {
            let hashed = core::iter::once(hash).chain(former).map(|hash| hash.token(value));
            let known = Identity::parse(kind, value).map(|identity| identity.to_string());
            known.into_iter().chain(hashed.map(|token| Identity::Token(token).to_string())).collect()
        }
        Kind::Ip | Kind::Device => {
            let reason = if kind == Kind::Ip { "is no address" } else { "is no device; use JA4;AGENT;NETWORK" };
            vec![Identity::parse(kind, value).ok_or_else(|| bad("value", reason))?.to_string()]
        }
    };
    Ok(names)
}

/// What is known of a subject.
#[derive(Debug, Serialize)]
pub struct SubjectPage {
    #[serde(flatten)]
    pub subject: SubjectAnswer,
    /// Whether something may be missing.
    pub partial: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_of_a_path_is_percent_decoded_and_has_a_length() {
        let user = |segment: &str| value_of(Kind::User, &format!("/api/v1/subjects/user/{segment}"));
        assert_eq!(user("ann"), Ok("ann".to_owned()));
        assert_eq!(user("h:3d97:af6f"), Ok("h:3d97:af6f".to_owned()));
        assert_eq!(user("%C3%A4nn%2Fb+c%20d"), Ok("änn/b+c d".to_owned()));
        assert!(user(&"a".repeat(MAX_VALUE)).is_ok());
        for wrong in ["", "%ff", &"a".repeat(MAX_VALUE + 1)] {
            assert_eq!(user(wrong).map_err(|r| r.parameter()), Err(Some("value".to_owned())), "{wrong}");
        }
        let token = |len: usize| value_of(Kind::Token, &format!("/api/v1/subjects/token/{}", "a".repeat(len)));
        assert!(token(MAX_TOKEN).is_ok() && token(MAX_TOKEN + 1).is_err());
    }

    #[test]
    fn a_subject_is_asked_for_by_every_name_it_may_have() {
        let ring = Keyring::new(b"0123456789abcdef", Some(b"fedcba9876543210"));
        let names = |kind, value| names_of(kind, value, &ring).unwrap_or_default();
        assert_eq!(names(Kind::Ip, "2001:db8::1"), ["2001:db8::/64"]);
        assert_eq!(names(Kind::User, "ann").len(), 3);
        assert_eq!(names(Kind::Token, "00000000000000ab").len(), 3);
        assert_eq!(names(Kind::Token, "a-jti").len(), 2);
        assert!(names(Kind::Ip, "mars").is_empty() && names(Kind::Device, "curl").is_empty());
    }
}
