//! The session keys that are tried without being configured: what widespread frameworks and clients use.

use crate::selector::cookies;

/// Session cookies of widespread frameworks, the most specific first, with the name each has as a key source.
pub const COOKIES: [(&str, &str); 22] = [
    ("__Host-session", "request.cookie.__Host-session"),
    ("__Secure-session", "request.cookie.__Secure-session"),
    ("__Secure-next-auth.session-token", "request.cookie.__Secure-next-auth.session-token"),
    ("next-auth.session-token", "request.cookie.next-auth.session-token"),
    ("__Secure-authjs.session-token", "request.cookie.__Secure-authjs.session-token"),
    ("authjs.session-token", "request.cookie.authjs.session-token"),
    ("PHPSESSID", "request.cookie.PHPSESSID"),
    ("JSESSIONID", "request.cookie.JSESSIONID"),
    ("SESSION", "request.cookie.SESSION"),
    ("connect.sid", "request.cookie.connect.sid"),
    ("ASP.NET_SessionId", "request.cookie.ASP.NET_SessionId"),
    (".AspNetCore.Session", "request.cookie..AspNetCore.Session"),
    ("laravel_session", "request.cookie.laravel_session"),
    ("ci_session", "request.cookie.ci_session"),
    ("_session_id", "request.cookie._session_id"),
    ("sessionid", "request.cookie.sessionid"),
    ("session_id", "request.cookie.session_id"),
    ("sessid", "request.cookie.sessid"),
    ("sid", "request.cookie.sid"),
    ("session", "request.cookie.session"),
    ("auth_token", "request.cookie.auth_token"),
    ("access_token", "request.cookie.access_token"),
];

/// Headers that carry an API key, with the name each has as a key source.
pub const API_KEYS: [(&str, &str); 4] = [
    ("x-api-key", "request.header.x-api-key"),
    ("api-key", "request.header.api-key"),
    ("x-auth-token", "request.header.x-auth-token"),
    ("x-access-token", "request.header.x-access-token"),
];

/// The whole bearer token.
pub const BEARER: &str = "request.jwt";
/// Any other Authorization header, whole.
pub const AUTHORIZATION: &str = "request.header.authorization";

/// Key source of sessions known by address and agent.
pub const ADDRESS_AND_AGENT: &str = "client.ip+ua";
/// Key source of sessions known by address, agent and TLS fingerprint.
pub const ADDRESS_AGENT_AND_JA4: &str = "client.ip+ua+ja4";
/// Key source of sessions known by nothing but an address.
pub const ADDRESS_ONLY: &str = "client.ip";

/// Whether a key source is an address, alone or with what many people share.
pub fn is_address_bound(source: &str) -> bool {
    source.starts_with("client.")
}

/// Where a cookie of this name stands in [`COOKIES`].
pub fn rank(name: &str) -> Option<usize> {
    COOKIES.iter().position(|(known, _)| *known == name)
}

/// The cookie that stands first in [`COOKIES`] among those sent, with its place; one pass over the header.
pub fn known_cookie(header: &str) -> Option<(usize, &'static str, &str)> {
    cookies(header)
        .filter_map(|(name, value)| {
            let rank = rank(name)?;
            Some((rank, COOKIES.get(rank)?.1, value))
        })
        .min_by_key(|(rank, ..)| *rank)
}
