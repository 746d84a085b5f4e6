//! A request and its response as the gateway reads them: one string each from JavaScript, split without copying.

use core::net::IpAddr;

use crate::policy::Policy;
use crate::selector::{Body, Client, HeaderView, Request, Response};
use crate::verdict::Caller;

/// Headers read of every request beside those of the policy.
const FIXED: [&str; 2] = ["cf-connecting-ip", "user-agent"];
/// Headers that stand in for the platform where a development binding says so.
const DEVELOPMENT: [&str; 6] = ["cf-ray", "cf-ipcountry", "x-dev-asn", "x-dev-ja4", "x-dev-latlon", "x-dev-time"];
/// Removed before the origin, beside every header whose name begins with `session-context`.
pub const STRIPPED: [&str; 1] = ["session-event"];
/// … with what plays the network in development.
const STRIPPED_IN_DEVELOPMENT: [&str; 5] = ["session-event", "x-dev-asn", "x-dev-ja4", "x-dev-latlon", "x-dev-time"];

/// Headers that the entry removes from every request that has one of them.
pub fn stripped(policy: &Policy) -> &'static [&'static str] {
    if is_development(policy) { &STRIPPED_IN_DEVELOPMENT } else { &STRIPPED }
}

/// Headers to read of every request, in the order [`Described`] expects them.
pub fn names(policy: &Policy) -> Vec<&str> {
    let development: &[&str] = if is_development(policy) { &DEVELOPMENT } else { &[] };
    FIXED.iter().chain(development).copied().chain(policy.headers.iter().map(String::as_str)).collect()
}

fn is_development(policy: &Policy) -> bool {
    policy.development.client_headers || policy.development.clock
}

/// What a request says, borrowed from the one string it was described in.
#[derive(Debug)]
pub struct Described<'a> {
    pub method: &'a str,
    /// With the port, where it is not the scheme's own.
    pub host: &'a str,
    /// As the origin will get it; starts with `/`.
    pub path: &'a str,
    pub query: &'a str,
    /// A CORS preflight: passes, and belongs to no session.
    pub preflight: bool,
    pub request_bytes: Option<u64>,
    pub client: Client<'a>,
    /// Values of the headers that keys and users are read from.
    key_values: Vec<&'a str>,
    /// All other headers that are inspected, each as `name: value`.
    others: Vec<&'a str>,
    /// The client sent a header that only this product may set.
    pub spoofed: bool,
    /// A development header is there and must be removed.
    pub played: bool,
    /// Development time of the request, epoch ms.
    pub time_ms: Option<u64>,
    /// A development binding was ignored because the request came through the real network.
    pub development_refused: bool,
    /// The host is none, or the target is no path (`OPTIONS *`).
    pub malformed: bool,
}

impl<'a> Described<'a> {
    /// Reads a description made for `policy`.
    pub fn read(text: &'a str, policy: &Policy) -> Self {
        let mut fields = text.split('\n');
        let mut next = || fields.next().unwrap_or("");
        let (method, url) = (next(), next());
        let (country, asn, colo, ja4) = (next(), next(), next(), next());
        let (preflight, length, spoofed) = (!next().is_empty(), next(), !next().is_empty());
        let (ip, user_agent) = (next(), next());
        let mut client = Client { ip: ip.parse().ok(), country, asn: asn.parse().unwrap_or(0), colo, ja4, user_agent };
        let (mut played, mut time_ms, mut development_refused) = (false, None, false);
        if is_development(policy) {
            let (ray, dev_country, dev_asn, dev_ja4, latlon, time) = (next(), next(), next(), next(), next(), next());
            // A ray names the real network: there the client must not choose who it is.
            development_refused = !ray.is_empty();
            played = [dev_asn, dev_ja4, latlon, time].iter().any(|value| !value.is_empty());
            if policy.development.client_headers && !development_refused {
                client.country = dev_country;
                client.asn = dev_asn.parse().unwrap_or(0);
                client.ja4 = dev_ja4;
                client.ip = client.ip.or(Some(IpAddr::from([127, 0, 0, 1])));
            }
            if policy.development.clock && !development_refused {
                time_ms = time.parse().ok();
            }
        }
        let key_values = policy.headers.iter().map(|_| next()).collect();
        let others = fields.filter(|field| !field.is_empty()).collect();
        let (host, target) = split_url(url);
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Self {
            method,
            host,
            path,
            query,
            preflight,
            request_bytes: length.parse().ok(),
            client,
            key_values,
            others,
            spoofed,
            played,
            time_ms,
            development_refused,
            malformed: !path.starts_with('/') || !is_authority(host),
        }
    }

