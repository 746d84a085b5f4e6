//! A request and its response as selectors read them: borrowed, and only what was asked for.

use core::net::IpAddr;

/// What the platform says about the client, whatever the client says.
///
/// Text is empty and numbers 0 where unknown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Client<'a> {
    pub ip: Option<IpAddr>,
    pub country: &'a str,
    pub asn: u32,
    pub colo: &'a str,
    pub ja4: &'a str,
    pub user_agent: &'a str,
}

/// Selected headers: lower-case names and, at the same index, values; an absent header has an empty value. Fields sent
/// more than once are joined with `, `, as the platform hands them over.
#[derive(Debug, Clone, Copy, Default)]
pub struct HeaderView<'a> {
    pub names: &'a [String],
    pub values: &'a [&'a str],
}

impl<'a> HeaderView<'a> {
    /// The value of the header, if it was sent and is not empty. `name` is lower case.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        let index = self.names.iter().position(|n| n == name)?;
        self.values.get(index).copied().filter(|value| !value.is_empty())
    }
}

/// The start of a body.
#[derive(Debug, Clone, Copy)]
pub struct Body<'a> {
    /// Value of the Content-Type header; empty where there is none.
    pub content_type: &'a str,
    pub bytes: &'a [u8],
    /// Whether the body went on past `bytes`.
    pub cut: bool,
}

/// The parts of a request that identity and recording read.
#[derive(Debug, Clone, Copy, Default)]
pub struct Request<'a> {
    pub method: &'a str,
    /// With the port, where it is not the scheme's own.
    pub host: &'a str,
    /// Starts with `/`, as the origin will get it.
    pub path: &'a str,
    /// Without the leading `?`.
    pub query: &'a str,
    pub headers: HeaderView<'a>,
    pub client: Client<'a>,
    /// Placeholders of the endpoint pattern in force, with the path's raw segments.
    pub captures: &'a [(&'a str, &'a str)],
    /// `None` where it was not read.
    pub body: Option<Body<'a>>,
}

/// The parts of a response that identity and recording read.
#[derive(Debug, Clone, Copy, Default)]
pub struct Response<'a> {
    pub status: u16,
    pub headers: HeaderView<'a>,
    /// One entry for each Set-Cookie field, as sent.
    pub set_cookies: &'a [&'a str],
    /// `None` where it was not read.
    pub body: Option<Body<'a>>,
}

/// How far the claims of a token can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// Anybody may have written them.
    Unverified,
    /// Signed by the configured issuer with this index, in force now.
    Verified(usize),
}

/// The claims of a token.
#[derive(Debug, Clone)]
pub struct Claims {
    /// The payload: the text of a JSON object.
    pub json: std::rc::Rc<str>,
    pub trust: Trust,
}

/// Who can read tokens; verification and its cache stand behind this.
pub trait ReadTokens {
    /// The claims of a compact JWS; `None` where `token` is none.
    fn claims(&mut self, token: &str) -> Option<Claims>;
}

/// Reads no token: what it is asked about has no claims.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoTokens;

impl ReadTokens for NoTokens {
    fn claims(&mut self, _token: &str) -> Option<Claims> {
        None
    }
}
