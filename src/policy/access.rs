//! `ACCESS`: who signs in through Cloudflare Access, and as what.

use serde::Deserialize;

use super::sections::OneOrMany;
use super::tokens::{RawIssuer, TokenIssuer};

type Fault = (String, String);

/// Entries of a list of people.
const MAX_PEOPLE: usize = 200;

/// Sign-in by the identity that Access vouches for.
#[derive(Debug, Clone)]
pub struct Access {
    pub issuer: TokenIssuer,
    /// Lower-case mail addresses, `@domain`, `service:NAME` or `*`.
    admins: Vec<String>,
    viewers: Vec<String>,
}

impl Access {
    /// Whether somebody of this name is an admin (`Some(true)`), a viewer, or nobody here.
    pub fn is_admin(&self, who: &str) -> Option<bool> {
        let who = who.to_ascii_lowercase();
        let is_named = |people: &[String]| {
            people.iter().any(|named| match named.strip_prefix('@') {
                Some(domain) => who.rsplit_once('@').is_some_and(|(_, of)| of == domain),
                None => *named == who || named == "*",
            })
        };
        if is_named(&self.admins) { Some(true) } else { is_named(&self.viewers).then_some(false) }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawAccess {
    team: String,
    aud: OneOrMany,
    #[serde(default)]
    admins: Vec<String>,
    #[serde(default)]
    viewers: Vec<String>,
    /// Where the keys are, if not where Access has them.
    jwks_url: Option<String>,
}

impl RawAccess {
    pub fn resolve(self, get: &dyn Fn(&str) -> Option<String>) -> Result<Access, Fault> {
        let fault = |field: &str, reason: &str| Err((field.to_owned(), reason.to_owned()));
        let host =
            if self.team.contains('.') { self.team.clone() } else { format!("{}.cloudflareaccess.com", self.team) };
        if self.team.is_empty() || !host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.')) {
            return fault("team", "is no team name or team domain");
        }
        let audiences: Vec<String> = self.aud.clone().into();
        if audiences.is_empty() || audiences.iter().any(String::is_empty) {
            return fault("aud", "is empty; it is the application's audience tag");
        }
        for (field, people) in [("admins", &self.admins), ("viewers", &self.viewers)] {
            if people.len() > MAX_PEOPLE || people.iter().any(String::is_empty) {
                return fault(field, "has an empty entry, or more than 200");
            }
        }
        if self.admins.iter().any(|named| named == "*") {
            return fault("admins", "has `*`; name who may act, or a domain as `@example.com`");
        }
        if self.admins.is_empty() && self.viewers.is_empty() {
            return fault("viewers", "is empty, and so is admins: nobody could sign in");
        }
        let url = self.jwks_url.unwrap_or_else(|| format!("https://{host}/cdn-cgi/access/certs"));
        let issuer = RawIssuer::fetched(format!("https://{host}"), self.aud, url).resolve(get)?;
        let lower = |people: Vec<String>| people.iter().map(|named| named.to_ascii_lowercase()).collect();
        Ok(Access { issuer, admins: lower(self.admins), viewers: lower(self.viewers) })
    }
}
