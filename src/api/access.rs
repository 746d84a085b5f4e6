//! Who may call the API, and whose names they are shown.

use sha2::{Digest, Sha256};

use super::share::Share;
use crate::identity::Keyring;
use crate::parameter::Value;
use crate::query::{EventAnswer, FindingAnswer, SessionAnswer};

/// What a token allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Viewer,
    Admin,
}

impl Role {
    /// The name in the audit log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Admin => "admin",
        }
    }
}

/// Who is calling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub role: Role,
    /// What a share link shows, for who came by one.
    pub share: Option<Share>,
    /// The name in the audit log: the role, with who it is where that is known.
    pub name: String,
    /// Whether users that are stored plain are shown as they are.
    pub sees_users: bool,
}

impl Caller {
    /// A holder of a token; `viewers_see` says whether viewers are shown plain users.
    pub fn of_role(role: Role, viewers_see: bool) -> Self {
        Self { role, share: None, name: role.name().to_owned(), sees_users: role == Role::Admin || viewers_see }
    }

    /// The same, known by name.
    #[must_use]
    pub fn called(mut self, who: &str) -> Self {
        self.name = format!("{} {who}", self.role.name());
        self
    }

    /// The same with a viewer's rights.
    #[must_use]
    pub fn as_viewer(mut self, viewers_see: bool) -> Self {
        (self.role, self.sees_users) = (Role::Viewer, self.sees_users && viewers_see);
        self
    }

    /// Who came by a share link.
    pub fn of_share(share: Share) -> Self {
        Self { role: Role::Viewer, name: format!("share {}", share.name()), share: Some(share), sees_users: false }
    }
}

/// Whom Access vouches for: a person's mail address, or `service:` and a service token's name.
pub fn named(claims: &str) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Claims {
        email: Option<String>,
        common_name: Option<String>,
    }
    const LONGEST: usize = 254;
    let claims: Claims = serde_json::from_str(claims).ok()?;
    let some = |text: Option<String>| text.filter(|text| !text.is_empty() && text.len() <= LONGEST);
    some(claims.email).or_else(|| some(claims.common_name).map(|name| format!("service:{name}")))
}

/// Whether a request was not brought about by another site, as far as the browser says; programs say nothing.
pub fn is_own_site(origin: &str, fetch_site: &str, host: &str) -> bool {
    matches!(fetch_site, "" | "same-origin" | "none")
        && (origin.is_empty() || host_of(origin).eq_ignore_ascii_case(host))
}

/// Host and port of a URL.
pub fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or("")
}

/// Puts pseudonyms in the place of users that are stored plain: the same one wherever the same user is meant.
#[derive(Debug, Clone)]
pub struct Mask<'a> {
    /// `None` where everything is shown.
    pub ring: Option<&'a Keyring>,
    /// Parameters whose values name users.
    pub parameters: Vec<&'a str>,
}

impl Mask<'_> {
    /// Masks one name.
    pub fn name(&self, user: &mut String) {
        if let Some(ring) = self.ring
            && !user.is_empty()
            && !user.starts_with("h:")
        {
            *user = ring.pseudonym("user", user);
        }
    }

    /// Masks the users of a session.
    pub fn session(&self, mut session: SessionAnswer) -> SessionAnswer {
        session.users.iter_mut().chain(&mut session.attempted_users).for_each(|user| self.name(user));
        for name in &self.parameters {
            session
                .params
                .get_mut(*name)
                .and_then(|param| param.last.as_mut())
                .into_iter()
                .for_each(|last| self.name(last));
        }
        session
    }

    /// Masks the user of an event, also where its findings speak of it.
    pub fn event(&self, mut event: EventAnswer) -> EventAnswer {
        if self.ring.is_some() {
            let users: Vec<String> = event.user.iter().chain(&event.attempted_user).cloned().collect();
            event.user.iter_mut().chain(&mut event.attempted_user).for_each(|user| self.name(user));
            for name in &self.parameters {
                let Some(values) = event.params.get_mut::<str>(name) else { continue };
                for value in &mut values.0 {
                    if let Value::Text(text) = value {
                        let mut text = text.to_string();
                        self.name(&mut text);
                        *value = Value::Hashed(text.into());
                    }
                }
            }
            for finding in &mut event.findings {
                users.iter().for_each(|user| self.within(&mut finding.message, user));
            }
        }
        event
    }

    /// Masks the users of its event where a finding speaks of them.
    pub fn finding(&self, finding: &mut FindingAnswer, event: &EventAnswer) {
        let users = event.user.iter().chain(&event.attempted_user);
        users.for_each(|user| self.within(&mut finding.message, user));
    }

    fn within(&self, text: &mut String, user: &str) {
        if user.len() > 2 && text.contains(user) {
            let mut masked = user.to_owned();
            self.name(&mut masked);
            *text = text.replace(user, &masked);
        }
    }
}

/// The role of `Authorization: Bearer TOKEN`, compared with both tokens in time that tells nothing of either.
pub fn role_of(authorization: &str, admin: Option<&str>, viewer: Option<&str>) -> Option<Role> {
    let (scheme, token) = authorization.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let token = token.trim();
    let is = |configured: Option<&str>| configured.is_some_and(|c| !c.trim().is_empty() && same(token, c.trim()));
    let (is_admin, is_viewer) = (is(admin), is(viewer));
    if is_admin {
        Some(Role::Admin)
    } else if is_viewer {
        Some(Role::Viewer)
    } else {
        None
    }
}

/// Compares digests, all 32 bytes whatever differs: neither content nor length can be felt out.
fn same(a: &str, b: &str) -> bool {
    let (a, b) = (Sha256::digest(a), Sha256::digest(b));
    let difference = a.iter().zip(b.iter()).fold(0u8, |all, (x, y)| all | (x ^ y));
    core::hint::black_box(difference) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn access_names_people_and_services_and_other_sites_are_turned_away() {
        assert_eq!(named(r#"{"email":"Ann@example.com","sub":"1"}"#).as_deref(), Some("Ann@example.com"));
        assert_eq!(named(r#"{"common_name":"ci.access","sub":""}"#).as_deref(), Some("service:ci.access"));
        assert_eq!(named(r#"{"email":"","sub":"1"}"#), None);
        assert!(is_own_site("", "", "a.example.com"));
        assert!(is_own_site("https://a.example.com", "same-origin", "a.example.com"));
        for (origin, site) in [("https://b.example.com", ""), ("", "cross-site"), ("", "same-site"), ("null", "")] {
            assert!(!is_own_site(origin, site, "a.example.com"), "{origin} {site}");
        }
    }

    #[test]
    fn a_token_gives_its_role_and_anything_else_none() {
        let role = |authorization| role_of(authorization, Some("admin-token-admin"), Some("viewer-token"));
        assert_eq!(role("Bearer admin-token-admin"), Some(Role::Admin));
        assert_eq!(role("bearer viewer-token"), Some(Role::Viewer));
        for bad in ["", "Bearer", "Bearer ", "Bearer x", "Basic admin-token-admin", "admin-token-admin"] {
            assert_eq!(role(bad), None, "{bad}");
        }
        assert_eq!(role_of("Bearer ", Some(""), None), None);
        assert_eq!(role_of("Bearer  ", Some(" "), Some("")), None);
    }
}