    /// The parts that identity reads.
    pub fn parts<'b>(&'b self, policy: &'b Policy) -> Request<'b> {
        Request {
            method: self.method,
            host: self.host,
            path: self.path,
            query: self.query,
            headers: HeaderView { names: &policy.headers, values: &self.key_values },
            client: self.client,
            captures: &[],
            body: None,
        }
    }

    /// Headers that are inspected, lower-case names and values.
    pub fn headers<'b>(&'b self, policy: &'b Policy) -> impl Iterator<Item = (&'b str, &'b str)> {
        let named = policy.headers.iter().map(String::as_str).zip(self.key_values.iter().copied());
        let others = self.others.iter().filter_map(|field| field.split_once(": "));
        named.filter(|(_, value)| !value.is_empty()).chain(others)
    }

    /// Who the request is of, as far as the network says.
    pub fn caller(&self) -> Caller<'a> {
        let Client { ip, ja4, user_agent, .. } = self.client;
        Caller { ip, ja4, user_agent, ..Caller::default() }
    }

    /// The value of a header that is inspected; empty where it is not there, or not looked at.
    pub fn header<'b>(&'b self, policy: &'b Policy, name: &str) -> &'b str {
        self.headers(policy).find(|(known, _)| *known == name).map_or("", |(_, value)| value)
    }

    /// Content type of the body, where the policy reads bodies.
    pub fn content_type(&self, policy: &Policy) -> &'a str {
        let at = policy.headers.iter().position(|name| name == "content-type");
        at.and_then(|at| self.key_values.get(at)).copied().unwrap_or("")
    }
}

/// What a response says, borrowed from the one string it was described in; empty where there was nothing to describe.
#[derive(Debug, Default)]
pub struct Told<'a> {
    /// Value of `Session-Event`.
    pub event: &'a str,
    /// `Deprecation` and `Sunset`, each on its own.
    end: [&'a str; 2],
    values: Vec<&'a str>,
    set_cookies: Vec<&'a str>,
}

impl<'a> Told<'a> {
    /// Reads a description made for `policy`.
    pub fn read(text: &'a str, policy: &Policy) -> Self {
        if text.is_empty() {
            return Self::default();
        }
        let mut lines = text.split('\n');
        let event = lines.next().unwrap_or("");
        let end = [lines.next().unwrap_or(""), lines.next().unwrap_or("")];
        let values = policy.response_headers.iter().map(|_| lines.next().unwrap_or("")).collect();
        Self { event, end, values, set_cookies: lines.filter(|line| !line.is_empty()).collect() }
    }

    /// Whether the response says that the endpoint is deprecated by now (RFC 9745), or has an end (RFC 8594).
    pub fn retires(&self, now_ms: u64) -> bool {
        let [deprecation, sunset] = self.end;
        let since = deprecation.strip_prefix('@').map(|seconds| seconds.trim().parse::<i64>());
        let deprecated = match since {
            Some(Ok(seconds)) => u64::try_from(seconds).unwrap_or(0).saturating_mul(1_000) <= now_ms,
            // Drafts before the RFC said `true`, or a date.
            _ => !deprecation.is_empty() && deprecation != "false",
        };
        deprecated || !sunset.is_empty()
    }

    /// The parts that identity reads.
    pub fn parts<'b>(&'b self, policy: &'b Policy, status: u16, body: Option<&'b Start>) -> Response<'b> {
        let headers = HeaderView { names: &policy.response_headers, values: &self.values };
        let content_type = headers.get("content-type").unwrap_or("");
        Response { status, headers, set_cookies: &self.set_cookies, body: body.map(|start| start.body(content_type)) }
    }
}

/// The start of a body as `entry.mjs` read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    pub bytes: Vec<u8>,
    /// Whether the body went on, or was too slow.
    pub cut: bool,
}

impl Start {
    /// The body for whoever reads it.
    pub fn body<'a>(&'a self, content_type: &'a str) -> Body<'a> {
        Body { content_type, bytes: &self.bytes, cut: self.cut }
    }
}

/// Authority and target of an absolute URL as the platform writes it. The target starts at the first slash after the
/// authority and is never parsed as a URL again, so nothing in it can become an authority.
fn split_url(url: &str) -> (&str, &str) {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split_at(rest.find('/').unwrap_or(rest.len()))
}

/// Host and port: letters, digits and what belongs to names, ports and v6 literals.
fn is_authority(host: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'[' | b']');
    !host.is_empty() && host.bytes().all(allowed)
}
